//! Which outcome a reply tells: what the command line exits with, and when HTTP does not say `success`.

use serde_json::Value;

use super::ops::Operation;
use crate::core::jobs::manager::JobStatus;
use crate::core::voting::proposal::Verdict;
use crate::error::{Error, ErrorKind, OutcomeEntry, outcome};

/// The outcome that this operation was asked for, and that its reply tells. None for operations that do not ask for one:
/// they succeed, or answer with an error.
///
/// An outcome is asked for by those that wait for a decision, a grant or the end of a job, by `consensus.result` and
/// `capacity.need`, which tell it, and by those that hand something over that may not be taken. What shows how something stands (`status`, `list`,
/// `history`, `why`) has none, whatever it shows.
pub fn outcome_of(op: &Operation, reply: &Value) -> Option<&'static OutcomeEntry> {
    let word = |field: &str| reply[field].as_str().unwrap_or_default();
    let name = match op.name {
        "quorum.wait" => match word("state") {
            // The same outcome has another name at quorums.
            "timed_out" => Verdict::Timeout.name(),
            state => state,
        },
        "job.wait" => match JobStatus::from_name(word("status")) {
            Some(status) if status.is_terminal() => status.name(),
            Some(_) | None => "open",
        },
        "consensus.result" => word("state"),
        "session.result" => match (&reply["decision_tainted"], word("outcome")) {
            (Value::Bool(true), _) => "tainted",
            (_, "") => "open",
            (_, outcome) => outcome,
        },
        // One that does not wait only puts the question.
        "consensus.request" => Some(word("state")).filter(|state| *state != "open")?,
        "capacity.request" | "capacity.need" => match word("status") {
            "pending" => "open",
            status => status,
        },
        "capacity.reserve" => match word("status") {
            "exhausted" => "overloaded",
            "settled" => "nothing_done",
            status => status,
        },
        "capacity.offer" => match word("status") {
            "offered" => return None,
            "expired" => "expired",
            _ => "nothing_done",
        },
        "capacity.release" => Some("nothing_done").filter(|_| word("status") == "nothing_to_release")?,
        "flow.offer" => Some("nothing_done").filter(|_| reply["accepted"] == false)?,
        "shed.check" => match (&reply["shed"], word("reason")) {
            (Value::Bool(true), "expired") => "expired",
            (Value::Bool(true), _) => "overloaded",
            _ => return None,
        },
        "job.extend" => Some("nothing_done").filter(|_| reply["granted"] == false)?,
        "stats.record" => Some("overloaded").filter(|_| reply["accepted"] == false)?,
        "shed.release" => Some("nothing_done").filter(|_| reply["released"] == false)?,
        _ => return None,
    };
    outcome(name)
}

/// The operations whose replies may tell that what was asked for was not done.
pub const MAY_BE_UNDONE: [&str; 16] = [
    "capacity.request",
    "capacity.need",
    "capacity.cancel",
    "capacity.offer",
    "capacity.release",
    "capacity.reserve",
    "capacity.status",
    "flow.offer",
    "shed.check",
    "job.extend",
    "stats.record",
    "shed.release",
    "consensus.request",
    "job.cancel",
    "algorithm.set_default",
    "algorithm.unregister",
];

/// Why what was asked for was not done, where that is told in a reply and not as an error.
pub fn not_done(op: &Operation, reply: &Value) -> Option<Error> {
    let word = |field: &str| reply[field].as_str().unwrap_or_default();
    let told = |kind, why: &str, field: &str| {
        Some(Error::new(kind, format!("{why}. {field}={}", word(field))).with(field, word(field)))
    };
    match op.name {
        "capacity.request" | "capacity.need" => match word("status") {
            "overloaded" => {
                told(ErrorKind::Overloaded, "too much waits at this cell; nothing was queued", "cell_id")
            }
            "expired" => told(ErrorKind::Expired, "the wait was over and nothing was granted", "need_id"),
            "cancelled" => {
                told(ErrorKind::Cancelled, "the need was cancelled; nothing was granted", "need_id")
            }
            _ => None,
        },
        "capacity.status" if reply["unknown"] == true => {
            let message = format!(
                "nobody has set this cell up, registered or used it; it is shown as it would begin. cell_id={}",
                word("cell_id")
            );
            let nearest = reply["nearest"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let error = Error::new(ErrorKind::NotFound, message).with("field", "cell_id");
            Some(error.with("given", word("cell_id")).beside(nearest.map(str::to_owned).collect()))
        }
        "capacity.reserve" => match word("status") {
            "exhausted" => {
                told(ErrorKind::RateLimited, "a rate has not enough ready; nothing was reserved", "cell_id")
                    .map(|error| again_after(error, reply))
            }
            "never" => {
                told(ErrorKind::LimitExceeded, "a rate never has so much ready; ask for less", "cell_id")
                    .map(|error| error.with("field", "amounts"))
            }
            "expired" => {
                told(ErrorKind::Expired, "the reservation was not settled in time, and is over", "token_id")
            }
            "settled" => told(ErrorKind::NothingDone, "the reservation is settled, and is over", "token_id"),
            _ => None,
        },
        "capacity.cancel" if word("status") != "cancelled" => {
            let why = "the need had ended before, and cannot be cancelled; nothing was given back";
            told(ErrorKind::NothingDone, why, "status")
        }
        "capacity.offer" => match word("status") {
            "offered" => None,
            "expired" => {
                told(ErrorKind::Expired, "the time of the offer is over, and it was not used", "offer_id")
            }
            _ => told(ErrorKind::NothingDone, "nothing was offered", "status"),
        },
        "capacity.release" if word("status") == "nothing_to_release" => {
            told(ErrorKind::NothingDone, "the cell holds nothing that could be given back", "cell_id")
        }
        "flow.offer" if reply["accepted"] == false => match word("reason") {
            "expired" => told(ErrorKind::Expired, "the message was too late, and was not taken", "reason"),
            _ => told(ErrorKind::NothingDone, "the message was not taken", "reason")
                .map(|error| again_after(error, reply)),
        },
        "shed.check" if reply["shed"] == true => match word("reason") {
            "expired" => told(ErrorKind::Expired, "the message is too late, and is not let in", "reason"),
            _ => told(ErrorKind::Overloaded, "the message is not let in at this load", "reason")
                .map(|error| again_after(error, reply)),
        },
        "job.extend" if reply["granted"] == false => {
            told(ErrorKind::NothingDone, "no more time is given", "denial_reason")
        }
        "stats.record" if reply["accepted"] == false => {
            let (taken, refused) = (&reply["recorded"], &reply["refused"]);
            let message = format!(
                "the statistics are full, and not all were taken. recorded={taken}, refused={refused}"
            );
            Some(again_after(Error::new(ErrorKind::Overloaded, message), reply))
        }
        "shed.release" if reply["released"] == false => {
            Some(Error::new(ErrorKind::NothingDone, "no place is held under this permit"))
        }
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

/// The same error with the time after which it may be worth trying again, if the reply tells one.
fn again_after(error: Error, reply: &Value) -> Error {
    match &reply["retry_after_ms"] {
        Value::Null => error,
        ms => error.with("retry_after_ms", ms.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ops::{OPERATIONS, find};
    use crate::core::voting::quorum::QuorumState;
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
    fn every_end_of_a_job_has_an_outcome_and_only_what_is_done_is_zero() {
        let wait = find("job.wait").unwrap();
        for status in JobStatus::ALL {
            let told = outcome_of(wait, &json!({ "status": status.name() })).unwrap();
            assert_eq!(told.exit == 0, status == JobStatus::Completed, "{}", status.name());
            assert_eq!(told.exit == 20, !status.is_terminal(), "{}", status.name());
        }
    }

    #[test]
    fn what_is_refused_in_a_reply_is_told_as_the_outcome_is_and_what_is_done_is_not() {
        let refusals = [
            ("capacity.request", json!({ "status": "overloaded" })),
            ("capacity.request", json!({ "status": "expired" })),
            ("capacity.request", json!({ "status": "cancelled" })),
            ("capacity.reserve", json!({ "status": "exhausted" })),
            ("capacity.reserve", json!({ "status": "never" })),
            ("capacity.reserve", json!({ "status": "expired" })),
            ("capacity.reserve", json!({ "status": "settled" })),
            ("capacity.offer", json!({ "status": "insufficient_capacity" })),
            ("capacity.offer", json!({ "status": "no_pending_need" })),
            ("capacity.offer", json!({ "status": "expired" })),
            ("capacity.release", json!({ "status": "nothing_to_release" })),
            ("flow.offer", json!({ "accepted": false, "reason": "full" })),
            ("shed.check", json!({ "shed": true, "reason": "shed" })),
            ("shed.check", json!({ "shed": true, "reason": "expired" })),
            ("shed.release", json!({ "released": false })),
            ("stats.record", json!({ "accepted": false })),
            ("job.extend", json!({ "granted": false, "denial_reason": "no_progress" })),
        ];
        for (name, reply) in refusals {
            let op = find(name).unwrap();
            let (told, outcome) = (not_done(op, &reply).unwrap(), outcome_of(op, &reply).unwrap());
            assert_eq!(told.kind().entry().exit, outcome.exit, "{name} {reply}");
            assert_ne!(outcome.exit, 0, "{name} {reply}");
            assert!(MAY_BE_UNDONE.contains(&name), "{name}");
        }
        for (name, reply) in [
            ("capacity.request", json!({ "status": "granted" })),
            ("capacity.request", json!({ "status": "pending" })),
            ("capacity.reserve", json!({ "status": "granted" })),
            ("capacity.cancel", json!({ "status": "cancelled" })),
            ("capacity.offer", json!({ "status": "offered" })),
            ("capacity.release", json!({ "status": "released" })),
            ("flow.offer", json!({ "accepted": true })),
            ("shed.check", json!({ "shed": false })),
            ("shed.release", json!({ "released": true })),
            ("job.extend", json!({ "granted": true })),
        ] {
            assert_eq!(not_done(find(name).unwrap(), &reply), None, "{name} {reply}");
        }
        assert!(not_done(find("capacity.cancel").unwrap(), &json!({ "status": "granted" })).is_some());
        // A name that nobody knows is told beside what is shown of it.
        let shown = json!({ "cell_id": "biling", "unknown": true, "nearest": ["billing"] });
        let told = not_done(find("capacity.status").unwrap(), &shown).unwrap();
        assert_eq!(
            (told.kind(), told.detail("nearest").unwrap()),
            (ErrorKind::NotFound, &json!(["billing"]))
        );
    }

    #[test]
    fn what_only_shows_has_no_outcome() {
        let reply = json!({ "state": "rejected", "status": "failed", "decision": "timeout" });
        let shows = |op: &&Operation| {
            ["status", "list", "history", "stats", "why", "health", "count"]
                .iter()
                .any(|verb| op.name.ends_with(verb))
        };
        for op in OPERATIONS.iter().filter(shows) {
            assert_eq!((outcome_of(op, &reply), not_done(op, &reply)), (None, None), "{}", op.name);
        }
    }
}
