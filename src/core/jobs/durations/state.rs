//! What is known of a class of jobs: the fold of its events.

use serde::{Deserialize, Serialize};

use super::command::{Ended, Record};
use super::event::Event;
use super::sketch::{Buckets, Sketch};
use crate::kernel::time::Timestamp;

/// State of one class of jobs. Of bounded size, whatever is recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Durations {
    /// How long jobs took; one that did not finish took at least as long as it is known to have lived.
    pub durations: Sketch,
    /// The longest silence that each job came out of; of one that did not finish, at least that.
    pub gaps: Sketch,
    /// Whole durations of jobs that were stopped in a silence longer than any they came out of.
    pub doubtful_durations: Buckets,
    /// The silences those ended in.
    pub doubtful_gaps: Buckets,
    /// Timeouts in doubt, less jobs that finished; never below zero.
    pub doubt: u32,
    /// Jobs ever recorded.
    pub records: u64,
    /// How often all weights were halved.
    pub halvings: u64,
    /// When the last job was recorded.
    pub last_at: Option<Timestamp>,
}

impl Durations {
    /// The same as if the other's jobs had been recorded here as well, such as those of another datacenter. The order
    /// of merging does not matter.
    pub fn merge(&mut self, other: &Durations) {
        self.durations.merge(&other.durations);
        self.gaps.merge(&other.gaps);
        self.doubtful_durations.merge(&other.doubtful_durations);
        self.doubtful_gaps.merge(&other.doubtful_gaps);
        self.doubt = self.doubt.saturating_add(other.doubt);
        self.records = self.records.saturating_add(other.records);
        self.halvings = self.halvings.saturating_add(other.halvings);
        self.last_at = self.last_at.max(other.last_at);
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Recorded { record, at } => {
                self.record(record);
                self.records = self.records.saturating_add(1);
                self.last_at = Some(*at);
            }
            Event::Aged { .. } => {
                self.durations.halve();
                self.gaps.halve();
                self.doubtful_durations.halve();
                self.doubtful_gaps.halve();
                self.halvings = self.halvings.saturating_add(1);
            }
        }
    }

    fn record(&mut self, record: &Record) {
        let (durations, gaps) = match record.ended {
            Ended::Finished => {
                self.doubt = self.doubt.saturating_sub(1);
                (&mut self.durations.finished, &mut self.gaps.finished)
            }
            Ended::TimedOut { .. } => {
                self.doubt = self.doubt.saturating_add(record.is_doubtful().into());
                (&mut self.durations.censored, &mut self.gaps.censored)
            }
            Ended::Cancelled { .. } => (&mut self.durations.censored, &mut self.gaps.censored),
        };
        durations.add(record.alive_us());
        gaps.add(record.longest_gap_us);
        if record.is_doubtful() {
            self.doubtful_durations.add(record.duration_us);
            self.doubtful_gaps.add(record.ended.silent_us());
        }
    }
}
