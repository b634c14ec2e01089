//! Following what is recorded.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use quorate::{Config, Quorate, StartQuorum};
use quorate_http::Options;
use serde_json::Value;

use crate::client::{Client, Running};

/// A follower, as a browser would be one.
struct Follower {
    lines: std::io::Lines<BufReader<TcpStream>>,
    last: String,
}

impl Follower {
    fn new(client: &Client, query: &str, last: Option<&str>) -> Self {
        let mut stream = client.connect();
        let last_id = last.map(|last| format!("last-event-id: {last}\r\n")).unwrap_or_default();
        write!(stream, "GET /api/v1/events{query} HTTP/1.1\r\nhost: localhost\r\n{last_id}\r\n").unwrap();
        let mut lines = BufReader::new(stream).lines();
        let head: Vec<String> =
            lines.by_ref().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
        assert!(
            head[0].contains(" 200 ") && head.iter().any(|line| line == "content-type: text/event-stream"),
            "{head:?}"
        );
        let mut follower = Follower { lines, last: String::new() };
        assert!(follower.block().is_none(), "first it is told where it stands");
        follower
    }

    /// The next event; none for a sign of life.
    fn block(&mut self) -> Option<Value> {
        let mut data = None;
        loop {
            let line = self.lines.next().expect("the stream goes on").unwrap();
            if let Some(id) = line.strip_prefix("id: ") {
                self.last = id.to_owned();
            } else if let Some(json) = line.strip_prefix("data: ") {
                data = Some(serde_json::from_str(json).unwrap());
            } else if line.is_empty() && !self.last.is_empty() {
                return data;
            }
        }
    }

    fn next(&mut self) -> Value {
        loop {
            if let Some(event) = self.block() {
                return event;
            }
        }
    }

    fn names(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.next()["event"].as_str().unwrap().to_owned()).collect()
    }
}

fn positions(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["position"].as_u64().unwrap()).collect()
}

#[test]
fn a_follower_hears_what_is_recorded_from_now_on_and_goes_on_where_it_was_cut_off() {
    let running = Running::start();
    let quorum = running.quorum(&["ann", "bob", "cid"], 2);
    let mut live = Follower::new(&running.client, "", None);
    let vote = |voter: &str| {
        let body = serde_json::json!({ "voter_id": voter, "vote": true });
        let answer = running.client.post(&format!("/api/v1/quorum/{quorum}/vote"), &body.to_string());
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    vote("ann");
    let first = live.next();
    assert_eq!((&first["event"], &first["data"]["voter_id"]), (&"vote_cast".into(), &"ann".into()));
    assert_eq!(live.last, first["position"].to_string());
    let last = live.last.clone();
    drop(live);
    vote("bob");
    let mut again = Follower::new(&running.client, "?kind=quorum", Some(&last));
    assert_eq!(again.names(2), ["vote_cast", "closed"], "no gap and no repeat");
    let mut all = Follower::new(&running.client, "?cursor=0", None);
    let told: Vec<Value> = (0..4).map(|_| all.next()).collect();
    let page = running.client.get("/api/v1/history");
    let recorded = page.json["events"].as_array().unwrap_or_else(|| panic!("{page:?}"));
    assert_eq!(&told, recorded, "the same as a query tells");
    assert_eq!(positions(&told), [1, 2, 3, 4]);
    // What the address says was true when it was written; the header is later.
    let mut later = Follower::new(&running.client, "?cursor=0", Some("3"));
    assert_eq!(later.next()["event"], "closed");
}

#[test]
fn filters_are_those_of_a_query_and_what_has_no_meaning_is_refused() {
    let running = Running::start();
    let mut waiting = Follower::new(&running.client, "?kind=quorum&entity_id=later&event=closed", None);
    for name in ["now", "later"] {
        let body =
            format!(r#"{{"quorum_type":"global","quorum_id":"{name}","voters":["ann"],"required_votes":1}}"#);
        assert_eq!(running.client.post("/api/v1/quorum/start", &body).status, 200);
        let vote = r#"{"voter_id":"ann","vote":true}"#;
        assert_eq!(running.client.post(&format!("/api/v1/quorum/{name}/vote"), vote).status, 200);
    }
    let told = waiting.next();
    assert_eq!((&told["entity_id"], &told["event"]), (&"later".into(), &"closed".into()));
    for (query, field) in [
        ("?limit=5", "limit"),
        ("?until=2026-01-01T00:00:00Z", "until"),
        ("?kind=banana", "kind"),
        ("?event=banana", "event"),
        ("?cursor=x", "cursor"),
        ("?banana=1", "banana"),
    ] {
        let answer = running.client.get(&format!("/api/v1/events{query}"));
        assert_eq!((answer.error(), answer.field()), ((422, "invalid_argument"), field));
    }
    let answer = running.client.send("GET", "/api/v1/events", &[("last-event-id", "x")], b"");
    assert_eq!((answer.error(), answer.field()), ((422, "invalid_argument"), "cursor"));
    assert_eq!(running.client.post("/api/v1/events", "{}").status, 405);
    assert_eq!(running.client.send("HEAD", "/api/v1/events", &[], b"").status, 200);
}

#[test]
fn followers_are_counted_and_give_their_places_back() {
    let options = Options { max_followers: 2, ..Options::default() };
    let running = Running::with(Config::memory(), options);
    let both = [(); 2].map(|()| Follower::new(&running.client, "", None));
    assert_eq!(running.client.get("/api/v1/events").error(), (503, "overloaded"));
    drop(both);
    let again = || running.client.send("HEAD", "/api/v1/events", &[], b"").status == 200;
    assert!((0..400).any(|_| again() || {
        std::thread::sleep(std::time::Duration::from_millis(10));
        false
    }));
}

#[test]
fn a_follower_that_reads_late_misses_nothing_and_a_server_that_stops_ends_the_stream() {
    const MANY: usize = 3_000;
    let mut running = Running::start();
    let mut slow = Follower::new(&running.client, "", None);
    let q: Quorate = running.q.clone();
    running.runtime.block_on(async {
        for _ in 0..MANY {
            let question = StartQuorum::global().with_voters(["ann"]).unwrap();
            q.quorums().start(question).await.unwrap();
        }
    });
    let told: Vec<Value> = (0..MANY).map(|_| slow.next()).collect();
    assert_eq!(positions(&told), (1..=MANY as u64).collect::<Vec<_>>());
    let server = running.server.take().unwrap();
    running.runtime.block_on(server.stop()).unwrap();
    let rest: Vec<String> = slow.lines.by_ref().map_while(Result::ok).collect();
    assert!(rest.iter().all(|line| !line.starts_with("data: ")), "{rest:?}");
}
