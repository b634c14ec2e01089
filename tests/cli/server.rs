use super::{quorate, run, text};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use tempfile::TempDir;

/// A server on a free port.
fn serve(data: &str) -> (Child, String) {
    let mut server = quorate(&["serve", "--data", data, "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").expect(&line).to_owned();
    (server, url)
}

fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args([name, &pid]).status().unwrap().success());
}

#[test]
fn a_server_answers_the_same_commands_and_ends_cleanly_on_a_signal() {
    let folder = TempDir::new().unwrap();
    let data = text(folder.path());
    let (mut server, url) = serve(data);
    let there = |args: &[&str]| run(&[args, &["--url", &url, "--json"]].concat());
    let id = "a/b c?ä";
    let start = ["quorum", "start", "--quorum-type", "global", "--quorum-id", id, "--voters", "x,y"];
    let started = there(&[&start[..], &["--required-votes", "2"]].concat()).ok().json();
    assert_eq!(started["quorum_id"], id);
    there(&["quorum", "vote", "--quorum-id", id, "--voter-id", "x", "--vote", "true"]).ok();
    let status = there(&["quorum", "status", "--quorum-id", id]).ok().json();
    assert_eq!((&status["state"], &status["approve_votes"]), (&"open".into(), &1.into()));
    assert_eq!(there(&["cell", "mesh", "--rings", "1"]).ok().json()["cells"], 7);
    assert_eq!(there(&["cell", "list", "--limit", "3"]).ok().json()["cells"].as_array().unwrap().len(), 3);
    let missing = there(&["quorum", "status", "--quorum-id", "other"]);
    assert_eq!((missing.code(), &missing.json()["error"]["kind"]), (3, &"not_found".into()));
    assert_eq!(there(&["quorum", "history", "--limit", "-1"]).code(), 2);
    // Over the folder itself there is no way in while the server has it.
    assert_eq!(run(&["quorum", "stats", "--data", data]).code(), 11);
    signal(&server, "-TERM");
    assert!(server.wait().unwrap().success());
    let status = run(&["quorum", "status", "--quorum-id", id, "--data", data, "--json"]).ok().json();
    assert_eq!(status["approve_votes"], 1);
    let gone = there(&["quorum", "stats"]);
    assert_eq!((gone.code(), &gone.json()["error"]["kind"]), (10, &"store_error".into()));
}

#[test]
fn a_server_that_is_killed_has_lost_nothing_it_answered() {
    let folder = TempDir::new().unwrap();
    let (mut server, url) = serve(text(folder.path()));
    for n in 0..5 {
        let id = format!("q{n}");
        run(&["quorum", "start", "--quorum-type", "global", "--quorum-id", &id, "--url", &url]).ok();
    }
    server.kill().unwrap();
    server.wait().unwrap();
    let (mut server, url) = serve(text(folder.path()));
    let stats = run(&["quorum", "stats", "--url", &url, "--json"]).ok().json();
    assert_eq!(stats["active_quorums"], 5);
    signal(&server, "-INT");
    assert!(server.wait().unwrap().success());
}

#[test]
fn an_address_that_cannot_be_listened_on_is_a_usage_error() {
    let folder = TempDir::new().unwrap();
    for listen in ["nowhere", "127.0.0.1", "256.0.0.1:1"] {
        let ran = run(&["serve", "--data", text(folder.path()), "--listen", listen, "--json"]);
        assert_eq!((ran.code(), &ran.json()["error"]["kind"]), (2, &"invalid_argument".into()), "{listen}");
    }
    assert_eq!(run(&["quorum", "stats", "--url", "ftp://x", "--json"]).code(), 2);
}
