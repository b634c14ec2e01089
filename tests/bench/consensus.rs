//! How long a decision takes, how many proposals a second go from question to decision, and what a vote costs the core
//! alone.
//!
//! ```text
//! cargo bench --bench consensus                 everything
//! cargo bench --bench consensus -- latency      one part: latency, throughput or core
//! ```
//!
//! *Latency* is the time from sending the deciding vote until its durable answer is there (`vote`), and until the one
//! who put the question holds the result (`result`). Beside it, in the same turns, one bare append and fdatasync of as
//! many bytes on the same disk. *Throughput* is that of callers in a closed loop; five agents answer from their
//! inboxes. Figures are taken in turns, one contender after the other, so that a disk or a machine whose speed drifts
//! slows all of them alike; the table holds medians over the turns.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quorate::{Config, ConsensusVote, Quorate, RegisterAgent, RegisterAlgorithm, RequestConsensus, Verdict};
use quorate_core::kernel::driver::Driver;
use quorate_core::kernel::ids::{EntityId, VoterId};
use quorate_core::kernel::time::Timestamp;
use quorate_core::voting::proposal::command::Decider;
use quorate_core::voting::proposal::event::{Delivered, VoteChange};
use quorate_core::voting::proposal::{Ballot, Command, Open, ProposalMachine};
use quorate_core::voting::rules::{Choice, RuleSpec};
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Turns of each table. The first only warms up and is left out.
const TURNS: usize = 9;
/// Decisions and flushes measured in one turn of the latency.
const SAMPLES: usize = 40;
const VOTERS: [usize; 3] = [10, 20, 50];
const ALGORITHMS: [&str; 2] = ["quorum", "weighted"];
/// Bytes of a deciding vote and the close that follows, in their group, as measured on the journal.
const DECISION_BYTES: usize = 500;

/// Voters of the polls without actors, and how long each is repeated.
const CORE_VOTERS: [usize; 4] = [10, 20, 50, 1_000];
const POLLS: Duration = Duration::from_millis(250);

const CALLERS: usize = 64;
const AGENTS: usize = 5;
/// How long each store is measured in one turn of the throughput.
const TURN: Duration = Duration::from_millis(700);

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let asked = |part: &str| words.is_empty() || words.iter().any(|word| word == part);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    if asked("core") {
        core_alone();
    }
    if asked("latency") {
        latency(&runtime);
    }
    if asked("throughput") {
        throughput(&runtime);
    }
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn now() -> Instant {
    Instant::now()
}

fn micros(took: Duration) -> f64 {
    took.as_secs_f64() * 1e6
}

fn voters(count: usize) -> Vec<VoterId> {
    (0..count).map(|n| VoterId::new(format!("agent-{n:04}")).unwrap()).collect()
}

/// A runtime with so many agents and an algorithm that weighs them.
async fn prepare(config: Config, agents: usize) -> Quorate {
    let q = Quorate::open(Config { entity_threads: 1, ..config }).await.unwrap();
    for agent in voters(agents) {
        q.agents().register(RegisterAgent::new(agent.as_str()).unwrap()).await.unwrap();
    }
    let weights = json!({ "threshold": 0.5, "agent_weights": { "agent-0000": 1.5 } });
    let weighted = json!({ "name": "weighted", "rule": "weighted", "params": weights });
    let weighted: RegisterAlgorithm = serde_json::from_value(weighted).unwrap();
    q.algorithms().register(weighted).await.unwrap();
    q
}

/// Time from the deciding vote to its answer, and to the result.
async fn decide(q: &Quorate, agents: &[VoterId], algorithm: &str, id: &EntityId) -> (Duration, Duration) {
    let request = RequestConsensus::new(json!({ "deploy": 7 })).by(algorithm).within_ms(60_000);
    let request = RequestConsensus { proposal_id: Some(id.clone()), ..request };
    // Half of the votes are not more than half of them, one more is; with the weights too, since the heaviest is last.
    let (deciding, rest) = agents.split_first().unwrap();
    let all = &rest[..agents.len() / 2];
    q.consensus().request(RequestConsensus { wait: Some(false), ..request }).await.unwrap();
    for agent in all {
        let vote = ConsensusVote::new(id, agent.as_str(), Choice::For).unwrap();
        assert_eq!(q.consensus().vote(vote).await.unwrap().state, "open");
    }
    let asker = q.clone();
    let asked = quorate_runtime::api::dto::ConsensusRef { proposal_id: id.clone(), wait_ms: Some(60_000) };
    let result = tokio::spawn(async move {
        let result = asker.consensus().result(asked).await.unwrap();
        assert_eq!(result.decision, Some(Verdict::Approved));
        now()
    });
    // The one who asks is there first.
    tokio::time::sleep(Duration::from_millis(2)).await;
    let vote = ConsensusVote::new(id, deciding.as_str(), Choice::For).unwrap();
    let start = now();
    let voted = q.consensus().vote(vote).await.unwrap();
    let answered = start.elapsed();
    assert_eq!(voted.state, "approved");
    (answered, result.await.unwrap() - start)
}

fn bare_flush(file: &mut File) -> Duration {
    let bytes = [b'v'; DECISION_BYTES];
    let start = now();
    file.write_all(&bytes).and_then(|()| file.sync_data()).unwrap();
    start.elapsed()
}

fn latency(runtime: &Runtime) {
    println!("\nmicroseconds from the deciding vote, medians of {} turns of {SAMPLES}, sled", TURNS - 1);
    let head = ["algorithm", "voters", "bare flush", "vote", "result", "vote/flush", "result/flush", "worst"];
    println!(
        "{:>10} {:>7} {:>11} {:>8} {:>8} {:>11} {:>13} {:>8}",
        head[0], head[1], head[2], head[3], head[4], head[5], head[6], head[7]
    );
    for algorithm in ALGORITHMS {
        for count in VOTERS {
            let folder = TempDir::new().unwrap();
            let mut bare = File::create(folder.path().join("bare")).unwrap();
            let agents = voters(count);
            let q = runtime.block_on(prepare(Config::at(folder.path().join("data")), count));
            let mut turns = Vec::new();
            let mut worst = 0_f64;
            for turn in 0..TURNS {
                let mut samples: [Vec<f64>; 3] = Default::default();
                for n in 0..SAMPLES {
                    samples[0].push(micros(bare_flush(&mut bare)));
                    let id = EntityId::new(format!("proposal-{turn}-{n}")).unwrap();
                    let (vote, result) = runtime.block_on(decide(&q, &agents, algorithm, &id));
                    samples[1].push(micros(vote));
                    samples[2].push(micros(result));
                    worst = worst.max(micros(result));
                }
                turns.push(samples.map(median));
            }
            turns.remove(0);
            let mid = |pick: &dyn Fn(&[f64; 3]) -> f64| median(turns.iter().map(pick).collect());
            println!(
                "{algorithm:>10} {count:>7} {:>11.0} {:>8.0} {:>8.0} {:>11.2} {:>13.2} {worst:>8.0}",
                mid(&|t| t[0]),
                mid(&|t| t[1]),
                mid(&|t| t[2]),
                mid(&|t| t[1] / t[0]),
                mid(&|t| t[2] / t[0]),
            );
            runtime.block_on(q.close()).unwrap();
        }
    }
}

/// Agents that vote for everything they are asked.
fn answer_all(runtime: &Runtime, q: &Quorate) {
    for agent in voters(AGENTS) {
        let mut inbox = q.consensus().inbox(&agent);
        let q = q.clone();
        runtime.spawn(async move {
            while let Some(asked) = inbox.recv().await {
                let vote = ConsensusVote::new(&asked.proposal_id, agent.as_str(), Choice::For).unwrap();
                // On its way at once; the answer is waited for beside the next question.
                tokio::spawn(q.consensus().vote(vote));
            }
        });
    }
}

/// Proposals a second over about one turn.
async fn cycles(q: &Quorate) -> f64 {
    let start = now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let q = q.clone();
            tokio::spawn(async move {
                let mut decided = 0_u32;
                while start.elapsed() < TURN {
                    let request = RequestConsensus::new(json!({ "deploy": 7 })).within_ms(60_000);
                    let result = q.consensus().request(request).await.unwrap();
                    assert_eq!(result.decision, Some(Verdict::Approved));
                    decided += 1;
                }
                decided
            })
        })
        .collect();
    let mut decided = 0;
    for caller in callers {
        decided += caller.await.unwrap();
    }
    f64::from(decided) / start.elapsed().as_secs_f64()
}

fn throughput(runtime: &Runtime) {
    let folder = TempDir::new().unwrap();
    let stores = [Config::at(folder.path().join("data")), Config::memory()];
    let stores = stores.map(|config| {
        let q = runtime.block_on(prepare(config, AGENTS));
        answer_all(runtime, &q);
        q
    });
    let mut turns: Vec<[f64; 2]> =
        (0..TURNS).map(|_| stores.each_ref().map(|q| runtime.block_on(cycles(q)))).collect();
    turns.remove(0);
    println!(
        "\nproposals per second from question to decision, {CALLERS} callers, {AGENTS} agents, medians of {} turns",
        turns.len()
    );
    println!("{:>10} {:>10} {:>12}", "sled", "memory", "sled/memory");
    let mid = |pick: &dyn Fn(&[f64; 2]) -> f64| median(turns.iter().map(pick).collect());
    println!("{:>10.0} {:>10.0} {:>12.2}", mid(&|t| t[0]), mid(&|t| t[1]), mid(&|t| t[0] / t[1]));
    for q in stores {
        runtime.block_on(q.close()).unwrap();
    }
}

fn open(agents: &[VoterId], rule: &RuleSpec) -> Open {
    Open {
        proposal: r#"{"deploy":7}"#.into(),
        digest: String::new(),
        algorithm: "measured".into(),
        decider: Decider::Rule(rule.clone()),
        participants: agents.to_vec(),
        excluded: Vec::new(),
        timeout: Duration::from_secs(30),
        vote_change: VoteChange::Reject,
        fail_fast: false,
        absent: Vec::new(),
        keyed: None,
        mandate: None,
        answer: None,
        remind_every: None,
    }
}

/// Opens a question and takes votes until it is decided, for and against in turn, so that it stays open long. Time of
/// the whole, and of one vote.
fn poll(agents: &[VoterId], rule: &RuleSpec) -> (Duration, Duration) {
    let at = Timestamp::EPOCH;
    let start = now();
    let mut driver = Driver::<ProposalMachine>::default();
    driver.step(Command::Open(Box::new(open(agents, rule))), at).reply.unwrap();
    let told = Delivered { reached: agents.len() as u32, unreached: Vec::new() };
    driver.step(Command::RecordBroadcast(Ok(told)), at).reply.unwrap();
    let opened = now();
    let mut votes = 0;
    for (n, agent) in agents.iter().enumerate() {
        let vote = if n % 2 == 0 { Choice::For } else { Choice::Against };
        let ballot =
            Ballot { voter_id: agent.clone(), vote, weight: None, metadata: None, reason: None, value: None };
        driver.step(Command::Vote(ballot), at).reply.unwrap();
        // What the actor asks after each step.
        std::hint::black_box(driver.wake());
        votes += 1;
        if driver.state().decision().is_some() {
            break;
        }
    }
    (start.elapsed(), opened.elapsed() / votes)
}

fn core_alone() {
    println!(
        "\nthe core alone: nanoseconds a vote (decide, evolve, next deadline), microseconds a whole poll"
    );
    println!("{:>14} {:>7} {:>9} {:>10}", "rule", "voters", "ns/vote", "us/poll");
    let others: Arc<[VoterId]> = voters(3).into();
    let weights = quorate_core::voting::rules::Param::Map(
        others.iter().map(|voter| (voter.to_string(), 3_u32.into())).collect(),
    );
    let veto = RuleSpec::new("veto").with("voters", vec!["agent-0000"]);
    let nearly_all = RuleSpec::new("not").with("rule", RuleSpec::from_text("at_least:0.9"));
    // Its parts pull apart, so completions are searched.
    let pulled = RuleSpec::new("all").with("rules", vec![RuleSpec::new("threshold"), nearly_all]);
    let weighted = RuleSpec::new("weighted").with("agent_weights", weights);
    let rules = [RuleSpec::new("threshold"), weighted, veto, pulled];
    for rule in rules {
        for count in if rule.rule == "all" { &CORE_VOTERS[..3] } else { &CORE_VOTERS[..] } {
            let agents = voters(*count);
            let start = now();
            let (mut polls, mut votes) = (Vec::new(), Vec::new());
            while polls.len() < 3 || start.elapsed() < POLLS {
                let (whole, vote) = poll(&agents, &rule);
                polls.push(micros(whole));
                votes.push(micros(vote) * 1e3);
            }
            println!("{:>14} {count:>7} {:>9.0} {:>10.1}", rule.rule, median(votes), median(polls));
        }
    }
}
