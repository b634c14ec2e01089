//! Progress that is known in memory and not on record.
//!
//! ```text
//!  progress ──► decide ──► less than 1 s after the last recorded: nothing is written, answered  ──► Memory
//!                                                                                                      │
//!  stuck deadline falls due ──► decide asks ◄──────────────────────────────────────────────────────────┘
//!       later progress is known ──► it is recorded now, and the deadline moves
//! ```
//!
//! So a job that gets on a thousand times a second writes once a second, and its deadline is exact all the same. After
//! a crash at most that last second is forgotten.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::jobs::protocol::token::TokenBase;
use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;

/// A sign of progress that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// When.
    pub at: Timestamp,
    /// The workflow, its attempt, and how many items of that are done, if that was said.
    pub count: Option<(EntityId, u32, u64)>,
}

/// Knows the latest progress of jobs, by job and datacenter.
pub trait LatestProgress: Send + Sync {
    /// When the job last got on, if that is known.
    fn at(&self, job_id: &EntityId, datacenter: &EntityId) -> Option<Timestamp>;
    /// How many items of this attempt of the workflow are done, if that is known.
    fn count(
        &self,
        job_id: &EntityId,
        datacenter: &EntityId,
        workflow: &EntityId,
        attempt: u32,
    ) -> Option<u64>;
}

/// Whom to ask about progress that is not on record, and where tokens begin; the default knows of no progress.
#[derive(Clone, Default)]
pub struct Heard {
    memory: Option<Arc<dyn LatestProgress>>,
    floor: TokenBase,
}

impl Heard {
    /// Asks this.
    pub fn of(memory: Arc<dyn LatestProgress>) -> Self {
        Heard { memory: Some(memory), floor: TokenBase::default() }
    }

    /// The same, with tokens that begin above a floor.
    pub fn above(self, floor: TokenBase) -> Self {
        Heard { floor, ..self }
    }

    pub(super) fn floor(&self) -> TokenBase {
        self.floor
    }

    pub(super) fn at(&self, job_id: &EntityId, datacenter: &EntityId) -> Option<Timestamp> {
        self.memory.as_ref().and_then(|memory| memory.at(job_id, datacenter))
    }

    pub(super) fn count(
        &self,
        job_id: &EntityId,
        datacenter: &EntityId,
        workflow: &EntityId,
        attempt: u32,
    ) -> Option<u64> {
        self.memory.as_ref().and_then(|memory| memory.count(job_id, datacenter, workflow, attempt))
    }
}

impl fmt::Debug for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.memory.is_some() { "Heard(asks)" } else { "Heard(none)" })
    }
}

/// The latest progress of the jobs of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory(BTreeMap<(EntityId, EntityId), Latest>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Latest {
    at: Timestamp,
    counts: BTreeMap<EntityId, (u32, u64)>,
}

impl Memory {
    /// Keeps what a job answered to a sign of progress.
    pub fn note(&mut self, job_id: &EntityId, datacenter: &EntityId, noted: Noted) {
        let key = (job_id.clone(), datacenter.clone());
        let latest = self.0.entry(key).or_insert(Latest { at: noted.at, counts: BTreeMap::new() });
        latest.at = latest.at.max(noted.at);
        if let Some((workflow, attempt, count)) = noted.count {
            latest.counts.insert(workflow, (attempt, count));
        }
    }

    /// The job has ended. Must be called before the id is used again, whose attempts are counted anew.
    pub fn forget(&mut self, job_id: &EntityId, datacenter: &EntityId) {
        self.0.remove(&(job_id.clone(), datacenter.clone()));
    }

    /// How many jobs are known.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Is nothing known?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// See [`LatestProgress::at`].
    pub fn at(&self, job_id: &EntityId, datacenter: &EntityId) -> Option<Timestamp> {
        self.0.get(&(job_id.clone(), datacenter.clone())).map(|latest| latest.at)
    }

    /// See [`LatestProgress::count`].
    pub fn count(
        &self,
        job: &EntityId,
        datacenter: &EntityId,
        workflow: &EntityId,
        attempt: u32,
    ) -> Option<u64> {
        let (of, count) = self.0.get(&(job.clone(), datacenter.clone()))?.counts.get(workflow)?;
        (*of == attempt).then_some(*count)
    }
}
