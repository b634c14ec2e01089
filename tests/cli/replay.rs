use super::{file, project, quorate, run, text};
use flate2::Compression;
use flate2::write::GzEncoder;
use quorate_core::voting::rules::RULES;
use serde_json::Value;
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;

#[test]
fn nine_states_ratified_on_21_june_1788_and_four_came_after_the_close() {
    let votes = project("examples/votes/ratification.csv");
    let ran = run(&["replay", text(&votes), "--required", "9"]).ok();
    assert!(
        ran.out().contains("decided on 1788-06-21 by the vote of New Hampshire: 9 of 13"),
        "{}",
        ran.out()
    );
    let after = "votes after the close: Virginia 1788-06-25, New York 1788-07-26, \
                 North Carolina 1789-11-21, Rhode Island 1790-05-29\n";
    assert!(ran.out().contains(after), "{}", ran.out());
    let ran = run(&[
        "replay",
        text(&votes),
        "--rule",
        "required:9",
        "--rule",
        "unanimous",
        "--required",
        "14",
        "--json",
    ]);
    let rules = ran.ok().json()["results"]["rules"].clone();
    assert_eq!((&rules[0]["late_votes"], &rules[0]["votes_cast"]), (&4.into(), &13.into()));
    assert_eq!(rules[0]["stories"][0]["decided_at"], "1788-06-21T00:00:00Z");
    assert_eq!(rules[1]["stories"][0]["decided_by"], "Rhode Island");
    assert_eq!((&rules[2]["undecided"], &rules[2]["votes_cast"]), (&1.into(), &0.into()));
}

const SMALL: &str = "# three questions\nworker,question,answer\n\
    a,won,yes\nb,won,yes\nc,won,no\n\
    a,tied,yes\nb,tied,no\n\
    a,split,x\nb,split,x\nc,split,y\nd,split,z\ne,split,x2\n";

#[test]
fn questions_are_decided_tied_or_undecided() {
    let (_f, votes) = file(SMALL);
    let (_t, truth) = file("question,truth\nwon,yes\ntied,no\nsplit,x\nelsewhere,yes\n");
    let args = ["replay", text(&votes), "--truth", text(&truth), "--rule", "threshold", "--json"];
    let report = run(&args).ok().json();
    let rule = &report["results"]["rules"][0];
    let counts = ["decided", "ties", "undecided", "correct"].map(|name| rule[name].as_u64().unwrap());
    assert_eq!(counts, [1, 1, 1, 1]);
    assert_eq!(rule["accuracy_of_decided"], 1.0);
    assert_eq!(rule["accuracy"], 1.0 / 3.0);
    assert_eq!(report["results"]["truth_unused"], 1);
    assert!(report["speed"]["rules"][0]["votes_per_second"].as_f64().unwrap() > 0.0);
}

#[test]
fn without_a_rule_every_rule_of_the_table_is_compared_in_one_table() {
    let (_f, votes) = file(SMALL);
    let report = run(&["replay", text(&votes), "--json"]).ok().json();
    let rules = report["results"]["rules"].as_array().unwrap();
    let names: Vec<&str> = rules.iter().map(|rule| rule["rule"].as_str().unwrap()).collect();
    let table: Vec<String> = RULES.iter().map(|entry| (entry.sample)().to_string()).collect();
    assert_eq!(names, table);
    let ran = run(&["replay", text(&votes)]).ok();
    let lines: Vec<&str> = ran.out().lines().collect();
    let header = lines.iter().position(|line| line.starts_with("RULE ")).unwrap();
    let rows = &lines[header + 1..=header + RULES.len()];
    assert!(rows.iter().zip(&table).all(|(row, rule)| row.starts_with(rule.as_str())), "{}", ran.out());
    assert!(rows.iter().all(|row| row.chars().count() <= 130), "{}", ran.out());
}

#[test]
fn a_rule_that_needs_no_vote_or_cannot_be_met_is_shown_as_such() {
    let (_f, votes) = file("question,worker,answer\nq,a,yes\nq,b,no\n");
    let cannot = "required:3";
    let met = r#"{"rule":"not","params":{"rule":"required:3"}}"#;
    let args = ["replay", text(&votes), "--rule", cannot, "--rule", met];
    let ran = run(&args).ok();
    let out = ran.out();
    assert!(
        out.contains("required:3: cannot be met by the voters on 1 question, not put to the vote"),
        "{out}"
    );
    assert!(out.contains("not(required:3): met before anybody votes on 1 question"), "{out}");
    let rules = run(&[&args[..], &["--json"]].concat()).ok().json()["results"]["rules"].clone();
    let counts = |n: usize| (rules[n]["cannot_be_met"].clone(), rules[n]["met_before_any_vote"].clone());
    assert_eq!(counts(0), (1.into(), 0.into()));
    assert_eq!(counts(1), (0.into(), 1.into()));
}

#[test]
fn rules_are_given_as_text_or_as_json_and_bad_ones_are_typed_errors() {
    let votes = project("examples/votes/ratification.csv");
    let veto = r#"{"rule":"veto","params":{"voters":["Rhode Island"],"rule":{"required":{"count":9}}}}"#;
    let args = ["replay", text(&votes), "--rule", veto, "--rule", "at_least:2/3", "--json"];
    let rules = run(&args).ok().json()["results"]["rules"].clone();
    // Whoever may still object decides last.
    assert_eq!(rules[0]["rule"], "veto(rule=required:9, voters=[Rhode Island])");
    assert_eq!(rules[0]["stories"][0]["decided_by"], "Rhode Island");
    assert_eq!(rules[1]["stories"][0]["decided_by"], "New Hampshire");
    let bad = [
        ("plurality", "unknown rule"),
        ("at_least:2", "fraction of rule at_least"),
        ("{\"rule\"", "JSON"),
        ("{}", "a rule"),
        (r#"{"rule":"threshold:0.6","params":{"threshold":0.7}}"#, "each parameter once"),
        (r#"{"rule":"not","params":{"rule":{"rule":"required"}}}"#, "count of rule required"),
        (r#"{"rule":"weighted","params":{"agent_weights":{"a":-1}}}"#, "agent_weights.a"),
        (r#"{"rule":"weighted","params":{"agent_weights":{"a":1,"a":9}}}"#, "a is given twice"),
    ];
    for (rule, reason) in bad {
        let ran = run(&["replay", text(&votes), "--rule", rule, "--json"]);
        let error = ran.json()["error"].clone();
        assert_eq!(
            (ran.code(), &error["kind"], &error["field"]),
            (2, &"invalid_argument".into(), &"rule".into())
        );
        assert!(error["message"].as_str().unwrap().contains(reason), "{rule}: {error}");
    }
}

#[test]
fn a_second_vote_of_a_worker_changes_the_first_while_the_poll_is_open() {
    let (_f, votes) = file("question,worker,answer\nq,a,no\nq,a,yes\nq,b,yes\nq,c,no\nq,a,no\n");
    let report = run(&["replay", text(&votes), "--rule", "threshold", "--json"]).ok().json();
    assert_eq!(report["results"]["repeated_votes"], 2);
    let story = &report["results"]["rules"][0]["stories"][0];
    assert_eq!((&story["answer"], &story["decided_by"]), (&"yes".into(), &"b".into()));
    let late: Vec<&Value> =
        story["votes_after_close"].as_array().unwrap().iter().map(|v| &v["worker"]).collect();
    assert_eq!(late, ["c", "a"]);
}

#[test]
fn a_low_bar_lets_the_answer_through_that_got_there_first() {
    let (_f, votes) = file("question,worker,answer\nq,a,first\nq,b,second\nq,c,second\n");
    let report = run(&["replay", text(&votes), "--required", "1", "--json"]).ok().json();
    assert_eq!(report["results"]["rules"][0]["stories"][0]["answer"], "first");
}

#[test]
fn packed_files_are_known_by_their_content() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(SMALL.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let (_p, plain) = file(SMALL);
    let (_f, zipped) = file(&packed);
    let results =
        |path| run(&["replay", text(path), "--store", "memory", "--json"]).ok().json()["results"].clone();
    assert_eq!(results(&plain), results(&zipped));
    let (_c, cut) = file(&packed[..packed.len() - 9]);
    let ran = run(&["replay", text(&cut)]);
    assert!(ran.code() == 2 && ran.err().contains("damaged gzip"), "{}", ran.err());
}

#[test]
fn bad_files_are_refused_with_file_line_and_reason() {
    let cases = [
        ("", "the file is empty"),
        ("question,worker,answer\n", "holds no votes"),
        ("question,worker\nq,w\n", "no column \"answer\""),
        ("question,worker,answer\nq,w\n", "the line has 2 fields, the header has 3. file="),
        ("question,worker,answer\nq,w,a\nq, ,a\n", "line=3"),
        ("question,worker,answer\n,w,a\n", "the question is no id: id is blank"),
        ("question,worker,answer\nq,w,\n", "the answer is no id"),
        ("question,worker,answer,time\nq,w,a,yesterday\n", "line=2"),
    ];
    for (content, reason) in cases {
        let (_f, votes) = file(content);
        let ran = run(&["replay", text(&votes)]);
        assert_eq!((ran.code(), ran.out()), (2, ""), "{content:?}");
        assert!(ran.err().contains(reason) && ran.err().contains(text(&votes)), "{content:?}: {}", ran.err());
    }
    let (_f, votes) = file(b"question,worker,answer\nq,w,\xff\n");
    assert!(run(&["replay", text(&votes)]).err().contains("not UTF-8"));
    assert_eq!(run(&["replay", "/nowhere/votes.csv"]).code(), 2);
    let (_f, votes) = file(SMALL);
    for rule in ["plurality", "required", "at_least:2"] {
        assert_eq!(run(&["replay", text(&votes), "--rule", rule]).code(), 2, "{rule}");
    }
    assert_eq!(run(&["replay", text(&votes), "--required", "0"]).code(), 2);
}

/// Many questions, three answers each, with times or without. The first worker votes again in the middle: cast once
/// more after a kill, his first vote would meet approvals that came later and could win what it did not win.
fn many(questions: u32, timed: bool) -> String {
    let mut csv =
        String::from(if timed { "question,worker,answer,time\n" } else { "question,worker,answer\n" });
    for (round, worker) in [0, 1, 0, 2, 3, 4, 0].into_iter().enumerate() {
        let round = round as u32;
        for question in 0..questions {
            let hash = (question * 31 + round * 17).wrapping_mul(2_654_435_761) >> 16;
            csv.push_str(&format!("q{question},w{worker},a{}", hash % 3));
            if timed {
                csv.push_str(&format!(",2001-01-{:02}T{:02}:00:00Z", 1 + round, question % 24));
            }
            csv.push('\n');
        }
    }
    csv
}

fn survives_kills(csv: &str) {
    let (folder, votes) = file(csv);
    let whole = run(&["replay", text(&votes), "--rule", "threshold", "--json"]).ok().json();
    let data = folder.path().join("data");
    let args = ["replay", text(&votes), "--rule", "threshold", "--data", text(&data), "--json"];
    // Killed ever later, until one run comes to its end.
    let mut kills = 0;
    loop {
        let mut child = quorate(&args).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(30 + 60 * kills));
        if child.try_wait().unwrap().is_some_and(|end| end.success()) {
            break;
        }
        kills += 1;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let resumed = run(&args).ok().json();
    assert_eq!(resumed["results"].to_string(), whole["results"].to_string());
    assert!(kills > 0, "the run was over before it could be killed");
    // A run over a finished one casts nothing and finds the same.
    let again = run(&args).ok().json();
    assert_eq!(again["results"].to_string(), whole["results"].to_string());
    assert_eq!(again["speed"]["rules"][0]["votes_sent"], 0);
    assert!(again["speed"]["rules"][0]["quorums_resumed"].as_u64().unwrap() > 0);
}

#[test]
fn a_replay_that_is_killed_and_started_again_finds_the_same() {
    survives_kills(&many(800, false));
}

#[test]
fn a_replay_with_times_that_is_killed_and_started_again_finds_the_same() {
    survives_kills(&many(300, true));
}

#[test]
fn votes_of_the_past_are_not_added_to_a_journal_that_is_ahead_of_them() {
    let folder = TempDir::new().unwrap();
    let data = text(folder.path());
    run(&["cell", "mesh", "--rings", "0", "--data", data]).ok();
    let ran = run(&["replay", text(&project("examples/votes/ratification.csv")), "--data", data]);
    assert!(ran.code() == 2 && ran.err().contains("ahead of the first vote"), "{}", ran.err());
}

#[test]
fn a_majority_of_three_is_right_about_the_recorded_product_questions_as_often_as_published() {
    let votes = project("../shared/data/votes/product-answers.csv.gz");
    let truth = project("../shared/data/votes/product-truth.csv.gz");
    if !votes.exists() || !truth.exists() {
        eprintln!("SKIPPED: {} is not here, so nothing was measured", votes.display());
        return;
    }
    let args = ["replay", text(&votes), "--truth", text(&truth), "--rule", "threshold", "--json"];
    let report = run(&args).ok().json();
    let rule = &report["results"]["rules"][0];
    let accuracy = rule["accuracy"].as_f64().unwrap();
    assert!((accuracy - 0.8966).abs() < 0.000_05, "{accuracy}");
    assert_eq!((&rule["questions"], &rule["undecided"]), (&8315.into(), &0.into()));
}

#[test]
fn learned_weights_find_the_better_voters_and_say_whether_they_were_told_anything() {
    // Five voters on forty questions; three of them say the contrary of what is right on every third question.
    let (mut csv, mut answers) = (String::from("question,worker,answer\n"), String::from("question,truth\n"));
    for question in 0..40 {
        let (right, wrong) = if question % 2 == 0 { ("yes", "no") } else { ("no", "yes") };
        answers.push_str(&format!("q{question},{right}\n"));
        for (worker, number) in ["a", "b", "c", "d", "e"].into_iter().zip(0..) {
            let errs = number > 1 && (question + number) % 3 == 0 || number > 2 && question % 5 == 0;
            csv.push_str(&format!("q{question},{worker},{}\n", if errs { wrong } else { right }));
        }
    }
    let ((_f, votes), (_t, truth)) = (file(&csv), file(&answers));
    let args =
        ["replay", text(&votes), "--truth", text(&truth), "--weights", "equal", "--weights", "learned"];
    let results = run(&[&args[..], &["--json"]].concat()).ok().json()["results"].clone();
    assert_eq!(results["rules"], Value::Array(Vec::new()), "weights alone need no quorums");
    let sources = &results["weights"]["sources"];
    assert_eq!((&sources[1]["source"], &sources[1]["unanchored"]), (&"dawid_skene".into(), &true.into()));
    assert_eq!((&sources[1]["accuracy"], &sources[1]["decided"]), (&1.0.into(), &40.into()));
    let out = run(&args).ok().out().to_owned();
    assert!(out.contains("dawid_skene") && out.contains("unanchored: "), "{out}");
    // What was told is not scored.
    let gold = [&args[..], &["--gold", "30", "--weights", "learned-online", "--json"]].concat();
    let weights = run(&gold).ok().json()["results"]["weights"].clone();
    assert_eq!((&weights["gold"], &weights["sources"][2]["correct"]), (&30.into(), &10.into()));
    assert_eq!(weights["sources"][2]["unanchored"], false);
}

#[test]
fn weights_that_do_not_exist_or_do_not_fit_are_typed_errors() {
    let (_f, votes) = file(SMALL);
    for (weights, field) in [
        ("plurality", "weights"),
        ("dawid_skene:passes=0", "weights.dawid_skene.passes"),
        ("dawid_skene:agree=NaN", "weights.dawid_skene.agree"),
        ("equal:x=1", "weights.equal.x"),
        ("eigentrust", "trusted"),
    ] {
        let ran = run(&["replay", text(&votes), "--weights", weights, "--json"]);
        let error = ran.json()["error"].clone();
        assert_eq!(
            (ran.code(), &error["kind"], &error["field"]),
            (2, &"invalid_argument".into(), &field.into())
        );
    }
}

#[test]
fn learned_weights_reach_the_best_published_accuracy_on_the_recorded_product_questions() {
    let votes = project("../shared/data/votes/product-answers.csv.gz");
    let truth = project("../shared/data/votes/product-truth.csv.gz");
    if !votes.exists() || !truth.exists() {
        eprintln!("SKIPPED: {} is not here, so nothing was measured", votes.display());
        return;
    }
    let args = ["replay", text(&votes), "--truth", text(&truth), "--weights", "learned", "--json"];
    let row = run(&args).ok().json()["results"]["weights"]["sources"][0].clone();
    let (accuracy, f1) = (row["accuracy"].as_f64().unwrap(), row["f1"]["f1"].as_f64().unwrap());
    assert!(accuracy >= 0.939_65 && f1 >= 0.720_85, "{row}");
    assert_eq!(row["f1"]["answer"], "1");
}

#[test]
fn waves_say_how_many_votes_are_enough_and_whether_that_is_certain() {
    let mut csv = String::from("question,worker,answer\n");
    for question in 0..60 {
        let (right, wrong) = if question % 2 == 0 { ("yes", "no") } else { ("no", "yes") };
        for (worker, number) in ["a", "b", "c", "d", "e"].into_iter().zip(0..) {
            let errs = (question * 7 + number * 3) % 10 < number;
            csv.push_str(&format!("q{question},{worker},{}\n", if errs { wrong } else { right }));
        }
    }
    let (_f, votes) = file(&csv);
    let waves =
        run(&["replay", text(&votes), "--waves", "0,0.2", "--json"]).ok().json()["results"]["waves"].clone();
    let rows = waves.as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["by"], &rows[3]["by"]), (4, &"heads".into(), &"tables".into()));
    assert_eq!((&rows[0]["bound"], &rows[0]["unlikely"]), (&0.0.into(), &0.into()), "only certainty stops");
    let asked = |row: usize| rows[row]["votes_asked"].as_u64().unwrap();
    assert!(asked(1) < asked(0) && asked(0) < 300, "{waves}");
    assert!(rows[1]["unlikely"].as_u64().unwrap() > 0);
    for bad in ["1.5", "NaN", "x", "0,-1"] {
        let args = ["replay", text(&votes), "--json", &format!("--waves={bad}")];
        let ran = run(&args);
        assert_eq!((ran.code(), &ran.json()["error"]["field"]), (2, &"waves".into()), "{bad}");
    }
}
