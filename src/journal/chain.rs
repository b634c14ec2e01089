//! The hash chains. blake3 is used only here.
//!
//! Each record's hash covers the record before it in its stream, the stream's name and its own bytes, so nothing
//! in a stream can be changed, dropped or reordered unseen. Each group's hash covers the group before it and all
//! its bytes, so no stream can vanish unseen either. The first link of both is 32 zero bytes.

use std::fmt;

use serde::{Deserialize, Serialize};

use quorate_core::kernel::ids::StreamId;

/// 32 bytes of blake3. The default (all zero) stands before the first link.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ChainHash(pub [u8; 32]);

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(blake3::Hash::from_bytes(self.0).to_hex().as_str())
    }
}

impl fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The hash of one record: `blake3(previous ‖ kind ‖ id length (u16 BE) ‖ id ‖ record bytes)`.
pub fn record_hash(previous: &ChainHash, stream: &StreamId, bytes: &[u8]) -> ChainHash {
    let id = stream.id.as_str().as_bytes();
    let mut prefix = [0u8; 35];
    prefix[..32].copy_from_slice(&previous.0);
    prefix[32] = stream.kind.code();
    // An id is at most 256 bytes, so its length fits.
    prefix[33..].copy_from_slice(&(id.len() as u16).to_be_bytes());
    let mut hasher = blake3::Hasher::new();
    hasher.update(&prefix).update(id).update(bytes);
    ChainHash(*hasher.finalize().as_bytes())
}

/// The hash of one group, over all its bytes before the hash (the hash of the group before is among them).
pub fn group_hash(bytes: &[u8]) -> ChainHash {
    ChainHash(*blake3::hash(bytes).as_bytes())
}

/// As [`group_hash`], of bytes that are read piece by piece.
///
/// # Errors
/// When they cannot be read.
pub fn group_hash_of(bytes: impl std::io::Read) -> std::io::Result<ChainHash> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(bytes)?;
    Ok(ChainHash(*hasher.finalize().as_bytes()))
}

/// The hash under which a secret is kept: of this one context, so that it is no digest of anything else.
pub fn secret_hash(secret: &[u8]) -> [u8; 32] {
    blake3::derive_key("quorate 2026 bearer token of an identity", secret)
}

/// A key made of a secret for this one use.
pub fn derived_key(context: &str, secret: &[u8]) -> [u8; 32] {
    blake3::derive_key(context, secret)
}

/// A hash that nobody can compute without the key, over these parts back to back.
pub fn keyed_hash(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    for part in parts {
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}

/// By what the name of a stream is known again when its records are gone: of this one context, as that of a secret is.
pub fn stream_mark(stream: &StreamId) -> [u8; 16] {
    shortened(blake3::derive_key(
        "quorate 2026 name of a pruned entity",
        &[&[stream.kind.code()], stream.id.as_str().as_bytes()].concat(),
    ))
}

/// By what an idempotency key is known again when its record is gone.
pub fn key_mark(key: &str) -> [u8; 16] {
    shortened(blake3::derive_key("quorate 2026 idempotency key of a pruned record", key.as_bytes()))
}

fn shortened(hash: [u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    half
}

/// Are two hashes the same? Takes as long whatever they have in common.
pub fn same_hash(left: &[u8; 32], right: &[u8; 32]) -> bool {
    // This comparison is constant in time, as the crate documents.
    blake3::Hash::from_bytes(*left) == blake3::Hash::from_bytes(*right)
}

/// The digest of bytes that come piece by piece, as [`digest`] gives it for all of them.
#[derive(Clone, Debug, Default)]
pub struct RunningDigest(blake3::Hasher);

impl RunningDigest {
    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes so far.
    pub fn finish(&self) -> ChainHash {
        ChainHash(*self.0.finalize().as_bytes())
    }
}

/// The digest of anything else worth fingerprinting: a subject, a file, a migration.
pub fn digest(bytes: &[u8]) -> ChainHash {
    ChainHash(*blake3::hash(bytes).as_bytes())
}
