//! Pruned on purpose: what goes, what stays, and what everybody is told of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use quorate::{Config, EntityId, ErrorKind, HoldRecords, Quorate, ReleaseRecords, StartQuorum, Vote};
use quorate_core::kernel::ids::{StreamId, StreamKind};
use quorate_journal::chain::group_hash;
use quorate_journal::stores::backup::NewJournal;
use quorate_journal::stores::prune::Held;
use quorate_journal::stores::sled::SledStore;
use quorate_journal::stores::{Durability, StoreOptions};
use quorate_journal::{ChainHash, Pending, Record, Store};
use quorate_runtime::api::dto::{
    AskWhy, CancelJob, CountHistory, EntityHistory, HistoryQuery, HookRef, ListJobs, ListQuorums,
    LogCheckpoint, ProveConsistency, ProveRecord, ProveRecords, ShowOverview, StateAt, SubmitJob,
    VerifyHistory,
};
use quorate_runtime::api::proofs::check_proof;
use quorate_runtime::api::retention::prune::{OLDEST, PruneReport, PruneRule, prune};
use tempfile::TempDir;

fn config(folder: &Path) -> Config {
    let store_options = StoreOptions { durability: Durability::Process, ..StoreOptions::at(folder) };
    Config { store_options, ..Config::at(folder) }
}

async fn open(folder: &Path) -> Quorate {
    Quorate::open(config(folder)).await.unwrap()
}

fn id(name: &str) -> EntityId {
    EntityId::new(name).unwrap()
}

fn question(name: &str) -> StartQuorum {
    StartQuorum {
        quorum_id: Some(id(name)),
        required_votes: Some(3),
        timeout_seconds: Some(3_000.0),
        ..StartQuorum::global()
    }
    .with_voters(["ann", "bob", "cid", "dan", "eve"])
    .unwrap()
}

/// What a voter says of its vote, a dozen times: as much as a model writes.
const REASON: &str = "the tests pass, and the diff touches only what the task names; ";

/// So many decided quorums.
async fn decide(q: &Quorate, name: &str, count: usize) {
    for n in 0..count {
        let name = format!("{name}-{n}");
        q.quorums().start(question(&name)).await.unwrap();
        for voter in ["ann", "bob", "cid"] {
            let vote = Vote {
                reason: Some(REASON.repeat(12).trim_end().to_owned()),
                ..Vote::new(&id(&name), voter, true).unwrap()
            };
            q.quorums().vote(vote).await.unwrap();
        }
    }
}

async fn pruned(folder: &Path, rule: PruneRule) -> PruneReport {
    prune(folder.to_owned(), rule, false, |_, _| ()).await.unwrap()
}

fn keep_last(count: u64) -> PruneRule {
    PruneRule { keep_last: Some(count), ..PruneRule::default() }
}

fn json(value: &impl serde::Serialize) -> serde_json::Value {
    serde_json::to_value(value).unwrap()
}

fn now<T>(mut pending: Pending<'_, T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match pending.as_mut().poll(&mut context) {
        std::task::Poll::Ready(answer) => answer.unwrap(),
        std::task::Poll::Pending => panic!("the store answers when polled once"),
    }
}

/// Every record of a folder by its stream.
fn records(folder: &Path) -> BTreeMap<StreamId, Vec<Record>> {
    let store = SledStore::open(&StoreOptions::at(folder)).unwrap();
    let mut streams: BTreeMap<_, Vec<Record>> = BTreeMap::new();
    for record in now(store.scan(0, usize::MAX >> 1)) {
        streams.entry(record.stream.clone()).or_default().push(record);
    }
    streams
}

async fn verified(q: &Quorate, kept: &LogCheckpoint) -> (bool, Option<u64>) {
    let request = VerifyHistory {
        checkpoint: Some(kept.checkpoint.clone()),
        public_key: Some(kept.public_key.clone()),
        ..VerifyHistory::default()
    };
    let verified = q.history().verify_against(request, |_| ()).await.unwrap();
    assert!(verified.checkpoint.as_ref().unwrap().contained, "{verified:?}");
    (verified.ok, verified.pruned)
}

#[tokio::test(flavor = "multi_thread")]
async fn pruning_shrinks_a_folder_and_everything_said_before_holds() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("data");
    let q = open(&folder).await;
    let (mut kept, mut proofs) = (Vec::new(), Vec::new());
    for part in 0..5 {
        decide(&q, &format!("part{part}"), 480).await;
        kept.push(q.history().checkpoint().await.unwrap());
        let ask = ProveRecord { position: Some(part * 400 + 7), ..ProveRecord::default() };
        proofs.push(serde_json::to_string(&q.history().prove(ask).await.unwrap()).unwrap());
    }
    q.quorums().start(question("open")).await.unwrap();
    q.quorums().vote(Vote::new(&id("open"), "ann", true).unwrap()).await.unwrap();
    let (statistics, status) =
        (json(&q.quorums().stats().await.unwrap()), json(&q.quorums().status(&id("open")).await.unwrap()));
    q.close().await.unwrap();
    let before = records(&folder);
    let report = pruned(&folder, keep_last(240)).await;
    let after = report.bytes_after.unwrap();
    assert_eq!((report.entities, report.pruning), (5 * 480 - 240, Some(1)));
    assert!(after * 100 <= report.bytes_before * 15, "{} of {} bytes are left", after, report.bytes_before);
    println!("{} of {} bytes are left", after, report.bytes_before);

    let there = records(&folder);
    let retention = StreamId::new(StreamKind::Retention, id("retention"));
    assert_eq!(there.len(), before.len() - report.entities as usize + 1);
    for (stream, records) in there.iter().filter(|(stream, _)| **stream != retention) {
        assert_eq!(before.get(stream), Some(records), "what is kept is as it was");
    }
    let q = open(&folder).await;
    for checkpoint in &kept {
        assert_eq!(verified(&q, checkpoint).await, (true, Some(report.records)));
    }
    for proof in &proofs {
        check_proof(proof, &kept[0].public_key).unwrap();
    }
    assert_eq!(json(&q.quorums().stats().await.unwrap()), statistics, "statistics stay true");
    let status_now = json(&q.quorums().status(&id("open")).await.unwrap());
    for (name, value) in status.as_object().unwrap() {
        assert!(name == "elapsed_seconds" || status_now[name] == *value, "{name}");
    }
    // What is open goes on, and the log with it.
    for voter in ["bob", "cid"] {
        q.quorums().vote(Vote::new(&id("open"), voter, true).unwrap()).await.unwrap();
    }
    let newest = q.history().checkpoint().await.unwrap();
    assert_eq!(newest.public_key, kept[0].public_key);
    let last = there.iter().rfind(|(stream, _)| stream.kind == StreamKind::Quorum).unwrap().1[0].position;
    let ask = ProveRecord { position: Some(last), ..ProveRecord::default() };
    let proof = serde_json::to_string(&q.history().prove(ask).await.unwrap()).unwrap();
    check_proof(&proof, &newest.public_key).unwrap();
    let old = ProveConsistency { old_checkpoint: kept[1].checkpoint.clone() };
    let proof = serde_json::to_string(&q.history().prove_consistency(old).await.unwrap()).unwrap();
    check_proof(&proof, &newest.public_key).unwrap();
    let ended = json(&q.quorums().stats().await.unwrap());
    q.close().await.unwrap();
    // Counted anew from what is left, they are what they were.
    let q = Quorate::open_to_read(config(&folder)).await.unwrap();
    assert_eq!(json(&q.quorums().stats().await.unwrap()), ended);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_pruned_is_told_apart_from_what_never_was_and_never_begins_again() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("data");
    let q = open(&folder).await;
    decide(&q, "old", 3).await;
    q.jobs().submit(SubmitJob { job_id: Some(id("job")), ..SubmitJob::default() }).await.unwrap();
    let cancel: CancelJob = serde_json::from_value(serde_json::json!({"job_id": "job"})).unwrap();
    q.jobs().cancel(cancel).await.unwrap();
    q.close().await.unwrap();
    let dry = prune(folder.clone(), keep_last(0), true, |_, _| ()).await.unwrap();
    assert_eq!((dry.dry_run, dry.entities >= 4, dry.bytes_after), (true, true, None));
    let there = records(&folder).into_iter().find(|(stream, _)| stream.id.as_str() == "old-1");
    let place = there.expect("nothing went yet").1[0].position;
    let report = pruned(&folder, keep_last(0)).await;
    assert_eq!((&report.kinds, report.records), (&dry.kinds, dry.records));

    let q = open(&folder).await;
    let gone = |error: quorate::Error| {
        assert_eq!((error.kind(), error.detail("pruning")), (ErrorKind::Pruned, Some(&json(&1))), "{error}");
    };
    gone(q.quorums().status(&id("old-1")).await.unwrap_err());
    let ask = ProveRecords { positions: vec![place], ..ProveRecords::default() };
    gone(q.history().prove_records(ask).await.unwrap_err());
    gone(q.quorums().start(question("old-1")).await.unwrap_err());
    gone(q.quorums().vote(Vote::new(&id("old-1"), "ann", true).unwrap()).await.unwrap_err());
    gone(q.jobs().submit(SubmitJob { job_id: Some(id("job")), ..SubmitJob::default() }).await.unwrap_err());
    let ask = EntityHistory { entity_id: id("old-1"), kind: None, limit: None, cursor: None };
    gone(q.history().entity(ask).await.unwrap_err());
    let ask = AskWhy { entity_id: id("old-1"), kind: None, about: None };
    gone(q.history().why(ask).await.unwrap_err());
    let ask = StateAt { entity_id: id("old-1"), kind: None, seq: Some(1), position: None, at: None };
    gone(q.history().state_at(ask).await.unwrap_err());
    let ask = HistoryQuery { entity_id: Some(id("old-1")), ..HistoryQuery::default() };
    gone(q.history().query(ask).await.unwrap_err());
    let ask = ProveRecord { position: Some(1), ..ProveRecord::default() };
    gone(q.history().prove(ask).await.unwrap_err());
    let never = q.quorums().status(&id("never")).await.unwrap_err();
    assert_eq!(never.kind(), ErrorKind::NotFound);
    // Of several there is no word but of those that are left, and how many are gone.
    let page = q.history().query(HistoryQuery::default()).await.unwrap();
    let told: u64 = page.pruned.iter().map(|span| span.records).sum();
    assert_eq!(told, report.records, "{page:?}");
    assert!(page.events.iter().any(|event| event.event == "pruned"));
    let counted = q.history().count(CountHistory::default()).await.unwrap();
    assert_eq!(counted.pruned, page.pruned);
    let begin = HistoryQuery { from_position: Some(1), ..HistoryQuery::default() };
    assert_eq!(q.events(begin).await.unwrap().pruned(), page.pruned);
    assert_eq!(
        q.events(HistoryQuery::default()).await.unwrap().pruned(),
        [],
        "of what is still to come nothing is gone"
    );
    let ended = q.quorums().history(Default::default()).await.unwrap();
    assert_eq!((ended.history.len(), ended.pruned), (0, Some(3)));
    assert_eq!(q.consensus().history(Default::default()).await.unwrap().pruned, None);
    // What is gone is not held, and goes nowhere.
    let hold = |name: &str| HoldRecords {
        entity_id: Some(id(name)),
        reason: "late".into(),
        ..HoldRecords::default()
    };
    gone(q.retention().hold(hold("old-1")).await.unwrap_err());
    gone(q.retention().hold(hold("job")).await.unwrap_err());
    let unknown = q.retention().hold(hold("old-l")).await.unwrap_err();
    assert_eq!(
        (unknown.kind(), unknown.detail("field").unwrap().as_str()),
        (ErrorKind::NotFound, Some("entity_id"))
    );
    let route = serde_json::json!({ "job_id": "job" });
    gone(q.routes().job(serde_json::from_value(route).unwrap()).await.unwrap_err());
    // Lists show what is left, and do not stumble over what is not.
    q.quorums().list(ListQuorums::default()).await.unwrap();
    let ended = ListJobs { state: Some("ended".into()), ..ListJobs::default() };
    assert_eq!(q.jobs().list(ended).await.unwrap().jobs.len(), 0);
    q.jobs().list(ListJobs::default()).await.unwrap();
    q.overview().show(ShowOverview::default()).await.unwrap();
    let list = q.retention().list().await.unwrap();
    assert_eq!((list.prunings.len(), list.prunings[0].records), (1, report.records));
    q.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_is_not_pruned_and_is_named() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("data");
    let q = open(&folder).await;
    decide(&q, "old", 3).await;
    let on = |name: &str| HoldRecords {
        entity_id: Some(id(name)),
        reason: "case 7".into(),
        ..HoldRecords::default()
    };
    assert_eq!(q.retention().hold(on("old-1")).await.unwrap().duplicate, Some(false));
    assert_eq!(q.retention().hold(on("old-1")).await.unwrap().duplicate, Some(true));
    let none = HoldRecords { reason: "why".into(), ..HoldRecords::default() };
    assert_eq!(q.retention().hold(none).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    q.close().await.unwrap();
    let report = pruned(&folder, keep_last(0)).await;
    assert_eq!((report.entities, report.held_entities), (2, 1));
    assert_eq!(
        (report.held[0].entity.as_str(), report.held[0].hold.as_str()),
        ("quorum/old-1", "entity:old-1")
    );
    let q = open(&folder).await;
    q.quorums().status(&id("old-1")).await.unwrap();
    let go = ReleaseRecords { entity_id: Some(id("old-1")), ..ReleaseRecords::default() };
    assert_eq!(q.retention().release(go.clone()).await.unwrap().state, "released");
    assert_eq!(q.retention().release(go).await.unwrap_err().kind(), ErrorKind::NotFound);
    q.close().await.unwrap();
    let report = pruned(&folder, keep_last(0)).await;
    assert_eq!((report.entities, report.pruning), (1, Some(2)));
    let nothing = pruned(&folder, keep_last(0)).await;
    assert_eq!((nothing.entities, nothing.pruning, nothing.bytes_after), (0, None, None));

    // What a hook may not have posted yet stays, until the hook is removed.
    let q = open(&folder).await;
    let hook = serde_json::json!({ "hook_id": "h", "url": "https://example.com/" });
    q.hooks().register(serde_json::from_value(hook).unwrap()).await.unwrap();
    decide(&q, "new", 1).await;
    q.close().await.unwrap();
    let report = pruned(&folder, keep_last(0)).await;
    assert_eq!((report.entities, report.held[0].hold.as_str()), (0, "hook h"));
    let q = open(&folder).await;
    q.hooks().remove(HookRef { hook_id: id("h") }).await.unwrap();
    q.close().await.unwrap();
    assert_eq!(pruned(&folder, keep_last(0)).await.entities, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_that_is_open_or_young_or_can_still_be_used() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("data");
    let q = open(&folder).await;
    decide(&q, "old", 2).await;
    q.quorums().start(question("open")).await.unwrap();
    q.close().await.unwrap();
    let young = PruneRule { older_than: Some(Duration::from_secs(3_600)), ..PruneRule::default() };
    assert_eq!(pruned(&folder, young).await.entities, 0);
    let other = PruneRule { kinds: vec!["session".into()], ..PruneRule::default() };
    assert_eq!(pruned(&folder, other).await.entities, 0);
    for by in ["x".repeat(257), " ".into(), "two\nlines".into()] {
        let rule = PruneRule { by: Some(by), ..keep_last(0) };
        let refused = prune(folder.clone(), rule, true, |_, _| ()).await.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.detail("field")),
            (ErrorKind::InvalidArgument, Some(&json(&"by")))
        );
    }
    let ages = PruneRule { older_than: Some(OLDEST + Duration::from_secs(1)), ..PruneRule::default() };
    let refused = prune(folder.clone(), ages, true, |_, _| ()).await.unwrap_err();
    assert_eq!(refused.detail("field"), Some(&json(&"older-than")));
    let old = PruneRule { older_than: Some(OLDEST), ..PruneRule::default() };
    assert_eq!(prune(folder.clone(), old, true, |_, _| ()).await.unwrap().entities, 0);
    let ended = PruneRule { older_than: Some(Duration::ZERO), ..PruneRule::default() };
    let all = prune(folder.clone(), ended, true, |_, _| ()).await.unwrap();
    assert_eq!((all.entities, all.rule.as_str()), (2, "ended at least 0 s before"));
    let unknown = PruneRule { kinds: vec!["worker".into()], ..PruneRule::default() };
    let refused = prune(folder.clone(), unknown, true, |_, _| ()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
    let q = open(&folder).await;
    let locked = prune(folder.clone(), keep_last(0), true, |_, _| ()).await.unwrap_err();
    assert_eq!(locked.kind(), ErrorKind::StoreLocked);
    q.close().await.unwrap();
    assert_eq!(pruned(&folder, keep_last(0)).await.entities, 2);
    let q = open(&folder).await;
    q.quorums().vote(Vote::new(&id("open"), "ann", true).unwrap()).await.unwrap();
    q.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_is_not_the_signed_one_is_not_pruned() {
    let dir = TempDir::new().unwrap();
    let (folder, other) = (dir.path().join("data"), dir.path().join("other"));
    for folder in [&folder, &other] {
        let q = open(folder).await;
        decide(&q, "old", 2).await;
        q.history().checkpoint().await.unwrap();
        q.close().await.unwrap();
    }
    for name in ["key", "checkpoint"] {
        fs::copy(other.join("tlog").join(name), folder.join("tlog").join(name)).unwrap();
    }
    let refused = prune(folder.clone(), keep_last(0), false, |_, _| ()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::StoreCorrupt);
    assert!(records(&folder).keys().any(|stream| stream.id.as_str() == "old-1"));
}

/// The folder written anew by somebody who computes all hashes, with these groups.
fn rewritten(folder: &Path, to: &Path, change: impl Fn(usize, &mut Vec<u8>)) {
    let store = SledStore::open(&StoreOptions::at(folder)).unwrap();
    let groups = now(store.groups(0, usize::MAX));
    drop(store);
    let mut journal = NewJournal::begin(to).unwrap();
    let mut previous = ChainHash::default();
    for (n, group) in groups.iter().enumerate() {
        let mut bytes = group.to_vec();
        change(n, &mut bytes);
        let end = bytes.len() - 32;
        bytes[56..88].copy_from_slice(&previous.0);
        previous = group_hash(&bytes[..end]);
        bytes[end..].copy_from_slice(&previous.0);
        journal.add(&bytes).unwrap();
    }
    let tlog = folder.join("tlog");
    let beside = |into: &Path| {
        fs::create_dir_all(into.join("tlog")).unwrap();
        for name in ["key", "checkpoint"] {
            fs::copy(tlog.join(name), into.join("tlog").join(name)).unwrap();
        }
        Ok(())
    };
    journal.finish(1 << 30, beside).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_pruned_records_left_cannot_be_changed_nor_more_be_hidden_unseen() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("data");
    let q = open(&folder).await;
    decide(&q, "old", 6).await;
    let kept = q.history().checkpoint().await.unwrap();
    q.close().await.unwrap();
    pruned(&folder, keep_last(2)).await;
    let verify = async |folder: &Path| {
        let q = Quorate::open_to_read(config(folder)).await.unwrap();
        let request = VerifyHistory {
            checkpoint: Some(kept.checkpoint.clone()),
            public_key: Some(kept.public_key.clone()),
            ..VerifyHistory::default()
        };
        q.history().verify_against(request, |_| ()).await.unwrap()
    };
    let sound = dir.path().join("sound");
    rewritten(&folder, &sound, |_, _| ());
    assert!(verify(&sound).await.ok);
    // The first leaf stands behind the header of the first group and 17 bytes.
    for at in [88 + 17, 88 + 17 + 32 * 3 + 5] {
        let changed = dir.path().join(format!("changed-{at}"));
        rewritten(&folder, &changed, |n, bytes| {
            if n == 0 {
                bytes[at] ^= 1
            }
        });
        let found = verify(&changed).await;
        assert!(!found.ok && !found.log.unwrap().contained && !found.checkpoint.unwrap().contained);
    }
    // More is made to look as if it had been pruned, and no record says so.
    let held = Held::take(&folder).unwrap();
    let mut rewrite = held.begin(1).unwrap();
    let hidden = |stream: &StreamId| stream.id.as_str() == "old-5";
    while {
        let (done, of) = rewrite.step(&held, &hidden, &|_| [0; 32]).unwrap();
        done < of
    } {}
    let tlog = folder.join("tlog");
    let beside = |into: &Path| {
        fs::create_dir_all(into.join("tlog")).unwrap();
        fs::copy(tlog.join("key"), into.join("tlog").join("key")).unwrap();
        Ok(())
    };
    assert!(held.replace_by(rewrite, 1 << 20, beside).unwrap());
    let found = verify(&folder).await;
    assert!(!found.ok);
    assert!(found.broken.unwrap().why.contains("no pruning says"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_goes_with_its_gate_whichever_is_named() {
    for named in ["job", "gate"] {
        let dir = TempDir::new().unwrap();
        let folder = dir.path().join("data");
        let q = open(&folder).await;
        decide(&q, "stays", 1).await;
        q.jobs().submit(SubmitJob { job_id: Some(id("job")), ..SubmitJob::default() }).await.unwrap();
        let cancel: CancelJob = serde_json::from_value(serde_json::json!({"job_id": "job"})).unwrap();
        q.jobs().cancel(cancel).await.unwrap();
        q.close().await.unwrap();
        let rule = PruneRule { kinds: vec![named.into()], ..PruneRule::default() };
        let report = pruned(&folder, rule).await;
        let kinds: Vec<&str> = report.kinds.iter().map(|kind| kind.kind.as_str()).collect();
        // One that runs where it was submitted has no gate of its own.
        assert_eq!(kinds, ["job"], "{named}: {report:?}");
        assert!(report.rule.contains("job") && report.rule.contains("gate"), "{}", report.rule);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_is_held_it_is_told_how_many_are_not_named() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("data");
    let q = open(&folder).await;
    decide(&q, "old", 105).await;
    let all = HoldRecords { everything: Some(true), reason: "litigation".into(), ..HoldRecords::default() };
    q.retention().hold(all).await.unwrap();
    q.close().await.unwrap();
    let report = pruned(&folder, keep_last(0)).await;
    assert_eq!((report.held.len(), report.held_entities, report.held_unnamed), (100, 105, 5));
}
