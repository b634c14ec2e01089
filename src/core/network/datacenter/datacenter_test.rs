//! Heartbeats of datacenters, and how they look from a gate.

use super::*;
use crate::kernel::driver::Driver;
use crate::kernel::ids::{DatacenterId, NodeId};
use crate::network::coordinate::record::{CoordinateMachine, Measure, Node};
use crate::network::coordinate::{NetworkCoordinate, VivaldiConfig, record};
use crate::network::route::HealthBucket;

type Known = Driver<DatacentersMachine>;

fn dc(name: &str) -> DatacenterId {
    DatacenterId::new(name).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn update(known: &mut Known, change: Change, seconds: i64) -> Result<Report, Rejection> {
    let step = known.step(Command::Update(Box::new(change)), at(seconds));
    assert_eq!(step.events.is_empty(), step.reply.is_err(), "a refusal writes nothing");
    step.reply.map(|reply| reply.report.unwrap())
}

#[test]
fn what_a_heartbeat_leaves_out_stays_as_it_was() {
    let mut known = Known::default();
    let first = Change { available_cores: Some(8), total_managers: Some(3), ..Change::of(dc("east")) };
    let report = update(&mut known, first, 1).unwrap();
    assert_eq!((report.total_cores, report.healthy_managers), (8, 3));
    assert_eq!(report.health_bucket, HealthBucket::Healthy);
    let second = Change { available_cores: Some(2), healthy_managers: Some(1), ..Change::of(dc("east")) };
    let report = update(&mut known, second, 2).unwrap();
    assert_eq!((report.available_cores, report.total_cores, report.total_managers), (2, 8, 3));
    assert!((report.pressure() - 2.0 / 3.0).abs() < 1e-9, "the part that is not healthy");
    let fewer = Change { total_managers: Some(1), ..Change::of(dc("east")) };
    assert_eq!(update(&mut known, fewer, 3).unwrap().healthy_managers, 1);
    let heard = &known.state().known[&dc("east")];
    assert_eq!((heard.at, heard.placed_at), (at(3), at(1)));
}

#[test]
fn what_is_no_number_or_absurd_is_refused_by_its_name() {
    let mut known = Known::default();
    let of = || Change::of(dc("east"));
    for (change, field) in [
        (Change { lhm_multiplier: Some(f64::NAN), ..of() }, "lhm_multiplier"),
        (Change { lhm_multiplier: Some(9.5), ..of() }, "lhm_multiplier"),
        (Change { circuit_breaker_pressure: Some(-0.1), ..of() }, "circuit_breaker_pressure"),
        (Change { rtt_ucb_ms: Some(f64::INFINITY), ..of() }, "rtt_ucb_ms"),
        (Change { rtt_ucb_ms: Some(0.0), ..of() }, "rtt_ucb_ms"),
        (Change { coordinate_quality: Some(0.5), ..of() }, "coordinate_quality"),
        (Change { rtt_ucb_ms: Some(1.0), coordinate_quality: Some(1.1), ..of() }, "coordinate_quality"),
        (Change { available_cores: Some(9), total_cores: Some(8), ..of() }, "available_cores"),
        (Change { total_cores: Some(u64::MAX), ..of() }, "total_cores"),
        (Change { healthy_managers: Some(2), total_managers: Some(1), ..of() }, "healthy_managers"),
    ] {
        let Err(Rejection::OutOfRange(refused)) = update(&mut known, change, 1) else { panic!("{field}") };
        assert_eq!(refused.field, field);
    }
    assert!(known.state().known.is_empty());
    let unknown = known.step(Command::Remove(dc("east")), at(1)).reply;
    assert_eq!(unknown, Err(Rejection::Unknown { datacenter: dc("east") }));
}

/// The gate's own place after so many round trips to a peer.
fn gate(samples: u64, peer: &str, rtt_us: u64) -> Node {
    let mut node = Driver::<CoordinateMachine>::default();
    for n in 0..samples {
        let (node_id, peer) = (NodeId::new("gate").unwrap(), NodeId::new(peer).unwrap());
        let measure = Measure { node: node_id, peer, remote: None, rtt_us };
        node.step(record::Command::Measure(Box::new(measure)), at(n as i64)).reply.unwrap();
    }
    node.state().clone()
}

#[test]
fn a_distance_is_what_is_said_then_what_is_measured_then_what_is_estimated() {
    let (mut known, config) = (Known::default(), VivaldiConfig::default());
    let leader = || Some(NodeId::new("east-1").unwrap());
    update(&mut known, Change { leader: leader(), ..Change::of(dc("east")) }, 30).unwrap();
    let seen = |known: &Known, node: &Node| known.state().candidates(node, &config, at(30)).remove(0);
    assert!(!seen(&known, &Node::default()).has_coordinate, "a gate that never measured knows no distance");
    assert!(!seen(&known, &gate(9, "east-1", 40_000)).has_coordinate, "nor one that has not settled");
    let measured = seen(&known, &gate(30, "east-1", 40_000));
    assert_eq!((measured.has_coordinate, measured.coordinate_quality), (true, 1.0));
    assert!((40.0..=46.0).contains(&measured.rtt_ucb_ms), "{}", measured.rtt_ucb_ms);
    assert!(!seen(&known, &gate(30, "other", 40_000)).has_coordinate, "nobody knows where its leader stands");
    let there = NetworkCoordinate::origin(&config, at(30));
    let placed = Change { coordinate: Some(there), ..Change::of(dc("east")) };
    update(&mut known, placed, 30).unwrap();
    let estimated = seen(&known, &gate(30, "other", 40_000));
    assert_eq!((estimated.has_coordinate, estimated.coordinate_quality), (true, 0.0));
    let said = Change { rtt_ucb_ms: Some(12.5), ..Change::of(dc("east")) };
    update(&mut known, said, 30).unwrap();
    let said = seen(&known, &Node::default());
    assert_eq!((said.has_coordinate, said.rtt_ucb_ms, said.coordinate_quality), (true, 12.5, 1.0));
    let other = Change { leader: Some(NodeId::new("east-2").unwrap()), ..Change::of(dc("east")) };
    assert_eq!(update(&mut known, other, 31).unwrap().coordinate, None, "another leader stands elsewhere");
}
