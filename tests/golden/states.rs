//! The layout of every kind's state, tied to the number of its layout: a snapshot with another number is ignored, one
//! with the same number is read, so a layout that changes under its number is read wrongly.

use std::fs;
use std::path::PathBuf;

use quorate_core::capacity::cell::{BudgetMachine, CellMachine};
use quorate_core::jobs::durations::DurationsMachine;
use quorate_core::jobs::gate::GateMachine;
use quorate_core::jobs::manager::JobMachine;
use quorate_core::jobs::worker::WorkerMachine;
use quorate_core::kernel::Machine;
use quorate_core::kernel::ids::StreamKind;
use quorate_core::load::flow::record::FlowMachine;
use quorate_core::load::record::LoadMachine;
use quorate_core::network::coordinate::record::CoordinateMachine;
use quorate_core::network::datacenter::DatacentersMachine;
use quorate_core::network::route::record::RouteMachine;
use quorate_core::trust::identity::IdentityMachine;
use quorate_core::voting::agent::AgentMachine;
use quorate_core::voting::algorithms::AlgorithmsMachine;
use quorate_core::voting::proposal::ProposalMachine;
use quorate_core::voting::quorum::QuorumMachine;
use quorate_core::voting::session::SessionMachine;
use quorate_core::voting::topology::TopologyMachine;
use quorate_core::voting::voter::VoterMachine;
use quorate_journal::codec::{decode, encode};

use crate::filler::fill;

/// The layout number, the hash of filled states as they are stored, and a line for each leaf.
fn described<M: Machine>() -> String {
    let (lines, states) = fill::<M::State>();
    assert!(!states.is_empty(), "no state of {} can be filled", M::KIND.name());
    let mut hash = blake3::Hasher::new();
    for state in &states {
        let bytes = encode(state).unwrap();
        assert_eq!(decode::<M::State>(&bytes).unwrap(), *state);
        hash.update(&bytes);
    }
    format!("version {}\nfilled {}\n\n{}\n", M::STATE_VERSION, hash.finalize(), lines.join("\n"))
}

fn check<M: Machine>() {
    let name = M::KIND.name();
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/states/{name}.txt"));
    let (stored, now) = (fs::read_to_string(&file).unwrap_or_default(), described::<M>());
    if stored == now {
        return;
    }
    let version = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    assert_ne!(
        version(&stored),
        version(&now),
        "the state of {name} is laid out otherwise than before, and snapshots of before would be read as if it were \
         not: raise STATE_VERSION of its machine, then write {} anew with QUORATE_REWRITE_GOLDEN=1.\n\
         gone: {:#?}\nnew: {:#?}",
        file.display(),
        stored.lines().filter(|line| !now.lines().any(|other| other == *line)).collect::<Vec<_>>(),
        now.lines().filter(|line| !stored.lines().any(|other| other == *line)).collect::<Vec<_>>(),
    );
    assert!(
        std::env::var_os("QUORATE_REWRITE_GOLDEN").is_some(),
        "STATE_VERSION of {name} is another than before: write {} anew with QUORATE_REWRITE_GOLDEN=1",
        file.display()
    );
    fs::write(&file, now).unwrap();
}

/// A kind that is missing here does not compile. A file is not rewritten while its number stays the same.
#[test]
fn a_state_is_laid_out_as_its_version_says() {
    for kind in StreamKind::ALL {
        match kind {
            StreamKind::Topology => check::<TopologyMachine>(),
            StreamKind::Quorum => check::<QuorumMachine>(),
            StreamKind::Proposal => check::<ProposalMachine>(),
            StreamKind::Agent => check::<AgentMachine>(),
            StreamKind::Algorithms => check::<AlgorithmsMachine>(),
            StreamKind::Cell => check::<CellMachine>(),
            StreamKind::Budget => check::<BudgetMachine>(),
            StreamKind::Job => check::<JobMachine>(),
            StreamKind::Gate => check::<GateMachine>(),
            StreamKind::Worker => check::<WorkerMachine>(),
            StreamKind::Flow => check::<FlowMachine>(),
            StreamKind::Load => check::<LoadMachine>(),
            StreamKind::Durations => check::<DurationsMachine>(),
            StreamKind::Identity => check::<IdentityMachine>(),
            StreamKind::Retention => check::<quorate_core::trust::retention::RetentionMachine>(),
            StreamKind::Stops => check::<quorate_core::trust::stop::StopsMachine>(),
            StreamKind::Subjects => check::<quorate_core::trust::subject::SubjectsMachine>(),
            StreamKind::Hook => check::<quorate_core::trust::hook::HookMachine>(),
            StreamKind::Datacenter => check::<DatacentersMachine>(),
            StreamKind::Route => check::<RouteMachine>(),
            StreamKind::Member => check::<quorate_core::network::member::record::MemberMachine>(),
            StreamKind::Coordinate => check::<CoordinateMachine>(),
            StreamKind::Voter => check::<VoterMachine>(),
            StreamKind::Session => check::<SessionMachine>(),
        }
    }
}
