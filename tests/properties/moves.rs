//! Jobs whose datacenters die, come back, and say what they have to say late, twice or never: one end for each job, which nobody says
//! who was left, under tokens that only grow.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use quorate_core::jobs::gate::{Command, Effect, Event, GateMachine, Settings, Target, Track};
use quorate_core::jobs::manager as job;
use quorate_core::jobs::protocol::message::{
    Body, FinalStatus, JobDispatch, JobFinalStatus, JobLeaderTransfer, Leader, Message, Party,
};
use quorate_core::jobs::protocol::token::{FenceToken, GateEpoch};
use quorate_core::kernel::driver::Driver;
use quorate_core::kernel::ids::EntityId;
use quorate_core::kernel::time::{Downtime, Gap, Timestamp};
use quorate_journal::codec::encode;

const PLACES: [&str; 4] = ["a", "b", "c", "d"];
const S: i64 = 1_000_000;
const BUDGET: i64 = 600;

#[derive(Clone, Debug)]
enum Act {
    /// Seconds pass.
    Wait(i64),
    /// Every manager there is dead; the job may go to these.
    Gone(usize, Vec<usize>),
    Back(usize),
    /// The manager there says that it leads, under so much more than it last had.
    Leads(usize, u64),
    /// It says that the job has ended.
    Ends(usize, u64, FinalStatus),
    /// The gate's process dies and begins anew.
    Crash,
    Cancel,
}

fn act() -> impl Strategy<Value = Act> {
    let place = || 0..PLACES.len();
    let status = prop_oneof![Just(FinalStatus::Completed), Just(FinalStatus::Failed)];
    prop_oneof![
        3 => (1..120_i64).prop_map(Act::Wait),
        6 => (place(), proptest::collection::vec(place(), 0..4)).prop_map(|(dc, to)| Act::Gone(dc, to)),
        3 => place().prop_map(Act::Back),
        6 => (place(), 0..3_u64).prop_map(|(dc, more)| Act::Leads(dc, more)),
        2 => (place(), 0..3_u64, status).prop_map(|(dc, more, status)| Act::Ends(dc, more, status)),
        1 => Just(Act::Crash),
        1 => Just(Act::Cancel),
    ]
}

fn id(name: &str) -> EntityId {
    EntityId::new(name).unwrap()
}

fn manager(dc: usize) -> Leader {
    Leader { node: id(&format!("m-{}", PLACES[dc])), incarnation: 1 }
}

fn target(dc: usize) -> Target {
    Target { datacenter: id(PLACES[dc]), manager: manager(dc), manager_addr: format!("{}:1", PLACES[dc]) }
}

fn plan() -> JobDispatch {
    JobDispatch {
        timeout_ms: Some(BUDGET as u64 * 1_000),
        stuck_threshold_ms: 120_000,
        workflows: Vec::new(),
        class: None,
        timeout_rule: "gate_coordinated".to_owned(),
        settings: job::Settings::default(),
        gate_epoch: GateEpoch::NONE,
        gate_addr: "gate:1".into(),
    }
}

struct World {
    gate: Driver<GateMachine>,
    now: i64,
    /// What the manager of each datacenter holds.
    held: [u64; PLACES.len()],
    log: Vec<Event>,
}

impl World {
    fn step(&mut self, command: Command) {
        let step = self.gate.step(command, Timestamp::from_micros(self.now));
        for Effect::Send(message) in &step.effects {
            if let (Body::JobDispatch(dispatch), Some(dc)) = (&message.body, place(&message.datacenter)) {
                self.held[dc] = self.held[dc].max(dispatch.above.get());
            }
        }
        self.log.extend(step.events);
    }

    fn say(&mut self, dc: usize, body: Body) {
        let from = Party::Manager { datacenter: id(PLACES[dc]), node: manager(dc) };
        let message = Message {
            job_id: id("j"),
            datacenter: id(PLACES[dc]),
            from,
            to: Party::Gate(id("g")),
            number: 0,
            body,
            signal: None,
        };
        self.step(Command::Receive(Box::new(message)));
    }
}

fn place(name: &EntityId) -> Option<usize> {
    PLACES.iter().position(|place| *place == name.as_str())
}

fn run(targets: usize, acts: &[Act]) -> World {
    let mut world = World { gate: Driver::default(), now: 0, held: [0; PLACES.len()], log: Vec::new() };
    let track = Track {
        job_id: id("j"),
        gate: Leader { node: id("g"), incarnation: 1 },
        gate_addr: "g:1".to_owned(),
        targets: (0..targets).map(target).collect(),
        plan: plan(),
        settings: Settings { abandon_ms: 60_000, ..Settings::default() },
        payloads: Default::default(),
    };
    world.step(Command::Track(Box::new(track)));
    for act in acts {
        match act {
            Act::Wait(seconds) => {
                world.now += seconds * S;
                world.step(Command::Tick);
            }
            Act::Gone(dc, to) => world.step(Command::DatacenterGone {
                datacenter: id(PLACES[*dc]),
                from: manager(*dc),
                chain: to.iter().map(|to| target(*to)).collect(),
                plan: Box::new(plan()),
                reason: "dead".into(),
            }),
            Act::Back(dc) => world.step(Command::DatacenterBack { datacenter: id(PLACES[*dc]) }),
            Act::Leads(dc, more) => {
                world.held[*dc] += more;
                let transfer = JobLeaderTransfer {
                    new_leader: manager(*dc),
                    new_leader_addr: format!("{}:1", PLACES[*dc]),
                    fence_token: FenceToken::shown(world.held[*dc]),
                    elapsed_ms: 0,
                    idle_ms: 0,
                };
                world.say(*dc, Body::JobLeaderTransfer(transfer));
            }
            Act::Ends(dc, more, status) => {
                world.held[*dc] += more;
                let report = JobFinalStatus {
                    manager: manager(*dc),
                    status: *status,
                    reason: String::new(),
                    kind: None,
                    fence_token: FenceToken::shown(world.held[*dc]),
                    provisional: false,
                };
                world.say(*dc, Body::JobFinalStatus(report));
            }
            Act::Crash => {
                let began = Timestamp::from_micros(world.now);
                let away = Downtime { last_alive: began, began, gap: Gap::Restart };
                let step = world.gate.resume(away);
                world.log.extend(step.events);
            }
            Act::Cancel => {
                world.step(Command::Cancel { requester_id: "ann".into(), reason: String::new() });
            }
        }
    }
    world
}

/// What must be so of any record.
fn invariant_a_job_is_in_as_many_places_as_it_was_sent_to_and_ends_once(world: &World, targets: usize) {
    let (mut left, mut ended, mut finished) = (BTreeSet::new(), BTreeSet::new(), 0);
    let mut there: BTreeSet<EntityId> = (0..targets).map(|dc| id(PLACES[dc])).collect();
    // The highest number of leadership that counted in each.
    let mut highest: BTreeMap<EntityId, FenceToken> = BTreeMap::new();
    for event in &world.log {
        match event {
            Event::Moved { from, to, above_token, .. } => {
                assert!(there.remove(from) && left.insert(from.clone()), "{event:?}");
                assert!(there.insert(to.datacenter.clone()) && !left.contains(&to.datacenter), "{event:?}");
                let before = highest.get(from).copied().unwrap_or(FenceToken::NONE);
                assert!(*above_token > before, "{event:?} {before}");
                highest.insert(to.datacenter.clone(), *above_token);
            }
            Event::LeaderChanged { datacenter, fence_token, .. } => {
                assert!(there.contains(datacenter), "{event:?}");
                let before = highest.insert(datacenter.clone(), *fence_token);
                assert!(before.is_none_or(|before| before <= *fence_token), "{event:?}");
            }
            Event::DatacenterEnded { datacenter, provisional: false, .. } => {
                assert!(there.contains(datacenter) && ended.insert(datacenter.clone()), "{event:?}");
            }
            Event::DatacenterLost { datacenter, .. } | Event::DatacenterBack { datacenter, .. } => {
                assert!(there.contains(datacenter), "{event:?}");
            }
            Event::FenceRejected(rejected) => assert!(rejected.given <= rejected.held, "{event:?}"),
            Event::Finished { .. } => finished += 1,
            _ => {}
        }
        assert_eq!(there.len(), targets);
    }
    assert!(finished <= 1, "{:?}", world.log);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn a_job_whose_datacenters_come_and_go_ends_once_and_before_its_deadline(
        targets in 1..4_usize,
        mut acts in proptest::collection::vec(act(), 0..60),
    ) {
        acts.push(Act::Wait(BUDGET + 1));
        acts.push(Act::Wait(61));
        let world = run(targets, &acts);
        invariant_a_job_is_in_as_many_places_as_it_was_sent_to_and_ends_once(&world, targets);
        prop_assert!(world.gate.state().run.is_none(), "{:?}", world.log);
        prop_assert_eq!(world.gate.state().outbox().count(), 0);
        let mut again = Driver::<GateMachine>::default();
        world.log.iter().for_each(|event| again.replay(event));
        prop_assert_eq!(again.state(), world.gate.state());
        let bytes = |log: &[Event]| log.iter().flat_map(|event| encode(event).unwrap()).collect::<Vec<u8>>();
        prop_assert_eq!(bytes(&run(targets, &acts).log), bytes(&world.log));
    }
}
