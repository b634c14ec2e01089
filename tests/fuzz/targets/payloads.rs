//! The payload of a record of every kind.
#![no_main]

#[path = "../read.rs"]
mod read;

use libfuzzer_sys::fuzz_target;
use quorate_core::kernel::ids::StreamKind;
use read::{decode_as, read_group, repair, sound_group};

fuzz_target!(|data: &[u8]| {
    let Some((kind, payload)) = data.split_first() else { return };
    let _ = decode_as(StreamKind::ALL[usize::from(*kind) % StreamKind::ALL.len()], payload);
    if payload.is_empty() {
        let mut group = sound_group();
        repair(&mut group);
        read_group(&group);
    }
});
