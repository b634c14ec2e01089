//! The way to the agents: who is registered, and how they hear of a question.
//!
//! ```text
//!  proposal opened ──durable──► Coordinator::broadcast ──► agents ──► votes ──► proposal
//! ```
//!
//! The built-in coordinator takes the registry of agents for the list, and hands questions to the inboxes that
//! programs of the same process opened. Agents without an inbox learn of questions by asking for the open proposals,
//! or when they open one. Bring your own to reach them over another transport.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::mpsc;

use super::counters::Counters;
use super::host::Host;
use super::lock;
use crate::core::kernel::ids::{EntityId, VoterId};
pub use crate::core::voting::proposal::event::Delivered;

/// What agents are told: `{"type": "consensus_request", "from": "consensus_manager", …}`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename = "consensus_request")]
pub struct ConsensusRequest {
    /// Who asks: always `consensus_manager`.
    pub from: &'static str,
    /// The proposal to vote on. The same id again is the same question, told again after a crash or as a reminder.
    pub proposal_id: EntityId,
    /// What is asked.
    pub proposal: Value,
    /// How it is decided.
    pub algorithm: String,
    /// How long votes are taken, in milliseconds from the opening.
    pub timeout_ms: u64,
    /// What a vote for it must bring as its `value`, as a JSON Schema, where an answer is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_schema: Option<Value>,
    /// How often those who are told were reminded; 0 when they are told for the first time.
    #[serde(skip_serializing_if = "is_zero")]
    pub reminded: u32,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// The answer of a coordinator, some time later. An error is a sentence for the record.
pub type Told<'a, T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send + 'a>>;

/// The way to the agents.
pub trait Coordinator: Send + Sync + fmt::Debug {
    /// Ids of the agents registered now. An error refuses the request; nothing is opened.
    fn agents(&self) -> Told<'_, Vec<VoterId>>;

    /// Tells these agents of a question. It already takes votes, so an agent may answer before this returns. That
    /// some cannot be reached is no error; an error rejects the question.
    fn broadcast(&self, request: ConsensusRequest, agents: Vec<VoterId>) -> Told<'_, Delivered>;
}

/// Asks a coordinator in a task of its own, so that one that panics is one that says no.
pub(crate) async fn ask_outside<T: Send + 'static>(
    host: &Host,
    what: impl FnOnce(&dyn Coordinator) -> Told<'_, T> + Send + 'static,
) -> Result<T, String> {
    let coordinator = host.coordinator.clone();
    let asked = host.tokio.spawn(async move { what(coordinator.as_ref()).await });
    match asked.await {
        Ok(told) => told,
        Err(e) if e.is_panic() => Err("the coordinator panicked".to_owned()),
        Err(_) => Err("the runtime ended before the coordinator answered".to_owned()),
    }
}

/// The built-in coordinator.
pub(crate) struct InProcess {
    counters: Arc<Counters>,
    inboxes: Mutex<HashMap<VoterId, Inbox>>,
}

/// The near end of an inbox.
struct Inbox {
    /// The receiver it belongs to; a later inbox of the same agent has another.
    sender: mpsc::UnboundedSender<ConsensusRequest>,
    /// What came while it was being found out what awaits the agent: that comes first.
    held: Option<Vec<ConsensusRequest>>,
    /// What was handed over before its turn to be told to all came: it is not handed over again then.
    early: HashSet<EntityId>,
}

/// A question that awaits an agent.
pub(crate) struct Awaited {
    pub(crate) request: ConsensusRequest,
    /// It is still to be told to all.
    pub(crate) untold: bool,
}

/// What came of handing a question to the inboxes there are. Agents without one are in neither list.
#[derive(Debug, Default)]
pub(crate) struct Tried {
    /// Whose inbox took it.
    pub(crate) taken: Vec<VoterId>,
    /// Whose inbox nobody reads any more.
    pub(crate) unreached: Vec<VoterId>,
}

impl Tried {
    /// As it stands on record.
    pub(crate) fn delivered(&self) -> Delivered {
        let reached = u32::try_from(self.taken.len()).unwrap_or(u32::MAX);
        Delivered { reached, unreached: self.unreached.clone() }
    }
}

/// Names one inbox of an agent.
pub(crate) struct InboxKey(mpsc::WeakUnboundedSender<ConsensusRequest>);

impl InProcess {
    pub(crate) fn new(counters: Arc<Counters>) -> Self {
        InProcess { counters, inboxes: Mutex::default() }
    }

    /// From now on questions to this agent are held for the receiver, until [`InProcess::begin`]; an earlier inbox hears
    /// no more.
    pub(crate) fn open_inbox(&self, agent: VoterId) -> (InboxKey, mpsc::UnboundedReceiver<ConsensusRequest>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let key = InboxKey(sender.downgrade());
        lock(&self.inboxes).insert(agent, Inbox { sender, held: Some(Vec::new()), early: HashSet::new() });
        (key, receiver)
    }

    /// Hands over what awaits the agent, then what was held meanwhile, each question once; from then on what comes is
    /// handed over at once. Answers with the questions that were taken; none when a later inbox has replaced this one.
    pub(crate) fn begin(&self, agent: &VoterId, key: &InboxKey, awaiting: Vec<Awaited>) -> Vec<EntityId> {
        let mut inboxes = lock(&self.inboxes);
        let (Some(inbox), Some(own)) = (inboxes.get_mut(agent), key.0.upgrade()) else { return Vec::new() };
        if !inbox.sender.same_channel(&own) {
            return Vec::new();
        }
        let mut seen = HashSet::new();
        let untold = awaiting.iter().filter(|awaited| awaited.untold);
        inbox.early = untold.map(|awaited| awaited.request.proposal_id.clone()).collect();
        for held in inbox.held.iter().flatten() {
            inbox.early.remove(&held.proposal_id);
        }
        let all = awaiting
            .into_iter()
            .map(|awaited| awaited.request)
            .chain(inbox.held.take().into_iter().flatten());
        let sent = all.filter(|request| seen.insert(request.proposal_id.clone())).filter_map(|request| {
            let id = request.proposal_id.clone();
            inbox.sender.send(request).is_ok().then_some(id)
        });
        sent.collect()
    }

    /// Hands a question to the inboxes of these agents.
    pub(crate) fn deliver(&self, request: &ConsensusRequest, agents: Vec<VoterId>) -> Tried {
        let mut inboxes = lock(&self.inboxes);
        let mut tried = Tried::default();
        for agent in agents {
            match inboxes.get_mut(&agent) {
                None => {}
                // Nobody holds the other end any more.
                Some(inbox) if inbox.sender.is_closed() => tried.unreached.push(agent),
                Some(Inbox { held: Some(held), .. }) => held.push(request.clone()),
                Some(inbox) => {
                    let early = inbox.early.remove(&request.proposal_id);
                    if early || inbox.sender.send(request.clone()).is_ok() {
                        tried.taken.push(agent);
                    } else {
                        tried.unreached.push(agent);
                    }
                }
            }
        }
        tried
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcess").field("inboxes", &lock(&self.inboxes).len()).finish()
    }
}

impl Coordinator for InProcess {
    fn agents(&self) -> Told<'_, Vec<VoterId>> {
        let agents = lock(&self.counters.agents).registered().map(|(id, _)| id.clone()).collect();
        Box::pin(std::future::ready(Ok(agents)))
    }

    fn broadcast(&self, request: ConsensusRequest, agents: Vec<VoterId>) -> Told<'_, Delivered> {
        Box::pin(std::future::ready(Ok(self.deliver(&request, agents).delivered())))
    }
}
