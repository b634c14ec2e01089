//! What one client's ten thousand connections, slow bodies, waits and floods cost another. It measures, and takes minutes:
//! `cargo test --test cli -- --ignored --nocapture hostile`.
//!
//! ```text
//!  round:   ann alone ──► eve takes all she can get, ann beside her ──► eve is gone, ann alone ──► …
//!  ratio:                 p99 beside her  /  the larger p99 of ann alone before and after
//! ```
//!
//! Both clients and the server share the processors. What eve computes for herself is computed on her own machine where she
//! has one, so her threads run at a lower priority: what is measured is what the *server* does for her.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use quorate_runtime::shell::clock::Stopwatch;
use serde_json::Value;
use tempfile::TempDir;

use super::{quorate, run, text};

const ROUNDS: usize = 3;
const IDLE: usize = 10_000;
const SLOW: usize = 1_000;
const WAITS: usize = 2_000;
/// Threads that flood, and connections of each, on all of which a request is under way.
const FLOODS: usize = 8;
const LINES: usize = 64;
/// Waits that are asked for in all, of which nearly all are refused: she has her share.
const ASKED_WAITS: u64 = 100_000;
/// How long that may take.
const LONGEST: Duration = Duration::from_secs(60);
/// Requests of ann in each part of a round.
const REQUESTS: usize = 1_000;
/// What one client may hold (`Options::default`).
const WAITS_EACH: u64 = 1_024;
const SLOW_EACH: u64 = 256;
const REQUESTS_EACH: u64 = 512;

/// A connection on which one request follows the other.
struct Line {
    reader: BufReader<TcpStream>,
    head: String,
}

impl Line {
    fn to(address: &str, token: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let head = format!("host: {address}\r\nauthorization: Bearer {token}\r\n");
        Ok(Line { reader: BufReader::new(stream), head })
    }

    fn begin(&mut self, request: &str, rest: &str) -> std::io::Result<()> {
        let text = format!("{request} HTTP/1.1\r\n{}{rest}", self.head);
        self.reader.get_mut().write_all(text.as_bytes())
    }

    /// The status of an answer, which is read to its end, and its body.
    fn answer(&mut self) -> std::io::Result<(u16, Vec<u8>)> {
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim().to_ascii_lowercase();
            if let Some(code) = line.strip_prefix("http/1.1 ") {
                status = code[..3].parse().unwrap_or(0);
            } else if let Some(count) = line.strip_prefix("content-length: ") {
                length = count.parse().unwrap_or(0);
            } else if line.is_empty() {
                let mut body = vec![0; length];
                self.reader.read_exact(&mut body)?;
                return Ok((status, body));
            }
        }
    }

    fn post(&mut self, path: &str, body: &str) -> std::io::Result<u16> {
        let rest = format!("content-length: {}\r\n\r\n{body}", body.len());
        self.begin(&format!("POST {path}"), &rest)?;
        Ok(self.answer()?.0)
    }
}

/// How long requests of ann took, by their length, and how many were refused or cut off.
#[derive(Default)]
struct Took {
    all: Vec<Duration>,
    refused: usize,
    sent_again: usize,
}

impl Took {
    fn at(&self, permille: usize) -> f64 {
        let place = (self.all.len() * permille / 1_000).min(self.all.len() - 1);
        self.all[place].as_secs_f64() * 1_000.0
    }

    fn told(&self, name: &str) {
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').next().unwrap_or_default();
        eprintln!(
            "{name}: p50 {:.2} ms, p99 {:.2} ms, longest {:.2} ms; {} sent again; load {load}",
            self.at(500),
            self.at(990),
            self.at(1_000),
            self.sent_again
        );
    }
}

/// Votes and beats in turn.
fn work(address: &str, token: &str) -> Took {
    let mut line = Line::to(address, token).unwrap();
    let mut took = Took::default();
    for n in 0..REQUESTS {
        let (path, body) = match n % 2 {
            0 => ("/api/v1/quorum/q/vote", format!(r#"{{"voter_id":"ann","vote":{}}}"#, n % 4 == 0)),
            _ => ("/api/v1/agent/ann/beat", "{}".to_owned()),
        };
        let since = Stopwatch::start();
        let mut answered = line.post(path, &body);
        if answered.is_err() {
            // A door that is crowded closes connections behind an answer; what was not heard is sent again.
            took.sent_again += 1;
            line = Line::to(address, token).unwrap();
            answered = line.post(path, &body);
        }
        took.all.push(since.elapsed());
        took.refused += usize::from(!matches!(answered, Ok(200)));
    }
    took.all.sort();
    took
}

/// What eve did, and what became of it.
#[derive(Default)]
struct Counts {
    ended: AtomicBool,
    /// She holds all she can get, and floods.
    began: AtomicBool,
    held: AtomicU64,
    asked: AtomicU64,
    waits: AtomicU64,
    turned: AtomicU64,
}

/// Takes what she can get until it ends.
fn take_all(address: &str, token: &str, counts: &Counts) {
    // Of this thread, and of those that it starts.
    rustix::process::nice(5).unwrap();
    let began = |request: &str, rest: &str| {
        let mut line = Line::to(address, token).ok()?;
        line.begin(request, rest).ok()?;
        Some(line)
    };
    std::thread::scope(|scope| {
        let idle: Vec<TcpStream> = (0..IDLE).filter_map(|_| TcpStream::connect(address).ok()).collect();
        let slow = "content-length: 1000\r\n\r\n{\"quorum_type\"";
        let mut lines: Vec<Line> =
            (0..SLOW).filter_map(|_| began("POST /api/v1/quorum/start", slow)).collect();
        let wait = "GET /api/v1/quorum/q/wait?timeout_ms=300000";
        lines.extend((0..WAITS).filter_map(|_| began(wait, "\r\n")));
        counts.held.store((idle.len() + lines.len()) as u64, Ordering::Release);
        for _ in 0..FLOODS {
            scope.spawn(|| flood(address, token, counts));
        }
        counts.began.store(true, Ordering::Release);
        while !counts.ended.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
}

/// Asks on many connections at once, again and again: waits, counters, and what is put on record.
fn flood(address: &str, token: &str, counts: &Counts) {
    let asks = [
        ("GET /api/v1/quorum/q/wait?timeout_ms=300000", "\r\n"),
        ("GET /api/v1/quorum/stats", "\r\n"),
        ("POST /api/v1/agent/eve/beat", "content-length: 2\r\n\r\n{}"),
    ];
    let open = || {
        let line = Line::to(address, token).ok()?;
        line.reader.get_ref().set_read_timeout(Some(Duration::from_secs(1))).ok()?;
        Some(line)
    };
    let mut lines: Vec<Option<Line>> = (0..LINES).map(|_| open()).collect();
    while !counts.ended.load(Ordering::Acquire) {
        for line in &mut lines {
            let n = counts.asked.fetch_add(1, Ordering::AcqRel);
            let (ask, rest) = asks[usize::try_from(n % 3).unwrap()];
            counts.waits.fetch_add(n.is_multiple_of(3).into(), Ordering::AcqRel);
            if line.as_mut().is_none_or(|line| line.begin(ask, rest).is_err()) {
                *line = open();
            }
        }
        for line in &mut lines {
            match line.as_mut().map(Line::answer) {
                Some(Ok((200, _))) => {}
                Some(Ok(_)) => drop(counts.turned.fetch_add(1, Ordering::AcqRel)),
                // Cut off, or a wait that was let in.
                Some(Err(_)) | None => *line = open(),
            }
        }
    }
}

/// What is held of each thing, as the page of counters says.
fn held(address: &str, token: &str) -> Vec<(String, u64)> {
    let mut line = Line::to(address, token).unwrap();
    line.begin("GET /metrics", "\r\n").unwrap();
    let (status, page) = line.answer().unwrap();
    assert_eq!(status, 200);
    let page = String::from_utf8(page).unwrap();
    let lines = page.lines().filter_map(|line| line.strip_prefix("quorate_door_places{what=\""));
    lines
        .map(|line| {
            let (what, count) = line.split_once("\"} ").unwrap();
            (what.to_owned(), count.parse().unwrap())
        })
        .collect()
}

/// What a process holds in memory and has computed, as the system says.
fn cost(pid: u32) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = |name: &str| status.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    format!("{}, {}", line("VmRSS"), line("VmHWM")).replace(['\t', ' '], "")
}

#[test]
#[ignore = "a measurement that takes minutes and twenty thousand connections"]
fn what_a_hostile_client_costs_another_is_measured_and_nothing_of_the_other_is_refused() {
    let folder = TempDir::new().unwrap();
    let data = text(folder.path());
    let identity = |name: &str, scopes: &str| {
        let args =
            ["identity", "create", "--name", name, "--scopes", scopes, "--acts-as", "*", "--data", data];
        let made: Value = run(&[&args[..], &["--json"]].concat()).ok().json();
        made["token"].as_str().unwrap().to_owned()
    };
    let (root, ann) = (identity("root", "admin"), identity("ann", "quorum.*,agent.*"));
    let eve = identity("eve", "quorum.*,agent.*");
    // The server raises what it may itself; here the hard limit is raised for it first, as far as that is allowed.
    let serve = format!("ulimit -n 65536 2>&-; exec \"$0\" serve --data {data:?} --listen 127.0.0.1:0");
    let program = quorate(&[]).get_program().to_owned();
    let mut server = std::process::Command::new("bash")
        .arg("-c")
        .arg(serve)
        .arg(program)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").expect(&line).to_owned();
    let mut first = Line::to(&address, &root).unwrap();
    for agent in ["ann", "eve"] {
        let register = format!(r#"{{"agent_id":"{agent}"}}"#);
        assert_eq!(first.post("/api/v1/agent/register", &register).unwrap(), 200);
    }
    let open = r#"{"quorum_type":"global","quorum_id":"q","voters":["ann","bob","cid","dan"],"required_votes":2,"timeout_seconds":3600}"#;
    assert_eq!(first.post("/api/v1/quorum/start", open).unwrap(), 200);

    drop(work(&address, &ann));
    let (mut ratios, mut refused, mut waits) = (Vec::new(), 0, 0);
    let mut before = work(&address, &ann);
    before.told("quiet");
    for round in 1..=ROUNDS {
        let counts = Counts::default();
        let (beside, places) = std::thread::scope(|scope| {
            scope.spawn(|| take_all(&address, &eve, &counts));
            // On a busy machine it takes a while until she is refused anything.
            while !counts.began.load(Ordering::Acquire) || counts.turned.load(Ordering::Acquire) == 0 {
                std::thread::sleep(Duration::from_millis(20));
            }
            std::thread::sleep(Duration::from_millis(500));
            let beside = work(&address, &ann);
            let places = held(&address, &root);
            // The hundred thousand waits are asked for to the end in the last round, if the machine has time for them.
            let since = Stopwatch::start();
            let asked = || waits + counts.waits.load(Ordering::Acquire);
            while round == ROUNDS && asked() < ASKED_WAITS && since.elapsed() < LONGEST {
                std::thread::sleep(Duration::from_millis(100));
            }
            counts.ended.store(true, Ordering::Release);
            (beside, places)
        });
        beside.told("beside the other");
        eprintln!(
            "  {} connections held, {} requests of floods, {} of them waits; {} refused; server {}",
            counts.held.load(Ordering::Acquire),
            counts.asked.load(Ordering::Acquire),
            counts.waits.load(Ordering::Acquire),
            counts.turned.load(Ordering::Acquire),
            cost(server.id())
        );
        // What she left behind is let go of.
        std::thread::sleep(Duration::from_secs(2));
        let after = work(&address, &ann);
        after.told("quiet");
        let quiet = before.at(990).max(after.at(990));
        ratios.push((beside.at(500) / before.at(500).max(after.at(500)), beside.at(990) / quiet));
        refused += before.refused + beside.refused + after.refused;
        assert!(counts.turned.load(Ordering::Acquire) > 0, "she was never told that she has her share");
        let most = [
            ("requests that wait", WAITS_EACH),
            ("bodies that are not there", SLOW_EACH),
            ("requests under way", REQUESTS_EACH + 1),
        ];
        waits += counts.waits.load(Ordering::Acquire);
        for (what, limit) in most {
            let (_, count) = places.iter().find(|(name, _)| name == what).unwrap();
            assert!(*count <= limit, "{what}: {count}");
        }
        before = after;
    }
    for (p50, p99) in ratios {
        eprintln!("ratio: p50 {p50:.1}, p99 {p99:.1}");
    }
    eprintln!("{waits} waits were asked for");
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(refused, 0, "requests of the other that were not served");
}
