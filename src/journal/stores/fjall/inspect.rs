//! Reads the files of the database before the engine does, and writes nothing.
//!
//! The engine cuts its journal off at the first entry that it cannot read, whatever stands behind it, and believes what its
//! own list of tables says: a table that is not on it is removed. So everything is checked here before it opens anything.
//!
//! ```text
//! N.jnl       batch, batch, …, zeros        batch    1 · items 4 · number 8 · item… · 3 · xxh3 of the items 8 · "FJL" 3
//!                                           item     2 · type 1 · packing 1 · keyspace 8 · key length 2 · length 4 · length 4 · key · value
//!                                           cleared  4 · keyspace 8
//! version     "FJL" 3
//! keyspaces/K/current   V 8 · xxh3 of the file vV, 16 · 0
//! keyspaces/K/vV        sections; in one of them the tables there are, each with the xxh3 of its file
//! keyspaces/K/tables/T  a table, which never changes
//! ```
//!
//! Integers are little-endian, as the engine writes them. Batches are numbered upwards, through all journals.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_128};

use super::super::layout::corrupt;
use super::disk::{GROUP, KEYSPACES, Row, TIP};
use crate::group::GroupHeader;
use crate::{ChainHash, Fault};

const MAGIC: &[u8] = b"FJL\x03";
/// Bytes of the end of a file of sections.
const TRAILER: usize = 4 + 1 + 1 + 16 + 8 + 8;
const CHUNK: usize = 1 << 20;
const PAGE: usize = 4 << 10;

/// What the files say.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The last commit in the journals.
    pub row: Option<Row>,
    /// The ends of what each journal holds of our own.
    pub spans: Vec<Span>,
    /// What stands behind the last whole batch of the last journal.
    pub torn: Option<Torn>,
}

/// The groups of a journal.
#[derive(Debug)]
pub(super) struct Span {
    /// The first one, and the hash of the group before it.
    pub first: (u64, ChainHash),
    pub last: u64,
}

/// A batch that was never finished.
#[derive(Debug)]
pub(super) struct Torn {
    pub path: PathBuf,
    pub upto: u64,
}

/// Looks at everything.
///
/// # Errors
/// [`Fault::Corrupt`] for everything that is no unfinished write; [`Fault::Unavailable`] when the disk does not answer.
pub(super) fn inspect(dir: &Path) -> Result<Seen, Fault> {
    let version = dir.join("version");
    if whole(&version)? != MAGIC {
        return Err(corrupt(format!(
            "the file does not say which format the database has. path={}",
            version.display()
        )));
    }
    for keyspace in 0..KEYSPACES {
        tree(&dir.join("keyspaces").join(keyspace.to_string()))?;
    }
    let numbers = journals(dir)?;
    let Some(last) = numbers.last() else {
        return Err(corrupt(format!("the database has no journal any more. path={}", dir.display())));
    };
    let mut seen = Seen::default();
    let mut number = None;
    for journal in &numbers {
        let path = dir.join(format!("{journal}.jnl"));
        self::journal(&path, journal == last, &mut number, &mut seen)?;
    }
    Ok(seen)
}

fn unreadable(path: &Path, error: &io::Error) -> Fault {
    match error.kind() {
        ErrorKind::NotFound => corrupt(format!("a file of the database is missing. path={}", path.display())),
        _ => Fault::Unavailable {
            reason: format!("a file of the database cannot be read. path={}, error={error}", path.display()),
        },
    }
}

fn whole(path: &Path) -> Result<Vec<u8>, Fault> {
    fs::read(path).map_err(|e| unreadable(path, &e))
}

/// A journal without the pages of zeros at its end: its room is made in advance.
fn filled(path: &Path) -> Result<Vec<u8>, Fault> {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let (upto, mut bytes) = (filled_upto(&mut file)?, Vec::new());
        file.seek(SeekFrom::Start(0))?;
        file.take(upto).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|e| unreadable(path, &e))
}

/// Where the last page ends in which something stands.
pub(in crate::stores) fn filled_upto(file: &mut File) -> io::Result<u64> {
    let zeros = [0; PAGE];
    let mut end = file.metadata()?.len();
    let mut chunk = Vec::with_capacity(CHUNK);
    while end > 0 {
        let start = (end - 1) / CHUNK as u64 * CHUNK as u64;
        chunk.clear();
        file.seek(SeekFrom::Start(start))?;
        Read::by_ref(file).take(end - start).read_to_end(&mut chunk)?;
        if let Some(last) = chunk.chunks(PAGE).rposition(|page| page != &zeros[..page.len()]) {
            return Ok(start + ((last + 1) * PAGE).min(chunk.len()) as u64);
        }
        end = start;
    }
    Ok(0)
}

/// The numbers of the journals, ascending.
pub(super) fn journals(dir: &Path) -> Result<Vec<u64>, Fault> {
    let mut numbers = Vec::new();
    for item in fs::read_dir(dir).map_err(|e| unreadable(dir, &e))? {
        let name = item.map_err(|e| unreadable(dir, &e))?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.strip_suffix(".jnl")?.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Takes numbers of the engine off the front.
struct Bytes<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let bytes = self.all.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(bytes)
    }

    fn number(&mut self, length: usize) -> Option<u64> {
        Some(self.take(length)?.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte)))
    }

    fn sum(&mut self) -> Option<u128> {
        Some(u128::from_le_bytes(*self.take(16)?.first_chunk()?))
    }

    fn is(&mut self, byte: u8) -> Option<()> {
        (self.take(1)? == [byte]).then_some(())
    }
}

/// A batch that is whole.
#[derive(Default)]
struct Batch {
    number: u64,
    row: Option<Row>,
    groups: Vec<GroupHeader>,
    end: usize,
}

fn batch(all: &[u8], at: usize) -> Option<Batch> {
    let mut bytes = Bytes { all, at };
    bytes.is(1)?;
    let (items, number) = (bytes.number(4)?, bytes.number(8)?);
    let start = bytes.at;
    let mut batch = Batch { number, ..Batch::default() };
    for _ in 0..items {
        match bytes.take(1)? {
            [2] => {
                bytes.take(1)?;
                bytes.is(0)?;
                let keyspace = bytes.number(8)?;
                let (key, length, packed) = (bytes.number(2)?, bytes.number(4)?, bytes.number(4)?);
                let key = bytes.take(usize::try_from(key).ok()?)?;
                let value = bytes.take(usize::try_from(length).ok()?)?;
                if length != packed {
                    return None;
                }
                match key.split_first() {
                    Some((&TIP, [])) if keyspace == 1 => batch.row = Some(Row::parse(value)?),
                    Some((&GROUP, _)) if keyspace == 1 => batch.groups.push(GroupHeader::parse(value).ok()?),
                    _ => {}
                }
            }
            [4] => drop(bytes.take(8)?),
            _ => return None,
        }
    }
    let sum = xxh3_64(&all[start..bytes.at]);
    bytes.is(3)?;
    (bytes.number(8)? == sum && bytes.take(4)? == MAGIC).then_some(())?;
    batch.end = bytes.at;
    Some(batch)
}

/// Reads a journal. Only the last one may end in what was never finished.
fn journal(path: &Path, is_last: bool, before: &mut Option<u64>, seen: &mut Seen) -> Result<(), Fault> {
    let bytes = filled(path)?;
    let (mut at, mut span) = (0, None::<Span>);
    while let Some(batch) = batch(&bytes, at) {
        if before.is_some_and(|before| before >= batch.number) {
            return Err(corrupt(format!(
                "the journal of the database is not in order. path={}, offset={at}",
                path.display()
            )));
        }
        *before = Some(batch.number);
        at = batch.end;
        for group in &batch.groups {
            span.get_or_insert(Span { first: (group.number, group.previous), last: 0 }).last = group.number;
        }
        seen.row = batch.row.or(seen.row.take());
    }
    seen.spans.extend(span);
    let rest = &bytes[at..];
    if rest.iter().all(|byte| *byte == 0) {
        return Ok(());
    }
    let damaged = |why: &str| {
        let end = seen.row.as_ref().map_or(0, |row| row.tip.group);
        Err(corrupt(format!(
            "the journal of the database is damaged behind group {end}: {why}. path={}, offset={at}",
            path.display()
        )))
    };
    if !is_last {
        return damaged("another one follows it");
    }
    // A commit begins when the one before it is on disk, so one that began later proves that one is lost.
    if let Some(row) = &seen.row
        && let Some(later) = rest.windows(row.identity.len()).enumerate().find_map(|(at, window)| {
            let found =
                (window == row.identity).then(|| Row::parse(rest.get(at..at + Row::BYTES)?)).flatten();
            found.filter(|found| found.first > row.tip.group + 1)
        })
    {
        return damaged(&format!("group {} stands behind it", later.first));
    }
    seen.torn = Some(Torn { path: path.to_owned(), upto: at as u64 });
    Ok(())
}

/// Checks a tree of tables: its list, and every table on it.
fn tree(dir: &Path) -> Result<(), Fault> {
    let path = dir.join("current");
    let current = whole(&path)?;
    let wrong = |path: &Path| {
        Err(corrupt(format!("a file of the database does not fit its checksum. path={}", path.display())))
    };
    let mut bytes = Bytes { all: &current, at: 0 };
    let (Some(number), Some(sum), Some(()), true) =
        (bytes.number(8), bytes.sum(), bytes.is(0), bytes.at == current.len())
    else {
        return wrong(&path);
    };
    let path = dir.join(format!("v{number}"));
    let list = whole(&path)?;
    if xxh3_128(&list) != sum {
        return wrong(&path);
    }
    let Some(tables) = tables(&list) else {
        return Err(corrupt(format!("the list of tables has another form. path={}", path.display())));
    };
    for (table, sum) in tables {
        let path = dir.join("tables").join(table.to_string());
        if sum_of(&path)? != sum {
            return wrong(&path);
        }
    }
    Ok(())
}

fn sum_of(path: &Path) -> Result<u128, Fault> {
    let sum = || -> io::Result<u128> {
        let (mut file, mut sum, mut chunk) = (File::open(path)?, Xxh3::new(), vec![0; CHUNK]);
        loop {
            match file.read(&mut chunk)? {
                0 => return Ok(sum.digest128()),
                read => sum.update(&chunk[..read]),
            }
        }
    };
    sum().map_err(|e| unreadable(path, &e))
}

/// The tables on a list, each with its checksum.
fn tables(list: &[u8]) -> Option<Vec<(u64, u128)>> {
    let mut trailer = Bytes { all: list, at: list.len().checked_sub(TRAILER)? };
    (trailer.take(4)? == b"SFA!").then_some(())?;
    trailer.take(2 + 16)?;
    let mut contents = Bytes { all: list, at: usize::try_from(trailer.number(8)?).ok()? };
    (contents.take(4)? == b"TOC!").then_some(())?;
    let mut section = None;
    for _ in 0..contents.number(4)? {
        let (at, _length, name) = (contents.number(8)?, contents.number(8)?, contents.number(2)?);
        if contents.take(usize::try_from(name).ok()?)? == b"tables" {
            section = usize::try_from(at).ok();
        }
    }
    let mut bytes = Bytes { all: list, at: section? };
    let mut tables = Vec::new();
    for _level in 0..bytes.number(1)? {
        for _run in 0..bytes.number(1)? {
            for _table in 0..bytes.number(4)? {
                let number = bytes.number(8)?;
                bytes.is(0)?;
                tables.push((number, bytes.sum()?));
                bytes.take(8)?;
            }
        }
    }
    Some(tables)
}
