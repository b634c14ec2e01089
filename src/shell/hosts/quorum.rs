//! Quorums: what subscribers hear of them, and the fallback that one owes.

use std::sync::Arc;
use std::time::Duration;

use super::topology::mesh_id;
use super::{Carried, Hosted};
use crate::config::Config;
use crate::core::kernel::ids::{EntityId, StreamId, StreamKind};
use crate::core::kernel::time::Timestamp;
use crate::core::voting::quorum::event::{Counting, Electorate, VoteCast};
use crate::core::voting::quorum::{
    Command, Effect, Event, FallbackPlan, Quorum, QuorumMachine, QuorumType, Rejection, Start,
};
use crate::core::voting::topology::Asked;
use crate::shell::asked::Question;
use crate::shell::bus::{Notice, What};
use crate::shell::counters::Counters;
use crate::shell::entity::Action;
use crate::shell::host::Host;
use crate::shell::runtime::ask;
use crate::shell::stops::Bearing;
use crate::shell::writer::Failure;

impl Hosted for QuorumMachine {
    const ENDS: bool = true;

    fn is_over(state: &Quorum, _: Timestamp) -> bool {
        state.closed.is_some()
    }

    fn bearing(_: &EntityId, _: &Self::State, command: &Self::Command) -> Bearing {
        match command {
            Command::Start(_) => Bearing::unnamed(),
            Command::Extend(extend) => Bearing::of(extend.by.iter()),
            Command::Cast(ballot) => Bearing::of([ballot.voter_id.as_str()]),
            Command::Cancel(_) | Command::RecordFallback(_) | Command::Tick => Bearing::Passes,
        }
    }

    fn notices(_: &Config, id: &EntityId, state: &Quorum, events: &[Event]) -> Vec<Notice> {
        let Some(opened) = &state.opened else { return Vec::new() };
        let entity = StreamId::new(StreamKind::Quorum, id.clone());
        let notice = |at, what| Notice { topic: opened.topic.clone(), entity: entity.clone(), at, what };
        let voted = |cast: &VoteCast| {
            let what = What::Voted { voter_id: cast.voter_id.clone(), vote: cast.vote };
            (cast.counting == Counting::Counted).then(|| notice(cast.cast_at, what))
        };
        let heard = |event: &Event| match event {
            Event::Opened(opened) => Some(notice(opened.opened_at, What::Opened)),
            Event::OpenedByRule(by_rule) => Some(notice(by_rule.opened.opened_at, What::Opened)),
            Event::VoteCast(cast) => voted(cast),
            Event::VoteCastWithReason(with) => voted(&with.cast),
            Event::Closed(closed) => Some(notice(closed.closed_at, What::Closed { state: closed.state })),
            Event::VoteRefused(_)
            | Event::VoteRefusedWithReason(_)
            | Event::FallbackOpened { .. }
            | Event::FallbackFailed { .. }
            | Event::Keyed(_)
            | Event::Extended(_) => None,
        };
        events.iter().filter_map(heard).collect()
    }

    fn question(event: &Self::Event) -> Option<Question> {
        let opened = matches!(event, Event::Opened(_) | Event::OpenedByRule(_)).then_some(Question::Opened);
        opened.or_else(|| matches!(event, Event::Closed(_)).then_some(Question::Closed))
    }

    fn observe(counters: &Counters, id: &EntityId, events: &[Event]) {
        for event in events {
            counters.count_quorum(id, event);
            let outcome = match event {
                Event::Closed(closed) => closed.state.name(),
                _ => "open",
            };
            tracing::debug!(kind = "quorum", entity_id = %id, event = event.name(), outcome);
        }
    }

    fn carry_out(host: Arc<Host>, id: EntityId, effect: Effect) -> Carried {
        match effect {
            Effect::OpenFallback(plan) => Box::pin(open_fallback(host, id, plan)),
        }
    }
}

/// Opens the global quorum owed by `parent` and records on the parent that it is open, or why it cannot be.
async fn open_fallback(host: Arc<Host>, parent: EntityId, plan: FallbackPlan) -> Result<(), Failure> {
    let asked = Asked { quorum_type: QuorumType::Global, cell_id: None, ring: None, arm: None };
    let mesh = mesh_id();
    let members =
        ask(&host, &host.kinds.topology, &mesh, Action::Read, move |view| view.state.membership(&asked))
            .await?;
    let first =
        ask(&host, &host.kinds.quorums, &parent, Action::Read, |view| view.state.opened.clone()).await?;
    // Where the hub has no authority, nobody decides who was not asked in the first place.
    let (voters, named) = match (members.voters, first.as_deref().map(|opened| &opened.electorate)) {
        (Some(authorities), _) => (Some(authorities), false),
        (None, Some(Electorate::Closed(voters))) => (Some(voters.clone()), true),
        (None, Some(Electorate::Open) | None) => (None, false),
    };
    let policy = first.map_or_else(|| host.config.quorum.policy(), |opened| opened.policy);
    let outcome = if voters.is_none() && host.config.quorum.strict_membership {
        Err(format!("unknown membership. sought={}", members.sought))
    } else {
        let start = Start {
            keyed: None,
            quorum_type: QuorumType::Global,
            required_votes: None,
            rule: None,
            timeout: Duration::from_micros(plan.timeout_us),
            cell_id: None,
            voters,
            named,
            neighbor_count: 0,
            topic: members.topic,
            membership_epoch: members.epoch,
            subject: None,
            policy,
            fallback: None,
            parent: Some(parent.clone()),
        };
        let ours = parent.clone();
        let action = Action::Command(Command::Start(Box::new(start)), None);
        ask(&host, &host.kinds.quorums, &plan.child_id, action, move |view| match view.reply {
            Some(Err(Rejection::AlreadyExists))
                if view.state.opened.as_ref().is_some_and(|o| o.parent.as_ref() == Some(&ours)) =>
            {
                Ok(())
            }
            Some(Err(rejection)) => Err(format!("{rejection:?}")),
            Some(Ok(_)) | None => Ok(()),
        })
        .await?
    };
    let record = Action::Command(Command::RecordFallback(outcome), None);
    ask(&host, &host.kinds.quorums, &parent, record, |_| ()).await
}
