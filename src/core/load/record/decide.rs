//! The transition table of the [module](super), one arm per row.

use super::command::{Arrived, Change, Command, Rejection, Reply};
use super::event::{Event, StateChanged, Taken, UpdatesDropped};
use super::state::NodeLoad;
use super::{LoadMachine, MOST_SAMPLES};
use crate::kernel::Decision;
use crate::kernel::time::Timestamp;
use crate::load::shed::Invalid;
use crate::load::stats::{NotRecorded, Sample, StatsBuffer};

type Decided = Result<Decision<LoadMachine>, Rejection>;

pub(super) fn decide(state: &NodeLoad, command: Command, now: Timestamp) -> Decided {
    match command {
        Command::Record(samples) => record(state, samples, now),
        Command::Report(arrived) => Ok(report(state, arrived, now)),
        Command::Note { changes, shed } => {
            let told = changes.into_iter().map(|change| Event::StateChanged(changed(change)));
            let shed = shed.filter(|shed| !shed.is_empty()).map(Event::Shed);
            let reply = Reply { taken: 0, refused: 0, level: state.level };
            Ok(Decision::accept(told.chain(shed).collect(), reply))
        }
        Command::Dropped { worker_id, jobs } => {
            let run =
                |(job_id, count)| UpdatesDropped { worker_id: worker_id.clone(), job_id, count, at: now };
            let events = jobs.into_iter().filter(|(_, count)| *count > 0);
            let events = events.map(|dropped| Event::UpdatesDropped(Box::new(run(dropped)))).collect();
            Ok(Decision::accept(events, Reply { taken: 0, refused: 0, level: state.level }))
        }
        Command::NoteLoss(what) => {
            let reply = Reply { taken: 0, refused: 0, level: state.level };
            Ok(Decision::accept(vec![Event::LossAccepted { what, at: now }], reply))
        }
        Command::Tick => {
            let mut stats = state.stats.clone();
            let level = stats.level(now);
            let events = level_changed(state, &mut stats, now).into_iter().collect();
            Ok(Decision::accept(events, Reply { taken: 0, refused: 0, level }))
        }
    }
}

fn record(state: &NodeLoad, samples: Vec<Sample>, now: Timestamp) -> Decided {
    if samples.is_empty() || samples.len() > MOST_SAMPLES {
        return Err(Rejection::Invalid(Invalid::new("values", samples.len(), "1 to 1000 values")));
    }
    let mut stats = state.stats.clone();
    let mut taken = Vec::new();
    let mut refused: u64 = 0;
    for sample in samples {
        match stats.record(sample, now) {
            Ok(()) => taken.push(Taken::from(sample)),
            Err(NotRecorded::Rejecting { .. }) => refused = refused.saturating_add(sample.entry.count),
            Err(NotRecorded::Invalid(invalid)) => return Err(Rejection::Invalid(invalid)),
        }
    }
    let count = taken.iter().fold(0u64, |sum, taken| sum.saturating_add(taken.entry.count));
    let level = level_changed(state, &mut stats, now);
    let mut events = Vec::new();
    if !taken.is_empty() {
        events.push(Event::Sampled { samples: taken, at: now });
    }
    events.extend(level);
    Ok(Decision::accept(events, Reply { taken: count, refused, level: stats.level(now) }))
}

fn report(state: &NodeLoad, mut arrived: Vec<Arrived>, now: Timestamp) -> Decision<LoadMachine> {
    let mut stats = state.stats.clone();
    let all = arrived.len() as u64;
    arrived.truncate(MOST_SAMPLES);
    arrived.retain(|report| stats.place(report.at, report.critical, now));
    let samples: Vec<Taken> = arrived.iter().map(|report| Taken::place(report.at, report.critical)).collect();
    let taken = samples.len() as u64;
    let level = level_changed(state, &mut stats, now);
    let mut events = Vec::new();
    if !samples.is_empty() {
        events.push(Event::Sampled { samples, at: now });
    }
    events.extend(level);
    Decision::accept(events, Reply { taken, refused: all - taken, level: stats.level(now) })
}

fn level_changed(state: &NodeLoad, stats: &mut StatsBuffer, now: Timestamp) -> Option<Event> {
    let metrics = stats.metrics(now);
    (metrics.level != state.level).then_some(Event::LevelChanged {
        from: state.level,
        to: metrics.level,
        hot: metrics.hot as u64,
        hot_max: metrics.hot_max as u64,
        at: now,
    })
}

fn changed(change: Change) -> StateChanged {
    StateChanged {
        from: change.from,
        to: change.to.state,
        cause: change.to.cause.into(),
        measured_millionths: millionths(change.to.measured),
        threshold_millionths: millionths(change.to.threshold),
        at: change.at,
    }
}

/// To the nearest millionth; what is larger than the type is held at its end.
fn millionths(value: f64) -> i64 {
    (value * 1e6).round() as i64
}
