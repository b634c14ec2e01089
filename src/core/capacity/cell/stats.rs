//! Counters over all cells: a fold over their events, so that they survive restarts.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::budget;
use super::event::{Event, Return, Unused};
use super::kept::Kept;
use super::settings::Settings;
use crate::kernel::ids::{BudgetId, CellId, Resource, TokenId};

/// At least so many tokens that ended last, over all cells, are still found by their name alone.
pub const ENDED_KEPT: usize = 8192;

/// Counters over all cells. What concerns a source and a holder is counted on the stream of the source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellStats {
    /// Cells that ever took part, by what each has of each resource.
    pub totals: BTreeMap<CellId, BTreeMap<Resource, u64>>,
    /// Cells that refuse requests now.
    pub overloaded: BTreeSet<CellId>,
    /// Tokens ever acknowledged; grows only.
    pub total_tokens: u64,
    /// Live tokens, each with its source.
    pub live: BTreeMap<TokenId, CellId>,
    /// Tokens that ended, each with its source.
    pub ended: Kept<TokenId, CellId, ENDED_KEPT>,
    /// What is reserved or lent of each resource, in millionths, over all cells.
    pub in_use: BTreeMap<Resource, u64>,
    /// Needs granted.
    pub granted: u64,
    /// Tokens that ended because they were released.
    pub released: u64,
    /// Tokens whose lease ended.
    pub expired: u64,
    /// Tokens taken away.
    pub revoked: u64,
    /// Needs that waited in vain.
    pub needs_expired: u64,
    /// Offers made.
    pub offers: u64,
    /// Offers whose time was up.
    pub offers_expired: u64,
    /// Times a cell became overloaded.
    pub overloads: u64,
    /// Tokens handed from one holder to another.
    pub transfers: u64,
    /// Tries to use a token by somebody who does not hold it.
    pub refused_uses: u64,
    /// Needs cancelled before they were granted.
    pub needs_cancelled: u64,
    /// Live reservations, each with its budgets.
    pub reserved: BTreeMap<TokenId, BTreeSet<BudgetId>>,
    /// Reservations that ended, each with its budgets.
    pub ended_reservations: Kept<TokenId, BTreeSet<BudgetId>, ENDED_KEPT>,
}

impl CellStats {
    /// Adds one event of a cell's stream.
    pub fn apply(&mut self, cell: &CellId, event: &Event) {
        match event {
            Event::Opened { settings, .. } | Event::Configured { settings, .. } => {
                self.set_up(cell, settings)
            }
            Event::NeedExpired { .. } => self.needs_expired += 1,
            Event::NeedCancelled { .. } => self.needs_cancelled += 1,
            Event::NeedAskedBy { .. } | Event::TokenAskedBy { .. } => {}
            Event::Granted(granted) => {
                self.granted += 1;
                for token in granted.tokens.iter().filter(|token| &token.source == cell) {
                    self.use_more(&token.resource, token.amount.millionths());
                    self.live.insert(token.id.clone(), cell.clone());
                }
            }
            Event::OverloadRaised { .. } => {
                self.overloads += 1;
                self.overloaded.insert(cell.clone());
            }
            Event::OverloadCleared { .. } => {
                self.overloaded.remove(cell);
            }
            Event::OfferMade(offer) => {
                self.offers += 1;
                self.use_more(&offer.resource, offer.amount.millionths());
            }
            Event::OfferClosed { offer, why, at: _ } if &offer.source == cell => {
                self.offers_expired += u64::from(*why == Unused::Expired);
                self.use_less(&offer.resource, offer.amount.millionths());
            }
            Event::Lent { token, returned, .. } => {
                self.live.insert(token.id.clone(), cell.clone());
                self.use_less(&token.resource, returned.millionths());
            }
            Event::Acked(ack) if &ack.source == cell => self.total_tokens += 1,
            Event::UseRefused { .. } => self.refused_uses += 1,
            Event::Returned(returned) if &returned.source == cell => {
                self.use_less(&returned.resource, returned.amount.millionths());
                if returned.left.is_zero() {
                    self.live.remove(&returned.token);
                    self.ended.keep(returned.token.clone(), cell.clone());
                    match returned.why {
                        Return::Released => self.released += 1,
                        Return::Expired => self.expired += 1,
                        Return::Revoked => self.revoked += 1,
                    }
                }
            }
            Event::HandedOver { source, .. } if source == cell => self.transfers += 1,
            // The source has these, or they move nothing.
            Event::OfferClosed { .. } | Event::Acked(_) | Event::Returned(_) | Event::HandedOver { .. } => {}
            Event::NeedQueued(_) | Event::NeedBlocked { .. } | Event::OfferReceived(_) => {}
            Event::Renewed(_) | Event::Received { .. } | Event::Released { .. } => {}
        }
    }

    /// Adds one event of a budget's stream. A reservation is told by each of its budgets and counted once.
    pub fn apply_budget(&mut self, event: &budget::Event) {
        match event {
            budget::Event::Reserved { taken, .. } => {
                let reservation = &taken.reservation;
                self.reserved.insert(reservation.token.clone(), reservation.budgets.clone());
            }
            budget::Event::Settled { token, .. } | budget::Event::ReservationExpired { token, .. } => {
                if let Some(budgets) = self.reserved.remove(token) {
                    self.ended_reservations.keep(token.clone(), budgets);
                }
            }
            budget::Event::LimitsSet { .. }
            | budget::Event::Charged { .. }
            | budget::Event::Extended { .. }
            | budget::Event::Refunded { .. }
            | budget::Event::Waiting { .. }
            | budget::Event::WaitEnded { .. }
            | budget::Event::RatesSet { .. } => {}
        }
    }

    /// The budgets of a reservation that lives, or that ended not long ago, for
    /// [`Lookup::budgets_of`](super::exchange::Lookup::budgets_of).
    pub fn budgets_of(&self, token: &TokenId) -> Option<&BTreeSet<BudgetId>> {
        self.reserved.get(token).or_else(|| self.ended_reservations.get(token))
    }

    fn set_up(&mut self, cell: &CellId, settings: &Settings) {
        let totals = settings.totals.iter().map(|(of, total)| (of.clone(), total.millionths()));
        self.totals.insert(cell.clone(), totals.collect());
    }

    fn use_more(&mut self, resource: &Resource, millionths: u64) {
        *self.in_use.entry(resource.clone()).or_default() += millionths;
    }

    fn use_less(&mut self, resource: &Resource, millionths: u64) {
        let used = self.in_use.entry(resource.clone()).or_default();
        *used = used.saturating_sub(millionths);
    }

    /// Cells that ever took part.
    pub fn total_cells(&self) -> u64 {
        self.totals.len() as u64
    }

    /// Cells that refuse requests now.
    pub fn overloaded_cells(&self) -> u64 {
        self.overloaded.len() as u64
    }

    /// Live tokens.
    pub fn active_tokens(&self) -> u64 {
        self.live.len() as u64
    }

    /// The source of a token that lives, or that ended not long ago, for
    /// [`Lookup::source_of`](super::exchange::Lookup::source_of).
    pub fn source_of(&self, token: &TokenId) -> Option<&CellId> {
        self.live.get(token).or_else(|| self.ended.get(token))
    }

    /// Mean available over the cells that have the resource, in whole units; 0 when none has.
    pub fn avg_available(&self, resource: &Resource) -> f64 {
        let totals: Vec<u64> = self.totals.values().filter_map(|of| of.get(resource).copied()).collect();
        if totals.is_empty() {
            return 0.0;
        }
        let used = self.in_use.get(resource).copied().unwrap_or_default();
        let total: u64 = totals.iter().sum();
        total.saturating_sub(used) as f64 / super::amount::WHOLE as f64 / totals.len() as f64
    }

    /// Mean available `capacity`.
    pub fn avg_capacity(&self) -> f64 {
        self.avg_available(&Resource::capacity())
    }
}
