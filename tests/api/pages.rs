//! Health and metrics.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate::{Config, Quorate};
use quorate_http::Options;
use quorate_journal::stores::faulty::{FaultKind, FaultyStore};
use quorate_journal::stores::memory::MemoryStore;
use serde_json::json;

use crate::client::Running;

/// Samples by name and labels; checks that every line is one, a comment of a known kind, or the end.
fn samples(page: &str) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    let mut described = Vec::new();
    assert_eq!(page.lines().last(), Some("# EOF"));
    for line in page.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.split(' ');
            match words.next() {
                Some("TYPE") => described.push(words.next().unwrap().to_owned()),
                Some("HELP" | "UNIT" | "EOF") => {}
                other => panic!("unknown comment {other:?}: {line}"),
            }
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
        assert!(described.iter().any(|family| name.starts_with(family)), "sample before its type: {line}");
        assert!(name.starts_with("quorate_"), "{line}");
        assert!(samples.insert(name.to_owned(), value.parse().unwrap()).is_none(), "twice: {line}");
    }
    samples
}

#[test]
fn metrics_count_quorums_votes_and_requests() {
    let running = Running::start();
    let id = running.quorum(&["ann", "bob"], 1);
    running.quorum(&["ann"], 1);
    for voter in ["zoe", "ann", "bob"] {
        let body = json!({ "voter_id": voter, "vote": true }).to_string();
        running.client.post(&format!("/api/v1/quorum/{id}/vote"), &body);
    }
    running.client.get("/nowhere");
    let answer = running.client.get("/metrics");
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    let samples = samples(&answer.text);
    for (name, value) in [
        ("quorate_healthy", 1.0),
        ("quorate_quorums_open", 1.0),
        ("quorate_quorums_closed_total{outcome=\"approved\"}", 1.0),
        ("quorate_quorums_closed_total{outcome=\"timed_out\"}", 0.0),
        ("quorate_votes_total", 2.0),
        ("quorate_votes_outsider_total", 1.0),
        ("quorate_votes_late_total", 1.0),
        ("quorate_votes_refused_total", 1.0),
        ("quorate_recovery_closures_total", 0.0),
        ("quorate_deadlines_tracked", 1.0),
        ("quorate_entities_parked", 0.0),
        ("quorate_requests_in_flight", 0.0),
        ("quorate_http_requests_total{operation=\"quorum.start\",status=\"2xx\"}", 2.0),
        ("quorate_http_requests_total{operation=\"quorum.vote\",status=\"2xx\"}", 2.0),
        ("quorate_http_requests_total{operation=\"quorum.vote\",status=\"4xx\"}", 1.0),
        ("quorate_http_requests_total{operation=\"unknown\",status=\"4xx\"}", 1.0),
        ("quorate_http_request_duration_seconds_count{operation=\"quorum.vote\"}", 3.0),
    ] {
        assert_eq!(samples.get(name), Some(&value), "{name}\n{}", answer.text);
    }
    assert!(samples["quorate_entities_awake"] >= 2.0);
}

#[test]
fn metrics_count_cells_and_jobs() {
    let running = Running::start();
    running.client.post("/api/v1/backpressure/A1/request", "{}");
    running.client.post("/api/v1/jobs/submit", r#"{"job_id":"j","timeout_seconds":60}"#);
    running.client.post("/api/v1/jobs/submit", r#"{"job_id":"k"}"#);
    running.client.post("/api/v1/jobs/k/complete", "{}");
    running.client.post("/api/v1/jobs/j/transfer", r#"{"new_leader_id":"other"}"#);
    let stale = running.client.post("/api/v1/jobs/j/progress", r#"{"fence_token":1}"#);
    assert_eq!(stale.status, 412, "{}", stale.text);
    let page = samples(&running.client.get("/metrics").text);
    assert_eq!(page["quorate_cells"], 1.0);
    assert_eq!(page["quorate_tokens_live"], 1.0);
    assert_eq!(page["quorate_capacity_granted_total"], 1.0);
    assert_eq!(page["quorate_jobs_tracked"], 1.0);
    assert_eq!(page[r#"quorate_jobs_ended_total{status="completed"}"#], 1.0);
    assert_eq!(page["quorate_messages_in_transit"], 0.0);
    assert_eq!(page[r#"quorate_job_stale_rejections_total{kind="progress"}"#], 1.0);
    assert_eq!(page[r#"quorate_job_parties_armed{kind="job"}"#], 1.0);
    assert_eq!(page[r#"quorate_job_parties_unanswered{kind="gate"}"#], 0.0);
    assert_eq!(page["quorate_messages_repeated_total"], 0.0);
    // Nothing was due yet, so nothing was late.
    assert_eq!(page[r#"quorate_deadline_lag_seconds_bucket{le="0.1"}"#], 0.0);
    assert_eq!(page[r#"quorate_deadline_lag_seconds_bucket{le="+Inf"}"#], 0.0);
}

#[test]
fn metrics_count_proposals_their_votes_and_agents() {
    let running = Running::start();
    let post = |path: &str, body: serde_json::Value| {
        let answer = running.client.post(&format!("/api/v1/{path}"), &body.to_string());
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json
    };
    // Nobody is registered yet: the question cannot be put.
    post("consensus/request", json!({ "proposal": 1 }));
    for agent in ["ann", "bob", "cyd"] {
        post("agent/register", json!({ "agent_id": agent }));
    }
    post("agent/cyd/unmonitor", json!({}));
    post("agent/ann/beat", json!({}));
    for id in ["undecided", "decided"] {
        post("consensus/request", json!({ "proposal": 1, "proposal_id": id, "wait": false }));
    }
    post("consensus/request", json!({ "proposal": 1, "timeout_ms": 100 }));
    for (agent, vote, status) in
        [("ann", "for", 200), ("zoe", "for", 403), ("bob", "for", 200), ("cyd", "against", 409)]
    {
        let body = json!({ "agent_id": agent, "vote": vote }).to_string();
        assert_eq!(running.client.post("/api/v1/consensus/decided/vote", &body).status, status);
    }
    let answer = running.client.get("/metrics");
    let samples = samples(&answer.text);
    for (name, value) in [
        ("quorate_proposals_open", 1.0),
        ("quorate_proposals_closed_total{decision=\"approved\"}", 1.0),
        ("quorate_proposals_closed_total{decision=\"rejected\"}", 0.0),
        ("quorate_proposals_closed_total{decision=\"timeout\"}", 1.0),
        ("quorate_proposals_aborted_total", 1.0),
        ("quorate_proposal_votes_total", 2.0),
        ("quorate_proposal_votes_late_total", 1.0),
        ("quorate_proposal_votes_refused_total", 2.0),
        ("quorate_agents_registered", 3.0),
        ("quorate_agents_monitored{health=\"healthy\"}", 2.0),
        ("quorate_agents_monitored{health=\"failed\"}", 0.0),
        // One beat and the votes of two agents that are watched.
        ("quorate_heartbeats_total", 3.0),
        ("quorate_quorums_open", 0.0),
        ("quorate_votes_total", 0.0),
    ] {
        assert_eq!(samples.get(name), Some(&value), "{name}\n{}", answer.text);
    }
    assert!(samples["quorate_entities_awake"] >= 6.0);
}

/// A server over a store that is cut off from its nth call after opening.
fn cut_at(nth: u64) -> Running {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let open =
        |store: Arc<FaultyStore>| runtime.block_on(Quorate::open_with(Config::memory(), store)).unwrap();
    let counting = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new()), Vec::new()));
    let q = open(counting.clone());
    let call = counting.calls() + nth;
    drop(q);
    let memory = Arc::new(MemoryStore::new());
    let q = open(Arc::new(FaultyStore::with_fault(memory, call, FaultKind::CutBefore)));
    Running::over(q, runtime, Options::default())
}

#[test]
fn health_is_200_while_work_is_served_and_503_when_the_store_refuses_it() {
    // A read that fails is answered; the first commit that fails ends the service. Which call that is may change.
    let failed = (1..20).map(cut_at).find(|running| {
        // The store is asked as well, so where the first call is cut off it says so before anything is written.
        let before = running.client.get("/healthz");
        let served = (before.status, &before.json["status"]) == (200, &json!("ok"));
        let refused = running.client.post("/api/v1/quorum/start", r#"{"quorum_type":"global"}"#);
        assert_eq!(refused.error().0, 503);
        served && running.client.get("/healthz").status != 200
    });
    let running = failed.expect("one of the calls is the commit");
    let health = running.client.get("/healthz");
    assert_eq!((health.status, &health.json["status"]), (503, &json!("failed")));
    assert!(health.json["failure"].is_string());
    let page = running.client.get("/metrics");
    assert_eq!((page.status, samples(&page.text)["quorate_healthy"]), (200, 0.0));
}
