//! One block of the index, as bytes. All integers are big-endian.
//!
//! ```text
//!  header   "quorate index\n" 14 · version 1 · records of a part 2 · parts 2 · buckets 2 · first position 8
//!           part…     sum over the hashes of its records 16 · earliest 8 · latest 8 · last position 8 · hash of the last 32
//!           offset…   4 each: where each bucket begins, and where the last one ends
//!           check 16
//!  bucket…  term 8 · length and form · positions, counted from the first …   check 16
//! ```
//!
//! A term stands in the bucket that its upper bits name. A check is the beginning of a hash over what stands before it, and over
//! which block and bucket it is. The version is raised when other bytes are written, or when records get other terms: blocks of
//! another version are made again.

use std::collections::HashMap;
use std::sync::Arc;

use super::postings;
use crate::core::kernel::time::Timestamp;
use crate::journal::chain::{ChainHash, digest};
use crate::journal::{Position, Record};

const MAGIC: &[u8; 14] = b"quorate index\n";
/// Raised with the bytes of a block, and with what the terms of a record are.
const VERSION: u8 = 1;
const CHECK: usize = 16;
const FIXED: usize = 14 + 1 + 2 + 2 + 2 + 8;
const PART: usize = 16 + 8 + 8 + 8 + 32;
/// Terms of a bucket, about.
const BUCKET: usize = 256;
/// Most buckets, as a power of two.
const BUCKETS: u32 = 12;
/// Most bytes of a header.
pub(super) const HEADER_MOST: usize = FIXED + 16 * PART + ((1 << BUCKETS) + 1) * 4 + CHECK;

/// What is known of the records of a part without reading them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    sum: [u8; CHECK],
    earliest: Timestamp,
    latest: Timestamp,
    /// Position and hash of its last record; position 0 when it has none.
    last: (Position, ChainHash),
}

impl Default for Part {
    fn default() -> Self {
        Part {
            sum: [0; CHECK],
            earliest: Timestamp::MAX,
            latest: Timestamp::MIN,
            last: (0, ChainHash::default()),
        }
    }
}

impl Part {
    /// Takes in the next record.
    pub(super) fn add(&mut self, record: &Record) {
        self.sum = check(&[&self.sum, &record.position.to_be_bytes(), &record.hash.0]);
        self.earliest = self.earliest.min(record.at);
        self.latest = self.latest.max(record.at);
        self.last = (record.position, record.hash);
    }

    /// May there be a record from `since` on and up to `until`?
    pub(crate) fn touches(&self, since: Option<Timestamp>, until: Option<Timestamp>) -> bool {
        since.is_none_or(|since| self.latest >= since) && until.is_none_or(|until| self.earliest <= until)
    }

    /// Position and hash of its last record.
    pub(crate) fn last(&self) -> Option<(Position, ChainHash)> {
        (self.last.0 > 0).then_some(self.last)
    }
}

fn check(of: &[&[u8]]) -> [u8; CHECK] {
    let mut sum = [0; CHECK];
    sum.copy_from_slice(&digest(&of.concat()).0[..CHECK]);
    sum
}

/// What the header of a block says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Position of its first record.
    pub(crate) first: Position,
    pub(crate) parts: Vec<Part>,
    part_len: u16,
    offsets: Vec<u32>,
}

impl Block {
    /// Position of its last record.
    pub(crate) fn upto(&self) -> Position {
        self.first + self.part_len() * self.parts.len() as u64 - 1
    }

    /// Records of a part.
    pub(crate) fn part_len(&self) -> u64 {
        self.part_len.into()
    }

    pub(super) fn name(&self) -> String {
        format!("{:012}-{:012}", self.first, self.upto())
    }

    /// Was it put together from others?
    pub(super) fn is_merged(&self) -> bool {
        self.parts.len() > 1
    }

    /// Is it one of those that are made here: in its place, of one part or of so many?
    pub(super) fn is_made_of(&self, part_len: u64, fan: u64) -> bool {
        let parts = self.parts.len() as u64;
        self.part_len() == part_len
            && (parts == 1 || parts == fan)
            && (self.first - 1).is_multiple_of(part_len * parts)
    }

    /// Bytes of all of it.
    pub(super) fn len(&self) -> usize {
        self.offsets.last().map_or(0, |end| *end as usize)
    }

    /// Where the bucket of a term stands: its first byte, and how many.
    pub(super) fn bucket_of(&self, term: u64) -> (usize, usize) {
        self.bucket(self.number_of(term))
    }

    fn number_of(&self, term: u64) -> usize {
        let bits = (self.offsets.len() - 1).ilog2();
        // All of them in one bucket: there is nothing to choose by.
        term.checked_shr(u64::BITS - bits).map_or(0, |number| number as usize)
    }

    fn bucket(&self, number: usize) -> (usize, usize) {
        let (from, to) = (self.offsets[number] as usize, self.offsets[number + 1] as usize);
        (from, to - from)
    }

    /// Reads the header at the front of these bytes; none when they are no sound block of this version.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        if fields.take::<14>()? != *MAGIC || fields.take::<1>()? != [VERSION] {
            return None;
        }
        let part_len = u16::from_be_bytes(fields.take()?);
        let (parts, buckets) = (u16::from_be_bytes(fields.take()?), u16::from_be_bytes(fields.take()?));
        let first = fields.number()?;
        let header = FIXED + usize::from(parts) * PART + (usize::from(buckets) + 1) * 4;
        let (said, sum) = (bytes.get(..header)?, bytes.get(header..header + CHECK)?);
        if check(&[b"header", said]) != *sum
            || part_len == 0
            || parts == 0
            || !buckets.is_power_of_two()
            || first == 0
        {
            return None;
        }
        let mut read = Vec::with_capacity(parts.into());
        for _ in 0..parts {
            read.push(Part {
                sum: fields.take()?,
                earliest: Timestamp::from_micros(i64::from_be_bytes(fields.take()?)),
                latest: Timestamp::from_micros(i64::from_be_bytes(fields.take()?)),
                last: (fields.number()?, ChainHash(fields.take()?)),
            });
        }
        let offsets =
            (0..=buckets).map(|_| fields.take().map(u32::from_be_bytes)).collect::<Option<Vec<_>>>()?;
        let grow = offsets.windows(2).all(|pair| pair[0].saturating_add(CHECK as u32) <= pair[1]);
        grow.then_some(Block { first, parts: read, part_len, offsets })
    }

    /// The records that have a term, by the bytes of its bucket; none when the bucket is damaged.
    pub(super) fn find(&self, bucket: &[u8], term: u64) -> Option<Vec<u16>> {
        let mut entries = self.sound(self.number_of(term), bucket)?;
        while !entries.0.is_empty() {
            let is_it = entries.number()? == term;
            let list = postings::read(&mut entries.0, is_it)?;
            if is_it {
                return Some(list);
            }
        }
        Some(Vec::new())
    }

    /// The entries of a bucket, if it is what was written.
    fn sound<'b>(&self, number: usize, bucket: &'b [u8]) -> Option<Fields<'b>> {
        let (entries, sum) = bucket.split_last_chunk::<CHECK>()?;
        (seal(self.first, number, entries) == *sum).then_some(Fields(entries))
    }
}

fn seal(first: Position, bucket: usize, entries: &[u8]) -> [u8; CHECK] {
    check(&[b"bucket", &first.to_be_bytes(), &(bucket as u64).to_be_bytes(), entries])
}

/// A block that is made.
#[derive(Debug)]
pub(super) struct Draft {
    first: Position,
    part_len: u64,
    parts: Vec<Part>,
    lists: HashMap<u64, Vec<u16>>,
}

impl Draft {
    pub(super) fn new(first: Position, part_len: u64) -> Self {
        Draft { first, part_len, parts: vec![Part::default()], lists: HashMap::new() }
    }

    /// Takes in the next record.
    pub(super) fn add(&mut self, record: &Record) {
        if let Some(part) = self.parts.last_mut() {
            part.add(record);
        }
    }

    /// Takes in the terms of the record at this position, and empties them.
    pub(super) fn add_terms(&mut self, position: Position, terms: &mut Vec<u64>) {
        let number = (position - self.first) as u16;
        for term in terms.drain(..) {
            let list = self.lists.entry(term).or_default();
            if list.last() != Some(&number) {
                list.push(number);
            }
        }
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        let buckets = (self.lists.len() / BUCKET).next_power_of_two().clamp(1, 1 << BUCKETS);
        let mut lists: Vec<(u64, Vec<u16>)> = self.lists.into_iter().collect();
        lists.sort_unstable_by_key(|(term, _)| *term);
        let header = FIXED + self.parts.len() * PART + (buckets + 1) * 4 + CHECK;
        let block = Block {
            first: self.first,
            parts: self.parts,
            part_len: self.part_len as u16,
            offsets: vec![0; buckets + 1],
        };
        let (mut body, mut offsets) = (Vec::new(), Vec::with_capacity(buckets + 1));
        let mut lists = lists.into_iter().peekable();
        for bucket in 0..buckets {
            offsets.push((header + body.len()) as u32);
            let from = body.len();
            while let Some((term, list)) = lists.next_if(|(term, _)| block.number_of(*term) == bucket) {
                body.extend_from_slice(&term.to_be_bytes());
                postings::write(&mut body, &list);
            }
            let sum = seal(block.first, bucket, &body[from..]);
            body.extend_from_slice(&sum);
        }
        offsets.push((header + body.len()) as u32);
        let mut out = Vec::with_capacity(header + body.len());
        out.extend_from_slice(MAGIC);
        out.push(VERSION);
        out.extend_from_slice(&block.part_len.to_be_bytes());
        out.extend_from_slice(&(block.parts.len() as u16).to_be_bytes());
        out.extend_from_slice(&(buckets as u16).to_be_bytes());
        out.extend_from_slice(&block.first.to_be_bytes());
        for part in &block.parts {
            out.extend_from_slice(&part.sum);
            out.extend_from_slice(&part.earliest.as_micros().to_be_bytes());
            out.extend_from_slice(&part.latest.as_micros().to_be_bytes());
            out.extend_from_slice(&part.last.0.to_be_bytes());
            out.extend_from_slice(&part.last.1.0);
        }
        offsets.iter().for_each(|offset| out.extend_from_slice(&offset.to_be_bytes()));
        let sum = check(&[b"header", &out]);
        out.extend_from_slice(&sum);
        out.extend_from_slice(&body);
        out
    }
}

/// One block of several in a row, with all of their bytes.
///
/// # Errors
/// Which of them is damaged.
pub(super) fn merge(blocks: &[Arc<Block>], whole: &[Vec<u8>]) -> Result<Vec<u8>, usize> {
    let Some(first) = blocks.first() else { return Err(0) };
    let mut merged = Draft::new(first.first, first.part_len());
    merged.parts.clear();
    for (at, (block, bytes)) in blocks.iter().zip(whole).enumerate() {
        merged.parts.extend_from_slice(&block.parts);
        let shift = block.first - first.first;
        for number in 0..block.offsets.len() - 1 {
            let (from, length) = block.bucket(number);
            let bucket = bytes.get(from..from + length).ok_or(at)?;
            let mut entries = block.sound(number, bucket).ok_or(at)?;
            while !entries.0.is_empty() {
                let term = entries.number().ok_or(at)?;
                let list = postings::read(&mut entries.0, true).ok_or(at)?;
                let all = merged.lists.entry(term).or_default();
                all.extend(list.into_iter().map(|number| (u64::from(number) + shift) as u16));
            }
        }
    }
    Ok(merged.bytes())
}

/// Takes fields of fixed size off the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }
}
