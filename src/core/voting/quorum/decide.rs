//! The transition table of the [module](super), one arm per row.

use super::QuorumMachine;
use super::command::{Ballot, Cancel, Command, Effect, Reply, Start, Voted};
use super::event::{
    Closed, Counting, Electorate, Event, Opened, OpenedByRule, Outsiders, QuorumState, QuorumType, Refusal,
    RefusalReasoned, VoteCast, VoteChange, VoteReasoned, VoteRefused,
};
use super::rejection::Rejection;
use super::state::{Fallback, Quorum, choice, digest_of};
use super::tally::Tally;
use crate::kernel::Decision;
use crate::kernel::ids::VoterId;
use crate::kernel::time::Timestamp;
use crate::voting::extension::Extend;
use crate::voting::rules::{self, Count, Formula, Fraction, Outcome, Prepared, RuleSpec, Unmeetable};

type Decided = Result<Decision<QuorumMachine>, Rejection>;

/// Approvals needed when membership is unknown and no number was given.
const LOCAL_UNKNOWN: u32 = 4;
const RING_UNKNOWN: u32 = 3;
const RADIAL_UNKNOWN: u32 = 2;
/// One hub authority decides.
const GLOBAL: u32 = 1;

pub(super) fn decide(state: &Quorum, command: Command, now: Timestamp) -> Decided {
    match (command, state.opened.as_deref()) {
        (Command::Start(start), None) => open(*start, now),
        (Command::Start(_), Some(_)) => Err(Rejection::AlreadyExists),
        (Command::Cast(_) | Command::Extend(_) | Command::Cancel(_) | Command::RecordFallback(_), None) => {
            Err(Rejection::NotFound)
        }
        (Command::Cast(ballot), Some(opened)) => cast(state, opened, ballot, now),
        (Command::Extend(extend), Some(opened)) => longer(state, opened, extend, now),
        (Command::Cancel(cancel), Some(opened)) => end(state, opened, cancel, now),
        (Command::RecordFallback(outcome), Some(opened)) => Ok(record_fallback(state, opened, outcome)),
        (Command::Tick, None) => Ok(Decision::answer(Reply::Done)),
        (Command::Tick, Some(opened)) => Ok(tick(state, opened, now)),
    }
}

fn invalid(field: &'static str, given: impl ToString, expected: impl Into<String>) -> Rejection {
    Rejection::Invalid { field, given: given.to_string(), expected: expected.into() }
}

fn open(start: Start, now: Timestamp) -> Decided {
    if start.timeout.is_zero() {
        return Err(invalid("timeout_seconds", 0, "above 0"));
    }
    if start.fallback.is_some() && start.quorum_type == QuorumType::Global {
        return Err(invalid("cmp_fallback", "true", "only for local, ring and radial quorums"));
    }
    check_unit("min_confidence", start.policy.min_confidence)?;
    let electorate = electorate(start.voters)?;
    let most = start.policy.max_voters;
    let ruled = start.rule.map(|spec| by_rule(spec, &electorate, most)).transpose()?;
    let required_votes = match (&ruled, start.required_votes) {
        (Some(_), Some(asked)) => {
            return Err(invalid("required_votes", asked, "none when a rule is given"));
        }
        (Some((_, _, fewest)), None) => *fewest,
        (None, asked) => {
            let scope = Scope { kind: start.quorum_type, named: start.named };
            bar(scope, asked, &electorate, start.policy.max_voters)?
        }
    };
    let (subject, subject_digest) = start.subject.unzip();
    let opened = Opened {
        quorum_type: start.quorum_type,
        required_votes,
        opened_at: now,
        deadline: now.plus(start.timeout),
        cell_id: start.cell_id,
        neighbor_count: start.neighbor_count,
        electorate,
        topic: start.topic,
        membership_epoch: start.membership_epoch,
        subject,
        subject_digest,
        policy: start.policy,
        fallback: start.fallback,
        parent: start.parent,
    };
    let event = match ruled {
        None => Event::Opened(Box::new(opened)),
        Some((rule, formula, _)) => Event::OpenedByRule(Box::new(OpenedByRule { opened, rule, formula })),
    };
    let mut events = vec![event];
    events.extend(start.keyed.map(Event::Keyed));
    Ok(Decision::accept(events, Reply::Started))
}

/// The rule for this electorate, and with how few approvals it can be met.
fn by_rule(
    spec: RuleSpec,
    electorate: &Electorate,
    max_voters: u32,
) -> Result<(RuleSpec, Formula, u32), Rejection> {
    let rule = rules::build(&spec).map_err(|e| invalid("rule", &spec, e.to_string()))?;
    let (formula, weightless) = match electorate {
        Electorate::Closed(voters) => {
            let Prepared { formula, zero_weight, .. } = rules::prepare(rule.as_ref(), voters);
            (formula, zero_weight)
        }
        Electorate::Open => match rule.node_for_anyone() {
            Some(root) => (Formula { columns: Vec::new(), root }, false),
            None => {
                let expected = "a rule such as required:3, for it is not known how many may vote";
                return Err(invalid("rule", &spec, expected));
            }
        },
    };
    let size = electorate.size();
    let everyone = || (0..size.unwrap_or(0) as usize).collect();
    let unmeetable = |voters| {
        let unmet = Unmeetable::new(&spec, Some(&formula.root), voters, weightless);
        Err(Rejection::Unmeetable(unmet))
    };
    match formula.outcome(&Count::new(&formula, size), everyone) {
        Outcome::Pending => {
            let fewest = formula.fewest_for(size).unwrap_or(0);
            match size {
                // Where anyone may vote, no more than these can.
                None if fewest > max_voters => unmeetable(max_voters),
                Some(_) | None => Ok((spec, formula, fewest)),
            }
        }
        Outcome::Won => Err(invalid("rule", &spec, "a rule that is not met before anybody votes")),
        Outcome::Lost => unmeetable(size.unwrap_or(max_voters)),
    }
}

fn electorate(voters: Option<Vec<VoterId>>) -> Result<Electorate, Rejection> {
    let Some(mut voters) = voters else { return Ok(Electorate::Open) };
    voters.sort();
    if let Some(twice) = voters.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(invalid("voters", &twice[0], "each voter once"));
    }
    if voters.is_empty() {
        return Err(invalid("voters", "[]", "at least one voter, or none named for an open electorate"));
    }
    Ok(Electorate::Closed(voters))
}

/// What an electorate was asked for as.
struct Scope {
    kind: QuorumType,
    /// Its voters were named one by one.
    named: bool,
}

fn bar(scope: Scope, asked: Option<u32>, electorate: &Electorate, max_voters: u32) -> Result<u32, Rejection> {
    let size = electorate.size();
    let required = match (asked, scope.kind, size) {
        (Some(0), _, _) => {
            return Err(invalid("required_votes", 0, format!("1 to {}", size.unwrap_or(max_voters))));
        }
        (Some(asked), _, _) => asked,
        // Four of six; a cell at the edge keeps the ratio.
        (None, QuorumType::Local, Some(n)) => Fraction::TWO_THIRDS.at_least(n),
        (None, QuorumType::Local, None) => LOCAL_UNKNOWN,
        (None, QuorumType::Ring | QuorumType::Radial, Some(n)) => Fraction::HALF.more_than(n),
        (None, QuorumType::Ring, None) => RING_UNKNOWN,
        (None, QuorumType::Radial, None) => RADIAL_UNKNOWN,
        // One authority of the hub speaks for it; voters that somebody named do not.
        (None, QuorumType::Global, Some(n)) if scope.named => Fraction::HALF.more_than(n),
        (None, QuorumType::Global, _) => GLOBAL,
    };
    match size {
        Some(voters) if required > voters => Err(Rejection::Unreachable { required, voters }),
        None if required > max_voters => {
            Err(invalid("required_votes", required, format!("1 to {max_voters} in an open electorate")))
        }
        _ => Ok(required),
    }
}

fn check_unit(field: &'static str, value: f64) -> Result<(), Rejection> {
    if (0.0..=1.0).contains(&value) { Ok(()) } else { Err(invalid(field, value, "a number from 0 to 1")) }
}

fn cast(state: &Quorum, opened: &Opened, ballot: Ballot, now: Timestamp) -> Decided {
    check_unit("confidence", ballot.confidence)?;
    let counting = if !opened.electorate.admits(&ballot.voter_id) {
        Counting::Outsider
    } else if ballot.confidence < opened.policy.min_confidence {
        Counting::LowConfidence
    } else {
        Counting::Counted
    };
    let standing = state.votes.get(&ballot.voter_id);
    // The same vote again is answered from the record, also after the close: the caller may have lost the reply.
    // A vote that was too unsure to count and now is sure enough is not the same vote.
    if let Some(standing) = standing
        && standing.vote == ballot.vote
        && (standing.counting == counting || standing.counting == Counting::Counted)
    {
        let counted = standing.counting == Counting::Counted;
        return Ok(Decision::answer(Reply::Voted(Voted { counted, duplicate: true, changed: false })));
    }
    if let Some(closed) = &state.closed {
        return Ok(refuse(state, ballot, Refusal::Late, ended(closed.state, opened), now));
    }
    if counting == Counting::Outsider {
        if opened.policy.outsiders == Outsiders::Refuse {
            return Ok(refuse(state, ballot, Refusal::NotEligible, Rejection::NotEligible, now));
        }
        if standing.is_none() && state.outsiders >= opened.policy.max_outsiders {
            return Err(Rejection::Limit { what: "outsiders", limit: opened.policy.max_outsiders });
        }
    }
    if let Some(standing) = standing
        && opened.policy.vote_change == VoteChange::Reject
    {
        let rejection = Rejection::AlreadyVoted { held: standing.vote, given: ballot.vote };
        return Ok(refuse(state, ballot, Refusal::ChangeNotAllowed, rejection, now));
    }
    if standing.is_none()
        && opened.electorate == Electorate::Open
        && state.votes.len() >= opened.policy.max_voters as usize
    {
        return Err(Rejection::Limit { what: "voters", limit: opened.policy.max_voters });
    }
    let changed = standing.is_some();
    let cast = VoteCast {
        voter_id: ballot.voter_id,
        vote: ballot.vote,
        confidence: ballot.confidence,
        cast_at: now,
        counting,
        supersedes: changed,
    };
    let close = close_if_decided(state, opened, &cast, now);
    let mut events = vec![match ballot.reason {
        None => Event::VoteCast(cast),
        Some(reason) => Event::VoteCastWithReason(Box::new(VoteReasoned { cast, reason })),
    }];
    events.extend(close);
    let reply = Voted { counted: counting == Counting::Counted, duplicate: false, changed };
    Ok(Decision::accept(events, Reply::Voted(reply)))
}

/// The close that follows from a vote, if it decides.
fn close_if_decided(state: &Quorum, opened: &Opened, cast: &VoteCast, now: Timestamp) -> Option<Event> {
    let choice = choice(cast.counting, cast.vote)?;
    let count = state.count_with(&cast.voter_id, Some(choice));
    let state = match state.outcome_of(&count, Some(&cast.voter_id)) {
        Outcome::Pending => return None,
        Outcome::Won => QuorumState::Approved,
        Outcome::Lost => QuorumState::Rejected,
    };
    Some(Event::Closed(Closed {
        state,
        opened_at: opened.opened_at,
        closed_at: now,
        noticed_at: now,
        tally: Tally::of(&count),
        decided_by: Some(cast.voter_id.clone()),
        cancelled_by: None,
        reason: None,
    }))
}

/// How a closed quorum refuses.
fn ended(state: QuorumState, opened: &Opened) -> Rejection {
    if state == QuorumState::TimedOut {
        let elapsed = opened.deadline.since(opened.opened_at);
        Rejection::TimedOut { elapsed_seconds: elapsed.as_secs_f64() }
    } else {
        Rejection::Closed { state }
    }
}

fn refuse(
    state: &Quorum,
    ballot: Ballot,
    refusal: Refusal,
    rejection: Rejection,
    now: Timestamp,
) -> Decision<QuorumMachine> {
    let Ballot { voter_id, vote, confidence, reason } = ballot;
    if state.refused.contains(&(voter_id.clone(), vote, refusal, digest_of(&[&reason]))) {
        return Decision::refuse_on_record(Vec::new(), rejection);
    }
    let refused = VoteRefused { voter_id, vote, confidence, cast_at: now, refusal };
    let record = match reason {
        None => Event::VoteRefused(refused),
        Some(reason) => Event::VoteRefusedWithReason(Box::new(RefusalReasoned { refused, reason })),
    };
    Decision::refuse_on_record(vec![record], rejection)
}

/// Votes are taken longer, never shorter.
fn longer(state: &Quorum, opened: &Opened, extend: Extend, now: Timestamp) -> Decided {
    if let Some(closed) = &state.closed {
        return Err(ended(closed.state, opened));
    }
    let extended = extend.of("timeout_seconds", opened.opened_at, opened.deadline, now);
    let extended =
        extended.map_err(|(field, given, expected)| Rejection::Invalid { field, given, expected })?;
    let duplicate = extended.is_none();
    let events = extended.map(|extended| Event::Extended(Box::new(extended)));
    Ok(Decision::accept(events.into_iter().collect(), Reply::Extended { duplicate }))
}

fn end(state: &Quorum, opened: &Opened, cancel: Cancel, now: Timestamp) -> Decided {
    match state.closed.as_ref().map(|c| c.state) {
        Some(QuorumState::Cancelled) => Ok(Decision::answer(Reply::Cancelled { duplicate: true })),
        Some(other) => Err(ended(other, opened)),
        None => {
            let closed = Closed {
                state: QuorumState::Cancelled,
                opened_at: opened.opened_at,
                closed_at: now,
                noticed_at: now,
                tally: state.tally(),
                decided_by: None,
                cancelled_by: cancel.by,
                reason: cancel.reason,
            };
            Ok(Decision::accept(vec![Event::Closed(closed)], Reply::Cancelled { duplicate: false }))
        }
    }
}

fn record_fallback(state: &Quorum, opened: &Opened, outcome: Result<(), String>) -> Decision<QuorumMachine> {
    let events = match (&state.fallback, &opened.fallback, outcome) {
        (Fallback::Owed, Some(plan), Ok(())) => {
            vec![Event::FallbackOpened { child_id: plan.child_id.clone() }]
        }
        (Fallback::Owed, Some(plan), Err(reason)) => {
            vec![Event::FallbackFailed { child_id: plan.child_id.clone(), reason }]
        }
        _ => Vec::new(),
    };
    Decision::accept(events, Reply::Done)
}

fn tick(state: &Quorum, opened: &Opened, now: Timestamp) -> Decision<QuorumMachine> {
    if state.closed.is_some() {
        return Decision::answer(Reply::Done);
    }
    // A log may end between the deciding vote and its close; the vote decided then, whatever time it is now.
    let (end, closed_at, decided_by) = match (state.outcome(), &state.last_counted) {
        (Outcome::Won, Some((at, voter))) => (QuorumState::Approved, *at, Some(voter.clone())),
        (Outcome::Lost, Some((at, voter))) => (QuorumState::Rejected, *at, Some(voter.clone())),
        _ if now > opened.deadline => (QuorumState::TimedOut, opened.deadline, None),
        _ => return Decision::answer(Reply::Done),
    };
    let closed = Closed {
        state: end,
        opened_at: opened.opened_at,
        closed_at,
        noticed_at: now,
        tally: state.tally(),
        decided_by,
        cancelled_by: None,
        reason: None,
    };
    let effects = match (&opened.fallback, end) {
        (Some(plan), QuorumState::TimedOut) => vec![Effect::OpenFallback(plan.clone())],
        _ => Vec::new(),
    };
    Decision::accept(vec![Event::Closed(closed)], Reply::Done).with_effects(effects)
}
