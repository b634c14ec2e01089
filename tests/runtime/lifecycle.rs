//! Opening, closing, waiting, sleeping.

use std::time::Duration;

use quorate::{ErrorKind, Quorate, StartQuorum, Vote};
use quorate_core::kernel::ids::{EntityId, IdempotencyKey};
use quorate_core::kernel::time::Timestamp;
use quorate_core::voting::quorum::QuorumState;
use quorate_journal::stores::memory::MemoryStore;
use quorate_runtime::api::dto::{CancelQuorum, WaitQuorum};
use quorate_runtime::config::{ClockConfig, Config};
use quorate_runtime::shell::bus::What;
use std::sync::Arc;

use crate::manual;

fn named(id: &str) -> StartQuorum {
    StartQuorum { quorum_id: Some(EntityId::new(id).unwrap()), ..StartQuorum::global() }
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_last_handle_closes_the_store_for_the_next_to_open() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..3 {
        let q = Quorate::open(Config::at(folder.path())).await.unwrap();
        let clone = q.clone();
        assert_eq!(q.quorums().stats().await.unwrap().active_quorums, n);
        q.quorums().start(named(&format!("q{n}"))).await.unwrap();
        drop(q);
        assert_eq!(clone.quorums().stats().await.unwrap().active_quorums, n + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_opener_is_refused_at_once_and_told_who_holds_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let q = Quorate::open(Config::at(folder.path())).await.unwrap();
    let refused = Quorate::open(Config::at(folder.path())).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::StoreLocked);
    assert!(refused.message().contains(&std::process::id().to_string()), "{refused}");
    q.close().await.unwrap();
    Quorate::open(Config::at(folder.path())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_closing_every_clone_is_refused() {
    let q = Quorate::open(manual()).await.unwrap();
    q.quorums().start(named("q")).await.unwrap();
    let clone = q.clone();
    q.close().await.unwrap();
    assert_eq!(clone.quorums().start(named("r")).await.unwrap_err().kind(), ErrorKind::StoreError);
    let status = clone.quorums().status(&EntityId::new("q").unwrap()).await;
    assert_eq!(status.unwrap_err().kind(), ErrorKind::StoreError);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_entity_sleeps_and_wakes_as_it_was() {
    let config = Config { idle_after: Duration::from_millis(100), ..Config::memory() };
    let q = Quorate::open(config).await.unwrap();
    let id = q.quorums().start(named("q")).await.unwrap().quorum_id;
    q.quorums().vote(Vote::new(&id, "a", true).unwrap()).await.unwrap();
    let before = q.quorums().status(&id).await.unwrap();
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if q.health().awake_entities == 0 {
            break;
        }
    }
    assert_eq!(q.health().awake_entities, 0);
    let after = q.quorums().status(&id).await.unwrap();
    assert_eq!(
        (after.state, after.valid_voters, after.closed_at),
        (before.state, before.valid_voters, before.closed_at)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_for_what_does_not_exist_leaves_nothing_in_memory() {
    let q = Quorate::open(Config::memory()).await.unwrap();
    for n in 0..100 {
        let id = EntityId::new(format!("nothing-{n}")).unwrap();
        assert_eq!(q.quorums().status(&id).await.unwrap_err().kind(), ErrorKind::NotFound);
        let vote = q.quorums().vote(Vote::new(&id, "a", true).unwrap()).await;
        assert_eq!(vote.unwrap_err().kind(), ErrorKind::NotFound);
    }
    for _ in 0..100 {
        if q.health().awake_entities == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} entities awake", q.health().awake_entities);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiter_is_answered_by_the_close_and_a_short_wait_by_the_open_state() {
    let q = Quorate::open(Config::memory()).await.unwrap();
    let id = q.quorums().start(named("q")).await.unwrap().quorum_id;
    let wait = |ms| WaitQuorum { quorum_id: id.clone(), timeout_ms: Some(ms) };
    assert_eq!(q.quorums().wait(wait(20)).await.unwrap().state, QuorumState::Open);
    let waiter = {
        let (q, request) = (q.clone(), wait(60_000));
        tokio::spawn(async move { q.quorums().wait(request).await.unwrap().state })
    };
    tokio::time::sleep(Duration::from_millis(30)).await;
    q.quorums().cancel(CancelQuorum { quorum_id: id.clone(), by: None, reason: None }).await.unwrap();
    assert_eq!(waiter.await.unwrap(), QuorumState::Cancelled);
    assert_eq!(q.health().in_flight, 0);
    let missing = WaitQuorum { quorum_id: EntityId::new("none").unwrap(), timeout_ms: Some(60_000) };
    assert_eq!(q.quorums().wait(missing).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(q.quorums().wait(wait(-1)).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_stop_waiting_take_no_room_from_others() {
    let q = Quorate::open(Config { max_in_flight: 2, ..Config::memory() }).await.unwrap();
    let id = q.quorums().start(named("q")).await.unwrap().quorum_id;
    for _ in 0..10 {
        let request = WaitQuorum { quorum_id: id.clone(), timeout_ms: Some(60_000) };
        let quorums = q.quorums();
        let given_up = tokio::time::timeout(Duration::from_millis(5), quorums.wait(request)).await;
        assert!(given_up.is_err());
    }
    assert_eq!(
        q.quorums().vote(Vote::new(&id, "a", true).unwrap()).await.unwrap().state,
        QuorumState::Approved
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_passes_unasked_in_real_time() {
    let q = Quorate::open(Config::memory()).await.unwrap();
    let mut notices = q.subscribe();
    let id =
        q.quorums().start(StartQuorum { timeout_seconds: Some(0.05), ..named("q") }).await.unwrap().quorum_id;
    let mut heard = Vec::new();
    while heard.len() < 2 {
        let notice = tokio::time::timeout(Duration::from_secs(20), notices.recv()).await.unwrap().unwrap();
        assert_eq!((notice.topic.as_str(), &notice.entity.id), ("global/cmp", &id));
        heard.push(notice.what);
    }
    assert_eq!(heard, [What::Opened, What::Closed { state: QuorumState::TimedOut }]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_idempotency_key_answers_with_the_first_quorum_also_after_a_restart() {
    let memory = MemoryStore::new();
    let key = |k: &str| Some(IdempotencyKey::new(k).unwrap());
    let ask = || StartQuorum { idempotency_key: key("once"), ..StartQuorum::global() };
    let q = Quorate::open_with(manual(), Arc::new(memory.reopen())).await.unwrap();
    let (first, second) =
        tokio::join!(async { q.quorums().start(ask()).await }, async { q.quorums().start(ask()).await });
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.quorum_id, second.quorum_id);
    assert!(first.duplicate != second.duplicate);
    q.crash().await;
    let q = Quorate::open_with(manual(), Arc::new(memory.reopen())).await.unwrap();
    let third = q.quorums().start(ask()).await.unwrap();
    assert!(third.duplicate && third.quorum_id == first.quorum_id);
    let other = StartQuorum { idempotency_key: key("twice"), ..StartQuorum::global() };
    assert_ne!(q.quorums().start(other).await.unwrap().quorum_id, first.quorum_id);
    assert_eq!(q.quorums().stats().await.unwrap().active_quorums, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_set_back_between_two_lives_neither_reopens_nor_extends() {
    let memory = MemoryStore::new();
    let at = |s: i64| Config { clock: ClockConfig::Manual(Timestamp::from_millis(s * 1000)), ..manual() };
    let q = Quorate::open_with(at(1_000), Arc::new(memory.reopen())).await.unwrap();
    q.quorums().start(StartQuorum { timeout_seconds: Some(10.0), ..named("q") }).await.unwrap();
    q.advance(Duration::from_secs(9)).await.unwrap();
    let id = EntityId::new("q").unwrap();
    q.quorums().vote(Vote::new(&id, "a", false).unwrap()).await.unwrap();
    q.crash().await;
    let q = Quorate::open_with(at(0), Arc::new(memory.reopen())).await.unwrap();
    assert_eq!(q.now().as_millis(), 1_009_000);
    q.advance(Duration::from_millis(1_001)).await.unwrap();
    assert_eq!(q.quorums().status(&id).await.unwrap().state, QuorumState::TimedOut);
}

#[test]
fn a_handle_works_without_any_runtime_of_the_host() {
    /// Polls on this thread, as a host without tokio would.
    fn block_on<T>(future: impl Future<Output = T>) -> T {
        struct Unpark(std::thread::Thread);
        impl std::task::Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = Arc::new(Unpark(std::thread::current())).into();
        let mut context = std::task::Context::from_waker(&waker);
        let mut future = std::pin::pin!(future);
        loop {
            match future.as_mut().poll(&mut context) {
                std::task::Poll::Ready(value) => return value,
                std::task::Poll::Pending => std::thread::park(),
            }
        }
    }
    block_on(async {
        let q = Quorate::open(Config::memory()).await.unwrap();
        let id = q.quorums().start(named("q")).await.unwrap().quorum_id;
        let wait = WaitQuorum { quorum_id: id.clone(), timeout_ms: Some(20) };
        assert_eq!(q.quorums().wait(wait).await.unwrap().state, QuorumState::Open);
        q.quorums().vote(Vote::new(&id, "a", true).unwrap()).await.unwrap();
        assert_eq!(q.quorums().history(Default::default()).await.unwrap().total, 1);
    });
}
