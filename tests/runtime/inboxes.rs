//! Inboxes over crashes, restarts and agents that die: first what awaits the agent, then what comes.

use std::sync::Arc;
use std::time::Duration;

use quorate::{
    AskInbox, Config, DelegateConsensus, ErrorKind, OpenProposals, Quorate, RemindConsensus, RequestConsensus,
};
use quorate_core::kernel::ids::{EntityId, VoterId};
use quorate_core::voting::proposal::VoteOutcome;
use quorate_core::voting::rules::Choice;
use quorate_journal::stores::memory::MemoryStore;
use quorate_runtime::api::dto::HistoryQuery;
use quorate_runtime::shell::coordinator::ConsensusRequest;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::consensus::{agents, id, question, result, until, vote, voter};
use crate::hooked::Hooked;
use crate::manual;

type Inbox = UnboundedReceiver<ConsensusRequest>;

async fn next(inbox: &mut Inbox) -> EntityId {
    tokio::time::timeout(Duration::from_secs(60), inbox.recv())
        .await
        .expect("in time")
        .expect("open")
        .proposal_id
}

/// What came so far, once nothing is under way.
async fn all(q: &Quorate, inbox: &mut Inbox) -> Vec<String> {
    q.advance(Duration::from_millis(1)).await.unwrap();
    std::iter::from_fn(|| inbox.try_recv().ok()).map(|request| request.proposal_id.to_string()).collect()
}

async fn put(q: &Quorate, names: &[&str]) {
    for name in names {
        q.consensus().request(question(name)).await.unwrap();
        q.advance(Duration::from_millis(1)).await.unwrap();
    }
}

async fn again(q: Quorate, memory: &MemoryStore) -> Quorate {
    let at = q.now();
    q.crash().await;
    let config = Config { clock: quorate_runtime::config::ClockConfig::Manual(at), ..manual() };
    Quorate::open_with(config, Arc::new(memory.reopen())).await.unwrap()
}

async fn events(q: &Quorate, proposal: &str, name: &str) -> Vec<Value> {
    let query =
        HistoryQuery { entity_id: Some(id(proposal)), event: Some(name.into()), ..Default::default() };
    q.history().query(query).await.unwrap().events.into_iter().map(|event| event.data).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_put_when_nobody_had_an_inbox_is_handed_over_when_one_is_opened_and_then_counts() {
    let memory = MemoryStore::new();
    let q = Quorate::open_with(manual(), Arc::new(memory.reopen())).await.unwrap();
    agents(&q, &["ann", "bob"]).await;
    put(&q, &["p"]).await;
    assert_eq!(events(&q, "p", "broadcast").await, [json!({ "reached": 0, "unreached": [] })]);
    // Nor does a crash and the recovery after it reach anybody.
    let q = again(q, &memory).await;
    assert_eq!(result(&q, "p").await.metadata.reached, 0);
    let mut inbox = q.consensus().inbox(&voter("ann"));
    assert_eq!(next(&mut inbox).await, id("p"));
    until("recorded", async || result(&q, "p").await.metadata.reached == 1).await;
    assert_eq!(events(&q, "p", "handed").await[0]["voter_ids"], json!(["ann"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_whose_telling_was_cut_off_is_counted_when_an_inbox_takes_it_and_not_before() {
    // The store refuses whatever comes after the opening: so the agents are not told on record.
    let memory = MemoryStore::new();
    let broken = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let switch = broken.clone();
    let store =
        Hooked::new(memory.reopen(), move |_| match switch.load(std::sync::atomic::Ordering::SeqCst) {
            true => Err(quorate_journal::Fault::Unavailable { reason: "cut off".into() }),
            false => Ok(()),
        });
    let q = Quorate::open_with(manual(), Arc::new(store)).await.unwrap();
    agents(&q, &["ann"]).await;
    let at = q.now();
    q.consensus().request(question("p")).await.unwrap();
    broken.store(true, std::sync::atomic::Ordering::SeqCst);
    q.crash().await;
    let config = Config { clock: quorate_runtime::config::ClockConfig::Manual(at), ..manual() };
    let q = Quorate::open_with(config, Arc::new(memory.reopen())).await.unwrap();
    assert_eq!(result(&q, "p").await.metadata.reached, 0);
    let mut inbox = q.consensus().inbox(&voter("ann"));
    assert_eq!(all(&q, &mut inbox).await, ["p"]);
    assert_eq!(result(&q, "p").await.metadata.reached, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_killed_before_it_votes_hears_of_the_question_again_until_it_has_voted() {
    let memory = MemoryStore::new();
    let q = Quorate::open_with(manual(), Arc::new(memory.reopen())).await.unwrap();
    agents(&q, &["ann", "bob", "cyd"]).await;
    let mut inbox = q.consensus().inbox(&voter("ann"));
    put(&q, &["a", "b"]).await;
    assert_eq!(all(&q, &mut inbox).await, ["a", "b"]);
    // Its program dies, in this process and with it.
    drop(inbox);
    let mut inbox = q.consensus().inbox(&voter("ann"));
    assert_eq!(all(&q, &mut inbox).await, ["a", "b"]);
    assert_eq!(vote(&q, "a", "ann", Choice::For).await, VoteOutcome::Recorded);
    let q = again(q, &memory).await;
    let mut inbox = q.consensus().inbox(&voter("ann"));
    assert_eq!(all(&q, &mut inbox).await, ["b"], "it has voted on the other");
    // Handed over three times, reached once.
    assert_eq!(result(&q, "b").await.metadata.reached, 1);
    assert_eq!(events(&q, "b", "handed").await.len(), 1);
    vote(&q, "b", "ann", Choice::For).await;
    let mut inbox = q.consensus().inbox(&voter("ann"));
    assert_eq!(all(&q, &mut inbox).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_awaits_an_agent_comes_first_and_what_comes_meanwhile_after_it() {
    let q = Quorate::open(manual()).await.unwrap();
    agents(&q, &["ann"]).await;
    let names: Vec<String> = (0..300).rev().map(|n| format!("p-{n:03}")).collect();
    for name in &names {
        q.consensus().request(question(name).within_ms(300_000)).await.unwrap();
    }
    let mut inbox = q.consensus().inbox(&voter("ann"));
    for name in ["z-1", "z-2"] {
        q.consensus().request(question(name)).await.unwrap();
    }
    let heard = all(&q, &mut inbox).await;
    // All were put at one instant; then the id decides.
    let mut expected = names.clone();
    expected.sort();
    assert_eq!(heard[..300], expected);
    assert_eq!(heard[300..], ["z-1", "z-2"], "each once, however it came");
    assert_eq!(result(&q, "z-2").await.metadata.reached, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_who_are_asked_get_a_question_and_a_closed_one_nobody() {
    let q = Quorate::open(manual()).await.unwrap();
    agents(&q, &["ann", "bob"]).await;
    put(&q, &["old"]).await;
    let only_bob = RequestConsensus { participants: Some(vec![voter("bob")]), ..question("bobs") };
    q.consensus().request(only_bob).await.unwrap();
    put(&q, &["done"]).await;
    vote(&q, "done", "ann", Choice::Against).await;
    // Its inbox was there before it was registered; it is asked from then on.
    let mut late = q.consensus().inbox(&voter("zoe"));
    agents(&q, &["zoe"]).await;
    put(&q, &["new"]).await;
    assert_eq!(all(&q, &mut late).await, ["new"]);
    let mut inbox = q.consensus().inbox(&voter("bob"));
    assert_eq!(all(&q, &mut inbox).await, ["old", "bobs", "new"]);
    q.advance(Duration::from_millis(30_001)).await.unwrap();
    let mut inbox = q.consensus().inbox(&voter("ann"));
    assert_eq!(all(&q, &mut inbox).await, [""; 0], "nothing is open any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_inboxes_of_one_agent_the_later_hears_all_and_the_earlier_no_more() {
    let q = Quorate::open(manual()).await.unwrap();
    agents(&q, &["ann"]).await;
    put(&q, &["a"]).await;
    let mut earlier = q.consensus().inbox(&voter("ann"));
    assert_eq!(next(&mut earlier).await, id("a"));
    let mut later = q.consensus().inbox(&voter("ann"));
    put(&q, &["b"]).await;
    assert_eq!(all(&q, &mut later).await, ["a", "b"]);
    assert!(earlier.recv().await.is_none(), "an earlier inbox hears no more");
    assert_eq!(result(&q, "a").await.metadata.reached, 1);
    // One that nobody reads takes nothing.
    drop(later);
    put(&q, &["c"]).await;
    let told = result(&q, "c").await.metadata;
    assert_eq!((told.reached, told.unreached_agents), (0, vec![voter("ann")]));
    let mut back = q.consensus().inbox(&voter("ann"));
    assert_eq!(all(&q, &mut back).await, ["a", "b", "c"]);
    let told = result(&q, "c").await.metadata;
    assert_eq!((told.reached, told.unreached_agents), (1, Vec::<VoterId>::new()));
}

#[cfg(feature = "store-sled")]
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_on_disk_hands_over_what_awaits_its_agents() {
    let folder = tempfile::tempdir().unwrap();
    let q = Quorate::open(Config::at(folder.path())).await.unwrap();
    agents(&q, &["ann", "bob", "cyd"]).await;
    let mut inbox = q.consensus().inbox(&voter("ann"));
    for name in ["a", "b"] {
        q.consensus().request(question(name).within_ms(300_000)).await.unwrap();
    }
    assert_eq!([next(&mut inbox).await, next(&mut inbox).await].map(|id| id.to_string()), ["a", "b"]);
    vote(&q, "a", "ann", Choice::For).await;
    q.crash().await;
    let q = Quorate::open(Config::at(folder.path())).await.unwrap();
    let (mut ann, mut bob) = (q.consensus().inbox(&voter("ann")), q.consensus().inbox(&voter("bob")));
    assert_eq!(next(&mut ann).await, id("b"));
    assert_eq!([next(&mut bob).await, next(&mut bob).await].map(|id| id.to_string()), ["a", "b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_at_an_empty_inbox_is_told_of_what_opens_and_of_nothing_else() {
    let q = Quorate::open(Config::memory()).await.unwrap();
    agents(&q, &["ann", "bob"]).await;
    let waits = |wait_ms| AskInbox { voter_id: voter("ann"), wait_ms: Some(wait_ms), limit: None };
    assert_eq!(q.overview().inbox(waits(0)).await.unwrap().total, 0);
    let waiting = tokio::spawn({
        let (q, request) = (q.clone(), waits(300_000));
        async move { q.overview().inbox(request).await }
    });
    let listing = tokio::spawn({
        let q = q.clone();
        let request = OpenProposals {
            agent_id: Some(voter("ann")),
            wait_ms: Some(300_000),
            ..OpenProposals::default()
        };
        async move { q.consensus().list_open(request).await }
    });
    let of_bob = RequestConsensus { participants: Some(vec![voter("bob")]), ..question("not-hers") };
    q.consensus().request(of_bob).await.unwrap();
    q.consensus().request(question("hers")).await.unwrap();
    let told = waiting.await.unwrap().unwrap();
    let names: Vec<_> = told.questions.iter().map(|one| (one.kind.as_str(), one.id.as_str())).collect();
    assert_eq!(names, [("proposal", "hers")]);
    assert!(told.complete);
    assert_eq!(listing.await.unwrap().unwrap().proposals[0].proposal_id, id("hers"));
    vote(&q, "hers", "ann", Choice::For).await;
    assert_eq!(q.overview().inbox(waits(0)).await.unwrap().total, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_a_place_hears_of_the_question_and_who_is_reminded_hears_of_it_again_also_after_a_crash() {
    let memory = MemoryStore::new();
    let q = Quorate::open_with(manual(), Arc::new(memory.reopen())).await.unwrap();
    agents(&q, &["ann", "bob", "cyd"]).await;
    let only = RequestConsensus {
        participants: Some(vec![voter("ann"), voter("bob")]),
        ..question("p").within_ms(3_600_000).answered_by(json!({ "type": "integer" }))
    };
    let mut of_ann = q.consensus().inbox(&voter("ann"));
    let mut of_cyd = q.consensus().inbox(&voter("cyd"));
    q.consensus().request(only).await.unwrap();
    assert_eq!((all(&q, &mut of_ann).await, all(&q, &mut of_cyd).await), (vec!["p".to_owned()], vec![]));
    let hand = DelegateConsensus {
        proposal_id: id("p"),
        from: voter("ann"),
        to: voter("cyd"),
        reason: Some("away".into()),
    };
    q.consensus().delegate(hand).await.unwrap();
    q.advance(Duration::from_millis(1)).await.unwrap();
    let told = of_cyd.try_recv().unwrap();
    assert_eq!((told.proposal_id, told.reminded), (id("p"), 0));
    assert_eq!(told.answer_schema, Some(json!({ "type": "integer" })));
    let remind = RemindConsensus { proposal_id: id("p"), voter: None, by: None };
    let told = q.consensus().remind(remind.clone()).await.unwrap();
    assert_eq!(told.reminded, [(voter("bob"), 1), (voter("cyd"), 1)].into());
    q.advance(Duration::from_millis(1)).await.unwrap();
    assert_eq!(of_cyd.try_recv().unwrap().reminded, 1);
    assert_eq!(all(&q, &mut of_ann).await, [""; 0], "it is not asked any more");
    let refused = q.consensus().remind(remind.clone()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::RateLimited);
    assert!(refused.detail("retry_after_ms").unwrap().as_u64().unwrap() > 59_000, "{refused}");
    let q = again(q, &memory).await;
    let mut of_cyd = q.consensus().inbox(&voter("cyd"));
    let told = tokio::time::timeout(Duration::from_secs(60), of_cyd.recv()).await.unwrap().unwrap();
    assert_eq!((told.proposal_id, told.reminded), (id("p"), 1));
    assert_eq!(all(&q, &mut q.consensus().inbox(&voter("ann"))).await, [""; 0]);
    assert_eq!(result(&q, "p").await.outstanding, [voter("bob"), voter("cyd")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_question_hears_of_a_place_that_it_is_given() {
    let q = Quorate::open(Config::memory()).await.unwrap();
    agents(&q, &["ann", "bob", "cyd"]).await;
    let only = RequestConsensus {
        participants: Some(vec![voter("ann"), voter("bob")]),
        ..question("p").within_ms(3_600_000)
    };
    q.consensus().request(only).await.unwrap();
    let asking = AskInbox { voter_id: voter("cyd"), wait_ms: Some(300_000), limit: None };
    let waiting = tokio::spawn({
        let q = q.clone();
        async move { q.overview().inbox(asking).await.unwrap() }
    });
    let hand = DelegateConsensus { proposal_id: id("p"), from: voter("ann"), to: voter("cyd"), reason: None };
    q.consensus().delegate(hand).await.unwrap();
    let inbox = tokio::time::timeout(Duration::from_secs(60), waiting).await.unwrap().unwrap();
    assert_eq!((inbox.total, inbox.questions[0].in_place_of.clone()), (1, Some(voter("ann"))));
}
