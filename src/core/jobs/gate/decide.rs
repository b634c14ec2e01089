//! The transition table of the [module](super): what is asked of the gate itself.

use std::collections::BTreeSet;

use super::command::{Command, Reply, Track};
use super::event::{Event, Target, Tracked};
use super::outbox::fingerprint;
use super::rejection::Rejection;
use super::settings::within;
use super::state::{Finished, Gate, Run};
use super::{Datacenters, Effect, GateMachine, MAX_TARGETS, moves, receive, succession, verdict};
use crate::jobs::protocol::limits::{
    MAX_ADDR_BYTES, MAX_REASON_BYTES, MAX_SENT_ADDR_BYTES, MAX_SPAN_MS, clip, too_long,
};
use crate::jobs::protocol::message::{FinalStatus, JobCancelResponse, JobDispatch, Leader};
use crate::jobs::protocol::token::FenceToken;
use crate::kernel::Decision;
use crate::kernel::draft;
use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;

pub(super) type Decided = Result<Decision<GateMachine>, Rejection>;

pub(super) fn decide(state: &Gate, command: Command, now: Timestamp, known: &Datacenters) -> Decided {
    succession::check_leads(state, &command)?;
    match command {
        Command::Track(track) => self::track(state, *track, now, known),
        Command::Receive(message) => receive::receive(state, &message, now, known),
        Command::Cancel { requester_id, reason } => {
            check_bytes("requester_id", &requester_id, MAX_REASON_BYTES)?;
            check_bytes("reason", &reason, MAX_REASON_BYTES)?;
            let mut draft = Draft::new(state, now);
            let response = cancel(&mut draft, &requester_id, &reason)?;
            Ok(draft.decided(Ok(Reply::Cancelled(response))))
        }
        Command::Redirect { from, chain, reason } => redirect(state, from, &chain, &reason, now, known),
        Command::TakeOver { datacenter, from, to, addr, plan, reason } => {
            let manager = Target { datacenter, manager: to, manager_addr: addr };
            take_over(state, &from, manager, *plan, &reason, now)
        }
        Command::DatacenterGone { datacenter, from, chain, plan, reason } => {
            let gone = moves::Gone { datacenter, from, chain, plan: *plan, reason };
            moves::gone(Draft::new(state, now), gone, known)
        }
        Command::DatacenterBack { datacenter } => moves::back(Draft::new(state, now), datacenter),
        Command::Transfer { to, addr } => transfer(state, to, addr, now, known),
        Command::AskLeads => succession::ask_leads(Draft::new(state, now)),
        Command::RunErrands { due } => {
            let falls =
                |sending: Option<_>| sending.is_some_and(|s: crate::kernel::resend::Sending| s.falls_on(due));
            let messages = state.messages(due, |errand| falls(state.sending(errand)));
            let effects = messages.into_iter().map(Effect::from).collect();
            Ok(Decision::answer(Reply::Done).with_effects(effects))
        }
        Command::Tick => Ok(Draft::new(state, now).decided(Ok(Reply::Done))),
    }
}

/// A decision in the making.
pub(super) type Draft<'a> = draft::Draft<'a, GateMachine>;

impl Draft<'_> {
    /// The decision, with all that follows from it: a verdict, the end, and what is sent for the first time.
    pub(super) fn decided(mut self, reply: Result<Reply, Rejection>) -> Decision<GateMachine> {
        conclude(&mut self);
        let old = self.before().last_number;
        let sent = self.state().messages(self.now, |errand| errand.number > old);
        sent.into_iter().for_each(|message| self.owe(message));
        self.decision(reply)
    }
}

/// What follows from the state at this instant.
fn conclude(draft: &mut Draft) {
    let now = draft.now;
    let declared = draft.state().run.as_ref().and_then(|run| declare(draft.state(), run, now));
    declared.into_iter().for_each(|event| draft.push(event));
    let Some(run) = &draft.state().run else { return };
    let open: Vec<EntityId> = run.open().cloned().collect();
    let overdue = run.abandon_at().is_some_and(|at| at <= now) || run.ends_without_the_lost();
    if !open.is_empty() && !overdue {
        return;
    }
    if !open.is_empty() {
        draft.push(Event::Abandoned { datacenters: open, at: now });
    }
    if let Some(run) = &draft.state().run {
        let status = verdict::global_status(run);
        let late_completion = status == FinalStatus::Completed && run.decision.is_some();
        draft.push(Event::Finished { status, late_completion, at: now });
    }
}

fn declare(state: &Gate, run: &Run, now: Timestamp) -> Option<Event> {
    if run.decision.is_some() || run.cancel.is_some() {
        return None;
    }
    let rule = verdict::verdict(run, now)?;
    let evidence = verdict::evidence(run, now);
    Some(Event::Declared {
        decision_id: state.decisions.saturating_add(1),
        rule,
        reason: verdict::reason(run, rule, &evidence),
        evidence,
        at: now,
    })
}

fn track(state: &Gate, track: Track, now: Timestamp, known: &Datacenters) -> Decided {
    check(&track, known, addr)?;
    if let Some(expected) = state.job_id.as_ref().filter(|id| **id != track.job_id) {
        return Err(Rejection::OtherJob { expected: expected.clone(), given: track.job_id });
    }
    if let Some(run) = &state.run {
        let gate_epoch = state.gate_epoch;
        let reply = Reply::Tracked { gate_epoch, new: false };
        return if same(run, &track) {
            Ok(Decision::answer(reply))
        } else {
            Err(Rejection::AlreadyTracked { gate_epoch })
        };
    }
    // Whoever lost the reply and asks again must not run the job twice.
    if let Some(finished) = &state.finished {
        return if same_as_ended(finished, &track) {
            Ok(Decision::answer(Reply::Tracked { gate_epoch: state.gate_epoch, new: false }))
        } else {
            Err(Rejection::IdOfEnded { status: finished.status.name() })
        };
    }
    let gate_epoch = state.gate_epoch.next(known.floor()).ok_or(Rejection::EpochsExhausted)?;
    let Track { job_id, gate, gate_addr, targets, mut plan, settings, payloads } = track;
    plan.gate_epoch = gate_epoch;
    let tracked = Tracked { job_id, gate, gate_addr, gate_epoch, targets, plan, settings, at: now };
    let mut draft = Draft::new(state, now);
    draft.push(Event::Tracked(Box::new(tracked)));
    if !payloads.is_empty() {
        draft.push(Event::PayloadNoted { payloads: Box::new(payloads), at: now });
    }
    Ok(draft.decided(Ok(Reply::Tracked { gate_epoch, new: true })))
}

/// How long an address may be depends on whether it is said for the first time.
pub(super) fn check(
    track: &Track,
    known: &Datacenters,
    addr: fn(&'static str, &str) -> Result<(), Rejection>,
) -> Result<(), Rejection> {
    let Track { gate_addr, targets, plan, settings, payloads, .. } = track;
    if let Some((field, given, expected)) = payloads.too_long() {
        return Err(Rejection::Invalid { field, given, expected });
    }
    settings.check()?;
    if let Some(timeout_ms) = plan.timeout_ms {
        within("timeout_ms", timeout_ms, MAX_SPAN_MS)?;
    }
    addr("gate_addr", gate_addr)?;
    if targets.is_empty() {
        return Err(Rejection::NoTargets);
    }
    if targets.len() > MAX_TARGETS {
        let expected = format!("1 to {MAX_TARGETS} datacenters");
        return Err(Rejection::Invalid { field: "targets", given: targets.len().to_string(), expected });
    }
    let mut seen = BTreeSet::new();
    for target in targets {
        let datacenter = || target.datacenter.clone();
        if !seen.insert(&target.datacenter) {
            return Err(Rejection::DuplicateTarget { datacenter: datacenter() });
        }
        if !known.knows(&target.datacenter) {
            return Err(Rejection::UnknownDatacenter { datacenter: datacenter() });
        }
        addr("manager_addr", &target.manager_addr)?;
    }
    Ok(())
}

/// Is this the job that is tracked? Who leads it may have changed since.
fn same(run: &Run, track: &Track) -> bool {
    run.datacenters.keys().collect::<BTreeSet<_>>() == named(track)
        && run.settings == track.settings
        && run.payloads == track.payloads
        && run.fingerprint == fingerprint(&track.plan)
}

/// Is this the job that was tracked, and has ended?
fn same_as_ended(finished: &Finished, track: &Track) -> bool {
    finished.datacenters.keys().collect::<BTreeSet<_>>() == named(track)
        && finished.settings == track.settings
        && finished.payloads == track.payloads.fingerprint()
        && finished.fingerprint == fingerprint(&track.plan)
}

fn named(track: &Track) -> BTreeSet<&EntityId> {
    track.targets.iter().map(|target| &target.datacenter).collect()
}

fn transfer(state: &Gate, gate: Leader, gate_addr: String, now: Timestamp, known: &Datacenters) -> Decided {
    addr("new_gate_addr", &gate_addr)?;
    let run = running(state)?;
    if run.gate == gate && run.gate_addr == gate_addr {
        return Ok(Decision::answer(Reply::Transferred { gate_epoch: state.gate_epoch }));
    }
    let gate_epoch = state.gate_epoch.next(known.floor()).ok_or(Rejection::EpochsExhausted)?;
    let mut draft = Draft::new(state, now);
    draft.push(Event::GateTransferred { gate, gate_addr, gate_epoch, at: now });
    Ok(draft.decided(Ok(Reply::Transferred { gate_epoch })))
}

/// Sends the job to the next of the chain. One that took it, or may have been heard of, keeps it; so does the last of the
/// chain: where it was taken from it does not come again under this epoch.
fn redirect(
    state: &Gate,
    from: EntityId,
    chain: &[Target],
    reason: &str,
    now: Timestamp,
    known: &Datacenters,
) -> Decided {
    let run = running(state)?;
    let Some(dc) = run.datacenters.get(&from) else {
        return Err(Rejection::UnknownDatacenter { datacenter: from });
    };
    let waits = run.dispatches(&from) && dc.known_token() == FenceToken::NONE && !run.is_over();
    let mut draft = Draft::new(state, now);
    if let Some(to) = run.next_of(chain, known).filter(|_| waits).cloned() {
        addr("manager_addr", &to.manager_addr)?;
        let (reason, earlier, at) = (clip(reason), dc.earlier, now);
        draft.push(if earlier == FenceToken::NONE {
            Event::Redirected { from, to, reason, at }
        } else {
            // Another manager there had it, and may have it still.
            let above_token = moves::above(state, earlier, &to)?;
            Event::Moved { from, to, above_token, plan: None, reason, at }
        });
    }
    Ok(draft.decided(Ok(Reply::Done)))
}

/// Tokens of one manager: as many as it may mint by itself while it leads, for instance one for each of its restarts.
const TOKENS_OF_A_MANAGER: u64 = 1 << 20;

/// The first token above all that a leader who held this one may mint by itself.
pub(super) fn block_above(held: FenceToken) -> Result<FenceToken, Rejection> {
    let next = (held.get() / TOKENS_OF_A_MANAGER).checked_add(1);
    let block = next.and_then(|next| next.checked_mul(TOKENS_OF_A_MANAGER));
    block.map(FenceToken::shown).ok_or(Rejection::EpochsExhausted)
}

/// Gives the job to another manager of the datacenter, which leads above every token that the one before may have minted
/// meanwhile: the two never have the same one.
fn take_over(
    state: &Gate,
    from: &Leader,
    to: Target,
    plan: JobDispatch,
    reason: &str,
    now: Timestamp,
) -> Decided {
    addr("manager_addr", &to.manager_addr)?;
    let run = running(state)?;
    let Target { datacenter, manager, manager_addr } = to;
    let Some(dc) = run.datacenters.get(&datacenter) else {
        return Err(Rejection::UnknownDatacenter { datacenter });
    };
    let mut draft = Draft::new(state, now);
    if dc.ended || dc.leader != *from || manager == *from {
        return Ok(draft.decided(Ok(Reply::Done)));
    }
    if run.plan.is_none() && fingerprint(&plan) != run.fingerprint {
        return Err(Rejection::AlreadyTracked { gate_epoch: state.gate_epoch });
    }
    let above_token = block_above(dc.fence_token.max(dc.earlier))?;
    draft.push(Event::TakenOver {
        datacenter,
        from: from.clone(),
        to: manager,
        addr: manager_addr,
        above_token,
        plan: run.plan.is_none().then(|| Box::new(plan)),
        reason: clip(reason),
        at: now,
    });
    Ok(draft.decided(Ok(Reply::Done)))
}

/// Asks to stop the job. What came first stands: a decision, an end, or an earlier request.
pub(super) fn cancel(
    draft: &mut Draft,
    requester_id: &str,
    reason: &str,
) -> Result<JobCancelResponse, Rejection> {
    let state = draft.state();
    let all = state.datacenters().ok_or(Rejection::NotTracked)?;
    let stopped = all.values().map(|dc| dc.cancelled_workflows).fold(0, u64::saturating_add);
    let ended = state.finished.as_ref().map(|finished| finished.status);
    let run = state.run.as_ref();
    let decided = run.is_some_and(|run| run.decision.is_some()).then_some(FinalStatus::Timeout);
    let again = run.is_some_and(|run| run.cancel.is_some()).then_some(FinalStatus::Cancelled);
    if let Some(before) = ended.or(decided).or(again) {
        return Ok(JobCancelResponse::over(before, stopped));
    }
    let (requester_id, reason) = (clip(requester_id), clip(reason));
    draft.push(Event::CancelRequested { requester_id, reason, at: draft.now });
    Ok(JobCancelResponse::stopped(stopped))
}

pub(super) fn running(state: &Gate) -> Result<&Run, Rejection> {
    let ended = |finished: &Finished| Rejection::Ended { status: finished.status.name() };
    state.run.as_ref().ok_or_else(|| state.finished.as_ref().map_or(Rejection::NotTracked, ended))
}

/// Checks an address that is said for the first time.
pub(super) fn addr(field: &'static str, given: &str) -> Result<(), Rejection> {
    check_bytes(field, given, MAX_ADDR_BYTES)
}

/// Checks an address in a message: it may have been said when more was allowed.
pub(super) fn sent_addr(field: &'static str, given: &str) -> Result<(), Rejection> {
    check_bytes(field, given, MAX_SENT_ADDR_BYTES)
}

fn check_bytes(field: &'static str, given: &str, most: usize) -> Result<(), Rejection> {
    too_long(given, most)
        .map_or(Ok(()), |(given, expected)| Err(Rejection::Invalid { field, given, expected }))
}
