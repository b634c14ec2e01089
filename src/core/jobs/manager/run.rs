//! What each event makes of a run.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::event::{Denied, Ended, Event, Granted, LeaderChanged, Resumed, Submitted};
use super::extension::Gave;
use super::state::Run;
use super::workflow::{Moved, Workflow, WorkflowStatus};
use crate::jobs::protocol::message::WorkflowPlan;
use crate::jobs::protocol::payload::Payloads;
use crate::jobs::protocol::token::DispatchToken;
use crate::kernel::ids::EntityId;
use crate::kernel::keyed::KeyedRequest;
use crate::kernel::time::{Gap, Timestamp};

impl Run {
    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::ProgressNoted(event) => {
                if let Some((id, count)) = &event.count
                    && let Some(workflow) = self.workflows.get_mut(id)
                {
                    workflow.completed_count = *count;
                    workflow.last_progress_at = workflow.last_progress_at.max(event.at);
                }
                self.progress(event.at);
            }
            Event::WorkflowMoved(step) => self.moved(step),
            Event::AttemptMade { workflow_id, attempt, at } => {
                if let Some(workflow) = self.workflows.get_mut(workflow_id) {
                    workflow.status = WorkflowStatus::Pending;
                    workflow.attempt = *attempt;
                    (workflow.worker_id, workflow.completed_count) = (None, 0);
                    workflow.waits = None;
                    workflow.last_progress_at = *at;
                }
            }
            Event::LateResult { workflow_id, result, .. } => {
                if let Some(workflow) = self.workflows.get_mut(workflow_id) {
                    workflow.late_result = Some(result.clone().unwrap_or_default());
                }
            }
            Event::CancelUnconfirmed { workflow_ids, .. } => {
                for workflow_id in workflow_ids {
                    if let Some(workflow) = self.workflows.get_mut(workflow_id) {
                        workflow.unconfirmed = true;
                    }
                }
            }
            Event::ReportsDropped { workflow_id, dropped, .. } => {
                if let Some(workflow) = self.workflows.get_mut(workflow_id) {
                    workflow.reports_dropped = *dropped;
                }
            }
            Event::ExtensionGranted(event) => self.granted(event),
            Event::ExtensionDenied(event) => self.denied(event),
            Event::ExtensionKeyed { worker_id, asked, .. } => {
                self.trackers.entry(worker_id.clone()).or_default().asking = Some(asked.clone());
            }
            Event::ExtensionsReset { worker_id, .. } => {
                if !self.at_workers().contains_key(worker_id) {
                    self.active.remove(worker_id);
                }
                if let Some(tracker) = self.trackers.get_mut(worker_id) {
                    tracker.reset();
                }
            }
            Event::WorkerLost { worker_id, .. } => self.lost(worker_id),
            Event::WorkerHealthy { worker_id, .. } => {
                self.lost.remove(worker_id);
            }
            Event::TimeoutDetected(event) => {
                self.timed_out = Some((**event).clone());
                (self.reported_from, self.contact_from) = (event.at, event.at);
            }
            Event::GateHeard { at } => self.contact_from = self.contact_from.max(*at),
            Event::GlobalTimeoutAccepted { decision_id, .. } => self.decision = Some(*decision_id),
            Event::GateChanged { gate, .. } => self.gate = Some(gate.clone()),
            Event::PayloadNoted { payloads, .. } => self.payloads = (**payloads).clone(),
            Event::CharterNoted { charter, .. } => self.charter = Some((**charter).clone()),
            Event::GateCancelAccepted { requester_id, reason, .. } => {
                self.gate_cancel = Some((requester_id.clone(), reason.clone()));
            }
            Event::Ended(event) => self.end(event),
            Event::LeaderChanged(event) => self.led_by(event),
            Event::Suspended { at, .. } => self.suspended_at = Some(*at),
            Event::Resumed(event) => self.resumed(event),
            Event::TokenAdopted { token, .. } => self.token = *token,
            Event::Submitted(_)
            | Event::StepRefused { .. }
            | Event::Queued(_)
            | Event::Acked { .. }
            | Event::Deferred { .. }
            | Event::CancelNarrowed { .. }
            | Event::LeaseTaken { .. }
            | Event::LeaseRenewed { .. }
            | Event::LeaseReleased { .. }
            | Event::LeaseGranted { .. }
            | Event::LeaseResized { .. }
            | Event::LeaseAskedBy { .. }
            | Event::DispatchDelayed { .. }
            | Event::ClockStepped { .. }
            | Event::StoppingResumed { .. }
            | Event::RecallAsked { .. }
            | Event::RunRefused { .. }
            | Event::FenceRejected(_) => {}
        }
    }

    fn progress(&mut self, at: Timestamp) {
        self.got_on = true;
        self.last_progress_at = self.last_progress_at.max(at);
        self.idle_from = self.idle_from.max(at);
    }

    pub(super) fn of(event: &Submitted) -> Run {
        let workflow = |plan: &WorkflowPlan| Workflow {
            depends_on: plan.depends_on.clone(),
            planned_worker: plan.worker_id.clone(),
            worker_id: None,
            status: WorkflowStatus::Pending,
            attempt: 1,
            dispatch_token: DispatchToken::NONE,
            completed_count: 0,
            last_progress_at: event.at,
            result: None,
            late_result: None,
            settled_failure: false,
            waits: None,
            reports_dropped: 0,
            unconfirmed: false,
            history: VecDeque::new(),
        };
        Run {
            token: event.token,
            leader: event.leader.clone(),
            leader_addr: event.leader_addr.clone(),
            suspended_at: None,
            gate: event.gate.clone(),
            charter: None,
            gate_cancel: None,
            terms: event.terms.clone(),
            limits: event.limits.clone(),
            started_at: event.at,
            budget_from: event.at,
            last_progress_at: event.at,
            idle_from: event.at,
            extension_from: None,
            last_extension_at: None,
            total_us: 0,
            max_us: 0,
            active: BTreeSet::new(),
            trackers: BTreeMap::new(),
            lost: BTreeSet::new(),
            timed_out: None,
            reported_from: event.at,
            contact_from: event.at,
            decision: None,
            ended: None,
            workflows: event.terms.workflows.iter().map(|p| (p.workflow_id.clone(), workflow(p))).collect(),
            steps: 0,
            got_on: false,
            resumes: 0,
            payloads: Payloads::default(),
        }
    }

    fn moved(&mut self, step: &Moved) {
        let live = self.ended.is_none();
        self.steps = step.seq;
        if let Some(workflow) = self.workflows.get_mut(&step.workflow_id) {
            workflow.status = step.to;
            workflow.attempt = step.attempt;
            workflow.last_progress_at = step.at;
            workflow.settled_failure = step.settles;
            workflow.waits = None;
            match (&step.worker_id, step.to) {
                (Some(worker), _) => workflow.worker_id = Some(worker.clone()),
                // A new attempt: nobody has it.
                (None, WorkflowStatus::Pending) => (workflow.worker_id, workflow.completed_count) = (None, 0),
                (None, _) => {}
            }
            if let Some(token) = step.dispatch_token {
                (workflow.dispatch_token, workflow.reports_dropped) = (token, 0);
                workflow.unconfirmed = false;
            }
            if step.result.is_some() {
                workflow.result = step.result.clone();
            }
            workflow.keep(step);
        }
        if live {
            self.progress(step.at);
        }
    }

    fn granted(&mut self, event: &Granted) {
        self.total_us = event.total_us;
        self.max_us = event.max_us;
        self.last_extension_at = Some(event.at);
        self.extension_from = Some(event.at);
        self.active.insert(event.worker_id.clone());
        let tracker = self.trackers.entry(event.worker_id.clone()).or_default();
        tracker.grants = tracker.grants.saturating_add(1);
        tracker.baseline = Some(event.baseline);
        tracker.denials = 0;
        tracker.sum_us = event.sum_us;
        tracker.warned |= event.warning;
        tracker.deadline = Some(event.deadline);
        tracker.exhausted_at = None;
        let known = KeyedRequest::default()
            .with("reason", &event.reason)
            .with("current_progress", event.baseline.progress);
        let gave = Gave { grant_us: event.grant_us, warning: event.warning, denial: None };
        tracker.keep(known, &event.request_id, gave);
        self.progress(event.at);
    }

    fn denied(&mut self, event: &Denied) {
        let tracker = self.trackers.entry(event.worker_id.clone()).or_default();
        tracker.denials = tracker.denials.saturating_add(1);
        if event.exhausts {
            tracker.exhausted_at = tracker.exhausted_at.or(Some(event.at));
        }
        let gave = Gave { denial: Some(event.denial), ..Gave::default() };
        tracker.keep(KeyedRequest::default(), &event.request_id, gave);
    }

    fn lost(&mut self, worker: &EntityId) {
        self.active.remove(worker);
        self.trackers.remove(worker);
        self.lost.insert(worker.clone());
    }

    fn resumed(&mut self, event: &Resumed) {
        let away = Duration::from_micros(event.away_us);
        self.token = event.token;
        self.resumes = self.resumes.saturating_add(u64::from(event.gap == Gap::Restart));
        self.budget_from = self.budget_from.plus(Duration::from_micros(event.unbudgeted_us));
        self.wait_longer(away);
    }

    /// Waiting and idleness leave out a time in which nobody could see anything.
    fn wait_longer(&mut self, away: Duration) {
        let later = |at: Option<Timestamp>| at.map(|at| at.plus(away));
        self.idle_from = self.idle_from.plus(away);
        self.extension_from = later(self.extension_from);
        self.reported_from = self.reported_from.plus(away);
        self.contact_from = self.contact_from.plus(away);
        for tracker in self.trackers.values_mut() {
            tracker.deadline = later(tracker.deadline);
            tracker.exhausted_at = later(tracker.exhausted_at);
        }
    }

    fn led_by(&mut self, event: &LeaderChanged) {
        self.token = event.token;
        self.leader = event.to.clone();
        self.leader_addr = event.addr.clone();
        self.suspended_at = None;
        self.wait_longer(Duration::from_micros(event.vacant_us));
    }

    fn end(&mut self, event: &Ended) {
        self.ended = Some(event.clone());
        self.suspended_at = None;
        self.active.clear();
        self.trackers.clear();
        self.lost.clear();
    }
}
