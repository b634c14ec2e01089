//! A journal as one file: every commit group, verbatim, behind a header that says what must come out.
//!
//! ```text
//!  quorate backup 1            which form the file has
//!  {"epoch":…,"groups":…,…}    the header: one line of JSON
//!  check 4f1a…                 blake3 of both lines, in hexadecimal
//!  group · group · group …     the bytes of the journal format, back to back, from the first group on
//!  end c302…                   blake3 of everything before it
//! ```
//!
//! Groups carry their lengths, hashes and links, so each byte of the file is covered: those of the header by its check, those
//! of a group by its hash, and all of them by the end. A file that was cut short has no end.

mod read;
mod restore;
mod write;

#[cfg(test)]
#[path = "backup_test.rs"]
mod tests;

pub use self::read::BackupReader;
pub use self::restore::{NewJournal, unfinished, work_of};
pub use self::write::BackupWriter;

use serde::{Deserialize, Serialize};

use crate::chain::{ChainHash, digest};
use crate::codec::RECORD_BY_IDENTITY;
use crate::group::GROUP_VERSION;
use crate::{Broken, Epoch, Fault};

/// The form that this program writes, and the newest that it reads.
const VERSION: u32 = 1;
const PREFIX: &str = "quorate backup ";
const CHECK: &str = "check ";
const END: &str = "end ";
/// The longest line of a header that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// What a backup says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The program that wrote it, with its version.
    pub program: String,
    /// When it was made, RFC 3339.
    pub made_at: String,
    /// The newest form of a group in it.
    pub group_version: u8,
    /// The newest form of a record in it.
    pub record_version: u8,
    /// The epoch of the journal; a journal restored from this begins a later [life](crate::next_life).
    pub epoch: Epoch,
    /// Commit groups in it.
    pub groups: u64,
    /// Records in them: the position of the last one.
    pub records: u64,
    /// Hash of the last group, in hexadecimal: covers everything before it.
    pub tip_hash: String,
    /// The log over all records, if there is one.
    pub log: Option<LogPart>,
}

/// What a backup holds of the log over all records.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogPart {
    /// The public key of the log.
    pub public_key: String,
    /// The newest checkpoint that was signed before the cut.
    pub checkpoint: String,
    /// The signing key, in its own text; left out when the backup was asked not to hold it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_key: Option<String>,
}

impl std::fmt::Debug for LogPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = self.signing_key.as_ref().map(|_| "…");
        f.debug_struct("LogPart")
            .field("public_key", &self.public_key)
            .field("checkpoint", &self.checkpoint)
            .field("signing_key", &key)
            .finish()
    }
}

impl Header {
    /// The header of a backup of nothing, to be filled in.
    pub fn new(epoch: Epoch, made_at: String, program: String, log: Option<LogPart>) -> Self {
        Header {
            program,
            made_at,
            group_version: GROUP_VERSION,
            record_version: RECORD_BY_IDENTITY,
            epoch,
            groups: 0,
            records: 0,
            tip_hash: ChainHash::default().to_string(),
            log,
        }
    }

    /// The lines before the first group.
    fn text(&self) -> Result<String, Fault> {
        let json = serde_json::to_string(self)
            .map_err(|e| Fault::Corrupt { what: format!("header of the backup cannot be written: {e}") })?;
        let lines = format!("{PREFIX}{VERSION}\n{json}\n");
        let check = digest(lines.as_bytes());
        Ok(format!("{lines}{CHECK}{check}\n"))
    }
}

/// Damage of a backup, as a fault that says where it stands.
fn damaged(what: &str, at_byte: u64) -> Fault {
    Fault::Corrupt { what: format!("the backup is damaged: {what}. at_byte={at_byte}") }
}

/// What does not fit, as a sentence.
fn told(broken: &Broken) -> String {
    let record =
        broken.record.as_ref().map_or(String::new(), |(stream, seq)| format!(", entity={stream}, seq={seq}"));
    let position = broken.position.map_or(String::new(), |position| format!(", position={position}"));
    format!("{}. group={}{position}{record}", broken.why, broken.group)
}
