use super::{file, quorate, run, text};
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use tempfile::TempDir;

#[test]
fn a_quorum_goes_from_start_to_history_over_separate_processes() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("new");
    let data = text(&data);
    let start = &["quorum", "start", "--quorum-type", "GLOBAL", "--quorum-id", "q", "--voters", "ann,bob"];
    let more =
        &["--voters", "cid", "--required-votes", "2", "--subject", "{\"v\":1}", "--data", data, "--json"];
    let started = run(&[&start[..], more].concat()).ok().json();
    assert_eq!((&started["voter_count"], &started["electorate"]), (&3.into(), &"closed".into()));
    let vote = |voter, more: &[&str]| {
        let args = ["quorum", "vote", "--quorum-id", "q", "--voter-id", voter, "--data", data, "--vote"];
        run(&[&args[..], more].concat())
    };
    assert_eq!(vote("ann", &["true", "--confidence", "0.5", "--json"]).ok().json()["counted"], true);
    assert_eq!(vote("bob", &["true", "--json"]).ok().json()["state"], "approved");
    let late = vote("cid", &["false"]);
    assert_eq!((late.code(), late.out()), (4, ""));
    assert_eq!(
        late.err(),
        "error: the quorum has ended. state=approved\n\
         next: nothing; the outcome is final, and `quorate quorum status` shows it\n"
    );
    let status = run(&["quorum", "status", "--quorum-id", "q", "--data", data]).ok();
    let shown =
        |line: &str| status.out().lines().any(|l| l.split_whitespace().collect::<Vec<_>>().join(" ") == line);
    assert!(shown("state approved") && shown("decided_by bob"), "{}", status.out());
    let page = run(&["history", "query", "--voter-id", "cid", "--data", data, "--json"]).ok().json();
    assert_eq!(page["events"][0]["event"], "vote_refused");
    assert!(run(&["history", "query", "--data", data]).ok().out().contains("vote_cast"));
    assert_eq!(run(&["history", "verify", "--data", data, "--json"]).ok().json()["ok"], true);
}

#[test]
fn who_waits_for_what_has_ended_writes_nothing() {
    let folder = TempDir::new().unwrap();
    let data = text(folder.path());
    let op = |args: &[&str]| run(&[args, &["--data", data, "--json"]].concat()).json();
    let start = |id: &str, seconds: &str| {
        let who = ["--quorum-type", "global", "--voters", "ann", "--timeout-seconds", seconds];
        op(&[&["quorum", "start", "--quorum-id", id][..], &who].concat())
    };
    start("decided", "600");
    op(&["quorum", "vote", "decided", "--voter-id", "ann", "--vote", "true"]);
    // Its time is over, and whoever owns the folder next puts that on record.
    start("overdue", "0.001");
    std::thread::sleep(std::time::Duration::from_millis(20));
    let records = || op(&["history", "verify"])["records"].clone();
    let before = records();
    let waited = run(&["quorum", "wait", "decided", "--data", data, "--json"]).ok();
    assert_eq!((&waited.json()["state"], records()), (&"approved".into(), before));
    let waited = run(&["quorum", "wait", "overdue", "--data", data, "--json"]);
    assert_eq!(
        waited.json()["state"],
        "timed_out",
        "what has not ended is waited for, and its end is on record"
    );
}

#[test]
fn every_refusal_has_the_exit_code_of_its_kind() {
    let folder = TempDir::new().unwrap();
    let data = text(folder.path());
    let op = |args: &[&str]| {
        let ran = run(&[args, &["--data", data, "--json"]].concat());
        let kind = ran.json()["error"]["kind"].as_str().unwrap_or_default().to_owned();
        (ran.code(), kind)
    };
    let start = ["quorum", "start", "--quorum-type", "global", "--quorum-id", "q", "--voters", "a,b"];
    assert_eq!(op(&start).0, 0);
    assert_eq!(op(&start), (4, "already_exists".into()));
    let of = |kind: &str| quorate_runtime::error::KINDS.iter().find(|k| k.name == kind).unwrap().exit.into();
    let cases: [(&[&str], &str); 5] = [
        (&["quorum", "status", "--quorum-id", "other"], "not_found"),
        (&["quorum", "start", "--quorum-type", "square"], "invalid_argument"),
        (&["quorum", "history", "--limit", "-1"], "invalid_argument"),
        (
            &["quorum", "start", "--quorum-type", "global", "--voters", "a", "--required-votes", "2"],
            "unreachable_requirement",
        ),
        (
            &["quorum", "start", "--quorum-type", "ring", "--ring", "4", "--strict-membership"],
            "unknown_membership",
        ),
    ];
    for (args, kind) in cases {
        assert_eq!(op(args), (of(kind), kind.to_owned()), "{args:?}");
    }
}

#[test]
fn a_command_that_reads_does_not_make_a_missing_folder() {
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("missing");
    let read: [&[&str]; 3] = [
        &["quorum", "stats"],
        &["history", "verify"],
        &["quorum", "vote", "--quorum-id", "q", "--voter-id", "v", "--vote", "true"],
    ];
    for args in read {
        let ran = run(&[args, &["--data", text(&missing)]].concat());
        assert_eq!((ran.code(), ran.out()), (12, ""), "{args:?}: {}", ran.err());
        assert!(ran.err().contains("missing") && ran.err().contains("next: "), "{}", ran.err());
        assert!(!missing.exists(), "{args:?}");
    }
}

#[test]
fn a_folder_with_something_else_in_it_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("letter.txt"), "dear").unwrap();
    let ran = run(&["cell", "mesh", "--rings", "1", "--data", text(folder.path()), "--json"]);
    assert_eq!((ran.code(), &ran.json()["error"]["kind"]), (12, &"store_foreign".into()));
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["letter.txt"]);
}

#[test]
fn two_processes_do_not_share_a_folder() {
    let folder = TempDir::new().unwrap();
    let data = text(folder.path());
    let mut first =
        quorate(&["play", "-", "--data", data]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut script = first.stdin.take().unwrap();
    writeln!(script, "{{\"op\":\"quorum.stats\"}}").unwrap();
    let mut line = String::new();
    BufReader::new(first.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("active_quorums"), "{line}");
    let second = run(&["quorum", "stats", "--data", data, "--json"]);
    assert_eq!((second.code(), &second.json()["error"]["kind"]), (11, &"store_locked".into()));
    drop(script);
    assert!(first.wait().unwrap().success());
    run(&["quorum", "stats", "--data", data]).ok();
}

#[test]
fn a_damaged_folder_is_opened_only_on_demand_and_that_is_told_and_on_record() {
    let folder = TempDir::new().unwrap();
    let data = text(folder.path());
    let start = ["quorum", "start", "--quorum-type", "global", "--voters", "a,b", "--data", data, "--json"];
    run(&[&start[..], &["--quorum-id", "q"]].concat()).ok();
    std::fs::write(folder.path().join("mark"), "garbage").unwrap();
    let again = [&start[..], &["--quorum-id", "r"]].concat();
    let refused = run(&again);
    assert_eq!(&refused.json()["error"]["kind"], "store_corrupt");
    assert!(!folder.path().join("lost-1").exists());
    let accepted = run(&[&again[..], &["--accept-loss"]].concat()).ok();
    assert!(accepted.err().contains("warning: a loss was accepted"), "{}", accepted.err());
    assert!(folder.path().join("lost-1").join("mark").exists());
    assert_eq!(run(&["quorum", "stats", "--data", data]).ok().err(), "");
    let page = run(&["history", "query", "--data", data, "--json"]).ok().json();
    let events: Vec<_> = page["events"].as_array().unwrap().iter().map(|event| &event["event"]).collect();
    assert!(events.contains(&&"loss_accepted".into()), "{events:?}");
    run(&["quorum", "status", "--quorum-id", "q", "--data", data]).ok();
}

/// A folder whose last record is years old, with a question whose deadline has passed since.
fn old_folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let (_script, script) = file(
        "{\"op\":\"quorum.start\",\"quorum_id\":\"q\",\"quorum_type\":\"global\",\"voters\":[\"ann\"],\"timeout_seconds\":60}\n",
    );
    run(&["play", text(&script), "--start", "2020-01-01", "--data", text(folder.path())]).ok();
    folder
}

#[test]
fn a_folder_that_nobody_serves_is_seen_as_of_now() {
    let folder = old_folder();
    let data = text(folder.path());
    let seen = run(&["status", "--data", data, "--json"]).ok().json();
    assert_eq!((&seen["questions"][0]["id"], &seen["questions"][0]["left_ms"]), (&"q".into(), &0.into()));
    assert!(
        seen["now"].as_str().unwrap() > "2026" && seen["as_of"].as_str().unwrap().starts_with("2020-01-01"),
        "{seen}"
    );
    assert_eq!((&seen["overdue_total"], &seen["overdue"][0]["id"]), (&1.into(), &"q".into()));
    let inbox = run(&["inbox", "ann", "--data", data, "--json"]).ok().json();
    assert_eq!(inbox["questions"][0]["left_ms"], 0);
}

#[test]
fn a_damaged_folder_is_not_recovered_into_itself() {
    let folder = old_folder();
    let data = text(folder.path());
    let ran = run(&["recover", data, "--to", data]);
    assert_eq!(ran.code(), 2);
    assert!(ran.err().contains("expected another folder than the damaged one"), "{}", ran.err());
}

#[test]
fn a_proof_from_a_folder_without_a_log_says_what_makes_one() {
    let folder = old_folder();
    for args in [&["history", "checkpoint"][..], &["history", "prove", "--position", "1"]] {
        let ran = run(&[args, &["--data", text(folder.path())]].concat());
        assert_eq!(ran.code(), 3, "{}", ran.out());
        assert!(
            ran.err().contains("next: serve the folder once (`quorate serve --data DIR`)"),
            "{}",
            ran.err()
        );
    }
}
