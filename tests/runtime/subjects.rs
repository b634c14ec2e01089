//! Personal data is sealed before it is recorded, and shredded by destroying its key.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use quorate::{
    Choice, Config, ConsensusRef, ConsensusVote, EntityId, ErrorKind, HoldRecords, OpenSession, Quorate,
    RegisterAgent, RegisterVoter, ReleaseRecords, RequestConsensus, SessionRef, ShredSubject, StartQuorum,
    SubjectRef, SubjectView, SubmitJob, Vote,
};
use quorate_core::kernel::rng::Rng;
use quorate_journal::stores::{Durability, StoreOptions};
use quorate_runtime::api::dto::{
    AskInbox, AskWhy, EntityHistory, HistoryQuery, ListSubjects, ProveRecord, RegisterWorker, ShowOverview,
    StateAt, TakeWork, VerifyHistory, WorkerReport,
};
use quorate_runtime::api::proofs::check_proof;
use quorate_runtime::api::retention::prune::{PruneRule, prune};
use serde_json::{Value, json};
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

fn of(name: &str) -> Option<EntityId> {
    Some(id(name))
}

async fn shred(q: &Quorate, name: &str) -> Result<SubjectView, quorate::Error> {
    q.subjects().shred(ShredSubject { data_subject: id(name), reason: "art. 17".into() }).await
}

/// Every file of a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for item in fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found
}

/// The files of a folder in which eight bytes in a row of one of these texts stand.
fn files_with(folder: &Path, texts: &[String]) -> Vec<PathBuf> {
    let windows: HashSet<&[u8]> = texts.iter().flat_map(|text| text.as_bytes().windows(8)).collect();
    let mut begins = vec![false; 1 << 16];
    windows.iter().for_each(|window| begins[usize::from(window[0]) << 8 | usize::from(window[1])] = true);
    let holds = |path: &PathBuf| {
        let bytes = fs::read(path).unwrap();
        let mut places = bytes.windows(8);
        places.any(|at| begins[usize::from(at[0]) << 8 | usize::from(at[1])] && windows.contains(at))
    };
    files(folder).into_iter().filter(holds).collect()
}

fn keys(folder: &Path) -> Vec<PathBuf> {
    let keys = folder.join("subjects");
    if keys.exists() { files(&keys) } else { Vec::new() }
}

/// A text that nothing else holds.
fn secret(rng: &mut Rng) -> String {
    (0..24).map(|_| char::from(b"ZXQWVKJY"[(rng.next_u64() % 8) as usize])).collect()
}

async fn people(q: &Quorate) {
    for agent in ["ann", "bob", "cid"] {
        q.agents().register(RegisterAgent::new(agent).unwrap()).await.unwrap();
        q.voters().register(RegisterVoter::new(agent).unwrap()).await.unwrap();
    }
}

/// What was written of a data subject: entities, and texts that must not be found.
#[derive(Default)]
struct Written {
    proposals: Vec<EntityId>,
    texts: Vec<String>,
}

/// Writes personal data in one of the places that take it.
async fn write(q: &Quorate, rng: &mut Rng, name: &str, n: usize, written: &mut Written) {
    let text = secret(rng);
    written.texts.push(text.clone());
    let entity = id(&format!("{name}-{n}"));
    match rng.next_u64() % 5 {
        0 => {
            let request = RequestConsensus {
                wait: Some(false),
                proposal_id: Some(entity.clone()),
                data_subject: of(name),
                idempotency_key: Some(format!("key {entity}").parse().unwrap()),
                ..RequestConsensus::new(json!({ "pay": text, "eur": 7 }))
            };
            let first = q.consensus().request(request.clone()).await.unwrap();
            assert_eq!(first.proposal, json!({ "pay": text, "eur": 7 }));
            let again = q.consensus().request(request).await.unwrap();
            assert_eq!(again.duplicate, Some(true));
            written.proposals.push(entity);
        }
        1 => {
            let request = RequestConsensus {
                wait: Some(false),
                proposal_id: Some(entity.clone()),
                ..RequestConsensus::new(json!("whom?"))
            }
            .answered_by(json!({ "type": "string" }));
            q.consensus().request(request).await.unwrap();
            let mut metadata = serde_json::Map::new();
            metadata.insert("of".into(), text.clone().into());
            let vote = ConsensusVote {
                metadata: Some(metadata),
                value: Some(text.clone().into()),
                reason: Some(format!("because {text}")),
                data_subject: of(name),
                ..ConsensusVote::new(&entity, "ann", Choice::For).unwrap()
            };
            assert!(!q.consensus().vote(vote.clone()).await.unwrap().duplicate);
            assert!(q.consensus().vote(vote).await.unwrap().duplicate, "the same vote again is one");
            written.proposals.push(entity);
        }
        2 => {
            let start = StartQuorum {
                quorum_id: Some(entity.clone()),
                subject: Some(json!([text])),
                data_subject: of(name),
                ..StartQuorum::global()
            };
            q.quorums().start(start.with_voters(["ann", "bob"]).unwrap()).await.unwrap();
            let vote = Vote {
                reason: Some(text.clone()),
                data_subject: of(name),
                ..Vote::new(&entity, "ann", true).unwrap()
            };
            q.quorums().vote(vote).await.unwrap();
            let status = q.quorums().status(&entity).await.unwrap();
            assert_eq!(status.subject, Some(json!([text])));
        }
        3 => {
            let opened = OpenSession {
                session_id: Some(entity.clone()),
                data_subject: of(name),
                ..OpenSession::new(json!({ "about": text }))
            };
            let opened = q.sessions().open(opened).await.unwrap();
            assert_eq!(opened.proposal, json!({ "about": text }));
        }
        _ => {
            let job = SubmitJob {
                job_id: Some(entity.clone()),
                payload: Some(json!({ "for": text })),
                data_subject: of(name),
                ..SubmitJob::default()
            };
            assert!(!q.jobs().submit(job.clone()).await.unwrap().duplicate);
            assert!(q.jobs().submit(job).await.unwrap().duplicate, "the same job again is one");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plaintext_reaches_no_file_before_and_after_shredding() {
    for seed in 0..4 {
        let mut rng = Rng::new(seed);
        let dir = TempDir::new().unwrap();
        let folder = dir.path().join("data");
        let mut q = open(&folder).await;
        people(&q).await;
        let names = ["alice", "bob's", "窓"];
        let mut written = Written::default();
        for n in 0..40 {
            let name = names[(rng.next_u64() % 3) as usize];
            write(&q, &mut rng, name, n, &mut written).await;
            if rng.next_u64().is_multiple_of(16) {
                q.close().await.unwrap();
                q = open(&folder).await;
            }
        }
        // What is not sealed is found, so what is sealed would be.
        let control = "CONTROLZXQWVKJYTEXT".to_owned();
        let start = StartQuorum { subject: Some(control.clone().into()), ..StartQuorum::global() };
        q.quorums().start(start.with_voters(["ann"]).unwrap()).await.unwrap();
        q.history().query(HistoryQuery::default()).await.unwrap();
        q.history().checkpoint().await.unwrap();
        assert_eq!(files_with(&folder, &written.texts), Vec::<PathBuf>::new());
        assert!(!files_with(&folder, &[control]).is_empty());
        let made = keys(&folder).len();
        let first = q.subjects().list(ListSubjects::default()).await.unwrap().subjects;
        assert_eq!(first.len(), made);
        let gone = first[0].data_subject.to_string();
        let view = shred(&q, &gone).await.unwrap();
        assert_eq!((view.state.as_str(), view.key.as_str()), ("shredded", "none"));
        assert_eq!(keys(&folder).len(), made - 1);
        q.close().await.unwrap();
        assert_eq!(files_with(&folder, &written.texts), Vec::<PathBuf>::new());
        let q = open(&folder).await;
        for proposal in &written.proposals {
            let ask = ConsensusRef { proposal_id: proposal.clone(), wait_ms: None };
            let shown = serde_json::to_string(&q.consensus().result(ask).await.unwrap()).unwrap();
            let is_gone = proposal.as_str().starts_with(&gone);
            assert_eq!(written.texts.iter().any(|text| shown.contains(text)), !is_gone, "{shown}");
            assert_eq!(shown.contains("shredded"), is_gone, "{shown}");
        }
        q.close().await.unwrap();
    }
}

/// A question with personal data under the id `q`, and a proposal under `p`.
async fn asked(q: &Quorate) {
    people(q).await;
    let start = StartQuorum {
        quorum_id: of("q"),
        subject: Some(json!({ "name": "Alice Liddell" })),
        data_subject: of("alice"),
        ..StartQuorum::global()
    };
    q.quorums().start(start.with_voters(["ann", "bob"]).unwrap()).await.unwrap();
    let vote = Vote {
        reason: Some("Alice Liddell asked".into()),
        data_subject: of("alice"),
        ..Vote::new(&id("q"), "ann", true).unwrap()
    };
    q.quorums().vote(vote).await.unwrap();
    let request = RequestConsensus {
        wait: Some(false),
        proposal_id: of("p"),
        data_subject: of("alice"),
        ..RequestConsensus::new(json!("pay Alice Liddell"))
    };
    q.consensus().request(request).await.unwrap();
}

/// Everything that shows the question, as JSON, under the name of what shows it.
async fn views(q: &Quorate) -> Vec<(&'static str, String)> {
    let text = |value: Value| value.to_string();
    let json = |value: &dyn Fn() -> Value| text(value());
    let status = serde_json::to_value(q.quorums().status(&id("q")).await.unwrap()).unwrap();
    let result = q.consensus().result(ConsensusRef { proposal_id: id("p"), wait_ms: None }).await.unwrap();
    let history = q.history().query(HistoryQuery::default()).await.unwrap();
    let entity = EntityHistory { kind: None, entity_id: id("q"), limit: None, cursor: None };
    let entity = q.history().entity(entity).await.unwrap();
    let at = StateAt { entity_id: id("q"), seq: Some(2), kind: None, position: None, at: None };
    let at = q.history().state_at(at).await.unwrap();
    let why = q.history().why(AskWhy { kind: None, entity_id: id("q"), about: None }).await.unwrap();
    let overview = q.overview().show(ShowOverview::default()).await.unwrap();
    let inbox = AskInbox { voter_id: "bob".parse().unwrap(), limit: None, wait_ms: None };
    let inbox = q.overview().inbox(inbox).await.unwrap();
    let open = q.consensus().list_open(Default::default()).await.unwrap();
    let list = q.quorums().list(Default::default()).await.unwrap();
    let mut stream =
        q.events(HistoryQuery { from_position: Some(1), ..HistoryQuery::default() }).await.unwrap();
    let mut told = Vec::new();
    for _ in 0..history.events.len() {
        told.push(serde_json::to_value(stream.next().await.unwrap().unwrap()).unwrap());
    }
    let pending = q.consensus().inbox(&"cid".parse().unwrap()).recv().await.unwrap();
    vec![
        ("status", status.to_string()),
        ("result", json(&|| serde_json::to_value(&result).unwrap())),
        ("history", json(&|| serde_json::to_value(&history).unwrap())),
        ("entity", json(&|| serde_json::to_value(&entity).unwrap())),
        ("state_at", json(&|| serde_json::to_value(&at).unwrap())),
        ("why", json(&|| serde_json::to_value(&why).unwrap())),
        ("overview", json(&|| serde_json::to_value(&overview).unwrap())),
        ("inbox", json(&|| serde_json::to_value(&inbox).unwrap())),
        ("open", json(&|| serde_json::to_value(&open).unwrap())),
        ("list", json(&|| serde_json::to_value(&list).unwrap())),
        ("stream", Value::from(told).to_string()),
        ("asked", json(&|| serde_json::to_value(&pending).unwrap())),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_view_shows_the_plaintext_until_it_is_shredded() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("data");
    let q = open(&folder).await;
    asked(&q).await;
    for (view, shown) in views(&q).await {
        assert!(shown.contains("Alice Liddell"), "{view}: {shown}");
        assert!(!shown.contains("quorate-sealed"), "{view}: {shown}");
    }
    // As it is stored, for proofs.
    let sealed = HistoryQuery { sealed: Some(true), ..HistoryQuery::default() };
    let sealed = serde_json::to_string(&q.history().query(sealed).await.unwrap()).unwrap();
    assert!(sealed.contains("quorate-sealed:1:") && !sealed.contains("Alice"), "{sealed}");
    let shown = q.subjects().show(SubjectRef { data_subject: id("alice") }).await.unwrap();
    let entities: Vec<String> = shown.entities.unwrap().iter().map(|one| one.entity_id.to_string()).collect();
    assert_eq!((entities, shown.entity_count), (vec!["p".to_owned(), "q".to_owned()], Some(2)));
    let view = shred(&q, "alice").await.unwrap();
    assert_eq!((view.state.as_str(), view.duplicate), ("shredded", Some(false)));
    assert_eq!(shred(&q, "alice").await.unwrap().duplicate, Some(true));
    let is_gone = |views: Vec<(&'static str, String)>| {
        for (view, shown) in views {
            assert!(!shown.contains("Alice Liddell"), "{view}: {shown}");
            assert!(!shown.contains("quorate-sealed"), "{view}: {shown}");
            assert!(shown.contains("shredded"), "{view}: {shown}");
        }
    };
    is_gone(views(&q).await);
    q.close().await.unwrap();
    is_gone(views(&open(&folder).await).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shredded_name_takes_no_new_data_and_a_held_one_is_not_shredded() {
    let q = Quorate::open(Config::memory()).await.unwrap();
    assert_eq!(shred(&q, "alice").await.unwrap_err().kind(), ErrorKind::NotFound);
    asked(&q).await;
    let hold = |entity: &str| HoldRecords {
        entity_id: of(entity),
        reason: "case 7".into(),
        ..HoldRecords::default()
    };
    q.retention().hold(hold("q")).await.unwrap();
    let refused = shred(&q, "alice").await.unwrap_err();
    assert_eq!((refused.kind(), refused.detail("hold")), (ErrorKind::LegalHold, Some(&json!("entity:q"))));
    let shown = q.subjects().show(SubjectRef { data_subject: id("alice") }).await.unwrap();
    assert_eq!((shown.state.as_str(), shown.key.as_str()), ("active", "present"));
    let release = ReleaseRecords { entity_id: of("q"), ..ReleaseRecords::default() };
    q.retention().release(release).await.unwrap();
    shred(&q, "alice").await.unwrap();
    let again = StartQuorum { subject: Some(json!("x")), data_subject: of("alice"), ..StartQuorum::global() };
    let refused = q.quorums().start(again.with_voters(["ann"]).unwrap()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::SubjectShredded);
    // Nobody puts a sealed text into a place of its own.
    let op = quorate_runtime::api::ops::find("quorum.start").unwrap();
    let fields =
        json!({ "quorum_type": "global", "voters": ["ann"], "subject": { "a": ["quorate-sealed:1:x"] } });
    let refused = op.call(q.clone(), fields.as_object().unwrap().clone()).await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.detail("field")),
        (ErrorKind::InvalidArgument, Some(&json!("subject")))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_key_and_a_wrong_one_are_named_and_are_not_shredded_ones() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("data");
    let q = open(&folder).await;
    asked(&q).await;
    q.close().await.unwrap();
    let key = keys(&folder).pop().unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&key), mode(&folder.join("subjects"))), (0o600, 0o700));
    }
    let text = fs::read(&key).unwrap();
    let vote = || Vote {
        reason: Some("y".into()),
        data_subject: of("alice"),
        ..Vote::new(&id("q"), "bob", true).unwrap()
    };
    for (word, kind, other) in [
        ("subject_key_missing", ErrorKind::SubjectKeyMissing, None),
        ("subject_key_wrong", ErrorKind::SubjectKeyWrong, Some("0".repeat(64))),
        ("subject_key_wrong", ErrorKind::SubjectKeyWrong, Some("no key".into())),
    ] {
        match other {
            Some(other) => fs::write(&key, other).unwrap(),
            None => fs::remove_file(&key).unwrap(),
        }
        let q = open(&folder).await;
        let subject = q.quorums().status(&id("q")).await.unwrap().subject.unwrap();
        assert_eq!(subject, json!({ "unreadable": word, "data_subject": "alice" }));
        let shown = q.subjects().show(SubjectRef { data_subject: id("alice") }).await.unwrap();
        assert_eq!((shown.state.as_str(), word.ends_with(&shown.key)), ("active", true));
        assert_eq!(q.quorums().vote(vote()).await.unwrap_err().kind(), kind);
        q.close().await.unwrap();
    }
    fs::write(&key, text).unwrap();
    let q = open(&folder).await;
    let subject = q.quorums().status(&id("q")).await.unwrap().subject.unwrap();
    assert_eq!(subject, json!({ "name": "Alice Liddell" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_be_destroyed_opens_nothing_and_is_destroyed_at_the_next_opening() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("data");
    let q = open(&folder).await;
    asked(&q).await;
    let key = keys(&folder).pop().unwrap();
    let aside = dir.path().join("aside");
    fs::rename(&key, &aside).unwrap();
    fs::create_dir(&key).unwrap();
    assert_eq!(shred(&q, "alice").await.unwrap_err().kind(), ErrorKind::StoreError);
    fs::remove_dir(&key).unwrap();
    fs::rename(&aside, &key).unwrap();
    let shown = q.subjects().show(SubjectRef { data_subject: id("alice") }).await.unwrap();
    assert_eq!(shown.state, "shredding");
    let subject = q.quorums().status(&id("q")).await.unwrap().subject.unwrap();
    assert_eq!(subject["shredded"], true);
    q.crash().await;
    let q = open(&folder).await;
    let shown = q.subjects().show(SubjectRef { data_subject: id("alice") }).await.unwrap();
    assert_eq!((shown.state.as_str(), shown.key.as_str()), ("shredded", "none"));
    assert!(!key.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_handed_the_plaintext_and_what_it_reports_is_sealed() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("data");
    let q = open(&folder).await;
    let worker: RegisterWorker = serde_json::from_value(json!({ "worker_id": "w" })).unwrap();
    q.workers().register(worker).await.unwrap();
    let job = SubmitJob {
        job_id: of("j"),
        payload: Some(json!({ "to": "Alice Liddell" })),
        data_subject: of("alice"),
        ..SubmitJob::default()
    };
    q.jobs().submit(job).await.unwrap();
    let take: TakeWork = serde_json::from_value(json!({ "worker_id": "w", "wait_ms": 10_000 })).unwrap();
    let work = q.workers().take(take).await.unwrap().work.pop().unwrap();
    assert_eq!(work.payload, Some(json!({ "to": "Alice Liddell" })));
    let report = WorkerReport {
        worker_id: id("w"),
        job_id: id("j"),
        workflow_id: work.workflow_id,
        outcome: "completed".into(),
        completed_count: None,
        result: Some("sent to Alice Liddell".into()),
        dispatch_token: Some(work.dispatch_token as i64),
        data_subject: of("alice"),
    };
    q.workers().report(report).await.unwrap();
    q.effects_done().await;
    let texts = ["Alice Liddell".to_owned()];
    assert_eq!(files_with(&folder, &texts), Vec::<PathBuf>::new());
    let all = || async {
        serde_json::to_string(&q.history().query(HistoryQuery::default()).await.unwrap()).unwrap()
    };
    let before = all().await;
    assert!(before.contains("sent to Alice Liddell") && !before.contains("unreadable"), "{before}");
    shred(&q, "alice").await.unwrap();
    assert!(!all().await.contains("Alice Liddell"));
}

#[tokio::test(flavor = "multi_thread")]
async fn earlier_proofs_hold_after_pruning_nine_tenths_and_shredding_one() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("data");
    let q = open(&folder).await;
    for n in 0..100 {
        let start = StartQuorum {
            quorum_id: of(&format!("q{n}")),
            required_votes: Some(1),
            subject: Some(json!({ "about": format!("person {n}") })),
            data_subject: of(if n % 10 == 9 { "alice" } else { "bob" }),
            ..StartQuorum::global()
        };
        q.quorums().start(start.with_voters(["ann", "bob"]).unwrap()).await.unwrap();
        q.quorums().vote(Vote::new(&id(&format!("q{n}")), "ann", true).unwrap()).await.unwrap();
    }
    let kept = q.history().checkpoint().await.unwrap();
    let newest = HistoryQuery { entity_id: of("q99"), ..HistoryQuery::default() };
    let first = q.history().query(newest).await.unwrap().events[0].clone();
    let ask = ProveRecord { position: Some(first.position), ..ProveRecord::default() };
    let proof = serde_json::to_string(&q.history().prove(ask).await.unwrap()).unwrap();
    assert!(!proof.contains("person 99"), "a proof holds what is stored: {proof}");
    q.close().await.unwrap();
    let rule = PruneRule { keep_last: Some(10), ..PruneRule::default() };
    let report = prune(folder.clone(), rule, false, |_, _| ()).await.unwrap();
    assert_eq!(report.entities, 90);
    // Its keys went along, as the same files.
    assert_eq!(keys(&folder).len(), 2);
    let q = open(&folder).await;
    let about = q.quorums().status(&id("q99")).await.unwrap().subject.unwrap();
    assert_eq!(about, json!({ "about": "person 99" }));
    shred(&q, "alice").await.unwrap();
    assert_eq!(keys(&folder).len(), 1);
    let about = q.quorums().status(&id("q99")).await.unwrap().subject.unwrap();
    assert_eq!(about["shredded"], true);
    let about = q.quorums().status(&id("q98")).await.unwrap().subject.unwrap();
    assert_eq!(about, json!({ "about": "person 98" }));
    check_proof(&proof, &kept.public_key).unwrap();
    let request = VerifyHistory {
        checkpoint: Some(kept.checkpoint.clone()),
        public_key: Some(kept.public_key.clone()),
        ..VerifyHistory::default()
    };
    let verified = q.history().verify_against(request, |_| ()).await.unwrap();
    assert!(verified.ok && verified.checkpoint.unwrap().contained);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_sealed_and_its_idempotency_key_knows_it_again() {
    let q = Quorate::open(Config::memory()).await.unwrap();
    for voter in ["ann", "bob", "cid", "dan"] {
        q.voters().register(RegisterVoter::new(voter).unwrap()).await.unwrap();
    }
    let ask = |about: &str| OpenSession {
        data_subject: of("alice"),
        idempotency_key: Some("k".parse().unwrap()),
        ..OpenSession::new(json!({ "about": about }))
    };
    let first = q.sessions().open(ask("Alice Liddell")).await.unwrap();
    let again = q.sessions().open(ask("Alice Liddell")).await.unwrap();
    assert_eq!((&again.session_id, again.duplicate), (&first.session_id, Some(true)));
    assert_eq!(again.proposal, json!({ "about": "Alice Liddell" }));
    let other = q.sessions().open(ask("Alice Pleasance")).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::KeyReused);
    assert!(!other.to_string().contains("Alice "), "{other}");
    shred(&q, "alice").await.unwrap();
    let result = q.sessions().result(SessionRef::from(first.session_id)).await.unwrap();
    assert_eq!(result.proposal, json!({ "shredded": true, "data_subject": "alice" }));
}
