//! Operations on load shedding: what is let in, what the load is, and why.

use std::time::Duration;

use super::Quorate;
use super::capacity_view::real;
use super::dto::{
    ByClass, ByPriority, CapView, CheckShed, ClassView, ExplainView, LoadRecorded, PermitReleased,
    RecordLoad, RefusedTotals, ReleasePermit, ShedChecked, ShedStatus, TiersView,
};
use super::ops::OPERATIONS;
use super::texts;
use crate::core::kernel::time::{Timestamp, whole_parts};
use crate::core::load::record::ClassCounts;
use crate::core::load::shed::{
    Class, Explanation, Invalid, Label, Limit, MessageKind, Observed, Priority, Readings, Reason, Refused,
};
use crate::error::{Error, ErrorKind};
use crate::shell::entity::Action;
use crate::shell::load::{Fed, Judged, MOST_PENDING, Recorded, Source, Turned, load_id};
use crate::shell::runtime::ask;

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;
/// Largest reading in percent: of so many processors together.
const MOST_PERCENT: u64 = 1_000_000;

/// Operations on load shedding.
#[derive(Clone, Copy, Debug)]
pub struct Shedding<'a> {
    pub(super) q: &'a Quorate,
}

impl Shedding<'_> {
    /// Judges a message and counts it. A refusal is an answer, with the reason and when to try again.
    ///
    /// # Errors
    /// `invalid_argument` unless one of `handler` and `class` is given, or for a number out of bounds; `store_error`
    /// when the store refuses work.
    pub async fn check(&self, request: CheckShed) -> Result<ShedChecked, Error> {
        self.q.allow("shed.check", &request).await?;
        let CheckShed { handler, class, critical, deadline_ms, hold_ms } = request;
        if let Some(handler) = &handler {
            texts::name("handler", handler)?;
        }
        let host = self.q.host();
        let plain = match (handler, class) {
            (Some(name), None) => self.label_of(&name),
            (None, Some(class)) => Label { class, critical: false, deadline: None },
            (Some(name), Some(_)) => {
                return Err(Error::invalid("handler", name, "one of handler and class"));
            }
            (None, None) => return Err(Error::missing("handler")),
        };
        let deadline = deadline_ms.map(|ms| deadline(self.q.now(), ms)).transpose()?;
        let label = Label { critical: critical.unwrap_or(plain.critical), deadline, ..plain };
        let hold = hold_ms.map(|ms| within("hold_ms", ms, 1, HOUR_MS)).transpose()?;
        drop(host.admit(false)?);
        Ok(checked(label, host.admission.judge(host, label, hold.map(Duration::from_millis))))
    }

    /// Gives a held place back.
    ///
    /// # Errors
    /// `invalid_argument` for a latency that is out of bounds, or not kept exactly.
    pub async fn release(&self, request: ReleasePermit) -> Result<PermitReleased, Error> {
        self.q.allow("shed.release", &request).await?;
        let ReleasePermit { permit, latency_ms } = request;
        let host = self.q.host();
        drop(host.admit(false)?);
        let latency = latency_ms.map(|ms| latency_of("latency_ms", ms)).transpose()?;
        let released = host.admission.release(host, permit);
        if let (true, Some(ms)) = (released, latency) {
            let latency = Some((Observed::Served, ms));
            let fed = Fed { latency, queue_delay: None, readings: Readings::default(), pending: None };
            host.admission.feed(host, Source::Reported, fed).map_err(invalid)?;
        }
        Ok(PermitReleased { permit, released })
    }

    /// Feeds the detector behind `shed.check`; operations are refused by what the runtime measures itself. The state gets worse at once, and better after two quieter evaluations; one takes place every
    /// 250 ms while there is anything to evaluate.
    ///
    /// # Errors
    /// `invalid_argument` when nothing is given, or for a number that is out of bounds or not kept exactly.
    pub async fn record(&self, request: RecordLoad) -> Result<LoadRecorded, Error> {
        self.q.allow("shed.record", &request).await?;
        let RecordLoad { latency_ms, outcome, cpu_percent, memory_percent, queue_delay_ms, class, pending } =
            request;
        let nothing = latency_ms.or(cpu_percent).or(memory_percent).or(queue_delay_ms).is_none();
        if nothing && pending.is_none() {
            return Err(Error::missing("latency_ms"));
        }
        let most = i64::try_from(MOST_PENDING).unwrap_or(i64::MAX);
        let pending = pending.map(|n| within("pending", n, 0, most)).transpose()?;
        let waited = queue_delay_ms.map(|ms| time_of("queue_delay_ms", ms)).transpose()?;
        let cpu_percent = cpu_percent.map(|n| percent_of("cpu_percent", n)).transpose()?;
        let memory_percent = memory_percent.map(|n| percent_of("memory_percent", n)).transpose()?;
        let priority = class.unwrap_or(Class::Data).priority();
        let latency = latency_ms.map(|ms| latency_of("latency_ms", ms)).transpose()?;
        let fed = Fed {
            latency: latency.map(|ms| (outcome.unwrap_or(Observed::Served), ms)),
            queue_delay: waited.map(|waited| (priority, waited)),
            readings: Readings { cpu: cpu_percent, memory: memory_percent },
            pending: pending.and_then(|n| usize::try_from(n).ok()),
        };
        let host = self.q.host();
        drop(host.admit(false)?);
        host.admission.feed(host, Source::Reported, fed).map_err(invalid)?;
        let sight = host.admission.sight(host);
        Ok(LoadRecorded {
            state: sight.explanation.verdict.state,
            raw_state: sight.diagnostics.raw.state,
            explain: explain(&sight.explanation),
        })
    }

    /// How load and shedding stand. Asking changes nothing.
    ///
    /// # Errors
    /// The faults of the store.
    pub async fn status(&self) -> Result<ShedStatus, Error> {
        self.q.allow("shed.status", &()).await?;
        let host = self.q.host();
        let recorded =
            ask(host, &host.kinds.load_records, &load_id(), Action::Read, |view| Recorded::from(view.state))
                .await?;
        let sight = host.admission.sight(host);
        let class = |class: Class| {
            let n = class.priority().index();
            let doors = host.admission.at_the_doors(class);
            ClassView {
                class,
                priority: class.priority(),
                in_flight: sight.counts[n].in_flight,
                cap: sight.caps[n].into(),
                acquired_total: sight.counts[n].acquired_total,
                shed_total: sight.counts[n].shed_total,
                expired_total: sight.expired[n],
                operations_in_flight: doors.in_flight,
                operations_admitted: doors.admitted,
                operations_shed: doors.shed,
            }
        };
        let both = |a: &ClassCounts, b: &ClassCounts| {
            let mut all = *a;
            all.add_all(b);
            by_class(&all)
        };
        let (diagnostics, latency) = (sight.diagnostics, sight.diagnostics.latency);
        let shed = sight.metrics.shed_by_priority;
        Ok(ShedStatus {
            state: sight.explanation.verdict.state,
            operations_state: sight.at_the_doors,
            explain: explain(&sight.explanation),
            detector: TiersView {
                raw_state: diagnostics.raw.state,
                raw_cause: diagnostics.raw.cause,
                quieter_evaluations: diagnostics.quieter,
                delta_state: latency.delta_state,
                absolute_state: latency.absolute_state,
                average_ms: latency.average_ms,
                baseline_ms: latency.baseline_ms,
                slow_baseline_ms: latency.slow_baseline_ms,
                delta: latency.delta,
                drift: latency.drift,
                trend_ms: latency.trend_ms,
                samples: latency.samples,
                warming_up: latency.warming_up,
            },
            pending: diagnostics.pending,
            in_flight: sight.in_flight,
            in_flight_cap: sight.cap.into(),
            classes: Class::ALL.map(class).to_vec(),
            total_requests: sight.metrics.total_requests,
            shed_requests: sight.metrics.shed_requests,
            shed_rate: sight.metrics.shed_rate(),
            shed_by_priority: ByPriority { critical: shed[0], high: shed[1], normal: shed[2], low: shed[3] },
            transitions: sight.transitions,
            unknown_names: sight.unknown_names,
            all_time: RefusedTotals {
                shed: both(&recorded.shed, &sight.unrecorded.shed),
                full: both(&recorded.full, &sight.unrecorded.full),
                expired: both(&recorded.expired, &sight.unrecorded.expired),
                transitions: recorded.transitions,
            },
        })
    }

    /// What is known of a name: an operation of the table, a kind of message, or data.
    fn label_of(&self, name: &str) -> Label {
        if let Some(kind) = MessageKind::from_any_name(name) {
            return Label::of(kind);
        }
        match OPERATIONS.iter().find(|op| op.name == name) {
            Some(op) => op.label(&serde_json::Map::new()),
            None => Label { class: self.q.host().admission.classify(name), critical: false, deadline: None },
        }
    }
}

/// The instant so many milliseconds from now.
pub(super) fn deadline(now: Timestamp, ms: i64) -> Result<Timestamp, Error> {
    if !(-DAY_MS..=DAY_MS).contains(&ms) {
        return Err(Error::invalid("deadline_ms", ms, "-86400000 to 86400000"));
    }
    Ok(Timestamp::from_micros(now.as_micros().saturating_add(ms * 1_000)))
}

/// The error for an operation that is not carried out for the load.
pub(super) fn turned(refused: Turned) -> Error {
    let Turned { class, state, retry_after } = refused;
    let message = format!("too much load for this operation. class={}, state={}", class.name(), state.name());
    Error::new(ErrorKind::Overloaded, message)
        .with("shed", true)
        .with("class", class.name())
        .with("state", state.name())
        .with("retry_after_ms", ms(retry_after))
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn within(field: &str, given: i64, low: i64, high: i64) -> Result<u64, Error> {
    match u64::try_from(given) {
        Ok(value) if (low..=high).contains(&given) => Ok(value),
        Ok(_) | Err(_) => Err(Error::invalid(field, given, &format!("{low} to {high}"))),
    }
}

/// A time in milliseconds, as it is kept: in whole microseconds.
fn time_of(field: &str, given: f64) -> Result<Duration, Error> {
    match whole_parts(given, 1_000) {
        Some(us) if us <= HOUR_MS.unsigned_abs() * 1_000 => Ok(Duration::from_micros(us)),
        Some(_) | None => Err(Error::invalid(field, real(given), "0 to 3600000, with at most three places")),
    }
}

/// A latency in milliseconds, to the microsecond. One below nothing, of a clock that was set, is none.
fn latency_of(field: &str, given: f64) -> Result<f64, Error> {
    if given < 0.0 && given.is_finite() { Ok(0.0) } else { time_of(field, given).map(|_| given) }
}

/// A reading in percent, as it is put on record: in whole millionths.
fn percent_of(field: &str, given: f64) -> Result<f64, Error> {
    match whole_parts(given, 1_000_000) {
        Some(millionths) if millionths <= MOST_PERCENT * 1_000_000 => Ok(given),
        Some(_) | None => {
            let expected = format!("0 to {MOST_PERCENT}, with at most six places");
            Err(Error::invalid(field, real(given), &expected))
        }
    }
}

/// The error for a number the core refuses.
pub(super) fn invalid(invalid: Invalid) -> Error {
    let given = serde_json::from_str(&invalid.given).unwrap_or(serde_json::Value::String(invalid.given));
    Error::invalid(invalid.field, given, invalid.expected)
}

fn explain(explanation: &Explanation) -> ExplainView {
    let verdict = explanation.verdict;
    ExplainView {
        state: verdict.state,
        cause: verdict.cause,
        measured: verdict.measured,
        threshold: verdict.threshold,
        since: explanation.since,
        before: explanation.before,
        refuses: explanation.refuses.iter().map(|priority: &Priority| priority.class()).collect(),
    }
}

fn by_class(counts: &ClassCounts) -> ByClass {
    ByClass {
        control: counts.control,
        dispatch: counts.dispatch,
        data: counts.data,
        telemetry: counts.telemetry,
    }
}

fn checked(label: Label, judged: Judged) -> ShedChecked {
    let (permit, refused) = match judged.verdict {
        Ok(permit) => (permit, None),
        Err(refused) => (None, Some(refused)),
    };
    let reason = refused.map(|Refused { reason, .. }| match reason {
        Reason::Expired(_) => "expired",
        Reason::Shed => "shed",
        Reason::Limited { .. } => "limited",
        Reason::Full(full) => match full.limit {
            Limit::Global => "full_global",
            Limit::Priority => "full_priority",
            Limit::Reserve => "full_reserve",
        },
    });
    let full = refused.and_then(|Refused { reason, .. }| match reason {
        Reason::Full(full) => Some(CapView { in_flight: full.in_flight, cap: full.cap }),
        Reason::Expired(_) | Reason::Shed | Reason::Limited { .. } => None,
    });
    ShedChecked {
        admitted: refused.is_none(),
        shed: refused.is_some(),
        class: label.class,
        priority: label.class.priority(),
        critical: label.critical,
        state: judged.explanation.verdict.state,
        reason: reason.map(str::to_owned),
        full,
        retry_after_ms: refused.and_then(|refused| refused.retry_after).map(ms),
        keep: refused.map(|refused| refused.keep),
        permit,
        explain: explain(&judged.explanation),
    }
}
