//! Does what was acknowledged survive a loss of power at any instant?
//!
//! A child works on a store; a library loaded into it notes every write, truncation, rename, removal and sync in order.
//! From that record images of the disk are built as a loss of power may leave them (`disk`), and each is opened and
//! checked against what the child had acknowledged by then.
//!
//! `QUORATE_POWERLOSS_IMAGES=100000 cargo test --test powerloss` makes a long run; the table it prints says how many
//! images there were in each phase and what was wrong with how many.

#[path = "../crash/audit.rs"]
mod audit;
#[path = "../support/books.rs"]
mod books;
mod check;
#[path = "../crash/child.rs"]
mod child;
mod disk;
mod failing;
#[path = "../support/former.rs"]
mod former;
mod record;
mod shim;
#[path = "../support/warden.rs"]
mod warden;
#[path = "../support/work.rs"]
mod work;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quorate_core::kernel::rng::Rng;
use quorate_core::kernel::time::Timestamp;

use check::{Images, Planted, count_panics};
use disk::{Disk, Keep};
use record::{Life, Recording};
use warden::{End, again, say, scratch, watch};

const HOME: &str = "QUORATE_POWERLOSS_HOME";
const PART: &str = "QUORATE_POWERLOSS_PART";
const IMAGES: &str = "QUORATE_POWERLOSS_IMAGES";

/// Images of one process; a new one begins with fresh memory.
const CHUNK: usize = 250;
/// Images of one recording.
const PER_RECORDING: usize = 4_000;
/// A process that says nothing for so long hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// The stores that keep folders.
const STORES: [&str; 2] = ["sled", "fjall"];

/// Four lives: killed under load, killed soon after it opened again, closed, and killed once more.
const LIVES: [Life; 4] = [Life::Killed(300), Life::Killed(30), Life::Closed(60), Life::Killed(120)];

#[expect(clippy::disallowed_methods, reason = "an image is opened a day after it was made")]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_micros(since.as_micros() as i64)
}

#[derive(Debug, Default)]
struct Table {
    /// By phase: images, and what was wrong with how many.
    rows: BTreeMap<String, (usize, BTreeMap<String, usize>)>,
    examples: Vec<String>,
    acknowledged: usize,
}

impl Table {
    fn add(&mut self, phase: &str, wrong: Option<&str>, about: &str) {
        let row = self.rows.entry(phase.to_owned()).or_default();
        row.0 += 1;
        let Some(wrong) = wrong else { return };
        let kind = ["lost", "twice", "panics", "hangs", "does not open"]
            .into_iter()
            .find(|kind| wrong.contains(kind))
            .unwrap_or("other");
        *row.1.entry(kind.to_owned()).or_default() += 1;
        if self.examples.len() < 12 {
            self.examples.push(format!("{about}: {wrong}"));
        }
    }

    fn images(&self) -> usize {
        self.rows.values().map(|row| row.0).sum()
    }

    fn wrong(&self) -> usize {
        self.rows.values().flat_map(|row| row.1.values()).sum()
    }

    fn print(&self, about: &str) {
        println!("{about}: {} images, {} acknowledgements looked for", self.images(), self.acknowledged);
        for (phase, (images, wrong)) in &self.rows {
            println!("  {phase:10} {images:7} images, wrong: {wrong:?}");
        }
        self.examples.iter().for_each(|example| println!("  {example}"));
    }
}

/// Checks images of a recording in processes of their own.
fn check(
    home: &Path,
    store: &str,
    clock: Timestamp,
    seed: u64,
    planted: Planted,
    count: usize,
    table: &mut Table,
) {
    let mut first = 0;
    while first < count {
        let n = CHUNK.min(count - first);
        let mut command = again("a_part_of_the_images");
        let part = format!("{} {seed} {planted:?} {first} {n}", clock.as_micros());
        command.env(HOME, home).env(PART, &part).env(child::STORE, store);
        let mut told = 0;
        let end = watch(command, PATIENCE, |line| {
            let fields: Vec<&str> = line.splitn(5, '|').collect();
            let [_, phase, acknowledged, about, wrong] = fields[..] else { panic!("{line}") };
            table.acknowledged += acknowledged.parse::<usize>().unwrap();
            table.add(phase, Some(wrong).filter(|wrong| !wrong.is_empty()), about);
            told += 1;
        });
        match end {
            End::Exited(status) if status.success() && told == n => {}
            End::Exited(status) => {
                table.add("?", Some("panics"), &format!("{status} after {told} of {part}"))
            }
            End::Hung => table.add("?", Some("hangs"), &format!("after {told} of {part}")),
        }
        first += n;
    }
}

/// Does nothing unless it was started by another test.
#[test]
fn a_part_of_the_images() {
    let (Ok(home), Ok(part)) = (std::env::var(HOME), std::env::var(PART)) else { return };
    count_panics();
    let fields: Vec<&str> = part.split(' ').collect();
    let [clock, seed, planted, first, count] = fields[..] else { panic!("{part}") };
    let recording = Recording::read(Path::new(&home));
    let images = Images {
        recording: &recording,
        clock: Timestamp::from_micros(clock.parse().unwrap()),
        seed: seed.parse().unwrap(),
        planted: match planted {
            "SkippedSyncs" => Planted::SkippedSyncs,
            "SwallowedWriteError" => Planted::SwallowedWriteError,
            _ => Planted::Nothing,
        },
    };
    let home_of_images = scratch();
    images.check(first.parse().unwrap(), count.parse().unwrap(), home_of_images.path(), |checked| {
        let wrong = checked.wrong.unwrap_or_default();
        let number = format!("image {}, {}", checked.number, checked.about);
        say(&format!("x|{}|{}|{number}|{wrong}", checked.phase, checked.acknowledged));
    });
}

#[test]
fn no_loss_of_power_takes_what_was_acknowledged_or_counts_it_twice() {
    if shim::library().is_none() {
        return;
    }
    STORES.into_iter().for_each(lose_power);
}

fn lose_power(store: &str) {
    let count: usize = std::env::var(IMAGES).map_or(200, |images| images.parse().unwrap());
    let fresh = u64::from(std::process::id());
    println!("seeds 1 and {fresh}");
    let mut table = Table::default();
    while table.images() < count {
        let home = scratch();
        Recording::make(home.path(), store, &LIVES, None);
        let n = PER_RECORDING.min(count - table.images());
        let before = table.images() as u64;
        check(home.path(), store, now(), 1 + before, Planted::Nothing, n / 3, &mut table);
        check(home.path(), store, now(), fresh + before, Planted::Nothing, n - n / 3, &mut table);
        if count > 1_000 {
            table.print("so far");
        }
        if table.wrong() > 0 {
            let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("powerloss-record");
            let _ = fs::remove_dir_all(&kept);
            check::copy_dir(home.path(), &kept);
            if table.wrong() > 200 {
                break;
            }
        }
    }
    table.print(&format!("{store}: loss of power"));
    assert_eq!(table.wrong(), 0, "the images are in {}", env!("CARGO_TARGET_TMPDIR"));
}

/// A folder of the former format, opened by this program: converted, worked on, killed and closed.
const CONVERTED: [Life; 3] = [Life::Killed(40), Life::Killed(20), Life::Closed(20)];

#[test]
fn no_loss_of_power_in_a_migration_takes_anything() {
    if shim::library().is_none() {
        return;
    }
    let count: usize = std::env::var(IMAGES).map_or(60, |images| images.parse::<usize>().unwrap() / 10);
    let fresh = u64::from(std::process::id());
    println!("seed {fresh}");
    let mut table = Table::default();
    while table.images() < count {
        let home = scratch();
        let store = "sled";
        former::lay_out(&home.path().join("start"));
        check::copy_dir(&home.path().join("start"), &home.path().join("data"));
        Recording::make(home.path(), store, &CONVERTED, None);
        let n = PER_RECORDING.min(count - table.images());
        let seed = fresh + table.images() as u64;
        check(home.path(), store, now(), seed, Planted::Nothing, n, &mut table);
    }
    table.print("loss of power, beginning with the former format");
    assert_eq!(table.wrong(), 0, "the images are in {}", env!("CARGO_TARGET_TMPDIR"));
}

#[test]
fn the_net_catches_planted_faults() {
    if shim::library().is_none() {
        return;
    }
    STORES.into_iter().for_each(plant_faults);
}

fn plant_faults(store: &str) {
    let home = scratch();
    Recording::make(home.path(), store, &LIVES[..1], None);
    for planted in [Planted::SkippedSyncs, Planted::SwallowedWriteError] {
        let mut table = Table::default();
        check(home.path(), store, now(), 1, planted, 60, &mut table);
        table.print(&format!("{store}: {planted:?}"));
        assert!(table.wrong() > 0, "{store}: {planted:?} went unnoticed in 60 images");
    }
}

/// The record is whole: with everything kept, the model's image is what the processes left.
#[test]
fn the_record_misses_nothing_that_was_written() {
    if shim::library().is_none() {
        return;
    }
    STORES.into_iter().for_each(record_whole);
}

fn record_whole(store: &str) {
    let home = scratch();
    Recording::make(home.path(), store, &LIVES, None);
    let recording = Recording::read(home.path());
    let mut disk = Disk::new(&recording);
    disk.advance(recording.events.len());
    let image = home.path().join("image");
    disk.image(Keep::Everything, &mut Rng::new(1), &image);
    same(&recording.root, &image);
}

fn same(one: &Path, other: &Path) {
    let names = |dir: &Path| {
        let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|item| item.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(one), names(other), "{}", one.display());
    for name in names(one) {
        let (one, other) = (one.join(&name), other.join(&name));
        if one.is_dir() {
            same(&one, &other);
        } else {
            assert!(fs::read(&one).unwrap() == fs::read(&other).unwrap(), "{}", one.display());
        }
    }
}
