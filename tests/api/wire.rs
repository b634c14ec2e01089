//! What a client sees that closes its side early, or that sends what is no request.

use std::io::Write;
use std::net::Shutdown;
use std::time::Duration;

use quorate::Config;
use quorate_http::Options;

use super::client::{Running, read};

#[test]
fn a_client_that_has_said_all_it_wants_to_say_still_gets_its_answer() {
    let running = Running::start();
    let body = r#"{"quorum_type":"global","quorum_id":"q","voters":["ann","bob"]}"#;
    let post = format!(
        "POST /api/v1/quorum/start HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let get = "GET /api/v1/quorum/q/status HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let old = "GET /healthz HTTP/1.0\r\nhost: localhost\r\n\r\n";
    for request in [post.as_str(), get, old] {
        let mut stream = running.client.connect();
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let answer = read(&mut stream);
        assert_eq!(answer.status, 200, "{request} {answer:?}");
    }
    // A body that breaks off is told.
    let mut stream = running.client.connect();
    stream.write_all(&post.as_bytes()[..post.len() - 5]).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read(&mut stream).error(), (400, "malformed_request"));
    // Nobody can tell it from a client that hung up, so a wait of it ends, and says so.
    let mut stream = running.client.connect();
    stream
        .write_all(b"GET /api/v1/quorum/q/wait?timeout_ms=300000 HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .unwrap();
    running.until_in_flight(1);
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read(&mut stream).error(), (503, "outcome_unknown"));
    running.until_in_flight(0);
}

#[test]
fn what_is_no_request_is_refused_in_the_form_of_every_other_refusal() {
    let options = Options { head_timeout: Duration::from_secs(1), ..Options::default() };
    let running = Running::with(Config::memory(), options);
    let host = "host: localhost\r\n";
    let refused = |request: String| {
        let mut stream = running.client.connect();
        // The server may have answered and closed before all of it is sent.
        let _ = stream.write_all(request.as_bytes());
        read(&mut stream)
    };
    for request in [
        "garbage\r\n\r\n".to_owned(),
        "GET / HTTP/3.7\r\n\r\n".to_owned(),
        format!("GET / HTTP/1.1\r\n{host}x: a\0b\r\n\r\n"),
        format!("POST /api/v1/quorum/start HTTP/1.1\r\n{host}content-length: -3\r\n\r\nabc"),
        format!(
            "POST /api/v1/quorum/start HTTP/1.1\r\n{host}content-length: 3\r\ncontent-length: 4\r\n\r\nabc"
        ),
    ] {
        let answer = refused(request.clone());
        assert_eq!(answer.error(), (400, "malformed_request"), "{request}");
    }
    let headers: String = (0..200).map(|n| format!("x{n}: a\r\n")).collect();
    let answer = refused(format!("GET /api/v1/quorums HTTP/1.1\r\n{host}{headers}\r\n"));
    assert_eq!(answer.error(), (431, "payload_too_large"));
    assert_eq!(answer.json["error"]["max_headers"], 96);
    let slow = refused("GET /api/v1/quo".to_owned());
    assert_eq!(slow.error(), (408, "request_timeout"));
    assert_eq!(slow.json["error"]["limit_ms"], 1_000);
    let unknown = refused(format!("GET /nope HTTP/1.1\r\n{host}connection: close\r\n\r\n"));
    assert_eq!(unknown.error(), (404, "unknown_operation"));
    let method = refused(format!("DELETE /api/v1/quorums HTTP/1.1\r\n{host}connection: close\r\n\r\n"));
    assert_eq!(method.error(), (405, "unknown_operation"));
    let large = format!("POST /api/v1/quorum/start HTTP/1.1\r\n{host}content-length: 999999999\r\n\r\n");
    assert_eq!(refused(large).error(), (413, "payload_too_large"));
    // After an answer on the same connection too.
    let both = refused(format!("GET /healthz HTTP/1.1\r\n{host}\r\ngarbage\r\n\r\n"));
    let (_, second) = both.text.split_once("HTTP/1.1 400 Bad Request\r\n").unwrap();
    assert!(second.contains(r#""kind":"malformed_request""#), "{second}");
}
