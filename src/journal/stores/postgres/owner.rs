//! Who owns the journal: an epoch that only grows, and a lease that the database times.

use std::sync::Arc;
use std::time::Duration;

use super::super::lock;
use super::super::moved::Note;
use super::link::{Link, Trouble};
use super::read::{number, signed, tip};
use super::{Core, Owned, run, shards, write_slot};
use crate::{Epoch, Fault, Tip};

/// How often a lease that is held by somebody else is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long the end of a lease may take at the end of a store.
const LET_GO: Duration = Duration::from_secs(2);

const ACQUIRE: &str = "UPDATE quorate_owner SET epoch = epoch + 1, session = session + 1, holder = $1, owner = $2, \
     since = clock_timestamp(), lease_until = clock_timestamp() + $3 * interval '1 millisecond' \
     WHERE (holder = $1 OR lease_until <= clock_timestamp()) AND ($4 OR NOT EXISTS (SELECT 1 FROM quorate_move)) \
     AND $5 = EXISTS (SELECT 1 FROM quorate_part) \
     RETURNING epoch, session, tip_group, tip_position, tip_at, tip_hash, \
     current_setting('synchronous_standby_names') <> ''";

const HOLDER: &str = "SELECT owner, to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), \
     (extract(epoch FROM lease_until) * 1000)::bigint, \
     (extract(epoch FROM lease_until - clock_timestamp()) * 1000)::bigint FROM quorate_owner";

const RENEW: &str = "UPDATE quorate_owner \
     SET lease_until = clock_timestamp() + $2 * interval '1 millisecond' WHERE epoch = $1";

const LET_GO_OF: &str =
    "UPDATE quorate_owner SET lease_until = clock_timestamp() WHERE epoch = $1 AND holder = $2";

/// Somebody else's lease.
struct Held {
    owner: String,
    since: String,
    /// When it ends, by the database, in milliseconds.
    until: i64,
    /// How long it still runs.
    left: i64,
}

/// Who may take the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// Nobody while it takes part in a move, or when it has gone.
    Anybodys,
    /// The move it takes part in.
    #[cfg(feature = "store-sled")]
    TheMove,
}

/// What the database says of a move.
pub(super) async fn note(link: &Link) -> Result<Option<Note>, Trouble> {
    const NOTE: &str = "SELECT direction, place FROM quorate_move";
    let Some(row) = link.client.query_opt(NOTE, &[]).await? else { return Ok(None) };
    let place: String = row.try_get(1)?;
    Ok(Some(match row.try_get::<_, &str>(0)? {
        "into" => Note::Into(place),
        _ => Note::Away(place),
    }))
}

enum Asked {
    Ours(Owned, Tip),
    Theirs(Held),
}

impl Core {
    /// Takes the journal when its lease has run out, and waits for that as long as nobody renews it.
    pub(super) fn acquire(self: &Arc<Self>, owner: &str, whose: Whose) -> Result<Epoch, Fault> {
        let _turn = lock(&self.turn);
        self.alive()?;
        let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let owner = format!("{owner} on {}", machine.trim());
        let mut first: Option<i64> = None;
        loop {
            match self.try_acquire(&owner, whose)? {
                Asked::Ours(owned, tip) => {
                    let mut state = lock(&self.state);
                    (state.owned, state.tip) = (Some(owned), tip);
                    state.heads.clear();
                    drop(state);
                    self.keep_lease(owned.epoch);
                    return Ok(owned.epoch);
                }
                Asked::Theirs(held) => {
                    let renewed = held.until > *first.get_or_insert(held.until);
                    // Longer than ours: not to be waited for.
                    if renewed || held.left > 2 * self.lease_ms() {
                        let Held { owner, since, left, .. } = held;
                        return Err(Fault::Locked {
                            holder: format!(
                                "{owner}, since={since}, lease_ends_in_ms={left}, database={}",
                                self.target.shown
                            ),
                        });
                    }
                    std::thread::sleep(LOOK_EVERY);
                }
            }
        }
    }

    fn try_acquire(self: &Arc<Self>, owner: &str, whose: Whose) -> Result<Asked, Fault> {
        let (holder, owner, lease) = (self.holder.clone(), owner.to_owned(), self.lease_ms());
        let is_part = self.is_part;
        let asking = self.clone();
        self.ask(write_slot, move |link| {
            let core = asking.clone();
            let (holder, owner) = (holder.clone(), owner.clone());
            async move {
                let lease = lease as f64;
                let forbidden = whose == Whose::Anybodys;
                link.listen();
                if let Some(row) =
                    link.client.query_opt(ACQUIRE, &[&holder, &owner, &lease, &!forbidden, &is_part]).await?
                {
                    // An epoch that a standby has not heard of may be given again by the next primary.
                    link.kept()?;
                    core.stands(row.try_get(6)? && link.waits_now().await?)?;
                    let owned = Owned { epoch: number(row.try_get(0)?)?, session: row.try_get(1)? };
                    return Ok(Asked::Ours(owned, tip(&row, 2)?));
                }
                if forbidden && let Some(note) = note(&link).await? {
                    return Err(Trouble::Told(note.refusal()));
                }
                // It was divided since it was opened.
                if !is_part {
                    shards::fits(shards::marked(&link).await?, None, "the journal").map_err(Trouble::Told)?;
                }
                let row = link.client.query_one(HOLDER, &[]).await?;
                Ok(Asked::Theirs(Held {
                    owner: row.try_get(0)?,
                    since: row.try_get(1)?,
                    until: row.try_get(2)?,
                    left: row.try_get(3)?,
                }))
            }
        })
    }

    pub(super) fn lease_ms(&self) -> i64 {
        i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX)
    }

    /// Renews the lease in the background, as long as this epoch is in force and somebody uses the store.
    fn keep_lease(self: &Arc<Self>, epoch: Epoch) {
        let (core, every, lease) = (Arc::downgrade(self), self.lease / 3, self.lease_ms() as f64);
        self.handle.spawn(async move {
            loop {
                tokio::time::sleep(every).await;
                let Some(core) = core.upgrade() else { return };
                let over = {
                    let state = lock(&core.state);
                    state.closed
                        || state.dead.is_some()
                        || state.owned.map(|owned| owned.epoch) != Some(epoch)
                };
                if over {
                    return;
                }
                let renewed = core.asked(write_slot, |link| async move {
                    Ok::<_, Trouble>(link.client.execute(RENEW, &[&signed(epoch), &lease]).await?)
                });
                // A database that is away is met again at the next turn, and by the commits.
                if let Ok(0) = renewed.await {
                    if let Ok(held) = core.epoch_now().await {
                        core.refuse(&Fault::Fenced { held, given: epoch });
                    }
                    return;
                }
            }
        });
    }

    pub(super) async fn epoch_now(&self) -> Result<Epoch, Fault> {
        self.asked(write_slot, |link| async move {
            number(link.client.query_one("SELECT epoch FROM quorate_owner", &[]).await?.try_get(0)?)
        })
        .await
    }

    /// Ends the lease, so that nobody has to wait for it.
    pub(super) fn let_go(self: &Arc<Self>) {
        let Some(owned) = self.owned() else { return };
        let core = self.clone();
        // What is not let go of runs out by itself.
        let _ = run(&self.handle, async move {
            let ended = async {
                let link = core.write.get(&core.target).await?;
                Ok::<_, Trouble>(link.client.execute(LET_GO_OF, &[&signed(owned.epoch), &core.holder]).await?)
            };
            let _ = tokio::time::timeout(LET_GO, ended).await;
            Ok(())
        });
    }
}
