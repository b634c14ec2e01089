//! Which shard has what a request is about.

use serde_json::{Map, Value};

use super::super::ops::Operation;
use crate::core::kernel::shards::ShardMap;
use crate::error::{Error, ErrorKind};

/// The field that names a shard, where the shard does not follow from the request.
pub const SHARD: &str = "shard";

/// The entity group of a request: what is decided together is on one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// The first shard: who may do what, who is there, and what is decided with that.
    First,
    /// The one that this field names.
    Of(&'static str),
    /// Each shard has a part of it, so the request says which one is meant.
    All,
    /// It would have to hold on all shards at once, and is refused where there are several.
    Undivided,
}

/// What stands on the first shard, so that a request for another one cannot be decided with it.
const TOGETHER: [(&str, &str); 6] = [
    ("quorum.start", "cmp_fallback"),
    ("job.submit", "spend"),
    ("job.submit", "gate_addr"),
    ("job.submit", "target_datacenters"),
    ("job.submit", "preferred_datacenters"),
    ("job.submit", "datacenter_count"),
];

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// To this shard.
    Shard(u16),
    /// To any: what it begins is nameless still, and gets a name that falls on the shard that is asked.
    Any,
}

/// Where a request goes, by the map. The field that names the shard is taken out.
///
/// # Errors
/// `not_on_shards` for what does not hold over several shards, or names what is on another one; `invalid_argument` for a
/// shard that must be named and is not, that there is not, or that does not have what the request is about.
pub(super) fn aim(op: &Operation, fields: &mut Map<String, Value>, map: &ShardMap) -> Result<Aim, Error> {
    let named = fields.shift_remove(SHARD).filter(|shard| !shard.is_null());
    let named = named.map(|shard| number(&shard, map)).transpose()?;
    let given = |field: &str| fields.get(field).filter(|value| !value.is_null());
    let agreed = |shard: u16| match named {
        Some(named) if named != shard => {
            Err(Error::invalid(SHARD, named, &format!("{shard}, where this is; the field may be left out")))
        }
        Some(_) | None => Ok(Aim::Shard(shard)),
    };
    let aim = match op.group {
        Group::Undivided => return Err(undivided(op.name, "it holds for all shards or for none")),
        Group::First => agreed(0)?,
        Group::All => Aim::Shard(named.ok_or_else(|| unnamed(map))?),
        Group::Of(field) => match given(field).or_else(|| given("idempotency_key")).map(Value::as_str) {
            Some(Some(name)) => agreed(map.shard_of(name))?,
            // No name: the operation says so.
            Some(None) => Aim::Shard(named.unwrap_or(0)),
            None => match named {
                Some(shard) => Aim::Shard(shard),
                None if op.founds => Aim::Any,
                None => return Err(unnamed(map)),
            },
        },
    };
    let apart = TOGETHER.iter().find(|(name, field)| {
        *name == op.name && given(field).is_some_and(|value| *value != Value::Bool(false) && !is_empty(value))
    });
    if let Some((name, field)) = apart {
        return Err(undivided(name, "what it names is on the first shard").with("field", *field));
    }
    if given("data_subject").is_some() {
        let why =
            "the key of a data subject is in one folder, and the shards may be served on several machines";
        return Err(undivided(op.name, why).with("field", "data_subject"));
    }
    if op.name == "quorum.start" && given("voters").is_none() {
        let why = "name the voters: the mesh that tells who may vote is on the first shard";
        return Err(undivided(op.name, why).with("field", "voters"));
    }
    Ok(aim)
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}

/// The number of a shard, as a field says it.
pub(super) fn number(shard: &Value, map: &ShardMap) -> Result<u16, Error> {
    let number = match shard {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    };
    let number = number.and_then(|number| u16::try_from(number).ok()).filter(|number| *number < map.shards());
    number.ok_or_else(|| Error::invalid(SHARD, shard.clone(), &range(map)))
}

fn range(map: &ShardMap) -> String {
    format!("0 to {}, the number of a shard", map.shards() - 1)
}

/// A part is never shown as the whole.
pub(super) fn unnamed(map: &ShardMap) -> Error {
    let expected = format!("{}: each has a part of this, and an answer shows one", range(map));
    Error::invalid(SHARD, Value::Null, &expected)
}

fn undivided(operation: &str, why: &str) -> Error {
    let message = format!("this is not done on a journal of several shards: {why}. operation={operation}");
    Error::new(ErrorKind::NotOnShards, message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::ops::{OPERATIONS, find};
    use super::*;

    fn aimed(name: &str, fields: Value) -> Result<Aim, (ErrorKind, Option<String>)> {
        let map = ShardMap::spread(4).unwrap();
        let mut fields = fields.as_object().unwrap().clone();
        let aim = aim(find(name).unwrap(), &mut fields, &map);
        assert!(!fields.contains_key(SHARD));
        let field = |error: &Error| error.detail("field").and_then(Value::as_str).map(str::to_owned);
        aim.map_err(|error| (error.kind(), field(&error)))
    }

    #[test]
    fn what_is_about_one_entity_group_goes_to_its_shard_whoever_asks() {
        let map = ShardMap::spread(4).unwrap();
        for n in 0..50 {
            let id = format!("q{n}");
            let shard = map.shard_of(&id);
            let vote = json!({ "quorum_id": id, "voter_id": "v", "vote": true });
            assert_eq!(aimed("quorum.vote", vote), Ok(Aim::Shard(shard)));
            // A repeat under the same key meets the first one, for it decides where there is no id.
            let start = json!({ "quorum_type": "global", "voters": ["v"], "idempotency_key": id });
            assert_eq!(aimed("quorum.start", start), Ok(Aim::Shard(shard)));
            assert_eq!(aimed("job.submit", json!({ "job_id": id })), Ok(Aim::Shard(shard)));
            let elsewhere = json!({ "job_id": id, "shard": (shard + 1) % 4 });
            assert_eq!(
                aimed("job.status", elsewhere),
                Err((ErrorKind::InvalidArgument, Some("shard".into())))
            );
        }
        assert_eq!(aimed("job.submit", json!({})), Ok(Aim::Any));
        assert_eq!(aimed("voter.list", json!({})), Ok(Aim::Shard(0)));
    }

    #[test]
    fn a_part_is_shown_only_as_the_part_that_was_named() {
        let unnamed = Err((ErrorKind::InvalidArgument, Some("shard".into())));
        for name in
            ["quorum.list", "job.list", "history.query", "overview.show", "job.extend", "worker.register"]
        {
            assert_eq!(aimed(name, json!({})), unnamed, "{name}");
            assert_eq!(aimed(name, json!({ "shard": 4 })), unnamed, "{name}");
            assert_eq!(aimed(name, json!({ "shard": "3" })), Ok(Aim::Shard(3)), "{name}");
        }
    }

    #[test]
    fn what_needs_another_shard_is_refused_before_anything_is_done() {
        let refused = |field: Option<&str>| Err((ErrorKind::NotOnShards, field.map(str::to_owned)));
        assert_eq!(aimed("datacenter.update", json!({ "datacenter_id": "d" })), refused(None));
        assert_eq!(aimed("route.job", json!({ "job_id": "j" })), refused(None));
        assert_eq!(aimed("quorum.start", json!({ "quorum_type": "global" })), refused(Some("voters")));
        let fallback = json!({ "quorum_type": "global", "voters": ["v"], "cmp_fallback": true });
        assert_eq!(aimed("quorum.start", fallback), refused(Some("cmp_fallback")));
        assert_eq!(aimed("job.submit", json!({ "spend": {} })), refused(Some("spend")));
        assert_eq!(aimed("job.submit", json!({ "target_datacenters": [] })), Ok(Aim::Any));
        assert_eq!(aimed("job.submit", json!({ "data_subject": "s" })), refused(Some("data_subject")));
    }

    #[test]
    fn every_group_is_named_by_a_field_of_its_operation() {
        for op in OPERATIONS {
            let fields = op.fields();
            if let Group::Of(name) = op.group {
                assert!(fields.iter().any(|field| field.name == name), "{}", op.name);
            }
            assert!(!fields.iter().any(|field| field.name == SHARD), "{}: the field is taken out", op.name);
        }
        for (name, field) in TOGETHER {
            assert!(find(name).unwrap().fields().iter().any(|of| of.name == field), "{name}.{field}");
        }
    }
}
