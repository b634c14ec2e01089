//! How cells and budgets say no. What is short or full is an answer ([`Reply`](super::Reply)), not a rejection.

use std::collections::BTreeSet;
use std::fmt::Display;

use super::amount::Amount;
use super::rate::Units;
use crate::kernel::ids::{BudgetId, CellId, IdempotencyKey, NeedId, Resource};

/// The domain says no; nothing but the attempt itself is recorded, and that only of [`Rejection::NotOwner`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// A field is out of range.
    Invalid {
        /// Which field.
        field: &'static str,
        /// What was given.
        given: String,
        /// What is allowed.
        expected: String,
    },
    /// The cell has no such resource.
    UnknownResource {
        /// The resource asked for.
        resource: Resource,
    },
    /// The idempotency key was first used for another release.
    KeyReused {
        /// The key.
        key: IdempotencyKey,
        /// The cell that released.
        cell: CellId,
        /// Of what and how much, at first.
        first: (Resource, Amount),
        /// Of what and how much, now.
        asked: (Resource, Amount),
    },
    /// The id names another need, offer or token than the one asked for.
    AlreadyExists {
        /// What it names.
        what: &'static str,
        /// The id.
        id: String,
    },
    /// More is asked for than the budget ever allows.
    OverBudget {
        /// Which budget.
        budget: BudgetId,
        /// Its limit.
        limit: Amount,
        /// What was asked for.
        asked: Amount,
    },
    /// A total or limit would be less than what is in use.
    InUse {
        /// Of which resource.
        resource: Resource,
        /// What is in use.
        used: Amount,
        /// What was given.
        given: Amount,
    },
    /// Nothing is known of this need.
    NeedNotFound {
        /// Which.
        need: NeedId,
    },
    /// Nothing is known of this token.
    TokenNotFound,
    /// The token is another cell's. If it lives, the attempt is on record.
    NotOwner {
        /// Who holds it, or last did.
        holder: CellId,
        /// Who asked.
        given: CellId,
    },
    /// The lease of the token has ended.
    TokenExpired,
    /// The token was released.
    TokenReleased,
    /// The token was taken away from its holder.
    TokenRevoked,
    /// The lease of the token cannot be renewed.
    NotRenewable,
    /// A rate is not one.
    InvalidRate {
        /// The rate that is out of its range.
        rate: Resource,
        /// Which of its fields.
        field: String,
        /// What was given.
        given: u64,
        /// What is allowed.
        expected: String,
    },
    /// No rate of the budgets counts anything of what is asked, so nothing would be limited.
    Uncounted {
        /// The budgets.
        budgets: Vec<BudgetId>,
    },
    /// Neither the cell nor a budget over it knows this unit, so it would not be limited.
    UnknownUnit {
        /// The unit.
        unit: Resource,
        /// Those that the budgets know.
        known: BTreeSet<Resource>,
    },
    /// The token is a reservation and was settled with other amounts.
    SettledOtherwise {
        /// What was used, as it was said first.
        first: Units,
        /// As it is said now.
        given: Units,
    },
    /// A bound is reached.
    Limit {
        /// What is bounded.
        what: &'static str,
        /// How many there may be.
        limit: u32,
    },
}

pub(super) fn invalid(field: &'static str, given: impl Display, expected: impl Display) -> Rejection {
    Rejection::Invalid { field, given: given.to_string(), expected: expected.to_string() }
}
