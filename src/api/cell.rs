//! Operations on the mesh registry.

use super::Quorate;
use super::cursor;
use super::dto::{
    AuthorityRegistered, CellPage, CellRegistered, CellView, ListCells, MeshRegistered, RegisterAuthority,
    RegisterCell, RegisterMesh,
};
use super::quorum::{check_label, page_limit};
use crate::core::kernel::ids::CellId;
use crate::core::voting::topology::hex::Hex;
use crate::core::voting::topology::{Cell, Command};
use crate::error::Error;
use crate::shell::entity::Action;
use crate::shell::hosts::mesh_id;
use crate::shell::runtime::{Answer, ask};

/// Most asymmetric pairs listed.
const MAX_PAIRS: usize = 1000;
/// Most rings of a generated mesh: 7,651 cells.
const MAX_RINGS: u32 = 50;

/// Operations on the mesh registry.
#[derive(Clone, Copy, Debug)]
pub struct Cells<'a> {
    pub(super) q: &'a Quorate,
}

struct Set {
    changed: bool,
    epoch: u64,
}

impl Cells<'_> {
    /// Sets a cell's entry, in place of any earlier one. Durable on return.
    ///
    /// # Errors
    /// `invalid_argument` for more than six distinct neighbours or a bad label, `limit_exceeded`, and the faults
    /// of the store.
    pub async fn register(&self, request: RegisterCell) -> Result<CellRegistered, Error> {
        self.q.allow("cell.register", &request).await?;
        check_label("arm", request.arm.as_deref(), 256)?;
        check_label("department", request.department.as_deref(), 256)?;
        let RegisterCell { cell_id, neighbors, ring, arm, department } = request;
        let cell = Cell { neighbors, ring, arm, department };
        let host = self.q.host();
        let id = cell_id.clone();
        let command = Action::Command(Command::RegisterCell(cell_id, cell), None);
        ask(host, &host.kinds.topology, &mesh_id(), command, move |view| match view.reply {
            Some(Err(rejection)) => Err(Error::from(rejection)),
            reply => {
                let cell = view.state.cells.get(&id).cloned().unwrap_or_default();
                let changed = reply.and_then(Result::ok).is_some_and(|r| r.changed);
                Ok(CellRegistered { cell: cell_view(&id, &cell), epoch: view.state.epoch, changed })
            }
        })
        .await?
    }

    /// Registers a whole hexagonal mesh: a hub and this many rings. Durable on return; repeating it is safe.
    ///
    /// # Errors
    /// `invalid_argument` for the number of rings, `limit_exceeded`, and the faults of the store.
    pub async fn mesh(&self, request: RegisterMesh) -> Result<MeshRegistered, Error> {
        self.q.allow("cell.mesh", &request).await?;
        let rings = u32::try_from(request.rings).ok().filter(|rings| *rings <= MAX_RINGS);
        let rings = rings.ok_or_else(|| Error::invalid("rings", request.rings, "0 to 50"))?;
        let places: Vec<Hex> = (0..=rings).flat_map(Hex::ring_cells).collect();
        // Sent together: they share flushes.
        let sent: Vec<Answer<Result<Set, Error>>> =
            places.iter().map(|place| self.set(place.cell_id(), place.cell(rings))).collect();
        let mut done = MeshRegistered { cells: places.len() as u64, changed: 0, epoch: 0 };
        for answer in sent {
            let set = answer.await??;
            done.changed += u64::from(set.changed);
            done.epoch = set.epoch;
        }
        Ok(done)
    }

    fn set(&self, id: CellId, cell: Cell) -> Answer<Result<Set, Error>> {
        let host = self.q.host();
        let command = Action::Command(Command::RegisterCell(id, cell), None);
        ask(host, &host.kinds.topology, &mesh_id(), command, |view| match view.reply {
            Some(Err(rejection)) => Err(Error::from(rejection)),
            reply => {
                let changed = reply.and_then(Result::ok).is_some_and(|r| r.changed);
                Ok(Set { changed, epoch: view.state.epoch })
            }
        })
    }

    /// Adds an authority at the hub. Durable on return; repeating it is safe.
    ///
    /// # Errors
    /// `limit_exceeded`, and the faults of the store.
    pub async fn register_authority(&self, request: RegisterAuthority) -> Result<AuthorityRegistered, Error> {
        self.q.allow("cmp.register", &request).await?;
        let host = self.q.host();
        let authority_id = request.authority_id.clone();
        let command = Action::Command(Command::RegisterAuthority(request.authority_id), None);
        ask(host, &host.kinds.topology, &mesh_id(), command, move |view| match view.reply {
            Some(Err(rejection)) => Err(Error::from(rejection)),
            reply => Ok(AuthorityRegistered {
                authority_id,
                authorities: view.state.authorities.len() as u64,
                epoch: view.state.epoch,
                changed: reply.and_then(Result::ok).is_some_and(|r| r.changed),
            }),
        })
        .await?
    }

    /// A page of the registry.
    ///
    /// # Errors
    /// `invalid_argument` for limit or cursor, and the faults of the store.
    pub async fn list(&self, request: ListCells) -> Result<CellPage, Error> {
        self.q.allow("cell.list", &request).await?;
        let limit = page_limit(request.limit)?;
        let host = self.q.host();
        let page = ask(host, &host.kinds.topology, &mesh_id(), Action::Read, move |view| {
            let mesh = view.state;
            // No cell is ever taken out: one that is not there was never the last of a page.
            if let Some(given) = request.cursor.as_ref().filter(|id| !mesh.cells.contains_key(*id)) {
                return Err(cursor::unknown(given.as_str()));
            }
            let after = |id: &CellId| request.cursor.as_ref().is_none_or(|cursor| id > cursor);
            let mut rest = mesh.cells.iter().filter(|(id, _)| after(id));
            let cells: Vec<CellView> =
                rest.by_ref().take(limit).map(|(id, cell)| cell_view(id, cell)).collect();
            let more = rest.next().is_some();
            let next_cursor =
                cells.last().map(|cell| cell.cell_id.clone()).or_else(|| request.cursor.clone());
            let mut asymmetric_pairs = mesh.asymmetric_pairs();
            asymmetric_pairs.truncate(MAX_PAIRS);
            Ok(CellPage {
                cells,
                total_available: mesh.cells.len() as u64,
                next_cursor,
                more,
                authorities: mesh.authorities.iter().cloned().collect(),
                asymmetric_pairs,
                epoch: mesh.epoch,
            })
        });
        page.await?
    }
}

fn cell_view(id: &CellId, cell: &Cell) -> CellView {
    CellView {
        cell_id: id.clone(),
        neighbors: cell.neighbors.clone(),
        ring: cell.ring,
        arm: cell.arm.clone(),
        department: cell.department.clone(),
    }
}
