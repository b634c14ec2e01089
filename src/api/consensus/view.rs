//! A proposal as it is shown.

use std::collections::BTreeMap;

use serde_json::Value;

use super::people::{Answers, answers, delegations, reminded};
use crate::api::dto::{BallotView, ConsensusMetadata, ConsensusResult};
use crate::api::spend::operation_view;
use crate::core::kernel::ids::{EntityId, VoterId};
use crate::core::kernel::time::Timestamp;
use crate::core::voting::proposal::event::Cause;
use crate::core::voting::proposal::{Closed, Opened, Proposal, Rejection};
use crate::core::voting::rules::{Choice, WHOLE_WEIGHT};
use crate::error::Error;
use crate::shell::answer_schema;

/// `open`, or how it ended.
pub(super) fn state_name(state: &Proposal) -> String {
    state.decision().map_or("open", |decision| decision.name()).to_owned()
}

/// How a proposal stands at `now`.
pub(in crate::api) fn result_view(
    id: &EntityId,
    state: &Proposal,
    now: Timestamp,
) -> Result<ConsensusResult, Error> {
    let opened = state.opened.as_deref().ok_or(Rejection::NotFound)?;
    let closed = state.closed.as_ref();
    let [votes_for, votes_against, votes_abstain] = state.heads().map(u64::from);
    let end = closed.map_or(now, |closed| closed.closed_at);
    let json = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
    let ballots = state.votes.iter().map(|(place, vote)| {
        let view = BallotView {
            vote: vote.vote,
            weight: vote.weight,
            metadata: vote.metadata.as_deref().map(json),
            cast_at: vote.cast_at,
            reason: vote.reason.clone(),
            value: vote.value.as_deref().map(json),
            in_place_of: vote.by.as_ref().map(|_| place.clone()),
        };
        (vote.by.as_ref().unwrap_or(place).clone(), view)
    });
    let votes: BTreeMap<VoterId, BallotView> = ballots.collect();
    let Answers { values, answer } = answers(state, &votes);
    Ok(ConsensusResult {
        proposal_id: id.clone(),
        state: state_name(state),
        decision: state.decision(),
        votes_for,
        votes_against,
        votes_abstain,
        threshold: opened.threshold,
        participants: state.voters_in_order().into_iter().cloned().collect(),
        outstanding: state.outstanding().into_iter().cloned().collect(),
        algorithm_used: opened.algorithm.clone(),
        duration_ms: end.since(opened.opened_at).as_micros() as f64 / 1_000.0,
        metadata: metadata_view(state, opened, votes_for),
        proposal: json(&opened.proposal),
        votes,
        answer_schema: state.answer.as_deref().map(answer_schema::to_json),
        values,
        answer,
        delegations: delegations(state),
        reminded: reminded(state),
        remind_every_ms: state.remind_every_ms,
        decided_by: closed.and_then(|closed| closed.decided_by.clone()),
        opened_at: opened.opened_at,
        deadline: state.deadline().unwrap_or(opened.deadline),
        closed_at: closed.map(|closed| closed.closed_at),
        noticed_at: closed.map(|closed| closed.noticed_at),
        operation: operation_view(state.mandate.as_deref(), &state.uses),
        duplicate: None,
        differs: Vec::new(),
    })
}

fn metadata_view(state: &Proposal, opened: &Opened, votes_for: u64) -> ConsensusMetadata {
    let asked = opened.participants.len();
    let rate = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    let weights = (!opened.weights.is_empty()).then_some(&opened.weights);
    let whole = |millionths: u128| millionths as f64 / WHOLE_WEIGHT as f64;
    let total = weights.map(|weights| whole(weights.iter().map(|w| u128::from(*w)).sum()));
    let cast = |choice| weights.map(|_| whole(state.weight(choice)));
    let cause = state.closed.as_ref().and_then(|closed| closed.cause.as_ref());
    let text = |cause: &Cause| cause.text().to_owned();
    ConsensusMetadata {
        total_participants: asked as u64,
        participation_rate: rate(state.votes.len() as f64, asked as f64),
        approval_rate: rate(votes_for as f64, asked as f64),
        total_weight: total,
        weighted_for: cast(Choice::For),
        weighted_against: cast(Choice::Against),
        weighted_approval: cast(Choice::For).zip(total).map(|(part, total)| rate(part, total)),
        excluded_agents: opened.excluded.clone(),
        registered_count: (asked + opened.excluded.len()) as u64,
        reached: state.reached(),
        unreached_agents: state.unreached(),
        error: cause.filter(|_| state.closed.as_ref().is_some_and(Closed::is_error)).map(text),
        reason: cause.map(text),
        detail: cause.and_then(Cause::detail).map(str::to_owned),
        extensions: (state.extensions > 0).then_some(state.extensions),
        extended_by: state.extended.as_ref().and_then(|extended| extended.by.clone()),
        cancelled_by: cause.and_then(|cause| match cause {
            Cause::Cancelled { by, reason: _ } => by.clone(),
            _ => None,
        }),
    }
}
