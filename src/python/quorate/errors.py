"""What could not be done: one class of exception for each kind of error.

Made from the tables of the runtime by
`QUORATE_REWRITE_GOLDEN=1 cargo test --test tidy python`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Error(Exception):
    """An operation was not carried out. The class says the kind; one of its own has no kind that this version knows."""

    #: The name of the kind, the same at every door.
    kind: str = "error"
    #: May the same request succeed later?
    retryable: bool = False
    #: The sentence.
    message: str
    #: What else is told, such as `field`, `value` and `expected`.
    details: dict[str, Any]

    def __init__(self, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = dict(details or {})

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


def of(error: Mapping[str, Any]) -> Error:
    """The exception for an error as every door tells it."""
    details = dict(error)
    kind, message = details.pop("kind", "error"), details.pop("message", "")
    made = _CLASSES.get(kind, Error)(message, details)
    made.kind = kind
    return made


class InvalidArgument(Error):
    """What to do: correct the field the message names."""

    kind = "invalid_argument"
    retryable = False


class MalformedRequest(Error):
    """What to do: send valid JSON or a valid query."""

    kind = "malformed_request"
    retryable = False


class PayloadTooLarge(Error):
    """What to do: send less; of an address that is too long the status is 414, of headers 431."""

    kind = "payload_too_large"
    retryable = False


class RequestTimeout(Error):
    """What to do: send the whole request sooner: nothing was done with the part that came."""

    kind = "request_timeout"
    retryable = True


class UnknownOperation(Error):
    """What to do: look the name up in operations; where the path takes another method the status is 405, and ``allow`` says which."""

    kind = "unknown_operation"
    retryable = False


class NotFound(Error):
    """What to do: check the id."""

    kind = "not_found"
    retryable = False


class Pruned(Error):
    """What to do: nothing: its records were removed on purpose after it had ended; ``pruning`` says by which pruning, and its id is not used again."""

    kind = "pruned"
    retryable = False


class LedElsewhere(Error):
    """What to do: ask the node that ``gate`` names: this gate was taken for gone, and that one leads the job now."""

    kind = "led_elsewhere"
    retryable = False


class AlreadyExists(Error):
    """What to do: use what exists, or choose another id."""

    kind = "already_exists"
    retryable = False


class KeyReused(Error):
    """What to do: use a new idempotency key: this one is that of another request."""

    kind = "key_reused"
    retryable = False


class UnreachableRequirement(Error):
    """What to do: ask for fewer votes, or name more voters: ``required`` are needed, and ``available`` may vote."""

    kind = "unreachable_requirement"
    retryable = False


class NotAuthenticated(Error):
    """What to do: send the token of a live identity: ``Authorization: Bearer TOKEN``, ``--token``, ``QUORATE_TOKEN``."""

    kind = "not_authenticated"
    retryable = False


class NotAuthorized(Error):
    """What to do: have an admin grant what ``missing`` names: the ``scope`` or the ``party``."""

    kind = "not_authorized"
    retryable = False


class ForeignHost(Error):
    """What to do: call the server ``localhost``, or serve with ``--allow-host NAME``."""

    kind = "foreign_host"
    retryable = False


class ForeignOrigin(Error):
    """What to do: ask from a program: a web page of another origin is refused."""

    kind = "foreign_origin"
    retryable = False


class ProofInvalid(Error):
    """What to do: do not believe what the proof claims."""

    kind = "proof_invalid"
    retryable = False


class UnknownMembership(Error):
    """What to do: register the cells, or name the voters."""

    kind = "unknown_membership"
    retryable = False


class UnknownAlgorithm(Error):
    """What to do: register the algorithm, or name another."""

    kind = "unknown_algorithm"
    retryable = False


class CoordinatorError(Error):
    """What to do: try again later."""

    kind = "coordinator_error"
    retryable = True


class NotEligible(Error):
    """What to do: nothing: the voter is not in the electorate."""

    kind = "not_eligible"
    retryable = False


class AlreadyVoted(Error):
    """What to do: nothing: the first vote stands."""

    kind = "already_voted"
    retryable = False


class QuorumClosed(Error):
    """What to do: nothing: it is decided."""

    kind = "quorum_closed"
    retryable = False


class QuorumTimeout(Error):
    """What to do: nothing: the deadline has passed."""

    kind = "quorum_timeout"
    retryable = False


class ProposalClosed(Error):
    """What to do: nothing: it is decided; the attempt and its reason are on record."""

    kind = "proposal_closed"
    retryable = False


class Aborted(Error):
    """What to do: look at the reason: nobody, or too few, could be asked."""

    kind = "aborted"
    retryable = True


class Expired(Error):
    """What to do: ask again, with more time."""

    kind = "expired"
    retryable = False


class Cancelled(Error):
    """What to do: nothing: somebody ended it; ask again if it is still wanted."""

    kind = "cancelled"
    retryable = False


class NothingDone(Error):
    """What to do: look at the reason: there was nothing to do, or it could not be done."""

    kind = "nothing_done"
    retryable = False


class TokenNotFound(Error):
    """What to do: check the id."""

    kind = "token_not_found"
    retryable = False


class NotTokenOwner(Error):
    """What to do: nothing: another cell holds the token."""

    kind = "not_token_owner"
    retryable = False


class TokenExpired(Error):
    """What to do: ask for capacity anew."""

    kind = "token_expired"
    retryable = False


class TokenReleased(Error):
    """What to do: ask for capacity anew."""

    kind = "token_released"
    retryable = False


class TokenRevoked(Error):
    """What to do: ask for capacity anew."""

    kind = "token_revoked"
    retryable = False


class NotRenewable(Error):
    """What to do: ask for capacity anew."""

    kind = "not_renewable"
    retryable = False


class StaleToken(Error):
    """What to do: look at ``leader_id``: a later token is in force, perhaps your own after a restart; ``job.renew`` tells it."""

    kind = "stale_token"
    retryable = False


class TokenMissing(Error):
    """What to do: show the ``fence_token`` of the lease: ``holder`` has it, and only the holder may do this."""

    kind = "token_missing"
    retryable = False


class UnknownToken(Error):
    """What to do: read who leads: the token was never given out."""

    kind = "unknown_token"
    retryable = False


class JobEnded(Error):
    """What to do: nothing: look at the status."""

    kind = "job_ended"
    retryable = False


class IllegalTransition(Error):
    """What to do: nothing: look at the status."""

    kind = "illegal_transition"
    retryable = False


class LeaseHeld(Error):
    """What to do: wait until the lease ends."""

    kind = "lease_held"
    retryable = True


class LeaseLost(Error):
    """What to do: stop what is done under the lease."""

    kind = "lease_lost"
    retryable = False


class NoLeader(Error):
    """What to do: take the job over."""

    kind = "no_leader"
    retryable = True


class UnknownDatacenter(Error):
    """What to do: name a datacenter of the configuration, or one that was heard of."""

    kind = "unknown_datacenter"
    retryable = False


class NoDatacenter(Error):
    """What to do: look at ``excluded``: why each datacenter may not take the job now; try again when one is well."""

    kind = "no_datacenter"
    retryable = True


class LimitExceeded(Error):
    """What to do: ask for less, or raise the bound."""

    kind = "limit_exceeded"
    retryable = False


class Overloaded(Error):
    """What to do: try again after ``retry_after_ms``."""

    kind = "overloaded"
    retryable = True


class ShareExceeded(Error):
    """What to do: wait until something that you asked for is answered: one client has as much of ``what`` under way as one may; others are served."""

    kind = "share_exceeded"
    retryable = True


class Conflict(Error):
    """What to do: try again."""

    kind = "conflict"
    retryable = True


class Fenced(Error):
    """What to do: stop: another owner took the journal."""

    kind = "fenced"
    retryable = False


class OutcomeUnknown(Error):
    """What to do: repeat the request: under the same ids a repeat of what was done changes nothing."""

    kind = "outcome_unknown"
    retryable = True


class NoAnswer(Error):
    """What to do: start the server, or check its address and the way there; then try again: nothing took effect. Only clients say it."""

    kind = "no_answer"
    retryable = True


class StoreError(Error):
    """What to do: free disk space or mend the disk, then try again."""

    kind = "store_error"
    retryable = True


class StoreLocked(Error):
    """What to do: stop the other process, or ask it if it is a server."""

    kind = "store_locked"
    retryable = True


class StoreMissing(Error):
    """What to do: name another folder, or make one with ``quorate serve``."""

    kind = "store_missing"
    retryable = False


class StoreForeign(Error):
    """What to do: name a new or empty folder."""

    kind = "store_foreign"
    retryable = False


class StoreMoved(Error):
    """What to do: open the journal where ``to`` says; where a move into the store was cut off, begin it again."""

    kind = "store_moved"
    retryable = False


class NodeNameTaken(Error):
    """What to do: ``address`` says where a node of this name is: give this one a name and a folder of its own, or stop that one first."""

    kind = "node_name_taken"
    retryable = False


class StoreVersion(Error):
    """What to do: use a newer program."""

    kind = "store_version"
    retryable = False


class StoreCorrupt(Error):
    """What to do: save what is sound with ``quorate recover DIR --to NEW``, or restore a backup."""

    kind = "store_corrupt"
    retryable = False


class InsufficientParticipants(Error):
    """What to do: register more voters, or declare fewer faults."""

    kind = "insufficient_participants"
    retryable = False


class SessionClosed(Error):
    """What to do: nothing: the outcome is final."""

    kind = "session_closed"
    retryable = False


class InvalidVote(Error):
    """What to do: look at ``reason``, and at ``layer``: where the vote was refused."""

    kind = "invalid_vote"
    retryable = False


class ByzantineFault(Error):
    """What to do: look at ``voter.state``: the voter is quarantined, excluded or proven to lie."""

    kind = "byzantine_fault"
    retryable = False


class RateLimited(Error):
    """What to do: try again after ``retry_after_ms``."""

    kind = "rate_limited"
    retryable = True


class NotCertifiable(Error):
    """What to do: let voters register a key and sign."""

    kind = "not_certifiable"
    retryable = False


class IntegrityViolation(Error):
    """What to do: do not act on it: the certificate does not hold."""

    kind = "integrity_violation"
    retryable = False


class NothingToSpend(Error):
    """What to do: name the operation when the question is put."""

    kind = "nothing_to_spend"
    retryable = False


class NotDecided(Error):
    """What to do: wait until it is decided."""

    kind = "not_decided"
    retryable = True


class NotApproved(Error):
    """What to do: do not do it: ``outcome`` says how the question ended."""

    kind = "not_approved"
    retryable = False


class DecisionTainted(Error):
    """What to do: let other voters decide anew."""

    kind = "decision_tainted"
    retryable = False


class OperationMismatch(Error):
    """What to do: do what was decided, with those arguments: ``expected`` and ``given`` are the two hashes."""

    kind = "operation_mismatch"
    retryable = False


class ApprovalExpired(Error):
    """What to do: have it decided anew."""

    kind = "approval_expired"
    retryable = False


class AlreadySpent(Error):
    """What to do: have it decided anew; ``uses`` says how often it could be used."""

    kind = "already_spent"
    retryable = False


class Stopped(Error):
    """What to do: wait: ``stop_id``, ``scope`` and ``sequence`` say which stop covers it, ``stop.status`` who may release it."""

    kind = "stopped"
    retryable = True


class NotReleasing(Error):
    """What to do: look at ``why``: the decision that was shown does not release the stop."""

    kind = "not_releasing"
    retryable = False


class Delegated(Error):
    """What to do: nothing: ``to`` has the place, and votes in it."""

    kind = "delegated"
    retryable = False


class OwnedElsewhere(Error):
    """What to do: ask at ``address``: the process there has the shard; ``--url`` and connect go there by themselves."""

    kind = "owned_elsewhere"
    retryable = False


class ShardUnowned(Error):
    """What to do: try again after ``retry_after_ms``: no process has the shard now, as while it is taken over."""

    kind = "shard_unowned"
    retryable = True


class NotOnShards(Error):
    """What to do: leave out what the message names: on a journal of several shards it cannot be decided together."""

    kind = "not_on_shards"
    retryable = False


class SubjectShredded(Error):
    """What to do: use another name for new data: that of this data subject was shredded."""

    kind = "subject_shredded"
    retryable = False


class SubjectKeyMissing(Error):
    """What to do: put the key file back from a copy of ``DIR/subjects``: it is gone, and nobody shredded it."""

    kind = "subject_key_missing"
    retryable = False


class SubjectKeyWrong(Error):
    """What to do: put the right key file back: the one in its place is another."""

    kind = "subject_key_wrong"
    retryable = False


class LegalHold(Error):
    """What to do: release the ``hold`` on the entity first: it holds data of the data subject."""

    kind = "legal_hold"
    retryable = False


_CLASSES: dict[str, type[Error]] = {
    "invalid_argument": InvalidArgument,
    "malformed_request": MalformedRequest,
    "payload_too_large": PayloadTooLarge,
    "request_timeout": RequestTimeout,
    "unknown_operation": UnknownOperation,
    "not_found": NotFound,
    "pruned": Pruned,
    "led_elsewhere": LedElsewhere,
    "already_exists": AlreadyExists,
    "key_reused": KeyReused,
    "unreachable_requirement": UnreachableRequirement,
    "not_authenticated": NotAuthenticated,
    "not_authorized": NotAuthorized,
    "foreign_host": ForeignHost,
    "foreign_origin": ForeignOrigin,
    "proof_invalid": ProofInvalid,
    "unknown_membership": UnknownMembership,
    "unknown_algorithm": UnknownAlgorithm,
    "coordinator_error": CoordinatorError,
    "not_eligible": NotEligible,
    "already_voted": AlreadyVoted,
    "quorum_closed": QuorumClosed,
    "quorum_timeout": QuorumTimeout,
    "proposal_closed": ProposalClosed,
    "aborted": Aborted,
    "expired": Expired,
    "cancelled": Cancelled,
    "nothing_done": NothingDone,
    "token_not_found": TokenNotFound,
    "not_token_owner": NotTokenOwner,
    "token_expired": TokenExpired,
    "token_released": TokenReleased,
    "token_revoked": TokenRevoked,
    "not_renewable": NotRenewable,
    "stale_token": StaleToken,
    "token_missing": TokenMissing,
    "unknown_token": UnknownToken,
    "job_ended": JobEnded,
    "illegal_transition": IllegalTransition,
    "lease_held": LeaseHeld,
    "lease_lost": LeaseLost,
    "no_leader": NoLeader,
    "unknown_datacenter": UnknownDatacenter,
    "no_datacenter": NoDatacenter,
    "limit_exceeded": LimitExceeded,
    "overloaded": Overloaded,
    "share_exceeded": ShareExceeded,
    "conflict": Conflict,
    "fenced": Fenced,
    "outcome_unknown": OutcomeUnknown,
    "no_answer": NoAnswer,
    "store_error": StoreError,
    "store_locked": StoreLocked,
    "store_missing": StoreMissing,
    "store_foreign": StoreForeign,
    "store_moved": StoreMoved,
    "node_name_taken": NodeNameTaken,
    "store_version": StoreVersion,
    "store_corrupt": StoreCorrupt,
    "insufficient_participants": InsufficientParticipants,
    "session_closed": SessionClosed,
    "invalid_vote": InvalidVote,
    "byzantine_fault": ByzantineFault,
    "rate_limited": RateLimited,
    "not_certifiable": NotCertifiable,
    "integrity_violation": IntegrityViolation,
    "nothing_to_spend": NothingToSpend,
    "not_decided": NotDecided,
    "not_approved": NotApproved,
    "decision_tainted": DecisionTainted,
    "operation_mismatch": OperationMismatch,
    "approval_expired": ApprovalExpired,
    "already_spent": AlreadySpent,
    "stopped": Stopped,
    "not_releasing": NotReleasing,
    "delegated": Delegated,
    "owned_elsewhere": OwnedElsewhere,
    "shard_unowned": ShardUnowned,
    "not_on_shards": NotOnShards,
    "subject_shredded": SubjectShredded,
    "subject_key_missing": SubjectKeyMissing,
    "subject_key_wrong": SubjectKeyWrong,
    "legal_hold": LegalHold,
}

__all__ = [
    "Error",
    "InvalidArgument",
    "MalformedRequest",
    "PayloadTooLarge",
    "RequestTimeout",
    "UnknownOperation",
    "NotFound",
    "Pruned",
    "LedElsewhere",
    "AlreadyExists",
    "KeyReused",
    "UnreachableRequirement",
    "NotAuthenticated",
    "NotAuthorized",
    "ForeignHost",
    "ForeignOrigin",
    "ProofInvalid",
    "UnknownMembership",
    "UnknownAlgorithm",
    "CoordinatorError",
    "NotEligible",
    "AlreadyVoted",
    "QuorumClosed",
    "QuorumTimeout",
    "ProposalClosed",
    "Aborted",
    "Expired",
    "Cancelled",
    "NothingDone",
    "TokenNotFound",
    "NotTokenOwner",
    "TokenExpired",
    "TokenReleased",
    "TokenRevoked",
    "NotRenewable",
    "StaleToken",
    "TokenMissing",
    "UnknownToken",
    "JobEnded",
    "IllegalTransition",
    "LeaseHeld",
    "LeaseLost",
    "NoLeader",
    "UnknownDatacenter",
    "NoDatacenter",
    "LimitExceeded",
    "Overloaded",
    "ShareExceeded",
    "Conflict",
    "Fenced",
    "OutcomeUnknown",
    "NoAnswer",
    "StoreError",
    "StoreLocked",
    "StoreMissing",
    "StoreForeign",
    "StoreMoved",
    "NodeNameTaken",
    "StoreVersion",
    "StoreCorrupt",
    "InsufficientParticipants",
    "SessionClosed",
    "InvalidVote",
    "ByzantineFault",
    "RateLimited",
    "NotCertifiable",
    "IntegrityViolation",
    "NothingToSpend",
    "NotDecided",
    "NotApproved",
    "DecisionTainted",
    "OperationMismatch",
    "ApprovalExpired",
    "AlreadySpent",
    "Stopped",
    "NotReleasing",
    "Delegated",
    "OwnedElsewhere",
    "ShardUnowned",
    "NotOnShards",
    "SubjectShredded",
    "SubjectKeyMissing",
    "SubjectKeyWrong",
    "LegalHold",
]
