//! Rates: an estimate is reserved of all budgets or of none, and settled in all of them.

use std::collections::{BTreeMap, BTreeSet};

use super::super::budget::{self, EndedReservation};
use super::super::command::{Reply, Reserve};
use super::super::rate::{Bucket, Rate, Short, Units, check_units};
use super::super::rejection::{Rejection, invalid};
use super::super::reservation::{Difference, Reservation, ReservationEnd, ShortOf, Taken};
use super::super::settings::{MAX_LEASE, MAX_RESOURCES, check_budgets, check_span};
use super::desk::{Desk, Stop};
use crate::kernel::ids::{BudgetId, CellId, Resource, TokenId};

pub(super) fn set_rates(
    desk: &mut Desk<'_>,
    id: &BudgetId,
    rates: &BTreeMap<Resource, Rate>,
) -> Result<Reply, Stop> {
    if rates.len() > MAX_RESOURCES {
        return Err(invalid("rates", rates.len(), "at most 64 rates").into());
    }
    rates.iter().try_for_each(|(name, rate)| rate.check(name))?;
    desk.bring([], [id])?;
    let now = desk.now;
    let budget = desk.budget(id);
    if &budget.rates == rates {
        return Ok(Reply::Configured { changed: false });
    }
    let bucket = |(name, rate): (&Resource, &Rate)| {
        let bucket = match budget.ready(name, now) {
            None => Bucket::full(rate, now),
            // A part of a unit of another rate is no part of a unit of this one.
            Some((before, bucket)) if before.period_us != rate.period_us => Bucket { rest: 0, ..bucket },
            Some((_, bucket)) => bucket,
        };
        // What is more than there is room for goes; what is owed stays owed.
        (name.clone(), bucket.with(rate, 0))
    };
    let buckets = rates.iter().map(bucket).collect();
    desk.happen_to_budget(id, budget::Event::RatesSet { rates: rates.clone(), buckets, at: now });
    Ok(Reply::Configured { changed: true })
}

/// What is on record of a reservation.
enum Known {
    Live(Taken),
    Ended(EndedReservation),
}

impl Known {
    fn reservation(&self) -> &Reservation {
        match self {
            Known::Live(taken) => &taken.reservation,
            Known::Ended(ended) => &ended.reservation,
        }
    }
}

fn known(desk: &mut Desk<'_>, budget: &BudgetId, token: &TokenId) -> Option<Known> {
    let budget = desk.budget(budget);
    let live = budget.reservations.get(token).cloned().map(Known::Live);
    live.or_else(|| budget.ended_reservations.get(token).cloned().map(Known::Ended))
}

/// The same reservation, whose budgets are at the desk. It has ended when it has for one of them.
fn find(desk: &mut Desk<'_>, budgets: &BTreeSet<BudgetId>, token: &TokenId) -> Option<Known> {
    let mut live = None;
    for id in budgets {
        match known(desk, id, token) {
            Some(Known::Ended(ended)) => return Some(Known::Ended(ended)),
            found => live = live.or(found),
        }
    }
    live
}

pub(super) fn reserve(desk: &mut Desk<'_>, asked: &Reserve) -> Result<Reply, Stop> {
    check_units("amounts", &asked.units, 1)?;
    check_span("lease", asked.lease, MAX_LEASE)?;
    desk.bring([&asked.cell], [])?;
    let mut budgets = desk.settings(&asked.cell).budgets.clone();
    budgets.extend(asked.budgets.iter().cloned());
    if budgets.is_empty() {
        return Err(invalid("budgets", "none", "at least one, here or in the settings of the cell").into());
    }
    check_budgets(&budgets)?;
    let before = desk.world().budgets_of(&asked.token).unwrap_or_default();
    desk.bring([], &before)?;
    desk.bring([], &budgets)?;
    let all: BTreeSet<BudgetId> = before.union(&budgets).cloned().collect();
    if let Some(known) = find(desk, &all, &asked.token) {
        return repeated(known, asked);
    }
    if desk.world().source_of(&asked.token).is_some() {
        return Err(Rejection::AlreadyExists { what: "token", id: asked.token.to_string() }.into());
    }
    check_known(desk, asked, &budgets)?;
    let (now, mut short, mut taken) = (desk.now, Vec::new(), BTreeMap::new());
    for id in &budgets {
        let budget = desk.budget(id);
        let (mut costs, mut left) = (Units::new(), BTreeMap::new());
        for (name, rate, bucket) in budget.all_ready(now) {
            let asked = rate.cost(name, &asked.units);
            costs.insert(name.clone(), asked);
            let wait_us = match bucket.holds(rate, asked, now) {
                Ok(()) if asked == 0 => continue,
                Ok(()) => {
                    left.insert(name.clone(), bucket.without(asked));
                    continue;
                }
                Err(Short::For(us)) => Some(us),
                Err(Short::Never) => None,
            };
            let (budget, rate_name) = (id.clone(), name.clone());
            short.push(ShortOf {
                budget,
                rate: rate_name,
                asked,
                level: bucket.level,
                burst: rate.burst,
                wait_us,
            });
        }
        taken.insert(id.clone(), (costs, left));
    }
    if !short.is_empty() {
        return Ok(Reply::Exhausted { short });
    }
    if taken.values().all(|(_, left)| left.is_empty()) {
        return Err(Rejection::Uncounted { budgets: budgets.into_iter().collect() }.into());
    }
    let reservation = Reservation {
        token: asked.token.clone(),
        holder: asked.cell.clone(),
        by: asked.by.clone(),
        units: asked.units.clone(),
        budgets,
        made_at: now,
        expires: now.plus(asked.lease),
    };
    for (id, (costs, buckets)) in taken {
        let taken = Taken { reservation: reservation.clone(), costs };
        let event = budget::Event::Reserved { taken, buckets, at: now };
        desk.happen_to_budget(&id, event);
    }
    Ok(Reply::Reserved { reservation, end: None, duplicate: false })
}

/// Refuses a unit that neither the cell nor a budget over it knows: misspelt, it would be used without any limit. Where the
/// budgets have no rates at all, it is not the unit that is wrong.
fn check_known(desk: &mut Desk<'_>, asked: &Reserve, budgets: &BTreeSet<BudgetId>) -> Result<(), Stop> {
    let totals = desk.settings(&asked.cell);
    for unit in asked.units.keys().filter(|unit| !totals.totals.contains_key(*unit)) {
        if budgets.iter().any(|id| desk.budget(id).knows(unit)) {
            continue;
        }
        let (mut known, mut has_rates) = (BTreeSet::new(), false);
        for id in budgets {
            has_rates |= !desk.budget(id).rates.is_empty();
            known.extend(desk.budget(id).units().cloned());
        }
        if has_rates {
            return Err(Rejection::UnknownUnit { unit: unit.clone(), known }.into());
        }
    }
    Ok(())
}

/// The same again is answered from the record; another one under the same name is refused.
fn repeated(known: Known, asked: &Reserve) -> Result<Reply, Stop> {
    let reservation = known.reservation();
    let same = reservation.holder == asked.cell
        && reservation.units == asked.units
        && asked.budgets.is_subset(&reservation.budgets)
        && reservation.expires == reservation.made_at.plus(asked.lease);
    if !same {
        return Err(Rejection::AlreadyExists { what: "token", id: asked.token.to_string() }.into());
    }
    let (reservation, end) = match known {
        Known::Live(taken) => (taken.reservation, None),
        Known::Ended(EndedReservation { reservation, end, differences: _ }) => (reservation, Some(end)),
    };
    Ok(Reply::Reserved { reservation, end, duplicate: true })
}

pub(super) fn settle(
    desk: &mut Desk<'_>,
    token: &TokenId,
    cell: &CellId,
    given: &Units,
) -> Result<Reply, Stop> {
    check_units("actual", given, 0)?;
    let Some(budgets) = desk.world().budgets_of(token) else {
        return Err(match desk.world().source_of(token) {
            Some(_) => invalid("token_id", token, "a reservation; what a cell lent is released").into(),
            None => Rejection::TokenNotFound.into(),
        });
    };
    desk.bring([], &budgets)?;
    let Some(known) = find(desk, &budgets, token) else { return Err(Rejection::TokenNotFound.into()) };
    let reservation = known.reservation();
    if &reservation.holder != cell {
        let (holder, given) = (reservation.holder.clone(), cell.clone());
        return Err(Rejection::NotOwner { holder, given }.into());
    }
    let mut actual = reservation.units.clone();
    actual.extend(given.iter().map(|(unit, count)| (unit.clone(), *count)));
    let reservation = match known {
        Known::Live(taken) => taken.reservation,
        Known::Ended(ended) => return settled_before(desk, &budgets, ended, actual),
    };
    let (now, mut differences) = (desk.now, BTreeMap::new());
    for id in &budgets {
        let (mut changed, mut buckets) = (BTreeMap::new(), BTreeMap::new());
        let budget = desk.budget(id);
        let Some(Taken { costs, .. }) = budget.reservations.get(token) else { continue };
        for (name, taken) in costs {
            // A rate that is gone takes nothing more, and has nowhere to give back to.
            let Some((rate, bucket)) = budget.ready(name, now) else { continue };
            let used = rate.cost(name, &actual);
            let (difference, bucket) = match used.checked_sub(*taken) {
                Some(0) => continue,
                None => {
                    let given_back = taken - used;
                    (Difference { given_back, ..Difference::default() }, bucket.with(rate, given_back))
                }
                Some(more) => {
                    let (bucket, uncovered) = bucket.owing(rate, more);
                    (Difference { given_back: 0, debited: more - uncovered, uncovered }, bucket)
                }
            };
            changed.insert(name.clone(), difference);
            buckets.insert(name.clone(), bucket);
        }
        let event = budget::Event::Settled {
            token: token.clone(),
            actual: actual.clone(),
            differences: changed.clone(),
            buckets,
            at: now,
        };
        desk.happen_to_budget(id, event);
        differences.insert(id.clone(), changed);
    }
    Ok(Reply::ReservationSettled { reservation, actual, differences, duplicate: false })
}

fn settled_before(
    desk: &mut Desk<'_>,
    budgets: &BTreeSet<BudgetId>,
    ended: EndedReservation,
    actual: Units,
) -> Result<Reply, Stop> {
    match ended.end {
        ReservationEnd::Expired => Err(Rejection::TokenExpired.into()),
        ReservationEnd::Settled(first) if first != actual => {
            Err(Rejection::SettledOtherwise { first, given: actual }.into())
        }
        ReservationEnd::Settled(_) => {
            let token = &ended.reservation.token;
            let of = |id: &BudgetId| match known(desk, id, token) {
                Some(Known::Ended(ended)) => Some((id.clone(), ended.differences)),
                Some(Known::Live(_)) | None => None,
            };
            let differences = budgets.iter().filter_map(of).collect();
            Ok(Reply::ReservationSettled {
                reservation: ended.reservation,
                actual,
                differences,
                duplicate: true,
            })
        }
    }
}
