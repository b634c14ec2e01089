//! A gate that has lost its memory of a job tracks it again by what managers tell it.
//!
//! | the gate has | a recall of | events |
//! |---|---|---|
//! | nothing, or the end of an earlier run | any run | Rebuilt, then as below |
//! | a rebuilt run | a later one | Rebuilt of the later one, then as below |
//! | a rebuilt run | the same | LeaderChanged, Recalled; Declared or CancelRequested if that was decided before; how it stands there |
//! | a run it began itself | any, with a higher epoch than the gate has, or than it shows in dispatches | EpochAdopted |
//! | the end of this run | this run | –; told *already final* |
//! | a rebuilt run | an earlier one | – |
//!
//! Choices:
//!
//! - *Who was not heard of yet reports nothing.* Without its tokens the gate cannot tell what an earlier leadership or run
//!   says from what counts, so every report but a recall is answered *unknown job*, which makes the manager recall. The
//!   gate asks by itself too, until it is answered.
//! - *What was forgotten decides nothing.* The silence of every datacenter counts from the rebuild or its recall, and the
//!   budget waits for extensions that may be forgotten: until all were heard of, or somebody was silent for the time
//!   from which silence counts.
//! - *What was decided stays decided.* A manager that ended by the decision of the gate, or by its request to stop, says
//!   so, and the gate goes on from there.
//! - *The age is the greatest that is told.* It is moved by the time a message takes, at most.
//! - *A datacenter that never got the job gets it*: the plan comes with the recall.
//! - *Numbers of messages go on far above those of before*, by the epoch, so that a late answer finds nothing.
//!
//! An epoch that the lost gate minted and no manager saw is minted again; nobody acts under it.

use std::time::Duration;

use super::command::{Reply, Track};
use super::decide::{self, Decided, Draft, sent_addr};
use super::event::{Event, Rebuilt, Totals, Tracked};
use super::outbox::{Errand, What};
use super::receive::{self, Shown};
use super::rejection::Rejection;
use super::state::{Datacenter, Gate, Regained, Run};
use super::succession::{self, Succession};
use super::verdict::{self, GlobalRule};
use super::{Datacenters, DcStatus};
use crate::jobs::protocol::limits::clip;
use crate::jobs::protocol::message::{AckOutcome, Message};
use crate::jobs::protocol::recall::JobRecall as Recall;
use crate::jobs::protocol::token::{FenceToken, GateEpoch};
use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;

/// What a manager puts before the reason of a decision.
const SAID_BEFORE: &str = "Global timeout: ";

/// Takes everything a manager tells.
pub(super) fn recalled(mut draft: Draft, message: &Message, recall: &Recall, known: &Datacenters) -> Decided {
    match succession::of(draft.state(), recall, known) {
        Succession::Ours => {}
        Succession::Theirs { gate, gate_epoch } => {
            if draft.state().run.is_some() {
                let (told_by, at) = (message.datacenter.clone(), draft.now);
                draft.push(Event::GateReplaced { gate, gate_epoch, told_by, at });
            }
            return Ok(draft.decided(Ok(Reply::Received(None))));
        }
        // It hears of a lower epoch from this gate, or from that manager when it tells everything again.
        Succession::Unsettled => return Ok(draft.decided(Ok(Reply::Received(None)))),
    }
    let state = draft.state();
    let later = state.began().is_none_or(|epoch| recall.charter.epoch > epoch);
    let own = state.run.as_ref().is_some_and(|run| run.rebuilt.is_none());
    if later && !own {
        rebuild(&mut draft, message, recall, known)?;
    } else {
        catch_up(&mut draft, message, recall, known)?;
    }
    let state = draft.state();
    let there = state.datacenters().is_some_and(|all| all.contains_key(&message.datacenter));
    // An answer would be taken for a sign of a gate without memory, and bring the same again.
    if !there || state.began() != Some(recall.charter.epoch) {
        return Ok(draft.decided(Ok(Reply::Received(None))));
    }
    let report = &recall.progress;
    let shown = Shown::in_recall(report.fence_token, &report.manager, &report.manager_addr);
    receive::report(draft, message, &shown, |draft, _| take(draft, message, recall))
}

fn rebuild(
    draft: &mut Draft,
    message: &Message,
    recall: &Recall,
    known: &Datacenters,
) -> Result<(), Rejection> {
    let (charter, seat) = (&recall.charter, &recall.gate);
    let (gate, gate_addr) = succession::seat(recall, known);
    let track = Track {
        job_id: message.job_id.clone(),
        gate,
        gate_addr,
        targets: charter.targets.clone(),
        plan: recall.plan(),
        settings: charter.settings,
        payloads: recall.payloads.clone(),
    };
    decide::check(&track, known, sent_addr)?;
    if charter.targets.iter().all(|target| target.datacenter != message.datacenter) {
        return Err(Rejection::UnknownDatacenter { datacenter: message.datacenter.clone() });
    }
    let seen = recall.highest_epoch.max(seat.epoch).max(charter.epoch).max(draft.state().gate_epoch);
    let gate_epoch = succession::next_epoch(seen, recall, known).ok_or(Rejection::EpochsExhausted)?;
    let at = draft.now;
    let Track { job_id, gate, gate_addr, targets, plan, settings, payloads } = track;
    let tracked = Tracked { job_id, gate, gate_addr, gate_epoch, targets, plan, settings, at };
    let submitted_at = at.minus(Duration::from_millis(recall.progress.elapsed_ms));
    let told_by = message.datacenter.clone();
    draft.push(Event::Rebuilt(Box::new(Rebuilt { tracked, told_by, submitted_at })));
    if !payloads.is_empty() {
        draft.push(Event::PayloadNoted { payloads: Box::new(payloads), at });
    }
    Ok(())
}

/// Leads under a later epoch than any that a manager knows of.
fn catch_up(
    draft: &mut Draft,
    message: &Message,
    recall: &Recall,
    known: &Datacenters,
) -> Result<(), Rejection> {
    let state = draft.state();
    let Some(run) = &state.run else { return Ok(()) };
    let (seen, held) = (recall.highest_epoch, state.gate_epoch);
    let others = seen == held && recall.gate.epoch == held && !leads(run, recall);
    let refused = run.rebuilt.is_none() && run.dispatches(&message.datacenter) && seen > run.epoch;
    if seen > held || others || refused {
        let seen = seen.max(held);
        let gate_epoch = succession::next_epoch(seen, recall, known).ok_or(Rejection::EpochsExhausted)?;
        draft.push(Event::EpochAdopted { gate_epoch, at: draft.now });
    }
    Ok(())
}

/// Is this the gate the manager takes for the leader?
fn leads(run: &Run, recall: &Recall) -> bool {
    let seat = &recall.gate;
    seat.gate_id == run.gate.node && seat.incarnation.is_none_or(|held| held == run.gate.incarnation)
}

fn take(draft: &mut Draft, message: &Message, recall: &Recall) -> AckOutcome {
    note(draft, &message.datacenter, recall);
    decided_before(draft, recall);
    let there = |draft: &Draft| draft.state().datacenters()?.get(&message.datacenter).cloned();
    let Some(dc) = there(draft) else { return AckOutcome::UnknownJob };
    match (&recall.end, &recall.timeout) {
        (Some(end), _) => receive::ended(draft, message, &dc, end),
        (None, Some(timeout)) => receive::timed_out(draft, message, &dc, timeout),
        (None, None) => receive::ended_or_accepted(&dc),
    }
}

/// Puts on record that a datacenter told everything, the first time.
fn note(draft: &mut Draft, datacenter: &EntityId, recall: &Recall) {
    let state = draft.state();
    let (Some(run), at) = (&state.run, draft.now) else { return };
    let Some(dc) = run.datacenters.get(datacenter).filter(|_| run.awaits(datacenter)) else { return };
    let report = &recall.progress;
    let totals = dc.totals.after(report);
    let began =
        at.minus(Duration::from_millis(report.elapsed_ms)).minus(Duration::from_micros(run.skipped_us));
    draft.push(Event::Recalled {
        datacenter: datacenter.clone(),
        totals,
        report_seq: report.report_seq,
        submitted_at: began.min(run.submitted_at),
        knows_gate: recall.gate.epoch == state.gate_epoch && leads(run, recall),
        at,
    });
}

/// A decision or a request to stop that a manager carried out was made by this gate, before it forgot.
fn decided_before(draft: &mut Draft, recall: &Recall) {
    let state = draft.state();
    let Some(run) = state.run.as_ref().filter(|run| run.decision.is_none() && run.cancel.is_none()) else {
        return;
    };
    let at = draft.now;
    if let (Some(decision), Some(end)) = (recall.decision, &recall.end) {
        let event = Event::Declared {
            decision_id: decision.max(state.decisions.saturating_add(1)),
            rule: GlobalRule::Recalled,
            reason: clip(end.reason.strip_prefix(SAID_BEFORE).unwrap_or(&end.reason)),
            evidence: verdict::evidence(run, at),
            at,
        };
        draft.push(event);
    } else if let Some(cancel) = &recall.cancel {
        let (requester_id, reason) = (clip(&cancel.requester_id), clip(&cancel.reason));
        draft.push(Event::CancelRequested { requester_id, reason, at });
    }
}

impl Run {
    /// Was nothing heard of this datacenter since the gate lost its memory?
    pub(super) fn is_unheard(&self, datacenter: &EntityId) -> bool {
        self.rebuilt.as_ref().is_some_and(|regained| regained.unheard.contains(datacenter))
    }

    /// Until when the budget waits for what may be forgotten.
    pub(super) fn held_until(&self) -> Option<Timestamp> {
        let regained = self.rebuilt.as_ref().filter(|regained| !regained.unheard.is_empty())?;
        Some(regained.silent_since.plus(Duration::from_millis(self.settings.stuck_ms)))
    }

    fn awaits(&self, datacenter: &EntityId) -> bool {
        self.is_unheard(datacenter) || self.recall_of(datacenter).is_some()
    }

    /// The number under which it is asked.
    pub(super) fn recall_of(&self, datacenter: &EntityId) -> Option<u64> {
        let asks = |errand: &&Errand| errand.what == What::Recall && errand.datacenter == *datacenter;
        self.outbox.values().find(asks).map(|errand| errand.number)
    }

    pub(super) fn heard(&mut self, datacenter: &EntityId) {
        if let Some(regained) = &mut self.rebuilt {
            regained.unheard.remove(datacenter);
        }
    }
}

impl Gate {
    /// The epoch in which the run began that is under way, or the last one.
    pub(super) fn began(&self) -> Option<GateEpoch> {
        let run = self.run.as_ref().map(|run| run.epoch);
        run.or(self.finished.as_ref().map(|finished| finished.epoch))
    }

    pub(super) fn rebuilt(&mut self, rebuilt: &Rebuilt) {
        let Rebuilt { tracked, told_by: _, submitted_at } = rebuilt;
        self.begin(tracked);
        if let Some(run) = &mut self.run {
            run.epoch = tracked.plan.gate_epoch;
            run.submitted_at = *submitted_at;
            run.datacenters.values_mut().for_each(|dc| dc.earlier = FenceToken::NONE);
            let unheard = run.datacenters.keys().cloned().collect();
            run.rebuilt = Some(Regained { at: tracked.at, silent_since: tracked.at, unheard });
        }
        self.number_from(tracked.gate_epoch);
        self.send_to_open(What::Recall, tracked.at);
    }

    pub(super) fn recalled(
        &mut self,
        datacenter: &EntityId,
        submitted_at: Timestamp,
        knows_gate: bool,
        at: Timestamp,
    ) {
        if let Some(run) = &mut self.run {
            run.submitted_at = submitted_at;
            run.heard(datacenter);
        }
        self.drop_errands(|errand| errand.what == What::Recall && errand.datacenter == *datacenter);
        if !knows_gate {
            self.send(datacenter.clone(), What::GateTransfer, at);
        }
    }

    /// A datacenter does not have the job. It is handed out there, unless it is to end.
    pub(super) fn not_there(&mut self, datacenter: &EntityId, at: Timestamp) {
        let Some(run) = &mut self.run else { return };
        run.heard(datacenter);
        let runs = run.decision.is_none() && run.cancel.is_none();
        if let Some(dc) = run.datacenters.get_mut(datacenter) {
            // What an earlier run of the job showed there is stale in this one.
            dc.earlier = dc.fence_token;
        }
        if runs {
            self.send(datacenter.clone(), What::Dispatch, at);
        }
    }

    pub(super) fn adopt_epoch(&mut self, gate_epoch: GateEpoch, at: Timestamp) {
        if let Some(run) = &mut self.run
            && run.rebuilt.is_none()
            && run.outbox.values().any(|errand| errand.what == What::Dispatch)
        {
            run.epoch = gate_epoch;
        }
        self.number_from(gate_epoch);
        self.lead_anew(gate_epoch, at);
    }

    /// Messages of a gate without memory are numbered above all it ever sent.
    fn number_from(&mut self, gate_epoch: GateEpoch) {
        self.last_number = self.last_number.max(gate_epoch.get().min(1 << 31) << 32);
    }
}

impl Datacenter {
    /// What the counters say of the end holds until they say otherwise; only a final status ends it.
    pub(super) fn count(&mut self, totals: &Totals) {
        self.totals = *totals;
        if !self.ended && self.final_status.is_none() && self.status != DcStatus::TimedOut {
            let all = totals.workflows_total > 0 && totals.workflows_completed == totals.workflows_total;
            self.status = if all { DcStatus::Completed } else { DcStatus::Running };
        }
    }
}
