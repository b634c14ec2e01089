//! One job, two workers outside, a network that loses, doubles and reorders, answers that are cut off, workers and servers
//! that die: whatever happened, no handing over is at two workers, each workflow is completed once at most, and the job
//! ends once.

use std::collections::BTreeSet;

use proptest::prelude::*;
use quorate_core::jobs::manager::{self as job, Event, JobMachine, Submit, WorkflowStatus};
use quorate_core::jobs::protocol::message::{Leader, Message, Party, WorkflowOutcome, WorkflowPlan};
use quorate_core::jobs::protocol::token::DispatchToken;
use quorate_core::jobs::worker::{self, Handed, WorkerMachine};
use quorate_core::kernel::driver::Driver;
use quorate_core::kernel::ids::EntityId;
use quorate_core::kernel::time::{Downtime, Gap, Timestamp};

const S: i64 = 1_000_000;
const NAMES: [&str; 2] = ["w", "x"];

#[derive(Clone, Debug)]
enum Act {
    Wait(i64),
    /// A worker asks for work; the answer may be lost.
    Take(usize, bool),
    Beat(usize),
    /// A worker says what became of the n-th of what it has.
    Report(usize, usize, WorkflowOutcome),
    /// A worker dies, and is there again with nothing.
    Kill(usize),
    Deliver(usize),
    Double(usize),
    Lose(usize),
    Restart(i64),
    Cancel,
}

fn act() -> impl Strategy<Value = Act> {
    let outcome = prop_oneof![
        Just(WorkflowOutcome::Running),
        Just(WorkflowOutcome::Completed),
        Just(WorkflowOutcome::Completed),
        Just(WorkflowOutcome::Failed),
    ];
    prop_oneof![
        4 => (0..20 * S).prop_map(Act::Wait),
        6 => (0..2usize, any::<bool>()).prop_map(|(w, lost)| Act::Take(w, lost)),
        3 => (0..2usize).prop_map(Act::Beat),
        4 => (0..2usize, 0..3usize, outcome).prop_map(|(w, n, how)| Act::Report(w, n, how)),
        1 => (0..2usize).prop_map(Act::Kill),
        9 => (0..9usize).prop_map(Act::Deliver),
        1 => (0..9usize).prop_map(Act::Double),
        1 => (0..9usize).prop_map(Act::Lose),
        1 => (0..60 * S).prop_map(Act::Restart),
        1 => Just(Act::Cancel),
    ]
}

fn us(us: i64) -> Timestamp {
    Timestamp::from_micros(us)
}

fn id(name: &str) -> EntityId {
    EntityId::new(name).expect("a name")
}

struct World {
    job: Driver<JobMachine>,
    workers: [Driver<WorkerMachine>; 2],
    /// What the programs outside have.
    has: [BTreeSet<Handed>; 2],
    post: Vec<Message>,
    record: Vec<Event>,
    now: i64,
}

impl World {
    fn new() -> Self {
        let mut world = World {
            job: Driver::default(),
            workers: [Driver::default(), Driver::default()],
            has: [BTreeSet::new(), BTreeSet::new()],
            post: Vec::new(),
            record: Vec::new(),
            now: 0,
        };
        for (w, name) in NAMES.iter().enumerate() {
            let (worker_id, datacenter) = (id(name), id("dc"));
            let settings = worker::Settings::default();
            world.tell(w, worker::Command::Register { worker_id, datacenter, capacity: 1, settings });
        }
        let plan = |name: &str, on: &[&str], worker: Option<&str>| WorkflowPlan {
            workflow_id: id(name),
            depends_on: on.iter().map(|on| id(on)).collect(),
            worker_id: worker.map(id),
        };
        let workflows = vec![plan("a", &[], None), plan("b", &["a"], Some("w")), plan("c", &[], Some("x"))];
        let leader = Leader { node: id("m"), incarnation: 1 };
        let timeout_ms = Some(600_000);
        let submit = Submit { timeout_ms, workflows, ..Submit::new(id("job"), id("dc"), leader, "") };
        world.ask(job::Command::Submit(Box::new(submit)));
        world
    }

    fn ask(&mut self, command: job::Command) {
        let step = self.job.step(command, us(self.now));
        self.record.extend(step.events);
        self.post.extend(step.effects.into_iter().map(|job::Effect::Send(message)| *message));
    }

    fn tell(&mut self, w: usize, command: worker::Command) -> bool {
        let step = self.workers[w].step(command, us(self.now));
        self.sent(step.effects);
        step.reply.is_ok()
    }

    fn sent(&mut self, effects: Vec<worker::Effect>) {
        self.post.extend(effects.into_iter().filter_map(|effect| match effect {
            worker::Effect::Send(message) => Some(*message),
            worker::Effect::Start(_) | worker::Effect::Stop(_) | worker::Effect::Abort(_) => None,
        }));
    }

    fn deliver(&mut self, message: Message) {
        match message.to.clone() {
            Party::Worker(name) => {
                let w = NAMES.iter().position(|known| *known == name.as_str()).expect("a worker");
                self.tell(w, worker::Command::Receive(Box::new(message)));
            }
            Party::Manager { .. } => self.ask(job::Command::Receive(Box::new(message))),
            Party::Gate(_) => panic!("the job has no gate"),
        }
    }

    /// What the timers do until `to`, and what is sent again by then.
    fn pass(&mut self, to: i64) {
        let after = us(self.now);
        self.now = to;
        let settled = self.job.settle(us(to));
        self.record.extend(settled.events);
        self.post.extend(settled.effects.into_iter().map(|job::Effect::Send(message)| *message));
        if let Some(due) = job::errand(self.job.state(), after).filter(|due| *due <= us(to)) {
            self.ask(job::Command::RunErrands { due });
        }
        for w in 0..2 {
            let settled = self.workers[w].settle(us(to));
            self.sent(settled.effects);
            if let Some(due) = worker::errand(self.workers[w].state(), after).filter(|due| *due <= us(to)) {
                self.tell(w, worker::Command::RunErrands { due });
            }
        }
    }

    fn take(&mut self, w: usize, lost: bool) {
        let has: Vec<Handed> = self.has[w].iter().cloned().collect();
        let state = self.workers[w].state();
        if u64::from(state.capacity) > state.running() {
            self.ask(job::Command::Claim { worker_id: id(NAMES[w]), places: 1 });
        }
        if self.tell(w, worker::Command::Take { has, most: 1, silent_ms: 0 }) && !lost {
            let handed = self.workers[w].state().unsure().take(1).map(|attempt| Handed {
                job_id: attempt.job_id,
                workflow_id: attempt.workflow_id,
                dispatch_token: attempt.dispatch_token,
            });
            self.has[w].extend(handed);
        }
    }

    fn report(&mut self, w: usize, handed: &Handed, outcome: WorkflowOutcome) {
        let token_before = self.token(&handed.workflow_id);
        let report = worker::Report {
            job_id: handed.job_id.clone(),
            workflow_id: handed.workflow_id.clone(),
            dispatch_token: Some(handed.dispatch_token),
            outcome,
            completed_count: None,
            result: None,
        };
        self.tell(w, worker::Command::Report(Box::new(report)));
        assert_eq!(self.token(&handed.workflow_id), token_before, "a report hands nothing over by itself");
        if outcome != WorkflowOutcome::Running {
            self.has[w].remove(handed);
        }
    }

    fn token(&self, workflow: &EntityId) -> DispatchToken {
        let run = self.job.state().run.as_ref().expect("a run");
        run.workflows.get(workflow).expect("a workflow").dispatch_token
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Wait(wait) => self.pass(self.now + wait),
            Act::Take(w, lost) => self.take(*w, *lost),
            Act::Beat(w) => {
                let has = self.has[*w].iter().cloned().collect();
                self.tell(*w, worker::Command::Beat { has });
            }
            Act::Report(w, n, outcome) => {
                if let Some(handed) = self.has[*w].iter().nth(*n).cloned() {
                    self.report(*w, &handed, *outcome);
                }
            }
            Act::Kill(w) => self.has[*w].clear(),
            Act::Deliver(n) if *n < self.post.len() => {
                let message = self.post.remove(*n);
                self.deliver(message);
            }
            Act::Double(n) if *n < self.post.len() => {
                let message = self.post[*n].clone();
                self.deliver(message);
            }
            Act::Lose(n) if *n < self.post.len() => {
                self.post.remove(*n);
            }
            Act::Deliver(_) | Act::Double(_) | Act::Lose(_) => {}
            Act::Restart(down) => {
                let (last_alive, began) = (us(self.now), us(self.now + down));
                self.now += down;
                self.post.clear();
                let away = Downtime { last_alive, began, gap: Gap::Restart };
                let settled = self.job.resume(away);
                self.record.extend(settled.events);
                self.post.extend(settled.effects.into_iter().map(|job::Effect::Send(message)| *message));
                for w in 0..2 {
                    let settled = self.workers[w].resume(away);
                    self.sent(settled.effects);
                }
            }
            Act::Cancel => {
                let request = quorate_core::jobs::protocol::message::JobCancelRequest {
                    requester_id: String::new(),
                    reason: String::new(),
                    fence_token: quorate_core::jobs::protocol::token::FenceToken::NONE,
                    run: quorate_core::jobs::protocol::token::GateEpoch::NONE,
                };
                self.ask(job::Command::Cancel(request));
            }
        }
        self.check();
    }

    fn check(&self) {
        assert!(self.has[0].is_disjoint(&self.has[1]), "one handing over at two workers: {:?}", self.has);
        let ended = self.record.iter().filter(|event| matches!(event, Event::Ended(_))).count();
        assert!(ended <= 1, "{ended} ends");
        for name in ["a", "b", "c"] {
            let done = self.record.iter().filter(|event| {
                matches!(event, Event::WorkflowMoved(moved)
                    if moved.to == WorkflowStatus::Completed && moved.workflow_id.as_str() == name)
            });
            assert!(done.count() <= 1, "{name} was completed twice");
        }
    }

    /// The network is mended, the workers live and finish what they get.
    fn heal(&mut self) {
        for _ in 0..2_000 {
            while let Some(message) = self.post.pop() {
                self.deliver(message);
            }
            for w in 0..2 {
                self.take(w, false);
                for handed in self.has[w].clone() {
                    self.report(w, &handed, WorkflowOutcome::Completed);
                }
            }
            self.check();
            if self.job.state().run.as_ref().is_some_and(|run| run.ended.is_some()) {
                return;
            }
            self.pass(self.now + S);
        }
        panic!("the job never ends: {:?}", self.job.state().run);
    }
}

proptest! {
    #[test]
    fn work_is_at_one_worker_under_one_token_and_every_job_ends_once(acts in prop::collection::vec(act(), 0..120)) {
        let mut world = World::new();
        acts.iter().for_each(|act| world.act(act));
        world.heal();
        let ended = world.record.iter().filter(|event| matches!(event, Event::Ended(_))).count();
        prop_assert_eq!(ended, 1);
    }
}
