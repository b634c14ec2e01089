//! The buffer: tiers, what moves between them, and what its fill asks of the senders.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::entry::Entry;
use super::level::{Level, Levels};
use crate::kernel::time::Timestamp;
use crate::load::shed::number::{Invalid, Ratio};

/// A tier of buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TierConfig {
    /// Most buckets.
    pub max: usize,
    /// How long a bucket is; buckets begin at multiples of it since the epoch.
    pub bucket: Duration,
    /// A bucket moves on when its end is this old.
    pub age: Duration,
}

/// The knobs of the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatsConfig {
    /// Most single entries. Too small: senders are slowed for nothing; too large: memory, and a level that comes late.
    pub hot_max: usize,
    /// An entry moves on at this age.
    pub hot_age: Duration,
    /// Buckets of 10 s for an hour.
    pub warm: TierConfig,
    /// Buckets of 60 s for a day.
    pub cold: TierConfig,
    /// From which fill on which level holds.
    pub levels: Levels,
    /// The part of the single entries one producer may hold; what it sends above goes straight into its bucket, so it
    /// is counted and takes nobody's place.
    pub quota: Option<Ratio>,
}

impl Default for StatsConfig {
    fn default() -> Self {
        let secs = Duration::from_secs;
        StatsConfig {
            hot_max: 1_000,
            hot_age: secs(60),
            warm: TierConfig { max: 360, bucket: secs(10), age: secs(3_600) },
            cold: TierConfig { max: 1_440, bucket: secs(60), age: secs(86_400) },
            levels: Levels::default(),
            quota: None,
        }
    }
}

impl StatsConfig {
    /// Checks the numbers.
    ///
    /// # Errors
    /// [`Invalid`] for no room, buckets that do not nest, ages that do not ascend.
    pub fn check(&self) -> Result<(), Invalid> {
        self.levels.check()?;
        if self.hot_max == 0 {
            return Err(Invalid::new("hot_max", 0, "at least 1"));
        }
        for (field, tier) in [("warm", &self.warm), ("cold", &self.cold)] {
            if tier.max == 0 || tier.bucket.as_micros() == 0 {
                return Err(Invalid::new(field, format!("{tier:?}"), "buckets, and longer than 0"));
            }
        }
        if !self.cold.bucket.as_micros().is_multiple_of(self.warm.bucket.as_micros()) {
            return Err(Invalid::new(
                "cold bucket",
                format!("{:?}", self.cold.bucket),
                "a multiple of the warm one",
            ));
        }
        if self.hot_age.is_zero() || self.warm.age < self.hot_age || self.cold.age < self.warm.age {
            return Err(Invalid::new(
                "age",
                format!("{:?}", self.hot_age),
                "ascending from hot to cold, above 0",
            ));
        }
        if self.quota == Some(Ratio::ZERO) {
            return Err(Invalid::new("quota", 0, "above 0"));
        }
        Ok(())
    }
}

/// What is offered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// One value, or a batch that takes one place.
    pub entry: Entry,
    /// It is taken whatever the level.
    pub critical: bool,
    /// Who sends it, by a number of the caller's choice.
    pub producer: Option<u64>,
}

impl Sample {
    /// One value of this instant.
    pub fn of(value: f64, at: Timestamp) -> Self {
        Sample { entry: Entry::one(value, at), critical: false, producer: None }
    }
}

/// Why a sample is not in the buffer. It was counted as dropped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRecorded {
    /// A number is not one.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The level is reject and the sample is not critical.
    #[error("the buffer is rejecting. hot={hot}, max={max}")]
    Rejecting {
        /// Single entries held.
        hot: usize,
        /// Most of them.
        max: usize,
    },
}

/// Samples, as counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// In the buffer, in whatever tier.
    pub recorded: u64,
    /// Refused at reject.
    pub rejected: u64,
    /// Refused as not a number.
    pub invalid: u64,
    /// Entries moved on before their age, to make room.
    pub folded_early: u64,
}

/// The buffer in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatsMetrics {
    /// Single entries held.
    pub hot: usize,
    /// Most of them.
    pub hot_max: usize,
    /// Buckets of 10 s held.
    pub warm: usize,
    /// Most of them.
    pub warm_max: usize,
    /// Buckets of 60 s held.
    pub cold: usize,
    /// Most of them.
    pub cold_max: usize,
    /// Samples older than that, in one.
    pub archived: u64,
    /// `hot` of `hot_max`; may pass 1 only by rounding.
    pub fill: f64,
    /// The level.
    pub level: Level,
    /// Counts.
    pub totals: Totals,
}

/// The tiers. See the [module](super) for the picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatsBuffer {
    pub(super) config: StatsConfig,
    pub(super) hot: BTreeMap<(Timestamp, u64), (Entry, Option<u64>)>,
    pub(super) warm: BTreeMap<i64, Entry>,
    pub(super) cold: BTreeMap<i64, Entry>,
    pub(super) archive: Option<Entry>,
    pub(super) all: Option<Entry>,
    pub(super) held: BTreeMap<u64, u64>,
    pub(super) totals: Totals,
    pub(super) level: Level,
    pub(super) next: u64,
    pub(super) origin: u64,
    pub(super) seen: BTreeMap<u64, u64>,
}

fn bucket_of(at: Timestamp, tier: &TierConfig) -> i64 {
    let length = i64::try_from(tier.bucket.as_micros()).unwrap_or(i64::MAX);
    at.as_micros().div_euclid(length) * length
}

fn has_aged(start: i64, tier: &TierConfig, now: Timestamp) -> bool {
    now.since(Timestamp::from_micros(start).plus(tier.bucket)) >= tier.age
}

fn merge(tier: &mut BTreeMap<i64, Entry>, bucket: i64, entry: Entry) {
    tier.entry(bucket).and_modify(|held| *held = held.with(entry)).or_insert(entry);
}

impl Default for StatsBuffer {
    /// Empty, with every knob at its default and the origin 0.
    fn default() -> Self {
        StatsBuffer::unchecked(StatsConfig::default(), 0)
    }
}

impl StatsBuffer {
    /// Empty. `origin` names this buffer in its checkpoints; a new one after every restart.
    ///
    /// # Errors
    /// As [`StatsConfig::check`].
    pub fn new(config: StatsConfig, origin: u64) -> Result<Self, Invalid> {
        config.check()?;
        Ok(StatsBuffer::unchecked(config, origin))
    }

    fn unchecked(config: StatsConfig, origin: u64) -> Self {
        StatsBuffer {
            config,
            hot: BTreeMap::new(),
            warm: BTreeMap::new(),
            cold: BTreeMap::new(),
            archive: None,
            all: None,
            held: BTreeMap::new(),
            totals: Totals::default(),
            level: Level::None,
            next: 0,
            origin,
            seen: BTreeMap::new(),
        }
    }

    /// When the level gets milder if nothing more is taken: when enough single entries have aged. `None` at the mildest.
    pub fn falls_at(&self) -> Option<Timestamp> {
        let held_from = self.config.levels.held_from(self.level, self.config.hot_max as u64)?;
        // So many of the oldest have to go for the level to go.
        let too_many = (self.hot.len() as u64).saturating_sub(held_from);
        let ((at, _), _) = self.hot.iter().nth(usize::try_from(too_many).ok()?)?;
        Some(at.plus(self.config.hot_age))
    }

    /// Takes a sample. One from the future counts as of now; a late one goes into the bucket it belongs to.
    ///
    /// # Errors
    /// [`NotRecorded`], counted.
    pub fn record(&mut self, sample: Sample, now: Timestamp) -> Result<(), NotRecorded> {
        if let Err(invalid) = sample.entry.check() {
            self.totals.invalid = self.totals.invalid.saturating_add(1);
            return Err(invalid.into());
        }
        let level = self.level(now);
        let mut entry = sample.entry;
        entry.at = entry.at.min(now);
        let late = self.has_cooled(entry.at, now);
        if level == Level::Reject && !sample.critical && !late {
            self.totals.rejected = self.totals.rejected.saturating_add(entry.count);
            return Err(NotRecorded::Rejecting { hot: self.hot.len(), max: self.config.hot_max });
        }
        self.count(entry);
        self.next += 1;
        self.seen.insert(self.origin, self.next);
        if late || self.over_quota(sample.producer) {
            self.put_warm(entry, now);
        } else {
            self.put_hot(entry, sample.producer, now);
        }
        self.grade();
        Ok(())
    }

    /// A report of progress came at `at`: it takes a place among the single entries, and adds no value. Gives whether it
    /// did; at reject only one that is critical does.
    pub fn place(&mut self, at: Timestamp, critical: bool, now: Timestamp) -> bool {
        let level = self.level(now);
        let at = at.min(now);
        if self.has_cooled(at, now) || (level == Level::Reject && !critical) {
            return false;
        }
        self.put_hot(Entry::place(at), None, now);
        self.grade();
        true
    }

    /// When each single entry that has not aged came, the oldest first. Changes nothing.
    pub fn places(&self, now: Timestamp) -> impl Iterator<Item = Timestamp> {
        self.hot.keys().map(|(at, _)| *at).filter(move |at| !self.has_cooled(*at, now))
    }

    /// Takes values of this instant, each in its own place. Gives how many were taken.
    pub fn record_batch(&mut self, values: &[f64], now: Timestamp) -> usize {
        values.iter().filter(|value| self.record(Sample::of(**value, now), now).is_ok()).count()
    }

    /// Moves on what has aged. Every other method that is told the time does it first; a timer does it where nothing
    /// is recorded or asked. Doing it twice is doing it once.
    pub fn advance(&mut self, now: Timestamp) {
        while let Some((&(at, _), _)) = self.hot.first_key_value()
            && self.has_cooled(at, now)
        {
            self.fold_oldest(now);
        }
        while let Some((&start, _)) = self.warm.first_key_value()
            && (has_aged(start, &self.config.warm, now) || self.warm.len() > self.config.warm.max)
        {
            if let Some((_, entry)) = self.warm.pop_first() {
                self.put_cold(entry, now);
            }
        }
        while let Some((&start, _)) = self.cold.first_key_value()
            && (has_aged(start, &self.config.cold, now) || self.cold.len() > self.config.cold.max)
        {
            if let Some((_, entry)) = self.cold.pop_first() {
                self.put_archive(entry);
            }
        }
        self.grade();
    }

    fn has_cooled(&self, at: Timestamp, now: Timestamp) -> bool {
        now.since(at) >= self.config.hot_age
    }

    fn over_quota(&self, producer: Option<u64>) -> bool {
        let (Some(quota), Some(producer)) = (self.config.quota, producer) else { return false };
        let held = self.held.get(&producer).copied().unwrap_or(0);
        quota.reached(held, self.config.hot_max as u64)
    }

    pub(super) fn count(&mut self, entry: Entry) {
        self.all = Some(self.all.map_or(entry, |all| all.with(entry)));
        self.totals.recorded = self.totals.recorded.saturating_add(entry.count);
    }

    pub(super) fn put_hot(&mut self, entry: Entry, producer: Option<u64>, now: Timestamp) {
        if self.hot.len() >= self.config.hot_max {
            self.totals.folded_early += 1;
            self.fold_oldest(now);
        }
        // Places of one instant are told apart by a number that only grows.
        let place =
            self.hot.range((entry.at, 0)..=(entry.at, u64::MAX)).next_back().map_or(0, |((_, n), _)| n + 1);
        self.hot.insert((entry.at, place), (entry, producer));
        if let Some(producer) = producer {
            *self.held.entry(producer).or_default() += 1;
        }
    }

    fn fold_oldest(&mut self, now: Timestamp) {
        let Some((_, (entry, producer))) = self.hot.pop_first() else { return };
        if let Some(producer) = producer
            && let Some(held) = self.held.get_mut(&producer)
        {
            *held -= 1;
            if *held == 0 {
                self.held.remove(&producer);
            }
        }
        if !entry.is_place() {
            self.put_warm(entry, now);
        }
    }

    pub(super) fn put_warm(&mut self, entry: Entry, now: Timestamp) {
        let bucket = bucket_of(entry.at, &self.config.warm);
        if has_aged(bucket, &self.config.warm, now) {
            return self.put_cold(entry, now);
        }
        merge(&mut self.warm, bucket, entry);
        if self.warm.len() > self.config.warm.max
            && let Some((_, oldest)) = self.warm.pop_first()
        {
            self.put_cold(oldest, now);
        }
    }

    pub(super) fn put_cold(&mut self, entry: Entry, now: Timestamp) {
        let bucket = bucket_of(entry.at, &self.config.cold);
        if has_aged(bucket, &self.config.cold, now) {
            return self.put_archive(entry);
        }
        merge(&mut self.cold, bucket, entry);
        if self.cold.len() > self.config.cold.max
            && let Some((_, oldest)) = self.cold.pop_first()
        {
            self.put_archive(oldest);
        }
    }

    pub(super) fn put_archive(&mut self, entry: Entry) {
        self.archive = Some(self.archive.map_or(entry, |archive| archive.with(entry)));
    }

    pub(super) fn grade(&mut self) {
        self.level = self.config.levels.level(self.hot.len() as u64, self.config.hot_max as u64, self.level);
    }

    /// The level, after what has aged moved on.
    pub fn level(&mut self, now: Timestamp) -> Level {
        self.advance(now);
        self.level
    }

    /// The level for one producer: at least batch while it holds all it may.
    pub fn level_for(&mut self, producer: u64, now: Timestamp) -> Level {
        let level = self.level(now);
        if self.over_quota(Some(producer)) { level.max(Level::Batch) } else { level }
    }

    /// How many samples each of so many producers may send before the buffer rejects; at least one each, so that
    /// nobody falls silent.
    pub fn credits(&mut self, producers: u64, now: Timestamp) -> u64 {
        self.advance(now);
        let room = self.config.levels.reject.first(self.config.hot_max as u64);
        (room.saturating_sub(self.hot.len() as u64) / producers.max(1)).max(1)
    }

    /// Single entries, the oldest first.
    pub fn hot(&self) -> impl Iterator<Item = &Entry> {
        self.hot.values().map(|(entry, _)| entry)
    }

    /// Buckets of 10 s, the oldest first.
    pub fn warm(&self) -> impl Iterator<Item = &Entry> {
        self.warm.values()
    }

    /// Buckets of 60 s, the oldest first.
    pub fn cold(&self) -> impl Iterator<Item = &Entry> {
        self.cold.values()
    }

    /// What is older than that, in one.
    pub fn archive(&self) -> Option<Entry> {
        self.archive
    }

    /// Everything ever taken, in one; `None` before the first. Kept up to date, so asking costs nothing.
    pub fn summary(&self) -> Option<Entry> {
        self.all
    }

    /// The mean of what is younger than `window`, buckets by their latest sample; `None` when nothing is.
    pub fn recent_average(&self, window: Duration, now: Timestamp) -> Option<f64> {
        let all = self.hot().filter(|entry| !entry.is_place()).chain(self.warm()).chain(self.cold());
        Entry::of(all.filter(|entry| now.since(entry.at) < window).copied()).ok().map(|entry| entry.value())
    }

    /// The buffer in numbers, after what has aged moved on.
    pub fn metrics(&mut self, now: Timestamp) -> StatsMetrics {
        self.advance(now);
        StatsMetrics {
            hot: self.hot.len(),
            hot_max: self.config.hot_max,
            warm: self.warm.len(),
            warm_max: self.config.warm.max,
            cold: self.cold.len(),
            cold_max: self.config.cold.max,
            archived: self.archive.map_or(0, |archive| archive.count),
            fill: self.hot.len() as f64 / self.config.hot_max as f64,
            level: self.level,
            totals: self.totals,
        }
    }

    /// Forgets all samples and counts. What was taken before does not come back by an import of it.
    pub fn clear(&mut self) {
        self.hot.clear();
        self.warm.clear();
        self.cold.clear();
        self.held.clear();
        (self.archive, self.all) = (None, None);
        (self.totals, self.level) = (Totals::default(), Level::None);
    }
}

#[cfg(test)]
#[path = "buffer_test.rs"]
mod tests;
