//! Cells: grants as they are heard and counted, and the operations that cells and budgets owe.

use std::sync::Arc;

use super::{Carried, Hosted};
use crate::config::Config;
use crate::core::capacity::cell::{self, Cell, CellMachine, Op};
use crate::core::kernel::ids::{CellId, EntityId, StreamId, StreamKind};
use crate::journal::Fault;
use crate::shell::bus::{Notice, What};
use crate::shell::counters::Counters;
use crate::shell::host::Host;
use crate::shell::joint;
use crate::shell::lock;
use crate::shell::stops::Bearing;
use crate::shell::writer::Failure;

impl Hosted for CellMachine {
    fn bearing(_: &EntityId, _: &Self::State, command: &Self::Command) -> Bearing {
        match command {
            // Operations on capacity are decided over several entities; see there.
            cell::Command::Tick => Bearing::Passes,
        }
    }

    fn notices(_: &Config, id: &EntityId, _: &Cell, events: &[cell::Event]) -> Vec<Notice> {
        let heard = |event: &cell::Event| {
            let cell::Event::Granted(granted) = event else { return None };
            Some(Notice {
                topic: format!("cell/{id}"),
                entity: StreamId::new(StreamKind::Cell, id.clone()),
                at: granted.at,
                what: What::Granted {
                    need_id: granted.need.id.clone(),
                    token_ids: granted.tokens.iter().map(|token| token.id.clone()).collect(),
                },
            })
        };
        events.iter().filter_map(heard).collect()
    }

    fn observe(counters: &Counters, id: &EntityId, events: &[cell::Event]) {
        if let Ok(cell) = cell_of(id) {
            let mut stats = lock(&counters.cells);
            events.iter().for_each(|event| stats.apply(&cell, event));
        }
        for event in events {
            tracing::debug!(kind = "cell", entity_id = %id, event = event.name());
        }
    }

    fn follow(host: &Arc<Host>, id: &EntityId, events: &[cell::Event]) {
        host.needs.tell(id, events);
    }

    fn carry_out(host: Arc<Host>, _: EntityId, effect: cell::Effect) -> Carried {
        Box::pin(run_owed(host, effect))
    }
}

/// The cell of a stream; cells and streams have the same sort of name.
pub(in crate::shell) fn cell_of(id: &EntityId) -> Result<CellId, Fault> {
    CellId::stored(id.as_str()).map_err(|e| Fault::Corrupt { what: format!("cell has no name: {e}") })
}

/// Runs an operation that a cell or a budget owes.
pub(super) async fn run_owed(host: Arc<Host>, effect: cell::Effect) -> Result<(), Failure> {
    // What is no longer possible is no longer owed.
    joint::run(&host, Op::from(effect)).await.map(|_| ())
}
