//! What history answers: the same as a naive scan, whatever is asked and whoever writes meanwhile; a past state as it was
//! seen then; counts as they are counted by hand.

mod indexed;
mod naive;
mod random;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use quorate::{ErrorKind, Quorate};
use quorate_core::jobs::durations::DurationsMachine;
use quorate_core::kernel::Machine;
use quorate_core::kernel::driver::Driver;
use quorate_core::kernel::ids::{EntityId, StreamId, StreamKind};
use quorate_core::kernel::time::Timestamp;
use quorate_core::load::flow::record::FlowMachine;
use quorate_core::load::record::LoadMachine;
use quorate_core::network::datacenter::DatacentersMachine;
use quorate_core::voting::algorithms::AlgorithmsMachine;
use quorate_core::voting::topology::TopologyMachine;
use quorate_journal::Store;
use quorate_journal::codec::decode;
use quorate_journal::stores::memory::MemoryStore;
use serde_json::{Value, json};

use self::naive::{abouts, asked, fits};
use self::random::{Dice, VOTERS, act, begin, call};
use crate::manual;

/// Every event that is on record, by pages of the plainest query there is.
async fn everything(q: &Quorate) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), json!(null));
    loop {
        let page = call(q, "history.query", json!({ "limit": 1_000, "cursor": cursor })).await.unwrap();
        all.extend(page["events"].as_array().unwrap().iter().cloned());
        if page["more"] == false {
            return all;
        }
        cursor = page["next_cursor"].clone();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_is_that_of_a_naive_scan_on_random_histories_while_a_writer_appends() {
    let mut met = BTreeSet::new();
    let mut answered = 0;
    for seed in 1..=6_u64 {
        // Each with blocks of another size in the index, and one without any.
        let index_block = [4_096, 16, 5, 0, 64, 1][seed as usize - 1];
        let q = Quorate::open(quorate::Config { index_block, ..manual() }).await.unwrap();
        begin(&q).await;
        let mut dice = Dice(seed * 7_919);
        for n in 0..150 {
            act(&q, &mut dice, n).await;
            if dice.roll(3) == 0 {
                q.advance(Duration::from_millis(700)).await.unwrap();
            }
        }
        let known = everything(&q).await;
        met.extend(known.iter().map(|event| event["kind"].as_str().unwrap().to_owned()));
        let stop = Arc::new(AtomicBool::new(false));
        let (writer_q, stopped) = (q.clone(), stop.clone());
        let writer = tokio::spawn(async move {
            let mut dice = Dice(seed * 104_729);
            let mut n = 150;
            // So much that the answers do not grow without end.
            while n < 450 && !stopped.load(Ordering::Relaxed) {
                act(&writer_q, &mut dice, n).await;
                n += 1;
            }
        });
        let mut answers = Vec::new();
        for _ in 0..60 {
            let asked = asked(&mut dice, &known);
            let (mut told, mut cursor, mut counted) = (Vec::new(), Value::Null, None);
            let limit = 1 + dice.roll(40);
            loop {
                let mut fields = asked.clone();
                fields.insert("limit".into(), limit.into());
                fields.insert("cursor".into(), cursor.clone());
                let page = match call(&q, "history.query", Value::Object(fields)).await {
                    Ok(page) => page,
                    // An event or outcome that nothing of the kind has, or an identity that was never made.
                    Err(refused) => {
                        let is_nobody = asked.get("identity").is_some_and(|identity| identity == "nobody");
                        let fits = [(ErrorKind::InvalidArgument, true), (ErrorKind::NotFound, is_nobody)];
                        assert!(fits.contains(&(refused.kind(), true)), "{asked:?} {refused}");
                        break;
                    }
                };
                let events = page["events"].as_array().unwrap().clone();
                assert!(events.is_empty() || page["next_cursor"].is_string(), "{page}");
                told.extend(events);
                cursor = page["next_cursor"].clone();
                if page["more"] == false {
                    counted = Some(call(&q, "history.count", Value::Object(asked.clone())).await.unwrap());
                    break;
                }
            }
            if let Some(counted) = counted {
                answers.push((asked, told, cursor, counted));
            }
        }
        stop.store(true, Ordering::Relaxed);
        writer.await.unwrap();
        let all = everything(&q).await;
        assert!(all.len() > known.len(), "the writer wrote meanwhile");
        let abouts = abouts(&all);
        for (asked, told, cursor, counted) in answers {
            // A page is read up to its cursor, and what came later is in later ones.
            let upto = cursor.as_str().map_or(0, |text| text.split('-').next().unwrap().parse().unwrap());
            let naive: Vec<&Value> = all.iter().filter(|event| fits(event, &asked, &abouts)).collect();
            let within = |event: &&&Value| event["position"].as_u64().unwrap() <= upto;
            let expected: Vec<&Value> = naive.iter().filter(within).copied().collect();
            assert_eq!(told.iter().collect::<Vec<_>>(), expected, "seed {seed}: {asked:?}");
            let count = counted["events"].as_u64().unwrap() as usize;
            assert!((expected.len()..=naive.len()).contains(&count), "seed {seed}: {asked:?} {counted}");
            answered += usize::from(!told.is_empty());
        }
        q.close().await.unwrap();
    }
    assert!(answered > 100, "only {answered} answers held anything");
    for kind in StreamKind::ALL.map(StreamKind::name) {
        // A load is on record only where there was some, durations where a job of a class ended, members at a node.
        let rare = ["load", "durations", "algorithms", "member"].contains(&kind);
        assert!(rare || met.contains(kind), "no event of the kind {kind}: {met:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_those_that_are_counted_by_hand() {
    let q = Quorate::open(manual()).await.unwrap();
    begin(&q).await;
    let mut dice = Dice(4_242);
    for n in 0..250 {
        act(&q, &mut dice, n).await;
        q.advance(Duration::from_secs(if n % 25 == 24 { 3_000 } else { 1 })).await.unwrap();
    }
    for n in 0..6 {
        let question = json!({ "quorum_id": format!("two-{n}"), "quorum_type": "global", "voters": ["ann", "bob", "cid"], "required_votes": 3 });
        call(&q, "quorum.start", question).await.unwrap();
        for (voter, vote) in [("ann", true), ("bob", n % 3 != 0)] {
            let vote = json!({ "quorum_id": format!("two-{n}"), "voter_id": voter, "vote": vote });
            // One that comes after the end is refused, and counts in no comparison.
            let _ = call(&q, "quorum.vote", vote).await;
        }
    }
    let all = everything(&q).await;
    let counted =
        call(&q, "history.count", json!({ "per": "hour", "compare": ["ann", "bob"], "limit": 1000 }))
            .await
            .unwrap();
    assert_eq!(counted["events"], all.len());
    let refused = all.iter().filter(|event| event["refused"] == true).count();
    assert!(refused > 0);
    assert_eq!(counted["refused"], refused);
    let (mut outcomes, mut votes, mut last) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut took = Vec::new();
    for event in &all {
        let (kind, name, data) =
            (event["kind"].as_str().unwrap(), event["event"].as_str().unwrap(), &event["data"]);
        if (kind, name) == ("quorum", "closed") {
            let hour = event["at_ms"].as_i64().unwrap() / 3_600_000;
            *outcomes.entry((hour, data["state"].as_str().unwrap())).or_insert(0_u64) += 1;
            let at = |field: &str| Timestamp::parse(data[field].as_str().unwrap()).unwrap();
            took.push((at("closed_at").as_micros() - at("opened_at").as_micros()) / 1_000);
        }
        let cast = match (kind, name) {
            ("quorum" | "proposal", "vote_cast") => Some((data["voter_id"].as_str().unwrap(), &data["vote"])),
            ("session", "vote_received") => {
                Some((data["vote"]["voter_id"].as_str().unwrap(), &data["vote"]["ballot"]))
            }
            _ => None,
        };
        if let Some((voter, vote)) = cast {
            *votes.entry(voter).or_insert(0_u64) += 1;
            last.insert((kind, event["entity_id"].as_str().unwrap(), voter), vote);
        }
    }
    let told: BTreeMap<(i64, &str), u64> = counted["outcomes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["kind"] == "quorum")
        .map(|line| {
            let began = Timestamp::parse(line["began_at"].as_str().unwrap()).unwrap().as_millis();
            assert_eq!(began % 3_600_000, 0);
            ((began / 3_600_000, line["outcome"].as_str().unwrap()), line["count"].as_u64().unwrap())
        })
        .collect();
    assert!(told.len() > 3, "{told:?}");
    assert_eq!(told, outcomes);
    let told: BTreeMap<&str, u64> = counted["votes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["votes"] != 0)
        .map(|line| (line["voter_id"].as_str().unwrap(), line["votes"].as_u64().unwrap()))
        .collect();
    assert_eq!(told, votes);
    let both: Vec<bool> = last
        .iter()
        .filter(|((.., voter), _)| *voter == "ann")
        .filter_map(|((kind, id, _), vote)| last.get(&(*kind, *id, "bob")).map(|other| other == vote))
        .collect();
    assert!(both.len() > 3 && both.contains(&true) && both.contains(&false));
    assert_eq!(counted["agreement"]["both"], both.len());
    assert_eq!(counted["agreement"]["agreed"], both.iter().filter(|alike| **alike).count());
    took.sort_unstable();
    let durations = counted["durations"].as_array().unwrap();
    let quorums = durations.iter().find(|line| line["kind"] == "quorum").unwrap();
    assert_eq!(
        (&quorums["count"], &quorums["min_ms"], &quorums["max_ms"]),
        (&json!(took.len()), &json!(took[0]), &json!(took[took.len() - 1]))
    );
    let at_least_half =
        took.iter().find(|ms| took.iter().filter(|other| other <= ms).count() * 2 >= took.len());
    assert_eq!(quorums["p50_ms"], *at_least_half.unwrap());
    for (fields, field, nearest) in [
        (json!({ "per": "days" }), "per", "day"),
        (json!({ "kind": "quorums" }), "kind", "quorum"),
        (json!({ "outcome": "aproved" }), "outcome", "approved"),
    ] {
        let refused = call(&q, "history.count", fields).await.unwrap_err();
        assert_eq!(
            (refused.detail("field").unwrap(), refused.detail("nearest").unwrap()),
            (&json!(field), &json!(nearest))
        );
    }
    for compare in [json!(["ann"]), json!(["ann", "ann"]), json!(["a", "b", "c"])] {
        let refused = call(&q, "history.count", json!({ "compare": compare })).await.unwrap_err();
        assert_eq!(refused.detail("field").unwrap(), "compare");
    }
    q.close().await.unwrap();
}

/// How an entity is shown by its own operation.
async fn live(q: &Quorate, kind: &str, id: &str) -> Option<Value> {
    let one = |field: &str| json!({ field: id });
    let shown = match kind {
        "quorum" => call(q, "quorum.status", one("quorum_id")).await.ok()?,
        "proposal" => call(q, "consensus.result", one("proposal_id")).await.ok()?,
        "session" => call(q, "session.result", one("session_id")).await.ok()?,
        "voter" => call(q, "voter.state", one("voter_id")).await.ok()?,
        "cell" => call(q, "capacity.status", one("cell_id")).await.ok()?,
        "budget" => call(q, "budget.status", one("budget_id")).await.ok()?,
        // Votes are signs of life that its own record has later, so of the others none is looked at.
        "agent" if id == "beats" => call(q, "agent.health", one("agent_id")).await.ok()?,
        "route" => call(q, "route.state", one("job_id")).await.ok()?,
        "job" => {
            let (job, datacenter) = id.split_once('@').unwrap_or((id, "local"));
            let status = json!({ "job_id": job, "datacenter": datacenter });
            call(q, "job.status", status).await.ok()?["datacenters"][0].clone()
        }
        "worker" => {
            let state = call(q, "worker.status", one("worker_id")).await.ok()?;
            json!({ "kind": "worker", "entity_id": id, "state": state })
        }
        "identity" => call(q, "identity.list", json!({})).await.ok()?["identities"][0].clone(),
        _ => return None,
    };
    Some(shown)
}

/// The state of a kind that has no view of its own, folded from the records up to a number.
fn folded<M: Machine>(store: &MemoryStore, id: &str, upto: u64) -> Value {
    let stream = StreamId::new(M::KIND, EntityId::new(id).unwrap());
    let records = futures_now(store.read(&stream, 0, usize::MAX));
    let mut driver = Driver::<M>::default();
    for record in records.into_iter().filter(|record| record.seq <= upto) {
        driver.replay(&decode(&record.payload).unwrap());
    }
    serde_json::to_value(driver.state()).unwrap()
}

/// The store in memory answers when it is asked.
fn futures_now<T>(mut pending: quorate_journal::Pending<'_, T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match pending.as_mut().poll(&mut context) {
        std::task::Poll::Ready(answer) => answer.unwrap(),
        std::task::Poll::Pending => panic!("the store waits"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_past_state_of_every_kind_is_what_was_seen_then() {
    let store = MemoryStore::new();
    let q = Quorate::open_with(manual(), Arc::new(store.reopen())).await.unwrap();
    begin(&q).await;
    call(
        &q,
        "algorithm.register",
        json!({ "name": "most", "rule": "threshold", "params": { "threshold": 0.6 } }),
    )
    .await
    .unwrap();
    let mut dice = Dice(99_991);
    let mut seen = Vec::new();
    let tick = Duration::from_millis(1);
    for n in 0..220 {
        act(&q, &mut dice, n).await;
        // Whatever the action set off is done before anybody looks.
        q.advance(tick).await.unwrap();
        if n % 3 == 0 {
            let mut entities = BTreeSet::from([("voter".to_owned(), dice.pick(&VOTERS[..4]).to_owned())]);
            for event in everything(&q).await.iter().rev().take(6) {
                entities.insert((
                    event["kind"].as_str().unwrap().to_owned(),
                    event["entity_id"].as_str().unwrap().to_owned(),
                ));
            }
            for (kind, id) in entities {
                if let Some(view) = live(&q, &kind, &id).await {
                    seen.push((kind, id, q.now(), view));
                }
            }
        }
        q.advance(if dice.roll(4) == 0 { Duration::from_secs(2) } else { tick }).await.unwrap();
    }
    let mut kinds = BTreeSet::new();
    for (kind, id, at, view) in seen {
        let asked = json!({ "kind": kind, "entity_id": id, "at": at.to_string() });
        let past = call(&q, "history.state_at", asked).await.unwrap();
        assert_eq!(past, view, "{kind} {id} at {at}");
        kinds.insert(kind);
    }
    let viewed = [
        "quorum", "proposal", "session", "voter", "cell", "budget", "agent", "route", "job", "worker",
        "identity",
    ];
    assert!(viewed.iter().all(|kind| kinds.contains(*kind)), "{kinds:?}");

    // The others are shown as their records say, after each of their events.
    let all = everything(&q).await;
    let mut folded_kinds = BTreeSet::new();
    for event in &all {
        let (kind, id) = (event["kind"].as_str().unwrap(), event["entity_id"].as_str().unwrap());
        let seq = event["seq"].as_u64().unwrap();
        let expected = match kind {
            "topology" => folded::<TopologyMachine>(&store, id, seq),
            "algorithms" => folded::<AlgorithmsMachine>(&store, id, seq),
            "flow" => folded::<FlowMachine>(&store, id, seq),
            "load" => folded::<LoadMachine>(&store, id, seq),
            "durations" => folded::<DurationsMachine>(&store, id, seq),
            "datacenter" => folded::<DatacentersMachine>(&store, id, seq),
            _ => {
                let asked = json!({ "kind": kind, "entity_id": id, "seq": seq });
                call(&q, "history.state_at", asked).await.unwrap();
                continue;
            }
        };
        let past =
            call(&q, "history.state_at", json!({ "kind": kind, "entity_id": id, "seq": seq })).await.unwrap();
        assert_eq!(past, json!({ "kind": kind, "entity_id": id, "state": expected }), "{kind} {id} {seq}");
        folded_kinds.insert(kind);
        // The same point, by its place among all.
        let asked = json!({ "kind": kind, "entity_id": id, "position": event["position"] });
        assert_eq!(call(&q, "history.state_at", asked).await.unwrap(), past);
    }
    assert!(
        ["topology", "algorithms", "flow", "datacenter"].iter().all(|kind| folded_kinds.contains(kind)),
        "{folded_kinds:?}"
    );

    // Before it began and beyond its end.
    let first = all.iter().find(|event| event["kind"] == "quorum").unwrap();
    let last =
        all.iter().rfind(|event| event["entity_id"] == first["entity_id"]).unwrap()["seq"].as_u64().unwrap();
    let ask = async |more: Value| {
        let mut asked = json!({ "kind": "quorum", "entity_id": first["entity_id"] });
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        call(&q, "history.state_at", asked).await
    };
    for early in [json!({ "at": "1969-01-01T00:00:00Z" }), json!({ "seq": 0 }), json!({ "position": 1 })] {
        let refused = ask(early).await.unwrap_err();
        assert_eq!((refused.kind(), refused.detail("began_at")), (ErrorKind::NotFound, Some(&first["at"])));
    }
    for (late, field) in
        [(json!({ "seq": last + 1 }), "seq"), (json!({ "position": all.len() + 1 }), "position")]
    {
        let refused = ask(late).await.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.detail("field").unwrap()),
            (ErrorKind::InvalidArgument, &json!(field))
        );
    }
    assert!(ask(json!({ "seq": last })).await.is_ok());
    for neither in [json!({}), json!({ "seq": 1, "position": 1 })] {
        assert_eq!(ask(neither).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
    q.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_another_journal_is_refused_and_every_kind_says_why() {
    let open = async |seed: u64| {
        let q = Quorate::open(manual()).await.unwrap();
        begin(&q).await;
        let mut dice = Dice(seed);
        for n in 0..80 {
            act(&q, &mut dice, n).await;
        }
        q.advance(Duration::from_secs(120)).await.unwrap();
        q
    };
    let (q, other) = (open(1_234_567).await, open(7_654_321).await);
    let ask = async |q: &Quorate, cursor: Value| {
        call(q, "history.query", json!({ "limit": 90, "cursor": cursor })).await
    };
    let page = ask(&q, Value::Null).await.unwrap();
    let cursor = page["next_cursor"].clone();
    assert!(ask(&q, cursor.clone()).await.unwrap()["events"].as_array().unwrap().len() > 5);
    for (bad, q) in [(cursor, &other), (json!("999999"), &q), (json!("3-zzzzzzzz"), &q), (json!("-3"), &q)] {
        let refused = ask(q, bad.clone()).await.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.detail("field").unwrap()),
            (ErrorKind::InvalidArgument, &json!("cursor")),
            "{bad}"
        );
    }
    // Who follows events goes on at a position alone.
    assert!(ask(&q, json!("3")).await.is_ok());

    let mut kinds = BTreeSet::new();
    for event in everything(&q).await {
        let (kind, id) = (event["kind"].as_str().unwrap().to_owned(), event["entity_id"].clone());
        if !kinds.insert((kind.clone(), id.to_string())) {
            continue;
        }
        let told = call(&q, "history.why", json!({ "kind": kind, "entity_id": id })).await.unwrap();
        let chain = told["chain"].as_array().unwrap();
        assert!(!chain.is_empty(), "{kind} {id}");
        for link in chain {
            let sentence = link["sentence"].as_str().unwrap();
            assert!(
                !sentence.is_empty() && !sentence.contains(['{', '[']) && !sentence.contains("something"),
                "{kind}: {sentence}"
            );
        }
    }
    assert!(kinds.len() > 20);
    assert_eq!(
        call(&q, "history.why", json!({ "entity_id": "never" })).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    q.close().await.unwrap();
    other.close().await.unwrap();
}
