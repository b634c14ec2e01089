//! Lists of jobs, and of the leases on them.

use std::time::Duration;

use super::dto::{Asker, JobLine, JobPage, LeaseLine, LeasePage, ListJobs, ListLeases};
use super::hidden::Sight;
use super::job::Jobs;
use super::job_places::{ended, line as place_line, page};
use super::job_view::{WAITING, line_of, millis};
use super::known::Sort;
use super::lease::Leases;
use super::quorum::page_limit;
use super::{closed, opened};
use crate::core::jobs::gate::{Gate, GateMachine};
use crate::core::jobs::manager::index::JobIndex;
use crate::core::jobs::manager::{Job, JobMachine, JobStatus};
use crate::core::jobs::protocol::message::Leader;
use crate::core::kernel::ids::{EntityId, StreamKind};
use crate::core::kernel::openings::Openings;
use crate::core::kernel::time::Timestamp;
use crate::core::trust::identity::PartyKind;
use crate::error::Error;
use crate::shell::access::Access;
use crate::shell::entity::Action;
use crate::shell::lock;
use crate::shell::runtime::ask;

/// Names of live jobs read at a time.
const LOOK_AHEAD: usize = 1_000;

/// Which jobs are listed.
enum Listed {
    /// Those that have not ended, or of them those in a status.
    Live(Option<&'static str>),
    /// Those that have ended, or of them those that ended so.
    Ended(Option<&'static str>),
}

/// Which page of a list.
pub(super) struct Paging {
    pub(super) limit: usize,
    pub(super) cursor: Option<String>,
    pub(super) newest_first: bool,
}

impl Listed {
    fn of(state: Option<&str>) -> Result<Self, Error> {
        match state {
            None | Some("live") => Ok(Listed::Live(None)),
            Some("ended") => Ok(Listed::Ended(None)),
            Some(name) if name == WAITING => Ok(Listed::Live(Some(WAITING))),
            Some(name) => match JobStatus::from_name(name) {
                Some(status) if status.is_terminal() => Ok(Listed::Ended(Some(status.name()))),
                Some(status) => Ok(Listed::Live(Some(status.name()))),
                None => {
                    let names = JobStatus::ALL.map(JobStatus::name).join(", ");
                    Err(Error::invalid("state", name, &format!("live, ended, {WAITING}, or one of {names}")))
                }
            },
        }
    }
}

fn openings(index: &JobIndex) -> &Openings {
    &index.open
}

/// Looks at live jobs from a cursor on, in pages, until so many are found. Says where the last page ended, and whether
/// there are more.
async fn live_jobs<L: Send + 'static>(
    host: &Access,
    (limit, cursor, newest_first): (usize, Option<String>, bool),
    look: impl Fn(&Job, Timestamp) -> Option<L> + Clone + Send + 'static,
) -> Result<(Vec<L>, Option<String>, bool), Error> {
    let (mut found, mut next_cursor, mut more) = (Vec::new(), cursor, true);
    while more && found.len() < limit {
        let of = (&host.counters.jobs, openings as fn(&JobIndex) -> &Openings);
        let most = (limit - found.len()).min(LOOK_AHEAD);
        let page =
            opened::page(host, StreamKind::Job, of, most, next_cursor.as_deref(), newest_first).await?;
        for stream in &page.ids {
            let look = look.clone();
            let seen =
                ask(host, &host.kinds.jobs, stream, Action::Read, move |view| look(view.state, view.now));
            found.extend(seen.await?);
        }
        (next_cursor, more) = (page.next_cursor.or(next_cursor), page.more);
    }
    Ok((found, next_cursor, more))
}

impl Jobs<'_> {
    /// A page of jobs: live ones by name, or ended ones in the order of their ends; or the newest first.
    ///
    /// # Errors
    /// `invalid_argument` for state, limit or cursor, `not_found` for a datacenter that nobody knows, and the faults of the
    /// store.
    pub async fn list(&self, request: ListJobs) -> Result<JobPage, Error> {
        self.q.allow("job.list", &request).await?;
        let listed = Listed::of(request.state.as_deref())?;
        let limit = page_limit(request.limit)?;
        let newest_first = request.newest_first.unwrap_or(false);
        self.q.settle().await;
        let host = self.host();
        let elsewhere = lock(&host.counters.gates).count(|datacenter| !host.fleet.manages(datacenter));
        let live = lock(&host.counters.jobs).live.len() as u64 + elsewhere;
        let (status, horizon) = match (listed, request.due_within_seconds) {
            (Listed::Ended(status), _) => {
                // A job nobody leads has nothing to wait for either, and has not ended.
                let line = |_: &EntityId, job: &Job| {
                    job.view(Timestamp::MAX, None)
                        .filter(|view| view.ended.is_some())
                        .map(|view| line_of(&view))
                };
                let (limit, cursor) = (request.limit, request.cursor.clone());
                let (mut lines, next_cursor, more) = if host.fleet.is_gate() {
                    // Its jobs ended here when they had ended everywhere.
                    let page = closed::page::<GateMachine, _>(host, limit, cursor, ended).await?;
                    (page.entries.into_iter().flatten().collect(), page.next_cursor, page.more)
                } else {
                    let page = closed::page::<JobMachine, _>(host, limit, cursor, line).await?;
                    (page.entries, page.next_cursor, page.more)
                };
                if newest_first {
                    lines.reverse();
                }
                let fits = |line: &JobLine| is_asked_for(&request, status, line);
                let jobs = lines.into_iter().filter(fits).map(|line| self.line(line)).collect();
                let page = JobPage { jobs, live, next_cursor, more, unknown: Vec::new() };
                return self.with_unknown(&request, page).await;
            }
            (Listed::Live(status), None) => (status, None),
            (Listed::Live(status), Some(s)) => {
                let span = Duration::from_millis(millis("due_within_seconds", s)?);
                (status, Some(host.clock.now().plus(span)))
            }
        };
        let (cursor, asked) = (request.cursor.clone(), request.clone());
        let fits = move |line: JobLine| {
            // What is due at the last instant is over at the next one.
            let within = |horizon: Timestamp| line.next_deadline.is_some_and(|due| due <= horizon.next());
            let due = horizon.is_none_or(within);
            (due && is_asked_for(&request, status, &line)).then_some(line)
        };
        let (found, next_cursor, more) = if host.fleet.me().is_some() {
            self.live_everywhere(Paging { limit, cursor, newest_first }, fits).await?
        } else {
            let look = move |job: &Job, now: Timestamp| fits(line_of(&job.view(now, None)?));
            live_jobs(host, (limit, cursor, newest_first), look).await?
        };
        let jobs = found.into_iter().map(|line| self.line(line)).collect();
        let page = JobPage { jobs, live, next_cursor, more, unknown: Vec::new() };
        self.with_unknown(&asked, page).await
    }

    /// As [`live_jobs`], of a node: those that its gate tracks and other processes run among them.
    async fn live_everywhere(
        &self,
        mut paging: Paging,
        fits: impl Fn(JobLine) -> Option<JobLine> + Clone + Send + 'static,
    ) -> Result<(Vec<JobLine>, Option<String>, bool), Error> {
        let (host, limit) = (self.host(), paging.limit);
        let (mut found, mut more) = (Vec::new(), true);
        while more && found.len() < limit {
            paging.limit = (limit - found.len()).min(LOOK_AHEAD);
            let page = page(host, &paging).await?;
            for one in &page.entries {
                let fits = fits.clone();
                if one.is_here {
                    let seen = ask(host, &host.kinds.jobs, &one.name, Action::Read, move |view| {
                        fits(line_of(&view.state.view(view.now, None)?))
                    });
                    found.extend(seen.await?);
                } else {
                    let look = move |gate: &Gate, of: &EntityId, now| fits(place_line(gate, of, now)?);
                    found.extend(self.look_at_gate(&one.name, look).await?);
                }
            }
            (paging.cursor, more) = (page.next_cursor.or(paging.cursor), page.more);
        }
        Ok((found, paging.cursor, more))
    }

    /// The page, with what nobody has heard of where it is the whole list and nothing is on it.
    ///
    /// # Errors
    /// `not_found` for a datacenter that nobody knows.
    async fn with_unknown(&self, request: &ListJobs, mut page: JobPage) -> Result<JobPage, Error> {
        if page.jobs.is_empty() && !page.more && request.cursor.is_none() {
            self.q.check_datacenter(request.datacenter.as_ref()).await?;
            let leader = request.leader_id.as_ref();
            if leader.is_some() && !self.leads_any(leader).await? {
                let filters = [("leader_id", leader.map(EntityId::as_str), Sort::Node)];
                page.unknown = self.q.unknown_names(&filters).await?;
            }
        }
        Ok(page)
    }

    /// Does this one lead any live job?
    async fn leads_any(&self, leader: Option<&EntityId>) -> Result<bool, Error> {
        let leader = leader.cloned();
        let leads = move |job: &Job, now: Timestamp| {
            let line = line_of(&job.view(now, None)?);
            (Some(line.leader_id) == leader).then_some(())
        };
        let (found, _, _) = live_jobs(self.host(), (1, None, false), leads).await?;
        Ok(!found.is_empty())
    }

    /// A job in a list, as the caller may see it.
    fn line(&self, line: JobLine) -> JobLine {
        JobLine { fence_token: shown(self.q.sight().as_ref(), &line.leader_id, line.fence_token), ..line }
    }
}

/// A token as the caller may see it.
fn shown(sight: Option<&Sight>, leader: &EntityId, token: u64) -> u64 {
    sight.map_or(token, |sight| sight.token(leader, token))
}

fn is_asked_for(request: &ListJobs, status: Option<&str>, line: &JobLine) -> bool {
    request.leader_id.as_ref().is_none_or(|leader| line.leader_id == *leader)
        && request.datacenter.as_ref().is_none_or(|datacenter| line.datacenter == *datacenter)
        && status.is_none_or(|status| line.status == status)
}

impl Leases<'_> {
    /// Who holds the lease of a job now, and how long still: of live jobs, the newest first.
    ///
    /// # Errors
    /// `invalid_argument` for limit or cursor, `not_found` for a datacenter that nobody knows, and the faults of the store.
    pub async fn list(&self, request: ListLeases) -> Result<LeasePage, Error> {
        self.q.allow("lease.list", &request).await?;
        let limit = page_limit(request.limit)?;
        self.q.settle().await;
        let host = self.q.host();
        let (cursor, asked) = (request.cursor.clone(), request.clone());
        let look =
            move |job: &Job, now: Timestamp| lease_of(job, now).filter(|line| is_held_by(&asked, line));
        let (mut leases, next_cursor, more) = live_jobs(host, (limit, cursor, true), look).await?;
        let sight = self.q.sight();
        for line in &mut leases {
            line.fence_token = shown(sight.as_ref(), &line.holder_id, line.fence_token);
            let may = |sight: &Sight| sight.may(PartyKind::Holder, line.holder_id.as_str());
            line.asked_by = line.asked_by.take().filter(|_| sight.as_ref().is_none_or(may));
        }
        let mut page = LeasePage { leases, next_cursor, more, unknown: Vec::new() };
        if page.leases.is_empty() && !page.more && request.cursor.is_none() {
            self.q.check_datacenter(request.datacenter.as_ref()).await?;
            let holder = request.holder_id.as_ref();
            if holder.is_some() && !self.q.jobs().leads_any(holder).await? {
                let filters = [("holder_id", holder.map(EntityId::as_str), Sort::Node)];
                page.unknown = self.q.unknown_names(&filters).await?;
            }
        }
        Ok(page)
    }
}

fn is_held_by(request: &ListLeases, line: &LeaseLine) -> bool {
    request.holder_id.as_ref().is_none_or(|holder| line.holder_id == *holder)
        && request.datacenter.as_ref().is_none_or(|datacenter| line.datacenter == *datacenter)
}

/// Who asked for a lease that this one holds.
pub(super) fn asker(identity: EntityId, holder: &Leader) -> Asker {
    Asker { identity, party: format!("{}:{}", PartyKind::Holder.name(), holder.node) }
}

fn lease_of(job: &Job, now: Timestamp) -> Option<LeaseLine> {
    let holder = job.lease.holder_at(now)?;
    let run = job.run.as_ref()?;
    let length_ms = run.terms.settings.lease.length_ms(job.lease.length_ms);
    let expires_at = job.lease.expires_at;
    Some(LeaseLine {
        job_id: job.job_id.clone()?,
        datacenter: job.datacenter.clone()?,
        status: run.status().name().into(),
        holder_id: holder.node.clone(),
        incarnation: holder.incarnation,
        fence_token: run.token.get(),
        lease_ms: length_ms,
        expires_at,
        left_ms: u64::try_from(expires_at.since(now).as_millis()).unwrap_or(u64::MAX),
        in_process: job.lease.in_process,
        asked_by: job.lease.asked_by.clone().map(|identity| asker(identity, holder)),
    })
}
