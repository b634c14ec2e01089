//! Operations on the time of jobs: more of it for a worker, and waiting for the end.

use std::time::Duration;

use super::caller::Watch;
use super::dto::{
    ExtendJob, JobExtended, JobRef, JobStatusReply, StuckList, StuckWorkflow, StuckWorkflows, WaitJob,
};
use super::job::Jobs;
use super::job_view::{count, extended, millis, real, strange, stream, token, unexpected};
use super::{texts, wait};
use crate::core::jobs::gate::{Gate, GateMachine};
use crate::core::jobs::manager::{self as job, Job, JobMachine, Reply, extension};
use crate::core::jobs::protocol::limits::MAX_SPAN_MS;
use crate::core::jobs::protocol::message::HealthcheckExtensionRequest;
use crate::core::kernel::ids::EntityId;
use crate::core::kernel::keyed::Difference;
use crate::core::kernel::time::whole_parts;
use crate::error::{Error, ErrorKind};
use crate::shell::entity::{Action, View};
use crate::shell::jobs;
use crate::shell::lock;
use crate::shell::runtime::ask;

/// Wait when none is named, in milliseconds.
const DEFAULT_WAIT_MS: i64 = 30_000;

/// Most stuck workflows listed.
const MAX_STUCK: usize = 1_000;

impl Jobs<'_> {
    /// Workflows of a job that did not get on for long, the longest silent first. A workflow that was never handed out is
    /// silent since the job began.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `unknown_datacenter`, and the faults of the store.
    pub async fn stuck_workflows(&self, request: StuckWorkflows) -> Result<StuckList, Error> {
        self.q.allow("job.stuck_workflows", &request).await?;
        let given = request.threshold_seconds.map(|s| millis("threshold_seconds", s)).transpose()?;
        if let Some(gate) = self.at_gate(&request.job_id, request.datacenter.as_ref()).await? {
            return Ok(self.stuck_elsewhere(request.job_id, &gate, given));
        }
        let settled_too = request.exclude_terminal == Some(false);
        let mut streams = Vec::new();
        match &request.datacenter {
            Some(named) => streams.push(self.find(&request.job_id, Some(named)).await?),
            None => {
                for datacenter in self.datacenters(&request.job_id).await? {
                    streams.push(stream(&request.job_id, &datacenter)?);
                }
            }
        }
        if streams.is_empty() {
            streams.push(request.job_id.clone());
        }
        let host = self.host();
        let (mut workflows, mut is_known) = (Vec::new(), false);
        for stream in &streams {
            let stuck =
                ask(host, &host.kinds.jobs, stream, Action::Read, move |view: View<'_, JobMachine>| {
                    let datacenter = view.state.datacenter.clone()?;
                    let Some(run) = &view.state.run else { return Some(Vec::new()) };
                    let threshold = Duration::from_millis(given.unwrap_or(run.limits.stuck_ms));
                    let stuck = run.stuck_workflows(threshold, !settled_too, view.now);
                    let line =
                        |(id, status, idle): (&EntityId, job::WorkflowStatus, Duration)| StuckWorkflow {
                            workflow_id: id.clone(),
                            datacenter: datacenter.clone(),
                            status: status.name().into(),
                            idle_seconds: idle.as_secs_f64(),
                        };
                    Some(stuck.into_iter().map(line).collect())
                });
            let stuck = stuck.await?;
            is_known |= stuck.is_some();
            workflows.extend(stuck.unwrap_or_default());
        }
        if !is_known {
            return Err(job::Rejection::UnknownJob.into());
        }
        workflows.sort_by(|a, b| b.idle_seconds.total_cmp(&a.idle_seconds));
        let total = workflows.len() as u64;
        workflows.truncate(MAX_STUCK);
        Ok(StuckList { job_id: request.job_id, workflows, total, elsewhere: Vec::new() })
    }

    /// Asks for more time for a worker: for one job, or for every live job it has a part in. Durable on return.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `key_reused` for a `request_id` of another request, `stale_token`,
    /// `unknown_token`, and the faults of the store. A denial is an answer, not an error.
    pub async fn extend(&self, request: ExtendJob) -> Result<JobExtended, Error> {
        self.q.allow("job.extend", &request).await?;
        if let Some(name) = &request.request_id {
            texts::name("request_id", name)?;
        }
        let optional = |field, given: Option<i64>| given.map(|n| count(field, n)).transpose();
        let estimate = match whole_parts(request.estimated_completion, 1_000) {
            Some(ms) if ms <= MAX_SPAN_MS => ms,
            Some(_) | None => {
                let expected = format!("0 to {}, with at most three places", MAX_SPAN_MS as f64 / 1_000.0);
                let given = real(request.estimated_completion);
                return Err(Error::invalid("estimated_completion", given, &expected));
            }
        };
        let asked = HealthcheckExtensionRequest {
            worker_id: request.worker_id.clone(),
            reason: request.reason,
            current_progress: request.current_progress,
            estimated_completion_ms: estimate,
            active_workflow_count: count("active_workflow_count", request.active_workflow_count)?,
            completed_items: optional("completed_items", request.completed_items)?,
            total_items: optional("total_items", request.total_items)?,
            request_id: request.request_id,
        };
        let streams = match &request.job_id {
            Some(job_id) => vec![self.find(job_id, request.datacenter.as_ref()).await?],
            None => lock(&self.host().counters.jobs).of_worker(&request.worker_id),
        };
        if streams.is_empty() {
            let message = format!("the worker has a part in no live job. worker={}", request.worker_id);
            return Err(Error::new(ErrorKind::NotFound, message).with("field", "worker_id"));
        }
        let token = token(request.fence_token)?;
        let in_every_job = request.job_id.is_none();
        self.check_request_id(&asked, in_every_job, &streams).await?;
        let (mut given, mut duplicate): (Option<JobExtended>, _) = (None, true);
        for stream in streams {
            let said = job::Command::Extend { request: Box::new(asked.clone()), in_every_job, token };
            let one = jobs::command(self.host(), &stream, said, |view| match view.reply {
                Some(Ok(Reply::Extension { response, again })) => {
                    Ok((view.state.job_id.clone().into_iter().collect(), response, again))
                }
                other => Err(unexpected(other)),
            });
            let (job_ids, response, again): (Vec<EntityId>, _, _) = one.await??;
            duplicate &= again;
            let mut view = extended(job_ids, response, false);
            if let Some(before) = given.take().filter(|before| before.granted || !view.granted) {
                let ids = std::mem::replace(&mut view, before);
                view.job_ids.extend(ids.job_ids);
            }
            given = Some(view);
        }
        let given = given.ok_or_else(strange)?;
        Ok(JobExtended { duplicate, ..given })
    }

    /// Was the name of this request that of another one, in any live job of the worker? Nothing is given in one job when
    /// it would be refused in the next.
    async fn check_request_id(
        &self,
        asked: &HealthcheckExtensionRequest,
        in_every_job: bool,
        streams: &[EntityId],
    ) -> Result<(), Error> {
        let Some(request_id) = asked.request_id.clone() else { return Ok(()) };
        let host = self.host();
        let mut all = lock(&host.counters.jobs).of_worker(&asked.worker_id);
        all.extend(streams.iter().cloned());
        all.sort();
        all.dedup();
        let now = extension::asked_for(asked, in_every_job);
        for stream in all {
            let is_meant = streams.contains(&stream);
            let (worker_id, name, now) = (asked.worker_id.clone(), request_id.clone(), now.clone());
            let difference = ask(host, &host.kinds.jobs, &stream, Action::Read, move |view| {
                let tracker = view.state.run.as_ref().and_then(|run| run.trackers.get(&worker_id));
                let kept = tracker.and_then(|tracker| tracker.answered(Some(&name)))?;
                let elsewhere = || {
                    let first = view.state.job_id.as_ref().map(EntityId::to_string);
                    Difference { field: "job_id".to_owned(), first, asked: Some("another".to_owned()) }
                };
                kept.differs(&now).or_else(|| (!is_meant).then(elsewhere))
            });
            if let Some(difference) = difference.await? {
                let difference = Box::new(difference);
                return Err(job::Rejection::KeyReused { request_id, difference }.into());
            }
        }
        Ok(())
    }

    /// Waits until the job ends, in one datacenter or everywhere, at most as long as asked, and answers with its status
    /// then.
    ///
    /// # Errors
    /// `invalid_argument` for the time, `not_found`, and the faults of the store.
    pub async fn wait(&self, request: WaitJob) -> Result<JobStatusReply, Error> {
        let watch = self.q.allow_waiting("job.wait", &request).await?;
        Watch::until_over(watch, self.ended(request)).await
    }

    async fn ended(&self, request: WaitJob) -> Result<JobStatusReply, Error> {
        let WaitJob { job_id, datacenter, timeout_ms } = request;
        let longest = wait::longest("timeout_ms", timeout_ms.unwrap_or(DEFAULT_WAIT_MS))?;
        let host = self.host();
        if self.at_gate(&job_id, datacenter.as_ref()).await?.is_some() {
            let named = datacenter.clone();
            let ended = move |gate: &Gate| {
                let has_ended = |name: &EntityId| {
                    gate.datacenters().and_then(|all| all.get(name)).is_none_or(|dc| dc.ended)
                };
                gate.run.is_none() || named.as_ref().is_some_and(has_ended)
            };
            wait::until::<GateMachine>(host, &job_id, ended, longest).await;
        } else if datacenter.is_none() && !self.datacenters(&job_id).await?.is_empty() {
            // What the gate decided is only the end when every datacenter has ended, or was given up.
            let ended = |gate: &Gate| gate.run.is_none();
            wait::until::<GateMachine>(host, &job_id, ended, longest).await;
        } else {
            let stream = self.find(&job_id, datacenter.as_ref()).await?;
            // A job that does not exist will not end either.
            let ended = |job: &Job| job.run.as_ref().is_none_or(|run| run.ended.is_some());
            wait::until::<JobMachine>(host, &stream, ended, longest).await;
        }
        self.status_now(JobRef { job_id, datacenter }).await
    }
}
