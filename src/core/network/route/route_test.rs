use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::kernel::ids::{DatacenterId, EntityId};
use crate::kernel::time::Timestamp;

const START: Timestamp = Timestamp::EPOCH;

fn at(seconds: f64) -> Timestamp {
    START.plus(Duration::from_secs_f64(seconds))
}

fn dc(name: &str) -> DatacenterId {
    DatacenterId::new(name).unwrap()
}

fn job() -> EntityId {
    EntityId::new("job").unwrap()
}

/// A sound datacenter at a distance: with nothing used and no doubt, its score is its round trip.
fn at_ms(name: &str, rtt_ucb_ms: f64) -> DatacenterCandidate {
    DatacenterCandidate {
        datacenter_id: dc(name),
        health_bucket: Some(HealthBucket::Healthy),
        available_cores: 8,
        total_cores: 8,
        queue_depth: 0,
        lhm_multiplier: 1.0,
        circuit_breaker_pressure: 0.0,
        total_managers: 2,
        healthy_managers: 2,
        has_coordinate: true,
        rtt_ucb_ms,
        coordinate_quality: 1.0,
        last_health_at: Timestamp::MAX,
    }
}

/// A router that is asked about one job.
struct One {
    router: Router,
    is_converged: bool,
}

impl One {
    fn new() -> Self {
        One { router: Router::new(RoutingConfig::default(), BTreeSet::new()).unwrap(), is_converged: true }
    }

    fn route(&mut self, candidates: &[DatacenterCandidate], seconds: f64) -> RoutingDecision {
        self.router.route_job(&job(), 1, candidates, self.is_converged, at(seconds)).unwrap()
    }

    fn chosen(&mut self, candidates: &[DatacenterCandidate], seconds: f64) -> (String, Reason) {
        let decision = self.route(candidates, seconds);
        (decision.primary_datacenters[0].to_string(), decision.reason)
    }
}

fn is(name: &str, reason: Reason) -> (String, Reason) {
    (name.to_owned(), reason)
}

#[test]
fn a_score_is_distance_load_and_doubt() {
    let mut one = One::new();
    let candidate = DatacenterCandidate {
        available_cores: 2,
        queue_depth: 10,
        circuit_breaker_pressure: 0.5,
        coordinate_quality: 0.5,
        ..at_ms("a", 100.0)
    };
    let scored = &one.route(&[candidate], 0.0).scores[0];
    assert!((scored.load - (1.0 + 0.5 * 0.75 + 0.3 * 0.5 + 0.2 * 0.5)).abs() < 1e-12);
    assert!((scored.score - 100.0 * scored.load * 1.25).abs() < 1e-9);
    let unknown = DatacenterCandidate { has_coordinate: false, ..at_ms("b", 1.0) };
    let scores = one.route(&[unknown, at_ms("c", 900.0)], 1.0).scores;
    let unknown = scores.iter().find(|scored| scored.datacenter_id == dc("b")).unwrap();
    assert_eq!((unknown.rtt_ucb_ms, unknown.score), (200.0, 300.0));
}

#[test]
fn the_first_reason_that_holds_excludes() {
    let base = || at_ms("x", 10.0);
    let cases = [
        (DatacenterCandidate { rtt_ucb_ms: f64::NAN, ..base() }, Exclusion::InvalidInput),
        (DatacenterCandidate { circuit_breaker_pressure: -0.1, ..base() }, Exclusion::InvalidInput),
        (DatacenterCandidate { health_bucket: None, ..base() }, Exclusion::UnknownBucket),
        (
            DatacenterCandidate { health_bucket: Some(HealthBucket::Unhealthy), total_managers: 0, ..base() },
            Exclusion::UnhealthyStatus,
        ),
        (DatacenterCandidate { total_managers: 0, ..base() }, Exclusion::NoRegisteredManagers),
        (DatacenterCandidate { healthy_managers: 0, ..base() }, Exclusion::AllManagersCircuitOpen),
    ];
    for (candidate, reason) in cases {
        let decision = One::new().route(&[candidate], 0.0);
        assert_eq!(decision.excluded, [Excluded { datacenter_id: dc("x"), reason }]);
        assert_eq!((decision.primary_bucket, decision.reason), (None, Reason::NothingEligible));
        assert!(decision.primary_datacenters.is_empty() && decision.fallback_datacenters.is_empty());
    }
    let twice = One::new().route(&[at_ms("a", 10.0), at_ms("a", 1.0)], 0.0);
    assert_eq!((twice.excluded.len(), twice.primary_datacenters), (1, vec![dc("a")]));
}

#[test]
fn stale_health_is_degraded_at_best_and_exactly_30_s_is_not_stale() {
    let heard = |seconds| DatacenterCandidate { last_health_at: at(seconds), ..at_ms("a", 10.0) };
    assert_eq!(One::new().route(&[heard(0.0)], 30.0).primary_bucket, Some(HealthBucket::Healthy));
    let decision = One::new().route(&[heard(0.0)], 30.001);
    assert_eq!(decision.primary_bucket, Some(HealthBucket::Degraded));
    assert_eq!(decision.scores[0].original_bucket, HealthBucket::Healthy);
}

#[test]
fn a_choice_is_held_for_30_s_and_then_needs_a_fifth_less() {
    let mut one = One::new();
    assert_eq!(one.chosen(&[at_ms("a", 100.0)], 0.0), is("a", Reason::InitialSelection));
    let better = [at_ms("a", 100.0), at_ms("b", 80.0)];
    assert_eq!(one.chosen(&better, 29.999), is("a", Reason::HoldDownRetained));
    let not_enough = [at_ms("a", 100.0), at_ms("b", 80.001)];
    assert_eq!(one.chosen(&not_enough, 30.0), is("a", Reason::HoldDownRetained));
    let decision = one.route(&better, 30.0);
    assert_eq!(decision.reason, Reason::ImprovementThresholdMet);
    assert!(decision.switched && decision.previous_primary == Some(dc("a")));
    assert_eq!(one.router.state(&job()).unwrap().switch_count, 1);
    assert_eq!(one.chosen(&better, 31.0), is("b", Reason::HoldDownRetained));
}

#[test]
fn a_score_half_as_bad_again_for_10_s_forces_a_switch() {
    let mut one = One::new();
    one.route(&[at_ms("a", 100.0)], 0.0);
    let worse = [at_ms("a", 150.0), at_ms("b", 149.0)];
    assert_eq!(one.chosen(&worse, 1.0), is("a", Reason::HoldDownRetained));
    assert_eq!(one.chosen(&worse, 10.9), is("a", Reason::HoldDownRetained));
    // One look at which it is better begins the ten seconds anew.
    assert_eq!(one.chosen(&[at_ms("a", 149.9), at_ms("b", 149.0)], 10.95), is("a", Reason::HoldDownRetained));
    assert_eq!(one.chosen(&worse, 11.0), is("a", Reason::HoldDownRetained));
    assert_eq!(one.chosen(&worse, 20.999), is("a", Reason::HoldDownRetained));
    assert_eq!(one.chosen(&worse, 21.0), is("b", Reason::DegradationForced));
}

#[test]
fn a_better_bucket_a_fall_and_an_exclusion_force_a_switch_at_once() {
    let busy =
        |name, rtt| DatacenterCandidate { health_bucket: Some(HealthBucket::Busy), ..at_ms(name, rtt) };
    let mut one = One::new();
    assert_eq!(one.chosen(&[busy("a", 10.0)], 0.0), is("a", Reason::InitialSelection));
    let decision = one.route(&[busy("a", 10.0), at_ms("b", 900.0)], 1.0);
    assert_eq!(decision.reason, Reason::BucketDropForced);
    assert_eq!(decision.primary_datacenters, [dc("b")], "a bucket is never crossed for speed");
    assert_eq!(decision.fallback_datacenters, [dc("a")]);
    let gone = DatacenterCandidate { healthy_managers: 0, ..at_ms("b", 900.0) };
    assert_eq!(one.chosen(&[busy("a", 10.0), gone], 2.0), is("a", Reason::ExclusionForced));
}

#[test]
fn a_failure_counts_for_120_s_and_leaves_the_only_one_selectable() {
    let mut one = One::new();
    let both = [at_ms("a", 100.0), at_ms("b", 190.0)];
    assert_eq!(one.chosen(&both, 0.0), is("a", Reason::InitialSelection));
    one.router.record_dispatch_failure(&job(), &dc("a"), at(1.0));
    assert_eq!(one.chosen(&both[..1], 2.0), is("a", Reason::HoldDownRetained));
    let decision = one.route(&both, 2.0);
    assert_eq!(decision.reason, Reason::CooldownPenalty);
    assert_eq!(decision.scores[1].score, 200.0);
    // At exactly 120 s it is over.
    assert_eq!(one.route(&both, 120.9).scores[1].cooldown, 2.0);
    assert_eq!(one.chosen(&both, 121.0), is("a", Reason::ImprovementThresholdMet));
    one.router.record_dispatch_failure(&EntityId::new("other").unwrap(), &dc("a"), at(1.0));
    assert!(one.router.state(&EntityId::new("other").unwrap()).is_none());
}

#[test]
fn without_a_settled_coordinate_room_decides_and_nothing_flaps() {
    let mut one = One::new();
    one.is_converged = false;
    let room = |name, rtt, cores| DatacenterCandidate { available_cores: cores, ..at_ms(name, rtt) };
    let candidates = [room("near", 1.0, 2), room("far", 300.0, 8)];
    let decision = one.route(&candidates, 0.0);
    assert!(decision.in_bootstrap_mode && decision.primary_datacenters[0] == dc("far"));
    let other = [room("near", 1.0, 8), room("far", 300.0, 2)];
    assert_eq!(one.chosen(&other, 100.0), is("far", Reason::HoldDownRetained));
    one.router.record_dispatch_failure(&job(), &dc("far"), at(100.0));
    assert_eq!(one.chosen(&candidates, 101.0), is("near", Reason::CooldownPenalty));
    // Settled: the first score is the base, and the choice is not stuck for ever.
    one.is_converged = true;
    let settled = [at_ms("near", 100.0), at_ms("far", 50.0)];
    one.router.heard_from(&dc("near"));
    assert_eq!(one.chosen(&settled, 110.0), is("near", Reason::HoldDownRetained));
    assert_eq!(one.router.state(&job()).unwrap().selection_score, Some(100.0));
    assert_eq!(one.chosen(&settled, 221.0), is("far", Reason::ImprovementThresholdMet));
}

#[test]
fn a_switch_fills_the_one_it_goes_to_until_that_tells_its_queue() {
    let mut one = One::new();
    assert_eq!(one.chosen(&[at_ms("a", 100.0), at_ms("b", 200.0)], 0.0), is("a", Reason::InitialSelection));
    let better = [at_ms("a", 100.0), at_ms("b", 79.0)];
    assert_eq!(one.chosen(&better, 30.0), is("b", Reason::ImprovementThresholdMet));
    let score = |one: &mut One| one.route(&better, 31.0).scores[0].load;
    assert!(score(&mut one) > 1.0, "the job that moved waits there");
    one.router.heard_from(&dc("b"));
    assert_eq!(score(&mut one), 1.0);
}

#[test]
fn jobs_between_two_heartbeats_spread_over_equals_and_own_dispatches_count() {
    let candidates = [at_ms("a", 100.0), at_ms("b", 105.0), at_ms("c", 109.0), at_ms("d", 150.0)];
    let mut router = Router::new(RoutingConfig::default(), BTreeSet::new()).unwrap();
    let mut counts: BTreeMap<DatacenterId, u32> = BTreeMap::new();
    for n in 0..300 {
        let job = EntityId::new(format!("job-{n}")).unwrap();
        let decision = router.route_job(&job, 1, &candidates, true, START).unwrap();
        *counts.entry(decision.primary_datacenters[0].clone()).or_default() += 1;
    }
    assert_eq!(counts.len(), 3);
    assert!(counts.values().all(|n| (70..130).contains(n)), "{counts:?}");
    (0..90).for_each(|_| router.record_dispatch(&dc("a")));
    let load = |router: &mut Router| {
        let decision = router.route_job(&job(), 1, &candidates[..1], true, START).unwrap();
        decision.scores[0].load
    };
    assert!((load(&mut router) - 1.27).abs() < 1e-9);
    router.heard_from(&dc("a"));
    assert_eq!(load(&mut router), 1.0);
}

#[test]
fn what_is_kept_for_a_job_is_fenced_bounded_and_ends_with_it() {
    let config = RoutingConfig { max_jobs: 2, ..RoutingConfig::default() };
    let mut router = Router::new(config, BTreeSet::new()).unwrap();
    let candidates = [at_ms("a", 1.0)];
    let jobs = ["j1", "j2", "j3"].map(|name| EntityId::new(name).unwrap());
    for (n, job) in jobs.iter().enumerate() {
        router.route_job(job, 5, &candidates, true, at(n as f64)).unwrap();
    }
    assert!(router.state(&jobs[0]).is_none(), "the one asked about longest ago gave way");
    let refused = router.route_job(&jobs[1], 4, &candidates, true, at(3.0)).unwrap_err();
    assert_eq!(refused.to_string(), "stale fencing token. held=5, given=4");
    assert_eq!(router.reset_primary(&BTreeSet::from([dc("a")])), jobs[1..]);
    assert_eq!(router.state(&jobs[1]).unwrap().primary, None);
    assert_eq!((router.cleanup_idle(at(3_601.0)), router.cleanup_idle(at(3_601.5))), (0, 1));
    assert!(router.cleanup_job_state(&jobs[2]) && !router.cleanup_job_state(&jobs[2]));
    // After a step of the clock no waiting time is longer than it ever was.
    let later = JobRoutingState { primary: Some(dc("a")), selected_at: at(900.0), ..Default::default() };
    router.restore(jobs[0].clone(), later, at(10.0));
    assert_eq!(router.state(&jobs[0]).unwrap().selected_at, at(10.0));
}

fn any_candidate() -> impl Strategy<Value = DatacenterCandidate> {
    let bucket = prop_oneof![
        Just(None),
        Just(Some(HealthBucket::Healthy)),
        Just(Some(HealthBucket::Busy)),
        Just(Some(HealthBucket::Degraded)),
        Just(Some(HealthBucket::Unhealthy)),
    ];
    let number = || prop_oneof![Just(f64::NAN), Just(-1.0), 0.0..2.0, 0.0..500.0];
    (
        ("[a-h]", bucket, 0_u64..20, 0_u64..20, 0_u64..100),
        (number(), 0_u64..4, 0_u64..4, any::<bool>(), number(), 0.0..1.5, 0_u32..60),
    )
        .prop_map(|((name, health_bucket, available_cores, total_cores, queue_depth), rest)| {
            let (pressure, total, healthy, has_coordinate, rtt, coordinate_quality, age) = rest;
            DatacenterCandidate {
                datacenter_id: dc(&name),
                health_bucket,
                available_cores,
                total_cores,
                queue_depth,
                lhm_multiplier: 1.0,
                circuit_breaker_pressure: pressure,
                total_managers: total,
                healthy_managers: healthy,
                has_coordinate,
                rtt_ucb_ms: rtt,
                coordinate_quality,
                last_health_at: at(60.0 - f64::from(age)),
            }
        })
}

/// The primary by the words of the rules, slowly.
fn twin(
    candidates: &[DatacenterCandidate],
    state: &JobRoutingState,
    scores: &[Scored],
    now: Timestamp,
) -> Option<(Option<DatacenterId>, Reason)> {
    let config = RoutingConfig::default();
    let primary_bucket = scores.iter().map(|scored| scored.bucket).min()?;
    let members: Vec<&Scored> = scores.iter().filter(|scored| scored.bucket == primary_bucket).collect();
    let Some(current) = &state.primary else { return Some((None, Reason::InitialSelection)) };
    let best_of = |members: &[&Scored]| {
        let cores =
            |id: &DatacenterId| candidates.iter().find(|c| c.datacenter_id == *id).unwrap().available_cores;
        let key =
            |s: &&Scored| (s.score, std::cmp::Reverse(cores(&s.datacenter_id)), s.datacenter_id.clone());
        members.iter().map(key).min_by(|a, b| a.partial_cmp(b).unwrap()).map(|key| key.2)
    };
    let best = best_of(&members);
    if !scores.iter().any(|scored| scored.datacenter_id == *current) {
        return Some((best, Reason::ExclusionForced));
    }
    let Some(held) = members.iter().find(|scored| scored.datacenter_id == *current) else {
        return Some((best, Reason::BucketDropForced));
    };
    let cool: Vec<&Scored> = members.iter().copied().filter(|scored| scored.cooldown == 1.0).collect();
    if held.cooldown > 1.0 && !cool.is_empty() {
        return Some((best_of(&cool), Reason::CooldownPenalty));
    }
    let lowest = members.iter().map(|scored| scored.score).fold(f64::INFINITY, f64::min);
    let is_bad = state.selection_score.is_some_and(|before| held.score >= config.degradation * before);
    let since = if is_bad { Some(state.degraded_since.unwrap_or(now)) } else { None };
    if since.is_some_and(|since| now.since(since) >= Duration::from_secs(10)) && lowest < held.score {
        return Some((best, Reason::DegradationForced));
    }
    let is_free = now.since(state.selected_at) >= Duration::from_secs(30);
    if best.as_ref() != Some(current) && is_free && lowest <= 0.8 * held.score {
        return Some((best, Reason::ImprovementThresholdMet));
    }
    Some((Some(current.clone()), Reason::HoldDownRetained))
}

proptest! {
    #[test]
    fn every_decision_keeps_the_rules(
        candidates in prop::collection::vec(any_candidate(), 0..10),
        primary in prop::option::of("[a-h]"),
        selected in 0.0..60.0_f64,
        base in prop::option::of(1.0..300.0_f64),
        degraded in prop::option::of(30.0..60.0_f64),
        failed in prop::collection::btree_map("[a-h]", 0.0..60.0_f64, 0..3),
        is_converged: bool,
    ) {
        let state = JobRoutingState {
            primary: primary.as_deref().map(dc),
            selected_at: at(selected),
            selection_score: base,
            degraded_since: degraded.map(at),
            cooldowns: failed.iter().map(|(name, when)| (dc(name), at(*when))).collect(),
            ..JobRoutingState::default()
        };
        let (now, config) = (at(60.0), RoutingConfig::default());
        let (none, zero) = (BTreeSet::new(), BTreeMap::new());
        let view = LocalView { is_converged, preferred: &none, dispatched: &zero, targets: None, now };
        let (decision, next) = decide(&job(), &candidates, &state, view, &config);
        let again = decide(&job(), &candidates, &state, view, &config);
        // As text: what is not a number is unlike itself.
        prop_assert_eq!(format!("{:?}", (&decision, &next)), format!("{again:?}"));

        let all: Vec<&DatacenterId> =
            decision.primary_datacenters.iter().chain(&decision.fallback_datacenters).collect();
        let ids: BTreeSet<&DatacenterId> = all.iter().copied().collect();
        let given: BTreeSet<&DatacenterId> = candidates.iter().map(|c| &c.datacenter_id).collect();
        let out: BTreeSet<&DatacenterId> = decision.excluded.iter().map(|e| &e.datacenter_id).collect();
        prop_assert_eq!(ids.len(), all.len(), "every one once");
        prop_assert_eq!(&ids | &out, given);
        prop_assert_eq!(all.len() + decision.excluded.len(), candidates.len());
        prop_assert!(decision.scores.iter().all(|s| s.bucket != HealthBucket::Unhealthy && s.score.is_finite()));
        for (scored, id) in decision.scores.iter().zip(&all) {
            prop_assert_eq!(&scored.datacenter_id, *id);
            prop_assert!(scored.bucket >= scored.original_bucket, "a bucket was raised");
        }
        let buckets: Vec<HealthBucket> = decision.scores.iter().map(|scored| scored.bucket).collect();
        prop_assert!(buckets.is_sorted(), "a bucket was crossed for speed");
        let primaries = decision.primary_datacenters.len();
        prop_assert!(buckets[..primaries].iter().all(|bucket| Some(*bucket) == decision.primary_bucket));
        prop_assert_eq!(decision.switched, state.primary.is_some() && next.primary != state.primary);
        prop_assert!(next.switch_count - state.switch_count <= 1);
        if !decision.in_bootstrap_mode
            && let Some((expected, reason)) = twin(&candidates, &state, &decision.scores, now)
        {
            prop_assert_eq!(decision.reason, reason);
            if let Some(expected) = expected {
                prop_assert_eq!(&decision.primary_datacenters[0], &expected);
            }
        }
    }
}
