//! What a gate that has lost its memory of a job is told, so that it can lead it again.
//!
//! ```text
//!  gate without memory                                             managers
//!    ◄─── any report ────────────────────────────────────────────── a
//!     ─── unknown job ─────────────────────────────────────────────► a
//!    ◄─── recall: charter, terms, epoch, counters, how it stands ─── a
//!  rebuilt: tracked again under a later epoch
//!     ─── transfer to the later epoch ─────────────────────────────► a
//!     ─── transfer that asks for a recall, until answered ─────────► b, c
//!    ◄─── recall, or: unknown job, which is then dispatched ──────── b, c
//! ```
//!
//! A manager learns the [`Charter`] with the dispatch and keeps it; everything else in a recall it knows anyway. Reports
//! stay small: only a gate that says that it does not know the job is told everything. A recall is not kept for
//! sending again: a report that is not taken comes again by itself, and a gate that asks does so until it is answered.
//!
//! Times in it are durations. Nothing in it is older than the message, so a repeat does no harm.
//!
//! # Source
//! State that a coordinator rebuilds from its participants after a crash: C. Mohan, B. Lindsay, R. Obermarck,
//! *Transaction Management in the R\* Distributed Database Management System*, ACM TODS 11(4), 1986, section 3.

use serde::{Deserialize, Serialize};

use super::message::{JobCancelRequest, JobDispatch, JobFinalStatus, JobProgressReport, JobTimeoutReport};
use super::payload::Payloads;
use super::token::{FenceToken, GateEpoch};
use crate::jobs::gate;
use crate::jobs::manager::event::{GateSeat, Terms};

/// What the gate knows of a run of a job beside its plan; the same for every datacenter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charter {
    /// The gate's epoch when the run began. It tells the runs of a job id apart.
    pub epoch: GateEpoch,
    /// Where the gate listened then.
    pub gate_addr: String,
    /// Every datacenter of the job, with the manager that led there when the job was handed out.
    pub targets: Vec<gate::Target>,
    /// How the gate watches the job.
    pub settings: gate::Settings,
}

/// A job as it is handed to a manager.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dispatch {
    /// What to run.
    pub plan: JobDispatch,
    /// What a gate without memory will have to be told.
    pub charter: Charter,
    /// What is to be done.
    #[serde(default)]
    pub payloads: Payloads,
    /// The receiver leads above this token: it was another one's in this datacenter, or that of an earlier run.
    #[serde(default)]
    pub above: FenceToken,
    /// The epoch under which the gate leads when it says so. The plan shows the one in which the run began.
    #[serde(default)]
    pub led: GateEpoch,
}

/// Everything a manager knows that a gate without memory needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobRecall {
    /// The number of the request it answers; 0 if none asked for it by number.
    pub answers: u64,
    /// What came with the dispatch.
    pub charter: Charter,
    /// What was asked for, the base budget among it.
    pub terms: Terms,
    /// The gate that leads, as this manager has it.
    pub gate: GateSeat,
    /// The highest epoch of any gate this manager ever saw.
    pub highest_epoch: GateEpoch,
    /// How the job goes, its age among it.
    pub progress: JobProgressReport,
    /// Its time is over here, and the gate's decision is waited for.
    pub timeout: Option<JobTimeoutReport>,
    /// It has ended here.
    pub end: Option<JobFinalStatus>,
    /// The decision of the gate by which it ended, if it did so.
    pub decision: Option<u64>,
    /// The gate's request to stop by which it ended, if it did so.
    pub cancel: Option<JobCancelRequest>,
    /// What is to be done.
    #[serde(default)]
    pub payloads: Payloads,
}

impl JobRecall {
    /// What the gate once handed out.
    pub fn plan(&self) -> JobDispatch {
        let Terms { timeout_ms, stuck_threshold_ms, settings, class, timeout_rule, workflows } =
            self.terms.clone();
        JobDispatch {
            timeout_ms,
            stuck_threshold_ms,
            workflows,
            class,
            timeout_rule,
            settings,
            gate_epoch: self.charter.epoch,
            gate_addr: self.charter.gate_addr.clone(),
        }
    }
}
