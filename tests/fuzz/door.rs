//! Requests.

use actix_web::body::to_bytes;
use actix_web::http::{Method, Uri};
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, web};
use proptest::prelude::*;
use quorate::{ErrorKind, Quorate};
use quorate_http::{Door, Options};
use quorate_runtime::api::ops::{self, OPERATIONS};
use serde_json::{Map, Number, Value};

use super::corpus::{call, still};
use super::{Edit, cases, edit, edits, panics};

/// Texts that have broken somebody's parser.
const TEXTS: [&str; 22] = [
    "",
    "a",
    "q-1",
    "mesh",
    "local",
    "global",
    "quorum",
    "threshold:1/2",
    "at_least:2/0",
    "weighted:",
    "\u{0}",
    "\u{202e}x",
    "e\u{301}",
    "../../etc",
    "%2e%2e/%00",
    "1e999",
    "-0",
    "NaN",
    "18446744073709551616",
    "0001-01-01T00:00:00Z",
    "{\"rule\":\"not\"}",
    "窓",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::sample::select(&TEXTS[..]).prop_map(str::to_owned),
        2 => "\\PC{0,12}",
        1 => (250..300usize).prop_map(|n| "x".repeat(n)),
        1 => any::<String>(),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop::sample::select(&[0i64, 1, 2, -1, i64::MIN, i64::MAX, 1 << 53, 86_400][..])
            .prop_map(Value::from),
        Just(Value::from(u64::MAX)),
        prop::sample::select(&[0.0, -0.0, 0.5, 1e-300, 1e300, -1.5, 9_007_199_254_740_993.0][..])
            .prop_map(|n| Number::from_f64(n).map_or(Value::Null, Value::Number)),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((text(), inner), 0..4).prop_map(|all| all.into_iter().collect()),
        ]
    })
}

/// Which operation, values for fields of it by number, and a field it does not have.
type Request = (usize, Vec<(usize, Value)>, Option<(String, Value)>);

/// An operation, and fields of which most are its own.
fn request() -> impl Strategy<Value = Request> {
    let fields = prop::collection::vec((any::<usize>(), value()), 0..6);
    (0..OPERATIONS.len(), fields, prop::option::weighted(0.1, (text(), value())))
}

fn fields_of(op: usize, given: Vec<(usize, Value)>, foreign: Option<(String, Value)>) -> Map<String, Value> {
    let known = OPERATIONS[op].fields();
    let mut fields = Map::new();
    for (at, value) in given {
        if !known.is_empty() {
            let field = &known[at % known.len()];
            // Half of the words it takes are taken as they are.
            let word = field.choices.get(at % (2 * field.choices.len()).max(1));
            fields.insert(field.name.clone(), word.map_or(value, |word| word.as_str().into()));
        }
    }
    fields.extend(foreign);
    fields
}

/// Errors that say that something of ours broke.
fn is_ours(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::StoreCorrupt | ErrorKind::StoreError | ErrorKind::OutcomeUnknown | ErrorKind::Fenced
    )
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(cases(60, 20))]

    #[test]
    fn operations_of_any_fields_are_answered(
        requests in prop::collection::vec(request(), 1..30),
    ) {
        let before = panics();
        let ours = block_on(async {
            let q = Quorate::open(still()).await.unwrap();
            let mut ours = Vec::new();
            for (op, given, foreign) in requests {
                let fields = fields_of(op, given, foreign);
                let name = OPERATIONS[op].name;
                // Waits for a clock that stands are cut short by the caller; none is asked for here.
                if let Err(kind) = call(&q, name, fields.clone()).await
                    && is_ours(kind)
                {
                    ours.push(format!("{name} {fields:?}: {kind:?}"));
                }
            }
            q.close().await.unwrap();
            ours
        });
        prop_assert!(ours.is_empty(), "{:?}", ours);
        prop_assert_eq!(panics(), before, "panics");
    }

    #[test]
    fn requests_of_any_bytes_are_answered(
        requests in prop::collection::vec((request(), text(), text(), prop::option::of(edits()), any::<u8>()), 1..20),
    ) {
        let before = panics();
        let wrong = block_on(async {
            let q = Quorate::open(still()).await.unwrap();
            let door = Door::new(q.clone(), &Options::default());
            let app = App::new().service(web::scope("").configure(|scope| door.configure(scope)));
            let app = init_service(app).await;
            let mut wrong = Vec::new();
            for ((op, given, foreign), subject, query, edits, dice) in requests {
                let op_of = &OPERATIONS[op];
                let mut fields = fields_of(op, given, foreign);
                let mut path = format!("/api/v1{}", op_of.path);
                while let Some((before, rest)) = path.split_once('{') {
                    let (field, after) = rest.split_once('}').unwrap();
                    fields.remove(field);
                    path = format!("{before}{}{after}", escaped(&subject, dice.is_multiple_of(3)));
                }
                if dice.is_multiple_of(4) {
                    path = format!("{path}?{}={}", escaped(&query, false), escaped(&subject, dice > 128));
                }
                let mut body = serde_json::to_vec(&fields).unwrap();
                if let Some(edits) = edits {
                    let edits: Vec<Edit> = edits;
                    edit(&mut body, &edits);
                }
                let Ok(uri) = Uri::try_from(path.as_str()) else { continue };
                let method = if dice.is_multiple_of(2) { Method::POST } else { Method::GET };
                let request = TestRequest::default()
                    .method(method)
                    .uri(&uri.to_string())
                    .insert_header(("content-type", "application/json"))
                    .set_payload(body)
                    .to_request();
                let answered = tokio::time::timeout(
                    std::time::Duration::from_millis(300),
                    call_service(&app, request),
                );
                let Ok(response) = answered.await else { continue };
                let status = response.status();
                let bytes = to_bytes(response.into_body()).await.unwrap_or_default();
                let said = serde_json::from_slice::<Value>(&bytes);
                if status == 500 || status.as_u16() >= 400 && said.is_err() {
                    wrong.push(format!("{path}: {status} {}", String::from_utf8_lossy(&bytes)));
                }
            }
            drop(app);
            drop(door);
            q.crash().await;
            wrong
        });
        prop_assert!(wrong.is_empty(), "{:?}", wrong);
        prop_assert_eq!(panics(), before, "panics");
    }
}

fn escaped(text: &str, raw: bool) -> String {
    let plain = |byte: u8| {
        byte.is_ascii_alphanumeric() || (raw && byte > 32 && byte < 127 && !b"#?<>\"{}`\\^|".contains(&byte))
    };
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[test]
fn names_of_operations_of_any_text_are_answered() {
    for text in TEXTS {
        assert_eq!(ops::find(text).unwrap_err().kind(), ErrorKind::UnknownOperation);
    }
}
