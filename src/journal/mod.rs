//! The journal: the port every store implements, and the format of what is stored.
//!
//! ```text
//!  entity actors ──Append──► writer ──commit(epoch, [Append…])──► Store      one flush for the whole group
//!                                                                   │
//!                     read · scan · deadlines · find_key · head ◄───┘        only what is durable
//! ```
//!
//! Each entity owns a *stream*: records numbered by `seq` from 1. All records of all streams also have a
//! *position*, the global order. A commit is checked twice at the store, like a guarded write in a networked
//! database: the *epoch* says whether the writer still owns the journal, the *expected revision* whether it knew
//! all of the stream. Neither relies on a file lock.
//!
//! The bytes are drawn in [`crate::group`].

#![forbid(unsafe_code)]

pub mod chain;
pub mod codec;
mod frame;
pub mod group;
pub mod pruned;
mod reader;
pub mod stores;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use self::chain::ChainHash;
pub use self::frame::Misfit;
use self::group::GroupHeader;
pub use self::pruned::{Mark, Pruned};
use quorate_core::kernel::ids::{EntityId, IdempotencyKey, StreamId};
use quorate_core::kernel::time::Timestamp;

/// Place of a record in the global order, from 1.
pub type Position = u64;
/// Place of a record in its stream, from 1. A stream's revision is the seq of its last record; 0 when empty.
pub type Seq = u64;
/// Number of an ownership of the journal; grows with every [`Store::acquire`].
pub type Epoch = u64;

/// Positions nearer to each other than this are read together by a store that has no other way to find them.
const NEAR: u64 = 64;

/// Ownerships that a life of a journal has room for, as a power of two; more begin the next one, and nothing is lost by that.
const LIFE_BITS: u32 = 20;

/// The epoch at which the life of a journal began: 0, or one that no other life reaches, from where it was
/// [restored](next_life). Numbers that a copy must not share with the journal it was copied from begin there.
pub fn first_epoch_of_life(epoch: Epoch) -> Epoch {
    epoch >> LIFE_BITS << LIFE_BITS
}

/// The first epoch of a journal that goes on from a copy, of which the last known epoch is given: higher than every epoch, and
/// every number counted up from the beginning of a life, that the journal it was copied from had come to by `now`.
pub fn next_life(epoch: Epoch, now: Timestamp) -> Epoch {
    let seconds = u64::try_from(now.as_micros() / 1_000_000).unwrap_or(0);
    // Numbers that ran out do not begin again.
    seconds.max((epoch >> LIFE_BITS) + 1).min(u64::MAX >> LIFE_BITS) << LIFE_BITS
}

/// The answer of a store, some time later.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 'a>>;

/// The world failed. Says what the caller can do: retry, read again, or stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Somebody else wrote to the stream; read it again.
    #[error("stream was written by someone else. stream={stream}, expected={expected}, actual={actual}")]
    Conflict {
        /// The stream.
        stream: String,
        /// The revision the writer knew.
        expected: Seq,
        /// The revision the store has.
        actual: Seq,
    },
    /// The idempotency key was used before, for this stream; nothing was written.
    #[error("idempotency key was used before. stream={stream}")]
    KeyTaken {
        /// The stream it was first used for.
        stream: StreamId,
    },
    /// Another owner took the journal; stop writing.
    #[error("journal has a newer owner. held={held}, given={given}")]
    Fenced {
        /// The epoch in force.
        held: Epoch,
        /// The epoch of the writer.
        given: Epoch,
    },
    /// It acts in a scope that is stopped; nothing was written.
    #[error(
        "stopped: it may not be done until the stop is released. stop_id={stop_id}, scope={scope}, sequence={number}"
    )]
    Stopped {
        /// The stop.
        stop_id: String,
        /// What it stops.
        scope: String,
        /// Its number among all stops.
        number: u64,
    },
    /// Its records were removed on purpose, by a pruning; nothing was written.
    #[error(
        "{what} was pruned: its records were removed on purpose, and its name is not used again. pruning={pruning}"
    )]
    Pruned {
        /// The entity, or whose idempotency key it was.
        what: String,
        /// Which pruning it was: 1 is the first one of the journal.
        pruning: u64,
    },
    /// Too much is waiting; try again later.
    #[error("too many requests in flight. limit={limit}")]
    Overloaded {
        /// How many may wait.
        limit: usize,
    },
    /// There is no room for a write. Nothing was written, and the store takes writes again once there is room.
    #[error("store has no room; nothing was written, try again later: {reason}")]
    Full {
        /// What could not be written.
        reason: String,
    },
    /// The store did not answer or refuses since a failed flush. Whether the last write survived is not known.
    #[error("store is unavailable: {reason}")]
    Unavailable {
        /// What went wrong, and what to do.
        reason: String,
    },
    /// Stored bytes are not what was written.
    #[error("stored bytes are damaged: {what}")]
    Corrupt {
        /// Which bytes, and how it was noticed.
        what: String,
    },
    /// Another process has the store open.
    #[error("store is held by another process: {holder}")]
    Locked {
        /// Who holds it.
        holder: String,
    },
    /// The store was written by a newer version.
    #[error("store has a newer format. found={found}, supported={supported}; open it with a newer quorate")]
    NewerVersion {
        /// The version on disk.
        found: u32,
        /// The newest version this program reads.
        supported: u32,
    },
    /// The folder holds something else.
    #[error("folder is not a quorate store and not empty. path={path}; name a new or empty folder")]
    Foreign {
        /// The folder.
        path: String,
    },
    /// A setting is out of bounds.
    #[error("setting out of bounds. {knob}={value}, expected {range}")]
    Config {
        /// Which setting.
        knob: &'static str,
        /// What it was set to.
        value: String,
        /// What is allowed.
        range: String,
    },
    /// The journal was moved elsewhere; this store holds an old copy.
    #[error("the journal of this store was moved. to={to}; open it there")]
    Moved {
        /// Where it is now.
        to: String,
    },
    /// A move into this store has not ended.
    #[error(
        "a move into this store was cut off. from={from}; begin `quorate move` again, it goes on where it stood"
    )]
    Moving {
        /// Where the journal comes from.
        from: String,
    },
    /// There is no store here and it was not to be made.
    #[error("no quorate store here. path={path}; `quorate serve --data {path}` makes one")]
    Missing {
        /// The folder.
        path: String,
    },
}

/// What an append does to the stream's entry in the index of open deadlines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Leave it as it is.
    Unchanged,
    /// The entity must be looked at from this instant on.
    At(Timestamp),
    /// Nothing is due any more.
    Clear,
}

/// Records of one stream to be committed together. Built by [`codec::AppendBuilder`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// Whose log.
    pub stream: StreamId,
    /// The revision the writer knew: the first record has seq `expected + 1`.
    pub expected: Seq,
    /// How many records `bytes` holds; at least 1.
    pub count: u32,
    /// The encoded records, back to back.
    pub bytes: Vec<u8>,
    /// The stream's chain hash after the last record.
    pub hash: ChainHash,
    /// What becomes of the stream's open deadline.
    pub due: Due,
    /// The caller's own name for the request, if it gave one.
    pub key: Option<IdempotencyKey>,
    /// It stands or falls together with the append before it in the group. Appends joined so are of different
    /// streams; a crash keeps all of them or none.
    pub joined: bool,
}

/// What became of one append of a committed group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// Durable; the last record has this position.
    Done(Position),
    /// Refused: the stream is not at the expected revision.
    Conflict {
        /// The revision the store has.
        actual: Seq,
    },
    /// Refused: this idempotency key was used before, for this stream.
    KeyTaken(StreamId),
    /// Refused: the stream, or the idempotency key, was pruned by this pruning.
    Pruned(u64),
    /// Refused because an append it is joined with was refused.
    Withheld,
}

/// The end of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Seq of the last record.
    pub revision: Seq,
    /// Chain hash after the last record.
    pub hash: ChainHash,
    /// The stream's entry in the deadline index.
    pub due: Option<Timestamp>,
}

/// The end of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Position of the last record; 0 when empty.
    pub position: Position,
    /// Number of the last group; 0 when empty.
    pub group: u64,
    /// When the last group was committed; the clock never goes below it.
    pub at: Timestamp,
    /// Hash of the last group; covers everything before it.
    pub hash: ChainHash,
}

/// One stored record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Place in the global order.
    pub position: Position,
    /// Whose record.
    pub stream: StreamId,
    /// Place in the stream.
    pub seq: Seq,
    /// When it was decided.
    pub at: Timestamp,
    /// The identity under which it was made; none where nobody was asked who calls, and where it followed by itself.
    pub by: Option<EntityId>,
    /// The event, encoded by [`codec::encode`].
    pub payload: Vec<u8>,
    /// Chain hash of the stream up to and with this record.
    pub hash: ChainHash,
    /// The append that carried this record was the one after which nothing was due any more.
    pub settles: bool,
}

/// A state kept to shorten the next rebuild; may be lost or ignored at any time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// How many records made the state.
    pub revision: Seq,
    /// Chain hash of the stream at that revision.
    pub hash: ChainHash,
    /// Layout number of the state ([`quorate_core::kernel::Machine::STATE_VERSION`]).
    pub version: u16,
    /// The state, encoded by [`codec::encode`].
    pub state: Vec<u8>,
}

/// What opening a store had to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// Groups behind the index mark that were read again.
    pub groups_replayed: u64,
    /// What is gone, as sentences: writes at the end that were never finished and never acknowledged, or everything
    /// behind damage when a loss was accepted.
    pub dropped: Vec<String>,
    /// What was found damaged and made good from elsewhere, with nothing lost, as sentences.
    pub repaired: Vec<String>,
    /// Records that were acknowledged may be among what is gone; somebody asked for it.
    pub accepted_loss: bool,
    /// Why opening would be refused, as a sentence, where a folder was only read. Everything may be there all the same.
    pub refusal: Option<String>,
}

/// The port: what the runtime needs of a store, and nothing of how a store does it.
///
/// Every method may block its thread while polled; the runtime polls them where blocking is harmless. Reads see
/// only what is durable. After a failed [`Store::commit`] the store refuses every further call with
/// [`Fault::Unavailable`] until it is opened again: whether the failed group survived is then found by reading.
/// A commit that found no room ([`Fault::Full`]) has written nothing and ends nothing.
pub trait Store: Send + Sync + 'static {
    /// Takes ownership: makes a new epoch durable and fences every earlier one. `owner` is told to others.
    fn acquire<'a>(&'a self, owner: &'a str) -> Pending<'a, Epoch>;

    /// Commits a group in the given order, durable on return. Each append stands or falls alone, or with those it
    /// is [joined](Append::joined) with; it sees the effect of earlier ones of its group. A crash during the call
    /// keeps a prefix of the group that does not part joined appends.
    ///
    /// # Errors
    /// [`Fault::Fenced`] and [`Fault::Full`] with nothing written; any other fault poisons the store.
    fn commit<'a>(&'a self, epoch: Epoch, at: Timestamp, group: &'a [Append]) -> Pending<'a, Vec<Appended>>;

    /// The end of one stream, or `None` when it has no records.
    ///
    /// # Errors
    /// [`Fault::Pruned`] when it had some and they were pruned, as those of [`Store::read`] and [`Store::find_key`].
    fn head<'a>(&'a self, stream: &'a StreamId) -> Pending<'a, Option<Head>>;

    /// Records of one stream after `after`, oldest first, at most `limit`.
    fn read<'a>(&'a self, stream: &'a StreamId, after: Seq, limit: usize) -> Pending<'a, Vec<Record>>;

    /// Records after position `after` in global order, at most `limit`.
    fn scan(&self, after: Position, limit: usize) -> Pending<'_, Vec<Record>>;

    /// The records at these positions, which grow, in order. Positions without a record are left out.
    fn records_at<'a>(&'a self, positions: &'a [Position]) -> Pending<'a, Vec<Record>> {
        Box::pin(async move {
            let (mut out, mut rest) = (Vec::with_capacity(positions.len()), positions);
            while let Some(first) = rest.first() {
                // Those that stand close to each other are read together.
                let near = |position: &Position| position - first < NEAR;
                let (wanted, later) = rest.split_at(rest.partition_point(near));
                let span = wanted.last().map_or(1, |last| last - first + 1);
                let limit = usize::try_from(span).unwrap_or(usize::MAX);
                let found = self.scan(first.saturating_sub(1), limit).await?;
                out.extend(found.into_iter().filter(|r| wanted.binary_search(&r.position).is_ok()));
                rest = later;
            }
            Ok(out)
        })
    }

    /// What pruned records left at the positions after `after`, of at most `limit` positions from there on. Between them stand
    /// records that [`Store::scan`] has.
    fn pruned(&self, after: Position, limit: usize) -> Pending<'_, Vec<Pruned>> {
        let _ = (after, limit);
        Box::pin(async { Ok(Vec::new()) })
    }

    /// The last record of each append that settled its stream ([`Record::settles`]), at positions before
    /// `before`, newest first, at most `limit`.
    fn settled_before(&self, before: Position, limit: usize) -> Pending<'_, Vec<Record>>;

    /// The end of the journal.
    fn tip(&self) -> Pending<'_, Tip>;

    /// The index of open deadlines, soonest first, after the given entry, at most `limit`.
    fn deadlines(
        &self,
        after: Option<(Timestamp, StreamId)>,
        limit: usize,
    ) -> Pending<'_, Vec<(Timestamp, StreamId)>>;

    /// The stream a caller's idempotency key was first used for.
    fn find_key<'a>(&'a self, key: &'a IdempotencyKey) -> Pending<'a, Option<StreamId>>;

    /// Keeps a snapshot. Not durable before the next flush; losing it costs only time.
    fn save_snapshot<'a>(&'a self, stream: &'a StreamId, snapshot: Snapshot) -> Pending<'a, ()>;

    /// The latest snapshot kept for a stream.
    fn load_snapshot<'a>(&'a self, stream: &'a StreamId) -> Pending<'a, Option<Snapshot>>;

    /// Keeps a small named text or counter set of the runtime (a projection and the position it stands at).
    fn save_projection<'a>(&'a self, name: &'a str, at: Position, bytes: Vec<u8>) -> Pending<'a, ()>;

    /// What was kept under this name.
    fn load_projection<'a>(&'a self, name: &'a str) -> Pending<'a, Option<(Position, Vec<u8>)>>;

    /// Keeps a note of at most 400 bytes that outlives the process at once, and a loss of power when it is `synced`. It
    /// replaces the note before it, and is not kept in order with commits. A store that can do no better keeps it as
    /// a projection.
    fn save_note<'a>(&'a self, note: &'a [u8], synced: bool) -> Pending<'a, ()> {
        let _ = synced;
        self.save_projection("note", 0, note.to_vec())
    }

    /// Are its records still there when the process is gone? What is kept in memory only, beside it, must not be needed then.
    fn outlives_the_process(&self) -> bool {
        true
    }

    /// The note, unless it is lost.
    fn load_note(&self) -> Pending<'_, Option<Vec<u8>>> {
        Box::pin(async { Ok(self.load_projection("note").await?.map(|(_, note)| note)) })
    }

    /// The bytes of the commit groups after the one with this number, verbatim and in order: as many as `max_bytes` hold,
    /// and at least one when there is one.
    fn groups(&self, after: u64, max_bytes: usize) -> Pending<'_, Vec<Arc<[u8]>>>;

    /// Checks every group hash, chain link, position and stream chain from `after` on, at most `limit` groups;
    /// the first fault ends the walk.
    fn verify(&self, from: VerifyCursor, limit: usize) -> Pending<'_, VerifyStep>;

    /// Where a walk begins that is to check what stands at this position and behind it: before the group that holds it, or
    /// before an earlier one when that group cannot be read.
    fn verify_from(&self, position: Position) -> Pending<'_, VerifyCursor> {
        Box::pin(async move {
            let (mut low, mut high) = (1, self.tip().await?.group);
            let mut begin = VerifyCursor::default();
            while low < high {
                let middle = low + (high - low).div_ceil(2);
                let (mut number, mut header) = (middle, None);
                // A damaged group says nothing; the next one does.
                while number <= high && header.is_none() {
                    match self.groups(number - 1, 1).await {
                        Ok(some) => {
                            header = some.first().map(|bytes| GroupHeader::parse(bytes)).transpose()?
                        }
                        Err(Fault::Corrupt { .. }) => {}
                        Err(fault) => return Err(fault),
                    }
                    number += 1;
                }
                match header.filter(|header| header.first_position <= position) {
                    Some(header) => {
                        low = header.number;
                        begin = VerifyCursor {
                            group: low - 1,
                            hash: header.previous,
                            position: header.first_position - 1,
                            began: low - 1,
                            ..VerifyCursor::default()
                        };
                    }
                    None => high = middle - 1,
                }
            }
            Ok(begin)
        })
    }

    /// What opening had to do.
    fn open_report(&self) -> OpenReport;

    /// Writes all indexes and flushes. The store refuses further commits.
    fn close(&self) -> Pending<'_, ()>;
}

/// Where a verification walk stands. Start with the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyCursor {
    /// Groups checked so far.
    pub group: u64,
    /// Hash of the last checked group.
    pub hash: ChainHash,
    /// Position of the last checked record.
    pub position: Position,
    /// Groups before the one that the walk began with: 0 for a walk over everything. Of what stands before it nothing is
    /// checked, and what it says of itself is believed.
    pub began: u64,
    /// How many of the records were pruned, by the number of the pruning.
    pub pruned: std::collections::BTreeMap<u64, u64>,
    /// Revision and chain hash of every stream met so far.
    pub streams: std::collections::BTreeMap<StreamId, (Seq, ChainHash)>,
}

/// One part of a verification walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyStep {
    /// Where to go on.
    pub cursor: VerifyCursor,
    /// Nothing is left to check.
    pub done: bool,
    /// The first broken record or group, as a sentence with its position.
    pub broken: Option<Broken>,
}

/// The first thing found broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The group it stands in.
    pub group: u64,
    /// The record, when it is known.
    pub position: Option<Position>,
    /// The stream and seq, when they are known.
    pub record: Option<(StreamId, Seq)>,
    /// What does not fit.
    pub why: String,
}
