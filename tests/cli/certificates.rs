//! Certificates: made by the runtime, checked by the program without a store, and by a verifier that shares nothing with it.

use quorate_runtime::shell::clock::Stopwatch;
use std::process::Command;

use ed25519_dalek::{Signer, SigningKey};
use quorate::session::{Ballot, Binding, Delegation, PublicKey, Signature, Vote, rotation_message};
use quorate::{
    CertifySession, Choice, Config, DelegateSession, OpenSession, Quorate, RegisterVoter, RotateKey,
    SessionVote, TellTruth,
};
use serde_json::{Value, json};

use super::{file, project, run, text};

/// The secret keys of RFC 8032, section 7.1, tests 1 to 3; more voters have keys of their own.
const SECRETS: [&str; 3] = [
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
];

fn key(k: usize) -> SigningKey {
    let own = format!("{:064x}", k + 1);
    let hex = SECRETS.get(k).copied().unwrap_or(&own);
    SigningKey::from_bytes(&std::array::from_fn(|at| {
        u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()
    }))
}

fn name(k: usize) -> String {
    format!("voter-{k:03}-窓")
}

async fn register(q: &Quorate, n: usize) {
    for k in 0..n {
        let public = PublicKey::new(key(k).verifying_key().to_bytes());
        q.voters().register(RegisterVoter::new(&name(k)).unwrap().signing(public)).await.unwrap();
    }
}

/// A vote with the signature of its voter.
fn signed(
    q: &Quorate,
    binding: &Binding,
    k: usize,
    seq: u64,
    asked: SessionVote,
    ballot: Ballot,
) -> SessionVote {
    let at = q.now();
    let vote = Vote {
        round: 1,
        voter_id: name(k).parse().unwrap(),
        seq,
        issued_at: at,
        ballot,
        score: 750_000,
        confidence: 1_000_000,
        claimed_weight: None,
        reasoning_hash: None,
    };
    let signature = Signature::new(key(k).sign(&vote.message(binding)).to_bytes());
    SessionVote {
        session_id: binding.session_id.clone(),
        voter_id: name(k).parse().unwrap(),
        round: Some(1),
        seq: Some(seq),
        issued_at: Some(at),
        score: Some(0.75),
        handle: None,
        signature: Some(signature),
        ..asked
    }
}

/// The certificate of a session that `n` voters could vote in, and as many voted as are needed.
async fn certificate(n: usize, asked: OpenSession, vote: fn(usize) -> (SessionVote, Ballot)) -> Value {
    let q = Quorate::open(Config::memory()).await.unwrap();
    register(&q, n).await;
    let opened = q.sessions().open(asked).await.unwrap();
    let binding = Binding {
        session_id: opened.session_id.clone(),
        electorate_hash: opened.electorate_hash,
        terms_hash: opened.terms_hash,
    };
    for k in 0..opened.agreement_threshold as usize {
        let (asked, ballot) = vote(k);
        q.sessions().vote(signed(&q, &binding, k, 1, asked, ballot)).await.unwrap();
    }
    let certificate =
        q.sessions().certificate(CertifySession { session_id: opened.session_id }).await.unwrap();
    serde_json::to_value(certificate).unwrap()
}

fn plain(vote: Option<Choice>) -> SessionVote {
    let id = "s".parse().unwrap();
    SessionVote { vote, ..SessionVote::new(&id, "v", Choice::For, "").unwrap() }
}

/// Four voters whose powers were learned; the first one's key took the place of another, by the signature of that one.
async fn learned() -> Value {
    let q = Quorate::open(Config::memory()).await.unwrap();
    let public = |k| PublicKey::new(key(k).verifying_key().to_bytes());
    q.voters().register(RegisterVoter::new(&name(0)).unwrap().signing(public(50))).await.unwrap();
    for k in 1..4 {
        q.voters().register(RegisterVoter::new(&name(k)).unwrap().signing(public(k))).await.unwrap();
    }
    let voter_id: quorate::VoterId = name(0).parse().unwrap();
    let rotate = async |by: usize| {
        let message = rotation_message(&voter_id, 2, &public(50), &public(0));
        let signature = Some(Signature::new(key(by).sign(&message).to_bytes()));
        let (voter_id, public_key) = (voter_id.clone(), public(0));
        q.voters().rotate(RotateKey { voter_id, public_key, signature, by: None, reason: None }).await
    };
    assert_eq!(rotate(0).await.unwrap_err().kind().name(), "invalid_argument");
    assert_eq!(rotate(50).await.unwrap().key_version, 2);
    for question in ["g1", "g2", "g3", "g4", "g5"] {
        let truth = TellTruth {
            session_id: None,
            question_id: question.parse().ok(),
            truth: "for".parse().unwrap(),
            answers: Some((0..4).map(|k| (name(k).parse().unwrap(), "for".parse().unwrap())).collect()),
            score: None,
            ratings: None,
            by: None,
        };
        q.voters().feedback(truth).await.unwrap();
    }
    let asked = OpenSession { weights: Some("factors".into()), ..OpenSession::new(json!("deploy")) };
    let opened = q.sessions().open(asked).await.unwrap();
    let binding = Binding {
        session_id: opened.session_id.clone(),
        electorate_hash: opened.electorate_hash,
        terms_hash: opened.terms_hash,
    };
    for k in 0..3 {
        let vote = signed(&q, &binding, k, 1, plain(Some(Choice::For)), Ballot::Approve(Choice::For));
        q.sessions().vote(vote).await.unwrap();
    }
    let session_id = opened.session_id;
    let certificate = q.sessions().certificate(CertifySession { session_id }).await.unwrap();
    serde_json::to_value(certificate).unwrap()
}

/// Of four voters, of whom the first handed its place on, and the one who took it did too.
async fn handed_on() -> Value {
    let q = Quorate::open(Config::memory()).await.unwrap();
    register(&q, 6).await;
    let four: Vec<String> = (0..4).map(name).collect();
    let asked = OpenSession::new(json!("deploy")).to(four.iter().map(String::as_str)).unwrap();
    let opened = q.sessions().open(asked).await.unwrap();
    let binding = Binding {
        session_id: opened.session_id.clone(),
        electorate_hash: opened.electorate_hash,
        terms_hash: opened.terms_hash,
    };
    for (from, to) in [(0, 4), (4, 5)] {
        let (issued_at, public) = (q.now(), PublicKey::new(key(to).verifying_key().to_bytes()));
        let given = Delegation {
            from: name(from).parse().unwrap(),
            to: name(to).parse().unwrap(),
            public_key: Some(public),
            issued_at,
        };
        let signature = Signature::new(key(from).sign(&given.message(&binding)).to_bytes());
        let hand = DelegateSession {
            session_id: binding.session_id.clone(),
            from: given.from,
            to: given.to,
            reason: None,
            issued_at: Some(issued_at),
            handle: None,
            signature: Some(signature),
        };
        q.sessions().delegate(hand).await.unwrap();
    }
    for k in [5, 1, 2] {
        let vote = signed(&q, &binding, k, 1, plain(Some(Choice::For)), Ballot::Approve(Choice::For));
        q.sessions().vote(vote).await.unwrap();
    }
    let asked = CertifySession { session_id: binding.session_id };
    serde_json::to_value(q.sessions().certificate(asked).await.unwrap()).unwrap()
}

/// Changes after which no certificate with places in other hands holds.
const HANDED: [Change; 8] = [
    ("no delegation", |c| drop(c["delegations"].as_array_mut().unwrap().pop())),
    ("not the first one", |c| drop(c["delegations"].as_array_mut().unwrap().remove(0))),
    ("another order", |c| c["delegations"].as_array_mut().unwrap().swap(0, 1)),
    ("to one who is asked", |c| c["delegations"][1]["to"] = name(1).into()),
    ("of another place", |c| c["delegations"][0]["from"] = name(3).into()),
    ("at another time", |c| c["delegations"][0]["issued_at_us"] = 0.into()),
    ("under the key of another", |c| {
        c["delegations"][1]["public_key"] = c["electorate"][1]["public_key"].clone()
    }),
    ("with another signature", |c| {
        c["delegations"][0]["signature"] = c["delegations"][1]["signature"].clone()
    }),
];

/// Of a hundred voters, for and against; of seven, by scores of candidates; of four whose powers were learned; of four, with
/// places in other hands.
async fn certificates() -> Vec<Value> {
    let approved = certificate(100, OpenSession::new(json!({ "deploy": "é" })), |_| {
        (plain(Some(Choice::For)), Ballot::Approve(Choice::For))
    });
    let candidates = ["a", "窓"].map(|name| name.parse().unwrap());
    let by_scores = OpenSession {
        candidates: Some(candidates.to_vec()),
        ballot_type: Some(quorate::AskedBallot::Scores),
        fault_tolerance: Some(1),
        ..OpenSession::new(json!(null))
    };
    let scored = certificate(7, by_scores, |_| {
        let [a, b] = ["a", "窓"].map(|name| name.parse::<quorate::CandidateId>().unwrap());
        let asked = SessionVote { scores: Some([(a.clone(), 0.5), (b.clone(), 0.25)].into()), ..plain(None) };
        (asked, Ballot::Scores([(a, 500_000), (b, 250_000)].into()))
    });
    vec![approved.await, scored.await, learned().await, handed_on().await]
}

type Change = (&'static str, fn(&mut Value));

type Rewrite = fn(&str) -> String;

/// Texts that are no certificate of the format, whatever their votes prove: made from the text of a good one.
const FOREIGN: [(&str, Rewrite); 8] = [
    ("an unknown field", |text| text.replacen('{', "{\"note\":1,", 1)),
    ("an unknown field of a voter", |text| text.replacen("{\"voter_id\"", "{\"note\":1,\"voter_id\"", 1)),
    ("an unknown field of the rule", |text| text.replacen("{\"basis\"", "{\"note\":1,\"basis\"", 1)),
    ("an unknown field of the terms", |text| text.replacen("{\"proposal\"", "{\"note\":1,\"proposal\"", 1)),
    ("a version with a point", |text| text.replace("\"version\":1,", "\"version\":1.0,")),
    ("a field twice", |text| text.replacen('{', "{\"version\":1,", 1)),
    ("a key in capitals", |text| text.replacen("\"public_key\":\"d75a", "\"public_key\":\"D75A", 1)),
    ("a number as text", |text| text.replace("\"round\":1,", "\"round\":\"1\",")),
];

/// Changes after which one that names its source of powers does not hold.
const LEARNED: [Change; 4] = [
    ("another version of the source", |c| c["weights"]["version"] = 2.into()),
    ("more answers", |c| c["weights"]["answers"] = 1_000.into()),
    ("no source", |c| drop(c.as_object_mut().unwrap().remove("weights"))),
    ("another version of the key", |c| c["electorate"][0]["key_version"] = 3.into()),
];

fn changes(good: &Value) -> impl Iterator<Item = Change> {
    let more: &[Change] = if good.get("weights").is_some() { &LEARNED } else { &[] };
    CHANGES.into_iter().chain(more.iter().copied())
}

/// Changes after which no certificate holds.
const CHANGES: [Change; 9] = [
    ("another session", |c| c["session_id"] = "other".into()),
    ("another outcome", |c| c["outcome"] = "rejected".into()),
    ("more power", |c| c["electorate"][0]["power"] = 2_000_000.into()),
    ("a smaller quorum", |c| c["rule"]["heads"] = 1.into()),
    ("other terms", |c| c["terms"]["proposal"] = "1".into()),
    ("a vote less", |c| drop(c["ballots"].as_array_mut().unwrap().pop())),
    ("a vote twice", |c| c["ballots"][1] = c["ballots"][0].clone()),
    ("another time", |c| c["ballots"][0]["issued_at_us"] = 0.into()),
    ("another signature", |c| c["ballots"][0]["signature"] = c["ballots"][1]["signature"].clone()),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_holds_without_the_store_and_no_changed_one_does() {
    for good in certificates().await {
        let written = good.to_string();
        assert!(written.len() <= 64 << 10, "{} bytes", written.len());
        let (_folder, path) = file(&written);
        let told = run(&["verify-certificate", text(&path), "--json"]).ok().json();
        assert_eq!((&told["valid"], &told["signed_heads"]), (&true.into(), &good["rule"]["heads"]));
        assert!(run(&["verify-certificate", text(&path)]).ok().out().contains("valid"));
        for (what, change) in changes(&good) {
            let mut changed = good.clone();
            change(&mut changed);
            let (_folder, path) = file(changed.to_string());
            let ran = run(&["verify-certificate", text(&path), "--json"]);
            assert_eq!(ran.code(), 18, "{what}");
            assert_eq!(ran.json()["error"]["kind"], "integrity_violation", "{what}");
        }
        for (what, foreign) in FOREIGN {
            let text_of = foreign(&written);
            assert_ne!(text_of, written, "{what}");
            let (_folder, path) = file(text_of);
            assert_eq!(run(&["verify-certificate", text(&path), "--json"]).code(), 2, "{what}");
        }
    }
    let (_folder, path) = file("{\"format\":1}");
    assert_eq!(run(&["verify-certificate", text(&path)]).code(), 2);
    assert_eq!(run(&["verify-certificate", "no/such/file"]).code(), 2);
}

/// The other verifier is Python, written from the page on the format.
#[tokio::test(flavor = "multi_thread")]
async fn another_verifier_in_another_language_says_the_same() {
    let python = |argument: &str| {
        let script = project("examples/verify_certificate.py");
        Command::new("python3").arg(script).arg(argument).output()
    };
    let available = Command::new("python3").args(["-c", "import cryptography"]).output();
    if !available.is_ok_and(|ran| ran.status.success()) {
        eprintln!(
            "SKIPPED: python3 with the package cryptography is not there; the second verifier was not run"
        );
        return;
    }
    let lines = std::fs::read_to_string(project("examples/verify_certificate.py")).unwrap().lines().count();
    assert!(lines <= 200, "{lines}");
    assert!(python("--self-test").unwrap().status.success(), "the published vectors");
    for good in certificates().await {
        let (_folder, path) = file(good.to_string());
        let ran = python(text(&path)).unwrap();
        assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
        for (what, change) in changes(&good) {
            let mut changed = good.clone();
            change(&mut changed);
            let (_folder, path) = file(changed.to_string());
            let ran = python(text(&path)).unwrap();
            assert_eq!(ran.status.code(), Some(18), "{what}: {}", String::from_utf8_lossy(&ran.stderr));
        }
        for (what, foreign) in FOREIGN {
            let (_folder, path) = file(foreign(&good.to_string()));
            let ran = python(text(&path)).unwrap();
            assert_eq!(ran.status.code(), Some(2), "{what}: {}", String::from_utf8_lossy(&ran.stderr));
        }
    }
    let (_folder, path) = file("{\"format\":1}");
    assert_eq!(python(text(&path)).unwrap().status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_rests_on_a_proven_liar_is_not_safe_and_its_certificate_is_refused_for_that() {
    let q = Quorate::open(Config::memory()).await.unwrap();
    register(&q, 4).await;
    let opened = q.sessions().open(OpenSession::new(json!("deploy"))).await.unwrap();
    let session_id = opened.session_id.clone();
    let binding = Binding {
        session_id: session_id.clone(),
        electorate_hash: opened.electorate_hash,
        terms_hash: opened.terms_hash,
    };
    let result = async || {
        let result = q.sessions().result(session_id.clone().into()).await.unwrap();
        serde_json::to_value(result).unwrap()
    };
    for k in 0..3 {
        let vote = signed(&q, &binding, k, 1, plain(Some(Choice::For)), Ballot::Approve(Choice::For));
        q.sessions().vote(vote).await.unwrap();
    }
    let decided = result().await;
    assert_eq!((&decided["outcome"], &decided["byzantine_safe"]), (&"decided".into(), &true.into()));
    let other = signed(&q, &binding, 0, 2, plain(Some(Choice::Against)), Ballot::Approve(Choice::Against));
    q.sessions().vote(other).await.unwrap_err();
    let tainted = result().await;
    assert_eq!((&tainted["decision_tainted"], &tainted["byzantine_safe"]), (&true.into(), &false.into()));
    let refused = q.sessions().certificate(CertifySession { session_id }).await.unwrap_err().to_json();
    let said = refused["message"].as_str().unwrap();
    assert!(said.contains("does not stand without voters that were proven to lie"), "{said}");
    assert_eq!(
        (&refused["kind"], &refused["malicious_agents"]),
        (&"not_certifiable".into(), &json!([name(0)]))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_tells_who_voted_in_whose_place_and_no_changed_one_holds() {
    let good = handed_on().await;
    assert_eq!(good["delegations"].as_array().unwrap().len(), 2);
    let (_folder, path) = file(good.to_string());
    let told = run(&["verify-certificate", text(&path), "--json"]).ok().json();
    assert_eq!(told["in_place_of"], json!({ name(5): name(0) }));
    let python = |path: &str| {
        let script = project("examples/verify_certificate.py");
        Command::new("python3").arg(script).arg(path).output().unwrap()
    };
    let available = Command::new("python3").args(["-c", "import cryptography"]).output();
    let available = available.is_ok_and(|ran| ran.status.success());
    if available {
        let said = String::from_utf8(python(text(&path)).stdout).unwrap();
        assert!(said.contains(&format!("{} for {}", name(5), name(0))), "{said}");
    } else {
        eprintln!("SKIPPED: the second verifier was not run");
    }
    for (what, change) in HANDED {
        let mut changed = good.clone();
        change(&mut changed);
        let (_folder, path) = file(changed.to_string());
        assert_eq!(run(&["verify-certificate", text(&path), "--json"]).code(), 18, "{what}");
        if available {
            assert_eq!(python(text(&path)).status.code(), Some(18), "{what}");
        }
    }
}

/// Measured, not asserted: the machine may be busy with other things.
#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_a_check_is_told() {
    let good = certificates().await.remove(0).to_string();
    let begun = Stopwatch::start();
    quorate::session::check_certificate(&good).unwrap();
    println!("67 signatures of 100 voters, {} bytes: {:?}", good.len(), begun.elapsed());
}
