//! Votes of real bodies, through real quorums: what was adopted is approved, what failed is rejected.
//!
//! Each file is a script for `quorate play` that names its sources. Before a `quorum.status` stands what is publicly
//! known: `# expect STATE [at INSTANT] [with N for]`. Another body is one more file; it is found by itself.
//!
//! | file | rule | shows |
//! |---|---|---|
//! | `security_council` | `veto` over `required` | abstentions of permanent members, vetoes, too few for |
//! | `eu_council` | `dual` | enough members without the population, and the reverse; who can block |
//! | `paris_agreement` | `dual` with a number of heads | the day of the decision, over half a year of deposits |

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use quorate_core::kernel::ids::VoterId;
use quorate_core::voting::rules::{Choice, Count, Outcome, Param, RuleSpec, build, prepare, presets};
use serde_json::Value;

fn scripts() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/institutions");
    let files = std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
    let mut scripts: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|e| e == "jsonl")).collect();
    scripts.sort();
    let read = |path: &PathBuf| {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).expect("a script"))
    };
    scripts.iter().map(read).collect()
}

fn script(name: &str) -> String {
    scripts().into_iter().find(|(file, _)| file == name).expect("the script").1
}

fn lines(script: &str) -> Vec<Value> {
    let lines = script.lines().filter(|line| line.starts_with('{'));
    lines.map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn play(name: &str, store: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/institutions/{name}.jsonl"));
    let output = Command::new(env!("CARGO_BIN_EXE_quorate"))
        .args(["play", "--store", store])
        .arg(path)
        .output()
        .expect("the program runs");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    lines(&String::from_utf8(output.stdout).expect("UTF-8"))
}

/// A status in the words of the scripts.
fn told(status: &Value, expected: &str) -> String {
    let mut out = status["state"].as_str().expect("a state").to_owned();
    if expected.contains(" at ") {
        out += &format!(" at {}", status["closed_at"].as_str().unwrap_or("-"));
    }
    if expected.contains(" with ") {
        out += &format!(" with {} for", status["approve_votes"]);
    }
    out
}

#[test]
fn recorded_votes_end_as_they_ended() {
    let scripts = scripts();
    assert!(scripts.len() >= 3);
    for (name, script) in scripts {
        let expected: Vec<&str> = script.lines().filter_map(|line| line.strip_prefix("# expect ")).collect();
        for store in ["memory", "sled"] {
            let answers = play(&name, store);
            let shown: Vec<&Value> = answers.iter().filter(|line| line["op"] == "quorum.status").collect();
            assert_eq!(shown.len(), expected.len(), "{name}: one `# expect` before each status");
            for (status, expected) in shown.into_iter().zip(&expected) {
                let reply = &status["reply"];
                assert_eq!(told(reply, expected), **expected, "{name}: {}", reply["quorum_id"]);
            }
            // Nothing but a vote after the close is refused.
            let refused = answers.iter().filter_map(|line| line.get("error"));
            refused.for_each(|error| assert_eq!(error["kind"], "quorum_closed", "{name}: {error}"));
        }
    }
}

#[test]
fn the_instrument_of_the_european_union_is_on_record_and_adds_nothing() {
    let answers = play("paris_agreement", "memory");
    let votes: Vec<&Value> = answers.iter().filter(|line| line["op"] == "quorum.vote").collect();
    let union = votes.iter().position(|line| line["reply"]["voter_id"] == "EUU").expect("its instrument");
    assert_eq!(votes[union]["reply"]["counted"], false);
    assert_eq!(votes[union]["reply"]["approve_votes"], votes[union - 1]["reply"]["approve_votes"]);
    assert_eq!(votes[union]["at_ms"], 166 * 60_000);
    let decided: Vec<&&Value> = votes.iter().filter(|line| line["reply"]["state"] == "approved").collect();
    assert_eq!(
        (&decided[0]["reply"]["voter_id"], &decided[0]["at_ms"]),
        (&"DEU".into(), &(166 * 60_000).into())
    );
}

/// One question of a script, its votes, and how it must end.
struct Question {
    rule: RuleSpec,
    voters: Vec<VoterId>,
    votes: Vec<(usize, Choice)>,
    end: Outcome,
}

fn questions(script: &str) -> BTreeMap<String, Question> {
    let mut questions: BTreeMap<String, Question> = BTreeMap::new();
    let mut expected = script.lines().filter_map(|line| line.strip_prefix("# expect "));
    for line in lines(script) {
        let id = line["quorum_id"].as_str().unwrap_or_default().to_owned();
        match line["op"].as_str().expect("an operation") {
            "quorum.start" => {
                let rule: Param = serde_json::from_value(line["rule"].clone()).expect("a rule");
                let mut voters: Vec<VoterId> =
                    serde_json::from_value(line["voters"].clone()).expect("voters");
                voters.sort();
                let rule = RuleSpec::from_param(&rule).expect("a rule");
                questions.insert(id, Question { rule, voters, votes: Vec::new(), end: Outcome::Pending });
            }
            "quorum.vote" => {
                let question = questions.get_mut(&id).expect("a question");
                let voter = line["voter_id"].as_str().expect("a voter");
                let choice = match (line["confidence"] == 0, line["vote"].as_bool().expect("a vote")) {
                    (true, _) => Choice::Abstain,
                    (false, true) => Choice::For,
                    (false, false) => Choice::Against,
                };
                // Who is no voter counts nowhere.
                if let Ok(index) = question.voters.binary_search_by(|known| known.as_str().cmp(voter)) {
                    question.votes.push((index, choice));
                }
            }
            "quorum.status" => {
                let state = expected.next().and_then(|text| text.split(' ').next());
                questions.get_mut(&id).expect("a question").end = match state {
                    Some("approved") => Outcome::Won,
                    Some("rejected") => Outcome::Lost,
                    _ => Outcome::Pending,
                };
            }
            _ => {}
        }
    }
    questions
}

#[test]
fn in_whatever_order_the_hands_go_up_the_end_is_the_same() {
    for (name, script) in scripts() {
        for (id, question) in questions(&script) {
            let n = question.voters.len();
            let formula = prepare(build(&question.rule).expect("a rule").as_ref(), &question.voters).formula;
            let mut runner =
                TestRunner::new(Config { cases: 40, failure_persistence: None, ..Config::default() });
            let orders = Just(question.votes.clone()).prop_shuffle();
            let checked = runner.run(&orders, |votes| {
                let mut count = Count::new(&formula, Some(n as u32));
                let mut outstanding: Vec<usize> = (0..n).collect();
                let mut decided = Outcome::Pending;
                for (voter, choice) in votes {
                    count.add(&formula, voter, choice);
                    outstanding.retain(|index| *index != voter);
                    let outcome = formula.outcome(&count, || outstanding.clone());
                    prop_assert!(decided == Outcome::Pending || outcome == decided, "reversed");
                    decided = outcome;
                }
                prop_assert_eq!(decided, question.end);
                Ok(())
            });
            checked.unwrap_or_else(|e| panic!("{name}: {id}: {e}"));
        }
    }
}

fn texts(param: &Param) -> Vec<String> {
    match param {
        Param::List(items) => items.iter().map(ToString::to_string).collect(),
        other => panic!("no list: {other:?}"),
    }
}

fn weights(rule: &RuleSpec) -> BTreeMap<String, Param> {
    match &rule.params["agent_weights"] {
        Param::Map(weights) => weights.clone(),
        other => panic!("no weights: {other:?}"),
    }
}

#[test]
fn the_presets_are_the_rules_of_the_scripts() {
    for (id, question) in questions(&script("security_council")) {
        assert_eq!(presets::security_council(texts(&question.rule.params["voters"])), question.rule, "{id}");
    }
    for (id, question) in questions(&script("eu_council")) {
        assert_eq!(presets::eu_qualified_majority(weights(&question.rule)), question.rule, "{id}");
    }
    for (id, question) in questions(&script("paris_agreement")) {
        assert_eq!(presets::entry_into_force(55, "0.55", weights(&question.rule)), question.rule, "{id}");
    }
}

#[test]
fn every_file_says_where_its_rule_comes_from() {
    for (name, script) in scripts() {
        assert!(script.contains("# The rule: "), "{name}");
    }
}
