//! Operations on the statistics of running work, and the level their fill asks of senders.

use std::time::Duration;

use super::Quorate;
use super::dto::{AskSummary, LevelView, RecordStats, SignalView, StatsLevel, StatsRecorded, StatsSummary};
use super::shedding::invalid;
use crate::core::kernel::time::Timestamp;
use crate::core::load::record::{Command, NodeLoad, Rejection};
use crate::core::load::stats::{Entry, Level, Levels, Sample, SignalConfig, SignalSeq};
use crate::error::Error;
use crate::shell::entity::Action;
use crate::shell::load::load_id;
use crate::shell::runtime::ask;

/// Operations on the statistics of running work.
#[derive(Clone, Copy, Debug)]
pub struct Stats<'a> {
    pub(super) q: &'a Quorate,
}

impl Stats<'_> {
    /// Records values. Durable on return. At reject what is not critical is refused, and the answer says so.
    ///
    /// # Errors
    /// `invalid_argument` unless one of `value`, `values` and `batch` is given, and for a value that is not a number
    /// within ±10^15; nothing of the request is recorded then. And the faults of the store.
    pub async fn record(&self, request: RecordStats) -> Result<StatsRecorded, Error> {
        self.q.allow("stats.record", &request).await?;
        let host = self.q.host();
        let samples = samples(request, self.q.now())?;
        let action = Action::Command(Command::Record(samples), None);
        let reply = ask(host, &host.kinds.load_records, &load_id(), action, |view| view.reply).await?;
        let reply = match reply {
            Some(Ok(reply)) => reply,
            Some(Err(Rejection::Invalid(refused))) => return Err(invalid(refused)),
            None => return Err(Error::missing("value")),
        };
        if reply.refused > 0 {
            host.admission.refused_samples(host, reply.refused);
        }
        let level = reply.level.max(host.pressure.own_level(self.q.now()).unwrap_or_default());
        let level = level_view(level);
        Ok(StatsRecorded {
            accepted: reply.refused == 0,
            recorded: reply.taken,
            refused: reply.refused,
            retry_after_ms: (reply.refused > 0).then_some(level.backpressure_delay_ms),
            level,
        })
    }

    /// The level at this instant, and what it asks of senders; reports of progress take places, too. Asking changes
    /// nothing.
    ///
    /// # Errors
    /// The faults of the store.
    pub async fn level(&self) -> Result<StatsLevel, Error> {
        self.q.allow("stats.level", &()).await?;
        let pressure = self.q.host().pressure.clone();
        // Both under the record's hands: a report on its way there is counted once.
        let look = move |state: &NodeLoad, now| (state.stats.clone().metrics(now), pressure.unrecorded(now));
        let (seen, unrecorded) = self.read(look).await?;
        let hot = (seen.hot + unrecorded) as u64;
        let level = Levels::default().level(hot, seen.hot_max as u64, seen.level);
        let level = level_view(level);
        Ok(StatsLevel {
            signal: SignalView {
                level: level.backpressure_level,
                suggested_delay_ms: level.backpressure_delay_ms,
                batch_only: level.backpressure_batch_only,
                drop_non_critical: level.backpressure_drop_non_critical,
            },
            level,
            hot_count: hot,
            hot_max: seen.hot_max as u64,
            fill: hot as f64 / seen.hot_max as f64,
        })
    }

    /// Everything recorded, in one, and the tiers it stands in. Asking changes nothing.
    ///
    /// # Errors
    /// `invalid_argument` for the window, and the faults of the store.
    pub async fn summary(&self, request: AskSummary) -> Result<StatsSummary, Error> {
        self.q.allow("stats.summary", &request).await?;
        let given = request.window_ms.unwrap_or(60_000);
        let window = u64::try_from(given).ok().filter(|ms| (1..=86_400_000).contains(ms));
        let window = window.ok_or_else(|| Error::invalid("window_ms", given, "1 to 86400000"))?;
        let window = Duration::from_millis(window);
        let host = self.q.host();
        let unrecorded = host.admission.sight(host).unrecorded.samples_refused;
        self.read(move |state, now| {
            let mut stats = state.stats.clone();
            let seen = stats.metrics(now);
            let all = stats.summary();
            StatsSummary {
                count: all.map_or(0, |all| all.count),
                average: all.map(|all| all.value()),
                min: all.map(|all| all.min),
                max: all.map(|all| all.max),
                sum: all.map(|all| all.sum),
                recent_average: stats.recent_average(window, now),
                hot_count: seen.hot as u64,
                warm_count: seen.warm as u64,
                cold_count: seen.cold as u64,
                archived: seen.archived,
                total_recorded: seen.totals.recorded,
                total_dropped: state.samples_refused.saturating_add(unrecorded),
                level: seen.level,
            }
        })
        .await
    }

    async fn read<R: Send + 'static>(
        &self,
        look: impl FnOnce(&NodeLoad, Timestamp) -> R + Send + 'static,
    ) -> Result<R, Error> {
        let host = self.q.host();
        let answer = ask(host, &host.kinds.load_records, &load_id(), Action::Read, |v| look(v.state, v.now));
        Ok(answer.await?)
    }
}

fn samples(request: RecordStats, now: Timestamp) -> Result<Vec<Sample>, Error> {
    let RecordStats { value, values, batch, timestamp, critical } = request;
    let at = timestamp.unwrap_or(now).min(now);
    let entries = match (value, values, batch) {
        (Some(value), None, None) => vec![Entry::one(value, at)],
        (None, Some(values), None) => values.into_iter().map(|value| Entry::one(value, at)).collect(),
        (None, None, Some(batch)) => {
            vec![Entry { at, count: batch.count, min: batch.min, max: batch.max, sum: batch.sum }]
        }
        (None, None, None) => return Err(Error::missing("value")),
        (value, _, _) => return Err(Error::invalid("value", value, "one of value, values and batch")),
    };
    let critical = critical.unwrap_or(false);
    Ok(entries.into_iter().map(|entry| Sample { entry, critical, producer: None }).collect())
}

pub(super) fn level_view(level: Level) -> LevelView {
    let signal = SignalConfig::default().signal(level, SignalSeq::default());
    LevelView {
        level,
        backpressure_level: level.number(),
        backpressure_delay_ms: u64::try_from(signal.delay.as_millis()).unwrap_or(u64::MAX),
        backpressure_batch_only: signal.batch_only,
        backpressure_drop_non_critical: signal.drop_non_critical,
    }
}
