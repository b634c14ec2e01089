//! Operations on back-pressure: who asks whom to slow down.

use std::collections::BTreeMap;
use std::time::Duration;

use super::dto::{AskPressure, DatacenterPressure, ManagerPressure, PressureStatus, WorkerPressure};
use super::{Quorate, nearest};
use crate::core::jobs::worker::{self, Job, Worker, Workflow};
use crate::core::kernel::ids::EntityId;
use crate::core::load::stats::Level;
use crate::error::{Error, ErrorKind};
use crate::shell::entity::Action;
use crate::shell::load::load_id;
use crate::shell::lock;
use crate::shell::pressure::{Asked, Manager, NotOn};
use crate::shell::runtime::ask;

/// Operations on back-pressure.
#[derive(Clone, Copy, Debug)]
pub struct Pressure<'a> {
    pub(super) q: &'a Quorate,
}

impl Pressure<'_> {
    /// Who asks whom to slow down, and what becomes of it. Asking changes nothing.
    ///
    /// # Errors
    /// `not_found` for a worker that was never registered, with the names that are like it, and the faults of the store.
    pub async fn status(&self, request: AskPressure) -> Result<PressureStatus, Error> {
        self.q.allow("pressure.status", &request).await?;
        let AskPressure { worker_id, datacenter } = request;
        let (host, now) = (self.q.host(), self.q.now());
        let of = worker_id.clone();
        let dropped = ask(host, &host.kinds.load_records, &load_id(), Action::Read, move |view| {
            of.and_then(|worker| view.state.updates_dropped.get(&worker).copied()).unwrap_or(0)
        });
        let dropped_all_time = dropped.await?;
        let wanted = |name: &EntityId| datacenter.as_ref().is_none_or(|only| only == name);
        let known = host.pressure.datacenters(now).into_iter().filter(|dc| wanted(&dc.datacenter));
        let datacenters = known.map(|dc| DatacenterPressure {
            datacenter: dc.datacenter,
            level: dc.asked.level,
            state: word(dc.asked.level).to_owned(),
            delay_ms: ms(dc.asked.delay),
            managers: dc.managers.into_iter().map(manager).collect(),
            refused: dc.refused,
        });
        let gaps = match &worker_id {
            Some(worker) => {
                let seen = ask(host, &host.kinds.workers, worker, Action::Read, |view| {
                    view.state.worker_id.as_ref().map(|_| untold(view.state))
                });
                seen.await?.ok_or_else(|| self.unknown(worker))?
            }
            None => BTreeMap::new(),
        };
        let worker = worker_id.map(|worker_id| {
            let sight = host.pressure.worker(&worker_id, now);
            let asked = sight.managers.iter().map(|(_, asked)| *asked);
            let level = asked.clone().map(|asked| asked.level).max().unwrap_or(Level::None);
            WorkerPressure {
                worker_id,
                level,
                state: word(level).to_owned(),
                delay_ms: ms(asked.map(|asked| asked.delay).max().unwrap_or_default()),
                managers: sight.managers.into_iter().map(manager).collect(),
                offered: sight.counts.offered,
                delivered: sight.counts.delivered,
                superseded: sight.counts.superseded.saturating_add(sight.counts.stale),
                dropped: sight.counts.dropped,
                dropped_all_time,
                held: sight.held as u64,
                gaps,
                next_at: sight.next_at,
            }
        });
        Ok(PressureStatus {
            own_level: host.pressure.own_level(now),
            overall_level: host.pressure.overall(now),
            datacenters: datacenters.collect(),
            worker,
        })
    }

    /// A worker that is misspelt must not read as one that nobody asks for anything.
    fn unknown(&self, worker: &EntityId) -> Error {
        let workers = lock(&self.q.host().counters.workers);
        let refused = Error::from(worker::Rejection::NotRegistered).with("given", worker.as_str());
        refused.beside(nearest::names(worker.as_str(), workers.iter().map(EntityId::as_str)))
    }
}

/// Reports a worker dropped that the managers of their jobs were not told of, by job.
fn untold(worker: &Worker) -> BTreeMap<EntityId, u64> {
    let of = |job: &Job| job.workflows.values().map(Workflow::untold).fold(0, u64::saturating_add);
    let jobs = worker.jobs.iter().map(|(job_id, job)| (job_id.clone(), of(job)));
    jobs.filter(|(_, untold)| *untold > 0).collect()
}

/// What a level makes senders do.
fn word(level: Level) -> &'static str {
    match level {
        Level::None => "no_backpressure",
        Level::Throttle => "throttled",
        Level::Batch => "batch_only",
        Level::Reject => "reject",
    }
}

fn manager((Manager { datacenter, node }, asked): (Manager, Asked)) -> ManagerPressure {
    ManagerPressure { datacenter, manager_id: node, level: asked.level, delay_ms: ms(asked.delay) }
}

pub(super) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The error for progress that is not let on to its datacenter.
pub(super) fn not_on(datacenter: &EntityId, not_on: NotOn) -> Error {
    let NotOn { level, retry_after } = not_on;
    let message = format!("the datacenter asks for less. datacenter={datacenter}, level={}", level.name());
    Error::new(ErrorKind::Overloaded, message)
        .with("accepted", false)
        .with("reason", level.name())
        .with("datacenter", datacenter.as_str())
        .with("retry_after_ms", ms(retry_after).max(1))
}
