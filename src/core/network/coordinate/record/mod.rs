//! Where one node stands, on record: the same rule as the [tracker](super::CoordinateTracker)'s, one stream per node.
//!
//! ```text
//!  round trip to a peer ─► Measure ─► Moved ────┐
//!  it says where it is ──► Place ───► Placed ───┼─► estimates between any two nodes
//!  a new process ────────────────────► Resumed ─┘   place kept, trust earned anew
//! ```
//!
//! | state | command | condition | events | answer |
//! |---|---|---|---|---|
//! | any | Measure | the round trip is out of range | – | `RoundTrip` |
//! | any | Measure | coordinates of different dimensions | – | `Dimensions` |
//! | any | Measure | | Moved | the coordinate |
//! | any | Place | | Placed | the coordinate |
//! | placed | a new process | | Resumed | |
//!
//! Only the node that measured moves. An event carries the coordinate that was computed, so a replay computes nothing.
//! Randomness, which only points at the same place need, follows from both names and the number of samples.

pub mod command;
mod decide;
pub mod event;
pub mod state;

pub use command::{Command, Measure, Reply};
pub use event::Event;
pub use state::{LinkRecord, Node, Place};

use super::config::VivaldiConfig;
use super::rule::Refused;
use super::saved::SavedCoordinate;
use crate::kernel::ids::StreamKind;
use crate::kernel::time::{Downtime, Gap, Timestamp};
use crate::kernel::{Decision, Machine};

/// Most peers whose links a node remembers. The one measured longest ago gives way.
pub const MAX_LINKS: usize = 1_000;

/// The machine of one node's coordinate.
#[derive(Debug)]
pub struct CoordinateMachine;

impl Machine for CoordinateMachine {
    const KIND: StreamKind = StreamKind::Coordinate;
    const STATE_VERSION: u16 = 1;
    type State = Node;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Rejection = Refused;
    type Effect = ();
    type Context = VivaldiConfig;

    fn decide(
        state: &Node,
        command: Command,
        now: Timestamp,
        config: &VivaldiConfig,
    ) -> Result<Decision<Self>, Refused> {
        decide::decide(state, command, now, config)
    }

    fn evolve(state: &mut Node, event: &Event) {
        state.evolve(event);
    }

    fn due(_state: &Node) -> Option<Timestamp> {
        None
    }

    fn owed(_state: &Node) -> Vec<()> {
        Vec::new()
    }

    fn tick() -> Command {
        Command::Tick
    }

    /// Whoever was away does not know what moved meanwhile.
    fn resume(state: &Node, away: Downtime, _: &VivaldiConfig) -> Vec<Event> {
        let Some(coordinate) = state.coordinate().filter(|_| away.gap == Gap::Restart) else {
            return Vec::new();
        };
        let saved_at = coordinate.updated_at();
        let config = VivaldiConfig { dimensions: coordinate.dimensions(), ..VivaldiConfig::default() };
        let restored = SavedCoordinate { coordinate, saved_at }.restore(&config, away.began);
        vec![Event::Resumed { coordinate: restored.parts().clone(), at: away.began }]
    }
}

#[cfg(test)]
#[path = "record_test.rs"]
mod tests;
