//! Two votes of one voter that contradict each other: kept for ever, and never counted.

use super::super::SessionMachine;
use super::super::command::{Cast, Rejection};
use super::super::event::{Event, Evidence, Exclusion, Exhibit, Opened, Outcome, Refusal};
use super::super::state::{Session, Standing};
use super::super::vote::{Authenticity, VOTE_VERSION};
use super::{Decided, Sketch, follow, gate, tell_at_once};
use crate::kernel::draft::Draft;
use crate::kernel::time::Timestamp;
use crate::voting::signature::{Canon, Digest, Domain};
use crate::voting::voter::{FaultKind, ProofLevel};

/// Pairs kept of one voter in one session: one convicts, and nobody may make the log grow with more.
const KEPT: usize = 3;

/// The name of a pair, the same in either order.
pub(in crate::voting::session) fn evidence_id(one: &Digest, other: &Digest) -> Digest {
    let (low, high) = if one <= other { (one, other) } else { (other, one) };
    Domain::Evidence.hash(&Canon::new(1).fixed(low.as_bytes()).fixed(high.as_bytes()).done())
}

/// A vote that contradicts one that is in. Both were shown to be the voter's own.
pub(super) fn equivocation(
    state: &Session,
    opened: &Opened,
    cast: Cast,
    first: Standing,
    (hash, authenticity): (Digest, Authenticity),
    now: Timestamp,
) -> Decided {
    let rejection = |recorded| Rejection::Vote {
        reason: Refusal::Equivocation,
        detail: format!("another vote of the voter is in, and contradicts this one. first={}", first.hash),
        recorded,
    };
    let id = evidence_id(&first.hash, &hash);
    let voter_id = cast.vote.voter_id.clone();
    let of_voter = state.evidence.iter().filter(|evidence| evidence.first.vote.voter_id == voter_id);
    let is_known = state.evidence.iter().any(|evidence| evidence.evidence_id == id);
    let Some(elector) = state.elector(&voter_id).filter(|_| !is_known && of_voter.count() < KEPT) else {
        return Err(rejection(false));
    };
    let cast_max_age = cast.evidence_max_age;
    let signed = authenticity == Authenticity::Signature && first.authenticity == Authenticity::Signature;
    let evidence = Evidence {
        evidence_id: id,
        fault: FaultKind::Equivocation,
        level: if signed { ProofLevel::Transferable } else { ProofLevel::Observed },
        session_id: opened.session_id.clone(),
        electorate_hash: opened.electorate_hash,
        terms_hash: opened.terms_hash,
        credential: elector.credential,
        first: Exhibit {
            vote: first.vote.clone(),
            hash: first.hash,
            authenticity: first.authenticity,
            signature: first.signature,
            received_at: first.received_at,
        },
        second: Exhibit {
            vote: cast.vote,
            hash,
            authenticity,
            signature: cast.proof.signature,
            received_at: now,
        },
        late: state.closed.is_some(),
        verifier_version: VOTE_VERSION,
        at: now,
    };
    let is_old = now.since(first.received_at) > cast_max_age;
    let mut draft = Draft::<SessionMachine>::new(state, now);
    draft.push(match is_old {
        true => Event::OldEvidenceRecorded(Box::new(evidence)),
        false => Event::EvidenceRecorded(Box::new(evidence)),
    });
    if state.closed.is_none() {
        if !state.excluded.contains_key(&voter_id) {
            let reason = Exclusion::Equivocation;
            draft.push(Event::VoterExcluded { voter_id, reason, at: now });
        }
        follow(&mut draft, opened);
    } else {
        taint(&mut draft, opened);
        tell_at_once(&mut draft);
    }
    draft.finish(Err(rejection(true)))
}

/// Does the decision stand without the voters whose fault is proven? What was decided stays decided; whether to act on it
/// is for others to say.
fn taint(draft: &mut Sketch<'_>, opened: &Opened) {
    let state = draft.state();
    let Some(closed) = state.closed.as_deref().filter(|_| state.tainted.is_none()) else { return };
    let Some(pick) =
        closed.pick.as_ref().filter(|_| matches!(closed.outcome, Outcome::Decided | Outcome::Rejected))
    else {
        return;
    };
    let malicious = state.malicious();
    let votes = state.votes.get(&closed.round).into_iter().flatten();
    let supporters = votes.filter(|(voter, vote)| {
        vote.vote.ballot.picks(pick) && !state.is_excluded(voter) && !malicious.contains(voter)
    });
    let (mut heads, mut power) = (0, 0);
    for elector in supporters.filter_map(|(voter, _)| state.elector(voter)) {
        (heads, power) = (heads + 1, power + elector.power);
    }
    if !opened.quorum.is_reached(heads, power) {
        let at = draft.now;
        draft.push(Event::DecisionTainted { voters: malicious, at });
        gate::evaluate(draft, opened);
    }
}
