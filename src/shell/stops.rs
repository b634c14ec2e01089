//! The stops in force, in one order with what is queued for the writer.
//!
//! ```text
//!  command ── enter (shared) ──► covered? ── yes ──► refused, once the stop is durable
//!                                   │ no
//!                                   ▼
//!                               decided and queued ──► leave
//!  stop ───── enter (alone) ───► decided and queued, in force from here on ──► leave
//! ```
//!
//! Who acts looks at the stops and queues its events without a stop coming in between, and the queue keeps its order up to
//! the journal. So what stands behind the record of a stop was looked at after it was in force. A stop that is let go is in
//! force until that is durable: what a crash could undo lets nobody act.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::core::kernel::ids::{EntityId, StreamKind};
use crate::core::trust::stop::{Acting, Engaged, RELEASE, Stops};
use crate::core::voting::mandate::{Mandate, operation_hash};
use crate::core::voting::signature::Digest;
use crate::journal::Fault;

/// What a command does, as the stops see it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Bearing {
    /// It ends, reports, registers or withdraws something, or says that somebody is alive.
    Passes,
    /// Something is begun, decided or handed out.
    Acts(Acting),
    /// It is about the operation with this hash: it passes while a stop is in force that this operation releases, and acts
    /// otherwise.
    Releases(Digest, Acting),
}

impl Bearing {
    /// These act.
    pub(crate) fn of(parties: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Bearing::Acts(Acting::as_parties(parties))
    }

    /// Nobody in particular acts.
    pub(crate) fn unnamed() -> Self {
        Bearing::Acts(Acting::default())
    }

    /// What those who are named need to release a stop, where the decision may allow that; else as it was.
    pub(crate) fn about(self, mandate: Option<&Mandate>) -> Self {
        match (self, mandate.filter(|mandate| mandate.tool == RELEASE)) {
            (Bearing::Acts(acting), Some(mandate)) => Bearing::Releases(mandate.operation_hash, acting),
            (bearing, _) => bearing,
        }
    }

    /// Who acts, if somebody does.
    pub(crate) fn acting_mut(&mut self) -> Option<&mut Acting> {
        match self {
            Bearing::Acts(acting) | Bearing::Releases(_, acting) => Some(acting),
            Bearing::Passes => None,
        }
    }
}

/// The hash of the operation that releases a stop.
pub(crate) fn release_hash(stop_id: &EntityId) -> Digest {
    operation_hash(RELEASE, &serde_json::json!({ "stop_id": stop_id }).to_string())
}

type InForce = BTreeMap<u64, Engaged>;

/// The stops in force. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct StopOrder(Arc<RwLock<InForce>>);

/// Inside the order, not looked at yet.
pub(crate) enum Entered<'a> {
    /// Together with others that act.
    Shared(RwLockReadGuard<'a, InForce>),
    /// Alone: the stops change.
    Alone(RwLockWriteGuard<'a, InForce>),
}

impl StopOrder {
    /// These are in force, and no others.
    pub(crate) fn set(&self, stops: &Stops) {
        *self.alone() = stops.engaged().map(|engaged| (engaged.number, engaged.clone())).collect();
    }

    /// These are in force no more, durably.
    pub(crate) fn let_go(&self, stop_id: &EntityId) {
        self.alone().retain(|_, engaged| engaged.stop_id != *stop_id);
    }

    /// Enters, alone for the stops themselves.
    pub(crate) fn enter(&self, kind: StreamKind) -> Entered<'_> {
        match kind {
            StreamKind::Stops => Entered::Alone(self.alone()),
            _ => Entered::Shared(self.0.read().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// Is anything stopped?
    pub(crate) fn any(&self) -> bool {
        self.enter(StreamKind::Job).any()
    }

    /// The stop that covers this, if one does.
    pub(crate) fn covering(&self, acting: &Acting) -> Option<Engaged> {
        self.enter(StreamKind::Job).covering(acting).cloned()
    }

    /// Those in force, by number.
    pub(crate) fn in_force(&self) -> Vec<Engaged> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn alone(&self) -> RwLockWriteGuard<'_, InForce> {
        // Nothing in between can panic and leave it half changed.
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Entered<'a> {
    fn held(&self) -> &InForce {
        match self {
            Entered::Shared(held) => held,
            Entered::Alone(held) => held,
        }
    }

    /// Is anything stopped?
    pub(crate) fn any(&self) -> bool {
        !self.held().is_empty()
    }

    /// Does this operation release a stop that is in force?
    fn releases(&self, hash: &Digest) -> bool {
        self.held().values().any(|engaged| release_hash(&engaged.stop_id) == *hash)
    }

    /// The first stop that covers this.
    fn covering(&self, acting: &Acting) -> Option<&Engaged> {
        self.held().values().find(|engaged| engaged.scope.covers(acting))
    }

    /// Looks whether a stop covers what a command does. The look and the place in the order are one value, so that no stop
    /// can come between the look and what is queued.
    ///
    /// # Errors
    ///
    /// [`Fault::Stopped`].
    pub(crate) fn look(self, bearing: &Bearing) -> Result<Cleared<'a>, Fault> {
        let acting = match bearing {
            Bearing::Passes => return Ok(Cleared(self)),
            Bearing::Releases(hash, _) if self.releases(hash) => return Ok(Cleared(self)),
            Bearing::Acts(acting) | Bearing::Releases(_, acting) => acting,
        };
        match self.covering(acting).map(stopped) {
            Some(fault) => Err(fault),
            None => Ok(Cleared(self)),
        }
    }
}

/// Inside the order, and covered by no stop. Its events are queued before it is dropped.
pub(crate) struct Cleared<'a>(Entered<'a>);

impl Cleared<'_> {
    /// What was engaged is in force from here on.
    pub(crate) fn engage(&mut self, stops: &Stops) {
        if let Entered::Alone(held) = &mut self.0 {
            for engaged in stops.engaged() {
                held.entry(engaged.number).or_insert_with(|| engaged.clone());
            }
        }
    }
}

/// What somebody is told who acts in a scope that is stopped.
pub(crate) fn stopped(engaged: &Engaged) -> Fault {
    Fault::Stopped {
        stop_id: engaged.stop_id.as_str().to_owned(),
        scope: engaged.scope.to_string(),
        number: engaged.number,
    }
}
