//! The same matrix without a door: the table, the typed methods alone, and who is named by what is recorded.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::*;
use crate::api::dto::{
    Beat, ConsensusVote, CreateIdentity, HistoryQuery, RegisterAgent, RevokeIdentity, StartQuorum, Vote,
    WaitQuorum,
};
use crate::api::ops::OPERATIONS;
use crate::config::{ClockConfig, Config};
use crate::core::kernel::ids::VoterId;
use crate::core::voting::rules::Choice;

#[path = "../../tests/support/rights.rs"]
mod rights;

use rights::RIGHTS;

async fn open() -> Quorate {
    Quorate::open(Config { clock: ClockConfig::Manual(Timestamp::EPOCH), ..Config::memory() }).await.unwrap()
}

async fn make(q: &Quorate, name: &str, scopes: &[&str], acts_as: &[&str]) -> String {
    let create = CreateIdentity::new(name, scopes.iter().copied()).unwrap();
    q.identities().create(create.acting_as(acts_as.iter().copied())).await.unwrap().token.unwrap()
}

fn fields(request: &str) -> Map<String, Value> {
    serde_json::from_str(request).unwrap()
}

/// A typed method that does not look by itself would serve everybody whom the program gives a handle.
#[tokio::test]
async fn every_typed_method_looks_by_itself_whether_the_caller_may() {
    let q = open().await;
    make(&q, "root", &["admin"], &[]).await;
    for right in RIGHTS {
        let others: Vec<&str> =
            OPERATIONS.iter().map(|op| op.name).filter(|other| *other != right.operation).collect();
        let name = format!("wrong {}", right.operation);
        let token = make(&q, &name, &others, &["*"]).await;
        let wrong = q.admit(Credential::Token(&token)).unwrap();
        let op = ops::find(right.operation).unwrap();
        let refused = (op.run)(wrong, fields(right.request)).await;
        let Err(refused) = refused else { panic!("{} was served", right.operation) };
        assert_eq!(refused.kind(), ErrorKind::NotAuthorized, "{}: {refused}", right.operation);
        assert_eq!(refused.detail("missing").unwrap(), "scope", "{}", right.operation);
        // Nothing leads the job, which is not there.
        let named = |(_, (field, _)): &(usize, &(&str, &str))| !matches!(*field, "fence_token" | "job_id");
        for (n, (_, party)) in right.acts.iter().enumerate().filter(named) {
            let all: Vec<&str> =
                right.acts.iter().map(|(_, other)| *other).filter(|other| other != party).collect();
            let token = make(&q, &format!("other {n} {}", right.operation), &[right.operation], &all).await;
            let other = q.admit(Credential::Token(&token)).unwrap();
            let refused = (op.run)(other, fields(right.request)).await.unwrap_err();
            assert_eq!(refused.detail("missing").unwrap(), "party", "{}: {refused}", right.operation);
        }
    }
}

/// Whoever may is answered as the door answers, without it.
#[tokio::test]
async fn whoever_may_is_served_by_the_table() {
    let q = open().await;
    make(&q, "root", &["admin"], &[]).await;
    let mut otherwise = Vec::new();
    for right in RIGHTS {
        let scope = if right.needs == "admin" { "admin" } else { right.operation };
        let parties: Vec<&str> = right.acts.iter().map(|(_, party)| *party).collect();
        let token = make(&q, &format!("right {}", right.operation), &[scope], &parties).await;
        let allowed = q.admit(Credential::Token(&token)).unwrap();
        let answer = ops::find(right.operation).unwrap().call(allowed, fields(right.request)).await;
        let answer = answer.map_or_else(|error| error.kind().name(), |_| "ok");
        if answer != right.answer {
            otherwise.push((right.operation, answer));
        }
    }
    assert_eq!(otherwise, []);
}

/// What is recorded for a request names the identity that made it.
#[tokio::test]
async fn what_an_operation_records_names_the_identity() {
    let q = open().await;
    make(&q, "root", &["admin"], &["*"]).await;
    let all = q.known_as("root").unwrap();
    let mut unnamed = BTreeSet::new();
    for right in RIGHTS.iter().filter(|right| right.needs != "read") {
        let op = ops::find(right.operation).unwrap();
        let before =
            q.history().query(HistoryQuery { limit: Some(1000), ..HistoryQuery::default() }).await.unwrap();
        let before = before.events.last().map(|event| event.position);
        // What is refused is recorded as well, where it belongs on record.
        let _ = op.call(all.clone(), fields(right.request)).await;
        q.effects_done().await;
        let cursor = before.map(|position| position.to_string());
        let page = q
            .history()
            .query(HistoryQuery { cursor, limit: Some(1000), ..HistoryQuery::default() })
            .await
            .unwrap();
        if !page.events.is_empty()
            && page.events.iter().all(|event| event.identity.as_deref() != Some("root"))
        {
            let events: Vec<String> =
                page.events.iter().map(|event| format!("{} {}", event.kind, event.event)).collect();
            unnamed.insert(format!("{}: {}", right.operation, events.join(", ")));
        }
    }
    assert_eq!(unnamed, BTreeSet::new());
}

#[tokio::test]
async fn a_handle_of_an_identity_has_the_typed_methods_and_votes_for_itself_alone() {
    let q = open().await;
    make(&q, "root", &["admin"], &[]).await;
    let token =
        make(&q, "ann", &["quorum.*", "consensus.vote", "agent.beat"], &["voter:ann", "agent:ann"]).await;
    q.agents().register(RegisterAgent::new("ann").unwrap()).await.unwrap();
    q.agents().register(RegisterAgent::new("bob").unwrap()).await.unwrap();
    let ann = q.as_identity(&token).unwrap();
    assert_eq!(ann.name().unwrap().as_str(), "ann");
    let start = StartQuorum::global().with_voters(["ann", "bob"]).unwrap();
    let id = ann.quorums().start(start).await.unwrap().quorum_id;
    ann.quorums().vote(Vote::new(&id, "ann", true).unwrap()).await.unwrap();
    let missing = |error: Error| (error.kind(), error.detail("party").cloned());
    let refused = ann.quorums().vote(Vote::new(&id, "bob", true).unwrap()).await.unwrap_err();
    assert_eq!(missing(refused), (ErrorKind::NotAuthorized, Some(json!("voter:bob"))));
    let vote = ConsensusVote::new(&id, "bob", Choice::For).unwrap();
    let refused = ann.consensus().vote(vote).await.unwrap_err();
    assert_eq!(missing(refused), (ErrorKind::NotAuthorized, Some(json!("agent:bob"))));
    let beat = |name: &str| Beat { agent_id: VoterId::new(name).unwrap(), metadata: None };
    assert!(ann.agents().beat(beat("ann")).await.is_ok());
    assert!(ann.agents().beat(beat("bob")).await.is_err());
    assert_eq!(ann.quorums().status(&id).await.unwrap().approve_votes, 1);
    assert_eq!(ann.jobs().stats().await.unwrap_err().detail("scope").unwrap(), "job.stats");
    assert!(ann.algorithms().list().is_err() && ann.history().query(HistoryQuery::default()).await.is_err());
    assert!(ann.events(HistoryQuery::default()).await.is_err());
    // The handle of the program itself is asked nothing, and names nobody.
    q.quorums().vote(Vote::new(&id, "bob", true).unwrap()).await.unwrap();
    let votes = HistoryQuery { event: Some("vote_cast".into()), ..HistoryQuery::default() };
    let votes = q.history().query(votes).await.unwrap().events;
    let by: Vec<Option<&str>> = votes.iter().map(|event| event.identity.as_deref()).collect();
    assert_eq!(by, [Some("ann"), None]);
    // Both attempts are on record.
    let refused = HistoryQuery { event: Some("refused".into()), ..HistoryQuery::default() };
    assert_eq!(q.history().query(refused).await.unwrap().events.len(), 2);
}

#[tokio::test]
async fn tokens_are_rotated_with_an_overlap_and_expire_to_the_microsecond() {
    let q = open().await;
    make(&q, "root", &["admin"], &[]).await;
    let first = make(&q, "ann", &["read"], &[]).await;
    let rotate: crate::api::dto::RotateIdentity = serde_json::from_value(
        json!({ "name": "ann", "overlap_seconds": 10, "token_expires_in_seconds": 60 }),
    )
    .unwrap();
    let second = q.identities().rotate(rotate).await.unwrap().token.unwrap();
    let live = |token: &str| q.admit(Credential::Token(token)).is_ok();
    assert!(live(&first) && live(&second) && first != second);
    q.advance(std::time::Duration::from_micros(9_999_999)).await.unwrap();
    assert!(live(&first));
    let held = q.admit(Credential::Token(&first)).unwrap();
    q.advance(std::time::Duration::from_micros(1)).await.unwrap();
    assert!(!live(&first) && live(&second));
    // A handle that was given out before is worth no more than its token.
    let stats = ops::find("quorum.stats").unwrap();
    assert_eq!(stats.call(held, Map::new()).await.unwrap_err().kind(), ErrorKind::NotAuthenticated);
    q.advance(std::time::Duration::from_secs(50)).await.unwrap();
    assert!(!live(&second));
    let events = HistoryQuery { event: Some("token_expired".into()), ..HistoryQuery::default() };
    assert_eq!(q.history().query(events).await.unwrap().events.len(), 2);
    for forged in ["", "quorate_", &second[..second.len() - 1], &format!("{second}0"), &second.to_uppercase()]
    {
        assert!(!live(forged), "{forged}");
    }
}

#[tokio::test]
async fn a_typed_wait_ends_when_its_identity_does() {
    let q = Quorate::open(Config::memory()).await.unwrap();
    make(&q, "root", &["admin"], &[]).await;
    make(&q, "ann", &["quorum.wait"], &[]).await;
    let id = q
        .quorums()
        .start(StartQuorum::global().with_voters(["ann", "bob"]).unwrap())
        .await
        .unwrap()
        .quorum_id;
    let ann = q.as_identity("ann").unwrap();
    let waiting = tokio::spawn(async move {
        ann.quorums().wait(WaitQuorum { quorum_id: id, timeout_ms: Some(300_000) }).await
    });
    while q.health().in_flight == 0 {
        tokio::task::yield_now().await;
    }
    let name = EntityId::new("ann").unwrap();
    q.identities().revoke(RevokeIdentity { name, token_number: None, reason: None }).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap_err().kind(), ErrorKind::NotAuthenticated);
}

#[tokio::test]
async fn a_user_of_the_system_is_one_identity() {
    let q = open().await;
    assert!(q.admit(Credential::Uid(7)).is_ok(), "open while there is no identity");
    let with = |name: &str, uid: u32| CreateIdentity {
        uids: Some(vec![uid]),
        issue_token: Some(false),
        ..CreateIdentity::new(name, ["admin"]).unwrap()
    };
    assert!(q.identities().create(with("root", 7)).await.unwrap().token.is_none());
    let taken = q.identities().create(with("other", 7)).await.unwrap_err();
    assert_eq!((taken.kind(), taken.detail("field").unwrap()), (ErrorKind::InvalidArgument, &json!("uids")));
    assert_eq!(q.admit(Credential::Uid(7)).unwrap().caller_name().unwrap().as_str(), "root");
    for unknown in [Credential::Uid(8), Credential::None, Credential::Token("root")] {
        assert_eq!(q.admit(unknown).unwrap_err().kind(), ErrorKind::NotAuthenticated);
    }
}
