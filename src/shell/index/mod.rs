//! The index of history: which records may be meant by a question, so that not all of them are read.
//!
//! ```text
//!  DIR/index/FROM-UPTO     a block: for each term the positions of the records that have it (block.rs)
//!
//!  bell ──► at most once a second: the records behind the last block are read, and each 4,096 of them become a block
//!  16 blocks in a row become one ──► a question reads one bucket of each block, and the records that are found there
//! ```
//!
//! The index is a cache and never the only copy of anything. What no sound block covers is read record by record, and what a
//! block names is read and checked as if there were none, so a lost block costs time and no answer. Blocks are files of
//! their own and not keys of the store's database: that one gives no room back, is read whole when it is opened, and is
//! flushed while commits wait for it. They are written without a sync; a sum over each part of a block says whether it is
//! what was written, and when the index is read first the records of its last block are compared with the journal, because a
//! crash takes from a journal nothing but its end.

mod block;
mod postings;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, TryLockError};

pub(crate) use self::block::{Block, Part};
use self::block::{Draft, HEADER_MOST, merge};
pub(crate) use self::postings::term;
use super::host::wait;
use super::lock;
use super::transparency::put;
use crate::config::Config;
use crate::journal::{Fault, Position, Record, Store};

/// The folder of the index in a data folder.
const FOLDER: &str = "index";
/// Blocks that become one.
const FAN: u64 = 16;
/// Records read at a time.
const PAGE: usize = 2_048;
/// Bytes of an index that is kept in memory; what comes later is read record by record.
const MEMORY: usize = 256 << 20;

/// Gives the terms of a record.
pub(crate) type TermsOf<'a> = dyn FnMut(Record, &mut Vec<u64>) -> Result<(), Fault> + 'a;

/// The index of one runtime.
pub(crate) struct Index {
    place: Place,
    /// May blocks be made here?
    writes: bool,
    /// Records of a block that was not put together from others; 0 keeps no index.
    block: u64,
    /// The blocks that may be believed; none until they are looked for.
    blocks: Mutex<Option<BTreeMap<Position, Arc<Block>>>>,
    /// Held by whoever makes blocks, with the position behind which a record could not be read.
    making: Mutex<Option<Position>>,
}

/// Where blocks are kept.
enum Place {
    Folder(PathBuf),
    Memory(Mutex<BTreeMap<String, Arc<[u8]>>>, AtomicUsize),
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index")
            .field("block", &self.block)
            .field("writes", &self.writes)
            .finish_non_exhaustive()
    }
}

impl Index {
    /// The index of a data folder, or of a store that has none.
    pub(crate) fn new(config: &Config, reads_only: bool) -> Self {
        let folder = config.store_options.path.as_ref().map(|data| data.join(FOLDER));
        Index {
            place: folder.map_or_else(|| Place::Memory(Mutex::default(), AtomicUsize::new(0)), Place::Folder),
            writes: !reads_only,
            block: config.index_block,
            blocks: Mutex::new(None),
            making: Mutex::new(None),
        }
    }

    /// The blocks that may be believed, in order. Blocks its thread.
    ///
    /// # Errors
    /// The faults of the store.
    pub(crate) fn blocks(&self, store: &dyn Store) -> Result<Vec<Arc<Block>>, Fault> {
        self.with(store, |blocks| blocks.values().cloned().collect())
    }

    /// The records of a block, counted from its first one, that have one term of each of these lists; none when the block cannot
    /// be read any more, and is not believed from here on.
    pub(crate) fn hits(&self, block: &Block, all_of: &[Vec<u64>]) -> Option<Vec<u16>> {
        let mut hits: Option<Vec<u16>> = None;
        for any_of in all_of {
            let mut found: Vec<u16> = Vec::new();
            for term in any_of {
                let read = self
                    .read(&block.name(), block.bucket_of(*term))
                    .and_then(|bytes| block.find(&bytes, *term));
                let Some(more) = read else {
                    self.forget(block);
                    return None;
                };
                found.extend(more);
            }
            found.sort_unstable();
            found.dedup();
            if let Some(hits) = &hits {
                found.retain(|hit| hits.binary_search(hit).is_ok());
            }
            if found.is_empty() {
                return Some(found);
            }
            hits = Some(found);
        }
        hits
    }

    /// Makes the blocks that are missing of the records there are, as long as `stop` does not ask for an end. Somebody else may be at
    /// it; then nothing is done. Blocks its thread.
    ///
    /// # Errors
    /// The faults of the store.
    pub(crate) fn advance(
        &self,
        store: &dyn Store,
        terms_of: &mut TermsOf<'_>,
        stop: &dyn Fn() -> bool,
    ) -> Result<(), Fault> {
        if !self.writes || self.block == 0 {
            return Ok(());
        }
        let mut stuck = match self.making.try_lock() {
            Ok(making) => making,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(()),
        };
        let tip = wait(store.tip())?.position;
        let mut at = 0;
        while at + self.block <= tip && *stuck != Some(at) {
            if stop() || self.is_full() {
                return Ok(());
            }
            let known = self
                .with(store, |blocks| blocks.range(..=at + 1).next_back().map(|(_, block)| block.upto()))?;
            if let Some(upto) = known.filter(|upto| *upto > at) {
                at = upto;
                continue;
            }
            let draft = match self.draft(store, at, terms_of, stop) {
                Ok(Some(draft)) => draft,
                Ok(None) => return Ok(()),
                Err(fault) => {
                    // Asked again at the next opening; until then it is found by reading.
                    *stuck = Some(at);
                    return Err(fault);
                }
            };
            if !self.keep(store, &draft.bytes())? {
                return Ok(());
            }
            at += self.block;
            if at.is_multiple_of(self.block * FAN) && !self.put_together(store, at - self.block * FAN)? {
                // One of them is damaged, and is made again the next time.
                return Ok(());
            }
        }
        self.put_all_together(store)
    }

    /// The terms of the records of one block; none when it was to stop.
    fn draft(
        &self,
        store: &dyn Store,
        before: Position,
        terms_of: &mut TermsOf<'_>,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Draft>, Fault> {
        let upto = before + self.block;
        let mut draft = Draft::new(before + 1, self.block);
        let (mut at, mut terms) = (before, Vec::new());
        while at < upto {
            if stop() {
                return Ok(None);
            }
            let limit = PAGE.min(usize::try_from(upto - at).unwrap_or(PAGE));
            let records = wait(store.scan(at, limit))?;
            if records.is_empty() {
                break;
            }
            for record in records {
                at = record.position;
                if at > upto {
                    break;
                }
                draft.add(&record);
                terms_of(record, &mut terms)?;
                draft.add_terms(at, &mut terms);
            }
        }
        Ok(Some(draft))
    }

    /// Makes one block of those behind a position, if all are there. Answers whether none of them is damaged.
    fn put_together(&self, store: &dyn Store, before: Position) -> Result<bool, Fault> {
        let firsts = (0..FAN).map(|n| before + 1 + n * self.block);
        let few = self.with(store, |blocks| {
            let few = firsts.map(|first| blocks.get(&first).filter(|block| !block.is_merged()).cloned());
            few.collect::<Option<Vec<_>>>()
        })?;
        let Some(few) = few else { return Ok(true) };
        let mut whole = Vec::with_capacity(few.len());
        for block in &few {
            match self.read(&block.name(), (0, block.len())) {
                Some(bytes) => whole.push(bytes),
                None => {
                    self.forget(block);
                    return Ok(false);
                }
            }
        }
        let merged = match merge(&few, &whole) {
            Ok(merged) => merged,
            Err(damaged) => {
                self.forget(&few[damaged]);
                return Ok(false);
            }
        };
        if self.keep(store, &merged)? {
            for block in few {
                self.remove(&block.name());
            }
        }
        Ok(true)
    }

    fn put_all_together(&self, store: &dyn Store) -> Result<(), Fault> {
        let group = self.block * FAN;
        let begins = self.with(store, |blocks| {
            let small = blocks.values().filter(|block| !block.is_merged()).map(|block| block.first - 1);
            small.filter(|before| before.is_multiple_of(group)).collect::<Vec<_>>()
        })?;
        for before in begins {
            self.put_together(store, before)?;
        }
        Ok(())
    }

    fn with<T>(
        &self,
        store: &dyn Store,
        act: impl FnOnce(&mut BTreeMap<Position, Arc<Block>>) -> T,
    ) -> Result<T, Fault> {
        let mut kept = lock(&self.blocks);
        let blocks = match kept.as_mut() {
            Some(blocks) => blocks,
            None => kept.insert(self.look(store)?),
        };
        Ok(act(blocks))
    }

    /// The blocks that may be believed. What an owner finds beside them is removed.
    fn look(&self, store: &dyn Store) -> Result<BTreeMap<Position, Arc<Block>>, Fault> {
        let mut blocks: BTreeMap<Position, Arc<Block>> = BTreeMap::new();
        let opened = store.open_report();
        // Of a damaged folder what is read is not what was there: an answer would say nothing of what is missing.
        let is_whole = opened.refusal.is_none() && (self.writes || opened.dropped.is_empty());
        let (tip, mut useless) = (wait(store.tip())?.position, Vec::new());
        let mut found: Vec<(String, Option<Block>)> = Vec::new();
        for name in self.names() {
            let header = self.read(&name, (0, HEADER_MOST)).and_then(|bytes| Block::parse(&bytes));
            let fits = |block: &Block| {
                block.is_made_of(self.block, FAN) && block.upto() <= tip && block.name() == name
            };
            let block = header.filter(|block| is_whole && fits(block));
            found.push((name, block));
        }
        // Those that were put together first: what they were made of is not needed beside them.
        found.sort_by_key(|(_, block)| block.as_ref().is_none_or(|block| !block.is_merged()));
        for (name, block) in found {
            let free = |block: &Block| {
                blocks.range(..=block.upto()).next_back().is_none_or(|(_, other)| other.upto() < block.first)
            };
            match block.filter(free) {
                Some(block) => drop(blocks.insert(block.first, Arc::new(block))),
                None => useless.push(name),
            }
        }
        while let Some(last) = blocks.last_entry() {
            if self.is_of(store, last.get())? {
                break;
            }
            useless.push(last.remove().name());
        }
        if self.writes {
            useless.iter().for_each(|name| self.remove(name));
        }
        Ok(blocks)
    }

    /// Does the last part of a block hold what the journal has there? One that was written for a journal that ended
    /// otherwise does not.
    fn is_of(&self, store: &dyn Store, block: &Block) -> Result<bool, Fault> {
        let Some(part) = block.parts.last() else { return Ok(false) };
        let upto = block.upto();
        let mut now = Part::default();
        let mut at = upto - block.part_len();
        while at < upto {
            let records = wait(store.scan(at, PAGE.min(usize::try_from(upto - at).unwrap_or(PAGE))))?;
            let Some(last) = records.last() else { break };
            at = last.position;
            records.iter().filter(|record| record.position <= upto).for_each(|record| now.add(record));
        }
        Ok(now == *part)
    }

    /// Keeps a block, and believes it from here on. Answers whether it could be written.
    fn keep(&self, store: &dyn Store, bytes: &[u8]) -> Result<bool, Fault> {
        let Some(block) = Block::parse(bytes) else { return Ok(false) };
        match &self.place {
            Place::Folder(folder) => {
                if let Err(error) = put(&folder.join(block.name()), bytes, false) {
                    tracing::warn!(%error, "a block of the index of history cannot be written; questions read more for it");
                    return Ok(false);
                }
            }
            Place::Memory(blocks, size) => {
                size.fetch_add(bytes.len(), Ordering::Relaxed);
                lock(blocks).insert(block.name(), Arc::from(bytes));
            }
        }
        self.with(store, |blocks| {
            let within: Vec<_> = blocks.range(block.first..=block.upto()).map(|(first, _)| *first).collect();
            within.iter().for_each(|first| drop(blocks.remove(first)));
            blocks.insert(block.first, Arc::new(block));
        })?;
        Ok(true)
    }

    /// Believes a block no more.
    fn forget(&self, block: &Block) {
        let mut kept = lock(&self.blocks);
        let Some(blocks) = kept.as_mut() else { return };
        // The one that it became a part of is not meant.
        if blocks.get(&block.first).is_some_and(|known| known.upto() == block.upto()) {
            blocks.remove(&block.first);
            drop(kept);
            if self.writes {
                self.remove(&block.name());
            }
        }
    }

    fn is_full(&self) -> bool {
        matches!(&self.place, Place::Memory(_, size) if size.load(Ordering::Relaxed) >= MEMORY)
    }

    fn names(&self) -> Vec<String> {
        match &self.place {
            Place::Memory(blocks, _) => lock(blocks).keys().cloned().collect(),
            Place::Folder(folder) => {
                let names = fs::read_dir(folder).into_iter().flatten().flatten();
                names.filter_map(|item| item.file_name().into_string().ok()).collect()
            }
        }
    }

    /// Bytes of a block from the first place on, so many, or all there are behind it; none when they cannot be read.
    fn read(&self, name: &str, (from, length): (usize, usize)) -> Option<Vec<u8>> {
        match &self.place {
            Place::Memory(blocks, _) => {
                let bytes = lock(blocks).get(name)?.clone();
                Some(bytes.get(from..bytes.len().min(from.checked_add(length)?))?.to_vec())
            }
            Place::Folder(folder) => {
                let read = || -> io::Result<Vec<u8>> {
                    let mut file = File::open(folder.join(name))?;
                    file.seek(SeekFrom::Start(from as u64))?;
                    let mut bytes = Vec::new();
                    file.take(length as u64).read_to_end(&mut bytes)?;
                    Ok(bytes)
                };
                read().ok()
            }
        }
    }

    fn remove(&self, name: &str) {
        match &self.place {
            Place::Memory(blocks, size) => {
                if let Some(bytes) = lock(blocks).remove(name) {
                    size.fetch_sub(bytes.len(), Ordering::Relaxed);
                }
            }
            // What is left is removed when the folder is opened next.
            Place::Folder(folder) => drop(fs::remove_file(folder.join(name))),
        }
    }
}

#[cfg(test)]
#[path = "index_test.rs"]
mod tests;
