//! What is on record of a flow-controlled stream: how it is configured, how its state moved, what it lost.
//!
//! ```text
//!  open · configure · close ──► decide ──► Opened · Configured · Closed
//!  the live buffer ──► Note { changes, runs of drops, totals } ──► StateChanged · Dropped · Counted
//!  a process that finds no buffer ──► Revive ──► Restarted { lost }
//! ```
//!
//! Messages are never recorded; the buffer lives in memory. What is recorded grows with what happens to the stream and
//! not with its traffic: a change of state, a *run* of drops however many there were, and now and then the totals. So
//! the record does not add to an overload.
//!
//! | state | command | condition | events | answer |
//! |---|---|---|---|---|
//! | new | Open | the configuration fits | Opened | changed |
//! | open | Open | the same configuration | – | not changed |
//! | open, closed | Open | another one, or closed | – | `AlreadyExists` |
//! | open | Configure | another one that fits, which carries the same | Configured | changed |
//! | open | Configure | the same | – | not changed |
//! | open, closed | Note | | StateChanged, Dropped as told; Counted if the totals moved | changed if there are events |
//! | open, closed | Revive | | Restarted | changed |
//! | open | Close | | Closed | changed |
//! | closed | Close | | – | not changed |
//! | closed | Configure | | – | `Closed` |
//! | new | all but Open | | – | `NotFound` |
//!
//! *Totals* are those of all lives of the stream. What was buffered when a process ended is lost with it and counted
//! as lost in the restart, by the totals that were last recorded. Messages are numbered anew in each life, so a number
//! means something together with its life.
//!
//! # Source
//! The classification of what to log under load (transitions and aggregates, never single requests): B. Beyer et al.,
//! *Site Reliability Engineering*, O'Reilly 2016, chapters 6 and 21.

mod command;
mod decide;
mod event;
mod state;
mod totals;

pub use command::{Command, Rejection, Reply};
pub use event::{Cause, Dropped, Event, Opened, StateChanged};
pub use state::Flow;
pub use totals::FlowTotals;

use crate::kernel::Decision;
use crate::kernel::Machine;
use crate::kernel::ids::StreamKind;
use crate::kernel::time::Timestamp;

/// The machine of a flow's record.
#[derive(Debug)]
pub struct FlowMachine;

impl Machine for FlowMachine {
    const KIND: StreamKind = StreamKind::Flow;
    const STATE_VERSION: u16 = 1;
    type State = Flow;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Rejection = Rejection;
    type Effect = ();
    type Context = ();

    fn decide(state: &Flow, command: Command, now: Timestamp, (): &()) -> Result<Decision<Self>, Rejection> {
        decide::decide(state, command, now)
    }

    fn evolve(state: &mut Flow, event: &Event) {
        state.evolve(event);
    }

    /// Nothing about a record is due by itself.
    fn due(_: &Flow) -> Option<Timestamp> {
        None
    }

    fn owed(_: &Flow) -> Vec<()> {
        Vec::new()
    }

    fn tick() -> Command {
        Command::Tick
    }
}

#[cfg(test)]
#[path = "record_test.rs"]
mod tests;
