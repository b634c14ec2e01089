//! A panic in an entity actor, and a vote that only the directory knows: from inside they can be planted.

use super::*;
use crate::Quorate;
use crate::api::dto::{Beat, JobRef, RegisterAgent, SubmitJob};
use crate::core::kernel::ids::{EntityId, StreamKind};
use crate::core::voting::quorum::{Cancel, Command, Policy, QuorumMachine, QuorumState, QuorumType, Start};
use crate::shell::entity::Lend;
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
    ask(host, &host.kinds.quorums, &id(name), begin(), |_| ()).await.unwrap();
}

async fn panic_in(runtime: &Runtime, name: &str) -> Failure {
    let host = runtime.host();
    let planted = |_: View<'_, QuorumMachine>| panic!("a planted panic");
    ask::<_, ()>(host, &host.kinds.quorums, &id(name), Action::Read, planted).await.unwrap_err()
}

#[tokio::test]
async fn a_runtime_that_ends_lets_go_of_what_waited_and_is_let_go_of() {
    for ending in [Ending::Crash, Ending::Clean] {
        let runtime = open();
        start(&runtime, "q").await;
        let host = runtime.host().clone();
        let (to, lent) = tokio::sync::oneshot::channel();
        host.kinds.quorums.lend(&host, &id("q"), Lend { to }).unwrap();
        let loan = lent.await.unwrap();
        // What it asks holds the runtime that holds the lane in which it waits.
        let held = host.clone();
        let waits = ask(&host, &host.kinds.quorums, &id("q"), Action::Read, move |_| drop(held));
        let left = Arc::downgrade(&host);
        drop(host);
        runtime.end(ending).unwrap();
        drop((runtime, loan));
        let told = tokio::time::timeout(Duration::from_secs(60), waits).await.expect("nobody answers");
        assert!(matches!(told, Err(Failure::Unknown(_))));
        assert!(left.upgrade().is_none(), "{ending:?}");
    }
}

/// A command that was looked at under the stops and is decided, but not queued yet, keeps a stop out: behind the record of
/// the stop there would be one of whom it covers.
#[tokio::test(flavor = "multi_thread")]
async fn no_stop_comes_between_the_look_at_the_stops_and_what_a_command_queues() {
    let runtime = open();
    let host = runtime.host();
    let stops = host.stops.clone();
    let came_between = ask(host, &host.kinds.quorums, &id("q"), begin(), move |_| {
        let (entered, comes) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            drop(stops.enter(StreamKind::Stops));
            let _ = entered.send(());
        });
        // It would come at once.
        comes.recv_timeout(Duration::from_millis(300)).is_ok()
    });
    assert!(!came_between.await.unwrap());
}

/// Asked again while the request is lost with an actor that is still dying.
async fn state_at_last(runtime: &Runtime, name: &str) -> Result<Option<QuorumState>, Failure> {
    loop {
        match state(runtime, name).await {
            Err(Failure::Unknown(_)) => tokio::time::sleep(Duration::from_millis(1)).await,
            seen => return seen,
        }
    }
}

async fn state(runtime: &Runtime, name: &str) -> Result<Option<QuorumState>, Failure> {
    let host = runtime.host();
    ask(host, &host.kinds.quorums, &id(name), Action::Read, |view| view.state.state()).await
}

#[tokio::test]
async fn a_panic_costs_the_answers_in_hand_and_the_entity_is_rebuilt_from_the_journal() {
    let runtime = open();
    start(&runtime, "q").await;
    assert!(matches!(panic_in(&runtime, "q").await, Failure::Unknown(_)));
    assert_eq!(state_at_last(&runtime, "q").await.unwrap(), Some(QuorumState::Open));
    // Its deadline is kept although the actor that had it died.
    runtime.advance(Timestamp::from_millis(1_001)).await;
    assert_eq!(state(&runtime, "q").await.unwrap(), Some(QuorumState::TimedOut));
}

#[tokio::test]
async fn an_entity_that_keeps_dying_is_parked_and_the_others_go_on() {
    let runtime = open();
    start(&runtime, "bad").await;
    start(&runtime, "good").await;
    let killed = async {
        while runtime.host().restarts.parked(runtime.host().clock.now()) == 0 {
            // Unknown: it died of this, or was still dying. Refused: it rests, and only time helps.
            if let Failure::Unknown(_) = panic_in(&runtime, "bad").await {
                tokio::time::sleep(Duration::from_millis(1)).await;
            } else {
                runtime.host().clock.move_to(runtime.host().clock.now().plus(Duration::from_millis(100)));
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(120), killed).await.expect("it is never parked");
    let Err(Failure::Refused(fault)) = state_at_last(&runtime, "bad").await else {
        panic!("a parked entity answered")
    };
    assert!(fault.to_string().contains("died 6 times"), "{fault}");
    assert!(state(&runtime, "good").await.is_ok());
    runtime.host().clock.move_to(runtime.host().clock.now().plus(Duration::from_secs(61)));
    assert_eq!(state_at_last(&runtime, "bad").await.unwrap(), Some(QuorumState::TimedOut));
}

#[tokio::test]
async fn requests_behind_a_panic_are_told_unknown_and_none_is_left_waiting() {
    let runtime = open();
    start(&runtime, "q").await;
    let host = runtime.host();
    let planted = |_: View<'_, QuorumMachine>| panic!("a planted panic");
    let first = ask::<_, ()>(host, &host.kinds.quorums, &id("q"), Action::Read, planted);
    let behind: Vec<_> = (0..50)
        .map(|_| ask(host, &host.kinds.quorums, &id("q"), Action::Read, |view| view.state.state()))
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
    use crate::core::voting::agent::{self, Grade, Settings, command::Asked};
    let runtime = open();
    let host = runtime.host();
    let agent_id = crate::core::kernel::ids::VoterId::new("ann").unwrap();
    let asked = Asked { settings: Settings::default(), explicit: true, again: Default::default() };
    let register = agent::Command::Register { agent_id: agent_id.clone(), asked };
    ask(host, &host.kinds.agents, &id("ann"), Action::Command(register, None), |_| ()).await.unwrap();
    runtime.advance(Timestamp::from_millis(4_000)).await;
    lock(&host.counters.agents).voted(&agent_id, host.clock.now());
    // Silent for one interval since the vote, not since the registration.
    let recorded = async || {
        let watch = |view: View<'_, agent::AgentMachine>| view.state.watch.as_ref().map(|w| w.recorded);
        ask(host, &host.kinds.agents, &id("ann"), Action::Read, watch).await.unwrap()
    };
    runtime.advance(Timestamp::from_millis(8_999)).await;
    assert_eq!(recorded().await, Some(Grade::Healthy));
    runtime.advance(Timestamp::from_millis(9_000)).await;
    assert_eq!(recorded().await, Some(Grade::Degraded));
    runtime.end(Ending::Clean).unwrap();
}

async fn over(happens: impl FnOnce(&Clock)) -> Vec<(String, u64, f64)> {
    let q = Quorate::open(Config::memory()).await.unwrap();
    for (name, timeout) in [("asleep", None), ("short", Some(600.0)), ("long", Some(7_200.0))] {
        let job = SubmitJob { job_id: Some(id(name)), timeout_seconds: timeout, ..SubmitJob::default() };
        q.jobs().submit(job).await.unwrap();
    }
    // One of them is woken by the first look after the gap.
    q.host().kinds.of(StreamKind::Job).rest(&id("asleep"), None);
    happens(&q.host().clock);
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
async fn a_suspend_and_a_pause_are_no_idleness_and_a_wall_clock_that_is_set_is_not_even_time() {
    let seen = |status: &str, elapsed| (status.to_owned(), 1, elapsed);
    let slept = [seen("submitted", 3_600.0), seen("timeout", 3_600.0), seen("submitted", 3_600.0)];
    let hour = Duration::from_secs(3_600);
    assert_eq!(over(|clock| clock.pass(hour, Gap::Suspend)).await, slept);
    assert_eq!(over(|clock| clock.pass(hour, Gap::Pause)).await, slept);
    let set = [seen("submitted", 0.0), seen("submitted", 0.0), seen("submitted", 0.0)];
    for by_us in [3_600_000_000, -7_200_000_000] {
        assert_eq!(over(|clock| clock.step(by_us)).await, set);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_work_of_a_job_whose_leader_was_replaced_is_handed_out_no_more() {
    use crate::core::jobs::manager::Command;
    use crate::core::jobs::protocol::token::FenceToken;
    use serde_json::{from_value, json};
    let q = Quorate::open(Config::memory()).await.unwrap();
    q.workers().register(from_value(json!({ "worker_id": "w", "capacity": 4 })).unwrap()).await.unwrap();
    let workflows = json!([{ "workflow_id": "a", "worker_id": "w" }]);
    q.jobs().submit(from_value(json!({ "job_id": "j", "workflows": workflows })).unwrap()).await.unwrap();
    let taken = async |wait_ms: u64| {
        let take = from_value(json!({ "worker_id": "w", "wait_ms": wait_ms, "limit": 4 })).unwrap();
        q.workers().take(take).await.unwrap().work.len()
    };
    assert_eq!(taken(60_000).await, 1);
    assert_eq!(taken(0).await, 1, "until it says that it has it");
    let suspend = Command::Suspend { token: FenceToken::shown(1), reason: "another one leads".into() };
    crate::shell::jobs::command(q.host(), &id("j"), suspend, |view| view.reply.unwrap().unwrap())
        .await
        .unwrap();
    assert_eq!(taken(0).await, 0);
    q.close().await.unwrap();
}

/// What three agents that beat are worth right after this, and what a proposal that asks them all becomes.
async fn agents_after(happens: impl FnOnce(&Clock)) -> (u64, u64) {
    let q = Quorate::open(Config::memory()).await.unwrap();
    for name in ["ann", "bob", "eve"] {
        q.agents().register(RegisterAgent::new(name).unwrap()).await.unwrap();
        q.agents().beat(Beat::new(name).unwrap()).await.unwrap();
    }
    happens(&q.host().clock);
    // Before any of them could be heard: first without waking them, then with their checks.
    let before = q.agents().stats().await.unwrap().health_distribution.healthy;
    q.settle().await;
    let after = q.agents().stats().await.unwrap().health_distribution.healthy;
    q.close().await.unwrap();
    (before, after)
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_given_up_for_what_a_process_that_did_not_run_could_not_hear() {
    let long = Duration::from_secs(17);
    assert_eq!(agents_after(|clock| clock.pass(long, Gap::Pause)).await, (3, 3));
    assert_eq!(agents_after(|clock| clock.pass(long, Gap::Suspend)).await, (3, 3));
    assert_eq!(agents_after(|clock| clock.step(60_000_000)).await, (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_answers_are_an_overload_unless_this_process_did_not_run_meanwhile() {
    use crate::core::load::shed::Load;
    let answer = |q: &Quorate, count| {
        let host = q.host();
        for _ in 0..count {
            host.admission.answers.note(Stopwatch::started(Duration::from_secs(4)));
        }
        host.admission.weigh_answers(host);
        host.admission.sight(host).at_the_doors
    };
    let q = Quorate::open(Config::memory()).await.unwrap();
    assert_eq!(answer(&q, 31), Load::Healthy, "too few to say anything");
    assert_eq!(answer(&q, 10), Load::Overloaded);
    q.close().await.unwrap();

    let q = Quorate::open(Config::memory()).await.unwrap();
    q.host().clock.pass(Duration::from_secs(5), Gap::Pause);
    assert_eq!(answer(&q, 100), Load::Healthy);
    q.close().await.unwrap();
}

#[tokio::test]
async fn an_entity_that_begins_after_somebody_asked_for_it_is_not_sent_to_sleep() {
    let runtime = open();
    let host = runtime.host().clone();
    let other = host.clone();
    let asked = ask(&host, &host.kinds.quorums, &id("q"), Action::Read, move |view| {
        assert_eq!(view.state.state(), None);
        // Nothing is there, so the actor tells itself to sleep. Before it does, another begins the entity, and a third
        // keeps the actor busy until that is durable.
        let busy = |_: View<'_, QuorumMachine>| std::thread::sleep(Duration::from_millis(300));
        drop(ask(&other, &other.kinds.quorums, &id("q"), begin(), |_| ()));
        drop(ask(&other, &other.kinds.quorums, &id("q"), Action::Read, busy));
    });
    asked.await.unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(host.kinds.quorums.awake(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_is_settled_soonest_first_a_batch_at_a_time_while_others_are_served() {
    use crate::core::voting::quorum::Event;
    use crate::shell::supervisor::timeouts::BATCH;
    const OVERDUE: usize = 3_000;
    let disk = MemoryStore::new();
    let runtime = Runtime::open(
        Config { clock: ClockConfig::Manual(Timestamp::EPOCH), ..Config::memory() },
        Arc::new(disk.reopen()),
    )
    .unwrap();
    let due = |n: usize| Duration::from_millis(1_000 + (n * 7_919 % OVERDUE) as u64);
    for n in 0..OVERDUE {
        let Action::Command(Command::Start(mut begin), key) = begin() else { panic!() };
        begin.timeout = due(n);
        let action = Action::Command(Command::Start(begin), key);
        ask(runtime.host(), &runtime.host().kinds.quorums, &id(&format!("q{n}")), action, |_| ())
            .await
            .unwrap();
    }
    runtime.end(Ending::Crash).unwrap();

    let store = Arc::new(disk.reopen());
    let runtime = Runtime::open(Config::memory(), store.clone()).unwrap();
    assert_eq!(runtime.report().tracked, OVERDUE);
    assert!(runtime.report().settled < OVERDUE, "{:?}", runtime.report());
    // Whoever asks for one that is not settled yet finds it settled, and whoever asks about all waits for them.
    let last = (0..OVERDUE).max_by_key(|n| due(*n)).unwrap();
    assert_eq!(state(&runtime, &format!("q{last}")).await.unwrap(), Some(QuorumState::TimedOut));
    runtime.settle().await;
    let records = wait(store.scan(OVERDUE as u64, 10 * OVERDUE)).unwrap();
    let ended: Vec<_> = records
        .iter()
        .filter(|record| record.stream.id.as_str() != format!("q{last}"))
        .filter_map(|record| match crate::journal::codec::decode::<Event>(&record.payload).unwrap() {
            Event::Closed(closed) => Some(closed.closed_at),
            _ => None,
        })
        .collect();
    assert_eq!(ended.len(), OVERDUE - 1);
    assert!(ended.is_sorted(), "what fell due first is closed first");
    // Those of one batch, and the one that was asked for.
    let most = runtime.host().most_awake();
    assert!(most <= BATCH + 1, "{most} awake at once");
    runtime.end(Ending::Clean).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_is_ahead_of_the_wall_clock_counts_the_time_in_which_nobody_served() {
    use crate::core::kernel::timeline::{Mark, Reading};
    let ahead = Duration::from_secs(7_200);
    let disk = MemoryStore::new();
    let noted = || recovery::noted(&disk).unwrap().unwrap();
    // A first life under a wall clock that is two hours ahead.
    Runtime::open(Config::memory(), Arc::new(disk.reopen())).unwrap().end(Ending::Clean).unwrap();
    let note = noted();
    let begun = Mark { at: note.mark.at.plus(ahead), ..note.mark };
    recovery::keep_note(&disk, &recovery::Note { mark: begun, ..note }, true);

    let runtime = Runtime::open(Config::memory(), Arc::new(disk.reopen())).unwrap();
    let offset = runtime.host().clock.off_by_us().unwrap();
    assert!((7_190_000_000..=7_200_000_000).contains(&offset), "{offset}");
    start(&runtime, "q").await;
    assert_eq!(state(&runtime, "q").await.unwrap(), Some(QuorumState::Open));
    runtime.end(Ending::Crash).unwrap();

    // Six seconds pass, by the wall clock of a machine that was booted meanwhile, or by that of one that was not and
    // whose wall clock was set back by an hour.
    let note = noted();
    let earlier = |by: Duration| Timestamp::from_micros(note.mark.host.wall.minus(by).as_micros());
    let booted = Reading { wall: earlier(Duration::from_secs(6)), uptime: None };
    let mut set_back =
        Reading { wall: note.mark.host.wall.plus(Duration::from_secs(3_600)), ..note.mark.host };
    let hosts = match &mut set_back.uptime {
        Some(uptime) if uptime.us > 6_000_000 => {
            uptime.us -= 6_000_000;
            vec![booted, set_back]
        }
        Some(_) | None => vec![booted],
    };
    for host in hosts {
        let mark = Mark { host, ..note.mark };
        recovery::keep_note(&disk, &recovery::Note { mark, ..note }, true);
        let runtime = Runtime::open(Config::memory(), Arc::new(disk.reopen())).unwrap();
        let away = runtime.host().away.began.since(note.mark.at);
        assert!(away >= Duration::from_secs(6) && away < Duration::from_secs(3_000), "{away:?}");
        assert_eq!(state(&runtime, "q").await.unwrap(), Some(QuorumState::TimedOut));
        runtime.end(Ending::Crash).unwrap();
    }
}

#[tokio::test]
async fn control_passes_ten_thousand_reads_that_wait_for_the_same_entity() {
    let runtime = open();
    start(&runtime, "q").await;
    let host = runtime.host();
    // While its memory is lent the entity does nothing, and everything waits.
    let (to, lent) = tokio::sync::oneshot::channel();
    host.kinds.quorums.lend(host, &id("q"), Lend { to }).unwrap();
    let loan = lent.await.unwrap();
    let done = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let turn = || {
        let done = done.clone();
        move |_: View<'_, QuorumMachine>| done.fetch_add(1, std::sync::atomic::Ordering::SeqCst)
    };
    let reads: Vec<_> =
        (0..10_000).map(|_| ask(host, &host.kinds.quorums, &id("q"), Action::Read, turn())).collect();
    let command = || {
        let cancel = Command::Cancel(Cancel { by: None, reason: None });
        ask(host, &host.kinds.quorums, &id("q"), Action::Command(cancel, None), turn())
    };
    let (first, second) = (command(), command());
    loan.give_back();
    assert_eq!((first.await.unwrap(), second.await.unwrap()), (0, 1), "commands keep their order");
    for (n, read) in reads.into_iter().enumerate() {
        assert_eq!(read.await.unwrap(), n + 2, "reads keep theirs");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_job_used_up_stays_used_up_when_the_wall_clock_is_set_back_between_two_lives() {
    use crate::api::dto::{HistoryQuery, JobProgress};
    use crate::core::kernel::timeline::{Mark, Reading};
    let secs = Duration::from_secs;
    for booted in [false, true] {
        let disk = MemoryStore::new();
        let open = || Quorate::open_with(Config::memory(), Arc::new(disk.reopen()));
        let shown = async |q: &Quorate| {
            let job = JobRef { job_id: id("j"), datacenter: None };
            q.jobs().status(job).await.unwrap().datacenters.remove(0)
        };
        let q = open().await.unwrap();
        let submit = SubmitJob { job_id: Some(id("j")), timeout_seconds: Some(30.0), ..SubmitJob::default() };
        q.jobs().submit(submit).await.unwrap();
        let got_on: JobProgress = serde_json::from_value(serde_json::json!({ "job_id": "j" })).unwrap();
        q.jobs().progress(got_on).await.unwrap();
        let before = shown(&q).await;
        q.crash().await;
        // It served until eleven seconds after the submission. Then the wall clock was set back by a thousand, on a machine
        // that went on or was booted meanwhile.
        let note = recovery::noted(&disk).unwrap().unwrap();
        let died = before.started_at.plus(secs(11));
        let wall = note.mark.host.wall.plus(secs(11 + 1_000));
        let uptime = note.mark.host.uptime.filter(|_| !booted);
        let mark = Mark { at: died, host: Reading { wall, uptime } };
        recovery::keep_note(&disk, &recovery::Note { alive: died, mark, ..note }, true);

        let q = open().await.unwrap();
        let after = shown(&q).await;
        assert_eq!((after.ended_at, after.deadline), (None, before.deadline), "{after:?}");
        assert!((11.0..30.0).contains(&after.elapsed_seconds), "{booted}: {after:?}");
        assert!(after.fence_token > before.fence_token);
        // Each jump of the clock leaves its own record, and moves nothing.
        let steps = async |q: &Quorate| {
            let query = HistoryQuery { event: Some("clock_stepped".into()), ..HistoryQuery::default() };
            let events = q.history().query(query).await.unwrap().events;
            let seconds = |us: i64| (us + 500_000).div_euclid(1_000_000);
            events.iter().map(|event| seconds(event.data["by_us"].as_i64().unwrap())).collect::<Vec<_>>()
        };
        let known = steps(&q).await.len();
        q.host().clock.step(3_600_000_000);
        // Where it stands against the true one.
        q.host().clock.step(-3_600_000_000);
        assert_eq!(shown(&q).await.deadline, before.deadline);
        assert_eq!(steps(&q).await[known..], [3_600, -7_200]);
        q.close().await.unwrap();
    }
}
