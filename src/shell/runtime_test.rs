//! A panic in an entity actor, and a vote that only the directory knows: from inside they can be planted.

use super::*;
use crate::Quorate;
use crate::api::dto::{JobRef, SubmitJob};
use crate::core::ids::{EntityId, StreamId, StreamKind};
use crate::core::quorum::{Cancel, Command, Policy, QuorumMachine, QuorumState, QuorumType, Start};
use crate::shell::entity::Lend;
use crate::shell::kinds::send_to_sleep;
use crate::store::memory::MemoryStore;
use std::time::Duration;

fn open() -> Runtime {
    let config = Config { clock: ClockConfig::Manual(Timestamp::EPOCH), ..Config::memory() };
    Runtime::open(config, Arc::new(MemoryStore::new())).unwrap()
}

fn id(name: &str) -> EntityId {
    EntityId::new(name).unwrap()
}

fn begin() -> Action<QuorumMachine> {
    let start = Start {
        keyed: None,
        rule: None,
        quorum_type: QuorumType::Global,
        required_votes: None,
        timeout: Duration::from_secs(1),
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
    };
    Action::Command(Command::Start(Box::new(start)), None)
}

async fn start(runtime: &Runtime, name: &str) {
    let host = runtime.host();
    ask(host, &host.quorums, &id(name), begin(), |_| ()).await.unwrap();
}

async fn panic_in(runtime: &Runtime, name: &str) -> Failure {
    let host = runtime.host();
    let planted = |_: View<'_, QuorumMachine>| panic!("a planted panic");
    ask::<_, ()>(host, &host.quorums, &id(name), Action::Read, planted).await.unwrap_err()
}

async fn state(runtime: &Runtime, name: &str) -> Result<Option<QuorumState>, Failure> {
    let host = runtime.host();
    ask(host, &host.quorums, &id(name), Action::Read, |view| view.state.state()).await
}

#[tokio::test]
async fn a_panic_costs_the_answers_in_hand_and_the_entity_is_rebuilt_from_the_journal() {
    let runtime = open();
    start(&runtime, "q").await;
    assert!(matches!(panic_in(&runtime, "q").await, Failure::Unknown(_)));
    // A request that comes while the actor is still dying is lost with it.
    let mut seen = state(&runtime, "q").await;
    while let Err(Failure::Unknown(_)) = seen {
        seen = state(&runtime, "q").await;
    }
    assert_eq!(seen.unwrap(), Some(QuorumState::Open));
    // Its deadline is kept although the actor that had it died.
    runtime.advance(Timestamp::from_millis(1_001)).await;
    assert_eq!(state(&runtime, "q").await.unwrap(), Some(QuorumState::TimedOut));
}

#[tokio::test]
async fn an_entity_that_keeps_dying_is_parked_and_the_others_go_on() {
    let runtime = open();
    start(&runtime, "bad").await;
    start(&runtime, "good").await;
    let mut died = 0;
    while runtime.host().restarts.parked(runtime.host().clock.now()) == 0 {
        if let Failure::Unknown(_) = panic_in(&runtime, "bad").await {
            died += 1;
        } else {
            // It rests between deaths; only time helps.
            runtime.host().clock.move_to(runtime.host().clock.now().plus(Duration::from_millis(100)));
        }
        assert!(died < 20, "it is never parked");
    }
    let Err(Failure::Refused(fault)) = state(&runtime, "bad").await else {
        panic!("a parked entity answered")
    };
    assert!(fault.to_string().contains("died 6 times"), "{fault}");
    assert!(state(&runtime, "good").await.is_ok());
    runtime.host().clock.move_to(runtime.host().clock.now().plus(Duration::from_secs(61)));
    assert_eq!(state(&runtime, "bad").await.unwrap(), Some(QuorumState::TimedOut));
}

#[tokio::test]
async fn requests_behind_a_panic_are_told_unknown_and_none_is_left_waiting() {
    let runtime = open();
    start(&runtime, "q").await;
    let host = runtime.host();
    let planted = |_: View<'_, QuorumMachine>| panic!("a planted panic");
    let first = ask::<_, ()>(host, &host.quorums, &id("q"), Action::Read, planted);
    let behind: Vec<_> = (0..50)
        .map(|_| ask(host, &host.quorums, &id("q"), Action::Read, |view| view.state.state()))
        .collect();
    assert!(first.await.is_err());
    for answer in behind {
        // Either still in the dead actor's mailbox, or already for the next one.
        assert!(matches!(answer.await, Ok(Some(QuorumState::Open)) | Err(Failure::Unknown(_))));
    }
    assert_eq!(runtime.host().in_flight(), 0);
}

#[tokio::test]
async fn a_check_asks_the_directory_when_its_agent_last_voted() {
    use crate::core::agent::{self, Grade, Settings, command::Asked};
    let runtime = open();
    let host = runtime.host();
    let agent_id = crate::core::ids::VoterId::new("ann").unwrap();
    let asked = Asked { settings: Settings::default(), explicit: true };
    let register = agent::Command::Register { agent_id: agent_id.clone(), asked };
    ask(host, &host.agents, &id("ann"), Action::Command(register, None), |_| ()).await.unwrap();
    runtime.advance(Timestamp::from_millis(4_000)).await;
    lock(&host.counters.agents).voted(&agent_id, host.clock.now());
    // Silent for one interval since the vote, not since the registration.
    let recorded = async || {
        let watch = |view: View<'_, agent::AgentMachine>| view.state.watch.as_ref().map(|w| w.recorded);
        ask(host, &host.agents, &id("ann"), Action::Read, watch).await.unwrap()
    };
    runtime.advance(Timestamp::from_millis(8_999)).await;
    assert_eq!(recorded().await, Some(Grade::Healthy));
    runtime.advance(Timestamp::from_millis(9_000)).await;
    assert_eq!(recorded().await, Some(Grade::Degraded));
    runtime.end(Ending::Clean).unwrap();
}

async fn over_a_gap(gap: Gap) -> Vec<(String, u64, f64)> {
    let q = Quorate::open(Config::memory()).await.unwrap();
    for (name, timeout) in [("asleep", None), ("short", Some(600.0)), ("long", Some(7_200.0))] {
        let job = SubmitJob { job_id: Some(id(name)), timeout_seconds: timeout, ..SubmitJob::default() };
        q.jobs().submit(job).await.unwrap();
    }
    // One of them is woken by the first look after the gap.
    send_to_sleep(q.host(), &StreamId::new(StreamKind::Job, id("asleep")));
    q.host().clock.pass(Duration::from_secs(3_600), gap);
    let mut seen = Vec::new();
    for name in ["asleep", "short", "long"] {
        let job = JobRef { job_id: id(name), datacenter: None };
        let status = q.jobs().status(job.clone()).await.unwrap();
        let again = q.jobs().status(job).await.unwrap();
        assert_eq!(status.status, again.status);
        let here = &status.datacenters[0];
        assert!(here.idle_seconds < 60.0, "{here:?}");
        seen.push((status.status, here.fence_token, here.elapsed_seconds.round()));
    }
    q.close().await.unwrap();
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspend_is_no_idleness_and_a_clock_set_ahead_is_not_even_time() {
    let seen = |status: &str, elapsed| (status.to_owned(), 1, elapsed);
    let slept = [seen("submitted", 3_600.0), seen("timeout", 3_600.0), seen("submitted", 3_600.0)];
    assert_eq!(over_a_gap(Gap::Suspend).await, slept);
    let jumped = [seen("submitted", 0.0), seen("submitted", 0.0), seen("submitted", 0.0)];
    assert_eq!(over_a_gap(Gap::ClockJump).await, jumped);
}

#[tokio::test]
async fn an_entity_that_begins_after_somebody_asked_for_it_is_not_sent_to_sleep() {
    let runtime = open();
    let host = runtime.host().clone();
    let other = host.clone();
    let asked = ask(&host, &host.quorums, &id("q"), Action::Read, move |view| {
        assert_eq!(view.state.state(), None);
        // Nothing is there, so the actor tells itself to sleep. Before it does, another begins the entity, and a third
        // keeps the actor busy until that is durable.
        let busy = |_: View<'_, QuorumMachine>| std::thread::sleep(Duration::from_millis(300));
        drop(ask(&other, &other.quorums, &id("q"), begin(), |_| ()));
        drop(ask(&other, &other.quorums, &id("q"), Action::Read, busy));
    });
    asked.await.unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(host.quorums.awake(), 1);
}

#[tokio::test]
async fn control_passes_ten_thousand_reads_that_wait_for_the_same_entity() {
    let runtime = open();
    start(&runtime, "q").await;
    let host = runtime.host();
    // While its memory is lent the entity does nothing, and everything waits.
    let (to, lent) = tokio::sync::oneshot::channel();
    host.quorums.lend(host, &id("q"), Lend { to }).unwrap();
    let loan = lent.await.unwrap();
    let done = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let turn = || {
        let done = done.clone();
        move |_: View<'_, QuorumMachine>| done.fetch_add(1, std::sync::atomic::Ordering::SeqCst)
    };
    let reads: Vec<_> =
        (0..10_000).map(|_| ask(host, &host.quorums, &id("q"), Action::Read, turn())).collect();
    let command = || {
        let cancel = Command::Cancel(Cancel { by: None, reason: None });
        ask(host, &host.quorums, &id("q"), Action::Command(cancel, None), turn())
    };
    let (first, second) = (command(), command());
    loan.give_back();
    assert_eq!((first.await.unwrap(), second.await.unwrap()), (0, 1), "commands keep their order");
    for (n, read) in reads.into_iter().enumerate() {
        assert_eq!(read.await.unwrap(), n + 2, "reads keep theirs");
    }
}
