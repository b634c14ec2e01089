//! What may be removed from the journal: which entities are under a legal hold, and what was pruned.
//!
//! ```text
//!  (nothing) ── Keep(scope, reason) ──► held: no pruning takes what is in the scope ── LetGo ──► (nothing)
//!  journal ── pruned, while nobody serves ──► Pruned: rule, counts, root before
//! ```
//!
//! | held | command | condition | events | reply or rejection |
//! |---|---|---|---|---|
//! | no | Keep | valid, room for one more | Held | held |
//! | yes | Keep | the same reason | – | held, duplicate |
//! | yes | Keep | another one | – | `HeldFor` |
//! | yes | LetGo | | Released | released |
//! | no | LetGo | | – | `NotFound` |
//!
//! `Pruned` is not asked for here: whoever rewrites a journal that nobody serves appends it as its last record. It holds what the
//! runtime had counted up to then, so that statistics stay true although the records they were counted from are gone.
//!
//! # Source
//! Federal Rules of Civil Procedure 37(e) (information that is to be preserved). C2SP `tlog-tiles` (a log that is pruned keeps its
//! tiles of hashes).

pub mod command;
mod decide;
pub mod event;
pub mod state;

pub use command::{Command, Rejection, Reply};
pub use event::{Counted, Event, Held, Pruned, Released, Rule, Scope};
pub use state::{Pruning, Retention};

use crate::kernel::ids::StreamKind;
use crate::kernel::time::Timestamp;
use crate::kernel::{Decision, Machine};

/// The name of the one stream of retention.
pub const STREAM: &str = "retention";
/// Most holds at the same time.
pub const MAX_HOLDS: usize = 10_000;

/// The machine of retention.
#[derive(Debug)]
pub struct RetentionMachine;

impl Machine for RetentionMachine {
    const KIND: StreamKind = StreamKind::Retention;
    const STATE_VERSION: u16 = 1;
    type State = Retention;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Rejection = Rejection;
    type Effect = ();
    type Context = ();

    fn decide(
        state: &Retention,
        command: Command,
        now: Timestamp,
        (): &(),
    ) -> Result<Decision<Self>, Rejection> {
        decide::decide(state, command, now)
    }

    fn evolve(state: &mut Retention, event: &Event) {
        state.evolve(event);
    }

    fn due(_state: &Retention) -> Option<Timestamp> {
        None
    }

    fn owed(_state: &Retention) -> Vec<()> {
        Vec::new()
    }

    fn tick() -> Command {
        Command::Tick
    }
}

#[cfg(test)]
#[path = "retention_test.rs"]
mod tests;
