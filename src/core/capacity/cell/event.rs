//! What happened to a cell. Stored: variants and fields are only ever appended, at the end.
//!
//! A token concerns up to three sorts of entity: the source that lent it, the holder, and the budgets it is charged
//! to. Each has its own event on its own stream, committed together.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::amount::Amount;
use super::settings::{Lease, Settings};
use crate::kernel::ids::{BudgetId, CellId, EntityId, IdempotencyKey, NeedId, OfferId, Resource, TokenId};
use crate::kernel::time::Timestamp;

/// A request for capacity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// Its name within the cell.
    pub id: NeedId,
    /// The name of the token the cell makes if it serves the need itself.
    pub token: TokenId,
    /// Of what.
    pub resource: Resource,
    /// How much.
    pub amount: Amount,
    /// How long what is granted may be kept.
    pub lease: Lease,
    /// The budgets it is charged to.
    pub budgets: BTreeSet<BudgetId>,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// The last instant at which it may be granted.
    pub deadline: Timestamp,
}

/// Capacity a cell holds ready for another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Its name within the source.
    pub id: OfferId,
    /// The name of the token it becomes.
    pub token: TokenId,
    /// Who offers.
    pub source: CellId,
    /// To whom.
    pub destination: CellId,
    /// Of what.
    pub resource: Resource,
    /// How much.
    pub amount: Amount,
    /// When it was made.
    pub made_at: Timestamp,
    /// The last instant at which it may be used.
    pub expires: Timestamp,
}

/// Capacity that was granted, as its source and its holder know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its name.
    pub id: TokenId,
    /// Whose capacity it is.
    pub source: CellId,
    /// Who may use it.
    pub holder: CellId,
    /// Of what.
    pub resource: Resource,
    /// How much is left of it.
    pub amount: Amount,
    /// How long it may be kept.
    pub lease: Lease,
    /// The budgets it is charged to.
    pub budgets: BTreeSet<BudgetId>,
    /// When it was granted.
    pub granted_at: Timestamp,
    /// The last instant of its lease; none without an end.
    pub expires: Option<Timestamp>,
    /// Has the holder said that it received it?
    pub acked: bool,
}

impl Token {
    /// Does the holder use another cell's capacity?
    pub fn is_borrowed(&self) -> bool {
        self.source != self.holder
    }
}

/// A need that was granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// What was asked.
    pub need: Need,
    /// What was granted: one token of the cell itself, or one of each offer that was used, oldest offer first.
    pub tokens: Vec<Token>,
    /// The offers that were used, one for each token; empty when the cell served itself.
    pub offers: Vec<OfferId>,
    /// When.
    pub at: Timestamp,
}

/// Why capacity went back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Return {
    /// The holder gave it back.
    Released,
    /// The lease ended.
    Expired,
    /// It was taken away, for instance because the holder is gone.
    Revoked,
}

/// Why an offer ended unused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unused {
    /// Its time was up.
    Expired,
    /// Nobody at the destination needs it any more.
    NoNeed,
}

/// A token whose lease starts again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extended {
    /// Which.
    pub token: TokenId,
    /// Whose capacity it is.
    pub source: CellId,
    /// Who holds it.
    pub holder: CellId,
    /// The last instant of the lease from now on.
    pub expires: Option<Timestamp>,
    /// When.
    pub at: Timestamp,
}

/// Capacity of a token that went back to its source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returned {
    /// Which token.
    pub token: TokenId,
    /// Whose capacity it is.
    pub source: CellId,
    /// Who held it.
    pub holder: CellId,
    /// Of what.
    pub resource: Resource,
    /// How much went back.
    pub amount: Amount,
    /// How much the holder keeps; the token ends when this is nothing.
    pub left: Amount,
    /// Why.
    pub why: Return,
    /// When; for an expiry the end of the lease, whenever it was noticed.
    pub at: Timestamp,
}

/// One thing that happened to a cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The cell took part for the first time.
    Opened {
        /// Which cell.
        cell: CellId,
        /// How it is set up.
        settings: Settings,
        /// When.
        at: Timestamp,
    },
    /// The cell was set up anew.
    Configured {
        /// How.
        settings: Settings,
        /// When.
        at: Timestamp,
    },
    /// A need waits.
    NeedQueued(Need),
    /// A need waited until its deadline in vain.
    NeedExpired {
        /// Which.
        need: NeedId,
        /// Its deadline.
        at: Timestamp,
    },
    /// The head of a queue waits for a budget, or no longer does.
    NeedBlocked {
        /// Which need.
        need: NeedId,
        /// For which budget.
        budget: Option<BudgetId>,
        /// When.
        at: Timestamp,
    },
    /// A need was granted: the cell now holds the tokens, and lends those of its own.
    Granted(Granted),
    /// A request was refused because the queue is full; so are all until the queue is short again.
    OverloadRaised {
        /// How many needs wait.
        pending: u32,
        /// When.
        at: Timestamp,
    },
    /// The queue is short again.
    OverloadCleared {
        /// How many needs wait.
        pending: u32,
        /// When.
        at: Timestamp,
    },
    /// The cell holds capacity ready for another.
    OfferMade(Offer),
    /// Another cell holds capacity ready for this one.
    OfferReceived(Offer),
    /// An offer made or received ended unused.
    OfferClosed {
        /// The offer.
        offer: Offer,
        /// Why.
        why: Unused,
        /// When; for an expiry the last instant of the offer.
        at: Timestamp,
    },
    /// An offer became a token of another cell. What the need did not take is available again.
    Lent {
        /// Which offer.
        offer: OfferId,
        /// The token.
        token: Token,
        /// How much of the offer the need did not take.
        returned: Amount,
        /// When.
        at: Timestamp,
    },
    /// The holder received the token; the lease starts again.
    Acked(Extended),
    /// The holder renewed the lease.
    Renewed(Extended),
    /// Somebody who does not hold the token tried to use it. On the stream of the source.
    UseRefused {
        /// Which token.
        token: TokenId,
        /// Who tried.
        by: CellId,
        /// When.
        at: Timestamp,
    },
    /// Capacity went back to its source.
    Returned(Returned),
    /// A token changed hands. On the streams of the source and of the one who gave it away.
    HandedOver {
        /// Which token.
        token: TokenId,
        /// Whose capacity it is.
        source: CellId,
        /// Who held it.
        from: CellId,
        /// Who holds it now, and has yet to acknowledge it.
        to: CellId,
        /// When.
        at: Timestamp,
    },
    /// A token came from another holder.
    Received {
        /// The token.
        token: Token,
        /// Who gave it.
        from: CellId,
        /// When.
        at: Timestamp,
    },
    /// The cell released an amount under a name, so that a repeat is recognised.
    Released {
        /// The caller's name for the request.
        key: IdempotencyKey,
        /// Of what.
        resource: Resource,
        /// How much was asked for.
        asked: Amount,
        /// How much was outstanding and went back.
        amount: Amount,
        /// When.
        at: Timestamp,
    },
    /// A need that waited is no longer wanted.
    NeedCancelled {
        /// Which.
        need: NeedId,
        /// When.
        at: Timestamp,
    },
    /// An identity asked for the need that follows.
    NeedAskedBy {
        /// Which need.
        need: NeedId,
        /// The identity.
        by: EntityId,
        /// When.
        at: Timestamp,
    },
    /// A token that was granted or lent was asked for by an identity. On the stream of the source.
    TokenAskedBy {
        /// Which token.
        token: TokenId,
        /// The identity.
        by: EntityId,
        /// The cell in whose name it asked.
        cell: CellId,
        /// When it was granted.
        at: Timestamp,
    },
}

impl Event {
    /// The name of the variant, as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Opened { .. } => "opened",
            Event::Configured { .. } => "configured",
            Event::NeedQueued(_) => "need_queued",
            Event::NeedExpired { .. } => "need_expired",
            Event::NeedBlocked { .. } => "need_blocked",
            Event::Granted(_) => "granted",
            Event::OverloadRaised { .. } => "overload_raised",
            Event::OverloadCleared { .. } => "overload_cleared",
            Event::OfferMade(_) => "offer_made",
            Event::OfferReceived(_) => "offer_received",
            Event::OfferClosed { .. } => "offer_closed",
            Event::Lent { .. } => "lent",
            Event::Acked(_) => "acked",
            Event::Renewed(_) => "renewed",
            Event::UseRefused { .. } => "use_refused",
            Event::Returned(_) => "returned",
            Event::HandedOver { .. } => "handed_over",
            Event::Received { .. } => "received",
            Event::Released { .. } => "released",
            Event::NeedCancelled { .. } => "need_cancelled",
            Event::NeedAskedBy { .. } => "need_asked_by",
            Event::TokenAskedBy { .. } => "token_asked_by",
        }
    }
}
