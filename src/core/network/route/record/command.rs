//! What may be asked about a job's route, and how the answer looks.

use std::collections::{BTreeMap, BTreeSet};

use super::event::FailureReason;
use crate::kernel::ids::{DatacenterId, EntityId};
use crate::kernel::time::Timestamp;
use crate::network::route::{DatacenterCandidate, RoutingDecision, StaleFence};

/// A request about one job.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Decide where it goes.
    Decide(Box<Ask>),
    /// A datacenter that was tried did not take it.
    Fail {
        /// Which.
        datacenter: DatacenterId,
        /// Why.
        reason: FailureReason,
        /// The job's fencing token of whoever says so; the one in force where none is shown.
        fence: Option<u64>,
    },
    /// This datacenter took it.
    Accept {
        /// Which.
        datacenter: DatacenterId,
    },
    /// The job has ended.
    Forget,
    /// Time has passed.
    Tick,
}

/// What a decision rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// The job.
    pub job: EntityId,
    /// Its fencing token of whoever asks; the one in force where none is shown.
    pub fence: Option<u64>,
    /// Every datacenter as it looks from the gate.
    pub candidates: Vec<DatacenterCandidate>,
    /// Do distances say something?
    pub is_converged: bool,
    /// Datacenters that are preferred.
    pub preferred: BTreeSet<DatacenterId>,
    /// Own dispatches since each datacenter's last word about its queue.
    pub dispatched: BTreeMap<DatacenterId, u64>,
    /// How many datacenters get the job at once; the configured number where there is none.
    pub targets: Option<usize>,
}

/// The answer to an accepted command.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// Where it goes.
    Decided(Box<RoutingDecision>),
    /// The datacenter counts as farther until then.
    Cools {
        /// Until when.
        until: Timestamp,
    },
    /// Did anything change?
    Changed(bool),
}

/// How a command about a route is refused. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Nothing is kept for the job: it was never routed, has ended, or nobody asked for long.
    #[error("no route of this job is kept: it was never routed, has ended, or nobody asked for long")]
    Unknown,
    /// A newer leader of the job decided its route.
    #[error(transparent)]
    Stale(#[from] StaleFence),
    /// The job was never sent there by its last decision.
    #[error("the datacenter is in no list of the last decision. datacenter={datacenter}")]
    NeverTried {
        /// Which.
        datacenter: DatacenterId,
    },
}
