//! What the datacenters say of themselves: health, load, managers, and where their leader stands.
//!
//! ```text
//!  heartbeat of a datacenter ─► Update ─► Updated ─┐
//!                                                  ├─► candidates(from a gate, now) ─► route
//!  it is given up ───────────► Remove ─► Removed ──┘
//! ```
//!
//! | state | command | condition | events | answer |
//! |---|---|---|---|---|
//! | any | Update | a number is out of range | – | `OutOfRange` |
//! | not known | Update | there are [`MAX_DATACENTERS`] | – | `Full` |
//! | any | Update | | Updated | report |
//! | known | Remove | | Removed | |
//! | not known | Remove | | – | `Unknown` |
//!
//! An update says what changed; everything it leaves out stays as it was. Each one counts as a sign of life, so the
//! health it repeats is fresh.
//!
//! Numbers are kept as integers: thousandths, millionths, microseconds.

pub mod command;
mod decide;
pub mod event;
pub mod state;

pub use command::{Change, Command, Rejection, Reply};
pub use event::{Event, Report, Stated};
pub use state::{Datacenters, Latest};

use crate::kernel::ids::StreamKind;
use crate::kernel::time::Timestamp;
use crate::kernel::{Decision, Machine};

/// Id of the one stream that holds all datacenters.
pub const STREAM: &str = "datacenters";

/// Most datacenters.
pub const MAX_DATACENTERS: usize = 1_024;

/// The machine of all datacenters.
#[derive(Debug)]
pub struct DatacentersMachine;

impl Machine for DatacentersMachine {
    const KIND: StreamKind = StreamKind::Datacenter;
    const STATE_VERSION: u16 = 1;
    type State = Datacenters;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Rejection = Rejection;
    type Effect = ();
    type Context = ();

    fn decide(
        state: &Datacenters,
        command: Command,
        now: Timestamp,
        (): &(),
    ) -> Result<Decision<Self>, Rejection> {
        decide::decide(state, command, now)
    }

    fn evolve(state: &mut Datacenters, event: &Event) {
        state.apply(event);
    }

    fn due(_state: &Datacenters) -> Option<Timestamp> {
        None
    }

    fn owed(_state: &Datacenters) -> Vec<()> {
        Vec::new()
    }

    fn tick() -> Command {
        Command::Tick
    }
}

#[cfg(test)]
#[path = "datacenter_test.rs"]
mod tests;
