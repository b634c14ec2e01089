//! What people need beside votes: more time, places that go to somebody else, and being told again.

use super::super::SessionMachine;
use super::super::command::{Rejection, Reply};
use super::super::delegation::{Delegate, Delegated, Delegation};
use super::super::event::{Authentication, Event, Opened, Outcome, Refusal};
use super::super::state::Session;
use super::Decided;
use super::verify;
use crate::kernel::Decision;
use crate::kernel::draft::Draft;
use crate::kernel::ids::VoterId;
use crate::kernel::time::Timestamp;
use crate::voting::extension::{Extend, Unfit};
use crate::voting::people::{MOST_HANDOVERS, Reminded, remindable};

fn unfit((field, given, expected): Unfit) -> Rejection {
    Rejection::Invalid { field, given, expected }
}

fn invalid(field: &'static str, voter: &VoterId, expected: impl Into<String>) -> Rejection {
    unfit((field, voter.to_string(), expected.into()))
}

/// Votes are taken longer, never shorter. Whatever a deadline that has passed brings was noticed before.
pub(super) fn extend(state: &Session, opened: &Opened, extend: Extend, now: Timestamp) -> Decided {
    if let Some(outcome) = state.outcome() {
        return Err(Rejection::Ended { outcome });
    }
    let before = state.deadline(opened);
    let extended = extend.of("timeout_ms", opened.opened_at, before, now).map_err(unfit)?;
    let duplicate = extended.is_none();
    let mut draft = Draft::<SessionMachine>::new(state, now);
    if let Some(extended) = extended {
        draft.push(Event::Extended(Box::new(extended)));
    }
    draft.finish(Ok(Reply::Extended { duplicate }))
}

/// Hands a place on. Whoever gave one away has none any more and takes none, so no place comes back and no head has two. Who
/// voted or promised in this session keeps its place: what two say who had one place one after the other contradicts nothing.
pub(super) fn delegate(state: &Session, opened: &Opened, delegate: Delegate, now: Timestamp) -> Decided {
    let Delegate { from, to, issued_at, proof, standing, reason } = delegate;
    match state.delegated.get(&from) {
        // The same again is answered from the record, also after the end.
        Some(before) if before.to.voter_id == to.voter_id => {
            let other_reason = reason.is_some() && before.reason != reason;
            return Ok(Decision::answer(Reply::Delegated { duplicate: true, other_reason }));
        }
        Some(_) => return Err(Rejection::Delegated { to: state.holder_of(&from).clone() }),
        None => {}
    }
    if let Some(outcome) = state.outcome() {
        return Err(Rejection::Ended { outcome });
    }
    let refused = |(reason, detail): verify::No| Rejection::Delegation { reason, detail };
    if now > state.deadline(opened) {
        return Err(refused((Refusal::SessionClosed, "the deadline has passed".to_owned())));
    }
    let elector = verify::eligibility(state, &from, standing.as_ref()).map_err(refused)?;
    let public_key = to.credential.public_key;
    let delegation = Delegation { from: from.clone(), to: to.voter_id.clone(), public_key, issued_at };
    let message = || delegation.message(&opened.binding());
    let authenticity = verify::shown(opened, elector, &proof, message).map_err(refused)?;
    verify::clock(issued_at, now).map_err(refused)?;
    if state.has_spoken(&from) {
        let expected = "a voter who neither voted nor promised a vote in this session";
        return Err(invalid("from", &from, expected));
    }
    if !state.awaits(&from) {
        return Err(invalid("from", &from, "a voter whose vote is outstanding"));
    }
    let name = &to.voter_id;
    if *name == from || state.elector(name).is_some() {
        return Err(invalid("to", name, "somebody who is not asked: nobody has two places"));
    }
    if state.delegated.contains_key(name) {
        return Err(invalid("to", name, "somebody who did not hand a place on in this session"));
    }
    let held = || state.places(opened).map(|(_, holder)| holder).chain(&opened.electors);
    if public_key.is_some() && held().any(|other| other.credential.public_key == public_key) {
        return Err(invalid("to", name, "a voter whose key is that of nobody else in this session"));
    }
    let credential = to.credential;
    let mute = credential.public_key.is_none() && credential.handle_hash.is_none();
    if mute && opened.terms.authentication == Authentication::Required {
        return Err(invalid(
            "to",
            name,
            "a voter with a key or a handle, where votes must show whose they are",
        ));
    }
    let place = state.place_of(&from);
    if state.delegated.values().filter(|one| one.place == *place).count() >= MOST_HANDOVERS {
        let expected = format!("a place that was handed on fewer than {MOST_HANDOVERS} times");
        return Err(invalid("from", &from, expected));
    }
    let (power, uncapped) = (elector.power, elector.uncapped);
    let event = Event::Delegated(Box::new(Delegated {
        place: place.clone(),
        to: super::super::event::Elector { power, uncapped, ..to },
        from,
        issued_at,
        authenticity,
        signature: proof.signature,
        reason,
        at: now,
    }));
    Ok(Decision::accept(vec![event], Reply::Delegated { duplicate: false, other_reason: false }))
}

/// Tells outstanding voters again: all of them who were not told again just now, or the one that is named.
pub(super) fn remind(
    state: &Session,
    opened: &Opened,
    voter: Option<VoterId>,
    by: Option<String>,
    now: Timestamp,
) -> Decided {
    if let Some(outcome) = state.outcome() {
        return Err(Rejection::Ended { outcome });
    }
    if now > state.deadline(opened) {
        return Err(Rejection::Ended { outcome: Outcome::Timeout });
    }
    let meant: Vec<VoterId> = match voter {
        Some(voter) if state.awaits(&voter) => vec![voter],
        Some(voter) => {
            let some: Vec<String> =
                state.outstanding().into_iter().take(10).map(|voter| voter.to_string()).collect();
            let expected = format!("a voter whose vote is outstanding, such as {}", some.join(", "));
            return Err(invalid("voter", &voter, expected));
        }
        None => state.outstanding(),
    };
    if meant.is_empty() {
        return Ok(Decision::answer(Reply::Reminded(Vec::new())));
    }
    let voter_ids = remindable(meant, |voter| state.reminded.get(voter).copied(), now)
        .map_err(|retry_after_ms| Rejection::RemindedBefore { retry_after_ms })?;
    let reminded = Reminded { voter_ids: voter_ids.clone(), by_itself: false, by, at: now };
    Ok(Decision::accept(vec![Event::Reminded(Box::new(reminded))], Reply::Reminded(voter_ids)))
}

/// Those who are told again now by the session's own timer.
pub(super) fn due_again(state: &Session, opened: &Opened, now: Timestamp) -> Option<Event> {
    let due = |voter: &VoterId| state.reminder_of(opened, voter).is_some_and(|due| due <= now);
    let voter_ids: Vec<VoterId> = state.outstanding().into_iter().filter(due).collect();
    let reminded = Reminded { voter_ids, by_itself: true, by: None, at: now };
    (!reminded.voter_ids.is_empty()).then(|| Event::Reminded(Box::new(reminded)))
}
