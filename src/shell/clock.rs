//! The clocks. This file is the only reader of the OS clock.
//!
//! The system clock is steady: it goes on with the clock of the machine that nobody sets and that counts suspends, and
//! never runs backwards, also over restarts ([`timeline`] says what a restart adds). The wall
//! clock only says how far off it is. So a wall clock that is set neither reopens what was closed, nor closes
//! anything early, nor stretches a deadline. What an entity may have to leave out or to put on record is noted:
//!
//! | noted | monotonic | with suspends | wall | calls of [`Clock::now`] |
//! |---|---|---|---|---|
//! | `suspend` | stands | goes on | goes on | none |
//! | `pause` | goes on | goes on | goes on | none, although [`Clock::pulse`] comes every `PULSE` |
//! | a step | goes on | goes on | jumps | come |
//!
//! Where there is no clock that counts suspends, time stands still in one, and the wall clock seems to jump.
//!
//! # Source
//! `CLOCK_MONOTONIC` and `CLOCK_BOOTTIME`: *clock_gettime(2)*, Linux manual pages.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use super::lock;
use crate::core::kernel::time::{ClockStep, Downtime, Gap, Timestamp};
use crate::core::kernel::timeline::{self, Mark, NOTICED, Reading, Start, Uptime};

/// Shorter gaps are none.
const GAP: Duration = Duration::from_secs(2);

/// How often the clock is looked at while a process serves, whatever else happens.
pub(crate) const PULSE: Duration = Duration::from_millis(250);

/// What reached the process in a gap waits in sockets and mailboxes. It is read in this time after the gap, which is
/// left out with it, so that nobody is judged by what was only not read yet.
const GRACE: Duration = Duration::from_secs(1);

/// How often the journal's time is drawn near to the wall clock.
const DRAWN_EVERY: Duration = Duration::from_secs(1);

/// How much is remembered for entities that are asleep meanwhile.
const REMEMBERED: usize = 1024;

/// Something about the time of this process that an entity may have to put on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// Nobody could see anything.
    Gap(Downtime),
    /// The wall clock was set.
    Step(ClockStep),
}

/// Where time comes from.
#[derive(Debug)]
pub enum Clock {
    /// The OS clock.
    System(SystemClock),
    /// Moves only when told to.
    Manual(AtomicI64),
}

impl Clock {
    /// The OS clock of a journal whose last commit and last mark are these.
    pub fn system(last_commit: Timestamp, mark: Option<&Mark>) -> Self {
        let host = reading();
        let start = timeline::start(last_commit, mark, &host);
        if start.unknown {
            tracing::warn!(
                wall = %host.wall,
                "the wall clock is behind where it was when this journal was last open, and the machine was booted \
                 since; how long nothing ran is not known and counts as nothing"
            );
        }
        let clock = SystemClock::starting_at(&start, host.wall, Stopwatch::start().0);
        // A wall clock that tells nothing now may tell it later.
        let lost = mark.filter(|_| start.unknown).map(Mark::offset_us);
        lock(&clock.wall).lost = lost;
        let clock = Clock::System(clock);
        clock.warn_if_off();
        clock
    }

    /// A clock that stands at `start`.
    pub fn manual(start: Timestamp) -> Self {
        Clock::Manual(AtomicI64::new(start.as_micros()))
    }

    /// The present instant; never less than an earlier answer.
    pub fn now(&self) -> Timestamp {
        match self {
            Clock::System(clock) => {
                let (awake, with_suspends) = clock.passed();
                clock.read(awake, with_suspends)
            }
            Clock::Manual(us) => Timestamp::from_micros(us.load(Ordering::Acquire)),
        }
    }

    /// The latest instant that anybody can name: now, or that of the wall clock where the journal's time stands, as while
    /// nobody has it open.
    pub fn latest(&self) -> Timestamp {
        if self.is_manual() { self.now() } else { self.now().max(wall()) }
    }

    /// Looks at the wall clock and draws near to it. To be called every `PULSE`; until it was for the first time, a
    /// process that does not look at the clock is no sign of a pause. True when the wall clock was set.
    pub fn pulse(&self) -> bool {
        let Clock::System(clock) = self else { return false };
        let now = self.now();
        clock.last.fetch_max(now.as_micros(), Ordering::AcqRel);
        clock.pulsing.store(true, Ordering::Release);
        let elapsed = || {
            let (awake, with_suspends) = clock.passed();
            awake.max(with_suspends)
        };
        let before = elapsed();
        let wall = wall();
        // Stopped in between the two, the process would take the time for a step of the wall clock.
        elapsed().saturating_sub(before) < PULSE && clock.observe(wall, before)
    }

    /// What was noted after the first `seen`, and how much was noted in all.
    pub fn noted_after(&self, seen: usize) -> (Vec<Noted>, usize) {
        match self {
            Clock::System(clock) if clock.count.load(Ordering::Acquire) > seen => {
                lock(&clock.noted).after(seen)
            }
            Clock::System(_) | Clock::Manual(_) => (Vec::new(), seen),
        }
    }

    /// When the last gap ended, if there was one.
    pub fn last_gap(&self) -> Option<Timestamp> {
        match self {
            Clock::System(clock) if clock.count.load(Ordering::Acquire) > 0 => lock(&clock.noted).last_gap,
            Clock::System(_) | Clock::Manual(_) => None,
        }
    }

    /// How many gaps and how many steps were noted.
    pub fn counts(&self) -> (u64, u64) {
        match self {
            Clock::System(clock) => {
                let noted = lock(&clock.noted);
                (noted.gaps, noted.steps)
            }
            Clock::Manual(_) => (0, 0),
        }
    }

    /// What is to be kept beside the journal.
    pub fn mark(&self) -> Mark {
        match self {
            Clock::System(_) => Mark { at: self.now(), host: reading() },
            Clock::Manual(_) => Mark { at: self.now(), host: Reading { wall: self.now(), uptime: None } },
        }
    }

    /// By how much the journal's time is ahead of the wall clock, in microseconds; behind it when negative.
    pub fn offset_us(&self) -> i64 {
        self.mark().offset_us()
    }

    /// The offset, when it is more than drift.
    pub fn off_by_us(&self) -> Option<i64> {
        Some(self.offset_us()).filter(|offset| offset.unsigned_abs() > NOTICED.as_micros() as u64)
    }

    fn warn_if_off(&self) {
        if let Some(offset_us) = self.off_by_us() {
            tracing::warn!(
                offset_ms = offset_us / 1_000,
                now = %self.now(),
                "the journal's time is not that of the wall clock; deadlines are right, dates are off by this much"
            );
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
        let began = last_alive.plus(time);
        clock.note(&mut lock(&clock.noted), Noted::Gap(Downtime { last_alive, began, gap }));
        clock.base.fetch_add(micros(time), Ordering::AcqRel);
        clock.last.fetch_max(began.as_micros(), Ordering::AcqRel);
    }

    /// The wall clock is set.
    #[cfg(test)]
    pub(crate) fn step(&self, by_us: i64) {
        let Clock::System(clock) = self else { return };
        let (awake, with_suspends) = clock.passed();
        clock.observe(Timestamp::from_micros(wall().as_micros() + by_us), awake.max(with_suspends));
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

/// The clocks of this host.
fn reading() -> Reading {
    let us = u64::try_from(since_boot().as_micros()).unwrap_or(u64::MAX);
    Reading { wall: wall(), uptime: boot().map(|boot| Uptime { boot, us }) }
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

/// The name of the boot of this machine, where it has one.
fn boot() -> Option<[u8; 16]> {
    static BOOT: OnceLock<Option<[u8; 16]>> = OnceLock::new();
    *BOOT.get_or_init(|| boot_of(&std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?))
}

fn boot_of(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.trim().chars().filter(|c| *c != '-').collect();
    u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32).map(u128::to_be_bytes)
}

/// The OS clock, made steady.
#[derive(Debug)]
pub struct SystemClock {
    anchor: Instant,
    /// The clock that counts suspends, at `anchor`.
    boot_anchor: Duration,
    /// How long the machine slept since `anchor`, in microseconds.
    slept: AtomicI64,
    noted: Mutex<Notes>,
    /// How much was noted.
    count: AtomicUsize,
    /// What the clock would show at `anchor`; moves only as the journal's time draws near to the wall clock.
    base: AtomicI64,
    last: AtomicI64,
    /// Somebody looks at the clock regularly, so that nobody looking is a pause.
    pulsing: AtomicBool,
    wall: Mutex<Wall>,
}

/// What was seen of the wall clock.
#[derive(Debug)]
struct Wall {
    /// What it would have shown at the anchor.
    base: i64,
    /// Microseconds after the anchor up to which the journal's time was drawn near to it.
    drawn: i64,
    /// How long nothing ran is not known; the journal's time was that much ahead of the wall clock at the mark.
    lost: Option<i64>,
}

/// What was noted.
#[derive(Debug, Default)]
struct Notes {
    /// How many are forgotten.
    forgotten: usize,
    kept: VecDeque<Noted>,
    last_gap: Option<Timestamp>,
    gaps: u64,
    steps: u64,
}

impl Notes {
    fn after(&self, seen: usize) -> (Vec<Noted>, usize) {
        let skipped = seen.saturating_sub(self.forgotten);
        (self.kept.iter().skip(skipped).copied().collect(), self.forgotten + self.kept.len())
    }
}

impl SystemClock {
    fn starting_at(start: &Start, wall: Timestamp, anchor: Instant) -> Self {
        let clock = SystemClock {
            anchor,
            boot_anchor: since_boot(),
            slept: AtomicI64::new(0),
            noted: Mutex::default(),
            count: AtomicUsize::new(0),
            base: AtomicI64::new(start.at.as_micros()),
            last: AtomicI64::new(start.at.as_micros()),
            pulsing: AtomicBool::new(false),
            wall: Mutex::new(Wall { base: wall.as_micros(), drawn: 0, lost: None }),
        };
        if let Some(by_us) = start.stepped_us.filter(|us| us.unsigned_abs() > NOTICED.as_micros() as u64) {
            tracing::warn!(by_ms = by_us / 1_000, "the wall clock was set since this journal was last open");
            clock.note(&mut lock(&clock.noted), Noted::Step(ClockStep { at: start.at, by_us }));
        }
        clock
    }

    /// Time since the anchor, without and with suspends.
    fn passed(&self) -> (Duration, Duration) {
        (self.anchor.elapsed(), since_boot().saturating_sub(self.boot_anchor))
    }

    /// The present instant, from the time since the anchor, without and with suspends.
    fn read(&self, awake: Duration, with_suspends: Duration) -> Timestamp {
        let elapsed = micros(awake.max(with_suspends));
        let slept = elapsed.saturating_sub(micros(awake));
        let here = self.base.load(Ordering::Acquire).saturating_add(elapsed);
        let is_gap = || {
            let silent = here.saturating_sub(self.last.load(Ordering::Acquire));
            let asleep = slept.saturating_sub(self.slept.load(Ordering::Acquire));
            asleep > micros(GAP) || silent > micros(GAP) && self.pulsing.load(Ordering::Acquire)
        };
        if is_gap() {
            // Others see the new instant only when the gap is noted.
            let mut noted = lock(&self.noted);
            if is_gap() {
                self.note_gaps(&mut noted, here, slept);
            }
        }
        Timestamp::from_micros(self.last.fetch_max(here, Ordering::AcqRel).max(here))
    }

    fn note_gaps(&self, noted: &mut Notes, here: i64, slept: i64) {
        let asleep = slept.saturating_sub(self.slept.fetch_max(slept, Ordering::AcqRel)).max(0);
        let last = self.last.load(Ordering::Acquire);
        let suspended = if asleep > micros(GAP) { asleep } else { 0 };
        let began = here.saturating_sub(suspended);
        let gap = |from: i64, to: i64, gap| {
            let last_alive = Timestamp::from_micros(from.saturating_sub(micros(GRACE)));
            Noted::Gap(Downtime { last_alive, began: Timestamp::from_micros(to), gap })
        };
        if began.saturating_sub(last) > micros(GAP) && self.pulsing.load(Ordering::Acquire) {
            tracing::warn!(paused_us = began - last, "the process did not run for a while");
            self.note(noted, gap(last, began, Gap::Pause));
        }
        if suspended > 0 {
            tracing::warn!(asleep_us = suspended, "the machine was suspended");
            self.note(noted, gap(began, here, Gap::Suspend));
        }
        self.last.fetch_max(here, Ordering::AcqRel);
    }

    fn note(&self, noted: &mut Notes, what: Noted) {
        match what {
            Noted::Gap(gap) => {
                noted.last_gap = noted.last_gap.max(Some(gap.began));
                noted.gaps += 1;
            }
            Noted::Step(_) => noted.steps += 1,
        }
        noted.kept.push_back(what);
        if noted.kept.len() > REMEMBERED {
            noted.kept.pop_front();
            noted.forgotten += 1;
        }
        self.count.store(noted.forgotten + noted.kept.len(), Ordering::Release);
    }

    /// Takes notice of the wall clock, at this time since the anchor. True when it was set.
    fn observe(&self, wall: Timestamp, elapsed: Duration) -> bool {
        let elapsed = micros(elapsed);
        let mut seen = lock(&self.wall);
        let base = wall.as_micros().saturating_sub(elapsed);
        let step = base.saturating_sub(seen.base);
        seen.base = base;
        let here = self.base.load(Ordering::Acquire).saturating_add(elapsed);
        let stepped = step.unsigned_abs() > NOTICED.as_micros() as u64;
        if stepped {
            let at = Timestamp::from_micros(self.last.load(Ordering::Acquire).max(here));
            tracing::warn!(by_ms = step / 1_000, %wall, now = %at, "the wall clock was set; deadlines stay");
            self.note(&mut lock(&self.noted), Noted::Step(ClockStep { at, by_us: step }));
        }
        if let Some(ahead) = seen.lost {
            let missed = wall.as_micros().saturating_add(ahead).saturating_sub(here);
            if missed > micros(GAP) {
                self.catch_up(here, missed);
                seen.lost = None;
            }
        }
        let passed = Duration::from_micros(u64::try_from(elapsed.saturating_sub(seen.drawn)).unwrap_or(0));
        let offset = self.base.load(Ordering::Acquire).saturating_sub(base);
        // Rarely, so that what is rounded off does not add up.
        if passed >= DRAWN_EVERY {
            self.base.fetch_add(timeline::slew(offset, passed), Ordering::AcqRel);
            seen.drawn = elapsed;
        }
        stepped
    }

    /// The wall clock was set right, and tells how long nothing had run when this process began.
    fn catch_up(&self, here: i64, missed: i64) {
        let mut noted = lock(&self.noted);
        let began = here.saturating_add(missed);
        tracing::warn!(missed_ms = missed / 1_000, "the wall clock tells now how long nothing ran");
        let (last_alive, began) = (Timestamp::from_micros(here), Timestamp::from_micros(began));
        self.note(&mut noted, Noted::Gap(Downtime { last_alive, began, gap: Gap::Suspend }));
        self.last.fetch_max(began.as_micros(), Ordering::AcqRel);
        self.base.fetch_add(missed, Ordering::AcqRel);
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

    /// One that was started so long ago.
    #[cfg(test)]
    pub(crate) fn started(ago: Duration) -> Self {
        let now = Self::start().0;
        Stopwatch(now.checked_sub(ago).unwrap_or(now))
    }
}

#[cfg(test)]
#[path = "clock_test.rs"]
mod tests;
