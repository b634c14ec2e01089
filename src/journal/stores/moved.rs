//! What a store says of a move of its journal: see `moving`.

use crate::Fault;

/// A store with one of these opens for nobody but the move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// Its journal comes from there and is not complete.
    Into(String),
    /// Its journal has gone there.
    Away(String),
}

impl Note {
    /// Why the store does not open.
    pub fn refusal(&self) -> Fault {
        match self {
            Note::Into(from) => Fault::Moving { from: from.clone() },
            Note::Away(to) => Fault::Moved { to: to.clone() },
        }
    }
}
