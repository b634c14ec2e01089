//! Reservations through the whole runtime: waiting in turn, restarts, many at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use quorate::{
    BudgetRef, CapacityReserved, ClockConfig, Config, ErrorKind, Quorate, ReserveCapacity, SetBudget,
    SetRate, SettleCapacity, Timestamp, id,
};
use quorate_journal::stores::memory::MemoryStore;

async fn set(q: &Quorate, budget: &str, rates: &[(&str, SetRate)]) {
    let rates = rates.iter().map(|(name, rate)| (id("rate", name).unwrap(), rate.clone())).collect();
    let set = SetBudget { budget_id: id("budget_id", budget).unwrap(), limits: None, rates: Some(rates) };
    q.capacity().set_budget(set).await.unwrap();
}

fn tokens(cell: &str, count: i64) -> ReserveCapacity {
    ReserveCapacity::new(cell, &[("tokens", count)]).unwrap().from("acme").unwrap()
}

fn settle(reserved: &CapacityReserved, count: i64) -> SettleCapacity {
    let actual = BTreeMap::from([(id("unit", "tokens").unwrap(), count)]);
    SettleCapacity { token_id: reserved.token_id.clone().unwrap(), cell_id: reserved.cell_id.clone(), actual }
}

async fn level(q: &Quorate) -> i64 {
    let budget = BudgetRef { budget_id: id("budget_id", "acme").unwrap() };
    q.capacity().budget(budget).await.unwrap().rates[&id("rate", "tokens").unwrap()].level
}

#[tokio::test]
async fn a_reservation_and_its_settlement_survive_the_process_and_no_refill_is_lost_or_made() {
    let store = MemoryStore::new();
    let config = |at| Config { clock: ClockConfig::Manual(at), ..Config::memory() };
    let second = |s| Timestamp::EPOCH.plus(Duration::from_secs(s));
    let q = Quorate::open_with(config(second(0)), Arc::new(store.reopen())).await.unwrap();
    set(&q, "acme", &[("tokens", SetRate::new(7, 60.0))]).await;
    let named =
        |name: &str| ReserveCapacity { token_id: Some(id("token_id", name).unwrap()), ..tokens("ann", 3) };
    let first = q.capacity().reserve(named("first")).await.unwrap();
    let second_one = q.capacity().reserve(named("second")).await.unwrap();
    assert_eq!(q.capacity().settle(settle(&first, 1)).await.unwrap().changes[0].given_back, 2);
    q.crash().await;

    // Ten seconds are one token and a sixth of one; the sixth is not lost.
    let q = Quorate::open_with(config(second(10)), Arc::new(store.reopen())).await.unwrap();
    assert_eq!(level(&q).await, 4);
    let again = q.capacity().reserve(named("first")).await.unwrap();
    assert_eq!((again.status.as_str(), again.duplicate), ("settled", true));
    assert!(q.capacity().settle(settle(&first, 1)).await.unwrap().duplicate);
    let other = q.capacity().settle(settle(&first, 2)).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::TokenReleased);
    q.crash().await;

    let q = Quorate::open_with(config(second(301)), Arc::new(store.reopen())).await.unwrap();
    assert_eq!(level(&q).await, 7);
    let late = q.capacity().settle(settle(&second_one, 0)).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::TokenExpired);
    assert_eq!(q.capacity().reserve(named("second")).await.unwrap().status, "expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_wait_are_served_in_turn_by_the_refill_or_by_what_others_give_back() {
    let q = Quorate::open(Config::memory()).await.unwrap();
    set(&q, "acme", &[("tokens", SetRate { burst: Some(50), ..SetRate::new(1_000, 1.0) })]).await;
    assert_eq!(q.capacity().reserve(tokens("ann", 50)).await.unwrap().status, "granted");
    let waits =
        |count| ReserveCapacity { wait: Some(true), timeout_seconds: Some(60.0), ..tokens("ann", count) };
    // Whoever asks for all of it is not kept waiting by those who ask for little.
    let all: Vec<_> = (0..20)
        .map(|n| {
            let (q, asked) = (q.clone(), waits(if n == 3 { 50 } else { 5 }));
            tokio::spawn(async move { q.capacity().reserve(asked).await.unwrap().status })
        })
        .collect();
    for asked in all {
        assert_eq!(asked.await.unwrap(), "granted");
    }
    assert_eq!(q.capacity().reserve(waits(51)).await.unwrap().status, "never");
    set(&q, "slow", &[("tokens", SetRate::new(1, 3_600.0))]).await;
    let slow = |wait| {
        let asked = ReserveCapacity { wait: Some(wait), timeout_seconds: Some(0.05), ..tokens("bob", 1) };
        asked.from("slow").unwrap()
    };
    assert_eq!(q.capacity().reserve(slow(false)).await.unwrap().status, "granted");
    let refused = q.capacity().reserve(slow(true)).await.unwrap();
    assert_eq!(refused.status, "exhausted");
    assert!(refused.retry_after_ms > Some(3_000_000));

    // What somebody gives back is there for whoever waits, long before the refill.
    set(&q, "gift", &[("tokens", SetRate::new(1, 3_600.0))]).await;
    let gift = |wait| ReserveCapacity { wait: Some(wait), ..tokens("cid", 1) }.from("gift").unwrap();
    let first = q.capacity().reserve(gift(false)).await.unwrap();
    let waiting = tokio::spawn({
        let q = q.clone();
        async move { q.capacity().reserve(gift(true)).await.unwrap().status }
    });
    q.capacity().settle(settle(&first, 0)).await.unwrap();
    assert_eq!(waiting.await.unwrap(), "granted");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_over_a_cascade_get_what_there_is_and_no_more() {
    let config = Config { clock: ClockConfig::Manual(Timestamp::EPOCH), ..Config::memory() };
    let q = Quorate::open(config).await.unwrap();
    set(&q, "acme", &[("tokens", SetRate::new(100, 60.0))]).await;
    for user in ["ann", "bob", "cid"] {
        set(&q, user, &[("tokens", SetRate::new(40, 60.0))]).await;
    }
    let all: Vec<_> = (0..150)
        .map(|n| {
            let (q, user) = (q.clone(), ["ann", "bob", "cid"][n % 3]);
            let asked = tokens(user, 1).from(user).unwrap();
            tokio::spawn(async move { (user, q.capacity().reserve(asked).await.unwrap().status) })
        })
        .collect();
    let mut granted: BTreeMap<&str, u32> = BTreeMap::new();
    for asked in all {
        let (user, status) = asked.await.unwrap();
        *granted.entry(user).or_default() += u32::from(status == "granted");
    }
    assert_eq!(granted.values().sum::<u32>(), 100);
    assert!(granted.values().all(|count| *count <= 40), "{granted:?}");
    assert_eq!(level(&q).await, 0);
}
