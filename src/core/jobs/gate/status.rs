//! How a job stands at an instant, in plain numbers, for people and doors.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::outbox::What;
use super::settings::TimeoutPolicy;
use super::state::{Datacenter, Gate};
use super::verdict::{self, GlobalRule, effective_timeout_ms, ms_between};
use crate::jobs::protocol::message::{AckOutcome, FinalStatus, Leader};
use crate::jobs::protocol::token::{FenceToken, GateEpoch};
use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;

/// How a job stands over all its datacenters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateStatus {
    /// The job.
    pub job_id: EntityId,
    /// Is it tracked? Otherwise it has ended.
    pub tracked: bool,
    /// The gate that leads it.
    pub gate: Leader,
    /// The epoch of its leadership.
    pub gate_epoch: GateEpoch,
    /// When the gate tracked it again after it had lost its memory of the job; none if it did not.
    pub rebuilt_at: Option<Timestamp>,
    /// Datacenters that did not tell yet what they know, after the memory was lost.
    pub unheard: Vec<EntityId>,
    /// When the job was submitted.
    pub submitted_at: Timestamp,
    /// How long it ran, or runs, in ms.
    pub elapsed_ms: u64,
    /// The timeout with extensions, in ms; while it is tracked.
    pub effective_timeout_ms: Option<u64>,
    /// How many datacenters whose time is over end the job; while it is tracked.
    pub dc_timeout_policy: Option<TimeoutPolicy>,
    /// When a rule can next hold, or silent datacenters are given up.
    pub due: Option<Timestamp>,
    /// The decision that its time is over.
    pub decision: Option<DecisionStatus>,
    /// Was it asked to stop?
    pub cancel_requested: bool,
    /// How it ended everywhere.
    pub final_status: Option<FinalStatus>,
    /// It completed everywhere although its time was declared over.
    pub late_completion: bool,
    /// Was its time declared over everywhere?
    pub globally_timed_out: bool,
    /// Why it was, for people; empty when it was not.
    pub timeout_reason: String,
    /// How often that was declared for this run: 0 or the number of the decision.
    pub timeout_fence_token: u64,
    /// The budget in seconds, without extensions; while it is tracked.
    pub timeout_seconds: Option<f64>,
    /// The datacenters it was dispatched to.
    pub target_datacenters: Vec<EntityId>,
    /// How it stands in each: running, waiting_for_datacenter, completed, failed, timed_out or cancelled.
    pub dc_status: BTreeMap<EntityId, Cow<'static, str>>,
    /// When something last moved there, later by the times nobody served.
    pub dc_last_progress: BTreeMap<EntityId, Timestamp>,
    /// Where the manager listens.
    pub dc_manager_addrs: BTreeMap<EntityId, String>,
    /// The leadership there; 0 before it was first heard of.
    pub dc_fence_tokens: BTreeMap<EntityId, FenceToken>,
    /// Seconds of all extensions granted there.
    pub dc_total_extensions: BTreeMap<EntityId, f64>,
    /// Seconds of the largest one.
    pub dc_max_extension: BTreeMap<EntityId, f64>,
    /// Workers with extensions there.
    pub dc_workers_with_extensions: BTreeMap<EntityId, u64>,
    /// Each datacenter.
    pub datacenters: Vec<DatacenterStatus>,
    /// The last instant of its budget with extensions; while it is tracked and has one.
    #[serde(default)]
    pub deadline: Option<Timestamp>,
    /// Datacenters that had it and are gone; another one got it from each.
    #[serde(default)]
    pub left_datacenters: Vec<EntityId>,
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionStatus {
    /// Its number.
    pub decision_id: u64,
    /// The rule that held.
    pub rule: GlobalRule,
    /// Why, for people.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// How a job stands in one datacenter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatacenterStatus {
    /// The datacenter.
    pub datacenter: EntityId,
    /// running, waiting_for_datacenter, completed, failed, timed_out or cancelled.
    pub status: Cow<'static, str>,
    /// Is that final? A final status is not followed by another.
    pub is_final: bool,
    /// It did not end in time after a decision.
    pub abandoned: bool,
    /// Why, for people; empty when there is nothing to say.
    pub reason: String,
    /// Who leads there.
    pub leader: Leader,
    /// Where it listens.
    pub manager_addr: String,
    /// Its token; 0 before it was first heard of.
    pub fence_token: FenceToken,
    /// Time since the last progress, in ms; none once the job has ended there.
    pub idle_ms: Option<u64>,
    /// Time since the last report on record, in ms.
    pub since_report_ms: Option<u64>,
    /// Workflows of the job there.
    pub workflows_total: u64,
    /// Of those, completed.
    pub workflows_completed: u64,
    /// Of those, failed for good.
    pub workflows_failed: u64,
    /// Sum of all extensions granted there, in ms.
    pub total_extensions_ms: u64,
    /// Largest single extension, in ms.
    pub max_extension_ms: u64,
    /// Workers with extensions.
    pub workers_with_extensions: u64,
    /// What it answered to the decision.
    pub decision_ack: Option<AckOutcome>,
    /// What it must hear of and did not answer.
    pub unanswered: Vec<Cow<'static, str>>,
    /// Since when it is gone, with all its managers, and the job waits for it.
    #[serde(default)]
    pub lost_at: Option<Timestamp>,
    /// Was nothing new there for as long as its gate allows?
    #[serde(default)]
    pub is_stuck: bool,
}

fn each<T>(
    datacenters: &BTreeMap<EntityId, Datacenter>,
    of: impl Fn(&Datacenter) -> T,
) -> BTreeMap<EntityId, T> {
    datacenters.iter().map(|(name, dc)| (name.clone(), of(dc))).collect()
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}

impl Gate {
    /// How the job stands at `now`; `None` before it was ever tracked.
    pub fn status(&self, now: Timestamp) -> Option<GateStatus> {
        let run = self.run.as_ref();
        let finished = self.finished.as_ref();
        let gate = run.map(|run| &run.gate).or(finished.map(|finished| &finished.gate))?;
        let submitted_at =
            run.map(|run| run.submitted_at).or(finished.map(|finished| finished.submitted_at))?;
        let skipped_us = run.map(|run| run.skipped_us).or(finished.map(|finished| finished.skipped_us));
        let decision = run.map(|run| &run.decision).or(finished.map(|finished| &finished.decision))?;
        let cancel = run.map(|run| &run.cancel).or(finished.map(|finished| &finished.cancel))?;
        let regained = run.and_then(|run| run.rebuilt.as_ref());
        let end = finished.map_or(now, |finished| finished.at);
        let datacenters = self.datacenters()?;
        Some(GateStatus {
            job_id: self.job_id.clone()?,
            tracked: run.is_some(),
            gate: gate.clone(),
            gate_epoch: self.gate_epoch,
            rebuilt_at: regained.map(|regained| regained.at).or(finished.and_then(|end| end.rebuilt_at)),
            unheard: regained.map(|regained| regained.unheard.iter().cloned().collect()).unwrap_or_default(),
            submitted_at,
            elapsed_ms: ms_between(submitted_at.plus(Duration::from_micros(skipped_us.unwrap_or(0))), end),
            effective_timeout_ms: run.and_then(effective_timeout_ms),
            dc_timeout_policy: run.map(|run| run.settings.dc_timeout_policy),
            due: self.due(),
            decision: decision.as_ref().map(|decided| DecisionStatus {
                decision_id: decided.decision_id,
                rule: decided.rule,
                reason: decided.reason.clone(),
                at: decided.at,
            }),
            cancel_requested: cancel.is_some(),
            final_status: finished.map(|finished| finished.status),
            late_completion: finished.is_some_and(|finished| finished.late_completion),
            globally_timed_out: decision.is_some(),
            timeout_reason: decision.as_ref().map(|decided| decided.reason.clone()).unwrap_or_default(),
            timeout_fence_token: decision.as_ref().map_or(0, |decided| decided.decision_id),
            timeout_seconds: run.and_then(|run| run.timeout_ms).map(seconds),
            target_datacenters: datacenters.keys().cloned().collect(),
            dc_status: each(datacenters, |dc| dc.shown().into()),
            dc_last_progress: each(datacenters, |dc| dc.last_progress),
            dc_manager_addrs: each(datacenters, |dc| dc.addr.clone()),
            dc_fence_tokens: each(datacenters, Datacenter::known_token),
            dc_total_extensions: each(datacenters, |dc| seconds(dc.totals.extensions_ms)),
            dc_max_extension: each(datacenters, |dc| seconds(dc.totals.max_extension_ms)),
            dc_workers_with_extensions: each(datacenters, |dc| dc.totals.workers_with_extensions),
            datacenters: datacenters.iter().map(|(name, dc)| self.one(name, dc, now)).collect(),
            deadline: run.and_then(verdict::deadline),
            left_datacenters: self.all_left().into_iter().flatten().map(|(name, _)| name.clone()).collect(),
        })
    }

    /// How the job stands at `now` in one datacenter of it.
    pub fn place(&self, datacenter: &EntityId, now: Timestamp) -> Option<DatacenterStatus> {
        Some(self.one(datacenter, self.datacenters()?.get(datacenter)?, now))
    }

    fn one(&self, name: &EntityId, dc: &Datacenter, now: Timestamp) -> DatacenterStatus {
        let unanswered = self.outbox().filter(|errand| errand.datacenter == *name);
        let idles = self.run.is_some() && !dc.ended;
        DatacenterStatus {
            datacenter: name.clone(),
            status: dc.shown().into(),
            is_final: dc.ended,
            abandoned: dc.abandoned,
            reason: dc.reason.clone(),
            leader: dc.leader.clone(),
            manager_addr: dc.addr.clone(),
            fence_token: dc.known_token(),
            idle_ms: idles.then(|| ms_between(dc.last_progress, now)),
            since_report_ms: dc.last_report.map(|at| ms_between(at, now)),
            workflows_total: dc.totals.workflows_total,
            workflows_completed: dc.totals.workflows_completed,
            workflows_failed: dc.totals.workflows_failed,
            total_extensions_ms: dc.totals.extensions_ms,
            max_extension_ms: dc.totals.max_extension_ms,
            workers_with_extensions: dc.totals.workers_with_extensions,
            decision_ack: dc.decision_ack,
            unanswered: unanswered
                .map(|errand: &super::outbox::Errand| What::name(errand.what).into())
                .collect(),
            lost_at: dc.lost_at,
            is_stuck: self.run.as_ref().is_some_and(|run| run.is_stuck(dc, now)),
        }
    }
}
