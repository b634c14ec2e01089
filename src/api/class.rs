//! How operations are treated under load: each row of the table says its class, and here is which requests no load
//! refuses although their class does.
//!
//! | class | operations |
//! |---|---|
//! | control | signs of life and of death, leases and their tokens, votes, cancellation, leadership, more time; what relieves an overload or tells of one |
//! | dispatch | what brings work or registers somebody, and what work came to |
//! | data | progress, samples, messages of streams; reads |
//! | telemetry | counts over all time, lists of what is over |
//!
//! Control is never refused for the load: a lease that lapses, or a living agent that is taken for dead, would make an
//! overload worse. A *critical* request ends something or changes what others act on (a final result, a step of a
//! workflow, somebody who comes or comes back); it passes at its own class.
//!
//! `shed.check` judges an operation by the same row as the doors.
//!
//! # Source
//! B. Beyer et al., *Site Reliability Engineering*, O'Reilly 2016, chapter 21 (criticality).

use serde_json::{Map, Value};

use super::ops::Operation;
use crate::core::load::shed::Label;

/// Of most operations: load may refuse every request.
pub(super) fn never(_: &Map<String, Value>) -> bool {
    false
}

/// Every request ends something or changes a state.
pub(super) fn always(_: &Map<String, Value>) -> bool {
    true
}

/// The sender marked it.
pub(super) fn is_marked(fields: &Map<String, Value>) -> bool {
    fields.get("critical").is_some_and(|mark| *mark == true)
}

/// The report of a workflow that runs no more: what it came to is not told again.
pub(super) fn is_last_report(fields: &Map<String, Value>) -> bool {
    fields.get("outcome").is_some_and(|outcome| *outcome != "running")
}

/// It waits unless `wait` says no.
pub(super) fn unless_told_not_to(fields: &Map<String, Value>) -> bool {
    fields.get("wait").is_none_or(|wait| *wait != false)
}

/// It waits if `wait` says so.
pub(super) fn if_told_to(fields: &Map<String, Value>) -> bool {
    fields.get("wait").is_some_and(|wait| *wait == true)
}

/// It waits for as long as `wait_ms` says.
pub(super) fn for_so_long(fields: &Map<String, Value>) -> bool {
    fields.get("wait_ms").is_some_and(|wait| !wait.is_null() && *wait != 0)
}

impl Operation {
    /// How a request with these fields is treated under load.
    pub fn label(&self, fields: &Map<String, Value>) -> Label {
        Label { class: self.class, critical: (self.critical)(fields), deadline: None }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::api::ops::find;
    use crate::core::load::shed::{Class, Label, MessageKind};

    fn label(name: &str, fields: serde_json::Value) -> Label {
        find(name).unwrap().label(fields.as_object().unwrap())
    }

    #[test]
    fn liveness_leases_tokens_votes_and_cancellation_are_control() {
        for name in [
            "quorum.vote",
            "consensus.vote",
            "quorum.cancel",
            "job.cancel",
            "capacity.cancel",
            "agent.beat",
            "agent.leave",
            "worker.lost",
            "worker.healthy",
            "worker.leader_lost",
            "worker.leave",
            "job.acquire",
            "job.renew",
            "job.release",
            "job.transfer",
            "job.extend",
            "gate.transfer",
            "capacity.ack",
            "capacity.renew",
            "capacity.release",
            "capacity.transfer",
            "capacity.revoke",
        ] {
            assert_eq!(find(name).unwrap().class, Class::Control, "{name}");
        }
    }

    #[test]
    fn an_operation_has_the_class_of_the_message_it_stands_for() {
        for (name, kind) in [
            ("quorum.vote", MessageKind::Vote),
            ("consensus.vote", MessageKind::Vote),
            ("agent.beat", MessageKind::Alive),
            ("agent.leave", MessageKind::Leave),
            ("worker.lost", MessageKind::Dead),
            ("worker.healthy", MessageKind::Alive),
            ("job.cancel", MessageKind::CancelRequest),
            ("job.transfer", MessageKind::LeadershipTransfer),
            ("job.renew", MessageKind::FencingGrant),
            ("job.submit", MessageKind::JobSubmission),
            ("worker.register", MessageKind::Registration),
            ("agent.register", MessageKind::Registration),
            ("job.complete", MessageKind::FinalResult),
            ("job.progress", MessageKind::JobProgress),
            ("worker.report", MessageKind::Progress),
            ("stats.record", MessageKind::StatsUpdate),
            ("quorum.stats", MessageKind::MetricsReport),
        ] {
            assert_eq!(label(name, json!({})), Label::of(kind), "{name}");
        }
    }

    #[test]
    fn what_ends_or_changes_something_is_critical_and_progress_is_not() {
        for outcome in ["completed", "failed", "cancelled"] {
            assert!(label("worker.report", json!({ "outcome": outcome })).critical, "{outcome}");
        }
        assert!(!label("worker.report", json!({ "outcome": "running" })).critical);
        assert!(!label("job.progress", json!({})).critical);
        assert!(label("job.complete", json!({})).critical && label("job.workflow", json!({})).critical);
        for name in ["stats.record", "flow.offer"] {
            assert!(label(name, json!({ "critical": true })).critical, "{name}");
            assert!(!label(name, json!({ "critical": false })).critical, "{name}");
        }
        // Whoever cannot register at an overload is taken for dead, and its work is done once more.
        for name in ["agent.register", "worker.register", "voter.register"] {
            assert!(label(name, json!({})).critical, "{name}");
        }
        assert!(!label("job.submit", json!({ "critical": true })).critical);
    }
}
