use super::{quorate, run, text};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use tempfile::TempDir;

const AGENTS: [&str; 3] = ["ann", "bob", "cyd"];

/// The same commands against a folder and against a server.
struct Place {
    at: [String; 2],
    server: Option<Child>,
}

impl Place {
    fn run(&self, args: &[&str]) -> super::Ran {
        run(&[args, &[&self.at[0], &self.at[1]]].concat())
    }

    fn json(&self, args: &[&str]) -> serde_json::Value {
        self.run(&[args, &["--json"]].concat()).ok().json()
    }

    fn with_agents(self) -> Self {
        for agent in AGENTS {
            self.run(&["agent", "register", "--agent-id", agent]).ok();
        }
        self
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }
}

fn folder(path: &str) -> Place {
    Place { at: ["--data".into(), path.into()], server: None }.with_agents()
}

fn server(path: &str) -> Place {
    let mut child = quorate(&["serve", "--data", path, "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").expect(&line).to_owned();
    Place { at: ["--url".into(), url], server: Some(child) }.with_agents()
}

/// Lines with every run of blanks as one.
fn lines(out: &str) -> Vec<String> {
    out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[track_caller]
fn shows(out: &str, expected: &[&str]) {
    for line in expected {
        assert!(lines(out).iter().any(|l| l == line), "no line {line:?} in\n{out}");
    }
}

fn a_proposal_goes_from_question_to_history(place: &Place) {
    let params = r#"{"rules":[{"rule":"veto","params":{"voters":["ann"],"rule":"required:2"}},"threshold"]}"#;
    let registered =
        place.run(&["algorithm", "register", "--name", "careful", "--rule", "all", "--params", params]).ok();
    shows(
        registered.out(),
        &["registered true", "rule all(rules=[veto(rule=required:2, voters=[ann]), threshold])"],
    );
    let other = place.run(&["algorithm", "register", "--name", "careful", "--rule", "unanimous"]);
    assert_eq!(other.code(), 4, "a name that stands for another rule is refused: {}", other.err());
    place.run(&["algorithm", "register", "--name", "two", "--rule", r#"{"required":{"count":2}}"#]).ok();
    let set = place.json(&["algorithm", "set-default", "--name", "two"]);
    assert_eq!((&set["set"], &set["default"]), (&true.into(), &"two".into()));
    let listed = place.run(&["algorithm", "list"]).ok();
    shows(
        listed.out(),
        &[
            "default two",
            "quorum threshold false false",
            "two required(count=2) false true",
            "not rule the opposite of a rule",
        ],
    );

    let ask = ["consensus", "request", "--proposal", r#"{"x":[1,null]}"#, "--algorithm", "careful"];
    let opened =
        place.json(&[&ask[..], &["--proposal-id", "p", "--wait", "false", "--timeout-ms", "60000"]].concat());
    assert_eq!((&opened["state"], &opened["proposal"]["x"][0]), (&"open".into(), &1.into()));
    let open = place.run(&["consensus", "open", "--agent-id", "ann"]).ok();
    assert!(open.out().contains(r#"{"x":[1,null]}"#), "{}", open.out());
    let vote = |agent: &str, vote: &str| {
        place.run(&["consensus", "vote", "--proposal-id", "p", "--agent-id", agent, "--vote", vote])
    };
    shows(vote("bob", "for").ok().out(), &["recorded true", "outcome recorded", "state open"]);
    shows(vote("bob", "for").ok().out(), &["recorded false", "outcome duplicate"]);
    assert_eq!((vote("bob", "against").code(), vote("zoe", "for").code()), (4, 5));
    let refused = vote("cyd", "maybe");
    assert!(
        refused.code() == 2 && refused.err().contains("one of `for`, `against`, `abstain`"),
        "{}",
        refused.err()
    );
    let claims = ["consensus", "vote", "--proposal-id", "p", "--agent-id", "cyd", "--vote", "for"];
    place.run(&[&claims[..], &["--weight", "7", "--metadata", r#"{"why":"so"}"#]].concat()).ok();
    // Two are for, but the one with the veto may still object.
    shows(vote("ann", "abstain").ok().out(), &["state approved"]);

    let result = place.run(&["consensus", "result", "--proposal-id", "p"]).ok();
    shows(
        result.out(),
        &["decision approved", "decided_by ann", r#"proposal {"x":[1,null]}"#, "participants bob, cyd, ann"],
    );
    shows(result.out(), &["votes", "NAME VOTE CAST_AT WEIGHT METADATA", "participation_rate 1"]);
    assert!(lines(result.out()).iter().any(|l| l.starts_with("cyd for") && l.ends_with("7 why=so")));
    let stats = place.run(&["consensus", "stats"]).ok();
    shows(stats.out(), &["total_proposals 1", "votes 3", "refused_votes 2", "careful 1 1 0 0 1"]);
    let history = place.run(&["consensus", "history"]).ok();
    assert!(
        lines(history.out())
            .iter()
            .any(|l| l.starts_with(r#"p approved {"x":[1,null]}"#) && l.contains(" ann ")),
        "{}",
        history.out()
    );
    assert!(history.out().lines().all(|line| line.chars().count() < 180), "{}", history.out());
    assert_eq!(place.run(&["consensus", "result", "--proposal-id", "other"]).code(), 3);
    assert_eq!(place.run(&["consensus", "request", "--proposal", "1", "--algorithm", "none"]).code(), 2);
    shows(
        place.run(&["agent", "stats"]).ok().out(),
        &["health_distribution healthy=3 degraded=0 critical=0 failed=0"],
    );
}

#[test]
fn a_proposal_goes_from_question_to_history_on_a_folder() {
    let data = TempDir::new().unwrap();
    a_proposal_goes_from_question_to_history(&folder(text(data.path())));
}

#[test]
fn a_proposal_goes_from_question_to_history_on_a_server() {
    let data = TempDir::new().unwrap();
    a_proposal_goes_from_question_to_history(&server(text(data.path())));
}

#[test]
fn a_request_that_waits_says_so_and_returns_with_the_decision() {
    let data = TempDir::new().unwrap();
    let place = server(text(data.path()));
    let ask = ["consensus", "request", "--proposal", "deploy", "--proposal-id", "p"];
    let mut waiting = quorate(&[&ask[..], &[&place.at[0], &place.at[1]]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = String::new();
    BufReader::new(waiting.stderr.take().unwrap()).read_line(&mut told).unwrap();
    assert!(told.starts_with("waiting for the decision on p, until "), "{told}");
    for agent in &AGENTS[..2] {
        place.run(&["consensus", "vote", "--proposal-id", "p", "--agent-id", agent, "--vote", "for"]).ok();
    }
    let out = waiting.wait_with_output().unwrap();
    assert!(out.status.success());
    shows(
        std::str::from_utf8(&out.stdout).unwrap(),
        &["decision approved", "proposal deploy", "decided_by bob"],
    );
    // For machines, stderr is silent and stdout is the result.
    let id = ["--proposal-id", "late", "--timeout-ms", "200", "--json"];
    let ran = place.run(&[&ask[..4], &id].concat());
    assert_eq!((ran.err(), &ran.json()["decision"], ran.code()), ("", &"timeout".into(), 22));
}

#[cfg(unix)]
#[test]
fn whoever_stops_waiting_does_not_stop_the_proposal() {
    let data = TempDir::new().unwrap();
    let place = folder(text(data.path()));
    let ask = ["consensus", "request", "--proposal", "deploy", "--proposal-id", "p", "--timeout-ms", "60000"];
    let mut waiting = quorate(&[&ask[..], &[&place.at[0], &place.at[1]]].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(waiting.stderr.take().unwrap()).lines();
    assert!(told.next().unwrap().unwrap().starts_with("waiting for the decision on p"));
    let pid = waiting.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(waiting.wait().unwrap().code(), Some(130));
    let next: Vec<String> = told.map(Result::unwrap).collect();
    assert_eq!(
        next,
        [
            "the proposal goes on without you",
            "next: quorate consensus result --proposal-id p --wait-ms 60000",
        ]
    );
    let looked = place.run(&["consensus", "result", "--proposal-id", "p", "--json"]);
    assert_eq!((&looked.json()["state"], looked.code()), (&"open".into(), 20));
}
