//! How a session ends.

use super::super::SessionMachine;
use super::super::ballot::Pick;
use super::super::command::{Rejection, Reply};
use super::super::event::{ClosePolicy, Closed, Event, Opened, Outcome};
use super::super::state::Session;
use super::super::tally::{After, Tally, share};
use super::{Decided, Sketch, gate};
use crate::kernel::Decision;
use crate::kernel::draft::Draft;
use crate::kernel::ids::VoterId;
use crate::kernel::time::Timestamp;

/// An outcome, and the option it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::voting::session) struct End {
    pub(super) outcome: Outcome,
    pub(super) pick: Option<Pick>,
}

impl End {
    fn plain(outcome: Outcome) -> Self {
        End { outcome, pick: None }
    }

    fn of(pick: Pick) -> Self {
        let outcome = if pick == Pick::Against { Outcome::Rejected } else { Outcome::Decided };
        End { outcome, pick: Some(pick) }
    }
}

/// The end that the votes have come to, if they have.
pub(in crate::voting::session) fn standing_end(
    state: &Session,
    opened: &Opened,
    tally: &Tally,
) -> Option<End> {
    if state.malicious().len() > opened.quorum.fault_budget() as usize {
        return Some(End::plain(Outcome::FaultBudgetExceeded));
    }
    if state.sealed {
        return None;
    }
    if let Some(pick) = tally.reached(&opened.quorum) {
        let at_once = opened.terms.close_policy == ClosePolicy::OnQuorum || tally.outstanding == 0;
        return at_once.then(|| End::of(pick.clone()));
    }
    (!tally.is_possible(&opened.quorum)).then(|| End::plain(Outcome::NoQuorum))
}

/// The end when no more votes are taken: by the quorum that stands, or else this.
pub(super) fn final_end(state: &Session, opened: &Opened, otherwise: Outcome) -> End {
    let tally = Tally::count(state, opened, After::Now);
    let reached = tally.reached(&opened.quorum).filter(|_| !state.sealed);
    reached.cloned().map_or(End::plain(otherwise), End::of)
}

pub(super) fn cancel(
    state: &Session,
    opened: &Opened,
    cancelled: (Option<String>, Option<String>),
    now: Timestamp,
) -> Decided {
    match state.outcome() {
        Some(Outcome::Cancelled) => return Ok(Decision::answer(Reply::Cancelled { duplicate: true })),
        Some(outcome) => return Err(Rejection::Ended { outcome }),
        None => {}
    }
    let mut draft = Draft::<SessionMachine>::new(state, now);
    let mut closed = closed(state, opened, End::plain(Outcome::Cancelled), now, now);
    closed.cancelled = Some(cancelled);
    push(&mut draft, opened, closed);
    draft.finish(Ok(Reply::Cancelled { duplicate: false }))
}

/// Ends the session as of an instant.
pub(super) fn close(draft: &mut Sketch<'_>, opened: &Opened, end: End, at: Timestamp) {
    let closed = closed(draft.state(), opened, end, at, draft.now);
    push(draft, opened, closed);
}

fn push(draft: &mut Sketch<'_>, opened: &Opened, closed: Closed) {
    draft.push(Event::Closed(Box::new(closed)));
    gate::evaluate(draft, opened);
    for effect in draft.state().owed() {
        draft.owe(effect);
    }
}

fn closed(state: &Session, opened: &Opened, end: End, at: Timestamp, now: Timestamp) -> Closed {
    let tally = Tally::count(state, opened, After::Now);
    let quorum = &opened.quorum;
    let selections = tally.ranked(quorum);
    let scores = |k: usize| selections.get(k).map_or(0, |selection| selection.selection_score);
    let all: u128 = selections.iter().map(|selection| u128::from(selection.selection_score)).sum();
    let best = selections.first();
    let (heads, power) = best.map_or((0, 0), |best| (best.votes_received, best.voting_power));
    let votes = state.votes.get(&state.round);
    let counted = || votes.into_iter().flatten().filter(|(voter, _)| !state.is_excluded(voter));
    let dissents = |pick: &Pick| -> Vec<VoterId> {
        let other = counted().filter(|(_, vote)| !vote.vote.ballot.picks(pick));
        other.map(|(voter, _)| voter.clone()).collect()
    };
    let decides = matches!(end.outcome, Outcome::Decided | Outcome::Rejected);
    let last = counted().max_by_key(|(_, vote)| vote.seq).map(|(voter, _)| voter.clone());
    let faults = u32::try_from(state.malicious().len()).unwrap_or(u32::MAX);
    let f = quorum.declared_faults.unwrap_or(opened.most_faults);
    let promised = || state.commits.keys().filter(|voter| state.vote_of(1, voter).is_none());
    // Only who could have told its vote is blamed for not doing so.
    let unrevealed = opened.terms.commit_reveal && !state.sealed && end.outcome == Outcome::Timeout;
    Closed {
        outcome: end.outcome,
        dissenters: end.pick.as_ref().map(dissents).unwrap_or_default(),
        confidence_score: share(u128::from(scores(0)) * 1_000_000, all),
        margin: scores(0).saturating_sub(scores(1)),
        support_share: share(u128::from(heads) * 1_000_000, u128::from(quorum.n)),
        power_share: share(u128::from(power) * 1_000_000, u128::from(quorum.power)),
        total_votes: votes.map_or(0, |votes| u32::try_from(votes.len()).unwrap_or(u32::MAX)),
        byzantine_faults_detected: faults,
        byzantine_safe: decides && f >= 1 && quorum.n > 3 * f && faults <= f,
        round: state.round,
        decided_by: last.filter(|_| decides),
        unrevealed: if unrevealed { promised().cloned().collect() } else { Vec::new() },
        cancelled: None,
        pick: end.pick,
        selections,
        opened_at: opened.opened_at,
        closed_at: at,
        noticed_at: now,
    }
}
