//! Values of any size, cut into pieces.
//!
//! sled keeps a page above a quarter of its segment in a file of its own, which it neither flushes nor syncs. A
//! page holds up to 16 values, so no value here is larger than a 16th of that.

use ::sled::Tree;

use super::disk::{broken, damaged};
use crate::Fault;
use crate::chain::digest;

/// Bytes of one piece.
const PIECE: usize = 64 << 10;

fn piece_key(key: &[u8], index: u32) -> Vec<u8> {
    let mut out = prefix(key);
    out.extend_from_slice(&index.to_be_bytes());
    out
}

fn prefix(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

/// Writes a value under `key`. No key may be another one followed by a zero byte.
pub(super) fn put(tree: &Tree, key: &[u8], bytes: &[u8]) -> Result<(), Fault> {
    let mut count = 0;
    for piece in bytes.chunks(PIECE) {
        tree.insert(piece_key(key, count), piece).map_err(broken)?;
        count += 1;
    }
    // Pieces of a longer value that was here before.
    for old in tree.range(piece_key(key, count)..=piece_key(key, u32::MAX)).keys() {
        tree.remove(old.map_err(broken)?).map_err(broken)?;
    }
    Ok(())
}

/// The value under `key`, empty when there is none.
pub(super) fn get(tree: &Tree, key: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::new();
    for piece in tree.scan_prefix(prefix(key)).values() {
        out.extend_from_slice(&piece.map_err(broken)?);
    }
    Ok(out)
}

/// Writes a value with a digest over key and value.
pub(super) fn put_checked(tree: &Tree, key: &[u8], bytes: &[u8]) -> Result<(), Fault> {
    let sum = digest(&[key, bytes].concat());
    put(tree, key, &[&sum.0, bytes].concat())
}

/// A value written by [`put_checked`]. Absent when it was never written, was damaged, or was being replaced when
/// the process died.
pub(super) fn get_checked(tree: &Tree, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
    let mut bytes = match get(tree, key) {
        Ok(bytes) => bytes,
        Err(fault) if damaged(&fault) => return Ok(None),
        Err(fault) => return Err(fault),
    };
    let Some((sum, value)) = bytes.split_first_chunk::<32>() else { return Ok(None) };
    if digest(&[key, value].concat()).0 != *sum {
        return Ok(None);
    }
    Ok(Some(bytes.split_off(32)))
}
