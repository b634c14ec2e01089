//! Operations on jobs, their gates and their workers.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::Quorate;
use super::closed;
use super::dto::{
    CancelJob, ClassEstimate, ClassRef, CompleteJob, ExtendJob, JobCancelled, JobChanged, JobExtended,
    JobLed, JobLine, JobPage, JobProgress, JobRef, JobStats, JobStatusReply, JobStatusView, JobSubmitted,
    JobWhy, LeaseJob, ListJobs, MoveWorkflow, SubmitJob, TransferGate, TransferJob, WhyLink,
};
use super::pressure::not_on;
use super::quorum::page_limit;
use crate::core::Machine;
use crate::core::gate::settings::TimeoutPolicy;
use crate::core::gate::status::GateStatus;
use crate::core::gate::{self, event::Target};
use crate::core::ids::{EntityId, StreamId, StreamKind};
use crate::core::job::message::{
    FinalStatus, HealthcheckExtensionRequest, JobCancelRequest, JobCancelResponse, JobDispatch, Leader,
    WorkflowPlan,
};
use crate::core::job::settings::{DEFAULT_STUCK_MS, DowntimePolicy, MAX_SPAN_MS};
use crate::core::job::timeout::Strategy;
use crate::core::job::token::{FenceToken, GateEpoch};
use crate::core::job::{self, Heard, Job, JobMachine, JobStatus, JobView, Reply, Submit, WorkflowStatus};
use crate::core::stats::Level;
use crate::core::time::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::journal::codec::decode;
use crate::shell::entity::{Action, View};
use crate::shell::host::{Host, wait};
use crate::shell::jobs::{self, HERE, LOCAL, job_stream};
use crate::shell::lock;
use crate::shell::runtime::ask;

/// Most workflows shown one by one.
const MAX_SHOWN: usize = 1_000;
/// Records read at a time.
const PAGE: usize = 4_096;

/// Operations on jobs and their gates.
#[derive(Clone, Copy, Debug)]
pub struct Jobs<'a> {
    pub(super) q: &'a Quorate,
}

impl Jobs<'_> {
    fn host(&self) -> &Arc<Host> {
        self.q.host()
    }

    fn leader(&self, node: Option<&EntityId>) -> Leader {
        let host = self.host();
        Leader { node: node.unwrap_or(&host.config.jobs.node).clone(), incarnation: host.epoch }
    }

    /// Takes a job on: here, or through the gate in the datacenters named. Durable on return.
    ///
    /// # Errors
    /// `invalid_argument`, `unknown_datacenter`, `already_exists` for another job that runs under this id, and the
    /// faults of the store.
    pub async fn submit(&self, request: SubmitJob) -> Result<JobSubmitted, Error> {
        let job_id = match &request.job_id {
            Some(id) if id.as_str().contains('@') => {
                return Err(Error::invalid("job_id", id.as_str(), "an id without @"));
            }
            Some(id) => id.clone(),
            None => self.host().ids.mint(),
        };
        let gated = request.gate_addr.is_some() || !request.target_datacenters.is_empty();
        let local = EntityId::new(LOCAL).map_err(|e| Error::invalid("datacenter", LOCAL, &e.to_string()))?;
        let leader = self.leader(request.leader_id.as_ref());
        let mut submit = Submit::new(job_id.clone(), local.clone(), leader.clone(), HERE);
        submit.timeout_ms = request.timeout_seconds.map(|s| millis("timeout_seconds", s)).transpose()?;
        let stuck = request.stuck_threshold.map(|s| millis("stuck_threshold", s)).transpose()?;
        submit.stuck_threshold_ms = stuck.unwrap_or(DEFAULT_STUCK_MS);
        submit.class = request.class.clone();
        submit.timeout_rule = request.timeout_rule.clone().unwrap_or_default();
        submit.settings = self.settings(&request)?;
        let plan = |workflow: super::dto::PlanWorkflow| WorkflowPlan {
            workflow_id: workflow.workflow_id,
            depends_on: workflow.depends_on,
            worker_id: workflow.worker_id,
        };
        submit.workflows = request.workflows.into_iter().map(plan).collect();
        submit.estimate = jobs::estimate(self.host(), submit.class.as_ref()).await?;
        if !gated {
            return self.submit_here(submit).await;
        }
        let mut targets = request.target_datacenters;
        if targets.is_empty() {
            targets.push(local);
        }
        let gate_addr = request.gate_addr.unwrap_or_else(|| HERE.to_owned());
        if gate_addr.trim().is_empty() {
            return Err(Error::invalid("gate_addr", gate_addr, "a visible text"));
        }
        let policy = request.dc_timeout_policy.as_deref().map_or(Ok(None), |name| {
            let names = TimeoutPolicy::ALL.map(TimeoutPolicy::name).join(", ");
            let policy = TimeoutPolicy::from_name(name).map(Some);
            policy.ok_or_else(|| Error::invalid("dc_timeout_policy", name, &format!("one of {names}")))
        })?;
        self.submit_to_gate(submit, targets, gate_addr, policy).await
    }

    fn settings(&self, request: &SubmitJob) -> Result<job::Settings, Error> {
        let mut settings = self.host().config.jobs.settings.clone();
        if let Some(most) = request.max_attempts {
            settings.max_attempts = u32::try_from(most)
                .ok()
                .filter(|most| (1..=1_000).contains(most))
                .ok_or_else(|| Error::invalid("max_attempts", most, "1 to 1000"))?;
        }
        if let Some(most) = request.max_total_extension_seconds {
            settings.extension.max_total_ms = Some(millis("max_total_extension_seconds", most)?);
        }
        settings.downtime = match request.downtime.as_deref() {
            None => settings.downtime,
            Some("count") => DowntimePolicy::Count,
            Some("exclude") => DowntimePolicy::Exclude,
            Some(other) => return Err(Error::invalid("downtime", other, "count or exclude")),
        };
        Ok(settings)
    }

    async fn submit_here(&self, submit: Submit) -> Result<JobSubmitted, Error> {
        let (job_id, datacenter) = (submit.job_id.clone(), submit.datacenter.clone());
        let said = job::Command::Submit(Box::new(submit));
        let stream = stream(&job_id, &datacenter)?;
        jobs::command(self.host(), &stream, said, move |view| {
            let Some(run) = &view.state.run else { return Err(job::Rejection::UnknownJob.into()) };
            match view.reply {
                Some(Ok(Reply::Submitted { token, again })) => Ok(JobSubmitted {
                    job_id,
                    status: run.status().name().into(),
                    strategy_type: run.limits.strategy.name().into(),
                    fence_token: Some(token.get()),
                    gate_epoch: None,
                    target_datacenters: vec![datacenter],
                    duplicate: again,
                }),
                other => Err(unexpected(other)),
            }
        })
        .await?
    }

    async fn submit_to_gate(
        &self,
        mut submit: Submit,
        datacenters: Vec<EntityId>,
        gate_addr: String,
        policy: Option<TimeoutPolicy>,
    ) -> Result<JobSubmitted, Error> {
        let host = self.host();
        let gate = self.leader(None);
        for datacenter in &datacenters {
            stream(&submit.job_id, datacenter)?;
        }
        // What a manager would refuse is refused before anything is tracked.
        submit.gate = Some(job::event::GateSeat {
            gate_id: gate.node.clone(),
            incarnation: Some(gate.incarnation),
            addr: gate_addr.clone(),
            epoch: GateEpoch::shown(1),
        });
        let said = job::Command::Submit(Box::new(submit.clone()));
        JobMachine::decide(&Job::default(), said, host.clock.now(), &Heard::default())?;
        let target = |datacenter: &EntityId| Target {
            datacenter: datacenter.clone(),
            manager: submit.leader.clone(),
            manager_addr: HERE.into(),
        };
        let mut settings = host.config.jobs.gate;
        settings.dc_timeout_policy = policy.unwrap_or(settings.dc_timeout_policy);
        let track = gate::command::Track {
            job_id: submit.job_id.clone(),
            gate,
            gate_addr: gate_addr.clone(),
            targets: datacenters.iter().map(target).collect(),
            plan: JobDispatch {
                timeout_ms: submit.timeout_ms,
                stuck_threshold_ms: submit.stuck_threshold_ms,
                workflows: submit.workflows,
                class: submit.class,
                timeout_rule: submit.timeout_rule,
                gate_epoch: GateEpoch::NONE,
                gate_addr: gate_addr.clone(),
            },
            settings,
        };
        let action = Action::Command(gate::Command::Track(Box::new(track)), None);
        let job_id = submit.job_id.clone();
        ask(host, &host.gates, &submit.job_id, action, move |view| match view.reply {
            Some(Ok(gate::Reply::Tracked { gate_epoch, new })) => Ok(JobSubmitted {
                job_id,
                status: "submitted".into(),
                strategy_type: Strategy::GateCoordinated.name().into(),
                fence_token: None,
                gate_epoch: Some(gate_epoch.get()),
                target_datacenters: datacenters,
                duplicate: !new,
            }),
            Some(Err(rejection)) => Err(Error::from(rejection)),
            Some(Ok(_)) | None => Err(strange()),
        })
        .await?
    }

    /// The stream of a job: in the datacenter named, or the only one it runs in.
    async fn find(&self, job_id: &EntityId, datacenter: Option<&EntityId>) -> Result<EntityId, Error> {
        if let Some(datacenter) = datacenter {
            return stream(job_id, datacenter);
        }
        match self.datacenters(job_id).await?.as_slice() {
            [] => Ok(job_id.clone()),
            [only] => stream(job_id, only),
            several => {
                let names: Vec<&str> = several.iter().map(EntityId::as_str).collect();
                Err(Error::missing("datacenter").with("expected", format!("one of {}", names.join(", "))))
            }
        }
    }

    /// The datacenters a gate tracks the job in; none when no gate does.
    async fn datacenters(&self, job_id: &EntityId) -> Result<Vec<EntityId>, Error> {
        let host = self.host();
        let named = ask(host, &host.gates, job_id, Action::Read, |view| {
            let known = view.state.status(view.now);
            known.into_iter().flat_map(|gate| gate.datacenters).map(|dc| dc.datacenter).collect()
        });
        Ok(named.await?)
    }

    async fn job<R: Send + 'static>(
        &self,
        (job_id, datacenter): (&EntityId, Option<&EntityId>),
        said: job::Command,
        view: impl FnOnce(View<'_, JobMachine>) -> Result<R, Error> + Send + 'static,
    ) -> Result<R, Error> {
        let stream = self.find(job_id, datacenter).await?;
        jobs::command(self.host(), &stream, said, view).await?
    }

    /// Does the datacenter take progress of the job? The gate knows, of the jobs it tracks.
    async fn may_pass(&self, job_id: &EntityId, named: Option<&EntityId>) -> Result<(), Error> {
        let (host, now) = (self.host(), self.q.now());
        if host.pressure.overall(now) == Level::None {
            return Ok(());
        }
        let tracked = self.datacenters(job_id).await?;
        let target = match (named, tracked.as_slice()) {
            (Some(named), all) => all.iter().find(|name| *name == named),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        let Some(datacenter) = target else { return Ok(()) };
        host.pressure.progress_to(datacenter, job_id, now).map_err(|held| not_on(datacenter, held))
    }

    async fn change(
        &self,
        (job_id, datacenter): (EntityId, Option<EntityId>),
        said: job::Command,
    ) -> Result<JobChanged, Error> {
        let name = job_id.clone();
        self.job((&job_id, datacenter.as_ref()), said, move |view| {
            let status = view.state.run.as_ref().map_or("submitted", |run| run.status().name());
            let changed = match view.reply {
                Some(Ok(Reply::Changed(changed))) => changed,
                Some(Ok(Reply::Progress(noted))) => noted.is_some(),
                Some(Ok(Reply::Ended { again, .. })) => !again,
                other => return Err(unexpected(other)),
            };
            Ok(JobChanged { job_id: name, status: status.into(), changed })
        })
        .await
    }

    /// Says that a job got on. Known at once; on record within a second of progress.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `job_ended`, `stale_token`, `unknown_token`, `no_leader`, `overloaded` when the
    /// datacenter asks its gate for less, and the faults of the store.
    pub async fn progress(&self, request: JobProgress) -> Result<JobChanged, Error> {
        self.may_pass(&request.job_id, request.datacenter.as_ref()).await?;
        let said = job::Command::Progress {
            workflow_id: request.workflow_id,
            completed_count: request.completed_count.map(|n| count("completed_count", n)).transpose()?,
            token: token(request.fence_token)?,
        };
        self.change((request.job_id, request.datacenter), said).await
    }

    /// Asks for more time for a worker: for one job, or for every live job it has a part in. Durable on return.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `stale_token`, `unknown_token`, and the faults of the store. A denial is an
    /// answer, not an error.
    pub async fn extend(&self, request: ExtendJob) -> Result<JobExtended, Error> {
        let optional = |field, given: Option<i64>| given.map(|n| count(field, n)).transpose();
        if !request.estimated_completion.is_finite() || request.estimated_completion < 0.0 {
            let given = real(request.estimated_completion);
            return Err(Error::invalid("estimated_completion", given, "a finite number from 0"));
        }
        let asked = HealthcheckExtensionRequest {
            worker_id: request.worker_id.clone(),
            reason: request.reason,
            current_progress: request.current_progress,
            estimated_completion_ms: (request.estimated_completion * 1_000.0).round() as u64,
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
        let mut given: Option<JobExtended> = None;
        for stream in streams {
            let said = job::Command::Extend { request: Box::new(asked.clone()), token };
            let one = jobs::command(self.host(), &stream, said, |view| match view.reply {
                Some(Ok(Reply::Extension(response))) => {
                    Ok((view.state.job_id.clone().into_iter().collect(), response))
                }
                other => Err(unexpected(other)),
            });
            let (job_ids, response): (Vec<EntityId>, _) = one.await??;
            let mut view = extended(job_ids, response);
            if let Some(before) = given.take().filter(|before| before.granted || !view.granted) {
                let ids = std::mem::replace(&mut view, before);
                view.job_ids.extend(ids.job_ids);
            }
            given = Some(view);
        }
        given.ok_or_else(strange)
    }

    /// Takes a workflow one step, or hands it to a worker. Durable on return.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `illegal_transition`, `job_ended`, `stale_token`, `unknown_token`, and the
    /// faults of the store.
    pub async fn workflow(&self, request: MoveWorkflow) -> Result<JobChanged, Error> {
        let names = || WorkflowStatus::ALL.map(WorkflowStatus::name).join(", ");
        let to = WorkflowStatus::from_name(&request.to)
            .ok_or_else(|| Error::invalid("to", request.to.as_str(), &format!("one of {}", names())))?;
        let token = token(request.fence_token)?;
        let workflow_id = request.workflow_id;
        let said = match request.worker_id {
            Some(worker_id) if to == WorkflowStatus::Dispatched => {
                job::Command::Assign { workflow_id, worker_id, token }
            }
            Some(worker) => {
                return Err(Error::invalid("worker_id", worker.as_str(), "only with to=dispatched"));
            }
            None => job::Command::Transition {
                workflow_id,
                to,
                reason: request.reason,
                result: request.result,
                token,
            },
        };
        self.change((request.job_id, request.datacenter), said).await
    }

    async fn led(
        &self,
        (job_id, datacenter): (EntityId, Option<EntityId>),
        said: job::Command,
    ) -> Result<JobLed, Error> {
        let name = job_id.clone();
        self.job((&job_id, datacenter.as_ref()), said, move |view| {
            let (token, lease_expires_at) = match view.reply {
                Some(Ok(Reply::Leads { token })) => (token, None),
                Some(Ok(Reply::Lease { token, expires_at, .. })) => (token, Some(expires_at)),
                other => return Err(unexpected(other)),
            };
            let run = view.state.run.as_ref();
            Ok(JobLed {
                leader_id: run.map_or_else(|| name.clone(), |run| run.leader.node.clone()),
                datacenter: view.state.datacenter.clone().unwrap_or_else(|| name.clone()),
                job_id: name,
                fence_token: token.get(),
                lease_expires_at,
            })
        })
        .await
    }

    /// Gives leadership of a job to another leader, under a higher token. Durable on return: from then on everything
    /// the former leader does is refused.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `job_ended`, `lease_held`, `stale_token`, `unknown_token`, and the faults of
    /// the store.
    pub async fn transfer(&self, request: TransferJob) -> Result<JobLed, Error> {
        let said = job::Command::Transfer {
            to: self.leader(Some(&request.new_leader_id)),
            addr: if request.new_leader_addr.is_empty() { HERE.into() } else { request.new_leader_addr },
            force: request.force,
            token: token(request.fence_token)?,
        };
        self.led((request.job_id, request.datacenter), said).await
    }

    /// Takes the lease of a job, and with it leadership under a higher token; or keeps it, if it is held. Durable on
    /// return.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `job_ended`, `lease_held`, and the faults of the store.
    pub async fn acquire(&self, request: LeaseJob) -> Result<JobLed, Error> {
        let said = job::Command::AcquireLease {
            holder: holder(&request)?,
            addr: if request.holder_addr.is_empty() { HERE.into() } else { request.holder_addr },
            seen: None,
            force: request.force,
        };
        self.led((request.job_id, request.datacenter), said).await
    }

    /// Keeps the lease of a job. Durable on return.
    ///
    /// # Errors
    /// As [`Jobs::acquire`], and `lease_lost`, `stale_token`.
    pub async fn renew(&self, request: LeaseJob) -> Result<JobLed, Error> {
        let said =
            job::Command::RenewLease { holder: holder(&request)?, token: needed(request.fence_token)? };
        self.led((request.job_id, request.datacenter), said).await
    }

    /// Gives the lease of a job back. Durable on return.
    ///
    /// # Errors
    /// As [`Jobs::renew`].
    pub async fn release(&self, request: LeaseJob) -> Result<JobChanged, Error> {
        let said =
            job::Command::ReleaseLease { holder: holder(&request)?, token: needed(request.fence_token)? };
        self.change((request.job_id, request.datacenter), said).await
    }

    /// Ends a job. Durable on return.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `stale_token`, `unknown_token`, and the faults of the store. A job that ended
    /// before stays as it ended: an answer, not an error.
    pub async fn complete(&self, request: CompleteJob) -> Result<JobChanged, Error> {
        let status = match request.status.as_deref() {
            None | Some("completed") => FinalStatus::Completed,
            Some("failed") => FinalStatus::Failed,
            Some(other) => return Err(Error::invalid("status", other, "completed or failed")),
        };
        let token = token(request.fence_token)?;
        let said = job::Command::Complete { status, reason: request.reason, token };
        self.change((request.job_id, request.datacenter), said).await
    }

    /// Stops a job: everywhere, or in one datacenter. Durable on return.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `stale_token`, `unknown_token`, and the faults of the store.
    pub async fn cancel(&self, request: CancelJob) -> Result<JobCancelled, Error> {
        let (host, job_id) = (self.host(), request.job_id);
        let gated = request.datacenter.is_none() && !self.datacenters(&job_id).await?.is_empty();
        let name = job_id.clone();
        if gated {
            let said = gate::Command::Cancel { requester_id: request.requester_id, reason: request.reason };
            let action = Action::Command(said, None);
            return ask(host, &host.gates, &job_id, action, move |view| match view.reply {
                Some(Ok(gate::Reply::Cancelled(response))) => Ok(cancelled(name, response)),
                Some(Err(rejection)) => Err(Error::from(rejection)),
                Some(Ok(_)) | None => Err(strange()),
            })
            .await?;
        }
        let said = job::Command::Cancel(JobCancelRequest {
            requester_id: request.requester_id,
            reason: request.reason,
            fence_token: token(request.fence_token)?.unwrap_or(FenceToken::NONE),
        });
        self.job((&job_id, request.datacenter.as_ref()), said, move |view| match view.reply {
            Some(Ok(Reply::Cancel(response))) => Ok(cancelled(name, response)),
            other => Err(unexpected(other)),
        })
        .await
    }

    async fn view(&self, stream: &EntityId) -> Result<Option<JobStatusView>, Error> {
        let host = self.host();
        let counters = host.counters.clone();
        let seen = ask(host, &host.jobs, stream, Action::Read, move |view| {
            let (job_id, datacenter) = (view.state.job_id.as_ref()?, view.state.datacenter.as_ref()?);
            let heard = lock(&counters.heard).at(job_id, datacenter);
            let workflows = view.state.run.iter().flat_map(|run| &run.workflows).take(MAX_SHOWN);
            let workflows = workflows.map(|(id, workflow)| (id.clone(), workflow.status.name().into()));
            Some(status_view(view.state.view(view.now, heard)?, view.state, workflows.collect()))
        });
        Ok(seen.await?)
    }

    /// How a job stands: in one datacenter, or everywhere.
    ///
    /// # Errors
    /// `not_found`, and the faults of the store.
    pub async fn status(&self, request: JobRef) -> Result<JobStatusReply, Error> {
        let gate = match request.datacenter {
            Some(_) => None,
            None => self.gate_view(&request.job_id).await?,
        };
        let mut streams = Vec::new();
        match (&request.datacenter, &gate) {
            (Some(datacenter), _) => streams.push(stream(&request.job_id, datacenter)?),
            (None, Some(gate)) => {
                for dc in &gate.datacenters {
                    streams.push(stream(&request.job_id, &dc.datacenter)?);
                }
            }
            (None, None) => streams.push(request.job_id.clone()),
        }
        let mut datacenters = Vec::with_capacity(streams.len());
        for stream in &streams {
            datacenters.extend(self.view(stream).await?);
        }
        let status = match (gate, datacenters.as_slice()) {
            (Some(gate), parts) => overall(&gate, parts).to_owned(),
            (None, [only]) => only.status.clone(),
            (None, _) => return Err(job::Rejection::UnknownJob.into()),
        };
        Ok(JobStatusReply { job_id: request.job_id, status, datacenters })
    }

    /// What led to how a job stands, from its record.
    ///
    /// # Errors
    /// `not_found`, and the faults of the store.
    pub async fn why(&self, request: JobRef) -> Result<JobWhy, Error> {
        let stream = self.find(&request.job_id, request.datacenter.as_ref()).await?;
        let view = self.view(&stream).await?.ok_or(job::Rejection::UnknownJob)?;
        let of = StreamId::new(StreamKind::Job, stream);
        let events = self.host().blocking(move |store| {
            let mut events: Vec<(u64, Timestamp, job::Event)> = Vec::new();
            loop {
                let page = wait(store.read(&of, events.last().map_or(0, |(seq, ..)| *seq), PAGE))?;
                if page.is_empty() {
                    return Ok(events);
                }
                for record in page {
                    events.push((record.seq, record.at, decode(&record.payload)?));
                }
            }
        });
        let events = events.await?;
        let chain = job::why(events.iter().map(|(seq, at, event)| (*seq, *at, event)));
        let link = |link: job::why::Link| WhyLink { seq: link.seq, at: link.at, sentence: link.sentence };
        Ok(JobWhy {
            job_id: view.job_id,
            datacenter: view.datacenter,
            status: view.status,
            chain: chain.into_iter().map(link).collect(),
        })
    }

    /// A page of jobs: live ones by name, or ended ones in the order of their ends.
    ///
    /// # Errors
    /// `invalid_argument` for state, limit or cursor, and the faults of the store.
    pub async fn list(&self, request: ListJobs) -> Result<JobPage, Error> {
        self.q.settle().await;
        let host = self.host();
        let live = lock(&host.counters.jobs).live.len() as u64;
        match request.state.as_deref() {
            None | Some("live") => {}
            Some("ended") => {
                let line =
                    |_: &EntityId, job: &Job| job.view(Timestamp::MAX, None).map(|view| line_of(&view));
                let page = closed::page::<JobMachine, _>(host, request.limit, request.cursor, line).await?;
                return Ok(JobPage { jobs: page.entries, live, next_cursor: page.next_cursor });
            }
            Some(other) => return Err(Error::invalid("state", other, "live or ended")),
        }
        let limit = page_limit(request.limit)?;
        let horizon = match request.due_within_seconds {
            None => None,
            Some(s) => Some(
                host.clock.now().plus(std::time::Duration::from_millis(millis("due_within_seconds", s)?)),
            ),
        };
        let after =
            |stream: &&EntityId| request.cursor.as_ref().is_none_or(|at| stream.as_str() > at.as_str());
        let streams: Vec<EntityId> = lock(&host.counters.jobs).live.keys().filter(after).cloned().collect();
        let (mut jobs, mut next_cursor) = (Vec::new(), None);
        for stream in streams {
            if jobs.len() == limit {
                next_cursor = jobs.last().map(|(at, _): &(EntityId, JobLine)| at.to_string());
                break;
            }
            let seen = ask(host, &host.jobs, &stream, Action::Read, |view| {
                view.state.view(view.now, None).map(|view| line_of(&view))
            });
            let due = |line: &JobLine| {
                horizon.is_none_or(|horizon| line.next_deadline.is_some_and(|due| due <= horizon))
            };
            if let Some(line) = seen.await?.filter(due) {
                jobs.push((stream, line));
            }
        }
        Ok(JobPage { jobs: jobs.into_iter().map(|(_, line)| line).collect(), live, next_cursor })
    }

    /// Counters over all jobs.
    ///
    /// # Errors
    /// The faults of the store.
    pub async fn stats(&self) -> Result<JobStats, Error> {
        self.q.settle().await;
        let host = self.host();
        let index = lock(&host.counters.jobs);
        Ok(JobStats {
            submitted: index.submitted,
            tracked_jobs: index.live.len() as u64,
            ended: index.ended.iter().map(|(status, n)| (status.name().to_owned(), *n)).collect(),
            extensions: index.extensions,
            stale_rejections: index.fenced,
            transfers: index.transfers,
            noted_in_memory: lock(&host.counters.heard).len() as u64,
            in_transit: host.mailbox.len() as u64,
        })
    }

    /// What is known of the durations of a class of jobs.
    ///
    /// # Errors
    /// The faults of the store.
    pub async fn estimate(&self, request: ClassRef) -> Result<ClassEstimate, Error> {
        let known = jobs::estimate(self.host(), Some(&request.class)).await?;
        let seconds = |ms: Option<u64>| ms.map(|ms| ms as f64 / 1_000.0);
        Ok(match known {
            None => ClassEstimate {
                class: request.class,
                enough: false,
                samples: 0,
                timeout_seconds: None,
                stuck_threshold: None,
                evidence: "too few jobs of the class have finished".into(),
            },
            Some(known) => ClassEstimate {
                class: request.class,
                enough: true,
                samples: known.samples,
                timeout_seconds: seconds(known.overall_ms),
                stuck_threshold: seconds(known.stuck_ms),
                evidence: known.evidence,
            },
        })
    }

    async fn gate_view(&self, job_id: &EntityId) -> Result<Option<GateStatus>, Error> {
        let host = self.host();
        Ok(ask(host, &host.gates, job_id, Action::Read, |view| view.state.status(view.now)).await?)
    }

    /// How a job stands at its gate.
    ///
    /// # Errors
    /// `not_found`, and the faults of the store.
    pub async fn gate_status(&self, request: JobRef) -> Result<GateStatus, Error> {
        let known = self.gate_view(&request.job_id).await?;
        known.ok_or_else(|| gate::Rejection::NotTracked.into())
    }

    /// Gives leadership of a job at the gate to another gate, under a higher epoch. Durable on return.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `job_ended`, and the faults of the store.
    pub async fn gate_transfer(&self, request: TransferGate) -> Result<GateStatus, Error> {
        let host = self.host();
        let said = gate::Command::Transfer {
            to: self.leader(Some(&request.new_gate_id)),
            addr: if request.new_gate_addr.is_empty() { HERE.into() } else { request.new_gate_addr },
        };
        let action = Action::Command(said, None);
        ask(host, &host.gates, &request.job_id, action, |view| match view.reply {
            Some(Err(rejection)) => Err(Error::from(rejection)),
            Some(Ok(_)) | None => view.state.status(view.now).ok_or_else(strange),
        })
        .await?
    }
}

fn stream(job_id: &EntityId, datacenter: &EntityId) -> Result<EntityId, Error> {
    if datacenter.as_str().contains('@') {
        return Err(Error::invalid("datacenter", datacenter.as_str(), "a name without @"));
    }
    job_stream(job_id, datacenter).map_err(|_| {
        Error::invalid("job_id", job_id.as_str(), "an id that with the datacenter has up to 255 bytes")
    })
}

/// What the gate says, as a status of the job.
fn overall<'a>(gate: &GateStatus, parts: &'a [JobStatusView]) -> &'a str {
    if let Some(status) = gate.final_status {
        return JobStatus::from(status).name();
    }
    if gate.decision.is_some() {
        return JobStatus::Timeout.name();
    }
    let rank = |status: &str| JobStatus::ALL.into_iter().position(|of| of.name() == status);
    let live = parts.iter().filter(|part| part.ended_at.is_none());
    live.map(|part| part.status.as_str()).max_by_key(|status| rank(status)).unwrap_or("submitted")
}

fn line_of(view: &JobView) -> JobLine {
    JobLine {
        job_id: view.job_id.clone(),
        datacenter: view.datacenter.clone(),
        status: view.status.name().into(),
        started_at: view.started_at,
        next_deadline: view.next_deadline,
        fence_token: view.token.get(),
    }
}

fn status_view(view: JobView, state: &Job, workflows: BTreeMap<EntityId, String>) -> JobStatusView {
    let seconds = |ms: u64| ms as f64 / 1_000.0;
    let kind =
        view.ended.as_ref().and_then(|ended| ended.kind).or(view.timeout.as_ref().map(|(kind, _)| *kind));
    let reason = view.ended.as_ref().filter(|ended| ended.kind.is_some()).map(|ended| ended.reason.clone());
    let globally = state.run.as_ref().is_some_and(|run| run.decision.is_some());
    JobStatusView {
        job_id: view.job_id,
        datacenter: view.datacenter,
        status: view.status.name().into(),
        phase: view.phase.name().into(),
        strategy_type: view.limits.strategy.name().into(),
        timeout_rule: view.limits.rule,
        gate_addr: view.gate.map(|gate| gate.addr),
        run: view.run,
        started_at: view.started_at,
        last_progress_at: view.last_progress_at,
        elapsed_seconds: seconds(view.elapsed_ms),
        idle_seconds: seconds(view.idle_ms),
        timeout_seconds: view.limits.overall_ms.map(seconds),
        effective_timeout_seconds: view.effective_ms.map(seconds),
        remaining_seconds: view.remaining_ms.map(seconds),
        deadline: view.deadline,
        stuck_threshold: seconds(view.limits.stuck_ms),
        stuck_deadline: view.stuck_deadline,
        learned_from: view.limits.learned_from.map(|learned| learned.evidence),
        total_extensions_granted: seconds(view.extensions_ms),
        max_worker_extension: seconds(view.max_extension_ms),
        last_extension_at: view.last_extension_at,
        active_workers_with_extensions: view.extended_workers,
        lost_workers: view.lost_workers,
        locally_timed_out: view.timeout.is_some(),
        globally_timed_out: globally,
        timeout_kind: kind.map(|kind| kind.name().to_owned()),
        timeout_reason: reason.or(view.timeout.map(|(_, reason)| reason)).unwrap_or_default(),
        leader_id: view.leader.node,
        leader_incarnation: view.leader.incarnation,
        leader_addr: view.leader_addr,
        fence_token: view.token.get(),
        lease_holder: view.lease_holder.map(|holder| holder.node),
        workflow_counts: view
            .workflows
            .into_iter()
            .map(|(status, n)| (status.name().to_owned(), n))
            .collect(),
        workflows,
        unanswered: view.outbox,
        resumes: view.resumes,
        ended_reason: view.ended.as_ref().map(|ended| ended.reason.clone()),
        ended_at: view.ended.map(|ended| ended.closed_at),
    }
}

fn extended(job_ids: Vec<EntityId>, response: job::message::HealthcheckExtensionResponse) -> JobExtended {
    let seconds = |ms: u64| ms as f64 / 1_000.0;
    JobExtended {
        granted: response.granted,
        extension_seconds: seconds(response.extension_ms),
        new_deadline: seconds(response.deadline_in_ms),
        remaining_extensions: response.remaining_extensions,
        denial_reason: response.denial_reason,
        is_exhaustion_warning: response.is_exhaustion_warning,
        grace_period_remaining: seconds(response.grace_period_remaining_ms),
        in_grace_period: response.in_grace_period,
        job_ids,
    }
}

fn cancelled(job_id: EntityId, response: JobCancelResponse) -> JobCancelled {
    JobCancelled {
        job_id,
        success: response.success,
        cancelled_workflow_count: response.cancelled_workflow_count,
        already_cancelled: response.already_cancelled,
        already_completed: response.already_completed,
        error: response.error,
    }
}

fn holder(request: &LeaseJob) -> Result<Leader, Error> {
    let incarnation = count("incarnation", request.incarnation)?;
    Ok(Leader { node: request.holder_id.clone(), incarnation })
}

/// The leadership a caller shows; 0 is the same as none.
fn token(given: Option<i64>) -> Result<Option<FenceToken>, Error> {
    let shown = given.map(|n| count("fence_token", n)).transpose()?;
    Ok(shown.filter(|n| *n > 0).map(FenceToken::shown))
}

/// The token of whoever claims to hold something.
fn needed(given: Option<i64>) -> Result<FenceToken, Error> {
    match token(given)? {
        Some(token) => Ok(token),
        None if given.is_some() => Err(Error::invalid("fence_token", 0, "the token of the holder, from 1")),
        None => Err(Error::missing("fence_token")),
    }
}

pub(super) fn count(field: &str, given: i64) -> Result<u64, Error> {
    u64::try_from(given).map_err(|_| Error::invalid(field, given, "0 to 9223372036854775807"))
}

/// Seconds as whole milliseconds, at least one.
fn millis(field: &str, seconds: f64) -> Result<u64, Error> {
    let longest = MAX_SPAN_MS as f64 / 1_000.0;
    if seconds > 0.0 && seconds <= longest {
        return Ok(((seconds * 1_000.0).round() as u64).max(1));
    }
    Err(Error::invalid(field, real(seconds), &format!("above 0 and up to {longest}")))
}

/// NaN and the infinities have no JSON number; they are named as text.
fn real(number: f64) -> Value {
    if number.is_finite() { Value::from(number) } else { number.to_string().into() }
}

fn unexpected(reply: Option<Result<Reply, job::Rejection>>) -> Error {
    match reply {
        Some(Err(rejection)) => rejection.into(),
        Some(Ok(_)) | None => strange(),
    }
}

/// A command and its reply belong together.
fn strange() -> Error {
    Error::new(ErrorKind::Conflict, "the job answered something else; ask again")
}
