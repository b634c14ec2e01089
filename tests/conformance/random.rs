//! Random appends, closes and crashes, compared with the twin.

use proptest::prelude::*;
use quorate_core::kernel::ids::{EntityId, StreamId, StreamKind};
use quorate_journal::Due;

use super::support::{Place, at, key, now, places};
use super::twin::{Twin, Wanted};

#[derive(Clone, Debug)]
struct Step {
    stream: usize,
    events: usize,
    bytes: usize,
    due: Due,
    key: Option<u8>,
    stale: bool,
    /// Joined with the step before, unless one of its unit is on the same stream or has a key.
    joined: bool,
}

#[derive(Clone, Debug)]
enum Action {
    Commit(Vec<Step>),
    Close,
    Drop,
    /// Long enough for the archiver to find the store at rest.
    Rest,
    Check,
}

fn step() -> impl Strategy<Value = Step> {
    let due = prop_oneof![
        3 => Just(Due::Unchanged),
        3 => (-3i64..6).prop_map(|ms| Due::At(at(ms))),
        1 => Just(Due::Clear),
    ];
    let bytes = prop_oneof![8 => 0usize..200, 1 => 900usize..3_000];
    let key = proptest::option::weighted(0.2, 0u8..30);
    let (stale, joined) = (proptest::bool::weighted(0.1), proptest::bool::weighted(0.4));
    (0usize..6, 1usize..4, bytes, due, key, stale, joined).prop_map(
        |(stream, events, bytes, due, key, stale, joined)| Step {
            stream,
            events,
            bytes,
            due,
            key,
            stale,
            joined,
        },
    )
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        20 => proptest::collection::vec(step(), 1..12).prop_map(Action::Commit),
        1 => Just(Action::Close),
        2 => Just(Action::Drop),
        1 => Just(Action::Rest),
        1 => Just(Action::Check),
    ]
}

fn streams() -> Vec<StreamId> {
    let id = |name: &str| EntityId::new(name).unwrap();
    let mut out: Vec<_> = ["a", "b", "ab", "é", "z"].map(|n| StreamId::new(StreamKind::Quorum, id(n))).into();
    out.push(StreamId::new(StreamKind::Topology, id("a")));
    out
}

fn run(place: &Place, actions: &[Action]) {
    let streams = streams();
    let mut twin = Twin::default();
    let mut store = place.open();
    let mut epoch = now(store.acquire("test")).unwrap();
    for (tick, action) in actions.iter().enumerate() {
        match action {
            Action::Commit(steps) => {
                let mut group = Vec::new();
                let mut expected = Vec::new();
                let mut unit: Vec<Wanted> = Vec::new();
                for step in steps {
                    let stream = &streams[step.stream];
                    let fits =
                        |wanted: &Wanted| wanted.append.stream != *stream && wanted.append.key.is_none();
                    let joined = step.joined && !unit.is_empty() && unit.iter().all(fits);
                    if !joined {
                        expected.extend(twin.commit(&unit));
                        unit.clear();
                    }
                    let (revision, hash) = twin.known(stream);
                    let known = if step.stale { (revision + 1, hash) } else { (revision, hash) };
                    let events = vec!["x".repeat(step.bytes); step.events];
                    let name = step.key.map(|n| key(&format!("key {n}")));
                    let mut wanted = Wanted::new(stream, known, &events, at(tick as i64), step.due, name);
                    wanted.append.joined = joined;
                    group.push(wanted.append.clone());
                    unit.push(wanted);
                }
                expected.extend(twin.commit(&unit));
                assert_eq!(now(store.commit(epoch, at(tick as i64), &group)).unwrap(), expected);
            }
            Action::Rest => std::thread::sleep(std::time::Duration::from_millis(100)),
            Action::Check => twin.check(&*store),
            Action::Close | Action::Drop => {
                if !place.entry.persistent {
                    continue;
                }
                if matches!(action, Action::Close) {
                    now(store.close()).unwrap();
                }
                drop(store);
                store = place.open();
                assert_eq!(store.open_report().dropped, Vec::<String>::new());
                let next = now(store.acquire("test")).unwrap();
                assert!(next > epoch);
                epoch = next;
            }
        }
    }
    twin.check(&*store);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_store_agrees_with_its_twin_through_closes_and_crashes(
        actions in proptest::collection::vec(action(), 1..40)
    ) {
        for place in places() {
            run(&place, &actions);
        }
    }
}
