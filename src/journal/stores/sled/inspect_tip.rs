//! Reads how far the archive reached from the raw bytes of a database, so that it need not be opened to know it.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::disk::tip_from;
use super::inspect_format::{Kind, Lsn, MARGIN, Message, SEGMENT, SEGMENT_HEADER, SegmentStart, read_at};
use super::inspect_page::values;
use crate::{ChainHash, Fault, Tip};
use quorate_core::kernel::time::Timestamp;

/// The key under which the database keeps its tip.
const KEY: &[u8] = b"archived";
/// Bytes of its value.
const TIP: usize = 56;

/// The last group that is archived in a database whose log reaches up to `before`; group 0 when there is none. What is
/// found must be compared with the chain of the journal before it is believed.
///
/// # Errors
/// [`Fault::Unavailable`] when the disk does not answer.
pub(super) fn archived(folder: &Path, before: Lsn) -> Result<Tip, Fault> {
    let nothing = Tip { position: 0, group: 0, at: Timestamp::MIN, hash: ChainHash::default() };
    let path = folder.join("db");
    let read = || -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let mut starts = Vec::new();
        for at in (0..file.metadata()?.len()).step_by(SEGMENT) {
            if let Some(first) = SegmentStart::parse(&read_at(&file, at, SEGMENT_HEADER)?) {
                starts.push((first.lsn, at));
            }
        }
        // What stands in a later segment was written later.
        starts.sort_unstable_by(|one, other| other.cmp(one));
        for (_, at) in starts {
            if let Some(value) = newest_of(&read_at(&file, at, SEGMENT)?, before) {
                return Ok(Some(value));
            }
        }
        Ok(None)
    };
    let value = read().map_err(|e| Fault::Unavailable {
        reason: format!("file cannot be read. path={}, error={e}", path.display()),
    })?;
    // What cannot be decoded is as good as nothing: the comparison refuses it.
    Ok(value.and_then(|value| tip_from(&value).ok()).unwrap_or(nothing))
}

/// The value that was written last in a segment.
fn newest_of(segment: &[u8], before: Lsn) -> Option<Vec<u8>> {
    let first = SegmentStart::parse(segment)?;
    let mut newest = None;
    let mut at = SEGMENT_HEADER;
    while at + MARGIN <= segment.len() {
        let Some(message) = Message::parse(segment, at, Some(first.number())) else { break };
        let lsn = first.lsn.saturating_add(at as Lsn);
        if message.kind == Kind::Cap || lsn >= before {
            break;
        }
        let body = &segment[message.body.clone()];
        let sets = matches!(message.kind, Kind::Link | Kind::Replace) && !message.header.is_blob();
        if sets && body.windows(KEY.len()).any(|bytes| bytes == KEY) {
            let mut found = values(body).into_iter();
            let found = found.find(|(key, value)| key == KEY && is_tip(&body[value.clone()]));
            newest = found.map(|(_, value)| body[value].to_vec()).or(newest);
        }
        at = message.body.end;
    }
    newest
}

/// Whether a value may be a tip: an idempotency key may have the same text, and its value begins with the code of a
/// kind, which a group number does not.
fn is_tip(value: &[u8]) -> bool {
    value.len() == TIP && value[0] == 0
}
