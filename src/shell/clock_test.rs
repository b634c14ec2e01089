//! The steady clock under a wall clock that is set, a machine that sleeps and a process that does not run.

use super::*;
use crate::core::kernel::timeline::SLEW;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A clock and a wall clock that agree at the start.
fn clock(start_ms: i64) -> SystemClock {
    let start = Start { at: at(start_ms), stepped_us: None, unknown: false };
    SystemClock::starting_at(&start, at(start_ms), Stopwatch::start().0)
}

fn noted(clock: &SystemClock) -> Vec<Noted> {
    lock(&clock.noted).after(0).0
}

fn gap(last_alive: i64, began: i64, gap: Gap) -> Noted {
    Noted::Gap(Downtime { last_alive: at(last_alive), began: at(began), gap })
}

fn step(at_ms: i64, by_ms: i64) -> Noted {
    Noted::Step(ClockStep { at: at(at_ms), by_us: by_ms * 1_000 })
}

#[test]
fn a_wall_clock_that_is_set_moves_no_instant_and_each_step_is_noted_once() {
    let clock = clock(10_000);
    let pulse = |wall, elapsed| {
        let now = clock.read(ms(elapsed), ms(elapsed)).as_millis();
        (now, clock.observe(at(wall), ms(elapsed)))
    };
    assert_eq!(pulse(10_001, 1), (10_001, false));
    assert_eq!(pulse(70_002, 2), (10_002, true), "60 s ahead");
    assert_eq!(pulse(70_003, 3), (10_003, false));
    assert_eq!(pulse(4_004, 4), (10_004, true), "and back");
    assert_eq!(pulse(6_003, 5), (10_005, false), "less than two seconds is no step");
    assert_eq!(noted(&clock), [step(10_002, 60_000), step(10_004, -66_000)]);
}

#[test]
fn the_offset_shrinks_by_one_part_in_two_thousand_and_time_never_goes_back() {
    for (ahead, to) in [(7_200_000, 7_198_200), (-7_200_000, -7_198_200), (100, 0), (-100, 0)] {
        let start = Start { at: at(ahead), stepped_us: None, unknown: false };
        let clock = SystemClock::starting_at(&start, at(0), Stopwatch::start().0);
        let mut last = Timestamp::MIN;
        for pulse in (0..=3_600_000).step_by(250) {
            let now = clock.read(ms(pulse), ms(pulse));
            assert!(now >= last);
            last = now;
            clock.observe(at(pulse as i64), ms(pulse));
        }
        let offset = clock.base.load(Ordering::Acquire);
        assert_eq!(offset / 1_000, to, "{ahead} ms ahead, after an hour at 1 in {SLEW}");
        assert_eq!(noted(&clock), []);
    }
}

#[test]
fn a_suspend_and_a_pause_are_told_apart_and_each_is_noted_once() {
    let clock = clock(10_000);
    let read = |awake, with_suspends| clock.read(ms(awake), ms(with_suspends)).as_millis();
    assert_eq!(read(9_000, 9_000), 19_000);
    assert_eq!(noted(&clock), [], "nobody looks at the clock yet, so it is no pause");
    clock.pulsing.store(true, Ordering::Release);
    assert_eq!(read(11_000, 11_000), 21_000);
    assert_eq!(read(11_000, 13_000), 23_000);
    assert_eq!(noted(&clock), [], "two seconds are no gap");
    assert_eq!(read(12_000, 70_000), 80_000);
    assert_eq!(read(12_001, 70_001), 80_001);
    let suspend = gap(21_000, 80_000, Gap::Suspend);
    assert_eq!(noted(&clock), [suspend]);
    assert_eq!(read(29_001, 87_001), 97_001);
    assert_eq!(read(29_002, 87_002), 97_002);
    let pause = gap(79_001, 97_001, Gap::Pause);
    assert_eq!(noted(&clock), [suspend, pause], "a second before it is left out with it");
    assert_eq!(read(39_002, 117_002), 127_002, "both at once");
    assert_eq!(noted(&clock)[2..], [gap(96_002, 107_002, Gap::Pause), gap(106_002, 127_002, Gap::Suspend)]);
    assert_eq!(lock(&clock.noted).last_gap, Some(at(127_002)));
}

#[test]
fn a_wall_clock_that_is_set_right_tells_how_long_nothing_ran() {
    // Booted with a wall clock of long ago, the journal begins where it was left.
    let start = Start { at: at(500_000), stepped_us: None, unknown: true };
    let clock = SystemClock::starting_at(&start, at(0), Stopwatch::start().0);
    lock(&clock.wall).lost = Some(0);
    assert_eq!(clock.read(ms(100), ms(100)), at(500_100));
    assert!(clock.observe(at(800_100), ms(100)));
    assert_eq!(clock.read(ms(101), ms(101)), at(800_101));
    let expected = [step(500_100, 800_000), gap(500_100, 800_100, Gap::Suspend)];
    assert_eq!(noted(&clock), expected);
    // Once is enough.
    assert!(clock.observe(at(900_102), ms(102)));
    assert_eq!(clock.read(ms(103), ms(103)), at(800_103));
}

#[test]
fn what_was_noted_is_told_to_each_once_and_only_so_much_is_remembered() {
    let clock = clock(0);
    for n in 1..=1_100 {
        assert!(clock.observe(at(n * 5_000 + 1), ms(1)));
    }
    let clock = Clock::System(clock);
    let (all, told) = clock.noted_after(0);
    assert_eq!((all.len(), told, clock.counts()), (REMEMBERED, 1_100, (0, 1_100)));
    let (rest, told) = clock.noted_after(1_098);
    assert_eq!((rest, told), (vec![step(1, 5_000); 2], 1_100));
    assert_eq!(clock.noted_after(1_100), (vec![], 1_100));
}

#[test]
fn a_boot_has_a_name() {
    assert_eq!(
        boot_of("00000000-0000-0000-0000-000000000102\n").map(|name| name[14..].to_vec()),
        Some(vec![1, 2])
    );
    assert_eq!(boot_of("not a name"), None);
    assert_eq!(boot_of("12"), None);
}

#[test]
fn a_manual_clock_only_moves_forward() {
    let clock = Clock::manual(at(5));
    clock.move_to(at(9));
    clock.move_to(at(7));
    assert_eq!(clock.now().as_millis(), 9);
    assert_eq!((clock.offset_us(), clock.pulse(), clock.last_gap()), (0, false, None));
}
