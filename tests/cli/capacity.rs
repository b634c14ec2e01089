use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::json;
use tempfile::TempDir;

use super::{quorate, run, text};

struct Server {
    child: Child,
    url: String,
    _folder: TempDir,
}

impl Server {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let data = folder.path().join("data");
        let mut child = quorate(&["serve", "--data", text(&data), "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").expect(&line).to_owned();
        Server { child, url, _folder: folder }
    }

    fn json(&self, args: &[&str]) -> serde_json::Value {
        run(&[args, &["--url", &self.url, "--json"]].concat()).ok().json()
    }

    /// A command that waits for a grant, once it has said so.
    fn waiting(&self, need: &str) -> (Child, BufReader<std::process::ChildStderr>) {
        let ask = ["capacity", "request", "a", "--requested-capacity", "0.5", "--timeout-seconds", "600"];
        let mut child = quorate(&[&ask[..], &["--need-id", need, "--wait", "--url", &self.url]].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut told = String::new();
        errors.read_line(&mut told).unwrap();
        assert!(told.starts_with(&format!("waiting for the grant of {need}, until ")), "{told}");
        (child, errors)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn a_request_that_waits_returns_with_the_grant_and_a_signal_leaves_the_need_standing() {
    let server = Server::start();
    let all = ["capacity", "request", "a", "--requested-capacity", "1", "--need-id", "all"];
    assert_eq!(server.json(&all)["status"], "granted");
    let (child, _) = server.waiting("first");
    server.json(&["capacity", "release", "a", "--capacity", "0.5"]);
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success());
    let out = String::from_utf8(ended.stdout).unwrap();
    assert!(out.contains("granted") && out.contains("first"), "{out}");

    let (mut child, errors) = server.waiting("second");
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let told: Vec<String> = errors.lines().map(Result::unwrap).collect();
    let next =
        ["the need waits on without you", "next: quorate capacity cancel --cell-id a --need-id second"];
    assert_eq!(told, next);
    assert_eq!(server.json(&["capacity", "status", "a"])["pending_needs"], 1);
    let cancelled = server.json(&["capacity", "cancel", "--cell-id", "a", "--need-id", "second"]);
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!(server.json(&["capacity", "status", "a"])["pending_needs"], 0);
    // What need not wait says nothing.
    let ask =
        ["capacity", "request", "b", "--requested-capacity", "0.5", "--wait", "--url", &server.url, "--json"];
    let granted = run(&ask).ok();
    assert_eq!((&granted.json()["status"], granted.err()), (&json!("granted"), ""));
}

#[test]
fn a_command_that_holds_the_folder_says_that_nobody_can_give_back_meanwhile() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let at = ["--data", text(&data)];
    run(&[&["capacity", "configure", "a"], &at[..]].concat()).ok();
    // Where there can be no socket, nobody comes in while the command has the folder.
    std::fs::create_dir_all(data.join("quorate.sock/taken")).unwrap();
    let all = ["capacity", "request", "a", "--requested-capacity", "1", "--lease-seconds", "1"];
    run(&[&all[..], &at[..]].concat()).ok();
    let ask =
        ["capacity", "request", "a", "--requested-capacity", "0.5", "--timeout-seconds", "60", "--wait"];
    let waited = run(&[&ask[..], &at[..]].concat()).ok();
    assert!(waited.out().contains("granted"), "{}", waited.out());
    // The lease may have ended before the command came; if not, it was the end of the lease that helped.
    let told: Vec<&str> = waited.err().lines().collect();
    let says =
        "this command holds the folder, so no other can give back meanwhile: only a lease that ends helps";
    assert!(told.is_empty() || told.get(1) == Some(&says), "{told:?}");
}
