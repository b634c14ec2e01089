//! Files: a leader that wakes up late, two that race, and what a crash leaves.

use std::thread;

use super::*;

fn token(number: u64) -> FenceToken {
    FenceToken::shown(number)
}

fn place() -> (tempfile::TempDir, GuardedFile) {
    let folder = tempfile::tempdir().unwrap();
    let file = GuardedFile::new(folder.path().join("state"));
    (folder, file)
}

fn held(file: &GuardedFile) -> Option<(u64, Vec<u8>)> {
    file.read().unwrap().map(|contents| (contents.token.get(), contents.bytes))
}

#[test]
fn a_paused_leader_that_wakes_up_after_its_successor_wrote_is_refused_and_changes_nothing() {
    let (_folder, old) = place();
    let new = old.clone();
    assert_eq!(held(&old), None);
    old.replace(token(7), b"old\n\0").unwrap();
    old.replace(token(7), b"old again").unwrap();
    // The old leader reads, decides what to write, and is paused here.
    let decided = old.read().unwrap().unwrap().bytes;
    new.replace(token(8), b"new").unwrap();
    for _ in 0..2 {
        match old.replace(token(7), &decided) {
            Err(Refusal::Stale { held, given }) => assert_eq!((held, given), (token(8), token(7))),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(old.try_replace(token(7), &decided), Err(Refusal::Stale { .. })));
    assert_eq!(held(&old), Some((8, b"new".to_vec())));
    new.try_replace(token(8), b"").unwrap();
    assert_eq!(held(&new), Some((8, Vec::new())));
}

#[test]
fn token_zero_was_never_minted() {
    let (_folder, file) = place();
    assert!(matches!(file.replace(FenceToken::NONE, b"x"), Err(Refusal::NotMinted)));
    assert_eq!(held(&file), None);
}

#[test]
fn of_leaders_that_race_none_ever_writes_after_a_later_one() {
    let (_folder, file) = place();
    let writers: Vec<_> = (1..=4)
        .map(|number| {
            let file = file.clone();
            thread::spawn(move || {
                let mut seen = 0;
                for round in 0..40_u8 {
                    let taken = file.replace(token(number), &[number as u8, round]);
                    let (now, bytes) = held(&file).unwrap();
                    // What is there carries the token of whoever wrote it, and never goes back.
                    assert_eq!((u64::from(bytes[0]), bytes.len()), (now, 2));
                    assert!(now >= seen && now >= number, "{now} after {seen}");
                    seen = now;
                    match taken {
                        Ok(()) => {}
                        Err(Refusal::Stale { held, .. }) => assert!(held > token(number)),
                        Err(other) => panic!("{other:?}"),
                    }
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    assert_eq!(held(&file), Some((4, vec![4, 39])));
}

#[test]
fn who_does_not_want_to_wait_for_another_writer_is_told() {
    let (folder, file) = place();
    let lock = File::create(folder.path().join("state.lock")).unwrap();
    lock.lock().unwrap();
    assert!(matches!(file.try_replace(token(1), b"x"), Err(Refusal::Busy { .. })));
    assert_eq!(held(&file), None);
    drop(lock);
    file.try_replace(token(1), b"x").unwrap();
}

#[test]
fn a_writer_waits_for_the_lock_and_compares_with_what_it_finds_then() {
    let (folder, file) = place();
    let lock = File::create(folder.path().join("state.lock")).unwrap();
    lock.lock().unwrap();
    let old = thread::spawn({
        let file = file.clone();
        move || file.replace(token(7), b"old")
    });
    // The successor, which has the lock, writes.
    file.replace_locked(token(8), b"new").unwrap();
    drop(lock);
    assert!(matches!(old.join().unwrap(), Err(Refusal::Stale { .. })));
    assert_eq!(held(&file), Some((8, b"new".to_vec())));
}

#[test]
fn what_a_crash_left_half_written_is_written_over() {
    let (folder, file) = place();
    file.replace(token(1), b"one").unwrap();
    fs::write(folder.path().join("state.new"), b"quorate guarded file 1. token=9, by").unwrap();
    assert_eq!(held(&file), Some((1, b"one".to_vec())));
    file.replace(token(2), b"two").unwrap();
    assert_eq!(held(&file), Some((2, b"two".to_vec())));
}

#[test]
fn a_file_of_somebody_else_is_neither_read_nor_replaced() {
    let (folder, file) = place();
    let path = folder.path().join("state");
    let cases: [&[u8]; 7] = [
        b"",
        b"precious",
        b"quorate guarded file 1. token=7, bytes=5",
        b"quorate guarded file 1. token=7, bytes=5\nhell",
        b"quorate guarded file 1. token=7, bytes=5\nhello!",
        b"quorate guarded file 1. token=x, bytes=5\nhello",
        b"quorate guarded file 2. token=7, bytes=5\nhello",
    ];
    for case in cases {
        fs::write(&path, case).unwrap();
        assert!(matches!(file.read(), Err(Refusal::Damaged { .. })), "{case:?}");
        assert!(matches!(file.replace(token(9), b"x"), Err(Refusal::Damaged { .. })));
        assert_eq!(fs::read(&path).unwrap(), case);
    }
    fs::write(&path, b"quorate guarded file 1. token=7, bytes=5\nhello").unwrap();
    assert_eq!(held(&file), Some((7, b"hello".to_vec())));
}

#[test]
fn a_folder_that_is_not_there_is_told_with_its_file() {
    let file = GuardedFile::new("no/such/folder/state");
    let told = file.replace(token(1), b"x").unwrap_err().to_string();
    assert!(told.starts_with("opening failed. file=no/such/folder/state.lock, cause="), "{told}");
    assert_eq!(held(&file), None);
}
