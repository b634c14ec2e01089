//! Killed at any instant: a decision is used no more often than it may be, and nothing acts behind a stop.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use quorate::{
    AllowedOperation, Choice, ConsensusVote, EngageStop, ErrorKind, Quorate, RegisterAgent, RequestConsensus,
    SpendConsensus, StartQuorum, StopScope, Vote, id,
};
use quorate_core::kernel::ids::{EntityId, StreamKind};
use quorate_core::kernel::rng::Rng;
use quorate_core::trust::stop::{self, Acting, Scope};
use quorate_core::voting::mandate::Spent;
use quorate_core::voting::proposal::{self, Verdict};
use quorate_core::voting::quorum;
use quorate_journal::Store;
use quorate_journal::codec::decode;
use quorate_journal::stores::sled::SledStore;
use serde_json::json;

use crate::child::config;

const FOLDER: &str = "QUORATE_APPROVALS_FOLDER";
const LIFE: &str = "QUORATE_APPROVALS_LIFE";
const LIVES: usize = 12;

fn tell(line: &str) {
    // One write call, so that a kill cuts a line off but never mixes two.
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(format!("ACK {line}\n").as_bytes());
    let _ = out.flush();
}

async fn decide(q: &Quorate, proposal: &EntityId, yes: bool) {
    let operation = AllowedOperation::once("pay", json!({ "eur": 7 })).unwrap();
    let request = RequestConsensus {
        wait: Some(false),
        proposal_id: Some(proposal.clone()),
        operation: Some(operation),
        ..RequestConsensus::new(json!("pay?"))
    };
    q.consensus().request(request).await.unwrap();
    let choice = if yes { Choice::For } else { Choice::Against };
    for agent in ["ann", "bob"] {
        drop(q.consensus().vote(ConsensusVote::new(proposal, agent, choice).unwrap()).await);
    }
}

async fn spend(q: Quorate, proposal: EntityId, key: String, yes: bool) {
    let request = SpendConsensus {
        proposal_id: proposal.clone(),
        key: id("key", &key).unwrap(),
        operation_hash: None,
        tool: Some(id("tool", "pay").unwrap()),
        arguments: Some(json!({ "eur": 7 })),
        fence: None,
        by: None,
    };
    match q.consensus().spend(request).await {
        Ok(spent) if yes => tell(&format!("spent {proposal} {key} {}", spent.spend_token)),
        Ok(_) => panic!("a refusal was used"),
        Err(e) => assert!(matches!(e.kind(), ErrorKind::AlreadySpent | ErrorKind::NotApproved), "{e}"),
    }
}

/// Does nothing unless it was started by the test below.
#[tokio::test(flavor = "multi_thread")]
async fn the_child_spends_and_stops_until_it_is_killed() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let life = std::env::var(LIFE).unwrap();
    let q = Quorate::open(config(Path::new(&folder))).await.unwrap();
    for agent in ["ann", "bob"] {
        q.agents().register(RegisterAgent::new(agent).unwrap()).await.unwrap();
    }
    let lasting = StartQuorum {
        quorum_id: Some(id("q", "q").unwrap()),
        required_votes: Some(90_000),
        timeout_seconds: Some(3_600.0),
        ..StartQuorum::global()
    };
    drop(q.quorums().start(lasting).await);
    tell("open");
    for n in 0.. {
        let proposal = id("proposal_id", &format!("p-{life}-{n}")).unwrap();
        let yes = n % 4 != 3;
        decide(&q, &proposal, yes).await;
        let mut tasks: Vec<_> = (0..3)
            .map(|k| tokio::spawn(spend(q.clone(), proposal.clone(), format!("k{}", k % 2), yes)))
            .collect();
        let (voter, voting) = (format!("v-{life}-{n}"), q.clone());
        // Something stands before the stop, however the race ends.
        let first = Vote::new(&id("q", "q").unwrap(), &voter, true).unwrap();
        q.quorums().vote(first).await.unwrap();
        let acting = voter.clone();
        tasks.push(tokio::spawn(async move {
            for yes in [false, true, false] {
                let vote = Vote::new(&id("q", "q").unwrap(), &acting, yes).unwrap();
                if let Err(e) = voting.quorums().vote(vote).await {
                    assert_eq!(e.kind(), ErrorKind::Stopped, "{e}");
                }
            }
        }));
        let stop = EngageStop {
            stop_id: Some(id("stop_id", &format!("s-{life}-{n}")).unwrap()),
            scope: StopScope::party(id("party", &voter).unwrap()),
            release_voters: vec![id("v", "ann").unwrap()],
            release_need: None,
            by: None,
            reason: None,
        };
        let engaged = q.stops().engage(stop).await.unwrap();
        tell(&format!("stop {}", engaged.stop_id));
        for task in tasks {
            task.await.unwrap();
        }
    }
}

/// What the journal says was used, and in which order things stand in it.
#[derive(Default)]
struct Read {
    ended: BTreeMap<EntityId, Verdict>,
    spent: BTreeMap<EntityId, Vec<Spent>>,
    in_force: BTreeMap<EntityId, Scope>,
    acts: usize,
}

impl Read {
    async fn of(folder: &Path) -> Self {
        let options = config(folder).store_options;
        let store = SledStore::open(&options).unwrap();
        let (mut read, mut after) = (Read::default(), 0);
        loop {
            let page = store.scan(after, 4_096).await.unwrap();
            let Some(last) = page.last() else { return read };
            after = last.position;
            for record in &page {
                let id = record.stream.id.clone();
                match record.stream.kind {
                    StreamKind::Proposal => match decode::<proposal::Event>(&record.payload).unwrap() {
                        proposal::Event::Closed(closed) => drop(read.ended.insert(id, closed.decision)),
                        proposal::Event::Spent(spent) => {
                            assert_eq!(
                                read.ended.get(&id),
                                Some(&Verdict::Approved),
                                "{id} was not approved"
                            );
                            read.spent.entry(id).or_default().push(*spent);
                        }
                        _ => {}
                    },
                    StreamKind::Stops => match decode::<stop::Event>(&record.payload).unwrap() {
                        stop::Event::Engaged(engaged) => {
                            read.in_force.insert(engaged.stop_id.clone(), engaged.scope.clone());
                        }
                        stop::Event::Released(_) => panic!("nobody released anything"),
                    },
                    StreamKind::Quorum => {
                        if let quorum::Event::VoteCast(cast) = decode(&record.payload).unwrap() {
                            read.acts += 1;
                            let acting = Acting::as_parties([cast.voter_id.as_str()]);
                            let covers = read.in_force.values().any(|scope| scope.covers(&acting));
                            assert!(!covers, "{acting:?} acted behind its stop, at {}", record.position);
                        }
                    }
                    _ => {}
                }
            }
        }
    }
}

#[tokio::test]
async fn killed_at_any_instant_nothing_is_used_twice_and_nothing_acts_behind_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let mut rng = Rng::new(0xa991);
    let mut told: Vec<String> = Vec::new();
    for life in 0..LIVES {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["approvals::the_child_spends_and_stops_until_it_is_killed", "--exact", "--nocapture"])
            .env(FOLDER, folder.path())
            .env(LIFE, life.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pid = child.id();
        let wait = Duration::from_micros(5_000 + rng.next_u64() % 120_000);
        let mut killer = None;
        for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
            let Some(line) = line.split_once("ACK ").map(|(_, line)| line.to_owned()) else { continue };
            killer.get_or_insert_with(|| {
                std::thread::spawn(move || {
                    std::thread::sleep(wait);
                    Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
                })
            });
            told.push(line);
        }
        let ended = child.wait().unwrap();
        assert_eq!(ended.code(), None, "the child ended by itself: something was not as it must be");
        killer.expect("the child came up").join().unwrap();
    }
    let read = Read::of(folder.path()).await;
    for (proposal, spent) in &read.spent {
        assert_eq!(spent.len(), 1, "{proposal} was used twice: {spent:?}");
    }
    let mut used = 0;
    for line in &told {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["spent", proposal, key, token] => {
                used += 1;
                let spent = &read.spent[&EntityId::new(proposal).unwrap()][0];
                assert_eq!((spent.key.as_str(), spent.token.as_str()), (key, token), "{line}");
            }
            ["stop", stop] => assert!(read.in_force.contains_key(&EntityId::new(stop).unwrap()), "{line}"),
            _ => {}
        }
    }
    assert!(used > LIVES && read.acts > LIVES, "something was done: {used} uses, {} acts", read.acts);
}
