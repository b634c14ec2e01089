//! What happened to a flow. Stored: variants and fields are only ever appended, at the end.

use serde::{Deserialize, Serialize};

use super::totals::FlowTotals;
use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;
use crate::load::flow::{DropPolicy, DropReason, FlowConfig, FlowState};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The stream was opened.
    Opened(Box<Opened>),
    /// It has another configuration.
    Configured {
        /// The configuration in force.
        config: Box<FlowConfig>,
        /// When.
        at: Timestamp,
    },
    /// Its state changed.
    StateChanged(StateChanged),
    /// A run of drops ended, or is told in parts.
    Dropped(Dropped),
    /// The totals moved.
    Counted {
        /// Those of all lives.
        totals: Box<FlowTotals>,
        /// When.
        at: Timestamp,
    },
    /// A process found no buffer of the stream and began an empty one.
    Restarted {
        /// Which life begins; the first is 1.
        life: u64,
        /// Messages that were buffered when the last life ended, by the totals on record.
        lost: u64,
        /// When.
        at: Timestamp,
    },
    /// Nobody sends any more.
    Closed {
        /// When.
        at: Timestamp,
    },
}

impl Event {
    /// The name of the variant, as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Opened(_) => "opened",
            Event::Configured { .. } => "configured",
            Event::StateChanged(_) => "state_changed",
            Event::Dropped(_) => "dropped",
            Event::Counted { .. } => "counted",
            Event::Restarted { .. } => "restarted",
            Event::Closed { .. } => "closed",
        }
    }
}

/// A stream as it was opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    /// The id of its entity.
    pub flow_id: EntityId,
    /// How it is configured.
    pub config: FlowConfig,
    /// When.
    pub at: Timestamp,
}

/// What moved a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Messages came faster than they were read.
    Filled,
    /// A full buffer had to drop.
    Overflowed,
    /// Messages were read, gave way all at once, or grew too old.
    Drained,
}

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateChanged {
    /// The state before.
    pub from: FlowState,
    /// The state after.
    pub to: FlowState,
    /// What moved it.
    pub cause: Cause,
    /// Messages buffered after.
    pub buffer_size: u64,
    /// Messages that fit.
    pub max_buffer_size: u64,
    /// Bytes buffered after; 0 where they are not counted.
    pub buffer_bytes: u64,
    /// The fill after, by messages or bytes, whichever is more, in millionths; may exceed a million.
    pub fill_millionths: u64,
    /// Changes in between that are not recorded one by one, since there were too many within a second.
    pub skipped: u64,
    /// When.
    pub at: Timestamp,
}

/// A run of drops for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// The policy in force.
    pub policy: DropPolicy,
    /// Why they were dropped.
    pub reason: DropReason,
    /// How many.
    pub count: u64,
    /// The first number among them; messages that were refused have none.
    pub first_seq: Option<u64>,
    /// The last number among them.
    pub last_seq: Option<u64>,
    /// When the run began.
    pub since: Timestamp,
    /// When it ended, or was told.
    pub at: Timestamp,
}
