//! Operations on workers: who runs the workflows of jobs.

use super::Quorate;
use super::dto::{LeaderLost, LevelView, RegisterWorker, WorkerChanged, WorkerRef, WorkerReport};
use super::job_view::count;
use super::pressure::ms;
use super::sealing::DataKey;
use super::stats::level_view;
use super::worker_take::to_stop;
use crate::core::jobs::manager as job;
use crate::core::jobs::protocol::message::WorkflowOutcome;
use crate::core::jobs::protocol::token::DispatchToken;
use crate::core::jobs::worker::{self, Report, WorkerStatus};
use crate::core::kernel::ids::{EntityId, StreamKind};
use crate::error::Error;
use crate::shell::entity::{Action, View};
use crate::shell::jobs::{self, LOCAL};
use crate::shell::lock;
use crate::shell::pressure::{self, know_level};
use crate::shell::runtime::ask;

/// Operations on workers.
#[derive(Clone, Copy, Debug)]
pub struct Workers<'a> {
    pub(super) q: &'a Quorate,
}

impl Workers<'_> {
    pub(super) async fn tell(
        &self,
        worker_id: EntityId,
        said: worker::Command,
    ) -> Result<WorkerChanged, Error> {
        let host = self.q.host();
        let told = ask(host, &host.kinds.workers, &worker_id, Action::Command(said, None), |view| {
            (view.reply, view.state.watch.map(|_| to_stop(view.state)).unwrap_or_default())
        });
        let (reply, stop) = told.await?;
        let changed = reply.transpose()?.is_some_and(|reply| reply.changed);
        Ok(WorkerChanged { stop, ..WorkerChanged::of(worker_id, changed) })
    }

    /// Registers a worker that takes workflows. Durable on return; repeating it is safe.
    ///
    /// # Errors
    /// `invalid_argument`, and the faults of the store.
    pub async fn register(&self, request: RegisterWorker) -> Result<WorkerChanged, Error> {
        self.q.allow("worker.register", &request).await?;
        let local = || match self.q.host().fleet.datacenter() {
            Some(own) => Ok(own.clone()),
            None => EntityId::new(LOCAL).map_err(|e| Error::invalid("datacenter", LOCAL, &e.to_string())),
        };
        if let Some(given) = request.datacenter.as_ref().filter(|given| given.as_str().contains('@')) {
            return Err(Error::invalid("datacenter", given.as_str(), "a name without @"));
        }
        let capacity = request.capacity.unwrap_or(1);
        let said = worker::Command::Register {
            worker_id: request.worker_id.clone(),
            datacenter: request.datacenter.map_or_else(local, Ok)?,
            capacity: u32::try_from(capacity)
                .map_err(|_| Error::invalid("capacity", capacity, "1 to 1000000"))?,
            settings: self.q.host().config.jobs.worker,
        };
        let small = |field, given: Option<i64>| {
            let counted = given.map(|n| u64::try_from(n).map_err(|_| Error::invalid(field, n, "at least 0")));
            counted.transpose()
        };
        let enroll = worker::Command::Enroll {
            beat_ms: small("beat_ms", request.beat_ms)?,
            incarnation: small("incarnation", request.incarnation)?,
        };
        // What the second would refuse is refused before the first is taken.
        if let Some(ms) = request.beat_ms {
            let (least, most) = worker::watch::BEAT_BOUNDS_MS;
            let fits = u64::try_from(ms).is_ok_and(|ms| (least..=most).contains(&ms));
            fits.then_some(()).ok_or_else(|| Error::invalid("beat_ms", ms, &format!("{least} to {most}")))?;
        }
        let registered = self.tell(request.worker_id.clone(), said).await?;
        if request.beat_ms.is_none() && request.incarnation.is_none() {
            return Ok(registered);
        }
        let enrolled = self.tell(request.worker_id, enroll).await?;
        Ok(WorkerChanged { changed: registered.changed || enrolled.changed, ..enrolled })
    }

    /// Takes nothing new, and is gone when everything has ended; one that has left is gone already. Durable on return.
    ///
    /// # Errors
    /// `not_found` when it was never registered, and the faults of the store.
    pub async fn leave(&self, request: WorkerRef) -> Result<WorkerChanged, Error> {
        self.q.allow("worker.leave", &request).await?;
        self.tell(request.worker_id, worker::Command::Leave).await
    }

    /// Says what became of a workflow; the leader of its job is told until it answers. Durable on return, unless the
    /// managers of the worker asked for less: then a report that a workflow still runs may wait in memory, and the
    /// answer says for how long. The first report of a workflow and its end never wait. The answer carries the level after
    /// it: what the managers ask of senders from then on. The same report again is answered as a duplicate.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `stale_token`, `job_ended` for a workflow that ended otherwise or with another
    /// result, and the faults of the store.
    pub async fn report(&self, request: WorkerReport) -> Result<WorkerChanged, Error> {
        self.q.allow("worker.report", &request).await?;
        let outcome = match request.outcome.as_str() {
            "running" => WorkflowOutcome::Running,
            "completed" => WorkflowOutcome::Completed,
            "failed" => WorkflowOutcome::Failed,
            "cancelled" => WorkflowOutcome::Cancelled,
            other => {
                return Err(Error::invalid("outcome", other, "running, completed, failed or cancelled"));
            }
        };
        let token = request.dispatch_token.map(|n| count("dispatch_token", n)).transpose()?;
        let key = self.q.data_key(request.data_subject.as_ref()).await?;
        let sealed = |(key, text): (&DataKey, &String)| {
            key.text(StreamKind::Job, &request.job_id, &format!("result/{}", request.workflow_id), text)
        };
        let sealed = key.as_ref().zip(request.result.as_ref()).map(sealed).transpose()?;
        let report = Report {
            job_id: request.job_id,
            workflow_id: request.workflow_id,
            dispatch_token: token.map(DispatchToken::shown),
            outcome,
            completed_count: request.completed_count.map(|n| count("completed_count", n)).transpose()?,
            result: sealed.or(request.result),
        };
        let (host, worker_id) = (self.q.host(), request.worker_id);
        if let Some(held) = pressure::hold(host, &worker_id, &report).await {
            let held_ms = Some(ms(held.map_err(Error::from)?));
            let level = self.level_after(0).await;
            return Ok(WorkerChanged { held_ms, level, ..WorkerChanged::of(worker_id, false) });
        }
        let mut changed =
            self.tell(worker_id.clone(), worker::Command::Report(Box::new(report.clone()))).await?;
        host.pressure.reported(host, &worker_id, &report);
        changed.duplicate = !changed.changed;
        // The manager is told of what is new, and counts it when it hears of it.
        changed.level = self.level_after(changed.changed.into()).await;
        Ok(changed)
    }

    /// What the managers of this node ask of senders once so many reports have reached them.
    async fn level_after(&self, reports: usize) -> Option<LevelView> {
        know_level(self.q.host()).await;
        self.q.host().pressure.level_after(reports, self.q.now()).map(level_view)
    }

    /// Says that a worker cannot reach the leader of a job any more. Durable on return.
    ///
    /// # Errors
    /// `not_found`, and the faults of the store.
    pub async fn leader_lost(&self, request: LeaderLost) -> Result<WorkerChanged, Error> {
        self.q.allow("worker.leader_lost", &request).await?;
        self.tell(request.worker_id, worker::Command::LeaderLost { job_id: request.job_id }).await
    }

    /// Says that a worker is dead: every live job it has a part in takes back what it had. Durable on return.
    ///
    /// # Errors
    /// `not_found` when it was never registered and has a part in no live job, and the faults of the store.
    pub async fn lost(&self, request: WorkerRef) -> Result<WorkerChanged, Error> {
        self.q.allow("worker.lost", &request).await?;
        self.tell_jobs(request.worker_id, |worker_id| job::Command::WorkerLost { worker_id }).await
    }

    /// Says that a worker is well: its extensions begin anew in every live job it has a part in. Durable on return.
    ///
    /// # Errors
    /// As [`Workers::lost`].
    pub async fn healthy(&self, request: WorkerRef) -> Result<WorkerChanged, Error> {
        self.q.allow("worker.healthy", &request).await?;
        self.tell_jobs(request.worker_id, |worker_id| job::Command::WorkerHealthy { worker_id }).await
    }

    async fn tell_jobs(
        &self,
        worker_id: EntityId,
        said: fn(EntityId) -> job::Command,
    ) -> Result<WorkerChanged, Error> {
        let host = self.q.host();
        let streams = lock(&host.counters.jobs).of_worker(&worker_id);
        if streams.is_empty() {
            // Nobody would hear of it: a name that nobody knows is most likely misspelt.
            let is_known = |view: View<'_, worker::WorkerMachine>| view.state.worker_id.is_some();
            if !ask(host, &host.kinds.workers, &worker_id, Action::Read, is_known).await? {
                return Err(worker::Rejection::NotRegistered.into());
            }
        }
        let mut told = WorkerChanged::of(worker_id.clone(), false);
        for stream in streams {
            let seen = jobs::command(host, &stream, said(worker_id.clone()), |view| {
                let changed = matches!(view.reply, Some(Ok(job::Reply::Changed(true))));
                (view.state.job_id.clone(), changed)
            });
            let (job_id, changed) = seen.await?;
            told.changed |= changed;
            told.job_ids.extend(job_id);
        }
        Ok(told)
    }

    /// How a worker stands.
    ///
    /// # Errors
    /// `not_found`, and the faults of the store.
    pub async fn status(&self, request: WorkerRef) -> Result<WorkerStatus, Error> {
        self.q.allow("worker.status", &request).await?;
        let host = self.q.host();
        let known =
            ask(host, &host.kinds.workers, &request.worker_id, Action::Read, |view| view.state.status());
        let mut status = known.await?.ok_or(worker::Rejection::NotRegistered)?;
        if let Some(sight) = self.q.sight() {
            sight.worker(&request.worker_id, &mut status);
        }
        Ok(status)
    }
}
