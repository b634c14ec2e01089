//! Lists of jobs.

use super::closed;
use super::cursor;
use super::dto::{JobLine, JobPage, ListJobs};
use super::job::Jobs;
use super::job_view::{line_of, millis};
use super::quorum::page_limit;
use crate::core::jobs::manager::{Job, JobMachine};
use crate::core::kernel::ids::{EntityId, StreamKind};
use crate::core::kernel::time::Timestamp;
use crate::error::Error;
use crate::shell::entity::Action;
use crate::shell::lock;
use crate::shell::runtime::ask;

impl Jobs<'_> {
    /// A page of jobs: live ones by name, or ended ones in the order of their ends.
    ///
    /// # Errors
    /// `invalid_argument` for state, limit or cursor, and the faults of the store.
    pub async fn list(&self, request: ListJobs) -> Result<JobPage, Error> {
        self.q.allow("job.list", &request).await?;
        self.q.settle().await;
        let host = self.host();
        let live = lock(&host.counters.jobs).live.len() as u64;
        match request.state.as_deref() {
            None | Some("live") => {}
            Some("ended") => {
                // A job nobody leads has nothing to wait for either, and has not ended.
                let line = |_: &EntityId, job: &Job| {
                    job.view(Timestamp::MAX, None)
                        .filter(|view| view.ended.is_some())
                        .map(|view| (view.leader.node.clone(), line_of(&view)))
                };
                let page = closed::page::<JobMachine, _>(host, request.limit, request.cursor, line).await?;
                return Ok(JobPage {
                    jobs: page.entries.into_iter().map(|line| self.line(line)).collect(),
                    live,
                    next_cursor: page.next_cursor,
                    more: page.more,
                });
            }
            Some(other) => return Err(Error::invalid("state", other, "live or ended")),
        }
        let limit = page_limit(request.limit)?;
        cursor::check(host, StreamKind::Job, request.cursor.as_deref()).await?;
        let horizon = match request.due_within_seconds {
            None => None,
            Some(s) => Some(
                host.clock.now().plus(std::time::Duration::from_millis(millis("due_within_seconds", s)?)),
            ),
        };
        let after =
            |stream: &&EntityId| request.cursor.as_ref().is_none_or(|at| stream.as_str() > at.as_str());
        let streams: Vec<EntityId> = lock(&host.counters.jobs).live.keys().filter(after).cloned().collect();
        let (mut jobs, mut more): (Vec<(EntityId, JobLine)>, bool) = (Vec::new(), false);
        for stream in streams {
            if jobs.len() == limit {
                more = true;
                break;
            }
            let seen = ask(host, &host.kinds.jobs, &stream, Action::Read, |view| {
                let view = view.state.view(view.now, None);
                view.map(|view| (view.leader.node.clone(), line_of(&view)))
            });
            let due = |line: &JobLine| {
                horizon.is_none_or(|horizon| line.next_deadline.is_some_and(|due| due <= horizon))
            };
            if let Some(line) = seen.await?.map(|line| self.line(line)).filter(due) {
                jobs.push((stream, line));
            }
        }
        let next_cursor = jobs.last().map(|(at, _)| at.to_string()).or(request.cursor);
        Ok(JobPage { jobs: jobs.into_iter().map(|(_, line)| line).collect(), live, next_cursor, more })
    }

    /// A job in a list, as the caller may see it.
    fn line(&self, (leader, line): (EntityId, JobLine)) -> JobLine {
        match self.q.sight() {
            Some(sight) => JobLine { fence_token: sight.token(&leader, line.fence_token), ..line },
            None => line,
        }
    }
}
