//! Requests that are too large, too slow or not HTTP.

use std::io::{Read, Write};
use std::time::Duration;

use quorate::Config;
use quorate_http::Options;
use quorate_runtime::shell::clock::Stopwatch;

use crate::client::{Running, read};

const START: &str = "/api/v1/quorum/start";

#[test]
fn a_body_of_ten_megabytes_is_too_large_and_the_client_hears_it() {
    let running = Running::start();
    let body = vec![b'x'; 10 << 20];
    let refused = running.client.send("POST", START, &[], &body);
    assert_eq!(refused.error(), (413, "payload_too_large"));
    assert_eq!(refused.json["error"]["limit"], 1 << 20);
    assert_eq!(running.client.send("POST", "/nowhere", &[], &body).error().0, 413);
    assert_eq!(running.client.get("/healthz").status, 200);
}

#[test]
fn a_client_that_sends_a_large_body_slowly_hears_the_answer_too() {
    let running = Running::start();
    let mut stream = running.client.connect();
    let part = vec![b'x'; 1 << 20];
    let head =
        format!("POST {START} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", 6 * part.len());
    stream.write_all(head.as_bytes()).unwrap();
    for _ in 0..6 {
        stream.write_all(&part).unwrap();
        std::thread::sleep(Duration::from_millis(600));
    }
    assert_eq!(read(&mut stream).error(), (413, "payload_too_large"));
}

#[test]
fn a_chunked_body_is_too_large_as_well() {
    let running = Running::start();
    let mut request = format!(
        "POST {START} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    .into_bytes();
    for _ in 0..40 {
        request.extend_from_slice(b"10000\r\n");
        request.extend_from_slice(&[b' '; 0x10000]);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    assert_eq!(running.client.raw(&request).error(), (413, "payload_too_large"));
}

#[test]
fn a_body_that_announces_a_terabyte_is_refused_at_once() {
    let running = Running::start();
    let head = format!("POST {START} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1099511627776\r\n\r\n");
    assert_eq!(running.client.raw(head.as_bytes()).error(), (413, "payload_too_large"));
}

#[test]
fn a_body_of_exactly_the_limit_is_taken() {
    let running = Running::start();
    let mut body = br#"{"quorum_type":"global"}"#.to_vec();
    body.resize(1 << 20, b' ');
    assert_eq!(running.client.send("POST", START, &[], &body).status, 200);
    body.push(b' ');
    assert_eq!(running.client.send("POST", START, &[], &body).status, 413);
}

#[test]
fn a_client_that_asks_before_it_sends_is_told_to_go_on() {
    let running = Running::start();
    let mut stream = running.client.connect();
    let head = "host: localhost\r\nconnection: close\r\nexpect: 100-continue\r\ncontent-length: 24";
    stream.write_all(format!("POST {START} HTTP/1.1\r\n{head}\r\n\r\n").as_bytes()).unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(br#"{"quorum_type":"global"}"#).unwrap();
    assert_eq!(read(&mut stream).status, 200);
}

#[test]
fn a_slow_client_is_cut_off() {
    let options = Options {
        head_timeout: Duration::from_secs(1),
        body_timeout: Duration::from_millis(200),
        ..Options::default()
    };
    let running = Running::with(Config::memory(), options);
    let begun = Stopwatch::start();
    let mut head = running.client.connect();
    head.write_all(b"GET /healthz HTTP/1.1\r\nhos").unwrap();
    assert_eq!(read(&mut head).error(), (408, "request_timeout"));
    let mut body = running.client.connect();
    body.write_all(
        format!("POST {START} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 50\r\n\r\n{{").as_bytes(),
    )
    .unwrap();
    let slow = read(&mut body);
    assert_eq!((slow.error(), slow.header("retry-after")), ((408, "request_timeout"), Some("1")));
    assert_eq!(slow.json["error"]["limit_ms"], 200);
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(running.client.get("/healthz").status, 200);
}

#[test]
fn heads_that_are_too_large_and_bytes_that_are_not_http_are_errors() {
    let running = Running::start();
    let long_path =
        format!("GET /{} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", "a".repeat(100_000));
    let long_header = format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "a".repeat(200_000));
    let many_headers = format!("GET / HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "a: b\r\n".repeat(500));
    let requests: [&[u8]; 7] = [
        long_path.as_bytes(),
        long_header.as_bytes(),
        many_headers.as_bytes(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
    ];
    for request in requests {
        let mut stream = running.client.connect();
        // The server may answer and close before everything is sent.
        let _ = stream.write_all(request);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let text = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || text.starts_with("HTTP/1.1 4"), "{text}");
    }
    assert_eq!(running.client.get("/healthz").status, 200);
}

#[test]
fn what_is_too_long_in_a_head_is_said_by_its_status_and_nothing_panics() {
    let running = Running::start();
    let host = "host: localhost\r\nconnection: close\r\n";
    let answer = |request: String| {
        let mut stream = running.client.connect();
        // The server may answer and close before everything is sent.
        let _ = stream.write_all(request.as_bytes());
        read(&mut stream)
    };
    let target = |length: usize| format!("GET /{} HTTP/1.1\r\n{host}\r\n", "a".repeat(length - 1));
    assert_eq!(answer(target(65_534)).error(), (404, "unknown_operation"));
    for length in [65_535, 100_000] {
        let refused = answer(target(length));
        assert_eq!(refused.error(), (414, "payload_too_large"), "{length}");
        assert_eq!(refused.json["error"]["limit"], 65_534);
    }
    let named = |length: usize| format!("GET /healthz HTTP/1.1\r\n{host}{}: x\r\n\r\n", "n".repeat(length));
    assert_eq!(answer(named(65_535)).status, 200);
    for length in [65_536, 100_000] {
        let refused = answer(named(length));
        assert_eq!(refused.error(), (431, "payload_too_large"), "{length}");
        assert_eq!(refused.json["error"]["limit"], 65_535);
    }
    let valued = |length: usize| format!("GET /healthz HTTP/1.1\r\n{host}x: {}\r\n\r\n", "a".repeat(length));
    assert_eq!(answer(valued(100_000)).status, 200);
    // What is not read to its end may cut the answer off.
    for (request, status) in [(target(200_000), "414"), (valued(200_000), "431")] {
        let mut stream = running.client.connect();
        let _ = stream.write_all(request.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let text = String::from_utf8_lossy(&answer);
        assert!(text.is_empty() || text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
    }
    // Behind a body that holds what would be too long in a head, and behind another request.
    let body = format!("{}{}", r#"{"quorum_type":"global"}"#, "\n".repeat(9));
    let first =
        format!("POST {START} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let both = answer(first + &named(65_536)).text;
    assert!(both.contains("HTTP/1.1 431 Request Header Fields Too Large\r\n"), "{both}");
}

#[test]
fn one_connection_carries_many_requests_also_after_errors() {
    let running = Running::start();
    let mut stream = running.client.connect();
    let bad = format!("POST {START} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\n\r\n{{");
    let unknown = "POST /nowhere HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\nGET /";
    let last = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(format!("{bad}{unknown}{bad}{last}").as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let statuses: Vec<&str> =
        text.split("HTTP/1.1 ").skip(1).filter_map(|answer| answer.split(' ').next()).collect();
    assert_eq!(statuses, ["400", "404", "400", "200"], "{text}");
}

#[test]
fn an_error_never_carries_a_large_input_back() {
    let running = Running::start();
    let long = "x".repeat(900_000);
    for body in [
        format!(r#"{{"quorum_type":"{long}"}}"#),
        format!(r#"{{"quorum_type":"global","{long}":1}}"#),
        format!(r#"{{"quorum_type":"global","{long}":1,"{long}":2}}"#),
        format!(r#"{{"quorum_type":"global","vote_change":"{long}"}}"#),
        format!(r#"{{"quorum_type":"global","ring":"{long}"}}"#),
        format!(r#"{{"quorum_type":"global","quorum_id":"{long}"}}"#),
        format!(r#"{{"quorum_type":"global","subject":{{"{long}":1e999}}}}"#),
        format!(r#"{{"quorum_type":"global","subject":"{long}"}}"#),
        format!(r#"{{"quorum_type":"radial","arm":"{long}"}}"#),
        format!(r#"{{"quorum_type":"global"}} {long}"#),
    ] {
        let refused = running.client.post(START, &body);
        assert_eq!(refused.error().0 / 100, 4);
        assert!(refused.text.len() < 8_000, "{} bytes: {}", refused.text.len(), &refused.text[..200]);
    }
}

/// Reads the head and body of one answer on a connection that stays open, or to its end.
fn answers_and_closes(stream: &mut std::net::TcpStream) -> (u16, bool) {
    let mut bytes = Vec::new();
    let closed = match stream.read_to_end(&mut bytes) {
        Ok(_) => true,
        // A server that closes with bytes unread resets.
        Err(e) => e.kind() == std::io::ErrorKind::ConnectionReset,
    };
    let text = String::from_utf8_lossy(&bytes);
    (text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0), closed)
}

#[test]
fn a_chunked_body_that_never_ends_is_answered_and_its_socket_is_closed() {
    let options = Options { body_timeout: Duration::from_millis(300), ..Options::default() };
    let running = Running::with(Config::memory(), options);
    let mut stream = running.client.connect();
    let head = format!("POST {START} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut sender = stream.try_clone().unwrap();
    let sending = std::thread::spawn(move || {
        // Goes on after the answer, for as long as the server takes it.
        (0..4_000).find_map(|_| {
            std::thread::sleep(Duration::from_millis(5));
            sender.write_all(b"1\r\n \r\n").err()
        })
    });
    assert_eq!(answers_and_closes(&mut stream), (408, true));
    assert!(sending.join().unwrap().is_some(), "the server takes no more of it");
}

#[test]
fn bodies_that_are_not_there_are_bounded_and_leave_the_door_open() {
    let options =
        Options { max_slow_bodies: 20, body_timeout: Duration::from_secs(20), ..Options::default() };
    let running = Running::with(Config::memory(), options);
    let head =
        format!("POST {START} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n1\r\n ");
    let held: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = running.client.connect();
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    let refused = loop {
        let mut stream = running.client.connect();
        stream.write_all(head.as_bytes()).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let (status, _) = answers_and_closes(&mut stream);
        // Those before it may still be on their way; then this one has a place, and gives it back.
        if status != 0 {
            break status;
        }
    };
    assert_eq!(refused, 503);
    // What comes at once with its head is none of them, and what has no body even less.
    assert_eq!(running.client.get("/healthz").status, 200);
    let quorum = running.quorum(&["ann", "bob"], 2);
    let vote =
        running.client.post(&format!("/api/v1/quorum/{quorum}/vote"), r#"{"voter_id":"ann","vote":true}"#);
    assert_eq!(vote.status, 200);
    drop(held);
}

#[test]
fn the_bytes_of_bodies_that_are_not_there_are_bounded() {
    let options = Options {
        max_body_bytes: 1 << 20,
        max_slow_bytes: 1 << 20,
        body_timeout: Duration::from_secs(20),
        ..Options::default()
    };
    let running = Running::with(Config::memory(), options);
    let head = format!("POST {START} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1048576\r\n\r\n");
    let half = vec![b' '; 600 << 10];
    let mut first = running.client.connect();
    let mut second = running.client.connect();
    for stream in [&mut first, &mut second] {
        stream.write_all(head.as_bytes()).unwrap();
        // The second is refused while it sends.
        let _ = stream.write_all(&half);
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    }
    // Both do not find room; which of them does not is up to the server.
    let refused = (0..400).find_map(|n| {
        let stream = if n % 2 == 0 { &mut second } else { &mut first };
        let (status, closed) = answers_and_closes(stream);
        (status != 0).then(|| {
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            (status, closed || answers_and_closes(stream).1)
        })
    });
    assert_eq!(refused, Some((503, true)));
    assert_eq!(running.client.get("/healthz").status, 200);
}

#[test]
fn requests_that_wait_are_bounded_and_votes_and_health_are_answered() {
    let options = Options { max_waits: 30, max_connections: 100, workers: 1, ..Options::default() };
    let running = Running::with(Config::memory(), options);
    let quorum = running.quorum(&["ann", "bob"], 2);
    let wait =
        format!("GET /api/v1/quorum/{quorum}/wait?timeout_ms=60000 HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let held: Vec<_> = (0..30)
        .map(|_| {
            let mut stream = running.client.connect();
            stream.write_all(wait.as_bytes()).unwrap();
            stream
        })
        .collect();
    running.until_in_flight(30);
    let refused = running.client.get(&format!("/api/v1/quorum/{quorum}/wait?timeout_ms=60000"));
    assert_eq!((refused.error(), refused.header("retry-after")), ((503, "overloaded"), Some("1")));
    assert_eq!(refused.json["error"]["limit"], 30);
    // Who does not wait finds everything open.
    assert_eq!(running.client.get("/healthz").status, 200);
    assert_eq!(running.client.get(&format!("/api/v1/quorum/{quorum}/status")).status, 200);
    let vote = |voter: &str| {
        let body = format!(r#"{{"voter_id":"{voter}","vote":true}}"#);
        running.client.post(&format!("/api/v1/quorum/{quorum}/vote"), &body).status
    };
    assert_eq!((vote("ann"), vote("bob")), (200, 200));
    // The decision ends every wait, and their places are free.
    running.until_in_flight(0);
    let wait = || running.client.get(&format!("/api/v1/quorum/{quorum}/wait?timeout_ms=10")).status;
    // A place is free once the answer is on its way, a moment after the wait has ended.
    assert!((0..2_000).any(|_| wait() == 200));
    drop(held);
}

#[test]
fn connections_that_say_nothing_give_way_when_the_door_is_full() {
    // None of these timeouts ends a connection while the test runs.
    let never = Duration::from_secs(3_600);
    let options = Options {
        max_connections: 32,
        workers: 1,
        head_timeout: never,
        keep_alive: never,
        ..Options::default()
    };
    let running = Running::with(Config::memory(), options);
    let quorum = running.quorum(&["ann"], 1);
    // One that waits is not idle.
    let client = running.client;
    let path = format!("/api/v1/quorum/{quorum}/wait?timeout_ms=300000");
    let waiting = std::thread::spawn(move || client.get(&path));
    running.until_in_flight(1);
    let silent: Vec<_> = (0..120)
        .map(|n| {
            let mut stream = running.client.connect();
            if n % 2 == 0 {
                stream.write_all(b"GET /healthz HTTP/1.1\r\nhos").unwrap();
            }
            stream
        })
        .collect();
    assert_eq!(running.client.get("/healthz").status, 200);
    let vote = format!("/api/v1/quorum/{quorum}/vote");
    assert_eq!(running.client.post(&vote, r#"{"voter_id":"ann","vote":true}"#).status, 200);
    assert_eq!(waiting.join().unwrap().json["status"]["state"], "approved");
    drop(silent);
}

#[test]
fn a_door_that_fills_lets_go_of_idle_connections() {
    let options = Options { max_connections: 12, workers: 1, ..Options::default() };
    let running = Running::with(Config::memory(), options);
    let health = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut kept = Vec::new();
    for n in 0..40 {
        let mut stream = running.client.connect();
        stream.write_all(health).unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap_or_else(|e| panic!("connection {n}: {e}"));
        assert_eq!(&first, b"HTTP/1.1 200");
        kept.push(stream);
    }
}
