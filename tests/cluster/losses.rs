use std::collections::BTreeSet;

use quorate_core::kernel::rng::Rng;

use super::harness::{Cluster, wait_for};

/// Three datacenters, each with a gate, two managers and three workers.
fn eighteen() -> Cluster {
    let mut cluster = Cluster::new();
    for datacenter in ["paris", "oslo", "rome"] {
        let roles = ["gate", "manager", "manager", "worker", "worker", "worker"];
        for (number, role) in roles.into_iter().enumerate() {
            cluster.add(&format!("{datacenter}-{role}-{number}"), role, datacenter);
        }
    }
    for node in 0..cluster.nodes.len() {
        cluster.start(node);
    }
    cluster.agree(&[], "after the start");
    cluster
}

/// The one whom this seed means, of those that are up.
fn one(rng: &mut Rng, of: &[usize]) -> usize {
    of[(rng.next_u64() % of.len() as u64) as usize]
}

#[test]
fn eighteen_processes_agree_on_who_is_there_whoever_is_killed_or_stopped() {
    let mut cluster = eighteen();
    cluster.check(&[]);
    let seed = std::env::var("QUORATE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    let rounds = std::env::var("QUORATE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(2);
    println!("QUORATE_SEED={seed} QUORATE_ROUNDS={rounds}");
    let mut rng = Rng::new(seed);
    let all: Vec<usize> = (0..cluster.nodes.len()).collect();
    let incarnation = |cluster: &Cluster, at: usize| cluster.nodes[at].metrics().incarnation;
    for round in 0..rounds {
        // One is killed in each datacenter at once: a gate, a manager and a worker in the first rounds.
        let killed: Vec<usize> = (0..3).map(|dc| dc * 6 + one(&mut rng, &all[..6])).collect();
        let before: Vec<u64> = killed.iter().map(|at| incarnation(&cluster, *at)).collect();
        killed.iter().for_each(|at| cluster.nodes[*at].kill());
        cluster.agree(&[], &format!("round {round}, after kills"));
        cluster.check(&[]);
        killed.iter().for_each(|at| cluster.start(*at));
        cluster.agree(&[], &format!("round {round}, after restarts"));
        for (at, before) in killed.iter().zip(before) {
            let name = &cluster.nodes[*at].name;
            assert!(incarnation(&cluster, *at) > before, "{name} speaks with an incarnation it had before");
        }
        // Others are stopped until all take them for dead. Resumed, they say that they are not.
        let stopped: BTreeSet<usize> = (0..2).map(|_| one(&mut rng, &all)).collect();
        // Two at most: a worker is watched by the two managers of its datacenter, and one of the three stays up.
        let stopped: Vec<usize> = stopped.into_iter().collect();
        let before: Vec<u64> = stopped.iter().map(|at| incarnation(&cluster, *at)).collect();
        stopped.iter().for_each(|at| cluster.nodes[*at].signal("-STOP"));
        cluster.agree(&stopped, &format!("round {round}, while some are stopped"));
        stopped.iter().for_each(|at| cluster.nodes[*at].signal("-CONT"));
        cluster.agree(&[], &format!("round {round}, after they were resumed"));
        for (at, before) in stopped.iter().zip(before) {
            let node = &cluster.nodes[*at];
            assert!(incarnation(&cluster, *at) > before, "{} refuted", node.name);
        }
        cluster.check(&[]);
    }
}

#[test]
fn a_node_that_leaves_is_gone_at_once_and_one_alone_waits_and_says_why() {
    let mut cluster = Cluster::new();
    let first = cluster.add("first", "manager", "dc1");
    let second = cluster.add("second", "manager", "dc1");
    cluster.start(first);
    cluster.start(second);
    cluster.agree(&[], "after the start");
    assert!(cluster.nodes[second].stop(), "it ends well: {}", cluster.nodes[second].log());
    cluster.agree(&[], "after one left");
    let log = cluster.nodes[first].log();
    assert!(
        log.contains("second in dc1 was OK and is DEAD"),
        "it said so itself and was not suspected: {log}"
    );
    // Alone, and nobody answers where it asks.
    cluster.nodes[first].signal("-STOP");
    cluster.start(second);
    wait_for("it says that nobody answers", || {
        cluster.nodes[second].log().contains("nobody answers at").then_some(())
    });
    cluster.nodes[first].signal("-CONT");
    cluster.agree(&[], "after the first one came back");
}
