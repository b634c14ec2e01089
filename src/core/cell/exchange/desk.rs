//! The working copies of one decision: what is at hand, settled, and what has happened to it so far.

use std::collections::{BTreeMap, BTreeSet};

use super::super::budget::{self, Budget};
use super::super::command::Effect;
use super::super::event;
use super::super::rejection::Rejection;
use super::super::state::Cell;
use super::super::{decide, settings::Settings, shared::Shared};
use super::{Event, Lookup};
use crate::core::ids::{BudgetId, CellId, EntityId, StreamId, StreamKind};
use crate::core::time::Timestamp;

/// Why a decision ends before its reply.
#[derive(Debug)]
pub(super) enum Stop {
    /// Entities are not at hand.
    Missing(BTreeSet<StreamId>),
    /// No, and nothing happened.
    Refused(Rejection),
    /// No, and the attempt is recorded.
    OnRecord(Rejection),
}

impl From<Rejection> for Stop {
    fn from(rejection: Rejection) -> Stop {
        Stop::Refused(rejection)
    }
}

pub(super) struct Desk<'w> {
    world: &'w dyn Lookup,
    pub now: Timestamp,
    cells: BTreeMap<CellId, Cell>,
    budgets: BTreeMap<BudgetId, Budget>,
    events: BTreeMap<StreamId, Vec<Event>>,
}

fn cell_stream(cell: &CellId) -> StreamId {
    StreamId::new(StreamKind::Cell, EntityId::from(cell))
}

fn budget_stream(budget: &BudgetId) -> StreamId {
    StreamId::new(StreamKind::Budget, EntityId::from(budget))
}

impl<'w> Desk<'w> {
    pub fn new(world: &'w dyn Lookup, now: Timestamp) -> Self {
        let (cells, budgets, events) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Desk { world, now, cells, budgets, events }
    }

    pub fn world(&self) -> &'w dyn Lookup {
        self.world
    }

    /// Brings entities to the desk, settled. Asks for all that are missing at once.
    pub fn bring<'a>(
        &mut self,
        cells: impl IntoIterator<Item = &'a CellId>,
        budgets: impl IntoIterator<Item = &'a BudgetId>,
    ) -> Result<(), Stop> {
        let mut missing = BTreeSet::new();
        for id in cells {
            if self.cells.contains_key(id) {
                continue;
            }
            let stream = cell_stream(id);
            match self.world.cell(&stream) {
                Some(state) => self.put_cell(id, state.clone()),
                None => {
                    missing.insert(stream);
                }
            }
        }
        for id in budgets {
            if self.budgets.contains_key(id) {
                continue;
            }
            let stream = budget_stream(id);
            match self.world.budget(&stream) {
                Some(state) => self.put_budget(id, state.clone()),
                None => {
                    missing.insert(stream);
                }
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(Stop::Missing(missing)) }
    }

    fn put_cell(&mut self, id: &CellId, mut cell: Cell) {
        let settled = decide::settle(&mut cell, self.now);
        self.record_cell(id, settled);
        self.cells.insert(id.clone(), cell);
    }

    fn put_budget(&mut self, id: &BudgetId, mut budget: Budget) {
        let settled = budget.settle(self.now).into_iter().map(Event::Budget);
        self.events.entry(budget_stream(id)).or_default().extend(settled);
        self.budgets.insert(id.clone(), budget);
    }

    fn record_cell(&mut self, id: &CellId, events: Vec<event::Event>) {
        self.events.entry(cell_stream(id)).or_default().extend(events.into_iter().map(Event::Cell));
    }

    /// A cell that was brought.
    pub fn cell(&mut self, id: &CellId) -> &Cell {
        self.cells.entry(id.clone()).or_default()
    }

    /// A budget that was brought.
    pub fn budget(&mut self, id: &BudgetId) -> &Budget {
        self.budgets.entry(id.clone()).or_default()
    }

    /// How a cell is set up, or will be when it takes part.
    pub fn settings(&mut self, id: &CellId) -> Shared<Settings> {
        if self.cell(id).is_open() {
            self.cell(id).settings.clone()
        } else {
            self.world.settings_of(id).into()
        }
    }

    /// Something happens to a cell that was brought.
    pub fn happen(&mut self, id: &CellId, event: event::Event) {
        self.cells.entry(id.clone()).or_default().evolve(&event);
        self.record_cell(id, vec![event]);
    }

    /// Something happens to a budget that was brought.
    pub fn happen_to_budget(&mut self, id: &BudgetId, event: budget::Event) {
        self.budgets.entry(id.clone()).or_default().evolve(&event);
        self.events.entry(budget_stream(id)).or_default().push(Event::Budget(event));
    }

    /// A cell that was brought takes part from now on.
    pub fn open(&mut self, id: &CellId) {
        if !self.cell(id).is_open() {
            let settings = self.world.settings_of(id);
            self.happen(id, event::Event::Opened { cell: id.clone(), settings, at: self.now });
        }
    }

    /// Serves what a cell can serve by itself, after its available capacity rose or its queue grew short.
    pub fn serve_alone(&mut self, id: &CellId) {
        let mut events = Vec::new();
        decide::serve_alone(self.cells.entry(id.clone()).or_default(), self.now, &mut events);
        self.record_cell(id, events);
    }

    /// What the entities at the desk owe now.
    pub fn owed(&self) -> Vec<Effect> {
        let cells = self.cells.values().flat_map(decide::owed);
        let budgets = self.budgets.values().flat_map(Budget::owed);
        let mut effects = Vec::new();
        for effect in cells.chain(budgets) {
            if !effects.contains(&effect) {
                effects.push(effect);
            }
        }
        effects
    }

    pub fn into_events(self) -> BTreeMap<StreamId, Vec<Event>> {
        self.events.into_iter().filter(|(_, events)| !events.is_empty()).collect()
    }
}
