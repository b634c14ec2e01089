//! What may be asked of cells and budgets, and how they answer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::amount::Amount;
use super::event::{Granted, Return};
use super::rate::{Rate, Units};
use super::reservation::{Difference, Reservation, ReservationEnd, ShortOf};
use super::settings::{DEFAULT_TTL, DEFAULT_WAIT, Lease, Settings};
use crate::kernel::ids::{BudgetId, CellId, EntityId, IdempotencyKey, NeedId, OfferId, Resource, TokenId};
use crate::kernel::time::Timestamp;

/// What may be asked of one entity alone; everything else is an [`Op`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Time has passed.
    Tick,
}

/// A request that concerns one or several cells and budgets, decided jointly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Ask for capacity.
    Request(Request),
    /// A need is no longer wanted.
    Cancel {
        /// Whose.
        cell: CellId,
        /// Which.
        need: NeedId,
    },
    /// Hold capacity ready for a cell that needs it.
    Offer(MakeOffer),
    /// The holder received the token.
    Ack {
        /// Which.
        token: TokenId,
        /// Who says so.
        cell: CellId,
    },
    /// The holder starts a renewable lease again.
    Renew {
        /// Which.
        token: TokenId,
        /// Who asks.
        cell: CellId,
    },
    /// The holder gives capacity back.
    Release {
        /// Who.
        cell: CellId,
        /// What.
        what: Release,
    },
    /// The holder hands a token to another cell.
    Transfer {
        /// Which.
        token: TokenId,
        /// Who holds it.
        from: CellId,
        /// Who is to hold it.
        to: CellId,
    },
    /// A token is taken away from whoever holds it.
    Revoke {
        /// Which.
        token: TokenId,
    },
    /// Set a cell up.
    Configure {
        /// Which.
        cell: CellId,
        /// How.
        settings: Settings,
    },
    /// Set the limits of a budget; a resource that is left out has none.
    SetLimits {
        /// Which.
        budget: BudgetId,
        /// How much may be granted at once.
        limits: BTreeMap<Resource, Amount>,
    },
    /// Set the rates of a budget; a unit that is left out has none.
    SetRates {
        /// The budget whose rates are set.
        budget: BudgetId,
        /// How much may be used per period.
        rates: BTreeMap<Resource, Rate>,
    },
    /// Take an estimate from the rates of all budgets, or from none.
    Reserve(Reserve),
    /// The actual amount of a reservation.
    Settle {
        /// The token of the reservation to settle.
        token: TokenId,
        /// Who holds it.
        cell: CellId,
        /// What was used of each unit; of one that is left out, what was estimated.
        actual: Units,
    },
    /// Owed: serve the heads of the cell's queues.
    Serve {
        /// Which cell.
        cell: CellId,
    },
    /// Owed: give open offers back that nobody at this cell needs.
    ReturnOffers {
        /// Which cell.
        cell: CellId,
    },
}

/// A request for capacity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who needs it.
    pub cell: CellId,
    /// The name of the need; the same name again is a repeat.
    pub need: NeedId,
    /// The name of the token if the cell serves itself.
    pub token: TokenId,
    /// Of what.
    pub resource: Resource,
    /// How much: above 0, at most what the cell has in total.
    pub amount: Amount,
    /// How long it may wait in the queue. Has nothing to do with how long it may be used.
    pub wait: Duration,
    /// How long it may be kept.
    pub lease: Lease,
    /// Budgets it is charged to besides those of the cell.
    pub budgets: BTreeSet<BudgetId>,
    /// The identity in whose name.
    pub by: Option<EntityId>,
}

impl Request {
    /// A request for `capacity` with the default wait and lease.
    pub fn new(cell: CellId, need: NeedId, token: TokenId, amount: Amount) -> Self {
        let (resource, lease) = (Resource::capacity(), Lease::default());
        let (wait, budgets) = (DEFAULT_WAIT, BTreeSet::new());
        Request { cell, need, token, resource, amount, wait, lease, budgets, by: None }
    }
}

/// A reservation that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserve {
    /// The name of the reservation; the same name again is a repeat.
    pub token: TokenId,
    /// Who asks.
    pub cell: CellId,
    /// The identity in whose name.
    pub by: Option<EntityId>,
    /// How much of each unit.
    pub units: Units,
    /// The budgets it is taken from, besides those of the cell.
    pub budgets: BTreeSet<BudgetId>,
    /// How long it may be settled.
    pub lease: Duration,
}

/// An offer of capacity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MakeOffer {
    /// The name of the offer; the same name again is a repeat.
    pub offer: OfferId,
    /// The name of the token it becomes.
    pub token: TokenId,
    /// Who offers.
    pub source: CellId,
    /// To whom.
    pub destination: CellId,
    /// Of what.
    pub resource: Resource,
    /// How much: above 0, at most what the source has in total.
    pub amount: Amount,
    /// How long it stays open.
    pub ttl: Duration,
}

impl MakeOffer {
    /// An offer of `capacity` with the default life.
    pub fn new(offer: OfferId, token: TokenId, source: CellId, destination: CellId, amount: Amount) -> Self {
        let resource = Resource::capacity();
        MakeOffer { offer, token, source, destination, resource, amount, ttl: DEFAULT_TTL }
    }
}

/// What is released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Release {
    /// So much, oldest grant first; at most what is outstanding.
    Amount {
        /// Of what.
        resource: Resource,
        /// How much, above 0.
        amount: Amount,
        /// The caller's name for the request; without one a repeat releases again.
        key: Option<IdempotencyKey>,
    },
    /// One whole token.
    Token(TokenId),
}

/// Something owed to the outside: an operation to be run because capacity, room or an offer became free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// See [`Op::Serve`].
    Serve(CellId),
    /// See [`Op::ReturnOffers`].
    ReturnOffers(CellId),
}

impl From<Effect> for Op {
    fn from(effect: Effect) -> Op {
        match effect {
            Effect::Serve(cell) => Op::Serve { cell },
            Effect::ReturnOffers(cell) => Op::ReturnOffers { cell },
        }
    }
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The need is granted.
    Granted {
        /// Who may use it.
        cell: CellId,
        /// The need and its tokens, as they were granted.
        granted: Granted,
    },
    /// The need waits.
    Pending {
        /// Who asked.
        cell: CellId,
        /// Which need.
        need: NeedId,
        /// Of what.
        resource: Resource,
        /// How much.
        requested_capacity: Amount,
        /// How many needs wait at the cell, this one among them.
        pending_requests: u32,
        /// Until when.
        deadline: Timestamp,
    },
    /// The need waited in vain. Only who asks again gets this answer.
    NeedExpired {
        /// Who asked.
        cell: CellId,
        /// Which need.
        need: NeedId,
        /// When its wait ended.
        deadline: Timestamp,
    },
    /// The need was cancelled before it was granted.
    NeedCancelled {
        /// Who asked.
        cell: CellId,
        /// Which need.
        need: NeedId,
        /// Until when it would have waited.
        deadline: Timestamp,
    },
    /// Too many needs wait; nothing was queued.
    Overloaded {
        /// Who asked.
        cell: CellId,
        /// How many needs wait.
        pending_requests: u32,
        /// The cell takes requests again once no more than this many wait.
        low_water: u32,
    },
    /// The offer is made.
    Offered {
        /// Which.
        offer: OfferId,
        /// Who offers.
        source: CellId,
        /// To whom.
        destination: CellId,
        /// Of what.
        resource: Resource,
        /// How much.
        capacity: Amount,
        /// Until when.
        expires: Timestamp,
        /// What has become of it.
        fate: OfferFate,
    },
    /// The source has not so much to spare.
    InsufficientCapacity {
        /// Who offered.
        source: CellId,
        /// What it has.
        available: Amount,
        /// What it offered.
        requested: Amount,
    },
    /// Nobody at the destination waits for this resource.
    NoPendingNeed {
        /// To whom it was offered.
        destination: CellId,
    },
    /// The token is acknowledged.
    Acknowledged {
        /// Which.
        token: TokenId,
        /// Whose capacity it is.
        source: CellId,
        /// Who holds it.
        destination: CellId,
        /// Of what.
        resource: Resource,
        /// How much.
        capacity: Amount,
        /// The last instant of its lease.
        expires: Option<Timestamp>,
        /// It had been acknowledged before; nothing changed.
        duplicate: bool,
    },
    /// The lease of the token starts again.
    Renewed {
        /// Which.
        token: TokenId,
        /// The last instant of its lease.
        expires: Option<Timestamp>,
    },
    /// Capacity was given back.
    Released {
        /// Who released.
        cell: CellId,
        /// Of what.
        resource: Resource,
        /// How much was really given back; nothing when nothing was outstanding.
        capacity: Amount,
        /// What is available at this cell now.
        total_capacity: Amount,
        /// The same was released before, under the same key; nothing changed.
        duplicate: bool,
    },
    /// The token has changed hands.
    Transferred {
        /// Which.
        token: TokenId,
        /// Whose capacity it is.
        source: CellId,
        /// Who holds it now.
        destination: CellId,
        /// Of what.
        resource: Resource,
        /// How much.
        capacity: Amount,
        /// The last instant of its lease.
        expires: Option<Timestamp>,
        /// The very same transfer was done before.
        duplicate: bool,
    },
    /// The token is no more.
    Revoked {
        /// Which.
        token: TokenId,
        /// Who held it.
        holder: CellId,
        /// How it ended.
        why: Return,
        /// It had ended before; nothing changed.
        duplicate: bool,
    },
    /// The cell or budget is set up.
    Configured {
        /// Something was not so before.
        changed: bool,
    },
    /// The estimate is reserved, or was, and ended so.
    Reserved {
        /// What is or was reserved.
        reservation: Reservation,
        /// How it ended, if it has.
        end: Option<ReservationEnd>,
        /// It was reserved before; nothing changed.
        duplicate: bool,
    },
    /// Rates have not enough ready; nothing was reserved.
    Exhausted {
        /// Which, in the order of the budgets.
        short: Vec<ShortOf>,
    },
    /// The reservation is settled.
    ReservationSettled {
        /// What was reserved.
        reservation: Reservation,
        /// What was used of each unit.
        actual: Units,
        /// What that changed, by budget and rate.
        differences: BTreeMap<BudgetId, BTreeMap<Resource, Difference>>,
        /// It was settled so before; nothing changed.
        duplicate: bool,
    },
    /// What was owed is done.
    Settled,
    /// The same was asked before: what has become of it since. Nothing changed.
    Again(Box<Reply>),
}

impl Reply {
    /// The answer itself, and whether the same was asked before.
    pub fn plain(self) -> (Reply, bool) {
        match self {
            Reply::Again(reply) => (*reply, true),
            reply => (reply, false),
        }
    }

    /// The status word of the answer.
    pub fn status(&self) -> &'static str {
        match self {
            Reply::Granted { .. } => "granted",
            Reply::Pending { .. } => "pending",
            Reply::NeedExpired { .. } => "expired",
            Reply::NeedCancelled { .. } => "cancelled",
            Reply::Overloaded { .. } => "overloaded",
            Reply::Offered { .. } => "offered",
            Reply::InsufficientCapacity { .. } => "insufficient_capacity",
            Reply::NoPendingNeed { .. } => "no_pending_need",
            Reply::Acknowledged { .. } => "acknowledged",
            Reply::Renewed { .. } => "renewed",
            Reply::Released { capacity, .. } if capacity.is_zero() => "nothing_to_release",
            Reply::Released { .. } => "released",
            Reply::Transferred { .. } => "transferred",
            Reply::Revoked { .. } => "revoked",
            Reply::Configured { .. } => "configured",
            Reply::Reserved { end: None, .. } => "granted",
            Reply::Reserved { end: Some(ReservationEnd::Settled(_)), .. } => "settled",
            Reply::Reserved { end: Some(ReservationEnd::Expired), .. } => "expired",
            Reply::Exhausted { short } if short.iter().any(|of| of.wait_us.is_none()) => "never",
            Reply::Exhausted { .. } => "exhausted",
            Reply::ReservationSettled { .. } | Reply::Settled => "settled",
            Reply::Again(reply) => reply.status(),
        }
    }
}

/// What has become of an offer.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OfferFate {
    /// It waits to be combined with others.
    Open,
    /// It was used: the name of the token and how much of the offer went into it.
    Used {
        /// The token.
        token: TokenId,
        /// How much; the rest went back at once.
        amount: Amount,
    },
    /// It ended unused.
    Unused(super::event::Unused),
}
