//! What is shown of coordinates, datacenters and routes, and how their numbers are read.

use super::dto::{
    CoordinateEstimate, CoordinateView, DatacenterView, EstimateCoordinate, MeasuredLink, RouteFailureView,
    RouteState, RoutedView, VivaldiCoordinate,
};
use crate::core::kernel::ids::{EntityId, NodeId};
use crate::core::kernel::time::Timestamp;
use crate::core::network::coordinate::record::Node;
use crate::core::network::coordinate::{
    CoordinateParts, NetworkCoordinate, VivaldiConfig, coordinate_quality, estimate_rtt_ms, is_converged,
};
use crate::core::network::datacenter::Latest;
use crate::core::network::route::record::{Chosen, Route};
use crate::core::network::route::{DatacenterCandidate, HealthBucket, RoutingConfig, UNKNOWN_RTT_MS};
use crate::error::{Error, ErrorKind};

/// The longest round trip, in ms.
const MAX_RTT_MS: f64 = 10_000.0;

pub(super) fn unexpected() -> Error {
    Error::new(ErrorKind::StoreError, "the entity gave another answer than its command has")
}

/// A round trip in whole microseconds.
pub(super) fn rtt_us(rtt_ms: f64) -> Result<u64, Error> {
    if !(0.001..=MAX_RTT_MS).contains(&rtt_ms) {
        return Err(Error::invalid("rtt_ms", rtt_ms, "0.001 to 10000"));
    }
    Ok((rtt_ms * 1e3).round() as u64)
}

/// A number of milliseconds to the microsecond, as it is shown.
fn shown(ms: f64) -> f64 {
    (ms * 1e3).round() / 1e3
}

/// A coordinate as it is given, checked.
pub(super) fn parts(given: VivaldiCoordinate, now: Timestamp) -> Result<NetworkCoordinate, Error> {
    let VivaldiCoordinate { vec, height, adjustment, error, error_ms, sample_count } = given;
    let parts = CoordinateParts { position: vec, height, adjustment, error, error_ms, sample_count };
    NetworkCoordinate::new(parts, now).map_err(|refused| {
        let field = format!("vivaldi_coord.{}", refused.field);
        Error::invalid(&field, refused.given, refused.expected)
    })
}

pub(super) fn coordinate_view(
    node_id: NodeId,
    at: &NetworkCoordinate,
    config: &VivaldiConfig,
    now: Timestamp,
) -> CoordinateView {
    let CoordinateParts { position, height, adjustment, error, error_ms, sample_count } = at.parts().clone();
    CoordinateView {
        node_id,
        vivaldi_coord: VivaldiCoordinate { vec: position, height, adjustment, error, error_ms, sample_count },
        converged: is_converged(at, config),
        coordinate_quality: coordinate_quality(Some(at), config, now),
        updated_at: at.updated_at(),
    }
}

pub(super) fn estimate_view(
    request: EstimateCoordinate,
    from: &Node,
    to: &Node,
    config: &VivaldiConfig,
    now: Timestamp,
) -> CoordinateEstimate {
    let (here, there) = (from.coordinate(), to.coordinate());
    let known = here.as_ref().zip(there.as_ref());
    let measured = from.links.get(&request.to).map(|link| link.measured());
    CoordinateEstimate {
        rtt_ms: known.and_then(|(here, there)| estimate_rtt_ms(here, there)).map(shown),
        rtt_ucb_ms: shown(from.rtt_ucb_ms(&request.to, there.as_ref(), config, now)),
        coordinate_quality: coordinate_quality(there.as_ref(), config, now),
        converged: from.is_converged(config) && to.is_converged(config),
        measured: measured.map(|measured| MeasuredLink {
            srtt_ms: shown(measured.srtt_ms),
            rttvar_ms: shown(measured.rttvar_ms),
            samples: measured.samples,
            at: measured.at,
            is_trusted: measured.is_trusted(config, now),
        }),
        from: request.from,
        to: request.to,
    }
}

pub(super) fn datacenter_view(seen: &DatacenterCandidate, heard: &Latest) -> DatacenterView {
    DatacenterView {
        datacenter_id: seen.datacenter_id.clone(),
        health_bucket: heard.report.health_bucket.name().into(),
        available_cores: seen.available_cores,
        total_cores: seen.total_cores,
        queue_depth: seen.queue_depth,
        lhm_multiplier: seen.lhm_multiplier,
        circuit_breaker_pressure: seen.circuit_breaker_pressure,
        total_managers: seen.total_managers,
        healthy_managers: seen.healthy_managers,
        leader_id: heard.report.leader.clone(),
        has_coordinate: seen.has_coordinate,
        rtt_ucb_ms: shown(if seen.has_coordinate { seen.rtt_ucb_ms } else { UNKNOWN_RTT_MS }),
        coordinate_quality: seen.coordinate_quality,
        last_health_at: seen.last_health_at,
    }
}

pub(super) fn routed_view(chosen: &Chosen) -> RoutedView {
    RoutedView {
        primary_datacenters: chosen.primary_datacenters.clone(),
        fallback_datacenters: chosen.fallback_datacenters.clone(),
        primary_bucket: chosen.primary_bucket.map(HealthBucket::name).map(str::to_owned),
        reason: chosen.reason.name().into(),
        in_bootstrap_mode: chosen.in_bootstrap_mode,
        decided_at: chosen.at,
    }
}

/// None for a job that was never routed.
pub(super) fn route_view(
    job_id: EntityId,
    route: &Route,
    config: &RoutingConfig,
    now: Timestamp,
) -> Option<RouteState> {
    let chosen = route.chosen.as_ref()?;
    let kept = route.routing.as_ref();
    let selected = kept.filter(|kept| kept.primary.is_some());
    let failure = |failure: &crate::core::network::route::record::Failure| RouteFailureView {
        datacenter_id: failure.datacenter_id.clone(),
        reason: failure.reason.name().into(),
        at: failure.at,
        cooldown_until: failure.until,
        is_cooling: kept.is_some() && now < failure.until,
    };
    Some(RouteState {
        job_id,
        is_live: kept.is_some(),
        primary: kept.and_then(|kept| kept.primary.clone()),
        selected_at: selected.map(|kept| kept.selected_at),
        hold_down_until: selected.map(|kept| kept.selected_at.plus(config.hold_down())),
        selection_score: kept.and_then(|kept| kept.selection_score),
        degraded_since: kept.and_then(|kept| kept.degraded_since),
        switch_count: kept.map_or(0, |kept| kept.switch_count),
        failures: route.failures.iter().map(failure).collect(),
        last_used_at: kept.map(|kept| kept.last_used_at),
        forget_at: route.forget_at,
        decisions: route.decisions,
        routed: Some(routed_view(chosen)),
    })
}
