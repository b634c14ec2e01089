//! The write-ahead log: what a commit waits for. Frames of commit groups in files whose room is written in advance.
//!
//! ```text
//! DIR/log/0000000000000001.log       segments, by number; a number is never used again
//!
//! segment  ┌ header, 1 sector ┬ frame ┬ frame ┬ … ┬ [roll marker, 1 sector] ┬ zeros ┐
//! header     magic 8 "quorlog1" · number 8 · size 8 · identity 16 · check 32
//! frame    ┌ header 80 ┬ zero list 4·z ┬ groups, back to back ┬ zeros ┬ seal 32 ┐   whole sectors of 512 bytes
//! header     magic 4 "QFRM" · sectors 4 · payload length 8 · first group 8 · groups 4 · z 4 · digest 32 · check 16
//! seal       magic 4 "SEAL" · sectors 4 · digest's first 8 · check 16
//! roll       magic 8 "quorroll" · next segment 8 · check 32
//! ```
//!
//! A frame is one commit: one write and one fdatasync. Every check is bound to the log, the segment and the place, so
//! that no byte of another log, file or place is ever taken for one of these. The length of a file never changes and
//! all of its room holds zeros that were written, so that fdatasync has no metadata to wait for.
//!
//! # How the end is found
//!
//! A frame is written only after the one before it was synced, and sealed after its own sync, before anybody hears
//! of it. The seal is not synced by itself: the end of the process leaves it, and the next sync takes it along. So a
//! frame that does not verify is an unfinished write only if it has no seal, nothing of the log stands behind it,
//! and a sector of it was never written: the sectors that a frame fills with zeros are listed in its header. Anything
//! else is damage, and opening refuses.
//!
//! # Why not a crate
//!
//! `raft-engine`, `okaywal`, `walcraft`, `commitlog`, `wal-db` and `open-wal` were looked at. All of them take a bad
//! checksum in the last record for an unfinished write, some of them anywhere; `raft-engine`, the one with many
//! users, says so of its recovery modes, and reuses files, which makes the end a guess. None has a sign that a record
//! was acknowledged. That sign is the point here, and the rest is small.

mod frame;
pub(in super::super) mod scan;
pub(in crate::stores) mod segment;
mod writer;

pub(super) use self::segment::write_at;
pub(super) use self::writer::{AppendError, Log, Options};
use crate::Fault;
use crate::chain::digest;

/// The unit in which a disk writes: whole, or not at all.
pub(in crate::stores) const SECTOR: usize = 512;

/// Tells this log from every other one.
pub(in crate::stores) type Identity = [u8; 16];

/// A byte of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::stores) struct Place {
    pub segment: u64,
    pub offset: u64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "segment={}, offset={}", self.segment, self.offset)
    }
}

/// What the checks of one place are bound to.
#[derive(Clone, Copy, Debug)]
struct Bound<'a> {
    identity: &'a Identity,
    place: Place,
}

impl Bound<'_> {
    fn sum(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut bytes = Vec::with_capacity(32 + parts.iter().map(|part| part.len()).sum::<usize>());
        bytes.extend_from_slice(self.identity);
        bytes.extend_from_slice(&self.place.segment.to_be_bytes());
        bytes.extend_from_slice(&self.place.offset.to_be_bytes());
        parts.iter().for_each(|part| bytes.extend_from_slice(part));
        digest(&bytes).0
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    // Eight at a time; a sector that was written is told by its first bytes.
    bytes.chunks(8).all(|chunk| chunk.iter().fold(0, |all, byte| all | byte) == 0)
}

fn unavailable(what: &str, error: &std::io::Error) -> Fault {
    Fault::Unavailable { reason: format!("{what}. error={error}") }
}

/// Fields at fixed places; the caller has checked the length.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().fold(0, |all, byte| all << 8 | u32::from(*byte))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + 8].iter().fold(0, |all, byte| all << 8 | u64::from(*byte))
}

#[cfg(test)]
#[path = "log_test.rs"]
mod tests;
