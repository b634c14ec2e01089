//! Hooks: what is recorded reaches a receiver, in order and without a gap, whatever the receiver does meanwhile.

use std::time::Duration;

use quorate::{
    Config, CreateIdentity, Error, ErrorKind, HistoryQuery, HookRef, HookSecret, HookView, HooksConfig,
    Quorate, RegisterHook, RevokeIdentity, StartQuorum, Vote,
};
use quorate_runtime::api::dto::{EntityHistory, EventView, ProveRecords, StateAt};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::manual;
use crate::receiver::{Answer, Receiver};

/// The secret of the example in the specification.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Receivers are on the loopback, and those that hang are not waited for long.
fn config() -> Config {
    let hooks =
        HooksConfig { allow_private: true, timeout: Duration::from_millis(400), ..HooksConfig::default() };
    Config { hooks, ..Config::memory() }
}

fn hook(id: &str, url: &str) -> RegisterHook {
    RegisterHook { hook_id: Some(id.parse().unwrap()), ..RegisterHook::to(url) }
}

fn named(id: &str) -> HookRef {
    HookRef { hook_id: id.parse().unwrap() }
}

/// Something happens: a quorum of one, which is decided.
async fn happens(q: &Quorate) {
    let started = q.quorums().start(StartQuorum::global().with_voters(["ann"]).unwrap()).await.unwrap();
    q.quorums().vote(Vote::new(&started.quorum_id, "ann", true).unwrap()).await.unwrap();
}

/// Everything on record behind a position but what hooks do.
async fn recorded(q: &Quorate, behind: u64) -> Vec<EventView> {
    let query = HistoryQuery { from_position: Some(behind + 1), limit: Some(1_000), ..Default::default() };
    let page = q.history().query(query).await.unwrap();
    assert!(!page.more);
    page.events.into_iter().filter(|event| event.kind != "hook").collect()
}

fn as_json(events: &[EventView]) -> Vec<Value> {
    events.iter().map(|event| serde_json::to_value(event).unwrap()).collect()
}

async fn seen(q: &Quorate, id: &str) -> HookView {
    let list = q.hooks().list().await.unwrap();
    list.hooks.into_iter().find(|hook| hook.hook_id.as_str() == id).unwrap()
}

/// Waits until a hook stands so.
async fn until(q: &Quorate, id: &str, stands: impl Fn(&HookView) -> bool) -> HookView {
    let mut events = q.events(HistoryQuery { cursor: Some("0".into()), ..Default::default() }).await.unwrap();
    loop {
        let view = seen(q, id).await;
        if stands(&view) {
            return view;
        }
        let next = tokio::time::timeout(Duration::from_secs(60), events.next()).await;
        next.unwrap_or_else(|_| panic!("it stands otherwise: {view:?}")).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_receiver_refuses_it_hears_again_in_order_and_nothing_is_left_out() {
    let q = Quorate::open(config()).await.unwrap();
    happens(&q).await;
    let receiver = Receiver::start(|n, _| Answer::Status(if n < 2 { 500 } else { 200 }));
    let made = q.hooks().register(hook("h", &receiver.url("/in?x=1"))).await.unwrap();
    assert!(made.secret.is_some_and(|secret| secret.0.starts_with("whsec_")));
    let behind = made.hook.position;
    let deliveries = q.deliver_hooks().unwrap();
    for _ in 0..100 {
        happens(&q).await;
    }
    let all = recorded(&q, behind).await;
    assert_eq!(all.len(), 300);
    receiver.until_position(all.last().unwrap().position);
    assert_eq!(receiver.taken(), as_json(&all));
    let heard = receiver.heard();
    assert!(heard.len() >= 5, "{} events in one request", 300 / heard.len());
    for heard in &heard {
        assert_eq!(heard.target, "/in?x=1");
        let events = heard.events();
        let position = |event: Option<&Value>| event.unwrap()["position"].clone();
        assert!(events.len() <= 100);
        let id = &heard.headers["webhook-id"];
        assert!(id.ends_with(&format!("_{}_{}", position(events.first()), position(events.last()))), "{id}");
        assert_eq!(heard.json()["delivery_id"], id.as_str());
        assert_eq!(heard.json()["hook_id"], "h");
    }
    let view = until(&q, "h", |view| view.delivered == 300).await;
    assert_eq!((view.state.as_str(), view.failures, view.next_attempt_at), ("active", 0, None));
    assert_eq!(view.last_error.as_deref(), Some("the receiver answered 500"));
    assert!(q.hooks().list().await.unwrap().delivers);
    let twice = q.deliver_hooks().unwrap_err();
    assert_eq!(twice.kind(), ErrorKind::NothingDone);
    drop(deliveries);
    assert!(!q.hooks().list().await.unwrap().delivers);
    q.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_hangs_or_is_gone_holds_up_nobody_else_and_hears_everything_once_it_is_back() {
    let q = Quorate::open(config()).await.unwrap();
    let hangs = Receiver::start(|_, _| Answer::Hang);
    let other = Receiver::start(|_, _| Answer::Status(204));
    let address = hangs.address;
    q.hooks().register(hook("hangs", &hangs.url("/"))).await.unwrap();
    q.hooks().register(hook("other", &other.url("/"))).await.unwrap();
    let _deliveries = q.deliver_hooks().unwrap();
    happens(&q).await;
    let late = until(&q, "hangs", |view| view.failures > 0).await;
    assert_eq!((late.state.as_str(), late.last_error.as_deref()), ("retrying", Some("no answer in time")));
    assert!(late.next_attempt_at > late.last_failed_at && late.behind > 0);
    other.until("the other one", |heard| heard.iter().any(|heard| heard.status == 204));
    drop(hangs);
    happens(&q).await;
    let gone =
        until(&q, "hangs", |view| view.last_error.as_deref() == Some("nobody took the connection")).await;
    assert_eq!((gone.delivered, gone.position), (0, 0), "nothing is passed over");
    let back = Receiver::at(address, |_, _| Answer::Status(200));
    let all = recorded(&q, 0).await;
    back.until_position(all.last().unwrap().position);
    assert_eq!(back.taken(), as_json(&all));
    q.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_redirect_is_followed_and_a_receiver_that_wants_no_more_is_left_alone_until_somebody_resumes() {
    let q = Quorate::open(config()).await.unwrap();
    let elsewhere = Receiver::start(|_, _| Answer::Status(200));
    let to = elsewhere.url("/stolen");
    let turns = Receiver::start(move |_, _| Answer::Redirect(to.clone()));
    let leaves = Receiver::start(|n, _| Answer::Status(if n == 0 { 410 } else { 200 }));
    q.hooks().register(hook("turns", &turns.url("/"))).await.unwrap();
    q.hooks().register(hook("leaves", &leaves.url("/"))).await.unwrap();
    let _deliveries = q.deliver_hooks().unwrap();
    happens(&q).await;
    let turned = until(&q, "turns", |view| view.failures > 0).await;
    assert_eq!(turned.last_error.as_deref(), Some("the receiver answered 307, and no redirect is followed"));
    let left = until(&q, "leaves", |view| view.state == "disabled").await;
    // Behind the two records of the other registration.
    assert_eq!((left.next_attempt_at, left.position), (None, 2));
    let problems = q.overview().show(Default::default()).await.unwrap().problems;
    assert!(problems.iter().any(|line| line.next == "quorate hook resume leaves"), "{problems:?}");
    q.hooks().resume(named("leaves")).await.unwrap();
    let all = recorded(&q, 0).await;
    leaves.until_position(all.last().unwrap().position);
    assert_eq!(leaves.taken(), as_json(&all));
    assert!(elsewhere.heard().is_empty());
    q.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_within_unless_it_is_allowed() {
    let folder = TempDir::new().unwrap();
    let within = Receiver::start(|_, _| Answer::Status(200));
    let strict = || Config { hooks: HooksConfig::default(), ..Config::at(folder.path()) };
    let q = Quorate::open(strict()).await.unwrap();
    for url in [
        within.url("/"),
        format!("http://localhost:{}/", within.address.port()),
        "http://[::1]/".into(),
        "http://[::ffff:10.0.0.1]/".into(),
        "http://169.254.169.254/latest/meta-data/".into(),
        "https://10.0.0.8/".into(),
        "https://100.64.0.1/".into(),
    ] {
        let refused = q.hooks().register(RegisterHook::to(&url)).await.unwrap_err();
        let told = refused.detail("expected").unwrap().as_str().unwrap().to_owned();
        assert_eq!(
            (refused.kind(), refused.detail("field").unwrap()),
            (ErrorKind::InvalidArgument, &json!("url"))
        );
        assert!(told.starts_with("an address of the public Internet"), "{url}: {told}");
    }
    q.close().await.unwrap();
    // One that was registered where it was allowed is looked at again at each connection.
    let lax = Config { hooks: HooksConfig { allow_private: true, ..strict().hooks }, ..strict() };
    let q = Quorate::open(lax).await.unwrap();
    q.hooks().register(hook("literal", &within.url("/"))).await.unwrap();
    let name = name_of_this_machine();
    if let Some(name) = &name {
        let url = format!("http://{name}:{}/", within.address.port());
        q.hooks().register(hook("name", &url)).await.unwrap();
    } else {
        eprintln!("SKIPPED: no name but localhost leads to this machine, so none was tried");
    }
    happens(&q).await;
    q.close().await.unwrap();
    let q = Quorate::open(strict()).await.unwrap();
    let _deliveries = q.deliver_hooks().unwrap();
    for id in ["literal"].into_iter().chain(name.map(|_| "name")) {
        let refused = until(&q, id, |view| view.failures > 0).await;
        let told = refused.last_error.unwrap();
        assert_eq!(told, "the name leads to an address within, to which nothing is sent", "{id}");
    }
    assert!(within.heard().is_empty());
    q.close().await.unwrap();
}

/// A name in the file of hosts that leads to the loopback, and does not say so itself.
fn name_of_this_machine() -> Option<String> {
    let hosts = std::fs::read_to_string("/etc/hosts").ok()?;
    let lines = hosts.lines().filter_map(|line| line.split('#').next());
    let is_within = |address: &str| address.starts_with("127.") || address == "::1";
    let names = lines.filter_map(|line| {
        let mut words = line.split_whitespace();
        let address = words.next()?;
        is_within(address).then(|| words.map(str::to_owned).collect::<Vec<_>>())
    });
    names.flatten().find(|name| name != "localhost" && !name.ends_with(".localhost"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_hears_what_its_owner_may_hear_and_belongs_to_its_owner() {
    let q = Quorate::open(config()).await.unwrap();
    for (name, scopes) in [("root", &["admin"][..]), ("ann", &["read", "hook.*"]), ("bob", &["hook.*"])] {
        q.identities().create(CreateIdentity::new(name, scopes.iter().copied()).unwrap()).await.unwrap();
    }
    let [root, ann, bob] = ["root", "ann", "bob"].map(|name| q.as_identity(name).unwrap());
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let blind = bob.hooks().register(hook("blind", &receiver.url("/"))).await.unwrap_err();
    assert_eq!(
        (blind.kind(), blind.detail("scope").unwrap()),
        (ErrorKind::NotAuthorized, &json!("history.query"))
    );
    let all_of_it = RegisterHook {
        filter: Some(HistoryQuery { from_position: Some(1), ..Default::default() }),
        ..hook("anns", &receiver.url("/secret-path"))
    };
    ann.hooks().register(all_of_it).await.unwrap();
    q.hooks().register(hook("own", &receiver.url("/other-secret"))).await.unwrap();
    // Another one neither sees it nor ends it; an admin does both.
    assert!(bob.hooks().list().await.unwrap().hooks.is_empty());
    assert_eq!(ann.hooks().list().await.unwrap().hooks.len(), 1);
    assert_eq!(root.hooks().list().await.unwrap().hooks.len(), 2);
    let others = ann.hooks().remove(named("own")).await.unwrap_err();
    assert_eq!(
        (others.kind(), others.detail("missing").unwrap()),
        (ErrorKind::NotAuthorized, &json!("owner"))
    );
    let query = HistoryQuery { kind: Some("hook".into()), ..Default::default() };
    let page = serde_json::to_string(&ann.history().query(query).await.unwrap()).unwrap();
    assert!(page.contains("/secret-path") && !page.contains("/other-secret"), "{page}");

    let _deliveries = q.deliver_hooks().unwrap();
    let granted = q.capacity().request(quorate::RequestCapacity::new("A1").unwrap().of(1.0)).await.unwrap();
    let token = granted.token_id.map(|token| token.to_string()).unwrap_or_default();
    assert!(!token.is_empty());
    let all = recorded(&q, 0).await;
    receiver.until("both hooks", |heard| {
        let last = all.last().map(|event| event.position);
        let told = |hook: &str| {
            let of = heard.iter().filter(|heard| heard.json()["hook_id"] == hook);
            of.flat_map(|heard| heard.events()).any(|event| event["position"].as_u64() >= last)
        };
        told("anns") && told("own")
    });
    for heard in receiver.heard() {
        let shown = heard.body.contains(&token);
        let is_granted = heard.events().iter().any(|event| event["event"] == "granted");
        assert_eq!(shown, is_granted && heard.json()["hook_id"] == "own", "{}", heard.body);
    }
    let revoke = RevokeIdentity { name: "ann".parse().unwrap(), token_number: None, reason: None };
    q.identities().revoke(revoke).await.unwrap();
    let over = until(&q, "anns", |view| view.state == "disabled").await;
    assert!(over.last_error.unwrap().contains("may not read history any more"));
    q.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_told_once_and_then_nowhere() {
    let folder = TempDir::new().unwrap();
    let q = Quorate::open(Config { hooks: config().hooks, ..Config::at(folder.path()) }).await.unwrap();
    let secret = Some(HookSecret(SECRET.into()));
    let request = RegisterHook { secret, ..hook("h", "https://hooks.example.com/") };
    assert!(!format!("{request:?}").contains(&SECRET[6..]));
    let given = q.hooks().register(request.clone()).await.unwrap();
    assert_eq!((given.secret.is_none(), given.changed), (true, true));
    let again = q.hooks().register(request).await.unwrap();
    assert_eq!((again.secret.is_none(), again.changed), (true, false));
    let minted = q.hooks().register(hook("m", "https://hooks.example.com/")).await.unwrap();
    let made = minted.secret.clone().unwrap().0;
    let not_again = q.hooks().register(hook("m", "https://hooks.example.com/")).await.unwrap();
    assert_eq!((not_again.secret.is_none(), not_again.changed), (true, false));

    let mut told = vec![format!("{minted:?}"), format!("{:?}", q.hooks().list().await.unwrap())];
    let mut tell = |value: Value| told.push(value.to_string());
    let page = q.history().query(HistoryQuery::default()).await.unwrap();
    let positions: Vec<u64> = page.events.iter().map(|event| event.position).collect();
    tell(serde_json::to_value(page).unwrap());
    for id in ["h", "m"] {
        let entity = |kind: &str| EntityHistory {
            kind: Some(kind.into()),
            entity_id: id.parse().unwrap(),
            limit: None,
            cursor: None,
        };
        tell(serde_json::to_value(q.history().entity(entity("hook")).await.unwrap()).unwrap());
        let at: StateAt =
            serde_json::from_value(json!({ "kind": "hook", "entity_id": id, "seq": 2 })).unwrap();
        tell(serde_json::to_value(q.history().state_at(at).await.unwrap()).unwrap());
        tell(serde_json::to_value(q.hooks().remove(named(id)).await.unwrap()).unwrap());
    }
    q.history().checkpoint().await.unwrap();
    let count = positions.len();
    let prove = ProveRecords { positions: positions.clone(), log_size: None, paths: None };
    let proven = q.history().prove_records(prove).await.unwrap();
    let kept_back = proven.records.iter().filter(|record| record.bytes.is_none()).count();
    assert_eq!((proven.records.len(), kept_back), (count, 2));
    tell(serde_json::to_value(proven).unwrap());
    for position in positions {
        let prove = serde_json::from_value(json!({ "position": position })).unwrap();
        tell(serde_json::to_value(q.history().prove(prove).await.unwrap()).unwrap());
    }
    for secret in [SECRET, made.as_str()] {
        let base64 = &secret["whsec_".len()..];
        let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, base64).unwrap();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let list = serde_json::to_string(&bytes).unwrap();
        for told in &told {
            for form in [base64, &hex, list.trim_matches(['[', ']'])] {
                assert!(!told.contains(form), "{told}");
            }
        }
    }
    q.close().await.unwrap();
}

#[tokio::test]
async fn the_filter_is_that_of_history_and_begins_where_it_is_told_to() {
    let q = Quorate::open(config()).await.unwrap();
    happens(&q).await;
    let asked = |filter: HistoryQuery| {
        let request = RegisterHook { filter: Some(filter.clone()), ..RegisterHook::to("https://a.example/") };
        let q = q.clone();
        async move { (q.hooks().register(request).await, q.history().query(filter).await) }
    };
    for filter in [
        json!({ "kind": "quorums" }),
        json!({ "event": "vote_casted" }),
        json!({ "kind": "quorum", "outcome": "decided" }),
        json!({ "cursor": "99" }),
        json!({ "from_position": 0 }),
    ] {
        let filter: HistoryQuery = serde_json::from_value(filter).unwrap();
        let (hook, history) = asked(filter.clone()).await;
        let (hook, history) = (hook.unwrap_err(), history.unwrap_err());
        let of = |error: &Error, name: &str| error.detail(name).cloned().unwrap_or_default();
        let field = of(&history, "field").as_str().unwrap().to_owned();
        assert_eq!(of(&hook, "field"), format!("filter.{field}"), "{filter:?}");
        assert_eq!(hook.message(), format!("filter.{}", history.message()));
        assert_eq!(of(&hook, "expected"), of(&history, "expected"));
    }
    // What is recorded until then would be passed over in silence.
    let ahead = HistoryQuery { from_position: Some(1_000), ..HistoryQuery::default() };
    let refused = asked(ahead).await.0.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.detail("field").unwrap()),
        (ErrorKind::InvalidArgument, &json!("filter.from_position"))
    );
    let next = HistoryQuery { from_position: Some(4), ..HistoryQuery::default() };
    assert_eq!(asked(next).await.0.unwrap().hook.position, 3);
    for filter in [json!({ "limit": 1 }), json!({ "upto_position": 9 }), json!({ "kind": "hook" })] {
        let (hook, _) = asked(serde_json::from_value(filter).unwrap()).await;
        assert_eq!(hook.unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
    for (filter, position) in [
        (json!({}), 3),
        (json!({ "cursor": "2" }), 2),
        (json!({ "from_position": 2 }), 1),
        (json!({ "since": "1970-01-01T00:00:00Z" }), 0),
    ] {
        let (hook, _) = asked(serde_json::from_value(filter.clone()).unwrap()).await;
        let hook = hook.unwrap().hook;
        // Each registration is two records.
        let before = if filter == json!({}) { 3 } else { position };
        assert_eq!(hook.position.min(3), before.min(3), "{filter}");
        assert!(filter.get("since").is_none() || hook.filter == filter, "{}", hook.filter);
    }
    q.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_hooks_that_hang_do_not_hold_up_one_that_answers() {
    // None of those that hang gives its place back while this runs.
    let hooks =
        HooksConfig { allow_private: true, timeout: Duration::from_secs(300), ..HooksConfig::default() };
    let q = Quorate::open(Config { hooks, ..Config::memory() }).await.unwrap();
    let hanging: Vec<Receiver> = (0..6).map(|_| Receiver::start(|_, _| Answer::Hang)).collect();
    let well = Receiver::start(|_, _| Answer::Status(200));
    let hang = async |names: std::ops::Range<usize>| {
        for n in names {
            let there = hanging[n % hanging.len()].url("/");
            q.hooks().register(hook(&format!("a{n:03}"), &there)).await.unwrap();
        }
    };
    hang(0..12).await;
    q.hooks().register(hook("well", &well.url("/"))).await.unwrap();
    let _deliveries = q.deliver_hooks().unwrap();
    happens(&q).await;
    well.until_position(recorded(&q, 0).await.last().unwrap().position);
    // It is known to answer: however many more there are, it has its place.
    hang(12..100).await;
    for _ in 0..3 {
        happens(&q).await;
        well.until_position(recorded(&q, 0).await.last().unwrap().position);
    }
    let under_way: usize = hanging.iter().map(|hangs| hangs.heard().len()).sum();
    assert!(under_way <= 24, "{under_way} requests hang");
    q.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_body_is_larger_than_a_mebibyte_and_nothing_is_left_out() {
    let q = Quorate::open(config()).await.unwrap();
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    q.hooks().register(hook("h", &receiver.url("/"))).await.unwrap();
    for n in 0..100 {
        let mut start = StartQuorum::global().with_voters(["ann"]).unwrap();
        start.subject = Some(json!({ "n": n, "text": "é".repeat(8_000) }));
        q.quorums().start(start).await.unwrap();
    }
    let voters: Vec<String> = (0..10_000).map(|n| format!("{n:0>120}")).collect();
    q.quorums()
        .start(StartQuorum::global().with_voters(voters.iter().map(String::as_str)).unwrap())
        .await
        .unwrap();
    happens(&q).await;
    let _deliveries = q.deliver_hooks().unwrap();
    let all = recorded(&q, 0).await;
    receiver.until_position(all.last().unwrap().position);
    for heard in receiver.heard() {
        assert!(heard.body.len() <= 1 << 20, "{}", heard.body.len());
    }
    let mut sent = as_json(&all);
    let large = sent.iter_mut().find(|event| event.to_string().len() > 1 << 20).unwrap();
    large["data"] = json!({ "left_out_bytes": large["data"].to_string().len() });
    assert_eq!(receiver.taken(), sent);
    q.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_fits_is_sent_and_the_cursor_passes_the_rest() {
    let q = Quorate::open(config()).await.unwrap();
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let filter =
        HistoryQuery { kind: Some("quorum".into()), event: Some("closed".into()), ..Default::default() };
    let request = RegisterHook { filter: Some(filter), ..hook("h", &receiver.url("/")) };
    q.hooks().register(request).await.unwrap();
    let _deliveries = q.deliver_hooks().unwrap();
    for _ in 0..5 {
        happens(&q).await;
    }
    let mut all = recorded(&q, 0).await;
    all.retain(|event| event.event == "closed");
    receiver.until_position(all.last().unwrap().position);
    assert_eq!(receiver.taken(), as_json(&all));
    let view = until(&q, "h", |view| view.delivered == 5).await;
    assert!(view.position >= all.last().unwrap().position);
    q.close().await.unwrap();
}

#[tokio::test]
async fn in_virtual_time_hooks_are_registered_and_nothing_is_sent() {
    let q = Quorate::open(manual()).await.unwrap();
    q.hooks().register(hook("h", "https://hooks.example.com/")).await.unwrap();
    assert_eq!(q.deliver_hooks().unwrap_err().detail("field").unwrap(), "clock");
    happens(&q).await;
    q.advance(Duration::from_secs(3_600)).await.unwrap();
    let list = q.hooks().list().await.unwrap();
    assert!(!list.delivers && list.hooks[0].behind >= 3);
    let limited = Config { hooks: HooksConfig { max_hooks: 1, ..Default::default() }, ..manual() };
    let full = Quorate::open(limited).await.unwrap();
    full.hooks().register(hook("h", "https://hooks.example.com/")).await.unwrap();
    let more = full.hooks().register(hook("i", "https://hooks.example.com/")).await.unwrap_err();
    assert_eq!((more.kind(), more.detail("limit").unwrap()), (ErrorKind::LimitExceeded, &json!(1)));
    full.hooks().remove(named("h")).await.unwrap();
    full.hooks().register(hook("i", "https://hooks.example.com/")).await.unwrap();
}
