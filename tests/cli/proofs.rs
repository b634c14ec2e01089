//! Proofs at the command line, and their check by a program that shares nothing with this one.

use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{serve, signal};
use crate::{project, run, text};

/// The check in Python, its exit code and all it said; `None` where there is no Python.
fn in_python(arguments: &[&str]) -> Option<(i32, String)> {
    let script = project("examples/python/verify_proof.py");
    match Command::new("python3").arg(script).args(arguments).output() {
        Ok(ran) => {
            let said = String::from_utf8([ran.stdout, ran.stderr].concat()).unwrap();
            Some((ran.status.code().unwrap(), said))
        }
        Err(e) => {
            eprintln!("SKIPPED: no python3 here, so nobody else checked the proofs. {e}");
            None
        }
    }
}

/// A served folder with a few decisions.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let data = text(folder.path());
    for id in ["deploy-1", "deploy-2", "deploy-3"] {
        run(&[
            "quorum",
            "start",
            "--quorum-id",
            id,
            "--quorum-type",
            "global",
            "--voters",
            "ann",
            "--data",
            data,
        ])
        .ok();
        run(&["quorum", "vote", id, "--voter-id", "ann", "--vote", "true", "--data", data]).ok();
    }
    folder
}

#[test]
fn a_proof_holds_here_and_in_another_language_and_a_touched_one_in_neither() {
    let folder = folder();
    let data = text(folder.path());
    let (mut server, url) = serve(data);
    let newest = run(&["history", "checkpoint", "--url", &url, "--json"]).ok().json();
    let key = newest["public_key"].as_str().unwrap().to_owned();
    let older = newest["checkpoint"].as_str().unwrap().to_owned();
    let shown = run(&["history", "checkpoint", "--url", &url]).ok();
    assert_eq!(shown.out(), format!("{older}\npublic key: {key}\n"), "people keep it as it is");
    let proof =
        run(&["history", "prove", "--entity-id", "deploy-2", "--seq", "2", "--data", data, "--json"]).ok();
    let proof = proof.json();
    assert_eq!(proof["event"]["data"]["voter_id"], "ann");
    run(&["agent", "register", "--agent-id", "eve", "--data", data]).ok();
    let steps =
        run(&["history", "consistency", "--old-checkpoint", &older, "--data", data, "--json"]).ok().json();
    let file = folder.path().join("proof.json");
    let mut touched = Vec::new();
    for sound in [&proof, &steps] {
        for field in ["checkpoint", "hashes", "entry", "leaf_index", "old_checkpoint", "record"] {
            let mut other = sound.clone();
            let Some(value) = other["proof"].get_mut(field) else { continue };
            *value = match value.take() {
                Value::String(text) => {
                    let place = text.find(|c: char| c.is_ascii_digit()).unwrap();
                    let digit = if &text[place..=place] == "1" { "2" } else { "1" };
                    format!("{}{digit}{}", &text[..place], &text[place + 1..]).into()
                }
                Value::Array(mut hashes) => {
                    hashes.pop();
                    hashes.into()
                }
                Value::Object(mut record) => {
                    let bytes = record["bytes"].as_str().unwrap().to_owned();
                    let other = if bytes.ends_with("00") { "01" } else { "00" };
                    record["bytes"] = format!("{}{other}", &bytes[..bytes.len() - 2]).into();
                    record.into()
                }
                number => json!(number.as_u64().unwrap() + 1),
            };
            touched.push((field, other));
        }
    }
    let check = |proof: &Value| {
        std::fs::write(&file, proof.to_string()).unwrap();
        run(&["verify-proof", text(&file), "--public-key", &key, "--json"])
    };
    let shown = check(&proof).ok().json();
    assert_eq!((&shown["holds"], &shown["position"]), (&json!(true), &proof["event"]["position"]));
    assert_eq!(shown["event"], proof["event"]);
    let in_python_too = || in_python(&[text(&file), &key]);
    if let Some((code, said)) = in_python_too() {
        assert!(code == 0 && said.contains("number 2 of 'deploy-2'"), "{said}");
        assert!(said.contains("the bytes of the record are those in the log"), "{said}");
        // What it cannot read it does not repeat, and says so.
        assert!(said.contains("NOT CHECKED: ") && !said.contains("ann"), "{said}");
    }
    // The event is for people, and they believe it.
    for (field, other, seen_in_python) in [
        ("entity_id", json!("deploy-3"), true),
        ("seq", json!(3), true),
        ("at", json!("1970-01-01T00:00:00Z"), true),
        ("data", json!({ "voter_id": "mallory" }), false),
    ] {
        let mut altered = proof.clone();
        altered["event"][field] = other;
        assert_eq!(check(&altered).code(), 19, "{field}");
        if let Some((code, said)) = in_python_too() {
            assert_eq!(code, if seen_in_python { 19 } else { 0 }, "{field}: {said}");
            assert!(
                seen_in_python || (said.contains("NOT CHECKED: ") && !said.contains("mallory")),
                "{said}"
            );
        }
    }
    // How it is called, for whoever forgets the key.
    if let Some((code, said)) = in_python(&[text(&file)]) {
        assert!(code == 2 && said.starts_with("usage: "), "{said}");
    }
    let shown = check(&steps).ok().json();
    assert_eq!(shown["old_log_size"], newest["size"]);
    assert!(in_python_too().is_none_or(|(code, _)| code == 0));
    assert!(touched.len() >= 7, "{touched:?}");
    for (field, proof) in touched {
        let ran = check(&proof);
        assert!([2, 19].contains(&ran.code()), "{field}: {}{}", ran.out(), ran.err());
        assert!(ran.json()["error"]["kind"].is_string(), "{field}");
        assert!(in_python_too().is_none_or(|(code, _)| [2, 19].contains(&code)), "{field}");
    }
    // `$(cat FILE)` takes the last newline away; what else is missing makes it no checkpoint.
    let at = |args: &[&str]| run(&[args, &["--data", data, "--json"]].concat());
    let bare = older.trim_end();
    let verified = at(&["history", "verify", "--checkpoint", bare]).ok().json();
    assert_eq!(verified["checkpoint"], json!({ "contained": true, "size": newest["size"], "why": null }));
    let steps = at(&["history", "consistency", "--old-checkpoint", bare]).ok().json();
    assert_eq!(steps["proof"]["old_checkpoint"], older.as_str());
    for (args, field) in [
        (&["history", "verify", "--checkpoint", "hello"][..], "checkpoint"),
        (&["history", "verify", "--checkpoint", &older[1..older.len() / 2]][..], "checkpoint"),
        (&["history", "consistency", "--old-checkpoint", "hello"][..], "old_checkpoint"),
        (&["history", "verify", "--public-key", "hello"][..], "public_key"),
    ] {
        let refused = at(args);
        assert_eq!(refused.code(), 2, "{args:?}: {}", refused.out());
        let error = &refused.json()["error"];
        assert_eq!((&error["kind"], &error["field"]), (&json!("invalid_argument"), &json!(field)));
        assert!(!error["message"].as_str().unwrap().contains("cannot be read"), "{error}");
    }
    // For people: a checkpoint kept elsewhere is given back as text.
    let request =
        ["history", "verify", "--checkpoint", &older, "--public-key", &key, "--data", data, "--json"];
    let verified = run(&request).ok().json();
    assert_eq!(
        (&verified["checkpoint"]["contained"], &verified["log"]["contained"]),
        (&json!(true), &json!(true))
    );
    signal(&server, "-TERM");
    assert!(server.wait().unwrap().success());
    // In a folder that nobody serves it is only read.
    let read = run(&["history", "checkpoint", "--data", data, "--json"]).ok().json();
    assert_eq!(read["public_key"], key.as_str());
    run(&["history", "prove", "--position", "1", "--data", data, "--json"]).ok();
}

#[test]
fn a_checkpoint_that_is_not_contained_ends_as_damage() {
    let (a, b) = (folder(), folder());
    let checkpoint = |folder: &TempDir| {
        let (mut server, url) = serve(text(folder.path()));
        let newest = run(&["history", "checkpoint", "--url", &url, "--json"]).ok().json();
        signal(&server, "-TERM");
        assert!(server.wait().unwrap().success());
        newest
    };
    let (kept, _) = (checkpoint(&a), checkpoint(&b));
    let (kept, key) = (kept["checkpoint"].as_str().unwrap(), kept["public_key"].as_str().unwrap());
    let at = ["--data", text(b.path()), "--json"];
    let ran = run(&[&["history", "verify", "--checkpoint", kept, "--public-key", key][..], &at].concat());
    assert_eq!((ran.code(), &ran.json()["checkpoint"]["contained"]), (14, &json!(false)));
    // Under the key of the folder it is no checkpoint at all.
    let ran = run(&[&["history", "verify", "--checkpoint", kept][..], &at].concat());
    assert_eq!(ran.code(), 14);
    assert!(
        ran.json()["checkpoint"]["why"].as_str().unwrap().contains("not signed by the key"),
        "{}",
        ran.out()
    );
}

#[test]
fn a_key_that_may_not_be_read_says_nothing_against_the_records() {
    let folder = folder();
    let data = text(folder.path());
    let (mut server, url) = serve(data);
    let newest = run(&["history", "checkpoint", "--url", &url, "--json"]).ok().json();
    signal(&server, "-TERM");
    assert!(server.wait().unwrap().success());
    let (kept, key) = (newest["checkpoint"].as_str().unwrap(), newest["public_key"].as_str().unwrap());
    // Whoever runs the tests may be root, who may read everything: so it is a folder, which nobody can read as a file.
    std::fs::remove_file(folder.path().join("tlog/key")).unwrap();
    std::fs::create_dir(folder.path().join("tlog/key")).unwrap();
    let at = |args: &[&str]| run(&[&["history", "verify"], args, &["--data", data, "--json"]].concat());
    let verified = at(&[]).ok().json();
    assert_eq!((&verified["ok"], &verified["log"]), (&json!(true), &Value::Null));
    assert!(verified["log_unread"].as_str().unwrap().contains("tlog/key"), "{verified}");
    let verified = at(&["--checkpoint", kept, "--public-key", key]).ok().json();
    assert_eq!(verified["checkpoint"]["contained"], true);
    let refused = at(&["--checkpoint", kept]);
    assert_eq!((refused.code(), &refused.json()["error"]["field"]), (2, &json!("public_key")));
}
