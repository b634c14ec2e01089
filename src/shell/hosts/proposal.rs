//! Proposals: what subscribers hear of them, what a vote says of its agent, and how agents are asked.

use std::sync::Arc;

use super::{Carried, Hosted, track};
use crate::config::Config;
use crate::core::kernel::ids::{EntityId, StreamId, StreamKind, VoterId};
use crate::core::voting::agent::Command as AgentCommand;
use crate::core::voting::proposal::event::VoteCast;
use crate::core::voting::proposal::{Effect, Event, Lookup, Proposal, ProposalMachine};
use crate::shell::bus::{Notice, What};
use crate::shell::counters::Counters;
use crate::shell::entity::Action;
use crate::shell::host::Host;
use crate::shell::lock;
use crate::shell::proposals::broadcast;
use crate::shell::runtime::ask;

impl Hosted for ProposalMachine {
    const ENDS: bool = true;

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
                let _ = ask(&asked, &asked.kinds.agents, &EntityId::from(&agent), action, |_| ()).await;
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
