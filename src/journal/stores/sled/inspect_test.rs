use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tempfile::TempDir;

use super::*;

/// Numbers that look random and are the same in every run.
struct Rng(quorate_core::kernel::rng::Rng);

impl Rng {
    fn seeded(seed: u64) -> Self {
        Rng(quorate_core::kernel::rng::Rng::new(seed))
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64() % end
    }
}

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn open(folder: &Path) -> ::sled::Result<::sled::Db> {
    let config = ::sled::Config::new().path(folder).segment_size(SEGMENT).flush_every_ms(None);
    super::super::disk::open_when_free(&config)
}

fn value(rng: &mut Rng, size: u64) -> Vec<u8> {
    let seed = rng.below(250) as u8;
    (0..=rng.below(size)).map(|n| seed.wrapping_add(n as u8)).collect()
}

/// Writes `rounds` rounds, each flushed and noted, then some that are not, and leaves the files as a kill would.
fn killed(rounds: u64, keys: u64, size: u64) -> (TempDir, End, Model) {
    let (live, dir) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let db = open(live.path()).unwrap();
    let (heads, packs) = (db.open_tree("heads").unwrap(), db.open_tree("packs").unwrap());
    let mut rng = Rng::seeded(rounds * 1_000 + keys);
    let mut model = Model::new();
    let mut reached = None;
    for round in 0..rounds {
        for n in 0..keys {
            let (key, bytes) = (rng.below(keys).to_be_bytes().to_vec(), value(&mut rng, 60));
            heads.insert(&key, bytes.clone()).unwrap();
            model.insert([b"h", &key[..]].concat(), bytes);
            if n % 8 == 0 {
                let (key, bytes) = ((round * keys + n).to_be_bytes().to_vec(), value(&mut rng, size));
                packs.insert(&key, bytes.clone()).unwrap();
                model.insert([b"p", &key[..]].concat(), bytes);
            }
        }
        db.flush().unwrap();
        let now = end(live.path(), reached).unwrap();
        assert_eq!(now, end(live.path(), None).unwrap(), "followed or found anew, the end is the same");
        reached = Some(now);
    }
    copy(live.path(), dir.path());
    (dir, reached.unwrap(), model)
}

/// Opens and closes what a kill left, so that there is a snapshot.
fn reopened(dir: &TempDir) -> End {
    drop(open(dir.path()).unwrap());
    end(dir.path(), None).unwrap()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[derive(Debug, Default)]
struct Outcomes {
    whole: u32,
    refused: u32,
    /// sled noticed it when it was opened or read.
    told: u32,
}

/// Does everything read back, or an error say that it does not? Panics on a silent loss.
fn trial(dir: &Path, durable: End, model: &Model, what: &str, outcomes: &mut Outcomes) {
    match inspect(dir, Some(durable)) {
        Ok(_) => {}
        Err(Fault::Corrupt { what: told }) => {
            assert!(told.contains("offset=") && told.contains("lsn="), "{told}");
            outcomes.refused += 1;
            return;
        }
        Err(other) => panic!("{what}: {other}"),
    }
    let read = catch_unwind(AssertUnwindSafe(|| -> ::sled::Result<()> {
        let db = open(dir)?;
        let trees = [(b'h', db.open_tree("heads")?), (b'p', db.open_tree("packs")?)];
        for (key, value) in model {
            let tree = trees.iter().find(|(name, _)| *name == key[0]).map(|(_, tree)| tree).unwrap();
            let found = tree.get(&key[1..])?;
            assert!(found.as_deref() == Some(&value[..]), "silent loss: {what}, key {key:?}");
        }
        Ok(())
    }));
    match read {
        Ok(Ok(())) => outcomes.whole += 1,
        Ok(Err(_)) => outcomes.told += 1,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map_or("", String::as_str);
            assert!(!text.contains("silent loss"), "{text}");
            outcomes.told += 1;
        }
    }
}

fn flip(path: &Path, rng: &mut Rng) -> u64 {
    let mut bytes = std::fs::read(path).unwrap();
    let at = rng.below(bytes.len() as u64);
    bytes[at as usize] ^= 1 << rng.below(8);
    std::fs::write(path, bytes).unwrap();
    at
}

fn drill(master: &TempDir, durable: End, model: &Model, trials: u64) -> Outcomes {
    let mut outcomes = Outcomes::default();
    let mut rng = Rng::seeded(trials);
    for n in 0..trials {
        let dir = TempDir::new().unwrap();
        copy(master.path(), dir.path());
        let db = dir.path().join("db");
        let length = std::fs::metadata(&db).unwrap().len();
        let what = match n % 10 {
            0..=6 => format!("flip {n} at {}", flip(&db, &mut rng)),
            7 => {
                let cut = rng.below(length);
                File::options().write(true).open(&db).unwrap().set_len(cut).unwrap();
                format!("cut {n} to {cut}")
            }
            8 => {
                let mut bytes = std::fs::read(&db).unwrap();
                let at = rng.below(length / 4096 + 1) as usize * 4096;
                let end = (at + 4096).min(bytes.len());
                bytes[at.min(end)..end].fill(rng.below(2) as u8 * 255);
                std::fs::write(&db, bytes).unwrap();
                format!("block {n} at {at}")
            }
            _ => {
                let other = std::fs::read_dir(dir.path()).unwrap().filter_map(|entry| {
                    let path = entry.unwrap().path();
                    let name = path.file_name()?.to_string_lossy().into_owned();
                    (name.starts_with("snap.") || name == "conf").then_some(path)
                });
                let others: Vec<_> = other.collect();
                let path = &others[rng.below(others.len() as u64) as usize];
                format!("flip {n} in {} at {}", path.display(), flip(path, &mut rng))
            }
        };
        trial(dir.path(), durable, model, &what, &mut outcomes);
    }
    outcomes
}

#[test]
fn no_damage_to_a_killed_database_goes_unnoticed() {
    let (dir, durable, model) = killed(5, 300, 600);
    let mut sound = Outcomes::default();
    let whole = TempDir::new().unwrap();
    copy(dir.path(), whole.path());
    trial(whole.path(), durable, &model, "nothing", &mut sound);
    assert_eq!(sound.whole, 1);
    let outcomes = drill(&dir, durable, &model, 200);
    assert!(outcomes.refused > 100, "{outcomes:?}");
}

#[test]
fn no_damage_to_a_database_with_a_snapshot_goes_unnoticed() {
    let (dir, _, model) = killed(5, 300, 600);
    let durable = reopened(&dir);
    let outcomes = drill(&dir, durable, &model, 100);
    assert!(outcomes.refused + outcomes.told > 5, "{outcomes:?}");
}

#[test]
fn no_damage_to_a_database_that_reuses_its_segments_goes_unnoticed() {
    let (dir, durable, model) = killed(12, 4_000, 4_000);
    assert!(durable.lsn > durable.length as Lsn, "segments were used again: {durable:?}");
    let outcomes = drill(&dir, durable, &model, 20);
    assert!(outcomes.refused > 5, "{outcomes:?}");
}

/// Whatever a crash leaves behind the durable end must not lock anybody out.
#[test]
fn anything_behind_the_durable_end_is_a_torn_write() {
    let (dir, durable, model) = killed(3, 200, 300);
    let mut rng = Rng::seeded(7);
    for n in 0..20 {
        let torn = TempDir::new().unwrap();
        copy(dir.path(), torn.path());
        let path = torn.path().join("db");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.truncate(durable.lsn as usize);
        bytes.extend((0..rng.below(5_000)).map(|_| rng.below(256) as u8));
        std::fs::write(&path, bytes).unwrap();
        let mut outcomes = Outcomes::default();
        trial(torn.path(), durable, &model, &format!("torn {n}"), &mut outcomes);
        assert_eq!(outcomes.whole, 1, "{n}: {outcomes:?}");
    }
}

#[test]
fn reading_changes_no_byte() {
    let (dir, durable, _) = killed(2, 100, 300);
    let before = std::fs::read(dir.path().join("db")).unwrap();
    inspect(dir.path(), Some(durable)).unwrap();
    inspect(dir.path(), None).unwrap();
    assert_eq!(before, std::fs::read(dir.path().join("db")).unwrap());
    let empty = TempDir::new().unwrap();
    assert_eq!(inspect(empty.path(), None).unwrap().end.lsn, -1);
    assert!(inspect(empty.path(), Some(durable)).is_err());
}

#[test]
fn the_end_of_a_full_segment_is_found_again_before_the_next_one_is_begun() {
    let dir = TempDir::new().unwrap();
    let db = open(dir.path()).unwrap();
    let mut rng = Rng::seeded(7);
    for n in 0..400_u64 {
        db.insert(n.to_be_bytes(), value(&mut rng, 60_000)).unwrap();
    }
    db.flush().unwrap();
    drop(db);
    let file = File::options().write(true).open(dir.path().join("db")).unwrap();
    assert!(file.metadata().unwrap().len() > SEGMENT as u64);
    file.set_len(SEGMENT as u64).unwrap();
    let full = end(dir.path(), None).unwrap();
    assert_eq!(full.lsn, SEGMENT as Lsn);
    assert_eq!(end(dir.path(), Some(full)).unwrap(), full);
    // Without that segment the log has become shorter.
    file.set_len(0).unwrap();
    assert!(matches!(end(dir.path(), Some(full)), Err(Fault::Corrupt { .. })));
}

#[test]
fn the_end_is_found_although_the_segment_it_was_in_before_is_written_into_again() {
    let dir = TempDir::new().unwrap();
    let db = open(dir.path()).unwrap();
    let mut rng = Rng::seeded(11);
    let (mut before, mut passed) = (None::<End>, 0);
    for round in 0..10_u64 {
        // Far in one go, and of the same few: what was written early is over soon.
        for n in 0..20_000 {
            db.insert((n % 50_u64).to_be_bytes(), value(&mut rng, 3_000)).unwrap();
        }
        db.flush().unwrap();
        passed += u32::from(before.is_some_and(|before| Files::open(dir.path()).unwrap().passed(before.lsn)));
        let now = end(dir.path(), before).unwrap();
        assert!(before.is_none_or(|before| now.lsn > before.lsn), "{round}");
        before = Some(now);
    }
    assert!(passed > 0);
}
