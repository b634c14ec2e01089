//! How many durable 200-byte events per second, by group size: a plain file with one fdatasync per group (what the
//! disk can do), each store through `Store::commit` with the archiver running, and memory (what our own code
//! costs).
//!
//! Then how many by callers that each wait for their answer, 200 bytes at a time: the ceiling, a closed loop that does
//! nothing but group commit (tasks → channel → one thread that writes and syncs → oneshot), and the store behind the same
//! channel; the ratio of the two is printed. And how long each store of folders takes to open 100,000 groups, left as by a kill
//! and closed, and how much room they take.
//!
//! ```text
//! cargo bench --bench store
//! ```

use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use quorate_core::kernel::ids::{EntityId, StreamId, StreamKind};
use quorate_core::kernel::time::Timestamp;
use quorate_journal::codec::AppendBuilder;
use quorate_journal::stores::{Durability, STORES, StoreEntry, StoreOptions};
use quorate_journal::{Append, ChainHash, Due, Fault, Pending, Seq, Store};
use tempfile::TempDir;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const STREAMS: usize = 1_000;
const EVENT_BYTES: usize = 200;
const GROUP_SIZES: [usize; 4] = [1, 8, 64, 512];

/// Builds appends of one event each, over all streams in turn.
struct Load {
    heads: Vec<(StreamId, Seq, ChainHash)>,
    next: usize,
}

impl Load {
    fn new() -> Self {
        let id = |n: usize| EntityId::new(format!("quorum-{n}")).unwrap();
        let heads = (0..STREAMS).map(|n| (StreamId::new(StreamKind::Quorum, id(n)), 0, ChainHash::default()));
        Load { heads: heads.collect(), next: 0 }
    }

    fn append(&mut self) -> Append {
        let (stream, revision, hash) = &mut self.heads[self.next];
        self.next = (self.next + 1) % STREAMS;
        let mut builder = AppendBuilder::new(stream.clone(), *revision, *hash);
        // A text of n bytes is stored as n + 1.
        let event = "e".repeat(EVENT_BYTES - 1);
        builder.push(Timestamp::EPOCH, &event).unwrap();
        let append = builder.finish(
            if *revision % 8 == 0 {
                Due::At(Timestamp::from_millis(*revision as i64))
            } else {
                Due::Unchanged
            },
            None,
        );
        (*revision, *hash) = (*revision + 1, append.hash);
        append
    }

    fn groups(&mut self, groups: u64, size: usize) -> Vec<Vec<Append>> {
        (0..groups).map(|_| (0..size).map(|_| self.append()).collect()).collect()
    }
}

fn now<T>(mut pending: Pending<'_, T>) -> Result<T, Fault> {
    match pending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("a store answers when polled once"),
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn timed(mut commit: impl FnMut(&[Append]), groups: &[Vec<Append>]) -> Duration {
    let start = Instant::now();
    for group in groups {
        commit(group);
    }
    start.elapsed()
}

fn durable_events(c: &mut Criterion) {
    for size in GROUP_SIZES {
        let mut bench = c.benchmark_group(format!("durable events, groups of {size}"));
        bench.throughput(Throughput::Elements(size as u64)).sample_size(20);
        bench.bench_function(BenchmarkId::from_parameter("plain file"), |b| {
            let dir = TempDir::new().unwrap();
            let mut file = File::create(dir.path().join("log")).unwrap();
            let mut load = Load::new();
            b.iter_custom(|groups| {
                let commit = |group: &[Append]| {
                    let bytes = group.iter().map(|append| &append.bytes[..]).collect::<Vec<_>>().concat();
                    file.write_all(&bytes).unwrap();
                    file.sync_data().unwrap();
                };
                timed(commit, &load.groups(groups, size))
            });
        });
        for entry in STORES.iter().filter(|entry| !entry.database) {
            bench.bench_function(BenchmarkId::from_parameter(entry.name), |b| {
                let dir = TempDir::new().unwrap();
                let store: Arc<dyn Store> = (entry.open)(&StoreOptions::at(dir.path())).unwrap();
                let epoch = now(store.acquire("bench")).unwrap();
                let mut load = Load::new();
                b.iter_custom(|groups| {
                    let commit = |group: &[Append]| {
                        black_box(now(store.commit(epoch, Timestamp::EPOCH, group)).unwrap());
                    };
                    timed(commit, &load.groups(groups, size))
                });
            });
        }
        bench.finish();
    }
}

/// Callers of the closed loop.
const CALLERS: [usize; 4] = [1, 8, 64, 512];
/// Requests of one measurement of the closed loop, for each caller.
const ROUNDS: usize = 400;

/// One request of a closed loop.
type Request = (Append, tokio::sync::oneshot::Sender<()>);

/// Callers that each send a request when the one before was answered. Requests per second.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn closed_loop(callers: usize, mut commit: impl FnMut(&[Append]) + Send + 'static) -> f64 {
    let (queue, work) = std::sync::mpsc::channel::<Request>();
    let writer = std::thread::spawn(move || {
        while let Ok(first) = work.recv() {
            let (appends, answers): (Vec<_>, Vec<_>) = std::iter::once(first).chain(work.try_iter()).unzip();
            commit(&appends);
            answers.into_iter().for_each(|answer| answer.send(()).unwrap());
        }
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let rounds = (ROUNDS * 64 / callers).clamp(200, 4_000);
    let start = Instant::now();
    runtime.block_on(async {
        let tasks = (0..callers).map(|caller| {
            let queue = queue.clone();
            tokio::spawn(async move {
                let id = EntityId::new(format!("caller-{caller}")).unwrap();
                let stream = StreamId::new(StreamKind::Quorum, id);
                let (mut revision, mut hash) = (0, ChainHash::default());
                let event = "e".repeat(EVENT_BYTES - 1);
                for _ in 0..rounds {
                    let mut builder = AppendBuilder::new(stream.clone(), revision, hash);
                    builder.push(Timestamp::EPOCH, &event).unwrap();
                    let append = builder.finish(Due::Unchanged, None);
                    (revision, hash) = (revision + 1, append.hash);
                    let (answer, answered) = tokio::sync::oneshot::channel();
                    queue.send((append, answer)).unwrap();
                    answered.await.unwrap();
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
    });
    let rate = (callers * rounds) as f64 / start.elapsed().as_secs_f64();
    drop(queue);
    writer.join().unwrap();
    rate
}

/// The ceiling: room written in advance, then nothing but write and fdatasync.
fn group_commit_alone() -> impl FnMut(&[Append]) + Send + 'static {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&vec![0; 256 << 20]).unwrap();
    file.sync_all().unwrap();
    let mut end = 0;
    move |group| {
        let bytes = group.iter().map(|append| &append.bytes[..]).collect::<Vec<_>>().concat();
        std::os::unix::fs::FileExt::write_all_at(&file, &bytes, end).unwrap();
        file.sync_data().unwrap();
        end = (end + bytes.len() as u64) % (200 << 20);
    }
}

fn closed_loops(_: &mut Criterion) {
    for callers in CALLERS {
        let mut best = vec![0f64; 1 + of_folders().count()];
        for _ in 0..3 {
            best[0] = best[0].max(closed_loop(callers, group_commit_alone()));
            for (n, entry) in of_folders().enumerate() {
                let dir = TempDir::new().unwrap();
                let store: Arc<dyn Store> = (entry.open)(&StoreOptions::at(dir.path())).unwrap();
                let epoch = now(store.acquire("bench")).unwrap();
                let commit = move |group: &[Append]| {
                    black_box(now(store.commit(epoch, Timestamp::EPOCH, group)).unwrap());
                };
                best[n + 1] = best[n + 1].max(closed_loop(callers, commit));
            }
        }
        println!("closed loop, {callers} callers: group commit alone {:.0}/s", best[0]);
        for (entry, rate) in of_folders().zip(&best[1..]) {
            println!("    {} {rate:.0}/s, ratio {:.2}", entry.name, rate / best[0]);
        }
    }
}

fn of_folders() -> impl Iterator<Item = &'static StoreEntry> {
    STORES.iter().filter(|entry| entry.persistent && !entry.database)
}

/// Groups of a store that is opened.
const OPENED: u64 = 100_000;

/// Bytes that the files of a folder take on the disk.
fn room(dir: &Path) -> u64 {
    let items = std::fs::read_dir(dir).unwrap().map(|item| item.unwrap());
    items
        .map(|item| match item.file_type().unwrap().is_dir() {
            true => room(&item.path()),
            false => std::os::unix::fs::MetadataExt::blocks(&item.metadata().unwrap()) * 512,
        })
        .sum()
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn openings(_: &mut Criterion) {
    for entry in of_folders() {
        let dir = TempDir::new().unwrap();
        // It is not the flushes that are measured here.
        let options = StoreOptions { durability: Durability::Process, ..StoreOptions::at(dir.path()) };
        let open = || {
            let start = Instant::now();
            let store = (entry.open)(&options).unwrap();
            (store, start.elapsed())
        };
        let (store, _) = open();
        let epoch = now(store.acquire("bench")).unwrap();
        let mut load = Load::new();
        for _ in 0..OPENED {
            now(store.commit(epoch, Timestamp::EPOCH, &[load.append()])).unwrap();
        }
        drop(store);
        let killed = room(dir.path());
        let (store, after_kill) = open();
        assert_eq!(now(store.tip()).unwrap().group, OPENED);
        now(store.close()).unwrap();
        drop(store);
        let (store, after_close) = open();
        drop(store);
        println!(
            "{}: {OPENED} groups opened in {} ms after a kill, {} ms after a close; {:.1} MB on disk, {:.1} MB closed",
            entry.name,
            after_kill.as_millis(),
            after_close.as_millis(),
            killed as f64 / 1e6,
            room(dir.path()) as f64 / 1e6,
        );
    }
}

criterion_group!(benches, durable_events, closed_loops, openings);
criterion_main!(benches);
