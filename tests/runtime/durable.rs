//! Durable, then visible: what is told waits for its record, and many records share a flush.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use quorate::{ErrorKind, Quorate, StartQuorum, Vote};
use quorate_core::kernel::ids::EntityId;
use quorate_journal::Fault;
use quorate_journal::stores::memory::MemoryStore;
use quorate_runtime::config::Config;

use crate::hooked::Hooked;
use crate::manual;

/// A disk that flushes only when it is let.
#[derive(Default)]
struct Gate {
    shut: Mutex<bool>,
    opened: Condvar,
    commits: AtomicUsize,
    appends: AtomicU64,
}

impl Gate {
    fn set(&self, shut: bool) {
        *self.shut.lock().unwrap() = shut;
        self.opened.notify_all();
    }

    fn store(self: &Arc<Self>, memory: MemoryStore) -> Hooked {
        let gate = self.clone();
        Hooked::new(memory, move |group| {
            let mut shut = gate.shut.lock().unwrap();
            while *shut {
                shut = gate.opened.wait(shut).unwrap();
            }
            gate.commits.fetch_add(1, Ordering::SeqCst);
            gate.appends.fetch_add(group.len() as u64, Ordering::SeqCst);
            Ok(())
        })
    }
}

fn quorum() -> EntityId {
    EntityId::new("q").unwrap()
}

async fn gated(config: Config) -> (Quorate, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let q = Quorate::open_with(config, Arc::new(gate.store(MemoryStore::new()))).await.unwrap();
    let request =
        StartQuorum { quorum_id: Some(quorum()), required_votes: Some(500), ..StartQuorum::global() };
    q.quorums().start(request).await.unwrap();
    gate.commits.store(0, Ordering::SeqCst);
    (q, gate)
}

fn vote(voter: &str) -> Vote {
    Vote::new(&quorum(), voter, true).unwrap()
}

/// True when the future does not end while everything else has had time to.
async fn waits<F: Future + Unpin>(future: &mut F) -> bool {
    tokio::time::timeout(Duration::from_millis(50), future).await.is_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_vote_nor_a_read_that_saw_it_is_answered_before_the_flush() {
    let (q, gate) = gated(manual()).await;
    gate.set(true);
    let mut voted = Box::pin(q.quorums().vote(vote("a")));
    let mut again = Box::pin(q.quorums().vote(vote("a")));
    let id = quorum();
    let quorums = q.quorums();
    let mut status = Box::pin(quorums.status(&id));
    assert!(waits(&mut voted).await && waits(&mut again).await && waits(&mut status).await);
    assert_eq!(q.quorums().stats().await.unwrap().votes, 0, "counters show only what is durable");
    gate.set(false);
    assert!(!voted.await.unwrap().duplicate);
    assert!(again.await.unwrap().duplicate);
    assert_eq!(status.await.unwrap().approve_votes, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn votes_that_wait_for_one_flush_share_the_next() {
    let (q, gate) = gated(manual()).await;
    gate.set(true);
    let mut voted: Vec<_> = (0..100).map(|n| Box::pin(q.quorums().vote(vote(&format!("v{n}"))))).collect();
    // The first flush takes until all are there.
    assert!(waits(&mut voted[99]).await);
    gate.set(false);
    for (n, voted) in voted.into_iter().enumerate() {
        assert_eq!(
            voted.await.unwrap().approve_votes,
            n as u32 + 1,
            "votes count in the order they were sent"
        );
    }
    let commits = gate.commits.load(Ordering::SeqCst);
    assert!(commits < 50, "100 votes took {commits} flushes");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_in_flight_are_refused_and_leave_no_trace() {
    let (q, gate) = gated(Config { max_in_flight: 3, ..manual() }).await;
    gate.set(true);
    let first: Vec<_> = (0..3).map(|n| q.quorums().vote(vote(&format!("v{n}")))).collect();
    let refused = q.quorums().vote(vote("v3")).await.unwrap_err();
    assert!(refused.kind() == ErrorKind::Overloaded && refused.is_retryable(), "{refused}");
    gate.set(false);
    for voted in first {
        voted.await.unwrap();
    }
    assert_eq!(q.quorums().vote(vote("v3")).await.unwrap().approve_votes, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_with_requests_in_hand_never_answers_ok_for_what_is_not_there() {
    let (q, gate) = gated(manual()).await;
    gate.set(true);
    let voted = q.quorums().vote(vote("a"));
    let crashing = tokio::spawn(q.clone().crash());
    tokio::time::sleep(Duration::from_millis(20)).await;
    gate.set(false);
    crashing.await.unwrap();
    // Under way when the crash came: an honest yes. In the queue: unknown. Not yet there: nothing was done.
    match voted.await {
        Ok(voted) => assert_eq!(voted.approve_votes, 1),
        Err(e) => assert!(matches!(e.kind(), ErrorKind::OutcomeUnknown | ErrorKind::StoreError), "{e}"),
    }
    assert_eq!(q.quorums().vote(vote("b")).await.unwrap_err().kind(), ErrorKind::StoreError);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_flush_is_told_as_unknown_to_those_in_it_and_as_failed_to_all_after() {
    let failing = Arc::new(Mutex::new(false));
    let switch = failing.clone();
    let store = Hooked::new(MemoryStore::new(), move |_| match *switch.lock().unwrap() {
        true => Err(Fault::Unavailable { reason: "disk on fire".into() }),
        false => Ok(()),
    });
    let q = Quorate::open_with(manual(), Arc::new(store)).await.unwrap();
    let request = StartQuorum { quorum_id: Some(quorum()), ..StartQuorum::global() };
    q.quorums().start(request).await.unwrap();
    *failing.lock().unwrap() = true;
    let error = q.quorums().vote(vote("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    *failing.lock().unwrap() = false;
    let error = q.quorums().vote(vote("b")).await.unwrap_err();
    assert!(error.kind() == ErrorKind::StoreError && error.message().contains("disk on fire"), "{error}");
    assert_eq!(q.health().status, "failed");
    assert!(q.close().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_was_replaced_is_fenced_at_its_next_commit() {
    let memory = Arc::new(MemoryStore::new());
    let old = Quorate::open_with(manual(), memory.clone()).await.unwrap();
    let request = StartQuorum { quorum_id: Some(quorum()), ..StartQuorum::global() };
    old.quorums().start(request).await.unwrap();
    let new = Quorate::open_with(manual(), memory).await.unwrap();
    assert_eq!(old.quorums().vote(vote("a")).await.unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(old.quorums().vote(vote("b")).await.unwrap_err().kind(), ErrorKind::StoreError);
    assert_eq!(new.quorums().vote(vote("c")).await.unwrap().approve_votes, 1);
}
