//! A budget: a limit over what many cells are granted at once, and rates at which what they use comes back, such as those
//! of a team or of the whole fleet.
//!
//! ```text
//!  grant of a cell that names the budget ──► charged ──┬── released, revoked ──────► refunded
//!                                                      └── lease ends by itself ───► refunded
//!  head of a cell's queue, no room ──► waiting ──► room ──► served by its cell ──► wait ended
//!
//!  estimate that all rates have ready ──► reserved ──┬── actual amount ──► settled: the difference goes back, or is taken
//!                                                    └── lease ends by itself ───► expired: the estimate stands
//! ```
//!
//! A budget knows the lease of every charge and the deadline of every waiter, so it lets go of them at the same
//! instant as the cells do, without being told. Waiters are served first come, first served for each resource: while
//! somebody waits, nobody else is charged. A need waits for one budget at a time and holds nothing meanwhile, so two
//! budgets cannot wait for each other.
//!
//! A limit bounds what cells hold at the same time, and what is released is there again. A [rate](super::rate) bounds what
//! is used in a time, and what is used comes back with time alone. Nobody waits in a budget for a refill: whoever is told
//! no is told when the refill suffices.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::amount::Amount;
use super::command::{Command, Effect, Reply};
use super::event::Return;
use super::kept::Kept;
use super::rate::{Bucket, Rate, Units};
use super::rejection::Rejection;
use super::reservation::{Difference, Reservation, ReservationEnd, Taken};
use crate::kernel::Decision;
use crate::kernel::Machine;
use crate::kernel::ids::{CellId, NeedId, Resource, StreamKind, TokenId};
use crate::kernel::layered::Layered;
use crate::kernel::time::Timestamp;

/// A grant that is charged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// Which token.
    pub token: TokenId,
    /// Whose capacity it is.
    pub source: CellId,
    /// The cell whose need it was granted to.
    pub cell: CellId,
    /// That need.
    pub need: NeedId,
    /// Of what.
    pub resource: Resource,
    /// How much.
    pub amount: Amount,
    /// The last instant of its lease.
    pub expires: Option<Timestamp>,
}

/// A need that waits for room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiter {
    /// Whose need.
    pub cell: CellId,
    /// Which.
    pub need: NeedId,
    /// Of what.
    pub resource: Resource,
    /// How much.
    pub amount: Amount,
    /// Until when.
    pub deadline: Timestamp,
}

/// Why a need no longer waits for a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitEnd {
    /// It is granted.
    Granted,
    /// Its deadline has passed.
    Expired,
    /// Another budget or its own cell holds it up now.
    Elsewhere,
    /// It is no longer wanted.
    Cancelled,
}

/// One thing that happened to a budget. Stored: variants and fields are only ever appended, at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The limits were set.
    LimitsSet {
        /// How much may be granted at once; a resource that is left out has no limit.
        limits: BTreeMap<Resource, Amount>,
        /// When.
        at: Timestamp,
    },
    /// A grant was charged.
    Charged {
        /// The grant.
        charge: Charge,
        /// When.
        at: Timestamp,
    },
    /// The lease of a charged grant starts again.
    Extended {
        /// Which token.
        token: TokenId,
        /// Whose capacity it is.
        source: CellId,
        /// The last instant of its lease from now on.
        expires: Option<Timestamp>,
        /// When.
        at: Timestamp,
    },
    /// Charged capacity went back to its source.
    Refunded {
        /// Which token.
        token: TokenId,
        /// Whose capacity it is.
        source: CellId,
        /// Of what.
        resource: Resource,
        /// How much went back.
        amount: Amount,
        /// How much stays charged.
        left: Amount,
        /// Why.
        why: Return,
        /// When; for an expiry the end of the lease, whenever it was noticed.
        at: Timestamp,
    },
    /// The head of a cell's queue waits for room.
    Waiting {
        /// The need.
        waiter: Waiter,
        /// When.
        at: Timestamp,
    },
    /// It no longer waits here.
    WaitEnded {
        /// Whose need.
        cell: CellId,
        /// Which.
        need: NeedId,
        /// Why.
        why: WaitEnd,
        /// When; for an expiry its deadline, whenever it was noticed.
        at: Timestamp,
    },
    /// The rates were set.
    RatesSet {
        /// How much may be used per period; a unit that is left out has no rate.
        rates: BTreeMap<Resource, Rate>,
        /// What each has ready.
        buckets: BTreeMap<Resource, Bucket>,
        /// When the rates came into force.
        at: Timestamp,
    },
    /// An estimate was taken from the rates.
    Reserved {
        /// The estimate, and what it costs.
        taken: Taken,
        /// What each rate it costs something has left.
        buckets: BTreeMap<Resource, Bucket>,
        /// When it was taken out of the buckets.
        at: Timestamp,
    },
    /// The actual amount of a reservation is known.
    Settled {
        /// The token of the reservation.
        token: TokenId,
        /// What was used.
        actual: Units,
        /// What that changed, by rate.
        differences: BTreeMap<Resource, Difference>,
        /// What each of these rates has ready.
        buckets: BTreeMap<Resource, Bucket>,
        /// When the actual amounts were told.
        at: Timestamp,
    },
    /// A reservation was not settled in time. What was reserved counts as used.
    ReservationExpired {
        /// The token of the reservation that nobody settled.
        token: TokenId,
        /// The last instant at which it could be settled, whenever it was noticed.
        at: Timestamp,
    },
}

impl Event {
    /// The name of the variant, as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Event::LimitsSet { .. } => "limits_set",
            Event::Charged { .. } => "charged",
            Event::Extended { .. } => "extended",
            Event::Refunded { .. } => "refunded",
            Event::Waiting { .. } => "waiting",
            Event::WaitEnded { .. } => "wait_ended",
            Event::RatesSet { .. } => "rates_set",
            Event::Reserved { .. } => "reserved",
            Event::Settled { .. } => "settled",
            Event::ReservationExpired { .. } => "reservation_expired",
        }
    }
}

/// State of one budget. Without limits it refuses nothing, but keeps the books.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// How much may be granted at once.
    pub limits: BTreeMap<Resource, Amount>,
    /// The live grants, by source and token.
    pub charges: BTreeMap<(CellId, TokenId), Charge>,
    /// Who waits for room, in the order they came.
    pub waiting: Vec<Waiter>,
    /// How much may be used per period.
    pub rates: BTreeMap<Resource, Rate>,
    /// What each rate has ready.
    pub buckets: BTreeMap<Resource, Bucket>,
    /// What is reserved and not settled.
    pub reservations: Layered<TokenId, Taken>,
    /// Reservations that ended, and what each rate gave back or took then.
    pub ended_reservations: Kept<TokenId, EndedReservation, RESERVATIONS_KEPT>,
}

/// So many reservations that ended a budget remembers, so that a repeat is answered.
pub const RESERVATIONS_KEPT: usize = 8_192;

/// A reservation that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedReservation {
    /// What was reserved.
    pub reservation: Reservation,
    /// How it ended.
    pub end: ReservationEnd,
    /// What that changed here, by rate.
    pub differences: BTreeMap<Resource, Difference>,
}

impl Budget {
    /// What is granted now.
    pub fn used(&self, resource: &Resource) -> Amount {
        let of = self.charges.values().filter(|charge| &charge.resource == resource);
        of.map(|charge| charge.amount).sum()
    }

    /// The resources of which more is granted than the limit allows. Always none.
    pub fn overspent(&self) -> Vec<Resource> {
        let over = self.limits.iter().filter(|(of, limit)| self.used(of) > **limit);
        over.map(|(of, _)| of.clone()).collect()
    }

    /// Is there room, whoever waits?
    pub(super) fn fits(&self, resource: &Resource, amount: Amount) -> bool {
        let limit = self.limits.get(resource);
        limit.is_none_or(|limit| self.used(resource).plus(amount) <= *limit)
    }

    /// The first who waits for room of a resource.
    pub(super) fn front(&self, resource: &Resource) -> Option<&Waiter> {
        self.waiting.iter().find(|waiter| &waiter.resource == resource)
    }

    /// May this need be charged now: is there room, and does nobody wait before it?
    pub(super) fn admits(&self, cell: &CellId, need: &super::event::Need) -> bool {
        let first =
            self.front(&need.resource).is_none_or(|front| &front.cell == cell && front.need == need.id);
        first && self.fits(&need.resource, need.amount)
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::LimitsSet { limits, at: _ } => self.limits = limits.clone(),
            Event::Charged { charge, at: _ } => {
                self.charges.insert((charge.source.clone(), charge.token.clone()), charge.clone());
            }
            Event::Extended { token, source, expires, at: _ } => {
                if let Some(charge) = self.charges.get_mut(&(source.clone(), token.clone())) {
                    charge.expires = *expires;
                }
            }
            Event::Refunded { token, source, left, .. } => {
                let key = (source.clone(), token.clone());
                if left.is_zero() {
                    self.charges.remove(&key);
                } else if let Some(charge) = self.charges.get_mut(&key) {
                    charge.amount = *left;
                }
            }
            Event::Waiting { waiter, at: _ } => self.waiting.push(waiter.clone()),
            Event::WaitEnded { cell, need, .. } => {
                self.waiting.retain(|waiter| &waiter.cell != cell || &waiter.need != need);
            }
            Event::RatesSet { rates, buckets, at: _ } => {
                self.rates = rates.clone();
                self.buckets = buckets.clone();
            }
            Event::Reserved { taken, buckets, at: _ } => {
                self.now_hold(buckets);
                self.reservations.insert(taken.reservation.token.clone(), taken.clone());
            }
            Event::Settled { token, actual, differences, buckets, at: _ } => {
                self.now_hold(buckets);
                self.end(token, ReservationEnd::Settled(actual.clone()), differences.clone());
            }
            Event::ReservationExpired { token, at: _ } => {
                self.end(token, ReservationEnd::Expired, BTreeMap::new());
            }
        }
    }

    fn now_hold(&mut self, buckets: &BTreeMap<Resource, Bucket>) {
        self.buckets.extend(buckets.iter().map(|(name, bucket)| (name.clone(), *bucket)));
    }

    fn end(&mut self, token: &TokenId, end: ReservationEnd, differences: BTreeMap<Resource, Difference>) {
        if let Some(Taken { reservation, costs: _ }) = self.reservations.remove(token) {
            let ended = EndedReservation { reservation, end, differences };
            self.ended_reservations.keep(token.clone(), ended);
        }
    }

    /// What a rate has ready at this instant; none without such a rate.
    pub fn ready(&self, name: &Resource, now: Timestamp) -> Option<(&Rate, Bucket)> {
        let rate = self.rates.get(name)?;
        let bucket = self.buckets.get(name).copied().unwrap_or_else(|| Bucket::full(rate, now));
        Some((rate, bucket.refilled(rate, now)))
    }

    /// What each rate has ready at this instant.
    pub fn all_ready(&self, now: Timestamp) -> impl Iterator<Item = (&Resource, &Rate, Bucket)> {
        self.rates
            .keys()
            .filter_map(move |name| self.ready(name, now).map(|(rate, bucket)| (name, rate, bucket)))
    }

    /// The units that it limits or counts; one that several rates count comes more than once.
    pub(super) fn units(&self) -> impl Iterator<Item = &Resource> {
        self.limits.keys().chain(self.rates.iter().flat_map(|(name, rate)| rate.units(name)))
    }

    /// Does it limit or count this unit?
    pub(super) fn knows(&self, unit: &Resource) -> bool {
        self.units().any(|known| known == unit)
    }

    fn deadlines(&self) -> impl Iterator<Item = Timestamp> {
        let charges = self.charges.values().filter_map(|charge| charge.expires);
        let reservations = self.reservations.values().map(|taken| taken.reservation.expires);
        charges.chain(self.waiting.iter().map(|waiter| waiter.deadline)).chain(reservations)
    }

    /// Lets go of everything that is over, in the order of the deadlines. Gives the state then, with the events, or
    /// `None` when nothing is over.
    pub(super) fn settle(&self, now: Timestamp) -> Option<(Budget, Vec<Event>)> {
        if !self.deadlines().any(|last| last < now) {
            return None;
        }
        let mut over: Vec<(Timestamp, Event)> = Vec::new();
        for Charge { token, source, resource, amount, expires, .. } in self.charges.values() {
            if let Some(at) = *expires {
                let (token, source, resource) = (token.clone(), source.clone(), resource.clone());
                let (amount, left, why) = (*amount, Amount::ZERO, Return::Expired);
                over.push((at, Event::Refunded { token, source, resource, amount, left, why, at }));
            }
        }
        for Waiter { cell, need, deadline, .. } in &self.waiting {
            let (cell, need, at) = (cell.clone(), need.clone(), *deadline);
            over.push((at, Event::WaitEnded { cell, need, why: WaitEnd::Expired, at }));
        }
        for Reservation { token, expires, .. } in self.reservations.values().map(|taken| &taken.reservation) {
            over.push((*expires, Event::ReservationExpired { token: token.clone(), at: *expires }));
        }
        over.retain(|(last, _)| *last < now);
        over.sort_by_key(|(last, _)| *last);
        let events: Vec<Event> = over.into_iter().map(|(_, event)| event).collect();
        let mut after = self.clone();
        events.iter().for_each(|event| after.evolve(event));
        Some((after, events))
    }

    /// Whoever waits first and fits is to be served by its cell.
    pub(super) fn owed(&self) -> Vec<Effect> {
        let mut seen: Vec<&Resource> = Vec::new();
        let mut owed: Vec<Effect> = Vec::new();
        for waiter in &self.waiting {
            if seen.contains(&&waiter.resource) {
                continue;
            }
            seen.push(&waiter.resource);
            let effect = Effect::Serve(waiter.cell.clone());
            if self.fits(&waiter.resource, waiter.amount) && !owed.contains(&effect) {
                owed.push(effect);
            }
        }
        owed
    }
}

/// The machine of a budget.
#[derive(Debug)]
pub struct BudgetMachine;

impl Machine for BudgetMachine {
    const KIND: StreamKind = StreamKind::Budget;
    const STATE_VERSION: u16 = 3;
    type State = Budget;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Rejection = Rejection;
    type Effect = Effect;
    type Context = ();

    fn decide(state: &Budget, command: Command, now: Timestamp, _: &()) -> Result<Decision<Self>, Rejection> {
        match command {
            Command::Tick => Ok(match state.settle(now) {
                Some((after, events)) => Decision::accept(events, Reply::Settled).with_effects(after.owed()),
                None => Decision::answer(Reply::Settled).with_effects(state.owed()),
            }),
        }
    }

    fn evolve(state: &mut Budget, event: &Event) {
        state.evolve(event);
    }

    fn due(state: &Budget) -> Option<Timestamp> {
        state.deadlines().min().filter(|last| *last < Timestamp::MAX).map(Timestamp::next)
    }

    fn owed(state: &Budget) -> Vec<Effect> {
        state.owed()
    }

    fn tick() -> Command {
        Command::Tick
    }
}
