//! Sessions: what subscribers hear of them, and how voters are told what was seen of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Carried, Hosted, track};
use crate::config::Config;
use crate::core::kernel::ids::{EntityId, StreamId, StreamKind, VoterId};
use crate::core::kernel::time::Timestamp;
use crate::core::trust::stop::RELEASE;
use crate::core::voting::mandate::{Mandate, is_usable};
use crate::core::voting::session::{Command, Effect, Event, Session, SessionMachine};
use crate::core::voting::voter::{Command as VoterCommand, Report};
use crate::shell::asked::Question;
use crate::shell::bus::{Notice, What};
use crate::shell::counters::Counters;
use crate::shell::entity::Action;
use crate::shell::host::Host;
use crate::shell::lock;
use crate::shell::runtime::ask;
use crate::shell::stops::Bearing;
use crate::shell::voters::note;
use crate::shell::writer::Failure;

impl Hosted for SessionMachine {
    const ENDS: bool = true;

    fn is_over(state: &Session, now: Timestamp) -> bool {
        state.closed.is_some() && !is_usable(state.decided(), state.mandate.as_deref(), &state.uses, now)
    }

    fn bearing(_: &EntityId, state: &Session, command: &Self::Command) -> Bearing {
        // What those who are named need to release a stop passes.
        let releases = |mandate: Option<&Mandate>| mandate.is_some_and(|mandate| mandate.tool == RELEASE);
        let releasing = releases(state.mandate.as_deref());
        match command {
            Command::Open(open) if releases(open.mandate.as_ref()) => Bearing::Passes,
            Command::Vote(_) | Command::Commit(_) | Command::EndRound { .. } | Command::Extend(_)
                if releasing =>
            {
                Bearing::Passes
            }
            Command::Open(_) | Command::EndRound { .. } | Command::Redeem(..) => Bearing::unnamed(),
            Command::Vote(cast) => Bearing::of([cast.vote.voter_id.as_str()]),
            Command::Commit(commit) => Bearing::of([commit.voter_id.as_str()]),
            Command::Spend(spend) => Bearing::of(spend.by.iter()),
            Command::Extend(extend) => Bearing::of(extend.by.iter()),
            Command::Delegate(delegate) => {
                Bearing::of([delegate.from.as_str(), delegate.to.voter_id.as_str()])
            }
            Command::Remind { by, .. } => Bearing::of(by.iter()),
            Command::Cancel { .. } | Command::Exclude { .. } | Command::RecordTold { .. } | Command::Tick => {
                Bearing::Passes
            }
        }
    }

    fn notices(_: &Config, id: &EntityId, _: &Session, events: &[Event]) -> Vec<Notice> {
        let notice = |at, what| Notice {
            topic: format!("session/{id}"),
            entity: StreamId::new(StreamKind::Session, id.clone()),
            at,
            what,
        };
        let heard = |event: &Event| match event {
            Event::Opened(opened) => Some(notice(opened.opened_at, What::Opened)),
            Event::Closed(closed) => {
                Some(notice(closed.closed_at, What::SessionEnded { outcome: closed.outcome }))
            }
            Event::Delegated(delegated) => {
                Some(notice(delegated.at, What::Delegated { to: delegated.to.voter_id.clone() }))
            }
            Event::Reminded(reminded) => {
                Some(notice(reminded.at, What::Reminded { voter_ids: reminded.voter_ids.clone() }))
            }
            Event::VoteReceived(_)
            | Event::CommitReceived(_)
            | Event::VoteRejected(_)
            | Event::EvidenceRecorded(_)
            | Event::VoterExcluded { .. }
            | Event::CommitsClosed { .. }
            | Event::RoundClosed { .. }
            | Event::DecisionTainted { .. }
            | Event::SilenceNoted { .. }
            | Event::Told { .. }
            | Event::Keyed(_)
            | Event::Mandated(_)
            | Event::Spent(_)
            | Event::Redeemed(_)
            | Event::Extended(_)
            | Event::RemindersAsked { .. } => None,
        };
        events.iter().filter_map(heard).collect()
    }

    fn question(event: &Self::Event) -> Option<Question> {
        let opened = matches!(event, Event::Opened(_)).then_some(Question::Opened);
        opened.or_else(|| matches!(event, Event::Closed(_)).then_some(Question::Closed))
    }

    fn observe(counters: &Counters, id: &EntityId, events: &[Event]) {
        {
            let mut sessions = lock(&counters.sessions);
            events.iter().for_each(|event| sessions.apply(id, event));
        }
        for event in events {
            match event {
                Event::EvidenceRecorded(evidence) => {
                    let voter = &evidence.first.vote.voter_id;
                    tracing::warn!(kind = "session", entity_id = %id, event = event.name(), %voter);
                }
                _ => tracing::debug!(kind = "session", entity_id = %id, event = event.name()),
            }
        }
    }

    fn follow(host: &Arc<Host>, _: &EntityId, events: &[Event]) {
        // A vote is a sign of life.
        for event in events {
            let Event::VoteReceived(received) = event else { continue };
            let voter = &received.vote.voter_id;
            if received.authenticity.is_shown() && lock(&host.counters.voters).is_offline(voter) {
                let (asked, id, at) = (host.clone(), EntityId::from(voter), received.received_at);
                track(host, async move {
                    let action = Action::Command(VoterCommand::Seen { at }, None);
                    // Told again with what its session saw of it.
                    let _ = ask(&asked, &asked.kinds.voters, &id, action, |_| ()).await;
                });
            }
        }
    }

    fn carry_out(host: Arc<Host>, id: EntityId, effect: Effect) -> Carried {
        let Effect::Tell(reports) = effect;
        Box::pin(tell(host, id, reports))
    }
}

/// Tells each voter what the session saw of it, then the session that they know.
async fn tell(host: Arc<Host>, id: EntityId, reports: Vec<Report>) -> Result<(), Failure> {
    let Some(upto) = reports.iter().map(|report| report.number).max() else { return Ok(()) };
    let mut by_voter: BTreeMap<VoterId, Vec<Report>> = BTreeMap::new();
    for report in reports {
        by_voter.entry(report.voter_id.clone()).or_default().push(report);
    }
    for (voter, reports) in by_voter {
        note(&host, &voter, Some(id.clone()), reports).await?;
    }
    let action = Action::Command(Command::RecordTold { upto }, None);
    ask(&host, &host.kinds.sessions, &id, action, |_| ()).await
}
