//! What becomes of a damaged folder?
//!
//! A child fills a store and is closed or killed; copies of its folder are damaged, each in one way: a flipped bit, noise,
//! a block of zeros, a file cut short, removed, exchanged with another store's or another of its own, or put back to an
//! older copy. Each is then opened and checked against everything that was acknowledged. It must all be there, or a typed
//! error must name the damage: never silently less, never a panic, never a hang.
//!
//! `QUORATE_DRILL_DAMAGES=2000 cargo test --test drill` makes a long run. The counts by kind are printed.

#[path = "../crash/audit.rs"]
mod audit;
#[path = "../support/books.rs"]
mod books;
#[path = "../crash/child.rs"]
mod child;
mod damage;
#[path = "../support/warden.rs"]
mod warden;
#[path = "../support/work.rs"]
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quorate::Quorate;
use quorate_core::kernel::rng::Rng;
use quorate_core::kernel::time::Timestamp;
use quorate_runtime::config::{ClockConfig, Config};

use audit::{Acknowledged, all_comes_back, audit};
use damage::{Damage, KINDS, copy_dir};
use warden::{End, again, say, scratch, watch};

const HOME: &str = "QUORATE_DRILL_HOME";
const PART: &str = "QUORATE_DRILL_PART";
const DAMAGES: &str = "QUORATE_DRILL_DAMAGES";

/// Damages of one process.
const CHUNK: usize = 50;
/// A process that says nothing for so long hangs.
const PATIENCE: Duration = Duration::from_secs(120);

const SILENT: &str = "SILENTLY LESS";

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// One life of a folder: so many rounds and closed, or killed after so many acknowledgements. Adds what was
/// acknowledged to `home/acknowledged`.
fn live(home: &Path, store: &str, folder: &str, life: usize, rounds: Option<usize>, kill_after: usize) {
    let mut command = again("child::the_child_votes_until_it_is_killed");
    command
        .env(child::FOLDER, home.join(folder))
        .env(child::STORE, store)
        // So few that tables are written all the time.
        .env(child::SLOTS, if store == "fjall" { "16" } else { "8192" })
        .env(child::LIFE, format!("{folder}-{life}"))
        .env(child::EARLY, "0");
    if let Some(rounds) = rounds {
        command.env(child::ROUNDS, rounds.to_string());
    }
    use std::io::{BufRead, BufReader};
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut told = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        if Acknowledged::parse(&line).is_some() {
            told.push(line);
        }
        if rounds.is_none() && told.len() == kill_after {
            child.kill().unwrap();
        }
    }
    let status = child.wait().unwrap();
    assert_eq!(rounds.is_some(), status.success(), "{status}");
    let path = home.join(format!("{folder}.acknowledged"));
    let before = fs::read_to_string(&path).unwrap_or_default();
    fs::write(path, before + &told.join("\n") + "\n").unwrap();
}

/// A store with a long life behind it, an older copy of it, and another store.
fn make(home: &Path, store: &str, closed: bool) {
    live(home, store, "base", 1, Some(220), 0);
    copy_dir(&home.join("base"), &home.join("old"));
    live(home, store, "base", 2, closed.then_some(120), 700);
    live(home, store, "other", 1, Some(100), 0);
}

/// What became of one damaged folder, and in which words.
async fn outcome(
    folder: &Path,
    acknowledged: &BTreeSet<Acknowledged>,
    clock: Timestamp,
    deep: bool,
) -> (&'static str, String) {
    let config = Config { clock: ClockConfig::Manual(clock), ..child::config(folder) };
    let q = match Quorate::open(config).await {
        Err(e) => return ("refused", format!("{}: {e}", e.kind().name())),
        Ok(q) => q,
    };
    let dropped = q.recovery_report().clone();
    let audited = audit(&q, acknowledged).await;
    q.crash().await;
    let audited = match audited {
        Ok(()) if deep => all_comes_back(folder).await.map(drop).map_err(|why| format!("a day later: {why}")),
        other => other,
    };
    match audited {
        Ok(()) => ("all there", String::new()),
        Err(why) if why.starts_with("chain broken") => ("told by verify", why),
        Err(why) if why.contains("damaged") => ("told when read", why),
        Err(why) => (SILENT, format!("{why}; {dropped:?}")),
    }
}

/// Does nothing unless it was started by another test.
#[test]
fn a_part_of_the_damages() {
    let (Ok(home), Ok(part)) = (std::env::var(HOME), std::env::var(PART)) else { return };
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        before(panic);
    }));
    let home = Path::new(&home);
    let fields: Vec<u64> = part.split(' ').map(|field| field.parse().unwrap()).collect();
    let [clock, seed, first, count] = fields[..] else { panic!("{part}") };
    let clock = Timestamp::from_micros(clock as i64);
    let told = fs::read_to_string(home.join("base.acknowledged")).unwrap();
    let acknowledged: BTreeSet<_> = told.lines().filter_map(Acknowledged::parse).collect();
    let place = scratch();
    for number in first..first + count {
        let mut rng = Rng::new(seed ^ number << 24);
        let folder = place.path().join("t");
        copy_dir(&home.join("base"), &folder);
        let Some(damage) = Damage::any(home, KINDS[number as usize % KINDS.len()], &mut rng) else {
            fs::remove_dir_all(&folder).unwrap();
            say(&format!("-|none|nothing to damage|{number}"));
            continue;
        };
        damage.apply(home, &folder);
        let panics = PANICS.load(Ordering::Relaxed);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let patience = Duration::from_secs(60);
        let ended = runtime.block_on(async {
            tokio::time::timeout(patience, outcome(&folder, &acknowledged, clock, number % 8 == 0)).await
        });
        runtime.shutdown_timeout(Duration::from_secs(5));
        let (kind, why) = ended.unwrap_or_else(|_| ("HANGS", String::new()));
        let panicked = PANICS.load(Ordering::Relaxed) - panics;
        let kind = if panicked > 0 { "PANICS" } else { kind };
        let why = if panicked > 0 { format!("{panicked} panics, then {why}") } else { why };
        say(&format!("{}|{kind}|{damage}|{why}", damage.kind.name()));
        fs::remove_dir_all(&folder).unwrap();
    }
}

/// Outcomes by kind of damage, and an example of each.
#[derive(Default)]
struct Counts {
    by_kind: BTreeMap<(String, String), usize>,
    examples: BTreeMap<String, Vec<String>>,
}

impl Counts {
    fn add(&mut self, kind: &str, outcome: &str, example: String) {
        *self.by_kind.entry((kind.to_owned(), outcome.to_owned())).or_default() += 1;
        let examples = self.examples.entry(outcome.to_owned()).or_default();
        let most = if outcome.chars().any(char::is_lowercase) { 3 } else { 30 };
        if examples.len() < most {
            examples.push(example);
        }
    }

    fn print(&self, about: &str) {
        println!("{about}");
        for ((kind, outcome), n) in &self.by_kind {
            println!("  {kind:12} {outcome:15} {n:5}");
        }
        for (outcome, examples) in &self.examples {
            examples.iter().for_each(|example| println!("  e.g. {outcome}: {example}"));
        }
    }

    /// Outcomes written in capitals are those that must not be.
    fn wrong(&self) -> usize {
        let wrong = self.by_kind.iter().filter(|((_, outcome), _)| !outcome.chars().any(char::is_lowercase));
        wrong.map(|(_, n)| n).sum()
    }
}

#[expect(clippy::disallowed_methods, reason = "an image is opened a day after it was made")]
fn drill(store: &str, closed: bool, count: usize) {
    let home = scratch();
    make(home.path(), store, closed);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let fresh = u64::from(std::process::id());
    let about = if closed { "closed folder" } else { "killed folder" };
    println!("{store}, {about}: seed {fresh}");
    let mut counts = Counts::default();
    for first in (0..count).step_by(CHUNK) {
        let n = CHUNK.min(count - first);
        // Half of them are the same every time, the others never again.
        let seed = if first * 2 < count { 1 } else { fresh };
        let part = format!("{} {seed} {first} {n}", since.as_micros());
        let mut command = again("a_part_of_the_damages");
        command.env(HOME, home.path()).env(PART, &part).env(child::STORE, store);
        let mut told = 0;
        let end = watch(command, PATIENCE, |line| {
            let fields: Vec<&str> = line.splitn(4, '|').collect();
            let [kind, outcome, damage, why] = fields[..] else { panic!("{line}") };
            told += 1;
            counts.add(kind, outcome, format!("{damage}: {}", why.chars().take(400).collect::<String>()));
        });
        match end {
            End::Exited(status) if status.success() && told == n => {}
            End::Exited(status) => counts.add("?", "ABORTS", format!("{status} after {told} of {part}")),
            End::Hung => counts.add("?", "HANGS", format!("after {told} of {part}")),
        }
    }
    counts.print(&format!("{store}, {about}"));
    assert_eq!(counts.wrong(), 0, "a damaged folder was not told");
}

fn damages() -> usize {
    std::env::var(DAMAGES).map_or(150, |damages| damages.parse().unwrap())
}

#[test]
fn damage_of_a_closed_folder_is_told_or_harmless() {
    drill("sled", true, damages());
}

#[test]
fn damage_of_a_closed_folder_of_fjall_is_told_or_harmless() {
    drill("fjall", true, damages());
}

#[test]
fn damage_of_a_killed_folder_is_told_or_harmless() {
    drill("sled", false, damages());
}

#[test]
fn damage_of_a_killed_folder_of_fjall_is_told_or_harmless() {
    drill("fjall", false, damages());
}
