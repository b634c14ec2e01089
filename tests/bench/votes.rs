//! Durable votes per second through real actors: callers in a closed loop, each waiting for its durable reply, on one
//! quorum or on a thousand. Beside them, in the same run, the same actors over a plain file (append + fdatasync of the
//! same groups), the bare file without actors, and what one vote costs the core alone.
//!
//! ```text
//! cargo bench --bench votes                    all, then a table of ratios
//! cargo bench --bench votes -- 'durable.*/64'  only 64 callers, no table
//! ```
//!
//! The table takes its figures in turns (bare file, plain file, sled, and again), so that a disk whose speed drifts
//! slows all of them alike; its ratios are medians over the turns.

#[path = "../support/hooked.rs"]
mod hooked;

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use quorate::{Quorate, StartQuorum, Vote};
use quorate_core::kernel::driver::Driver;
use quorate_core::kernel::ids::{EntityId, VoterId};
use quorate_core::kernel::time::Timestamp;
use quorate_core::voting::quorum::{Ballot, Command, Policy, QuorumMachine, QuorumType, Start};
use quorate_journal::Fault;
use quorate_journal::stores::memory::MemoryStore;
use quorate_runtime::config::Config;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use hooked::Hooked;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MANY: usize = 1_000;
const CALLERS: [usize; 4] = [1, 8, 64, 512];
const STORES: [&str; 3] = ["plain-file", "sled", "memory"];

/// Turns of the table, and how long each store is measured in one.
const TURNS: usize = 9;
const TURN: Duration = Duration::from_millis(400);
/// Bytes of a recorded vote in its group, as measured on the journal.
const VOTE_BYTES: usize = 200;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    core_alone(&mut criterion);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    durable(&mut criterion, &runtime);
    criterion.final_summary();
    // Any word besides cargo's own chooses single benchmarks.
    if std::env::args().skip(1).all(|arg| arg == "--bench") {
        table(&runtime);
    }
}

fn core_alone(criterion: &mut Criterion) {
    let mut driver = Driver::<QuorumMachine>::default();
    let start = Start {
        quorum_type: QuorumType::Global,
        required_votes: Some(90_000),
        rule: None,
        timeout: Duration::from_secs(3600),
        cell_id: None,
        voters: None,
        named: false,
        neighbor_count: 0,
        topic: "global/cmp".into(),
        membership_epoch: 0,
        subject: None,
        policy: Policy::default(),
        fallback: None,
        parent: None,
        keyed: None,
    };
    driver.step(Command::Start(Box::new(start)), Timestamp::EPOCH).reply.unwrap();
    let voters: Vec<VoterId> = (0..512).map(|n| VoterId::new(format!("voter-{n}")).unwrap()).collect();
    let mut n = 0usize;
    criterion.bench_function("core/decide+evolve one vote", |bencher| {
        bencher.iter(|| {
            n += 1;
            let voter_id = voters[n % voters.len()].clone();
            let vote = (n / voters.len()).is_multiple_of(2);
            let ballot = Ballot { voter_id, vote, confidence: 1.0, reason: None };
            driver.step(Command::Cast(ballot), Timestamp::EPOCH)
        });
    });
}

fn durable(criterion: &mut Criterion, runtime: &Runtime) {
    for (shape, quorums) in [("one", 1), ("many", MANY)] {
        let mut group = criterion.benchmark_group(format!("durable/{shape}"));
        group.throughput(Throughput::Elements(1));
        for callers in CALLERS {
            for store in STORES {
                group.bench_function(BenchmarkId::new(store, callers), |bencher| {
                    let folder = TempDir::new().unwrap();
                    let (q, ids) = runtime.block_on(prepare(&folder, store, quorums));
                    bencher.iter_custom(|votes| runtime.block_on(closed_loop(&q, &ids, callers, votes)));
                    runtime.block_on(q.close()).unwrap();
                });
            }
        }
        group.finish();
    }
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

async fn prepare(folder: &TempDir, store: &str, quorums: usize) -> (Quorate, Vec<EntityId>) {
    let config = Config { entity_threads: 1, ..Config::at(folder.path()) };
    let q = match store {
        "plain-file" => {
            Quorate::open_with(config, Arc::new(plain_file(&folder.path().join("journal")))).await.unwrap()
        }
        name => Quorate::open(Config { store: name.into(), ..config }).await.unwrap(),
    };
    let mut ids = Vec::new();
    for n in 0..quorums {
        let request = StartQuorum {
            quorum_id: Some(EntityId::new(format!("quorum-{n}")).unwrap()),
            required_votes: Some(90_000),
            timeout_seconds: Some(3_600.0),
            ..StartQuorum::global()
        };
        ids.push(q.quorums().start(request).await.unwrap().quorum_id);
    }
    (q, ids)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
async fn closed_loop(q: &Quorate, ids: &[EntityId], callers: usize, votes: u64) -> Duration {
    let ids: Arc<[EntityId]> = ids.into();
    let each = votes.div_ceil(callers as u64).max(1);
    let start = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let (q, ids) = (q.clone(), ids.clone());
            let voter = VoterId::new(format!("voter-{caller}")).unwrap();
            tokio::spawn(async move {
                for n in 0..each as usize {
                    let quorum_id = ids[(caller + n * 7) % ids.len()].clone();
                    // A vote that was cast before and does not change would cost no flush.
                    let standing = q.quorums();
                    let (voter_id, vote) = (voter.clone(), n % 2 == 0);
                    let vote =
                        Vote { quorum_id, voter_id, vote, confidence: 1.0, reason: None, data_subject: None };
                    let voted = standing.vote(vote.clone()).await.unwrap();
                    if voted.duplicate {
                        standing.vote(Vote { vote: !vote.vote, ..vote }).await.unwrap();
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    start.elapsed().mul_f64(votes as f64 / (each * callers as u64) as f64)
}

/// Votes per second over about one turn.
fn rate(runtime: &Runtime, q: &Quorate, ids: &[EntityId], callers: usize, guess: &mut f64) -> f64 {
    let votes = (*guess * TURN.as_secs_f64()).max(callers as f64 * 4.0) as u64;
    *guess = votes as f64 / runtime.block_on(closed_loop(q, ids, callers, votes)).as_secs_f64();
    *guess
}

/// Records per second of a file that is appended and fdatasynced once for every `group` records.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn bare_file(file: &mut File, group: usize) -> f64 {
    let bytes = vec![b'v'; group * VOTE_BYTES];
    let start = Instant::now();
    let mut groups = 0;
    while start.elapsed() < TURN {
        file.write_all(&bytes).and_then(|()| file.sync_data()).unwrap();
        groups += 1;
    }
    (groups * group) as f64 / start.elapsed().as_secs_f64()
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn table(runtime: &Runtime) {
    println!(
        "\ndurable votes per second through actors, medians of {TURNS} turns; bare file: groups of as many records"
    );
    println!(
        "{:>8} {:>8} {:>11} {:>11} {:>11} {:>12} {:>11}",
        "quorums", "callers", "bare file", "plain file", "sled", "sled/plain", "sled/bare"
    );
    for (shape, quorums) in [("one", 1), ("many", MANY)] {
        for callers in CALLERS {
            let (folder, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
            let mut bare = File::create(folder.path().join("bare")).unwrap();
            let (plain, plain_ids) = runtime.block_on(prepare(&folder, "plain-file", quorums));
            let (sled, sled_ids) = runtime.block_on(prepare(&other, "sled", quorums));
            let (mut plain_guess, mut sled_guess) = (1_000.0, 1_000.0);
            let mut turns = Vec::new();
            for _ in 0..=TURNS {
                let file = bare_file(&mut bare, callers);
                let plain = rate(runtime, &plain, &plain_ids, callers, &mut plain_guess);
                let sled = rate(runtime, &sled, &sled_ids, callers, &mut sled_guess);
                turns.push([file, plain, sled]);
            }
            // The first turn only finds out how many votes a turn takes.
            turns.remove(0);
            let mid = |pick: &dyn Fn(&[f64; 3]) -> f64| median(turns.iter().map(pick).collect());
            println!(
                "{shape:>8} {callers:>8} {:>11.0} {:>11.0} {:>11.0} {:>12.2} {:>11.2}",
                mid(&|t| t[0]),
                mid(&|t| t[1]),
                mid(&|t| t[2]),
                mid(&|t| t[2] / t[1]),
                mid(&|t| t[2] / t[0]),
            );
            runtime.block_on(plain.close()).unwrap();
            runtime.block_on(sled.close()).unwrap();
        }
    }
}
