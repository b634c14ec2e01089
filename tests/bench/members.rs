//! Detection time, false deaths and packets of membership beside `foca` with its defaults, in one simulation.
//!
//! `cargo bench -p quorate-core --bench members` prints the table. Time is virtual; nothing is timed but the whole.

#[path = "../network/cluster.rs"]
mod cluster;
#[path = "../network/focas.rs"]
mod focas;
#[path = "../network/ours.rs"]
mod ours;
#[path = "../network/scenarios.rs"]
mod scenarios;

use std::time::Duration;

use cluster::{Cluster, Protocol};
use focas::Focas;
use ours::{Ours, config, plain};
use quorate_core::network::member::{MemberConfig, MemberState, NodeRole};
use scenarios::{Figures, restarts, slow_processes, steady_then_crash};

const SEEDS: [u64; 3] = [1, 2, 3];

fn ours(n: usize, config: &MemberConfig, seed: u64) -> Vec<Ours> {
    (0..n).map(|number| Ours::new(number, NodeRole::Manager, config, seed)).collect()
}

fn focas(n: usize, seed: u64) -> Vec<Focas> {
    (0..n).map(|number| Focas::new(number, n, seed)).collect()
}

fn row(name: &str, runs: &[Figures]) {
    let n = runs.len() as f64;
    let sum = |of: fn(&Figures) -> f64| runs.iter().map(of).sum::<f64>();
    let detected: Vec<f64> = runs.iter().filter_map(|run| run.detected).collect();
    let time = match detected.len() {
        0 => "-".to_owned(),
        some => {
            let mean = detected.iter().sum::<f64>() / some as f64;
            let most = detected.iter().copied().fold(0.0, f64::max);
            format!("{mean:.1} ({most:.1})")
        }
    };
    println!(
        "{name:<34}{time:>14}{:>9}{:>14.2}{:>13.1}{:>13.0}",
        sum(|run| run.false_deaths),
        sum(|run| run.false_deaths) / sum(|run| run.node_hours),
        sum(|run| run.packets_per_node_s) / n,
        sum(|run| run.bytes_per_node_s) / n,
    );
}

fn main() {
    println!(
        "means over seeds {SEEDS:?}; round trips of 2 to 100 ms; after a minute of warm-up, 300 s and then a crash"
    );
    println!(
        "{:<34}{:>14}{:>9}{:>14}{:>13}{:>13}",
        "", "known after s", "false", "/ node-hour", "packets/n/s", "bytes/n/s"
    );
    let span = Duration::from_secs(300);
    for n in [5, 20, 50, 100, 200] {
        for loss in [0.0, 0.1, 0.2, 0.3] {
            if n > 50 && loss != 0.0 && loss != 0.2 {
                continue;
            }
            let name = |who: &str| format!("{n:>4} nodes, {:>2.0} % loss, {who}", loss * 100.0);
            let run = |seed| steady_then_crash(ours(n, &config(), seed), loss, span, seed);
            row(&name("ours"), &SEEDS.map(run));
            let run = |seed| steady_then_crash(focas(n, seed), loss, span, seed);
            row(&name("foca"), &SEEDS.map(run));
        }
    }
    println!(
        "\n8 of 32 processes run for a moment and stop for 1 to 16 s, again and again; false deaths of the other 24 in 600 s"
    );
    let span = Duration::from_secs(600);
    row("ours", &SEEDS.map(|seed| slow_processes(ours(32, &config(), seed), 8, span, seed)));
    row("plain SWIM", &SEEDS.map(|seed| slow_processes(ours(32, &plain(), seed), 8, span, seed)));
    row("foca", &SEEDS.map(|seed| slow_processes(focas(32, seed), 8, span, seed)));
    let (cluster, deaths) = restarts(ours(20, &config(), 1), 10, 1, |number, before, now| {
        Ours::again(number, NodeRole::Manager, &config(), 9, before.stored, now)
    });
    println!("10 restarts of 20 nodes: {deaths} taken for dead; {} see all at the end", cluster.complete());
    many();
}

/// 2,000 managers join at once; then 1 % of them lose 80 % of what they send and receive.
fn many() {
    let n = 2_000;
    let mut cluster = Cluster::new(ours(n, &config(), 1), 0.0, 1);
    cluster.start();
    while cluster.complete() < n && cluster.now.as_millis() < 300_000 {
        cluster.run_for(Duration::from_secs(5));
        let confirmed: usize = cluster.nodes.iter().map(|node| node.node.count(MemberState::Alive)).sum();
        println!(
            "{n} nodes after {:?}: {:.1} confirmed peers each",
            cluster.now,
            confirmed as f64 / n as f64
        );
    }
    println!("{} of {n} nodes know every other one", cluster.complete());
    let since = cluster.now;
    (0..n / 100).for_each(|node| cluster.lossy[node] = 0.8);
    cluster.run_for(Duration::from_secs(120));
    let healthy = |by, whom| by >= n / 100 && whom >= n / 100;
    println!("deaths of healthy nodes in the view of healthy ones: {}", cluster.false_deaths(since, healthy));
    assert!(cluster.nodes[n - 1].sees(n - 2));
}
