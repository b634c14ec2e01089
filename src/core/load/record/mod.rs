//! The load of this node on record: how its state and level moved, what was shed, and the statistics of running work.
//!
//! ```text
//!  stats.record ──► Record ──► Sampled, LevelChanged      the buffer of statistics is this machine's state
//!  progress     ──► Report ──► Sampled, LevelChanged      places without a value; told while the level asks for less
//!  time         ──► Tick   ──► LevelChanged               enough samples have aged for the level to fall
//!  a worker     ──► Dropped ─► UpdatesDropped             reports of progress dropped at reject, as they are
//!  the detector ──► Note   ──► StateChanged · Shed        at each change; once a minute in which anything was shed
//!  opening      ──► NoteLoss ──► LossAccepted             the store was damaged and opened all the same
//! ```
//!
//! The tiers of statistics are the fold of the samples that were taken, so a restart keeps them, and the level after it
//! is that of what is still young. What is in flight and what the detector measured is not kept: after a restart nothing
//! runs and nothing has been measured.
//!
//! Taking samples is bounded by what they are for: at reject only critical ones are taken, so no more than about as many
//! as fit are recorded within the age of the first tier. What is refused is counted, and recorded once a minute.
//!
//! | command | condition | events | answer |
//! |---|---|---|---|
//! | Record | a value is not one | – | `Invalid` |
//! | Record | | Sampled if any was taken; LevelChanged if it changed | how many were taken and refused, and the level |
//! | Report | | Sampled if any found a place; LevelChanged if it changed | how many did and did not, and the level |
//! | Note | | StateChanged per change; Shed if anything was | the level |
//! | Dropped | | UpdatesDropped per job | the level |
//! | NoteLoss | | LossAccepted | the level |
//! | Tick | the level has fallen | LevelChanged | – |
//!
//! # Source
//! B. Beyer et al., *Site Reliability Engineering*, O'Reilly 2016, chapters 6 and 21; J. Turnbull, *The Art of
//! Monitoring*, 2016 (aggregating before storing).

mod command;
mod decide;
mod event;
mod state;

pub use command::{Arrived, Change, Command, Rejection, Reply};
pub use event::{Cause, ClassCounts, Event, Shed, StateChanged, Taken, UpdatesDropped};
pub use state::NodeLoad;

use crate::kernel::ids::StreamKind;
use crate::kernel::time::{Downtime, Gap, Timestamp};
use crate::kernel::{Decision, Machine};
use crate::load::shed::Load;

/// Id of the one stream of this kind.
pub const STREAM: &str = "load";

/// Most samples of one request.
pub const MOST_SAMPLES: usize = 1_000;

/// The machine of the node's load.
#[derive(Debug)]
pub struct LoadMachine;

impl Machine for LoadMachine {
    const KIND: StreamKind = StreamKind::Load;
    const STATE_VERSION: u16 = 2;
    type State = NodeLoad;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Rejection = Rejection;
    type Effect = ();
    type Context = ();

    fn decide(
        state: &NodeLoad,
        command: Command,
        now: Timestamp,
        (): &(),
    ) -> Result<Decision<Self>, Rejection> {
        decide::decide(state, command, now)
    }

    fn evolve(state: &mut NodeLoad, event: &Event) {
        state.evolve(event);
    }

    fn due(state: &NodeLoad) -> Option<Timestamp> {
        state.stats.falls_at()
    }

    fn owed(_: &NodeLoad) -> Vec<()> {
        Vec::new()
    }

    fn tick() -> Command {
        Command::Tick
    }

    /// A new process has measured nothing: whatever the load was, it is healthy until something is measured.
    fn resume(state: &NodeLoad, Downtime { began, gap, .. }: Downtime, (): &()) -> Vec<Event> {
        let new_process = match gap {
            Gap::Restart | Gap::Command => true,
            Gap::Suspend | Gap::ClockJump | Gap::Pause => false,
        };
        if !new_process || state.state == Load::Healthy || state.since > began {
            return Vec::new();
        }
        let change = StateChanged {
            from: state.state,
            to: Load::Healthy,
            cause: Cause::Restarted,
            measured_millionths: 0,
            threshold_millionths: 0,
            at: began,
        };
        vec![Event::StateChanged(change)]
    }
}

#[cfg(test)]
#[path = "load_test.rs"]
mod tests;
