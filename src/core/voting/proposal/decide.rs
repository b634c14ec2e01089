//! The transition table of the [module](super), one arm per row.

use std::collections::BTreeSet;
use std::time::Duration;

use super::ProposalMachine;
use super::command::{Ballot, Command, Decider, Open, Reply, VoteOutcome};
use super::event::{
    Algorithm, Cause, Closed, Decision as Verdict, Delivered, Event, Opened, Refusal, RefusalReasoned,
    VoteCast, VoteChange, VoteReasoned, VoteRefused,
};
use super::rejection::Rejection;
use super::state::{Proposal, broadcast};
use crate::kernel::Decision;
use crate::kernel::ids::VoterId;
use crate::kernel::time::Timestamp;
use crate::voting::quorum::state::digest_of;
use crate::voting::rules::{
    self, Choice, Count, CustomRules, Outcome, Poll, Prepared, Rule, RuleSpec, Ruling, Unmeetable,
    WeightTable,
};

type Decided = Result<Decision<ProposalMachine>, Rejection>;

/// Shortest and longest time for votes.
const TIMEOUT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(300_000));

/// How a question ends, and why when it is not by its votes.
type End = (Verdict, Option<Cause>);

pub(super) fn decide(
    state: &Proposal,
    command: Command,
    now: Timestamp,
    custom: &dyn CustomRules,
) -> Decided {
    if let Command::Vote(Ballot { weight: Some(weight), .. }) = command
        && !(0.0..=1e9).contains(&weight)
    {
        return Err(invalid("weight", weight, "a number from 0 to 1000000000"));
    }
    match (command, state.opened.as_deref()) {
        (Command::Open(open), None) => put(*open, now, custom),
        (Command::Open(_), Some(_)) => Err(Rejection::AlreadyExists),
        (Command::Tick, None) => Ok(Decision::answer(Reply::Done)),
        (_, None) => Err(Rejection::NotFound),
        (Command::Vote(ballot), Some(opened)) => vote(state, opened, ballot, now, custom),
        (Command::RecordBroadcast(told), Some(opened)) => Ok(record_broadcast(state, opened, told, now)),
        (Command::RecordHanded { taken, broadcast }, Some(opened)) => {
            Ok(record_handed(state, opened, taken, broadcast, now))
        }
        (Command::RecordAbsence { agent_id, absent }, Some(opened)) => {
            Ok(record_absence(state, opened, agent_id, absent, now))
        }
        (Command::Reconsider, Some(opened)) => Ok(reconsider(state, opened, now, custom)),
        (Command::Tick, Some(opened)) => Ok(tick(state, opened, now, custom)),
    }
}

fn invalid(field: &'static str, given: impl ToString, expected: impl Into<String>) -> Rejection {
    Rejection::Invalid { field, given: given.to_string(), expected: expected.into() }
}

/// The algorithm made ready, and what follows from it before anybody votes.
struct Ready {
    decider: Algorithm,
    threshold: Option<f64>,
    weights: Vec<u64>,
    /// Nobody who is asked weighs anything.
    zero_weight: bool,
    /// Why no votes of all who are registered can meet it, healthy or not.
    unmeetable: Option<Unmeetable>,
    /// Those who are asked hold no more than half of the weight of all who are registered.
    too_light: bool,
}

fn ready(decider: Decider, participants: &[VoterId], excluded: &[VoterId]) -> Result<Ready, Rejection> {
    let weigh = |table: &WeightTable, voters: &[VoterId]| -> Vec<u64> {
        voters.iter().map(|voter| table.of(voter)).collect()
    };
    let total = |weights: &[u64]| weights.iter().map(|weight| u128::from(*weight)).sum::<u128>();
    match decider {
        Decider::Custom(table) => Ok(Ready {
            decider: Algorithm::Custom,
            threshold: None,
            weights: weigh(&table, participants),
            zero_weight: false,
            unmeetable: None,
            too_light: false,
        }),
        Decider::Rule(rule) => {
            let built: Box<dyn Rule> =
                rules::build(&rule).map_err(|e| invalid("algorithm", &rule, e.to_string()))?;
            let Prepared { formula, threshold, zero_weight } = rules::prepare(built.as_ref(), participants);
            let weights = built.weights().map_or(Vec::new(), |table| weigh(table, participants));
            let away = built.weights().map_or(Vec::new(), |table| weigh(table, excluded));
            let too_light = total(&away) > 0 && total(&weights) <= total(&away);
            let unmeetable = unmeetable(&rule, built.as_ref(), participants, excluded);
            let decider = Algorithm::Rule { rule, formula };
            Ok(Ready { decider, threshold: Some(threshold), weights, zero_weight, unmeetable, too_light })
        }
    }
}

/// Why a rule cannot be met, if all who are registered vote as they like.
fn unmeetable(
    spec: &RuleSpec,
    rule: &dyn Rule,
    participants: &[VoterId],
    excluded: &[VoterId],
) -> Option<Unmeetable> {
    let mut everyone = [participants, excluded].concat();
    everyone.sort();
    everyone.dedup();
    let Prepared { formula, zero_weight, .. } = rules::prepare(rule, &everyone);
    let voters = u32::try_from(everyone.len()).unwrap_or(u32::MAX);
    let outcome = formula.outcome(&Count::new(&formula, Some(voters)), || (0..everyone.len()).collect());
    (outcome == Outcome::Lost).then(|| Unmeetable::new(spec, Some(&formula.root), voters, zero_weight))
}

fn put(open: Open, now: Timestamp, custom: &dyn CustomRules) -> Decided {
    let Open { proposal, digest, algorithm, decider, mut participants, excluded, .. } = open;
    if open.timeout < TIMEOUT.0 || open.timeout > TIMEOUT.1 {
        let expected = format!("{} to {}", TIMEOUT.0.as_millis(), TIMEOUT.1.as_millis());
        return Err(invalid("timeout_ms", open.timeout.as_millis(), expected));
    }
    participants.sort();
    participants.dedup();
    let Ready { decider, threshold, weights, zero_weight, unmeetable, too_light } =
        ready(decider, &participants, &excluded)?;
    let registered = participants.len() + excluded.len();
    if let Some(unmeetable) = unmeetable.filter(|_| registered > 0 && !zero_weight) {
        return Err(Rejection::Unmeetable(unmeetable));
    }
    let opened = Opened {
        proposal,
        digest,
        algorithm,
        decider,
        threshold,
        participants,
        weights,
        excluded,
        opened_at: now,
        deadline: now.plus(open.timeout),
        vote_change: open.vote_change,
        fail_fast: open.fail_fast,
        absent: open.absent,
    };
    let event = Event::Opened(Box::new(opened.clone()));
    let mut state = Proposal::default();
    state.evolve(&event);
    // Leaving out the sick must not let a few decide for all: more than half must be left.
    let too_few = !opened.excluded.is_empty() && opened.participants.len() <= registered / 2;
    let end = if registered == 0 {
        Some((Verdict::Aborted, Some(Cause::NoAgents)))
    } else if too_few || too_light {
        Some((Verdict::Aborted, Some(Cause::InsufficientHealthyAgents)))
    } else if zero_weight && state.outcome() == Outcome::Lost {
        Some((Verdict::Rejected, Some(Cause::ZeroTotalWeight)))
    } else {
        match standing(&state, &opened, &Asked::now(&state), custom) {
            // Nobody has voted, so this is no rejection: the rule needs somebody who is left out, or nobody can meet it.
            Some((Verdict::Rejected, None)) if !opened.excluded.is_empty() => {
                Some((Verdict::Aborted, Some(Cause::InsufficientHealthyAgents)))
            }
            Some((Verdict::Rejected, None)) => {
                let voters = u32::try_from(opened.participants.len()).unwrap_or(u32::MAX);
                let unmet = Unmeetable::new(&opened.algorithm, None, voters, false);
                return Err(Rejection::Unmeetable(unmet));
            }
            None => unreachable_without(&state, &opened, &state.count, None, &state.absent),
            end => end,
        }
    };
    let mut events = vec![event];
    events.extend(open.keyed.map(Event::Keyed));
    match end {
        Some(end) => {
            events.push(close(&state, &opened, end, now, now, None));
            Ok(Decision::accept(events, Reply::Opened))
        }
        None => {
            let effects = vec![broadcast(&opened)];
            Ok(Decision::accept(events, Reply::Opened).with_effects(effects))
        }
    }
}

/// The votes a question is judged by: those on record, or with one more.
struct Asked<'a> {
    count: rules::Count,
    with: Option<(&'a VoterId, Choice)>,
    /// Everybody has voted.
    complete: bool,
}

impl<'a> Asked<'a> {
    fn now(state: &Proposal) -> Self {
        Asked { count: state.count.clone(), with: None, complete: is_complete(state, None) }
    }

    fn with(state: &Proposal, voter: &'a VoterId, vote: Choice) -> Self {
        let count = state.count_with(voter, vote);
        Asked { count, with: Some((voter, vote)), complete: is_complete(state, Some(voter)) }
    }
}

fn is_complete(state: &Proposal, with: Option<&VoterId>) -> bool {
    let more = with.is_some_and(|voter| !state.votes.contains_key(voter));
    let agents = state.opened.as_ref().map_or(0, |opened| opened.participants.len());
    state.votes.len() + usize::from(more) == agents
}

/// How the question ends by its votes, if it is decided.
fn standing(state: &Proposal, opened: &Opened, asked: &Asked<'_>, custom: &dyn CustomRules) -> Option<End> {
    let voted = asked.with.map(|(voter, _)| voter);
    let outcome = match &opened.decider {
        Algorithm::Rule { .. } => state.outcome_of(&asked.count, voted, &BTreeSet::new()),
        Algorithm::Custom => {
            let votes = state.ballots(asked.with);
            let ask =
                |deadline_reached| custom.ask(&opened.algorithm, &poll(opened, &votes, deadline_reached));
            match ask(false) {
                // No vote is outstanding, so what is not won now never will be.
                Ruling::Outcome(Outcome::Pending) if asked.complete => match ask(true) {
                    Ruling::Outcome(Outcome::Pending) => Outcome::Lost,
                    ruling => return settled(ruling),
                },
                ruling => return settled(ruling),
            }
        }
    };
    settled(Ruling::Outcome(outcome))
}

fn settled(ruling: Ruling) -> Option<End> {
    match ruling {
        Ruling::Outcome(Outcome::Won) => Some((Verdict::Approved, None)),
        Ruling::Outcome(Outcome::Lost) => Some((Verdict::Rejected, None)),
        Ruling::Outcome(Outcome::Pending) | Ruling::Unavailable => None,
        Ruling::Failed(message) => Some((Verdict::Rejected, Some(Cause::AlgorithmError(message)))),
    }
}

fn poll<'a>(opened: &'a Opened, votes: &'a [(VoterId, Choice)], deadline_reached: bool) -> Poll<'a> {
    Poll { participants: &opened.participants, weights: &opened.weights, votes, deadline_reached }
}

fn close(
    state: &Proposal,
    opened: &Opened,
    (decision, cause): End,
    closed_at: Timestamp,
    noticed_at: Timestamp,
    decided_by: Option<VoterId>,
) -> Event {
    Event::Closed(Closed {
        decision,
        cause,
        algorithm: opened.algorithm.clone(),
        opened_at: opened.opened_at,
        closed_at,
        noticed_at,
        votes: state.heads(),
        decided_by,
    })
}

fn vote(
    state: &Proposal,
    opened: &Opened,
    ballot: Ballot,
    now: Timestamp,
    custom: &dyn CustomRules,
) -> Decided {
    if opened.participants.binary_search(&ballot.voter_id).is_err() {
        return Ok(refuse(state, ballot, Refusal::NotParticipant, Rejection::NotParticipant, now));
    }
    let standing_vote = state.votes.get(&ballot.voter_id).map(|v| v.vote);
    // The same vote again is answered from the record, also after the end: the agent may have lost the reply.
    if standing_vote == Some(ballot.vote) {
        return Ok(Decision::answer(Reply::Voted { outcome: VoteOutcome::Duplicate, changed: false }));
    }
    if let Some(decision) = state.decision() {
        return Ok(refuse(state, ballot, Refusal::Late, Rejection::Closed { decision }, now));
    }
    if let Some(held) = standing_vote
        && opened.vote_change == VoteChange::Reject
    {
        let rejection = Rejection::AlreadyVoted { held, given: ballot.vote };
        return Ok(refuse(state, ballot, Refusal::AlreadyVoted, rejection, now));
    }
    let asked = Asked::with(state, &ballot.voter_id, ballot.vote);
    let end = standing(state, opened, &asked, custom)
        .or_else(|| unreachable_without(state, opened, &asked.count, Some(&ballot.voter_id), &state.absent));
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
    let mut events = vec![match ballot.reason {
        None => Event::VoteCast(cast),
        Some(reason) => Event::VoteCastWithReason(Box::new(VoteReasoned { cast, reason })),
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
    let Ballot { voter_id, vote, weight, metadata, reason } = ballot;
    let digest = digest_of(&[&metadata, &reason]);
    if state.refused.contains(&(voter_id.clone(), vote, refusal, digest)) {
        return Decision::refuse_on_record(Vec::new(), rejection);
    }
    let refused = VoteRefused { voter_id, vote, weight, cast_at: now, refusal };
    let record = match (metadata, reason) {
        (None, None) => Event::VoteRefused(refused),
        (metadata, reason) => {
            Event::VoteRefusedWithReason(Box::new(RefusalReasoned { refused, metadata, reason }))
        }
    };
    Decision::refuse_on_record(vec![record], rejection)
}

fn record_broadcast(
    state: &Proposal,
    opened: &Opened,
    told: Result<Delivered, String>,
    now: Timestamp,
) -> Decision<ProposalMachine> {
    let failed = |reason| {
        let end = (Verdict::Aborted, Some(Cause::BroadcastFailed(reason)));
        close(state, opened, end, now, now, None)
    };
    // Agents that heard of it in another way may have voted, or even decided, already.
    let is_heard = state.closed.is_some() || !state.votes.is_empty();
    let events = match told {
        _ if state.broadcast.is_some() => Vec::new(),
        Ok(delivered) if delivered.reached == 0 && !delivered.unreached.is_empty() && !is_heard => {
            let reason = format!("none of the agents could be reached. tried={}", delivered.unreached.len());
            vec![Event::Broadcast(delivered), failed(reason)]
        }
        Ok(delivered) => vec![Event::Broadcast(delivered)],
        Err(_) if state.closed.is_some() => Vec::new(),
        Err(reason) => vec![failed(reason)],
    };
    Decision::accept(events, Reply::Done)
}

/// Who took the question from an inbox, each participant once; and that all inboxes were tried.
fn record_handed(
    state: &Proposal,
    opened: &Opened,
    taken: Vec<VoterId>,
    broadcast: Option<Delivered>,
    now: Timestamp,
) -> Decision<ProposalMachine> {
    let is_new =
        |agent: &VoterId| opened.participants.binary_search(agent).is_ok() && !state.handed.contains(agent);
    let taken: BTreeSet<VoterId> = taken.into_iter().filter(is_new).collect();
    let handed =
        (!taken.is_empty()).then(|| Event::Handed { voter_ids: taken.into_iter().collect(), at: now });
    let told = broadcast.filter(|_| state.broadcast.is_none()).map(Event::Broadcast);
    Decision::accept(handed.into_iter().chain(told).collect(), Reply::Done)
}

/// The end, when approval needs the vote of an agent that failed and the question asked not to wait for it: the timeout
/// that would come, before its time.
fn unreachable_without(
    state: &Proposal,
    opened: &Opened,
    count: &rules::Count,
    voted: Option<&VoterId>,
    absent: &BTreeSet<VoterId>,
) -> Option<End> {
    let hopeless =
        opened.fail_fast && !absent.is_empty() && state.outcome_of(count, voted, absent) == Outcome::Lost;
    hopeless.then_some((Verdict::Timeout, Some(Cause::Unreachable)))
}

fn record_absence(
    state: &Proposal,
    opened: &Opened,
    voter_id: VoterId,
    absent: bool,
    now: Timestamp,
) -> Decision<ProposalMachine> {
    let concerns = opened.fail_fast
        && state.closed.is_none()
        && opened.participants.binary_search(&voter_id).is_ok()
        && !state.votes.contains_key(&voter_id)
        && state.absent.contains(&voter_id) != absent;
    if !concerns {
        return Decision::answer(Reply::Done);
    }
    let mut away = state.absent.clone();
    if absent {
        away.insert(voter_id.clone())
    } else {
        away.remove(&voter_id)
    };
    let end = unreachable_without(state, opened, &state.count, None, &away);
    let mut events = vec![Event::AbsenceChanged { voter_id, absent, at: now }];
    events.extend(end.map(|end| close(state, opened, end, now, now, None)));
    Decision::accept(events, Reply::Done)
}

fn reconsider(
    state: &Proposal,
    opened: &Opened,
    now: Timestamp,
    custom: &dyn CustomRules,
) -> Decision<ProposalMachine> {
    if state.closed.is_some() {
        return Decision::answer(Reply::Done);
    }
    let end = standing(state, opened, &Asked::now(state), custom);
    let by = state.last_vote.as_ref().map(|(_, voter)| voter.clone());
    let events = end.map(|end| close(state, opened, end, now, now, by));
    Decision::accept(events.into_iter().collect(), Reply::Done)
}

fn tick(
    state: &Proposal,
    opened: &Opened,
    now: Timestamp,
    custom: &dyn CustomRules,
) -> Decision<ProposalMachine> {
    if state.closed.is_some() {
        return Decision::answer(Reply::Done);
    }
    // A log may end between the deciding vote and its close; the vote decided then, whatever time it is now.
    let (end, closed_at, by) = match (state.outcome(), &state.last_vote) {
        (Outcome::Won, Some((at, voter))) => ((Verdict::Approved, None), *at, Some(voter.clone())),
        (Outcome::Lost, Some((at, voter))) => ((Verdict::Rejected, None), *at, Some(voter.clone())),
        _ if now > opened.deadline => (at_deadline(state, opened, custom), opened.deadline, None),
        _ => return Decision::answer(Reply::Done),
    };
    Decision::accept(vec![close(state, opened, end, closed_at, now, by)], Reply::Done)
}

fn at_deadline(state: &Proposal, opened: &Opened, custom: &dyn CustomRules) -> End {
    let ruling = match &opened.decider {
        Algorithm::Rule { .. } => Ruling::Outcome(Outcome::Pending),
        Algorithm::Custom => custom.ask(&opened.algorithm, &poll(opened, &state.ballots(None), true)),
    };
    let unavailable = (ruling == Ruling::Unavailable).then_some(Cause::AlgorithmUnavailable);
    settled(ruling).unwrap_or((Verdict::Timeout, unavailable))
}
