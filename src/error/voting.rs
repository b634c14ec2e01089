//! What proposals, agents and algorithms reject, in the words of the public interface.

use serde_json::Value;

use super::{Error, ErrorKind, typed};
use crate::core::voting::agent;
use crate::core::voting::agent::rejection::Differs;
use crate::core::voting::algorithms;
use crate::core::voting::proposal;
use crate::core::voting::rules::{Choice, Unmeetable};

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

/// The vote that stands and the one that does not count, in words.
fn beside(held: Choice, held_value: &Option<String>, given: Choice, given_value: &Option<String>) -> String {
    let told = |vote: Choice, value: &Option<String>| match value {
        Some(value) => format!("{} {value}", vote.name()),
        None => vote.name().to_owned(),
    };
    format!("held={}, given={}", told(held, held_value), told(given, given_value))
}

/// The error with both votes, and with both answers where one of them brought one.
fn both_votes(error: Error, held: (Choice, Option<String>), given: (Choice, Option<String>)) -> Error {
    let error = error.with("held", held.0.name()).with("given", given.0.name());
    let json = |text: String| serde_json::from_str(&text).unwrap_or(Value::Null);
    match (held.1.map(json), given.1.map(json)) {
        (None, None) => error,
        (held, given) => error.with("held_value", held).with("given_value", given),
    }
}

/// A place that went to this one before.
pub(super) fn delegated(to: &str) -> Error {
    let message = format!("the voter handed its place on, and does not vote any more. to={to}");
    Error::new(ErrorKind::Delegated, message).with("to", to)
}

/// Reminding those who were reminded just now.
pub(super) fn reminded_before(retry_after_ms: u64) -> Error {
    let message = format!("nobody is reminded more than once a minute. retry_after_ms={retry_after_ms}");
    Error::new(ErrorKind::RateLimited, message)
        .with("retry_after_ms", retry_after_ms)
        .advising("wait as long as retry_after_ms says, then remind them again")
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
                let both = beside(held, &held_value, given, &given_value);
                let message = format!("the first vote is final in this proposal. {both}");
                let error = Error::new(ErrorKind::AlreadyVoted, message);
                both_votes(error, (held, held_value), (given, given_value))
            }
            proposal::Rejection::Late { decision, held, given, held_value, given_value } => {
                let both = beside(held, &held_value, given, &given_value);
                let state = decision.name();
                let message = format!(
                    "the proposal has ended; the vote does not count, and is on record. state={state}, {both}"
                );
                let error = Error::new(ErrorKind::ProposalClosed, message).with("state", state);
                both_votes(error, (held, held_value), (given, given_value))
            }
            proposal::Rejection::Delegated { to } => delegated(to.as_str()),
            proposal::Rejection::Misfit(misfit) => {
                let given = misfit
                    .given
                    .map_or(Value::Null, |json| serde_json::from_str(&json).unwrap_or(Value::String(json)));
                Error::invalid(&misfit.path, given, &misfit.expected)
            }
            proposal::Rejection::RemindedBefore { retry_after_ms } => reminded_before(retry_after_ms),
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
                Error::new(ErrorKind::LimitExceeded, message).with("field", "name").with("limit", limit)
            }
        }
    }
}
