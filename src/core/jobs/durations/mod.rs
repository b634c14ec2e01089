//! How long jobs of one class take, and the deadlines learned from it.
//!
//! A fixed deadline has to suit the slowest class of work, so dead work of a fast class is noticed hours late. Here
//! every class has a stream of its own, into which each job that ended is recorded. From it two deadlines are
//! [estimated](estimate()): how long a job may take at all, and how long it may be silent.
//!
//! | state | command | condition | events | answer |
//! |---|---|---|---|---|
//! | any | Record | a number is out of bounds | – | `Invalid` |
//! | any | Record | fewer than [`MEMORY`] records weigh in it | Recorded | records |
//! | any | Record | this one is the last that fits | Recorded, Aged | records |
//! | any | Tick | | – | records |
//!
//! Nothing is ever due and nothing is owed: an estimate is a question to the state.
//!
//! # Traps, and what is done about them
//!
//! *Learned deadlines shrink.* A job that was stopped says only that it would have taken *at least* so long. Whoever
//! leaves it out, or takes it for a job that ended there, cuts off the tail of what he learns from; the next deadline
//! is shorter, cuts off more, and so on. So a job that did not finish is *censored*: it counts as at risk up to its
//! last sign of life and for nothing beyond, which is the estimator of Kaplan and Meier.
//!
//! *Learned deadlines explode.* A job that died and was stopped when it had been silent for the allowed time was silent
//! at least so long, but that says nothing of jobs that live. Counting it would move the threshold up with every death.
//! So the silence a job ended in is *doubtful*: it is kept apart and does not count, as long as doubtful endings are no
//! more than a believable share of all ([`Settings::believed_dead_ppm`]); what is above that share counts as alive.
//!
//! *A workload that became slower is all stopped.* Then nothing finishes, and what does not finish says nothing. So
//! doubt is counted: one up for each timeout in silence, one down for each job that finishes. From [`MAX_DOUBT`] on nothing
//! is estimated, and jobs run under whatever the caller uses where nothing is learned, until some have finished.
//!
//! *Old work outweighs new.* When [`MEMORY`] records weigh in, all weights halve. A record weighs 65,536 at first, so it
//! loses influence in sixteen steps and not at once; the rare slow jobs, which make the tail, stay as long as the others.
//!
//! What cannot be told apart: a slow kind of job that is rarer than the believed share, slower than the others by more
//! than the factor, and never seen to finish. Its late result, if it has one, may be recorded like any other job that
//! finished, and is then learned from.
//!
//! # Choices
//!
//! - *The longest silence of each job, not every silence.* The promise is per job (one in a thousand may be stopped
//!   wrongly), and a job of a thousand beats has a thousand chances to break a threshold made for single ones.
//! - *A factor that follows the tail.* A fixed one is too small where tails are heavy and wasteful where they are light; see
//!   [`LimitSettings::follow_tail`].
//! - *Integers.* Buckets are found with shifts, shares are compared by products: every machine finds the same.
//! - *Upper edges.* A quantile is the upper edge of its bucket: at most 1/32 too long, never too short.
//!
//! # Source
//! C. Masson, J. Rim, H. Lee, *DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees*,
//! VLDB 2019; G. Tene, HdrHistogram (buckets of equal width within each power of two). E. L. Kaplan, P. Meier,
//! *Nonparametric estimation from incomplete observations*, J. American Statistical Association 53, 1958. J. W. Boag,
//! *Maximum likelihood estimates of the proportion of patients cured by cancer therapy*, J. Royal Statistical Society B
//! 11, 1949: a share to which the event never happens.

pub mod command;
mod decide;
pub mod estimate;
pub mod event;
pub mod rejection;
pub mod settings;
pub mod sketch;
pub mod state;

pub use command::{Command, Ended, Limit, Record, Reply};
pub use estimate::{Estimate, Evidence, Learned, estimate};
pub use event::Event;
pub use rejection::Rejection;
pub use settings::{LimitSettings, Settings};
pub use state::Durations;

use crate::kernel::ids::StreamKind;
use crate::kernel::time::Timestamp;
use crate::kernel::{Decision, Machine};

/// Records that weigh in before all weights halve.
pub const MEMORY: u64 = 4_096;

/// Doubt from which nothing is estimated.
pub const MAX_DOUBT: u32 = 8;

/// The longest duration taken: ten years, in microseconds.
pub const MAX_DURATION_US: u64 = 3_650 * 86_400 * 1_000_000;

/// The machine of one class of jobs.
#[derive(Debug)]
pub struct DurationsMachine;

impl Machine for DurationsMachine {
    const KIND: StreamKind = StreamKind::Durations;
    const STATE_VERSION: u16 = 1;
    type State = Durations;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Rejection = Rejection;
    type Effect = ();
    type Context = ();

    fn decide(
        state: &Durations,
        command: Command,
        now: Timestamp,
        _context: &(),
    ) -> Result<Decision<Self>, Rejection> {
        decide::decide(state, command, now)
    }

    fn evolve(state: &mut Durations, event: &Event) {
        state.evolve(event);
    }

    fn due(_state: &Durations) -> Option<Timestamp> {
        None
    }

    fn owed(_state: &Durations) -> Vec<()> {
        Vec::new()
    }

    fn tick() -> Command {
        Command::Tick
    }
}

#[cfg(test)]
#[path = "durations_test.rs"]
mod tests;
