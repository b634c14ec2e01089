//! Who calls, as a stranger at the command line meets it.

use std::io::Write;

use tempfile::TempDir;

use super::server::{serve, signal};
use super::{quorate, run, text};

fn exit(kind: &str) -> i32 {
    quorate_runtime::error::KINDS.iter().find(|entry| entry.name == kind).unwrap().exit.into()
}

#[test]
fn a_server_asks_who_calls_from_the_first_identity_on_also_after_a_kill() {
    let folder = TempDir::new().unwrap();
    let data = text(folder.path());
    // The owner of the folder makes the first one, before there is a server.
    let made =
        run(&["identity", "create", "--name", "root", "--scopes", "admin", "--data", data, "--json"]).ok();
    let root = made.json()["token"].as_str().unwrap().to_owned();
    let (mut server, url) = serve(data);
    let there = |token: Option<&str>, args: &[&str]| {
        let mut command = quorate(&[args, &["--url", &url, "--json"]].concat());
        match token {
            Some(token) => command.env("QUORATE_TOKEN", token),
            None => command.env_remove("QUORATE_TOKEN"),
        };
        super::Ran(command.output().unwrap())
    };
    let kind =
        |ran: &super::Ran| (ran.code(), ran.json()["error"]["kind"].as_str().unwrap_or_default().to_owned());
    let stats = ["quorum", "stats"];
    assert_eq!(kind(&there(None, &stats)), (exit("not_authenticated"), "not_authenticated".into()));
    there(Some(&root), &stats).ok();
    let create = [
        "identity",
        "create",
        "--name",
        "ann",
        "--scopes",
        "quorum.vote,quorum.start",
        "--acts-as",
        "voter:ann",
    ];
    let ann = there(Some(&root), &create).ok().json()["token"].as_str().unwrap().to_owned();
    let start = ["quorum", "start", "--quorum-type", "global", "--quorum-id", "q", "--voters", "ann,bob"];
    there(Some(&ann), &start).ok();
    let vote = |voter: &'static str| ["quorum", "vote", "q", "--voter-id", voter, "--vote", "true"];
    there(Some(&ann), &vote("ann")).ok();
    assert_eq!(kind(&there(Some(&ann), &vote("bob"))), (exit("not_authorized"), "not_authorized".into()));
    assert_eq!(kind(&there(Some(&ann), &stats)), (exit("not_authorized"), "not_authorized".into()));
    assert_ne!(exit("not_authenticated"), exit("not_authorized"));

    server.kill().unwrap();
    server.wait().unwrap();
    let (mut server, url) = serve(data);
    // A file, with the line break an editor leaves; and the flag, which wins over the environment.
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "{ann}").unwrap();
    let from_file = ["--url", &url, "--json", "--token-file", text(file.path())];
    run(&[&vote("ann")[..], &from_file].concat()).ok();
    let mut command = quorate(&[&stats[..], &["--url", &url, "--token", &root, "--json"]].concat());
    assert!(command.env("QUORATE_TOKEN", "nonsense").status().unwrap().success());
    let nobody = run(&[&stats[..], &["--url", &url, "--json"]].concat());
    assert_eq!(kind(&nobody), (exit("not_authenticated"), "not_authenticated".into()));
    let lost = run(&["watch", "--url", &url, "--token", &ann, "--json"]);
    assert_eq!(lost.code(), exit("not_authorized"), "who may not read does not follow");
    for odd in [&["--token", "a b"][..], &["--token-file", "/no/such/file"]] {
        assert_eq!(run(&[&stats[..], &["--url", &url], odd].concat()).code(), 2);
    }
    assert_eq!(run(&[&stats[..], &["--data", data, "--token", &root]].concat()).code(), 2);
    signal(&server, "-TERM");
    assert!(server.wait().unwrap().success());

    // The owner of the folder needs no token, and finds who did what.
    let page = run(&["history", "query", "--identity", "ann", "--data", data, "--json"]).ok().json();
    let events: Vec<&str> =
        page["events"].as_array().unwrap().iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["opened", "vote_cast", "refused"]);
    assert_eq!(run(&["history", "verify", "--data", data, "--json"]).ok().json()["ok"], true);
    // No token is anywhere in the folder.
    let mut stack = vec![folder.path().to_owned()];
    while let Some(path) = stack.pop() {
        if path.is_dir() {
            stack.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            let holds = |needle: &str| bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
            assert!(!holds(&root) && !holds(&ann["quorate_".len()..]), "{}", path.display());
        }
    }
}
