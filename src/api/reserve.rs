//! Reservations: estimates of what will be used, taken from the rates of budgets and settled with what was.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::caller::Watch;
use super::capacity::Capacity;
use super::capacity_view::{Names, refused, span, unexpected};
use super::dto::{
    CapacityReserved, CapacitySettled, RateChange, RateShort, RateStatus, ReserveCapacity, SetRate,
    SettleCapacity,
};
use super::wait;
use crate::core::capacity::cell::rate::{MAX_PERIOD_US, MAX_UNITS, MAX_WEIGHT, MIN_PERIOD_US};
use crate::core::capacity::cell::reservation::{Difference, Reservation, ReservationEnd, ShortOf};
use crate::core::capacity::cell::settings::MAX_LEASE;
use crate::core::capacity::cell::{Budget, Op, Rate, Reply, Reserve, Units};
use crate::core::kernel::ids::{BudgetId, CellId, EntityId, Resource, TokenId};
use crate::core::kernel::time::{Timestamp, whole_parts};
use crate::error::Error;
use crate::shell::access::{Access, Asks};
use crate::shell::entity::Action;
use crate::shell::joint;
use crate::shell::refills::Place;
use crate::shell::runtime::ask;

/// How long a reservation may be settled unless told otherwise.
const DEFAULT_LEASE: Duration = Duration::from_secs(300);
/// How long a reservation waits unless told otherwise.
const DEFAULT_WAIT: Duration = Duration::from_secs(30);
/// How long it waits at most.
const MAX_WAIT: Duration = Duration::from_secs(300);
/// Shortest pause before it is asked again.
const SHORTEST: Duration = Duration::from_millis(1);

const NAMES: Names = Names { amount: "amounts", wait: "timeout_seconds" };

impl Capacity<'_> {
    /// Reserves an estimate of what will be used, of the rates of all budgets or of none. Durable on return.
    ///
    /// A rate that has not enough ready is an answer: `exhausted` says when the refill suffices, `never` that it never does.
    /// With `wait: true` the refill is waited for. The same request under the same `token_id` is answered from the record,
    /// also after a restart. Dropping the future cancels nothing.
    ///
    /// ```
    /// use quorate::{Config, Quorate, ReserveCapacity, SetBudget, SetRate, SettleCapacity, id};
    ///
    /// # #[tokio::main] async fn main() -> Result<(), quorate::Error> {
    /// let q = Quorate::open(Config::memory()).await?;
    /// let rates = [(id("rate", "tokens")?, SetRate::new(10_000, 60.0))].into();
    /// let budget = SetBudget { budget_id: id("budget_id", "acme")?, limits: None, rates: Some(rates) };
    /// q.capacity().set_budget(budget).await?;
    ///
    /// let asked = ReserveCapacity::new("ann", &[("tokens", 9_000)])?.from("acme")?;
    /// let reserved = q.capacity().reserve(asked.clone()).await?;
    /// let refused = q.capacity().reserve(asked.clone()).await?; // 8,000 more come back at 10,000 a minute
    /// assert_eq!((refused.status.as_str(), refused.retry_after_ms > Some(40_000)), ("exhausted", true));
    ///
    /// let actual = [(id("unit", "tokens")?, 500)].into();
    /// let token_id = reserved.token_id.expect("it is granted");
    /// let settle = SettleCapacity { token_id, cell_id: reserved.cell_id, actual };
    /// assert_eq!(q.capacity().settle(settle).await?.changes[0].given_back, 8_500);
    /// assert_eq!(q.capacity().reserve(asked).await?.status, "granted");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `invalid_argument`, `not_found` when no rate of the budgets counts any of the units, `already_exists` when the
    /// name stands for another reservation, and the faults of the store.
    pub async fn reserve(&self, request: ReserveCapacity) -> Result<CapacityReserved, Error> {
        let watch = self.q.allow_waiting("capacity.reserve", &request).await?;
        Watch::until_over(watch, self.reserved(request)).await
    }

    async fn reserved(&self, request: ReserveCapacity) -> Result<CapacityReserved, Error> {
        let host = self.q.host();
        let waits = request.wait.unwrap_or(false) && !host.clock.is_manual();
        let longest = span("timeout_seconds", request.timeout_seconds, DEFAULT_WAIT, MAX_WAIT)?;
        let asked = Reserve {
            token: request.token_id.map_or_else(|| self.mint::<TokenId>(), Ok)?,
            by: host.by().cloned(),
            units: units("amounts", &request.amounts)?,
            budgets: request.budgets,
            lease: span("lease_seconds", request.lease_seconds, DEFAULT_LEASE, MAX_LEASE)?,
            cell: request.cell_id,
        };
        if !waits {
            return reserve_once(host, asked).await;
        }
        let (waiting, request) = (host.clone(), asked.clone());
        let waited = wait::at_most(host, longest, async move { reserve_in_turn(waiting, request).await });
        match waited.await {
            Some(answer) => answer,
            // What was granted as the wait ended is told.
            None => reserve_once(host, asked).await,
        }
    }

    /// Says what was used of a reservation: less gives back, more is taken as far as the rates let it. Durable on return;
    /// the same again is answered from the record.
    ///
    /// # Errors
    /// `invalid_argument`, `token_not_found`, `not_token_owner`, `token_expired` when the estimate counts already,
    /// `token_released` when it was settled with other amounts, and the faults of the store.
    pub async fn settle(&self, request: SettleCapacity) -> Result<CapacitySettled, Error> {
        self.q.allow("capacity.settle", &request).await?;
        let actual = units("actual", &request.actual)?;
        let op = Op::Settle { token: request.token_id, cell: request.cell_id, actual };
        match self.run(op, NAMES).await? {
            Reply::ReservationSettled { reservation, actual, differences, duplicate } => {
                Ok(settled_view(reservation, actual, differences, duplicate))
            }
            other => Err(unexpected(&other)),
        }
    }
}

async fn reserve_once(host: &Access, asked: Reserve) -> Result<CapacityReserved, Error> {
    let (cell, op) = (asked.cell.clone(), Op::Reserve(asked));
    match joint::run(host, op).await?.map_err(|rejection| refused(rejection, NAMES))? {
        Reply::Reserved { reservation, end, duplicate } => {
            Ok(reserved_view(reservation, end.as_ref(), duplicate))
        }
        Reply::Exhausted { short } => Ok(exhausted_view(cell, &short)),
        other => Err(unexpected(&other)),
    }
}

/// Asks until it is granted or never will be. Whoever waits for a budget has a place in its line, so that small estimates
/// do not get before a large one for ever.
async fn reserve_in_turn(host: Access, asked: Reserve) -> Result<CapacityReserved, Error> {
    let budgets = all_budgets(&host, &asked).await?;
    let mut place: Option<Place> = None;
    let first = budgets.iter().find(|id| host.refills.is_waited_for(id)).cloned();
    if let Some(first) = first {
        place = Some(host.refills.wait_in_line(first).await);
    }
    loop {
        // Listened for before it is asked, so that nothing is missed that comes back in between.
        let came_back = host.refills.came_back();
        let answer = reserve_once(&host, asked.clone()).await?;
        let (Some(ms), Some(short)) = (answer.retry_after_ms, answer.short.first()) else {
            return Ok(answer);
        };
        if place.is_none() {
            place = Some(host.refills.wait_in_line(short.budget_id.clone()).await);
        } else {
            let _ = tokio::time::timeout(Duration::from_millis(ms).max(SHORTEST), came_back).await;
        }
    }
}

/// The budgets of the request and those of its cell.
async fn all_budgets(host: &Access, asked: &Reserve) -> Result<BTreeSet<BudgetId>, Error> {
    let id = EntityId::from(&asked.cell);
    let of_cell = ask(host, &host.kinds.cells, &id, Action::Read, |view| view.state.settings.budgets.clone());
    let mut budgets = of_cell.await?;
    budgets.extend(asked.budgets.iter().cloned());
    Ok(budgets)
}

fn units(field: &str, given: &BTreeMap<Resource, i64>) -> Result<Units, Error> {
    let unit = |(unit, count): (&Resource, &i64)| {
        Ok((unit.clone(), within(&format!("{field}.{unit}"), *count, 0, MAX_UNITS)?))
    };
    given.iter().map(unit).collect()
}

fn within(field: &str, given: i64, least: u64, most: u64) -> Result<u64, Error> {
    let count = u64::try_from(given).ok().filter(|count| (least..=most).contains(count));
    count.ok_or_else(|| Error::invalid(field, given, &format!("{least} to {most}")))
}

/// The rates as the budget understands them.
pub(super) fn rates(given: BTreeMap<Resource, SetRate>) -> Result<BTreeMap<Resource, Rate>, Error> {
    let one = |(name, given): (Resource, SetRate)| {
        let field = |field: &str| format!("rates.{name}.{field}");
        let amount = within(&field("amount"), given.amount, 1, MAX_UNITS)?;
        let period_us = whole_parts(given.per_seconds, 1_000_000)
            .filter(|us| (MIN_PERIOD_US..=MAX_PERIOD_US).contains(us))
            .ok_or_else(|| {
                let expected = "0.001 to 31622400, with at most six places";
                Error::invalid(&field("per_seconds"), super::capacity_view::real(given.per_seconds), expected)
            })?;
        let burst = given.burst.map_or(Ok(amount), |burst| within(&field("burst"), burst, 1, MAX_UNITS))?;
        let debt = given.debt.map_or(Ok(burst), |debt| within(&field("debt"), debt, 0, MAX_UNITS))?;
        let weight = |(unit, weight): (&Resource, &i64)| {
            Ok((unit.clone(), within(&field(&format!("weights.{unit}")), *weight, 1, MAX_WEIGHT)?))
        };
        let weights = given.weights.iter().map(weight).collect::<Result<Units, Error>>()?;
        Ok((name.clone(), Rate { amount, period_us, burst, debt, weights }))
    };
    given.into_iter().map(one).collect()
}

/// What each rate of a budget has ready.
pub(super) fn rates_view(budget: &Budget, now: Timestamp) -> BTreeMap<Resource, RateStatus> {
    let view = |(name, rate, bucket): (&Resource, &Rate, crate::core::capacity::cell::Bucket)| {
        let status = RateStatus {
            level: bucket.level,
            burst: rate.burst,
            amount: rate.amount,
            per_seconds: Duration::from_micros(rate.period_us).as_secs_f64(),
            debt: rate.debt,
            weights: rate.weights.clone(),
        };
        (name.clone(), status)
    };
    budget.all_ready(now).map(view).collect()
}

fn reserved_view(
    reservation: Reservation,
    end: Option<&ReservationEnd>,
    duplicate: bool,
) -> CapacityReserved {
    CapacityReserved {
        status: match end {
            None => "granted".into(),
            Some(ReservationEnd::Settled(_)) => "settled".into(),
            Some(ReservationEnd::Expired) => "expired".into(),
        },
        cell_id: reservation.holder,
        token_id: Some(reservation.token),
        amounts: reservation.units,
        budgets: reservation.budgets,
        expires_at: Some(reservation.expires),
        retry_after_ms: None,
        short: Vec::new(),
        duplicate,
    }
}

/// Rounded up: asked again a moment too early it would be refused again.
fn whole_ms(us: u64) -> u64 {
    us.div_ceil(1_000)
}

fn exhausted_view(cell_id: CellId, short: &[ShortOf]) -> CapacityReserved {
    let waits: Option<Vec<u64>> = short.iter().map(|of| of.wait_us).collect();
    let retry_after_ms = waits.and_then(|waits| waits.into_iter().max()).map(whole_ms);
    let view = |of: &ShortOf| RateShort {
        budget_id: of.budget.clone(),
        rate: of.rate.clone(),
        asked: of.asked,
        level: of.level,
        burst: of.burst,
        retry_after_ms: of.wait_us.map(whole_ms),
    };
    CapacityReserved {
        status: if retry_after_ms.is_some() { "exhausted".into() } else { "never".into() },
        cell_id,
        token_id: None,
        amounts: BTreeMap::new(),
        budgets: BTreeSet::new(),
        expires_at: None,
        retry_after_ms,
        short: short.iter().map(view).collect(),
        duplicate: false,
    }
}

fn settled_view(
    reservation: Reservation,
    actual: Units,
    differences: BTreeMap<BudgetId, BTreeMap<Resource, Difference>>,
    duplicate: bool,
) -> CapacitySettled {
    let changes = differences.into_iter().flat_map(|(budget, rates)| {
        let change = move |(rate, Difference { given_back, debited, uncovered })| RateChange {
            budget_id: budget.clone(),
            rate,
            given_back,
            debited,
            uncovered,
        };
        rates.into_iter().map(change)
    });
    CapacitySettled {
        status: "settled".into(),
        cell_id: reservation.holder,
        token_id: reservation.token,
        reserved: reservation.units,
        actual,
        changes: changes.collect(),
        duplicate,
    }
}
