//! What a tracked job costs: arming, progress and the end of one job while so many others are tracked; the memory it
//! takes asleep and awake; how long it takes after a crash until the first overdue job is decided and until all are served
//! again; and what so many far deadlines cost a process that has nothing to do.
//!
//! ```text
//! cargo bench --bench jobs                        everything; the recovery with 10,000 and 100,000 jobs
//! cargo bench --bench jobs -- tracked             the cost of operations
//! cargo bench --bench jobs -- memory              the memory
//! cargo bench --bench jobs -- recovery 1000000    the recovery, and the idle process after it, with so many jobs
//! ```
//!
//! Times depend on the machine; the ratios beside them say more. A cost that does not grow with the number of jobs
//! still grows by what the processor's caches no longer hold, so each ratio stands beside that of a plain hash map of as
//! many entries in the same run.

#[path = "../../src/shell/supervisor/deadlines.rs"]
mod deadlines;
#[path = "../support/hooked.rs"]
mod hooked;

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use quorate::Quorate;
use quorate_runtime::api::dto::SubmitJob;
use quorate_runtime::config::{ClockConfig, Config};
// The wheel is a part of the shell that nobody outside needs; its file finds the core under this name.
use quorate_core as core;
use quorate_core::jobs::manager::heard::{Memory, Noted};
use quorate_core::jobs::manager::index::{JobIndex, Live};
use quorate_core::jobs::manager::openings::Work;
use quorate_core::jobs::manager::{Command, Heard, JobMachine, Submit};
use quorate_core::jobs::protocol::message::{FinalStatus, Leader};
use quorate_core::kernel::driver::Driver;
use quorate_core::kernel::ids::{EntityId, StreamId, StreamKind};
use quorate_core::kernel::rng::Rng;
use quorate_core::kernel::time::Timestamp;
use quorate_journal::stores::sled::SledStore;
use tempfile::TempDir;

use deadlines::Deadlines;
use hooked::Hooked;

/// Bytes in use.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: it hands everything on to the allocator of the system and only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];
/// Operations of one turn, whatever the number of jobs.
const OPERATIONS: usize = 10_000;
const TURNS: usize = 7;
/// Budgets and deadlines end between one hour and two from the beginning.
const HOUR_MS: u64 = 3_600_000;
/// Jobs that are kept awake, then sent to sleep.
const ACTORS: usize = 10_000;
/// One in so many jobs is overdue after the crash.
const OVERDUE: usize = 100;
/// How long an idle process is watched.
const WATCHED: Duration = Duration::from_secs(10);

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let wants = |what: &str| words.is_empty() || words.iter().any(|word| word == what);
    let counts: Vec<usize> = words.iter().filter_map(|word| word.parse().ok()).collect();
    if wants("tracked") {
        tracked();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    if wants("memory") {
        runtime.block_on(memory());
    }
    if wants("recovery") {
        println!("\nafter a crash of a sled store, one in {OVERDUE} jobs overdue");
        let sizes = if counts.is_empty() { vec![10_000, 100_000] } else { counts };
        sizes.into_iter().for_each(|jobs| runtime.block_on(recovery(jobs)));
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn clock() -> Instant {
    Instant::now()
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn job_id(n: usize) -> EntityId {
    EntityId::new(format!("job-{n:07}")).unwrap()
}

// The cost of one operation.

/// What is measured: first a hash map as what the caches alone cost, then the wheel, then a job with its wheel.
const LINES: [&str; 10] = [
    "hash map: insert",
    "hash map: overwrite",
    "hash map: remove",
    "wheel: arm",
    "wheel: arm anew",
    "wheel: disarm",
    "wheel: take the soonest",
    "job: submit, arm",
    "job: progress, arm anew",
    "job: complete, disarm",
];

/// As many jobs as are tracked, and room for those that come and go.
struct Tracked {
    map: HashMap<StreamId, Timestamp>,
    wheel: Deadlines,
    of_jobs: Deadlines,
    jobs: Vec<Driver<JobMachine>>,
    streams: Vec<StreamId>,
    /// How far the wheel has turned.
    now: Timestamp,
}

/// Operations of one turn, each on another job.
struct Turn<'a> {
    all: &'a mut Tracked,
    chance: &'a mut Rng,
    others: usize,
    costs: Vec<f64>,
}

fn submit(id: &EntityId, timeout_ms: u64) -> Command {
    let leader = Leader { node: EntityId::new("node").unwrap(), incarnation: 1 };
    let mut submit = Submit::new(id.clone(), EntityId::new("local").unwrap(), leader, "in-process");
    (submit.timeout_ms, submit.stuck_threshold_ms) = (Some(timeout_ms), HOUR_MS);
    Command::Submit(Box::new(submit))
}

fn progress() -> Command {
    Command::Progress { workflow_id: None, completed_count: None, token: None }
}

fn complete() -> Command {
    Command::Complete { status: FinalStatus::Completed, reason: String::new(), token: None }
}

fn later(now: Timestamp, chance: &mut Rng) -> Timestamp {
    now.plus(Duration::from_millis(HOUR_MS + chance.next_u64() % HOUR_MS))
}

impl Tracked {
    fn of(others: usize, chance: &mut Rng) -> Self {
        let streams: Vec<StreamId> =
            (0..others + OPERATIONS).map(|n| StreamId::new(StreamKind::Job, job_id(n))).collect();
        let mut all = Tracked {
            map: HashMap::with_capacity(streams.len()),
            wheel: Deadlines::default(),
            of_jobs: Deadlines::default(),
            jobs: streams.iter().map(|_| Driver::new(Heard::default())).collect(),
            streams,
            now: Timestamp::EPOCH,
        };
        for n in 0..others {
            all.map.insert(all.streams[n].clone(), later(all.now, chance));
            all.wheel.arm(&all.streams[n], Some(later(all.now, chance)));
            all.step(n, submit(&all.streams[n].id, HOUR_MS + chance.next_u64() % HOUR_MS), Timestamp::EPOCH);
        }
        all
    }

    /// What the shell does: it sleeps until the instant named, and takes what is due then.
    fn wait_for_the_soonest(&mut self) -> StreamId {
        loop {
            self.now = self.now.max(self.wheel.next().unwrap());
            if let Some((_, stream)) = self.wheel.take(self.now) {
                return stream;
            }
        }
    }

    /// What the shell does with a command, but for actor, store and post.
    fn step(&mut self, n: usize, command: Command, now: Timestamp) {
        let step = self.jobs[n].step(command, now);
        assert!(step.reply.is_ok(), "{:?}", step.reply);
        black_box(step.events.len());
        self.of_jobs.arm(&self.streams[n], self.jobs[n].due());
    }
}

impl Turn<'_> {
    /// Nanoseconds for each call, with the number of the job and a deadline.
    fn each(&mut self, what: &[usize], mut call: impl FnMut(&mut Tracked, usize, Timestamp)) {
        let deadlines: Vec<Timestamp> = what.iter().map(|_| later(self.all.now, self.chance)).collect();
        let start = clock();
        for (n, deadline) in what.iter().zip(deadlines) {
            call(self.all, *n, deadline);
        }
        self.costs.push(start.elapsed().as_nanos() as f64 / what.len() as f64);
    }

    fn run(&mut self, now: Timestamp) {
        let fresh: Vec<usize> = (self.others..self.others + OPERATIONS).collect();
        let any = |chance: &mut Rng| (chance.next_u64() % self.others as u64) as usize;
        let old: Vec<usize> = (0..OPERATIONS).map(|_| any(self.chance)).collect();
        self.each(&fresh, |all, n, at| _ = all.map.insert(all.streams[n].clone(), at));
        self.each(&old, |all, n, at| _ = all.map.insert(all.streams[n].clone(), at));
        self.each(&fresh, |all, n, _| _ = black_box(all.map.remove(&all.streams[n])));
        self.each(&fresh, |all, n, at| _ = all.wheel.arm(&all.streams[n], Some(at)));
        self.each(&old, |all, n, at| _ = all.wheel.arm(&all.streams[n], Some(at)));
        self.each(&fresh, |all, n, _| _ = all.wheel.arm(&all.streams[n], None));
        let mut taken = Vec::with_capacity(OPERATIONS);
        self.each(&old, |all, _, _| taken.push(all.wait_for_the_soonest()));
        for stream in &taken {
            self.all.wheel.arm(stream, Some(later(self.all.now, self.chance)));
        }
        assert_eq!(self.all.wheel.len(), self.others);
        self.each(&fresh, |all, n, _| all.step(n, submit(&all.streams[n].id, 2 * HOUR_MS), now));
        self.each(&old, |all, n, _| all.step(n, progress(), now));
        self.each(&fresh, |all, n, _| all.step(n, complete(), now));
        assert_eq!(self.all.of_jobs.len_of(StreamKind::Job), self.others);
    }
}

/// The cost of every operation with so many others there.
fn costs(others: usize) -> Vec<f64> {
    let mut chance = Rng::new(1);
    let mut all = Tracked::of(others, &mut chance);
    let turn = |n: usize, all: &mut Tracked, chance: &mut Rng| {
        let mut turn = Turn { all, chance, others, costs: Vec::new() };
        // Two seconds on, so that progress goes on record.
        turn.run(Timestamp::from_millis(2_000 * (n as i64 + 1)));
        turn.costs
    };
    let turns: Vec<Vec<f64>> = (0..TURNS).map(|n| turn(n, &mut all, &mut chance)).collect();
    (0..LINES.len()).map(|line| median(turns.iter().map(|turn| turn[line]).collect())).collect()
}

fn tracked() {
    let all = SIZES.map(costs);
    println!("\nns for each operation with so many jobs there, medians of {TURNS} turns of {OPERATIONS}");
    println!("{:<25} {:>9} {:>9} {:>9} {:>7} {:>7}", "", SIZES[0], SIZES[1], SIZES[2], "x 10", "x 100");
    for (line, name) in LINES.iter().enumerate() {
        let [few, more, most] = [0, 1, 2].map(|size| all[size][line]);
        println!("{name:<25} {few:>9.0} {more:>9.0} {most:>9.0} {:>7.1} {:>7.1}", more / few, most / few);
    }
}

// Memory.

async fn submit_all(q: &Quorate, jobs: usize, timeout: impl Fn(usize) -> f64) {
    const CALLERS: usize = 256;
    let (next, timeouts): (_, Arc<Vec<f64>>) =
        (Arc::new(AtomicUsize::new(0)), Arc::new((0..jobs).map(timeout).collect()));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (q, next, timeouts) = (q.clone(), next.clone(), timeouts.clone());
            tokio::spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let Some(timeout) = timeouts.get(n) else { return };
                    let job = SubmitJob {
                        job_id: Some(job_id(n)),
                        timeout_seconds: Some(*timeout),
                        stuck_threshold: Some(86_400.0),
                        ..SubmitJob::default()
                    };
                    q.jobs().submit(job).await.unwrap();
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
}

async fn until(done: impl Fn() -> bool) {
    while !done() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Bytes of a job that sleeps, part by part, and of one whose actor is awake.
async fn memory() {
    let mut chance = Rng::new(1);
    let line = |what: &str, before: usize, jobs: usize| {
        let each = (IN_USE.load(Ordering::Relaxed) - before) as f64 / jobs as f64;
        println!("{what:<42} {each:>7.0}");
        each
    };
    println!("\nbytes of memory for each of {} jobs that sleep", SIZES[2]);
    let streams: Vec<StreamId> = (0..SIZES[2]).map(|n| StreamId::new(StreamKind::Job, job_id(n))).collect();
    let before = IN_USE.load(Ordering::Relaxed);
    let mut wheel = Deadlines::default();
    streams.iter().for_each(|stream| _ = wheel.arm(stream, Some(later(Timestamp::EPOCH, &mut chance))));
    // The name is shared by all who know it; the wheel is who knows it always.
    let name = 16 + job_id(0).as_str().len().next_multiple_of(8);
    let mut sum = line("wheel", before, SIZES[2]) + name as f64;
    println!("{:<42} {name:>7}", "name");
    let before = IN_USE.load(Ordering::Relaxed);
    let mut index = JobIndex::default();
    let local = EntityId::new("local").unwrap();
    for stream in &streams {
        let live = Live {
            job_id: stream.id.clone(),
            datacenter: local.clone(),
            started_at: Timestamp::EPOCH,
            workers: BTreeSet::new(),
            number: 0,
            work: Work::default(),
        };
        index.live.insert(stream.id.clone(), live);
    }
    sum += line("index of live jobs", before, SIZES[2]);
    println!("{:<42} {sum:>7.0}", "together");
    let before = IN_USE.load(Ordering::Relaxed);
    let mut heard = Memory::default();
    for stream in &streams {
        heard.note(&stream.id, &local, Noted { at: Timestamp::EPOCH, count: None });
    }
    line("progress not on record, where there is some", before, SIZES[2]);
    black_box((&wheel, &index, &heard));
    drop((wheel, index, heard, streams));

    let config = Config { entity_threads: 1, idle_after: Duration::from_millis(400), ..Config::memory() };
    let q = Quorate::open(config).await.unwrap();
    submit_all(&q, ACTORS, |_| 86_400.0).await;
    let awake = IN_USE.load(Ordering::Relaxed);
    let actors = q.health().awake_entities;
    until(|| q.health().awake_entities == 0).await;
    let asleep = IN_USE.load(Ordering::Relaxed);
    println!("{:<42} {:>7.0}", "an actor that is awake", (awake - asleep) as f64 / actors as f64);
    q.close().await.unwrap();
}

// Recovery.

/// Processor time this process took.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name in brackets: state and ten more, then user and system time in hundredths of a second.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(10 * ticks)
}

fn read_all(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { read_all(&path) } else { std::fs::read(path).unwrap().len() }).sum()
}

#[expect(clippy::disallowed_methods, reason = "the jobs of a process that is gone began before now")]
fn an_hour_ago() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_millis(since.as_millis() as i64 - HOUR_MS as i64)
}

/// What the recovering process hands to its store, and when.
#[derive(Default)]
struct Seen {
    first: Option<Duration>,
    jobs: HashSet<StreamId>,
}

async fn recovery(jobs: usize) {
    let folder = TempDir::new().unwrap();
    let config = Config { entity_threads: 1, ..Config::at(folder.path()) };
    let then = Config { clock: ClockConfig::Manual(an_hour_ago()), ..config.clone() };
    let q = Quorate::open(then).await.unwrap();
    let start = clock();
    submit_all(&q, jobs, |n| if n % OVERDUE == 0 { 60.0 } else { 86_400.0 }).await;
    let building = start.elapsed();
    q.crash().await;

    let start = clock();
    let bytes = read_all(folder.path());
    let raw = start.elapsed();

    let (seen, start) = (Arc::new(Mutex::new(Seen::default())), clock());
    let witness = seen.clone();
    let store = Hooked::new(SledStore::open(&config.store_options).unwrap(), move |group| {
        let mut seen = witness.lock().unwrap();
        let of_jobs = group.iter().filter(|append| append.stream.kind == StreamKind::Job);
        seen.jobs.extend(of_jobs.map(|append| append.stream.clone()));
        if !seen.jobs.is_empty() {
            seen.first.get_or_insert(start.elapsed());
        }
        Ok(())
    });
    let q = Quorate::open_with(config, Arc::new(store)).await.unwrap();
    let opened = start.elapsed();
    until(|| seen.lock().unwrap().jobs.len() >= jobs).await;
    let served = start.elapsed();
    let first = seen.lock().unwrap().first.unwrap();
    let report = q.recovery_report();
    assert_eq!((report.tracked, report.settled), (jobs, jobs.div_ceil(OVERDUE)));
    let line = |what: &str, time: Duration| {
        let ratio = time.as_secs_f64() / raw.as_secs_f64();
        println!("{what:<42} {:>9.1} ms {ratio:>9.1}", time.as_secs_f64() * 1e3);
    };
    println!("\n{:<42} {:>12} {:>9}", format!("{jobs} jobs"), "", "/ raw");
    line(&format!("raw: read {:.1} MB of files", bytes as f64 / 1e6), raw);
    line("first overdue job decided", first);
    line("all overdue jobs decided, requests served", opened);
    line("every job under a token of this process", served);
    println!("{:<42} {:>9.0} /s", "jobs taken over", jobs as f64 / served.as_secs_f64());
    println!("{:<42} {:>9.0} /s", "beside it: jobs submitted", jobs as f64 / building.as_secs_f64());

    until(|| q.health().awake_entities == 0).await;
    let before = processor_time();
    tokio::time::sleep(WATCHED).await;
    let used = (processor_time() - before).as_secs_f64() / WATCHED.as_secs_f64();
    println!("{:<42} {:>9.1} %", "processor while nothing is due", used * 100.0);
    q.crash().await;
}
