//! Proposals and their algorithms as the shell runs them: telling the agents, and what follows elsewhere from a vote.

use std::sync::Arc;

use super::coordinator::ask_outside;
use super::entity::Action;
use super::host::Host;
use super::hosts::track;
use super::inbox::{request_of, requests_of};
use super::lock;
use super::runtime::ask;
use super::writer::Failure;
use crate::core::kernel::ids::{EntityId, VoterId};
use crate::core::voting::algorithms;
use crate::core::voting::proposal::Command;
use crate::core::voting::proposal::command::Call;

/// Tells the participants and records who was told, or why nobody was.
pub(in crate::shell) async fn broadcast(host: Arc<Host>, id: EntityId, call: Call) -> Result<(), Failure> {
    let agents = call.participants.clone();
    let command = match request_of(&host, id.clone(), call) {
        // Whoever opens an inbox later gets it then.
        Ok(request) if host.config.coordinator.is_none() => {
            let tried = host.in_process.deliver(&request, agents);
            let broadcast = Some(tried.delivered());
            Command::RecordHanded { taken: tried.taken, broadcast }
        }
        Ok(request) => {
            let told = ask_outside(&host, move |coordinator| coordinator.broadcast(request, agents)).await;
            Command::RecordBroadcast(told.map_err(clipped))
        }
        Err(reason) => Command::RecordBroadcast(Err(clipped(reason))),
    };
    let action = Action::Command(command, None);
    ask(&host, &host.kinds.proposals, &id, action, |_| ()).await
}

/// Tells voters again, or in the place of somebody, and records that it was done. Those who cannot be told find it when
/// they ask.
pub(in crate::shell) async fn tell_again(host: Arc<Host>, id: EntityId, call: Call) -> Result<(), Failure> {
    let voters = call.participants.clone();
    let mut taken = Vec::new();
    for (request, agents) in requests_of(&host, &id, &call) {
        match request {
            Ok(request) if host.config.coordinator.is_none() => {
                taken.extend(host.in_process.deliver(&request, agents).taken);
            }
            Ok(request) => {
                let asked = agents.clone();
                let told = ask_outside(&host, move |coordinator| coordinator.broadcast(request, asked)).await;
                match told {
                    Ok(told) => taken.extend(agents.into_iter().filter(|one| !told.unreached.contains(one))),
                    Err(reason) => tracing::warn!(proposal = %id, reason, "voters could not be told again"),
                }
            }
            Err(reason) => tracing::error!(proposal = %id, reason, "voters cannot be told again"),
        }
    }
    let action = Action::Command(Command::RecordTold { voters, taken }, None);
    ask(&host, &host.kinds.proposals, &id, action, |_| ()).await
}

/// A reason as it is kept on record.
fn clipped(reason: String) -> String {
    reason.chars().take(1_000).collect()
}

/// Id of the one registry of algorithms.
pub(crate) fn algorithms_id() -> EntityId {
    match EntityId::new(algorithms::STREAM) {
        Ok(id) => id,
        Err(e) => unreachable!("the registry has a valid id: {e}"),
    }
}

/// Lets the open proposals of a custom algorithm see whether it decides them now.
pub(crate) fn reconsider(host: &Arc<Host>, algorithm: &str) {
    for id in lock(&host.counters.watch).decided_by(algorithm) {
        let asked = host.clone();
        track(host, async move {
            // Refused only while the runtime is busy or ends; the next vote or the deadline asks the rule again.
            let action = Action::Command(Command::Reconsider, None);
            let _ = ask(&asked, &asked.kinds.proposals, &id, action, |_| ()).await;
        });
    }
}

/// Tells the proposals that do not wait for failed agents that one failed or came back.
pub(crate) fn tell_absence(host: &Arc<Host>, agent: &EntityId, absent: bool) {
    for id in lock(&host.counters.watch).fail_fast() {
        let (asked, agent_id) = (host.clone(), VoterId::from(agent));
        track(host, async move {
            // Refused only while the runtime is busy or ends; the deadline ends the proposal all the same.
            let action = Action::Command(Command::RecordAbsence { agent_id, absent }, None);
            let _ = ask(&asked, &asked.kinds.proposals, &id, action, |_| ()).await;
        });
    }
}
