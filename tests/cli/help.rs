use super::{Ran, project, quorate, run};
use quorate_runtime::api::ops::OPERATIONS;

/// The help of every command, one after the other.
fn all_help() -> String {
    let mut commands: Vec<Vec<&str>> = vec![vec![]];
    commands.extend(
        [
            "cell",
            "cmp",
            "quorum",
            "agent",
            "consensus",
            "algorithm",
            "history",
            "map",
            "members",
            "node",
            "serve",
            "mcp",
            "play",
            "replay",
            "verify-certificate",
            "verify-checkpoint",
            "backup",
            "restore",
        ]
        .map(|noun| vec![noun]),
    );
    commands.extend([vec!["history", "export"], vec!["history", "verify-export"]]);
    commands.extend(OPERATIONS.iter().map(|op| op.name.split('.').collect()));
    let mut out = String::new();
    for command in commands {
        let args: Vec<&str> = command.iter().copied().chain(["--help"]).collect();
        out.push_str(&format!("$ quorate {}\n{}\n", args.join(" "), run(&args).ok().out()));
    }
    out
}

#[test]
fn the_help_text_is_the_golden_one() {
    let golden = project("tests/cli/golden/help.txt");
    let help = all_help();
    if std::env::var_os("QUORATE_REWRITE_GOLDEN").is_some() {
        std::fs::write(&golden, &help).expect("the golden text can be written");
    }
    let expected = std::fs::read_to_string(&golden).unwrap_or_default();
    let differs = help.lines().zip(expected.lines()).find(|(got, expected)| got != expected);
    let hint = "write it anew: QUORATE_REWRITE_GOLDEN=1 cargo test --test cli";
    assert!(help == expected, "{differs:?}\n{hint}");
}

#[test]
fn ops_lists_the_whole_table_for_people_and_for_machines() {
    let ran = Ran(quorate(&["ops"]).env("COLUMNS", "150").output().unwrap()).ok();
    let narrow = Ran(quorate(&["ops"]).env("COLUMNS", "80").output().unwrap()).ok();
    assert!(narrow.out().lines().all(|line| line.chars().count() <= 80), "{}", narrow.out());
    assert!(OPERATIONS.iter().all(|op| narrow.out().contains(op.name)));
    let listed = run(&["ops", "--json"]).ok().json();
    let listed = listed["operations"].as_array().unwrap();
    assert_eq!((listed.len(), ran.out().lines().count()), (OPERATIONS.len(), OPERATIONS.len() + 1));
    for (op, listed) in OPERATIONS.iter().zip(listed) {
        assert!(ran.out().contains(op.name) && ran.out().contains(op.path), "{}", op.name);
        assert_eq!((&listed["name"], &listed["summary"]), (&op.name.into(), &op.summary.into()));
        assert!(listed["request"].is_object() && listed["reply"].is_object());
    }
}

#[test]
fn a_value_that_does_not_fit_is_answered_with_what_does() {
    for (args, code, says) in [
        (
            &["history", "query", "--since", "yesterday", "--data", "x"][..],
            2,
            "10m or 2h30m ago, YYYY-MM-DD, or RFC 3339",
        ),
        (
            &["quorum", "list", "--url", "http://127.0.0.1:1/api/v1"],
            2,
            "the URL of the server alone, without /api/v1",
        ),
        (&["members", "--data", "x"], 3, "next: start one, or name the folder of a node that runs"),
        (&["members"], 2, "data is missing. expected a data folder"),
    ] {
        let ran = run(args);
        assert_eq!(ran.code(), code, "{args:?}: {}", ran.err());
        assert!(ran.err().contains(says), "{args:?}: {}", ran.err());
    }
}

#[test]
fn rules_are_listed_with_their_sources() {
    let rules = run(&["rules", "--json"]).ok().json();
    assert!(rules["rules"].as_array().unwrap().iter().any(|rule| rule["name"] == "threshold"));
    let narrow = Ran(quorate(&["rules"]).env("COLUMNS", "80").output().unwrap()).ok();
    let wide = Ran(quorate(&["rules"]).env("COLUMNS", "120").output().unwrap()).ok();
    assert!(wide.out().contains("Robert's Rules") && narrow.out().contains("supermajority"));
    assert!(narrow.out().lines().all(|line| line.chars().count() <= 80), "{}", narrow.out());
}

#[test]
fn a_mistake_on_the_command_line_is_a_usage_error_on_stderr_or_one_line_of_json() {
    for args in
        [&["quorum", "dance"][..], &["quorum", "start"], &["play"], &["replay", "x", "--store", "tape"]]
    {
        let ran = run(args);
        assert_eq!((ran.code(), ran.out()), (2, ""), "{args:?}");
        assert!(ran.err().contains("error: "), "{args:?}: {}", ran.err());
        let with_json: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let ran = run(&with_json);
        assert_eq!((ran.code(), ran.err()), (2, ""), "{args:?}");
        assert_eq!(ran.json()["error"]["kind"], "invalid_argument", "{args:?}");
    }
    assert_eq!(run(&[]).code(), 2);
}
