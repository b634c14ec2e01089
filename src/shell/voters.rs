//! Voters and their sessions as the shell runs them: what one tells the other.
//!
//! ```text
//!  session ── what it saw of voters (owed until told) ──► voter ── it votes no more (owed until spread) ──► open sessions
//! ```
//!
//! Either is told again after a crash, and both know what they were told: nothing counts twice.

use std::sync::Arc;

use super::entity::Action;
use super::host::Host;
use super::lock;
use super::runtime::ask;
use super::writer::Failure;
use crate::core::kernel::Machine;
use crate::core::kernel::ids::{EntityId, VoterId};
use crate::core::voting::session::{Command as SessionCommand, Exclusion};
use crate::core::voting::voter::{Command, Effect, Report, Standing, VoterMachine};

/// Tells a voter what a session, or the door, saw of it, and its open sessions when it votes no more because of that: who has
/// told it goes on after they know. Who is not registered is told nothing.
pub(crate) async fn note(
    host: &Arc<Host>,
    voter: &VoterId,
    session_id: Option<EntityId>,
    reports: Vec<Report>,
) -> Result<(), Failure> {
    // A place among those that may be quarantined for their score is kept before it is needed.
    let room = {
        let mut voters = lock(&host.counters.voters);
        if !voters.contains(voter) {
            return Ok(());
        }
        voters.reserve(voter)
    };
    let last_seen = lock(&host.counters.sessions).last_seen(voter);
    let command = Command::Note { session_id, reports, last_seen, room };
    let action = Action::Command(command, None);
    let id = EntityId::from(voter);
    let told = ask(host, &host.kinds.voters, &id, action, |view| {
        (matches!(view.state.standing, Standing::Quarantined { .. }), VoterMachine::owed(view.state))
    })
    .await;
    if !matches!(told, Ok((true, _))) {
        lock(&host.counters.voters).unreserve(voter);
    }
    // The effect does the same; whoever comes second changes nothing.
    for Effect::Spread { number, proven } in told?.1 {
        spread(host.clone(), id.clone(), number, proven).await?;
    }
    Ok(())
}

/// Tells the open sessions of a voter that it votes no more, then the voter that they know.
pub(in crate::shell) async fn spread(
    host: Arc<Host>,
    id: EntityId,
    number: u64,
    proven: bool,
) -> Result<(), Failure> {
    let voter_id = VoterId::from(&id);
    let sessions = lock(&host.counters.sessions).of_voter(&voter_id);
    let reason = if proven { Exclusion::Byzantine } else { Exclusion::Quarantined };
    for session in sessions {
        let exclude = SessionCommand::Exclude { voter_id: voter_id.clone(), reason };
        let action = Action::Command(exclude, None);
        ask(&host, &host.kinds.sessions, &session, action, |_| ()).await?;
    }
    let action = Action::Command(Command::RecordSpread { number }, None);
    ask(&host, &host.kinds.voters, &id, action, |_| ()).await
}
