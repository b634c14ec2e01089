//! Capacity: joint decisions over up to four entities, with every store call failing in every way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate::{Error, Quorate};
use quorate_core::capacity::cell;
use quorate_core::kernel::ids::{BudgetId, CellId, Resource, StreamId, StreamKind};
use quorate_core::kernel::time::Timestamp;
use quorate_journal::codec::{AppendBuilder, decode};
use quorate_journal::stores::faulty::FaultKind;
use quorate_journal::stores::memory::MemoryStore;
use quorate_journal::{Due, Store};
use quorate_runtime::api::dto::{
    BudgetRef, CapacityRef, HeldToken, OfferCapacity, ReleaseCapacity, RequestCapacity, SetBudget, id,
};

use crate::books::Books;
use crate::{Op, config, faulty_run, run};

/// One line of the script. Everything has a name, so everything may be repeated.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    Limit(&'static str, f64),
    Need(&'static str, f64, &'static str, Option<&'static str>),
    Offer(&'static str, &'static str, f64, &'static str),
    /// The first token of a need.
    Ack(&'static str, f64, &'static str, Option<&'static str>),
    Release(&'static str, f64, &'static str),
}

/// A grant alone, one of two offers over four entities, an acknowledgement over three, one that waits for a budget, a
/// release that makes room for it, an offer that nobody takes, and a queue that is served.
fn script() -> Vec<Op> {
    let ring = Some("ring");
    vec![
        Op::Capacity(Act::Limit("ring", 1.5)),
        Op::Capacity(Act::Need("a", 0.9, "own", ring)),
        Op::Capacity(Act::Need("a", 0.5, "wide", ring)),
        Op::Capacity(Act::Offer("b", "a", 0.3, "o1")),
        Op::Capacity(Act::Offer("c", "a", 0.4, "o2")),
        Op::Capacity(Act::Ack("a", 0.5, "wide", ring)),
        Op::Capacity(Act::Need("d", 0.3, "waits", ring)),
        Op::Capacity(Act::Release("a", 0.4, "k1")),
        Op::Advance(100),
        Op::Capacity(Act::Need("e", 1.0, "e1", None)),
        Op::Capacity(Act::Need("e", 0.2, "e2", None)),
        Op::Capacity(Act::Offer("b", "e", 0.1, "o3")),
        Op::Advance(5_001),
        Op::Capacity(Act::Release("e", 0.3, "k2")),
        Op::Advance(1),
    ]
}

fn request(cell: &str, amount: f64, name: &str, budget: Option<&str>) -> Result<RequestCapacity, Error> {
    let budgets: Result<BTreeSet<BudgetId>, _> =
        budget.map(|budget| id("budgets", budget)).into_iter().collect();
    Ok(RequestCapacity {
        need_id: Some(id("need_id", name)?),
        timeout_seconds: Some(600.0),
        budgets: budgets?,
        ..RequestCapacity::new(cell)?.of(amount)
    })
}

pub async fn act(q: &Quorate, act: Act) -> Result<(), Error> {
    let capacity = q.capacity();
    match act {
        Act::Limit(budget, limit) => {
            let limits = [(Resource::capacity(), limit)].into();
            capacity
                .set_budget(SetBudget {
                    budget_id: id("budget_id", budget)?,
                    limits: Some(limits),
                    rates: None,
                })
                .await
                .map(drop)
        }
        Act::Need(cell, amount, name, budget) => {
            capacity.request(request(cell, amount, name, budget)?).await.map(drop)
        }
        Act::Offer(from, to, amount, name) => {
            let offer = OfferCapacity {
                source_cell_id: id("source_cell_id", from)?,
                destination_cell_id: id("destination_cell_id", to)?,
                capacity: Some(amount),
                resource: None,
                offer_id: Some(id("offer_id", name)?),
                ttl_seconds: None,
            };
            capacity.offer(offer).await.map(drop)
        }
        Act::Ack(cell, amount, name, budget) => {
            let asked = capacity.request(request(cell, amount, name, budget)?).await?;
            let token_id = asked.token_id.expect("the need was granted");
            capacity.ack(HeldToken { token_id, cell_id: id("cell_id", cell)? }).await.map(drop)
        }
        Act::Release(cell, amount, key) => {
            let (token_id, resource) = (None, None);
            let idempotency_key = Some(id("idempotency_key", key)?);
            let cell_id = id("cell_id", cell)?;
            let what =
                ReleaseCapacity { cell_id, capacity: Some(amount), token_id, resource, idempotency_key };
            capacity.release(what).await.map(drop)
        }
    }
}

/// What there is in the end: of each cell available, reserved, lent and held; of the budget what is used.
async fn ends(q: &Quorate) -> (BTreeMap<&'static str, [f64; 4]>, f64, u64) {
    let mut cells = BTreeMap::new();
    for name in ["a", "b", "c", "d", "e"] {
        let cell = CapacityRef { cell_id: id("cell_id", name).unwrap(), resource: None };
        let shown = q.capacity().status(cell).await.unwrap();
        cells.insert(name, [shown.capacity, shown.reserved, shown.lent, shown.held]);
    }
    let ring = BudgetRef { budget_id: id("budget_id", "ring").unwrap() };
    let ring = q.capacity().budget(ring).await.unwrap();
    (cells, ring.resources[&Resource::capacity()].used, ring.grants)
}

/// All entities agree, and what was acknowledged is there.
async fn check(q: &Quorate, acknowledged: &[Op], case: &str) -> Books {
    assert!(q.history().verify(|_| ()).await.unwrap().ok, "{case}: chain");
    let mut books = Books::of(q).await.unwrap_or_else(|broken| panic!("{case}: {broken}"));
    let done = |what, at: &str, name: &str| {
        books.done.contains(&(what, id::<CellId>("cell", at).unwrap(), name.to_owned()))
    };
    for op in acknowledged {
        let Op::Capacity(act) = op else { continue };
        let there = match *act {
            Act::Limit(budget, _) => books.budgets.contains_key(&id("budget", budget).unwrap()),
            Act::Need(of, _, name, _) => done("need", of, name),
            Act::Offer(from, _, _, name) => done("offer", from, name),
            Act::Ack(of, ..) => books.done.iter().any(|(what, at, _)| *what == "ack" && at.as_str() == of),
            Act::Release(of, _, key) => done("release", of, key),
        };
        assert!(there, "{case}: lost {act:?}");
    }
    books.settle(q.now()).unwrap();
    books.agree().unwrap_or_else(|broken| panic!("{case}: {broken}"));
    books
}

#[tokio::test(flavor = "multi_thread")]
async fn joint_decisions_are_whole_or_not_at_all_whichever_store_call_fails() {
    let calm = MemoryStore::new();
    let (acknowledged, calls) = faulty_run(&script(), &calm, u64::MAX, FaultKind::FailBefore).await;
    assert_eq!(acknowledged.len(), script().len());
    let q = Quorate::open_with(config(), Arc::new(calm.reopen())).await.unwrap();
    let expected = ends(&q).await;
    let cells = [
        ("a", [0.5, 0.0, 0.5, 1.0]),
        ("b", [0.7, 0.0, 0.3, 0.0]),
        ("c", [0.8, 0.0, 0.2, 0.0]),
        ("d", [0.7, 0.0, 0.3, 0.3]),
        ("e", [0.1, 0.0, 0.9, 0.9]),
    ];
    assert_eq!(expected, (cells.into(), 1.3, 4));
    q.crash().await;

    let mut cases = 0;
    for call in 1..=calls {
        for kind in FaultKind::ALL {
            let case = format!("call {call} of {calls} {kind:?}");
            let disk = MemoryStore::new();
            let (acknowledged, _) = faulty_run(&script(), &disk, call, kind).await;
            let q = Quorate::open_with(config(), Arc::new(disk.reopen())).await.unwrap();
            check(&q, &acknowledged, &case).await;
            // From where it stopped; what was repeated already changes nothing.
            for op in script().into_iter().skip(acknowledged.len().saturating_sub(1)) {
                run(&q, &op).await.unwrap_or_else(|error| panic!("{case}: again {op:?}: {error}"));
            }
            let books = check(&q, &script(), &case).await;
            assert_eq!(ends(&q).await, expected, "{case}");
            assert_eq!(books.granted.len(), 5, "{case}");
            q.crash().await;
            cases += 1;
        }
    }
    println!("{cases} faults, each recovered from");
}

/// Copies a journal as a store would keep it that parts what belongs together: without the last records of one stream.
async fn without_the_last_of(store: &MemoryStore, parted: &StreamId, since: u64) -> MemoryStore {
    let copy = MemoryStore::new();
    let epoch = copy.acquire("a planted bug").await.unwrap();
    for record in store.scan(0, 1_000).await.unwrap() {
        if &record.stream == parted && record.position > since {
            continue;
        }
        let head = copy.head(&record.stream).await.unwrap();
        let (revision, hash) = head.map_or_else(Default::default, |head| (head.revision, head.hash));
        let mut append = AppendBuilder::new(record.stream.clone(), revision, hash);
        match record.stream.kind {
            StreamKind::Cell => {
                append.push(record.at, &decode::<cell::Event>(&record.payload).unwrap()).unwrap()
            }
            StreamKind::Budget => {
                append.push(record.at, &decode::<cell::budget::Event>(&record.payload).unwrap()).unwrap();
            }
            other => panic!("the script makes no {other:?}"),
        }
        let due = Due::At(Timestamp::from_micros(1_000_000));
        copy.commit(epoch, record.at, &[append.finish(due, None)]).await.unwrap();
    }
    copy
}

#[tokio::test(flavor = "multi_thread")]
async fn the_net_catches_a_journal_that_kept_half_of_a_joint_decision() {
    let disk = MemoryStore::new();
    let (before, _) = faulty_run(&script()[..4], &disk, u64::MAX, FaultKind::FailBefore).await;
    assert_eq!(before.len(), 4);
    let since = disk.reopen().tip().await.unwrap().position;
    let q = Quorate::open_with(config(), Arc::new(disk.reopen())).await.unwrap();
    run(&q, &script()[4]).await.unwrap();
    q.crash().await;
    let disk = disk.reopen();
    for (kind, name) in [
        (StreamKind::Cell, "a"),
        (StreamKind::Cell, "b"),
        (StreamKind::Cell, "c"),
        (StreamKind::Budget, "ring"),
    ] {
        let parted = StreamId::new(kind, id("stream", name).unwrap());
        let half = without_the_last_of(&disk, &parted, since).await;
        let q = Quorate::open_with(config(), Arc::new(half)).await.unwrap();
        let mut books = Books::of(&q).await.unwrap();
        books.settle(q.now()).unwrap();
        assert!(books.agree().is_err(), "half of a decision without {parted} went unnoticed");
        q.crash().await;
    }
}
