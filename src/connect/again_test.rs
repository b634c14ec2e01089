use std::sync::Mutex;

use super::*;
use crate::api::ops::OPERATIONS;

/// A way that answers as planned, and keeps what came.
struct Planned {
    answers: Mutex<Vec<Result<Value, Error>>>,
    came: Mutex<Vec<Map<String, Value>>>,
}

impl Planned {
    fn of(answers: impl IntoIterator<Item = Result<Value, Error>>) -> Self {
        let mut answers: Vec<_> = answers.into_iter().collect();
        answers.reverse();
        Planned { answers: Mutex::new(answers), came: Mutex::default() }
    }

    fn sent(&self) -> Vec<Map<String, Value>> {
        self.came.lock().unwrap().clone()
    }
}

impl Way for Planned {
    async fn once(&self, _: &'static Operation, fields: Map<String, Value>) -> Result<Value, Error> {
        self.came.lock().unwrap().push(fields);
        self.answers.lock().unwrap().pop().unwrap_or_else(never_heard)
    }
}

fn never_heard() -> Result<Value, Error> {
    Err(Error::new(ErrorKind::NoAnswer, "nobody is there").with(UNHEARD, true))
}

fn cut_off() -> Result<Value, Error> {
    Err(Error::new(ErrorKind::OutcomeUnknown, "no answer").with(CUT_OFF, true))
}

async fn call(way: &Planned, name: &str, fields: Value, met: bool) -> Result<Value, Error> {
    let fields = fields.as_object().unwrap().clone();
    carried_out(way, ops::find(name).unwrap(), fields, Duration::from_secs(60), met).await
}

const VOTE: &str = r#"{"quorum_id":"q","voter_id":"a","vote":true}"#;

fn vote() -> Value {
    serde_json::from_str(VOTE).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_nobody_heard_and_what_may_be_repeated_is_sent_again() {
    let way = Planned::of([never_heard(), cut_off(), Ok(json!(1))]);
    assert_eq!(call(&way, "quorum.vote", vote(), true).await, Ok(json!(1)));
    assert_eq!(way.sent().len(), 3);
    let way = Planned::of([never_heard(), Ok(json!(1))]);
    assert_eq!(call(&way, "agent.beat", json!({ "agent_id": "a" }), true).await, Ok(json!(1)));
}

#[tokio::test(start_paused = true)]
async fn what_might_be_done_twice_is_told_as_unknown() {
    let way = Planned::of([cut_off()]);
    let error = call(&way, "agent.beat", json!({ "agent_id": "a" }), true).await.unwrap_err();
    assert_eq!((error.kind(), way.sent().len()), (ErrorKind::OutcomeUnknown, 1));
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_done_is_never_told_as_unheard() {
    // From the second time on nobody hears it.
    let way = Planned::of([cut_off()]);
    let fields = vote().as_object().unwrap().clone();
    let op = ops::find("quorum.vote").unwrap();
    let error = carried_out(&way, op, fields, Duration::from_millis(50), true).await.unwrap_err();
    assert_eq!((error.kind(), way.sent().len() > 1), (ErrorKind::OutcomeUnknown, true));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_was_never_met_is_not_waited_for() {
    let way = Planned::of([never_heard()]);
    assert_eq!(call(&way, "quorum.vote", vote(), false).await.unwrap_err().kind(), ErrorKind::NoAnswer);
}

#[tokio::test(start_paused = true)]
async fn an_error_that_answers_a_repeat_says_so() {
    let refused = || Err(Error::new(ErrorKind::TokenReleased, "it is back"));
    let release = || json!({ "cell_id": "c", "token_id": "t" });
    let way = Planned::of([cut_off(), refused()]);
    let error = call(&way, "capacity.release", release(), true).await.unwrap_err();
    assert_eq!((error.kind(), error.detail(REPEATED)), (ErrorKind::TokenReleased, Some(&true.into())));
    let way = Planned::of([refused()]);
    assert_eq!(call(&way, "capacity.release", release(), true).await.unwrap_err().detail(REPEATED), None);
}

#[tokio::test(start_paused = true)]
async fn what_begins_something_goes_out_under_the_same_name_each_time() {
    for (name, key, fields) in [
        ("quorum.start", "idempotency_key", json!({ "quorum_type": "global" })),
        ("capacity.request", "need_id", json!({ "cell_id": "c" })),
        ("capacity.reserve", "token_id", json!({ "cell_id": "c", "amounts": {} })),
        ("capacity.release", "idempotency_key", json!({ "cell_id": "c", "capacity": 0.1 })),
    ] {
        let way = Planned::of([cut_off(), Ok(json!({}))]);
        call(&way, name, fields, true).await.unwrap();
        let sent = way.sent();
        assert!(sent[0][key].is_string() && sent[0] == sent[1], "{name}: {sent:?}");
    }
    // A name that was given stays, and a token needs none.
    let way = Planned::of([Ok(json!({}))]);
    call(&way, "quorum.start", json!({ "idempotency_key": "mine" }), true).await.unwrap();
    assert_eq!(way.sent()[0]["idempotency_key"], "mine");
    let way = Planned::of([Ok(json!({}))]);
    call(&way, "capacity.release", json!({ "cell_id": "c", "token_id": "t" }), true).await.unwrap();
    assert!(!way.sent()[0].contains_key("idempotency_key"));
}

#[tokio::test(start_paused = true)]
async fn a_question_is_put_once_and_its_decision_is_looked_for() {
    let open = json!({ "proposal_id": "p", "decision": null, "duplicate": false });
    let ended = json!({ "proposal_id": "p", "decision": true });
    let way = Planned::of([cut_off(), Ok(open.clone()), cut_off(), Ok(open), Ok(ended)]);
    let result = call(&way, "consensus.request", json!({ "proposal": 1 }), true).await.unwrap();
    assert_eq!((&result["decision"], &result["duplicate"]), (&json!(true), &json!(false)));
    let sent = way.sent();
    assert_eq!(sent[0], sent[1]);
    assert_eq!((&sent[0]["wait"], &sent[2]["wait_ms"]), (&json!(false), &json!(60_000)));
}

#[test]
fn every_operation_that_takes_a_key_is_given_one() {
    let takes = |op: &&Operation| op.fields().iter().any(|field| field.name == "idempotency_key");
    let names: Vec<&str> = OPERATIONS.iter().filter(takes).map(|op| op.name).collect();
    let mut keyed = KEYED.to_vec();
    keyed.sort_by_key(|name| OPERATIONS.iter().position(|op| op.name == *name));
    assert_eq!(names, keyed);
}
