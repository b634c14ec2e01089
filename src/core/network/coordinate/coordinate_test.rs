use std::time::Duration;

use proptest::prelude::*;

use super::{
    CoordinateParts, CoordinateTracker, NetworkCoordinate, Refused, VivaldiConfig, coordinate_quality,
    estimate_rtt_ms, estimate_rtt_ucb_ms, is_converged, raw_rtt_ms,
};
use crate::kernel::ids::NodeId;
use crate::kernel::rng::Rng;
use crate::kernel::time::Timestamp;

const START: Timestamp = Timestamp::EPOCH;

fn at(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

fn config() -> VivaldiConfig {
    VivaldiConfig { dimensions: 2, ..VivaldiConfig::default() }
}

fn parts() -> CoordinateParts {
    CoordinateParts {
        position: vec![0.0, 0.0],
        height: 0.0,
        adjustment: 0.0,
        error: 0.1,
        error_ms: 10.0,
        sample_count: 10,
    }
}

fn point(parts: CoordinateParts) -> NetworkCoordinate {
    NetworkCoordinate::new(parts, START).unwrap()
}

fn node(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

fn tracker(config: VivaldiConfig) -> CoordinateTracker {
    CoordinateTracker::new(config, START).unwrap()
}

#[test]
fn an_estimate_is_the_distance_both_heights_and_both_adjustments() {
    let a = point(CoordinateParts { position: vec![0.003, 0.0], height: 0.001, ..parts() });
    let b =
        point(CoordinateParts { position: vec![0.0, 0.004], height: 0.002, adjustment: 0.001, ..parts() });
    assert!((raw_rtt_ms(&a, &b).unwrap() - 8.0).abs() < 1e-9);
    assert!((estimate_rtt_ms(&a, &b).unwrap() - 9.0).abs() < 1e-9);
}

#[test]
fn an_adjustment_never_makes_a_far_pair_local() {
    let a = point(CoordinateParts { position: vec![0.1, 0.0], adjustment: -0.2, ..parts() });
    assert!((estimate_rtt_ms(&a, &point(parts())).unwrap() - 100.0).abs() < 1e-9);
}

#[test]
fn the_upper_bound_is_200_ms_where_nothing_is_known() {
    let config = config();
    let (known, new) = (point(parts()), NetworkCoordinate::origin(&config, START));
    let other = point(CoordinateParts { position: vec![0.0; 3], ..parts() });
    for (local, remote) in [
        (None, None),
        (Some(&known), None),
        (None, Some(&known)),
        (Some(&known), Some(&new)),
        (Some(&known), Some(&other)),
    ] {
        assert_eq!(estimate_rtt_ucb_ms(local, remote, &config), 200.0);
    }
    // Two coordinates with 10 ms of doubt each: 2 × 20 ms above the estimate.
    let far = point(CoordinateParts { position: vec![0.03, 0.04], ..parts() });
    assert!((estimate_rtt_ucb_ms(Some(&known), Some(&far), &config) - 90.0).abs() < 1e-9);
}

#[test]
fn quality_falls_with_few_samples_a_large_error_and_age() {
    let config = config();
    let quality = |parts, now| coordinate_quality(Some(&point(parts)), &config, now);
    assert_eq!(coordinate_quality(None, &config, START), 0.0);
    assert_eq!(quality(parts(), START), 1.0);
    assert_eq!(quality(CoordinateParts { sample_count: 5, ..parts() }, START), 0.5);
    assert_eq!(quality(CoordinateParts { error_ms: 20.0, ..parts() }, START), 1.0);
    assert_eq!(quality(CoordinateParts { error_ms: 40.0, ..parts() }, START), 0.5);
    assert_eq!(quality(parts(), at(300)), 1.0);
    assert_eq!(quality(parts(), at(600)), 0.5);
}

#[test]
fn converged_has_both_bounds_inclusive() {
    let settled = |error, sample_count| {
        is_converged(&point(CoordinateParts { error, sample_count, ..parts() }), &config())
    };
    assert!(settled(0.5, 10));
    assert!(!settled(0.500_001, 10));
    assert!(!settled(0.5, 9));
}

#[test]
fn one_sample_moves_as_the_rule_says() {
    // 300 ms measured where 100 ms were predicted, and three own errors explain it: w = 1/2, the step at 300 ms is
    // 0.25 × √(256/300).
    let config = config();
    let local = CoordinateParts { position: vec![0.1, 0.0], error: 0.9, height: 0.0, ..parts() };
    let remote = point(CoordinateParts { error: 0.9, ..parts() });
    let mut here = CoordinateTracker::at(config, point(local), START);
    let moved =
        here.update_peer_coordinate(&node("b"), remote, 300.0, START, &mut Rng::new(1)).unwrap().clone();
    let force = 0.25 * (256.0_f64 / 300.0).sqrt() * 0.5 * 0.2;
    let pulled = ((0.1 + force) * 1_000.0 / 256.0).powi(2) / 1_000.0;
    assert!((moved.position()[0] - (0.1 + force - pulled)).abs() < 1e-9, "{:?}", moved.position());
    assert_eq!(moved.position()[1], 0.0);
    assert_eq!(moved.height(), 0.000_1);
    // The relative error was 2/3.
    assert!((moved.error() - (0.9 + 0.25 * 0.5 * (2.0 / 3.0 - 0.9))).abs() < 1e-9);
    assert!((moved.error_ms() - (10.0 + 0.25 * (200.0 - 10.0))).abs() < 1e-9);
    assert_eq!(moved.sample_count(), 11);
}

#[test]
fn nodes_at_one_place_part_in_any_direction() {
    let config = VivaldiConfig { dimensions: 4, ..VivaldiConfig::default() };
    let mut here = tracker(config.clone());
    let remote = NetworkCoordinate::origin(&config, START);
    here.update_peer_coordinate(&node("b"), remote, 80.0, START, &mut Rng::new(7)).unwrap();
    assert!(here.get_coordinate().position().iter().all(|component| *component != 0.0));
}

#[test]
fn absurd_round_trips_and_other_dimensions_are_refused_and_counted() {
    let mut here = tracker(config());
    let before = here.get_coordinate().clone();
    let (b, mut rng) = (node("b"), Rng::new(1));
    for rtt_ms in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -1.0, 10_000.1] {
        let refused = here.update_peer_coordinate(&b, point(parts()), rtt_ms, START, &mut rng);
        assert!(matches!(refused, Err(Refused::RoundTrip(_))), "{rtt_ms}");
    }
    let other = point(CoordinateParts { position: vec![0.0; 3], ..parts() });
    let refused = here.update_peer_coordinate(&b, other.clone(), 10.0, START, &mut rng).unwrap_err();
    assert_eq!(refused.to_string(), "coordinates have different dimensions. expected=2, given=3");
    assert!(here.observe_peer_coordinate(&b, other, START).is_err());
    assert_eq!(here.get_coordinate(), &before);
    assert_eq!((here.counters().refused_rtt, here.counters().refused_dimensions), (6, 2));
    assert_eq!(here.get_peer_count(), 0);
}

#[test]
fn a_coordinate_that_is_not_one_is_never_made() {
    let bad = [
        CoordinateParts { position: vec![f64::NAN, 0.0], ..parts() },
        CoordinateParts { position: vec![10.1, 0.0], ..parts() },
        CoordinateParts { position: vec![], ..parts() },
        CoordinateParts { position: vec![0.0; 33], ..parts() },
        CoordinateParts { height: -0.001, ..parts() },
        CoordinateParts { height: f64::INFINITY, ..parts() },
        CoordinateParts { adjustment: 1.1, ..parts() },
        CoordinateParts { error: f64::NAN, ..parts() },
        CoordinateParts { error: -0.1, ..parts() },
        CoordinateParts { error_ms: -1.0, ..parts() },
    ];
    for parts in bad {
        assert!(NetworkCoordinate::new(parts.clone(), START).is_err(), "{parts:?}");
    }
    let json = r#"{"vec":[0,11],"height":0,"error":0.1,"error_ms":1,"sample_count":1}"#;
    assert!(serde_json::from_str::<NetworkCoordinate>(json).unwrap_err().to_string().contains("vec"));
}

#[test]
fn a_delayed_sample_does_not_count_and_a_link_measured_often_bounds_its_own_round_trip() {
    let mut here = tracker(config());
    let (b, mut rng) = (node("b"), Rng::new(1));
    let far = point(CoordinateParts { position: vec![0.05, 0.0], error_ms: 250.0, ..parts() });
    for n in 0..4 {
        here.update_peer_coordinate(&b, far.clone(), 2.0, at(n), &mut rng).unwrap();
        assert!(here.estimate_rtt_ucb_ms(&b, at(n)) > 100.0, "{n}");
    }
    let calm = here.get_coordinate().error_ms();
    here.update_peer_coordinate(&b, far.clone(), 5_000.0, at(4), &mut rng).unwrap();
    assert!(here.get_coordinate().error_ms() < calm, "a queue somewhere is no distance");
    for n in 5..60 {
        here.update_peer_coordinate(&b, far.clone(), 2.0, at(n), &mut rng).unwrap();
    }
    let bound = here.estimate_rtt_ucb_ms(&b, at(60));
    assert!(bound < 20.0, "{bound}");
    // An old measurement bounds nothing.
    assert!(here.estimate_rtt_ucb_ms(&b, at(60 + 300)) > 100.0);
    assert!(here.measured(&b).unwrap().samples == 60);
}

#[test]
fn peers_are_bounded_and_forgotten() {
    let mut here = tracker(VivaldiConfig { max_tracked_peers: 2, ..config() });
    for (n, name) in ["a", "b", "a", "c"].into_iter().enumerate() {
        here.observe_peer_coordinate(&node(name), point(parts()), at(n as u64)).unwrap();
    }
    let known: Vec<_> = here.get_all_peer_ids().map(NodeId::as_str).collect();
    assert_eq!((known, here.counters().evicted), (vec!["a", "c"], 1));
    // "a" was last heard at 2 s: exactly the age is kept, more is not.
    assert_eq!(here.cleanup_stale_peers(None, at(302)), 0);
    assert_eq!(here.cleanup_stale_peers(None, at(303)), 1);
    assert!(here.forget_peer(&node("c")) && !here.forget_peer(&node("c")));
    here.observe_peer_coordinate(&node("d"), point(parts()), at(400)).unwrap();
    assert_eq!((here.sweep(at(400 + 1_200)), here.sweep(at(400 + 1_201))), (0, 1));
}

#[test]
fn a_restart_keeps_the_place_and_earns_trust_anew() {
    let mut here = tracker(config());
    let far = point(CoordinateParts { position: vec![0.3, 0.0], ..parts() });
    for n in 0..40 {
        here.update_peer_coordinate(&node("b"), far.clone(), 250.0, at(n), &mut Rng::new(n)).unwrap();
    }
    assert!(here.is_converged());
    let saved = here.save(at(40));
    let restored = CoordinateTracker::restored(config(), &saved, at(40 + 3_599)).unwrap();
    let coordinate = restored.get_coordinate();
    assert_eq!(coordinate.position(), here.get_coordinate().position());
    assert_eq!((coordinate.sample_count(), coordinate.error()), (0, 0.5));
    assert!(!restored.is_converged());
    let later = CoordinateTracker::restored(config(), &saved, at(40 + 3_600)).unwrap();
    assert_eq!(later.get_coordinate(), &NetworkCoordinate::origin(&config(), at(40 + 3_600)));
    let other = VivaldiConfig { dimensions: 3, ..config() };
    assert_eq!(CoordinateTracker::restored(other, &saved, at(41)).unwrap().get_coordinate().dimensions(), 3);
    let early = CoordinateTracker::restored(config(), &saved, at(39)).unwrap();
    assert_eq!(early.get_coordinate().position(), [0.0, 0.0], "a clock that was set back proves no age");
}

#[test]
fn the_coordinate_of_routing_moves_seldom() {
    let (mut here, mut rng) = (tracker(config()), Rng::new(3));
    let far = point(CoordinateParts { position: vec![0.1, 0.0], ..parts() });
    for n in 0..200 {
        let rtt_ms = 100.0 + (rng.next_u64() % 5) as f64;
        here.update_peer_coordinate(
            &node("b"),
            far.clone(),
            rtt_ms,
            START.plus(Duration::from_millis(n)),
            &mut rng,
        )
        .unwrap();
    }
    let published = here.metrics().published;
    assert!((1..40).contains(&published), "{published}");
    here.update_peer_coordinate(&node("b"), far, 100.0, at(31), &mut rng).unwrap();
    assert_eq!(here.metrics().published, published + 1, "however little it moved, every 30 s");
    assert_eq!(here.application_coordinate(), here.get_coordinate());
}

fn any_parts(dimensions: usize) -> impl Strategy<Value = CoordinateParts> {
    let component = prop_oneof![Just(0.0), Just(-10.0), Just(10.0), -10.0..10.0, -0.2..0.2];
    let height = prop_oneof![Just(0.0), Just(10.0), 0.0..10.0];
    let error = prop_oneof![Just(0.0), Just(10.0), 0.0..10.0];
    let position = prop::collection::vec(component, dimensions);
    (position, height, -1.0..=1.0, error, 0.0..=10_000.0, any::<u64>()).prop_map(
        |(position, height, adjustment, error, error_ms, sample_count)| CoordinateParts {
            position,
            height,
            adjustment,
            error,
            error_ms,
            sample_count,
        },
    )
}

proptest! {
    #[test]
    fn estimates_are_symmetric_finite_and_bounded(a in any_parts(3), b in any_parts(3)) {
        let (a, b, config) = (point(a), point(b), config());
        let there = estimate_rtt_ms(&a, &b).unwrap();
        prop_assert_eq!(there, estimate_rtt_ms(&b, &a).unwrap());
        prop_assert!(there.is_finite() && there >= 0.0);
        let bound = estimate_rtt_ucb_ms(Some(&a), Some(&b), &config);
        prop_assert!((config.rtt_min_ms..=config.rtt_max_ms).contains(&bound));
        let quality = coordinate_quality(Some(&a), &config, at(1_000));
        prop_assert!((0.0..=1.0).contains(&quality));
    }

    /// Whatever peers say and clocks measure, a coordinate stays one, and nothing begins anew.
    #[test]
    fn no_input_makes_a_coordinate_invalid(
        samples in prop::collection::vec((any_parts(3), prop_oneof![any::<f64>(), 0.001..10_000.0]), 1..80),
        seed: u64,
    ) {
        let config = VivaldiConfig { dimensions: 3, ..VivaldiConfig::default() };
        let (mut here, mut rng) = (tracker(config.clone()), Rng::new(seed));
        for (n, (parts, rtt_ms)) in samples.into_iter().enumerate() {
            let (before, peer) = (here.get_coordinate().clone(), node(&format!("p{}", n % 5)));
            let is_taken = here.update_peer_coordinate(&peer, point(parts), rtt_ms, at(n as u64), &mut rng).is_ok();
            let after = here.get_coordinate();
            prop_assert!(NetworkCoordinate::new(after.parts().clone(), START).is_ok());
            prop_assert!((config.min_error..=config.max_error).contains(&after.error()));
            prop_assert!(is_taken || after == &before);
            let bound = here.estimate_rtt_ucb_ms(&peer, at(n as u64));
            prop_assert!((config.rtt_min_ms..=config.rtt_max_ms).contains(&bound));
        }
        prop_assert_eq!(here.counters().resets, 0);
    }
}

#[test]
fn knobs_that_do_not_fit_are_refused_by_name() {
    let refused = |config: VivaldiConfig| config.check().unwrap_err().field;
    let base = VivaldiConfig::default;
    assert_eq!(refused(VivaldiConfig { dimensions: 33, ..base() }), "dimensions");
    assert_eq!(refused(VivaldiConfig { ce: 0.0, ..base() }), "ce");
    assert_eq!(refused(VivaldiConfig { ce: f64::NAN, ..base() }), "ce");
    assert_eq!(refused(VivaldiConfig { error_decay: 1.1, ..base() }), "error_decay");
    assert_eq!(refused(VivaldiConfig { max_error: 0.01, ..base() }), "max_error");
    assert_eq!(refused(VivaldiConfig { sigma_max_ms: 0.5, ..base() }), "sigma_max_ms");
    assert_eq!(refused(VivaldiConfig { rtt_max_ms: 10_001.0, ..base() }), "rtt_max_ms");
    assert_eq!(refused(VivaldiConfig { filter_percentile: 101, ..base() }), "filter_percentile");
    assert_eq!(refused(VivaldiConfig { max_tracked_peers: 0, ..base() }), "max_tracked_peers");
}
