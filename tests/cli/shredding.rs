//! Personal data at the doors: sealed, shown, shredded, and killed meanwhile.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use quorate_runtime::shell::clock::Stopwatch;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{serve, signal};
use crate::{quorate, run, text};

const REASON: &str = "asked to be forgotten";

/// Opens a quorum about somebody; `at` says where.
fn ask(at: &[&str], quorum: &str, name: &str) {
    let subject = json!({ "refund": format!("of {name} Liddell") }).to_string();
    let mut args =
        vec!["quorum", "start", "--quorum-id", quorum, "--quorum-type", "global", "--voters", "ann,bob"];
    args.extend(["--timeout-seconds", "3000", "--subject", &subject, "--data-subject", name, "--json"]);
    args.extend(at);
    run(&args).ok();
}

fn subject(at: &[&str], quorum: &str) -> Value {
    let mut args = vec!["quorum", "status", quorum, "--json"];
    args.extend(at);
    run(&args).ok().json()["subject"].clone()
}

fn show(at: &[&str], name: &str) -> Value {
    let mut args = vec!["subject", "show", name, "--json"];
    args.extend(at);
    run(&args).ok().json()
}

/// How many keys there are.
fn keys(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("subjects")).unwrap().count()
}

#[test]
fn each_door_takes_shows_and_shreds_personal_data() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("data");
    let data = ["--data", text(&folder)];
    // The command line on a folder, and over HTTP.
    ask(&data, "q0", "alice");
    assert_eq!(subject(&data, "q0"), json!({ "refund": "of alice Liddell" }));
    let (mut server, url) = serve(text(&folder));
    let at = ["--url", url.as_str()];
    ask(&at, "q1", "bob");
    ask(&at, "q2", "cid");
    assert_eq!(subject(&at, "q1"), json!({ "refund": "of bob Liddell" }));
    let why = run(&["history", "query", "--data-subject", "bob", "--json", "--url", &url]).ok();
    assert!(why.out().contains("of bob Liddell") && !why.out().contains("alice"), "{}", why.out());
    run(&["subject", "shred", "bob", "--reason", REASON, "--json", "--url", &url]).ok();
    let again = run(&["subject", "shred", "bob", "--reason", "again", "--json", "--url", &url]).ok().json();
    assert_eq!((&again["duplicate"], &again["reason"]), (&json!(true), &json!(REASON)));
    assert_eq!(subject(&at, "q1"), json!({ "shredded": true, "data_subject": "bob" }));
    let list = run(&["subject", "list", "--json", "--url", &url]).ok().json();
    let states: Vec<&Value> = list["subjects"].as_array().unwrap().iter().map(|one| &one["state"]).collect();
    assert_eq!(states, ["active", "shredded", "active"]);
    // Within a second of what is recorded, on a machine that has the time.
    while run(&["history", "checkpoint", "--json", "--url", &url]).code() != 0 {
        std::thread::sleep(Duration::from_millis(50));
    }
    signal(&server, "-TERM");
    assert!(server.wait().unwrap().success());
    // A script.
    let script = dir.path().join("script");
    let lines = [
        json!({ "op": "subject.shred", "data_subject": "cid", "reason": REASON }),
        json!({ "op": "quorum.start", "quorum_type": "global", "voters": ["ann"], "subject": "x", "data_subject": "cid" }),
    ];
    std::fs::write(&script, lines.map(|line| format!("{line}\n")).concat()).unwrap();
    let played = run(&["play", text(&script), "--data", text(&folder), "--start", "2100-01-01"]);
    assert!(
        played.out().contains("shredded") && played.out().contains("subject_shredded"),
        "{}",
        played.out()
    );
    assert_eq!(keys(&folder), 1);
    // An export holds what is stored, and proves itself; a backup holds no key.
    let (export, backup, new) =
        (dir.path().join("export"), dir.path().join("backup"), dir.path().join("new"));
    run(&["history", "export", "--to", text(&export), "--data", text(&folder), "--json"]).ok();
    let exported = std::fs::read_to_string(&export).unwrap();
    assert!(exported.contains("quorate-sealed:1:") && !exported.contains("Liddell"));
    let key = run(&["history", "checkpoint", "--data", text(&folder), "--json"]).ok().json();
    let key = key["public_key"].as_str().unwrap();
    run(&["history", "verify-export", text(&export), "--public-key", key, "--json"]).ok();
    run(&["backup", text(&folder), "--to", text(&backup), "--json"]).ok();
    run(&["restore", text(&backup), "--to", text(&new), "--json"]).ok();
    let restored = ["--data", text(&new)];
    assert_eq!(subject(&restored, "q1"), json!({ "shredded": true, "data_subject": "bob" }));
    assert_eq!(
        subject(&restored, "q0"),
        json!({ "unreadable": "subject_key_missing", "data_subject": "alice" })
    );
    std::fs::create_dir(new.join("subjects")).unwrap();
    for item in std::fs::read_dir(folder.join("subjects")).unwrap() {
        let item = item.unwrap();
        std::fs::copy(item.path(), new.join("subjects").join(item.file_name())).unwrap();
    }
    assert_eq!(subject(&restored, "q0"), json!({ "refund": "of alice Liddell" }));
    assert!(run(&["history", "verify", "--data", text(&new), "--json"]).ok().json()["ok"].as_bool().unwrap());
}

#[test]
fn a_shredding_killed_at_any_instant_is_not_begun_or_is_finished() {
    const ROUNDS: usize = 24;
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("data");
    let script = dir.path().join("script");
    let start = |n: usize| {
        let subject = format!("of person {n}");
        let start = json!({ "op": "quorum.start", "quorum_id": format!("q{n}"), "quorum_type": "global", "voters": ["ann", "bob"],
            "timeout_seconds": 80_000, "subject": subject, "data_subject": format!("s{n}") });
        format!("{start}\n")
    };
    std::fs::write(&script, (0..=ROUNDS).map(start).collect::<String>()).unwrap();
    run(&["play", text(&script), "--data", text(&folder), "--start", "2100-01-01"]).ok();
    assert_eq!(keys(&folder), ROUNDS + 1);
    let shred = |n: usize| {
        let name = format!("s{n}");
        let args = ["subject", "shred", &name, "--reason", REASON, "--data", text(&folder), "--json"];
        quorate(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let took = Stopwatch::start();
    assert!(shred(ROUNDS).wait().unwrap().success());
    let took = took.elapsed();
    let at = ["--data", text(&folder)];
    let (mut before, mut after, mut half) = (0, 0, 0);
    for n in 0..ROUNDS {
        let mut child = shred(n);
        // From hardly begun to long over, whatever the load was when it was measured.
        std::thread::sleep(took.min(Duration::from_secs(5)) * (3 * n as u32 + 2) / (2 * ROUNDS as u32));
        // It may have ended by itself.
        let _ = child.kill();
        child.wait().unwrap();
        // Whoever only reads finishes nothing, and shows nothing that is to be shredded.
        let name = format!("s{n}");
        let shown = show(&at, &name);
        let about = subject(&at, &format!("q{n}"));
        match shown["state"].as_str().unwrap() {
            "active" => {
                before += 1;
                assert_eq!((&shown["key"], about), (&json!("present"), json!(format!("of person {n}"))));
            }
            "shredding" => {
                half += 1;
                assert_eq!(about, json!({ "shredded": true, "data_subject": name }));
            }
            other => {
                after += 1;
                assert_eq!(other, "shredded");
                assert_eq!((&shown["key"], &about["shredded"]), (&json!("none"), &json!(true)));
            }
        }
        // The next process that owns the folder finishes what was begun.
        run(&["agent", "register", "--agent-id", "x", "--data", text(&folder), "--json"]).ok();
        let now = show(&at, &name);
        let expected = if shown["state"] == "active" { "active" } else { "shredded" };
        assert_eq!(now["state"], expected);
        let list = run(&["subject", "list", "--data", text(&folder), "--json"]).ok().json();
        let gone =
            list["subjects"].as_array().unwrap().iter().filter(|one| one["state"] == "shredded").count();
        assert_eq!(keys(&folder), ROUNDS + 1 - gone, "a key is there exactly while its subject is active");
    }
    println!("{before} times not begun, {half} times half done, {after} times done");
    assert!(after >= 1 && before >= 1, "{before} {half} {after}");
    assert!(
        run(&["history", "verify", "--data", text(&folder), "--json"]).ok().json()["ok"].as_bool().unwrap()
    );
}

#[test]
fn a_move_between_folders_brings_the_keys_and_the_log_and_leaves_no_key_behind() {
    let dir = TempDir::new().unwrap();
    let (old, new, script) = (dir.path().join("old"), dir.path().join("new"), dir.path().join("script"));
    let start = |n: usize| {
        let start = json!({ "op": "quorum.start", "quorum_id": format!("q{n}"), "quorum_type": "global", "voters": ["ann"],
            "timeout_seconds": 80_000, "subject": format!("of person {n}"), "data_subject": format!("s{n}") });
        format!("{start}\n")
    };
    std::fs::write(&script, (0..3).map(start).collect::<String>()).unwrap();
    run(&["play", text(&script), "--data", text(&old), "--start", "2100-01-01"]).ok();
    std::fs::create_dir_all(old.join("tlog")).unwrap();
    std::fs::write(old.join("tlog/key"), "a key").unwrap();
    let key = std::fs::read_dir(old.join("subjects")).unwrap().next().unwrap().unwrap();
    let (name, secret) = (key.file_name(), std::fs::read(key.path()).unwrap());
    let moving = ["move", "--from", text(&old), "--to", text(&new), "--store", "fjall", "--json"];
    run(&moving).ok();
    assert_eq!((keys(&new), old.join("subjects").exists()), (3, false));
    assert_eq!(std::fs::read_to_string(new.join("tlog/key")).unwrap(), "a key");
    std::fs::remove_dir_all(new.join("tlog")).unwrap();
    // Killed before the keys were brought: the same words again bring them.
    std::fs::create_dir(old.join("subjects")).unwrap();
    std::fs::rename(new.join("subjects").join(&name), old.join("subjects").join(&name)).unwrap();
    std::fs::remove_dir_all(old.join("tlog")).unwrap();
    run(&moving).ok();
    assert_eq!((keys(&new), old.join("subjects").exists()), (3, false));
    assert_eq!(std::fs::read(new.join("subjects").join(&name)).unwrap(), secret);
    let at = ["--data", text(&new)];
    assert_eq!(subject(&at, "q1"), json!("of person 1"));
    run(&["subject", "shred", "s1", "--reason", REASON, "--data", text(&new), "--json"]).ok();
    assert_eq!(subject(&at, "q1"), json!({ "shredded": true, "data_subject": "s1" }));
    let left = json!({ "unreadable": "subject_key_missing", "data_subject": "s1" });
    assert_eq!(subject(&["--data", text(&old)], "q1"), left);
}

/// Whose key stands there was not asked to be shredded.
#[test]
fn the_key_of_somebody_else_is_not_destroyed() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("data");
    let at = ["--data", text(&folder)];
    ask(&at, "q0", "alice");
    ask(&at, "q1", "bob");
    let files: Vec<PathBuf> =
        std::fs::read_dir(folder.join("subjects")).unwrap().map(|item| item.unwrap().path()).collect();
    let aside = dir.path().join("aside");
    std::fs::rename(&files[0], &aside).unwrap();
    std::fs::rename(&files[1], &files[0]).unwrap();
    std::fs::rename(&aside, &files[1]).unwrap();
    let refused = run(&["subject", "shred", "alice", "--reason", REASON, "--data", text(&folder), "--json"]);
    assert_eq!(refused.code(), 48, "{}", refused.err());
    assert_eq!((keys(&folder), show(&at, "alice")["state"].as_str()), (2, Some("active")));
}
