//! What membership decided about one node, on record: a stream for each member as this node saw it, and one for the node
//! itself.
//!
//! ```text
//!  Membership ── Happened ──► Notebook ── Note ──► machine ──► Moved, Confirmed, …      a few, one by one
//!                                ▲                    │
//!                                └────── Full ────────┴──────► Merged                   many at once, as one with their numbers
//! ```
//!
//! | command | condition | events | answer |
//! |---|---|---|---|
//! | Note | there is room for all of it | each change as an event | `Noted` |
//! | Note | there is room for some of it | changes as long as there is room, the rest as one Merged | `Noted` |
//! | Note | there is no room | – | `Full`, and when there is |
//! | Note | nothing in it is new | – | `Noted` |
//! | CountUnnamed | there is room | Unnamed | `Noted` |
//! | CountUnnamed | there is no room | – | `Full`, and when there is |
//!
//! Membership does not wait for its record: a node must speak before the journal is recovered. What happened waits in the
//! [`Notebook`] meanwhile. A member that comes and goes without an end must not fill the journal: at most [`BURST`] events of
//! one member are recorded within [`WINDOW`], and what is more is merged, with how often what happened. What the node itself does
//! (begins, leaves, changes its keys) is always recorded.
//!
//! A process that is killed loses what is in its notebook. The next one records how it [found](Change::Found) each member, so
//! the record says again what is believed of it.

mod change;
mod decide;
mod notebook;
mod state;

use std::time::Duration;

pub use change::{Change, Event, Merged, Noted, Standing, Waited};
pub use notebook::{MAX_NAMES, Note, Notebook};
pub use state::MemberRecord;

use crate::kernel::ids::StreamKind;
use crate::kernel::time::Timestamp;
use crate::kernel::{Decision, Machine};

/// Most events of one member that are recorded …
pub const BURST: usize = 16;
/// … within so long, by the instants at which they happened.
pub const WINDOW: Duration = Duration::from_secs(600);

/// What may be asked of a member's record.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// This happened, and was not recorded yet.
    Note(Box<Note>),
    /// So much happened to members that had no place in the notebook. Asked of the record of the node itself.
    CountUnnamed {
        /// How many changes.
        changes: u64,
        /// When the last one happened.
        at: Timestamp,
    },
    /// Time has passed; means nothing here.
    Tick,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is on record, or was before.
    Noted,
    /// Too much is on record of late. Come again with it then.
    Full {
        /// When there is room for one event.
        until: Timestamp,
    },
}

/// Nothing is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {}

/// The machine of one member's record.
#[derive(Debug)]
pub struct MemberMachine;

impl Machine for MemberMachine {
    const KIND: StreamKind = StreamKind::Member;
    const STATE_VERSION: u16 = 1;
    type State = MemberRecord;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Rejection = Rejection;
    type Effect = ();
    type Context = ();

    fn decide(
        state: &MemberRecord,
        command: Command,
        now: Timestamp,
        (): &(),
    ) -> Result<Decision<Self>, Rejection> {
        match command {
            Command::Note(note) => Ok(decide::note(state, *note, now)),
            Command::CountUnnamed { changes, at } => Ok(decide::count_unnamed(state, changes, at, now)),
            Command::Tick => Ok(Decision::answer(Reply::Noted)),
        }
    }

    fn evolve(state: &mut MemberRecord, event: &Event) {
        state.apply(event);
    }

    fn due(_state: &MemberRecord) -> Option<Timestamp> {
        None
    }

    fn owed(_state: &MemberRecord) -> Vec<()> {
        Vec::new()
    }

    fn tick() -> Command {
        Command::Tick
    }
}

#[cfg(test)]
#[path = "record_test.rs"]
mod tests;
