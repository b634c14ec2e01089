//! The stored bytes of every event, as version 1 writes them. Variants and fields are only appended, so these bytes stay
//! readable, and stay the same. Here: flows and load.

use std::fs;
use std::path::PathBuf;

use quorate_core::kernel::ids::{EntityId, StreamKind};
use quorate_core::kernel::time::Timestamp;
use quorate_core::load::flow::record::{self as flow, FlowTotals};
use quorate_core::load::flow::{Carries, DropPolicy, DropReason, FlowConfig, FlowState};
use quorate_core::load::record::{self as load, ClassCounts};
use quorate_core::load::shed::Load;
use quorate_core::load::stats::{Entry, Level};
use quorate_journal::codec::{decode, encode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{capacity, identities, jobs, network, registries, sessions, voting};

/// An instant.
pub fn at(us: i64) -> Timestamp {
    Timestamp::from_micros(us)
}

fn flows() -> Vec<flow::Event> {
    let config = FlowConfig {
        max_buffer_size: 300,
        max_buffer_bytes: Some(70_000),
        resume_threshold: "2/3".parse().ok(),
        drop_policy: DropPolicy::Block,
        carries: Carries::JobState,
        block_timeout: None,
        ..FlowConfig::default()
    };
    let totals = FlowTotals {
        sent: 1,
        delivered: 2,
        pause_ms: 17,
        lost_in_restart: u64::MAX,
        ..FlowTotals::default()
    };
    let opened = flow::Opened { flow_id: EntityId::new("窓").unwrap(), config: config.clone(), at: at(-5) };
    vec![
        flow::Event::Opened(Box::new(opened)),
        flow::Event::Configured { config: Box::new(config), at: at(6) },
        flow::Event::StateChanged(flow::StateChanged {
            from: FlowState::Throttled,
            to: FlowState::Dropping,
            cause: flow::Cause::Overflowed,
            buffer_size: 300,
            max_buffer_size: 300,
            buffer_bytes: 7,
            fill_millionths: 1_000_000,
            skipped: 3,
            at: at(7),
        }),
        flow::Event::Dropped(flow::Dropped {
            policy: DropPolicy::DropAll,
            reason: DropReason::Cleared,
            count: 300,
            first_seq: Some(4),
            last_seq: None,
            since: at(7),
            at: at(8),
        }),
        flow::Event::Counted { totals: Box::new(totals), at: at(9) },
        flow::Event::Restarted { life: 2, lost: 5, at: at(10) },
        flow::Event::Closed { at: at(i64::MAX) },
    ]
}

fn loads() -> Vec<load::Event> {
    let taken = load::Taken {
        entry: Entry { at: at(1), count: 3, min: -0.5, max: 2.0, sum: 3.5 },
        critical: true,
        producer: Some(300),
    };
    let counts = ClassCounts { control: 0, dispatch: 1, data: 251, telemetry: 70_000 };
    vec![
        load::Event::Sampled {
            samples: vec![taken, load::Taken { producer: None, critical: false, ..taken }],
            at: at(2),
        },
        load::Event::LevelChanged {
            from: Level::None,
            to: Level::Reject,
            hot: 950,
            hot_max: 1_000,
            at: at(3),
        },
        load::Event::StateChanged(load::StateChanged {
            from: Load::Healthy,
            to: Load::Overloaded,
            cause: load::Cause::Restarted,
            measured_millionths: -1,
            threshold_millionths: i64::MAX,
            at: at(4),
        }),
        load::Event::Shed(Box::new(load::Shed {
            minute: at(60_000_000),
            shed: counts,
            full: ClassCounts::default(),
            expired: counts,
            admitted: counts,
            samples_refused: 9,
            at: at(61_000_000),
        })),
        load::Event::UpdatesDropped(Box::new(load::UpdatesDropped {
            worker_id: EntityId::new("w").unwrap(),
            job_id: EntityId::new("窓").unwrap(),
            count: 300,
            at: at(5),
        })),
        load::Event::LossAccepted { what: vec!["the log is damaged".into()], at: at(5) },
    ]
}

/// The variants of an enum by name. One that is missing here does not compile; one that is missing among the events is
/// told by [`check`].
macro_rules! variants {
    ($list:ident of $module:ident::Event: $($name:ident),+) => {
        pub(crate) fn $list(event: &$module::Event) -> (&'static str, &'static [&'static str]) {
            let name = match event {
                $($module::Event::$name { .. } => stringify!($name),)+
            };
            (name, &[$(stringify!($name)),+])
        }
    };
}
pub(crate) use variants;

/// Are the events written as they were, and read back; and is each variant there, in the order of the numbers they are
/// stored with? A line of the file is the bytes of an event and, behind two spaces, the event for the reader of a diff.
pub fn check<E: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
    name: &str,
    events: &[E],
    variant: impl Fn(&E) -> (&'static str, &'static [&'static str]),
) {
    let mut there: Vec<_> = events.iter().map(|event| variant(event).0).collect();
    there.dedup();
    assert_eq!(there, variant(&events[0]).1, "variants of {name}");
    let hex = |event: &E| encode(event).unwrap().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let written: String = events.iter().map(|event| format!("{}  {event:?}\n", hex(event))).collect();
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/v1/{name}.hex"));
    if std::env::var_os("QUORATE_REWRITE_GOLDEN").is_some() {
        fs::write(&file, &written).unwrap();
    }
    let stored = fs::read_to_string(&file).unwrap();
    for (stored, event) in stored.lines().zip(events) {
        let (bytes, _) = stored.split_once("  ").unwrap_or((stored, ""));
        assert_eq!(bytes, hex(event), "an event of {name} is written otherwise than by version 1: {event:?}");
        let byte = |at: usize| u8::from_str_radix(&bytes[at..at + 2], 16).unwrap();
        let bytes: Vec<u8> = (0..bytes.len()).step_by(2).map(byte).collect();
        assert_eq!(decode::<E>(&bytes).unwrap(), *event);
    }
    assert_eq!(
        stored, written,
        "{name}: the bytes are those of version 1, the lines or the words beside them are not"
    );
}

variants!(flow_variants of flow::Event: Opened, Configured, StateChanged, Dropped, Counted, Restarted, Closed);
variants!(load_variants of load::Event: Sampled, LevelChanged, StateChanged, Shed, UpdatesDropped, LossAccepted);

/// Has every kind of entity its golden events? A kind that is missing here does not compile.
#[test]
fn events_of_every_kind_keep_the_bytes_of_version_1() {
    for kind in StreamKind::ALL {
        let name = kind.name();
        match kind {
            StreamKind::Topology => check(name, &registries::mesh(), registries::mesh_variants),
            StreamKind::Quorum => check(name, &voting::quorums(), voting::quorum_variants),
            StreamKind::Proposal => check(name, &voting::proposals(), voting::proposal_variants),
            StreamKind::Agent => check(name, &voting::agents(), voting::agent_variants),
            StreamKind::Algorithms => check(name, &registries::algorithms(), registries::algorithms_variants),
            StreamKind::Cell => check(name, &capacity::cells(), capacity::cell_variants),
            StreamKind::Budget => check(name, &capacity::all_budgets(), capacity::budget_variants),
            StreamKind::Job => check(name, &jobs::all_jobs(), jobs::job_variants),
            StreamKind::Gate => check(name, &jobs::gates(), jobs::gate_variants),
            StreamKind::Worker => check(name, &jobs::workers(), jobs::worker_variants),
            StreamKind::Durations => check(name, &jobs::all_durations(), jobs::durations_variants),
            StreamKind::Flow => check(name, &flows(), flow_variants),
            StreamKind::Load => check(name, &loads(), load_variants),
            StreamKind::Identity => check(name, &identities::all(), identities::variants_of),
            StreamKind::Retention => check(name, &identities::retentions(), identities::retention_variants),
            StreamKind::Stops => check(name, &identities::stops(), identities::stop_variants),
            StreamKind::Subjects => check(name, &identities::subjects(), identities::subject_variants),
            StreamKind::Hook => check(name, &identities::hooks(), identities::hook_variants),
            StreamKind::Datacenter => check(name, &network::datacenters(), network::datacenter_variants),
            StreamKind::Member => check(name, &network::members(), network::member_variants),
            StreamKind::Route => check(name, &network::routes(), network::route_variants),
            StreamKind::Coordinate => check(name, &network::coordinates(), network::coordinate_variants),
            StreamKind::Voter => check(name, &sessions::voters(), sessions::voter_variants),
            StreamKind::Session => check(name, &sessions::all_sessions(), sessions::session_variants),
        }
    }
}
