//! Operations on jobs, their gates and their workers.

mod lead;

pub use self::lead::Led;
use super::Quorate;
use super::dto::{
    CancelJob, CompleteJob, JobCancelled, JobChanged, JobProgress, JobRef, JobStats, JobStatusReply,
    JobStatusView, JobSubmitted, JobWhy, MoveWorkflow, SubmitJob, WhyLink,
};
use super::hidden::Sight;
use super::job_aim::{Preferred, nobody};
use super::job_view::{
    cancelled, count, job_view, millis, settings, stats, strange, stream, taken, token, unexpected,
    with_leader,
};
use super::pressure::not_on;
use super::stats::level_view;
use super::texts;
use crate::core::jobs::gate::settings::TimeoutPolicy;
use crate::core::jobs::gate::{self, event::Target};
use crate::core::jobs::manager::settings::DEFAULT_STUCK_MS;
use crate::core::jobs::manager::timeout::Strategy;
use crate::core::jobs::manager::{
    self as job, Heard, Job, JobMachine, JobStatus, Reply, Submit, WorkflowStatus,
};
use crate::core::jobs::protocol::message::{
    FinalStatus, JobCancelRequest, JobDispatch, Leader, WorkflowPlan,
};
use crate::core::jobs::protocol::payload::Payloads;
use crate::core::jobs::protocol::token::{FenceToken, GateEpoch};
use crate::core::kernel::Machine;
use crate::core::kernel::ids::{EntityId, StreamId, StreamKind};
use crate::core::kernel::time::Timestamp;
use crate::core::load::stats::Level;
use crate::core::trust::identity::PartyKind;
use crate::error::{Error, ErrorKind};
use crate::journal::codec::decode;
use crate::shell::access::Access;
use crate::shell::entity::{Action, View};
use crate::shell::host::wait;
use crate::shell::jobs::{self, HERE, LOCAL};
use crate::shell::lock;
use crate::shell::pressure::arrived;
use crate::shell::runtime::ask;

/// The workflow of a job that says what is to be done and names no workflows.
const ONLY_WORKFLOW: &str = "main";

/// Operations on jobs and their gates.
#[derive(Clone, Copy, Debug)]
pub struct Jobs<'a> {
    pub(super) q: &'a Quorate,
}

impl Jobs<'_> {
    pub(super) fn host(&self) -> &Access {
        self.q.host()
    }

    pub(super) fn leader(&self, node: Option<&EntityId>) -> Leader {
        let host = self.host();
        let own = host.fleet.me().unwrap_or(&host.config.jobs.node);
        Leader { node: node.unwrap_or(own).clone(), incarnation: host.epoch }
    }

    /// Takes a job on: here, or through the gate in the datacenters named. Durable on return. The same submission again
    /// answers with the job there is, live or ended, and runs nothing.
    ///
    /// # Errors
    /// `invalid_argument`, `unknown_datacenter`, `already_exists` for another job under this id, live or ended, or for a
    /// job without a gate under an id that a gate knows, and the faults of the store.
    pub async fn submit(&self, request: SubmitJob) -> Result<JobSubmitted, Error> {
        self.q.allow("job.submit", &request).await?;
        let mut request = request;
        let mut taken = match request.spend.take() {
            Some(spent) => self.submit_spent(spent, request).await?,
            None => self.taken(request).await?,
        };
        if let (Some(sight), Some(token)) = (self.q.sight(), taken.fence_token) {
            let leader = self.leader_of(&taken.job_id, None).await;
            taken.fence_token = leader.map(|leader| sight.token(&leader, token)).filter(|token| *token > 0);
        }
        Ok(taken)
    }

    pub(super) async fn taken(&self, request: SubmitJob) -> Result<JobSubmitted, Error> {
        let job_id = match &request.job_id {
            Some(id) if id.as_str().contains('@') => {
                return Err(Error::invalid("job_id", id.as_str(), "an id without @"));
            }
            Some(id) => id.clone(),
            None => self.host().ids.mint(),
        };
        if let Some(addr) = &request.gate_addr {
            texts::address("gate_addr", addr)?;
        }
        let local = EntityId::new(LOCAL).map_err(|e| Error::invalid("datacenter", LOCAL, &e.to_string()))?;
        let leader = self.leader(request.leader_id.as_ref());
        let request = self.q.sealed_job(&job_id, request).await?;
        let mut submit = Submit::new(job_id.clone(), local.clone(), leader.clone(), HERE);
        submit.timeout_ms = request.timeout_seconds.map(|s| millis("timeout_seconds", s)).transpose()?;
        let stuck = request.stuck_threshold.map(|s| millis("stuck_threshold", s)).transpose()?;
        submit.stuck_threshold_ms = stuck.unwrap_or(DEFAULT_STUCK_MS);
        submit.class = request.class.clone();
        submit.timeout_rule = request.timeout_rule.clone().unwrap_or_default();
        submit.settings = settings(self.host().config.jobs.settings.clone(), &request)?;
        let policy = request.dc_timeout_policy.as_deref().map_or(Ok(None), |name| {
            let names = TimeoutPolicy::ALL.map(TimeoutPolicy::name).join(", ");
            let policy = TimeoutPolicy::from_name(name).map(Some);
            policy.ok_or_else(|| Error::invalid("dc_timeout_policy", name, &format!("one of {names}")))
        })?;
        let mut planned = request.workflows;
        if planned.is_empty() && request.payload.is_some() {
            // What is to be done is done by somebody: a job that says what has one workflow.
            planned.push(super::dto::PlanWorkflow::new(ONLY_WORKFLOW)?);
        }
        let own = planned.iter().filter_map(|workflow| {
            Some((workflow.workflow_id.clone(), workflow.payload.as_ref()?.to_string()))
        });
        submit.payloads =
            Payloads { workflows: own.collect(), job: request.payload.as_ref().map(ToString::to_string) };
        let plan = |workflow: super::dto::PlanWorkflow| WorkflowPlan {
            workflow_id: workflow.workflow_id,
            depends_on: workflow.depends_on,
            worker_id: workflow.worker_id,
        };
        submit.workflows = planned.into_iter().map(plan).collect();
        submit.estimate = jobs::estimate(self.host(), submit.class.as_ref()).await?;
        let preferred = Preferred { count: request.datacenter_count, names: request.preferred_datacenters };
        let aimed = self.aim(&job_id, request.target_datacenters, preferred).await?;
        let gated = request.gate_addr.is_some() || !aimed.datacenters.is_empty();
        if !gated && self.host().fleet.is_gate() && !self.is_here(&job_id).await? {
            let message = "this node is a gate, and knows no datacenter yet that could take the job";
            return Err(Error::new(ErrorKind::NoDatacenter, message).with("excluded", Vec::<String>::new()));
        }
        if !gated {
            // A job at a gate is found by its id first: a second one of that id could not be reached.
            if !self.datacenters(&job_id).await?.is_empty() {
                return Err(taken("a gate has, or had, a job of this id"));
            }
            return self.submit_here(submit).await;
        }
        let mut targets = aimed.datacenters;
        if targets.is_empty() {
            targets.push(local);
        }
        let gate_addr = request.gate_addr.unwrap_or_else(|| HERE.to_owned());
        let submitted = self.submit_to_gate(submit, targets, gate_addr, policy).await;
        if submitted.is_err() && aimed.is_new {
            // What no gate tracks goes nowhere.
            self.q.routes().cleanup(job_id).await?;
        }
        submitted.map(|submitted| JobSubmitted { routed: aimed.routed, ..submitted })
    }

    async fn submit_here(&self, submit: Submit) -> Result<JobSubmitted, Error> {
        let (job_id, datacenter) = (submit.job_id.clone(), submit.datacenter.clone());
        let said = job::Command::Submit(Box::new(submit));
        let stream = stream(&job_id, &datacenter)?;
        jobs::command(self.host(), &stream, said, move |view| match (view.reply, &view.state.run) {
            (Some(Ok(Reply::Submitted { token, again })), Some(run)) => Ok(JobSubmitted {
                job_id,
                status: run.status().name().into(),
                strategy_type: run.limits.strategy.name().into(),
                fence_token: Some(token.get()),
                gate_epoch: None,
                target_datacenters: vec![datacenter],
                routed: None,
                duplicate: again,
            }),
            (other, _) => Err(unexpected(other)),
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
        if self.is_here(&submit.job_id).await? {
            return Err(taken("there is, or was, a job without a gate under this id"));
        }
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
        let target = |datacenter: &EntityId| {
            let picked = host.fleet.pick(datacenter, &submit.job_id);
            let here = || host.fleet.manages(datacenter).then(|| (submit.leader.clone(), HERE.to_owned()));
            let (manager, manager_addr) = picked.or_else(here).ok_or_else(|| nobody(datacenter))?;
            Ok::<_, Error>(Target { datacenter: datacenter.clone(), manager, manager_addr })
        };
        let targets = datacenters.iter().map(target).collect::<Result<_, _>>()?;
        let mut settings = host.config.jobs.gate;
        settings.dc_timeout_policy = policy.unwrap_or(settings.dc_timeout_policy);
        let track = gate::command::Track {
            job_id: submit.job_id.clone(),
            gate,
            gate_addr: gate_addr.clone(),
            targets,
            plan: JobDispatch {
                timeout_ms: submit.timeout_ms,
                stuck_threshold_ms: submit.stuck_threshold_ms,
                workflows: submit.workflows,
                class: submit.class,
                timeout_rule: submit.timeout_rule,
                settings: submit.settings,
                gate_epoch: GateEpoch::NONE,
                gate_addr: gate_addr.clone(),
            },
            settings,
            payloads: submit.payloads,
        };
        let action = Action::Command(gate::Command::Track(Box::new(track)), None);
        let job_id = submit.job_id.clone();
        let tracked = ask(host, &host.kinds.gates, &submit.job_id, action, move |view| match view.reply {
            Some(Ok(gate::Reply::Tracked { gate_epoch, new })) => Ok(JobSubmitted {
                job_id,
                status: JobStatus::Submitted.name().into(),
                strategy_type: Strategy::GateCoordinated.name().into(),
                fence_token: None,
                gate_epoch: Some(gate_epoch.get()),
                target_datacenters: datacenters,
                routed: None,
                duplicate: !new,
            }),
            Some(Err(rejection)) => Err(Error::from(rejection)),
            Some(Ok(_)) | None => Err(strange()),
        });
        let mut tracked = tracked.await??;
        if tracked.duplicate {
            tracked.status =
                self.status_now(JobRef { job_id: submit.job_id, datacenter: None }).await?.status;
        }
        Ok(tracked)
    }

    /// Is there a job of this id here that no gate coordinates, live or ended?
    pub(super) async fn is_here(&self, job_id: &EntityId) -> Result<bool, Error> {
        let host = self.host();
        let is_here =
            |view: View<'_, JobMachine>| view.state.run.as_ref().is_some_and(|run| run.gate.is_none());
        Ok(ask(host, &host.kinds.jobs, job_id, Action::Read, is_here).await?)
    }

    /// The stream of a job: in the datacenter named, or the only one it runs in.
    pub(super) async fn find(
        &self,
        job_id: &EntityId,
        datacenter: Option<&EntityId>,
    ) -> Result<EntityId, Error> {
        let tracked = self.datacenters(job_id).await?;
        if let Some(named) = datacenter {
            if !tracked.is_empty() && !tracked.contains(named) {
                return Err(gate::Rejection::UnknownDatacenter { datacenter: named.clone() }.into());
            }
            let there = stream(job_id, named)?;
            // Without a gate that knows better: what runs under this id elsewhere does not run here.
            if tracked.is_empty()
                && there != *job_id
                && !self.is_known(&there).await?
                && self.is_known(job_id).await?
            {
                let unknown = gate::Rejection::UnknownDatacenter { datacenter: named.clone() };
                return Err(Error::from(unknown).with("expected", LOCAL));
            }
            return Ok(there);
        }
        match tracked.as_slice() {
            [] => {
                // A manager has those of its datacenter, and no gate that knows of them.
                let own = self.host().fleet.datacenter().map(|own| stream(job_id, own)).transpose()?;
                match own {
                    Some(own) if !self.is_known(job_id).await? && self.is_known(&own).await? => Ok(own),
                    Some(_) | None => Ok(job_id.clone()),
                }
            }
            [only] => stream(job_id, only),
            several => {
                let names: Vec<&str> = several.iter().map(EntityId::as_str).collect();
                Err(Error::missing("datacenter").with("expected", format!("one of {}", names.join(", "))))
            }
        }
    }

    /// Was a job ever submitted to this stream?
    pub(super) async fn is_known(&self, stream: &EntityId) -> Result<bool, Error> {
        let host = self.host();
        let known = |view: View<'_, JobMachine>| view.state.job_id.is_some();
        Ok(ask(host, &host.kinds.jobs, stream, Action::Read, known).await?)
    }

    /// The datacenters a gate tracks the job in; none when no gate does.
    pub(super) async fn datacenters(&self, job_id: &EntityId) -> Result<Vec<EntityId>, Error> {
        let host = self.host();
        let named = ask(host, &host.kinds.gates, job_id, Action::Read, |view| {
            view.state.leads().map(|()| {
                view.state.datacenters().into_iter().flatten().map(|(name, _)| name.clone()).collect()
            })
        });
        Ok(named.await??)
    }

    pub(super) async fn job<R: Send + 'static>(
        &self,
        (job_id, datacenter): (&EntityId, Option<&EntityId>),
        said: job::Command,
        view: impl FnOnce(View<'_, JobMachine>) -> Result<R, Error> + Send + 'static,
    ) -> Result<R, Error> {
        let stream = self.find(job_id, datacenter).await?;
        jobs::command(self.host(), &stream, said, |seen| {
            let leader = seen.state.run.as_ref().map(|run| run.leader.clone());
            view(seen).map_err(|error| with_leader(error, leader))
        })
        .await?
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

    pub(super) async fn change(
        &self,
        (job_id, datacenter): (EntityId, Option<EntityId>),
        said: job::Command,
    ) -> Result<JobChanged, Error> {
        let name = job_id.clone();
        self.job((&job_id, datacenter.as_ref()), said, move |view| {
            let status = view.state.run.as_ref().map_or("submitted", |run| run.status().name());
            let (changed, duplicate) = match view.reply {
                Some(Ok(Reply::Changed(changed))) => (changed, false),
                Some(Ok(Reply::Progress(noted))) => (noted.is_some(), false),
                Some(Ok(Reply::Ended { again, .. })) => (!again, again),
                Some(Ok(Reply::Lease { .. })) => (true, false),
                other => return Err(unexpected(other)),
            };
            Ok(JobChanged { job_id: name, status: status.into(), changed, duplicate, level: None })
        })
        .await
    }

    /// Says that a job got on. Known at once; on record within a second of progress. The answer carries the level after
    /// it: what the manager asks of senders from then on.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `job_ended`, `stale_token`, `unknown_token`, `token_missing` for a job under a
    /// lease, `no_leader`, `overloaded` when the datacenter asks its gate for less, and the faults of the store.
    pub async fn progress(&self, request: JobProgress) -> Result<JobChanged, Error> {
        self.q.allow("job.progress", &request).await?;
        self.may_pass(&request.job_id, request.datacenter.as_ref()).await?;
        let said = job::Command::Progress {
            workflow_id: request.workflow_id,
            completed_count: request.completed_count.map(|n| count("completed_count", n)).transpose()?,
            token: token(request.fence_token)?,
        };
        let mut changed = self.change((request.job_id, request.datacenter), said).await?;
        let host = self.host();
        arrived(host, false).await;
        changed.level = host.pressure.own_level(self.q.now()).map(level_view);
        Ok(changed)
    }

    /// Takes a workflow one step, or hands it to a worker. Durable on return. The step that was taken last, asked for again
    /// with the same reason and result, changes nothing, and is answered as a duplicate.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `illegal_transition`, `job_ended`, `stale_token`, `unknown_token`,
    /// `token_missing` for a job under a lease, and the faults of the store.
    pub async fn workflow(&self, request: MoveWorkflow) -> Result<JobChanged, Error> {
        self.q.allow("job.workflow", &request).await?;
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
        let mut changed = self.change((request.job_id, request.datacenter), said).await?;
        changed.duplicate = !changed.changed;
        Ok(changed)
    }

    /// Ends a job. Durable on return. Saying the same again changes nothing, and is answered as a duplicate.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `stale_token`, `unknown_token`, `token_missing` for a job under a lease,
    /// `job_ended` for one that ended otherwise, and the faults of the store.
    pub async fn complete(&self, request: CompleteJob) -> Result<JobChanged, Error> {
        self.q.allow("job.complete", &request).await?;
        let status = match request.status.as_deref() {
            None | Some("completed") => FinalStatus::Completed,
            Some("failed") => FinalStatus::Failed,
            Some(other) => return Err(Error::invalid("status", other, "completed or failed")),
        };
        let token = token(request.fence_token)?;
        let said = job::Command::Complete { status, reason: request.reason, token };
        self.change((request.job_id, request.datacenter), said).await
    }

    /// Stops a job: everywhere, or in one datacenter. A `fence_token` is one datacenter's; of a job in several it needs
    /// the `datacenter` too. Durable on return.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `stale_token`, `unknown_token`, and the faults of the store.
    pub async fn cancel(&self, request: CancelJob) -> Result<JobCancelled, Error> {
        self.q.allow("job.cancel", &request).await?;
        texts::requester("requester_id", &request.requester_id)?;
        let (host, job_id) = (self.host(), request.job_id);
        let token = token(request.fence_token)?;
        // Leadership is that of one datacenter: whoever shows it means that one.
        let everywhere = request.datacenter.is_none() && token.is_none();
        let tracked = if everywhere { self.datacenters(&job_id).await? } else { Vec::new() };
        let name = job_id.clone();
        if !tracked.is_empty() {
            // The gate asks its managers after it has answered; what they will stop is counted here.
            let mut open = 0;
            for datacenter in &tracked {
                open += self.open_workflows(&stream(&job_id, datacenter)?).await?;
            }
            let said = gate::Command::Cancel { requester_id: request.requester_id, reason: request.reason };
            let action = Action::Command(said, None);
            return ask(host, &host.kinds.gates, &job_id, action, move |view| match view.reply {
                Some(Ok(gate::Reply::Cancelled(mut response))) => {
                    if response.success && !response.already_cancelled {
                        response.cancelled_workflow_count = open;
                    }
                    Ok(cancelled(name, response))
                }
                Some(Err(rejection)) => Err(Error::from(rejection)),
                Some(Ok(_)) | None => Err(strange()),
            })
            .await?;
        }
        let said = job::Command::Cancel(JobCancelRequest {
            requester_id: request.requester_id,
            reason: request.reason,
            fence_token: token.unwrap_or(FenceToken::NONE),
            run: GateEpoch::NONE,
        });
        self.job((&job_id, request.datacenter.as_ref()), said, move |view| match view.reply {
            Some(Ok(Reply::Cancel(response))) => Ok(cancelled(name, response)),
            other => Err(unexpected(other)),
        })
        .await
    }

    async fn open_workflows(&self, stream: &EntityId) -> Result<u64, Error> {
        let host = self.host();
        let open = |view: View<'_, JobMachine>| {
            let live = view.state.run.iter().filter(|run| run.ended.is_none());
            live.flat_map(|run| run.workflows.values()).filter(|workflow| !workflow.is_settled()).count()
                as u64
        };
        Ok(ask(host, &host.kinds.jobs, stream, Action::Read, open).await?)
    }

    pub(super) async fn view(&self, stream: &EntityId) -> Result<Option<JobStatusView>, Error> {
        let host = self.host();
        let counters = host.counters.clone();
        let seen = ask(host, &host.kinds.jobs, stream, Action::Read, move |view| {
            let (job_id, datacenter) = (view.state.job_id.as_ref()?, view.state.datacenter.as_ref()?);
            let heard = lock(&counters.heard).at(job_id, datacenter);
            job_view(view.state, view.now, heard)
        });
        let mut view = seen.await?;
        if let (Some(sight), Some(view)) = (self.q.sight(), &mut view) {
            sight.job(view);
        }
        Ok(view)
    }

    /// How a job stands: in one datacenter, or everywhere.
    ///
    /// # Errors
    /// `not_found`, and the faults of the store.
    pub async fn status(&self, request: JobRef) -> Result<JobStatusReply, Error> {
        self.q.allow("job.status", &request).await?;
        self.status_now(request).await
    }

    /// What led to how a job stands, from its record.
    ///
    /// # Errors
    /// `not_found`, and the faults of the store.
    pub async fn why(&self, request: JobRef) -> Result<JobWhy, Error> {
        self.q.allow("job.why", &request).await?;
        if let Some(gate) = self.at_gate(&request.job_id, request.datacenter.as_ref()).await? {
            return self.why_at_gate(request, &gate).await;
        }
        let stream = self.find(&request.job_id, request.datacenter.as_ref()).await?;
        let view = self.view(&stream).await?.ok_or(job::Rejection::UnknownJob)?;
        let of = StreamId::new(StreamKind::Job, stream);
        let events = self.host().blocking(move |store| {
            let mut events: Vec<(u64, Timestamp, job::Event)> = Vec::new();
            loop {
                let page = wait(store.read(&of, events.last().map_or(0, |(seq, ..)| *seq), 4_096))?;
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
        let leads = |sight: Sight| sight.may(PartyKind::Holder, view.leader_id.as_str());
        let hidden = !self.q.sight().is_none_or(leads);
        let link = |link: job::why::Link| WhyLink {
            seq: link.seq,
            at: link.at,
            sentence: if hidden { Sight::sentence(&link.sentence) } else { link.sentence },
        };
        Ok(JobWhy {
            job_id: view.job_id,
            datacenter: Some(view.datacenter),
            status: view.status,
            chain: chain.into_iter().map(link).collect(),
        })
    }

    /// Counters over all jobs.
    ///
    /// # Errors
    /// The faults of the store.
    pub async fn stats(&self) -> Result<JobStats, Error> {
        self.q.allow("job.stats", &()).await?;
        self.q.settle().await;
        Ok(stats(self.host()))
    }
}
