//! The transition table of the [module](super), one arm per row.

use super::command::{Command, Rejection, Reply};
use super::event::{Cell, Event};
use super::state::Topology;
use super::{MAX_NEIGHBORS, TopologyMachine};
use crate::kernel::Decision;
use crate::kernel::ids::{CellId, VoterId};

/// Most cells; the whole registry is held in memory.
const MAX_CELLS: usize = 1_000_000;
/// Most authorities; every one of them is in the electorate of every global quorum.
const MAX_AUTHORITIES: usize = 10_000;

pub(super) fn decide(state: &Topology, command: Command) -> Result<Decision<TopologyMachine>, Rejection> {
    match command {
        Command::RegisterCell(id, cell) => register_cell(state, id, cell),
        Command::RegisterAuthority(id) => register_authority(state, id),
        Command::Tick => Ok(Decision::answer(Reply { changed: false })),
    }
}

fn register_cell(
    state: &Topology,
    cell_id: CellId,
    mut cell: Cell,
) -> Result<Decision<TopologyMachine>, Rejection> {
    let mut distinct: Vec<CellId> = Vec::with_capacity(cell.neighbors.len().min(MAX_NEIGHBORS + 1));
    for neighbor in cell.neighbors {
        if neighbor != cell_id && !distinct.contains(&neighbor) {
            distinct.push(neighbor);
        }
    }
    if distinct.len() > MAX_NEIGHBORS {
        return Err(Rejection::TooManyNeighbors { given: distinct.len() });
    }
    cell.neighbors = distinct;
    match state.cells.get(&cell_id) {
        Some(known) if *known == cell => Ok(Decision::answer(Reply { changed: false })),
        None if state.cells.len() >= MAX_CELLS => Err(Rejection::Full { what: "cells", limit: MAX_CELLS }),
        _ => Ok(Decision::accept(vec![Event::CellRegistered { cell_id, cell }], Reply { changed: true })),
    }
}

fn register_authority(
    state: &Topology,
    authority_id: VoterId,
) -> Result<Decision<TopologyMachine>, Rejection> {
    if state.authorities.contains(&authority_id) {
        return Ok(Decision::answer(Reply { changed: false }));
    }
    if state.authorities.len() >= MAX_AUTHORITIES {
        return Err(Rejection::Full { what: "authorities", limit: MAX_AUTHORITIES });
    }
    Ok(Decision::accept(vec![Event::AuthorityRegistered { authority_id }], Reply { changed: true }))
}
