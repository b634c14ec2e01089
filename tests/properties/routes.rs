//! Laws of routes on record, over random heartbeats, failures, times and restarts: nothing UNHEALTHY is ever in a list, no
//! score crosses a bucket, only what may move a job before its hold-down is over does, every eligible datacenter is in one
//! list once, replay of stored bytes is live, and a restart at any point changes no later decision.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use quorate_core::kernel::driver::Driver;
use quorate_core::kernel::ids::{DatacenterId, EntityId};
use quorate_core::kernel::time::Timestamp;
use quorate_core::network::coordinate::VivaldiConfig;
use quorate_core::network::coordinate::record::Node;
use quorate_core::network::datacenter::{self, Change, DatacentersMachine};
use quorate_core::network::route::record::{self as route, Ask, FailureReason, Reply, RouteMachine};
use quorate_core::network::route::{DatacenterCandidate, HealthBucket, Reason, RoutingDecision};
use quorate_journal::codec::{decode, encode};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];
/// Around hold-down, cooldown, the bad spell and the age of health, in microseconds.
const WAITS: [u64; 9] =
    [0, 1, 9_999_999, 10_000_000, 29_999_999, 30_000_000, 30_000_001, 119_999_999, 120_000_000];

#[derive(Clone, Debug)]
enum Step {
    Heard { dc: usize, bucket: usize, managers: u64, rtt: u64, free: u64, queue: u64 },
    Wait(usize),
    Route { fence: Option<u64> },
    Fail { dc: usize },
    Accept { dc: usize },
    Forget,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_usize, 0..4_usize, 0..3_u64, 1..6_u64, 0..9_u64, 0..30_u64).prop_map(
            |(dc, bucket, managers, rtt, free, queue)| Step::Heard { dc, bucket, managers, rtt, free, queue }
        ),
        3 => (0..WAITS.len()).prop_map(Step::Wait),
        5 => proptest::option::weighted(0.2, 0..3_u64).prop_map(|fence| Step::Route { fence }),
        1 => (0..4_usize).prop_map(|dc| Step::Fail { dc }),
        1 => (0..4_usize).prop_map(|dc| Step::Accept { dc }),
        1 => Just(Step::Forget),
        2 => Just(Step::Restart),
    ]
}

fn dc(at: usize) -> DatacenterId {
    DatacenterId::new(NAMES[at]).unwrap()
}

/// The bucket a candidate counts in, read from the manual; none where it is in no list.
fn naive_bucket(candidate: &DatacenterCandidate, now: Timestamp) -> Option<HealthBucket> {
    let bucket = candidate.health_bucket.filter(|bucket| *bucket != HealthBucket::Unhealthy)?;
    let is_led = candidate.total_managers > 0 && candidate.healthy_managers > 0;
    let is_stale = now.since(candidate.last_health_at) > Duration::from_secs(30);
    is_led.then_some(if is_stale { HealthBucket::Degraded } else { bucket })
}

fn laws(
    decision: &RoutingDecision,
    candidates: &[DatacenterCandidate],
    since_choice: Option<Duration>,
    now: Timestamp,
) -> Result<(), TestCaseError> {
    let buckets: BTreeMap<DatacenterId, HealthBucket> = candidates
        .iter()
        .filter_map(|candidate| Some((candidate.datacenter_id.clone(), naive_bucket(candidate, now)?)))
        .collect();
    let listed: Vec<&DatacenterId> =
        decision.primary_datacenters.iter().chain(&decision.fallback_datacenters).collect();
    prop_assert_eq!(
        listed.iter().copied().collect::<BTreeSet<_>>(),
        buckets.keys().collect::<BTreeSet<_>>(),
        "every eligible one is listed, and no other"
    );
    prop_assert_eq!(listed.len(), buckets.len(), "each of them once");
    let in_order: Vec<HealthBucket> = listed.iter().map(|name| buckets[*name]).collect();
    prop_assert!(in_order.is_sorted(), "a bucket is crossed: {:?}", in_order);
    let best = buckets.values().min().copied();
    prop_assert_eq!(decision.primary_bucket, best);
    prop_assert!(decision.primary_datacenters.iter().all(|name| Some(buckets[name]) == best));
    let is_held = since_choice.is_some_and(|since| since < Duration::from_secs(30));
    prop_assert!(
        !(is_held && decision.reason == Reason::ImprovementThresholdMet),
        "moved for speed before the hold-down was over"
    );
    prop_assert!(!(decision.switched && decision.reason == Reason::HoldDownRetained));
    Ok(())
}

#[derive(Default)]
struct World {
    known: Driver<DatacentersMachine>,
    route: Driver<RouteMachine>,
    /// The same route, which is never restarted.
    unbroken: Driver<RouteMachine>,
    stored: Vec<Vec<u8>>,
    now: Timestamp,
}

impl World {
    fn tell(&mut self, command: route::Command) -> Result<Reply, route::Rejection> {
        let step = self.route.step(command.clone(), self.now);
        self.stored.extend(step.events.iter().map(|event| encode(event).unwrap()));
        let other = self.unbroken.step(command, self.now);
        assert_eq!((&step.reply, &step.events), (&other.reply, &other.events), "a restart is felt");
        step.reply
    }

    fn run(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Heard { dc: at, bucket, managers, rtt, free, queue } => {
                let change = Change {
                    health_bucket: Some(HealthBucket::ALL[bucket]),
                    available_cores: Some(free),
                    total_cores: Some(8.max(free)),
                    queue_depth: Some(queue),
                    total_managers: Some(managers),
                    healthy_managers: Some(managers / 2),
                    rtt_ucb_ms: (rtt < 5).then_some(rtt as f64 * 10.0),
                    ..Change::of(dc(at))
                };
                self.known.step(datacenter::Command::Update(Box::new(change)), self.now).reply.unwrap();
            }
            Step::Wait(at) => self.now = self.now.plus(Duration::from_micros(WAITS[at])),
            Step::Route { fence } => {
                let node = Node::default();
                let candidates = self.known.state().candidates(&node, &VivaldiConfig::default(), self.now);
                let ask = Ask {
                    job: EntityId::new("j").unwrap(),
                    fence,
                    candidates: candidates.clone(),
                    is_converged: candidates.iter().any(|candidate| candidate.has_coordinate),
                    preferred: BTreeSet::from([dc(1)]),
                    dispatched: BTreeMap::from([(dc(0), 3)]),
                    targets: None,
                };
                let held = self.route.state().routing.as_ref().filter(|kept| kept.primary.is_some());
                let since = held.map(|kept| self.now.since(kept.selected_at));
                let floor = self.route.state().fence;
                match self.tell(route::Command::Decide(Box::new(ask))) {
                    Ok(Reply::Decided(decision)) => laws(&decision, &candidates, since, self.now)?,
                    Err(route::Rejection::Stale(_)) => prop_assert!(fence.is_some_and(|fence| fence < floor)),
                    other => return Err(TestCaseError::fail(format!("{other:?}"))),
                }
            }
            Step::Fail { dc: at } => {
                let _ = self.tell(route::Command::Fail {
                    datacenter: dc(at),
                    reason: FailureReason::NoAnswer,
                    fence: None,
                });
            }
            Step::Accept { dc: at } => {
                let _ = self.tell(route::Command::Accept { datacenter: dc(at) });
            }
            Step::Forget => {
                self.tell(route::Command::Forget).unwrap();
            }
            Step::Restart => {
                let mut again = Driver::<RouteMachine>::default();
                self.stored.iter().for_each(|bytes| again.replay(&decode(bytes).unwrap()));
                assert_eq!(again.state(), self.route.state(), "replay is live");
                self.route = again;
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_route_on_record_keeps_its_laws_through_restarts(steps in prop::collection::vec(step(), 1..40)) {
        let mut world = World::default();
        for step in &steps {
            world.run(step)?;
        }
    }
}
