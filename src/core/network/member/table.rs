//! What a node believes of every other one: the only truth, of which all lists are views.

use std::collections::BTreeMap;

use super::address::Address;
use super::lifecycle::MemberState;
use super::role::NodeRole;
use super::suspicion::Suspicion;
use super::timeout::{HEALTH_TTL, PeerHealth};
use crate::kernel::ids::{DatacenterId, NodeId};
use crate::kernel::time::Timestamp;

/// One peer.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    pub(super) address: Address,
    pub(super) role: Option<NodeRole>,
    /// It said so itself, and hearsay no longer counts.
    pub(super) is_own_role: bool,
    pub(super) datacenter: Option<DatacenterId>,
    pub(super) state: MemberState,
    pub(super) incarnation: u64,
    pub(super) discovered_at: Timestamp,
    pub(super) since: Timestamp,
    pub(super) seen_at: Option<Timestamp>,
    /// It said that it leaves; nobody tries to reach it.
    pub(super) has_left: bool,
    /// Probes to confirm it that were sent.
    pub(super) attempts: u32,
    pub(super) next_check: Timestamp,
    pub(super) health: PeerHealth,
    pub(super) health_at: Timestamp,
    pub(super) suspicion: Option<Box<Suspicion>>,
}

impl Member {
    pub(super) fn new(address: Address, state: MemberState, incarnation: u64, now: Timestamp) -> Self {
        Member {
            address,
            role: None,
            is_own_role: false,
            datacenter: None,
            state,
            incarnation,
            discovered_at: now,
            since: now,
            seen_at: None,
            has_left: false,
            attempts: 0,
            next_check: now,
            health: PeerHealth::Healthy,
            health_at: now,
            suspicion: None,
        }
    }

    /// Where it is reached.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What it does, where that is known.
    pub fn role(&self) -> Option<NodeRole> {
        self.role
    }

    /// Where it stands, where that is known.
    pub fn datacenter(&self) -> Option<&DatacenterId> {
        self.datacenter.as_ref()
    }

    /// What is believed of it.
    pub fn state(&self) -> MemberState {
        self.state
    }

    /// The highest incarnation that is known of it.
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// When it was first heard of.
    pub fn discovered_at(&self) -> Timestamp {
        self.discovered_at
    }

    /// Since when it has been in its state.
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// When it was last heard from.
    pub fn seen_at(&self) -> Option<Timestamp> {
        self.seen_at
    }

    /// Was it ever heard from? A peer that is dead was.
    pub fn is_confirmed(&self) -> bool {
        self.state != MemberState::Unconfirmed
    }

    /// May it be suspected now?
    pub fn can_suspect(&self) -> bool {
        self.state == MemberState::Alive
    }

    /// What it last said about its load, if that is not old.
    pub fn health(&self, now: Timestamp) -> PeerHealth {
        if now.since(self.health_at) <= HEALTH_TTL { self.health } else { PeerHealth::Healthy }
    }

    pub(super) fn coordinates(&self) -> bool {
        self.role.is_some_and(NodeRole::coordinates)
    }

    /// Heard from, and not taken for dead.
    pub(super) fn is_there(&self) -> bool {
        matches!(self.state, MemberState::Alive | MemberState::Suspect)
    }
}

/// Every peer by its id.
#[derive(Clone, Debug, Default)]
pub(super) struct MemberTable {
    members: BTreeMap<NodeId, Member>,
    counts: [usize; 4],
}

impl MemberTable {
    pub(super) fn get(&self, id: &NodeId) -> Option<&Member> {
        self.members.get(id)
    }

    /// The peer, to change all but its state.
    pub(super) fn get_mut(&mut self, id: &NodeId) -> Option<&mut Member> {
        self.members.get_mut(id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&NodeId, &Member)> {
        self.members.iter()
    }

    /// The peers after an id, in order.
    pub(super) fn after<'a>(
        &'a self,
        id: Option<&NodeId>,
    ) -> Box<dyn Iterator<Item = (&'a NodeId, &'a Member)> + 'a> {
        use std::ops::Bound::{Excluded, Unbounded};
        match id {
            None => Box::new(self.members.iter()),
            Some(id) => Box::new(self.members.range((Excluded(id.clone()), Unbounded))),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn count(&self, state: MemberState) -> usize {
        self.counts[state as usize]
    }

    /// Peers that are there.
    pub(super) fn count_there(&self) -> usize {
        self.count(MemberState::Alive) + self.count(MemberState::Suspect)
    }

    pub(super) fn insert(&mut self, id: NodeId, member: Member) {
        self.remove(&id);
        self.counts[member.state as usize] += 1;
        self.members.insert(id, member);
    }

    pub(super) fn set_state(&mut self, id: &NodeId, state: MemberState, now: Timestamp) {
        if let Some(member) = self.members.get_mut(id) {
            self.counts[member.state as usize] -= 1;
            self.counts[state as usize] += 1;
            member.state = state;
            member.since = now;
        }
    }

    pub(super) fn remove(&mut self, id: &NodeId) -> Option<Member> {
        let member = self.members.remove(id)?;
        self.counts[member.state as usize] -= 1;
        Some(member)
    }

    /// Who gives way when there is no room: the unconfirmed first, then the dead, the suspects, the others; of those the
    /// one that was heard from longest ago.
    pub(super) fn least(&self) -> Option<NodeId> {
        let rank = |member: &Member| match member.state {
            MemberState::Unconfirmed => 0,
            MemberState::Down => 1,
            MemberState::Suspect => 2,
            MemberState::Alive => 3,
        };
        let age = |member: &Member| member.seen_at.unwrap_or(member.discovered_at);
        let least = self.members.iter().min_by_key(|(_, member)| (rank(member), age(member)));
        least.map(|(id, _)| id.clone())
    }
}
