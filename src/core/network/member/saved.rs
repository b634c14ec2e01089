//! What of membership survives a restart: names and places. Trust is earned anew, and nobody is suspected or dead for what
//! happened before.

use serde::{Deserialize, Serialize};

use super::address::Address;
use super::config::MemberConfig;
use super::event::Effect;
use super::lifecycle::MemberState;
use super::node::{LocalNode, Membership, Timer, UNCONFIRMED_LONG};
use super::role::NodeRole;
use super::table::Member;
use crate::kernel::ids::{DatacenterId, NodeId};
use crate::kernel::time::Timestamp;
use crate::network::OutOfRange;
use crate::network::coordinate::{CoordinateTracker, SavedCoordinate};

/// A peer as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedMember {
    /// Who.
    pub id: NodeId,
    /// Where it was reached.
    pub address: String,
    /// What it does.
    pub role: Option<NodeRole>,
    /// Where it stands.
    pub datacenter: Option<DatacenterId>,
    /// What was believed of it.
    pub state: MemberState,
    /// The highest incarnation that was known of it.
    pub incarnation: u64,
    /// Since when it was in its state.
    pub since: Timestamp,
    /// When it was last heard from.
    pub seen_at: Option<Timestamp>,
    /// It had said that it leaves.
    pub has_left: bool,
}

/// What a node knew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedMembership {
    /// Where it stood.
    pub coordinate: SavedCoordinate,
    /// Whom it knew, in order.
    pub members: Vec<SavedMember>,
}

impl Membership {
    /// What is to be stored, so that a restart knows whom to ask.
    pub fn save(&self) -> SavedMembership {
        let members = self.table.iter().map(|(id, member)| SavedMember {
            id: id.clone(),
            address: member.address.as_str().to_owned(),
            role: member.role,
            datacenter: member.datacenter.clone(),
            state: member.state,
            incarnation: member.incarnation,
            since: member.since,
            seen_at: member.seen_at,
            has_left: member.has_left,
        });
        SavedMembership { coordinate: self.coordinates.save(self.now), members: members.collect() }
    }

    /// A node that was here before: as [`Membership::new`], but it stands where it stood, and knows by name whom it
    /// knew. Who was there is UNCONFIRMED and has its whole time to be confirmed; who was dead is dead, until it
    /// speaks with a higher incarnation. A peer whose address is none any more is left out.
    ///
    /// # Errors
    /// As [`Membership::new`].
    pub fn restored(
        me: LocalNode,
        stored: u64,
        config: MemberConfig,
        saved: &SavedMembership,
        now: Timestamp,
    ) -> Result<(Self, Vec<Effect>), OutOfRange> {
        let (mut node, effects) = Membership::new(me, stored, config, now)?;
        node.coordinates = CoordinateTracker::restored(node.config.vivaldi.clone(), &saved.coordinate, now)?;
        for known in &saved.members {
            node.remember(known);
        }
        Ok((node, effects))
    }

    fn remember(&mut self, known: &SavedMember) {
        let Ok(address) = Address::new(known.address.as_str()) else { return };
        if known.id == self.id || self.table.len() >= self.config.max_nodes {
            return;
        }
        let is_dead = known.state == MemberState::Down;
        let state = if is_dead { MemberState::Down } else { MemberState::Unconfirmed };
        let mut member = Member::new(address, state, known.incarnation, self.now);
        member.role = known.role;
        member.datacenter.clone_from(&known.datacenter);
        member.seen_at = known.seen_at.map(|at| at.min(self.now));
        if is_dead {
            member.since = known.since.min(self.now);
            member.has_left = known.has_left;
        }
        let over = member.since.plus(self.config.retention);
        self.table.insert(known.id.clone(), member);
        self.rotation.push(known.id.clone());
        if is_dead {
            self.timers.insert((over, Timer::Retention(known.id.clone())));
        } else {
            self.timers.insert((self.now.plus(UNCONFIRMED_LONG).next(), Timer::Warn(known.id.clone())));
            self.schedule_check(&known.id);
        }
    }
}
