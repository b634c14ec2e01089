//! How much memory does a server take: idle, with so many open quorums, and at its peak when all of them are overdue at a
//! restart?
//!
//! `cargo bench --bench memory` measures 1,000, 10,000 and 100,000; numbers as arguments measure others.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use quorate_runtime::shell::clock::Stopwatch;

/// Connections that open quorums and vote at the same time.
const CONNECTIONS: usize = 8;
/// Requests sent before their answers are read.
const PIPELINED: usize = 16;
/// How long a process rests before its memory is read.
const REST: Duration = Duration::from_secs(5);

fn serve(data: &str) -> (Child, String) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_quorate"))
        .args(["serve", "--data", data, "--listen", "127.0.0.1:0"])
        .env("QUORATE_LOG", "error")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (server, line.trim().strip_prefix("listening on http://").unwrap().to_owned())
}

/// A line of the status of a process, in MB.
fn memory(server: &Child, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().unwrap() / 1_000
}

/// Reads one answer; its body.
fn answer(stream: &mut BufReader<TcpStream>) -> String {
    let (mut line, mut length) = (String::new(), 0);
    let mut first = String::new();
    loop {
        line.clear();
        assert!(stream.read_line(&mut line).unwrap() > 0, "the server hung up");
        if first.is_empty() {
            first = line.clone();
        }
        if let Some(number) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = number.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    assert!(first.contains(" 200 "), "{first}{body}");
    body
}

fn request(method: &str, path: &str, body: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// Opens the quorums that this connection is for, and casts one vote in each.
fn open_quorums(address: &str, connection: usize, count: usize, timeout: Duration) {
    let mut stream = BufReader::new(TcpStream::connect(address).unwrap());
    let ids: Vec<usize> = (connection..count).step_by(CONNECTIONS).collect();
    for some in ids.chunks(PIPELINED) {
        for part in ["start", "vote"] {
            let requests: String = some
                .iter()
                .map(|n| match part {
                    "start" => {
                        let body = format!(
                            r#"{{"quorum_id":"q{n}","quorum_type":"global","voters":["a","b","c"],"timeout_seconds":{}}}"#,
                            timeout.as_secs()
                        );
                        request("POST", "/api/v1/quorum/start", &body)
                    }
                    _ => {
                        request("POST", &format!("/api/v1/quorum/q{n}/vote"), r#"{"voter_id":"a","vote":true}"#)
                    }
                })
                .collect();
            stream.get_mut().write_all(requests.as_bytes()).unwrap();
            some.iter().for_each(|_| drop(answer(&mut stream)));
        }
    }
}

/// How many quorums are still open.
fn open(address: &str) -> u64 {
    let mut stream = BufReader::new(TcpStream::connect(address).unwrap());
    stream.get_mut().write_all(request("GET", "/api/v1/quorum/stats", "").as_bytes()).unwrap();
    let body = answer(&mut stream);
    let (_, rest) = body.split_once("\"active_quorums\":").unwrap();
    rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

fn measure(count: usize) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let data = data.to_str().unwrap();
    let (mut server, address) = serve(data);
    std::thread::sleep(REST);
    let idle = memory(&server, "VmRSS:");
    // Long enough that none is overdue before the last one is open.
    let timeout = Duration::from_secs(20 + count as u64 / 500);
    let began = Stopwatch::start();
    std::thread::scope(|scope| {
        for connection in 0..CONNECTIONS {
            let address = &address;
            scope.spawn(move || open_quorums(address, connection, count, timeout));
        }
    });
    let opened = began.elapsed();
    let last = Stopwatch::start();
    assert_eq!(open(&address), count as u64, "opened in {opened:?}");
    std::thread::sleep(REST);
    let (live, live_peak) = (memory(&server, "VmRSS:"), memory(&server, "VmHWM:"));
    server.kill().unwrap();
    server.wait().unwrap();
    std::thread::sleep((timeout + Duration::from_secs(1)).saturating_sub(last.elapsed()));
    let again = Stopwatch::start();
    let (mut server, address) = serve(data);
    let serves = again.elapsed();
    while open(&address) > 0 {
        std::thread::sleep(Duration::from_millis(100));
    }
    let settled = again.elapsed();
    std::thread::sleep(REST);
    let (after, peak) = (memory(&server, "VmRSS:"), memory(&server, "VmHWM:"));
    server.kill().unwrap();
    server.wait().unwrap();
    println!(
        "| {count} | {idle} | {live} | {live_peak} | {peak} | {after} | {:.1} s | {:.1} s |",
        serves.as_secs_f64(),
        settled.as_secs_f64()
    );
}

fn main() {
    let counts: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    println!(
        "| open quorums | idle, MB | live | live at most | restart at most | after it | serves | all settled |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for count in if counts.is_empty() { vec![1_000, 10_000, 100_000] } else { counts } {
        measure(count);
    }
}
