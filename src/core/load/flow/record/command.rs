//! What may be asked of a flow's record, how it answers, and how it says no.

use super::totals::FlowTotals;
use crate::kernel::ids::EntityId;
use crate::load::flow::{FlowConfig, FlowConfigError, Notice};

/// A request about one stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Open it.
    Open {
        /// The id of its entity.
        flow_id: EntityId,
        /// How.
        config: Box<FlowConfig>,
    },
    /// Another configuration from now on.
    Configure(Box<FlowConfig>),
    /// Put on record what happened in the live buffer.
    Note {
        /// Changes of state and runs of drops, in order.
        notices: Vec<Notice>,
        /// The totals of all lives.
        totals: Box<FlowTotals>,
        /// Messages that fit, for the fill.
        max_buffer_size: u64,
        /// Bytes that fit, where they are limited.
        max_buffer_bytes: Option<u64>,
    },
    /// This process has no buffer of the stream: begin an empty one.
    Revive,
    /// Nobody sends any more.
    Close,
    /// Time has passed.
    Tick,
}

/// The answer to an accepted command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Something was recorded.
    pub changed: bool,
}

/// The domain says no; nothing is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// A knob does not fit.
    Invalid(FlowConfigError),
    /// No stream of this id was ever opened.
    NotFound,
    /// The id was used before, for a stream of another configuration or one that is closed.
    AlreadyExists {
        /// It is closed.
        closed: bool,
    },
    /// The stream is closed.
    Closed,
}
