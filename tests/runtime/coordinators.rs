//! Coordinators brought along: they may fail, answer in part, take for ever, or panic.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use quorate::{ErrorKind, Quorate};
use quorate_core::kernel::ids::VoterId;
use quorate_core::voting::proposal::{Verdict, VoteOutcome};
use quorate_core::voting::rules::Choice;
use quorate_journal::stores::memory::MemoryStore;
use quorate_runtime::config::Config;
use quorate_runtime::shell::coordinator::{ConsensusRequest, Coordinator, Delivered, Told};
use tokio::sync::watch;

use crate::consensus::{id, question, refused, result, until, until_open, vote, voter, waited};
use crate::hooked::Hooked;
use crate::manual;

#[derive(Clone, Debug)]
enum Behaviour {
    Reaches,
    /// Says no, whatever it is asked.
    Fails,
    /// Cannot reach the last agent.
    Partly,
    /// Works, and reaches nobody.
    Nobody,
    /// Waits until it is told to go on.
    Waits(watch::Receiver<bool>),
    Panics,
}

/// Three agents behind a transport that behaves as it is told to, and what it was asked to tell them.
#[derive(Debug)]
struct Transport {
    lists: Behaviour,
    tells: Behaviour,
    told: Mutex<Vec<ConsensusRequest>>,
}

impl Transport {
    fn new(lists: Behaviour, tells: Behaviour) -> Arc<Self> {
        Arc::new(Transport { lists, tells, told: Mutex::default() })
    }

    fn told(&self) -> usize {
        self.told.lock().unwrap().len()
    }
}

impl Coordinator for Transport {
    fn agents(&self) -> Told<'_, Vec<VoterId>> {
        Box::pin(async move {
            match &self.lists {
                Behaviour::Fails => Err("registry away".to_owned()),
                Behaviour::Panics => panic!("a registry that panics"),
                // As a transport may have it: in no order, and some twice.
                _ => Ok(["cyd", "ann", "bob", "ann"].map(voter).into()),
            }
        })
    }

    fn broadcast(&self, request: ConsensusRequest, agents: Vec<VoterId>) -> Told<'_, Delivered> {
        self.told.lock().unwrap().push(request);
        let tells = self.tells.clone();
        Box::pin(async move {
            assert_eq!(agents, ["ann", "bob", "cyd"].map(voter));
            match tells {
                Behaviour::Reaches => Ok(Delivered { reached: 3, unreached: vec![] }),
                Behaviour::Fails => Err("no route to anybody".to_owned()),
                Behaviour::Partly => Ok(Delivered { reached: 2, unreached: vec![voter("cyd")] }),
                Behaviour::Nobody => Ok(Delivered { reached: 0, unreached: agents }),
                Behaviour::Waits(mut go_on) => {
                    go_on.wait_for(|go_on| *go_on).await.map_err(|e| e.to_string())?;
                    Err("in the end it failed".to_owned())
                }
                Behaviour::Panics => panic!("a transport that panics"),
            }
        })
    }
}

fn with(config: Config, transport: &Arc<Transport>) -> Config {
    Config { coordinator: Some(transport.clone()), ..config }
}

/// Waits in real time for a decision that comes by itself.
async fn decision(q: &Quorate, proposal: &str) -> Option<Verdict> {
    until("decided", async || result(q, proposal).await.decision.is_some()).await;
    result(q, proposal).await.decision
}

#[tokio::test(flavor = "multi_thread")]
async fn who_the_transport_knows_is_asked_each_once_and_not_reaching_some_is_no_failure() {
    let transport = Transport::new(Behaviour::Reaches, Behaviour::Partly);
    let q = Quorate::open(with(manual(), &transport)).await.unwrap();
    let opened = q.consensus().request(question("p")).await.unwrap();
    assert_eq!(opened.metadata.total_participants, 3);
    until("told", async || result(&q, "p").await.metadata.unreached_agents == [voter("cyd")]).await;
    // Who was not reached may vote all the same.
    vote(&q, "p", "cyd", Choice::For).await;
    vote(&q, "p", "ann", Choice::For).await;
    assert_eq!(result(&q, "p").await.decision, Some(Verdict::Approved));
    assert_eq!((transport.told(), transport.told.lock().unwrap()[0].proposal_id.clone()), (1, id("p")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broadcast_that_fails_or_panics_aborts_the_question_and_it_does_not_count() {
    for (tells, why) in
        [(Behaviour::Fails, "no route to anybody"), (Behaviour::Panics, "the coordinator panicked")]
    {
        let transport = Transport::new(Behaviour::Reaches, tells);
        let q = Quorate::open(with(Config::memory(), &transport)).await.unwrap();
        let request = quorate_runtime::api::dto::RequestConsensus { wait: None, ..question("p") };
        let consensus = q.consensus();
        let asked = consensus.request(request.within_ms(300_000));
        let end = tokio::time::timeout(Duration::from_secs(60), asked).await.unwrap().unwrap();
        assert_eq!((end.decision, end.metadata.error.as_deref()), (Some(Verdict::Aborted), Some(why)));
        let stats = q.consensus().stats().await.unwrap();
        assert_eq!((stats.total_proposals, stats.aborted, stats.active_proposals), (0, 1, 0));
        assert_eq!(q.consensus().history(Default::default()).await.unwrap().total, 1);
        assert_eq!(refused(&q, "p", "ann", Choice::For).await, ErrorKind::ProposalClosed);
        assert_eq!((transport.told(), q.health().status.as_str()), (1, "ok"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_reaches_nobody_is_aborted_and_one_that_reaches_some_is_counted_as_told() {
    let q =
        Quorate::open(with(manual(), &Transport::new(Behaviour::Reaches, Behaviour::Nobody))).await.unwrap();
    q.consensus().request(question("p")).await.unwrap();
    assert_eq!(decision(&q, "p").await, Some(Verdict::Aborted));
    let end = result(&q, "p").await.metadata;
    assert!(end.reason.unwrap().contains("none of the agents could be reached"), "{:?}", end.error);
    assert_eq!((end.reached, end.unreached_agents.len()), (0, 3));
    let stats = q.consensus().stats().await.unwrap();
    assert_eq!((stats.aborted, stats.rejected, stats.total_proposals), (1, 0, 0));
    let query =
        quorate_runtime::api::dto::HistoryQuery { outcome: Some("aborted".into()), ..Default::default() };
    assert_eq!(q.history().query(query).await.unwrap().events.len(), 1);

    let q =
        Quorate::open(with(manual(), &Transport::new(Behaviour::Reaches, Behaviour::Partly))).await.unwrap();
    q.consensus().request(question("p")).await.unwrap();
    until("told", async || result(&q, "p").await.metadata.reached == 2).await;
    // Inboxes are the built-in coordinator's; here the transport tells.
    let mut inbox = q.consensus().inbox(&voter("ann"));
    q.advance(Duration::from_millis(1)).await.unwrap();
    assert!(inbox.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn when_nobody_can_say_who_is_registered_nothing_is_opened_and_trying_again_is_right() {
    for lists in [Behaviour::Fails, Behaviour::Panics] {
        let q = Quorate::open(with(manual(), &Transport::new(lists, Behaviour::Reaches))).await.unwrap();
        let refused = q.consensus().request(question("p")).await.unwrap_err();
        assert_eq!((refused.kind(), refused.is_retryable()), (ErrorKind::CoordinatorError, true));
        assert_eq!(waited(&q, "p", 0).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(q.consensus().stats().await.unwrap().aborted, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broadcast_that_lasts_holds_up_neither_votes_nor_deadlines_and_fails_too_late_to_matter() {
    let (go_on, waits) = watch::channel(false);
    let transport = Transport::new(Behaviour::Reaches, Behaviour::Waits(waits));
    let q = Quorate::open(with(manual(), &transport)).await.unwrap();
    for name in ["voted", "silent"] {
        q.consensus().request(question(name).within_ms(1_000)).await.unwrap();
    }
    until("told", async || transport.told() == 2).await;
    vote(&q, "voted", "ann", Choice::For).await;
    vote(&q, "voted", "bob", Choice::For).await;
    // Time moves although the transport has not come back.
    tokio::time::timeout(Duration::from_secs(60), q.advance(Duration::from_millis(1_001)))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(decision(&q, "silent").await, Some(Verdict::Timeout));
    go_on.send(true).unwrap();
    q.consensus().request(question("next")).await.unwrap();
    assert_eq!(decision(&q, "next").await, Some(Verdict::Aborted), "told while it fails");
    assert_eq!(result(&q, "voted").await.decision, Some(Verdict::Approved));
    let stats = q.consensus().stats().await.unwrap();
    assert_eq!((stats.approved, stats.timeouts, stats.rejected, stats.aborted), (1, 1, 0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_was_not_told_before_a_crash_is_told_after_it_and_opening_does_not_wait_for_that() {
    let memory = MemoryStore::new();
    let (_keep, waits) = watch::channel(false);
    let hanging = Transport::new(Behaviour::Reaches, Behaviour::Waits(waits));
    let q = Quorate::open_with(with(manual(), &hanging), Arc::new(memory.reopen())).await.unwrap();
    q.consensus().request(question("p")).await.unwrap();
    q.crash().await;
    // Still hanging: the runtime opens all the same, and votes are taken.
    let opening = Quorate::open_with(with(manual(), &hanging), Arc::new(memory.reopen()));
    let q = tokio::time::timeout(Duration::from_secs(60), opening).await.unwrap().unwrap();
    assert_eq!(vote(&q, "p", "ann", Choice::For).await, VoteOutcome::Recorded);
    tokio::time::timeout(Duration::from_secs(60), q.close()).await.unwrap().unwrap();

    let reaching = Transport::new(Behaviour::Reaches, Behaviour::Partly);
    let q = Quorate::open_with(with(manual(), &reaching), Arc::new(memory.reopen())).await.unwrap();
    until_open(&q, "p").await;
    until("told", async || !result(&q, "p").await.metadata.unreached_agents.is_empty()).await;
    assert_eq!((reaching.told(), result(&q, "p").await.votes_for), (1, 1));
    q.crash().await;
    let q = Quorate::open_with(with(manual(), &reaching), Arc::new(memory.reopen())).await.unwrap();
    assert_eq!((reaching.told(), result(&q, "p").await.state.as_str()), (1, "open"), "told once is enough");
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_hear_of_a_question_only_when_it_is_durable() {
    let gate = Arc::new(Mutex::new(()));
    let door = gate.clone();
    let store = Hooked::new(MemoryStore::new(), move |_| {
        drop(door.lock().unwrap());
        Ok(())
    });
    let transport = Transport::new(Behaviour::Reaches, Behaviour::Reaches);
    let q = Quorate::open_with(with(manual(), &transport), Arc::new(store)).await.unwrap();
    let asking = q.clone();
    let asked = {
        let _shut = gate.lock().unwrap();
        let asked = tokio::spawn(async move { asking.consensus().request(question("p")).await });
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(transport.told(), 0, "told before it is on disk");
        asked
    };
    assert_eq!(asked.await.unwrap().unwrap().state, "open");
    until("told", async || transport.told() == 1).await;
}
