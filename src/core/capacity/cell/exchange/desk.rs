//! What one decision works on: what is at hand, settled, and what has happened to it so far.
//!
//! An entity is copied only when somebody looks at it after something has happened to it. Most decisions about a cell
//! where nobody waits make one event, and nobody looks again: what lies there, however much it is, is never copied.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::super::budget::{self, Budget, BudgetMachine};
use super::super::command::Effect;
use super::super::event;
use super::super::rejection::Rejection;
use super::super::state::Cell;
use super::super::{CellMachine, decide, settings::Settings, shared::Shared};
use super::{Event, Lookup};
use crate::kernel::Machine;
use crate::kernel::ids::{BudgetId, CellId, EntityId, StreamId, StreamKind};
use crate::kernel::time::Timestamp;

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

/// An entity that can be brought to the desk.
trait Party: Machine<Effect = Effect> {
    /// The state after everything that is over at `now` has ended, and the events of that; `None` when nothing is.
    fn settle(state: &Self::State, now: Timestamp) -> Option<(Self::State, Vec<Self::Event>)>;

    /// Does nobody wait here? Whatever becomes of its tokens then, the entity serves nobody and owes nothing.
    fn is_quiet(state: &Self::State) -> bool;

    /// Does this event end that?
    fn stirs(event: &Self::Event) -> bool;
}

impl Party for CellMachine {
    fn settle(cell: &Cell, now: Timestamp) -> Option<(Cell, Vec<event::Event>)> {
        decide::settle(cell, now)
    }

    fn is_quiet(cell: &Cell) -> bool {
        cell.queue.is_empty() && cell.offers_received.is_empty() && !cell.overloaded
    }

    fn stirs(event: &event::Event) -> bool {
        match event {
            event::Event::NeedQueued(_)
            | event::Event::OverloadRaised { .. }
            | event::Event::OfferReceived(_) => true,
            event::Event::Opened { .. }
            | event::Event::Configured { .. }
            | event::Event::NeedExpired { .. }
            | event::Event::NeedCancelled { .. }
            | event::Event::NeedAskedBy { .. }
            | event::Event::TokenAskedBy { .. }
            | event::Event::NeedBlocked { .. }
            | event::Event::Granted(_)
            | event::Event::OverloadCleared { .. }
            | event::Event::OfferMade(_)
            | event::Event::OfferClosed { .. }
            | event::Event::Lent { .. }
            | event::Event::Acked(_)
            | event::Event::Renewed(_)
            | event::Event::UseRefused { .. }
            | event::Event::Returned(_)
            | event::Event::HandedOver { .. }
            | event::Event::Received { .. }
            | event::Event::Released { .. } => false,
        }
    }
}

impl Party for BudgetMachine {
    fn settle(budget: &Budget, now: Timestamp) -> Option<(Budget, Vec<budget::Event>)> {
        budget.settle(now)
    }

    fn is_quiet(budget: &Budget) -> bool {
        budget.waiting.is_empty()
    }

    fn stirs(event: &budget::Event) -> bool {
        match event {
            budget::Event::Waiting { .. } => true,
            budget::Event::LimitsSet { .. }
            | budget::Event::Charged { .. }
            | budget::Event::Extended { .. }
            | budget::Event::Refunded { .. }
            | budget::Event::WaitEnded { .. }
            | budget::Event::RatesSet { .. }
            | budget::Event::Reserved { .. }
            | budget::Event::Settled { .. }
            | budget::Event::ReservationExpired { .. } => false,
        }
    }
}

/// An entity at the desk.
struct Working<'w, M: Party> {
    stream: StreamId,
    found: &'w M::State,
    /// The state after the first `applied` events, once there were any and somebody looked.
    copy: Option<M::State>,
    events: Vec<M::Event>,
    applied: usize,
    /// Nobody waited when it was brought, and nothing has stirred it since.
    quiet: bool,
}

impl<'w, M: Party> Working<'w, M> {
    fn new(stream: StreamId, found: &'w M::State, now: Timestamp) -> Self {
        let (copy, events) = M::settle(found, now).map_or((None, Vec::new()), |(after, e)| (Some(after), e));
        let quiet = M::is_quiet(copy.as_ref().unwrap_or(found));
        Working { stream, found, copy, applied: events.len(), events, quiet }
    }

    fn happen(&mut self, event: M::Event) {
        self.quiet &= !M::stirs(&event);
        self.events.push(event);
    }

    /// The state after all that happened.
    fn look(&mut self) -> &M::State {
        if self.applied < self.events.len() {
            let copy = self.copy.get_or_insert_with(|| self.found.clone());
            self.events.iter().skip(self.applied).for_each(|event| M::evolve(copy, event));
            self.applied = self.events.len();
        }
        self.copy.as_ref().unwrap_or(self.found)
    }

    fn owed(&mut self) -> Vec<Effect> {
        if self.quiet { Vec::new() } else { M::owed(self.look()) }
    }
}

impl Working<'_, CellMachine> {
    fn serve_alone(&mut self, now: Timestamp) {
        if !self.quiet && decide::can_serve_alone(self.look()) {
            let copy = self.copy.get_or_insert_with(|| self.found.clone());
            decide::serve_alone(copy, now, &mut self.events);
            self.applied = self.events.len();
        }
    }
}

pub(super) struct Desk<'w> {
    world: &'w dyn Lookup,
    pub now: Timestamp,
    cells: BTreeMap<CellId, Working<'w, CellMachine>>,
    budgets: BTreeMap<BudgetId, Working<'w, BudgetMachine>>,
}

impl<'w> Desk<'w> {
    pub fn new(world: &'w dyn Lookup, now: Timestamp) -> Self {
        Desk { world, now, cells: BTreeMap::new(), budgets: BTreeMap::new() }
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
            if let Entry::Vacant(place) = self.cells.entry(id.clone()) {
                let stream = StreamId::new(StreamKind::Cell, EntityId::from(id));
                match self.world.cell(&stream) {
                    Some(found) => drop(place.insert(Working::new(stream, found, self.now))),
                    None => drop(missing.insert(stream)),
                }
            }
        }
        for id in budgets {
            if let Entry::Vacant(place) = self.budgets.entry(id.clone()) {
                let stream = StreamId::new(StreamKind::Budget, EntityId::from(id));
                match self.world.budget(&stream) {
                    Some(found) => drop(place.insert(Working::new(stream, found, self.now))),
                    None => drop(missing.insert(stream)),
                }
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(Stop::Missing(missing)) }
    }

    /// A cell that was brought.
    fn at(&mut self, id: &CellId) -> &mut Working<'w, CellMachine> {
        let Some(working) = self.cells.get_mut(id) else { panic!("a cell was not brought. cell={id}") };
        working
    }

    /// A budget that was brought.
    fn at_budget(&mut self, id: &BudgetId) -> &mut Working<'w, BudgetMachine> {
        let Some(working) = self.budgets.get_mut(id) else { panic!("a budget was not brought. budget={id}") };
        working
    }

    /// The state of a cell that was brought.
    pub fn cell(&mut self, id: &CellId) -> &Cell {
        self.at(id).look()
    }

    /// The state of a budget that was brought.
    pub fn budget(&mut self, id: &BudgetId) -> &Budget {
        self.at_budget(id).look()
    }

    /// Has nobody waited at this cell since it was brought? It serves nobody, then, whatever comes back to it.
    pub fn is_quiet(&mut self, id: &CellId) -> bool {
        self.at(id).quiet
    }

    /// How a cell is set up, or will be when it takes part.
    pub fn settings(&mut self, id: &CellId) -> Shared<Settings> {
        let cell = self.cell(id);
        if cell.is_open() { cell.settings.clone() } else { self.world.settings_of(id).into() }
    }

    /// Something happens to a cell that was brought.
    pub fn happen(&mut self, id: &CellId, event: event::Event) {
        self.at(id).happen(event);
    }

    /// Something happens to a budget that was brought.
    pub fn happen_to_budget(&mut self, id: &BudgetId, event: budget::Event) {
        self.at_budget(id).happen(event);
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
        let now = self.now;
        self.at(id).serve_alone(now);
    }

    /// What the entities at the desk owe now.
    pub fn owed(&mut self) -> Vec<Effect> {
        let cells = self.cells.values_mut().flat_map(Working::owed);
        let budgets = self.budgets.values_mut().flat_map(Working::owed);
        let mut effects = Vec::new();
        for effect in cells.chain(budgets) {
            if !effects.contains(&effect) {
                effects.push(effect);
            }
        }
        effects
    }

    /// What happened, by stream; streams to which nothing happened are left out.
    pub fn into_events(self) -> BTreeMap<StreamId, Vec<Event>> {
        let mut all = BTreeMap::new();
        for Working { stream, events, .. } in self.cells.into_values().filter(|at| !at.events.is_empty()) {
            all.insert(stream, events.into_iter().map(Event::Cell).collect());
        }
        for Working { stream, events, .. } in self.budgets.into_values().filter(|at| !at.events.is_empty()) {
            all.insert(stream, events.into_iter().map(Event::Budget).collect());
        }
        all
    }
}
