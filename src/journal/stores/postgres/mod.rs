//! A store in a PostgreSQL database, for programs on several machines of which one at a time owns the journal.
//!
//! ```text
//!  commit ─► plan ─► one statement, which is one transaction and one round trip:
//!                    UPDATE quorate_owner … WHERE epoch = mine AND session = mine AND tip_group = what I know
//!                    └─ one row ─► groups · heads and deadlines · keys
//!                    └─ none    ─► nothing of all that: somebody else owns the journal
//!
//!  connection lost ─► outcome unknown ─► connect, session + 1 (what was sent before is void from here on)
//!                     ─► the tip is the one I planned: it was committed · the one before: send it again
//! ```
//!
//! The owner holds a lease that the database times. It is renewed by every commit and in between; who wants the journal
//! waits until it has run out. The lease only decides when somebody may take over: what keeps the earlier owner from
//! writing is the epoch.
//!
//! The bytes of groups are those of every other store. What the tables hold is drawn in `migrations/postgres`.
//! The client of the database runs on a thread of its own; calls wait for it.

mod commit;
mod examine;
mod link;
#[cfg(feature = "store-sled")]
mod moving;
mod owner;
mod port;
mod read;
mod schema;
pub mod shards;
mod target;

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

pub use self::examine::examine;
use self::link::{Link, Slot, Trouble};
use self::target::Target;
use super::blocks::Blocks;
use super::heads::Entry;
use super::walk::Trails;
use super::{StoreOptions, lock};
use crate::{Epoch, Fault, Tip};
use quorate_core::kernel::ids::StreamId;

/// How long a database that went away is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long one answer may take before the connection is given up.
const ANSWER: Duration = Duration::from_secs(10);
/// Pauses between two tries, first and longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// A journal in a database. Dropping it ends its lease.
#[derive(Debug)]
pub struct PostgresStore {
    core: Arc<Core>,
    /// Dropping it ends the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What calls share.
#[derive(Debug)]
struct Core {
    handle: Handle,
    target: Target,
    /// Tells this handle from every other one.
    holder: String,
    lease: Duration,
    /// Is it opened as a shard?
    is_part: bool,
    group_bytes: usize,
    /// Commits and the lease.
    write: Slot,
    /// Everything else.
    read: Slot,
    /// Was a server seen that waits for standbys? Then none is written any more that does not.
    insists: AtomicBool,
    /// One commit at a time.
    turn: Mutex<()>,
    state: Mutex<State>,
    blocks: Blocks,
    trails: Trails,
}

#[derive(Debug)]
struct State {
    owned: Option<Owned>,
    /// The end of the journal, while it is owned.
    tip: Tip,
    /// Ends of streams, and that a stream has none; right while the journal is owned.
    heads: HashMap<StreamId, Option<Entry>>,
    closed: bool,
    /// Why the store refuses work.
    dead: Option<Fault>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Owned {
    epoch: Epoch,
    session: i64,
}

impl PostgresStore {
    /// Connects to the database named by the options, and makes the tables if they may be made.
    ///
    /// # Errors
    /// [`Fault::Config`] for an address that cannot be read, for a replica, and for a setting under which the database
    /// forgets what it acknowledged; [`Fault::Missing`], [`Fault::NewerVersion`], [`Fault::Corrupt`] as they say;
    /// [`Fault::Unavailable`] when no database was named or it does not answer.
    pub fn open(options: &StoreOptions) -> Result<Self, Fault> {
        let options = options.bounded();
        let url = options.url.as_ref().ok_or_else(|| Fault::Unavailable {
            reason: "no database was named; give the store a url, postgres://…".into(),
        })?;
        let part = options.part.clone();
        let schema = part.as_ref().and_then(|part| part.schema.as_deref());
        let target = Target::of(url)?.in_schema(schema);
        let (handle, stop, thread) = client_thread()?;
        let mut core = Core {
            handle,
            target,
            holder: String::new(),
            lease: options.lease,
            is_part: part.is_some(),
            group_bytes: options.slot_bytes,
            write: Slot::default(),
            read: Slot::default(),
            insists: AtomicBool::new(false),
            turn: Mutex::default(),
            state: Mutex::new(State {
                owned: None,
                tip: read::nothing(),
                heads: HashMap::new(),
                closed: false,
                dead: None,
            }),
            blocks: Blocks::default(),
            trails: Trails::default(),
        };
        let (shown, create, target) = (core.target.shown.clone(), options.create, core.target.clone());
        let slot = Slot::default();
        let (holder, read) = run(&core.handle, async move {
            let mut pause = PAUSES.0;
            loop {
                let made = async {
                    let link = slot.get(&target).await?;
                    schema::bring(link.clone(), create, &shown).await?;
                    shards::fits(shards::marked(&link).await?, part.as_ref(), &shown)
                        .map_err(Trouble::Told)?;
                    Ok(link.client.query_one("SELECT gen_random_uuid()::text", &[]).await?.get(0))
                };
                let made = tokio::time::timeout(ANSWER, made).await;
                match made.unwrap_or_else(|_| Err(Trouble::Lost(format!("{shown} does not answer")))) {
                    Ok(holder) => return Ok((holder, slot)),
                    Err(Trouble::Told(fault)) => return Err(fault),
                    // A server that comes up, or a connection that was cut: soon or not at all.
                    Err(Trouble::Lost(_)) if pause < PAUSES.1 / 2 => {}
                    Err(Trouble::Lost(reason)) => return Err(Fault::Unavailable { reason }),
                }
                slot.give_up().await;
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
        })?;
        (core.holder, core.read) = (holder, read);
        Ok(PostgresStore { core: Arc::new(core), stop: Some(stop), thread: Some(thread) })
    }
}

/// A thread for a client of the database, which ends when the sender is dropped.
fn client_thread() -> Result<(Handle, oneshot::Sender<()>, JoinHandle<()>), Fault> {
    let (stop, stopped) = oneshot::channel();
    let (started, handle) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new().name("quorate-postgres".into()).spawn(move || {
        let Ok(runtime) = Builder::new_current_thread().enable_all().build() else { return };
        let _ = started.send(runtime.handle().clone());
        let _ = runtime.block_on(stopped);
    });
    let thread =
        thread.map_err(|e| Fault::Unavailable { reason: format!("no thread for the database: {e}") })?;
    let handle = handle
        .recv()
        .map_err(|_| Fault::Unavailable { reason: "the client of the database cannot start".into() })?;
    Ok((handle, stop, thread))
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.core.let_go();
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was told to whoever waited for it.
            let _ = thread.join();
        }
    }
}

/// Runs something on the thread of the client and waits for it.
fn run<T: Send + 'static>(
    handle: &Handle,
    work: impl Future<Output = Result<T, Fault>> + Send + 'static,
) -> Result<T, Fault> {
    let (done, result) = std::sync::mpsc::sync_channel(1);
    handle.spawn(async move {
        let _ = done.send(work.await);
    });
    let ended = || Fault::Unavailable { reason: "the client of the database has ended".into() };
    result.recv().unwrap_or_else(|_| Err(ended()))
}

impl Core {
    fn alive(&self) -> Result<(), Fault> {
        match &lock(&self.state).dead {
            None => Ok(()),
            Some(fault @ Fault::Fenced { .. }) => Err(fault.clone()),
            Some(fault) => Err(Fault::Unavailable {
                reason: format!(
                    "a write failed and the store refuses work until it is opened again. cause={fault}"
                ),
            }),
        }
    }

    /// Ends the store; the first reason is the one that is told.
    fn refuse(&self, fault: &Fault) {
        lock(&self.state).dead.get_or_insert_with(|| fault.clone());
    }

    fn owned(&self) -> Option<Owned> {
        lock(&self.state).owned
    }

    /// Asks the database something that may be asked again, over one of the two connections.
    fn ask<T, F>(
        self: &Arc<Self>,
        slot: fn(&Core) -> &Slot,
        what: impl Fn(Arc<Link>) -> F + Send + Sync + 'static,
    ) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Trouble>> + Send,
    {
        let core = self.clone();
        run(&self.handle, async move { core.asked(slot, what).await })
    }

    /// A connection to a server that may be used.
    async fn reached(&self, slot: fn(&Core) -> &Slot) -> Result<Arc<Link>, Trouble> {
        let mut link = slot(self).reached(&self.target).await?;
        if let Some(owner) = self.write.server().await
            && owner != link.server
        {
            // Two servers that take writes: one was cut off from the others, and what it shows is old.
            slot(self).follow(owner).await;
            link = slot(self).reached(&self.target).await?;
            if link.server != owner {
                return Err(Trouble::Lost("commits go to another server".into()));
            }
        }
        self.stands(link.waits)?;
        Ok(link)
    }

    /// Whether what is written is kept, when the server waits for standbys or does not.
    fn stands(&self, waits: bool) -> Result<(), Trouble> {
        if waits {
            self.insists.store(true, Ordering::Relaxed);
        } else if self.insists.load(Ordering::Relaxed) {
            const ALONE: &str = "the database no longer waits for a synchronous standby \
                 (synchronous_standby_names is empty), as an old primary that was cut off may do";
            return Err(Trouble::Lost(ALONE.into()));
        }
        Ok(())
    }

    async fn asked<T, F>(&self, slot: fn(&Core) -> &Slot, what: impl Fn(Arc<Link>) -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Trouble>>,
    {
        let mut last = String::new();
        let tried = tokio::time::timeout(PATIENCE, async {
            let mut pause = PAUSES.0;
            loop {
                let answer = async { what(self.reached(slot).await?).await };
                match tokio::time::timeout(ANSWER, answer).await {
                    Ok(Ok(answer)) => return Ok(answer),
                    Ok(Err(Trouble::Told(fault))) => return Err(fault),
                    Ok(Err(Trouble::Lost(why))) => last = why,
                    Err(_) => last = format!("no answer within {} s", ANSWER.as_secs()),
                }
                slot(self).give_up().await;
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        });
        match tried.await {
            Ok(answer) => answer,
            Err(_) => Err(Fault::Unavailable { reason: format!("the database is away: {last}") }),
        }
    }
}

fn read_slot(core: &Core) -> &Slot {
    &core.read
}

fn write_slot(core: &Core) -> &Slot {
    &core.write
}
