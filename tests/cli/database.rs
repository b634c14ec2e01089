//! A journal in a database at the command line, and what `doctor` says of one.

use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use quorate_journal::stores::postgres::PostgresStore;
use quorate_journal::stores::{DatabaseUrl, STORES, StoreOptions, store_in};
use quorate_journal::{Fault, Pending, Store};
use serde_json::Value;
use tempfile::TempDir;

use super::postgres::server;
use super::server::{serve, signal};
use super::{run, text};

#[test]
fn the_same_commands_work_on_a_database_and_a_second_owner_is_refused_by_name() {
    let Some(database) = server() else { return };
    let url = database.fresh();
    let there = |args: &[&str]| run(&[args, &["--data", &url, "--json"]].concat());
    let missing = there(&["quorum", "status", "--quorum-id", "q"]);
    assert_eq!((missing.code(), &missing.json()["error"]["kind"]), (12, &"store_missing".into()));
    let start = ["quorum", "start", "--quorum-type", "global", "--quorum-id", "q", "--voters", "ann,bob"];
    there(&start).ok();
    there(&["quorum", "vote", "--quorum-id", "q", "--voter-id", "ann", "--vote", "true"]).ok();
    let (mut owner, door) = serve(&url);
    let vote = ["quorum", "vote", "--quorum-id", "q", "--voter-id", "bob", "--vote", "true"];
    let refused = there(&vote);
    assert_eq!((refused.code(), &refused.json()["error"]["kind"]), (11, &"store_locked".into()));
    let said = refused.json()["error"]["message"].to_string();
    assert!(said.contains(&format!("pid {}", owner.id())), "{said}");
    assert_eq!(run(&[&vote[..], &["--url", &door, "--json"]].concat()).ok().json()["state"], "approved");
    // Who only reads does so beside the owner.
    assert_eq!(there(&["quorum", "status", "--quorum-id", "q"]).ok().json()["state"], "approved");
    assert_eq!(there(&["history", "verify"]).ok().json()["ok"], true);
    let checks = run(&["doctor", "--store", &url, "--json"]).ok().json();
    let owned = checks["checks"].as_array().unwrap().iter().find(|check| check["check"] == "owner").unwrap();
    assert!(owned["found"].to_string().contains(&format!("pid {}", owner.id())), "{owned}");
    signal(&owner, "-TERM");
    assert!(owner.wait().unwrap().success());
    assert_eq!(there(&["quorum", "status", "--quorum-id", "q"]).ok().json()["approve_votes"], 2);
}

fn status<'c>(checks: &'c Value, name: &str) -> (&'c Value, &'c Value) {
    let check = checks["checks"].as_array().unwrap().iter().find(|check| check["check"] == name);
    check.map(|check| (&check["status"], &check["remedy"])).unwrap_or_else(|| panic!("{name}: {checks}"))
}

#[test]
fn doctor_says_what_a_database_lacks_and_exits_with_it() {
    let Some(database) = server() else { return };
    let url = database.fresh();
    let sound = run(&["doctor", "--store", &url, "--json"]).ok().json();
    assert_eq!(sound["ok"], true);
    for name in
        ["connection", "primary", "fsync", "full_page_writes", "synchronous standby", "pooler", "clock"]
    {
        assert_eq!(status(&sound, name).0, "ok", "{name}: {sound}");
    }
    let hasty = run(&["doctor", "--store", &format!("{url}%20-csynchronous_commit%3Doff"), "--json"]);
    assert_eq!(hasty.code(), 10);
    let hasty = hasty.json();
    let (failed, remedy) = status(&hasty, "synchronous_commit");
    assert_eq!((&hasty["ok"], failed), (&false.into(), &"fail".into()));
    assert!(remedy.to_string().contains("ALTER SYSTEM SET synchronous_commit = on"), "{remedy}");
    assert!(run(&["doctor", "--data", &url]).ok().out().contains("full_page_writes"));
}

#[test]
fn doctor_looks_at_a_folder_and_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let data = text(&data);
    assert_eq!(status(&run(&["doctor", "--data", data, "--json"]).ok().json(), "store").0, "ok");
    assert!(!folder.path().join("data").exists());
    run(&["quorum", "start", "--quorum-type", "global", "--data", data]).ok();
    let checks = run(&["doctor", "--data", data, "--json"]).ok().json();
    for name in ["store", "writable", "left over", "owner"] {
        assert_eq!(status(&checks, name).0, "ok", "{checks}");
    }
    std::fs::write(folder.path().join("data/mark.new"), "x").unwrap();
    let checks = run(&["doctor", "--data", data, "--json"]).ok().json();
    assert_eq!(status(&checks, "left over").0, "warn");
    let (server, _) = serve(data);
    let mut server = server;
    // Nothing is wrong with a folder that is in use.
    let checks = run(&["doctor", "--data", data, "--json"]).ok().json();
    for name in ["store", "owner"] {
        assert_eq!(status(&checks, name).0, "ok", "{checks}");
    }
    assert!(checks.to_string().contains("served by a process: not read"), "{checks}");
    // One that is stopped has its socket still, and answers nothing.
    signal(&server, "-STOP");
    let frozen = run(&["doctor", "--data", data, "--json"]);
    assert_eq!((frozen.code(), status(&frozen.json(), "owner").0), (10, &"fail".into()));
    signal(&server, "-KILL");
    server.wait().unwrap();
    assert_eq!(status(&run(&["doctor", "--data", data, "--json"]).json(), "owner").0, "warn");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Made for its owner alone; whoever opens it wider is told what that means.
        let mode = |mode| std::fs::set_permissions(data, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(std::fs::metadata(data).unwrap().permissions().mode() & 0o777, 0o700);
        mode(0o755);
        assert_eq!(status(&run(&["doctor", "--data", data, "--json"]).json(), "private").0, "warn");
        mode(0o700);
    }
    let foreign = TempDir::new().unwrap();
    std::fs::write(foreign.path().join("letters"), "dear").unwrap();
    let checks = run(&["doctor", "--data", text(foreign.path()), "--json"]);
    assert_eq!((checks.code(), status(&checks.json(), "store").0), (10, &"fail".into()));
}

#[cfg(target_os = "linux")]
#[test]
fn doctor_says_that_a_folder_may_not_be_written() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    let mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let folder = TempDir::new().unwrap();
    mode(folder.path(), 0o755);
    let data = folder.path().join("data");
    run(&["quorum", "start", "--quorum-type", "global", "--data", text(&data)]).ok();
    mode(&data, 0o555);
    // Root may write everything, so somebody else asks.
    let nobody = 65_534;
    let is_root = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&data).unwrap()) == 0;
    for path in [data.clone(), folder.path().join("new")] {
        mode(folder.path(), 0o555);
        let mut command = super::quorate(&["doctor", "--data", text(&path), "--json"]);
        if is_root {
            command.uid(nobody).gid(nobody);
        }
        let ran = match command.output() {
            Ok(ran) => super::Ran(ran),
            Err(e) => return eprintln!("SKIPPED: the program cannot be run as somebody else. {e}"),
        };
        mode(folder.path(), 0o755);
        assert_eq!((ran.code(), status(&ran.json(), "writable").0), (10, &"fail".into()), "{}", ran.out());
    }
    mode(&data, 0o755);
    let inside = folder.path().join("data/FORMAT/data");
    let checks = run(&["doctor", "--data", text(&inside), "--json"]).json();
    assert_eq!(status(&checks, "writable").0, "fail", "{checks}");
}

#[test]
fn a_password_is_shown_nowhere() {
    let url = "postgres://ann:s3cret@127.0.0.1:1/q";
    let commands: [&[&str]; 5] = [
        &["doctor", "--store", url],
        &["serve", "--store", url, "--listen", "127.0.0.1:0"],
        &["quorum", "stats", "--data", url],
        &["quorum", "start", "--quorum-type", "global", "--data", url],
        &["watch", "--data", url],
    ];
    for command in commands {
        for more in [&[][..], &["--json"]] {
            let ran = run(&[command, more].concat());
            let said = format!("{}{}", ran.out(), ran.err());
            assert!(ran.code() != 0 && !said.contains("s3cret"), "{command:?}: {said}");
        }
    }
}

/// Whether a store opens for whoever would own it, and holds something.
fn opens(data: &str) -> bool {
    let opened: Result<Arc<dyn Store>, Fault> = match DatabaseUrl::of(data) {
        Some(url) => {
            let options = StoreOptions { create: false, ..StoreOptions::in_database(url) };
            PostgresStore::open(&options).map(|store| Arc::new(store) as _)
        }
        None => {
            let options = StoreOptions { create: false, ..StoreOptions::at(data) };
            let here = store_in(Path::new(data)).unwrap_or(&STORES[1]);
            (here.open)(&options)
        }
    };
    let owned = opened.and_then(|store| {
        now(store.acquire("test"))?;
        now(store.tip())
    });
    match owned {
        Ok(tip) => tip.position > 0,
        Err(Fault::Moved { .. } | Fault::Moving { .. } | Fault::Missing { .. }) => false,
        Err(other) => panic!("{data}: {other}"),
    }
}

/// Stores answer while they are polled.
fn now<T>(mut pending: Pending<'_, T>) -> Result<T, Fault> {
    match pending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("a store answers when polled once"),
    }
}

#[test]
fn a_move_killed_at_any_instant_leaves_one_journal_and_goes_on() {
    let database = server();
    let dir = TempDir::new().unwrap();
    let first = dir.path().join("0");
    let mut places = vec![text(&first).to_owned()];
    let start = ["quorum", "start", "--quorum-type", "global", "--quorum-id", "q", "--voters", "ann,bob"];
    run(&[&start[..], &["--data", &places[0]]].concat()).ok();
    // Enough that a move takes a while.
    let script: String = (0..400)
        .map(|n| format!("{{\"op\":\"quorum.start\",\"quorum_type\":\"global\",\"quorum_id\":\"r{n}\"}}\n"))
        .collect();
    let play = dir.path().join("load.jsonl");
    std::fs::write(&play, script).unwrap();
    run(&["play", text(&play), "--data", &places[0]]).ok();
    assert!(opens(&places[0]));
    let mut kills = 0;
    for round in 1..=6_u64 {
        let from = places.last().unwrap().clone();
        let folder = dir.path().join(round.to_string()).display().to_string();
        // A database, where there is one, and a folder of each kind in turn.
        let (to, store) = match (round % 4, &database) {
            (1, Some(database)) => (database.fresh(), "sled"),
            (0 | 2, _) => (folder, "fjall"),
            _ => (folder, "sled"),
        };
        let tip = run(&["history", "verify", "--data", &from, "--json"]).ok().json();
        let moving = ["move", "--from", &from, "--to", &to, "--store", store, "--json"];
        for pause in [3, 9, 20, 34, 55, 80] {
            let mut child = super::quorate(&moving).stdout(std::process::Stdio::null()).spawn().unwrap();
            std::thread::sleep(std::time::Duration::from_millis(pause * (1 + round % 3)));
            signal(&child, "-KILL");
            kills += u32::from(!child.wait().unwrap().success());
            let (old, new) = (opens(&from), opens(&to));
            assert!(!(old && new), "round {round}, {pause} ms: both open");
            if new {
                break;
            }
        }
        let moved = run(&moving).ok().json();
        let there = run(&["history", "verify", "--data", &to, "--json"]).ok().json();
        assert_eq!(there["tip_hash"], moved["tip_hash"]);
        assert!(there["records"].as_u64() >= tip["records"].as_u64(), "{there} {tip}");
        assert_eq!((opens(&from), opens(&to)), (false, true));
        places.push(to);
    }
    assert!(kills > 0);
    println!("{kills} kills");
}
