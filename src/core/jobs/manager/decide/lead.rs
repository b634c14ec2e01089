//! Leadership: handing it over, giving it up, holding it by a lease, and taking it up in a new process.

use super::draft::Draft;
use crate::jobs::manager::command::Reply;
use crate::jobs::manager::event::{Event, LeaderChanged, Manner, Resumed};
use crate::jobs::manager::heard::Heard;
use crate::jobs::manager::outbox::{Notice, Recipient};
use crate::jobs::manager::rejection::{Rejection, invalid};
use crate::jobs::manager::settings::{DowntimePolicy, MAX_LEASE_MS, check_addr, check_text};
use crate::jobs::manager::state::Job;
use crate::jobs::protocol::message::Leader;
use crate::jobs::protocol::token::{FenceToken, Standing, standing};
use crate::kernel::ids::EntityId;
use crate::kernel::time::{ClockStep, Downtime, Gap, millis};

pub(super) fn transfer(
    draft: &mut Draft<'_>,
    to: Leader,
    addr: String,
    force: bool,
    token: Option<FenceToken>,
) -> Result<Reply, Rejection> {
    check_addr("new_leader_addr", &addr)?;
    check_open(draft)?;
    check_shown(draft, "transfer", token)?;
    let run = draft.run()?;
    if run.leader == to && run.suspended_at.is_none() {
        return Ok(Reply::Leads { token: run.token });
    }
    let manner = match (force, token) {
        (true, _) => Manner::Forced,
        (false, Some(_)) => Manner::Graceful,
        (false, None) => Manner::Takeover,
    };
    // The holder itself may name whom it likes: it shows its token.
    if manner == Manner::Takeover {
        check_lease(draft, &to)?;
    }
    let token = lead(draft, to, addr, manner)?;
    Ok(Reply::Leads { token })
}

/// The job has not ended; whether anybody leads it does not matter.
fn check_open(draft: &Draft<'_>) -> Result<(), Rejection> {
    match &draft.run()?.ended {
        Some(ended) => Err(Rejection::AlreadyTerminal { status: ended.status }),
        None => Ok(()),
    }
}

/// As [`Draft::check_fence`], also of a job that nobody leads.
fn check_shown(draft: &mut Draft<'_>, what: &str, shown: Option<FenceToken>) -> Result<(), Rejection> {
    let held = draft.run()?.token;
    let Some(given) = shown else { return Ok(()) };
    if given == FenceToken::NONE {
        return Err(invalid("fence_token", given, "at least 1"));
    }
    let rejection = match standing(given, held) {
        Standing::Current => return Ok(()),
        Standing::Stale => Rejection::Stale { held, given },
        Standing::Newer => Rejection::UnknownToken { held, given },
    };
    draft.record_fence(what, given, held.get());
    Err(rejection)
}

fn check_lease(draft: &Draft<'_>, to: &Leader) -> Result<(), Rejection> {
    let lease = &draft.state().lease;
    match lease.holder_at(draft.now).filter(|holder| *holder != to) {
        Some(holder) => Err(Rejection::LeaseHeld {
            holder: holder.clone(),
            expires_in_ms: millis(lease.expires_at.since(draft.now)).max(1),
        }),
        None => Ok(()),
    }
}

fn lead(draft: &mut Draft<'_>, to: Leader, addr: String, manner: Manner) -> Result<FenceToken, Rejection> {
    lead_by(draft, to, addr, manner, FenceToken::NONE)
}

/// Takes a job up again that another manager of the datacenter led meanwhile, under tokens upto this one.
pub(super) fn lead_above(
    draft: &mut Draft<'_>,
    to: Leader,
    addr: String,
    above: FenceToken,
) -> Result<FenceToken, Rejection> {
    lead_by(draft, to, addr, Manner::Takeover, above)
}

/// A new leadership: the token first, then everybody is told under it.
fn lead_by(
    draft: &mut Draft<'_>,
    to: Leader,
    addr: String,
    manner: Manner,
    above: FenceToken,
) -> Result<FenceToken, Rejection> {
    let token = draft.state().highest_token.max(above).next(draft.context().floor());
    let token = token.ok_or(Rejection::TokensExhausted)?;
    let run = draft.run()?;
    let from = run.leader.clone();
    let vacant = run.suspended_at.map_or(std::time::Duration::ZERO, |since| draft.now.since(since));
    draft.push(Event::LeaderChanged(Box::new(LeaderChanged {
        to,
        addr,
        from: from.clone(),
        token,
        manner,
        vacant_us: u64::try_from(vacant.as_micros()).unwrap_or(u64::MAX),
        at: draft.now,
    })));
    tell(draft, Some(from));
    Ok(token)
}

/// Gate and workers hear of a new leadership.
fn tell(draft: &mut Draft<'_>, old_manager: Option<Leader>) {
    let Ok(run) = draft.run() else { return };
    let (now, at_workers) = (draft.now, run.at_workers());
    let elapsed_ms = millis(run.elapsed(now));
    let idle_ms = millis(run.idle(now));
    draft.queue(Recipient::Gate, Notice::LeaderTransfer { elapsed_ms, idle_ms });
    for (worker, workflow_ids) in at_workers {
        let old_manager = old_manager.clone();
        draft.queue(Recipient::Worker(worker), Notice::WorkerTransfer { workflow_ids, old_manager });
    }
}

pub(super) fn suspend(draft: &mut Draft<'_>, token: FenceToken, reason: &str) -> Result<Reply, Rejection> {
    check_text("reason", reason)?;
    check_open(draft)?;
    check_shown(draft, "suspend", Some(token))?;
    if draft.run()?.suspended_at.is_some() {
        return Ok(Reply::Changed(false));
    }
    let at = draft.now;
    draft.push(Event::Suspended { token, reason: reason.to_owned(), at });
    Ok(Reply::Changed(true))
}

/// What is asked of a lease besides who holds it.
pub(super) struct Terms {
    /// The version the caller saw.
    pub(super) seen: Option<u64>,
    pub(super) force: bool,
    pub(super) lease_ms: Option<u64>,
    pub(super) in_process: bool,
    /// The identity in whose name.
    pub(super) by: Option<EntityId>,
}

pub(super) fn acquire(
    draft: &mut Draft<'_>,
    holder: Leader,
    addr: String,
    asked: Terms,
) -> Result<Reply, Rejection> {
    let Terms { seen, force, lease_ms, in_process, by } = asked;
    check_addr("holder_addr", &addr)?;
    check_length(lease_ms)?;
    check_open(draft)?;
    let lease = &draft.state().lease;
    if let Some(given) = seen.filter(|seen| *seen != lease.version) {
        return Err(Rejection::LeaseChanged { held: lease.version, given });
    }
    let (at, settings) = (draft.now, draft.run()?.terms.settings.lease);
    if lease.holder_at(at) == Some(&holder) {
        if lease.in_process == in_process {
            return extend(draft, lease_ms);
        }
        let (token, asked_ms) = (lease.token, lease_ms.or(lease.length_ms));
        let (expires_at, lease_ms) = (settings.expiry(asked_ms, at), settings.length_ms(asked_ms));
        draft.push(Event::LeaseGranted { holder, token, expires_at, lease_ms, in_process, at });
        asked_for(draft, by);
        return held(draft);
    }
    if !force && !lease.is_left_to(&holder) {
        check_lease(draft, &holder)?;
    }
    let manner = if force { Manner::Forced } else { Manner::Takeover };
    let expires_at = settings.expiry(lease_ms, at);
    let token = lead(draft, holder.clone(), addr, manner)?;
    draft.push(if lease_ms.is_none() && !in_process {
        Event::LeaseTaken { holder, token, expires_at, at }
    } else {
        let lease_ms = settings.length_ms(lease_ms);
        Event::LeaseGranted { holder, token, expires_at, lease_ms, in_process, at }
    });
    asked_for(draft, by);
    held(draft)
}

/// Puts on record which identity took the lease.
fn asked_for(draft: &mut Draft<'_>, by: Option<EntityId>) {
    let at = draft.now;
    if let Some(by) = by {
        draft.push(Event::LeaseAskedBy { by, at });
    }
}

fn check_length(lease_ms: Option<u64>) -> Result<(), Rejection> {
    match lease_ms.filter(|ms| !(1..=MAX_LEASE_MS).contains(ms)) {
        Some(ms) => Err(invalid("lease_ms", ms, format!("1 to {MAX_LEASE_MS}"))),
        None => Ok(()),
    }
}

/// A holder that shows a token it has had since it took the lease holds it still: it is told the one in force.
pub(super) fn renew(
    draft: &mut Draft<'_>,
    holder: &Leader,
    token: FenceToken,
    lease_ms: Option<u64>,
) -> Result<Reply, Rejection> {
    check_length(lease_ms)?;
    check_holds(draft, "renew_lease", holder, token)?;
    extend(draft, lease_ms)
}

fn check_holds(
    draft: &mut Draft<'_>,
    what: &str,
    holder: &Leader,
    token: FenceToken,
) -> Result<(), Rejection> {
    check_open(draft)?;
    if draft.state().lease.knows(holder, token, draft.now) {
        return Ok(());
    }
    check_shown(draft, what, Some(token))?;
    check_lease(draft, holder)?;
    Err(Rejection::LeaseExpired)
}

fn extend(draft: &mut Draft<'_>, lease_ms: Option<u64>) -> Result<Reply, Rejection> {
    let (at, settings) = (draft.now, draft.run()?.terms.settings.lease);
    let before = draft.state().lease.length_ms;
    let expires_at = settings.expiry(lease_ms.or(before), at);
    draft.push(match lease_ms.filter(|_| lease_ms != before) {
        Some(lease_ms) => Event::LeaseResized { lease_ms, expires_at, at },
        None => Event::LeaseRenewed { expires_at, at },
    });
    held(draft)
}

pub(super) fn release(draft: &mut Draft<'_>, holder: &Leader, token: FenceToken) -> Result<Reply, Rejection> {
    check_holds(draft, "release_lease", holder, token)?;
    let at = draft.now;
    draft.push(Event::LeaseReleased { at });
    held(draft)
}

fn held(draft: &Draft<'_>) -> Result<Reply, Rejection> {
    let lease = &draft.state().lease;
    Ok(Reply::Lease { token: lease.token, version: lease.version, expires_at: lease.expires_at })
}

/// After a gap the job goes on: under a new token if a new process took it up, and with what nobody could see left out
/// of every wait. A clock that was set ahead moves no deadline. A job that
/// nobody leads is left as it is, and one that has ended too, but for the workers that did not confirm yet. A gap in
/// this process that was left out before stays so.
pub(in crate::jobs::manager) fn resume(state: &Job, away: Downtime, heard: &Heard) -> Vec<Event> {
    let Some(run) = &state.run else { return Vec::new() };
    let began = away.began;
    let seen = state.resumed_in >= Some(began) || state.last_recorded > began;
    if seen && away.gap.is_within_a_process() || run.suspended_at.is_some() {
        return Vec::new();
    }
    let length = away.length_after(state.last_recorded);
    let away_us = u64::try_from(length.as_micros()).unwrap_or(u64::MAX);
    if run.ended.is_some() {
        let asks = state.due().is_some();
        return if asks { vec![Event::StoppingResumed { began, away_us }] } else { Vec::new() };
    }
    // Numbers that ran out are never minted again; the job then goes on under the last one.
    let token = match away.gap {
        Gap::Restart => state.highest_token.next(heard.floor()),
        Gap::Command | Gap::Suspend | Gap::ClockJump | Gap::Pause => Some(run.token),
    };
    let Some(token) = token else { return Vec::new() };
    let unbudgeted_us = match (away.gap, run.terms.settings.downtime) {
        (Gap::ClockJump, _) | (_, DowntimePolicy::Exclude) => away_us,
        (Gap::Restart | Gap::Command | Gap::Suspend | Gap::Pause, DowntimePolicy::Count) => 0,
    };
    let mut draft = Draft::new(state, began);
    let (elapsed, idle) = (run.elapsed(began), run.idle(began));
    draft.push(Event::Resumed(Resumed {
        began,
        token,
        gap: away.gap,
        away_us,
        unbudgeted_us,
        elapsed_ms: millis(elapsed).saturating_sub(unbudgeted_us / 1_000),
        idle_ms: millis(idle.saturating_sub(length)),
    }));
    if away.gap == Gap::Restart {
        tell(&mut draft, None);
    }
    draft.into_events()
}

/// Whoever asks later why a job ended when it did finds that the wall clock was set, each time. A job that began after
/// it, or has it on record, knows nothing of it.
pub(in crate::jobs::manager) fn clock_stepped(state: &Job, step: ClockStep) -> Vec<Event> {
    let ClockStep { at, by_us } = step;
    let live = state.run.as_ref().is_some_and(|run| run.ended.is_none() && run.started_at <= at);
    if !live || state.clock_set_at >= Some(at) {
        return Vec::new();
    }
    vec![Event::ClockStepped { by_us, at }]
}
