//! A process that owns shards: its fair share of them, and those whose owner is gone.
//!
//! ```text
//!  every look:  renew the lease ─► see who lives ─► fair shares
//!     mine, and free                      ─► open ─► say that I have it ─► answer for it
//!     another's, and free for a lease     ─► the same: whose share it is does not come
//!     here, another's share, it lives     ─► stop answering ─► close ─► say that I have it not     one at a time
//!     here, and somebody else said it has ─► stop answering ─► close
//!     the lease was interrupted           ─► all of them, and begin anew under another name
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

#[cfg(feature = "hooks")]
use super::super::hooks::Deliveries;
use super::super::{Quorate, on_thread};
use super::Shards;
use crate::config::Config;
use crate::core::kernel::shards::{OneShard, ShardMap, shares};
use crate::error::{Error, ErrorKind};
use crate::journal::{Epoch, Fault};
use crate::shell::clock::Held;
use crate::store::DatabaseUrl;
use crate::store::postgres::shards::{Book, Layout, Part, Seen};

/// A lease is looked at so many times while it lasts.
const LOOKS: u32 = 8;
/// The longest pause between two looks.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Shards that are opened at the same time.
const OPENING: usize = 8;

/// A shard that a process did not open though it is its share is offered to it again after so many leases.
const COVERED: u32 = 20;

/// What came of a shard beside the looks.
enum Done {
    Opened(u16, Result<Quorate, Error>),
    Closed(u16),
}

/// A process that owns what it can of a sharded journal.
pub struct Owner {
    book: Arc<Book>,
    layout: Layout,
    config: Config,
    shards: Arc<Shards>,
    door: String,
    /// Its name in the table, while its lease is in force.
    process: Option<String>,
    busy: BTreeSet<u16>,
    work: JoinSet<Done>,
    /// Since when nobody has a shard.
    free: BTreeMap<u16, Held>,
    /// Since when a shard was opened because the process whose share it is did not.
    covered: BTreeMap<u16, Held>,
    #[cfg(feature = "hooks")]
    deliveries: BTreeMap<u16, Deliveries>,
}

impl std::fmt::Debug for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Owner")
            .field("door", &self.door)
            .field("process", &self.process)
            .finish_non_exhaustive()
    }
}

/// How the journal in this database is divided, with the book that says so; none when it is one.
///
/// # Errors
/// Those of the database; `store_corrupt` for a map that is none.
pub async fn divided(url: &DatabaseUrl) -> Result<Option<(Arc<Book>, Layout, Arc<ShardMap>)>, Error> {
    let url = url.clone();
    on_thread(move || {
        let book = Book::open(&url)?;
        let Some(layout) = book.layout()? else { return Ok(None) };
        let count = u16::try_from(layout.places.len()).unwrap_or(0);
        let map = ShardMap::of(count, layout.slots.clone())
            .ok_or_else(|| Fault::Corrupt { what: "the map of shards in the database".into() })?;
        Ok(Some((Arc::new(book), layout, Arc::new(map))))
    })
    .await
}

async fn told_to_stop(stopping: &mut watch::Receiver<bool>) {
    // The sender is gone with whoever began this.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// Says that a process has a shard no more.
async fn withdrawn(book: Arc<Book>, process: Option<String>, shard: u16) -> Done {
    if let Some(process) = process {
        // What is not withdrawn is withdrawn at a later look, or over with the lease.
        let _ = on_thread(move || book.withdraw(&process, shard)).await;
    }
    Done::Closed(shard)
}

impl Owner {
    /// A process that opens shards with these settings.
    pub fn new(book: Arc<Book>, layout: Layout, config: Config, shards: Arc<Shards>) -> Self {
        Owner {
            book,
            layout,
            config,
            shards,
            door: String::new(),
            process: None,
            busy: BTreeSet::new(),
            work: JoinSet::new(),
            free: BTreeMap::new(),
            covered: BTreeMap::new(),
            #[cfg(feature = "hooks")]
            deliveries: BTreeMap::new(),
        }
    }

    fn lease(&self) -> Duration {
        self.config.store_options.lease
    }

    /// Owns shards, for which it answers at this door, until it is told to stop; then lets go of all of them.
    pub async fn run(mut self, door: String, mut stopping: watch::Receiver<bool>) {
        self.door = door;
        let pause = (self.lease() / LOOKS).min(LONGEST_PAUSE);
        let mut told = false;
        loop {
            match self.look().await {
                Ok(()) => told = false,
                Err(error) if !told => {
                    tracing::warn!(%error, "the map of shards was not read");
                    told = true;
                }
                Err(_) => {}
            }
            if !self.shards.is_in_force() {
                self.begin_anew();
            }
            tokio::select! {
                biased;
                () = told_to_stop(&mut stopping) => break,
                () = tokio::time::sleep(pause) => {}
                Some(Ok(done)) = self.work.join_next() => self.done(done).await,
            }
        }
        self.end().await;
    }

    /// One look: at the lease first.
    async fn look(&mut self) -> Result<(), Error> {
        let (book, lease, epoch) = (self.book.clone(), self.lease(), self.layout.epoch);
        let process = match self.process.clone() {
            Some(process) => process,
            None => {
                let (book, door) = (book.clone(), self.door.clone());
                let process = on_thread(move || book.register(&door, lease, epoch)).await?;
                self.process.insert(process).clone()
            }
        };
        let sent = Held::begin();
        let seen = on_thread(move || book.renew(&process, lease, epoch)).await?;
        if !seen.renewed {
            self.begin_anew();
            return Ok(());
        }
        self.shards.renewed(sent, lease);
        self.compare(&seen).await;
        Ok(())
    }

    /// What is to be opened and given up, by what was seen.
    async fn compare(&mut self, seen: &Seen) {
        let mine = |process: &Option<String>| process.is_some() && *process == self.process;
        let doors = seen.shards.iter().filter(|shard| !mine(&shard.process));
        let doors = doors.filter_map(|shard| Some((shard.number, shard.door.clone()?)));
        self.shards.set_doors(doors.collect());
        let said: BTreeSet<u16> =
            seen.shards.iter().filter(|shard| mine(&shard.process)).map(|shard| shard.number).collect();
        let here: BTreeSet<u16> = self.shards.here().into_iter().map(|(shard, _)| shard).collect();
        for shard in here.difference(&said) {
            self.let_go(*shard);
        }
        for shard in
            said.difference(&here).filter(|shard| !self.busy.contains(shard)).copied().collect::<Vec<_>>()
        {
            self.take_back(shard);
        }
        for shard in self.failed().await {
            self.let_go(shard);
        }
        let places: BTreeSet<&str> = seen.processes.iter().map(|process| process.door.as_str()).collect();
        let places: Vec<&str> = places.into_iter().collect();
        let whose = shares(self.shards.map.shards(), &places);
        let whose = |shard: u16| whose.get(usize::from(shard)).and_then(|at| places.get(*at)).copied();
        self.hand_over(seen, whose);
        for shard in &seen.shards {
            if shard.process.is_some() {
                self.free.remove(&shard.number);
                continue;
            }
            let free = self.free.entry(shard.number).or_insert_with(Held::begin).passed();
            let is_mine = whose(shard.number) == Some(self.door.as_str());
            if (is_mine || free > self.lease()) && self.work.len() < OPENING && self.busy.insert(shard.number)
            {
                if !is_mine {
                    self.covered.insert(shard.number, Held::begin());
                }
                self.open(shard.number);
            }
        }
    }

    /// Gives up one shard that is the share of another process which has been there for a lease.
    fn hand_over<'a>(&mut self, seen: &'a Seen, whose: impl Fn(u16) -> Option<&'a str>) {
        let settled: BTreeSet<&str> = seen
            .processes
            .iter()
            .filter(|process| process.age > self.lease())
            .map(|process| process.door.as_str())
            .collect();
        let here = self.shards.here();
        let covered = |shard: &u16| {
            self.covered.get(shard).is_some_and(|since| since.passed() < self.lease() * COVERED)
        };
        let away = here.iter().map(|(shard, _)| *shard).filter(|shard| !covered(shard)).find(|shard| {
            whose(*shard).is_some_and(|door| door != self.door.as_str() && settled.contains(door))
        });
        if let Some(shard) = away.filter(|_| self.busy.is_empty()) {
            self.let_go(shard);
        }
    }

    /// The shards whose runtime serves no more.
    async fn failed(&self) -> Vec<u16> {
        let here = self.shards.here();
        let looked = on_thread(move || {
            let failed = here.into_iter().filter(|(_, q)| q.health().failure.is_some());
            Ok(failed.map(|(shard, _)| shard).collect())
        });
        looked.await.unwrap_or_default()
    }

    /// The settings under which a shard is opened.
    ///
    /// # Errors
    /// `invalid_argument` for a shard that there is not.
    pub fn config_of(&self, shard: u16) -> Result<Config, Error> {
        let place = self.layout.places.get(usize::from(shard));
        let place = place.ok_or_else(|| Error::invalid("shard", shard, "a shard of the map"))?;
        let (url, schema) = place.within(self.book.url());
        let mut config = self.config.clone();
        config.store = "postgres".into();
        config.store_options.url = Some(url);
        config.store_options.part = Some(Part { number: shard, map: self.layout.map.clone(), schema });
        config.shard = OneShard::of(self.shards.map.clone(), shard);
        Ok(config)
    }

    fn open(&mut self, shard: u16) {
        let config = self.config_of(shard);
        self.work.spawn(async move {
            let opened = async { Quorate::open(config?).await };
            Done::Opened(shard, opened.await)
        });
    }

    async fn done(&mut self, done: Done) {
        match done {
            Done::Closed(shard) => {
                self.busy.remove(&shard);
            }
            Done::Opened(shard, Ok(q)) => {
                let announced = self.announced(shard, q.host().epoch).await;
                if !announced {
                    self.close(shard, q);
                    return;
                }
                #[cfg(feature = "hooks")]
                match q.deliver_hooks() {
                    Ok(deliveries) => drop(self.deliveries.insert(shard, deliveries)),
                    Err(error) => tracing::error!(shard, %error, "the hooks of a shard are not delivered"),
                }
                self.shards.take(shard, q);
                self.busy.remove(&shard);
                tracing::info!(shard, "this process has a shard");
            }
            Done::Opened(shard, Err(error)) => {
                self.busy.remove(&shard);
                if error.kind() != ErrorKind::StoreLocked {
                    tracing::warn!(shard, %error, "a shard was not opened");
                }
            }
        }
    }

    /// Says that this process has the shard; false when another one that lives said so.
    async fn announced(&self, shard: u16, epoch: Epoch) -> bool {
        let Some(process) = self.process.clone() else { return false };
        let book = self.book.clone();
        on_thread(move || book.announce(&process, shard, epoch)).await.unwrap_or(false)
    }

    /// Answers for it no more, and closes it.
    fn let_go(&mut self, shard: u16) {
        if let Some(q) = self.shards.give_up(shard) {
            tracing::info!(shard, "this process gives a shard up");
            self.busy.insert(shard);
            self.close(shard, q);
        }
    }

    fn close(&mut self, shard: u16, q: Quorate) {
        #[cfg(feature = "hooks")]
        drop(self.deliveries.remove(&shard));
        let (book, process) = (self.book.clone(), self.process.clone());
        self.work.spawn(async move {
            // What was not written is not acknowledged; a journal that somebody else has needs no closing.
            let _ = q.close().await;
            withdrawn(book, process, shard).await
        });
    }

    /// The lease was interrupted: nothing that was opened under it counts.
    fn begin_anew(&mut self) {
        for (shard, _) in self.shards.here() {
            self.let_go(shard);
        }
        self.process = None;
    }

    /// What was said of a shard that is not answered for, as when the answer of the database was lost.
    fn take_back(&mut self, shard: u16) {
        self.busy.insert(shard);
        self.work.spawn(withdrawn(self.book.clone(), self.process.clone(), shard));
    }

    async fn end(mut self) {
        let process = self.process.clone();
        for (shard, _) in self.shards.here() {
            self.let_go(shard);
        }
        while let Some(done) = self.work.join_next().await {
            if let Ok(Done::Opened(_, Ok(q))) = done {
                let _ = q.close().await;
            }
        }
        if let Some(process) = process {
            let book = self.book.clone();
            // Else its lease runs out.
            let _ = on_thread(move || book.leave(&process)).await;
        }
    }
}
