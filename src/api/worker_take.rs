//! How a worker outside gets its work: it asks, and what it is given comes with what is to be done.
//!
//! ```text
//!  worker.take ──► what was handed out and is not known to have arrived, then what stands before it
//!                   │ fewer than it asked for, and it has room
//!                   ▼
//!                  work that nobody has, of the first jobs in its datacenter that have some ──► handed to it
//!                   │ anything: answered
//!                   │ nothing
//!                   ▼
//!                  waits for either, for as long as it asked to
//! ```

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;

use super::caller::Watch;
use super::cursor;
use super::dto::{
    BeatWorker, HandedWork, ListWorkers, StopWork, TakeWork, TakenWork, WorkTaken, WorkerBeaten, WorkerPage,
};
use super::job_view::count;
use super::quorum::page_limit;
use super::wait;
use super::worker::Workers;
use crate::core::jobs::manager::workflow::Workflow;
use crate::core::jobs::manager::{self as job, Job, Run, WorkflowStatus};
use crate::core::jobs::protocol::token::DispatchToken;
use crate::core::jobs::worker::{self, Attempt, Handed, Phase, Worker, WorkerMachine};
use crate::core::kernel::ids::{EntityId, StreamKind};
use crate::core::kernel::time::{Timestamp, millis};
use crate::error::Error;
use crate::shell::access::Access;
use crate::shell::clock::Stopwatch;
use crate::shell::entity::{Action, View};
use crate::shell::jobs::{self, job_stream};
use crate::shell::lock;
use crate::shell::runtime::ask;
use crate::shell::supervisor::timeouts;

/// Jobs that are asked for work at a time. The list of those that have some is kept up with them; one that has none
/// after all is asked in vain.
const ASKED: usize = 16;
/// How long is waited for work to come that a job has just handed over.
const ON_ITS_WAY: Duration = Duration::from_secs(2);
/// … also by a worker that does not wait.
const AT_ONCE: Duration = Duration::from_millis(200);
/// Pause when what was handed out is over, and the worker does not know yet.
const OVER: Duration = Duration::from_millis(20);

/// What a worker is told after a sign of life, and what it may take.
struct Seen {
    unsure: Vec<Attempt>,
    stop: Vec<StopWork>,
    places: u64,
    datacenter: Option<EntityId>,
    silence_limit_ms: u64,
}

impl Workers<'_> {
    /// Asks for work, and waits for some if need be. Durable on return: what it is given is handed to no other, and its
    /// leader is told that it runs. An answer can be lost; so what was handed out is handed out again, under the same
    /// token, until the worker names it: in the next take, in a beat or in a report. Nothing is handed out twice under two
    /// tokens at the same time: whoever shows a token that is not the last one is refused. In virtual time nothing is
    /// waited for.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found` when it is not registered, and the faults of the store.
    pub async fn take(&self, request: TakeWork) -> Result<WorkTaken, Error> {
        let watch = self.q.allow_waiting("worker.take", &request).await?;
        self.q.revealed(Watch::until_over(watch, self.taken(request)).await?)
    }

    async fn taken(&self, request: TakeWork) -> Result<WorkTaken, Error> {
        let host = self.q.host();
        let longest = wait::longest("wait_ms", request.wait_ms.unwrap_or(0))?;
        let longest = if host.clock.is_manual() { Duration::ZERO } else { longest };
        let most = request.limit.unwrap_or(1);
        let most = match usize::try_from(most) {
            Ok(n @ 1..=1000) => n,
            Ok(_) | Err(_) => return Err(Error::invalid("limit", most, "1 to 1000")),
        };
        let (worker_id, has, began) = (request.worker_id, handed(&request.running)?, Stopwatch::start());
        let mut claimed = false;
        loop {
            let left = longest.saturating_sub(began.elapsed());
            let take = worker::Command::Take {
                has: has.clone(),
                most: u32::try_from(most).unwrap_or(u32::MAX),
                silent_ms: millis(left),
            };
            let seen = self.seen(&worker_id, take, &has, most).await?;
            let mut work = Vec::new();
            for attempt in &seen.unsure {
                work.extend(self.described(attempt, seen.datacenter.as_ref()).await?);
            }
            let answer = |work| WorkTaken {
                worker_id: worker_id.clone(),
                work,
                stop: seen.stop.clone(),
                silence_limit_ms: seen.silence_limit_ms,
            };
            let room = most.saturating_sub(work.len()) as u64;
            let Some(datacenter) = seen.datacenter.clone() else { return Ok(answer(work)) };
            // Before the jobs are asked: what comes between that and the wait rings it.
            let bell = host.counters.takers.bell(&datacenter);
            let places = seen.places.min(room);
            if places > 0 && !claimed {
                claimed = self.claim(&worker_id, &datacenter, places).await?;
                if claimed {
                    self.arrives(&worker_id, left.clamp(AT_ONCE, ON_ITS_WAY)).await;
                    continue;
                }
            }
            if !work.is_empty() || left.is_zero() {
                return Ok(answer(work));
            }
            if seen.unsure.is_empty() {
                let bell = (seen.places > 0 && !claimed).then_some(bell);
                self.wait_for_work(&worker_id, bell, left).await;
            } else {
                let _ = wait::at_most(host, left, async { tokio::time::sleep(OVER).await }).await;
            }
        }
    }

    /// Says that a worker is alive, and which workflows it has. Durable on return, unless it says nothing new shortly after
    /// the sign before. A worker that was lost serves again, with nothing of what it had.
    ///
    /// # Errors
    /// `not_found` when it is not registered, and the faults of the store.
    pub async fn beat(&self, request: BeatWorker) -> Result<WorkerBeaten, Error> {
        self.q.allow("worker.beat", &request).await?;
        let has = handed(&request.running)?;
        let beat = worker::Command::Beat { has: has.clone() };
        let seen = self.seen(&request.worker_id, beat, &has, 0).await?;
        Ok(WorkerBeaten {
            worker_id: request.worker_id,
            stop: seen.stop,
            silence_limit_ms: seen.silence_limit_ms,
        })
    }

    /// A page of the workers that are registered and did not leave, by name.
    ///
    /// # Errors
    /// `invalid_argument` for limit or cursor, `not_found` for a datacenter that nobody knows, and the faults of the store.
    pub async fn list(&self, request: ListWorkers) -> Result<WorkerPage, Error> {
        self.q.allow("worker.list", &request).await?;
        self.q.settle().await;
        let host = self.q.host();
        let limit = page_limit(request.limit)?;
        cursor::check(host, StreamKind::Worker, request.cursor.as_deref()).await?;
        let after = |name: &&EntityId| request.cursor.as_ref().is_none_or(|at| name.as_str() > at.as_str());
        let names: Vec<EntityId> = lock(&host.counters.workers).iter().filter(after).cloned().collect();
        let (mut workers, mut more) = (Vec::new(), false);
        for name in names {
            if workers.len() == limit {
                more = true;
                break;
            }
            let known = ask(host, &host.kinds.workers, &name, Action::Read, |view| view.state.status());
            let named = |dc: &EntityId| request.datacenter.as_ref().is_none_or(|named| named == dc);
            if let Some(mut status) = known.await?.filter(|status| named(&status.datacenter)) {
                if let Some(sight) = self.q.sight() {
                    sight.worker(&name, &mut status);
                }
                workers.push(status);
            }
        }
        if workers.is_empty() && !more && request.cursor.is_none() {
            self.q.check_datacenter(request.datacenter.as_ref()).await?;
        }
        let next_cursor = workers.last().map(|at| at.worker_id.to_string()).or(request.cursor);
        Ok(WorkerPage { workers, next_cursor, more })
    }

    async fn seen(
        &self,
        worker_id: &EntityId,
        said: worker::Command,
        has: &[Handed],
        most: usize,
    ) -> Result<Seen, Error> {
        let (host, has) = (self.q.host(), has.to_vec());
        let seen = ask(
            host,
            &host.kinds.workers,
            worker_id,
            Action::Command(said, None),
            move |view: View<'_, WorkerMachine>| {
                let state = view.state;
                view.reply.transpose()?;
                let mut stop = to_stop(state);
                stop.extend(has.iter().filter(|handed| !runs(state, handed)).map(gone));
                let limit_us = state.watch.map_or(0, |watch| watch.limit_us(state.beat_ms));
                let serves = state.phase == Phase::Serving;
                Ok::<Seen, worker::Rejection>(Seen {
                    unsure: state.unsure().take(most).collect(),
                    stop,
                    places: u64::from(state.capacity).saturating_sub(state.running()),
                    datacenter: state.datacenter.clone().filter(|_| serves),
                    silence_limit_ms: limit_us / 1_000,
                })
            },
        );
        Ok(seen.await??)
    }

    /// Work with what is to be done; none of what is over, or somebody else's by now.
    async fn described(
        &self,
        attempt: &Attempt,
        datacenter: Option<&EntityId>,
    ) -> Result<Option<TakenWork>, Error> {
        let (host, attempt) = (self.q.host(), attempt.clone());
        let Some(Ok(stream)) = datacenter.map(|datacenter| job_stream(&attempt.job_id, datacenter)) else {
            return Ok(None);
        };
        let told = ask(host, &host.kinds.jobs, &stream, Action::Read, move |view| {
            describe(view.state, &attempt, view.now)
        });
        Ok(told.await?)
    }

    /// Asks the jobs that have work that nobody has, first submitted first, until the worker is full.
    async fn claim(&self, worker_id: &EntityId, datacenter: &EntityId, places: u64) -> Result<bool, Error> {
        let host = self.q.host();
        let open = lock(&host.counters.jobs).open_in(datacenter, ASKED);
        let (mut left, mut any) = (places, false);
        for stream in open {
            if left == 0 {
                break;
            }
            let places = u32::try_from(left).unwrap_or(u32::MAX);
            let said = job::Command::Claim { worker_id: worker_id.clone(), places };
            let claimant = worker_id.clone();
            let given = jobs::command(host, &stream, said, move |view| {
                let changed = matches!(view.reply, Some(Ok(job::Reply::Changed(true))));
                let workflows = view.state.run.iter().flat_map(|run| run.workflows.values());
                // What was handed to it just now, and nothing was heard of yet.
                let new = |held: &&Workflow| {
                    held.status == WorkflowStatus::Dispatched
                        && held.waits.is_none()
                        && held.worker_id.as_ref() == Some(&claimant)
                };
                if changed { workflows.filter(new).count() as u64 } else { 0 }
            });
            let given = given.await?;
            (left, any) = (left.saturating_sub(given), any || given > 0);
        }
        if any && !lock(&host.counters.jobs).open_in(datacenter, 1).is_empty() {
            host.counters.takers.wake(datacenter);
        }
        Ok(any)
    }

    /// Waits until what was handed over has come to the worker.
    async fn arrives(&self, worker_id: &EntityId, longest: Duration) {
        let host = self.q.host();
        if host.clock.is_manual() {
            return timeouts::quiet(host).await;
        }
        wait::until::<WorkerMachine>(host, worker_id, Worker::has_offer, longest).await;
    }

    /// Waits for work of its own, or for the bell of work that nobody has.
    async fn wait_for_work(&self, worker_id: &EntityId, bell: Option<Arc<Notify>>, longest: Duration) {
        let host: &Access = self.q.host();
        let (waiting, worker_id) = (host.clone(), worker_id.clone());
        let either = async move {
            let own = wait::until::<WorkerMachine>(&waiting, &worker_id, Worker::has_work, longest);
            match bell {
                Some(bell) => tokio::select! { () = own => {} () = bell.notified() => {} },
                None => own.await,
            }
        };
        let _ = wait::at_most(host, longest, either).await;
    }
}

/// What a worker says it has, as the machine takes it.
fn handed(running: &[HandedWork]) -> Result<Vec<Handed>, Error> {
    let read = |work: &HandedWork| {
        Ok(Handed {
            job_id: work.job_id.clone(),
            workflow_id: work.workflow_id.clone(),
            dispatch_token: DispatchToken::shown(count("running[].dispatch_token", work.dispatch_token)?),
        })
    };
    running.iter().map(read).collect()
}

fn runs(state: &Worker, handed: &Handed) -> bool {
    let workflow = state.jobs.get(&handed.job_id).and_then(|job| job.workflows.get(&handed.workflow_id));
    workflow.is_some_and(|held| held.runs() && held.dispatch_token == handed.dispatch_token)
}

fn gone(handed: &Handed) -> StopWork {
    StopWork {
        job_id: handed.job_id.clone(),
        workflow_id: handed.workflow_id.clone(),
        dispatch_token: handed.dispatch_token.get(),
        reason: "it is over, or was taken from the worker".to_owned(),
    }
}

/// What a worker is to stop.
pub(super) fn to_stop(state: &Worker) -> Vec<StopWork> {
    let reason = |attempt: &Attempt| {
        let held = state.jobs.get(&attempt.job_id).and_then(|job| job.workflows.get(&attempt.workflow_id));
        held.and_then(|held| held.stop.as_ref()).map(|stop| stop.reason.clone()).unwrap_or_default()
    };
    let stop = |attempt: Attempt| StopWork {
        reason: reason(&attempt),
        job_id: attempt.job_id,
        workflow_id: attempt.workflow_id,
        dispatch_token: attempt.dispatch_token.get(),
    };
    state.to_stop().map(stop).collect()
}

fn describe(job: &Job, attempt: &Attempt, now: Timestamp) -> Option<TakenWork> {
    // A job whose leader was replaced is led, and handed out, elsewhere.
    let led = |run: &&Run| matches!(run.phase(), job::Phase::Tracking | job::Phase::AwaitingGate);
    let run = job.run.as_ref().filter(led)?;
    let workflow = run.workflows.get(&attempt.workflow_id)?;
    let handed = matches!(workflow.status, WorkflowStatus::Dispatched | WorkflowStatus::Running);
    if !handed || workflow.dispatch_token != attempt.dispatch_token {
        return None;
    }
    // What was kept was JSON when it came.
    let read = |text: &String| serde_json::from_str::<Value>(text).ok();
    let (of_job, own) = (run.payloads.job.as_ref(), run.payloads.workflows.get(&attempt.workflow_id));
    let deadline = run.overall_deadline();
    Some(TakenWork {
        job_id: attempt.job_id.clone(),
        workflow_id: attempt.workflow_id.clone(),
        attempt: attempt.attempt,
        dispatch_token: attempt.dispatch_token.get(),
        fence_token: run.token.get(),
        payload: own.or(of_job).and_then(read),
        job_payload: own.and(of_job).and_then(read),
        deadline,
        remaining_ms: deadline.map(|deadline| millis(deadline.since(now))),
        stuck_threshold_ms: run.limits.stuck_ms,
    })
}
