//! Many processes on one folder: through whoever has opened it, or one after the other.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::server::{serve, signal};
use crate::{Ran, quorate, run, text};

/// The answers after which a command may be given again: nobody heard it, nobody knows, or the folder was busy.
const AGAIN: [i32; 3] = [9, 10, 11];

/// Gives a command until it is answered. Says how it ended, and how often it had to be given again.
fn until_answered(args: &[&str]) -> (Ran, usize) {
    for again in 0..200 {
        let ran = run(args);
        if !AGAIN.contains(&ran.code()) {
            return (ran, again);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{args:?} was never answered");
}

#[test]
fn commands_on_a_folder_go_through_its_server() {
    let folder = TempDir::new().unwrap();
    let data = text(folder.path());
    let (mut server, url) = serve(data);
    let mode = folder.path().join("quorate.sock").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "only the same user comes in");
    run(&[
        "quorum",
        "start",
        "--quorum-id",
        "q",
        "--quorum-type",
        "global",
        "--voters",
        "a,b",
        "--data",
        data,
    ])
    .ok();
    run(&["quorum", "vote", "q", "--voter-id", "a", "--vote", "true", "--data", data]).ok();
    let log = |at: [&str; 2]| run(&[&["history", "entity", "q", "--json"], &at[..]].concat()).ok().json();
    assert_eq!(log(["--data", data]), log(["--url", &url]));
    assert_eq!(run(&["history", "verify", "--data", data, "--json"]).ok().json()["ok"], true);
    // A second server is no command.
    let second = run(&["serve", "--data", data, "--listen", "127.0.0.1:0", "--json"]);
    assert_eq!((second.code(), &second.json()["error"]["kind"]), (11, &json!("store_locked")));
    signal(&server, "-TERM");
    assert!(server.wait().unwrap().success());
    assert!(!folder.path().join("quorate.sock").exists());
    run(&["quorum", "vote", "q", "--voter-id", "b", "--vote", "true", "--data", data]).ok();
}

#[test]
fn the_environment_names_the_server_or_the_folder_once_for_all_commands() {
    let folder = TempDir::new().unwrap();
    let data = text(folder.path());
    let (mut server, url) = serve(data);
    let ask = |names: &[(&str, &str)], args: &[&str]| {
        Ran(quorate(args).args(["--json"]).envs(names.iter().copied()).output().unwrap())
    };
    let stats = ["agent", "list"];
    ask(&[("QUORATE_URL", &url)], &["agent", "register", "--agent-id", "eve"]).ok();
    for names in [[("QUORATE_URL", url.as_str())], [("QUORATE_DATA", data)]] {
        assert_eq!(ask(&names, &stats).ok().json()["agents"].as_array().unwrap().len(), 1);
    }
    // A flag says which, whatever the environment says.
    let elsewhere = ("QUORATE_URL", "http://127.0.0.1:1");
    ask(&[elsewhere], &["agent", "list", "--data", data]).ok();
    for names in [&[][..], &[("QUORATE_URL", ""), ("QUORATE_DATA", "")], &[elsewhere, ("QUORATE_DATA", data)]]
    {
        let ran = ask(names, &stats);
        assert_eq!((ran.code(), &ran.json()["error"]["kind"]), (2, &json!("invalid_argument")), "{names:?}");
    }
    signal(&server, "-TERM");
    assert!(server.wait().unwrap().success());
}

#[test]
fn the_socket_of_a_killed_server_is_passed_by() {
    let folder = TempDir::new().unwrap();
    let data = text(folder.path());
    let (mut server, _) = serve(data);
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(folder.path().join("quorate.sock").exists());
    run(&["agent", "register", "--agent-id", "eve", "--data", data]).ok();
    let watched = run(&["watch", "--data", data, "--json"]);
    assert_eq!((watched.code(), &watched.json()["error"]["kind"]), (43, &json!("no_answer")));
}

#[test]
fn who_waits_on_a_folder_lets_others_in() {
    let folder = TempDir::new().unwrap();
    let data = text(folder.path());
    run(&["agent", "register", "--agent-id", "ann", "--data", data]).ok();
    let mut asking = quorate(&[
        "consensus",
        "request",
        "--proposal",
        r#"{"deploy":7}"#,
        "--timeout-ms",
        "120000",
        "--data",
        data,
    ])
    .stdout(Stdio::null())
    .stderr(Stdio::piped())
    .spawn()
    .unwrap();
    let mut line = String::new();
    BufReader::new(asking.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let id = line.strip_prefix("waiting for the decision on ").unwrap().split(',').next().unwrap();
    run(&["consensus", "vote", id, "--agent-id", "ann", "--vote", "for", "--data", data]).ok();
    assert!(asking.wait().unwrap().success());
}

#[test]
fn events_are_followed_by_the_name_of_the_folder() {
    let folder = TempDir::new().unwrap();
    let data = text(folder.path());
    let (mut server, _) = serve(data);
    let mut watching = quorate(&["watch", "--kind", "agent", "--cursor", "0", "--data", data, "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    run(&["agent", "register", "--agent-id", "eve", "--data", data]).ok();
    let mut line = String::new();
    BufReader::new(watching.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("\"eve\""), "{line}");
    watching.kill().unwrap();
    watching.wait().unwrap();
    signal(&server, "-TERM");
    assert!(server.wait().unwrap().success());
}

/// What one process of the crowd does: a vote, a beat, a grant and its return. Gives how often it asked again.
fn member(data: &str, name: &str) -> usize {
    let cell = format!("cell-{name}");
    let mut again = 0;
    let mut told = |args: &[&str]| {
        let (ran, more) = until_answered(&[args, &["--data", data, "--json"]].concat());
        again += more;
        ran.ok().json()
    };
    told(&["quorum", "vote", "q", "--voter-id", name, "--vote", "true"]);
    told(&["agent", "register", "--agent-id", name]);
    told(&["agent", "beat", "--agent-id", name]);
    let asked =
        told(&["capacity", "request", "--cell-id", &cell, "--requested-capacity", "0.5", "--need-id", name]);
    assert_eq!(asked["status"], "granted", "{asked}");
    again
}

/// What must be on record after the crowd, and nothing more.
fn assert_all_once(data: &str, names: &[String]) {
    let status = run(&["quorum", "status", "q", "--data", data, "--json"]).ok().json();
    assert_eq!((&status["approve_votes"], &status["state"]), (&json!(names.len()), &json!("approved")));
    let log = run(&["history", "entity", "q", "--limit", "1000", "--data", data, "--json"]).ok().json();
    let cast = log["events"].as_array().unwrap().iter().filter(|e| e["event"] == "vote_cast").count();
    assert_eq!(cast, names.len(), "each vote is on record once");
    let agents = run(&["agent", "list", "--limit", "1000", "--data", data, "--json"]).ok().json();
    assert_eq!(agents["agents"].as_array().unwrap().len(), names.len());
    for name in names {
        let cell = format!("cell-{name}");
        let status = run(&["capacity", "status", "--cell-id", &cell, "--data", data, "--json"]).ok().json();
        assert_eq!(status["lent"].as_f64(), Some(0.5), "{status}");
    }
    assert_eq!(run(&["history", "verify", "--data", data, "--json"]).ok().json()["ok"], true);
}

fn crowd(data: &str, names: &[String], meanwhile: impl FnOnce(&AtomicUsize)) -> usize {
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let member = |name: &String| {
            let (done, name) = (&done, name.clone());
            scope.spawn(move || {
                let again = member(data, &name);
                done.fetch_add(1, Ordering::AcqRel);
                again
            })
        };
        let members: Vec<_> = names.iter().map(member).collect();
        meanwhile(&done);
        members.into_iter().map(|member| member.join().unwrap()).sum()
    })
}

fn start(data: &str, names: &[String]) {
    let (voters, required) = (names.join(","), names.len().to_string());
    let open = ["--quorum-id", "q", "--quorum-type", "global", "--timeout-seconds", "600"];
    let who = ["--voters", &voters, "--required-votes", &required, "--data", data];
    run(&[&["quorum", "start"][..], &open, &who].concat()).ok();
}

#[test]
fn sixty_four_processes_share_a_folder_over_kill_9_of_its_owner() {
    let folder = TempDir::new().unwrap();
    let data = text(folder.path());
    let names: Vec<String> = (0..64).map(|n| format!("p{n:02}")).collect();
    let mut server = serve(data).0;
    start(data, &names);
    let mut kills = 0;
    let again = crowd(data, &names, |done| {
        // An owner for each part of the way.
        for part in 1..=4 {
            while done.load(Ordering::Acquire) < part * names.len() / 5 {
                std::thread::sleep(Duration::from_millis(5));
            }
            server.kill().unwrap();
            server.wait().unwrap();
            // Meanwhile those who find no owner open the folder themselves, one after the other.
            server = serve(data).0;
            kills += 1;
        }
    });
    eprintln!("{kills} kills, {again} commands given again");
    signal(&server, "-TERM");
    assert!(server.wait().unwrap().success());
    assert_all_once(data, &names);
}

#[test]
fn processes_share_a_folder_that_nobody_serves() {
    let folder = TempDir::new().unwrap();
    let data = text(folder.path());
    let names: Vec<String> = (0..8).map(|n| format!("p{n}")).collect();
    start(data, &names);
    crowd(data, &names, |_| {});
    assert_all_once(data, &names);
}
