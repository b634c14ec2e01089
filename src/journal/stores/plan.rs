//! Checks the appends of a commit and builds the groups that hold the accepted ones.

use std::sync::Arc;

use super::heads::{Changes, Entry};
use super::walk::View;
use crate::group::GroupBuilder;
use crate::{Append, Appended, Epoch, Fault, Mark, Tip};
use quorate_core::kernel::time::Timestamp;

/// Bytes a frame has besides its records, at most: two texts of 256 bytes and the fixed fields.
const FRAME_OVERHEAD: usize = 600;

/// How large the groups of a commit may get.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Bytes of one group; only a larger append, or appends joined that are larger together, make a larger group.
    pub group_bytes: usize,
    /// Groups of one plan.
    pub groups: usize,
}

/// What a commit will write. Nothing of it is visible before it is durable.
#[derive(Debug)]
pub(super) struct Plan {
    /// One answer for each append looked at, which may be fewer than were given.
    pub answers: Vec<Appended>,
    /// The groups in order, numbered on from the tip.
    pub groups: Vec<Arc<[u8]>>,
    /// What they do to the index.
    pub changes: Changes,
    /// The end of the journal after them.
    pub tip: Tip,
}

/// Plans the commit of `appends`, as many as fit the limits and at least one.
///
/// A key that is taken is answered before a conflict, so that a repeated request is recognised whatever has
/// happened to its stream since.
pub(super) fn plan(
    view: &impl View,
    tip: &Tip,
    (epoch, at): (Epoch, Timestamp),
    appends: &[Append],
    limits: Limits,
) -> Result<Plan, Fault> {
    let mut tip = tip.clone();
    let at = at.max(tip.at);
    let mut plan = Plan {
        answers: Vec::with_capacity(appends.len()),
        groups: Vec::new(),
        changes: Changes::default(),
        tip: tip.clone(),
    };
    let mut open: Option<GroupBuilder> = None;
    for unit in appends.chunk_by(|_, next| next.joined) {
        let mut known = Vec::with_capacity(unit.len());
        let mut refusals = Vec::with_capacity(unit.len());
        for append in unit {
            assert!(append.count > 0, "an append holds at least one record");
            if u32::try_from(append.bytes.len()).is_err() {
                return Err(Fault::Corrupt {
                    what: format!("append is larger than 4 GiB. stream={}", append.stream),
                });
            }
            let entry = match plan.changes.entries.get(&append.stream) {
                Some(entry) => Some(entry.clone()),
                None => view.entry(&append.stream)?,
            };
            refusals.push(refusal(view, &plan.changes, append, entry.as_ref())?);
            known.push(entry);
        }
        if refusals.iter().any(Option::is_some) {
            plan.answers.extend(refusals.into_iter().map(|refusal| refusal.unwrap_or(Appended::Withheld)));
            continue;
        }
        let bytes: usize = unit.iter().map(|append| append.bytes.len() + FRAME_OVERHEAD).sum();
        if open.as_ref().is_some_and(|builder| builder.len() + bytes > limits.group_bytes)
            && let Some(builder) = open.take()
        {
            seal(builder, at, &mut tip, &mut plan.groups);
            if plan.groups.len() == limits.groups {
                break;
            }
        }
        let number = tip.group + 1;
        let builder =
            open.get_or_insert_with(|| GroupBuilder::new(number, tip.position + 1, epoch, at, &tip.hash));
        for (append, known) in unit.iter().zip(known) {
            builder.push(append, known.as_ref().map_or(0, |entry| entry.last_group));
            plan.answers.push(Appended::Done(tip.position + u64::from(builder.records())));
            plan.changes.add(append, known, number);
        }
    }
    if let Some(builder) = open {
        seal(builder, at, &mut tip, &mut plan.groups);
    }
    plan.tip = tip;
    Ok(plan)
}

fn refusal(
    view: &impl View,
    changes: &Changes,
    append: &Append,
    known: Option<&Entry>,
) -> Result<Option<Appended>, Fault> {
    if let Some(key) = &append.key {
        let taken = match changes.keys.get(key) {
            Some(stream) => Some(stream.clone()),
            None => view.key(key)?,
        };
        if let Some(stream) = taken {
            return Ok(Some(Appended::KeyTaken(stream)));
        }
        if let Some(pruning) = view.pruned(&Mark::of_key(key))? {
            return Ok(Some(Appended::Pruned(pruning)));
        }
    }
    if known.is_none()
        && let Some(pruning) = view.pruned(&Mark::of_stream(&append.stream))?
    {
        return Ok(Some(Appended::Pruned(pruning)));
    }
    let actual = known.map_or(0, |entry| entry.revision);
    Ok((actual != append.expected).then_some(Appended::Conflict { actual }))
}

fn seal(builder: GroupBuilder, at: Timestamp, tip: &mut Tip, groups: &mut Vec<Arc<[u8]>>) {
    let records = builder.records();
    let (bytes, hash) = builder.finish();
    groups.push(Arc::from(bytes));
    *tip = Tip { position: tip.position + u64::from(records), group: tip.group + 1, at, hash };
}
