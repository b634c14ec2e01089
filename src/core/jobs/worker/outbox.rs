//! What leaders must hear of: numbered entries that stay until answered, one for each workflow and one for the request
//! for more time of each job.
//!
//! An entry says what is owed, not its bytes: a repeat carries what is known at that moment, to whoever leads then.

use serde::{Deserialize, Serialize};

use super::state::Worker;
use crate::jobs::protocol::message::{Body, Message, Party, WorkflowReport, WorkflowReportAfterDrops};
use crate::kernel::ids::EntityId;
use crate::kernel::resend::Sending;
use crate::kernel::time::Timestamp;

/// What a leader must hear of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// What became of this workflow.
    Report(EntityId),
    /// That more time is needed.
    Extension,
}

/// One entry of the outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// Its number.
    pub number: u64,
    /// The job.
    pub job_id: EntityId,
    /// What is owed.
    pub what: What,
    /// When it was first sent under this number; repeats count from here.
    pub since: Timestamp,
}

impl Errand {
    /// Is it about what became of this workflow?
    pub(super) fn reports(&self, job_id: &EntityId, workflow_id: &EntityId) -> bool {
        self.job_id == *job_id && matches!(&self.what, What::Report(name) if name == workflow_id)
    }

    /// When it is sent.
    pub(super) fn sending(&self) -> Sending<'_> {
        Sending { job_id: &self.job_id, number: self.number, since: self.since }
    }
}

impl Worker {
    /// The messages of these entries.
    pub(super) fn messages(&self, which: impl Fn(&Errand) -> bool) -> Vec<Message> {
        self.outbox
            .values()
            .filter(|errand| which(errand))
            .filter_map(|errand| self.message(errand))
            .collect()
    }

    fn message(&self, errand: &Errand) -> Option<Message> {
        let (worker_id, datacenter) = (self.worker_id.clone()?, self.datacenter.clone()?);
        let job = self.jobs.get(&errand.job_id)?;
        let body = match &errand.what {
            What::Report(workflow_id) => {
                let workflow = job.workflows.get(workflow_id)?;
                let report = WorkflowReport {
                    worker_id: worker_id.clone(),
                    workflow_id: workflow_id.clone(),
                    dispatch_token: workflow.dispatch_token,
                    outcome: workflow.outcome,
                    completed_count: workflow.completed_count,
                    result: workflow.result.clone(),
                };
                match workflow.untold() {
                    0 => Body::WorkflowReport(report),
                    _ => {
                        let dropped = workflow.dropped;
                        Body::WorkflowReportAfterDrops(WorkflowReportAfterDrops { report, dropped })
                    }
                }
            }
            What::Extension => Body::HealthcheckExtensionRequest(job.extension.clone()?),
        };
        Some(Message {
            job_id: errand.job_id.clone(),
            datacenter: datacenter.clone(),
            from: Party::Worker(worker_id),
            to: Party::Manager { datacenter, node: job.leader.clone() },
            number: errand.number,
            body,
            signal: None,
        })
    }

    /// A new entry.
    pub(super) fn send(&mut self, job_id: EntityId, what: What, since: Timestamp) {
        self.last_number = self.last_number.saturating_add(1);
        let number = self.last_number;
        self.outbox.insert(number, Errand { number, job_id, what, since });
    }

    /// Gives entries new numbers and sends them at once: an answer of whoever was asked before finds none of them.
    pub(super) fn send_again(&mut self, which: impl Fn(&Errand) -> bool, since: Timestamp) {
        let again: Vec<Errand> = self.outbox.values().filter(|errand| which(errand)).cloned().collect();
        self.drop_errands(which);
        again.into_iter().for_each(|errand| self.send(errand.job_id, errand.what, since));
    }

    pub(super) fn drop_errands(&mut self, which: impl Fn(&Errand) -> bool) {
        self.outbox.retain(|_, errand| !which(errand));
    }
}
