//! Where the actor of an entity is: started on demand, one at a time, put to sleep when idle.
//!
//! Messages are sent while the registry's shard is locked, and an actor leaves the registry under the same lock
//! and only with an empty mailbox. So no message is lost to a sleeping actor and no two actors own one stream.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use actix::{Actor, Addr, ArbiterHandle};
use tokio::sync::oneshot;

use super::entity::{Ask, Entity, Errand, Lend, Poke, Seat, Sleep, Turn, Wake};
use super::host::Host;
use super::hosts::Hosted;
use super::lanes::{Lanes, Queued};
use super::lock;
use crate::core::kernel::ids::{EntityId, StreamId};
use crate::journal::Fault;

const SHARDS: usize = 64;

struct Entry<M: Hosted> {
    addr: Addr<Entity<M>>,
    lanes: Lanes<M>,
    generation: u64,
    /// Messages sent and not yet handled.
    queued: Arc<AtomicUsize>,
    /// Sweep round of the last message.
    used: u64,
}

/// The living actors of one kind.
pub(crate) struct Registry<M: Hosted> {
    shards: Vec<Mutex<HashMap<EntityId, Entry<M>>>>,
    hasher: RandomState,
    arbiters: Vec<ArbiterHandle>,
    generations: AtomicU64,
    sweeps: AtomicU64,
    awake: AtomicUsize,
    /// The most that were ever awake.
    most: AtomicUsize,
}

impl<M: Hosted> Registry<M> {
    pub(crate) fn new(arbiters: Vec<ArbiterHandle>) -> Self {
        Registry {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            arbiters,
            generations: AtomicU64::new(1),
            sweeps: AtomicU64::new(2),
            awake: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        }
    }

    /// Sends a request to an entity, starting its actor if need be.
    pub(crate) fn ask(&self, host: &Arc<Host>, id: &EntityId, ask: Ask<M>) {
        if let Err(refused) = self.deliver(host, id, Queued::Ask(ask))
            && let (Queued::Ask(ask), fault) = *refused
        {
            ask.refuse(fault);
        }
    }

    /// Asks an entity to lend its memory, starting its actor if need be.
    pub(crate) fn lend(&self, host: &Arc<Host>, id: &EntityId, lend: Lend<M>) -> Result<(), Fault> {
        self.deliver(host, id, Queued::Lend(lend)).map(|_| ()).map_err(|refused| refused.1)
    }

    /// Makes an entity look at what is due or owed; `done` is dropped when it has, durably.
    pub(crate) fn poke(&self, host: &Arc<Host>, id: &EntityId, poke: Poke) {
        // A poke to a parked entity is dropped: its deadline stays in the index, and the next request after the
        // restart window looks at it.
        let _ = self.deliver(host, id, Queued::Poke(poke));
    }

    /// Sees to it that an entity is loaded. True when it was asleep.
    pub(crate) fn wake(&self, host: &Arc<Host>, id: &EntityId, wake: Wake) -> bool {
        // Who is parked stays so; whoever waits hears nothing.
        self.deliver(host, id, Queued::Wake(wake)).is_ok_and(|started| started)
    }

    /// Hands something to an entity. True when that started its actor.
    fn deliver(
        &self,
        host: &Arc<Host>,
        id: &EntityId,
        item: Queued<M>,
    ) -> Result<bool, Box<(Queued<M>, Fault)>> {
        let hash = self.hasher.hash_one(id) as usize;
        let mut shard = lock(&self.shards[hash % SHARDS]);
        let used = self.sweeps.load(Ordering::Relaxed);
        if let Some(entry) = shard.get_mut(id) {
            entry.used = used;
            entry.queued.fetch_add(1, Ordering::AcqRel);
            entry.lanes.push(item);
            entry.addr.do_send(Turn);
            return Ok(false);
        }
        let stream = StreamId::new(M::KIND, id.clone());
        let after_death = match host.restarts.may_start(&stream, host.clock.now()) {
            Ok(after_death) => after_death,
            Err(fault) => return Err(Box::new((item, fault))),
        };
        let queued = Arc::new(AtomicUsize::new(1));
        let generation = self.generations.fetch_add(1, Ordering::Relaxed);
        let seat = Seat { stream, generation, queued: queued.clone(), after_death, host: host.clone() };
        let arbiter = &self.arbiters[(hash / SHARDS) % self.arbiters.len()];
        let lanes = Lanes::default();
        lanes.push(item);
        let served = lanes.serving();
        let addr = Entity::start_in_arbiter(arbiter, move |_| Entity::new(seat, served));
        addr.do_send(Turn);
        shard.insert(id.clone(), Entry { addr, lanes, generation, queued, used });
        self.most.fetch_max(self.awake.fetch_add(1, Ordering::AcqRel) + 1, Ordering::AcqRel);
        Ok(true)
    }

    /// Makes an entity send what falls due.
    pub(crate) fn errand(&self, host: &Arc<Host>, id: &EntityId, errand: Errand) {
        // Who is parked or gone sends it when it is awake again.
        let _ = self.deliver(host, id, Queued::Errand(errand));
    }

    /// Takes an actor out of the registry, so that the next message starts a new one. With `only_if_idle` it
    /// stays when messages are on their way to it. Returns whether it is out.
    pub(crate) fn retire(&self, id: &EntityId, generation: u64, only_if_idle: bool) -> bool {
        let hash = self.hasher.hash_one(id) as usize;
        let mut shard = lock(&self.shards[hash % SHARDS]);
        match shard.get(id) {
            Some(entry) if entry.generation == generation => {
                if only_if_idle && entry.queued.load(Ordering::Acquire) > 0 {
                    return false;
                }
                let left = shard.remove(id);
                self.awake.fetch_sub(1, Ordering::AcqRel);
                // What waits with a dead actor hears of it without the lock.
                drop(shard);
                drop(left);
                true
            }
            // Another actor took the seat; this one is out already.
            Some(_) | None => true,
        }
    }

    /// Asks every actor that got no message since the sweep before last to go to sleep.
    pub(crate) fn sweep(&self) {
        let round = self.sweeps.fetch_add(1, Ordering::Relaxed);
        for shard in &self.shards {
            for entry in lock(shard).values_mut().filter(|entry| entry.used + 1 < round) {
                entry.queued.fetch_add(1, Ordering::AcqRel);
                entry.addr.do_send(Sleep { unborn: false, done: None });
            }
        }
    }

    /// Asks one actor to go to sleep if it is idle; `done` is dropped when it has, or will not.
    pub(crate) fn send_to_sleep(&self, id: &EntityId, done: Option<oneshot::Sender<()>>) {
        let hash = self.hasher.hash_one(id) as usize;
        if let Some(entry) = lock(&self.shards[hash % SHARDS]).get(id) {
            entry.queued.fetch_add(1, Ordering::AcqRel);
            entry.addr.do_send(Sleep { unborn: false, done });
        }
    }

    /// How many actors are awake.
    pub(crate) fn awake(&self) -> usize {
        self.awake.load(Ordering::Acquire)
    }

    /// The most actors that were ever awake at the same time.
    pub(crate) fn most_awake(&self) -> usize {
        self.most.load(Ordering::Acquire)
    }
}
