//! Proposals: what subscribers hear of them, what a vote says of its agent, and how agents are asked.

use std::sync::Arc;

use super::{Carried, Hosted, track};
use crate::config::Config;
use crate::core::kernel::ids::{EntityId, StreamId, StreamKind, VoterId};
use crate::core::kernel::time::Timestamp;
use crate::core::voting::agent::Command as AgentCommand;
use crate::core::voting::mandate::is_usable;
use crate::core::voting::proposal::event::VoteCast;
use crate::core::voting::proposal::{Command, Effect, Event, Lookup, Proposal, ProposalMachine};
use crate::shell::asked::Question;
use crate::shell::bus::{Notice, What};
use crate::shell::counters::Counters;
use crate::shell::entity::Action;
use crate::shell::host::Host;
use crate::shell::lock;
use crate::shell::proposals::{broadcast, tell_again};
use crate::shell::runtime::ask;
use crate::shell::stops::Bearing;

impl Hosted for ProposalMachine {
    const ENDS: bool = true;

    fn is_over(state: &Proposal, now: Timestamp) -> bool {
        state.closed.is_some() && !is_usable(state.decided(), state.mandate.as_deref(), &state.uses, now)
    }

    fn bearing(_: &EntityId, state: &Proposal, command: &Self::Command) -> Bearing {
        let mandate = state.mandate.as_deref();
        match command {
            // What was told before is told again, whatever is stopped since.
            Command::Spend(spend) if state.uses.is_known(&spend.key) => Bearing::Passes,
            Command::Redeem(redeem, _) if state.uses.bound_to(&redeem.token).is_some() => Bearing::Passes,
            Command::Open(open) => Bearing::unnamed().about(open.mandate.as_ref()),
            Command::Redeem(..) => Bearing::unnamed(),
            Command::Extend(extend) => Bearing::of(extend.by.iter()).about(mandate),
            Command::Vote(ballot) => Bearing::of([ballot.voter_id.as_str()]).about(mandate),
            Command::Delegate(delegate) => {
                Bearing::of([delegate.from.as_str(), delegate.to.as_str()]).about(mandate)
            }
            Command::Spend(spend) => Bearing::of(spend.by.iter()),
            Command::RecordBroadcast(_)
            | Command::RecordHanded { .. }
            | Command::RecordAbsence { .. }
            | Command::Remind { .. }
            | Command::RecordTold { .. }
            | Command::Cancel { .. }
            | Command::Reconsider
            | Command::Tick => Bearing::Passes,
        }
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
            Event::VoteCastWithValue(with) => Some(voted(&with.cast)),
            Event::Delegated(delegated) => {
                Some(notice(delegated.at, What::Delegated { to: delegated.to.clone() }))
            }
            Event::Reminded(reminded) => {
                Some(notice(reminded.at, What::Reminded { voter_ids: reminded.voter_ids.clone() }))
            }
            Event::Closed(closed) => {
                Some(notice(closed.closed_at, What::Decided { decision: closed.decision }))
            }
            Event::Broadcast(_)
            | Event::Handed { .. }
            | Event::VoteRefused(_)
            | Event::VoteRefusedWithReason(_)
            | Event::AbsenceChanged { .. }
            | Event::Keyed(_)
            | Event::Mandated(_)
            | Event::Spent(_)
            | Event::Redeemed(_)
            | Event::VoteRefusedWithValue(_)
            | Event::AnswerAsked(_)
            | Event::RemindersAsked { .. }
            | Event::Told(_)
            | Event::Extended(_) => None,
        };
        events.iter().filter_map(heard).collect()
    }

    fn question(event: &Self::Event) -> Option<Question> {
        let opened = matches!(event, Event::Opened(_)).then_some(Question::Opened);
        opened.or_else(|| matches!(event, Event::Closed(_)).then_some(Question::Closed))
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
        let voted = events.iter().filter_map(Event::vote_cast).map(|cast| &cast.voter_id);
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
            Effect::Broadcast(_) | Effect::Tell(_) => host.config.coordinator.is_some(),
        }
    }

    fn carry_out(host: Arc<Host>, id: EntityId, effect: Effect) -> Carried {
        match effect {
            Effect::Broadcast(call) => Box::pin(broadcast(host, id, *call)),
            Effect::Tell(call) => Box::pin(tell_again(host, id, *call)),
        }
    }
}
