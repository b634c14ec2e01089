//! What was pruned of the places that somebody asks about.

use std::collections::BTreeMap;

use super::super::dto::PrunedSpan;
use crate::core::kernel::ids::{StreamId, StreamKind};
use crate::core::trust::retention::RetentionMachine;
use crate::journal::{Fault, Position, Store};
use crate::shell::host::wait;
use crate::shell::hosts::retention_id;
use crate::shell::memory::read_state;

/// Places looked at at a time.
const PLACES: u64 = 1 << 16;

/// How many entities of a kind were pruned so far.
pub(in crate::api) fn entities_pruned(store: &dyn Store, kind: StreamKind) -> Result<u64, Fault> {
    let stream = StreamId::new(StreamKind::Retention, retention_id());
    let prunings = read_state::<RetentionMachine>(store, &stream)?.prunings;
    Ok(prunings.values().filter_map(|pruning| pruning.entities.get(kind.name())).sum())
}

/// What was pruned at the places after `after` and up to `upto`, by pruning.
pub(in crate::api) fn pruned_between(
    store: &dyn Store,
    after: Position,
    upto: Position,
) -> Result<Vec<PrunedSpan>, Fault> {
    let stream = StreamId::new(StreamKind::Retention, retention_id());
    let prunings = read_state::<RetentionMachine>(store, &stream)?.prunings;
    let mut spans: BTreeMap<u64, PrunedSpan> = BTreeMap::new();
    // Places that no pruning is about need not be looked at.
    let first = prunings.values().map(|pruning| pruning.first_position).min().unwrap_or(Position::MAX);
    let last = prunings.values().map(|pruning| pruning.last_position).max().unwrap_or(0).min(upto);
    let mut at = after.max(first.saturating_sub(1));
    while at < last {
        let places = PLACES.min(last - at);
        for run in wait(store.pruned(at, usize::try_from(places).unwrap_or(usize::MAX)))? {
            let told = prunings.get(&run.pruning);
            let span = spans.entry(run.pruning).or_insert_with(|| PrunedSpan {
                pruning: run.pruning,
                pruned_at: told.map(|pruning| pruning.at),
                rule: told.map(|pruning| pruning.rule.to_string()),
                records: 0,
                from_position: run.first_position,
                upto_position: run.first_position,
            });
            span.records += run.leaves.len() as u64;
            span.upto_position = run.last_position();
        }
        at += places;
    }
    Ok(spans.into_values().collect())
}
