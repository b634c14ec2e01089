//! What is known of a cell: the fold of its events.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::amount::Amount;
use super::command::OfferFate;
use super::event::{Event, Granted, Need, Offer, Return, Token, Unused};
use super::kept::Kept;
use super::settings::Settings;
use super::shared::Shared;
use crate::core::ids::{BudgetId, CellId, IdempotencyKey, NeedId, OfferId, Resource, TokenId};
use crate::core::time::Timestamp;

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
}

/// How a need ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndedNeed {
    /// Granted.
    Granted(Granted),
    /// Its wait was over.
    Expired(Need),
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
    pub lent: Shared<BTreeMap<TokenId, LentToken>>,
    /// Live tokens this cell may use, those of its own capacity among them.
    pub held: Shared<BTreeMap<TokenId, Held>>,
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

    /// The last instants of everything that ends by itself.
    pub(super) fn deadlines(&self) -> impl Iterator<Item = Timestamp> {
        let needs = self.queue.iter().map(|queued| queued.need.deadline);
        let made = self.offers_made.values().map(|offer| offer.expires);
        let received = self.offers_received.iter().map(|offer| offer.expires);
        let lent = self.lent.values().filter_map(|lent| lent.token.expires);
        let held = self.held.values().filter_map(|held| held.token.expires);
        needs.chain(made).chain(received).chain(lent).chain(held)
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
                self.queue.push_back(Queued { need: need.clone().into(), waits_for: None });
            }
            Event::NeedExpired { need, at: _ } => {
                if let Some(need) = self.unqueue(need) {
                    self.ended_needs.keep(need.id.clone(), EndedNeed::Expired(Need::clone(&need)));
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
                self.offers_made.insert(offer.id.clone(), offer.clone());
            }
            Event::OfferReceived(offer) => self.offers_received.push(offer.clone()),
            Event::OfferClosed { offer, why, at: _ } => self.close_offer(offer, *why),
            Event::Lent { offer, token, returned: _, at: _ } => {
                if let Some(offer) = self.offers_made.remove(offer) {
                    self.give_back(&offer.resource, offer.amount);
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
            Event::Returned(returned) => {
                let last = returned.left.is_zero();
                if let Some(lent) = self.lent.get_mut(&returned.token) {
                    lent.token.amount = returned.left;
                    self.give_back(&returned.resource, returned.amount);
                }
                if last {
                    self.lent.remove(&returned.token);
                    self.held.remove(&returned.token);
                    let ended = EndedToken { holder: returned.holder.clone(), why: returned.why };
                    self.ended_tokens.keep(returned.token.clone(), ended);
                } else if let Some(held) = self.held.get_mut(&returned.token) {
                    held.token.amount = returned.left;
                }
            }
            Event::HandedOver { token, source: _, from: _, to, at: _ } => {
                self.held.remove(token);
                if let Some(lent) = self.lent.get_mut(token) {
                    lent.token.holder = to.clone();
                    lent.token.acked = false;
                    lent.refused = None;
                }
            }
            Event::Received { token, from, at: _ } => self.hold(token.clone().into(), Some(from.clone())),
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
        let at = self.queue.iter().position(|queued| &queued.need.id == id)?;
        self.queue.remove(at).map(|queued| queued.need)
    }

    fn grant(&mut self, granted: &Granted) {
        self.unqueue(&granted.need.id);
        if granted.tokens.iter().any(Token::is_borrowed) {
            self.offers_received.retain(|offer| !granted.tokens.iter().any(|token| token.id == offer.token));
        }
        for token in &granted.tokens {
            let token = Shared::from(token.clone());
            if self.id.as_ref() == Some(&token.source) {
                self.lend(token.clone());
            }
            self.hold(token, None);
        }
        self.ended_needs.keep(granted.need.id.clone(), EndedNeed::Granted(granted.clone()));
    }

    fn lend(&mut self, token: Shared<Token>) {
        self.take(&token.resource, token.amount);
        self.lent.insert(token.id.clone(), LentToken { token, refused: None });
    }

    fn hold(&mut self, token: Shared<Token>, from: Option<CellId>) {
        self.held_ever += 1;
        let name = token.id.clone();
        self.held.insert(name, Held { token, from, order: self.held_ever });
    }

    fn close_offer(&mut self, offer: &Offer, why: Unused) {
        // Offers of two cells may have one name; only the source knows its own by it.
        if self.id.as_ref() != Some(&offer.source) {
            self.offers_received.retain(|received| received.token != offer.token);
        } else if self.offers_made.remove(&offer.id).is_some() {
            self.give_back(&offer.resource, offer.amount);
            self.ended_offers.keep(offer.id.clone(), (offer.clone(), OfferFate::Unused(why)));
        }
    }

    fn extend(&mut self, id: &TokenId, expires: Option<Timestamp>, acked: bool) {
        let lent = self.lent.get_mut(id).map(|lent| &mut lent.token);
        let held = self.held.get_mut(id).map(|held| &mut held.token);
        for token in lent.into_iter().chain(held) {
            token.expires = expires;
            token.acked |= acked;
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
