//! Owners are killed and stopped at random instants, under load from programs that go on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use quorate::{ConnectOptions, Quorate, StartQuorum, SubmitJob, Vote, id};
use quorate_core::jobs::manager as job;
use quorate_core::kernel::ids::{EntityId, StreamKind};
use quorate_core::kernel::rng::Rng;
use quorate_core::kernel::shards::ShardMap;
use quorate_core::voting::quorum;
use quorate_journal::codec::decode;
use quorate_journal::group::GroupHeader;
use quorate_journal::stores::postgres::PostgresStore;
use quorate_journal::stores::postgres::shards::{Book, Part};
use quorate_journal::stores::{DatabaseUrl, StoreOptions};
use quorate_journal::{Fault, Pending, Store, VerifyCursor};
use serde_json::json;

use super::fleet::{Fleet, LEASE};
use super::postgres::server;

const SHARDS: u16 = 4;
const PROCESSES: usize = 3;
const PROGRAMS: usize = 6;

/// How often something is done to an owner.
fn rounds() -> usize {
    std::env::var("QUORATE_SHARD_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(6)
}

/// What was acknowledged.
#[derive(Default)]
struct Acknowledged {
    /// Key of the question, and its id.
    quorums: BTreeMap<String, EntityId>,
    votes: BTreeSet<(EntityId, String)>,
    jobs: BTreeSet<EntityId>,
    refused: BTreeMap<String, u64>,
}

/// A program that asks questions, votes and submits jobs until it is told to stop.
async fn program(n: usize, url: String, done: Arc<AtomicBool>, acknowledged: Arc<Mutex<Acknowledged>>) {
    let options = ConnectOptions { timeout: Duration::from_secs(2), ..ConnectOptions::from(url.as_str()) };
    let q = Quorate::connect(options).await.unwrap();
    for turn in 0.. {
        if done.load(Ordering::Acquire) {
            return;
        }
        let key = format!("{n}-{turn}");
        let note =
            |kind: &str| *acknowledged.lock().unwrap().refused.entry(kind.to_owned()).or_default() += 1;
        let ask = StartQuorum {
            required_votes: Some(3),
            idempotency_key: Some(key.parse().unwrap()),
            subject: Some(json!(key)),
            ..StartQuorum::global()
        };
        let ask = ask.with_voters(["ann", "bob", "cid"]).unwrap();
        match q.quorums().start(ask).await {
            Ok(started) => {
                let id = started.quorum_id;
                acknowledged.lock().unwrap().quorums.insert(key.clone(), id.clone());
                for voter in ["ann", "bob", "cid"] {
                    match q.quorums().vote(Vote::new(&id, voter, true).unwrap()).await {
                        Ok(_) => {
                            assert!(acknowledged.lock().unwrap().votes.insert((id.clone(), voter.to_owned())))
                        }
                        Err(error) => note(error.kind().name()),
                    }
                }
            }
            Err(error) => note(error.kind().name()),
        }
        let job_id: EntityId = id("job_id", &format!("job-{key}")).unwrap();
        match q.jobs().submit(SubmitJob { job_id: Some(job_id.clone()), ..SubmitJob::default() }).await {
            Ok(_) => assert!(acknowledged.lock().unwrap().jobs.insert(job_id)),
            Err(error) => note(error.kind().name()),
        }
    }
}

/// Stores answer while they are polled.
fn now<T>(mut pending: Pending<'_, T>) -> Result<T, Fault> {
    match pending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("a store answers when polled once"),
    }
}

/// What stands in the journals of all shards; each must verify and hold only what belongs to it.
#[derive(Default)]
struct Recorded {
    quorums: BTreeMap<String, Vec<EntityId>>,
    votes: BTreeMap<(EntityId, String), u64>,
    jobs: BTreeMap<EntityId, u64>,
    owners: u64,
}

fn recorded(store: &str) -> Recorded {
    let url = DatabaseUrl::of(store).unwrap();
    let book = Book::open(&url).unwrap();
    let layout = book.layout().unwrap().unwrap();
    let map = ShardMap::of(SHARDS, layout.slots.clone()).unwrap();
    let mut recorded = Recorded::default();
    for (number, place) in (0..).zip(&layout.places) {
        let (url, schema) = place.within(&url);
        let part = Some(Part { number, map: layout.map.clone(), schema });
        let journal = PostgresStore::open(&StoreOptions { part, ..StoreOptions::in_database(url) }).unwrap();
        let step = now(journal.verify(VerifyCursor::default(), usize::MAX)).unwrap();
        assert_eq!((step.done, step.broken), (true, None), "shard {number}");
        let mut epoch = 0;
        for group in now(journal.groups(0, usize::MAX)).unwrap() {
            let header = GroupHeader::parse(&group).unwrap();
            assert!(header.epoch >= epoch, "shard {number}: epoch {} behind {epoch}", header.epoch);
            recorded.owners += u64::from(header.epoch > epoch);
            epoch = header.epoch;
        }
        for record in now(journal.scan(0, usize::MAX)).unwrap() {
            let of = &record.stream.id;
            match record.stream.kind {
                StreamKind::Quorum => {
                    assert_eq!(map.shard_of(of.as_str()), number, "{of}");
                    match decode::<quorum::Event>(&record.payload).unwrap() {
                        quorum::Event::Opened(opened) => {
                            let subject: String = serde_json::from_str(&opened.subject.unwrap()).unwrap();
                            recorded.quorums.entry(subject).or_default().push(of.clone());
                        }
                        quorum::Event::VoteCast(vote) => {
                            *recorded.votes.entry((of.clone(), vote.voter_id.to_string())).or_default() += 1;
                        }
                        _ => {}
                    }
                }
                StreamKind::Job => {
                    assert_eq!(map.shard_of(of.as_str()), number, "{of}");
                    if let job::Event::Submitted(_) = decode::<job::Event>(&record.payload).unwrap() {
                        *recorded.jobs.entry(of.clone()).or_default() += 1;
                    }
                }
                _ => {}
            }
        }
    }
    recorded
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_or_doubled_when_owners_are_killed_and_stopped() {
    let Some(server) = server() else { return };
    let seed = std::env::var("QUORATE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or(std::process::id().into());
    println!("seed {seed}");
    let mut rng = Rng::new(seed);
    let mut fleet = Fleet::start(server, SHARDS, PROCESSES);
    let (done, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::default()));
    let programs: Vec<_> = (0..PROGRAMS)
        .map(|n| {
            let url = fleet.processes[n % PROCESSES].url();
            tokio::spawn(program(n, url, done.clone(), acknowledged.clone()))
        })
        .collect();
    for _ in 0..rounds() {
        let pause = Duration::from_millis(300 + rng.next_u64() % 1_500);
        tokio::time::sleep(pause).await;
        let at = usize::try_from(rng.next_u64() % PROCESSES as u64).unwrap();
        match rng.next_u64() % 3 {
            0 => {
                fleet.processes[at].kill();
                tokio::time::sleep(LEASE.mul_f64(0.5 + (rng.next_u64() % 100) as f64 / 50.0)).await;
                fleet.go(at);
            }
            1 => {
                // Past its lease: the others have its shards when it wakes up.
                fleet.processes[at].signal("-STOP");
                tokio::time::sleep(LEASE * 2 + Duration::from_millis(rng.next_u64() % 1_000)).await;
                fleet.processes[at].signal("-CONT");
            }
            _ => {
                // Within its lease, or about as long.
                fleet.processes[at].signal("-STOP");
                tokio::time::sleep(LEASE.mul_f64((rng.next_u64() % 100) as f64 / 80.0)).await;
                fleet.processes[at].signal("-CONT");
            }
        }
    }
    done.store(true, Ordering::Release);
    for program in programs {
        program.await.unwrap();
    }
    fleet.all_owned();
    fleet.stop();
    let recorded = recorded(&fleet.store);
    let acknowledged = acknowledged.lock().unwrap();
    for (key, id) in &acknowledged.quorums {
        assert_eq!(recorded.quorums.get(key), Some(&vec![id.clone()]), "{key}");
    }
    for (key, ids) in &recorded.quorums {
        assert_eq!(ids.len(), 1, "{key} was asked twice");
    }
    for vote in &acknowledged.votes {
        assert_eq!(recorded.votes.get(vote), Some(&1), "{vote:?}");
    }
    for job in &acknowledged.jobs {
        assert_eq!(recorded.jobs.get(job), Some(&1), "{job}");
    }
    println!(
        "{} rounds, {} owners: {} questions, {} votes, {} jobs acknowledged, all there, none twice; refused {:?}",
        rounds(),
        recorded.owners,
        acknowledged.quorums.len(),
        acknowledged.votes.len(),
        acknowledged.jobs.len(),
        acknowledged.refused
    );
    assert!(acknowledged.votes.len() > 50, "there was no load");
    assert!(recorded.owners > u64::from(SHARDS), "no shard was ever taken over");
}
