//! How much may be used per period: a bucket that refills.
//!
//! ```text
//!            amount per period
//!                  │
//!                  ▼
//!  burst ─────┐ level ── reserve: at least the cost, and it is taken ──► reservation
//!             │   ▲                                                        │
//!    0 ───────┤   └── settle: less was used, the rest comes back ──────────┤
//!             │   ┌── settle: more was used, the rest is taken ────────────┘
//! -debt ──────┘   ▼
//! ```
//!
//! Everything is a whole number. What has passed since the bucket was last looked at is turned into whole units, and
//! the part of a unit that is left over is kept, so a bucket that is looked at a thousand times refills as much as one
//! that is looked at once. An instant before the last one gives nothing and takes nothing. A full bucket gathers nothing.
//!
//! # Source
//! The token bucket of Turner, *New Directions in Communications*, IEEE Communications 24(10), 1986, with the limit and
//! increment of the GCRA of ITU-T I.371 as amount, period and burst.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::rejection::{Rejection, invalid};
use super::settings::MAX_RESOURCES;
use crate::kernel::ids::Resource;
use crate::kernel::time::Timestamp;

/// Most of one unit: of an amount, a burst, a debt, a reservation.
pub const MAX_UNITS: u64 = 1_000_000_000_000;
/// Largest weight of a unit.
pub const MAX_WEIGHT: u64 = 1_000_000;
/// Longest period, in microseconds: 366 days.
pub const MAX_PERIOD_US: u64 = 366 * 24 * 60 * 60 * 1_000_000;
/// Shortest period, in microseconds.
pub const MIN_PERIOD_US: u64 = 1_000;

/// How much of something, by unit.
pub type Units = BTreeMap<Resource, u64>;

/// How much may be used per period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// How much comes back in each period.
    pub amount: u64,
    /// How long a period is, in microseconds.
    pub period_us: u64,
    /// How much lies ready at most, and so may be used at once. Too small refuses what the period would allow; too large
    /// lets a quiet time be followed by that much at one instant.
    pub burst: u64,
    /// How far below nothing a settlement may go. With 0 what was used beyond the estimate is counted only as far as it
    /// lies ready; large, a wrong estimate holds up everybody until it is made good.
    pub debt: u64,
    /// What one of each unit costs; what is left out costs nothing. Empty: one of the rate's own unit costs one.
    pub weights: Units,
}

impl Rate {
    /// The units that cost something under the rate of this name.
    pub(super) fn units<'r>(&'r self, name: &'r Resource) -> impl Iterator<Item = &'r Resource> {
        self.weights.keys().chain(self.weights.is_empty().then_some(name))
    }

    /// What so many units cost under the rate of this name.
    pub fn cost(&self, name: &Resource, units: &Units) -> u64 {
        let weight = |unit: &Resource| {
            if self.weights.is_empty() {
                u64::from(unit == name)
            } else {
                self.weights.get(unit).copied().unwrap_or(0)
            }
        };
        let cost: u128 =
            units.iter().map(|(unit, count)| u128::from(*count) * u128::from(weight(unit))).sum();
        u64::try_from(cost).unwrap_or(u64::MAX)
    }

    pub(super) fn check(&self, name: &Resource) -> Result<(), Rejection> {
        let units = |field: &str, given: u64, least: u64| {
            let all = least..=MAX_UNITS;
            let expected = || format!("{least} to {MAX_UNITS}");
            if all.contains(&given) { Ok(()) } else { Err(invalid_of(name, field, given, expected())) }
        };
        units("amount", self.amount, 1)?;
        units("burst", self.burst, 1)?;
        units("debt", self.debt, 0)?;
        if !(MIN_PERIOD_US..=MAX_PERIOD_US).contains(&self.period_us) {
            return Err(invalid_of(
                name,
                "per_seconds",
                self.period_us,
                "a millisecond to 366 days".to_owned(),
            ));
        }
        if self.weights.len() > MAX_RESOURCES {
            return Err(invalid_of(
                name,
                "weights",
                self.weights.len() as u64,
                "at most 64 units".to_owned(),
            ));
        }
        match self.weights.values().find(|weight| !(1..=MAX_WEIGHT).contains(*weight)) {
            Some(weight) => Err(invalid_of(name, "weights", *weight, format!("1 to {MAX_WEIGHT} each"))),
            None => Ok(()),
        }
    }
}

fn invalid_of(name: &Resource, field: &str, given: u64, expected: String) -> Rejection {
    Rejection::InvalidRate { rate: name.clone(), field: field.to_owned(), given, expected }
}

/// What a rate has ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// How much; below 0 what is owed.
    pub level: i64,
    /// What was gathered towards the next unit, in parts of which a unit has as many as the period has microseconds.
    pub rest: u64,
    /// When it was so.
    pub at: Timestamp,
}

/// Why a bucket does not give what it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Short {
    /// The refill suffices after so many microseconds, if nobody takes anything meanwhile.
    For(u64),
    /// It never holds so much.
    Never,
}

impl Bucket {
    /// One that has gathered all it can.
    pub fn full(rate: &Rate, now: Timestamp) -> Self {
        Bucket { level: whole(rate.burst), rest: 0, at: now }
    }

    /// The same bucket at a later instant. An earlier one leaves it as it is.
    pub fn refilled(self, rate: &Rate, now: Timestamp) -> Self {
        if now <= self.at {
            return self;
        }
        let passed =
            u128::try_from(i128::from(now.as_micros()) - i128::from(self.at.as_micros())).unwrap_or(0);
        let parts = passed * u128::from(rate.amount) + u128::from(self.rest);
        let (gained, rest) = (parts / u128::from(rate.period_us), parts % u128::from(rate.period_us));
        let room = i128::from(rate.burst) - i128::from(self.level);
        match i128::try_from(gained) {
            Ok(gained) if gained < room => Bucket {
                level: i64::try_from(i128::from(self.level) + gained).unwrap_or(i64::MAX),
                rest: u64::try_from(rest).unwrap_or(0),
                at: now,
            },
            Ok(_) | Err(_) => Bucket::full(rate, now),
        }
    }

    /// May so much be taken from it as it is?
    ///
    /// # Errors
    /// [`Short`], for how long.
    pub fn holds(self, rate: &Rate, cost: u64, now: Timestamp) -> Result<(), Short> {
        let missing = i128::from(cost) - i128::from(self.level);
        if cost == 0 || missing <= 0 {
            return Ok(());
        }
        if cost > rate.burst {
            return Err(Short::Never);
        }
        let parts = u128::try_from(missing).unwrap_or(0) * u128::from(rate.period_us);
        let wait = parts.saturating_sub(u128::from(self.rest)).div_ceil(u128::from(rate.amount));
        // After the clock was set back nothing comes until it is where it was.
        let until_again = self.at.since(now).as_micros();
        Err(Short::For(u64::try_from(wait + until_again).unwrap_or(u64::MAX)))
    }

    /// The bucket without so much of what it holds.
    pub fn without(self, cost: u64) -> Self {
        Bucket { level: self.level.saturating_sub(whole(cost)), ..self }
    }

    /// The bucket after so much came back; what does not fit is gone.
    pub fn with(self, rate: &Rate, back: u64) -> Self {
        let level = self.level.saturating_add(whole(back));
        if level >= whole(rate.burst) {
            Bucket { level: whole(rate.burst), rest: 0, ..self }
        } else {
            Bucket { level, ..self }
        }
    }

    /// The bucket after so much more was used than was taken, and how much of that the rate does not let it owe.
    pub fn owing(self, rate: &Rate, more: u64) -> (Self, u64) {
        let least = -i128::from(rate.debt);
        let wanted = i128::from(self.level) - i128::from(more);
        // One that owes as much as it may owes no more; it is not made to owe less either.
        let level = wanted.max(least.min(i128::from(self.level)));
        let uncovered = u64::try_from(level - wanted).unwrap_or(u64::MAX);
        (Bucket { level: i64::try_from(level).unwrap_or(i64::MIN), ..self }, uncovered)
    }
}

fn whole(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}

/// At least one unit, and no more of any than can be counted.
pub(super) fn check_units(field: &'static str, units: &Units, least: usize) -> Result<(), Rejection> {
    if !(least..=MAX_RESOURCES).contains(&units.len()) {
        return Err(invalid(field, units.len(), format!("{least} to {MAX_RESOURCES} units")));
    }
    match units.values().find(|count| **count > MAX_UNITS) {
        Some(count) => Err(invalid(field, count, format!("0 to {MAX_UNITS} of each unit"))),
        None => Ok(()),
    }
}

#[cfg(test)]
#[path = "rate_test.rs"]
mod tests;
