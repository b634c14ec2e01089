//! Requests and replies about capacity: needs, offers, tokens, budgets.
//!
//! Amounts are numbers with up to six decimal places; they are kept as whole millionths.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::quota::{RateStatus, SetRate};
use super::{Asker, id};
use crate::core::kernel::ids::{BudgetId, CellId, IdempotencyKey, NeedId, OfferId, Resource, TokenId, known};
use crate::core::kernel::time::Timestamp;
use crate::error::Error;

/// Asks for capacity.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestCapacity {
    /// Who needs it.
    pub cell_id: CellId,
    /// How much, above 0 and at most what the cell has in total; 0.1 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_capacity: Option<f64>,
    /// Seconds the need may wait in the queue, above 0 and up to 86400; 5 when left out. Has nothing to do with how
    /// long the token may be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<f64>,
    /// A name for the need, so that a repeat is answered instead of queued again: as long as it waits or a token of it lives,
    /// and then until 128 later needs of the cell have ended. Made when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub need_id: Option<NeedId>,
    /// Of what; `capacity` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,
    /// Seconds the token may be kept without another word, above 0 and up to a year; the configured 60 when left out,
    /// 0 for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_seconds: Option<f64>,
    /// May the holder renew the lease? False when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewable: Option<bool>,
    /// Budgets it is charged to besides those of the cell.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub budgets: BTreeSet<BudgetId>,
    /// Answer when the need has ended instead of when it is queued, after 300 seconds at the latest? False when left
    /// out, and always in virtual time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<bool>,
    /// Refuse a cell that nobody has set up or registered, and a budget without limits, as `not_found`, instead of
    /// making the cell? The configured false when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict_cells: Option<bool>,
}

impl RequestCapacity {
    /// A request of a cell with every setting at its default.
    ///
    /// # Errors
    /// `invalid_argument` when the name is not an id.
    pub fn new(cell_id: &str) -> Result<Self, Error> {
        Ok(RequestCapacity {
            cell_id: id("cell_id", cell_id)?,
            requested_capacity: None,
            timeout_seconds: None,
            need_id: None,
            resource: None,
            lease_seconds: None,
            renewable: None,
            budgets: BTreeSet::new(),
            wait: None,
            strict_cells: None,
        })
    }

    /// The same request for so much.
    pub fn of(mut self, amount: f64) -> Self {
        self.requested_capacity = Some(amount);
        self
    }
}

/// A token a cell may use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TokenView {
    /// Which.
    pub token_id: TokenId,
    /// Whose capacity it is: `self` or another cell.
    pub source: String,
    /// Of what.
    pub resource: Resource,
    /// How much.
    pub capacity: f64,
    /// The last instant of its lease.
    pub expires_at: Option<Timestamp>,
}

/// What became of a request for capacity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CapacityRequested {
    /// `granted`, `pending`, `overloaded`, or of a need that ended without a grant `expired`, `cancelled`.
    pub status: String,
    /// Who asked.
    pub cell_id: CellId,
    /// Granted: the token, or the first of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<TokenId>,
    /// Granted: how much in all, over every token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<f64>,
    /// Granted: whose capacity `token_id` is, `self` or another cell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Granted by several tokens: how much of `capacity` is that of `token_id`; the rest is in `tokens`, and each is
    /// acknowledged for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_capacity: Option<f64>,
    /// Granted: every token of the need, whose it is and how much; together they are `capacity`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<TokenView>,
    /// Pending: how much is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_capacity: Option<f64>,
    /// Pending, overloaded: how many needs wait, this one among them if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_requests: Option<u32>,
    /// Overloaded: requests are taken again once no more than this many wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low_water: Option<u32>,
    /// The need, unless nothing was queued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub need_id: Option<NeedId>,
    /// Until when it waits or waited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// Overloaded: what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// True when the cell takes part since this request: nobody had set it up, and it has capacity of its own.
    #[serde(default, skip_serializing_if = "is_false")]
    pub created: bool,
    /// The same was asked before under this `need_id`; nothing changed by asking again.
    #[serde(default)]
    pub duplicate: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// Names a need.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NeedRef {
    /// Whose need.
    #[serde(deserialize_with = "known")]
    pub cell_id: CellId,
    /// Which.
    pub need_id: NeedId,
}

/// Offers capacity to a cell that needs it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OfferCapacity {
    /// Who offers.
    pub source_cell_id: CellId,
    /// To whom.
    pub destination_cell_id: CellId,
    /// How much, above 0 and at most what the source has in total; 0.1 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<f64>,
    /// Of what; `capacity` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,
    /// A name for the offer, so that a repeat is recognised. Made when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer_id: Option<OfferId>,
    /// Seconds it stays open, above 0 and up to 86400; the configured 5 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<f64>,
}

/// What became of an offer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CapacityOffered {
    /// `offered`, `insufficient_capacity`, `no_pending_need`, or of a repeat whose time is over `expired`.
    pub status: String,
    /// Who offers.
    pub source: CellId,
    /// To whom.
    pub destination: CellId,
    /// How much.
    pub capacity: f64,
    /// Which offer, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer_id: Option<OfferId>,
    /// The token it became, if a need was granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<TokenId>,
    /// How much of it went into the token; the rest went back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<f64>,
    /// Until when it stays open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Insufficient: what the source has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available: Option<f64>,
    /// Insufficient: what it offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested: Option<f64>,
    /// True when the source takes part since this offer: nobody had set it up, and it has capacity of its own.
    #[serde(default, skip_serializing_if = "is_false")]
    pub created: bool,
    /// The same was offered before under this `offer_id`; nothing changed by offering again.
    #[serde(default)]
    pub duplicate: bool,
}

/// Names a token and the cell that acts on it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeldToken {
    /// Which token.
    #[serde(deserialize_with = "known")]
    pub token_id: TokenId,
    /// Who holds it.
    pub cell_id: CellId,
}

/// A token after its holder acted on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CapacityToken {
    /// `acknowledged`, `renewed`, `transferred`, or of a token that is gone `revoked`, `released`, `expired`.
    pub status: String,
    /// Which.
    pub token_id: TokenId,
    /// Whose capacity it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<CellId>,
    /// Who holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<CellId>,
    /// How much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<f64>,
    /// The last instant of its lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// It was so before; nothing changed.
    #[serde(default)]
    pub duplicate: bool,
}

/// Gives capacity back.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseCapacity {
    /// Who.
    pub cell_id: CellId,
    /// How much, above 0 and up to 10^9, with at most six places; 0.1 when left out. More than is outstanding gives back
    /// what is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<f64>,
    /// One whole token instead of an amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<TokenId>,
    /// Of what; `capacity` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,
    /// A name for the request: the same request again is answered as before, another one under the same name is
    /// refused. Without one a repeat releases again. A cell remembers its newest 128 names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<IdempotencyKey>,
}

/// What was given back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CapacityReleased {
    /// `released` or `nothing_to_release`.
    pub status: String,
    /// Who.
    pub cell_id: CellId,
    /// How much was really given back.
    pub capacity: f64,
    /// What is available at this cell now.
    pub total_capacity: f64,
    /// The request was answered before under the same idempotency key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// Hands a token over.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferCapacity {
    /// Which token.
    pub token_id: TokenId,
    /// Who holds it.
    pub cell_id: CellId,
    /// Who is to hold it.
    pub destination_cell_id: CellId,
}

/// Names a token.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRef {
    /// Which token.
    #[serde(deserialize_with = "known")]
    pub token_id: TokenId,
}

/// Sets a cell up.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigureCapacity {
    /// Which cell.
    pub cell_id: CellId,
    /// What it has of each resource; a whole of `capacity` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totals: Option<BTreeMap<Resource, f64>>,
    /// The budgets every grant to this cell is charged to.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub budgets: BTreeSet<BudgetId>,
    /// Most needs that wait at once, 1 to 100000; the configured 100 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_pending: Option<i64>,
    /// An overloaded cell takes requests again once no more than this many wait; half of `max_pending` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low_water: Option<i64>,
}

/// Whether a setting changed anything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CapacityConfigured {
    /// Something was not so before.
    pub changed: bool,
}

/// Names a cell and one of its resources.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CapacityRef {
    /// Which cell.
    #[serde(deserialize_with = "known")]
    pub cell_id: CellId,
    /// Which resource; `capacity` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,
}

/// How a cell stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CapacityStatus {
    /// Which cell.
    pub cell_id: CellId,
    /// `overloaded`, `need`, `offer`, `ack` or `idle`.
    pub state: String,
    /// What is available: neither lent nor reserved.
    pub capacity: f64,
    /// Needs that wait.
    pub pending_needs: u32,
    /// Open offers to this cell.
    pub pending_offers: u32,
    /// Live tokens this cell may use.
    pub active_tokens: u32,
    /// Of those, not acknowledged.
    pub unacked_tokens: u32,
    /// What the cell has in total; available, reserved and lent add up to it.
    pub total: f64,
    /// Reserved by open offers this cell made.
    pub reserved: f64,
    /// Live tokens made of this cell's capacity, whoever holds them.
    pub lent: f64,
    /// Live tokens this cell may use, whoever's capacity they are.
    pub held: f64,
    /// True when nobody has set the cell up, registered or used it: it is shown as it would begin.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unknown: bool,
    /// Of an unknown cell: known ones that have names like it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nearest: Vec<String>,
}

/// Counters over all cells, since the store was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CapacityStats {
    /// Cells that ever took part.
    pub total_cells: u64,
    /// Cells that refuse requests now.
    pub overloaded_cells: u64,
    /// Tokens ever acknowledged.
    pub total_tokens: u64,
    /// Tokens that live now.
    pub active_tokens: u64,
    /// Mean of what is available at the cells; 0 without cells.
    pub avg_capacity: f64,
    /// Needs granted.
    pub granted: u64,
    /// Tokens released to their end.
    pub released: u64,
    /// Tokens whose lease ended.
    pub expired: u64,
    /// Tokens taken away.
    pub revoked: u64,
    /// Needs that waited in vain.
    pub needs_expired: u64,
    /// Offers made.
    pub offers: u64,
    /// Offers whose time was over.
    pub offers_expired: u64,
    /// Times a cell became overloaded.
    pub overloads: u64,
    /// Tokens handed over.
    pub transfers: u64,
    /// Attempts to use a token of another.
    pub refused_uses: u64,
    /// Needs cancelled before they were granted.
    pub needs_cancelled: u64,
}

/// Sets the limits and the rates of a budget.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetBudget {
    /// Which budget.
    pub budget_id: BudgetId,
    /// How much cells may be granted at once; a resource that is left out has no limit. As before when all of it is left
    /// out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<BTreeMap<Resource, f64>>,
    /// How much may be used per period, by unit; a unit that is left out has no rate. As before when all of it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<BTreeMap<Resource, SetRate>>,
}

/// Names a budget.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetRef {
    /// Which budget.
    #[serde(deserialize_with = "known")]
    pub budget_id: BudgetId,
}

/// One resource of a budget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetUse {
    /// How much may be granted at once; none = no limit.
    pub limit: Option<f64>,
    /// How much is granted now.
    pub used: f64,
    /// Needs that wait for room.
    pub waiting: u64,
}

/// How a budget stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetStatus {
    /// Which budget.
    pub budget_id: BudgetId,
    /// By resource.
    pub resources: BTreeMap<Resource, BudgetUse>,
    /// Live grants charged to it.
    pub grants: u64,
    /// What each rate has ready.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rates: BTreeMap<Resource, RateStatus>,
    /// Reservations that are not settled.
    #[serde(default)]
    pub reservations: u64,
}

/// Asks who holds capacity of a cell.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListHolders {
    /// Whose capacity.
    #[serde(deserialize_with = "known")]
    pub cell_id: CellId,
    /// Only of this resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,
    /// How many at most, 1 to 1000; 100 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Who holds capacity of a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HolderPage {
    /// Whose capacity.
    pub cell_id: CellId,
    /// The live tokens made of it, the newest grant first.
    pub holders: Vec<HolderLine>,
    /// How many there are.
    pub total: u64,
    /// Ask with this for the next page.
    pub next_cursor: Option<String>,
    /// The end was not reached.
    pub more: bool,
}

/// A live token, and who holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HolderLine {
    /// The cell that may use it.
    pub holder: CellId,
    /// The token; none for a caller who may not act as the holder, nor as the cell.
    pub token_id: Option<TokenId>,
    /// Of what.
    pub resource: Resource,
    /// How much is left of it.
    pub amount: f64,
    /// The holder said that it has it.
    pub acked: bool,
    /// When it was granted.
    pub granted_at: Timestamp,
    /// How long ago, in seconds.
    pub age_seconds: f64,
    /// The last instant of its lease; none without an end.
    pub expires_at: Option<Timestamp>,
    /// How long until then, in seconds.
    pub left_seconds: Option<f64>,
    /// Its holder may start the lease again.
    pub renewable: bool,
    /// The budgets it is charged to.
    pub budgets: BTreeSet<BudgetId>,
    /// Who asked for it, where an identity did; none for a caller to whom the token is not shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<Asker>,
}
