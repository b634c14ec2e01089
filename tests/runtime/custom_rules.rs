//! Algorithms that are functions of the program: known late, not at all, or failing.

use std::sync::Arc;
use std::time::Duration;

use quorate::{ErrorKind, Quorate};
use quorate_core::voting::proposal::{Verdict, VoteOutcome};
use quorate_core::voting::rules::{Choice, Outcome, Poll, WeightTable};
use quorate_journal::stores::memory::MemoryStore;
use quorate_runtime::api::dto::AlgorithmRef;
use quorate_runtime::config::{ClockConfig, Config};
use quorate_runtime::shell::custom::CustomRuleSet;

use crate::consensus::{agents, question, register, result, vote, voter, waited};
use crate::manual;

/// Everybody must vote for; silence is no answer.
fn unanimous(poll: &Poll<'_>) -> Outcome {
    if poll.votes.iter().any(|(_, vote)| *vote != Choice::For) {
        Outcome::Lost
    } else if poll.votes.len() == poll.participants.len() {
        Outcome::Won
    } else {
        Outcome::Pending
    }
}

fn knowing(config: Config) -> Config {
    let custom_rules = CustomRuleSet::default().with("own", WeightTable::default(), unanimous);
    Config { custom_rules, ..config }
}

/// A proposal decided by `own`, which the process that opened it knew, and a new process that does not know it yet.
async fn forgotten(memory: &MemoryStore) -> Quorate {
    let q = Quorate::open_with(knowing(manual()), Arc::new(memory.reopen())).await.unwrap();
    agents(&q, &["ann", "bob"]).await;
    q.consensus().request(question("p").by("own").within_ms(1_000)).await.unwrap();
    q.crash().await;
    let q = Quorate::open_with(manual(), Arc::new(memory.reopen())).await.unwrap();
    let unknown = q.consensus().request(question("new").by("own")).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::UnknownAlgorithm);
    for name in ["ann", "bob"] {
        assert_eq!(vote(&q, "p", name, Choice::For).await, VoteOutcome::Recorded);
    }
    assert_eq!(result(&q, "p").await.state, "open");
    q
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_whose_rule_is_not_known_yet_is_decided_when_it_is_registered() {
    let q = forgotten(&MemoryStore::new()).await;
    q.advance(Duration::from_millis(500)).await.unwrap();
    assert!(q.algorithms().register_custom("own", WeightTable::default(), unanimous).unwrap());
    q.advance(Duration::from_millis(1)).await.unwrap();
    let end = result(&q, "p").await;
    assert_eq!((end.decision, end.duration_ms), (Some(Verdict::Approved), 500.0));
    assert_eq!(end.decided_by, Some(voter("bob")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_given_at_the_start_decides_what_was_collected_without_it() {
    let memory = MemoryStore::new();
    let q = forgotten(&memory).await;
    q.advance(Duration::from_millis(500)).await.unwrap();
    let at = q.now();
    q.crash().await;
    let config = knowing(Config { clock: ClockConfig::Manual(at), ..manual() });
    let q = Quorate::open_with(config, Arc::new(memory.reopen())).await.unwrap();
    let end = result(&q, "p").await;
    assert_eq!((end.decision, end.duration_ms), (Some(Verdict::Approved), 500.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_whose_rule_stays_unknown_times_out_and_says_why() {
    let memory = MemoryStore::new();
    let q = forgotten(&memory).await;
    q.advance(Duration::from_millis(1_001)).await.unwrap();
    let end = result(&q, "p").await;
    assert_eq!(end.decision, Some(Verdict::Timeout));
    assert_eq!((end.metadata.reason.as_deref(), end.metadata.error), (Some("algorithm_unavailable"), None));
    // Too late to be told.
    assert!(q.algorithms().register_custom("own", WeightTable::default(), unanimous).unwrap());
    q.advance(Duration::from_millis(1)).await.unwrap();
    assert_eq!(result(&q, "p").await.decision, Some(Verdict::Timeout));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_panics_ends_its_own_proposal_and_no_other() {
    let q = Quorate::open(manual()).await.unwrap();
    agents(&q, &["ann", "bob", "cyd"]).await;
    let bad = |poll: &Poll<'_>| match poll.votes.len() {
        2 => panic!("cannot count to two"),
        _ => Outcome::Pending,
    };
    q.algorithms().register_custom("bad", WeightTable::default(), bad).unwrap();
    q.algorithms().register_custom("good", WeightTable::default(), unanimous).unwrap();
    for (name, algorithm) in [("a", "bad"), ("b", "bad"), ("c", "good"), ("d", "quorum")] {
        q.consensus().request(question(name).by(algorithm)).await.unwrap();
        vote(&q, name, "ann", Choice::For).await;
    }
    assert_eq!(vote(&q, "a", "bob", Choice::For).await, VoteOutcome::Recorded);
    let end = result(&q, "a").await;
    assert_eq!(
        (end.decision, end.metadata.error.as_deref()),
        (Some(Verdict::Rejected), Some("algorithm_error"))
    );
    assert_eq!((end.metadata.detail.as_deref(), end.votes_for), (Some("cannot count to two"), 2));
    assert_eq!(result(&q, "b").await.state, "open");
    for name in ["bob", "cyd"] {
        vote(&q, "c", name, Choice::For).await;
    }
    vote(&q, "d", "bob", Choice::For).await;
    assert_eq!(result(&q, "c").await.decision, Some(Verdict::Approved));
    assert_eq!(result(&q, "d").await.decision, Some(Verdict::Approved));
    let stats = q.consensus().stats().await.unwrap();
    assert_eq!((stats.by_algorithm["bad"].rejected, stats.aborted), (1, 0));
    assert_eq!(q.health().parked_entities, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custom_rule_weighs_by_the_table_of_its_registration_and_not_by_claims() {
    let q = Quorate::open(manual()).await.unwrap();
    agents(&q, &["ann", "bob"]).await;
    let heavy = |poll: &Poll<'_>| {
        let weight = |who| poll.participants.iter().position(|p| p == who).map_or(0, |i| poll.weights[i]);
        let cast: u64 = poll.votes.iter().map(|(who, _)| weight(who)).sum();
        if cast >= 2_500_000 { Outcome::Won } else { Outcome::Pending }
    };
    let table = WeightTable::new([(&voter("bob"), 2.5)], 1.0).unwrap();
    q.algorithms().register_custom("heavy", table, heavy).unwrap();
    q.consensus().request(question("p").by("heavy")).await.unwrap();
    let claim = quorate_runtime::api::dto::ConsensusVote {
        weight: Some(1e9),
        ..quorate_runtime::api::dto::ConsensusVote::new(&crate::consensus::id("p"), "ann", Choice::For)
            .unwrap()
    };
    q.consensus().vote(claim).await.unwrap();
    assert_eq!(result(&q, "p").await.state, "open");
    vote(&q, "p", "bob", Choice::Against).await;
    let end = result(&q, "p").await;
    assert_eq!((end.decision, end.threshold), (Some(Verdict::Approved), None));
    assert_eq!((end.metadata.total_weight, end.metadata.weighted_for), (Some(3.5), Some(1.0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_belongs_to_who_registered_it_first_whether_rule_or_function() {
    let q = Quorate::open(manual()).await.unwrap();
    register(&q, "rule", "unanimous").await;
    for taken in ["rule", "quorum"] {
        let refused = q.algorithms().register_custom(taken, WeightTable::default(), unanimous).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
        assert_eq!(refused.detail("given").unwrap(), "a function");
    }
    assert!(q.algorithms().register_custom("own", WeightTable::default(), unanimous).unwrap());
    assert!(!q.algorithms().register_custom("own", WeightTable::default(), unanimous).unwrap());
    for blank in ["", " ", "a\nb"] {
        let refused = q.algorithms().register_custom(blank, WeightTable::default(), unanimous).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
    }
    let named = |name: &str| AlgorithmRef { name: name.into() };
    assert!(q.algorithms().set_default(named("own")).await.unwrap().set);
    agents(&q, &["ann"]).await;
    assert_eq!(q.consensus().request(question("p")).await.unwrap().algorithm_used, "own");
    // Open proposals of a function that was taken away wait for it, to the deadline.
    let gone = q.algorithms().unregister(named("own")).await.unwrap();
    assert_eq!((gone.unregistered, gone.default.as_deref()), (true, Some("quorum")));
    vote(&q, "p", "ann", Choice::For).await;
    assert_eq!(result(&q, "p").await.state, "open");
    assert!(!q.algorithms().set_default(named("own")).await.unwrap().set);
    for name in ["quorum", "rule"] {
        q.algorithms().unregister(named(name)).await.unwrap();
    }
    let none = q.consensus().request(question("q")).await.unwrap_err();
    assert_eq!(none.kind(), ErrorKind::UnknownAlgorithm);
    assert_eq!(waited(&q, "q", 0).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_last_rule_goes_a_function_that_is_left_becomes_the_default() {
    let q = Quorate::open(manual()).await.unwrap();
    q.algorithms().register_custom("own", WeightTable::default(), unanimous).unwrap();
    let gone = q.algorithms().unregister(AlgorithmRef { name: "quorum".into() }).await.unwrap();
    assert_eq!((gone.unregistered, gone.default.as_deref()), (true, Some("own")));
    let gone = q.algorithms().unregister(AlgorithmRef { name: "own".into() }).await.unwrap();
    assert_eq!((gone.unregistered, gone.default), (true, None));
}
