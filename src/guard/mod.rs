//! Guards by which a resource outside refuses a leader that was replaced.
//!
//! A leader that was paused does not know that it was replaced. It wakes up, believes that it still leads, and writes. No
//! lease, timeout or check of its own prevents that: between its check and its write it may sleep as long as it
//! likes. Only the resource can tell, by comparing the [`FenceToken`] that comes
//! with the write with the highest it has seen, *in the same step as the write*:
//!
//! ```text
//!   leader 7 ── write(7) ─► ok            floor 7
//!   leader 7    (pauses)
//!   leader 8 ── write(8) ─► ok            floor 8
//!   leader 7 ── write(7) ─► stale token   nothing changed; leader 7 must step down
//! ```
//!
//! | shown token | answer |
//! |---|---|
//! | none, or 0, which was never minted | invalid |
//! | lower than the floor | stale |
//! | the same | taken: the same leader |
//! | higher | taken; the floor is raised, durably, before the write |
//!
//! | guard | of what | the step in which it compares and writes |
//! |---|---|---|
//! | [`GuardedFile`] | a file that is replaced as a whole | a lock on a file beside it; token and contents are one rename |
//! | [`RowGuard`] | a row of an SQL table | one statement with the token in its condition |
//! | `FencingGuard` of the crate `quorate-http` | what a handler of an actix-web service does | a floor kept in a [`TokenFloor`], and no handler of a lower token under way |
//!
//! A guard that is told where to ask ([`StopSource`]) also refuses what is stopped, in that same step: a writer that was paused
//! between its own look and its write finds the stop.
//!
//! Tokens of different jobs are never compared: each guarded thing belongs to one job, or is named by its resource.
//!
//! # Source
//! M. Burrows, *The Chubby lock service for loosely-coupled distributed systems*, OSDI 2006, section 2.4 (sequencers);
//! M. Kleppmann, *How to do distributed locking*, 2016 (fencing tokens).

mod file;
mod floor;
mod sql;
mod stop;

pub use file::{Contents, GuardedFile};
pub use floor::{FileFloor, MemoryFloor, TokenFloor};
pub use sql::{BadName, RowGuard, TokenTooLarge};
pub use stop::{StopSource, Stopped, UnderStops};

use crate::core::jobs::protocol::token::{FenceToken, Standing, standing};

/// The header that carries the token: decimal digits, 1 to 18446744073709551615.
pub const TOKEN_HEADER: &str = "quorate-fencing-token";

/// Why a guard did not let a write through. Nothing was written, unless it says so.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A later leader was here: whoever shows this token was replaced and must step down.
    #[error("stale fencing token. held={held}, given={given}")]
    Stale {
        /// The highest token seen.
        held: FenceToken,
        /// The token shown.
        given: FenceToken,
    },
    /// A stop covers what is about to be done.
    #[error("{0}")]
    Stopped(Stopped),
    /// Token 0 is below every token that was ever minted.
    #[error("fencing token is not one that was minted, expected 1 or more. given=0")]
    NotMinted,
    /// Another writer holds the lock at this moment.
    #[error("another writer holds the lock. file={file}")]
    Busy {
        /// The lock file.
        file: String,
    },
    /// What was stored before is not what this guard writes.
    #[error("the file was not written by this guard, or is damaged. file={file}")]
    Damaged {
        /// The file.
        file: String,
    },
    /// The file system failed. A write may or may not have been done; after it is repeated it is.
    #[error("{doing} failed. file={file}, cause={cause}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        file: String,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// A floor could not be made durable before. What is on disk is not known until it is opened again.
    #[error("the floor failed before and must be opened again. file={file}")]
    Broken {
        /// Its file.
        file: String,
    },
}

/// Compares a shown token with the floor. `true`: the floor is to be raised before anything is written.
fn admit(held: FenceToken, given: FenceToken) -> Result<bool, Refusal> {
    if given == FenceToken::NONE {
        return Err(Refusal::NotMinted);
    }
    match standing(given, held) {
        Standing::Stale => Err(Refusal::Stale { held, given }),
        Standing::Current => Ok(false),
        Standing::Newer => Ok(true),
    }
}
