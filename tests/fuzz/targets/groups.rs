//! Groups and frames: as they come, changed from a sound one, and with the hash put right.
#![no_main]

#[path = "../read.rs"]
mod read;

use libfuzzer_sys::fuzz_target;
use read::{decode_as, read_group, repair, sound_group};

/// Writes the bytes over a sound group: a place of two bytes, then up to seven bytes for it, again and again.
fn changed(mut data: &[u8]) -> Vec<u8> {
    let mut group = sound_group();
    while let [high, low, count, rest @ ..] = data {
        let count = usize::from(*count % 8).min(rest.len());
        let at = usize::from(u16::from_be_bytes([*high, *low])) % group.len();
        let end = (at + count).min(group.len());
        group[at..end].copy_from_slice(&rest[..end - at]);
        data = &rest[count..];
    }
    group
}

fuzz_target!(|data: &[u8]| {
    let Some((mode, data)) = data.split_first() else { return };
    let mut bytes = if mode % 2 == 0 { data.to_vec() } else { changed(data) };
    read_group(&bytes);
    repair(&mut bytes);
    read_group(&bytes);
    if let Some(kind) = quorate_core::kernel::ids::StreamKind::ALL.get(usize::from(*mode)) {
        // What stands in a frame is a payload of some kind.
        let _ = decode_as(*kind, data);
    }
});
