//! The page for people: how its files are sent, and what its view says to whom.

use quorate::Config;
use quorate_http::Options;
use serde_json::{Value, json};

use crate::client::{Answer, Running};

const FILES: [&str; 6] =
    ["/", "/page/main.js", "/page/style.css", "/page/icon.svg", "/page/vote.js", "/page/entity.js"];

fn post(running: &Running, path: &str, body: Value) -> Answer {
    let answer = running.client.post(&format!("/api/v1/{path}"), &body.to_string());
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer
}

fn view(running: &Running, query: &str) -> Value {
    let answer = running.client.get(&format!("/page/view{query}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json["view"].clone()
}

#[test]
fn the_page_is_sent_with_a_policy_that_lets_nothing_else_in() {
    let running = Running::start();
    for path in FILES {
        let answer = running.client.get(path);
        assert_eq!(answer.status, 200, "{path}");
        let policy = answer.header("content-security-policy").unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ] {
            assert!(policy.split("; ").any(|given| given == part), "{path}: {part} is not in {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    assert!(running.client.get("/").header("content-type").unwrap().starts_with("text/html"));
    assert!(
        running.client.get("/page/main.js").header("content-type").unwrap().starts_with("text/javascript")
    );
}

#[test]
fn a_browser_that_has_a_file_is_told_that_it_is_the_same() {
    let running = Running::start();
    for path in FILES {
        let answer = running.client.get(path);
        let tag = answer.header("etag").unwrap();
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
        assert_eq!(answer.header("vary"), Some("accept-encoding"));
        for held in [tag.to_owned(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
            let again = running.client.send("GET", path, &[("if-none-match", &held)], b"");
            assert_eq!((again.status, again.text.as_str()), (304, ""), "{path} {held}");
            assert_eq!(again.header("etag"), Some(tag));
            assert!(again.header("content-security-policy").is_some());
        }
        let other = running.client.send("GET", path, &[("if-none-match", "\"other\"")], b"");
        assert_eq!(other.status, 200);
        // The compressed form is another form, under another tag.
        let gzip = [("accept-encoding", "gzip"), ("if-none-match", tag)];
        let head = running.client.send("HEAD", path, &gzip, b"");
        assert_eq!((head.status, head.header("content-encoding")), (200, Some("gzip")), "{path}");
        assert_ne!(head.header("etag"), Some(tag));
    }
}

#[test]
fn a_head_tells_what_a_get_would() {
    let running = Running::start();
    let get = running.client.get("/");
    let head = running.client.send("HEAD", "/", &[], b"");
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    for name in ["content-length", "content-type", "etag", "content-security-policy"] {
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
    let view = running.client.send("HEAD", "/page/view", &[("accept-encoding", "gzip")], b"");
    assert_eq!((view.status, view.header("content-encoding")), (200, Some("gzip")));
    assert_eq!(view.header("cache-control"), Some("no-store"));
}

#[test]
fn only_reading_and_only_what_is_there() {
    let running = Running::start();
    for path in ["/", "/page/main.js", "/page/view"] {
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let answer = running.client.send(method, path, &[], b"");
            assert_eq!(answer.error(), (405, "unknown_operation"), "{method} {path}");
            assert_eq!(answer.header("allow"), Some("GET, HEAD"));
        }
    }
    for path in [
        "/page",
        "/page/",
        "/page/x.js",
        "/page/../main.js",
        "/page/%2e%2e/mod.rs",
        "/index.html",
        "//",
        "/page/main.js/",
    ] {
        assert_eq!(running.client.get(path).error(), (404, "unknown_operation"), "{path}");
    }
}

#[test]
fn a_link_of_elsewhere_leads_to_the_page_and_to_nothing_else() {
    let running = Running::start();
    let visit =
        [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    assert_eq!(running.client.send("GET", "/", &visit, b"").status, 200);
    let framed =
        [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
    let fetched =
        [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "script")];
    for headers in [framed, fetched] {
        assert_eq!(running.client.send("GET", "/", &headers, b"").error(), (403, "foreign_origin"));
    }
    for path in ["/page/main.js", "/page/view", "/api/v1/quorum/stats", "/metrics"] {
        assert_eq!(running.client.send("GET", path, &visit, b"").error(), (403, "foreign_origin"), "{path}");
    }
    let posted = [visit[0], visit[1], visit[2], ("origin", "https://evil.example")];
    assert_eq!(running.client.send("POST", "/", &posted, b"").error(), (403, "foreign_origin"));
}

#[test]
fn the_view_is_what_the_operations_say() {
    let running = Running::start();
    for agent in ["ann", "bob"] {
        post(&running, "agent/register", json!({ "agent_id": agent }));
    }
    post(&running, "consensus/request", json!({ "proposal": "which", "proposal_id": "p", "wait": false }));
    post(&running, "jobs/submit", json!({ "job_id": "j", "timeout_seconds": 60 }));
    let whole = view(&running, "");
    assert_eq!(whole["asks_who_calls"], false);
    assert_eq!((&whole["identity"], &whole["voter"]), (&Value::Null, &Value::Null));
    let listed = running.client.get("/api/v1/history?limit=1000").json;
    assert_eq!(whole["position"], listed["events"].as_array().unwrap().len());
    let parts = &whole["parts"];
    assert_eq!(parts["proposals"]["reply"]["proposals"][0]["proposal_id"], "p");
    let line = &parts["jobs"]["reply"]["jobs"][0];
    assert_eq!(line["job_id"], "j");
    assert_eq!(line["status_reply"]["datacenters"][0]["job_id"], "j");
    assert_eq!(parts["agents"]["reply"]["total_available"], 2);
    assert_eq!(parts.get("waiting_proposals"), None, "nobody said who votes");

    let waiting = |voter: &str| {
        let view = view(&running, &format!("?parts=waiting_proposals&voter={voter}"));
        assert_eq!(view["parts"].as_object().unwrap().len(), 1);
        view["parts"]["waiting_proposals"]["reply"]["awaiting"].clone()
    };
    assert_eq!(waiting("ann"), 1);
    assert_eq!(waiting("zoe"), 0);
    post(&running, "consensus/p/vote", json!({ "agent_id": "ann", "vote": "for" }));
    assert_eq!(waiting("ann"), 0);
    assert_eq!(waiting("bob"), 1);
}

#[test]
fn the_view_has_pages_and_says_what_it_does_not_know() {
    let running = Running::start();
    post(&running, "agent/register", json!({ "agent_id": "ann" }));
    for n in 0..60 {
        let id = format!("p{n:02}");
        post(
            &running,
            "consensus/request",
            json!({ "proposal": "x".repeat(5_000), "proposal_id": id, "wait": false }),
        );
    }
    let answer = running.client.get("/page/view?parts=proposals&voter=ann");
    assert!(answer.text.len() < 100_000, "{} bytes", answer.text.len());
    let first = &answer.json["view"]["parts"]["proposals"]["reply"];
    assert_eq!((first["proposals"].as_array().unwrap().len(), &first["more"]), (50, &json!(true)));
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = view(&running, &format!("?parts=proposals&after.proposals={cursor}"));
    assert_eq!(rest["parts"]["proposals"]["reply"]["proposals"].as_array().unwrap().len(), 10);
    let lost = view(&running, "?parts=proposals&after.proposals=nobody");
    assert_eq!(lost["parts"]["proposals"]["error"]["kind"], "invalid_argument");
    for (query, field) in [
        ("?parts=proposals,nonsense", "parts"),
        ("?parts=", "parts"),
        ("?limit=3", "limit"),
        ("?after.nonsense=1", "after.nonsense"),
        ("?parts=jobs&parts=jobs", "parts"),
        ("?voter=%FF", "voter"),
    ] {
        let answer = running.client.get(&format!("/page/view{query}"));
        assert_eq!((answer.error(), answer.field()), ((422, "invalid_argument"), field), "{query}");
    }
}

#[test]
fn with_identities_the_files_are_open_and_the_view_asks_who_calls() {
    let running = Running::with(Config::memory(), Options::default());
    let created = post(&running, "identities/create", json!({ "name": "root", "scopes": ["admin"] }));
    let root = format!("Bearer {}", created.json["identity"]["token"].as_str().unwrap());
    for path in FILES {
        assert_eq!(running.client.get(path).status, 200, "{path}");
    }
    let refused = running.client.get("/page/view");
    assert_eq!(refused.error(), (401, "not_authenticated"));
    assert!(refused.header("www-authenticate").is_some());
    let as_root = |path: &str, body: Value| {
        let headers = [("authorization", root.as_str()), ("content-type", "application/json")];
        running.client.send("POST", path, &headers, body.to_string().as_bytes())
    };
    let make = |name: &str, scopes: Value| {
        let body = json!({ "name": name, "scopes": scopes, "acts_as": ["cell:c", "voter:v*", "agent:ann", "voter:bob"] });
        let made = as_root("/api/v1/identities/create", body);
        format!("Bearer {}", made.json["identity"]["token"].as_str().unwrap())
    };
    let reader = make("reader", json!(["read"]));
    let answer = running.client.send("GET", "/page/view", &[("authorization", &reader)], b"");
    let view = &answer.json["view"];
    assert_eq!((&view["identity"]["name"], &view["voter"]), (&json!("reader"), &json!("bob")));
    assert_eq!(view["asks_who_calls"], true);
    assert!(view["parts"]["proposals"]["reply"].is_object());
    assert!(view["parts"]["waiting_proposals"]["reply"].is_object());
    // Whoever may not read is told so, part by part, and nothing else.
    let voter = make("voter", json!(["quorum.vote"]));
    let answer = running.client.send("GET", "/page/view", &[("authorization", &voter)], b"");
    let view = &answer.json["view"];
    assert_eq!((answer.status, &view["position"]), (200, &Value::Null));
    for (name, part) in view["parts"].as_object().unwrap() {
        assert_eq!(part["error"]["kind"], "not_authorized", "{name}");
    }
}
