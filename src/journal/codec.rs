//! Events to bytes and back. bincode is used only here, with one configuration: little-endian,
//! variable-width integers.
//!
//! Stored types stay plain (no untagged, flattened or skipped fields; enum variants only appended), because
//! bincode does not describe itself.

use serde::{Serialize, de::DeserializeOwned};

use super::chain::record_hash;
use super::{Append, ChainHash, Due, Fault, Record, Seq};
use quorate_core::kernel::ids::{IdempotencyKey, StreamId};
use quorate_core::kernel::time::Timestamp;

/// Version byte of a record.
pub const RECORD_VERSION: u8 = 1;
/// Bytes of a record before its payload: version, seq, instant, payload length.
pub const RECORD_HEADER: usize = 1 + 8 + 8 + 4;
/// Bytes of a record after its payload: the chain hash.
pub const RECORD_TRAILER: usize = 32;

fn config() -> bincode::config::Configuration {
    bincode::config::standard()
}

/// A power of two as a number of bytes, or as many as there can be.
const fn limit(power: u32) -> usize {
    if power < usize::BITS { 1 << power } else { isize::MAX as usize }
}

/// Encodes one stored value.
///
/// # Errors
/// [`Fault::Corrupt`] when the type cannot be encoded, which is a mistake in the type.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, Fault> {
    bincode::serde::encode_to_vec(value, config())
        .map_err(|e| Fault::Corrupt { what: format!("value cannot be encoded: {e}") })
}

/// Decodes one stored value; every byte must be used. Lengths are believed only as far as the bytes at hand can bear
/// them out, so damaged bytes cannot ask for memory without bound.
///
/// # Errors
/// [`Fault::Corrupt`] when the bytes are not a `T`.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    // The limit is part of the type. It counts what values take in memory, at most 16 bytes for each stored one.
    let decoded = match bytes.len() {
        0..=0x1_0000 => bincode::serde::decode_from_slice(bytes, config().with_limit::<{ limit(20) }>()),
        0x1_0001..=0x10_0000 => {
            bincode::serde::decode_from_slice(bytes, config().with_limit::<{ limit(24) }>())
        }
        0x10_0001..=0x100_0000 => {
            bincode::serde::decode_from_slice(bytes, config().with_limit::<{ limit(28) }>())
        }
        0x100_0001..=0x1000_0000 => {
            bincode::serde::decode_from_slice(bytes, config().with_limit::<{ limit(32) }>())
        }
        _ => bincode::serde::decode_from_slice(bytes, config().with_limit::<{ limit(40) }>()),
    };
    match decoded {
        Ok((value, used)) if used == bytes.len() => Ok(value),
        Ok((_, used)) => {
            Err(Fault::Corrupt { what: format!("value has {} bytes left over", bytes.len() - used) })
        }
        Err(e) => Err(Fault::Corrupt { what: format!("value cannot be decoded: {e}") }),
    }
}

/// The bytes of a record without its hash, as [`record_hash`] covers them.
pub fn record_bytes(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(RECORD_HEADER + record.payload.len());
    bytes.push(RECORD_VERSION);
    bytes.extend_from_slice(&record.seq.to_be_bytes());
    bytes.extend_from_slice(&record.at.as_micros().to_be_bytes());
    // A payload of a record that was written fits: `AppendBuilder::push` refuses others.
    bytes.extend_from_slice(&(record.payload.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&record.payload);
    bytes
}

/// Encodes the events of one step as records, extending the stream's chain.
#[derive(Debug)]
pub struct AppendBuilder {
    append: Append,
}

impl AppendBuilder {
    /// Starts an append to `stream`, which stands at `revision` with chain hash `hash`.
    pub fn new(stream: StreamId, revision: Seq, hash: ChainHash) -> Self {
        AppendBuilder {
            append: Append {
                stream,
                expected: revision,
                count: 0,
                bytes: Vec::with_capacity(256),
                hash,
                due: Due::Unchanged,
                key: None,
                joined: false,
            },
        }
    }

    /// Adds one event decided at `at`.
    ///
    /// # Errors
    /// [`Fault::Corrupt`] when the event cannot be encoded or is larger than 4 GiB.
    pub fn push<E: Serialize>(&mut self, at: Timestamp, event: &E) -> Result<(), Fault> {
        let a = &mut self.append;
        let start = a.bytes.len();
        a.bytes.push(RECORD_VERSION);
        a.bytes.extend_from_slice(&(a.expected + u64::from(a.count) + 1).to_be_bytes());
        a.bytes.extend_from_slice(&at.as_micros().to_be_bytes());
        a.bytes.extend_from_slice(&[0; 4]);
        bincode::serde::encode_into_std_write(event, &mut a.bytes, config())
            .map_err(|e| Fault::Corrupt { what: format!("event cannot be encoded: {e}") })?;
        let length = u32::try_from(a.bytes.len() - start - RECORD_HEADER)
            .map_err(|_| Fault::Corrupt { what: "event is larger than 4 GiB".into() })?;
        a.bytes[start + RECORD_HEADER - 4..start + RECORD_HEADER].copy_from_slice(&length.to_be_bytes());
        a.hash = record_hash(&a.hash, &a.stream, &a.bytes[start..]);
        a.bytes.extend_from_slice(&a.hash.0);
        a.count += 1;
        Ok(())
    }

    /// Finishes the append.
    pub fn finish(mut self, due: Due, key: Option<IdempotencyKey>) -> Append {
        self.append.due = due;
        self.append.key = key;
        self.append
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_core::kernel::ids::VoterId;

    #[test]
    fn an_id_taken_by_the_rules_of_an_earlier_version_is_still_read() {
        let old = VoterId::stored("Zoe\u{308}\u{200b}").unwrap();
        assert!(VoterId::new(old.as_str()).is_err());
        assert_eq!(decode::<VoterId>(&encode(&old).unwrap()), Ok(old));
        assert!(decode::<VoterId>(&encode(&"a\u{7}").unwrap()).is_err());
    }
}
