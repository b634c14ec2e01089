//! Notices: what subscribers hear about quorums, proposals and agents, after it is durable.
//!
//! Topics of quorums are those of the mesh: `cell/{department}/{cell}`, `ring/{k}`, `radial/{arm}`, `global/cmp`; a
//! proposal's is `consensus/{id}`, an agent's `agent/{id}`, and what a cell is granted is told under `cell/{id}`. A notice of a close is sent once per process lifetime; the history is the record, the bus
//! only the bell.

use std::time::Duration;

use tokio::sync::broadcast;

use crate::core::jobs::manager::WorkflowStatus;
use crate::core::jobs::protocol::message::FinalStatus;
use crate::core::jobs::worker::Attempt;
use crate::core::kernel::ids::{EntityId, NeedId, StreamId, TokenId, VoterId};
use crate::core::kernel::time::Timestamp;
use crate::core::voting::agent::Grade;
use crate::core::voting::proposal::Verdict;
use crate::core::voting::quorum::QuorumState;
use crate::core::voting::rules::Choice;
use crate::core::voting::session::Outcome as SessionOutcome;

/// Notices kept for a slow subscriber before it is told that it missed some.
const BACKLOG: usize = 16_384;

/// Something that happened to a quorum, a proposal, an agent or a cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// What it is about: a place on the mesh, a proposal, an agent or a cell.
    pub topic: String,
    /// Which quorum, proposal, agent or cell.
    pub entity: StreamId,
    /// When it happened.
    pub at: Timestamp,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// The quorum or proposal opened.
    Opened,
    /// A vote was counted.
    Voted {
        /// Who voted.
        voter_id: VoterId,
        /// True approves.
        vote: bool,
    },
    /// The quorum closed.
    Closed {
        /// How.
        state: QuorumState,
    },
    /// An agent voted on a proposal.
    Cast {
        /// Who voted.
        voter_id: VoterId,
        /// How.
        vote: Choice,
    },
    /// A place in a proposal went to somebody else, who is asked now.
    Delegated {
        /// Who has it now.
        to: VoterId,
    },
    /// Voters of a proposal whose votes are outstanding were told again.
    Reminded {
        /// Who.
        voter_ids: Vec<VoterId>,
    },
    /// A proposal ended.
    Decided {
        /// How.
        decision: Verdict,
    },
    /// A session ended.
    SessionEnded {
        /// How.
        outcome: SessionOutcome,
    },
    /// A workflow of a job went one step.
    WorkflowMoved {
        /// Which.
        workflow_id: EntityId,
        /// From where.
        from: WorkflowStatus,
        /// To where.
        to: WorkflowStatus,
    },
    /// A job ended, in one datacenter or everywhere.
    JobEnded {
        /// How.
        status: FinalStatus,
    },
    /// A worker of this process is to carry out an attempt; it may be told more than once.
    WorkflowStart(Attempt),
    /// It is to stop.
    WorkflowStop(Attempt),
    /// It is to be stopped by force.
    WorkflowAbort(Attempt),
    /// A need for capacity was granted.
    Granted {
        /// Which need.
        need_id: NeedId,
        /// Its tokens.
        token_ids: Vec<TokenId>,
    },
    /// The recorded grade of an agent changed: an alert. The configuration says which grades are told.
    GradeChanged {
        /// The grade before.
        from: Grade,
        /// The grade now.
        to: Grade,
        /// The last beat or vote before the change, if there ever was one.
        last_beat: Option<Timestamp>,
        /// The silence that was graded, or that a beat ended.
        elapsed: Duration,
    },
}

/// The bus. Publishing never waits.
#[derive(Debug)]
pub(crate) struct Bus(broadcast::Sender<Notice>);

impl Default for Bus {
    fn default() -> Self {
        Bus(broadcast::channel(BACKLOG).0)
    }
}

impl Bus {
    /// Hears every notice from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.0.subscribe()
    }

    /// True when somebody listens; notices need not be made otherwise.
    pub(crate) fn has_listeners(&self) -> bool {
        self.0.receiver_count() > 0
    }

    /// Tells everyone who listens.
    pub(crate) fn publish(&self, notice: Notice) {
        // An error only says that nobody listens any more.
        let _ = self.0.send(notice);
    }
}
