//! The log over all records: what was signed once is there for good, and whoever holds a checkpoint sees when it is not.

use std::fs;
use std::path::Path;
use std::time::Duration;

use quorate::{Config, ErrorKind, Quorate, StartQuorum, Vote};
use quorate_runtime::api::dto::{HistoryQuery, LogCheckpoint, ProveConsistency, ProveRecord, VerifyHistory};
use quorate_runtime::api::proofs::{CheckedProof, check_proof};
use tempfile::TempDir;

use crate::manual;

async fn open(folder: &Path) -> Quorate {
    Quorate::open(Config::at(folder)).await.unwrap()
}

/// So many decided quorums, of three records each.
async fn decide(q: &Quorate, name: &str, count: usize) {
    for n in 0..count {
        let id = format!("{name}-{n}");
        let start = StartQuorum { quorum_id: Some(id.parse().unwrap()), ..StartQuorum::global() };
        q.quorums().start(start.with_voters(["ann"]).unwrap()).await.unwrap();
        let id = id.parse().unwrap();
        q.quorums().vote(Vote::new(&id, "ann", true).unwrap()).await.unwrap();
    }
}

async fn checkpoint(q: &Quorate) -> LogCheckpoint {
    q.history().checkpoint().await.unwrap()
}

/// Is a checkpoint kept elsewhere contained? Gives `ok` as well.
async fn contained(q: &Quorate, kept: &LogCheckpoint) -> (bool, bool, Option<String>) {
    let request = VerifyHistory {
        checkpoint: Some(kept.checkpoint.clone()),
        public_key: Some(kept.public_key.clone()),
        ..VerifyHistory::default()
    };
    let verified = q.history().verify_against(request, |_| ()).await.unwrap();
    let check = verified.checkpoint.unwrap();
    (verified.ok, check.contained, check.why)
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        if item.path().is_dir() {
            copy(&item.path(), &to.join(item.file_name()));
        } else {
            fs::copy(item.path(), to.join(item.file_name())).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_is_proven_and_the_log_goes_on_over_restarts() {
    let folder = TempDir::new().unwrap();
    let mut older: Option<LogCheckpoint> = None;
    for (life, count) in [1, 60, 120].into_iter().enumerate() {
        let q = open(folder.path()).await;
        decide(&q, &format!("life{life}"), count).await;
        let newest = checkpoint(&q).await;
        assert_eq!(checkpoint(&q).await, newest, "nothing new, nothing signed");
        if let Some(older) = older.replace(newest.clone()) {
            assert_eq!((&older.public_key, &older.origin), (&newest.public_key, &newest.origin));
            assert!(older.size < newest.size);
            let ask = ProveConsistency { old_checkpoint: older.checkpoint.clone() };
            let proof = q.history().prove_consistency(ask).await.unwrap();
            let shown = check_proof(&json(&proof), &newest.public_key).unwrap();
            let (origin, old_size, size) = (older.origin.clone(), older.size, newest.size);
            assert_eq!(shown, CheckedProof::Consistency { origin, old_size, size });
            assert_eq!(contained(&q, &older).await, (true, true, None));
        }
        q.close().await.unwrap();
    }
    let q = open(folder.path()).await;
    let newest = checkpoint(&q).await;
    let mut cursor = None;
    let mut count = 0;
    loop {
        let page = HistoryQuery { limit: Some(1_000), cursor: cursor.take(), ..HistoryQuery::default() };
        let page = q.history().query(page).await.unwrap();
        for event in page.events {
            count += 1;
            let ask = ProveRecord { position: Some(event.position), ..ProveRecord::default() };
            let proof = q.history().prove(ask).await.unwrap();
            assert_eq!(proof.event.as_ref(), Some(&event));
            match check_proof(&json(&proof), &newest.public_key).unwrap() {
                CheckedProof::Record { event: shown, position, .. } => {
                    assert_eq!((shown.as_deref(), position), (Some(&event), event.position));
                }
                other => panic!("{other:?}"),
            }
        }
        if !page.more {
            break;
        }
        cursor = page.next_cursor;
    }
    assert!(count > 256 && count == newest.size, "{count} of {}", newest.size);
    // Named by entity and seq, and with what happened kept back.
    let ask = ProveRecord {
        entity_id: Some("life0-0".parse().unwrap()),
        seq: Some(2),
        show: Some(false),
        ..ProveRecord::default()
    };
    let proof = q.history().prove(ask).await.unwrap();
    assert_eq!((&proof.event, &proof.proof.record), (&None, &None));
    let shown = check_proof(&json(&proof), &newest.public_key).unwrap();
    assert!(matches!(shown, CheckedProof::Record { seq: 2, event: None, .. }), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_was_touched_does_not_hold() {
    let q = Quorate::open(manual()).await.unwrap();
    decide(&q, "q", 4).await;
    let key = checkpoint(&q).await.public_key;
    let proof = q.history().prove(ProveRecord { position: Some(5), ..ProveRecord::default() }).await.unwrap();
    assert!(check_proof(&json(&proof), &key).is_ok());
    let mut told = proof.clone();
    told.event.as_mut().unwrap().data["voter_id"] = "mallory".into();
    let refused = check_proof(&json(&told), &key).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ProofInvalid);
    let mut moved = proof.clone();
    moved.proof.leaf_index += 1;
    assert_eq!(check_proof(&json(&moved), &key).unwrap_err().kind(), ErrorKind::ProofInvalid);
    let other = Quorate::open(Config { seed: Some(8), ..manual() }).await.unwrap();
    let foreign = checkpoint(&other).await.public_key;
    assert_eq!(check_proof(&json(&proof), &foreign).unwrap_err().kind(), ErrorKind::ProofInvalid);
    assert_eq!(check_proof("{}", &key).unwrap_err().kind(), ErrorKind::MalformedRequest);
    assert_eq!(check_proof(&json(&proof), "key").unwrap_err().kind(), ErrorKind::InvalidArgument);
    for (ask, kind) in [
        (ProveRecord { position: Some(0), ..ProveRecord::default() }, ErrorKind::NotFound),
        (ProveRecord { position: Some(99), ..ProveRecord::default() }, ErrorKind::NotFound),
        (
            ProveRecord { position: Some(1), seq: Some(1), ..ProveRecord::default() },
            ErrorKind::InvalidArgument,
        ),
        (ProveRecord::default(), ErrorKind::InvalidArgument),
    ] {
        assert_eq!(q.history().prove(ask).await.unwrap_err().kind(), kind);
    }
    let ask = ProveConsistency { old_checkpoint: checkpoint(&other).await.checkpoint };
    assert_eq!(q.history().prove_consistency(ask).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn tiles_that_are_lost_are_made_again_and_nothing_else_is_signed() {
    let folder = TempDir::new().unwrap();
    let q = open(folder.path()).await;
    decide(&q, "q", 100).await;
    let before = checkpoint(&q).await;
    q.close().await.unwrap();
    let tile = folder.path().join("tlog/tile/0/000");
    let sound = fs::read(&tile).unwrap();
    assert_eq!(sound.len(), 8_192);
    for damaged in [None, Some(Vec::new()), Some(vec![7; 8_192])] {
        match damaged {
            None => fs::remove_dir_all(folder.path().join("tlog/tile")).unwrap(),
            Some(bytes) => fs::write(&tile, bytes).unwrap(),
        }
        let q = open(folder.path()).await;
        assert_eq!(checkpoint(&q).await, before);
        let proof = q.history().prove(ProveRecord { position: Some(3), ..ProveRecord::default() }).await;
        check_proof(&json(&proof.unwrap()), &before.public_key).unwrap();
        q.close().await.unwrap();
        assert_eq!(fs::read(&tile).unwrap(), sound);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_key_or_checkpoint_is_told_by_verify_and_nothing_is_signed_over_it() {
    let folder = TempDir::new().unwrap();
    let q = open(folder.path()).await;
    decide(&q, "q", 2).await;
    checkpoint(&q).await;
    q.close().await.unwrap();
    for name in ["key", "checkpoint"] {
        let file = folder.path().join("tlog").join(name);
        let sound = fs::read(&file).unwrap();
        for noise in [0x01, 0x80] {
            let mut damaged = sound.clone();
            damaged[30] ^= noise;
            fs::write(&file, &damaged).unwrap();
            let q = open(folder.path()).await;
            let verified = q.history().verify(|_| ()).await.unwrap();
            let log = verified.log.unwrap();
            assert!(!verified.ok && !log.contained && log.why.is_some(), "{name} {noise}");
            assert_eq!(verified.broken, None, "the journal is whole");
            assert_eq!(q.history().checkpoint().await.unwrap_err().kind(), ErrorKind::StoreCorrupt);
            q.close().await.unwrap();
            assert_eq!(fs::read(&file).unwrap(), damaged, "it is left as it is");
        }
        fs::write(&file, sound).unwrap();
    }
    let q = open(folder.path()).await;
    assert!(q.history().verify(|_| ()).await.unwrap().ok);
    checkpoint(&q).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_journal_under_the_same_key_is_not_signed() {
    let (a, b) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let q = open(a.path()).await;
    decide(&q, "q", 5).await;
    let kept = checkpoint(&q).await;
    q.close().await.unwrap();
    // Everything was decided anew, and the log of the true journal put beside it.
    let q = open(b.path()).await;
    decide(&q, "q", 7).await;
    q.close().await.unwrap();
    copy(&a.path().join("tlog"), &b.path().join("tlog"));
    let q = open(b.path()).await;
    let refused = q.history().checkpoint().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::StoreCorrupt, "{refused}");
    let verified = q.history().verify(|_| ()).await.unwrap();
    assert!(!verified.ok && !verified.log.unwrap().contained, "the chain alone fits");
    let (ok, contained, why) = contained(&q, &kept).await;
    assert!(!ok && !contained && why.unwrap().contains("not the one that was signed"));
    q.close().await.unwrap();
    // With a log of its own it looks sound, but for the checkpoint that was kept elsewhere.
    fs::remove_dir_all(b.path().join("tlog")).unwrap();
    let q = open(b.path()).await;
    checkpoint(&q).await;
    assert!(q.history().verify(|_| ()).await.unwrap().ok);
    assert!(!self::contained(&q, &kept).await.1);
    q.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_put_back_is_seen_by_whoever_kept_a_newer_checkpoint() {
    let (folder, copied) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let q = open(folder.path()).await;
    decide(&q, "q", 5).await;
    let older = checkpoint(&q).await;
    q.close().await.unwrap();
    copy(folder.path(), &copied.path().join("data"));
    let q = open(folder.path()).await;
    decide(&q, "r", 5).await;
    let newer = checkpoint(&q).await;
    q.close().await.unwrap();
    let q = open(&copied.path().join("data")).await;
    assert!(q.history().verify(|_| ()).await.unwrap().ok, "nothing in the folder shows it");
    assert_eq!(contained(&q, &older).await, (true, true, None));
    let (ok, there, why) = contained(&q, &newer).await;
    assert!(!ok && !there && why.unwrap().contains("only"), "but the checkpoint does");
    // It goes on, and is a fork of what was signed before.
    decide(&q, "s", 9).await;
    assert!(checkpoint(&q).await.size > newer.size);
    let (_, there, why) = contained(&q, &newer).await;
    assert!(!there && why.unwrap().contains("not the one that was signed"));
    let ask = ProveConsistency { old_checkpoint: newer.checkpoint.clone() };
    assert_eq!(q.history().prove_consistency(ask).await.unwrap_err().kind(), ErrorKind::StoreCorrupt);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_recorded_is_signed_without_being_asked_for() {
    let folder = TempDir::new().unwrap();
    let q = open(folder.path()).await;
    decide(&q, "q", 1).await;
    let path = folder.path().join("tlog/checkpoint");
    // A limit for a test that would hang, not a promise.
    for _ in 0..600 {
        if fs::read_to_string(&path).is_ok_and(|text| text.lines().nth(1) == Some("3")) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no checkpoint over the three records: {:?}", fs::read_to_string(&path));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_is_checked_and_says_what_it_cannot_show() {
    let dir = TempDir::new().unwrap();
    let (folder, other) = (dir.path().join("data"), dir.path().join("other"));
    let q = open(&folder).await;
    decide(&q, "early", 200).await;
    let kept = checkpoint(&q).await;
    decide(&q, "late", 50).await;
    let newest = checkpoint(&q).await;
    q.close().await.unwrap();
    let theirs = open(&other).await;
    decide(&theirs, "else", 210).await;
    let foreign = checkpoint(&theirs).await;
    theirs.close().await.unwrap();

    let q = Quorate::open_to_read(Config::at(&folder)).await.unwrap();
    let verify = async |request: VerifyHistory| q.history().verify_against(request, |_| ()).await;
    let whole = verify(VerifyHistory::default()).await.unwrap();
    assert!(whole.ok && whole.part.is_none());
    for (from, upto) in [(None, Some(10)), (Some(1), None), (Some(301), Some(302)), (Some(newest.size), None)]
    {
        let found = verify(VerifyHistory { from, upto, ..Default::default() }).await.unwrap();
        let part = found.part.clone().unwrap();
        assert_eq!((part.from, part.upto), (from.unwrap_or(1), upto.unwrap_or(newest.size)), "{found:?}");
        assert!(found.ok && found.records > part.upto - part.from, "{found:?}");
        assert!(found.groups <= whole.groups && part.leaves_open.contains("only a checkpoint"), "{found:?}");
        assert_eq!(found.log, None, "nothing was said of the log");
    }
    let since = |kept: &LogCheckpoint| VerifyHistory {
        since: Some(kept.checkpoint.clone()),
        public_key: Some(kept.public_key.clone()),
        ..VerifyHistory::default()
    };
    let found = verify(since(&kept)).await.unwrap();
    let part = found.part.clone().unwrap();
    assert!(found.ok && found.log.as_ref().unwrap().contained, "{found:?}");
    assert_eq!((part.from, part.upto), (kept.size + 1, newest.size));
    assert!(found.groups < whole.groups / 2 && found.checkpoint.is_none(), "{found:?}");
    assert!(part.leaves_open.contains(&format!("the records up to {}", kept.size)), "{part:?}");
    let all = verify(since(&newest)).await.unwrap();
    let part = all.part.clone().unwrap();
    assert!(all.ok && all.groups <= 1 && part.upto < part.from, "{all:?}");
    let refused = verify(since(&foreign)).await.unwrap();
    assert!(!refused.ok && !refused.checkpoint.clone().unwrap().contained, "{refused:?}");

    // Of other records, under the same key: the kept hashes do not fit, nor do the records.
    fs::copy(folder.join("tlog/key"), other.join("tlog/key")).unwrap();
    fs::remove_file(other.join("tlog/checkpoint")).unwrap();
    let theirs = Quorate::open_to_read(Config::at(&other)).await.unwrap();
    let forged = theirs.history().verify_against(since(&kept), |_| ()).await.unwrap();
    assert!(!forged.ok && forged.checkpoint.unwrap().why.unwrap().contains("not the one that was signed"));
    theirs.close().await.unwrap();

    // Without its kept hashes every record is read.
    fs::remove_dir_all(folder.join("tlog/tile")).unwrap();
    let found = verify(since(&kept)).await.unwrap();
    assert!(found.ok && found.checkpoint.unwrap().contained);
    assert!(!folder.join("tlog/tile").exists(), "who only reads writes nothing");

    let bad = [
        (VerifyHistory { from: Some(0), ..Default::default() }, "from"),
        (VerifyHistory { upto: Some(0), ..Default::default() }, "upto"),
        (VerifyHistory { from: Some(9), upto: Some(8), ..Default::default() }, "from"),
        (VerifyHistory { from: Some(newest.size + 1), ..Default::default() }, "from"),
        (VerifyHistory { upto: Some(u64::MAX), ..Default::default() }, "upto"),
        (VerifyHistory { from: Some(3), ..since(&kept) }, "from"),
        (VerifyHistory { checkpoint: Some(kept.checkpoint.clone()), ..since(&kept) }, "checkpoint"),
        (VerifyHistory { since: Some("no checkpoint".into()), ..Default::default() }, "since"),
    ];
    for (request, field) in bad {
        let refused = verify(request).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidArgument, "{refused}");
        assert_eq!(refused.detail("field").unwrap(), field, "{refused}");
    }
    q.close().await.unwrap();
}
