//! The books of all cells and budgets, kept anew from what the journal says. Every event is checked against the state
//! before it; in the end the entities are compared with each other.

use std::collections::{BTreeMap, BTreeSet};

use quorate::Quorate;
use quorate_core::capacity::cell::event::Event;
use quorate_core::capacity::cell::{Budget, BudgetMachine, Cell, CellMachine, Command, budget};
use quorate_core::kernel::Machine;
use quorate_core::kernel::ids::{BudgetId, CellId, NeedId};
use quorate_core::kernel::time::Timestamp;
use quorate_runtime::api::dto::{EventView, HistoryQuery};
use serde::de::DeserializeOwned;
use serde_json::json;

#[derive(Debug, Default)]
pub struct Books {
    pub cells: BTreeMap<CellId, Cell>,
    pub budgets: BTreeMap<BudgetId, Budget>,
    /// Needs that were granted.
    pub granted: BTreeSet<(CellId, NeedId)>,
    /// Everything with a name that ever happened at a cell: what, where, which.
    pub done: BTreeSet<(&'static str, CellId, String)>,
    /// The latest that was recorded.
    pub last: Timestamp,
}

fn read<T: DeserializeOwned>(event: &EventView) -> Result<T, String> {
    serde_json::from_value(json!({ &event.event: event.data })).map_err(|e| format!("{e}: {event:?}"))
}

impl Books {
    /// Reads the whole journal.
    pub async fn of(q: &Quorate) -> Result<Self, String> {
        let (mut books, mut cursor) = (Books::default(), None);
        loop {
            let query = HistoryQuery { limit: Some(1000), cursor, ..Default::default() };
            let page = q.history().query(query).await.map_err(|e| e.to_string())?;
            page.events.iter().try_for_each(|event| books.add(event))?;
            cursor = page.next_cursor;
            if !page.more {
                return Ok(books);
            }
        }
    }

    /// Adds one event; others than those of cells and budgets say nothing here.
    pub fn add(&mut self, event: &EventView) -> Result<(), String> {
        self.last = self.last.max(event.at);
        let name = event.entity_id.as_str();
        match event.kind.as_str() {
            "cell" => {
                let (id, what): (_, Event) = (CellId::new(name).map_err(|e| e.to_string())?, read(event)?);
                if let Event::Granted(granted) = &what
                    && !self.granted.insert((id.clone(), granted.need.id.clone()))
                {
                    return Err(format!("granted twice: {event:?}"));
                }
                let named = match &what {
                    Event::NeedQueued(need) => Some(("need", need.id.to_string())),
                    Event::Granted(granted) => Some(("need", granted.need.id.to_string())),
                    Event::OfferMade(offer) => Some(("offer", offer.id.to_string())),
                    Event::Acked(acked) if acked.holder == id => Some(("ack", acked.token.to_string())),
                    Event::Released { key, .. } => Some(("release", key.to_string())),
                    _ => None,
                };
                self.done.extend(named.map(|(what, name)| (what, id.clone(), name)));
                let state = self.cells.entry(id).or_default();
                CellMachine::evolve(state, &what);
                if !state.unbalanced().is_empty() {
                    return Err(format!("does not add up after {event:?}: {state:?}"));
                }
            }
            "budget" => {
                let id = BudgetId::new(name).map_err(|e| e.to_string())?;
                let what: budget::Event = read(event)?;
                let state = self.budgets.entry(id).or_default();
                BudgetMachine::evolve(state, &what);
                if !state.overspent().is_empty() {
                    return Err(format!("overspent after {event:?}: {state:?}"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Ends what is over at this instant. Each entity does so by itself, and the journal may not have all of it yet.
    pub fn settle(&mut self, now: Timestamp) -> Result<(), String> {
        for cell in self.cells.values_mut() {
            let ticked = CellMachine::decide(cell, Command::Tick, now, &()).map_err(|e| format!("{e:?}"))?;
            ticked.events.iter().for_each(|event| CellMachine::evolve(cell, event));
        }
        for budget in self.budgets.values_mut() {
            let ticked =
                BudgetMachine::decide(budget, Command::Tick, now, &()).map_err(|e| format!("{e:?}"))?;
            ticked.events.iter().for_each(|event| BudgetMachine::evolve(budget, event));
        }
        Ok(())
    }

    /// Compares the entities, all settled at one instant: whatever concerns two of them, both know, and know alike.
    pub fn agree(&self) -> Result<(), String> {
        let nobody = Cell::default();
        let cell = |id: &CellId| self.cells.get(id).unwrap_or(&nobody);
        let mut charged = 0;
        for (id, state) in &self.cells {
            for token in state.lent.values().map(|lent| &lent.token) {
                let held = cell(&token.holder).held.get(&token.id).map(|held| &held.token);
                if held != Some(token) || &token.source != id {
                    return Err(format!("lent by {id}: {token:?}, but held is {held:?}"));
                }
                for budget in &token.budgets {
                    let key = (token.source.clone(), token.id.clone());
                    let charge = self.budgets.get(budget).and_then(|budget| budget.charges.get(&key));
                    let charge = charge.map(|charge| (charge.amount, charge.expires, &charge.resource));
                    if charge != Some((token.amount, token.expires, &token.resource)) {
                        return Err(format!("{token:?}, but {budget} has charged {charge:?}"));
                    }
                    charged += 1;
                }
            }
            for token in state.held.values().map(|held| &held.token) {
                let lent = cell(&token.source).lent.get(&token.id).map(|lent| &lent.token);
                if lent != Some(token) || &token.holder != id {
                    return Err(format!("held by {id}: {token:?}, but lent is {lent:?}"));
                }
            }
            for offer in state.offers_made.values() {
                if !cell(&offer.destination).offers_received.contains(offer) {
                    return Err(format!("{offer:?} is not known at its destination"));
                }
            }
            for offer in &state.offers_received {
                if cell(&offer.source).offers_made.get(&offer.id) != Some(offer) {
                    return Err(format!("{offer:?} is not known at its source"));
                }
            }
            for queued in &state.queue {
                let waits = |budget: &BudgetId| {
                    self.budgets.get(budget).is_some_and(|b| waits(b, id, &queued.need.id))
                };
                if queued.waits_for.as_ref().is_some_and(|budget| !waits(budget)) {
                    return Err(format!("{queued:?} of {id} is not known at its budget"));
                }
            }
        }
        let charges: usize = self.budgets.values().map(|budget| budget.charges.len()).sum();
        if charges != charged {
            return Err(format!("{charges} charges for {charged} live tokens"));
        }
        Ok(())
    }
}

fn waits(budget: &Budget, cell: &CellId, need: &NeedId) -> bool {
    budget.waiting.iter().any(|waiter| &waiter.cell == cell && &waiter.need == need)
}
