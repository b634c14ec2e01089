//! What a call of an operation does to what is there: hints for doors whose users decide before they call.
//!
//! They follow from the row: what only reads changes nothing, and of the others the verb says it, for a verb means the same
//! at every noun.

use super::ops::Operation;
use crate::core::trust::identity::check::Need;

/// Verbs that end, replace or take away something that was there.
const DESTRUCTIVE: &[&str] = &[
    "cancel",
    "close",
    "complete",
    "configure",
    "delegate",
    "drain",
    "end_round",
    "engage",
    "grant",
    "leader_lost",
    "leave",
    "lost",
    "quarantine",
    "release",
    "remove",
    "revoke",
    "rotate",
    "set",
    "set_default",
    "transfer",
    "unmonitor",
    "unregister",
];

/// Operations whose verb ends something elsewhere, and which do more at every call: an amount is given back twice.
const REPEATED: &[&str] = &["capacity.release"];

/// Verbs of which a second call with the same fields changes nothing more.
const IDEMPOTENT: &[&str] = &[
    "ack",
    "cancel",
    "close",
    "complete",
    "configure",
    "delegate",
    "grant",
    "healthy",
    "hold",
    "leave",
    "lost",
    "mesh",
    "register",
    "release",
    "remove",
    "resume",
    "revoke",
    "set",
    "set_default",
    "settle",
    "unmonitor",
    "unregister",
    "vote",
];

impl Operation {
    /// Does it only show what is on record?
    pub fn reads(&self) -> bool {
        self.scope == Need::Read
    }

    /// May it end, replace or take away something that was there?
    pub fn is_destructive(&self) -> bool {
        !self.reads() && DESTRUCTIVE.contains(&self.verb())
    }

    /// Does a second call with the same fields change nothing more? What begins something is repeated safely only with an
    /// id or an `idempotency_key` in the request, which is not said here.
    pub fn is_idempotent(&self) -> bool {
        self.reads() || (IDEMPOTENT.contains(&self.verb()) && !REPEATED.contains(&self.name))
    }

    fn verb(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(_, verb)| verb)
    }
}

#[cfg(test)]
mod tests {
    use crate::api::ops::{OPERATIONS, find};

    #[test]
    fn what_reads_destroys_nothing_and_may_be_repeated() {
        for op in OPERATIONS.iter().filter(|op| op.reads()) {
            assert!(!op.is_destructive() && op.is_idempotent(), "{}", op.name);
        }
    }

    #[test]
    fn what_ends_something_says_so_and_what_begins_something_or_does_it_again_does_not() {
        for name in ["quorum.cancel", "capacity.revoke", "identity.revoke", "job.complete", "budget.set"] {
            assert!(find(name).unwrap().is_destructive(), "{name}");
        }
        for name in ["quorum.start", "quorum.vote", "consensus.request", "agent.register", "job.submit"] {
            assert!(!find(name).unwrap().is_destructive(), "{name}");
        }
        let more = ["capacity.release", "consensus.remind"];
        let begins = ["quorum.start", "consensus.request", "job.submit", "identity.rotate", "flow.drain"];
        for name in begins.into_iter().chain(more) {
            assert!(!find(name).unwrap().is_idempotent(), "{name}");
        }
    }
}
