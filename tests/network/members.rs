//! Membership on a lossy network, in virtual time. `cargo bench -p quorate-core --bench members` prints the whole table.

use std::time::Duration;

use quorate_core::network::member::{MemberConfig, MemberEvent, MemberState, NodeRole};

use crate::cluster::Cluster;
use crate::focas::Focas;
use crate::ours::{Ours, config, id, plain};
use crate::scenarios::{restarts, slow_processes, steady_then_crash};

fn managers(n: usize, config: &MemberConfig, seed: u64) -> Vec<Ours> {
    (0..n).map(|number| Ours::new(number, NodeRole::Manager, config, seed)).collect()
}

fn focas(n: usize, seed: u64) -> Vec<Focas> {
    (0..n).map(|number| Focas::new(number, n, seed)).collect()
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_crash_is_known_to_all_about_as_soon_as_with_foca() {
    let mean = |times: [f64; 3]| times.iter().sum::<f64>() / 3.0;
    for loss in [0.0, 0.1] {
        let ours = mean([1, 2, 3].map(|seed| {
            let run = steady_then_crash(managers(20, &config(), seed), loss, MINUTE, seed);
            assert!(run.packets_per_node_s < 8.0 && run.bytes_per_node_s < 1_500.0, "{run:?}");
            assert_eq!(run.false_deaths, 0.0);
            run.detected.unwrap()
        }));
        let foca = mean([1, 2, 3].map(|seed| {
            let run = steady_then_crash(focas(20, seed), loss, MINUTE, seed);
            run.detected.unwrap_or(120.0)
        }));
        assert!(ours <= foca * 1.25, "{loss}: {ours} s, foca {foca} s");
    }
}

#[test]
fn nobody_is_taken_for_dead_at_20_percent_loss() {
    for seed in [1, 2, 3] {
        let run = steady_then_crash(managers(20, &config(), seed), 0.2, 5 * MINUTE, seed);
        assert_eq!(run.false_deaths, 0.0, "{run:?}, seed {seed}");
        assert!(run.node_hours > 1.6 && run.detected.is_some(), "{run:?}, seed {seed}");
    }
}

/// Processes that stop for seconds, again and again, find their timers over and their answers waiting.
#[test]
fn slow_processes_take_no_healthy_node_for_dead() {
    let run = |config: &MemberConfig| slow_processes(managers(32, config, 1), 8, 3 * MINUTE, 1).false_deaths;
    let (with, without) = (run(&config()), run(&plain()));
    assert!(with == 0.0 && with <= without, "{with} with local health, {without} without");
}

#[test]
fn a_partition_heals_without_anybody_being_told() {
    let mut cluster = Cluster::new(managers(12, &config(), 5), 0.05, 5);
    cluster.start();
    cluster.run_for(MINUTE);
    assert_eq!(cluster.complete(), 12);
    (0..5).for_each(|node| cluster.group[node] = 1);
    cluster.run_for(MINUTE);
    assert!((5..12).all(|node| cluster.nodes[node].node.count(MemberState::Down) == 5));
    cluster.group.fill(0);
    cluster.run_for(2 * MINUTE);
    assert_eq!(cluster.complete(), 12);
}

#[test]
fn a_restarted_process_speaks_with_a_higher_incarnation_than_ever_and_is_seen_again() {
    let (cluster, deaths) = restarts(managers(10, &config(), 6), 6, 6, |number, before, now| {
        let again = Ours::again(number, NodeRole::Manager, &config(), 60, before.stored, now);
        assert!(before.stored >= before.sent_incarnation);
        again
    });
    assert_eq!((deaths, cluster.complete()), (0, 10));
    for node in &cluster.nodes {
        let report = node.node.validate_state();
        assert!(report.overall_valid, "{:?}", report.errors);
    }
}

/// A datacenter: managers, and workers that come and go without a word, under loss. What was promised of UNCONFIRMED nodes
/// is read from the record of what happened.
#[test]
fn nobody_is_suspected_who_was_never_heard_from_and_workers_are_never_probed_to_confirm_them() {
    let role = |number| if number < 4 { NodeRole::Manager } else { NodeRole::Worker };
    let nodes = (0..20).map(|number| {
        let mut node = Ours::new(number, role(number), &config(), 8);
        node.is_recording = true;
        node
    });
    let mut cluster = Cluster::new(nodes.collect(), 0.2, 8);
    cluster.start();
    for round in 0..12 {
        cluster.run_for(Duration::from_secs(20));
        let flapping = 4 + (round * 5) % 16;
        cluster.stall(flapping, Duration::from_secs(15));
        if round == 5 {
            cluster.crash(19);
        }
    }
    let mut suspected = 0;
    for node in &cluster.nodes {
        let mut confirmed = std::collections::BTreeSet::new();
        for event in &node.events {
            match event {
                MemberEvent::Confirmed { peer } => {
                    confirmed.insert(peer.clone());
                }
                MemberEvent::Removed { peer, .. } => {
                    confirmed.remove(peer);
                }
                MemberEvent::Transition { peer, from, .. } => {
                    assert!(confirmed.contains(peer) && *from != MemberState::Unconfirmed);
                    suspected += 1;
                }
                _ => {}
            }
        }
        let counters = node.node.counters();
        assert_eq!(counters.confirmation_attempts.get("worker"), None);
        assert_eq!(counters.confirmation_attempts.get("unknown"), None);
        assert_eq!(counters.worker_confirmations, 0);
        assert!(node.node.validate_state().overall_valid);
    }
    assert!(suspected > 20, "{suspected}");
    let manager = &cluster.nodes[0].node;
    assert_eq!(manager.member(&id(19)).map(|worker| worker.state()), Some(MemberState::Down));
}

/// 5 % of the nodes lose 80 % of what they send and receive; nobody else suffers for it.
#[test]
fn lossy_nodes_leave_the_views_of_the_others_unchanged() {
    let n = 60;
    let mut cluster = Cluster::new(managers(n, &config(), 9), 0.0, 9);
    cluster.start();
    cluster.run_for(2 * MINUTE);
    assert_eq!(cluster.complete(), n);
    let since = cluster.now;
    (0..3).for_each(|node| cluster.lossy[node] = 0.8);
    cluster.run_for(2 * MINUTE);
    assert_eq!(cluster.false_deaths(since, |by, whom| by >= 3 && whom >= 3), 0);
}
