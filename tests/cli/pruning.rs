//! A folder without what ended: from the command line, and whatever is killed.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use quorate_runtime::shell::clock::Stopwatch;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{serve, signal};
use crate::{quorate, run, text};

/// A folder with so many decided quorums, one that is open, and a log that is signed.
fn folder(parent: &Path, count: usize) -> PathBuf {
    let folder = parent.join("data");
    let script = parent.join("script");
    let mut lines = String::new();
    for n in 0..count {
        let start = json!({"op": "quorum.start", "quorum_id": format!("q{n}"), "quorum_type": "global",
            "voters": ["ann", "bob"], "required_votes": 1});
        let vote =
            json!({"op": "quorum.vote", "quorum_id": format!("q{n}"), "voter_id": "ann", "vote": true});
        lines.push_str(&format!("{start}\n{vote}\n"));
    }
    lines.push_str(
        &json!({"op": "quorum.start", "quorum_id": "open", "quorum_type": "global", "voters": ["ann"],
        "required_votes": 1, "timeout_seconds": 3000})
        .to_string(),
    );
    lines.push('\n');
    std::fs::write(&script, lines).unwrap();
    run(&["play", text(&script), "--data", text(&folder), "--start", "2100-01-01"]).ok();
    let (mut server, url) = serve(text(&folder));
    run(&["history", "checkpoint", "--url", &url]).ok();
    signal(&server, "-TERM");
    assert!(server.wait().unwrap().success());
    folder
}

fn verified(folder: &Path) -> Value {
    run(&["history", "verify", "--data", text(folder), "--json"]).ok().json()
}

#[test]
fn a_folder_is_pruned_and_says_so() {
    let dir = TempDir::new().unwrap();
    let folder = folder(dir.path(), 30);
    let dry = run(&["prune", text(&folder), "--keep-last", "5", "--dry-run", "--json"]).ok().json();
    assert_eq!((&dry["entities"], &dry["dry_run"]), (&json!(25), &json!(true)));
    assert_eq!(verified(&folder)["pruned"], Value::Null);
    let done = run(&["prune", text(&folder), "--keep-last", "5", "--by", "ops", "--json"]).ok().json();
    assert_eq!((&done["entities"], &done["pruning"]), (&json!(25), &json!(1)));
    let after = verified(&folder);
    assert_eq!(
        (&after["ok"], &after["pruned"], &after["log"]["contained"]),
        (&json!(true), &done["records"], &json!(true))
    );
    let gone = run(&["quorum", "status", "q0", "--data", text(&folder), "--json"]);
    assert_eq!((gone.code(), &gone.json()["error"]["kind"]), (41, &json!("pruned")));
    let never = run(&["quorum", "status", "never", "--data", text(&folder), "--json"]);
    assert_eq!((never.code(), &never.json()["error"]["kind"]), (3, &json!("not_found")));
    run(&["quorum", "status", "q29", "--data", text(&folder), "--json"]).ok();
    let list = run(&["retention", "list", "--data", text(&folder), "--json"]).ok().json();
    assert_eq!(list["prunings"][0]["pruned_by"], json!("ops"));
    // A copy by way of a backup is the same.
    let (file, new) = (dir.path().join("backup"), dir.path().join("new"));
    run(&["backup", text(&folder), "--to", text(&file), "--json"]).ok();
    run(&["restore", text(&file), "--to", text(&new), "--json"]).ok();
    assert_eq!(verified(&new)["pruned"], done["records"]);
    assert_eq!(run(&["quorum", "status", "q0", "--data", text(&new), "--json"]).code(), 41);
    // An export of what is left is a part, and proves itself.
    let export = dir.path().join("export");
    run(&["history", "export", "--to", text(&export), "--data", text(&folder), "--json"]).ok();
    let key = run(&["history", "checkpoint", "--data", text(&folder), "--json"]).ok().json();
    let key = key["public_key"].as_str().unwrap();
    run(&["history", "verify-export", text(&export), "--public-key", key, "--json"]).ok();
    let nothing = run(&["prune", text(&folder), "--json"]);
    assert_eq!((nothing.code(), &nothing.json()["error"]["field"]), (2, &json!("older-than")));
}

#[test]
fn a_pruning_killed_at_any_instant_leaves_the_old_or_the_new_whole() {
    let dir = TempDir::new().unwrap();
    kill_prunings_of(folder(dir.path(), 400));
}

#[test]
fn a_pruning_of_a_folder_of_fjall_killed_at_any_instant_leaves_the_old_or_the_new_whole() {
    let dir = TempDir::new().unwrap();
    let (made, file, new) = (folder(dir.path(), 400), dir.path().join("backup"), dir.path().join("of-fjall"));
    run(&["backup", text(&made), "--to", text(&file)]).ok();
    run(&["restore", text(&file), "--to", text(&new), "--store", "fjall"]).ok();
    kill_prunings_of(new.clone());
    assert!(new.join("fjall").exists() && !new.join("sled").exists());
}

fn kill_prunings_of(folder: PathBuf) {
    let before = verified(&folder);
    let prune = |keep: &str| {
        let args = ["prune", text(&folder), "--keep-last", keep, "--json"];
        quorate(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    // How long one takes.
    let took = Stopwatch::start();
    assert!(prune("399").wait().unwrap().success());
    let took = took.elapsed();
    let (mut old, mut new, mut pruned) = (0, 0, 1);
    for round in 0..40u32 {
        let mut child = prune(&(398 - round * 5).to_string());
        if round % 2 == 0 {
            // While the new folder is made.
            std::thread::sleep(took.min(Duration::from_secs(5)) * (round % 20 + 1) / 40);
        } else {
            // Around the exchange, however slow the machine is.
            let made = folder.with_extension("pruning").join("new");
            while !made.exists() && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_micros(200));
            }
            std::thread::sleep(Duration::from_millis(u64::from(round * round / 4)));
        }
        // It may have ended by itself.
        let _ = child.kill();
        child.wait().unwrap();
        let now = verified(&folder);
        assert_eq!(
            (&now["ok"], &now["opens"], &now["log"]["contained"]),
            (&json!(true), &json!(true), &json!(true))
        );
        let there = run(&["retention", "list", "--data", text(&folder), "--json"]).ok().json();
        let count = there["prunings"].as_array().unwrap().len();
        let records = now["records"].as_u64().unwrap();
        assert_eq!(
            records,
            before["records"].as_u64().unwrap() + count as u64,
            "one record for each pruning"
        );
        if count > pruned {
            (new, pruned) = (new + 1, count);
        } else {
            old += 1;
        }
        let beside = folder.with_extension("pruning");
        // An empty one, from before the work began or after it was cleared, is like any empty folder.
        if std::fs::read_dir(&beside).is_ok_and(|mut items| items.next().is_some()) {
            let opened = run(&["agent", "register", "--agent-id", "x", "--data", text(&beside), "--json"]);
            assert_eq!(opened.code(), 12, "what lies beside is no store: {}", opened.out());
        }
        run(&["quorum", "status", "open", "--data", text(&folder), "--json"]).ok();
    }
    println!("{old} times the old folder, {new} times the new one");
    assert!(old >= 5 && new >= 1, "{old} {new}");
    assert!(prune("3").wait().unwrap().success());
    assert!(!folder.with_extension("pruning").exists());
    assert_eq!(verified(&folder)["ok"], true);
    let open = run(&[
        "quorum",
        "vote",
        "open",
        "--voter-id",
        "ann",
        "--vote",
        "true",
        "--data",
        text(&folder),
        "--json",
    ]);
    open.ok();
}

#[test]
fn what_cannot_be_meant_is_refused_and_what_was_left_is_told() {
    let dir = TempDir::new().unwrap();
    let folder = folder(dir.path(), 3);
    let inside = |args: &[&str]| quorate(args).current_dir(&folder).output().unwrap();
    let refused = inside(&["prune", ".", "--keep-last", "0", "--json"]);
    assert_eq!(refused.status.code(), Some(2), "{}", String::from_utf8_lossy(&refused.stderr));
    assert!(inside(&["prune", ".", "--keep-last", "0", "--dry-run", "--json"]).status.success());
    let by = "x".repeat(300);
    for (flags, field) in [
        (["--keep-last", "0", "--by", &by], "by"),
        (["--keep-last", "0", "--older-than", "99999999999d"], "older-than"),
        (["--keep-last", "0", "--older-than", "999999999999999999999d"], "older-than"),
    ] {
        let args = [&["prune", text(&folder), "--json"], &flags[..]].concat();
        let refused = run(&args);
        assert_eq!((refused.code(), &refused.json()["error"]["field"]), (2, &json!(field)), "{flags:?}");
    }

    let doctor = || run(&["doctor", "--data", text(&folder), "--json"]);
    let check = |report: &Value, name: &str| {
        let checks = report["checks"].as_array().unwrap();
        let found = checks.iter().find(|check| check["check"] == name).unwrap();
        (found["status"].clone(), found["found"].as_str().unwrap().to_owned())
    };
    let sound = doctor().ok().json();
    assert_eq!(check(&sound, "left over"), (json!("ok"), "nothing".to_owned()));
    assert_eq!(check(&sound, "checkpoint").0, "ok", "{sound}");
    let left = folder.with_extension("pruning").join("new.restoring");
    std::fs::create_dir_all(&left).unwrap();
    let (status, found) = check(&doctor().ok().json(), "left over");
    assert_eq!(status, "warn");
    assert!(found.contains(".pruning"), "{found}");
    // What came after the newest checkpoint is not signed; one that was touched does not hold.
    run(&["agent", "register", "--agent-id", "late", "--data", text(&folder), "--json"]).ok();
    let kept = std::fs::read_to_string(folder.join("tlog/checkpoint")).unwrap();
    let newest = run(&["history", "verify", "--data", text(&folder), "--json"]).ok().json();
    if newest["log"]["size"] != newest["records"] {
        let (status, found) = check(&doctor().ok().json(), "checkpoint");
        assert!(status == "warn" && found.contains("not signed yet"), "{status} {found}");
    }
    std::fs::write(folder.join("tlog/checkpoint"), kept.replacen('\n', "0\n", 2)).unwrap();
    let touched = doctor();
    assert_eq!((touched.code(), check(&touched.json(), "checkpoint").0), (10, json!("fail")));
    std::fs::write(folder.join("tlog/checkpoint"), kept).unwrap();

    // Whoever reads history is told once what is gone of it.
    run(&["prune", text(&folder), "--keep-last", "1", "--json"]).ok();
    assert!(!folder.with_extension("pruning").exists());
    let counted = run(&["history", "count", "--data", text(&folder), "--json"]).ok().json();
    assert_eq!(counted["pruned"][0]["pruning"], 1);
    let ended = run(&["quorum", "history", "--data", text(&folder), "--json"]).ok().json();
    assert_eq!((&ended["pruned"], ended["history"].as_array().unwrap().len()), (&json!(2), 1));
    let export = dir.path().join("export");
    let manifest =
        run(&["history", "export", "--to", text(&export), "--data", text(&folder), "--json"]).ok().json();
    assert_eq!((&manifest["pruned"], &manifest["whole"]), (&counted["pruned"], &json!(false)));
    let (mut server, url) = serve(text(&folder));
    let mut watch = quorate(&["watch", "--from-position", "1", "--json", "--url", &url])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut lines = std::io::BufReader::new(watch.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut lines, &mut first).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&first).unwrap()["pruned"], counted["pruned"]);
    watch.kill().unwrap();
    watch.wait().unwrap();
    signal(&server, "-TERM");
    assert!(server.wait().unwrap().success());
}
