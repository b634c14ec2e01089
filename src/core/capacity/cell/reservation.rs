//! What is reserved of the rates of one or several budgets: an estimate, until the actual amount settles it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::rate::Units;
use crate::kernel::ids::{BudgetId, CellId, EntityId, Resource, TokenId};
use crate::kernel::time::Timestamp;

/// An estimate that is taken from the rates of its budgets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// Its name.
    pub token: TokenId,
    /// Who may use it.
    pub holder: CellId,
    /// The identity that asked, if it was known.
    pub by: Option<EntityId>,
    /// How much of each unit.
    pub units: Units,
    /// All the budgets it was taken from, each of which has it on record.
    pub budgets: BTreeSet<BudgetId>,
    /// When it was granted.
    pub made_at: Timestamp,
    /// The last instant at which it can be settled.
    pub expires: Timestamp,
}

/// A reservation as one of its budgets knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// The estimate.
    pub reservation: Reservation,
    /// What it cost under each rate this budget had then, nothing included. A rate that came later took nothing, and gives
    /// nothing back.
    pub costs: Units,
}

/// How a reservation ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReservationEnd {
    /// The holder said what was used, in the words of this.
    Settled(Units),
    /// Nobody said. The estimate counts as what was used.
    Expired,
}

/// What settling did to one rate of a budget.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// How much less was used than was taken; it came back as far as the bucket has room.
    pub given_back: u64,
    /// How much more was used than was taken, and is taken now.
    pub debited: u64,
    /// How much more was used, and is not taken because the rate lets nobody owe so much.
    pub uncovered: u64,
}

/// A rate that does not have enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShortOf {
    /// Of which budget.
    pub budget: BudgetId,
    /// The rate that has too little ready.
    pub rate: Resource,
    /// What was asked of it.
    pub asked: u64,
    /// What it has ready; below 0 what is owed.
    pub level: i64,
    /// The most it ever has ready.
    pub burst: u64,
    /// After how many microseconds the refill suffices; none for never.
    pub wait_us: Option<u64>,
}
