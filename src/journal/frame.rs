//! One append inside a group. The bytes are drawn in [`super::group`].

use super::chain::record_hash;
use super::codec::{RECORD_HEADER, RECORD_TRAILER, ReadRecord, take_record};
use super::group::GroupHeader;
use super::pruned::{Mark, Pruned};
use super::reader::{Reader, damaged};
use super::{ChainHash, Due, Fault, Position, Record, Seq};
use quorate_core::kernel::ids::{EntityId, IdempotencyKey, StreamId, StreamKind};

pub(super) const DUE_SET: u8 = 1;
pub(super) const DUE_CLEAR: u8 = 2;
pub(super) const HAS_KEY: u8 = 4;
pub(crate) const PRUNED: u8 = 8;

/// Bytes of a leaf.
const LEAF: usize = 32;

/// One append as it stands in a group, its records not yet taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Whose records.
    pub stream: StreamId,
    /// Seq of the first record.
    pub first_seq: Seq,
    /// The last earlier group that held the stream, 0 for none.
    pub previous_group: u64,
    /// What the append did to the deadline index.
    pub due: Due,
    /// The caller's own name for the request.
    pub key: Option<IdempotencyKey>,
    /// Position of the first record.
    pub first_position: Position,
    /// How many records.
    pub count: u32,
    bytes: &'a [u8],
}

impl Frame<'_> {
    /// Its records as they are stored, back to back.
    pub(super) fn record_bytes(&self) -> &[u8] {
        self.bytes
    }

    /// Seq of the last record. Wraps around instead of overflowing: damaged bytes may say anything.
    pub fn last_seq(&self) -> Seq {
        self.first_seq.wrapping_add(u64::from(self.count)).wrapping_sub(1)
    }

    /// Position of the last record.
    pub fn last_position(&self) -> Position {
        self.first_position.wrapping_add(u64::from(self.count)).wrapping_sub(1)
    }

    /// The stream's chain hash after the last record, as stored.
    pub fn hash(&self) -> Result<ChainHash, Fault> {
        let tail = self.bytes.len().checked_sub(RECORD_TRAILER).ok_or_else(|| damaged("frame is empty"))?;
        Reader { bytes: self.bytes, at: tail }.hash()
    }

    /// Takes the records apart.
    ///
    /// # Errors
    /// [`Fault::Corrupt`] when they do not fit the frame; [`Fault::NewerVersion`] for a newer record.
    pub fn records(&self) -> Result<Vec<Record>, Fault> {
        // Damaged bytes may name any count; no record is shorter than its frame of fixed fields.
        let most = self.bytes.len() / (RECORD_HEADER + RECORD_TRAILER);
        let mut out = Vec::with_capacity(most.min(self.count as usize));
        self.each_record(|record, _| {
            out.push(record);
            Ok(())
        })?;
        Ok(out)
    }

    /// Checks seq order and the chain from `hash`, the stream's hash before this frame; returns the hash after.
    ///
    /// # Errors
    /// [`Fault::Corrupt`] naming the first record that does not fit.
    pub fn verify(&self, hash: ChainHash) -> Result<ChainHash, Fault> {
        self.first_misfit(hash).map_err(|misfit| {
            damaged(&format!(
                "{}. stream={}, seq={}, position={}",
                misfit.why, self.stream, misfit.seq, misfit.position
            ))
        })
    }

    /// As [`Frame::verify`], but says which record does not fit.
    ///
    /// # Errors
    /// The first record that cannot be read or does not fit the chain.
    pub fn first_misfit(&self, mut hash: ChainHash) -> Result<ChainHash, Misfit> {
        let mut fitting = 0;
        let read = self.each_record(|record, covered| {
            hash = record_hash(&hash, &self.stream, covered);
            if hash != record.hash {
                return Err(damaged("record does not fit its chain"));
            }
            fitting += 1;
            Ok(())
        });
        read.map_err(|fault| Misfit {
            seq: self.first_seq.wrapping_add(fitting),
            position: self.first_position.wrapping_add(fitting),
            why: match fault {
                Fault::Corrupt { what } => what,
                other => other.to_string(),
            },
        })?;
        Ok(hash)
    }

    fn each_record(&self, mut visit: impl FnMut(Record, &[u8]) -> Result<(), Fault>) -> Result<(), Fault> {
        let mut r = Reader { bytes: self.bytes, at: 0 };
        for n in 0..u64::from(self.count) {
            let start = r.at;
            let ReadRecord { seq, at, by, payload } = take_record(&mut r)?;
            let payload = payload.to_vec();
            let covered = &self.bytes[start..r.at];
            let hash = r.hash()?;
            if seq != self.first_seq.wrapping_add(n) {
                return Err(damaged(&format!("record out of order. stream={}, seq={seq}", self.stream)));
            }
            let settles = self.due == Due::Clear && n + 1 == u64::from(self.count);
            let position = self.first_position.wrapping_add(n);
            visit(
                Record { position, stream: self.stream.clone(), seq, at, by, payload, hash, settles },
                covered,
            )?;
        }
        if r.at == self.bytes.len() { Ok(()) } else { Err(damaged("frame has bytes left over")) }
    }
}

/// The first record of a frame that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Its place in the stream.
    pub seq: Seq,
    /// Its place in the global order.
    pub position: Position,
    /// What does not fit.
    pub why: String,
}

/// Which frames of a group are taken apart; the others are stepped over without copying their names.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted<'s> {
    All,
    Of(&'s StreamId),
    Settling,
}

impl Wanted<'_> {
    fn matches(self, flags: u8, code: u8, id: &[u8]) -> bool {
        match self {
            Wanted::All => true,
            Wanted::Of(stream) => stream.kind.code() == code && stream.id.as_str().as_bytes() == id,
            Wanted::Settling => flags & DUE_CLEAR != 0,
        }
    }
}

/// Iterator over the frames of a group; ends after the first damaged one.
#[derive(Debug)]
pub struct Frames<'a, 's> {
    reader: Reader<'a>,
    left: u32,
    position: Position,
    wanted: Wanted<'s>,
    /// The group may hold what pruned records left.
    may_be_pruned: bool,
}

/// One thing in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// An append.
    Frame(Frame<'a>),
    /// What pruned records left.
    Pruned(Pruned),
}

/// Iterator over everything in a group; ends after the first damaged part.
#[derive(Debug)]
pub struct Parts<'a>(Frames<'a, 'static>);

impl<'a> Parts<'a> {
    pub(super) fn new(header: &GroupHeader, body: &'a [u8]) -> Self {
        Parts(Frames::new(header, body, Wanted::All))
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Result<Part<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(left) = self.0.left.checked_sub(1) {
            self.0.left = left;
            let part = match self.0.at_pruned() {
                true => self.0.read_pruned(true).map(|run| run.map(Part::Pruned)),
                false => self.0.read().map(|frame| frame.map(Part::Frame)),
            };
            match part {
                Ok(None) => {}
                Ok(Some(part)) => return Some(Ok(part)),
                Err(fault) => {
                    self.0.left = 0;
                    return Some(Err(fault));
                }
            }
        }
        None
    }
}

impl<'a, 's> Frames<'a, 's> {
    pub(super) fn new(header: &GroupHeader, body: &'a [u8], wanted: Wanted<'s>) -> Self {
        let reader = Reader { bytes: body, at: 0 };
        let may_be_pruned = header.version > 1;
        Frames { reader, left: header.frames, position: header.first_position, wanted, may_be_pruned }
    }

    fn at_pruned(&self) -> bool {
        self.may_be_pruned && self.reader.bytes.get(self.reader.at) == Some(&PRUNED)
    }

    /// Reads what pruned records left, or with `taken` false steps over it.
    fn read_pruned(&mut self, taken: bool) -> Result<Option<Pruned>, Fault> {
        let r = &mut self.reader;
        r.u8()?;
        let (pruning, records, marks) = (r.u64()?, r.u32()?, r.u32()?);
        let bytes = |count: u32, size: usize| {
            let bytes = (count as usize).checked_mul(size);
            bytes.ok_or_else(|| damaged("what pruned records left is too long"))
        };
        let (leaves, marks) = (r.take(bytes(records, LEAF)?)?, r.take(bytes(marks, Mark::BYTES)?)?);
        if records == 0 {
            return Err(damaged("nothing was left by pruned records"));
        }
        let first_position = self.position;
        self.position = self.position.wrapping_add(u64::from(records));
        if !taken {
            return Ok(None);
        }
        let (leaves, marks) =
            (leaves.as_chunks().0.to_vec(), marks.as_chunks().0.iter().copied().map(Mark).collect());
        Ok(Some(Pruned { first_position, pruning, leaves, marks }))
    }

    /// Reads one frame, or `None` when it is not wanted.
    fn read(&mut self) -> Result<Option<Frame<'a>>, Fault> {
        if self.at_pruned() {
            return self.read_pruned(false).map(|_| None);
        }
        let r = &mut self.reader;
        let flags = r.u8()?;
        let code = r.u8()?;
        let length = r.u16()? as usize;
        let id = r.take(length)?;
        let first_seq = r.u64()?;
        let previous_group = r.u64()?;
        let due = match flags & (DUE_SET | DUE_CLEAR) {
            0 => Due::Unchanged,
            DUE_SET => Due::At(r.timestamp()?),
            DUE_CLEAR => Due::Clear,
            _ => return Err(damaged("frame flags contradict each other")),
        };
        let key = if flags & HAS_KEY == 0 {
            None
        } else {
            let length = r.u16()? as usize;
            Some(r.text(length)?)
        };
        let count = r.u32()?;
        let length = r.u32()? as usize;
        let bytes = r.take(length)?;
        let first_position = self.position;
        self.position = self.position.wrapping_add(u64::from(count));
        if count == 0 {
            return Err(damaged("frame holds no records"));
        }
        if !self.wanted.matches(flags, code, id) {
            return Ok(None);
        }
        let kind = StreamKind::from_code(code)
            .ok_or_else(|| damaged(&format!("record of an unknown kind. code={code}")))?;
        let id = std::str::from_utf8(id).map_err(|_| damaged("id is not UTF-8"))?;
        let id = EntityId::stored(id).map_err(|e| damaged(&e.to_string()))?;
        let key = key.map(IdempotencyKey::stored).transpose().map_err(|e| damaged(&e.to_string()))?;
        let stream = StreamId::new(kind, id);
        Ok(Some(Frame { stream, first_seq, previous_group, due, key, first_position, count, bytes }))
    }
}

impl<'a> Iterator for Frames<'a, '_> {
    type Item = Result<Frame<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            match self.read() {
                Ok(None) => {}
                Ok(Some(frame)) => return Some(Ok(frame)),
                Err(fault) => {
                    self.left = 0;
                    return Some(Err(fault));
                }
            }
        }
        None
    }
}
