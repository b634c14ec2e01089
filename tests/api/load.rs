//! Flow control, load shedding and statistics over HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use quorate::Config;
use quorate_core::load::shed::Readings;
use quorate_http::Options;
use quorate_runtime::shell::sampler::Sampler;
use serde_json::{Value, json};

use crate::client::{Answer, Running};

/// A machine whose memory is full when it is said to be.
#[derive(Debug, Default)]
struct Memory(AtomicBool);

impl Sampler for Memory {
    fn sample(&self) -> Result<Readings, String> {
        let memory = if self.0.load(Ordering::SeqCst) { 99.0 } else { 10.0 };
        Ok(Readings { cpu: None, memory: Some(memory) })
    }
}

/// A refusal that a reply tells.
fn undone(answer: &Answer, key: &str, code: &str) -> Value {
    assert_eq!((answer.status, &answer.json["success"]), (200, &json!(false)), "{answer:?}");
    assert_eq!((&answer.json["code"], &answer.json["error"]["kind"]), (&json!(code), &json!(code)));
    answer.json[key].clone()
}

fn ok(answer: &Answer, key: &str) -> Value {
    assert_eq!((answer.status, &answer.json["success"]), (200, &json!(true)), "{answer:?}");
    answer.json[key].clone()
}

#[test]
fn a_stream_lives_its_whole_life_over_http() {
    let running = Running::start();
    let post = |path: &str, body: &str| running.client.post(&format!("/api/v1/flow/{path}"), body);
    let get = |path: &str| running.client.get(&format!("/api/v1/flow/{path}"));
    let flow = ok(
        &post("open", r#"{"flow_id":"a b","config":{"max_buffer_size":2,"drop_policy":"drop_newest"}}"#),
        "flow",
    );
    assert_eq!((&flow["changed"], &flow["config"]["max_buffer_size"]), (&json!(true), &json!(2)));
    for n in 0..2 {
        let offer =
            ok(&post("a%20b/offer", &json!({ "message": { "n": n }, "sender": "ann" }).to_string()), "offer");
        assert_eq!((&offer["accepted"], &offer["seq"]), (&json!(true), &json!(n)));
    }
    // What comes back holds the message, the reason and when to try again.
    let offer = undone(&post("a%20b/offer", r#"{"message":[1]}"#), "offer", "nothing_done");
    assert_eq!((&offer["accepted"], &offer["reason"]), (&json!(false), &json!("rejected_newest")));
    assert_eq!((&offer["message"], &offer["retry_after_ms"]), (&json!([1]), &json!(50)));
    let status = ok(&get("a%20b/status"), "status");
    assert_eq!((&status["flow_state"], &status["messages_dropped"]), (&json!("dropping"), &json!(1)));
    let advice = ok(&get("a%20b/recommendation"), "recommendation");
    assert_eq!((&advice["action"], &advice["health"]), (&json!("pause"), &json!("unhealthy")));
    let page = ok(&post("a%20b/drain", r#"{"count":1}"#), "page");
    assert_eq!(page["messages"], json!([{ "seq": 0, "message": { "n": 0 }, "sender": "ann" }]));
    let flow = ok(&post("a%20b/configure", r#"{"config":{"drop_policy":"block"}}"#), "flow");
    assert_eq!(
        (&flow["config"]["drop_policy"], &flow["config"]["max_buffer_size"]),
        (&json!("block"), &json!(2))
    );
    assert_eq!(ok(&post("a%20b/close", "{}"), "flow")["closed"], json!(true));

    let refused = |answer: Answer| (answer.status, answer.json["error"]["kind"].clone());
    assert_eq!(
        refused(post("open", r#"{"flow_id":"x","config":{"max_buffer_size":0}}"#)),
        (422, json!("invalid_argument"))
    );
    assert_eq!(refused(post("open", r#"{"flow_id":"a b"}"#)), (409, json!("already_exists")));
    assert_eq!(refused(get("nobody/status")), (404, json!("not_found")));
    assert_eq!(refused(post("x/offer", "{}")), (422, json!("invalid_argument")));
}

#[test]
fn an_overloaded_node_refuses_submissions_with_503_and_takes_votes() {
    let full = Arc::<Memory>::default();
    let mut config = Config { sampler: Some(full.clone()), ..Config::memory() };
    config.shedding.detector.every = Duration::from_millis(5);
    let running = Running::with(config, Options::default());
    let quorum = running.quorum(&["ann", "bob"], 2);
    let post = |path: &str, body: &str| running.client.post(&format!("/api/v1/{path}"), body);
    full.0.store(true, Ordering::SeqCst);
    let load = loop {
        let status = ok(&running.client.get("/api/v1/shed/status"), "status");
        if status["operations_state"] != json!("healthy") {
            break status;
        }
    };
    assert_eq!((&load["state"], &load["explain"]["cause"]), (&json!("overloaded"), &json!("memory")));

    let refused = post("quorum/start", r#"{"quorum_type":"global","voters":["ann"]}"#);
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert_eq!((&refused.json["success"], &refused.json["code"]), (&json!(false), &json!("overloaded")));
    let error = &refused.json["error"];
    assert_eq!(
        (&error["shed"], &error["class"], &error["state"]),
        (&json!(true), &json!("dispatch"), &json!("overloaded"))
    );
    assert_eq!(error["retry_after_ms"], json!(1_000));
    assert_eq!(running.client.get(&format!("/api/v1/quorum/{quorum}/status")).status, 503);

    let vote = ok(&post(&format!("quorum/{quorum}/vote"), r#"{"voter_id":"ann","vote":true}"#), "vote");
    assert_eq!(vote["state"], json!("open"));
    assert_eq!(post(&format!("quorum/{quorum}/cancel"), "{}").status, 200);
    let status = ok(&running.client.get("/api/v1/shed/status"), "status");
    assert_eq!(
        (&status["state"], &status["classes"][1]["operations_shed"]),
        (&json!("overloaded"), &json!(1))
    );
    assert_eq!(running.client.get("/healthz").status, 200);

    let page = running.client.get("/metrics").text;
    for line in [
        "quorate_load_state 3",
        "quorate_operations_shed_total{class=\"dispatch\"} 1",
        "quorate_operations_shed_total{class=\"data\"} 1",
        "quorate_operations_shed_total{class=\"control\"} 0",
        "quorate_flows_open 0",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
}

#[test]
fn a_message_that_is_not_let_in_is_no_success() {
    let running = Running::start();
    let post = |path: &str, body: &str| running.client.post(&format!("/api/v1/shed/{path}"), body);
    let let_in = ok(&post("check", r#"{"class":"data","hold_ms":60000}"#), "check");
    assert_eq!((&let_in["admitted"], &let_in["shed"]), (&json!(true), &json!(false)));
    let late = undone(&post("check", r#"{"class":"data","deadline_ms":-1}"#), "check", "expired");
    assert_eq!((&late["admitted"], &late["reason"]), (&json!(false), &json!("expired")));
    ok(&post("record", r#"{"memory_percent":99}"#), "load");
    let shed = post("check", r#"{"class":"telemetry"}"#);
    assert_eq!(undone(&shed, "check", "overloaded")["reason"], "shed");
    assert_eq!(shed.json["error"]["retry_after_ms"], shed.json["check"]["retry_after_ms"]);
    let permit = json!({ "permit": let_in["permit"] }).to_string();
    assert_eq!(ok(&post("release", &permit), "permit")["released"], true);
    assert_eq!(undone(&post("release", &permit), "permit", "nothing_done")["released"], false);
}

#[test]
fn statistics_answer_with_the_level_as_a_number() {
    let running = Running::start();
    let values = json!({ "values": vec![1; 950] }).to_string();
    let recorded = ok(&running.client.post("/api/v1/stats/record", &values), "recorded");
    assert_eq!((&recorded["accepted"], &recorded["backpressure_level"]), (&json!(true), &json!(3)));
    let refused = running.client.post("/api/v1/stats/record", r#"{"value":1}"#);
    let refused = undone(&refused, "recorded", "overloaded");
    assert_eq!((&refused["accepted"], &refused["retry_after_ms"]), (&json!(false), &json!(1_000)));
    let level = ok(&running.client.get("/api/v1/stats/level"), "level");
    assert_eq!((&level["level"], &level["backpressure_drop_non_critical"]), (&json!("reject"), &json!(true)));
    let summary = ok(&running.client.get("/api/v1/stats/summary?window_ms=1000"), "summary");
    assert_eq!((&summary["count"], &summary["total_dropped"]), (&json!(950), &json!(1)));
    assert_eq!(running.client.get("/api/v1/stats/summary?window_ms=0").status, 422);
}
