//! Leases: the exclusive right to lead a job, with an end.
//!
//! ```text
//!  holder       taken ─── renew ─── renew ────────────────┤ stops itself        expired
//!                 └───────────── duration ────────────────┴──── margin ──────────┤
//!  challenger            sees version v ── waits a full duration by its own clock, v unchanged ──► may take
//! ```
//!
//! A lease has expired at the instant it ends. Its holder counts from when it *asked* for the last renewal, and stops a
//! margin before the end, so that two clocks of different rate never both believe they hold it. A challenger on another
//! host compares no clocks: it waits a full duration after the last change it saw. Each taking mints a new fencing token,
//! also after a release; renewing keeps it. A restart of the process that serves the job mints one too, and leaves holder
//! and end as they are: the holder is told the new token when it renews, showing any that it has had. A lease whose
//! holder lives in the process that serves the job ends with that process; and a later life of the holder's node need not
//! wait for a lease of an earlier one that was taken from a process that is gone.
//!
//! # Source
//! C. Gray, D. Cheriton, *Leases: an efficient fault-tolerant mechanism for distributed file cache consistency*, SOSP
//! 1989. Waiting out a version: the DynamoDB lock client of Amazon.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::settings::LeaseSettings;
use crate::jobs::protocol::message::Leader;
use crate::jobs::protocol::token::FenceToken;
use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;

/// The lease on a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Who holds it, or held it last without giving it back.
    pub holder: Option<Leader>,
    /// The token of its holder.
    pub token: FenceToken,
    /// Grows with every change.
    pub version: u64,
    /// The instant at which it has expired.
    pub expires_at: Timestamp,
    /// The token it was taken under. Its holder may have any since then, up to [`Lease::token`]: a restart mints one
    /// without asking it.
    pub taken_under: FenceToken,
    /// How long it lasts each time, in ms, if not as the job is set.
    pub length_ms: Option<u64>,
    /// Its holder lives in the process that serves the job.
    pub in_process: bool,
    /// The identity that took it for its holder.
    pub asked_by: Option<EntityId>,
}

impl Lease {
    /// Who holds it at this instant.
    pub fn holder_at(&self, now: Timestamp) -> Option<&Leader> {
        self.holder.as_ref().filter(|_| now < self.expires_at)
    }

    /// Does this leader hold it, and is this a token it has had since it took it? A lease that nobody took is nobody's.
    pub(super) fn knows(&self, leader: &Leader, token: FenceToken, now: Timestamp) -> bool {
        self.holder_at(now) == Some(leader) && (self.taken_under..=self.token).contains(&token)
    }

    /// Was it taken from a process that is gone, by an earlier life of this leader? Where the node lives again, the one
    /// that held it does not.
    pub(super) fn is_left_to(&self, leader: &Leader) -> bool {
        let earlier = |held: &Leader| held.node == leader.node && held.incarnation < leader.incarnation;
        self.token > self.taken_under && self.holder.as_ref().is_some_and(earlier)
    }

    /// A new process serves the job under a new token. A holder elsewhere keeps its time, of which downtime is a part,
    /// and learns the token with its next renewal; one that lived in the process before is gone with it.
    pub(super) fn goes_on_under(&mut self, token: FenceToken) {
        if self.in_process {
            self.void();
        } else if self.holder.is_some() {
            (self.token, self.version) = (token, self.version.saturating_add(1));
        }
    }

    /// The process it was taken from is gone, and nobody leads anew.
    pub(super) fn outlives_its_process(&mut self) {
        if self.in_process {
            self.void();
        }
    }

    /// Kept until this instant.
    pub(super) fn renew(&mut self, expires_at: Timestamp) {
        (self.version, self.expires_at) = (self.version.saturating_add(1), expires_at);
    }

    /// Ended by a change of leadership that was no taking.
    pub(super) fn void(&mut self) {
        if self.holder.take().is_some() {
            self.version = self.version.saturating_add(1);
        }
    }
}

impl LeaseSettings {
    /// How long a lease lasts for which this was asked, in ms.
    pub fn length_ms(&self, asked_ms: Option<u64>) -> u64 {
        asked_ms.unwrap_or(self.duration_ms)
    }

    /// When a lease of this length that is taken or renewed now has expired.
    pub(super) fn expiry(&self, asked_ms: Option<u64>, now: Timestamp) -> Timestamp {
        now.plus(Duration::from_millis(self.length_ms(asked_ms)))
    }

    /// The first instant at which a holder must have stopped, by its own clock, when it asked for its last successful
    /// renewal at `asked_at`.
    pub fn stops_at(&self, asked_at: Timestamp) -> Timestamp {
        asked_at.plus(Duration::from_millis(self.duration_ms.saturating_sub(self.margin_ms)))
    }
}

/// One who would take a lease, on a host with a clock of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenger {
    version: u64,
    unchanged_since: Timestamp,
}

impl Challenger {
    /// Has seen this version first at this instant of its own clock.
    pub fn new(version: u64, now: Timestamp) -> Self {
        Challenger { version, unchanged_since: now }
    }

    /// Sees this version now; a change starts the wait again.
    pub fn sees(&mut self, version: u64, now: Timestamp) {
        if version != self.version {
            *self = Challenger::new(version, now);
        }
    }

    /// The version it would take the lease from, once it has stood still for a full duration.
    pub fn may_take(&self, settings: &LeaseSettings, now: Timestamp) -> Option<u64> {
        let waited = now.since(self.unchanged_since) >= Duration::from_millis(settings.duration_ms);
        waited.then_some(self.version)
    }
}
