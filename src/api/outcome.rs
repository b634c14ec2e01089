//! Which outcome a reply tells: what the command line exits with, and when HTTP does not say `success`.

use serde_json::Value;

use super::ops::Operation;
use crate::core::proposal::Verdict;
use crate::error::{Error, ErrorKind, OutcomeEntry, outcome};

/// The outcome that this operation was asked for, and that its reply tells. None for operations that do not ask for one:
/// they succeed, or answer with an error.
///
/// An outcome is asked for by those that wait for a decision or a grant, by `consensus.result`, which is the decision,
/// and by those that hand something over that may not be taken. What shows how something stands (`status`, `list`,
/// `history`, `why`) has none, whatever it shows.
pub fn outcome_of(op: &Operation, reply: &Value) -> Option<&'static OutcomeEntry> {
    let word = |field: &str| reply[field].as_str().unwrap_or_default();
    let name = match op.name {
        "quorum.wait" => match word("state") {
            // The same outcome has another name at quorums.
            "timed_out" => Verdict::Timeout.name(),
            state => state,
        },
        "consensus.result" => word("state"),
        // One that does not wait only puts the question.
        "consensus.request" => Some(word("state")).filter(|state| *state != "open")?,
        "capacity.request" => match word("status") {
            "pending" => "open",
            status => status,
        },
        "capacity.offer" => match word("status") {
            "offered" => return None,
            "expired" => "expired",
            _ => "nothing_done",
        },
        "capacity.release" => Some("nothing_done").filter(|_| word("status") == "nothing_to_release")?,
        "flow.offer" => Some("nothing_done").filter(|_| reply["accepted"] == false)?,
        "shed.release" => Some("nothing_done").filter(|_| reply["released"] == false)?,
        _ => return None,
    };
    outcome(name)
}

/// Why what was asked for was not done, where that is told in a reply and not as an error.
pub fn not_done(op: &Operation, reply: &Value) -> Option<Error> {
    match op.name {
        "consensus.request" if reply["decision"] == Verdict::Aborted.name() => {
            let reason = reply["metadata"]["reason"].as_str().unwrap_or_default();
            let message = format!("the question could not be put. reason={reason}");
            Some(Error::new(ErrorKind::Aborted, message).with("reason", reason))
        }
        "job.cancel" if reply["success"] == false => {
            let status = reply["already_terminal"].as_str().unwrap_or("completed");
            let message = format!("the job has ended before, and cannot be cancelled. status={status}");
            Some(Error::new(ErrorKind::JobEnded, message).with("status", status))
        }
        "algorithm.set_default" if reply["set"] == false => {
            let message = "no algorithm is registered under this name, so the default is as before";
            Some(Error::new(ErrorKind::UnknownAlgorithm, message))
        }
        "algorithm.unregister" if reply["unregistered"] == false => {
            Some(Error::new(ErrorKind::NotFound, "no algorithm is registered under this name"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ops::{OPERATIONS, find};
    use crate::core::quorum::QuorumState;
    use crate::error::{KINDS, OUTCOMES};
    use serde_json::json;

    #[test]
    fn no_two_outcomes_but_yes_have_one_exit_code_and_none_is_that_of_another_kind_of_error() {
        for entry in OUTCOMES.iter().filter(|entry| entry.exit != 0) {
            let same = |other: &&OutcomeEntry| other.exit == entry.exit;
            assert_eq!(OUTCOMES.iter().filter(same).count(), 1, "{}", entry.name);
            let kinds = KINDS.iter().filter(|kind| kind.exit == entry.exit && entry.exit >= 20);
            assert!(kinds.into_iter().all(|kind| kind.name == entry.name), "{}", entry.name);
        }
        assert!(KINDS.iter().all(|kind| kind.exit != 0));
    }

    #[test]
    fn every_end_of_a_question_has_an_outcome_and_only_yes_is_zero() {
        let wait = find("quorum.wait").unwrap();
        for state in QuorumState::ALL {
            let told = outcome_of(wait, &json!({ "state": state.name() })).unwrap();
            assert_eq!(told.exit == 0, state == QuorumState::Approved, "{}", state.name());
        }
        for verdict in Verdict::ALL {
            for op in ["consensus.result", "consensus.request"] {
                let told = outcome_of(find(op).unwrap(), &json!({ "state": verdict.name() })).unwrap();
                assert_eq!(told.exit == 0, verdict == Verdict::Approved, "{}", verdict.name());
            }
        }
        let open = json!({ "state": "open" });
        assert_eq!(outcome_of(find("consensus.result").unwrap(), &open).map(|told| told.exit), Some(20));
        assert_eq!(outcome_of(find("consensus.request").unwrap(), &open), None);
    }

    #[test]
    fn what_only_shows_has_no_outcome() {
        let reply = json!({ "state": "rejected", "status": "failed", "decision": "timeout" });
        let shows = |op: &&Operation| {
            ["status", "list", "history", "stats", "why", "health"].iter().any(|verb| op.name.ends_with(verb))
        };
        for op in OPERATIONS.iter().filter(shows) {
            assert_eq!((outcome_of(op, &reply), not_done(op, &reply)), (None, None), "{}", op.name);
        }
    }
}
