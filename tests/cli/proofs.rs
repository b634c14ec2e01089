//! Proofs at the command line, and their check by a program that shares nothing with this one.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{serve, signal};
use crate::{project, run, text};

/// The check in Python; `None` where there is no Python.
fn in_python(file: &Path, key: &str) -> Option<(bool, String)> {
    let script = project("examples/python/verify_proof.py");
    match Command::new("python3").arg(script).arg(file).arg(key).output() {
        Ok(ran) => {
            let said = String::from_utf8([ran.stdout, ran.stderr].concat()).unwrap();
            Some((ran.status.success(), said))
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
    let with_blake3 = match in_python(&file, &key) {
        Some((holds, said)) => {
            assert!(holds && said.contains("'deploy-2'"), "{said}");
            said.contains("the record is the one in the log")
        }
        None => false,
    };
    let shown = check(&steps).ok().json();
    assert_eq!(shown["old_log_size"], newest["size"]);
    assert!(in_python(&file, &key).is_none_or(|(holds, _)| holds));
    assert!(touched.len() >= 7, "{touched:?}");
    for (field, proof) in touched {
        let ran = check(&proof);
        assert!([2, 19].contains(&ran.code()), "{field}: {}{}", ran.out(), ran.err());
        assert!(ran.json()["error"]["kind"].is_string(), "{field}");
        if field != "record" || with_blake3 {
            assert!(in_python(&file, &key).is_none_or(|(holds, _)| !holds), "{field}");
        }
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
