//! The child: votes under load until it is killed.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use quorate::{ErrorKind, Quorate, StartQuorum, Vote};
use quorate_core::kernel::ids::{CellId, EntityId, Resource};
use quorate_core::voting::rules::{Choice, Param, RuleSpec};
use quorate_runtime::api::dto::{
    CancelJob, CancelQuorum, CompleteJob, ConsensusVote, ExtendJob, HeldToken, JobProgress, LeaseJob,
    OfferCapacity, PlanWorkflow, RegisterAgent, RegisterAlgorithm, RegisterWorker, ReleaseCapacity,
    RequestCapacity, RequestConsensus, SetBudget, SubmitJob, TransferJob, WorkerReport, id,
};
use quorate_runtime::config::Config;

pub const FOLDER: &str = "QUORATE_CRASH_FOLDER";
pub const LIFE: &str = "QUORATE_CRASH_LIFE";
/// The planted bug: print the acknowledgement before the answer came.
pub const EARLY: &str = "QUORATE_CRASH_EARLY";
/// After so many rounds the child closes its store and ends; without it, it goes on until it is killed.
pub const ROUNDS: &str = "QUORATE_CRASH_ROUNDS";
/// How many commit groups may wait to be archived; the usual number without it.
pub const SLOTS: &str = "QUORATE_CRASH_SLOTS";

const VOTERS: usize = 48;
/// Quorums that live through all lives of a folder, and are voted on by everyone.
const LASTING: usize = 4;

/// The store that makes a folder; the default one without it.
pub const STORE: &str = "QUORATE_CRASH_STORE";

/// The settings of a runtime on a folder, by the store that stands there, or on a database whose owner is soon given up.
pub fn config(place: &Path) -> Config {
    match place.to_str().filter(|place| place.starts_with("postgres://")) {
        Some(url) => {
            let mut config = Config::postgres(url);
            config.store_options.lease = Duration::from_millis(500);
            config
        }
        None => {
            let here = quorate_journal::stores::store_in(place).map(|store| store.name.to_owned());
            let store = here.or_else(|| std::env::var(STORE).ok()).unwrap_or_else(|| "sled".to_owned());
            Config { store, ..Config::at(place) }
        }
    }
}

fn tell(line: &str) {
    // One write call, so that a kill cuts a line off but never mixes two.
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(format!("ACK {line}\n").as_bytes());
    let _ = out.flush();
}

fn open_forever(id: &str) -> StartQuorum {
    StartQuorum {
        quorum_id: Some(EntityId::new(id).unwrap()),
        required_votes: Some(90_000),
        timeout_seconds: Some(3_600.0),
        ..StartQuorum::global()
    }
}

async fn vote(q: &Quorate, early: bool, quorum: &EntityId, voter: &str, yes: bool) {
    let sent = q.quorums().vote(Vote::new(quorum, voter, yes).unwrap());
    if early {
        tell(&format!("vote {quorum} {voter} {yes}"));
    }
    match sent.await {
        Ok(_) => tell(&format!("vote {quorum} {voter} {yes}")),
        Err(e) if matches!(e.kind(), ErrorKind::QuorumClosed | ErrorKind::QuorumTimeout) => {}
        Err(e) => panic!("{e}"),
    }
}

/// Agents that are asked, and how their proposals are decided: by heads, by weight, and with a right to block.
const AGENTS: [&str; 4] = ["boss", "x", "y", "z"];

fn algorithms() -> [RegisterAlgorithm; 2] {
    let rule = |name: &str, rule, params| RegisterAlgorithm { params, ..RegisterAlgorithm::new(name, rule) };
    let weights = Param::Map([("boss".into(), Param::from(3))].into());
    let params = [("threshold".into(), Param::from("1/2")), ("agent_weights".into(), weights)];
    let blockers = RuleSpec::new("veto").with("voters", vec!["boss"]);
    [rule("heavy", Param::from("weighted"), Some(params.into())), rule("council", blockers.into(), None)]
}

async fn answer(q: &Quorate, early: bool, proposal: &EntityId, agent: &str, choice: Choice) {
    let sent = q.consensus().vote(ConsensusVote::new(proposal, agent, choice).unwrap());
    let line = format!("answer {proposal} {agent} {}", choice.name());
    if early {
        tell(&line);
    }
    match sent.await {
        Ok(voted) if voted.recorded => tell(&line),
        Ok(_) => {}
        // Late, a second choice, or of nobody who was asked.
        Err(e) => assert!(
            matches!(e.kind(), ErrorKind::ProposalClosed | ErrorKind::AlreadyVoted | ErrorKind::NotEligible),
            "{e}"
        ),
    }
}

/// Asks, and has everybody answer; the last answers are mostly late.
async fn ask(q: &Quorate, early: bool, life: &str, n: usize) {
    let id = EntityId::new(format!("p-{life}-{n}")).unwrap();
    let algorithm = ["quorum", "heavy", "council"][n / 8 % 3];
    let request = RequestConsensus {
        proposal_id: Some(id.clone()),
        wait: Some(false),
        ..RequestConsensus::new(serde_json::json!({ "round": n })).by(algorithm)
    };
    let timeout = if n.is_multiple_of(16) { 100 } else { 60_000 };
    q.consensus().request(request.within_ms(timeout)).await.unwrap();
    tell(&format!("ask {id}"));
    for (at, agent) in AGENTS.iter().enumerate() {
        let choice = Choice::ALL[if (n / 8 + at).is_multiple_of(4) { 1 + at % 2 } else { 0 }];
        answer(q, early, &id, agent, choice).await;
        // Again, and another: neither counts.
        answer(q, false, &id, agent, Choice::Abstain).await;
    }
    answer(q, false, &id, "stranger", Choice::For).await;
}

/// Cells that lend and borrow, all of them charged to one budget.
const CELLS: usize = 6;

/// Asks for capacity, offers some, says what arrived and gives some back; short leases end by themselves.
async fn exchange(q: &Quorate, life: &str, n: usize) {
    let cell = |n: usize| -> CellId { id("cell_id", &format!("k{}", n % CELLS)).unwrap() };
    let (mine, other, capacity) = (cell(n), cell(n + 1 + n % (CELLS - 1)), q.capacity());
    let need = format!("n-{life}-{n}");
    let request = RequestCapacity {
        need_id: Some(id("need_id", &need).unwrap()),
        timeout_seconds: Some(0.05),
        lease_seconds: Some(if n.is_multiple_of(3) { 0.01 } else { 60.0 }),
        budgets: [id("budgets", "fleet").unwrap()].into(),
        ..RequestCapacity::new(mine.as_str()).unwrap().of((1 + n % 9) as f64 / 10.0)
    };
    let mut asked = capacity.request(request.clone()).await.unwrap();
    if asked.status == "overloaded" {
        capacity.release(give_back(&mine, 1.0, &need)).await.unwrap();
        tell(&format!("capacity release {mine} {need}"));
        return;
    }
    tell(&format!("capacity need {mine} {need}"));
    if asked.status == "pending" {
        let offer = OfferCapacity {
            source_cell_id: other.clone(),
            destination_cell_id: mine.clone(),
            capacity: Some(0.3),
            resource: None,
            offer_id: Some(id("offer_id", &need).unwrap()),
            ttl_seconds: Some(0.02),
        };
        if capacity.offer(offer).await.unwrap().offer_id.is_some() {
            tell(&format!("capacity offer {other} {need}"));
        }
        asked = capacity.request(request).await.unwrap();
    }
    for token in asked.tokens {
        let held = HeldToken { token_id: token.token_id.clone(), cell_id: mine.clone() };
        // Somebody else may have released it, and a short lease may be over.
        if capacity.ack(held).await.is_ok() {
            tell(&format!("capacity ack {mine} {}", token.token_id));
        }
    }
    if n.is_multiple_of(2) {
        capacity.release(give_back(&mine, 0.4, &need)).await.unwrap();
        tell(&format!("capacity release {mine} {need}"));
    }
}

fn give_back(cell: &CellId, amount: f64, key: &str) -> ReleaseCapacity {
    let idempotency_key = Some(id("idempotency_key", key).unwrap());
    let (token_id, resource) = (None, None);
    ReleaseCapacity { cell_id: cell.clone(), capacity: Some(amount), token_id, resource, idempotency_key }
}

/// The worker of jobs that have workflows.
const WORKER: &str = "hand";

/// A job here, or one through a gate in two datacenters: it gets on, gets more time and another leader, and is
/// completed, cancelled, left to its deadline, or left to the next life.
async fn employ(q: &Quorate, life: &str, n: usize) {
    let job_id = EntityId::new(format!("j-{life}-{n}")).unwrap();
    let worker_id: EntityId = id("worker_id", WORKER).unwrap();
    let datacenters = ["east", "west"].map(|dc| EntityId::new(dc).unwrap());
    let (gated, worked) = (n.is_multiple_of(2), n % 8 == 3);
    let one: EntityId = id("workflow_id", "one").unwrap();
    let workflow = PlanWorkflow {
        worker_id: Some(worker_id.clone()),
        ..PlanWorkflow::new(one.as_str()).expect("a name")
    };
    let submit = SubmitJob {
        job_id: Some(job_id.clone()),
        timeout_seconds: Some(if n % 5 == 4 { 0.02 } else { 600.0 }),
        target_datacenters: if gated { datacenters.to_vec() } else { Vec::new() },
        workflows: if worked { vec![workflow] } else { Vec::new() },
        ..SubmitJob::default()
    };
    q.jobs().submit(submit).await.unwrap();
    tell(&format!("job submit {job_id}"));
    let wheres = if gated { datacenters.map(Some).to_vec() } else { vec![None] };
    for datacenter in wheres {
        let stream = datacenter.as_ref().map_or_else(|| job_id.to_string(), |dc| format!("{job_id}@{dc}"));
        let progress = JobProgress {
            job_id: job_id.clone(),
            datacenter: datacenter.clone(),
            workflow_id: None,
            completed_count: None,
            fence_token: None,
        };
        // It may have ended, and where a gate hands it out it may not have begun.
        let _ = q.jobs().progress(progress).await;
        let request_id = format!("r-{n}");
        let extend = ExtendJob {
            job_id: Some(job_id.clone()),
            datacenter: datacenter.clone(),
            worker_id: worker_id.clone(),
            reason: String::new(),
            current_progress: 1.0,
            estimated_completion: 1.0,
            active_workflow_count: 1,
            completed_items: None,
            total_items: None,
            request_id: Some(request_id.clone()),
            fence_token: None,
        };
        if q.jobs().extend(extend).await.is_ok_and(|extended| extended.granted) {
            tell(&format!("job extend {stream} {request_id}"));
        }
        let transfer = TransferJob {
            job_id: job_id.clone(),
            datacenter: datacenter.clone(),
            new_leader_id: id("new_leader_id", "other").unwrap(),
            new_leader_addr: String::new(),
            force: false,
            fence_token: None,
        };
        // A lease may be held, and a second word of its holder changes nothing of its token.
        if n % 16 == 11 {
            let lease = || LeaseJob {
                job_id: job_id.clone(),
                datacenter: datacenter.clone(),
                holder_id: id("holder_id", &format!("holder-{}", n % 3)).unwrap(),
                incarnation: 1,
                holder_addr: String::new(),
                force: false,
                fence_token: None,
                lease_ms: Some(50),
                in_process: Some(n % 32 == 11),
            };
            for _ in 0..2 {
                if let Ok(led) = q.jobs().acquire(lease()).await {
                    tell(&format!("job lease {stream} {}", led.fence_token));
                }
            }
        }
        let mut held = None;
        if let Ok(led) = q.jobs().transfer(transfer).await {
            tell(&format!("job transfer {stream} {}", led.fence_token));
            held = i64::try_from(led.fence_token).ok();
        }
        if worked {
            let report = WorkerReport {
                data_subject: None,
                worker_id: worker_id.clone(),
                job_id: job_id.clone(),
                workflow_id: one.clone(),
                outcome: "completed".into(),
                completed_count: Some(1),
                result: None,
                dispatch_token: None,
            };
            if q.workers().report(report).await.is_ok() {
                tell(&format!("job report {job_id}"));
            }
        } else if n % 3 == 1 {
            let complete = CompleteJob {
                job_id: job_id.clone(),
                datacenter: datacenter.clone(),
                status: None,
                reason: String::new(),
                fence_token: held,
            };
            if q.jobs().complete(complete).await.is_ok_and(|done| done.status == "completed") {
                tell(&format!("job complete {stream}"));
            }
        }
    }
    if n % 3 == 2 {
        let cancel = CancelJob {
            job_id: job_id.clone(),
            datacenter: None,
            requester_id: "u".into(),
            reason: String::new(),
            fence_token: None,
        };
        if q.jobs().cancel(cancel).await.is_ok_and(|cancelled| cancelled.success) {
            tell(&format!("job cancel {job_id}"));
        }
    }
}

/// Voters of a large quorum. With their names its first record is larger than what stores keep in one piece.
const CROWD: usize = 700;

/// A quorum with so many named voters that its start is a large group; under a key of the caller.
pub fn crowded(quorum: &str) -> StartQuorum {
    let names: Vec<String> = (0..CROWD).map(|n| format!("{n:03}-{}", "n".repeat(200))).collect();
    StartQuorum { required_votes: Some(CROWD as i64), ..keyed(quorum, &names) }
}

/// A quorum that is started under a key: its own name, spelt differently.
pub fn keyed(quorum: &str, voters: &[String]) -> StartQuorum {
    StartQuorum {
        quorum_id: Some(EntityId::new(quorum).unwrap()),
        timeout_seconds: Some(3_600.0),
        idempotency_key: Some(id("idempotency_key", &format!("key-{quorum}")).unwrap()),
        required_votes: Some(1),
        ..StartQuorum::global().with_voters(voters.iter().map(String::as_str)).unwrap()
    }
}

/// A small quorum under a key, or a large one.
async fn gather(q: &Quorate, life: &str, n: usize, large: bool) {
    let (kind, start) = if large {
        ("crowd", crowded(&format!("c-{life}-{n}")))
    } else {
        ("keyed", keyed(&format!("k-{life}-{n}"), &["a".to_owned()]))
    };
    let started = q.quorums().start(start).await.unwrap();
    tell(&format!("{kind} {}", started.quorum_id));
}

/// Who may vote in a quorum; in some of them many with long names, so that its start is a record of more than 124 kB,
/// which the store keeps in pieces.
fn electorate(n: usize) -> Vec<String> {
    let many = if n % 32 == 8 { 700 } else { 0 };
    let named = ["x", "y", "z"].map(str::to_owned);
    named.into_iter().chain((0..many).map(|n| format!("somebody-{n:0180}"))).collect()
}

/// One voter's life: votes on everything, some of it changing, some too late, some cancelled under it.
async fn voter(q: Quorate, early: bool, life: String, me: usize, (round, rounds): (Arc<AtomicUsize>, usize)) {
    loop {
        let n = round.fetch_add(1, Ordering::Relaxed);
        if n >= rounds {
            return;
        }
        let lasting = EntityId::new(format!("lasting-{}", n % LASTING)).unwrap();
        let fresh = format!("v-{life}-{n}");
        vote(&q, early, &lasting, &fresh, !n.is_multiple_of(3)).await;
        // The same voter changes its mind in every life.
        vote(&q, early, &lasting, &format!("fickle-{me}"), n.is_multiple_of(2)).await;
        if n % 8 == 3 || n % 8 == 6 {
            employ(&q, &life, n).await;
        }
        if n % 4 == 1 {
            exchange(&q, &life, n).await;
        }
        if n % 16 == 5 {
            gather(&q, &life, n, n % 32 == 5).await;
        }
        if n.is_multiple_of(8) {
            ask(&q, early, &life, n).await;
            let id = EntityId::new(format!("q-{life}-{n}")).unwrap();
            let start = StartQuorum {
                quorum_id: Some(id.clone()),
                timeout_seconds: Some(if n.is_multiple_of(16) { 0.005 } else { 60.0 }),
                ..StartQuorum::global().with_voters(electorate(n).iter().map(String::as_str)).unwrap()
            };
            let start = StartQuorum { required_votes: Some(2), ..start };
            q.quorums().start(start).await.unwrap();
            tell(&format!("start {id}"));
            for who in ["x", "y", "z"] {
                vote(&q, early, &id, who, !n.is_multiple_of(24)).await;
            }
            if n.is_multiple_of(40) {
                let request = CancelQuorum { quorum_id: id.clone(), by: None, reason: None };
                if q.quorums().cancel(request).await.is_ok() {
                    tell(&format!("cancel {id}"));
                }
            }
        }
    }
}

/// Does nothing unless it was started by the kill tests.
#[tokio::test(flavor = "multi_thread")]
async fn the_child_votes_until_it_is_killed() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let life = std::env::var(LIFE).unwrap();
    let early = std::env::var(EARLY).unwrap() == "1";
    let rounds = std::env::var(ROUNDS).map_or(usize::MAX, |rounds| rounds.parse().unwrap());
    let mut config = config(Path::new(&folder));
    if let Ok(slots) = std::env::var(SLOTS) {
        config.store_options.slots = slots.parse().unwrap();
    }
    let q = Quorate::open(config).await.unwrap();
    for n in 0..LASTING {
        match q.quorums().start(open_forever(&format!("lasting-{n}"))).await {
            Ok(_) => tell(&format!("start lasting-{n}")),
            Err(e) => assert_eq!(e.kind(), ErrorKind::AlreadyExists, "{e}"),
        }
    }
    let fleet = SetBudget {
        budget_id: id("budget_id", "fleet").unwrap(),
        limits: Some([(Resource::capacity(), 3.5)].into()),
        rates: None,
    };
    q.capacity().set_budget(fleet).await.unwrap();
    let worker = RegisterWorker {
        worker_id: id("worker_id", WORKER).unwrap(),
        datacenter: None,
        capacity: Some(1_000_000),
        beat_ms: None,
        incarnation: None,
    };
    q.workers().register(worker).await.unwrap();
    for agent in AGENTS {
        q.agents().register(RegisterAgent::new(agent).unwrap()).await.unwrap();
    }
    for algorithm in algorithms() {
        q.algorithms().register(algorithm).await.unwrap();
    }
    let round = Arc::new(AtomicUsize::new(0));
    let voters: Vec<_> = (0..VOTERS)
        .map(|me| tokio::spawn(voter(q.clone(), early, life.clone(), me, (round.clone(), rounds))))
        .collect();
    for voter in voters {
        voter.await.unwrap();
    }
    tell("closing");
    q.close().await.unwrap();
    tell("closed");
}
