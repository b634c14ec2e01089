//! What is left when the store fails? A scripted run is repeated once for every store call and every way it can
//! fail, then recovered from what survived.
//!
//! Checked each time: what was acknowledged is there; live state equals the fold of the surviving journal; no vote
//! is counted twice; one close per quorum at most; the chains verify; and running the script again ends as if
//! nothing had happened.

#[path = "../support/books.rs"]
mod books;
mod capacity;
mod jobs;
#[path = "../support/work.rs"]
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use quorate::{Error, ErrorKind, Quorate, StartQuorum, Vote};
use quorate_core::kernel::ids::EntityId;
use quorate_core::kernel::time::Timestamp;
use quorate_core::voting::rules::{Choice, Param};
use quorate_journal::stores::faulty::{FaultKind, FaultyStore};
use quorate_journal::stores::memory::MemoryStore;
use quorate_runtime::api::dto::{
    CancelQuorum, ConsensusRef, ConsensusResult, ConsensusVote, EntityHistory, HistoryQuery, PastState,
    QuorumStatus, RegisterAgent, RegisterAlgorithm, RegisterAuthority, RegisterCell, RequestConsensus,
    StateAt, id,
};
use quorate_runtime::config::{ClockConfig, Config};

/// One line of the script, so that it can be told what was acknowledged.
#[derive(Clone, Debug)]
enum Op {
    Cell(&'static str, &'static [&'static str]),
    Authority(&'static str),
    Start(&'static str, &'static str, Option<f64>, bool),
    Vote(&'static str, &'static str, bool),
    Cancel(&'static str),
    Advance(u64),
    Agent(&'static str),
    Algorithm(&'static str, &'static str),
    Ask(&'static str, Option<&'static str>, i64),
    Answer(&'static str, &'static str, Choice),
    Capacity(capacity::Act),
    Job(jobs::Act),
}

/// Enough to pass every kind of transition: all ends, a change, an outsider, a late vote, a fallback, a snapshot.
fn script() -> Vec<Op> {
    let mut ops = vec![
        Op::Cell("hub", &["a", "b", "c"]),
        Op::Authority("chief"),
        Op::Start("yes", "local", None, false),
        Op::Vote("yes", "a", true),
        Op::Vote("yes", "stranger", true),
        Op::Vote("yes", "b", false),
        Op::Vote("yes", "b", true),
        Op::Vote("yes", "c", true),
        Op::Start("no", "local", None, false),
        Op::Vote("no", "a", false),
        Op::Vote("no", "b", false),
        Op::Start("slow", "local", Some(1.0), true),
        Op::Vote("slow", "a", true),
        Op::Start("gone", "global", None, false),
        Op::Cancel("gone"),
        Op::Advance(1_001),
        Op::Vote("slow", "b", true),
        Op::Start("flip", "global", None, false),
    ];
    for n in 0..17 {
        ops.push(Op::Vote("flip", "nobody", n % 2 == 0));
    }
    ops.push(Op::Vote("flip", "chief", true));
    ops
}

/// All ends of proposals: nobody to ask, decided by the first vote, approved, rejected, a change, a stranger, late, timed out, and
/// open to the end.
fn proposals() -> Vec<Op> {
    vec![
        Op::Ask("nobody", None, 1_000),
        Op::Agent("a"),
        Op::Agent("b"),
        Op::Agent("c"),
        Op::Algorithm("heavy", "weighted:2/3"),
        Op::Algorithm("three", "required:3"),
        Op::Ask("hopeless", Some("three"), 1_000),
        Op::Answer("hopeless", "b", Choice::Against),
        Op::Ask("for", None, 1_000),
        Op::Answer("for", "a", Choice::For),
        Op::Answer("for", "stranger", Choice::For),
        Op::Answer("for", "a", Choice::Against),
        Op::Answer("for", "b", Choice::For),
        Op::Answer("for", "c", Choice::For),
        Op::Ask("against", Some("heavy"), 1_000),
        Op::Answer("against", "c", Choice::Abstain),
        Op::Ask("silent", Some("heavy"), 1_000),
        Op::Answer("silent", "a", Choice::For),
        Op::Advance(1_001),
        Op::Answer("silent", "b", Choice::For),
        Op::Ask("lasting", None, 300_000),
        Op::Answer("lasting", "b", Choice::Against),
    ]
}

const PROPOSALS: [&str; 6] = ["nobody", "hopeless", "for", "against", "silent", "lasting"];

/// The end of every proposal, without times: decision, why, heads, and who voted how.
type End = (String, Option<String>, [u64; 3], Vec<(String, Choice)>);

async fn proposal_ends(q: &Quorate) -> BTreeMap<String, End> {
    let mut ends = BTreeMap::new();
    for name in PROPOSALS {
        let Ok(p) = proposal(q, name).await else { continue };
        let heads = [p.votes_for, p.votes_against, p.votes_abstain];
        let votes = p.participants.iter().map(|who| (who.to_string(), p.votes[who].vote)).collect();
        ends.insert(name.to_owned(), (p.state, p.metadata.reason, heads, votes));
    }
    ends
}

async fn proposal(q: &Quorate, name: &str) -> Result<ConsensusResult, Error> {
    q.consensus().result(ConsensusRef { proposal_id: entity(name), wait_ms: None }).await
}

/// What all events of an entity come to.
async fn folded_to_the_end(q: &Quorate, kind: &str, name: &str) -> Result<PastState, Error> {
    let (kind, entity_id) = (Some(kind.to_owned()), entity(name));
    let log =
        EntityHistory { kind: kind.clone(), entity_id: entity_id.clone(), limit: Some(1), cursor: None };
    let seq = Some(q.history().entity(log).await?.revision);
    q.history().state_at(StateAt { entity_id, kind, seq, position: None, at: None }).await
}

/// What is acknowledged is there, nothing is there twice, live is the fold, and the counters are a recount.
async fn check_proposals(q: &Quorate, acknowledged: &[Op], case: &str) {
    assert!(q.history().verify(|_| ()).await.unwrap().ok, "{case}: chain");
    let query = HistoryQuery { limit: Some(1000), ..Default::default() };
    let events = q.history().query(query).await.unwrap().events;
    let mut closes: BTreeMap<String, u32> = BTreeMap::new();
    let mut votes: BTreeSet<(String, String)> = BTreeSet::new();
    let mut opened = 0;
    for event in events.iter().filter(|event| event.kind == "proposal") {
        let (id, voter) = (event.entity_id.to_string(), event.data["voter_id"].as_str().unwrap_or_default());
        match event.event.as_str() {
            "opened" => opened += 1,
            "closed" => *closes.entry(id).or_default() += 1,
            "vote_cast" => assert!(votes.insert((id, voter.into())), "{case}: twice: {event:?}"),
            _ => {}
        }
    }
    assert!(closes.values().all(|n| *n == 1), "{case}: {closes:?}");
    let stats = q.consensus().stats().await.unwrap();
    let ended = stats.total_proposals + stats.aborted;
    assert_eq!((ended, stats.votes), (closes.len() as u64, votes.len() as u64), "{case}: {stats:?}");
    assert_eq!(stats.active_proposals, opened - ended, "{case}");
    let history = q.consensus().history(Default::default()).await.unwrap();
    assert_eq!((history.total, history.total_available), (ended, ended), "{case}");
    for name in PROPOSALS {
        match (proposal(q, name).await, folded_to_the_end(q, "proposal", name).await) {
            (Ok(live), Ok(PastState::Proposal(folded))) => {
                let timeless = |p: ConsensusResult| ConsensusResult { duration_ms: 0.0, ..p };
                assert_eq!(timeless(live), timeless(*folded), "{case}: live state is not the fold");
            }
            (Err(a), Err(b)) => assert_eq!((a.kind(), b.kind()), (ErrorKind::NotFound, ErrorKind::NotFound)),
            (live, folded) => panic!("{case}: {name}: {live:?} but {folded:?}"),
        }
    }
    let agents = q.agents().list(Default::default()).await.unwrap().agents;
    let algorithms = q.algorithms().list().unwrap().algorithms;
    for op in acknowledged {
        let there = match op {
            Op::Ask(name, ..) => proposal(q, name).await.is_ok(),
            // A vote that was taken stands; one that was refused says so again.
            Op::Answer(name, who, choice) => {
                let vote = ConsensusVote::new(&entity(name), who, *choice).unwrap();
                !q.consensus().vote(vote).await.is_ok_and(|voted| voted.recorded)
            }
            Op::Agent(name) => agents.iter().any(|agent| agent.agent_id.as_str() == *name),
            Op::Algorithm(name, _) => algorithms.iter().any(|algorithm| algorithm.name == *name),
            _ => true,
        };
        assert!(there, "{case}: lost {op:?}");
    }
}

fn entity(name: &str) -> EntityId {
    EntityId::new(name).unwrap()
}

async fn run(q: &Quorate, op: &Op) -> Result<(), Error> {
    match op {
        Op::Cell(cell, neighbors) => {
            let neighbors: Result<_, _> = neighbors.iter().map(|n| id("neighbors", n)).collect();
            let request = RegisterCell {
                cell_id: id("cell_id", cell)?,
                neighbors: neighbors?,
                ring: None,
                arm: None,
                department: None,
            };
            q.cells().register(request).await.map(drop)
        }
        Op::Authority(who) => {
            q.cells().register_authority(RegisterAuthority { authority_id: id("a", who)? }).await.map(drop)
        }
        Op::Start(name, kind, timeout, fallback) => {
            let request = match *kind {
                "local" => StartQuorum::local(id("cell_id", "hub")?),
                _ => StartQuorum::global(),
            };
            let request = StartQuorum {
                quorum_id: Some(entity(name)),
                timeout_seconds: *timeout,
                cmp_fallback: Some(*fallback),
                ..request
            };
            q.quorums().start(request).await.map(drop)
        }
        Op::Vote(name, who, yes) => q.quorums().vote(Vote::new(&entity(name), who, *yes)?).await.map(drop),
        Op::Cancel(name) => {
            let request = CancelQuorum { quorum_id: entity(name), by: None, reason: None };
            q.quorums().cancel(request).await.map(drop)
        }
        Op::Advance(ms) => q.advance(Duration::from_millis(*ms)).await,
        Op::Agent(name) => q.agents().register(RegisterAgent::new(name)?).await.map(drop),
        Op::Algorithm(name, rule) => {
            let request = RegisterAlgorithm::new(name, Param::from(*rule));
            q.algorithms().register(request).await.map(drop)
        }
        Op::Ask(name, algorithm, timeout_ms) => {
            let request = RequestConsensus {
                proposal_id: Some(entity(name)),
                algorithm: algorithm.map(str::to_owned),
                ..RequestConsensus::new(serde_json::json!({ "name": name })).within_ms(*timeout_ms)
            };
            q.consensus().request(request).await.map(drop)
        }
        Op::Answer(name, who, choice) => {
            let vote = ConsensusVote::new(&entity(name), who, *choice)?;
            match q.consensus().vote(vote).await {
                // Said no, on record: the same attempt again is told the same.
                Err(e) if matches!(e.kind(), ErrorKind::ProposalClosed | ErrorKind::AlreadyVoted) => Ok(()),
                other => other.map(drop),
            }
        }
        Op::Capacity(act) => capacity::act(q, *act).await,
        Op::Job(act) => jobs::act(q, *act).await,
    }
}

fn config() -> Config {
    Config {
        clock: ClockConfig::Manual(Timestamp::EPOCH),
        seed: Some(1),
        snapshot_every: 16,
        entity_threads: 1,
        ..Config::memory()
    }
}

const QUORUMS: [&str; 5] = ["yes", "no", "slow", "gone", "flip"];

/// The end of every quorum: state and count, without times.
async fn ends(q: &Quorate) -> BTreeMap<String, (String, u32, u32, Vec<String>, String)> {
    let mut ends = BTreeMap::new();
    for name in QUORUMS {
        let Ok(s) = q.quorums().status(&entity(name)).await else { continue };
        let voters = s.valid_voters.iter().chain(&s.invalid_voters).map(ToString::to_string).collect();
        ends.insert(
            name.into(),
            (s.state.name().into(), s.approve_votes, s.reject_votes, voters, s.fallback),
        );
    }
    ends
}

async fn check_recovered(q: &Quorate, acknowledged: &[Op], case: &str) {
    assert!(q.history().verify(|_| ()).await.unwrap().ok, "{case}: chain");
    let events = q.history().query(HistoryQuery { limit: Some(1000), ..Default::default() }).await.unwrap();
    assert!(!events.more);
    let mut closes: BTreeMap<String, u32> = BTreeMap::new();
    let mut standing: BTreeMap<(String, String), bool> = BTreeMap::new();
    for event in &events.events {
        let quorum = event.entity_id.to_string();
        if event.event == "closed" {
            *closes.entry(quorum).or_default() += 1;
        } else if event.event == "vote_cast" {
            let voter = event.data["voter_id"].as_str().unwrap().to_owned();
            let vote = event.data["vote"].as_bool().unwrap();
            let before = standing.insert((quorum, voter), vote);
            assert_eq!(event.data["supersedes"], before.is_some(), "{case}: {event:?}");
            assert_ne!(before, Some(vote), "{case}: a vote was recorded twice: {event:?}");
        }
    }
    assert!(closes.values().all(|n| *n == 1), "{case}: {closes:?}");
    for name in QUORUMS {
        let live = q.quorums().status(&entity(name)).await;
        let folded = folded_to_the_end(q, "quorum", name).await.map(|past| match past {
            PastState::Quorum(past) => past,
            other => panic!("{case}: {name} is no quorum: {other:?}"),
        });
        match (live, folded) {
            (Ok(live), Ok(folded)) => {
                let timeless = |s: QuorumStatus| QuorumStatus { elapsed_seconds: 0.0, ..s };
                assert_eq!(timeless(live.clone()), timeless(*folded), "{case}: live state is not the fold");
                let naive = standing.iter().filter(|((quorum, voter), vote)| {
                    quorum == name && **vote && live.valid_voters.iter().any(|v| v.as_str() == voter)
                });
                assert_eq!(naive.count() as u32, live.approve_votes, "{case}: {name} counted wrongly");
            }
            (Err(a), Err(b)) => assert_eq!((a.kind(), b.kind()), (ErrorKind::NotFound, ErrorKind::NotFound)),
            (live, folded) => panic!("{case}: {name}: {live:?} but {folded:?}"),
        }
    }
    for op in acknowledged {
        match op {
            Op::Start(name, ..) => {
                q.quorums()
                    .status(&entity(name))
                    .await
                    .unwrap_or_else(|e| panic!("{case}: lost {op:?}: {e}"));
            }
            Op::Vote(name, who, _) => {
                let s = q.quorums().status(&entity(name)).await.unwrap();
                let mut voters = s.valid_voters.iter().chain(&s.invalid_voters);
                assert!(voters.any(|v| v.as_str() == *who), "{case}: lost {op:?}");
            }
            Op::Cancel(name) => {
                let s = q.quorums().status(&entity(name)).await.unwrap();
                assert_eq!(s.state.name(), "cancelled", "{case}: lost {op:?}");
            }
            _ => {}
        }
    }
}

/// Opens with faults, runs the script as far as it goes, and says what was acknowledged and how many calls it took.
async fn faulty_run(script: &[Op], disk: &MemoryStore, call: u64, kind: FaultKind) -> (Vec<Op>, u64) {
    let store = Arc::new(FaultyStore::with_fault(Arc::new(disk.reopen()), call, kind));
    let mut acknowledged = Vec::new();
    if let Ok(q) = Quorate::open_with(config(), store.clone()).await {
        'script: for op in script.iter().cloned() {
            // A caller that is told to try again does; a store that refuses for good ends the run.
            for attempt in 0.. {
                match run(&q, &op).await {
                    Ok(()) => {
                        acknowledged.push(op);
                        break;
                    }
                    // Refused for good, and on record.
                    Err(error)
                        if matches!(
                            error.kind(),
                            ErrorKind::QuorumClosed
                                | ErrorKind::QuorumTimeout
                                | ErrorKind::ProposalClosed
                                | ErrorKind::NotEligible
                                | ErrorKind::AlreadyVoted
                        ) =>
                    {
                        break;
                    }
                    Err(error) if attempt > 0 && error.kind() == ErrorKind::AlreadyExists => break,
                    Err(error) => {
                        assert!(error.is_retryable(), "call {call} {kind:?}: {op:?}: {error}");
                        if attempt == 3 {
                            break 'script;
                        }
                    }
                }
            }
        }
        q.crash().await;
    }
    (acknowledged, store.calls())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_store_call_may_fail_in_every_way_and_nothing_acknowledged_is_lost() {
    let calm = MemoryStore::new();
    let (_, calls) = faulty_run(&script(), &calm, u64::MAX, FaultKind::FailBefore).await;
    let q = Quorate::open_with(config(), Arc::new(calm.reopen())).await.unwrap();
    let expected = ends(&q).await;
    assert_eq!(expected.len(), QUORUMS.len());
    q.crash().await;
    assert!(calls > 50, "the script reaches the store {calls} times");

    let mut cases = 0;
    for call in 1..=calls {
        for kind in FaultKind::ALL {
            let case = format!("call {call} of {calls} {kind:?}");
            let disk = MemoryStore::new();
            let (acknowledged, _) = faulty_run(&script(), &disk, call, kind).await;
            let q = Quorate::open_with(config(), Arc::new(disk.reopen())).await.unwrap();
            check_recovered(&q, &acknowledged, &case).await;
            // Everything may be repeated. Votes that flip are set aside: repeating a change is a new change.
            for op in script().into_iter().filter(|op| !matches!(op, Op::Vote("flip", "nobody", _))) {
                if let Err(error) = run(&q, &op).await {
                    let repeat =
                        [ErrorKind::AlreadyExists, ErrorKind::QuorumClosed, ErrorKind::QuorumTimeout];
                    assert!(repeat.contains(&error.kind()), "{case}: again {op:?}: {error}");
                }
            }
            let again = ends(&q).await;
            for name in QUORUMS {
                assert_eq!(again[name].0, expected[name].0, "{case}: {name}");
            }
            q.crash().await;
            cases += 1;
        }
    }
    println!("{cases} faults, each recovered from");
}

#[tokio::test(flavor = "multi_thread")]
async fn proposals_end_as_if_no_store_call_had_failed() {
    let calm = MemoryStore::new();
    let (_, calls) = faulty_run(&proposals(), &calm, u64::MAX, FaultKind::FailBefore).await;
    let q = Quorate::open_with(config(), Arc::new(calm.reopen())).await.unwrap();
    let expected = proposal_ends(&q).await;
    let states: Vec<_> = PROPOSALS.iter().map(|name| expected[*name].0.as_str()).collect();
    assert_eq!(states, ["aborted", "rejected", "approved", "rejected", "timeout", "open"]);
    q.crash().await;
    assert!(calls > 30, "the script reaches the store {calls} times");

    let mut cases = 0;
    for call in 1..=calls {
        for kind in FaultKind::ALL {
            let case = format!("call {call} of {calls} {kind:?}");
            let disk = MemoryStore::new();
            let (acknowledged, _) = faulty_run(&proposals(), &disk, call, kind).await;
            let q = Quorate::open_with(config(), Arc::new(disk.reopen())).await.unwrap();
            check_proposals(&q, &acknowledged, &case).await;
            // From where it stopped; what was repeated already changes nothing.
            let rest = acknowledged.len().saturating_sub(1);
            for op in proposals().into_iter().skip(rest) {
                if let Err(error) = run(&q, &op).await {
                    let repeat = [
                        ErrorKind::AlreadyExists,
                        ErrorKind::NotEligible,
                        ErrorKind::AlreadyVoted,
                        ErrorKind::ProposalClosed,
                    ];
                    assert!(repeat.contains(&error.kind()), "{case}: again {op:?}: {error}");
                }
            }
            assert_eq!(proposal_ends(&q).await, expected, "{case}");
            check_proposals(&q, &proposals(), &case).await;
            q.crash().await;
            cases += 1;
        }
    }
    println!("{cases} faults, each recovered from");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_commit_nothing_is_acknowledged_and_everything_says_so() {
    let mut told_unknown = 0;
    for call in 1..40 {
        let disk = MemoryStore::new();
        let q = Quorate::open_with(config(), Arc::new(disk.reopen())).await.unwrap();
        run(&q, &Op::Start("before", "global", None, false)).await.unwrap();
        q.crash().await;
        let store = Arc::new(FaultyStore::with_fault(Arc::new(disk.reopen()), call, FaultKind::FailAfter));
        let Ok(q) = Quorate::open_with(config(), store).await else { continue };
        let first = run(&q, &Op::Start("next", "global", None, false)).await;
        if first.as_ref().is_err_and(|e| e.kind() == ErrorKind::OutcomeUnknown) {
            told_unknown += 1;
            assert_eq!(q.health().status, "failed");
            for op in [Op::Start("later", "global", None, false), Op::Vote("before", "x", true)] {
                assert_eq!(run(&q, &op).await.unwrap_err().kind(), ErrorKind::StoreError);
            }
            let status = q.quorums().status(&entity("before")).await;
            assert_eq!(status.unwrap_err().kind(), ErrorKind::StoreError);
            assert_eq!(q.quorums().stats().await.unwrap_err().kind(), ErrorKind::StoreError);
            let history = q.quorums().history(Default::default()).await;
            assert_eq!(history.unwrap_err().kind(), ErrorKind::StoreError);
        }
        q.crash().await;
    }
    assert_eq!(told_unknown, 1, "exactly one call is the commit of the start");
}
