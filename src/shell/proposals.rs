//! Proposals and their algorithms as the shell runs them: telling the agents, and what follows elsewhere from a vote.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::bus::{Notice, What};
use super::coordinator::ask_outside;
use super::counters::Counters;
use super::entity::Action;
use super::host::Host;
use super::inbox::request_of;
use super::kinds::{Hosted, track};
use super::lock;
use super::registry::Registry;
use super::runtime::ask;
use super::writer::Failure;
use crate::config::Config;
use crate::core::kernel::ids::{EntityId, StreamId, StreamKind, VoterId};
use crate::core::voting::agent::Command as AgentCommand;
use crate::core::voting::algorithms::{self, Algorithms, AlgorithmsMachine};
use crate::core::voting::proposal::command::Call;
use crate::core::voting::proposal::event::VoteCast;
use crate::core::voting::proposal::{Command, Effect, Event, Lookup, Proposal, ProposalMachine};

type Carried = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

impl Hosted for ProposalMachine {
    const ENDS: bool = true;

    fn registry(host: &Host) -> &Registry<Self> {
        &host.proposals
    }

    fn context(host: &Host) -> Lookup {
        Lookup(host.custom.clone())
    }

    fn notices(_: &Config, id: &EntityId, _: &Proposal, events: &[Event]) -> Vec<Notice> {
        let notice = |at, what| Notice {
            topic: format!("consensus/{id}"),
            entity: StreamId::new(StreamKind::Proposal, id.clone()),
            at,
            what,
        };
        let voted = |cast: &VoteCast| {
            notice(cast.cast_at, What::Cast { voter_id: cast.voter_id.clone(), vote: cast.vote })
        };
        let heard = |event: &Event| match event {
            Event::Opened(opened) => Some(notice(opened.opened_at, What::Opened)),
            Event::VoteCast(cast) => Some(voted(cast)),
            Event::VoteCastWithReason(with) => Some(voted(&with.cast)),
            Event::Closed(closed) => {
                Some(notice(closed.closed_at, What::Decided { decision: closed.decision }))
            }
            Event::Broadcast(_)
            | Event::Handed { .. }
            | Event::VoteRefused(_)
            | Event::VoteRefusedWithReason(_)
            | Event::AbsenceChanged { .. }
            | Event::Keyed(_) => None,
        };
        events.iter().filter_map(heard).collect()
    }

    fn observe(counters: &Counters, id: &EntityId, events: &[Event]) {
        events.iter().for_each(|event| counters.count_proposal(id, event));
        for event in events {
            let outcome = match event {
                Event::Closed(closed) => closed.decision.name(),
                _ => "open",
            };
            tracing::debug!(kind = "proposal", entity_id = %id, event = event.name(), outcome);
        }
    }

    fn follow(host: &Arc<Host>, _: &EntityId, events: &[Event]) {
        // A vote is a sign of life. An agent that was given up is put on record as back at once.
        let voted = events.iter().filter_map(|event| match event {
            Event::VoteCast(cast) => Some(&cast.voter_id),
            Event::VoteCastWithReason(with) => Some(&with.cast.voter_id),
            _ => None,
        });
        let back: Vec<VoterId> = {
            let agents = lock(&host.counters.agents);
            voted.filter(|voter| agents.is_given_up(voter)).cloned().collect()
        };
        for agent in back {
            let asked = host.clone();
            track(host, async move {
                let action = Action::Command(AgentCommand::Tick, None);
                // The next check of the agent does the same.
                let _ = ask(&asked, &asked.agents, &EntityId::from(&agent), action, |_| ()).await;
            });
        }
    }

    fn leaves_home(host: &Host, effect: &Effect) -> bool {
        match effect {
            Effect::Broadcast(_) => host.config.coordinator.is_some(),
        }
    }

    fn carry_out(host: Arc<Host>, id: EntityId, effect: Effect) -> Carried {
        match effect {
            Effect::Broadcast(call) => Box::pin(broadcast(host, id, *call)),
        }
    }
}

/// Tells the participants and records who was told, or why nobody was.
async fn broadcast(host: Arc<Host>, id: EntityId, call: Call) -> Result<(), Failure> {
    let agents = call.participants.clone();
    let command = match request_of(id.clone(), call) {
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
    ask(&host, &host.proposals, &id, action, |_| ()).await
}

/// A reason as it is kept on record.
fn clipped(reason: String) -> String {
    reason.chars().take(1_000).collect()
}

impl Hosted for AlgorithmsMachine {
    fn registry(host: &Host) -> &Registry<Self> {
        &host.algorithms
    }

    fn context(_: &Host) {}

    fn notices(_: &Config, _: &EntityId, _: &Algorithms, _: &[algorithms::Event]) -> Vec<Notice> {
        Vec::new()
    }

    fn observe(counters: &Counters, _: &EntityId, events: &[algorithms::Event]) {
        let mut registry = lock(&counters.algorithms);
        for event in events {
            registry.apply(event);
            tracing::debug!(kind = "algorithms", event = event.name(), ?event);
        }
    }

    fn carry_out(_: Arc<Host>, _: EntityId, (): ()) -> Carried {
        Box::pin(std::future::ready(Ok(())))
    }
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
            let _ = ask(&asked, &asked.proposals, &id, action, |_| ()).await;
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
            let _ = ask(&asked, &asked.proposals, &id, action, |_| ()).await;
        });
    }
}
