//! Does load shedding come to rest? Experiments in virtual time, the same for the same seed.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate::core::pressure::{
    Body, DecayConfig, FlushConfig, FlushPlanner, Grants, PaceConfig, Peers, Update,
};
use quorate::core::rng::Rng;
use quorate::core::shed::{Cause, Detector, DetectorConfig, Load, Observed, QueueConfig, Readings};
use quorate::core::stats::{
    Decoded, Level, Sample, SignalConfig, Signaller, StatsBuffer, StatsConfig, WireSignal,
};
use quorate::core::time::Timestamp;

use crate::load::{Setup, World};

fn ms(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

const ALL_ON: Setup = Setup { seed: 0, limit: true, signals: true };

/// Ten seconds as usual, ten at ten times the load, ten as usual.
fn step(setup: Setup) -> World {
    let mut world = World::new(setup);
    world.run(10_000, 1);
    world.run(10_000, 10);
    world.run(12_000, 1);
    world
}

#[test]
fn control_keeps_its_goodput_through_ten_times_the_load_and_all_comes_back() {
    for seed in 0..6 {
        for setup in [ALL_ON, Setup { limit: false, ..ALL_ON }, Setup { signals: false, ..ALL_ON }] {
            let world = step(Setup { seed, ..setup });
            let report = format!(
                "{setup:?} seed {seed}: before {:?}, step {:?} at {}/s, after {:?}, control at most {} ms, {} waiting, {:?}",
                world.goodput(1, 10),
                world.goodput(10, 20),
                world.served(10, 20),
                world.goodput(24, 32),
                world.longest_control_ms,
                world.most_waiting,
                world.transitions,
            );
            println!("{report}");
            for second in 0..32 {
                assert_eq!(world.goodput(second, second + 1)[0], 100, "second {second}, {report}");
            }
            assert_eq!(world.goodput(1, 10), [100; 4], "{report}");
            assert_eq!(world.goodput(24, 32), [100; 4], "{report}");
            assert!(world.longest_control_ms <= 50, "{report}");
        }
    }
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let run = |seed| {
        let mut world = World::new(Setup { seed, ..ALL_ON });
        world.run(2_000, 1);
        world.run(3_000, 10);
        (world.seconds, world.transitions)
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7).0, run(8).0);
}
