//! The verification walk: every hash, link, position and chain, in the order they were written.

use super::walk::View;
use crate::group::{Frame, Group};
use crate::{Broken, ChainHash, Fault, Position, Seq, Tip, VerifyCursor, VerifyStep};
use quorate_core::kernel::ids::StreamId;

/// Checks at most `limit` groups after the cursor; at the end also that tip and heads agree with what was read.
pub(super) fn verify(view: &impl View, mut cursor: VerifyCursor, limit: usize) -> Result<VerifyStep, Fault> {
    let tip = view.tip();
    let mut left = limit;
    while cursor.group < tip.group && left > 0 {
        if let Some(broken) = check_group(view, &mut cursor)? {
            return Ok(VerifyStep { cursor, done: true, broken: Some(broken) });
        }
        left -= 1;
    }
    let done = cursor.group >= tip.group;
    let broken = if done { check_ends(view, &cursor, &tip)? } else { None };
    Ok(VerifyStep { cursor, done, broken })
}

/// Checks the group after the cursor and moves the cursor behind it.
fn check_group(view: &impl View, cursor: &mut VerifyCursor) -> Result<Option<Broken>, Fault> {
    let Some(bytes) = view.group(cursor.group + 1)? else {
        let (group, why) = (cursor.group + 1, "group is missing".into());
        return Ok(Some(Broken { group, position: None, record: None, why }));
    };
    Ok(check_bytes(&bytes, cursor, &|frame| hash_before(view, frame)).err())
}

/// Checks that these bytes are the group after the cursor, every hash and link in it, and moves the cursor behind it.
///
/// # Errors
/// The first thing that does not fit.
pub fn check_next(bytes: &[u8], cursor: &mut VerifyCursor) -> Result<(), Broken> {
    check_bytes(bytes, cursor, &|_| None)
}

/// The chain hash that the record before a frame has, in a group that the walk did not come by.
fn hash_before(view: &impl View, frame: &Frame<'_>) -> Option<ChainHash> {
    let bytes = view.group(frame.previous_group).ok()??;
    let group = Group::parse(&bytes).ok()?;
    let before = group.frames_of(&frame.stream).filter_map(Result::ok).last()?;
    (before.last_seq() + 1 == frame.first_seq).then(|| before.hash().ok()).flatten()
}

/// What the record before a frame has as its chain hash.
type Before<'a> = dyn Fn(&Frame<'_>) -> Option<ChainHash> + 'a;

fn check_bytes(bytes: &[u8], cursor: &mut VerifyCursor, before: &Before<'_>) -> Result<(), Broken> {
    let number = cursor.group + 1;
    let broken = |why: String| Err(Broken { group: number, position: None, record: None, why });
    let group = match Group::parse(bytes) {
        Ok(group) => group,
        Err(fault) => return broken(fault.to_string()),
    };
    let hash_fits = Group::parse_checked(bytes).is_ok();
    let header = &group.header;
    if hash_fits {
        if header.number != number {
            return broken(format!("group has another number. found={}", header.number));
        }
        if header.previous != cursor.hash {
            return broken("group does not link to the group before".into());
        }
        if header.first_position != cursor.position + 1 {
            return broken(format!(
                "positions have a gap. expected={}, found={}",
                cursor.position + 1,
                header.first_position
            ));
        }
    }
    // Also when the group's own hash is broken: the first record that leaves its chain says where.
    let mut records = 0;
    for frame in group.frames() {
        let checked = frame.map_err(|fault| (None, None, fault.to_string()));
        match checked.and_then(|frame| check_frame(&frame, number, cursor, before).map(|()| frame.count)) {
            Ok(count) => records += u64::from(count),
            Err((position, record, why)) => return Err(Broken { group: number, position, record, why }),
        }
    }
    let mut pruned = cursor.pruned.clone();
    match group.pruned() {
        Ok(runs) => {
            for run in runs {
                let count = run.leaves.len() as u64;
                records += count;
                *pruned.entry(run.pruning).or_default() += count;
            }
        }
        Err(fault) => return broken(fault.to_string()),
    }
    if !hash_fits {
        return broken("group does not fit its hash".into());
    }
    if records != u64::from(header.records) {
        return broken(format!("group has a wrong count. said={}, found={records}", header.records));
    }
    *cursor = VerifyCursor {
        group: number,
        began: cursor.began,
        hash: group.hash,
        position: cursor.position + records,
        pruned,
        streams: std::mem::take(&mut cursor.streams),
    };
    Ok(())
}

type Misplaced = (Option<Position>, Option<(StreamId, Seq)>, String);

fn check_frame(
    frame: &Frame<'_>,
    number: u64,
    cursor: &mut VerifyCursor,
    before: &Before<'_>,
) -> Result<(), Misplaced> {
    let at = |why: &str| {
        let record = Some((frame.stream.clone(), frame.first_seq));
        Err((Some(frame.first_position), record, why.to_owned()))
    };
    let (revision, hash) = match cursor.streams.get(&frame.stream) {
        Some(known) => *known,
        None if cursor.began > 0 && frame.first_seq > 1 => match before(frame) {
            Some(hash) => (frame.first_seq - 1, hash),
            None => return at("the record before it in its stream cannot be read"),
        },
        None => Default::default(),
    };
    if frame.first_seq != revision + 1 {
        return at(&format!("stream has a gap. expected={}", revision + 1));
    }
    if frame.previous_group > number || (frame.previous_group == 0) != (frame.first_seq == 1) {
        return at(&format!("stream points to an implausible earlier group. found={}", frame.previous_group));
    }
    let hash = frame
        .first_misfit(hash)
        .map_err(|misfit| (Some(misfit.position), Some((frame.stream.clone(), misfit.seq)), misfit.why))?;
    cursor.streams.insert(frame.stream.clone(), (frame.last_seq(), hash));
    Ok(())
}

fn check_ends(view: &impl View, cursor: &VerifyCursor, tip: &Tip) -> Result<Option<Broken>, Fault> {
    let broken = |why: String, record| Ok(Some(Broken { group: cursor.group, position: None, record, why }));
    if (cursor.group, cursor.position, cursor.hash) != (tip.group, tip.position, tip.hash) {
        return broken(format!("journal does not end where the store says. said={}", tip.position), None);
    }
    for (stream, (revision, hash)) in &cursor.streams {
        let entry = view.entry(stream)?;
        // A stream written to while the walk went on is for the next walk.
        if entry.as_ref().is_some_and(|entry| entry.last_group > cursor.group) {
            continue;
        }
        if entry.is_none_or(|entry| (entry.revision, entry.hash) != (*revision, *hash)) {
            let record = Some((stream.clone(), *revision));
            return broken("the index does not agree with the end of the stream".into(), record);
        }
    }
    Ok(None)
}

#[cfg(test)]
#[path = "verify_test.rs"]
mod tests;
