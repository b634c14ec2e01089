//! What is asked of the tables.

use std::sync::Arc;

use tokio_postgres::Row;

use super::super::heads::Entry;
use super::super::layout::{decode_stream, stream_key};
use super::super::lock;
use super::super::walk::{GroupBytes, View};
use super::commit::went_back;
use super::link::Trouble;
use super::{Core, read_slot, write_slot};
use crate::{Append, ChainHash, Epoch, Fault, Position, Snapshot, Tip};
use quorate_core::kernel::ids::{IdempotencyKey, StreamId};
use quorate_core::kernel::time::Timestamp;

/// The end of a journal without records.
pub(super) fn nothing() -> Tip {
    Tip { position: 0, group: 0, at: Timestamp::MIN, hash: ChainHash::default() }
}

/// A number of the tables, which are signed there and never below zero.
pub(super) fn number(value: i64) -> Result<u64, Trouble> {
    u64::try_from(value).map_err(|_| damaged(format!("a number below zero. found={value}")))
}

/// The other way; numbers of 2^63 and more do not come up.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn damaged(what: String) -> Trouble {
    Trouble::Told(Fault::Corrupt { what: format!("the database: {what}") })
}

fn hash(bytes: &[u8]) -> Result<ChainHash, Trouble> {
    let bytes = <[u8; 32]>::try_from(bytes);
    bytes.map(ChainHash).map_err(|_| damaged("a hash is not 32 bytes long".into()))
}

fn stream(bytes: &[u8]) -> Result<StreamId, Trouble> {
    decode_stream(bytes).map_err(Trouble::Told)
}

/// A tip in four columns from `at` on: group, position, instant, hash.
pub(super) fn tip(row: &Row, at: usize) -> Result<Tip, Trouble> {
    Ok(Tip {
        group: number(row.try_get(at)?)?,
        position: number(row.try_get(at + 1)?)?,
        at: Timestamp::from_micros(row.try_get(at + 2)?),
        hash: hash(row.try_get(at + 3)?)?,
    })
}

/// An entry in four columns from `at` on: revision, hash, last group, due.
fn entry(row: &Row, at: usize) -> Result<Entry, Trouble> {
    Ok(Entry {
        revision: number(row.try_get(at)?)?,
        hash: hash(row.try_get(at + 1)?)?,
        last_group: number(row.try_get(at + 2)?)?,
        due: row.try_get::<_, Option<i64>>(at + 3)?.map(Timestamp::from_micros),
    })
}

/// What a plan must know of streams and keys that nobody at hand remembers.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub heads: Vec<(StreamId, Entry)>,
    pub keys: Vec<(Vec<u8>, StreamId)>,
}

/// Refuses what a journal says that does not end where its owner knows it to end: `row` has group and hash from 2 on.
fn still_ours((epoch, known): &(Epoch, Tip), held: Epoch, row: &Row) -> Result<(), Trouble> {
    let found = Tip { group: number(row.try_get(2)?)?, hash: hash(row.try_get(3)?)?, ..known.clone() };
    if held > *epoch {
        return Err(Trouble::Told(Fault::Fenced { held, given: *epoch }));
    }
    if found != *known {
        return Err(Trouble::Told(went_back(known, &found)));
    }
    Ok(())
}

impl Core {
    /// The entries of these streams and the first uses of these keys, over the connection that commits, from a journal that
    /// ends where the owner knows it to end.
    pub(super) fn look_up(
        self: &Arc<Self>,
        streams: Vec<Vec<u8>>,
        keys: Vec<Vec<u8>>,
        known: (Epoch, Tip),
    ) -> Result<Found, Fault> {
        const BOTH: &str = "SELECT 0, stream, revision, hash, last_group, due FROM quorate_heads \
             WHERE stream = ANY($1) UNION ALL \
             SELECT 1, key, 0, stream, 0, 0 FROM quorate_keys WHERE key = ANY($2) UNION ALL \
             SELECT 2, '', tip_group, tip_hash, epoch, 0 FROM quorate_owner";
        let asked = Arc::new((streams, keys, known));
        self.ask(write_slot, move |link| {
            let asked = asked.clone();
            async move {
                let mut found = Found::default();
                for row in link.client.query(BOTH, &[&asked.0, &asked.1]).await? {
                    match row.try_get::<_, i32>(0)? {
                        2 => still_ours(&asked.2, number(row.try_get(4)?)?, &row)?,
                        0 => found.heads.push((stream(row.try_get(1)?)?, entry(&row, 2)?)),
                        _ => found.keys.push((row.try_get(1)?, stream(row.try_get(3)?)?)),
                    }
                }
                Ok(found)
            }
        })
    }

    pub(super) fn epoch(self: &Arc<Self>) -> Result<Epoch, Fault> {
        self.ask(write_slot, |link| async move {
            number(link.client.query_one("SELECT epoch FROM quorate_owner", &[]).await?.try_get(0)?)
        })
    }

    /// The end of the journal; that of the tables where it is somebody else's.
    pub(super) fn end(self: &Arc<Self>) -> Result<Tip, Fault> {
        {
            let state = lock(&self.state);
            if state.owned.is_some() {
                return Ok(state.tip.clone());
            }
        }
        const TIP: &str = "SELECT tip_group, tip_position, tip_at, tip_hash FROM quorate_owner";
        self.ask(read_slot, |link| async move { tip(&link.client.query_one(TIP, &[]).await?, 0) })
    }

    pub(super) fn head(self: &Arc<Self>, of: &StreamId) -> Result<Option<Entry>, Fault> {
        {
            let state = lock(&self.state);
            if let Some(known) = state.heads.get(of).filter(|_| state.owned.is_some()) {
                return Ok(known.clone());
            }
        }
        const HEAD: &str = "SELECT revision, hash, last_group, due FROM quorate_heads WHERE stream = $1";
        let of = stream_key(of);
        self.ask(read_slot, move |link| {
            let of = of.clone();
            async move { link.client.query_opt(HEAD, &[&of]).await?.map(|row| entry(&row, 0)).transpose() }
        })
    }

    pub(super) fn key(self: &Arc<Self>, key: &IdempotencyKey) -> Result<Option<StreamId>, Fault> {
        let key = key.as_str().as_bytes().to_vec();
        self.ask(read_slot, move |link| {
            let key = key.clone();
            async move {
                let row =
                    link.client.query_opt("SELECT stream FROM quorate_keys WHERE key = $1", &[&key]).await?;
                row.map(|row| stream(row.try_get(0)?)).transpose()
            }
        })
    }

    fn group_bytes(self: &Arc<Self>, wanted: u64) -> Result<Option<GroupBytes>, Fault> {
        if let Some(found) = self.blocks.find(wanted) {
            return Ok(Some(found));
        }
        const GROUPS: &str =
            "SELECT number, bytes FROM quorate_groups WHERE number BETWEEN $1 AND $2 ORDER BY number";
        let (first, last) = self.blocks.worth(wanted);
        let rows = self.ask(read_slot, move |link| async move {
            let rows = link.client.query(GROUPS, &[&signed(first), &signed(last)]).await?;
            rows.iter()
                .map(|row| Ok((number(row.try_get(0)?)?, row.try_get(1)?)))
                .collect::<Result<Vec<_>, _>>()
        })?;
        // Where one before it is missing it stands in no block; the gap is found when that one is asked for.
        let mut rows = rows;
        if let Some(at) = rows.iter().position(|(number, _)| *number == wanted)
            && rows[..at].windows(2).any(|pair| pair[0].0 + 1 != pair[1].0)
        {
            rows.drain(..at);
        }
        self.blocks.keep(rows);
        Ok(self.blocks.find(wanted))
    }

    pub(super) fn deadlines(
        self: &Arc<Self>,
        after: Option<&(Timestamp, StreamId)>,
        limit: usize,
    ) -> Result<Vec<(Timestamp, StreamId)>, Fault> {
        const DUE: &str = "SELECT due, stream FROM quorate_heads \
             WHERE due IS NOT NULL AND (due, stream) > ($1, $2) ORDER BY due, stream LIMIT $3";
        let after = after.map_or((i64::MIN, Vec::new()), |(t, stream)| (t.as_micros(), stream_key(stream)));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.ask(read_slot, move |link| {
            let after = after.clone();
            async move {
                let rows = link.client.query(DUE, &[&after.0, &after.1, &limit]).await?;
                let due = |row: &Row| Ok((Timestamp::from_micros(row.try_get(0)?), stream(row.try_get(1)?)?));
                rows.iter().map(due).collect()
            }
        })
    }

    /// Writes a row of the side tables, while this handle owns the journal.
    fn keep(
        self: &Arc<Self>,
        what: impl Fn(Arc<super::Link>, i64) -> super::port::Side + Send + Sync + 'static,
    ) -> Result<(), Fault> {
        self.alive()?;
        let Some(owned) = self.owned() else { return Ok(()) };
        let epoch = signed(owned.epoch);
        self.ask(read_slot, move |link| what(link, epoch))
    }

    pub(super) fn save_snapshot(self: &Arc<Self>, of: &StreamId, snapshot: Snapshot) -> Result<(), Fault> {
        const SAVE: &str = "INSERT INTO quorate_snapshots (stream, revision, hash, version, state) \
             SELECT $2, $3, $4, $5, $6 FROM quorate_owner WHERE epoch = $1 ON CONFLICT (stream) DO UPDATE \
             SET revision = excluded.revision, hash = excluded.hash, version = excluded.version, state = excluded.state";
        let kept = Arc::new((stream_key(of), snapshot));
        self.keep(move |link, epoch| {
            let kept = kept.clone();
            Box::pin(async move {
                let (of, Snapshot { revision, hash, version, state }) = &*kept;
                let (revision, hash, version) = (signed(*revision), &hash.0[..], i32::from(*version));
                link.client.execute(SAVE, &[&epoch, of, &revision, &hash, &version, state]).await?;
                Ok(())
            })
        })
    }

    pub(super) fn load_snapshot(self: &Arc<Self>, of: &StreamId) -> Result<Option<Snapshot>, Fault> {
        const LOAD: &str = "SELECT s.revision, s.hash, s.version, s.state FROM quorate_snapshots s \
             JOIN quorate_heads h ON h.stream = s.stream AND s.revision <= h.revision WHERE s.stream = $1";
        let of = stream_key(of);
        self.ask(read_slot, move |link| {
            let of = of.clone();
            async move {
                let Some(row) = link.client.query_opt(LOAD, &[&of]).await? else { return Ok(None) };
                // A number that no program writes: as good as lost.
                let Ok(version) = u16::try_from(row.try_get::<_, i32>(2)?) else { return Ok(None) };
                let (revision, hash) = (number(row.try_get(0)?)?, hash(row.try_get(1)?)?);
                Ok(Some(Snapshot { revision, hash, version, state: row.try_get(3)? }))
            }
        })
    }

    pub(super) fn save_projection(
        self: &Arc<Self>,
        name: &str,
        at: Position,
        bytes: Vec<u8>,
    ) -> Result<(), Fault> {
        const SAVE: &str = "INSERT INTO quorate_projections (name, position, bytes) \
             SELECT $2, $3, $4 FROM quorate_owner WHERE epoch = $1 ON CONFLICT (name) DO UPDATE \
             SET position = excluded.position, bytes = excluded.bytes";
        let kept = Arc::new((name.to_owned(), bytes));
        self.keep(move |link, epoch| {
            let kept = kept.clone();
            Box::pin(async move {
                link.client.execute(SAVE, &[&epoch, &kept.0, &signed(at), &kept.1]).await?;
                Ok(())
            })
        })
    }

    pub(super) fn load_projection(
        self: &Arc<Self>,
        name: &str,
    ) -> Result<Option<(Position, Vec<u8>)>, Fault> {
        const LOAD: &str = "SELECT position, bytes FROM quorate_projections WHERE name = $1 \
             AND position <= (SELECT tip_position FROM quorate_owner)";
        let name = name.to_owned();
        self.ask(read_slot, move |link| {
            let name = name.clone();
            async move {
                let row = link.client.query_opt(LOAD, &[&name]).await?;
                row.map(|row| Ok((number(row.try_get(0)?)?, row.try_get(1)?))).transpose()
            }
        })
    }

    /// Streams of a commit that are not remembered, and its keys.
    pub(super) fn unknown(&self, appends: &[Append]) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let state = lock(&self.state);
        let unknown = appends.iter().filter(|append| !state.heads.contains_key(&append.stream));
        let mut streams: Vec<_> = unknown.map(|append| stream_key(&append.stream)).collect();
        streams.sort_unstable();
        streams.dedup();
        let keys = appends.iter().filter_map(|append| append.key.as_ref());
        (streams, keys.map(|key| key.as_str().as_bytes().to_vec()).collect())
    }
}

/// The journal as it was when somebody began to look.
pub(super) struct Seen<'a> {
    core: &'a Arc<Core>,
    tip: Tip,
}

impl Core {
    pub(super) fn seen(self: &Arc<Self>) -> Result<Seen<'_>, Fault> {
        Ok(Seen { core: self, tip: self.end()? })
    }
}

impl View for Seen<'_> {
    fn tip(&self) -> Tip {
        self.tip.clone()
    }

    fn entry(&self, stream: &StreamId) -> Result<Option<Entry>, Fault> {
        self.core.head(stream)
    }

    fn key(&self, key: &IdempotencyKey) -> Result<Option<StreamId>, Fault> {
        self.core.key(key)
    }

    fn group(&self, number: u64) -> Result<Option<GroupBytes>, Fault> {
        self.core.group_bytes(number)
    }
}
