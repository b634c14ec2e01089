//! Whole journals in which payloads were changed and every hash repaired: what nobody but their owner could have written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use quorate::Quorate;
use quorate_core::kernel::ids::StreamId;
use quorate_journal::chain::record_hash;
use quorate_journal::codec::RECORD_VERSION;
use quorate_journal::stores::memory::MemoryStore;
use quorate_journal::{Append, ChainHash, Due, Record, Seq, Store};
use serde_json::{Map, Value, json};

use super::corpus::{call, records, still, streams};
use super::{Edit, cases, edit, edits, panics};

/// A store that holds these records, well hashed, with every stream due at once.
async fn store_of(records: &[Record]) -> MemoryStore {
    let store = MemoryStore::new();
    let epoch = store.acquire("fuzz").await.unwrap();
    let mut heads: BTreeMap<StreamId, (Seq, ChainHash)> = BTreeMap::new();
    let mut appends = Vec::new();
    for record in records {
        let (revision, hash) = heads.get(&record.stream).copied().unwrap_or_default();
        let mut bytes = vec![RECORD_VERSION];
        bytes.extend_from_slice(&(revision + 1).to_be_bytes());
        bytes.extend_from_slice(&record.at.as_micros().to_be_bytes());
        bytes.extend_from_slice(&(record.payload.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&record.payload);
        let hash = record_hash(&hash, &record.stream, &bytes);
        bytes.extend_from_slice(&hash.0);
        heads.insert(record.stream.clone(), (revision + 1, hash));
        appends.push(Append {
            stream: record.stream.clone(),
            expected: revision,
            count: 1,
            bytes,
            hash,
            due: Due::At(record.at),
            key: None,
            joined: false,
        });
    }
    let at = records.last().map(|record| record.at).unwrap_or_default();
    store.commit(epoch, at, &appends).await.unwrap();
    store
}

/// Questions about an entity, by the kind of its stream.
fn questions(stream: &StreamId) -> Vec<(&'static str, Map<String, Value>)> {
    let id = stream.id.as_str();
    let of = |name, field: &str| (name, Map::from_iter([(field.to_owned(), json!(id))]));
    vec![
        of("quorum.status", "quorum_id"),
        of("consensus.result", "proposal_id"),
        of("job.status", "job_id"),
        of("gate.status", "job_id"),
        of("capacity.status", "cell_id"),
        of("agent.health", "agent_id"),
        of("worker.status", "worker_id"),
        of("flow.status", "flow_id"),
        of("history.entity", "entity_id"),
    ]
}

async fn live(changed: &[Record]) {
    let store = Arc::new(store_of(changed).await);
    let Ok(q) = Quorate::open_with(still(), store).await else { return };
    let _ = q.advance(Duration::from_secs(1)).await;
    for name in
        ["history.query", "history.verify", "quorum.stats", "consensus.stats", "job.list", "agent.list"]
    {
        let _ = call(&q, name, Map::new()).await;
    }
    for stream in streams(1) {
        for (name, fields) in questions(&stream) {
            let _ = call(&q, name, fields).await;
        }
    }
    let _ = q.advance(Duration::from_secs(30)).await;
    q.crash().await;
}

/// The records of a few streams of each kind, some payloads changed.
fn changed(edits: &[(usize, Vec<Edit>)]) -> Vec<Record> {
    let kept = streams(2);
    let mut out: Vec<_> = records().iter().filter(|record| kept.contains(&record.stream)).cloned().collect();
    for (at, edits) in edits {
        let at = at % out.len();
        edit(&mut out[at].payload, edits);
    }
    out
}

proptest! {
    #![proptest_config(cases(24, 200))]

    #[test]
    fn journals_with_changed_payloads_open_and_answer(
        edits in prop::collection::vec((any::<usize>(), edits()), 1..4),
    ) {
        let before = panics();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let ended = runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(60), live(&changed(&edits))).await
        });
        prop_assert!(ended.is_ok(), "hangs");
        prop_assert_eq!(panics(), before, "panics");
    }
}
