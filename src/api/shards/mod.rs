//! One logical Quorate over several journals: which of them this process has, and what is said about the others.
//!
//! ```text
//!  op.call ─► group of the request ─► shard ─┬─ here, and the lease of this process in force ─► its runtime ─► still so? ─► answer
//!                                            ├─ another process has it ─► owned_elsewhere, with its door
//!                                            └─ nobody has it now      ─► shard_unowned, with when to try again
//! ```
//!
//! The journal of a shard lets only its owner write, whatever is believed here. What is added is that nobody *reads* what
//! another owner has changed since: an answer counts only if the lease of this process was in force, without an interruption,
//! from when it said that it has the shard until the answer was there. Another process takes a shard over, and answers for it,
//! only when that lease has run out.
//!
//! Identities and stops stand on the first shard and are in force on all: see [`spread`].

#[cfg(all(feature = "store-postgres", feature = "store-sled"))]
pub mod follow;
pub mod group;
#[cfg(all(feature = "store-postgres", feature = "store-sled"))]
pub mod owner;
pub mod spread;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::watch;

use self::group::{Aim, aim, number, unnamed};
use self::spread::{BOUND, Read, SPREADING};
use super::Quorate;
use super::caller::Caller;
use super::ops::Operation;
use crate::core::kernel::shards::ShardMap;
use crate::error::{Error, ErrorKind};
use crate::shell::clock::Held;

/// After how many milliseconds a shard is asked for again that nobody has.
const AGAIN_MS: u64 = 250;

/// A lease counts this much less here than where it is timed, for clocks do not run alike.
const MARGIN: u32 = 16;

/// The shards, as one process sees them.
#[derive(Debug)]
pub struct Shards {
    map: Arc<ShardMap>,
    /// The runtime behind the door, which keeps nothing but who may come in.
    front: Quorate,
    state: RwLock<State>,
    /// Turns of what has no name yet.
    turns: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    lease: Option<(Held, Duration)>,
    /// When the first shard was last read, and what was found.
    followed: Option<(Held, Read)>,
    here: BTreeMap<u16, Here>,
    doors: BTreeMap<u16, String>,
}

/// A shard that this process has.
#[derive(Debug)]
struct Here {
    q: Quorate,
    /// Told when it has it no more.
    gone: watch::Sender<bool>,
}

impl State {
    fn is_in_force(&self) -> bool {
        self.lease.is_some_and(|(begun, lease)| begun.passed() < lease - lease / MARGIN)
    }

    fn is_followed(&self) -> bool {
        self.followed.as_ref().is_some_and(|(begun, _)| begun.passed() < BOUND)
    }
}

/// A shard of this process, at the beginning of a request.
#[derive(Debug)]
pub struct Placed {
    /// Its runtime.
    pub q: Quorate,
    shard: u16,
    shards: Arc<Shards>,
    gone: watch::Receiver<bool>,
}

impl Placed {
    /// Does this process still have it, without an interruption?
    fn is_mine(&self) -> bool {
        let state = self.shards.read();
        !*self.gone.borrow() && state.is_in_force() && state.is_followed()
    }

    async fn lost(&self) {
        // The sender is dropped with the shard.
        let _ = self.gone.clone().wait_for(|gone| *gone).await;
    }
}

impl Shards {
    /// A process that has none of them yet, behind the door of this runtime.
    pub fn new(map: Arc<ShardMap>, front: Quorate) -> Arc<Self> {
        Arc::new(Shards { map, front, state: RwLock::default(), turns: AtomicUsize::new(0) })
    }

    /// The map.
    pub fn map(&self) -> &Arc<ShardMap> {
        &self.map
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        // Nothing in between can panic and leave it half changed.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lease of this process was renewed by a request that went out at this moment.
    pub fn renewed(&self, sent: Held, lease: Duration) {
        self.write().lease = Some((sent, lease));
    }

    /// Is the lease of this process in force?
    pub fn is_in_force(&self) -> bool {
        self.read().is_in_force()
    }

    /// From now on this process answers for the shard. It has said so where the others look.
    pub fn take(&self, shard: u16, q: Quorate) {
        let mut state = self.write();
        // The first shard knows better itself.
        if let Some((_, read)) = state.followed.as_ref().filter(|_| shard != 0) {
            read.put_into(&q);
        }
        state.here.insert(shard, Here { q, gone: watch::Sender::new(false) });
    }

    /// This was found on the first shard by a reading that began at this moment, and is in force here.
    pub fn follow(&self, read: &Read, begun: Held) {
        let mut state = self.write();
        read.put_into(&self.front);
        state.here.iter().filter(|(shard, _)| **shard != 0).for_each(|(_, here)| read.put_into(&here.q));
        state.followed = Some((begun, read.clone()));
    }

    /// A reading that began at this moment found nothing new.
    pub fn still_followed(&self, begun: Held) {
        if let Some((last, _)) = &mut self.write().followed {
            *last = begun;
        }
    }

    /// From now on it does not; who waits there is told. Gives its runtime, to be closed.
    pub fn give_up(&self, shard: u16) -> Option<Quorate> {
        let here = self.write().here.remove(&shard)?;
        here.gone.send_replace(true);
        Some(here.q)
    }

    /// The shards of this process, with their runtimes.
    pub fn here(&self) -> Vec<(u16, Quorate)> {
        self.read().here.iter().map(|(shard, here)| (*shard, here.q.clone())).collect()
    }

    /// Where the other shards are asked for.
    pub fn set_doors(&self, doors: BTreeMap<u16, String>) {
        self.write().doors = doors;
    }

    /// The shard, if this process has it.
    ///
    /// # Errors
    /// `owned_elsewhere` with the door of the process that has it; `shard_unowned` when nobody does.
    fn at(self: &Arc<Self>, shard: u16) -> Result<Placed, Error> {
        let state = self.read();
        if !state.is_in_force() || !state.is_followed() {
            return Err(unowned(shard));
        }
        if let Some(here) = state.here.get(&shard) {
            let (q, gone) = (here.q.clone(), here.gone.subscribe());
            return Ok(Placed { q, shard, shards: self.clone(), gone });
        }
        Err(match state.doors.get(&shard) {
            Some(door) => elsewhere(shard, door),
            None => unowned(shard),
        })
    }

    /// Any shard of this process, in turn; else where one is.
    fn any(self: &Arc<Self>) -> Result<Placed, Error> {
        let shard = {
            let state = self.read();
            let turn = self.turns.fetch_add(1, Ordering::Relaxed);
            let of = |shards: Vec<u16>| (!shards.is_empty()).then(|| shards[turn % shards.len()]);
            of(state.here.keys().copied().collect()).or_else(|| of(state.doors.keys().copied().collect()))
        };
        self.at(shard.unwrap_or(0))
    }

    /// Runs an operation on the shard that has what it is about, if this process has that shard, as asked for by this caller.
    ///
    /// # Errors
    /// Those of the operation; `owned_elsewhere`, `shard_unowned`, `not_on_shards`; `outcome_unknown` when the shard was lost
    /// while it ran.
    pub(super) async fn call(
        self: &Arc<Self>,
        op: &'static Operation,
        mut fields: Map<String, Value>,
        caller: Option<Caller>,
    ) -> Result<Value, Error> {
        let placed = match aim(op, &mut fields, &self.map)? {
            Aim::Shard(shard) => self.at(shard)?,
            Aim::Any => self.any()?,
        };
        let reads = op.reads();
        let answer = tokio::select! {
            biased;
            answer = op.carried_out(placed.q.known_here(caller), fields) => answer,
            () = placed.lost() => Err(unowned(placed.shard)),
        };
        if answer.is_ok() && SPREADING.contains(&op.name) {
            // By then every process has read it, or answers nothing.
            tokio::time::sleep(BOUND).await;
        }
        if placed.is_mine() {
            return answer;
        }
        // Another owner may have changed since what this answer tells.
        Err(if reads { unowned(placed.shard) } else { unknown(placed.shard) })
    }
}

fn elsewhere(shard: u16, door: &str) -> Error {
    let message = format!("another process has this shard: ask there. shard={shard}, address={door}");
    Error::new(ErrorKind::OwnedElsewhere, message).with("shard", shard).with("address", door)
}

fn unowned(shard: u16) -> Error {
    let message = format!(
        "no process answers for this shard now, as while it is taken over or the first shard cannot be read. shard={shard}"
    );
    Error::new(ErrorKind::ShardUnowned, message).with("shard", shard).with("retry_after_ms", AGAIN_MS)
}

fn unknown(shard: u16) -> Error {
    let message = format!("this process lost the shard while it answered; repeat it. shard={shard}");
    Error::new(ErrorKind::OutcomeUnknown, message).with("shard", shard)
}

impl Quorate {
    /// The door onto these shards: operations are carried out on the one that has what they are about.
    pub fn in_front_of(shards: Arc<Shards>) -> Self {
        Quorate { shards: Some(shards.clone()), ..shards.front.clone() }
    }

    /// Is the journal one of several behind this door?
    pub fn is_sharded(&self) -> bool {
        self.shards.is_some()
    }

    /// The runtime of the shard that is named, for what is no operation; this one where there are no shards.
    ///
    /// # Errors
    /// `invalid_argument` when none is named, or one that there is not; `owned_elsewhere` and `shard_unowned` when this process
    /// does not have it.
    pub fn of_shard(&self, named: Option<&Value>) -> Result<Quorate, Error> {
        let Some(shards) = &self.shards else { return Ok(self.clone()) };
        let shard = number(named.ok_or_else(|| unnamed(&shards.map))?, &shards.map)?;
        shards.at(shard).map(|placed| placed.q.known_here(self.caller.clone()))
    }
}
