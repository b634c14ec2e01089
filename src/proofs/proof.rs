//! Proofs as files of JSON, and their check, which needs the file and the public key of the log, and nothing else.

use quorate_core::kernel::ids::EntityId;
use quorate_journal::Record;
use quorate_journal::chain::{ChainHash, record_hash};
use quorate_journal::codec::{read_record, record_bytes};
use serde::{Deserialize, Serialize};
use tlog_tiles::{Hash, check_record, check_tree};

use super::Refusal;
use super::checkpoint::{Checkpoint, PublicKey};
use super::entry::Entry;

/// The form of a proof that a record is in the log.
pub const INCLUSION: &str = "quorate.inclusion.v1";
/// The form of a proof that one tree begins with another.
pub const CONSISTENCY: &str = "quorate.consistency.v1";

/// A proof that a record is in the log. Bytes are hexadecimal, hashes of the tree base64 as in checkpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Inclusion {
    /// `quorate.inclusion.v1`.
    pub format: String,
    /// The public key of the log. Whoever checks the proof trusts another copy, not this one.
    pub public_key: String,
    /// The signed checkpoint.
    pub checkpoint: String,
    /// Place of the entry in the tree, from 0; the position of the record is one more.
    pub leaf_index: u64,
    /// The bytes of the entry.
    pub entry: String,
    /// From the leaf to the root.
    pub hashes: Vec<String>,
    /// The record itself; left out where its content is kept back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<ShownRecord>,
}

/// The bytes of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ShownRecord {
    /// Chain hash of the record before it in its stream; zeros for the first.
    pub previous_hash: String,
    /// The record as the journal format has it, without its hash.
    pub bytes: String,
}

/// A proof that the tree of the newer checkpoint begins with that of the older one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Consistency {
    /// `quorate.consistency.v1`.
    pub format: String,
    /// The public key of the log.
    pub public_key: String,
    /// The older checkpoint.
    pub old_checkpoint: String,
    /// The newer one.
    pub checkpoint: String,
    /// The hashes that lead from one root to the other.
    pub hashes: Vec<String>,
}

/// What a proof has shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// The tree it is shown for.
    pub checkpoint: Checkpoint,
    /// The entry that names the record.
    pub entry: Entry,
    /// The identity under which the record was made, when it is shown and names one.
    pub by: Option<EntityId>,
    /// The event of the record, encoded, when the record is shown.
    pub payload: Option<Vec<u8>>,
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |text, byte| text + &format!("{byte:02x}"))
}

/// Hexadecimal digits as bytes.
///
/// # Errors
/// [`Refusal::Malformed`] for anything else.
pub fn unhex(what: &'static str, text: &str) -> Result<Vec<u8>, Refusal> {
    let malformed = || Refusal::Malformed { what, why: "it is not in hexadecimal digits".into() };
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0).ok_or_else(malformed)?;
    // Two digits make a byte.
    Ok(digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect())
}

fn hashes(texts: &[String]) -> Result<Vec<Hash>, Refusal> {
    let read = |text: &String| {
        Hash::parse_hash(text)
            .map_err(|e| Refusal::Malformed { what: "a hash of the proof", why: e.to_string() })
    };
    texts.iter().map(read).collect()
}

fn check_format(what: &'static str, given: &str, expected: &str) -> Result<(), Refusal> {
    if given == expected {
        return Ok(());
    }
    Err(Refusal::Malformed { what, why: format!("its format is {given:?}, expected {expected:?}") })
}

impl Inclusion {
    /// The proof that leads from an entry to the root of the checkpoint, with the record or without it.
    pub fn new(
        key: &PublicKey,
        checkpoint: String,
        entry: &Entry,
        hashes: &[Hash],
        record: Option<(ChainHash, &Record)>,
    ) -> Self {
        let shown = |(previous, record): (ChainHash, &Record)| ShownRecord {
            previous_hash: hex(&previous.0),
            bytes: hex(&record_bytes(record)),
        };
        Inclusion {
            format: INCLUSION.into(),
            public_key: key.to_string(),
            checkpoint,
            leaf_index: entry.position.saturating_sub(1),
            entry: hex(&entry.to_bytes()),
            hashes: hashes.iter().map(Hash::to_string).collect(),
            record: record.map(shown),
        }
    }

    /// Checks the proof with the key that is trusted.
    ///
    /// # Errors
    /// Whatever does not hold, as a [`Refusal`].
    pub fn check(&self, trusted: &PublicKey) -> Result<Shown, Refusal> {
        self.check_in(&trusted.read(&self.checkpoint)?)
    }

    /// Checks the proof under a checkpoint that is believed, whatever checkpoint it names itself.
    ///
    /// # Errors
    /// Whatever does not hold, as a [`Refusal`].
    pub fn check_in(&self, checkpoint: &Checkpoint) -> Result<Shown, Refusal> {
        check_format("the proof", &self.format, INCLUSION)?;
        let entry = Entry::from_bytes(&unhex("the entry", &self.entry)?)?;
        let size = checkpoint.size;
        let misfit = |what: &str| Refusal::Misfit { what: what.to_owned(), size };
        if Some(entry.position) != self.leaf_index.checked_add(1) {
            return Err(misfit("the position of the entry"));
        }
        let hashes = hashes(&self.hashes)?;
        if self.leaf_index >= size {
            return Err(misfit("the place of the entry"));
        }
        check_record(&hashes, size, checkpoint.root, self.leaf_index, entry.leaf())
            .map_err(|_| misfit("the path of the entry"))?;
        let shown = self.record.as_ref().map(|record| record.check(&entry, size)).transpose()?;
        let (by, payload) = shown.map_or((None, None), |(by, payload)| (by, Some(payload)));
        Ok(Shown { checkpoint: checkpoint.clone(), entry, by, payload })
    }
}

impl ShownRecord {
    /// The identity and the payload of the record that the entry names, which is one of a tree of this size.
    ///
    /// # Errors
    /// [`Refusal::Misfit`] when the bytes are not those of that record.
    pub fn check(&self, entry: &Entry, size: u64) -> Result<(Option<EntityId>, Vec<u8>), Refusal> {
        let misfit = |what: &str| Refusal::Misfit { what: what.to_owned(), size };
        let previous = unhex("the hash before the record", &self.previous_hash)?;
        let previous: [u8; 32] = previous.try_into().map_err(|_| misfit("the hash before the record"))?;
        let bytes = unhex("the record", &self.bytes)?;
        if record_hash(&ChainHash(previous), &entry.stream, &bytes) != entry.record_hash {
            return Err(misfit("the record"));
        }
        let read = read_record(&bytes).map_err(|_| misfit("the record"))?;
        if read.seq != entry.seq || read.at != entry.at {
            return Err(misfit("the head of the record"));
        }
        Ok((read.by, read.payload.to_vec()))
    }
}

impl Consistency {
    /// The proof that leads from one checkpoint to a newer one.
    pub fn new(key: &PublicKey, old_checkpoint: String, checkpoint: String, hashes: &[Hash]) -> Self {
        Consistency {
            format: CONSISTENCY.into(),
            public_key: key.to_string(),
            old_checkpoint,
            checkpoint,
            hashes: hashes.iter().map(Hash::to_string).collect(),
        }
    }

    /// Checks the proof with the key that is trusted: the older and the newer checkpoint.
    ///
    /// # Errors
    /// Whatever does not hold, as a [`Refusal`].
    pub fn check(&self, trusted: &PublicKey) -> Result<(Checkpoint, Checkpoint), Refusal> {
        check_format("the proof", &self.format, CONSISTENCY)?;
        let (old, new) = (trusted.read(&self.old_checkpoint)?, trusted.read(&self.checkpoint)?);
        let misfit = |what: &str| Refusal::Misfit { what: what.to_owned(), size: new.size };
        if old.size > new.size {
            return Err(misfit("a checkpoint of a larger tree"));
        }
        let hashes = hashes(&self.hashes)?;
        // Every tree begins with the empty one, which has one root.
        let fits = match old.size {
            0 => hashes.is_empty() && old.root == tlog_tiles::EMPTY_HASH,
            _ => check_tree(&hashes, new.size, new.root, old.size, old.root).is_ok(),
        };
        if fits { Ok((old, new)) } else { Err(misfit("the older checkpoint")) }
    }
}

#[cfg(test)]
#[path = "proof_test.rs"]
mod tests;
