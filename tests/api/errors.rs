//! Every way a request does not fit.

use std::sync::{Arc, Mutex};

use quorate::{Config, Quorate};
use quorate_http::Options;
use quorate_journal::stores::memory::MemoryStore;
use serde_json::json;

use crate::client::Running;
use crate::hooked::Hooked;

const START: &str = "/api/v1/quorum/start";

#[test]
fn an_unknown_quorum_type_is_a_bad_request_and_a_missing_one_unprocessable() {
    let running = Running::start();
    for value in ["\"galactic\"", "7", "null", "[]", "\"\""] {
        let refused = running.client.post(START, &format!(r#"{{"quorum_type":{value}}}"#));
        assert_eq!((refused.error(), refused.field()), ((400, "invalid_argument"), "quorum_type"), "{value}");
    }
    let refused = running.client.post(START, "{}");
    assert_eq!((refused.error(), refused.field()), ((422, "invalid_argument"), "quorum_type"));
    // Another bad field of the same request is unprocessable.
    let refused = running.client.post(START, r#"{"quorum_type":"ring","ring":-1}"#);
    assert_eq!((refused.error(), refused.field()), ((422, "invalid_argument"), "ring"));
}

#[test]
fn numbers_that_do_not_fit_are_refused_with_their_field() {
    let running = Running::start();
    let fields = [
        ("timeout_seconds", "0"),
        ("timeout_seconds", "-1"),
        ("timeout_seconds", "1e999"),
        ("timeout_seconds", "-1e999"),
        ("timeout_seconds", "1e300"),
        ("timeout_seconds", "\"30\""),
        ("timeout_seconds", "true"),
        ("required_votes", "0"),
        ("required_votes", "-1"),
        ("required_votes", "1.5"),
        ("required_votes", "9223372036854775807"),
        ("required_votes", "123456789012345678901234567890"),
        ("required_votes", "\"2\""),
        ("min_confidence", "2"),
        ("cmp_fallback", "\"true\""),
        ("cmp_fallback", "1"),
        ("voters", "\"ann\""),
        ("voters", "[\"\"]"),
        ("quorum_id", "\" \""),
        ("quorum_id", "\"a\\u0000b\""),
        ("quorum_id", "7"),
        ("nonsense", "1"),
    ];
    for (field, value) in fields {
        let body = format!(r#"{{"quorum_type":"global","{field}":{value}}}"#);
        let refused = running.client.post(START, &body);
        assert_eq!(refused.error(), (422, "invalid_argument"), "{body} {refused:?}");
        let named = refused.field().split(['.', '[']).next();
        assert_eq!(named, Some(field), "{refused:?}");
    }
    assert_eq!(running.client.get("/api/v1/quorum/stats").json["stats"]["active_quorums"], 0);
}

#[test]
fn votes_are_strict_booleans_and_confidence_is_a_number_up_to_one() {
    let running = Running::start();
    let id = running.quorum(&["ann"], 1);
    let path = format!("/api/v1/quorum/{id}/vote");
    for (field, body) in [
        ("vote", r#"{"voter_id":"ann","vote":"true"}"#),
        ("vote", r#"{"voter_id":"ann","vote":1}"#),
        ("vote", r#"{"voter_id":"ann","vote":null}"#),
        ("vote", r#"{"voter_id":"ann"}"#),
        ("voter_id", r#"{"vote":true}"#),
        ("voter_id", r#"{"voter_id":"","vote":true}"#),
        ("voter_id", r#"{"voter_id":["ann"],"vote":true}"#),
        ("confidence", r#"{"voter_id":"ann","vote":true,"confidence":1.01}"#),
        ("confidence", r#"{"voter_id":"ann","vote":true,"confidence":-0.1}"#),
        ("confidence", r#"{"voter_id":"ann","vote":true,"confidence":1e999}"#),
        ("confidence", r#"{"voter_id":"ann","vote":true,"confidence":"NaN"}"#),
        ("confidence", r#"{"voter_id":"ann","vote":true,"confidence":null}"#),
    ] {
        let refused = running.client.post(&path, body);
        assert_eq!((refused.error(), refused.field()), ((422, "invalid_argument"), field), "{body}");
    }
    let status = running.client.get(&format!("/api/v1/quorum/{id}/status")).json["status"].clone();
    assert_eq!(status["total_votes"], 0);
}

#[test]
fn the_domain_answers_with_its_own_status() {
    let running = Running::start();
    let vote = r#"{"voter_id":"ann","vote":true}"#;
    assert_eq!(running.client.get("/api/v1/quorum/nobody/status").error(), (404, "not_found"));
    assert_eq!(running.client.get("/api/v1/quorum/nobody/wait").error(), (404, "not_found"));
    assert_eq!(running.client.post("/api/v1/quorum/nobody/vote", vote).error(), (404, "not_found"));
    assert_eq!(running.client.get("/api/v1/history/entity/nobody").error(), (404, "not_found"));
    let body = r#"{"quorum_type":"global","quorum_id":"q","voters":["bob"],"vote_change":"reject","outsiders":"refuse"}"#;
    assert_eq!(running.client.post(START, body).status, 200);
    assert_eq!(running.client.post(START, body).error(), (409, "already_exists"));
    assert_eq!(running.client.post("/api/v1/quorum/q/vote", vote).error(), (403, "not_eligible"));
    let unreachable = r#"{"quorum_type":"global","voters":["a","b"],"required_votes":3}"#;
    assert_eq!(running.client.post(START, unreachable).error(), (422, "unreachable_requirement"));
    let strict = r#"{"quorum_type":"ring","ring":9,"strict_membership":true}"#;
    assert_eq!(running.client.post(START, strict).error(), (422, "unknown_membership"));
    assert_eq!(running.client.post("/api/v1/quorum/q/cancel", "").status, 200);
    assert_eq!(running.client.post("/api/v1/quorum/q/vote", vote).error(), (409, "quorum_closed"));
    let short = r#"{"quorum_type":"global","quorum_id":"t","timeout_seconds":0.001}"#;
    assert_eq!(running.client.post(START, short).status, 200);
    std::thread::sleep(std::time::Duration::from_millis(5));
    assert_eq!(running.client.post("/api/v1/quorum/t/vote", vote).error(), (409, "quorum_timeout"));
}

#[test]
fn a_body_that_is_not_one_json_object_is_malformed() {
    let running = Running::start();
    let bodies: [&[u8]; 10] = [
        b"{",
        b"not json",
        b"[]",
        b"\"text\"",
        b"null",
        b"{\"quorum_type\":\"global\"} {}",
        b"{\"quorum_type\":\"global\",\"timeout_seconds\":NaN}",
        b"{\"quorum_type\":\"global\",\"timeout_seconds\":Infinity}",
        b"{\"quorum_type\":\"\xff\"}",
        b"\xef\xbb\xbf{}",
    ];
    for body in bodies {
        let refused = running.client.send("POST", START, &[], body);
        assert_eq!(refused.error(), (400, "malformed_request"), "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn well_formed_json_that_cannot_be_taken_is_an_invalid_field() {
    let running = Running::start();
    let deep = format!(r#"{{"quorum_type":"global","subject":{}{}}}"#, "[".repeat(5000), "]".repeat(5000));
    let refused = running.client.post(START, &deep);
    assert_eq!(refused.error(), (422, "invalid_argument"), "{refused:?}");
    assert!(refused.field().starts_with("subject"), "{}", refused.field());
    assert!(refused.text.len() < 10_000, "an error never carries a large input back");
    let refused = running.client.post(START, r#"{"quorum_type":"global","arm":"\ud800"}"#);
    assert_eq!(refused.error().0 / 100, 4);
}

#[test]
fn a_field_given_twice_is_refused_by_name() {
    let running = Running::start();
    let id = running.quorum(&["ann"], 1);
    let twice = [
        (
            format!("/api/v1/quorum/{id}/vote"),
            r#"{"quorum_id":"other","voter_id":"ann","vote":true}"#,
            "quorum_id",
        ),
        (format!("/api/v1/quorum/{id}/vote?quorum_id=x"), r#"{"voter_id":"ann","vote":true}"#, "quorum_id"),
        (format!("/api/v1/quorum/{id}/vote?vote=false"), r#"{"voter_id":"ann","vote":true}"#, "vote"),
        (format!("/api/v1/quorum/{id}/vote?vote=true&vote=true"), r#"{"voter_id":"ann"}"#, "vote"),
        (format!("/api/v1/quorum/{id}/vote"), r#"{"voter_id":"ann","vote":true,"vote":false}"#, "vote"),
    ];
    for (path, body, field) in twice {
        let refused = running.client.post(&path, body);
        assert_eq!((refused.error(), refused.field()), ((422, "invalid_argument"), field), "{path} {body}");
    }
    let members = [
        (START, r#"{"quorum_type":"global","subject":{"amount":1,"amount":5}}"#, "subject.amount"),
        (START, r#"{"quorum_type":"global","subject":[{"a":1},{"a":{"b":1,"\u0062":2}}]}"#, "subject[1].a.b"),
        (
            "/api/v1/jobs/submit",
            r#"{"workflows":[{"workflow_id":"w","workflow_id":"v"}]}"#,
            "workflows[0].workflow_id",
        ),
        ("/api/v1/consensus/request", r#"{"proposal":1,"agent_weights":{"a":1,"a":9}}"#, "agent_weights.a"),
        (
            "/api/v1/quorum/start?subject=%7B%22a%22:1,%22a%22:2%7D",
            r#"{"quorum_type":"global"}"#,
            "subject.a",
        ),
    ];
    for (path, body, field) in members {
        let refused = running.client.post(path, body);
        assert_eq!((refused.error(), refused.field()), ((422, "invalid_argument"), field), "{path} {body}");
        assert!(refused.text.contains("given twice"), "{refused:?}");
    }
    let refused = running.client.get("/api/v1/quorum/history?limit=1&limit=2");
    assert_eq!((refused.error(), refused.field()), ((422, "invalid_argument"), "limit"));
}

#[test]
fn query_fields_are_checked_like_any_other() {
    let running = Running::start();
    for (query, field) in [
        ("limit=-1", "limit"),
        ("limit=1001", "limit"),
        ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("limit", "limit"),
        ("limit=1.5", "limit"),
        ("limit=1e999", "limit"),
        ("limit=NaN", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("cursor=nowhere", "cursor"),
        ("limit=%zz", "limit"),
        ("cursor=%FF", "cursor"),
        ("%FF=1", "query"),
        ("nonsense=1", "nonsense"),
    ] {
        let refused = running.client.get(&format!("/api/v1/quorum/history?{query}"));
        assert_eq!((refused.error(), refused.field()), ((422, "invalid_argument"), field), "{query}");
    }
    assert_eq!(running.client.get("/api/v1/quorum/stats?x=1").error(), (422, "invalid_argument"));
    assert_eq!(running.client.get("/api/v1/quorum/history?&&").status, 200);
}

#[test]
fn ids_that_are_not_percent_encoded_utf8_are_refused() {
    let running = Running::start();
    for id in ["%", "%4", "%zz", "%FF", "a%C3", "%00", "a%0Ab", "%20", ""] {
        let refused = running.client.get(&format!("/api/v1/quorum/{id}/status"));
        assert_eq!((refused.error(), refused.field()), ((422, "invalid_argument"), "quorum_id"), "{id:?}");
    }
    let long = "%C3%A9".repeat(129);
    assert_eq!(running.client.get(&format!("/api/v1/quorum/{long}/status")).error().0, 422);
    let longest = "%C3%A9".repeat(128);
    assert_eq!(running.client.get(&format!("/api/v1/quorum/{longest}/status")).error().0, 404);
}

#[test]
fn an_unknown_path_is_an_unknown_operation() {
    let running = Running::start();
    for path in [
        "/api",
        "/api/v1",
        "/api/v1/",
        "/api/v2/quorum/stats",
        "/api/v1/quorum",
        "/api/v1/quorum/stats/",
        "/api/v1//quorum/stats",
        "/API/v1/quorum/stats",
        "/quorum/stats",
        "/metrics/x",
        "/%ff",
        "/api/v1/quorum/x/y",
        "/api%2Fv1/quorum/stats",
    ] {
        assert_eq!(running.client.get(path).error(), (404, "unknown_operation"), "{path}");
    }
    let answer = running.client.raw(b"OPTIONS * HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    assert_eq!(answer.error(), (404, "unknown_operation"));
}

#[test]
fn a_wrong_method_is_told_the_right_one() {
    let running = Running::start();
    for (method, path, allow) in [
        ("POST", "/api/v1/quorum/stats", "GET, HEAD"),
        ("POST", "/api/v1/quorum/history", "GET, HEAD"),
        ("DELETE", "/api/v1/quorum/q/status", "GET, HEAD"),
        ("GET", "/api/v1/quorum/start", "POST"),
        ("PUT", "/api/v1/quorum/q/vote", "POST"),
        ("OPTIONS", "/api/v1/quorum/q/vote", "POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("BREW", "/metrics", "GET, HEAD"),
    ] {
        let refused = running.client.send(method, path, &[], b"{}");
        assert_eq!(refused.error(), (405, "unknown_operation"), "{method} {path}");
        assert_eq!(refused.header("allow"), Some(allow), "{method} {path}");
    }
}

#[test]
fn errors_of_the_store_ask_to_try_again() {
    let running = Running::start();
    running.runtime.block_on(running.q.clone().close()).unwrap();
    let refused = running.client.post(START, &json!({ "quorum_type": "global" }).to_string());
    assert_eq!(refused.error(), (503, "store_error"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    let health = running.client.get("/healthz");
    assert_eq!((health.status, &health.json["status"]), (503, &json!("failed")));
}

#[test]
fn a_full_runtime_asks_to_try_again() {
    // A disk that flushes only while nobody holds the gate.
    let gate = Arc::new(Mutex::new(()));
    let disk = gate.clone();
    let store = Hooked::new(MemoryStore::new(), move |_| {
        drop(disk.lock().unwrap());
        Ok(())
    });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = Config { max_in_flight: 2, ..Config::memory() };
    let q = runtime.block_on(Quorate::open_with(config, Arc::new(store))).unwrap();
    let running = Running::over(q, runtime, Options::default());
    let id = running.quorum(&["ann"], 1);
    running.until_in_flight(0);
    std::thread::scope(|scope| {
        let held = gate.lock().unwrap();
        for _ in 0..2 {
            let path = format!("/api/v1/quorum/{id}/vote");
            let client = &running.client;
            scope.spawn(move || client.post(&path, r#"{"voter_id":"ann","vote":true}"#));
        }
        running.until_in_flight(2);
        let refused = running.client.get(&format!("/api/v1/quorum/{id}/status"));
        assert_eq!((refused.error(), refused.header("retry-after")), ((503, "overloaded"), Some("1")));
        assert_eq!(running.client.get("/healthz").json["in_flight"], 2);
        drop(held);
    });
}

#[test]
fn a_number_that_cannot_be_kept_is_refused_wherever_it_stands() {
    let running = Running::start();
    let start = |subject: &str| {
        let body = format!(r#"{{"quorum_type":"global","quorum_id":"q","subject":{subject}}}"#);
        running.client.post(START, &body)
    };
    for (subject, field, value) in [
        (r#"{"cents":18446744073709551616}"#, "subject.cents", "18446744073709551616"),
        (r#"[0,{"to":[-9223372036854775809]}]"#, "subject[1].to[0]", "-9223372036854775809"),
        ("0.1000000000000000055511151231257827", "subject", "0.1000000000000000055511151231257827"),
        ("1e999", "subject", "1e999"),
    ] {
        let refused = start(subject);
        assert_eq!((refused.error(), refused.field()), ((422, "invalid_argument"), field), "{refused:?}");
        assert_eq!(refused.json["error"]["value"], value);
        assert!(refused.json["error"]["expected"].as_str().unwrap().contains("18446744073709551615"));
    }
    let kept = start(r#"{"cents":18446744073709551615,"rate":0.30000000000000004}"#);
    assert_eq!(kept.status, 200, "{kept:?}");
    let shown = running.client.get("/api/v1/quorum/q/status").text;
    assert!(
        shown.contains(r#""subject":{"cents":18446744073709551615,"rate":0.30000000000000004}"#),
        "{shown}"
    );
    // In a query, and where a whole number would become a double.
    let asked = running.client.get("/api/v1/quorum/history?limit=18446744073709551616");
    assert_eq!((asked.error(), asked.field()), ((422, "invalid_argument"), "limit"));
    let value = running
        .client
        .post("/api/v1/stats/record", r#"{"batch":{"count":2,"min":1,"max":9007199254740993,"sum":4}}"#);
    assert_eq!((value.error(), value.field()), ((422, "invalid_argument"), "batch.max"));
}

#[test]
fn a_key_of_another_request_is_a_conflict_that_names_both() {
    let running = Running::start();
    let start = |subject: u32| {
        let body = format!(r#"{{"quorum_type":"global","quorum_id":"q","subject":{{"pay":{subject}}}}}"#);
        running.client.send("POST", START, &[("idempotency-key", "k")], body.as_bytes())
    };
    assert_eq!(start(1).json["quorum"]["duplicate"], false);
    assert_eq!(start(1).json["quorum"]["duplicate"], true);
    let refused = start(2);
    assert_eq!(refused.error(), (409, "key_reused"));
    let error = &refused.json["error"];
    assert_eq!((&error["used_for"], &error["asked"]), (&json!("quorum/q"), &json!("quorum.start q")));
    assert_eq!(
        (&error["differs"], &error["first"], &error["given"]),
        (&json!("subject"), &json!(r#"{"pay":1}"#), &json!(r#"{"pay":2}"#),)
    );
}

#[test]
fn a_name_that_looks_like_another_is_refused_in_path_query_and_body() {
    let running = Running::start();
    running.quorum(&["ann"], 1);
    let refused = running.client.post("/api/v1/quorum/q%E2%80%8B/vote", r#"{"voter_id":"ann","vote":true}"#);
    assert_eq!((refused.error(), refused.field()), ((422, "invalid_argument"), "quorum_id"));
    assert!(refused.json["error"]["expected"].as_str().unwrap().contains("U+200B"), "{refused:?}");
    let body = r#"{"quorum_type":"ring","voters":["Zoe\u0308"]}"#;
    let refused = running.client.post(START, body);
    assert_eq!((refused.error(), refused.field()), ((422, "invalid_argument"), "voters[0]"));
    assert!(refused.json["error"]["expected"].as_str().unwrap().contains("NFC"), "{refused:?}");
    // What may stand in an old journal can still be looked for.
    let missing = running.client.get("/api/v1/quorum/Zoe%CC%88/status");
    assert_eq!(missing.error(), (404, "not_found"));
}
