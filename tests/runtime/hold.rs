//! Waiting for capacity and holding it: whoever waits is told, whoever goes away leaves nothing behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use quorate::{Config, Error, ErrorKind, Held, Quorate};
use quorate_core::kernel::ids::{BudgetId, CellId, Resource};
use quorate_core::kernel::rng::Rng;
use quorate_journal::Fault;
use quorate_journal::stores::memory::MemoryStore;
use quorate_runtime::api::dto::{
    CapacityRef, CapacityRequested, ConfigureCapacity, HeldToken, NeedRef, OfferCapacity, ReleaseCapacity,
    RequestCapacity, SetBudget, TokenRef, id,
};
use tokio::task::JoinHandle;

use crate::books::Books;
use crate::hooked::Hooked;
use crate::manual;

/// Longer than anything here takes.
const LONG: f64 = 600.0;

fn cell(name: &str) -> CellId {
    id("cell_id", name).unwrap()
}

/// Waits long, is kept without an end.
fn request(of: &str, amount: f64) -> RequestCapacity {
    RequestCapacity {
        timeout_seconds: Some(LONG),
        lease_seconds: Some(0.0),
        ..RequestCapacity::new(of).unwrap().of(amount)
    }
}

fn named(of: &str, amount: f64, need: &str) -> RequestCapacity {
    RequestCapacity { need_id: Some(id("need_id", need).unwrap()), ..request(of, amount) }
}

fn waiting(of: &str, amount: f64, need: &str) -> RequestCapacity {
    RequestCapacity { wait: Some(true), ..named(of, amount, need) }
}

fn release(of: &str, amount: f64) -> ReleaseCapacity {
    let (token_id, resource, idempotency_key) = (None, None, None);
    ReleaseCapacity { cell_id: cell(of), capacity: Some(amount), token_id, resource, idempotency_key }
}

fn cancel(of: &str, need: &str) -> NeedRef {
    NeedRef { cell_id: cell(of), need_id: id("need_id", need).unwrap() }
}

async fn memory() -> Quorate {
    Quorate::open(Config::memory()).await.unwrap()
}

/// What is available, pending and out at a cell.
async fn stand(q: &Quorate, of: &str) -> (f64, u32, u32) {
    let status = q.capacity().status(CapacityRef { cell_id: cell(of), resource: None }).await.unwrap();
    (status.capacity, status.pending_needs, status.active_tokens)
}

/// Waits until so many needs wait at a cell.
async fn until_pending(q: &Quorate, of: &str, count: u32) {
    soon(async || stand(q, of).await.1 == count).await;
}

async fn soon(holds: impl AsyncFn() -> bool) {
    for _ in 0..20_000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("it never came to that");
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), what).await.expect("somebody waits for ever")
}

fn asks(q: &Quorate, request: RequestCapacity) -> JoinHandle<Result<CapacityRequested, Error>> {
    let q = q.clone();
    tokio::spawn(async move { q.capacity().request(request).await })
}

fn acquires(q: &Quorate, request: RequestCapacity) -> JoinHandle<Result<Held, Error>> {
    let q = q.clone();
    tokio::spawn(async move { q.capacity().acquire(request).await })
}

async fn told(asked: JoinHandle<Result<CapacityRequested, Error>>) -> CapacityRequested {
    within(asked).await.unwrap().unwrap()
}

async fn full(q: &Quorate, of: &str) {
    assert_eq!(q.capacity().request(named(of, 1.0, "full")).await.unwrap().status, "granted");
}

/// Everything is back, and nobody waits.
async fn nothing_is_out(q: &Quorate) {
    // Tells only when nothing is under way any more.
    q.capacity().stats().await.unwrap();
    let mut books = Books::of(q).await.unwrap();
    books.settle(q.now()).unwrap();
    books.agree().unwrap();
    for (name, state) in &books.cells {
        assert_eq!(*state.available, state.settings.totals, "{name}: {state:?}");
        assert!(
            state.queue.is_empty() && state.lent.is_empty() && state.held.is_empty(),
            "{name}: {state:?}"
        );
    }
    assert!(books.budgets.values().all(|budget| budget.charges.is_empty() && budget.waiting.is_empty()));
}

/// One may wait at this cell, and does.
async fn fill_the_queue(q: &Quorate, name: &str) {
    let few = ConfigureCapacity {
        cell_id: cell(name),
        totals: None,
        budgets: Default::default(),
        max_pending: Some(1),
        low_water: None,
    };
    q.capacity().configure(few).await.unwrap();
    q.capacity().request(named(name, 0.5, "first")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_is_told_of_a_grant_whatever_brought_it() {
    let q = memory().await;
    // Nothing is in the way.
    assert_eq!(q.capacity().request(waiting("free", 1.0, "n")).await.unwrap().status, "granted");
    // A release.
    full(&q, "a").await;
    let asked = asks(&q, waiting("a", 0.4, "by-release"));
    until_pending(&q, "a", 1).await;
    q.capacity().release(release("a", 0.4)).await.unwrap();
    let granted = told(asked).await;
    assert_eq!((granted.status.as_str(), granted.capacity), ("granted", Some(0.4)));
    assert_eq!((granted.source.as_deref(), granted.tokens.len()), (Some("self"), 1));
    // The offers of two neighbours.
    let asked = asks(&q, waiting("a", 0.8, "by-offers"));
    until_pending(&q, "a", 1).await;
    for neighbour in ["b", "c"] {
        let offer = OfferCapacity {
            source_cell_id: cell(neighbour),
            destination_cell_id: cell("a"),
            capacity: Some(0.5),
            resource: None,
            offer_id: None,
            ttl_seconds: Some(LONG),
        };
        q.capacity().offer(offer).await.unwrap();
    }
    let granted = told(asked).await;
    let sources: Vec<_> =
        granted.tokens.iter().map(|token| (token.source.as_str(), token.capacity)).collect();
    assert_eq!(sources, [("b", 0.5), ("c", 0.3)]);
    // The end of a lease.
    let short = RequestCapacity { lease_seconds: Some(0.05), ..named("d", 1.0, "short") };
    q.capacity().request(short).await.unwrap();
    assert_eq!(told(asks(&q, waiting("d", 0.4, "by-lease"))).await.status, "granted");
    // Room in a budget, made by another cell.
    let budget: BudgetId = id("budget_id", "ring").unwrap();
    let limits = [(Resource::capacity(), 0.5)].into();
    q.capacity()
        .set_budget(SetBudget { budget_id: budget.clone(), limits: Some(limits), rates: None })
        .await
        .unwrap();
    let charged = |request| RequestCapacity { budgets: [budget.clone()].into(), ..request };
    q.capacity().request(charged(named("e", 0.5, "room"))).await.unwrap();
    let asked = asks(&q, charged(waiting("f", 0.5, "by-budget")));
    until_pending(&q, "f", 1).await;
    q.capacity().release(release("e", 0.5)).await.unwrap();
    assert_eq!(told(asked).await.status, "granted");
    // What was granted is told again, at once.
    assert_eq!(told(asks(&q, waiting("a", 0.4, "by-release"))).await.status, "granted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_without_a_grant_ends_as_the_need_does() {
    let q = memory().await;
    full(&q, "a").await;
    let short = RequestCapacity { timeout_seconds: Some(0.05), ..waiting("a", 0.5, "short") };
    let expired = told(asks(&q, short.clone())).await;
    assert_eq!((expired.status.as_str(), expired.tokens.len()), ("expired", 0));
    assert_eq!(expired.need_id, short.need_id);
    let again = q.capacity().request(short).await.unwrap();
    let marked = CapacityRequested { duplicate: true, ..expired };
    assert_eq!(again, marked, "another answer from the record");
    let asked = asks(&q, waiting("a", 0.5, "unwanted"));
    until_pending(&q, "a", 1).await;
    assert_eq!(q.capacity().cancel(cancel("a", "unwanted")).await.unwrap().status, "cancelled");
    assert_eq!(told(asked).await.status, "cancelled");
    fill_the_queue(&q, "a").await;
    assert_eq!(told(asks(&q, waiting("a", 0.5, "second"))).await.status, "overloaded");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_virtual_time_a_request_is_answered_at_once_and_an_acquisition_waits() {
    let q = Quorate::open(manual()).await.unwrap();
    full(&q, "a").await;
    assert_eq!(q.capacity().request(waiting("a", 0.5, "n")).await.unwrap().status, "pending");
    q.capacity().cancel(cancel("a", "n")).await.unwrap();
    let asked = acquires(&q, named("a", 0.5, "m"));
    until_pending(&q, "a", 1).await;
    q.capacity().release(release("a", 1.0)).await.unwrap();
    assert_eq!(within(asked).await.unwrap().unwrap().amount(), 0.5);
    nothing_is_out(&q).await;
    full(&q, "b").await;
    let short = RequestCapacity { timeout_seconds: Some(1.0), ..request("b", 0.5) };
    let asked = acquires(&q, short);
    until_pending(&q, "b", 1).await;
    q.advance(Duration::from_micros(1_000_001)).await.unwrap();
    let error = within(asked).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Overloaded);
    assert_eq!(error.detail("status").unwrap(), "expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_away_from_a_request_that_waits_leaves_the_need_standing() {
    let q = memory().await;
    full(&q, "a").await;
    let asked = asks(&q, waiting("a", 0.5, "n"));
    until_pending(&q, "a", 1).await;
    asked.abort();
    assert!(asked.await.is_err());
    assert_eq!(stand(&q, "a").await, (0.0, 1, 1));
    q.capacity().release(release("a", 1.0)).await.unwrap();
    // Whoever comes again is told, and two may.
    let again = [asks(&q, waiting("a", 0.5, "n")), asks(&q, waiting("a", 0.5, "n"))];
    for asked in again {
        assert_eq!(told(asked).await.status, "granted");
    }
    assert_eq!(stand(&q, "a").await, (0.5, 0, 1));
    assert_eq!(q.health().in_flight, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_are_served_at_once_are_all_told() {
    // More than a cell remembers of needs that ended.
    const MANY: u32 = 400;
    let q = memory().await;
    let long = ConfigureCapacity {
        cell_id: cell("a"),
        totals: None,
        budgets: Default::default(),
        max_pending: Some(MANY.into()),
        low_water: None,
    };
    q.capacity().configure(long).await.unwrap();
    full(&q, "a").await;
    let crowd: Vec<_> = (0..MANY).map(|n| asks(&q, waiting("a", 0.001, &format!("n{n}")))).collect();
    until_pending(&q, "a", MANY).await;
    assert_eq!(q.health().in_flight, u64::from(MANY));
    q.capacity().release(release("a", 1.0)).await.unwrap();
    for asked in crowd {
        assert_eq!(told(asked).await.status, "granted");
    }
    assert_eq!(q.health().in_flight, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_grant_is_missed_that_comes_while_the_request_is_made() {
    let q = memory().await;
    for n in 0..200 {
        let all = q.capacity().request(named("a", 1.0, &format!("all-{n}"))).await.unwrap();
        let asked = asks(&q, waiting("a", 0.5, &format!("n{n}")));
        if n % 3 == 0 {
            tokio::task::yield_now().await;
        }
        let one = ReleaseCapacity { token_id: all.token_id, capacity: None, ..release("a", 1.0) };
        q.capacity().release(one).await.unwrap();
        let granted = told(asked).await;
        assert_eq!(granted.status, "granted", "{n}");
        q.capacity().release(release("a", 0.5)).await.unwrap();
    }
    nothing_is_out(&q).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_has_what_it_asked_for_acknowledges_it_and_gives_it_back() {
    let q = memory().await;
    let held = q.capacity().acquire(named("a", 0.7, "mine")).await.unwrap();
    assert_eq!((held.cell_id().as_str(), held.need_id().as_str(), held.amount()), ("a", "mine", 0.7));
    assert_eq!((held.resource(), held.token_ids().len()), (&Resource::capacity(), 1));
    let status = q.capacity().status(CapacityRef { cell_id: cell("a"), resource: None }).await.unwrap();
    assert_eq!((status.active_tokens, status.unacked_tokens), (1, 0));
    let next = acquires(&q, request("a", 0.7));
    until_pending(&q, "a", 1).await;
    held.release().await.unwrap();
    let next = within(next).await.unwrap().unwrap();
    assert_eq!(stand(&q, "a").await.1, 0);
    drop(next);
    nothing_is_out(&q).await;
    // A hold may be dropped anywhere, also where no executor runs.
    let held = q.capacity().acquire(request("a", 1.0)).await.unwrap();
    std::thread::spawn(move || drop(held)).join().unwrap();
    nothing_is_out(&q).await;
    // What somebody else gave back before is told.
    let held = q.capacity().acquire(request("a", 1.0)).await.unwrap();
    q.capacity().release(release("a", 1.0)).await.unwrap();
    assert_eq!(held.release().await.unwrap_err().kind(), ErrorKind::TokenReleased);
    nothing_is_out(&q).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_over_the_tokens_of_several_neighbours_gives_all_of_them_back() {
    let q = memory().await;
    full(&q, "a").await;
    let asked = acquires(&q, request("a", 0.9));
    until_pending(&q, "a", 1).await;
    for neighbour in ["b", "c", "d"] {
        let offer = OfferCapacity {
            source_cell_id: cell(neighbour),
            destination_cell_id: cell("a"),
            capacity: Some(0.3),
            resource: None,
            offer_id: None,
            ttl_seconds: Some(LONG),
        };
        q.capacity().offer(offer).await.unwrap();
    }
    let held = within(asked).await.unwrap().unwrap();
    assert_eq!(held.token_ids().len(), 3);
    let status = q.capacity().status(CapacityRef { cell_id: cell("a"), resource: None }).await.unwrap();
    assert_eq!((status.active_tokens, status.unacked_tokens), (4, 1));
    held.release().await.unwrap();
    assert_eq!(stand(&q, "a").await.2, 1);
    for neighbour in ["b", "c", "d"] {
        assert_eq!(stand(&q, neighbour).await.0, 1.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_keeps_its_lease_as_long_as_it_lives_and_no_longer() {
    let q = memory().await;
    let short = RequestCapacity { lease_seconds: Some(2.0), ..request("a", 1.0) };
    let held = q.capacity().acquire(short.clone()).await.unwrap();
    // Renewed every third of it, it is past its first lease by then.
    let renewals = async || {
        let log = q.history().query(Default::default()).await.unwrap();
        log.events.iter().filter(|event| event.event == "renewed").count()
    };
    soon(async || renewals().await >= 4).await;
    assert_eq!(stand(&q, "a").await, (0.0, 0, 1));
    held.release().await.unwrap();
    let after = renewals().await;
    // A lease that may not be renewed ends, and the hold says so.
    let fixed = RequestCapacity { renewable: Some(false), lease_seconds: Some(0.1), ..short.clone() };
    let held = q.capacity().acquire(fixed).await.unwrap();
    assert_eq!(within(held.lost()).await.kind(), ErrorKind::TokenExpired);
    assert_eq!(stand(&q, "a").await, (1.0, 0, 0));
    assert_eq!(held.release().await.unwrap_err().kind(), ErrorKind::TokenExpired);
    assert_eq!(renewals().await, after, "renewed after it was given back, or without leave");
    // What is taken away is told too.
    let held = q.capacity().acquire(short).await.unwrap();
    q.capacity().revoke(TokenRef { token_id: held.token_ids()[0].clone() }).await.unwrap();
    assert_eq!(within(held.lost()).await.kind(), ErrorKind::TokenRevoked);
    drop(held);
    nothing_is_out(&q).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acquisition_that_is_dropped_gives_up_its_place() {
    let q = memory().await;
    let first = q.capacity().acquire(request("a", 1.0)).await.unwrap();
    let large = acquires(&q, named("a", 1.0, "large"));
    until_pending(&q, "a", 1).await;
    let small = acquires(&q, named("a", 0.1, "small"));
    until_pending(&q, "a", 2).await;
    large.abort();
    assert!(large.await.is_err());
    until_pending(&q, "a", 1).await;
    let repeated = q.capacity().request(named("a", 1.0, "large")).await;
    assert_eq!(repeated.unwrap().status, "cancelled");
    assert_eq!(q.capacity().stats().await.unwrap().needs_cancelled, 1);
    drop(first);
    drop(within(small).await.unwrap().unwrap());
    nothing_is_out(&q).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acquisition_says_why_there_is_nothing() {
    let q = memory().await;
    full(&q, "a").await;
    let short = RequestCapacity { timeout_seconds: Some(0.05), ..request("a", 0.5) };
    let expired = within(q.capacity().acquire(short)).await.unwrap_err();
    assert_eq!((expired.kind(), expired.is_retryable()), (ErrorKind::Overloaded, true));
    assert_eq!(expired.detail("status").unwrap(), "expired");
    let asked = acquires(&q, named("a", 0.5, "n"));
    until_pending(&q, "a", 1).await;
    q.capacity().cancel(cancel("a", "n")).await.unwrap();
    let cancelled = within(asked).await.unwrap().unwrap_err();
    assert_eq!(
        (cancelled.kind(), cancelled.detail("status").unwrap()),
        (ErrorKind::Conflict, &"cancelled".into())
    );
    let again = within(q.capacity().acquire(named("a", 0.5, "n"))).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Conflict);
    fill_the_queue(&q, "a").await;
    let overloaded = q.capacity().acquire(request("a", 0.5)).await.unwrap_err();
    assert_eq!(overloaded.kind(), ErrorKind::Overloaded);
    assert_eq!(overloaded.detail("status").unwrap(), "overloaded");
    let invalid = q.capacity().acquire(request("a", 1.5)).await.unwrap_err();
    assert_eq!(invalid.detail("field").unwrap(), "requested_capacity");
    assert_eq!(stand(&q, "a").await, (0.0, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn acquisitions_that_are_dropped_at_any_moment_leave_nothing_behind() {
    const TASKS: u64 = 24;
    const ACTS: u64 = 40;
    let q = memory().await;
    let budget: BudgetId = id("budget_id", "ring").unwrap();
    let limits = [(Resource::capacity(), 1.4)].into();
    q.capacity()
        .set_budget(SetBudget { budget_id: budget.clone(), limits: Some(limits), rates: None })
        .await
        .unwrap();
    let done = Arc::new(AtomicBool::new(false));
    // Neighbours offer all the time; what they offer has no need to wait for.
    let neighbours = tokio::spawn({
        let (q, done) = (q.clone(), done.clone());
        async move {
            let mut rng = Rng::new(99);
            while !done.load(Ordering::Acquire) {
                let offer = OfferCapacity {
                    source_cell_id: cell("spare"),
                    destination_cell_id: cell(&format!("c{}", rng.next_u64() % 2)),
                    capacity: Some(0.3),
                    resource: None,
                    offer_id: None,
                    ttl_seconds: Some(0.05),
                };
                q.capacity().offer(offer).await.unwrap();
                tokio::time::sleep(Duration::from_micros(rng.next_u64() % 1_500)).await;
            }
        }
    });
    let task = |task: u64| {
        let (q, budget) = (q.clone(), budget.clone());
        async move {
            let (mut rng, mut held, mut got, mut left) = (Rng::new(task), Vec::new(), 0, 0);
            for _ in 0..ACTS {
                let amount = (1 + rng.next_u64() % 5) as f64 / 10.0;
                let mut asked = request(&format!("c{}", rng.next_u64() % 2), amount);
                if rng.next_u64().is_multiple_of(3) {
                    asked.budgets = [budget.clone()].into();
                }
                // From before the request is on its way until long after the grant. Who holds something does not
                // wait long for more, or all would wait for each other.
                let patience = if held.is_empty() && rng.next_u64().is_multiple_of(3) {
                    Duration::from_secs(30)
                } else {
                    Duration::from_micros(rng.next_u64() % [50, 1_000, 8_000][task as usize % 3])
                };
                match tokio::time::timeout(patience, q.capacity().acquire(asked)).await {
                    Ok(Ok(hold)) => {
                        got += 1;
                        held.push(hold);
                    }
                    Ok(Err(error)) => assert_eq!(error.kind(), ErrorKind::Overloaded, "{error}"),
                    Err(_) => left += 1,
                }
                if held.len() > 1 || rng.next_u64().is_multiple_of(2) {
                    match held.pop() {
                        Some(hold) if rng.next_u64().is_multiple_of(2) => hold.release().await.unwrap(),
                        other => drop(other),
                    }
                }
            }
            (got, left)
        }
    };
    let crowd: Vec<_> = (0..TASKS).map(|n| tokio::spawn(task(n))).collect();
    let (mut got, mut left) = (0, 0);
    for task in crowd {
        let (more, gone) = within(task).await.unwrap();
        (got, left) = (got + more, left + gone);
    }
    done.store(true, Ordering::Release);
    neighbours.await.unwrap();
    assert!(got > 20 && left > 20, "granted {got}, given up {left}");
    // The last offers end by themselves.
    soon(async || {
        q.capacity().stats().await.unwrap();
        stand(&q, "spare").await.0 == 1.0
    })
    .await;
    nothing_is_out(&q).await;
    assert_eq!(q.health().in_flight, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runtime_that_closes_tells_who_waits_and_gives_back_what_is_let_go() {
    let store = MemoryStore::new();
    let q = Quorate::open_with(Config::memory(), Arc::new(store.reopen())).await.unwrap();
    full(&q, "a").await;
    let (waits, acquired) = (asks(&q, waiting("a", 0.2, "looks")), acquires(&q, named("a", 0.3, "wants")));
    until_pending(&q, "a", 2).await;
    let held = q.capacity().acquire(request("b", 1.0)).await.unwrap();
    drop(held);
    q.close().await.unwrap();
    assert_eq!(within(waits).await.unwrap().unwrap_err().kind(), ErrorKind::StoreError);
    assert_eq!(within(acquired).await.unwrap().unwrap_err().kind(), ErrorKind::StoreError);
    let q = Quorate::open_with(Config::memory(), Arc::new(store.reopen())).await.unwrap();
    assert_eq!(stand(&q, "b").await, (1.0, 0, 0));
    // The request stands as recorded; the acquisition gave up its place.
    assert_eq!(stand(&q, "a").await, (0.0, 1, 1));
    assert_eq!(q.capacity().cancel(cancel("a", "wants")).await.unwrap().status, "cancelled");
    assert_eq!(q.capacity().cancel(cancel("a", "looks")).await.unwrap().status, "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_keeps_its_runtime_open_and_outlives_one_that_is_closed() {
    let store = MemoryStore::new();
    let q = Quorate::open_with(Config::memory(), Arc::new(store.reopen())).await.unwrap();
    let held = q.capacity().acquire(request("a", 1.0)).await.unwrap();
    drop(q);
    // The last who has the runtime: it closes here, and not before all is given back.
    std::thread::spawn(move || drop(held)).join().unwrap();
    let q = Quorate::open_with(Config::memory(), Arc::new(store.reopen())).await.unwrap();
    nothing_is_out(&q).await;
    let held = q.capacity().acquire(named("a", 1.0, "late")).await.unwrap();
    q.close().await.unwrap();
    drop(held);
    let q = Quorate::open_with(Config::memory(), Arc::new(store.reopen())).await.unwrap();
    assert_eq!(stand(&q, "a").await, (0.0, 0, 1));
    // Whoever comes again under the name of the need has what it was granted.
    drop(q.capacity().acquire(named("a", 1.0, "late")).await.unwrap());
    nothing_is_out(&q).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_need_that_waits_survives_a_crash_and_is_granted_after_it() {
    let store = MemoryStore::new();
    let q = Quorate::open_with(Config::memory(), Arc::new(store.reopen())).await.unwrap();
    full(&q, "a").await;
    let waits = asks(&q, waiting("a", 0.4, "looks"));
    until_pending(&q, "a", 1).await;
    let wanted =
        RequestCapacity { renewable: Some(true), lease_seconds: Some(60.0), ..named("a", 0.6, "wants") };
    let acquired = acquires(&q, wanted.clone());
    until_pending(&q, "a", 2).await;
    q.crash().await;
    assert!(within(waits).await.unwrap().is_err());
    assert!(within(acquired).await.unwrap().is_err());
    let q = Quorate::open_with(Config::memory(), Arc::new(store.reopen())).await.unwrap();
    assert_eq!(stand(&q, "a").await, (0.0, 2, 1));
    let again = (asks(&q, waiting("a", 0.4, "looks")), acquires(&q, wanted));
    q.capacity().release(release("a", 1.0)).await.unwrap();
    assert_eq!(told(again.0).await.status, "granted");
    let held = within(again.1).await.unwrap().unwrap();
    assert_eq!(stand(&q, "a").await, (0.0, 0, 2));
    held.release().await.unwrap();
    q.capacity().release(release("a", 0.4)).await.unwrap();
    nothing_is_out(&q).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_hears_at_once_when_the_store_refuses_for_good() {
    let failing = Arc::new(AtomicBool::new(false));
    let switch = failing.clone();
    let store = Hooked::new(MemoryStore::new(), move |_| match switch.load(Ordering::SeqCst) {
        true => Err(Fault::Unavailable { reason: "disk on fire".into() }),
        false => Ok(()),
    });
    let q = Quorate::open_with(Config::memory(), Arc::new(store)).await.unwrap();
    full(&q, "a").await;
    let (waits, wants) = (asks(&q, waiting("a", 0.4, "looks")), acquires(&q, named("a", 0.6, "wants")));
    until_pending(&q, "a", 2).await;
    failing.store(true, Ordering::SeqCst);
    // Somebody else's request meets the fault.
    let lost = q.capacity().request(request("z", 0.1)).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::OutcomeUnknown);
    assert_eq!(within(waits).await.unwrap().unwrap_err().kind(), ErrorKind::StoreError);
    assert_eq!(within(wants).await.unwrap().unwrap_err().kind(), ErrorKind::StoreError);
    assert_eq!(q.capacity().acquire(request("z", 0.1)).await.unwrap_err().kind(), ErrorKind::StoreError);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_need_is_told_as_it_ended_and_nothing_is_given_back_for_it() {
    let q = memory().await;
    let unknown = q.capacity().cancel(cancel("a", "n")).await.unwrap_err();
    assert_eq!((unknown.kind(), unknown.detail("field").unwrap()), (ErrorKind::NotFound, &"need_id".into()));
    assert_eq!(q.capacity().stats().await.unwrap().total_cells, 0, "a cell came into being by a cancel");
    let granted = q.capacity().request(named("a", 0.4, "n")).await.unwrap();
    let held = q.capacity().cancel(cancel("a", "n")).await.unwrap();
    assert_eq!((held.status.as_str(), &held.token_id), ("granted", &granted.token_id));
    let token = HeldToken { token_id: granted.token_id.unwrap(), cell_id: cell("a") };
    assert_eq!(q.capacity().ack(token).await.unwrap().status, "acknowledged");
    assert_eq!(stand(&q, "a").await, (0.6, 0, 1));
    let pending = q.capacity().request(named("a", 0.8, "m")).await.unwrap();
    for _ in 0..2 {
        let cancelled = q.capacity().cancel(cancel("a", "m")).await.unwrap();
        assert_eq!((cancelled.status.as_str(), cancelled.deadline), ("cancelled", pending.deadline));
    }
    assert_eq!(q.capacity().stats().await.unwrap().needs_cancelled, 1);
}
