use super::{quorate, run, text};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// A server on a free port.
pub fn serve(data: &str) -> (Child, String) {
    let mut server = quorate(&["serve", "--data", data, "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").expect(&line).to_owned();
    (server, url)
}

pub fn signal(child: &Child, name: &str) {
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
    signal(&server, "-TERM");
    assert!(server.wait().unwrap().success());
    let status = run(&["quorum", "status", "--quorum-id", id, "--data", data, "--json"]).ok().json();
    assert_eq!(status["approve_votes"], 1);
    let gone = there(&["quorum", "stats"]);
    assert_eq!((gone.code(), &gone.json()["error"]["kind"]), (43, &"no_answer".into()));
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

#[test]
fn a_server_takes_its_settings_from_a_file_and_flags_count_more() {
    let folder = TempDir::new().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("quorate.toml"));
    let every = run(&["serve", "--print-config"]).ok().out().to_owned();
    let said = |change: &str, to: &str| {
        assert!(every.contains(change), "{change}");
        std::fs::write(&file, every.replace(change, to).replace("# data = ", &format!("data = {data:?}")))
            .unwrap();
    };
    // The port of the file is taken: the flag says another.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    said("listen = \"127.0.0.1:7171\"", &format!("listen = \"{}\"", taken.local_addr().unwrap()));
    let refused = run(&["serve", "--config", text(&file), "--json"]);
    assert_eq!((refused.code(), &refused.json()["error"]["field"]), (2, &"listen".into()));
    said("strict_cells = false", "strict_cells = true");
    let mut server = quorate(&["serve", "--config", text(&file), "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    let ran = run(&["capacity", "request", "nobody", "--data", text(&data), "--json"]);
    assert_eq!((ran.code(), &ran.json()["error"]["kind"]), (3, &"not_found".into()));
    signal(&server, "-TERM");
    assert!(server.wait().unwrap().success());
    for (change, to, field) in [
        ("strict_cells = false", "strict_cell = true", "runtime.capacity.strict_cell"),
        ("max_waits = 4096", "max_waits = 0", "max_waits"),
        ("group_bytes = 4194304", "group_bytes = 1", "group_bytes"),
    ] {
        said(change, to);
        let ran = run(&["serve", "--config", text(&file), "--listen", "127.0.0.1:0", "--json"]);
        let error = &ran.json()["error"];
        assert_eq!(ran.code(), 2, "{error}");
        assert!(error.to_string().contains(field), "{error}");
    }
    // A value of another type is told as every other error is: by its name, itself, and what it must be.
    said("max_waits = 4096", "max_waits = \"many\"");
    let error = run(&["serve", "--config", text(&file), "--json"]).json()["error"].clone();
    assert_eq!(
        (&error["field"], &error["value"], &error["expected"]),
        (&"http.max_waits".into(), &"many".into(), &"a whole number, at least 0".into()),
        "{error}"
    );
    let missing = run(&["serve", "--config", "/nowhere.toml", "--json"]);
    assert_eq!((missing.code(), &missing.json()["error"]["field"]), (2, &"config".into()));
}

#[test]
fn an_address_that_others_reach_is_refused_before_the_folder_is_touched_and_says_what_to_do() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let ran = run(&["serve", "--data", text(&data), "--listen", listen]);
        assert_eq!(ran.code(), 2);
        assert!(ran.err().contains("--insecure") && ran.err().contains("127.0.0.1:7171"), "{}", ran.err());
    }
    assert!(!data.exists());
}

#[test]
fn a_port_that_is_taken_is_told_before_the_folder_is_touched() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let ran = run(&["serve", "--data", text(&data), "--listen", &listen, "--json"]);
    assert_eq!((ran.code(), &ran.json()["error"]["field"]), (2, &"listen".into()));
    assert!(!data.exists());
}

/// A request of which the answer is read later.
fn ask(url: &str, head: &str, body: &str) -> TcpStream {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(stream, "{head} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
    stream
}

fn answer(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn who_waits_while_the_server_is_told_to_stop_is_answered() {
    let folder = TempDir::new().unwrap();
    let (mut server, url) = serve(text(folder.path()));
    run(&["quorum", "start", "--quorum-type", "global", "--quorum-id", "q", "--url", &url]).ok();
    let waiting = ask(&url, "GET /api/v1/quorum/q/wait?timeout_ms=300000", "");
    let opening = ask(&url, "POST /api/v1/consensus/request", r#"{"proposal":{"x":1},"timeout_ms":300000}"#);
    // A body that never comes is answered, and holds nobody up.
    let mut unfinished = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    let head = "POST /api/v1/quorum/q/vote HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{\"vo";
    unfinished.write_all(head.as_bytes()).unwrap();
    // Both are under way when a later request on another connection sees the proposal, or has seen no agents.
    while run(&["quorum", "stats", "--url", &url, "--json"]).ok().json()["active_quorums"] != 1 {}
    std::thread::sleep(Duration::from_millis(300));
    signal(&server, "-TERM");
    let told = answer(waiting);
    assert!(told.starts_with("HTTP/1.1 503 ") && told.contains("outcome_unknown"), "{told}");
    assert!(answer(opening).starts_with("HTTP/1.1 "));
    let told = answer(unfinished);
    assert!(told.starts_with("HTTP/1.1 503 ") && told.contains("the server stops"), "{told}");
    assert!(server.wait().unwrap().success());
}

#[test]
fn a_server_that_was_stopped_for_a_while_gives_up_nobody_whose_beats_wait_in_its_sockets() {
    let folder = TempDir::new().unwrap();
    let (mut server, url) = serve(text(folder.path()));
    let agents = ["ann", "bob", "eve"];
    for agent in agents {
        // Failed after six seconds of silence.
        let register = ["agent", "register", "--agent-id", agent, "--interval-ms", "2000"];
        run(&[&register[..], &["--check-period-ms", "100", "--url", &url]].concat()).ok();
    }
    signal(&server, "-STOP");
    std::thread::sleep(Duration::from_secs(7));
    let beats = agents.map(|agent| ask(&url, &format!("POST /api/v1/agent/{agent}/beat"), "{}"));
    signal(&server, "-CONT");
    for agent in agents {
        let health = run(&["agent", "health", "--agent-id", agent, "--url", &url, "--json"]).ok();
        assert!(!health.out().contains("\"failed\""), "{}", health.out());
    }
    let page = ask(&url, "GET /healthz", "");
    let changes = run(&["history", "query", "--kind", "agent", "--url", &url, "--json"]).ok();
    assert!(!changes.out().contains("\"failed\""), "{}", changes.out());
    signal(&server, "-TERM");
    for beat in beats.map(answer) {
        assert!(beat.starts_with("HTTP/1.1 200 "), "{beat}");
    }
    let page = answer(page);
    assert!(!page.contains("\"process_gaps\":0") && page.contains("\"status\":\"ok\""), "{page}");
    assert!(server.wait().unwrap().success());
}

#[test]
fn what_is_logged_to_a_file_has_no_colours() {
    let folder = TempDir::new().unwrap();
    let start = ["quorum", "start", "--quorum-type", "global", "--data", text(folder.path())];
    let logged = quorate(&start).env("QUORATE_LOG", "info").output().unwrap().stderr;
    let logged = String::from_utf8(logged).unwrap();
    assert!(logged.contains("recovered") && !logged.contains('\u{1b}'), "{logged}");
}

/// A request that may have been carried out is told apart from one that was not, and from a read.
#[test]
fn an_answer_that_is_lost_leaves_the_outcome_unknown_and_a_server_that_is_not_there_does_not() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // The request is read, and its answer is lost.
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 65_536]);
        }
    });
    let there = |args: &[&str]| run(&[args, &["--url", &url, "--json"]].concat());
    let kind = |ran: &super::Ran| ran.json()["error"]["kind"].clone();
    let lost = there(&["quorum", "start", "--quorum-type", "global"]);
    assert_eq!((lost.code(), kind(&lost)), (9, "outcome_unknown".into()));
    let read = there(&["quorum", "stats"]);
    assert_eq!((read.code(), kind(&read)), (43, "no_answer".into()));
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = format!("http://{free}");
    let gone = run(&["quorum", "start", "--quorum-type", "global", "--url", &nobody, "--json"]);
    assert_eq!((gone.code(), kind(&gone)), (43, "no_answer".into()));
}

#[test]
fn a_vote_without_a_word_is_no_vote() {
    let folder = TempDir::new().unwrap();
    let data = text(folder.path());
    run(&["quorum", "start", "--quorum-type", "global", "--quorum-id", "q", "--data", data]).ok();
    let unsaid = run(&["quorum", "vote", "q", "--voter-id", "a", "--vote", "--data", data]);
    assert_eq!(unsaid.code(), 2, "{}", unsaid.err());
    let status = run(&["quorum", "status", "q", "--data", data, "--json"]).ok().json();
    assert_eq!(status["total_votes"], 0);
}
