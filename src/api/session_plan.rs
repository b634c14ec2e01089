//! What a request about a session says, as the session takes it: checked, in integers, with the defaults filled in.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::dto::{AskedBallot, AskedGate, OpenSession, SessionAlgorithm, SessionVote};
use super::json;
use super::keyed::Fields;
use super::voter::MAX_WEIGHT;
use crate::core::kernel::ids::CandidateId;
use crate::core::kernel::keyed::KeyedRequest;
use crate::core::kernel::time::Timestamp;
use crate::core::voting::people::REMINDED_EVERY;
use crate::core::voting::session::ballot::WHOLE;
use crate::core::voting::session::vote::{VOTE_VERSION, reasoning_hash};
use crate::core::voting::session::{
    Ballot, BallotType, Candidate, Cast, Credential, Elector, GATES, Gated, Proof, SwitchPolicy, Terms, Vote,
};
use crate::core::voting::voter::{Standing, Voter};
use crate::error::Error;

/// A number of the door in millionths, half to even.
///
/// # Errors
/// `invalid_argument` for what is no number from 0 to the largest.
pub(super) fn millionths(field: &str, given: f64, most: f64) -> Result<u64, Error> {
    if !given.is_finite() || given < 0.0 || given > most {
        let value = serde_json::Number::from_f64(given).map_or(Value::Null, Value::Number);
        return Err(Error::invalid(field, value, &format!("0 to {most}")));
    }
    Ok((given * 1e6).round_ties_even() as u64)
}

/// The same number as it is shown.
pub(super) fn whole(millionths: u64) -> f64 {
    millionths as f64 / 1e6
}

fn share(field: &str, given: Option<f64>) -> Result<u32, Error> {
    given.map_or(Ok(WHOLE), |given| millionths(field, given, 1.0).map(|share| share as u32))
}

/// What is asked, or its context, as JSON text.
pub(super) fn text_of(field: &str, value: &Value, most: usize) -> Result<String, Error> {
    json::check_payload(field, value)?;
    let text = value.to_string();
    if text.len() > most {
        return Err(Error::invalid(
            field,
            format!("{} bytes", text.len()),
            &format!("up to {most} bytes of JSON"),
        ));
    }
    Ok(text)
}

/// A span of time of a request.
pub(super) fn span(field: &str, ms: Option<i64>) -> Result<Option<Duration>, Error> {
    ms.map(|ms| {
        let span = u64::try_from(ms).ok().filter(|ms| *ms > 0).map(Duration::from_millis);
        span.ok_or_else(|| Error::invalid(field, ms, "more than 0, less than timeout_ms"))
    })
    .transpose()
}

/// How often outstanding voters are reminded, as a request says.
pub(super) fn remind_every(ms: Option<i64>) -> Result<Option<Duration>, Error> {
    ms.map(|ms| {
        let every =
            u64::try_from(ms).ok().map(Duration::from_millis).filter(|every| *every >= REMINDED_EVERY);
        let expected = format!("{} or more", REMINDED_EVERY.as_millis());
        every.ok_or_else(|| Error::invalid("remind_every_ms", ms, &expected))
    })
    .transpose()
}

/// What is asked and by which rule.
pub(super) fn terms(request: &OpenSession, proposal: String) -> Result<Terms, Error> {
    let byzantine = request.algorithm == Some(SessionAlgorithm::Byzantine);
    let mut kinds = request.kinds.clone().unwrap_or_default();
    let listed = request.candidates.clone().unwrap_or_default();
    let mut candidates: Vec<Candidate> = listed
        .into_iter()
        .map(|candidate_id| Candidate { kind: kinds.remove(&candidate_id).unwrap_or_default(), candidate_id })
        .collect();
    if let Some(stranger) = kinds.keys().find(|name| candidates.iter().all(|c| c.candidate_id != **name)) {
        return Err(Error::invalid("kinds", stranger.as_str(), "kinds of candidates of the session"));
    }
    candidates.sort_by(|a, b| a.candidate_id.cmp(&b.candidate_id));
    let default = if candidates.is_empty() { AskedBallot::Approve } else { AskedBallot::Choice };
    let all = u32::try_from(candidates.len()).unwrap_or(u32::MAX);
    let ballot_type = match request.ballot_type.unwrap_or(default) {
        AskedBallot::Approve => BallotType::Approve,
        AskedBallot::Choice => BallotType::Choice,
        AskedBallot::Approval => BallotType::Approval { most: request.max_approvals.unwrap_or(all) },
        AskedBallot::Scores => BallotType::Scores,
    };
    let rounds = request.rounds.unwrap_or(if byzantine { 3 } else { 1 });
    if byzantine && rounds < 3 {
        return Err(Error::invalid("rounds", rounds, "3 to 100 with the algorithm byzantine"));
    }
    let switch = if byzantine { SwitchPolicy::Exclude } else { SwitchPolicy::Allow };
    Ok(Terms {
        proposal,
        ballot_type,
        candidates,
        rounds,
        switch_policy: request.switch_policy.unwrap_or(switch),
        close_policy: request.close_policy.unwrap_or_default(),
        revision: request.revision_policy.unwrap_or_default(),
        authentication: request.authentication.unwrap_or_default(),
        commit_reveal: request.commit_reveal.unwrap_or(false),
        power_cap: request.power_cap.unwrap_or(false),
    })
}

/// A voter as it would stand in an electorate, or why it may not; none when it is not registered.
pub(super) fn elector(state: &Voter, power: Option<u64>) -> Option<Result<Elector, Standing>> {
    let registered = state.registered.as_deref()?;
    if state.standing.is_excluded() {
        return Some(Err(state.standing.clone()));
    }
    // A voter on probation counts half, whoever says how much.
    let power = match (power, &state.standing) {
        (Some(power), Standing::Probation { .. }) => power / 2,
        (Some(power), _) => power,
        (None, _) => state.power(),
    };
    let credential = Credential { public_key: registered.public_key, handle_hash: registered.handle_hash };
    Some(Ok(Elector { voter_id: registered.voter_id.clone(), credential, power, uncapped: power }))
}

/// The gates that look at a decision, in the order of their table.
pub(super) fn gated(asked: &[AskedGate]) -> Gated {
    let name = |gate: &AskedGate| match gate {
        AskedGate::Quorum => GATES[0],
        AskedGate::Participation => GATES[1],
        AskedGate::Faults => GATES[2],
        AskedGate::Suspects => GATES[3],
        AskedGate::Margin => GATES[4],
        AskedGate::Confidence => GATES[5],
        AskedGate::Attack => GATES[6],
        AskedGate::Tainted => GATES[7],
    };
    let mut gates: Vec<&str> = asked.iter().map(name).collect();
    gates.sort_by_key(|gate| GATES.iter().position(|one| one == gate));
    Gated { gates: gates.into_iter().map(str::to_owned).collect(), retry_of: None, retries: 0 }
}

/// A vote as the session takes it.
pub(super) fn cast(
    vote: SessionVote,
    round: u32,
    proof: Proof,
    standing: Option<Standing>,
    now: Timestamp,
) -> Result<Cast, Error> {
    let given = [
        ("vote", vote.vote.is_some()),
        ("candidate_id", vote.candidate_id.is_some()),
        ("approvals", vote.approvals.is_some()),
        ("scores", vote.scores.is_some()),
    ];
    let names: Vec<&str> = given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect();
    if names.len() != 1 {
        let told = if names.is_empty() { "none of them".to_owned() } else { names.join(" and ") };
        return Err(Error::invalid("vote", told, "one of vote, candidate_id, approvals, scores"));
    }
    if vote.signature.is_some() && (vote.seq.is_none() || vote.issued_at.is_none()) {
        return Err(Error::missing(if vote.seq.is_none() { "seq" } else { "issued_at" }));
    }
    let ballot = if let Some(stance) = vote.vote {
        Ballot::Approve(stance)
    } else if let Some(candidate) = vote.candidate_id {
        Ballot::Choice(candidate)
    } else if let Some(approvals) = vote.approvals {
        Ballot::Approval(approvals.into_iter().collect())
    } else {
        let scores = vote.scores.unwrap_or_default().into_iter();
        let scores = scores.map(|(candidate, score)| Ok((candidate, share("scores", Some(score))?)));
        Ballot::Scores(scores.collect::<Result<BTreeMap<CandidateId, u32>, Error>>()?)
    };
    let claimed = vote.weight.map(|weight| millionths("weight", weight, MAX_WEIGHT)).transpose()?;
    let cast = Vote {
        round,
        voter_id: vote.voter_id,
        seq: vote.seq.unwrap_or(0),
        issued_at: vote.issued_at.unwrap_or(now),
        ballot,
        score: share("score", vote.score)?,
        confidence: share("confidence", vote.confidence)?,
        claimed_weight: claimed,
        reasoning_hash: vote.reasoning.as_deref().map(reasoning_hash),
    };
    Ok(Cast {
        version: vote.version.unwrap_or(VOTE_VERSION),
        reasoning: vote.reasoning,
        salt: vote.salt.map(String::into_bytes),
        standing,
        ..Cast::new(cast, proof)
    })
}

/// What a request asks for, as its key remembers it: every field but the id and the key.
pub(super) fn keyed_fields(request: &OpenSession) -> KeyedRequest {
    let fields = match serde_json::to_value(request) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) | Err(_) => Map::new(),
    };
    let asked = fields.into_iter().filter(|(name, _)| name != "session_id" && name != "idempotency_key");
    asked.fold(Fields::default(), |fields, (name, value)| fields.needed(&name, value)).done()
}
