//! Stops: what is stopped does not happen, whoever is on the way to it, and goes on only by those who were named.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate::{
    AllowedOperation, Choice, ConsensusVote, EngageStop, EntityId, Error, ErrorKind, ListStops, Quorate,
    RegisterAgent, ReleaseStop, RequestConsensus, StartQuorum, StopRef, StopScope, StopView, SubmitJob, Vote,
    id,
};
use quorate_core::jobs::manager as job;
use quorate_core::kernel::ids::StreamKind;
use quorate_core::kernel::rng::Rng;
use quorate_core::trust::stop::{self, Acting, Scope};
use quorate_core::voting::quorum;
use quorate_journal::Store;
use quorate_journal::codec::decode;
use quorate_journal::stores::memory::MemoryStore;
use quorate_runtime::config::Config;
use quorate_runtime::guard::{GuardedFile, Refusal, StopSource};
use serde_json::json;

use crate::hooked::Hooked;
use crate::manual;

/// How many schedules there are; so many as everybody can wait for without it.
const SCHEDULES: &str = "QUORATE_STOP_SCHEDULES";
/// Those who may release a stop.
const KEEPERS: [&str; 3] = ["ann", "bob", "cid"];

fn named(text: &str) -> EntityId {
    EntityId::new(text).unwrap()
}

fn stop(id_: &str, scope: StopScope) -> EngageStop {
    EngageStop {
        stop_id: Some(named(id_)),
        scope,
        release_voters: KEEPERS.iter().map(|name| id("release_voters", name).unwrap()).collect(),
        release_need: None,
        by: Some("ops".into()),
        reason: None,
    }
}

async fn keepers(q: &Quorate) {
    for name in KEEPERS {
        q.agents().register(RegisterAgent::new(name).unwrap()).await.unwrap();
    }
}

/// A proposal about the release of a stop, on which these vote for.
async fn about(q: &Quorate, stop: &str, asked: &[&str], for_it: &[&str]) -> EntityId {
    let operation = AllowedOperation::once("stop.release", json!({ "stop_id": stop })).unwrap();
    let participants = asked.iter().map(|name| id("participants", name).unwrap()).collect();
    let request = RequestConsensus {
        wait: Some(false),
        participants: Some(participants),
        operation: Some(operation),
        ..RequestConsensus::new(json!("go on?"))
    };
    let id = q.consensus().request(request).await.unwrap().proposal_id;
    for name in for_it {
        // The others may have decided already.
        let vote = ConsensusVote::new(&id, name, Choice::For).unwrap();
        drop(q.consensus().vote(vote).await);
    }
    id
}

async fn release(q: &Quorate, stop: &str, proposal: EntityId) -> Result<StopView, Error> {
    let request =
        ReleaseStop { stop_id: named(stop), session_id: None, proposal_id: Some(proposal), by: None };
    q.stops().release(request).await
}

async fn cast(q: &Quorate, voter: &str) -> Result<(), Error> {
    q.quorums().vote(Vote::new(&named("q"), voter, true).unwrap()).await.map(drop)
}

async fn submit(q: &Quorate, job: &str, class: &str) -> Result<(), Error> {
    let request = SubmitJob { job_id: Some(named(job)), class: Some(named(class)), ..SubmitJob::default() };
    q.jobs().submit(request).await.map(drop)
}

async fn lasting(q: &Quorate) {
    let request = StartQuorum {
        quorum_id: Some(named("q")),
        required_votes: Some(90_000),
        timeout_seconds: Some(3_600.0),
        ..StartQuorum::global()
    };
    q.quorums().start(request).await.unwrap();
}

fn stopped(result: Result<(), Error>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stopped, "{error}");
    error.detail("stop_id").unwrap().as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_stop_is_named_by_its_refusal_outlives_a_crash_and_is_released_only_as_it_says() {
    let store = MemoryStore::new();
    let q = Quorate::open_with(manual(), Arc::new(store.reopen())).await.unwrap();
    keepers(&q).await;
    lasting(&q).await;
    cast(&q, "mallory").await.unwrap();
    let early = about(&q, "other", &KEEPERS, &KEEPERS).await;
    let engaged = q.stops().engage(stop("s", StopScope::party(named("mallory")))).await.unwrap();
    assert_eq!((engaged.sequence, engaged.state.as_str(), engaged.duplicate), (1, "in_force", Some(false)));
    let again = q.stops().engage(stop("s", StopScope::party(named("mallory")))).await.unwrap();
    assert_eq!(again.duplicate, Some(true));
    q.crash().await;

    let q = Quorate::open_with(manual(), Arc::new(store.reopen())).await.unwrap();
    // Before anything else is asked of it, and whatever it asks.
    assert_eq!(
        stopped(q.quorums().vote(Vote::new(&named("q"), "mallory", false).unwrap()).await.map(drop)),
        "s"
    );
    cast(&q, "bob").await.unwrap();
    assert_eq!(q.stops().list(ListStops::default()).await.unwrap().in_force, 1);
    let status = q.stops().status(StopRef { stop_id: named("s") }).await.unwrap();
    assert_eq!((status.position, status.scope.as_str()), (engaged.position, "party:mallory"));

    for (why, decision) in [
        ("other_operation", early),
        ("not_decided", about(&q, "s", &KEEPERS, &["ann"]).await),
        ("other_voters", about(&q, "s", &["ann", "bob"], &["ann", "bob"]).await),
    ] {
        let refused = release(&q, "s", decision).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::NotReleasing, "{refused}");
        assert_eq!(refused.detail("why").unwrap(), why);
    }
    stopped(cast(&q, "mallory").await);
    let released = release(&q, "s", about(&q, "s", &KEEPERS, &["ann", "cid"]).await).await.unwrap();
    assert_eq!((released.state.as_str(), released.supporters.len()), ("released", 2));
    q.quorums().vote(Vote::new(&named("q"), "mallory", false).unwrap()).await.unwrap();
    q.close().await.unwrap();
}

#[tokio::test]
async fn while_everything_is_stopped_only_what_ends_reports_or_releases_passes() {
    let q = Quorate::open(manual()).await.unwrap();
    keepers(&q).await;
    lasting(&q).await;
    submit(&q, "before", "c").await.unwrap();
    q.stops().engage(stop("halt", StopScope::everything())).await.unwrap();
    stopped(cast(&q, "ann").await);
    stopped(submit(&q, "after", "c").await);
    let other = StartQuorum { quorum_id: Some(named("r")), ..StartQuorum::global() };
    stopped(q.quorums().start(other.with_voters(["a"]).unwrap()).await.map(drop));
    let plain = RequestConsensus { wait: Some(false), ..RequestConsensus::new(json!("else")) };
    stopped(q.consensus().request(plain).await.map(drop));
    // Who is there says so, what is there can be looked at and ended.
    q.agents().beat(quorate::Beat::new("ann").unwrap()).await.unwrap();
    q.jobs().status(quorate::JobRef { job_id: named("before"), datacenter: None }).await.unwrap();
    let overview = q.overview().show(quorate::ShowOverview::default()).await.unwrap();
    assert!(overview.problems.iter().any(|problem| problem.problem == "stopped"));
    let cancel = quorate::CancelQuorum { quorum_id: named("q"), by: None, reason: None };
    q.quorums().cancel(cancel).await.unwrap();
    release(&q, "halt", about(&q, "halt", &KEEPERS, &KEEPERS).await).await.unwrap();
    submit(&q, "after", "c").await.unwrap();
    q.close().await.unwrap();
}

#[tokio::test]
async fn a_guarded_file_is_not_replaced_while_its_writer_is_stopped() {
    let q = Quorate::open(manual()).await.unwrap();
    keepers(&q).await;
    let folder = tempfile::tempdir().unwrap();
    let signal = q.stops().signal();
    let file = GuardedFile::new(folder.path().join("plan"));
    let file = file.under(Arc::new(signal.clone()), ["mallory"], Some(named("deploy")));
    let token = quorate::FenceToken::shown;
    file.replace(token(7), b"first").unwrap();
    q.stops()
        .engage(stop("class", StopScope { job_class: Some(named("deploy")), ..StopScope::default() }))
        .await
        .unwrap();
    match file.replace(token(8), b"second") {
        Err(Refusal::Stopped(stopped)) => {
            assert_eq!((stopped.stop_id, stopped.sequence), (named("class"), 1))
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(file.read().unwrap().unwrap().bytes, b"first");
    assert_eq!(signal.stopped(&["mallory"], Some(&named("other"))), None);
    release(&q, "class", about(&q, "class", &KEEPERS, &KEEPERS).await).await.unwrap();
    file.replace(token(8), b"second").unwrap();
    q.close().await.unwrap();
}

/// Reads the whole journal: nothing that acts stands behind a stop that covers it. Gives the acts, and how many stops.
async fn audit(store: &MemoryStore, seed: u64) -> (usize, usize) {
    let (mut after, mut in_force, mut acts, mut stops) = (0, BTreeMap::<EntityId, Scope>::new(), 0, 0);
    loop {
        let page = store.scan(after, 4_096).await.unwrap();
        let Some(last) = page.last() else { return (acts, stops) };
        after = last.position;
        for record in page {
            let acting = match record.stream.kind {
                StreamKind::Stops => {
                    match decode::<stop::Event>(&record.payload).unwrap() {
                        stop::Event::Engaged(engaged) => {
                            stops += 1;
                            in_force.insert(engaged.stop_id.clone(), engaged.scope.clone());
                        }
                        stop::Event::Released(released) => drop(in_force.remove(&released.stop_id)),
                    }
                    continue;
                }
                StreamKind::Quorum => match decode::<quorum::Event>(&record.payload).unwrap() {
                    quorum::Event::VoteCast(cast) => Acting::as_parties([cast.voter_id.as_str()]),
                    _ => continue,
                },
                StreamKind::Job => match decode::<job::Event>(&record.payload).unwrap() {
                    job::Event::Submitted(submitted) => Acting::as_parties([submitted.leader.node.as_str()])
                        .for_class(submitted.terms.class.clone()),
                    _ => continue,
                },
                _ => continue,
            };
            acts += 1;
            for (stop, scope) in &in_force {
                assert!(
                    !scope.covers(&acting),
                    "seed {seed}: {acting:?} at {} behind {stop}",
                    record.position
                );
            }
        }
    }
}

/// One after the other: some act, somebody stops some of them at a random moment, and perhaps the process dies.
async fn schedules(seed: u64, count: usize) -> (usize, usize) {
    let mut rng = Rng::new(seed);
    let mut below = move |n: u64| rng.next_u64() % n;
    let store = MemoryStore::new();
    // The disk takes a moment now and then, so that much waits for the writer.
    let slow = |memory: MemoryStore, rng: Rng| {
        let rng = std::sync::Mutex::new(rng);
        Hooked::new(memory, move |_| {
            let pause = rng.lock().unwrap().next_u64() % 64;
            (0..pause * pause).for_each(|_| std::hint::spin_loop());
            Ok(())
        })
    };
    let open = async |epoch: u64| {
        let store = Arc::new(slow(store.reopen(), Rng::new(seed ^ epoch)));
        Quorate::open_with(Config::memory(), store).await.unwrap()
    };
    let mut q = open(0).await;
    keepers(&q).await;
    lasting(&q).await;
    for n in 0..count {
        let (class, halt) = (format!("c{n}"), format!("halt-{n}"));
        let scope = match below(4) {
            0 => StopScope::everything(),
            1 => StopScope::party(named(&format!("p{n}-1"))),
            2 => StopScope { prefix: Some(named(&format!("p{n}-"))), ..StopScope::default() },
            _ => StopScope { job_class: Some(named(&class)), ..StopScope::default() },
        };
        let mut tasks = Vec::new();
        for k in 0..4 {
            let (q, voter, class, job) = (q.clone(), format!("p{n}-{k}"), class.clone(), format!("j{n}-{k}"));
            let yields = below(12);
            tasks.push(tokio::spawn(async move {
                for _ in 0..yields {
                    tokio::task::yield_now().await;
                }
                match k % 2 {
                    0 => submit(&q, &job, &class).await,
                    _ => cast(&q, &voter).await,
                }
            }));
        }
        for _ in 0..below(12) {
            tokio::task::yield_now().await;
        }
        q.stops().engage(stop(&halt, scope.clone())).await.unwrap();
        for task in tasks {
            if let Err(error) = task.await.unwrap() {
                assert_eq!(error.kind(), ErrorKind::Stopped, "seed {seed}: {error}");
            }
        }
        if below(40) == 0 {
            q.crash().await;
            q = open(n as u64 + 1).await;
        }
        let covered = if scope.job_class.is_some() {
            submit(&q, &format!("late-{n}"), &class).await
        } else {
            cast(&q, &format!("p{n}-1")).await
        };
        // A vote that was in before is a repeat of it, and yet refused.
        stopped(covered);
        if scope.everything.is_some() || below(2) == 0 {
            release(&q, &halt, about(&q, &halt, &KEEPERS, &KEEPERS[1..]).await).await.unwrap();
            cast(&q, &format!("p{n}-1")).await.unwrap();
        }
    }
    q.crash().await;
    audit(&store, seed).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_acts_behind_the_position_of_a_stop_in_any_schedule() {
    let wanted: usize = std::env::var(SCHEDULES).map_or(500, |count| count.parse().unwrap());
    let (mut acts, mut stops, mut seed) = (0, 0, 0x5709);
    while stops < wanted {
        let (more, engaged) = schedules(seed, wanted.min(500)).await;
        (acts, stops, seed) = (acts + more, stops + engaged, seed + 1);
    }
    println!("{stops} stops, {acts} acts");
    assert!(acts > stops, "something is done: {acts} acts, {stops} stops");
}
