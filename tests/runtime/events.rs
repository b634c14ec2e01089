//! Following what is recorded, in the program itself.

use std::time::Duration;

use quorate::{Events, Quorate, StartQuorum, Vote};
use quorate_runtime::api::dto::{EventView, HistoryQuery};

use crate::manual;

const FOLLOWERS: usize = 8;
const STARTERS: usize = 6;
const EACH: usize = 40;

fn quorums() -> HistoryQuery {
    HistoryQuery { kind: Some("quorum".into()), ..HistoryQuery::default() }
}

/// The next event; one that was left out must fail the test, not hold it up.
async fn next(events: &mut Events) -> EventView {
    let next = tokio::time::timeout(Duration::from_secs(30), events.next()).await;
    next.expect("an event was left out").unwrap().unwrap()
}

/// Everything on record, page by page.
async fn recorded(q: &Quorate) -> Vec<EventView> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let page = q.history().query(HistoryQuery { limit: Some(1_000), cursor, ..quorums() }).await.unwrap();
        all.extend(page.events);
        if !page.more {
            return all;
        }
        cursor = page.next_cursor;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_follower_is_told_everything_once_and_in_order_wherever_it_is_cut_off() {
    let q = Quorate::open(manual()).await.unwrap();
    let count = STARTERS * EACH * 3;
    let followers: Vec<_> = (0..FOLLOWERS)
        .map(|n| {
            let q = q.clone();
            tokio::spawn(async move {
                let (mut told, mut cursor) = (Vec::new(), Some("0".to_owned()));
                while told.len() < count {
                    let mut events = q.events(HistoryQuery { cursor, ..quorums() }).await.unwrap();
                    // The first is never cut off; the others again and again, after ever more events.
                    let most = if n == 0 { count } else { 1 + (told.len() + n) % 97 };
                    for _ in 0..most.min(count - told.len()) {
                        told.push(next(&mut events).await);
                    }
                    cursor = Some(events.position().to_string());
                }
                told
            })
        })
        .collect();
    let starters: Vec<_> = (0..STARTERS)
        .map(|_| {
            let q = q.clone();
            tokio::spawn(async move {
                for _ in 0..EACH {
                    let question = StartQuorum::global().with_voters(["ann", "bob"]).unwrap();
                    let id = q.quorums().start(question).await.unwrap().quorum_id;
                    q.quorums().vote(Vote::new(&id, "ann", false).unwrap()).await.unwrap();
                }
            })
        })
        .collect();
    for starter in starters {
        starter.await.unwrap();
    }
    let all = recorded(&q).await;
    assert_eq!(all.len(), count, "opened, cast and closed");
    for follower in followers {
        assert!(follower.await.unwrap() == all, "a follower was told something else");
    }
}

#[tokio::test]
async fn a_follower_ends_with_the_runtime_and_hears_of_one_entity_from_its_first_event_on() {
    let q = Quorate::open(manual()).await.unwrap();
    let one = HistoryQuery { entity_id: Some("q2".parse().unwrap()), ..quorums() };
    let mut events = q.events(one).await.unwrap();
    for name in ["q1", "q2", "q3"] {
        let question = StartQuorum { quorum_id: Some(name.parse().unwrap()), ..StartQuorum::global() };
        q.quorums().start(question.with_voters(["ann"]).unwrap()).await.unwrap();
    }
    let first = next(&mut events).await;
    assert_eq!((first.entity_id.as_str(), first.seq), ("q2", 1));
    let waiting = tokio::spawn(async move { events.next().await });
    tokio::task::yield_now().await;
    q.close().await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), None);
}

#[tokio::test]
async fn a_long_log_of_one_entity_is_followed_whole_while_others_write_between() {
    const VOTERS: usize = 200;
    let q = Quorate::open(manual()).await.unwrap();
    let names: Vec<String> = (0..VOTERS).map(|n| format!("v{n}")).collect();
    let voters = || names.iter().map(String::as_str);
    let question = StartQuorum {
        quorum_id: Some("long".parse().unwrap()),
        required_votes: Some(VOTERS as i64),
        ..StartQuorum::global()
    };
    let long = q.quorums().start(question.with_voters(voters()).unwrap()).await.unwrap().quorum_id;
    for voter in voters() {
        q.quorums().vote(Vote::new(&long, voter, true).unwrap()).await.unwrap();
        q.quorums().start(StartQuorum::global().with_voters(["ann"]).unwrap()).await.unwrap();
    }
    let one = HistoryQuery { entity_id: Some(long.clone()), cursor: Some("0".into()), ..quorums() };
    let mut events = q.events(one).await.unwrap();
    for seq in 1..=VOTERS as u64 + 2 {
        assert_eq!(next(&mut events).await.seq, seq);
    }
}
