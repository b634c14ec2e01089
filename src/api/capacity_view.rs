//! How requests about capacity are read, and its answers shown.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::dto::{BudgetStatus, BudgetUse, CapacityRequested, CapacityStatus, TokenView};
use super::nearest;
use crate::core::capacity::cell::budget::Budget;
use crate::core::capacity::cell::event::Granted;
use crate::core::capacity::cell::view::Status;
use crate::core::capacity::cell::{Amount, Rejection, Reply};
use crate::core::kernel::ids::{BudgetId, CellId, NeedId, Resource};
use crate::core::kernel::time::{Timestamp, whole_parts};
use crate::error::{Error, ErrorKind};

/// Words that stand where an id would in HTTP paths.
const RESERVED: [&str; 2] = ["offer", "stats"];
/// What is asked for or given back when nothing is said.
const DEFAULT_AMOUNT: f64 = 0.1;

/// What the fields of an operation are called that the machines know under one name each.
#[derive(Clone, Copy)]
pub(super) struct Names {
    pub(super) amount: &'static str,
    pub(super) wait: &'static str,
}

pub(super) const OF_NEEDS: Names = Names { amount: "requested_capacity", wait: "timeout_seconds" };

/// Why a request for capacity was refused, in its own words.
pub(super) fn refused_need(rejection: Rejection) -> Error {
    refused(rejection, OF_NEEDS)
}

pub(super) fn overloaded_message(pending_requests: u32, low_water: u32) -> String {
    format!(
        "too many needs wait at this cell; ask again later. waiting={pending_requests}, again_at={low_water}"
    )
}

/// The answer `overloaded` for those who want capacity or an error.
pub(super) fn overloaded(pending_requests: u32, low_water: u32) -> Error {
    let error = Error::new(ErrorKind::Overloaded, overloaded_message(pending_requests, low_water));
    error.with("status", "overloaded").with("pending_requests", pending_requests).with("low_water", low_water)
}

pub(super) fn refused(rejection: Rejection, names: Names) -> Error {
    match rejection {
        Rejection::Invalid { field: "amount", given, expected } => {
            Error::invalid(names.amount, number(&given), &expected)
        }
        Rejection::Invalid { field: "wait" | "ttl", given, expected } => {
            Error::invalid(names.wait, given, &expected)
        }
        Rejection::Invalid { field: "destination" | "to", given, expected } => {
            Error::invalid("destination_cell_id", given, &expected)
        }
        Rejection::InUse { ref resource, .. } => {
            let field = format!("{}.{resource}", names.amount);
            Error::from(rejection).with("field", field)
        }
        Rejection::UnknownUnit { ref unit, ref known } => {
            let like = nearest::names(unit.as_str(), known.iter().map(Resource::as_str));
            Error::from(rejection).beside(like)
        }
        other => Error::from(other),
    }
}

pub(super) fn number(text: &str) -> Value {
    text.parse::<f64>().map_or_else(|_| text.into(), Value::from)
}

/// An operation and its reply belong together.
pub(super) fn unexpected(reply: &Reply) -> Error {
    Error::new(ErrorKind::Conflict, format!("the cell answered something else; ask again. answer={reply:?}"))
}

pub(super) fn requested(status: &str, cell_id: CellId) -> CapacityRequested {
    CapacityRequested {
        status: status.into(),
        cell_id,
        token_id: None,
        capacity: None,
        source: None,
        token_capacity: None,
        tokens: Vec::new(),
        requested_capacity: None,
        pending_requests: None,
        low_water: None,
        need_id: None,
        deadline: None,
        message: None,
        created: false,
        duplicate: false,
    }
}

/// What became of a need.
pub(super) fn need_view(reply: Reply) -> Result<CapacityRequested, Error> {
    match reply {
        Reply::Granted { cell, granted } => Ok(granted_view(cell, &granted)),
        Reply::Pending { cell, need, requested_capacity, pending_requests, deadline, .. } => {
            Ok(CapacityRequested {
                requested_capacity: Some(requested_capacity.to_f64()),
                pending_requests: Some(pending_requests),
                need_id: Some(need),
                deadline: Some(deadline),
                ..requested("pending", cell)
            })
        }
        Reply::NeedExpired { cell, need, deadline } => Ok(ended_view("expired", cell, need, Some(deadline))),
        Reply::NeedCancelled { cell, need, deadline } => {
            Ok(ended_view("cancelled", cell, need, Some(deadline)))
        }
        Reply::Overloaded { cell, pending_requests, low_water } => Ok(CapacityRequested {
            pending_requests: Some(pending_requests),
            low_water: Some(low_water),
            message: Some(overloaded_message(pending_requests, low_water)),
            ..requested("overloaded", cell)
        }),
        other => Err(unexpected(&other)),
    }
}

pub(super) fn ended_view(
    status: &str,
    cell: CellId,
    need: NeedId,
    deadline: Option<Timestamp>,
) -> CapacityRequested {
    CapacityRequested { need_id: Some(need), deadline, ..requested(status, cell) }
}

pub(super) fn granted_view(cell: CellId, granted: &Granted) -> CapacityRequested {
    let source = |of: &CellId| if *of == cell { "self".to_owned() } else { of.to_string() };
    let view = |token: &crate::core::capacity::cell::event::Token| TokenView {
        token_id: token.id.clone(),
        source: source(&token.source),
        resource: token.resource.clone(),
        capacity: token.amount.to_f64(),
        expires_at: token.expires,
    };
    let tokens: Vec<TokenView> = granted.tokens.iter().map(view).collect();
    CapacityRequested {
        token_id: tokens.first().map(|token| token.token_id.clone()),
        capacity: Some(granted.need.amount.to_f64()),
        source: tokens.first().map(|token| token.source.clone()),
        token_capacity: tokens.first().filter(|_| tokens.len() > 1).map(|token| token.capacity),
        need_id: Some(granted.need.id.clone()),
        tokens,
        ..requested("granted", cell)
    }
}

pub(super) fn check_name(field: &str, cell: &CellId) -> Result<(), Error> {
    if RESERVED.contains(&cell.as_str()) {
        let expected = format!("an id other than {}", RESERVED.join(", "));
        return Err(Error::invalid(field, cell.as_str(), &expected));
    }
    Ok(())
}

pub(super) fn amounts(
    field: &str,
    given: BTreeMap<Resource, f64>,
) -> Result<BTreeMap<Resource, Amount>, Error> {
    let one = |(of, given): (Resource, f64)| {
        let amount = amount(&format!("{field}.{of}"), Some(given))?;
        Ok((of, amount))
    };
    given.into_iter().map(one).collect()
}

pub(super) fn amount(field: &str, given: Option<f64>) -> Result<Amount, Error> {
    let given = given.unwrap_or(DEFAULT_AMOUNT);
    Amount::new(given)
        .map_err(|_| Error::invalid(field, real(given), "0.000001 to 1000000000 with at most six places"))
}

/// NaN and the infinities have no JSON number; they are named as text.
pub(super) fn real(number: f64) -> Value {
    if number.is_finite() { Value::from(number) } else { number.to_string().into() }
}

pub(super) fn span(
    field: &str,
    given: Option<f64>,
    default: Duration,
    longest: Duration,
) -> Result<Duration, Error> {
    match given {
        None => Ok(default),
        Some(s) => match whole_parts(s, 1_000_000) {
            Some(us) if us > 0 && u128::from(us) <= longest.as_micros() => Ok(Duration::from_micros(us)),
            Some(_) | None => Err(Error::invalid(field, real(s), &up_to(longest))),
        },
    }
}

/// The range of a span of seconds, in words.
pub(super) fn up_to(longest: Duration) -> String {
    format!("above 0 and up to {}, with at most six places", longest.as_secs_f64())
}

/// How a cell stands, in plain numbers.
pub(super) fn capacity_view(status: Status) -> CapacityStatus {
    CapacityStatus {
        cell_id: status.cell_id,
        state: status.state.name().into(),
        capacity: status.capacity.to_f64(),
        pending_needs: status.pending_needs,
        pending_offers: status.pending_offers,
        active_tokens: status.active_tokens,
        unacked_tokens: status.unacked_tokens,
        total: status.total.to_f64(),
        reserved: status.reserved.to_f64(),
        lent: status.lent.to_f64(),
        held: status.held.to_f64(),
        unknown: false,
        nearest: Vec::new(),
    }
}

/// How a budget stands, in plain numbers.
pub(super) fn budget_view(budget_id: BudgetId, budget: &Budget, now: Timestamp) -> BudgetStatus {
    let waiting = budget.waiting.iter().map(|waiter| &waiter.resource);
    let charged = budget.charges.values().map(|charge| &charge.resource);
    let of: BTreeSet<&Resource> = budget.limits.keys().chain(waiting.clone()).chain(charged).collect();
    let used = |of: &&Resource| BudgetUse {
        limit: budget.limits.get(*of).map(|limit| limit.to_f64()),
        used: budget.used(of).to_f64(),
        waiting: waiting.clone().filter(|waited| waited == of).count() as u64,
    };
    BudgetStatus {
        budget_id,
        resources: of.iter().map(|of| ((*of).clone(), used(of))).collect(),
        grants: budget.charges.len() as u64,
        rates: super::reserve::rates_view(budget, now),
        reservations: budget.reservations.len() as u64,
    }
}
