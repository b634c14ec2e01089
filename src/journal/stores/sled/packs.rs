//! Archived groups: values of several groups back to back, found by the number of their first.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::super::lock;
use super::super::walk::GroupBytes;
use super::disk::{Disk, broken};
use super::layout::Fields;
use crate::Fault;
use crate::group::{Group, GroupHeader};

/// Packs kept at hand, so that neighbouring look-ups load and check a pack once.
const KEPT: usize = 64;

/// One pack, taken apart and checked.
#[derive(Debug)]
pub(super) struct Pack {
    first: u64,
    groups: Vec<GroupBytes>,
}

impl Pack {
    /// Takes the groups apart. Behind a damaged length nothing can be found, so the rest counts as one group.
    pub fn split(first: u64, bytes: Arc<[u8]>) -> Self {
        let mut groups = Vec::new();
        let mut start = 0;
        while start < bytes.len() {
            let length = GroupHeader::parse(&bytes[start..]).map_or(usize::MAX, |header| header.total_len());
            let end = start.saturating_add(length).min(bytes.len());
            let number = first.wrapping_add(groups.len() as u64);
            let sound = Group::parse_checked(&bytes[start..end]).is_ok_and(|g| g.header.number == number);
            groups.push(GroupBytes { within: bytes.clone(), start, end, sound });
            start = end;
        }
        Pack { first, groups }
    }

    pub fn groups(self) -> impl Iterator<Item = (u64, GroupBytes)> {
        (self.first..).zip(self.groups)
    }

    fn group(&self, number: u64) -> Option<&GroupBytes> {
        self.groups.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }
}

/// The packs used last.
#[derive(Debug, Default)]
pub(super) struct PackCache {
    kept: Mutex<VecDeque<Arc<Pack>>>,
}

impl PackCache {
    /// The stored bytes of an archived group.
    pub fn group(&self, disk: &Disk, number: u64) -> Result<Option<GroupBytes>, Fault> {
        if let Some(found) = lock(&self.kept).iter().find_map(|pack| pack.group(number).cloned()) {
            return Ok(Some(found));
        }
        let Some(pack) = disk.pack_with(number)? else { return Ok(None) };
        let found = pack.group(number).cloned();
        let mut kept = lock(&self.kept);
        kept.push_front(Arc::new(pack));
        kept.truncate(KEPT);
        Ok(found)
    }
}

impl Disk {
    fn pack_with(&self, number: u64) -> Result<Option<Pack>, Fault> {
        let item = self.packs.range(..=number.to_be_bytes()).next_back();
        item.map(|item| self.unpack(item)).transpose()
    }

    /// Packs that start after group `after`.
    pub fn packs_after(&self, after: u64) -> impl Iterator<Item = Result<Pack, Fault>> + '_ {
        let items = self.packs.range(after.saturating_add(1).to_be_bytes()..);
        let packs = items.filter(|item| item.as_ref().map_or(true, |(key, _)| key.len() == 8));
        packs.map(|item| self.unpack(item))
    }

    fn unpack(&self, item: ::sled::Result<(::sled::IVec, ::sled::IVec)>) -> Result<Pack, Fault> {
        let (key, value) = item.map_err(broken)?;
        Ok(Pack::split(Fields(&key).u64()?, self.pack_bytes(&value)?))
    }

    /// Removes packs and pieces of groups after `after`: they were written for a journal that ended otherwise.
    pub fn remove_packs_after(&self, after: u64) -> Result<(), Fault> {
        for tree in [&self.packs, &self.large] {
            for key in tree.range(after.saturating_add(1).to_be_bytes()..).keys() {
                tree.remove(key.map_err(broken)?).map_err(broken)?;
            }
        }
        Ok(())
    }
}
