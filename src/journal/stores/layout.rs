//! Keys and values of an index as bytes, for stores that keep one under keys; drawn in `sled::disk`.

#[cfg(feature = "store-sled")]
use super::heads::Entry;
#[cfg(feature = "store-sled")]
use crate::ChainHash;
use crate::Fault;
use quorate_core::kernel::ids::{EntityId, StreamId, StreamKind};
#[cfg(feature = "store-sled")]
use quorate_core::kernel::time::Timestamp;

pub(super) fn corrupt(what: impl Into<String>) -> Fault {
    Fault::Corrupt { what: what.into() }
}

#[cfg(feature = "store-sled")]
const HEAD_VERSION: u8 = 1;

pub(super) fn stream_key(stream: &StreamId) -> Vec<u8> {
    [&[stream.kind.code()], stream.id.as_str().as_bytes()].concat()
}

pub(super) fn decode_stream(bytes: &[u8]) -> Result<StreamId, Fault> {
    let (code, id) = bytes.split_first().ok_or_else(|| corrupt("stream key is empty"))?;
    let kind = StreamKind::from_code(*code).ok_or_else(|| corrupt("stream key names an unknown kind"))?;
    let id = std::str::from_utf8(id).map_err(|e| corrupt(format!("stream key: {e}")))?;
    Ok(StreamId::new(kind, EntityId::stored(id).map_err(|e| corrupt(format!("stream key: {e}")))?))
}

#[cfg(feature = "store-sled")]
/// Instants sort as bytes when the sign bit is flipped.
pub(super) fn due_key(t: Timestamp, stream: &StreamId) -> Vec<u8> {
    let instant = (t.as_micros() ^ i64::MIN).to_be_bytes();
    [&instant[..], &stream_key(stream)].concat()
}

#[cfg(feature = "store-sled")]
pub(super) fn decode_due(bytes: &[u8]) -> Result<(Timestamp, StreamId), Fault> {
    let mut fields = Fields(bytes);
    let micros = i64::from_be_bytes(fields.take()?) ^ i64::MIN;
    Ok((Timestamp::from_micros(micros), decode_stream(fields.0)?))
}

#[cfg(feature = "store-sled")]
pub(super) fn encode_entry(entry: &Entry) -> Vec<u8> {
    let mut out = Vec::with_capacity(57);
    out.push(HEAD_VERSION);
    out.extend_from_slice(&entry.revision.to_be_bytes());
    out.extend_from_slice(&entry.hash.0);
    out.extend_from_slice(&entry.last_group.to_be_bytes());
    if let Some(t) = entry.due {
        out.extend_from_slice(&t.as_micros().to_be_bytes());
    }
    out
}

#[cfg(feature = "store-sled")]
pub(super) fn decode_entry(bytes: &[u8]) -> Result<Entry, Fault> {
    let mut fields = Fields(bytes);
    let [version] = fields.take()?;
    if version != HEAD_VERSION {
        return Err(Fault::NewerVersion { found: version.into(), supported: HEAD_VERSION.into() });
    }
    let (revision, hash, last_group) = (fields.u64()?, fields.hash()?, fields.u64()?);
    let due = if fields.0.is_empty() { None } else { Some(fields.instant()?) };
    Ok(Entry { revision, hash, due, last_group })
}

#[cfg(feature = "store-sled")]
/// Takes fixed-size fields off the front of a stored value.
pub(super) struct Fields<'a>(pub &'a [u8]);

#[cfg(feature = "store-sled")]
impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (field, rest) = self.0.split_first_chunk().ok_or_else(|| corrupt("index value is cut short"))?;
        self.0 = rest;
        Ok(*field)
    }

    pub fn u32(&mut self) -> Result<u32, Fault> {
        self.take().map(u32::from_be_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, Fault> {
        self.take().map(u64::from_be_bytes)
    }

    pub fn instant(&mut self) -> Result<Timestamp, Fault> {
        self.take().map(i64::from_be_bytes).map(Timestamp::from_micros)
    }

    pub fn hash(&mut self) -> Result<ChainHash, Fault> {
        self.take().map(ChainHash)
    }
}
