//! Sessions as they are shown.

use std::collections::BTreeMap;

use serde_json::Value;

use super::dto::{
    ElectorView, EvidenceView, ExclusionView, SelectionView, SessionBallot, SessionDelegation, SessionLine,
    SessionResult,
};
use super::session_plan::whole;
use super::spend::operation_view;
use super::voter::trust::{gates_view, truth_view, weights_view};
use crate::core::kernel::ids::VoterId;
use crate::core::voting::session::ballot::{Ballot, WHOLE};
use crate::core::voting::session::event::{Flag, Selection};
use crate::core::voting::session::state::Standing;
use crate::core::voting::session::{Delegated, Evidence, Opened, Outcome, Pick, Rejection, Session};
use crate::error::Error;

/// Where a session stands, in a word.
pub(super) fn status_name(state: &Session) -> &'static str {
    match state.outcome() {
        None => "collecting_votes",
        Some(outcome) => outcome.status(),
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

fn flag_name(flag: Flag) -> &'static str {
    match flag {
        Flag::WeightClaim => "weight_claim",
        Flag::Suspicious => "suspicious",
        Flag::Probation => "probation",
        Flag::Switched => "switched",
    }
}

fn ballot_view(state: &Session, vote: &Standing) -> SessionBallot {
    let supports = vote.vote.ballot.supports(WHOLE);
    SessionBallot {
        supports: supports.iter().map(|(pick, _)| pick.name().to_owned()).collect(),
        score: whole(vote.vote.score.into()),
        confidence: whole(vote.vote.confidence.into()),
        seq: vote.vote.seq,
        authenticity: vote.authenticity.name().to_owned(),
        verification_score: whole(vote.verification_score.into()),
        flags: vote.flags.iter().map(|flag| flag_name(*flag).to_owned()).collect(),
        received_at: vote.received_at,
        reasoning: vote.reasoning.clone(),
        in_place_of: state.substitutes.get(&vote.vote.voter_id).cloned(),
    }
}

/// What a standing vote says, how good, and how sure.
pub(super) fn held_view(vote: &Standing) -> (Value, f64, f64) {
    let says = match &vote.vote.ballot {
        Ballot::Approve(stance) => stance.name().into(),
        Ballot::Choice(candidate) => candidate.as_str().into(),
        Ballot::Approval(all) => all.iter().map(|candidate| Value::from(candidate.as_str())).collect(),
        Ballot::Scores(all) => all
            .iter()
            .map(|(candidate, score)| (candidate.to_string(), Value::from(whole((*score).into()))))
            .collect(),
    };
    (says, whole(vote.vote.score.into()), whole(vote.vote.confidence.into()))
}

fn selection_view(opened: &Opened, selection: &Selection) -> SelectionView {
    let listed = opened.terms.candidates.iter();
    let kind = match &selection.pick {
        Pick::Candidate(id) => listed.into_iter().find(|candidate| candidate.candidate_id == *id),
        Pick::For | Pick::Against => None,
    };
    SelectionView {
        candidate: selection.pick.name().to_owned(),
        kind: kind.map(|candidate| candidate.kind.clone()).filter(|kind| !kind.is_empty()),
        selection_score: whole(selection.selection_score.into()),
        voting_power: whole(selection.voting_power),
        votes_received: selection.votes_received,
        emergence_factor: 1.0,
    }
}

fn evidence_view(evidence: &Evidence) -> EvidenceView {
    EvidenceView {
        evidence_id: evidence.evidence_id,
        voter_id: evidence.first.vote.voter_id.clone(),
        fault: evidence.fault.name().to_owned(),
        level: evidence.level.name().to_owned(),
        round: evidence.first.vote.round,
        votes: vec![evidence.first.hash, evidence.second.hash],
        late: evidence.late,
        at: evidence.at,
    }
}

fn decision(state: &Session) -> Option<String> {
    state.closed.as_ref().and_then(|closed| closed.pick.as_ref()).map(|pick| pick.name().to_owned())
}

/// Places that went to other voters, in that order.
fn delegations(state: &Session) -> Vec<SessionDelegation> {
    let view = |one: &Delegated| SessionDelegation {
        from: one.from.clone(),
        to: one.to.voter_id.clone(),
        in_place_of: one.place.clone(),
        public_key: one.to.credential.public_key,
        signed: one.signature.is_some(),
        reason: one.reason.clone(),
        at: one.at,
    };
    let mut views: Vec<SessionDelegation> = state.delegated.values().map(view).collect();
    views.sort_by(|one, other| (one.at, &one.from).cmp(&(other.at, &other.from)));
    views
}

/// How often those whose votes are outstanding were reminded.
pub(super) fn reminded(state: &Session) -> BTreeMap<VoterId, u32> {
    let reminded = state.reminded.iter().filter(|(voter, (count, _))| *count > 0 && state.awaits(voter));
    reminded.map(|(voter, (count, _))| (voter.clone(), *count)).collect()
}

/// A session in a list; none before it is opened.
pub(super) fn line_view(state: &Session) -> Option<SessionLine> {
    let opened = state.opened.as_deref()?;
    Some(SessionLine {
        session_id: opened.session_id.clone(),
        status: status_name(state).to_owned(),
        outcome: state.outcome(),
        decision: decision(state),
        round: state.round,
        n: opened.quorum.n,
        total_votes: count(state.votes.get(&state.round).map_or(0, |votes| votes.len())),
        byzantine_faults_detected: count(state.malicious().len()),
        deadline: state.deadline(opened),
        proposal: json(&opened.terms.proposal),
    })
}

/// How a session stands.
pub(super) fn result_view(state: &Session) -> Result<SessionResult, Error> {
    let opened = state.opened.as_deref().ok_or(Rejection::NotFound)?;
    let (terms, quorum) = (&opened.terms, &opened.quorum);
    let closed = state.closed.as_deref();
    let votes = state.votes.get(&state.round);
    let malicious = state.malicious();
    let honest = votes.into_iter().flatten().filter(|(voter, _)| !malicious.contains(voter)).count();
    let f = quorum.declared_faults.unwrap_or(opened.most_faults);
    let number =
        |part: fn(&crate::core::voting::session::Closed) -> u32| closed.map(|c| whole(part(c).into()));
    let cancelled = closed.and_then(|closed| closed.cancelled.clone()).unwrap_or_default();
    let elector = |elector: &crate::core::voting::session::Elector| ElectorView {
        voter_id: elector.voter_id.clone(),
        power: whole(elector.power),
        uncapped_power: (elector.uncapped != elector.power).then(|| whole(elector.uncapped)),
        public_key: elector.credential.public_key,
        key_version: state.key_versions.get(&elector.voter_id).copied(),
    };
    let exclusion = |(voter_id, reason): (&VoterId, &crate::core::voting::session::Exclusion)| {
        ExclusionView { voter_id: voter_id.clone(), reason: reason.name().to_owned() }
    };
    Ok(SessionResult {
        session_id: opened.session_id.clone(),
        status: status_name(state).to_owned(),
        outcome: state.outcome(),
        decision: decision(state),
        decision_tainted: state.tainted.is_some()
            && matches!(state.outcome(), Some(Outcome::Decided | Outcome::Rejected)),
        phase: if state.sealed { "commit" } else { "vote" }.to_owned(),
        round: state.round,
        num_rounds: terms.rounds,
        total_participants: quorum.n,
        honest_participants: count(honest),
        malicious_detected: count(malicious.len()),
        malicious_agents: malicious,
        fault_tolerance: f,
        min_participants: f.saturating_mul(3).saturating_add(1),
        fault_tolerant: f >= 1 && quorum.n > f.saturating_mul(3),
        agreement_threshold: quorum.heads,
        // What came to light since counts too: without the voters proven to lie there may be no quorum.
        byzantine_safe: closed.is_some_and(|closed| closed.byzantine_safe)
            && state.tainted.is_none()
            && count(state.malicious().len()) <= f,
        basis: quorum.basis,
        threshold: quorum.threshold,
        total_power: whole(quorum.power),
        cap_failed: opened.cap_failed,
        total_votes: count(votes.map_or(0, |votes| votes.len())),
        commits: count(state.commits.len()),
        selections: closed
            .map(|closed| closed.selections.iter().map(|one| selection_view(opened, one)).collect())
            .unwrap_or_default(),
        confidence_score: number(|closed| closed.confidence_score),
        margin: number(|closed| closed.margin),
        support_share: number(|closed| closed.support_share),
        power_share: number(|closed| closed.power_share),
        dissenters: closed.map(|closed| closed.dissenters.clone()).unwrap_or_default(),
        unrevealed: closed.map(|closed| closed.unrevealed.clone()).unwrap_or_default(),
        exclusions: state.excluded.iter().map(exclusion).collect(),
        outstanding: state.outstanding(),
        evidence: state.evidence.iter().map(evidence_view).collect(),
        rejections: state.rejections,
        votes: votes
            .into_iter()
            .flatten()
            .map(|(voter, vote)| (voter.clone(), ballot_view(state, vote)))
            .collect(),
        decided_by: closed.and_then(|closed| closed.decided_by.clone()),
        decided_at_seq: state.closed_seq,
        cancelled_by: cancelled.0,
        reason: cancelled.1,
        proposal: json(&terms.proposal),
        context: opened.context.as_deref().map(json),
        electorate_hash: opened.electorate_hash,
        terms_hash: opened.terms_hash,
        electorate: opened.electors.iter().map(elector).collect(),
        opened_at: opened.opened_at,
        deadline: state.deadline(opened),
        extended_by: state.extension.as_ref().and_then(|extension| extension.by.clone()),
        delegations: delegations(state),
        reminded: reminded(state),
        remind_every_ms: state.remind_every_ms,
        closed_at: closed.map(|closed| closed.closed_at),
        noticed_at: closed.map(|closed| closed.noticed_at),
        operation: operation_view(state.mandate.as_deref(), &state.uses),
        weights: weights_view(state),
        gates: gates_view(state),
        truth: truth_view(state),
        duplicate: None,
        differs: Vec::new(),
    })
}
