//! What a disk may hold: for every file what is sure to be there, and what was written since.
//!
//! - A sector of 512 bytes keeps any one of its versions since the last sync of its file; sectors are independent.
//! - The size of a file is any of its sizes since then, independent of its bytes; a file that grew without its bytes
//!   holds zeros.
//! - A name that was made, moved or removed is there or not until its folder is synced. A rename is whole.
//! - Only `fsync` and `fdatasync` make anything sure, and only what came before they were called.
//!
//! File systems keep more than that; a store that survives this survives them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsString;
use std::fs;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use quorate_core::kernel::rng::Rng;

use super::record::{Event, Recording};

pub const SECTOR: u64 = 512;
const PAGE: usize = 4096;

/// Bytes of a file; pages that are not there are zero.
#[derive(Clone, Default)]
struct Content {
    pages: BTreeMap<u64, Box<[u8; PAGE]>>,
    size: u64,
}

impl Content {
    fn write(&mut self, mut at: u64, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let inside = (at % PAGE as u64) as usize;
            let n = bytes.len().min(PAGE - inside);
            let page = self.pages.entry(at / PAGE as u64).or_insert_with(|| Box::new([0; PAGE]));
            page[inside..inside + n].copy_from_slice(&bytes[..n]);
            (at, bytes) = (at + n as u64, &bytes[n..]);
        }
    }

    /// Forgets everything from `to` on.
    fn cut(&mut self, to: u64) {
        self.pages.split_off(&to.div_ceil(PAGE as u64));
        if let Some(page) = self.pages.get_mut(&(to / PAGE as u64)) {
            page[(to % PAGE as u64) as usize..].fill(0);
        }
    }

    fn save(&self, path: &Path) {
        let file = fs::File::create(path).unwrap();
        file.set_len(self.size).unwrap();
        for (number, page) in &self.pages {
            let at = number * PAGE as u64;
            let n = self.size.saturating_sub(at).min(PAGE as u64) as usize;
            if page[..n].iter().any(|byte| *byte != 0) {
                file.write_all_at(&page[..n], at).unwrap();
            }
        }
    }
}

#[derive(Clone)]
enum Change {
    Write { at: u64, bytes: Range<usize> },
    Size(u64),
}

#[derive(Default)]
struct File {
    sure: Content,
    /// What came since, and when.
    since: Vec<(usize, Change)>,
    /// Syncs under way, and when they began.
    syncs: HashMap<i64, usize>,
    /// A sync of it failed: nothing is known of what a later one does.
    failed: bool,
}

impl File {
    fn apply(content: &mut Content, recording: &Recording, change: &Change) {
        match change {
            Change::Write { at, bytes } => {
                let bytes = recording.bytes(bytes);
                content.write(*at, bytes);
                content.size = content.size.max(at + bytes.len() as u64);
            }
            Change::Size(to) => {
                if *to < content.size {
                    content.cut(*to);
                }
                content.size = *to;
            }
        }
    }
}

/// Number of a file or folder of the model; inode numbers are used again, these are not.
type Node = usize;
const ROOT: Node = 0;
type Names = HashMap<Node, BTreeMap<OsString, Node>>;

#[derive(Clone, Debug)]
enum Naming {
    Put { dir: Node, name: OsString, node: Node },
    Take { dir: Node, name: OsString },
    Move { from: (Node, OsString), to: (Node, OsString), node: Node },
}

impl Naming {
    fn touches(&self, node: Node) -> bool {
        match self {
            Naming::Put { dir, .. } | Naming::Take { dir, .. } => *dir == node,
            Naming::Move { from, to, .. } => from.0 == node || to.0 == node,
        }
    }

    fn apply(&self, names: &mut Names) {
        match self {
            Naming::Put { dir, name, node } => {
                names.entry(*dir).or_default().insert(name.clone(), *node);
            }
            Naming::Take { dir, name } => {
                names.entry(*dir).or_default().remove(name);
            }
            Naming::Move { from, to, node } => {
                let old = names.entry(from.0).or_default();
                if old.get(&from.1) == Some(node) {
                    old.remove(&from.1);
                }
                names.entry(to.0).or_default().insert(to.1.clone(), *node);
            }
        }
    }
}

/// Which of what is not sure an image holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Nothing of it.
    Nothing,
    /// All of it.
    Everything,
    /// What came before some instant; what was under way then is torn.
    Before,
    /// What came after some instant.
    After,
    /// Each sector any of its versions.
    Sectors,
    /// Each page of 4 KiB any of its versions.
    Pages,
    /// Nearly everything.
    Most,
    /// Nearly nothing.
    Few,
    /// Everything but one write.
    OneMissing,
    /// Everything of one file, nothing of the others.
    OneFile,
}

pub const KEEPS: [Keep; 10] = [
    Keep::Nothing,
    Keep::Everything,
    Keep::Before,
    Keep::After,
    Keep::Sectors,
    Keep::Pages,
    Keep::Most,
    Keep::Few,
    Keep::OneMissing,
    Keep::OneFile,
];

/// The model after some number of events.
pub struct Disk<'r> {
    recording: &'r Recording,
    files: HashMap<Node, File>,
    by_inode: HashMap<u64, Node>,
    next: Node,
    /// Names as the running process sees them.
    live: Names,
    /// Names that are sure.
    sure: Names,
    since: Vec<(usize, Naming)>,
    dir_syncs: HashMap<i64, (Node, usize)>,
    at: usize,
    /// A planted fault: events that are taken for not having happened.
    pub skipped: HashSet<usize>,
}

impl<'r> Disk<'r> {
    pub fn new(recording: &'r Recording) -> Self {
        let names = Names::from([(ROOT, BTreeMap::new())]);
        let mut disk = Disk {
            recording,
            files: HashMap::new(),
            by_inode: HashMap::new(),
            next: ROOT + 1,
            live: names.clone(),
            sure: names,
            since: Vec::new(),
            dir_syncs: HashMap::new(),
            at: 0,
            skipped: HashSet::new(),
        };
        if let Some(start) = &recording.start {
            disk.load(start, ROOT);
            disk.sure = disk.live.clone();
        }
        disk
    }

    fn load(&mut self, from: &Path, dir: Node) {
        for item in fs::read_dir(from).unwrap() {
            let item = item.unwrap();
            let node = self.node();
            self.live.entry(dir).or_default().insert(item.file_name(), node);
            if item.file_type().unwrap().is_dir() {
                self.live.entry(node).or_default();
                self.load(&item.path(), node);
            } else {
                let bytes = fs::read(item.path()).unwrap();
                let mut file = File::default();
                for (n, page) in
                    bytes.chunks(PAGE).enumerate().filter(|(_, page)| page.iter().any(|b| *b != 0))
                {
                    file.sure.write((n * PAGE) as u64, page);
                }
                file.sure.size = bytes.len() as u64;
                self.files.insert(node, file);
            }
        }
    }

    fn node(&mut self) -> Node {
        self.next += 1;
        self.next - 1
    }

    fn find(&self, path: &Path) -> Option<Node> {
        path.iter().try_fold(ROOT, |dir, name| self.live.get(&dir)?.get(name).copied())
    }

    fn place(&self, path: &Path) -> (Node, OsString) {
        let dir = self.find(path.parent().unwrap()).unwrap_or_else(|| panic!("no folder for {path:?}"));
        (dir, path.file_name().unwrap().to_owned())
    }

    fn name(&mut self, event: usize, naming: Naming) {
        naming.apply(&mut self.live);
        self.since.push((event, naming));
    }

    /// Takes in events up to number `to`, without it.
    pub fn advance(&mut self, to: usize) {
        while self.at < to {
            if !self.skipped.contains(&self.at) {
                self.take(self.at);
            }
            self.at += 1;
        }
    }

    fn take(&mut self, n: usize) {
        match &self.recording.events[n] {
            Event::Said(_) => {}
            Event::Started => {
                self.by_inode.clear();
                self.dir_syncs.clear();
            }
            Event::Opened { file, path, made, is_dir } => {
                if path.as_os_str().is_empty() {
                    self.by_inode.insert(*file, ROOT);
                } else if *made {
                    let node = self.node();
                    let (dir, name) = self.place(path);
                    self.by_inode.insert(*file, node);
                    self.files.insert(node, File::default());
                    self.name(n, Naming::Put { dir, name, node });
                } else {
                    let node = self.find(path).unwrap_or_else(|| panic!("{path:?} was made unseen"));
                    assert_eq!(*is_dir, !self.files.contains_key(&node), "{path:?}");
                    self.by_inode.insert(*file, node);
                }
            }
            Event::MadeDir { file, path } => {
                if path.as_os_str().is_empty() {
                    self.by_inode.insert(*file, ROOT);
                    return;
                }
                let node = self.node();
                let (dir, name) = self.place(path);
                self.by_inode.insert(*file, node);
                self.live.entry(node).or_default();
                self.name(n, Naming::Put { dir, name, node });
            }
            Event::Written { file, at, bytes } => {
                self.change(n, *file, Change::Write { at: *at, bytes: bytes.clone() })
            }
            Event::Sized { file, to } => self.change(n, *file, Change::Size(*to)),
            Event::Renamed { from, to } => {
                if let Some(node) = self.find(from) {
                    let (from, to) = (self.place(from), self.place(to));
                    self.name(n, Naming::Move { from, to, node });
                }
            }
            Event::Linked { from, to } => {
                if let Some(node) = self.find(from) {
                    let (dir, name) = self.place(to);
                    self.name(n, Naming::Put { dir, name, node });
                }
            }
            Event::Unlinked { path } | Event::RemovedDir { path } => {
                if !path.as_os_str().is_empty() {
                    let (dir, name) = self.place(path);
                    self.name(n, Naming::Take { dir, name });
                }
            }
            Event::SyncBegan { file, token } => {
                let node = self.by_inode[file];
                match self.files.get_mut(&node) {
                    Some(file) => drop(file.syncs.insert(*token, n)),
                    None => drop(self.dir_syncs.insert(*token, (node, n))),
                }
            }
            Event::SyncEnded { file, token, failed } => self.synced(*file, *token, *failed),
        }
    }

    fn change(&mut self, event: usize, inode: u64, change: Change) {
        let file = self.files.get_mut(&self.by_inode[&inode]).expect("folders are not written");
        file.since.push((event, change));
    }

    fn synced(&mut self, inode: u64, token: i64, failed: bool) {
        let recording = self.recording;
        if let Some((dir, began)) = self.dir_syncs.remove(&token) {
            let done = |(event, naming): &(usize, Naming)| *event < began && naming.touches(dir);
            if !failed {
                self.since.iter().filter(|naming| done(naming)).for_each(|(_, n)| n.apply(&mut self.sure));
                self.since.retain(|naming| !done(naming));
            }
            return;
        }
        let Some(file) = self.files.get_mut(&self.by_inode[&inode]) else { return };
        file.failed |= failed;
        let Some(began) = file.syncs.remove(&token).filter(|_| !file.failed) else { return };
        let covered = file.since.partition_point(|(event, _)| *event < began);
        for (_, change) in file.since.drain(..covered) {
            File::apply(&mut file.sure, recording, &change);
        }
    }

    /// Something of the database is not sure: the store's background work was under way.
    pub fn is_archiving(&self) -> bool {
        let files = ["sled/db", "fjall/keyspaces/1/current"].map(|path| self.find(Path::new(path)));
        files.iter().flatten().filter_map(|node| self.files.get(node)).any(|file| !file.since.is_empty())
    }

    /// Writes one legal image of this instant to `to`; answers what of the unsure names it holds.
    pub fn image(&self, keep: Keep, rng: &mut Rng, to: &Path) -> String {
        let mut below = |n: usize| (rng.next_u64() % n.max(1) as u64) as usize;
        let mut names = self.sure.clone();
        let total = self.since.len();
        let how = match keep {
            Keep::Nothing => 0,
            Keep::Everything => 1,
            _ => below(4),
        };
        let prefix = below(total + 1);
        let mut kept = 0;
        for (at, (_, naming)) in self.since.iter().enumerate() {
            let there = match how {
                0 => false,
                1 => true,
                2 => at < prefix,
                _ => below(2) == 0,
            };
            if there {
                naming.apply(&mut names);
                kept += 1;
            }
        }
        let mut unsure: Vec<_> =
            self.files.iter().filter(|(_, file)| !file.since.is_empty()).map(|(node, _)| *node).collect();
        unsure.sort_unstable();
        let only = unsure.get(below(unsure.len())).copied();
        let instants: Vec<usize> =
            unsure.iter().flat_map(|node| self.files[node].since.iter().map(|(event, _)| *event)).collect();
        let instant = instants.get(below(instants.len())).copied().unwrap_or(self.at);
        fs::create_dir_all(to).unwrap();
        let mut walk = vec![(ROOT, to.to_owned())];
        while let Some((dir, path)) = walk.pop() {
            for (name, node) in names.get(&dir).into_iter().flatten() {
                let path: PathBuf = path.join(name);
                let Some(file) = self.files.get(node) else {
                    fs::create_dir_all(&path).unwrap();
                    walk.push((*node, path));
                    continue;
                };
                if file.since.is_empty() {
                    file.sure.save(&path);
                    continue;
                }
                let keep = match keep {
                    Keep::OneFile if only == Some(*node) => Keep::Everything,
                    Keep::OneFile => Keep::Nothing,
                    other => other,
                };
                self.choose(file, keep, instant, &mut below).save(&path);
            }
        }
        format!("{kept} of {total} names")
    }

    /// Any legal content of one file.
    fn choose(
        &self,
        file: &File,
        keep: Keep,
        instant: usize,
        below: &mut impl FnMut(usize) -> usize,
    ) -> Content {
        let since = &file.since;
        let span = |change: &Change| match change {
            Change::Write { at, bytes } => at / SECTOR..(at + bytes.len() as u64).div_ceil(SECTOR),
            Change::Size(_) => 0..0,
        };
        // The last change of each unit that is there, by its number in `since` plus one; 0 for none.
        let unit = if keep == Keep::Pages { PAGE as u64 / SECTOR } else { 1 };
        let mut versions: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (n, (_, change)) in since.iter().enumerate() {
            for sector in span(change) {
                let versions = versions.entry(sector / unit).or_default();
                if versions.last() != Some(&(n + 1)) {
                    versions.push(n + 1);
                }
            }
        }
        let missing = below(since.len());
        let torn = since.iter().position(|(event, _)| *event >= instant).unwrap_or(since.len());
        let torn_at = since.get(torn).map_or(0, |(_, change)| {
            let span = span(change);
            span.start + below((span.end - span.start) as usize + 1) as u64
        });
        let chosen: HashMap<u64, usize> = versions
            .iter()
            .map(|(unit, versions)| {
                let newest = versions.last().copied().unwrap_or(0);
                let rare = below(10) == 0;
                let mut any = |newest_one_in: usize| match below(newest_one_in) {
                    0 => newest,
                    _ => *versions.get(below(versions.len() + 1)).unwrap_or(&0),
                };
                let last = match keep {
                    Keep::Nothing | Keep::OneFile => 0,
                    Keep::Everything | Keep::After | Keep::OneMissing => newest,
                    Keep::Before => {
                        let whole = if *unit < torn_at { torn + 1 } else { torn };
                        versions.iter().copied().take_while(|n| *n <= whole).last().unwrap_or(0)
                    }
                    Keep::Sectors | Keep::Pages => any(4),
                    Keep::Most if rare => any(4),
                    Keep::Most => newest,
                    Keep::Few if rare => any(2),
                    Keep::Few => 0,
                };
                (*unit, last)
            })
            .collect();
        // How much of the size is known: independent of the bytes, except where order is what is tried.
        let sizes = match keep {
            Keep::Nothing | Keep::OneFile => 0,
            Keep::Before => torn + usize::from(torn < since.len()),
            Keep::Sectors | Keep::Pages | Keep::Few => below(since.len() + 1),
            Keep::Everything | Keep::After | Keep::Most | Keep::OneMissing => since.len(),
        };
        let mut content = file.sure.clone();
        let mut size = content.size;
        for (n, (event, change)) in since.iter().enumerate() {
            match change {
                Change::Size(to) if n < sizes => {
                    content.cut(*to);
                    size = *to;
                }
                Change::Size(_) => {}
                Change::Write { at, bytes } => {
                    let all = self.recording.bytes(bytes);
                    let end = at + all.len() as u64;
                    if n < sizes {
                        size = size.max(end);
                    }
                    let is_out =
                        keep == Keep::OneMissing && n == missing || keep == Keep::After && *event < instant;
                    if is_out {
                        continue;
                    }
                    for sector in span(change).filter(|sector| chosen[&(sector / unit)] > n) {
                        let (from, to) = ((sector * SECTOR).max(*at), ((sector + 1) * SECTOR).min(end));
                        content.write(from, &all[(from - at) as usize..(to - at) as usize]);
                    }
                }
            }
        }
        content.size = size;
        content
    }
}
