//! How operations are treated under load: the class of each, known before its request is even read.

use crate::core::shed::Class;

/// Operations whose class does not follow from how they are called.
const CLASSES: &[(&str, Class)] = &[
    // What relieves, or tells of, an overload must work in one.
    ("shed.check", Class::Control),
    ("shed.record", Class::Control),
    ("shed.release", Class::Control),
    ("shed.status", Class::Control),
    ("stats.level", Class::Control),
    ("pressure.status", Class::Control),
    ("flow.drain", Class::Control),
    ("flow.close", Class::Control),
    ("flow.offer", Class::Data),
    ("stats.record", Class::Data),
    ("stats.summary", Class::Telemetry),
    ("flow.recommendation", Class::Telemetry),
    ("job.progress", Class::Data),
];

/// Verbs of operations that are never shed: votes, signs of life, cancellation, and what gives back or hands over.
const CONTROL: &[&str] = &["vote", "beat", "leave", "cancel", "ack", "release", "transfer"];

/// The class of an operation: by its name, else by its verb, else a read is data and everything else dispatch.
pub fn class_of(name: &str, reads: bool) -> Class {
    let verb = name.rsplit_once('.').map_or(name, |(_, verb)| verb);
    match CLASSES.iter().find(|(known, _)| *known == name) {
        Some((_, class)) => *class,
        None if CONTROL.contains(&verb) => Class::Control,
        None if verb == "stats" || verb == "history" => Class::Telemetry,
        None if reads => Class::Data,
        None => Class::Dispatch,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ops::{Method, OPERATIONS};

    fn class(name: &str) -> Class {
        let op = OPERATIONS.iter().find(|op| op.name == name).unwrap();
        class_of(op.name, op.method == Method::Get)
    }

    #[test]
    fn votes_beats_and_cancellations_are_control_and_submissions_are_dispatch() {
        for name in ["quorum.vote", "consensus.vote", "quorum.cancel", "agent.beat", "agent.leave"] {
            assert_eq!(class(name), Class::Control, "{name}");
        }
        for name in ["quorum.start", "consensus.request", "agent.register", "flow.open"] {
            assert_eq!(class(name), Class::Dispatch, "{name}");
        }
        for name in ["quorum.status", "flow.status", "history.query", "flow.offer"] {
            assert_eq!(class(name), Class::Data, "{name}");
        }
        for name in ["quorum.stats", "agent.history", "stats.summary"] {
            assert_eq!(class(name), Class::Telemetry, "{name}");
        }
    }

    #[test]
    fn every_operation_named_here_exists_or_is_told_apart_by_its_noun() {
        for (name, _) in CLASSES {
            let known = OPERATIONS.iter().any(|op| op.name == *name);
            assert!(known || name.starts_with("job."), "{name}");
        }
    }
}
