//! Opening: puts the groups behind the archived mark back in order.
//!
//! A group behind the mark counts when it follows the one before it without a gap, fits its hash and links to the
//! hash of the group before. What does not was never acknowledged, or was damaged since, and is dropped.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::super::heads::{Changes, Index};
use super::disk::{Disk, Slot, corrupt};
use crate::journal::group::{GROUP_HEADER, Group, GroupHeader};
use crate::journal::{Fault, OpenReport, Tip};

/// The journal behind the archived mark.
#[derive(Debug)]
pub(super) struct Tail {
    pub tip: Tip,
    pub groups: VecDeque<Arc<[u8]>>,
    pub index: Index,
    pub report: OpenReport,
    /// Every group stands in the slot its number falls on.
    pub in_place: bool,
}

/// What was found behind the mark, by group number.
#[derive(Default)]
struct Found {
    groups: BTreeMap<u64, (Arc<[u8]>, Option<usize>)>,
    damaged: Vec<(usize, Option<GroupHeader>, String)>,
    /// Where each group or damage stands, to clear it.
    slots: Vec<(Option<u64>, Slot)>,
}

pub(super) fn replay(disk: &Disk, slots: usize) -> Result<Tail, Fault> {
    let mark = disk.archived()?;
    let mut found = find(disk, &mark)?;
    let mut tail = Tail {
        tip: mark,
        groups: VecDeque::new(),
        index: Index::default(),
        report: OpenReport::default(),
        in_place: true,
    };
    let mut changes = Changes::default();
    while let Some((bytes, slot)) = found.groups.remove(&(tail.tip.group + 1)) {
        let group = Group::parse(&bytes)?;
        let header = &group.header;
        if header.previous != tail.tip.hash || header.first_position != tail.tip.position + 1 {
            tail.report
                .dropped
                .push(format!("group does not link to the one before. number={}", header.number));
            break;
        }
        changes.fold(&group, |stream| disk.entry(stream), |_, _| ())?;
        tail.tip =
            Tip { position: header.last_position(), group: header.number, at: header.at, hash: group.hash };
        tail.in_place &= slot == Some((header.number % slots as u64) as usize);
        tail.report.groups_replayed += 1;
        tail.groups.push_back(bytes.clone());
    }
    tail.in_place &= tail.groups.len() <= slots;
    tail.index.apply(changes);
    drop_rest(disk, found, slots, &mut tail)?;
    Ok(tail)
}

fn find(disk: &Disk, mark: &Tip) -> Result<Found, Fault> {
    let mut found = Found::default();
    // Packs behind the mark are from a round that a crash cut short. The index may already know their groups.
    for pack in disk.packs_after(mark.group) {
        for (number, bytes) in pack?.groups().filter(|(_, bytes)| bytes.sound) {
            found.groups.insert(number, (Arc::from(&*bytes), None));
        }
    }
    for slot in disk.slots()? {
        let bytes = slot.bytes.clone();
        match Group::parse_checked(&bytes) {
            Err(fault @ Fault::NewerVersion { .. }) => return Err(fault),
            Err(fault) => {
                let header = GroupHeader::parse(&bytes).ok();
                // The pieces of a large group leave the ring when it is archived.
                if bytes.len() == GROUP_HEADER
                    && header.as_ref().is_some_and(|header| header.number <= mark.group)
                {
                    continue;
                }
                found.damaged.push((slot.number, header, fault.to_string()));
                found.slots.push((None, slot));
            }
            Ok(group) if group.header.number > mark.group => {
                let number = group.header.number;
                found.groups.insert(number, (bytes.clone(), Some(slot.number)));
                found.slots.push((Some(number), slot));
            }
            Ok(_) => {}
        }
    }
    Ok(found)
}

/// Reports and clears what is not part of the journal, so that it can never be taken for part of it later.
fn drop_rest(disk: &Disk, found: Found, slots: usize, tail: &mut Tail) -> Result<(), Fault> {
    let next = tail.tip.group + 1;
    for (slot, header, why) in &found.damaged {
        let number = header.as_ref().map(|header| header.number);
        // Group `next + 1` is written only after `next` was handed to the disk whole, so this is no torn write.
        if (number == Some(next) || *slot as u64 == next % slots as u64)
            && found.groups.contains_key(&(next + 1))
        {
            return Err(corrupt(format!(
                "a group in the ring is damaged and a later one is not. group={next}, slot={slot}, why={why}"
            )));
        }
        if number.is_none_or(|number| number >= next) {
            tail.report
                .dropped
                .push(format!("slot is damaged. slot={slot}, after_group={}, why={why}", next - 1));
        }
    }
    for number in found.groups.keys() {
        tail.report
            .dropped
            .push(format!("group stands behind a gap. number={number}, after_group={}", next - 1));
    }
    let stale = found.slots.iter().filter(|(number, _)| number.is_none_or(|number| number >= next));
    for (_, slot) in stale {
        slot.clear()?;
    }
    disk.remove_packs_after(tail.tip.group)?;
    if tail.report.dropped.is_empty() {
        return Ok(());
    }
    disk.make_ring_durable()?;
    disk.make_durable()
}
