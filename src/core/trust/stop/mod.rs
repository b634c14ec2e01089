//! Stops: what may not be done from a position of the journal on, until the quorum that was named lets it go on.
//!
//! ```text
//!  (nothing) ── Engage(scope, release) ──► in force ── Release(a decision of those who were named) ──► released
//! ```
//!
//! | stop | command | condition | events | reply or rejection |
//! |---|---|---|---|---|
//! | none | Engage | valid | Engaged | engaged |
//! | in force | Engage | the same scope and release under its id | – | engaged, duplicate |
//! | any | Engage | another scope or release, or released | – | `AlreadyExists` |
//! | none | Release | | – | `NotFound` |
//! | in force | Release | shown by others, too few, or for something else | – | `NotReleasing` |
//! | in force | Release | approved by as many of those who were named as were asked for | Released | released |
//! | released | Release | | – | released, duplicate |
//!
//! All stops have one log, so that each has a number among all and the set that is in force is one state. A command that
//! acts in a scope that is stopped is refused where it is queued for the writer, in one order with the record of the stop:
//! what comes behind that record in the journal does not act in its scope.
//!
//! # Source
//! IEC 60204-1, 9.2.3.4.2 (emergency stop: it overrides every other function, and its release starts nothing). D. F.
//! Ferraiolo et al., on separation of duty.

pub mod command;
mod decide;
pub mod event;
pub mod state;

pub use command::{Command, Decided, Engage, Hash, Rejection, Reply, Shown};
pub use event::{Engaged, Event, Release, Released, Scope};
pub use state::{Acting, Stop, Stops};

use crate::kernel::ids::StreamKind;
use crate::kernel::time::Timestamp;
use crate::kernel::{Decision, Machine};

/// The name of the one stream of stops.
pub const STREAM: &str = "stops";
/// The operation that a decision must allow to release a stop.
pub const RELEASE: &str = "stop.release";
/// Most stops that are in force at the same time.
pub const MAX_IN_FORCE: usize = 1_000;
/// Most voters that are named to release one.
pub const MAX_VOTERS: usize = 1_000;

/// The machine of all stops.
#[derive(Debug)]
pub struct StopsMachine;

impl Machine for StopsMachine {
    const KIND: StreamKind = StreamKind::Stops;
    const STATE_VERSION: u16 = 1;
    type State = Stops;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Rejection = Rejection;
    type Effect = ();
    type Context = ();

    fn decide(state: &Stops, command: Command, now: Timestamp, (): &()) -> Result<Decision<Self>, Rejection> {
        decide::decide(state, command, now)
    }

    fn evolve(state: &mut Stops, event: &Event) {
        state.evolve(event);
    }

    fn due(_state: &Stops) -> Option<Timestamp> {
        None
    }

    fn owed(_state: &Stops) -> Vec<()> {
        Vec::new()
    }

    fn tick() -> Command {
        Command::Tick
    }
}

#[cfg(test)]
#[path = "stop_test.rs"]
mod tests;
