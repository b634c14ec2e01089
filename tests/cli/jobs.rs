//! Jobs from the command line.

use serde_json::json;
use tempfile::TempDir;

use super::{Ran, run, text};

#[test]
fn tokens_outlive_the_commands_that_gave_them_out() {
    let folder = TempDir::new().unwrap();
    let at = |args: &[&str]| run(&[args, &["--data", text(folder.path()), "--json"]].concat());
    let token = |told: Ran| told.ok().json()["fence_token"].as_u64();
    assert_eq!(token(at(&["job", "submit", "--job-id", "j"])), Some(1));
    at(&["job", "status", "j"]).ok();
    let led = at(&["job", "transfer", "j", "--new-leader-id", "m2", "--fence-token", "1"]);
    assert_eq!(token(led), Some(2));
    at(&["job", "why", "j"]).ok();
    assert_eq!(at(&["job", "complete", "j", "--fence-token", "1"]).code(), 8, "it leads no longer");
    at(&["job", "complete", "j", "--fence-token", "2"]).ok();
}

#[test]
fn why_tells_people_in_sentences_and_machines_in_json() {
    let folder = TempDir::new().unwrap();
    let at = |args: &[&str]| run(&[args, &["--data", text(folder.path())]].concat());
    at(&["job", "submit", "--job-id", "j", "--timeout-seconds", "600"]).ok();
    at(&["job", "extend", "--job-id", "j", "--worker-id", "w1", "--current-progress", "1"]).ok();
    at(&[
        "job",
        "complete",
        "--job-id",
        "j",
        "--reason",
        "a reason of many words, which is told to its last word",
    ])
    .ok();

    let told = at(&["job", "why", "--job-id", "j"]).ok();
    let lines: Vec<&str> = told.out().lines().collect();
    let line = |text: &str| {
        lines.iter().position(|line| line.contains(text)).unwrap_or_else(|| panic!("{lines:#?}"))
    };
    let submitted = line("submitted under token 1 by rule local_authority with a budget of 600000 ms");
    let more = line("worker w1 got 15000 ms more; the extensions are now 15000 ms");
    let ended = line(": a reason of many words, which is told to its last word");
    assert!(submitted < more && more < ended, "{lines:#?}");
    assert!(lines[submitted].trim_start().starts_with("1 "), "{lines:#?}");

    let why = at(&["job", "why", "--job-id", "j", "--json"]).ok().json();
    assert_eq!((&why["status"], &why["chain"][0]["seq"]), (&json!("completed"), &json!(1)));
    let missing = at(&["job", "why", "--job-id", "nobody", "--json"]);
    assert_eq!((missing.code(), &missing.json()["error"]["kind"]), (3, &json!("not_found")));
}
