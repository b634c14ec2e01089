//! Processes that serve one sharded journal, each at an address that it keeps.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use quorate_runtime::shell::clock::Stopwatch;
use serde_json::Value;
use tempfile::TempDir;

use super::postgres::Server;

/// The lease of processes and journals.
pub const LEASE: Duration = Duration::from_millis(1_000);
/// Only a fault takes longer, also on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(120);

pub fn quorate(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    command.args(args).env_remove("QUORATE_DATA").env_remove("QUORATE_URL").output().unwrap()
}

/// What a command says with `--json`.
pub fn said(args: &[&str]) -> Value {
    let output = quorate(&[args, &["--json"]].concat());
    let told = || [&output.stdout[..], &output.stderr[..]].concat();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&told()));
    serde_json::from_slice(&output.stdout).unwrap()
}

pub fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let since = Stopwatch::start();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(since.elapsed() < PATIENCE, "{what}: not within {} s", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub struct Process {
    pub address: SocketAddr,
    child: Option<Child>,
    log: PathBuf,
}

impl Process {
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.as_ref().expect("it runs").id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Dead or not, it is waited for.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// A question that is on its way, whether or not anybody reads it.
    pub fn ask(&self, path: &str) -> TcpStream {
        self.ask_as(path, "")
    }

    fn ask_as(&self, path: &str, token: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let known =
            if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{known}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    /// Status and body, sent nowhere else.
    pub fn get(&self, path: &str) -> (u16, Value) {
        answer(self.ask(path))
    }
}

/// The status of an answer and its body.
pub fn answer(mut stream: TcpStream) -> (u16, Value) {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let status =
        text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{text}"));
    let body = text.split_once("\r\n\r\n").unwrap().1;
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

pub struct Fleet {
    pub store: String,
    pub processes: Vec<Process>,
    folder: TempDir,
}

impl Fleet {
    /// So many processes on a fresh journal of so many shards; returns when each shard is owned.
    pub fn start(server: &Server, shards: u16, processes: usize) -> Self {
        let store = server.fresh();
        said(&["shards", "init", "--store", &store, "--shards", &shards.to_string()]);
        let folder = TempDir::new().unwrap();
        let settings = format!("[runtime.store_options]\nlease_ms = {}\n", LEASE.as_millis());
        std::fs::write(folder.path().join("settings.toml"), settings).unwrap();
        let process = |n: usize| {
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            Process { address, child: None, log: folder.path().join(format!("{n}.log")) }
        };
        let processes = (0..processes).map(process).collect();
        let mut fleet = Fleet { store, processes, folder };
        for at in 0..fleet.processes.len() {
            fleet.go(at);
        }
        fleet.shared_out();
        fleet
    }

    /// Waits until each process has its fair share and answers for it.
    pub fn shared_out(&self) {
        let least = self.shards().len() / self.processes.len();
        until("the shards are shared out", || {
            self.all_owned();
            let shards = self.shards();
            let has = |process: &Process| {
                let url = process.url();
                shards.iter().filter(|shard| shard["door"] == url.as_str()).count()
            };
            self.processes.iter().all(|process| has(process) >= least).then_some(())
        });
    }

    /// Starts a process, on its old address if it ran before.
    pub fn go(&mut self, at: usize) {
        let settings = self.folder.path().join("settings.toml");
        let process = &mut self.processes[at];
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&process.log).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
        command
            .args(["serve", "--store", &self.store, "--listen", &process.address.to_string()])
            .args([Path::new("--config"), &settings])
            .env("QUORATE_LOG", "info");
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        process.child = Some(child);
        assert!(line.contains("listening"), "{line}{}", self.logs());
    }

    /// SIGTERM to all, and each ends well.
    pub fn stop(&mut self) {
        for process in &self.processes {
            process.signal("-TERM");
        }
        for process in &mut self.processes {
            assert!(process.child.take().unwrap().wait().unwrap().success());
        }
    }

    pub fn shards(&self) -> Vec<Value> {
        said(&["shards", "list", "--store", &self.store])["shards"].as_array().unwrap().clone()
    }

    /// Waits until each shard is owned by a process that answers for it.
    pub fn all_owned(&self) {
        self.all_owned_as("");
    }

    /// The same, asked by the identity of this token.
    pub fn all_owned_as(&self, token: &str) {
        until("every shard is owned", || {
            let shards = self.shards();
            let answers = |(n, shard): (usize, &Value)| {
                let door = shard["door"].as_str()?;
                let process = self.processes.iter().find(|process| process.url() == door)?;
                let path = format!("/api/v1/quorum/stats?shard={n}");
                (answer(process.ask_as(&path, token)).0 == 200).then_some(())
            };
            shards.iter().enumerate().all(|shard| answers(shard).is_some()).then_some(())
        });
    }

    /// The process that has this shard.
    pub fn owner(&self, shard: u16) -> usize {
        until("a process has it", || {
            let shards = self.shards();
            let door = shards[usize::from(shard)]["door"].as_str()?;
            self.processes.iter().position(|process| process.url() == door)
        })
    }

    pub fn logs(&self) -> String {
        self.processes
            .iter()
            .map(|process| std::fs::read_to_string(&process.log).unwrap_or_default())
            .collect()
    }
}
