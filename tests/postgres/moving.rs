//! A journal moved from one store to another is the same journal, and only one of the two stores opens.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use quorate_journal::stores::moving::{Place, Progress, move_journal};
use quorate_journal::stores::sled::SledStore;
use quorate_journal::stores::{DatabaseUrl, StoreOptions};
use quorate_journal::{Fault, Record, Store};
use tempfile::TempDir;

use super::postgres::server;
use super::support::{Load, now, open};

fn folder(path: &Path) -> Result<Arc<dyn Store>, Fault> {
    Ok(Arc::new(SledStore::open(&StoreOptions::at(path))?))
}

fn moved(from: &Place, to: &Place) -> Result<u64, Fault> {
    move_journal(from, to, |_| ()).map(|tip| tip.group)
}

/// Everything that is to be the same on both sides.
fn everything(
    store: &dyn Store,
    load: &Load,
) -> (Vec<Record>, Vec<impl PartialEq + std::fmt::Debug + use<>>) {
    load.check(store);
    (now(store.scan(0, usize::MAX)).unwrap(), now(store.deadlines(None, usize::MAX)).unwrap())
}

#[test]
fn a_moved_journal_is_the_same_and_goes_on_under_a_higher_epoch_and_the_old_store_opens_no_more() {
    let Some(database) = server() else { return };
    let dir = TempDir::new().unwrap();
    let (first, last) = (dir.path().join("first"), dir.path().join("last"));
    let url = database.fresh();
    let place = Place::Database(DatabaseUrl::of(&url).unwrap());
    let (old, new) = (Place::Folder(first.clone()), Place::Folder(last.clone()));
    let mut load = Load::new("moved");

    let store = folder(&first).unwrap();
    for _ in 0..2 {
        now(store.acquire("test")).unwrap();
    }
    let epoch = now(store.acquire("test")).unwrap();
    for size in [1, 9, 40, 1, 700] {
        load.commit(&*store, epoch, size).unwrap();
    }
    let before = everything(&*store, &load);
    let tip = now(store.tip()).unwrap();
    now(store.close()).unwrap();
    drop(store);

    assert_eq!(moved(&old, &place).unwrap(), tip.group);
    assert!(matches!(folder(&first).map(drop), Err(Fault::Moved { .. })));
    // Its answer may have been lost.
    assert_eq!(moved(&old, &place).unwrap(), tip.group);
    assert!(matches!(moved(&old, &new), Err(Fault::Moved { .. })));

    let store = open(&url).unwrap();
    assert_eq!(now(store.tip()).unwrap(), tip);
    assert_eq!(everything(&*store, &load), before);
    let later = now(store.acquire("test")).unwrap();
    assert!(later > epoch, "{later} {epoch}");
    load.commit(&*store, later, 3).unwrap();
    let (before, tip) = (everything(&*store, &load), now(store.tip()).unwrap());
    // Whoever has it keeps it: the move only looks.
    assert!(matches!(moved(&place, &new), Err(Fault::Locked { .. })));
    load.commit(&*store, later, 3).unwrap();
    assert_ne!(before, everything(&*store, &load));
    let (before, tip) = (everything(&*store, &load), (tip.group, now(store.tip()).unwrap()));
    assert_eq!(tip.0 + 1, tip.1.group);
    now(store.close()).unwrap();
    drop(store);

    assert_eq!(moved(&place, &new).unwrap(), tip.1.group);
    let store = open(&url).unwrap();
    assert!(matches!(now(store.acquire("test")), Err(Fault::Moved { .. })));
    let store = folder(&last).unwrap();
    assert_eq!((now(store.tip()).unwrap(), everything(&*store, &load)), (tip.1, before));
    let latest = now(store.acquire("test")).unwrap();
    assert!(latest > later, "{latest} {later}");
    load.commit(&*store, latest, 3).unwrap();
    load.check(&*store);
}

#[test]
fn a_store_that_a_move_was_cut_off_in_opens_for_that_move_alone() {
    let Some(database) = server() else { return };
    let dir = TempDir::new().unwrap();
    let (first, other) = (dir.path().join("first"), dir.path().join("other"));
    let (there, elsewhere) = (database.fresh(), database.fresh());
    let place = |url: &str| Place::Database(DatabaseUrl::of(url).unwrap());
    let mut load = Load::new("cut");
    for path in [&first, &other] {
        let store = folder(path).unwrap();
        let epoch = now(store.acquire("test")).unwrap();
        load = Load::new("cut");
        for _ in 0..30 {
            load.commit(&*store, epoch, 2).unwrap();
        }
    }
    let cut = |from: &Place, to: &Place, at: usize| {
        let mut seen = 0;
        let stopped = catch_unwind(AssertUnwindSafe(|| {
            move_journal(from, to, |_: Progress| {
                seen += 1;
                assert!(seen < at, "cut off");
            })
        }));
        assert!(stopped.is_err());
    };
    // Before the first group, and behind the last.
    for at in [1, 2, 2] {
        cut(&Place::Folder(first.clone()), &place(&there), at);
        let store = open(&there).unwrap();
        assert!(matches!(now(store.acquire("test")), Err(Fault::Moving { .. })), "{at}");
        // The old store is still the one.
        folder(&first).unwrap();
        assert!(matches!(moved(&Place::Folder(other.clone()), &place(&there)), Err(Fault::Moving { .. })));
    }
    moved(&Place::Folder(first.clone()), &place(&there)).unwrap();
    assert!(matches!(folder(&first).map(drop), Err(Fault::Moved { .. })));
    // A folder as the place it is cut off in.
    let last = dir.path().join("last");
    cut(&place(&there), &Place::Folder(last.clone()), 2);
    assert!(matches!(folder(&last).map(drop), Err(Fault::Moving { .. })));
    assert!(matches!(moved(&Place::Folder(last.clone()), &place(&elsewhere)), Err(Fault::Moving { .. })));
    let said = std::fs::read(last.join("MOVE")).unwrap();
    moved(&place(&there), &Place::Folder(last.clone())).unwrap();
    load.check(&*folder(&last).unwrap());
    // Between the last two steps neither opens, and the move begun again ends it.
    std::fs::write(last.join("MOVE"), said).unwrap();
    assert!(matches!(folder(&last).map(drop), Err(Fault::Moving { .. })));
    let store = open(&there).unwrap();
    assert!(matches!(now(store.acquire("test")), Err(Fault::Moved { .. })));
    drop(store);
    moved(&place(&there), &Place::Folder(last.clone())).unwrap();
    load.check(&*folder(&last).unwrap());
    // A store with a journal of its own is no place to move to.
    assert!(matches!(moved(&Place::Folder(last.clone()), &Place::Folder(other)), Err(Fault::Foreign { .. })));
    assert!(matches!(
        moved(&Place::Folder(last.clone()), &Place::Folder(last.clone())),
        Err(Fault::Config { knob: "to", .. })
    ));
    assert!(matches!(
        moved(&Place::Folder(dir.path().join("nothing")), &place(&elsewhere)),
        Err(Fault::Missing { .. })
    ));
    folder(&last).unwrap();
}
