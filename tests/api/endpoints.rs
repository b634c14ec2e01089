//! Every endpoint, when all is well.

use serde_json::{Value, json};

use crate::client::{Answer, Running};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap_or_else(|| panic!("not an object: {value}")).keys().map(String::as_str).collect()
}

fn holds(value: &Value, names: &[&str]) {
    for name in names {
        assert!(value.get(name).is_some(), "no {name} in {value}");
    }
}

fn ok(answer: Answer, wanted: &[&str]) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.json["success"], true);
    let mut keys = keys(&answer.json);
    keys.retain(|key| *key != "success");
    assert_eq!(keys, wanted, "{answer:?}");
    answer.json
}

#[test]
fn start_answers_with_the_quorum_and_mints_its_id() {
    let running = Running::start();
    let body = json!({ "quorum_type": "LOCAL", "cell_id": "c1" }).to_string();
    let quorum = ok(running.client.post("/api/v1/quorum/start", &body), &["quorum"])["quorum"].clone();
    holds(
        &quorum,
        &[
            "quorum_id",
            "quorum_type",
            "required_votes",
            "timeout",
            "timeout_seconds",
            "cell_id",
            "neighbor_count",
        ],
    );
    assert_eq!(quorum["quorum_type"], "local");
    assert_eq!(quorum["required_votes"], 4);
    assert_eq!(quorum["timeout"], 30.0);
    assert_eq!(quorum["electorate"], "open");
    assert_eq!(quorum["state"], "open");
    assert!(quorum["quorum_id"].as_str().unwrap().len() >= 16);
}

#[test]
fn a_local_start_looks_up_the_neighbours_of_its_cell() {
    let running = Running::start();
    let cell = json!({ "cell_id": "hub", "neighbors": ["a", "b", "c"], "ring": 0, "arm": "north" });
    let cell =
        ok(running.client.post("/api/v1/cells/register", &cell.to_string()), &["cell"])["cell"].clone();
    assert_eq!(cell["neighbors"], json!(["a", "b", "c"]));
    let body = json!({ "quorum_type": "local", "cell_id": "hub" }).to_string();
    let quorum = ok(running.client.post("/api/v1/quorum/start", &body), &["quorum"])["quorum"].clone();
    assert_eq!((&quorum["neighbor_count"], &quorum["required_votes"]), (&json!(3), &json!(2)));
    assert_eq!(quorum["electorate"], "closed");
}

#[test]
fn a_vote_answers_with_the_count_after_it() {
    let running = Running::start();
    let id = running.quorum(&["ann", "bob", "cid"], 2);
    let path = format!("/api/v1/quorum/{id}/vote");
    let vote = |voter: &str| {
        let body = json!({ "voter_id": voter, "vote": true, "confidence": 0.5 }).to_string();
        ok(running.client.post(&path, &body), &["vote"])["vote"].clone()
    };
    let first = vote("ann");
    let names = [
        "quorum_id",
        "voter_id",
        "vote",
        "total_votes",
        "approve_votes",
        "reject_votes",
        "required_votes",
        "quorum_reached",
        "consensus",
        "is_neighbor",
        "counted",
        "duplicate",
        "changed",
        "state",
    ];
    assert_eq!(keys(&first), names);
    assert_eq!((&first["approve_votes"], &first["state"]), (&json!(1), &json!("open")));
    assert_eq!(vote("ann")["duplicate"], true);
    let outsider = vote("zoe");
    assert_eq!((&outsider["counted"], &outsider["total_votes"]), (&json!(false), &json!(1)));
    let deciding = vote("bob");
    assert_eq!((&deciding["quorum_reached"], &deciding["state"]), (&json!(true), &json!("approved")));
}

#[test]
fn status_stays_readable_after_the_close() {
    let running = Running::start();
    let id = running.quorum(&["ann", "bob"], 1);
    running.client.post(&format!("/api/v1/quorum/{id}/vote"), r#"{"voter_id":"ann","vote":true}"#);
    let status =
        ok(running.client.get(&format!("/api/v1/quorum/{id}/status")), &["status"])["status"].clone();
    holds(
        &status,
        &[
            "quorum_id",
            "quorum_type",
            "cell_id",
            "neighbor_count",
            "total_votes",
            "approve_votes",
            "reject_votes",
            "required_votes",
            "quorum_reached",
            "elapsed_seconds",
            "timeout_seconds",
            "valid_voters",
            "invalid_voters",
            "votes",
            "state",
            "consensus",
            "electorate",
            "closed_at",
        ],
    );
    assert_eq!(status["state"], "approved");
    assert_eq!(status["valid_voters"], json!(["ann"]));
    let waited = ok(running.client.get(&format!("/api/v1/quorum/{id}/wait?timeout_ms=5000")), &["status"]);
    assert_eq!(waited["status"]["closed_at"], status["closed_at"]);
}

#[test]
fn waiting_ends_with_the_close_of_the_quorum() {
    let running = Running::start();
    let id = running.quorum(&["ann"], 1);
    let client = running.client;
    let path = format!("/api/v1/quorum/{id}/wait?timeout_ms=15000");
    let waiting = std::thread::spawn(move || client.get(&path));
    let body = json!({ "voter_id": "ann", "vote": false }).to_string();
    ok(client.post(&format!("/api/v1/quorum/{id}/vote"), &body), &["vote"]);
    assert_eq!(ok(waiting.join().unwrap(), &["status"])["status"]["state"], "rejected");
}

#[test]
fn history_lists_the_latest_closed_quorums_oldest_first() {
    let running = Running::start();
    let ids: Vec<String> = (0..3).map(|_| running.quorum(&["ann"], 1)).collect();
    for id in &ids {
        running.client.post(&format!("/api/v1/quorum/{id}/vote"), r#"{"voter_id":"ann","vote":true}"#);
    }
    let page = ok(
        running.client.get("/api/v1/quorum/history?limit=2"),
        &["history", "total", "total_available", "next_cursor", "more"],
    );
    assert_eq!((&page["total"], &page["total_available"]), (&json!(2), &json!(3)));
    let entries = page["history"].as_array().unwrap();
    assert_eq!((&entries[0]["quorum_id"], &entries[1]["quorum_id"]), (&json!(ids[1]), &json!(ids[2])));
    holds(&entries[0], &["quorum_id", "quorum_type", "result", "votes", "closed_at", "state", "deadline"]);
    assert_eq!(entries[0]["votes"]["ann"]["vote"], true);
    let cursor = page["next_cursor"].as_str().unwrap();
    let before = running.client.get(&format!("/api/v1/quorum/history?cursor={cursor}"));
    assert_eq!(before.json["history"][0]["quorum_id"], json!(ids[0]));
    assert_eq!((&before.json["more"], before.json["next_cursor"].is_string()), (&json!(false), true));
    for refused in ["0", "-1", "1001"] {
        let answer = running.client.get(&format!("/api/v1/quorum/history?limit={refused}"));
        assert_eq!(answer.error(), (422, "invalid_argument"), "{refused}");
        assert_eq!(answer.json["error"]["expected"], "1 to 1000");
    }
}

#[test]
fn stats_count_what_happened() {
    let running = Running::start();
    let id = running.quorum(&["ann"], 1);
    running.quorum(&["ann"], 1);
    running.client.post(&format!("/api/v1/quorum/{id}/vote"), r#"{"voter_id":"ann","vote":true}"#);
    let stats = ok(running.client.get("/api/v1/quorum/stats"), &["stats"])["stats"].clone();
    let counts = ["active_quorums", "total_quorums", "successful_quorums"].map(|name| stats[name].clone());
    assert_eq!(counts, [json!(1), json!(1), json!(1)]);
    assert_eq!(stats["success_rate"], 1.0);
}

#[test]
fn a_cancelled_quorum_says_who_and_why() {
    let running = Running::start();
    let id = running.quorum(&["ann"], 1);
    let path = format!("/api/v1/quorum/{id}/cancel");
    let body = json!({ "by": "ops", "reason": "no longer needed" }).to_string();
    let quorum = ok(running.client.post(&path, &body), &["quorum"])["quorum"].clone();
    assert_eq!((&quorum["state"], &quorum["duplicate"]), (&json!("cancelled"), &json!(false)));
    assert_eq!(ok(running.client.post(&path, ""), &["quorum"])["quorum"]["duplicate"], true);
    let status = running.client.get(&format!("/api/v1/quorum/{id}/status")).json["status"].clone();
    assert_eq!((&status["cancelled_by"], &status["reason"]), (&json!("ops"), &json!("no longer needed")));
}

#[test]
fn the_mesh_registry_is_registered_and_listed() {
    let running = Running::start();
    let mesh = ok(running.client.post("/api/v1/cells/mesh", r#"{"rings":2}"#), &["mesh"])["mesh"].clone();
    assert_eq!(mesh["cells"], 19);
    let authority = running.client.post("/api/v1/cmp/register", r#"{"authority_id":"root"}"#);
    assert_eq!(ok(authority, &["authority"])["authority"]["authorities"], 1);
    let page = running.client.get("/api/v1/cells?limit=5").json;
    assert_eq!(page["cells"].as_array().unwrap().len(), 5);
    assert_eq!((&page["total_available"], &page["authorities"]), (&json!(19), &json!(["root"])));
}

#[test]
fn the_journal_is_queried_folded_and_verified() {
    let running = Running::start();
    let id = running.quorum(&["ann", "bob"], 2);
    running.client.post(&format!("/api/v1/quorum/{id}/vote"), r#"{"voter_id":"ann","vote":true}"#);
    let page = ok(
        running.client.get("/api/v1/history?event=vote_cast&voter_id=ann"),
        &["events", "next_cursor", "more"],
    );
    assert_eq!(page["events"][0]["entity_id"], json!(id));
    let log = running.client.get(&format!("/api/v1/history/entity/{id}?limit=10")).json;
    assert_eq!((&log["revision"], &log["votes"][0]["voter_id"]), (&json!(2), &json!("ann")));
    let state = ok(running.client.get(&format!("/api/v1/history/state/{id}?seq=1")), &["status"]);
    assert_eq!(state["status"]["total_votes"], 0);
    let verified = ok(running.client.get("/api/v1/history/verify"), &["verified"])["verified"].clone();
    assert_eq!(verified["ok"], true);
}

#[test]
fn ids_are_percent_decoded_one_segment_at_a_time() {
    let running = Running::start();
    let ids = [
        ("123", "123"),
        ("a%2Fb", "a/b"),
        ("a/b?c#d".replace('/', "%2F").replace('?', "%3F").replace('#', "%23").leak(), "a/b?c#d"),
        ("%C3%A9t%C3%A9%20%F0%9F%90%9D", "été 🐝"),
        ("100%25", "100%"),
        ("%2541", "%41"),
        ("a+b", "a+b"),
        ("true", "true"),
        ("1e999", "1e999"),
        ("..%2F..", "../.."),
    ];
    for (encoded, id) in ids {
        let body = json!({ "quorum_type": "global", "quorum_id": id, "voters": ["é/ü"] }).to_string();
        ok(running.client.post("/api/v1/quorum/start", &body), &["quorum"]);
        let vote = json!({ "voter_id": "é/ü", "vote": true, "quorum_id": id }).to_string();
        let vote = ok(running.client.post(&format!("/api/v1/quorum/{encoded}/vote"), &vote), &["vote"]);
        assert_eq!(vote["vote"]["quorum_id"], id);
        let status = running.client.get(&format!("/api/v1/quorum/{encoded}/status"));
        assert_eq!(ok(status, &["status"])["status"]["valid_voters"], json!(["é/ü"]), "{id}");
    }
}

#[test]
fn literal_paths_win_over_ids() {
    let running = Running::start();
    ok(running.client.get("/api/v1/quorum/stats"), &["stats"]);
    ok(running.client.get("/api/v1/quorum/%73tats"), &["stats"]);
    let body = json!({ "quorum_type": "global", "quorum_id": "stats" }).to_string();
    let refused = running.client.post("/api/v1/quorum/start", &body);
    assert_eq!((refused.error(), refused.field()), ((422, "invalid_argument"), "quorum_id"));
    assert_eq!(running.client.get("/api/v1/quorum/start/status").error(), (404, "not_found"));
}

#[test]
fn query_fields_fill_a_post_and_any_content_type_is_json() {
    let running = Running::start();
    let path = "/api/v1/quorum/start?quorum_type=global&voters=ann,bob&required_votes=2&timeout_seconds=1.5";
    let quorum = ok(running.client.send("POST", path, &[], b""), &["quorum"])["quorum"].clone();
    assert_eq!((&quorum["voter_count"], &quorum["timeout"]), (&json!(2), &json!(1.5)));
    let id = quorum["quorum_id"].as_str().unwrap();
    let path = format!("/api/v1/quorum/{id}/vote?voter_id=ann&vote=true");
    let same = br#" {"voter_id":"ann", "vote":true} "#;
    let vote = running.client.send("POST", &path, &[("content-type", "text/plain")], same);
    assert_eq!(ok(vote, &["vote"])["vote"]["approve_votes"], 1);
}

#[test]
fn a_head_request_is_a_get_without_the_body() {
    let running = Running::start();
    let answer = running.client.send("HEAD", "/api/v1/quorum/stats", &[], b"");
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    assert!(answer.header("content-length").is_some_and(|length| length != "0"));
}
