//! Names that a list is asked for and that nobody here has: one that is misspelt must not read as if there were nothing.
//!
//! | a filter names | it is known where |
//! |---|---|
//! | a cell | it is registered in the mesh, or took part in anything |
//! | a voter, an agent | somebody is registered under the name, or an open question is put to it |
//! | a party, a node | something of this name was ever registered, or did anything by itself |
//! | a datacenter | it is configured, was heard of, or has a live job or a worker |
//! | an identity | it was made |
//!
//! It is looked at only where a list was read to its end and shows nothing. The datacenters and the identities are all known, so
//! another name is refused. Of the others the list says that nobody has the name: it may be that of somebody who is not
//! registered, and of whom everything has ended.

use super::Quorate;
use super::history::was_ever;
use super::nearest;
use crate::core::kernel::ids::{CellId, EntityId, StreamId, StreamKind, VoterId};
use crate::error::{Error, ErrorKind};
use crate::shell::entity::Action;
use crate::shell::hosts::mesh_id;
use crate::shell::jobs::LOCAL;
use crate::shell::lock;
use crate::shell::runtime::ask;

/// What a filter names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Cell,
    Voter,
    Party,
    Worker,
    Node,
}

impl Sort {
    /// Kinds whose entities have such names.
    fn kinds(self) -> &'static [StreamKind] {
        use StreamKind::{Agent, Cell, Coordinate, Identity, Member, Voter, Worker};
        match self {
            Sort::Cell => &[Cell],
            Sort::Voter | Sort::Party => &[Agent, Voter, Identity, Worker, Cell, Member, Coordinate],
            Sort::Worker => &[Worker],
            Sort::Node => &[Member, Coordinate, Agent, Worker, Identity],
        }
    }
}

/// A filter, and the name it was given.
pub(super) type Filtered<'f> = (&'static str, Option<&'f str>, Sort);

impl Quorate {
    /// The filters whose names nobody here has.
    ///
    /// # Errors
    /// The faults of the store.
    pub(super) async fn unknown_names(&self, filters: &[Filtered<'_>]) -> Result<Vec<String>, Error> {
        let mut unknown = Vec::new();
        for (field, name, sort) in filters {
            if let Some(name) = name
                && !self.knows(name, *sort).await?
            {
                unknown.push((*field).to_owned());
            }
        }
        Ok(unknown)
    }

    async fn knows(&self, name: &str, sort: Sort) -> Result<bool, Error> {
        let host = self.host();
        let Ok(id) = EntityId::stored(name) else { return Ok(false) };
        if sort == Sort::Node && host.config.jobs.node == id {
            return Ok(true);
        }
        let kinds = sort.kinds();
        let sought = id.clone();
        let has_done = host.blocking(move |store| {
            for kind in kinds {
                if was_ever(store, &StreamId::new(*kind, sought.clone()))? {
                    return Ok(true);
                }
            }
            Ok(false)
        });
        if has_done.await? {
            return Ok(true);
        }
        if kinds.contains(&StreamKind::Cell) && self.is_in_mesh(name).await? {
            return Ok(true);
        }
        match (sort, name.parse::<VoterId>()) {
            (Sort::Voter, Ok(voter)) => self.overview().is_asked(&voter).await,
            _ => Ok(false),
        }
    }

    /// Is a cell or an authority of this name registered?
    async fn is_in_mesh(&self, name: &str) -> Result<bool, Error> {
        let host = self.host();
        let (cell, voter) = (name.parse::<CellId>().ok(), name.parse::<VoterId>().ok());
        let seen = ask(host, &host.kinds.topology, &mesh_id(), Action::Read, move |view| {
            cell.is_some_and(|cell| view.state.cells.contains_key(&cell))
                || voter.is_some_and(|voter| view.state.authorities.contains(&voter))
        });
        Ok(seen.await?)
    }

    /// Refuses the name of a datacenter that nobody knows.
    ///
    /// # Errors
    /// `not_found` with names like it, and the faults of the store.
    pub(super) async fn check_datacenter(&self, name: Option<&EntityId>) -> Result<(), Error> {
        let Some(name) = name else { return Ok(()) };
        let host = self.host();
        let mut known: Vec<String> = vec![LOCAL.to_owned()];
        known.extend(host.config.jobs.datacenters.iter().map(EntityId::to_string));
        known.extend(lock(&host.counters.datacenters).known.keys().map(ToString::to_string));
        known.extend(lock(&host.counters.jobs).live.values().map(|live| live.datacenter.to_string()));
        let workers: Vec<EntityId> = lock(&host.counters.workers).iter().cloned().collect();
        for worker in workers {
            let there =
                ask(host, &host.kinds.workers, &worker, Action::Read, |view| view.state.datacenter.clone());
            known.extend(there.await?.map(|datacenter| datacenter.to_string()));
        }
        if known.iter().any(|known| known == name.as_str()) {
            return Ok(());
        }
        known.sort_unstable();
        known.dedup();
        let message = format!(
            "no datacenter of this name was heard of, and no live job and no worker is in it. datacenter={name}"
        );
        let error =
            Error::new(ErrorKind::NotFound, message).with("field", "datacenter").with("given", name.as_str());
        Err(error.beside(nearest::names(name.as_str(), known.iter().map(String::as_str))))
    }

    /// Refuses the name of an identity that was never made.
    ///
    /// # Errors
    /// `not_found` with names like it.
    pub(super) fn check_identity(&self, name: Option<&EntityId>) -> Result<(), Error> {
        let Some(name) = name else { return Ok(()) };
        let directory = lock(&self.host().counters.identities);
        if directory.get(name).is_some() {
            return Ok(());
        }
        let near = nearest::names(name.as_str(), directory.after(None).map(|(name, _)| name.as_str()));
        let message = format!("no identity of this name was ever made. identity={name}");
        let error = Error::new(ErrorKind::NotFound, message).with("field", "identity");
        Err(error.with("given", name.as_str()).beside(near))
    }
}
