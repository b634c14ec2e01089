//! What happened to an agent. Stored: variants and fields are only ever appended, at the end.

use serde::{Deserialize, Serialize};

use super::grade::{Grade, Settings};
use crate::kernel::ids::VoterId;
use crate::kernel::time::Timestamp;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The agent was registered.
    Registered {
        /// Who it is, the id under which it votes.
        agent_id: VoterId,
        /// When.
        at: Timestamp,
    },
    /// The agent was struck off, and is no longer watched.
    Left {
        /// When.
        at: Timestamp,
    },
    /// The agent is watched from now on.
    MonitoringStarted {
        /// How.
        settings: Settings,
        /// Its silence is judged from here on; else from its first beat on.
        explicit: bool,
        /// When.
        at: Timestamp,
    },
    /// The agent is no longer watched.
    MonitoringStopped {
        /// When.
        at: Timestamp,
    },
    /// The agent said that it is alive.
    Beat {
        /// When.
        at: Timestamp,
        /// What it said about itself, as the text of a JSON object.
        metadata: Option<String>,
    },
    /// A check found a vote that is later than all that was heard of the agent.
    Heard {
        /// When the agent voted.
        at: Timestamp,
    },
    /// The recorded grade changed.
    GradeChanged(GradeChanged),
    /// A new process serves since this instant; silence counts from there.
    Resumed {
        /// When the process began to serve.
        at: Timestamp,
    },
}

impl Event {
    /// The name of the variant, as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Registered { .. } => "registered",
            Event::Left { .. } => "left",
            Event::MonitoringStarted { .. } => "monitoring_started",
            Event::MonitoringStopped { .. } => "monitoring_stopped",
            Event::Beat { .. } => "beat",
            Event::Heard { .. } => "heard",
            Event::GradeChanged(_) => "grade_changed",
            Event::Resumed { .. } => "resumed",
        }
    }
}

/// A change of the recorded grade; one alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GradeChanged {
    /// The recorded grade before.
    pub from: Grade,
    /// The grade now.
    pub to: Grade,
    /// The last beat or vote before this change, if there ever was one.
    pub last_beat: Option<Timestamp>,
    /// Microseconds of silence that were graded, or that a beat ended.
    pub elapsed_us: u64,
    /// When.
    pub at: Timestamp,
}
