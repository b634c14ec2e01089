//! Votes: who may, what they must bring, and what is kept of those that are refused.

use super::super::ProposalMachine;
use super::super::answer::{AnswerMisfit, AnswerSchema, AnswerValue, VALUE};
use super::super::command::{Ballot, Reply, VoteOutcome};
use super::super::event::{
    Closed, Event, Opened, Refusal, RefusalReasoned, RefusalValued, VoteCast, VoteChange, VoteReasoned,
    VoteRefused, VoteValued,
};
use super::super::rejection::Rejection;
use super::super::state::{Proposal, with_value};
use super::{Asked, Decided, standing, unreachable_without};
use crate::kernel::Decision;
use crate::kernel::time::Timestamp;
use crate::voting::quorum::state::digest_of;
use crate::voting::rules::{Choice, CustomRules};

/// Takes a vote, or refuses it on record; an answer that does not fit is refused before anything is recorded.
pub(super) fn vote(
    state: &Proposal,
    opened: &Opened,
    ballot: Ballot,
    now: Timestamp,
    custom: &dyn CustomRules,
) -> Decided {
    if state.delegated.contains_key(&ballot.voter_id) {
        let rejection = Rejection::Delegated { to: state.holder_of(&ballot.voter_id).clone() };
        return Ok(refuse(state, ballot, Refusal::Delegated, rejection, now));
    }
    let Some(place) = state.place_of(&ballot.voter_id).cloned() else {
        return Ok(refuse(state, ballot, Refusal::NotParticipant, Rejection::NotParticipant, now));
    };
    let value = ballot.value.as_ref().map(AnswerValue::to_json);
    let standing_vote = state.votes.get(&place);
    // The same vote again is answered from the record, also after the end: the agent may have lost the reply.
    if standing_vote.is_some_and(|held| held.vote == ballot.vote && held.value == value) {
        return Ok(Decision::answer(Reply::Voted { outcome: VoteOutcome::Duplicate, changed: false }));
    }
    if let Some(decision) = state.decision() {
        let rejection = standing_vote.map_or(Rejection::Closed { decision }, |held| {
            let (held, held_value) = (held.vote, held.value.clone());
            Rejection::Late { decision, held, given: ballot.vote, held_value, given_value: value }
        });
        return Ok(refuse(state, ballot, Refusal::Late, rejection, now));
    }
    if let Some(held) = standing_vote
        && opened.vote_change == VoteChange::Reject
    {
        let (held, held_value) = (held.vote, held.value.clone());
        let rejection = Rejection::AlreadyVoted { held, given: ballot.vote, held_value, given_value: value };
        return Ok(refuse(state, ballot, Refusal::AlreadyVoted, rejection, now));
    }
    check_value(state.answer.as_deref(), ballot.vote, ballot.value.as_ref())
        .map_err(|misfit| Rejection::Misfit(Box::new(misfit)))?;
    let asked = Asked::with(state, &place, ballot.vote);
    let end = standing(state, opened, &asked, custom)
        .or_else(|| unreachable_without(state, opened, &asked.count, Some(&place), &state.absent));
    let voter = ballot.voter_id.clone();
    let changed = standing_vote.is_some();
    let cast = VoteCast {
        voter_id: ballot.voter_id.clone(),
        vote: ballot.vote,
        weight: ballot.weight,
        metadata: ballot.metadata,
        cast_at: now,
        supersedes: changed,
    };
    let mut events = vec![match (value, ballot.reason) {
        (None, None) => Event::VoteCast(cast),
        (None, Some(reason)) => Event::VoteCastWithReason(Box::new(VoteReasoned { cast, reason })),
        (Some(value), reason) => Event::VoteCastWithValue(Box::new(VoteValued { cast, reason, value })),
    }];
    if let Some((decision, cause)) = end {
        let votes = Choice::ALL.map(|choice| asked.count.heads(choice));
        events.push(Event::Closed(Closed {
            decision,
            cause,
            algorithm: opened.algorithm.clone(),
            opened_at: opened.opened_at,
            closed_at: now,
            noticed_at: now,
            votes,
            decided_by: Some(voter),
        }));
    }
    Ok(Decision::accept(events, Reply::Voted { outcome: VoteOutcome::Recorded, changed }))
}

fn refuse(
    state: &Proposal,
    ballot: Ballot,
    refusal: Refusal,
    rejection: Rejection,
    now: Timestamp,
) -> Decision<ProposalMachine> {
    let Ballot { voter_id, vote, weight, metadata, reason, value } = ballot;
    let value = value.map(|value| value.to_json());
    let digest = digest_of(&with_value(&metadata, &reason, &value));
    if state.refused.contains(&(voter_id.clone(), vote, refusal, digest)) {
        return Decision::refuse_on_record(Vec::new(), rejection);
    }
    let refused = VoteRefused { voter_id, vote, weight, cast_at: now, refusal };
    let record = match (metadata, reason, value) {
        (None, None, None) => Event::VoteRefused(refused),
        (metadata, reason, None) => {
            Event::VoteRefusedWithReason(Box::new(RefusalReasoned { refused, metadata, reason }))
        }
        (metadata, reason, Some(value)) => {
            Event::VoteRefusedWithValue(Box::new(RefusalValued { refused, metadata, reason, value }))
        }
    };
    Decision::refuse_on_record(vec![record], rejection)
}

/// Does a vote bring what is asked for? A vote for it must; the others may.
fn check_value(
    asked: Option<&AnswerSchema>,
    vote: Choice,
    value: Option<&AnswerValue>,
) -> Result<(), AnswerMisfit> {
    match (asked, value) {
        (None, None) => Ok(()),
        (None, Some(value)) => Err(AnswerMisfit {
            path: VALUE.to_owned(),
            given: Some(value.to_json()),
            expected: "no value: the question asks for none".to_owned(),
        }),
        (Some(asked), None) if vote == Choice::For => Err(asked.missing()),
        (Some(_), None) => Ok(()),
        (Some(asked), Some(value)) => asked.fits(value),
    }
}
