//! Jobs over random schedules: progress, extensions, changes of leadership, a gate that answers late, twice or never,
//! and processes that die. Compared with a plain model that knows no events, no outbox and no due instants.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use quorate_core::jobs::manager::event::GateSeat;
use quorate_core::jobs::manager::heard::{LatestProgress, Memory};
use quorate_core::jobs::manager::outbox::Notice;
use quorate_core::jobs::manager::{Command, Effect, Event, Heard, Job, JobMachine, Reply, Submit, errand};
use quorate_core::jobs::protocol::message::*;
use quorate_core::jobs::protocol::token::{DispatchToken, FenceToken, GateEpoch};
use quorate_core::kernel::Machine;
use quorate_core::kernel::driver::{Driver, Step};
use quorate_core::kernel::ids::EntityId;
use quorate_core::kernel::time::{Downtime, Gap, Timestamp};
use quorate_journal::codec::{decode, encode};

const S: i64 = 1_000_000;
const BUDGET: i64 = 60 * S;
const STUCK: i64 = 25 * S;

#[derive(Clone, Debug)]
enum Act {
    Wait(i64),
    Progress(u64),
    Extend(usize, u8),
    Complete(u64),
    Cancel(u64),
    Transfer(u64),
    Suspend(u64),
    Decide(u64, u64),
    /// The gate answers one of the messages it ever got.
    Answer(usize, u8),
    Errands,
    Report(u64, u8),
    Restart(i64),
    Submit,
}

/// Microseconds near whole seconds, so that "exactly at" and "one later" are common.
fn pause() -> impl Strategy<Value = i64> {
    (prop_oneof![0..4i64, 0..40i64, 0..400i64], -1..=1i64).prop_map(|(s, off)| (s * S + off).max(0))
}

/// Mostly the current token (0), else so many lower or higher.
fn offset() -> impl Strategy<Value = u64> {
    prop_oneof![4 => Just(0u64), 1 => Just(1u64), 1 => Just(u64::MAX)]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        10 => pause().prop_map(Act::Wait),
        5 => offset().prop_map(Act::Progress),
        5 => (0..2usize, 0..6u8).prop_map(|(w, p)| Act::Extend(w, p)),
        1 => offset().prop_map(Act::Complete),
        1 => offset().prop_map(Act::Cancel),
        2 => offset().prop_map(Act::Transfer),
        1 => offset().prop_map(Act::Suspend),
        2 => (offset(), 0..3u64).prop_map(|(t, e)| Act::Decide(t, e)),
        3 => (0..20usize, 0..5u8).prop_map(|(n, o)| Act::Answer(n, o)),
        2 => Just(Act::Errands),
        3 => (0..6u64, 0..4u8).prop_map(|(d, o)| Act::Report(d, o)),
        2 => pause().prop_map(Act::Restart),
        2 => Just(Act::Submit),
    ]
}

fn us(us: i64) -> Timestamp {
    Timestamp::from_micros(us)
}

fn id(name: &str) -> EntityId {
    EntityId::new(name).unwrap()
}

fn leader(n: u64) -> Leader {
    Leader { node: id("m"), incarnation: n }
}

struct World {
    job: Driver<JobMachine>,
    gate: bool,
    workflows: bool,
    now: i64,
    began: i64,
    epoch: u64,
    leaders: u64,
    sent: Vec<Message>,
    record: Vec<Event>,
    memory: Arc<Shared>,
}

/// What the runtime keeps in memory beside the record.
#[derive(Default)]
struct Shared(Mutex<Memory>);

impl LatestProgress for Shared {
    fn at(&self, job: &EntityId, datacenter: &EntityId) -> Option<Timestamp> {
        self.0.lock().unwrap().at(job, datacenter)
    }
    fn count(&self, job: &EntityId, datacenter: &EntityId, workflow: &EntityId, attempt: u32) -> Option<u64> {
        self.0.lock().unwrap().count(job, datacenter, workflow, attempt)
    }
}

const WORKERS: [&str; 2] = ["w", "x"];

impl World {
    fn new(gate: bool, workflows: bool) -> Self {
        let memory = Arc::new(Shared::default());
        let mut world = World {
            job: Driver::new(Heard::of(memory.clone())),
            gate,
            workflows,
            now: 0,
            began: 0,
            epoch: 1,
            leaders: 1,
            sent: Vec::new(),
            record: Vec::new(),
            memory,
        };
        world.ask(world.submission());
        world
    }

    fn submission(&self) -> Command {
        let gate = GateSeat {
            gate_id: id("g"),
            incarnation: Some(1),
            addr: String::new(),
            epoch: GateEpoch::shown(self.epoch),
        };
        let plan = |name: &str, on: &[&str], worker: &str| WorkflowPlan {
            workflow_id: id(name),
            depends_on: on.iter().map(|on| id(on)).collect(),
            worker_id: Some(id(worker)),
        };
        let workflows = vec![plan("a", &[], "w"), plan("b", &["a"], "x"), plan("c", &["b"], "w")];
        Command::Submit(Box::new(Submit {
            gate: self.gate.then_some(gate),
            timeout_ms: Some(BUDGET as u64 / 1_000),
            stuck_threshold_ms: STUCK as u64 / 1_000,
            workflows: if self.workflows { workflows } else { Vec::new() },
            dispatch_number: if self.gate { 7 } else { 0 },
            ..Submit::new(id("job"), id("dc"), leader(self.leaders), "")
        }))
    }

    fn token(&self) -> u64 {
        self.job.state().run.as_ref().map_or(0, |run| run.token.get())
    }

    fn shown(&self, offset: u64) -> FenceToken {
        FenceToken::shown(self.token().wrapping_sub(1).wrapping_add(offset).wrapping_add(1).max(1))
    }

    fn keep(&mut self, events: &[Event], effects: &[Effect]) {
        self.record.extend(events.iter().cloned());
        for Effect::Send(message) in effects {
            check_message(self.job.state(), message);
            self.sent.push((**message).clone());
        }
    }

    fn ask(&mut self, command: Command) -> Step<JobMachine> {
        let before = self.job.state().clone();
        let step = self.job.step(command, us(self.now));
        check_change(&before, self.job.state(), &step.events);
        self.keep(&step.events, &step.effects);
        if let Ok(Reply::Progress(Some(noted))) = &step.reply {
            self.memory.0.lock().unwrap().note(&id("job"), &id("dc"), noted.clone());
        }
        step
    }

    /// What the timers do until `to`.
    fn pass(&mut self, to: i64) {
        while let Some(due) = self.job.due().filter(|due| *due <= us(to)) {
            self.now = self.now.max(due.as_micros());
            let before = self.job.state().clone();
            let settled = self.job.settle(us(self.now));
            assert!(!settled.events.is_empty(), "a tick that is due does something");
            assert!(self.job.due().is_none_or(|next| next > us(self.now)), "a tick must move what is due");
            check_change(&before, self.job.state(), &settled.events);
            self.keep(&settled.events, &settled.effects);
        }
        self.now = to;
    }

    fn receive(&mut self, from: Party, number: u64, body: Body) {
        let to = Party::Manager { datacenter: id("dc"), node: leader(self.leaders) };
        let message =
            Message { job_id: id("job"), datacenter: id("dc"), from, to, number, body, signal: None };
        self.ask(Command::Receive(Box::new(message)));
    }

    fn extension(worker: usize, progress: u8) -> Command {
        let request = HealthcheckExtensionRequest {
            worker_id: id(WORKERS[worker]),
            reason: String::new(),
            current_progress: progress.into(),
            estimated_completion_ms: 0,
            active_workflow_count: 1,
            completed_items: None,
            total_items: None,
            request_id: None,
        };
        Command::Extend { request: Box::new(request), in_every_job: false, token: None }
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Wait(wait) => self.pass(self.now + wait),
            Act::Progress(offset) => {
                let token = Some(self.shown(*offset));
                self.ask(Command::Progress { workflow_id: None, completed_count: None, token });
            }
            Act::Extend(worker, progress) => {
                self.ask(Self::extension(*worker, *progress));
            }
            Act::Complete(offset) => {
                let token = Some(self.shown(*offset));
                self.ask(Command::Complete { status: FinalStatus::Completed, reason: String::new(), token });
            }
            Act::Cancel(offset) => {
                let fence_token = self.shown(*offset);
                let requester_id = String::new();
                self.ask(Command::Cancel(JobCancelRequest {
                    requester_id,
                    reason: String::new(),
                    fence_token,
                    run: GateEpoch::NONE,
                }));
            }
            Act::Transfer(offset) => {
                self.leaders += 1;
                let (to, token) = (leader(self.leaders), Some(self.shown(*offset)));
                self.ask(Command::Transfer { to, addr: String::new(), force: false, token });
            }
            Act::Suspend(offset) => {
                let token = self.shown(*offset);
                self.ask(Command::Suspend { token, reason: String::new() });
            }
            Act::Decide(offset, epoch) => {
                let decision = JobGlobalTimeout {
                    reason: String::new(),
                    decided_ago_ms: 0,
                    fence_token: self.shown(*offset),
                    gate_epoch: GateEpoch::shown((self.epoch + epoch).saturating_sub(1)),
                    decision_id: 1,
                    run: GateEpoch::NONE,
                };
                self.receive(Party::Gate(id("g")), 5, Body::JobGlobalTimeout(decision));
                self.epoch = self.job.state().highest_epoch.get().max(self.epoch);
            }
            Act::Answer(n, outcome) => self.answer(*n, *outcome),
            Act::Errands => self.errands(),
            Act::Report(dispatch, outcome) => {
                let all = [
                    WorkflowOutcome::Running,
                    WorkflowOutcome::Completed,
                    WorkflowOutcome::Failed,
                    WorkflowOutcome::Cancelled,
                ];
                let found = self.sent.iter().find_map(|message| match &message.body {
                    Body::WorkflowDispatch(sent) if sent.dispatch_token.get() == *dispatch => {
                        Some((message.to.clone(), sent.workflow_id.clone()))
                    }
                    _ => None,
                });
                let Some((Party::Worker(worker_id), workflow_id)) = found else { return };
                let report = WorkflowReport {
                    worker_id: worker_id.clone(),
                    workflow_id,
                    dispatch_token: DispatchToken::shown(*dispatch),
                    outcome: all[usize::from(*outcome)],
                    completed_count: 1,
                    result: None,
                };
                self.receive(Party::Worker(worker_id), 9, Body::WorkflowReport(report));
            }
            Act::Restart(down) => {
                let last_alive = self.now;
                self.now += down;
                self.began = self.now;
                let kept: Job = decode(&encode(self.job.state()).unwrap()).unwrap();
                assert_eq!(&kept, self.job.state());
                let revision = self.job.revision();
                // What was only in memory is lost with the process.
                *self.memory.0.lock().unwrap() = Memory::default();
                self.job = Driver::new(Heard::of(self.memory.clone())).restore(kept, revision);
                let before = self.job.state().clone();
                let away = Downtime { last_alive: us(last_alive), began: us(self.began), gap: Gap::Restart };
                let resumed = self.job.resume(away);
                check_change(&before, self.job.state(), &resumed.events);
                self.keep(&resumed.events, &JobMachine::owed(self.job.state()));
                self.pass(self.now);
            }
            Act::Submit => {
                // A job that has ended is run again only by a gate, in an epoch of its own.
                let ended = self.job.state().run.as_ref().is_some_and(|run| run.ended.is_some());
                self.epoch += u64::from(ended && self.gate);
                self.ask(self.submission());
            }
        }
    }

    fn answer(&mut self, n: usize, outcome: u8) {
        let asked: Vec<Message> =
            self.sent.iter().filter(|m| m.number != 0 && m.from != m.to).cloned().collect();
        let Some(message) = asked.get(n) else { return };
        if let Party::Worker(worker) = message.to.clone() {
            let ack = WorkerAck {
                accepted: outcome > 0,
                rejection_reason: None,
                not_now: None,
                fence_token_received: self.shown(0),
                workflow_states: Vec::new(),
            };
            return self.receive(Party::Worker(worker), message.number, Body::WorkerAck(ack));
        }
        let outcome = [
            AckOutcome::Accepted,
            AckOutcome::UnknownJob,
            AckOutcome::Stale,
            AckOutcome::AlreadyFinal(FinalStatus::Timeout),
            AckOutcome::AlreadyFinal(FinalStatus::Completed),
        ][usize::from(outcome)];
        let ack = ReportAck { outcome, fence_token: self.shown(0), leader_addr: None };
        self.receive(Party::Gate(id("g")), message.number, Body::ReportAck(ack));
    }

    /// Whatever is sent without being asked writes nothing, and every errand sends something.
    fn errands(&mut self) {
        let mut after = us(self.now);
        for _ in 0..5 {
            let Some(due) = errand(self.job.state(), after) else { return };
            assert!(due > after);
            let decided = JobMachine::decide(
                self.job.state(),
                Command::RunErrands { due },
                us(self.now),
                &Default::default(),
            );
            let decided = decided.unwrap();
            assert!(decided.events.is_empty() && !decided.effects.is_empty());
            let between = us(due.as_micros() - 1);
            assert_eq!(errand(self.job.state(), between), Some(due), "however late it is asked");
            after = due;
        }
    }
}

/// What leaves carries the leadership under which it is true: of this run the current one.
fn check_message(state: &Job, message: &Message) {
    let run = state.run.as_ref().unwrap();
    let token = match &message.body {
        Body::JobTimeoutReport(body) => Some(body.fence_token),
        Body::JobLeaderTransfer(body) => Some(body.fence_token),
        Body::JobProgressReport(body) => Some(body.fence_token),
        Body::WorkflowDispatch(body) => Some(body.fence_token),
        Body::JobLeaderWorkerTransfer(body) => Some(body.fence_token),
        Body::JobFinalStatus(body) => {
            assert!(body.fence_token <= run.token);
            None
        }
        _ => None,
    };
    assert!(token.is_none_or(|token| token <= run.token));
}

fn is_refusal(event: &Event) -> bool {
    match event {
        Event::FenceRejected(_) | Event::StepRefused { .. } => true,
        Event::ExtensionDenied(denied) => !denied.counts,
        _ => false,
    }
}

/// The laws that hold over every step.
fn check_change(before: &Job, after: &Job, events: &[Event]) {
    assert!(after.highest_token >= before.highest_token);
    assert!(after.last_number >= before.last_number && after.last_dispatch >= before.last_dispatch);
    let token = |job: &Job| job.run.as_ref().map(|run| run.token);
    assert!(token(after) >= token(before), "tokens only grow");
    let minted = events
        .iter()
        .filter(|e| matches!(e, Event::Submitted(_) | Event::LeaderChanged(_) | Event::Resumed(_)));
    if minted.count() > 0 {
        assert!(token(after) > token(before));
    }
    if events.iter().all(is_refusal) && !events.is_empty() {
        let plain = |job: &Job| Job { refused: Default::default(), last_recorded: us(0), ..job.clone() };
        assert_eq!(plain(before), plain(after), "a refusal changes nothing");
    }
    for event in events {
        if let Event::TimeoutDetected(found) = event {
            check_timeout(before, found);
        }
    }
    let Some(run) = &after.run else { return };
    if let Some(ended) =
        before.run.as_ref().and_then(|run| run.ended.as_ref()).filter(|_| before.runs == after.runs)
    {
        assert_eq!(run.ended.as_ref(), Some(ended), "the first end stands");
    }
    if run.ended.is_some() {
        assert!(run.active.is_empty() && run.trackers.is_empty() && run.lost.is_empty());
        for entry in after.outbox.values() {
            assert!(matches!(entry.notice, Notice::Final { .. } | Notice::Cancel { .. }), "{entry:?}");
        }
        let asks = after.outbox.values().any(|entry| matches!(entry.notice, Notice::Cancel { .. }));
        assert_eq!(JobMachine::due(after).is_some(), asks, "nothing is armed but what asks workers to stop");
    }
    assert!(after.refused.len() <= 64);
}

/// No job times out while its budget with extensions lasts, or within its idle limit after an extension.
fn check_timeout(before: &Job, found: &quorate_core::jobs::manager::event::TimedOut) {
    let run = before.run.as_ref().unwrap();
    match found.kind {
        TimeoutKind::Overall => {
            let covered = run.budget_from.as_micros() + BUDGET + run.total_us as i64;
            assert!(found.at.as_micros() > covered);
        }
        _ => {
            let extended = run.extension_from.unwrap_or(run.started_at).as_micros();
            assert!(found.at.as_micros() > extended + STUCK);
        }
    }
}

fn played(gate: bool, workflows: bool, acts: &[Act]) -> World {
    let mut world = World::new(gate, workflows);
    acts.iter().for_each(|act| world.act(act));
    world
}

/// A job without gate or workflows, told by its rules and nothing else. All times in microseconds.
#[derive(Default)]
struct Plain {
    started: i64,
    last_progress: i64,
    extended: i64,
    grants: [usize; 2],
    baseline: [Option<u8>; 2],
    denials: [u32; 2],
    /// When a worker is given up, if it is not heard of.
    out_at: [Option<i64>; 2],
    lost: [bool; 2],
    ended: Option<(i64, TimeoutKind)>,
}

const GRANTS: [i64; 5] = [15 * S, 7_500_000, 3_750_000, 1_875_000, S];

impl Plain {
    fn pass(&mut self, now: i64) {
        let overall = self.started + BUDGET + self.extended;
        let stuck = self.last_progress + STUCK;
        if self.ended.is_none() && now > overall.min(stuck) {
            let kind = if stuck < overall { TimeoutKind::Stuck } else { TimeoutKind::Overall };
            self.ended = Some((overall.min(stuck), kind));
        }
        for worker in 0..2 {
            self.lost[worker] |= self.out_at[worker].is_some_and(|at| now >= at);
        }
    }

    /// How much is granted.
    fn extend(&mut self, worker: usize, progress: u8, now: i64) -> Option<i64> {
        if self.ended.is_some() || self.lost[worker] {
            return None;
        }
        let used_up = self.grants[worker] == GRANTS.len();
        if used_up || self.baseline[worker].is_some_and(|before| progress <= before) {
            self.denials[worker] += 1;
            self.lost[worker] |= self.denials[worker] == 3;
            if used_up {
                self.out_at[worker] = self.out_at[worker].map(|at| at.min(now + 10 * S));
            }
            return None;
        }
        let grant = GRANTS[self.grants[worker]];
        self.grants[worker] += 1;
        self.baseline[worker] = Some(progress);
        self.denials[worker] = 0;
        self.extended += grant;
        self.last_progress = now;
        self.out_at[worker] = (self.grants[worker] == GRANTS.len()).then_some(now + grant + 10 * S);
        Some(grant)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn laws_of_jobs_hold_over_any_schedule(
        gate: bool,
        workflows: bool,
        acts in prop::collection::vec(act(), 0..80),
    ) {
        let world = played(gate, workflows, &acts);
        let ends = |events: &[Event]| events.iter().filter(|event| matches!(event, Event::Ended(_))).count();
        for run in world.record.split(|event| matches!(event, Event::Submitted(_))) {
            prop_assert!(ends(run) <= 1, "one end per run");
        }
    }

    #[test]
    fn replay_of_stored_bytes_gives_the_live_job_and_the_same_script_the_same_bytes(
        gate: bool,
        workflows: bool,
        acts in prop::collection::vec(act(), 0..60),
    ) {
        let (world, twin) = (played(gate, workflows, &acts), played(gate, workflows, &acts));
        prop_assert_eq!(encode(world.job.state()).unwrap(), encode(twin.job.state()).unwrap());
        prop_assert_eq!(&world.sent, &twin.sent);
        let mut replayed = Driver::<JobMachine>::default();
        for event in &world.record {
            let stored: Event = decode(&encode(event).unwrap()).unwrap();
            prop_assert_eq!(&stored, event);
            replayed.replay(&stored);
        }
        prop_assert_eq!(replayed.state(), world.job.state());
        prop_assert_eq!(replayed.due(), world.job.due());
    }

    #[test]
    fn a_manager_alone_decides_as_the_plain_rules_say(
        acts in prop::collection::vec(prop_oneof![
            4 => pause().prop_map(Act::Wait),
            2 => Just(Act::Progress(0)),
            4 => (0..2usize, 0..9u8).prop_map(|(w, p)| Act::Extend(w, p)),
        ], 0..60),
    ) {
        let (mut world, mut plain) = (World::new(false, false), Plain::default());
        for act in &acts {
            match act {
                Act::Progress(_) => {
                    if plain.ended.is_none() {
                        plain.last_progress = world.now;
                    }
                    world.act(act);
                }
                Act::Extend(worker, progress) => {
                    let expected = plain.extend(*worker, *progress, world.now);
                    let Ok(Reply::Extension { response: got, .. }) = world.ask(World::extension(*worker, *progress)).reply else {
                        return Err(TestCaseError::fail("an extension is answered"));
                    };
                    prop_assert_eq!(got.granted.then_some(got.extension_ms as i64 * 1_000), expected);
                }
                _ => world.act(act),
            }
            plain.pass(world.now);
            let run = world.job.state().run.as_ref().unwrap();
            let ended = run.ended.as_ref().map(|end| (end.closed_at.as_micros(), end.kind.unwrap()));
            prop_assert_eq!(ended, plain.ended);
            prop_assert_eq!(run.total_us as i64, plain.extended);
        }
    }
}
