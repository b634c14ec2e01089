//! What a recovered store must show.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use quorate::Quorate;
use quorate_core::kernel::ids::EntityId;
use quorate_runtime::api::dto::{ConsensusRef, EventView, HistoryQuery, JobRef, ListJobs};
use quorate_runtime::config::{ClockConfig, Config};

use crate::books::Books;
use crate::child;
use crate::work::Work;

/// Something the child was told had taken effect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Acknowledged {
    Start(String),
    /// A quorum that was started under a key; a large one, or one voter's.
    Keyed(String, bool),
    Cancel(String),
    Vote(String, String, bool),
    Ask(String),
    Answer(String, String, String),
    /// Something with a name at a cell: what, where, which.
    Capacity(String, String, String),
    /// Something about a job: what, of which stream, and which one.
    Job(String, String, String),
}

impl Acknowledged {
    pub fn parse(line: &str) -> Option<Self> {
        // The test harness may put its own words before the first line.
        let (_, told) = line.split_once("ACK ")?;
        match told.split(' ').collect::<Vec<_>>()[..] {
            [kind @ ("keyed" | "crowd"), quorum] => Some(Acknowledged::Keyed(quorum.into(), kind == "crowd")),
            ["start", quorum] => Some(Acknowledged::Start(quorum.into())),
            ["cancel", quorum] => Some(Acknowledged::Cancel(quorum.into())),
            ["vote", quorum, voter, yes] => {
                Some(Acknowledged::Vote(quorum.into(), voter.into(), yes.parse().ok()?))
            }
            ["ask", proposal] => Some(Acknowledged::Ask(proposal.into())),
            ["answer", proposal, agent, choice] => {
                Some(Acknowledged::Answer(proposal.into(), agent.into(), choice.into()))
            }
            ["capacity", what, cell, name] => {
                Some(Acknowledged::Capacity(what.into(), cell.into(), name.into()))
            }
            ["job", what, stream] => Some(Acknowledged::Job(what.into(), stream.into(), String::new())),
            ["job", what, stream, which] => Some(Acknowledged::Job(what.into(), stream.into(), which.into())),
            _ => None,
        }
    }
}

/// A proposal recounted: who voted how, and how it ended.
#[derive(Debug, Default)]
struct Asked {
    votes: BTreeMap<String, String>,
    closed: Option<String>,
}

impl Asked {
    fn add(&mut self, event: &EventView) -> Result<(), String> {
        let text = |field: &str| event.data[field].as_str().unwrap_or_default().to_owned();
        match event.event.as_str() {
            "vote_cast" if self.closed.is_some() => Err(format!("voted after the end: {event:?}")),
            "vote_cast" => match self.votes.insert(text("voter_id"), text("vote")) {
                None => Ok(()),
                Some(_) => Err(format!("twice: {event:?}")),
            },
            "closed" => match self.closed.replace(text("decision")) {
                None => Ok(()),
                Some(before) => Err(format!("closed twice, first {before}: {event:?}")),
            },
            _ => Ok(()),
        }
    }

    /// How the votes alone end the question: as soon as what is outstanding cannot change it.
    fn judged(&self, algorithm: &str) -> &'static str {
        let is = |agent: &str, choice: &str| self.votes.get(agent).is_some_and(|vote| vote == choice);
        let weight = |agent: &str| if algorithm == "heavy" && agent == "boss" { 3 } else { 1 };
        let agents = ["boss", "x", "y", "z"];
        let all: u32 = agents.iter().map(|a| weight(a)).sum();
        let yes: u32 = agents.iter().filter(|a| is(a, "for")).map(|a| weight(a)).sum();
        let open: u32 = agents.iter().filter(|a| !self.votes.contains_key(**a)).map(|a| weight(a)).sum();
        let may_block = algorithm == "council" && !self.votes.contains_key("boss");
        let blocked = algorithm == "council" && is("boss", "against");
        if blocked || 2 * (yes + open) <= all {
            "rejected"
        } else if 2 * yes > all && !may_block {
            "approved"
        } else {
            "open"
        }
    }
}

#[derive(Debug, Default)]
struct Naive {
    votes: BTreeMap<String, bool>,
    /// Everything a voter ever voted: an acknowledged vote may have been changed since.
    ever: BTreeSet<(String, bool)>,
    closed: Option<String>,
}

/// Recounts everything from the recorded events and compares with what was acknowledged and with live state.
pub async fn audit(q: &Quorate, acknowledged: &BTreeSet<Acknowledged>) -> Result<(), String> {
    let verified = q.history().verify(|_| ()).await.map_err(|e| e.to_string())?;
    if !verified.ok {
        return Err(format!("chain broken: {verified:?}"));
    }
    let mut quorums: BTreeMap<String, Naive> = BTreeMap::new();
    let mut asked: BTreeMap<String, Asked> = BTreeMap::new();
    let mut books = Books::default();
    let mut work = Work::default();
    let mut cursor = None;
    loop {
        let request = HistoryQuery { limit: Some(1000), cursor, ..Default::default() };
        let page = q.history().query(request).await.map_err(|e| e.to_string())?;
        for event in page.events {
            books.add(&event)?;
            work.add(&event)?;
            if event.kind == "proposal" {
                asked.entry(event.entity_id.to_string()).or_default().add(&event)?;
            }
            if event.kind != "quorum" {
                continue;
            }
            let naive = quorums.entry(event.entity_id.to_string()).or_default();
            let voter = event.data["voter_id"].as_str().unwrap_or_default().to_owned();
            match event.event.as_str() {
                "vote_cast" => {
                    let vote = event.data["vote"].as_bool().unwrap_or_default();
                    let before = naive.votes.insert(voter.clone(), vote);
                    if before == Some(vote) || before.is_some() != (event.data["supersedes"] == true) {
                        return Err(format!("twice: {event:?}"));
                    }
                    naive.ever.insert((voter, vote));
                }
                "closed" => {
                    let state = event.data["state"].as_str().unwrap_or_default().to_owned();
                    if let Some(before) = naive.closed.replace(state) {
                        return Err(format!("closed twice, first {before}: {event:?}"));
                    }
                }
                _ => {}
            }
        }
        cursor = page.next_cursor;
        if !page.more {
            break;
        }
    }
    let done: BTreeSet<_> =
        books.done.iter().map(|(what, cell, name)| (*what, cell.as_str(), name.as_str())).collect();
    let worked: BTreeSet<_> =
        work.done.iter().map(|(what, name, which)| (*what, name.as_str(), which.as_str())).collect();
    for told in acknowledged {
        let there = match told {
            Acknowledged::Start(quorum) | Acknowledged::Keyed(quorum, _) => quorums.contains_key(quorum),
            Acknowledged::Cancel(quorum) => {
                quorums.get(quorum).is_some_and(|n| n.closed.as_deref() == Some("cancelled"))
            }
            Acknowledged::Vote(quorum, voter, yes) => {
                quorums.get(quorum).is_some_and(|n| n.ever.contains(&(voter.clone(), *yes)))
            }
            Acknowledged::Ask(proposal) => asked.contains_key(proposal),
            Acknowledged::Answer(proposal, agent, choice) => {
                asked.get(proposal).is_some_and(|asked| asked.votes.get(agent) == Some(choice))
            }
            Acknowledged::Capacity(what, cell, name) => {
                done.contains(&(what.as_str(), cell.as_str(), name.as_str()))
            }
            Acknowledged::Job(what, stream, which) => {
                worked.contains(&(what.as_str(), stream.as_str(), which.as_str()))
            }
        };
        if !there {
            return Err(format!("lost: {told:?}"));
        }
    }
    books.settle(q.now())?;
    books.agree()?;
    for (id, naive) in &quorums {
        let status =
            q.quorums().status(&EntityId::new(id.as_str()).unwrap()).await.map_err(|e| e.to_string())?;
        let approvals = naive.votes.values().filter(|yes| **yes).count();
        let live = (status.approve_votes as usize, status.total_votes as usize);
        if live != (approvals, naive.votes.len()) {
            return Err(format!("counted {live:?}, recorded {approvals} of {}: {id}", naive.votes.len()));
        }
        let state = naive.closed.as_deref().unwrap_or("open");
        // An open quorum may fall due while it is looked at.
        if status.state.name() != state && !(state == "open" && status.state.name() == "timed_out") {
            return Err(format!("{id} is {:?}, recorded {state}", status.state));
        }
    }
    for (id, asked) in &asked {
        let request = ConsensusRef { proposal_id: EntityId::new(id.as_str()).unwrap(), wait_ms: None };
        let live = q.consensus().result(request).await.map_err(|e| e.to_string())?;
        let votes: BTreeMap<_, _> = live
            .votes
            .iter()
            .map(|(agent, ballot)| (agent.to_string(), ballot.vote.name().to_owned()))
            .collect();
        if votes != asked.votes {
            return Err(format!("{id} has {votes:?}, recorded {:?}", asked.votes));
        }
        let judged = asked.judged(&live.algorithm_used);
        let recorded = asked.closed.as_deref().unwrap_or("open");
        if judged != recorded && !(judged == "open" && recorded == "timeout") {
            return Err(format!("{id} is recorded as {recorded}, its votes say {judged}: {:?}", asked.votes));
        }
        if live.state != recorded && !(recorded == "open" && live.state == "timeout") {
            return Err(format!("{id} is {}, recorded {recorded}", live.state));
        }
    }
    jobs_are_as_recorded(q, &work).await?;
    keys_are_known(q, acknowledged).await?;
    let stats = q.consensus().stats().await.map_err(|e| e.to_string())?;
    let votes: usize = asked.values().map(|asked| asked.votes.len()).sum();
    if (stats.votes, stats.aborted) != (votes as u64, 0) {
        return Err(format!("counted {stats:?}, recorded {votes} votes"));
    }
    Ok(())
}

/// Whoever has not ended is tracked and has a deadline; whoever has ended stays so. A job may fall due, and a message
/// arrive, while it is looked at: an end that is not on record yet is no contradiction.
async fn jobs_are_as_recorded(q: &Quorate, work: &Work) -> Result<(), String> {
    for (name, book) in &work.jobs {
        let (job_id, datacenter) = name.split_once('@').unwrap_or((name, "local"));
        let job_id = EntityId::new(job_id).unwrap();
        let request = JobRef { job_id, datacenter: Some(EntityId::new(datacenter).unwrap()) };
        let live = q.jobs().status(request).await.map_err(|e| format!("lost {name}: {e}"))?;
        let live = &live.datacenters[0];
        match book.ended {
            Some(status) if live.status != status.name() => {
                return Err(format!("{name} is {}, recorded {status:?}", live.status));
            }
            _ => {}
        }
        if live.fence_token < book.token.get() {
            return Err(format!("{name} is led under {}, recorded {:?}", live.fence_token, book.token));
        }
    }
    let mut cursor = None;
    let mut tracked = 0;
    loop {
        let request = ListJobs { limit: Some(1000), cursor, ..ListJobs::default() };
        let page = q.jobs().list(request).await.map_err(|e| e.to_string())?;
        tracked += page.jobs.len();
        let live = |status: &str| !["completed", "failed", "cancelled", "timeout"].contains(&status);
        if let Some(job) = page.jobs.iter().find(|job| live(&job.status) && job.next_deadline.is_none()) {
            return Err(format!("live and never looked at again: {job:?}"));
        }
        cursor = page.next_cursor;
        if !page.more {
            break;
        }
    }
    // Jobs of gates may have begun meanwhile, one in each of two datacenters.
    if tracked > work.open() + work.gates.len() * 2 {
        return Err(format!("{tracked} jobs are tracked, {} are open on record", work.open()));
    }
    Ok(())
}

/// Most keys that are tried in one audit.
const KEYS: usize = 8;

/// The same request under the same key is answered from the record, and starts nothing.
async fn keys_are_known(q: &Quorate, acknowledged: &BTreeSet<Acknowledged>) -> Result<(), String> {
    let keyed = acknowledged.iter().filter_map(|told| match told {
        Acknowledged::Keyed(quorum, large) => Some((quorum, *large)),
        _ => None,
    });
    let keyed: Vec<_> = keyed.collect();
    for (quorum, large) in keyed.iter().step_by(keyed.len().div_ceil(KEYS).max(1)) {
        let start = if *large { child::crowded(quorum) } else { child::keyed(quorum, &["a".to_owned()]) };
        let again = q.quorums().start(start).await.map_err(|e| format!("key of {quorum}: {e}"))?;
        if (again.quorum_id.as_str(), again.duplicate) != (quorum.as_str(), true) {
            return Err(format!("the key of {quorum} started {again:?}"));
        }
    }
    Ok(())
}

/// Once all leases, offers and waits are over, all capacity is back. Opens the store a day later.
pub async fn all_comes_back(folder: &Path) -> Result<usize, String> {
    let q = Quorate::open(child::config(folder)).await.map_err(|e| e.to_string())?;
    let later = q.now().plus(Duration::from_secs(24 * 60 * 60));
    q.crash().await;
    let config = Config { clock: ClockConfig::Manual(later), ..child::config(folder) };
    let q = open_again(config).await.map_err(|e| e.to_string())?;
    every_job_comes_to_its_end(&q).await?;
    let mut books = Books::of(&q).await?;
    q.close().await.map_err(|e| e.to_string())?;
    books.settle(later)?;
    for (id, cell) in &books.cells {
        if *cell.available != cell.settings.totals || !cell.held.is_empty() {
            return Err(format!("not everything is back at {id}: {cell:?}"));
        }
    }
    match books.budgets.iter().find(|(_, budget)| !budget.charges.is_empty()) {
        Some(budget) => Err(format!("still charged: {budget:?}")),
        None => Ok(books.granted.len()),
    }
}

/// Opens what this process had open when it crashed. A renewal of its lease on a database may have been on its way, and then
/// somebody seems to be alive.
async fn open_again(config: Config) -> Result<Quorate, quorate::Error> {
    match Quorate::open(config.clone()).await {
        Err(e) if e.kind() == quorate::ErrorKind::StoreLocked => Quorate::open(config).await,
        opened => opened,
    }
}

/// With time, every job has ended and everybody who must hear of it has.
async fn every_job_comes_to_its_end(q: &Quorate) -> Result<(), String> {
    let fail = |e: quorate::Error| e.to_string();
    // Repeats, waits for confirmation and the time after which silent datacenters are given up.
    for _ in 0..4 {
        q.advance(Duration::from_secs(60)).await.map_err(fail)?;
    }
    q.advance(Duration::from_secs(2 * 60 * 60)).await.map_err(fail)?;
    let mut work = Work::default();
    let mut cursor = None;
    loop {
        let request = HistoryQuery { limit: Some(1000), cursor, ..Default::default() };
        let page = q.history().query(request).await.map_err(fail)?;
        page.events.iter().try_for_each(|event| work.add(event))?;
        cursor = page.next_cursor;
        if !page.more {
            break;
        }
    }
    for (name, book) in &work.jobs {
        let (job_id, datacenter) = name.split_once('@').unwrap_or((name, "local"));
        let job_id = EntityId::new(job_id).unwrap();
        let request = JobRef { job_id, datacenter: Some(EntityId::new(datacenter).unwrap()) };
        let live = q.jobs().status(request).await.map_err(fail)?;
        if book.ended.is_none() || live.datacenters[0].unanswered != 0 {
            return Err(format!("{name} has not come to its end: {:?}", live.datacenters[0]));
        }
    }
    for (name, book) in &work.gates {
        let request = JobRef { job_id: EntityId::new(name.as_str()).unwrap(), datacenter: None };
        let gate = q.jobs().gate_status(request).await.map_err(fail)?;
        if book.finished.is_none() || gate.datacenters.iter().any(|dc| !dc.unanswered.is_empty()) {
            return Err(format!("{name} has not come to its end: {gate:?}"));
        }
    }
    let stats = q.jobs().stats().await.map_err(fail)?;
    if (stats.tracked_jobs, stats.noted_in_memory, stats.in_transit) != (0, 0, 0) {
        return Err(format!("something of jobs is left: {stats:?}"));
    }
    Ok(())
}
