//! The way to the agents: who is registered, and how they hear of a question.
//!
//! ```text
//!  proposal opened ──durable──► Coordinator::broadcast ──► agents ──► votes ──► proposal
//! ```
//!
//! The built-in coordinator takes the registry of agents for the list, and hands questions to the inboxes that
//! programs of the same process opened. Agents without an inbox learn of questions by asking (over HTTP: the
//! history, or the list of open proposals). Bring your own to reach them over another transport.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::mpsc;

use super::host::Host;
use super::kinds::Counters;
use super::lock;
use crate::core::ids::{EntityId, VoterId};
pub use crate::core::proposal::event::Delivered;

/// What agents are told: `{"type": "consensus_request", "from": "consensus_manager", …}`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename = "consensus_request")]
pub struct ConsensusRequest {
    /// Who asks: always `consensus_manager`.
    pub from: &'static str,
    /// The proposal to vote on. The same id again is the same question, told again after a crash.
    pub proposal_id: EntityId,
    /// What is asked.
    pub proposal: Value,
    /// How it is decided.
    pub algorithm: String,
    /// How long votes are taken, in milliseconds from the opening.
    pub timeout_ms: u64,
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
    inboxes: Mutex<HashMap<VoterId, mpsc::UnboundedSender<ConsensusRequest>>>,
}

impl InProcess {
    pub(crate) fn new(counters: Arc<Counters>) -> Self {
        InProcess { counters, inboxes: Mutex::default() }
    }

    /// From now on questions to this agent are handed to the receiver; an earlier inbox hears no more.
    pub(crate) fn open_inbox(&self, agent: VoterId) -> mpsc::UnboundedReceiver<ConsensusRequest> {
        let (sender, receiver) = mpsc::unbounded_channel();
        lock(&self.inboxes).insert(agent, sender);
        receiver
    }

    fn deliver(&self, request: &ConsensusRequest, agents: Vec<VoterId>) -> Delivered {
        let mut inboxes = lock(&self.inboxes);
        let mut delivered = Delivered::default();
        for agent in agents {
            match inboxes.get(&agent).map(|inbox| inbox.send(request.clone()).is_ok()) {
                Some(false) => {
                    // Nobody holds the other end any more.
                    inboxes.remove(&agent);
                    delivered.unreached.push(agent);
                }
                Some(true) | None => delivered.reached += 1,
            }
        }
        delivered
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
        Box::pin(std::future::ready(Ok(self.deliver(&request, agents))))
    }
}
