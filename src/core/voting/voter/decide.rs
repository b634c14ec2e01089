//! The transition table in code, one arm a row.

use super::VoterMachine;
use super::command::{Command, Effect, Reply, Report};
use super::event::{Cause, Event, FaultKind, KeyRotated, Mark, Noted, Registered, Standing, StandingChanged};
use super::profile::{Considered, Profiled};
use super::rejection::Rejection;
use super::state::{CLEAN_VOTES, HONEST_BELOW, OFFLINE_AFTER, QUARANTINED_ABOVE, SUSPICIOUS_ABOVE, Voter};
use super::suspicion::{Severity, Suspicion};
use crate::kernel::Decision;
use crate::kernel::draft::Draft;
use crate::kernel::ids::{EntityId, VoterId};
use crate::kernel::time::Timestamp;
use crate::voting::signature::{Canon, Domain, PublicKey};

type Decided = Result<Decision<VoterMachine>, Rejection>;

/// Time within which no second violation counts.
const ONE_VIOLATION_EACH: std::time::Duration = std::time::Duration::from_secs(1);

pub(super) fn decide(state: &Voter, command: Command, now: Timestamp) -> Decided {
    if let Command::Register { voter_id, public_key, handle_hash, weight } = command {
        let registered = Registered { voter_id, public_key, handle_hash, weight, at: now };
        return register(state, registered);
    }
    if state.registered.is_none() {
        return Err(Rejection::NotRegistered);
    }
    let mut draft = Draft::<VoterMachine>::new(state, now);
    match command {
        Command::Register { .. } => {}
        Command::Note { session_id, reports, last_seen, room } => {
            note(&mut draft, session_id, reports, last_seen, room);
        }
        Command::Seen { at } => {
            if state.offline.is_some_and(|offline| at > offline.since) {
                draft.push(Event::Returned { at });
            }
        }
        Command::Quarantine { reason, duration } => {
            if matches!(state.standing, Standing::Byzantine { .. }) {
                return Err(Rejection::Proven);
            }
            let to = quarantined(state, reason.clone(), duration, now);
            change(&mut draft, to, Cause::Operator { reason }, None);
        }
        Command::Release { reason, pardon } => {
            match &state.standing {
                Standing::Quarantined { .. } => {}
                Standing::Byzantine { .. } if pardon => {}
                Standing::Byzantine { .. } => return Err(Rejection::PardonNeeded),
                other => return Err(Rejection::NothingToRelease { standing: other.name() }),
            }
            release(&mut draft, Cause::Operator { reason });
        }
        Command::Judge { question, judgement, by } => {
            match state.record.gold.get(&question) {
                Some((_, held)) if *held == judgement => {
                    return Ok(Decision::answer(Reply::Known(Box::new(state.clone()))));
                }
                Some(_) => return Err(Rejection::JudgedOtherwise { question }),
                None => {}
            }
            let judged = state.record.judge(question, judgement, by, now);
            draft.push(Event::Judged(Box::new(judged)));
        }
        Command::Profile { profile, by } => {
            if state.profile.as_deref() == Some(&profile) {
                return Ok(Decision::answer(Reply::Known(Box::new(state.clone()))));
            }
            draft.push(Event::Profiled(Box::new(Profiled { profile, by, at: now })));
        }
        Command::Consider(considered) => {
            let same = |held: &&Considered| held.selection_id == considered.selection_id;
            match state.considered.iter().find(same) {
                Some(held) if held.agrees_with(&considered) => {
                    return Ok(Decision::answer(Reply::Known(Box::new(state.clone()))));
                }
                Some(_) => {
                    let selection_id = considered.selection_id;
                    return Err(Rejection::ChosenOtherwise { selection_id });
                }
                None => draft.push(Event::Considered(considered)),
            }
        }
        Command::Rotate { to, signature, by, reason } => {
            let version = state.key_version();
            let (id, from) = match state.registered.as_deref() {
                Some(Registered { voter_id, public_key: Some(key), .. }) => (voter_id, *key),
                Some(_) | None => return Err(Rejection::NoKey),
            };
            if from == to {
                return Ok(Decision::answer(Reply::Known(Box::new(state.clone()))));
            }
            to.check().map_err(Rejection::BadKey)?;
            if let Some(ended) = state.ended_keys.iter().find(|ended| ended.key == to) {
                return Err(Rejection::OldKey { version: ended.version });
            }
            let message = rotation_message(id, version + 1, &from, &to);
            if signature.is_some_and(|signature| !from.verifies(&message, &signature)) {
                return Err(Rejection::NotSigned { version });
            }
            let rotated = KeyRotated { version: version + 1, from, to, signature, by, reason, at: now };
            draft.push(Event::KeyRotated(Box::new(rotated)));
        }
        Command::RecordSpread { number } => {
            if state.to_spread == Some(number) {
                draft.push(Event::Spread { number, at: now });
            }
            return draft.finish(Ok(Reply::Done));
        }
        Command::Tick => {
            match &state.standing {
                Standing::Quarantined { until, .. } if *until <= now => {
                    release(&mut draft, Cause::TimeServed);
                }
                Standing::Suspicious { .. } if state.suspicion.on(now).is_below(HONEST_BELOW) => {
                    let score = state.suspicion.on(now).score();
                    change(&mut draft, Standing::Honest, Cause::Score { score }, None);
                }
                _ => {}
            }
            return draft.finish(Ok(Reply::Done));
        }
    }
    let after = Reply::State(Box::new(draft.state().clone()));
    draft.finish(Ok(after))
}

/// What a voter signs with its present key to give its place to another: who, which version the new key is, both keys.
pub(in crate::voting::voter) fn rotation_message(
    voter: &VoterId,
    version: u32,
    from: &PublicKey,
    to: &PublicKey,
) -> Vec<u8> {
    let canon = Canon::new(1).text(voter.as_str()).u32(version);
    Domain::Rotation.message(&canon.fixed(from.as_bytes()).fixed(to.as_bytes()).done())
}

fn register(state: &Voter, asked: Registered) -> Decided {
    if let Some(held) = &state.registered {
        let differs = [
            ("public_key", held.public_key != asked.public_key),
            // A handle that was minted is not known to anyone but the voter, and need not be given again.
            ("handle", asked.handle_hash.is_some() && held.handle_hash != asked.handle_hash),
            ("weight", held.weight != asked.weight),
        ];
        return match differs.into_iter().find(|(_, differs)| *differs) {
            Some((field, _)) => Err(Rejection::Differs { field }),
            None => Ok(Decision::answer(Reply::Registered { new: false })),
        };
    }
    if let Some(key) = &asked.public_key {
        key.check().map_err(Rejection::BadKey)?;
    }
    Ok(Decision::accept(vec![Event::Registered(Box::new(asked))], Reply::Registered { new: true }))
}

fn quarantined(
    state: &Voter,
    reason: String,
    duration: Option<std::time::Duration>,
    now: Timestamp,
) -> Standing {
    let until = now.plus(duration.unwrap_or_else(|| state.next_quarantine()));
    Standing::Quarantined { reason, since: now, until, offence: state.offences.saturating_add(1) }
}

fn change(draft: &mut Draft<'_, VoterMachine>, to: Standing, cause: Cause, suspicion: Option<Suspicion>) {
    let number = draft.state().changes + 1;
    if to.is_excluded() {
        let proven = matches!(to, Standing::Byzantine { .. });
        draft.owe(Effect::Spread { number, proven });
    }
    let (from, at) = (draft.state().standing.clone(), draft.now);
    draft.push(Event::StandingChanged(Box::new(StandingChanged { number, from, to, cause, suspicion, at })));
}

fn release(draft: &mut Draft<'_, VoterMachine>, cause: Cause) {
    let to = Standing::Probation { since: draft.now, clean_needed: CLEAN_VOTES };
    let anew = Suspicion::released(draft.now);
    change(draft, to, cause, Some(anew));
}

/// What a run of marks comes to, besides changes of standing.
struct Sums {
    suspicion: Suspicion,
    last_seen: Option<Timestamp>,
    last_violation: Option<Timestamp>,
    clean_needed: Option<u32>,
}

fn note(
    draft: &mut Draft<'_, VoterMachine>,
    session_id: Option<EntityId>,
    reports: Vec<Report>,
    known_seen: Option<Timestamp>,
    room: bool,
) {
    let state = draft.before();
    let noted = session_id.as_ref().and_then(|id| state.noted.get(id)).map_or(0, |(upto, _)| *upto);
    // The door numbers nothing: what it tells is new.
    let new: Vec<Report> =
        reports.into_iter().filter(|report| session_id.is_none() || report.number > noted).collect();
    let Some(last) = new.last() else { return };
    let (upto, marks) = (last.number, u32::try_from(new.len()).unwrap_or(u32::MAX));
    let mut sums = Sums {
        suspicion: state.suspicion,
        last_seen: state.last_seen.max(known_seen),
        last_violation: state.last_violation,
        clean_needed: match state.standing {
            Standing::Probation { clean_needed, .. } => Some(clean_needed),
            _ => None,
        },
    };
    let mut escalated = false;
    for report in &new {
        mark(draft, &mut sums, &session_id, report);
        let wanted = sums.suspicion.is_above(QUARANTINED_ABOVE)
            && matches!(draft.state().standing, Standing::Honest | Standing::Suspicious { .. });
        if wanted && room {
            let score = sums.suspicion.score();
            let to = quarantined(draft.state(), "suspicion score above 0.70".to_owned(), None, draft.now);
            change(draft, to, Cause::Score { score }, None);
        } else if wanted {
            escalated = true;
        }
        by_score(draft, &sums);
    }
    if session_id.is_none() && !draft.is_changed() && sums.suspicion == draft.state().suspicion {
        // What the door tells has no number, so nothing of it need be remembered.
        return;
    }
    let score = sums.suspicion.on(draft.now).score();
    let at = draft.now;
    draft.push(Event::Noted(Box::new(Noted {
        session_id,
        upto,
        marks,
        suspicion: sums.suspicion,
        score,
        last_seen: sums.last_seen,
        last_violation: sums.last_violation,
        clean_needed: sums.clean_needed,
        at,
    })));
    if escalated {
        draft.push(Event::Escalated { score, at });
    }
    presence(draft, &new, sums.last_seen);
}

/// Between honest and suspicious there is a gap, so that nobody goes to and fro.
fn by_score(draft: &mut Draft<'_, VoterMachine>, sums: &Sums) {
    let score = sums.suspicion.score();
    let to = match draft.state().standing {
        Standing::Honest if sums.suspicion.is_above(SUSPICIOUS_ABOVE) => {
            Standing::Suspicious { since: draft.now }
        }
        Standing::Suspicious { .. } if sums.suspicion.is_below(HONEST_BELOW) => Standing::Honest,
        _ => return,
    };
    change(draft, to, Cause::Score { score }, None);
}

fn mark(
    draft: &mut Draft<'_, VoterMachine>,
    sums: &mut Sums,
    session_id: &Option<EntityId>,
    report: &Report,
) {
    let at = report.at;
    // What is told of an old vote is no sign of life.
    if !matches!(report.mark, Mark::Silent | Mark::Judged(_)) {
        sums.last_seen = sums.last_seen.max(Some(at));
    }
    match report.mark {
        Mark::Silent => {}
        Mark::Judged(judgement) => {
            if let Some(session) = session_id {
                let judged = draft.state().record.judge(session.clone(), judgement, None, at);
                draft.push(Event::Judged(Box::new(judged)));
            }
        }
        Mark::Clean => {
            sums.suspicion = sums.suspicion.with(Severity::Clean, at);
            sums.clean_needed = sums.clean_needed.map(|needed| needed.saturating_sub(1));
            if sums.clean_needed == Some(0) {
                sums.clean_needed = None;
                change(draft, Standing::Honest, Cause::CleanVotes, None);
            }
        }
        Mark::Flagged => sums.suspicion = sums.suspicion.with(Severity::Flag, at),
        Mark::Violation(fault) => {
            if sums.last_violation.is_some_and(|last| at < last.plus(ONE_VIOLATION_EACH)) {
                return;
            }
            sums.last_violation = Some(at);
            sums.suspicion = sums.suspicion.with(Severity::Violation, at);
            if sums.clean_needed.take().is_some() {
                let to = quarantined(draft.state(), broke_probation(fault), None, draft.now);
                let session_id = session_id.clone();
                change(draft, to, Cause::Violation { fault, session_id }, None);
            }
        }
        Mark::Proven { fault, level, evidence } => {
            sums.suspicion = sums.suspicion.with(Severity::Violation, at);
            sums.clean_needed = None;
            // The first proof stands; a later one is kept with its session.
            if !matches!(draft.state().standing, Standing::Byzantine { .. }) {
                let to = Standing::Byzantine { fault, at: draft.now, level };
                let session_id = session_id.clone();
                change(draft, to, Cause::Evidence { evidence, session_id }, None);
            }
        }
    }
}

fn broke_probation(fault: FaultKind) -> String {
    format!("{} in probation", fault.name())
}

/// Is it there, as far as these reports tell?
fn presence(draft: &mut Draft<'_, VoterMachine>, new: &[Report], last_seen: Option<Timestamp>) {
    let now = draft.now;
    match draft.state().offline {
        Some(offline) => {
            if let Some(at) = last_seen.filter(|at| *at > offline.since) {
                draft.push(Event::Returned { at });
            }
        }
        None => {
            let silent =
                new.iter().filter(|report| report.mark == Mark::Silent).map(|report| report.at).max();
            let long = |at: Timestamp| last_seen.is_none_or(|seen| at >= seen.plus(OFFLINE_AFTER));
            if silent.is_some_and(long) {
                draft.push(Event::WentOffline { last_seen, at: now });
            }
        }
    }
}
