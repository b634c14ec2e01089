//! One vote or promise: refused by the first layer that does not let it through, or counted.

use super::super::SessionMachine;
use super::super::command::{Cast, Commit, Receipt, Rejection, Reply};
use super::super::event::{
    Event, Exclusion, Opened, Promised, Received, Refusal, Rejected, Revision, SwitchPolicy,
};
use super::super::state::{Session, Standing, second};
use super::super::tally::{After, Tally};
use super::super::vote::{Authenticity, Vote};
use super::verify::{self, No};
use super::{Decided, evidence, follow, standing_end, tell_at_once};
use crate::kernel::Decision;
use crate::kernel::draft::Draft;
use crate::kernel::ids::VoterId;
use crate::kernel::time::Timestamp;
use crate::voting::signature::{Canon, Digest, Domain};

/// Attempts refused alike within one second that are kept one by one.
const KEPT: u32 = 3;

pub(super) fn vote(state: &Session, opened: &Opened, mut cast: Cast, now: Timestamp) -> Decided {
    if let Err(no) = verify::structure(opened, &cast) {
        return refuse(state, &cast, no, Authenticity::None, now);
    }
    let voter = cast.vote.voter_id.clone();
    if cast.vote.seq == 0 {
        cast.vote.seq = state.next_number(&voter);
    }
    let binding = opened.binding();
    let hash = cast.vote.hash(&binding);
    let shown =
        |elector| verify::authenticity(opened, elector, &cast.proof, || cast.vote.message(&binding), &hash);
    // A vote of this voter is in: this one is the same, a revision, or a contradiction, and that is so whether the
    // session still takes votes or not.
    if let (Some(prior), Some(elector)) = (state.vote_of(cast.vote.round, &voter), state.elector(&voter)) {
        return match shown(elector) {
            // A vote that is in stays in, and who sends it again is told so.
            Err((Refusal::KeyEnded, _)) if cast.vote.repeats(&prior.vote) => {
                Ok(Decision::answer(Reply::Voted(Box::new(receipt(prior, true)))))
            }
            Err(no) => refuse(state, &cast, no, Authenticity::None, now),
            Ok(authenticity) => again(state, opened, cast, prior, (hash, authenticity), now),
        };
    }
    if let Err(no) = verify::session(state, opened, &cast, now) {
        return refuse(state, &cast, no, Authenticity::None, now);
    }
    let elector = match verify::eligibility(state, &voter, cast.standing.as_ref()) {
        Ok(elector) => elector,
        Err(no) => {
            // Whether an attempt of an excluded voter is its own, only layer 4 can tell.
            let own = (no.0 == Refusal::Excluded).then(|| state.elector(&voter)).flatten();
            let authenticity = own.and_then(|elector| shown(elector).ok()).unwrap_or(Authenticity::None);
            return refuse(state, &cast, no, authenticity, now);
        }
    };
    let authenticity = match shown(elector) {
        Ok(authenticity) => authenticity,
        Err(no) => return refuse(state, &cast, no, Authenticity::None, now),
    };
    let fresh = verify::freshness(state, &cast, now);
    if let Err(no) = fresh.and_then(|()| verify::promise(state, opened, &cast)) {
        return refuse(state, &cast, no, authenticity, now);
    }
    accept(state, opened, cast, (hash, authenticity), now)
}

/// A vote of a voter that has one in this round.
fn again(
    state: &Session,
    opened: &Opened,
    cast: Cast,
    prior: &Standing,
    (hash, authenticity): (Digest, Authenticity),
    now: Timestamp,
) -> Decided {
    let vote = &cast.vote;
    if vote.repeats(&prior.vote) {
        return Ok(Decision::answer(Reply::Voted(Box::new(receipt(prior, true)))));
    }
    let numbered = state.numbered(&vote.voter_id, vote.seq);
    if numbered.is_some_and(|before| before.hash == hash) {
        let no = (Refusal::Superseded, "a later vote of the voter stands".to_owned());
        return refuse(state, &cast, no, Authenticity::None, now);
    }
    let revises = opened.terms.revision == Revision::Revisable;
    // Where votes may change, only two under one number contradict each other.
    let against =
        if revises { numbered.filter(|before| before.vote.round == vote.round) } else { Some(prior) };
    if let Some(against) = against {
        let own = authenticity.is_shown() && against.authenticity.is_shown();
        if !own {
            let no = (Refusal::AlreadyVoted, "the first vote in this voter's name stands".to_owned());
            return refuse(state, &cast, no, Authenticity::None, now);
        }
        if !vote.ballot.agrees_with(&against.vote.ballot) {
            return evidence::equivocation(state, opened, cast, against.clone(), (hash, authenticity), now);
        }
        let no = (Refusal::Changed, "the vote stands with other numbers".to_owned());
        return refuse(state, &cast, no, authenticity, now);
    }
    let layers = verify::session(state, opened, &cast, now)
        .and_then(|()| verify::eligibility(state, &vote.voter_id, cast.standing.as_ref()))
        .and_then(|_| verify::freshness(state, &cast, now))
        .and_then(|()| verify::promise(state, opened, &cast));
    if let Err(no) = layers {
        return refuse(state, &cast, no, authenticity, now);
    }
    if vote.seq < prior.vote.seq {
        let no = (Refusal::Superseded, "a later vote of the voter stands".to_owned());
        return refuse(state, &cast, no, Authenticity::None, now);
    }
    accept(state, opened, cast, (hash, authenticity), now)
}

fn accept(
    state: &Session,
    opened: &Opened,
    cast: Cast,
    (hash, authenticity): (Digest, Authenticity),
    now: Timestamp,
) -> Decided {
    let Some(elector) = state.elector(&cast.vote.voter_id) else { return Err(Rejection::NotFound) };
    let switched = has_switched(state, &cast.vote);
    let excluded = switched && opened.terms.switch_policy == SwitchPolicy::Exclude;
    let flagged = switched && opened.terms.switch_policy == SwitchPolicy::Flag;
    let flags = verify::flags(elector, &cast, flagged);
    let prior = state.vote_of(cast.vote.round, &cast.vote.voter_id);
    let received = Received {
        hash,
        authenticity,
        signature: cast.proof.signature,
        reasoning: cast.reasoning,
        supersedes: prior.is_some(),
        verification_score: verify::score(authenticity, &flags),
        flags,
        received_at: now,
        vote: cast.vote,
    };
    let standing = Standing { seq: state.seq + 1, received: received.clone() };
    let reply = Reply::Voted(Box::new(receipt(&standing, false)));
    let (voter, vote) = (&received.vote.voter_id, &received.vote);
    let after = After::Vote(voter, &vote.ballot, vote.score);
    let ends = standing_end(state, opened, &Tally::count(state, opened, after)).is_some();
    let more = state.outstanding().iter().any(|other| other != voter);
    let ends_round = state.round < opened.terms.rounds && !more;
    if !excluded && !ends && !ends_round {
        return Ok(Decision::accept(vec![Event::VoteReceived(Box::new(received))], reply));
    }
    let mut draft = Draft::<SessionMachine>::new(state, now);
    let voter_id = voter.clone();
    draft.push(Event::VoteReceived(Box::new(received)));
    if excluded {
        let reason = Exclusion::InconsistentAcrossRounds;
        draft.push(Event::VoterExcluded { voter_id, reason, at: now });
    }
    follow(&mut draft, opened);
    draft.finish(Ok(reply))
}

/// Does it contradict what the voter said in an earlier round?
fn has_switched(state: &Session, vote: &Vote) -> bool {
    let earlier = state.votes.range(..vote.round).filter_map(|(_, votes)| votes.get(&vote.voter_id));
    earlier.into_iter().any(|before| !before.vote.ballot.agrees_with(&vote.ballot))
}

fn receipt(vote: &Standing, duplicate: bool) -> Receipt {
    Receipt {
        hash: vote.hash,
        seq: vote.seq,
        round: vote.vote.round,
        vote_seq: vote.vote.seq,
        received_at: vote.received_at,
        duplicate,
        supersedes: vote.supersedes,
        verification_score: vote.verification_score,
    }
}

/// Puts the attempt on record, unless as many alike are there of this second.
fn refuse(state: &Session, cast: &Cast, no: No, authenticity: Authenticity, now: Timestamp) -> Decided {
    let sound = no.0 != Refusal::Malformed;
    let round = cast.vote.round;
    refused(state, &cast.vote.voter_id, (round, sound.then_some(&cast.vote)), no, authenticity, now)
}

fn refused(
    state: &Session,
    voter: &VoterId,
    (round, vote): (u32, Option<&Vote>),
    (reason, detail): No,
    authenticity: Authenticity,
    now: Timestamp,
) -> Decided {
    let key = state.burst_key(voter, reason);
    let before = state.refused.get(&key).filter(|burst| burst.second == second(now));
    let nth = before.map_or(1, |burst| burst.count + 1);
    let recorded = nth <= KEPT;
    let rejection = Rejection::Vote { reason, detail, recorded };
    if !recorded {
        return Err(rejection);
    }
    let (voter_id, vote) = (voter.clone(), vote.cloned());
    let rejected = Rejected { voter_id, round, reason, authenticity, vote, nth, received_at: now };
    let mut draft = Draft::<SessionMachine>::new(state, now);
    draft.push(Event::VoteRejected(Box::new(rejected)));
    tell_at_once(&mut draft);
    draft.finish(Err(rejection))
}

/// What a voter signs that promises a vote.
pub(in crate::voting::session) fn commit_message(
    opened: &Opened,
    voter: &VoterId,
    commit: &Digest,
) -> Vec<u8> {
    let canon = Canon::new(1)
        .text(opened.session_id.as_str())
        .fixed(opened.electorate_hash.as_bytes())
        .fixed(opened.terms_hash.as_bytes())
        .text(voter.as_str())
        .fixed(commit.as_bytes());
    Domain::Commit.message(&canon.done())
}

pub(super) fn commit(state: &Session, opened: &Opened, commit: Commit, now: Timestamp) -> Decided {
    let voter = &commit.voter_id;
    let refuse = |no: No, authenticity| refused(state, voter, (state.round, None), no, authenticity, now);
    if !state.sealed || state.closed.is_some() {
        let reason = if state.closed.is_some() { Refusal::SessionClosed } else { Refusal::NotSealed };
        return refuse((reason, "promises are taken no more".to_owned()), Authenticity::None);
    }
    let elector = match verify::eligibility(state, voter, commit.standing.as_ref()) {
        Ok(elector) => elector,
        Err(no) => return refuse(no, Authenticity::None),
    };
    let message = || commit_message(opened, voter, &commit.commit);
    let authenticity = match verify::authenticity(opened, elector, &commit.proof, message, &commit.commit) {
        Ok(authenticity) => authenticity,
        Err(no) => return refuse(no, Authenticity::None),
    };
    if let Some(held) = state.commits.get(voter) {
        return match held.commit == commit.commit {
            true => Ok(Decision::answer(Reply::Promised { duplicate: true })),
            false => refuse((Refusal::Changed, "the first promise stands".to_owned()), authenticity),
        };
    }
    let mut draft = Draft::<SessionMachine>::new(state, now);
    let Commit { voter_id, commit, .. } = commit;
    draft.push(Event::CommitReceived(Box::new(Promised {
        voter_id,
        commit,
        authenticity,
        received_at: now,
    })));
    follow(&mut draft, opened);
    draft.finish(Ok(Reply::Promised { duplicate: false }))
}
