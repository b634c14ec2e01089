//! The transition table of the [module](super), one arm per row.

mod people;
mod vote;

use std::collections::BTreeSet;
use std::time::Duration;

use super::ProposalMachine;
use super::command::{Ballot, Command, Decider, Extend, Open, Reply};
use super::event::{Algorithm, Cause, Closed, Decision as Verdict, Delivered, Event, Opened};
use super::rejection::Rejection;
use super::state::{Proposal, broadcast};
use crate::kernel::Decision;
use crate::kernel::ids::VoterId;
use crate::kernel::time::{Timestamp, millis};
use crate::voting::mandate;
use crate::voting::people::check_reminders;
use crate::voting::rules::{
    self, Choice, Count, CustomRules, Outcome, Poll, Prepared, Rule, RuleSpec, Ruling, Unmeetable,
    WeightTable,
};

type Decided = Result<Decision<ProposalMachine>, Rejection>;

/// Shortest time for votes. How long it may be at most is a setting.
const SHORTEST: Duration = Duration::from_millis(100);

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
        (Command::Vote(ballot), Some(opened)) => vote::vote(state, opened, ballot, now, custom),
        (Command::RecordBroadcast(told), Some(opened)) => Ok(record_broadcast(state, opened, told, now)),
        (Command::RecordHanded { taken, broadcast }, Some(_)) => {
            Ok(record_handed(state, taken, broadcast, now))
        }
        (Command::RecordAbsence { agent_id, absent }, Some(opened)) => {
            Ok(record_absence(state, opened, agent_id, absent, now))
        }
        (Command::Extend(extend), Some(opened)) => extend_time(state, opened, extend, now),
        (Command::Delegate(delegate), Some(opened)) => people::delegate(state, opened, *delegate, now),
        (Command::Remind { voter, by }, Some(_)) => people::remind(state, voter, by, now),
        (Command::RecordTold { voters, taken }, Some(_)) => {
            Ok(people::record_told(state, voters, taken, now))
        }
        (Command::Cancel { by, reason }, Some(opened)) => cancel(state, opened, (by, reason), now),
        (Command::Spend(spend), Some(_)) => {
            let used = mandate::spend(state.mandate.as_deref(), &state.uses, state.decided(), *spend, now);
            let used = used.map_err(|refusal| Rejection::Unspendable(Box::new(refusal)))?;
            let event = (!used.duplicate).then(|| Event::Spent(Box::new(used.spent.clone())));
            Ok(Decision::accept(event.into_iter().collect(), Reply::Spent(Box::new(used))))
        }
        (Command::Redeem(redeem, named), Some(_)) => {
            let begun = mandate::redeem(state.mandate.as_deref(), &state.uses, *redeem, named, now);
            let begun = begun.map_err(|refusal| Rejection::Unspendable(Box::new(refusal)))?;
            let event = (!begun.duplicate).then(|| Event::Redeemed(Box::new(begun.redeemed.clone())));
            Ok(Decision::accept(event.into_iter().collect(), Reply::Redeemed(Box::new(begun))))
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
    if open.timeout < SHORTEST {
        let expected = format!("{} or more", SHORTEST.as_millis());
        return Err(invalid("timeout_ms", open.timeout.as_millis(), expected));
    }
    if let Some(mandate) = &open.mandate {
        mandate.check(now).map_err(|(field, given, expected)| Rejection::Invalid {
            field,
            given,
            expected,
        })?;
    }
    if let Some(answer) = &open.answer {
        answer.check().map_err(|misfit| Rejection::Misfit(Box::new(misfit)))?;
    }
    participants.sort();
    participants.dedup();
    if let Some(every) = open.remind_every {
        check_reminders(every, participants.len(), "participants")
            .map_err(|(field, given, expected)| Rejection::Invalid { field, given, expected })?;
    }
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
    events.extend(open.mandate.map(|mandate| Event::Mandated(Box::new(mandate))));
    events.extend(open.answer.clone().map(Event::AnswerAsked));
    let every_ms = open.remind_every.map(millis);
    events.extend(every_ms.map(|every_ms| Event::RemindersAsked { every_ms }));
    events.extend(open.keyed.map(Event::Keyed));
    match end {
        Some(end) => {
            events.push(close(&state, &opened, end, now, now, None));
            Ok(Decision::accept(events, Reply::Opened))
        }
        None => {
            let effects = vec![broadcast(&opened, open.answer)];
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

    /// With a vote in this place.
    fn with(state: &Proposal, place: &'a VoterId, vote: Choice) -> Self {
        let count = state.count_with(place, vote);
        Asked { count, with: Some((place, vote)), complete: is_complete(state, Some(place)) }
    }
}

fn is_complete(state: &Proposal, with: Option<&VoterId>) -> bool {
    let more = with.is_some_and(|place| !state.votes.contains_key(place));
    let agents = state.opened.as_ref().map_or(0, |opened| opened.participants.len());
    state.votes.len() + usize::from(more) == agents
}

/// How the question ends by its votes, if it is decided.
fn standing(state: &Proposal, opened: &Opened, asked: &Asked<'_>, custom: &dyn CustomRules) -> Option<End> {
    let voted = asked.with.map(|(place, _)| place);
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
    taken: Vec<VoterId>,
    broadcast: Option<Delivered>,
    now: Timestamp,
) -> Decision<ProposalMachine> {
    let is_new = |agent: &VoterId| state.place_of(agent).is_some() && !state.handed.contains(agent);
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
        && state.awaits(&voter_id)
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

/// Votes are taken longer, never shorter.
fn extend_time(state: &Proposal, opened: &Opened, extend: Extend, now: Timestamp) -> Decided {
    if let Some(decision) = state.decision() {
        return Err(Rejection::Closed { decision });
    }
    let before = state.deadline().unwrap_or(opened.deadline);
    let extended = extend.of("timeout_ms", opened.opened_at, before, now);
    let extended =
        extended.map_err(|(field, given, expected)| Rejection::Invalid { field, given, expected })?;
    let duplicate = extended.is_none();
    let events = extended.map(|extended| Event::Extended(Box::new(extended)));
    Ok(Decision::accept(events.into_iter().collect(), Reply::Extended { duplicate }))
}

fn cancel(
    state: &Proposal,
    opened: &Opened,
    (by, reason): (Option<String>, Option<String>),
    now: Timestamp,
) -> Decided {
    match state.decision() {
        Some(Verdict::Cancelled) => Ok(Decision::answer(Reply::Cancelled { duplicate: true })),
        Some(decision) => Err(Rejection::Closed { decision }),
        None => {
            let end = (Verdict::Cancelled, Some(Cause::Cancelled { by, reason }));
            let event = close(state, opened, end, now, now, None);
            Ok(Decision::accept(vec![event], Reply::Cancelled { duplicate: false }))
        }
    }
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
    let deadline = state.deadline().unwrap_or(opened.deadline);
    // A log may end between the deciding vote and its close; the vote decided then, whatever time it is now.
    let (end, closed_at, by) = match (state.outcome(), &state.last_vote) {
        (Outcome::Won, Some((at, voter))) => ((Verdict::Approved, None), *at, Some(voter.clone())),
        (Outcome::Lost, Some((at, voter))) => ((Verdict::Rejected, None), *at, Some(voter.clone())),
        _ if now > deadline => (at_deadline(state, opened, custom), deadline, None),
        _ if state.next_reminder().is_some_and(|due| due <= now) => {
            return people::remind_by_itself(state, now);
        }
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
