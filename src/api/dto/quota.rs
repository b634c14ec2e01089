//! Requests and replies about rates: how much may be used per period, and what is reserved of it.
//!
//! Everything is a whole number of units, such as requests, tokens or millionths of a dollar.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id;
use crate::core::kernel::ids::{BudgetId, CellId, Resource, TokenId, known};
use crate::core::kernel::time::Timestamp;
use crate::error::Error;

/// How much may be used per period.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRate {
    /// How much comes back in each period, 1 to 10^12.
    pub amount: i64,
    /// How long a period is, in seconds: 60 for a minute, 86400 for a day; 0.001 to 31622400.
    pub per_seconds: f64,
    /// How much lies ready at most, and so may be used at once, 1 to 10^12; `amount` when left out. In any time as long as
    /// the period up to `burst` and `amount` together are granted: for a provider that counts by the minute make it small.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<i64>,
    /// How far below nothing a settlement may go, 0 to 10^12; as much as `burst` when left out. With 0, what was used
    /// beyond an estimate is counted only as far as it lies ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debt: Option<i64>,
    /// What one of each unit costs, 1 to 10^6; what is left out costs nothing. When all of it is left out, one of the
    /// rate's own unit costs one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<Resource, i64>,
}

impl SetRate {
    /// So much in each period of so many seconds.
    pub fn new(amount: i64, per_seconds: f64) -> Self {
        SetRate { amount, per_seconds, burst: None, debt: None, weights: BTreeMap::new() }
    }
}

/// What a rate has ready.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RateStatus {
    /// How much; below 0 what is owed.
    pub level: i64,
    /// How much lies ready at most.
    pub burst: u64,
    /// How much comes back in each period.
    pub amount: u64,
    /// How long a period is, in seconds.
    pub per_seconds: f64,
    /// How far below nothing a settlement may go.
    pub debt: u64,
    /// What one of each unit costs; empty when one of the rate's own unit costs one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<Resource, u64>,
}

/// Reserves an estimate of all budgets, or of none.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReserveCapacity {
    /// Who needs it.
    pub cell_id: CellId,
    /// How much of each unit is expected to be used, 0 to 10^12 each.
    pub amounts: BTreeMap<Resource, i64>,
    /// The budgets it is taken from besides those of the cell, such as organisation, team and user.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub budgets: BTreeSet<BudgetId>,
    /// A name for the reservation, so that a repeat is answered instead of reserved again: as long as it is open, and then among
    /// the 8,192 that ended last of a budget. Made when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<TokenId>,
    /// Seconds within which it has to be settled, above 0 and up to a year; 300 when left out. After that the estimate counts
    /// as what was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_seconds: Option<f64>,
    /// Wait for the refill instead of saying when it suffices? False when left out, and always in virtual time. Those who
    /// wait for a budget are served in turn; whoever does not wait may get between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<bool>,
    /// Seconds it may wait, above 0 and up to 300; 30 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<f64>,
}

impl ReserveCapacity {
    /// An estimate of these units, every setting at its default.
    ///
    /// # Errors
    /// `invalid_argument` when a name is not an id.
    pub fn new(cell_id: &str, amounts: &[(&str, i64)]) -> Result<Self, Error> {
        let amount = |(unit, count): &(&str, i64)| Ok((id("amounts", unit)?, *count));
        Ok(ReserveCapacity {
            cell_id: id("cell_id", cell_id)?,
            amounts: amounts.iter().map(amount).collect::<Result<_, Error>>()?,
            budgets: BTreeSet::new(),
            token_id: None,
            lease_seconds: None,
            wait: None,
            timeout_seconds: None,
        })
    }

    /// The same of this budget too.
    ///
    /// # Errors
    /// `invalid_argument` when the name is not an id.
    pub fn from(mut self, budget_id: &str) -> Result<Self, Error> {
        self.budgets.insert(id("budgets", budget_id)?);
        Ok(self)
    }
}

/// What became of a reservation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CapacityReserved {
    /// `granted`; `exhausted`: not now, and `retry_after_ms` says when; `never`: a rate never holds so much; or of a
    /// repeat that has ended `settled`, `expired`.
    pub status: String,
    /// Who asked.
    pub cell_id: CellId,
    /// The reservation; none when nothing was reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<TokenId>,
    /// How much of each unit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub amounts: BTreeMap<Resource, u64>,
    /// All budgets it was taken from.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub budgets: BTreeSet<BudgetId>,
    /// The last instant at which it can be settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Exhausted: after so many milliseconds the refill suffices, if nobody takes anything meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Exhausted, never: the rates that do not have enough.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub short: Vec<RateShort>,
    /// It was reserved before; nothing changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// A rate that does not have enough.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RateShort {
    /// Of which budget.
    pub budget_id: BudgetId,
    /// The rate that has too little ready.
    pub rate: Resource,
    /// What the request costs under it.
    pub asked: u64,
    /// What it has ready; below 0 what is owed.
    pub level: i64,
    /// How much lies ready at most.
    pub burst: u64,
    /// After so many milliseconds the refill suffices; none when it never does.
    pub retry_after_ms: Option<u64>,
}

/// Says what was used of a reservation.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SettleCapacity {
    /// Which reservation.
    #[serde(deserialize_with = "known")]
    pub token_id: TokenId,
    /// Who holds it.
    pub cell_id: CellId,
    /// How much of each unit was used, 0 to 10^12 each; of a unit that is left out, what was estimated.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub actual: BTreeMap<Resource, i64>,
}

/// What settling a reservation changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CapacitySettled {
    /// `settled`.
    pub status: String,
    /// Who held it.
    pub cell_id: CellId,
    /// Which reservation.
    pub token_id: TokenId,
    /// How much of each unit was estimated.
    pub reserved: BTreeMap<Resource, u64>,
    /// How much was used.
    pub actual: BTreeMap<Resource, u64>,
    /// The rates for which that made a difference.
    pub changes: Vec<RateChange>,
    /// It was settled so before; nothing changed.
    #[serde(default)]
    pub duplicate: bool,
}

/// What settling changed for one rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RateChange {
    /// Of which budget.
    pub budget_id: BudgetId,
    /// The rate whose level the settlement changed.
    pub rate: Resource,
    /// How much less was used than was taken, and came back.
    pub given_back: u64,
    /// How much more was used, and was taken now.
    pub debited: u64,
    /// How much more was used and is not taken: the rate lets nobody owe so much.
    pub uncovered: u64,
}
