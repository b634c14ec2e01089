//! All processes, the letters between them, and what happens to both.

use super::laws::*;
use super::node::*;
use super::*;

/// What goes wrong on the way, in percent and microseconds.
#[derive(Clone, Copy, Default)]
pub(super) struct Faults {
    pub(super) lost: u64,
    pub(super) doubled: u64,
    pub(super) delay: i64,
    /// Of a step after which the process dies, its events durable and nothing of it sent.
    pub(super) dies: u64,
}

pub(super) struct World {
    pub(super) now: i64,
    pub(super) rng: Rng,
    pub(super) faults: Faults,
    pub(super) gate: Node<GateMachine>,
    pub(super) managers: Vec<Node<JobMachine>>,
    pub(super) memories: Vec<Arc<Shared>>,
    pub(super) workers: Vec<Node<WorkerMachine>>,
    pub(super) letters: BTreeMap<(i64, u64), Message>,
    pub(super) sent: u64,
    pub(super) leaders: u64,
    pub(super) gates: u64,
    pub(super) steps: u64,
    /// Does work fail, and does anybody cancel?
    pub(super) fails: bool,
    /// Does the gate lose its memory?
    pub(super) forgets: bool,
    /// What the gate had on record before it lost its memory, each time.
    pub(super) forgotten: Vec<Vec<gate::Event>>,
    /// How the datacenters end when faults have stopped, unless they ended before; none leaves it to their workers.
    pub(super) at_last: Option<FinalStatus>,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let now = 1_000_000 * S;
        let memories: Vec<Arc<Shared>> = DCS.iter().map(|_| Arc::default()).collect();
        let managers = memories.iter().map(|memory| Node::new(Heard::of(memory.clone()), now)).collect();
        let mut world = World {
            now,
            rng: Rng::new(seed),
            faults: Faults::default(),
            gate: Node::new(Datacenters::default(), now),
            managers,
            memories,
            workers: WORKERS.iter().map(|_| Node::new((), now)).collect(),
            letters: BTreeMap::new(),
            sent: 0,
            leaders: 1,
            gates: 1,
            steps: 0,
            fails: !seed.is_multiple_of(4),
            forgets: !seed.is_multiple_of(3),
            forgotten: Vec::new(),
            at_last: [Some(FinalStatus::Completed), Some(FinalStatus::Failed), None, None]
                [(seed % 4) as usize],
        };
        for n in 0..WORKERS.len() {
            let register = worker::Command::Register {
                worker_id: id(WORKERS[n]),
                datacenter: id(DCS[n]),
                capacity: 4,
                settings: worker::Settings::default(),
            };
            world.ask_worker(n, register, false);
        }
        world.ask_gate(world.track(), false);
        world
    }

    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.rng.next_u64() % 100 < percent
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.rng.next_u64() % end
    }

    pub(super) fn track(&self) -> gate::Command {
        let target = |dc: &&str| Target { datacenter: id(dc), manager: leader(1), manager_addr: "m".into() };
        let plan = |name: &str, on: &[&str]| WorkflowPlan {
            workflow_id: id(name),
            depends_on: on.iter().map(|on| id(on)).collect(),
            worker_id: None,
        };
        gate::Command::Track(Box::new(Track {
            job_id: id("job"),
            gate: Leader { node: id("g"), incarnation: self.gates },
            gate_addr: "g".into(),
            targets: DCS.iter().map(target).collect(),
            plan: JobDispatch {
                timeout_ms: Some(BUDGET_MS),
                stuck_threshold_ms: STUCK_MS,
                workflows: vec![plan("one", &[]), plan("two", &["one"])],
                class: None,
                timeout_rule: "gate_coordinated".into(),
                settings: job::Settings::default(),
                gate_epoch: GateEpoch::NONE,
                gate_addr: "g".into(),
            },
            payloads: Default::default(),
            settings: gate::Settings {
                stuck_ms: 40_000,
                abandon_ms: 200_000,
                dc_timeout_policy: TimeoutPolicy::Majority,
            },
        }))
    }

    // What leaves.

    pub(super) fn send(&mut self, message: Message) {
        if self.chance(self.faults.lost) {
            return;
        }
        let copies = if self.chance(self.faults.doubled) { 2 } else { 1 };
        for _ in 0..copies {
            let delay = 1 + self.below(self.faults.delay as u64 + 1) as i64;
            self.sent += 1;
            self.letters.insert((self.now + delay, self.sent), message.clone());
        }
    }

    /// Sends what a step made, unless its process dies before it can.
    pub(super) fn sends(&mut self, messages: Vec<Message>) -> bool {
        if !messages.is_empty() && self.chance(self.faults.dies) {
            return false;
        }
        messages.into_iter().for_each(|message| self.send(message));
        true
    }

    pub(super) fn downtime(&mut self) -> i64 {
        let longest = [S, 10 * S, 60 * S][self.below(3) as usize];
        self.below(longest as u64) as i64
    }

    // What happens to a party, and the laws of every step.

    pub(super) fn do_gate(&mut self, op: Op<GateMachine>, refused: bool) {
        let done = self.gate.apply(op, self.now);
        let names: Vec<_> = done.events.iter().map(gate::Event::name).collect();
        assert!(!refused || is_refused(&names), "a replaced leader had an effect: {names:?}");
        let mut state = done.before.clone();
        for event in &done.events {
            let known = state.run.clone();
            GateMachine::evolve(&mut state, event);
            let gate::Event::Declared { rule, at, .. } = event else { continue };
            let known = known.expect("what is not tracked is not decided");
            assert!(known.decision.is_none() && known.cancel.is_none(), "decided twice");
            if *rule == GlobalRule::Overall && known.rebuilt.is_some() {
                let most = known.datacenters.values().map(|dc| dc.totals.extensions_ms).max().unwrap_or(0);
                let last = known.submitted_at.plus(Duration::from_millis(BUDGET_MS + most));
                assert!(*at > last, "decided while an extension covers");
            } else if *rule == GlobalRule::Overall {
                let most = known.datacenters.values().map(|dc| dc.totals.extensions_ms).max().unwrap_or(0);
                let last = known.submitted_at.plus(Duration::from_millis(BUDGET_MS + most));
                assert!(*at > last, "decided while an extension covers");
                check_instant(*at, last, self.gate.excused);
            }
        }
        let after = self.gate.state();
        assert!(after.gate_epoch >= done.before.gate_epoch, "epochs only grow");
        for (name, floor) in &done.before.floors {
            assert!(after.floors.get(name) >= Some(floor), "tokens only grow");
        }
        let messages = done.effects.into_iter().map(|gate::Effect::Send(message)| *message).collect();
        if !self.sends(messages) {
            let down = self.downtime();
            self.gate.kill(self.now, down);
        }
    }

    pub(super) fn do_manager(&mut self, n: usize, op: Op<JobMachine>, refused: bool) {
        if matches!(op, Op::Boot) {
            *self.memories[n].0.lock().unwrap() = Memory::default();
        }
        let done = self.managers[n].apply(op, self.now);
        let names: Vec<_> = done.events.iter().map(job::Event::name).collect();
        assert!(!refused || is_refused(&names), "a replaced leader had an effect: {names:?}");
        let node = &mut self.managers[n];
        let (before, after) = (&done.before, node.state());
        assert!(after.highest_epoch >= before.highest_epoch, "epochs only grow");
        assert!(after.highest_token >= before.highest_token, "tokens only grow");
        let now = node.now(self.now);
        let led = |state: &Job| state.run.as_ref().is_some_and(|run| run.phase() != Phase::Suspended);
        if !led(&done.before) && led(node.state()) {
            node.excused = now;
        }
        for event in &done.events {
            match event {
                job::Event::TimeoutDetected(found) => {
                    check_instant(found.at, found.deadline, node.excused);
                }
                job::Event::Ended(end) => {
                    if end.kind == Some(TimeoutKind::GateUnresponsiveFallback) {
                        check_instant(end.at, end.closed_at, node.excused);
                    }
                    self.memories[n].0.lock().unwrap().forget(&id("job"), &id(DCS[n]));
                }
                _ => {}
            }
        }
        if let Some(Ok(Reply::Progress(Some(noted)))) = &done.reply {
            self.memories[n].0.lock().unwrap().note(&id("job"), &id(DCS[n]), noted.clone());
        }
        let messages = done.effects.into_iter().map(|job::Effect::Send(message)| *message).collect();
        if !self.sends(messages) {
            let down = self.downtime();
            self.managers[n].kill(self.now, down);
        }
    }

    pub(super) fn do_worker(&mut self, n: usize, op: Op<WorkerMachine>, refused: bool) {
        let done = self.workers[n].apply(op, self.now);
        let names: Vec<_> = done.events.iter().map(worker::Event::name).collect();
        assert!(!refused || is_refused(&names), "a replaced leader had an effect: {names:?}");
        for (name, before) in done.before.jobs.iter() {
            let after = self.workers[n].state().jobs.get(name);
            assert!(after.is_some_and(|job| job.fence_token >= before.fence_token), "tokens only grow");
        }
        let messages = done.effects.into_iter().filter_map(|effect| match effect {
            worker::Effect::Send(message) => Some(*message),
            worker::Effect::Start(_) | worker::Effect::Stop(_) | worker::Effect::Abort(_) => None,
        });
        if !self.sends(messages.collect()) {
            let down = self.downtime();
            self.workers[n].kill(self.now, down);
        }
    }

    pub(super) fn ask_gate(&mut self, command: gate::Command, refused: bool) {
        while self.gate.back.is_none()
            && let Some(op) = self.gate.wants(self.now)
        {
            self.do_gate(op, false);
        }
        if self.gate.back.is_none() {
            self.do_gate(Op::Command(command), refused);
        }
    }

    pub(super) fn ask_manager(&mut self, n: usize, command: job::Command, refused: bool) {
        while self.managers[n].back.is_none()
            && let Some(op) = self.managers[n].wants(self.now)
        {
            self.do_manager(n, op, false);
        }
        if self.managers[n].back.is_none() {
            self.do_manager(n, Op::Command(command), refused);
        }
    }

    pub(super) fn ask_worker(&mut self, n: usize, command: worker::Command, refused: bool) {
        while self.workers[n].back.is_none()
            && let Some(op) = self.workers[n].wants(self.now)
        {
            self.do_worker(n, op, false);
        }
        if self.workers[n].back.is_none() {
            self.do_worker(n, Op::Command(command), refused);
        }
    }

    /// A letter arrives. Who is dead gets none.
    pub(super) fn deliver(&mut self, message: Message) {
        match message.to.clone() {
            Party::Gate(_) => {
                let stale = stale_at_gate(self.gate.state(), &message);
                self.ask_gate(gate::Command::Receive(Box::new(message)), stale);
            }
            Party::Manager { datacenter, .. } => {
                let n = DCS.iter().position(|dc| *dc == datacenter.as_str()).unwrap();
                let stale = stale_at_manager(self.managers[n].state(), &message);
                let command = match Submit::of_dispatch(&message) {
                    Some(submit) => job::Command::Submit(Box::new(submit)),
                    None => job::Command::Receive(Box::new(message)),
                };
                self.ask_manager(n, command, stale);
            }
            Party::Worker(name) => {
                let n = WORKERS.iter().position(|worker| *worker == name.as_str()).unwrap();
                let stale = stale_at_worker(self.workers[n].state(), &message);
                self.ask_worker(n, worker::Command::Receive(Box::new(message)), stale);
            }
        }
    }

    /// The next instant at which anything happens by itself.
    pub(super) fn next(&self) -> Option<i64> {
        let managers = self.managers.iter().filter_map(|node| node.next(self.now));
        let workers = self.workers.iter().filter_map(|node| node.next(self.now));
        let letters = self.letters.keys().next().map(|(at, _)| *at);
        self.gate.next(self.now).into_iter().chain(managers).chain(workers).chain(letters).min()
    }

    /// Lets time pass until `end`.
    pub(super) fn pass(&mut self, end: i64) {
        while let Some(at) = self.next().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.steps += 1;
            assert!(self.steps < 200_000, "they never come to rest");
            if let Some(op) = self.gate.wants(self.now) {
                self.do_gate(op, false);
                continue;
            }
            if let Some(n) = (0..DCS.len()).find(|n| self.managers[*n].wants(self.now).is_some()) {
                let op = self.managers[n].wants(self.now).unwrap();
                self.do_manager(n, op, false);
                continue;
            }
            if let Some(n) = (0..WORKERS.len()).find(|n| self.workers[*n].wants(self.now).is_some()) {
                let op = self.workers[n].wants(self.now).unwrap();
                self.do_worker(n, op, false);
                continue;
            }
            if let Some(letter) = self.letters.first_entry().filter(|letter| letter.key().0 <= self.now) {
                let message = letter.remove();
                self.deliver(message);
            }
        }
        self.now = self.now.max(end);
    }

    // What its users do.

    pub(super) fn token(&mut self, n: usize) -> (Option<FenceToken>, bool) {
        let run = self.managers[n].state().run.as_ref();
        let held = run.map_or(0, |run| run.token.get());
        match self.below(6) {
            0 => (Some(FenceToken::shown(held.saturating_sub(1).max(1))), held > 1),
            1 => (Some(FenceToken::shown(held + 1)), held > 0),
            2 => (None, false),
            _ => (Some(FenceToken::shown(held.max(1))), false),
        }
    }

    pub(super) fn act(&mut self) {
        let n = self.below(3) as usize;
        let w = self.below(2) as usize;
        match self.below(27) {
            0..=6 => {
                let longest = [S, 5 * S, 20 * S, 40 * S][self.below(4) as usize];
                let span = self.below(longest as u64) as i64;
                self.pass(self.now + span);
            }
            7 => {
                let down = self.downtime();
                match self.below(6) {
                    0 => self.gate.kill(self.now, down),
                    1 => self.gate.kill(self.now, 3 * down),
                    k @ 2..=4 => self.managers[k as usize - 2].kill(self.now, down),
                    _ => self.workers[w].kill(self.now, down),
                }
            }
            8 => {
                let ahead = self.below(50 * S as u64) as i64;
                match self.below(6) {
                    0 => self.gate.jump(self.now, ahead),
                    k @ 1..=3 => self.managers[k as usize - 1].jump(self.now, ahead),
                    _ => self.workers[w].jump(self.now, ahead),
                }
            }
            9 => {
                self.faults = Faults {
                    lost: [0, 10, 40, 100][self.below(4) as usize],
                    doubled: [0, 30][self.below(2) as usize],
                    delay: [0, 100 * MS, 8 * S][self.below(3) as usize],
                    dies: [0, 2, 10][self.below(3) as usize],
                }
            }
            // Not where a datacenter was given up: what it says late of its run could be about the next one.
            10 if self.all_answered() => {
                // Reports do not say of which run they are: two that are both forgotten cannot be told apart.
                self.forgets &= self.gate.state().job_id.is_some();
                self.ask_gate(self.track(), false);
            }
            11 if self.fails && self.chance(30) => {
                let cancel = gate::Command::Cancel { requester_id: "u".into(), reason: String::new() };
                self.ask_gate(cancel, false);
            }
            12 => {
                self.gates += 1;
                let to = Leader { node: id(["g", "h"][w]), incarnation: self.gates };
                self.ask_gate(gate::Command::Transfer { to, addr: "g".into() }, false);
            }
            13 | 14 => {
                let (token, refused) = self.token(n);
                let count = self.chance(50).then(|| (id("one"), self.below(9)));
                let (workflow_id, completed_count) = count.unzip();
                let progress = job::Command::Progress { workflow_id, completed_count, token };
                self.ask_manager(n, progress, refused);
            }
            15 => {
                let (token, refused) = self.token(n);
                let request = Box::new(more_time(WORKERS[w], self.below(9)));
                self.ask_manager(n, job::Command::Extend { request, in_every_job: false, token }, refused);
            }
            16 => {
                let (token, refused) = self.token(n);
                let failed = self.fails && self.chance(50);
                let status = if failed { FinalStatus::Failed } else { FinalStatus::Completed };
                let complete = job::Command::Complete { status, reason: String::new(), token };
                self.ask_manager(n, complete, refused);
            }
            17 | 18 => {
                let (token, refused) = self.token(n);
                self.leaders += 1;
                let transfer = job::Command::Transfer {
                    to: leader(self.leaders),
                    addr: ["m", "n"][w].into(),
                    force: false,
                    token,
                };
                self.ask_manager(n, transfer, refused);
            }
            19 if self.chance(30) => {
                let (token, refused) = self.token(n);
                let token = token.unwrap_or(FenceToken::shown(1));
                let held = self.managers[n].state().run.as_ref().map_or(0, |run| run.token.get());
                let refused = refused || (held > 0 && token.get() != held);
                self.ask_manager(n, job::Command::Suspend { token, reason: String::new() }, refused);
            }
            20 | 21 => {
                let workflow_id = id(["one", "two"][self.below(2) as usize]);
                let assign = job::Command::Assign { workflow_id, worker_id: id(WORKERS[w]), token: None };
                self.ask_manager(w, assign, false);
            }
            22 => {
                self.leaders += 1;
                let lease = job::Command::AcquireLease {
                    holder: leader(self.leaders - self.below(2)),
                    addr: "m".into(),
                    seen: None,
                    force: false,
                    lease_ms: None,
                    in_process: self.below(4) == 0,
                    by: (self.below(4) == 0).then(|| id("ci")),
                };
                self.ask_manager(n, lease, false);
            }
            23 | 24 => self.work(w),
            25 if self.forgets => self.forget(),
            _ => {
                let job_id = id("job");
                let lost = if self.chance(50) {
                    worker::Command::LeaderLost { job_id }
                } else {
                    let request = Box::new(more_time(WORKERS[w], self.below(9)));
                    worker::Command::RequestExtension { job_id, request }
                };
                self.ask_worker(w, lost, false);
            }
        }
    }

    /// The store of the gate is gone, and with it all it knows; its clock goes on.
    pub(super) fn forget(&mut self) {
        let (skew, back) = (self.gate.skew, self.gate.back);
        let fresh = Node { skew, back, ..Node::new(Datacenters::default(), self.now) };
        let before = std::mem::replace(&mut self.gate, fresh);
        self.gate.excused = self.gate.now(self.now);
        self.gate.began = self.gate.excused.as_micros();
        self.gate.last_alive = self.gate.began;
        self.forgotten.push(before.log);
    }

    pub(super) fn all_answered(&self) -> bool {
        if let Some(finished) = &self.gate.state().finished {
            return finished.datacenters.values().all(|dc| dc.ended);
        }
        // A gate that knows nothing cannot tell what is still under way from an earlier run, so nothing must be.
        let quiet = |job: &Job| {
            let over = job.run.as_ref().is_none_or(|run| run.ended.is_some());
            over && job.outbox.values().all(|entry| entry.to != Recipient::Gate)
        };
        let forgot = self.gate.state().run.is_none() && !self.forgotten.is_empty();
        let under_way = || self.letters.values().any(|letter| matches!(letter.to, Party::Gate(_)));
        !forgot || (self.managers.iter().all(|node| quiet(node.state())) && !under_way())
    }

    /// Something becomes of what a worker runs.
    pub(super) fn work(&mut self, w: usize) {
        let outcomes = [
            WorkflowOutcome::Running,
            WorkflowOutcome::Completed,
            WorkflowOutcome::Completed,
            WorkflowOutcome::Failed,
        ];
        let outcome = outcomes[self.below(if self.fails { 4 } else { 3 }) as usize];
        for workflow_id in running(self.workers[w].state()) {
            self.report(w, workflow_id, outcome);
        }
    }

    pub(super) fn report(&mut self, w: usize, workflow_id: EntityId, outcome: WorkflowOutcome) {
        let report = worker::Report {
            job_id: id("job"),
            workflow_id,
            dispatch_token: None,
            outcome,
            completed_count: Some(1),
            result: Some("r".into()),
        };
        self.ask_worker(w, worker::Command::Report(Box::new(report)), false);
    }

    // The end.

    /// Faults stop, somebody leads what nobody led, workers get done, and time passes.
    pub(super) fn heal(&mut self) {
        self.faults = Faults::default();
        let end = self.now + HEALS;
        loop {
            for w in 0..WORKERS.len() {
                for workflow_id in running(self.workers[w].state()) {
                    self.report(w, workflow_id, WorkflowOutcome::Completed);
                }
            }
            for n in 0..DCS.len() {
                let run = self.managers[n].state().run.as_ref();
                if run.is_some_and(|run| run.phase() == Phase::Suspended) {
                    self.leaders += 1;
                    let to = leader(self.leaders);
                    let transfer = job::Command::Transfer { to, addr: "m".into(), force: true, token: None };
                    self.ask_manager(n, transfer, false);
                } else if let (Some(status), true) =
                    (self.at_last, run.is_some_and(|run| run.ended.is_none()))
                {
                    let reason = String::new();
                    self.ask_manager(n, job::Command::Complete { status, reason, token: None }, false);
                }
            }
            match self.next() {
                Some(at) => {
                    assert!(at <= end, "something is left to happen at {at}, now is {}", self.now);
                    self.pass(at);
                }
                None => return,
            }
        }
    }

    pub(super) fn check(&self) {
        let gate = self.gate.state();
        assert!(gate.run.is_none() && gate.outbox().next().is_none(), "still tracked at the gate");
        check_gate(&self.gate.log);
        self.forgotten.iter().for_each(|log| check_epochs(log));
        for (n, manager) in self.managers.iter().enumerate() {
            let job = manager.state();
            check_job(&manager.log);
            assert!(job.outbox.is_empty(), "left to send at {}: {:?}", DCS[n], job.outbox);
            assert_eq!(self.memories[n].0.lock().unwrap().len(), 0, "left in memory");
            let ended = job.run.as_ref().map(|run| run.ended.as_ref().expect("a run ends").status);
            // A gate that lost its memory after all had ended and were answered has nothing to know again.
            let Some(finished) = &gate.finished else {
                assert!(!self.forgotten.is_empty(), "it was tracked");
                continue;
            };
            let dc = &finished.datacenters[&id(DCS[n])];
            if let Some(told) = dc.own_final() {
                // Where the run never came, and does not begin any more, nothing of it could have ended.
                let charter = job.run.as_ref().and_then(|run| run.charter.as_ref());
                let held = charter.map_or(GateEpoch::NONE, |charter| charter.epoch);
                // A gate without memory may hand it out under an epoch that was refused, and is told so.
                let refuses = |run: job::state::RefusedRun| run.epoch >= finished.epoch || run.status == told;
                let is_another =
                    held > finished.epoch || (held < finished.epoch && job.refused_run.is_some_and(refuses));
                let never_came = is_another && told != FinalStatus::Completed && told != FinalStatus::Failed;
                assert!(
                    never_came || Some(told) == ended,
                    "the gate and {} disagree: {told:?}, {ended:?}",
                    DCS[n]
                );
            } else {
                assert!(dc.abandoned, "{} neither ended nor was given up", DCS[n]);
            }
        }
        for worker in &self.workers {
            let worker = worker.state();
            assert_eq!((worker.running(), worker.outbox.len(), worker.parked.len()), (0, 0, 0));
        }
        gate.finished.as_ref().into_iter().for_each(check_verdict);
        self.check_not_contradicted();
    }

    /// How a run ended everywhere before the memory of it was lost is how it ended after.
    pub(super) fn check_not_contradicted(&self) {
        // A job that somebody hands in again is a new one, though it may meet how the one before ended.
        let last = self.gate.state().finished.as_ref().filter(|end| end.rebuilt_at.is_some());
        let Some(last) = last else { return };
        let applied = |n: usize| {
            let run = self.managers[n].state().run.as_ref();
            run.and_then(|run| run.ended.as_ref()?.kind) == Some(TimeoutKind::GlobalDecision)
        };
        for log in &self.forgotten {
            let mut gate = Driver::<GateMachine>::new(Datacenters::default());
            log.iter().for_each(|event| gate.replay(event));
            let Some(before) = gate.state().finished.as_ref().filter(|end| end.epoch == last.epoch) else {
                continue;
            };
            let complete = before.datacenters.values().all(|dc| dc.ended);
            // A decision that nobody had to carry out is known to nobody any more.
            let known = before.decision.is_none() || (0..DCS.len()).any(applied);
            if complete && known {
                assert_eq!(before.status, last.status, "it ended otherwise before the memory was lost");
            }
        }
    }
}
