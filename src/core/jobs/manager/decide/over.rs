//! What a gate, or anybody, asks to be over.
//!
//! A gate says which run it means. A request may overtake the dispatch of its run: a manager that has nothing of that run then
//! puts on record that it is not begun any more, and says that it does not know it. Without that the gate would take the run
//! for over, and the dispatch would begin it. Of a run that is here the same is put on record where a dispatch that is under
//! way could begin it once more: under a higher epoch, or for a manager that takes over.

use super::draft::Draft;
use super::{inbox, recall, stop, submit};
use crate::jobs::manager::command::Reply;
use crate::jobs::manager::event::{Event, GateSeat};
use crate::jobs::manager::outbox::{Entry, Notice};
use crate::jobs::manager::rejection::Rejection;
use crate::jobs::manager::settings::check_text;
use crate::jobs::manager::state::Run;
use crate::jobs::manager::timeout::Strategy;
use crate::jobs::protocol::message::{
    AckOutcome, Body, FinalStatus, JobCancelRequest, JobCancelResponse, JobFinalStatus, JobGlobalTimeout,
    Message, Party, TimeoutKind,
};
use crate::jobs::protocol::token::{FenceToken, GateEpoch, Standing, standing};

pub(super) fn cancel(
    draft: &mut Draft<'_>,
    message: &Message,
    request: &JobCancelRequest,
) -> Result<Reply, Rejection> {
    let asked_by_gate = matches!(message.from, Party::Gate(_));
    let unheard = asked_by_gate && request.fence_token == FenceToken::NONE;
    let ended = ended(draft);
    let reply = if asked_by_gate { cancel_run(draft, request) } else { stop::cancel(draft, request) };
    match (&reply, ended.filter(|_| unheard)) {
        // Its end may be on its way to the gate; or it came there before the gate lost its memory, and comes no more.
        (Ok(Reply::Cancel(_)), Some(status)) => {
            inbox::answer(draft, message, AckOutcome::AlreadyFinal(status));
        }
        (Ok(Reply::Cancel(response)), None) => {
            draft.answer(message, Body::JobCancelResponse(response.clone()));
        }
        (Ok(_), _) => {}
        // What never came here needs no stopping.
        (Err(Rejection::UnknownJob), _) if asked_by_gate => {
            inbox::answer(draft, message, AckOutcome::UnknownJob);
        }
        (Err(rejection), _) => {
            let refused = JobCancelResponse::refused(rejection.to_string());
            draft.answer(message, Body::JobCancelResponse(refused));
        }
    }
    reply
}

/// A request of the gate means the job everywhere: that it came is on record, should the gate forget that it asked.
fn cancel_run(draft: &mut Draft<'_>, request: &JobCancelRequest) -> Result<Reply, Rejection> {
    if !is_here(draft, request.run) {
        check_text("requester_id", &request.requester_id)?;
        check_text("reason", &request.reason)?;
        begin_no_more(draft, request.run, request.fence_token, FinalStatus::Cancelled);
        return Err(Rejection::UnknownJob);
    }
    let live = draft.live().is_ok_and(|run| run.gate.is_some());
    let reply = stop::cancel(draft, request)?;
    if live {
        let (requester_id, reason, at) = (request.requester_id.clone(), request.reason.clone(), draft.now);
        draft.push(Event::GateCancelAccepted { requester_id, reason, at });
    }
    let status = ended(draft).unwrap_or(FinalStatus::Cancelled);
    begin_no_more(draft, request.run, request.fence_token, status);
    Ok(reply)
}

pub(super) fn global_timeout(
    draft: &mut Draft<'_>,
    message: &Message,
    decision: &JobGlobalTimeout,
) -> Result<Reply, Rejection> {
    check_text("reason", &decision.reason)?;
    let reply = accept_global(draft, message, decision);
    let outcome = match &reply {
        Ok(_) => AckOutcome::Accepted,
        Err(Rejection::UnknownJob) => AckOutcome::UnknownJob,
        Err(Rejection::AlreadyTerminal { status }) => AckOutcome::AlreadyFinal(*status),
        Err(Rejection::Stale { .. } | Rejection::StaleGate { .. } | Rejection::NoGate) => AckOutcome::Stale,
        Err(_) => return reply,
    };
    let over = match outcome {
        AckOutcome::Accepted | AckOutcome::UnknownJob => Some(FinalStatus::Timeout),
        AckOutcome::AlreadyFinal(status) => Some(status),
        AckOutcome::Stale | AckOutcome::Refused { .. } => None,
    };
    if let Some(status) = over {
        begin_no_more(draft, decision.run, decision.fence_token, status);
    }
    let body = Body::GlobalTimeoutAck(inbox::ack(draft, outcome));
    draft.answer(message, body);
    if let Err(Rejection::StaleGate { .. }) = &reply {
        recall::tell(draft, message.from.clone(), 0);
    }
    reply
}

fn accept_global(
    draft: &mut Draft<'_>,
    message: &Message,
    decision: &JobGlobalTimeout,
) -> Result<Reply, Rejection> {
    let run = draft.led()?;
    let (Some(gate), Strategy::GateCoordinated) = (run.gate.clone(), run.limits.strategy) else {
        return Err(Rejection::NoGate);
    };
    let held = run.token;
    if standing(decision.gate_epoch, gate.epoch) == Standing::Stale {
        draft.record_fence("global_timeout", decision.gate_epoch, gate.epoch.get());
        return Err(Rejection::StaleGate { held: gate.epoch, given: decision.gate_epoch });
    }
    if !is_here(draft, decision.run) {
        return Err(Rejection::UnknownJob);
    }
    if let Some(status) = ended(draft) {
        // Whoever decided first, time is over: the decision has what it wants.
        if status == FinalStatus::Timeout {
            return Ok(Reply::Ended { status, again: true });
        }
        resend_final(draft, message, decision.fence_token);
        return Err(Rejection::AlreadyTerminal { status });
    }
    if standing(decision.fence_token, held) == Standing::Stale {
        draft.record_fence("global_timeout", decision.fence_token, held.get());
        return Err(Rejection::Stale { held, given: decision.fence_token });
    }
    if let Party::Gate(gate_id) = &message.from {
        let incarnation = gate.incarnation.filter(|_| gate.gate_id == *gate_id);
        let seat = GateSeat { gate_id: gate_id.clone(), incarnation, epoch: decision.gate_epoch, ..gate };
        submit::adopt_gate(draft, seat);
    }
    if standing(decision.fence_token, held) == Standing::Newer {
        let (token, at) = (decision.fence_token, draft.now);
        draft.push(Event::TokenAdopted { token, at });
    }
    let reason = format!("Global timeout: {}", decision.reason);
    timed_out_by_gate(draft, decision.decision_id, reason);
    Ok(Reply::Ended { status: FinalStatus::Timeout, again: false })
}

pub(super) fn timed_out_by_gate(draft: &mut Draft<'_>, decision_id: u64, reason: String) {
    let at = draft.now;
    draft.push(Event::GlobalTimeoutAccepted { decision_id, reason: reason.clone(), at });
    stop::end(draft, FinalStatus::Timeout, reason, Some(TimeoutKind::GlobalDecision), at);
}

fn ended(draft: &Draft<'_>) -> Option<FinalStatus> {
    draft.run().ok().and_then(|run| run.ended.as_ref()).map(|ended| ended.status)
}

/// The epoch by which a run of a gate is told from others.
fn epoch_of(run: &Run) -> GateEpoch {
    let began = run.charter.as_ref().map(|charter| charter.epoch);
    began.or(run.gate.as_ref().map(|gate| gate.epoch)).unwrap_or_default()
}

/// Is the run here that the gate wants to be over? What still runs is stopped, whichever run it is. So is one that ended
/// and whose gate does not know it yet: it takes that end for one of the run that it asks about.
fn is_here(draft: &Draft<'_>, asked: GateEpoch) -> bool {
    let Ok(run) = draft.run() else { return false };
    let is_named = asked == GateEpoch::NONE || asked == epoch_of(run);
    is_named || run.ended.is_none() || final_notice(draft).is_some()
}

/// Puts on record that no run up to this one begins any more, where a dispatch that is under way could begin one.
fn begin_no_more(draft: &mut Draft<'_>, epoch: GateEpoch, shown: FenceToken, status: FinalStatus) {
    let could_begin = draft.run().map_or(true, |run| match standing(epoch, epoch_of(run)) {
        Standing::Newer => true,
        // It may have been handed to this manager in place of another one, and that could begin it once more.
        Standing::Current => shown == FenceToken::NONE,
        Standing::Stale => false,
    });
    let held = draft.state().refused_run.as_ref().map_or(GateEpoch::NONE, |refused| refused.epoch);
    if could_begin && epoch > held {
        let at = draft.now;
        draft.push(Event::RunRefused { epoch, status, at });
    }
}

/// The final status that the gate did not answer yet.
fn final_notice(draft: &Draft<'_>) -> Option<Entry> {
    let state = draft.state();
    let of_this_run = state.outbox.values().filter(|entry| entry.run == state.runs);
    of_this_run.filter(|entry| matches!(entry.notice, Notice::Final { .. })).last().cloned()
}

/// A gate that believes otherwise is told again how the job ended. One that was told before and shows another leadership,
/// or none, has lost its memory, and is told everything.
fn resend_final(draft: &mut Draft<'_>, message: &Message, shown: FenceToken) {
    if let Some(entry) = final_notice(draft) {
        return draft.send_entry(&entry);
    }
    let Some((run, ended)) = draft.run().ok().and_then(|run| run.ended.as_ref().map(|ended| (run, ended)))
    else {
        return;
    };
    if run.charter.is_some() && shown != run.token {
        return recall::tell(draft, message.from.clone(), 0);
    }
    let body = Body::JobFinalStatus(JobFinalStatus {
        manager: run.leader.clone(),
        status: ended.status,
        reason: ended.reason.clone(),
        kind: ended.kind,
        fence_token: run.token,
        provisional: false,
    });
    draft.send(message.from.clone(), 0, body);
}
