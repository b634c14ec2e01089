//! What records leave that were pruned: their places, the leaves of the log over all records, and by which names nobody may
//! begin anew.
//!
//! ```text
//!  before   … │ job a 1 │ quorum q 1 │ job a 2 │ quorum q 2 │ …     positions 7 to 10
//!  after    … │ pruned: leaf 7, mark of a │ quorum q 1 │ pruned: leaf 9 │ quorum q 2 │ …
//! ```
//!
//! Streams go as a whole, so the chain of every stream that is kept is as it was. The tree over all leaves is as it was too:
//! checkpoints and proofs from before hold. Groups are numbered and chained anew.

use super::Position;
use super::chain::{key_mark, stream_mark};
use quorate_core::kernel::ids::{IdempotencyKey, StreamId};

/// What is left of records next to each other in the global order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// Position of the first of them.
    pub first_position: Position,
    /// Which pruning took them: 1 is the first one of the journal.
    pub pruning: u64,
    /// For each record in order the hash of its leaf in the log over all records.
    pub leaves: Vec<[u8; 32]>,
    /// The streams that began with one of them, and the idempotency keys that came with one.
    pub marks: Vec<Mark>,
}

impl Pruned {
    /// Position of the last of them.
    pub fn last_position(&self) -> Position {
        (self.first_position + self.leaves.len() as u64).saturating_sub(1)
    }
}

/// By what the name of a pruned stream, or a pruned idempotency key, is known again: the kind of the stream, or 0 for a key, and
/// 16 bytes of a hash of the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark(pub [u8; Mark::BYTES]);

impl Mark {
    /// Bytes of one.
    pub const BYTES: usize = 17;

    /// The mark of a stream.
    pub fn of_stream(stream: &StreamId) -> Self {
        Self::new(stream.kind.code(), stream_mark(stream))
    }

    /// The mark of an idempotency key.
    pub fn of_key(key: &IdempotencyKey) -> Self {
        Self::new(0, key_mark(key.as_str()))
    }

    fn new(kind: u8, hash: [u8; 16]) -> Self {
        let mut bytes = [kind; Self::BYTES];
        bytes[1..].copy_from_slice(&hash);
        Mark(bytes)
    }
}
