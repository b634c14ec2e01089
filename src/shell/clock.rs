//! The clocks. This file is the only reader of the OS clock.
//!
//! The system clock never runs backwards: a wall clock that is stepped back is bridged by the monotonic clock,
//! and across a restart the clock starts no earlier than the last commit. A wall clock that jumps ahead is
//! followed (a machine that slept has missed its deadlines). So a step can neither reopen what was closed nor
//! stretch a deadline without bound.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use crate::core::time::Timestamp;

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
            Clock::System(clock) => clock.read(wall(), clock.anchor.elapsed()),
            Clock::Manual(us) => Timestamp::from_micros(us.load(Ordering::Acquire)),
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

/// The OS clock, made monotonic.
#[derive(Debug)]
pub struct SystemClock {
    anchor: Instant,
    /// What the clock would show at `anchor`, moved up whenever the wall clock is ahead.
    base: AtomicI64,
    last: AtomicI64,
}

impl SystemClock {
    fn starting_at(start: Timestamp, anchor: Instant) -> Self {
        SystemClock {
            anchor,
            base: AtomicI64::new(start.as_micros()),
            last: AtomicI64::new(start.as_micros()),
        }
    }

    fn read(&self, wall: Timestamp, elapsed: Duration) -> Timestamp {
        let elapsed = i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX);
        let base = self.base.fetch_max(wall.as_micros().saturating_sub(elapsed), Ordering::AcqRel);
        let now = base.saturating_add(elapsed).max(wall.as_micros());
        Timestamp::from_micros(self.last.fetch_max(now, Ordering::AcqRel).max(now))
    }
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
            clock.read(Timestamp::from_millis(wall), Duration::from_millis(elapsed)).as_millis()
        };
        assert_eq!(read(10_001, 1), 10_001);
        assert_eq!(read(4_000, 2), 10_002);
        assert_eq!(read(4_500, 502), 10_502);
    }

    #[test]
    fn a_wall_clock_that_jumps_ahead_is_followed() {
        let clock = clock(10_000);
        let read = |wall, elapsed| {
            clock.read(Timestamp::from_millis(wall), Duration::from_millis(elapsed)).as_millis()
        };
        assert_eq!(read(70_000, 5), 70_000);
        assert_eq!(read(10_006, 6), 70_001);
    }

    #[test]
    fn a_manual_clock_only_moves_forward() {
        let clock = Clock::manual(Timestamp::from_millis(5));
        clock.move_to(Timestamp::from_millis(9));
        clock.move_to(Timestamp::from_millis(7));
        assert_eq!(clock.now().as_millis(), 9);
    }
}
