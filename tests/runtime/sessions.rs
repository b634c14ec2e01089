//! Sessions and their voters through the typed API.

use std::time::Duration;

use ed25519_dalek::{Signer, SigningKey};
use quorate::session::{
    Ballot, Binding, Certificate, PublicKey, Signature, Vote as SignedVote, check_certificate,
};
use quorate::{
    AllowedOperation, CertifySession, Choice, Config, EndRound, EntityId, ErrorKind, ListSessions,
    OpenSession, QuarantineVoter, Quorate, RegisterVoter, SessionConfig, SessionRef, SessionResult,
    SessionVote, SessionVoted, VoterRef, VoterView,
};

use crate::manual;

fn key(k: usize) -> SigningKey {
    SigningKey::from_bytes(&[k as u8 + 1; 32])
}

fn name(k: usize) -> String {
    format!("v{k:03}")
}

fn handle(k: usize) -> String {
    format!("the handle of voter {k}")
}

/// Voters that present handles.
async fn registered(q: &Quorate, n: usize) {
    for k in 0..n {
        let voter = RegisterVoter { handle: Some(handle(k)), ..RegisterVoter::new(&name(k)).unwrap() };
        q.voters().register(voter).await.unwrap();
    }
}

/// Voters that sign.
async fn signers(q: &Quorate, n: usize) {
    for k in 0..n {
        let public = PublicKey::new(key(k).verifying_key().to_bytes());
        let voter = RegisterVoter::new(&name(k)).unwrap().signing(public);
        assert_eq!(q.voters().register(voter).await.unwrap().handle, None);
    }
}

async fn vote(q: &Quorate, id: &EntityId, k: usize, choice: Choice) -> Result<SessionVoted, quorate::Error> {
    q.sessions().vote(SessionVote::new(id, &name(k), choice, &handle(k)).unwrap()).await
}

async fn result(q: &Quorate, id: &EntityId) -> SessionResult {
    q.sessions().result(SessionRef::from(id.clone())).await.unwrap()
}

async fn state(q: &Quorate, k: usize) -> VoterView {
    q.effects_done().await;
    q.voters().state(VoterRef { voter_id: name(k).parse().unwrap() }).await.unwrap()
}

/// A vote as a voter makes it that knows only what opening told.
fn signed(opened: &SessionResult, k: usize, seq: u64, choice: Choice, at: quorate::Timestamp) -> SessionVote {
    let binding = Binding {
        session_id: opened.session_id.clone(),
        electorate_hash: opened.electorate_hash,
        terms_hash: opened.terms_hash,
    };
    let vote = SignedVote {
        round: 1,
        voter_id: name(k).parse().unwrap(),
        seq,
        issued_at: at,
        ballot: Ballot::Approve(choice),
        score: 1_000_000,
        confidence: 1_000_000,
        claimed_weight: None,
        reasoning_hash: None,
    };
    let signature = Signature::new(key(k).sign(&vote.message(&binding)).to_bytes());
    SessionVote {
        handle: None,
        round: Some(1),
        seq: Some(seq),
        issued_at: Some(at),
        signature: Some(signature),
        hash: Some(vote.hash(&binding)),
        ..SessionVote::new(&opened.session_id, &name(k), choice, "").unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_by_signed_votes_has_a_certificate_that_needs_no_store() {
    let q = Quorate::open(manual()).await.unwrap();
    signers(&q, 100).await;
    let opened = q.sessions().open(OpenSession::new("deploy".into())).await.unwrap();
    for k in 0..67 {
        let ask = CertifySession { session_id: opened.session_id.clone() };
        assert_eq!(q.sessions().certificate(ask).await.unwrap_err().kind(), ErrorKind::NotCertifiable);
        let voted = q.sessions().vote(signed(&opened, k, 1, Choice::For, q.now())).await.unwrap();
        assert_eq!((voted.verification_score, voted.entry_hash.is_some()), (Some(1.0), true));
    }
    let ended = result(&q, &opened.session_id).await;
    assert_eq!((ended.status.as_str(), ended.byzantine_safe), ("completed", true));
    let ask = CertifySession { session_id: opened.session_id.clone() };
    let certificate = q.sessions().certificate(ask).await.unwrap();
    let text = serde_json::to_string(&certificate).unwrap();
    assert!(text.len() <= 64 << 10, "{} bytes", text.len());
    let checked = check_certificate(&text).unwrap();
    assert_eq!((&checked["signed_heads"], &checked["decision"]), (&67.into(), &"for".into()));
    let ends = quorate::HistoryQuery { event: Some("closed".into()), ..Default::default() };
    let ends = q.history().query(ends).await.unwrap();
    let closed = &ends.events[0];
    assert_eq!(
        (certificate.position.position, &certificate.position.record_hash),
        (closed.position, &closed.hash)
    );
    let mut less: Certificate = serde_json::from_str(&text).unwrap();
    less.ballots.pop();
    let refused = check_certificate(&serde_json::to_string(&less).unwrap()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::IntegrityViolation);
    assert_eq!(check_certificate("{}").unwrap_err().kind(), ErrorKind::MalformedRequest);
    assert!(q.history().verify(|_| ()).await.unwrap().ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_a_sealed_question_holds_after_it_is_shredded() {
    let q = Quorate::open(manual()).await.unwrap();
    signers(&q, 4).await;
    let alice: EntityId = "alice".parse().unwrap();
    let asked =
        OpenSession { data_subject: Some(alice.clone()), ..OpenSession::new("pay Alice Liddell".into()) };
    let opened = q.sessions().open(asked).await.unwrap();
    assert_eq!(opened.proposal, "pay Alice Liddell");
    for k in 0..3 {
        q.sessions().vote(signed(&opened, k, 1, Choice::For, q.now())).await.unwrap();
    }
    let ask = || CertifySession { session_id: opened.session_id.clone() };
    let before = serde_json::to_string(&q.sessions().certificate(ask()).await.unwrap()).unwrap();
    assert!(!before.contains("Alice"), "{before}");
    let shred = quorate::ShredSubject { data_subject: alice, reason: "art. 17".into() };
    q.subjects().shred(shred).await.unwrap();
    assert_eq!(result(&q, &opened.session_id).await.proposal["shredded"], true);
    let after = serde_json::to_string(&q.sessions().certificate(ask()).await.unwrap()).unwrap();
    assert_eq!(before, after);
    assert_eq!(check_certificate(&before).unwrap()["decision"], "for");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operation_that_a_decision_allows_is_part_of_what_voters_sign() {
    let q = Quorate::open(manual()).await.unwrap();
    signers(&q, 4).await;
    let operation = AllowedOperation::once("pay", serde_json::json!({ "eur": 7 })).unwrap();
    let asked = OpenSession { operation: Some(operation), ..OpenSession::new("pay?".into()) };
    let opened = q.sessions().open(asked).await.unwrap();
    for k in 0..3 {
        q.sessions().vote(signed(&opened, k, 1, Choice::For, q.now())).await.unwrap();
    }
    let ask = CertifySession { session_id: opened.session_id.clone() };
    let certificate = q.sessions().certificate(ask).await.unwrap();
    let text = serde_json::to_string(&certificate).unwrap();
    check_certificate(&text).unwrap();
    let mut other: serde_json::Value = serde_json::from_str(&text).unwrap();
    for change in [serde_json::json!(2), serde_json::Value::Null] {
        match change.is_null() {
            false => other["operation"]["uses"] = change,
            true => drop(other.as_object_mut().unwrap().remove("operation")),
        }
        let refused = check_certificate(&other.to_string()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::IntegrityViolation, "{refused}");
    }
    q.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_signed_votes_that_differ_convict_everywhere_and_survive_a_restart() {
    let folder = tempfile::TempDir::new().unwrap();
    let config = || Config { clock: manual().clock, ..Config::at(folder.path().join("data")) };
    let q = Quorate::open(config()).await.unwrap();
    signers(&q, 4).await;
    let one = q.sessions().open(OpenSession::new("one".into())).await.unwrap();
    let two = q.sessions().open(OpenSession::new("two".into())).await.unwrap();
    q.sessions().vote(signed(&one, 0, 1, Choice::For, q.now())).await.unwrap();
    let lie = q.sessions().vote(signed(&one, 0, 2, Choice::Against, q.now())).await.unwrap_err();
    assert_eq!((lie.kind(), lie.detail("reason")), (ErrorKind::ByzantineFault, Some(&"equivocation".into())));
    let liar = state(&q, 0).await;
    assert_eq!((liar.state.as_str(), liar.reason.as_deref()), ("byzantine", Some("proven, transferable")));
    let other = result(&q, &two.session_id).await;
    assert_eq!(other.exclusions[0].reason, "byzantine");
    q.close().await.unwrap();
    let q = Quorate::open(config()).await.unwrap();
    assert_eq!(state(&q, 0).await.state, "byzantine");
    assert_eq!(result(&q, &one.session_id).await.evidence.len(), 1);
    let refused = q.sessions().vote(signed(&two, 0, 1, Choice::For, q.now())).await.unwrap_err();
    assert_eq!(refused.detail("reason"), Some(&"byzantine".into()));
    // A vote signed by another, and one for the other session, convict nobody.
    let mut forged = signed(&two, 1, 1, Choice::For, q.now());
    forged.voter_id = name(2).parse().unwrap();
    forged.hash = None;
    let refused = q.sessions().vote(forged).await.unwrap_err();
    assert_eq!(refused.detail("reason"), Some(&"bad_signature".into()));
    let mut moved = signed(&one, 1, 1, Choice::For, q.now());
    moved.session_id = two.session_id.clone();
    moved.hash = None;
    let refused = q.sessions().vote(moved).await.unwrap_err();
    assert_eq!(refused.detail("reason"), Some(&"bad_signature".into()));
    assert_eq!((state(&q, 1).await.state, state(&q, 2).await.state), ("honest".into(), "honest".into()));
    q.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_sessions_open_as_may_be_however_many_ask_at_once() {
    let session = SessionConfig { max_open: 10, ..Config::memory().session };
    let q = Quorate::open(Config { session, ..manual() }).await.unwrap();
    registered(&q, 4).await;
    let asked: Vec<_> = (0..50)
        .map(|k| {
            let q = q.clone();
            tokio::spawn(async move { q.sessions().open(OpenSession::new(k.into())).await })
        })
        .collect();
    let (mut opened, mut refused) = (Vec::new(), 0);
    for asked in asked {
        match asked.await.unwrap() {
            Ok(session) => opened.push(session.session_id),
            Err(error) => {
                assert_eq!(
                    (error.kind(), error.detail("limit")),
                    (ErrorKind::LimitExceeded, Some(&10.into()))
                );
                assert!(error.detail("retry_after_ms").is_some());
                refused += 1;
            }
        }
    }
    assert_eq!((opened.len(), refused), (10, 40));
    // One that ends makes room at once, and one that was recovered takes its place.
    for k in 0..3 {
        vote(&q, &opened[0], k, Choice::For).await.unwrap();
    }
    q.sessions().open(OpenSession::new("next".into())).await.unwrap();
    let full = q.sessions().open(OpenSession::new("more".into())).await.unwrap_err();
    assert_eq!(full.kind(), ErrorKind::LimitExceeded);
    assert_eq!(q.sessions().list(ListSessions::default()).await.unwrap().sessions.len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_speaks_too_often_is_slowed_and_nobody_else() {
    let q = Quorate::open(manual()).await.unwrap();
    registered(&q, 5).await;
    let id = q.sessions().open(OpenSession::new(1.into())).await.unwrap().session_id;
    for _ in 0..10 {
        vote(&q, &id, 0, Choice::For).await.unwrap();
    }
    let refused = vote(&q, &id, 0, Choice::For).await.unwrap_err();
    assert_eq!((refused.kind(), refused.is_retryable()), (ErrorKind::RateLimited, true));
    vote(&q, &id, 1, Choice::For).await.unwrap();
    // Whoever uses the name of another spends no budget of it.
    for _ in 0..20 {
        let guess = SessionVote::new(&id, &name(2), Choice::Against, "a wrong guess of it").unwrap();
        assert!(q.sessions().vote(guess).await.is_err());
    }
    vote(&q, &id, 2, Choice::For).await.unwrap();
    assert!(state(&q, 0).await.suspicion_score > 0.1 && state(&q, 2).await.suspicion_score <= 0.1);
    q.advance(Duration::from_secs(1)).await.unwrap();
    vote(&q, &id, 0, Choice::For).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_quarantines_and_open_sessions_count_nothing_of_the_voter() {
    let q = Quorate::open(manual()).await.unwrap();
    registered(&q, 4).await;
    let id = q.sessions().open(OpenSession::new(1.into())).await.unwrap().session_id;
    vote(&q, &id, 0, Choice::For).await.unwrap();
    let voter_id = name(0).parse().unwrap();
    let quarantine = QuarantineVoter { voter_id, reason: "to be looked at".into(), duration_ms: None };
    q.voters().quarantine(quarantine).await.unwrap();
    q.effects_done().await;
    assert_eq!(result(&q, &id).await.exclusions[0].reason, "quarantined");
    vote(&q, &id, 1, Choice::For).await.unwrap();
    vote(&q, &id, 2, Choice::Against).await.unwrap();
    let ended = result(&q, &id).await;
    assert_eq!(ended.outcome.unwrap().name(), "no_quorum");
    // It ends by itself, and then with half the power.
    q.advance(Duration::from_secs(61)).await.unwrap();
    assert_eq!((state(&q, 0).await.state.as_str(), state(&q, 0).await.power), ("probation", 0.5));
    let next = q.sessions().open(OpenSession::new(2.into())).await.unwrap();
    assert_eq!((next.total_power, next.electorate[0].power), (3.5, 0.5));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_stands_for_one_voter_and_a_key_opens_a_session_once() {
    let q = Quorate::open(manual()).await.unwrap();
    signers(&q, 3).await;
    let public = PublicKey::new(key(0).verifying_key().to_bytes());
    let twice = q.voters().register(RegisterVoter::new("other").unwrap().signing(public)).await.unwrap_err();
    assert_eq!((twice.kind(), twice.detail("field")), (ErrorKind::AlreadyExists, Some(&"public_key".into())));
    let weak = PublicKey::new(std::array::from_fn(|i| u8::from(i == 0)));
    let weak = q.voters().register(RegisterVoter::new("weak").unwrap().signing(weak)).await.unwrap_err();
    assert_eq!((weak.kind(), weak.detail("field")), (ErrorKind::InvalidArgument, Some(&"public_key".into())));
    let asked = OpenSession { idempotency_key: "a".parse().ok(), ..OpenSession::new(1.into()) };
    let first = q.sessions().open(asked.clone()).await.unwrap();
    let again = q.sessions().open(asked.clone()).await.unwrap();
    assert_eq!((again.session_id, again.duplicate), (first.session_id, Some(true)));
    let other = OpenSession { rounds: Some(2), ..asked };
    assert_eq!(q.sessions().open(other).await.unwrap_err().kind(), ErrorKind::KeyReused);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiter_is_answered_by_the_end_of_the_session() {
    let q = Quorate::open(Config::memory()).await.unwrap();
    registered(&q, 3).await;
    let asked = OpenSession { rounds: Some(2), ..OpenSession::new(1.into()) };
    let id = q.sessions().open(asked).await.unwrap().session_id;
    let (waiting, session_id) = (q.clone(), id.clone());
    let waiter = tokio::spawn(async move {
        waiting.sessions().result(SessionRef { session_id, wait_ms: Some(60_000) }).await.unwrap()
    });
    q.sessions().end_round(EndRound { session_id: id.clone(), round: Some(1) }).await.unwrap();
    for k in 0..3 {
        vote(&q, &id, k, Choice::Against).await.unwrap();
    }
    assert_eq!(waiter.await.unwrap().outcome.unwrap().name(), "rejected");
}
