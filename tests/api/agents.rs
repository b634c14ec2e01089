//! Agents and their heartbeats over HTTP.

use serde_json::{Value, json};

use crate::client::{Answer, Running};

fn ok(answer: &Answer, key: &str) -> Value {
    assert_eq!((answer.status, &answer.json["success"]), (200, &json!(true)), "{answer:?}");
    answer.json[key].clone()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap_or_else(|| panic!("not an object: {value}")).keys().map(String::as_str).collect()
}

#[test]
fn an_agent_lives_its_whole_life_over_http() {
    let running = Running::start();
    let post = |path: &str, body: &str| running.client.post(&format!("/api/v1/agent/{path}"), body);
    let get = |path: &str| running.client.get(&format!("/api/v1/{path}"));

    let settings = ["interval_ms", "failure_threshold", "check_period_ms", "history_size"];
    let registered = ok(&post("register", r#"{"agent_id":"a b","interval_ms":60000}"#), "agent");
    assert_eq!(
        keys(&registered),
        [&["agent_id", "registered", "monitored", "judged"][..], &settings[..]].concat()
    );
    assert_eq!((&registered["registered"], &registered["interval_ms"]), (&json!(true), &json!(60_000)));
    let again = ok(&post("register", r#"{"agent_id":"a b"}"#), "agent");
    assert_eq!((&again["registered"], &again["interval_ms"]), (&json!(false), &json!(60_000)));

    let beat = ok(&post("a%20b/beat", r#"{"metadata":{"queue":[1,2]}}"#), "beat");
    assert_eq!(beat, json!({ "agent_id": "a b", "recorded": true, "health": "healthy" }));
    ok(&post("a%20b/beat", "{}"), "beat");

    let health = ok(&get("agent/a%20b/health"), "agent");
    let fields = [
        "agent_id",
        "health",
        "last_heartbeat",
        "elapsed_ms",
        "monitored",
        "judged",
        "monitored_since",
        "registered_at",
        "total_heartbeats",
    ];
    assert_eq!(keys(&health), [&fields[..], &settings[..]].concat());
    assert_eq!((&health["health"], &health["total_heartbeats"]), (&json!("healthy"), &json!(2)));

    let history = get("agent/a%20b/history?limit=1").json;
    assert_eq!((&history["total_available"], &history["beats"][0]["metadata"]), (&json!(2), &Value::Null));
    let history = get("agent/a%20b/history").json;
    assert_eq!(history["beats"][0]["metadata"], json!({ "queue": [1, 2] }));

    let list = get("agents").json;
    assert_eq!((&list["total_available"], &list["agents"][0]["agent_id"]), (&json!(1), &json!("a b")));
    let stats = ok(&get("agent/stats"), "stats");
    let distribution = json!({ "healthy": 1, "degraded": 0, "critical": 0, "failed": 0 });
    let expected = json!({ "total_agents": 1, "monitored_agents": 1, "health_distribution": distribution,
        "total_heartbeats": 2 });
    assert_eq!(stats, expected);

    let stopped = ok(&post("a%20b/unmonitor", "{}"), "agent");
    assert_eq!(stopped, json!({ "agent_id": "a b", "stopped": true, "monitored": false }));
    assert_eq!(post("a%20b/beat", "{}").error(), (404, "not_found"));
    let started = ok(&post("a%20b/monitor", r#"{"history_size":7}"#), "agent");
    assert_eq!(keys(&started), [&["agent_id", "started", "monitored"][..], &settings[..]].concat());
    assert_eq!((&started["started"], &started["history_size"]), (&json!(true), &json!(7)));

    let left = ok(&post("a%20b/leave", "{}"), "agent");
    assert_eq!(left, json!({ "agent_id": "a b", "left": true }));
    assert_eq!(ok(&post("a%20b/leave", "{}"), "agent")["left"], false);
    for undone in ["nobody/leave", "nobody/beat", "nobody/unmonitor"] {
        let refused = post(undone, "{}");
        assert_eq!((refused.error(), &refused.json["success"]), ((404, "not_found"), &json!(false)));
    }
    let log = get("history/entity/a%20b?kind=agent").json;
    assert_eq!((&log["revision"], &log["events"][2]["event"]), (&json!(7), &json!("beat")));
    assert_eq!(get("history?kind=agent&event=left").json["events"][0]["entity_id"], "a b");
}

#[test]
fn who_did_not_ask_for_monitoring_is_judged_from_its_first_beat_on() {
    let running = Running::start();
    let post = |path: &str, body: &str| running.client.post(&format!("/api/v1/agent/{path}"), body);
    for (body, judged) in [
        (r#"{"agent_id":"ann"}"#, false),
        (r#"{"agent_id":"bob","monitor":true}"#, true),
        (r#"{"agent_id":"cyd","interval_ms":60000}"#, true),
        (r#"{"agent_id":"dan","interval_ms":60000,"monitor":false}"#, false),
    ] {
        let agent = ok(&post("register", body), "agent");
        assert_eq!((&agent["monitored"], &agent["judged"]), (&json!(true), &json!(judged)), "{body}");
    }
    ok(&post("ann/beat", "{}"), "beat");
    assert_eq!(ok(&running.client.get("/api/v1/agent/ann/health"), "agent")["judged"], true);
    assert_eq!(ok(&post("dan/monitor", "{}"), "agent")["started"], true);
    assert_eq!(ok(&running.client.get("/api/v1/agent/dan/health"), "agent")["judged"], true);
}

#[test]
fn health_of_one_who_is_not_watched_says_what_to_do() {
    let running = Running::start();
    let health = || running.client.get("/api/v1/agent/ann/health");
    assert_eq!(health().error(), (404, "not_found"));
    assert!(health().json["error"]["message"].as_str().unwrap().contains("register"));
    running.client.post("/api/v1/agent/register", r#"{"agent_id":"ann"}"#);
    assert_eq!(health().status, 200);
    running.client.post("/api/v1/agent/ann/unmonitor", "{}");
    assert_eq!(health().error(), (404, "not_found"));
    assert!(health().json["error"]["message"].as_str().unwrap().contains("agent.monitor"));
    assert_eq!(running.client.post("/api/v1/agent/zoe/monitor", "{}").error(), (404, "not_found"));
    assert_eq!(running.client.get("/api/v1/agent/zoe/history").error(), (404, "not_found"));
}

#[test]
fn what_does_not_fit_is_refused_with_its_field() {
    let running = Running::start();
    for (field, value) in [
        ("interval_ms", "99"),
        ("interval_ms", "86400001"),
        ("interval_ms", "-1"),
        ("interval_ms", "1e999"),
        ("interval_ms", "100.5"),
        ("interval_ms", "123456789012345678901234567890"),
        ("interval_ms", "\"5000\""),
        ("failure_threshold", "0"),
        ("failure_threshold", "1001"),
        ("check_period_ms", "4294967396"),
        ("check_period_ms", "true"),
        ("history_size", "0"),
        ("history_size", "10001"),
        ("agent_id", "\"stats\""),
        ("agent_id", "\" \""),
        ("agent_id", "7"),
        ("nonsense", "1"),
    ] {
        let others = if field == "agent_id" { "" } else { r#""agent_id":"ann","# };
        let body = format!(r#"{{{others}"{field}":{value}}}"#);
        let refused = running.client.post("/api/v1/agent/register", &body);
        assert_eq!((refused.error(), refused.field()), ((422, "invalid_argument"), field), "{body}");
    }
    assert_eq!(running.client.get("/api/v1/agent/stats").json["stats"]["total_agents"], 0);
    running.client.post("/api/v1/agent/register", r#"{"agent_id":"ann"}"#);
    let beat = |metadata: &str| {
        running.client.post("/api/v1/agent/ann/beat", &format!(r#"{{"metadata":{metadata}}}"#))
    };
    for metadata in ["1", "\"fine\"", "[{}]", &json!({ "x": "y".repeat(16 << 10) }).to_string()] {
        let refused = beat(metadata);
        assert_eq!((refused.error(), refused.field()), ((422, "invalid_argument"), "metadata"));
    }
    // The braces, quotes and colon around it take nine bytes.
    assert_eq!(beat(&json!({ "x": "y".repeat((16 << 10) - 8) }).to_string()).status, 200);
    assert_eq!(running.client.get("/api/v1/agent/stats").json["stats"]["total_heartbeats"], 1);
}
