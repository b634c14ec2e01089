//! What is changed: the journal that all scenarios together leave behind.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use quorate::{ErrorKind, Quorate};
use quorate_core::kernel::ids::{EntityId, NodeId, StreamId, StreamKind};
use quorate_core::kernel::time::Timestamp;
use quorate_core::network::member::record::{Change, Notebook, Noted, Standing};
use quorate_core::network::member::{MemberState, NodeRole};
use quorate_journal::stores::memory::MemoryStore;
use quorate_journal::{Record, Store};
use quorate_runtime::api::dto::{MemberList, MemberMetrics, MemberValidation};
use quorate_runtime::api::member::{MemberSource, Own, Seen};
use quorate_runtime::api::ops;
use quorate_runtime::config::{ClockConfig, Config};
use serde_json::{Map, Value};

/// When the journal ends.
pub const LATER: i64 = 400_000_000_000;

/// Settings under which time stands.
pub fn still() -> Config {
    Config { clock: ClockConfig::Manual(Timestamp::from_micros(LATER)), seed: Some(1), ..Config::memory() }
}

/// Runs an operation as far as it comes without time passing.
pub async fn call(q: &Quorate, name: &str, fields: Map<String, Value>) -> Result<Value, ErrorKind> {
    let Ok(op) = ops::find(name) else { return Err(ErrorKind::UnknownOperation) };
    match tokio::time::timeout(Duration::from_millis(200), op.call(q.clone(), fields)).await {
        Ok(answer) => answer.map_err(|e| e.kind()),
        // It waits for something that will not happen here.
        Err(_) => Ok(Value::Null),
    }
}

/// Every line of every scenario, as operation and fields.
fn lines() -> Vec<(String, Map<String, Value>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|item| item.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ext| ext == "jsonl"));
    files.sort();
    let mut out = Vec::new();
    for file in files {
        for line in fs::read_to_string(file).unwrap().lines() {
            let Ok(Value::Object(mut fields)) = serde_json::from_str(line) else { continue };
            if let Some(Value::String(op)) = fields.remove("op") {
                out.push((op, fields));
            }
        }
    }
    assert!(out.len() > 100, "the scenarios are where they were");
    out
}

/// A node to which something happened. Nobody asks it for more than its record.
struct Node(Arc<Mutex<Notebook>>);

impl Node {
    fn new(at: Timestamp) -> Self {
        let mut notebook = Notebook::new(NodeId::new("here").unwrap());
        let standing =
            Standing { state: Some(MemberState::Alive), incarnation: 300, role: Some(NodeRole::Manager) };
        for (id, change) in [
            ("there", Change::Discovered { said_by: None }),
            ("there", Change::RoleLearned { role: NodeRole::Manager }),
            ("elsewhere", Change::Confirmed),
        ] {
            notebook.note(&NodeId::new(id).unwrap(), Noted { change, at }, &standing);
        }
        Node(Arc::new(Mutex::new(notebook)))
    }
}

impl MemberSource for Node {
    fn list(&self) -> MemberList {
        unreachable!("nobody asks")
    }

    fn metrics(&self) -> MemberMetrics {
        unreachable!("nobody asks")
    }

    fn validate(&self) -> MemberValidation {
        unreachable!("nobody asks")
    }

    fn notebook(&self) -> Arc<Mutex<Notebook>> {
        self.0.clone()
    }

    fn own(&self) -> Own {
        let id = |name| EntityId::new(name).unwrap();
        Own { node: id("here"), role: NodeRole::Gate, datacenter: id("paris") }
    }

    fn seen(&self) -> Vec<Seen> {
        Vec::new()
    }
}

async fn write() -> Vec<Record> {
    let store = Arc::new(MemoryStore::new());
    let start = Timestamp::from_micros(1_000_000);
    let config = Config { clock: ClockConfig::Manual(start), ..still() };
    let q = Quorate::open_with(config, store.clone()).await.unwrap();
    for (op, fields) in lines() {
        if op == "clock.advance" {
            let ms = fields.get("ms").and_then(Value::as_u64).unwrap_or(0).min(10_000);
            q.advance(Duration::from_millis(ms)).await.unwrap();
        } else {
            let _ = call(&q, &op, fields).await;
        }
    }
    let node = Arc::new(Node::new(Timestamp::from_micros(LATER)));
    assert!(q.members().attach(node));
    q.members().record().await.unwrap();
    q.close().await.unwrap();
    store.reopen().scan(0, usize::MAX).await.unwrap()
}

/// Every record of the journal, in order.
pub fn records() -> &'static [Record] {
    static RECORDS: OnceLock<Vec<Record>> = OnceLock::new();
    RECORDS.get_or_init(|| {
        std::thread::spawn(|| tokio::runtime::Runtime::new().unwrap().block_on(write())).join().unwrap()
    })
}

/// The payloads of each kind of stream.
pub fn payloads() -> BTreeMap<u8, (StreamKind, Vec<&'static [u8]>)> {
    let mut out: BTreeMap<u8, (StreamKind, Vec<&[u8]>)> = BTreeMap::new();
    for record in records() {
        let kind = record.stream.kind;
        out.entry(kind.code()).or_insert_with(|| (kind, Vec::new())).1.push(&record.payload);
    }
    out
}

/// The first `most` streams of each kind.
pub fn streams(most: usize) -> Vec<StreamId> {
    let mut out: Vec<StreamId> = Vec::new();
    for record in records() {
        let of_kind = out.iter().filter(|stream| stream.kind == record.stream.kind).count();
        if of_kind < most && !out.contains(&record.stream) {
            out.push(record.stream.clone());
        }
    }
    out
}
