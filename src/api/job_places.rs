//! Jobs that are run by managers in other processes, as the gate in this one shows them.

use super::Quorate;
use super::dto::{
    AskWhy, JobLine, JobPlace, JobRef, JobStatusReply, JobWhy, OverdueLine, StuckList, WhyLink,
};
use super::history::why;
use super::job::Jobs;
use super::job_list::Paging;
use super::job_view::{WAITING, overall, stream};
use super::overview::{LOOKED_AT, Overviews};
use super::{cursor, opened};
use crate::core::jobs::gate::index::{GateIndex, parts};
use crate::core::jobs::gate::{DatacenterStatus, Gate, GateStatus};
use crate::core::jobs::manager::index::JobIndex;
use crate::core::jobs::manager::{self as job, JobStatus};
use crate::core::kernel::ids::{EntityId, StreamKind};
use crate::core::kernel::openings::Openings;
use crate::core::kernel::time::{Timestamp, millis};
use crate::error::Error;
use crate::shell::access::Access;
use crate::shell::entity::Action;
use crate::shell::lock;
use crate::shell::runtime::ask;

/// A live job on a page.
pub(super) struct Listed {
    /// The name of its stream, here or at its manager.
    pub(super) name: EntityId,
    /// Does this process manage it?
    pub(super) is_here: bool,
}

/// A page of live jobs, those that gates track for other processes among them.
pub(super) async fn page(host: &Access, paging: &Paging) -> Result<opened::Page<Listed>, Error> {
    let Paging { limit, cursor, newest_first } = paging;
    let mark = cursor.as_deref().map(|given| opened::mark_of(given, *newest_first)).transpose()?;
    if let Some((_, name)) = &mark {
        check(host, name).await?;
    }
    let most = limit + 1;
    let is_elsewhere = |name: &EntityId| parts(name).is_some_and(|(_, of)| !host.fleet.manages(&of));
    let some = |open: &Openings, is_here: bool| -> Vec<(Timestamp, EntityId, bool)> {
        let fits = |name: &EntityId| is_here || is_elsewhere(name);
        if *newest_first {
            let before = open.before(mark.as_ref()).filter(|(_, name)| fits(name)).take(most);
            return before.map(|(since, name)| (*since, name.clone(), is_here)).collect();
        }
        let after = open.after(mark.as_ref().map(|(_, name)| name)).filter(|name| fits(name)).take(most);
        after.map(|name| (Timestamp::EPOCH, name.clone(), is_here)).collect()
    };
    let jobs = some(&lock::<JobIndex>(&host.counters.jobs).open, true);
    let mut all = some(&lock::<GateIndex>(&host.counters.gates).places, false);
    all.extend(jobs);
    // What this process manages is shown as it has it.
    all.sort_by(|one, other| (one.0, &one.1, !one.2).cmp(&(other.0, &other.1, !other.2)));
    all.dedup_by(|later, first| later.1 == first.1);
    if *newest_first {
        all.reverse();
    }
    let more = all.len() > *limit;
    all.truncate(*limit);
    let next_cursor = all.last().map(|(since, name, _)| opened::cursor_of(*newest_first, *since, name));
    let entries = all.into_iter().map(|(_, name, is_here)| Listed { name, is_here }).collect();
    Ok(opened::Page { entries, next_cursor, more })
}

/// Refuses a cursor that names neither a job nor one that a gate tracks.
async fn check(host: &Access, name: &EntityId) -> Result<(), Error> {
    match (cursor::check(host, StreamKind::Job, Some(name.as_str())).await, parts(name)) {
        (Err(_), Some((job_id, _))) => {
            match cursor::check(host, StreamKind::Gate, Some(job_id.as_str())).await {
                Ok(()) => Ok(()),
                Err(_) => Err(cursor::unknown(name.as_str())),
            }
        }
        (checked, _) => checked,
    }
}

impl Overviews<'_> {
    /// The newest jobs that gates here track and other processes run, each in each datacenter.
    pub(super) fn elsewhere(&self) -> Vec<EntityId> {
        let host = self.q.host();
        let index = lock(&host.counters.gates);
        let names = index.places.before(None).map(|(_, name)| name);
        let elsewhere = names.filter(|name| parts(name).is_some_and(|(_, of)| !host.fleet.manages(&of)));
        elsewhere.take(LOOKED_AT).cloned().collect()
    }

    /// Those of them whose time is over and that have not ended, that wait for a datacenter, or in which nothing moves.
    pub(super) async fn overdue_elsewhere(&self, names: &[EntityId]) -> Result<Vec<OverdueLine>, Error> {
        let mut lines = Vec::new();
        for name in names {
            lines.extend(self.q.jobs().look_at_gate(name, overdue).await?);
        }
        Ok(lines)
    }
}

fn overdue(gate: &Gate, datacenter: &EntityId, now: Timestamp) -> Option<OverdueLine> {
    let (run, dc) = (gate.run.as_ref()?, gate.place(datacenter, now)?);
    let moved = run.datacenters.get(datacenter)?.last_progress;
    let decided = || run.decision.as_ref().map(|decided| (decided.reason.clone(), decided.at));
    let lost = || dc.lost_at.map(|at| (format!("{WAITING}: every manager of {datacenter} is dead"), at));
    let stuck =
        || dc.is_stuck.then(|| (format!("nothing moves in {datacenter}, at {}", dc.leader.node), moved));
    let (what, since) = decided().or_else(lost).or_else(stuck)?;
    let id = gate.job_id.clone()?.to_string();
    Some(OverdueLine { kind: "job".into(), id, what, since, for_ms: millis(now.since(since)) })
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}

/// A job in one datacenter.
fn place(dc: DatacenterStatus) -> JobPlace {
    let is_new = !dc.is_final && dc.fence_token.get() == 0 && dc.lost_at.is_none();
    JobPlace {
        datacenter: dc.datacenter,
        status: if is_new { JobStatus::Submitted.name().into() } else { dc.status.into_owned() },
        is_final: dc.is_final,
        reason: dc.reason,
        leader_id: dc.leader.node,
        leader_addr: dc.manager_addr,
        fence_token: dc.fence_token.get(),
        idle_seconds: dc.idle_ms.map(seconds),
        since_report_seconds: dc.since_report_ms.map(seconds),
        is_stuck: dc.is_stuck,
        lost_at: dc.lost_at,
        workflows_total: dc.workflows_total,
        workflows_completed: dc.workflows_completed,
        workflows_failed: dc.workflows_failed,
    }
}

/// A live job in one datacenter, as a line of a list.
pub(super) fn line(gate: &Gate, datacenter: &EntityId, now: Timestamp) -> Option<JobLine> {
    let (run, dc) = (gate.run.as_ref()?, place(gate.place(datacenter, now)?));
    let status = match dc.status.as_str() {
        status if status == WAITING => WAITING,
        "submitted" => JobStatus::Submitted.name(),
        // Its time is over there; what becomes of it is for the gate to decide.
        "running" | "timed_out" => JobStatus::Running.name(),
        _ => JobStatus::Completing.name(),
    };
    Some(JobLine {
        job_id: gate.job_id.clone()?,
        status: status.into(),
        started_at: run.submitted_at,
        next_deadline: crate::core::jobs::gate::due(gate),
        gate_id: Some(run.gate.node.clone()),
        leader_addr: Some(dc.leader_addr),
        deadline: crate::core::jobs::gate::verdict::deadline(run),
        idle_seconds: dc.idle_seconds,
        is_stuck: Some(dc.is_stuck),
        datacenter: dc.datacenter,
        leader_id: dc.leader_id,
        fence_token: dc.fence_token,
    })
}

/// A job that has ended, in each of its datacenters.
pub(super) fn ended(_: &EntityId, gate: &Gate) -> Option<Vec<JobLine>> {
    let (finished, job_id) = (gate.finished.as_ref()?, gate.job_id.as_ref()?);
    let line = |(name, _): (&EntityId, _)| {
        let dc = gate.place(name, finished.at)?;
        let own = finished.datacenters.get(name).and_then(|dc| dc.own_final());
        Some(JobLine {
            job_id: job_id.clone(),
            datacenter: name.clone(),
            status: JobStatus::from(own.unwrap_or(finished.status)).name().into(),
            leader_id: dc.leader.node,
            started_at: finished.submitted_at,
            next_deadline: None,
            fence_token: dc.fence_token.get(),
            gate_id: Some(finished.gate.node.clone()),
            leader_addr: Some(dc.manager_addr),
            deadline: None,
            idle_seconds: None,
            is_stuck: None,
        })
    };
    Some(finished.datacenters.iter().filter_map(line).collect())
}

impl Jobs<'_> {
    /// What the gate here says of a job that other processes run: in the datacenter that is named, or in all of its own.
    /// None where this process manages it, or no gate here tracks it.
    pub(super) async fn at_gate(
        &self,
        job_id: &EntityId,
        named: Option<&EntityId>,
    ) -> Result<Option<GateStatus>, Error> {
        let host = self.host();
        if host.fleet.me().is_none() {
            return Ok(None);
        }
        let Some(mut gate) = self.gate_view(job_id).await? else { return Ok(None) };
        let is_meant = |name: &EntityId| named.is_none_or(|named| named == name) && !host.fleet.manages(name);
        let all = gate.datacenters.len();
        gate.datacenters.retain(|dc| is_meant(&dc.datacenter));
        let is_whole = named.is_some() || gate.datacenters.len() == all;
        Ok((is_whole && !gate.datacenters.is_empty()).then_some(gate))
    }

    pub(super) async fn status_now(&self, request: JobRef) -> Result<JobStatusReply, Error> {
        let gate = match &request.datacenter {
            Some(named) => {
                if let Some(gate) = self.at_gate(&request.job_id, Some(named)).await? {
                    return Ok(self.status_elsewhere(request.job_id, &gate));
                }
                None
            }
            None => self.gate_view(&request.job_id).await?,
        };
        let mut streams = Vec::new();
        match (&request.datacenter, &gate) {
            (Some(named), _) => streams.push(self.find(&request.job_id, Some(named)).await?),
            (None, Some(gate)) => {
                for dc in &gate.datacenters {
                    streams.push(stream(&request.job_id, &dc.datacenter)?);
                }
            }
            (None, None) => streams.push(self.find(&request.job_id, None).await?),
        }
        let mut datacenters = Vec::with_capacity(streams.len());
        for stream in &streams {
            datacenters.extend(self.view(stream).await?);
        }
        let routed = match &gate {
            Some(_) => self.q.routes().routed(&request.job_id).await?,
            None => None,
        };
        let elsewhere = gate.as_ref().map(|gate| self.places(gate)).unwrap_or_default();
        let deadline = gate.as_ref().and_then(|gate| gate.deadline).filter(|_| !elsewhere.is_empty());
        let status = match (gate, datacenters.as_slice()) {
            (Some(gate), parts) => overall(&gate, parts).to_owned(),
            (None, [only]) => only.status.clone(),
            (None, _) => return Err(job::Rejection::UnknownJob.into()),
        };
        Ok(JobStatusReply { job_id: request.job_id, status, datacenters, elsewhere, deadline, routed })
    }

    /// Where a job is that other processes run.
    pub(super) fn places(&self, gate: &GateStatus) -> Vec<JobPlace> {
        let host = self.host();
        let elsewhere = gate.datacenters.iter().filter(|dc| !host.fleet.manages(&dc.datacenter));
        elsewhere.cloned().map(|dc| shown(self.q, place(dc))).collect()
    }

    /// The status of a job in one datacenter that another process manages.
    pub(super) fn status_elsewhere(&self, job_id: EntityId, gate: &GateStatus) -> JobStatusReply {
        let elsewhere = self.places(gate);
        let status = elsewhere.first().map_or_else(String::new, |place| place.status.clone());
        JobStatusReply {
            job_id,
            status,
            datacenters: Vec::new(),
            elsewhere,
            deadline: gate.deadline,
            routed: None,
        }
    }

    /// What led to how a job stands that other processes run: the record of its gate.
    pub(super) async fn why_at_gate(&self, request: JobRef, gate: &GateStatus) -> Result<JobWhy, Error> {
        let asked = AskWhy {
            entity_id: request.job_id.clone(),
            kind: Some(StreamKind::Gate.name().into()),
            about: request.datacenter.clone(),
        };
        let told = why(self.q, asked).await?;
        let steps = told.chain.into_iter().filter(|step| step.kind == StreamKind::Gate.name());
        let chain = steps.map(|step| WhyLink { seq: step.seq, at: step.at, sentence: step.sentence });
        let status = match request.datacenter {
            Some(_) => self.status_elsewhere(request.job_id.clone(), gate).status,
            None => overall(gate, &[]).to_owned(),
        };
        Ok(JobWhy { job_id: request.job_id, datacenter: request.datacenter, status, chain: chain.collect() })
    }

    /// Where nothing moved for long of a job that other processes run.
    pub(super) fn stuck_elsewhere(
        &self,
        job_id: EntityId,
        gate: &GateStatus,
        threshold_ms: Option<u64>,
    ) -> StuckList {
        let mut elsewhere = self.places(gate);
        let is_stuck = |place: &JobPlace| match threshold_ms {
            Some(ms) => place.idle_seconds.is_some_and(|idle| idle >= seconds(ms)),
            None => place.is_stuck || place.lost_at.is_some(),
        };
        elsewhere.retain(is_stuck);
        elsewhere.sort_by(|a, b| b.idle_seconds.unwrap_or(0.0).total_cmp(&a.idle_seconds.unwrap_or(0.0)));
        StuckList { job_id, workflows: Vec::new(), total: 0, elsewhere }
    }

    /// Looks at a job on a page as its gate has it.
    pub(super) async fn look_at_gate<L: Send + 'static>(
        &self,
        name: &EntityId,
        look: impl FnOnce(&Gate, &EntityId, Timestamp) -> Option<L> + Send + 'static,
    ) -> Result<Option<L>, Error> {
        let Some((job_id, datacenter)) = parts(name) else { return Ok(None) };
        let host = self.host();
        let seen = ask(host, &host.kinds.gates, &job_id, Action::Read, move |view| {
            look(view.state, &datacenter, view.now)
        });
        Ok(seen.await?)
    }
}

/// A place as the caller may see it.
fn shown(q: &Quorate, place: JobPlace) -> JobPlace {
    let token = q.sight().map_or(place.fence_token, |sight| sight.token(&place.leader_id, place.fence_token));
    JobPlace { fence_token: token, ..place }
}
