//! The laws of the port, one by one.

use std::sync::Arc;

use quorate_journal::{Append, Appended, ChainHash, Due, Fault, Snapshot, Store, VerifyCursor};

use super::support::{append, at, first, for_every_store, key, now, stream};
use super::twin::{Twin, Wanted};

#[test]
fn an_append_at_another_revision_is_refused_alone() {
    for_every_store(|_, store| {
        let epoch = now(store.acquire("a")).unwrap();
        let again = first("q");
        let group = [first("q"), again, first("r")];
        let answers = now(store.commit(epoch, at(1), &group)).unwrap();
        assert_eq!(answers, [Appended::Done(1), Appended::Conflict { actual: 1 }, Appended::Done(2)]);
        assert_eq!(now(store.scan(0, 9)).unwrap().len(), 2);
    });
}

#[test]
fn a_commit_that_refuses_everything_writes_nothing() {
    for_every_store(|_, store| {
        let epoch = now(store.acquire("a")).unwrap();
        now(store.commit(epoch, at(1), &[first("q")])).unwrap();
        let before = now(store.tip()).unwrap();
        now(store.commit(epoch, at(2), &[first("q")])).unwrap();
        now(store.commit(epoch, at(2), &[])).unwrap();
        assert_eq!(now(store.tip()).unwrap(), before);
    });
}

#[test]
fn an_idempotency_key_works_once_and_names_its_stream() {
    for_every_store(|_, store| {
        let epoch = now(store.acquire("a")).unwrap();
        let with_key = |name: &str| {
            let mut append = first(name);
            append.key = Some(key("request 1"));
            append
        };
        assert_eq!(now(store.find_key(&key("request 1"))).unwrap(), None);
        let answers = now(store.commit(epoch, at(1), &[with_key("q"), with_key("r")])).unwrap();
        assert_eq!(answers, [Appended::Done(1), Appended::KeyTaken(stream("q"))]);
        // The repeat of a request is recognised as such, although its stream has moved on as well.
        let answers = now(store.commit(epoch, at(1), &[with_key("q")])).unwrap();
        assert_eq!(answers, [Appended::KeyTaken(stream("q"))]);
        assert_eq!(now(store.find_key(&key("request 1"))).unwrap(), Some(stream("q")));
    });
}

#[test]
fn joined_appends_stand_or_fall_together() {
    for_every_store(|_, store| {
        let epoch = now(store.acquire("a")).unwrap();
        let joined = |mut append: Append| {
            append.joined = true;
            append
        };
        let group = [first("a"), joined(first("b")), first("c"), joined(first("a")), joined(first("d"))];
        let answers = now(store.commit(epoch, at(1), &group)).unwrap();
        let refused = Appended::Conflict { actual: 1 };
        let done = Appended::Done;
        assert_eq!(answers, [done(1), done(2), Appended::Withheld, refused, Appended::Withheld]);
        for (name, revision) in [("a", Some(1)), ("b", Some(1)), ("c", None), ("d", None)] {
            let head = now(store.head(&stream(name))).unwrap();
            assert_eq!(head.map(|head| head.revision), revision, "{name}");
        }
    });
}

#[test]
fn an_earlier_owner_is_fenced_and_writes_nothing() {
    for_every_store(|_, store| {
        let old = now(store.acquire("old")).unwrap();
        let new = now(store.acquire("new")).unwrap();
        let answer = now(store.commit(old, at(1), &[first("q")]));
        assert_eq!(answer, Err(Fault::Fenced { held: new, given: old }));
        assert_eq!(now(store.tip()).unwrap().position, 0);
        now(store.commit(new, at(1), &[first("q")])).unwrap();
    });
}

#[test]
fn epochs_grow_over_the_lives_of_a_store() {
    for_every_store(|place, store| {
        let before = now(store.acquire("a")).unwrap();
        drop(store);
        if place.entry.persistent {
            let store = place.open();
            assert_eq!(
                now(store.commit(before + 1, at(1), &[first("q")])),
                Err(Fault::Fenced { held: before, given: before + 1 })
            );
            assert_eq!(now(store.acquire("b")).unwrap(), before + 1);
        }
    });
}

#[test]
fn nothing_is_known_of_a_stream_without_records() {
    for_every_store(|_, store| {
        assert_eq!(now(store.head(&stream("q"))).unwrap(), None);
        assert_eq!(now(store.read(&stream("q"), 0, 9)).unwrap(), []);
        assert_eq!(now(store.scan(0, 9)).unwrap(), []);
        assert_eq!(now(store.settled_before(u64::MAX, 9)).unwrap(), []);
        assert_eq!(now(store.deadlines(None, 9)).unwrap(), []);
        let step = now(store.verify(VerifyCursor::default(), 9)).unwrap();
        assert_eq!((step.done, step.broken), (true, None));
    });
}

#[test]
fn an_append_of_two_megabytes_comes_back_whole_also_after_a_restart() {
    for_every_store(|place, mut store| {
        let mut twin = Twin::default();
        let mut epoch = now(store.acquire("a")).unwrap();
        for round in 0..3 {
            for (name, bytes) in [("small", 10), ("large", 2 << 20), ("other", 150_000)] {
                let known = twin.known(&stream(name));
                let event = name.chars().cycle().take(bytes).collect();
                let wanted = Wanted::new(&stream(name), known, &[event], at(round), Due::Clear, None);
                let append = wanted.append.clone();
                let expected = twin.commit(&[wanted]);
                assert_eq!(now(store.commit(epoch, at(round), &[append])).unwrap(), expected);
            }
            twin.check(&*store);
            if place.entry.persistent {
                if round == 1 {
                    now(store.close()).unwrap();
                }
                drop(store);
                store = place.open();
                epoch = now(store.acquire("a")).unwrap();
                twin.check(&*store);
            }
        }
    });
}

#[test]
fn a_commit_larger_than_the_whole_ring_is_kept() {
    for_every_store(|_, store| {
        let mut twin = Twin::default();
        let epoch = now(store.acquire("a")).unwrap();
        let wanted: Vec<_> = (0..100)
            .map(|n| {
                let name = stream(&format!("q{n}"));
                Wanted::new(&name, (0, ChainHash::default()), &["x".repeat(300)], at(1), Due::At(at(n)), None)
            })
            .collect();
        let group: Vec<_> = wanted.iter().map(|wanted| wanted.append.clone()).collect();
        let expected: Vec<_> = wanted.into_iter().flat_map(|wanted| twin.commit(&[wanted])).collect();
        assert_eq!(now(store.commit(epoch, at(1), &group)).unwrap(), expected);
        twin.check(&*store);
    });
}

#[test]
fn snapshots_and_projections_are_kept_but_not_ahead_of_the_journal() {
    for_every_store(|place, mut store| {
        let epoch = now(store.acquire("a")).unwrap();
        let born = first("q");
        now(store.commit(epoch, at(1), std::slice::from_ref(&born))).unwrap();
        let snapshot = Snapshot { revision: 1, hash: born.hash, version: 3, state: vec![7; 200_000] };
        assert_eq!(now(store.load_snapshot(&stream("q"))).unwrap(), None);
        now(store.save_snapshot(&stream("q"), snapshot.clone())).unwrap();
        now(store.save_projection("totals", 1, vec![1, 2])).unwrap();
        now(store.save_projection("ahead", 2, vec![3])).unwrap();
        let ahead = Snapshot { revision: 2, ..snapshot.clone() };
        now(store.save_snapshot(&stream("r"), ahead)).unwrap();
        for _ in 0..2 {
            assert_eq!(now(store.load_snapshot(&stream("q"))).unwrap(), Some(snapshot.clone()));
            assert_eq!(now(store.load_snapshot(&stream("r"))).unwrap(), None);
            assert_eq!(now(store.load_projection("totals")).unwrap(), Some((1, vec![1, 2])));
            assert_eq!(now(store.load_projection("ahead")).unwrap(), None);
            assert_eq!(now(store.load_projection("other")).unwrap(), None);
            if place.entry.persistent {
                now(store.close()).unwrap();
                drop(store);
                store = place.open();
                // Where owners are told apart only the owner keeps anything.
                now(store.acquire("a")).unwrap();
            }
        }
        let short = Snapshot { state: vec![1], ..snapshot };
        now(store.save_snapshot(&stream("q"), short.clone())).unwrap();
        assert_eq!(now(store.load_snapshot(&stream("q"))).unwrap(), Some(short));
    });
}

#[test]
fn a_closed_store_refuses_commits_and_still_reads() {
    for_every_store(|_, store| {
        let epoch = now(store.acquire("a")).unwrap();
        now(store.commit(epoch, at(1), &[first("q")])).unwrap();
        now(store.close()).unwrap();
        now(store.close()).unwrap();
        assert!(matches!(now(store.commit(epoch, at(1), &[first("r")])), Err(Fault::Unavailable { .. })));
        assert_eq!(now(store.scan(0, 9)).unwrap().len(), 1);
    });
}

#[test]
fn readers_run_beside_a_writer_and_see_only_whole_appends() {
    for_every_store(|_, store| {
        let epoch = now(store.acquire("a")).unwrap();
        let writer: Arc<dyn Store> = store.clone();
        let thread = std::thread::spawn(move || {
            let mut known = (0, ChainHash::default());
            for n in 0..200 {
                let due = Due::At(at(n));
                let append = append(&stream("q"), known, &["one", "two", "three"], due);
                known = (known.0 + 3, append.hash);
                now(writer.commit(epoch, at(n), &[append])).unwrap();
            }
        });
        while !thread.is_finished() {
            let records = now(store.read(&stream("q"), 0, usize::MAX)).unwrap();
            assert_eq!(records.len() % 3, 0);
            assert!(now(store.deadlines(None, 9)).unwrap().len() <= 1);
            assert_eq!(now(store.verify(VerifyCursor::default(), usize::MAX)).unwrap().broken, None);
        }
        thread.join().unwrap();
        assert_eq!(now(store.read(&stream("q"), 0, usize::MAX)).unwrap().len(), 600);
        assert_eq!(now(store.deadlines(None, 9)).unwrap(), [(at(199), stream("q"))]);
    });
}
