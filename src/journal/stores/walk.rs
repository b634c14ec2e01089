//! Reads records by walking groups: a stream backwards through `previous group`, the journal forwards.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::{Arc, Mutex};

use super::heads::Entry;
use super::lock;
use crate::group::{Group, GroupHeader};
use crate::{Fault, Position, Record, Seq, Tip};
use quorate_core::kernel::ids::{IdempotencyKey, StreamId};

/// What walks, checks and plans need of a store.
pub(super) trait View {
    fn tip(&self) -> Tip;
    fn entry(&self, stream: &StreamId) -> Result<Option<Entry>, Fault>;
    fn key(&self, key: &IdempotencyKey) -> Result<Option<StreamId>, Fault>;
    /// The stored bytes of a group, sound or not.
    fn group(&self, number: u64) -> Result<Option<GroupBytes>, Fault>;
}

/// The bytes of one group, inside the larger value they are kept in.
#[derive(Clone, Debug)]
pub(super) struct GroupBytes {
    pub within: Arc<[u8]>,
    pub start: usize,
    pub end: usize,
    /// The bytes fit their hash.
    pub sound: bool,
}

impl GroupBytes {
    /// A group that was built or checked by this process.
    pub fn whole(bytes: Arc<[u8]>) -> Self {
        GroupBytes { start: 0, end: bytes.len(), within: bytes, sound: true }
    }
}

impl Deref for GroupBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.within[self.start..self.end]
    }
}

fn damaged(what: String) -> Fault {
    Fault::Corrupt { what }
}

fn group(view: &impl View, number: u64) -> Result<GroupBytes, Fault> {
    let bytes = view.group(number)?.ok_or_else(|| damaged(format!("group is missing. number={number}")))?;
    if bytes.sound {
        Ok(bytes)
    } else {
        Err(damaged(format!("group does not fit its hash. number={number}")))
    }
}

/// One group on the way back through a stream.
#[derive(Clone, Copy, Debug)]
struct Step {
    number: u64,
    first_seq: Seq,
    /// The group before it that holds the stream, 0 for none.
    previous: u64,
}

/// Remembers where long walks went, so that reading a stream or the journal page by page costs one walk and not
/// one per page. Groups never change, so nothing remembered here can become wrong.
#[derive(Debug, Default)]
pub(super) struct Trails {
    streams: Mutex<VecDeque<(StreamId, Arc<Vec<Step>>)>>,
    /// The position a scan ended before, and a group at or before it.
    scan: Mutex<Option<(Position, u64)>>,
}

/// Streams remembered.
const TRAILS: usize = 8;
/// Shorter walks are cheap enough to repeat.
const TRAIL_MIN: usize = 16;

impl Trails {
    /// The groups of a stream from `last_group` back to the one with the record after `after`, newest first. May
    /// go back further.
    fn walk(
        &self,
        view: &impl View,
        stream: &StreamId,
        last_group: u64,
        after: Seq,
    ) -> Result<Arc<Vec<Step>>, Fault> {
        let mut known = lock(&self.streams).iter().find(|(s, _)| s == stream).map(|(_, steps)| steps.clone());
        let mut steps: Vec<Step> = Vec::new();
        let mut number = last_group;
        loop {
            if let Some(trail) =
                known.take_if(|trail| trail.first().is_some_and(|step| step.number == number))
            {
                let covers = trail.last().is_some_and(|step| step.first_seq <= after + 1);
                if steps.is_empty() && covers {
                    return Ok(trail);
                }
                steps.extend(trail.iter());
            } else {
                steps.push(step(view, stream, number)?);
            }
            let Some(oldest) = steps.last().filter(|step| step.first_seq > after + 1) else { break };
            number = oldest.previous;
        }
        let steps = Arc::new(steps);
        if steps.len() >= TRAIL_MIN {
            let mut trails = lock(&self.streams);
            trails.retain(|(s, _)| s != stream);
            trails.push_front((stream.clone(), steps.clone()));
            trails.truncate(TRAILS);
        }
        Ok(steps)
    }

    fn scan_hint(&self, position: Position) -> Option<u64> {
        lock(&self.scan).filter(|(at, _)| *at == position).map(|(_, group)| group)
    }
}

fn step(view: &impl View, stream: &StreamId, number: u64) -> Result<Step, Fault> {
    let bytes = group(view, number)?;
    let group = Group::parse(&bytes)?;
    // Later frames of the stream in the same group point to this group itself.
    let first = group.frames_of(stream).next().transpose()?;
    let frame = first.ok_or_else(|| {
        damaged(format!("group does not hold the stream. number={number}, stream={stream}"))
    })?;
    if frame.previous_group >= number || (frame.previous_group == 0) != (frame.first_seq == 1) {
        return Err(damaged(format!("group points astray. number={number}, stream={stream}")));
    }
    Ok(Step { number, first_seq: frame.first_seq, previous: frame.previous_group })
}

/// Records of one stream after `after`, oldest first, at most `limit`.
pub(super) fn read(
    view: &impl View,
    trails: &Trails,
    stream: &StreamId,
    after: Seq,
    limit: usize,
) -> Result<Vec<Record>, Fault> {
    let mut out = Vec::new();
    let Some(entry) = view.entry(stream)?.filter(|entry| limit > 0 && after < entry.revision) else {
        return Ok(out);
    };
    let steps = trails.walk(view, stream, entry.last_group, after)?;
    let newer = steps.partition_point(|step| step.first_seq > after + 1);
    for step in steps[..=newer.min(steps.len() - 1)].iter().rev() {
        let bytes = group(view, step.number)?;
        for frame in Group::parse(&bytes)?.frames_of(stream) {
            let frame = frame?;
            if frame.last_seq() <= after {
                continue;
            }
            out.extend(frame.records()?.into_iter().filter(|r| r.seq > after).take(limit - out.len()));
            if out.len() == limit {
                return Ok(out);
            }
        }
    }
    Ok(out)
}

/// The group that holds a position, found by halving: positions grow with group numbers.
fn locate(view: &impl View, tip: &Tip, position: Position) -> Result<u64, Fault> {
    let (mut low, mut high) = (1, tip.group);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if GroupHeader::parse(&group(view, middle)?)?.first_position <= position {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    Ok(low)
}

/// Records after position `after` in global order, at most `limit`.
pub(super) fn scan(
    view: &impl View,
    trails: &Trails,
    after: Position,
    limit: usize,
) -> Result<Vec<Record>, Fault> {
    let tip = view.tip();
    let mut out = Vec::new();
    if limit == 0 || after >= tip.position {
        return Ok(out);
    }
    let start = match trails.scan_hint(after) {
        Some(number) => number,
        None => locate(view, &tip, after + 1)?,
    };
    for number in start..=tip.group {
        let bytes = group(view, number)?;
        for frame in Group::parse(&bytes)?.frames() {
            let frame = frame?;
            if frame.last_position() <= after {
                continue;
            }
            out.extend(frame.records()?.into_iter().filter(|r| r.position > after).take(limit - out.len()));
            if out.len() == limit {
                *lock(&trails.scan) = out.last().map(|record| (record.position, number));
                return Ok(out);
            }
        }
    }
    *lock(&trails.scan) = Some((tip.position, tip.group));
    Ok(out)
}

/// Last records of settling appends before position `before`, newest first, at most `limit`.
pub(super) fn settled_before(view: &impl View, before: Position, limit: usize) -> Result<Vec<Record>, Fault> {
    let tip = view.tip();
    let mut out = Vec::new();
    if limit == 0 || before <= 1 || tip.position == 0 {
        return Ok(out);
    }
    let mut number = locate(view, &tip, tip.position.min(before - 1))?;
    while number > 0 {
        let bytes = group(view, number)?;
        let frames = Group::parse(&bytes)?.frames_that_settle().collect::<Result<Vec<_>, _>>()?;
        for frame in frames.into_iter().rev().filter(|frame| frame.last_position() < before) {
            out.extend(frame.records()?.pop());
            if out.len() == limit {
                return Ok(out);
            }
        }
        number -= 1;
    }
    Ok(out)
}
