//! Agents and their heartbeats through the typed API.

use std::sync::Arc;
use std::time::Duration;

use quorate::{ErrorKind, Quorate};
use quorate_core::kernel::ids::{StreamKind, VoterId};
use quorate_core::voting::agent::Grade;
use quorate_journal::stores::memory::MemoryStore;
use quorate_runtime::api::dto::{AgentHistory, Beat, HistoryQuery, ListAgents, RegisterAgent};
use quorate_runtime::config::{Alerts, Config, HeartbeatConfig};
use quorate_runtime::shell::bus::{Notice, What};

use crate::manual;

fn id(name: &str) -> VoterId {
    VoterId::new(name).unwrap()
}

/// Failed after three seconds, checked every half second.
fn short(name: &str) -> RegisterAgent {
    let agent = RegisterAgent::new(name).unwrap();
    RegisterAgent { interval_ms: Some(1_000), check_period_ms: Some(500), ..agent }
}

fn changes(heard: &[Notice]) -> Vec<(Grade, Grade)> {
    let change = |notice: &Notice| match notice.what {
        What::GradeChanged { from, to, .. } => (from, to),
        ref other => panic!("{other:?}"),
    };
    heard.iter().map(change).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_hear_one_alert_per_change_and_only_of_the_grades_they_want() {
    let alerts = Alerts { degraded: false, ..Alerts::default() };
    let heartbeat = HeartbeatConfig { alerts, ..HeartbeatConfig::default() };
    let q = Quorate::open(Config { heartbeat, ..manual() }).await.unwrap();
    let mut bell = q.subscribe();
    q.agents().register(short("ann")).await.unwrap();
    q.advance(Duration::from_secs(60)).await.unwrap();
    q.agents().beat(Beat::new("ann").unwrap()).await.unwrap();
    q.agents().beat(Beat::new("ann").unwrap()).await.unwrap();
    let stats = q.agents().stats().await.unwrap();
    assert_eq!((stats.total_agents, stats.health_distribution.healthy, stats.total_heartbeats), (1, 1, 2));
    let mut heard = Vec::new();
    while let Ok(notice) = bell.try_recv() {
        assert_eq!((notice.topic.as_str(), notice.entity.kind), ("agent/ann", StreamKind::Agent));
        heard.push(notice);
    }
    let expected = [
        (Grade::Degraded, Grade::Critical),
        (Grade::Critical, Grade::Failed),
        (Grade::Failed, Grade::Healthy),
    ];
    assert_eq!(changes(&heard), expected);
    // On record are all of them.
    let query = HistoryQuery { event: Some("grade_changed".into()), ..HistoryQuery::default() };
    assert_eq!(q.history().query(query).await.unwrap().events.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_agent_is_told_of_unasked_in_real_time() {
    let q = Quorate::open(Config::memory()).await.unwrap();
    let mut bell = q.subscribe();
    let fast = RegisterAgent { interval_ms: Some(100), check_period_ms: Some(100), ..short("ann") };
    q.agents().register(fast).await.unwrap();
    let mut heard = Vec::new();
    while changes(&heard).last().is_none_or(|(_, to)| *to != Grade::Failed) {
        heard.push(tokio::time::timeout(Duration::from_secs(20), bell.recv()).await.unwrap().unwrap());
    }
    assert_eq!(q.agents().health(&id("ann")).await.unwrap().health, Grade::Failed);
    let beaten = q.agents().beat(Beat::new("ann").unwrap()).await.unwrap();
    assert_eq!((beaten.recorded, beaten.health), (true, Some(Grade::Healthy)));
}

#[tokio::test(flavor = "multi_thread")]
async fn downtime_fails_nobody_and_nothing_of_an_agent_is_lost_in_a_crash() {
    let memory = MemoryStore::new();
    let q = Quorate::open_with(manual(), Arc::new(memory.reopen())).await.unwrap();
    for name in ["ann", "bob"] {
        q.agents().register(short(name)).await.unwrap();
    }
    let metadata = serde_json::from_str(r#"{"load":0.5}"#).unwrap();
    q.agents().beat(Beat { agent_id: id("ann"), metadata: Some(metadata) }).await.unwrap();
    q.advance(Duration::from_secs(10)).await.unwrap();
    q.agents().beat(Beat::new("ann").unwrap()).await.unwrap();
    let before = q.agents().stats().await.unwrap();
    assert_eq!((before.health_distribution.healthy, before.health_distribution.failed), (1, 1));
    let later = q.now().plus(Duration::from_secs(3600));
    q.crash().await;

    let config = Config { clock: quorate_runtime::config::ClockConfig::Manual(later), ..manual() };
    let q = Quorate::open_with(config, Arc::new(memory.reopen())).await.unwrap();
    let after = q.agents().stats().await.unwrap();
    assert_eq!((after.health_distribution.healthy, after.total_heartbeats), (2, 2));
    for name in ["ann", "bob"] {
        let health = q.agents().health(&id(name)).await.unwrap();
        assert_eq!((health.health, health.elapsed_ms, health.watch.interval_ms), (Grade::Healthy, 0, 1_000));
    }
    let history = AgentHistory { agent_id: id("ann"), since: None, until: None, limit: None };
    let history = q.agents().history(history).await.unwrap();
    assert_eq!((history.beats.len(), history.total_heartbeats), (2, 2));
    assert_eq!(history.beats[0].metadata.as_ref().unwrap()["load"], 0.5);
    q.advance(Duration::from_secs(3)).await.unwrap();
    let silent = q.agents().stats().await.unwrap();
    assert_eq!(silent.health_distribution.failed, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_close_keeps_the_directory() {
    let memory = MemoryStore::new();
    let q = Quorate::open_with(manual(), Arc::new(memory.reopen())).await.unwrap();
    q.agents().register(short("ann")).await.unwrap();
    q.agents().beat(Beat::new("ann").unwrap()).await.unwrap();
    q.close().await.unwrap();
    let q = Quorate::open_with(manual(), Arc::new(memory.reopen())).await.unwrap();
    assert_eq!(q.recovery_report().records_counted, 0);
    let stats = q.agents().stats().await.unwrap();
    assert_eq!((stats.total_agents, stats.total_heartbeats), (1, 1));
    assert_eq!(q.agents().list(ListAgents::default()).await.unwrap().agents[0].agent_id, id("ann"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_goes_on_where_a_page_ended_and_health_agrees_with_it() {
    let q = Quorate::open(manual()).await.unwrap();
    for n in 0..5 {
        q.agents().register(short(&format!("agent-{n}"))).await.unwrap();
    }
    q.agents().unmonitor(&id("agent-1")).await.unwrap();
    q.advance(Duration::from_millis(1_000)).await.unwrap();
    q.agents().beat(Beat::new("agent-2").unwrap()).await.unwrap();
    let (mut listed, mut cursor) = (Vec::new(), None);
    loop {
        let page = q.agents().list(ListAgents { limit: Some(2), cursor }).await.unwrap();
        assert_eq!(page.total_available, 5);
        listed.extend(page.agents);
        cursor = page.next_cursor;
        if !page.more {
            break;
        }
    }
    let grades: Vec<_> = listed.iter().map(|agent| agent.health).collect();
    let degraded = Some(Grade::Degraded);
    assert_eq!(grades, [degraded, None, Some(Grade::Healthy), degraded, degraded]);
    for agent in listed {
        let health = q.agents().health(&agent.agent_id).await.map(|health| health.health);
        assert_eq!(health.as_ref().ok(), agent.health.as_ref());
        assert!(agent.monitored || health.unwrap_err().kind() == ErrorKind::NotFound);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_agents_than_configured_are_refused() {
    let heartbeat = HeartbeatConfig { max_agents: 1, ..HeartbeatConfig::default() };
    let q = Quorate::open(Config { heartbeat, ..manual() }).await.unwrap();
    q.agents().register(short("ann")).await.unwrap();
    assert!(!q.agents().register(short("ann")).await.unwrap().registered);
    let refused = q.agents().register(short("bob")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::LimitExceeded);
    q.agents().leave(&id("ann")).await.unwrap();
    assert!(q.agents().register(short("bob")).await.unwrap().registered);
}

#[tokio::test(flavor = "multi_thread")]
async fn configured_defaults_are_checked_like_those_asked_for_and_used() {
    let heartbeat = HeartbeatConfig { interval: Duration::from_millis(99), ..HeartbeatConfig::default() };
    let refused = Quorate::open(Config { heartbeat, ..manual() }).await.unwrap_err();
    assert_eq!(refused.detail("field").unwrap(), "heartbeat.interval_ms");
    let heartbeat = HeartbeatConfig { failure_threshold: 7, ..HeartbeatConfig::default() };
    let q = Quorate::open(Config { heartbeat, ..manual() }).await.unwrap();
    let agent = q.agents().register(RegisterAgent::new("ann").unwrap()).await.unwrap();
    assert_eq!((agent.watch.interval_ms, agent.watch.failure_threshold), (5_000, 7));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_of_quorums_is_not_disturbed_by_agents_that_fail() {
    let q = Quorate::open(manual()).await.unwrap();
    for _ in 0..3 {
        let quick = quorate::StartQuorum { timeout_seconds: Some(0.1), ..quorate::StartQuorum::global() };
        q.quorums().start(quick).await.unwrap();
        q.agents().register(short("ann")).await.unwrap();
        q.advance(Duration::from_secs(9)).await.unwrap();
        q.agents().leave(&id("ann")).await.unwrap();
    }
    let page = |limit, cursor| quorate_runtime::api::dto::QuorumHistory { limit: Some(limit), cursor };
    let newest = q.quorums().history(page(2, None)).await.unwrap();
    assert_eq!((newest.total, newest.total_available), (2, 3));
    let oldest = q.quorums().history(page(2, newest.next_cursor)).await.unwrap();
    assert_eq!((oldest.total, oldest.more, oldest.next_cursor.is_some()), (1, false, true));
    let exact = q.quorums().history(page(3, None)).await.unwrap();
    assert_eq!((exact.total, exact.more), (3, false));
}
