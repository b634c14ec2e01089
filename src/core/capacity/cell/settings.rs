//! How a cell is set up, and how long things last.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::amount::Amount;
use super::rejection::{Rejection, invalid};
use crate::kernel::ids::{BudgetId, Resource};
use crate::kernel::time::{Timestamp, micros};

/// Longest wait of a need and longest life of an offer: a day.
pub const MAX_WAIT: Duration = Duration::from_secs(24 * 60 * 60);
/// Longest limited lease: a year.
pub const MAX_LEASE: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// How long a need waits unless told otherwise.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(5);
/// How long an offer stays open unless told otherwise.
pub const DEFAULT_TTL: Duration = Duration::from_secs(5);
/// Most resources of one cell or budget.
pub const MAX_RESOURCES: usize = 64;
/// Most budgets one need is charged to.
pub const MAX_BUDGETS: usize = 16;
/// Largest bound of a queue.
pub const MAX_PENDING: u32 = 100_000;

impl Resource {
    /// The resource of the plain operations.
    pub fn capacity() -> Resource {
        Resource::new("capacity").expect("a visible word is an id")
    }
}

/// How a cell is set up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// What the cell has of each resource.
    pub totals: BTreeMap<Resource, Amount>,
    /// The budgets every grant to this cell is charged to.
    pub budgets: BTreeSet<BudgetId>,
    /// Most needs that wait at once. Too small refuses bursts; too large lets needs wait that nobody can serve.
    pub max_pending: u32,
    /// An overloaded cell takes requests again once no more than this many needs wait. Close to `max_pending` the
    /// cell flaps; close to 0 it stays shut until nearly everybody is served.
    pub low_water: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            totals: BTreeMap::from([(Resource::capacity(), Amount::ONE)]),
            budgets: BTreeSet::new(),
            max_pending: 100,
            low_water: 50,
        }
    }
}

impl Settings {
    pub(super) fn check(&self) -> Result<(), Rejection> {
        check_amounts("totals", &self.totals)?;
        if self.totals.is_empty() {
            return Err(invalid("totals", "none", "at least one resource"));
        }
        check_budgets(&self.budgets)?;
        if !(1..=MAX_PENDING).contains(&self.max_pending) {
            return Err(invalid("max_pending", self.max_pending, "1 to 100000"));
        }
        if self.low_water >= self.max_pending {
            return Err(invalid("low_water", self.low_water, "less than max_pending"));
        }
        Ok(())
    }
}

pub(super) fn check_budgets(budgets: &BTreeSet<BudgetId>) -> Result<(), Rejection> {
    if budgets.len() > MAX_BUDGETS {
        return Err(invalid("budgets", budgets.len(), "at most 16"));
    }
    Ok(())
}

pub(super) fn check_amounts(
    field: &'static str,
    amounts: &BTreeMap<Resource, Amount>,
) -> Result<(), Rejection> {
    if amounts.len() > MAX_RESOURCES {
        return Err(invalid(field, amounts.len(), "at most 64 resources"));
    }
    match amounts.values().find(|amount| amount.is_zero()) {
        Some(zero) => Err(invalid(field, zero, "at least 0.000001 of each resource")),
        None => Ok(()),
    }
}

pub(super) fn check_span(field: &'static str, span: Duration, longest: Duration) -> Result<(), Rejection> {
    if span < Duration::from_micros(1) || span > longest {
        return Err(invalid(field, format!("{span:?}"), format!("1 us to {} s", longest.as_secs())));
    }
    Ok(())
}

/// How long a token may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lease {
    /// Until it is released.
    Unlimited,
    /// Until the lease ends. It runs from the grant, and once more from the first acknowledgement.
    Limited {
        /// How long, in microseconds.
        us: u64,
        /// The holder may start it again as often as it likes.
        renewable: bool,
    },
}

impl Default for Lease {
    fn default() -> Self {
        Lease::limited(Duration::from_secs(60))
    }
}

impl Lease {
    /// A lease of this length that cannot be renewed.
    pub fn limited(span: Duration) -> Self {
        Lease::Limited { us: micros(span), renewable: false }
    }

    /// A lease of this length that the holder may renew.
    pub fn renewable(span: Duration) -> Self {
        Lease::Limited { us: micros(span), renewable: true }
    }

    /// The last instant of a lease that starts now.
    pub fn expires(self, start: Timestamp) -> Option<Timestamp> {
        match self {
            Lease::Unlimited => None,
            Lease::Limited { us, renewable: _ } => Some(start.plus(Duration::from_micros(us))),
        }
    }

    /// May the holder start it again?
    pub fn is_renewable(self) -> bool {
        match self {
            Lease::Unlimited => false,
            Lease::Limited { us: _, renewable } => renewable,
        }
    }

    pub(super) fn check(self) -> Result<(), Rejection> {
        match self {
            Lease::Unlimited => Ok(()),
            Lease::Limited { us, renewable: _ } => check_span("lease", Duration::from_micros(us), MAX_LEASE),
        }
    }
}
