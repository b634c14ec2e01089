//! Groups, frames and payloads.

use proptest::prelude::*;
use quorate_core::kernel::ids::StreamKind;
use quorate_journal::Fault;
use quorate_journal::codec::decode;
use quorate_journal::group::Group;

use super::read::{decode_as, read_group, repair, sound_group};
use super::{cases, corpus, edit, edits, panics};

proptest! {
    #![proptest_config(cases(2_000, 1))]

    #[test]
    fn groups_of_any_bytes_are_read_or_refused(
        edits in edits(),
        body in any::<Option<(u32, u32, u32)>>(),
    ) {
        let mut bytes = sound_group();
        edit(&mut bytes, &edits);
        if let Some((frames, records, length)) = body
            && bytes.len() > 45
        {
            bytes[33..37].copy_from_slice(&frames.to_be_bytes());
            bytes[37..41].copy_from_slice(&records.to_be_bytes());
            if length.is_multiple_of(2) {
                bytes[41..45].copy_from_slice(&length.to_be_bytes());
            }
        }
        read_group(&bytes);
        repair(&mut bytes);
        read_group(&bytes);
    }

    #[test]
    fn noise_is_no_group(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read_group(&bytes);
    }

    #[test]
    fn payloads_of_every_kind_are_decoded_or_refused(
        edits in edits(),
        which in any::<usize>(),
        other in any::<usize>(),
    ) {
        let before = panics();
        for (kind, payloads) in corpus::payloads().values() {
            let mut bytes = payloads[which % payloads.len()].to_vec();
            edit(&mut bytes, &edits);
            let _ = decode_as(*kind, &bytes);
            // And as something else than it was.
            let _ = decode_as(StreamKind::ALL[other % StreamKind::ALL.len()], &bytes);
        }
        prop_assert_eq!(panics(), before);
    }
}

#[test]
fn a_giant_length_asks_for_no_memory() {
    // A text of 2^63 bytes, as a length of eight bytes says it; one of 2^40; and both inside of a list.
    for length in [u64::MAX, 1 << 63, 1 << 40, 1 << 33] {
        let text = [&[253][..], &length.to_le_bytes(), b"abc"].concat();
        assert!(matches!(decode::<String>(&text), Err(Fault::Corrupt { .. })));
        assert!(matches!(decode::<Vec<u8>>(&text), Err(Fault::Corrupt { .. })));
        assert!(matches!(decode::<Vec<u64>>(&text), Err(Fault::Corrupt { .. })));
        assert!(matches!(decode::<Vec<String>>(&[&[1][..], &text].concat()), Err(Fault::Corrupt { .. })));
    }
}

#[test]
fn a_giant_count_of_records_asks_for_no_memory() {
    let mut bytes = sound_group();
    let frame = Group::parse(&bytes).unwrap().frames().next().unwrap().unwrap();
    let count = frame.count.to_be_bytes();
    // Header, then flags, kind, id, first seq, previous group and key; then the count.
    let at = 88 + 2 + 2 + 1 + 8 + 8 + 2 + 3;
    assert_eq!(bytes[at..at + 4], count);
    bytes[at..at + 4].copy_from_slice(&u32::MAX.to_be_bytes());
    repair(&mut bytes);
    let group = Group::parse_checked(&bytes).unwrap();
    let frame = group.frames().next().unwrap().unwrap();
    assert!(matches!(frame.records(), Err(Fault::Corrupt { .. })));
}

#[test]
fn the_corpus_holds_records_of_every_kind() {
    let kinds = corpus::payloads();
    let missing: Vec<_> = StreamKind::ALL.iter().filter(|kind| !kinds.contains_key(&kind.code())).collect();
    assert!(missing.is_empty(), "{missing:?}");
    for (kind, payloads) in kinds.values() {
        payloads.iter().for_each(|payload| decode_as(*kind, payload).unwrap());
    }
}
