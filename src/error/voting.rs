//! What proposals, agents and algorithms reject, in the words of the public interface.

use serde_json::Value;

use super::{Error, ErrorKind, typed};
use crate::core::voting::agent;
use crate::core::voting::agent::rejection::Differs;
use crate::core::voting::algorithms;
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
            proposal::Rejection::AlreadyVoted { held, given, held_value, given_value } => {
                let told = |vote: &str, value: &Option<String>| match value {
                    Some(value) => format!("{vote} {value}"),
                    None => vote.to_owned(),
                };
                let (held, given) = (held.name(), given.name());
                let both = format!("held={}, given={}", told(held, &held_value), told(given, &given_value));
                let message = format!("the first vote is final in this proposal. {both}");
                let error =
                    Error::new(ErrorKind::AlreadyVoted, message).with("held", held).with("given", given);
                let json = |text: &String| serde_json::from_str(text).unwrap_or(Value::Null);
                match (held_value.as_ref().map(json), given_value.as_ref().map(json)) {
                    (None, None) => error,
                    (held, given) => error.with("held_value", held).with("given_value", given),
                }
            }
            proposal::Rejection::Delegated { to } => Error::new(
                ErrorKind::Delegated,
                format!("the voter handed its place on, and does not vote any more. to={to}"),
            )
            .with("to", to.as_str()),
            proposal::Rejection::Misfit(misfit) => {
                let given = misfit
                    .given
                    .map_or(Value::Null, |json| serde_json::from_str(&json).unwrap_or(Value::String(json)));
                Error::invalid(&misfit.path, given, &misfit.expected)
            }
            proposal::Rejection::RemindedBefore { retry_after_ms } => Error::new(
                ErrorKind::RateLimited,
                format!("nobody is reminded more than once a minute. retry_after_ms={retry_after_ms}"),
            )
            .with("retry_after_ms", retry_after_ms)
            .advising("wait as long as retry_after_ms says, then remind them again"),
            proposal::Rejection::Unspendable(refusal) => (*refusal).into(),
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

impl From<algorithms::Rejection> for Error {
    fn from(rejection: algorithms::Rejection) -> Self {
        match rejection {
            algorithms::Rejection::Invalid { given, expected } => Error::invalid("rule", given, &expected),
            algorithms::Rejection::Taken { name, held, given } => {
                let message = format!(
                    "this name stands for another rule; choose another name, or replace it. name={name:?}, \
                     held={held}, given={given}"
                );
                let error = Error::new(ErrorKind::AlreadyExists, message).with("field", "name");
                error.with("held", held.to_string()).with("given", given.to_string())
            }
            algorithms::Rejection::Full => {
                let limit = algorithms::MAX_ALGORITHMS;
                let message = format!("no more algorithms can be registered. limit={limit}");
                Error::new(ErrorKind::LimitExceeded, message).with("limit", limit)
            }
        }
    }
}
