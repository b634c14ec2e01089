//! The transition table of the [module](super): messages that come in.

use std::collections::BTreeSet;

use super::command::Reply;
use super::decide::{Decided, Draft, cancel, sent_addr};
use super::event::{Event, FenceRejected};
use super::outbox::{Errand, What};
use super::rejection::Rejection;
use super::state::{Datacenter, DcStatus, Gate};
use super::{Datacenters, rebuild};
use crate::jobs::protocol::limits::clip;
use crate::jobs::protocol::message::{
    AckOutcome, Body, FinalStatus, JobCancelRequest, JobCancelResponse, JobFinalStatus, JobProgressReport,
    JobTimeoutReport, Leader, Message, Party, ReportAck,
};
use crate::jobs::protocol::token::{FenceToken, GateEpoch};
use crate::kernel::time::Timestamp;

/// Most notes of what was fenced, per leader of a datacenter; what comes after them is refused without a note.
const MAX_FENCED: usize = 16;

pub(super) fn receive(state: &Gate, message: &Message, now: Timestamp, known: &Datacenters) -> Decided {
    if let Some(expected) = state.job_id.as_ref().filter(|id| **id != message.job_id) {
        return Err(Rejection::OtherJob { expected: expected.clone(), given: message.job_id.clone() });
    }
    let draft = Draft::new(state, now);
    match &message.body {
        Body::JobProgressReport(report) => {
            let shown =
                Shown::new("job_progress_report", report.fence_token, &report.manager, &report.manager_addr);
            self::report(draft, message, &shown, |draft, dc| progress(draft, message, dc, report))
        }
        Body::JobTimeoutReport(report) => {
            let shown =
                Shown::new("job_timeout_report", report.fence_token, &report.manager, &report.manager_addr);
            self::report(draft, message, &shown, |draft, dc| timed_out(draft, message, dc, report))
        }
        Body::JobLeaderTransfer(transfer) => {
            let shown = Shown {
                transfer: true,
                ..Shown::new(
                    "job_leader_transfer",
                    transfer.fence_token,
                    &transfer.new_leader,
                    &transfer.new_leader_addr,
                )
            };
            self::report(draft, message, &shown, |_, dc| ended_or_accepted(dc))
        }
        Body::JobFinalStatus(report) => {
            // The manager's address is not in it; an unchanged one changes nothing.
            let known = state.datacenters().and_then(|all| all.get(&message.datacenter));
            let addr = known.map_or("", |dc| dc.addr.as_str());
            let shown = Shown::new("job_final_status", report.fence_token, &report.manager, addr);
            self::report(draft, message, &shown, |draft, dc| ended(draft, message, dc, report))
        }
        Body::JobRecall(recall) => rebuild::recalled(draft, message, recall, known),
        Body::JobCancelRequest(request) => cancel_request(draft, message, request),
        Body::ReportAck(ack) => {
            answered(draft, message, ack, &[What::Dispatch, What::GateTransfer, What::Recall, What::Cancel])
        }
        Body::GlobalTimeoutAck(ack) => answered(draft, message, ack, &[What::GlobalTimeout]),
        Body::JobCancelResponse(response) => cancel_answered(draft, message, response),
        Body::JobDispatch(_)
        | Body::JobGlobalTimeout(_)
        | Body::JobLeaderGateTransfer(_)
        | Body::WorkflowDispatch(_)
        | Body::WorkflowCancel(_)
        | Body::WorkflowRevoke(_)
        | Body::JobLeaderWorkerTransfer(_)
        | Body::WorkflowReport(_)
        | Body::WorkflowReportAfterDrops(_)
        | Body::HealthcheckExtensionRequest(_)
        | Body::WorkerAck(_)
        | Body::HealthcheckExtensionResponse(_) => {
            Err(Rejection::NotForGate { message: message.body.name() })
        }
    }
}

/// The leadership a report shows.
pub(super) struct Shown<'a> {
    message: &'static str,
    token: FenceToken,
    leader: &'a Leader,
    addr: &'a str,
    /// It claims the token for its leader alone.
    transfer: bool,
    /// It tells everything, also a gate that knows nothing.
    everything: bool,
}

impl<'a> Shown<'a> {
    /// What a recall shows.
    pub(super) fn in_recall(token: FenceToken, leader: &'a Leader, addr: &'a str) -> Self {
        Shown { everything: true, ..Shown::new("job_recall", token, leader, addr) }
    }

    fn new(message: &'static str, token: FenceToken, leader: &'a Leader, addr: &'a str) -> Self {
        Shown { message, token, leader, addr, transfer: false, everything: false }
    }

    /// Does it move the datacenter to another leader, or its leader to another address?
    fn is_news(&self, dc: &Datacenter) -> bool {
        self.token > dc.fence_token || (*self.leader == dc.leader && self.addr != dc.addr)
    }
}

/// A report: fenced, then its leadership noted, then taken.
pub(super) fn report(
    mut draft: Draft,
    message: &Message,
    shown: &Shown,
    take: impl FnOnce(&mut Draft, &Datacenter) -> AckOutcome,
) -> Decided {
    let datacenter = &message.datacenter;
    let Some(all) = draft.state().datacenters() else {
        return Ok(refused(draft, message, AckOutcome::UnknownJob, Rejection::NotTracked));
    };
    let Some(dc) = all.get(datacenter).cloned() else {
        if draft.state().is_withdrawn(datacenter) {
            return Ok(withdrawn(draft, message, shown));
        }
        let unknown = Rejection::UnknownDatacenter { datacenter: datacenter.clone() };
        return Ok(refused(draft, message, AckOutcome::UnknownJob, unknown));
    };
    if !shown.everything && draft.state().run.as_ref().is_some_and(|run| run.is_unheard(datacenter)) {
        let unheard = Rejection::Unheard { datacenter: datacenter.clone() };
        return Ok(refused(draft, message, AckOutcome::UnknownJob, unheard));
    }
    sent_addr("manager_addr", shown.addr)?;
    let held = dc.fence_token;
    let stale = dc.is_stale(shown.token);
    if stale || (shown.transfer && shown.token == held && *shown.leader != dc.leader) {
        note_fenced(&mut draft, message, shown, dc.fence_token, &dc.fenced);
        let rejection = if stale {
            Rejection::Stale { held, given: shown.token }
        } else {
            Rejection::OtherLeader { held, leader: dc.leader.node.clone() }
        };
        return Ok(refused(draft, message, AckOutcome::Stale, rejection));
    }
    if shown.is_news(&dc) {
        draft.push(Event::LeaderChanged {
            datacenter: datacenter.clone(),
            leader: shown.leader.clone(),
            addr: shown.addr.to_owned(),
            fence_token: shown.token,
            at: draft.now,
        });
    }
    let dc = draft.state().datacenters().and_then(|all| all.get(datacenter)).cloned().unwrap_or(dc);
    let outcome = match draft.state().finished.as_ref().map(|finished| finished.status) {
        Some(status) => after_the_end(&mut draft, message, &dc, status),
        None => take(&mut draft, &dc),
    };
    draft.owe(ack(draft.state(), message, outcome));
    if dc.never_came() {
        // The dispatch was late, and came after the answer that there is no such job.
        stop(&mut draft, message, shown.token, "the job was stopped before it came");
    }
    Ok(draft.decided(Ok(Reply::Received(Some(outcome)))))
}

fn refused(
    mut draft: Draft,
    message: &Message,
    outcome: AckOutcome,
    rejection: Rejection,
) -> crate::kernel::Decision<super::GateMachine> {
    draft.owe(ack(draft.state(), message, outcome));
    draft.decided(Err(rejection))
}

/// It took the job after all, or is back, when another one has it: it is told to stop, under the leadership it shows.
fn withdrawn(
    mut draft: Draft,
    message: &Message,
    shown: &Shown,
) -> crate::kernel::Decision<super::GateMachine> {
    let rejection = match draft.state().left(&message.datacenter).cloned() {
        Some(left) => {
            note_fenced(&mut draft, message, shown, left.above, &left.fenced);
            Rejection::Stale { held: left.above, given: shown.token }
        }
        None => Rejection::UnknownDatacenter { datacenter: message.datacenter.clone() },
    };
    draft.owe(ack(draft.state(), message, AckOutcome::AlreadyFinal(FinalStatus::Cancelled)));
    stop(&mut draft, message, shown.token, "another datacenter has the job, for this one did not answer");
    draft.decided(Err(rejection))
}

/// Whoever runs what it is not to run is asked to stop, with every report that says so.
fn stop(draft: &mut Draft, message: &Message, fence_token: FenceToken, reason: &str) {
    if let (Party::Gate(gate), false) = (&message.to, matches!(message.body, Body::JobFinalStatus(_))) {
        let (requester_id, reason) = (gate.to_string(), reason.to_owned());
        // The token says which run it is.
        let request = JobCancelRequest { requester_id, reason, fence_token, run: GateEpoch::NONE };
        draft.owe(Message { number: 0, ..message.answer(Body::JobCancelRequest(request)) });
    }
}

/// The answer to a report, also to one that is sent only once: its sender hears that the gate is there.
fn ack(state: &Gate, message: &Message, outcome: AckOutcome) -> Message {
    let dc = state.datacenters().and_then(|all| all.get(&message.datacenter));
    let body = Body::ReportAck(ReportAck {
        outcome,
        fence_token: dc.map_or(FenceToken::NONE, |dc| dc.fence_token),
        leader_addr: dc.map(|dc| dc.addr.clone()),
    });
    message.answer(body)
}

/// Puts a fenced message on record, unless it is there since the leader last changed.
fn note_fenced(
    draft: &mut Draft,
    message: &Message,
    shown: &Shown,
    held: FenceToken,
    fenced: &BTreeSet<(String, FenceToken)>,
) {
    let note = (shown.message.to_owned(), shown.token);
    if fenced.len() < MAX_FENCED && !fenced.contains(&note) {
        draft.push(Event::FenceRejected(FenceRejected {
            datacenter: message.datacenter.clone(),
            message: note.0,
            leader: shown.leader.clone(),
            held,
            given: shown.token,
            at: draft.now,
        }));
    }
}

pub(super) fn ended_or_accepted(dc: &Datacenter) -> AckOutcome {
    dc.own_final().map_or(AckOutcome::Accepted, AckOutcome::AlreadyFinal)
}

fn progress(draft: &mut Draft, message: &Message, dc: &Datacenter, report: &JobProgressReport) -> AckOutcome {
    let newer = dc.report_seq.is_none_or(|seq| report.report_seq > seq);
    if dc.ended || !newer {
        return ended_or_accepted(dc);
    }
    let before = &dc.totals;
    let totals = before.after(report);
    let moved = report.has_recent_progress
        || totals.workflows_total > before.workflows_total
        || totals.workflows_completed > before.workflows_completed
        || totals.workflows_failed > before.workflows_failed
        || totals.extensions_ms > before.extensions_ms;
    if moved || totals != *before {
        let datacenter = message.datacenter.clone();
        draft.push(Event::Progressed {
            datacenter,
            totals,
            moved,
            report_seq: report.report_seq,
            at: draft.now,
        });
    }
    AckOutcome::Accepted
}

pub(super) fn timed_out(
    draft: &mut Draft,
    message: &Message,
    dc: &Datacenter,
    report: &JobTimeoutReport,
) -> AckOutcome {
    // What a later leader says of the end replaces a provisional status, what the same leader says does not: the two
    // may have overtaken each other, and a final status counts for more.
    let settled = dc.final_status.is_some() && report.fence_token <= dc.final_token;
    if !dc.ended && !settled && dc.status != DcStatus::TimedOut {
        draft.push(Event::DatacenterTimedOut {
            datacenter: message.datacenter.clone(),
            kind: report.kind,
            reason: clip(&report.reason),
            elapsed_ms: report.elapsed_ms,
            effective_timeout_ms: report.effective_timeout_ms,
            fence_token: report.fence_token,
            at: draft.now,
        });
    }
    ended_or_accepted(dc)
}

pub(super) fn ended(
    draft: &mut Draft,
    message: &Message,
    dc: &Datacenter,
    report: &JobFinalStatus,
) -> AckOutcome {
    let same = dc.final_status == Some(report.status);
    if dc.ended {
        return if same { AckOutcome::Accepted } else { ended_or_accepted(dc) };
    }
    if !same || !report.provisional {
        draft.push(Event::DatacenterEnded {
            datacenter: message.datacenter.clone(),
            status: report.status,
            reason: clip(&report.reason),
            kind: report.kind,
            provisional: report.provisional,
            corrects: dc.final_status.is_some(),
            fence_token: report.fence_token,
            at: draft.now,
        });
    }
    AckOutcome::Accepted
}

/// The job has ended everywhere: whoever still reports is told how, so that it stops.
fn after_the_end(draft: &mut Draft, message: &Message, dc: &Datacenter, status: FinalStatus) -> AckOutcome {
    let Body::JobFinalStatus(report) = &message.body else { return AckOutcome::AlreadyFinal(status) };
    if dc.abandoned && dc.final_status.is_none() && !report.provisional {
        draft.push(Event::LateFinal {
            datacenter: message.datacenter.clone(),
            status: report.status,
            fence_token: report.fence_token,
            at: draft.now,
        });
    }
    if dc.own_final() == Some(report.status) {
        AckOutcome::Accepted
    } else {
        AckOutcome::AlreadyFinal(status)
    }
}

/// The entry a reply answers. A number that is not there was answered before, or belonged to another receiver.
fn answered_errand(draft: &Draft, message: &Message, kinds: &[What]) -> Option<Errand> {
    let errand = draft.state().run.as_ref()?.outbox.get(&message.number)?;
    let fits = errand.datacenter == message.datacenter && kinds.contains(&errand.what);
    fits.then(|| errand.clone())
}

fn answered(mut draft: Draft, message: &Message, ack: &ReportAck, kinds: &[What]) -> Decided {
    let found = answered_errand(&draft, message, kinds);
    let all = draft.state().datacenters().ok_or(Rejection::NotTracked)?;
    let dc = all.get(&message.datacenter).cloned();
    let (Some(errand), Some(dc)) = (found, dc) else { return Ok(draft.decided(Ok(Reply::Received(None)))) };
    let at = draft.now;
    let delivered = || Event::Delivered {
        number: errand.number,
        datacenter: errand.datacenter.clone(),
        outcome: ack.outcome,
        at,
    };
    match (ack.outcome, errand.what) {
        // That is no answer to a request to stop.
        (AckOutcome::Accepted, What::Cancel) => {}
        (AckOutcome::Accepted, _) | (AckOutcome::Stale, What::GateTransfer) => {
            draft.push(delivered());
            adopt(&mut draft, message, ack, &dc)?;
        }
        // Refused by its token: the answer says which one holds, and the decision is sent again with that.
        (AckOutcome::Stale, What::GlobalTimeout) => adopt(&mut draft, message, ack, &dc)?,
        // It does not have the job, or has an earlier run of it, whose token it shows.
        (AckOutcome::UnknownJob, What::Recall) => {
            adopt(&mut draft, message, ack, &dc)?;
            let run = draft.state().run.as_ref();
            if let Some(number) = run.and_then(|run| run.recall_of(&errand.datacenter)) {
                let datacenter = errand.datacenter.clone();
                draft.push(Event::Delivered { number, datacenter, outcome: ack.outcome, at });
            }
        }
        // It never got this run, and begins it no more. If it was heard of, it shows by its token that it still has its
        // record, so that was about another run.
        (AckOutcome::UnknownJob, What::GlobalTimeout | What::Cancel)
            if dc.known_token() == FenceToken::NONE || ack.fence_token >= dc.fence_token =>
        {
            draft.push(delivered());
            never_there(&mut draft, &errand, &dc);
        }
        // It ended the run under a leadership that was replaced since: that end does not count, and it has no other.
        (AckOutcome::AlreadyFinal(_), What::GlobalTimeout | What::Cancel)
            if dc.known_token() == FenceToken::NONE && ack.fence_token <= dc.earlier =>
        {
            draft.push(delivered());
            never_there(&mut draft, &errand, &dc);
        }
        // A dispatch shows no token. Another gate leads the job there, or the receiver is behind: it is tried again.
        (AckOutcome::Stale, What::Dispatch | What::Cancel | What::Recall) | (AckOutcome::UnknownJob, _) => {}
        (AckOutcome::Refused { .. }, _) => {}
        (AckOutcome::AlreadyFinal(status), _) => {
            draft.push(delivered());
            adopt(&mut draft, message, ack, &dc)?;
            draft.push(Event::DatacenterEnded {
                datacenter: errand.datacenter.clone(),
                status,
                reason: format!("it answered so when it was sent something. sent={}", errand.what.name()),
                kind: None,
                provisional: false,
                corrects: dc.final_status.is_some(),
                fence_token: ack.fence_token.max(dc.fence_token),
                at,
            });
        }
    }
    Ok(draft.decided(Ok(Reply::Received(None))))
}

/// A job that is to end does so at once where it never came.
fn never_there(draft: &mut Draft, errand: &Errand, dc: &Datacenter) {
    let status = if errand.what == What::Cancel { FinalStatus::Cancelled } else { FinalStatus::Timeout };
    draft.push(Event::DatacenterEnded {
        datacenter: errand.datacenter.clone(),
        status,
        reason: format!("it never got the job. sent={}", errand.what.name()),
        kind: None,
        provisional: false,
        corrects: dc.final_status.is_some(),
        fence_token: dc.fence_token,
        at: draft.now,
    });
}

/// Takes over the leadership an answer tells of, if it is later than the one on record.
fn adopt(draft: &mut Draft, message: &Message, ack: &ReportAck, dc: &Datacenter) -> Result<(), Rejection> {
    if ack.fence_token <= dc.fence_token {
        return Ok(());
    }
    let at_addr = ack.leader_addr.as_deref().unwrap_or(&dc.addr);
    sent_addr("leader_addr", at_addr)?;
    let leader = match &message.from {
        Party::Manager { node, .. } => node.clone(),
        Party::Gate(_) | Party::Worker(_) => dc.leader.clone(),
    };
    draft.push(Event::LeaderChanged {
        datacenter: message.datacenter.clone(),
        leader,
        addr: at_addr.to_owned(),
        fence_token: ack.fence_token,
        at: draft.now,
    });
    Ok(())
}

fn cancel_request(mut draft: Draft, message: &Message, request: &JobCancelRequest) -> Decided {
    let checked = expected_token(draft.state(), message, request);
    let cancelled = checked.and_then(|()| cancel(&mut draft, &request.requester_id, &request.reason));
    let (response, reply) = match cancelled {
        Ok(response) => (response.clone(), Ok(Reply::Cancelled(response))),
        Err(rejection) => {
            let response = JobCancelResponse::refused(rejection.to_string());
            (response, Err(rejection))
        }
    };
    draft.owe(message.answer(Body::JobCancelResponse(response)));
    Ok(draft.decided(reply))
}

/// A request that names a leadership means that of the datacenter it names; the tokens of two are never compared.
fn expected_token(state: &Gate, message: &Message, request: &JobCancelRequest) -> Result<(), Rejection> {
    let all = state.datacenters().ok_or(Rejection::NotTracked)?;
    if request.fence_token == FenceToken::NONE {
        return Ok(());
    }
    let datacenter = message.datacenter.clone();
    let dc = all.get(&datacenter).ok_or(Rejection::UnknownDatacenter { datacenter })?;
    let (expected, given) = (dc.fence_token, request.fence_token);
    if expected == given { Ok(()) } else { Err(Rejection::TokenMismatch { expected, given }) }
}

fn cancel_answered(mut draft: Draft, message: &Message, response: &JobCancelResponse) -> Decided {
    let found = answered_errand(&draft, message, &[What::Cancel]);
    if draft.state().datacenters().is_none() {
        return Err(Rejection::NotTracked);
    }
    let done = response.success || response.already_cancelled || response.already_terminal.is_some();
    // Otherwise it refused, for instance by a token that is no longer on record: it is tried again.
    if let Some(errand) = found.filter(|_| done) {
        draft.push(Event::CancelDelivered {
            number: errand.number,
            datacenter: errand.datacenter,
            cancelled_workflow_count: response.cancelled_workflow_count,
            at: draft.now,
        });
    }
    Ok(draft.decided(Ok(Reply::Received(None))))
}
