//! The lease of a job as a guard: taken, kept, worked under and given back by one value of the program.
//!
//! ```text
//!  lead ──► asked ──► Led ── renewed, three times in each lease ── release, drop ──► given back
//!   │ dropped: given back │        └─ complete, fail ──► the job has ended, and the lease with it
//!   ▼                     └─ refused, or nobody serves until the lease has ended ──► lost, and told
//! ```
//!
//! The words are those of the Python package: `lead`, `token`, `progress`, `complete`, `check`, `lost`, `release`.
//!
//! # Source
//! C. Gray, D. Cheriton, *Leases*, SOSP 1989: a holder that did not renew in time must take its lease for ended.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Jobs;
use crate::api::Quorate;
use crate::api::dto::{CompleteJob, JobChanged, JobLed, JobProgress, LeaseJob};
use crate::api::wait::AbortOnDrop;
use crate::core::kernel::ids::EntityId;
use crate::error::{Error, ErrorKind};
use crate::journal::Fault;
use crate::shell::clock::Stopwatch;
use crate::shell::lock;
use crate::shell::needs::give_back;

/// A lease is renewed when a third of it has passed: two more tries fit into the rest.
const RENEWED_EVERY: u32 = 3;
/// After a renewal that the runtime did not serve the next one follows sooner by this.
const SOONER: u32 = 10;
/// Shortest pause between two renewals.
const SHORTEST: Duration = Duration::from_millis(1);
/// How often a lease that another holds is asked for, at the least.
const ASK_EVERY: Duration = Duration::from_secs(1);

impl Jobs<'_> {
    /// Takes the lease of a job, and keeps it until the guard is dropped, released, or the job ended. A holder without an
    /// address lives in this process, and its lease ends with it, unless the request says otherwise.
    ///
    /// In virtual time nobody renews.
    ///
    /// # Cancel safety
    /// Dropping the future gives back what was taken in that instant.
    ///
    /// ```
    /// use quorate::{Config, LeaseJob, Quorate, SubmitJob, id};
    ///
    /// # #[tokio::main] async fn main() -> Result<(), quorate::Error> {
    /// let q = Quorate::open(Config::memory()).await?;
    /// let job = SubmitJob { job_id: Some(id("job_id", "train-7")?), ..SubmitJob::default() };
    /// q.jobs().submit(job).await?;
    /// let mut lease = q.jobs().lead(LeaseJob::new("train-7", "worker-1")?).await?;
    /// lease.progress().await?;
    /// lease.check()?; // before each step that nobody else may do meanwhile
    /// lease.complete().await?; // or release it, or drop it
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of [`Jobs::acquire`]: `lease_held` when another holds it.
    pub async fn lead(&self, request: LeaseJob) -> Result<Led, Error> {
        self.lead_within(request, Duration::ZERO).await
    }

    /// The same, after waiting so long at most for another holder to end.
    ///
    /// # Errors
    /// As [`Jobs::lead`]: `lease_held` when the wait is over.
    pub async fn lead_within(&self, request: LeaseJob, patience: Duration) -> Result<Led, Error> {
        let since = Stopwatch::start();
        loop {
            let asked = Stopwatch::start();
            match Taking::begin(self.q, &request).taken().await {
                Ok(led) => return Ok(Led::new(self.q.clone(), request, led, asked)),
                Err(error) if error.kind() == ErrorKind::LeaseHeld && since.elapsed() < patience => {
                    let ms = error.detail("expires_in_ms").and_then(serde_json::Value::as_u64);
                    let ends = Duration::from_millis(ms.unwrap_or_default().saturating_add(1));
                    let left = patience.saturating_sub(since.elapsed());
                    tokio::time::sleep(ends.min(ASK_EVERY).min(left.max(SHORTEST))).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// A lease that is being taken. It is taken whether or not somebody waits for that: dropped before, it is given back.
struct Taking {
    q: Quorate,
    request: LeaseJob,
    asking: Option<JoinHandle<Result<JobLed, Error>>>,
}

impl Taking {
    fn begin(q: &Quorate, request: &LeaseJob) -> Self {
        let (asked, fields) = (q.clone(), request.clone());
        let asking = q.host().tokio.spawn(async move { asked.jobs().acquire(fields).await });
        Taking { q: q.clone(), request: request.clone(), asking: Some(asking) }
    }

    async fn taken(mut self) -> Result<JobLed, Error> {
        let ended = || Error::from(Fault::Unavailable { reason: "the runtime ended".into() });
        let Some(asking) = &mut self.asking else { return Err(ended()) };
        let answer = asking.await;
        self.asking = None;
        answer.map_err(|_| ended())?
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        let Some(asking) = self.asking.take() else { return };
        let (q, request) = (self.q.clone(), self.request.clone());
        give_back(self.q.host(), async move {
            if let Ok(Ok(led)) = asking.await {
                // What cannot be given back lapses.
                let _ = q.jobs().release(under(&request, led.fence_token)).await;
            }
        });
    }
}

/// What a renewal and a return name.
fn under(request: &LeaseJob, token: u64) -> LeaseJob {
    LeaseJob {
        job_id: request.job_id.clone(),
        datacenter: request.datacenter.clone(),
        holder_id: request.holder_id.clone(),
        incarnation: request.incarnation,
        holder_addr: String::new(),
        force: false,
        fence_token: i64::try_from(token).ok(),
        lease_ms: None,
        in_process: None,
    }
}

/// The lease of a job that is held: see [`Jobs::lead`]. Given back when dropped; keeps the runtime open meanwhile.
///
/// Dropping it gives the lease back in the background; [`Led::release`] says when that is durable. Each renewal is a record of
/// its own.
#[derive(Debug)]
pub struct Led {
    q: Quorate,
    request: LeaseJob,
    latest: Arc<Mutex<JobLed>>,
    lost: watch::Receiver<Option<Error>>,
    keeper: Option<AbortOnDrop<()>>,
    /// There is a lease to give back.
    held: bool,
}

impl Led {
    fn new(q: Quorate, request: LeaseJob, led: JobLed, asked: Stopwatch) -> Self {
        let (tell, lost) = watch::channel(None);
        let lease = led.lease_ms.map(Duration::from_millis);
        let latest = Arc::new(Mutex::new(led));
        let kept = Kept { q: q.clone(), request: request.clone(), latest: latest.clone(), tell };
        let lease = lease.filter(|_| !q.host().clock.is_manual());
        let keeper = lease.map(|lease| AbortOnDrop(q.host().tokio.spawn(kept.renew(lease, asked))));
        Led { q, request, latest, lost, keeper, held: true }
    }

    /// Which job.
    pub fn job_id(&self) -> &EntityId {
        &self.request.job_id
    }

    /// Who holds the lease.
    pub fn holder_id(&self) -> &EntityId {
        &self.request.holder_id
    }

    /// What was answered when it was taken, or last renewed.
    pub fn reply(&self) -> JobLed {
        lock(&self.latest).clone()
    }

    /// The fencing token in force: show it to whatever must refuse a leader that was replaced. A restart of what serves the
    /// job gives the lease another, higher one.
    pub fn token(&self) -> u64 {
        lock(&self.latest).fence_token
    }

    /// Is it held still, as far as is known here? Asked before each step that nobody else may do meanwhile.
    ///
    /// # Errors
    /// Why it is lost, as [`Led::lost`] says.
    pub fn check(&self) -> Result<(), Error> {
        self.lost.borrow().clone().map_or(Ok(()), Err)
    }

    /// Waits until it is lost, and says why: `lease_lost`, `stale_token`, `job_ended`, `lease_held`. Never, in virtual time and
    /// once the job was ended by it.
    pub async fn lost(&self) -> Error {
        let mut lost = self.lost.clone();
        match lost.wait_for(Option::is_some).await.map(|why| why.clone()) {
            Ok(Some(why)) => why,
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Says that the job got on, under the token.
    ///
    /// # Errors
    /// Those of [`Jobs::progress`].
    pub async fn progress(&self) -> Result<JobChanged, Error> {
        self.got_on(None, None).await
    }

    /// Says how many items a workflow of the job has done so far, under the token.
    ///
    /// # Errors
    /// Those of [`Jobs::progress`].
    pub async fn progress_of(
        &self,
        workflow_id: &EntityId,
        completed_count: u32,
    ) -> Result<JobChanged, Error> {
        self.got_on(Some(workflow_id.clone()), Some(completed_count.into())).await
    }

    async fn got_on(
        &self,
        workflow_id: Option<EntityId>,
        completed_count: Option<i64>,
    ) -> Result<JobChanged, Error> {
        let said = JobProgress {
            job_id: self.request.job_id.clone(),
            datacenter: self.request.datacenter.clone(),
            workflow_id,
            completed_count,
            fence_token: i64::try_from(self.token()).ok(),
        };
        self.q.jobs().progress(said).await
    }

    /// Ends the job as completed, under the token. Durable on return. The lease ends with it.
    ///
    /// # Errors
    /// Those of [`Jobs::complete`]; the lease is held still then, unless it is lost.
    pub async fn complete(&mut self) -> Result<JobChanged, Error> {
        self.end("completed", String::new()).await
    }

    /// Ends the job as failed for this reason, under the token. Durable on return. The lease ends with it.
    ///
    /// # Errors
    /// As [`Led::complete`].
    pub async fn fail(&mut self, reason: &str) -> Result<JobChanged, Error> {
        self.end("failed", reason.to_owned()).await
    }

    async fn end(&mut self, status: &str, reason: String) -> Result<JobChanged, Error> {
        let said = CompleteJob {
            job_id: self.request.job_id.clone(),
            datacenter: self.request.datacenter.clone(),
            status: Some(status.to_owned()),
            reason,
            fence_token: i64::try_from(self.token()).ok(),
        };
        let changed = self.q.jobs().complete(said).await?;
        (self.keeper, self.held) = (None, false);
        Ok(changed)
    }

    /// Gives it back. Durable on return. Dropping the future gives it back in the background.
    ///
    /// # Errors
    /// Those of [`Jobs::release`]; one that was lost has nothing to give back, and says so.
    pub async fn release(mut self) -> Result<(), Error> {
        if self.held {
            self.keeper = None;
            self.q.jobs().release(under(&self.request, self.token())).await?;
            self.held = false;
        }
        Ok(())
    }
}

impl Drop for Led {
    fn drop(&mut self) {
        self.keeper = None;
        if self.held && self.lost.borrow().is_none() {
            let (q, request) = (self.q.clone(), under(&self.request, self.token()));
            give_back(self.q.host(), async move {
                // What cannot be given back lapses.
                let _ = q.jobs().release(request).await;
            });
        }
    }
}

/// What renews in the background.
struct Kept {
    q: Quorate,
    request: LeaseJob,
    latest: Arc<Mutex<JobLed>>,
    tell: watch::Sender<Option<Error>>,
}

impl Kept {
    /// Renews in time, until it is refused, or nobody served it until the lease had ended. The lease runs from when its last
    /// renewal was asked for: its holder must not take it for longer than whoever gave it.
    async fn renew(self, lease: Duration, mut asked: Stopwatch) {
        let pause = (lease / RENEWED_EVERY).max(SHORTEST);
        let soon = (pause / SOONER).max(SHORTEST);
        let mut next = pause;
        while !self.q.host().is_closing() {
            tokio::time::sleep(next).await;
            next = pause;
            let now = Stopwatch::start();
            let token = lock(&self.latest).fence_token;
            match self.q.jobs().renew(under(&self.request, token)).await {
                Ok(led) => {
                    *lock(&self.latest) = led;
                    asked = now;
                }
                // What another holds, or nobody does, no repetition brings back.
                Err(error) if is_fault(&error) && asked.elapsed() < lease => next = soon,
                Err(error) => {
                    self.tell.send_replace(Some(lapsed(error)));
                    return;
                }
            }
        }
    }
}

/// Did the runtime not serve, rather than say no?
fn is_fault(error: &Error) -> bool {
    error.is_retryable() && error.kind() != ErrorKind::LeaseHeld
}

/// A lease that nobody could renew has lapsed for all that is known here.
fn lapsed(error: Error) -> Error {
    if !is_fault(&error) {
        return error;
    }
    let message = format!("nothing renewed the lease until it ended. cause={}", error.message());
    Error::new(ErrorKind::LeaseLost, message).with("cause", error.kind().name())
}
