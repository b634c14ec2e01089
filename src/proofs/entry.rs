//! What the tree is over: one entry for each record, which names it and binds its bytes by their chain hash.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 1 | version of the entry, 1 |
//! | 1 | 8 | position of the record, from 1 |
//! | 9 | 1 | kind of the entity |
//! | 10 | 2 | i, length of the id |
//! | 12 | i | id, UTF-8 |
//! | 12 + i | 8 | seq of the record in its stream |
//! | 20 + i | 8 | instant, microseconds since 1970 |
//! | 28 + i | 32 | chain hash of the record (blake3) |
//!
//! Integers are big-endian. The entry has no place for the event itself: the chain hash covers its bytes, so a record can be
//! shown with its proof or kept back, and the tree needs none of them.

use quorate_core::kernel::ids::{EntityId, StreamId, StreamKind};
use quorate_core::kernel::time::Timestamp;
use quorate_journal::Record;
use quorate_journal::chain::ChainHash;
use tlog_tiles::Hash;

use super::Refusal;

/// The version of an entry.
const VERSION: u8 = 1;

/// One entry of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Place of the record in the global order, from 1; the entry is the one before it, from 0.
    pub position: u64,
    /// Whose record.
    pub stream: StreamId,
    /// Place of the record in its stream, from 1.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// Chain hash of the stream up to and with the record.
    pub record_hash: ChainHash,
}

impl From<&Record> for Entry {
    fn from(record: &Record) -> Self {
        Entry {
            position: record.position,
            stream: record.stream.clone(),
            seq: record.seq,
            at: record.at,
            record_hash: record.hash,
        }
    }
}

impl Entry {
    /// The bytes that the tree is over.
    pub fn to_bytes(&self) -> Vec<u8> {
        let id = self.stream.id.as_str().as_bytes();
        let mut bytes = Vec::with_capacity(60 + id.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.position.to_be_bytes());
        bytes.push(self.stream.kind.code());
        // An id is at most 256 bytes, so its length fits.
        bytes.extend_from_slice(&(id.len() as u16).to_be_bytes());
        bytes.extend_from_slice(id);
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(&self.at.as_micros().to_be_bytes());
        bytes.extend_from_slice(&self.record_hash.0);
        bytes
    }

    /// Reads the bytes of an entry.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Refusal> {
        let malformed = |why: &str| Refusal::Malformed { what: "an entry of the log", why: why.into() };
        let mut rest = bytes;
        let mut take = |count: usize| {
            let (taken, left) = rest.split_at_checked(count).ok_or_else(|| malformed("it is too short"))?;
            rest = left;
            Ok(taken)
        };
        let number = |bytes: &[u8]| bytes.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        if take(1)? != [VERSION] {
            return Err(malformed("its version is not 1"));
        }
        let position = number(take(8)?);
        let kind = StreamKind::from_code(take(1)?[0]).ok_or_else(|| malformed("its kind is unknown"))?;
        let length = number(take(2)?) as usize;
        let id = std::str::from_utf8(take(length)?).map_err(|_| malformed("its id is no text"))?;
        let id = EntityId::stored(id).map_err(|e| malformed(&e.to_string()))?;
        let seq = number(take(8)?);
        let at = Timestamp::from_micros(number(take(8)?).cast_signed());
        let mut hash = [0; 32];
        hash.copy_from_slice(take(32)?);
        if !rest.is_empty() {
            return Err(malformed("it has bytes left over"));
        }
        let stream = StreamId::new(kind, id);
        Ok(Entry { position, stream, seq, at, record_hash: ChainHash(hash) })
    }

    /// The hash of the leaf: `SHA-256(0x00 ‖ bytes)`.
    pub fn leaf(&self) -> Hash {
        tlog_tiles::record_hash(&self.to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_entry_is_read_as_it_was_written_and_no_other_bytes_are_one(
            position in 1u64.., id in "[a-zé]{1,40}", seq in 1u64.., at in any::<i64>(), hash in any::<[u8; 32]>(),
            cut in 0usize..100,
        ) {
            let stream = StreamId::new(StreamKind::Quorum, EntityId::stored(id.as_str()).unwrap());
            let at = Timestamp::from_micros(at);
            let entry = Entry { position, stream, seq, at, record_hash: ChainHash(hash) };
            let bytes = entry.to_bytes();
            prop_assert_eq!(Entry::from_bytes(&bytes), Ok(entry));
            prop_assert!(Entry::from_bytes(&bytes[..cut.min(bytes.len() - 1)]).is_err());
            prop_assert!(Entry::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_table() {
        let stream = StreamId::new(StreamKind::Quorum, EntityId::stored("q").unwrap());
        let at = Timestamp::from_micros(-1);
        let entry = Entry { position: 258, stream, seq: 3, at, record_hash: ChainHash([7; 32]) };
        let mut expected = vec![1, 0, 0, 0, 0, 0, 0, 1, 2, 2, 0, 1, b'q', 0, 0, 0, 0, 0, 0, 0, 3];
        expected.extend([0xff; 8]);
        expected.extend([7; 32]);
        assert_eq!(entry.to_bytes(), expected);
    }
}
