//! The handle of an identity: the same typed methods, each checked before it is called.

use serde_json::{Map, Value};

use super::dto::HistoryQuery;
use super::events::Events;
use super::ops::{Called, Operation};
use super::{
    Quorate, agent, algorithm, capacity, cell, consensus, flow, history, hooks, identity, job, lease,
    overview, pressure, quorum, shedding, stats, worker,
};
use crate::core::kernel::ids::EntityId;
use crate::error::Error;

/// What an identity may do of [`Quorate`]: every method is checked as the doors check the operation of its name, and
/// what it records says under which identity it was done. Made by [`Quorate::as_identity`].
///
/// What belongs to the program that opened the runtime is not here: closing it, moving its clock, functions as rules.
#[derive(Clone, Debug)]
pub struct Identified {
    q: Quorate,
}

impl Quorate {
    /// A handle for the identity that has this token, or this name: a program that opened the runtime is believed when
    /// it says for whom it acts. The handle it has itself stays unchecked.
    ///
    /// ```
    /// use quorate::{Config, CreateIdentity, ErrorKind, Quorate, StartQuorum, Vote, id};
    ///
    /// # #[tokio::main] async fn main() -> Result<(), quorate::Error> {
    /// let q = Quorate::open(Config::memory()).await?;
    /// q.identities().create(CreateIdentity::new("root", ["admin"])?).await?;
    /// let ann = CreateIdentity::new("ann", ["quorum.vote"])?.acting_as(["voter:ann"]);
    /// let token = q.identities().create(ann).await?.token.unwrap(); // told once
    ///
    /// let started = q.quorums().start(StartQuorum::global().with_voters(["ann", "bob"])?).await?;
    /// let ann = q.as_identity(&token)?;
    /// ann.quorums().vote(Vote::new(&started.quorum_id, "ann", true)?).await?;
    /// let refused = ann.quorums().vote(Vote::new(&started.quorum_id, "bob", true)?).await.unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::NotAuthorized);
    /// assert_eq!(refused.detail("party").unwrap(), "voter:bob");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `not_authenticated` when no live identity has the token or name.
    pub fn as_identity(&self, token_or_name: &str) -> Result<Identified, Error> {
        self.known_as(token_or_name).map(|q| Identified { q })
    }
}

impl Identified {
    /// The name of the identity.
    pub fn name(&self) -> Option<&EntityId> {
        self.q.caller_name()
    }

    /// Runs an operation of the table by name, as a door does.
    pub fn call(&self, op: &'static Operation, fields: Map<String, Value>) -> Called {
        op.call(self.q.clone(), fields)
    }

    /// Operations on quorums.
    pub fn quorums(&self) -> quorum::Quorums<'_> {
        self.q.quorums()
    }

    /// Operations on proposals.
    pub fn consensus(&self) -> consensus::Consensus<'_> {
        self.q.consensus()
    }

    /// Operations on algorithms.
    pub fn algorithms(&self) -> algorithm::Algorithms<'_> {
        self.q.algorithms()
    }

    /// Operations on capacity.
    pub fn capacity(&self) -> capacity::Capacity<'_> {
        self.q.capacity()
    }

    /// Operations on jobs and their gates.
    pub fn jobs(&self) -> job::Jobs<'_> {
        self.q.jobs()
    }

    /// Operations on hooks: it may register them, and end its own.
    pub fn hooks(&self) -> hooks::Hooks<'_> {
        self.q.hooks()
    }

    /// The overview.
    pub fn overview(&self) -> overview::Overviews<'_> {
        self.q.overview()
    }

    /// Operations on leases.
    pub fn leases(&self) -> lease::Leases<'_> {
        self.q.leases()
    }

    /// Operations on workers.
    pub fn workers(&self) -> worker::Workers<'_> {
        self.q.workers()
    }

    /// Operations on the mesh registry.
    pub fn cells(&self) -> cell::Cells<'_> {
        self.q.cells()
    }

    /// Operations on agents and their heartbeats.
    pub fn agents(&self) -> agent::Agents<'_> {
        self.q.agents()
    }

    /// Operations on flow-controlled streams.
    pub fn flows(&self) -> flow::Flows<'_> {
        self.q.flows()
    }

    /// Operations on back-pressure.
    pub fn pressure(&self) -> pressure::Pressure<'_> {
        self.q.pressure()
    }

    /// Operations on load shedding.
    pub fn shedding(&self) -> shedding::Shedding<'_> {
        self.q.shedding()
    }

    /// Operations on the statistics of running work.
    pub fn stats(&self) -> stats::Stats<'_> {
        self.q.stats()
    }

    /// Operations on identities.
    pub fn identities(&self) -> identity::Identities<'_> {
        self.q.identities()
    }

    /// Queries over what happened.
    pub fn history(&self) -> history::History<'_> {
        self.q.history()
    }

    /// Follows what is recorded, as [`Quorate::events`], while the identity may.
    ///
    /// # Errors
    /// Those of [`Quorate::events`]; `not_authenticated`, `not_authorized`.
    pub async fn events(&self, filter: HistoryQuery) -> Result<Events, Error> {
        self.q.events(filter).await
    }
}
