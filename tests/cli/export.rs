//! Exports: what happened, as a file that proves itself without the store.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{serve, signal};
use crate::{Ran, run, text};

/// A folder with some decisions and a log that is signed, and the public key of the log.
fn folder() -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let (mut server, url) = serve(text(folder.path()));
    for n in 0..8 {
        let id = format!("deploy-{n}");
        let start = ["quorum", "start", "--quorum-id", &id, "--quorum-type", "global", "--voters", "ann,bob"];
        run(&[&start[..], &["--required-votes", "2", "--url", &url]].concat()).ok();
        run(&["quorum", "vote", &id, "--voter-id", "ann", "--vote", "true", "--url", &url]).ok();
        run(&["agent", "register", "--agent-id", &format!("a,\"{n}"), "--url", &url]).ok();
    }
    let newest = run(&["history", "checkpoint", "--url", &url, "--json"]).ok().json();
    signal(&server, "-TERM");
    assert!(server.wait().unwrap().success());
    (folder, newest["public_key"].as_str().unwrap().to_owned())
}

fn export(data: &Path, to: &Path, more: &[&str]) -> Value {
    run(&[&["history", "export", "--data", text(data), "--to", text(to), "--json"][..], more].concat())
        .ok()
        .json()
}

fn verify(file: &Path, key: &str) -> Ran {
    run(&["history", "verify-export", text(file), "--public-key", key, "--json"])
}

#[test]
fn an_export_of_everything_shows_that_nothing_is_missing_in_both_forms() {
    let (folder, key) = folder();
    let to = TempDir::new().unwrap();
    let size =
        run(&["history", "checkpoint", "--data", text(folder.path()), "--json"]).ok().json()["size"].clone();
    for format in ["jsonl", "csv"] {
        let file = to.path().join(format);
        let made = export(folder.path(), &file, &["--format", format]);
        assert_eq!((&made["whole"], &made["count"]), (&json!(true), &size), "{made}");
        let checked = verify(&file, &key).ok().json();
        assert_eq!(
            (&checked["holds"], &checked["whole"], &checked["count"]),
            (&json!(true), &json!(true), &size)
        );
        assert_eq!(checked["kept_back"], 0);
    }
    // Every line shows what history shows.
    let lines = std::fs::read_to_string(to.path().join("jsonl")).unwrap();
    let page =
        run(&["history", "query", "--limit", "1000", "--data", text(folder.path()), "--json"]).ok().json();
    let told = lines.lines().filter(|line| !line.starts_with("{\"manifest\""));
    for (line, event) in told.zip(page["events"].as_array().unwrap()) {
        let line: Value = serde_json::from_str(line).unwrap();
        for (name, value) in event.as_object().unwrap() {
            assert_eq!(&line[name], value, "{name}");
        }
    }
    let taken = run(&[
        "history",
        "export",
        "--data",
        text(folder.path()),
        "--to",
        text(&to.path().join("csv")),
        "--json",
    ]);
    assert_eq!((taken.code(), &taken.json()["error"]["kind"]), (2, &json!("invalid_argument")));
    let streamed = run(&["history", "export", "--data", text(folder.path()), "--to", "-"]).ok();
    assert_eq!(streamed.out(), lines, "to stdout the same");
}

#[test]
fn a_part_of_what_happened_is_proven_line_by_line_while_a_server_works() {
    let (folder, key) = folder();
    let to = TempDir::new().unwrap();
    let (mut server, _) = serve(text(folder.path()));
    for (n, more) in [
        &["--kind", "quorum"][..],
        &["--entity-id", "deploy-3"],
        &["--voter-id", "ann", "--format", "csv"],
        &["--from", "5", "--upto", "11"],
        &["--from", "7", "--kind", "agent", "--format", "csv"],
        &["--event", "closed"],
    ]
    .into_iter()
    .enumerate()
    {
        let file = to.path().join(n.to_string());
        let made = export(folder.path(), &file, more);
        assert_eq!(made["whole"], false);
        let checked = verify(&file, &key).ok().json();
        assert_eq!(checked["count"], made["count"], "{more:?}");
    }
    let part = |name: &str, bound: &str| {
        let ran =
            ["history", "export", "--data", text(folder.path()), "--to", "/nowhere", name, bound, "--json"];
        let ran = run(&ran);
        (ran.code(), ran.json()["error"]["field"].clone())
    };
    assert_eq!(part("--from", "0"), (2, json!("from")));
    assert_eq!(part("--from", "99999"), (2, json!("from")));
    assert_eq!(part("--upto", "0"), (2, json!("upto")));
    signal(&server, "-TERM");
    assert!(server.wait().unwrap().success());
}

#[test]
fn whatever_is_changed_in_an_export_is_seen_and_the_first_bad_line_is_named() {
    let (folder, key) = folder();
    let to = TempDir::new().unwrap();
    let changed = to.path().join("changed");
    let mut named = 0;
    for more in [&[][..], &["--kind", "quorum"]] {
        let file = to.path().join(format!("sound{}", more.len()));
        export(folder.path(), &file, more);
        let sound: Vec<String> = std::fs::read_to_string(&file).unwrap().lines().map(str::to_owned).collect();
        let check = |lines: &[String]| {
            std::fs::write(&changed, lines.join("\n") + "\n").unwrap();
            verify(&changed, &key)
        };
        assert_eq!(check(&sound).code(), 0);
        for at in 0..sound.len() - 1 {
            let edit = |change: &dyn Fn(&mut Value)| {
                let mut lines = sound.clone();
                let mut line: Value = serde_json::from_str(&lines[at]).unwrap();
                change(&mut line);
                lines[at] = line.to_string();
                lines
            };
            let mut attacks = vec![
                ("event", edit(&|line| line["event"] = "closed_otherwise".into())),
                ("data", edit(&|line| line["data"]["added"] = true.into())),
                ("at", edit(&|line| line["at_ms"] = 0.into())),
                ("entity", edit(&|line| line["entity_id"] = "other".into())),
                ("bytes", edit(&|line| line["bytes"] = "00".into())),
                ("hash", edit(&|line| line["hash"] = line["previous_hash"].clone())),
                ("previous", edit(&|line| line["previous_hash"] = line["hash"].clone())),
                (
                    "position",
                    edit(&|line| line["position"] = (line["position"].as_u64().unwrap() + 1).into()),
                ),
                ("added field", edit(&|line| line["note"] = "x".into())),
                ("identity", edit(&|line| line["identity"] = "mallory".into())),
            ];
            let mut doubled = sound.clone();
            doubled.insert(at, sound[at].clone());
            attacks.push(("doubled", doubled));
            let mut dropped = sound.clone();
            dropped.remove(at);
            attacks.push(("dropped", dropped));
            if at > 0 {
                let mut swapped = sound.clone();
                swapped.swap(at - 1, at);
                attacks.push(("swapped", swapped));
            }
            // A few of them at each line: a process is started for each.
            for (what, lines) in attacks.into_iter().skip(at % 3).step_by(3) {
                let ran = check(&lines);
                let error = &ran.json()["error"];
                assert_eq!(
                    (ran.code(), &error["kind"]),
                    (19, &json!("proof_invalid")),
                    "{what} at {at}: {error}"
                );
                let line = error["line"].as_u64();
                named += usize::from(line == Some(at as u64 + 1));
                assert!(line.is_none_or(|line| line.abs_diff(at as u64 + 1) <= 1), "{what} at {at}: {error}");
            }
        }
        // A manifest that claims another range, or no manifest.
        let mut cut = sound.clone();
        cut.pop();
        assert!([2, 19].contains(&check(&cut).code()));
        let foreign = "quorate/other+00000000+AAAA";
        assert_eq!(run(&["history", "verify-export", text(&file), "--public-key", foreign]).code(), 2);
    }
    assert!(named > 40, "{named}");
}

#[test]
fn a_public_checkpoint_and_its_witnesses_are_checked_without_a_store() {
    // A checkpoint of a public log, with the cosignatures of two witnesses (2026).
    let checkpoint = "arche2025h1.staging.ct.transparency.dev\n1432088532\nU7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n\n\
        \u{2014} arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=\n\
        \u{2014} remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==\n\
        \u{2014} witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI7cUiOvKFYe/TmN9DAg==\n";
    let log = "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f";
    let witnesses = [
        "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
        "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
    ];
    let stranger =
        "witness.navigli.sunlight.geomys.org+a3e00fe2+BNy/co4C1Hn1p+INwJrfUlgz7W55dSZReusH/GhUhJ/G";
    let (_folder, file) = crate::file(checkpoint);
    let check = |file: &Path, witnesses: &[&str]| {
        let mut args = vec!["verify-checkpoint", text(file), "--public-key", log, "--json"];
        witnesses.iter().for_each(|witness| args.extend(["--witness", *witness]));
        run(&args)
    };
    let checked = check(&file, &witnesses).ok().json();
    assert_eq!(
        (&checked["log_size"], checked["witnesses"].as_array().unwrap().len()),
        (&json!(1_432_088_532), 2)
    );
    assert_eq!(check(&file, &[witnesses[0], stranger]).code(), 19, "one that did not see it");
    assert_eq!(check(&file, &[log]).code(), 2, "the key of a log is not that of a witness");
    let (_folder, forged) = crate::file(checkpoint.replace("1432088532", "1432088533"));
    assert_eq!(check(&forged, &[]).code(), 19);
}
