//! Hooks of a server: registered at the command line, delivered across kills, verified by a receiver in another language.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use quorate::{HistoryQuery, Quorate, StartQuorum, Vote};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::receiver::{Answer, Heard, Receiver};
use super::{project, quorate, run, text};

/// The secret of the example in the specification.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A server that sends to this machine too, with everything it logs on the way of errors.
fn serve(data: &str, log: &std::path::Path) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
    let args = ["serve", "--data", data, "--listen", "127.0.0.1:0", "--hook-allow-private"];
    let mut server =
        quorate(&args).env("QUORATE_LOG", "trace").stderr(log).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("listening on "), "{line}");
    server
}

fn kill(mut server: Child) {
    server.kill().unwrap();
    server.wait().unwrap();
}

fn position(event: &Value) -> u64 {
    event["position"].as_u64().unwrap()
}

#[test]
fn every_record_reaches_the_receiver_in_order_though_the_server_is_killed_again_and_again() {
    const QUORUMS: usize = 150;
    let folder = TempDir::new().unwrap();
    let (data, log) = (folder.path().join("data"), folder.path().join("log"));
    let data = text(&data);
    // Kills come while a request is under way, and while a hook waits for its next attempt.
    let receiver = Receiver::start(|n, _| match n {
        1 => Answer::Hang,
        13 => Answer::Redirect("/elsewhere".into()),
        n if n % 9 == 4 => Answer::Status(503),
        _ => Answer::Status(200),
    });
    let mut server = serve(data, &log);
    let url = receiver.url("/in");
    let register =
        ["hook", "register", "--hook-id", "h", "--to-url", &url, "--secret", SECRET, "--data", data];
    let made = run(&[&register[..], &["--json"]].concat()).ok().json();
    assert_eq!((&made["changed"], made.get("secret")), (&json!(true), None));
    let behind = made["hook"]["position"].as_u64().unwrap();

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let q = runtime.block_on(Quorate::connect(data)).unwrap();
    let killed = Arc::new(AtomicBool::new(false));
    let voters = runtime.spawn({
        let (q, killed) = (q.clone(), killed.clone());
        async move {
            // There is something to tell until the last kill.
            for n in (0..).take_while(|n| *n < QUORUMS || !killed.load(Ordering::Relaxed)) {
                let start = StartQuorum::global().with_voters(["ann"]).unwrap();
                let start = StartQuorum { quorum_id: Some(format!("q{n}").parse().unwrap()), ..start };
                let started = q.quorums().start(start).await.unwrap();
                q.quorums().vote(Vote::new(&started.quorum_id, "ann", true).unwrap()).await.unwrap();
            }
        }
    });
    for requests in [2, 9, 16, 23] {
        receiver.until("another request", |heard| heard.len() >= requests);
        kill(server);
        server = serve(data, &log);
    }
    killed.store(true, Ordering::Relaxed);
    runtime.block_on(voters).unwrap();

    // What history says, and what the receiver took.
    let mut recorded: Vec<Value> = Vec::new();
    let mut cursor = Some(behind.to_string());
    runtime.block_on(async {
        loop {
            let query = HistoryQuery { cursor, limit: Some(1_000), ..HistoryQuery::default() };
            let page = q.history().query(query).await.unwrap();
            recorded.extend(page.events.iter().map(|event| serde_json::to_value(event).unwrap()));
            if !page.more {
                break;
            }
            cursor = page.next_cursor;
        }
    });
    recorded.retain(|event| event["kind"] != "hook");
    assert!(recorded.len() >= 3 * QUORUMS, "{}", recorded.len());
    receiver.until_position(recorded.last().map(position).unwrap());
    let (mut first_heard, mut highest) = (Vec::new(), 0);
    for event in receiver.taken() {
        // Repeats begin where the cursor on record stood; whatever is new comes in order.
        if position(&event) > highest {
            highest = position(&event);
            first_heard.push(event);
        }
    }
    assert_eq!(first_heard, recorded);
    assert!(receiver.heard().iter().all(|heard| heard.target == "/in"));
    let list = run(&["hook", "list", "--data", data, "--json"]).ok().json();
    assert_eq!(list["delivers"], true);

    kill(server);
    verified_in_python(&receiver.heard());
    let logged = std::fs::read_to_string(&log).unwrap();
    assert!(logged.contains("a hook was not delivered"), "{logged}");
    assert!(!logged.contains(&SECRET["whsec_".len()..]));
}

/// The program of the page, which knows nothing of ours but the secret.
fn verified_in_python(heard: &[Heard]) {
    let page = std::fs::read_to_string(project("src/docs/hooks.md")).unwrap();
    let block = page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let reads = "
import json, sys
for line in sys.stdin:
    one = json.loads(line)
    print(verify(sys.argv[1], one['headers'], one['body'].encode()))
";
    let asked = |secret: &str, requests: &[Heard]| -> Option<Vec<bool>> {
        let python = Command::new("python3")
            .args(["-c", &format!("{block}{reads}"), secret])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut python) = python else {
            eprintln!("SKIPPED: no python3 here, so nobody else checked the signatures");
            return None;
        };
        let mut lines = python.stdin.take().unwrap();
        for Heard { headers, body, .. } in requests {
            writeln!(lines, "{}", json!({ "headers": headers, "body": body })).unwrap();
        }
        drop(lines);
        let ran = python.wait_with_output().unwrap();
        assert!(ran.status.success());
        Some(String::from_utf8(ran.stdout).unwrap().lines().map(|line| line == "True").collect())
    };
    let Some(all) = asked(SECRET, heard) else { return };
    assert_eq!(all, vec![true; heard.len()]);
    let with = |name: &str, value: &str| {
        let mut changed = heard[0].clone();
        changed.headers.insert(name.into(), value.into());
        changed
    };
    let example = BTreeMap::from([
        ("webhook-id".to_owned(), "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned()),
        ("webhook-timestamp".to_owned(), "1614265330".to_owned()),
        ("webhook-signature".to_owned(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=".to_owned()),
    ]);
    let changed = [
        with("webhook-id", "other"),
        with("webhook-timestamp", "1614265330"),
        with("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        Heard { body: heard[0].body.replace("\"ann\"", "\"eve\""), ..heard[0].clone() },
        Heard { headers: example, body: r#"{"test": 2432232314}"#.into(), ..heard[0].clone() },
    ];
    assert_eq!(asked(SECRET, &changed).unwrap(), [false; 5], "changed, or years old");
    let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    assert_eq!(asked(other, &heard[..1]).unwrap(), [false]);
}

#[test]
fn a_hook_is_listed_resumed_and_removed_at_the_command_line_and_its_secret_is_told_once() {
    let folder = TempDir::new().unwrap();
    let data = text(folder.path());
    let there = |args: &[&str]| run(&[args, &["--data", data]].concat());
    let filter = r#"{"kind":"quorum","event":"closed"}"#;
    let register = [
        "hook",
        "register",
        "--hook-id",
        "alerts",
        "--to-url",
        "https://hooks.example.com/",
        "--filter",
        filter,
    ];
    let made = there(&register).ok().out().to_owned();
    let secret = made.split_whitespace().find(|word| word.starts_with("whsec_")).expect(&made).to_owned();
    let list = there(&["hook", "list"]).ok().out().to_owned();
    assert!(list.contains("alerts") && list.contains("https://hooks.exam"), "{list}");
    for line in list.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    there(&["hook", "resume", "alerts"]).ok();
    let removed = there(&["hook", "remove", "alerts", "--json"]).ok().json();
    assert_eq!((&removed["hook"]["state"], &removed["changed"]), (&json!("removed"), &json!(true)));
    let again = there(&["hook", "resume", "alerts", "--json"]);
    assert_eq!((again.code(), &again.json()["error"]["kind"]), (27, &json!("nothing_done")));
    let missing = there(&["hook", "remove", "other", "--json"]);
    assert_eq!((missing.code(), &missing.json()["error"]["kind"]), (3, &json!("not_found")));
    let private = there(&["hook", "register", "--to-url", "http://127.0.0.1:1/", "--json"]);
    assert_eq!((private.code(), &private.json()["error"]["field"]), (2, &json!("url")));
    let history = there(&["history", "query", "--json"]).ok().out().to_owned();
    assert!(history.contains(r#""secret":"hidden""#), "{history}");
    for told in [list, history] {
        assert!(!told.contains(&secret["whsec_".len()..]), "{told}");
    }
}
