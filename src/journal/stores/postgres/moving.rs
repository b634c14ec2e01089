//! A database as one end of a move. Its row in `quorate_move` says which end; nobody owns the journal beside it.

use std::sync::Arc;

use super::super::heads::Changes;
use super::super::lock;
use super::super::moved::Note;
use super::super::moving::End;
use super::super::plan::Plan;
use super::super::walk::View;
use super::link::Link;
use super::owner::{Whose, note};
use super::port::Asking;
use super::read::{number, signed};
use super::{Core, Owned, PostgresStore, read_slot, write_slot};
use crate::group::Group;
use crate::{Epoch, Fault, Tip};

const BEGIN: &str = "INSERT INTO quorate_move (direction, place) \
     SELECT 'into', $2 FROM quorate_owner WHERE epoch = $1 AND tip_group = 0 \
     ON CONFLICT (one) DO UPDATE SET place = excluded.place WHERE quorate_move.direction = 'into' RETURNING 1";

/// Ends this ownership and every later one.
const GIVE_UP: &str = "WITH own AS ( \
     UPDATE quorate_owner SET epoch = epoch + 1, session = session + 1, lease_until = clock_timestamp() \
     WHERE epoch = $1 AND tip_group = $2 RETURNING 1) \
     INSERT INTO quorate_move (direction, place) SELECT 'away', $3 FROM own RETURNING 1";

const TAKE_OVER: &str = "WITH own AS ( \
     UPDATE quorate_owner SET epoch = greatest(epoch, $2), session = session + 1, lease_until = clock_timestamp() \
     WHERE epoch = $1 RETURNING 1), \
     gone AS (DELETE FROM quorate_move WHERE direction = 'into' AND EXISTS (SELECT 1 FROM own) RETURNING 1) \
     SELECT (SELECT count(*) FROM own), (SELECT count(*) FROM gone)";

impl PostgresStore {
    fn owned(&self) -> Result<Owned, Fault> {
        self.core.owned().ok_or_else(|| Fault::Unavailable {
            reason: "the journal was not taken before the move wrote to it".into(),
        })
    }

    /// Runs a statement that changes something only while the journal is ours, and so may be sent again.
    fn as_owner<T: Send + 'static>(
        &self,
        asked: impl Fn(Arc<Link>, i64) -> Asking<T> + Send + Sync + 'static,
    ) -> Result<T, Fault> {
        let epoch = signed(self.owned()?.epoch);
        self.core.ask(write_slot, move |link| asked(link, epoch))
    }
}

impl End for PostgresStore {
    fn note(&self) -> Result<Option<Note>, Fault> {
        self.core.ask(read_slot, |link| async move { note(&link).await })
    }

    fn end(&self) -> Result<Tip, Fault> {
        self.core.end()
    }

    fn epoch(&self) -> Result<Epoch, Fault> {
        self.core.epoch()
    }

    fn groups(&self, first: u64, bytes: usize) -> Result<Vec<Arc<[u8]>>, Fault> {
        const GROUPS: &str =
            "SELECT number, bytes FROM quorate_groups WHERE number >= $1 ORDER BY number LIMIT $2";
        // Most groups are small; as many as fit when each is.
        let limit = i64::try_from(bytes / 4_096).unwrap_or(i64::MAX).max(1);
        self.core.ask(read_slot, move |link| async move {
            let rows = link.client.query(GROUPS, &[&signed(first), &limit]).await?;
            let (mut groups, mut sum): (Vec<Arc<[u8]>>, usize) = (Vec::new(), 0);
            for row in &rows {
                let group: &[u8] = row.try_get(1)?;
                if sum >= bytes {
                    break;
                }
                sum += group.len();
                groups.push(Arc::from(group));
            }
            Ok(groups)
        })
    }

    fn own(&self) -> Result<(), Fault> {
        self.core.acquire("quorate move", Whose::TheMove).map(drop)
    }

    fn begin(&self, from: &str) -> Result<(), Fault> {
        let from = from.to_owned();
        let begun = self.as_owner(move |link, epoch| {
            let from = from.clone();
            Box::pin(async move { Ok(link.client.query_opt(BEGIN, &[&epoch, &from]).await?.is_some()) })
        })?;
        if begun { Ok(()) } else { Err(self.core.not_mine()) }
    }

    fn take_in(&self, groups: &[Arc<[u8]>]) -> Result<(), Fault> {
        let owned = self.owned()?;
        let before = self.core.end()?;
        let mut plan = Plan {
            answers: Vec::new(),
            groups: groups.to_vec(),
            changes: Changes::default(),
            tip: before.clone(),
        };
        let mut parsed = Vec::with_capacity(groups.len());
        for bytes in groups {
            let group = Group::parse(bytes)?;
            let header = &group.header;
            plan.tip = Tip {
                position: header.last_position(),
                group: header.number,
                at: header.at,
                hash: group.hash,
            };
            parsed.push(group);
        }
        let seen = self.core.seen()?;
        for group in &parsed {
            plan.changes.fold(group, |stream| seen.entry(stream), |_, _| ())?;
        }
        self.core.write(owned.epoch, &plan, before)
    }

    fn give_up(&self, to: &str) -> Result<(), Fault> {
        let (to, tip) = (to.to_owned(), signed(self.core.end()?.group));
        let gone = self.as_owner(move |link, epoch| {
            let to = to.clone();
            Box::pin(async move {
                if link.client.query_opt(GIVE_UP, &[&epoch, &tip, &to]).await?.is_some() {
                    return Ok(true);
                }
                // The answer of the first try may have been lost.
                Ok(note(&link).await? == Some(Note::Away(to)))
            })
        })?;
        lock(&self.core.state).owned = None;
        if gone { Ok(()) } else { Err(self.core.not_mine()) }
    }

    fn take_over(&self, epoch: Epoch) -> Result<(), Fault> {
        let above = signed(epoch);
        let open = self.as_owner(move |link, mine| {
            Box::pin(async move {
                let row = link.client.query_one(TAKE_OVER, &[&mine, &above]).await?;
                if row.try_get::<_, i64>(0)? == 1 {
                    return Ok(true);
                }
                // The answer of the first try may have been lost: then the epoch is the higher one.
                let held = link.client.query_one("SELECT epoch FROM quorate_owner", &[]).await?;
                Ok(number(held.try_get(0)?)? == number(above)?.max(number(mine)?)
                    && note(&link).await?.is_none())
            })
        })?;
        lock(&self.core.state).owned = None;
        if open { Ok(()) } else { Err(self.core.not_mine()) }
    }
}

impl Core {
    /// Somebody else has the journal.
    fn not_mine(self: &Arc<Self>) -> Fault {
        match (self.epoch(), self.owned()) {
            (Ok(held), Some(owned)) => Fault::Fenced { held, given: owned.epoch },
            (Ok(held), None) => Fault::Fenced { held, given: 0 },
            (Err(fault), _) => fault,
        }
    }
}
