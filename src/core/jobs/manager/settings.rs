//! Every number of a job that can be set, with its default, its bounds and what too little and too much of it do.

use serde::{Deserialize, Serialize};

use super::rejection::{Rejection, invalid};
use crate::jobs::protocol::limits::{
    MAX_ADDR_BYTES, MAX_REASON_BYTES, MAX_SENT_ADDR_BYTES, MAX_SPAN_MS, too_long,
};

/// Idle limit unless told otherwise, in ms.
pub const DEFAULT_STUCK_MS: u64 = 120_000;
/// Progress counts as recent for so long, in ms.
pub const RECENT_PROGRESS_MS: u64 = 10_000;
/// Progress is written down at most once in this span, in ms.
pub const PROGRESS_WRITE_MS: u64 = 1_000;
/// At most one progress report out of turn in this span, in ms.
pub const EXTRA_REPORT_MS: u64 = 1_000;
/// Most workflows of one job.
pub const MAX_WORKFLOWS: usize = 10_000;
/// Most workflows one workflow may depend on.
pub const MAX_DEPENDENCIES: usize = 256;
/// Longest lease that can be asked for, in ms: a day.
pub const MAX_LEASE_MS: u64 = 24 * 60 * 60 * 1_000;
/// Most workers of one job that ask for more time.
pub const MAX_WORKERS: usize = 10_000;

/// How a job is run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Progress is reported to the gate so often. Too rare and the gate believes the job stuck; too often is traffic.
    pub report_period_ms: u64,
    /// So long is waited for a gate that is silent before the timeout is decided here. Too short ignores a gate that
    /// restarts; too long lets dead work run.
    pub fallback_ms: u64,
    /// So long is waited for a gate that answers and does not decide.
    pub undecided_ms: u64,
    /// How what is not acknowledged is sent again.
    pub retry: RetrySettings,
    /// How much more time workers get.
    pub extension: ExtensionSettings,
    /// So often a workflow is tried. 1 never retries; many retries hide what always fails.
    pub max_attempts: u32,
    /// So long a worker has to confirm one cancellation before it is asked again.
    pub cancel_confirm_ms: u64,
    /// So often a worker is asked to cancel before the job says that work may still run.
    pub cancel_tries: u32,
    /// Only the plain table of workflow steps: no cancelling while a failure is being cleaned up.
    pub strict_transitions: bool,
    /// Does the budget run while nobody serves?
    pub downtime: DowntimePolicy,
    /// How leadership is held.
    pub lease: LeaseSettings,
}

/// How what is not acknowledged is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetrySettings {
    /// The first pause; each further one is twice as long.
    pub first_ms: u64,
    /// The longest pause. Too long makes recovery slow; too short floods a gate that comes back.
    pub max_ms: u64,
    /// A pause is up to this many percent shorter or longer, so that senders do not march in step.
    pub jitter_percent: u32,
    /// The pause after an answer that the job is not known, since the receiver may be recovering.
    pub unknown_ms: u64,
}

/// How much more time workers get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtensionSettings {
    /// Grant n (from 0) is this over 2ⁿ⁺¹.
    pub base_ms: u64,
    /// No grant is smaller.
    pub min_grant_ms: u64,
    /// So many grants until the worker is reset.
    pub max_grants: u32,
    /// The grant that leaves this many, or fewer, warns; once.
    pub warning_threshold: u32,
    /// A worker without grants left is given up after this.
    pub grace_ms: u64,
    /// … or after so many denials in a row.
    pub eviction_threshold: u32,
    /// All grants of the job together give no more than this.
    pub max_total_ms: Option<u64>,
    /// How the grants of several workers add up.
    pub mode: ExtensionMode,
}

/// How the grants of several workers add up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExtensionMode {
    /// Every grant extends the job.
    #[default]
    SumAll,
    /// The job gets what the worker with the most has: workers side by side do not multiply the budget.
    MaxPerWorker,
}

impl ExtensionMode {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            ExtensionMode::SumAll => "sum_all",
            ExtensionMode::MaxPerWorker => "max_per_worker",
        }
    }
}

/// Does the budget run while nobody serves?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DowntimePolicy {
    /// It does: a deadline is a deadline.
    #[default]
    Count,
    /// It does not: the job has its time while it can use it.
    Exclude,
}

impl DowntimePolicy {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            DowntimePolicy::Count => "count",
            DowntimePolicy::Exclude => "exclude",
        }
    }
}

/// How leadership is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseSettings {
    /// A lease lasts so long.
    pub duration_ms: u64,
    /// The holder renews so often.
    pub renew_ms: u64,
    /// The holder stops this much before the end, since clocks differ in rate.
    pub margin_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            report_period_ms: 10_000,
            fallback_ms: 300_000,
            undecided_ms: 900_000,
            retry: RetrySettings { first_ms: 1_000, max_ms: 30_000, jitter_percent: 20, unknown_ms: 30_000 },
            extension: ExtensionSettings {
                base_ms: 30_000,
                min_grant_ms: 1_000,
                max_grants: 5,
                warning_threshold: 1,
                grace_ms: 10_000,
                eviction_threshold: 3,
                max_total_ms: None,
                mode: ExtensionMode::SumAll,
            },
            max_attempts: 3,
            cancel_confirm_ms: 5_000,
            cancel_tries: 3,
            strict_transitions: false,
            downtime: DowntimePolicy::Count,
            lease: LeaseSettings { duration_ms: 30_000, renew_ms: 10_000, margin_ms: 2_000 },
        }
    }
}

impl Settings {
    /// Every number in a fixed order, by which two settings can be told apart.
    pub(crate) fn numbers(&self) -> [u64; 23] {
        let Settings {
            report_period_ms,
            fallback_ms,
            undecided_ms,
            retry: RetrySettings { first_ms, max_ms, jitter_percent, unknown_ms },
            extension:
                ExtensionSettings {
                    base_ms,
                    min_grant_ms,
                    max_grants,
                    warning_threshold,
                    grace_ms,
                    eviction_threshold,
                    max_total_ms,
                    mode,
                },
            max_attempts,
            cancel_confirm_ms,
            cancel_tries,
            strict_transitions,
            downtime,
            lease: LeaseSettings { duration_ms, renew_ms, margin_ms },
        } = self;
        [
            *report_period_ms,
            *fallback_ms,
            *undecided_ms,
            *first_ms,
            *max_ms,
            u64::from(*jitter_percent),
            *unknown_ms,
            *base_ms,
            *min_grant_ms,
            u64::from(*max_grants),
            u64::from(*warning_threshold),
            *grace_ms,
            u64::from(*eviction_threshold),
            // No limit is told from every limit: a span is at least 1 ms.
            max_total_ms.unwrap_or(0),
            u64::from(*mode == ExtensionMode::MaxPerWorker),
            u64::from(*max_attempts),
            *cancel_confirm_ms,
            u64::from(*cancel_tries),
            u64::from(*strict_transitions),
            u64::from(*downtime == DowntimePolicy::Exclude),
            *duration_ms,
            *renew_ms,
            *margin_ms,
        ]
    }

    /// Checks every number.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] for the first one out of bounds.
    pub fn check(&self) -> Result<(), Rejection> {
        let Settings { retry, extension, lease, .. } = self;
        check_span("report_period_ms", self.report_period_ms)?;
        check_span("fallback_ms", self.fallback_ms)?;
        check_span("undecided_ms", self.undecided_ms)?;
        check_span("retry.first_ms", retry.first_ms)?;
        check_span("retry.max_ms", retry.max_ms)?;
        check_span("retry.unknown_ms", retry.unknown_ms)?;
        check_span("extension.base_ms", extension.base_ms)?;
        check_span("extension.min_grant_ms", extension.min_grant_ms)?;
        check_span("extension.grace_ms", extension.grace_ms)?;
        check_span("cancel_confirm_ms", self.cancel_confirm_ms)?;
        check_span("lease.duration_ms", lease.duration_ms)?;
        check_span("lease.renew_ms", lease.renew_ms)?;
        if let Some(most) = extension.max_total_ms {
            check_span("extension.max_total_ms", most)?;
        }
        check_count("extension.max_grants", extension.max_grants, 1, 1_000)?;
        check_count("extension.eviction_threshold", extension.eviction_threshold, 1, 1_000)?;
        check_count("extension.warning_threshold", extension.warning_threshold, 0, 1_000)?;
        check_count("max_attempts", self.max_attempts, 1, 1_000)?;
        check_count("cancel_tries", self.cancel_tries, 1, 1_000)?;
        check_count("retry.jitter_percent", retry.jitter_percent, 0, 50)?;
        if retry.max_ms < retry.first_ms {
            return Err(invalid("retry.max_ms", retry.max_ms, "at least retry.first_ms"));
        }
        if lease.margin_ms >= lease.duration_ms {
            return Err(invalid("lease.margin_ms", lease.margin_ms, "less than lease.duration_ms"));
        }
        if lease.renew_ms >= lease.duration_ms - lease.margin_ms {
            let most = "less than lease.duration_ms less lease.margin_ms";
            return Err(invalid("lease.renew_ms", lease.renew_ms, most));
        }
        Ok(())
    }
}

/// A span of 1 ms to a hundred years.
pub(super) fn check_span(field: &'static str, ms: u64) -> Result<(), Rejection> {
    if (1..=MAX_SPAN_MS).contains(&ms) {
        return Ok(());
    }
    Err(invalid(field, ms, format!("1 to {MAX_SPAN_MS}")))
}

/// A reason, or who asks, of at most [`MAX_REASON_BYTES`].
pub(super) fn check_text(field: &'static str, text: &str) -> Result<(), Rejection> {
    check_bytes(field, text, MAX_REASON_BYTES)
}

/// Where somebody listens, said for the first time.
pub(super) fn check_addr(field: &'static str, addr: &str) -> Result<(), Rejection> {
    check_bytes(field, addr, MAX_ADDR_BYTES)
}

/// Where somebody listens, in a message: it may have been said when more was allowed.
pub(super) fn check_sent_addr(field: &'static str, addr: &str) -> Result<(), Rejection> {
    check_bytes(field, addr, MAX_SENT_ADDR_BYTES)
}

/// A text of at most so many bytes.
pub(super) fn check_bytes(field: &'static str, text: &str, most: usize) -> Result<(), Rejection> {
    too_long(text, most).map_or(Ok(()), |(given, expected)| Err(invalid(field, given, expected)))
}

fn check_count(field: &'static str, count: u32, low: u32, high: u32) -> Result<(), Rejection> {
    if (low..=high).contains(&count) {
        return Ok(());
    }
    Err(invalid(field, count, format!("{low} to {high}")))
}
