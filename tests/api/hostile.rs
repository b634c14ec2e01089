//! A client that takes all it can get, beside one that works.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use quorate::Config;
use quorate_http::Options;
use quorate_runtime::shell::clock::Stopwatch;
use serde_json::json;

use crate::authorisation::token;
use crate::client::{Answer, Client, Running, read};

const ROUNDS: usize = 150;

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn post(running: &Running, token: &str, path: &str, body: &str) -> Answer {
    running.client.send("POST", path, &[("authorization", &bearer(token))], body.as_bytes())
}

/// Sends the head of a request, and what of its body is said, and listens to nothing.
fn begin(client: Client, token: &str, line: &str, rest: &str) -> TcpStream {
    let mut stream = client.connect();
    let head = format!("{line} HTTP/1.1\r\nhost: localhost\r\nauthorization: {}\r\n{rest}", bearer(token));
    // A door that has enough of it may have closed.
    let _ = stream.write_all(head.as_bytes());
    stream
}

/// Votes and beats, each answered; gives how long each took, sorted.
fn work(running: &Running, token: &str, name: &str) -> Vec<Duration> {
    let mut took = Vec::new();
    for round in 0..ROUNDS {
        let id = format!("{name}-{round}");
        let start =
            json!({ "quorum_type": "global", "quorum_id": id, "voters": ["ann"], "required_votes": 1 });
        let calls = [
            ("/api/v1/quorum/start".to_owned(), start.to_string()),
            (format!("/api/v1/quorum/{id}/vote"), r#"{"voter_id":"ann","vote":true}"#.to_owned()),
            ("/api/v1/agent/ann/beat".to_owned(), "{}".to_owned()),
        ];
        for (path, body) in calls {
            let begun = Stopwatch::start();
            let answer = post(running, token, &path, &body);
            took.push(begun.elapsed());
            assert_eq!(answer.status, 200, "{path} {answer:?}");
        }
    }
    took.sort_unstable();
    took
}

fn p99(took: &[Duration]) -> Duration {
    took[took.len() * 99 / 100]
}

#[test]
fn a_client_that_takes_all_it_can_get_has_its_share_and_nobody_else_is_refused() {
    let options = Options {
        workers: 1,
        max_connections: 400,
        max_waits: 60,
        max_waits_each: 40,
        max_followers: 20,
        max_followers_each: 15,
        max_slow_bodies: 20,
        max_slow_bodies_each: 15,
        max_requests_each: 64,
        // Nothing of what she holds keeps it: what she asks for besides is answered.
        max_turns_each: 1,
        ..Options::default()
    };
    let running = Running::with(Config::memory(), options);
    let root = token(&running, "root", &["admin"], &[]);
    let ann = token(&running, "ann", &["quorum.*", "agent.*", "read"], &["*"]);
    let eve = token(&running, "eve", &["quorum.*", "agent.*", "read"], &["*"]);
    assert_eq!(post(&running, &ann, "/api/v1/agent/register", r#"{"agent_id":"ann"}"#).status, 200);
    let open = r#"{"quorum_type":"global","quorum_id":"open","timeout_seconds":3600}"#;
    assert_eq!(post(&running, &root, "/api/v1/quorum/start", open).status, 200);
    let quiet = work(&running, &ann, "quiet");

    let (ended, floods) = (AtomicBool::new(false), AtomicUsize::new(0));
    let client = running.client;
    let (noisy, held) = std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !ended.load(Ordering::Acquire) {
                    let stats = begin(client, &eve, "GET /api/v1/quorum/stats", "connection: close\r\n\r\n");
                    drop(stats.take(1 << 16).read_to_end(&mut Vec::new()));
                    floods.fetch_add(1, Ordering::AcqRel);
                }
            });
        }
        let mut held: Vec<TcpStream> = (0..60).map(|_| running.client.connect()).collect();
        for _ in 0..60 {
            let wait = "GET /api/v1/quorum/open/wait?timeout_ms=300000";
            held.push(begin(running.client, &eve, wait, "\r\n"));
            held.push(begin(running.client, &eve, "GET /api/v1/events", "\r\n"));
            let slow = "content-length: 1000\r\n\r\n{\"quorum_type\"";
            held.push(begin(running.client, &eve, "POST /api/v1/quorum/start", slow));
        }
        let noisy = work(&running, &ann, "noisy");
        ended.store(true, Ordering::Release);
        (noisy, held)
    });
    let ratio = p99(&noisy).as_secs_f64() / p99(&quiet).as_secs_f64();
    let floods = floods.into_inner();
    eprintln!(
        "p99 quiet {:?}, beside the other {:?}: {ratio:.1} times; {floods} floods",
        p99(&quiet),
        p99(&noisy)
    );

    // What others need is still there: a wait, a follower, a slow body.
    let wait = running.client.send(
        "GET",
        "/api/v1/quorum/open/wait?timeout_ms=1",
        &[("authorization", &bearer(&ann))],
        b"",
    );
    assert_eq!(wait.status, 200, "{wait:?}");
    let mut follower = begin(running.client, &ann, "GET /api/v1/events", "\r\n");
    let mut head = [0; 12];
    follower.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    let body = r#"{"quorum_type":"global"}"#;
    let sized = format!("connection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    let mut slow = begin(running.client, &ann, "POST /api/v1/quorum/start", &sized);
    std::thread::sleep(Duration::from_millis(200));
    slow.write_all(body.as_bytes()).unwrap();
    assert_eq!(read(&mut slow).status, 200);

    // The one who took all is told what it is, and what to do.
    let more = running.client.send(
        "GET",
        "/api/v1/quorum/open/wait?timeout_ms=60000",
        &[("authorization", &bearer(&eve))],
        b"",
    );
    assert_eq!((more.error(), more.header("retry-after")), ((429, "share_exceeded"), Some("1")));
    assert_eq!(
        (&more.json["error"]["what"], &more.json["error"]["limit"]),
        (&json!("requests that wait"), &json!(40))
    );
    let metrics = running.client.send("GET", "/metrics", &[("authorization", &bearer(&ann))], b"").text;
    assert!(metrics.contains("quorate_door_places{what=\"requests that wait\"} 40"), "{metrics}");
    // However many clients and ids there are, the page has a line for each thing and none for each name.
    assert_eq!(metrics.lines().filter(|line| line.starts_with("quorate_door_")).count(), 10);
    assert!(!metrics.contains("\"eve\"") && !metrics.contains("noisy"));
    drop(held);
    // Its places are free once it has let go.
    let again = || {
        let wait = "/api/v1/quorum/open/wait?timeout_ms=1";
        running.client.send("GET", wait, &[("authorization", &bearer(&eve))], b"").status
    };
    assert!((0..2_000).any(|_| again() == 200));
}
