//! The transition table of the [module](super), one arm per row.

use super::command::{Command, Decided, Engage, Rejection, Reply, Shown};
use super::event::{Engaged, Event, Release, Released, Scope};
use super::state::Stops;
use super::{MAX_IN_FORCE, MAX_VOTERS, StopsMachine};
use crate::kernel::Decision;
use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;

type Answer = Result<Decision<StopsMachine>, Rejection>;

pub(super) fn decide(state: &Stops, command: Command, now: Timestamp) -> Answer {
    match command {
        Command::Engage(engage) => engage_(state, *engage, now),
        Command::Release { stop_id, shown } => release(state, stop_id, *shown, now),
        Command::Tick => Ok(Decision::answer(Reply::Done)),
    }
}

fn invalid(field: &'static str, given: impl ToString, expected: impl Into<String>) -> Rejection {
    Rejection::Invalid { field, given: given.to_string(), expected: expected.into() }
}

fn engage_(state: &Stops, engage: Engage, now: Timestamp) -> Answer {
    let Engage { stop_id, scope, mut release, by, reason } = engage;
    release.voters.sort();
    release.voters.dedup();
    check(&scope, &release)?;
    if let Some(stop) = state.all.get(&stop_id) {
        let same = stop.released.is_none() && stop.engaged.scope == scope && stop.engaged.release == release;
        return match same {
            true => Ok(Decision::answer(Reply::Engaged { duplicate: true })),
            false => Err(Rejection::AlreadyExists),
        };
    }
    if state.in_force.len() >= MAX_IN_FORCE {
        return Err(Rejection::TooMany { limit: MAX_IN_FORCE });
    }
    let number = state.all.len() as u64 + 1;
    let engaged = Engaged { stop_id, number, scope, release, by, reason, at: now };
    Ok(Decision::accept(vec![Event::Engaged(Box::new(engaged))], Reply::Engaged { duplicate: false }))
}

fn check(scope: &Scope, release: &Release) -> Result<(), Rejection> {
    if let Scope::Prefix(prefix) = scope
        && (prefix.is_empty() || prefix.len() > 256)
    {
        let expected = "1 to 256 bytes; everything is a scope of its own";
        return Err(invalid("prefix", format!("{} bytes", prefix.len()), expected));
    }
    let voters = release.voters.len();
    if voters == 0 || voters > MAX_VOTERS {
        return Err(invalid("release_voters", format!("{voters} voters"), format!("1 to {MAX_VOTERS}")));
    }
    if release.need == 0 || release.need as usize > voters {
        return Err(invalid("release_need", release.need, format!("1 to {voters}, as many as may vote")));
    }
    Ok(())
}

fn release(state: &Stops, stop_id: EntityId, shown: Shown, now: Timestamp) -> Answer {
    let stop = state.all.get(&stop_id).ok_or(Rejection::NotFound)?;
    let no = |why, detail: String| Err(Rejection::NotReleasing { why, detail });
    if let Some(released) = &stop.released {
        // The same again is answered from the record.
        return match (&released.kind, &released.decision_id) == (&shown.kind, &shown.id) {
            true => Ok(Decision::answer(Reply::Released { duplicate: true })),
            false => {
                no("already_released", format!("{} {} let it go on", released.kind, released.decision_id))
            }
        };
    }
    let Release { voters, need } = &stop.engaged.release;
    if shown.operation_hash != Some(shown.needed_hash) {
        return no("other_operation", "it allows something else, or the release of another stop".into());
    }
    if shown.older {
        return no("older", "it was begun before the stop was engaged, and cannot have been about it".into());
    }
    match shown.decided {
        Decided::For => {}
        Decided::No => return no("not_decided", "it is not decided yet".into()),
        Decided::Otherwise(outcome) => return no("not_approved", format!("it ended as {outcome}")),
        Decided::Tainted => return no("tainted", "it does not stand without a proven liar".into()),
    }
    if let Some(last) = shown.expires_at.filter(|last| *last < now) {
        return no("expired", format!("it could be used until {last}"));
    }
    if shown.used_up {
        return no("used_up", "it was used as often as it may be".into());
    }
    if shown.fenced {
        return no("fenced", "it may be used under a fencing token only, and a release has none".into());
    }
    if shown.electorate != *voters {
        return no("other_voters", "others could vote than those who were named when it was engaged".into());
    }
    let mut supporters = shown.supporters;
    supporters.sort();
    supporters.dedup();
    supporters.retain(|voter| voters.binary_search(voter).is_ok());
    if supporters.len() < *need as usize {
        let detail =
            format!("too few of those who were named are for it. need={need}, have={}", supporters.len());
        return no("too_few", detail);
    }
    let (kind, decision_id, by) = (shown.kind, shown.id, shown.by);
    let released = Released { stop_id, kind, decision_id, supporters, by, at: now };
    Ok(Decision::accept(vec![Event::Released(Box::new(released))], Reply::Released { duplicate: false }))
}
