//! Data subjects: whose personal data stands sealed in the journal, and whose key was destroyed.
//!
//! ```text
//!  (unknown) ── Register(key id) ──► active: new data is sealed with the key
//!  active ── Shred ──► asked: nothing is sealed or opened any more ── key destroyed ──► Destroyed ──► shredded
//! ```
//!
//! | subject | command | events | reply or rejection |
//! |---|---|---|---|
//! | unknown | Register, room for one more | Registered | the key id |
//! | unknown | Register, no room | – | `TooMany` |
//! | active | Register | – | the key id that stands |
//! | asked, shredded | Register | – | `Shredded` |
//! | unknown | Shred, Destroyed | – | `NotFound` |
//! | active | Shred | ShredAsked | asked |
//! | asked, shredded | Shred | – | asked, duplicate: the first reason stands |
//! | active | Destroyed | – | `NotAsked` |
//! | asked | Destroyed | Shredded | done |
//! | shredded | Destroyed | – | done |
//!
//! The key itself is never here, only its id: a keyed hash that tells the right key from a wrong one and says nothing of it. The
//! record that shredding was asked for is durable before the key is touched, and the record that it is done is made after
//! the key is gone; whoever opens the journal in between goes on. A name that was shredded takes no new data, so what is
//! sealed under a name is either all readable or all gone.
//!
//! # Source
//! Regulation (EU) 2016/679, articles 4(1) and 17 (data subject; right to erasure). R. Perlman, *The Ephemerizer: Making
//! Data Disappear*, 2005 (data is destroyed by destroying its key).

pub mod command;
mod decide;
pub mod event;
pub mod state;

pub use command::{Command, Rejection, Reply};
pub use event::{Event, Registered, ShredAsked, Shredded};
pub use state::{Standing, Status, Subjects};

use crate::kernel::ids::StreamKind;
use crate::kernel::time::Timestamp;
use crate::kernel::{Decision, Machine};

/// The name of the one stream of data subjects.
pub const STREAM: &str = "subjects";
/// Most data subjects of one journal: all of them are held in memory.
pub const MAX_SUBJECTS: usize = 100_000;

/// The machine of data subjects.
#[derive(Debug)]
pub struct SubjectsMachine;

impl Machine for SubjectsMachine {
    const KIND: StreamKind = StreamKind::Subjects;
    const STATE_VERSION: u16 = 1;
    type State = Subjects;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Rejection = Rejection;
    type Effect = ();
    type Context = ();

    fn decide(
        state: &Subjects,
        command: Command,
        now: Timestamp,
        (): &(),
    ) -> Result<Decision<Self>, Rejection> {
        decide::decide(state, command, now)
    }

    fn evolve(state: &mut Subjects, event: &Event) {
        state.evolve(event);
    }

    fn due(_state: &Subjects) -> Option<Timestamp> {
        None
    }

    fn owed(_state: &Subjects) -> Vec<()> {
        Vec::new()
    }

    fn tick() -> Command {
        Command::Tick
    }
}

#[cfg(test)]
#[path = "subject_test.rs"]
mod tests;
