//! Does a worker outside, in another language, get its work, do it, and survive what kills its neighbours?

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::server::serve;
use super::{project, quorate, run, text};

/// Is there a Python to run the worker? Says loudly when there is none.
fn has_python() -> bool {
    let found = Command::new("python3").arg("--version").output().is_ok_and(|ran| ran.status.success());
    if !found {
        eprintln!("!!! NOT RUN: the Python worker needs python3, which is not installed");
    }
    found
}

/// The worker of the examples. Killed when the test ends.
struct Worker(
    Child,
    #[expect(dead_code, reason = "a closed pipe would end its words")] BufReader<ChildStdout>,
);

impl Worker {
    /// One that is ready for work.
    fn start(url: &str, name: &str) -> Self {
        let mut child = Command::new("python3")
            .arg(project("examples/python/worker.py"))
            .args([url, name, "--beat-ms", "1000"])
            .env_remove("QUORATE_TOKEN")
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs");
        let mut line = String::new();
        let out = child.stdout.take().expect("its output");
        let mut out = BufReader::new(out);
        out.read_line(&mut line).expect("it says that it is ready");
        assert_eq!(line, format!("worker {name} takes work\n"));
        Worker(child, out)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have been killed before.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the server that is meant says to these words.
fn there(url: &str, words: &[&str]) -> Value {
    run(&[words, &["--url", url, "--json"]].concat()).ok().json()
}

/// Submits a job whose command leaves a line in a file, waits until it may go on, and prints a word.
fn submit(url: &str, folder: &Path) {
    let (began, go) = (text(folder).to_owned() + "/began", text(folder).to_owned() + "/go");
    let command = format!("echo x >> {began}; while [ ! -e {go} ]; do sleep 0.05; done; echo done");
    let payload = serde_json::json!({ "command": ["sh", "-c", command] }).to_string();
    there(url, &["job", "submit", "--job-id", "j", "--timeout-seconds", "120", "--payload", &payload]);
}

/// Waits until the command began so many times.
fn began(folder: &Path, times: usize) {
    let lines = || std::fs::read_to_string(folder.join("began")).unwrap_or_default().lines().count();
    while lines() < times {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(lines(), times);
}

fn go(folder: &Path) {
    std::fs::write(folder.join("go"), "").expect("a file can be written");
}

/// The job has ended well, once, in this attempt.
fn ended(url: &str, attempt: u64) {
    let status = there(url, &["job", "wait", "j", "--timeout-ms", "60000"]);
    assert_eq!(status["status"], "completed", "{status}");
    let told = there(url, &["history", "entity", "j", "--kind", "job"]);
    let events = told["events"].as_array().expect("events");
    let of = |name: &str| events.iter().filter(|event| event["event"] == name).collect::<Vec<_>>();
    assert_eq!(of("ended").len(), 1, "{told}");
    let moves = of("workflow_moved");
    let done: Vec<&Value> =
        moves.iter().map(|event| &event["data"]).filter(|moved| moved["to"] == "completed").collect();
    assert_eq!(done.len(), 1, "{told}");
    assert_eq!((&done[0]["attempt"], &done[0]["result"]), (&attempt.into(), &"done\n".into()), "{told}");
}

#[test]
fn a_worker_in_python_does_a_job_from_registration_to_result() {
    if !has_python() {
        return;
    }
    let (data, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (mut server, url) = serve(text(data.path()));
    let _worker = Worker::start(&url, "w1");
    submit(&url, folder.path());
    began(folder.path(), 1);
    let list = there(&url, &["worker", "list"]);
    assert_eq!(
        (&list["workers"][0]["running"], &list["workers"][0]["phase"]),
        (&1.into(), &"serving".into())
    );
    go(folder.path());
    ended(&url, 1);
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn another_worker_finishes_once_what_a_killed_one_began() {
    if !has_python() {
        return;
    }
    let (data, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (mut server, url) = serve(text(data.path()));
    let mut first = Worker::start(&url, "w1");
    submit(&url, folder.path());
    began(folder.path(), 1);
    let _second = Worker::start(&url, "w2");
    first.0.kill().unwrap();
    began(folder.path(), 2);
    go(folder.path());
    ended(&url, 2);
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn a_worker_goes_on_under_the_same_token_when_the_server_is_killed_and_comes_back() {
    if !has_python() {
        return;
    }
    let (data, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (mut server, url) = serve(text(data.path()));
    let _worker = Worker::start(&url, "w1");
    submit(&url, folder.path());
    began(folder.path(), 1);
    server.kill().unwrap();
    server.wait().unwrap();
    go(folder.path());
    let listen = url.trim_start_matches("http://");
    let mut again = quorate(&["serve", "--data", text(data.path()), "--listen", listen])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(again.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line.trim(), format!("listening on {url}"));
    ended(&url, 1);
    began(folder.path(), 1);
    again.kill().unwrap();
    again.wait().unwrap();
}
