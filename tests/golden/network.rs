//! The events of coordinates, datacenters and routes.

use std::collections::BTreeMap;

use quorate_core::kernel::ids::{DatacenterId, EntityId, NodeId};
use quorate_core::network::coordinate::CoordinateParts;
use quorate_core::network::coordinate::record::event::{self as coordinate, Moved};
use quorate_core::network::datacenter::event::{self as datacenter, Report, Stated};
use quorate_core::network::member::record as member;
use quorate_core::network::member::{MemberState, NodeRole, RemovalReason};
use quorate_core::network::route::record::event::{self as route, Decided, FailureReason, Forgetting};
use quorate_core::network::route::{
    Excluded, Exclusion, HealthBucket, JobRoutingState, Reason, RoutingDecision, Scored,
};

use crate::events::{at, variants};

fn node(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

fn dc(name: &str) -> DatacenterId {
    DatacenterId::new(name).unwrap()
}

fn place() -> CoordinateParts {
    CoordinateParts {
        position: vec![0.25, -0.5],
        height: 0.0001,
        adjustment: -0.125,
        error: 1.5,
        error_ms: 50.0,
        sample_count: 300,
    }
}

pub(crate) fn coordinates() -> Vec<coordinate::Event> {
    let moved = Moved {
        peer: node("窓"),
        rtt_us: 70_000,
        coordinate: place(),
        residual: -0.5,
        estimate: 0.0625,
        is_published: true,
        srtt_ms: 71.5,
        rttvar_ms: 2.25,
        windows: [8, 32, 300],
        forgotten: Some(node("b")),
        at: at(-5),
    };
    vec![
        coordinate::Event::Moved(Box::new(Moved { forgotten: None, is_published: false, ..moved.clone() })),
        coordinate::Event::Moved(Box::new(moved)),
        coordinate::Event::Placed { coordinate: place(), at: at(6) },
        coordinate::Event::Resumed { coordinate: place(), at: at(i64::MAX) },
    ]
}

pub(crate) fn datacenters() -> Vec<datacenter::Event> {
    let bare = Report {
        health_bucket: HealthBucket::Healthy,
        available_cores: 0,
        total_cores: 300,
        queue_depth: 70_000,
        lhm_permille: 1_000,
        pressure_ppm: None,
        total_managers: 3,
        healthy_managers: 2,
        leader: None,
        coordinate: None,
        stated: None,
    };
    let full = Report {
        health_bucket: HealthBucket::Unhealthy,
        pressure_ppm: Some(333_333),
        leader: Some(node("窓")),
        coordinate: Some(place()),
        stated: Some(Stated { rtt_ucb_us: 12_500, quality_ppm: 1_000_000 }),
        ..bare.clone()
    };
    let updated = |report, says_queue| datacenter::Event::Updated {
        datacenter_id: dc("east"),
        report: Box::new(report),
        says_queue,
        at: at(7),
    };
    vec![
        updated(bare, false),
        updated(full, true),
        datacenter::Event::Removed { datacenter_id: dc("窓"), at: at(8) },
    ]
}

pub(crate) fn members() -> Vec<member::Event> {
    let waited = member::Waited {
        local_health_permille: 1_000,
        degradation_permille: 1_200,
        latency_permille: 10_000,
        confidence_permille: 1_500,
        peer_health_permille: 2_500,
    };
    let moved = |from, to, waited| member::Event::Moved {
        from,
        to,
        incarnation: 70_000,
        said_by: node("窓"),
        waited,
        at: at(5),
    };
    let stands = |state, role| member::Standing { state, incarnation: 300, role };
    let removed = |reason| member::Event::Removed { reason, at: at(4) };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    vec![
        member::Event::Discovered { said_by: None, at: at(1) },
        member::Event::Discovered { said_by: Some(node("窓")), at: at(2) },
        member::Event::Confirmed { at: at(3) },
        removed(RemovalReason::ExhaustedProactiveAttempts),
        removed(RemovalReason::PassiveTimeoutExpired),
        removed(RemovalReason::ReportedDead),
        removed(RemovalReason::RetentionExpired),
        removed(RemovalReason::Requested),
        removed(RemovalReason::Evicted),
        moved(MemberState::Alive, MemberState::Suspect, Some(waited)),
        moved(MemberState::Suspect, MemberState::Down, None),
        moved(MemberState::Down, MemberState::Alive, None),
        moved(MemberState::Unconfirmed, MemberState::Alive, None),
        member::Event::RoleLearned { role: NodeRole::Gate, at: at(6) },
        member::Event::RoleLearned { role: NodeRole::Manager, at: at(6) },
        member::Event::RoleLearned { role: NodeRole::Worker, at: at(6) },
        member::Event::RoleLearned { role: NodeRole::Client, at: at(6) },
        member::Event::Found { standing: stands(Some(MemberState::Unconfirmed), None), at: at(7) },
        member::Event::Found { standing: stands(None, Some(NodeRole::Worker)), at: at(7) },
        member::Event::IncarnationRaised { incarnation: u64::MAX, at: at(8) },
        member::Event::Began {
            role: NodeRole::Gate,
            datacenter: dc("窓"),
            address: "[::1]:7946".to_owned(),
            keys: names(&["0a0b0c0d"]),
            at: at(9),
        },
        member::Event::KeysChanged {
            keys: names(&["01020304", "0a0b0c0d"]),
            added: names(&["01020304"]),
            dropped: vec![],
            at: at(10),
        },
        member::Event::Left { at: at(11) },
        member::Event::Merged(member::Merged {
            changes: 70_000,
            suspected: 300,
            died: 2,
            returned: 301,
            discovered: 1,
            removed: 0,
            standing: stands(Some(MemberState::Down), Some(NodeRole::Manager)),
            since: at(-5),
            at: at(12),
        }),
        member::Event::Unnamed { changes: 300, at: at(13) },
        member::Event::NameClaimed { held: "a:1".into(), claimed: "b:1".into(), at: at(14) },
    ]
}

pub(crate) fn routes() -> Vec<route::Event> {
    let scored = Scored {
        datacenter_id: dc("east"),
        bucket: HealthBucket::Degraded,
        original_bucket: HealthBucket::Busy,
        score: 20.25,
        rtt_ucb_ms: 12.5,
        load: 1.5,
        penalty: 1.0,
        preference: 0.9,
        cooldown: 2.0,
    };
    let reasons = [
        Exclusion::InvalidInput,
        Exclusion::UnknownBucket,
        Exclusion::UnhealthyStatus,
        Exclusion::NoRegisteredManagers,
        Exclusion::AllManagersCircuitOpen,
    ];
    let decision = RoutingDecision {
        job_id: EntityId::new("job-窓").unwrap(),
        primary_datacenters: vec![dc("east")],
        fallback_datacenters: vec![dc("west"), dc("north")],
        primary_bucket: Some(HealthBucket::Degraded),
        reason: Reason::ImprovementThresholdMet,
        in_bootstrap_mode: false,
        scores: vec![scored],
        excluded: reasons.map(|reason| Excluded { datacenter_id: dc("x"), reason }).into(),
        switched: true,
        previous_primary: Some(dc("west")),
    };
    let state = JobRoutingState {
        primary: Some(dc("east")),
        selected_at: at(9),
        selection_score: Some(20.25),
        degraded_since: Some(at(8)),
        switch_count: 300,
        cooldowns: BTreeMap::from([(dc("west"), at(7))]),
        last_used_at: at(9),
        fence: 70_000,
    };
    let nothing = RoutingDecision {
        primary_datacenters: vec![],
        fallback_datacenters: vec![],
        primary_bucket: None,
        reason: Reason::NothingEligible,
        in_bootstrap_mode: true,
        scores: vec![],
        excluded: vec![],
        switched: false,
        previous_primary: None,
        ..decision.clone()
    };
    let decided = |decision, state| {
        route::Event::Decided(Box::new(Decided { decision, state, forget_at: at(3_600_000_010), at: at(9) }))
    };
    let cooled = |reason| route::Event::CooldownStarted {
        datacenter_id: dc("east"),
        reason,
        until: at(120_000_000),
        at: at(12),
    };
    let accepted = |from| route::Event::Accepted { datacenter_id: dc("west"), from, at: at(13) };
    let mut events = vec![
        decided(decision, state),
        decided(nothing, JobRoutingState::default()),
        route::Event::Switched {
            from: dc("west"),
            to: dc("east"),
            reason: Reason::CooldownPenalty,
            at: at(9),
        },
        route::Event::BootstrapEntered { at: at(10) },
        route::Event::BootstrapLeft { at: at(11) },
    ];
    events.extend(FailureReason::ALL.map(cooled));
    events.extend([accepted(None), accepted(Some(dc("east")))]);
    events.extend(
        [Forgetting::Completed, Forgetting::Idle].map(|why| route::Event::Forgotten { why, at: at(14) }),
    );
    events
}

variants!(coordinate_variants of coordinate::Event: Moved, Placed, Resumed);
variants!(datacenter_variants of datacenter::Event: Updated, Removed);
variants!(member_variants of member::Event: Discovered, Confirmed, Removed, Moved, RoleLearned, Found, IncarnationRaised, Began,
    KeysChanged, Left, Merged, Unnamed, NameClaimed);
variants!(route_variants of route::Event: Decided, Switched, BootstrapEntered, BootstrapLeft, CooldownStarted, Accepted,
    Forgotten);
