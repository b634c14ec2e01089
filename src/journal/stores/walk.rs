//! Reads records by walking groups: a stream backwards through `previous group`, the journal forwards.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Deref;
use std::sync::{Arc, Mutex};

use super::heads::Entry;
use super::lock;
use crate::group::{GROUP_VERSION, Group, GroupHeader};
use crate::{Fault, Head, Mark, Position, Pruned, Record, Seq, Tip};
use quorate_core::kernel::ids::{IdempotencyKey, StreamId};

/// What walks, checks and plans need of a store.
pub(super) trait View {
    fn tip(&self) -> Tip;
    fn entry(&self, stream: &StreamId) -> Result<Option<Entry>, Fault>;
    fn key(&self, key: &IdempotencyKey) -> Result<Option<StreamId>, Fault>;
    /// The pruning that took what has this mark.
    fn pruned(&self, mark: &Mark) -> Result<Option<u64>, Fault> {
        let _ = mark;
        Ok(None)
    }
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
    /// Groups that were met on the way to a position, by the position they begin at.
    marks: Mutex<BTreeMap<Position, u64>>,
}

/// Streams remembered.
const TRAILS: usize = 8;
/// Shorter walks are cheap enough to repeat.
const TRAIL_MIN: usize = 16;
/// Groups remembered by their position; above it all are forgotten.
const MARKS: usize = 65_536;

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

    /// The known groups around a position: the last one that begins at or before it, and the first one behind it.
    fn around(&self, position: Position) -> [Option<(Position, u64)>; 2] {
        let marks = lock(&self.marks);
        let copied = |(at, group): (&Position, &u64)| (*at, *group);
        let before = marks.range(..=position).next_back().map(copied);
        [before, marks.range(position.saturating_add(1)..).next().map(copied)]
    }

    fn remember(&self, position: Position, group: u64) {
        let mut marks = lock(&self.marks);
        if marks.len() >= MARKS {
            marks.clear();
        }
        marks.insert(position, group);
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
    let Some(entry) = view.entry(stream)? else {
        return still_there(view, stream).map(|()| out);
    };
    if limit == 0 || after >= entry.revision {
        return Ok(out);
    }
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

/// The end of one stream.
pub(super) fn head(view: &impl View, stream: &StreamId) -> Result<Option<Head>, Fault> {
    match view.entry(stream)? {
        Some(entry) => Ok(Some(entry.head())),
        None => still_there(view, stream).map(|()| None),
    }
}

/// The stream that an idempotency key was first used for.
pub(super) fn find_key(view: &impl View, key: &IdempotencyKey) -> Result<Option<StreamId>, Fault> {
    if let Some(stream) = view.key(key)? {
        return Ok(Some(stream));
    }
    match view.pruned(&Mark::of_key(key))? {
        Some(pruning) => {
            Err(Fault::Pruned { what: "what was asked under this idempotency key".into(), pruning })
        }
        None => Ok(None),
    }
}

/// Refuses a stream without records that once had some.
fn still_there(view: &impl View, stream: &StreamId) -> Result<(), Fault> {
    match view.pruned(&Mark::of_stream(stream))? {
        Some(pruning) => Err(Fault::Pruned { what: stream.to_string(), pruning }),
        None => Ok(()),
    }
}

/// What pruned records left at the positions after `after`, of at most `limit` positions.
pub(super) fn pruned(
    view: &impl View,
    trails: &Trails,
    after: Position,
    limit: usize,
) -> Result<Vec<Pruned>, Fault> {
    let tip = view.tip();
    let last = after.saturating_add(limit as u64).min(tip.position);
    let mut out = Vec::new();
    // A journal that was pruned begins with a group that was written anew, as all are that were there.
    if after >= last || GroupHeader::parse(&group(view, 1)?)?.version < GROUP_VERSION {
        return Ok(out);
    }
    for number in locate(view, trails, &tip, after + 1)?..=tip.group {
        let bytes = group(view, number)?;
        let group = Group::parse(&bytes)?;
        if group.header.first_position > last {
            break;
        }
        for mut run in group.pruned()? {
            let early = usize::try_from((after + 1).saturating_sub(run.first_position)).unwrap_or(usize::MAX);
            let late = usize::try_from((last + 1).saturating_sub(run.first_position)).unwrap_or(usize::MAX);
            run.leaves.truncate(late);
            run.leaves.drain(..early.min(run.leaves.len()));
            run.first_position += early as u64;
            if !run.leaves.is_empty() {
                out.push(run);
            }
        }
    }
    Ok(out)
}

/// The group that holds a position. Positions grow with group numbers: every other step guesses by how far the position lies
/// between the two ends, and those between halve what is left.
fn locate(view: &impl View, trails: &Trails, tip: &Tip, position: Position) -> Result<u64, Fault> {
    let [before, behind] = trails.around(position);
    let (mut low, mut low_at) = before.map_or((1, 1), |(at, group)| (group, at));
    let (mut high, mut high_at) = behind.map_or((tip.group, tip.position + 1), |(at, group)| (group - 1, at));
    let mut guesses = true;
    while low < high {
        let left = high - low;
        let step = if guesses {
            let share =
                u128::from(position - low_at) * u128::from(left + 1) / u128::from((high_at - low_at).max(1));
            u64::try_from(share).unwrap_or(left).clamp(1, left)
        } else {
            left.div_ceil(2)
        };
        guesses = !guesses;
        let number = low + step;
        let header = GroupHeader::parse(&group(view, number)?)?;
        let (first, behind) = (header.first_position, header.last_position().saturating_add(1));
        trails.remember(first, number);
        if number < tip.group {
            trails.remember(behind, number + 1);
        }
        if (first..behind).contains(&position) {
            return Ok(number);
        }
        if first <= position {
            (low, low_at) = (number, first);
        } else {
            (high, high_at) = (number - 1, first);
        }
    }
    Ok(low)
}

/// The records at these positions, which grow.
pub(super) fn records_at(
    view: &impl View,
    trails: &Trails,
    positions: &[Position],
) -> Result<Vec<Record>, Fault> {
    let tip = view.tip();
    let (mut out, mut rest) = (Vec::with_capacity(positions.len()), positions);
    while let Some(next) = rest.first().copied().filter(|next| *next <= tip.position) {
        let bytes = group(view, locate(view, trails, &tip, next)?)?;
        let group = Group::parse(&bytes)?;
        let here = rest.partition_point(|position| *position <= group.header.last_position());
        // A group that does not hold what it was located for is damaged; the next position is looked for.
        let (wanted, later) = rest.split_at(here.max(1));
        rest = later;
        for frame in group.frames() {
            let frame = frame?;
            let first = wanted.partition_point(|position| *position < frame.first_position);
            if wanted.get(first).is_some_and(|position| *position <= frame.last_position()) {
                let records = frame.records()?.into_iter();
                out.extend(records.filter(|record| wanted.binary_search(&record.position).is_ok()));
            }
        }
    }
    Ok(out)
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
        None => locate(view, trails, &tip, after + 1)?,
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

/// The bytes of the groups after this one, as many as `max_bytes` hold and at least one.
pub(super) fn groups(view: &impl View, after: u64, max_bytes: usize) -> Result<Vec<Arc<[u8]>>, Fault> {
    let (tip, mut out, mut left) = (view.tip(), Vec::new(), max_bytes);
    for number in after.saturating_add(1)..=tip.group {
        let bytes = group(view, number)?;
        if !out.is_empty() && bytes.len() > left {
            break;
        }
        left = left.saturating_sub(bytes.len());
        out.push(Arc::from(&*bytes));
    }
    Ok(out)
}

/// Last records of settling appends before position `before`, newest first, at most `limit`.
pub(super) fn settled_before(
    view: &impl View,
    trails: &Trails,
    before: Position,
    limit: usize,
) -> Result<Vec<Record>, Fault> {
    let tip = view.tip();
    let mut out = Vec::new();
    if limit == 0 || before <= 1 || tip.position == 0 {
        return Ok(out);
    }
    let mut number = locate(view, trails, &tip, tip.position.min(before - 1))?;
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
