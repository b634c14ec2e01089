//! A cell lends and borrows capacity: needs wait, offers reserve, tokens carry, leases bring back.
//!
//! placeholder
pub mod amount;
pub mod budget;
pub mod command;
mod decide;
pub mod event;
pub mod exchange;
pub mod kept;
pub mod rejection;
pub mod settings;
pub mod state;
pub mod stats;
pub mod view;
pub mod world;

pub use amount::Amount;
pub use budget::{Budget, BudgetMachine};
pub use command::{Command, Effect, MakeOffer, OfferFate, Op, Release, Reply, Request};
pub use event::Event;
pub use rejection::Rejection;
pub use settings::{Lease, Settings};
pub use state::Cell;
pub use stats::CellStats;
pub use world::World;

use super::ids::StreamKind;
use super::time::Timestamp;
use super::{Decision, Machine};

/// Most open offers to one cell.
pub const MAX_OPEN_OFFERS: usize = 1024;

/// The machine of a cell.
#[derive(Debug)]
pub struct CellMachine;

impl Machine for CellMachine {
    const KIND: StreamKind = StreamKind::Cell;
    const STATE_VERSION: u16 = 1;
    type State = Cell;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Rejection = Rejection;
    type Effect = Effect;
    type Context = ();

    fn decide(state: &Cell, command: Command, now: Timestamp, _: &()) -> Result<Decision<Self>, Rejection> {
        decide::decide(state, command, now)
    }

    fn evolve(state: &mut Cell, event: &Event) {
        state.evolve(event);
    }

    fn due(state: &Cell) -> Option<Timestamp> {
        decide::due(state)
    }

    fn owed(state: &Cell) -> Vec<Effect> {
        decide::owed(state)
    }

    fn tick() -> Command {
        Command::Tick
    }
}

#[cfg(test)]
#[path = "cell_test.rs"]
mod tests;
