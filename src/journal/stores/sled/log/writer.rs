//! Writes the log.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::super::super::{Durability, lock};
use super::frame::{Header, SEAL, encode, encoded_len, roll_marker};
use super::segment::{self, SegmentHeader, is_removed, write_at};
use super::{Bound, Identity, Place, SECTOR, unavailable};
use crate::Fault;

/// Bytes of the first segment that a process makes; a command that writes little leaves little.
const FIRST_SEGMENT: u64 = 256 << 10;
/// How much larger each segment is than the one before, and how large they get.
const GROWTH: u64 = 4;
const LARGEST_SEGMENT: u64 = 16 << 20;

/// Where a log is and how it is kept.
#[derive(Clone, Debug)]
pub(in super::super) struct Options {
    pub dir: PathBuf,
    pub identity: Identity,
    pub durability: Durability,
}

/// The log, held by the one who commits.
#[derive(Debug)]
pub(in super::super) struct Log {
    options: Options,
    file: Arc<File>,
    place: Place,
    size: u64,
    ahead: Arc<Ahead>,
    maker: Option<JoinHandle<()>>,
    buffer: Vec<u8>,
}

/// Why a frame was not written.
#[derive(Debug)]
pub(in super::super) enum AppendError {
    /// There was no room for it; nothing was written.
    NoRoom(Fault),
    /// Whether it is on disk is not known.
    Unknown(Fault),
}

/// The next segment, made while the last one fills.
#[derive(Debug, Default)]
struct Ahead {
    state: Mutex<Next>,
    turn: Condvar,
}

#[derive(Debug, Default)]
enum Next {
    #[default]
    Unwanted,
    Wanted(SegmentHeader),
    Making,
    Ready(SegmentHeader, Arc<File>),
    Ended,
}

impl Log {
    /// Starts a segment with nothing in it.
    pub fn begin(options: Options, number: u64) -> Result<Self, Fault> {
        let header = SegmentHeader { number, size: FIRST_SEGMENT, identity: options.identity };
        let file = segment::create(&options.dir, &header, options.durability != Durability::None)?;
        let place = Place { segment: number, offset: SECTOR as u64 };
        Self::with(options, Arc::new(file), place, FIRST_SEGMENT)
    }

    /// Goes on behind the last frame. What stands behind it up to `upto` is an unfinished write and is wiped, so that
    /// it can never be taken for anything else. The last frame, if its sync is not known to have succeeded, is
    /// written again: after a sync that failed, reading shows what the disk does not have.
    pub fn resume(
        options: Options,
        (place, size): (Place, u64),
        upto: u64,
        unsealed: Option<Place>,
    ) -> Result<Self, Fault> {
        let open = |number: u64| {
            let path = segment::path(&options.dir, number);
            File::options().read(true).write(true).open(path)
        };
        let repair = || {
            let file = open(place.segment)?;
            if upto > place.offset {
                let end = upto.div_ceil(SECTOR as u64) * SECTOR as u64;
                write_at(&file, &vec![0; (end - place.offset) as usize], place.offset)?;
                sync(&file, options.durability)?;
            }
            if let Some(from) = unsealed {
                let holder = open(from.segment)?;
                let bound = Bound { identity: &options.identity, place: from };
                let first = read_at(&holder, from.offset, SECTOR)?;
                if let Some(header) = Header::read(bound, &first) {
                    let frame = read_at(&holder, from.offset, header.len() as usize)?;
                    write_at(&holder, &frame, from.offset)?;
                    sync(&holder, options.durability)?;
                    write_at(&holder, &header.seal(bound), from.offset + header.len() - SEAL as u64)?;
                }
            }
            Ok(file)
        };
        let file = repair().map_err(|e: io::Error| unavailable("the log cannot be taken up again", &e))?;
        Self::with(options, Arc::new(file), place, size)
    }

    fn with(options: Options, file: Arc<File>, place: Place, size: u64) -> Result<Self, Fault> {
        let ahead = Arc::<Ahead>::default();
        let maker = std::thread::Builder::new().name("quorate-log".into()).spawn({
            let (ahead, options) = (ahead.clone(), options.clone());
            move || ahead.run(&options)
        });
        let maker =
            maker.map_err(|e| Fault::Unavailable { reason: format!("the log thread cannot start: {e}") })?;
        Ok(Log { options, file, place, size, ahead, maker: Some(maker), buffer: Vec::new() })
    }

    /// Where the next frame goes.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The open segment, to sync it from elsewhere.
    pub fn file(&self) -> Arc<File> {
        self.file.clone()
    }

    /// Writes one frame, durable on return. Answers where it starts.
    pub fn append(&mut self, first: u64, groups: &[Arc<[u8]>]) -> Result<Place, AppendError> {
        self.make_room(encoded_len(groups))?;
        let mut header = self.encode(first, groups);
        if self.place.offset + header.len() + SECTOR as u64 > self.size {
            // A frame with sectors of zeros is a little longer than foreseen.
            self.make_room(header.len())?;
            header = self.encode(first, groups);
        }
        let start = self.place;
        let seal = header.seal(self.bound());
        let end = start.offset + header.len();
        let write = || {
            write_at(&self.file, &self.buffer, start.offset)?;
            sync(&self.file, self.options.durability)?;
            if is_removed(&self.file)? {
                return Err(io::Error::other("the data folder was removed while it was in use"));
            }
            write_at(&self.file, &seal, end - SEAL as u64)
        };
        write().map_err(|e| AppendError::Unknown(unavailable("the log cannot be written", &e)))?;
        self.place.offset = end;
        if self.place.offset > self.size / 2 {
            self.ahead.want(&self.next(0));
        }
        if self.buffer.capacity() > LARGEST_SEGMENT as usize {
            self.buffer = Vec::new();
        }
        Ok(start)
    }

    fn encode(&mut self, first: u64, groups: &[Arc<[u8]>]) -> Header {
        let bound = Bound { identity: &self.options.identity, place: self.place };
        encode(bound, first, groups, &mut self.buffer)
    }

    fn bound(&self) -> Bound<'_> {
        Bound { identity: &self.options.identity, place: self.place }
    }

    fn next(&self, frame: u64) -> SegmentHeader {
        let fitting = frame + 2 * SECTOR as u64;
        let size = (self.size.saturating_mul(GROWTH)).min(LARGEST_SEGMENT).max(fitting);
        SegmentHeader { number: self.place.segment + 1, size, identity: self.options.identity }
    }

    /// Goes to the next segment when a frame does not fit into this one beside a roll marker.
    fn make_room(&mut self, frame: u64) -> Result<(), AppendError> {
        if self.place.offset + frame + SECTOR as u64 <= self.size {
            return Ok(());
        }
        let durable = self.options.durability != Durability::None;
        let wanted = self.next(frame);
        let made = self
            .ahead
            .take()
            .filter(|(made, _)| made.number == wanted.number && made.size >= frame + 2 * SECTOR as u64);
        let (header, file) = match made {
            Some(made) => made,
            None => {
                let make = |header: &SegmentHeader| segment::create(&self.options.dir, header, durable);
                let small = SegmentHeader {
                    size: FIRST_SEGMENT.max(frame + 2 * SECTOR as u64).min(wanted.size),
                    ..wanted.clone()
                };
                // On a disk that is nearly full a small one may find room where a large one does not.
                let made = make(&wanted).map(|file| (wanted, file));
                let (header, file) =
                    made.or_else(|_| make(&small).map(|file| (small, file))).map_err(AppendError::NoRoom)?;
                (header, Arc::new(file))
            }
        };
        // Before anything stands in the next segment, this one says that there is one.
        let marker = roll_marker(self.bound(), header.number);
        write_at(&self.file, &marker, self.place.offset)
            .and_then(|()| if durable { self.file.sync_data() } else { Ok(()) })
            .map_err(|e| AppendError::Unknown(unavailable("the log cannot be written", &e)))?;
        self.file = file;
        self.size = header.size;
        self.place = Place { segment: header.number, offset: SECTOR as u64 };
        Ok(())
    }

    /// Ends the making of segments, so that there will be no further one.
    pub fn end(&mut self) {
        *lock(&self.ahead.state) = Next::Ended;
        self.ahead.turn.notify_all();
        if let Some(maker) = self.maker.take() {
            // Without it segments are made when they are needed.
            let _ = maker.join();
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.end();
    }
}

impl Ahead {
    fn want(&self, header: &SegmentHeader) {
        let mut state = lock(&self.state);
        if matches!(*state, Next::Unwanted) {
            *state = Next::Wanted(header.clone());
            self.turn.notify_all();
        }
    }

    /// The segment made in advance; waits for one in the making.
    fn take(&self) -> Option<(SegmentHeader, Arc<File>)> {
        let mut state = lock(&self.state);
        while matches!(*state, Next::Making) {
            state = self.turn.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if matches!(*state, Next::Ended) {
            return None;
        }
        match std::mem::take(&mut *state) {
            Next::Ready(header, file) => Some((header, file)),
            _ => None,
        }
    }

    fn run(&self, options: &Options) {
        let mut state = lock(&self.state);
        loop {
            let header = match &*state {
                Next::Ended => return,
                Next::Wanted(header) => header.clone(),
                Next::Unwanted | Next::Making | Next::Ready(..) => {
                    state = self.turn.wait(state).unwrap_or_else(PoisonError::into_inner);
                    continue;
                }
            };
            *state = Next::Making;
            drop(state);
            let made = segment::create(&options.dir, &header, options.durability != Durability::None);
            state = lock(&self.state);
            if matches!(*state, Next::Making) {
                // A failure is told by the commit that tries again.
                *state = made.map_or(Next::Unwanted, |file| Next::Ready(header, Arc::new(file)));
            }
            self.turn.notify_all();
        }
    }
}

fn sync(file: &File, durability: Durability) -> io::Result<()> {
    if durability == Durability::Power { file.sync_data() } else { Ok(()) }
}

fn read_at(file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = file;
    let mut bytes = vec![0; length];
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}
