//! A record as it is shown: to people, over every door.

use serde_json::Value;

use super::dto::EventView;
use super::history::is_refusal;
use crate::core::capacity::cell;
use crate::core::jobs::durations;
use crate::core::jobs::gate;
use crate::core::jobs::manager as job;
use crate::core::jobs::worker;
use crate::core::kernel::ids::StreamKind;
use crate::core::load::flow;
use crate::core::load::record as load;
use crate::core::network::coordinate::record as coordinate;
use crate::core::network::datacenter;
use crate::core::network::member::record as member;
use crate::core::network::route::record as route;
use crate::core::trust::hook;
use crate::core::trust::identity;
use crate::core::trust::retention;
use crate::core::trust::stop;
use crate::core::trust::subject;
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
        StreamKind::Datacenter => serde_json::to_value(decode::<datacenter::Event>(&record.payload)?),
        StreamKind::Route => serde_json::to_value(decode::<route::Event>(&record.payload)?),
        StreamKind::Retention => serde_json::to_value(decode::<retention::Event>(&record.payload)?),
        StreamKind::Hook => serde_json::to_value(decode::<hook::Event>(&record.payload)?),
        StreamKind::Stops => serde_json::to_value(decode::<stop::Event>(&record.payload)?),
        StreamKind::Member => serde_json::to_value(decode::<member::Event>(&record.payload)?),
        StreamKind::Subjects => serde_json::to_value(decode::<subject::Event>(&record.payload)?),
        StreamKind::Coordinate => serde_json::to_value(decode::<coordinate::Event>(&record.payload)?),
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
        refused: is_refusal(record.stream.kind, &event),
        event,
        data,
        identity: record.by.map(|by| by.as_str().to_owned()),
        hash: record.hash.to_string(),
    })
}

/// The name under which an event is shown that is stored under this one.
pub(super) fn shown_name(stored: &str) -> &str {
    match stored {
        "vote_cast_with_reason" | "vote_cast_with_value" => "vote_cast",
        "vote_refused_with_reason" | "vote_refused_with_value" => "vote_refused",
        other => other,
    }
}

/// A vote with a reason or an answer is stored as the vote and what came with it; it is shown as one, under the name votes have.
fn as_one((event, data): (String, Value)) -> (String, Value) {
    let part = match event.as_str() {
        "vote_cast_with_reason" | "vote_cast_with_value" => "cast",
        "vote_refused_with_reason" | "vote_refused_with_value" => "refused",
        _ => return (event, data),
    };
    let Value::Object(mut with) = data else { return (event, data) };
    let Some(Value::Object(mut vote)) = with.remove(part) else { return (event, Value::Object(with)) };
    vote.extend(with);
    (shown_name(&event).to_owned(), Value::Object(vote))
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
