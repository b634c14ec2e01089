//! The one selection path: the states of all jobs, and what this gate sent since it last heard of each queue.

use std::collections::{BTreeMap, BTreeSet};

use super::candidate::DatacenterCandidate;
use super::config::RoutingConfig;
use super::decide::{LocalView, RoutingDecision, decide};
use super::state::JobRoutingState;
use crate::kernel::ids::{DatacenterId, EntityId};
use crate::kernel::time::Timestamp;
use crate::network::OutOfRange;

/// A job's routing state was written by a newer leader of the job. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stale fencing token. held={held}, given={given}")]
pub struct StaleFence {
    /// By which it was last written.
    pub held: u64,
    /// By which it was to be written.
    pub given: u64,
}

/// Routes the jobs of one gate.
#[derive(Clone, Debug)]
pub struct Router {
    config: RoutingConfig,
    jobs: BTreeMap<EntityId, JobRoutingState>,
    /// The same jobs by when they were last asked about.
    uses: BTreeSet<(Timestamp, EntityId)>,
    preferred: BTreeSet<DatacenterId>,
    dispatched: BTreeMap<DatacenterId, u64>,
}

impl Router {
    /// A router without jobs.
    ///
    /// # Errors
    /// [`OutOfRange`] for a knob that does not fit.
    pub fn new(config: RoutingConfig, preferred: BTreeSet<DatacenterId>) -> Result<Self, OutOfRange> {
        config.check()?;
        let (jobs, uses, dispatched) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        Ok(Router { config, jobs, uses, preferred, dispatched })
    }

    /// Decides where a job goes, and keeps that. `fence` is the job's fencing token.
    ///
    /// # Errors
    /// [`StaleFence`] when the state was written by a newer leader.
    pub fn route_job(
        &mut self,
        job: &EntityId,
        fence: u64,
        candidates: &[DatacenterCandidate],
        is_converged: bool,
        now: Timestamp,
    ) -> Result<RoutingDecision, StaleFence> {
        let fresh = JobRoutingState::default();
        let state = self.jobs.get(job).unwrap_or(&fresh);
        if fence < state.fence {
            return Err(StaleFence { held: state.fence, given: fence });
        }
        let view = LocalView {
            is_converged,
            preferred: &self.preferred,
            dispatched: &self.dispatched,
            targets: None,
            now,
        };
        let (decision, mut next) = decide(job, candidates, state, view, &self.config);
        next.fence = fence;
        self.keep(job.clone(), next);
        if let (true, Some(selected)) = (decision.switched, decision.primary_datacenters.first()) {
            // Whoever decides next sees that it is fuller: else all that may move would move there at once.
            self.record_dispatch(selected);
        }
        Ok(decision)
    }

    /// A job was sent there. Until the next heartbeat of the datacenter it counts as one more that waits.
    pub fn record_dispatch(&mut self, datacenter: &DatacenterId) {
        *self.dispatched.entry(datacenter.clone()).or_default() += 1;
    }

    /// A heartbeat of the datacenter came.
    pub fn heard_from(&mut self, datacenter: &DatacenterId) {
        self.dispatched.remove(datacenter);
    }

    /// A datacenter that was tried failed the job. For a job that is not known, nothing is kept.
    pub fn record_dispatch_failure(&mut self, job: &EntityId, datacenter: &DatacenterId, now: Timestamp) {
        if let Some(state) = self.jobs.get_mut(job) {
            state.cooldowns.insert(datacenter.clone(), now);
        }
    }

    /// A datacenter of the fallback took the job: it is its primary from now on.
    pub fn record_accepted(&mut self, job: &EntityId, datacenter: &DatacenterId, now: Timestamp) {
        if let Some(state) = self.jobs.get_mut(job)
            && state.primary.as_ref() != Some(datacenter)
        {
            let is_switch = state.primary.is_some();
            state.accept(datacenter.clone(), is_switch, now);
        }
    }

    /// The job has ended; was anything kept? Repeating it does nothing.
    pub fn cleanup_job_state(&mut self, job: &EntityId) -> bool {
        let Some(state) = self.jobs.remove(job) else { return false };
        self.uses.remove(&(state.last_used_at, job.clone()));
        true
    }

    /// Forgets the jobs that nobody asked about for long; how many.
    pub fn cleanup_idle(&mut self, now: Timestamp) -> usize {
        let mut forgotten = 0;
        while let Some((_, job)) = self.uses.first()
            && self.jobs.get(job).is_none_or(|state| state.is_idle(&self.config, now))
        {
            if let Some((_, job)) = self.uses.pop_first() {
                self.jobs.remove(&job);
                forgotten += 1;
            }
        }
        forgotten
    }

    /// These datacenters are cut off: jobs that go there choose anew. Which jobs.
    pub fn reset_primary(&mut self, datacenters: &BTreeSet<DatacenterId>) -> Vec<EntityId> {
        let mut affected = Vec::new();
        for (job, state) in &mut self.jobs {
            if state.primary.take_if(|primary| datacenters.contains(primary)).is_some() {
                state.selection_score = None;
                state.degraded_since = None;
                affected.push(job.clone());
            }
        }
        affected
    }

    /// What is kept for a job.
    pub fn state(&self, job: &EntityId) -> Option<&JobRoutingState> {
        self.jobs.get(job)
    }

    /// Takes what was kept for a job before a restart.
    pub fn restore(&mut self, job: EntityId, state: JobRoutingState, now: Timestamp) {
        self.keep(job, state.clamped(now));
    }

    /// The job that was asked about longest ago gives way, when there is no room.
    fn keep(&mut self, job: EntityId, state: JobRoutingState) {
        self.cleanup_job_state(&job);
        while self.jobs.len() >= self.config.max_jobs {
            let Some((_, oldest)) = self.uses.pop_first() else { break };
            self.jobs.remove(&oldest);
        }
        self.uses.insert((state.last_used_at, job.clone()));
        self.jobs.insert(job, state);
    }
}
