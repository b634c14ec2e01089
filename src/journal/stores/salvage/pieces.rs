//! Puts groups together that sled keeps in pieces.
//!
//! A group too large for one value stands in pieces of 64 KiB, each under the key `group number 8 · 0 · piece 4`. They
//! are sought in the messages of sled's log, whether these fit their checksums or not: the hash of the group decides.

use std::collections::BTreeMap;

use super::scan::{Extent, Files, Found, Suspect};
use crate::Fault;
use crate::group::Group;
use crate::stores::sled::inspect_format::{Header, Kind, MARGIN, Message, SEGMENT, SEGMENT_HEADER};
use crate::stores::sled::inspect_page::values;

/// Bytes of one piece.
const PIECE: usize = 64 << 10;
/// Bytes of the key of a piece.
const KEY: usize = 13;
/// Combinations of pieces tried for one group.
const TRIES: usize = 256;

type Pieces = BTreeMap<(u64, u32), Vec<Extent>>;

/// Puts together the suspects that begin in a first piece.
pub(super) fn assemble(files: &Files, suspects: &[Suspect]) -> Result<Vec<Found>, Fault> {
    let mut out: Vec<Found> = Vec::new();
    let large = || suspects.iter().filter(|suspect| suspect.header.total_len() > PIECE);
    if large().next().is_none() {
        return Ok(out);
    }
    let mut pieces = Pieces::new();
    for file in (0..files.len()).filter(|file| files.path(*file).ends_with("db")) {
        for start in (0..files.length(file)).step_by(SEGMENT) {
            collect(&files.read(file, start, SEGMENT)?, file, start, &mut pieces);
        }
    }
    for suspect in large() {
        let (number, total) = (suspect.header.number, suspect.header.total_len());
        let firsts = pieces.get(&(number, 0)).map_or(&[][..], Vec::as_slice);
        if !firsts
            .iter()
            .any(|first| (first.file, first.offset) == (suspect.place.file, suspect.place.offset))
        {
            continue;
        }
        let count = total.div_ceil(PIECE) as u32;
        let Some(choices) = (0..count).map(|n| pieces.get(&(number, n))).collect::<Option<Vec<_>>>() else {
            continue;
        };
        // The newest pieces first: they are most likely of one writing.
        for choice in 0..TRIES {
            let mut left = choice;
            let place: Vec<Extent> = choices
                .iter()
                .map(|found| {
                    let at = left % found.len();
                    left /= found.len();
                    found[found.len() - 1 - at]
                })
                .collect();
            if left > 0 {
                break;
            }
            let bytes = files.gather(&place)?;
            if let Ok(group) = Group::parse_checked(&bytes)
                && group.header.number == number
            {
                out.push(Found { header: group.header, hash: group.hash, place });
                break;
            }
        }
    }
    Ok(out)
}

/// Takes the pieces out of the messages of one segment.
fn collect(segment: &[u8], file: usize, start: u64, pieces: &mut Pieces) {
    let mut at = SEGMENT_HEADER;
    while at + MARGIN <= segment.len() {
        let sound = Message::parse(segment, at, None);
        let believed = sound.is_some();
        // One flipped bit in a body leaves its message as long as it was.
        let header = sound.map(|message| message.header).or_else(|| Header::parse(&segment[at..]));
        let Some((header, end)) = header
            .and_then(|header| Some((header, at.checked_add(header.total()?)?)))
            .filter(|(header, end)| *end <= segment.len() && header.kind().is_some())
        else {
            at += 1;
            continue;
        };
        if matches!(header.kind(), Some(Kind::Link | Kind::Replace)) && !header.is_blob() {
            let body = at + header.size();
            for (key, value) in values(&segment[body..end]) {
                let Some((number, index)) = piece_key(&key) else { continue };
                let (offset, length) = (start + (body + value.start) as u64, value.len());
                if length <= PIECE {
                    pieces.entry((number, index)).or_default().push(Extent { file, offset, length });
                }
            }
        }
        let leads = believed || Message::parse(segment, end, None).is_some();
        at = if leads { end } else { at + 1 };
    }
}

fn piece_key(key: &[u8]) -> Option<(u64, u32)> {
    let (number, rest) = key.split_first_chunk::<8>()?;
    let index = rest.strip_prefix(&[0])?;
    (key.len() == KEY).then_some(())?;
    Some((u64::from_be_bytes(*number), u32::from_be_bytes(index.try_into().ok()?)))
}
