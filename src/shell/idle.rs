//! Who waits for a worker: jobs whose workflow it did not take, in the order they asked, so that they are offered it as
//! soon as it has room instead of when they would ask again.
//!
//! Kept in memory only. A job asks again by itself, so what is forgotten with the process costs no more than the wait.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use super::lock;
use crate::core::kernel::ids::EntityId;

/// Jobs that wait, by the worker they wait for.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Mutex<BTreeMap<EntityId, Queue>>);

#[derive(Debug, Default)]
struct Queue {
    order: VecDeque<EntityId>,
    members: BTreeSet<EntityId>,
}

impl Waiting {
    /// A job waits for a worker from now on, or still does.
    pub(crate) fn wait(&self, worker: &EntityId, job: EntityId) {
        let mut all = lock(&self.0);
        let queue = all.entry(worker.clone()).or_default();
        if queue.members.insert(job.clone()) {
            queue.order.push_back(job);
        }
    }

    /// Up to so many of those who wait for a worker, longest first. They wait no longer.
    pub(crate) fn take(&self, worker: &EntityId, places: u32) -> Vec<EntityId> {
        let mut all = lock(&self.0);
        let Some(queue) = all.get_mut(worker) else { return Vec::new() };
        let places = usize::try_from(places).unwrap_or(usize::MAX).min(queue.order.len());
        let taken: Vec<EntityId> = queue.order.drain(..places).collect();
        for job in &taken {
            queue.members.remove(job);
        }
        if queue.order.is_empty() {
            all.remove(worker);
        }
        taken
    }

    /// A job has ended.
    pub(crate) fn forget(&self, job: &EntityId) {
        lock(&self.0).retain(|_, queue| {
            if queue.members.remove(job) {
                queue.order.retain(|waits| waits != job);
            }
            !queue.order.is_empty()
        });
    }
}

/// Workers that wait for work that nobody has, by datacenter. One is woken at a time: it takes what there is, and wakes the
/// next if more is left.
#[derive(Debug, Default)]
pub(crate) struct Takers(Mutex<BTreeMap<EntityId, Arc<Notify>>>);

impl Takers {
    /// What wakes those who wait in a datacenter.
    pub(crate) fn bell(&self, datacenter: &EntityId) -> Arc<Notify> {
        lock(&self.0).entry(datacenter.clone()).or_default().clone()
    }

    /// Wakes one of those who wait, or the next who comes to wait. Where nobody ever waited there is nobody to wake.
    pub(crate) fn wake(&self, datacenter: &EntityId) {
        if let Some(bell) = lock(&self.0).get(datacenter) {
            bell.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_wait_are_taken_in_the_order_they_asked_and_each_once() {
        let id = |name: &str| EntityId::new(name).unwrap();
        let waiting = Waiting::default();
        for job in ["c", "a", "c", "b"] {
            waiting.wait(&id("w"), id(job));
        }
        waiting.wait(&id("x"), id("a"));
        assert_eq!(waiting.take(&id("w"), 1), [id("c")]);
        waiting.forget(&id("a"));
        assert_eq!(waiting.take(&id("w"), 9), [id("b")]);
        assert_eq!(waiting.take(&id("x"), 9), []);
        assert!(lock(&waiting.0).is_empty(), "nothing is left of those who wait no longer");
    }
}
