//! What history says at a terminal.

use super::{run, text};
use tempfile::TempDir;

/// A folder with a question that was decided, one that nobody answered yet, and a refused vote.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let at = ["--data", text(folder.path())];
    for quorum in ["deploy-7", "deploy-8"] {
        let voters = ["--quorum-type", "global", "--voters", "ann,bob", "--timeout-seconds", "2h"];
        run(&[&["quorum", "start", "--quorum-id", quorum][..], &voters, &at].concat()).ok();
        run(&[&["quorum", "vote", quorum, "--voter-id", "ann", "--vote", "true"][..], &at].concat()).ok();
    }
    run(&[&["quorum", "vote", "deploy-7", "--voter-id", "bob", "--vote", "true"][..], &at].concat()).ok();
    let late =
        run(&[&["quorum", "vote", "deploy-7", "--voter-id", "bob", "--vote", "false"][..], &at].concat());
    assert_eq!(late.code(), 4, "{}", late.err());
    folder
}

#[test]
fn counts_are_tables_that_fit_a_terminal_and_one_object_for_machines() {
    let folder = folder();
    let at = ["--data", text(folder.path())];
    let count = ["history", "count", "--per", "day", "--compare", "ann,bob"];
    let shown = super::quorate(&[&count[..], &at].concat()).env("COLUMNS", "80").output().unwrap();
    let out = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.status.success() && out.lines().all(|line| line.chars().count() <= 80), "{out}");
    for part in ["outcomes", "BEGAN_AT", "approved", "durations", "P50_MS", "votes", "agreement"] {
        assert!(out.contains(part), "no {part} in\n{out}");
    }
    let told = run(&[&count[..], &["--json"], &at].concat()).ok().json();
    assert_eq!(told["agreement"], serde_json::json!({ "voters": ["ann", "bob"], "both": 1, "agreed": 1 }));
    assert_eq!((&told["refused"], &told["votes"][0]["votes"]), (&1.into(), &2.into()), "{told}");
}

#[test]
fn why_is_a_line_for_each_cause_and_filters_stand_beside_each_other() {
    let folder = folder();
    let at = ["--data", text(folder.path())];
    let why = run(&[&["history", "why", "deploy-7"], &at[..]].concat()).ok();
    for sentence in ["bob voted for", "closed as approved", "bob was refused a vote against: late"] {
        assert!(why.out().contains(sentence), "no {sentence} in\n{}", why.out());
    }
    let refused =
        ["history", "query", "--refused", "true", "--voter-id", "bob", "--kind", "quorum", "--json"];
    let page = run(&[&refused[..], &at].concat()).ok().json();
    let events = page["events"].as_array().unwrap();
    assert_eq!((events.len(), &events[0]["refused"]), (1, &true.into()), "{page}");
    let misspelt = run(&[&["history", "query", "--kind", "qorum", "--json"], &at[..]].concat());
    assert_eq!((misspelt.code(), &misspelt.json()["error"]["nearest"]), (2, &"quorum".into()));
    let early =
        run(&[&["history", "state_at", "deploy-8", "--at", "2020-01-01T00:00:00Z"], &at[..]].concat());
    assert_eq!(early.code(), 3, "{}", early.err());
    assert!(early.err().contains("it did not exist yet"), "{}", early.err());
}
