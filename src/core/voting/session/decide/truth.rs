//! What had been right, told of a session that has ended: one judgement for each of its voters.

use super::super::SessionMachine;
use super::super::ballot::{Ballot, Pick};
use super::super::command::{Rejection, Reply};
use super::super::event::{Authentication, Closed, Elector, Event, Opened, Outcome};
use super::super::state::{Session, Standing};
use super::super::tally::options;
use super::super::truth::{Judge, TruthTold};
use super::{Decided, tell_at_once};
use crate::kernel::Decision;
use crate::kernel::draft::Draft;
use crate::kernel::ids::VoterId;
use crate::kernel::time::{Timestamp, micros};
use crate::voting::judgement::{Judgement, Part};
use crate::voting::rules::Choice as Stance;

/// One whole, in millionths.
const WHOLE: u32 = 1_000_000;

pub(super) fn judge(state: &Session, opened: &Opened, judge: Judge, now: Timestamp) -> Decided {
    let Some(closed) = state.closed.as_deref() else { return Err(Rejection::StillOpen) };
    let all = options(opened);
    let Some(truth) = all.iter().find(|pick| pick.name() == judge.truth).cloned() else {
        let names: Vec<&str> = all.iter().map(Pick::name).collect();
        let expected = format!("one of {}", names.join(", "));
        return Err(Rejection::Invalid { field: "truth", given: judge.truth, expected });
    };
    if let Some(stranger) = judge.ratings.keys().find(|voter| state.elector(voter).is_none()) {
        let (given, expected) = (stranger.to_string(), "voters of the session".to_owned());
        return Err(Rejection::Invalid { field: "ratings", given, expected });
    }
    // Nobody says of itself that it was right, nor of who votes in its place.
    let named = judge.by.as_deref().and_then(|by| VoterId::stored(by.to_owned()).ok());
    let has_cause = |voter: &&VoterId| state.elector(voter).is_some() || state.delegated.contains_key(*voter);
    if let Some(voter) = named.iter().chain(&judge.tellers).find(has_cause) {
        return Err(Rejection::OwnCause { voter: voter.clone() });
    }
    let told = tell(state, opened, closed, truth, judge, now);
    if let Some(held) = &state.truth {
        let same = (&held.truth, held.score, &held.judged) == (&told.truth, told.score, &told.judged);
        return match same {
            true => Ok(Decision::answer(Reply::Judged { duplicate: true })),
            false => Err(Rejection::ToldOtherwise { held: held.truth.name().to_owned() }),
        };
    }
    let mut draft = Draft::<SessionMachine>::new(state, now);
    draft.push(Event::TruthTold(Box::new(told)));
    tell_at_once(&mut draft);
    draft.finish(Ok(Reply::Judged { duplicate: false }))
}

fn tell(
    state: &Session,
    opened: &Opened,
    closed: &Closed,
    truth: Pick,
    judge: Judge,
    at: Timestamp,
) -> TruthTold {
    let decides = matches!(closed.outcome, Outcome::Decided | Outcome::Rejected);
    let right = decides && closed.pick.as_ref() == Some(&truth);
    let score = judge.score.unwrap_or(if right { WHOLE } else { 0 });
    let standing = |voter: &VoterId| state.vote_of(closed.round, voter).filter(|_| !state.is_excluded(voter));
    // Who votes in a place is judged, and not who handed it on.
    let holders = || state.places(opened).map(|(_, holder)| holder);
    // The power of the votes that say something, and of those among them that are right.
    let (mut whole, mut good) = (0_u128, 0_u128);
    for elector in holders() {
        if let Some(said) = standing(&elector.voter_id).and_then(|vote| said(&vote.vote.ballot, &truth)) {
            whole += u128::from(elector.power);
            good += u128::from(elector.power) * u128::from(said == is_true(&truth));
        }
    }
    let judged = holders().map(|elector| {
        let voter = &elector.voter_id;
        let vote = standing(voter);
        let said = vote.and_then(|vote| said(&vote.vote.ballot, &truth));
        let effect = said.and_then(|said| effect(elector, said == is_true(&truth), whole, good));
        let part = Part {
            voted: vote.is_some(),
            steady: is_steady(state, opened, voter, vote),
            effect,
            outcome: score,
            latency_us: vote.map(|vote| micros(vote.received_at.since(state.round_since))),
            time_us: micros(state.deadline(opened).since(state.round_since)),
            context: judge.context,
        };
        let rating = judge.ratings.get(voter).copied();
        (voter.clone(), Judgement { truth: is_true(&truth), said, rating, part: Some(part) })
    });
    let mut judged: Vec<(VoterId, Judgement)> = judged.collect();
    judged.sort_by(|(a, _), (b, _)| a.cmp(b));
    TruthTold { judged, truth, score, by: judge.by, at }
}

/// Of candidates it is always true that the right one is right.
fn is_true(truth: &Pick) -> bool {
    *truth != Pick::Against
}

/// What a ballot says of the truth; nothing by abstaining.
fn said(ballot: &Ballot, truth: &Pick) -> Option<bool> {
    match ballot {
        Ballot::Approve(Stance::For) => Some(true),
        Ballot::Approve(Stance::Against) => Some(false),
        Ballot::Approve(Stance::Abstain) => None,
        Ballot::Choice(_) | Ballot::Approval(_) | Ballot::Scores(_) => Some(ballot.picks(truth)),
    }
}

/// Is the share of the power that is right greater with this voter or without it?
fn effect(elector: &Elector, is_right: bool, whole: u128, good: u128) -> Option<bool> {
    let power = u128::from(elector.power);
    let others = whole.checked_sub(power).filter(|others| *others > 0)?;
    let good_others = good - if is_right { power } else { 0 };
    // good/whole against good_others/others; powers fit 64 bits, so products fit 128.
    match (good * others).cmp(&(good_others * whole)) {
        std::cmp::Ordering::Greater => Some(true),
        std::cmp::Ordering::Less => Some(false),
        std::cmp::Ordering::Equal => None,
    }
}

/// Neither switched, nor was excluded, nor broke a rule in a message that was shown to be its own.
fn is_steady(state: &Session, opened: &Opened, voter: &VoterId, vote: Option<&Standing>) -> bool {
    let shown = opened.terms.authentication == Authentication::Required;
    let breaches = state.refused.keys().filter(|(other, _)| other.as_ref() == Some(voter));
    let switched = vote.is_some_and(|vote| {
        let earlier = state.votes.range(..vote.vote.round).filter_map(|(_, votes)| votes.get(voter));
        earlier.into_iter().any(|before| !before.vote.ballot.agrees_with(&vote.vote.ballot))
    });
    let broke = shown && breaches.into_iter().any(|(_, reason)| reason.against().is_some());
    !(switched || broke || state.is_excluded(voter))
}
