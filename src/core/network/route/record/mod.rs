//! Where one job goes, on record: [`decide`](super::decide()) with its memory in a stream of the job's own.
//!
//! ```text
//!  Decide ─► Decided (+ Switched, BootstrapEntered, BootstrapLeft) ─► primaries, fallback, reason
//!  Fail ───► CooldownStarted          the datacenter counts twice as far for a while
//!  Accept ─► Accepted                 a datacenter of the fallback took the job
//!  Forget, or nobody asks for long ─► Forgotten
//! ```
//!
//! | state | command | condition | events | answer |
//! |---|---|---|---|---|
//! | any | Decide | a lower fencing token | – | `StaleFence` |
//! | any | Decide | | Decided; Switched, BootstrapEntered, BootstrapLeft if so | the decision |
//! | kept | Fail | a lower fencing token | – | `StaleFence` |
//! | kept | Fail, Accept | the datacenter was in no list of the last decision | – | `NeverTried` |
//! | kept | Fail | | CooldownStarted | until when |
//! | kept | Accept | another datacenter than the primary | Accepted | |
//! | kept | Accept | the primary | – | |
//! | nothing kept | Fail, Accept | | – | `Unknown` |
//! | kept | Forget | | Forgotten, completed | was kept |
//! | nothing kept | Forget | | – | was not |
//! | kept | Tick | idle for longer than the configured time since it was last asked | Forgotten, idle | |
//!
//! Instants are those of the journal, so hold-down, cooldown and a bad spell go on through a restart. The last decision in
//! short stays readable after the job ended; its token too, so that what a replaced leader says late is still refused.

pub mod command;
mod decide;
pub mod event;
pub mod state;

pub use command::{Ask, Command, Rejection, Reply};
pub use event::{Event, FailureReason, Forgetting};
pub use state::{Chosen, Failure, Route};

use super::config::RoutingConfig;
use crate::kernel::ids::StreamKind;
use crate::kernel::time::Timestamp;
use crate::kernel::{Decision, Machine};

/// Failures of a job that are shown, the newest.
pub const MAX_FAILURES: usize = 16;

/// The machine of one job's route.
#[derive(Debug)]
pub struct RouteMachine;

impl Machine for RouteMachine {
    const KIND: StreamKind = StreamKind::Route;
    const STATE_VERSION: u16 = 1;
    type State = Route;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Rejection = Rejection;
    type Effect = ();
    type Context = RoutingConfig;

    fn decide(
        state: &Route,
        command: Command,
        now: Timestamp,
        config: &RoutingConfig,
    ) -> Result<Decision<Self>, Rejection> {
        decide::decide(state, command, now, config)
    }

    fn evolve(state: &mut Route, event: &Event) {
        state.evolve(event);
    }

    fn due(state: &Route) -> Option<Timestamp> {
        state.forget_at
    }

    fn owed(_state: &Route) -> Vec<()> {
        Vec::new()
    }

    fn tick() -> Command {
        Command::Tick
    }
}

#[cfg(test)]
#[path = "record_test.rs"]
mod tests;
