//! What cells, their mesh and budgets reject, in the words of the public interface.

use serde_json::Value;

use super::{Error, ErrorKind, typed};
use crate::core::capacity::cell;
use crate::core::capacity::cell::Units;
use crate::core::capacity::cell::amount::Amount;
use crate::core::kernel::ids::{BudgetId, Resource};
use crate::core::voting::topology;

/// Most units that are named where another one is refused.
const SHOWN: usize = 16;

impl From<cell::Rejection> for Error {
    fn from(rejection: cell::Rejection) -> Self {
        let limit =
            |message: String, limit: f64| Error::new(ErrorKind::LimitExceeded, message).with("limit", limit);
        match rejection {
            cell::Rejection::Invalid { field, given, expected } => {
                Error::invalid(field, typed(field, &given), &expected)
            }
            cell::Rejection::UnknownResource { resource } => {
                Error::invalid("resource", resource.as_str(), "a resource the cell has")
            }
            cell::Rejection::KeyReused { key, cell, first, asked } => {
                let field = if first.0 == asked.0 { "capacity" } else { "resource" };
                let said = |(resource, amount): &(Resource, Amount)| format!("{amount} of {resource}");
                let (first, asked) = (said(&first), said(&asked));
                let message = format!(
                    "the idempotency key was first used for another request; use a new key for each. \
                     used_for=cell/{cell}, asked=capacity.release, differs={field}, first={first}, given={asked}"
                );
                Error::new(ErrorKind::KeyReused, message)
                    .with("field", "idempotency_key")
                    .with("value", key.as_str())
                    .with("used_for", format!("cell/{cell}"))
                    .with("asked", "capacity.release")
                    .with("differs", field)
                    .with("first", first)
                    .with("given", asked)
            }
            cell::Rejection::AlreadyExists { what, id } => {
                let message = format!("this name stands for another {what}; choose another. id={id}");
                Error::new(ErrorKind::AlreadyExists, message).with("field", format!("{what}_id"))
            }
            cell::Rejection::OverBudget { budget, limit, asked } => {
                let expected = format!("at most the limit of budget {budget}, {limit}");
                Error::invalid("requested_capacity", asked.to_f64(), &expected)
                    .with("budget", budget.as_str())
            }
            cell::Rejection::InUse { resource, used, given } => {
                limit(format!("less of {resource} than is in use. used={used}, given={given}"), used.to_f64())
            }
            cell::Rejection::NeedNotFound { need } => Error::new(
                ErrorKind::NotFound,
                format!("no need of this id is known: it was never queued, or ended long ago. id={need}"),
            )
            .with("field", "need_id"),
            cell::Rejection::TokenNotFound => Error::new(
                ErrorKind::TokenNotFound,
                "no token of this id is known: it was never granted, or ended long ago",
            ),
            cell::Rejection::NotOwner { holder, given } => Error::new(
                ErrorKind::NotTokenOwner,
                format!("the token is another cell's. holder={holder}, given={given}"),
            )
            .with("holder", holder.as_str())
            .with("given", given.as_str()),
            cell::Rejection::TokenExpired => Error::new(
                ErrorKind::TokenExpired,
                "the lease of the token has ended; its capacity went back",
            ),
            cell::Rejection::TokenReleased => Error::new(ErrorKind::TokenReleased, "the token was released"),
            cell::Rejection::TokenRevoked => {
                Error::new(ErrorKind::TokenRevoked, "the token was taken away from its holder")
            }
            cell::Rejection::NotRenewable => Error::new(
                ErrorKind::NotRenewable,
                "the lease of the token was not made to be renewed; request a renewable one",
            ),
            cell::Rejection::InvalidRate { rate, field, given, expected } => {
                Error::invalid(&format!("rates.{rate}.{field}"), given, &expected)
            }
            cell::Rejection::Uncounted { budgets } => {
                let named: Vec<&str> = budgets.iter().map(BudgetId::as_str).collect();
                let message =
                    "no rate of these budgets counts anything of what is asked; set one with budget.set";
                Error::new(ErrorKind::NotFound, format!("{message}. budgets={}", named.join(",")))
                    .with("field", "budgets")
            }
            cell::Rejection::UnknownUnit { unit, known } => {
                let known: Vec<&str> = known.iter().take(SHOWN).map(Resource::as_str).collect();
                let expected =
                    format!("a unit that the cell or a budget over it knows, such as {}", known.join(", "));
                Error::invalid(&format!("amounts.{unit}"), unit.as_str(), &expected)
            }
            cell::Rejection::SettledOtherwise { first, given } => {
                let said = |units: &Units| {
                    let each: Vec<_> = units.iter().map(|(unit, count)| format!("{count} {unit}")).collect();
                    each.join(" ")
                };
                let message = format!(
                    "the reservation was settled before, with other amounts; the first ones stand. first={}, given={}",
                    said(&first),
                    said(&given)
                );
                let amounts = |units: Units| -> serde_json::Map<String, Value> {
                    units.into_iter().map(|(unit, count)| (unit.to_string(), count.into())).collect()
                };
                Error::new(ErrorKind::TokenReleased, message)
                    .with("field", "actual")
                    .with("first", amounts(first))
                    .with("given", amounts(given))
            }
            cell::Rejection::Limit { what, limit: most } => {
                limit(format!("no more {what}. limit={most}"), f64::from(most))
                    .with("field", "destination_cell_id")
            }
        }
    }
}

impl From<topology::Rejection> for Error {
    fn from(rejection: topology::Rejection) -> Self {
        match rejection {
            topology::Rejection::TooManyNeighbors { given } => {
                Error::invalid("neighbors", given, "up to 6 distinct other cells")
            }
            topology::Rejection::Full { what, limit } => Error::new(
                ErrorKind::LimitExceeded,
                format!("no more {what} can be registered. limit={limit}"),
            )
            .with("field", if what == "cells" { "cell_id" } else { "authority_id" })
            .with("limit", limit),
        }
    }
}
