//! Cells and budgets on the real runtime, with everybody at them at once.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use quorate::{ErrorKind, Quorate};
use quorate_core::kernel::ids::{CellId, Resource, TokenId};
use quorate_core::kernel::rng::Rng;
use quorate_journal::stores::memory::MemoryStore;
use quorate_runtime::api::dto::{
    CapacityRef, CapacityRequested, CapacityStats, ConfigureCapacity, HeldToken, ListHolders, OfferCapacity,
    ReleaseCapacity, RequestCapacity, SetBudget, TokenRef, TransferCapacity, id,
};
use quorate_runtime::config::Config;

use crate::books::Books;
use crate::hooked::Hooked;
use crate::manual;

const CELLS: u64 = 8;
const TASKS: u64 = 24;
const ACTS: usize = 120;

fn cell(name: &str) -> CellId {
    id("cell_id", name).unwrap()
}

fn request(of: &str, amount: f64, need: &str) -> RequestCapacity {
    let need_id = Some(id("need_id", need).unwrap());
    RequestCapacity { need_id, timeout_seconds: Some(60.0), ..RequestCapacity::new(of).unwrap().of(amount) }
}

fn offer(from: &str, to: &str, amount: f64) -> OfferCapacity {
    OfferCapacity {
        source_cell_id: cell(from),
        destination_cell_id: cell(to),
        capacity: Some(amount),
        resource: None,
        offer_id: None,
        ttl_seconds: None,
    }
}

fn release(of: &str, amount: f64) -> ReleaseCapacity {
    let (token_id, resource, idempotency_key) = (None, None, None);
    ReleaseCapacity { cell_id: cell(of), capacity: Some(amount), token_id, resource, idempotency_key }
}

async fn available(q: &Quorate, of: &str) -> f64 {
    q.capacity().status(CapacityRef { cell_id: cell(of), resource: None }).await.unwrap().capacity
}

fn granted(asked: &CapacityRequested) -> &TokenId {
    asked.token_id.as_ref().unwrap_or_else(|| panic!("not granted: {asked:?}"))
}

/// The journal adds up, all entities agree, and what is shown is what the journal says.
async fn check(q: &Quorate) -> Books {
    let mut books = Books::of(q).await.unwrap();
    books.settle(q.now()).unwrap();
    books.agree().unwrap();
    for (cell_id, state) in &books.cells {
        let shown =
            q.capacity().status(CapacityRef { cell_id: cell_id.clone(), resource: None }).await.unwrap();
        let folded = state.status(cell_id.clone(), &Resource::capacity(), &state.settings);
        let parts = [folded.capacity, folded.reserved, folded.lent, folded.held].map(|part| part.to_f64());
        assert_eq!([shown.capacity, shown.reserved, shown.lent, shown.held], parts, "{cell_id}");
        assert_eq!((shown.pending_needs, shown.active_tokens), (folded.pending_needs, folded.active_tokens));
    }
    books
}

/// Tokens somebody may still have, each with who held it when it was last seen.
type Purse = Arc<Mutex<Vec<(TokenId, CellId)>>>;

async fn act(q: &Quorate, rng: &mut Rng, purse: &Purse, name: &str) {
    let any_cell = |rng: &mut Rng| cell(&format!("c{}", rng.next_u64() % CELLS));
    let amount = |rng: &mut Rng| (1 + rng.next_u64() % 10) as f64 / 10.0;
    let mine = any_cell(rng);
    let nth = 1 + rng.next_u64() as usize % 6;
    let taken = || {
        let purse = purse.lock().unwrap();
        let recent = purse.len().checked_sub(nth).and_then(|at| purse.get(at));
        recent.cloned().unwrap_or((id("token_id", "none").unwrap(), mine.clone()))
    };
    let capacity = q.capacity();
    let outcome = match rng.next_u64() % 16 {
        0..=4 => {
            let budgets: BTreeSet<_> = match rng.next_u64() % 4 {
                0 => [id("budgets", "b0").unwrap()].into(),
                1 => [id("budgets", "b0").unwrap(), id("budgets", "b1").unwrap()].into(),
                _ => BTreeSet::new(),
            };
            let lease_seconds = Some([0.02, 1.0, 60.0][(rng.next_u64() % 3) as usize]);
            let asked = RequestCapacity {
                budgets,
                lease_seconds,
                renewable: Some(rng.next_u64().is_multiple_of(2)),
                timeout_seconds: Some(0.2),
                ..request(mine.as_str(), amount(rng) / 2.0, name)
            };
            capacity.request(asked).await.map(|asked| {
                let tokens = asked.tokens.into_iter().map(|token| (token.token_id, mine.clone()));
                purse.lock().unwrap().extend(tokens);
            })
        }
        5..=8 => {
            let (from, to) = (any_cell(rng), mine.clone());
            capacity.offer(offer(from.as_str(), to.as_str(), amount(rng))).await.map(|offered| {
                purse.lock().unwrap().extend(offered.token_id.map(|token| (token, to)));
            })
        }
        9..=10 => capacity.release(release(mine.as_str(), amount(rng))).await.map(drop),
        11 => {
            let (token_id, cell_id) = taken();
            capacity.ack(HeldToken { token_id, cell_id }).await.map(drop)
        }
        12 => {
            let (token_id, cell_id) = taken();
            capacity.renew(HeldToken { token_id, cell_id }).await.map(drop)
        }
        13 => {
            let ((token_id, cell_id), to) = (taken(), mine.clone());
            let over =
                TransferCapacity { token_id: token_id.clone(), cell_id, destination_cell_id: to.clone() };
            capacity.transfer(over).await.map(|_| purse.lock().unwrap().push((token_id, to)))
        }
        14 => {
            let (token_id, cell_id) = taken();
            let whole = ReleaseCapacity {
                capacity: None,
                token_id: Some(token_id),
                ..release(cell_id.as_str(), 1.0)
            };
            capacity.release(whole).await.map(drop)
        }
        _ => capacity.revoke(TokenRef { token_id: taken().0 }).await.map(drop),
    };
    if let Err(error) = outcome {
        let fits = matches!(
            error.kind(),
            ErrorKind::TokenNotFound
                | ErrorKind::NotTokenOwner
                | ErrorKind::TokenExpired
                | ErrorKind::TokenReleased
                | ErrorKind::TokenRevoked
                | ErrorKind::NotRenewable
                | ErrorKind::InvalidArgument
                | ErrorKind::AlreadyExists
        );
        assert!(fits, "{error}");
    }
}

/// Whether every way to move capacity was gone.
fn busy(stats: &CapacityStats) -> bool {
    let moved = [stats.offers, stats.transfers, stats.released, stats.revoked, stats.expired];
    stats.granted > 100 && moved.iter().all(|n| *n > 0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_on_a_few_cells_ends_and_loses_nothing() {
    let q = Quorate::open(Config { entity_threads: 2, seed: None, ..manual() }).await.unwrap();
    for (budget, limit) in [("b0", 2.5), ("b1", 1.2)] {
        let limits = [(Resource::capacity(), limit)].into();
        q.capacity()
            .set_budget(SetBudget { budget_id: id("b", budget).unwrap(), limits: Some(limits), rates: None })
            .await
            .unwrap();
    }
    let few = ConfigureCapacity {
        cell_id: cell("c0"),
        totals: None,
        budgets: [id("b", "b1").unwrap()].into(),
        max_pending: Some(4),
        low_water: None,
    };
    q.capacity().configure(few).await.unwrap();
    let (purse, done) = (Purse::default(), Arc::new(AtomicBool::new(false)));
    let time = tokio::spawn({
        let (q, done) = (q.clone(), done.clone());
        async move {
            while !done.load(Ordering::Acquire) {
                q.advance(Duration::from_millis(7)).await.unwrap();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
    // One crowd after another, until everything that can happen has happened: how the callers take turns is
    // the machine's choice.
    for crowd in 0..20 {
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let (q, purse) = (q.clone(), purse.clone());
                tokio::spawn(async move {
                    let mut rng = Rng::new(crowd * TASKS + task);
                    for n in 0..ACTS {
                        // Some callers do not wait for the answer; what they asked for happens all the same.
                        let name = format!("n-{crowd}-{task}-{n}");
                        let mut acting = Box::pin(act(&q, &mut rng, &purse, &name));
                        if n % 10 == 0 {
                            let _ = tokio::time::timeout(Duration::from_micros(50), &mut acting).await;
                        } else {
                            acting.await;
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            let ended = tokio::time::timeout(Duration::from_secs(120), task).await;
            ended.expect("somebody waits for ever").unwrap();
        }
        if busy(&q.capacity().stats().await.unwrap()) {
            break;
        }
    }
    done.store(true, Ordering::Release);
    time.await.unwrap();
    // What is under way comes to its end.
    q.advance(Duration::from_millis(1)).await.unwrap();
    let books = check(&q).await;
    let stats = q.capacity().stats().await.unwrap();
    assert_eq!((stats.granted as usize, stats.total_cells), (books.granted.len(), CELLS));
    let asked = books.done.iter().filter(|(what, ..)| *what == "need").count();
    assert!(asked >= books.granted.len(), "{asked} needs");
    let live: usize = books.cells.values().map(|cell| cell.lent.len()).sum();
    assert_eq!(stats.active_tokens, live as u64);
    assert!(busy(&stats), "{stats:?}");
    // Every lease ends: capacity that nobody gives back is lent for a while, never lost.
    for _ in 0..4 {
        q.advance(Duration::from_secs(61)).await.unwrap();
    }
    let books = check(&q).await;
    for (name, state) in &books.cells {
        assert_eq!(*state.available, state.settings.totals, "{name}: {state:?}");
    }
    assert!(books.budgets.values().all(|budget| budget.charges.is_empty() && budget.waiting.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_in_the_middle_of_a_joint_decision_leaves_it_whole() {
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let held = gate.clone();
    let store = Hooked::new(MemoryStore::new(), move |_| {
        let (shut, opened) = &*held;
        drop(opened.wait_while(shut.lock().unwrap(), |shut| *shut).unwrap());
        Ok(())
    });
    let q = Quorate::open_with(manual(), Arc::new(store)).await.unwrap();
    q.capacity().request(request("a", 1.0, "own")).await.unwrap();
    q.capacity().request(request("a", 0.4, "need")).await.unwrap();
    *gate.0.lock().unwrap() = true;
    let capacity = q.capacity();
    let named = OfferCapacity { offer_id: Some(id("offer_id", "o").unwrap()), ..offer("b", "a", 0.5) };
    let mut offered = Box::pin(capacity.offer(named.clone()));
    let soon = Duration::from_millis(50);
    let mut early = vec![tokio::time::timeout(soon, &mut offered).await.is_ok()];
    drop(offered);
    // Its repeat changes nothing, and waits all the same for what it tells.
    let mut again = Box::pin(capacity.offer(named));
    early.push(tokio::time::timeout(soon, &mut again).await.is_ok());
    // Neither of the two shows what is not durable.
    for name in ["a", "b"] {
        let mut status = Box::pin(available(&q, name));
        early.push(tokio::time::timeout(soon, &mut status).await.is_ok());
    }
    let counted = capacity.stats();
    early.push(tokio::time::timeout(soon, counted).await.is_ok_and(|stats| stats.unwrap().offers > 0));
    *gate.0.lock().unwrap() = false;
    gate.1.notify_all();
    assert_eq!(
        early, [false; 5],
        "offer, its repeat, a, b or the counters were told before they were durable"
    );
    assert_eq!(again.await.unwrap().used, Some(0.4));
    let asked = q.capacity().request(request("a", 0.4, "need")).await.unwrap();
    assert_eq!((asked.status.as_str(), asked.source.as_deref()), ("granted", Some("b")));
    let token = HeldToken { token_id: granted(&asked).clone(), cell_id: cell("a") };
    assert_eq!(q.capacity().ack(token).await.unwrap().capacity, Some(0.4));
    assert_eq!(available(&q, "b").await, 0.6);
    check(&q).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_holders_goes_on_in_its_own_cell_and_journal_alone() {
    let [one, other] = [Quorate::open(Config::memory()).await, Quorate::open(Config::memory()).await];
    let (one, other) = (one.unwrap(), other.unwrap());
    for q in [&one, &other] {
        for (of, need) in [("a", "n1"), ("a", "n2"), ("b", "n3"), ("b", "n4")] {
            q.capacity().request(request(of, 0.25, need)).await.unwrap();
        }
    }
    let list = |of: &str, cursor: Option<&str>| ListHolders {
        cell_id: cell(of),
        resource: None,
        limit: Some(1),
        cursor: cursor.map(str::to_owned),
    };
    let first = one.capacity().holders(list("a", None)).await.unwrap();
    let cursor = first.next_cursor.filter(|_| first.more);
    let second = one.capacity().holders(list("a", cursor.as_deref())).await.unwrap();
    assert_eq!((second.holders.len(), second.more), (1, false));
    for (q, of) in [(&one, "b"), (&other, "a")] {
        let refused = q.capacity().holders(list(of, cursor.as_deref())).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidArgument, "{refused}");
        assert_eq!(refused.detail("field").unwrap(), "cursor");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_queue_is_kept_in_order_and_served_from_its_front() {
    const LONG: u32 = 1_000;
    let q = Quorate::open(manual()).await.unwrap();
    let long = ConfigureCapacity {
        cell_id: cell("a"),
        totals: None,
        budgets: BTreeSet::new(),
        max_pending: Some(LONG.into()),
        low_water: None,
    };
    q.capacity().configure(long).await.unwrap();
    q.capacity().request(request("a", 1.0, "first")).await.unwrap();
    let capacity = q.capacity();
    let asked = |n: u32| capacity.request(request("a", 0.3, &format!("n{n}")));
    for n in 0..LONG {
        assert_eq!(asked(n).await.unwrap().pending_requests, Some(n + 1));
    }
    let full = q.capacity().request(request("a", 0.3, "one more")).await.unwrap();
    assert_eq!((full.status.as_str(), full.low_water), ("overloaded", Some(LONG / 2)));
    q.capacity().release(release("a", 0.6)).await.unwrap();
    let statuses = [asked(0).await, asked(1).await, asked(2).await].map(|asked| asked.unwrap().status);
    assert_eq!(statuses, ["granted", "granted", "pending"]);
    // Together they give up.
    q.advance(Duration::from_millis(60_001)).await.unwrap();
    assert_eq!(q.capacity().stats().await.unwrap().needs_expired, u64::from(LONG - 2));
    assert_eq!(q.capacity().request(request("a", 0.3, "one more")).await.unwrap().status, "granted");
    check(&q).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_of_several_sources_names_each_part_and_a_new_cell_is_named_as_such() {
    let q = Quorate::open(manual()).await.unwrap();
    let first = q.capacity().request(request("a", 0.9, "first")).await.unwrap();
    assert_eq!((first.created, first.token_capacity, first.tokens.len()), (true, None, 1));
    assert!(!q.capacity().request(request("a", 0.8, "big")).await.unwrap().created);
    for (from, amount) in [("b", 0.3), ("c", 0.2), ("d", 0.5)] {
        assert!(q.capacity().offer(offer(from, "a", amount)).await.unwrap().created);
    }
    let whole = q.capacity().request(request("a", 0.8, "big")).await.unwrap();
    let parts: Vec<_> = whole.tokens.iter().map(|token| (token.source.as_str(), token.capacity)).collect();
    assert_eq!(parts, [("b", 0.3), ("c", 0.2), ("d", 0.3)]);
    assert_eq!(
        (whole.capacity, whole.source.as_deref(), whole.token_capacity),
        (Some(0.8), Some("b"), Some(0.3))
    );
    let sum: f64 = parts.iter().map(|(_, part)| (part * 1e6).round()).sum();
    assert_eq!(sum, 8e5, "together they are the whole");
    assert_eq!(whole.token_id.as_ref(), Some(&whole.tokens[0].token_id));

    let strict = Config {
        capacity: quorate_runtime::config::CapacityConfig { strict_cells: true, ..Default::default() },
        ..manual()
    };
    let q = Quorate::open(strict).await.unwrap();
    let unknown = q.capacity().request(request("misspelt", 0.1, "n")).await.unwrap_err();
    assert_eq!((unknown.kind(), unknown.detail("field")), (ErrorKind::NotFound, Some(&"cell_id".into())));
    let unknown = q.capacity().offer(offer("misspelt", "other", 0.1)).await.unwrap_err();
    assert_eq!(
        (unknown.kind(), unknown.detail("field")),
        (ErrorKind::NotFound, Some(&"source_cell_id".into()))
    );
    assert_eq!(q.capacity().stats().await.unwrap().total_cells, 0);
}

/// Whoever repeats a need whose token it still holds gets the same token, however many others came and went meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_need_is_remembered_as_long_as_its_token_lives() {
    let q = Quorate::open(manual()).await.unwrap();
    let held = q.capacity().request(request("a", 0.5, "held")).await.unwrap();
    for n in 0..300 {
        let name = format!("n{n}");
        let other = q.capacity().request(request("a", 0.1, &name)).await.unwrap();
        let token_id = Some(granted(&other).clone());
        q.capacity()
            .release(ReleaseCapacity { token_id, capacity: None, ..release("a", 0.1) })
            .await
            .unwrap();
    }
    let again = q.capacity().request(request("a", 0.5, "held")).await.unwrap();
    assert_eq!((granted(&again), again.duplicate), (granted(&held), true));
    // Once it is given back, it is forgotten as the others are.
    let token_id = Some(granted(&held).clone());
    q.capacity().release(ReleaseCapacity { token_id, capacity: None, ..release("a", 0.5) }).await.unwrap();
    for n in 300..600 {
        let other = q.capacity().request(request("a", 0.1, &format!("n{n}"))).await.unwrap();
        let token_id = Some(granted(&other).clone());
        q.capacity()
            .release(ReleaseCapacity { token_id, capacity: None, ..release("a", 0.1) })
            .await
            .unwrap();
    }
    let anew = q.capacity().request(request("a", 0.5, "held")).await.unwrap();
    assert!(!anew.duplicate && granted(&anew) != granted(&held), "{anew:?}");
}
