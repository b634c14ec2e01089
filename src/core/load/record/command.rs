//! What may be asked of the node's load, how it answers, and how it says no.

use super::event::Shed;
use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;
use crate::load::shed::{Invalid, Load, Verdict};
use crate::load::stats::{Level, Sample};

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Take samples of running work, each in its own place.
    Record(Vec<Sample>),
    /// Reports of progress came: each takes a place in the statistics, and adds no value.
    Report(Vec<Arrived>),
    /// Put on record what the detector and the door saw.
    Note {
        /// Changes of state, in order.
        changes: Vec<Change>,
        /// What was shed in a minute.
        shed: Option<Box<Shed>>,
    },
    /// A worker dropped reports of these jobs, so many of each.
    Dropped {
        /// Which worker.
        worker_id: EntityId,
        /// Of which jobs, and how many.
        jobs: Vec<(EntityId, u64)>,
    },
    /// Put on record that the store was opened in spite of damage.
    NoteLoss(Vec<String>),
    /// Time has passed.
    Tick,
}

/// A report of progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// When it came.
    pub at: Timestamp,
    /// It ends a workflow, or changes a state: it takes its place whatever the level.
    pub critical: bool,
}

/// A change of state, as the detector tells it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// The state before.
    pub from: Load,
    /// The state after, what led to it, and what was compared with what.
    pub to: Verdict,
    /// When.
    pub at: Timestamp,
}

/// The answer to an accepted command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Samples taken.
    pub taken: u64,
    /// Samples refused, since the buffer rejects and they are not critical.
    pub refused: u64,
    /// The level after.
    pub level: Level,
}

/// The domain says no; nothing is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// A number does not fit.
    Invalid(Invalid),
}
