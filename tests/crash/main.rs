//! Does a process killed at any instant come back with everything it acknowledged, and nothing twice?
//!
//! The parent starts this same program as a child that votes under load on a sled store and prints a line for every
//! acknowledgement; it kills the child (SIGKILL) at a random instant, opens the store itself and checks it against
//! what was printed. The same folder goes through many lives.

mod approvals;
mod audit;
#[path = "../support/books.rs"]
mod books;
mod child;
#[path = "../support/postgres.rs"]
mod postgres;
#[path = "../powerloss/shim.rs"]
mod shim;
#[path = "../support/work.rs"]
mod work;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use quorate::{Quorate, StartQuorum};
use quorate_core::kernel::ids::{EntityId, StreamId, StreamKind};
use quorate_core::kernel::rng::Rng;
use quorate_core::voting::quorum::Event;
use quorate_journal::Due;
use quorate_journal::codec::{AppendBuilder, decode};
use quorate_runtime::config::Config;

use audit::{Acknowledged, audit};
use child::config;

/// Where a child finds how far its wall clock is moved.
const CLOCK: &str = "QUORATE_SHIM_CLOCK";

/// How many kills there are, of each kind: a multiple of [`LIVES`]. Without it, so many as everybody can wait for.
const KILLS: &str = "QUORATE_KILLS";
/// Lives of one folder.
const LIVES: usize = 10;
/// Each fifth of them lives until a large quorum is acknowledged.
const UNTIL_CROWDED: usize = 5;

fn kills() -> usize {
    std::env::var(KILLS).map_or(4 * LIVES, |kills| kills.parse().unwrap()).next_multiple_of(LIVES)
}

/// Something that happens to a child before it is killed.
#[derive(Clone, Copy, Debug)]
enum Disturbance {
    /// It stands still for so long.
    Pause(Duration),
    /// Its wall clock moves by so many milliseconds.
    ClockStep(i64),
}

/// What happens to a child from its first acknowledgement on, or its first of a large quorum, each after a wait.
#[derive(Debug, Default)]
struct Plan {
    /// It is left alone until it acknowledged a large quorum.
    crowded: bool,
    before: Vec<(Duration, Disturbance)>,
    /// When it is killed.
    kill: Duration,
}

impl Plan {
    fn kill_after(kill: Duration) -> Self {
        Plan { kill, ..Plan::default() }
    }

    /// Pauses and clock steps in random order.
    fn disturbed(rng: &mut Rng) -> Self {
        let mut below = |n: u64| rng.next_u64() % n;
        let before = (0..1 + below(4))
            .map(|_| {
                let disturbance = match below(2) {
                    0 => Disturbance::Pause(Duration::from_millis(1 + below(60))),
                    _ => Disturbance::ClockStep(below(20_000) as i64 - 10_000),
                };
                (Duration::from_micros(below(20_000)), disturbance)
            })
            .collect();
        Plan { before, kill: Duration::from_micros(below(20_000)), crowded: false }
    }

    fn carry_out(self, pid: u32, clock: &Path) {
        let signal = |name: &str| Command::new("kill").args([name, &pid.to_string()]).status().unwrap();
        let mut moved = 0;
        for (wait, disturbance) in self.before {
            std::thread::sleep(wait);
            match disturbance {
                Disturbance::Pause(time) => {
                    signal("-STOP");
                    std::thread::sleep(time);
                    signal("-CONT");
                }
                Disturbance::ClockStep(ms) => {
                    moved += ms * 1_000_000;
                    let file = std::fs::File::options().write(true).open(clock).unwrap();
                    std::os::unix::fs::FileExt::write_all_at(&file, &i64::to_le_bytes(moved), 0).unwrap();
                }
            }
        }
        std::thread::sleep(self.kill);
        signal("-9");
    }
}

/// Runs a child on `folder` and kills it by plan, from its first acknowledgement on. Adds what it printed to
/// `acknowledged`.
fn live_and_die(
    folder: &Path,
    life: usize,
    early: bool,
    plan: Plan,
    acknowledged: &mut BTreeSet<Acknowledged>,
) {
    let clock = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(clock.path(), 0i64.to_le_bytes()).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    if !plan.before.is_empty()
        && let Some(library) = shim::library()
    {
        command.env("LD_PRELOAD", library).env(CLOCK, clock.path());
    }
    let mut child = command
        .args(["child::the_child_votes_until_it_is_killed", "--exact", "--nocapture", "--test-threads=1"])
        .env(child::FOLDER, folder)
        .env(child::LIFE, life.to_string())
        .env(child::EARLY, if early { "1" } else { "0" })
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut killer, mut plan) = (None, Some(plan));
    for line in lines.map_while(Result::ok) {
        // A line cut off by the kill is no acknowledgement anybody read.
        let Some(told) = Acknowledged::parse(&line) else { continue };
        let crowd = matches!(told, Acknowledged::Keyed(_, true));
        acknowledged.insert(told);
        if let Some(plan) = plan.take_if(|plan| crowd || !plan.crowded) {
            let (pid, clock) = (child.id(), clock.path().to_owned());
            killer = Some(std::thread::spawn(move || plan.carry_out(pid, &clock)));
        }
    }
    let status = child.wait().unwrap();
    assert!(killer.is_some(), "the child acknowledged nothing: {status}");
    killer.unwrap().join().unwrap();
    assert!(!status.success(), "the child ended by itself");
}

async fn check(folder: &Path, acknowledged: &BTreeSet<Acknowledged>) -> Result<(), String> {
    let q = Quorate::open(config(folder)).await.map_err(|e| e.to_string())?;
    let sound = audit(&q, acknowledged).await;
    q.close().await.map_err(|e| e.to_string())?;
    sound
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_or_counted_twice_in_many_kills() {
    many_kills("sled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_or_counted_twice_in_kills_on_a_folder_of_fjall() {
    many_kills("fjall").await;
}

async fn many_kills(store: &str) {
    let (kills, seed) = (kills(), std::process::id().into());
    println!("seed {seed}");
    let mut rng = Rng::new(seed);
    let (mut votes, mut answers, mut grants, mut jobs, mut crowds) = (0, 0, 0, 0, 0);
    for _ in 0..kills / LIVES {
        let folder = tempfile::tempdir().unwrap();
        // Of the store that stands there, each life is.
        Quorate::open(Config { store: store.into(), ..Config::at(folder.path()) })
            .await
            .unwrap()
            .close()
            .await
            .unwrap();
        let mut acknowledged = BTreeSet::new();
        for life in 0..LIVES {
            let crowded = life % UNTIL_CROWDED == 2;
            let after = Duration::from_micros(rng.next_u64() % 60_000);
            let plan = Plan { crowded, ..Plan::kill_after(after) };
            live_and_die(folder.path(), life, false, plan, &mut acknowledged);
            // Every fourth life is checked in depth; the next child recovers in any case.
            if life % 4 == 3
                && let Err(broken) = check(folder.path(), &acknowledged).await
            {
                panic!("after life {life}, killed {after:?} after its first acknowledgement: {broken}");
            }
        }
        grants += audit::all_comes_back(folder.path()).await.unwrap_or_else(|broken| panic!("{broken}"));
        votes += acknowledged.len();
        crowds += acknowledged.iter().filter(|told| matches!(told, Acknowledged::Keyed(_, true))).count();
        jobs += acknowledged.iter().filter(|told| matches!(told, Acknowledged::Job(..))).count();
        answers += acknowledged.iter().filter(|told| matches!(told, Acknowledged::Answer(..))).count();
    }
    println!("{crowds} large quorums, {jobs} jobs, {answers} answers, {grants} grants");
    assert!(crowds >= kills / UNTIL_CROWDED, "large quorums were started {crowds} times");
    assert!(jobs > kills, "something was done about jobs {jobs} times");
    assert!(answers > kills, "agents answered {answers} times");
    assert!(grants > kills, "capacity was granted {grants} times");
    println!("{kills} kills, {votes} acknowledgements, all there, none twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_or_counted_twice_in_kills_on_a_database() {
    let Some(server) = postgres::server() else { return };
    let (kills, seed) = (kills() / 4, std::process::id().into());
    println!("seed {seed}");
    let mut rng = Rng::new(seed);
    let place = PathBuf::from(server.fresh());
    let mut acknowledged = BTreeSet::new();
    for life in 0..kills {
        let after = Duration::from_micros(rng.next_u64() % 200_000);
        live_and_die(&place, life, false, Plan::kill_after(after), &mut acknowledged);
        if life % 4 == 3
            && let Err(broken) = check(&place, &acknowledged).await
        {
            panic!("after life {life}, killed {after:?} after its first acknowledgement: {broken}");
        }
    }
    audit::all_comes_back(&place).await.unwrap_or_else(|broken| panic!("{broken}"));
    println!("{kills} kills, {} acknowledgements, all there, none twice", acknowledged.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_in_kills_after_pauses_and_clock_steps() {
    let (kills, seed) = (kills(), std::process::id().into());
    println!("seed {seed}");
    let mut rng = Rng::new(seed);
    let mut told = 0;
    for _ in 0..kills / LIVES {
        let folder = tempfile::tempdir().unwrap();
        let mut acknowledged = BTreeSet::new();
        for life in 0..LIVES {
            let plan = Plan::disturbed(&mut rng);
            let about = format!("{plan:?}");
            live_and_die(folder.path(), life, false, plan, &mut acknowledged);
            if life % 3 == 2
                && let Err(broken) = check(folder.path(), &acknowledged).await
            {
                panic!("after life {life}, {about}: {broken}");
            }
        }
        audit::all_comes_back(folder.path()).await.unwrap_or_else(|broken| panic!("{broken}"));
        told += acknowledged.len();
    }
    println!("{kills} kills after pauses and clock steps, {told} acknowledgements, all there, none twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_net_catches_a_child_that_acknowledges_before_the_flush() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeSet::new();
    for life in 0..40 {
        let plan = Plan::kill_after(Duration::from_millis(3));
        live_and_die(folder.path(), life, true, plan, &mut acknowledged);
        if let Err(broken) = check(folder.path(), &acknowledged).await {
            assert!(broken.starts_with("lost"), "{broken}");
            return;
        }
    }
    panic!("a planted acknowledgement before the flush went unnoticed in 40 kills");
}

/// Plants what a bug would leave behind: the last vote of a quorum recorded once more.
async fn append_the_last_record_again(folder: &Path, quorum: &EntityId) {
    let entry = quorate_journal::stores::STORES.iter().find(|entry| entry.name == "sled").unwrap();
    let store = (entry.open)(&Config::at(folder).store_options).unwrap();
    let epoch = store.acquire("a planted bug").await.unwrap();
    let stream = StreamId::new(StreamKind::Quorum, quorum.clone());
    let head = store.head(&stream).await.unwrap().unwrap();
    let last = store.read(&stream, head.revision - 1, 1).await.unwrap().remove(0);
    let event: Event = decode(&last.payload).unwrap();
    let mut append = AppendBuilder::new(stream, head.revision, head.hash);
    append.push(last.at, &event).unwrap();
    store.commit(epoch, last.at, &[append.finish(Due::Unchanged, None)]).await.unwrap();
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_net_catches_a_vote_applied_twice_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let q = Quorate::open(Config::at(folder.path())).await.unwrap();
    let start = StartQuorum::global().with_voters(["a", "b", "c"]).unwrap();
    let started = q.quorums().start(start).await.unwrap();
    q.quorums().vote(quorate::Vote::new(&started.quorum_id, "a", false).unwrap()).await.unwrap();
    q.crash().await;
    assert!(check(folder.path(), &BTreeSet::new()).await.is_ok());
    append_the_last_record_again(folder.path(), &started.quorum_id).await;
    let broken = check(folder.path(), &BTreeSet::new()).await.unwrap_err();
    assert!(broken.starts_with("twice"), "{broken}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_open_quorums_are_tracked_again_and_the_overdue_closed_as_of_their_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let q = Quorate::open(Config::at(folder.path())).await.unwrap();
    let open = |n: usize| {
        let q = q.clone();
        async move {
            // One in ten falls due a moment after the kill.
            let timeout = if n.is_multiple_of(10) { 0.5 } else { 3_600.0 };
            let request = StartQuorum { timeout_seconds: Some(timeout), ..StartQuorum::ring(1) };
            (n.is_multiple_of(10), q.quorums().start(request).await.unwrap())
        }
    };
    let mut short = Vec::new();
    for chunk in 0..100 {
        let tasks: Vec<_> = (0..1000).map(|n| tokio::spawn(open(chunk * 1000 + n))).collect();
        for task in tasks {
            let (is_short, started) = task.await.unwrap();
            if is_short {
                short.push(started);
            }
        }
    }
    let before = q.quorums().stats().await.unwrap();
    assert_eq!(before.active_quorums + before.timed_out_quorums, 100_000);
    q.crash().await;
    tokio::time::sleep(Duration::from_millis(600)).await;

    let q = Quorate::open(Config::at(folder.path())).await.unwrap();
    let report = q.recovery_report().clone();
    assert_eq!(q.health().tracked_deadlines, 90_000, "{report:?}");
    let stats = q.quorums().stats().await.unwrap();
    assert_eq!((stats.active_quorums, stats.timed_out_quorums), (90_000, 10_000));
    for started in short.iter().step_by(97) {
        let status = q.quorums().status(&started.quorum_id).await.unwrap();
        assert_eq!(status.closed_at, Some(started.deadline));
        assert_eq!(status.elapsed_seconds, 0.5);
        assert!(status.noticed_at > status.closed_at);
    }
    q.close().await.unwrap();
}
