//! Idempotency keys: the same request again gets the answer of the first, another request is told whose key it is.

use std::time::Duration;

use serde_json::{Map, Value};

use super::dto::{RequestConsensus, StartQuorum};
use crate::config::HealthPolicy;
use crate::core::kernel::ids::{CellId, EntityId, IdempotencyKey, StreamId, StreamKind, VoterId};
use crate::core::kernel::keyed::{Difference, KeyedField, KeyedRequest};
use crate::core::voting::agent::Grade;
use crate::core::voting::proposal;
use crate::core::voting::quorum;
use crate::core::voting::quorum::event::{Electorate, Outsiders, VoteChange};
use crate::core::voting::rules::RuleSpec;
use crate::error::{Error, ErrorKind};
use crate::journal::chain::digest;
use crate::shell::host::Host;
use crate::shell::lock;

/// Longest text of a field that is kept as it is, in bytes; of a longer one the digest is kept.
const MAX_VALUE: usize = 80;

/// Gathers the fields of a request that are part of what it asks for.
#[derive(Debug, Default)]
pub(super) struct Fields(KeyedRequest);

impl Fields {
    /// A field that must be given.
    pub(super) fn needed(self, name: &str, value: impl Into<Value>) -> Self {
        self.add(name, &value.into(), true)
    }

    /// A field that may be left out, and what it is then.
    pub(super) fn or<T: Into<Value>>(self, name: &str, given: Option<T>, default: impl Into<Value>) -> Self {
        match given {
            Some(value) => self.add(name, &value.into(), true),
            None => self.add(name, &default.into(), false),
        }
    }

    pub(super) fn done(self) -> KeyedRequest {
        self.0
    }

    fn add(mut self, name: &str, value: &Value, given: bool) -> Self {
        let text = canonical(value).to_string();
        let value =
            if text.len() <= MAX_VALUE { text } else { format!("digest:{}", digest(text.as_bytes())) };
        self.0.fields.insert(name.to_owned(), KeyedField { value, given });
        self
    }
}

/// The same value with the members of every object by name.
pub(super) fn canonical(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(canonical).collect(),
        Value::Object(fields) => {
            let mut sorted: Vec<(&String, &Value)> = fields.iter().collect();
            sorted.sort_by_key(|(name, _)| *name);
            let sorted = sorted.into_iter().map(|(name, value)| (name.clone(), canonical(value)));
            Value::Object(sorted.collect::<Map<_, _>>())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// A request that bears a key.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    /// Its operation.
    pub(super) operation: &'static str,
    /// The key.
    pub(super) key: &'a IdempotencyKey,
    /// The kind of entity it opens.
    pub(super) kind: StreamKind,
    /// The field that names the entity, and its name, if one is given.
    pub(super) id: (&'static str, Option<&'a EntityId>),
    /// What it asks for.
    pub(super) request: &'a KeyedRequest,
}

impl Asked<'_> {
    /// Is what the key was first used for of the right kind and name? Whether it was the same request, only its record
    /// can tell.
    ///
    /// # Errors
    /// `key_reused`.
    pub(super) fn check_entity(&self, first: &StreamId) -> Result<(), Error> {
        let differs = |field: &str, first: String, asked: String| {
            Some(Difference { field: field.to_owned(), first: Some(first), asked: Some(asked) })
        };
        if first.kind != self.kind {
            return Err(self.reused(first, None));
        }
        match self.id {
            (field, Some(id)) if *id != first.id => {
                let difference = differs(field, first.id.to_string(), id.to_string());
                Err(self.reused(first, difference))
            }
            (_, _) => Ok(()),
        }
    }

    /// Was the key first used for this request? One from before requests were kept is known by what it opened.
    ///
    /// # Errors
    /// `key_reused`.
    pub(super) fn check_request(
        &self,
        first: &StreamId,
        kept: Option<&KeyedRequest>,
        opened: &KeyedRequest,
    ) -> Result<(), Error> {
        let difference = match kept {
            Some(kept) => kept.difference(self.request),
            None => opened.difference(&self.request.clone().known_to(opened)),
        };
        match difference {
            None => Ok(()),
            difference => Err(self.reused(first, difference)),
        }
    }

    fn reused(&self, first: &StreamId, difference: Option<Difference>) -> Error {
        let asked = match self.id.1 {
            Some(id) => format!("{} {id}", self.operation),
            None => self.operation.to_owned(),
        };
        let mut message = format!(
            "the idempotency key was first used for another request; use a new key for each. used_for={first}, \
             asked={asked}"
        );
        if let Some(difference) = &difference {
            message.push_str(&format!(", {difference}"));
        }
        let error = Error::new(ErrorKind::KeyReused, message)
            .with("field", "idempotency_key")
            .with("value", self.key.as_str())
            .with("used_for", first.to_string())
            .with("asked", asked);
        match difference {
            Some(Difference { field, first, asked }) => {
                error.with("differs", field).with("first", first).with("given", asked)
            }
            None => error,
        }
    }
}

/// What a request asks for, as its key remembers it. The id and the key are no part of the question.
pub(super) fn quorum(
    host: &Host,
    timeout: Duration,
    rule: Option<&RuleSpec>,
    request: &StartQuorum,
) -> KeyedRequest {
    let StartQuorum {
        quorum_type,
        quorum_id: _,
        required_votes,
        rule: _,
        timeout_seconds,
        cell_id,
        ring,
        arm,
        voters,
        subject,
        vote_change,
        outsiders,
        min_confidence,
        strict_membership,
        cmp_fallback,
        fallback_timeout_seconds,
        idempotency_key: _,
        // It stands in the fingerprint of what is sealed for it.
        data_subject: _,
    } = request;
    let defaults = host.config.quorum.policy();
    let timeout = timeout.as_secs_f64();
    let strict = host.config.quorum.strict_membership;
    Fields::default()
        .needed("quorum_type", quorum_type.0.name())
        .or("required_votes", *required_votes, Value::Null)
        .or("rule", rule.map(RuleSpec::to_string), Value::Null)
        .or("timeout_seconds", timeout_seconds.map(|_| timeout), timeout)
        .or("cell_id", cell_id.as_ref().map(CellId::as_str), Value::Null)
        .or("ring", *ring, Value::Null)
        .or("arm", arm.clone(), Value::Null)
        .or("voters", voters.as_deref().map(named), Value::Null)
        .or("subject", subject.clone(), Value::Null)
        .or("vote_change", vote_change.map(VoteChange::name), defaults.vote_change.name())
        .or("outsiders", outsiders.map(Outsiders::name), defaults.outsiders.name())
        .or("min_confidence", *min_confidence, defaults.min_confidence)
        .or("strict_membership", *strict_membership, strict)
        .or("cmp_fallback", *cmp_fallback, false)
        .or("fallback_timeout_seconds", *fallback_timeout_seconds, timeout)
        .done()
}

/// The same as far as the quorum itself tells, for one that was opened before requests were kept.
pub(super) fn quorum_before(opened: &quorum::Opened, rule: Option<&RuleSpec>) -> KeyedRequest {
    let voters = match &opened.electorate {
        Electorate::Closed(voters) => named(voters),
        Electorate::Open => Value::Null,
    };
    let json = |text: &String| serde_json::from_str(text).unwrap_or(Value::Null);
    let none: Option<Value> = None;
    let timeout = opened.deadline.since(opened.opened_at).as_secs_f64();
    let fields = Fields::default()
        .needed("quorum_type", opened.quorum_type.name())
        .or("rule", rule.map(RuleSpec::to_string), Value::Null)
        .or("timeout_seconds", none.clone(), timeout)
        .or("cell_id", opened.cell_id.as_ref().map(CellId::as_str), Value::Null)
        .or("voters", none.clone(), voters)
        .or("subject", opened.subject.as_ref().map(json), Value::Null)
        .or("vote_change", none.clone(), opened.policy.vote_change.name())
        .or("outsiders", none.clone(), opened.policy.outsiders.name())
        .or("min_confidence", none.clone(), opened.policy.min_confidence)
        .or("cmp_fallback", none.clone(), opened.fallback.is_some());
    // How many a rule needs is not what somebody asked for.
    if rule.is_none() {
        fields.or("required_votes", none, opened.required_votes).done()
    } else {
        fields.done()
    }
}

/// Voters by name, in whatever order they were given.
fn named(voters: &[VoterId]) -> Value {
    let mut names: Vec<&str> = voters.iter().map(VoterId::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(Value::from).collect()
}

/// What a request asks for, as its key remembers it. The id, the key and whether the caller waits are no part of the
/// question.
pub(super) fn proposal(host: &Host, timeout: Duration, request: &RequestConsensus) -> KeyedRequest {
    let RequestConsensus {
        proposal: asked,
        algorithm,
        timeout_ms,
        wait: _,
        proposal_id: _,
        participants,
        vote_change,
        health_policy,
        exclude_grade,
        fail_fast,
        operation,
        answer_schema,
        remind_every_ms,
        idempotency_key: _,
        // It stands in the fingerprint of what is sealed for it.
        data_subject: _,
    } = request;
    let config = &host.config.consensus;
    let default = lock(&host.counters.algorithms).default_name().map(str::to_owned);
    let timeout = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    let policy = |policy: HealthPolicy| policy.name();
    Fields::default()
        .needed("proposal", asked.clone())
        .or("algorithm", algorithm.clone(), default)
        .or("timeout_ms", timeout_ms.map(|_| timeout), timeout)
        .or("participants", participants.as_deref().map(named), Value::Null)
        .or("vote_change", vote_change.map(VoteChange::name), VoteChange::Reject.name())
        .or("health_policy", health_policy.map(policy), config.health_policy.map(policy))
        .or("exclude_grade", exclude_grade.map(Grade::name), config.exclude_grade.name())
        .or("fail_fast", *fail_fast, false)
        .or("answer_schema", answer_schema.clone(), Value::Null)
        .or("remind_every_ms", *remind_every_ms, Value::Null)
        .or("operation", operation.as_ref().and_then(|o| serde_json::to_value(o).ok()), Value::Null)
        .done()
}

/// The same as far as the proposal itself tells, for one that was opened before requests were kept.
pub(super) fn proposal_before(opened: &proposal::Opened) -> KeyedRequest {
    let none: Option<Value> = None;
    let timeout = u64::try_from(opened.deadline.since(opened.opened_at).as_millis()).unwrap_or(u64::MAX);
    Fields::default()
        .needed("proposal", serde_json::from_str::<Value>(&opened.proposal).unwrap_or(Value::Null))
        .or("algorithm", none.clone(), opened.algorithm.as_str())
        .or("timeout_ms", none.clone(), timeout)
        .or("vote_change", none.clone(), opened.vote_change.name())
        .or("fail_fast", none, opened.fail_fast)
        .done()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_of_members_and_the_length_of_a_field_do_not_matter() {
        let fields = |subject: Value| Fields::default().needed("subject", subject).done();
        let one = fields(json!({ "a": 1, "b": { "d": [1, 2], "c": "x" } }));
        assert_eq!(one, fields(json!({ "b": { "c": "x", "d": [1, 2] }, "a": 1 })));
        assert!(one.difference(&fields(json!({ "b": { "c": "x", "d": [2, 1] }, "a": 1 }))).is_some());
        let (long, other) = ("x".repeat(1_000), "x".repeat(999) + "y");
        let long = fields(long.into());
        assert!(long.fields["subject"].value.len() <= MAX_VALUE);
        assert!(long.difference(&fields(other.into())).is_some());
    }
}
