//! A node's coordinate on record moves as the tracker's does, replays to the same bits, and keeps its place.

use std::time::Duration;

use super::*;
use crate::kernel::driver::Driver;
use crate::kernel::ids::NodeId;
use crate::kernel::rng::Rng;
use crate::network::coordinate::{CoordinateTracker, NetworkCoordinate};

type Placed = Driver<CoordinateMachine>;

fn id(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn measure(to: &str, remote: Option<NetworkCoordinate>, rtt_us: u64) -> Command {
    Command::Measure(Box::new(Measure { node: id("a"), peer: id(to), remote, rtt_us }))
}

fn remote(x: f64) -> NetworkCoordinate {
    let mut parts = NetworkCoordinate::origin(&VivaldiConfig::default(), at(0)).parts().clone();
    (parts.position[0], parts.error, parts.error_ms, parts.sample_count) = (x, 0.1, 3.0, 50);
    NetworkCoordinate::new(parts, at(0)).unwrap()
}

/// Round trips to three peers, some of them delayed.
fn script() -> impl Iterator<Item = (&'static str, f64, u64)> {
    (0..120_u64).map(|n| {
        let (peer, x, us) =
            [("b", 0.02, 21_000), ("c", -0.05, 52_000), ("d", 0.11, 109_000)][(n % 3) as usize];
        (peer, x, if n % 17 == 16 { us * 9 } else { us + n * 7 })
    })
}

#[test]
fn it_moves_as_the_tracker_moves_and_replays_to_the_same_bits() {
    let (mut node, config) = (Placed::default(), VivaldiConfig::default());
    let mut tracker = CoordinateTracker::new(config.clone(), at(0)).unwrap();
    let mut again = Placed::default();
    for (n, (peer, x, us)) in script().enumerate() {
        let now = at(n as i64);
        let step = node.step(measure(peer, Some(remote(x)), us), now);
        step.events.iter().for_each(|event| again.replay(event));
        // Only points at the same place are moved by chance, and these never are.
        let ms = us as f64 / 1e3;
        tracker.update_peer_coordinate(&id(peer), remote(x), ms, now, &mut Rng::new(1)).unwrap();
    }
    assert_eq!(again.state(), node.state(), "replay is live");
    let (mine, theirs) = (node.state().coordinate().unwrap(), tracker.get_coordinate());
    let apart: f64 = mine.position().iter().zip(theirs.position()).map(|(a, b)| (a - b).abs()).sum();
    assert!(apart < 1e-9, "{apart}");
    assert_eq!(mine.sample_count(), 120);
    let (near, far) = (id("b"), id("d"));
    for peer in [&near, &far] {
        let there = tracker.get_peer_coordinate(peer);
        let mine = node.state().rtt_ucb_ms(peer, there, &config, at(120));
        assert!((mine - tracker.estimate_rtt_ucb_ms(peer, at(120))).abs() < 1e-6);
        let mine = node.state().routing_rtt_ucb_ms(peer, there, &config, at(120));
        assert!((mine - tracker.routing_rtt_ucb_ms(peer, at(120))).abs() < 1e-6);
    }
}

#[test]
fn a_round_trip_or_a_place_that_is_none_moves_nothing() {
    let mut node = Placed::default();
    for us in [0, 10_000_001, u64::MAX] {
        let step = node.step(measure("b", None, us), at(1));
        assert!(matches!(step.reply, Err(Refused::RoundTrip(_))) && step.events.is_empty(), "{us}");
    }
    let config = VivaldiConfig { dimensions: 3, ..VivaldiConfig::default() };
    let flat = NetworkCoordinate::origin(&config, at(0));
    let refused = Refused::Dimensions { expected: 8, given: 3 };
    let step = node.step(measure("b", Some(flat.clone()), 1_000), at(1));
    assert_eq!((step.reply, step.events.len()), (Err(refused.clone()), 0));
    assert_eq!(node.step(Command::Place(Box::new(flat)), at(1)).reply, Err(refused));
    assert_eq!(node.state(), &Node::default());
}

#[test]
fn a_new_process_keeps_a_recent_place_and_earns_trust_anew() {
    let mut node = Placed::default();
    for (n, (peer, x, us)) in script().enumerate() {
        node.step(measure(peer, Some(remote(x)), us), at(n as i64)).reply.unwrap();
    }
    let before = node.state().coordinate().unwrap();
    let away = |began| Downtime { last_alive: at(120), began, gap: Gap::Restart };
    let mut soon = Placed::default().restore(node.state().clone(), node.revision());
    soon.resume(away(at(180)));
    let after = soon.state().coordinate().unwrap();
    assert_eq!(after.position(), before.position());
    assert_eq!((after.sample_count(), after.error() >= 0.5), (0, true));
    assert!(!soon.state().is_converged(&VivaldiConfig::default()));
    let mut late = Placed::default().restore(node.state().clone(), node.revision());
    late.resume(away(at(119).plus(Duration::from_secs(3_600))));
    assert!(late.state().coordinate().unwrap().position().iter().all(|x| *x == 0.0), "an hour is too long");
    let command = Downtime { gap: Gap::Command, ..away(at(180)) };
    assert!(node.resume(command).events.is_empty(), "a command takes nothing over");
    assert!(Placed::default().resume(away(at(180))).events.is_empty(), "there is nothing to distrust");
}

#[test]
fn the_link_measured_longest_ago_gives_way() {
    let mut node = Placed::default();
    for n in 0..=MAX_LINKS {
        node.step(measure(&format!("peer-{n}"), Some(remote(0.02)), 21_000), at(n as i64)).reply.unwrap();
    }
    assert_eq!(node.state().links.len(), MAX_LINKS);
    assert!(!node.state().links.contains_key(&id("peer-0")));
}
