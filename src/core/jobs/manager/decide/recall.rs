//! What a gate that lost its memory of the job is told.

use super::draft::Draft;
use super::inbox;
use super::post;
use crate::jobs::manager::command::Reply;
use crate::jobs::manager::event::Event;
use crate::jobs::manager::outbox::Recipient;
use crate::jobs::manager::rejection::Rejection;
use crate::jobs::manager::state::{Job, Run};
use crate::jobs::protocol::message::{
    AckOutcome, Body, FinalStatus, JobCancelRequest, JobFinalStatus, JobLeaderGateTransfer, JobTimeoutReport,
    Message, Party, TimeoutKind,
};
use crate::jobs::protocol::recall::{Charter, JobRecall};
use crate::jobs::protocol::token::{FenceToken, GateEpoch};
use crate::kernel::ids::EntityId;

/// Tells the gate that leads everything, without being asked by number.
pub(super) fn tell_gate(draft: &mut Draft<'_>) {
    let to = draft.run().ok().and_then(|run| run.gate.as_ref()).map(|gate| Party::Gate(gate.gate_id.clone()));
    to.into_iter().for_each(|to| tell(draft, to, 0));
}

/// Tells another gate everything, in place of the one that leads, which is gone. A job that is over, and whose end its gate
/// knows, needs none.
pub(super) fn succeed(draft: &mut Draft<'_>, gate: EntityId) -> Result<Reply, Rejection> {
    let owes = draft.state().outbox.values().any(|entry| entry.to == Recipient::Gate);
    let run = draft.led()?;
    let led = run.gate.as_ref().ok_or(Rejection::NoGate)?;
    if led.gate_id != gate && (run.ended.is_none() || owes) {
        tell(draft, Party::Gate(gate), 0);
    }
    Ok(Reply::Changed(false))
}

/// Tells this gate everything. A job that came without a charter, from a gate that gave none, has nothing to tell.
pub(super) fn tell(draft: &mut Draft<'_>, to: Party, answers: u64) {
    if let Some(recall) = recall(draft, answers) {
        draft.send(to, 0, Body::JobRecall(Box::new(recall)));
    }
}

/// A gate that lost its memory asks to be told everything of the run that began in this epoch. One that a gate began
/// later is told all the same: then it is that one that the gate lost.
pub(super) fn asked(
    draft: &mut Draft<'_>,
    message: &Message,
    transfer: &JobLeaderGateTransfer,
    epoch: GateEpoch,
) -> Result<Reply, Rejection> {
    let held = draft.led().map(|run| run.charter.as_ref().map(|charter| charter.epoch));
    match held {
        Err(Rejection::UnknownJob) => unknown(draft, message),
        Err(other) => Err(other),
        Ok(Some(held)) if held < epoch => unknown(draft, message),
        Ok(Some(held)) if held > epoch => {
            tell(draft, message.from.clone(), 0);
            Ok(Reply::Changed(false))
        }
        Ok(Some(_)) => {
            let at = draft.now;
            if transfer.gate_epoch > draft.state().highest_epoch {
                draft.push(Event::RecallAsked { gate_epoch: transfer.gate_epoch, at });
            }
            let reply = inbox::accept_gate(draft, transfer);
            tell(draft, message.from.clone(), message.number);
            reply
        }
        Ok(None) => inbox::answer_transfer(draft, message, transfer),
    }
}

/// It has this run nowhere: the gate hands it out again.
fn unknown(draft: &mut Draft<'_>, message: &Message) -> Result<Reply, Rejection> {
    inbox::answer(draft, message, AckOutcome::UnknownJob);
    Err(Rejection::UnknownJob)
}

/// The charter of a run is noted with its beginning, and when a gate that began anew hands it out again.
pub(super) fn note_charter(draft: &mut Draft<'_>, charter: Option<Charter>) {
    let held = draft.run().ok().and_then(|run| run.charter.as_ref()).map(|held| held.epoch);
    if let Some(charter) = charter.filter(|given| held.is_none_or(|held| given.epoch > held)) {
        let at = draft.now;
        draft.push(Event::CharterNoted { charter: Box::new(charter), at });
    }
}

fn recall(draft: &Draft<'_>, answers: u64) -> Option<JobRecall> {
    let state: &Job = draft.state();
    let run: &Run = state.run.as_ref()?;
    let (manager, fence_token) = (run.leader.clone(), run.token);
    let timeout = run.timed_out.as_ref().filter(|_| run.ended.is_none()).map(|found| JobTimeoutReport {
        manager: manager.clone(),
        manager_addr: run.leader_addr.clone(),
        reason: found.reason.clone(),
        kind: found.kind,
        elapsed_ms: found.elapsed_ms,
        effective_timeout_ms: found.effective_ms,
        fence_token,
    });
    let end = run.ended.as_ref().map(|ended| JobFinalStatus {
        manager: manager.clone(),
        status: ended.status,
        reason: ended.reason.clone(),
        kind: ended.kind,
        fence_token,
        provisional: false,
    });
    let by_gate = run.ended.as_ref().is_some_and(|ended| ended.kind == Some(TimeoutKind::GlobalDecision));
    let stopped = run.ended.as_ref().is_some_and(|ended| ended.status == FinalStatus::Cancelled);
    let cancel =
        run.gate_cancel.as_ref().filter(|_| stopped).map(|(requester_id, reason)| JobCancelRequest {
            requester_id: requester_id.clone(),
            reason: reason.clone(),
            fence_token: FenceToken::NONE,
            run: GateEpoch::NONE,
        });
    Some(JobRecall {
        answers,
        charter: run.charter.clone()?,
        terms: run.terms.clone(),
        gate: run.gate.clone()?,
        highest_epoch: state.highest_epoch,
        progress: post::progress_report(run, draft.now),
        timeout,
        end,
        decision: run.decision.filter(|_| by_gate),
        cancel,
        payloads: run.payloads.clone(),
    })
}
