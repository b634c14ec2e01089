//! Who leads a job: handovers, leases, and the gate. What is learned of how long jobs take.

use super::dto::{ClassEstimate, ClassRef, JobChanged, JobLed, JobRef, LeaseJob, TransferGate, TransferJob};
use super::job::Jobs;
use super::job_view::{holder, lease_ms, needed, strange, token, unexpected};
use super::texts;
use crate::core::jobs::durations::{Durations, DurationsMachine};
use crate::core::jobs::gate;
use crate::core::jobs::gate::status::GateStatus;
use crate::core::jobs::manager::{self as job, JobMachine, Reply};
use crate::core::kernel::ids::EntityId;
use crate::error::{Error, ErrorKind};
use crate::shell::access::Asks;
use crate::shell::entity::{Action, View};
use crate::shell::jobs::{self, HERE};
use crate::shell::runtime::ask;

impl Jobs<'_> {
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
            let settings = run.map(|run| run.terms.settings.lease).filter(|_| lease_expires_at.is_some());
            Ok(JobLed {
                lease_ms: settings.map(|settings| settings.length_ms(view.state.lease.length_ms)),
                leader_id: run.map_or_else(|| name.clone(), |run| run.leader.node.clone()),
                datacenter: view.state.datacenter.clone().unwrap_or_else(|| name.clone()),
                job_id: name,
                fence_token: token.get(),
                lease_expires_at,
            })
        })
        .await
    }

    /// Who leads a job now, where somebody does.
    pub(super) async fn leader_of(
        &self,
        job_id: &EntityId,
        datacenter: Option<&EntityId>,
    ) -> Option<EntityId> {
        let stream = self.find(job_id, datacenter).await.ok()?;
        let host = self.host();
        let leads = |view: View<'_, JobMachine>| view.state.run.as_ref().map(|run| run.leader.node.clone());
        ask(host, &host.kinds.jobs, &stream, Action::Read, leads).await.ok().flatten()
    }

    /// Gives leadership of a job to another leader, under a higher token. Durable on return: from then on everything
    /// the former leader does is refused.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `job_ended`, `lease_held`, `stale_token`, `unknown_token`, and the faults of
    /// the store.
    pub async fn transfer(&self, request: TransferJob) -> Result<JobLed, Error> {
        self.q.allow("job.transfer", &request).await?;
        texts::address_or_here("new_leader_addr", &request.new_leader_addr)?;
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
    /// A lease ends with this process if its holder lives in it: one without an address, unless the request says
    /// otherwise. A later incarnation of a holder need not wait for a lease that was taken from a process that is gone.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `job_ended`, `lease_held`, and the faults of the store.
    pub async fn acquire(&self, request: LeaseJob) -> Result<JobLed, Error> {
        self.q.allow("job.acquire", &request).await?;
        texts::address_or_here("holder_addr", &request.holder_addr)?;
        let in_process = request.in_process.unwrap_or(request.holder_addr.is_empty());
        let (holder, lease_ms) = (holder(&request)?, lease_ms(&request)?);
        let said = job::Command::AcquireLease {
            holder,
            addr: if request.holder_addr.is_empty() { HERE.into() } else { request.holder_addr },
            seen: None,
            force: request.force,
            lease_ms,
            in_process,
            by: self.q.host().by().cloned(),
        };
        self.led((request.job_id, request.datacenter), said).await
    }

    /// Keeps the lease of a job; answers with the token in force. Durable on return.
    ///
    /// # Errors
    /// As [`Jobs::acquire`], and `lease_lost`, `stale_token`.
    pub async fn renew(&self, request: LeaseJob) -> Result<JobLed, Error> {
        self.q.allow("job.renew", &request).await?;
        texts::address_or_here("holder_addr", &request.holder_addr)?;
        let said = job::Command::RenewLease {
            holder: holder(&request)?,
            token: needed(request.fence_token)?,
            lease_ms: lease_ms(&request)?,
        };
        self.led((request.job_id, request.datacenter), said).await
    }

    /// Gives the lease of a job back. Durable on return.
    ///
    /// # Errors
    /// As [`Jobs::renew`].
    pub async fn release(&self, request: LeaseJob) -> Result<JobChanged, Error> {
        self.q.allow("job.release", &request).await?;
        texts::address_or_here("holder_addr", &request.holder_addr)?;
        let said =
            job::Command::ReleaseLease { holder: holder(&request)?, token: needed(request.fence_token)? };
        self.change((request.job_id, request.datacenter), said).await
    }
    pub(super) async fn gate_view(&self, job_id: &EntityId) -> Result<Option<GateStatus>, Error> {
        let host = self.host();
        let seen = ask(host, &host.kinds.gates, job_id, Action::Read, |view| {
            view.state.leads().map(|()| view.state.status(view.now))
        });
        Ok(seen.await??)
    }

    /// How a job stands at its gate.
    ///
    /// # Errors
    /// `not_found`, and the faults of the store.
    pub async fn gate_status(&self, request: JobRef) -> Result<GateStatus, Error> {
        self.q.allow("gate.status", &request).await?;
        let known = self.gate_view(&request.job_id).await?;
        let mut status = known.ok_or(gate::Rejection::NotTracked)?;
        if let Some(sight) = self.q.sight() {
            sight.gate(&mut status);
        }
        Ok(status)
    }

    /// Gives leadership of a job at the gate to another gate, under a higher epoch. Durable on return.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `job_ended`, and the faults of the store.
    pub async fn gate_transfer(&self, request: TransferGate) -> Result<GateStatus, Error> {
        self.q.allow("gate.transfer", &request).await?;
        texts::address_or_here("new_gate_addr", &request.new_gate_addr)?;
        let host = self.host();
        if let Some(me) = host.fleet.me().filter(|me| **me != request.new_gate_id) {
            let expected = format!(
                "{me}, the gate of this node: the jobs of a gate that is dead go to another one by themselves"
            );
            return Err(Error::invalid("new_gate_id", request.new_gate_id.as_str(), &expected));
        }
        let said = gate::Command::Transfer {
            to: self.leader(Some(&request.new_gate_id)),
            addr: if request.new_gate_addr.is_empty() { HERE.into() } else { request.new_gate_addr },
        };
        let action = Action::Command(said, None);
        ask(host, &host.kinds.gates, &request.job_id, action, |view| match view.reply {
            Some(Err(rejection)) => Err(Error::from(rejection)),
            Some(Ok(_)) | None => view.state.status(view.now).ok_or_else(strange),
        })
        .await?
    }

    /// Has a job of this class ended?
    async fn is_class(&self, class: &EntityId) -> Result<bool, Error> {
        let host = self.host();
        let noted = |view: View<'_, DurationsMachine>| *view.state != Durations::default();
        Ok(ask(host, &host.kinds.durations, class, Action::Read, noted).await?)
    }

    /// What is known of the durations of a class of jobs.
    ///
    /// # Errors
    /// `not_found` for a class of which no job has ended, and the faults of the store.
    pub async fn estimate(&self, request: ClassRef) -> Result<ClassEstimate, Error> {
        self.q.allow("job.estimate", &request).await?;
        let known = jobs::estimate(self.host(), Some(&request.class)).await?;
        if known.is_none() && !self.is_class(&request.class).await? {
            let message =
                format!("no job of this class has ended, so nothing is known of it. class={}", request.class);
            let refused = Error::new(ErrorKind::NotFound, message);
            return Err(refused.with("field", "class").with("given", request.class.as_str()));
        }
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
}
