//! What happened in a class of jobs. Stored: variants and fields are only ever appended, at the end.

use serde::{Deserialize, Serialize};

use super::command::Record;
use crate::kernel::time::Timestamp;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A job ended.
    Recorded {
        /// How it went.
        record: Record,
        /// When that was recorded.
        at: Timestamp,
    },
    /// The memory was full, and all that is in it lost half of its weight.
    Aged {
        /// When.
        at: Timestamp,
    },
}

impl Event {
    /// The name of the variant, as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Recorded { .. } => "recorded",
            Event::Aged { .. } => "aged",
        }
    }
}
