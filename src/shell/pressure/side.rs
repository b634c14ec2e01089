//! One worker towards its managers: what they asked, and the reports of progress that wait for it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Manager;
use crate::core::jobs::protocol::token::DispatchToken;
use crate::core::jobs::worker::Report;
use crate::core::kernel::ids::EntityId;
use crate::core::kernel::resend::fnv1a;
use crate::core::kernel::time::Timestamp;
use crate::core::load::pressure::{Body, DecayConfig, FlushConfig, FlushPlanner, Outgoing, Peers, Update};
use crate::core::load::shed::Invalid;

type Planner = FlushPlanner<EntityId, EntityId, Manager>;
type Sending = Outgoing<EntityId, EntityId, Manager>;

/// One worker.
pub(super) struct Side {
    pub(super) peers: Peers<Manager>,
    pub(super) planner: Planner,
    /// The reports the planner holds, by job and workflow.
    pub(super) reports: BTreeMap<(EntityId, EntityId), Report>,
    pub(super) leaders: BTreeMap<EntityId, Manager>,
    pub(super) offered: u64,
    pub(super) due: Option<Timestamp>,
    /// Reports that were dropped, and that the worker does not know of.
    dropped: Vec<Dropped>,
}

/// Reports of a workflow that were dropped.
#[derive(Clone, Debug)]
pub(super) struct Dropped {
    pub(super) job_id: EntityId,
    pub(super) workflow_id: EntityId,
    /// The handing over they were about.
    pub(super) dispatch_token: DispatchToken,
    pub(super) count: u64,
}

impl Side {
    pub(super) fn new(worker: &EntityId) -> Result<Self, Invalid> {
        let seed = fnv1a(worker.as_str().bytes());
        Ok(Side {
            peers: Peers::new(DecayConfig::default())?,
            planner: FlushPlanner::new(FlushConfig { seed, ..FlushConfig::default() })?,
            reports: BTreeMap::new(),
            leaders: BTreeMap::new(),
            offered: 0,
            due: None,
            dropped: Vec::new(),
        })
    }

    pub(super) fn led_by(&mut self, leaders: BTreeMap<EntityId, Manager>, now: Timestamp) {
        let known: BTreeSet<Manager> = self.leaders.values().cloned().collect();
        self.leaders = leaders;
        let stays: BTreeSet<&Manager> = self.leaders.values().collect();
        self.peers.retain(|manager| stays.contains(manager));
        self.planner.retain_jobs(|job| self.leaders.contains_key(job));
        for gone in known.iter().filter(|manager| !stays.contains(manager)) {
            self.planner.remove(gone, now);
        }
    }

    pub(super) fn update(&mut self, report: &Report, critical: bool) -> Update<EntityId, EntityId> {
        self.offered += 1;
        Update {
            job: report.job_id.clone(),
            workflow: report.workflow_id.clone(),
            seq: self.offered,
            completed: report.completed_count.unwrap_or_default(),
            failed: 0,
            rate: 0.0,
            elapsed: Duration::ZERO,
            critical,
        }
    }

    /// What goes out now, with the reports it stands for.
    pub(super) fn flush(&mut self, now: Timestamp) -> Vec<(u64, Vec<Report>)> {
        let leaders = &self.leaders;
        let sent = self.planner.flush(&self.peers, |job| leaders.get(job).cloned(), now);
        let reports = |sent: Sending| {
            let workflows = match sent.body {
                Body::Batch(batch) => batch.workflows,
                Body::Critical(update) => vec![update],
            };
            let held = workflows.into_iter().filter_map(|u| self.reports.get(&(u.job, u.workflow)).cloned());
            (sent.id, held.collect())
        };
        let sent = sent.into_iter().map(reports).collect();
        self.note_drops();
        self.tidy();
        sent
    }

    /// Keeps what the planner dropped just now, before the reports are let go.
    fn note_drops(&mut self) {
        for (job_id, workflows) in self.planner.take_drops() {
            for (workflow_id, count) in workflows {
                let report = self.reports.get(&(job_id.clone(), workflow_id.clone()));
                if let Some(dispatch_token) = report.and_then(|report| report.dispatch_token) {
                    self.dropped.push(Dropped { job_id: job_id.clone(), workflow_id, dispatch_token, count });
                }
            }
        }
    }

    /// What was dropped since this was asked last.
    pub(super) fn take_dropped(&mut self) -> Vec<Dropped> {
        std::mem::take(&mut self.dropped)
    }

    /// Reports the planner holds no longer are not needed.
    pub(super) fn tidy(&mut self) {
        let planner = &self.planner;
        self.reports.retain(|(job, workflow), _| planner.is_held(job, workflow));
    }

    pub(super) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        self.planner.due(&self.peers, |job| self.leaders.get(job).cloned(), now)
    }
}
