//! Which jobs are live, and who works on them: a fold over the events of all jobs.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::openings::Work;
use crate::jobs::protocol::message::{FinalStatus, TimeoutKind};
use crate::kernel::ids::EntityId;
use crate::kernel::openings::Openings;
use crate::kernel::time::Timestamp;

/// A job that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// The job.
    pub job_id: EntityId,
    /// The datacenter.
    pub datacenter: EntityId,
    /// When it was submitted.
    pub started_at: Timestamp,
    /// Workers that have or had a part in it.
    pub workers: BTreeSet<EntityId>,
    /// Which submission it was; orders those that have work.
    pub number: u64,
    /// Its work.
    pub work: Work,
}

/// Counters over all jobs, and the live ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobIndex {
    /// The live jobs, by the name of their stream.
    pub live: BTreeMap<EntityId, Live>,
    /// The streams of the live jobs, by the time of their submission.
    pub open: Openings,
    /// The streams of live jobs a worker has a part in.
    pub by_worker: BTreeMap<EntityId, BTreeSet<EntityId>>,
    /// Jobs ever submitted.
    pub submitted: u64,
    /// Jobs that ended so.
    pub ended: BTreeMap<FinalStatus, u64>,
    /// Extensions granted.
    pub extensions: u64,
    /// Extensions denied.
    pub denied: u64,
    /// Times at which time was found to be over, by why.
    pub detected: BTreeMap<TimeoutKind, u64>,
    /// Jobs that ended since time was over, by why.
    pub timed_out: BTreeMap<TimeoutKind, u64>,
    /// Attempts under a leadership that was not the one on record, by what was tried.
    pub fenced: BTreeMap<String, u64>,
    /// Changes of leadership.
    pub transfers: u64,
    /// The jobs that have work that nobody has, by datacenter, in the order they were submitted.
    pub free: BTreeMap<EntityId, BTreeSet<(u64, EntityId)>>,
}

impl JobIndex {
    /// Adds one durable event of the job whose stream has this name.
    pub fn apply(&mut self, stream: &EntityId, event: &Event) {
        self.count(stream, event);
        let submitted = matches!(event, Event::Submitted(_));
        if let Some(live) = self.live.get_mut(stream)
            && (live.work.apply(event) || submitted)
        {
            let (datacenter, place) = (live.datacenter.clone(), (live.number, stream.clone()));
            if live.work.is_open() {
                self.free.entry(datacenter).or_default().insert(place);
            } else {
                self.close(&datacenter, &place);
            }
        }
    }

    fn close(&mut self, datacenter: &EntityId, place: &(u64, EntityId)) {
        if let Some(open) = self.free.get_mut(datacenter)
            && open.remove(place)
            && open.is_empty()
        {
            self.free.remove(datacenter);
        }
    }

    /// Where a job has work that nobody has, if it has.
    pub fn is_open(&self, stream: &EntityId) -> Option<&EntityId> {
        let live = self.live.get(stream)?;
        let open = self.free.get(&live.datacenter)?;
        open.contains(&(live.number, stream.clone())).then_some(&live.datacenter)
    }

    /// Up to so many streams of jobs of a datacenter that have work that nobody has, first submitted first.
    pub fn open_in(&self, datacenter: &EntityId, most: usize) -> Vec<EntityId> {
        let open = self.free.get(datacenter).into_iter().flatten();
        open.take(most).map(|(_, stream)| stream.clone()).collect()
    }

    fn count(&mut self, stream: &EntityId, event: &Event) {
        match event {
            Event::Submitted(submitted) => {
                self.submitted += 1;
                let live = Live {
                    job_id: submitted.job_id.clone(),
                    datacenter: submitted.datacenter.clone(),
                    started_at: submitted.at,
                    workers: BTreeSet::new(),
                    number: self.submitted,
                    work: Work::of(&submitted.terms.workflows),
                };
                self.open.insert(stream.clone(), live.started_at);
                self.live.insert(stream.clone(), live);
            }
            Event::WorkflowMoved(moved) => {
                if let Some(worker) = &moved.worker_id {
                    self.works(stream, worker);
                }
            }
            Event::ExtensionGranted(granted) => {
                self.extensions += 1;
                self.works(stream, &granted.worker_id);
            }
            Event::Ended(ended) => {
                *self.ended.entry(ended.status).or_default() += 1;
                if let Some(kind) = ended.kind {
                    *self.timed_out.entry(kind).or_default() += 1;
                }
                self.open.remove(stream);
                let ended = self.live.remove(stream);
                if let Some(live) = &ended {
                    self.close(&live.datacenter.clone(), &(live.number, stream.clone()));
                }
                for worker in ended.into_iter().flat_map(|live| live.workers) {
                    if let Some(streams) = self.by_worker.get_mut(&worker) {
                        streams.remove(stream);
                        if streams.is_empty() {
                            self.by_worker.remove(&worker);
                        }
                    }
                }
            }
            Event::LeaderChanged(_) => self.transfers += 1,
            Event::FenceRejected(fenced) => *self.fenced.entry(fenced.what.clone()).or_default() += 1,
            Event::ExtensionDenied(_) => self.denied += 1,
            Event::TimeoutDetected(found) => *self.detected.entry(found.kind).or_default() += 1,
            Event::ProgressNoted(_)
            | Event::AttemptMade { .. }
            | Event::StepRefused { .. }
            | Event::LateResult { .. }
            | Event::ExtensionsReset { .. }
            | Event::ExtensionKeyed { .. }
            | Event::WorkerLost { .. }
            | Event::WorkerHealthy { .. }
            | Event::GateHeard { .. }
            | Event::GlobalTimeoutAccepted { .. }
            | Event::GateChanged { .. }
            | Event::Queued(_)
            | Event::Acked { .. }
            | Event::Deferred { .. }
            | Event::CancelNarrowed { .. }
            | Event::CancelUnconfirmed { .. }
            | Event::Suspended { .. }
            | Event::Resumed(_)
            | Event::StoppingResumed { .. }
            | Event::CharterNoted { .. }
            | Event::RecallAsked { .. }
            | Event::GateCancelAccepted { .. }
            | Event::TokenAdopted { .. }
            | Event::LeaseTaken { .. }
            | Event::LeaseRenewed { .. }
            | Event::LeaseReleased { .. }
            | Event::LeaseGranted { .. }
            | Event::LeaseResized { .. }
            | Event::LeaseAskedBy { .. }
            | Event::DispatchDelayed { .. }
            | Event::ClockStepped { .. }
            | Event::ReportsDropped { .. }
            | Event::PayloadNoted { .. }
            | Event::RunRefused { .. } => {}
        }
    }

    fn works(&mut self, stream: &EntityId, worker: &EntityId) {
        if let Some(live) = self.live.get_mut(stream)
            && live.workers.insert(worker.clone())
        {
            self.by_worker.entry(worker.clone()).or_default().insert(stream.clone());
        }
    }

    /// The streams of live jobs this worker has a part in.
    pub fn of_worker(&self, worker: &EntityId) -> Vec<EntityId> {
        self.by_worker.get(worker).into_iter().flatten().cloned().collect()
    }
}
