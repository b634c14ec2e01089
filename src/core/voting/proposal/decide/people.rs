//! What people need beside votes: places that go to somebody else, and being told again.

use super::super::ProposalMachine;
use super::super::command::{Delegate, Reply};
use super::super::event::{Delegated, Event, Opened, Reminded, Told};
use super::super::rejection::Rejection;
use super::super::state::Proposal;
use super::{Decided, close, invalid, unreachable_without};
use crate::kernel::Decision;
use crate::kernel::ids::VoterId;
use crate::kernel::time::Timestamp;
use crate::voting::people::{MOST_HANDOVERS, remindable};

/// Hands a place on. Whoever gave one away has none any more and takes none, so no place comes back and no head has two.
pub(super) fn delegate(state: &Proposal, opened: &Opened, delegate: Delegate, now: Timestamp) -> Decided {
    let Delegate { from, to, absent, reason } = delegate;
    match state.delegated.get(&from) {
        // The same again is answered from the record, also after the end.
        Some(before) if before.to == to => {
            let other_reason = reason.is_some() && before.reason != reason;
            return Ok(Decision::answer(Reply::Delegated { duplicate: true, other_reason }));
        }
        Some(_) => return Err(Rejection::Delegated { to: state.holder_of(&from).clone() }),
        None => {}
    }
    let Some(place) = state.place_of(&from).cloned() else { return Err(Rejection::NotParticipant) };
    if let Some(decision) = state.decision() {
        return Err(Rejection::Closed { decision });
    }
    if state.votes.contains_key(&place) {
        return Err(invalid("from", from.as_str(), "a voter whose vote is outstanding; this one has voted"));
    }
    if to == from || state.place_of(&to).is_some() {
        return Err(invalid("to", to.as_str(), "somebody who is not asked: nobody has two places"));
    }
    if state.delegated.contains_key(&to) {
        return Err(invalid("to", to.as_str(), "somebody who did not hand a place on in this question"));
    }
    let before = state.delegated.values().filter(|one| one.place == place).count();
    if before >= MOST_HANDOVERS {
        let expected = format!("a place that was handed on fewer than {MOST_HANDOVERS} times");
        return Err(invalid("from", from.as_str(), expected));
    }
    let absent = absent && opened.fail_fast;
    let event = Event::Delegated(Box::new(Delegated { from, to, place, absent, reason, at: now }));
    let mut after = state.clone();
    after.evolve(&event);
    let end = unreachable_without(&after, opened, &after.count, None, &after.absent);
    let mut events = vec![event];
    events.extend(end.map(|end| close(&after, opened, end, now, now, None)));
    let effects = if events.len() == 1 { after.tell().into_iter().collect() } else { Vec::new() };
    Ok(Decision::accept(events, Reply::Delegated { duplicate: false, other_reason: false })
        .with_effects(effects))
}

/// Tells outstanding voters again: all of them who were not told again just now, or the one that is named.
pub(super) fn remind(
    state: &Proposal,
    voter: Option<VoterId>,
    by: Option<String>,
    now: Timestamp,
) -> Decided {
    if let Some(decision) = state.decision() {
        return Err(Rejection::Closed { decision });
    }
    let meant: Vec<VoterId> = match voter {
        Some(voter) if state.awaits(&voter) => vec![voter],
        Some(voter) => {
            let some: Vec<&str> = state.outstanding().into_iter().take(10).map(VoterId::as_str).collect();
            let expected = format!("a voter whose vote is outstanding, such as {}", some.join(", "));
            return Err(invalid("voter", voter.as_str(), expected));
        }
        None => state.outstanding().into_iter().cloned().collect(),
    };
    if meant.is_empty() {
        return Ok(Decision::answer(Reply::Reminded(Vec::new())));
    }
    let voter_ids = remindable(meant, |voter| state.told.get(voter).copied(), now)
        .map_err(|retry_after_ms| Rejection::RemindedBefore { retry_after_ms })?;
    Ok(reminding(state, voter_ids, by, false, now))
}

/// Tells those again whose time has come by the question's own timer.
pub(super) fn remind_by_itself(state: &Proposal, now: Timestamp) -> Decision<ProposalMachine> {
    let due = |voter: &&VoterId| state.reminder_of(voter).is_some_and(|due| due <= now);
    let voter_ids = state.outstanding().into_iter().filter(due).cloned().collect();
    Decision { reply: Ok(Reply::Done), ..reminding(state, voter_ids, None, true, now) }
}

fn reminding(
    state: &Proposal,
    voter_ids: Vec<VoterId>,
    by: Option<String>,
    by_itself: bool,
    now: Timestamp,
) -> Decision<ProposalMachine> {
    let reply = Reply::Reminded(voter_ids.clone());
    let event = Event::Reminded(Box::new(Reminded { voter_ids, by_itself, by, at: now }));
    let mut after = state.clone();
    after.evolve(&event);
    Decision::accept(vec![event], reply).with_effects(after.tell().into_iter().collect())
}

/// Who was told: it is owed no longer.
pub(super) fn record_told(
    state: &Proposal,
    voters: Vec<VoterId>,
    taken: Vec<VoterId>,
    now: Timestamp,
) -> Decision<ProposalMachine> {
    let voter_ids: Vec<VoterId> = voters.into_iter().filter(|voter| state.to_tell.contains(voter)).collect();
    if voter_ids.is_empty() {
        return Decision::answer(Reply::Done);
    }
    let taken = taken.into_iter().filter(|voter| voter_ids.contains(voter)).collect();
    Decision::accept(vec![Event::Told(Box::new(Told { voter_ids, taken, at: now }))], Reply::Done)
}
