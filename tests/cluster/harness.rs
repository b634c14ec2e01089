//! Nodes as processes: started, asked through the socket in their folder, stopped and killed.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quorate_core::kernel::rng::Rng;
use quorate_node::KeyRing;
use quorate_runtime::api::dto::{MemberList, MemberMetrics, MemberValidation};
use quorate_runtime::shell::clock::Stopwatch;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tempfile::TempDir;

/// Only a fault takes longer, also on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(300);
const LOOK_EVERY: Duration = Duration::from_millis(200);
static COUNTER: AtomicU64 = AtomicU64::new(0);

pub struct Process {
    pub name: String,
    pub role: &'static str,
    datacenter: String,
    pub data: PathBuf,
    pub key: PathBuf,
    pub address: Option<SocketAddr>,
    pub advertise: Option<SocketAddr>,
    child: Option<Child>,
}

impl Process {
    pub fn is_running(&self) -> bool {
        self.child.is_some()
    }

    fn coordinates(&self) -> bool {
        self.role != "worker"
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.data.with_extension("log")).unwrap_or_default()
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

    /// SIGTERM, and how it ended.
    pub fn stop(&mut self) -> bool {
        self.signal("-TERM");
        self.child.take().expect("it runs").wait().unwrap().success()
    }

    fn ask<T: DeserializeOwned>(&self, path: &str, key: Option<&str>) -> Option<T> {
        let mut stream = quorate_runtime::owner::connect(&self.data).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
        let request = format!("GET /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let body = answer.split_once("\r\n\r\n")?.1;
        let mut value: Value = serde_json::from_str(body).ok()?;
        if let Some(key) = key {
            value = value.get_mut(key)?.take();
        }
        serde_json::from_value(value).ok()
    }

    /// The answer to a request, with its status; none where nobody answers.
    pub fn call(&self, method: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
        call(&self.data, method, path, body)
    }

    /// The events of one entity, in order.
    pub fn events(&self, kind: &str, id: &str) -> Vec<Value> {
        let path = format!("/history/entity/{id}?kind={kind}&limit=1000");
        wait_for("the record is shown", || match self.call("GET", &path, &Value::Null)? {
            (200, log) => Some(log["events"].as_array()?.clone()),
            (404, _) => Some(Vec::new()),
            _ => None,
        })
    }

    pub fn list(&self) -> Option<MemberList> {
        self.ask("/members", None)
    }

    pub fn metrics(&self) -> MemberMetrics {
        wait_for(&format!("{} tells its metrics", self.name), || {
            self.ask("/members/metrics", Some("metrics"))
        })
    }

    pub fn validation(&self) -> MemberValidation {
        wait_for(&format!("{} checks itself", self.name), || self.ask("/members/validate", Some("report")))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

pub struct Cluster {
    pub folder: TempDir,
    pub nodes: Vec<Process>,
    pub keys: PathBuf,
}

impl Cluster {
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let keys = folder.path().join("keys");
        KeyRing::create(&keys).unwrap();
        Cluster { folder, nodes: Vec::new(), keys }
    }

    /// A node that is not started yet, with a key file of its own that is a copy of the cluster's.
    pub fn add(&mut self, name: &str, role: &'static str, datacenter: &str) -> usize {
        let data = self.folder.path().join(name);
        let key = data.with_extension("keys");
        std::fs::copy(&self.keys, &key).unwrap();
        self.nodes.push(Process {
            name: name.to_owned(),
            role,
            datacenter: datacenter.to_owned(),
            data,
            key,
            address: None,
            advertise: None,
            child: None,
        });
        self.nodes.len() - 1
    }

    /// Starts a node; on its old address if it ran before.
    pub fn start(&mut self, at: usize) {
        let seeds: Vec<String> = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(other, node)| *other != at && node.is_running())
            .filter_map(|(_, node)| Some(node.advertise.or(node.address)?.to_string()))
            .take(3)
            .collect();
        let node = &mut self.nodes[at];
        let listen = node.address.unwrap_or_else(free_address).to_string();
        let log = OpenOptions::new().create(true).append(true).open(node.data.with_extension("log")).unwrap();
        let mut command = program();
        command
            .args(["node", "--role", node.role, "--datacenter", &node.datacenter, "--name", &node.name])
            .args(["--listen", &listen, "--probe-period-ms", "300"])
            .args([Path::new("--data"), &node.data, Path::new("--key"), &node.key]);
        for seed in &seeds {
            command.args(["--join", seed]);
        }
        if let Some(advertise) = node.advertise {
            command.args(["--advertise", &advertise.to_string()]);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        node.child = Some(child);
        let address = line.trim().rsplit(' ').next().and_then(|address| address.parse().ok());
        node.address = Some(address.unwrap_or_else(|| panic!("{line}\n{}", node.log())));
    }

    pub fn find(&self, name: &str) -> usize {
        self.nodes.iter().position(|node| node.name == name).expect(name)
    }

    /// Waits until every node that runs, but for these, sees each other one as it is. Workers need not know each other.
    pub fn agree(&self, silent: &[usize], what: &str) {
        let mut last = Vec::new();
        let is_up = |at: usize| self.nodes[at].is_running() && !silent.contains(&at);
        let since = Stopwatch::start();
        while since.elapsed() < PATIENCE {
            last =
                (0..self.nodes.len()).filter(|at| is_up(*at)).flat_map(|at| self.wrong(at, &is_up)).collect();
            if last.is_empty() {
                return;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        let logs: String =
            self.nodes.iter().map(|node| format!("── {}\n{}", node.name, node.log())).collect();
        panic!("{what}: they do not agree\n{last:#?}\n{logs}");
    }

    fn wrong(&self, at: usize, is_up: &impl Fn(usize) -> bool) -> Vec<String> {
        let viewer = &self.nodes[at];
        let Some(list) = viewer.list() else { return vec![format!("{} does not answer", viewer.name)] };
        let mut wrong = Vec::new();
        for (other, node) in self.nodes.iter().enumerate().filter(|(other, _)| *other != at) {
            let seen = list.members.iter().find(|member| member.node_id == node.name);
            let state = seen.map_or("absent", |member| member.state.as_str());
            let both_work = !viewer.coordinates() && !node.coordinates();
            let fits = if is_up(other) {
                state == "OK" || both_work
            } else {
                // Of whom it never heard a worker learns nothing new, and forgets the name after minutes.
                let never_met = both_work && state == "UNCONFIRMED";
                node.address.is_none() || never_met || matches!(state, "DEAD" | "absent")
            };
            if !fits {
                wrong.push(format!("{} sees {} {state}", viewer.name, node.name));
            }
        }
        wrong
    }

    /// What must hold of every node at any time.
    pub fn check(&self, silent: &[usize]) {
        for (at, node) in self.nodes.iter().enumerate() {
            if !node.is_running() || silent.contains(&at) {
                continue;
            }
            let report = node.validation();
            assert!(report.overall_valid, "{}: {:?}", node.name, report.errors);
            let metrics = node.metrics();
            for to in ["SUSPECT", "DEAD"] {
                let suspected = format!("UNCONFIRMED->{to}");
                assert!(!metrics.transitions.contains_key(&suspected), "{}: {suspected}", node.name);
            }
            assert_eq!(metrics.counts["worker_confirmations"], 0, "{}", node.name);
            assert!(!metrics.confirmation_attempts.contains_key("worker"), "{}", node.name);
            assert_eq!(metrics.counts["restarts"], 0, "{}", node.name);
        }
    }
}

/// An address below the ports that the system gives to those who call: nobody takes it while the node is down.
fn free_address() -> SocketAddr {
    let mut rng = Rng::new(u64::from(std::process::id()) << 20 | COUNTER.fetch_add(1, Ordering::Relaxed));
    loop {
        let port = 15_000 + u16::try_from(rng.next_u64() % 15_000).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}

/// Asks the server of a data folder.
pub fn call(data: &Path, method: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
    let mut stream = quorate_runtime::owner::connect(data).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let request = format!(
        "{method} /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{text}",
        text.len()
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).ok()?))
}

pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    command
        .env_remove("QUORATE_LOG")
        .env_remove("QUORATE_URL")
        .env_remove("QUORATE_DATA")
        .env("COLUMNS", "100");
    command
}

/// Waits for an answer.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let since = Stopwatch::start();
    while since.elapsed() < PATIENCE {
        if let Some(seen) = look() {
            return seen;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    panic!("waited in vain: {what}");
}

/// Writes the text of one key file over another, in one step.
pub fn give(from: &Path, to: &Path) {
    KeyRing::read(from).unwrap().write(to).unwrap();
}

pub fn exists(path: &Path) -> bool {
    File::open(path).is_ok()
}
