//! Sessions: what subscribers hear of them, and how voters are told what was seen of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Carried, Hosted, track};
use crate::config::Config;
use crate::core::kernel::ids::{EntityId, StreamId, StreamKind, VoterId};
use crate::core::kernel::time::Timestamp;
use crate::core::voting::mandate::is_usable;
use crate::core::voting::session::{Command, Effect, Event, Rejection, Session, SessionMachine, reopened};
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
        let mandate = state.mandate.as_deref();
        match command {
            // What was told before is told again, whatever is stopped since.
            Command::Spend(spend) if state.uses.is_known(&spend.key) => Bearing::Passes,
            Command::Redeem(redeem, _) if state.uses.bound_to(&redeem.token).is_some() => Bearing::Passes,
            Command::Open(open) => Bearing::unnamed().about(open.beside.mandate.as_ref()),
            Command::EndRound { .. } => Bearing::unnamed().about(mandate),
            Command::Redeem(..) => Bearing::unnamed(),
            Command::Vote(cast) => Bearing::of([cast.vote.voter_id.as_str()]).about(mandate),
            Command::Commit(commit) => Bearing::of([commit.voter_id.as_str()]).about(mandate),
            Command::Spend(spend) => Bearing::of(spend.by.iter()),
            Command::Extend(extend) => Bearing::of(extend.by.iter()).about(mandate),
            Command::Delegate(delegate) => {
                Bearing::of([delegate.from.as_str(), delegate.to.voter_id.as_str()])
            }
            Command::Remind { by, .. } => Bearing::of(by.iter()),
            Command::Judge(_) | Command::EndRemedy { .. } => Bearing::Passes,
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
            | Event::Weighed(_)
            | Event::KeysNamed(_)
            | Event::TruthTold(_)
            | Event::GatesSet(_)
            | Event::DeadlineExtended { .. }
            | Event::GateEvaluated(_)
            | Event::RemedyTriggered(_)
            | Event::RemedyEnded(_)
            | Event::OldEvidenceRecorded(_)
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
                Event::RemedyTriggered(triggered) => {
                    // A person is to look at it, whatever is done by itself.
                    let remedy = triggered.remedy.name();
                    tracing::warn!(kind = "session", entity_id = %id, event = event.name(), remedy);
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
        match effect {
            Effect::Tell(reports) => Box::pin(async move { tell_voters(&host, id, reports).await }),
            Effect::Reopen { key } => Box::pin(reopen(host, id, key)),
        }
    }
}

/// Tells each voter what the session saw of it, then the session that they know.
pub(crate) async fn tell_voters(host: &Arc<Host>, id: EntityId, reports: Vec<Report>) -> Result<(), Failure> {
    let Some(upto) = reports.iter().map(|report| report.number).max() else { return Ok(()) };
    let mut by_voter: BTreeMap<VoterId, Vec<Report>> = BTreeMap::new();
    for report in reports {
        by_voter.entry(report.voter_id.clone()).or_default().push(report);
    }
    for (voter, reports) in by_voter {
        note(host, &voter, Some(id.clone()), reports).await?;
    }
    let action = Action::Command(Command::RecordTold { upto }, None);
    ask(host, &host.kinds.sessions, &id, action, |_| ()).await
}

/// Opens the same question anew, as a gate asked for, then tells the session what became of that. Tried again, it finds the
/// session that it opened.
async fn reopen(host: Arc<Host>, id: EntityId, key: String) -> Result<(), Failure> {
    let planned = ask(&host, &host.kinds.sessions, &id, Action::Read, |view| reopened(view.state)).await?;
    let outcome = match planned {
        None => "none may follow".to_owned(),
        Some(open) => {
            let new = open.session_id.clone();
            if lock(&host.counters.sessions).reserve(&new, host.config.session.max_open) {
                let action = Action::Command(Command::Open(Box::new(open)), None);
                let opened = ask(&host, &host.kinds.sessions, &new, action, |view| match view.reply {
                    // It was opened before a crash cut this off; it takes no further place.
                    Some(Err(Rejection::AlreadyExists)) => Ok(false),
                    Some(Ok(_)) | None => Ok(true),
                    Some(Err(rejection)) => Err(rejection),
                });
                let opened = opened.await;
                if !matches!(opened, Ok(Ok(true))) {
                    lock(&host.counters.sessions).unreserve(&new);
                }
                match opened? {
                    Ok(_) => format!("opened {new}"),
                    Err(rejection) => format!("refused: {rejection:?}"),
                }
            } else {
                "as many sessions are open as may be".to_owned()
            }
        }
    };
    let action = Action::Command(Command::EndRemedy { key, outcome }, None);
    ask(&host, &host.kinds.sessions, &id, action, |_| ()).await
}
