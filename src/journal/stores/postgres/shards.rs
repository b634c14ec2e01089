//! One journal spread over several: where each shard is, and which processes live. It stands in the first database.
//!
//! ```text
//!  quorate_shard_map   slot ─► shard; its epoch      quorate_shards      shard ─► place, and the door of its owner
//!  quorate_processes   process ─► lease              quorate_part        in each shard's journal: that it is one
//! ```
//!
//! Nothing here decides who may write: that is the row of the owner in each journal. What is told here says where to ask,
//! and when somebody else may try to take a shard over: once the lease of the process that has it has run out here too. So a
//! process that answers only while its lease here was never interrupted shows nothing that another one has changed since.

mod told;

use std::future::Future;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_postgres::types::ToSql;

pub use self::told::{Layout, Part, Place, Process, Seen, Shard, ShardState};
use super::super::url::DatabaseUrl;
use super::link::{Link, Slot, Trouble};
use super::read::{number, signed};
use super::target::Target;
use super::{ANSWER, PAUSES, client_thread, run, schema};
use crate::{Epoch, Fault};

/// A process that was silent for so long after its lease is forgotten.
const FORGET: &str = "1 minute";

/// The first database, with its tables about shards.
#[derive(Debug)]
pub struct Book {
    url: DatabaseUrl,
    target: Target,
    handle: Handle,
    slot: Arc<Slot>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Book {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was told to whoever waited for it.
            let _ = thread.join();
        }
    }
}

const MAP: &str = "SELECT map::text, epoch, slots FROM quorate_shard_map";
const PLACES: &str = "SELECT place FROM quorate_shards ORDER BY number";

const REGISTER: &str = "INSERT INTO quorate_processes (process, door, since, lease_until) \
     SELECT gen_random_uuid(), $1, clock_timestamp(), clock_timestamp() + $2 * interval '1 millisecond' \
     FROM quorate_shard_map WHERE epoch = $3 RETURNING process::text";

/// Only a lease that was never interrupted is renewed.
const RENEW: &str = "UPDATE quorate_processes \
     SET lease_until = clock_timestamp() + $2 * interval '1 millisecond' \
     WHERE process = $1::text::uuid AND lease_until > clock_timestamp() \
     AND EXISTS (SELECT 1 FROM quorate_shard_map WHERE epoch = $3)";

const SHARDS: &str = "SELECT s.number, p.process::text, p.door, \
     coalesce(extract(epoch FROM p.lease_until - clock_timestamp()) * 1000, 0)::bigint \
     FROM quorate_shards s LEFT JOIN quorate_processes p \
     ON p.process = s.process AND p.lease_until > clock_timestamp() ORDER BY s.number";

const PROCESSES: &str = "SELECT process::text, door, (extract(epoch FROM clock_timestamp() - since) * 1000)::bigint \
     FROM quorate_processes WHERE lease_until > clock_timestamp() ORDER BY process";

/// Only of a process whose lease is in force, and over nobody who lives or has a later epoch.
const ANNOUNCE: &str = "UPDATE quorate_shards s SET process = p.process, door = p.door, epoch = $3 \
     FROM quorate_processes p WHERE s.number = $2 AND s.epoch < $3 \
     AND p.process = $1::text::uuid AND p.lease_until > clock_timestamp() \
     AND NOT EXISTS (SELECT 1 FROM quorate_processes other \
     WHERE other.process = s.process AND other.lease_until > clock_timestamp())";

const WITHDRAW: &str = "UPDATE quorate_shards SET process = NULL, door = NULL \
     WHERE number = $2 AND process = $1::text::uuid";

/// May a journal become a part: is it empty, owned by nobody, and not about to be moved?
const FREE: &str = "SELECT tip_group = 0 AND lease_until <= clock_timestamp() \
     AND NOT EXISTS (SELECT 1 FROM quorate_move) FROM quorate_owner";

/// A journal that is empty and owned by nobody becomes a part; whoever opened it before is fenced.
const MARK: &str = "WITH own AS ( \
     UPDATE quorate_owner SET epoch = epoch + 1, session = session + 1 \
     WHERE tip_group = 0 AND lease_until <= clock_timestamp() AND NOT EXISTS (SELECT 1 FROM quorate_move) \
     AND NOT EXISTS (SELECT 1 FROM quorate_part) RETURNING 1) \
     INSERT INTO quorate_part (number, of, map) SELECT $1, $2, $3::text::uuid FROM own \
     ON CONFLICT (one) DO NOTHING";

const WRITE: &str = "WITH shards AS ( \
     INSERT INTO quorate_shards (number, place) SELECT * FROM unnest($1::integer[], $2::text[]) \
     ON CONFLICT (number) DO NOTHING) \
     INSERT INTO quorate_shard_map (map, epoch, slots) VALUES ($3::text::uuid, 1, $4) ON CONFLICT (one) DO NOTHING";

const STATE: &str = "SELECT owner, epoch, \
     greatest(extract(epoch FROM lease_until - clock_timestamp()) * 1000, 0)::bigint, tip_group, tip_position \
     FROM quorate_owner";

/// The mark of a part.
pub(super) async fn marked(link: &Link) -> Result<Option<(u16, String)>, Trouble> {
    let row = link.client.query_opt("SELECT number, map::text FROM quorate_part", &[]).await?;
    row.map(|row| Ok((small(row.try_get(0)?)?, row.try_get(1)?))).transpose()
}

/// Is it opened as what it is?
pub(super) fn fits(marked: Option<(u16, String)>, part: Option<&Part>, shown: &str) -> Result<(), Fault> {
    let wrong = |range: &str| {
        Err(Fault::Config { knob: "store url", value: shown.to_owned(), range: range.to_owned() })
    };
    match (marked, part) {
        (None, None) => Ok(()),
        (Some((number, map)), Some(part)) if number == part.number && map == part.map => Ok(()),
        (Some(_), None) => wrong(
            "a whole journal: this is a shard of one, and alone would show a part as the whole. `quorate serve --store` \
             with the first database opens it, and --url asks that",
        ),
        (_, Some(_)) => {
            wrong("the shard that the map names: this is another journal, or one that is no shard")
        }
    }
}

fn small(value: i32) -> Result<u16, Trouble> {
    u16::try_from(value).map_err(|_| {
        Trouble::Told(Fault::Corrupt {
            what: format!("the database: a shard number out of range. found={value}"),
        })
    })
}

fn span(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

fn ms(lease: Duration) -> f64 {
    lease.as_millis() as f64
}

impl Book {
    /// Connects to the first database.
    ///
    /// # Errors
    /// [`Fault::Config`] for an address that cannot be read.
    pub fn open(url: &DatabaseUrl) -> Result<Self, Fault> {
        let target = Target::of(url)?;
        let (handle, stop, thread) = client_thread()?;
        Ok(Book {
            url: url.clone(),
            target,
            handle,
            slot: Arc::default(),
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Its address.
    pub fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// Asks once; a database that is away is told at once.
    fn once<T, F>(
        &self,
        most: Duration,
        what: impl FnOnce(Arc<Link>) -> F + Send + 'static,
    ) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Trouble>> + Send + 'static,
    {
        let (slot, target) = (self.slot.clone(), self.target.clone());
        run(&self.handle, async move {
            let asked = async {
                let link = slot.get(&target).await?;
                link.listen();
                let answer = what(link.clone()).await?;
                // A lease that no standby has heard of is none.
                link.kept()?;
                Ok(answer)
            };
            let away = |reason: String| Fault::Unavailable { reason: format!("the map of shards: {reason}") };
            let failed = match tokio::time::timeout(most, asked).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(Trouble::Told(fault))) => return Err(fault),
                Ok(Err(Trouble::Lost(why))) => away(why),
                Err(_) => away(format!("no answer within {} ms", most.as_millis())),
            };
            slot.give_up().await;
            Err(failed)
        })
    }

    /// How the journal is divided, if it is.
    ///
    /// # Errors
    /// Those of the database.
    pub fn layout(&self) -> Result<Option<Layout>, Fault> {
        let mut pause = PAUSES.0;
        loop {
            match self.once(ANSWER, |link| async move { layout(&link).await }) {
                // A server that comes up: soon or not at all.
                Err(Fault::Unavailable { .. }) if pause < PAUSES.1 / 2 => {}
                answer => return answer,
            }
            std::thread::sleep(pause);
            pause *= 2;
        }
    }

    /// Places for so many shards in the first database: the schema that its address names, and schemas beside it.
    ///
    /// # Errors
    /// Those of the database.
    pub fn beside(&self, shards: u16) -> Result<Vec<Place>, Fault> {
        let schema: Option<String> = self.once(ANSWER, |link| async move {
            Ok(link.client.query_one("SELECT current_schema()", &[]).await?.try_get(0)?)
        })?;
        let schema = schema.ok_or_else(|| Fault::Config {
            knob: "store url",
            value: self.target.shown.clone(),
            range: "a schema that exists: `CREATE SCHEMA` makes one".into(),
        })?;
        let others = (1..shards).map(|number| Place::Schema(format!("{schema}_shard_{number}")));
        Ok(std::iter::once(Place::First).chain(others).collect())
    }

    /// Divides the journals in these places, which are empty; the same again changes nothing and goes on where it was cut off.
    ///
    /// # Errors
    /// [`Fault::Config`] for a place that is no empty journal that nobody owns, or is another part already, and for a journal
    /// that is divided otherwise.
    pub fn divide(&self, places: &[Place], slots: &[u16]) -> Result<Layout, Fault> {
        for place in places {
            if let Place::Database(url) = place
                && url.whole() != url.to_string()
            {
                return Err(Fault::Config {
                    knob: "shards",
                    value: url.to_string(),
                    range: "an address without a password, for it is kept in the first database: PGPASSWORD says it".into(),
                });
            }
        }
        check_names(places)?;
        if let Some(there) = self.layout()? {
            return same(there, places, slots);
        }
        let map = self.once(ANSWER, |link| async move {
            match mark_of(&link).await? {
                Some((_, _, map)) => Ok(map),
                None => Ok(link.client.query_one("SELECT gen_random_uuid()::text", &[]).await?.try_get(0)?),
            }
        })?;
        let of = i32::try_from(places.len()).unwrap_or(i32::MAX);
        // All are looked at before anything is made: what is refused has changed nothing.
        for (shard, place) in (0..).zip(places) {
            self.look(shard, of, place, &map)?;
        }
        let shown = self.target.shown.clone();
        self.once(ANSWER, move |link| async move { schema::bring(link, true, &shown).await })?;
        let mine: Vec<i16> = slots.iter().map(|shard| i16::try_from(*shard).unwrap_or(i16::MAX)).collect();
        for (shard, place) in (0..).zip(places) {
            self.mark(shard, of, place, &map)?;
        }
        let numbers: Vec<i32> = (0..of).collect();
        let kept: Vec<String> = places.iter().map(Place::kept).collect();
        self.once(ANSWER, move |link| async move {
            let values: [&(dyn ToSql + Sync); 4] = [&numbers, &kept, &map, &mine];
            Ok(link.client.execute(WRITE, &values).await?)
        })?;
        let written =
            self.layout()?.ok_or_else(|| Fault::Unavailable { reason: "the map was not kept".into() })?;
        same(written, places, slots)
    }

    /// Refuses a place that cannot be this shard of the map. Only reads.
    fn look(&self, shard: i32, of: i32, place: &Place, map: &str) -> Result<(), Fault> {
        let (url, schema) = place.within(&self.url);
        let target = Target::of(&url)?.in_schema(schema.as_deref());
        let (slot, shown, map) = (Slot::default(), target.shown.clone(), map.to_owned());
        run(&self.handle, async move {
            let looked = async {
                let link = slot.get(&target).await?;
                let refused = |range: String| {
                    Trouble::Told(Fault::Config { knob: "shards", value: target.shown.clone(), range })
                };
                if let Some((number, parts, whose)) = mark_of(&link).await? {
                    return match (number == shard && parts == of, whose == map) {
                        (true, true) => Ok(()),
                        (false, true) => Err(refused(format!(
                            "the same words as when dividing was begun: this is shard {number} of {parts}"
                        ))),
                        (_, false) => Err(refused("an empty journal: this is a shard of another one".into())),
                    };
                }
                let there =
                    link.client.query_one("SELECT to_regclass('quorate_owner') IS NOT NULL", &[]).await?;
                let row = if there.try_get(0)? { link.client.query_opt(FREE, &[]).await? } else { None };
                match row.map(|row| row.try_get(0)).transpose()? {
                    Some(false) => Err(refused("an empty journal that nobody owns".into())),
                    Some(true) | None => Ok(()),
                }
            };
            match tokio::time::timeout(ANSWER, looked).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(Trouble::Told(fault))) => Err(fault),
                Ok(Err(Trouble::Lost(reason))) => Err(Fault::Unavailable { reason }),
                Err(_) => Err(Fault::Unavailable { reason: format!("{shown} does not answer") }),
            }
        })
    }

    fn mark(&self, shard: i32, of: i32, place: &Place, map: &str) -> Result<(), Fault> {
        let (url, schema) = place.within(&self.url);
        if let Some(schema) = schema.clone() {
            self.once(ANSWER, move |link| async move {
                Ok(link
                    .client
                    .batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS {}", quoted(&schema)))
                    .await?)
            })?;
        }
        let target = Target::of(&url)?.in_schema(schema.as_deref());
        let (map, shown, found) = (map.to_owned(), target.shown.clone(), target.shown.clone());
        let slot = Slot::default();
        let marked = run(&self.handle, async move {
            let made = async {
                let link = slot.get(&target).await?;
                schema::bring(link.clone(), true, &shown).await?;
                link.client.execute(MARK, &[&shard, &of, &map]).await?;
                Ok::<_, Trouble>(mark_of(&link).await? == Some((shard, of, map)))
            };
            match tokio::time::timeout(ANSWER, made).await {
                Ok(Ok(marked)) => Ok(marked),
                Ok(Err(Trouble::Told(fault))) => Err(fault),
                Ok(Err(Trouble::Lost(reason))) => Err(Fault::Unavailable { reason }),
                Err(_) => Err(Fault::Unavailable { reason: format!("{shown} does not answer") }),
            }
        })?;
        if marked {
            return Ok(());
        }
        Err(Fault::Config {
            knob: "shards",
            value: found,
            range: "an empty journal that nobody owns, and that is no other shard".into(),
        })
    }

    /// Puts a process on the list, under a name of its own.
    ///
    /// # Errors
    /// [`Fault::Fenced`] when the map has another epoch; those of the database.
    pub fn register(&self, door: &str, lease: Duration, epoch: Epoch) -> Result<String, Fault> {
        let door = door.to_owned();
        self.once(lease.min(ANSWER), move |link| async move {
            let forget = format!(
                "DELETE FROM quorate_processes WHERE lease_until < clock_timestamp() - interval '{FORGET}'"
            );
            link.client.batch_execute(&forget).await?;
            match link.client.query_opt(REGISTER, &[&door, &ms(lease), &signed(epoch)]).await? {
                Some(row) => Ok(row.try_get(0)?),
                None => {
                    let held = link.client.query_one("SELECT epoch FROM quorate_shard_map", &[]).await?;
                    Err(Trouble::Told(Fault::Fenced { held: number(held.try_get(0)?)?, given: epoch }))
                }
            }
        })
    }

    /// Renews the lease of a process, and looks who has what.
    ///
    /// # Errors
    /// Those of the database.
    pub fn renew(&self, process: &str, lease: Duration, epoch: Epoch) -> Result<Seen, Fault> {
        let process = process.to_owned();
        self.once(lease.min(ANSWER) / 2, move |link| async move {
            let renewed = link.client.execute(RENEW, &[&process, &ms(lease), &signed(epoch)]).await? == 1;
            seen(&link, renewed).await
        })
    }

    /// Says that a process has a shard, under the epoch of its journal; answers whether that counts.
    ///
    /// # Errors
    /// Those of the database.
    pub fn announce(&self, process: &str, shard: u16, epoch: Epoch) -> Result<bool, Fault> {
        let process = process.to_owned();
        self.once(ANSWER, move |link| async move {
            Ok(link.client.execute(ANNOUNCE, &[&process, &i32::from(shard), &signed(epoch)]).await? == 1)
        })
    }

    /// Says that a process has a shard no more.
    ///
    /// # Errors
    /// Those of the database.
    pub fn withdraw(&self, process: &str, shard: u16) -> Result<(), Fault> {
        let process = process.to_owned();
        self.once(ANSWER, move |link| async move {
            link.client.execute(WITHDRAW, &[&process, &i32::from(shard)]).await?;
            Ok(())
        })
    }

    /// Strikes a process off the list.
    ///
    /// # Errors
    /// Those of the database.
    pub fn leave(&self, process: &str) -> Result<(), Fault> {
        let process = process.to_owned();
        self.once(ANSWER, move |link| async move {
            link.client
                .execute("DELETE FROM quorate_processes WHERE process = $1::text::uuid", &[&process])
                .await?;
            Ok(())
        })
    }

    /// How each shard stands, as its own journal tells it.
    ///
    /// # Errors
    /// Those of the first database.
    pub fn states(&self, layout: &Layout) -> Result<Vec<ShardState>, Fault> {
        let seen = self.once(ANSWER, |link| async move { seen(&link, false).await })?;
        (0..).zip(&layout.places).map(|(shard, place)| self.state(shard, place, &seen)).collect()
    }

    fn state(&self, shard: u16, place: &Place, seen: &Seen) -> Result<ShardState, Fault> {
        let (url, schema) = place.within(&self.url);
        let target = Target::of(&url)?.in_schema(schema.as_deref());
        let slot = Slot::default();
        let asked = run(&self.handle, async move {
            let asked = async {
                let row = slot.get(&target).await?.client.query_one(STATE, &[]).await?;
                let owner: String = row.try_get(0)?;
                Ok::<_, Trouble>((
                    owner,
                    number(row.try_get(1)?)?,
                    number(row.try_get(2)?)?,
                    number(row.try_get(3)?)?,
                    number(row.try_get(4)?)?,
                ))
            };
            match tokio::time::timeout(ANSWER, asked).await {
                Ok(Ok(row)) => Ok(row),
                Ok(Err(Trouble::Told(fault))) => Err(fault),
                Ok(Err(Trouble::Lost(reason))) => Err(Fault::Unavailable { reason }),
                Err(_) => Err(Fault::Unavailable { reason: "no answer".into() }),
            }
        });
        let door = seen.shards.iter().find(|seen| seen.number == shard).and_then(|seen| seen.door.clone());
        let mut state = ShardState {
            shard,
            place: place.to_string(),
            owner: None,
            door,
            epoch: 0,
            lease_left_ms: 0,
            tip_group: 0,
            tip_position: 0,
            failure: None,
        };
        match asked {
            Ok((owner, epoch, left, group, position)) => {
                state.owner = Some(owner).filter(|owner| !owner.is_empty());
                (state.epoch, state.lease_left_ms) = (epoch, left);
                (state.tip_group, state.tip_position) = (group, position);
            }
            Err(fault) => state.failure = Some(fault.to_string()),
        }
        Ok(state)
    }
}

/// The mark of a part: which shard of how many it is, and of which map.
async fn mark_of(link: &Link) -> Result<Option<(i32, i32, String)>, Trouble> {
    let there = link.client.query_one("SELECT to_regclass('quorate_part') IS NOT NULL", &[]).await?;
    if !there.try_get::<_, bool>(0)? {
        return Ok(None);
    }
    let row = link.client.query_opt("SELECT number, of, map::text FROM quorate_part", &[]).await?;
    row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).transpose()
}

/// Refuses a place that is named twice, and a schema by a name that an address cannot say.
fn check_names(places: &[Place]) -> Result<(), Fault> {
    let refused = |place: &Place, range: &str| {
        Err(Fault::Config { knob: "place", value: place.to_string(), range: range.to_owned() })
    };
    for (at, place) in places.iter().enumerate() {
        if places.iter().take(at).any(|before| before == place) {
            return refused(place, "another place than those before it");
        }
        if let Place::Schema(name) = place {
            let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            let fits = name.len() <= 63
                && name.bytes().all(letter)
                && !name.starts_with(|c: char| c.is_ascii_digit());
            if !fits {
                return refused(
                    place,
                    "an address, postgres://…, or a schema: ASCII letters, digits and _, at most 63",
                );
            }
        }
    }
    Ok(())
}

/// A name as SQL takes it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn same(there: Layout, places: &[Place], slots: &[u16]) -> Result<Layout, Fault> {
    if there.places == places && there.slots == slots {
        return Ok(there);
    }
    let other = places.iter().zip(&there.places).find(|(given, kept)| given != kept);
    let (value, range) = match other {
        Some((given, kept)) if places.len() == there.places.len() => (given.to_string(), format!("{kept}")),
        _ => (places.len().to_string(), format!("{} shards", there.places.len())),
    };
    Err(Fault::Config {
        knob: "shards",
        value,
        range: format!("{range}, as it is divided already: `quorate shards list` shows it"),
    })
}

async fn layout(link: &Link) -> Result<Option<Layout>, Trouble> {
    let there = link.client.query_one("SELECT to_regclass('quorate_shard_map') IS NOT NULL", &[]).await?;
    if !there.try_get::<_, bool>(0)? {
        return Ok(None);
    }
    let Some(row) = link.client.query_opt(MAP, &[]).await? else { return Ok(None) };
    let slots: Vec<i16> = row.try_get(2)?;
    let slots = slots.into_iter().map(|shard| small(i32::from(shard))).collect::<Result<_, _>>()?;
    let places = link.client.query(PLACES, &[]).await?;
    let places = places.iter().map(|row| Ok(Place::of(row.try_get(0)?))).collect::<Result<_, Trouble>>()?;
    Ok(Some(Layout { map: row.try_get(0)?, epoch: number(row.try_get(1)?)?, slots, places }))
}

async fn seen(link: &Link, renewed: bool) -> Result<Seen, Trouble> {
    let shards = link.client.query(SHARDS, &[]).await?;
    let shard = |row: &tokio_postgres::Row| {
        Ok::<_, Trouble>(Shard {
            number: small(row.try_get(0)?)?,
            process: row.try_get(1)?,
            door: row.try_get(2)?,
            left: span(row.try_get(3)?),
        })
    };
    let processes = link.client.query(PROCESSES, &[]).await?;
    let process = |row: &tokio_postgres::Row| {
        Ok::<_, Trouble>(Process {
            process: row.try_get(0)?,
            door: row.try_get(1)?,
            age: span(row.try_get(2)?),
        })
    };
    Ok(Seen {
        renewed,
        shards: shards.iter().map(shard).collect::<Result<_, _>>()?,
        processes: processes.iter().map(process).collect::<Result<_, _>>()?,
    })
}
