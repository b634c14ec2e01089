//! The transition table of the [module](super), one arm per row.

use super::command::{Change, Command, Rejection, Reply};
use super::event::{Event, Report, Stated};
use super::state::Datacenters;
use super::{DatacentersMachine, MAX_DATACENTERS};
use crate::kernel::Decision;
use crate::kernel::time::Timestamp;
use crate::network::route::HealthBucket;
use crate::network::{OutOfRange, ensure};

/// Most cores, jobs and managers of a datacenter.
const MAX_COUNT: u64 = 1_000_000_000;
/// The longest round trip that is said, in ms.
const MAX_RTT_MS: f64 = 10_000.0;

pub(super) fn decide(
    state: &Datacenters,
    command: Command,
    now: Timestamp,
) -> Result<Decision<DatacentersMachine>, Rejection> {
    match command {
        Command::Update(change) => update(state, *change, now),
        Command::Remove(datacenter) if !state.known.contains_key(&datacenter) => {
            Err(Rejection::Unknown { datacenter })
        }
        Command::Remove(datacenter_id) => {
            Ok(Decision::accept(vec![Event::Removed { datacenter_id, at: now }], Reply { report: None }))
        }
        Command::Tick => Ok(Decision::answer(Reply { report: None })),
    }
}

fn update(
    state: &Datacenters,
    change: Change,
    now: Timestamp,
) -> Result<Decision<DatacentersMachine>, Rejection> {
    let before = state.known.get(&change.datacenter_id).map(|heard| &heard.report);
    if before.is_none() && state.known.len() >= MAX_DATACENTERS {
        return Err(Rejection::Full { limit: MAX_DATACENTERS });
    }
    let (datacenter_id, says_queue) = (change.datacenter_id.clone(), change.queue_depth.is_some());
    let report = merged(before, change)?;
    let reply = Reply { report: Some(report.clone()) };
    let event = Event::Updated { datacenter_id, report: Box::new(report), says_queue, at: now };
    Ok(Decision::accept(vec![event], reply))
}

/// What is known after a change: what it leaves out stays as it was.
fn merged(before: Option<&Report>, change: Change) -> Result<Report, OutOfRange> {
    let mut report = before.cloned().unwrap_or_else(|| first(&change));
    report.health_bucket = change.health_bucket.unwrap_or(report.health_bucket);
    for (field, known, given) in [
        ("total_cores", &mut report.total_cores, change.total_cores),
        ("available_cores", &mut report.available_cores, change.available_cores),
        ("queue_depth", &mut report.queue_depth, change.queue_depth),
        ("total_managers", &mut report.total_managers, change.total_managers),
    ] {
        *known = given.unwrap_or(*known);
        ensure(*known <= MAX_COUNT, field, *known, "0 to 1000000000")?;
    }
    // Managers that are no longer registered are not healthy either.
    let all = report.healthy_managers.min(report.total_managers);
    report.healthy_managers = change.healthy_managers.unwrap_or(all);
    let (healthy, total) = (report.healthy_managers, report.total_managers);
    ensure(healthy <= total, "healthy_managers", healthy, "0 to total_managers")?;
    let (free, cores) = (report.available_cores, report.total_cores);
    ensure(free <= cores, "available_cores", free, "0 to total_cores")?;
    if let Some(lhm) = change.lhm_multiplier {
        ensure((1.0..=9.0).contains(&lhm), "lhm_multiplier", lhm, "1 to 9")?;
        report.lhm_permille = (lhm * 1e3).round() as u32;
    }
    if let Some(pressure) = change.circuit_breaker_pressure {
        report.pressure_ppm = Some(part("circuit_breaker_pressure", pressure)?);
    }
    if change.leader.is_some() && change.leader != report.leader {
        // Where the last leader stood says nothing of this one.
        (report.leader, report.coordinate) = (change.leader, None);
    }
    if let Some(coordinate) = change.coordinate {
        ensure(report.leader.is_some(), "vivaldi_coord", "a coordinate", "that of a leader who is named")?;
        report.coordinate = Some(coordinate.parts().clone());
    }
    report.stated = stated(report.stated, change.rtt_ucb_ms, change.coordinate_quality)?;
    Ok(report)
}

fn stated(
    before: Option<Stated>,
    rtt_ucb_ms: Option<f64>,
    quality: Option<f64>,
) -> Result<Option<Stated>, OutOfRange> {
    let rtt_ucb_us = match rtt_ucb_ms {
        None => before.map(|stated| stated.rtt_ucb_us),
        Some(rtt) => {
            ensure((0.001..=MAX_RTT_MS).contains(&rtt), "rtt_ucb_ms", rtt, "0.001 to 10000")?;
            Some((rtt * 1e3).round() as u64)
        }
    };
    let quality_ppm = quality.map(|quality| part("coordinate_quality", quality)).transpose()?;
    let Some(rtt_ucb_us) = rtt_ucb_us else {
        let alone = quality.unwrap_or_default();
        ensure(quality.is_none(), "coordinate_quality", alone, "given with rtt_ucb_ms")?;
        return Ok(None);
    };
    let known = before.map_or(1_000_000, |stated| stated.quality_ppm);
    Ok(Some(Stated { rtt_ucb_us, quality_ppm: quality_ppm.unwrap_or(known) }))
}

/// A part of a whole in millionths.
fn part(field: &'static str, given: f64) -> Result<u32, OutOfRange> {
    ensure((0.0..=1.0).contains(&given), field, given, "0 to 1")?;
    Ok((given * 1e6).round() as u32)
}

/// What a datacenter is taken for before it said more.
fn first(change: &Change) -> Report {
    let total_managers = change.total_managers.unwrap_or(1);
    Report {
        health_bucket: HealthBucket::Healthy,
        available_cores: change.total_cores.unwrap_or(0),
        total_cores: change.available_cores.unwrap_or(0),
        queue_depth: 0,
        lhm_permille: 1_000,
        pressure_ppm: None,
        total_managers,
        healthy_managers: total_managers,
        leader: None,
        coordinate: None,
        stated: None,
    }
}
