//! What is told of a node: asking changes nothing.

use std::collections::BTreeMap;

use super::carry::FrameCounters;
use super::engine::Engine;
use quorate_core::kernel::ids::NodeId;
use quorate_core::kernel::time::Timestamp;
use quorate_core::network::coordinate::{NetworkCoordinate, VivaldiConfig, coordinate_quality};
use quorate_core::network::member::{Address, Degradation, MemberState, Membership, NameClaim};
use quorate_runtime::api::dto::{
    MemberList, MemberMetrics, MemberValidation, MemberView, NameConflict, VivaldiCoordinate,
};

/// It and all it knows.
pub(crate) fn list(membership: &Membership, now: Timestamp) -> MemberList {
    let coordinates = membership.coordinates();
    let own = coordinates.get_coordinate();
    let me = MemberView {
        node_id: membership.id().to_string(),
        role: Some(membership.role().name().to_owned()),
        datacenter: Some(membership.datacenter().to_string()),
        state: MemberState::Alive.name().to_owned(),
        incarnation: membership.incarnation(),
        rtt_ms: None,
        rtt_upper_ms: None,
        quality: round(coordinate_quality(Some(own), coordinates.config(), now)),
        address: membership.address().to_string(),
        since: membership.began(),
        seen_at: None,
        is_self: true,
        coordinate: Some(place(own)),
    };
    let others = membership.members().map(|(id, member)| {
        let known = coordinates.get_peer_coordinate(id);
        MemberView {
            node_id: id.to_string(),
            role: member.role().map(|role| role.name().to_owned()),
            datacenter: member.datacenter().map(ToString::to_string),
            state: member.state().name().to_owned(),
            incarnation: member.incarnation(),
            rtt_ms: coordinates.estimate_rtt_ms(id).map(round),
            rtt_upper_ms: known.map(|_| round(coordinates.estimate_rtt_ucb_ms(id, now))),
            quality: round(coordinates.coordinate_quality(id, now)),
            address: member.address().to_string(),
            since: member.since(),
            seen_at: member.seen_at(),
            is_self: false,
            coordinate: known.map(place),
        }
    });
    let mut members: Vec<MemberView> = std::iter::once(me).chain(others).collect();
    members.sort_by(|a, b| a.node_id.cmp(&b.node_id));
    let own = membership.twin().map(|claim| (membership.id(), membership.address(), claim));
    let peers = membership.claimed_names().filter_map(|(id, claim)| {
        let held = membership.member(id)?.address();
        Some((id, held, claim))
    });
    let conflict = |(id, held, claim): (&NodeId, &Address, &NameClaim)| NameConflict {
        node_id: id.to_string(),
        address: held.to_string(),
        other_address: claim.address.to_string(),
        heard_at: claim.heard_at,
    };
    let name_conflicts = own.into_iter().chain(peers).map(conflict).collect();
    MemberList { node_id: membership.id().to_string(), members, name_conflicts }
}

/// Thousandths are enough for people and for choices.
fn round(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}

fn place(coordinate: &NetworkCoordinate) -> VivaldiCoordinate {
    VivaldiCoordinate {
        vec: coordinate.position().to_vec(),
        height: coordinate.height(),
        adjustment: coordinate.parts().adjustment,
        error: coordinate.error(),
        error_ms: coordinate.error_ms(),
        sample_count: coordinate.sample_count(),
    }
}

fn named(counts: &BTreeMap<&'static str, u64>) -> BTreeMap<String, u64> {
    counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

/// How it is doing.
pub(crate) fn metrics(engine: &Engine, frames: &FrameCounters) -> MemberMetrics {
    let (membership, links) = (engine.membership(), engine.links());
    let (local_health, level) = membership.local_health();
    let counters = membership.counters();
    let mut dropped = named(&links.counters().dropped);
    if engine.crowded_out() > 0 {
        dropped.insert("crowded_out".to_owned(), engine.crowded_out());
    }
    dropped.extend(named(&frames.refused));
    for (reason, count) in &counters.malformed {
        *dropped.entry(format!("message_{reason}")).or_default() += count;
    }
    let counts = [
        ("sent", counters.sent),
        ("sent_bytes", counters.sent_bytes),
        ("received", counters.received),
        ("greetings", links.counters().greetings),
        ("lives", links.counters().lives),
        ("unsent", links.counters().unsent + engine.unsent()),
        ("own_id", counters.own_id),
        ("name_claims", counters.name_claims),
        ("misdirected", counters.misdirected),
        ("stray_acks", counters.stray_acks),
        ("absurd_incarnations", counters.absurd_incarnations),
        ("unknown_numbers", counters.unknown_numbers),
        ("coordinates_refused", counters.coordinates_refused),
        ("probes", counters.probes),
        ("probe_failures", counters.probe_failures),
        ("indirect_requests", counters.indirect_requests),
        ("relays", counters.relays),
        ("relays_refused", counters.relays_refused),
        ("gossips", counters.gossips),
        ("refutations", counters.refutations),
        ("stalls", counters.stalls),
        ("worker_confirmations", counters.worker_confirmations),
        ("confirmed", counters.confirmed),
        ("evicted", counters.evicted),
        ("restarts", engine.restarts()),
        ("unrecorded", engine.unrecorded()),
        ("frames_sent", frames.sent),
        ("frames_received", frames.received),
    ];
    let states = MemberState::ALL.map(|state| (state.name().to_owned(), membership.count(state) as u64));
    let transitions = &counters.transitions;
    MemberMetrics {
        node_id: membership.id().to_string(),
        incarnation: membership.incarnation(),
        local_health,
        degradation: degradation(level).to_owned(),
        coordinate: place(membership.coordinates().get_coordinate()),
        is_converged: membership.coordinates().is_converged(),
        peer_count: membership.coordinates().get_peer_count() as u64,
        config: knobs(membership.coordinates().config()),
        states: states.into_iter().collect(),
        unconfirmed: named(&membership.unconfirmed_by_role()),
        confirmation_attempts: named(&counters.confirmation_attempts),
        removed: named(&counters.removed),
        transitions: transitions.iter().map(|((from, to), n)| (format!("{from}->{to}"), *n)).collect(),
        counts: counts.map(|(name, count)| (name.to_owned(), count)).into_iter().collect(),
        dropped,
        keys: links.ring().ids().map(|key| key.to_string()).collect(),
    }
}

fn knobs(config: &VivaldiConfig) -> BTreeMap<String, f64> {
    let knobs = [
        ("dimensions", config.dimensions as f64),
        ("ce", config.ce),
        ("error_decay", config.error_decay),
        ("convergence_error_threshold", config.convergence_error_threshold),
        ("convergence_min_samples", config.convergence_min_samples as f64),
    ];
    knobs.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

fn degradation(level: Degradation) -> &'static str {
    match level {
        Degradation::Normal => "normal",
        Degradation::Light => "light",
        Degradation::Moderate => "moderate",
        Degradation::Heavy => "heavy",
        Degradation::Critical => "critical",
    }
}

/// Whether what it keeps hangs together.
pub(crate) fn validate(membership: &Membership) -> MemberValidation {
    let report = membership.validate_state();
    MemberValidation {
        coordinate_valid: report.coordinate_valid,
        coordinate_converged: report.coordinate_converged,
        role_set: report.role_set,
        confirmation_consistent: report.confirmation_consistent,
        errors: report.errors,
        overall_valid: report.overall_valid,
    }
}
