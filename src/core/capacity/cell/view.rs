//! How a cell looks from outside.

use super::amount::Amount;
use super::settings::Settings;
use super::state::Cell;
use crate::kernel::ids::{CellId, Resource};

/// What a cell is doing. The first that holds is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It refuses requests.
    Overloaded,
    /// A need waits, or a borrowed token is not yet acknowledged.
    Need,
    /// It made an offer that is open, or lent a token that is not yet acknowledged.
    Offer,
    /// It uses a borrowed token.
    Ack,
    /// None of these; it may well use its own capacity.
    Idle,
}

impl Mode {
    /// The name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Overloaded => "overloaded",
            Mode::Need => "need",
            Mode::Offer => "offer",
            Mode::Ack => "ack",
            Mode::Idle => "idle",
        }
    }
}

/// One cell and one of its resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Which cell.
    pub cell_id: CellId,
    /// What it is doing.
    pub state: Mode,
    /// What is available.
    pub capacity: Amount,
    /// Needs that wait.
    pub pending_needs: u32,
    /// Open offers to this cell.
    pub pending_offers: u32,
    /// Live tokens this cell holds, acknowledged or not.
    pub active_tokens: u32,
    /// Of these, not yet acknowledged.
    pub unacked_tokens: u32,
    /// What all of it is.
    pub total: Amount,
    /// What open offers of this cell hold ready.
    pub reserved: Amount,
    /// What live tokens made of this cell's capacity hold, its own among them.
    pub lent: Amount,
    /// What this cell may use.
    pub held: Amount,
}

impl Cell {
    /// What the cell is doing.
    pub fn mode(&self) -> Mode {
        let mut borrowed = self.held.values().map(|held| &held.token).filter(|token| token.is_borrowed());
        let mut lent = self.lent.values().map(|lent| &lent.token).filter(|token| token.is_borrowed());
        if self.overloaded {
            Mode::Overloaded
        } else if !self.queue.is_empty() || borrowed.clone().any(|token| !token.acked) {
            Mode::Need
        } else if !self.offers_made.is_empty() || lent.any(|token| !token.acked) {
            Mode::Offer
        } else if borrowed.any(|token| token.acked) {
            Mode::Ack
        } else {
            Mode::Idle
        }
    }

    /// The cell and one of its resources. A cell that never took part looks as if set up with `defaults`.
    pub fn status(&self, cell_id: CellId, resource: &Resource, defaults: &Settings) -> Status {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let settings = if self.is_open() { &self.settings } else { defaults };
        let total = settings.totals.get(resource).copied().unwrap_or_default();
        Status {
            cell_id,
            state: self.mode(),
            capacity: if self.is_open() { self.available(resource) } else { total },
            pending_needs: self.pending(),
            pending_offers: count(self.offers_received.len()),
            active_tokens: count(self.held.len()),
            unacked_tokens: count(self.held.values().filter(|held| !held.token.acked).count()),
            total,
            reserved: self.reserved(resource),
            lent: self.lent(resource),
            held: self.held(resource),
        }
    }
}
