//! The list of those who are there, asked for part by part: at a join, and now and then from anybody, so that what gossip
//! missed is found.

use std::time::Duration;

use super::address::Address;
use super::node::{Membership, Timer};
use super::wire::{Body, Update};
use crate::kernel::ids::NodeId;
use crate::kernel::rng::Rng;

/// A question without an answer is asked again after this …
const RETRY: Duration = Duration::from_secs(1);
/// … at first; then after twice as long, upto this.
const MAX_RETRY: Duration = Duration::from_secs(30);
/// With more nodes than this, everybody looks less often.
const FEW_NODES: f64 = 32.0;
/// A look at the list of a peer is given up after so many questions without an answer.
const MAX_TRIES: u32 = 3;

/// A question that is not answered yet.
#[derive(Clone, Debug)]
pub(super) struct Syncing {
    nonce: u64,
    to: Address,
    after: Option<NodeId>,
    tries: u32,
    is_join: bool,
}

impl Membership {
    /// Asks the next seed.
    pub(super) fn join(&mut self, rng: &mut Rng) {
        if self.incarnation == 0 || self.seeds.is_empty() {
            return;
        }
        let to = self.seeds[(rng.next_u64() % self.seeds.len() as u64) as usize].clone();
        self.ask(Syncing { nonce: rng.next_u64(), to, after: None, tries: 0, is_join: true });
    }

    fn ask(&mut self, syncing: Syncing) {
        let body = Body::Sync { nonce: syncing.nonce, after: syncing.after.clone() };
        self.send(&syncing.to.clone(), None, &body);
        let wait = (RETRY * 2_u32.saturating_pow(syncing.tries)).min(MAX_RETRY);
        self.timers.insert((self.now.plus(wait), Timer::SyncRetry(syncing.nonce)));
        self.syncing = Some(syncing);
    }

    /// No answer came.
    pub(super) fn sync_again(&mut self, nonce: u64, rng: &mut Rng) {
        let Some(syncing) = self.syncing.take_if(|syncing| syncing.nonce == nonce) else { return };
        let tries = syncing.tries + 1;
        if syncing.is_join && !self.seeds.is_empty() {
            let to = self.seeds[(rng.next_u64() % self.seeds.len() as u64) as usize].clone();
            self.ask(Syncing { nonce: rng.next_u64(), to, tries, ..syncing });
        } else if tries < MAX_TRIES {
            self.ask(Syncing { nonce: rng.next_u64(), tries, ..syncing });
        }
    }

    /// A part of the list came. Its updates are taken already.
    pub(super) fn paged(&mut self, nonce: u64, updates: &[Update], rng: &mut Rng) {
        let Some(syncing) = self.syncing.take_if(|syncing| syncing.nonce == nonce) else { return };
        let last = updates.last().map(|update| update.id.clone());
        // A list that does not go on would be read for ever.
        if last.is_some() && last > syncing.after {
            self.ask(Syncing { nonce: rng.next_u64(), after: last, tries: 0, ..syncing });
        }
    }

    pub(super) fn sync_round(&mut self, rng: &mut Rng) {
        let nodes = self.table.count_there() as f64 + 1.0;
        let rarer = (nodes / FEW_NODES).log2().ceil().max(0.0) + 1.0;
        self.timers.insert((self.now.plus(self.config.sync_period.mul_f64(rarer)), Timer::Sync));
        self.coordinates.sweep(self.now);
        if self.syncing.is_some() {
            return;
        }
        let peer = self.some_peers(1, rng, |_, member| member.is_there() && member.coordinates()).pop();
        match peer.and_then(|id| self.table.get(&id)).map(|member| member.address.clone()) {
            Some(to) => {
                self.ask(Syncing { nonce: rng.next_u64(), to, after: None, tries: 0, is_join: false });
            }
            // Nobody is left: as at the beginning.
            None => self.join(rng),
        }
    }

    /// While there is news, a few peers are told at a time.
    pub(super) fn start_gossip(&mut self) {
        if !self.is_gossiping && !self.gossip.is_empty() && self.incarnation > 0 {
            self.is_gossiping = true;
            self.timers.insert((self.now.plus(self.config.gossip_period), Timer::Gossip));
        }
    }

    pub(super) fn gossip_round(&mut self, rng: &mut Rng) {
        self.is_gossiping = false;
        for id in self.some_peers(self.config.gossip_peers, rng, |_, member| member.is_there()) {
            if !self.gossip.is_empty() {
                self.counters.gossips += 1;
                self.send_to(&id, &Body::Gossip);
            }
        }
    }
}
