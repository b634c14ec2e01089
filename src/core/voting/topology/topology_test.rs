//! Registration and membership, event by event.

use std::time::Duration;

use super::*;
use crate::kernel::driver::Driver;
use crate::kernel::ids::{CellId, VoterId};
use crate::voting::quorum::{Command as Ask, Electorate, Policy, QuorumMachine, QuorumType, Start};

type Mesh = Driver<TopologyMachine>;

fn id(name: &str) -> CellId {
    CellId::new(name).unwrap()
}

fn voter(name: &str) -> VoterId {
    VoterId::new(name).unwrap()
}

fn neighbors(names: &[&str]) -> Cell {
    Cell { neighbors: names.iter().map(|n| id(n)).collect(), ..Cell::default() }
}

fn on_ring(ring: u32) -> Cell {
    Cell { ring: Some(ring), ..Cell::default() }
}

fn on_arm(arm: &str) -> Cell {
    Cell { arm: Some(arm.to_owned()), ..Cell::default() }
}

fn register(name: &str, cell: Cell) -> Command {
    Command::RegisterCell(id(name), cell)
}

/// Steps and compares the events and the answer exactly.
#[track_caller]
fn check(mesh: &mut Mesh, command: Command, events: &[Event], reply: Result<Reply, Rejection>) {
    let step = mesh.step(command, Timestamp::EPOCH);
    assert_eq!(step.events, events);
    assert_eq!(step.reply, reply);
}

const CHANGED: Result<Reply, Rejection> = Ok(Reply { changed: true });
const UNCHANGED: Result<Reply, Rejection> = Ok(Reply { changed: false });

/// A mesh with these cells.
fn mesh(cells: &[(&str, Cell)]) -> Mesh {
    let mut mesh = Mesh::default();
    for (name, cell) in cells {
        let step = mesh.step(register(name, cell.clone()), Timestamp::EPOCH);
        assert_eq!(step.reply, CHANGED);
    }
    mesh
}

fn ask(quorum_type: QuorumType) -> Asked {
    Asked { quorum_type, cell_id: None, ring: None, arm: None }
}

fn about(quorum_type: QuorumType, cell: &str) -> Asked {
    Asked { cell_id: Some(id(cell)), ..ask(quorum_type) }
}

#[track_caller]
fn voters(mesh: &Mesh, asked: &Asked) -> Option<Vec<String>> {
    let voters = mesh.state().membership(asked).voters?;
    Some(voters.iter().map(ToString::to_string).collect())
}

// Registration

#[test]
fn a_registered_cell_is_recorded_as_given() {
    let cell = Cell {
        ring: Some(2),
        arm: Some("north".to_owned()),
        department: Some("ops".to_owned()),
        ..neighbors(&["D2", "D1"])
    };
    let event = Event::CellRegistered { cell_id: id("hub"), cell: cell.clone() };
    let mut mesh = Mesh::default();
    check(&mut mesh, register("hub", cell.clone()), &[event], CHANGED);
    assert_eq!(mesh.state().cells[&id("hub")], cell);
    assert_eq!((mesh.state().epoch, mesh.due(), mesh.wake()), (1, None, None));
}

#[test]
fn duplicate_neighbors_collapse_and_a_cell_is_not_its_own_neighbor() {
    let given = neighbors(&["b", "hub", "a", "b", "a", "hub"]);
    let kept = Event::CellRegistered { cell_id: id("hub"), cell: neighbors(&["b", "a"]) };
    check(&mut Mesh::default(), register("hub", given), &[kept], CHANGED);
    let alone = Event::CellRegistered { cell_id: id("hub"), cell: Cell::default() };
    check(&mut Mesh::default(), register("hub", neighbors(&["hub"])), &[alone], CHANGED);
}

#[test]
fn more_than_six_distinct_others_are_refused_and_nothing_is_written() {
    let six = ["a", "b", "c", "d", "e", "f"];
    let mut mesh = Mesh::default();
    let repeated: Vec<&str> = six.iter().chain(&six).chain(&["hub"]).copied().collect();
    let event = Event::CellRegistered { cell_id: id("hub"), cell: neighbors(&six) };
    check(&mut mesh, register("hub", neighbors(&repeated)), &[event], CHANGED);
    let before = mesh.state().clone();
    let seven = neighbors(&["a", "b", "c", "d", "e", "f", "g"]);
    let refused = Err(Rejection::TooManyNeighbors { given: 7 });
    check(&mut mesh, register("hub", seven), &[], refused);
    assert_eq!(mesh.state(), &before);
}

#[test]
fn registering_a_cell_again_moves_it_from_its_ring_and_arm_to_the_new_ones() {
    let placed = |ring, arm: &str| Cell { ring: Some(ring), ..on_arm(arm) };
    let mut mesh = mesh(&[("a", placed(1, "north")), ("b", placed(1, "south"))]);
    check(
        &mut mesh,
        register("a", placed(2, "south")),
        &[Event::CellRegistered { cell_id: id("a"), cell: placed(2, "south") }],
        CHANGED,
    );
    let ring = |k| mesh.state().ring(k).map(|cells| cells.iter().map(CellId::as_str).collect::<Vec<_>>());
    assert_eq!((ring(1), ring(2), ring(3)), (Some(vec!["b"]), Some(vec!["a"]), None));
    let arm = |a| mesh.state().arm(a).map(|cells| cells.iter().map(CellId::as_str).collect::<Vec<_>>());
    assert_eq!((arm("north"), arm("south")), (None, Some(vec!["a", "b"])));
    assert_eq!((mesh.state().cells.len(), mesh.state().epoch), (2, 3));
}

#[test]
fn registering_a_cell_without_ring_and_arm_takes_it_off_both() {
    let mut mesh = mesh(&[("a", Cell { ring: Some(1), ..on_arm("north") })]);
    mesh.step(register("a", Cell::default()), Timestamp::EPOCH);
    assert_eq!((mesh.state().ring(1), mesh.state().arm("north")), (None, None));
}

#[test]
fn the_identical_entry_again_changes_nothing_and_leaves_the_epoch() {
    let mut mesh = mesh(&[("a", neighbors(&["b", "c"]))]);
    let before = mesh.state().clone();
    check(&mut mesh, register("a", neighbors(&["b", "c"])), &[], UNCHANGED);
    check(&mut mesh, register("a", neighbors(&["b", "a", "c", "b"])), &[], UNCHANGED);
    check(&mut mesh, Command::Tick, &[], UNCHANGED);
    assert_eq!((mesh.state(), mesh.state().epoch), (&before, 1));
}

#[test]
fn an_authority_is_registered_once() {
    let mut mesh = Mesh::default();
    let event = Event::AuthorityRegistered { authority_id: voter("cmp") };
    check(&mut mesh, Command::RegisterAuthority(voter("cmp")), &[event], CHANGED);
    check(&mut mesh, Command::RegisterAuthority(voter("cmp")), &[], UNCHANGED);
    assert_eq!((mesh.state().authorities.len(), mesh.state().epoch), (1, 1));
}

#[test]
fn replaying_the_log_gives_the_same_registry_with_its_rings_and_arms() {
    let commands = [
        register("a", Cell { ring: Some(1), ..on_arm("north") }),
        register("b", on_ring(1)),
        Command::RegisterAuthority(voter("cmp")),
        register("a", on_ring(2)),
        register("a", on_ring(2)),
    ];
    let (mut live, mut replayed) = (Mesh::default(), Mesh::default());
    for command in commands {
        live.step(command, Timestamp::EPOCH).events.iter().for_each(|event| replayed.replay(event));
    }
    assert_eq!((live.state(), live.revision()), (replayed.state(), 4));
    assert_eq!(live.state().epoch, 4);
}

// Membership

#[test]
fn neighbors_are_the_electorate_of_a_local_quorum_sorted_and_without_the_cell_itself() {
    let mesh = mesh(&[("hub", Cell { department: Some("ops".to_owned()), ..neighbors(&["c", "hub", "a"]) })]);
    let known = mesh.state().membership(&about(QuorumType::Local, "hub"));
    let expected = Membership {
        voters: Some(vec![voter("a"), voter("c")]),
        neighbor_count: 2,
        topic: "cell/ops/hub".to_owned(),
        sought: "neighbors of cell hub".to_owned(),
        epoch: 1,
    };
    assert_eq!(known, expected);
}

#[test]
fn the_cells_of_a_ring_or_an_arm_are_its_electorate() {
    let mesh = mesh(&[
        ("c", Cell { ring: Some(1), ..on_arm("north") }),
        ("a", on_ring(1)),
        ("b", Cell { ring: Some(2), ..on_arm("north") }),
    ]);
    let ring = Asked { ring: Some(1), ..ask(QuorumType::Ring) };
    assert_eq!(voters(&mesh, &ring).unwrap(), ["a", "c"]);
    let arm = Asked { arm: Some("north".to_owned()), ..ask(QuorumType::Radial) };
    assert_eq!(voters(&mesh, &arm).unwrap(), ["b", "c"]);
}

#[test]
fn the_authorities_are_the_electorate_of_a_global_quorum() {
    let mut mesh = mesh(&[("a", Cell::default())]);
    assert_eq!(voters(&mesh, &ask(QuorumType::Global)), None);
    mesh.step(Command::RegisterAuthority(voter("cmp2")), Timestamp::EPOCH);
    mesh.step(Command::RegisterAuthority(voter("cmp1")), Timestamp::EPOCH);
    assert_eq!(voters(&mesh, &about(QuorumType::Global, "a")).unwrap(), ["cmp1", "cmp2"]);
}

#[test]
fn where_no_ring_or_arm_is_named_the_cells_own_is_asked() {
    let placed = |ring, arm: &str| Cell { ring: Some(ring), ..on_arm(arm) };
    let mesh = mesh(&[("a", placed(1, "north")), ("b", placed(1, "south")), ("c", placed(2, "north"))]);
    assert_eq!(voters(&mesh, &about(QuorumType::Ring, "a")).unwrap(), ["a", "b"]);
    assert_eq!(voters(&mesh, &about(QuorumType::Radial, "a")).unwrap(), ["a", "c"]);
    let named = Asked { ring: Some(2), ..about(QuorumType::Ring, "a") };
    assert_eq!(voters(&mesh, &named).unwrap(), ["c"], "a named ring goes before the cell's own");
}

#[test]
fn an_unknown_or_empty_part_of_the_mesh_has_no_members_rather_than_a_default() {
    let mesh = mesh(&[("lonely", Cell::default()), ("a", on_ring(1))]);
    let unknown = [
        ask(QuorumType::Local),
        about(QuorumType::Local, "nowhere"),
        about(QuorumType::Local, "lonely"),
        ask(QuorumType::Ring),
        about(QuorumType::Ring, "nowhere"),
        about(QuorumType::Ring, "lonely"),
        // A named ring that nobody is on does not fall back to the ring of the cell.
        Asked { ring: Some(9), ..about(QuorumType::Ring, "a") },
        ask(QuorumType::Radial),
        about(QuorumType::Radial, "a"),
        Asked { arm: Some("up".to_owned()), ..ask(QuorumType::Radial) },
        ask(QuorumType::Global),
    ];
    for asked in unknown {
        assert_eq!(voters(&mesh, &asked), None, "{asked:?}");
    }
}

#[test]
fn a_cell_listed_as_neighbor_need_not_be_registered_to_vote() {
    let mesh = mesh(&[("hub", neighbors(&["stranger"]))]);
    assert_eq!(voters(&mesh, &about(QuorumType::Local, "hub")).unwrap(), ["stranger"]);
    assert_eq!(voters(&mesh, &about(QuorumType::Local, "stranger")), None);
}

#[test]
fn the_neighbor_count_is_that_of_the_cell_whatever_was_asked() {
    let mesh = mesh(&[("hub", Cell { ring: Some(1), ..neighbors(&["a", "b", "c"]) })]);
    for kind in QuorumType::ALL {
        assert_eq!(mesh.state().membership(&about(kind, "hub")).neighbor_count, 3);
        assert_eq!(mesh.state().membership(&about(kind, "nowhere")).neighbor_count, 0);
        assert_eq!(mesh.state().membership(&ask(kind)).neighbor_count, 0);
    }
}

#[test]
fn a_topic_names_the_cell_the_ring_the_arm_or_the_hub() {
    let cell = Cell { ring: Some(3), department: Some("ops".to_owned()), ..on_arm("west") };
    let mesh = mesh(&[("D1", cell), ("stray", Cell::default())]);
    let topic = |asked: &Asked| mesh.state().membership(asked).topic;
    assert_eq!(topic(&about(QuorumType::Local, "D1")), "cell/ops/D1");
    assert_eq!(topic(&about(QuorumType::Local, "stray")), "cell/unknown/stray");
    assert_eq!(topic(&about(QuorumType::Local, "nowhere")), "cell/unknown/nowhere");
    assert_eq!(topic(&ask(QuorumType::Local)), "cell/unknown/unknown");
    assert_eq!(topic(&about(QuorumType::Ring, "D1")), "ring/3");
    assert_eq!(topic(&Asked { ring: Some(7), ..ask(QuorumType::Ring) }), "ring/7");
    assert_eq!(topic(&ask(QuorumType::Ring)), "ring/unknown");
    assert_eq!(topic(&about(QuorumType::Radial, "D1")), "radial/west");
    assert_eq!(topic(&Asked { arm: Some("up".to_owned()), ..ask(QuorumType::Radial) }), "radial/up");
    assert_eq!(topic(&ask(QuorumType::Radial)), "radial/unknown");
    assert_eq!(topic(&about(QuorumType::Global, "D1")), "global/cmp");
}

#[test]
fn pairs_that_only_one_side_lists_are_reported_and_unregistered_neighbors_are_not() {
    let mut mesh = mesh(&[
        ("D1", neighbors(&["D2", "D3"])),
        ("D2", neighbors(&["D1"])),
        ("D3", neighbors(&["stranger"])),
        ("D7", neighbors(&["D1"])),
    ]);
    let expected = [(id("D1"), id("D3")), (id("D7"), id("D1"))];
    assert_eq!(mesh.state().asymmetric_pairs(), expected);
    mesh.step(register("D3", neighbors(&["D1"])), Timestamp::EPOCH);
    mesh.step(register("D7", Cell::default()), Timestamp::EPOCH);
    assert_eq!(mesh.state().asymmetric_pairs(), []);
}

#[test]
fn a_mesh_laid_out_by_geometry_has_no_asymmetric_pairs() {
    let mut mesh = Mesh::default();
    for place in (0..=2).flat_map(hex::Hex::ring_cells) {
        let step = mesh.step(Command::RegisterCell(place.cell_id(), place.cell(2)), Timestamp::EPOCH);
        assert_eq!(step.reply, CHANGED);
    }
    assert_eq!((mesh.state().cells.len(), mesh.state().asymmetric_pairs()), (19, Vec::new()));
    let ring = Asked { ring: Some(2), ..ask(QuorumType::Ring) };
    assert_eq!(voters(&mesh, &ring).unwrap().len(), 12);
    let arm = Asked { arm: Some("east".to_owned()), ..ask(QuorumType::Radial) };
    assert_eq!(voters(&mesh, &arm).unwrap(), ["hex:1,0", "hex:2,0"]);
}

#[test]
fn a_quorum_keeps_the_electorate_and_the_epoch_it_was_opened_with() {
    let mut mesh = mesh(&[("a", on_ring(1)), ("b", on_ring(1))]);
    let known = mesh.state().membership(&Asked { ring: Some(1), ..ask(QuorumType::Ring) });
    let mut quorum = Driver::<QuorumMachine>::default();
    let start = Start {
        keyed: None,
        rule: None,
        quorum_type: QuorumType::Ring,
        required_votes: None,
        timeout: Duration::from_secs(30),
        cell_id: None,
        voters: known.voters,
        named: false,
        neighbor_count: known.neighbor_count,
        topic: known.topic,
        membership_epoch: known.epoch,
        subject: None,
        policy: Policy::default(),
        fallback: None,
        parent: None,
    };
    quorum.step(Ask::Start(Box::new(start)), Timestamp::EPOCH);

    mesh.step(register("c", on_ring(1)), Timestamp::EPOCH);
    mesh.step(register("a", on_ring(2)), Timestamp::EPOCH);
    assert_eq!(voters(&mesh, &Asked { ring: Some(1), ..ask(QuorumType::Ring) }).unwrap(), ["b", "c"]);

    let opened = quorum.state().opened.as_deref().unwrap();
    assert_eq!(opened.electorate, Electorate::Closed(vec![voter("a"), voter("b")]));
    assert_eq!((opened.membership_epoch, mesh.state().epoch), (2, 4));
}
