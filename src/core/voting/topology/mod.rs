//! The mesh registry: which cells there are, who their neighbours are, and which authorities sit at the hub.
//!
//! ```text
//!  RegisterCell ─────► CellRegistered         (nothing when the entry is already so)
//!  RegisterAuthority ► AuthorityRegistered    (nothing when it is registered)
//! ```
//!
//! Every change moves the *epoch* by one; a quorum records the epoch its electorate was read at. Cells can be
//! placed by hand or by [`hex`] geometry. Membership is read, never guessed: an unknown ring, arm or cell is
//! *unknown*, not some default ring.

pub mod command;
mod decide;
pub mod event;
pub mod hex;
pub mod membership;
pub mod state;

pub use command::{Command, Rejection, Reply};
pub use event::{Cell, Event};
pub use membership::{Asked, Membership};
pub use state::Topology;

use crate::kernel::ids::StreamKind;
use crate::kernel::time::Timestamp;
use crate::kernel::{Decision, Machine};

/// Most neighbours of one cell: the hexagon has six sides.
pub const MAX_NEIGHBORS: usize = 6;

/// Id of the one stream that holds the registry.
pub const STREAM: &str = "mesh";

/// The machine of the registry.
#[derive(Debug)]
pub struct TopologyMachine;

impl Machine for TopologyMachine {
    const KIND: StreamKind = StreamKind::Topology;
    const STATE_VERSION: u16 = 1;
    type State = Topology;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Rejection = Rejection;
    type Effect = ();
    type Context = ();

    fn decide(
        state: &Topology,
        command: Command,
        _now: Timestamp,
        (): &(),
    ) -> Result<Decision<Self>, Rejection> {
        decide::decide(state, command)
    }

    fn evolve(state: &mut Topology, event: &Event) {
        state.evolve(event);
    }

    fn due(_state: &Topology) -> Option<Timestamp> {
        None
    }

    fn owed(_state: &Topology) -> Vec<()> {
        Vec::new()
    }

    fn tick() -> Command {
        Command::Tick
    }
}

#[cfg(test)]
#[path = "topology_test.rs"]
mod tests;
