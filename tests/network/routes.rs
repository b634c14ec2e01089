//! Routing by coordinates on a measured matrix: how near are the datacenters it chooses, how even is their load, and how
//! often does it change its mind?

use std::collections::{BTreeMap, BTreeSet};

use quorate_core::kernel::ids::{DatacenterId, EntityId};
use quorate_core::kernel::time::Timestamp;
use quorate_core::network::coordinate::VivaldiConfig;
use quorate_core::network::route::{DatacenterCandidate, HealthBucket, Router, RoutingConfig};

use crate::matrices;
use crate::vivaldi::{Noise, World, below};

const SEED: u64 = 4;
/// Datacenters a gate chooses among.
const CHOICES: usize = 8;

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn candidates(world: &World<'_>, gate: usize, leaders: &[usize], queues: &[u64]) -> Vec<DatacenterCandidate> {
    let now = world.now();
    let candidate = |(leader, queue_depth): (&usize, &u64)| DatacenterCandidate {
        datacenter_id: DatacenterId::new(format!("dc{leader:03}")).unwrap(),
        health_bucket: Some(HealthBucket::Healthy),
        available_cores: 64_u64.saturating_sub(*queue_depth),
        total_cores: 64,
        queue_depth: *queue_depth,
        lhm_multiplier: 1.0,
        circuit_breaker_pressure: 0.0,
        total_managers: 3,
        healthy_managers: 3,
        has_coordinate: true,
        rtt_ucb_ms: world.nodes[gate].routing_rtt_ucb_ms(&world.ids[*leader], now),
        coordinate_quality: quality(world, gate, *leader),
        last_health_at: now,
    };
    leaders.iter().zip(queues).map(candidate).collect()
}

/// What a gate measured itself is sure; everything else is as sure as the leader's coordinate.
fn quality(world: &World<'_>, gate: usize, leader: usize) -> f64 {
    let (node, leader) = (&world.nodes[gate], &world.ids[leader]);
    let is_measured = node.measured(leader).is_some_and(|link| link.is_trusted(node.config(), world.now()));
    if is_measured { 1.0 } else { node.coordinate_quality(leader, world.now()) }
}

/// The gate hears of the coordinates of all leaders, as their heartbeats carry them.
fn hear(world: &mut World<'_>, gate: usize, leaders: &[usize]) {
    let now = world.now();
    for leader in leaders {
        let coordinate = world.nodes[*leader].get_coordinate().clone();
        world.nodes[gate].observe_peer_coordinate(&world.ids[*leader], coordinate, now).unwrap();
    }
}

fn some(world: &mut World<'_>, n: usize, but: usize) -> Vec<usize> {
    let mut chosen = BTreeSet::new();
    while chosen.len() < n {
        let node = below(&mut world.rng, world.matrix.len());
        if node != but {
            chosen.insert(node);
        }
    }
    chosen.into_iter().collect()
}

/// Median round trips to the chosen of eight datacenters, to any of them, and to the nearest, on PlanetLab; the gate
/// probed each leader so often.
fn round_trips(probes: usize) -> Option<[f64; 3]> {
    let matrix = matrices::planetlab()?;
    let mut world = World::new(&matrix, &VivaldiConfig::default(), Noise::None, SEED).run(200);
    let (mut chosen, mut random, mut best) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..600 {
        let gate = below(&mut world.rng, matrix.len());
        let leaders = some(&mut world, CHOICES, gate);
        hear(&mut world, gate, &leaders);
        for leader in leaders.iter().cycle().take(CHOICES * probes) {
            world.sample(gate, *leader);
        }
        let candidates = candidates(&world, gate, &leaders, &[0; CHOICES]);
        let mut router = Router::new(RoutingConfig::default(), BTreeSet::new()).unwrap();
        let job = EntityId::new(format!("job-{n}")).unwrap();
        let decision = router.route_job(&job, 1, &candidates, true, world.now()).unwrap();
        let primary = &decision.primary_datacenters[0];
        let at = candidates.iter().position(|candidate| candidate.datacenter_id == *primary).unwrap();
        chosen.push(matrix.rtt_ms[gate][leaders[at]]);
        random.push(matrix.rtt_ms[gate][leaders[n % CHOICES]]);
        best.push(leaders.iter().map(|leader| matrix.rtt_ms[gate][*leader]).fold(f64::INFINITY, f64::min));
    }
    let medians = [median(chosen), median(random), median(best)];
    println!("{probes} probes: chosen, random, best {medians:?} ms");
    Some(medians)
}

#[test]
fn datacenters_chosen_by_coordinates_alone_are_half_as_far_as_random_ones_and_within_30_percent_of_the_best()
{
    let Some([chosen, random, best]) = round_trips(0) else { return };
    assert!(chosen <= random / 2.0, "chosen {chosen} ms, random {random} ms");
    assert!(chosen <= best * 1.3, "chosen {chosen} ms, best {best} ms");
}

/// A gate probes the leaders every two seconds: after ten it goes by what it measured.
#[test]
fn datacenters_whose_leaders_the_gate_probes_are_within_15_percent_of_the_best() {
    let Some([chosen, random, best]) = round_trips(5) else { return };
    assert!(chosen <= random / 2.0, "chosen {chosen} ms, random {random} ms");
    assert!(chosen <= best * 1.15, "chosen {chosen} ms, best {best} ms");
}

/// Twenty jobs a heartbeat, coordinates that keep moving under spikes, and queues of the near ones that fill faster than
/// they empty: what changes its datacenter does so for the load.
#[test]
fn jobs_seldom_change_their_datacenter() {
    let Some(matrix) = matrices::aws() else { return };
    let mut world = World::new(&matrix, &VivaldiConfig::default(), Noise::Spikes, SEED).run(200);
    let (gate, leaders) = (17, [8, 9, 12, 13, 14, 18, 19, 20]);
    let mut router = Router::new(RoutingConfig::default(), BTreeSet::new()).unwrap();
    let (mut queues, mut decisions, mut switches) = ([0_u64; CHOICES], 0_u64, 0_u64);
    let mut jobs: Vec<EntityId> = Vec::new();
    for tick in 0..40 {
        (0..5).for_each(|_| world.round());
        hear(&mut world, gate, &leaders);
        let candidates = candidates(&world, gate, &leaders, &queues);
        candidates.iter().for_each(|candidate| router.heard_from(&candidate.datacenter_id));
        for job in &jobs {
            let decision = router.route_job(job, 1, &candidates, true, world.now()).unwrap();
            decisions += 1;
            switches += u64::from(decision.switched);
        }
        for n in 0..20 {
            let job = EntityId::new(format!("job-{tick}-{n}")).unwrap();
            submit(&mut router, &job, &candidates, &mut queues, world.now());
            jobs.push(job);
        }
        queues = queues.map(|queue| queue.saturating_sub(5));
    }
    println!("{switches} switches in {decisions} decisions");
    // Three in a hundred today.
    assert!(switches * 20 < decisions, "{switches} switches in {decisions} decisions");
}

fn submit(
    router: &mut Router,
    job: &EntityId,
    candidates: &[DatacenterCandidate],
    queues: &mut [u64],
    now: Timestamp,
) -> usize {
    let decision = router.route_job(job, 1, candidates, true, now).unwrap();
    let primary = &decision.primary_datacenters[0];
    router.record_dispatch(primary);
    let at = candidates.iter().position(|candidate| candidate.datacenter_id == *primary).unwrap();
    queues[at] += 1;
    at
}

/// Eight datacenters about as far away: between two heartbeats no herd runs to one of them.
#[test]
fn load_is_even_among_datacenters_about_as_far_away() {
    let mut router = Router::new(RoutingConfig::default(), BTreeSet::new()).unwrap();
    let mut queues = [0_u64; CHOICES];
    let mut taken: BTreeMap<usize, f64> = (0..CHOICES).map(|at| (at, 0.0)).collect();
    for tick in 0..60 {
        let now = Timestamp::from_millis(tick * 5_000);
        let candidate = |(at, queue_depth): (usize, &u64)| DatacenterCandidate {
            datacenter_id: DatacenterId::new(format!("dc{at}")).unwrap(),
            health_bucket: Some(HealthBucket::Healthy),
            available_cores: 64_u64.saturating_sub(*queue_depth),
            total_cores: 64,
            queue_depth: *queue_depth,
            lhm_multiplier: 1.0,
            circuit_breaker_pressure: 0.0,
            total_managers: 3,
            healthy_managers: 3,
            has_coordinate: true,
            rtt_ucb_ms: 80.0 + 2.0 * at as f64,
            coordinate_quality: 1.0,
            last_health_at: now,
        };
        let candidates: Vec<DatacenterCandidate> = queues.iter().enumerate().map(candidate).collect();
        candidates.iter().for_each(|candidate| router.heard_from(&candidate.datacenter_id));
        for n in 0..80 {
            let job = EntityId::new(format!("job-{tick}-{n}")).unwrap();
            let at = submit(&mut router, &job, &candidates, &mut queues, now);
            *taken.entry(at).or_default() += 1.0;
        }
        queues = queues.map(|queue| queue.saturating_sub(10));
    }
    let mean = taken.values().sum::<f64>() / CHOICES as f64;
    let variance = taken.values().map(|n| (n - mean).powi(2)).sum::<f64>() / CHOICES as f64;
    let variation = variance.sqrt() / mean;
    assert!(variation < 0.3, "{variation}: {taken:?}");
}
