//! What makes the level of this node: places in the statistics on record, and reports of progress that are not there yet.
//!
//! ```text
//!  stats.record ──► record of load ──► places on record ─┐
//!                        ▲ while the level asks for less  ├──► level ──► every signal, every answer to progress
//!  progress ─────────────┴── reports not on record ──────┘
//! ```
//!
//! A report takes a place for as long as a sample does, and adds no value. It comes on record only while the level asks
//! senders for less, so an ordinary day of progress leaves no trace in the journal. A crash forgets the others: at level
//! none, or those of the last moment. So the level after a restart is that of what is on record and still young.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::core::kernel::ids::EntityId;
use crate::core::kernel::time::Timestamp;
use crate::core::load::record::{Arrived, Command, STREAM};
use crate::core::load::stats::{Level, StatsConfig};
use crate::shell::entity::Action;
use crate::shell::host::Host;
use crate::shell::hosts::track;
use crate::shell::lock;
use crate::shell::runtime::ask;

/// Reports that wait to come on record, at most, while the level asks for less.
const MOST_WAITING: usize = 32;

/// The places that are taken.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Those on record, the oldest first; none until the record was asked.
    recorded: Option<VecDeque<Timestamp>>,
    /// Reports that are not on record, in the order in which they came.
    reports: VecDeque<Arrived>,
    /// The level at the last look, for its hysteresis.
    before: Level,
    /// The record is being asked.
    asking: bool,
    /// And has to be asked again.
    again: bool,
}

impl Places {
    /// These are on record.
    #[cfg(test)]
    pub(super) fn of(recorded: Vec<Timestamp>) -> Self {
        Places { recorded: Some(recorded.into()), ..Places::default() }
    }

    fn count(&self, now: Timestamp) -> Option<usize> {
        let (recorded, age) = (self.recorded.as_ref()?, StatsConfig::default().hot_age);
        let aged = recorded.partition_point(|at| now.since(*at) >= age);
        Some(recorded.len() - aged + self.unrecorded(now))
    }

    pub(super) fn unrecorded(&self, now: Timestamp) -> usize {
        let age = StatsConfig::default().hot_age;
        self.reports.len() - self.reports.partition_point(|report| now.since(report.at) >= age)
    }

    pub(super) fn level(&self, now: Timestamp) -> Option<Level> {
        self.level_after(0, now)
    }

    /// The level once so many more reports have come.
    pub(super) fn level_after(&self, reports: usize, now: Timestamp) -> Option<Level> {
        let config = StatsConfig::default();
        let count = self.count(now)?.saturating_add(reports);
        Some(config.levels.level(count as u64, config.hot_max as u64, self.before))
    }

    /// A report came. Says whether the record is to hear of it at once.
    fn arrived(&mut self, report: Arrived, now: Timestamp) -> bool {
        let config = StatsConfig::default();
        while self.reports.front().is_some_and(|first| now.since(first.at) >= config.hot_age) {
            self.reports.pop_front();
        }
        let before = self.level(now);
        // What finds no place at reject makes the level no worse than it is.
        if before == Some(Level::Reject) && !report.critical {
            return false;
        }
        if self.reports.len() < config.hot_max {
            self.reports.push_back(report);
        }
        let level = self.level(now);
        self.before = level.unwrap_or_default();
        level != before || (level > Some(Level::None) && self.reports.len() >= MOST_WAITING)
    }

    /// The reports to put on record now.
    fn to_record(&self, now: Timestamp) -> Vec<Arrived> {
        if self.level(now) > Some(Level::None) { self.reports.iter().copied().collect() } else { Vec::new() }
    }
}

/// A report of progress came to a manager of this node: it takes its place, and the level is known.
pub(crate) async fn arrived(host: &Arc<Host>, critical: bool) {
    let now = host.clock.now();
    let (known, tell) = {
        let mut inner = lock(&host.pressure.inner);
        let tell = inner.places.arrived(Arrived { at: now, critical }, now);
        (inner.places.recorded.is_some(), tell)
    };
    if !known {
        look(host).await;
    } else if tell {
        look_again(host);
    }
}

/// Sees to it that the level is known before a manager answers. It stays unknown when the record cannot be read.
pub(crate) async fn know_level(host: &Arc<Host>) {
    if host.pressure.own_level(host.clock.now()).is_none() {
        look(host).await;
    }
}

/// The record has changed, or is to hear of reports: one look at a time, and another one after it if need be.
pub(crate) fn look_again(host: &Arc<Host>) {
    {
        let places = &mut lock(&host.pressure.inner).places;
        if places.asking {
            places.again = true;
            return;
        }
        places.asking = true;
    }
    let looking = host.clone();
    track(host, async move {
        loop {
            look(&looking).await;
            let places = &mut lock(&looking.pressure.inner).places;
            if !std::mem::take(&mut places.again) {
                places.asking = false;
                return;
            }
        }
    });
}

/// Looks at the record, and tells it of reports while the level asks for less.
async fn look(host: &Arc<Host>) {
    let Ok(id) = EntityId::new(STREAM) else { return };
    let told = lock(&host.pressure.inner).places.to_record(host.clock.now());
    let count = told.len();
    let action = if told.is_empty() { Action::Read } else { Action::Command(Command::Report(told), None) };
    // Not the host: it holds the lane in which this may be left waiting when the runtime ends.
    let pressure = host.pressure.clone();
    // Under the record's own hands: what it holds then is what is taken for recorded, and reports it was told of are
    // counted there from then on.
    let seen = ask(host, &host.kinds.load_records, &id, action, move |view| {
        let now = view.now;
        let places = &mut lock(&pressure.inner).places;
        places.recorded = Some(view.state.stats.places(now).collect());
        places.reports.drain(..count.min(places.reports.len()));
        places.before = places.level(now).unwrap_or_default();
    });
    if let Err(failure) = seen.await {
        tracing::warn!(?failure, "the level of this node is not known");
    }
}
