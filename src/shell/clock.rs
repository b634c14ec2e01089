//! The clocks. This file is the only reader of the OS clock.
//!
//! The system clock never runs backwards: a wall clock that is stepped back is bridged by the monotonic clock,
//! and across a restart the clock starts no earlier than the last commit. A wall clock that jumps ahead is
//! followed, and so is a machine that slept. So a step can neither reopen what was closed nor stretch a deadline
//! without bound. Two kinds of gap are told apart by two monotonic clocks, one of which counts on while the machine
//! is suspended, for those who must not take them for idleness:
//!
//! | gap | monotonic | with suspends | wall |
//! |---|---|---|---|
//! | `suspend` | stands | goes on | goes on |
//! | `clock_jump` | goes on | goes on | jumps ahead |
//!
//! Where there is no clock that counts suspends a suspend looks like a jump.
//!
//! # Source
//! `CLOCK_MONOTONIC` and `CLOCK_BOOTTIME`: *clock_gettime(2)*, Linux manual pages.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::lock;
use crate::core::time::{Downtime, Gap, Timestamp};

/// Shorter gaps are none.
const GAP: Duration = Duration::from_secs(2);

/// Where time comes from.
#[derive(Debug)]
pub enum Clock {
    /// The OS clock.
    System(SystemClock),
    /// Moves only when told to.
    Manual(AtomicI64),
}

impl Clock {
    /// The OS clock, never below `floor`.
    pub fn system(floor: Timestamp) -> Self {
        Clock::System(SystemClock::starting_at(floor.max(wall()), Stopwatch::start().0))
    }

    /// A clock that stands at `start`.
    pub fn manual(start: Timestamp) -> Self {
        Clock::Manual(AtomicI64::new(start.as_micros()))
    }

    /// The present instant; never less than an earlier answer.
    pub fn now(&self) -> Timestamp {
        match self {
            Clock::System(clock) => {
                let awake = clock.anchor.elapsed();
                clock.read(wall(), awake, since_boot().saturating_sub(clock.boot_anchor))
            }
            Clock::Manual(us) => Timestamp::from_micros(us.load(Ordering::Acquire)),
        }
    }

    /// What this process slept through or skipped, after the first `seen`.
    pub fn gaps(&self, seen: usize) -> Vec<Downtime> {
        match self {
            Clock::System(clock) if clock.noted.load(Ordering::Acquire) > seen => {
                lock(&clock.gaps).get(seen..).unwrap_or_default().to_vec()
            }
            Clock::System(_) | Clock::Manual(_) => Vec::new(),
        }
    }

    /// Moves a manual clock forward to `to`; a system clock moves by itself.
    pub fn move_to(&self, to: Timestamp) {
        match self {
            Clock::System(_) => {}
            Clock::Manual(us) => {
                us.fetch_max(to.as_micros(), Ordering::AcqRel);
            }
        }
    }

    /// A system clock goes through a gap.
    #[cfg(test)]
    pub(crate) fn pass(&self, time: Duration, gap: Gap) {
        let Clock::System(clock) = self else { return };
        let last_alive = self.now();
        let mut gaps = lock(&clock.gaps);
        gaps.push(Downtime { last_alive, began: last_alive.plus(time), gap });
        clock.noted.store(gaps.len(), Ordering::Release);
        clock.base.fetch_add(micros(time), Ordering::AcqRel);
    }

    /// True when time moves only by [`Clock::move_to`].
    pub fn is_manual(&self) -> bool {
        matches!(self, Clock::Manual(_))
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
fn wall() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::EPOCH.plus(since)
}

/// Time since the machine was booted, suspends included.
#[cfg(target_os = "linux")]
fn since_boot() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(time).unwrap_or_default()
}

/// Nothing counts suspends here.
#[cfg(not(target_os = "linux"))]
fn since_boot() -> Duration {
    Duration::ZERO
}

/// The OS clock, made monotonic.
#[derive(Debug)]
pub struct SystemClock {
    anchor: Instant,
    /// The clock that counts suspends, at `anchor`.
    boot_anchor: Duration,
    /// How long the machine slept since `anchor`, in microseconds.
    slept: AtomicI64,
    gaps: Mutex<Vec<Downtime>>,
    /// How many gaps there are.
    noted: AtomicUsize,
    /// What the clock would show at `anchor`, moved up whenever the wall clock is ahead.
    base: AtomicI64,
    last: AtomicI64,
}

impl SystemClock {
    fn starting_at(start: Timestamp, anchor: Instant) -> Self {
        SystemClock {
            anchor,
            boot_anchor: since_boot(),
            slept: AtomicI64::new(0),
            gaps: Mutex::default(),
            noted: AtomicUsize::new(0),
            base: AtomicI64::new(start.as_micros()),
            last: AtomicI64::new(start.as_micros()),
        }
    }

    /// The present instant, from the wall clock and the time since the anchor, without and with suspends.
    fn read(&self, wall: Timestamp, awake: Duration, with_suspends: Duration) -> Timestamp {
        let elapsed = micros(awake.max(with_suspends));
        let slept = elapsed.saturating_sub(micros(awake));
        let begins = wall.as_micros().saturating_sub(elapsed);
        let is_gap = || {
            let more =
                |new: i64, old: &AtomicI64| new.saturating_sub(old.load(Ordering::Acquire)) > micros(GAP);
            more(slept, &self.slept) || more(begins, &self.base)
        };
        if is_gap() {
            // Others see the new base only when the gap is noted.
            let mut gaps = lock(&self.gaps);
            if is_gap() {
                self.note(&mut gaps, elapsed, slept, begins);
            }
        }
        let base = self.base.fetch_max(begins, Ordering::AcqRel).max(begins);
        let now = base.saturating_add(elapsed);
        Timestamp::from_micros(self.last.fetch_max(now, Ordering::AcqRel).max(now))
    }

    fn note(&self, gaps: &mut Vec<Downtime>, elapsed: i64, slept: i64, begins: i64) {
        let base = self.base.load(Ordering::Acquire);
        let here = Timestamp::from_micros(base.saturating_add(elapsed));
        let asleep = slept.saturating_sub(self.slept.load(Ordering::Acquire));
        if asleep > micros(GAP) {
            let last_alive = Timestamp::from_micros(here.as_micros().saturating_sub(asleep));
            tracing::warn!(asleep_us = asleep, until = %here, "the machine was suspended");
            gaps.push(Downtime { last_alive, began: here, gap: Gap::Suspend });
        }
        let ahead = begins.saturating_sub(base);
        if ahead > micros(GAP) {
            let began = Timestamp::from_micros(here.as_micros().saturating_add(ahead));
            tracing::warn!(ahead_us = ahead, now = %began, "the wall clock was set ahead");
            gaps.push(Downtime { last_alive: here, began, gap: Gap::ClockJump });
        }
        self.noted.store(gaps.len(), Ordering::Release);
        self.slept.fetch_max(slept, Ordering::AcqRel);
        self.base.fetch_max(begins, Ordering::AcqRel);
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// A stopwatch for measurements that are reported, never decided upon.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[expect(clippy::disallowed_methods, reason = "measures durations for reports only")]
    pub fn start() -> Self {
        Stopwatch(Instant::now())
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(start_ms: i64) -> SystemClock {
        SystemClock::starting_at(Timestamp::from_millis(start_ms), Stopwatch::start().0)
    }

    #[test]
    fn a_wall_clock_stepped_back_neither_goes_back_nor_stands_still() {
        let clock = clock(10_000);
        let read = |wall, elapsed| {
            let elapsed = Duration::from_millis(elapsed);
            clock.read(Timestamp::from_millis(wall), elapsed, elapsed).as_millis()
        };
        assert_eq!(read(10_001, 1), 10_001);
        assert_eq!(read(4_000, 2), 10_002);
        assert_eq!(read(4_500, 502), 10_502);
    }

    #[test]
    fn a_wall_clock_that_jumps_ahead_is_followed() {
        let clock = clock(10_000);
        let read = |wall, elapsed| {
            let elapsed = Duration::from_millis(elapsed);
            clock.read(Timestamp::from_millis(wall), elapsed, elapsed).as_millis()
        };
        assert_eq!(read(70_000, 5), 70_000);
        assert_eq!(read(10_006, 6), 70_001);
    }

    #[test]
    fn a_suspend_and_a_jump_are_told_apart_and_each_is_noted_once() {
        let clock = Clock::System(clock(10_000));
        let Clock::System(system) = &clock else { panic!() };
        let read = |wall, awake, with_suspends| {
            let (awake, with) = (Duration::from_millis(awake), Duration::from_millis(with_suspends));
            system.read(Timestamp::from_millis(wall), awake, with).as_millis()
        };
        assert_eq!(read(11_000, 1_000, 1_000), 11_000);
        assert_eq!((read(13_000, 1_000, 3_000), clock.gaps(0)), (13_000, vec![]), "two seconds are no gap");
        assert_eq!(read(70_000, 2_000, 60_000), 70_000);
        assert_eq!(read(70_001, 2_001, 60_001), 70_001);
        let gap = |last_alive, began, gap| Downtime {
            last_alive: Timestamp::from_millis(last_alive),
            began: Timestamp::from_millis(began),
            gap,
        };
        let suspend = gap(12_000, 70_000, Gap::Suspend);
        assert_eq!(clock.gaps(0), [suspend]);
        assert_eq!(read(72_003, 2_003, 60_003), 72_003, "a small step is followed and no gap");
        assert_eq!(read(72_103, 2_003, 60_003), 72_103);
        assert_eq!(read(99_999, 2_103, 60_103), 99_999);
        assert_eq!(clock.gaps(0), [suspend, gap(72_203, 99_999, Gap::ClockJump)]);
        assert_eq!(read(200_000, 3_103, 151_103), 200_000, "both at once");
        assert_eq!(
            clock.gaps(2),
            [gap(100_999, 190_999, Gap::Suspend), gap(190_999, 200_000, Gap::ClockJump)]
        );
        assert_eq!(read(100, 3_104, 151_104), 200_001);
        assert_eq!(clock.gaps(4), []);
    }

    #[test]
    fn a_manual_clock_only_moves_forward() {
        let clock = Clock::manual(Timestamp::from_millis(5));
        clock.move_to(Timestamp::from_millis(9));
        clock.move_to(Timestamp::from_millis(7));
        assert_eq!(clock.now().as_millis(), 9);
    }
}
