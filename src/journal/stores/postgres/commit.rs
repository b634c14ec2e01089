//! A commit: one statement, one transaction. And what became of it when the connection was lost meanwhile.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use std::future::Future;
use std::pin::pin;

use tokio_postgres::{Error, Row};

use super::super::heads::Entry;
use super::super::layout::stream_key;
use super::super::lock;
use super::super::plan::{Limits, Plan, plan};
use super::super::walk::{GroupBytes, View};
use super::link::{Link, Trouble};
use super::read::{number, signed, tip};
use super::{ANSWER, Core, PATIENCE, PAUSES, write_slot};
use crate::group::GroupHeader;
use crate::{Append, Appended, Epoch, Fault, Tip};
use quorate_core::kernel::ids::{IdempotencyKey, StreamId};
use quorate_core::kernel::time::Timestamp;

/// Streams whose end is remembered.
const HEADS_KEPT: usize = 100_000;

/// Nothing is written unless the row of the owner is ours. The tables are written in any order: they are one transaction.
const COMMIT: &str = "WITH own AS (
    UPDATE quorate_owner SET tip_group = $4, tip_position = $5, tip_at = $6, tip_hash = $7,
        lease_until = clock_timestamp() + $8 * interval '1 millisecond'
    WHERE epoch = $1 AND session = $2 AND tip_group = $3 RETURNING 1
), groups AS (
    INSERT INTO quorate_groups (number, first_position, bytes)
    SELECT g.number, g.first_position, g.bytes
    FROM own, unnest($9::bigint[], $10::bigint[], $11::bytea[]) AS g (number, first_position, bytes)
), heads AS (
    INSERT INTO quorate_heads (stream, revision, hash, last_group, due)
    SELECT h.stream, h.revision, h.hash, h.last_group, h.due
    FROM own, unnest($12::bytea[], $13::bigint[], $14::bytea[], $15::bigint[], $16::bigint[])
        AS h (stream, revision, hash, last_group, due)
    ON CONFLICT (stream) DO UPDATE SET revision = excluded.revision, hash = excluded.hash,
        last_group = excluded.last_group, due = excluded.due
), keys AS (
    INSERT INTO quorate_keys (key, stream)
    SELECT k.key, k.stream FROM own, unnest($17::bytea[], $18::bytea[]) AS k (key, stream)
)
SELECT count(*), current_setting('synchronous_standby_names') <> '' FROM own";

/// A commit that took longer may have been let go because the server stopped waiting for standbys.
const PROMPT: Duration = Duration::from_millis(100);

/// From here on nothing that was sent in an earlier session of this owner takes effect.
const SETTLE: &str = "UPDATE quorate_owner SET session = session + 1,
    lease_until = clock_timestamp() + $2 * interval '1 millisecond'
    WHERE epoch = $1 RETURNING session, tip_group, tip_position, tip_at, tip_hash,
    current_setting('synchronous_standby_names') <> ''";

/// What a plan must know.
struct Known {
    tip: Tip,
    heads: HashMap<StreamId, Option<Entry>>,
    keys: HashMap<Vec<u8>, StreamId>,
}

impl View for Known {
    fn tip(&self) -> Tip {
        self.tip.clone()
    }

    fn entry(&self, stream: &StreamId) -> Result<Option<Entry>, Fault> {
        Ok(self.heads.get(stream).cloned().flatten())
    }

    fn key(&self, key: &IdempotencyKey) -> Result<Option<StreamId>, Fault> {
        Ok(self.keys.get(key.as_str().as_bytes()).cloned())
    }

    fn group(&self, _: u64) -> Result<Option<GroupBytes>, Fault> {
        Ok(None)
    }
}

/// The values of the statement.
struct Sent {
    epoch: Epoch,
    before: Tip,
    after: Tip,
    lease_ms: f64,
    numbers: Vec<i64>,
    first_positions: Vec<i64>,
    groups: Vec<Arc<[u8]>>,
    streams: Vec<Vec<u8>>,
    revisions: Vec<i64>,
    hashes: Vec<Vec<u8>>,
    last_groups: Vec<i64>,
    dues: Vec<Option<i64>>,
    keys: Vec<Vec<u8>>,
    key_streams: Vec<Vec<u8>>,
}

impl Sent {
    fn of(plan: &Plan, epoch: Epoch, before: Tip, lease_ms: i64) -> Result<Self, Fault> {
        let mut sent = Sent {
            epoch,
            before,
            after: plan.tip.clone(),
            lease_ms: lease_ms as f64,
            numbers: Vec::new(),
            first_positions: Vec::new(),
            groups: plan.groups.clone(),
            streams: Vec::new(),
            revisions: Vec::new(),
            hashes: Vec::new(),
            last_groups: Vec::new(),
            dues: Vec::new(),
            keys: Vec::new(),
            key_streams: Vec::new(),
        };
        for group in &plan.groups {
            let header = GroupHeader::parse(group)?;
            sent.numbers.push(signed(header.number));
            sent.first_positions.push(signed(header.first_position));
        }
        for (stream, entry) in &plan.changes.entries {
            sent.streams.push(stream_key(stream));
            sent.revisions.push(signed(entry.revision));
            sent.hashes.push(entry.hash.0.to_vec());
            sent.last_groups.push(signed(entry.last_group));
            sent.dues.push(entry.due.map(Timestamp::as_micros));
        }
        for (key, stream) in &plan.changes.keys {
            sent.keys.push(key.as_str().as_bytes().to_vec());
            sent.key_streams.push(stream_key(stream));
        }
        Ok(sent)
    }

    /// Sends it; answers whether the journal was ours to write.
    async fn send(&self, core: &Core, link: &Link, session: i64) -> Result<bool, Trouble> {
        link.listen();
        let groups: Vec<&[u8]> = self.groups.iter().map(|group| &group[..]).collect();
        let row = prompt(
            core,
            link,
            link.client.query_one(
                link.commit(COMMIT).await?,
                &[
                    &signed(self.epoch),
                    &session,
                    &signed(self.before.group),
                    &signed(self.after.group),
                    &signed(self.after.position),
                    &self.after.at.as_micros(),
                    &&self.after.hash.0[..],
                    &self.lease_ms,
                    &self.numbers,
                    &self.first_positions,
                    &groups,
                    &self.streams,
                    &self.revisions,
                    &self.hashes,
                    &self.last_groups,
                    &self.dues,
                    &self.keys,
                    &self.key_streams,
                ],
            ),
        )
        .await?;
        let ours = row.try_get::<_, i64>(0)? == 1;
        if ours && link.warned() {
            let reason = "the database warned during the commit, as it does when the wait for a synchronous standby \
                          was cancelled: it may be on the primary alone";
            return Err(Trouble::Told(Fault::Unavailable { reason: reason.into() }));
        }
        core.stands(row.try_get(1)?)?;
        Ok(ours)
    }
}

/// Waits for a statement that writes. When it took long, what the server waits for is looked at again.
async fn prompt(
    core: &Core,
    link: &Link,
    asked: impl Future<Output = Result<Row, Error>>,
) -> Result<Row, Trouble> {
    let mut asked = pin!(asked);
    match tokio::time::timeout(PROMPT, &mut asked).await {
        Ok(row) => Ok(row?),
        Err(_) => {
            let row = asked.await?;
            core.stands(link.waits_now().await?)?;
            Ok(row)
        }
    }
}

/// What became of a commit whose answer did not come.
enum Settled {
    Committed,
    /// It was not, and will not be. Here is the session to send it in.
    Not(i64),
}

impl Core {
    pub(super) fn commit(
        self: &Arc<Self>,
        epoch: Epoch,
        at: Timestamp,
        appends: &[Append],
    ) -> Result<Vec<Appended>, Fault> {
        let _turn = lock(&self.turn);
        self.alive()?;
        if lock(&self.state).closed {
            return Err(Fault::Unavailable { reason: "it was closed; open it again".into() });
        }
        match self.owned() {
            Some(owned) if owned.epoch == epoch => {}
            Some(owned) => return Err(Fault::Fenced { held: owned.epoch, given: epoch }),
            None => return Err(Fault::Fenced { held: self.epoch()?, given: epoch }),
        }
        self.commit_as_owner(epoch, at, appends).inspect_err(|fault| {
            if !matches!(fault, Fault::Full { .. }) {
                self.refuse(fault);
            }
        })
    }

    fn commit_as_owner(
        self: &Arc<Self>,
        epoch: Epoch,
        at: Timestamp,
        appends: &[Append],
    ) -> Result<Vec<Appended>, Fault> {
        let known = self.known(epoch, appends)?;
        let limits = Limits { group_bytes: self.group_bytes, groups: usize::MAX };
        let plan = plan(&known, &known.tip, (epoch, at), appends, limits)?;
        self.write(epoch, &plan, known.tip)?;
        lock(&self.state).heads.extend(known.heads.into_iter().filter(|(stream, _)| {
            // What the plan changed is newer.
            !plan.changes.entries.contains_key(stream)
        }));
        Ok(plan.answers)
    }

    /// Writes what a plan says behind `before`, and remembers it.
    pub(super) fn write(self: &Arc<Self>, epoch: Epoch, plan: &Plan, before: Tip) -> Result<(), Fault> {
        if !plan.groups.is_empty() {
            let sent = Sent::of(plan, epoch, before, self.lease_ms())?;
            let core = self.clone();
            super::run(&self.handle, async move { core.send(sent).await })?;
        }
        let mut state = lock(&self.state);
        if state.heads.len() > HEADS_KEPT {
            state.heads.clear();
        }
        let changed =
            plan.changes.entries.iter().map(|(stream, entry)| (stream.clone(), Some(entry.clone())));
        state.heads.extend(changed);
        state.tip = plan.tip.clone();
        Ok(())
    }

    /// Everything a plan asks about, in at most one question to the database.
    fn known(self: &Arc<Self>, epoch: Epoch, appends: &[Append]) -> Result<Known, Fault> {
        let (streams, keys) = self.unknown(appends);
        let found = match (streams.is_empty(), keys.is_empty()) {
            (true, true) => super::read::Found::default(),
            _ => {
                let known = (epoch, lock(&self.state).tip.clone());
                self.look_up(streams, keys, known)?
            }
        };
        let state = lock(&self.state);
        let remembered =
            |append: &Append| (append.stream.clone(), state.heads.get(&append.stream).cloned().flatten());
        let mut heads: HashMap<_, _> = appends.iter().map(remembered).collect();
        heads.extend(found.heads.into_iter().map(|(stream, entry)| (stream, Some(entry))));
        Ok(Known { tip: state.tip.clone(), heads, keys: found.keys.into_iter().collect() })
    }

    /// Sends a commit until it is known that it is there, or that it never will be.
    async fn send(&self, sent: Sent) -> Result<(), Fault> {
        let mut last = String::new();
        let done = tokio::time::timeout(PATIENCE, async {
            let mut session = lock(&self.state).owned.map_or(0, |owned| owned.session);
            let mut pause = PAUSES.0;
            loop {
                let sending = async { sent.send(self, &*self.reached(write_slot).await?, session).await };
                match tokio::time::timeout(ANSWER, sending).await {
                    Ok(Ok(true)) => return Ok(()),
                    Ok(Ok(false)) => return Err(self.not_ours(&sent).await),
                    Ok(Err(Trouble::Told(fault))) => return Err(fault),
                    Ok(Err(Trouble::Lost(why))) => last = why,
                    Err(_) => last = format!("no answer within {} s", ANSWER.as_secs()),
                }
                session = loop {
                    self.write.give_up().await;
                    self.read.give_up().await;
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSES.1);
                    match tokio::time::timeout(ANSWER, self.settle(&sent)).await {
                        Ok(Ok(Ok(Settled::Committed))) => return Ok(()),
                        Ok(Ok(Ok(Settled::Not(session)))) => break session,
                        Ok(Ok(Err(fault))) => return Err(fault),
                        Ok(Err(Trouble::Lost(why))) => last = why,
                        // Nothing else it says now tells what became of what was sent before.
                        Ok(Err(Trouble::Told(fault))) => last = fault.to_string(),
                        Err(_) => last = format!("no answer within {} s", ANSWER.as_secs()),
                    }
                };
            }
        });
        done.await
            .unwrap_or_else(|_| Err(Fault::Unavailable { reason: format!("the database is away: {last}") }))
    }

    /// Makes everything void that was sent and has not taken effect, and looks at what has.
    async fn settle(&self, sent: &Sent) -> Result<Result<Settled, Fault>, Trouble> {
        let link = self.reached(write_slot).await?;
        link.listen();
        let row = link.client.query_opt(SETTLE, &[&signed(sent.epoch), &sent.lease_ms]).await?;
        let Some(row) = row else {
            // Somebody took over, perhaps after the commit. It is written so that standbys are waited for: what can be
            // read here may not have reached one.
            const THERE: &str = "WITH o AS (UPDATE quorate_owner SET since = since RETURNING epoch) \
                 SELECT o.epoch, g.bytes FROM o LEFT JOIN quorate_groups g ON g.number = $1";
            let row = link.client.query_one(THERE, &[&signed(sent.after.group)]).await?;
            link.kept()?;
            self.stands(link.waits_now().await?)?;
            let there = row.try_get::<_, Option<&[u8]>>(1)? == sent.groups.last().map(|group| &group[..]);
            return Ok(if there {
                Ok(Settled::Committed)
            } else {
                Err(Fault::Fenced { held: number(row.try_get(0)?)?, given: sent.epoch })
            });
        };
        link.kept()?;
        self.stands(row.try_get(5)? && link.waits_now().await?)?;
        let (session, found): (i64, Tip) = (row.try_get(0)?, tip(&row, 1)?);
        if let Some(owned) = &mut lock(&self.state).owned {
            owned.session = session;
        }
        Ok(match found {
            found if found == sent.after => Ok(Settled::Committed),
            found if found == sent.before => Ok(Settled::Not(session)),
            found => Err(went_back(&sent.before, &found)),
        })
    }

    /// Why the row of the owner did not fit.
    async fn not_ours(&self, sent: &Sent) -> Fault {
        let asked = self.asked(write_slot, |link| async move {
            const ROW: &str = "SELECT epoch, tip_group, tip_position, tip_at, tip_hash FROM quorate_owner";
            let row = link.client.query_one(ROW, &[]).await?;
            Ok((number(row.try_get(0)?)?, tip(&row, 1)?))
        });
        match asked.await {
            Ok((held, found)) if held <= sent.epoch => went_back(&sent.before, &found),
            Ok((held, _)) => Fault::Fenced { held, given: sent.epoch },
            Err(fault) => fault,
        }
    }
}

/// The database is not as the owner left it: it lost what it had acknowledged, as a failover to a standby that was not
/// synchronous does, or somebody else wrote.
pub(super) fn went_back(known: &Tip, found: &Tip) -> Fault {
    Fault::Corrupt {
        what: format!(
            "the database does not end where it was acknowledged to end. acknowledged_group={}, found_group={}; \
             it may have failed over to a standby that was not synchronous",
            known.group, found.group
        ),
    }
}
