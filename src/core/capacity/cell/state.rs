//! What is known of a cell: the fold of its events.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::amount::Amount;
use super::command::OfferFate;
use super::event::{Event, Granted, Need, Offer, Return, Returned, Token, Unused};
use super::kept::Kept;
use super::settings::Settings;
use super::shared::Shared;
use crate::kernel::ids::{BudgetId, CellId, EntityId, IdempotencyKey, NeedId, OfferId, Resource, TokenId};
use crate::kernel::layered::Layered;
use crate::kernel::time::Timestamp;

/// A need that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queued {
    /// The need.
    pub need: Shared<Need>,
    /// The budget it waits for; only the head of its resource ever does.
    pub waits_for: Option<BudgetId>,
}

/// A token this cell may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The token.
    pub token: Shared<Token>,
    /// Who handed it over, if it was not granted to this cell.
    pub from: Option<CellId>,
    /// The how-manieth token this cell came to hold; orders tokens of one instant.
    pub order: u64,
}

/// A token made of this cell's capacity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LentToken {
    /// The token.
    pub token: Shared<Token>,
    /// The last stranger who tried to use it; its next try is not recorded again.
    pub refused: Option<CellId>,
    /// The identity that asked for it, and in the name of which cell.
    pub asked_by: Option<(EntityId, CellId)>,
}

/// How a need ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndedNeed {
    /// Granted.
    Granted(Granted),
    /// Its wait was over.
    Expired(Need),
    /// It was no longer wanted.
    Cancelled(Need),
}

/// What is known of a need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeedState<'a> {
    /// It waits.
    Queued(&'a Need),
    /// It was granted.
    Granted(&'a Granted),
    /// It waited in vain.
    Expired(&'a Need),
    /// It was no longer wanted.
    Cancelled(&'a Need),
}

/// How a token this cell lent or held ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedToken {
    /// Who held it last.
    pub holder: CellId,
    /// Why it ended.
    pub why: Return,
}

/// An amount released under a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleasedBefore {
    /// Of what.
    pub resource: Resource,
    /// How much was asked for.
    pub asked: Amount,
    /// How much went back.
    pub amount: Amount,
}

/// State of one cell. Empty before it first takes part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// Which cell; none before it first takes part.
    pub id: Option<CellId>,
    /// How it is set up.
    pub settings: Shared<Settings>,
    /// What is neither lent nor reserved.
    pub available: Shared<BTreeMap<Resource, Amount>>,
    /// The needs that wait, in the order they came.
    pub queue: Shared<VecDeque<Queued>>,
    /// Requests are refused until the queue is short again.
    pub overloaded: bool,
    /// Open offers this cell made: their amounts are reserved.
    pub offers_made: Shared<BTreeMap<OfferId, Offer>>,
    /// Open offers to this cell, in the order they came.
    pub offers_received: Shared<Vec<Offer>>,
    /// Live tokens made of this cell's capacity, those it holds itself among them.
    pub lent: Layered<TokenId, LentToken>,
    /// Live tokens this cell may use, those of its own capacity among them.
    pub held: Layered<TokenId, Held>,
    /// When all of these end by themselves: the last instants, each with how many end then. A token the cell lends to
    /// itself ends once.
    pub ends: Layered<Timestamp, u32>,
    /// Tokens this cell ever came to hold.
    pub held_ever: u64,
    /// Needs that ended.
    pub ended_needs: Kept<NeedId, EndedNeed>,
    /// Offers this cell made that ended.
    pub ended_offers: Kept<OfferId, (Offer, OfferFate)>,
    /// Tokens this cell lent or held that ended.
    pub ended_tokens: Kept<TokenId, EndedToken>,
    /// Amounts this cell released under a name.
    pub releases: Kept<IdempotencyKey, ReleasedBefore>,
    /// The identities that asked for the needs that wait.
    pub asked_by: Shared<BTreeMap<NeedId, EntityId>>,
}

impl Cell {
    /// Has the cell ever taken part?
    pub fn is_open(&self) -> bool {
        self.id.is_some()
    }

    /// What is neither lent nor reserved.
    pub fn available(&self, resource: &Resource) -> Amount {
        self.available.get(resource).copied().unwrap_or_default()
    }

    /// The amounts of the open offers this cell made.
    pub fn reserved(&self, resource: &Resource) -> Amount {
        self.offers_made.values().filter(|offer| &offer.resource == resource).map(|offer| offer.amount).sum()
    }

    /// The amounts of the live tokens made of this cell's capacity, whoever holds them.
    pub fn lent(&self, resource: &Resource) -> Amount {
        let of = self.lent.values().map(|lent| &lent.token).filter(|token| &token.resource == resource);
        of.map(|token| token.amount).sum()
    }

    /// The amounts of the live tokens this cell may use, whoever's capacity they are.
    pub fn held(&self, resource: &Resource) -> Amount {
        let of = self.held.values().map(|held| &held.token).filter(|token| &token.resource == resource);
        of.map(|token| token.amount).sum()
    }

    /// The resources whose parts do not add up to their total. Always none.
    pub fn unbalanced(&self) -> Vec<Resource> {
        let parts = |of: &Resource| self.available(of).plus(self.reserved(of)).plus(self.lent(of));
        let totals = if self.is_open() { Some(&self.settings.totals) } else { None };
        let totals = totals.into_iter().flatten();
        totals.filter(|(of, total)| parts(of) != **total).map(|(of, _)| of.clone()).collect()
    }

    /// What is known of a need, unless it ended long ago.
    pub fn need(&self, id: &NeedId) -> Option<NeedState<'_>> {
        if let Some(queued) = self.queue.iter().find(|queued| &queued.need.id == id) {
            return Some(NeedState::Queued(&queued.need));
        }
        self.ended_needs.get(id).map(|ended| match ended {
            EndedNeed::Granted(granted) => NeedState::Granted(granted),
            EndedNeed::Expired(need) => NeedState::Expired(need),
            EndedNeed::Cancelled(need) => NeedState::Cancelled(need),
        })
    }

    /// What is known of an offer this cell made, unless it ended long ago.
    pub fn offer(&self, id: &OfferId) -> Option<(&Offer, OfferFate)> {
        match self.offers_made.get(id) {
            Some(offer) => Some((offer, OfferFate::Open)),
            None => self.ended_offers.get(id).map(|(offer, fate)| (offer, fate.clone())),
        }
    }

    /// The first need that waits for a resource.
    pub fn head(&self, resource: &Resource) -> Option<&Queued> {
        self.queue.iter().find(|queued| &queued.need.resource == resource)
    }

    /// The first need of each resource somebody waits for, in the order they came.
    pub(super) fn heads(&self) -> Vec<&Queued> {
        let mut heads: Vec<&Queued> = Vec::new();
        for queued in &self.queue {
            if !heads.iter().any(|head| head.need.resource == queued.need.resource) {
                heads.push(queued);
            }
            // Nobody waits for what the cell does not have. A long queue for one resource ends at its first.
            if heads.len() == self.settings.totals.len() {
                break;
            }
        }
        heads
    }

    /// Is this token's name taken, as far as this cell can tell?
    pub(super) fn knows_token(&self, id: &TokenId) -> bool {
        self.lent.contains_key(id)
            || self.held.contains_key(id)
            || self.ended_tokens.get(id).is_some()
            || self.queue.iter().any(|queued| &queued.need.token == id)
            || self.offers_made.values().any(|offer| &offer.token == id)
            || self.offers_received.iter().any(|offer| &offer.token == id)
    }

    /// Does the queue allow to take requests again?
    pub(super) fn is_relieved(&self) -> bool {
        self.overloaded && self.pending() <= self.settings.low_water
    }

    /// How many needs wait.
    pub fn pending(&self) -> u32 {
        u32::try_from(self.queue.len()).unwrap_or(u32::MAX)
    }

    /// The last instant of what ends first by itself.
    pub(super) fn first_end(&self) -> Option<Timestamp> {
        self.ends.iter().next().map(|(last, _)| *last)
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Opened { cell, settings, at: _ } => {
                self.id = Some(cell.clone());
                self.available = settings.totals.clone().into();
                self.settings = settings.clone().into();
            }
            Event::Configured { settings, at: _ } => self.configure(settings),
            Event::NeedQueued(need) => {
                self.ends_at(need.deadline);
                self.queue.push_back(Queued { need: need.clone().into(), waits_for: None });
            }
            Event::NeedExpired { need, at: _ } => {
                if let Some(need) = self.unqueue(need) {
                    self.keep_need(&need.id, EndedNeed::Expired(Need::clone(&need)));
                }
            }
            Event::NeedCancelled { need, at: _ } => {
                if let Some(need) = self.unqueue(need) {
                    self.keep_need(&need.id, EndedNeed::Cancelled(Need::clone(&need)));
                }
            }
            Event::NeedBlocked { need, budget, at: _ } => {
                if let Some(queued) = self.queue.iter_mut().find(|queued| &queued.need.id == need) {
                    queued.waits_for = budget.clone();
                }
            }
            Event::Granted(granted) => self.grant(granted),
            Event::OverloadRaised { .. } => self.overloaded = true,
            Event::OverloadCleared { .. } => self.overloaded = false,
            Event::OfferMade(offer) => {
                self.take(&offer.resource, offer.amount);
                self.ends_at(offer.expires);
                self.offers_made.insert(offer.id.clone(), offer.clone());
            }
            Event::OfferReceived(offer) => {
                self.ends_at(offer.expires);
                self.offers_received.push(offer.clone());
            }
            Event::OfferClosed { offer, why, at: _ } => self.close_offer(offer, *why),
            Event::Lent { offer, token, returned: _, at: _ } => {
                if let Some(offer) = self.offers_made.remove(offer) {
                    self.give_back(&offer.resource, offer.amount);
                    self.ended_at(offer.expires);
                    let fate = OfferFate::Used { token: token.id.clone(), amount: token.amount };
                    self.ended_offers.keep(offer.id.clone(), (offer, fate));
                }
                self.lend(token.clone().into());
            }
            Event::Acked(ack) => self.extend(&ack.token, ack.expires, true),
            Event::Renewed(renewal) => self.extend(&renewal.token, renewal.expires, false),
            Event::UseRefused { token, by, at: _ } => {
                if let Some(lent) = self.lent.get_mut(token) {
                    lent.refused = Some(by.clone());
                }
            }
            Event::Returned(returned) => self.take_back(returned),
            Event::HandedOver { token, source: _, from: _, to, at: _ } => {
                self.let_go(token);
                if let Some(lent) = self.lent.get_mut(token) {
                    lent.token.holder = to.clone();
                    lent.token.acked = false;
                    lent.refused = None;
                }
            }
            Event::Received { token, from, at: _ } => self.hold(token.clone().into(), Some(from.clone())),
            Event::NeedAskedBy { need, by, at: _ } => drop(self.asked_by.insert(need.clone(), by.clone())),
            Event::TokenAskedBy { token, by, cell, at: _ } => {
                if let Some(lent) = self.lent.get_mut(token) {
                    lent.asked_by = Some((by.clone(), cell.clone()));
                }
            }
            Event::Released { key, resource, asked, amount, at: _ } => {
                let before = ReleasedBefore { resource: resource.clone(), asked: *asked, amount: *amount };
                self.releases.keep(key.clone(), before);
            }
        }
    }

    /// What is in use stays in use; the rest of the new total is available.
    fn configure(&mut self, settings: &Settings) {
        let used = |of: &Resource| self.reserved(of).plus(self.lent(of));
        let available = settings.totals.iter().map(|(of, total)| (of.clone(), total.minus(used(of))));
        self.available = available.collect::<BTreeMap<_, _>>().into();
        self.settings = settings.clone().into();
    }

    fn unqueue(&mut self, id: &NeedId) -> Option<Shared<Need>> {
        if self.asked_by.contains_key(id) {
            self.asked_by.remove(id);
        }
        let at = self.queue.iter().position(|queued| &queued.need.id == id)?;
        let need = self.queue.remove(at)?.need;
        self.ended_at(need.deadline);
        Some(need)
    }

    fn grant(&mut self, granted: &Granted) {
        self.unqueue(&granted.need.id);
        for token in granted.tokens.iter().filter(|token| token.is_borrowed()) {
            self.forget_offer(&token.id);
        }
        for token in &granted.tokens {
            let token = Shared::from(token.clone());
            if self.id.as_ref() == Some(&token.source) {
                self.lend(token.clone());
            }
            self.hold(token, None);
        }
        self.keep_need(&granted.need.id, EndedNeed::Granted(granted.clone()));
    }

    /// Remembers how a need ended. One whose tokens live is not forgotten: whoever repeats it would get a second grant.
    fn keep_need(&mut self, id: &NeedId, ended: EndedNeed) {
        let (lent, held) = (&self.lent, &self.held);
        self.ended_needs.keep_while(id.clone(), ended, |ended| match ended {
            EndedNeed::Granted(granted) => granted
                .tokens
                .iter()
                .any(|token| lent.contains_key(&token.id) || held.contains_key(&token.id)),
            EndedNeed::Expired(_) | EndedNeed::Cancelled(_) => false,
        });
    }

    fn lend(&mut self, token: Shared<Token>) {
        self.take(&token.resource, token.amount);
        if let Some(last) = token.expires {
            self.ends_at(last);
        }
        self.lent.insert(token.id.clone(), LentToken { token, refused: None, asked_by: None });
    }

    fn hold(&mut self, token: Shared<Token>, from: Option<CellId>) {
        self.held_ever += 1;
        if let Some(last) = token.expires.filter(|_| token.is_borrowed()) {
            self.ends_at(last);
        }
        let name = token.id.clone();
        self.held.insert(name, Held { token, from, order: self.held_ever });
    }

    /// The token is not held here any more, or never was.
    fn let_go(&mut self, id: &TokenId) {
        if let Some(Held { token, .. }) = self.held.remove(id)
            && let Some(last) = token.expires.filter(|_| token.is_borrowed())
        {
            self.ended_at(last);
        }
    }

    fn take_back(&mut self, returned: &Returned) {
        let id = &returned.token;
        if !returned.left.is_zero() {
            if let Some(lent) = self.lent.get_mut(id) {
                lent.token.amount = returned.left;
                self.give_back(&returned.resource, returned.amount);
            }
            if let Some(held) = self.held.get_mut(id) {
                held.token.amount = returned.left;
            }
            return;
        }
        if let Some(LentToken { token, .. }) = self.lent.remove(id) {
            self.give_back(&returned.resource, returned.amount);
            if let Some(last) = token.expires {
                self.ended_at(last);
            }
        }
        self.let_go(id);
        let ended = EndedToken { holder: returned.holder.clone(), why: returned.why };
        self.ended_tokens.keep(id.clone(), ended);
    }

    /// An open offer to this cell is open no more.
    fn forget_offer(&mut self, token: &TokenId) {
        if let Some(at) = self.offers_received.iter().position(|offer| &offer.token == token) {
            let offer = self.offers_received.remove(at);
            self.ended_at(offer.expires);
        }
    }

    fn close_offer(&mut self, offer: &Offer, why: Unused) {
        // Offers of two cells may have one name; only the source knows its own by it.
        if self.id.as_ref() != Some(&offer.source) {
            self.forget_offer(&offer.token);
        } else if self.offers_made.remove(&offer.id).is_some() {
            self.ended_at(offer.expires);
            self.give_back(&offer.resource, offer.amount);
            self.ended_offers.keep(offer.id.clone(), (offer.clone(), OfferFate::Unused(why)));
        }
    }

    fn extend(&mut self, id: &TokenId, expires: Option<Timestamp>, acked: bool) {
        let lent = self.lent.get_mut(id).map(|lent| &mut lent.token);
        let held = self.held.get_mut(id).map(|held| &mut held.token);
        let mut before = None;
        for token in lent.into_iter().chain(held) {
            before = Some(std::mem::replace(&mut token.expires, expires));
            token.acked |= acked;
        }
        // Lent, held or both, it ends once, and did so before.
        if let Some(before) = before {
            before.into_iter().for_each(|last| self.ended_at(last));
            expires.into_iter().for_each(|last| self.ends_at(last));
        }
    }

    /// One thing more ends by itself after this instant.
    fn ends_at(&mut self, last: Timestamp) {
        match self.ends.get_mut(&last) {
            Some(count) => *count += 1,
            None => self.ends.insert(last, 1),
        }
    }

    /// One thing less ends by itself after this instant.
    fn ended_at(&mut self, last: Timestamp) {
        match self.ends.get_mut(&last) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => drop(self.ends.remove(&last)),
        }
    }

    fn take(&mut self, resource: &Resource, amount: Amount) {
        let available = self.available.entry(resource.clone()).or_default();
        *available = available.minus(amount);
    }

    fn give_back(&mut self, resource: &Resource, amount: Amount) {
        let available = self.available.entry(resource.clone()).or_default();
        *available = available.plus(amount);
    }
}
