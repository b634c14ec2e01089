//! The one writer: groups the appends of all actors and flushes once for the whole group.
//!
//! ```text
//!  actors ──Work──► queue ──► writer thread: everything waiting becomes one commit
//!                                  │ durable
//!                                  ▼
//!                             acks thread: completions, in commit order, while the next group is flushed
//! ```
//!
//! Alone, an append costs one flush. Under load groups grow by themselves; the writer only gives requests that are
//! admitted and still on their way to the queue a moment to arrive, at most half of what a flush takes, because the
//! alternative is a flush for the first few of them and a second one for the rest. (The idea of PostgreSQL's
//! `commit_siblings`, with the number known instead of guessed.) After a failed commit nothing is acknowledged any more: whether that group survived is only known after opening again.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use super::clock::{Clock, Stopwatch};
use super::lock;
use crate::journal::{Append, Appended, Epoch, Fault, Position, Store};

/// Longest moment given to requests on their way. A flush that stalled must not make the next one wait on the
/// strength of it: a request may be on its way for long, while its entity is rebuilt.
const LONGEST_WAIT: Duration = Duration::from_micros(200);

/// Told what became of its append, on the acks thread.
pub(crate) type Completion = Box<dyn FnOnce(Result<Position, Failure>) + Send>;

/// An append, and who hears what became of it.
pub(crate) type Write = (Append, Completion);

/// Why something is not acknowledged.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// Refused; nothing was written.
    Refused(Fault),
    /// The commit failed midway; whether it was written is not known.
    Unknown(Fault),
}

impl Failure {
    pub(crate) fn fault(&self) -> &Fault {
        match self {
            Failure::Refused(fault) | Failure::Unknown(fault) => fault,
        }
    }
}

enum Work {
    Commit(Append, Completion),
    /// Stand or fall together.
    Joint(Vec<Write>),
    /// Completes when everything queued before it is durable.
    Barrier(Completion),
    /// Commits what was queued before it, then ends the writer.
    Drain,
}

/// One commit's worth of completions.
struct Acks {
    done: Vec<(Completion, Result<Position, Failure>)>,
    durable: Option<Position>,
}

/// Told the position up to which everything is durable and every completion has run.
pub(crate) type OnGroup = Box<dyn Fn(Position) + Send>;

/// The queue's near end. Cheap to use from any thread.
pub(crate) struct Writer {
    queue: Sender<Work>,
    failed: Arc<OnceLock<Fault>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    abandoned: Arc<AtomicBool>,
}

impl Writer {
    /// Starts the writer and acks threads.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when the OS gives no thread.
    pub(crate) fn start(
        store: Arc<dyn Store>,
        epoch: Epoch,
        clock: Arc<Clock>,
        group_bytes: usize,
        in_flight: Arc<AtomicUsize>,
        on_group: OnGroup,
    ) -> Result<Self, Fault> {
        let (queue, work) = channel();
        let (acks, acked) = channel();
        let failed = Arc::new(OnceLock::new());
        let abandoned = Arc::new(AtomicBool::new(false));
        let mut loop_ = Loop {
            store,
            epoch,
            clock,
            group_bytes,
            in_flight,
            last_commit: Duration::ZERO,
            acks,
            failed: failed.clone(),
            abandoned: abandoned.clone(),
        };
        let threads = vec![
            spawn("quorate-writer", move || loop_.run(&work))?,
            spawn("quorate-acks", move || run_acks(&acked, &on_group))?,
        ];
        Ok(Writer { queue, failed, threads: Mutex::new(threads), abandoned })
    }

    /// Queues an append; `done` hears of it.
    pub(crate) fn commit(&self, append: Append, done: Completion) {
        self.push(Work::Commit(append, done));
    }

    /// Queues appends of different streams that become durable together or not at all.
    pub(crate) fn commit_jointly(&self, mut writes: Vec<Write>) {
        writes.iter_mut().skip(1).for_each(|(append, _)| append.joined = true);
        self.push(Work::Joint(writes));
    }

    /// Queues a barrier; `done` hears when everything queued before is durable.
    pub(crate) fn barrier(&self, done: Completion) {
        self.push(Work::Barrier(done));
    }

    /// Why the store refuses work, if it does.
    pub(crate) fn failure(&self) -> Option<Fault> {
        self.failed.get().cloned()
    }

    /// Commits everything queued so far and ends both threads. Later appends are refused.
    pub(crate) fn drain(&self) {
        self.push(Work::Drain);
        self.join();
    }

    /// Ends both threads without committing what is queued, as a crash would.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
        self.drain();
    }

    fn push(&self, work: Work) {
        if let Err(refused) = self.queue.send(work) {
            let closed = || Failure::Refused(self.failure().unwrap_or_else(closing));
            match refused.0 {
                Work::Commit(_, done) | Work::Barrier(done) => done(Err(closed())),
                Work::Joint(writes) => writes.into_iter().for_each(|(_, done)| done(Err(closed()))),
                Work::Drain => {}
            }
        }
    }

    fn join(&self) {
        for thread in std::mem::take(&mut *lock(&self.threads)) {
            // A panic of the writer was already told to everyone who waited for it.
            let _ = thread.join();
        }
    }
}

fn closing() -> Fault {
    Fault::Unavailable { reason: "the runtime is closing".into() }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Fault> {
    std::thread::Builder::new()
        .name(name.into())
        .spawn(body)
        .map_err(|e| Fault::Unavailable { reason: format!("no thread for {name}: {e}") })
}

/// What the next commit will hold.
#[derive(Default)]
struct Batch {
    appends: Vec<Append>,
    /// Completions in order, and whether each has an append.
    waiting: Vec<(Completion, bool)>,
    bytes: usize,
    draining: bool,
}

impl Batch {
    fn take(&mut self, work: Work) {
        match work {
            Work::Commit(append, done) => self.add(append, done),
            Work::Joint(writes) => writes.into_iter().for_each(|(append, done)| self.add(append, done)),
            Work::Barrier(done) => self.waiting.push((done, false)),
            Work::Drain => self.draining = true,
        }
    }

    fn add(&mut self, append: Append, done: Completion) {
        self.bytes += append.bytes.len();
        self.appends.push(append);
        self.waiting.push((done, true));
    }
}

struct Loop {
    store: Arc<dyn Store>,
    epoch: Epoch,
    clock: Arc<Clock>,
    group_bytes: usize,
    /// Requests admitted and not yet answered.
    in_flight: Arc<AtomicUsize>,
    /// How long the last commit took.
    last_commit: Duration,
    acks: Sender<Acks>,
    failed: Arc<OnceLock<Fault>>,
    abandoned: Arc<AtomicBool>,
}

impl Loop {
    fn run(&mut self, work: &Receiver<Work>) {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(e) => {
                let _ = self.failed.set(Fault::Unavailable { reason: format!("no runtime: {e}") });
                return;
            }
        };
        let mut draining = false;
        while !draining {
            let Ok(first) = work.recv() else { return };
            let mut batch = Batch::default();
            batch.take(first);
            let waited = Stopwatch::start();
            while !batch.draining && batch.bytes < self.group_bytes {
                match work.try_recv() {
                    Ok(item) => batch.take(item),
                    Err(_) if self.may_wait_for_more(&batch, waited.elapsed()) => std::thread::yield_now(),
                    Err(_) => break,
                }
            }
            draining = batch.draining;
            if self.abandoned.load(Ordering::Acquire) {
                return;
            }
            let took = Stopwatch::start();
            self.commit(&runtime, &batch.appends, batch.waiting);
            self.last_commit = took.elapsed();
        }
    }

    /// Are there requests on their way that are worth a moment?
    fn may_wait_for_more(&self, batch: &Batch, waited: Duration) -> bool {
        let patience = (self.last_commit / 2).min(LONGEST_WAIT);
        batch.waiting.len() < self.in_flight.load(Ordering::Acquire) && waited < patience
    }

    fn commit(
        &self,
        runtime: &tokio::runtime::Runtime,
        appends: &[Append],
        waiting: Vec<(Completion, bool)>,
    ) {
        let outcome = match (self.failed.get(), appends.is_empty()) {
            (Some(fault), _) => Err(Failure::Refused(fault.clone())),
            (None, true) => Ok(Vec::new()),
            (None, false) => {
                let committed = runtime.block_on(self.store.commit(self.epoch, self.clock.now(), appends));
                committed.map_err(|fault| self.fail(fault))
            }
        };
        let mut outcomes = outcome.map(|outcomes| outcomes.into_iter().zip(appends));
        let mut durable = None;
        let done = waiting
            .into_iter()
            .map(|(done, has_append)| {
                let result = match &mut outcomes {
                    Err(failure) => Err(failure.clone()),
                    Ok(outcomes) => match has_append.then(|| outcomes.next()).flatten() {
                        Some((outcome, append)) => settled(outcome, append),
                        None => Ok(durable.unwrap_or_default()),
                    },
                };
                durable = durable.max(result.as_ref().ok().copied().filter(|position| *position > 0));
                (done, result)
            })
            .collect();
        // The acks thread ends only after this sender is gone.
        let _ = self.acks.send(Acks { done, durable });
    }

    /// After a failed commit the store is not written again, unless it says that nothing was written.
    fn fail(&self, fault: Fault) -> Failure {
        if let Fault::Full { .. } = fault {
            tracing::error!(%fault, "a commit was refused; the next one is tried");
            return Failure::Refused(fault);
        }
        tracing::error!(%fault, "commit failed; nothing is acknowledged any more");
        let reason = format!("a commit failed ({fault}); open the store again to see what survived");
        let _ = self.failed.set(Fault::Unavailable { reason });
        match fault {
            // Fenced is checked before anything is written.
            Fault::Fenced { .. } => Failure::Refused(fault),
            _ => Failure::Unknown(fault),
        }
    }
}

fn settled(outcome: Appended, append: &Append) -> Result<Position, Failure> {
    match outcome {
        Appended::Done(position) => Ok(position),
        Appended::Conflict { actual } => Err(Failure::Refused(Fault::Conflict {
            stream: append.stream.to_string(),
            expected: append.expected,
            actual,
        })),
        Appended::KeyTaken(stream) => Err(Failure::Refused(Fault::KeyTaken { stream })),
        Appended::Pruned(pruning) => {
            Err(Failure::Refused(Fault::Pruned { what: append.stream.to_string(), pruning }))
        }
        Appended::Withheld => Err(Failure::Refused(Fault::Unavailable {
            reason: format!("what was to become durable together with {} was refused", append.stream),
        })),
    }
}

fn run_acks(acked: &Receiver<Acks>, on_group: &OnGroup) {
    for Acks { done, durable } in acked {
        for (done, result) in done {
            done(result);
        }
        if let Some(position) = durable {
            on_group(position);
        }
    }
}
