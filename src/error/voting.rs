//! What proposals and agents reject, in the words of the public interface.

use serde_json::Value;

use super::{Error, ErrorKind, typed};
use crate::core::voting::agent;
use crate::core::voting::agent::rejection::Differs;
use crate::core::voting::proposal;
use crate::core::voting::rules::Unmeetable;

/// The rule in this field is one that no votes can meet.
pub(super) fn unmeetable(field: &str, unmet: Unmeetable) -> Error {
    let Unmeetable { rule, required, available, weightless } = unmet;
    let needs = required.map_or_else(|| rule.clone(), |count| count.to_string());
    let weight = if weightless { ", available_weight=0" } else { "" };
    let message = format!(
        "the rule cannot be met, however those who may vote do. required={needs}, available={available}{weight}"
    );
    let error = Error::new(ErrorKind::UnreachableRequirement, message)
        .with("field", field)
        .with("value", rule.clone())
        .with("expected", format!("a rule that {available} voters can meet"))
        .with("required", required.map_or(Value::from(rule), Value::from))
        .with("available", available);
    if weightless { error.with("available_weight", 0) } else { error }
}

impl From<proposal::Rejection> for Error {
    fn from(rejection: proposal::Rejection) -> Self {
        match rejection {
            proposal::Rejection::NotFound => {
                Error::new(ErrorKind::NotFound, "no proposal of this id was ever opened")
            }
            proposal::Rejection::AlreadyExists => Error::new(
                ErrorKind::AlreadyExists,
                "a proposal of this id was opened before; choose another id",
            ),
            proposal::Rejection::Closed { decision } => Error::new(
                ErrorKind::ProposalClosed,
                format!(
                    "the proposal has ended; the vote does not count, and is on record. state={}",
                    decision.name()
                ),
            )
            .with("state", decision.name()),
            proposal::Rejection::AlreadyVoted { held, given } => Error::new(
                ErrorKind::AlreadyVoted,
                format!(
                    "the first vote is final in this proposal. held={}, given={}",
                    held.name(),
                    given.name()
                ),
            )
            .with("held", held.name())
            .with("given", given.name()),
            proposal::Rejection::Unmeetable(unmet) => unmeetable("algorithm", unmet),
            proposal::Rejection::NotParticipant => Error::new(
                ErrorKind::NotEligible,
                "the agent is not among those that are asked; the attempt is on record",
            ),
            proposal::Rejection::Invalid { field, given, expected } => {
                Error::invalid(field, typed(field, &given), &expected)
            }
        }
    }
}

impl From<agent::Rejection> for Error {
    fn from(rejection: agent::Rejection) -> Self {
        match rejection {
            agent::Rejection::Invalid { field, given, expected } => Error::invalid(field, given, &expected),
            agent::Rejection::OtherSettings { differs } => {
                let told = |one: &Differs| format!("{}: held={}, given={}", one.field, one.held, one.given);
                let list: Vec<String> = differs.iter().map(told).collect();
                let message = format!(
                    "the agent is registered with other settings; leave these out, or replace them. {}",
                    list.join("; ")
                );
                let side = |value: fn(&Differs) -> &str| -> Value {
                    differs.iter().map(|one| (one.field.to_owned(), typed(one.field, value(one)))).collect()
                };
                let names: Vec<&str> = differs.iter().map(|one| one.field).collect();
                Error::new(ErrorKind::AlreadyExists, message)
                    .with("field", names.first().copied().unwrap_or_default())
                    .with("differs", names)
                    .with("held", side(|one| &one.held))
                    .with("given", side(|one| &one.given))
            }
            agent::Rejection::MetadataTooLarge { given } => {
                let expected = format!("up to {} bytes of JSON", agent::MAX_METADATA_BYTES);
                Error::invalid("metadata", format!("{given} bytes"), &expected)
            }
            agent::Rejection::NotRegistered => {
                Error::new(ErrorKind::NotFound, "no agent of this id is registered; register it first")
            }
            agent::Rejection::NotMonitored => {
                let message = "the agent is registered but not monitored; start with agent.monitor";
                Error::new(ErrorKind::NotFound, message)
            }
        }
    }
}
