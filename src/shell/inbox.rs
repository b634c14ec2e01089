//! Opening an inbox: an agent of this process first gets what awaits its vote, then what comes.
//!
//! ```text
//!  open ──► what comes is held ──► every open proposal is asked whether it awaits the agent
//!                                   │
//!       handed over: what awaits, oldest first ─► what was held ─► what comes, at once
//! ```
//!
//! So it makes no difference whether a question was put before the agent was there, was told to an earlier inbox that
//! died with its program, or to nobody because the process was killed. Only what an inbox took counts as reached.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::answer_schema::to_json;
use super::coordinator::{Awaited, ConsensusRequest, InboxKey};
use super::entity::Action;
use super::host::Host;
use super::hosts::track;
use super::lock;
use super::runtime::{Answer, ask};
use super::subjects::Revealing;
use crate::core::kernel::ids::{EntityId, StreamKind, VoterId};
use crate::core::kernel::time::Timestamp;
use crate::core::voting::proposal::Command;
use crate::core::voting::proposal::command::Call;

/// Open proposals asked at the same time; bounds the memory it takes.
const ASKED_AT_ONCE: usize = 256;
/// Pause before a question to a proposal that was not answered is asked again.
const AGAIN: Duration = Duration::from_millis(20);

/// Opens the inbox of an agent. What is handed over comes to the receiver some time later.
pub(crate) fn open_inbox(host: &Arc<Host>, agent: VoterId) -> mpsc::UnboundedReceiver<ConsensusRequest> {
    let (key, receiver) = host.in_process.open_inbox(agent.clone());
    // Another coordinator hands nothing to inboxes.
    if host.config.coordinator.is_none() {
        let opening = host.clone();
        track(host, async move { hand_over(&opening, agent, key).await });
    }
    receiver
}

/// What an agent is told.
pub(crate) fn request_of(host: &Host, id: EntityId, call: Call) -> Result<ConsensusRequest, String> {
    let mut proposal = serde_json::from_str(&call.proposal)
        .map_err(|e| format!("the proposal on record is not JSON: {e}"))?;
    let mut within = Revealing::within(StreamKind::Proposal, id.as_str());
    host.subjects.reveal(&mut proposal, &mut within).map_err(|fault| fault.to_string())?;
    Ok(ConsensusRequest {
        from: "consensus_manager",
        proposal_id: id,
        proposal,
        algorithm: call.algorithm,
        timeout_ms: call.timeout_ms,
        answer_schema: call.answer.as_deref().map(to_json),
        reminded: 0,
    })
}

/// What each of those who are to be told is told: one request for all who were reminded equally often.
pub(crate) fn requests_of(
    host: &Host,
    id: &EntityId,
    call: &Call,
) -> Vec<(Result<ConsensusRequest, String>, Vec<VoterId>)> {
    let mut groups: BTreeMap<u32, Vec<VoterId>> = BTreeMap::new();
    for voter in &call.participants {
        let reminded = call.reminded.get(voter).copied().unwrap_or(0);
        groups.entry(reminded).or_default().push(voter.clone());
    }
    let told = |(reminded, voters)| {
        let request = request_of(host, id.clone(), call.clone());
        (request.map(|request| ConsensusRequest { reminded, ..request }), voters)
    };
    groups.into_iter().map(told).collect()
}

async fn hand_over(host: &Arc<Host>, agent: VoterId, key: InboxKey) {
    let mut found = Vec::new();
    let mut cursor: Option<EntityId> = None;
    loop {
        let ids: Vec<EntityId> =
            lock(&host.counters.watch).open.after(cursor.as_ref()).take(ASKED_AT_ONCE).cloned().collect();
        let Some(last) = ids.last().cloned() else { break };
        cursor = Some(last);
        let asked: Vec<_> = ids.into_iter().map(|id| (look(host, &id, &agent), id)).collect();
        for (answer, id) in asked {
            let Some(awaiting) = awaited(host, answer, &id, &agent).await else { continue };
            let (opened_at, call, untold) = awaiting;
            let reminded = call.reminded.get(&agent).copied().unwrap_or(0);
            match request_of(host, id.clone(), call).map(|request| ConsensusRequest { reminded, ..request }) {
                Ok(request) => found.push((opened_at, id, Awaited { request, untold })),
                Err(reason) => tracing::error!(proposal = %id, reason, "a question cannot be handed over"),
            }
        }
    }
    found.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let awaiting = found.into_iter().map(|(_, _, awaited)| awaited).collect();
    for id in host.in_process.begin(&agent, &key, awaiting) {
        let command = Command::RecordHanded { taken: vec![agent.clone()], broadcast: None };
        // Refused only while the runtime is busy or ends. The agent has the question; only the count lacks it.
        if let Err(failure) =
            ask(host, &host.kinds.proposals, &id, Action::Command(command, None), |_| ()).await
        {
            tracing::warn!(proposal = %id, ?failure, "who was reached is not on record");
        }
    }
}

/// When a question that awaits the agent was put, what it is told, and whether all are still to be told.
type Awaiting = Option<(Timestamp, Call, bool)>;

fn look(host: &Arc<Host>, id: &EntityId, agent: &VoterId) -> Answer<Awaiting> {
    let agent = agent.clone();
    ask(host, &host.kinds.proposals, id, Action::Read, move |view| {
        let opened_at = view.state.opened.as_ref().filter(|_| view.state.awaits(&agent))?.opened_at;
        Some((opened_at, view.state.call()?, view.state.broadcast.is_none()))
    })
}

/// What the proposal answers; asked again until it does, or the runtime ends.
async fn awaited(host: &Arc<Host>, first: Answer<Awaiting>, id: &EntityId, agent: &VoterId) -> Awaiting {
    let mut answer = first;
    loop {
        match answer.await {
            Ok(awaiting) => return awaiting,
            Err(_) if host.is_closing() || host.writer.failure().is_some() => return None,
            Err(failure) => {
                tracing::debug!(proposal = %id, ?failure, "asked again what awaits an agent");
                tokio::time::sleep(AGAIN).await;
                answer = look(host, id, agent);
            }
        }
    }
}
