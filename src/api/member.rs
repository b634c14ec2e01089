//! Operations on membership: who is there, as the node of this process sees it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock};

use super::Quorate;
use super::dto::{MemberList, MemberMetrics, MemberValidation, Nothing};
use crate::core::kernel::ids::{EntityId, NodeId};
use crate::core::network::member::record::Notebook;
use crate::error::{Error, ErrorKind};
use crate::shell::fleet;
pub use crate::shell::fleet::{Own, Seen};
use crate::shell::lock;
use crate::shell::notes;
use crate::shell::post::{Split, Transport};

/// The node of a process, as the operations ask it. Asking changes nothing.
pub trait MemberSource: Send + Sync {
    /// Who is there.
    fn list(&self) -> MemberList;
    /// How it is doing.
    fn metrics(&self) -> MemberMetrics;
    /// Whether what it keeps hangs together.
    fn validate(&self) -> MemberValidation;
    /// What happened and is not on record yet.
    fn notebook(&self) -> Arc<Mutex<Notebook>>;
    /// This node.
    fn own(&self) -> Own;
    /// The other nodes, as far as jobs are concerned.
    fn seen(&self) -> Vec<Seen>;
}

/// Where the node is put, once.
pub(super) type Slot = Arc<OnceLock<Arc<dyn MemberSource>>>;

/// Operations on membership.
#[derive(Clone, Copy, Debug)]
pub struct Members<'a> {
    pub(super) q: &'a Quorate,
}

impl Members<'_> {
    /// Lets the operations ask this node from now on, and puts on record what happens to its members. True for the first
    /// one; a process has one node.
    pub fn attach(&self, node: Arc<dyn MemberSource>) -> bool {
        if self.q.members.set(node.clone()).is_err() {
            return false;
        }
        let (host, notebook) = (self.q.host(), node.notebook());
        let known: BTreeSet<EntityId> = node.seen().into_iter().map(|one| one.node).collect();
        let at = host.clock.now();
        let gone: Vec<EntityId> = lock(&host.counters.members).difference(&known).cloned().collect();
        lock(&notebook).miss(gone.iter().map(NodeId::from), at);
        notes::keep(host, notebook);
        fleet::keep(host, node.own(), move || node.seen());
        true
    }

    /// Lets messages for gates and managers of other processes go this way from now on.
    pub fn carry_by(&self, far: Arc<dyn Transport>) {
        let host = self.q.host();
        let own = host.config.jobs.node.clone();
        let here = [host.fleet.me().unwrap_or(&own).clone(), own];
        *lock(&host.transport) = Arc::new(Split { here, far });
    }

    /// Puts on record what happened to the members of this node so far, and gives how many changes still wait, because too
    /// much was recorded of one of them lately. It is done by itself a few times a second; whoever is about to close calls it
    /// for what came last.
    ///
    /// # Errors
    /// `not_found` in a process that is no node.
    pub async fn record(&self) -> Result<u64, Error> {
        let notebook = self.node()?.notebook();
        while notes::record(self.q.host(), &notebook).await {}
        let waiting = lock(&notebook).len();
        Ok(waiting)
    }

    fn node(&self) -> Result<&Arc<dyn MemberSource>, Error> {
        self.q.members.get().ok_or_else(|| {
            let message =
                "this process is no node of a cluster; `quorate node` starts one, and answers for its folder";
            Error::new(ErrorKind::NotFound, message).with("field", "node")
        })
    }

    /// Who is there, as the node of this process sees it.
    ///
    /// # Errors
    /// `not_found` in a process that is no node.
    pub async fn list(&self) -> Result<MemberList, Error> {
        self.q.allow("member.list", &Nothing {}).await?;
        Ok(self.node()?.list())
    }

    /// How membership is doing.
    ///
    /// # Errors
    /// As [`Members::list`].
    pub async fn metrics(&self) -> Result<MemberMetrics, Error> {
        self.q.allow("member.metrics", &Nothing {}).await?;
        Ok(self.node()?.metrics())
    }

    /// Whether what the node keeps hangs together.
    ///
    /// # Errors
    /// As [`Members::list`].
    pub async fn validate(&self) -> Result<MemberValidation, Error> {
        self.q.allow("member.validate", &Nothing {}).await?;
        Ok(self.node()?.validate())
    }
}
