//! A process of the network: a driver, a clock, a record, and a life that ends and begins again.

use super::*;

/// What a manager's process keeps in memory beside the record.
#[derive(Default)]
pub(super) struct Shared(pub(super) Mutex<Memory>);

impl LatestProgress for Shared {
    fn at(&self, job: &EntityId, datacenter: &EntityId) -> Option<Timestamp> {
        self.0.lock().unwrap().at(job, datacenter)
    }
    fn count(&self, job: &EntityId, datacenter: &EntityId, workflow: &EntityId, attempt: u32) -> Option<u64> {
        self.0.lock().unwrap().count(job, datacenter, workflow, attempt)
    }
}

/// What is done to a party.
pub(super) enum Op<M: Machine> {
    Boot,
    Settle,
    Errand(Timestamp),
    Command(M::Command),
}

/// What came of it.
pub(super) struct Done<M: Machine> {
    pub(super) before: M::State,
    pub(super) events: Vec<M::Event>,
    pub(super) effects: Vec<M::Effect>,
    pub(super) reply: Option<Result<M::Reply, M::Rejection>>,
}

/// A process with one entity.
pub(super) struct Node<M: Machine> {
    pub(super) driver: Driver<M>,
    pub(super) context: M::Context,
    pub(super) log: Vec<M::Event>,
    /// Its clock is so far ahead of the world's.
    pub(super) skew: i64,
    /// When it begins again, if it is dead.
    pub(super) back: Option<i64>,
    pub(super) began: i64,
    pub(super) last_alive: i64,
    pub(super) errand: Option<Timestamp>,
    /// What fell due before this instant could not be looked at in time.
    pub(super) excused: Timestamp,
}

impl<M: Machine> Node<M> {
    pub(super) fn new(context: M::Context, world: i64) -> Self {
        Node {
            driver: Driver::new(context.clone()),
            context,
            log: Vec::new(),
            skew: 0,
            back: None,
            began: world,
            last_alive: world,
            errand: None,
            excused: us(world),
        }
    }

    pub(super) fn state(&self) -> &M::State {
        self.driver.state()
    }

    pub(super) fn now(&self, world: i64) -> Timestamp {
        us(world + self.skew)
    }

    /// When the world must look at it next.
    pub(super) fn next(&self, world: i64) -> Option<i64> {
        if self.back.is_some() {
            return self.back;
        }
        let at = self.driver.due().into_iter().chain(self.errand).min()?;
        Some((at.as_micros() - self.skew).max(world))
    }

    pub(super) fn wants(&self, world: i64) -> Option<Op<M>> {
        match self.back {
            Some(back) => (back <= world).then_some(Op::Boot),
            None if self.driver.due().is_some_and(|due| due <= self.now(world)) => Some(Op::Settle),
            None => self.errand.filter(|at| *at <= self.now(world)).map(Op::Errand),
        }
    }

    pub(super) fn kill(&mut self, world: i64, down: i64) {
        let beat = 5 * S;
        let now = world + self.skew;
        self.last_alive = self.began.max(now - (now - self.began) % beat);
        self.back = Some(world + down.max(MS));
    }

    pub(super) fn jump(&mut self, world: i64, ahead: i64) {
        self.skew += ahead;
        self.excused = self.now(world);
    }

    pub(super) fn apply(&mut self, op: Op<M>, world: i64) -> Done<M> {
        let now = self.now(world);
        let before = self.state().clone();
        let (events, effects, reply) = match op {
            Op::Boot => {
                self.back = None;
                self.began = now.as_micros();
                self.excused = now;
                self.errand = None;
                // What survives is the record, as a fold or as a snapshot.
                let mut replayed = Driver::<M>::new(self.context.clone());
                for event in &self.log {
                    replayed.replay(&decode(&encode(event).unwrap()).unwrap());
                }
                let kept: M::State = decode(&encode(&before).unwrap()).unwrap();
                assert_eq!(replayed.state(), &kept, "replay is live");
                let revision = self.driver.revision();
                self.driver = Driver::new(self.context.clone()).restore(kept, revision);
                let away = Downtime { last_alive: us(self.last_alive), began: now, gap: Gap::Restart };
                let resumed = self.driver.resume(away);
                (resumed.events, M::owed(self.driver.state()), None)
            }
            Op::Settle => {
                let settled = self.driver.settle(now);
                assert!(!settled.events.is_empty(), "a tick that is due does something");
                assert!(self.driver.due().is_none_or(|due| due > now), "and moves what is due");
                (settled.events, settled.effects, None)
            }
            Op::Errand(due) => {
                self.errand = None;
                let step = self.driver.step(M::run_errands(due).unwrap(), now);
                assert!(step.events.is_empty(), "an errand writes nothing: {:?}", step.events);
                (step.events, step.effects, None)
            }
            Op::Command(command) => {
                let step = self.driver.step(command, now);
                (step.events, step.effects, Some(step.reply))
            }
        };
        self.log.extend(events.iter().cloned());
        if self.errand.is_none_or(|at| at > now) {
            self.errand = M::errand(self.driver.state(), now);
        }
        Done { before, events, effects, reply }
    }
}

pub(super) fn more_time(worker: &str, progress: u64) -> HealthcheckExtensionRequest {
    HealthcheckExtensionRequest {
        worker_id: id(worker),
        reason: String::new(),
        current_progress: progress as f64,
        estimated_completion_ms: 0,
        active_workflow_count: 1,
        completed_items: None,
        total_items: None,
        request_id: None,
    }
}

pub(super) fn running(worker: &Worker) -> Vec<EntityId> {
    let jobs = worker.jobs.values();
    jobs.flat_map(|job| job.running().map(|(name, _)| name.clone())).collect()
}
