//! What datacenters must hear of: numbered entries that stay until answered.
//!
//! An entry says what is owed, not its bytes. The message is made when it is sent, so a repeat carries the token,
//! address and epoch of that moment. Whenever the receiver changes, the entry gets a new number and is sent at once: an
//! answer of the receiver before then finds no entry and can acknowledge nothing in its successor's name.

use serde::{Deserialize, Serialize};

use super::event::Target;
use super::state::{Datacenter, Gate, Run};
use super::verdict::ms_between;
use crate::jobs::protocol::message::{
    AckOutcome, Body, JobCancelRequest, JobDispatch, JobGlobalTimeout, JobLeaderGateTransfer, Message, Party,
};
use crate::jobs::protocol::recall::{Charter, Dispatch};
use crate::kernel::ids::EntityId;
use crate::kernel::resend::{Sending, fnv1a};
use crate::kernel::time::Timestamp;

/// What a datacenter must hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The job, to run it.
    Dispatch,
    /// That its time is over.
    GlobalTimeout,
    /// Who leads it now.
    GateTransfer,
    /// That it is to be stopped.
    Cancel,
    /// Who leads it, and that it is to tell everything: the gate lost its memory of the job.
    Recall,
}

impl What {
    /// The name used in JSON and logs.
    pub fn name(self) -> &'static str {
        match self {
            What::Dispatch => "dispatch",
            What::GlobalTimeout => "global_timeout",
            What::GateTransfer => "gate_transfer",
            What::Cancel => "cancel",
            What::Recall => "recall",
        }
    }
}

/// One entry of the outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// Its number.
    pub number: u64,
    /// For whom.
    pub datacenter: EntityId,
    /// What is owed.
    pub what: What,
    /// When it was first sent under this number; repeats count from here.
    pub since: Timestamp,
}

impl Run {
    /// The entry by which a datacenter gets the job, while it is not known to have it.
    pub(super) fn dispatches(&self, datacenter: &EntityId) -> bool {
        self.outbox.values().any(|errand| errand.what == What::Dispatch && errand.datacenter == *datacenter)
    }

    fn charter(&self, gate_addr: String) -> Charter {
        let targets = self.datacenters.iter().map(|(datacenter, dc)| Target {
            datacenter: datacenter.clone(),
            manager: dc.leader.clone(),
            manager_addr: dc.addr.clone(),
        });
        Charter { epoch: self.epoch, gate_addr, targets: targets.collect(), settings: self.settings }
    }

    fn message(&self, gate: &Gate, errand: &Errand, now: Timestamp) -> Option<Message> {
        let job_id = gate.job_id.clone()?;
        let dc = self.datacenters.get(&errand.datacenter)?;
        Some(Message {
            job_id,
            datacenter: errand.datacenter.clone(),
            from: Party::Gate(self.gate.node.clone()),
            to: Party::Manager { datacenter: errand.datacenter.clone(), node: dc.leader.clone() },
            number: errand.number,
            body: self.body(gate, dc, errand.what, now)?,
            signal: None,
        })
    }

    fn body(&self, gate: &Gate, dc: &Datacenter, what: What, now: Timestamp) -> Option<Body> {
        let body = match what {
            What::Dispatch => {
                let plan = JobDispatch { gate_epoch: self.epoch, ..self.plan.as_deref()?.clone() };
                let charter = self.charter(plan.gate_addr.clone());
                let (payloads, above, led) = (self.payloads.clone(), dc.earlier, gate.gate_epoch);
                Body::JobDispatch(Box::new(Dispatch { plan, charter, payloads, above, led }))
            }
            What::GlobalTimeout => {
                let decision = self.decision.as_ref()?;
                Body::JobGlobalTimeout(JobGlobalTimeout {
                    reason: decision.reason.clone(),
                    decided_ago_ms: ms_between(decision.at, now),
                    fence_token: dc.known_token(),
                    gate_epoch: gate.gate_epoch,
                    decision_id: decision.decision_id,
                    run: self.epoch,
                })
            }
            What::GateTransfer | What::Recall => Body::JobLeaderGateTransfer(JobLeaderGateTransfer {
                new_gate: self.gate.clone(),
                new_gate_addr: self.gate_addr.clone(),
                gate_epoch: gate.gate_epoch,
                old_gate: self.old_gate.clone(),
                recall: (what == What::Recall).then_some(self.epoch),
            }),
            What::Cancel => {
                let cancel = self.cancel.as_ref()?;
                Body::JobCancelRequest(JobCancelRequest {
                    requester_id: cancel.requester_id.clone(),
                    reason: cancel.reason.clone(),
                    fence_token: dc.known_token(),
                    run: self.epoch,
                })
            }
        };
        Some(body)
    }
}

impl Gate {
    /// The entries, in the order of their numbers.
    pub fn outbox(&self) -> impl Iterator<Item = &Errand> {
        self.run.iter().flat_map(|run| run.outbox.values())
    }

    /// The messages of these entries as they are sent at `now`.
    pub(super) fn messages(&self, now: Timestamp, which: impl Fn(&Errand) -> bool) -> Vec<Message> {
        let Some(run) = &self.run else { return Vec::new() };
        run.outbox.values().filter(|errand| which(errand)).filter_map(|e| run.message(self, e, now)).collect()
    }

    /// When this entry is sent.
    pub(super) fn sending<'a>(&'a self, errand: &Errand) -> Option<Sending<'a>> {
        Some(Sending { job_id: self.job_id.as_ref()?, number: errand.number, since: errand.since })
    }

    /// A new entry.
    pub(super) fn send(&mut self, datacenter: EntityId, what: What, since: Timestamp) {
        if let Some(run) = &mut self.run {
            self.last_number = self.last_number.saturating_add(1);
            let number = self.last_number;
            run.outbox.insert(number, Errand { number, datacenter, what, since });
        }
    }

    /// A new entry for every datacenter in which the job has not ended.
    pub(super) fn send_to_open(&mut self, what: What, since: Timestamp) {
        let open: Vec<EntityId> = self.run.iter().flat_map(Run::open).cloned().collect();
        open.into_iter().for_each(|datacenter| self.send(datacenter, what, since));
    }

    /// Gives the entries for a datacenter, or for all, new numbers, and sends them at once.
    pub(super) fn send_again(&mut self, datacenter: Option<&EntityId>, since: Timestamp) {
        let Some(run) = &mut self.run else { return };
        let again = |errand: &Errand| datacenter.is_none_or(|name| errand.datacenter == *name);
        let entries: Vec<Errand> = run.outbox.values().filter(|errand| again(errand)).cloned().collect();
        run.outbox.retain(|_, errand| !again(errand));
        entries.into_iter().for_each(|errand| self.send(errand.datacenter, errand.what, since));
    }

    pub(super) fn drop_errands(&mut self, which: impl Fn(&Errand) -> bool) {
        if let Some(run) = &mut self.run {
            run.outbox.retain(|_, errand| !which(errand));
            run.drop_plan();
        }
    }

    /// No workflow is handed out for a job that is to end.
    pub(super) fn stop_dispatching(&mut self) {
        self.drop_errands(|errand| errand.what == What::Dispatch);
    }

    /// A datacenter has the job: it is not dispatched there again. If another gate leads it since, that is news there.
    pub(super) fn heard_of_the_job(&mut self, datacenter: &EntityId, at: Timestamp) {
        let led_anew =
            self.run.as_ref().is_some_and(|run| run.dispatches(datacenter) && run.epoch < self.gate_epoch);
        self.drop_errands(|errand| errand.what == What::Dispatch && errand.datacenter == *datacenter);
        if led_anew {
            self.send(datacenter.clone(), What::GateTransfer, at);
        }
    }

    pub(super) fn delivered(
        &mut self,
        number: u64,
        datacenter: &EntityId,
        outcome: AckOutcome,
        at: Timestamp,
    ) {
        let Some(run) = &mut self.run else { return };
        let Some(what) = run.outbox.get(&number).map(|errand| errand.what) else { return };
        match what {
            What::Dispatch => self.heard_of_the_job(datacenter, at),
            What::GlobalTimeout => {
                if let Some(dc) = run.datacenters.get_mut(datacenter) {
                    dc.decision_ack = Some(outcome);
                }
                self.drop_errands(|errand| errand.number == number);
            }
            What::Recall => {
                run.heard(datacenter);
                if outcome == AckOutcome::UnknownJob {
                    self.not_there(datacenter, at);
                }
                self.drop_errands(|errand| errand.number == number);
            }
            What::GateTransfer | What::Cancel => self.drop_errands(|errand| errand.number == number),
        }
    }
}

impl Run {
    /// The plan is large, and needed only while a datacenter does not have it, or may not.
    fn drop_plan(&mut self) {
        if self.outbox.values().all(|errand| !matches!(errand.what, What::Dispatch | What::Recall)) {
            self.plan = None;
        }
    }
}

/// A number that tells plans apart.
pub(super) fn fingerprint(plan: &JobDispatch) -> u64 {
    let JobDispatch {
        timeout_ms,
        stuck_threshold_ms,
        workflows,
        class,
        timeout_rule,
        settings,
        gate_epoch: _,
        gate_addr,
    } = plan;
    let mut bytes = Vec::new();
    let mut add = |text: &str| {
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.bytes());
    };
    add(&format!("{timeout_ms:?} {stuck_threshold_ms} {} {}", workflows.len(), class.is_some()));
    class.iter().for_each(|class| add(class.as_str()));
    add(timeout_rule);
    add(gate_addr);
    settings.numbers().iter().for_each(|number| add(&number.to_string()));
    for workflow in workflows {
        add(&format!("{} {}", workflow.depends_on.len(), workflow.worker_id.is_some()));
        let ids =
            std::iter::once(&workflow.workflow_id).chain(&workflow.depends_on).chain(&workflow.worker_id);
        ids.for_each(|id| add(id.as_str()));
    }
    fnv1a(bytes)
}
