"""The types of what operations answer. A field that is not there has nothing to say.

Made from the tables of the runtime by
`QUORATE_REWRITE_GOLDEN=1 cargo test --test tidy python`.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict, Union


class _AgentHealth(TypedDict):
    #: Which agent.
    agent_id: str
    #: How it is doing at this instant.
    health: Literal["healthy", "degraded", "critical", "failed"]
    #: Whole milliseconds of silence: since the last of heartbeat, start of monitoring and start of the process.
    elapsed_ms: int
    #: It is being watched: true.
    monitored: bool
    #: Its silence is judged; else it counts as healthy until its first beat.
    judged: bool
    #: Since when it is watched.
    monitored_since: str
    #: Its beats on record, over all time; votes are not among them.
    total_heartbeats: int
    #: Milliseconds within which it is to be heard of.
    interval_ms: int
    #: Intervals of silence after which it has failed.
    failure_threshold: int
    #: Milliseconds between two checks.
    check_period_ms: int
    #: Newest beats kept.
    history_size: int


class AgentHealth(_AgentHealth, total=False):
    """How an agent is doing."""

    #: Its last beat or vote, if there ever was one.
    last_heartbeat: str | None
    #: When it was registered.
    registered_at: str | None


class AgentHistoryPage(TypedDict):
    """Kept beats of an agent, oldest first."""

    #: Which agent.
    agent_id: str
    #: The beats.
    beats: list[BeatView]
    #: How many kept beats lie in the range.
    total_available: int
    #: Its beats on record, over all time; older ones than those kept are in the journal.
    total_heartbeats: int


class AgentLeft(TypedDict):
    """What became of an agent that leaves."""

    #: Which agent.
    agent_id: str
    #: It was registered and is no longer; false when it had left before.
    left: bool


class _AgentMonitored(TypedDict):
    #: Which agent.
    agent_id: str
    #: Watching began now; false when the agent was being watched, and then nothing changed unless it was replaced.
    started: bool
    #: It is being watched.
    monitored: bool
    #: Milliseconds within which it is to be heard of.
    interval_ms: int
    #: Intervals of silence after which it has failed.
    failure_threshold: int
    #: Milliseconds between two checks.
    check_period_ms: int
    #: Newest beats kept.
    history_size: int


class AgentMonitored(_AgentMonitored, total=False):
    """What became of a request to watch an agent."""

    #: It was being watched, and other settings hold from now on.
    replaced: bool


class _AgentPage(TypedDict):
    #: Agents by id.
    agents: list[AgentView]
    #: How many there are.
    total_available: int
    #: The end was not reached.
    more: bool


class AgentPage(_AgentPage, total=False):
    """A page of registered agents."""

    #: Ask with this for what follows, now or later; none when this page is empty and was not asked for with a cursor.
    next_cursor: str | None


class _AgentRegistered(TypedDict):
    #: Which agent.
    agent_id: str
    #: It is newly registered; false when it was before, and then nothing changed unless it was replaced.
    registered: bool
    #: It is being watched.
    monitored: bool
    #: Its silence is judged; else it counts as healthy until its first beat.
    judged: bool
    #: Milliseconds within which it is to be heard of.
    interval_ms: int
    #: Intervals of silence after which it has failed.
    failure_threshold: int
    #: Milliseconds between two checks.
    check_period_ms: int
    #: Newest beats kept.
    history_size: int


class AgentRegistered(_AgentRegistered, total=False):
    """An agent as registered."""

    #: It was registered before, and other settings hold from now on.
    replaced: bool


class AgentStats(TypedDict):
    """Counters over all agents."""

    #: Agents registered now.
    total_agents: int
    #: Of these, being watched.
    monitored_agents: int
    #: How the watched ones are doing.
    health_distribution: HealthDistribution
    #: Beats of all agents and votes that counted as one, over all time.
    total_heartbeats: int


class AgentUnmonitored(TypedDict):
    """What became of a request to watch an agent no longer."""

    #: Which agent.
    agent_id: str
    #: It was being watched and is no longer.
    stopped: bool
    #: It is being watched: false.
    monitored: bool


class _AgentView(TypedDict):
    #: Which agent.
    agent_id: str
    #: It is being watched.
    monitored: bool
    #: Its silence is judged; else it counts as healthy until its first beat.
    judged: bool
    #: When it was registered.
    registered_at: str


class AgentView(_AgentView, total=False):
    """A registered agent."""

    #: How it is doing; none when it is not monitored.
    health: Literal["healthy", "degraded", "critical", "failed"] | None
    #: Its last beat or vote since it was registered, if there was one.
    last_heartbeat: str | None


class Agreement(TypedDict):
    """How two voters compare, by the last vote of each on every question: they agreed on ``agreed`` of ``both``."""

    #: The two.
    voters: list[str]
    #: Questions on which both voted.
    both: int
    #: Of those, with the same vote.
    agreed: int


class _AlgorithmDefault(TypedDict):
    #: The name asked for.
    name: str
    #: False when nothing is registered under it.
    set: bool


class AlgorithmDefault(_AlgorithmDefault, total=False):
    """The default was set, if there is such an algorithm."""

    #: The default from now on.
    default: str | None


class _AlgorithmList(TypedDict):
    #: Registered algorithms, in the order in which they were registered; custom ones last.
    algorithms: list[AlgorithmView]
    #: The rules that can be given a name.
    rules: list[RuleView]


class AlgorithmList(_AlgorithmList, total=False):
    """What can decide."""

    #: The default, when there is one.
    default: str | None


class _AlgorithmRegistered(TypedDict):
    #: The name.
    name: str
    #: False when the name stood for the same rule before; nothing changed.
    registered: bool


class AlgorithmRegistered(_AlgorithmRegistered, total=False):
    """A name stands for a rule."""

    #: The rule under this name.
    rule: dict[str, Any] | None
    #: The rule it took the place of.
    replaced: dict[str, Any] | None


class AlgorithmStats(TypedDict):
    """Counters of one algorithm."""

    #: Proposals that ended.
    proposals: int
    #: Approved.
    approved: int
    #: Rejected.
    rejected: int
    #: Ended by their deadline.
    timeouts: int
    #: Approved of those that ended, 0 when none has.
    approval_rate: float


class _AlgorithmUnregistered(TypedDict):
    #: The name.
    name: str
    #: False when nothing was registered under it.
    unregistered: bool


class AlgorithmUnregistered(_AlgorithmUnregistered, total=False):
    """A name was taken away, if there was one."""

    #: The default from now on.
    default: str | None


class _AlgorithmView(TypedDict):
    #: Its name.
    name: str
    #: It is a function registered in this process.
    custom: bool
    #: It decides when no other is named.
    default: bool


class AlgorithmView(_AlgorithmView, total=False):
    """A registered algorithm."""

    #: Its rule; none for a custom one.
    rule: dict[str, Any] | None


class Asker(TypedDict):
    """The identity that asked for something, and the party in whose name it did."""

    #: The identity.
    identity: str
    #: The party it acted as: ``cell:NAME`` for capacity, ``holder:NAME`` for a lease.
    party: str


class _AuditBallotView(TypedDict):
    #: Place in the proposal's log.
    seq: int
    #: Who voted.
    voter_id: str
    #: How.
    vote: Literal["for", "against", "abstain"]
    #: When it was received.
    cast_at: str
    #: Part of the count when it was cast.
    counted: bool
    #: A later vote of the same agent took its place.
    superseded: bool
    #: The attempt was refused.
    refused: bool


class AuditBallotView(_AuditBallotView, total=False):
    """One vote or refused attempt on a proposal, with what became of it."""

    #: The weight the agent claimed.
    weight: float | None
    #: What the agent added.
    metadata: Any
    #: Why: ``late``, ``already_voted``, ``not_participant``, ``delegated``.
    reason: str | None
    #: Why the agent voted so, in its own words.
    voter_reason: str | None
    #: The answer that came with it.
    value: Any


class _AuditVoteView(TypedDict):
    #: Place in the quorum's log.
    seq: int
    #: Who voted.
    voter_id: str
    #: True approves.
    vote: bool
    #: How sure the voter was.
    confidence: float
    #: When it was received.
    cast_at: str
    #: Part of the tally when it was cast.
    counted: bool
    #: A later vote of the same voter took its place.
    superseded: bool
    #: The attempt was refused.
    refused: bool


class AuditVoteView(_AuditVoteView, total=False):
    """One vote or refused attempt, with what became of it."""

    #: Why it was not counted: ``outsider``, ``low_confidence``, ``late``, ``change_not_allowed``, ``not_eligible``.
    reason: str | None
    #: Why the voter voted so, in its own words.
    voter_reason: str | None


class AuthorityRegistered(TypedDict):
    """An authority as registered."""

    #: Who.
    authority_id: str
    #: Authorities there are now.
    authorities: int
    #: Epoch of the registry after it.
    epoch: int
    #: The registry changed; false when the authority was known.
    changed: bool


class AwaitedVoter(TypedDict):
    """Somebody whose votes are outstanding."""

    #: Who.
    voter_id: str
    #: How many open questions wait for it.
    questions: int
    #: When the first of them ends by itself.
    next_deadline: str
    #: Until then, in milliseconds.
    left_ms: int


class _BallotView(TypedDict):
    #: How.
    vote: Literal["for", "against", "abstain"]
    #: When it was received.
    cast_at: str


class BallotView(_BallotView, total=False):
    """A vote that stands."""

    #: The weight the agent claimed.
    weight: float | None
    #: What the agent added.
    metadata: Any
    #: Why it voted so, in its own words.
    reason: str | None
    #: The answer it brought.
    value: Any
    #: The participant in whose place it was cast, when that one handed it on.
    in_place_of: str | None


class _BeatView(TypedDict):
    #: When.
    at: str


class BeatView(_BeatView, total=False):
    """One beat."""

    #: What the agent said about itself.
    metadata: Any


class _Beaten(TypedDict):
    #: Which agent.
    agent_id: str
    #: The beat is on record.
    recorded: bool


class Beaten(_Beaten, total=False):
    """What became of a beat."""

    #: How the agent is doing now; none when it is not monitored.
    health: Literal["healthy", "degraded", "critical", "failed"] | None


class _BrokenView(TypedDict):
    #: The commit group it stands in.
    group: int
    #: What does not fit.
    why: str


class BrokenView(_BrokenView, total=False):
    """The first broken entry."""

    #: Its place in the global order, when known.
    position: int | None
    #: Kind and id of its entity, when known.
    entity: str | None
    #: Its place in the entity's log, when known.
    seq: int | None


class _BudgetStatus(TypedDict):
    #: Which budget.
    budget_id: str
    #: By resource.
    resources: dict[str, BudgetUse]
    #: Live grants charged to it.
    grants: int


class BudgetStatus(_BudgetStatus, total=False):
    """How a budget stands."""

    #: What each rate has ready.
    rates: dict[str, RateStatus]
    #: Reservations that are not settled.
    reservations: int


class _BudgetUse(TypedDict):
    #: How much is granted now.
    used: float
    #: Needs that wait for room.
    waiting: int


class BudgetUse(_BudgetUse, total=False):
    """One resource of a budget."""

    #: How much may be granted at once; none = no limit.
    limit: float | None


class ByClass(TypedDict):
    """A count for each class."""

    #: Liveness, votes, cancellation, leadership.
    control: int
    #: Work that is handed out.
    dispatch: int
    #: Progress and reports.
    data: int
    #: What nobody misses for a while.
    telemetry: int


class ByPriority(TypedDict):
    """A count for each priority."""

    #: Control: 0 for ever.
    critical: int
    #: Dispatch.
    high: int
    #: Data.
    normal: int
    #: Telemetry.
    low: int


class _Cancelled(TypedDict):
    #: Which quorum.
    quorum_id: str
    #: Where it stands.
    state: Literal["open", "approved", "rejected", "timed_out", "cancelled"]
    #: It was cancelled before; nothing changed.
    duplicate: bool


class Cancelled(_Cancelled, total=False):
    """What became of a cancellation."""

    #: When it ended.
    closed_at: str | None


class CandidateRegistered(TypedDict):
    """A candidate as declared."""

    #: Which voter.
    candidate_id: str
    #: Its label.
    kind: str
    #: How fit it is.
    fitness: float
    #: What was measured.
    metrics: dict[str, float]
    #: Its traits.
    traits: dict[str, float]
    #: The same was declared before; nothing changed.
    duplicate: bool


class _CandidatesSelected(TypedDict):
    #: Id of the choice.
    selection_id: str
    #: The chosen ones, in the order in which they were chosen.
    chosen: list[ChosenView]
    #: Their ids, as ``session.open`` takes them for its ``voters``.
    voters: list[str]
    #: Why each of the others was not chosen.
    left_out: dict[str, str]
    #: How many fewer were chosen than could have been, since the rest is too much alike; 0 unless strict.
    shortfall: int
    #: Those that no other beats in every criterion.
    front: list[str]
    #: How many kinds there effectively are among the chosen.
    effective_kinds: float
    #: The same choice was on record before; nothing changed.
    duplicate: bool


class CandidatesSelected(_CandidatesSelected, total=False):
    """What was chosen, and why the others were not."""

    #: The least distance of two chosen ones; none of fewer than two.
    least_distance: float | None


class CapView(TypedDict):
    """A cap that was met."""

    #: How many are in flight there.
    in_flight: int
    #: How many may be.
    cap: int


class CapacityConfigured(TypedDict):
    """Whether a setting changed anything."""

    #: Something was not so before.
    changed: bool


class _CapacityOffered(TypedDict):
    #: ``offered``, ``insufficient_capacity``, ``no_pending_need``, or of a repeat whose time is over ``expired``.
    status: str
    #: Who offers.
    source: str
    #: To whom.
    destination: str
    #: How much.
    capacity: float


class CapacityOffered(_CapacityOffered, total=False):
    """What became of an offer."""

    #: Which offer, if there is one.
    offer_id: str | None
    #: The token it became, if a need was granted.
    token_id: str | None
    #: How much of it went into the token; the rest went back.
    used: float | None
    #: Until when it stays open.
    expires_at: str | None
    #: Insufficient: what the source has.
    available: float | None
    #: Insufficient: what it offered.
    requested: float | None
    #: True when the source takes part since this offer: nobody had set it up, and it has capacity of its own.
    created: bool
    #: The same was offered before under this ``offer_id``; nothing changed by offering again.
    duplicate: bool


class _CapacityReleased(TypedDict):
    #: ``released`` or ``nothing_to_release``.
    status: str
    #: Who.
    cell_id: str
    #: How much was really given back.
    capacity: float
    #: What is available at this cell now.
    total_capacity: float


class CapacityReleased(_CapacityReleased, total=False):
    """What was given back."""

    #: The request was answered before under the same idempotency key.
    duplicate: bool


class _CapacityRequested(TypedDict):
    #: ``granted``, ``pending``, ``overloaded``, or of a need that ended without a grant ``expired``, ``cancelled``.
    status: str
    #: Who asked.
    cell_id: str


class CapacityRequested(_CapacityRequested, total=False):
    """What became of a request for capacity."""

    #: Granted: the token, or the first of several.
    token_id: str | None
    #: Granted: how much in all, over every token.
    capacity: float | None
    #: Granted: whose capacity ``token_id`` is, ``self`` or another cell.
    source: str | None
    #: Granted by several tokens: how much of ``capacity`` is that of ``token_id``; the rest is in ``tokens``, and each is acknowledged for itself.
    token_capacity: float | None
    #: Granted: every token of the need, whose it is and how much; together they are ``capacity``.
    tokens: list[TokenView]
    #: Pending: how much is waited for.
    requested_capacity: float | None
    #: Pending, overloaded: how many needs wait, this one among them if it does.
    pending_requests: int | None
    #: Overloaded: requests are taken again once no more than this many wait.
    low_water: int | None
    #: The need, unless nothing was queued.
    need_id: str | None
    #: Until when it waits or waited.
    deadline: str | None
    #: Overloaded: what to do.
    message: str | None
    #: True when the cell takes part since this request: nobody had set it up, and it has capacity of its own.
    created: bool
    #: The same was asked before under this ``need_id``; nothing changed by asking again.
    duplicate: bool


class _CapacityReserved(TypedDict):
    #: ``granted``; ``exhausted``: not now, and ``retry_after_ms`` says when; ``never``: a rate never holds so much; or of a repeat that has ended ``settled``, ``expired``.
    status: str
    #: Who asked.
    cell_id: str


class CapacityReserved(_CapacityReserved, total=False):
    """What became of a reservation."""

    #: The reservation; none when nothing was reserved.
    token_id: str | None
    #: How much of each unit.
    amounts: dict[str, int]
    #: All budgets it was taken from.
    budgets: list[str]
    #: The last instant at which it can be settled.
    expires_at: str | None
    #: Exhausted: after so many milliseconds the refill suffices, if nobody takes anything meanwhile.
    retry_after_ms: int | None
    #: Exhausted, never: the rates that do not have enough.
    short: list[RateShort]
    #: It was reserved before; nothing changed.
    duplicate: bool


class _CapacitySettled(TypedDict):
    #: ``settled``.
    status: str
    #: Who held it.
    cell_id: str
    #: Which reservation.
    token_id: str
    #: How much of each unit was estimated.
    reserved: dict[str, int]
    #: How much was used.
    actual: dict[str, int]
    #: The rates for which that made a difference.
    changes: list[RateChange]


class CapacitySettled(_CapacitySettled, total=False):
    """What settling a reservation changed."""

    #: It was settled so before; nothing changed.
    duplicate: bool


class CapacityStats(TypedDict):
    """Counters over all cells, since the store was made."""

    #: Cells that ever took part.
    total_cells: int
    #: Cells that refuse requests now.
    overloaded_cells: int
    #: Tokens ever acknowledged.
    total_tokens: int
    #: Tokens that live now.
    active_tokens: int
    #: Mean of what is available at the cells; 0 without cells.
    avg_capacity: float
    #: Needs granted.
    granted: int
    #: Tokens released to their end.
    released: int
    #: Tokens whose lease ended.
    expired: int
    #: Tokens taken away.
    revoked: int
    #: Needs that waited in vain.
    needs_expired: int
    #: Offers made.
    offers: int
    #: Offers whose time was over.
    offers_expired: int
    #: Times a cell became overloaded.
    overloads: int
    #: Tokens handed over.
    transfers: int
    #: Attempts to use a token of another.
    refused_uses: int
    #: Needs cancelled before they were granted.
    needs_cancelled: int


class _CapacityStatus(TypedDict):
    #: Which cell.
    cell_id: str
    #: ``overloaded``, ``need``, ``offer``, ``ack`` or ``idle``.
    state: str
    #: What is available: neither lent nor reserved.
    capacity: float
    #: Needs that wait.
    pending_needs: int
    #: Open offers to this cell.
    pending_offers: int
    #: Live tokens this cell may use.
    active_tokens: int
    #: Of those, not acknowledged.
    unacked_tokens: int
    #: What the cell has in total; available, reserved and lent add up to it.
    total: float
    #: Reserved by open offers this cell made.
    reserved: float
    #: Live tokens made of this cell's capacity, whoever holds them.
    lent: float
    #: Live tokens this cell may use, whoever's capacity they are.
    held: float


class CapacityStatus(_CapacityStatus, total=False):
    """How a cell stands."""

    #: True when nobody has set the cell up, registered or used it: it is shown as it would begin.
    unknown: bool
    #: Of an unknown cell: known ones that have names like it.
    nearest: list[str]


class _CapacityToken(TypedDict):
    #: ``acknowledged``, ``renewed``, ``transferred``, or of a token that is gone ``revoked``, ``released``, ``expired``.
    status: str
    #: Which.
    token_id: str


class CapacityToken(_CapacityToken, total=False):
    """A token after its holder acted on it."""

    #: Whose capacity it is.
    source: str | None
    #: Who holds it.
    destination: str | None
    #: How much.
    capacity: float | None
    #: The last instant of its lease.
    expires_at: str | None
    #: It was so before; nothing changed.
    duplicate: bool


class _CellPage(TypedDict):
    #: Cells by id.
    cells: list[CellView]
    #: How many cells there are.
    total_available: int
    #: The end was not reached.
    more: bool
    #: The authorities at the hub.
    authorities: list[str]
    #: Pairs in which the first lists the second as a neighbour but not the other way round; at most 1000.
    asymmetric_pairs: list[list[Any]]
    #: Epoch of the registry.
    epoch: int


class CellPage(_CellPage, total=False):
    """A page of the mesh registry."""

    #: Ask with this for what follows, now or later; none when this page is empty and was not asked for with a cursor.
    next_cursor: str | None


class _CellRegistered(TypedDict):
    #: Which cell.
    cell_id: str
    #: Its neighbours.
    neighbors: list[str]
    #: Epoch of the registry after it.
    epoch: int
    #: The registry changed; false when the entry already was so.
    changed: bool


class CellRegistered(_CellRegistered, total=False):
    """A cell as registered."""

    #: Its ring.
    ring: int | None
    #: Its arm.
    arm: str | None
    #: Its department.
    department: str | None


class _CellView(TypedDict):
    #: Which cell.
    cell_id: str
    #: Its neighbours.
    neighbors: list[str]


class CellView(_CellView, total=False):
    """A cell of the mesh registry."""

    #: Its ring.
    ring: int | None
    #: Its arm.
    arm: str | None
    #: Its department.
    department: str | None


class _CheckpointCheck(TypedDict):
    #: Every record that it was signed over is there, unchanged and in its place.
    contained: bool


class CheckpointCheck(_CheckpointCheck, total=False):
    """What the journal says to a checkpoint."""

    #: How many records it was signed over; ``null`` when its signature does not fit.
    size: int | None
    #: Why it is not contained.
    why: str | None


class ChosenView(TypedDict):
    """One that was chosen, and what speaks for it, each part from 0 to 1."""

    #: Which.
    candidate_id: str
    #: Its label.
    kind: str
    #: All together.
    utility: float
    #: The weighted mean of the criteria.
    criteria: float
    #: What each criterion adds to that.
    contributions: dict[str, float]
    #: How well it has the traits that are asked for.
    traits: float
    #: How well its traits suit the context.
    suitability: float
    #: Its potential for emergence.
    emergence: float


_ClassEstimate = TypedDict("_ClassEstimate", {
    "class": "str",
    "enough": "bool",
    "samples": "int",
    "evidence": "str",
})
_ClassEstimateOther = TypedDict("_ClassEstimateOther", {
    "timeout_seconds": "float | None",
    "stuck_threshold": "float | None",
}, total=False)


class ClassEstimate(_ClassEstimate, _ClassEstimateOther):
    """What is known of the durations of a class."""


_ClassView = TypedDict("_ClassView", {
    "class": "Literal['control', 'dispatch', 'data', 'telemetry']",
    "priority": "Literal['critical', 'high', 'normal', 'low']",
    "in_flight": "int",
    "cap": "int",
    "acquired_total": "int",
    "shed_total": "int",
    "expired_total": "int",
    "operations_in_flight": "int",
    "operations_admitted": "int",
    "operations_shed": "int",
})
_ClassViewOther = TypedDict("_ClassViewOther", {
}, total=False)


class ClassView(_ClassView, _ClassViewOther):
    """One class at this instant."""


class _ConsensusHistoryPage(TypedDict):
    #: The latest ones that ended before the cursor.
    history: list[ConsensusResult]
    #: How many stand here.
    total: int
    #: How many ever ended.
    total_available: int
    #: There are older ones.
    more: bool


class ConsensusHistoryPage(_ConsensusHistoryPage, total=False):
    """Ended proposals, oldest first."""

    #: Ask with this for older ones; the cursor that was given when this page is empty.
    next_cursor: str | None
    #: How many were pruned and are in no page; left out when none was. ``total_available`` counts them.
    pruned: int | None


class _ConsensusMetadata(TypedDict):
    #: Agents that were asked.
    total_participants: int
    #: Those that voted, of those that were asked; 0 when nobody was.
    participation_rate: float
    #: Those that voted for, of those that were asked; 0 when nobody was.
    approval_rate: float
    #: Agents that were not asked because of their health.
    excluded_agents: list[str]
    #: Agents registered when the question was put, among those meant.
    registered_count: int
    #: Agents that the question reached: they took it from an inbox, or the coordinator says so. Agents without an inbox ask for the open proposals, and are not counted.
    reached: int
    #: Agents that could not be told so far.
    unreached_agents: list[str]


class ConsensusMetadata(_ConsensusMetadata, total=False):
    """Numbers beside a result."""

    #: Weight of all that were asked, where the algorithm weighs.
    total_weight: float | None
    #: Weight of those that voted for.
    weighted_for: float | None
    #: Weight of those that voted against.
    weighted_against: float | None
    #: Weight of those that voted for, of all weight; 0 when there is none.
    weighted_approval: float | None
    #: Why the question could not be put or judged: ``no_agents``, ``insufficient_healthy_agents``, ``unreachable`` when too few were left to meet the algorithm, ``algorithm_error``, or what the coordinator said.
    error: str | None
    #: Why it ended other than by its votes: as ``error``, or ``algorithm_unavailable``; ``zero_total_weight`` in journals of earlier versions.
    reason: str | None
    #: What exactly went wrong, or why it was cancelled.
    detail: str | None
    #: How often the time for votes was extended, if it was.
    extensions: int | None
    #: Who asked for the latest extension.
    extended_by: str | None
    #: Who withdrew the question.
    cancelled_by: str | None


class ConsensusReminded(TypedDict):
    """Who was told again."""

    #: Which proposal.
    proposal_id: str
    #: Who was told again, by name, and how often each of them was reminded so far; those who were within the last minute are left out.
    reminded: dict[str, int]
    #: The agents whose votes are outstanding, by name.
    outstanding: list[str]


class _ConsensusResult(TypedDict):
    #: Which proposal.
    proposal_id: str
    #: ``open``, or as ``decision``.
    state: str
    #: Votes for.
    votes_for: int
    #: Votes against.
    votes_against: int
    #: Abstentions.
    votes_abstain: int
    #: The agents that voted, in the order of their first votes.
    participants: list[str]
    #: Registered name of the algorithm.
    algorithm_used: str
    #: Milliseconds from opening to end, or so far.
    duration_ms: float
    #: More numbers.
    metadata: ConsensusMetadata
    #: What was asked.
    proposal: Any
    #: The votes that stand, by who cast them.
    votes: dict[str, BallotView]
    #: When the question was put.
    opened_at: str
    #: The last instant at which a vote is on time, after all extensions.
    deadline: str


class ConsensusResult(_ConsensusResult, total=False):
    """How a proposal stands, or ended."""

    #: ``approved``, ``rejected``, ``timeout``, ``cancelled``, or ``aborted`` for a question that could not be put or answered; none while it is open.
    decision: Literal["approved", "rejected", "timeout", "aborted", "cancelled"] | None
    #: The bar of the algorithm, a fraction or a count; none for a custom one.
    threshold: float | None
    #: The agents that were asked and have not voted while it is open, by name.
    outstanding: list[str]
    #: What a vote for it must bring as its ``value``, as a JSON Schema, where an answer is asked for.
    answer_schema: Any
    #: The answers of the votes that prevailed, by who gave them, once it is approved or rejected.
    values: dict[str, Any] | None
    #: The answer of all votes that prevailed, where they agree on one.
    answer: Any
    #: Places that went to somebody else, in that order.
    delegations: list[DelegationView]
    #: How often those whose votes are outstanding were reminded, if they were.
    reminded: dict[str, int]
    #: How often they are reminded by themselves.
    remind_every_ms: int | None
    #: Who cast the deciding vote.
    decided_by: str | None
    #: When it ended: the deciding vote or the deadline.
    closed_at: str | None
    #: When the end was noticed; later than ``closed_at`` after downtime.
    noticed_at: str | None
    #: The operation that the decision allows, and what was used of it.
    operation: OperationView | None
    #: The request was answered before under the same idempotency key, or an extension, a delegation or a cancellation changed nothing; told by those alone.
    duplicate: bool | None
    #: What of a repeated delegation is not as it was the first time, which stands: ``reason``.
    differs: list[str]


class ConsensusStats(TypedDict):
    """Counters over all proposals that ever were."""

    #: Proposals that ended; approved, rejected and timeouts together.
    total_proposals: int
    #: Approved.
    approved: int
    #: Rejected.
    rejected: int
    #: Ended by their deadline.
    timeouts: int
    #: Mean milliseconds from opening to end, timeouts among them; 0 when none has ended.
    avg_duration_ms: float
    #: Approved of those that ended, 0 when none has.
    approval_rate: float
    #: Open now.
    active_proposals: int
    #: Those that could not be put to the agents; not among ``total_proposals``.
    aborted: int
    #: Those that somebody withdrew; not among ``total_proposals`` either.
    cancelled: int
    #: Votes recorded, changes among them.
    votes: int
    #: Refused attempts.
    refused_votes: int
    #: Of these, after the close.
    late_votes: int
    #: By registered name of the algorithm.
    by_algorithm: dict[str, AlgorithmStats]


class ConsensusVoted(TypedDict):
    """What became of a vote that was taken."""

    #: Which proposal.
    proposal_id: str
    #: Who voted.
    agent_id: str
    #: How.
    vote: Literal["for", "against", "abstain"]
    #: It is on record by this request.
    recorded: bool
    #: ``recorded`` or ``duplicate``.
    outcome: Literal["recorded", "duplicate"]
    #: The same vote stood before; nothing changed, and what came with it now is not kept.
    duplicate: bool
    #: It took the place of an earlier one.
    changed: bool
    #: ``open``, or how the question ended.
    state: str


class Consistency(TypedDict):
    """A proof that the tree of the newer checkpoint begins with that of the older one."""

    #: ``quorate.consistency.v1``.
    format: str
    #: The public key of the log.
    public_key: str
    #: The older checkpoint.
    old_checkpoint: str
    #: The newer one.
    checkpoint: str
    #: The hashes that lead from one root to the other.
    hashes: list[str]


class ConsistencyProof(TypedDict):
    """The proof that the log goes on from an older checkpoint."""

    #: Both checkpoints, and the hashes that lead from one to the other.
    proof: Consistency


_CoordinateEstimate = TypedDict("_CoordinateEstimate", {
    "from": "str",
    "to": "str",
    "rtt_ucb_ms": "float",
    "coordinate_quality": "float",
    "converged": "bool",
})
_CoordinateEstimateOther = TypedDict("_CoordinateEstimateOther", {
    "rtt_ms": "float | None",
    "measured": "MeasuredLink | None",
}, total=False)


class CoordinateEstimate(_CoordinateEstimate, _CoordinateEstimateOther):
    """How far two nodes are apart."""


class CoordinateView(TypedDict):
    """Where a node stands."""

    #: Which node.
    node_id: str
    #: Where it stands.
    vivaldi_coord: VivaldiCoordinate
    #: Has it settled?
    converged: bool
    #: How far it can be relied on, 0 to 1.
    coordinate_quality: float
    #: Since when it stands there.
    updated_at: str


_DatacenterList = TypedDict("_DatacenterList", {
    "datacenters": "list[DatacenterView]",
    "from": "str",
    "converged": "bool",
})
_DatacenterListOther = TypedDict("_DatacenterListOther", {
    "unknown": "list[str]",
}, total=False)


class DatacenterList(_DatacenterList, _DatacenterListOther):
    """The datacenters, at most 1,024."""


class DatacenterPressure(TypedDict):
    """What a datacenter asks of the gates."""

    #: Which.
    datacenter: str
    #: The worst level of its managers.
    level: Literal["none", "throttle", "batch", "reject"]
    #: What that makes of what is sent to it: ``no_backpressure``, ``throttled``, ``batch_only`` or ``reject``.
    state: str
    #: The longest delay of its managers.
    delay_ms: int
    #: Its managers.
    managers: list[ManagerPressure]
    #: Reports of progress that were not let on to it.
    refused: int


class DatacenterRemoved(TypedDict):
    """A datacenter that is no more."""

    #: Which datacenter.
    datacenter_id: str


class _DatacenterView(TypedDict):
    #: Which datacenter.
    datacenter_id: str
    #: How well it says it is.
    health_bucket: str
    #: Cores that are free.
    available_cores: int
    #: Cores that there are.
    total_cores: int
    #: Jobs that wait.
    queue_depth: int
    #: Its leader's local health.
    lhm_multiplier: float
    #: The part of its managers that do not answer calls.
    circuit_breaker_pressure: float
    #: Managers that are registered.
    total_managers: int
    #: Managers that are alive and answer.
    healthy_managers: int
    #: Is its distance known to the gate?
    has_coordinate: bool
    #: Upper bound of the round trip in ms, to the microsecond; 200 where nothing is known.
    rtt_ucb_ms: float
    #: How far that can be relied on, 0 to 1.
    coordinate_quality: float
    #: When its health was last heard. After 30 s it counts as ``DEGRADED``.
    last_health_at: str


class DatacenterView(_DatacenterView, total=False):
    """A datacenter as it looks from a gate."""

    #: The node that leads it.
    leader_id: str | None


class _DecisionSpent(TypedDict):
    #: What the use is known by. ``job.submit`` takes it once.
    spend_token: str
    #: The name of the operation.
    tool: str
    #: The hash of tool and arguments.
    operation_hash: str
    #: Which use it is, from 1.
    number: int
    #: How often the decision may be used.
    uses: int
    #: When it was used.
    spent_at: str
    #: It was used under this key before; nothing changed.
    duplicate: bool


class DecisionSpent(_DecisionSpent, total=False):
    """A use of a decision, on record."""

    #: The fencing token under which it was.
    fence: int | None
    #: Who did it.
    spent_by: str | None


_DelegationView = TypedDict("_DelegationView", {
    "from": "str",
    "to": "str",
    "in_place_of": "str",
    "at": "str",
})
_DelegationViewOther = TypedDict("_DelegationViewOther", {
    "reason": "str | None",
}, total=False)


class DelegationView(_DelegationView, _DelegationViewOther):
    """A place that went to somebody else."""


class Diagnosis(TypedDict):
    """What is said of every crowd."""

    #: Entropy of the choices, in nats.
    entropy: float
    #: How many options there effectively were.
    effective_opinions: float
    #: 0 when all agree, 1 when half say 0 and half say 1.
    polarisation: float
    #: Who voted for something else than what won.
    dissenters: list[str]


class DurationCounts(TypedDict):
    """How long it took until entities of a kind ended. A quantile is the smallest of the durations that at least so many of a hundred do not exceed."""

    #: What ended.
    kind: str
    #: How many ended.
    count: int
    #: The shortest, in milliseconds.
    min_ms: int
    #: Half took no longer.
    p50_ms: int
    #: 90 of 100 took no longer.
    p90_ms: int
    #: 99 of 100 took no longer.
    p99_ms: int
    #: The longest.
    max_ms: int


class _ElectorView(TypedDict):
    #: Who.
    voter_id: str
    #: How much it counts.
    power: float


class ElectorView(_ElectorView, total=False):
    """One voter of the electorate as it was frozen."""

    #: How much it would count without the cap; left out when that is the same.
    uncapped_power: float | None
    #: The key of its signatures.
    public_key: str | None
    #: The version of that key, of one that took the place of another.
    key_version: int | None


class EmergenceReport(TypedDict):
    """What a crowd did beyond its votes. Advisory: no tally, quorum or decision depends on it."""

    #: Which session.
    session_id: str
    #: How sensitive the scan was.
    sensitivity: float
    #: Largest p-value of a pattern that is shown.
    significance: float
    #: Least strength of a pattern that is shown; anomalies have thresholds of their own.
    least_effect: float
    #: Rounds that were looked at.
    rounds: int
    #: Counted votes in the last of them; below 5 nothing is looked for.
    votes: int
    #: The patterns, in a fixed order.
    signals: list[EmergenceSignal]
    #: How a ranking may be adjusted, 0.9 to 1.1: above 1 only for collective intelligence that the outcome has proven.
    emergence_factor: float
    #: What is said of every crowd, pattern or not.
    diagnosis: Diagnosis


class _EmergenceSignal(TypedDict):
    #: ``synchronization``, ``cascade``, ``collective_intelligence``, ``convergence``, one of the anomalies (``outlier_voting``, ``score_deviation``, ``temporal_cluster``, ``weight_manipulation``, ``coordinated_attack``) or of the swarms (``dispersal``, ``clustering``, ``herding``, ``schooling``, ``flocking``).
    pattern: str
    #: The effect, 0 to 1; for an anomaly the share of the power it concerns.
    strength: float
    #: How many votes, voters or movers were looked at.
    n: int
    #: What would be so without the pattern.
    null_model: str
    #: Whom it concerns, where it concerns some.
    voters: list[str]
    #: What else the pattern has: its window, initiator, target and the like.
    details: Any


class EmergenceSignal(_EmergenceSignal, total=False):
    """A pattern, and what speaks for it."""

    #: How likely an effect as great is by chance; null where an anomaly has a threshold instead.
    p_value: float | None
    #: One less the p-value. It is no probability that the pattern is there.
    confidence: float | None


class EndedKeyView(TypedDict):
    """A key that ended."""

    #: Its version.
    version: int
    #: It.
    public_key: str
    #: When it ended.
    ended_at: str


class _EntityLog(TypedDict):
    #: Kind of the entity.
    kind: str
    #: Which entity.
    entity_id: str
    #: How many events its log holds.
    revision: int
    #: The events of this page.
    events: list[EventView]
    #: For a quorum: the votes and refused attempts among the events of this page.
    votes: list[AuditVoteView]
    #: For a proposal: the votes and refused attempts among the events of this page.
    ballots: list[AuditBallotView]
    #: The end was not reached.
    more: bool


class EntityLog(_EntityLog, total=False):
    """The log of one entity."""

    #: Ask with this for what follows, now or later; none when this page is empty and was not asked for with a cursor.
    next_cursor: str | None


class EntityWhy(TypedDict):
    """What led to how an entity stands, oldest first."""

    #: Kind of the entity.
    kind: str
    #: The entity to explain.
    entity_id: str
    #: The newest 1000 links of the chain.
    chain: list[WhyStep]
    #: How many older ones are left out.
    left_out: int


class EventCount(TypedDict):
    """How many events of one name."""

    #: Kind of their entities.
    kind: str
    #: Their name.
    event: str
    #: How many.
    count: int


class _EventPage(TypedDict):
    #: The events.
    events: list[EventView]
    #: The end was not reached.
    more: bool


class EventPage(_EventPage, total=False):
    """A page of recorded events, oldest first."""

    #: Ask with this for what follows, now or later; none when this page is empty and was not asked for with a cursor.
    next_cursor: str | None
    #: What was pruned of the places that the page is about, by pruning: nothing more can be said of it. Not told where one entity is named.
    pruned: list[PrunedSpan]
    #: Filters whose names nobody here has, where nothing fits them: they may be misspelt.
    unknown: list[str]


class _EventView(TypedDict):
    #: Place in the global order, from 1.
    position: int
    #: Kind of the entity.
    kind: str
    #: Which entity.
    entity_id: str
    #: Place in the entity's log, from 1.
    seq: int
    #: When it was decided.
    at: str
    #: The same in milliseconds since the Unix epoch.
    at_ms: int
    #: What happened.
    event: str
    #: Everything recorded about it.
    data: Any
    #: Chain hash of the entity's log up to here, in hex.
    hash: str


class EventView(_EventView, total=False):
    """One recorded event."""

    #: It is an attempt that was refused, and had no other effect.
    refused: bool
    #: The identity under which it was done; none where nobody was asked who calls, and where it followed by itself.
    identity: str | None


class EvidenceView(TypedDict):
    """A proven fault."""

    #: Its hash.
    evidence_id: str
    #: Whose.
    voter_id: str
    #: Which.
    fault: str
    #: ``observed`` by this process, or ``transferable``: everybody can check it.
    level: str
    #: In which round.
    round: int
    #: The hashes of both votes; the votes themselves stand in the history.
    votes: list[str]
    #: It came after the end.
    late: bool
    #: When.
    at: str


class ExclusionView(TypedDict):
    """A voter that contributes nothing, and why."""

    #: Who.
    voter_id: str
    #: ``equivocation``, ``inconsistent_across_rounds``, ``quarantined`` or ``byzantine``.
    reason: str


class ExplainView(TypedDict):
    """Why what is refused is refused."""

    #: The state.
    state: Literal["healthy", "busy", "stressed", "overloaded"]
    #: What led to it.
    cause: Literal["none", "pending", "delta", "drift", "absolute", "cpu", "memory", "queue_delay"]
    #: What was measured, in the unit of the cause.
    measured: float
    #: What it was compared with.
    threshold: float
    #: Since when the state is what it is.
    since: str
    #: The state before.
    before: Literal["healthy", "busy", "stressed", "overloaded"]
    #: Classes that are refused now.
    refuses: list[Literal["control", "dispatch", "data", "telemetry"]]


class FinalTally(TypedDict):
    """The final count of a quorum."""

    #: Counted votes.
    total_votes: int
    #: Counted approvals.
    approve_votes: int
    #: Counted rejections.
    reject_votes: int
    #: Approvals needed.
    required_votes: int
    #: Approvals have reached the number needed.
    quorum_reached: bool
    #: More approvals than rejections.
    consensus: bool


class _FinalVote(TypedDict):
    #: True approves.
    vote: bool
    #: How sure the voter was.
    confidence: float
    #: It is part of the tally.
    counted: bool
    #: When it was received.
    cast_at: str


class FinalVote(_FinalVote, total=False):
    """The vote of one voter that stands."""

    #: Why it was cast so, in the voter's words.
    reason: str | None


class _FlowAdviceView(TypedDict):
    #: Which stream.
    flow_id: str
    #: What to do.
    action: Literal["ok", "throttle", "pause", "warning", "disconnect"]
    #: Why.
    reason: Literal["flowing", "backpressure_threshold", "pause_threshold", "drop_rate_high", "drop_rate_unhealthy"]
    #: The fill as a ratio.
    buffer_fill: float
    #: A step that would help: ``continue``, ``slow_down``, ``wait_and_look_again``, ``grow_or_slow_down``, ``disconnect``.
    suggested_action: str
    #: Lost among offered, over the sliding window, 0 to 1.
    drop_rate: float
    #: What the drop rate means.
    health: Literal["healthy", "warning", "unhealthy"]


class FlowAdviceView(_FlowAdviceView, total=False):
    """What to do about a stream."""

    #: How long to wait with it, where that is part of it.
    suggested_delay_ms: int | None


class FlowConfig(TypedDict, total=False):
    """The knobs of a flow-controlled stream; what is left out keeps its default."""

    #: Messages that fit; default 1000.
    max_buffer_size: int
    #: Bytes of JSON that fit; by default as many as the process allows one stream. The fill is the larger of the two.
    max_buffer_bytes: int | None
    #: From this fill on senders are slowed down; default 0.7.
    backpressure_threshold: float | str
    #: From this fill on senders pause; default 0.9.
    pause_threshold: float | str
    #: Below this fill waiting senders go on; default backpressure_threshold.
    resume_threshold: float | str | None
    #: What happens when there is no room; default drop_oldest.
    drop_policy: Literal["drop_oldest", "drop_newest", "block", "drop_all"]
    #: What the stream carries; all but anything refuse policies that lose.
    carries: Literal["anything", "votes", "tokens", "job_state", "audit"]
    #: After so long a paused sender looks again; default 50.
    pause_duration_ms: int
    #: Delays grow with the fill; default true.
    adaptive_throttling: bool
    #: The delay at and below the lower threshold; default 0.
    min_batch_delay_ms: int
    #: The delay that is approached below the upper threshold; default 500.
    max_batch_delay_ms: int
    #: How long a blocked sender waits at most; default 5000, null is for ever.
    block_timeout_ms: int | None
    #: Messages older than this are dropped; none by default.
    max_age_ms: int | None
    #: Health looks at the last so long; default 60000.
    health_window_ms: int
    #: Or at the last so many offers, whichever are more; default 1000.
    health_offers: int


class FlowDrained(TypedDict):
    """What was taken out of a stream."""

    #: Which stream.
    flow_id: str
    #: Which life the numbers belong to.
    life: int
    #: The messages, oldest first. They are delivered with this answer, and not kept.
    messages: list[MessageView]
    #: The gaps before and between them, each told once.
    lagged: list[GapView]
    #: Messages still buffered.
    buffer_size: int
    #: The fill after, as a ratio.
    fill_percentage: float
    #: The state after.
    flow_state: Literal["normal", "throttled", "paused", "dropping"]


class FlowOpened(TypedDict):
    """A stream as it is configured."""

    #: Which stream.
    flow_id: str
    #: Something changed: it is newly open, configured otherwise, or closed.
    changed: bool
    #: The configuration in force.
    config: FlowConfig
    #: Which life it is in; each process that begins with an empty buffer adds one.
    life: int
    #: When it was first opened.
    opened_at: str
    #: Nobody sends any more.
    closed: bool
    #: The state.
    flow_state: Literal["normal", "throttled", "paused", "dropping"]
    #: Messages buffered.
    buffer_size: int


class FlowStatus(TypedDict):
    """How a stream stands."""

    #: Which stream.
    flow_id: str
    #: Messages buffered.
    buffer_size: int
    #: Messages that fit.
    max_buffer_size: int
    #: Bytes of JSON buffered.
    buffer_bytes: int
    #: Bytes of JSON that fit: what the stream asked for, and never more than this process allows one stream.
    max_buffer_bytes: int
    #: The fill as a ratio, 0 to 1: 0.5 is half full.
    fill_percentage: float
    #: The state.
    flow_state: Literal["normal", "throttled", "paused", "dropping"]
    #: Accepted into the buffer.
    messages_sent: int
    #: Taken out by the reader.
    messages_delivered: int
    #: Evicted or refused by policy, or lost with a process.
    messages_dropped: int
    #: Refused by policy, never accepted.
    messages_rejected: int
    #: Accepted and lost again.
    messages_evicted: int
    #: Handed back to the sender, refused ones included.
    messages_returned: int
    #: Everything offered: sent and returned, which is delivered, buffered, evicted and returned.
    messages_offered: int
    #: Dropped as the oldest.
    evicted_oldest: int
    #: Refused as the newest.
    rejected_newest: int
    #: Dropped with everything.
    cleared: int
    #: Dropped by their owner.
    shed: int
    #: Dropped for their age.
    expired: int
    #: Superseded by a newer message of their key: evicted, but not dropped.
    conflated: int
    #: Buffered when a process ended, by the totals that were last recorded.
    lost_in_restart: int
    #: Given back after waiting.
    timed_out: int
    #: Given back for want of room.
    refused_full: int
    #: Given back since the stream was closed.
    refused_closed: int
    #: Given back since they are larger than the whole buffer.
    refused_too_large: int
    #: Senders that gave up waiting.
    cancelled: int
    #: Time senders spent paused or blocked, ended waits only.
    total_pause_time_ms: int
    #: Time senders spent in delays.
    total_throttle_time_ms: int
    #: The delay of the latest offer; 0 when it was not throttled.
    current_throttle_delay_ms: int
    #: Offers in the throttled zone, those with delay 0 included.
    throttle_events: int
    #: Offers that met a pause or a full buffer.
    pause_events: int
    #: Lost among offered, over the sliding window of this life, 0 to 1.
    drop_rate: float
    #: The same over all lives.
    lifetime_drop_rate: float
    #: What the drop rate of the window means.
    health: Literal["healthy", "warning", "unhealthy"]
    #: May a sender go on, or should it pause?
    can_send: bool
    #: How long to wait before the next message, or to pause before looking again.
    delay_ms: int
    #: The same as a pace: it never falls as the buffer fills.
    pacing_delay_ms: int
    #: Senders that wait.
    waiting: int
    #: Nobody sends any more.
    closed: bool
    #: Which life it is in.
    life: int
    #: When it was first opened.
    opened_at: str
    #: The configuration in force.
    config: FlowConfig


class GapView(TypedDict):
    """Missing numbers: these messages were accepted and dropped."""

    #: How many.
    count: int
    #: The first of them.
    first_seq: int
    #: The last of them.
    last_seq: int


class GateView(TypedDict):
    """A gate that does not pass."""

    #: Which.
    gate: str
    #: What it looked at.
    input: str
    #: What it compared that with.
    threshold: str
    #: What it says.
    verdict: str


class _GatesView(TypedDict):
    #: The gates that look.
    gates: list[str]
    #: Those that do not pass.
    failed: list[GateView]
    #: What was done about it, by its key, and what became of that; none while it is under way.
    remedies: dict[str, str | None]


class GatesView(_GatesView, total=False):
    """What the gates found. They never change the decision."""

    #: The worst of what they say: ``pass``, ``require_remediation``, ``fail``, ``escalate_to_human`` or ``block``; none before the end.
    verdict: str | None
    #: The session that this one follows, since a gate asked for it.
    retry_of: str | None


class GroupPage(TypedDict):
    """Commit groups as they are stored, and where the journal ends now."""

    #: The number of the last group.
    tip_group: int
    #: The position of the last record.
    tip_position: int
    #: Hash of the last group: covers everything before it.
    tip_hash: str
    #: The epoch in force.
    epoch: int
    #: The groups in order, each as base64 of its bytes; none behind the last.
    groups: list[str]


class HealthDistribution(TypedDict):
    """How many agents are doing how."""

    #: Heard of within the interval.
    healthy: int
    #: Not heard of for one interval.
    degraded: int
    #: Not heard of for two intervals.
    critical: int
    #: Not heard of for as many intervals as the failure threshold says.
    failed: int


class _HistoryCounts(TypedDict):
    #: Events that fit.
    events: int
    #: Of those, attempts that were refused.
    refused: int
    #: Events by kind and name.
    by_event: list[EventCount]
    #: Ends by kind and outcome, and by hour or day when they are asked for so.
    outcomes: list[OutcomeCount]
    #: From the beginning of what ended to its end, by kind.
    durations: list[DurationCounts]
    #: Votes by voter, those with the most votes first.
    votes: list[VoterCount]
    #: How many voters there are among the events.
    voters: int


class HistoryCounts(_HistoryCounts, total=False):
    """How much of what happened."""

    #: How two voters compare, when that was asked for.
    agreement: Agreement | None
    #: What was pruned of the places that were counted over, by pruning: it is in no count here. Not told where one entity is named.
    pruned: list[PrunedSpan]
    #: Filters whose names nobody here has, where nothing fits them: they may be misspelt.
    unknown: list[str]


class _HolderLine(TypedDict):
    #: The cell that may use it.
    holder: str
    #: Of what.
    resource: str
    #: How much is left of it.
    amount: float
    #: The holder said that it has it.
    acked: bool
    #: When it was granted.
    granted_at: str
    #: How long ago, in seconds.
    age_seconds: float
    #: Its holder may start the lease again.
    renewable: bool
    #: The budgets it is charged to.
    budgets: list[str]


class HolderLine(_HolderLine, total=False):
    """A live token, and who holds it."""

    #: The token; none for a caller who may not act as the holder, nor as the cell.
    token_id: str | None
    #: The last instant of its lease; none without an end.
    expires_at: str | None
    #: How long until then, in seconds.
    left_seconds: float | None
    #: Who asked for it, where an identity did; none for a caller to whom the token is not shown.
    asked_by: Asker | None


class _HolderPage(TypedDict):
    #: Whose capacity.
    cell_id: str
    #: The live tokens made of it, the newest grant first.
    holders: list[HolderLine]
    #: How many there are.
    total: int
    #: The end was not reached.
    more: bool


class HolderPage(_HolderPage, total=False):
    """Who holds capacity of a cell."""

    #: Ask with this for the next page.
    next_cursor: str | None


class _HookChanged(TypedDict):
    #: The hook from here on.
    hook: HookView
    #: It is other than before.
    changed: bool


class HookChanged(_HookChanged, total=False):
    """What became of a request about a hook."""

    #: The secret, if one was made. It is told here and never again.
    secret: str | None


class HookList(TypedDict):
    """Hooks, by their ids."""

    #: Those that were not removed: one's own, and all for an admin.
    hooks: list[HookView]
    #: This process delivers; otherwise they wait for one that does, which ``quorate serve`` is.
    delivers: bool


class _HookView(TypedDict):
    #: Its id.
    hook_id: str
    #: ``active``; ``retrying`` after an attempt that failed; ``failing`` after 100 in a row, and ``disabled``, until it is resumed; ``removed``.
    state: str
    #: Where to.
    url: str
    #: Which events.
    filter: Any
    #: What fits up to this place of the global order was delivered.
    position: int
    #: Records behind it that were not looked at yet: an upper bound of what waits.
    behind: int
    #: Events delivered.
    delivered: int
    #: Attempts in a row that failed.
    failures: int


class HookView(_HookView, total=False):
    """A hook, as it stands. Its secret is not shown."""

    #: When some were delivered last.
    delivered_at: str | None
    #: Why the last one failed that did, or why it is disabled.
    last_error: str | None
    #: When that was.
    last_failed_at: str | None
    #: When it is attempted again.
    next_attempt_at: str | None
    #: The identity that registered it, whose eyes it has.
    owner: str | None
    #: When it was registered.
    registered_at: str | None


class _IdentityChanged(TypedDict):
    #: The identity from here on.
    identity: IdentityView
    #: It is other than before.
    changed: bool


class IdentityChanged(_IdentityChanged, total=False):
    """What became of a request about an identity."""

    #: The new token, if one was issued. It is told here and never again.
    token: str | None
    #: The number of the new token.
    token_number: int | None


class _IdentityPage(TypedDict):
    #: The identities.
    identities: list[IdentityView]
    #: There are more.
    more: bool


class IdentityPage(_IdentityPage, total=False):
    """A page of identities, by name."""

    #: Ask with this for what follows.
    next_cursor: str | None


class _IdentityToken(TypedDict):
    #: Its number, from 1.
    number: int
    #: When it was issued.
    issued_at: str


class IdentityToken(_IdentityToken, total=False):
    """A live token of an identity."""

    #: When it ends, if it does.
    expires_at: str | None


class _IdentityView(TypedDict):
    #: Its name.
    name: str
    #: ``active``, ``expired`` or ``revoked``.
    state: str
    #: What it may do.
    scopes: list[str]
    #: In whose name it may act.
    acts_as: list[str]
    #: Users of the operating system that are it.
    uids: list[int]
    #: Its live tokens; what they are is not known here.
    tokens: list[IdentityToken]
    #: Attempts in the name of others that were refused and are on record.
    refused: int


class IdentityView(_IdentityView, total=False):
    """An identity, as it stands."""

    #: The key it signs with.
    public_key: str | None
    #: When it was made.
    created_at: str | None
    #: When it ends, if it does.
    expires_at: str | None
    #: When it ended.
    ended_at: str | None
    #: Why it was ended, as far as somebody said.
    end_reason: str | None
    #: When it was last used. Exact while the process lives that it was used in; on record once an hour at most, so up to an hour too early after a restart.
    last_used: str | None


class _Inbox(TypedDict):
    #: Whose votes.
    voter_id: str
    #: When.
    now: str
    #: The open questions that await them, those that end first in front.
    questions: list[OpenQuestion]
    #: How many there are.
    total: int
    #: False when so much is open that only the newest was looked at.
    complete: bool


class Inbox(_Inbox, total=False):
    """What awaits somebody."""

    #: Filters whose names nobody here has, where nothing fits them: they may be misspelt.
    unknown: list[str]


class _Inclusion(TypedDict):
    #: ``quorate.inclusion.v1``.
    format: str
    #: The public key of the log. Whoever checks the proof trusts another copy, not this one.
    public_key: str
    #: The signed checkpoint.
    checkpoint: str
    #: Place of the entry in the tree, from 0; the position of the record is one more.
    leaf_index: int
    #: The bytes of the entry.
    entry: str
    #: From the leaf to the root.
    hashes: list[str]


class Inclusion(_Inclusion, total=False):
    """A proof that a record is in the log. Bytes are hexadecimal, hashes of the tree base64 as in checkpoints."""

    #: The record itself; left out where its content is kept back.
    record: ShownRecord | None


class _JobCancelled(TypedDict):
    #: Which job.
    job_id: str
    #: Is it stopped by it, or was it before?
    success: bool
    #: Workflows it stops.
    cancelled_workflow_count: int
    #: It was cancelled before.
    already_cancelled: bool
    #: It was completed before.
    already_completed: bool


class JobCancelled(_JobCancelled, total=False):
    """What became of a request to stop."""

    #: How it ended before, if not by a cancellation: ``completed``, ``failed`` or ``timeout``.
    already_terminal: str | None
    #: Why not.
    error: str | None


class _JobChanged(TypedDict):
    #: Which job.
    job_id: str
    #: Where it is now.
    status: str
    #: Something was not so before.
    changed: bool


class JobChanged(_JobChanged, total=False):
    """Whether anything changed."""

    #: It had come to this before, and this says so again; nothing changed.
    duplicate: bool
    #: The level.
    level: Literal["none", "throttle", "batch", "reject"]
    #: The level as a number, 0 to 3.
    backpressure_level: int
    #: How long to wait between messages.
    backpressure_delay_ms: int
    #: Send one message per job.
    backpressure_batch_only: bool
    #: Send only what is critical.
    backpressure_drop_non_critical: bool


class _JobExtended(TypedDict):
    #: Was time granted?
    granted: bool
    #: How many seconds.
    extension_seconds: float
    #: Seconds from now within which the worker must be heard of again.
    new_deadline: float
    #: Grants left.
    remaining_extensions: int
    #: Is this the grant after which few are left? Said once.
    is_exhaustion_warning: bool
    #: Seconds of grace left before the worker is given up.
    grace_period_remaining: float
    #: Has the grace begun?
    in_grace_period: bool
    #: The jobs it counts for.
    job_ids: list[str]


class JobExtended(_JobExtended, total=False):
    """What a worker gets."""

    #: Why not: the name of the denial.
    denial_reason: str | None
    #: The same request was answered before, in all of these jobs.
    duplicate: bool


class _JobLed(TypedDict):
    #: Which job.
    job_id: str
    #: Which datacenter.
    datacenter: str
    #: Who leads it.
    leader_id: str
    #: Under which token.
    fence_token: int


class JobLed(_JobLed, total=False):
    """Who leads a job."""

    #: When the leader's lease has expired, if it holds one.
    lease_expires_at: str | None
    #: How long its lease lasts from each renewal, in milliseconds.
    lease_ms: int | None


class _JobLine(TypedDict):
    #: Which job.
    job_id: str
    #: Which datacenter.
    datacenter: str
    #: Where it is. At a gate: ``submitted`` until it is heard of there, then ``running`` or ``completing``, ``waiting_for_datacenter`` while every manager there is dead, and how it ended.
    status: str
    #: Who leads it: at a gate the manager there.
    leader_id: str
    #: When it was submitted.
    started_at: str
    #: Leadership; at a gate 0 before it was first heard of.
    fence_token: int


class JobLine(_JobLine, total=False):
    """A job in a list. At a gate there is a line for each datacenter that another process manages: it says what the gate was told."""

    #: When it is next looked at.
    next_deadline: str | None
    #: At a gate: that gate. Absent where this process manages the job, and so are the fields below.
    gate_id: str | None
    #: Where its manager listens.
    leader_addr: str | None
    #: The last instant of its budget, if it has one.
    deadline: str | None
    #: Seconds since something last moved there.
    idle_seconds: float | None
    #: Did nothing move there for as long as the gate allows?
    is_stuck: bool | None


class _JobPage(TypedDict):
    #: The jobs: live ones by name, ended ones in the order of their ends; or the newest first.
    jobs: list[JobLine]
    #: Jobs that have not ended.
    live: int
    #: The end was not reached.
    more: bool


class JobPage(_JobPage, total=False):
    """A page of jobs."""

    #: Ask with this for what follows, now or later; none when this page is empty and was not asked for with a cursor.
    next_cursor: str | None
    #: Filters whose names nobody here has, where nothing fits them: they may be misspelt.
    unknown: list[str]


class _JobPlace(TypedDict):
    #: Which datacenter.
    datacenter: str
    #: ``submitted`` until it is heard of there, then ``running``, ``waiting_for_datacenter``, ``completed``, ``failed``, ``timed_out`` or ``cancelled``.
    status: str
    #: Is that final? A final status is not followed by another.
    is_final: bool
    #: Why, for people; empty when there is nothing to say.
    reason: str
    #: The manager that leads it there.
    leader_id: str
    #: Where that one listens.
    leader_addr: str
    #: Its leadership; 0 before it was first heard of.
    fence_token: int
    #: Did nothing move there for as long as the gate allows?
    is_stuck: bool
    #: Workflows of the job there.
    workflows_total: int
    #: Of those, completed.
    workflows_completed: int
    #: Of those, failed for good.
    workflows_failed: int


class JobPlace(_JobPlace, total=False):
    """A job in a datacenter that another process manages, as its gate has it from what was told there."""

    #: Seconds since something last moved there; none once it has ended there.
    idle_seconds: float | None
    #: Seconds since the last report on record.
    since_report_seconds: float | None
    #: Since when every manager there is dead, as far as is known, and the job waits for the datacenter.
    lost_at: str | None


class JobStats(TypedDict):
    """Counters over all jobs."""

    #: Jobs ever submitted, each datacenter for itself.
    submitted: int
    #: Jobs that have not ended.
    tracked_jobs: int
    #: Ended jobs by status.
    ended: dict[str, int]
    #: Times at which time was found to be over, by why.
    timeouts_detected: dict[str, int]
    #: Jobs that ended since time was over, by why; fallbacks from a silent gate among them.
    timed_out: dict[str, int]
    #: Extensions granted.
    extensions: int
    #: Extensions denied.
    extensions_denied: int
    #: Attempts under a leadership that was not the one on record.
    stale_rejections: int
    #: The same, by what was tried.
    stale_rejections_by: dict[str, int]
    #: What leaders that were replaced told a gate, without effect, by the message; once for each message and leadership.
    stale_reports: dict[str, int]
    #: Jobs that a gate here tracks and managers in other processes run, each datacenter for itself.
    tracked_elsewhere: int
    #: Changes of leadership.
    transfers: int
    #: Jobs whose latest progress is known in memory only.
    noted_in_memory: int
    #: Messages on their way.
    in_transit: int
    #: Messages sent since this process began, repeats among them.
    messages_sent: int
    #: Messages sent again since this process began, as no answer had come.
    messages_repeated: int
    #: Jobs, gates and workers with a deadline, by kind.
    armed: dict[str, int]
    #: Jobs, gates and workers with messages that were not answered yet, by kind.
    unanswered: dict[str, int]


class _JobStatusReply(TypedDict):
    #: Which job.
    job_id: str
    #: Where it is; over several datacenters what the gate says. ``waiting_for_datacenter`` where it runs in none, for all managers of those that have it are dead.
    status: str
    #: Each datacenter that this process manages.
    datacenters: list[JobStatusView]


class JobStatusReply(_JobStatusReply, total=False):
    """How a job stands."""

    #: At a gate: each datacenter that another process manages, as the gate has it.
    elsewhere: list[JobPlace]
    #: At a gate: the last instant of the budget of a job that runs elsewhere, if it has one.
    deadline: str | None
    #: Where the router sent it, and why, if it chose.
    routed: RoutedView | None


class _JobStatusView(TypedDict):
    #: Which job.
    job_id: str
    #: Which datacenter.
    datacenter: str
    #: ``submitted``, ``queued``, ``dispatching``, ``running``, ``completing``, ``completed``, ``failed``, ``cancelled``, ``timeout``.
    status: str
    #: What it waits for: ``tracking``, ``awaiting_gate``, ``suspended``, ``stopped``.
    phase: str
    #: Who decides that time is over.
    strategy_type: str
    #: The timeout rule.
    timeout_rule: str
    #: Which submission of this id it is, from 1.
    run: int
    #: When it was submitted.
    started_at: str
    #: When it last got on.
    last_progress_at: str
    #: Seconds it ran.
    elapsed_seconds: float
    #: Seconds since it got on, without time nobody served.
    idle_seconds: float
    #: Seconds without progress after which it is stuck.
    stuck_threshold: float
    #: The last instant at which it is not stuck.
    stuck_deadline: str
    #: Seconds of all extensions.
    total_extensions_granted: float
    #: Seconds of the largest one.
    max_worker_extension: float
    #: Workers with extensions.
    active_workers_with_extensions: list[str]
    #: Workers believed dead.
    lost_workers: list[str]
    #: Time was found to be over here.
    locally_timed_out: bool
    #: The gate's decision was accepted.
    globally_timed_out: bool
    #: The same for people.
    timeout_reason: str
    #: Who leads it.
    leader_id: str
    #: Which of the leader's lives.
    leader_incarnation: int
    #: Where the leader listens.
    leader_addr: str
    #: Leadership.
    fence_token: int
    #: The leadership that messages about timeouts show; it is the same.
    timeout_fence_token: int
    #: Its workflows by status.
    workflow_counts: dict[str, int]
    #: Where each workflow is; the first thousand.
    workflows: dict[str, str]
    #: Workflows that their worker does not take yet, and why: ``full``, ``not_registered``, ``draining``, ``not_taken``, ``lost``. They are offered again until the job's time is over, and it is no attempt. The first thousand.
    waiting_workflows: dict[str, str]
    #: Messages that are not answered yet.
    unanswered: int
    #: How often a new process took it up.
    resume_count: int


class JobStatusView(_JobStatusView, total=False):
    """How a job stands in one datacenter."""

    #: Where reports go.
    gate_addr: str | None
    #: Seconds it may run without extensions.
    timeout_seconds: float | None
    #: Seconds it may run with them.
    effective_timeout_seconds: float | None
    #: Seconds left of them.
    remaining_seconds: float | None
    #: The last instant of the budget.
    deadline: str | None
    #: What the numbers were learned from, if they were.
    learned_from: str | None
    #: When the last one was granted.
    last_extension_at: str | None
    #: Why time was over: ``overall``, ``stuck``, ``global_decision``, ``gate_unresponsive_fallback``, ``gate_undecided_fallback``.
    timeout_kind: str | None
    #: When time was found to be over here, of which a gate is told.
    timeout_reported_at: str | None
    #: When the gate was last heard of, later by the times nobody served since; the submission before that.
    gate_last_contact_at: str | None
    #: Highest leadership at the gate ever seen.
    gate_epoch: int | None
    #: The gate's decision that was accepted.
    last_decision_id: int | None
    #: Who holds the lease.
    lease_holder: str | None
    #: Who took it, where an identity did and the caller may act as the holder.
    lease_asked_by: Asker | None
    #: Workflows that were to stop, and nobody confirmed that they did (``cancel_unconfirmed`` on record): they may still run. The first thousand.
    cancel_unconfirmed: list[str]
    #: Reports of progress that workers dropped because they were asked for less, as far as they told.
    reports_dropped: int
    #: How it ended, for people.
    ended_reason: str | None
    #: When it ended.
    ended_at: str | None


class _JobSubmitted(TypedDict):
    #: Its id.
    job_id: str
    #: ``submitted``, or where it is if it was submitted before.
    status: str
    #: Who decides that time is over: ``local_authority`` or ``gate_coordinated``.
    strategy_type: str
    #: The datacenters it runs in.
    target_datacenters: list[str]
    #: The very same job was submitted before; nothing changed.
    duplicate: bool


class JobSubmitted(_JobSubmitted, total=False):
    """A job as submitted."""

    #: Leadership of the job; with a gate each datacenter has its own.
    fence_token: int | None
    #: Leadership of the job at the gate.
    gate_epoch: int | None
    #: Why there, if the router chose.
    routed: RoutedView | None


class _JobWhy(TypedDict):
    #: Which job.
    job_id: str
    #: Where it is.
    status: str
    #: What led there, oldest first.
    chain: list[WhyLink]


class JobWhy(_JobWhy, total=False):
    """Why a job stands as it does."""

    #: Which datacenter; none where a gate tells of the job as a whole, which managers in other processes run.
    datacenter: str | None


class KeyTaken(TypedDict):
    """The keys of a voter after a change."""

    #: Which voter.
    voter_id: str
    #: The key it signs with.
    public_key: str
    #: Its version: 1 is the one it was registered with.
    key_version: int
    #: Keys that ended, oldest first.
    ended: list[EndedKeyView]
    #: It signed with this one before; nothing changed.
    duplicate: bool


class LearnedView(TypedDict):
    """What a voter's answers were worth, as far as the truth was told."""

    #: Questions of which the truth was told, that it had a part in.
    judged: int
    #: Answers among the last 200 of them.
    answers: int
    #: Right ones.
    right: int
    #: Its weight by the source ``factors`` with its usual settings, as of the last of them.
    weight: float
    #: The eight measures behind it.
    factors: dict[str, float]
    #: The sum of ratings, as it moves the weight.
    bias: float


class _LeaseLine(TypedDict):
    #: Of which job.
    job_id: str
    #: In which datacenter.
    datacenter: str
    #: Where the job is.
    status: str
    #: Who holds it.
    holder_id: str
    #: Which of the holder's lives.
    incarnation: int
    #: The holder's token; 0 for a caller who may not act as the holder.
    fence_token: int
    #: How long it lasts from each renewal, in milliseconds.
    lease_ms: int
    #: When it has expired, unless it is kept.
    expires_at: str
    #: How long until then, in milliseconds.
    left_ms: int
    #: The holder lives in the process that serves the job.
    in_process: bool


class LeaseLine(_LeaseLine, total=False):
    """A lease that is held."""

    #: Who took it, where an identity did and the caller may act as the holder.
    asked_by: Asker | None


class _LeasePage(TypedDict):
    #: The leases; those of the newest jobs first.
    leases: list[LeaseLine]
    #: The end was not reached.
    more: bool


class LeasePage(_LeasePage, total=False):
    """Leases that are held."""

    #: Ask with this for the next page.
    next_cursor: str | None
    #: Filters whose names nobody here has, where nothing fits them: they may be misspelt.
    unknown: list[str]


class LoadRecorded(TypedDict):
    """What the detector makes of its readings."""

    #: The state after the evaluation.
    state: Literal["healthy", "busy", "stressed", "overloaded"]
    #: What the readings say now, without patience.
    raw_state: Literal["healthy", "busy", "stressed", "overloaded"]
    #: State, cause, thresholds, since when.
    explain: ExplainView


class LogCheckpoint(TypedDict):
    """The newest signed checkpoint of the log over all records."""

    #: The name of the log.
    origin: str
    #: How many records it is signed over: all up to this position.
    size: int
    #: The public key by which it is checked: ``name+hash+base64``.
    public_key: str
    #: The signed text (C2SP tlog-checkpoint). Kept elsewhere, it shows later whether anything before it was changed.
    checkpoint: str


class ManagerPressure(TypedDict):
    """What a manager asks."""

    #: Where it leads.
    datacenter: str
    #: Which node it is.
    manager_id: str
    #: Its level now; one milder after each time to live without a newer signal.
    level: Literal["none", "throttle", "batch", "reject"]
    #: Its delay now.
    delay_ms: int


class MeasuredLink(TypedDict):
    """What one node measured to another."""

    #: Smoothed round trip in ms, to the microsecond.
    srtt_ms: float
    #: Its smoothed deviation in ms, to the microsecond.
    rttvar_ms: float
    #: Round trips so far.
    samples: int
    #: When the last one was taken.
    at: str
    #: Does it bound the estimate: at least five samples, the last of them fresh?
    is_trusted: bool


class _MemberList(TypedDict):
    #: The node that is asked.
    node_id: str
    #: It and all it knows, in order of their names.
    members: list[MemberView]


class MemberList(_MemberList, total=False):
    """Who is there, as one node sees it."""

    #: Names that two nodes use, as far as was heard within a minute: one of the two has to end, or to have another one.
    name_conflicts: list[NameConflict]


class MemberMetrics(TypedDict):
    """How membership is doing on one node."""

    #: The node that is asked.
    node_id: str
    #: Its incarnation; 0 before it may speak.
    incarnation: int
    #: How far it doubts itself, 0 to 8.
    local_health: int
    #: How far its process is behind: ``normal`` to ``critical``.
    degradation: str
    #: Its place.
    coordinate: VivaldiCoordinate
    #: Has the place settled?
    is_converged: bool
    #: Peers whose place is known.
    peer_count: int
    #: The knobs of the coordinate: ``dimensions``, ``ce``, ``error_decay``, ``convergence_error_threshold``, ``convergence_min_samples``.
    config: dict[str, float]
    #: Peers by their state.
    states: dict[str, int]
    #: Peers that were never heard from, by their role.
    unconfirmed: dict[str, int]
    #: Probes to confirm peers, by role. Workers are never probed for that.
    confirmation_attempts: dict[str, int]
    #: Peers no longer known, by role.
    removed: dict[str, int]
    #: Changes of state, by ``FROM->TO``.
    transitions: dict[str, int]
    #: What else happened, by name.
    counts: dict[str, int]
    #: Datagrams that were dropped, by the reason. None of them changed anything.
    dropped: dict[str, int]
    #: The names of the keys that open, the first of which seals.
    keys: list[str]


class MemberValidation(TypedDict):
    """Whether what a node keeps hangs together."""

    #: Every number of the coordinate is in its range.
    coordinate_valid: bool
    #: The coordinate has settled. It is no fault if not.
    coordinate_converged: bool
    #: The node has a role.
    role_set: bool
    #: Every unconfirmed peer waits to be confirmed, and nobody else does.
    confirmation_consistent: bool
    #: What is wrong, with field and value.
    errors: list[str]
    #: Is all well?
    overall_valid: bool


class _MemberView(TypedDict):
    #: Which.
    node_id: str
    #: ``UNCONFIRMED``, ``OK``, ``SUSPECT`` or ``DEAD``.
    state: str
    #: The highest incarnation that is known of it.
    incarnation: int
    #: How far its coordinate can be relied on, 0 to 1.
    quality: float
    #: Where it is reached.
    address: str
    #: Since when it has been in its state.
    since: str
    #: Is it the node that is asked?
    is_self: bool


class MemberView(_MemberView, total=False):
    """A node as another one sees it."""

    #: ``gate``, ``manager``, ``worker`` or ``client``; null while it is not known.
    role: str | None
    #: Where it stands; null while it is not known.
    datacenter: str | None
    #: How far away it is, by its coordinate: a round trip; null where nothing is known, and for the node itself.
    rtt_ms: float | None
    #: What a round trip most likely stays below.
    rtt_upper_ms: float | None
    #: When it was last heard from itself; null when never.
    seen_at: str | None
    #: Where it stands in the space of round trips; null where that is not known.
    coordinate: VivaldiCoordinate | None


class MeshRegistered(TypedDict):
    """What registering a mesh did."""

    #: Cells of the mesh.
    cells: int
    #: Of these, new or changed.
    changed: int
    #: Epoch of the registry after it.
    epoch: int


class _MessageOffered(TypedDict):
    #: Which stream.
    flow_id: str
    #: It is buffered. Otherwise it came back: it is in ``message``, and ``reason`` says why.
    accepted: bool
    #: The state after.
    flow_state: Literal["normal", "throttled", "paused", "dropping"]
    #: May a sender go on, or should it pause?
    can_send: bool
    #: How long to wait before the next message.
    delay_ms: int
    #: Messages buffered after.
    buffer_size: int
    #: The fill after, as a ratio: 0.5 is half full.
    fill_percentage: float


class MessageOffered(_MessageOffered, total=False):
    """What became of an offer."""

    #: Its number in this life of the stream.
    seq: int | None
    #: Why it came back: ``rejected_newest``, ``full``, ``timeout``, ``expired``, ``closed``, ``too_large``, or ``memory_full`` when the messages of all streams take as much memory as they may.
    reason: str | None
    #: The message that came back.
    message: Any
    #: When it is worth trying again; missing where it never is.
    retry_after_ms: int | None
    #: What gave way to it; the reader is told of the gap.
    evicted: GapView | None


class _MessageView(TypedDict):
    #: Its number in this life of the stream.
    seq: int
    #: The message.
    message: Any


class MessageView(_MessageView, total=False):
    """A message on its way to the reader."""

    #: Who sent it.
    sender: str | None
    #: Its key.
    key: str | None
    #: The last instant at which it is of use.
    deadline: str | None
    #: It does not give way to others.
    critical: bool


class NameConflict(TypedDict):
    """A name that two nodes use."""

    #: Which name.
    node_id: str
    #: Where the node is that counts.
    address: str
    #: Where the other one says that it is. What it says is not taken.
    other_address: str
    #: When the other one was last heard from.
    heard_at: str


class OpenCounts(TypedDict):
    """How many there are."""

    #: Open quorums.
    quorums: int
    #: Open proposals.
    proposals: int
    #: Open sessions.
    sessions: int
    #: Jobs that have not ended.
    jobs: int
    #: Registered agents, by health; ``unmonitored`` are not watched.
    agents: dict[str, int]
    #: Cells that ever took part in capacity.
    cells: int
    #: Tokens of capacity that are out.
    tokens: int


class _OpenProposalsPage(TypedDict):
    #: The proposals.
    proposals: list[ConsensusResult]
    #: The end was not reached.
    more: bool


class OpenProposalsPage(_OpenProposalsPage, total=False):
    """Open proposals by id, or newest first."""

    #: Ask with this for what follows, now or later; none when this page is empty and was not asked for with a cursor.
    next_cursor: str | None
    #: Filters whose names nobody here has, where nothing fits them: they may be misspelt.
    unknown: list[str]


class _OpenQuestion(TypedDict):
    #: ``quorum``, ``proposal`` or ``session``.
    kind: str
    #: Which one.
    id: str
    #: The operation that votes on it.
    answer_with: str
    #: What is asked.
    question: Any
    #: When it opened.
    opened_at: str
    #: When it ends by itself.
    deadline: str
    #: Until then, in milliseconds.
    left_ms: int
    #: How many have voted.
    voted: int
    #: The first ten whose votes are outstanding, by name.
    outstanding: list[str]
    #: How many they are.
    outstanding_count: int


class OpenQuestion(_OpenQuestion, total=False):
    """An open question."""

    #: How many were asked; none where anybody may vote.
    asked: int | None
    #: What a vote for it must bring as its ``value``, as a JSON Schema, where an answer is asked for.
    answer_schema: Any
    #: In an inbox: who handed it on, whose place it was at first.
    in_place_of: str | None
    #: In an inbox: how often the voter was reminded, if it was.
    reminded: int | None


class _OperationView(TypedDict):
    #: Its name.
    tool: str
    #: The hash of tool and arguments.
    operation_hash: str
    #: How often it may be used.
    uses: int
    #: How often it was.
    spent: int


class OperationView(_OperationView, total=False):
    """The operation that a decision allows, and what was used of it."""

    #: The last instant at which the decision may be used.
    expires_at: str | None
    #: The lowest fencing token under which it may be used now.
    fence: int | None


class _OutcomeCount(TypedDict):
    #: What ended.
    kind: str
    #: The outcome that is counted, such as ``approved``.
    outcome: str
    #: How many.
    count: int


class OutcomeCount(_OutcomeCount, total=False):
    """How many ends with one outcome."""

    #: When the hour or day began in which they were recorded; none over all time.
    began_at: str | None


class OverdueLine(TypedDict):
    """Something whose time is over."""

    #: ``job`` or ``agent``, or the kind of the question.
    kind: str
    #: Which one.
    id: str
    #: Why it is overdue.
    what: str
    #: Since when.
    since: str
    #: For how long, in milliseconds.
    for_ms: int


class _Overview(TypedDict):
    #: When.
    now: str
    #: ``ok``; ``clock_off`` or ``failed``, as the runtime is doing; or ``problems`` when it does well and some are listed below.
    status: str
    #: How many are open, registered or out.
    open: OpenCounts
    #: Open questions that end first.
    questions: list[OpenQuestion]
    #: Who is waited for most.
    awaiting: list[AwaitedVoter]
    #: Of how many voters.
    awaiting_total: int
    #: Jobs, and agents, whose time is over and that have not ended, the longest first; and in a folder that nobody serves, questions whose deadline has passed.
    overdue: list[OverdueLine]
    #: Of how many.
    overdue_total: int
    #: What is wrong, and what to do about it.
    problems: list[ProblemLine]
    #: Of how many.
    problems_total: int
    #: False when so much is open that only the newest of each kind was looked at for the lists; the counts hold all the same.
    complete: bool


class Overview(_Overview, total=False):
    """How everything stands at one instant. Lists hold the first lines, and the counts beside them say of how many."""

    #: The last record, in a folder that nobody serves: what has fallen due since is settled when it is served.
    as_of: str | None


class ParameterView(TypedDict):
    """A parameter of a rule."""

    #: Its name.
    name: str
    #: What it takes.
    summary: str


class PermitReleased(TypedDict):
    """What became of a permit."""

    #: The permit.
    permit: int
    #: It was held; false when it was given back before, or its time was over.
    released: bool


class _PressureStatus(TypedDict):
    #: The worst level any datacenter asks of the gates here.
    overall_level: Literal["none", "throttle", "batch", "reject"]
    #: The datacenters managers told of.
    datacenters: list[DatacenterPressure]


class PressureStatus(_PressureStatus, total=False):
    """Who asks whom to slow down, as this process knows it. It is kept in memory only."""

    #: The level the managers of this node signal; null while it is not known.
    own_level: Literal["none", "throttle", "batch", "reject"] | None
    #: The worker asked about.
    worker: WorkerPressure | None


class ProblemLine(TypedDict):
    """Something that is wrong."""

    #: What, in a word: ``store_failed``, ``stopped``, ``clock_off``, ``parked_entities``, ``journal_damaged``, ``overloaded_cell``, ``failed_agents``.
    problem: str
    #: What exactly.
    detail: str
    #: What to do next.
    next: str


class _ProvenRecord(TypedDict):
    #: Its place in the global order.
    position: int
    #: Chain hash of the record before it in the log of its entity, in hex; zeros for the first.
    previous_hash: str


class ProvenRecord(_ProvenRecord, total=False):
    """A record with what proves it."""

    #: The record as it is stored, without its hash, in hex; ``null`` when a part of it is not for the eyes of who asks.
    bytes: str | None
    #: The hashes that lead from it to the root of the log, in base64.
    proof: list[str] | None


class ProvenRecords(TypedDict):
    """Records with what proves them."""

    #: The size of the log at which they are proven.
    log_size: int
    #: The records, in the order of their positions.
    records: list[ProvenRecord]


class _PrunedSpan(TypedDict):
    #: Which pruning took them, from 1.
    pruning: int
    #: How many.
    records: int
    #: The place of the first of them.
    from_position: int
    #: The place of the last of them. Not everything in between was pruned.
    upto_position: int


class PrunedSpan(_PrunedSpan, total=False):
    """Records at some places that were pruned together."""

    #: When.
    pruned_at: str | None
    #: By which rule, in words.
    rule: str | None


class _PruningView(TypedDict):
    #: Which pruning of this journal, from 1.
    pruning: int
    #: When.
    pruned_at: str
    #: The rule in words.
    rule: str
    #: How many entities went.
    entities: int
    #: How many records.
    records: int
    #: The position of the first of them.
    first_position: int
    #: The position of the last of them. Not everything in between went.
    last_position: int


class PruningView(_PruningView, total=False):
    """What was pruned at one time."""

    #: Who did it.
    pruned_by: str | None


class _QuorumHistoryEntry(TypedDict):
    #: Which quorum.
    quorum_id: str
    #: Its kind.
    quorum_type: Literal["local", "global", "ring", "radial"]
    #: The final count.
    result: FinalTally
    #: Standing votes by voter.
    votes: dict[str, FinalVote]
    #: When it ended.
    closed_at: str
    #: How it ended.
    state: Literal["open", "approved", "rejected", "timed_out", "cancelled"]
    #: Approvals needed.
    required_votes: int
    #: When it opened.
    opened_at: str
    #: The last instant at which a vote was on time.
    deadline: str


class QuorumHistoryEntry(_QuorumHistoryEntry, total=False):
    """One closed quorum."""

    #: The cell the question was about.
    cell_id: str | None
    #: Who cast the deciding vote.
    decided_by: str | None
    #: What was asked.
    subject: Any


class _QuorumHistoryPage(TypedDict):
    #: One entry per closed quorum.
    history: list[QuorumHistoryEntry]
    #: How many entries this page holds.
    total: int
    #: How many closed quorums there are.
    total_available: int
    #: There are older ones.
    more: bool


class QuorumHistoryPage(_QuorumHistoryPage, total=False):
    """Closed quorums, oldest first."""

    #: Ask with this for older ones; the cursor that was given when this page is empty.
    next_cursor: str | None
    #: How many were pruned and are in no page; left out when none was. ``total_available`` counts them.
    pruned: int | None


class _QuorumLine(TypedDict):
    #: Which quorum.
    quorum_id: str
    #: Its kind.
    quorum_type: Literal["local", "global", "ring", "radial"]
    #: Where it stands.
    state: Literal["open", "approved", "rejected", "timed_out", "cancelled"]
    #: Counted approvals.
    approve_votes: int
    #: Counted rejections.
    reject_votes: int
    #: Approvals needed.
    required_votes: int
    #: How many have not voted while it is open.
    outstanding_count: int
    #: The first twenty of them, by name.
    outstanding: list[str]
    #: When it opened.
    opened_at: str
    #: The last instant at which a vote is on time.
    deadline: str


class QuorumLine(_QuorumLine, total=False):
    """A quorum in a list."""

    #: The cell the question is about.
    cell_id: str | None
    #: How many may vote; none for an open electorate.
    voter_count: int | None
    #: When it ended.
    closed_at: str | None
    #: What is asked.
    subject: Any


class _QuorumPage(TypedDict):
    #: Open ones by the time they were opened, then closed ones by their end.
    quorums: list[QuorumLine]
    #: How many are open.
    open: int
    #: The end was not reached.
    more: bool


class QuorumPage(_QuorumPage, total=False):
    """Quorums, newest first."""

    #: Ask with this for the next page.
    next_cursor: str | None
    #: Filters whose names nobody here has, where nothing fits them: they may be misspelt.
    unknown: list[str]


class QuorumStatsReply(TypedDict):
    """Counters over all quorums that ever were."""

    #: Open and not past their deadline.
    active_quorums: int
    #: Closed, however.
    total_quorums: int
    #: Approved.
    successful_quorums: int
    #: Approved of closed, 0 when none is closed.
    success_rate: float
    #: Rejected.
    rejected_quorums: int
    #: Timed out.
    timed_out_quorums: int
    #: Cancelled.
    cancelled_quorums: int
    #: Votes recorded, changes and outsiders among them.
    votes: int
    #: Votes that replaced an earlier one.
    changed_votes: int
    #: Votes of outsiders.
    outsider_votes: int
    #: New or changed votes after the close.
    late_votes: int
    #: Refused attempts, late ones among them.
    refused_votes: int
    #: Quorums whose end was noticed only after downtime.
    recovery_closures: int
    #: Mean milliseconds from opening to decision over approved and rejected quorums.
    avg_time_to_decision_ms: float


class _QuorumStatus(TypedDict):
    #: Which quorum.
    quorum_id: str
    #: Its kind.
    quorum_type: Literal["local", "global", "ring", "radial"]
    #: Known neighbours of that cell.
    neighbor_count: int
    #: Counted votes.
    total_votes: int
    #: Counted approvals.
    approve_votes: int
    #: Counted rejections.
    reject_votes: int
    #: Approvals needed.
    required_votes: int
    #: Approvals have reached the number needed.
    quorum_reached: bool
    #: Seconds since the opening; stands still at the close.
    elapsed_seconds: float
    #: Seconds votes are taken.
    timeout_seconds: float
    #: Voters of the electorate who voted, in the order of their first votes.
    valid_voters: list[str]
    #: Outsiders who voted, in the order of their first votes.
    invalid_voters: list[str]
    #: Standing votes by voter, outsiders among them. Refused votes are in the history.
    votes: dict[str, FinalVote]
    #: Where it stands.
    state: Literal["open", "approved", "rejected", "timed_out", "cancelled"]
    #: More approvals than rejections; informational, not the outcome.
    consensus: bool
    #: ``closed`` or ``open``.
    electorate: str
    #: When it opened.
    opened_at: str
    #: The last instant at which a vote is on time.
    deadline: str
    #: New or changed votes that came after the close.
    late_votes: int
    #: Epoch of the mesh registry its electorate was read at.
    membership_epoch: int
    #: ``none``, ``planned``, ``owed``, ``opened`` or ``failed``.
    fallback: str


class QuorumStatus(_QuorumStatus, total=False):
    """Everything about a quorum at one instant."""

    #: The cell the question is about.
    cell_id: str | None
    #: How many may vote; none for an open electorate.
    voter_count: int | None
    #: Who has not voted while it is open, by name; nobody is waited for in an open electorate.
    outstanding: list[str]
    #: When it ended: the deciding vote, the deadline or the cancellation.
    closed_at: str | None
    #: When the end was noticed; later than ``closed_at`` after downtime.
    noticed_at: str | None
    #: Who cast the deciding vote.
    decided_by: str | None
    #: Who cancelled.
    cancelled_by: str | None
    #: Why it was cancelled.
    reason: str | None
    #: Mean confidence of counted approvals; none without approvals.
    mean_confidence: float | None
    #: The rule, when one was asked for.
    rule: dict[str, Any] | None
    #: What is asked.
    subject: Any
    #: blake3 of the subject, in hex.
    subject_digest: str | None
    #: The timed-out quorum this one was opened for.
    parent_quorum_id: str | None
    #: The global quorum that opens if this one times out, or opened; none once it is clear that it never will.
    fallback_quorum_id: str | None
    #: Why the fallback cannot be opened.
    fallback_error: str | None


class RateChange(TypedDict):
    """What settling changed for one rate."""

    #: Of which budget.
    budget_id: str
    #: The rate whose level the settlement changed.
    rate: str
    #: How much less was used than was taken, and came back.
    given_back: int
    #: How much more was used, and was taken now.
    debited: int
    #: How much more was used and is not taken: the rate lets nobody owe so much.
    uncovered: int


class _RateShort(TypedDict):
    #: Of which budget.
    budget_id: str
    #: The rate that has too little ready.
    rate: str
    #: What the request costs under it.
    asked: int
    #: What it has ready; below 0 what is owed.
    level: int
    #: How much lies ready at most.
    burst: int


class RateShort(_RateShort, total=False):
    """A rate that does not have enough."""

    #: After so many milliseconds the refill suffices; none when it never does.
    retry_after_ms: int | None


class _RateStatus(TypedDict):
    #: How much; below 0 what is owed.
    level: int
    #: How much lies ready at most.
    burst: int
    #: How much comes back in each period.
    amount: int
    #: How long a period is, in seconds.
    per_seconds: float
    #: How far below nothing a settlement may go.
    debt: int


class RateStatus(_RateStatus, total=False):
    """What a rate has ready."""

    #: What one of each unit costs; empty when one of the rate's own unit costs one.
    weights: dict[str, int]


class _RecordProof(TypedDict):
    #: Places, hashes and the checkpoint.
    proof: Inclusion


class RecordProof(_RecordProof, total=False):
    """The proof that a record is in the log: what ``quorate verify-proof`` checks without a store."""

    #: What happened, as ``history.query`` shows it; ``null`` when it is kept back.
    event: EventView | None


class RecordedState(TypedDict):
    """What the record of an entity comes to at some point."""

    #: Kind of the entity.
    kind: str
    #: The entity that is told of.
    entity_id: str
    #: How it stood.
    state: Any


class _RecordsHold(TypedDict):
    #: What is held: ``all``, ``kind:KIND`` or ``entity:ID``.
    hold: str
    #: ``held`` or ``released``.
    state: str


class RecordsHold(_RecordsHold, total=False):
    """A hold."""

    #: Why.
    reason: str | None
    #: The identity that put it; none where nobody is asked who calls.
    held_by: str | None
    #: Since when.
    held_at: str | None
    #: It was so before; nothing changed. Told by ``retention.hold`` alone.
    duplicate: bool | None


class RefusedTotals(TypedDict):
    """What was refused over all processes, with the minute that is not over."""

    #: For the state or the adaptive limit.
    shed: ByClass
    #: For a cap.
    full: ByClass
    #: For a deadline that had passed.
    expired: ByClass
    #: Changes of state.
    transitions: int


class RetentionView(TypedDict):
    """What is held, and what was pruned."""

    #: The holds.
    holds: list[RecordsHold]
    #: The prunings, oldest first.
    prunings: list[PruningView]


class RouteChanged(TypedDict):
    """What changed about a route."""

    #: Which job.
    job_id: str
    #: Did anything change?
    changed: bool


class RouteFailed(TypedDict):
    """A failure as it counts."""

    #: Which job.
    job_id: str
    #: Which datacenter.
    datacenter_id: str
    #: Why.
    reason: str
    #: Until when its score counts double for this job.
    cooldown_until: str


class RouteFailureView(TypedDict):
    """A failure of a datacenter."""

    #: Which datacenter.
    datacenter_id: str
    #: Why.
    reason: str
    #: When.
    at: str
    #: Until when its score counts double for this job.
    cooldown_until: str
    #: Does it still?
    is_cooling: bool


class _RouteState(TypedDict):
    #: Which job.
    job_id: str
    #: Is anything kept for its next decision? Not after it ended, or when nobody asked for an hour.
    is_live: bool
    #: Changes between two datacenters.
    switch_count: int
    #: The newest failures, oldest first.
    failures: list[RouteFailureView]
    #: Decisions so far.
    decisions: int


class RouteState(_RouteState, total=False):
    """How the route of a job stands."""

    #: Where it goes.
    primary: str | None
    #: Since when.
    selected_at: str | None
    #: Until when only force moves it.
    hold_down_until: str | None
    #: The score it had when it was selected; none while scores cannot be compared.
    selection_score: float | None
    #: Since when its score has been half as bad again.
    degraded_since: str | None
    #: When somebody last asked.
    last_used_at: str | None
    #: When it is forgotten if nobody asks.
    forget_at: str | None
    #: The last decision.
    routed: RoutedView | None


class _RoutedView(TypedDict):
    #: Where it goes, the selected one first.
    primary_datacenters: list[str]
    #: Where it may go otherwise, in order.
    fallback_datacenters: list[str]
    #: Why: ``INITIAL_SELECTION``, ``EXCLUSION_FORCED``, ``BUCKET_DROP_FORCED``, ``COOLDOWN_PENALTY``, ``DEGRADATION_FORCED``, ``IMPROVEMENT_THRESHOLD_MET``, ``HOLD_DOWN_RETAINED`` or ``NOTHING_ELIGIBLE``.
    reason: str
    #: Was it decided without distances?
    in_bootstrap_mode: bool
    #: When.
    decided_at: str


class RoutedView(_RoutedView, total=False):
    """Where a job was sent, and why."""

    #: The bucket of the primaries: ``HEALTHY``, ``BUSY`` or ``DEGRADED``; none where there is none.
    primary_bucket: str | None


class RuleView(TypedDict):
    """A rule that can be given a name."""

    #: Its name in the table.
    name: str
    #: What it says.
    summary: str
    #: Its parameters.
    parameters: list[ParameterView]
    #: What it keeps to.
    law: str
    #: Where it comes from.
    source: str


class _SelectionView(TypedDict):
    #: The candidate, or ``for`` or ``against``.
    candidate: str
    #: Its scores, weighed by all power there is, 0 to 1.
    selection_score: float
    #: The power behind it.
    voting_power: float
    #: The heads behind it.
    votes_received: int
    #: 1: nothing but proven collective intelligence changes the ranking.
    emergence_factor: float


class SelectionView(_SelectionView, total=False):
    """An option and what it got."""

    #: What sort of thing it is.
    kind: str | None


class _SessionBallot(TypedDict):
    #: The options it supports.
    supports: list[str]
    #: How good, 0 to 1.
    score: float
    #: How sure, 0 to 1.
    confidence: float
    #: The voter's own number of it.
    seq: int
    #: ``signature``, ``handle`` or ``none``.
    authenticity: str
    #: How well it was verified.
    verification_score: float
    #: When it was received.
    received_at: str


class SessionBallot(_SessionBallot, total=False):
    """A vote that stands."""

    #: What is odd about it.
    flags: list[str]
    #: What the voter says about it.
    reasoning: str | None
    #: Whose place it was cast in, when that one had handed it on.
    in_place_of: str | None


_SessionDelegation = TypedDict("_SessionDelegation", {
    "from": "str",
    "to": "str",
    "in_place_of": "str",
    "signed": "bool",
    "at": "str",
})
_SessionDelegationOther = TypedDict("_SessionDelegationOther", {
    "public_key": "str | None",
    "reason": "str | None",
}, total=False)


class SessionDelegation(_SessionDelegation, _SessionDelegationOther):
    """A place in a session that went to another voter."""


class _SessionLine(TypedDict):
    #: Which session.
    session_id: str
    #: Where it stands.
    status: str
    #: The round that is, or was, open.
    round: int
    #: Voters.
    n: int
    #: Votes in that round; none while votes are only promised.
    total_votes: int
    #: Voters proven to lie.
    byzantine_faults_detected: int
    #: The last instant at which a vote is on time.
    deadline: str
    #: What is asked.
    proposal: Any


class SessionLine(_SessionLine, total=False):
    """A session in a list."""

    #: How it ended.
    outcome: Literal["decided", "rejected", "no_quorum", "timeout", "fault_budget_exceeded", "cancelled"] | None
    #: What was decided.
    decision: str | None


class _SessionPage(TypedDict):
    #: The sessions.
    sessions: list[SessionLine]
    #: How many are open.
    open: int
    #: How many may be.
    limit: int
    #: The end was not reached.
    more: bool


class SessionPage(_SessionPage, total=False):
    """Sessions."""

    #: Ask with this for the next page.
    next_cursor: str | None
    #: Filters whose names nobody here has, where nothing fits them: they may be misspelt.
    unknown: list[str]


class SessionReminded(TypedDict):
    """Who was told again."""

    #: Which session.
    session_id: str
    #: Who was told again, by name, and how often each of them was reminded so far; those who were within the last minute are left out.
    reminded: dict[str, int]
    #: The voters whose votes are outstanding, by name.
    outstanding: list[str]


class _SessionResult(TypedDict):
    #: Which session.
    session_id: str
    #: ``collecting_votes``, ``completed``, ``failed`` or ``timeout``.
    status: str
    #: The decision does not stand without voters that were proven to lie since.
    decision_tainted: bool
    #: ``vote``, or ``commit`` while votes are promised.
    phase: str
    #: The round that is, or was, open.
    round: int
    #: How many rounds there are.
    num_rounds: int
    #: Voters in the electorate.
    total_participants: int
    #: Voters that voted in that round and are not proven to lie.
    honest_participants: int
    #: Voters proven to lie.
    malicious_detected: int
    #: Which.
    malicious_agents: list[str]
    #: Faults that are borne: the declared number, or the most that so many voters bear.
    fault_tolerance: int
    #: Voters that as many faults need: ``3f + 1``.
    min_participants: int
    #: Do so many voters bear a fault at all?
    fault_tolerant: bool
    #: Heads that decide.
    agreement_threshold: int
    #: A fault is borne, the quorum was reached and stands without the voters proven to lie since, and those are no more than are borne.
    byzantine_safe: bool
    #: ``heads``, ``power`` or ``both``.
    basis: Literal["heads", "power", "both"]
    #: ``strict`` or ``at_least``.
    threshold: Literal["strict", "at_least"]
    #: Power of the electorate.
    total_power: float
    #: The cap on power was asked for and cannot be kept: one voter's fault is borne by no power.
    cap_failed: bool
    #: Votes in the round, those of excluded voters among them; none while votes are promised.
    total_votes: int
    #: Promises so far.
    commits: int
    #: The options, best first; empty before the end.
    selections: list[SelectionView]
    #: Who supports something else than was decided.
    dissenters: list[str]
    #: Who promised a vote and never told it.
    unrevealed: list[str]
    #: Who contributes nothing, and why.
    exclusions: list[ExclusionView]
    #: Voters whose votes are outstanding.
    outstanding: list[str]
    #: Proven faults.
    evidence: list[EvidenceView]
    #: Refused attempts on record.
    rejections: int
    #: The votes that stand in the round.
    votes: dict[str, SessionBallot]
    #: What was asked.
    proposal: Any
    #: What votes are bound to: who may vote, under which key, with how much power.
    electorate_hash: str
    #: What votes are bound to: what is asked and by which rule.
    terms_hash: str
    #: Who may vote.
    electorate: list[ElectorView]
    #: When it was opened.
    opened_at: str
    #: The last instant at which a vote is on time, after all extensions.
    deadline: str


class SessionResult(_SessionResult, total=False):
    """How a session stands, or ended."""

    #: ``decided``, ``rejected``, ``no_quorum``, ``timeout``, ``fault_budget_exceeded`` or ``cancelled``; none while it is open.
    outcome: Literal["decided", "rejected", "no_quorum", "timeout", "fault_budget_exceeded", "cancelled"] | None
    #: What was decided: a candidate, ``for`` or ``against``.
    decision: str | None
    #: The best one's share of all selection scores.
    confidence_score: float | None
    #: By how much the best one leads.
    margin: float | None
    #: Heads behind the best of all heads.
    support_share: float | None
    #: Power behind the best of all power.
    power_share: float | None
    #: Whose vote decided.
    decided_by: str | None
    #: Place of the end in the session's log.
    decided_at_seq: int | None
    #: Who ended it.
    cancelled_by: str | None
    #: Why.
    reason: str | None
    #: In which context.
    context: Any
    #: Who asked for the last extension.
    extended_by: str | None
    #: Places that went to other voters, in that order.
    delegations: list[SessionDelegation]
    #: How often those whose votes are outstanding were reminded, if they were.
    reminded: dict[str, int]
    #: How often they are reminded by themselves.
    remind_every_ms: int | None
    #: When it ended: the deciding vote or the deadline.
    closed_at: str | None
    #: When the end was noticed; later than ``closed_at`` after downtime.
    noticed_at: str | None
    #: The operation that the decision allows, and what was used of it.
    operation: OperationView | None
    #: Where the powers come from, when they were learned.
    weights: WeightsView | None
    #: What the gates found, where some look.
    gates: GatesView | None
    #: What had been right, once it was told.
    truth: TruthView | None
    #: The request was answered before: under the same idempotency key, or an extension, a delegation or a cancellation changed nothing. Told by those alone.
    duplicate: bool | None
    #: What of a repeated delegation is not as it was the first time, which stands: ``reason``.
    differs: list[str]


class _SessionVoted(TypedDict):
    #: Which session.
    session_id: str
    #: Who voted.
    voter_id: str
    #: In which round.
    round: int
    #: It was in before; nothing changed.
    duplicate: bool
    #: It took the place of an earlier one.
    supersedes: bool
    #: It is a promise.
    promised: bool
    #: Where the session stands.
    status: str


class SessionVoted(_SessionVoted, total=False):
    """What became of a vote that was taken: the voter's receipt."""

    #: The voter's own number of it.
    seq: int | None
    #: Its place in the session's log.
    log_seq: int | None
    #: Its integrity hash.
    vote_hash: str | None
    #: The hash of the session's log up to and with it.
    entry_hash: str | None
    #: When it was received.
    received_at: str | None
    #: How well it was verified: 1 signed, 0.9 under a handle, 0.5 otherwise, a quarter less for each flag.
    verification_score: float | None
    #: How it ended.
    outcome: Literal["decided", "rejected", "no_quorum", "timeout", "fault_budget_exceeded", "cancelled"] | None


_ShedChecked = TypedDict("_ShedChecked", {
    "admitted": "bool",
    "shed": "bool",
    "class": "Literal['control', 'dispatch', 'data', 'telemetry']",
    "priority": "Literal['critical', 'high', 'normal', 'low']",
    "critical": "bool",
    "state": "Literal['healthy', 'busy', 'stressed', 'overloaded']",
    "explain": "ExplainView",
})
_ShedCheckedOther = TypedDict("_ShedCheckedOther", {
    "reason": "str | None",
    "full": "CapView | None",
    "retry_after_ms": "int | None",
    "keep": "bool | None",
    "permit": "int | None",
}, total=False)


class ShedChecked(_ShedChecked, _ShedCheckedOther):
    """The answer to one message."""


class ShedStatus(TypedDict):
    """How load and shedding stand."""

    #: The state that ``shed.check`` judges by: the worse of what callers report and what the runtime measures.
    state: Literal["healthy", "busy", "stressed", "overloaded"]
    #: The state that operations are refused by: what the runtime measures itself, and requests under way.
    operations_state: Literal["healthy", "busy", "stressed", "overloaded"]
    #: State, cause, thresholds, since when.
    explain: ExplainView
    #: The signals.
    detector: TiersView
    #: Requests told to be pending.
    pending: int
    #: Permits held by callers.
    in_flight: int
    #: How many may be.
    in_flight_cap: int
    #: Each class.
    classes: list[ClassView]
    #: Messages judged in this process, each once.
    total_requests: int
    #: Of them refused for the state.
    shed_requests: int
    #: Refused of all, 0 to 1.
    shed_rate: float
    #: Refused for the state, by priority.
    shed_by_priority: ByPriority
    #: Changes of state in this process.
    transitions: int
    #: Messages of names nobody knows.
    unknown_names: int
    #: Over all processes.
    all_time: RefusedTotals


class ShownRecord(TypedDict):
    """The bytes of a record."""

    #: Chain hash of the record before it in its stream; zeros for the first.
    previous_hash: str
    #: The record as the journal format has it, without its hash.
    bytes: str


class SignalView(TypedDict):
    """What senders are told at a level."""

    #: The level as a number, 0 to 3.
    level: int
    #: How long to wait between messages.
    suggested_delay_ms: int
    #: Send one message per job.
    batch_only: bool
    #: Send only what is critical.
    drop_non_critical: bool


class _Started(TypedDict):
    #: Its id.
    quorum_id: str
    #: Its kind.
    quorum_type: Literal["local", "global", "ring", "radial"]
    #: Approvals needed.
    required_votes: int
    #: Seconds votes are taken.
    timeout: float
    #: The same, under the name the other replies use.
    timeout_seconds: float
    #: Known neighbours of that cell.
    neighbor_count: int
    #: ``closed`` (a fixed list of voters) or ``open`` (anyone counts, because the membership is unknown).
    electorate: str
    #: Where it stands.
    state: Literal["open", "approved", "rejected", "timed_out", "cancelled"]
    #: When it opened.
    opened_at: str
    #: The last instant at which a vote is on time.
    deadline: str
    #: Epoch of the mesh registry its electorate was read at.
    membership_epoch: int
    #: The request was answered before under the same idempotency key.
    duplicate: bool


class Started(_Started, total=False):
    """A quorum as it was opened."""

    #: The cell the question is about.
    cell_id: str | None
    #: How many may vote; none for an open electorate.
    voter_count: int | None
    #: blake3 of the subject, in hex.
    subject_digest: str | None
    #: The global quorum that opens if this one times out.
    fallback_quorum_id: str | None


class StatsLevel(TypedDict):
    """The level, and how full the buffer of statistics is."""

    #: The level.
    level: Literal["none", "throttle", "batch", "reject"]
    #: The level as a number, 0 to 3.
    backpressure_level: int
    #: How long to wait between messages.
    backpressure_delay_ms: int
    #: Send one message per job.
    backpressure_batch_only: bool
    #: Send only what is critical.
    backpressure_drop_non_critical: bool
    #: The same as the signal that goes out to senders.
    signal: SignalView
    #: Single samples held, younger than 60 s.
    hot_count: int
    #: Most of them.
    hot_max: int
    #: One of the other, 0 to 1.
    fill: float


class _StatsRecorded(TypedDict):
    #: All of them were taken.
    accepted: bool
    #: Samples taken.
    recorded: int
    #: Samples refused, since the buffer rejects and they are not critical.
    refused: int
    #: The level.
    level: Literal["none", "throttle", "batch", "reject"]
    #: The level as a number, 0 to 3.
    backpressure_level: int
    #: How long to wait between messages.
    backpressure_delay_ms: int
    #: Send one message per job.
    backpressure_batch_only: bool
    #: Send only what is critical.
    backpressure_drop_non_critical: bool


class StatsRecorded(_StatsRecorded, total=False):
    """What became of samples."""

    #: When it is worth trying again, if any were refused.
    retry_after_ms: int | None


class _StatsSummary(TypedDict):
    #: Samples ever taken.
    count: int
    #: Single samples held.
    hot_count: int
    #: Buckets of 10 s held.
    warm_count: int
    #: Buckets of 60 s held.
    cold_count: int
    #: Samples older than that, in one.
    archived: int
    #: Samples taken.
    total_recorded: int
    #: Samples refused.
    total_dropped: int
    #: The level.
    level: Literal["none", "throttle", "batch", "reject"]


class StatsSummary(_StatsSummary, total=False):
    """All statistics in one, and the tiers they stand in."""

    #: Their mean; this and the next three are missing before the first.
    average: float | None
    #: The smallest.
    min: float | None
    #: The largest.
    max: float | None
    #: All of them added.
    sum: float | None
    #: The mean of what is younger than the window; missing when nothing is.
    recent_average: float | None


class _StopList(TypedDict):
    #: They.
    stops: list[StopView]
    #: How many are in force.
    in_force: int


class StopList(_StopList, total=False):
    """Stops, by their numbers."""

    #: Filters whose names nobody here has, where nothing fits them: they may be misspelt.
    unknown: list[str]


class _StopView(TypedDict):
    #: Its id.
    stop_id: str
    #: ``in_force`` or ``released``.
    state: str
    #: Its number among all stops, from 1.
    sequence: int
    #: What it stops: ``everything``, ``party:ID``, ``prefix:TEXT`` or ``job_class:ID``.
    scope: str
    #: Who may release it.
    release_voters: list[str]
    #: How many of them must be for it.
    release_need: int
    #: When it was engaged.
    engaged_at: str
    #: Who was for it.
    supporters: list[str]


class StopView(_StopView, total=False):
    """A stop."""

    #: The position of its record in the journal: nothing behind it acts in its scope, until it is released.
    position: int | None
    #: Who did it.
    engaged_by: str | None
    #: Why.
    reason: str | None
    #: When it was released.
    released_at: str | None
    #: Who released it.
    released_by: str | None
    #: The decision that released it.
    decision_id: str | None
    #: It was so before; nothing changed. Told by ``stop.engage`` and ``stop.release`` alone.
    duplicate: bool | None


class StopWork(TypedDict):
    """Work that a worker is to stop."""

    #: Which job.
    job_id: str
    #: Which workflow.
    workflow_id: str
    #: The handing over.
    dispatch_token: int
    #: Why, for people.
    reason: str


class _StuckList(TypedDict):
    #: Which job.
    job_id: str
    #: The workflows, the longest silent first; at most 1,000.
    workflows: list[StuckWorkflow]
    #: How many there are.
    total: int


class StuckList(_StuckList, total=False):
    """Workflows that did not get on for long."""

    #: At a gate, which does not know the workflows that managers in other processes have: the datacenters in which nothing moved for so long. Which workflows they are is asked there.
    elsewhere: list[JobPlace]


class StuckWorkflow(TypedDict):
    """A workflow that did not get on for long."""

    #: Which workflow.
    workflow_id: str
    #: In which datacenter.
    datacenter: str
    #: Where it is.
    status: str
    #: Seconds since it got on, as on record.
    idle_seconds: float


class SubjectEntity(TypedDict):
    """An entity with data of a data subject."""

    #: Its kind.
    kind: str
    #: Its id.
    entity_id: str


class _SubjectPage(TypedDict):
    #: They.
    subjects: list[SubjectView]
    #: The end was not reached.
    more: bool


class SubjectPage(_SubjectPage, total=False):
    """Data subjects by name."""

    #: Ask with this for what follows; none when this page is empty.
    next_cursor: str | None


class _SubjectView(TypedDict):
    #: Its name.
    data_subject: str
    #: ``active``, ``shredding`` while its key is being destroyed, or ``shredded``.
    state: str
    #: Its key, where this journal keeps it: ``present``, ``missing`` or ``wrong`` when nobody asked for that, ``none`` once it was shredded.
    key: str
    #: What its key is known by, in hex; it says nothing of the key.
    key_id: str
    #: When data of it was first sealed.
    since: str


class SubjectView(_SubjectView, total=False):
    """A data subject."""

    #: When shredding was asked for.
    asked_at: str | None
    #: When its key was gone.
    shredded_at: str | None
    #: Why it was shredded.
    reason: str | None
    #: The identity that asked for it; none where nobody is asked who calls.
    asked_by: str | None
    #: The first 1000 entities with data of it. Told by ``subject.show`` and ``subject.shred``.
    entities: list[SubjectEntity] | None
    #: How many those are in all.
    entity_count: int | None
    #: It was asked for before; the first reason stands. Told by ``subject.shred`` alone.
    duplicate: bool | None


class _TakenWork(TypedDict):
    #: Which job.
    job_id: str
    #: Which workflow.
    workflow_id: str
    #: Which try, from 1.
    attempt: int
    #: The handing over, to be shown with every report. A higher one than any before it.
    dispatch_token: int
    #: Leadership of the job.
    fence_token: int
    #: How long the job may be without progress, in milliseconds.
    stuck_threshold_ms: int


class TakenWork(_TakenWork, total=False):
    """Work that a worker got. Nothing else runs under its dispatch token."""

    #: What is to be done: what the workflow says, else what the job says.
    payload: Any
    #: What the job says, where the workflow says something else.
    job_payload: Any
    #: When the budget of the job ends as it is now; none without an overall limit.
    deadline: str | None
    #: How long until then, in milliseconds.
    remaining_ms: int | None


class _TiersView(TypedDict):
    #: What all readings together say now, without patience.
    raw_state: Literal["healthy", "busy", "stressed", "overloaded"]
    #: What led to it.
    raw_cause: Literal["none", "pending", "delta", "drift", "absolute", "cpu", "memory", "queue_delay"]
    #: Evaluations in a row that were better than the state.
    quieter_evaluations: int
    #: Latency against its own past.
    delta_state: Literal["healthy", "busy", "stressed", "overloaded"]
    #: Latency in milliseconds.
    absolute_state: Literal["healthy", "busy", "stressed", "overloaded"]
    #: The fast moving average.
    baseline_ms: float
    #: The slow moving average.
    slow_baseline_ms: float
    #: The average against the fast baseline.
    delta: float
    #: The fast baseline against the slow one.
    drift: float
    #: Change from sample to sample, for people only.
    trend_ms: float
    #: Samples taken.
    samples: int
    #: The delta is not judged yet.
    warming_up: bool


class TiersView(_TiersView, total=False):
    """What the signals of the detector say."""

    #: Mean of the newest samples; missing when there are none.
    average_ms: float | None


class _TokenView(TypedDict):
    #: Which.
    token_id: str
    #: Whose capacity it is: ``self`` or another cell.
    source: str
    #: Of what.
    resource: str
    #: How much.
    capacity: float


class TokenView(_TokenView, total=False):
    """A token a cell may use."""

    #: The last instant of its lease.
    expires_at: str | None


class _TruthTaken(TypedDict):
    #: What had been right.
    truth: str
    #: The voters of whom something came to light by it.
    voters: list[str]
    #: The same was told before; nothing changed.
    duplicate: bool


class TruthTaken(_TruthTaken, total=False):
    """What had been right, as it is on record."""

    #: Which session.
    session_id: str | None
    #: Which question that was asked elsewhere.
    question_id: str | None


class _TruthView(TypedDict):
    #: The right option.
    truth: str
    #: How well the session turned out, 0 to 1.
    score: float
    #: When.
    at: str


class TruthView(_TruthView, total=False):
    """What had been right in a session."""

    #: Who told.
    by: str | None


class _Verified(TypedDict):
    #: Everything in the history fits, and nothing of it is missing.
    ok: bool
    #: Commit groups checked.
    groups: int
    #: Records checked, those that were pruned among them.
    records: int
    #: Entities met.
    streams: int
    #: Hash of the last group: covers everything before it.
    tip_hash: str
    #: The store can be opened as it is. The history may be whole and the folder damaged elsewhere: then it opens only after ``quorate recover``, or with ``--accept-loss``.
    opens: bool


class Verified(_Verified, total=False):
    """What checking every hash, link and sequence found."""

    #: How many of them were pruned: their places and hashes are there, what they said is gone. Left out when none was.
    pruned: int | None
    #: The first thing that does not fit.
    broken: BrokenView | None
    #: Why it cannot be opened, and what to do.
    refusal: str | None
    #: Whether the journal begins with what the newest checkpoint in the folder was signed over; ``null`` when there is none.
    log: CheckpointCheck | None
    #: Why that was not looked at: whoever asks may not read the files of the log. It says nothing against the records.
    log_unread: str | None
    #: The same for the checkpoint that was given.
    checkpoint: CheckpointCheck | None
    #: Only this part was checked; groups, records and entities are those of its commit groups.
    part: VerifiedPart | None


_VerifiedPart = TypedDict("_VerifiedPart", {
    "from": "int",
    "upto": "int",
    "shows": "str",
    "leaves_open": "str",
})
_VerifiedPartOther = TypedDict("_VerifiedPartOther", {
}, total=False)


class VerifiedPart(_VerifiedPart, _VerifiedPartOther):
    """A part of the journal that was checked."""


class _VivaldiCoordinate(TypedDict):
    #: The point, 1 to 32 components within 10 s either way; as many as all nodes have, which is 8 unless configured.
    vec: list[float]
    #: The way from the node to the net, 0 to 10 s.
    height: float
    #: How wrong estimates are, relative to the measured round trip, 0 to 10.
    error: float
    #: How wrong they are, in ms, 0 to 10,000.
    error_ms: float
    #: Round trips it rests on.
    sample_count: int


class VivaldiCoordinate(_VivaldiCoordinate, total=False):
    """Where a node stands in the space of round trips: seconds, except for ``error``, which has no unit, and ``error_ms``."""

    #: A correction of every estimate, within 1 s either way; 0 when left out.
    adjustment: float


class Voted(TypedDict):
    """What became of a vote, and where the quorum stands after it."""

    #: Which quorum.
    quorum_id: str
    #: Who voted.
    voter_id: str
    #: The vote.
    vote: bool
    #: Counted votes.
    total_votes: int
    #: Counted approvals.
    approve_votes: int
    #: Counted rejections.
    reject_votes: int
    #: Approvals needed.
    required_votes: int
    #: Approvals have reached the number needed.
    quorum_reached: bool
    #: More approvals than rejections; informational, not the outcome.
    consensus: bool
    #: The voter is a neighbour of the cell; always true for kinds other than local.
    is_neighbor: bool
    #: The vote is part of the tally.
    counted: bool
    #: The same vote stood before; nothing changed, and a reason given now is not kept.
    duplicate: bool
    #: The vote replaced an earlier, different one.
    changed: bool
    #: Where the quorum stands.
    state: Literal["open", "approved", "rejected", "timed_out", "cancelled"]


class VoterCount(TypedDict):
    """What one voter did."""

    #: The voter whose votes are counted.
    voter_id: str
    #: Votes that were taken, changes of them among them.
    votes: int
    #: Questions it voted on.
    questions: int
    #: Attempts that were refused.
    refused: int


class _VoterPage(TypedDict):
    #: The voters.
    voters: list[VoterView]
    #: All of them, counted.
    status: VotersStatus
    #: The end was not reached.
    more: bool


class VoterPage(_VoterPage, total=False):
    """Voters by id."""

    #: Ask with this for what follows, now or later; none when this page is empty and was not asked for with a cursor.
    next_cursor: str | None


class _VoterRegistered(TypedDict):
    #: Which voter.
    voter_id: str
    #: It is newly registered; false when it was before, and then nothing changed.
    registered: bool
    #: How much it counts.
    weight: float
    #: How far it is trusted.
    state: str


class VoterRegistered(_VoterRegistered, total=False):
    """A voter as registered."""

    #: The handle that was minted. It is shown once, and nowhere on record.
    handle: str | None
    #: The key of its signatures.
    public_key: str | None


class _VoterView(TypedDict):
    #: Which voter.
    voter_id: str
    #: ``honest``, ``suspicious``, ``quarantined``, ``byzantine``, ``probation`` or ``offline``.
    state: str
    #: How suspicious, 0 to 1: above 0.3 it is suspicious until below 0.2, above 0.7 it is quarantined.
    suspicion_score: float
    #: How often it was quarantined.
    offences: int
    #: How much it counts as registered.
    weight: float
    #: How much it counts in a new session: half of that on probation.
    power: float
    #: When it was registered.
    registered_at: str


class VoterView(_VoterView, total=False):
    """How far a voter is trusted, and why."""

    #: Of one that is offline: the state it comes back to.
    previous: str | None
    #: Why it is in that state.
    reason: str | None
    #: The session that led to it.
    session_id: str | None
    #: The hash of the evidence.
    evidence_id: str | None
    #: The fault that is proven.
    fault: str | None
    #: Since when.
    since: str | None
    #: Until when it is quarantined.
    until: str | None
    #: On probation: votes without a flag that are still needed.
    clean_needed: int | None
    #: Its last sign of life in a session.
    last_seen: str | None
    #: The key of its signatures.
    public_key: str | None
    #: The version of that key, of one that took the place of another.
    key_version: int | None
    #: What its answers were worth, once the truth of some was told.
    learned: LearnedView | None


class VotersStatus(TypedDict):
    """How many voters are in which state, and what follows."""

    #: Registered.
    total: int
    #: Honest.
    honest: int
    #: Suspicious.
    suspicious: int
    #: Quarantined.
    quarantined: int
    #: Proven to lie.
    byzantine: int
    #: On probation.
    probation: int
    #: Silent while a vote is owed.
    offline: int
    #: Faults that so many voters bear, at most 16.
    fault_capacity: int
    #: Voters that are byzantine, quarantined or offline.
    current_faults: int
    #: At least four voters, and more than three times as many as faults.
    is_fault_tolerant: bool
    #: Faults that are still borne; below 0 when there are too many.
    safety_margin: int
    #: What follows.
    recommended_actions: list[str]


class WeightsView(TypedDict):
    """Where the powers of a session come from."""

    #: The source with all its parameters.
    source: str
    #: Its version.
    version: int
    #: Questions whose truth was told, that it learned from.
    questions: int
    #: Answers to them.
    answers: int


class WhyLink(TypedDict):
    """One link of the chain of what decided about a job."""

    #: Number of the event in the job's record.
    seq: int
    #: When it was recorded.
    at: str
    #: What it says.
    sentence: str


class WhyStep(TypedDict):
    """One link of the chain of what led to how an entity stands."""

    #: Place of the event in the global order.
    position: int
    #: Kind of the entity in whose log it stands: the one that is asked about, or one that it follows from.
    kind: str
    #: The entity that is explained.
    entity_id: str
    #: Place in that log.
    seq: int
    #: When it was recorded.
    at: str
    #: What it says.
    sentence: str


class WorkTaken(TypedDict):
    """What a worker that asked for work got."""

    #: Which worker.
    worker_id: str
    #: Its work; none when there was none within the wait.
    work: list[TakenWork]
    #: What it is to stop.
    stop: list[StopWork]
    #: Silent for so long it is lost, in milliseconds.
    silence_limit_ms: int


class WorkerBeaten(TypedDict):
    """What a worker that gave a sign of life is told."""

    #: Which worker.
    worker_id: str
    #: What it is to stop.
    stop: list[StopWork]
    #: Silent for so long it is lost, in milliseconds.
    silence_limit_ms: int


class _WorkerChanged(TypedDict):
    #: Which worker.
    worker_id: str
    #: Something was not so before.
    changed: bool


class WorkerChanged(_WorkerChanged, total=False):
    """Whether a worker changed."""

    #: Of a report: the same was reported before; nothing changed.
    duplicate: bool
    #: Jobs it was told to.
    job_ids: list[str]
    #: A report of progress waits in memory, for so long at the least, since its managers asked for less. The newest of each workflow goes out; at reject all but one a time are dropped.
    held_ms: int | None
    #: The level.
    level: Literal["none", "throttle", "batch", "reject"]
    #: The level as a number, 0 to 3.
    backpressure_level: int
    #: How long to wait between messages.
    backpressure_delay_ms: int
    #: Send one message per job.
    backpressure_batch_only: bool
    #: Send only what is critical.
    backpressure_drop_non_critical: bool
    #: After a report of a worker that takes its work: what it is to stop.
    stop: list[StopWork]


class _WorkerPage(TypedDict):
    #: The workers.
    workers: list[WorkerStatus]
    #: Is there one?
    more: bool


class WorkerPage(_WorkerPage, total=False):
    """Workers in the order of their names."""

    #: Where the next page begins.
    next_cursor: str | None


class _WorkerPressure(TypedDict):
    #: Which.
    worker_id: str
    #: The worst level of its managers.
    level: Literal["none", "throttle", "batch", "reject"]
    #: What that makes it do: ``no_backpressure``, ``throttled``, ``batch_only`` or ``reject``.
    state: str
    #: The longest delay of its managers.
    delay_ms: int
    #: Its managers.
    managers: list[ManagerPressure]
    #: Reports counted since the first signal.
    offered: int
    #: Reports that were taken.
    delivered: int
    #: Reports that held ones made way for.
    superseded: int
    #: Reports dropped at reject since the process began.
    dropped: int
    #: Reports dropped at reject on record, over all time.
    dropped_all_time: int
    #: Reports that wait.
    held: int


class WorkerPressure(_WorkerPressure, total=False):
    """What is asked of a worker, and what it does about it."""

    #: Reports dropped that the managers were not told of yet, by job: the next report of the workflow tells.
    gaps: dict[str, int]
    #: When it looks at what waits again.
    next_at: str | None


Certificate = dict[str, Any]
GateStatus = dict[str, Any]
PastState = Union[QuorumStatus, ConsensusResult, JobStatusView, CapacityStatus, SessionResult, VoterView, AgentHealth, BudgetStatus, IdentityView, RouteState, CoordinateView, RecordedState]
RoutingDecision = dict[str, Any]
WorkerStatus = dict[str, Any]

__all__ = [
    "AgentHealth",
    "AgentHistoryPage",
    "AgentLeft",
    "AgentMonitored",
    "AgentPage",
    "AgentRegistered",
    "AgentStats",
    "AgentUnmonitored",
    "AgentView",
    "Agreement",
    "AlgorithmDefault",
    "AlgorithmList",
    "AlgorithmRegistered",
    "AlgorithmStats",
    "AlgorithmUnregistered",
    "AlgorithmView",
    "Asker",
    "AuditBallotView",
    "AuditVoteView",
    "AuthorityRegistered",
    "AwaitedVoter",
    "BallotView",
    "BeatView",
    "Beaten",
    "BrokenView",
    "BudgetStatus",
    "BudgetUse",
    "ByClass",
    "ByPriority",
    "Cancelled",
    "CandidateRegistered",
    "CandidatesSelected",
    "CapView",
    "CapacityConfigured",
    "CapacityOffered",
    "CapacityReleased",
    "CapacityRequested",
    "CapacityReserved",
    "CapacitySettled",
    "CapacityStats",
    "CapacityStatus",
    "CapacityToken",
    "CellPage",
    "CellRegistered",
    "CellView",
    "Certificate",
    "CheckpointCheck",
    "ChosenView",
    "ClassEstimate",
    "ClassView",
    "ConsensusHistoryPage",
    "ConsensusMetadata",
    "ConsensusReminded",
    "ConsensusResult",
    "ConsensusStats",
    "ConsensusVoted",
    "Consistency",
    "ConsistencyProof",
    "CoordinateEstimate",
    "CoordinateView",
    "DatacenterList",
    "DatacenterPressure",
    "DatacenterRemoved",
    "DatacenterView",
    "DecisionSpent",
    "DelegationView",
    "Diagnosis",
    "DurationCounts",
    "ElectorView",
    "EmergenceReport",
    "EmergenceSignal",
    "EndedKeyView",
    "EntityLog",
    "EntityWhy",
    "EventCount",
    "EventPage",
    "EventView",
    "EvidenceView",
    "ExclusionView",
    "ExplainView",
    "FinalTally",
    "FinalVote",
    "FlowAdviceView",
    "FlowConfig",
    "FlowDrained",
    "FlowOpened",
    "FlowStatus",
    "GapView",
    "GateStatus",
    "GateView",
    "GatesView",
    "GroupPage",
    "HealthDistribution",
    "HistoryCounts",
    "HolderLine",
    "HolderPage",
    "HookChanged",
    "HookList",
    "HookView",
    "IdentityChanged",
    "IdentityPage",
    "IdentityToken",
    "IdentityView",
    "Inbox",
    "Inclusion",
    "JobCancelled",
    "JobChanged",
    "JobExtended",
    "JobLed",
    "JobLine",
    "JobPage",
    "JobPlace",
    "JobStats",
    "JobStatusReply",
    "JobStatusView",
    "JobSubmitted",
    "JobWhy",
    "KeyTaken",
    "LearnedView",
    "LeaseLine",
    "LeasePage",
    "LoadRecorded",
    "LogCheckpoint",
    "ManagerPressure",
    "MeasuredLink",
    "MemberList",
    "MemberMetrics",
    "MemberValidation",
    "MemberView",
    "MeshRegistered",
    "MessageOffered",
    "MessageView",
    "NameConflict",
    "OpenCounts",
    "OpenProposalsPage",
    "OpenQuestion",
    "OperationView",
    "OutcomeCount",
    "OverdueLine",
    "Overview",
    "ParameterView",
    "PastState",
    "PermitReleased",
    "PressureStatus",
    "ProblemLine",
    "ProvenRecord",
    "ProvenRecords",
    "PrunedSpan",
    "PruningView",
    "QuorumHistoryEntry",
    "QuorumHistoryPage",
    "QuorumLine",
    "QuorumPage",
    "QuorumStatsReply",
    "QuorumStatus",
    "RateChange",
    "RateShort",
    "RateStatus",
    "RecordProof",
    "RecordedState",
    "RecordsHold",
    "RefusedTotals",
    "RetentionView",
    "RouteChanged",
    "RouteFailed",
    "RouteFailureView",
    "RouteState",
    "RoutedView",
    "RoutingDecision",
    "RuleView",
    "SelectionView",
    "SessionBallot",
    "SessionDelegation",
    "SessionLine",
    "SessionPage",
    "SessionReminded",
    "SessionResult",
    "SessionVoted",
    "ShedChecked",
    "ShedStatus",
    "ShownRecord",
    "SignalView",
    "Started",
    "StatsLevel",
    "StatsRecorded",
    "StatsSummary",
    "StopList",
    "StopView",
    "StopWork",
    "StuckList",
    "StuckWorkflow",
    "SubjectEntity",
    "SubjectPage",
    "SubjectView",
    "TakenWork",
    "TiersView",
    "TokenView",
    "TruthTaken",
    "TruthView",
    "Verified",
    "VerifiedPart",
    "VivaldiCoordinate",
    "Voted",
    "VoterCount",
    "VoterPage",
    "VoterRegistered",
    "VoterView",
    "VotersStatus",
    "WeightsView",
    "WhyLink",
    "WhyStep",
    "WorkTaken",
    "WorkerBeaten",
    "WorkerChanged",
    "WorkerPage",
    "WorkerPressure",
    "WorkerStatus",
]
