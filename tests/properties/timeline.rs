//! The journal's time over many lives, beside a twin that only adds up what really passed.

use proptest::prelude::*;
use quorate_core::kernel::time::Timestamp;
use quorate_core::kernel::timeline::{Mark, Reading, SLEW, Uptime, slew, start};
use std::time::Duration;

#[derive(Clone, Debug)]
enum Happens {
    /// The process serves for so long, and marks the time so long before it dies.
    Serves { us: u64, marked_before: u64 },
    /// Nothing runs for so long.
    Away { us: u64 },
    /// The wall clock is set, while a process serves or not.
    Set { by_us: i64 },
    /// The machine is booted.
    Boots,
}

fn happens() -> impl Strategy<Value = Happens> {
    let long = 0..4_000_000_000u64;
    prop_oneof![
        3 => (long.clone(), 0..5_000_000u64).prop_map(|(us, marked_before)| Happens::Serves { us, marked_before }),
        3 => long.prop_map(|us| Happens::Away { us }),
        2 => (-9_000_000_000..9_000_000_000i64).prop_map(|by_us| Happens::Set { by_us }),
        1 => Just(Happens::Boots),
    ]
}

/// A machine, and a journal on it.
struct World {
    real: u64,
    wall_off: i64,
    boot: u8,
    booted: u64,
    mark: Option<Mark>,
    last_commit: Timestamp,
    /// Whether anything happened since the mark that hides how much time passed.
    booted_since: bool,
    set_since: bool,
}

impl World {
    fn host(&self, ago: u64) -> Reading {
        let at = self.real - ago;
        let uptime = Uptime { boot: [self.boot; 16], us: at.saturating_sub(self.booted) };
        Reading { wall: Timestamp::from_micros(at as i64 + self.wall_off), uptime: Some(uptime) }
    }
}

proptest! {
    #[test]
    fn what_passed_is_added_whenever_it_can_be_known_and_time_never_goes_back(
        script in prop::collection::vec(happens(), 1..40),
    ) {
        let mut world = World {
            real: 1_000_000_000_000_000, wall_off: 0, boot: 0, booted: 999_999_000_000_000, mark: None,
            last_commit: Timestamp::MIN, booted_since: false, set_since: false,
        };
        // The twin: the journal's time minus the real one, for as long as nothing hid how much passed.
        let mut twin: Option<i64> = None;
        for what in script {
            match what {
                Happens::Away { us } => world.real += us,
                Happens::Set { by_us } => {
                    world.wall_off += by_us;
                    world.set_since = true;
                }
                Happens::Boots => {
                    world.boot = world.boot.wrapping_add(1);
                    world.booted = world.real;
                    world.booted_since = true;
                }
                Happens::Serves { us, marked_before } => {
                    let begun = start(world.last_commit, world.mark.as_ref(), &world.host(0));
                    prop_assert!(begun.at >= world.last_commit);
                    let off = begun.at.as_micros() - world.real as i64;
                    let known = !(world.booted_since && world.set_since);
                    if let Some(twin) = twin.filter(|_| known) {
                        prop_assert_eq!(off, twin, "exactly what really passed");
                    }
                    twin = Some(off);
                    world.real += us;
                    let marked_before = marked_before.min(us);
                    world.last_commit = begun.at.plus(Duration::from_micros(us));
                    let at = begun.at.plus(Duration::from_micros(us - marked_before));
                    world.mark = Some(Mark { at, host: world.host(marked_before) });
                    (world.booted_since, world.set_since) = (false, false);
                }
            }
        }
    }

    #[test]
    fn an_offset_only_shrinks_and_never_faster_than_one_part_in_two_thousand(
        offset in any::<i64>(), passed_us in 0..1_000_000_000_000u64,
    ) {
        let moved = slew(offset, Duration::from_micros(passed_us));
        prop_assert!(moved.unsigned_abs() <= passed_us / SLEW.unsigned_abs());
        let left = offset.saturating_add(moved);
        prop_assert!(left.unsigned_abs() <= offset.unsigned_abs());
        prop_assert!(left == 0 || left.signum() == offset.signum());
    }
}
