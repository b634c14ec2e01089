//! Which hook is attempted when.
//!
//! ```text
//!  bell, hooks changed, next attempt, end of one ──► who is due and has something to read? ──► attempt, so many at once
//!                                                     first those that are known to answer, and who waited longest
//! ```
//!
//! A receiver that hangs keeps a place for as long as a request may take. So places are kept free for others:
//!
//! | a hook | is attempted while there is a place, fewer than half of them lead to its receiver, and |
//! |---|---|
//! | is proven: its last request in this process was taken | |
//! | is new: it was not tried in this process | under a quarter of the places are held by doubtful ones for less than a second, under half by slow ones |
//! | failed | the same, and under a quarter by slow ones |
//!
//! A request is slow after a second. So many that hang are told from those that answer soon, and a quarter of the places is always
//! there for hooks that are proven. Where proven ones hang all at once, others wait for one request to time out.
//!
//! Everything runs on one thread, with readers of its own: who votes and beats shares nothing with it but the journal, to
//! which each request adds one record.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::super::Quorate;
use super::attempt::{Place, Work, attempt};
use super::post::Post;
use super::target::Target;
use crate::core::kernel::ids::EntityId;
use crate::core::trust::hook::Hook;
use crate::error::{Error, ErrorKind};
use crate::journal::Position;
use crate::shell::clock::Stopwatch;
use crate::shell::lock;

/// Commits that follow each other closely are looked at together.
const PACE: Duration = Duration::from_millis(20);
/// A request that takes so long may be one that hangs.
const SLOW: Duration = Duration::from_secs(1);
/// The longest pause between two looks, whatever is due.
const LOOK_EVERY: Duration = Duration::from_secs(10);

impl Quorate {
    /// Delivers the hooks of this runtime, on a thread of its own, until what is returned is dropped or the runtime is closed.
    /// A process that is killed meanwhile leaves every hook where its last delivery on record was; the next one that delivers
    /// goes on there.
    ///
    /// # Errors
    /// `invalid_argument` under a manual clock, where there is no network, and for certificates that cannot be read;
    /// `nothing_done` when they are delivered already; `not_authorized` under an identity; `store_error` for a folder that is
    /// only read, and when there is no thread to be had.
    pub fn deliver_hooks(&self) -> Result<Deliveries, Error> {
        self.owned("delivering hooks")?;
        let host = Arc::clone(self.host());
        if host.clock.is_manual() {
            return Err(Error::invalid(
                "clock",
                "manual",
                "the clock of the system: in virtual time nothing is sent",
            ));
        }
        if host.reads_only {
            let message = "the folder is open for reading only; nothing is delivered";
            return Err(Error::new(ErrorKind::StoreError, message));
        }
        let post = Post::new(&host.config.hooks)?;
        let no_thread =
            |e: std::io::Error| Error::new(ErrorKind::StoreError, format!("no thread for hooks. cause={e}"));
        if host.hooks.delivers.swap(true, Ordering::AcqRel) {
            return Err(Error::new(
                ErrorKind::NothingDone,
                "the hooks of this runtime are delivered already",
            ));
        }
        // Of the two that block for each request one reads and one looks a name up.
        let readers = host.config.hooks.max_requests.saturating_mul(2);
        let (stop, stopping) = watch::channel(false);
        let work = Arc::new(Work { host: host.clone(), post });
        let delivering = host.clone();
        let (began, begins) = std::sync::mpsc::sync_channel(1);
        // Made and dropped on its own thread: whoever asks for it may be on one that must not block.
        let run = move || {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            match builder.enable_all().max_blocking_threads(readers).build() {
                Ok(runtime) => {
                    // Nobody is gone who waits for this.
                    let _ = began.send(Ok(()));
                    runtime.block_on(Schedule::new(work).run(stopping));
                    // A name server that does not answer is not waited for.
                    runtime.shutdown_background();
                }
                Err(e) => drop(began.send(Err(e))),
            }
            delivering.hooks.delivers.store(false, Ordering::Release);
        };
        let spawned = std::thread::Builder::new().name("quorate-hooks".into()).spawn(run);
        let thread = spawned.map_err(|e| {
            host.hooks.delivers.store(false, Ordering::Release);
            no_thread(e)
        })?;
        begins.recv().unwrap_or(Ok(())).map_err(no_thread)?;
        Ok(Deliveries { stop, thread: Some(thread) })
    }
}

/// Hooks are delivered while this lives. Made by [`Quorate::deliver_hooks`].
#[derive(Debug)]
pub struct Deliveries {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Deliveries {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic there is a bug that was told; what was not recorded is delivered again.
            let _ = thread.join();
        }
    }
}

struct Schedule {
    work: Arc<Work>,
    places: BTreeMap<EntityId, Place>,
    /// Those that are attempted now.
    busy: BTreeMap<EntityId, Busy>,
    turn: u64,
    tasks: JoinSet<(EntityId, Place)>,
}

/// A hook that is attempted.
struct Busy {
    since: Stopwatch,
    trust: Trust,
    receiver: String,
}

impl Busy {
    fn is_slow(&self) -> bool {
        self.since.elapsed() >= SLOW
    }
}

/// How likely a receiver answers, from the likeliest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trust {
    Proven,
    New,
    Failed,
}

/// The host and port to which a hook is sent.
fn receiver(hook: &Hook) -> String {
    let url = hook.registered.as_ref().map(|registered| registered.url.as_str()).unwrap_or_default();
    Target::parse(url).map(|target| target.authority).unwrap_or_default()
}

impl Schedule {
    fn new(work: Arc<Work>) -> Self {
        let tasks = JoinSet::new();
        Schedule { work, places: BTreeMap::new(), busy: BTreeMap::new(), turn: 0, tasks }
    }

    async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        let host = self.work.host.clone();
        let (mut bell, mut changed) = (host.bell.subscribe(), host.counters.hooks_changed.subscribe());
        while !host.is_closing() && host.writer.failure().is_none() {
            changed.mark_unchanged();
            let tip = *bell.borrow_and_update();
            let pause = self.begin(tip);
            tokio::select! {
                _ = stopping.wait_for(|stopping| *stopping) => return,
                Some(ended) = self.tasks.join_next() => match ended {
                    Ok((id, place)) => self.end(id, place),
                    Err(e) => {
                        // Whose it was is not known; nobody else is busy with the same hook meanwhile.
                        tracing::error!(cause = %e, "an attempt to deliver a hook was cut off");
                        self.tasks.abort_all();
                        while self.tasks.join_next().await.is_some() {}
                        self.busy.clear();
                        tokio::time::sleep(LOOK_EVERY).await;
                    }
                },
                _ = bell.changed() => tokio::time::sleep(PACE).await,
                _ = changed.changed() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    fn end(&mut self, id: EntityId, place: Place) {
        self.busy.remove(&id);
        lock(&self.work.host.hooks.seen).insert(id.clone(), place.seen);
        self.places.insert(id, place);
    }

    /// Begins the attempts that are due, as many as may be. Says how long there is nothing to do.
    fn begin(&mut self, tip: Position) -> Duration {
        let host = &self.work.host;
        let (now, most) = (host.clock.now(), host.config.hooks.max_requests);
        let mut pause = LOOK_EVERY;
        let mut due = BTreeSet::new();
        let hooks = lock(&host.counters.hooks);
        for (id, hook) in hooks.iter().filter(|(id, _)| !self.busy.contains_key(*id)) {
            let place = self.places.get(id).copied().unwrap_or_default();
            match hook.attempts_from() {
                None => {}
                Some(Some(at)) if at > now => pause = pause.min(at.since(now)),
                Some(_) if place.seen.max(hook.position) >= tip => {}
                Some(_) => {
                    let trust = match (hook.failures, place.is_proven) {
                        (0, true) => Trust::Proven,
                        (0, false) => Trust::New,
                        _ => Trust::Failed,
                    };
                    due.insert((trust, place.turn, id.clone(), receiver(hook)));
                }
            }
        }
        self.places.retain(|id, _| hooks.contains_key(id));
        lock(&host.hooks.seen).retain(|id, _| hooks.contains_key(id));
        drop(hooks);
        let (half, quarter) = ((most / 2).max(1), (most / 4).max(1));
        for (trust, _, id, receiver) in due {
            let count = |fits: &dyn Fn(&Busy) -> bool| self.busy.values().filter(|busy| fits(busy)).count();
            if self.busy.len() >= most {
                break;
            }
            let slow = count(&|busy| busy.is_slow());
            let doubtful = count(&|busy| busy.trust > Trust::Proven && !busy.is_slow());
            let has_room = match trust {
                Trust::Proven => true,
                Trust::New => doubtful < quarter && slow < half,
                Trust::Failed => doubtful < quarter && slow < quarter,
            };
            if !has_room {
                // When one of them is slow there may be room.
                pause = pause.min(SLOW);
            }
            if !has_room || count(&|busy| busy.receiver == receiver) >= half {
                continue;
            }
            self.turn += 1;
            let mut place = self.places.get(&id).copied().unwrap_or_default();
            place.turn = self.turn;
            let busy = Busy { since: Stopwatch::start(), trust, receiver };
            self.busy.insert(id.clone(), busy);
            let work = self.work.clone();
            self.tasks.spawn(async move {
                let place = attempt(&work, &id, place).await;
                (id, place)
            });
        }
        pause
    }
}
