//! The journal's time: a steady clock that neither follows the wall clock nor forgets what passed while nothing ran.
//!
//! ```text
//!  journal = wall + offset         moved on by a clock that nobody sets, which counts suspends too
//!  offset  ──► 0                   by at most 1 in 2,000 of the time that passes; a deadline is off by as little
//!  opening: mark (journal, wall, boot) ──► journal + what passed
//! ```
//!
//! | at opening | what passed since the mark |
//! |---|---|
//! | the machine was not booted since | the difference of its clock that nobody sets |
//! | it was, and the wall clock is not behind the mark | the difference of the wall clock |
//! | it was, and the wall clock is behind the mark | not known: nothing, until the wall clock is set right |
//!
//! So a wall clock that was wrong for a while moves no deadline, and a journal that was begun under one keeps its
//! dates off by the same amount, says so, and draws near to the wall clock slowly. It is never set back: what
//! was recorded later is dated later.
//!
//! # Source
//! The rate at which the offset shrinks is that of *adjtime(3)*. `CLOCK_BOOTTIME`: *clock_gettime(2)*; the name of a
//! boot: *random(4)*, `/proc/sys/kernel/random/boot_id`. Linux manual pages.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// The offset shrinks by one part in so many of the time that passes.
pub const SLEW: i64 = 2_000;

/// A wall clock that is off by less was not set; it drifted.
pub const NOTICED: Duration = Duration::from_secs(2);

/// A clock that nobody sets, which begins at zero when the machine is booted and counts suspends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uptime {
    /// Which boot of which machine.
    pub boot: [u8; 16],
    /// Microseconds since then.
    pub us: u64,
}

/// The clocks of the host at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The wall clock, which anybody may set.
    pub wall: Timestamp,
    /// The clock that nobody sets, where there is one.
    pub uptime: Option<Uptime>,
}

/// The journal's time and the clocks of the host at one instant, as kept beside the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The journal's time.
    pub at: Timestamp,
    /// What the host's clocks showed.
    pub host: Reading,
}

impl Mark {
    /// By how much the journal's time is ahead of the wall clock, in microseconds; behind it when negative.
    pub fn offset_us(&self) -> i64 {
        self.at.as_micros().saturating_sub(self.host.wall.as_micros())
    }
}

/// How a journal's time begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The journal's time now.
    pub at: Timestamp,
    /// By how much the wall clock was set ahead (or back, below zero) since the mark; `None` where that cannot be told
    /// from time that passed.
    pub stepped_us: Option<i64>,
    /// How long nothing ran is not known.
    pub unknown: bool,
}

/// The journal's time at opening, from the last commit and the mark, if there is one.
///
/// Without a mark the journal goes on at the wall clock, or at its last commit when the wall clock is behind it.
pub fn start(last_commit: Timestamp, mark: Option<&Mark>, host: &Reading) -> Start {
    let Some(mark) = mark else {
        return Start { at: last_commit.max(host.wall), stepped_us: None, unknown: false };
    };
    let by_wall = host.wall.as_micros().saturating_sub(mark.host.wall.as_micros());
    let by_uptime = match (mark.host.uptime, host.uptime) {
        (Some(before), Some(now)) if before.boot == now.boot => now.us.checked_sub(before.us),
        _ => None,
    };
    let passed = by_uptime.map_or(by_wall.max(0), |us| i64::try_from(us).unwrap_or(i64::MAX));
    Start {
        at: last_commit.max(Timestamp::from_micros(mark.at.as_micros().saturating_add(passed))),
        stepped_us: by_uptime.map(|_| by_wall.saturating_sub(passed)),
        unknown: by_uptime.is_none() && by_wall < 0,
    }
}

/// By how much the journal's time is moved, back when negative, after `passed`: nearer to the wall clock, and never by
/// more than the time that passed allows.
pub fn slew(offset_us: i64, passed: Duration) -> i64 {
    let most = i64::try_from(passed.as_micros()).unwrap_or(i64::MAX) / SLEW;
    offset_us.saturating_neg().clamp(-most, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * S)
    }

    fn host(wall: i64, boot: u8, up: i64) -> Reading {
        let us = u64::try_from(up * S).unwrap();
        Reading { wall: at(wall), uptime: Some(Uptime { boot: [boot; 16], us }) }
    }

    #[test]
    fn a_new_journal_begins_at_the_wall_clock() {
        let start = start(Timestamp::MIN, None, &host(1_000, 1, 5));
        assert_eq!((start.at, start.stepped_us, start.unknown), (at(1_000), None, false));
    }

    #[test]
    fn a_journal_that_is_two_hours_ahead_counts_the_time_away() {
        // The mark is of a right wall clock; the journal was begun under a wrong one.
        let mark = Mark { at: at(8_200), host: host(1_000, 1, 5) };
        for later in [host(1_006, 1, 11), host(1_006, 2, 1)] {
            assert_eq!(start(at(8_200), Some(&mark), &later).at, at(8_206), "{later:?}");
        }
    }

    #[test]
    fn a_wall_clock_that_was_set_while_the_machine_ran_changes_nothing() {
        let mark = Mark { at: at(1_000), host: host(1_000, 1, 5) };
        for step in [-1_000, -20, 0, 20, 315_576_000] {
            let start = start(at(1_002), Some(&mark), &host(1_011 + step, 1, 16));
            assert_eq!((start.at, start.stepped_us, start.unknown), (at(1_011), Some(step * S), false));
        }
    }

    #[test]
    fn after_a_boot_a_wall_clock_behind_the_mark_tells_nothing() {
        let mark = Mark { at: at(1_000), host: host(1_000, 1, 5) };
        let start = start(at(1_002), Some(&mark), &host(900, 2, 1));
        assert_eq!((start.at, start.stepped_us, start.unknown), (at(1_002), None, true));
    }

    #[test]
    fn an_uptime_of_another_host_or_one_that_goes_back_is_not_used() {
        let mark = Mark { at: at(1_000), host: host(1_000, 1, 50) };
        let bare = Reading { wall: at(1_030), uptime: None };
        for later in [host(1_030, 2, 90), host(1_030, 1, 49), bare] {
            let start = start(at(1_000), Some(&mark), &later);
            assert_eq!((start.at, start.stepped_us), (at(1_030), None), "{later:?}");
        }
    }

    #[test]
    fn an_offset_shrinks_by_one_part_in_two_thousand() {
        let hour = Duration::from_secs(3_600);
        assert_eq!(slew(7_200 * S, hour), -1_800_000);
        assert_eq!(slew(-7_200 * S, hour), 1_800_000);
        assert_eq!((slew(5, hour), slew(-5, hour), slew(0, hour), slew(5, Duration::ZERO)), (-5, 5, 0, 0));
        assert_eq!(slew(i64::MIN, hour), 1_800_000);
    }
}
