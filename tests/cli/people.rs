//! What an operator, and a person who is asked, see at a terminal.

use super::{quorate, run, text};
use serde_json::json;
use tempfile::TempDir;

/// A folder in which two questions are open and one has been decided.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let at = ["--data", text(folder.path())];
    let ok = |args: &[&str]| {
        run(&[args, &at].concat()).ok();
    };
    for agent in ["ann", "bob"] {
        ok(&["agent", "register", "--agent-id", agent]);
    }
    ok(&[
        "consensus",
        "request",
        "--proposal",
        r#"{"raise":"10%"}"#,
        "--proposal-id",
        "budget",
        "--timeout-ms",
        "3d",
        "--wait",
        "false",
    ]);
    for quorum in ["deploy-7", "deploy-8"] {
        let subject = format!(r#"{{"what":"{}"}}"#, "a long story ".repeat(20));
        ok(&[
            "quorum",
            "start",
            "--quorum-type",
            "global",
            "--quorum-id",
            quorum,
            "--voters",
            "ann,bob",
            "--timeout-seconds",
            "2h30m",
            "--subject",
            &subject,
        ]);
        ok(&["quorum", "vote", quorum, "--voter-id", "bob", "--vote", "true", "--reason", "it is due"]);
    }
    ok(&["quorum", "vote", "deploy-8", "--voter-id", "ann", "--vote", "true"]);
    folder
}

#[test]
fn status_and_inbox_say_what_is_open_and_what_waits_for_whom() {
    let folder = folder();
    let at = ["--data", text(folder.path())];
    let status = run(&[&["status"], &at[..]].concat()).ok();
    for line in ["status", "questions", "awaiting"] {
        assert!(status.out().lines().any(|shown| shown.starts_with(line)), "no {line} in\n{}", status.out());
    }
    assert!(status.out().contains("budget") && status.out().contains("deploy-7"), "{}", status.out());
    let shown = run(&[&["status", "--json"], &at[..]].concat()).ok().json();
    assert_eq!((&shown["open"]["quorums"], &shown["open"]["proposals"]), (&json!(1), &json!(1)));
    // The one that ends first stands first; ann is awaited by both.
    assert_eq!(
        (&shown["questions"][0]["id"], &shown["questions"][0]["outstanding"]),
        (&json!("deploy-7"), &json!(["ann"]))
    );
    assert_eq!(
        (&shown["awaiting"][0]["voter_id"], &shown["awaiting"][0]["questions"]),
        (&json!("ann"), &json!(2))
    );
    assert_eq!(shown, run(&[&["overview", "show", "--json"], &at[..]].concat()).ok().json().tap_now(&shown));
    let inbox = run(&[&["inbox", "bob", "--json"], &at[..]].concat()).ok().json();
    assert_eq!(
        (&inbox["total"], &inbox["questions"][0]["answer_with"]),
        (&json!(1), &json!("consensus.vote"))
    );
    assert_eq!(run(&[&["inbox", "nobody", "--json"], &at[..]].concat()).ok().json()["total"], 0);
}

/// What changes with the time of the call.
trait TapNow {
    fn tap_now(self, other: &serde_json::Value) -> serde_json::Value;
}

impl TapNow for serde_json::Value {
    fn tap_now(mut self, other: &serde_json::Value) -> serde_json::Value {
        self["now"] = other["now"].clone();
        for list in ["questions", "awaiting"] {
            for at in 0..other[list].as_array().map_or(0, Vec::len) {
                self[list][at]["left_ms"] = other[list][at]["left_ms"].clone();
            }
        }
        self
    }
}

#[test]
fn tables_for_people_fit_eighty_columns_and_show_no_hashes() {
    let folder = folder();
    let at = ["--data", text(folder.path())];
    let commands: [&[&str]; 10] = [
        &["status"],
        &["doctor"],
        &["inbox", "ann"],
        &["history", "query"],
        &["history", "entity", "deploy-8"],
        &["quorum", "history"],
        &["quorum", "list"],
        &["quorum", "status", "deploy-7"],
        &["consensus", "open"],
        &["agent", "list"],
    ];
    for command in commands {
        let output = quorate(&[command, &at[..]].concat()).env_remove("COLUMNS").output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{command:?} {out}");
        for line in out.lines() {
            let columns = line.chars().count();
            // A word is never broken: a digest that stands by itself beside its name stays whole.
            let is_word = line.split_whitespace().count() <= 2;
            assert!(columns <= 80 || is_word, "{command:?}: {columns} columns in {line:?}\n{out}");
        }
        assert!(!out.contains("HASH"), "{out}");
    }
}

#[test]
fn times_are_told_in_the_zone_of_the_machine_or_in_utc_and_never_so_to_machines() {
    let folder = folder();
    let at = ["--data", text(folder.path())];
    let status = [&["quorum", "status", "deploy-8"], &at[..]].concat();
    let told = |more: &[&str]| {
        let output = quorate(&[&status, more].concat()).env("TZ", "XYZ-5:30").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let json: serde_json::Value = serde_json::from_str(&told(&["--json"])).unwrap();
    let opened = json["opened_at"].as_str().unwrap();
    assert!(opened.ends_with('Z') && opened.contains('T'), "{opened}");
    let utc = format!("{}Z (", opened[..19].replace('T', " "));
    assert!(told(&["--utc"]).contains(&utc), "no {utc} in\n{}", told(&["--utc"]));
    let local = told(&[]);
    assert!(!local.contains(&opened[..16].replace('T', " ")) && local.contains(" ago)"), "{local}");
}

#[test]
fn durations_and_distances_are_taken_as_people_write_them() {
    let folder = folder();
    let at = ["--data", text(folder.path())];
    let of = |args: &[&str]| run(&[args, &at, &["--json"]].concat());
    let quorum = of(&["quorum", "status", "deploy-7"]).ok().json();
    assert_eq!(quorum["timeout_seconds"], 9_000.0);
    let since = |since: &str| {
        of(&["history", "query", "--since", since]).ok().json()["events"].as_array().unwrap().len()
    };
    assert!(since("10m") > 5);
    let extended = of(&["consensus", "extend", "budget", "--deadline", "5d", "--by", "ops"]).ok().json();
    assert_eq!(extended["metadata"]["extensions"], 1);
    assert_eq!(
        of(&["consensus", "extend", "budget", "--timeout-ms", "90s"]).code(),
        2,
        "an extension is no shortening"
    );
    assert_eq!(of(&["consensus", "extend", "budget", "--timeout-ms", "soon"]).code(), 2);
    of(&["consensus", "cancel", "budget", "--by", "ops"]).ok();
    assert_eq!(of(&["consensus", "result", "budget"]).code(), 24);
    assert_eq!(of(&["consensus", "extend", "budget", "--timeout-ms", "9d"]).code(), 4);
}

#[test]
fn completions_name_every_noun_and_the_short_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell]).ok();
        for word in ["quorum", "capacity", "status", "inbox", "newest-first"] {
            assert!(script.out().contains(word), "{shell}: no {word}");
        }
    }
    let written = run(&["completions", "bash"]).ok();
    let (_folder, file) = super::file(written.out());
    if let Ok(read) = std::process::Command::new("bash").args(["-n", text(&file)]).output() {
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    }
    assert_eq!(run(&["completions", "csh-of-old"]).code(), 2);
}

#[test]
fn a_person_answers_with_a_value_hands_a_place_on_and_is_told_what_does_not_fit() {
    let folder = TempDir::new().unwrap();
    let at = ["--data", text(folder.path())];
    let of = |args: &[&str]| run(&[args, &at].concat());
    for agent in ["ann", "bob", "cyd"] {
        of(&["agent", "register", "--agent-id", agent]).ok();
    }
    of(&["algorithm", "register", "--name", "unanimous", "--rule", "unanimous"]).ok();
    let schema = r#"{"properties":{"amount":{"type":"integer","maximum":10}},"required":["amount"]}"#;
    let mut ask = vec!["consensus", "request", "--proposal", "how much?", "--proposal-id", "much"];
    ask.extend(["--algorithm", "unanimous", "--participants", "ann,bob", "--wait", "false"]);
    ask.extend(["--answer-schema", schema, "--timeout-ms", "30d", "--remind-every-ms", "1d"]);
    of(&ask).ok();
    let inbox = of(&["inbox", "ann", "--json"]).ok().json();
    assert_eq!(inbox["questions"][0]["answer_schema"]["properties"]["amount"]["maximum"], 10);
    let asked = of(&["consensus", "result", "much"]);
    assert!(asked.out().contains("answer_schema") && asked.out().contains("MAXIMUM"), "{}", asked.out());
    let vote = |agent: &str, more: &[&str]| {
        of(&[&["consensus", "vote", "much", "--agent-id", agent, "--vote", "for", "--json"], more].concat())
    };
    let refused = vote("ann", &["--value", r#"{"amount":50}"#]);
    assert_eq!(refused.code(), 2);
    let error = &refused.json()["error"];
    assert_eq!(
        (&error["field"], &error["value"], &error["expected"]),
        (&json!("value.amount"), &json!(50), &json!("a whole number of up to 10"))
    );
    assert_eq!(vote("ann", &[]).code(), 2);
    vote("ann", &["--value", r#"{"amount":5}"#]).ok();
    of(&["consensus", "delegate", "much", "--from", "bob", "--to", "cyd", "--reason", "away"]).ok();
    let refused = vote("bob", &["--value", r#"{"amount":5}"#]);
    let error = &refused.json()["error"];
    assert_eq!((refused.code(), &error["kind"], &error["to"]), (40, &json!("delegated"), &json!("cyd")));
    of(&["consensus", "remind", "much", "--by", "ops"]).ok();
    assert_eq!(of(&["consensus", "remind", "much"]).code(), 7);
    // Whoever reads the table sees what an answer must be, and why the question is asked of this one.
    let wide = quorate(&[&["inbox", "cyd"], &at[..]].concat()).env("COLUMNS", "200").output().unwrap();
    let wide = String::from_utf8(wide.stdout).unwrap();
    for seen in ["IN_PLACE_OF", "bob", "REMINDED", "ANSWER_SCHEMA", "amount"] {
        assert!(wide.contains(seen), "{seen}\n{wide}");
    }
    let again =
        of(&["consensus", "delegate", "much", "--from", "bob", "--to", "cyd", "--reason", "ill", "--json"]);
    let again = again.ok().json();
    assert_eq!((&again["duplicate"], &again["differs"]), (&json!(true), &json!(["reason"])));
    let inbox = of(&["inbox", "cyd", "--json"]).ok().json();
    let question = &inbox["questions"][0];
    assert_eq!((&question["in_place_of"], &question["reminded"]), (&json!("bob"), &json!(1)));
    vote("cyd", &["--value", r#"{"amount":5}"#]).ok();
    let result = of(&["consensus", "result", "much", "--json"]).ok().json();
    assert_eq!(result["answer"], json!({ "amount": 5 }));
    assert_eq!(result["votes"]["cyd"]["in_place_of"], "bob");
}
