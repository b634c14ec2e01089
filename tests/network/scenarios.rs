//! What is done to a cluster, and what is measured. Shared by the tests and the table.

use std::time::Duration;

use quorate_core::kernel::time::Timestamp;

use crate::cluster::{Cluster, Protocol};

/// What one run gave.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// From a crash until all others knew; `None` if some never did.
    pub detected: Option<f64>,
    pub false_deaths: f64,
    pub node_hours: f64,
    pub packets_per_node_s: f64,
    pub bytes_per_node_s: f64,
}

const WARM_UP: Duration = Duration::from_secs(60);

fn figures<P: Protocol>(cluster: &Cluster<P>, since: Timestamp, sent: u64, bytes: u64) -> Figures {
    let seconds = cluster.now.since(since).as_secs_f64();
    let nodes = cluster.nodes.len() as f64;
    Figures {
        detected: None,
        false_deaths: 0.0,
        node_hours: nodes * seconds / 3_600.0,
        packets_per_node_s: (cluster.packets.iter().sum::<u64>() - sent) as f64 / nodes / seconds,
        bytes_per_node_s: (cluster.bytes - bytes) as f64 / nodes / seconds,
    }
}

/// After a warm-up, everybody runs for so long; then one node crashes.
pub fn steady_then_crash<P: Protocol>(nodes: Vec<P>, loss: f64, span: Duration, seed: u64) -> Figures {
    let mut cluster = Cluster::new(nodes, loss, seed);
    cluster.start();
    cluster.run_for(WARM_UP);
    let (since, sent, bytes) = (cluster.now, cluster.packets.iter().sum(), cluster.bytes);
    cluster.run_for(span);
    let mut figures = figures(&cluster, since, sent, bytes);
    figures.false_deaths = cluster.false_deaths(since, |_, _| true) as f64;
    let (crashed_at, dead) = (cluster.now, cluster.nodes.len() / 2);
    cluster.crash(dead);
    cluster.run_for(Duration::from_secs(120));
    figures.detected = cluster.known_by_all(dead, crashed_at).map(|time| time.as_secs_f64());
    figures
}

/// Some processes run for a moment and stop for 1 to 16 seconds, again and again. What counts is that healthy nodes are
/// taken for dead by anybody.
pub fn slow_processes<P: Protocol>(nodes: Vec<P>, slow: usize, span: Duration, seed: u64) -> Figures {
    let mut cluster = Cluster::new(nodes, 0.0, seed);
    cluster.start();
    cluster.run_for(WARM_UP);
    let (since, sent, bytes) = (cluster.now, cluster.packets.iter().sum(), cluster.bytes);
    let mut next = vec![cluster.now; slow];
    while cluster.now.since(since) < span {
        for (node, next) in next.iter_mut().enumerate() {
            if cluster.now >= *next {
                let stall = 1_000 + cluster.rng.next_u64() % 15_000;
                let run = 50 + cluster.rng.next_u64() % 1_500;
                cluster.stall(node, Duration::from_millis(stall));
                *next = cluster.now.plus(Duration::from_millis(stall + run));
            }
        }
        cluster.run_for(Duration::from_millis(50));
    }
    let mut figures = figures(&cluster, since, sent, bytes);
    figures.false_deaths = cluster.false_deaths(since, |_, whom| whom >= slow) as f64;
    figures
}

/// Every 20 seconds a process is killed and started anew a second later; how often was it taken for dead, or anybody else?
pub fn restarts<P: Protocol>(
    nodes: Vec<P>,
    times: usize,
    seed: u64,
    again: impl Fn(usize, &P, Timestamp) -> P,
) -> (Cluster<P>, usize) {
    let mut cluster = Cluster::new(nodes, 0.05, seed);
    cluster.start();
    cluster.run_for(WARM_UP);
    let (since, n) = (cluster.now, cluster.nodes.len());
    for time in 0..times {
        let node = (time * 7 + 1) % n;
        cluster.crash(node);
        cluster.run_for(Duration::from_secs(1));
        let process = again(node, &cluster.nodes[node], cluster.now);
        cluster.restart(node, process);
        cluster.run_for(Duration::from_secs(19));
    }
    let deaths = cluster.false_deaths(since, |_, _| true);
    (cluster, deaths)
}
