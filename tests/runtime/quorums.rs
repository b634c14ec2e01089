//! Quorums through the typed API.

use std::time::Duration;

use quorate::{ErrorKind, Quorate, StartQuorum, Vote};
use quorate_runtime::api::dto::RegisterAuthority;

use crate::manual;

#[tokio::test(flavor = "multi_thread")]
async fn a_quorum_is_approved_by_its_deciding_vote_and_stays_readable() {
    let q = Quorate::open(manual()).await.unwrap();
    let request = StartQuorum::global().with_voters(["ann", "bob", "cid"]).unwrap();
    let started = q.quorums().start(StartQuorum { required_votes: Some(2), ..request }).await.unwrap();
    let id = started.quorum_id;
    let vote = |who, yes| q.quorums().vote(Vote::new(&id, who, yes).unwrap());
    assert!(!vote("ann", true).await.unwrap().quorum_reached);
    let last = vote("bob", true).await.unwrap();
    assert!(last.quorum_reached && last.state.name() == "approved");
    assert_eq!(vote("cid", true).await.unwrap_err().kind(), ErrorKind::QuorumClosed);
    assert!(vote("bob", true).await.unwrap().duplicate);
    let status = q.quorums().status(&id).await.unwrap();
    assert_eq!((status.approve_votes, status.late_votes), (2, 1));
    assert_eq!(status.decided_by.unwrap().as_str(), "bob");
    assert_eq!(q.quorums().stats().await.unwrap().successful_quorums, 1);
    assert_eq!(q.quorums().history(Default::default()).await.unwrap().total, 1);
    assert!(q.history().verify(|_| ()).await.unwrap().ok);
    q.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_closes_a_quorum_unasked_and_opens_its_fallback() {
    let q = Quorate::open(manual()).await.unwrap();
    let request =
        StartQuorum { cmp_fallback: Some(true), timeout_seconds: Some(1.0), ..StartQuorum::ring(3) };
    let started = q.quorums().start(request).await.unwrap();
    q.advance(Duration::from_secs(1)).await.unwrap();
    assert_eq!(q.quorums().status(&started.quorum_id).await.unwrap().state.name(), "open");
    q.advance(Duration::from_millis(1)).await.unwrap();
    let status = q.quorums().status(&started.quorum_id).await.unwrap();
    assert_eq!((status.state.name(), status.fallback.as_str()), ("timed_out", "opened"));
    assert_eq!(status.closed_at, Some(started.deadline));
    let child = q.quorums().status(&started.fallback_quorum_id.unwrap()).await.unwrap();
    assert_eq!(child.parent_quorum_id, Some(started.quorum_id));
    assert_eq!(child.state.name(), "open");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fallback_without_an_authority_asks_only_those_who_were_asked_first() {
    let q = Quorate::open(manual()).await.unwrap();
    let names = ["ann", "bob", "cid"];
    let fallback = StartQuorum {
        cmp_fallback: Some(true),
        timeout_seconds: Some(1.0),
        outsiders: Some(quorate_core::voting::quorum::event::Outsiders::Refuse),
        ..StartQuorum::ring(3)
    };
    let started = q.quorums().start(fallback.clone().with_voters(names).unwrap()).await.unwrap();
    q.advance(Duration::from_secs(2)).await.unwrap();
    let child = started.fallback_quorum_id.unwrap();
    let status = q.quorums().status(&child).await.unwrap();
    assert_eq!(
        (status.electorate.as_str(), status.voter_count, status.required_votes),
        ("closed", Some(3), 2)
    );
    let vote = |who| q.quorums().vote(Vote::new(&child, who, true).unwrap());
    assert_eq!(vote("mallory").await.unwrap_err().kind(), ErrorKind::NotEligible);
    assert_eq!(vote("ann").await.unwrap().state.name(), "open");
    assert_eq!(vote("cid").await.unwrap().state.name(), "approved");
    // An authority of the hub, once there is one, speaks for all.
    q.cells().register_authority(RegisterAuthority { authority_id: "chief".parse().unwrap() }).await.unwrap();
    let started = q.quorums().start(fallback.with_voters(names).unwrap()).await.unwrap();
    q.advance(Duration::from_secs(2)).await.unwrap();
    let status = q.quorums().status(&started.fallback_quorum_id.unwrap()).await.unwrap();
    assert_eq!((status.voter_count, status.required_votes), (Some(1), 1));
}
