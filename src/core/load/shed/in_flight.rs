//! How much is being worked on at once, by priority: a permit is taken before the work and given back after it.
//!
//! ```text
//!  try_acquire(priority) ── within the caps ──► Permit ── dropped ──► the slot is free
//!                        └─ not ──► Full { which cap }      once, and for the priority it was taken for
//! ```
//!
//! The check and the count are one `&mut` step; a shell that shares the tracker puts a short lock around it. A permit
//! gives its slot back when it is dropped, so also when the work panics or its caller goes away, and without that lock:
//! permits given and permits that came back are counted apart. What is in flight is never stored: after a restart
//! nothing is.
//!
//! *Reserves* are off unless set. A reserve keeps slots of the whole for a priority: less important work stays out of
//! them, and control work, which always passes, cannot use them up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::class::Priority;
use super::number::{Invalid, Ratio};

/// Most that may be in flight. Control work counts but is never refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caps {
    /// All together, at least 1. Too small wastes the machine, too large lets queues grow before anyone is refused.
    pub global: u32,
    /// Dispatch; 0 is no cap of its own.
    pub high: u32,
    /// Data; 0 is no cap of its own.
    pub normal: u32,
    /// Telemetry; 0 is no cap of its own.
    pub low: u32,
    /// Slots kept for dispatch. A fifth of `global` is a good choice where caps together exceed it.
    pub reserve_high: u32,
    /// Slots kept for data.
    pub reserve_normal: u32,
    /// From this part of a cap on there is a warning.
    pub warn: Ratio,
}

impl Default for Caps {
    fn default() -> Self {
        Caps::of(1_000, 500, 300, 200)
    }
}

impl Caps {
    /// For the role that lets requests in.
    pub const GATE: Caps = Caps::of(2_000, 1_000, 600, 400);
    /// For the role that coordinates.
    pub const MANAGER: Caps = Caps::of(5_000, 2_500, 1_500, 1_000);
    /// For the role that executes.
    pub const WORKER: Caps = Caps::of(500, 250, 150, 100);

    /// These caps, no reserves, a warning at 80 %.
    pub const fn of(global: u32, high: u32, normal: u32, low: u32) -> Self {
        Caps { global, high, normal, low, reserve_high: 0, reserve_normal: 0, warn: Ratio::percent(80) }
    }

    /// Checks every number.
    ///
    /// # Errors
    /// [`Invalid`] for a global cap of 0, reserves above the global cap, a warning at nothing.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.global == 0 {
            return Err(Invalid::new("global", 0, "at least 1"));
        }
        let reserved = u64::from(self.reserve_high) + u64::from(self.reserve_normal);
        if reserved > u64::from(self.global) {
            return Err(Invalid::new("reserves", reserved, "at most the global cap together"));
        }
        if self.warn == Ratio::ZERO {
            return Err(Invalid::new("warn", 0, "more than 0"));
        }
        Ok(())
    }

    fn cap(&self, priority: Priority) -> u64 {
        u64::from(match priority {
            Priority::Critical => 0,
            Priority::High => self.high,
            Priority::Normal => self.normal,
            Priority::Low => self.low,
        })
    }

    fn reserve(&self, priority: Priority) -> u64 {
        u64::from(match priority {
            Priority::High => self.reserve_high,
            Priority::Normal => self.reserve_normal,
            Priority::Critical | Priority::Low => 0,
        })
    }
}

/// Permits that came back, by priority. Shared between a tracker and its permits.
type CameBack = Arc<[AtomicU64; 4]>;

/// One unit of work in flight, for as long as it lives. It cannot be copied: its slot is given back once, for the
/// priority it was taken for.
#[must_use = "a permit gives its slot back when it is dropped"]
#[derive(Debug)]
pub struct Permit {
    priority: Priority,
    came_back: CameBack,
}

impl Permit {
    /// What it was taken for.
    pub fn priority(&self) -> Priority {
        self.priority
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.came_back[self.priority.index()].fetch_add(1, Ordering::Release);
    }
}

/// Which limit was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The cap of all together.
    Global,
    /// The cap of the priority.
    Priority,
    /// What is left is kept for more important work.
    Reserve,
}

/// No permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Full {
    /// What was met.
    pub limit: Limit,
    /// How many are in flight there.
    pub in_flight: u64,
    /// How many may be.
    pub cap: u64,
}

/// Most of a cap is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Whose cap; `None` is the global one.
    pub priority: Option<Priority>,
    /// How many are in flight.
    pub in_flight: u64,
    /// How many may be.
    pub cap: u64,
}

/// What one priority did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Now.
    pub in_flight: u64,
    /// Permits given so far.
    pub acquired_total: u64,
    /// Permits refused so far.
    pub shed_total: u64,
}

/// The tracker. Kept in memory only.
#[derive(Debug)]
pub struct InFlight {
    caps: Caps,
    given: [u64; 4],
    shed: [u64; 4],
    came_back: CameBack,
    /// By priority, and the global cap last.
    warned: [bool; 5],
}

impl InFlight {
    /// Nothing in flight.
    ///
    /// # Errors
    /// As [`Caps::check`].
    pub fn new(caps: Caps) -> Result<Self, Invalid> {
        caps.check()?;
        Ok(InFlight { caps, given: [0; 4], shed: [0; 4], came_back: CameBack::default(), warned: [false; 5] })
    }

    /// Takes a permit, or says what is full. Both are counted.
    ///
    /// # Errors
    /// [`Full`]; never for [`Priority::Critical`].
    pub fn try_acquire(&mut self, priority: Priority) -> Result<Permit, Full> {
        if let Some(full) = self.refused(priority) {
            let shed = &mut self.shed[priority.index()];
            *shed = shed.saturating_add(1);
            return Err(full);
        }
        self.given[priority.index()] += 1;
        Ok(Permit { priority, came_back: self.came_back.clone() })
    }

    /// What is in flight of one priority.
    fn of(&self, priority: Priority) -> u64 {
        let n = priority.index();
        self.given[n] - self.came_back[n].load(Ordering::Acquire)
    }

    /// What would refuse this priority now. Changes nothing.
    pub fn refused(&self, priority: Priority) -> Option<Full> {
        if priority == Priority::Critical {
            return None;
        }
        let (own, total) = (self.of(priority), self.total());
        let cap = self.caps.cap(priority);
        if cap > 0 && own >= cap {
            return Some(Full { limit: Limit::Priority, in_flight: own, cap });
        }
        let global = u64::from(self.caps.global);
        // What control work has taken does not count against a reserve: all the rest stays within the global cap.
        let control = self.of(Priority::Critical);
        if own < self.caps.reserve(priority) && total.saturating_sub(control) < global {
            return None;
        }
        if total >= global {
            return Some(Full { limit: Limit::Global, in_flight: total, cap: global });
        }
        let kept: u64 = Priority::ALL[..priority.index()]
            .iter()
            .map(|above| self.caps.reserve(*above).saturating_sub(self.of(*above)))
            .sum();
        (total + kept >= global).then_some(Full {
            limit: Limit::Reserve,
            in_flight: total,
            cap: global.saturating_sub(kept),
        })
    }

    /// Caps that were just reached by the part that warns; each once, until it falls 10 points below that part.
    pub fn take_warnings(&mut self) -> Vec<Warning> {
        let global = (None, self.total(), u64::from(self.caps.global));
        let each = Priority::ALL.map(|p| (Some(p), self.of(p), self.caps.cap(p)));
        let calm = self.caps.warn.less(Ratio::percent(10));
        let mut out = Vec::new();
        for (place, (priority, in_flight, cap)) in each.into_iter().chain([global]).enumerate() {
            if cap == 0 {
                continue;
            }
            if !self.warned[place] && self.caps.warn.reached(in_flight, cap) {
                self.warned[place] = true;
                out.push(Warning { priority, in_flight, cap });
            } else if !calm.reached(in_flight, cap) || in_flight == 0 {
                self.warned[place] = false;
            }
        }
        out
    }

    /// Other caps from now on. What is in flight stays; above a cap nothing more is let in until enough has ended.
    ///
    /// # Errors
    /// As [`Caps::check`]; the old caps stay.
    pub fn set_caps(&mut self, caps: Caps) -> Result<(), Invalid> {
        caps.check()?;
        self.caps = caps;
        Ok(())
    }

    /// What one priority did.
    pub fn counts(&self, priority: Priority) -> Counts {
        let n = priority.index();
        Counts { in_flight: self.of(priority), acquired_total: self.given[n], shed_total: self.shed[n] }
    }

    /// All that is in flight.
    pub fn total(&self) -> u64 {
        Priority::ALL.into_iter().map(|priority| self.of(priority)).sum()
    }

    /// The caps.
    pub fn caps(&self) -> &Caps {
        &self.caps
    }
}

#[cfg(test)]
#[path = "in_flight_test.rs"]
mod tests;
