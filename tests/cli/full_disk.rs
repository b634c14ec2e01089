//! A disk that is really full: a small file system in memory, mounted where only this test sees it.
//!
//! Each test starts itself again inside of a mount namespace of its own; the file system is gone with that process.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use quorate_runtime::shell::clock::Stopwatch;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::server::{serve, signal};
use super::{quorate, run, text};

const DISK: &str = "QUORATE_FULL_DISK";
const BYTES: u64 = 64 << 20;

/// The small disk, inside of the process that has it. Outside, starts that process, or says loudly why not.
fn disk(test: &str) -> Option<PathBuf> {
    if let Ok(disk) = std::env::var(DISK) {
        return Some(disk.into());
    }
    let place = TempDir::new().unwrap();
    let (at, own) = (text(place.path()), std::env::current_exe().unwrap());
    let mounted = format!("mount -t tmpfs -o size={BYTES} quorate-test '{at}'");
    let within = |command: &str| {
        Command::new("unshare")
            .args(["--mount", "sh", "-c", &format!("{mounted} && {command}")])
            .env(DISK, at)
            .output()
    };
    match within("true") {
        Ok(output) if output.status.success() => {}
        other => {
            eprintln!("SKIPPED: no small disk can be mounted here. {other:?}");
            return None;
        }
    }
    let again = format!("'{}' full_disk::{test} --exact --nocapture --test-threads=1", text(&own));
    let output = within(&again).unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    None
}

/// Takes all room but about so many bytes.
fn take_all_but(disk: &Path, left: u64) -> PathBuf {
    let ballast = disk.join("ballast");
    let mut file = File::create(&ballast).unwrap();
    let page = vec![7; 4_096];
    let mut written = 0;
    while file.write_all(&page).is_ok() {
        written += page.len() as u64;
    }
    file.set_len(written.saturating_sub(left)).unwrap();
    ballast
}

/// Room that nobody may take in the first place.
fn fill(disk: &Path) {
    let mut rest = File::create(disk.join("rest")).unwrap();
    while rest.write_all(&[7; 512]).is_ok() {}
}

/// Status and body of an answer.
fn post(url: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
    let address = url.strip_prefix("http://").unwrap();
    let body = body.to_string();
    let mut stream = TcpStream::connect(address).ok()?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    Some((status, serde_json::from_str(body).ok()?))
}

/// Opens quorums of two voters and casts one vote in each, and remembers which votes were acknowledged.
#[derive(Default)]
struct Voting {
    next: usize,
    acknowledged: Vec<String>,
}

impl Voting {
    /// One quorum and one vote; what was refused, if anything was.
    fn step(&mut self, url: &str) -> Result<(), Value> {
        let id = format!("q{}", self.next);
        self.next += 1;
        let subject = json!({ "filler": "x".repeat(12_000), "n": self.next });
        let start = json!({ "quorum_id": id, "quorum_type": "global", "voters": ["a", "b"], "required_votes": 2,
            "subject": subject, "timeout_seconds": 86_400 });
        let (status, answer) = post(url, "/api/v1/quorum/start", &start).ok_or(Value::Null)?;
        if status != 200 {
            return Err(answer);
        }
        let vote = json!({ "voter_id": "a", "vote": true });
        let (status, answer) = post(url, &format!("/api/v1/quorum/{id}/vote"), &vote).ok_or(Value::Null)?;
        if status != 200 {
            return Err(answer);
        }
        self.acknowledged.push(id);
        Ok(())
    }

    /// Votes until the disk has refused some times in a row; every refusal is typed.
    fn until_refused(&mut self, url: &str) -> usize {
        let mut refused = 0;
        for _ in 0..4_000 {
            match self.step(url) {
                Ok(()) => refused = 0,
                Err(Value::Null) => return refused,
                Err(answer) => {
                    let kind = answer["error"]["kind"].as_str().unwrap_or_default();
                    assert!(matches!(kind, "store_error" | "outcome_unknown" | "overloaded"), "{answer}");
                    refused += 1;
                }
            }
            if refused == 12 {
                return refused;
            }
        }
        panic!("the disk never became full");
    }

    /// Every acknowledged vote is there, and the journal is whole.
    fn check(&self, data: &str) {
        let verified = run(&["history", "verify", "--data", data, "--json"]);
        assert_eq!(verified.code(), 0, "{}{}", verified.out(), verified.err());
        let mut cursor = Value::Null;
        let mut voted = std::collections::BTreeSet::new();
        loop {
            let from = cursor.as_str().unwrap_or("0").to_owned();
            let mut args = vec!["history", "query", "--event", "vote_cast", "--limit", "500", "--data", data];
            args.extend(["--cursor", &from, "--json"]);
            let page = run(&args).ok().json();
            let events = page["events"].as_array().unwrap();
            voted.extend(events.iter().map(|event| event["entity_id"].as_str().unwrap().to_owned()));
            cursor = page["next_cursor"].clone();
            if cursor.is_null() || events.is_empty() {
                break;
            }
        }
        let lost: Vec<_> = self.acknowledged.iter().filter(|id| !voted.contains(*id)).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
    }
}

/// A server that ends with the test, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended is no matter.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(data: &str) -> (Running, String) {
    let (server, url) = serve(data);
    (Running(server), url)
}

/// Waits for the end of a process; none when it goes on.
fn ended(server: &mut Child, patience: Duration) -> Option<i32> {
    let waited = Stopwatch::start();
    while waited.elapsed() < patience {
        if let Some(status) = server.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}

/// Starts a server that may refuse to: its address, or how it ended.
fn try_serve(data: &str) -> Result<(Running, String), (Option<i32>, String)> {
    let server = quorate(&["serve", "--data", data, "--listen", "127.0.0.1:0", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut server, mut line) = (Running(server), String::new());
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let said: Value = serde_json::from_str(&line).unwrap_or_default();
    match said["listening"].as_str() {
        Some(url) => Ok((server, url.to_owned())),
        None => Err((server.0.wait().unwrap().code(), line)),
    }
}

#[test]
fn a_disk_that_fills_up_under_load_loses_nothing_and_serves_again_when_there_is_room() {
    let Some(disk) =
        disk("a_disk_that_fills_up_under_load_loses_nothing_and_serves_again_when_there_is_room")
    else {
        return;
    };
    let data = disk.join("data");
    let data = text(&data);
    let mut voting = Voting::default();
    let (mut server, mut url) = start(data);
    for _ in 0..20 {
        voting.step(&url).unwrap();
    }
    for killed in [false, true, false] {
        let ballast = take_all_but(&disk, 1_500_000);
        let before = voting.acknowledged.len();
        assert!(voting.until_refused(&url) > 0 || server.0.try_wait().unwrap().is_some());
        assert!(voting.acknowledged.len() > before, "some of the room was used");
        fill(&disk);
        if server.0.try_wait().unwrap().is_none() {
            let status = format!("/api/v1/quorum/{}/status", voting.acknowledged[0]);
            let read = run(&["quorum", "status", &voting.acknowledged[0], "--url", &url, "--json"]);
            assert_eq!(read.code(), 0, "{status}: {}", read.out());
        }
        if killed {
            server.0.kill().unwrap();
            server.0.wait().unwrap();
            // Whoever only reads needs no room.
            voting.check(data);
            // A start without room serves, or ends with a typed error; it locks nobody out.
            match try_serve(data) {
                Ok((mut full, url)) => {
                    if let Err(answer) = voting.step(&url) {
                        assert!(answer.is_null() || answer["error"]["kind"] == "store_error", "{answer}");
                    }
                    full.0.kill().unwrap();
                }
                Err((code, said)) => assert_eq!(code, Some(10), "{said}"),
            }
            voting.check(data);
        }
        fs::remove_file(&ballast).unwrap();
        fs::remove_file(disk.join("rest")).unwrap();
        // Now it serves again, or has ended with an exit code.
        let waited = Stopwatch::start();
        let goes_on = !killed
            && loop {
                if let Some(status) = server.0.try_wait().unwrap() {
                    assert_eq!(status.code(), Some(10));
                    break false;
                }
                if voting.step(&url).is_ok() {
                    break true;
                }
                assert!(waited.elapsed() < Duration::from_secs(120), "it neither serves nor ends");
                std::thread::sleep(Duration::from_millis(100));
            };
        if !goes_on {
            (server, url) = start(data);
            voting.step(&url).unwrap();
        }
    }
    signal(&server.0, "-TERM");
    assert_eq!(ended(&mut server.0, Duration::from_secs(20)), Some(0));
    voting.check(data);
}

/// With whatever room is left, opening, writing, archiving and closing end well or with a typed error, and the next one
/// that has room finds everything.
#[test]
fn whatever_room_is_left_opening_and_closing_lock_nobody_out() {
    let Some(disk) = disk("whatever_room_is_left_opening_and_closing_lock_nobody_out") else { return };
    let made = disk.join("made");
    let (mut server, url) = start(text(&made));
    let mut voting = Voting::default();
    for _ in 0..30 {
        voting.step(&url).unwrap();
    }
    let killed = disk.join("killed");
    server.0.kill().unwrap();
    server.0.wait().unwrap();
    copy(&made, &killed);
    let closed = disk.join("closed");
    copy(&made, &closed);
    run(&["algorithm", "register", "--name", "n", "--rule", "majority", "--data", text(&closed)]);
    run(&["agent", "register", "--agent-id", "first", "--data", text(&closed)]).ok();
    let (mut done, mut refused) = (0, 0);
    for (kind, base) in [("killed", &killed), ("closed", &closed), ("none", &disk.join("absent"))] {
        for left in (0..700).step_by(50) {
            let data = disk.join("data");
            if base.exists() {
                copy(base, &data);
            }
            let ballast = take_all_but(&disk, left * 1_024);
            let ran = run(&["agent", "register", "--agent-id", "late", "--data", text(&data), "--json"]);
            match ran.code() {
                0 => done += 1,
                10 => refused += 1,
                code => panic!("{kind}, {left} KiB left: {code} {}{}", ran.out(), ran.err()),
            }
            if base.exists() {
                let read = run(&["agent", "list", "--data", text(&data), "--json"]);
                assert_eq!(read.code(), 0, "{kind}, {left} KiB left: {}{}", read.out(), read.err());
            }
            fs::remove_file(ballast).unwrap();
            let again = run(&["agent", "register", "--agent-id", "later", "--data", text(&data), "--json"]);
            assert_eq!(again.code(), 0, "{kind}, {left} KiB left: {}{}", again.out(), again.err());
            let list = run(&["agent", "list", "--data", text(&data), "--json"]).ok().out().to_owned();
            assert!(ran.code() != 0 || list.contains("\"late\""), "{kind}, {left} KiB left: {list}");
            if base.exists() {
                voting.check(text(&data));
            }
            fs::remove_dir_all(&data).unwrap();
        }
    }
    assert!(done > 5 && refused > 5, "{done} done, {refused} refused");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let to = to.join(item.file_name());
        if item.path().is_dir() {
            copy(&item.path(), &to);
        } else if item.file_type().unwrap().is_file() {
            fs::copy(item.path(), to).unwrap();
        }
    }
}
