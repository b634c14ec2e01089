//! What sessions cost to compute: a decision, a vote with and without a signature, a weight, a look for patterns, a choice,
//! and a thousand sessions at the same time. Without store and door.
//!
//! `cargo bench -p quorate-core --bench sessions`

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ed25519_dalek::{Signer, SigningKey};
use quorate_core::kernel::driver::Driver;
use quorate_core::kernel::ids::{EntityId, VoterId};
use quorate_core::kernel::time::Timestamp;
use quorate_core::voting::emergence::{Round, Scene, Vote as Seen, scan};
use quorate_core::voting::reliability::factors::{Base, Conduct, Marked, Scored, Settings, Took, reckon};
use quorate_core::voting::rules::Choice;
use quorate_core::voting::selection::{self, CRITERIA, Candidate};
use quorate_core::voting::session::{
    Authentication, Ballot, BallotType, Basis, Beside, Cast, ClosePolicy, Command, Credential, Elector, Open,
    Proof, Revision, SessionMachine, SwitchPolicy, Terms, Threshold, Vote,
};
use quorate_core::voting::signature::{Domain, PublicKey, Signature};

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn voter(k: usize) -> VoterId {
    VoterId::new(format!("voter-{k:04}")).unwrap()
}

fn key(k: usize) -> SigningKey {
    SigningKey::from_bytes(&std::array::from_fn(|at| (k >> (8 * (at % 8))) as u8 ^ 0x5a))
}

fn opened(name: &str, n: usize, signs: bool) -> Driver<SessionMachine> {
    let elector = |k: usize| {
        let public_key = signs.then(|| PublicKey::new(key(k).verifying_key().to_bytes()));
        let handle_hash = (!signs).then(|| Domain::Handle.hash(&k.to_be_bytes()));
        let credential = Credential { public_key, handle_hash };
        Elector { voter_id: voter(k), credential, power: 1_000_000, uncapped: 1_000_000 }
    };
    let terms = Terms {
        proposal: "\"deploy\"".into(),
        ballot_type: BallotType::Approve,
        candidates: Vec::new(),
        rounds: 1,
        switch_policy: SwitchPolicy::Allow,
        close_policy: ClosePolicy::OnQuorum,
        revision: Revision::Final,
        authentication: Authentication::Required,
        commit_reveal: false,
        power_cap: false,
    };
    let open = Open {
        session_id: EntityId::new(name).unwrap(),
        terms,
        electors: (0..n).map(elector).collect(),
        basis: Basis::Both,
        threshold: Threshold::Strict,
        declared_faults: None,
        max_voters: 1_024,
        context: None,
        timeout: Duration::from_secs(30),
        round_timeout: None,
        commit_timeout: None,
        keyed: None,
        beside: Beside::default(),
        remind_every: None,
    };
    let mut session = Driver::default();
    session.step(Command::Open(Box::new(open)), at(0)).reply.unwrap();
    session
}

fn cast(session: &Driver<SessionMachine>, k: usize, signs: bool) -> Cast {
    let vote = Vote {
        round: 1,
        voter_id: voter(k),
        seq: 1,
        issued_at: at(1),
        ballot: Ballot::Approve(Choice::For),
        score: 1_000_000,
        confidence: 1_000_000,
        claimed_weight: None,
        reasoning_hash: None,
    };
    let proof = if signs {
        let message = vote.message(&session.state().binding().unwrap());
        let signature = Some(Signature::new(key(k).sign(&message).to_bytes()));
        Proof { signature, ..Proof::default() }
    } else {
        Proof { handle_hash: Some(Domain::Handle.hash(&k.to_be_bytes())), ..Proof::default() }
    };
    Cast::new(vote, proof)
}

/// All votes but the one that decides are in: what that one costs.
fn decisions(c: &mut Criterion) {
    let mut group = c.benchmark_group("decision, last needed vote by handle");
    for n in [10, 20, 50] {
        let mut session = opened("s", n, false);
        for k in 0..2 * n / 3 {
            let cast = cast(&session, k, false);
            session.step(Command::Vote(Box::new(cast)), at(1)).reply.unwrap();
        }
        assert!(session.state().outcome().is_none());
        let last = cast(&session, 2 * n / 3, false);
        let state = session.state().clone();
        let ready = || (Driver::<SessionMachine>::default().restore(state.clone(), 9), last.clone());
        group.bench_function(BenchmarkId::from_parameter(n), |bencher| {
            bencher.iter_batched(
                ready,
                |(mut session, last)| {
                    session.step(Command::Vote(Box::new(last)), at(2)).reply.unwrap();
                    assert!(session.state().outcome().is_some());
                    session
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
    let mut group = c.benchmark_group("whole session, all votes by handle");
    for n in [10, 20, 50] {
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::from_parameter(n), |bencher| {
            bencher.iter(|| {
                let mut session = opened("s", n, false);
                for k in 0..n {
                    let cast = cast(&session, k, false);
                    let _ = session.step(Command::Vote(Box::new(cast)), at(1));
                }
                assert!(session.state().outcome().is_some());
                session
            });
        });
    }
}

fn votes(c: &mut Criterion) {
    for (name, signs) in [("vote of 50, by handle", false), ("vote of 50, certified by a strict check", true)]
    {
        let session = opened("s", 50, signs);
        let first = cast(&session, 0, signs);
        let state = session.state().clone();
        let ready = || (Driver::<SessionMachine>::default().restore(state.clone(), 1), first.clone());
        c.bench_function(name, |bencher| {
            bencher.iter_batched(
                ready,
                |(mut session, first)| {
                    session.step(Command::Vote(Box::new(first)), at(2)).reply.unwrap();
                    session
                },
                BatchSize::SmallInput,
            );
        });
    }
}

/// One voter with a full record of 200 judgements within the window.
fn weights(c: &mut Criterion) {
    let times = || (0..200).map(|k| at(k * 60_000));
    let mark = |(k, at): (usize, Timestamp)| Marked { at, good: !k.is_multiple_of(4) };
    let marks: Vec<Marked> = times().enumerate().map(mark).collect();
    let conduct = Conduct {
        outcomes: times().map(|at| Scored { at, score: 0.7, context: None }).collect(),
        duties: marks.clone(),
        answers: marks.clone(),
        took: times()
            .map(|at| Took { at, latency: Duration::from_secs(3), deadline: Duration::from_secs(30) })
            .collect(),
        used: Vec::new(),
        votes: marks.clone(),
        effects: marks,
        bases: times().map(|at| Base { at, millionths: 600_000 }).collect(),
        bias: 0,
    };
    let settings = Settings { window: Duration::from_secs(24 * 3_600), ..Settings::default() };
    let few = Conduct {
        outcomes: conduct.outcomes[..10].to_vec(),
        duties: conduct.duties[..10].to_vec(),
        answers: conduct.answers[..10].to_vec(),
        took: conduct.took[..10].to_vec(),
        used: Vec::new(),
        votes: conduct.votes[..10].to_vec(),
        effects: conduct.effects[..10].to_vec(),
        bases: conduct.bases[..10].to_vec(),
        bias: 0,
    };
    for (name, conduct) in
        [("weight of a voter, 10 samples a measure", &few), ("weight of a voter, 200", &conduct)]
    {
        c.bench_function(name, |bencher| {
            bencher.iter(|| reckon(black_box(conduct), at(200 * 60_000), &settings).unwrap());
        });
    }
}

fn patterns(c: &mut Criterion) {
    let vote = |k: usize| Seen {
        voter: voter(k),
        option: u32::from(k.is_multiple_of(3)),
        score: (k * 37 % 100) as f64 / 100.0,
        at: at((k * k * 13 % 30_000) as i64),
    };
    let votes: Vec<Seen> = (0..100).map(vote).collect();
    let scene = Scene {
        rounds: vec![Round { opened: at(0), votes }],
        winner: Some(0),
        powers: (0..100).map(|k| (voter(k), 1_000_000)).collect(),
        ..Scene::default()
    };
    c.bench_function("scan of 100 votes", |bencher| bencher.iter(|| scan(black_box(&scene), 0.8).unwrap()));
}

fn choices(c: &mut Criterion) {
    let candidate = |k: usize| Candidate {
        id: EntityId::from(&voter(k)),
        kind: format!("kind-{}", k % 7),
        fitness: 0.6 + (k % 40) as f64 / 100.0,
        metrics: CRITERIA.iter().map(|one| (one.name.to_owned(), (k * 31 % 100) as f64 / 100.0)).collect(),
        traits: BTreeMap::from([("cooperation".to_owned(), (k % 10) as f64 / 10.0)]),
    };
    let candidates: Vec<Candidate> = (0..100).map(candidate).collect();
    let settings = selection::Settings { maximum: 10, ..selection::Settings::default() };
    c.bench_function("choice of 10 among 100 candidates", |bencher| {
        bencher.iter(|| selection::select(black_box(&candidates), &settings).unwrap());
    });
}

/// A vote in each of a thousand open sessions of ten voters, in turn, until all have decided.
fn many(c: &mut Criterion) {
    let sessions: Vec<Driver<SessionMachine>> =
        (0..1_000).map(|k| opened(&format!("s{k}"), 10, false)).collect();
    let casts: Vec<Cast> = (0..7).map(|k| cast(&sessions[0], k, false)).collect();
    let states: Vec<_> = sessions.iter().map(|session| session.state().clone()).collect();
    let ready = || -> Vec<Driver<SessionMachine>> {
        states.iter().map(|state| Driver::default().restore(state.clone(), 1)).collect()
    };
    let mut group = c.benchmark_group("a thousand sessions at the same time");
    group.sample_size(10).throughput(Throughput::Elements(7_000));
    group.bench_function("7 votes in each, in turn", |bencher| {
        bencher.iter_batched(
            ready,
            |mut sessions| {
                for cast in &casts {
                    for session in &mut sessions {
                        session.step(Command::Vote(Box::new(cast.clone())), at(1)).reply.unwrap();
                    }
                }
                assert!(sessions.iter().all(|session| session.state().outcome().is_some()));
                sessions
            },
            BatchSize::LargeInput,
        );
    });
}

criterion_group!(sessions, decisions, votes, weights, patterns, choices, many);
criterion_main!(sessions);
