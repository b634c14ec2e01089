//! What may be asked of a worker, and how it answers.

use serde::{Deserialize, Serialize};

use super::settings::Settings;
use crate::jobs::protocol::message::{HealthcheckExtensionRequest, Message, WorkflowOutcome};
use crate::jobs::protocol::token::DispatchToken;
use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;

/// A request to one worker.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Serve from now on; also changes capacity and settings, and ends a draining.
    Register {
        /// The worker: the id of its stream.
        worker_id: EntityId,
        /// Where it works.
        datacenter: EntityId,
        /// Most workflows it runs at the same time, 1 to 1 000 000.
        capacity: u32,
        /// How long it waits for what.
        settings: Settings,
    },
    /// How often it gives a sign of life, and which of its lives this is.
    Enroll {
        /// How often it gives a sign of life, in ms; none = as before.
        beat_ms: Option<u64>,
        /// Which of its lives this is; none = the one it was. In another one nothing runs any more of what ran before.
        incarnation: Option<u64>,
    },
    /// Hand out work, with what was handed out and is not known to have arrived first.
    Take {
        /// What it has, and thereby is known to have arrived.
        has: Vec<Handed>,
        /// Most workflows.
        most: u32,
        /// It waits for work for so long, and is silent meanwhile.
        silent_ms: u64,
    },
    /// It is alive.
    Beat {
        /// What it has.
        has: Vec<Handed>,
    },
    /// A message came in.
    Receive(Box<Message>),
    /// This became of a workflow, says who carries it out.
    Report(Box<Report>),
    /// Reports of a workflow were dropped before they came here.
    NoteDropped {
        /// The job.
        job_id: EntityId,
        /// The workflow.
        workflow_id: EntityId,
        /// The handing over they were about.
        dispatch_token: DispatchToken,
        /// How many.
        count: u64,
    },
    /// Ask the leader of a job for more time.
    RequestExtension {
        /// The job.
        job_id: EntityId,
        /// What is asked for. Who asks and how much runs is filled in.
        request: Box<HealthcheckExtensionRequest>,
    },
    /// The leader of a job cannot be reached any more.
    LeaderLost {
        /// The job.
        job_id: EntityId,
    },
    /// Take nothing new, and be gone when everything has ended and was heard of.
    Leave,
    /// Send what falls due at exactly this instant, see [`errand`](super::errand).
    RunErrands {
        /// The instant.
        due: Timestamp,
    },
    /// Time has passed.
    Tick,
}

/// A workflow that was handed to the worker.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Handed {
    /// The job.
    pub job_id: EntityId,
    /// The workflow.
    pub workflow_id: EntityId,
    /// The handing over.
    pub dispatch_token: DispatchToken,
}

/// What became of a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The job.
    pub job_id: EntityId,
    /// The workflow.
    pub workflow_id: EntityId,
    /// The handing over that was carried out; none = the last one.
    pub dispatch_token: Option<DispatchToken>,
    /// What became of it.
    pub outcome: WorkflowOutcome,
    /// Items done so far, never fewer than before; none = as before.
    pub completed_count: Option<u64>,
    /// What it made or why it failed, opaque.
    pub result: Option<String>,
}

/// The answer to an accepted command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Did anything change?
    pub changed: bool,
}
