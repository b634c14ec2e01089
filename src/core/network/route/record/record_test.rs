//! A job's route on record: hysteresis at its exact boundaries, through restarts; failures; forgetting.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::*;
use crate::kernel::driver::Driver;
use crate::kernel::ids::{DatacenterId, EntityId};
use crate::network::route::{DatacenterCandidate, HealthBucket, Reason, RoutingDecision, StaleFence};

type Routed = Driver<RouteMachine>;

fn dc(name: &str) -> DatacenterId {
    DatacenterId::new(name).unwrap()
}

fn us(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

/// A healthy, idle datacenter at such a distance, heard just now.
fn candidate(name: &str, rtt_ucb_ms: f64, now: Timestamp) -> DatacenterCandidate {
    DatacenterCandidate {
        datacenter_id: dc(name),
        health_bucket: Some(HealthBucket::Healthy),
        available_cores: 8,
        total_cores: 8,
        queue_depth: 0,
        lhm_multiplier: 1.0,
        circuit_breaker_pressure: 0.0,
        total_managers: 1,
        healthy_managers: 1,
        has_coordinate: true,
        rtt_ucb_ms,
        coordinate_quality: 1.0,
        last_health_at: now,
    }
}

fn ask(candidates: Vec<DatacenterCandidate>, fence: Option<u64>) -> Command {
    Command::Decide(Box::new(Ask {
        job: EntityId::new("j").unwrap(),
        fence,
        candidates,
        is_converged: true,
        preferred: BTreeSet::new(),
        dispatched: BTreeMap::new(),
        targets: None,
    }))
}

fn decide(route: &mut Routed, candidates: &[(&str, f64)], now: Timestamp) -> RoutingDecision {
    let candidates = candidates.iter().map(|(name, rtt)| candidate(name, *rtt, now)).collect();
    match route.step(ask(candidates, None), now).reply {
        Ok(Reply::Decided(decision)) => *decision,
        other => panic!("{other:?}"),
    }
}

/// The same route in the next process: from a snapshot of its state.
fn restarted(route: &Routed) -> Routed {
    Routed::default().restore(route.state().clone(), route.revision())
}

/// East is chosen at 0.
fn chosen() -> Routed {
    let mut route = Routed::default();
    let decision = decide(&mut route, &[("east", 50.0), ("west", 100.0)], us(0));
    assert_eq!(
        (decision.primary_datacenters[0].as_str(), decision.reason),
        ("east", Reason::InitialSelection)
    );
    route
}

#[test]
fn a_choice_is_kept_for_exactly_30_seconds_also_through_a_restart() {
    let just = us(30).minus(Duration::from_micros(1));
    for after in [chosen(), restarted(&chosen())] {
        let mut route = after;
        let held = decide(&mut route, &[("east", 50.0), ("west", 10.0)], just);
        assert_eq!((held.primary_datacenters[0].as_str(), held.reason), ("east", Reason::HoldDownRetained));
        let mut route = restarted(&route);
        let moved = decide(&mut route, &[("east", 50.0), ("west", 10.0)], us(30));
        let reason = Reason::ImprovementThresholdMet;
        assert_eq!((moved.primary_datacenters[0].as_str(), moved.reason), ("west", reason));
        assert_eq!(route.state().routing.as_ref().unwrap().switch_count, 1);
    }
}

#[test]
fn another_one_must_have_at_most_four_fifths_of_the_score() {
    let mut route = chosen();
    let kept = decide(&mut route, &[("east", 50.0), ("west", 40.001)], us(31));
    assert_eq!((kept.reason, kept.switched), (Reason::HoldDownRetained, false));
    let moved = decide(&mut restarted(&route), &[("east", 50.0), ("west", 40.0)], us(32));
    assert_eq!((moved.reason, moved.switched), (Reason::ImprovementThresholdMet, true));
}

#[test]
fn ten_bad_seconds_move_it_and_a_restart_in_between_counts_on() {
    let bad = [("east", 75.0), ("west", 70.0)];
    let mut route = chosen();
    assert_eq!(decide(&mut route, &bad, us(1)).reason, Reason::HoldDownRetained);
    let mut route = restarted(&route);
    let just = us(11).minus(Duration::from_micros(1));
    assert_eq!(decide(&mut route, &bad, just).reason, Reason::HoldDownRetained);
    let moved = decide(&mut restarted(&route), &bad, us(11));
    assert_eq!((moved.reason, moved.primary_datacenters[0].as_str()), (Reason::DegradationForced, "west"));
    // One look at which it was well begins anew.
    assert_eq!(
        decide(&mut route, &[("east", 74.0), ("west", 70.0)], us(11)).reason,
        Reason::HoldDownRetained
    );
    assert_eq!(decide(&mut route, &bad, us(12)).reason, Reason::HoldDownRetained);
}

#[test]
fn a_failure_cools_for_exactly_120_seconds_also_through_a_restart() {
    let mut route = chosen();
    let fail = || Command::Fail { datacenter: dc("east"), reason: FailureReason::Busy, fence: None };
    let step = route.step(fail(), us(5));
    assert_eq!(step.reply, Ok(Reply::Cools { until: us(125) }));
    let mut route = restarted(&route);
    let near = [("east", 50.0), ("west", 500.0)];
    let moved = decide(&mut route, &near, us(6));
    assert_eq!((moved.reason, moved.primary_datacenters[0].as_str()), (Reason::CooldownPenalty, "west"));
    let just = us(125).minus(Duration::from_micros(1));
    let held = decide(&mut restarted(&route), &[("east", 202.0), ("west", 500.0)], just);
    assert_eq!(held.reason, Reason::HoldDownRetained, "it still counts double");
    let back = decide(&mut restarted(&route), &[("east", 202.0), ("west", 500.0)], us(125));
    assert_eq!(
        (back.reason, back.primary_datacenters[0].as_str()),
        (Reason::ImprovementThresholdMet, "east")
    );
}

#[test]
fn what_is_unhealthy_is_in_no_list_and_nothing_crosses_a_bucket_for_speed() {
    let mut route = Routed::default();
    let near =
        |name, bucket, ms| DatacenterCandidate { health_bucket: Some(bucket), ..candidate(name, ms, us(0)) };
    let candidates = vec![
        near("a", HealthBucket::Unhealthy, 1.0),
        near("b", HealthBucket::Degraded, 2.0),
        near("c", HealthBucket::Busy, 3.0),
        near("d", HealthBucket::Healthy, 900.0),
    ];
    let Ok(Reply::Decided(decision)) = route.step(ask(candidates, None), us(0)).reply else { panic!() };
    let names = |list: &[DatacenterId]| list.iter().map(DatacenterId::to_string).collect::<Vec<_>>();
    assert_eq!(names(&decision.primary_datacenters), ["d"]);
    assert_eq!(names(&decision.fallback_datacenters), ["c", "b"]);
    assert_eq!(decision.excluded.len(), 1);
    let never = Command::Fail { datacenter: dc("a"), reason: FailureReason::Refused, fence: None };
    assert_eq!(route.step(never, us(1)).reply, Err(Rejection::NeverTried { datacenter: dc("a") }));
}

#[test]
fn a_replaced_leader_decides_nothing_also_after_the_end() {
    let mut route = Routed::default();
    let candidates = || vec![candidate("east", 50.0, us(0))];
    assert!(route.step(ask(candidates(), Some(7)), us(0)).reply.is_ok());
    let stale = Err(Rejection::Stale(StaleFence { held: 7, given: 6 }));
    assert_eq!(route.step(ask(candidates(), Some(6)), us(1)).reply, stale);
    let late = |fence| Command::Fail { datacenter: dc("east"), reason: FailureReason::Refused, fence };
    assert_eq!(route.step(late(Some(6)), us(1)).reply, stale);
    assert_eq!(route.step(Command::Forget, us(2)).reply, Ok(Reply::Changed(true)));
    assert_eq!(route.step(Command::Forget, us(2)).reply, Ok(Reply::Changed(false)));
    assert_eq!(route.step(late(None), us(3)).reply, Err(Rejection::Unknown), "a late failure makes nothing");
    assert_eq!(route.step(ask(candidates(), Some(6)), us(4)).reply, stale);
    assert_eq!(route.state().routing, None);
    assert_eq!(route.state().chosen.as_ref().unwrap().reason, Reason::InitialSelection);
}

#[test]
fn what_nobody_asks_about_for_longer_than_an_hour_is_forgotten() {
    let mut route = chosen();
    decide(&mut route, &[("east", 50.0)], us(100));
    assert!(route.settle(us(3_700)).events.is_empty(), "an hour is not longer than an hour");
    let late = route.settle(us(3_700).plus(Duration::from_micros(1)));
    let names: Vec<&str> = late.events.iter().map(Event::name).collect();
    assert_eq!((names, route.state().routing.is_none()), (vec!["forgotten"], true));
}

#[test]
fn a_fallback_that_took_the_job_is_its_primary_and_a_switch_stands_on_record() {
    let mut route = chosen();
    let accept = || Command::Accept { datacenter: dc("west") };
    let step = route.step(accept(), us(3));
    assert_eq!((step.reply, step.events.len()), (Ok(Reply::Changed(true)), 1));
    assert_eq!(route.step(accept(), us(4)).reply, Ok(Reply::Changed(false)));
    let held = decide(&mut route, &[("east", 50.0), ("west", 100.0)], us(32));
    assert_eq!((held.reason, held.primary_datacenters[0].as_str()), (Reason::HoldDownRetained, "west"));
    let candidates = vec![candidate("east", 50.0, us(33)), candidate("west", 100.0, us(33))];
    let step = route.step(ask(candidates, None), us(33));
    let names: Vec<&str> = step.events.iter().map(Event::name).collect();
    assert_eq!(names, ["decided", "switched"]);
    let blind = vec![DatacenterCandidate { has_coordinate: false, ..candidate("east", 0.0, us(34)) }];
    let names: Vec<&str> = route.step(ask(blind, None), us(34)).events.iter().map(Event::name).collect();
    assert_eq!(names, ["decided", "bootstrap_entered"]);
}
