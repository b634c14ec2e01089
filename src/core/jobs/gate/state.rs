//! What a gate knows of a job: the fold of its events.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::{Event, FenceRejected, Target, Totals, Tracked};
use super::moves::Left;
use super::outbox::{Errand, What};
use super::settings::Settings;
use super::succession::Replaced;
use super::verdict::{self, GlobalRule};
use crate::jobs::protocol::message::{AckOutcome, FinalStatus, JobDispatch, Leader};
use crate::jobs::protocol::payload::Payloads;
use crate::jobs::protocol::token::{FenceToken, GateEpoch};
use crate::kernel::ids::EntityId;
use crate::kernel::time::{Gap, Timestamp};

/// State of one job at its gate. Empty before it is first tracked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// The job; none before it is first tracked.
    pub job_id: Option<EntityId>,
    /// The highest epoch of any gate that ever led it.
    pub gate_epoch: GateEpoch,
    /// Decisions made, for ever; the number of the last one.
    pub decisions: u64,
    /// Messages numbered, for ever; the number of the last one. An answer to an earlier run finds nothing.
    pub last_number: u64,
    /// The highest token each datacenter ever showed. What a run that has ended showed is stale in the next.
    pub floors: BTreeMap<EntityId, FenceToken>,
    /// The run under way.
    pub run: Option<Run>,
    /// The run before, if none is under way.
    pub finished: Option<Finished>,
    /// The last instant on record.
    pub noted_at: Timestamp,
    /// When the process began to serve that last took over.
    pub served_since: Option<Timestamp>,
    /// The gate that leads it instead of this one.
    pub replaced: Option<Replaced>,
}

/// A job that is tracked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The gate that leads it.
    pub gate: Leader,
    /// Where the gate listens.
    pub gate_addr: String,
    /// The gate that led it before.
    pub old_gate: Option<Leader>,
    /// The epoch the run began in. Dispatches carry it for ever, so that a repeat is never taken for a new run.
    pub epoch: GateEpoch,
    /// How the job is watched.
    pub settings: Settings,
    /// When it was submitted: its age counts from here, also through times when nobody served.
    pub submitted_at: Timestamp,
    /// Time that the clock skipped since then and that did not pass, in microseconds.
    pub skipped_us: u64,
    /// The base budget in ms; `None` = no overall limit.
    pub timeout_ms: Option<u64>,
    /// Tells plans apart after the plan itself was dropped.
    pub fingerprint: u64,
    /// How the memory of it was regained, if it was lost.
    pub rebuilt: Option<Regained>,
    /// What is dispatched; dropped when every datacenter has it.
    pub plan: Option<Box<JobDispatch>>,
    /// What is to be done; dispatched with the plan.
    pub payloads: Payloads,
    /// Where it runs.
    pub datacenters: BTreeMap<EntityId, Datacenter>,
    /// The decision that time is over.
    pub decision: Option<Decided>,
    /// The request to stop.
    pub cancel: Option<Cancel>,
    /// What datacenters must hear of and did not answer.
    pub outbox: BTreeMap<u64, Errand>,
    /// Datacenters it was taken from; what they say of it is refused.
    pub withdrawn: BTreeSet<EntityId>,
    /// Of those, the ones that had it and are gone.
    pub left: BTreeMap<EntityId, Left>,
}

/// A job whose gate lost its memory of it, and regained it from managers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Regained {
    /// When it was tracked again.
    pub at: Timestamp,
    /// What datacenters are silent since: the rebuild, later by the times nobody served.
    pub silent_since: Timestamp,
    /// Datacenters that did not tell what they know yet.
    pub unheard: BTreeSet<EntityId>,
}

/// A job in one datacenter, as its gate has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Datacenter {
    /// Who leads there.
    pub leader: Leader,
    /// Where it listens.
    pub addr: String,
    /// Its token; what lower ones say is stale.
    pub fence_token: FenceToken,
    /// The token of an earlier run of the job: stale in this one, and so is every lower one.
    pub earlier: FenceToken,
    /// How it stands.
    pub status: DcStatus,
    /// Did the job end there by a final status no correction follows?
    pub ended: bool,
    /// The final status it gave, provisional while `ended` is false.
    pub final_status: Option<FinalStatus>,
    /// The leadership that gave it.
    pub final_token: FenceToken,
    /// Why, for people.
    pub reason: String,
    /// It did not end in time after a decision.
    pub abandoned: bool,
    /// When something last moved there; silence counts from here.
    pub last_progress: Timestamp,
    /// The last report on record.
    pub last_report: Option<Timestamp>,
    /// Orders the reports of one leader; none is on record of the one that leads now before its first.
    pub report_seq: Option<u64>,
    /// What it counts.
    pub totals: Totals,
    /// What it answered to the decision.
    pub decision_ack: Option<AckOutcome>,
    /// Workflows it stopped when it was asked to.
    pub cancelled_workflows: u64,
    /// What was fenced since its leader last changed, so that a repeat is not recorded again.
    pub fenced: BTreeSet<(String, FenceToken)>,
    /// Since when it is gone, with all its managers, and the job waits for it.
    pub lost_at: Option<Timestamp>,
}

/// How a job stands in a datacenter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DcStatus {
    /// It runs.
    Running,
    /// All its workflows are completed.
    Completed,
    /// It failed.
    Failed,
    /// Its time is over.
    TimedOut,
    /// It was cancelled.
    Cancelled,
}

impl DcStatus {
    /// The name used in JSON and logs.
    pub fn name(self) -> &'static str {
        match self {
            DcStatus::Running => "running",
            DcStatus::Completed => "completed",
            DcStatus::Failed => "failed",
            DcStatus::TimedOut => "timed_out",
            DcStatus::Cancelled => "cancelled",
        }
    }
}

impl From<FinalStatus> for DcStatus {
    fn from(status: FinalStatus) -> Self {
        match status {
            FinalStatus::Completed => DcStatus::Completed,
            FinalStatus::Failed => DcStatus::Failed,
            FinalStatus::Cancelled => DcStatus::Cancelled,
            FinalStatus::Timeout => DcStatus::TimedOut,
        }
    }
}

/// The decision that a job's time is over everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// Its number.
    pub decision_id: u64,
    /// The rule that held.
    pub rule: GlobalRule,
    /// Why, for people.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// What datacenters are silent since: the decision, later by the times nobody served.
    pub silent_since: Timestamp,
}

/// The request to stop a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancel {
    /// Who asked.
    pub requester_id: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// What datacenters are silent since: the request, later by the times nobody served.
    pub silent_since: Timestamp,
}

/// A job that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// How.
    pub status: FinalStatus,
    /// It completed everywhere although its time was declared over.
    pub late_completion: bool,
    /// The epoch the run began in.
    pub epoch: GateEpoch,
    /// When it was tracked again, if the memory of it was lost.
    pub rebuilt_at: Option<Timestamp>,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// Time that the clock skipped and that did not pass, in microseconds.
    pub skipped_us: u64,
    /// When it ended.
    pub at: Timestamp,
    /// The gate that led it.
    pub gate: Leader,
    /// The decision that time was over.
    pub decision: Option<Decided>,
    /// The request to stop.
    pub cancel: Option<Cancel>,
    /// How it stood everywhere.
    pub datacenters: BTreeMap<EntityId, Datacenter>,
    /// How it was watched.
    pub settings: Settings,
    /// Tells plans apart.
    pub fingerprint: u64,
    /// Tells payloads apart.
    pub payloads: u64,
    /// Datacenters it was taken from.
    pub withdrawn: BTreeSet<EntityId>,
    /// Of those, the ones that had it and are gone.
    pub left: BTreeMap<EntityId, Left>,
}

impl Datacenter {
    /// Does the job still run there, as far as the gate knows?
    pub fn runs(&self) -> bool {
        !self.ended && !self.waits()
    }

    /// Is its time over there, with nothing final yet?
    pub fn waits(&self) -> bool {
        !self.ended && self.status == DcStatus::TimedOut
    }

    /// The final status, once no correction can follow.
    pub fn own_final(&self) -> Option<FinalStatus> {
        self.final_status.filter(|_| self.ended)
    }

    /// Was this token replaced, or never minted for this run?
    pub(super) fn is_stale(&self, given: FenceToken) -> bool {
        given < self.fence_token || given <= self.earlier
    }

    /// Did the job end there because it never came there? Then no leadership of this run gave the status.
    pub(super) fn never_came(&self) -> bool {
        self.ended && self.final_token <= self.earlier
    }

    /// The token its leader is known to hold in this run; none before it was first heard of.
    pub(super) fn known_token(&self) -> FenceToken {
        if self.fence_token > self.earlier { self.fence_token } else { FenceToken::NONE }
    }

    /// Time nobody served is nobody's silence.
    fn shift(&mut self, away: Duration) {
        if !self.ended {
            self.last_progress = self.last_progress.plus(away);
        }
    }
}

impl Run {
    /// When datacenters that have not ended are given up, once something was decided.
    pub(super) fn abandon_at(&self) -> Option<Timestamp> {
        let decided = self.decision.as_ref().map(|decision| decision.silent_since);
        let since = decided.or(self.cancel.as_ref().map(|cancel| cancel.silent_since))?;
        Some(since.plus(Duration::from_millis(self.settings.abandon_ms))).filter(|at| *at < Timestamp::MAX)
    }

    /// Datacenters in which the job has not ended.
    pub(super) fn open(&self) -> impl Iterator<Item = &EntityId> {
        self.datacenters.iter().filter(|(_, dc)| !dc.ended).map(|(name, _)| name)
    }
}

impl Gate {
    /// The datacenters of the run under way, or of the last one.
    pub fn datacenters(&self) -> Option<&BTreeMap<EntityId, Datacenter>> {
        let running = self.run.as_ref().map(|run| &run.datacenters);
        running.or(self.finished.as_ref().map(|finished| &finished.datacenters))
    }

    pub(super) fn due(&self) -> Option<Timestamp> {
        let run = self.run.as_ref()?;
        if run.decision.is_none() && run.cancel.is_none() { verdict::due(run) } else { run.abandon_at() }
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        self.noted_at = self.noted_at.max(event.at());
        self.see_again(event);
        match event {
            Event::Tracked(tracked) => {
                self.begin(tracked);
                self.send_to_open(What::Dispatch, tracked.at);
            }
            Event::Rebuilt(rebuilt) => self.rebuilt(rebuilt),
            Event::Recalled { datacenter, totals, report_seq, submitted_at, knows_gate, at } => {
                self.change(datacenter, |dc| {
                    dc.count(totals);
                    dc.report_seq = Some(*report_seq);
                    (dc.last_report, dc.last_progress) = (Some(*at), *at);
                });
                self.recalled(datacenter, *submitted_at, *knows_gate, *at);
            }
            Event::PayloadNoted { payloads, .. } => {
                if let Some(run) = &mut self.run {
                    run.payloads = (**payloads).clone();
                }
            }
            Event::EpochAdopted { gate_epoch, at } => self.adopt_epoch(*gate_epoch, *at),
            Event::Redirected { from, to, at, reason: _ } => self.redirected(from, to, *at),
            Event::GateReplaced { gate, gate_epoch, at, .. } => self.replaced(gate, *gate_epoch, *at),
            Event::LeadershipAsked { at } => self.lead_anew(self.gate_epoch, *at),
            Event::Moved { from, to, above_token, plan, at, reason: _ } => {
                self.moved(from, to, *above_token, plan.as_deref(), *at);
            }
            Event::DatacenterLost { datacenter, at, .. } => {
                self.change(datacenter, |dc| dc.lost_at = Some(*at));
            }
            Event::DatacenterBack { datacenter, at } => {
                self.change(datacenter, |dc| dc.last_progress = *at);
            }
            Event::TakenOver { datacenter, to, addr, above_token, plan, at, from: _, reason: _ } => {
                self.floors.insert(datacenter.clone(), *above_token);
                self.change(datacenter, |dc| {
                    (dc.leader, dc.addr) = (to.clone(), addr.clone());
                    // What the one before says is stale from here on, and the new one was not heard of yet.
                    (dc.fence_token, dc.earlier) = (*above_token, *above_token);
                    (dc.report_seq, dc.final_status) = (None, None);
                    (dc.status, dc.last_progress) = (DcStatus::Running, *at);
                    dc.fenced.clear();
                });
                self.given_anew(datacenter, plan.as_deref(), *at);
            }
            Event::LeaderChanged { datacenter, leader, addr, fence_token, at } => {
                self.floors.insert(datacenter.clone(), *fence_token);
                self.change(datacenter, |dc| {
                    dc.leader = leader.clone();
                    dc.addr = addr.clone();
                    if dc.fence_token != *fence_token {
                        dc.report_seq = None;
                    }
                    dc.fence_token = *fence_token;
                    dc.fenced.clear();
                });
                self.heard_of_the_job(datacenter, *at);
                self.send_again(Some(datacenter), *at);
            }
            Event::Progressed { datacenter, totals, moved, report_seq, at } => {
                self.change(datacenter, |dc| {
                    dc.count(totals);
                    dc.report_seq = Some(*report_seq);
                    dc.last_report = Some(*at);
                    if *moved {
                        dc.last_progress = *at;
                    }
                })
            }
            Event::DatacenterTimedOut { datacenter, reason, at, .. } => self.change(datacenter, |dc| {
                dc.status = DcStatus::TimedOut;
                dc.final_status = None;
                dc.reason = reason.clone();
                dc.last_report = Some(*at);
            }),
            Event::DatacenterEnded { datacenter, status, reason, provisional, fence_token, at, .. } => {
                self.change(datacenter, |dc| {
                    dc.status = (*status).into();
                    dc.final_status = Some(*status);
                    dc.final_token = *fence_token;
                    dc.ended = !provisional;
                    dc.reason = reason.clone();
                    dc.last_report = Some(*at);
                    dc.last_progress = *at;
                });
                if !provisional {
                    self.run.iter_mut().for_each(|run| run.heard(datacenter));
                    self.drop_errands(|errand| errand.datacenter == *datacenter);
                }
            }
            Event::Declared { decision_id, rule, reason, at, .. } => {
                self.decisions = *decision_id;
                if let Some(run) = &mut self.run {
                    run.decision = Some(Decided {
                        decision_id: *decision_id,
                        rule: *rule,
                        reason: reason.clone(),
                        at: *at,
                        silent_since: *at,
                    });
                }
                self.stop_dispatching();
                self.send_to_open(What::GlobalTimeout, *at);
            }
            Event::Delivered { number, datacenter, outcome, at } => {
                self.delivered(*number, datacenter, *outcome, *at)
            }
            Event::CancelRequested { requester_id, reason, at } => {
                if let Some(run) = &mut self.run {
                    let (requester_id, reason) = (requester_id.clone(), reason.clone());
                    run.cancel = Some(Cancel { requester_id, reason, at: *at, silent_since: *at });
                }
                self.stop_dispatching();
                self.send_to_open(What::Cancel, *at);
            }
            Event::CancelDelivered { number, datacenter, cancelled_workflow_count, .. } => {
                self.drop_errands(|errand| errand.number == *number);
                self.change(datacenter, |dc| dc.cancelled_workflows = *cancelled_workflow_count);
            }
            Event::Abandoned { datacenters, .. } => {
                datacenters.iter().for_each(|name| self.change(name, |dc| dc.abandoned = true));
            }
            Event::Finished { status, late_completion, at } => self.finish(*status, *late_completion, *at),
            Event::GateTransferred { gate, gate_addr, gate_epoch, at } => {
                if let Some(run) = &mut self.run {
                    run.old_gate = Some(std::mem::replace(&mut run.gate, gate.clone()));
                    run.gate_addr = gate_addr.clone();
                }
                self.lead_anew(*gate_epoch, *at);
            }
            Event::Resumed { gate_epoch, gap, away_us, at } => {
                self.served_since = Some(*at);
                let away = Duration::from_micros(*away_us);
                if let Some(run) = &mut self.run {
                    if *gap == Gap::ClockJump {
                        run.skipped_us = run.skipped_us.saturating_add(*away_us);
                    }
                    run.datacenters.values_mut().for_each(|dc| dc.shift(away));
                    let decided = run.decision.as_mut().map(|decision| &mut decision.silent_since);
                    let asked = run.cancel.as_mut().map(|cancel| &mut cancel.silent_since);
                    let regained = run.rebuilt.as_mut().map(|regained| &mut regained.silent_since);
                    decided
                        .into_iter()
                        .chain(asked)
                        .chain(regained)
                        .for_each(|since| *since = since.plus(away));
                }
                if *gap == Gap::Restart {
                    self.lead_anew(*gate_epoch, *at);
                }
            }
            Event::FenceRejected(FenceRejected { datacenter, message, given, .. }) => {
                self.note_fenced(datacenter, (message.clone(), *given));
            }
            Event::LateFinal { datacenter, status, .. } => {
                let finished = self.finished.as_mut();
                if let Some(dc) = finished.and_then(|finished| finished.datacenters.get_mut(datacenter)) {
                    dc.final_status = Some(*status);
                }
            }
        }
    }

    /// Begins a run; what is sent comes after.
    pub(super) fn begin(&mut self, tracked: &Tracked) {
        let Tracked { job_id, gate, gate_addr, gate_epoch, targets, plan, settings, at } = tracked;
        let datacenters =
            targets.iter().map(|target| (target.datacenter.clone(), self.unheard_of(target, *at)));
        let run = Run {
            gate: gate.clone(),
            gate_addr: gate_addr.clone(),
            old_gate: None,
            epoch: *gate_epoch,
            settings: *settings,
            submitted_at: *at,
            skipped_us: 0,
            timeout_ms: plan.timeout_ms,
            fingerprint: super::outbox::fingerprint(plan),
            rebuilt: None,
            plan: Some(Box::new(plan.clone())),
            payloads: Payloads::default(),
            datacenters: datacenters.collect(),
            decision: None,
            cancel: None,
            outbox: BTreeMap::new(),
            withdrawn: BTreeSet::new(),
            left: BTreeMap::new(),
        };
        self.job_id = Some(job_id.clone());
        self.gate_epoch = *gate_epoch;
        (self.finished, self.replaced) = (None, None);
        self.run = Some(run);
    }

    /// A datacenter that is sent the job. What it showed in earlier runs is stale in this one.
    pub(super) fn unheard_of(&self, target: &Target, at: Timestamp) -> Datacenter {
        let floor = self.floors.get(&target.datacenter).copied().unwrap_or_default();
        Datacenter {
            leader: target.manager.clone(),
            addr: target.manager_addr.clone(),
            fence_token: floor,
            earlier: floor,
            status: DcStatus::Running,
            ended: false,
            final_status: None,
            final_token: FenceToken::NONE,
            reason: String::new(),
            abandoned: false,
            last_progress: at,
            last_report: None,
            report_seq: None,
            totals: Totals::default(),
            decision_ack: None,
            cancelled_workflows: 0,
            fenced: BTreeSet::new(),
            lost_at: None,
        }
    }

    fn finish(&mut self, status: FinalStatus, late_completion: bool, at: Timestamp) {
        if let Some(run) = self.run.take() {
            self.finished = Some(Finished {
                status,
                late_completion,
                epoch: run.epoch,
                rebuilt_at: run.rebuilt.map(|regained| regained.at),
                submitted_at: run.submitted_at,
                skipped_us: run.skipped_us,
                at,
                gate: run.gate,
                decision: run.decision,
                cancel: run.cancel,
                datacenters: run.datacenters,
                settings: run.settings,
                fingerprint: run.fingerprint,
                payloads: run.payloads.fingerprint(),
                withdrawn: run.withdrawn,
                left: run.left,
            });
        }
    }

    /// The leadership of the gate began anew: everybody hears of it, and of all they did not answer.
    pub(super) fn lead_anew(&mut self, gate_epoch: GateEpoch, at: Timestamp) {
        self.gate_epoch = gate_epoch;
        self.drop_errands(|errand| errand.what == What::GateTransfer);
        let Some(run) = &self.run else { return };
        // A dispatch that is still under way says who leads by itself, and so does a request to tell everything.
        let says = |name: &EntityId| run.dispatches(name) || run.recall_of(name).is_some();
        let reached: Vec<EntityId> = run.open().filter(|name| !says(name)).cloned().collect();
        self.send_again(None, at);
        reached.into_iter().for_each(|name| self.send(name, What::GateTransfer, at));
    }

    pub(super) fn change(&mut self, datacenter: &EntityId, change: impl FnOnce(&mut Datacenter)) {
        let run = self.run.as_mut().map(|run| &mut run.datacenters);
        let all = run.or(self.finished.as_mut().map(|finished| &mut finished.datacenters));
        if let Some(dc) = all.and_then(|all| all.get_mut(datacenter)) {
            change(dc);
        }
    }
}
