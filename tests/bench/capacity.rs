//! Grants per second: what asking for capacity and giving it back costs the core alone, and how many such pairs become
//! durable through real actors, beside the same actors over a plain file (append + fdatasync of the same groups) and beside
//! the bare store: the same records committed to sled with nothing else around, in groups of as many as there are callers.
//!
//! ```text
//! cargo bench --bench capacity                    all, then a table of ratios
//! cargo bench --bench capacity -- core            the core alone, no table
//! ```
//!
//! The table takes its figures in turns (plain file, sled, bare sled, and again), so that a disk whose speed drifts slows both
//! alike; its ratios are medians over the turns.

#[path = "../support/hooked.rs"]
mod hooked;

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use quorate::Quorate;
use quorate_core::capacity::cell::exchange::{self, Event, Lookup, Outcome};
use quorate_core::capacity::cell::{Amount, Budget, Cell, CellMachine, Op, Release, Request};
use quorate_core::kernel::driver::Driver;
use quorate_core::kernel::ids::{CellId, NeedId, StreamId, TokenId};
use quorate_core::kernel::time::Timestamp;
use quorate_journal::stores::StoreOptions;
use quorate_journal::stores::memory::MemoryStore;
use quorate_journal::stores::sled::SledStore;
use quorate_journal::{Append, Appended, Epoch, Fault, Store};
use quorate_runtime::api::dto::{ReleaseCapacity, RequestCapacity, id};
use quorate_runtime::config::Config;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use hooked::Hooked;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MANY: usize = 1_000;
const CALLERS: [usize; 4] = [1, 8, 64, 512];
/// Small enough that a thousand callers fit into one cell.
const PART: f64 = 0.001;

/// Turns of the table, and how long each store is measured in one.
const TURNS: usize = 5;
const TURN: Duration = Duration::from_millis(300);

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    core_alone(&mut criterion);
    criterion.final_summary();
    // Any word besides cargo's own chooses single benchmarks.
    if std::env::args().skip(1).all(|arg| arg == "--bench") {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        table(&runtime);
    }
}

/// One cell and nothing else.
#[derive(Default)]
struct One(Driver<CellMachine>);

impl Lookup for One {
    fn cell(&self, _: &StreamId) -> Option<&Cell> {
        Some(self.0.state())
    }

    fn budget(&self, _: &StreamId) -> Option<&Budget> {
        None
    }
}

impl One {
    fn run(&mut self, op: &Op, now: Timestamp) {
        let Outcome::Done { events, .. } = exchange::decide(self, op, now) else { panic!("{op:?}") };
        for event in events.into_values().flatten() {
            if let Event::Cell(event) = event {
                self.0.replay(&event);
            }
        }
    }
}

/// A grant at once and its release, with so many other tokens out.
fn core_alone(criterion: &mut Criterion) {
    let cell = CellId::new("cell").unwrap();
    let part = Amount::new(PART).unwrap();
    let mut group = criterion.benchmark_group("core/acquire+release");
    group.throughput(Throughput::Elements(2));
    let names: Vec<(NeedId, TokenId)> = (0..100_000)
        .map(|n| (NeedId::new(format!("need-{n}")).unwrap(), TokenId::new(format!("token-{n}")).unwrap()))
        .collect();
    for others in [0, 10, 100] {
        group.bench_function(format!("{others} others"), |bencher| {
            let mut one = One::default();
            let mut n = 0;
            let mut next = || {
                n += 1;
                names[n % names.len()].clone()
            };
            let now = Timestamp::EPOCH;
            for n in 0..others {
                let need = NeedId::new(format!("other-need-{n}")).unwrap();
                let token = TokenId::new(format!("other-token-{n}")).unwrap();
                one.run(&Op::Request(Request::new(cell.clone(), need, token, part)), now);
            }
            bencher.iter(|| {
                let (need, token) = next();
                one.run(&Op::Request(Request::new(cell.clone(), need, token.clone(), part)), now);
                one.run(&Op::Release { cell: cell.clone(), what: Release::Token(token) }, now);
            });
        });
    }
    group.finish();
}

/// The ceiling: a plain file, appended and fdatasynced once per group. Everything but the disk is the memory store,
/// so the actors do the same work as over any other store.
fn plain_file(path: &Path) -> Hooked {
    let file = Mutex::new(File::create(path).unwrap());
    Hooked::new(MemoryStore::new(), move |group| {
        let bytes: Vec<u8> = group.iter().flat_map(|append| &append.bytes).copied().collect();
        let mut file = file.lock().unwrap();
        let written = file.write_all(&bytes).and_then(|()| file.sync_data());
        written.map_err(|e| Fault::Unavailable { reason: e.to_string() })
    })
}

async fn prepare(folder: &TempDir, store: &str) -> Quorate {
    let config = Config { entity_threads: 1, ..Config::at(folder.path()) };
    match store {
        "plain-file" => {
            Quorate::open_with(config, Arc::new(plain_file(&folder.path().join("journal")))).await.unwrap()
        }
        name => Quorate::open(Config { store: name.into(), ..config }).await.unwrap(),
    }
}

/// Each caller asks and gives back, and waits for both to be durable. Gives the time of so many operations.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
async fn closed_loop(q: &Quorate, cells: usize, callers: usize, operations: u64) -> Duration {
    let each = operations.div_ceil(2 * callers as u64).max(1);
    let start = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let q = q.clone();
            tokio::spawn(async move {
                for n in 0..each as usize {
                    let cell: CellId = id("cell_id", &format!("cell-{}", (caller + n * 7) % cells)).unwrap();
                    let request = RequestCapacity::new(cell.as_str()).unwrap().of(PART);
                    let asked = q.capacity().request(request).await.unwrap();
                    let release = ReleaseCapacity {
                        cell_id: cell,
                        capacity: None,
                        token_id: Some(asked.token_id.expect("there is room")),
                        resource: None,
                        idempotency_key: None,
                    };
                    q.capacity().release(release).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    start.elapsed().mul_f64(operations as f64 / (2 * each * callers as u64) as f64)
}

/// The records of some operations, and a store that has none of them yet.
struct Bare {
    _folder: TempDir,
    store: SledStore,
    epoch: Epoch,
    appends: VecDeque<Append>,
    each: usize,
}

impl Bare {
    fn new(runtime: &Runtime, cells: usize, callers: usize) -> Self {
        let seen = Arc::new(Mutex::new(VecDeque::new()));
        let witness = seen.clone();
        let store = Hooked::new(MemoryStore::new(), move |group| {
            witness.lock().unwrap().extend(group.iter().cloned());
            Ok(())
        });
        let operations = (callers as u64 * 400).clamp(6_000, 60_000);
        let config = Config { entity_threads: 1, ..Config::memory() };
        runtime.block_on(async {
            let q = Quorate::open_with(config, Arc::new(store)).await.unwrap();
            closed_loop(&q, cells, callers, operations).await;
            q.close().await.unwrap();
        });
        let appends = std::mem::take(&mut *seen.lock().unwrap());
        let folder = TempDir::new().unwrap();
        let store = SledStore::open(&StoreOptions::at(folder.path())).unwrap();
        let epoch = runtime.block_on(store.acquire("bench")).unwrap();
        Bare { _folder: folder, store, epoch, each: appends.len() / (TURNS + 1), appends }
    }

    /// Records per second.
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
    fn rate(&mut self, runtime: &Runtime, callers: usize) -> f64 {
        let groups: Vec<Vec<Append>> = (0..(self.each / callers).max(1))
            .map(|_| self.appends.drain(..callers.min(self.appends.len())).collect())
            .collect();
        let start = Instant::now();
        for group in &groups {
            let done = runtime.block_on(self.store.commit(self.epoch, Timestamp::EPOCH, group)).unwrap();
            assert!(done.iter().all(|one| matches!(one, Appended::Done(_))));
        }
        groups.iter().map(Vec::len).sum::<usize>() as f64 / start.elapsed().as_secs_f64()
    }
}

/// Operations per second over about one turn.
fn rate(runtime: &Runtime, q: &Quorate, cells: usize, callers: usize, guess: &mut f64) -> f64 {
    let operations = (*guess * TURN.as_secs_f64()).max(callers as f64 * 4.0) as u64;
    *guess = operations as f64 / runtime.block_on(closed_loop(q, cells, callers, operations)).as_secs_f64();
    *guess
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn table(runtime: &Runtime) {
    println!("\ndurable grants and releases per second through actors, medians of {TURNS} turns");
    println!(
        "{:>8} {:>8} {:>11} {:>11} {:>11} {:>12} {:>12}",
        "cells", "callers", "plain file", "bare sled", "sled", "sled/plain", "sled/bare"
    );
    for (shape, cells) in [("one", 1), ("many", MANY)] {
        for callers in CALLERS {
            let (folder, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
            let plain = runtime.block_on(prepare(&folder, "plain-file"));
            let sled = runtime.block_on(prepare(&other, "sled"));
            let mut bare = Bare::new(runtime, cells, callers);
            let (mut plain_guess, mut sled_guess) = (1_000.0, 1_000.0);
            let mut turns = Vec::new();
            for _ in 0..=TURNS {
                let plain = rate(runtime, &plain, cells, callers, &mut plain_guess);
                let sled = rate(runtime, &sled, cells, callers, &mut sled_guess);
                turns.push([plain, sled, bare.rate(runtime, callers)]);
            }
            // The first turn only finds out how many operations a turn takes.
            turns.remove(0);
            let mid = |pick: &dyn Fn(&[f64; 3]) -> f64| median(turns.iter().map(pick).collect());
            println!(
                "{shape:>8} {callers:>8} {:>11.0} {:>11.0} {:>11.0} {:>12.2} {:>12.2}",
                mid(&|t| t[0]),
                mid(&|t| t[2]),
                mid(&|t| t[1]),
                mid(&|t| t[1] / t[0]),
                mid(&|t| t[1] / t[2]),
            );
            runtime.block_on(plain.close()).unwrap();
            runtime.block_on(sled.close()).unwrap();
        }
    }
}
