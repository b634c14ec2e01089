"""What a type checker sees of the operations.

Made from the tables of the runtime by
`QUORATE_REWRITE_GOLDEN=1 cargo test --test tidy python`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from quorate import replies
from quorate._core import AsyncCore, Core
from quorate._guards import AsyncCapacityHolds, AsyncJobLeases, CapacityHolds, JobLeases

class Cell:
    """The mesh registry: cells, rings, arms."""

    def __init__(self, core: Core) -> None: ...

    def register(
        self,
        *,
        cell_id: str,
        neighbors: Sequence[str] | None = None,
        ring: int | None = None,
        arm: str | None = None,
        department: str | None = None,
    ) -> replies.CellRegistered:
        """Set a cell's entry in the mesh registry: ``cell.register``.

        :param cell_id: Which cell.
        :param neighbors: Up to six other cells; duplicates and the cell itself drop out.
        :param ring: The ring it lies on.
        :param arm: The arm it lies on, an opaque label of 1 to 256 bytes.
        :param department: The department it works for, 1 to 256 bytes.
        """

    def mesh(
        self,
        *,
        rings: int,
    ) -> replies.MeshRegistered:
        """Register a whole hexagonal mesh around a hub: ``cell.mesh``.

        :param rings: Rings around the hub, 0 to 50.
        """

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.CellPage:
        """List the mesh registry: ``cell.list``.

        :param limit: How many cells at most, 1 to 1000; 100 when left out.
        :param cursor: The last cell of the page before.
        """

class Cmp:
    """The authorities at the hub."""

    def __init__(self, core: Core) -> None: ...

    def register(
        self,
        *,
        authority_id: str,
    ) -> replies.AuthorityRegistered:
        """Add an authority at the hub: ``cmp.register``.

        :param authority_id: Who.
        """

class Quorum:
    """Quorums: start, vote, look, wait."""

    def __init__(self, core: Core) -> None: ...

    def start(
        self,
        *,
        quorum_type: Literal["local", "global", "ring", "radial"],
        quorum_id: str | None = None,
        required_votes: int | None = None,
        rule: Any = None,
        timeout_seconds: float | None = None,
        cell_id: str | None = None,
        ring: int | None = None,
        arm: str | None = None,
        voters: Sequence[str] | None = None,
        subject: Any = None,
        vote_change: Literal["replace", "reject"] | None = None,
        outsiders: Literal["record", "refuse"] | None = None,
        min_confidence: float | None = None,
        strict_membership: bool | None = None,
        cmp_fallback: bool | None = None,
        fallback_timeout_seconds: float | None = None,
        idempotency_key: str | None = None,
        data_subject: str | None = None,
    ) -> replies.Started:
        """Open a quorum: ``quorum.start``.

        :param quorum_type: Whose question it is: ``local`` (neighbours of a cell), ``ring``, ``radial`` (an arm) or ``global`` (the hub).
        :param quorum_id: Id of the quorum; a random one when left out. An id is never used twice.
        :param required_votes: Approvals needed, 1 to the number of voters. When left out: for voters named one by one a majority of them (of a local quorum two thirds, rounded up); for the mesh two thirds of a cell's neighbours (local), a majority of the ring or arm, and one authority of the hub (global).
        :param rule: A rule that decides instead of a number of approvals: a text such as ``at_least:2/3``, or ``{"rule": …, "params": {…}}``.
        :param timeout_seconds: How long votes are taken, above 0 up to the configured maximum (366 days); 30 when left out.
        :param cell_id: The cell the question is about.
        :param ring: The ring, for a ring quorum; the cell's own when left out.
        :param arm: The arm, for a radial quorum; the cell's own when left out.
        :param voters: Exactly these voters, each once, instead of the mesh membership. Without ``required_votes`` a majority of them approves, also of a global quorum.
        :param subject: What is asked: any JSON value, kept with its blake3 digest.
        :param vote_change: May votes change while the quorum is open? ``replace`` (default) or ``reject``.
        :param outsiders: What becomes of votes from outside the electorate? ``record`` (default) or ``refuse``.
        :param min_confidence: Votes less sure than this, 0 to 1, stand but do not count; 0 when left out.
        :param strict_membership: Refuse to start on unknown membership; the configured setting when left out.
        :param cmp_fallback: Open a global quorum if this one times out, of the hub's authorities or, where none is registered, of the same voters by majority; false when left out.
        :param fallback_timeout_seconds: Timeout of that global quorum; this quorum's own when left out.
        :param idempotency_key: The caller's own name for this request: the same request again is answered with the quorum it opened first; another request under the same key is refused.
        :param data_subject: Whose personal data ``subject`` holds: it is sealed with the key of this data subject, and readable until that is shredded. A name that stays on record, so a pseudonym.
        """

    def vote(
        self,
        quorum_id: str,
        *,
        voter_id: str,
        vote: bool,
        confidence: float | None = None,
        reason: str | None = None,
        data_subject: str | None = None,
    ) -> replies.Voted:
        """Cast or change a vote: ``quorum.vote``.

        :param quorum_id: Which quorum.
        :param voter_id: Who votes.
        :param vote: True approves, false rejects.
        :param confidence: How sure the voter is, 0 to 1; 1 when left out. Never decides.
        :param reason: Why the voter votes so, up to 1024 bytes; kept with the vote, also with one that is refused.
        :param data_subject: Whose personal data ``reason`` holds: it is sealed with the key of this data subject, and readable until that is shredded. A name that stays on record, so a pseudonym.
        """

    def status(
        self,
        quorum_id: str,
    ) -> replies.QuorumStatus:
        """Show a quorum, also after it closed: ``quorum.status``.

        :param quorum_id: Which quorum.
        """

    def wait(
        self,
        quorum_id: str,
        *,
        timeout_ms: int | None = None,
    ) -> replies.QuorumStatus:
        """Wait until a quorum closes: ``quorum.wait``.

        :param quorum_id: Which quorum.
        :param timeout_ms: How long to wait, 0 to 300000; 30000 when left out. The quorum's status then, whatever it is. In virtual time nothing moves while one waits, so the answer comes at once.
        """

    def list(
        self,
        *,
        state: Mapping[str, Any] | None = None,
        cell_id: str | None = None,
        voter_id: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.QuorumPage:
        """List quorums, newest first: open ones, then closed ones: ``quorum.list``.

        :param state: Only those that stand so: ``open``, ``closed``, or one of the ways to close. When left out: open ones, then closed ones.
        :param cell_id: Only those about this cell.
        :param voter_id: Only open ones that await the vote of this voter.
        :param limit: How many are looked at, 1 to 1000; 100 when left out.
        :param cursor: The ``next_cursor`` of the page before.
        """

    def extend(
        self,
        quorum_id: str,
        *,
        timeout_seconds: float | None = None,
        deadline: str | None = None,
        by: str | None = None,
        reason: str | None = None,
    ) -> replies.QuorumStatus:
        """Take votes of a quorum longer: ``quorum.extend``.

        :param quorum_id: Which quorum.
        :param timeout_seconds: How long from now on, in seconds, above 0.
        :param deadline: The last instant at which a vote is on time, later than so far.
        :param by: Who asks for it, up to 256 bytes; on record.
        :param reason: Why, up to 1024 bytes; on record.
        """

    def cancel(
        self,
        quorum_id: str,
        *,
        by: str | None = None,
        reason: str | None = None,
    ) -> replies.Cancelled:
        """End a quorum without a decision: ``quorum.cancel``.

        :param quorum_id: Which quorum.
        :param by: Who cancels, up to 256 bytes.
        :param reason: Why, up to 1024 bytes.
        """

    def history(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.QuorumHistoryPage:
        """List the latest closed quorums, oldest first: ``quorum.history``.

        :param limit: How many at most, 1 to 1000; 100 when left out.
        :param cursor: Where an earlier page ended; the latest when left out.
        """

    def stats(
        self,
    ) -> replies.QuorumStatsReply:
        """Count quorums and votes over all time: ``quorum.stats``."""

class Capacity(CapacityHolds):
    """Capacity of cells: ask, offer, hold, give back."""

    def __init__(self, core: Core) -> None: ...

    def request(
        self,
        cell_id: str,
        *,
        requested_capacity: float | None = None,
        timeout_seconds: float | None = None,
        need_id: str | None = None,
        resource: str | None = None,
        lease_seconds: float | None = None,
        renewable: bool | None = None,
        budgets: Sequence[str] | None = None,
        wait: bool | None = None,
        strict_cells: bool | None = None,
    ) -> replies.CapacityRequested:
        """Ask for capacity: ``capacity.request``.

        :param cell_id: Who needs it.
        :param requested_capacity: How much, above 0 and at most what the cell has in total; 0.1 when left out.
        :param timeout_seconds: Seconds the need may wait in the queue, above 0 and up to 86400; 5 when left out. Has nothing to do with how long the token may be kept.
        :param need_id: A name for the need, so that a repeat is answered instead of queued again: as long as it waits or a token of it lives, and then until 128 later needs of the cell have ended. Made when left out.
        :param resource: Of what; ``capacity`` when left out.
        :param lease_seconds: Seconds the token may be kept without another word, above 0 and up to a year; the configured 60 when left out, 0 for no limit.
        :param renewable: May the holder renew the lease? False when left out.
        :param budgets: Budgets it is charged to besides those of the cell.
        :param wait: Answer when the need has ended instead of when it is queued, after 300 seconds at the latest? False when left out, and always in virtual time.
        :param strict_cells: Refuse a cell that nobody has set up or registered, and a budget without limits, as ``not_found``, instead of making the cell? The configured false when left out.
        """

    def need(
        self,
        cell_id: str,
        *,
        need_id: str,
    ) -> replies.CapacityRequested:
        """What became of a request for capacity: ``capacity.need``.

        :param cell_id: Whose need.
        :param need_id: Which.
        """

    def cancel(
        self,
        cell_id: str,
        *,
        need_id: str,
    ) -> replies.CapacityRequested:
        """Give up the place of a need that waits: ``capacity.cancel``.

        :param cell_id: Whose need.
        :param need_id: Which.
        """

    def offer(
        self,
        *,
        source_cell_id: str,
        destination_cell_id: str,
        capacity: float | None = None,
        resource: str | None = None,
        offer_id: str | None = None,
        ttl_seconds: float | None = None,
    ) -> replies.CapacityOffered:
        """Offer capacity to a cell that needs it: ``capacity.offer``.

        :param source_cell_id: Who offers.
        :param destination_cell_id: To whom.
        :param capacity: How much, above 0 and at most what the source has in total; 0.1 when left out.
        :param resource: Of what; ``capacity`` when left out.
        :param offer_id: A name for the offer, so that a repeat is recognised. Made when left out.
        :param ttl_seconds: Seconds it stays open, above 0 and up to 86400; the configured 5 when left out.
        """

    def ack(
        self,
        token_id: str,
        *,
        cell_id: str,
    ) -> replies.CapacityToken:
        """Say that a token arrived: ``capacity.ack``.

        :param token_id: Which token.
        :param cell_id: Who holds it.
        """

    def release(
        self,
        cell_id: str,
        *,
        capacity: float | None = None,
        token_id: str | None = None,
        resource: str | None = None,
        idempotency_key: str | None = None,
    ) -> replies.CapacityReleased:
        """Give capacity back: ``capacity.release``.

        :param cell_id: Who.
        :param capacity: How much, above 0 and up to 10^9, with at most six places; 0.1 when left out. More than is outstanding gives back what is.
        :param token_id: One whole token instead of an amount.
        :param resource: Of what; ``capacity`` when left out.
        :param idempotency_key: A name for the request: the same request again is answered as before, another one under the same name is refused. Without one a repeat releases again. A cell remembers its newest 128 names.
        """

    def renew(
        self,
        token_id: str,
        *,
        cell_id: str,
    ) -> replies.CapacityToken:
        """Start the lease of a token again: ``capacity.renew``.

        :param token_id: Which token.
        :param cell_id: Who holds it.
        """

    def transfer(
        self,
        token_id: str,
        *,
        cell_id: str,
        destination_cell_id: str,
    ) -> replies.CapacityToken:
        """Hand a token to another cell: ``capacity.transfer``.

        :param token_id: Which token.
        :param cell_id: Who holds it.
        :param destination_cell_id: Who is to hold it.
        """

    def revoke(
        self,
        token_id: str,
    ) -> replies.CapacityToken:
        """Take a token away from its holder: ``capacity.revoke``.

        :param token_id: Which token.
        """

    def configure(
        self,
        cell_id: str,
        *,
        totals: Mapping[str, float] | None = None,
        budgets: Sequence[str] | None = None,
        max_pending: int | None = None,
        low_water: int | None = None,
    ) -> replies.CapacityConfigured:
        """Set up what a cell has to lend: ``capacity.configure``.

        :param cell_id: Which cell.
        :param totals: What it has of each resource; a whole of ``capacity`` when left out.
        :param budgets: The budgets every grant to this cell is charged to.
        :param max_pending: Most needs that wait at once, 1 to 100000; the configured 100 when left out.
        :param low_water: An overloaded cell takes requests again once no more than this many wait; half of ``max_pending`` when left out.
        """

    def reserve(
        self,
        cell_id: str,
        *,
        amounts: Mapping[str, int],
        budgets: Sequence[str] | None = None,
        token_id: str | None = None,
        lease_seconds: float | None = None,
        wait: bool | None = None,
        timeout_seconds: float | None = None,
    ) -> replies.CapacityReserved:
        """Reserve an estimate of what will be used, of all budgets or of none: ``capacity.reserve``.

        :param cell_id: Who needs it.
        :param amounts: How much of each unit is expected to be used, 0 to 10^12 each.
        :param budgets: The budgets it is taken from besides those of the cell, such as organisation, team and user.
        :param token_id: A name for the reservation, so that a repeat is answered instead of reserved again: as long as it is open, and then among the 8,192 that ended last of a budget. Made when left out.
        :param lease_seconds: Seconds within which it has to be settled, above 0 and up to a year; 300 when left out. After that the estimate counts as what was used.
        :param wait: Wait for the refill instead of saying when it suffices? False when left out, and always in virtual time. Those who wait for a budget are served in turn; whoever does not wait may get between.
        :param timeout_seconds: Seconds it may wait, above 0 and up to 300; 30 when left out.
        """

    def settle(
        self,
        token_id: str,
        *,
        cell_id: str,
        actual: Mapping[str, int] | None = None,
    ) -> replies.CapacitySettled:
        """Say what was used of a reservation; the difference goes back or is taken: ``capacity.settle``.

        :param token_id: Which reservation.
        :param cell_id: Who holds it.
        :param actual: How much of each unit was used, 0 to 10^12 each; of a unit that is left out, what was estimated.
        """

    def status(
        self,
        cell_id: str,
        *,
        resource: str | None = None,
    ) -> replies.CapacityStatus:
        """Show how a cell stands: ``capacity.status``.

        :param cell_id: Which cell.
        :param resource: Which resource; ``capacity`` when left out.
        """

    def holders(
        self,
        cell_id: str,
        *,
        resource: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.HolderPage:
        """List who holds the capacity of a cell, and how long still: ``capacity.holders``.

        :param cell_id: Whose capacity.
        :param resource: Only of this resource.
        :param limit: How many at most, 1 to 1000; 100 when left out.
        :param cursor: The ``next_cursor`` of the page before.
        """

    def stats(
        self,
    ) -> replies.CapacityStats:
        """Count needs, offers and tokens over all time: ``capacity.stats``."""

class Budget:
    """Limits on what many cells are granted together."""

    def __init__(self, core: Core) -> None: ...

    def set(
        self,
        budget_id: str,
        *,
        limits: Mapping[str, float] | None = None,
        rates: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> replies.CapacityConfigured:
        """Limit what many cells are granted at once, or use per period: ``budget.set``.

        :param budget_id: Which budget.
        :param limits: How much cells may be granted at once; a resource that is left out has no limit. As before when all of it is left out.
        :param rates: How much may be used per period, by unit; a unit that is left out has no rate. As before when all of it is left out.
        """

    def status(
        self,
        budget_id: str,
    ) -> replies.BudgetStatus:
        """Show how a budget stands: ``budget.status``.

        :param budget_id: Which budget.
        """

class Agent:
    """Agents: register, beat, look."""

    def __init__(self, core: Core) -> None: ...

    def register(
        self,
        *,
        agent_id: str,
        interval_ms: int | None = None,
        failure_threshold: int | None = None,
        check_period_ms: int | None = None,
        history_size: int | None = None,
        monitor: bool | None = None,
        replace: bool | None = None,
    ) -> replies.AgentRegistered:
        """Register an agent and watch its heartbeats: ``agent.register``.

        :param agent_id: Who it is; it votes under this id. Not ``register``, ``stats``, ``history`` or ``list``.
        :param interval_ms: Milliseconds within which it is to be heard of, 100 to 86400000; the configured 5000 when left out.
        :param failure_threshold: Intervals of silence after which it has failed, 1 to 1000; the configured 3 when left out.
        :param check_period_ms: Milliseconds between two checks, 100 to 86400000; the configured 1000 when left out.
        :param history_size: Newest beats kept, 1 to 10000; the configured 100 when left out.
        :param monitor: Judge its silence from now on (``true``), or only from its first beat on (``false``). When left out: from now on if one of the numbers above is given, else from its first beat on. Until then it counts as healthy.
        :param replace: If it is registered already: what is given here takes the place of what is so now, and its silence counts from now on. Otherwise settings that differ are refused.
        """

    def leave(
        self,
        agent_id: str,
    ) -> replies.AgentLeft:
        """Strike an agent off: ``agent.leave``.

        :param agent_id: Which agent.
        """

    def beat(
        self,
        agent_id: str,
        *,
        metadata: Mapping[str, Any] | None = None,
    ) -> replies.Beaten:
        """Say that an agent is alive: ``agent.beat``.

        :param agent_id: Which agent.
        :param metadata: What it says about itself: a JSON object of up to 16 KiB, kept with the beat.
        """

    def health(
        self,
        agent_id: str,
    ) -> replies.AgentHealth:
        """Show how an agent is doing: ``agent.health``.

        :param agent_id: Which agent.
        """

    def monitor(
        self,
        agent_id: str,
        *,
        interval_ms: int | None = None,
        failure_threshold: int | None = None,
        check_period_ms: int | None = None,
        history_size: int | None = None,
        replace: bool | None = None,
    ) -> replies.AgentMonitored:
        """Watch a registered agent again: ``agent.monitor``.

        :param agent_id: Which agent.
        :param interval_ms: Milliseconds within which it is to be heard of, 100 to 86400000; the configured 5000 when left out.
        :param failure_threshold: Intervals of silence after which it has failed, 1 to 1000; the configured 3 when left out.
        :param check_period_ms: Milliseconds between two checks, 100 to 86400000; the configured 1000 when left out.
        :param history_size: Newest beats kept, 1 to 10000; the configured 100 when left out.
        :param replace: If its silence is judged already: what is given here takes the place of what is so now, and its silence counts from now on. Otherwise settings that differ are refused.
        """

    def unmonitor(
        self,
        agent_id: str,
    ) -> replies.AgentUnmonitored:
        """Watch an agent no longer; it stays registered: ``agent.unmonitor``.

        :param agent_id: Which agent.
        """

    def history(
        self,
        agent_id: str,
        *,
        since: str | None = None,
        until: str | None = None,
        limit: int | None = None,
    ) -> replies.AgentHistoryPage:
        """List the newest beats of an agent, oldest first: ``agent.history``.

        :param agent_id: Which agent.
        :param since: Only beats at or after this instant.
        :param until: Only beats up to and with this instant.
        :param limit: How many at most, 1 to 1000; 100 when left out. The newest are taken.
        """

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.AgentPage:
        """List the registered agents: ``agent.list``.

        :param limit: How many at most, 1 to 1000; 100 when left out.
        :param cursor: The last agent of the page before.
        """

    def stats(
        self,
    ) -> replies.AgentStats:
        """Count agents by health, and heartbeats over all time: ``agent.stats``."""

class Consensus:
    """Proposals: ask the agents, vote, look, wait, use what was decided."""

    def __init__(self, core: Core) -> None: ...

    def request(
        self,
        *,
        proposal: Any,
        algorithm: str | None = None,
        timeout_ms: int | None = None,
        wait: bool | None = None,
        proposal_id: str | None = None,
        participants: Sequence[str] | None = None,
        vote_change: Literal["replace", "reject"] | None = None,
        health_policy: Literal["ignore", "exclude_failed"] | None = None,
        exclude_grade: Literal["healthy", "degraded", "critical", "failed"] | None = None,
        fail_fast: bool | None = None,
        operation: Mapping[str, Any] | None = None,
        answer_schema: Any = None,
        remind_every_ms: int | None = None,
        idempotency_key: str | None = None,
        data_subject: str | None = None,
    ) -> replies.ConsensusResult:
        """Put a question to the agents and wait for the decision: ``consensus.request``.

        :param proposal: What is asked: any JSON value but null.
        :param algorithm: Registered name of the algorithm that decides; the default one when left out.
        :param timeout_ms: How long votes are taken, from 100 up to the configured ``consensus.max_timeout`` (366 days); 30000 when left out.
        :param wait: Wait for the decision (default), or answer as soon as the question is put.
        :param proposal_id: Id of the proposal; a random one when left out. An id is never used twice.
        :param participants: Ask only these registered agents.
        :param vote_change: May votes change while the question is open? ``reject`` (default) or ``replace``.
        :param health_policy: Are agents in bad health asked? ``ignore`` or ``exclude_failed``; when left out, failed agents are not asked as soon as heartbeats are used at all.
        :param exclude_grade: With ``exclude_failed``: the best grade that is left out, ``degraded``, ``critical`` or ``failed`` (default).
        :param fail_fast: End before the deadline, as aborted, when approval needs the vote of an agent that failed; false when left out.
        :param operation: The operation that the decision allows; a decision for is used with ``consensus.spend``.
        :param answer_schema: Ask for an answer beside the choice: a vote for must bring a ``value`` that fits this part of JSON Schema, up to 8 KiB. ``type`` is ``boolean``, ``integer``, ``string`` or ``object``; beside it ``enum``, ``minimum``, ``maximum``, ``minLength``, ``maxLength``, ``properties``, ``required``, ``additionalProperties: false``, ``title`` and ``description``. Anything else is refused.
        :param remind_every_ms: Tell those whose votes are outstanding again this often, from 60000 on; never when left out. For up to 1000 participants.
        :param idempotency_key: The caller's own name for this request: the same request again is answered with the proposal it opened first; another request under the same key is refused.
        :param data_subject: Whose personal data ``proposal`` holds: it is sealed with the key of this data subject, and readable until that is shredded. A name that stays on record, so a pseudonym.
        """

    def vote(
        self,
        proposal_id: str,
        *,
        agent_id: str,
        vote: Literal["for", "against", "abstain"],
        weight: float | None = None,
        metadata: Mapping[str, Any] | None = None,
        reason: str | None = None,
        value: Any = None,
        data_subject: str | None = None,
    ) -> replies.ConsensusVoted:
        """Vote on a proposal: ``consensus.vote``.

        :param proposal_id: Which proposal.
        :param agent_id: Who votes.
        :param vote: ``for``, ``against`` or ``abstain``.
        :param weight: The weight the agent claims, 0 to 10^9. Kept; what counts is the weight the algorithm gives.
        :param metadata: What the agent adds, up to 16 KiB; kept with the vote, also with one that is refused.
        :param reason: Why the agent votes so, up to 1024 bytes; kept likewise.
        :param value: The answer, up to 16 KiB, where the question has an ``answer_schema``: a vote for must bring one that fits, another vote may.
        :param data_subject: Whose personal data ``reason``, ``metadata`` and ``value`` hold: it is sealed with the key of this data subject, and readable until that is shredded. A name that stays on record, so a pseudonym.
        """

    def result(
        self,
        proposal_id: str,
        *,
        wait_ms: int | None = None,
    ) -> replies.ConsensusResult:
        """Show how a proposal stands or ended, or wait for it: ``consensus.result``.

        :param proposal_id: Which proposal.
        :param wait_ms: Wait so long for the decision, 0 to 300000; 0 when left out.
        """

    def spend(
        self,
        proposal_id: str,
        *,
        key: str,
        operation_hash: str | None = None,
        tool: str | None = None,
        arguments: Any = None,
        fence: int | None = None,
        by: str | None = None,
    ) -> replies.DecisionSpent:
        """Use the decision of a proposal for the one operation it allows: ``consensus.spend``.

        :param proposal_id: Which proposal.
        :param key: The caller's own name for this use: the same again is answered as the first time.
        :param operation_hash: The hash of what is to be done; or ``tool`` and ``arguments``.
        :param tool: The name of what is to be done.
        :param arguments: Its arguments.
        :param fence: The fencing token under which it is done.
        :param by: Who does it, up to 256 bytes; on record.
        """

    def open(
        self,
        *,
        agent_id: str | None = None,
        newest_first: bool | None = None,
        wait_ms: int | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.OpenProposalsPage:
        """List open proposals, or those that await an agent's vote: ``consensus.open``.

        :param agent_id: Only those that await the vote of this agent.
        :param newest_first: Newest first; false when left out.
        :param wait_ms: Wait so long for one when there is none, 0 to 300000; 0 when left out.
        :param limit: How many are looked at, 1 to 1000; 100 when left out.
        :param cursor: The ``next_cursor`` of the page before.
        """

    def extend(
        self,
        proposal_id: str,
        *,
        timeout_ms: int | None = None,
        deadline: str | None = None,
        by: str | None = None,
        reason: str | None = None,
    ) -> replies.ConsensusResult:
        """Take votes on a proposal longer: ``consensus.extend``.

        :param proposal_id: Which proposal.
        :param timeout_ms: How long from now on, in milliseconds.
        :param deadline: The last instant at which a vote is on time, later than so far.
        :param by: Who asks for it, up to 256 bytes; on record.
        :param reason: Why, up to 1024 bytes; on record.
        """

    def delegate(
        self,
        proposal_id: str,
        *,
        from_: str,
        to: str,
        reason: str | None = None,
    ) -> replies.ConsensusResult:
        """Hand a place to somebody else, who votes in it: ``consensus.delegate``.

        :param proposal_id: Which proposal.
        :param from_: Who is asked and has not voted.
        :param to: Who votes in its place: a registered agent that is not asked.
        :param reason: Why, up to 1024 bytes; on record.
        """

    def remind(
        self,
        proposal_id: str,
        *,
        voter: str | None = None,
        by: str | None = None,
    ) -> replies.ConsensusReminded:
        """Tell those whose votes are outstanding again: ``consensus.remind``.

        :param proposal_id: Which proposal.
        :param voter: Only this voter; all of them when left out.
        :param by: Who asks for it, up to 256 bytes; on record.
        """

    def cancel(
        self,
        proposal_id: str,
        *,
        by: str | None = None,
        reason: str | None = None,
    ) -> replies.ConsensusResult:
        """Withdraw a proposal: ``consensus.cancel``.

        :param proposal_id: Which proposal.
        :param by: Who cancels, up to 256 bytes; on record.
        :param reason: Why, up to 1024 bytes; on record.
        """

    def history(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.ConsensusHistoryPage:
        """List the latest ended proposals, oldest first: ``consensus.history``.

        :param limit: How many at most, 1 to 1000; 100 when left out.
        :param cursor: Where the page before starts: a ``next_cursor``.
        """

    def stats(
        self,
    ) -> replies.ConsensusStats:
        """Count proposals and votes over all time: ``consensus.stats``."""

class Algorithm:
    """Named rules that decide proposals."""

    def __init__(self, core: Core) -> None: ...

    def register(
        self,
        *,
        name: str,
        rule: Any,
        params: Mapping[str, Any] | None = None,
        replace: bool | None = None,
        by: str | None = None,
    ) -> replies.AlgorithmRegistered:
        """Give a rule a name: ``algorithm.register``.

        :param name: The name, 1 to 256 bytes.
        :param rule: The rule: a name of the table, a text such as ``at_least:2/3``, or ``{"rule": …, "params": {…}}``.
        :param params: Parameters of the rule.
        :param replace: Let the rule take the place of another one of this name; false when left out. Open proposals keep the rule they were opened with.
        :param by: Who registers it, up to 256 bytes; kept on record when it replaces another.
        """

    def unregister(
        self,
        name: str,
    ) -> replies.AlgorithmUnregistered:
        """Take a name away: ``algorithm.unregister``.

        :param name: Its registered name.
        """

    def set_default(
        self,
        name: str,
    ) -> replies.AlgorithmDefault:
        """Choose the algorithm that decides when none is named: ``algorithm.set_default``.

        :param name: Its registered name.
        """

    def list(
        self,
    ) -> replies.AlgorithmList:
        """List registered algorithms, and the rules there are: ``algorithm.list``."""

class Session:
    """Questions that hold against voters that lie: open, vote, look, certify, use what was decided."""

    def __init__(self, core: Core) -> None: ...

    def open(
        self,
        *,
        proposal: Any = None,
        candidates: Sequence[str] | None = None,
        kinds: Mapping[str, str] | None = None,
        voters: Sequence[str] | None = None,
        powers: Mapping[str, int] | None = None,
        ballot_type: Mapping[str, Any] | None = None,
        max_approvals: int | None = None,
        algorithm: Mapping[str, Any] | None = None,
        basis: Literal["heads", "power", "both"] | None = None,
        threshold: Literal["strict", "at_least"] | None = None,
        fault_tolerance: int | None = None,
        rounds: int | None = None,
        switch_policy: Literal["exclude", "flag", "allow"] | None = None,
        close_policy: Literal["on_quorum", "all_or_deadline"] | None = None,
        revision_policy: Literal["final", "revisable"] | None = None,
        authentication: Literal["required", "optional"] | None = None,
        commit_reveal: bool | None = None,
        weights: str | None = None,
        gates: Sequence[Mapping[str, Any]] | None = None,
        power_cap: bool | None = None,
        operation: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        timeout_ms: int | None = None,
        round_timeout_ms: int | None = None,
        commit_timeout_ms: int | None = None,
        remind_every_ms: int | None = None,
        session_id: str | None = None,
        idempotency_key: str | None = None,
        data_subject: str | None = None,
    ) -> replies.SessionResult:
        """Open a session: a question that holds against voters that lie: ``session.open``.

        :param proposal: What is asked: any JSON value.
        :param candidates: What may be chosen; for and against the proposal are voted when left out.
        :param kinds: What sort of thing each candidate is, in your words.
        :param voters: Who may vote; every registered voter that is neither quarantined nor proven to lie when left out.
        :param powers: How much some of them count, in millionths; the registered weight where left out.
        :param ballot_type: How is voted: ``approve`` without candidates, else ``choice``, when left out.
        :param max_approvals: With ``approval``: how many candidates one voter may approve; all of them when left out.
        :param algorithm: Defaults to take: ``weighted`` (default) or ``byzantine``.
        :param basis: What must reach the quorum: ``heads``, ``power`` or ``both`` (default).
        :param threshold: More than two thirds (``strict``, default) or two thirds (``at_least``).
        :param fault_tolerance: How many voters may lie; then at least three times as many and one more must vote.
        :param rounds: How many rounds, 1 to 100; the last one counts. 1 when left out.
        :param switch_policy: What becomes of who votes differently from round to round: ``exclude``, ``flag`` or ``allow`` (default).
        :param close_policy: End at the quorum (``on_quorum``, default), or when all have voted (``all_or_deadline``).
        :param revision_policy: May votes change within a round? ``final`` (default) or ``revisable``.
        :param authentication: Must a vote show whose it is, by handle or signature? ``required`` (default), or ``optional`` for voters without a key.
        :param commit_reveal: Promise votes first and tell them when all have promised; false when left out.
        :param weights: Learn the powers from what is on record of the voters: a source of weights, as ``factors`` or ``dawid_skene_online:revisits=2``. What it gives at the opening is frozen.
        :param gates: Gates that look at the decision when the session ends; none when left out.
        :param power_cap: Cut powers so that nobody holds a third; false when left out.
        :param operation: The operation that the decision allows; a decision for is used with ``session.spend``.
        :param context: What the context of the decision is; kept with it.
        :param timeout_ms: How long votes are taken, from 100 up to the configured ``session.max_timeout`` (366 days); 30000 when left out.
        :param round_timeout_ms: How long a round but the last one lasts at most; until all have voted or it is ended when left out.
        :param commit_timeout_ms: How long promises are taken at most; half the time for votes when left out.
        :param remind_every_ms: How often those whose votes are outstanding are reminded, 60000 or more, of up to 1000 voters; never when left out.
        :param session_id: Id of the session; a random one when left out. An id is never used twice.
        :param idempotency_key: The caller's own name for this request: the same request again is answered with the session it opened first.
        :param data_subject: Whose personal data ``proposal`` holds: it is sealed with the key of this data subject, and readable until that is shredded. A name that stays on record, so a pseudonym.
        """

    def vote(
        self,
        session_id: str,
        *,
        voter_id: str,
        vote: Literal["for", "against", "abstain"] | None = None,
        candidate_id: str | None = None,
        approvals: Sequence[str] | None = None,
        scores: Mapping[str, float] | None = None,
        score: float | None = None,
        confidence: float | None = None,
        weight: float | None = None,
        round: int | None = None,
        seq: int | None = None,
        issued_at: str | None = None,
        reasoning: str | None = None,
        handle: str | None = None,
        signature: str | None = None,
        hash: str | None = None,
        version: int | None = None,
        commit: str | None = None,
        salt: str | None = None,
    ) -> replies.SessionVoted:
        """Vote in a session, or promise a vote: ``session.vote``.

        :param session_id: Which session.
        :param voter_id: Who votes.
        :param vote: ``for``, ``against`` or ``abstain``, where no candidates are listed.
        :param candidate_id: The candidate that is chosen.
        :param approvals: The candidates that are approved.
        :param scores: A score from 0 to 1 for each of some candidates; one of 0.5 or more supports it.
        :param score: How good, 0 to 1, kept in millionths; 1 when left out.
        :param confidence: How sure, 0 to 1; 1 when left out. Kept, never counted.
        :param weight: The weight the voter claims. Noted, never counted.
        :param round: In which round; the one that is open when left out.
        :param seq: The voter's own number of this vote, from 1; the next one when left out. A signed vote names it.
        :param issued_at: When, by the voter's clock, at most 60 s off; now when left out. A signed vote names it.
        :param reasoning: What the voter says about its vote, up to 4096 bytes.
        :param handle: The handle the voter was given when it was registered.
        :param signature: The voter's signature over the vote, 128 hexadecimal digits; what is signed stands in ``certificate_format``.
        :param hash: The integrity hash as the voter has it; another one than the session computes is refused.
        :param version: The layout the vote was made by; 1.
        :param commit: Instead of a vote: the promise of one.
        :param salt: What the promise was made with, at least 16 bytes.
        """

    def end_round(
        self,
        session_id: str,
        *,
        round: int | None = None,
    ) -> replies.SessionResult:
        """End the round that is open: ``session.end_round``.

        :param session_id: Which session.
        :param round: Which round; the one that is open when left out. Named, a repeat does not end the next one.
        """

    def result(
        self,
        session_id: str,
        *,
        wait_ms: int | None = None,
    ) -> replies.SessionResult:
        """Show how a session stands or ended, or wait for it: ``session.result``.

        :param session_id: Which session.
        :param wait_ms: Wait so long for the end, 0 to 300000; 0 when left out.
        """

    def spend(
        self,
        session_id: str,
        *,
        key: str,
        operation_hash: str | None = None,
        tool: str | None = None,
        arguments: Any = None,
        fence: int | None = None,
        by: str | None = None,
    ) -> replies.DecisionSpent:
        """Use the decision of a session for the one operation it allows: ``session.spend``.

        :param session_id: Which session.
        :param key: The caller's own name for this use: the same again is answered as the first time.
        :param operation_hash: The hash of what is to be done; or ``tool`` and ``arguments``.
        :param tool: The name of what is to be done.
        :param arguments: Its arguments.
        :param fence: The fencing token under which it is done.
        :param by: Who does it, up to 256 bytes; on record.
        """

    def list(
        self,
        *,
        state: Mapping[str, Any] | None = None,
        voter_id: str | None = None,
        newest_first: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.SessionPage:
        """List open sessions, or ended ones: ``session.list``.

        :param state: ``open`` (default) or ``ended``.
        :param voter_id: Of the open ones: only those that await the vote of this voter.
        :param newest_first: Newest first; false when left out.
        :param limit: How many are looked at, 1 to 1000; 100 when left out.
        :param cursor: A ``next_cursor`` of an earlier page.
        """

    def extend(
        self,
        session_id: str,
        *,
        timeout_ms: int | None = None,
        deadline: str | None = None,
        by: str | None = None,
        reason: str | None = None,
    ) -> replies.SessionResult:
        """Take votes in a session longer: ``session.extend``.

        :param session_id: Which session.
        :param timeout_ms: How long from now on, in milliseconds, above 0.
        :param deadline: The last instant at which a vote is on time, later than so far.
        :param by: Who asks for it, up to 256 bytes; on record.
        :param reason: Why, up to 1024 bytes; on record.
        """

    def delegate(
        self,
        session_id: str,
        *,
        from_: str,
        to: str,
        reason: str | None = None,
        issued_at: str | None = None,
        handle: str | None = None,
        signature: str | None = None,
    ) -> replies.SessionResult:
        """Hand a place in a session to another voter: ``session.delegate``.

        :param session_id: Which session.
        :param from_: Who may vote and neither voted nor promised a vote.
        :param to: Who votes in its place: a registered voter that may not vote in this session and is trusted in full.
        :param reason: Why, up to 1024 bytes; on record.
        :param issued_at: When, by the clock of who has the place, at most 60 s off; now when left out. A signed request names it.
        :param handle: The handle that who has the place was given when it was registered.
        :param signature: The signature of who has the place, 128 hexadecimal digits; what is signed stands in ``certificate_format``.
        """

    def remind(
        self,
        session_id: str,
        *,
        voter: str | None = None,
        by: str | None = None,
    ) -> replies.SessionReminded:
        """Tell those whose votes in a session are outstanding again: ``session.remind``.

        :param session_id: Which session.
        :param voter: Only this voter; all of them when left out.
        :param by: Who asks for it, up to 256 bytes; on record.
        """

    def cancel(
        self,
        session_id: str,
        *,
        cancelled_by: str | None = None,
        reason: str | None = None,
    ) -> replies.SessionResult:
        """End a session without a decision: ``session.cancel``.

        :param session_id: Which session.
        :param cancelled_by: Who ends it.
        :param reason: Why.
        """

    def certificate(
        self,
        session_id: str,
    ) -> replies.Certificate:
        """Give what proves a decision to anybody: ``session.certificate``.

        :param session_id: Which session.
        """

class Emergence:
    """What a crowd does beyond its votes: look for patterns."""

    def __init__(self, core: Core) -> None: ...

    def scan(
        self,
        session_id: str,
        *,
        sensitivity: float | None = None,
        outcome: float | None = None,
    ) -> replies.EmergenceReport:
        """Look for patterns in how a session was voted: ``emergence.scan``.

        :param session_id: Which session.
        :param sensitivity: From 0.10 to 0.99, 0.80 when left out; a greater one only sees more.
        :param outcome: The right score, from 0 to 1, where it became known. Only then collective intelligence is looked for.
        """

class Candidate:
    """Candidates: declare what there is to choose by, choose such that not all are alike."""

    def __init__(self, core: Core) -> None: ...

    def register(
        self,
        *,
        candidate_id: str,
        kind: str,
        fitness: float,
        metrics: Mapping[str, float] | None = None,
        traits: Mapping[str, float] | None = None,
        by: str | None = None,
    ) -> replies.CandidateRegistered:
        """Declare what there is to choose a voter by: ``candidate.register``.

        :param candidate_id: Which voter.
        :param kind: A label in your words; two of one kind are alike.
        :param fitness: How fit it is, 0 to 1.
        :param metrics: What was measured, by the names of the criteria: ``benefit_ratio``, ``success_rate``, ``latency``, ``resource_efficiency``, ``adaptability``, ``risk_adjusted_return``, ``context_correlation`` (-1 to 1), ``stability``.
        :param traits: Its traits, each 0 to 1, under names of your own.
        :param by: Who declares it.
        """

    def select(
        self,
        *,
        selection_id: str | None = None,
        candidates: Sequence[str] | None = None,
        maximum: int | None = None,
        diversity: float | None = None,
        strict: bool | None = None,
        least_fitness: float | None = None,
        defaults: Mapping[str, float] | None = None,
        criteria: Mapping[str, float] | None = None,
        wanted: Mapping[str, Mapping[str, Any]] | None = None,
        context: Mapping[str, Any] | None = None,
        affinity: Mapping[str, Sequence[float]] | None = None,
        sensitivity: float | None = None,
        by: str | None = None,
    ) -> replies.CandidatesSelected:
        """Choose among candidates by eight criteria, traits and context: ``candidate.select``.

        :param selection_id: Id of the choice; a random one when left out. Under one id one choice is made.
        :param candidates: Who may be chosen; every candidate that may vote when left out.
        :param maximum: Most that are chosen, 1 to 1000; 5 when left out.
        :param diversity: From 0 (only what speaks for each) to 1 (only that they differ); 0.7 when left out.
        :param strict: Choose only who is at least ``diversity`` away from all chosen ones; false when left out.
        :param least_fitness: Less fit candidates are left out, 0 to 1; 0.6 when left out.
        :param defaults: What a criterion counts as that was not measured, by its name; a candidate without it is left out otherwise.
        :param criteria: How much each criterion counts, by its name; together 1, those left out as usual.
        :param wanted: Traits that are asked for.
        :param context: What surrounds the choice; no adjustment when left out.
        :param affinity: How well a trait serves in each part of the context, in the order volatility, volume, spread, trend, noise; 0 to 1.
        :param sensitivity: How much cooperation and adaptability count, 0.10 to 0.99; 0.8 when left out.
        :param by: Who chooses.
        """

class Voter:
    """Voters of sessions: register, look, quarantine, release, tell what was right, change keys."""

    def __init__(self, core: Core) -> None: ...

    def register(
        self,
        *,
        voter_id: str,
        public_key: str | None = None,
        handle: str | None = None,
        weight: float | None = None,
    ) -> replies.VoterRegistered:
        """Register a voter of sessions: ``voter.register``.

        :param voter_id: Who it is; it votes under this id.
        :param public_key: The Ed25519 key of its signatures, 64 hexadecimal digits. One key stands for one voter.
        :param handle: Its handle: a secret of at least 16 bytes that it presents with its votes. Minted when left out and no key is given; only its hash is kept.
        :param weight: How much it counts in sessions, 0 to 10^9, kept in millionths; 1 when left out.
        """

    def state(
        self,
        voter_id: str,
    ) -> replies.VoterView:
        """Show how far a voter is trusted, and why: ``voter.state``.

        :param voter_id: Which voter.
        """

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.VoterPage:
        """List voters, and count them by state: ``voter.list``.

        :param limit: How many, 1 to 1000; 100 when left out.
        :param cursor: The id an earlier page ended at.
        """

    def quarantine(
        self,
        voter_id: str,
        *,
        reason: str,
        duration_ms: int | None = None,
    ) -> replies.VoterView:
        """Let a voter vote in no session for a while: ``voter.quarantine``.

        :param voter_id: Which voter.
        :param reason: Why.
        :param duration_ms: How long, 1000 to 31536000000; 60000, doubled with each offence, up to a day, when left out.
        """

    def release(
        self,
        voter_id: str,
        *,
        reason: str,
        pardon: bool | None = None,
    ) -> replies.VoterView:
        """Let a voter vote again, on probation: ``voter.release``.

        :param voter_id: Which voter.
        :param reason: Why.
        :param pardon: Even though a fault of it is proven; false when left out.
        """

    def feedback(
        self,
        *,
        truth: str,
        session_id: str | None = None,
        question_id: str | None = None,
        answers: Mapping[str, str] | None = None,
        score: float | None = None,
        ratings: Mapping[str, float] | None = None,
        by: str | None = None,
    ) -> replies.TruthTaken:
        """Tell what had been right, so that weights are learned from it: ``voter.feedback``.

        :param truth: What had been right: ``for``, ``against``, or a candidate.
        :param session_id: Which session; it has ended.
        :param question_id: Your own name for a question that was asked elsewhere; told of a voter again, it is not counted again.
        :param answers: Of a question that was asked elsewhere: what each voter answered.
        :param score: How well the session turned out, 0 to 1; 1 when it decided for what had been right, else 0, when left out.
        :param ratings: How useful the part of some voters was, 0 to 1: what is above a half raises their weight by ``factors``, what is below lowers it.
        :param by: Who tells; no voter of the question.
        """

    def rotate(
        self,
        voter_id: str,
        *,
        public_key: str,
        signature: str | None = None,
        by: str | None = None,
        reason: str | None = None,
    ) -> replies.KeyTaken:
        """Let another key take the place of the one a voter signs with: ``voter.rotate``.

        :param voter_id: Which voter.
        :param public_key: Its new Ed25519 key, 64 hexadecimal digits.
        :param signature: The signature of its present key over the change; without it an admin has to ask.
        :param by: Who asks for it.
        :param reason: Why.
        """

class Job(JobLeases):
    """Jobs: submit, lead, report, end, look."""

    def __init__(self, core: Core) -> None: ...

    def submit(
        self,
        *,
        job_id: str | None = None,
        timeout_seconds: float | None = None,
        stuck_threshold: float | None = None,
        gate_addr: str | None = None,
        target_datacenters: Sequence[str] | None = None,
        datacenter_count: int | None = None,
        preferred_datacenters: Sequence[str] | None = None,
        workflows: Sequence[Mapping[str, Any]] | None = None,
        payload: Any = None,
        class_: str | None = None,
        timeout_rule: str | None = None,
        leader_id: str | None = None,
        dc_timeout_policy: str | None = None,
        max_attempts: int | None = None,
        max_total_extension_seconds: float | None = None,
        extension_mode: str | None = None,
        strict_transitions: bool | None = None,
        downtime: str | None = None,
        spend: Mapping[str, Any] | None = None,
        data_subject: str | None = None,
    ) -> replies.JobSubmitted:
        """Submit a job: ``job.submit``.

        :param job_id: Its id, without ``@``; made when left out. An id is never used twice: the same submission again answers with the job there is, also after its end.
        :param timeout_seconds: Seconds the job may run, above 0; without an overall limit when left out. Being stuck is noticed all the same.
        :param stuck_threshold: Seconds without progress after which it is stuck; 120 when left out.
        :param gate_addr: Address of the gate; with one, or with datacenters, the gate decides about timeouts.
        :param target_datacenters: The datacenters it runs in. When left out the router chooses among those that are known; while none is, it runs only here.
        :param datacenter_count: How many datacenters the router chooses, 1 to 100; 1 when left out.
        :param preferred_datacenters: Datacenters that count as nearer by a tenth when the router chooses.
        :param workflows: What is to be done; none for work that is tracked as a whole.
        :param payload: What is to be done, handed to workers with the work; up to 65536 bytes of JSON. A job with a payload and without workflows has one, ``main``.
        :param class_: Jobs whose durations are alike; deadlines are learned per class.
        :param timeout_rule: ``local_authority``, ``gate_coordinated`` or ``learned``; what fits the surroundings when left out.
        :param leader_id: Who leads it; this node when left out.
        :param dc_timeout_policy: Datacenters whose time is over that end the job: ``majority`` (default), ``any``, ``any_without_extensions``, ``all``.
        :param max_attempts: Tries of a workflow, 1 to 1000; 3 when left out.
        :param max_total_extension_seconds: Most seconds all extensions of the job give together; no limit when left out.
        :param extension_mode: How extensions of several workers add up: ``sum_all`` (default), or ``max_per_worker``, where the job gets what the worker with the most has.
        :param strict_transitions: Only the plain table of workflow steps: no cancelling while a failure is being cleaned up. False when left out.
        :param downtime: Does the budget run while nobody serves? ``count`` (default) or ``exclude``.
        :param spend: The use of a decision under which it begins: one that allows ``job.submit`` with the other fields of this request.
        :param data_subject: Whose personal data the payloads hold: it is sealed with the key of this data subject, and readable until that is shredded. A name that stays on record, so a pseudonym.
        """

    def progress(
        self,
        job_id: str,
        *,
        datacenter: str | None = None,
        workflow_id: str | None = None,
        completed_count: int | None = None,
        fence_token: int | None = None,
    ) -> replies.JobChanged:
        """Say that a job got on: ``job.progress``.

        :param job_id: Which job.
        :param datacenter: Which datacenter.
        :param workflow_id: Which of its workflows.
        :param completed_count: Items done so far; counts when it is more than before.
        :param fence_token: The caller's leadership.
        """

    def extend(
        self,
        *,
        worker_id: str,
        job_id: str | None = None,
        datacenter: str | None = None,
        reason: str | None = None,
        current_progress: float | None = None,
        estimated_completion: float | None = None,
        active_workflow_count: int | None = None,
        completed_items: int | None = None,
        total_items: int | None = None,
        request_id: str | None = None,
        fence_token: int | None = None,
    ) -> replies.JobExtended:
        """Ask for more time for a worker: ``job.extend``.

        :param worker_id: Who asks.
        :param job_id: Which job; every live job the worker has a part in when left out.
        :param datacenter: Which datacenter.
        :param reason: Why, for people.
        :param current_progress: How far it is, on any scale; the second and later grants need more than at the last grant.
        :param estimated_completion: Seconds until it hopes to be done.
        :param active_workflow_count: Workflows it runs.
        :param completed_items: Items done; decides instead of ``current_progress`` when the last grant had it too.
        :param total_items: Items in all.
        :param request_id: A name for the request: the same request again gets the same answer, and another request under this name is refused. The last eight of a worker in a job are remembered, until it is lost or the job ends.
        :param fence_token: The caller's leadership.
        """

    def workflow(
        self,
        job_id: str,
        *,
        workflow_id: str,
        to: str,
        datacenter: str | None = None,
        worker_id: str | None = None,
        reason: str | None = None,
        result: str | None = None,
        fence_token: int | None = None,
    ) -> replies.JobChanged:
        """Take a workflow of a job one step: ``job.workflow``.

        :param job_id: Which job.
        :param workflow_id: Which workflow.
        :param to: To where: ``pending``, ``dispatched``, ``running``, ``completed``, ``failed``, ``failed_canceling_deps``, ``failed_ready``, ``cancelling``, ``cancelled`` or ``aggregated``.
        :param datacenter: Which datacenter.
        :param worker_id: With ``dispatched``: the worker it is handed to.
        :param reason: Why, for people.
        :param result: What it made or why it failed, opaque.
        :param fence_token: The caller's leadership.
        """

    def transfer(
        self,
        job_id: str,
        *,
        new_leader_id: str,
        datacenter: str | None = None,
        new_leader_addr: str | None = None,
        force: bool | None = None,
        fence_token: int | None = None,
    ) -> replies.JobLed:
        """Give leadership of a job to another leader: ``job.transfer``.

        :param job_id: Which job.
        :param new_leader_id: Who is to lead.
        :param datacenter: Which datacenter.
        :param new_leader_addr: Where the new leader listens.
        :param force: Whatever the lease says; it is on record.
        :param fence_token: The leadership of the one who gives it.
        """

    def acquire(
        self,
        job_id: str,
        *,
        holder_id: str,
        datacenter: str | None = None,
        incarnation: int | None = None,
        holder_addr: str | None = None,
        force: bool | None = None,
        fence_token: int | None = None,
        lease_ms: int | None = None,
        in_process: bool | None = None,
    ) -> replies.JobLed:
        """Take or keep the lease of a job: ``job.acquire``.

        :param job_id: Which job.
        :param holder_id: Who.
        :param datacenter: Which datacenter.
        :param incarnation: Which of the holder's lives: a node that restarts is another holder. 0 when left out.
        :param holder_addr: Taking it: where the holder listens.
        :param force: Taking it: whatever the lease says; it is on record.
        :param fence_token: Keeping it and giving it back: the holder's token, or one it had since it took the lease. A restart of what serves the job mints another; keeping the lease answers with the one in force.
        :param lease_ms: Taking it and keeping it: how long it lasts from now on, in milliseconds, 1 to 86400000. The job's own 30000 when left out, or as it was taken.
        :param in_process: Taking it: the holder lives in the process that serves the job, and its lease ends with that process. When left out, so it is for a holder without an address that comes through the Rust API, and for no other.
        """

    def renew(
        self,
        job_id: str,
        *,
        holder_id: str,
        datacenter: str | None = None,
        incarnation: int | None = None,
        holder_addr: str | None = None,
        force: bool | None = None,
        fence_token: int | None = None,
        lease_ms: int | None = None,
        in_process: bool | None = None,
    ) -> replies.JobLed:
        """Keep the lease of a job: ``job.renew``.

        :param job_id: Which job.
        :param holder_id: Who.
        :param datacenter: Which datacenter.
        :param incarnation: Which of the holder's lives: a node that restarts is another holder. 0 when left out.
        :param holder_addr: Taking it: where the holder listens.
        :param force: Taking it: whatever the lease says; it is on record.
        :param fence_token: Keeping it and giving it back: the holder's token, or one it had since it took the lease. A restart of what serves the job mints another; keeping the lease answers with the one in force.
        :param lease_ms: Taking it and keeping it: how long it lasts from now on, in milliseconds, 1 to 86400000. The job's own 30000 when left out, or as it was taken.
        :param in_process: Taking it: the holder lives in the process that serves the job, and its lease ends with that process. When left out, so it is for a holder without an address that comes through the Rust API, and for no other.
        """

    def release(
        self,
        job_id: str,
        *,
        holder_id: str,
        datacenter: str | None = None,
        incarnation: int | None = None,
        holder_addr: str | None = None,
        force: bool | None = None,
        fence_token: int | None = None,
        lease_ms: int | None = None,
        in_process: bool | None = None,
    ) -> replies.JobChanged:
        """Give the lease of a job back: ``job.release``.

        :param job_id: Which job.
        :param holder_id: Who.
        :param datacenter: Which datacenter.
        :param incarnation: Which of the holder's lives: a node that restarts is another holder. 0 when left out.
        :param holder_addr: Taking it: where the holder listens.
        :param force: Taking it: whatever the lease says; it is on record.
        :param fence_token: Keeping it and giving it back: the holder's token, or one it had since it took the lease. A restart of what serves the job mints another; keeping the lease answers with the one in force.
        :param lease_ms: Taking it and keeping it: how long it lasts from now on, in milliseconds, 1 to 86400000. The job's own 30000 when left out, or as it was taken.
        :param in_process: Taking it: the holder lives in the process that serves the job, and its lease ends with that process. When left out, so it is for a holder without an address that comes through the Rust API, and for no other.
        """

    def complete(
        self,
        job_id: str,
        *,
        datacenter: str | None = None,
        status: str | None = None,
        reason: str | None = None,
        fence_token: int | None = None,
    ) -> replies.JobChanged:
        """End a job as completed or failed: ``job.complete``.

        :param job_id: Which job.
        :param datacenter: Which datacenter.
        :param status: ``completed`` (default) or ``failed``.
        :param reason: Why, for people.
        :param fence_token: The caller's leadership.
        """

    def cancel(
        self,
        job_id: str,
        *,
        datacenter: str | None = None,
        requester_id: str | None = None,
        reason: str | None = None,
        fence_token: int | None = None,
    ) -> replies.JobCancelled:
        """Stop a job: ``job.cancel``.

        :param job_id: Which job.
        :param datacenter: Only in this datacenter.
        :param requester_id: Who asks.
        :param reason: Why, for people.
        :param fence_token: The leadership the caller knows of.
        """

    def status(
        self,
        job_id: str,
        *,
        datacenter: str | None = None,
    ) -> replies.JobStatusReply:
        """Show how a job stands: ``job.status``.

        :param job_id: Which job.
        :param datacenter: Which datacenter.
        """

    def wait(
        self,
        job_id: str,
        *,
        datacenter: str | None = None,
        timeout_ms: int | None = None,
    ) -> replies.JobStatusReply:
        """Wait until a job ends: ``job.wait``.

        :param job_id: Which job.
        :param datacenter: Which datacenter; with a gate the end everywhere when left out.
        :param timeout_ms: How long to wait, 0 to 300000; 30000 when left out. The job's status then, whatever it is. In virtual time nothing moves while one waits, so the answer comes at once.
        """

    def why(
        self,
        job_id: str,
        *,
        datacenter: str | None = None,
    ) -> replies.JobWhy:
        """Show what led to how a job stands: ``job.why``.

        :param job_id: Which job.
        :param datacenter: Which datacenter.
        """

    def stuck_workflows(
        self,
        job_id: str,
        *,
        datacenter: str | None = None,
        threshold_seconds: float | None = None,
        exclude_terminal: bool | None = None,
    ) -> replies.StuckList:
        """List workflows that did not get on for long: ``job.stuck_workflows``.

        :param job_id: Which job.
        :param datacenter: Which datacenter; every one in which the job runs when left out.
        :param threshold_seconds: Stuck is what did not get on for at least so many seconds; the job's own ``stuck_threshold`` when left out.
        :param exclude_terminal: Leaves out workflows that have ended; true when left out.
        """

    def list(
        self,
        *,
        state: str | None = None,
        leader_id: str | None = None,
        datacenter: str | None = None,
        newest_first: bool | None = None,
        due_within_seconds: float | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.JobPage:
        """List live jobs, or ended ones: ``job.list``.

        :param state: ``live`` (default), ``ended``, or a status: ``running``, ``failed`` and the others; at a gate ``waiting_for_datacenter`` too.
        :param leader_id: Only those led by this leader.
        :param datacenter: Only those in this datacenter.
        :param newest_first: Newest first; false when left out.
        :param due_within_seconds: Only live ones whose next deadline falls within so many seconds.
        :param limit: How many at most, 1 to 1000; 100 when left out. Of ended ones: how many are looked at, at a gate with all their datacenters.
        :param cursor: The ``next_cursor`` of the page before.
        """

    def stats(
        self,
    ) -> replies.JobStats:
        """Count jobs over all time: ``job.stats``."""

    def estimate(
        self,
        class_: str,
    ) -> replies.ClassEstimate:
        """Show the deadlines learned for a class of jobs: ``job.estimate``.

        :param class_: Which class.
        """

class Lease:
    """Leases of jobs: who holds which, and how long still."""

    def __init__(self, core: Core) -> None: ...

    def list(
        self,
        *,
        holder_id: str | None = None,
        datacenter: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.LeasePage:
        """List the leases of jobs that are held, and how long still: ``lease.list``.

        :param holder_id: Only those of this holder.
        :param datacenter: Only those of jobs in this datacenter.
        :param limit: How many at most, 1 to 1000; 100 when left out.
        :param cursor: The ``next_cursor`` of the page before.
        """

class Gate:
    """Where a job came in: how it stands over all datacenters."""

    def __init__(self, core: Core) -> None: ...

    def status(
        self,
        job_id: str,
        *,
        datacenter: str | None = None,
    ) -> replies.GateStatus:
        """Show how a job stands at its gate: ``gate.status``.

        :param job_id: Which job.
        :param datacenter: Which datacenter.
        """

    def transfer(
        self,
        job_id: str,
        *,
        new_gate_id: str,
        new_gate_addr: str | None = None,
    ) -> replies.GateStatus:
        """Give leadership of a job at the gate to another gate: ``gate.transfer``.

        :param job_id: Which job.
        :param new_gate_id: Which gate is to lead.
        :param new_gate_addr: Where it listens.
        """

class Worker:
    """Who runs the workflows of jobs: register, report, look."""

    def __init__(self, core: Core) -> None: ...

    def register(
        self,
        *,
        worker_id: str,
        datacenter: str | None = None,
        capacity: int | None = None,
        beat_ms: int | None = None,
        incarnation: int | None = None,
    ) -> replies.WorkerChanged:
        """Register a worker that takes workflows: ``worker.register``.

        :param worker_id: Which worker.
        :param datacenter: Where it works; ``local`` when left out.
        :param capacity: Most workflows it runs at the same time, 1 to 1000000; 1 when left out.
        :param beat_ms: How often it gives a sign of life, in milliseconds, 100 to 600000; 5000 when left out. It is lost when it is silent for much longer than it is used to; one that never took work nor beat is not judged.
        :param incarnation: Which of its lives this is, such as the time it began. Under another one than before, what it ran is lost and goes elsewhere.
        """

    def report(
        self,
        worker_id: str,
        *,
        job_id: str,
        workflow_id: str,
        outcome: str,
        completed_count: int | None = None,
        result: str | None = None,
        dispatch_token: int | None = None,
        data_subject: str | None = None,
    ) -> replies.WorkerChanged:
        """Say what became of a workflow: ``worker.report``.

        :param worker_id: Which worker.
        :param job_id: Which job.
        :param workflow_id: Which workflow.
        :param outcome: ``running``, ``completed``, ``failed`` or ``cancelled``.
        :param completed_count: Items done so far, never fewer than before; as before when left out.
        :param result: What it made or why it failed, opaque.
        :param dispatch_token: The handing over that was carried out; the last one when left out.
        :param data_subject: Whose personal data ``result`` holds: it is sealed with the key of this data subject, and readable until that is shredded. A name that stays on record, so a pseudonym.
        """

    def take(
        self,
        worker_id: str,
        *,
        wait_ms: int | None = None,
        limit: int | None = None,
        running: Sequence[Mapping[str, Any]] | None = None,
    ) -> replies.WorkTaken:
        """Ask for work, with what is to be done: ``worker.take``.

        :param worker_id: Which worker.
        :param wait_ms: How long it waits for work, in milliseconds, up to 300000; not at all when left out. Meanwhile it gives no other sign of life.
        :param limit: Most workflows at a time, 1 to 1000; 1 when left out.
        :param running: What it has. What was handed out and is named neither here, nor in a beat, nor in a report is handed out again.
        """

    def beat(
        self,
        worker_id: str,
        *,
        running: Sequence[Mapping[str, Any]] | None = None,
    ) -> replies.WorkerBeaten:
        """Say that a worker is alive, and what it has: ``worker.beat``.

        :param worker_id: Which worker.
        :param running: What it has.
        """

    def list(
        self,
        *,
        datacenter: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.WorkerPage:
        """List workers: state, load, last sign of life, what they run: ``worker.list``.

        :param datacenter: Only those of this datacenter.
        :param limit: How many at most, 1 to 1000; 100 when left out.
        :param cursor: The ``next_cursor`` of the page before.
        """

    def leader_lost(
        self,
        worker_id: str,
        *,
        job_id: str,
    ) -> replies.WorkerChanged:
        """Say that a worker cannot reach the leader of a job: ``worker.leader_lost``.

        :param worker_id: Which worker.
        :param job_id: Which job.
        """

    def lost(
        self,
        worker_id: str,
    ) -> replies.WorkerChanged:
        """Say that a worker is dead: ``worker.lost``.

        :param worker_id: Which worker.
        """

    def healthy(
        self,
        worker_id: str,
    ) -> replies.WorkerChanged:
        """Say that a worker is well: ``worker.healthy``.

        :param worker_id: Which worker.
        """

    def leave(
        self,
        worker_id: str,
    ) -> replies.WorkerChanged:
        """Take nothing new and end: ``worker.leave``.

        :param worker_id: Which worker.
        """

    def status(
        self,
        worker_id: str,
    ) -> replies.WorkerStatus:
        """Show how a worker stands: ``worker.status``.

        :param worker_id: Which worker.
        """

class Member:
    """The nodes of the cluster, as this one sees them: list, measure, check."""

    def __init__(self, core: Core) -> None: ...

    def list(
        self,
    ) -> replies.MemberList:
        """List the nodes of the cluster, as this one sees them: ``member.list``."""

    def metrics(
        self,
    ) -> replies.MemberMetrics:
        """Show how membership is doing on this node: ``member.metrics``."""

    def validate(
        self,
    ) -> replies.MemberValidation:
        """Check that what this node keeps of the others hangs together: ``member.validate``."""

class Coordinate:
    """Where nodes stand in the space of round trips: measure, estimate."""

    def __init__(self, core: Core) -> None: ...

    def update(
        self,
        *,
        from_: str,
        to: str | None = None,
        rtt_ms: float | None = None,
        vivaldi_coord: Mapping[str, Any] | None = None,
    ) -> replies.CoordinateView:
        """Move a node's coordinate by a round trip it measured: ``coordinate.update``.

        :param from_: Who measured. Only its coordinate moves.
        :param to: To whom.
        :param rtt_ms: The round trip in ms, 0.001 to 10,000; kept to the microsecond.
        :param vivaldi_coord: Where ``to`` stands, as its answer told; what is on record of it when left out. Without ``to``: where ``from`` stands.
        """

    def estimate(
        self,
        *,
        from_: str,
        to: str,
    ) -> replies.CoordinateEstimate:
        """Estimate the round trip between two nodes: ``coordinate.estimate``.

        :param from_: From which node.
        :param to: To which.
        """

class Datacenter:
    """Datacenters: how they are, and how far away."""

    def __init__(self, core: Core) -> None: ...

    def update(
        self,
        datacenter_id: str,
        *,
        health_bucket: str | None = None,
        available_cores: int | None = None,
        total_cores: int | None = None,
        queue_depth: int | None = None,
        lhm_multiplier: float | None = None,
        circuit_breaker_pressure: float | None = None,
        total_managers: int | None = None,
        healthy_managers: int | None = None,
        leader_id: str | None = None,
        vivaldi_coord: Mapping[str, Any] | None = None,
        rtt_ucb_ms: float | None = None,
        coordinate_quality: float | None = None,
    ) -> replies.DatacenterView:
        """Say how a datacenter is: ``datacenter.update``.

        :param datacenter_id: Which datacenter.
        :param health_bucket: ``HEALTHY`` (at first), ``BUSY``, ``DEGRADED`` or ``UNHEALTHY``. A full one that works is ``BUSY``.
        :param available_cores: Cores that are free.
        :param total_cores: Cores that there are; at first as many as are free.
        :param queue_depth: Jobs that wait.
        :param lhm_multiplier: Its leader's local health, 1 to 9. It has no weight.
        :param circuit_breaker_pressure: The part of its managers that do not answer calls, 0 to 1; the part that is not healthy where it is never said.
        :param total_managers: Managers that are registered; 1 at first.
        :param healthy_managers: Managers that are alive and answer; all of them at first.
        :param leader_id: The node that leads it: its coordinate says how far away the datacenter is.
        :param vivaldi_coord: Where the leader stands; what is on record of it when left out.
        :param rtt_ucb_ms: Upper bound of the round trip to it in ms, 0.001 to 10,000, for whoever knows it without coordinates.
        :param coordinate_quality: How far ``rtt_ucb_ms`` can be relied on, 0 to 1; 1 when left out.
        """

    def remove(
        self,
        datacenter_id: str,
    ) -> replies.DatacenterRemoved:
        """Forget a datacenter: ``datacenter.remove``.

        :param datacenter_id: Which datacenter.
        """

    def list(
        self,
        *,
        from_: str | None = None,
    ) -> replies.DatacenterList:
        """List the datacenters, and how far away they are: ``datacenter.list``.

        :param from_: The node that looks; this one when left out.
        """

class Route:
    """Which datacenter a job goes to: decide, report a failure, look."""

    def __init__(self, core: Core) -> None: ...

    def job(
        self,
        job_id: str,
        *,
        fence_token: int | None = None,
        datacenter_count: int | None = None,
        preferred_datacenters: Sequence[str] | None = None,
        from_: str | None = None,
    ) -> replies.RoutingDecision:
        """Decide which datacenter a job goes to, and keep that: ``route.job``.

        :param job_id: Which job.
        :param fence_token: The fencing token of whoever leads it; a lower one than was shown before is refused.
        :param datacenter_count: How many datacenters get it at once, 1 to 100; 2 when left out, unless configured otherwise.
        :param preferred_datacenters: Datacenters that count as nearer by a tenth.
        :param from_: The node from which distances count; this one when left out.
        """

    def failure(
        self,
        job_id: str,
        *,
        datacenter_id: str,
        reason: str | None = None,
        fence_token: int | None = None,
    ) -> replies.RouteFailed:
        """Say that a datacenter did not take a job: ``route.failure``.

        :param job_id: Which job.
        :param datacenter_id: Which datacenter.
        :param reason: ``refused`` (when left out), ``busy``, ``no_answer`` or ``unreachable``.
        :param fence_token: The fencing token of whoever leads the job.
        """

    def accept(
        self,
        job_id: str,
        *,
        datacenter_id: str,
    ) -> replies.RouteChanged:
        """Say which datacenter took a job: ``route.accept``.

        :param job_id: Which job.
        :param datacenter_id: Which datacenter.
        """

    def forget(
        self,
        job_id: str,
    ) -> replies.RouteChanged:
        """Forget where a job goes, as when it ended: ``route.forget``.

        :param job_id: Which job.
        """

    def state(
        self,
        job_id: str,
    ) -> replies.RouteState:
        """Show where a job goes, why, and what failed: ``route.state``.

        :param job_id: Which job.
        """

class Flow:
    """Streams of messages with flow control: offer, drain, look."""

    def __init__(self, core: Core) -> None: ...

    def open(
        self,
        *,
        flow_id: str,
        config: Mapping[str, Any] | None = None,
    ) -> replies.FlowOpened:
        """Open a stream of messages with flow control: ``flow.open``.

        :param flow_id: Which stream. Opening it again with the same configuration changes nothing.
        :param config: How; what is left out keeps its default.
        """

    def offer(
        self,
        flow_id: str,
        *,
        message: Any,
        sender: str | None = None,
        wait_ms: int | None = None,
        key: str | None = None,
        deadline_ms: int | None = None,
        critical: bool | None = None,
    ) -> replies.MessageOffered:
        """Offer a message to a stream: ``flow.offer``.

        :param flow_id: Which stream.
        :param message: The message: any JSON, up to 64 KiB of it.
        :param sender: Who sends it; handed to the reader with it.
        :param wait_ms: How long the offer may wait for its delay, for a pause to end or for room, 0 to 300000; 0 when left out: it is decided at once. Time that moves only when told to is not waited for.
        :param key: Only the newest message of a key matters: an older one that is still buffered gives way to it. 1 to 256 bytes; not on streams that carry what may not be lost.
        :param deadline_ms: Milliseconds from now until which the message is of use, -86400000 to 86400000. After that it is not buffered, and not handed to the reader, who is told of the gap. Not on streams that carry what may not be lost.
        :param critical: It does not give way to others, whatever the policy: where all that is buffered is critical, the new message comes back. Handed to the reader. False when left out.
        """

    def drain(
        self,
        flow_id: str,
        *,
        count: int | None = None,
    ) -> replies.FlowDrained:
        """Take messages out of a stream, with the gaps between them: ``flow.drain``.

        :param flow_id: Which stream.
        :param count: At most so many messages, 0 to 1000; 100 when left out. ``buffer_size`` says whether to ask again.
        """

    def status(
        self,
        flow_id: str,
    ) -> replies.FlowStatus:
        """Show how a stream stands: ``flow.status``.

        :param flow_id: Which stream.
        """

    def recommendation(
        self,
        flow_id: str,
    ) -> replies.FlowAdviceView:
        """Say what to do about a stream, and why: ``flow.recommendation``.

        :param flow_id: Which stream.
        """

    def configure(
        self,
        flow_id: str,
        *,
        config: Mapping[str, Any],
    ) -> replies.FlowOpened:
        """Change the configuration of an open stream: ``flow.configure``.

        :param flow_id: Which stream.
        :param config: The knobs to change; what is left out stays as it is.
        """

    def close(
        self,
        flow_id: str,
    ) -> replies.FlowOpened:
        """End a stream; what is buffered may still be read: ``flow.close``.

        :param flow_id: Which stream.
        """

class Shed:
    """Overload: what is let in, what the load is, and why."""

    def __init__(self, core: Core) -> None: ...

    def check(
        self,
        *,
        handler: str | None = None,
        class_: Literal["control", "dispatch", "data", "telemetry"] | None = None,
        critical: bool | None = None,
        deadline_ms: int | None = None,
        hold_ms: int | None = None,
    ) -> replies.ShedChecked:
        """Ask whether a message is let in at this load: ``shed.check``.

        :param handler: What it is: a kind of message such as ``progress``, or an operation such as ``quorum.vote``. An unknown name is data. One of ``handler`` and ``class`` is given.
        :param class_: Its class, in upper or lower case.
        :param critical: It may be delayed but not dropped; where left out, what its kind says.
        :param deadline_ms: Milliseconds from now until which its answer is of use, -86400000 to 86400000; negative when that has passed.
        :param hold_ms: Hold its place among those in flight until ``shed.release``, or for so long at most: 1 to 3600000. Without it the place is given back at once.
        """

    def release(
        self,
        *,
        permit: int,
        latency_ms: float | None = None,
    ) -> replies.PermitReleased:
        """Give back the place of a message that was let in: ``shed.release``.

        :param permit: The permit.
        :param latency_ms: How long the work took, as a sample of latency: up to 3600000, with at most three places; negative counts as 0.
        """

    def record(
        self,
        *,
        latency_ms: float | None = None,
        outcome: Literal["served", "shed", "local_reply", "probe"] | None = None,
        cpu_percent: float | None = None,
        memory_percent: float | None = None,
        queue_delay_ms: float | None = None,
        class_: Literal["control", "dispatch", "data", "telemetry"] | None = None,
        pending: int | None = None,
    ) -> replies.LoadRecorded:
        """Feed the detector of overload: ``shed.record``.

        :param latency_ms: How long a request took, up to 3600000, with at most three places: whole microseconds are kept. Negative counts as 0.
        :param outcome: What became of that request; only ``served``, the default, is a sample.
        :param cpu_percent: Processor, in percent, with at most six places; above 100 is fine, up to 1000000.
        :param memory_percent: Memory, in percent, with at most six places, up to 1000000.
        :param queue_delay_ms: How long a message waited before work on it began, 0 to 3600000, with at most three places.
        :param class_: The class of the message that waited, in upper or lower case; ``data`` when left out.
        :param pending: Requests taken and not finished, 0 to 10000000.
        """

    def status(
        self,
    ) -> replies.ShedStatus:
        """Show load, shedding and why: ``shed.status``."""

class Pressure:
    """Who asks whom to slow down."""

    def __init__(self, core: Core) -> None: ...

    def status(
        self,
        *,
        worker_id: str | None = None,
        datacenter: str | None = None,
    ) -> replies.PressureStatus:
        """Show who asks whom to slow down: ``pressure.status``.

        :param worker_id: Show this worker too.
        :param datacenter: Show only this datacenter; all of which anything was heard when left out.
        """

class Stats:
    """Statistics of running work, and what their fill asks of senders."""

    def __init__(self, core: Core) -> None: ...

    def record(
        self,
        *,
        value: float | None = None,
        values: Sequence[float] | None = None,
        batch: Mapping[str, Any] | None = None,
        timestamp: str | None = None,
        critical: bool | None = None,
    ) -> replies.StatsRecorded:
        """Record statistics of running work: ``stats.record``.

        :param value: One value.
        :param values: Up to 1000 values, each in its own place.
        :param batch: Many values that were put together by their sender, in one place.
        :param timestamp: When they were measured; now when left out, and never later than now.
        :param critical: Take them also at reject.
        """

    def level(
        self,
    ) -> replies.StatsLevel:
        """Show what the statistics' fill asks of senders: ``stats.level``."""

    def summary(
        self,
        *,
        window_ms: int | None = None,
    ) -> replies.StatsSummary:
        """Sum up all statistics and the tiers they stand in: ``stats.summary``.

        :param window_ms: The recent average is over so long, 1 to 86400000; 60000 when left out.
        """

class Stop:
    """What may not be done until those who were named let it go on: engage, release, look."""

    def __init__(self, core: Core) -> None: ...

    def engage(
        self,
        *,
        scope: Mapping[str, Any],
        release_voters: Sequence[str],
        stop_id: str | None = None,
        release_need: int | None = None,
        by: str | None = None,
        reason: str | None = None,
    ) -> replies.StopView:
        """Stop something, until those who are named let it go on: ``stop.engage``.

        :param scope: What is stopped: ``{"everything":true}``, ``{"party":"ann"}``, ``{"prefix":"billing-"}`` or ``{"job_class":"migrate"}``.
        :param release_voters: Who may release it: the voters of the session, or the agents of the proposal, that decides about it.
        :param stop_id: Id of the stop; a random one when left out. An id is never used twice.
        :param release_need: How many of them must be for it; more than half when left out.
        :param by: Who stops it, up to 256 bytes; on record.
        :param reason: Why, up to 1024 bytes; on record.
        """

    def release(
        self,
        stop_id: str,
        *,
        session_id: str | None = None,
        proposal_id: str | None = None,
        by: str | None = None,
    ) -> replies.StopView:
        """Let go on what was stopped, by a decision of those who were named: ``stop.release``.

        :param stop_id: Which stop.
        :param session_id: The session that decided; or the proposal.
        :param proposal_id: The proposal that decided.
        :param by: Who releases it, up to 256 bytes; on record.
        """

    def list(
        self,
        *,
        released: bool | None = None,
        party: str | None = None,
    ) -> replies.StopList:
        """List what is stopped: ``stop.list``.

        :param released: Those that were released too; false when left out.
        :param party: Only those that would stop this party.
        """

    def status(
        self,
        stop_id: str,
    ) -> replies.StopView:
        """Show what a stop stops, and who may release it: ``stop.status``.

        :param stop_id: Which stop.
        """

class Retention:
    """What must not be pruned of the journal, and what was: hold, release, look."""

    def __init__(self, core: Core) -> None: ...

    def hold(
        self,
        *,
        reason: str,
        everything: bool | None = None,
        kind: str | None = None,
        entity_id: str | None = None,
    ) -> replies.RecordsHold:
        """Keep what ended from being pruned, until it is released: ``retention.hold``.

        :param reason: Why, up to 1024 bytes; on record.
        :param everything: Everything.
        :param kind: Every entity of this kind.
        :param entity_id: The entities of this id, of every kind; it may be one that is not there yet.
        """

    def release(
        self,
        *,
        everything: bool | None = None,
        kind: str | None = None,
        entity_id: str | None = None,
    ) -> replies.RecordsHold:
        """Let go on what was kept from being pruned: ``retention.release``.

        :param everything: The one on everything.
        :param kind: The one on this kind.
        :param entity_id: The one on entities of this id.
        """

    def list(
        self,
    ) -> replies.RetentionView:
        """List what is kept from being pruned, and what was pruned: ``retention.list``."""

class Subject:
    """Whose personal data is sealed: look, and destroy its key."""

    def __init__(self, core: Core) -> None: ...

    def shred(
        self,
        data_subject: str,
        *,
        reason: str,
    ) -> replies.SubjectView:
        """Destroy the key of a data subject: what is sealed with it is never read again: ``subject.shred``.

        :param data_subject: Whose.
        :param reason: Why, up to 1024 bytes; on record for good, so it names nobody.
        """

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.SubjectPage:
        """List whose personal data is sealed, and whose was shredded: ``subject.list``.

        :param limit: How many at most, 1 to 1000; 100 when left out.
        :param cursor: Where an earlier page ended; the beginning when left out.
        """

    def show(
        self,
        data_subject: str,
    ) -> replies.SubjectView:
        """Show a data subject, its key, and which entities hold data of it: ``subject.show``.

        :param data_subject: Which.
        """

class Hook:
    """What is recorded, posted to a URL: register, look, resume, remove."""

    def __init__(self, core: Core) -> None: ...

    def register(
        self,
        *,
        url: str,
        hook_id: str | None = None,
        filter: Mapping[str, Any] | None = None,
        secret: str | None = None,
    ) -> replies.HookChanged:
        """Post what is recorded to a URL, signed; the secret is told once: ``hook.register``.

        :param url: Where to: ``http://`` or ``https://``, up to 2,048 bytes, without credentials and fragment. An address that is not of the public Internet is refused unless the server allows it.
        :param hook_id: Id of the hook; a random one when left out. An id is never used twice.
        :param filter: Which events: the filters of ``history.query``, and its ``cursor``, ``since`` or ``from_position`` to begin earlier than now. Everything but what hooks themselves do, when left out.
        :param secret: What signs the requests: ``whsec_`` and 24 to 64 bytes in base64. One is made, and told once, when left out.
        """

    def list(
        self,
    ) -> replies.HookList:
        """List the hooks: how far each is, what fails, when it is attempted again: ``hook.list``."""

    def resume(
        self,
        hook_id: str,
    ) -> replies.HookChanged:
        """Attempt a hook again that is failing or disabled, from where it stands: ``hook.resume``.

        :param hook_id: Which hook.
        """

    def remove(
        self,
        hook_id: str,
    ) -> replies.HookChanged:
        """End a hook for good, with what it had not delivered: ``hook.remove``.

        :param hook_id: Which hook.
        """

class Identity:
    """Who may do what, and in whose name: create, rotate, grant, revoke."""

    def __init__(self, core: Core) -> None: ...

    def create(
        self,
        *,
        name: str,
        scopes: Sequence[str],
        acts_as: Sequence[str] | None = None,
        public_key: str | None = None,
        uids: Sequence[int] | None = None,
        expires_in_seconds: float | None = None,
        issue_token: bool | None = None,
        token_expires_in_seconds: float | None = None,
    ) -> replies.IdentityChanged:
        """Make an identity; its token is told once: ``identity.create``.

        :param name: Its name, at most 64 bytes; never used twice. It stands with every record made under it.
        :param scopes: What it may do: ``admin`` (everything; the very first identity must have it), ``read`` (everything that only shows what is on record), ``NOUN.*``, ``NOUN.VERB``.
        :param acts_as: In whose name it may act: ``KIND:ID``, ``KIND:PREFIX*`` or ``*`` (all), where KIND is voter, agent, worker, holder (of the lease of a job) or cell; nobody when left out.
        :param public_key: An ed25519 public key, 64 hexadecimal digits.
        :param uids: Users of the operating system that are it when they call over the unix socket.
        :param expires_in_seconds: How long it lives; for ever when left out.
        :param issue_token: Issue a token; true when left out.
        :param token_expires_in_seconds: How long the token lives; as long as the identity when left out.
        """

    def rotate(
        self,
        name: str,
        *,
        overlap_seconds: float | None = None,
        token_expires_in_seconds: float | None = None,
    ) -> replies.IdentityChanged:
        """Give an identity a new token, told once: ``identity.rotate``.

        :param name: Which identity.
        :param overlap_seconds: How long the tokens it has go on; they end at once when left out.
        :param token_expires_in_seconds: How long the new token lives; as long as the identity when left out.
        """

    def grant(
        self,
        name: str,
        *,
        scopes: Sequence[str] | None = None,
        acts_as: Sequence[str] | None = None,
        public_key: str | None = None,
        uids: Sequence[int] | None = None,
        expires_in_seconds: float | None = None,
    ) -> replies.IdentityChanged:
        """Say anew what an identity may do: ``identity.grant``.

        :param name: Which identity.
        :param scopes: All that it may do, as when it is created.
        :param acts_as: All in whose name it may act, as when it is created.
        :param public_key: An ed25519 public key, 64 hexadecimal digits.
        :param uids: All users of the operating system that are it.
        :param expires_in_seconds: How long it lives from now on.
        """

    def revoke(
        self,
        name: str,
        *,
        token_number: int | None = None,
        reason: str | None = None,
    ) -> replies.IdentityChanged:
        """End an identity for good, or one of its tokens: ``identity.revoke``.

        :param name: Which identity.
        :param token_number: Only the token of this number; the identity stays.
        :param reason: Why, up to 1024 bytes.
        """

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.IdentityPage:
        """List the identities, and what they may do: ``identity.list``.

        :param limit: How many at most, 1 to 1000; 100 when left out.
        :param cursor: The name an earlier page ended at; the beginning when left out.
        """

class Overview:
    """What is open, what waits for whom, what is overdue, what is wrong."""

    def __init__(self, core: Core) -> None: ...

    def show(
        self,
        *,
        limit: int | None = None,
    ) -> replies.Overview:
        """Show what is open, what waits for whom, what is overdue and what is wrong: ``overview.show``.

        :param limit: How many lines of each list, 1 to 100; 5 when left out.
        """

    def inbox(
        self,
        voter_id: str,
        *,
        wait_ms: int | None = None,
        limit: int | None = None,
    ) -> replies.Inbox:
        """Show the questions that await somebody's vote, or wait for one: ``overview.inbox``.

        :param voter_id: Whose votes: the name of a voter or an agent.
        :param wait_ms: Wait so long for a question when none is open, 0 to 300000; 0 when left out.
        :param limit: How many at most, 1 to 1000; 100 when left out.
        """

class Journal:
    """The journal as it is stored: what a backup is made of."""

    def __init__(self, core: Core) -> None: ...

    def groups(
        self,
        *,
        after: int | None = None,
        max_bytes: int | None = None,
    ) -> replies.GroupPage:
        """Read commit groups as they are stored, for a backup: ``journal.groups``.

        :param after: The number of the last group that is known; from the first one on when left out.
        :param max_bytes: How many bytes of groups at most, 1 to 16777216; 4194304 when left out. One group is given whatever its size.
        """

class History:
    """What happened, and whether it was changed."""

    def __init__(self, core: Core) -> None: ...

    def query(
        self,
        *,
        kind: str | None = None,
        entity_id: str | None = None,
        party_id: str | None = None,
        cell_id: str | None = None,
        voter_id: str | None = None,
        agent_id: str | None = None,
        worker_id: str | None = None,
        node_id: str | None = None,
        datacenter: str | None = None,
        identity: str | None = None,
        data_subject: str | None = None,
        event: str | None = None,
        outcome: str | None = None,
        refused: bool | None = None,
        since: str | None = None,
        until: str | None = None,
        from_seq: int | None = None,
        upto_seq: int | None = None,
        from_position: int | None = None,
        upto_position: int | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        sealed: bool | None = None,
    ) -> replies.EventPage:
        """Ask what happened, over all entities: ``history.query``.

        :param kind: Only entities of this kind: ``quorum``, ``proposal``, ``session``, ``voter``, ``agent``, ``cell``, ``budget``, ``job``, ``gate``, ``worker``, ``durations``, ``flow``, ``load``, ``topology``, ``algorithms``, ``identity``, ``datacenter``, ``route`` or ``coordinate``.
        :param entity_id: Only this entity; needs a kind only when several kinds have this id.
        :param party_id: Only events that name this party, whatever its part in them: leader, worker, gate, agent, voter, cell; and its own.
        :param cell_id: Only what concerns this cell: its registration, its capacity and that of others as far as they deal with it, and quorums about it.
        :param voter_id: Only votes and attempts of this voter, and its own record.
        :param agent_id: Only the record of this agent, and its votes and attempts.
        :param worker_id: Only the record of this worker, and what jobs say of it.
        :param node_id: Only what concerns this node: where it stands, and what names it as leader, holder or peer.
        :param datacenter: Only what concerns this datacenter: its reports, its jobs and its workers, and what gates and routes say of it.
        :param identity: Only what was done under this identity.
        :param data_subject: Only records that hold data of this data subject, readable or shredded.
        :param event: Only events of this name, such as ``vote_cast`` or ``closed``.
        :param outcome: Only ends with this outcome: ``approved``, ``rejected``, ``timed_out`` and ``cancelled`` (quorums), ``timeout`` and ``aborted`` (proposals), ``decided``, ``no_quorum`` and ``fault_budget_exceeded`` (sessions), ``completed`` and ``failed`` (jobs and gates), ``granted`` and ``expired`` (needs of cells).
        :param refused: True: only attempts that were refused. False: only the others.
        :param since: Only what happened at or after this instant.
        :param until: Only what happened up to and with this instant.
        :param from_seq: Only events with this number in the log of their entity, or a later one; numbers begin at 1.
        :param upto_seq: Only events up to and with this number in the log of their entity.
        :param from_position: Only events at this place in the global order, or a later one; places begin at 1.
        :param upto_position: Only events up to and with this place in the global order.
        :param limit: How many at most, 1 to 1000; 100 when left out.
        :param cursor: Where an earlier page ended; the beginning when left out. Not affected by what is appended meanwhile. That of another journal is refused.
        :param sealed: Texts that are sealed for a data subject are told as they are stored, for proofs; false when left out.
        """

    def entity(
        self,
        entity_id: str,
        *,
        kind: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.EntityLog:
        """Show the log of one entity, with its votes: ``history.entity``.

        :param entity_id: Which entity.
        :param kind: Kind of the entity; needed only when several kinds have this id.
        :param limit: How many events at most, 1 to 1000; 100 when left out.
        :param cursor: The seq an earlier page ended at; the beginning when left out.
        """

    def count(
        self,
        *,
        kind: str | None = None,
        entity_id: str | None = None,
        party_id: str | None = None,
        cell_id: str | None = None,
        voter_id: str | None = None,
        agent_id: str | None = None,
        worker_id: str | None = None,
        node_id: str | None = None,
        datacenter: str | None = None,
        identity: str | None = None,
        data_subject: str | None = None,
        event: str | None = None,
        outcome: str | None = None,
        refused: bool | None = None,
        since: str | None = None,
        until: str | None = None,
        from_seq: int | None = None,
        upto_seq: int | None = None,
        from_position: int | None = None,
        upto_position: int | None = None,
        per: str | None = None,
        compare: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> replies.HistoryCounts:
        """Count events, outcomes, durations and votes: ``history.count``.

        :param kind: Only entities of this kind: ``quorum``, ``proposal``, ``session``, ``voter``, ``agent``, ``cell``, ``budget``, ``job``, ``gate``, ``worker``, ``durations``, ``flow``, ``load``, ``topology``, ``algorithms``, ``identity``, ``datacenter``, ``route`` or ``coordinate``.
        :param entity_id: Only this entity; needs a kind only when several kinds have this id.
        :param party_id: Only events that name this party, whatever its part in them: leader, worker, gate, agent, voter, cell; and its own.
        :param cell_id: Only what concerns this cell: its registration, its capacity and that of others as far as they deal with it, and quorums about it.
        :param voter_id: Only votes and attempts of this voter, and its own record.
        :param agent_id: Only the record of this agent, and its votes and attempts.
        :param worker_id: Only the record of this worker, and what jobs say of it.
        :param node_id: Only what concerns this node: where it stands, and what names it as leader, holder or peer.
        :param datacenter: Only what concerns this datacenter: its reports, its jobs and its workers, and what gates and routes say of it.
        :param identity: Only what was done under this identity.
        :param data_subject: Only records that hold data of this data subject, readable or shredded.
        :param event: Only events of this name, such as ``vote_cast`` or ``closed``.
        :param outcome: Only ends with this outcome: ``approved``, ``rejected``, ``timed_out`` and ``cancelled`` (quorums), ``timeout`` and ``aborted`` (proposals), ``decided``, ``no_quorum`` and ``fault_budget_exceeded`` (sessions), ``completed`` and ``failed`` (jobs and gates), ``granted`` and ``expired`` (needs of cells).
        :param refused: True: only attempts that were refused. False: only the others.
        :param since: Only what happened at or after this instant.
        :param until: Only what happened up to and with this instant.
        :param from_seq: Only events with this number in the log of their entity, or a later one; numbers begin at 1.
        :param upto_seq: Only events up to and with this number in the log of their entity.
        :param from_position: Only events at this place in the global order, or a later one; places begin at 1.
        :param upto_position: Only events up to and with this place in the global order.
        :param per: Counts outcomes for each ``hour`` or ``day`` by itself, in UTC; over all time when left out.
        :param compare: Two voters: how often they voted on the same question, and how often alike.
        :param limit: How many voters at most, those with the most votes first, 1 to 1000; 100 when left out.
        """

    def state_at(
        self,
        entity_id: str,
        *,
        kind: str | None = None,
        seq: int | None = None,
        position: int | None = None,
        at: str | None = None,
    ) -> replies.PastState:
        """Show how an entity stood earlier: ``history.state_at``.

        :param entity_id: Which one. A job in a datacenter is named ``job@datacenter``, a local one by its id alone.
        :param kind: Its kind; needed only when several kinds have this id.
        :param seq: After this many events of its log.
        :param position: After everything up to and with this place in the global order.
        :param at: After everything up to and with this instant.
        """

    def why(
        self,
        entity_id: str,
        *,
        kind: str | None = None,
        about: str | None = None,
    ) -> replies.EntityWhy:
        """Show what led to how an entity stands: ``history.why``.

        :param entity_id: Which one. A job in a datacenter is named ``job@datacenter``, a local one by its id alone.
        :param kind: Its kind; needed only when several kinds have this id.
        :param about: Only what names this: a token or a need of a cell, a voter of a session, a workflow or a worker of a job.
        """

    def verify(
        self,
        *,
        checkpoint: str | None = None,
        public_key: str | None = None,
        from_: int | None = None,
        upto: int | None = None,
        since: str | None = None,
    ) -> replies.Verified:
        """Check every hash, link and sequence of the journal: ``history.verify``.

        :param checkpoint: The text of a signed checkpoint, as ``history.checkpoint`` gave it.
        :param public_key: The public key of the log, as ``history.checkpoint`` gave it then; that of the folder when left out. Whoever can rewrite the folder can replace its key, so keep this one elsewhere too.
        :param from_: Checks only the records from this position on; 1 is the first. The reply says what a part cannot show.
        :param upto: Checks only the records up to and with this position.
        :param since: The text of a signed checkpoint up to which everything was checked before: checks the records after it, and that the log goes on from it.
        """

    def checkpoint(
        self,
    ) -> replies.LogCheckpoint:
        """Sign a checkpoint over everything recorded so far: ``history.checkpoint``."""

    def prove(
        self,
        *,
        position: int | None = None,
        entity_id: str | None = None,
        kind: str | None = None,
        seq: int | None = None,
        show: bool | None = None,
    ) -> replies.RecordProof:
        """Prove that a record is in the log: ``history.prove``.

        :param position: Its place in the global order, from 1.
        :param entity_id: Whose record, with ``seq``, instead of its position.
        :param kind: Kind of the entity; needed only when several kinds have this id.
        :param seq: Its place in the log of the entity, from 1.
        :param show: Show the record itself? True when left out; with false the proof holds, and what happened is kept back.
        """

    def prove_records(
        self,
        *,
        positions: Sequence[int],
        log_size: int | None = None,
        paths: bool | None = None,
    ) -> replies.ProvenRecords:
        """Give records with what proves them, by position: ``history.prove_records``.

        :param positions: Their positions, each higher than the one before; at most 1000.
        :param log_size: The size of the log at which they are proven; that of the newest checkpoint when left out.
        :param paths: Give the path of each to the root of the log? True when left out. Whoever has every record needs none.
        """

    def consistency(
        self,
        *,
        old_checkpoint: str,
    ) -> replies.ConsistencyProof:
        """Prove that the log goes on from an older checkpoint: ``history.consistency``.

        :param old_checkpoint: The text of the older checkpoint.
        """

class Nouns:
    """One attribute for each noun."""

    cell: Cell
    """The mesh registry: cells, rings, arms."""
    cmp: Cmp
    """The authorities at the hub."""
    quorum: Quorum
    """Quorums: start, vote, look, wait."""
    capacity: Capacity
    """Capacity of cells: ask, offer, hold, give back."""
    budget: Budget
    """Limits on what many cells are granted together."""
    agent: Agent
    """Agents: register, beat, look."""
    consensus: Consensus
    """Proposals: ask the agents, vote, look, wait, use what was decided."""
    algorithm: Algorithm
    """Named rules that decide proposals."""
    session: Session
    """Questions that hold against voters that lie: open, vote, look, certify, use what was decided."""
    emergence: Emergence
    """What a crowd does beyond its votes: look for patterns."""
    candidate: Candidate
    """Candidates: declare what there is to choose by, choose such that not all are alike."""
    voter: Voter
    """Voters of sessions: register, look, quarantine, release, tell what was right, change keys."""
    job: Job
    """Jobs: submit, lead, report, end, look."""
    lease: Lease
    """Leases of jobs: who holds which, and how long still."""
    gate: Gate
    """Where a job came in: how it stands over all datacenters."""
    worker: Worker
    """Who runs the workflows of jobs: register, report, look."""
    member: Member
    """The nodes of the cluster, as this one sees them: list, measure, check."""
    coordinate: Coordinate
    """Where nodes stand in the space of round trips: measure, estimate."""
    datacenter: Datacenter
    """Datacenters: how they are, and how far away."""
    route: Route
    """Which datacenter a job goes to: decide, report a failure, look."""
    flow: Flow
    """Streams of messages with flow control: offer, drain, look."""
    shed: Shed
    """Overload: what is let in, what the load is, and why."""
    pressure: Pressure
    """Who asks whom to slow down."""
    stats: Stats
    """Statistics of running work, and what their fill asks of senders."""
    stop: Stop
    """What may not be done until those who were named let it go on: engage, release, look."""
    retention: Retention
    """What must not be pruned of the journal, and what was: hold, release, look."""
    subject: Subject
    """Whose personal data is sealed: look, and destroy its key."""
    hook: Hook
    """What is recorded, posted to a URL: register, look, resume, remove."""
    identity: Identity
    """Who may do what, and in whose name: create, rotate, grant, revoke."""
    overview: Overview
    """What is open, what waits for whom, what is overdue, what is wrong."""
    journal: Journal
    """The journal as it is stored: what a backup is made of."""
    history: History
    """What happened, and whether it was changed."""

    def __init__(self, core: Core) -> None: ...

class AsyncCell:
    """The mesh registry: cells, rings, arms."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def register(
        self,
        *,
        cell_id: str,
        neighbors: Sequence[str] | None = None,
        ring: int | None = None,
        arm: str | None = None,
        department: str | None = None,
    ) -> replies.CellRegistered:
        """Set a cell's entry in the mesh registry: ``cell.register``.

        :param cell_id: Which cell.
        :param neighbors: Up to six other cells; duplicates and the cell itself drop out.
        :param ring: The ring it lies on.
        :param arm: The arm it lies on, an opaque label of 1 to 256 bytes.
        :param department: The department it works for, 1 to 256 bytes.
        """

    async def mesh(
        self,
        *,
        rings: int,
    ) -> replies.MeshRegistered:
        """Register a whole hexagonal mesh around a hub: ``cell.mesh``.

        :param rings: Rings around the hub, 0 to 50.
        """

    async def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.CellPage:
        """List the mesh registry: ``cell.list``.

        :param limit: How many cells at most, 1 to 1000; 100 when left out.
        :param cursor: The last cell of the page before.
        """

class AsyncCmp:
    """The authorities at the hub."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def register(
        self,
        *,
        authority_id: str,
    ) -> replies.AuthorityRegistered:
        """Add an authority at the hub: ``cmp.register``.

        :param authority_id: Who.
        """

class AsyncQuorum:
    """Quorums: start, vote, look, wait."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def start(
        self,
        *,
        quorum_type: Literal["local", "global", "ring", "radial"],
        quorum_id: str | None = None,
        required_votes: int | None = None,
        rule: Any = None,
        timeout_seconds: float | None = None,
        cell_id: str | None = None,
        ring: int | None = None,
        arm: str | None = None,
        voters: Sequence[str] | None = None,
        subject: Any = None,
        vote_change: Literal["replace", "reject"] | None = None,
        outsiders: Literal["record", "refuse"] | None = None,
        min_confidence: float | None = None,
        strict_membership: bool | None = None,
        cmp_fallback: bool | None = None,
        fallback_timeout_seconds: float | None = None,
        idempotency_key: str | None = None,
        data_subject: str | None = None,
    ) -> replies.Started:
        """Open a quorum: ``quorum.start``.

        :param quorum_type: Whose question it is: ``local`` (neighbours of a cell), ``ring``, ``radial`` (an arm) or ``global`` (the hub).
        :param quorum_id: Id of the quorum; a random one when left out. An id is never used twice.
        :param required_votes: Approvals needed, 1 to the number of voters. When left out: for voters named one by one a majority of them (of a local quorum two thirds, rounded up); for the mesh two thirds of a cell's neighbours (local), a majority of the ring or arm, and one authority of the hub (global).
        :param rule: A rule that decides instead of a number of approvals: a text such as ``at_least:2/3``, or ``{"rule": …, "params": {…}}``.
        :param timeout_seconds: How long votes are taken, above 0 up to the configured maximum (366 days); 30 when left out.
        :param cell_id: The cell the question is about.
        :param ring: The ring, for a ring quorum; the cell's own when left out.
        :param arm: The arm, for a radial quorum; the cell's own when left out.
        :param voters: Exactly these voters, each once, instead of the mesh membership. Without ``required_votes`` a majority of them approves, also of a global quorum.
        :param subject: What is asked: any JSON value, kept with its blake3 digest.
        :param vote_change: May votes change while the quorum is open? ``replace`` (default) or ``reject``.
        :param outsiders: What becomes of votes from outside the electorate? ``record`` (default) or ``refuse``.
        :param min_confidence: Votes less sure than this, 0 to 1, stand but do not count; 0 when left out.
        :param strict_membership: Refuse to start on unknown membership; the configured setting when left out.
        :param cmp_fallback: Open a global quorum if this one times out, of the hub's authorities or, where none is registered, of the same voters by majority; false when left out.
        :param fallback_timeout_seconds: Timeout of that global quorum; this quorum's own when left out.
        :param idempotency_key: The caller's own name for this request: the same request again is answered with the quorum it opened first; another request under the same key is refused.
        :param data_subject: Whose personal data ``subject`` holds: it is sealed with the key of this data subject, and readable until that is shredded. A name that stays on record, so a pseudonym.
        """

    async def vote(
        self,
        quorum_id: str,
        *,
        voter_id: str,
        vote: bool,
        confidence: float | None = None,
        reason: str | None = None,
        data_subject: str | None = None,
    ) -> replies.Voted:
        """Cast or change a vote: ``quorum.vote``.

        :param quorum_id: Which quorum.
        :param voter_id: Who votes.
        :param vote: True approves, false rejects.
        :param confidence: How sure the voter is, 0 to 1; 1 when left out. Never decides.
        :param reason: Why the voter votes so, up to 1024 bytes; kept with the vote, also with one that is refused.
        :param data_subject: Whose personal data ``reason`` holds: it is sealed with the key of this data subject, and readable until that is shredded. A name that stays on record, so a pseudonym.
        """

    async def status(
        self,
        quorum_id: str,
    ) -> replies.QuorumStatus:
        """Show a quorum, also after it closed: ``quorum.status``.

        :param quorum_id: Which quorum.
        """

    async def wait(
        self,
        quorum_id: str,
        *,
        timeout_ms: int | None = None,
    ) -> replies.QuorumStatus:
        """Wait until a quorum closes: ``quorum.wait``.

        :param quorum_id: Which quorum.
        :param timeout_ms: How long to wait, 0 to 300000; 30000 when left out. The quorum's status then, whatever it is. In virtual time nothing moves while one waits, so the answer comes at once.
        """

    async def list(
        self,
        *,
        state: Mapping[str, Any] | None = None,
        cell_id: str | None = None,
        voter_id: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.QuorumPage:
        """List quorums, newest first: open ones, then closed ones: ``quorum.list``.

        :param state: Only those that stand so: ``open``, ``closed``, or one of the ways to close. When left out: open ones, then closed ones.
        :param cell_id: Only those about this cell.
        :param voter_id: Only open ones that await the vote of this voter.
        :param limit: How many are looked at, 1 to 1000; 100 when left out.
        :param cursor: The ``next_cursor`` of the page before.
        """

    async def extend(
        self,
        quorum_id: str,
        *,
        timeout_seconds: float | None = None,
        deadline: str | None = None,
        by: str | None = None,
        reason: str | None = None,
    ) -> replies.QuorumStatus:
        """Take votes of a quorum longer: ``quorum.extend``.

        :param quorum_id: Which quorum.
        :param timeout_seconds: How long from now on, in seconds, above 0.
        :param deadline: The last instant at which a vote is on time, later than so far.
        :param by: Who asks for it, up to 256 bytes; on record.
        :param reason: Why, up to 1024 bytes; on record.
        """

    async def cancel(
        self,
        quorum_id: str,
        *,
        by: str | None = None,
        reason: str | None = None,
    ) -> replies.Cancelled:
        """End a quorum without a decision: ``quorum.cancel``.

        :param quorum_id: Which quorum.
        :param by: Who cancels, up to 256 bytes.
        :param reason: Why, up to 1024 bytes.
        """

    async def history(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.QuorumHistoryPage:
        """List the latest closed quorums, oldest first: ``quorum.history``.

        :param limit: How many at most, 1 to 1000; 100 when left out.
        :param cursor: Where an earlier page ended; the latest when left out.
        """

    async def stats(
        self,
    ) -> replies.QuorumStatsReply:
        """Count quorums and votes over all time: ``quorum.stats``."""

class AsyncCapacity(AsyncCapacityHolds):
    """Capacity of cells: ask, offer, hold, give back."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def request(
        self,
        cell_id: str,
        *,
        requested_capacity: float | None = None,
        timeout_seconds: float | None = None,
        need_id: str | None = None,
        resource: str | None = None,
        lease_seconds: float | None = None,
        renewable: bool | None = None,
        budgets: Sequence[str] | None = None,
        wait: bool | None = None,
        strict_cells: bool | None = None,
    ) -> replies.CapacityRequested:
        """Ask for capacity: ``capacity.request``.

        :param cell_id: Who needs it.
        :param requested_capacity: How much, above 0 and at most what the cell has in total; 0.1 when left out.
        :param timeout_seconds: Seconds the need may wait in the queue, above 0 and up to 86400; 5 when left out. Has nothing to do with how long the token may be kept.
        :param need_id: A name for the need, so that a repeat is answered instead of queued again: as long as it waits or a token of it lives, and then until 128 later needs of the cell have ended. Made when left out.
        :param resource: Of what; ``capacity`` when left out.
        :param lease_seconds: Seconds the token may be kept without another word, above 0 and up to a year; the configured 60 when left out, 0 for no limit.
        :param renewable: May the holder renew the lease? False when left out.
        :param budgets: Budgets it is charged to besides those of the cell.
        :param wait: Answer when the need has ended instead of when it is queued, after 300 seconds at the latest? False when left out, and always in virtual time.
        :param strict_cells: Refuse a cell that nobody has set up or registered, and a budget without limits, as ``not_found``, instead of making the cell? The configured false when left out.
        """

    async def need(
        self,
        cell_id: str,
        *,
        need_id: str,
    ) -> replies.CapacityRequested:
        """What became of a request for capacity: ``capacity.need``.

        :param cell_id: Whose need.
        :param need_id: Which.
        """

    async def cancel(
        self,
        cell_id: str,
        *,
        need_id: str,
    ) -> replies.CapacityRequested:
        """Give up the place of a need that waits: ``capacity.cancel``.

        :param cell_id: Whose need.
        :param need_id: Which.
        """

    async def offer(
        self,
        *,
        source_cell_id: str,
        destination_cell_id: str,
        capacity: float | None = None,
        resource: str | None = None,
        offer_id: str | None = None,
        ttl_seconds: float | None = None,
    ) -> replies.CapacityOffered:
        """Offer capacity to a cell that needs it: ``capacity.offer``.

        :param source_cell_id: Who offers.
        :param destination_cell_id: To whom.
        :param capacity: How much, above 0 and at most what the source has in total; 0.1 when left out.
        :param resource: Of what; ``capacity`` when left out.
        :param offer_id: A name for the offer, so that a repeat is recognised. Made when left out.
        :param ttl_seconds: Seconds it stays open, above 0 and up to 86400; the configured 5 when left out.
        """

    async def ack(
        self,
        token_id: str,
        *,
        cell_id: str,
    ) -> replies.CapacityToken:
        """Say that a token arrived: ``capacity.ack``.

        :param token_id: Which token.
        :param cell_id: Who holds it.
        """

    async def release(
        self,
        cell_id: str,
        *,
        capacity: float | None = None,
        token_id: str | None = None,
        resource: str | None = None,
        idempotency_key: str | None = None,
    ) -> replies.CapacityReleased:
        """Give capacity back: ``capacity.release``.

        :param cell_id: Who.
        :param capacity: How much, above 0 and up to 10^9, with at most six places; 0.1 when left out. More than is outstanding gives back what is.
        :param token_id: One whole token instead of an amount.
        :param resource: Of what; ``capacity`` when left out.
        :param idempotency_key: A name for the request: the same request again is answered as before, another one under the same name is refused. Without one a repeat releases again. A cell remembers its newest 128 names.
        """

    async def renew(
        self,
        token_id: str,
        *,
        cell_id: str,
    ) -> replies.CapacityToken:
        """Start the lease of a token again: ``capacity.renew``.

        :param token_id: Which token.
        :param cell_id: Who holds it.
        """

    async def transfer(
        self,
        token_id: str,
        *,
        cell_id: str,
        destination_cell_id: str,
    ) -> replies.CapacityToken:
        """Hand a token to another cell: ``capacity.transfer``.

        :param token_id: Which token.
        :param cell_id: Who holds it.
        :param destination_cell_id: Who is to hold it.
        """

    async def revoke(
        self,
        token_id: str,
    ) -> replies.CapacityToken:
        """Take a token away from its holder: ``capacity.revoke``.

        :param token_id: Which token.
        """

    async def configure(
        self,
        cell_id: str,
        *,
        totals: Mapping[str, float] | None = None,
        budgets: Sequence[str] | None = None,
        max_pending: int | None = None,
        low_water: int | None = None,
    ) -> replies.CapacityConfigured:
        """Set up what a cell has to lend: ``capacity.configure``.

        :param cell_id: Which cell.
        :param totals: What it has of each resource; a whole of ``capacity`` when left out.
        :param budgets: The budgets every grant to this cell is charged to.
        :param max_pending: Most needs that wait at once, 1 to 100000; the configured 100 when left out.
        :param low_water: An overloaded cell takes requests again once no more than this many wait; half of ``max_pending`` when left out.
        """

    async def reserve(
        self,
        cell_id: str,
        *,
        amounts: Mapping[str, int],
        budgets: Sequence[str] | None = None,
        token_id: str | None = None,
        lease_seconds: float | None = None,
        wait: bool | None = None,
        timeout_seconds: float | None = None,
    ) -> replies.CapacityReserved:
        """Reserve an estimate of what will be used, of all budgets or of none: ``capacity.reserve``.

        :param cell_id: Who needs it.
        :param amounts: How much of each unit is expected to be used, 0 to 10^12 each.
        :param budgets: The budgets it is taken from besides those of the cell, such as organisation, team and user.
        :param token_id: A name for the reservation, so that a repeat is answered instead of reserved again: as long as it is open, and then among the 8,192 that ended last of a budget. Made when left out.
        :param lease_seconds: Seconds within which it has to be settled, above 0 and up to a year; 300 when left out. After that the estimate counts as what was used.
        :param wait: Wait for the refill instead of saying when it suffices? False when left out, and always in virtual time. Those who wait for a budget are served in turn; whoever does not wait may get between.
        :param timeout_seconds: Seconds it may wait, above 0 and up to 300; 30 when left out.
        """

    async def settle(
        self,
        token_id: str,
        *,
        cell_id: str,
        actual: Mapping[str, int] | None = None,
    ) -> replies.CapacitySettled:
        """Say what was used of a reservation; the difference goes back or is taken: ``capacity.settle``.

        :param token_id: Which reservation.
        :param cell_id: Who holds it.
        :param actual: How much of each unit was used, 0 to 10^12 each; of a unit that is left out, what was estimated.
        """

    async def status(
        self,
        cell_id: str,
        *,
        resource: str | None = None,
    ) -> replies.CapacityStatus:
        """Show how a cell stands: ``capacity.status``.

        :param cell_id: Which cell.
        :param resource: Which resource; ``capacity`` when left out.
        """

    async def holders(
        self,
        cell_id: str,
        *,
        resource: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.HolderPage:
        """List who holds the capacity of a cell, and how long still: ``capacity.holders``.

        :param cell_id: Whose capacity.
        :param resource: Only of this resource.
        :param limit: How many at most, 1 to 1000; 100 when left out.
        :param cursor: The ``next_cursor`` of the page before.
        """

    async def stats(
        self,
    ) -> replies.CapacityStats:
        """Count needs, offers and tokens over all time: ``capacity.stats``."""

class AsyncBudget:
    """Limits on what many cells are granted together."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def set(
        self,
        budget_id: str,
        *,
        limits: Mapping[str, float] | None = None,
        rates: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> replies.CapacityConfigured:
        """Limit what many cells are granted at once, or use per period: ``budget.set``.

        :param budget_id: Which budget.
        :param limits: How much cells may be granted at once; a resource that is left out has no limit. As before when all of it is left out.
        :param rates: How much may be used per period, by unit; a unit that is left out has no rate. As before when all of it is left out.
        """

    async def status(
        self,
        budget_id: str,
    ) -> replies.BudgetStatus:
        """Show how a budget stands: ``budget.status``.

        :param budget_id: Which budget.
        """

class AsyncAgent:
    """Agents: register, beat, look."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def register(
        self,
        *,
        agent_id: str,
        interval_ms: int | None = None,
        failure_threshold: int | None = None,
        check_period_ms: int | None = None,
        history_size: int | None = None,
        monitor: bool | None = None,
        replace: bool | None = None,
    ) -> replies.AgentRegistered:
        """Register an agent and watch its heartbeats: ``agent.register``.

        :param agent_id: Who it is; it votes under this id. Not ``register``, ``stats``, ``history`` or ``list``.
        :param interval_ms: Milliseconds within which it is to be heard of, 100 to 86400000; the configured 5000 when left out.
        :param failure_threshold: Intervals of silence after which it has failed, 1 to 1000; the configured 3 when left out.
        :param check_period_ms: Milliseconds between two checks, 100 to 86400000; the configured 1000 when left out.
        :param history_size: Newest beats kept, 1 to 10000; the configured 100 when left out.
        :param monitor: Judge its silence from now on (``true``), or only from its first beat on (``false``). When left out: from now on if one of the numbers above is given, else from its first beat on. Until then it counts as healthy.
        :param replace: If it is registered already: what is given here takes the place of what is so now, and its silence counts from now on. Otherwise settings that differ are refused.
        """

    async def leave(
        self,
        agent_id: str,
    ) -> replies.AgentLeft:
        """Strike an agent off: ``agent.leave``.

        :param agent_id: Which agent.
        """

    async def beat(
        self,
        agent_id: str,
        *,
        metadata: Mapping[str, Any] | None = None,
    ) -> replies.Beaten:
        """Say that an agent is alive: ``agent.beat``.

        :param agent_id: Which agent.
        :param metadata: What it says about itself: a JSON object of up to 16 KiB, kept with the beat.
        """

    async def health(
        self,
        agent_id: str,
    ) -> replies.AgentHealth:
        """Show how an agent is doing: ``agent.health``.

        :param agent_id: Which agent.
        """

    async def monitor(
        self,
        agent_id: str,
        *,
        interval_ms: int | None = None,
        failure_threshold: int | None = None,
        check_period_ms: int | None = None,
        history_size: int | None = None,
        replace: bool | None = None,
    ) -> replies.AgentMonitored:
        """Watch a registered agent again: ``agent.monitor``.

        :param agent_id: Which agent.
        :param interval_ms: Milliseconds within which it is to be heard of, 100 to 86400000; the configured 5000 when left out.
        :param failure_threshold: Intervals of silence after which it has failed, 1 to 1000; the configured 3 when left out.
        :param check_period_ms: Milliseconds between two checks, 100 to 86400000; the configured 1000 when left out.
        :param history_size: Newest beats kept, 1 to 10000; the configured 100 when left out.
        :param replace: If its silence is judged already: what is given here takes the place of what is so now, and its silence counts from now on. Otherwise settings that differ are refused.
        """

    async def unmonitor(
        self,
        agent_id: str,
    ) -> replies.AgentUnmonitored:
        """Watch an agent no longer; it stays registered: ``agent.unmonitor``.

        :param agent_id: Which agent.
        """

    async def history(
        self,
        agent_id: str,
        *,
        since: str | None = None,
        until: str | None = None,
        limit: int | None = None,
    ) -> replies.AgentHistoryPage:
        """List the newest beats of an agent, oldest first: ``agent.history``.

        :param agent_id: Which agent.
        :param since: Only beats at or after this instant.
        :param until: Only beats up to and with this instant.
        :param limit: How many at most, 1 to 1000; 100 when left out. The newest are taken.
        """

    async def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.AgentPage:
        """List the registered agents: ``agent.list``.

        :param limit: How many at most, 1 to 1000; 100 when left out.
        :param cursor: The last agent of the page before.
        """

    async def stats(
        self,
    ) -> replies.AgentStats:
        """Count agents by health, and heartbeats over all time: ``agent.stats``."""

class AsyncConsensus:
    """Proposals: ask the agents, vote, look, wait, use what was decided."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def request(
        self,
        *,
        proposal: Any,
        algorithm: str | None = None,
        timeout_ms: int | None = None,
        wait: bool | None = None,
        proposal_id: str | None = None,
        participants: Sequence[str] | None = None,
        vote_change: Literal["replace", "reject"] | None = None,
        health_policy: Literal["ignore", "exclude_failed"] | None = None,
        exclude_grade: Literal["healthy", "degraded", "critical", "failed"] | None = None,
        fail_fast: bool | None = None,
        operation: Mapping[str, Any] | None = None,
        answer_schema: Any = None,
        remind_every_ms: int | None = None,
        idempotency_key: str | None = None,
        data_subject: str | None = None,
    ) -> replies.ConsensusResult:
        """Put a question to the agents and wait for the decision: ``consensus.request``.

        :param proposal: What is asked: any JSON value but null.
        :param algorithm: Registered name of the algorithm that decides; the default one when left out.
        :param timeout_ms: How long votes are taken, from 100 up to the configured ``consensus.max_timeout`` (366 days); 30000 when left out.
        :param wait: Wait for the decision (default), or answer as soon as the question is put.
        :param proposal_id: Id of the proposal; a random one when left out. An id is never used twice.
        :param participants: Ask only these registered agents.
        :param vote_change: May votes change while the question is open? ``reject`` (default) or ``replace``.
        :param health_policy: Are agents in bad health asked? ``ignore`` or ``exclude_failed``; when left out, failed agents are not asked as soon as heartbeats are used at all.
        :param exclude_grade: With ``exclude_failed``: the best grade that is left out, ``degraded``, ``critical`` or ``failed`` (default).
        :param fail_fast: End before the deadline, as aborted, when approval needs the vote of an agent that failed; false when left out.
        :param operation: The operation that the decision allows; a decision for is used with ``consensus.spend``.
        :param answer_schema: Ask for an answer beside the choice: a vote for must bring a ``value`` that fits this part of JSON Schema, up to 8 KiB. ``type`` is ``boolean``, ``integer``, ``string`` or ``object``; beside it ``enum``, ``minimum``, ``maximum``, ``minLength``, ``maxLength``, ``properties``, ``required``, ``additionalProperties: false``, ``title`` and ``description``. Anything else is refused.
        :param remind_every_ms: Tell those whose votes are outstanding again this often, from 60000 on; never when left out. For up to 1000 participants.
        :param idempotency_key: The caller's own name for this request: the same request again is answered with the proposal it opened first; another request under the same key is refused.
        :param data_subject: Whose personal data ``proposal`` holds: it is sealed with the key of this data subject, and readable until that is shredded. A name that stays on record, so a pseudonym.
        """

    async def vote(
        self,
        proposal_id: str,
        *,
        agent_id: str,
        vote: Literal["for", "against", "abstain"],
        weight: float | None = None,
        metadata: Mapping[str, Any] | None = None,
        reason: str | None = None,
        value: Any = None,
        data_subject: str | None = None,
    ) -> replies.ConsensusVoted:
        """Vote on a proposal: ``consensus.vote``.

        :param proposal_id: Which proposal.
        :param agent_id: Who votes.
        :param vote: ``for``, ``against`` or ``abstain``.
        :param weight: The weight the agent claims, 0 to 10^9. Kept; what counts is the weight the algorithm gives.
        :param metadata: What the agent adds, up to 16 KiB; kept with the vote, also with one that is refused.
        :param reason: Why the agent votes so, up to 1024 bytes; kept likewise.
        :param value: The answer, up to 16 KiB, where the question has an ``answer_schema``: a vote for must bring one that fits, another vote may.
        :param data_subject: Whose personal data ``reason``, ``metadata`` and ``value`` hold: it is sealed with the key of this data subject, and readable until that is shredded. A name that stays on record, so a pseudonym.
        """

    async def result(
        self,
        proposal_id: str,
        *,
        wait_ms: int | None = None,
    ) -> replies.ConsensusResult:
        """Show how a proposal stands or ended, or wait for it: ``consensus.result``.

        :param proposal_id: Which proposal.
        :param wait_ms: Wait so long for the decision, 0 to 300000; 0 when left out.
        """

    async def spend(
        self,
        proposal_id: str,
        *,
        key: str,
        operation_hash: str | None = None,
        tool: str | None = None,
        arguments: Any = None,
        fence: int | None = None,
        by: str | None = None,
    ) -> replies.DecisionSpent:
        """Use the decision of a proposal for the one operation it allows: ``consensus.spend``.

        :param proposal_id: Which proposal.
        :param key: The caller's own name for this use: the same again is answered as the first time.
        :param operation_hash: The hash of what is to be done; or ``tool`` and ``arguments``.
        :param tool: The name of what is to be done.
        :param arguments: Its arguments.
        :param fence: The fencing token under which it is done.
        :param by: Who does it, up to 256 bytes; on record.
        """

    async def open(
        self,
        *,
        agent_id: str | None = None,
        newest_first: bool | None = None,
        wait_ms: int | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.OpenProposalsPage:
        """List open proposals, or those that await an agent's vote: ``consensus.open``.

        :param agent_id: Only those that await the vote of this agent.
        :param newest_first: Newest first; false when left out.
        :param wait_ms: Wait so long for one when there is none, 0 to 300000; 0 when left out.
        :param limit: How many are looked at, 1 to 1000; 100 when left out.
        :param cursor: The ``next_cursor`` of the page before.
        """

    async def extend(
        self,
        proposal_id: str,
        *,
        timeout_ms: int | None = None,
        deadline: str | None = None,
        by: str | None = None,
        reason: str | None = None,
    ) -> replies.ConsensusResult:
        """Take votes on a proposal longer: ``consensus.extend``.

        :param proposal_id: Which proposal.
        :param timeout_ms: How long from now on, in milliseconds.
        :param deadline: The last instant at which a vote is on time, later than so far.
        :param by: Who asks for it, up to 256 bytes; on record.
        :param reason: Why, up to 1024 bytes; on record.
        """

    async def delegate(
        self,
        proposal_id: str,
        *,
        from_: str,
        to: str,
        reason: str | None = None,
    ) -> replies.ConsensusResult:
        """Hand a place to somebody else, who votes in it: ``consensus.delegate``.

        :param proposal_id: Which proposal.
        :param from_: Who is asked and has not voted.
        :param to: Who votes in its place: a registered agent that is not asked.
        :param reason: Why, up to 1024 bytes; on record.
        """

    async def remind(
        self,
        proposal_id: str,
        *,
        voter: str | None = None,
        by: str | None = None,
    ) -> replies.ConsensusReminded:
        """Tell those whose votes are outstanding again: ``consensus.remind``.

        :param proposal_id: Which proposal.
        :param voter: Only this voter; all of them when left out.
        :param by: Who asks for it, up to 256 bytes; on record.
        """

    async def cancel(
        self,
        proposal_id: str,
        *,
        by: str | None = None,
        reason: str | None = None,
    ) -> replies.ConsensusResult:
        """Withdraw a proposal: ``consensus.cancel``.

        :param proposal_id: Which proposal.
        :param by: Who cancels, up to 256 bytes; on record.
        :param reason: Why, up to 1024 bytes; on record.
        """

    async def history(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.ConsensusHistoryPage:
        """List the latest ended proposals, oldest first: ``consensus.history``.

        :param limit: How many at most, 1 to 1000; 100 when left out.
        :param cursor: Where the page before starts: a ``next_cursor``.
        """

    async def stats(
        self,
    ) -> replies.ConsensusStats:
        """Count proposals and votes over all time: ``consensus.stats``."""

class AsyncAlgorithm:
    """Named rules that decide proposals."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def register(
        self,
        *,
        name: str,
        rule: Any,
        params: Mapping[str, Any] | None = None,
        replace: bool | None = None,
        by: str | None = None,
    ) -> replies.AlgorithmRegistered:
        """Give a rule a name: ``algorithm.register``.

        :param name: The name, 1 to 256 bytes.
        :param rule: The rule: a name of the table, a text such as ``at_least:2/3``, or ``{"rule": …, "params": {…}}``.
        :param params: Parameters of the rule.
        :param replace: Let the rule take the place of another one of this name; false when left out. Open proposals keep the rule they were opened with.
        :param by: Who registers it, up to 256 bytes; kept on record when it replaces another.
        """

    async def unregister(
        self,
        name: str,
    ) -> replies.AlgorithmUnregistered:
        """Take a name away: ``algorithm.unregister``.

        :param name: Its registered name.
        """

    async def set_default(
        self,
        name: str,
    ) -> replies.AlgorithmDefault:
        """Choose the algorithm that decides when none is named: ``algorithm.set_default``.

        :param name: Its registered name.
        """

    async def list(
        self,
    ) -> replies.AlgorithmList:
        """List registered algorithms, and the rules there are: ``algorithm.list``."""

class AsyncSession:
    """Questions that hold against voters that lie: open, vote, look, certify, use what was decided."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def open(
        self,
        *,
        proposal: Any = None,
        candidates: Sequence[str] | None = None,
        kinds: Mapping[str, str] | None = None,
        voters: Sequence[str] | None = None,
        powers: Mapping[str, int] | None = None,
        ballot_type: Mapping[str, Any] | None = None,
        max_approvals: int | None = None,
        algorithm: Mapping[str, Any] | None = None,
        basis: Literal["heads", "power", "both"] | None = None,
        threshold: Literal["strict", "at_least"] | None = None,
        fault_tolerance: int | None = None,
        rounds: int | None = None,
        switch_policy: Literal["exclude", "flag", "allow"] | None = None,
        close_policy: Literal["on_quorum", "all_or_deadline"] | None = None,
        revision_policy: Literal["final", "revisable"] | None = None,
        authentication: Literal["required", "optional"] | None = None,
        commit_reveal: bool | None = None,
        weights: str | None = None,
        gates: Sequence[Mapping[str, Any]] | None = None,
        power_cap: bool | None = None,
        operation: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        timeout_ms: int | None = None,
        round_timeout_ms: int | None = None,
        commit_timeout_ms: int | None = None,
        remind_every_ms: int | None = None,
        session_id: str | None = None,
        idempotency_key: str | None = None,
        data_subject: str | None = None,
    ) -> replies.SessionResult:
        """Open a session: a question that holds against voters that lie: ``session.open``.

        :param proposal: What is asked: any JSON value.
        :param candidates: What may be chosen; for and against the proposal are voted when left out.
        :param kinds: What sort of thing each candidate is, in your words.
        :param voters: Who may vote; every registered voter that is neither quarantined nor proven to lie when left out.
        :param powers: How much some of them count, in millionths; the registered weight where left out.
        :param ballot_type: How is voted: ``approve`` without candidates, else ``choice``, when left out.
        :param max_approvals: With ``approval``: how many candidates one voter may approve; all of them when left out.
        :param algorithm: Defaults to take: ``weighted`` (default) or ``byzantine``.
        :param basis: What must reach the quorum: ``heads``, ``power`` or ``both`` (default).
        :param threshold: More than two thirds (``strict``, default) or two thirds (``at_least``).
        :param fault_tolerance: How many voters may lie; then at least three times as many and one more must vote.
        :param rounds: How many rounds, 1 to 100; the last one counts. 1 when left out.
        :param switch_policy: What becomes of who votes differently from round to round: ``exclude``, ``flag`` or ``allow`` (default).
        :param close_policy: End at the quorum (``on_quorum``, default), or when all have voted (``all_or_deadline``).
        :param revision_policy: May votes change within a round? ``final`` (default) or ``revisable``.
        :param authentication: Must a vote show whose it is, by handle or signature? ``required`` (default), or ``optional`` for voters without a key.
        :param commit_reveal: Promise votes first and tell them when all have promised; false when left out.
        :param weights: Learn the powers from what is on record of the voters: a source of weights, as ``factors`` or ``dawid_skene_online:revisits=2``. What it gives at the opening is frozen.
        :param gates: Gates that look at the decision when the session ends; none when left out.
        :param power_cap: Cut powers so that nobody holds a third; false when left out.
        :param operation: The operation that the decision allows; a decision for is used with ``session.spend``.
        :param context: What the context of the decision is; kept with it.
        :param timeout_ms: How long votes are taken, from 100 up to the configured ``session.max_timeout`` (366 days); 30000 when left out.
        :param round_timeout_ms: How long a round but the last one lasts at most; until all have voted or it is ended when left out.
        :param commit_timeout_ms: How long promises are taken at most; half the time for votes when left out.
        :param remind_every_ms: How often those whose votes are outstanding are reminded, 60000 or more, of up to 1000 voters; never when left out.
        :param session_id: Id of the session; a random one when left out. An id is never used twice.
        :param idempotency_key: The caller's own name for this request: the same request again is answered with the session it opened first.
        :param data_subject: Whose personal data ``proposal`` holds: it is sealed with the key of this data subject, and readable until that is shredded. A name that stays on record, so a pseudonym.
        """

    async def vote(
        self,
        session_id: str,
        *,
        voter_id: str,
        vote: Literal["for", "against", "abstain"] | None = None,
        candidate_id: str | None = None,
        approvals: Sequence[str] | None = None,
        scores: Mapping[str, float] | None = None,
        score: float | None = None,
        confidence: float | None = None,
        weight: float | None = None,
        round: int | None = None,
        seq: int | None = None,
        issued_at: str | None = None,
        reasoning: str | None = None,
        handle: str | None = None,
        signature: str | None = None,
        hash: str | None = None,
        version: int | None = None,
        commit: str | None = None,
        salt: str | None = None,
    ) -> replies.SessionVoted:
        """Vote in a session, or promise a vote: ``session.vote``.

        :param session_id: Which session.
        :param voter_id: Who votes.
        :param vote: ``for``, ``against`` or ``abstain``, where no candidates are listed.
        :param candidate_id: The candidate that is chosen.
        :param approvals: The candidates that are approved.
        :param scores: A score from 0 to 1 for each of some candidates; one of 0.5 or more supports it.
        :param score: How good, 0 to 1, kept in millionths; 1 when left out.
        :param confidence: How sure, 0 to 1; 1 when left out. Kept, never counted.
        :param weight: The weight the voter claims. Noted, never counted.
        :param round: In which round; the one that is open when left out.
        :param seq: The voter's own number of this vote, from 1; the next one when left out. A signed vote names it.
        :param issued_at: When, by the voter's clock, at most 60 s off; now when left out. A signed vote names it.
        :param reasoning: What the voter says about its vote, up to 4096 bytes.
        :param handle: The handle the voter was given when it was registered.
        :param signature: The voter's signature over the vote, 128 hexadecimal digits; what is signed stands in ``certificate_format``.
        :param hash: The integrity hash as the voter has it; another one than the session computes is refused.
        :param version: The layout the vote was made by; 1.
        :param commit: Instead of a vote: the promise of one.
        :param salt: What the promise was made with, at least 16 bytes.
        """

    async def end_round(
        self,
        session_id: str,
        *,
        round: int | None = None,
    ) -> replies.SessionResult:
        """End the round that is open: ``session.end_round``.

        :param session_id: Which session.
        :param round: Which round; the one that is open when left out. Named, a repeat does not end the next one.
        """

    async def result(
        self,
        session_id: str,
        *,
        wait_ms: int | None = None,
    ) -> replies.SessionResult:
        """Show how a session stands or ended, or wait for it: ``session.result``.

        :param session_id: Which session.
        :param wait_ms: Wait so long for the end, 0 to 300000; 0 when left out.
        """

    async def spend(
        self,
        session_id: str,
        *,
        key: str,
        operation_hash: str | None = None,
        tool: str | None = None,
        arguments: Any = None,
        fence: int | None = None,
        by: str | None = None,
    ) -> replies.DecisionSpent:
        """Use the decision of a session for the one operation it allows: ``session.spend``.

        :param session_id: Which session.
        :param key: The caller's own name for this use: the same again is answered as the first time.
        :param operation_hash: The hash of what is to be done; or ``tool`` and ``arguments``.
        :param tool: The name of what is to be done.
        :param arguments: Its arguments.
        :param fence: The fencing token under which it is done.
        :param by: Who does it, up to 256 bytes; on record.
        """

    async def list(
        self,
        *,
        state: Mapping[str, Any] | None = None,
        voter_id: str | None = None,
        newest_first: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.SessionPage:
        """List open sessions, or ended ones: ``session.list``.

        :param state: ``open`` (default) or ``ended``.
        :param voter_id: Of the open ones: only those that await the vote of this voter.
        :param newest_first: Newest first; false when left out.
        :param limit: How many are looked at, 1 to 1000; 100 when left out.
        :param cursor: A ``next_cursor`` of an earlier page.
        """

    async def extend(
        self,
        session_id: str,
        *,
        timeout_ms: int | None = None,
        deadline: str | None = None,
        by: str | None = None,
        reason: str | None = None,
    ) -> replies.SessionResult:
        """Take votes in a session longer: ``session.extend``.

        :param session_id: Which session.
        :param timeout_ms: How long from now on, in milliseconds, above 0.
        :param deadline: The last instant at which a vote is on time, later than so far.
        :param by: Who asks for it, up to 256 bytes; on record.
        :param reason: Why, up to 1024 bytes; on record.
        """

    async def delegate(
        self,
        session_id: str,
        *,
        from_: str,
        to: str,
        reason: str | None = None,
        issued_at: str | None = None,
        handle: str | None = None,
        signature: str | None = None,
    ) -> replies.SessionResult:
        """Hand a place in a session to another voter: ``session.delegate``.

        :param session_id: Which session.
        :param from_: Who may vote and neither voted nor promised a vote.
        :param to: Who votes in its place: a registered voter that may not vote in this session and is trusted in full.
        :param reason: Why, up to 1024 bytes; on record.
        :param issued_at: When, by the clock of who has the place, at most 60 s off; now when left out. A signed request names it.
        :param handle: The handle that who has the place was given when it was registered.
        :param signature: The signature of who has the place, 128 hexadecimal digits; what is signed stands in ``certificate_format``.
        """

    async def remind(
        self,
        session_id: str,
        *,
        voter: str | None = None,
        by: str | None = None,
    ) -> replies.SessionReminded:
        """Tell those whose votes in a session are outstanding again: ``session.remind``.

        :param session_id: Which session.
        :param voter: Only this voter; all of them when left out.
        :param by: Who asks for it, up to 256 bytes; on record.
        """

    async def cancel(
        self,
        session_id: str,
        *,
        cancelled_by: str | None = None,
        reason: str | None = None,
    ) -> replies.SessionResult:
        """End a session without a decision: ``session.cancel``.

        :param session_id: Which session.
        :param cancelled_by: Who ends it.
        :param reason: Why.
        """

    async def certificate(
        self,
        session_id: str,
    ) -> replies.Certificate:
        """Give what proves a decision to anybody: ``session.certificate``.

        :param session_id: Which session.
        """

class AsyncEmergence:
    """What a crowd does beyond its votes: look for patterns."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def scan(
        self,
        session_id: str,
        *,
        sensitivity: float | None = None,
        outcome: float | None = None,
    ) -> replies.EmergenceReport:
        """Look for patterns in how a session was voted: ``emergence.scan``.

        :param session_id: Which session.
        :param sensitivity: From 0.10 to 0.99, 0.80 when left out; a greater one only sees more.
        :param outcome: The right score, from 0 to 1, where it became known. Only then collective intelligence is looked for.
        """

class AsyncCandidate:
    """Candidates: declare what there is to choose by, choose such that not all are alike."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def register(
        self,
        *,
        candidate_id: str,
        kind: str,
        fitness: float,
        metrics: Mapping[str, float] | None = None,
        traits: Mapping[str, float] | None = None,
        by: str | None = None,
    ) -> replies.CandidateRegistered:
        """Declare what there is to choose a voter by: ``candidate.register``.

        :param candidate_id: Which voter.
        :param kind: A label in your words; two of one kind are alike.
        :param fitness: How fit it is, 0 to 1.
        :param metrics: What was measured, by the names of the criteria: ``benefit_ratio``, ``success_rate``, ``latency``, ``resource_efficiency``, ``adaptability``, ``risk_adjusted_return``, ``context_correlation`` (-1 to 1), ``stability``.
        :param traits: Its traits, each 0 to 1, under names of your own.
        :param by: Who declares it.
        """

    async def select(
        self,
        *,
        selection_id: str | None = None,
        candidates: Sequence[str] | None = None,
        maximum: int | None = None,
        diversity: float | None = None,
        strict: bool | None = None,
        least_fitness: float | None = None,
        defaults: Mapping[str, float] | None = None,
        criteria: Mapping[str, float] | None = None,
        wanted: Mapping[str, Mapping[str, Any]] | None = None,
        context: Mapping[str, Any] | None = None,
        affinity: Mapping[str, Sequence[float]] | None = None,
        sensitivity: float | None = None,
        by: str | None = None,
    ) -> replies.CandidatesSelected:
        """Choose among candidates by eight criteria, traits and context: ``candidate.select``.

        :param selection_id: Id of the choice; a random one when left out. Under one id one choice is made.
        :param candidates: Who may be chosen; every candidate that may vote when left out.
        :param maximum: Most that are chosen, 1 to 1000; 5 when left out.
        :param diversity: From 0 (only what speaks for each) to 1 (only that they differ); 0.7 when left out.
        :param strict: Choose only who is at least ``diversity`` away from all chosen ones; false when left out.
        :param least_fitness: Less fit candidates are left out, 0 to 1; 0.6 when left out.
        :param defaults: What a criterion counts as that was not measured, by its name; a candidate without it is left out otherwise.
        :param criteria: How much each criterion counts, by its name; together 1, those left out as usual.
        :param wanted: Traits that are asked for.
        :param context: What surrounds the choice; no adjustment when left out.
        :param affinity: How well a trait serves in each part of the context, in the order volatility, volume, spread, trend, noise; 0 to 1.
        :param sensitivity: How much cooperation and adaptability count, 0.10 to 0.99; 0.8 when left out.
        :param by: Who chooses.
        """

class AsyncVoter:
    """Voters of sessions: register, look, quarantine, release, tell what was right, change keys."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def register(
        self,
        *,
        voter_id: str,
        public_key: str | None = None,
        handle: str | None = None,
        weight: float | None = None,
    ) -> replies.VoterRegistered:
        """Register a voter of sessions: ``voter.register``.

        :param voter_id: Who it is; it votes under this id.
        :param public_key: The Ed25519 key of its signatures, 64 hexadecimal digits. One key stands for one voter.
        :param handle: Its handle: a secret of at least 16 bytes that it presents with its votes. Minted when left out and no key is given; only its hash is kept.
        :param weight: How much it counts in sessions, 0 to 10^9, kept in millionths; 1 when left out.
        """

    async def state(
        self,
        voter_id: str,
    ) -> replies.VoterView:
        """Show how far a voter is trusted, and why: ``voter.state``.

        :param voter_id: Which voter.
        """

    async def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.VoterPage:
        """List voters, and count them by state: ``voter.list``.

        :param limit: How many, 1 to 1000; 100 when left out.
        :param cursor: The id an earlier page ended at.
        """

    async def quarantine(
        self,
        voter_id: str,
        *,
        reason: str,
        duration_ms: int | None = None,
    ) -> replies.VoterView:
        """Let a voter vote in no session for a while: ``voter.quarantine``.

        :param voter_id: Which voter.
        :param reason: Why.
        :param duration_ms: How long, 1000 to 31536000000; 60000, doubled with each offence, up to a day, when left out.
        """

    async def release(
        self,
        voter_id: str,
        *,
        reason: str,
        pardon: bool | None = None,
    ) -> replies.VoterView:
        """Let a voter vote again, on probation: ``voter.release``.

        :param voter_id: Which voter.
        :param reason: Why.
        :param pardon: Even though a fault of it is proven; false when left out.
        """

    async def feedback(
        self,
        *,
        truth: str,
        session_id: str | None = None,
        question_id: str | None = None,
        answers: Mapping[str, str] | None = None,
        score: float | None = None,
        ratings: Mapping[str, float] | None = None,
        by: str | None = None,
    ) -> replies.TruthTaken:
        """Tell what had been right, so that weights are learned from it: ``voter.feedback``.

        :param truth: What had been right: ``for``, ``against``, or a candidate.
        :param session_id: Which session; it has ended.
        :param question_id: Your own name for a question that was asked elsewhere; told of a voter again, it is not counted again.
        :param answers: Of a question that was asked elsewhere: what each voter answered.
        :param score: How well the session turned out, 0 to 1; 1 when it decided for what had been right, else 0, when left out.
        :param ratings: How useful the part of some voters was, 0 to 1: what is above a half raises their weight by ``factors``, what is below lowers it.
        :param by: Who tells; no voter of the question.
        """

    async def rotate(
        self,
        voter_id: str,
        *,
        public_key: str,
        signature: str | None = None,
        by: str | None = None,
        reason: str | None = None,
    ) -> replies.KeyTaken:
        """Let another key take the place of the one a voter signs with: ``voter.rotate``.

        :param voter_id: Which voter.
        :param public_key: Its new Ed25519 key, 64 hexadecimal digits.
        :param signature: The signature of its present key over the change; without it an admin has to ask.
        :param by: Who asks for it.
        :param reason: Why.
        """

class AsyncJob(AsyncJobLeases):
    """Jobs: submit, lead, report, end, look."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def submit(
        self,
        *,
        job_id: str | None = None,
        timeout_seconds: float | None = None,
        stuck_threshold: float | None = None,
        gate_addr: str | None = None,
        target_datacenters: Sequence[str] | None = None,
        datacenter_count: int | None = None,
        preferred_datacenters: Sequence[str] | None = None,
        workflows: Sequence[Mapping[str, Any]] | None = None,
        payload: Any = None,
        class_: str | None = None,
        timeout_rule: str | None = None,
        leader_id: str | None = None,
        dc_timeout_policy: str | None = None,
        max_attempts: int | None = None,
        max_total_extension_seconds: float | None = None,
        extension_mode: str | None = None,
        strict_transitions: bool | None = None,
        downtime: str | None = None,
        spend: Mapping[str, Any] | None = None,
        data_subject: str | None = None,
    ) -> replies.JobSubmitted:
        """Submit a job: ``job.submit``.

        :param job_id: Its id, without ``@``; made when left out. An id is never used twice: the same submission again answers with the job there is, also after its end.
        :param timeout_seconds: Seconds the job may run, above 0; without an overall limit when left out. Being stuck is noticed all the same.
        :param stuck_threshold: Seconds without progress after which it is stuck; 120 when left out.
        :param gate_addr: Address of the gate; with one, or with datacenters, the gate decides about timeouts.
        :param target_datacenters: The datacenters it runs in. When left out the router chooses among those that are known; while none is, it runs only here.
        :param datacenter_count: How many datacenters the router chooses, 1 to 100; 1 when left out.
        :param preferred_datacenters: Datacenters that count as nearer by a tenth when the router chooses.
        :param workflows: What is to be done; none for work that is tracked as a whole.
        :param payload: What is to be done, handed to workers with the work; up to 65536 bytes of JSON. A job with a payload and without workflows has one, ``main``.
        :param class_: Jobs whose durations are alike; deadlines are learned per class.
        :param timeout_rule: ``local_authority``, ``gate_coordinated`` or ``learned``; what fits the surroundings when left out.
        :param leader_id: Who leads it; this node when left out.
        :param dc_timeout_policy: Datacenters whose time is over that end the job: ``majority`` (default), ``any``, ``any_without_extensions``, ``all``.
        :param max_attempts: Tries of a workflow, 1 to 1000; 3 when left out.
        :param max_total_extension_seconds: Most seconds all extensions of the job give together; no limit when left out.
        :param extension_mode: How extensions of several workers add up: ``sum_all`` (default), or ``max_per_worker``, where the job gets what the worker with the most has.
        :param strict_transitions: Only the plain table of workflow steps: no cancelling while a failure is being cleaned up. False when left out.
        :param downtime: Does the budget run while nobody serves? ``count`` (default) or ``exclude``.
        :param spend: The use of a decision under which it begins: one that allows ``job.submit`` with the other fields of this request.
        :param data_subject: Whose personal data the payloads hold: it is sealed with the key of this data subject, and readable until that is shredded. A name that stays on record, so a pseudonym.
        """

    async def progress(
        self,
        job_id: str,
        *,
        datacenter: str | None = None,
        workflow_id: str | None = None,
        completed_count: int | None = None,
        fence_token: int | None = None,
    ) -> replies.JobChanged:
        """Say that a job got on: ``job.progress``.

        :param job_id: Which job.
        :param datacenter: Which datacenter.
        :param workflow_id: Which of its workflows.
        :param completed_count: Items done so far; counts when it is more than before.
        :param fence_token: The caller's leadership.
        """

    async def extend(
        self,
        *,
        worker_id: str,
        job_id: str | None = None,
        datacenter: str | None = None,
        reason: str | None = None,
        current_progress: float | None = None,
        estimated_completion: float | None = None,
        active_workflow_count: int | None = None,
        completed_items: int | None = None,
        total_items: int | None = None,
        request_id: str | None = None,
        fence_token: int | None = None,
    ) -> replies.JobExtended:
        """Ask for more time for a worker: ``job.extend``.

        :param worker_id: Who asks.
        :param job_id: Which job; every live job the worker has a part in when left out.
        :param datacenter: Which datacenter.
        :param reason: Why, for people.
        :param current_progress: How far it is, on any scale; the second and later grants need more than at the last grant.
        :param estimated_completion: Seconds until it hopes to be done.
        :param active_workflow_count: Workflows it runs.
        :param completed_items: Items done; decides instead of ``current_progress`` when the last grant had it too.
        :param total_items: Items in all.
        :param request_id: A name for the request: the same request again gets the same answer, and another request under this name is refused. The last eight of a worker in a job are remembered, until it is lost or the job ends.
        :param fence_token: The caller's leadership.
        """

    async def workflow(
        self,
        job_id: str,
        *,
        workflow_id: str,
        to: str,
        datacenter: str | None = None,
        worker_id: str | None = None,
        reason: str | None = None,
        result: str | None = None,
        fence_token: int | None = None,
    ) -> replies.JobChanged:
        """Take a workflow of a job one step: ``job.workflow``.

        :param job_id: Which job.
        :param workflow_id: Which workflow.
        :param to: To where: ``pending``, ``dispatched``, ``running``, ``completed``, ``failed``, ``failed_canceling_deps``, ``failed_ready``, ``cancelling``, ``cancelled`` or ``aggregated``.
        :param datacenter: Which datacenter.
        :param worker_id: With ``dispatched``: the worker it is handed to.
        :param reason: Why, for people.
        :param result: What it made or why it failed, opaque.
        :param fence_token: The caller's leadership.
        """

    async def transfer(
        self,
        job_id: str,
        *,
        new_leader_id: str,
        datacenter: str | None = None,
        new_leader_addr: str | None = None,
        force: bool | None = None,
        fence_token: int | None = None,
    ) -> replies.JobLed:
        """Give leadership of a job to another leader: ``job.transfer``.

        :param job_id: Which job.
        :param new_leader_id: Who is to lead.
        :param datacenter: Which datacenter.
        :param new_leader_addr: Where the new leader listens.
        :param force: Whatever the lease says; it is on record.
        :param fence_token: The leadership of the one who gives it.
        """

    async def acquire(
        self,
        job_id: str,
        *,
        holder_id: str,
        datacenter: str | None = None,
        incarnation: int | None = None,
        holder_addr: str | None = None,
        force: bool | None = None,
        fence_token: int | None = None,
        lease_ms: int | None = None,
        in_process: bool | None = None,
    ) -> replies.JobLed:
        """Take or keep the lease of a job: ``job.acquire``.

        :param job_id: Which job.
        :param holder_id: Who.
        :param datacenter: Which datacenter.
        :param incarnation: Which of the holder's lives: a node that restarts is another holder. 0 when left out.
        :param holder_addr: Taking it: where the holder listens.
        :param force: Taking it: whatever the lease says; it is on record.
        :param fence_token: Keeping it and giving it back: the holder's token, or one it had since it took the lease. A restart of what serves the job mints another; keeping the lease answers with the one in force.
        :param lease_ms: Taking it and keeping it: how long it lasts from now on, in milliseconds, 1 to 86400000. The job's own 30000 when left out, or as it was taken.
        :param in_process: Taking it: the holder lives in the process that serves the job, and its lease ends with that process. When left out, so it is for a holder without an address that comes through the Rust API, and for no other.
        """

    async def renew(
        self,
        job_id: str,
        *,
        holder_id: str,
        datacenter: str | None = None,
        incarnation: int | None = None,
        holder_addr: str | None = None,
        force: bool | None = None,
        fence_token: int | None = None,
        lease_ms: int | None = None,
        in_process: bool | None = None,
    ) -> replies.JobLed:
        """Keep the lease of a job: ``job.renew``.

        :param job_id: Which job.
        :param holder_id: Who.
        :param datacenter: Which datacenter.
        :param incarnation: Which of the holder's lives: a node that restarts is another holder. 0 when left out.
        :param holder_addr: Taking it: where the holder listens.
        :param force: Taking it: whatever the lease says; it is on record.
        :param fence_token: Keeping it and giving it back: the holder's token, or one it had since it took the lease. A restart of what serves the job mints another; keeping the lease answers with the one in force.
        :param lease_ms: Taking it and keeping it: how long it lasts from now on, in milliseconds, 1 to 86400000. The job's own 30000 when left out, or as it was taken.
        :param in_process: Taking it: the holder lives in the process that serves the job, and its lease ends with that process. When left out, so it is for a holder without an address that comes through the Rust API, and for no other.
        """

    async def release(
        self,
        job_id: str,
        *,
        holder_id: str,
        datacenter: str | None = None,
        incarnation: int | None = None,
        holder_addr: str | None = None,
        force: bool | None = None,
        fence_token: int | None = None,
        lease_ms: int | None = None,
        in_process: bool | None = None,
    ) -> replies.JobChanged:
        """Give the lease of a job back: ``job.release``.

        :param job_id: Which job.
        :param holder_id: Who.
        :param datacenter: Which datacenter.
        :param incarnation: Which of the holder's lives: a node that restarts is another holder. 0 when left out.
        :param holder_addr: Taking it: where the holder listens.
        :param force: Taking it: whatever the lease says; it is on record.
        :param fence_token: Keeping it and giving it back: the holder's token, or one it had since it took the lease. A restart of what serves the job mints another; keeping the lease answers with the one in force.
        :param lease_ms: Taking it and keeping it: how long it lasts from now on, in milliseconds, 1 to 86400000. The job's own 30000 when left out, or as it was taken.
        :param in_process: Taking it: the holder lives in the process that serves the job, and its lease ends with that process. When left out, so it is for a holder without an address that comes through the Rust API, and for no other.
        """

    async def complete(
        self,
        job_id: str,
        *,
        datacenter: str | None = None,
        status: str | None = None,
        reason: str | None = None,
        fence_token: int | None = None,
    ) -> replies.JobChanged:
        """End a job as completed or failed: ``job.complete``.

        :param job_id: Which job.
        :param datacenter: Which datacenter.
        :param status: ``completed`` (default) or ``failed``.
        :param reason: Why, for people.
        :param fence_token: The caller's leadership.
        """

    async def cancel(
        self,
        job_id: str,
        *,
        datacenter: str | None = None,
        requester_id: str | None = None,
        reason: str | None = None,
        fence_token: int | None = None,
    ) -> replies.JobCancelled:
        """Stop a job: ``job.cancel``.

        :param job_id: Which job.
        :param datacenter: Only in this datacenter.
        :param requester_id: Who asks.
        :param reason: Why, for people.
        :param fence_token: The leadership the caller knows of.
        """

    async def status(
        self,
        job_id: str,
        *,
        datacenter: str | None = None,
    ) -> replies.JobStatusReply:
        """Show how a job stands: ``job.status``.

        :param job_id: Which job.
        :param datacenter: Which datacenter.
        """

    async def wait(
        self,
        job_id: str,
        *,
        datacenter: str | None = None,
        timeout_ms: int | None = None,
    ) -> replies.JobStatusReply:
        """Wait until a job ends: ``job.wait``.

        :param job_id: Which job.
        :param datacenter: Which datacenter; with a gate the end everywhere when left out.
        :param timeout_ms: How long to wait, 0 to 300000; 30000 when left out. The job's status then, whatever it is. In virtual time nothing moves while one waits, so the answer comes at once.
        """

    async def why(
        self,
        job_id: str,
        *,
        datacenter: str | None = None,
    ) -> replies.JobWhy:
        """Show what led to how a job stands: ``job.why``.

        :param job_id: Which job.
        :param datacenter: Which datacenter.
        """

    async def stuck_workflows(
        self,
        job_id: str,
        *,
        datacenter: str | None = None,
        threshold_seconds: float | None = None,
        exclude_terminal: bool | None = None,
    ) -> replies.StuckList:
        """List workflows that did not get on for long: ``job.stuck_workflows``.

        :param job_id: Which job.
        :param datacenter: Which datacenter; every one in which the job runs when left out.
        :param threshold_seconds: Stuck is what did not get on for at least so many seconds; the job's own ``stuck_threshold`` when left out.
        :param exclude_terminal: Leaves out workflows that have ended; true when left out.
        """

    async def list(
        self,
        *,
        state: str | None = None,
        leader_id: str | None = None,
        datacenter: str | None = None,
        newest_first: bool | None = None,
        due_within_seconds: float | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.JobPage:
        """List live jobs, or ended ones: ``job.list``.

        :param state: ``live`` (default), ``ended``, or a status: ``running``, ``failed`` and the others; at a gate ``waiting_for_datacenter`` too.
        :param leader_id: Only those led by this leader.
        :param datacenter: Only those in this datacenter.
        :param newest_first: Newest first; false when left out.
        :param due_within_seconds: Only live ones whose next deadline falls within so many seconds.
        :param limit: How many at most, 1 to 1000; 100 when left out. Of ended ones: how many are looked at, at a gate with all their datacenters.
        :param cursor: The ``next_cursor`` of the page before.
        """

    async def stats(
        self,
    ) -> replies.JobStats:
        """Count jobs over all time: ``job.stats``."""

    async def estimate(
        self,
        class_: str,
    ) -> replies.ClassEstimate:
        """Show the deadlines learned for a class of jobs: ``job.estimate``.

        :param class_: Which class.
        """

class AsyncLease:
    """Leases of jobs: who holds which, and how long still."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def list(
        self,
        *,
        holder_id: str | None = None,
        datacenter: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.LeasePage:
        """List the leases of jobs that are held, and how long still: ``lease.list``.

        :param holder_id: Only those of this holder.
        :param datacenter: Only those of jobs in this datacenter.
        :param limit: How many at most, 1 to 1000; 100 when left out.
        :param cursor: The ``next_cursor`` of the page before.
        """

class AsyncGate:
    """Where a job came in: how it stands over all datacenters."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def status(
        self,
        job_id: str,
        *,
        datacenter: str | None = None,
    ) -> replies.GateStatus:
        """Show how a job stands at its gate: ``gate.status``.

        :param job_id: Which job.
        :param datacenter: Which datacenter.
        """

    async def transfer(
        self,
        job_id: str,
        *,
        new_gate_id: str,
        new_gate_addr: str | None = None,
    ) -> replies.GateStatus:
        """Give leadership of a job at the gate to another gate: ``gate.transfer``.

        :param job_id: Which job.
        :param new_gate_id: Which gate is to lead.
        :param new_gate_addr: Where it listens.
        """

class AsyncWorker:
    """Who runs the workflows of jobs: register, report, look."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def register(
        self,
        *,
        worker_id: str,
        datacenter: str | None = None,
        capacity: int | None = None,
        beat_ms: int | None = None,
        incarnation: int | None = None,
    ) -> replies.WorkerChanged:
        """Register a worker that takes workflows: ``worker.register``.

        :param worker_id: Which worker.
        :param datacenter: Where it works; ``local`` when left out.
        :param capacity: Most workflows it runs at the same time, 1 to 1000000; 1 when left out.
        :param beat_ms: How often it gives a sign of life, in milliseconds, 100 to 600000; 5000 when left out. It is lost when it is silent for much longer than it is used to; one that never took work nor beat is not judged.
        :param incarnation: Which of its lives this is, such as the time it began. Under another one than before, what it ran is lost and goes elsewhere.
        """

    async def report(
        self,
        worker_id: str,
        *,
        job_id: str,
        workflow_id: str,
        outcome: str,
        completed_count: int | None = None,
        result: str | None = None,
        dispatch_token: int | None = None,
        data_subject: str | None = None,
    ) -> replies.WorkerChanged:
        """Say what became of a workflow: ``worker.report``.

        :param worker_id: Which worker.
        :param job_id: Which job.
        :param workflow_id: Which workflow.
        :param outcome: ``running``, ``completed``, ``failed`` or ``cancelled``.
        :param completed_count: Items done so far, never fewer than before; as before when left out.
        :param result: What it made or why it failed, opaque.
        :param dispatch_token: The handing over that was carried out; the last one when left out.
        :param data_subject: Whose personal data ``result`` holds: it is sealed with the key of this data subject, and readable until that is shredded. A name that stays on record, so a pseudonym.
        """

    async def take(
        self,
        worker_id: str,
        *,
        wait_ms: int | None = None,
        limit: int | None = None,
        running: Sequence[Mapping[str, Any]] | None = None,
    ) -> replies.WorkTaken:
        """Ask for work, with what is to be done: ``worker.take``.

        :param worker_id: Which worker.
        :param wait_ms: How long it waits for work, in milliseconds, up to 300000; not at all when left out. Meanwhile it gives no other sign of life.
        :param limit: Most workflows at a time, 1 to 1000; 1 when left out.
        :param running: What it has. What was handed out and is named neither here, nor in a beat, nor in a report is handed out again.
        """

    async def beat(
        self,
        worker_id: str,
        *,
        running: Sequence[Mapping[str, Any]] | None = None,
    ) -> replies.WorkerBeaten:
        """Say that a worker is alive, and what it has: ``worker.beat``.

        :param worker_id: Which worker.
        :param running: What it has.
        """

    async def list(
        self,
        *,
        datacenter: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.WorkerPage:
        """List workers: state, load, last sign of life, what they run: ``worker.list``.

        :param datacenter: Only those of this datacenter.
        :param limit: How many at most, 1 to 1000; 100 when left out.
        :param cursor: The ``next_cursor`` of the page before.
        """

    async def leader_lost(
        self,
        worker_id: str,
        *,
        job_id: str,
    ) -> replies.WorkerChanged:
        """Say that a worker cannot reach the leader of a job: ``worker.leader_lost``.

        :param worker_id: Which worker.
        :param job_id: Which job.
        """

    async def lost(
        self,
        worker_id: str,
    ) -> replies.WorkerChanged:
        """Say that a worker is dead: ``worker.lost``.

        :param worker_id: Which worker.
        """

    async def healthy(
        self,
        worker_id: str,
    ) -> replies.WorkerChanged:
        """Say that a worker is well: ``worker.healthy``.

        :param worker_id: Which worker.
        """

    async def leave(
        self,
        worker_id: str,
    ) -> replies.WorkerChanged:
        """Take nothing new and end: ``worker.leave``.

        :param worker_id: Which worker.
        """

    async def status(
        self,
        worker_id: str,
    ) -> replies.WorkerStatus:
        """Show how a worker stands: ``worker.status``.

        :param worker_id: Which worker.
        """

class AsyncMember:
    """The nodes of the cluster, as this one sees them: list, measure, check."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def list(
        self,
    ) -> replies.MemberList:
        """List the nodes of the cluster, as this one sees them: ``member.list``."""

    async def metrics(
        self,
    ) -> replies.MemberMetrics:
        """Show how membership is doing on this node: ``member.metrics``."""

    async def validate(
        self,
    ) -> replies.MemberValidation:
        """Check that what this node keeps of the others hangs together: ``member.validate``."""

class AsyncCoordinate:
    """Where nodes stand in the space of round trips: measure, estimate."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def update(
        self,
        *,
        from_: str,
        to: str | None = None,
        rtt_ms: float | None = None,
        vivaldi_coord: Mapping[str, Any] | None = None,
    ) -> replies.CoordinateView:
        """Move a node's coordinate by a round trip it measured: ``coordinate.update``.

        :param from_: Who measured. Only its coordinate moves.
        :param to: To whom.
        :param rtt_ms: The round trip in ms, 0.001 to 10,000; kept to the microsecond.
        :param vivaldi_coord: Where ``to`` stands, as its answer told; what is on record of it when left out. Without ``to``: where ``from`` stands.
        """

    async def estimate(
        self,
        *,
        from_: str,
        to: str,
    ) -> replies.CoordinateEstimate:
        """Estimate the round trip between two nodes: ``coordinate.estimate``.

        :param from_: From which node.
        :param to: To which.
        """

class AsyncDatacenter:
    """Datacenters: how they are, and how far away."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def update(
        self,
        datacenter_id: str,
        *,
        health_bucket: str | None = None,
        available_cores: int | None = None,
        total_cores: int | None = None,
        queue_depth: int | None = None,
        lhm_multiplier: float | None = None,
        circuit_breaker_pressure: float | None = None,
        total_managers: int | None = None,
        healthy_managers: int | None = None,
        leader_id: str | None = None,
        vivaldi_coord: Mapping[str, Any] | None = None,
        rtt_ucb_ms: float | None = None,
        coordinate_quality: float | None = None,
    ) -> replies.DatacenterView:
        """Say how a datacenter is: ``datacenter.update``.

        :param datacenter_id: Which datacenter.
        :param health_bucket: ``HEALTHY`` (at first), ``BUSY``, ``DEGRADED`` or ``UNHEALTHY``. A full one that works is ``BUSY``.
        :param available_cores: Cores that are free.
        :param total_cores: Cores that there are; at first as many as are free.
        :param queue_depth: Jobs that wait.
        :param lhm_multiplier: Its leader's local health, 1 to 9. It has no weight.
        :param circuit_breaker_pressure: The part of its managers that do not answer calls, 0 to 1; the part that is not healthy where it is never said.
        :param total_managers: Managers that are registered; 1 at first.
        :param healthy_managers: Managers that are alive and answer; all of them at first.
        :param leader_id: The node that leads it: its coordinate says how far away the datacenter is.
        :param vivaldi_coord: Where the leader stands; what is on record of it when left out.
        :param rtt_ucb_ms: Upper bound of the round trip to it in ms, 0.001 to 10,000, for whoever knows it without coordinates.
        :param coordinate_quality: How far ``rtt_ucb_ms`` can be relied on, 0 to 1; 1 when left out.
        """

    async def remove(
        self,
        datacenter_id: str,
    ) -> replies.DatacenterRemoved:
        """Forget a datacenter: ``datacenter.remove``.

        :param datacenter_id: Which datacenter.
        """

    async def list(
        self,
        *,
        from_: str | None = None,
    ) -> replies.DatacenterList:
        """List the datacenters, and how far away they are: ``datacenter.list``.

        :param from_: The node that looks; this one when left out.
        """

class AsyncRoute:
    """Which datacenter a job goes to: decide, report a failure, look."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def job(
        self,
        job_id: str,
        *,
        fence_token: int | None = None,
        datacenter_count: int | None = None,
        preferred_datacenters: Sequence[str] | None = None,
        from_: str | None = None,
    ) -> replies.RoutingDecision:
        """Decide which datacenter a job goes to, and keep that: ``route.job``.

        :param job_id: Which job.
        :param fence_token: The fencing token of whoever leads it; a lower one than was shown before is refused.
        :param datacenter_count: How many datacenters get it at once, 1 to 100; 2 when left out, unless configured otherwise.
        :param preferred_datacenters: Datacenters that count as nearer by a tenth.
        :param from_: The node from which distances count; this one when left out.
        """

    async def failure(
        self,
        job_id: str,
        *,
        datacenter_id: str,
        reason: str | None = None,
        fence_token: int | None = None,
    ) -> replies.RouteFailed:
        """Say that a datacenter did not take a job: ``route.failure``.

        :param job_id: Which job.
        :param datacenter_id: Which datacenter.
        :param reason: ``refused`` (when left out), ``busy``, ``no_answer`` or ``unreachable``.
        :param fence_token: The fencing token of whoever leads the job.
        """

    async def accept(
        self,
        job_id: str,
        *,
        datacenter_id: str,
    ) -> replies.RouteChanged:
        """Say which datacenter took a job: ``route.accept``.

        :param job_id: Which job.
        :param datacenter_id: Which datacenter.
        """

    async def forget(
        self,
        job_id: str,
    ) -> replies.RouteChanged:
        """Forget where a job goes, as when it ended: ``route.forget``.

        :param job_id: Which job.
        """

    async def state(
        self,
        job_id: str,
    ) -> replies.RouteState:
        """Show where a job goes, why, and what failed: ``route.state``.

        :param job_id: Which job.
        """

class AsyncFlow:
    """Streams of messages with flow control: offer, drain, look."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def open(
        self,
        *,
        flow_id: str,
        config: Mapping[str, Any] | None = None,
    ) -> replies.FlowOpened:
        """Open a stream of messages with flow control: ``flow.open``.

        :param flow_id: Which stream. Opening it again with the same configuration changes nothing.
        :param config: How; what is left out keeps its default.
        """

    async def offer(
        self,
        flow_id: str,
        *,
        message: Any,
        sender: str | None = None,
        wait_ms: int | None = None,
        key: str | None = None,
        deadline_ms: int | None = None,
        critical: bool | None = None,
    ) -> replies.MessageOffered:
        """Offer a message to a stream: ``flow.offer``.

        :param flow_id: Which stream.
        :param message: The message: any JSON, up to 64 KiB of it.
        :param sender: Who sends it; handed to the reader with it.
        :param wait_ms: How long the offer may wait for its delay, for a pause to end or for room, 0 to 300000; 0 when left out: it is decided at once. Time that moves only when told to is not waited for.
        :param key: Only the newest message of a key matters: an older one that is still buffered gives way to it. 1 to 256 bytes; not on streams that carry what may not be lost.
        :param deadline_ms: Milliseconds from now until which the message is of use, -86400000 to 86400000. After that it is not buffered, and not handed to the reader, who is told of the gap. Not on streams that carry what may not be lost.
        :param critical: It does not give way to others, whatever the policy: where all that is buffered is critical, the new message comes back. Handed to the reader. False when left out.
        """

    async def drain(
        self,
        flow_id: str,
        *,
        count: int | None = None,
    ) -> replies.FlowDrained:
        """Take messages out of a stream, with the gaps between them: ``flow.drain``.

        :param flow_id: Which stream.
        :param count: At most so many messages, 0 to 1000; 100 when left out. ``buffer_size`` says whether to ask again.
        """

    async def status(
        self,
        flow_id: str,
    ) -> replies.FlowStatus:
        """Show how a stream stands: ``flow.status``.

        :param flow_id: Which stream.
        """

    async def recommendation(
        self,
        flow_id: str,
    ) -> replies.FlowAdviceView:
        """Say what to do about a stream, and why: ``flow.recommendation``.

        :param flow_id: Which stream.
        """

    async def configure(
        self,
        flow_id: str,
        *,
        config: Mapping[str, Any],
    ) -> replies.FlowOpened:
        """Change the configuration of an open stream: ``flow.configure``.

        :param flow_id: Which stream.
        :param config: The knobs to change; what is left out stays as it is.
        """

    async def close(
        self,
        flow_id: str,
    ) -> replies.FlowOpened:
        """End a stream; what is buffered may still be read: ``flow.close``.

        :param flow_id: Which stream.
        """

class AsyncShed:
    """Overload: what is let in, what the load is, and why."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def check(
        self,
        *,
        handler: str | None = None,
        class_: Literal["control", "dispatch", "data", "telemetry"] | None = None,
        critical: bool | None = None,
        deadline_ms: int | None = None,
        hold_ms: int | None = None,
    ) -> replies.ShedChecked:
        """Ask whether a message is let in at this load: ``shed.check``.

        :param handler: What it is: a kind of message such as ``progress``, or an operation such as ``quorum.vote``. An unknown name is data. One of ``handler`` and ``class`` is given.
        :param class_: Its class, in upper or lower case.
        :param critical: It may be delayed but not dropped; where left out, what its kind says.
        :param deadline_ms: Milliseconds from now until which its answer is of use, -86400000 to 86400000; negative when that has passed.
        :param hold_ms: Hold its place among those in flight until ``shed.release``, or for so long at most: 1 to 3600000. Without it the place is given back at once.
        """

    async def release(
        self,
        *,
        permit: int,
        latency_ms: float | None = None,
    ) -> replies.PermitReleased:
        """Give back the place of a message that was let in: ``shed.release``.

        :param permit: The permit.
        :param latency_ms: How long the work took, as a sample of latency: up to 3600000, with at most three places; negative counts as 0.
        """

    async def record(
        self,
        *,
        latency_ms: float | None = None,
        outcome: Literal["served", "shed", "local_reply", "probe"] | None = None,
        cpu_percent: float | None = None,
        memory_percent: float | None = None,
        queue_delay_ms: float | None = None,
        class_: Literal["control", "dispatch", "data", "telemetry"] | None = None,
        pending: int | None = None,
    ) -> replies.LoadRecorded:
        """Feed the detector of overload: ``shed.record``.

        :param latency_ms: How long a request took, up to 3600000, with at most three places: whole microseconds are kept. Negative counts as 0.
        :param outcome: What became of that request; only ``served``, the default, is a sample.
        :param cpu_percent: Processor, in percent, with at most six places; above 100 is fine, up to 1000000.
        :param memory_percent: Memory, in percent, with at most six places, up to 1000000.
        :param queue_delay_ms: How long a message waited before work on it began, 0 to 3600000, with at most three places.
        :param class_: The class of the message that waited, in upper or lower case; ``data`` when left out.
        :param pending: Requests taken and not finished, 0 to 10000000.
        """

    async def status(
        self,
    ) -> replies.ShedStatus:
        """Show load, shedding and why: ``shed.status``."""

class AsyncPressure:
    """Who asks whom to slow down."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def status(
        self,
        *,
        worker_id: str | None = None,
        datacenter: str | None = None,
    ) -> replies.PressureStatus:
        """Show who asks whom to slow down: ``pressure.status``.

        :param worker_id: Show this worker too.
        :param datacenter: Show only this datacenter; all of which anything was heard when left out.
        """

class AsyncStats:
    """Statistics of running work, and what their fill asks of senders."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def record(
        self,
        *,
        value: float | None = None,
        values: Sequence[float] | None = None,
        batch: Mapping[str, Any] | None = None,
        timestamp: str | None = None,
        critical: bool | None = None,
    ) -> replies.StatsRecorded:
        """Record statistics of running work: ``stats.record``.

        :param value: One value.
        :param values: Up to 1000 values, each in its own place.
        :param batch: Many values that were put together by their sender, in one place.
        :param timestamp: When they were measured; now when left out, and never later than now.
        :param critical: Take them also at reject.
        """

    async def level(
        self,
    ) -> replies.StatsLevel:
        """Show what the statistics' fill asks of senders: ``stats.level``."""

    async def summary(
        self,
        *,
        window_ms: int | None = None,
    ) -> replies.StatsSummary:
        """Sum up all statistics and the tiers they stand in: ``stats.summary``.

        :param window_ms: The recent average is over so long, 1 to 86400000; 60000 when left out.
        """

class AsyncStop:
    """What may not be done until those who were named let it go on: engage, release, look."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def engage(
        self,
        *,
        scope: Mapping[str, Any],
        release_voters: Sequence[str],
        stop_id: str | None = None,
        release_need: int | None = None,
        by: str | None = None,
        reason: str | None = None,
    ) -> replies.StopView:
        """Stop something, until those who are named let it go on: ``stop.engage``.

        :param scope: What is stopped: ``{"everything":true}``, ``{"party":"ann"}``, ``{"prefix":"billing-"}`` or ``{"job_class":"migrate"}``.
        :param release_voters: Who may release it: the voters of the session, or the agents of the proposal, that decides about it.
        :param stop_id: Id of the stop; a random one when left out. An id is never used twice.
        :param release_need: How many of them must be for it; more than half when left out.
        :param by: Who stops it, up to 256 bytes; on record.
        :param reason: Why, up to 1024 bytes; on record.
        """

    async def release(
        self,
        stop_id: str,
        *,
        session_id: str | None = None,
        proposal_id: str | None = None,
        by: str | None = None,
    ) -> replies.StopView:
        """Let go on what was stopped, by a decision of those who were named: ``stop.release``.

        :param stop_id: Which stop.
        :param session_id: The session that decided; or the proposal.
        :param proposal_id: The proposal that decided.
        :param by: Who releases it, up to 256 bytes; on record.
        """

    async def list(
        self,
        *,
        released: bool | None = None,
        party: str | None = None,
    ) -> replies.StopList:
        """List what is stopped: ``stop.list``.

        :param released: Those that were released too; false when left out.
        :param party: Only those that would stop this party.
        """

    async def status(
        self,
        stop_id: str,
    ) -> replies.StopView:
        """Show what a stop stops, and who may release it: ``stop.status``.

        :param stop_id: Which stop.
        """

class AsyncRetention:
    """What must not be pruned of the journal, and what was: hold, release, look."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def hold(
        self,
        *,
        reason: str,
        everything: bool | None = None,
        kind: str | None = None,
        entity_id: str | None = None,
    ) -> replies.RecordsHold:
        """Keep what ended from being pruned, until it is released: ``retention.hold``.

        :param reason: Why, up to 1024 bytes; on record.
        :param everything: Everything.
        :param kind: Every entity of this kind.
        :param entity_id: The entities of this id, of every kind; it may be one that is not there yet.
        """

    async def release(
        self,
        *,
        everything: bool | None = None,
        kind: str | None = None,
        entity_id: str | None = None,
    ) -> replies.RecordsHold:
        """Let go on what was kept from being pruned: ``retention.release``.

        :param everything: The one on everything.
        :param kind: The one on this kind.
        :param entity_id: The one on entities of this id.
        """

    async def list(
        self,
    ) -> replies.RetentionView:
        """List what is kept from being pruned, and what was pruned: ``retention.list``."""

class AsyncSubject:
    """Whose personal data is sealed: look, and destroy its key."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def shred(
        self,
        data_subject: str,
        *,
        reason: str,
    ) -> replies.SubjectView:
        """Destroy the key of a data subject: what is sealed with it is never read again: ``subject.shred``.

        :param data_subject: Whose.
        :param reason: Why, up to 1024 bytes; on record for good, so it names nobody.
        """

    async def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.SubjectPage:
        """List whose personal data is sealed, and whose was shredded: ``subject.list``.

        :param limit: How many at most, 1 to 1000; 100 when left out.
        :param cursor: Where an earlier page ended; the beginning when left out.
        """

    async def show(
        self,
        data_subject: str,
    ) -> replies.SubjectView:
        """Show a data subject, its key, and which entities hold data of it: ``subject.show``.

        :param data_subject: Which.
        """

class AsyncHook:
    """What is recorded, posted to a URL: register, look, resume, remove."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def register(
        self,
        *,
        url: str,
        hook_id: str | None = None,
        filter: Mapping[str, Any] | None = None,
        secret: str | None = None,
    ) -> replies.HookChanged:
        """Post what is recorded to a URL, signed; the secret is told once: ``hook.register``.

        :param url: Where to: ``http://`` or ``https://``, up to 2,048 bytes, without credentials and fragment. An address that is not of the public Internet is refused unless the server allows it.
        :param hook_id: Id of the hook; a random one when left out. An id is never used twice.
        :param filter: Which events: the filters of ``history.query``, and its ``cursor``, ``since`` or ``from_position`` to begin earlier than now. Everything but what hooks themselves do, when left out.
        :param secret: What signs the requests: ``whsec_`` and 24 to 64 bytes in base64. One is made, and told once, when left out.
        """

    async def list(
        self,
    ) -> replies.HookList:
        """List the hooks: how far each is, what fails, when it is attempted again: ``hook.list``."""

    async def resume(
        self,
        hook_id: str,
    ) -> replies.HookChanged:
        """Attempt a hook again that is failing or disabled, from where it stands: ``hook.resume``.

        :param hook_id: Which hook.
        """

    async def remove(
        self,
        hook_id: str,
    ) -> replies.HookChanged:
        """End a hook for good, with what it had not delivered: ``hook.remove``.

        :param hook_id: Which hook.
        """

class AsyncIdentity:
    """Who may do what, and in whose name: create, rotate, grant, revoke."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def create(
        self,
        *,
        name: str,
        scopes: Sequence[str],
        acts_as: Sequence[str] | None = None,
        public_key: str | None = None,
        uids: Sequence[int] | None = None,
        expires_in_seconds: float | None = None,
        issue_token: bool | None = None,
        token_expires_in_seconds: float | None = None,
    ) -> replies.IdentityChanged:
        """Make an identity; its token is told once: ``identity.create``.

        :param name: Its name, at most 64 bytes; never used twice. It stands with every record made under it.
        :param scopes: What it may do: ``admin`` (everything; the very first identity must have it), ``read`` (everything that only shows what is on record), ``NOUN.*``, ``NOUN.VERB``.
        :param acts_as: In whose name it may act: ``KIND:ID``, ``KIND:PREFIX*`` or ``*`` (all), where KIND is voter, agent, worker, holder (of the lease of a job) or cell; nobody when left out.
        :param public_key: An ed25519 public key, 64 hexadecimal digits.
        :param uids: Users of the operating system that are it when they call over the unix socket.
        :param expires_in_seconds: How long it lives; for ever when left out.
        :param issue_token: Issue a token; true when left out.
        :param token_expires_in_seconds: How long the token lives; as long as the identity when left out.
        """

    async def rotate(
        self,
        name: str,
        *,
        overlap_seconds: float | None = None,
        token_expires_in_seconds: float | None = None,
    ) -> replies.IdentityChanged:
        """Give an identity a new token, told once: ``identity.rotate``.

        :param name: Which identity.
        :param overlap_seconds: How long the tokens it has go on; they end at once when left out.
        :param token_expires_in_seconds: How long the new token lives; as long as the identity when left out.
        """

    async def grant(
        self,
        name: str,
        *,
        scopes: Sequence[str] | None = None,
        acts_as: Sequence[str] | None = None,
        public_key: str | None = None,
        uids: Sequence[int] | None = None,
        expires_in_seconds: float | None = None,
    ) -> replies.IdentityChanged:
        """Say anew what an identity may do: ``identity.grant``.

        :param name: Which identity.
        :param scopes: All that it may do, as when it is created.
        :param acts_as: All in whose name it may act, as when it is created.
        :param public_key: An ed25519 public key, 64 hexadecimal digits.
        :param uids: All users of the operating system that are it.
        :param expires_in_seconds: How long it lives from now on.
        """

    async def revoke(
        self,
        name: str,
        *,
        token_number: int | None = None,
        reason: str | None = None,
    ) -> replies.IdentityChanged:
        """End an identity for good, or one of its tokens: ``identity.revoke``.

        :param name: Which identity.
        :param token_number: Only the token of this number; the identity stays.
        :param reason: Why, up to 1024 bytes.
        """

    async def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.IdentityPage:
        """List the identities, and what they may do: ``identity.list``.

        :param limit: How many at most, 1 to 1000; 100 when left out.
        :param cursor: The name an earlier page ended at; the beginning when left out.
        """

class AsyncOverview:
    """What is open, what waits for whom, what is overdue, what is wrong."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def show(
        self,
        *,
        limit: int | None = None,
    ) -> replies.Overview:
        """Show what is open, what waits for whom, what is overdue and what is wrong: ``overview.show``.

        :param limit: How many lines of each list, 1 to 100; 5 when left out.
        """

    async def inbox(
        self,
        voter_id: str,
        *,
        wait_ms: int | None = None,
        limit: int | None = None,
    ) -> replies.Inbox:
        """Show the questions that await somebody's vote, or wait for one: ``overview.inbox``.

        :param voter_id: Whose votes: the name of a voter or an agent.
        :param wait_ms: Wait so long for a question when none is open, 0 to 300000; 0 when left out.
        :param limit: How many at most, 1 to 1000; 100 when left out.
        """

class AsyncJournal:
    """The journal as it is stored: what a backup is made of."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def groups(
        self,
        *,
        after: int | None = None,
        max_bytes: int | None = None,
    ) -> replies.GroupPage:
        """Read commit groups as they are stored, for a backup: ``journal.groups``.

        :param after: The number of the last group that is known; from the first one on when left out.
        :param max_bytes: How many bytes of groups at most, 1 to 16777216; 4194304 when left out. One group is given whatever its size.
        """

class AsyncHistory:
    """What happened, and whether it was changed."""

    def __init__(self, core: AsyncCore) -> None: ...

    async def query(
        self,
        *,
        kind: str | None = None,
        entity_id: str | None = None,
        party_id: str | None = None,
        cell_id: str | None = None,
        voter_id: str | None = None,
        agent_id: str | None = None,
        worker_id: str | None = None,
        node_id: str | None = None,
        datacenter: str | None = None,
        identity: str | None = None,
        data_subject: str | None = None,
        event: str | None = None,
        outcome: str | None = None,
        refused: bool | None = None,
        since: str | None = None,
        until: str | None = None,
        from_seq: int | None = None,
        upto_seq: int | None = None,
        from_position: int | None = None,
        upto_position: int | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        sealed: bool | None = None,
    ) -> replies.EventPage:
        """Ask what happened, over all entities: ``history.query``.

        :param kind: Only entities of this kind: ``quorum``, ``proposal``, ``session``, ``voter``, ``agent``, ``cell``, ``budget``, ``job``, ``gate``, ``worker``, ``durations``, ``flow``, ``load``, ``topology``, ``algorithms``, ``identity``, ``datacenter``, ``route`` or ``coordinate``.
        :param entity_id: Only this entity; needs a kind only when several kinds have this id.
        :param party_id: Only events that name this party, whatever its part in them: leader, worker, gate, agent, voter, cell; and its own.
        :param cell_id: Only what concerns this cell: its registration, its capacity and that of others as far as they deal with it, and quorums about it.
        :param voter_id: Only votes and attempts of this voter, and its own record.
        :param agent_id: Only the record of this agent, and its votes and attempts.
        :param worker_id: Only the record of this worker, and what jobs say of it.
        :param node_id: Only what concerns this node: where it stands, and what names it as leader, holder or peer.
        :param datacenter: Only what concerns this datacenter: its reports, its jobs and its workers, and what gates and routes say of it.
        :param identity: Only what was done under this identity.
        :param data_subject: Only records that hold data of this data subject, readable or shredded.
        :param event: Only events of this name, such as ``vote_cast`` or ``closed``.
        :param outcome: Only ends with this outcome: ``approved``, ``rejected``, ``timed_out`` and ``cancelled`` (quorums), ``timeout`` and ``aborted`` (proposals), ``decided``, ``no_quorum`` and ``fault_budget_exceeded`` (sessions), ``completed`` and ``failed`` (jobs and gates), ``granted`` and ``expired`` (needs of cells).
        :param refused: True: only attempts that were refused. False: only the others.
        :param since: Only what happened at or after this instant.
        :param until: Only what happened up to and with this instant.
        :param from_seq: Only events with this number in the log of their entity, or a later one; numbers begin at 1.
        :param upto_seq: Only events up to and with this number in the log of their entity.
        :param from_position: Only events at this place in the global order, or a later one; places begin at 1.
        :param upto_position: Only events up to and with this place in the global order.
        :param limit: How many at most, 1 to 1000; 100 when left out.
        :param cursor: Where an earlier page ended; the beginning when left out. Not affected by what is appended meanwhile. That of another journal is refused.
        :param sealed: Texts that are sealed for a data subject are told as they are stored, for proofs; false when left out.
        """

    async def entity(
        self,
        entity_id: str,
        *,
        kind: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> replies.EntityLog:
        """Show the log of one entity, with its votes: ``history.entity``.

        :param entity_id: Which entity.
        :param kind: Kind of the entity; needed only when several kinds have this id.
        :param limit: How many events at most, 1 to 1000; 100 when left out.
        :param cursor: The seq an earlier page ended at; the beginning when left out.
        """

    async def count(
        self,
        *,
        kind: str | None = None,
        entity_id: str | None = None,
        party_id: str | None = None,
        cell_id: str | None = None,
        voter_id: str | None = None,
        agent_id: str | None = None,
        worker_id: str | None = None,
        node_id: str | None = None,
        datacenter: str | None = None,
        identity: str | None = None,
        data_subject: str | None = None,
        event: str | None = None,
        outcome: str | None = None,
        refused: bool | None = None,
        since: str | None = None,
        until: str | None = None,
        from_seq: int | None = None,
        upto_seq: int | None = None,
        from_position: int | None = None,
        upto_position: int | None = None,
        per: str | None = None,
        compare: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> replies.HistoryCounts:
        """Count events, outcomes, durations and votes: ``history.count``.

        :param kind: Only entities of this kind: ``quorum``, ``proposal``, ``session``, ``voter``, ``agent``, ``cell``, ``budget``, ``job``, ``gate``, ``worker``, ``durations``, ``flow``, ``load``, ``topology``, ``algorithms``, ``identity``, ``datacenter``, ``route`` or ``coordinate``.
        :param entity_id: Only this entity; needs a kind only when several kinds have this id.
        :param party_id: Only events that name this party, whatever its part in them: leader, worker, gate, agent, voter, cell; and its own.
        :param cell_id: Only what concerns this cell: its registration, its capacity and that of others as far as they deal with it, and quorums about it.
        :param voter_id: Only votes and attempts of this voter, and its own record.
        :param agent_id: Only the record of this agent, and its votes and attempts.
        :param worker_id: Only the record of this worker, and what jobs say of it.
        :param node_id: Only what concerns this node: where it stands, and what names it as leader, holder or peer.
        :param datacenter: Only what concerns this datacenter: its reports, its jobs and its workers, and what gates and routes say of it.
        :param identity: Only what was done under this identity.
        :param data_subject: Only records that hold data of this data subject, readable or shredded.
        :param event: Only events of this name, such as ``vote_cast`` or ``closed``.
        :param outcome: Only ends with this outcome: ``approved``, ``rejected``, ``timed_out`` and ``cancelled`` (quorums), ``timeout`` and ``aborted`` (proposals), ``decided``, ``no_quorum`` and ``fault_budget_exceeded`` (sessions), ``completed`` and ``failed`` (jobs and gates), ``granted`` and ``expired`` (needs of cells).
        :param refused: True: only attempts that were refused. False: only the others.
        :param since: Only what happened at or after this instant.
        :param until: Only what happened up to and with this instant.
        :param from_seq: Only events with this number in the log of their entity, or a later one; numbers begin at 1.
        :param upto_seq: Only events up to and with this number in the log of their entity.
        :param from_position: Only events at this place in the global order, or a later one; places begin at 1.
        :param upto_position: Only events up to and with this place in the global order.
        :param per: Counts outcomes for each ``hour`` or ``day`` by itself, in UTC; over all time when left out.
        :param compare: Two voters: how often they voted on the same question, and how often alike.
        :param limit: How many voters at most, those with the most votes first, 1 to 1000; 100 when left out.
        """

    async def state_at(
        self,
        entity_id: str,
        *,
        kind: str | None = None,
        seq: int | None = None,
        position: int | None = None,
        at: str | None = None,
    ) -> replies.PastState:
        """Show how an entity stood earlier: ``history.state_at``.

        :param entity_id: Which one. A job in a datacenter is named ``job@datacenter``, a local one by its id alone.
        :param kind: Its kind; needed only when several kinds have this id.
        :param seq: After this many events of its log.
        :param position: After everything up to and with this place in the global order.
        :param at: After everything up to and with this instant.
        """

    async def why(
        self,
        entity_id: str,
        *,
        kind: str | None = None,
        about: str | None = None,
    ) -> replies.EntityWhy:
        """Show what led to how an entity stands: ``history.why``.

        :param entity_id: Which one. A job in a datacenter is named ``job@datacenter``, a local one by its id alone.
        :param kind: Its kind; needed only when several kinds have this id.
        :param about: Only what names this: a token or a need of a cell, a voter of a session, a workflow or a worker of a job.
        """

    async def verify(
        self,
        *,
        checkpoint: str | None = None,
        public_key: str | None = None,
        from_: int | None = None,
        upto: int | None = None,
        since: str | None = None,
    ) -> replies.Verified:
        """Check every hash, link and sequence of the journal: ``history.verify``.

        :param checkpoint: The text of a signed checkpoint, as ``history.checkpoint`` gave it.
        :param public_key: The public key of the log, as ``history.checkpoint`` gave it then; that of the folder when left out. Whoever can rewrite the folder can replace its key, so keep this one elsewhere too.
        :param from_: Checks only the records from this position on; 1 is the first. The reply says what a part cannot show.
        :param upto: Checks only the records up to and with this position.
        :param since: The text of a signed checkpoint up to which everything was checked before: checks the records after it, and that the log goes on from it.
        """

    async def checkpoint(
        self,
    ) -> replies.LogCheckpoint:
        """Sign a checkpoint over everything recorded so far: ``history.checkpoint``."""

    async def prove(
        self,
        *,
        position: int | None = None,
        entity_id: str | None = None,
        kind: str | None = None,
        seq: int | None = None,
        show: bool | None = None,
    ) -> replies.RecordProof:
        """Prove that a record is in the log: ``history.prove``.

        :param position: Its place in the global order, from 1.
        :param entity_id: Whose record, with ``seq``, instead of its position.
        :param kind: Kind of the entity; needed only when several kinds have this id.
        :param seq: Its place in the log of the entity, from 1.
        :param show: Show the record itself? True when left out; with false the proof holds, and what happened is kept back.
        """

    async def prove_records(
        self,
        *,
        positions: Sequence[int],
        log_size: int | None = None,
        paths: bool | None = None,
    ) -> replies.ProvenRecords:
        """Give records with what proves them, by position: ``history.prove_records``.

        :param positions: Their positions, each higher than the one before; at most 1000.
        :param log_size: The size of the log at which they are proven; that of the newest checkpoint when left out.
        :param paths: Give the path of each to the root of the log? True when left out. Whoever has every record needs none.
        """

    async def consistency(
        self,
        *,
        old_checkpoint: str,
    ) -> replies.ConsistencyProof:
        """Prove that the log goes on from an older checkpoint: ``history.consistency``.

        :param old_checkpoint: The text of the older checkpoint.
        """

class AsyncNouns:
    """One attribute for each noun."""

    cell: AsyncCell
    """The mesh registry: cells, rings, arms."""
    cmp: AsyncCmp
    """The authorities at the hub."""
    quorum: AsyncQuorum
    """Quorums: start, vote, look, wait."""
    capacity: AsyncCapacity
    """Capacity of cells: ask, offer, hold, give back."""
    budget: AsyncBudget
    """Limits on what many cells are granted together."""
    agent: AsyncAgent
    """Agents: register, beat, look."""
    consensus: AsyncConsensus
    """Proposals: ask the agents, vote, look, wait, use what was decided."""
    algorithm: AsyncAlgorithm
    """Named rules that decide proposals."""
    session: AsyncSession
    """Questions that hold against voters that lie: open, vote, look, certify, use what was decided."""
    emergence: AsyncEmergence
    """What a crowd does beyond its votes: look for patterns."""
    candidate: AsyncCandidate
    """Candidates: declare what there is to choose by, choose such that not all are alike."""
    voter: AsyncVoter
    """Voters of sessions: register, look, quarantine, release, tell what was right, change keys."""
    job: AsyncJob
    """Jobs: submit, lead, report, end, look."""
    lease: AsyncLease
    """Leases of jobs: who holds which, and how long still."""
    gate: AsyncGate
    """Where a job came in: how it stands over all datacenters."""
    worker: AsyncWorker
    """Who runs the workflows of jobs: register, report, look."""
    member: AsyncMember
    """The nodes of the cluster, as this one sees them: list, measure, check."""
    coordinate: AsyncCoordinate
    """Where nodes stand in the space of round trips: measure, estimate."""
    datacenter: AsyncDatacenter
    """Datacenters: how they are, and how far away."""
    route: AsyncRoute
    """Which datacenter a job goes to: decide, report a failure, look."""
    flow: AsyncFlow
    """Streams of messages with flow control: offer, drain, look."""
    shed: AsyncShed
    """Overload: what is let in, what the load is, and why."""
    pressure: AsyncPressure
    """Who asks whom to slow down."""
    stats: AsyncStats
    """Statistics of running work, and what their fill asks of senders."""
    stop: AsyncStop
    """What may not be done until those who were named let it go on: engage, release, look."""
    retention: AsyncRetention
    """What must not be pruned of the journal, and what was: hold, release, look."""
    subject: AsyncSubject
    """Whose personal data is sealed: look, and destroy its key."""
    hook: AsyncHook
    """What is recorded, posted to a URL: register, look, resume, remove."""
    identity: AsyncIdentity
    """Who may do what, and in whose name: create, rotate, grant, revoke."""
    overview: AsyncOverview
    """What is open, what waits for whom, what is overdue, what is wrong."""
    journal: AsyncJournal
    """The journal as it is stored: what a backup is made of."""
    history: AsyncHistory
    """What happened, and whether it was changed."""

    def __init__(self, core: AsyncCore) -> None: ...
