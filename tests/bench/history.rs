//! How long does a question about all of history take, with the index and without, what does the index take of the disk, and how
//! many votes a second are taken beside it?
//!
//! `cargo bench --bench history` asks of a million events; a number as an argument asks of so many.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use quorate::{Config, HistoryQuery, Quorate, StartQuorum, Vote};
use quorate_core::kernel::ids::{EntityId, StreamId, StreamKind, VoterId};
use quorate_core::kernel::time::Timestamp;
use quorate_core::voting::quorum::Event;
use quorate_journal::codec::{AppendBuilder, decode};
use quorate_journal::stores::StoreOptions;
use quorate_journal::stores::memory::MemoryStore;
use quorate_journal::stores::sled::SledStore;
use quorate_journal::{Append, Due, Store};
use quorate_runtime::shell::clock::Stopwatch;

const EVENTS: u64 = 1_000_000;
const VOTERS: u64 = 1_000;
/// Votes of one quorum that is made.
const VOTES: u64 = 5;
const BEGAN: i64 = 1_700_000_000_000_000;
/// Microseconds between two quorums.
const APART: u64 = 50_000;
/// Questions that are asked.
const QUESTIONS: u64 = 400;
/// Quorums, and who votes in each, of one run of the measure of votes.
const TAKEN: (usize, usize) = (4_000, 8);

fn dice(seed: u64) -> u64 {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn at(n: u64) -> Timestamp {
    Timestamp::from_micros(BEGAN + (n * APART) as i64)
}

/// The events of one real quorum.
async fn template() -> Vec<Event> {
    let store = MemoryStore::new();
    let q = Quorate::open_with(Config::memory(), Arc::new(store.reopen())).await.unwrap();
    let voters: Vec<String> = (0..VOTES).map(|n| format!("voter-{n:05}")).collect();
    let asked = StartQuorum { required_votes: Some(VOTES as i64), ..StartQuorum::global() };
    let quorum =
        q.quorums().start(asked.with_voters(voters.iter().map(String::as_str)).unwrap()).await.unwrap();
    for voter in voters {
        q.quorums().vote(Vote::new(&quorum.quorum_id, voter.as_str(), true).unwrap()).await.unwrap();
    }
    q.close().await.unwrap();
    let records = store.scan(0, 100).await.unwrap();
    let own = records.iter().filter(|record| record.stream.kind == StreamKind::Quorum);
    own.map(|record| decode(&record.payload).unwrap()).collect()
}

/// Fills a folder. Answers how many bytes of commit groups that is.
async fn fill(folder: &Path, events: u64) -> u64 {
    let template = template().await;
    let store = SledStore::open(&StoreOptions::at(folder)).unwrap();
    let epoch = store.acquire("bench").await.unwrap();
    let quorums = events / template.len() as u64;
    for first in (0..quorums).step_by(64) {
        let appends: Vec<Append> = (first..(first + 64).min(quorums))
            .map(|n| {
                let stream = StreamId::new(StreamKind::Quorum, EntityId::new(format!("q-{n:08}")).unwrap());
                let mut append = AppendBuilder::new(stream, 0, Default::default());
                for (k, event) in template.iter().enumerate() {
                    let mut event = event.clone();
                    if let Event::VoteCast(cast) = &mut event {
                        let voter = dice(n * 100 + k as u64) % VOTERS;
                        (cast.voter_id, cast.cast_at) =
                            (VoterId::new(format!("voter-{voter:05}")).unwrap(), at(n));
                    }
                    append.push(at(n), &event).unwrap();
                }
                append.finish(Due::Clear, None)
            })
            .collect();
        store.commit(epoch, at(first + 63), &appends).await.unwrap();
    }
    let (mut bytes, mut group) = (0, 0);
    loop {
        let some = store.groups(group, 8 << 20).await.unwrap();
        if some.is_empty() {
            break;
        }
        group += some.len() as u64;
        bytes += some.iter().map(|group| group.len() as u64).sum::<u64>();
    }
    store.close().await.unwrap();
    bytes
}

fn bytes_of(path: &Path) -> u64 {
    let items = std::fs::read_dir(path).into_iter().flatten().flatten();
    items
        .map(|item| {
            if item.path().is_dir() {
                bytes_of(&item.path())
            } else {
                item.metadata().map_or(0, |meta| meta.len())
            }
        })
        .sum()
}

/// How far the blocks of a folder reach.
fn reached(folder: &Path) -> u64 {
    let names = std::fs::read_dir(folder.join("index")).into_iter().flatten().flatten();
    names.filter_map(|item| item.file_name().to_str()?.split_once('-')?.1.parse().ok()).max().unwrap_or(0)
}

/// Asks one question of each sort, many times.
async fn ask(q: &Quorate, quorums: u64, questions: u64) {
    let mut took: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    let mut found = 0;
    for n in 0..questions {
        let voter = dice(n) % VOTERS;
        let began = dice(n + 7_777) % quorums;
        let voter = Some(VoterId::new(format!("voter-{voter:05}")).unwrap());
        // An hour of it.
        let (since, until) = (Some(at(began)), Some(at(began + 72_000)));
        let party = Some(EntityId::new(format!("q-{:08}", dice(n + 99) % quorums)).unwrap());
        for (sort, filter) in [
            (
                "voter and an hour",
                HistoryQuery { voter_id: voter.clone(), since, until, ..Default::default() },
            ),
            ("voter, the first 100", HistoryQuery { voter_id: voter, ..Default::default() }),
            ("one party", HistoryQuery { party_id: party, ..Default::default() }),
        ] {
            let watch = Stopwatch::start();
            let page = q.history().query(filter).await.unwrap();
            took.entry(sort).or_default().push(watch.elapsed());
            found += page.events.len();
        }
    }
    for (sort, mut took) in took {
        took.sort();
        let rank = |hundredths: usize| took[(took.len() * hundredths).div_ceil(100).max(1) - 1];
        println!("  {sort}: p50 {:?}, p99 {:?}, slowest {:?}", rank(50), rank(99), rank(100));
    }
    println!("  {} events in {questions} answers of each sort", found);
}

/// Votes taken a second, by eight at a time in each of many quorums.
async fn votes(index_block: u64) -> f64 {
    let dir = tempfile::tempdir().unwrap();
    let q = Quorate::open(Config { index_block, ..Config::at(dir.path().join("data")) }).await.unwrap();
    let next = Arc::new(AtomicUsize::new(0));
    let watch = Stopwatch::start();
    let workers = (0..256).map(|_| {
        let (q, next) = (q.clone(), next.clone());
        tokio::spawn(async move {
            while next.fetch_add(1, Ordering::Relaxed) < TAKEN.0 {
                let voters: Vec<String> = (0..TAKEN.1).map(|n| format!("voter-{n}")).collect();
                let asked = StartQuorum { required_votes: Some(TAKEN.1 as i64), ..StartQuorum::global() };
                let quorum = q
                    .quorums()
                    .start(asked.with_voters(voters.iter().map(String::as_str)).unwrap())
                    .await
                    .unwrap();
                for voter in voters {
                    q.quorums()
                        .vote(Vote::new(&quorum.quorum_id, voter.as_str(), true).unwrap())
                        .await
                        .unwrap();
                }
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    let took = watch.elapsed();
    q.close().await.unwrap();
    (TAKEN.0 * TAKEN.1) as f64 / took.as_secs_f64()
}

#[tokio::main]
async fn main() {
    let events = std::env::args().skip(1).find_map(|text| text.parse().ok()).unwrap_or(EVENTS);
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("data");
    let watch = Stopwatch::start();
    let raw = fill(&folder, events).await;
    let tip = {
        let store = SledStore::open(&StoreOptions::at(&folder)).unwrap();
        let tip = store.tip().await.unwrap().position;
        store.close().await.unwrap();
        tip
    };
    let quorums = tip / (VOTES + 2);
    println!("{tip} events of {raw} bytes, filled in {:?}", watch.elapsed());

    let watch = Stopwatch::start();
    let q = Quorate::open(Config::at(&folder)).await.unwrap();
    println!("opened in {:?}", watch.elapsed());
    let watch = Stopwatch::start();
    while reached(&folder) + 4_096 <= tip {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("indexed in {:?}", watch.elapsed());
    let index = bytes_of(&folder.join("index"));
    println!(
        "index of {index} bytes: {:.3} of the records, {:.3} of the folder",
        index as f64 / raw as f64,
        index as f64 / bytes_of(&folder) as f64
    );
    println!("with the index:");
    ask(&q, quorums, QUESTIONS).await;
    q.close().await.unwrap();
    println!("a process that just opened, with the index:");
    let q = Quorate::open(Config::at(&folder)).await.unwrap();
    ask(&q, quorums, 1).await;
    q.close().await.unwrap();
    println!("without the index:");
    let q = Quorate::open(Config { index_block: 0, ..Config::at(&folder) }).await.unwrap();
    ask(&q, quorums, 3).await;
    q.close().await.unwrap();

    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        without.push(votes(0).await);
        with.push(votes(4_096).await);
    }
    let best = |of: &[f64]| of.iter().copied().fold(0.0, f64::max);
    println!(
        "votes a second, without: {without:.0?}, with: {with:.0?}; the best of each: {:.3}",
        best(&with) / best(&without)
    );
}
