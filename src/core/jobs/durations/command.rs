//! What may be asked of a class of jobs, and how it answers.

use serde::{Deserialize, Serialize};

use super::MAX_DURATION_US;
use super::rejection::Rejection;

/// A request about one class of jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A job of the class ended. Asked twice, it counts twice: whoever asks does so once per job.
    Record(Record),
    /// Time has passed; nothing changes by that.
    Tick,
}

/// How one job went. The start of a job and its finish are signs of life too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Microseconds from its start to its end, whatever the ending.
    pub duration_us: u64,
    /// The longest time between two signs of life, in microseconds; not the silence it ended in. Of a job that finished
    /// without ever beating it is the whole duration.
    pub longest_gap_us: u64,
    /// How it ended.
    pub ended: Ended,
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// By itself, successfully or not.
    Finished,
    /// It was stopped at a limit.
    TimedOut {
        /// At which.
        after: Limit,
        /// Microseconds since its last sign of life.
        silent_us: u64,
    },
    /// Somebody stopped it for reasons of his own.
    Cancelled {
        /// Microseconds since its last sign of life.
        silent_us: u64,
    },
}

impl Ended {
    /// How long the job had been silent when it was stopped; zero when it finished.
    pub fn silent_us(self) -> u64 {
        match self {
            Ended::Finished => 0,
            Ended::TimedOut { silent_us, .. } | Ended::Cancelled { silent_us } => silent_us,
        }
    }
}

/// A limit a job may run into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// On the whole duration.
    Overall,
    /// On silence.
    Stuck,
}

impl Record {
    /// How long the job is known to have lived, in microseconds: its duration without the silence it ended in.
    pub fn alive_us(&self) -> u64 {
        self.duration_us.saturating_sub(self.ended.silent_us())
    }

    /// Was the job stopped in a silence longer than any it had come out of? Then it is not known whether it lived.
    pub fn is_doubtful(&self) -> bool {
        self.ended.silent_us() > self.longest_gap_us
    }

    /// Checks that the numbers fit together.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] for the first one out of bounds.
    pub fn check(&self) -> Result<(), Rejection> {
        let silent_us = self.ended.silent_us();
        let bounds = [
            ("duration_us", self.duration_us, MAX_DURATION_US),
            ("silent_us", silent_us, self.duration_us),
            ("longest_gap_us", self.longest_gap_us, self.alive_us()),
        ];
        bounds
            .into_iter()
            .try_for_each(|(field, given, high)| Rejection::unless_within(field, given, 0, high))
    }
}

/// The answer to an accepted command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Jobs ever recorded of this class, this one included.
    pub records: u64,
}
