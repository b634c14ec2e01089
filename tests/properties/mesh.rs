//! Laws of the mesh registry: the fold with its indexes agrees with a plain scan over all cells.

use proptest::prelude::*;
use quorate_core::kernel::driver::Driver;
use quorate_core::kernel::ids::{CellId, VoterId};
use quorate_core::kernel::time::Timestamp;
use quorate_core::voting::quorum::QuorumType;
use quorate_core::voting::topology::{Asked, Cell, Command, Event, Topology, TopologyMachine};
use quorate_journal::codec::{decode, encode};

type Mesh = Driver<TopologyMachine>;

const ARMS: [&str; 3] = ["north", "south", ""];

fn cell_id(n: usize) -> CellId {
    CellId::new(format!("D{n}")).unwrap()
}

fn cell() -> impl Strategy<Value = Cell> {
    let neighbors = prop::collection::vec((0..9usize).prop_map(cell_id), 0..9);
    let arm = prop::option::of(prop::sample::select(ARMS.to_vec()).prop_map(str::to_owned));
    (neighbors, prop::option::of(0..4u32), arm).prop_map(|(neighbors, ring, arm)| Cell {
        neighbors,
        ring,
        arm,
        department: None,
    })
}

fn command() -> impl Strategy<Value = Command> {
    let authority = (0..3usize).prop_map(|n| VoterId::new(format!("cmp{n}")).unwrap());
    prop_oneof![
        8 => ((0..9usize).prop_map(cell_id), cell()).prop_map(|(id, cell)| Command::RegisterCell(id, cell)),
        1 => authority.prop_map(Command::RegisterAuthority),
        1 => Just(Command::Tick),
    ]
}

fn run(commands: &[Command]) -> (Vec<Event>, Mesh) {
    let mut mesh = Mesh::default();
    let mut events = Vec::new();
    for command in commands {
        let step = mesh.step(command.clone(), Timestamp::EPOCH);
        let changed = step.reply.is_ok_and(|reply| reply.changed);
        assert_eq!(step.events.len(), usize::from(changed), "an answer of changed means one event");
        events.extend(step.events);
    }
    (events, mesh)
}

/// The cells for which `belongs` holds, by looking at all of them; `None` when there are none.
fn scan(mesh: &Topology, belongs: impl Fn(&Cell) -> bool) -> Option<Vec<VoterId>> {
    let members: Vec<VoterId> =
        mesh.cells.iter().filter(|(_, cell)| belongs(cell)).map(|(id, _)| VoterId::from(id)).collect();
    (!members.is_empty()).then_some(members)
}

proptest! {
    #[test]
    fn replay_of_stored_bytes_gives_the_live_registry(commands in prop::collection::vec(command(), 0..40)) {
        let (events, live) = run(&commands);
        let mut replayed = Mesh::default();
        for event in &events {
            replayed.replay(&decode(&encode(event).unwrap()).unwrap());
        }
        prop_assert_eq!(replayed.state(), live.state());
        prop_assert_eq!(live.state().epoch, events.len() as u64);
        let snapshot: Topology = decode(&encode(live.state()).unwrap()).unwrap();
        prop_assert_eq!(&snapshot, live.state());
    }

    #[test]
    fn the_same_commands_give_the_same_bytes(commands in prop::collection::vec(command(), 0..40)) {
        let (one, other) = (run(&commands), run(&commands));
        prop_assert_eq!(encode(&one.0).unwrap(), encode(&other.0).unwrap());
        prop_assert_eq!(encode(one.1.state()).unwrap(), encode(other.1.state()).unwrap());
    }

    #[test]
    fn a_ring_and_an_arm_have_exactly_the_cells_registered_on_them(
        commands in prop::collection::vec(command(), 0..40),
    ) {
        let (_, mesh) = run(&commands);
        let mesh = mesh.state();
        let ask = |quorum_type, ring, arm: Option<&str>| {
            mesh.membership(&Asked { quorum_type, cell_id: None, ring, arm: arm.map(str::to_owned) }).voters
        };
        for k in 0..5 {
            let expected = scan(mesh, |cell| cell.ring == Some(k));
            prop_assert_eq!(ask(QuorumType::Ring, Some(k), None), expected);
        }
        for arm in ARMS.into_iter().chain(["up"]) {
            let expected = scan(mesh, |cell| cell.arm.as_deref() == Some(arm));
            prop_assert_eq!(ask(QuorumType::Radial, None, Some(arm)), expected);
        }
    }

    #[test]
    fn a_cell_has_at_most_six_distinct_neighbors_and_never_itself(
        commands in prop::collection::vec(command(), 0..40),
    ) {
        let (_, mesh) = run(&commands);
        for (id, cell) in &mesh.state().cells {
            let mut distinct = cell.neighbors.clone();
            distinct.sort();
            distinct.dedup();
            prop_assert!(distinct.len() <= 6 && distinct.len() == cell.neighbors.len());
            prop_assert!(!cell.neighbors.contains(id));
        }
    }

    #[test]
    fn a_pair_is_asymmetric_exactly_when_one_lists_a_registered_other_that_does_not_list_it(
        commands in prop::collection::vec(command(), 0..40),
    ) {
        let (_, mesh) = run(&commands);
        let cells = &mesh.state().cells;
        let lists = |a: &CellId, b: &CellId| cells[a].neighbors.contains(b);
        let naive: Vec<_> = cells
            .keys()
            .flat_map(|a| cells.keys().map(move |b| (a.clone(), b.clone())))
            .filter(|(a, b)| lists(a, b) && !lists(b, a))
            .collect();
        let mut reported = mesh.state().asymmetric_pairs();
        reported.sort();
        prop_assert_eq!(reported, naive);
    }
}
