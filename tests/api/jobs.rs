//! Jobs, gates and workers over HTTP.

use quorate::Config;
use quorate_core::kernel::ids::EntityId;
use quorate_http::Options;
use serde_json::{Value, json};

use crate::client::{Answer, Running};

fn ok(answer: &Answer, key: &str) -> Value {
    assert_eq!((answer.status, &answer.json["success"]), (200, &json!(true)), "{answer:?}");
    answer.json[key].clone()
}

#[test]
fn a_job_lives_its_whole_life_over_http() {
    let running = Running::start();
    let post = |path: &str, body: Value| running.client.post(&format!("/api/v1/{path}"), &body.to_string());
    let get = |path: &str| running.client.get(&format!("/api/v1/{path}"));

    let submitted = ok(
        &post(
            "jobs/submit",
            json!({ "job_id": "a b", "timeout_seconds": 600, "workflows": [{ "workflow_id": "w" }] }),
        ),
        "job",
    );
    assert_eq!((&submitted["status"], &submitted["fence_token"]), (&json!("submitted"), &json!(1)));
    assert_eq!(submitted["target_datacenters"], json!(["local"]));
    ok(&post("workers/register", json!({ "worker_id": "w1" })), "worker");
    ok(
        &post("jobs/a%20b/workflow", json!({ "workflow_id": "w", "to": "dispatched", "worker_id": "w1" })),
        "job",
    );
    let more = ok(&post("jobs/extend", json!({ "worker_id": "w1", "current_progress": 0.5 })), "extension");
    assert_eq!((&more["granted"], &more["extension_seconds"]), (&json!(true), &json!(15.0)));
    assert_eq!(more["job_ids"], json!(["a b"]));
    let noted = ok(&post("jobs/a%20b/progress", json!({ "fence_token": 1 })), "job");
    assert_eq!(noted["changed"], json!(true));

    let led = ok(&post("jobs/a%20b/transfer", json!({ "new_leader_id": "m2", "fence_token": 1 })), "job");
    assert_eq!((&led["leader_id"], &led["fence_token"]), (&json!("m2"), &json!(2)));
    let lease = ok(&post("jobs/a%20b/acquire", json!({ "holder_id": "m2", "incarnation": 4 })), "job");
    let held = json!({ "holder_id": "m2", "incarnation": 4, "fence_token": lease["fence_token"] });
    assert!(ok(&post("jobs/a%20b/renew", held.clone()), "job")["lease_expires_at"].is_string());
    assert_eq!(ok(&post("jobs/a%20b/release", held), "job")["changed"], json!(true));

    let taken = ok(&post("workers/w1/take", json!({})), "taken");
    let work = &taken["work"][0];
    assert_eq!((&work["workflow_id"], &work["fence_token"]), (&json!("w"), &lease["fence_token"]), "{taken}");
    // What it took runs, as soon as its leader hears of it.
    let mut status = ok(&get("jobs/a%20b/status"), "status");
    for _ in 0..2_000 {
        if status["status"] == "running" {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
        status = ok(&get("jobs/a%20b/status"), "status");
    }
    let here = &status["datacenters"][0];
    assert_eq!((&status["status"], &here["leader_id"]), (&json!("running"), &json!("m2")));
    assert_eq!(here["effective_timeout_seconds"], json!(615.0));
    assert_eq!(here["workflows"], json!({ "w": "running" }));
    let report = json!({ "job_id": "a b", "workflow_id": "w", "outcome": "completed", "result": "42" });
    ok(&post("workers/w1/report", report), "worker");
    for _ in 0..2_000 {
        if get("jobs/stats").json["stats"]["tracked_jobs"] == 0 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(ok(&get("jobs/a%20b/status"), "status")["status"], json!("completed"));
    let why = ok(&get("jobs/a%20b/why"), "why");
    let sentences = why["chain"].as_array().unwrap();
    assert!(sentences.iter().all(|link| link["seq"].is_u64() && link["sentence"].is_string()));
    assert!(sentences.last().unwrap()["sentence"].as_str().unwrap().starts_with("ended as completed"));

    let ended = get("jobs?state=ended").json;
    assert_eq!((&ended["live"], &ended["jobs"][0]["job_id"]), (&json!(0), &json!("a b")));
    assert_eq!(ok(&get("jobs/stats"), "stats")["ended"], json!({ "completed": 1 }));
    assert_eq!(get("jobs/estimate/etl").error(), (404, "not_found"));
    let late = post("jobs/a%20b/cancel", json!({}));
    assert_eq!(
        (late.status, &late.json["success"], &late.json["code"]),
        (200, &json!(false), &json!("job_ended"))
    );
    assert_eq!(late.json["error"]["status"], "completed");
    let cancelled = &late.json["job"];
    assert_eq!((&cancelled["success"], &cancelled["already_completed"]), (&json!(false), &json!(true)));
}

#[test]
fn every_refusal_about_a_job_has_its_status_and_kind() {
    let mut config = Config::memory();
    config.jobs.datacenters = [EntityId::new("east").unwrap()].into_iter().collect();
    let running = Running::with(config, Options::default());
    let post = |path: &str, body: Value| running.client.post(&format!("/api/v1/{path}"), &body.to_string());
    let get = |path: &str| running.client.get(&format!("/api/v1/{path}"));
    ok(&post("jobs/submit", json!({ "job_id": "j", "workflows": [{ "workflow_id": "w" }] })), "job");
    ok(&post("jobs/j/transfer", json!({ "new_leader_id": "m2" })), "job");
    ok(&post("jobs/j/acquire", json!({ "holder_id": "m2" })), "job");
    ok(&post("jobs/submit", json!({ "job_id": "over" })), "job");
    ok(&post("jobs/over/complete", json!({})), "job");

    let (old, made_up) = (json!({ "fence_token": 1 }), json!({ "fence_token": 99 }));
    let cases: Vec<(Answer, (u16, &str))> = vec![
        (get("jobs/nobody/status"), (404, "not_found")),
        (get("jobs/nobody/why"), (404, "not_found")),
        (get("gates/nobody/status"), (404, "not_found")),
        (get("workers/nobody/status"), (404, "not_found")),
        (post("jobs/nobody/cancel", json!({})), (404, "not_found")),
        (post("jobs/submit", json!({ "job_id": "j", "timeout_seconds": 9 })), (409, "already_exists")),
        (post("jobs/over/progress", json!({})), (409, "job_ended")),
        (post("jobs/over/complete", json!({ "status": "failed" })), (409, "job_ended")),
        (
            post("jobs/j/workflow", json!({ "workflow_id": "w", "to": "completed", "fence_token": 3 })),
            (409, "illegal_transition"),
        ),
        (post("jobs/j/complete", json!({})), (412, "token_missing")),
        (post("jobs/j/acquire", json!({ "holder_id": "m3" })), (409, "lease_held")),
        (post("jobs/j/progress", old), (412, "stale_token")),
        (post("jobs/j/progress", made_up), (412, "unknown_token")),
        (post("jobs/submit", json!({ "timeout_seconds": 0 })), (422, "invalid_argument")),
        (post("jobs/submit", json!({ "timeout_seconds": 1e300 })), (422, "invalid_argument")),
        (post("jobs/submit", json!({ "colour": "red" })), (422, "invalid_argument")),
        (post("jobs/submit", json!({ "target_datacenters": ["moon"] })), (422, "unknown_datacenter")),
        (get("jobs?state=dead"), (422, "invalid_argument")),
        (running.client.post("/api/v1/jobs/submit", "{\"timeout_seconds\":"), (400, "malformed_request")),
    ];
    for (answer, expected) in &cases {
        assert_eq!(answer.error(), *expected, "{answer:?}");
    }
    let stale = post("jobs/j/progress", json!({ "fence_token": 1 })).json;
    assert_eq!((&stale["error"]["held"], &stale["error"]["given"]), (&json!(3), &json!(1)));
}

#[test]
fn a_job_in_several_datacenters_is_seen_at_its_gate() {
    let running = Running::start();
    let post = |path: &str, body: Value| running.client.post(&format!("/api/v1/{path}"), &body.to_string());
    let get = |path: &str| running.client.get(&format!("/api/v1/{path}"));
    let submitted =
        ok(&post("jobs/submit", json!({ "job_id": "g", "target_datacenters": ["east", "west"] })), "job");
    assert_eq!(
        (&submitted["strategy_type"], &submitted["gate_epoch"]),
        (&json!("gate_coordinated"), &json!(1))
    );
    let moved = ok(&post("gates/g/transfer", json!({ "new_gate_id": "gate-2" })), "status");
    assert_eq!((&moved["gate_epoch"], &moved["gate"]["node"]), (&json!(2), &json!("gate-2")));
    assert_eq!(ok(&get("gates/g/status"), "status")["datacenters"].as_array().unwrap().len(), 2);
    assert_eq!(post("jobs/g/progress", json!({})).error(), (422, "invalid_argument"));
    assert_eq!(post("jobs/g/progress", json!({})).field(), "datacenter");
}

#[test]
fn who_waits_for_a_job_is_answered_when_it_ends_here_or_everywhere() {
    let running = Running::start();
    let client = running.client;
    let post = |path: &str, body: Value| client.post(&format!("/api/v1/{path}"), &body.to_string());
    ok(&post("jobs/submit", json!({ "job_id": "one" })), "job");
    ok(&post("jobs/submit", json!({ "job_id": "wide", "target_datacenters": ["east", "west"] })), "job");
    let looked = client.get("/api/v1/jobs/one/wait?timeout_ms=0");
    assert_eq!(ok(&looked, "status")["status"], "submitted", "a look waits for nothing");
    std::thread::scope(|scope| {
        let wait = |query: &'static str| {
            scope.spawn(move || ok(&client.get(&format!("/api/v1/jobs/{query}timeout_ms=60000")), "status"))
        };
        let waits = [wait("one/wait?"), wait("wide/wait?datacenter=east&"), wait("wide/wait?")];
        running.until_in_flight(3);
        ok(&post("jobs/one/complete", json!({ "status": "failed" })), "job");
        ok(&post("jobs/wide/complete", json!({ "datacenter": "east" })), "job");
        running.until_in_flight(1);
        ok(&post("jobs/wide/complete", json!({ "datacenter": "west" })), "job");
        let ended = waits.map(|wait| wait.join().unwrap()["status"].clone());
        assert_eq!(ended, [json!("failed"), json!("completed"), json!("completed")]);
    });
    assert_eq!(client.get("/api/v1/jobs/none/wait").error(), (404, "not_found"));
    let bad = client.get("/api/v1/jobs/one/wait?timeout_ms=300001");
    assert_eq!((bad.error(), bad.field()), ((422, "invalid_argument"), "timeout_ms"));
}

#[test]
fn a_request_id_that_is_used_again_for_another_question_is_a_conflict() {
    let running = Running::start();
    let post = |path: &str, body: Value| running.client.post(&format!("/api/v1/{path}"), &body.to_string());
    ok(&post("jobs/submit", json!({ "job_id": "j" })), "job");
    let ask = |progress: f64| {
        let body =
            json!({ "job_id": "j", "worker_id": "w", "request_id": "r", "current_progress": progress });
        post("jobs/extend", body)
    };
    let first = ok(&ask(0.5), "extension");
    assert_eq!((&first["granted"], first.get("duplicate")), (&json!(true), None));
    let again = ok(&ask(0.5), "extension");
    let same = |view: &Value| (view["granted"].clone(), view["extension_seconds"].clone());
    assert_eq!((same(&again), &again["duplicate"]), (same(&first), &json!(true)));
    let other = ask(0.9);
    assert_eq!((other.error(), other.field()), ((409, "key_reused"), "request_id"));
    let error = &other.json["error"];
    assert_eq!(
        (&error["differs"], &error["first"], &error["given"]),
        (&json!("current_progress"), &json!("0.5"), &json!("0.9"))
    );
}
