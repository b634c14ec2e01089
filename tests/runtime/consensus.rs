//! Proposals through the typed API.

use std::sync::Arc;
use std::time::Duration;

use quorate::{Error, ErrorKind, Quorate, StartQuorum};
use quorate_core::kernel::ids::{EntityId, VoterId};
use quorate_core::voting::proposal::{Verdict, VoteChange, VoteOutcome};
use quorate_core::voting::rules::{Choice, Param};
use quorate_journal::stores::memory::MemoryStore;
use quorate_runtime::api::dto::{
    ConsensusRef, ConsensusResult, ConsensusVote, OpenProposals, RegisterAgent, RegisterAlgorithm,
    RequestConsensus,
};
use quorate_runtime::config::{ClockConfig, Config};
use quorate_runtime::shell::bus::What;
use serde_json::json;

use crate::manual;

pub fn voter(name: &str) -> VoterId {
    VoterId::new(name).unwrap()
}

pub fn id(name: &str) -> EntityId {
    EntityId::new(name).unwrap()
}

/// A question of this id that is answered as soon as it is put.
pub fn question(name: &str) -> RequestConsensus {
    RequestConsensus {
        proposal_id: Some(id(name)),
        wait: Some(false),
        ..RequestConsensus::new(json!({ "deploy": name }))
    }
}

/// Registers agents that are not expected to beat.
pub async fn agents(q: &Quorate, names: &[&str]) {
    for name in names {
        q.agents().register(RegisterAgent::new(name).unwrap()).await.unwrap();
    }
}

pub async fn vote(q: &Quorate, proposal: &str, agent: &str, choice: Choice) -> VoteOutcome {
    let vote = ConsensusVote::new(&id(proposal), agent, choice).unwrap();
    let voted = q.consensus().vote(vote).await.unwrap();
    assert_eq!(voted.recorded, voted.outcome == VoteOutcome::Recorded);
    assert_eq!(voted.duplicate, voted.outcome == VoteOutcome::Duplicate);
    voted.outcome
}

/// How a vote is refused.
pub async fn refused(q: &Quorate, proposal: &str, agent: &str, choice: Choice) -> ErrorKind {
    let vote = ConsensusVote::new(&id(proposal), agent, choice).unwrap();
    q.consensus().vote(vote).await.unwrap_err().kind()
}

pub async fn result(q: &Quorate, proposal: &str) -> ConsensusResult {
    waited(q, proposal, 0).await.unwrap()
}

pub async fn waited(q: &Quorate, proposal: &str, wait_ms: i64) -> Result<ConsensusResult, Error> {
    q.consensus().result(ConsensusRef { proposal_id: id(proposal), wait_ms: Some(wait_ms) }).await
}

/// Waits until it is so, and gives up long after it should be.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..4_000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never: {what}");
}

/// Waits until the proposal is open.
pub async fn until_open(q: &Quorate, proposal: &str) {
    until("open", async || waited(q, proposal, 0).await.is_ok()).await;
}

pub async fn register(q: &Quorate, name: &str, rule: &str) {
    let request = RegisterAlgorithm::new(name, Param::from(rule));
    assert!(q.algorithms().register(request).await.unwrap().registered);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_returns_as_soon_as_the_votes_decide() {
    let q = Quorate::open(Config::memory()).await.unwrap();
    agents(&q, &["ann", "bob", "cyd"]).await;
    let asking = q.clone();
    let request = RequestConsensus { wait: None, ..question("p") }.within_ms(300_000);
    let asked = tokio::spawn(async move { asking.consensus().request(request).await });
    until_open(&q, "p").await;
    assert_eq!(vote(&q, "p", "ann", Choice::For).await, VoteOutcome::Recorded);
    assert_eq!(vote(&q, "p", "cyd", Choice::For).await, VoteOutcome::Recorded);
    let end = tokio::time::timeout(Duration::from_secs(60), asked).await.unwrap().unwrap().unwrap();
    assert_eq!((end.decision, end.votes_for, end.participants.len()), (Some(Verdict::Approved), 2, 2));
    assert_eq!((end.threshold, end.algorithm_used.as_str()), (Some(0.5), "quorum"));
    assert_eq!((end.metadata.total_participants, end.decided_by), (3, Some(voter("cyd"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_open_proposals_end_each_by_its_own_votes() {
    const OPEN: usize = 10_000;
    let q = Quorate::open(manual()).await.unwrap();
    agents(&q, &["ann", "bob", "cyd"]).await;
    register(&q, "all", "unanimous").await;
    let name = |n: usize| format!("p-{n}");
    for chunk in (0..OPEN).collect::<Vec<_>>().chunks(1_000) {
        let opened = chunk.iter().map(|n| {
            let algorithm = if n % 2 == 0 { "quorum" } else { "all" };
            let (q, request) = (q.clone(), question(&name(*n)).by(algorithm));
            tokio::spawn(async move { q.consensus().request(request).await.unwrap() })
        });
        for opened in opened.collect::<Vec<_>>() {
            assert_eq!(opened.await.unwrap().state, "open");
        }
    }
    assert_eq!(q.consensus().stats().await.unwrap().active_proposals, OPEN as u64);
    // One agent votes on all of them, then the next: what each votes depends on the proposal alone.
    let choice = |n: usize, agent: usize| match (n / 2 + agent) % 3 {
        0 | 1 if !n.is_multiple_of(5) => Choice::For,
        _ => Choice::Against,
    };
    for (agent, who) in ["ann", "bob", "cyd"].into_iter().enumerate() {
        for chunk in (0..OPEN).collect::<Vec<_>>().chunks(4_000) {
            let votes = chunk.iter().map(|n| {
                q.consensus().vote(ConsensusVote::new(&id(&name(*n)), who, choice(*n, agent)).unwrap())
            });
            for voted in votes.collect::<Vec<_>>() {
                // Two may have decided before the third voted.
                if let Err(late) = voted.await {
                    assert_eq!(late.kind(), ErrorKind::ProposalClosed);
                }
            }
        }
    }
    let mut approved = 0;
    for n in 0..OPEN {
        let votes: Vec<bool> = (0..3).map(|agent| choice(n, agent) == Choice::For).collect();
        let yes = votes.iter().filter(|yes| **yes).count();
        let expected = match n % 2 {
            0 if yes >= 2 => Verdict::Approved,
            1 if yes == 3 => Verdict::Approved,
            _ => Verdict::Rejected,
        };
        approved += u64::from(expected == Verdict::Approved);
        let end = result(&q, &name(n)).await;
        assert_eq!((end.decision, end.proposal), (Some(expected), json!({ "deploy": name(n) })), "{n}");
    }
    let stats = q.consensus().stats().await.unwrap();
    assert_eq!((stats.active_proposals, stats.total_proposals), (0, OPEN as u64));
    assert_eq!((stats.approved, stats.rejected, stats.timeouts), (approved, OPEN as u64 - approved, 0));
    assert_eq!(stats.by_algorithm["all"].proposals, OPEN as u64 / 2);
    assert!(q.history().verify(|_| ()).await.unwrap().ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_request_cancels_nothing() {
    let q = Quorate::open(Config::memory()).await.unwrap();
    agents(&q, &["ann"]).await;
    {
        let consensus = q.consensus();
        let request = RequestConsensus { wait: None, ..question("p") };
        let mut asked = Box::pin(consensus.request(request));
        tokio::select! {
            ended = &mut asked => panic!("{ended:?}"),
            () = until_open(&q, "p") => {}
        }
    }
    assert_eq!(result(&q, "p").await.state, "open");
    // Another handle waits for the decision by id.
    let other = q.clone();
    let waiting = tokio::spawn(async move { waited(&other, "p", 60_000).await });
    vote(&q, "p", "ann", Choice::Against).await;
    assert_eq!(waiting.await.unwrap().unwrap().decision, Some(Verdict::Rejected));
    assert_eq!(q.consensus().history(Default::default()).await.unwrap().total, 1);
    let dropped = q.health();
    assert_eq!(dropped.in_flight, 0, "nobody who waited holds a place");
}

#[cfg(feature = "store-sled")]
#[tokio::test(flavor = "multi_thread")]
async fn a_decision_can_be_awaited_by_id_after_a_restart_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let q = Quorate::open(Config::at(folder.path())).await.unwrap();
    agents(&q, &["ann", "bob", "cyd"]).await;
    for name in ["yes", "slow"] {
        q.consensus().request(question(name).within_ms(300_000)).await.unwrap();
        vote(&q, name, "ann", Choice::For).await;
    }
    q.crash().await;

    let q = Quorate::open(Config::at(folder.path())).await.unwrap();
    let other = q.clone();
    let waiting = tokio::spawn(async move { waited(&other, "yes", 60_000).await });
    assert_eq!(vote(&q, "yes", "ann", Choice::For).await, VoteOutcome::Duplicate);
    assert_eq!(vote(&q, "yes", "bob", Choice::For).await, VoteOutcome::Recorded);
    let end = waiting.await.unwrap().unwrap();
    assert_eq!((end.decision, end.votes_for), (Some(Verdict::Approved), 2));
    assert_eq!(waited(&q, "slow", 30).await.unwrap().state, "open");
    q.close().await.unwrap();

    let q = Quorate::open(Config::at(folder.path())).await.unwrap();
    assert_eq!(waited(&q, "yes", 60_000).await.unwrap(), end);
    let stats = q.consensus().stats().await.unwrap();
    assert_eq!((stats.approved, stats.active_proposals, stats.votes), (1, 1, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_what_never_was_ends_at_once_and_waiting_too_long_is_refused() {
    let q = Quorate::open(Config::memory()).await.unwrap();
    assert_eq!(waited(&q, "nobody", 300_000).await.unwrap_err().kind(), ErrorKind::NotFound);
    for ms in [-1, 300_001] {
        let refused = waited(&q, "nobody", ms).await.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.detail("field").unwrap()),
            (ErrorKind::InvalidArgument, &json!("wait_ms"))
        );
    }
    let reserved = RequestConsensus { proposal_id: Some(id("stats")), ..question("p") };
    assert_eq!(q.consensus().request(reserved).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(refused(&q, "nobody", "ann", Choice::For).await, ErrorKind::NotFound);
    assert_eq!(q.consensus().stats().await.unwrap().refused_votes, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_that_answer_as_soon_as_they_hear_are_heard() {
    let q = Quorate::open(Config::memory()).await.unwrap();
    agents(&q, &["ann", "bob", "cyd"]).await;
    let mut agents = Vec::new();
    for name in ["ann", "bob", "cyd"] {
        let (mut inbox, q) = (q.consensus().inbox(&voter(name)), q.clone());
        agents.push(tokio::spawn(async move {
            let mut heard = 0;
            while let Some(request) = inbox.recv().await {
                assert_eq!(request.from, "consensus_manager");
                let choice = if request.proposal["fine"] == true { Choice::For } else { Choice::Against };
                let vote = ConsensusVote::new(&request.proposal_id, name, choice).unwrap();
                if let Err(late) = q.consensus().vote(vote).await {
                    assert_eq!(late.kind(), ErrorKind::ProposalClosed);
                }
                heard += 1;
                if request.proposal["last"] == true {
                    break;
                }
            }
            heard
        }));
    }
    for n in 0..50 {
        let proposal = json!({ "fine": n % 3 != 0, "last": n == 49 });
        let end = q.consensus().request(RequestConsensus::new(proposal).within_ms(300_000)).await.unwrap();
        let expected = if n % 3 == 0 { Verdict::Rejected } else { Verdict::Approved };
        assert_eq!(end.decision, Some(expected));
    }
    for agent in agents {
        assert_eq!(agent.await.unwrap(), 50);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_agent_is_told_says_all_it_needs_and_an_inbox_nobody_reads_is_put_on_record() {
    let q = Quorate::open(manual()).await.unwrap();
    agents(&q, &["ann", "bob"]).await;
    let (earlier, mut inbox) = (q.consensus().inbox(&voter("ann")), q.consensus().inbox(&voter("ann")));
    drop(q.consensus().inbox(&voter("bob")));
    q.consensus().request(question("p").within_ms(5_000)).await.unwrap();
    let told = serde_json::to_value(inbox.recv().await.unwrap()).unwrap();
    let expected = json!({ "type": "consensus_request", "from": "consensus_manager", "proposal_id": "p",
        "proposal": { "deploy": "p" }, "algorithm": "quorum", "timeout_ms": 5_000 });
    assert_eq!(told, expected);
    let mut earlier = earlier;
    assert!(earlier.recv().await.is_none(), "an earlier inbox hears no more");
    q.advance(Duration::from_millis(1)).await.unwrap();
    assert_eq!(result(&q, "p").await.metadata.unreached_agents, [voter("bob")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_repeated_under_one_key_answers_with_the_first_proposal() {
    let memory = MemoryStore::new();
    let q = Quorate::open_with(manual(), Arc::new(memory.reopen())).await.unwrap();
    agents(&q, &["ann", "bob"]).await;
    let keyed = |key: &str| RequestConsensus {
        idempotency_key: Some(quorate_core::kernel::ids::IdempotencyKey::new(key).unwrap()),
        wait: Some(false),
        ..RequestConsensus::new(json!(1))
    };
    let first = q.consensus().request(keyed("once")).await.unwrap();
    let again = q.consensus().request(keyed("once")).await.unwrap();
    assert_eq!((first.duplicate, again.duplicate), (Some(false), Some(true)));
    assert_eq!(ConsensusResult { duplicate: Some(false), ..again }, first);
    let other = RequestConsensus { proposal: json!(2), ..keyed("once") };
    let refused = q.consensus().request(other).await.unwrap_err();
    assert_eq!((refused.kind(), refused.detail("differs")), (ErrorKind::KeyReused, Some(&json!("proposal"))));
    let many: Vec<_> = (0..16)
        .map(|_| {
            let q = q.clone();
            tokio::spawn(async move { q.consensus().request(keyed("race")).await.unwrap().proposal_id })
        })
        .collect();
    let mut ids = std::collections::BTreeSet::new();
    for one in many {
        ids.insert(one.await.unwrap());
    }
    assert_eq!(ids.len(), 1);
    assert_eq!(q.consensus().stats().await.unwrap().active_proposals, 2);
    q.crash().await;
    let q = Quorate::open_with(manual(), Arc::new(memory.reopen())).await.unwrap();
    assert_eq!(q.consensus().request(keyed("once")).await.unwrap().proposal_id, first.proposal_id);
    let other = RequestConsensus { fail_fast: Some(true), ..keyed("once") };
    let refused = q.consensus().request(other).await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.detail("differs")),
        (ErrorKind::KeyReused, Some(&json!("fail_fast")))
    );
    // A key that names something else is refused, and nothing is opened.
    let quorum = StartQuorum { idempotency_key: keyed("other").idempotency_key, ..StartQuorum::global() };
    q.quorums().start(quorum).await.unwrap();
    let refused = q.consensus().request(keyed("other")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::KeyReused);
    let quorum = StartQuorum { idempotency_key: keyed("once").idempotency_key, ..StartQuorum::global() };
    assert_eq!(q.quorums().start(quorum).await.unwrap_err().kind(), ErrorKind::KeyReused);
    assert_eq!(q.consensus().stats().await.unwrap().active_proposals, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_hear_of_an_opening_the_votes_and_the_decision_once_each() {
    let q = Quorate::open(manual()).await.unwrap();
    agents(&q, &["ann"]).await;
    let mut bell = q.subscribe();
    q.consensus().request(question("p")).await.unwrap();
    assert_eq!(refused(&q, "p", "stranger", Choice::For).await, ErrorKind::NotEligible);
    vote(&q, "p", "ann", Choice::For).await;
    vote(&q, "p", "ann", Choice::For).await;
    // The bell rings after the answer; the next question tells that it has rung.
    q.consensus().request(question("next")).await.unwrap();
    let mut heard = Vec::new();
    loop {
        let notice = tokio::time::timeout(Duration::from_secs(60), bell.recv()).await.unwrap().unwrap();
        if notice.entity.id == id("next") {
            break;
        }
        assert_eq!((notice.topic.as_str(), &notice.entity.id), ("consensus/p", &id("p")));
        heard.push(notice.what);
    }
    let cast = What::Cast { voter_id: voter("ann"), vote: Choice::For };
    assert_eq!(heard, [What::Opened, cast, What::Decided { decision: Verdict::Approved }]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_of_other_kinds_do_not_disturb_the_history_and_questions_that_could_not_be_put_are_in_it() {
    let q = Quorate::open(manual()).await.unwrap();
    let empty = q.consensus().request(question("nobody")).await.unwrap();
    assert_eq!(
        (empty.decision, empty.metadata.error.as_deref()),
        (Some(Verdict::Aborted), Some("no_agents"))
    );
    assert_eq!(empty.duration_ms, 0.0);
    agents(&q, &["ann"]).await;
    q.consensus().request(question("hopeless")).await.unwrap();
    vote(&q, "hopeless", "ann", Choice::Against).await;
    q.consensus().request(question("yes")).await.unwrap();
    vote(&q, "yes", "ann", Choice::For).await;
    let page = |limit, cursor| quorate_runtime::api::dto::ConsensusHistory { limit: Some(limit), cursor };
    let all = q.consensus().history(page(3, None)).await.unwrap();
    let names: Vec<_> = all.history.iter().map(|entry| entry.proposal_id.as_str()).collect();
    assert_eq!(names, ["nobody", "hopeless", "yes"]);
    assert_eq!((all.total, all.total_available, all.more), (3, 3, false));
    let newest = q.consensus().history(page(1, None)).await.unwrap();
    let rest = q.consensus().history(page(2, newest.next_cursor)).await.unwrap();
    assert_eq!((rest.total, rest.more), (2, false));
    let stats = q.consensus().stats().await.unwrap();
    assert_eq!((stats.total_proposals, stats.aborted, stats.rejected, stats.approved), (2, 1, 1, 1));
    // A quorum that ended before them is not a page of its own.
    let other = Quorate::open(manual()).await.unwrap();
    let quick = StartQuorum { timeout_seconds: Some(0.1), ..StartQuorum::global() };
    other.quorums().start(quick).await.unwrap();
    other.advance(Duration::from_secs(1)).await.unwrap();
    other.consensus().request(question("nobody")).await.unwrap();
    assert!(!other.consensus().history(page(1, None)).await.unwrap().more);
}

#[tokio::test(flavor = "multi_thread")]
async fn open_proposals_can_be_listed_for_the_agent_they_await() {
    let q = Quorate::open(manual()).await.unwrap();
    agents(&q, &["ann", "bob", "cyd"]).await;
    for name in ["a", "b", "c"] {
        q.consensus().request(question(name)).await.unwrap();
    }
    vote(&q, "b", "ann", Choice::For).await;
    let only_bob = RequestConsensus { participants: Some(vec![voter("bob")]), ..question("d") };
    q.consensus().request(only_bob).await.unwrap();
    let listed = async |agent: Option<&str>, limit, cursor: Option<&str>| {
        let agent_id = agent.map(voter);
        let cursor = cursor.map(str::to_owned);
        let request = OpenProposals { agent_id, limit: Some(limit), cursor, ..OpenProposals::default() };
        let page = q.consensus().list_open(request).await.unwrap();
        let names: Vec<String> = page.proposals.iter().map(|p| p.proposal_id.to_string()).collect();
        (names.join(""), page.next_cursor.filter(|_| page.more))
    };
    assert_eq!(listed(None, 100, None).await, ("abcd".into(), None));
    assert_eq!(listed(Some("ann"), 100, None).await, ("ac".into(), None));
    assert_eq!(listed(Some("bob"), 100, None).await, ("abcd".into(), None));
    assert_eq!(listed(None, 2, None).await, ("ab".into(), Some("b".into())));
    assert_eq!(listed(None, 2, Some("b")).await, ("cd".into(), None));
    q.advance(Duration::from_millis(30_001)).await.unwrap();
    assert_eq!(listed(None, 100, None).await, (String::new(), None));
    let stranger = RequestConsensus { participants: Some(vec![voter("zoe")]), ..question("e") };
    let refused = q.consensus().request(stranger).await.unwrap_err();
    assert_eq!(refused.detail("field").unwrap(), "participants");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_the_middle_of_any_step_changes_no_result() {
    // The last step is what a crash cuts off or not; the clock stands, so both runs see the same instants.
    let open = |name: &str| question(name).within_ms(1_000);
    let mut ends = Vec::new();
    for crash in [false, true] {
        let memory = MemoryStore::new();
        let mut q = Quorate::open_with(manual(), Arc::new(memory.reopen())).await.unwrap();
        macro_rules! pause {
            () => {
                if crash {
                    let now = q.now();
                    q.crash().await;
                    let config = Config { clock: ClockConfig::Manual(now), ..manual() };
                    q = Quorate::open_with(config, Arc::new(memory.reopen())).await.unwrap();
                }
            };
        }
        agents(&q, &["ann", "bob", "cyd"]).await;
        register(&q, "all", "unanimous").await;
        pause!();
        for name in ["approved", "rejected", "silent"] {
            q.consensus().request(open(name).by("all")).await.unwrap();
            pause!();
        }
        let changing = RequestConsensus { vote_change: Some(VoteChange::Replace), ..open("fickle") };
        q.consensus().request(changing).await.unwrap();
        q.advance(Duration::from_millis(400)).await.unwrap();
        pause!();
        for name in ["ann", "bob", "cyd"] {
            vote(&q, "approved", name, Choice::For).await;
            pause!();
            vote(&q, "fickle", "ann", if name == "bob" { Choice::Against } else { Choice::For }).await;
        }
        vote(&q, "rejected", "ann", Choice::Abstain).await;
        pause!();
        assert_eq!(refused(&q, "rejected", "bob", Choice::For).await, ErrorKind::ProposalClosed);
        vote(&q, "silent", "ann", Choice::For).await;
        q.advance(Duration::from_millis(600)).await.unwrap();
        pause!();
        vote(&q, "silent", "bob", Choice::For).await;
        q.advance(Duration::from_millis(1)).await.unwrap();
        pause!();
        assert_eq!(refused(&q, "silent", "cyd", Choice::For).await, ErrorKind::ProposalClosed);
        let mut results = Vec::new();
        for name in ["approved", "rejected", "silent", "fickle"] {
            results.push(result(&q, name).await);
        }
        let decisions: Vec<_> = results.iter().map(|end| end.decision.unwrap().name()).collect();
        assert_eq!(decisions, ["approved", "rejected", "timeout", "timeout"]);
        ends.push((results, q.consensus().stats().await.unwrap()));
        assert!(q.history().verify(|_| ()).await.unwrap().ok);
    }
    assert_eq!(ends[0], ends[1]);
}
