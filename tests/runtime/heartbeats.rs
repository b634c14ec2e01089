//! Proposals that are put to agents with heartbeats.

use std::sync::Arc;
use std::time::Duration;

use quorate::{ErrorKind, Quorate};
use quorate_core::voting::agent::Grade;
use quorate_core::voting::proposal::{Verdict, VoteOutcome};
use quorate_core::voting::rules::Choice;
use quorate_journal::stores::memory::MemoryStore;
use quorate_runtime::api::dto::{Beat, HistoryQuery, RegisterAgent, RequestConsensus};
use quorate_runtime::config::{ClockConfig, Config, HealthPolicy};
use serde_json::json;

use crate::consensus::{agents, id, question, refused, result, vote, voter};
use crate::manual;

/// Agents that beat every second and fail after three.
async fn beating(q: &Quorate, names: &[&str]) {
    for name in names {
        let agent = RegisterAgent {
            interval_ms: Some(1_000),
            check_period_ms: Some(500),
            ..RegisterAgent::new(name).unwrap()
        };
        q.agents().register(agent).await.unwrap();
    }
}

async fn beat(q: &Quorate, names: &[&str]) {
    for name in names {
        q.agents().beat(Beat::new(name).unwrap()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_agents_are_left_out_as_soon_as_heartbeats_are_used_and_the_set_stays() {
    let q = Quorate::open(manual()).await.unwrap();
    beating(&q, &["ann", "bob", "cyd"]).await;
    q.advance(Duration::from_millis(2_500)).await.unwrap();
    beat(&q, &["ann", "bob"]).await;
    q.advance(Duration::from_millis(500)).await.unwrap();
    let p = q.consensus().request(question("p")).await.unwrap();
    assert_eq!(p.metadata.excluded_agents, [voter("cyd")]);
    assert_eq!((p.metadata.total_participants, p.metadata.registered_count), (2, 3));
    let everybody = RequestConsensus { health_policy: Some(HealthPolicy::Ignore), ..question("all") };
    assert_eq!(q.consensus().request(everybody).await.unwrap().metadata.total_participants, 3);
    // Who recovers later is still not asked; who fails later still is, and its vote stands.
    beat(&q, &["cyd"]).await;
    assert_eq!(refused(&q, "p", "cyd", Choice::For).await, ErrorKind::NotEligible);
    vote(&q, "p", "ann", Choice::For).await;
    q.advance(Duration::from_secs(4)).await.unwrap();
    assert_eq!(vote(&q, "p", "bob", Choice::For).await, VoteOutcome::Recorded);
    let end = result(&q, "p").await;
    assert_eq!((end.decision, end.votes_for), (Some(Verdict::Approved), 2));
    assert_eq!(end.metadata.excluded_agents, [voter("cyd")]);

    // Degraded ones can be left out too, but more than half must remain.
    beat(&q, &["ann", "bob", "cyd"]).await;
    q.advance(Duration::from_millis(1_500)).await.unwrap();
    beat(&q, &["ann"]).await;
    let strict = |name| RequestConsensus { exclude_grade: Some(Grade::Degraded), ..question(name) };
    let floor = q.consensus().request(strict("floor")).await.unwrap();
    assert_eq!(floor.metadata.error.as_deref(), Some("insufficient_healthy_agents"));
    assert_eq!((floor.decision, floor.metadata.registered_count), (Some(Verdict::Aborted), 3));
    beat(&q, &["bob"]).await;
    assert_eq!(q.consensus().request(strict("two")).await.unwrap().state, "open");
    let healthy = RequestConsensus { exclude_grade: Some(Grade::Healthy), ..question("none") };
    assert_eq!(q.consensus().request(healthy).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_heartbeats_silent_agents_are_asked() {
    let q = Quorate::open(manual()).await.unwrap();
    agents(&q, &["ann", "bob"]).await;
    q.advance(Duration::from_secs(3_600)).await.unwrap();
    assert_eq!(q.consensus().request(question("p")).await.unwrap().metadata.total_participants, 2);
    let excluding =
        |name| RequestConsensus { health_policy: Some(HealthPolicy::ExcludeFailed), ..question(name) };
    // Nobody said that they would beat.
    assert_eq!(q.consensus().request(excluding("x")).await.unwrap().metadata.total_participants, 2);
    // Of one who was asked to, silence says something.
    let watched = RegisterAgent::new("cyd").unwrap().monitored();
    assert!(q.agents().register(watched).await.unwrap().judged);
    q.advance(Duration::from_secs(16)).await.unwrap();
    let end = q.consensus().request(excluding("y")).await.unwrap();
    assert_eq!((end.state.as_str(), end.metadata.excluded_agents), ("open", vec![voter("cyd")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_beat_of_one_agent_does_not_fail_those_that_never_beat() {
    let memory = MemoryStore::new();
    let q = Quorate::open_with(manual(), Arc::new(memory.reopen())).await.unwrap();
    agents(&q, &["ann", "bob", "cyd"]).await;
    beat(&q, &["ann"]).await;
    q.advance(Duration::from_secs(16)).await.unwrap();
    // Whoever beats is watched from then on; the others may still be asked.
    assert_eq!(q.agents().health(&voter("ann")).await.unwrap().health, Grade::Failed);
    let bob = q.agents().health(&voter("bob")).await.unwrap();
    assert_eq!((bob.health, bob.monitored, bob.judged), (Grade::Healthy, true, false));
    let p = q.consensus().request(question("p")).await.unwrap();
    assert_eq!((p.state.as_str(), p.metadata.total_participants), ("open", 2));
    vote(&q, "p", "bob", Choice::For).await;
    // A vote is no promise to beat either.
    q.advance(Duration::from_secs(60)).await.unwrap();
    assert_eq!(q.consensus().request(question("later")).await.unwrap().metadata.total_participants, 2);
    let at = q.now();
    q.crash().await;
    let config = Config { clock: ClockConfig::Manual(at), ..manual() };
    let q = Quorate::open_with(config, Arc::new(memory.reopen())).await.unwrap();
    q.advance(Duration::from_secs(60)).await.unwrap();
    assert_eq!(q.consensus().request(question("after")).await.unwrap().metadata.total_participants, 2);
    let list = q.agents().list(Default::default()).await.unwrap().agents;
    let judged: Vec<bool> = list.iter().map(|agent| agent.judged).collect();
    assert_eq!(judged, [true, false, false]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_of_an_agent_that_is_not_there_is_refused_and_a_repeat_is_not() {
    let q = Quorate::open(manual()).await.unwrap();
    let nobody = voter("nobody");
    let kinds = [
        q.agents().leave(&nobody).await.unwrap_err().kind(),
        q.agents().unmonitor(&nobody).await.unwrap_err().kind(),
        q.agents().beat(Beat::new("nobody").unwrap()).await.unwrap_err().kind(),
    ];
    assert_eq!(kinds, [ErrorKind::NotFound; 3]);
    agents(&q, &["ann"]).await;
    assert!(q.agents().unmonitor(&voter("ann")).await.unwrap().stopped);
    assert!(!q.agents().unmonitor(&voter("ann")).await.unwrap().stopped);
    assert_eq!(
        q.agents().beat(Beat::new("ann").unwrap()).await.unwrap_err().kind(),
        ErrorKind::NotFound,
        "not recorded, so not acknowledged"
    );
    assert!(q.agents().leave(&voter("ann")).await.unwrap().left);
    assert!(!q.agents().leave(&voter("ann")).await.unwrap().left);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vote_is_a_sign_of_life_and_recovery_by_it_is_on_record() {
    let q = Quorate::open(manual()).await.unwrap();
    beating(&q, &["ann", "bob", "cyd"]).await;
    q.consensus().request(question("p")).await.unwrap();
    q.advance(Duration::from_millis(3_500)).await.unwrap();
    assert_eq!(q.agents().health(&voter("ann")).await.unwrap().health, Grade::Failed);
    vote(&q, "p", "ann", Choice::For).await;
    let health = q.agents().health(&voter("ann")).await.unwrap();
    assert_eq!((health.health, health.elapsed_ms, health.total_heartbeats), (Grade::Healthy, 0, 0));
    q.advance(Duration::from_millis(500)).await.unwrap();
    let query = HistoryQuery {
        entity_id: Some(id("ann")),
        event: Some("grade_changed".into()),
        ..Default::default()
    };
    let changes = q.history().query(query).await.unwrap().events;
    assert_eq!(changes.last().unwrap().data["to"], "healthy", "{changes:?}");
    // A repeat is none.
    q.advance(Duration::from_millis(3_500)).await.unwrap();
    assert_eq!(vote(&q, "p", "ann", Choice::For).await, VoteOutcome::Duplicate);
    assert_eq!(q.agents().health(&voter("ann")).await.unwrap().health, Grade::Failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_wait_for_failed_agents_is_told_at_the_failure_that_makes_approval_impossible() {
    let memory = MemoryStore::new();
    let q = Quorate::open_with(manual(), Arc::new(memory.reopen())).await.unwrap();
    beating(&q, &["ann", "bob", "cyd"]).await;
    for (name, fail_fast) in [("fast", true), ("patient", false)] {
        let request = RequestConsensus { fail_fast: Some(fail_fast), ..question(name).within_ms(60_000) };
        q.consensus().request(request).await.unwrap();
    }
    q.advance(Duration::from_millis(2_400)).await.unwrap();
    beat(&q, &["ann", "bob"]).await;
    q.advance(Duration::from_secs(1)).await.unwrap();
    assert_eq!(result(&q, "fast").await.state, "open", "two of three are left");
    vote(&q, "fast", "ann", Choice::For).await;
    vote(&q, "patient", "ann", Choice::For).await;
    q.advance(Duration::from_millis(1_900)).await.unwrap();
    assert_eq!(result(&q, "fast").await.state, "open");
    q.advance(Duration::from_millis(600)).await.unwrap();
    let end = result(&q, "fast").await;
    assert_eq!((end.decision, end.metadata.reason.as_deref()), (Some(Verdict::Timeout), Some("unreachable")));
    assert!(end.closed_at.unwrap() < end.deadline);
    assert_eq!(result(&q, "patient").await.state, "open");
    let stats = q.consensus().stats().await.unwrap();
    assert_eq!((stats.timeouts, stats.aborted, stats.active_proposals), (1, 0, 1));
    // Those who waited for it may still come.
    assert_eq!(vote(&q, "patient", "bob", Choice::For).await, VoteOutcome::Recorded);
    assert_eq!(result(&q, "patient").await.decision, Some(Verdict::Approved));
    q.crash().await;
    let q = Quorate::open_with(manual(), Arc::new(memory.reopen())).await.unwrap();
    assert_eq!(result(&q, "fast").await, end);
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_that_come_back_are_waited_for_again() {
    let q = Quorate::open(manual()).await.unwrap();
    beating(&q, &["ann", "bob", "cyd"]).await;
    let request = RequestConsensus { fail_fast: Some(true), ..question("fast").within_ms(60_000) };
    q.consensus().request(request).await.unwrap();
    q.advance(Duration::from_millis(2_400)).await.unwrap();
    beat(&q, &["ann", "bob"]).await;
    q.advance(Duration::from_millis(1_000)).await.unwrap();
    // cyd failed and returns before bob fails.
    beat(&q, &["cyd"]).await;
    q.advance(Duration::from_millis(2_500)).await.unwrap();
    let query = HistoryQuery { event: Some("absence_changed".into()), ..Default::default() };
    let log = q.history().query(query).await.unwrap().events;
    let seen: Vec<_> = log.iter().map(|e| (e.data["voter_id"].clone(), e.data["absent"].clone())).collect();
    assert_eq!(seen[..2], [(json!("cyd"), json!(true)), (json!("cyd"), json!(false))], "{seen:?}");
    assert_eq!(result(&q, "fast").await.metadata.reason.as_deref(), Some("unreachable"));
}
