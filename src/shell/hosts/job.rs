//! Jobs at their manager: what is heard of them, and what an ended one teaches.

use std::sync::Arc;

use super::{Hosted, track};
use crate::config::Config;
use crate::core::jobs::manager::{self as job, Heard, Job, JobMachine, WorkflowStatus};
use crate::core::kernel::ids::{EntityId, StreamId, StreamKind};
use crate::core::kernel::time::Timestamp;
use crate::core::trust::stop::Acting;
use crate::shell::bus::{Notice, What};
use crate::shell::counters::Counters;
use crate::shell::host::Host;
use crate::shell::jobs::{InMemory, learn, send};
use crate::shell::lanes::Lane;
use crate::shell::lock;
use crate::shell::stops::Bearing;

impl Hosted for JobMachine {
    const ENDS: bool = true;

    fn is_over(state: &Job, now: Timestamp) -> bool {
        let held = state.lease.holder.is_some() && state.lease.expires_at > now;
        // Of one that never came, and does not begin any more, there is nothing to wait for.
        let is_ended = match &state.run {
            Some(run) => run.ended.is_some(),
            None => state.refused_run.is_some(),
        };
        !held && is_ended
    }

    fn bearing(_: &EntityId, state: &Job, command: &Self::Command) -> Bearing {
        let class = || state.run.as_ref().and_then(|run| run.terms.class.clone());
        let leader = state.run.as_ref().map(|run| run.leader.node.clone());
        let acts = |others: &[&EntityId]| {
            let parties = leader.iter().chain(others.iter().copied()).map(EntityId::as_str);
            Bearing::Acts(Acting::as_parties(parties).for_class(class()))
        };
        match command {
            job::Command::Submit(submit) => {
                let parties = [submit.leader.node.as_str()];
                Bearing::Acts(Acting::as_parties(parties).for_class(submit.class.clone()))
            }
            job::Command::Extend { .. } => acts(&[]),
            job::Command::Transition { to: WorkflowStatus::Dispatched | WorkflowStatus::Running, .. } => {
                acts(&[])
            }
            job::Command::Assign { worker_id, .. }
            | job::Command::WorkerReady { worker_id, .. }
            | job::Command::Claim { worker_id, .. } => acts(&[worker_id]),
            job::Command::Transfer { to, .. } => acts(&[&to.node]),
            job::Command::AcquireLease { holder, .. } => acts(&[&holder.node]),
            // How things stand, and what ends. What follows from it is handed to a worker, who is asked.
            job::Command::Progress { .. }
            | job::Command::Transition { .. }
            | job::Command::Complete { .. }
            | job::Command::Cancel(_)
            | job::Command::WorkerLost { .. }
            | job::Command::WorkerHealthy { .. }
            | job::Command::Suspend { .. }
            | job::Command::RenewLease { .. }
            | job::Command::ReleaseLease { .. }
            | job::Command::Receive(_)
            | job::Command::TellGate { .. }
            | job::Command::RunErrands { .. }
            | job::Command::Tick => Bearing::Passes,
        }
    }

    fn lane(command: &job::Command) -> Lane {
        if matches!(command, job::Command::Progress { .. }) { Lane::Then } else { Lane::First }
    }

    fn expects_answer(effect: &job::Effect) -> bool {
        let job::Effect::Send(message) = effect;
        message.number > 0
    }

    fn context(host: &Host) -> Heard {
        // The counters, not the host: the host holds the actors that hold this.
        Heard::of(Arc::new(InMemory(host.counters.clone()))).above(host.token_floor())
    }

    fn notices(_: &Config, id: &EntityId, state: &Job, events: &[job::Event]) -> Vec<Notice> {
        let job_id = state.job_id.clone().unwrap_or_else(|| id.clone());
        let notice = |at, what| Notice {
            topic: format!("job/{job_id}"),
            entity: StreamId::new(StreamKind::Job, id.clone()),
            at,
            what,
        };
        let heard = |event: &job::Event| match event {
            job::Event::WorkflowMoved(moved) => {
                let what = What::WorkflowMoved {
                    workflow_id: moved.workflow_id.clone(),
                    from: moved.from,
                    to: moved.to,
                };
                Some(notice(moved.at, what))
            }
            job::Event::Ended(ended) => Some(notice(ended.at, What::JobEnded { status: ended.status })),
            _ => None,
        };
        events.iter().filter_map(heard).collect()
    }

    fn observe(counters: &Counters, id: &EntityId, events: &[job::Event]) {
        for event in events {
            if let (job::Event::Ended(_), Some(live)) = (event, lock(&counters.jobs).live.get(id)) {
                lock(&counters.heard).forget(&live.job_id, &live.datacenter);
            }
            counters.count_job(id, event);
            tracing::debug!(kind = "job", entity_id = %id, event = event.name());
        }
    }

    fn follow(host: &Arc<Host>, id: &EntityId, events: &[job::Event]) {
        if events.iter().any(|event| matches!(event, job::Event::Ended(_))) {
            host.waiting.forget(id);
            let (surroundings, id) = (host.clone(), id.clone());
            track(host, async move {
                if let Err(failure) = learn(&surroundings, &id).await {
                    tracing::warn!(%id, ?failure, "duration of a job not learned");
                }
            });
        }
    }

    fn at_once(host: &Arc<Host>, effect: &job::Effect) -> bool {
        let job::Effect::Send(message) = effect;
        send(host, message);
        true
    }
}
