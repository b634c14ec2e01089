//! Who may what: every operation, asked for with no credential, without its scope, in the name of another party, by one
//! who may only read, and by one who may.

use std::collections::BTreeSet;

use quorate::CreateIdentity;
use quorate_runtime::api::ops::{Acts, Method, OPERATIONS, Operation, find};
use serde_json::{Map, Value, json};

use crate::client::{Answer, Running};
use crate::rights::{RIGHTS, Right};

/// Makes an identity through the runtime itself, and gives its token.
pub fn token(running: &Running, name: &str, scopes: &[&str], acts_as: &[&str]) -> String {
    let create = CreateIdentity::new(name, scopes.iter().copied()).unwrap();
    let create = create.acting_as(acts_as.iter().copied());
    let made = running.runtime.block_on(running.q.identities().create(create)).unwrap();
    made.token.unwrap()
}

/// Asks for an operation over HTTP.
pub fn ask(running: &Running, op: &Operation, fields: &str, token: Option<&str>) -> Answer {
    let mut fields: Map<String, Value> = serde_json::from_str(fields).unwrap();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let part = |part: &str, fields: &mut Map<String, Value>| match part
        .strip_prefix('{')
        .and_then(|part| part.strip_suffix('}'))
    {
        Some(name) => text(&fields.remove(name).unwrap()),
        None => part.to_owned(),
    };
    let parts: Vec<String> = op.path.split('/').map(|p| part(p, &mut fields)).collect();
    let mut path = format!("/api/v1{}", parts.join("/"));
    let (method, body) = match op.method {
        Method::Get => {
            let query: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name}={}", text(value))).collect();
            path = format!("{path}?{}", query.join("&"));
            ("GET", String::new())
        }
        Method::Post => ("POST", Value::Object(fields).to_string()),
    };
    let header = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<(&str, &str)> = header.iter().map(|header| ("authorization", header.as_str())).collect();
    running.client.send(method, &path, &headers, body.as_bytes())
}

fn kind(answer: &Answer) -> String {
    // A reply that says that nothing was done is an answer.
    match answer.json["error"]["kind"].as_str() {
        Some(kind) if answer.json.as_object().unwrap().len() == 4 => kind.to_owned(),
        Some(_) | None => "ok".to_owned(),
    }
}

#[test]
fn every_operation_says_what_it_needs_as_it_is_written_here() {
    let written: BTreeSet<&str> = RIGHTS.iter().map(|right| right.operation).collect();
    let known: BTreeSet<&str> = OPERATIONS.iter().map(|op| op.name).collect();
    assert_eq!(written, known, "an operation without a line in tests/support/rights.rs");
    for right in RIGHTS {
        let op = find(right.operation).unwrap();
        assert_eq!(op.scope.name(), right.needs, "{}", right.operation);
        let acts: Vec<&str> = op.acts.iter().map(|acts| acts.field()).collect();
        let written: Vec<&str> = right.acts.iter().map(|(field, _)| *field).collect();
        assert_eq!(acts, written, "{}", right.operation);
        for (acts, (_, party)) in op.acts.iter().zip(right.acts) {
            let kind = acts.kind().map_or("any", |kind| kind.name());
            assert!(kind == "any" || party.starts_with(kind), "{}: {kind} {party}", right.operation);
        }
    }
}

/// The operations whose fields name somebody must say so: a field that looks like a party is a column, or it is one of
/// these, which name another.
#[test]
fn a_field_that_names_who_acts_is_a_column() {
    let of_others = [
        // What is asked about, not who asks.
        "history.query",
        "history.count",
        "quorum.start",
        "consensus.open",
        "pressure.status",
        "agent.health",
        "agent.history",
        "worker.status",
        "capacity.status",
        "quorum.list",
        "capacity.holders",
        "capacity.need",
        "job.list",
        "lease.list",
        "overview.inbox",
        // A datacenter is led by that manager, whoever tells of it.
        "datacenter.update",
        // The token is that of the job's gate, and is only compared.
        "route.job",
        "route.failure",
        "session.list",
        "voter.register",
        "voter.state",
        "voter.quarantine",
        "voter.release",
        // The signature of its key shows that the voter asks; without one an admin does.
        "voter.rotate",
    ];
    let names = [
        "voter_id",
        "agent_id",
        "worker_id",
        "holder_id",
        "cell_id",
        "leader_id",
        "source_cell_id",
        "authority_id",
        "by",
        "requester_id",
        "sender",
        "fence_token",
    ];
    for op in OPERATIONS.iter().filter(|op| !of_others.contains(&op.name)) {
        for field in op.fields().iter().filter(|field| names.contains(&field.name.as_str())) {
            let is_lease = matches!(op.name, "job.acquire" | "job.renew" | "job.release");
            // Who holds a lease is named there by itself, and the token is what is compared with it.
            // A workflow is dispatched to that worker, by somebody else. What only a leader does needs no token to say so.
            let is_target = op.name == "job.workflow" && field.name == "worker_id";
            let leads = op.acts.iter().any(|acts| matches!(acts, Acts::Leads(_)));
            if is_target || ((is_lease || leads) && field.name == "fence_token") {
                continue;
            }
            let column = op.acts.iter().any(|acts| acts.field() == field.name);
            assert!(column, "{} takes {}, and no column says that it names who acts", op.name, field.name);
        }
    }
}

fn not_authorized(answer: &Answer, missing: &str, what: &str, about: &str) {
    assert_eq!(answer.error(), (403, "not_authorized"), "{about}");
    let error = &answer.json["error"];
    assert_eq!(error["missing"], missing, "{about}: {error}");
    assert_eq!(error[missing], what, "{about}: {error}");
}

fn check(running: &Running, right: &Right, reader: &str, otherwise: &mut Vec<String>) {
    let op = find(right.operation).unwrap();
    let (noun, _) = right.operation.split_once('.').unwrap();
    let parties: Vec<&str> = right.acts.iter().map(|(_, party)| *party).collect();
    let asks = |token: Option<&str>| ask(running, op, right.request, token);
    let name = |who: &str| format!("{who} {}", right.operation);
    let least = if right.needs == "admin" { "admin" } else { right.operation };

    let nobody = asks(None);
    assert_eq!(nobody.error(), (401, "not_authenticated"), "{}", name("nobody"));
    assert_eq!(nobody.header("www-authenticate"), Some("Bearer realm=\"quorate\""));
    assert_eq!(asks(Some("quorate_00")).error(), (401, "not_authenticated"), "{}", name("forger"));

    // Every scope but the right one, and every party.
    let mut others: Vec<String> =
        OPERATIONS.iter().map(|op| op.name.to_owned()).filter(|other| other != right.operation).collect();
    if right.needs == "admin" {
        others.extend([right.operation.to_owned(), format!("{noun}.*")]);
    }
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    let wrong = token(running, &name("wrong"), &others, &["*"]);
    not_authorized(&asks(Some(&wrong)), "scope", least, &name("wrong"));

    let reads = asks(Some(reader));
    if right.needs == "read" {
        if kind(&reads) != right.answer {
            otherwise.push(format!("{}: {}", name("reader"), reads.text));
        }
    } else {
        not_authorized(&reads, "scope", least, &name("reader"));
    }

    let scope = if right.needs == "admin" { "admin" } else { right.operation };
    for (n, party) in parties.iter().enumerate() {
        // All parties that are needed but one, and others of its kind, and those of its name of other kinds.
        let (_, id) = party.split_once(':').unwrap();
        let is_any = op.acts[n].kind().is_none();
        let mut held: Vec<String> =
            parties.iter().filter(|other| *other != party).map(|p| (*p).to_owned()).collect();
        for other in ["voter", "agent", "worker", "holder", "cell"] {
            held.push(format!("{other}:{id}2"));
            if !is_any && !party.starts_with(other) {
                held.push(format!("{other}:{id}"));
            }
        }
        let held: Vec<&str> = held.iter().map(String::as_str).collect();
        let other = token(running, &format!("other {n} {}", right.operation), &[scope], &held);
        let missing = if is_any { id } else { *party };
        not_authorized(&asks(Some(&other)), "party", missing, &name("other"));
    }

    let allowed = token(running, &name("right"), &[scope], &parties);
    let answer = asks(Some(&allowed));
    if kind(&answer) != right.answer {
        otherwise.push(format!("{}: {}", name("right"), answer.text));
    }
}

#[test]
fn each_operation_is_served_to_whoever_may_and_to_nobody_else() {
    let running = Running::start();
    token(&running, "root", &["admin"], &[]);
    let reader = token(&running, "reader", &["read"], &["*"]);
    let mut otherwise = Vec::new();
    for right in RIGHTS {
        check(&running, right, &reader, &mut otherwise);
    }
    assert!(otherwise.is_empty(), "answered otherwise than is written down:\n{}", otherwise.join("\n"));
}

#[test]
fn without_identities_everything_is_as_open_as_ever() {
    let running = Running::start();
    for right in RIGHTS.iter().filter(|right| right.needs != "admin") {
        let op = find(right.operation).unwrap();
        for token in [None, Some("quorate_00"), Some("nonsense")] {
            let answer = ask(&running, op, right.request, token);
            let open = kind(&answer);
            assert!(!open.starts_with("not_auth"), "{}: {open}", right.operation);
        }
    }
    let first = ask(&running, find("identity.create").unwrap(), r#"{"name":"a","scopes":["read"]}"#, None);
    assert_eq!((first.error(), first.field()), ((422, "invalid_argument"), "scopes"));
    let first = ask(&running, find("identity.create").unwrap(), r#"{"name":"a","scopes":["admin"]}"#, None);
    let token = first.json["identity"]["token"].as_str().unwrap();
    assert!(token.starts_with("quorate_") && token.len() == 8 + 64, "{token}");
    // From here on nobody is served unknown.
    let stats = find("quorum.stats").unwrap();
    assert_eq!(ask(&running, stats, "{}", None).error(), (401, "not_authenticated"));
    assert_eq!(ask(&running, stats, "{}", Some(token)).status, 200);
}

#[test]
fn pages_that_say_nothing_of_what_is_recorded_stay_open() {
    let running = Running::start();
    token(&running, "root", &["admin"], &[]);
    let reader = token(&running, "reader", &["read"], &[]);
    let voter = token(&running, "voter", &["quorum.vote"], &["*"]);
    let get = |path: &str, token: Option<&str>| {
        let header = token.map(|token| format!("bearer {token}"));
        let headers: Vec<(&str, &str)> = header.iter().map(|h| ("authorization", h.as_str())).collect();
        running.client.send("GET", path, &headers, b"").status
    };
    assert_eq!((get("/healthz", None), get("/openapi.json", None)), (200, 200));
    assert_eq!((get("/healthz", Some("nonsense")), get("/nowhere", None)), (200, 404));
    for path in ["/metrics", "/api/v1/history"] {
        assert_eq!(
            (get(path, None), get(path, Some(&voter)), get(path, Some(&reader))),
            (401, 403, 200),
            "{path}"
        );
    }
    assert_eq!((get("/api/v1/events", None), get("/api/v1/events", Some(&voter))), (401, 403));
    for header in ["Basic YTpi", "Bearer", &format!("Bearer {reader} x"), &format!("Token {reader}")] {
        let refused = running.client.send("GET", "/metrics", &[("authorization", header)], b"");
        assert_eq!(refused.error(), (401, "not_authenticated"), "{header}");
    }
    let bearer = format!("Bearer {reader}");
    let twice = [("authorization", bearer.as_str()), ("authorization", bearer.as_str())];
    assert_eq!(running.client.send("GET", "/metrics", &twice, b"").error(), (401, "not_authenticated"));
}

#[test]
fn who_is_not_known_is_answered_before_the_body_is_read() {
    let running = Running::start();
    token(&running, "root", &["admin"], &[]);
    // The body never comes.
    let head = "POST /api/v1/quorum/start HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n";
    assert_eq!(running.client.raw(head.as_bytes()).error(), (401, "not_authenticated"));
}

#[test]
fn an_attempt_in_the_name_of_another_is_on_record_and_history_shows_who_did_what() {
    let running = Running::start();
    let root = token(&running, "root", &["admin"], &[]);
    let ann = token(&running, "ann", &["quorum.vote", "consensus.vote"], &["voter:ann", "agent:ann"]);
    let op = |name: &str| find(name).unwrap();
    let start = r#"{"quorum_type":"global","quorum_id":"q","voters":["ann","bob"]}"#;
    assert_eq!(ask(&running, op("quorum.start"), start, Some(&root)).status, 200);
    let vote = |voter: &str| json!({ "quorum_id": "q", "voter_id": voter, "vote": true }).to_string();
    assert_eq!(ask(&running, op("quorum.vote"), &vote("ann"), Some(&ann)).status, 200);
    let refused = ask(&running, op("quorum.vote"), &vote("bob"), Some(&ann));
    not_authorized(&refused, "party", "voter:bob", "ann for bob");
    assert!(refused.json["error"]["message"].as_str().unwrap().contains("on record"), "{refused:?}");
    // Who lacks the scope leaves no trace: nobody fills the journal with what he may not even ask for.
    let reader = token(&running, "reader", &["read"], &[]);
    not_authorized(
        &ask(&running, op("quorum.vote"), &vote("bob"), Some(&reader)),
        "scope",
        "quorum.vote",
        "reader",
    );

    let query = |fields: &str| {
        let page = ask(&running, op("history.query"), fields, Some(&reader)).json;
        let line = |e: &Value| {
            let identity = e["identity"].as_str().unwrap_or("-").to_owned();
            (
                format!(
                    "{}/{} {}",
                    e["kind"].as_str().unwrap(),
                    e["entity_id"].as_str().unwrap(),
                    e["event"].as_str().unwrap()
                ),
                identity,
            )
        };
        page["events"].as_array().unwrap().iter().map(line).collect::<Vec<_>>()
    };
    let lines = |lines: &[(&str, &str)]| {
        lines.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(query(r#"{"identity":"root"}"#), lines(&[("quorum/q opened", "root")]));
    let of_ann = [("quorum/q vote_cast", "ann"), ("identity/ann refused", "ann")];
    assert_eq!(query(r#"{"identity":"ann"}"#), lines(&of_ann));
    assert_eq!(query(r#"{"party_id":"bob","event":"refused"}"#), lines(&of_ann[1..]));
    let page = ask(&running, op("history.query"), r#"{"event":"refused"}"#, Some(&reader)).json;
    let data = &page["events"][0]["data"];
    assert_eq!(
        (&data["operation"], &data["entity_id"], &data["missing"], &data["reason"]),
        (&json!("quorum.vote"), &json!("q"), &json!("voter:bob"), &json!("not_authorized"))
    );
    // No hash of a token is shown anywhere.
    let issued = ask(&running, op("history.query"), r#"{"event":"token_issued"}"#, Some(&reader)).json;
    assert!(issued["events"].as_array().unwrap().iter().all(|e| e["data"]["hash"] == "hidden"), "{issued}");
}

#[test]
fn what_is_revoked_ends_at_once_and_so_do_its_waits_and_streams() {
    let running = Running::start();
    let root = token(&running, "root", &["admin"], &[]);
    let waiter = token(&running, "waiter", &["quorum.*"], &[]);
    let follower = token(&running, "follower", &["read"], &[]);
    let op = |name: &str| find(name).unwrap();
    let start = r#"{"quorum_type":"global","quorum_id":"q","voters":["ann","bob"]}"#;
    assert_eq!(ask(&running, op("quorum.start"), start, Some(&waiter)).status, 200);
    let (client, bearer) = (running.client, format!("Bearer {waiter}"));
    let waiting = std::thread::spawn(move || {
        let path = "/api/v1/quorum/q/wait?timeout_ms=300000";
        client.send("GET", path, &[("authorization", bearer.as_str())], b"")
    });
    let bearer = format!("Bearer {follower}");
    let following = std::thread::spawn(move || {
        client.send("GET", "/api/v1/events", &[("authorization", bearer.as_str())], b"")
    });
    running.until_in_flight(1);
    let revoke = |name: &str| {
        let done = ask(&running, op("identity.revoke"), &json!({ "name": name }).to_string(), Some(&root));
        assert_eq!(done.status, 200, "{done:?}");
    };
    revoke("waiter");
    assert_eq!(waiting.join().unwrap().error(), (401, "not_authenticated"));
    let mut tries = 0;
    while running.runtime.block_on(async { running.q.health() }).in_flight > 0 && tries < 1_000 {
        tries += 1;
        std::thread::yield_now();
    }
    revoke("follower");
    let told = following.join().unwrap().text;
    assert!(told.contains("event: failure") && told.contains("not_authenticated"), "{told}");
    let again = ask(&running, op("quorum.status"), r#"{"quorum_id":"q"}"#, Some(&waiter));
    assert_eq!(again.error(), (401, "not_authenticated"));
    // A reader may no longer read once its scope is taken away.
    let reader = token(&running, "reader", &["read"], &[]);
    let grant = r#"{"name":"reader","scopes":["quorum.vote"]}"#;
    assert_eq!(ask(&running, op("identity.grant"), grant, Some(&root)).status, 200);
    not_authorized(
        &ask(&running, op("quorum.stats"), "{}", Some(&reader)),
        "scope",
        "quorum.stats",
        "reader",
    );
}

#[test]
fn a_token_is_of_use_and_shown_to_the_party_that_holds_it_alone() {
    let running = Running::start();
    token(&running, "root", &["admin"], &[]);
    let scopes = ["job.*", "capacity.*", "read"];
    let ann = token(&running, "ann", &scopes, &["holder:h", "cell:a"]);
    let bob = token(&running, "bob", &scopes, &["holder:g", "cell:b"]);
    let ask_as = |who: &str, name: &str, fields: &str| ask(&running, find(name).unwrap(), fields, Some(who));
    let job = ask_as(&ann, "job.submit", r#"{"job_id":"j","leader_id":"h"}"#);
    assert_eq!(job.json["job"]["fence_token"], 1, "{job:?}");
    // The number is easy to guess, and of no use.
    for (name, fields) in [
        ("job.complete", r#"{"job_id":"j","fence_token":1}"#),
        ("job.complete", r#"{"job_id":"j"}"#),
        ("job.progress", r#"{"job_id":"j","fence_token":1}"#),
        ("job.transfer", r#"{"job_id":"j","new_leader_id":"g"}"#),
        ("job.cancel", r#"{"job_id":"j","requester_id":"bob","fence_token":1}"#),
    ] {
        not_authorized(&ask_as(&bob, name, fields), "party", "holder:h", name);
    }
    let granted = ask_as(&ann, "capacity.request", r#"{"cell_id":"a","requested_capacity":0.5}"#);
    let held = granted.json["result"]["token_id"].as_str().unwrap().to_owned();
    let release = |cell: &str| json!({ "cell_id": cell, "token_id": held }).to_string();
    not_authorized(&ask_as(&bob, "capacity.release", &release("a")), "party", "cell:a", "bob for a");

    let of_job = |who: &str| {
        let status = ask_as(who, "job.status", r#"{"job_id":"j"}"#).json["status"]["datacenters"][0].clone();
        let line = ask_as(who, "job.list", "{}").json["jobs"][0].clone();
        let why = ask_as(who, "job.why", r#"{"job_id":"j"}"#).text;
        let again = ask_as(who, "job.submit", r#"{"job_id":"j"}"#);
        let numbers = [&status["fence_token"], &status["timeout_fence_token"], &line["fence_token"]];
        (
            numbers.map(|n| n.as_u64().unwrap()),
            why.contains("token 1"),
            again.json["job"]["fence_token"].clone(),
        )
    };
    assert_eq!(of_job(&ann), ([1, 1, 1], true, json!(1)));
    let (numbers, why, _) = of_job(&bob);
    assert_eq!((numbers, why), ([0, 0, 0], false));

    for (kind, shown) in [("cell", held.as_str()), ("job", "\"token\"")] {
        let query = json!({ "kind": kind }).to_string();
        let page = |who: &str| ask_as(who, "history.query", &query);
        assert!(page(&ann).text.contains(shown), "{kind}");
        let others = page(&bob);
        assert!(!others.text.contains(shown) && others.text.contains("\"ann\""), "{kind}: {others:?}");
        for event in others.json["events"].as_array().unwrap() {
            let prove = json!({ "position": event["position"] }).to_string();
            assert!(!ask_as(&bob, "history.prove", &prove).text.contains(shown), "{kind}");
        }
    }
    let entity = |who: &str| ask_as(who, "history.entity", r#"{"kind":"cell","entity_id":"a"}"#).text;
    assert!(entity(&ann).contains(&held) && !entity(&bob).contains(&held));
    // A token that was come by elsewhere is of no use either.
    assert_eq!(ask_as(&bob, "capacity.release", &release("b")).error(), (403, "not_token_owner"));
}
