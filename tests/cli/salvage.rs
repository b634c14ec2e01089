//! Reading a folder changes nothing; a damaged one can be read as far as it is sound, and recovered.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;
use tempfile::TempDir;

use super::{quorate, run, text};

/// What happened long ago, so that every deadline has passed: two open quorums, an agent and a job.
const LONG_AGO: &str = r#"{"op":"quorum.start","quorum_id":"first","quorum_type":"global","voters":["ann","bob"],"required_votes":2}
{"op":"quorum.start","quorum_id":"second","quorum_type":"global","voters":["needle-voter","cyd"],"required_votes":2}
{"op":"quorum.vote","quorum_id":"first","voter_id":"ann","vote":true}
{"op":"agent.register","agent_id":"dora"}
{"op":"job.submit","job_id":"long","timeout_seconds":3600}
"#;

fn folder() -> TempDir {
    let (dir, (_scripts, script)) = (TempDir::new().unwrap(), super::file(LONG_AGO));
    run(&["play", text(&script), "--start", "2001-02-03T04:05:06Z", "--data", text(dir.path())]).ok();
    dir
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { out.extend(files(&path)) } else { out.push(path) }
    }
    out.sort();
    out
}

fn bytes(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files(dir).into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

const READS: &[&[&str]] = &[
    &["history", "verify"],
    &["history", "query"],
    &["history", "entity", "first"],
    &["history", "state_at", "first", "--seq", "1"],
    &["quorum", "status", "second"],
    &["quorum", "history"],
    &["quorum", "stats"],
    &["consensus", "open"],
    &["consensus", "stats"],
    &["agent", "list"],
    &["agent", "health", "dora"],
    &["job", "status", "long"],
    &["job", "why", "long"],
    &["job", "list"],
    &["job", "stats"],
    &["capacity", "stats"],
    &["algorithm", "list"],
    &["cell", "list"],
    &["shed", "status"],
    &["shed", "check", "--class", "data"],
    &["stats", "summary"],
];

#[test]
fn reading_commands_change_no_byte() {
    let dir = folder();
    let before = bytes(dir.path());
    let answers = || -> Vec<(i32, String)> {
        let read = |args: &&[&str]| {
            let ran = run(&[*args, &["--data", text(dir.path()), "--json"]].concat());
            assert!(ran.code() == 0, "{args:?}: {}{}", ran.out(), ran.err());
            (ran.code(), ran.out().to_owned())
        };
        READS.iter().map(read).collect()
    };
    assert_eq!(answers(), answers(), "two reads of one folder answer the same");
    assert!(bytes(dir.path()) == before, "a reading command changed the folder");
}

#[test]
fn what_is_overdue_is_shown_as_recorded_and_not_closed() {
    let dir = folder();
    let ran = run(&["quorum", "status", "second", "--data", text(dir.path())]).ok();
    assert!(ran.err().contains("deadlines have passed since"), "{}", ran.err());
    let status = run(&["quorum", "status", "second", "--data", text(dir.path()), "--json"]).ok().json();
    assert_eq!(status["state"], "open", "{status}");
    let tip =
        || run(&["history", "verify", "--data", text(dir.path()), "--json"]).ok().json()["tip_hash"].clone();
    assert_eq!(tip(), tip());
}

/// A mount that refuses writes, where this machine permits to make one.
#[test]
fn a_read_only_mount_can_be_read_and_recovered() {
    let dir = folder();
    let to = TempDir::new().unwrap();
    let (program, data) = (env!("CARGO_BIN_EXE_quorate"), text(dir.path()));
    let mount = format!("mount --bind '{data}' '{data}' && mount -o remount,ro,bind '{data}'");
    let within = |command: &str| {
        let script = format!("{mount} && {command}");
        Command::new("unshare").args(["--mount", "sh", "-c", &script]).output()
    };
    match within(&format!("! touch '{data}/probe' 2>/dev/null")) {
        Ok(output) if output.status.success() => {}
        other => {
            eprintln!("skipped: no read-only mount can be made here. {other:?}");
            return;
        }
    }
    for args in READS {
        let output = within(&format!("'{program}' {} --data '{data}' --json", args.join(" "))).unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stdout));
    }
    let new = to.path().join("new");
    let output = within(&format!("'{program}' recover '{data}' --to '{}' --json", text(&new))).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_folder_in_use_is_locked_for_reading_commands() {
    let dir = folder();
    let data = text(dir.path());
    let mut first =
        quorate(&["play", "-", "--data", data]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut script = first.stdin.take().unwrap();
    std::io::Write::write_all(&mut script, b"{\"op\":\"quorum.stats\"}\n").unwrap();
    BufReader::new(first.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    for args in [&["history", "verify", "--data", data][..], &["recover", data, "--to", "/nowhere"]] {
        let ran = run(&[args, &["--json"]].concat());
        assert_eq!((ran.code(), &ran.json()["error"]["kind"]), (11, &json!("store_locked")));
    }
    drop(script);
    assert!(first.wait().unwrap().success());
}

#[test]
fn a_sound_folder_is_recovered_whole() {
    let (dir, to) = (folder(), TempDir::new().unwrap());
    let verified = run(&["history", "verify", "--data", text(dir.path()), "--json"]).ok().json();
    let new = to.path().join("new");
    let recovered = run(&["recover", text(dir.path()), "--to", text(&new), "--json"]).ok().json();
    assert_eq!((&recovered["ok"], &recovered["missing"]), (&json!(true), &json!([])));
    for name in ["groups", "records", "tip_hash"] {
        assert_eq!(recovered[name], verified[name], "{name}");
    }
    let again = run(&["history", "verify", "--data", text(&new), "--json"]).ok().json();
    assert_eq!(again, verified);
    run(&["agent", "register", "--agent-id", "eve", "--data", text(&new)]).ok();
    let refused = run(&["recover", text(dir.path()), "--to", text(&new), "--json"]);
    assert_eq!((refused.code(), &refused.json()["error"]["kind"]), (12, &json!("store_foreign")));
}

#[test]
fn a_damaged_record_is_named_and_the_rest_is_recovered() {
    let (dir, to) = (folder(), TempDir::new().unwrap());
    let data = text(dir.path());
    run(&["agent", "register", "--agent-id", "later", "--data", data]).ok();
    let all = run(&["history", "query", "--data", data, "--json"]).ok().json();
    let mut flipped = 0;
    for path in files(dir.path()) {
        let mut content = std::fs::read(&path).unwrap();
        let needle = b"needle-voter";
        let places: Vec<usize> = (0..content.len().saturating_sub(needle.len()))
            .filter(|at| content[*at..].starts_with(needle))
            .collect();
        for at in &places {
            content[*at] ^= 1;
        }
        flipped += places.len();
        if !places.is_empty() {
            std::fs::write(&path, content).unwrap();
        }
    }
    assert!(flipped > 0);
    let before = bytes(dir.path());
    let verified = run(&["history", "verify", "--data", data, "--json"]);
    let broken = verified.json()["broken"].clone();
    assert_eq!((verified.code(), &broken["entity"]), (14, &json!("quorum/second")), "{broken}");
    let why = broken["why"].as_str().unwrap();
    assert!(why.contains("file=") && why.contains("offset=") && broken["position"].is_u64(), "{broken}");
    let query = run(&["history", "query", "--data", data, "--json"]);
    assert_eq!(query.code(), 14, "what is read of a damaged folder is not the whole of it");
    assert!(query.err().contains("warning: ") && query.err().contains("second"), "{}", query.err());
    let new = to.path().join("new");
    let ran = run(&["recover", data, "--to", text(&new), "--json"]);
    let recovered = ran.json();
    assert_eq!((ran.code(), &recovered["ok"]), (14, &json!(false)), "{recovered}");
    assert_eq!(recovered["missing"].as_array().unwrap().len(), 1, "{recovered}");
    assert!(recovered["entities"].to_string().contains("second"), "{recovered}");
    run(&["history", "verify", "--data", text(&new), "--json"]).ok();
    let kept = run(&["history", "query", "--data", text(&new), "--json"]).ok().json();
    let mut found = kept["events"].as_array().unwrap().clone();
    let beside = std::fs::read_to_string(to.path().join("new.rest.jsonl")).unwrap();
    found.extend(beside.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()));
    assert!(found.iter().all(|event| all["events"].as_array().unwrap().contains(event)));
    let lost = all["events"].as_array().unwrap().len() - found.len();
    assert!((1..=3).contains(&lost), "{lost} lost");
    assert!(bytes(dir.path()) == before, "reading and recovering changed the damaged folder");
}

/// The history may be whole where the folder will not open: `verify` says both, and `recover` has everything.
#[test]
fn verify_says_when_a_whole_history_stands_in_a_folder_that_does_not_open() {
    let sound = folder();
    let whole = run(&["history", "verify", "--data", text(sound.path()), "--json"]).ok().json();
    assert_eq!((&whole["opens"], &whole["refusal"]), (&json!(true), &json!(null)));
    let database = |dir: &Path| {
        let path = dir.join("sled").join("db");
        let mut content = std::fs::read(&path).unwrap();
        let at = content.windows(8).position(|bytes| bytes == b"archived").unwrap();
        content[at] ^= 1;
        std::fs::write(path, content).unwrap();
    };
    let format = |text: &'static str| move |dir: &Path| std::fs::write(dir.join("FORMAT"), text).unwrap();
    type Damage<'a> = &'a dyn Fn(&Path);
    let cases: [(&str, Damage<'_>); 4] = [
        ("the database would be rolled back", &database),
        ("FORMAT", &format("")),
        ("FORMAT", &format("quorate store 3\n")),
        ("FORMAT", &|dir| std::fs::remove_file(dir.join("FORMAT")).unwrap()),
    ];
    for (why, damage) in cases {
        let (dir, to) = (folder(), TempDir::new().unwrap());
        let data = text(dir.path());
        let whole = run(&["history", "verify", "--data", data, "--json"]).ok().json();
        damage(dir.path());
        let before = bytes(dir.path());
        let verified = run(&["history", "verify", "--data", data, "--json"]);
        let reply = verified.json();
        assert_eq!(
            (verified.code(), &reply["ok"], &reply["opens"]),
            (14, &json!(true), &json!(false)),
            "{why}"
        );
        assert_eq!(reply["tip_hash"], whole["tip_hash"]);
        let refusal = reply["refusal"].as_str().unwrap();
        assert!(refusal.contains(why) && refusal.contains("quorate recover"), "{refusal}");
        assert!(refusal.contains("--accept-loss"), "{refusal}");
        let people = run(&["history", "verify", "--data", data]);
        assert!(people.err().contains("a server will refuse this folder"), "{}", people.err());
        // What is shown by other reading commands is whole.
        assert_eq!(run(&["quorum", "status", "second", "--data", data]).code(), 0);
        let served = run(&["serve", "--data", data, "--listen", "127.0.0.1:0", "--json"]);
        assert_eq!((served.code(), &served.json()["error"]["kind"]), (14, &json!("store_corrupt")), "{why}");
        let changed = |(path, content): (&PathBuf, &Vec<u8>)| {
            !path.ends_with("LOCK") && std::fs::read(path).ok().as_ref() != Some(content)
        };
        assert!(!before.iter().any(changed), "{why}: something changed the folder");
        let new = to.path().join("new");
        let recovered = run(&["recover", data, "--to", text(&new), "--json"]).ok().json();
        assert_eq!((&recovered["ok"], &recovered["tip_hash"]), (&json!(true), &whole["tip_hash"]));
        assert!(recovered["notes"][0].as_str().unwrap().contains(why), "{recovered}");
        run(&["history", "verify", "--data", text(&new), "--json"]).ok();
        let accepted = run(&["agent", "register", "--agent-id", "new", "--data", data, "--accept-loss"]);
        assert_eq!(accepted.code(), 0, "{}", accepted.err());
    }
}

#[test]
fn a_folder_is_not_recovered_into_itself_nor_around_itself_whatever_links_lead_there() {
    let (dir, (_scripts, script)) = (TempDir::new().unwrap(), super::file(LONG_AGO));
    let held = dir.path().join("held");
    let (store, link) = (held.join("store"), dir.path().join("link"));
    run(&["play", text(&script), "--data", text(&store)]).ok();
    std::os::unix::fs::symlink(&store, &link).unwrap();
    let before = bytes(&held);
    for to in [
        store.join("new"),
        store.join("deep/er/new"),
        store.join("new/../other"),
        store.clone(),
        held.clone(),
        link.join("new"),
        link.clone(),
    ] {
        for from in [&store, &link] {
            let refused = run(&["recover", text(from), "--to", text(&to), "--json"]);
            let told = format!("{}{}", refused.out(), refused.err());
            assert_eq!(refused.code(), 2, "{to:?}: {told}");
            assert!(told.contains("\"field\":\"to\""), "{to:?}: {told}");
        }
    }
    assert!(bytes(&held) == before && !store.join("deep").exists(), "a refusal wrote something");
    // Beside it is fine, also by the same link.
    run(&["recover", text(&link), "--to", text(&held.join("new"))]).ok();
}
