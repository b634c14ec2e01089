//! Two nodes of one name.
//!
//! ```text
//!  X at b, which begins ──── anything ────► c, which knows X at a as there: not taken
//!                       ◄─── X is at a ────
//!                       ──── ping X ──────► X at a
//!                       ◄─── ack ───────── it is there: who began later ends, and both are told
//! ```
//!
//! - *Whoever is there keeps its name.* What comes from a second address under it, and what is said of it, changes nothing, at
//!   whatever incarnation: nobody goes back and forth between the two. When the first one is dead, or has left, the name is free.
//! - *A word of others is no proof.* They may speak of an earlier life of this node at another address. The address is asked.
//! - *Who has just begun gives way.* A node answers for its name only when it has been there for a while; one that hears
//!   such an answer before is the later one. Two that began together are both told, and both stay.
//!
//! # Source
//! The rule of hashicorp/memberlist for a name at another address (`aliveNode`: while the one that is known is alive, the
//! other is reported as a conflict and not taken); A. Das, I. Gupta, A. Motivala, *SWIM*, DSN 2002, section 4.2, of which
//! an incarnation belongs to one process of a name.

use std::collections::BTreeMap;
use std::time::Duration;

use super::address::Address;
use super::event::MemberEvent;
use super::node::Membership;
use super::probe::Purpose;
use super::wire::{Body, Datagram};
use crate::kernel::ids::NodeId;
use crate::kernel::rng::Rng;
use crate::kernel::time::Timestamp;

/// A node that has been there for so long answers for its name.
const SETTLES: Duration = Duration::from_secs(10);
/// Between two questions, or two answers, about one name.
const AGAIN: Duration = Duration::from_secs(1);
/// A second user of a name that was not heard of for so long is gone.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Names of peers that are claimed from elsewhere at once, as far as is told.
const MAX_CLAIMS: usize = 64;

/// Somebody else who uses a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameClaim {
    /// Where it says that it is reached.
    pub address: Address,
    /// When it was last heard from.
    pub heard_at: Timestamp,
}

/// What is known of names that two nodes use.
#[derive(Clone, Debug, Default)]
pub(super) struct Twins {
    /// Who uses the name of this node.
    own: Option<NameClaim>,
    /// That one was there first.
    is_later: bool,
    asked_at: Option<Timestamp>,
    /// Names of peers.
    peers: BTreeMap<NodeId, NameClaim>,
}

impl Membership {
    /// Somebody else who uses the name of this node, if it was heard from lately.
    pub fn twin(&self) -> Option<&NameClaim> {
        self.twins.own.as_ref().filter(|claim| self.now.since(claim.heard_at) <= REMEMBERED)
    }

    /// Where the node is reached whose name this one took later: it has to end.
    pub fn taken_by(&self) -> Option<&Address> {
        self.twins.own.as_ref().filter(|_| self.twins.is_later).map(|claim| &claim.address)
    }

    /// Is an answer waited for from where somebody was said to use the name of this node?
    pub fn asks_for_its_name(&self) -> bool {
        self.pings.values().any(|ping| ping.to == self.id)
    }

    /// Peers whose names somebody else uses, too, as far as was heard lately.
    pub fn claimed_names(&self) -> impl Iterator<Item = (&NodeId, &NameClaim)> {
        let now = self.now;
        self.twins.peers.iter().filter(move |(_, claim)| now.since(claim.heard_at) <= REMEMBERED)
    }

    /// Is a peer of this name there, at another address?
    pub(super) fn is_elsewhere(&self, id: &NodeId, address: &Address) -> bool {
        self.table.get(id).is_some_and(|member| member.is_there() && member.address != *address)
    }

    fn is_settled(&self) -> bool {
        self.now.since(self.began) >= SETTLES
    }

    /// A datagram of a peer that is there at another address: it is not taken, and its sender is told where that one is.
    pub(super) fn refuse_claim(&mut self, from: &Address, datagram: &Datagram) {
        self.counters.name_claims += 1;
        let (id, address) = (&datagram.sender.id, &datagram.sender.address);
        let Some(held) = self.table.get(id).map(|member| member.address.clone()) else { return };
        let before = self.twins.peers.get(id).filter(|claim| claim.address == *address);
        let before = before.map(|claim| claim.heard_at);
        if before.is_some_and(|at| self.now.since(at) < AGAIN) {
            return;
        }
        if before.is_none_or(|at| self.now.since(at) > REMEMBERED) {
            let (peer, claimed) = (id.clone(), address.clone());
            self.happened(MemberEvent::NameClaimed { peer, held, claimed });
        }
        let now = self.now;
        self.twins.peers.retain(|_, claim| now.since(claim.heard_at) <= REMEMBERED);
        if self.twins.peers.len() < MAX_CLAIMS || self.twins.peers.contains_key(id) {
            let claim = NameClaim { address: address.clone(), heard_at: now };
            self.twins.peers.insert(id.clone(), claim);
        }
        self.tell_of(from, id);
    }

    /// A datagram of another node of this name.
    pub(super) fn hear_own_name(&mut self, from: &Address, datagram: &Datagram, rng: &mut Rng) {
        self.counters.own_id += 1;
        let address = &datagram.sender.address;
        if *address == self.address {
            return;
        }
        match datagram.body {
            Body::Ack { nonce, .. } => {
                if self.pings.get(&nonce).is_some_and(|ping| ping.to == self.id) {
                    self.pings.remove(&nonce);
                    self.note_twin(address, !self.is_settled());
                }
            }
            Body::Ping { nonce, ref to } if *to == self.id && self.is_settled() => {
                self.note_twin(address, false);
                self.send(from, None, &Body::Ack { nonce, held_us: 0, rtt_us: 0 });
            }
            Body::Ping { .. }
            | Body::PingRequest { .. }
            | Body::RelayedAck { .. }
            | Body::Nack { .. }
            | Body::Gossip
            | Body::Leave
            | Body::Heartbeat
            | Body::Sync { .. }
            | Body::Page { .. } => {
                if self.is_settled() {
                    self.note_twin(address, false);
                }
                // A later one asks in turn, and is answered.
                self.look_for_twin(address, rng);
            }
        }
    }

    /// Asks at an address where somebody is said to use the name of this node.
    pub(super) fn look_for_twin(&mut self, address: &Address, rng: &mut Rng) {
        if self.incarnation == 0 || self.twins.asked_at.is_some_and(|at| self.now.since(at) < AGAIN) {
            return;
        }
        self.twins.asked_at = Some(self.now);
        let id = self.id.clone();
        self.ping_at(&id, address, Purpose::Contact, rng);
    }

    fn note_twin(&mut self, address: &Address, is_later: bool) {
        let before = self.twin().filter(|claim| claim.address == *address);
        if before.is_none() {
            let (held, claimed) = (self.address.clone(), address.clone());
            self.happened(MemberEvent::NameClaimed { peer: self.id.clone(), held, claimed });
        }
        self.twins.own = Some(NameClaim { address: address.clone(), heard_at: self.now });
        self.twins.is_later |= is_later;
    }
}
