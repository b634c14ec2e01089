//! A transparency log over all records of a journal: what was once shown to be in it stays in it, and whoever keeps one
//! small text can check that.
//!
//! ```text
//!  record 1   record 2   record 3 …          the journal, in the order of positions
//!     │          │          │
//!  entry 0    entry 1    entry 2 …           position, entity, seq, instant, chain hash of the record
//!     └────┬─────┘          │
//!       SHA-256 tree (RFC 6962) ──► root ──► checkpoint: origin, size, root, signed by the key of the log
//!
//!  inclusion    this record is the n-th of the tree with that root
//!  consistency  the tree with that root begins with the tree with this one: nothing was changed, dropped or put between
//! ```
//!
//! Everything here is pure: it reads no file and no clock, and needs no store. What is on disk is the runtime's.
//!
//! | file | holds |
//! |---|---|
//! | `entry` | what the tree is over |
//! | `tree` | the tree in tiles of 256 hashes: growing, root, proofs |
//! | `checkpoint` | signing and reading checkpoints |
//! | `cosignature` | what witnesses say of checkpoints |
//! | `proof` | proofs as files, and their check |
//!
//! # Source
//! RFC 6962 §2.1 (Merkle trees), C2SP `tlog-tiles`, `tlog-checkpoint`, `tlog-cosignature` and
//! `signed-note`.

#![forbid(unsafe_code)]

pub mod checkpoint;
pub mod cosignature;
pub mod entry;
pub mod proof;
pub mod tree;

/// Why something is not believed, or cannot be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The text or file is not of its form.
    #[error("{what} cannot be read. {why}")]
    Malformed {
        /// What it ought to be.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// No signature of the key that is trusted, or one that does not fit.
    #[error("the checkpoint is not signed by the key that is trusted. key={key}, why={why}")]
    Unsigned {
        /// The name of the key.
        key: String,
        /// What is wrong with the signatures.
        why: String,
    },
    /// The hashes do not lead to the signed root.
    #[error("{what} does not fit the checkpoint. size={size}")]
    Misfit {
        /// What was to be shown.
        what: String,
        /// The size of the tree.
        size: u64,
    },
    /// There is no such place in the tree.
    #[error("{field} is outside of the tree. given={given}, expected={low} to {high}")]
    Outside {
        /// The field.
        field: &'static str,
        /// Its value.
        given: u64,
        /// The least there is.
        low: u64,
        /// The most there is.
        high: u64,
    },
    /// A tile of the tree is missing or damaged.
    #[error("a tile of the tree is damaged. path={path}")]
    Tile {
        /// Its path below the log.
        path: String,
    },
}

pub use tlog_tiles::Hash;

#[cfg(test)]
mod attack_test;
#[cfg(test)]
mod drill_test;
