//! Quorums as they are shown.

use std::collections::BTreeMap;

use serde_json::Value;

use super::dto::{FinalTally, FinalVote, QuorumHistoryEntry, QuorumLine, QuorumStatus, Started};
use crate::core::kernel::ids::{EntityId, VoterId};
use crate::core::kernel::time::Timestamp;
use crate::core::voting::quorum::event::Counting;
use crate::core::voting::quorum::state::{Fallback, Standee};
use crate::core::voting::quorum::{Opened, Quorum, QuorumState, Rejection};
use crate::core::voting::rules;
use crate::error::Error;

/// Most outstanding voters named in a line of a list; all of them stand in the status.
const NAMED_IN_A_LINE: usize = 20;

pub(super) fn admits(opened: &Opened, voter: &VoterId) -> bool {
    // In an open electorate nobody is known to be a neighbour.
    opened.electorate.size().is_some() && opened.electorate.admits(voter)
}

pub(super) fn electorate_name(opened: &Opened) -> String {
    if opened.electorate.size().is_some() { "closed".into() } else { "open".into() }
}

pub(super) fn started_view(id: &EntityId, state: &Quorum, duplicate: bool) -> Result<Started, Error> {
    let opened = state.opened.as_deref().ok_or(Rejection::NotFound)?;
    let timeout = opened.deadline.since(opened.opened_at).as_secs_f64();
    Ok(Started {
        quorum_id: id.clone(),
        quorum_type: opened.quorum_type,
        required_votes: opened.required_votes,
        timeout,
        timeout_seconds: timeout,
        cell_id: opened.cell_id.clone(),
        neighbor_count: opened.neighbor_count,
        electorate: electorate_name(opened),
        voter_count: opened.electorate.size(),
        state: state.state().unwrap_or(QuorumState::Open),
        opened_at: opened.opened_at,
        deadline: opened.deadline,
        membership_epoch: opened.membership_epoch,
        subject_digest: opened.subject_digest.clone(),
        fallback_quorum_id: opened.fallback.as_ref().map(|f| f.child_id.clone()),
        duplicate,
    })
}

/// The status of a quorum at `now`.
pub(super) fn status_view(id: &EntityId, state: &Quorum, now: Timestamp) -> Result<QuorumStatus, Error> {
    let opened = state.opened.as_deref().ok_or(Rejection::NotFound)?;
    let closed = state.closed.as_ref();
    let tally = state.tally();
    let end = closed.map_or(now, |c| c.closed_at);
    let approvals = state.votes.values().filter(|v| v.vote && v.counting == Counting::Counted);
    let sum: f64 = approvals.map(|v| v.confidence).sum();
    let owned = |outsiders| state.voters_in_order(outsiders).into_iter().cloned().collect();
    let (fallback, fallback_error) = match (&state.fallback, &opened.fallback) {
        (Fallback::None, None) => ("none", None),
        (Fallback::None, Some(_)) if closed.is_some() => ("none", None),
        (Fallback::None, Some(_)) => ("planned", None),
        (Fallback::Owed, _) => ("owed", None),
        (Fallback::Opened, _) => ("opened", None),
        (Fallback::Failed(reason), _) => ("failed", Some(reason.clone())),
    };
    // One that will never be, as the end was another or it could not be opened, is not named.
    let child = opened.fallback.as_ref().filter(|_| !matches!(fallback, "none" | "failed"));
    Ok(QuorumStatus {
        quorum_id: id.clone(),
        quorum_type: opened.quorum_type,
        cell_id: opened.cell_id.clone(),
        neighbor_count: opened.neighbor_count,
        total_votes: tally.total(),
        approve_votes: tally.approvals,
        reject_votes: tally.rejections,
        required_votes: opened.required_votes,
        quorum_reached: state.outcome() == rules::Outcome::Won,
        elapsed_seconds: end.since(opened.opened_at).as_secs_f64(),
        timeout_seconds: opened.deadline.since(opened.opened_at).as_secs_f64(),
        valid_voters: owned(false),
        invalid_voters: owned(true),
        votes: standing_votes(state),
        state: state.state().unwrap_or(QuorumState::Open),
        consensus: tally.consensus(),
        electorate: electorate_name(opened),
        voter_count: opened.electorate.size(),
        outstanding: state.awaited().into_iter().cloned().collect(),
        closed_at: closed.map(|c| c.closed_at),
        noticed_at: closed.map(|c| c.noticed_at),
        opened_at: opened.opened_at,
        deadline: opened.deadline,
        decided_by: closed.and_then(|c| c.decided_by.clone()),
        cancelled_by: closed.and_then(|c| c.cancelled_by.clone()),
        reason: closed.and_then(|c| c.reason.clone()),
        mean_confidence: (tally.approvals > 0).then(|| sum / f64::from(tally.approvals)),
        late_votes: state.late_votes,
        rule: state.rule.clone(),
        subject: subject_value(opened),
        subject_digest: opened.subject_digest.clone(),
        membership_epoch: opened.membership_epoch,
        parent_quorum_id: opened.parent.clone(),
        fallback_quorum_id: child.map(|f| f.child_id.clone()),
        fallback: fallback.into(),
        fallback_error,
    })
}

pub(super) fn subject_value(opened: &Opened) -> Option<Value> {
    opened.subject.as_ref().and_then(|text| serde_json::from_str(text).ok())
}

fn standing_votes(state: &Quorum) -> BTreeMap<VoterId, FinalVote> {
    let vote = |v: &Standee| FinalVote {
        vote: v.vote,
        confidence: v.confidence,
        counted: v.counting == Counting::Counted,
        cast_at: v.cast_at,
        reason: v.reason.clone(),
    };
    state.votes.iter().map(|(id, v)| (id.clone(), vote(v))).collect()
}

pub(super) fn history_entry(id: &EntityId, state: &Quorum) -> Option<QuorumHistoryEntry> {
    let (opened, closed) = (state.opened.as_deref()?, state.closed.as_ref()?);
    let tally = closed.tally;
    Some(QuorumHistoryEntry {
        quorum_id: id.clone(),
        quorum_type: opened.quorum_type,
        result: FinalTally {
            total_votes: tally.total(),
            approve_votes: tally.approvals,
            reject_votes: tally.rejections,
            required_votes: opened.required_votes,
            quorum_reached: closed.state == QuorumState::Approved,
            consensus: tally.consensus(),
        },
        votes: standing_votes(state),
        closed_at: closed.closed_at,
        state: closed.state,
        cell_id: opened.cell_id.clone(),
        required_votes: opened.required_votes,
        opened_at: opened.opened_at,
        deadline: opened.deadline,
        decided_by: closed.decided_by.clone(),
        subject: subject_value(opened),
    })
}

/// A quorum in a list; none before it is opened.
pub(super) fn line_view(id: &EntityId, state: &Quorum) -> Option<QuorumLine> {
    let opened = state.opened.as_deref()?;
    let tally = state.tally();
    let awaited = state.awaited();
    Some(QuorumLine {
        quorum_id: id.clone(),
        quorum_type: opened.quorum_type,
        cell_id: opened.cell_id.clone(),
        state: state.state().unwrap_or(QuorumState::Open),
        approve_votes: tally.approvals,
        reject_votes: tally.rejections,
        required_votes: opened.required_votes,
        voter_count: opened.electorate.size(),
        outstanding_count: awaited.len() as u64,
        outstanding: awaited.into_iter().take(NAMED_IN_A_LINE).cloned().collect(),
        opened_at: opened.opened_at,
        deadline: opened.deadline,
        closed_at: state.closed.as_ref().map(|closed| closed.closed_at),
        subject: subject_value(opened),
    })
}
