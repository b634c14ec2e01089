//! Floors: what is remembered, and what outlives the process.

use std::sync::Arc;
use std::thread;

use super::*;

fn token(number: u64) -> FenceToken {
    FenceToken::shown(number)
}

fn id(text: &str) -> EntityId {
    EntityId::new(text).unwrap()
}

fn is_stale(answer: Result<bool, Refusal>, held: u64) -> bool {
    matches!(answer, Err(Refusal::Stale { held: found, .. }) if found == token(held))
}

fn keeps_the_highest_of_each_resource(floor: &dyn TokenFloor) {
    let (a, b) = (id("a"), id("b with a space/é"));
    assert!(floor.admit(&a, token(7)).unwrap());
    assert!(!floor.admit(&a, token(7)).unwrap());
    assert!(floor.admit(&a, token(9)).unwrap());
    assert!(is_stale(floor.admit(&a, token(8)), 9));
    assert!(floor.admit(&b, token(1)).unwrap());
    assert!(floor.admit(&b, token(u64::MAX)).unwrap());
    assert!(matches!(floor.admit(&b, FenceToken::NONE), Err(Refusal::NotMinted)));
}

fn of_tokens_that_race_each_is_raised_once(floor: Arc<dyn TokenFloor>) {
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let floor = floor.clone();
            thread::spawn(move || {
                (1..=20).filter(|n| matches!(floor.admit(&id("a"), token(*n)), Ok(true))).count()
            })
        })
        .collect();
    let raised: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert!(raised <= 20, "{raised}");
    assert!(is_stale(floor.admit(&id("a"), token(19)), 20));
}

#[test]
fn a_floor_in_memory_keeps_the_highest_token_of_each_resource() {
    keeps_the_highest_of_each_resource(&MemoryFloor::default());
    of_tokens_that_race_each_is_raised_once(Arc::new(MemoryFloor::default()));
}

#[test]
fn a_floor_in_a_file_keeps_it_over_the_end_of_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("floors");
    let floor = FileFloor::open(&path).unwrap();
    keeps_the_highest_of_each_resource(&floor);
    assert!(matches!(FileFloor::open(&path), Err(Refusal::Busy { .. })));
    // What is on disk while it is open is what a killed process leaves.
    let killed = folder.path().join("killed");
    fs::copy(&path, &killed).unwrap();
    let again = FileFloor::open(&killed).unwrap();
    assert!(is_stale(again.admit(&id("a"), token(8)), 9));
    assert!(!again.admit(&id("b with a space/é"), token(u64::MAX)).unwrap());
    assert!(again.admit(&id("c"), token(1)).unwrap());
    drop(floor);
    assert!(is_stale(FileFloor::open(&path).unwrap().admit(&id("a"), token(8)), 9));
    let racing = FileFloor::open(folder.path().join("racing")).unwrap();
    of_tokens_that_race_each_is_raised_once(Arc::new(racing));
}

#[test]
fn a_floor_that_could_not_be_kept_lets_nobody_in_until_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("floors");
    let floor = FileFloor::open(&path).unwrap();
    assert!(floor.admit(&id("a"), token(7)).unwrap());
    // A folder stands where the next one is to be written.
    fs::create_dir(folder.path().join("floors.new")).unwrap();
    assert!(matches!(floor.admit(&id("a"), token(8)), Err(Refusal::Io { .. })));
    fs::remove_dir(folder.path().join("floors.new")).unwrap();
    assert!(matches!(floor.admit(&id("a"), token(8)), Err(Refusal::Broken { .. })));
    assert!(matches!(floor.admit(&id("b"), token(1)), Err(Refusal::Broken { .. })));
    assert!(is_stale(floor.admit(&id("a"), token(7)), 8));
    drop(floor);
    let floor = FileFloor::open(&path).unwrap();
    assert!(floor.admit(&id("a"), token(8)).unwrap());
}

#[test]
fn a_file_that_holds_no_floors_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("floors");
    for text in [
        "",
        "end\n",
        "quorate token floors 1\n7 a\n",
        "quorate token floors 1\n7 a\n8 a\nend\n",
        "quorate token floors 1\n7\nend\n",
        "quorate token floors 1\nx a\nend\n",
        "quorate token floors 2\nend\n",
    ] {
        fs::write(&path, text).unwrap();
        assert!(matches!(FileFloor::open(&path), Err(Refusal::Damaged { .. })), "{text:?}");
    }
    fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(matches!(FileFloor::open(&path), Err(Refusal::Damaged { .. })));
    fs::write(&path, "quorate token floors 1\n7 a b\nend\n").unwrap();
    assert!(is_stale(FileFloor::open(&path).unwrap().admit(&id("a b"), token(6)), 7));
}
