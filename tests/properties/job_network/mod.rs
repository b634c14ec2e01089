//! One job over its gate, three managers and two workers, on a network that loses, doubles, delays and reorders, with
//! processes that die at any moment and clocks that jump ahead.
//!
//! ```text
//!  random commands ──► gate ◄────── letters ──────► 3 managers ◄────── letters ──────► 2 workers
//!                       └ each a process of its own: a driver, a clock, a life that ends and begins again
//! ```
//!
//! Everything follows from a seed. After the last command faults stop and time passes until nothing is left to happen;
//! then all must agree. A failure prints the line that plays it again; with fewer steps it is often shorter.

mod laws;
mod node;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use quorate_core::jobs::gate::{
    self, Datacenters, Gate, GateMachine, GlobalRule, Target, TimeoutPolicy, Track,
};
use quorate_core::jobs::manager::heard::{LatestProgress, Memory};
use quorate_core::jobs::manager::outbox::{Notice, Recipient};
use quorate_core::jobs::manager::{self as job, Heard, Job, JobMachine, Phase, Reply, Submit};
use quorate_core::jobs::protocol::message::*;
use quorate_core::jobs::protocol::token::{FenceToken, GateEpoch};
use quorate_core::jobs::worker::{self, Worker, WorkerMachine};
use quorate_core::kernel::Machine;
use quorate_core::kernel::driver::Driver;
use quorate_core::kernel::ids::EntityId;
use quorate_core::kernel::rng::Rng;
use quorate_core::kernel::time::{Downtime, Gap, Timestamp};
use quorate_journal::codec::{decode, encode};

use world::World;

const MS: i64 = 1_000;
const S: i64 = 1_000 * MS;
const BUDGET_MS: u64 = 60_000;
const STUCK_MS: u64 = 25_000;
const DCS: [&str; 3] = ["a", "b", "c"];
/// Each serves the datacenter of its number.
const WORKERS: [&str; 2] = ["w", "x"];
/// Longest time from the end of all faults until nothing is left to happen.
const HEALS: i64 = 3_600 * S;
/// `seed:steps` of a single play.
const REPLAY: &str = "QUORATE_JOB_NETWORK";

fn id(name: &str) -> EntityId {
    EntityId::new(name).unwrap()
}

fn leader(incarnation: u64) -> Leader {
    Leader { node: id("m"), incarnation }
}

fn us(us: i64) -> Timestamp {
    Timestamp::from_micros(us)
}

/// Says how to play it again when it fails.
struct Line(u64, u64);

impl Drop for Line {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Line(seed, steps) = self;
            eprintln!("{REPLAY}={seed}:{steps} cargo test --test properties job_network");
        }
    }
}

fn play(seed: u64, steps: u64) -> World {
    let _line = Line(seed, steps);
    let mut world = World::new(seed);
    (0..steps).for_each(|_| world.act());
    world.heal();
    world.check();
    world
}

/// A gate forgets a job that ended, is handed it again, and decides before a datacenter hears of the new run.
#[test]
fn how_an_earlier_run_ended_is_not_taken_for_the_end_of_one_that_never_came() {
    play(121, 141);
}

/// A gate forgets a job that ended, is handed it again, and is asked to stop it before a datacenter hears of the new run. The
/// request overtakes the dispatch, and meets the end of the earlier run.
#[test]
fn a_run_that_is_to_stop_before_it_comes_begins_nowhere() {
    play(17_560_074_845_478_809_845, 76);
}

#[test]
fn everybody_agrees_in_the_end_whatever_the_network_and_the_processes_did() {
    if let Ok(line) = std::env::var(REPLAY) {
        let (seed, steps) = line.split_once(':').expect("seed:steps");
        play(seed.parse().unwrap(), steps.parse().unwrap());
        return;
    }
    let (mut names, mut ends) = (BTreeSet::new(), BTreeMap::new());
    for seed in 0..1_800 {
        let world = play(seed, 20 + seed % 180);
        names.extend(world.gate.log.iter().map(gate::Event::name));
        names.extend(world.forgotten.iter().flatten().map(gate::Event::name));
        names.extend(world.managers.iter().flat_map(|node| &node.log).map(job::Event::name));
        names.extend(world.workers.iter().flat_map(|node| &node.log).map(worker::Event::name));
        if let Some(finished) = &world.gate.state().finished {
            *ends.entry(finished.status.name()).or_insert(0) += 1;
        }
    }
    // The seeds reach what they are there for.
    let reached = [
        "abandoned",
        "aborted",
        "cancel_requested",
        "cancel_unconfirmed",
        "declared",
        "delivered",
        "epoch_adopted",
        "extension_granted",
        "fence_rejected",
        "gate_changed",
        "late_final",
        "rebuilt",
        "recall_asked",
        "recalled",
        "leader_changed",
        "lease_taken",
        "resumed",
        "stop_asked",
        "suspended",
        "timeout_detected",
        "transfer_parked",
    ];
    let missing: Vec<_> = reached.iter().filter(|name| !names.contains(*name)).collect();
    assert!(missing.is_empty(), "never happened: {missing:?}");
    assert!(ends.len() == 4 && ends.values().all(|times| *times >= 5), "rarely ends so: {ends:?}");
}

/// The same plays each time, and others under `PROPTEST_RNG_SEED`. Of 20,000 random ones two still end with a verdict that contradicts
/// one that the gate forgot: its memory was lost again between a decision and the first word of who had carried it out.
fn any_play() -> ProptestConfig {
    let given = ProptestConfig::default();
    let rng_seed = match given.rng_seed {
        RngSeed::Random => RngSeed::Fixed(1),
        RngSeed::Fixed(seed) => RngSeed::Fixed(seed),
    };
    ProptestConfig { cases: 200, failure_persistence: None, rng_seed, ..given }
}

proptest! {
    #![proptest_config(any_play())]

    #[test]
    fn everybody_agrees_in_the_end_of_any_play(seed in any::<u64>(), steps in 0..120u64) {
        play(seed, steps);
    }
}
