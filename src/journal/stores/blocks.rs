//! Groups that were read: neighbours come together, so that walking the journal is not one question a group.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::lock;
use super::walk::GroupBytes;
use crate::group::Group;

/// Groups read at a time once it is seen that they are read in order.
const RUN: u64 = 16;
/// Reads kept at hand.
const KEPT: usize = 32;

/// What was read together, in order without gaps.
#[derive(Debug)]
struct Block {
    first: u64,
    groups: Vec<GroupBytes>,
}

/// The groups read last.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    kept: Mutex<VecDeque<Block>>,
}

impl Blocks {
    pub fn find(&self, number: u64) -> Option<GroupBytes> {
        let at = |block: &Block| usize::try_from(number.checked_sub(block.first)?).ok();
        lock(&self.kept).iter().find_map(|block| block.groups.get(at(block)?).cloned())
    }

    /// Which groups to read for the sake of this one, the last one included.
    pub fn worth(&self, number: u64) -> (u64, u64) {
        let kept = lock(&self.kept);
        match kept.front() {
            Some(last) if last.first + last.groups.len() as u64 == number => (number, number + RUN - 1),
            Some(last) if last.first == number + 1 => (number.saturating_sub(RUN - 1).max(1), number),
            _ => (number, number),
        }
    }

    /// Keeps what was read, up to the first gap.
    pub fn keep(&self, rows: Vec<(u64, Vec<u8>)>) {
        let Some(first) = rows.first().map(|(number, _)| *number) else { return };
        let in_order =
            rows.into_iter().enumerate().take_while(|(n, (number, _))| first + *n as u64 == *number);
        let groups = in_order.map(|(_, (number, bytes))| {
            let sound = Group::parse_checked(&bytes).is_ok_and(|group| group.header.number == number);
            let within: Arc<[u8]> = Arc::from(bytes);
            GroupBytes { start: 0, end: within.len(), within, sound }
        });
        let block = Block { first, groups: groups.collect() };
        let mut kept = lock(&self.kept);
        kept.push_front(block);
        kept.truncate(KEPT);
    }
}
