//! What must arrive: messages that stand in the job's state until they are acknowledged, and when they are sent again.
//!
//! ```text
//!  attempt        0    1    2    3    4    5    6    7     …
//!  after the      0    1    3    7   15   31   61   91     +30 each      seconds, every pause ±20 %
//!  entry was made
//! ```
//!
//! An entry is made by the same decision as what it reports, so neither is ever on record without the other. When it is
//! sent again follows from the entry alone: sending again writes nothing, and after a restart the schedule goes on where
//! it was. The jitter is a hash of job, entry and attempt, and so the same every time it is asked for.
//!
//! A worker that is told to cancel is asked a fixed number of times, a fixed pause apart.
//!
//! # Source
//! Exponential back-off with jitter: M. Brooker, *Exponential Backoff And Jitter*, AWS Architecture Blog, 2015. FNV-1a:
//! G. Fowler, L. Noll, K.-P. Vo, D. Eastlake, T. Hansen, *The FNV Non-Cryptographic Hash Algorithm*.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::settings::{RetrySettings, Settings};
use super::state::micros;
use crate::jobs::protocol::message::{FinalStatus, Leader, TimeoutKind};
use crate::jobs::protocol::token::{DispatchToken, FenceToken};
use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;

/// To whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recipient {
    /// The gate that leads the job when it is sent.
    Gate,
    /// A worker.
    Worker(EntityId),
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// The job's time is over here.
    Timeout {
        /// Why, for people.
        reason: String,
        /// Why.
        kind: TimeoutKind,
        /// How long the job ran, in ms.
        elapsed_ms: u64,
        /// Budget with extensions, in ms.
        effective_ms: Option<u64>,
    },
    /// Leadership changed.
    LeaderTransfer {
        /// How long the job ran, in ms.
        elapsed_ms: u64,
        /// Time since the last progress, in ms.
        idle_ms: u64,
    },
    /// The job has ended.
    Final {
        /// How.
        status: FinalStatus,
        /// Why, for people.
        reason: String,
        /// Why time was over, if it was.
        kind: Option<TimeoutKind>,
    },
    /// Run a workflow.
    Dispatch {
        /// Which.
        workflow_id: EntityId,
        /// Which try.
        attempt: u32,
        /// This handing over.
        dispatch_token: DispatchToken,
    },
    /// Stop workflows.
    Cancel {
        /// Which are not confirmed yet.
        workflow_ids: Vec<EntityId>,
        /// Why, for people.
        reason: String,
    },
    /// Leadership changed.
    WorkerTransfer {
        /// The workflows it is about.
        workflow_ids: Vec<EntityId>,
        /// The leader before.
        old_manager: Option<Leader>,
    },
    /// Workflows are taken from a worker.
    Revoke {
        /// Which, and which handing over of them.
        workflows: Vec<(EntityId, DispatchToken)>,
        /// Why, for people.
        reason: String,
    },
}

/// One message that must arrive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number; numbers only grow, also over runs.
    pub number: u64,
    /// Which run of the job it is about.
    pub run: u64,
    /// To whom.
    pub to: Recipient,
    /// What.
    pub notice: Notice,
    /// Under which leadership it is sent.
    pub token: FenceToken,
    /// Since when it is due; moved on by downtime.
    pub since: Timestamp,
    /// The receiver did not know the job; `since` counts from its answer.
    pub deferred: bool,
}

impl Entry {
    /// Does it outlive the end of the job?
    pub(super) fn outlives_the_job(&self) -> bool {
        match self.notice {
            Notice::Final { .. } | Notice::Cancel { .. } => true,
            Notice::Timeout { .. }
            | Notice::LeaderTransfer { .. }
            | Notice::Dispatch { .. }
            | Notice::WorkerTransfer { .. }
            | Notice::Revoke { .. } => false,
        }
    }

    /// The workflow it hands out, if it does.
    pub(super) fn dispatches(&self) -> Option<&EntityId> {
        match &self.notice {
            Notice::Dispatch { workflow_id, .. } => Some(workflow_id),
            Notice::Final { .. }
            | Notice::Cancel { .. }
            | Notice::Timeout { .. }
            | Notice::LeaderTransfer { .. }
            | Notice::WorkerTransfer { .. }
            | Notice::Revoke { .. } => None,
        }
    }

    /// Is it overtaken by the next change of leadership?
    pub(super) fn is_transfer(&self) -> bool {
        match self.notice {
            Notice::LeaderTransfer { .. } | Notice::WorkerTransfer { .. } => true,
            Notice::Final { .. }
            | Notice::Cancel { .. }
            | Notice::Timeout { .. }
            | Notice::Dispatch { .. }
            | Notice::Revoke { .. } => false,
        }
    }

    /// When it is no longer sent: a worker that never confirms is given up.
    pub(super) fn given_up_at(&self, settings: &Settings) -> Option<Timestamp> {
        match self.notice {
            Notice::Cancel { .. } => {
                let span = micros(settings.cancel_confirm_ms).saturating_mul(settings.cancel_tries.into());
                Some(self.since.plus(Duration::from_micros(span))).filter(|at| *at < Timestamp::MAX)
            }
            Notice::Final { .. }
            | Notice::Timeout { .. }
            | Notice::LeaderTransfer { .. }
            | Notice::Dispatch { .. }
            | Notice::WorkerTransfer { .. }
            | Notice::Revoke { .. } => None,
        }
    }

    /// The first instant after `after` at which it is sent again.
    ///
    /// Ordered and pure: asked with its own answer, it gives the next one.
    pub fn resend(&self, job_id: &EntityId, settings: &Settings, after: Timestamp) -> Option<Timestamp> {
        let elapsed = us_since(after, self.since);
        let offset = match (&self.notice, self.deferred) {
            (Notice::Cancel { .. }, _) => {
                let pause = micros(settings.cancel_confirm_ms);
                let tries = u64::from(settings.cancel_tries);
                let next = elapsed.map_or(0, |us| us / pause + 1);
                // Attempt 0 went out with the decision; the last pause only waits.
                (1..tries).find(|n| *n >= next).map(|n| n.saturating_mul(pause))
            }
            (_, true) => {
                let pause = micros(settings.retry.unknown_ms);
                let first = elapsed.map_or(1, |us| (us / pause).max(1));
                (first..=first + 2)
                    .map(|n| n * pause)
                    .map(|at| self.jittered(job_id, settings, at, pause))
                    .find(|at| elapsed.is_none_or(|us| *at > us))
            }
            (_, false) => self.backed_off(job_id, settings, elapsed),
        };
        offset
            .map(|us| self.since.plus(Duration::from_micros(us)))
            .filter(|at| *at > after && *at < Timestamp::MAX)
    }

    fn backed_off(&self, job_id: &EntityId, settings: &Settings, elapsed: Option<u64>) -> Option<u64> {
        let Some(us) = elapsed else { return Some(0) };
        let at = |attempt| {
            let (offset, pause) = attempt_offset(&settings.retry, attempt);
            self.jittered(job_id, settings, offset, pause)
        };
        // Jitter moves an attempt by less than half a pause, so the one sought is near where it would be without.
        let first = attempt_before(&settings.retry, us).saturating_sub(1);
        (first..first.saturating_add(4)).map(at).find(|at| *at > us)
    }

    /// Moves an attempt by up to half the jitter either way, so that the pause between two varies by all of it.
    fn jittered(&self, job_id: &EntityId, settings: &Settings, offset: u64, pause: u64) -> u64 {
        let reach = pause / 200 * u64::from(settings.retry.jitter_percent);
        if offset == 0 || reach == 0 {
            return offset;
        }
        let hash = fnv(job_id.as_str().as_bytes(), &[self.number, offset]);
        offset.saturating_sub(reach).saturating_add(hash % (2 * reach + 1))
    }
}

/// When attempt `n` is due without jitter, and the pause before it; in microseconds since the entry was made.
fn attempt_offset(retry: &RetrySettings, attempt: u64) -> (u64, u64) {
    let (first, max) = (micros(retry.first_ms), micros(retry.max_ms));
    let (mut offset, mut pause) = (0u64, 0u64);
    for n in 1..=attempt {
        pause = if n == 1 { first } else { pause.saturating_mul(2).min(max) };
        offset = offset.saturating_add(pause);
        if pause == max {
            return (offset.saturating_add((attempt - n).saturating_mul(max)), max);
        }
    }
    (offset, pause)
}

/// The last attempt due at or before this offset, without jitter.
fn attempt_before(retry: &RetrySettings, us: u64) -> u64 {
    let max = micros(retry.max_ms);
    let mut attempt = 0;
    loop {
        let (offset, pause) = attempt_offset(retry, attempt + 1);
        if offset > us {
            return attempt;
        }
        attempt += 1;
        if pause == max {
            return attempt.saturating_add((us - offset) / max);
        }
    }
}

/// Microseconds from `earlier` to `later`; none when it is later.
fn us_since(later: Timestamp, earlier: Timestamp) -> Option<u64> {
    u64::try_from(later.as_micros().saturating_sub(earlier.as_micros())).ok()
}

/// FNV-1a over a text and numbers, finished so that its low bits are good too.
pub(super) fn fnv(text: &[u8], numbers: &[u64]) -> u64 {
    let numbers = numbers.iter().flat_map(|n| n.to_be_bytes());
    let hash = text.iter().copied().chain(numbers).fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash ^ (hash >> 32)
}
