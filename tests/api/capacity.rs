//! Capacity over HTTP: the six paths and what else there is, with fields in the query or in the body.

use serde_json::{Value, json};

use crate::client::{Answer, Running};

/// Checks the form of a success and gives what stands under its only key.
fn ok(answer: Answer, key: &str) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    let Value::Object(body) = &answer.json else { panic!("not an object: {answer:?}") };
    assert_eq!(body.keys().collect::<Vec<_>>(), ["success", key], "{answer:?}");
    assert_eq!(body["success"], true);
    body[key].clone()
}

/// Checks the form of a refusal that a reply tells, and gives that reply.
fn undone(answer: &Answer, code: &str) -> Value {
    let Value::Object(body) = &answer.json else { panic!("not an object: {answer:?}") };
    let form = ["success", "result", "detail", "code", "error"];
    assert_eq!(body.keys().collect::<Vec<_>>(), form, "{answer:?}");
    assert_eq!((&body["success"], &body["code"]), (&json!(false), &json!(code)));
    assert_eq!((&body["error"]["kind"], &body["error"]["message"]), (&body["code"], &body["detail"]));
    body["result"].clone()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap_or_else(|| panic!("not an object: {value}")).keys().map(String::as_str).collect()
}

/// Some fields of an object, in this order.
fn pick(value: &Value, names: &[&str]) -> Value {
    names.iter().map(|name| value[name].clone()).collect()
}

struct Door(Running);

impl Door {
    fn open() -> Self {
        Door(Running::start())
    }

    fn post(&self, path: &str, body: &Value) -> Answer {
        self.0.client.post(&format!("/api/v1/{path}"), &body.to_string())
    }

    /// A request without a body at all.
    fn bare(&self, path: &str) -> Answer {
        self.0.client.send("POST", &format!("/api/v1/{path}"), &[], b"")
    }

    fn get(&self, path: &str) -> Answer {
        self.0.client.get(&format!("/api/v1/{path}"))
    }

    fn request(&self, cell: &str, body: &Value) -> Value {
        ok(self.post(&format!("backpressure/{cell}/request"), body), "result")
    }

    /// `a` holds all it has and a token of `b`, whose name this gives.
    fn borrowed(&self, lease_seconds: f64) -> String {
        self.request("a", &json!({ "requested_capacity": 1, "lease_seconds": 0 }));
        let need = json!({ "requested_capacity": 0.4, "lease_seconds": lease_seconds });
        assert_eq!(self.request("a", &need)["status"], "pending");
        let path = "backpressure/offer?source_cell_id=b&destination_cell_id=a&capacity=0.4";
        let offered = ok(self.bare(path), "result");
        offered["token_id"].as_str().unwrap_or_else(|| panic!("{offered}")).to_owned()
    }
}

#[test]
fn a_request_is_granted_queued_or_refused_and_always_answered_with_200() {
    let door = Door::open();
    let granted = door.request("a", &json!({}));
    let parity = ["status", "cell_id", "token_id", "capacity", "source"];
    assert_eq!(keys(&granted)[..5], parity);
    assert_eq!(
        pick(&granted, &["status", "cell_id", "capacity", "source"]),
        json!(["granted", "a", 0.1, "self"])
    );
    let pending = door.request("a", &json!({ "requested_capacity": 1.0, "timeout_seconds": 30 }));
    let parity = ["status", "cell_id", "requested_capacity", "pending_requests"];
    assert_eq!(pick(&pending, &parity), json!(["pending", "a", 1.0, 1]));
    assert!(pending["need_id"].is_string() && pending["deadline"].is_string(), "{pending}");
    ok(door.post("backpressure/a/configure", &json!({ "max_pending": 1, "low_water": 0 })), "result");
    let overloaded = door.post("backpressure/a/request", &json!({}));
    assert_eq!(overloaded.status, 200);
    let overloaded = undone(&overloaded, "overloaded");
    assert_eq!(pick(&overloaded, &["status", "cell_id"]), json!(["overloaded", "a"]));
    assert!(overloaded["message"].as_str().unwrap().contains("again later"), "{overloaded}");
}

#[test]
fn a_refusal_does_not_read_as_success() {
    let door = Door::open();
    door.request("a", &json!({ "requested_capacity": 1, "need_id": "g" }));
    let wait = json!({ "requested_capacity": 1, "timeout_seconds": 0.01, "need_id": "n", "wait": true });
    assert_eq!(undone(&door.post("backpressure/a/request", &wait), "expired")["status"], "expired");
    for (need, status) in [("g", "granted"), ("n", "expired")] {
        let cancel = door.post("backpressure/a/cancel", &json!({ "need_id": need }));
        assert_eq!(undone(&cancel, "nothing_done")["status"], status);
    }
    door.request("a", &json!({ "requested_capacity": 1, "timeout_seconds": 60, "need_id": "c" }));
    let cancel = || door.post("backpressure/a/cancel", &json!({ "need_id": "c" }));
    let (first, mut second) = (ok(cancel(), "result"), ok(cancel(), "result"));
    assert_eq!((&first["duplicate"], second["duplicate"].take()), (&json!(false), json!(true)));
    second["duplicate"] = json!(false);
    assert_eq!(first, second);
    let again = json!({ "requested_capacity": 1, "timeout_seconds": 60, "need_id": "c" });
    assert_eq!(undone(&door.post("backpressure/a/request", &again), "cancelled")["status"], "cancelled");
    assert_eq!(undone(&door.bare("backpressure/z/release"), "nothing_done")["status"], "nothing_to_release");
}

#[test]
fn an_offer_takes_its_fields_from_the_query_or_from_the_body() {
    let door = Door::open();
    let path = "backpressure/offer";
    let query = format!("{path}?source_cell_id=b&destination_cell_id=a&capacity=0.25");
    assert_eq!(undone(&door.bare(&query), "nothing_done")["status"], "no_pending_need");
    door.request("a", &json!({ "requested_capacity": 1 }));
    door.request("a", &json!({ "requested_capacity": 0.5 }));
    let parity = ["status", "source", "destination", "capacity"];
    let offered = ok(door.bare(&query), "result");
    assert_eq!(keys(&offered)[..4], parity);
    assert_eq!(pick(&offered, &parity), json!(["offered", "b", "a", 0.25]));
    let body = json!({ "source_cell_id": "b", "destination_cell_id": "a", "capacity": 0.8 });
    let short = undone(&door.post(path, &body), "nothing_done");
    assert_eq!(short["status"], "insufficient_capacity");
    assert_eq!(pick(&short, &["available", "requested"]), json!([0.75, 0.8]));
    let body = json!({ "source_cell_id": "c", "destination_cell_id": "a", "capacity": 0.5 });
    let last = ok(door.post(path, &body), "result");
    assert!(last["token_id"].is_string(), "{last}");
    assert_eq!(last["used"], 0.25);
    // A tenth unless told otherwise.
    door.request("a", &json!({}));
    assert_eq!(
        ok(door.bare(&format!("{path}?source_cell_id=d&destination_cell_id=a")), "result")["capacity"],
        0.1
    );
    assert_eq!(door.bare(&format!("{path}?source_cell_id=d")).error(), (422, "invalid_argument"));
    let twice = json!({ "source_cell_id": "d", "destination_cell_id": "a" });
    assert_eq!(door.post(&format!("{path}?capacity=0.1&capacity=0.2"), &twice).error().0, 422);
}

#[test]
fn an_acknowledgement_tells_unknown_strange_expired_and_released_tokens_apart() {
    let door = Door::open();
    let token = door.borrowed(60.0);
    let ack = |token: &str, cell: &str| door.bare(&format!("backpressure/{token}/ack?cell_id={cell}"));
    assert_eq!(ack("no-such-token", "a").error(), (404, "token_not_found"));
    assert_eq!(ack(&token, "z").error(), (403, "not_token_owner"));
    assert_eq!(ack(&token, "b").error(), (403, "not_token_owner"));
    let acked = ok(ack(&token, "a"), "result");
    let parity = ["status", "token_id", "source", "destination", "capacity"];
    assert_eq!(keys(&acked)[..5], parity);
    assert_eq!(pick(&acked, &parity), json!(["acknowledged", token, "b", "a", 0.4]));
    assert_eq!(acked["duplicate"], false);
    let again = ok(door.post(&format!("backpressure/{token}/ack"), &json!({ "cell_id": "a" })), "result");
    assert_eq!(again["duplicate"], true);
    ok(door.bare(&format!("backpressure/a/release?token_id={token}")), "result");
    assert_eq!(ack(&token, "a").error(), (409, "token_released"));
    assert_eq!(door.bare(&format!("backpressure/{token}/ack")).error(), (422, "invalid_argument"));
    assert_eq!(door.bare(&format!("backpressure/{token}/ack?cell_id=")).field(), "cell_id");

    let door = Door::open();
    let token = door.borrowed(0.000001);
    std::thread::sleep(std::time::Duration::from_millis(1));
    assert_eq!(door.bare(&format!("backpressure/{token}/ack?cell_id=a")).error(), (410, "token_expired"));
}

#[test]
fn a_release_gives_back_what_is_out_and_says_how_much_that_was() {
    let door = Door::open();
    let token = door.borrowed(60.0);
    let release = |query: &str| door.bare(&format!("backpressure/a/release{query}"));
    let parity = ["status", "cell_id", "capacity", "total_capacity"];
    let first = ok(release(""), "result");
    assert_eq!(keys(&first), parity);
    assert_eq!(pick(&first, &parity), json!(["released", "a", 0.1, 0.1]));
    assert_eq!(pick(&ok(release("?capacity=0.9"), "result"), &parity), json!(["released", "a", 0.9, 1.0]));
    let whole = ok(door.post("backpressure/a/release", &json!({ "token_id": token })), "result");
    assert_eq!(pick(&whole, &parity), json!(["released", "a", 0.4, 1.0]));
    assert_eq!(release(&format!("?token_id={token}")).error(), (409, "token_released"));
    let nothing = undone(&release("?capacity=7"), "nothing_done");
    assert_eq!(pick(&nothing, &parity), json!(["nothing_to_release", "a", 0.0, 1.0]));
    let status = ok(door.get("backpressure/b/status"), "status");
    assert_eq!(pick(&status, &["state", "capacity"]), json!(["idle", 1.0]));
}

#[test]
fn a_status_is_never_missing_says_what_nobody_knows_and_makes_nothing() {
    let door = Door::open();
    let answer = door.get("backpressure/nobody/status");
    assert_eq!((answer.status, &answer.json["success"]), (200, &json!(false)));
    assert_eq!(
        (&answer.json["code"], &answer.json["error"]["given"]),
        (&json!("not_found"), &json!("nobody"))
    );
    let status = answer.json["status"].clone();
    assert_eq!(status["unknown"], true);
    let parity = ["cell_id", "state", "capacity", "pending_needs", "pending_offers", "active_tokens"];
    assert_eq!(keys(&status)[..6], parity);
    assert_eq!(pick(&status, &parity), json!(["nobody", "idle", 1.0, 0, 0, 0]));
    let stats = ok(door.get("backpressure/stats"), "stats");
    let parity = ["total_cells", "overloaded_cells", "total_tokens", "active_tokens", "avg_capacity"];
    assert_eq!(keys(&stats)[..5], parity);
    assert_eq!(pick(&stats, &parity), json!([0, 0, 0, 0, 0.0]));
    let token = door.borrowed(60.0);
    ok(door.bare(&format!("backpressure/{token}/ack?cell_id=a")), "result");
    let stats = ok(door.get("backpressure/stats"), "stats");
    assert_eq!(pick(&stats, &parity), json!([2, 0, 1, 2, 0.3]));
    let status = ok(door.get("backpressure/a/status"), "status");
    assert_eq!(pick(&status, &["state", "active_tokens", "unacked_tokens"]), json!(["ack", 2, 1]));
}

#[test]
fn bad_numbers_and_names_are_422_name_the_field_and_leave_no_trace() {
    let door = Door::open();
    for amount in [json!(0), json!(-1), json!(1e-9), json!(1.5), json!(1e300), json!("0.1"), json!([])] {
        let answer = door.post("backpressure/a/request", &json!({ "requested_capacity": amount }));
        assert_eq!(
            (answer.error(), answer.field()),
            ((422, "invalid_argument"), "requested_capacity"),
            "{amount}"
        );
    }
    for amount in ["0", "-1", "1e-9", "1.5", "1e300", "NaN", "inf", "x", ""] {
        let path = format!("backpressure/offer?source_cell_id=b&destination_cell_id=a&capacity={amount}");
        let answer = door.bare(&path);
        assert_eq!((answer.error(), answer.field()), ((422, "invalid_argument"), "capacity"), "{amount}");
    }
    for amount in ["0", "-1", "1e-9", "NaN", "inf", "x"] {
        let answer = door.bare(&format!("backpressure/a/release?capacity={amount}"));
        assert_eq!((answer.error(), answer.field()), ((422, "invalid_argument"), "capacity"), "{amount}");
    }
    for timeout in [json!(0), json!(-1), json!(1e9), json!("5")] {
        let answer = door.post("backpressure/a/request", &json!({ "timeout_seconds": timeout }));
        assert_eq!(
            (answer.error(), answer.field()),
            ((422, "invalid_argument"), "timeout_seconds"),
            "{timeout}"
        );
    }
    let same = door.bare("backpressure/offer?source_cell_id=a&destination_cell_id=a");
    assert_eq!((same.error().0, same.field()), (422, "destination_cell_id"));
    for path in ["backpressure/%20/request", "backpressure/%00/request"] {
        assert_eq!(door.bare(path).error().0, 422, "{path}");
    }
    assert_eq!(door.get("backpressure/%20/status").error().0, 422);
    assert_eq!(door.post("backpressure/a/request", &json!({ "capacity": 0.1 })).error().0, 422);
    assert_eq!(ok(door.get("backpressure/stats"), "stats")["total_cells"], 0);
    let release = door.bare("backpressure/a/release?capacity=1e300");
    assert_eq!((release.error(), release.field()), ((422, "invalid_argument"), "capacity"));
}

#[test]
fn a_cell_may_have_any_name_a_path_can_carry() {
    let door = Door::open();
    assert_eq!(door.request("north%2Fring%201%3F", &json!({}))["cell_id"], "north/ring 1?");
    assert_eq!(ok(door.get("backpressure/north%2Fring%201%3F/status"), "status")["capacity"], 0.9);
    // But not one that is a word of another path.
    for word in ["offer", "stats"] {
        let refused = door.post(&format!("backpressure/{word}/request"), &json!({}));
        assert_eq!(refused.error(), (422, "invalid_argument"), "{word}");
    }
    assert_eq!(ok(door.get("backpressure/stats"), "stats")["total_cells"], 1);
}

#[test]
fn a_token_is_renewed_handed_over_and_taken_away() {
    let door = Door::open();
    let token = door.borrowed(60.0);
    let act = |verb: &str, body: Value| door.post(&format!("backpressure/{token}/{verb}"), &body);
    assert_eq!(act("renew", json!({ "cell_id": "a" })).error(), (409, "not_renewable"));
    let over = json!({ "cell_id": "a", "destination_cell_id": "c" });
    assert_eq!(ok(act("transfer", over), "result")["destination"], "c");
    assert_eq!(act("ack", json!({ "cell_id": "a" })).error(), (403, "not_token_owner"));
    assert_eq!(ok(act("ack", json!({ "cell_id": "c" })), "result")["source"], "b");
    assert_eq!(ok(act("revoke", json!({})), "result")["status"], "revoked");
    assert_eq!(act("ack", json!({ "cell_id": "c" })).error(), (409, "token_revoked"));
    assert_eq!(ok(door.get("backpressure/b/status"), "status")["capacity"], 1.0);
}

#[test]
fn a_budget_is_set_and_shown() {
    let door = Door::open();
    let set = |limit: f64| door.post("budgets/ring%201/limits", &json!({ "limits": { "capacity": limit } }));
    assert_eq!(ok(set(0.5), "result"), json!({ "changed": true }));
    assert_eq!(ok(set(0.5), "result"), json!({ "changed": false }));
    let need = json!({ "requested_capacity": 0.4, "budgets": ["ring 1"] });
    assert_eq!(door.request("a", &need)["status"], "granted");
    assert_eq!(door.request("b", &need)["status"], "pending");
    let status = ok(door.get("budgets/ring%201/status"), "status");
    let used = json!({ "capacity": { "limit": 0.5, "used": 0.4, "waiting": 1 } });
    assert_eq!(status, json!({ "budget_id": "ring 1", "resources": used, "grants": 1, "reservations": 0 }));
    assert_eq!(set(0.3).error().1, "limit_exceeded");
    assert_eq!(set(-1.0).error(), (422, "invalid_argument"));
    assert_eq!(ok(set(1.0), "result"), json!({ "changed": true }));
    // Who waited is served behind the answer.
    let served = || ok(door.get("backpressure/b/status"), "status")["active_tokens"] == 1;
    let soon = (0..2_000).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        served()
    });
    assert!(soon, "a larger limit serves nobody");
}

#[test]
fn a_request_may_wait_for_its_grant() {
    let door = Door::open();
    door.request("a", &json!({ "requested_capacity": 1, "lease_seconds": 0 }));
    let client = door.0.client;
    let body = json!({ "requested_capacity": 0.4, "timeout_seconds": 600, "need_id": "n", "wait": true });
    let waiting = |body: Value| {
        std::thread::spawn(move || client.post("/api/v1/backpressure/a/request", &body.to_string()))
    };
    let asked = waiting(body.clone());
    door.0.until_in_flight(1);
    ok(door.bare("backpressure/a/release?capacity=0.5"), "result");
    let granted = ok(asked.join().unwrap(), "result");
    assert_eq!(
        pick(&granted, &["status", "need_id", "capacity", "source"]),
        json!(["granted", "n", 0.4, "self"])
    );
    // Another ends as it does, which is an answer too.
    let short = json!({ "requested_capacity": 0.4, "timeout_seconds": 0.05, "wait": true });
    let short = door.post("backpressure/a/request", &short);
    assert_eq!(undone(&short, "expired")["status"], "expired");
    let asked =
        waiting(json!({ "requested_capacity": 0.4, "timeout_seconds": 600, "need_id": "m", "wait": true }));
    door.0.until_in_flight(1);
    let cancelled = ok(door.post("backpressure/a/cancel", &json!({ "need_id": "m" })), "result");
    assert_eq!(pick(&cancelled, &["status", "cell_id", "need_id"]), json!(["cancelled", "a", "m"]));
    assert_eq!(undone(&asked.join().unwrap(), "cancelled"), cancelled);
    assert_eq!(door.bare("backpressure/a/cancel?need_id=unheard-of").error(), (404, "not_found"));
    assert_eq!(door.bare("backpressure/a/cancel").error(), (422, "invalid_argument"));
}

#[test]
fn a_client_that_hangs_up_stops_waiting_and_its_need_stands() {
    let door = Door::open();
    door.request("a", &json!({ "requested_capacity": 1, "lease_seconds": 0 }));
    let body = json!({ "requested_capacity": 0.4, "timeout_seconds": 600, "need_id": "n", "wait": true })
        .to_string();
    let mut stream = door.0.client.connect();
    let length = body.len();
    let request = format!(
        "POST /api/v1/backpressure/a/request HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    door.0.until_in_flight(1);
    drop(stream);
    door.0.until_in_flight(0);
    assert_eq!(ok(door.get("backpressure/a/status"), "status")["pending_needs"], 1);
    ok(door.bare("backpressure/a/release?capacity=1"), "result");
    let again = ok(door.post("backpressure/a/request", &serde_json::from_str(&body).unwrap()), "result");
    assert_eq!(again["status"], "granted");
}

#[test]
fn who_asks_for_it_is_answered_with_statuses_of_their_own() {
    let door = Door::open();
    ok(door.post("backpressure/a/configure", &json!({ "max_pending": 1, "low_water": 0 })), "result");
    let path = |codes: &str| format!("backpressure/a/request?requested_capacity=0.9{codes}");
    let ask = |codes: &str| door.bare(&path(codes));
    let granted = ask("&status_codes=true");
    assert_eq!((granted.status, &granted.json["result"]["status"]), (200, &json!("granted")));
    let pending = ask("&status_codes=true");
    assert_eq!((pending.status, &pending.json["result"]["status"]), (202, &json!("pending")));
    assert_eq!((pending.header("retry-after"), &pending.json["success"]), (None, &json!(true)));
    let overloaded = ask("&status_codes=true");
    assert_eq!((overloaded.status, &overloaded.json["result"]["status"]), (429, &json!("overloaded")));
    assert_eq!((overloaded.header("retry-after"), &overloaded.json["success"]), (Some("1"), &json!(false)));
    for without in ["", "&status_codes=false"] {
        let plain = ask(without);
        assert_eq!((plain.status, plain.header("retry-after")), (200, None));
        assert_eq!(plain.json, overloaded.json);
    }
    let bad = ask("&status_codes=yes");
    assert_eq!((bad.error(), bad.field()), ((422, "invalid_argument"), "status_codes"));
    let twice = ask("&status_codes=true&status_codes=true");
    assert_eq!((twice.error().0, twice.field()), (422, "status_codes"));
    // It is no field of the request, and other operations do not know it.
    let body = json!({ "requested_capacity": 0.9, "status_codes": true });
    assert_eq!(door.post("backpressure/a/request", &body).field(), "status_codes");
    let other = door.bare("backpressure/a/release?capacity=0.1&status_codes=true");
    assert_eq!((other.error(), other.field()), ((422, "invalid_argument"), "status_codes"));
}
