//! Many clients at once, and clients that repeat themselves.

use std::sync::Barrier;

use serde_json::{Value, json};

use crate::client::Running;

const START: &str = "/api/v1/quorum/start";

#[test]
fn of_64_votes_at_once_exactly_one_closes_the_quorum() {
    let running = Running::start();
    let voters: Vec<String> = (0..64).map(|n| format!("v{n}")).collect();
    let names: Vec<&str> = voters.iter().map(String::as_str).collect();
    let id = running.quorum(&names, 20);
    let barrier = Barrier::new(64);
    let answers: Vec<_> = std::thread::scope(|scope| {
        let cast = |voter: &String| {
            let body = json!({ "voter_id": voter, "vote": true }).to_string();
            barrier.wait();
            running.client.post(&format!("/api/v1/quorum/{id}/vote"), &body)
        };
        let threads: Vec<_> = voters.iter().map(|voter| scope.spawn(move || cast(voter))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let accepted: Vec<_> = answers.iter().filter(|a| a.status == 200).collect();
    assert_eq!(accepted.len(), 20);
    assert_eq!(accepted.iter().filter(|a| a.json["vote"]["state"] == "approved").count(), 1);
    for late in answers.iter().filter(|a| a.status != 200) {
        assert_eq!(late.error(), (409, "quorum_closed"));
        assert_eq!(late.json["error"]["state"], "approved");
    }
    let status = running.client.get(&format!("/api/v1/quorum/{id}/status")).json["status"].clone();
    assert_eq!((&status["approve_votes"], &status["late_votes"]), (&json!(20), &json!(44)));
}

#[test]
fn nine_named_voters_and_no_number_need_five() {
    let running = Running::start();
    let voters: Vec<String> = (0..9).map(|n| format!("v{n}")).collect();
    let body = json!({ "quorum_type": "global", "quorum_id": "q", "voters": voters }).to_string();
    let started = running.client.post(START, &body).json["quorum"].clone();
    assert_eq!((&started["required_votes"], &started["voter_count"]), (&json!(5), &json!(9)));
    let vote = |voter: &str| {
        let body = json!({ "voter_id": voter, "vote": true }).to_string();
        running.client.post("/api/v1/quorum/q/vote", &body).json["vote"]["state"].clone()
    };
    let states: Vec<_> = voters[..5].iter().map(|voter| vote(voter)).collect();
    assert_eq!(states, ["open", "open", "open", "open", "approved"]);
    // One authority of the hub speaks for it.
    for authority in ["x", "y", "z"] {
        running.client.post("/api/v1/cmp/register", &json!({ "authority_id": authority }).to_string());
    }
    let hub = running.client.post(START, &json!({ "quorum_type": "global" }).to_string());
    assert_eq!(hub.json["quorum"]["required_votes"], 1);
}

#[test]
fn the_reason_of_a_vote_is_shown_in_status_and_history_also_of_a_late_one() {
    let running = Running::start();
    let id = running.quorum(&["ann", "bob"], 1);
    let vote = |body: serde_json::Value| {
        running.client.post(&format!("/api/v1/quorum/{id}/vote"), &body.to_string())
    };
    assert_eq!(vote(json!({ "voter_id": "ann", "vote": true, "reason": "it is due" })).status, 200);
    let late = vote(json!({ "voter_id": "bob", "vote": false, "reason": "it will break" }));
    assert_eq!(late.error(), (409, "quorum_closed"));
    let status = running.client.get(&format!("/api/v1/quorum/{id}/status")).json["status"].clone();
    assert_eq!(status["votes"]["ann"]["reason"], "it is due");
    let history = running.client.get("/api/v1/quorum/history").json;
    assert_eq!(history["history"][0]["votes"]["ann"]["reason"], "it is due");
    let votes = running.client.get(&format!("/api/v1/history/entity/{id}")).json["votes"].clone();
    assert_eq!((&votes[1]["voter_reason"], &votes[1]["reason"]), (&json!("it will break"), &json!("late")));
    let cast = running.client.get("/api/v1/history?event=vote_cast&voter_id=ann").json;
    assert_eq!(cast["events"][0]["data"]["reason"], "it is due");
    for reason in [json!(""), json!("x".repeat(1_025)), json!("a\u{1b}b"), json!(7)] {
        let refused = vote(json!({ "voter_id": "bob", "vote": true, "reason": reason }));
        assert_eq!((refused.error(), refused.field()), ((422, "invalid_argument"), "reason"));
    }
}

#[test]
fn a_start_repeated_under_one_key_answers_with_the_first_quorum() {
    let running = Running::start();
    let body = json!({ "quorum_type": "global" }).to_string();
    let start = |key: &str| {
        running.client.send("POST", START, &[("Idempotency-Key", key)], body.as_bytes()).json["quorum"]
            .clone()
    };
    let first = start("deploy 7");
    assert_eq!(first["duplicate"], false);
    let again = start("deploy 7");
    assert_eq!((&again["quorum_id"], &again["duplicate"]), (&first["quorum_id"], &json!(true)));
    assert_ne!(start("deploy 8")["quorum_id"], first["quorum_id"]);
    assert_eq!(running.client.get("/api/v1/quorum/stats").json["stats"]["active_quorums"], 2);
}

#[test]
fn of_16_starts_at_once_under_one_key_one_opens_a_quorum() {
    let running = Running::start();
    let barrier = Barrier::new(16);
    let start = || {
        barrier.wait();
        running.client.send("POST", START, &[("idempotency-key", "once")], br#"{"quorum_type":"global"}"#)
    };
    let answers: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(start)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let first = &answers[0].json["quorum"]["quorum_id"];
    assert!(first.is_string(), "{:?}", answers[0]);
    assert!(answers.iter().all(|a| a.json["quorum"]["quorum_id"] == *first));
    assert_eq!(answers.iter().filter(|a| a.json["quorum"]["duplicate"] == false).count(), 1);
    assert_eq!(running.client.get("/api/v1/quorum/stats").json["stats"]["active_quorums"], 1);
}

#[test]
fn a_key_in_the_header_that_is_not_the_one_in_the_body_is_refused_and_both_are_named() {
    let running = Running::start();
    let body = |key: Value| json!({ "quorum_type": "global", "idempotency_key": key }).to_string();
    let start = |headers: &[(&str, &str)], key: Value| {
        running.client.send("POST", START, headers, body(key).as_bytes())
    };
    let refused = start(&[("idempotency-key", "one")], json!("body"));
    assert_eq!((refused.error(), refused.field()), ((422, "invalid_argument"), "idempotency_key"));
    let error = &refused.json["error"];
    assert_eq!((&error["header"], &error["body"]), (&json!("one"), &json!("body")));
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("header=one") && message.contains("field=body"), "{message}");
    let query = format!("{START}?idempotency_key=query");
    let body = br#"{"quorum_type":"global"}"#;
    assert_eq!(running.client.send("POST", &query, &[("idempotency-key", "one")], body).error().0, 422);
    assert_eq!(running.client.get("/api/v1/quorum/stats").json["stats"]["active_quorums"], 0);
    // The same in both is one key, and so is one in the header alone.
    let id = |answer: crate::client::Answer| answer.json["quorum"]["quorum_id"].clone();
    let first = id(start(&[("idempotency-key", "one")], json!("one")));
    assert!(first.is_string());
    assert_eq!(first, id(start(&[("idempotency-key", "one")], Value::Null)));
    assert_eq!(first, id(start(&[], json!("one"))));
}

#[test]
fn a_key_that_is_no_key_is_refused() {
    let running = Running::start();
    let body = br#"{"quorum_type":"global"}"#;
    let long = "k".repeat(257);
    for headers in [
        vec![("idempotency-key", "")],
        vec![("idempotency-key", long.as_str())],
        vec![("idempotency-key", "a"), ("idempotency-key", "b")],
    ] {
        let refused = running.client.send("POST", START, &headers, body);
        assert_eq!((refused.error(), refused.field()), ((422, "invalid_argument"), "idempotency_key"));
    }
}
