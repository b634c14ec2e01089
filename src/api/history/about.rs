//! What a record is about that its own data may not say: the cell, the datacenter.

use std::collections::HashMap;

use serde_json::Value;

use super::super::dto::EventView;
use super::super::event_view::event_view;
use super::lore;
use crate::core::kernel::ids::{StreamId, StreamKind};
use crate::journal::{Fault, Store};
use crate::shell::host::wait;

/// What an entity is about, by its first record. Read once.
pub(super) type Abouts = HashMap<StreamId, Option<String>>;

/// Members of an event that name a cell.
const CELLS: [&str; 9] =
    ["cell", "cell_id", "source", "holder", "destination", "from", "to", "by", "decided_by"];
/// Members that name a datacenter.
const DATACENTERS: [&str; 6] =
    ["datacenter", "datacenter_id", "datacenters", "told_by", "primary_datacenters", "fallback_datacenters"];

/// What an entity is about, by its first record.
pub(super) fn about(
    store: &dyn Store,
    abouts: &mut Abouts,
    stream: &StreamId,
) -> Result<Option<String>, Fault> {
    if let Some(known) = abouts.get(stream) {
        return Ok(known.clone());
    }
    let first = wait(store.read(stream, 0, 1))?.pop().map(event_view).transpose()?;
    let said = |place: &&str| Some(first.as_ref()?.data.pointer(place)?.as_str()?.to_owned());
    let about = lore::of(stream.kind).about.iter().find_map(said);
    abouts.insert(stream.clone(), about.clone());
    Ok(about)
}

type About<'a> = dyn FnMut() -> Result<Option<String>, Fault> + 'a;

/// Does an event concern a cell?
pub(super) fn is_about_cell(
    stream: &StreamId,
    view: &EventView,
    cell: &str,
    about: &mut About<'_>,
) -> Result<bool, Fault> {
    Ok(match stream.kind {
        StreamKind::Topology => view.data.get("cell_id").is_some_and(|id| id == cell),
        StreamKind::Cell | StreamKind::Budget => {
            (stream.kind == StreamKind::Cell && stream.id.as_str() == cell) || says(&view.data, &CELLS, cell)
        }
        StreamKind::Quorum => about()?.as_deref() == Some(cell),
        StreamKind::Agent
        | StreamKind::Proposal
        | StreamKind::Algorithms
        | StreamKind::Job
        | StreamKind::Gate
        | StreamKind::Worker
        | StreamKind::Flow
        | StreamKind::Load
        | StreamKind::Voter
        | StreamKind::Session
        | StreamKind::Durations
        | StreamKind::Identity
        | StreamKind::Datacenter
        | StreamKind::Route
        | StreamKind::Coordinate
        | StreamKind::Stops
        | StreamKind::Retention
        | StreamKind::Hook
        | StreamKind::Subjects
        | StreamKind::Member => false,
    })
}

/// Does an event concern a datacenter?
pub(super) fn is_in_datacenter(
    stream: &StreamId,
    view: &EventView,
    datacenter: &str,
    about: &mut About<'_>,
) -> Result<bool, Fault> {
    let said = |members: &[&str]| says(&view.data, members, datacenter);
    Ok(match stream.kind {
        StreamKind::Job => {
            let place = stream.id.as_str().rsplit_once('@').map(|(_, place)| place);
            place == Some(datacenter) || said(&DATACENTERS)
        }
        StreamKind::Worker => about()?.as_deref() == Some(datacenter),
        StreamKind::Gate | StreamKind::Datacenter | StreamKind::Member => said(&DATACENTERS),
        StreamKind::Route => said(&DATACENTERS) || said(&["from", "to"]),
        StreamKind::Topology
        | StreamKind::Quorum
        | StreamKind::Proposal
        | StreamKind::Agent
        | StreamKind::Algorithms
        | StreamKind::Cell
        | StreamKind::Budget
        | StreamKind::Flow
        | StreamKind::Load
        | StreamKind::Durations
        | StreamKind::Voter
        | StreamKind::Session
        | StreamKind::Identity
        | StreamKind::Coordinate
        | StreamKind::Stops
        | StreamKind::Retention
        | StreamKind::Subjects
        | StreamKind::Hook => false,
    })
}

/// Does one of these members, wherever it stands in the data of an event, say this, alone or in a list?
pub(super) fn says(data: &Value, members: &[&str], what: &str) -> bool {
    match data {
        Value::Object(fields) => fields.iter().any(|(name, value)| {
            let is_it = match value {
                Value::String(text) => text == what,
                Value::Array(items) => items.iter().any(|item| item == what),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
            };
            (is_it && members.contains(&name.as_str())) || says(value, members, what)
        }),
        Value::Array(items) => items.iter().any(|item| says(item, members, what)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
