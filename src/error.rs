//! The one error of the public interface: what kind it is, what to say, and both sides of what did not fit.
//!
//! Inside, a machine rejects with its own enum and a store fails with a [`Fault`](crate::journal::Fault); at the edge both become an
//! [`Error`] whose [`ErrorKind`] tells the caller what to do. One table maps kinds to HTTP status and exit code; the
//! table of outcomes beside it ([`OUTCOMES`]) gives the exit codes of what is no error and yet no yes.

mod advice;
mod beside;
mod cell;
mod clip;
mod fault;
mod given;
mod guard;
mod hook;
mod identity;
mod network;
mod outcome;
mod retention;
mod session;
mod spend;
mod stop;
mod subject;
mod voting;

use std::fmt;

pub use advice::{advice, advice_of};
use clip::{as_written, clip, clip_text};
use given::typed;
pub use outcome::{OUTCOMES, OutcomeEntry, outcome};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::core::jobs::manager as job;
use crate::core::jobs::worker;
use crate::core::voting::quorum::rejection::Rejection;

/// What kind of error it is. The list is closed; the names are the same at every door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// A field is missing, of the wrong type or out of range. Nothing was done.
    InvalidArgument,
    /// The input is not JSON, or not one object. Nothing was done.
    MalformedRequest,
    /// The input is larger than the door takes. Nothing was done.
    PayloadTooLarge,
    /// The input was not there in time. Nothing was done.
    RequestTimeout,
    /// No operation of that name.
    UnknownOperation,
    /// No such entity ever existed.
    NotFound,
    /// Its records were pruned: removed on purpose, after it had ended; `pruning` says by which one. Its id is not used again.
    Pruned,
    /// Another gate leads the job; `gate` says which. Nothing was done.
    LedElsewhere,
    /// The id was used before, for something live or ended.
    AlreadyExists,
    /// The idempotency key was first used for another request. Nothing was done.
    KeyReused,
    /// More is required than those who may vote can give. Nothing was done.
    UnreachableRequirement,
    /// Nobody live is proved to be calling, and whoever calls must be known. Nothing was done.
    NotAuthenticated,
    /// The identity that calls may not do this, or not in this name. Nothing was done.
    NotAuthorized,
    /// The request was sent to a name that is not the server's. Nothing was done.
    ForeignHost,
    /// A browser sent the request for a page of another origin. Nothing was done.
    ForeignOrigin,
    /// A proof does not hold: what it claims is not shown by it. Nothing was done.
    ProofInvalid,
    /// The cell, ring, arm or authorities asked for are not registered.
    UnknownMembership,
    /// No algorithm is registered under that name.
    UnknownAlgorithm,
    /// The coordinator did not say who is registered. Nothing was done; try again.
    CoordinatorError,
    /// The voter is not in the electorate.
    NotEligible,
    /// The voter's first vote is final.
    AlreadyVoted,
    /// The quorum has ended.
    QuorumClosed,
    /// The quorum's deadline has passed.
    QuorumTimeout,
    /// The proposal has ended.
    ProposalClosed,
    /// The question could not be put or answered: nobody, or too few, could be asked.
    Aborted,
    /// The wait, or the time of what was offered, was over before it came about.
    Expired,
    /// Somebody ended what was asked for.
    Cancelled,
    /// There was nothing to do, or it could not be done; nothing changed.
    NothingDone,
    /// No such token was ever granted.
    TokenNotFound,
    /// The token is held by another cell.
    NotTokenOwner,
    /// The lease of the token has ended.
    TokenExpired,
    /// The token was released.
    TokenReleased,
    /// The token was taken away from its holder.
    TokenRevoked,
    /// The lease of the token cannot be renewed.
    NotRenewable,
    /// A later token is in force, of another leader or of the same one after a restart; nothing may be done under this
    /// one. Nothing was done.
    StaleToken,
    /// A token is needed and none was shown: somebody holds the lease, and only the holder may do this. Nothing was done.
    TokenMissing,
    /// The token is higher than any that was granted: it was never valid.
    UnknownToken,
    /// The job, or the workflow, has ended.
    JobEnded,
    /// The workflow cannot go there from where it is.
    IllegalTransition,
    /// Another leader holds the lease of the job.
    LeaseHeld,
    /// The lease has ended, or is not the one that was seen.
    LeaseLost,
    /// Nobody leads the job now; take it first.
    NoLeader,
    /// No datacenter of that name.
    UnknownDatacenter,
    /// No datacenter may take the job now; `excluded` says why each may not. Nothing was done.
    NoDatacenter,
    /// A configured bound is reached.
    LimitExceeded,
    /// Too many requests in flight; try again.
    Overloaded,
    /// One client has as much under way as one may; others are served. Nothing was done; try again when something of it
    /// has ended.
    ShareExceeded,
    /// Somebody else wrote in between; try again.
    Conflict,
    /// Another owner took the journal; this process must stop writing.
    Fenced,
    /// Whether the request took effect is not known; repeat it, repeats are safe.
    OutcomeUnknown,
    /// The server did not answer: it is not there, is not the one that was meant, or ended or fell silent meanwhile. Nothing took
    /// effect. Try again.
    NoAnswer,
    /// The store or the runtime did not serve; nothing took effect. Try again.
    StoreError,
    /// Another process holds the store.
    StoreLocked,
    /// There is no store in that place.
    StoreMissing,
    /// The folder holds something else.
    StoreForeign,
    /// The journal was moved to another store, or a move into this one has not ended.
    StoreMoved,
    /// Another node of this name is there.
    NodeNameTaken,
    /// The store was written by a newer version.
    StoreVersion,
    /// Stored bytes are damaged.
    StoreCorrupt,
    /// Fewer voters may vote than the session needs. Nothing was done.
    InsufficientParticipants,
    /// The session has ended.
    SessionClosed,
    /// The vote is not one that the session takes; `reason` says why.
    InvalidVote,
    /// The voter is quarantined, or a fault of it is proven; `reason` says which.
    ByzantineFault,
    /// The channel spoke too often; try again.
    RateLimited,
    /// There is no certificate of this session: it decided nothing, or by votes that are not signed.
    NotCertifiable,
    /// A certificate does not hold.
    IntegrityViolation,
    /// The question names no operation, so there is nothing to use.
    NothingToSpend,
    /// The question is not decided yet. Nothing was used.
    NotDecided,
    /// The question was not approved: a refusal cannot be used.
    NotApproved,
    /// The decision does not stand without a voter whose fault was proven since. Nothing was used.
    DecisionTainted,
    /// Another operation, or one with other arguments, was decided about. Nothing was used.
    OperationMismatch,
    /// The time to use the decision is over.
    ApprovalExpired,
    /// The decision was used as often as it may be.
    AlreadySpent,
    /// A stop covers what was asked for; `stop_id`, `scope` and `sequence` say which. Nothing was done.
    Stopped,
    /// The decision that is shown does not release the stop; `why` says why not. Nothing was done.
    NotReleasing,
    /// The voter handed its place to somebody else, who votes in it.
    Delegated,
    /// Another process has the shard; `shard` says which one, and `address` where that process answers. Nothing was done.
    OwnedElsewhere,
    /// No process has the shard now, as while it is taken over. Nothing was done; try again.
    ShardUnowned,
    /// It would have to hold on several shards at once. Nothing was done.
    NotOnShards,
    /// The data of this data subject was shredded: its key is destroyed, and its name takes no more. Nothing was done.
    SubjectShredded,
    /// The key of this data subject is not where it is kept, and nobody asked for it to be destroyed. Nothing was done.
    SubjectKeyMissing,
    /// The key in the place of that of this data subject is another one. Nothing was done.
    SubjectKeyWrong,
    /// An entity with data of this data subject is under a legal hold; `hold` says which. Nothing was done.
    LegalHold,
}

/// One line of the table of kinds.
#[derive(Clone, Copy, Debug)]
pub struct KindEntry {
    /// The kind.
    pub kind: ErrorKind,
    /// Its name at every door.
    pub name: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Exit code of the command line.
    pub exit: u8,
    /// The same request may succeed later.
    pub retry: bool,
}

const fn line(kind: ErrorKind, name: &'static str, status: u16, exit: u8, retry: bool) -> KindEntry {
    KindEntry { kind, name, status, exit, retry }
}

/// Every kind, with its status and exit code.
pub const KINDS: &[KindEntry] = &[
    line(ErrorKind::InvalidArgument, "invalid_argument", 422, 2, false),
    line(ErrorKind::MalformedRequest, "malformed_request", 400, 2, false),
    line(ErrorKind::PayloadTooLarge, "payload_too_large", 413, 2, false),
    line(ErrorKind::RequestTimeout, "request_timeout", 408, 7, true),
    line(ErrorKind::UnknownOperation, "unknown_operation", 404, 2, false),
    line(ErrorKind::NotFound, "not_found", 404, 3, false),
    line(ErrorKind::Pruned, "pruned", 410, 41, false),
    line(ErrorKind::LedElsewhere, "led_elsewhere", 421, 42, false),
    line(ErrorKind::AlreadyExists, "already_exists", 409, 4, false),
    line(ErrorKind::KeyReused, "key_reused", 409, 15, false),
    line(ErrorKind::UnreachableRequirement, "unreachable_requirement", 422, 2, false),
    line(ErrorKind::NotAuthenticated, "not_authenticated", 401, 16, false),
    line(ErrorKind::NotAuthorized, "not_authorized", 403, 17, false),
    line(ErrorKind::ForeignHost, "foreign_host", 403, 5, false),
    line(ErrorKind::ForeignOrigin, "foreign_origin", 403, 5, false),
    line(ErrorKind::ProofInvalid, "proof_invalid", 422, 19, false),
    line(ErrorKind::UnknownMembership, "unknown_membership", 422, 2, false),
    line(ErrorKind::UnknownAlgorithm, "unknown_algorithm", 422, 2, false),
    line(ErrorKind::CoordinatorError, "coordinator_error", 503, 10, true),
    line(ErrorKind::NotEligible, "not_eligible", 403, 5, false),
    line(ErrorKind::AlreadyVoted, "already_voted", 409, 4, false),
    line(ErrorKind::QuorumClosed, "quorum_closed", 409, 4, false),
    line(ErrorKind::QuorumTimeout, "quorum_timeout", 409, 4, false),
    line(ErrorKind::ProposalClosed, "proposal_closed", 409, 4, false),
    line(ErrorKind::Aborted, "aborted", 409, 25, true),
    line(ErrorKind::Expired, "expired", 409, 23, false),
    line(ErrorKind::Cancelled, "cancelled", 409, 24, false),
    line(ErrorKind::NothingDone, "nothing_done", 409, 27, false),
    line(ErrorKind::TokenNotFound, "token_not_found", 404, 3, false),
    line(ErrorKind::NotTokenOwner, "not_token_owner", 403, 5, false),
    line(ErrorKind::TokenExpired, "token_expired", 410, 4, false),
    line(ErrorKind::TokenReleased, "token_released", 409, 4, false),
    line(ErrorKind::TokenRevoked, "token_revoked", 409, 4, false),
    line(ErrorKind::NotRenewable, "not_renewable", 409, 4, false),
    line(ErrorKind::StaleToken, "stale_token", 412, 8, false),
    line(ErrorKind::TokenMissing, "token_missing", 412, 8, false),
    line(ErrorKind::UnknownToken, "unknown_token", 412, 8, false),
    line(ErrorKind::JobEnded, "job_ended", 409, 4, false),
    line(ErrorKind::IllegalTransition, "illegal_transition", 409, 4, false),
    line(ErrorKind::LeaseHeld, "lease_held", 409, 7, true),
    line(ErrorKind::LeaseLost, "lease_lost", 409, 8, false),
    line(ErrorKind::NoLeader, "no_leader", 409, 7, true),
    line(ErrorKind::UnknownDatacenter, "unknown_datacenter", 422, 2, false),
    line(ErrorKind::NoDatacenter, "no_datacenter", 503, 7, true),
    line(ErrorKind::LimitExceeded, "limit_exceeded", 429, 6, false),
    line(ErrorKind::Overloaded, "overloaded", 503, 7, true),
    line(ErrorKind::ShareExceeded, "share_exceeded", 429, 7, true),
    line(ErrorKind::Conflict, "conflict", 503, 7, true),
    line(ErrorKind::Fenced, "fenced", 503, 8, false),
    line(ErrorKind::OutcomeUnknown, "outcome_unknown", 503, 9, true),
    line(ErrorKind::NoAnswer, "no_answer", 504, 43, true),
    line(ErrorKind::StoreError, "store_error", 503, 10, true),
    line(ErrorKind::StoreLocked, "store_locked", 503, 11, true),
    line(ErrorKind::StoreMissing, "store_missing", 404, 12, false),
    line(ErrorKind::StoreForeign, "store_foreign", 409, 12, false),
    line(ErrorKind::StoreMoved, "store_moved", 409, 12, false),
    line(ErrorKind::NodeNameTaken, "node_name_taken", 409, 11, false),
    line(ErrorKind::StoreVersion, "store_version", 500, 13, false),
    line(ErrorKind::StoreCorrupt, "store_corrupt", 500, 14, false),
    line(ErrorKind::InsufficientParticipants, "insufficient_participants", 422, 2, false),
    line(ErrorKind::SessionClosed, "session_closed", 409, 4, false),
    line(ErrorKind::InvalidVote, "invalid_vote", 422, 2, false),
    line(ErrorKind::ByzantineFault, "byzantine_fault", 403, 5, false),
    line(ErrorKind::RateLimited, "rate_limited", 429, 7, true),
    line(ErrorKind::NotCertifiable, "not_certifiable", 409, 4, false),
    line(ErrorKind::IntegrityViolation, "integrity_violation", 409, 18, false),
    line(ErrorKind::NothingToSpend, "nothing_to_spend", 409, 4, false),
    line(ErrorKind::NotDecided, "not_decided", 409, 32, true),
    line(ErrorKind::NotApproved, "not_approved", 403, 33, false),
    line(ErrorKind::DecisionTainted, "decision_tainted", 409, 34, false),
    line(ErrorKind::OperationMismatch, "operation_mismatch", 409, 35, false),
    line(ErrorKind::ApprovalExpired, "approval_expired", 410, 36, false),
    line(ErrorKind::AlreadySpent, "already_spent", 409, 37, false),
    line(ErrorKind::Stopped, "stopped", 423, 38, true),
    line(ErrorKind::NotReleasing, "not_releasing", 403, 39, false),
    line(ErrorKind::Delegated, "delegated", 409, 40, false),
    line(ErrorKind::OwnedElsewhere, "owned_elsewhere", 421, 44, false),
    line(ErrorKind::ShardUnowned, "shard_unowned", 503, 7, true),
    line(ErrorKind::NotOnShards, "not_on_shards", 422, 45, false),
    line(ErrorKind::SubjectShredded, "subject_shredded", 410, 46, false),
    line(ErrorKind::SubjectKeyMissing, "subject_key_missing", 500, 47, false),
    line(ErrorKind::SubjectKeyWrong, "subject_key_wrong", 500, 48, false),
    line(ErrorKind::LegalHold, "legal_hold", 409, 49, false),
];

impl ErrorKind {
    /// The line of the table.
    pub fn entry(self) -> &'static KindEntry {
        match KINDS.iter().find(|line| line.kind == self) {
            Some(entry) => entry,
            None => unreachable!("every kind has a line, as the test shows: {self:?}"),
        }
    }

    /// The name at every door.
    pub fn name(self) -> &'static str {
        self.entry().name
    }
}

/// Why a request was not served.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    details: Map<String, Value>,
}

impl Error {
    /// An error of a kind; the message is a sentence without a full stop, variables at its end.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into(), details: Map::new() }
    }

    /// A field that does not fit: its name, the value given and what is allowed.
    pub fn invalid(field: &str, value: impl Into<Value>, expected: &str) -> Self {
        let value = as_written(clip(value.into()), expected);
        let (field, expected) = (clip_text(field), clip_text(expected));
        let message = match value {
            // Nothing was given, and a reader of `null` would look for it.
            Value::Null => format!("{field} is missing. expected {expected}"),
            _ => format!("{field} does not fit. given={value}, expected {expected}"),
        };
        Error::new(ErrorKind::InvalidArgument, message)
            .with("field", field)
            .with("value", value)
            .with("expected", expected)
    }

    /// A field that must be given and was not.
    pub fn missing(field: &str) -> Self {
        let error = Error::new(ErrorKind::InvalidArgument, format!("{field} is missing"));
        error.with("field", field).with("value", Value::Null).with("expected", "a value")
    }

    /// The same error about a field that is a member of this one.
    pub(crate) fn inside(mut self, of: &str) -> Self {
        let Some(field) = self.detail("field").and_then(Value::as_str) else { return self };
        let inner = format!("{of}.{field}");
        if let Some(rest) = self.message.strip_prefix(field) {
            self.message = format!("{of}.{field}{rest}");
        }
        self.with("field", inner)
    }

    /// The same error with one more detail.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// What kind it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// One detail, such as `field`, `value`, `expected`, `state`.
    pub fn detail(&self, name: &str) -> Option<&Value> {
        self.details.get(name)
    }

    /// The same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.kind.entry().retry
    }

    /// `{"kind": …, "message": …, details…}`, as at every door.
    pub fn to_json(&self) -> Value {
        let mut out = Map::new();
        out.insert("kind".into(), self.kind.name().into());
        out.insert("message".into(), self.message.clone().into());
        out.extend(self.details.clone());
        Value::Object(out)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.message)
    }
}

impl std::error::Error for Error {}

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::NotFound => Error::new(ErrorKind::NotFound, "no quorum of this id was ever started"),
            Rejection::AlreadyExists => Error::new(
                ErrorKind::AlreadyExists,
                "a quorum of this id was started before; choose another id",
            ),
            Rejection::Invalid { field, given, expected } => {
                Error::invalid(field, typed(field, &given), &expected)
            }
            Rejection::Unreachable { required, voters } => Error::new(
                ErrorKind::UnreachableRequirement,
                format!(
                    "more approvals required than there are voters. required={required}, voters={voters}"
                ),
            )
            .with("field", "required_votes")
            .with("value", required)
            .with("expected", format!("1 to {voters}"))
            .with("required", required)
            .with("available", voters),
            Rejection::Unmeetable(unmet) => voting::unmeetable("rule", unmet),
            Rejection::Closed { state } => {
                Error::new(ErrorKind::QuorumClosed, format!("the quorum has ended. state={}", state.name()))
                    .with("state", state.name())
            }
            Rejection::TimedOut { elapsed_seconds } => Error::new(
                ErrorKind::QuorumTimeout,
                format!("the quorum's deadline has passed. elapsed_seconds={elapsed_seconds}"),
            )
            .with("state", "timed_out")
            .with("elapsed_seconds", elapsed_seconds),
            Rejection::AlreadyVoted { held, given } => Error::new(
                ErrorKind::AlreadyVoted,
                format!("the first vote is final in this quorum. held={held}, given={given}"),
            )
            .with("held", held)
            .with("given", given),
            Rejection::NotEligible => Error::new(
                ErrorKind::NotEligible,
                "the voter is not in the electorate; the attempt is on record",
            ),
            Rejection::Limit { what, limit } => {
                Error::new(ErrorKind::LimitExceeded, format!("no more {what} in this quorum. limit={limit}"))
                    .with("field", "voter_id")
                    .with("limit", limit)
            }
        }
    }
}

/// A number of a request as the caller knows it: spans are given in seconds and kept in milliseconds.
fn in_seconds(field: &str, given: &str, expected: &str) -> Error {
    match field.strip_suffix("_ms") {
        Some(name @ ("timeout" | "max_total_extension")) => {
            Error::invalid(&format!("{name}_seconds"), given, &format!("{expected} (milliseconds)"))
        }
        Some(name @ ("stuck_threshold" | "estimated_completion")) => {
            Error::invalid(name, given, &format!("{expected} (milliseconds)"))
        }
        Some(_) | None => Error::invalid(field, typed(field, given), expected),
    }
}

fn stale(held: u64, given: u64, message: String) -> Error {
    Error::new(ErrorKind::StaleToken, message).with("held", held).with("given", given)
}

impl From<job::Rejection> for Error {
    fn from(rejection: job::Rejection) -> Self {
        let message = rejection.to_string();
        let plain = |kind| Error::new(kind, message.clone());
        match rejection {
            job::Rejection::Invalid { field, given, expected } => in_seconds(field, &given, &expected),
            job::Rejection::KeyReused { request_id, difference } => plain(ErrorKind::KeyReused)
                .with("field", "request_id")
                .with("value", request_id)
                .with("asked", "job.extend")
                .with("differs", difference.field)
                .with("first", difference.first)
                .with("given", difference.asked),
            job::Rejection::UnknownJob => plain(ErrorKind::NotFound).with("field", "job_id"),
            job::Rejection::AlreadyTracked => plain(ErrorKind::AlreadyExists).with("field", "job_id"),
            job::Rejection::IdOfEnded { status } => {
                plain(ErrorKind::AlreadyExists).with("field", "job_id").with("status", status.name())
            }
            job::Rejection::TokenMissing { holder } => plain(ErrorKind::TokenMissing)
                .with("field", "fence_token")
                .with("value", Value::Null)
                .with("missing", "fence_token")
                .with("holder", holder.node.as_str()),
            job::Rejection::AlreadyTerminal { status } => {
                plain(ErrorKind::JobEnded).with("status", status.name())
            }
            job::Rejection::Stale { held, given } => stale(held.get(), given.get(), message),
            job::Rejection::StaleGate { held, given } => stale(held.get(), given.get(), message),
            job::Rejection::StaleDispatch { held, given } => stale(held.get(), given.get(), message),
            job::Rejection::UnknownToken { held, given } => {
                plain(ErrorKind::UnknownToken).with("held", held.get()).with("given", given.get())
            }
            job::Rejection::Suspended { token } => plain(ErrorKind::NoLeader).with("held", token.get()),
            job::Rejection::NoGate => Error::invalid("gate_addr", Value::Null, "a job with a gate"),
            job::Rejection::UnknownWorkflow { .. } => plain(ErrorKind::NotFound).with("field", "workflow_id"),
            job::Rejection::UnknownWorker { .. } => plain(ErrorKind::NotFound).with("field", "worker_id"),
            job::Rejection::IllegalTransition { from, to } => {
                plain(ErrorKind::IllegalTransition).with("from", from.name()).with("to", to.name())
            }
            job::Rejection::Waiting { dependency, .. } => {
                plain(ErrorKind::IllegalTransition).with("waits_for", dependency.as_str())
            }
            job::Rejection::LeaseHeld { holder, expires_in_ms } => plain(ErrorKind::LeaseHeld)
                .with("holder", holder.node.as_str())
                .with("expires_in_ms", expires_in_ms),
            job::Rejection::LeaseExpired | job::Rejection::LeaseChanged { .. } => plain(ErrorKind::LeaseLost),
            job::Rejection::Limit { limit, .. } => {
                plain(ErrorKind::LimitExceeded).with("field", "worker_id").with("limit", limit)
            }
            job::Rejection::TokensExhausted => plain(ErrorKind::LimitExceeded),
            job::Rejection::NotForManager { message: what } => {
                Error::invalid("message", what, "one for a manager")
            }
        }
    }
}

impl From<worker::Rejection> for Error {
    fn from(rejection: worker::Rejection) -> Self {
        let message = rejection.to_string();
        let plain = |kind| Error::new(kind, message.clone());
        let missing = |field| plain(ErrorKind::NotFound).with("field", field);
        match rejection {
            worker::Rejection::Invalid { field, given, expected } => in_seconds(field, &given, &expected),
            worker::Rejection::NotRegistered | worker::Rejection::Lost => missing("worker_id"),
            worker::Rejection::UnknownJob { .. } => missing("job_id"),
            worker::Rejection::UnknownWorkflow { .. } => missing("workflow_id"),
            worker::Rejection::Draining | worker::Rejection::Full { .. } => plain(ErrorKind::LimitExceeded),
            worker::Rejection::NotForMe { expected, given } => {
                Error::invalid("datacenter", given.as_str(), &format!("{expected}, where the worker is"))
            }
            worker::Rejection::NotForWorker { .. } => {
                Error::invalid("message", message, "one for this worker")
            }
            worker::Rejection::Ended { outcome, .. } => {
                plain(ErrorKind::JobEnded).with("differs", "outcome").with("held", outcome.name())
            }
            worker::Rejection::ReportedOtherwise { outcome, .. } => {
                plain(ErrorKind::JobEnded).with("differs", "result").with("held", outcome.name())
            }
            worker::Rejection::Taken { .. } => plain(ErrorKind::StaleToken).with("field", "dispatch_token"),
            worker::Rejection::CountFell { held, given } => {
                Error::invalid("completed_count", given, &format!("at least {held}"))
            }
            worker::Rejection::Stale { held, given } => stale(held.get(), given.get(), message),
            worker::Rejection::OtherLeader { held, .. } => stale(held.get(), held.get(), message),
            worker::Rejection::StaleDispatch { held, given } => stale(held.get(), given.get(), message),
            worker::Rejection::TooManyParked { most } => {
                plain(ErrorKind::LimitExceeded).with("limit", most as u64)
            }
        }
    }
}

#[cfg(test)]
#[path = "error_test.rs"]
mod tests;
