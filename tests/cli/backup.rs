//! A journal in one file, and a folder of it again: while a server works, after it died, and whatever is killed.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{serve, signal};
use crate::{quorate, run, text};

fn start(id: &str, at: &[&str]) {
    let start = ["quorum", "start", "--quorum-id", id, "--quorum-type", "global", "--voters", "ann,bob"];
    run(&[&start[..], &["--required-votes", "1"], at].concat()).ok();
}

/// A folder with some decisions, a leader, and a log that is signed.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let (mut server, url) = serve(text(folder.path()));
    for n in 0..6 {
        start(&format!("q{n}"), &["--url", &url]);
    }
    run(&["quorum", "vote", "q1", "--voter-id", "ann", "--vote", "true", "--url", &url]).ok();
    run(&["job", "submit", "--job-id", "long", "--timeout-seconds", "86400", "--url", &url]).ok();
    run(&["history", "checkpoint", "--url", &url]).ok();
    signal(&server, "-TERM");
    assert!(server.wait().unwrap().success());
    folder
}

fn verified(folder: &Path) -> Value {
    run(&["history", "verify", "--data", text(folder), "--json"]).ok().json()
}

fn token(folder: &Path) -> u64 {
    let status = run(&["job", "status", "long", "--data", text(folder), "--json"]).ok().json();
    status["datacenters"][0]["fence_token"].as_u64().unwrap()
}

fn backup(folder: &Path, file: &Path, more: &[&str]) -> Value {
    run(&[&["backup", text(folder), "--to", text(file), "--json"][..], more].concat()).ok().json()
}

fn restore(file: &Path, to: &Path) -> Value {
    run(&["restore", text(file), "--to", text(to), "--json"]).ok().json()
}

#[test]
fn a_restored_folder_goes_on_where_the_backup_ends_and_mints_other_tokens() {
    let (original, elsewhere) = (folder(), TempDir::new().unwrap());
    let (file, new) = (elsewhere.path().join("backup"), elsewhere.path().join("new"));
    let before = verified(original.path());
    let newest = run(&["history", "checkpoint", "--data", text(original.path()), "--json"]).ok().json();
    let made = backup(original.path(), &file, &[]);
    assert_eq!((&made["tip_hash"], &made["records"]), (&before["tip_hash"], &before["records"]));
    assert_eq!((&made["log"], &made["log_key"]), (&newest["origin"], &json!(true)));
    assert_eq!(verified(original.path()), before, "a backup changes nothing");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    let taken = run(&["backup", text(original.path()), "--to", text(&file), "--json"]);
    assert_eq!((taken.code(), &taken.json()["error"]["kind"]), (2, &json!("invalid_argument")));
    // The original goes on: a new process leads the job under a new token.
    let (mut server, url) = serve(text(original.path()));
    run(&["job", "transfer", "long", "--new-leader-id", "other", "--force", "true", "--url", &url]).ok();
    signal(&server, "-TERM");
    server.wait().unwrap();
    let theirs = token(original.path());
    let restored = restore(&file, &new);
    assert_eq!((&restored["tip_hash"], &restored["log_goes_on"]), (&before["tip_hash"], &json!(true)));
    assert_eq!(verified(&new), before, "the same journal under the same checkpoint");
    let again = run(&["restore", text(&file), "--to", text(&new), "--json"]);
    assert_eq!((again.code(), &again.json()["error"]["kind"]), (12, &json!("store_foreign")));
    let (mut server, url) = serve(text(&new));
    start("later", &["--url", &url]);
    let later = run(&["history", "checkpoint", "--url", &url, "--json"]).ok().json();
    assert_eq!(later["public_key"], newest["public_key"], "the log goes on");
    let (old, key) = (newest["checkpoint"].as_str().unwrap(), newest["public_key"].as_str().unwrap());
    let kept = ["history", "verify", "--checkpoint", old, "--public-key", key, "--url", &url, "--json"];
    assert_eq!(run(&kept).ok().json()["checkpoint"]["contained"], true);
    signal(&server, "-TERM");
    assert!(server.wait().unwrap().success());
    let (ours, above) = (token(&new), restored["tokens_above"].as_u64().unwrap());
    assert!(ours > above && above > theirs, "{ours} {above} {theirs}");
}

/// What the data folder says of its layout.
fn layout(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("FORMAT")).unwrap().lines().next().unwrap().to_owned()
}

#[test]
fn a_backup_becomes_a_folder_of_the_store_that_is_asked_for() {
    let (original, elsewhere) = (folder(), TempDir::new().unwrap());
    let before = verified(original.path());
    let mut from = original.path().to_owned();
    for (n, (store, said)) in [("fjall", "quorate store 4"), ("sled", "quorate store 2")].iter().enumerate() {
        let file = elsewhere.path().join(format!("backup-{n}"));
        let new = elsewhere.path().join(format!("new-{n}"));
        backup(&from, &file, &[]);
        let restoring = ["restore", text(&file), "--to", text(&new), "--store", *store, "--json"];
        assert_eq!(run(&restoring).ok().json()["log_goes_on"], true);
        assert_eq!((&*layout(&new), &verified(&new)), (*said, &before), "{store}");
        from = new;
    }
    start("later", &["--data", text(&from)]);
    assert_eq!(verified(&from)["ok"], true);
    let file = elsewhere.path().join("backup-0");
    let other = ["restore", text(&file), "--to", text(&from), "--store", "postgres", "--json"];
    let refused = run(&other);
    assert_eq!(refused.code(), 2, "{}", refused.out());
}

#[test]
fn without_its_key_a_restored_folder_begins_a_log_of_its_own() {
    let (original, elsewhere) = (folder(), TempDir::new().unwrap());
    let (file, new) = (elsewhere.path().join("backup"), elsewhere.path().join("new"));
    let key = std::fs::read_to_string(original.path().join("tlog").join("key")).unwrap();
    let private = key.lines().next().unwrap().as_bytes();
    assert_eq!(backup(original.path(), &file, &["--without-log-key"])["log_key"], false);
    let bytes = std::fs::read(&file).unwrap();
    assert!(!bytes.windows(private.len()).any(|part| part == private), "the key is not in the file");
    assert_eq!(restore(&file, &new)["log_goes_on"], false);
    let newest = run(&["history", "checkpoint", "--data", text(original.path()), "--json"]).ok().json();
    let (old, key) = (newest["checkpoint"].as_str().unwrap(), newest["public_key"].as_str().unwrap());
    let data = ["--data", text(&new), "--json"];
    let kept = ["history", "verify", "--checkpoint", old, "--public-key", key];
    assert_eq!(run(&[&kept[..], &data].concat()).ok().json()["checkpoint"]["contained"], true);
    let (mut server, url) = serve(text(&new));
    let own = run(&["history", "checkpoint", "--url", &url, "--json"]).ok().json();
    assert_ne!(own["public_key"], newest["public_key"]);
    signal(&server, "-TERM");
    assert!(server.wait().unwrap().success());
}

#[test]
fn a_backup_made_under_load_is_whole_whatever_is_killed() {
    let (folder, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let data = folder.path().to_owned();
    let (mut server, _) = serve(text(&data));
    start("first", &["--data", text(&data)]);
    let stop = std::sync::atomic::AtomicBool::new(false);
    let (mut whole, mut cut) = (0, 0);
    std::thread::scope(|scope| {
        let (data, stop) = (&data, &stop);
        for worker in 0..2 {
            scope.spawn(move || {
                for n in 0.. {
                    if stop.load(std::sync::atomic::Ordering::Relaxed) {
                        return;
                    }
                    let id = format!("w{worker}-{n}");
                    let start = ["agent", "register", "--agent-id", &id, "--data", text(data)];
                    // Killed servers answer nothing: what counts is what the backup says.
                    let _ = quorate(&start).stdout(Stdio::null()).stderr(Stdio::null()).status();
                }
            });
        }
        for round in 0..12u64 {
            let file = elsewhere.path().join(format!("b{round}"));
            let args = ["backup", text(data), "--to", text(&file), "--json"];
            let mut made = quorate(&args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
            // At another instant in each round.
            std::thread::sleep(Duration::from_millis(7 * round));
            match round % 3 {
                0 => made.kill().unwrap(),
                1 => {
                    server.kill().unwrap();
                    server.wait().unwrap();
                    server = serve(text(data)).0;
                }
                _ => {}
            }
            let done = made.wait_with_output().unwrap();
            if file.exists() {
                whole += 1;
                let to = elsewhere.path().join(format!("r{round}"));
                let restored = restore(&file, &to);
                let seen = verified(&to);
                assert_eq!((&seen["ok"], &seen["tip_hash"]), (&json!(true), &restored["tip_hash"]), "{seen}");
            } else {
                cut += 1;
                assert!(!done.status.success(), "{round}: it said that it was done");
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    signal(&server, "-TERM");
    server.wait().unwrap();
    assert!(whole >= 4, "{whole} whole, {cut} cut off");
    assert_eq!(verified(&data)["ok"], true);
}

#[test]
fn a_restore_killed_at_any_instant_leaves_nothing_or_the_whole() {
    let (original, elsewhere) = (folder(), TempDir::new().unwrap());
    let (file, new) = (elsewhere.path().join("backup"), elsewhere.path().join("new"));
    let tip = backup(original.path(), &file, &[])["tip_hash"].clone();
    let (mut whole, mut nothing, mut marked) = (0, 0, 0);
    for round in 0..40u64 {
        let args = ["restore", text(&file), "--to", text(&new)];
        let mut made = quorate(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(round * 1_500));
        // It may have ended by itself.
        let _ = made.kill();
        made.wait().unwrap();
        let reads =
            |dir: &PathBuf| run(&["agent", "register", "--agent-id", "x", "--data", text(dir), "--json"]);
        if new.join("FORMAT").exists() {
            whole += 1;
            assert_eq!(verified(&new)["tip_hash"], tip);
            reads(&new).ok();
            std::fs::remove_dir_all(&new).unwrap();
        } else if new.exists() {
            marked += 1;
            assert_eq!(reads(&new).code(), 14, "what is not whole is not opened");
        } else {
            nothing += 1;
        }
    }
    println!("{whole} whole, {nothing} nothing, {marked} in place and not yet a store");
    assert!(nothing > 3);
    if new.exists() || whole == 0 {
        restore(&file, &new);
        assert_eq!(verified(&new)["tip_hash"], tip);
    }
}

#[test]
fn a_backup_with_a_flipped_bit_is_refused_and_nothing_is_made() {
    let (original, elsewhere) = (folder(), TempDir::new().unwrap());
    let (file, new) = (elsewhere.path().join("backup"), elsewhere.path().join("new"));
    backup(original.path(), &file, &[]);
    let sound = std::fs::read(&file).unwrap();
    for part in 0..12 {
        let mut bytes = sound.clone();
        let at = (sound.len() - 1) * part / 11;
        bytes[at] ^= 4;
        std::fs::write(&file, bytes).unwrap();
        let ran = run(&["restore", text(&file), "--to", text(&new), "--json"]);
        let error = &ran.json()["error"];
        assert_eq!((ran.code(), &error["kind"]), (14, &json!("store_corrupt")), "byte {at}: {error}");
        assert!(error["message"].as_str().unwrap().contains("at_byte="), "{error}");
        assert!(!new.exists());
    }
}

#[test]
fn a_recovered_folder_goes_on_with_the_log_of_the_damaged_one() {
    let (original, elsewhere) = (folder(), TempDir::new().unwrap());
    let new = elsewhere.path().join("new");
    let newest = run(&["history", "checkpoint", "--data", text(original.path()), "--json"]).ok().json();
    let before = token(original.path());
    run(&["recover", text(original.path()), "--to", text(&new), "--json"]).ok();
    assert_eq!(verified(&new)["log"], verified(original.path())["log"]);
    let (mut server, url) = serve(text(&new));
    let later = run(&["history", "checkpoint", "--url", &url, "--json"]).ok().json();
    assert_eq!(later["public_key"], newest["public_key"]);
    signal(&server, "-TERM");
    assert!(server.wait().unwrap().success());
    assert!(token(&new) > before + (1 << 20), "what was lost may have minted tokens");
}

#[test]
fn a_recovery_or_a_move_killed_at_any_instant_leaves_no_store_that_is_empty() {
    let (original, elsewhere) = (folder(), TempDir::new().unwrap());
    let (from, new) = (elsewhere.path().join("from"), elsewhere.path().join("new"));
    let tip = verified(original.path())["tip_hash"].clone();
    let copy = || {
        let _ = std::fs::remove_dir_all(&from);
        std::process::Command::new("cp").arg("-r").args([original.path(), &from]).status().unwrap();
    };
    let moving = |store| vec!["move", "--from", text(&from), "--to", text(&new), "--store", store];
    for args in [vec!["recover", text(&from), "--to", text(&new)], moving("sled"), moving("fjall")] {
        let command = args[0];
        let (mut whole, mut nothing) = (0, 0);
        copy();
        for round in 0..32u64 {
            if round % 4 == 3 {
                let _ = std::fs::remove_dir_all(&new);
                copy();
            }
            let mut made = quorate(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            if round % 4 == 3 {
                // Anew, and as soon as a store stands there.
                while !new.join("FORMAT").exists() && made.try_wait().unwrap().is_none() {}
            } else {
                std::thread::sleep(Duration::from_micros(round * 3_000));
            }
            // It may have ended by itself.
            let _ = made.kill();
            made.wait().unwrap();
            // What is opened there has everything; what has not is opened by nobody.
            let seen = run(&["history", "verify", "--data", text(&new), "--json"]);
            let opened = seen.code() == 0 && seen.json()["opens"] == true;
            let moved = run(&["history", "verify", "--data", text(&from), "--json"]);
            let still = moved.code() == 0 && moved.json()["opens"] == true;
            if opened {
                whole += 1;
                assert_eq!(seen.json()["tip_hash"], tip, "{command} {round}");
                assert!(command == "recover" || !still, "both open: {round}");
                std::fs::remove_dir_all(&new).unwrap();
                copy();
            } else {
                nothing += 1;
                if new.join("MOVE").exists() || new.join("FORMAT.new").exists() {
                    let refused =
                        run(&["agent", "register", "--agent-id", "x", "--data", text(&new), "--json"]);
                    assert!(refused.code() != 0, "{command} {round}: {}", refused.out());
                }
            }
        }
        println!("{args:?}: {whole} whole, {nothing} nothing");
        assert!(nothing > 0);
        // Begun again it ends.
        let done = run(&[&args[..], &["--json"]].concat());
        assert!(done.code() == 0, "{command}: {}", done.out());
        assert_eq!(verified(&new)["tip_hash"], tip);
        std::fs::remove_dir_all(&new).unwrap();
    }
}
