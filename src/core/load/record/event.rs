//! What happened to the load of this node. Stored: variants and fields are only ever appended, at the end.

use serde::{Deserialize, Serialize};

use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;
use crate::load::shed::{self, Class, Load};
use crate::load::stats::{Entry, Level, Sample};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Samples were taken.
    Sampled {
        /// They, in order.
        samples: Vec<Taken>,
        /// When they were taken; each has its own time too.
        at: Timestamp,
    },
    /// The level of the statistics changed.
    LevelChanged {
        /// The level before.
        from: Level,
        /// The level after.
        to: Level,
        /// Single entries held after.
        hot: u64,
        /// Most of them.
        hot_max: u64,
        /// When.
        at: Timestamp,
    },
    /// The state changed.
    StateChanged(StateChanged),
    /// Something was shed.
    Shed(Box<Shed>),
    /// A worker dropped reports of progress, since its managers reject.
    UpdatesDropped(Box<UpdatesDropped>),
    /// The store was opened in spite of damage, because somebody accepted that records are lost.
    LossAccepted {
        /// What was wrong and what is gone, as sentences.
        what: Vec<String>,
        /// When.
        at: Timestamp,
    },
}

impl Event {
    /// The name of the variant, as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Sampled { .. } => "sampled",
            Event::LevelChanged { .. } => "level_changed",
            Event::StateChanged(_) => "state_changed",
            Event::Shed(_) => "shed",
            Event::UpdatesDropped(_) => "updates_dropped",
            Event::LossAccepted { .. } => "loss_accepted",
        }
    }
}

/// A sample that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Taken {
    /// One value, a batch in one place, or with a count of 0 the place of a report of progress.
    pub entry: Entry,
    /// It was taken whatever the level.
    pub critical: bool,
    /// Who sent it, by a number.
    pub producer: Option<u64>,
}

impl Taken {
    /// The place of a report of progress.
    pub(super) fn place(at: Timestamp, critical: bool) -> Self {
        let entry = Entry { at, count: 0, min: 0.0, max: 0.0, sum: 0.0 };
        Taken { entry, critical, producer: None }
    }
}

impl From<Sample> for Taken {
    fn from(sample: Sample) -> Self {
        Taken { entry: sample.entry, critical: sample.critical, producer: sample.producer }
    }
}

impl From<Taken> for Sample {
    fn from(taken: Taken) -> Self {
        Sample { entry: taken.entry, critical: taken.critical, producer: taken.producer }
    }
}

/// What led to a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Nothing does any longer.
    None,
    /// Requests taken and not finished.
    Pending,
    /// Latency against its own past.
    Delta,
    /// Latency creeps up slowly.
    Drift,
    /// Latency in milliseconds.
    Absolute,
    /// Processor, in percent.
    Cpu,
    /// Memory, in percent.
    Memory,
    /// Milliseconds that messages wait before work on them begins.
    QueueDelay,
    /// A new process has measured nothing yet.
    Restarted,
}

impl From<shed::Cause> for Cause {
    fn from(cause: shed::Cause) -> Self {
        match cause {
            shed::Cause::None => Cause::None,
            shed::Cause::Pending => Cause::Pending,
            shed::Cause::Delta => Cause::Delta,
            shed::Cause::Drift => Cause::Drift,
            shed::Cause::Absolute => Cause::Absolute,
            shed::Cause::Cpu => Cause::Cpu,
            shed::Cause::Memory => Cause::Memory,
            shed::Cause::QueueDelay => Cause::QueueDelay,
        }
    }
}

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateChanged {
    /// The state before.
    pub from: Load,
    /// The state after.
    pub to: Load,
    /// What led to it.
    pub cause: Cause,
    /// What was measured, in millionths of the unit of the cause.
    pub measured_millionths: i64,
    /// What it was compared with, in the same unit.
    pub threshold_millionths: i64,
    /// When.
    pub at: Timestamp,
}

/// A count for each class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCounts {
    /// Liveness, votes, cancellation, leadership.
    pub control: u64,
    /// Work that is handed out.
    pub dispatch: u64,
    /// Progress and reports.
    pub data: u64,
    /// What nobody misses for a while.
    pub telemetry: u64,
}

impl ClassCounts {
    /// Adds so many to a class.
    pub fn add(&mut self, class: Class, n: u64) {
        let count = match class {
            Class::Control => &mut self.control,
            Class::Dispatch => &mut self.dispatch,
            Class::Data => &mut self.data,
            Class::Telemetry => &mut self.telemetry,
        };
        *count = count.saturating_add(n);
    }

    /// The count of a class.
    pub fn of(&self, class: Class) -> u64 {
        match class {
            Class::Control => self.control,
            Class::Dispatch => self.dispatch,
            Class::Data => self.data,
            Class::Telemetry => self.telemetry,
        }
    }

    /// Adds another to this one, class by class.
    pub fn add_all(&mut self, other: &ClassCounts) {
        Class::ALL.into_iter().for_each(|class| self.add(class, other.of(class)));
    }

    /// All classes together.
    pub fn total(&self) -> u64 {
        Class::ALL.into_iter().fold(0, |sum, class| sum.saturating_add(self.of(class)))
    }
}

/// A run of reports that a worker dropped. Counts of progress are cumulative: the next report makes the picture whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdatesDropped {
    /// Whose.
    pub worker_id: EntityId,
    /// Of which job.
    pub job_id: EntityId,
    /// How many.
    pub count: u64,
    /// When.
    pub at: Timestamp,
}

/// What was shed within a minute: one record however much it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shed {
    /// The minute it falls into.
    pub minute: Timestamp,
    /// Requests refused for the state or an adaptive limit.
    pub shed: ClassCounts,
    /// Requests refused since a cap was met.
    pub full: ClassCounts,
    /// Requests whose deadline had passed.
    pub expired: ClassCounts,
    /// Requests let in, in the same time.
    pub admitted: ClassCounts,
    /// Samples of statistics refused at reject.
    pub samples_refused: u64,
    /// When it was recorded.
    pub at: Timestamp,
}

impl Shed {
    /// Was anything refused?
    pub fn is_empty(&self) -> bool {
        let refused = [self.shed, self.full, self.expired].iter().any(|counts| counts.total() > 0);
        !refused && self.samples_refused == 0
    }
}
