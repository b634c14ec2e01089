//! The joint decider: one operation over all the cells and budgets it concerns.
//!
//! ```text
//!  decide(world, op, now) ──► Missing {streams}   look these up and lock them too, then ask again
//!                         ──► Done {events, effects, reply}     commit all events at once, then answer
//!                         ──► Refused {events, rejection}       commit (often nothing), then say no
//! ```
//!
//! Which entities an operation concerns may depend on what is found in the first of them: a release concerns the
//! sources of the tokens that are released. Asking again with more entities known costs nothing, since nothing has
//! happened yet. The set only grows and is bounded by what the first entities know, so asking ends.
//!
//! Every entity that is touched is settled first: what is over at `now` ends before anything is decided. If an
//! operation is refused, that is left to the next tick, which decides the same.
//!
//! An operation serves the queues it touches only as far as the entities at hand allow. What is left, such as the
//! queue of a third cell that waited for the same budget, is owed, and stands in the state
//! ([`Machine::owed`](crate::kernel::Machine::owed)) until the operation of the [`Effect`] is run. Settle an entity
//! before asking it what it owes: a budget may still know a waiter whose time is up, and its cell does not.

mod borrow;
mod desk;
mod rates;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};

use super::command::{Effect, Op, Reply};
use super::rejection::Rejection;
use super::settings::Settings;
use super::{budget, event};
use crate::kernel::ids::{BudgetId, CellId, StreamId, TokenId};
use crate::kernel::time::Timestamp;

use desk::{Desk, Stop};

/// The entities whose states are at hand.
pub trait Lookup {
    /// The state of a cell, or `None` when it is not at hand. A cell that never took part is at hand as the default.
    fn cell(&self, stream: &StreamId) -> Option<&super::Cell>;

    /// The state of a budget, or `None` when it is not at hand. One that was never used is at hand as the default.
    fn budget(&self, stream: &StreamId) -> Option<&budget::Budget>;

    /// The source of a token, live or ended, if an index knows it. Without one, only the holder of a token is known to hold it.
    fn source_of(&self, _token: &TokenId) -> Option<CellId> {
        None
    }

    /// The budgets of a reservation, live or ended, if an index knows it. Without one nothing is known of it.
    fn budgets_of(&self, _token: &TokenId) -> Option<BTreeSet<BudgetId>> {
        None
    }

    /// How a cell is set up that takes part for the first time.
    fn settings_of(&self, _cell: &CellId) -> Settings {
        Settings::default()
    }
}

/// One event of the stream of a cell or of a budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// On the stream of a cell.
    Cell(event::Event),
    /// On the stream of a budget.
    Budget(budget::Event),
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// These entities must be at hand too.
    Missing(BTreeSet<StreamId>),
    /// It is so.
    Done {
        /// What happened, by stream and in order; to be committed together. Streams without events are left out.
        events: BTreeMap<StreamId, Vec<Event>>,
        /// What is owed then, by the entities that were touched.
        effects: Vec<Effect>,
        /// The answer.
        reply: Reply,
    },
    /// It is not.
    Refused {
        /// The record of the attempt; most often nothing.
        events: BTreeMap<StreamId, Vec<Event>>,
        /// Why.
        rejection: Rejection,
    },
}

/// Decides one operation at the instant `now`, changing nothing.
pub fn decide(world: &dyn Lookup, op: &Op, now: Timestamp) -> Outcome {
    let mut desk = Desk::new(world, now);
    match run(&mut desk, op) {
        Ok(reply) => {
            let effects = desk.owed();
            Outcome::Done { events: desk.into_events(), effects, reply }
        }
        Err(Stop::Missing(streams)) => Outcome::Missing(streams),
        Err(Stop::Refused(rejection)) => Outcome::Refused { events: BTreeMap::new(), rejection },
        Err(Stop::OnRecord(rejection)) => Outcome::Refused { events: desk.into_events(), rejection },
    }
}

fn run(desk: &mut Desk<'_>, op: &Op) -> Result<Reply, Stop> {
    match op {
        Op::Request(request) => borrow::request(desk, request),
        Op::Cancel { cell, need } => borrow::cancel(desk, cell, need),
        Op::Offer(offer) => borrow::offer(desk, offer),
        Op::Ack { token, cell } => tokens::ack(desk, token, cell),
        Op::Renew { token, cell } => tokens::renew(desk, token, cell),
        Op::Release { cell, what } => tokens::release(desk, cell, what),
        Op::Transfer { token, from, to } => tokens::transfer(desk, token, from, to),
        Op::Revoke { token } => tokens::revoke(desk, token),
        Op::Configure { cell, settings } => borrow::configure(desk, cell, settings),
        Op::SetLimits { budget, limits } => borrow::set_limits(desk, budget, limits),
        Op::SetRates { budget, rates } => rates::set_rates(desk, budget, rates),
        Op::Reserve(asked) => rates::reserve(desk, asked),
        Op::Settle { token, cell, actual } => rates::settle(desk, token, cell, actual),
        Op::Serve { cell } => borrow::serve_cell(desk, cell),
        Op::ReturnOffers { cell } => borrow::return_offers(desk, cell),
    }
}
