//! Proposals and algorithms over HTTP: long waits, hang-ups, and errors.

use std::io::Write;
use std::time::Duration;

use quorate::{Config, ErrorKind};
use quorate_core::kernel::ids::EntityId;
use quorate_http::Options;
use quorate_runtime::api::dto::ConsensusRef;
use serde_json::{Value, json};

use crate::client::{Answer, Running};

const REQUEST: &str = "/api/v1/consensus/request";

fn ok(answer: &Answer, key: &str) -> Value {
    assert_eq!((answer.status, &answer.json["success"]), (200, &json!(true)), "{answer:?}");
    answer.json[key].clone()
}

fn with_agents(names: &[&str]) -> Running {
    let running = Running::start();
    for name in names {
        let body = json!({ "agent_id": name }).to_string();
        ok(&running.client.post("/api/v1/agent/register", &body), "agent");
    }
    running
}

impl Running {
    fn put(&self, id: &str, more: Value) -> Answer {
        let mut body = json!({ "proposal": { "id": id }, "proposal_id": id, "wait": false });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.client.post(REQUEST, &body.to_string())
    }

    fn answer(&self, id: &str, agent: &str, vote: &str) -> Value {
        let body = json!({ "agent_id": agent, "vote": vote }).to_string();
        ok(&self.client.post(&format!("/api/v1/consensus/{id}/vote"), &body), "vote")
    }

    fn refused(&self, id: &str, agent: &str, vote: &str) -> Answer {
        let body = json!({ "agent_id": agent, "vote": vote, "reason": "too soon" }).to_string();
        self.client.post(&format!("/api/v1/consensus/{id}/vote"), &body)
    }

    /// Waits until the proposal is there.
    fn until_open(&self, id: &str) {
        for _ in 0..2_000 {
            if self.client.get(&format!("/api/v1/consensus/{id}/result")).status == 200 {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("{id} never opened");
    }
}

#[test]
fn a_request_that_waits_is_answered_by_votes_on_other_connections() {
    let running = with_agents(&["ann", "bob", "cyd"]);
    let client = running.client;
    let asked = std::thread::spawn(move || {
        client.post(REQUEST, r#"{"proposal":{"deploy":7},"proposal_id":"p","timeout_ms":300000}"#)
    });
    running.until_open("p");
    running.until_in_flight(1);
    assert_eq!(running.answer("p", "ann", "for")["outcome"], "recorded");
    assert_eq!(running.answer("p", "ann", "for")["duplicate"], true);
    let change = running.refused("p", "ann", "against");
    assert_eq!(change.error(), (409, "already_voted"));
    assert_eq!(
        (&change.json["error"]["held"], &change.json["error"]["given"]),
        (&json!("for"), &json!("against"))
    );
    assert_eq!(running.refused("p", "zoe", "for").error(), (403, "not_eligible"));
    let last = running.answer("p", "bob", "for");
    assert_eq!((&last["recorded"], &last["state"]), (&json!(true), &json!("approved")));
    let end = ok(&asked.join().unwrap(), "result");
    assert_eq!((&end["decision"], &end["votes_for"]), (&json!("approved"), &json!(2)));
    assert_eq!((&end["participants"], &end["algorithm_used"]), (&json!(["ann", "bob"]), &json!("quorum")));
    assert_eq!(end["metadata"]["total_participants"], 3);
}

#[test]
fn who_does_not_wait_is_told_that_it_is_open_and_may_wait_for_the_result_later() {
    let running = with_agents(&["ann"]);
    let opened = ok(&running.put("p", json!({})), "result");
    assert_eq!((&opened["state"], &opened["decision"]), (&json!("open"), &Value::Null));
    let short = running.client.get("/api/v1/consensus/p/result?wait_ms=10");
    assert_eq!(ok(&short, "result")["state"], "open");
    let client = running.client;
    let waiting = std::thread::spawn(move || client.get("/api/v1/consensus/p/result?wait_ms=60000"));
    running.until_in_flight(1);
    assert_eq!(running.answer("p", "ann", "against")["state"], "rejected");
    assert_eq!(ok(&waiting.join().unwrap(), "result")["decision"], "rejected");
    let late = running.refused("p", "ann", "for");
    assert_eq!((late.error(), &late.json["error"]["state"]), ((409, "proposal_closed"), &json!("rejected")));
    assert_eq!(late.json["success"], false);
    let history = running.client.get("/api/v1/consensus/history").json;
    assert_eq!((&history["total"], &history["history"][0]["proposal_id"]), (&json!(1), &json!("p")));
    let stats = ok(&running.client.get("/api/v1/consensus/stats"), "stats");
    assert_eq!((&stats["rejected"], &stats["late_votes"]), (&json!(1), &json!(1)));
}

#[test]
fn a_question_that_cannot_be_put_is_told_as_not_done_and_as_no_no() {
    let running = Running::start();
    let asked = running.put("p", json!({}));
    assert_eq!(
        (asked.status, &asked.json["success"], &asked.json["code"]),
        (200, &json!(false), &json!("aborted"))
    );
    assert_eq!(asked.json["error"]["reason"], "no_agents");
    let result = &asked.json["result"];
    assert_eq!((&result["state"], &result["decision"]), (&json!("aborted"), &json!("aborted")));
    // To look at it is done all the same.
    let looked = ok(&running.client.get("/api/v1/consensus/p/result"), "result");
    assert_eq!(
        (&looked["decision"], &looked["metadata"]["reason"]),
        (&json!("aborted"), &json!("no_agents"))
    );
    let found = running.client.get("/api/v1/history?outcome=aborted").json;
    assert_eq!(found["events"][0]["entity_id"], "p");
}

#[test]
fn the_reason_of_a_late_vote_is_in_the_history() {
    let running = with_agents(&["ann", "bob"]);
    running.put("p", json!({ "algorithm": "quorum" }));
    let vote = |body: Value| running.client.post("/api/v1/consensus/p/vote", &body.to_string());
    let cast = vote(json!({ "agent_id": "ann", "vote": "against", "reason": "not on a Friday" }));
    assert_eq!(ok(&cast, "vote")["state"], "rejected");
    let late =
        json!({ "agent_id": "bob", "vote": "for", "reason": "it is due", "metadata": { "ticket": 7 } });
    assert_eq!(vote(late).error(), (409, "proposal_closed"));
    let result = ok(&running.client.get("/api/v1/consensus/p/result"), "result");
    assert_eq!(result["votes"]["ann"]["reason"], "not on a Friday");
    let log = running.client.get("/api/v1/history/entity/p").json;
    let ballots = &log["ballots"];
    assert_eq!(
        (&ballots[0]["voter_reason"], &ballots[0]["reason"]),
        (&json!("not on a Friday"), &Value::Null)
    );
    assert_eq!((&ballots[1]["voter_reason"], &ballots[1]["reason"]), (&json!("it is due"), &json!("late")));
    assert_eq!(ballots[1]["metadata"], json!({ "ticket": 7 }));
    // Votes have one name, with a reason or without.
    let refused = running.client.get("/api/v1/history?event=vote_refused&voter_id=bob").json;
    assert_eq!(refused["events"][0]["data"]["reason"], "it is due");
}

#[test]
fn a_client_that_hangs_up_leaves_the_proposal_open_and_its_place_free() {
    let running = with_agents(&["ann"]);
    let body = r#"{"proposal":1,"proposal_id":"p","timeout_ms":300000}"#;
    let head = format!(
        "POST {REQUEST} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = running.client.connect();
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    running.until_open("p");
    running.until_in_flight(1);
    drop(stream);
    running.until_in_flight(0);
    let open = running.client.get("/api/v1/consensus/open?agent_id=ann").json;
    assert_eq!(open["proposals"][0]["proposal_id"], "p");
    assert_eq!(running.answer("p", "ann", "for")["state"], "approved");
}

#[test]
fn errors_have_their_statuses_and_reserved_ids_are_paths() {
    let running = with_agents(&["ann"]);
    assert_eq!(running.put("p", json!({ "algorithm": "nobody" })).error(), (422, "unknown_algorithm"));
    for id in ["request", "history", "stats", "open"] {
        let refused = running.put(id, json!({}));
        assert_eq!((refused.error(), refused.field()), ((422, "invalid_argument"), "proposal_id"));
    }
    for (more, field) in [
        (json!({ "timeout_ms": 99 }), "timeout_ms"),
        (json!({ "proposal": null }), "proposal"),
        (json!({ "participants": ["zoe"] }), "participants"),
        (json!({ "nonsense": 1 }), "nonsense"),
    ] {
        let refused = running.put("p", more);
        assert_eq!((refused.error(), refused.field()), ((422, "invalid_argument"), field));
    }
    assert_eq!(running.client.post(REQUEST, "{}").field(), "proposal");
    assert_eq!(running.client.get("/api/v1/consensus/p/result").error(), (404, "not_found"));
    assert_eq!(running.refused("p", "ann", "for").error(), (404, "not_found"));
    assert_eq!(running.put("p", json!({})).status, 200);
    assert_eq!(running.put("p", json!({})).error(), (409, "already_exists"));
    let vote = |body: &str| running.client.post("/api/v1/consensus/p/vote", body);
    for (body, field) in [
        (r#"{"agent_id":"ann"}"#, "vote"),
        (r#"{"agent_id":"ann","vote":"maybe"}"#, "vote"),
        (r#"{"agent_id":"ann","vote":"for","weight":-1}"#, "weight"),
        (r#"{"agent_id":"ann","vote":"for","weight":"1"}"#, "weight"),
        (r#"{"agent_id":"ann","vote":"for","weight":1e999}"#, "weight"),
        (r#"{"agent_id":"","vote":"for"}"#, "agent_id"),
        (r#"{"agent_id":"ann","vote":"for","reason":" "}"#, "reason"),
    ] {
        assert_eq!((vote(body).error(), vote(body).field()), ((422, "invalid_argument"), field), "{body}");
    }
    for wait in ["-1", "300001", "soon"] {
        let refused = running.client.get(&format!("/api/v1/consensus/p/result?wait_ms={wait}"));
        assert_eq!((refused.error(), refused.field()), ((422, "invalid_argument"), "wait_ms"), "{wait}");
    }
    assert_eq!(ok(&running.client.get("/api/v1/consensus/stats"), "stats")["votes"], 0);
}

#[test]
fn a_request_repeated_under_one_key_opens_one_proposal() {
    let running = with_agents(&["ann"]);
    let body = br#"{"proposal":1,"wait":false}"#;
    let ask = || ok(&running.client.send("POST", REQUEST, &[("Idempotency-Key", "k")], body), "result");
    assert_eq!(ask()["proposal_id"], ask()["proposal_id"]);
    assert_eq!(ok(&running.client.get("/api/v1/consensus/stats"), "stats")["active_proposals"], 1);
}

#[test]
fn algorithms_are_registered_chosen_and_taken_away_over_http() {
    let running = with_agents(&["ann", "bob"]);
    let post = |path: &str, body: Value| {
        running.client.post(&format!("/api/v1/algorithms/{path}"), &body.to_string())
    };
    let rule = json!({ "name": "all of/us", "rule": "unanimous" });
    assert_eq!(ok(&post("register", rule.clone()), "algorithm")["registered"], true);
    assert_eq!(ok(&post("register", rule), "algorithm")["registered"], false);
    let bad = post("register", json!({ "name": "bad", "rule": "threshold", "params": { "threshold": 2 } }));
    assert_eq!((bad.error(), bad.field()), ((422, "invalid_argument"), "threshold"));
    let both = post("register", json!({ "name": "bad", "rule": "threshold:0.5", "params": {} }));
    assert_eq!((both.error(), both.field()), ((422, "invalid_argument"), "params"));
    assert_eq!(ok(&post("all%20of%2Fus/default", json!({})), "algorithm")["set"], true);
    assert_eq!(ok(&running.put("p", json!({})), "result")["algorithm_used"], "all of/us");
    assert_eq!(running.answer("p", "ann", "abstain")["state"], "rejected");
    let list = running.client.get("/api/v1/algorithms").json;
    assert_eq!((&list["default"], &list["algorithms"][1]["default"]), (&json!("all of/us"), &json!(true)));
    let gone = ok(&post("all%20of%2Fus/unregister", json!({})), "algorithm");
    assert_eq!((&gone["unregistered"], &gone["default"]), (&json!(true), &json!("quorum")));
    for (path, done, code) in
        [("unregister", "unregistered", "not_found"), ("default", "set", "unknown_algorithm")]
    {
        let undone = post(&format!("nobody/{path}"), json!({})).json;
        assert_eq!((&undone["success"], &undone["code"]), (&json!(false), &json!(code)));
        assert_eq!((&undone["algorithm"][done], &undone["error"]["kind"]), (&json!(false), &json!(code)));
    }
}

#[test]
fn who_waits_hears_at_once_when_the_store_refuses_for_good() {
    let failing = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let switch = failing.clone();
    let store =
        crate::hooked::Hooked::new(
            quorate_journal::stores::memory::MemoryStore::new(),
            move |_| match switch.load(std::sync::atomic::Ordering::SeqCst) {
                true => Err(quorate_journal::Fault::Unavailable { reason: "disk on fire".into() }),
                false => Ok(()),
            },
        );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let q =
        runtime.block_on(quorate::Quorate::open_with(Config::memory(), std::sync::Arc::new(store))).unwrap();
    let running = Running::over(q, runtime, Options::default());
    running.client.post("/api/v1/agent/register", r#"{"agent_id":"ann"}"#);
    running.client.post("/api/v1/agent/register", r#"{"agent_id":"bob"}"#);
    running.put("p", json!({}));
    // Nothing else is on its way when the store begins to refuse.
    let log = "/api/v1/history/entity/p?kind=proposal";
    let is_told = |log: &str| running.client.get(log).json["events"].to_string().contains("broadcast");
    while !is_told(log) {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let client = running.client;
    // The client's own patience is shorter than the wait it asks for.
    let waiting = std::thread::spawn(move || client.get("/api/v1/consensus/p/result?wait_ms=300000"));
    running.until_in_flight(1);
    failing.store(true, std::sync::atomic::Ordering::SeqCst);
    let lost = running.client.post("/api/v1/consensus/p/vote", r#"{"agent_id":"ann","vote":"for"}"#);
    assert_eq!(lost.error(), (503, "outcome_unknown"));
    assert_eq!(waiting.join().unwrap().error(), (503, "store_error"));
    let reference = ConsensusRef { proposal_id: EntityId::new("p").unwrap(), wait_ms: None };
    let refused = running.runtime.block_on(running.q.consensus().result(reference)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::StoreError);
}

#[test]
fn answers_places_and_reminders_are_told_over_http_as_everywhere() {
    let running = with_agents(&["ann", "bob", "cyd"]);
    let named = json!({ "name": "unanimous", "rule": "unanimous" }).to_string();
    ok(&running.client.post("/api/v1/algorithms/register", &named), "algorithm");
    let schema =
        json!({ "properties": { "amount": { "type": "integer", "maximum": 10 } }, "required": ["amount"] });
    let more = json!({ "participants": ["ann", "bob"], "algorithm": "unanimous", "timeout_ms": 300_000 });
    let with = |schema: &Value| {
        let mut more = more.clone();
        more["answer_schema"] = schema.clone();
        more
    };
    let refused = running.put("p", with(&json!({ "type": "string", "pattern": "a" })));
    assert_eq!((refused.status, &refused.json["error"]["field"]), (422, &json!("answer_schema.pattern")));
    let opened = ok(&running.put("p", with(&schema)), "result");
    assert_eq!(opened["answer_schema"]["properties"]["amount"], json!({ "type": "integer", "maximum": 10 }));
    let vote = |agent: &str, value: Value| {
        let body = json!({ "agent_id": agent, "vote": "for", "value": value }).to_string();
        running.client.post("/api/v1/consensus/p/vote", &body)
    };
    let refused = vote("ann", json!({ "amount": 11 }));
    let error = &refused.json["error"];
    assert_eq!((refused.status, &error["field"], &error["value"]), (422, &json!("value.amount"), &json!(11)));
    ok(&vote("ann", json!({ "amount": 5 })), "vote");
    let changed = vote("ann", json!({ "amount": 6 }));
    let error = &changed.json["error"];
    assert_eq!((changed.status, &error["kind"]), (409, &json!("already_voted")));
    assert_eq!(
        (&error["held_value"], &error["given_value"]),
        (&json!({ "amount": 5 }), &json!({ "amount": 6 }))
    );
    let hand = |to: &str| {
        let body = json!({ "from": "bob", "to": to, "reason": "away" }).to_string();
        running.client.post("/api/v1/consensus/p/delegate", &body)
    };
    assert_eq!(hand("ann").status, 422);
    assert_eq!(ok(&hand("cyd"), "result")["outstanding"], json!(["cyd"]));
    let refused = vote("bob", json!({ "amount": 5 }));
    let error = &refused.json["error"];
    assert_eq!((refused.status, &error["kind"], &error["to"]), (409, &json!("delegated"), &json!("cyd")));
    let remind = || running.client.post("/api/v1/consensus/p/remind", "{}");
    assert_eq!(ok(&remind(), "reminded")["reminded"], json!({ "cyd": 1 }));
    let refused = remind();
    assert_eq!((refused.status, &refused.json["error"]["kind"]), (429, &json!("rate_limited")));
    assert!(refused.json["error"]["retry_after_ms"].as_u64().unwrap() > 0);
    ok(&vote("cyd", json!({ "amount": 5 })), "vote");
    let result = ok(&running.client.get("/api/v1/consensus/p/result"), "result");
    assert_eq!((&result["answer"], &result["decision"]), (&json!({ "amount": 5 }), &json!("approved")));
    assert_eq!(result["values"], json!({ "ann": { "amount": 5 }, "cyd": { "amount": 5 } }));
}
