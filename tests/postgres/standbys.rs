//! A primary and two standbys of which a commit waits for one: owners, primaries and standbys are killed, stopped and cut off
//! under load, and cases are planted in which a database acknowledges what it will not keep.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use quorate_core::kernel::rng::Rng;
use quorate_core::kernel::time::Timestamp;
use quorate_journal::codec::decode;
use quorate_journal::group::GroupHeader;
use quorate_journal::stores::DatabaseUrl;
use quorate_journal::stores::check::CheckStatus;
use quorate_journal::stores::postgres::examine;
use quorate_journal::{Fault, VerifyCursor};

use super::nodes::Nodes;
use super::support::{Load, now, open};

/// Where a child finds its database, and what it is called.
const URL: &str = "QUORATE_STANDBY_CHILD";
const NAME: &str = "QUORATE_STANDBY_NAME";
/// What is done in turn.
const DEEDS: [&str; 8] = [
    "the owner is killed",
    "the owner is stopped past its lease",
    "the primary is killed",
    "the primary is stopped, and wakes up beside another one",
    "a standby is killed",
    "the primary is cut off, and goes on beside another one",
    "the owner's connections are cut",
    "the wait for standbys is cancelled",
];

fn rounds() -> usize {
    let set = std::env::var("QUORATE_STANDBY_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    set.unwrap_or(DEEDS.len())
}

fn pause(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

/// Does nothing unless it was started by the test below: commits and says so until something is wrong.
#[test]
fn the_child_commits_as_long_as_it_owns_the_journal() {
    let (Ok(url), Ok(name)) = (std::env::var(URL), std::env::var(NAME)) else { return };
    let tell = |line: String| {
        let mut out = std::io::stdout().lock();
        out.write_all(format!("\n{line}\n").as_bytes()).unwrap();
        out.flush().unwrap();
    };
    let store = match open(&url) {
        Ok(store) => store,
        Err(fault) => return tell(format!("FAULT {fault}")),
    };
    let epoch = loop {
        match now(store.acquire(&name)) {
            Ok(epoch) => break epoch,
            Err(Fault::Locked { .. }) => pause(100),
            Err(fault) => return tell(format!("FAULT {fault}")),
        }
    };
    tell(format!("EPOCH {epoch}"));
    let mut load = Load::new(&name);
    load.position = now(store.tip()).unwrap().position;
    loop {
        match load.commit(&*store, epoch, 1 + load.next % 5) {
            Ok(()) => tell(format!("ACK {}", load.next)),
            Err(fault) => return tell(format!("FAULT {fault}")),
        }
        pause(1);
    }
}

/// What a child said.
#[derive(Clone, Debug, Default)]
struct Told {
    epoch: Option<u64>,
    acknowledged: usize,
    fault: Option<String>,
}

struct Owner {
    child: Child,
    name: String,
    told: Arc<Mutex<Told>>,
    listener: Option<std::thread::JoinHandle<()>>,
}

impl Owner {
    fn start(url: &str, number: usize) -> Owner {
        let name = format!("life-{number}");
        let test = "standbys::the_child_commits_as_long_as_it_owns_the_journal";
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture", "--test-threads=1"])
            .env(URL, url)
            .env(NAME, &name)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let told = Arc::new(Mutex::new(Told::default()));
        let (lines, heard) = (BufReader::new(child.stdout.take().unwrap()).lines(), told.clone());
        let listener = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut told = heard.lock().unwrap();
                match line.split_once(' ') {
                    Some(("EPOCH", epoch)) => told.epoch = epoch.parse().ok(),
                    Some(("ACK", all)) => told.acknowledged = all.parse().unwrap(),
                    Some(("FAULT", fault)) => told.fault = Some(fault.to_owned()),
                    _ => {}
                }
            }
        });
        Owner { child, name, told, listener: Some(listener) }
    }

    fn told(&self) -> Told {
        self.told.lock().unwrap().clone()
    }

    fn signal(&self, name: &str) {
        let _ = Command::new("kill").args([name, &self.child.id().to_string()]).output();
    }

    /// Kills it, if it is there still, and answers everything it said.
    fn end(mut self) -> (String, Told) {
        self.signal("-KILL");
        self.child.wait().unwrap();
        self.listener.take().unwrap().join().unwrap();
        (self.name.clone(), self.told())
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

/// Two processes, of which one owns the journal; who ends is started again under another name.
struct Owners {
    url: String,
    alive: Vec<Owner>,
    ended: Vec<(String, Told)>,
    started: usize,
}

impl Owners {
    fn mind(&mut self) {
        for at in (0..self.alive.len()).rev() {
            if self.alive[at].child.try_wait().unwrap().is_some() {
                self.ended.push(self.alive.remove(at).end());
            }
        }
        while self.alive.len() < 2 {
            self.started += 1;
            self.alive.push(Owner::start(&self.url, self.started));
        }
    }

    fn acknowledged(&self) -> usize {
        let alive = self.alive.iter().map(|owner| owner.told().acknowledged);
        alive.chain(self.ended.iter().map(|(_, told)| told.acknowledged)).sum()
    }

    /// Which of the living has the highest epoch.
    fn owner(&self) -> usize {
        (0..self.alive.len()).max_by_key(|at| self.alive[*at].told().epoch).unwrap()
    }

    /// Waits until more is acknowledged than before.
    fn go_on(&mut self, after: &str) {
        let before = self.acknowledged();
        for _ in 0..1_200 {
            self.mind();
            if self.acknowledged() > before + 20 {
                return;
            }
            pause(50);
        }
        panic!("nothing more is acknowledged after: {after}");
    }
}

fn deed(number: usize, nodes: &mut Nodes, owners: &mut Owners, rng: &mut Rng) {
    let long = rng.next_u64() % 1_000;
    // Longer than an answer is waited for, now and then.
    let beside = if rounds() > DEEDS.len() && long > 800 { 11_000 } else { long };
    let standbys = nodes.standbys();
    let one = &nodes.all[standbys[usize::from(long.is_multiple_of(2))]];
    match number {
        0 => owners.alive[owners.owner()].signal("-KILL"),
        1 => {
            let at = owners.owner();
            owners.alive[at].signal("-STOP");
            pause(800 + long);
            owners.alive[at].signal("-CONT");
        }
        2 => {
            nodes.primary().kill();
            let former = nodes.fail_over();
            nodes.rejoin(former);
        }
        3 => {
            nodes.primary().stop();
            let former = nodes.fail_over();
            nodes.all[former].wake();
            pause(beside);
            nodes.all[former].kill();
            nodes.rejoin(former);
        }
        4 => {
            one.kill();
            pause(long);
            one.go();
            nodes.whole();
        }
        5 => {
            let _never_healed = nodes.cut();
            pause(long);
            let former = nodes.fail_over();
            pause(beside);
            nodes.all[former].kill();
            nodes.rejoin(former);
        }
        6 => {
            for _ in 0..4 {
                nodes.primary().disturb("pg_terminate_backend", "true");
                pause(long / 4);
            }
        }
        _ => {
            let heal = nodes.cut();
            pause(200);
            let how = if long < 500 { "pg_cancel_backend" } else { "pg_terminate_backend" };
            nodes.primary().disturb(how, "wait_event = 'SyncRep'");
            pause(long);
            if long.is_multiple_of(2) {
                heal();
                nodes.whole();
            } else {
                let former = nodes.fail_over();
                nodes.all[former].kill();
                nodes.rejoin(former);
            }
        }
    }
}

/// Everything that was acknowledged is there once, in the epoch of its owner, and epochs only grow.
fn check(url: &str, lives: &BTreeMap<String, Told>) -> (usize, usize) {
    let store = open(url).unwrap();
    let step = now(store.verify(VerifyCursor::default(), usize::MAX)).unwrap();
    assert_eq!((step.done, step.broken), (true, None));
    let groups = now(store.groups(0, usize::MAX)).unwrap();
    let groups: Vec<_> = groups.iter().map(|group| GroupHeader::parse(group).unwrap()).collect();
    assert!(
        groups.windows(2).all(|pair| pair[0].epoch <= pair[1].epoch),
        "an older epoch behind a newer one"
    );
    let mut found: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    let mut owners: BTreeMap<u64, String> = BTreeMap::new();
    let records = now(store.scan(0, usize::MAX)).unwrap();
    for record in &records {
        let life = record.stream.id.as_str().rsplit_once('-').unwrap().0.to_owned();
        let event: String = decode(&record.payload).unwrap();
        let number = event.strip_prefix("event ").unwrap().parse().unwrap();
        assert!(found.entry(life.clone()).or_default().insert(number), "{life}: {event} twice");
        let group = groups.partition_point(|group| group.first_position <= record.position) - 1;
        let epoch = groups[group].epoch;
        assert_eq!(*owners.entry(epoch).or_insert_with(|| life.clone()), life, "two owners in epoch {epoch}");
        assert_eq!(lives[&life].epoch, Some(epoch), "{life}: {event} in another epoch than its own");
    }
    for (life, told) in lives {
        let there = found.get(life).map_or(0, BTreeSet::len);
        assert!(there >= told.acknowledged, "{life}: {there} of {} acknowledged", told.acknowledged);
        let complete = (0..there).all(|number| found[life].contains(&number));
        assert!(complete, "{life}: a gap in what is there");
    }
    (owners.len(), records.len())
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_when_owner_primary_and_standbys_are_killed_stopped_and_cut_off() {
    let Some(mut nodes) = Nodes::start() else { return };
    let seed = std::env::var("QUORATE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or(std::process::id().into());
    println!("QUORATE_SEED={seed}");
    let mut rng = Rng::new(seed);
    let url = nodes.fresh();
    // The tables.
    drop(open(&url).unwrap());
    let mut owners = Owners { url: url.clone(), alive: Vec::new(), ended: Vec::new(), started: 0 };
    owners.go_on("the start");
    let mut done = [0; DEEDS.len()];
    for round in 0..rounds() {
        // Each once, then at random.
        let number = if round < DEEDS.len() {
            (round + usize::try_from(seed % 8).unwrap()) % DEEDS.len()
        } else {
            usize::try_from(rng.next_u64() % DEEDS.len() as u64).unwrap()
        };
        println!("round {round}: {}", DEEDS[number]);
        deed(number, &mut nodes, &mut owners, &mut rng);
        done[number] += 1;
        owners.go_on(DEEDS[number]);
    }
    let Owners { alive, mut ended, .. } = owners;
    ended.extend(alive.into_iter().map(Owner::end));
    let acknowledged: usize = ended.iter().map(|(_, told)| told.acknowledged).sum();
    let lives: BTreeMap<_, _> = ended.into_iter().collect();
    for (life, told) in &lives {
        println!("{life}: {told:?}");
    }
    let (epochs, records) = check(&url, &lives);
    println!("{} rounds: {acknowledged} acknowledged, {records} recorded, {epochs} epochs", rounds());
    for (deed, count) in DEEDS.iter().zip(done) {
        println!("{count:4}  {deed}");
    }
}

fn doctor(url: &str, name: &str) -> CheckStatus {
    let checks = examine(&DatabaseUrl::of(url).unwrap(), || Timestamp::EPOCH).unwrap();
    checks.iter().find(|check| check.check == name).unwrap_or_else(|| panic!("{name}: {checks:?}")).status
}

#[test]
fn a_database_that_acknowledges_alone_is_not_believed() {
    let Some(mut nodes) = Nodes::start() else { return };
    let url = nodes.fresh();
    let schema = url.rsplit_once("%3D").unwrap().1.to_owned();
    let store = open(&url).unwrap();
    let epoch = now(store.acquire("a")).unwrap();
    let mut load = Load::new("q");
    load.commit(&*store, epoch, 3).unwrap();
    // A replica is not read.
    let replica = nodes.all[nodes.standbys()[0]].within(&schema);
    let read = open(&replica).err();
    assert!(matches!(read, Some(Fault::Config { knob: "pg_is_in_recovery", .. })), "{read:?}");
    assert_eq!(doctor(&replica, "primary"), CheckStatus::Fail);
    assert_eq!(doctor(&url, "synchronous standby"), CheckStatus::Ok);
    // The wait is given up without a word of a standby, as Patroni does that is not strict: the primary goes on alone.
    let heal = nodes.cut();
    let (kept, former) = std::thread::scope(|scope| {
        let committing = scope.spawn(|| load.commit(&*store, epoch, 2));
        pause(700);
        assert!(!committing.is_finished());
        nodes.primary().set("synchronous_standby_names", "");
        pause(700);
        assert!(!committing.is_finished(), "what the primary alone has was acknowledged");
        let alone = nodes.primary().within(&schema);
        assert_eq!(doctor(&alone, "synchronous standby"), CheckStatus::Fail);
        // The other one knows nothing of it; both take writes.
        let former = nodes.fail_over();
        (committing.join().unwrap(), former)
    });
    kept.unwrap();
    load.commit(&*store, epoch, 2).unwrap();
    load.check(&*store);
    load.check(&*open(&nodes.primary().within(&schema)).unwrap());
    // Both take writes still. Wherever the next connections begin, nothing is read at the former one.
    for _ in 0..4 {
        let heal = nodes.cut();
        std::thread::scope(|scope| {
            let committing = scope.spawn(|| load.commit(&*store, epoch, 1));
            while nodes.primary().disturb("pg_terminate_backend", "wait_event = 'SyncRep'") == 0 {
                pause(20);
            }
            heal();
            committing.join().unwrap().unwrap();
        });
        load.check(&*store);
    }
    heal();
    nodes.all[former].kill();
    nodes.rejoin(former);
    load.commit(&*store, epoch, 2).unwrap();
    // Somebody cancels the wait of a commit.
    let heal = nodes.cut();
    std::thread::scope(|scope| {
        let committing = scope.spawn(|| load.clone().commit(&*store, epoch, 1));
        while nodes.primary().disturb("pg_cancel_backend", "wait_event = 'SyncRep'") == 0 {
            pause(20);
        }
        let Err(Fault::Unavailable { reason }) = committing.join().unwrap() else { panic!("acknowledged") };
        assert!(reason.contains("was cancelled"), "{reason}");
    });
    heal();
    nodes.whole();
    drop(store);
    // And of a take-over: an epoch that only the primary knows could be given again by the next one.
    let store = open(&url).unwrap();
    let heal = nodes.cut();
    std::thread::scope(|scope| {
        let taking = scope.spawn(|| now(store.acquire("b")));
        while nodes
            .primary()
            .disturb("pg_cancel_backend", "query LIKE 'UPDATE%epoch + 1%' AND wait_event = 'SyncRep'")
            == 0
        {
            pause(20);
        }
        pause(500);
        assert!(!taking.is_finished(), "an epoch was given that no standby has heard of");
        heal();
        assert_eq!(taking.join().unwrap(), Ok(epoch + 2));
    });
}
