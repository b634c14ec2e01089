//! Rates over HTTP: a refusal says when to come again, in the reply and in a header.

use quorate::{ClockConfig, Config, Timestamp};
use quorate_http::Options;
use serde_json::{Value, json};

use crate::client::{Answer, Running};

/// A budget `acme` of six tokens a minute, on a clock that stands still.
fn running() -> Running {
    let config = Config { clock: ClockConfig::Manual(Timestamp::EPOCH), ..Config::memory() };
    let running = Running::with(config, Options::default());
    let rates = json!({ "rates": { "tokens": { "amount": 6, "per_seconds": 60 } } });
    let answer = post(&running, "budgets/acme/limits", &rates);
    assert_eq!((answer.status, &answer.json["result"]), (200, &json!({ "changed": true })), "{answer:?}");
    running
}

fn post(running: &Running, path: &str, body: &Value) -> Answer {
    running.client.post(&format!("/api/v1/{path}"), &body.to_string())
}

fn reserve(running: &Running, tokens: u64, more: &str) -> Answer {
    let body = json!({ "amounts": { "tokens": tokens }, "budgets": ["acme"] });
    post(running, &format!("backpressure/ann/reserve{more}"), &body)
}

#[test]
fn a_refusal_says_when_the_refill_suffices_in_the_reply_and_in_whole_seconds_in_the_header() {
    let running = running();
    let granted = reserve(&running, 5, "?status_codes=true");
    assert_eq!((granted.status, &granted.json["success"]), (200, &json!(true)), "{granted:?}");
    assert_eq!(granted.header("retry-after"), None);
    running.runtime.block_on(running.q.advance(std::time::Duration::from_millis(500))).unwrap();
    for (more, status) in [("", 200), ("?status_codes=true", 429)] {
        let refused = reserve(&running, 2, more);
        assert_eq!((refused.status, refused.header("retry-after")), (status, Some("10")), "{refused:?}");
        let (result, error) = (&refused.json["result"], &refused.json["error"]);
        assert_eq!((&result["status"], &result["retry_after_ms"]), (&json!("exhausted"), &json!(9_500)));
        assert_eq!((&error["kind"], &error["retry_after_ms"]), (&json!("rate_limited"), &json!(9_500)));
        let short = json!([{
            "budget_id": "acme", "rate": "tokens", "asked": 2, "level": 1, "burst": 6, "retry_after_ms": 9_500,
        }]);
        assert_eq!(result["short"], short);
    }
}

#[test]
fn what_is_never_there_is_another_word_and_has_no_time() {
    let running = running();
    let refused = reserve(&running, 7, "?status_codes=true");
    assert_eq!((refused.status, refused.header("retry-after")), (422, None), "{refused:?}");
    assert_eq!(
        (&refused.json["code"], &refused.json["result"]["status"]),
        (&json!("limit_exceeded"), &json!("never"))
    );
    assert_eq!(refused.json["result"]["retry_after_ms"], Value::Null);
}

#[test]
fn a_reservation_is_settled_once_and_gives_the_rest_back() {
    let running = running();
    let granted = reserve(&running, 6, "");
    let token = granted.json["result"]["token_id"].as_str().unwrap();
    let settle = |cell: &str, tokens: u64| {
        let body = json!({ "cell_id": cell, "actual": { "tokens": tokens } });
        post(&running, &format!("backpressure/{token}/settle"), &body)
    };
    assert_eq!(settle("bob", 2).error(), (403, "not_token_owner"));
    let settled = settle("ann", 2);
    let change = json!([{
        "budget_id": "acme", "rate": "tokens", "given_back": 4, "debited": 0, "uncovered": 0,
    }]);
    assert_eq!((&settled.json["result"]["changes"], settled.status), (&change, 200), "{settled:?}");
    assert_eq!(settle("ann", 2).json["result"]["duplicate"], true);
    assert_eq!(settle("ann", 3).error(), (409, "token_released"));
    assert_eq!(reserve(&running, 4, "").json["result"]["status"], "granted");
}
