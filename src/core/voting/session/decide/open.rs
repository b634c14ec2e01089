//! Opening: everything is checked, then frozen.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::ballot::BallotType;
use super::super::beside::Beside;
use super::super::command::{Open, Rejection, Reply};
use super::super::event::{Event, Opened, electorate_hash};
use super::super::state::Session;
use super::super::threshold::{FEWEST_VOTERS, Quorum, capped, most_faults};
use super::{Decided, gate};
use crate::kernel::Decision;
use crate::kernel::time::{Timestamp, micros, millis};
use crate::voting::people::check_reminders;

/// Most rounds of a session.
pub(in crate::voting::session) const MOST_ROUNDS: u32 = 100;
/// Most candidates.
pub(in crate::voting::session) const MOST_CANDIDATES: usize = 1_000;

fn invalid(field: &'static str, given: impl ToString, expected: impl Into<String>) -> Rejection {
    Rejection::Invalid { field, given: given.to_string(), expected: expected.into() }
}

pub(super) fn open(state: &Session, mut open: Open, now: Timestamp) -> Decided {
    if state.opened.is_some() {
        return Err(Rejection::AlreadyExists);
    }
    open.electors.sort_by(|a, b| a.voter_id.cmp(&b.voter_id));
    open.electors.dedup_by(|a, b| a.voter_id == b.voter_id);
    check(&open, now)?;
    let n = u32::try_from(open.electors.len()).unwrap_or(u32::MAX);
    let need = open.declared_faults.map_or(0, |f| f.saturating_mul(3).saturating_add(1)).max(FEWEST_VOTERS);
    if n < need {
        return Err(Rejection::InsufficientParticipants { need, have: n });
    }
    if n > open.max_voters {
        return Err(invalid("voters", format!("{n} voters"), format!("up to {} voters", open.max_voters)));
    }
    let mut cap_failed = false;
    if open.terms.power_cap {
        let powers: Vec<u64> = open.electors.iter().map(|elector| elector.uncapped).collect();
        match capped(&powers) {
            Some(powers) => open.electors.iter_mut().zip(powers).for_each(|(elector, p)| elector.power = p),
            None => cap_failed = true,
        }
    }
    let power: u128 = open.electors.iter().map(|elector| u128::from(elector.power)).sum();
    let power = u64::try_from(power)
        .map_err(|_| invalid("weight", power, "weights whose sum is at most 18446744073709.551615"))?;
    if power == 0 {
        return Err(invalid("weight", 0, "at least one voter that weighs something"));
    }
    let quorum = Quorum::new(open.basis, open.threshold, open.declared_faults, n, power);
    let electors = open.electors.iter();
    let keys = electors.map(|e| (&e.voter_id, e.credential.public_key.as_ref(), e.power));
    let deadline = now.plus(open.timeout);
    let until = open.commit_timeout.unwrap_or(open.timeout / 2);
    let opened = Opened {
        session_id: open.session_id,
        electorate_hash: electorate_hash(keys),
        terms_hash: open.terms.hash(&quorum, &open.beside),
        most_faults: most_faults(n),
        cap_failed,
        quorum,
        context: open.context,
        round_us: open.round_timeout.map(micros),
        commits_until: open.terms.commit_reveal.then(|| now.plus(until)),
        terms: open.terms,
        electors: open.electors,
        opened_at: now,
        deadline,
    };
    let mut events = vec![Event::Opened(Box::new(opened))];
    let Beside { mandate, weighed, keys, gated } = open.beside;
    events.extend(mandate.map(|mandate| Event::Mandated(Box::new(mandate))));
    events.extend(weighed.map(|weighed| Event::Weighed(Box::new(weighed))));
    events.extend((!keys.is_empty()).then_some(Event::KeysNamed(keys)));
    events.extend(gated.map(|gated| Event::GatesSet(Box::new(gated))));
    let every_ms = open.remind_every.map(millis);
    events.extend(every_ms.map(|every_ms| Event::RemindersAsked { every_ms }));
    events.extend(open.keyed.map(Event::Keyed));
    Ok(Decision::accept(events, Reply::Opened))
}

fn check(open: &Open, now: Timestamp) -> Result<(), Rejection> {
    let terms = &open.terms;
    if terms.rounds == 0 || terms.rounds > MOST_ROUNDS {
        return Err(invalid("rounds", terms.rounds, format!("1 to {MOST_ROUNDS}")));
    }
    if terms.commit_reveal && terms.rounds != 1 {
        return Err(invalid("rounds", terms.rounds, "1, where votes are promised first"));
    }
    let names: BTreeSet<_> = terms.candidates.iter().map(|candidate| &candidate.candidate_id).collect();
    if names.len() != terms.candidates.len() {
        return Err(invalid("candidates", "a candidate twice", "each candidate once"));
    }
    let none = terms.candidates.is_empty();
    match terms.ballot_type {
        BallotType::Approve if !none => {
            return Err(invalid("candidates", names.len(), "none, where for and against is voted"));
        }
        BallotType::Approve => {}
        BallotType::Choice | BallotType::Approval { .. } | BallotType::Scores if none => {
            return Err(invalid("candidates", 0, "at least one candidate"));
        }
        BallotType::Approval { most } if most == 0 || most as usize > names.len() => {
            return Err(invalid("max_approvals", most, format!("1 to {}", names.len())));
        }
        BallotType::Choice | BallotType::Approval { .. } | BallotType::Scores => {}
    }
    if names.len() > MOST_CANDIDATES {
        return Err(invalid("candidates", names.len(), format!("up to {MOST_CANDIDATES}")));
    }
    gate::check(open)?;
    let unfit = |(field, given, expected)| Rejection::Invalid { field, given, expected };
    if let Some(mandate) = &open.beside.mandate {
        mandate.check(now).map_err(unfit)?;
        if terms.ballot_type != BallotType::Approve {
            return Err(invalid("operation", &mandate.tool, "none, where candidates are chosen among"));
        }
    }
    if let Some(every) = open.remind_every {
        check_reminders(every, open.electors.len(), "voters").map_err(unfit)?;
    }
    let within = |field, span: Option<Duration>| match span {
        Some(span) if span.is_zero() || span >= open.timeout => Err(invalid(
            field,
            span.as_millis(),
            format!("1 to {}", open.timeout.as_millis().saturating_sub(1)),
        )),
        Some(_) | None => Ok(()),
    };
    within("round_timeout_ms", open.round_timeout)?;
    within("commit_timeout_ms", open.commit_timeout)
}
