//! The transition table in code: what is decided about a command, one room a group of rows.

mod close;
mod evidence;
mod gate;
mod open;
mod people;
mod truth;
mod verify;
mod vote;

use super::SessionMachine;
use super::beside::RemedyEnded;
use super::command::{Command, Rejection, Reply};
use super::event::{Event, Opened};
use super::state::Session;
use super::tally::{After, Tally};
use crate::kernel::Decision;
use crate::kernel::draft::Draft;
use crate::kernel::time::Timestamp;
use crate::voting::mandate;
use crate::voting::voter::state::OFFLINE_AFTER;

pub(super) use close::standing_end;
pub(in crate::voting) use gate::GATES;
pub(super) use gate::reopened;
pub(super) use vote::commit_message;

type Decided = Result<Decision<SessionMachine>, Rejection>;
type Sketch<'a> = Draft<'a, SessionMachine>;

pub(super) fn decide(state: &Session, command: Command, now: Timestamp) -> Decided {
    let command = match command {
        Command::Open(open) => return open::open(state, *open, now),
        other => other,
    };
    let opened = state.opened.as_deref().ok_or(Rejection::NotFound)?;
    match command {
        Command::Open(_) => Err(Rejection::AlreadyExists),
        Command::Vote(cast) => vote::vote(state, opened, *cast, now),
        Command::Commit(commit) => vote::commit(state, opened, *commit, now),
        Command::EndRound { round } => end_round(state, opened, round, now),
        Command::Extend(extend) => people::extend(state, opened, extend, now),
        Command::Delegate(delegate) => people::delegate(state, opened, *delegate, now),
        Command::Remind { voter, by } => people::remind(state, opened, voter, by, now),
        Command::Cancel { by, reason } => close::cancel(state, opened, (by, reason), now),
        Command::Exclude { voter_id, reason } => {
            let concerns = state.closed.is_none()
                && (state.elector(&voter_id).is_some() || state.delegated.contains_key(&voter_id))
                && !state.excluded.contains_key(&voter_id);
            let mut draft = Draft::new(state, now);
            if concerns {
                draft.push(Event::VoterExcluded { voter_id, reason, at: now });
                follow(&mut draft, opened);
            }
            draft.finish(Ok(Reply::Done))
        }
        Command::RecordTold { upto } => {
            let known = upto.min(state.reported);
            let is_new = state.outbox.first_key_value().is_some_and(|(first, _)| *first <= known);
            let events = is_new.then_some(Event::Told { upto: known, at: now }).into_iter().collect();
            Ok(Decision::accept(events, Reply::Done))
        }
        Command::Spend(spend) => {
            let used = mandate::spend(state.mandate.as_deref(), &state.uses, state.decided(), *spend, now);
            let used = used.map_err(|refusal| Rejection::Unspendable(Box::new(refusal)))?;
            let event = (!used.duplicate).then(|| Event::Spent(Box::new(used.spent.clone())));
            Ok(Decision::accept(event.into_iter().collect(), Reply::Spent(Box::new(used))))
        }
        Command::Redeem(redeem, named) => {
            let begun = mandate::redeem(state.mandate.as_deref(), &state.uses, *redeem, named, now);
            let begun = begun.map_err(|refusal| Rejection::Unspendable(Box::new(refusal)))?;
            let event = (!begun.duplicate).then(|| Event::Redeemed(Box::new(begun.redeemed.clone())));
            Ok(Decision::accept(event.into_iter().collect(), Reply::Redeemed(Box::new(begun))))
        }
        Command::Judge(judge) => truth::judge(state, opened, *judge, now),
        Command::EndRemedy { key, outcome } => {
            let is_due = state.remedies.get(&key).is_some_and(Option::is_none);
            let ended = RemedyEnded { key, outcome, at: now };
            let events = is_due.then(|| Event::RemedyEnded(Box::new(ended))).into_iter().collect();
            Ok(Decision::accept(events, Reply::Done))
        }
        Command::Tick => tick(state, opened, now),
    }
}

/// What follows from what was just decided: the end of the session, or of the round.
fn follow(draft: &mut Sketch<'_>, opened: &Opened) {
    follow_as_of(draft, opened, draft.now);
}

fn follow_as_of(draft: &mut Sketch<'_>, opened: &Opened, at: Timestamp) {
    loop {
        let state = draft.state();
        if state.closed.is_some() {
            return;
        }
        if let Some(end) = standing_end(state, opened, &Tally::count(state, opened, After::Now)) {
            return close::close(draft, opened, end, at);
        }
        let complete = state.outstanding().is_empty();
        if state.sealed && complete {
            close_commits(draft, at);
        } else if complete && state.round < opened.terms.rounds {
            close_round(draft, at);
        } else {
            return tell_at_once(draft);
        }
    }
}

/// What cannot wait until the end is told as soon as it is on record.
fn tell_at_once(draft: &mut Sketch<'_>) {
    let before = draft.before().reported;
    let new = draft.state().reported > before;
    if new && draft.state().owes() {
        for effect in draft.state().owed() {
            draft.owe(effect);
        }
    }
}

fn close_commits(draft: &mut Sketch<'_>, at: Timestamp) {
    let commits = u32::try_from(draft.state().commits.len()).unwrap_or(u32::MAX);
    draft.push(Event::CommitsClosed { commits, at });
}

fn close_round(draft: &mut Sketch<'_>, at: Timestamp) {
    let round = draft.state().round;
    let votes = draft.state().votes.get(&round).map_or(0, |votes| votes.len());
    draft.push(Event::RoundClosed { round, votes: u32::try_from(votes).unwrap_or(u32::MAX), at });
}

fn end_round(state: &Session, opened: &Opened, round: Option<u32>, now: Timestamp) -> Decided {
    if let Some(outcome) = state.outcome() {
        return Err(Rejection::Ended { outcome });
    }
    if let Some(given) = round.filter(|round| *round != state.round) {
        return Err(Rejection::OtherRound { held: state.round, given });
    }
    let mut draft = Draft::new(state, now);
    if state.sealed {
        close_commits(&mut draft, now);
        follow(&mut draft, opened);
    } else if state.round < opened.terms.rounds {
        close_round(&mut draft, now);
        follow(&mut draft, opened);
    } else {
        let end = close::final_end(state, opened, super::event::Outcome::NoQuorum);
        close::close(&mut draft, opened, end, now);
    }
    draft.finish(Ok(Reply::Done))
}

/// Applies what fell due first; what falls due after it has its own tick.
fn tick(state: &Session, opened: &Opened, now: Timestamp) -> Decided {
    let mut draft = Draft::new(state, now);
    if state.closed.is_some() {
        return draft.finish(Ok(Reply::Done));
    }
    // The votes decided before the log ended; no deadline undoes that.
    if let Some(end) = standing_end(state, opened, &Tally::count(state, opened, After::Now)) {
        let votes = state.votes.get(&state.round).into_iter().flat_map(|votes| votes.values());
        let decided_at = votes.map(|vote| vote.received_at).max().unwrap_or(state.round_since);
        close::close(&mut draft, opened, end, decided_at);
        return draft.finish(Ok(Reply::Done));
    }
    let deadline = state.deadline(opened);
    let commits_until = opened.commits_until.filter(|at| state.sealed && *at < deadline);
    let round_ends = state.round_ends(opened).filter(|at| *at < deadline);
    let silence = opened.opened_at.plus(OFFLINE_AFTER);
    if !state.silence_noted && silence <= now && silence <= deadline {
        // Who took a place over later was not asked since then.
        let mut voters = state.outstanding();
        voters.retain(|voter| !state.substitutes.contains_key(voter));
        draft.push(Event::SilenceNoted { voters, at: silence });
        tell_at_once(&mut draft);
    } else if let Some(at) = commits_until.filter(|at| *at < now) {
        close_commits(&mut draft, at);
        follow_as_of(&mut draft, opened, at);
    } else if let Some(at) = round_ends.filter(|at| *at < now) {
        close_round(&mut draft, at);
        follow_as_of(&mut draft, opened, at);
    } else if deadline < now && gate::extends(state, opened) {
        gate::extend(&mut draft, opened, now);
    } else if deadline < now {
        let end = close::final_end(state, opened, super::event::Outcome::Timeout);
        close::close(&mut draft, opened, end, deadline);
    } else if let Some(event) = people::due_again(state, opened, now) {
        draft.push(event);
    }
    draft.finish(Ok(Reply::Done))
}
