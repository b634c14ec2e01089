//! Following a server from the command line.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::server::signal;
use crate::{quorate, run, text};

fn serve(data: &str, listen: &str) -> Child {
    let mut server =
        quorate(&["serve", "--data", data, "--listen", listen]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("listening on "), "{line}");
    server
}

#[test]
fn what_is_recorded_is_told_once_also_over_kill_9_of_the_server() {
    let folder = TempDir::new().unwrap();
    let data = text(folder.path());
    // A port of its own, so that the next server is found where the first one was.
    let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let url = format!("http://{listen}");
    let mut server = serve(data, &listen);
    let mut watching = quorate(&[
        "watch", "--kind", "quorum", "--event", "opened", "--cursor", "0", "--url", &url, "--json",
    ])
    .stdout(Stdio::piped())
    .stderr(Stdio::null())
    .spawn()
    .unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let mut told = move || {
        let event: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        event["entity_id"].as_str().unwrap().to_owned()
    };
    for life in 0..3 {
        for n in 0..3 {
            let id = format!("q-{life}-{n}");
            run(&["quorum", "start", "--quorum-type", "global", "--quorum-id", &id, "--url", &url]).ok();
            assert_eq!(told(), id);
        }
        server.kill().unwrap();
        server.wait().unwrap();
        server = serve(data, &listen);
    }
    signal(&watching, "-INT");
    assert_eq!(watching.wait().unwrap().code(), Some(130));
    signal(&server, "-TERM");
    assert!(server.wait().unwrap().success());
}

#[test]
fn a_line_for_people_and_a_server_that_is_not_there() {
    let folder = TempDir::new().unwrap();
    let (mut server, url) = crate::server::serve(text(folder.path()));
    run(&[
        "quorum",
        "start",
        "--quorum-type",
        "global",
        "--quorum-id",
        "q",
        "--voters",
        "ann",
        "--url",
        &url,
    ])
    .ok();
    run(&["quorum", "vote", "q", "--voter-id", "ann", "--vote", "true", "--url", &url]).ok();
    let mut watching = quorate(&["watch", "--cursor", "0", "--event", "vote_cast", "--url", &url])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(watching.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains(" quorum q vote_cast ") && line.contains("voter_id=ann vote=true"), "{line}");
    watching.kill().unwrap();
    watching.wait().unwrap();
    let refused = run(&["watch", "--kind", "banana", "--url", &url, "--json"]);
    assert_eq!((refused.code(), &refused.json()["error"]["field"]), (2, &"kind".into()));
    signal(&server, "-TERM");
    assert!(server.wait().unwrap().success());
    assert_eq!(run(&["watch", "--url", &url]).code(), 43, "nobody is there");
    assert_eq!(run(&["watch", "--limit", "1"]).code(), 2, "a follower has no end");
}
