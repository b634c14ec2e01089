//! A record as it is shown: to people, over every door.

use serde_json::Value;

use super::dto::EventView;
use crate::core::capacity::cell;
use crate::core::jobs::durations;
use crate::core::jobs::gate;
use crate::core::jobs::manager as job;
use crate::core::jobs::worker;
use crate::core::kernel::ids::StreamKind;
use crate::core::load::flow;
use crate::core::load::record as load;
use crate::core::trust::identity;
use crate::core::voting::agent;
use crate::core::voting::algorithms;
use crate::core::voting::proposal;
use crate::core::voting::quorum;
use crate::core::voting::session;
use crate::core::voting::topology;
use crate::core::voting::voter;
use crate::journal::codec::decode;
use crate::journal::{Fault, Record};

/// A record as it is shown: the event's name and data are read from its stored form.
pub(super) fn event_view(record: Record) -> Result<EventView, Fault> {
    let data = match record.stream.kind {
        StreamKind::Quorum => serde_json::to_value(decode::<quorum::Event>(&record.payload)?),
        StreamKind::Proposal => {
            let event = match decode::<proposal::Event>(&record.payload)? {
                proposal::Event::Closed(closed) => proposal::Event::Closed(closed.upcast()),
                event => event,
            };
            serde_json::to_value(event)
        }
        StreamKind::Algorithms => serde_json::to_value(decode::<algorithms::Event>(&record.payload)?),
        StreamKind::Cell => serde_json::to_value(decode::<cell::Event>(&record.payload)?),
        StreamKind::Budget => serde_json::to_value(decode::<cell::budget::Event>(&record.payload)?),
        StreamKind::Topology => serde_json::to_value(decode::<topology::Event>(&record.payload)?),
        StreamKind::Job => serde_json::to_value(decode::<job::Event>(&record.payload)?),
        StreamKind::Gate => serde_json::to_value(decode::<gate::Event>(&record.payload)?),
        StreamKind::Worker => serde_json::to_value(decode::<worker::Event>(&record.payload)?),
        StreamKind::Durations => serde_json::to_value(decode::<durations::Event>(&record.payload)?),
        StreamKind::Flow => serde_json::to_value(decode::<flow::record::Event>(&record.payload)?),
        StreamKind::Load => serde_json::to_value(decode::<load::Event>(&record.payload)?),
        StreamKind::Voter => serde_json::to_value(decode::<voter::Event>(&record.payload)?),
        StreamKind::Session => serde_json::to_value(decode::<session::Event>(&record.payload)?),
        StreamKind::Agent => serde_json::to_value(decode::<agent::Event>(&record.payload)?),
        StreamKind::Identity => serde_json::to_value(decode::<identity::Event>(&record.payload)?),
    };
    // Every event is written as `{"name": data}`.
    let (event, data) = match data {
        Ok(Value::Object(map)) => map.into_iter().next().map(as_one).unwrap_or_default(),
        Ok(other) => (other.to_string(), Value::Null),
        Err(e) => return Err(Fault::Corrupt { what: format!("event cannot be shown: {e}") }),
    };
    Ok(EventView {
        position: record.position,
        kind: record.stream.kind.name().into(),
        entity_id: record.stream.id,
        seq: record.seq,
        at: record.at,
        at_ms: record.at.as_millis(),
        event,
        data,
        identity: record.by.map(|by| by.as_str().to_owned()),
        hash: record.hash.to_string(),
    })
}

/// A vote with a reason is stored as the vote and what came with it; it is shown as one, under the name votes have.
fn as_one((event, data): (String, Value)) -> (String, Value) {
    let (name, part) = match event.as_str() {
        "vote_cast_with_reason" => ("vote_cast", "cast"),
        "vote_refused_with_reason" => ("vote_refused", "refused"),
        _ => return (event, data),
    };
    let Value::Object(mut with) = data else { return (event, data) };
    let Some(Value::Object(mut vote)) = with.remove(part) else { return (event, Value::Object(with)) };
    vote.extend(with);
    (name.to_owned(), Value::Object(vote))
}

/// Does this name stand anywhere in the data of an event?
pub(super) fn names(data: &Value, party: &str) -> bool {
    match data {
        Value::String(text) => text == party,
        Value::Array(values) => values.iter().any(|value| names(value, party)),
        Value::Object(fields) => fields.iter().any(|(key, value)| key == party || names(value, party)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
