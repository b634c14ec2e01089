//! The layers of verification that look at one vote. Each refuses for a reason of its own, in their order.

use std::time::Duration;

use super::super::ballot::{Ballot, BallotType, Promise, WHOLE};
use super::super::command::{Cast, Proof};
use super::super::event::{Authentication, Elector, Exclusion, Flag, Opened, Refusal};
use super::super::state::Session;
use super::super::vote::{Authenticity, MAX_REASONING, VOTE_VERSION, reasoning_hash};
use crate::kernel::ids::CandidateId;
use crate::kernel::time::Timestamp;
use crate::voting::signature::Digest;
use crate::voting::voter::Standing;

/// How far a voter's clock may be off, inclusive.
const SKEW: Duration = Duration::from_secs(60);
/// Fewest bytes of what a promise is made with.
const SALT: usize = 16;

/// A reason to refuse, and what exactly is wrong.
pub(super) type No = (Refusal, String);

pub(super) fn no<T>(reason: Refusal, detail: impl Into<String>) -> Result<T, No> {
    Err((reason, detail.into()))
}

/// Layer 1: is it a vote at all?
pub(super) fn structure(opened: &Opened, cast: &Cast) -> Result<(), No> {
    let malformed = |detail: String| no(Refusal::Malformed, detail);
    let vote = &cast.vote;
    if cast.version != VOTE_VERSION {
        return malformed(format!(
            "the layout is not known. given={}, expected={VOTE_VERSION}",
            cast.version
        ));
    }
    if vote.score > WHOLE || vote.confidence > WHOLE {
        return malformed("score and confidence are from 0 to 1".into());
    }
    if cast.reasoning.as_ref().is_some_and(|text| text.len() > MAX_REASONING) {
        return malformed(format!("the reasoning is longer than {MAX_REASONING} bytes"));
    }
    if vote.reasoning_hash != cast.reasoning.as_deref().map(reasoning_hash) {
        return malformed("the reasoning is not the one that was hashed".into());
    }
    if vote.seq == 0 && cast.proof.signature.is_some() {
        return malformed("a signed vote has a number from 1 on".into());
    }
    let fits = match (&vote.ballot, opened.terms.ballot_type) {
        (Ballot::Approve(_), BallotType::Approve) | (Ballot::Choice(_), BallotType::Choice) => true,
        (Ballot::Approval(set), BallotType::Approval { most }) => set.len() <= most as usize,
        (Ballot::Scores(scores), BallotType::Scores) => scores.values().all(|score| *score <= WHOLE),
        (_, _) => false,
    };
    if !fits {
        let (given, expected) = (vote.ballot.type_name(), opened.terms.ballot_type.name());
        return malformed(format!("the ballot does not fit. given={given}, expected={expected}"));
    }
    Ok(())
}

/// Layer 2: does the session take it now?
pub(super) fn session(state: &Session, opened: &Opened, cast: &Cast, now: Timestamp) -> Result<(), No> {
    if let Some(outcome) = state.outcome() {
        return no(Refusal::SessionClosed, format!("the session has ended. outcome={}", outcome.name()));
    }
    if now > state.deadline(opened) {
        return no(Refusal::SessionClosed, "the deadline has passed");
    }
    if state.sealed {
        return no(
            Refusal::Sealed,
            "votes are promised first; commit now, and vote when promises are closed",
        );
    }
    let (held, given) = (state.round, cast.vote.round);
    if held != given {
        return no(Refusal::WrongRound, format!("another round is open. held={held}, given={given}"));
    }
    match cast.vote.ballot.candidates().into_iter().find(|candidate| !is_listed(opened, candidate)) {
        Some(candidate) => no(Refusal::UnknownCandidate, format!("nobody listed {candidate}")),
        None => Ok(()),
    }
}

fn is_listed(opened: &Opened, candidate: &CandidateId) -> bool {
    opened.terms.candidates.iter().any(|listed| listed.candidate_id == *candidate)
}

/// Layer 3: may this voter vote?
pub(super) fn eligibility<'a>(
    state: &'a Session,
    voter: &crate::kernel::ids::VoterId,
    standing: Option<&Standing>,
) -> Result<&'a Elector, No> {
    let Some(elector) = state.elector(voter) else {
        return match state.delegated.contains_key(voter) {
            true => {
                let to = state.holder_of(voter);
                no(
                    Refusal::Delegated,
                    format!("the voter handed its place on, and does not vote any more. to={to}"),
                )
            }
            false => no(Refusal::NotEligible, "the voter is not in the electorate"),
        };
    };
    match standing {
        Some(Standing::Quarantined { until, .. }) => {
            return no(Refusal::Quarantined, format!("the voter is quarantined. until={until}"));
        }
        Some(Standing::Byzantine { fault, .. }) => {
            return no(
                Refusal::Byzantine,
                format!("a fault of the voter was proven. fault={}", fault.name()),
            );
        }
        Some(Standing::Honest | Standing::Suspicious { .. } | Standing::Probation { .. }) | None => {}
    }
    match state.excluded.get(voter) {
        None if state.is_excluded(voter) => no(
            Refusal::NotEligible,
            "a voter that had this place before contributes nothing, so nor does the place",
        ),
        None => Ok(elector),
        Some(Exclusion::Quarantined) => no(Refusal::Quarantined, "the voter was quarantined in this session"),
        Some(Exclusion::Byzantine) => no(Refusal::Byzantine, "a fault of the voter was proven elsewhere"),
        Some(reason @ (Exclusion::Equivocation | Exclusion::InconsistentAcrossRounds)) => {
            no(Refusal::Excluded, format!("the voter contributes nothing any more. reason={}", reason.name()))
        }
    }
}

/// Layer 4: whose is it? `message` is what must have been signed, `hash` the integrity hash.
pub(super) fn authenticity(
    opened: &Opened,
    elector: &Elector,
    proof: &Proof,
    message: impl FnOnce() -> Vec<u8>,
    hash: &Digest,
) -> Result<Authenticity, No> {
    let shown = shown(opened, elector, proof, message)?;
    if proof.hash.is_some_and(|given| given != *hash) {
        return no(Refusal::HashMismatch, format!("the integrity hash is another one. expected={hash}"));
    }
    Ok(shown)
}

/// Who sent it, by signature over this message, or by handle?
pub(super) fn shown(
    opened: &Opened,
    elector: &Elector,
    proof: &Proof,
    message: impl FnOnce() -> Vec<u8>,
) -> Result<Authenticity, No> {
    let credential = &elector.credential;
    Ok(match (&proof.signature, &credential.public_key) {
        (Some(signature), Some(key)) => {
            if !key.verifies(&message(), signature) {
                return no(Refusal::BadSignature, "the signature is not one of the voter over this");
            }
            if proof.present_key.is_some_and(|present| present != *key) {
                let detail =
                    "the key it is signed with has ended; the new one counts in sessions that open after it";
                return no(Refusal::KeyEnded, detail);
            }
            Authenticity::Signature
        }
        (Some(_), None) => return no(Refusal::BadSignature, "the voter has no key to check a signature by"),
        (None, _) if proof.has_handle_of(credential) => Authenticity::Handle,
        (None, _) if proof.handle_hash.is_some() => {
            return no(Refusal::BadSignature, "the handle is not that of the voter");
        }
        (None, None) if opened.terms.authentication == Authentication::Optional => Authenticity::None,
        (None, _) => return no(Refusal::Unauthenticated, "present the voter's handle, or sign it"),
    })
}

/// Layer 5: is it of now, and new?
pub(super) fn freshness(state: &Session, cast: &Cast, now: Timestamp) -> Result<(), No> {
    clock(cast.vote.issued_at, now)?;
    match state.numbered(&cast.vote.voter_id, cast.vote.seq) {
        Some(_) => no(Refusal::Replay, format!("the number was used before. seq={}", cast.vote.seq)),
        None => Ok(()),
    }
}

/// Was it made just now, by the voter's clock?
pub(super) fn clock(issued: Timestamp, now: Timestamp) -> Result<(), No> {
    if issued.since(now) > SKEW || now.since(issued) > SKEW {
        let detail = format!("the voter's clock is more than 60 s off. issued_at={issued}, now={now}");
        return no(Refusal::Skew, detail);
    }
    Ok(())
}

/// Part of layer 6: is it the vote that was promised?
pub(super) fn promise(state: &Session, opened: &Opened, cast: &Cast) -> Result<(), No> {
    if !opened.terms.commit_reveal {
        return Ok(());
    }
    let vote = &cast.vote;
    let Some(promised) = state.commits.get(&vote.voter_id) else {
        return no(Refusal::NotAsPromised, "the voter promised no vote");
    };
    let Some(salt) = cast.salt.as_deref().filter(|salt| salt.len() >= SALT) else {
        return no(Refusal::NotAsPromised, format!("the salt has fewer than {SALT} bytes"));
    };
    let promise = Promise {
        session_id: &opened.session_id,
        round: vote.round,
        voter_id: &vote.voter_id,
        ballot: &vote.ballot,
        score: vote.score,
        confidence: vote.confidence,
        salt,
    };
    if promise.digest() == promised.commit {
        Ok(())
    } else {
        no(Refusal::NotAsPromised, "this is not the vote that was promised")
    }
}

/// Layer 7: what is odd about it. It counts all the same.
pub(super) fn flags(elector: &Elector, cast: &Cast, switched: bool) -> Vec<Flag> {
    let flags = [
        (cast.vote.claimed_weight.is_some_and(|claimed| claimed != elector.power), Flag::WeightClaim),
        (matches!(cast.standing, Some(Standing::Suspicious { .. })), Flag::Suspicious),
        (matches!(cast.standing, Some(Standing::Probation { .. })), Flag::Probation),
        (switched, Flag::Switched),
    ];
    flags.into_iter().filter(|(holds, _)| *holds).map(|(_, flag)| flag).collect()
}

/// How well a vote was verified: by how it was shown to be the voter's own, and a quarter less for each flag.
pub(super) fn score(authenticity: Authenticity, flags: &[Flag]) -> u32 {
    let shown = match authenticity {
        Authenticity::Signature => WHOLE,
        Authenticity::Handle => 900_000,
        Authenticity::None => 500_000,
    };
    let off = u32::try_from(flags.len()).unwrap_or(4).min(4) * (WHOLE / 4);
    shown.saturating_sub(off)
}
