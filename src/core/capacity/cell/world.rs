//! Cells and budgets in memory: what commits an [`Outcome`] and runs what is owed, without
//! actors and without a journal. For simulations, examples and tests.

use std::collections::{BTreeMap, BTreeSet};

use super::command::{Effect, Op, Reply};
use super::exchange::{self, Event, Lookup, Outcome};
use super::rejection::Rejection;
use super::settings::Settings;
use super::stats::CellStats;
use super::{Budget, BudgetMachine, Cell, CellMachine};
use crate::kernel::Machine;
use crate::kernel::driver::Driver;
use crate::kernel::ids::{BudgetId, CellId, EntityId, StreamId, StreamKind, TokenId};
use crate::kernel::time::Timestamp;

/// All cells and budgets there are, with the log that made them.
#[derive(Debug, Default)]
pub struct World {
    cells: BTreeMap<StreamId, Driver<CellMachine>>,
    budgets: BTreeMap<StreamId, Driver<BudgetMachine>>,
    /// Everything that happened, in order.
    pub log: Vec<(StreamId, Event)>,
    /// Counters over the log.
    pub stats: CellStats,
    /// How cells are set up unless told otherwise.
    pub defaults: Settings,
}

/// What one decision may see: only what was locked for it.
struct Locked<'w> {
    world: &'w World,
    streams: BTreeSet<StreamId>,
    no_cell: Cell,
    no_budget: Budget,
}

impl Lookup for Locked<'_> {
    fn cell(&self, stream: &StreamId) -> Option<&Cell> {
        let at_hand = self.streams.contains(stream);
        at_hand.then(|| self.world.cells.get(stream).map_or(&self.no_cell, Driver::state))
    }

    fn budget(&self, stream: &StreamId) -> Option<&Budget> {
        let at_hand = self.streams.contains(stream);
        at_hand.then(|| self.world.budgets.get(stream).map_or(&self.no_budget, Driver::state))
    }

    fn source_of(&self, token: &TokenId) -> Option<CellId> {
        self.world.stats.source_of(token).cloned()
    }

    fn budgets_of(&self, token: &TokenId) -> Option<BTreeSet<BudgetId>> {
        self.world.stats.budgets_of(token).cloned()
    }

    fn settings_of(&self, _cell: &CellId) -> Settings {
        self.world.defaults.clone()
    }
}

impl World {
    /// No cells yet; those that come are set up so.
    pub fn new(defaults: Settings) -> Self {
        World { defaults, ..World::default() }
    }

    /// The state of a cell; the default when it never took part.
    pub fn cell(&self, id: &CellId) -> Cell {
        let stream = StreamId::new(StreamKind::Cell, EntityId::from(id));
        self.cells.get(&stream).map(|driver| driver.state().clone()).unwrap_or_default()
    }

    /// The state of a budget; the default when it was never used.
    pub fn budget(&self, id: &BudgetId) -> Budget {
        let stream = StreamId::new(StreamKind::Budget, EntityId::from(id));
        self.budgets.get(&stream).map(|driver| driver.state().clone()).unwrap_or_default()
    }

    /// The cells that take part.
    pub fn cells(&self) -> impl Iterator<Item = &Cell> {
        self.cells.values().map(Driver::state)
    }

    /// The budgets that were used.
    pub fn budgets(&self) -> impl Iterator<Item = &Budget> {
        self.budgets.values().map(Driver::state)
    }

    /// When the first entity needs a tick.
    pub fn due(&self) -> Option<Timestamp> {
        let cells = self.cells.values().filter_map(Driver::due);
        cells.chain(self.budgets.values().filter_map(Driver::due)).min()
    }

    /// Runs one operation, and whatever is owed after it.
    ///
    /// # Errors
    /// The rejection of the operation. Its record, if any, is committed.
    pub fn run(&mut self, op: &Op, now: Timestamp) -> Result<Reply, Rejection> {
        let reply = self.run_alone(op, now);
        self.run_owed(now);
        reply
    }

    /// Runs one operation and leaves open what is owed after it, as a crash would.
    ///
    /// # Errors
    /// See [`World::run`].
    ///
    /// # Panics
    /// When the decision does not say what is owed by an entity it wrote to.
    pub fn run_alone(&mut self, op: &Op, now: Timestamp) -> Result<Reply, Rejection> {
        let mut streams = BTreeSet::new();
        loop {
            let (no_cell, no_budget) = (Cell::default(), Budget::default());
            let locked = Locked { world: self, streams, no_cell, no_budget };
            match exchange::decide(&locked, op, now) {
                Outcome::Missing(more) => {
                    streams = locked.streams;
                    streams.extend(more);
                }
                Outcome::Done { events, effects, reply } => {
                    let written: Vec<StreamId> = events.keys().cloned().collect();
                    self.commit(events);
                    let owed = written.iter().flat_map(|stream| self.owed_by(stream));
                    owed.for_each(|owed| assert!(effects.contains(&owed), "not said: {owed:?} after {op:?}"));
                    return Ok(reply);
                }
                Outcome::Refused { events, rejection } => {
                    self.commit(events);
                    return Err(rejection);
                }
            }
        }
    }

    /// What is owed by all entities.
    pub fn owed(&self) -> Vec<Effect> {
        let cells = self.cells.values().flat_map(|driver| CellMachine::owed(driver.state()));
        let budgets = self.budgets.values().flat_map(|driver| BudgetMachine::owed(driver.state()));
        cells.chain(budgets).collect()
    }

    fn owed_by(&self, stream: &StreamId) -> impl Iterator<Item = Effect> + use<> {
        let cell = self.cells.get(stream).map(|driver| CellMachine::owed(driver.state()));
        let budget = self.budgets.get(stream).map(|driver| BudgetMachine::owed(driver.state()));
        cell.into_iter().chain(budget).flatten()
    }

    /// Runs what is owed until nothing is. An entity is settled before it is asked: what it waits for may be over.
    ///
    /// # Panics
    /// When that does not end: every owed operation must settle what it is owed for.
    pub fn run_owed(&mut self, now: Timestamp) {
        for _ in 0..10_000 {
            let owes_cell = |driver: &Driver<CellMachine>| !CellMachine::owed(driver.state()).is_empty();
            let owes_budget =
                |driver: &Driver<BudgetMachine>| !BudgetMachine::owed(driver.state()).is_empty();
            let cell = self.cells.iter().find(|(_, driver)| owes_cell(driver)).map(|(id, _)| id.clone());
            let budget = || self.budgets.iter().find(|(_, driver)| owes_budget(driver));
            let Some(stream) = cell.or_else(|| budget().map(|(id, _)| id.clone())) else { return };
            self.settle(&stream, now);
            let Some(effect) = self.owed_by(&stream).next() else { continue };
            let op = Op::from(effect);
            let before = self.log.len();
            let done = self.run_alone(&op, now);
            assert!(done.is_ok() && self.log.len() > before, "an owed operation does nothing. op={op:?}");
        }
        panic!("what is owed has no end");
    }

    /// Ticks one entity, if it is due.
    fn settle(&mut self, stream: &StreamId, now: Timestamp) {
        if let Some(driver) = self.cells.get_mut(stream) {
            let events = driver.settle(now).events.into_iter().map(Event::Cell).collect();
            self.record(stream, events);
        }
        if let Some(driver) = self.budgets.get_mut(stream) {
            let events = driver.settle(now).events.into_iter().map(Event::Budget).collect();
            self.record(stream, events);
        }
    }

    /// Ticks every entity that is due, each by itself, and leaves open what is owed then.
    pub fn tick_alone(&mut self, now: Timestamp) {
        let streams: Vec<_> = self.cells.keys().chain(self.budgets.keys()).cloned().collect();
        streams.iter().for_each(|stream| self.settle(stream, now));
    }

    /// Ticks every entity that is due and runs what is owed.
    pub fn tick(&mut self, now: Timestamp) {
        self.tick_alone(now);
        self.run_owed(now);
    }

    /// Forgets all states and folds them from the log again.
    pub fn restart(&mut self) {
        let log = std::mem::take(&mut self.log);
        *self = World::new(self.defaults.clone());
        for (stream, event) in log {
            self.commit(BTreeMap::from([(stream, vec![event])]));
        }
    }

    fn commit(&mut self, events: BTreeMap<StreamId, Vec<Event>>) {
        for (stream, events) in events {
            for event in &events {
                match event {
                    Event::Cell(event) => self.cells.entry(stream.clone()).or_default().replay(event),
                    Event::Budget(event) => self.budgets.entry(stream.clone()).or_default().replay(event),
                }
            }
            self.record(&stream, events);
        }
    }

    fn record(&mut self, stream: &StreamId, events: Vec<Event>) {
        for event in events {
            match &event {
                Event::Cell(event) => {
                    if let Ok(cell) = CellId::stored(stream.id.as_str()) {
                        self.stats.apply(&cell, event);
                    }
                }
                Event::Budget(event) => self.stats.apply_budget(event),
            }
            self.log.push((stream.clone(), event));
        }
    }
}
