//! More time for workers that get on: each grant is half of the one before, down to a least one, and only so many.
//!
//! ```text
//!  grant        1st     2nd     3rd     4th      5th      then
//!  seconds     15.0     7.5     3.75    1.875    1.0      denied        base 30, least 1
//!                                       warning           grace 10 ──► given up
//! ```
//!
//! The first grant needs no progress; each later one needs more than there was at the grant before. Progress is
//! counted in items where both grants have them, else by the number the worker gives. A request that is denied uses
//! nothing up. A worker without grants left has a grace; then, or after a few denials in a row, it is given up.
//!
//! A repeated request gets the answer it got before, and another request under the same name is refused. Within what it was granted a worker must be heard of again: grants
//! at once add up, and one that comes early shortens nothing.
//!
//! # Source
//! Extensions that shrink geometrically have a bounded sum (29.125 s here), so that asking cannot keep a dead job alive.
//! Signs of life that carry progress: the activity heartbeats of Temporal's documentation.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::rejection::{Rejection, invalid};
use super::settings::{ExtensionMode, ExtensionSettings, check_text};
use super::state::micros;
use crate::jobs::protocol::limits::{MAX_REQUEST_ID_BYTES, MAX_SPAN_MS};
use crate::jobs::protocol::message::{HealthcheckExtensionRequest, HealthcheckExtensionResponse};
use crate::kernel::keyed::{Difference, KeyedRequest};
use crate::kernel::time::{Timestamp, millis};

/// Answers kept per worker, so that a repeated request is recognised.
pub const ANSWERS_KEPT: usize = 8;

/// Why no time is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Denial {
    /// All grants are used up, or the job's sum is.
    MaxExtensionsExceeded,
    /// Nothing more is done than at the grant before.
    NoProgress,
    /// The worker has no part in the job.
    WorkerNotRegistered,
    /// The worker is believed dead.
    WorkerSuspect,
    /// The job has ended.
    JobTerminal,
    /// The job's time was over before.
    AlreadyTimedOut,
}

impl Denial {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Denial::MaxExtensionsExceeded => "max_extensions_exceeded",
            Denial::NoProgress => "no_progress",
            Denial::WorkerNotRegistered => "worker_not_registered",
            Denial::WorkerSuspect => "worker_suspect",
            Denial::JobTerminal => "job_terminal",
            Denial::AlreadyTimedOut => "already_timed_out",
        }
    }
}

/// How far a worker was.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// By its own number.
    pub progress: f64,
    /// In items.
    pub completed_items: Option<u64>,
}

/// A kept answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// To which request.
    pub request_id: String,
    /// What it asked for, as far as that is on record.
    pub asked: KeyedRequest,
    /// How much was given, in microseconds.
    pub grant_us: u64,
    /// Did it warn?
    pub warning: bool,
    /// Why nothing was given.
    pub denial: Option<Denial>,
}

/// The extensions of one worker in one job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tracker {
    /// Grants since the last reset.
    pub grants: u32,
    /// How far it was at the last grant since the last reset.
    pub baseline: Option<Baseline>,
    /// Denials since the last grant.
    pub denials: u32,
    /// All it was ever given in this job, in microseconds.
    pub sum_us: u64,
    /// Did it get the warning?
    pub warned: bool,
    /// When it must be heard of again.
    pub deadline: Option<Timestamp>,
    /// When it was first denied with no grants left.
    pub exhausted_at: Option<Timestamp>,
    /// The newest answers, oldest first.
    pub answers: VecDeque<Answer>,
    /// What the request with a name asks for that is answered next.
    pub asking: Option<KeyedRequest>,
}

impl Answer {
    /// In what another request of the same name asks for something else.
    pub fn differs(&self, asked: &KeyedRequest) -> Option<Difference> {
        self.asked.difference(&asked.clone().known_to(&self.asked))
    }
}

/// What an answer gave.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gave {
    pub grant_us: u64,
    pub warning: bool,
    pub denial: Option<Denial>,
}

/// What a request asks for, in one job or in every one the worker has a part in. Its name and who shows which token are no
/// part of it.
pub fn asked_for(request: &HealthcheckExtensionRequest, in_every_job: bool) -> KeyedRequest {
    let or_none = |count: Option<u64>| count.map_or_else(|| "none".to_owned(), |count| count.to_string());
    KeyedRequest::default()
        .with("job_id", if in_every_job { "left out" } else { "given" })
        .with("reason", &request.reason)
        .with("current_progress", request.current_progress)
        .with("estimated_completion_ms", request.estimated_completion_ms)
        .with("active_workflow_count", request.active_workflow_count)
        .with("completed_items", or_none(request.completed_items))
        .with("total_items", or_none(request.total_items))
}

/// Time that is given, with every number decided.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Grant {
    pub grant_us: u64,
    pub total_us: u64,
    pub max_us: u64,
    pub sum_us: u64,
    pub remaining: u32,
    pub warning: bool,
    pub deadline: Timestamp,
    pub baseline: Baseline,
}

/// What all workers of a job have together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sums {
    pub total_us: u64,
    pub max_us: u64,
}

impl ExtensionSettings {
    /// The grant after `grants` others, in microseconds: half of the one before, not less than the least one.
    ///
    /// ```
    /// let extension = quorate_core::jobs::manager::Settings::default().extension;
    /// let grants: Vec<u64> = (0..5).map(|n| extension.grant_us(n)).collect();
    /// assert_eq!(grants, [15_000_000, 7_500_000, 3_750_000, 1_875_000, 1_000_000]);
    /// ```
    pub fn grant_us(&self, grants: u32) -> u64 {
        let halved = micros(self.base_ms).checked_shr(grants.saturating_add(1)).unwrap_or(0);
        halved.max(micros(self.min_grant_ms))
    }

    /// Grants a worker with so many has left.
    pub fn remaining(&self, grants: u32) -> u32 {
        self.max_grants.saturating_sub(grants)
    }
}

impl Tracker {
    /// Since when the worker is without grants, if it is: since the first denial, or since it should have been heard of.
    pub fn exhausted_since(&self, settings: &ExtensionSettings) -> Option<Timestamp> {
        // Where the sum of the job is used up, nothing ends at the deadline of this worker.
        let deadline = self.deadline.filter(|_| settings.remaining(self.grants) == 0);
        match (self.exhausted_at, deadline) {
            (Some(denied), Some(deadline)) => Some(denied.min(deadline)),
            (denied, deadline) => denied.or(deadline),
        }
    }

    /// When the worker is given up, unless it is heard of.
    pub fn given_up_at(&self, settings: &ExtensionSettings) -> Option<Timestamp> {
        let grace = Duration::from_millis(settings.grace_ms);
        self.exhausted_since(settings).map(|since| since.plus(grace)).filter(|at| *at < Timestamp::MAX)
    }

    /// The answer that a request of this name got before.
    pub fn answered(&self, request_id: Option<&str>) -> Option<&Answer> {
        let id = request_id?;
        self.answers.iter().find(|answer| answer.request_id == id)
    }

    /// Keeps an answer. `known` is what is on record of the request where what it asked for is not: in journals of earlier
    /// versions.
    pub(super) fn keep(&mut self, known: KeyedRequest, request_id: &Option<String>, gave: Gave) {
        let asked = self.asking.take().unwrap_or(known);
        let Some(request_id) = request_id.clone() else { return };
        if self.answers.len() == ANSWERS_KEPT {
            self.answers.pop_front();
        }
        let Gave { grant_us, warning, denial } = gave;
        self.answers.push_back(Answer { request_id, asked, grant_us, warning, denial });
    }

    /// Is there anything to begin anew?
    pub(super) fn is_used(&self) -> bool {
        self.grants > 0 || self.denials > 0
    }

    /// Begins anew: the worker is well again, or its workflow is done. What it was given stays given.
    pub(super) fn reset(&mut self) {
        *self =
            Tracker { sum_us: self.sum_us, answers: std::mem::take(&mut self.answers), ..Tracker::default() };
    }

    fn got_on(&self, now: Baseline) -> bool {
        let Some(before) = self.baseline else { return true };
        match (now.completed_items, before.completed_items) {
            (Some(items), Some(items_before)) => items > items_before,
            (Some(_) | None, Some(_) | None) => now.progress > before.progress,
        }
    }

    /// More time, or why not.
    pub(super) fn consider(
        &self,
        settings: &ExtensionSettings,
        sums: Sums,
        request: &HealthcheckExtensionRequest,
        now: Timestamp,
    ) -> Result<Grant, Denial> {
        let remaining = settings.remaining(self.grants);
        let baseline =
            Baseline { progress: request.current_progress, completed_items: request.completed_items };
        if remaining == 0 {
            return Err(Denial::MaxExtensionsExceeded);
        }
        if !self.got_on(baseline) {
            return Err(Denial::NoProgress);
        }
        let most = settings.max_total_ms.map_or(u64::MAX, micros);
        let wanted = settings.grant_us(self.grants);
        // What the grant adds to the job is cut to what the job may still get.
        let (grant_us, total_us) = match settings.mode {
            ExtensionMode::SumAll => {
                let grant = wanted.min(most.saturating_sub(sums.total_us));
                (grant, sums.total_us.saturating_add(grant))
            }
            ExtensionMode::MaxPerWorker => {
                let grant = wanted.min(most.saturating_sub(self.sum_us));
                (grant, sums.total_us.max(self.sum_us.saturating_add(grant)))
            }
        };
        if grant_us == 0 {
            return Err(Denial::MaxExtensionsExceeded);
        }
        let remaining = remaining - 1;
        Ok(Grant {
            grant_us,
            total_us,
            max_us: sums.max_us.max(grant_us),
            sum_us: self.sum_us.saturating_add(grant_us),
            remaining,
            warning: !self.warned && remaining <= settings.warning_threshold,
            deadline: self
                .deadline
                .map_or(now, |before| before.max(now))
                .plus(Duration::from_micros(grant_us)),
            baseline,
        })
    }

    /// The answer to a worker, as things stand.
    pub(super) fn response(
        &self,
        settings: &ExtensionSettings,
        grant_us: u64,
        warning: bool,
        denial: Option<Denial>,
        now: Timestamp,
    ) -> HealthcheckExtensionResponse {
        let given_up =
            self.given_up_at(settings).filter(|_| self.exhausted_since(settings).is_some_and(|at| at <= now));
        let ms = |until: Option<Timestamp>| until.map_or(0, |at| millis(at.since(now)));
        HealthcheckExtensionResponse {
            granted: denial.is_none(),
            extension_ms: grant_us / 1_000,
            deadline_in_ms: ms(self.deadline),
            remaining_extensions: settings.remaining(self.grants),
            denial_reason: denial.map(|denial| denial.name().to_owned()),
            is_exhaustion_warning: warning,
            grace_period_remaining_ms: ms(given_up),
            in_grace_period: given_up.is_some(),
        }
    }
}

/// Refuses what is not a request.
///
/// # Errors
/// [`Rejection::Invalid`], naming the field.
pub(crate) fn check(request: &HealthcheckExtensionRequest) -> Result<(), Rejection> {
    let progress = request.current_progress;
    if !progress.is_finite() || progress < 0.0 {
        return Err(invalid("current_progress", progress, "a finite number of at least 0"));
    }
    if request.estimated_completion_ms > MAX_SPAN_MS {
        let most = format!("0 to {MAX_SPAN_MS}");
        return Err(invalid("estimated_completion_ms", request.estimated_completion_ms, most));
    }
    if let (Some(done), Some(total)) = (request.completed_items, request.total_items)
        && done > total
    {
        return Err(invalid("completed_items", done, format!("at most total_items, {total}")));
    }
    if let Some(id) = &request.request_id
        && !(1..=MAX_REQUEST_ID_BYTES).contains(&id.len())
    {
        let expected = format!("1 to {MAX_REQUEST_ID_BYTES} bytes");
        return Err(invalid("request_id", format!("{} bytes", id.len()), expected));
    }
    check_text("reason", &request.reason)
}
