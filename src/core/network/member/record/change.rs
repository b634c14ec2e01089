//! What happened to a member. Stored: variants and fields are only ever appended, at the end.

use serde::{Deserialize, Serialize};

use crate::kernel::ids::{DatacenterId, NodeId};
use crate::kernel::time::Timestamp;
use crate::network::member::{MemberEvent, MemberState, NodeRole, RemovalReason, TimeoutFactors};

/// What is believed of a member.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Its state; none where it is not known.
    pub state: Option<MemberState>,
    /// The highest incarnation that was on record of it.
    pub incarnation: u64,
    /// What it does, where that is known.
    pub role: Option<NodeRole>,
}

/// How long a probe waited that went unanswered: its factors, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waited {
    /// Local health of the node that asked.
    pub local_health_permille: u64,
    /// The delay of its process.
    pub degradation_permille: u64,
    /// The distance of the member.
    pub latency_permille: u64,
    /// The doubt about that.
    pub confidence_permille: u64,
    /// The member's own word.
    pub peer_health_permille: u64,
}

impl From<&TimeoutFactors> for Waited {
    fn from(factors: &TimeoutFactors) -> Self {
        // A factor is 1 to 10.
        let permille = |factor: f64| (factor * 1_000.0).round().clamp(0.0, 1e9) as u64;
        Waited {
            local_health_permille: permille(factors.local_health),
            degradation_permille: permille(factors.degradation),
            latency_permille: permille(factors.latency),
            confidence_permille: permille(factors.confidence),
            peer_health_permille: permille(factors.peer_health),
        }
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The member was heard of.
    Discovered {
        /// Who said so; none for the configuration and for the member itself.
        said_by: Option<NodeId>,
    },
    /// It was heard from for the first time.
    Confirmed,
    /// It is no longer known.
    Removed {
        /// Why.
        reason: RemovalReason,
    },
    /// It changed its state.
    Moved {
        /// From.
        from: MemberState,
        /// To.
        to: MemberState,
        /// The incarnation that is known of it now.
        incarnation: u64,
        /// Who said so; this node itself where it found out.
        said_by: NodeId,
        /// How long the probe waited that went unanswered, and why.
        waited: Option<Waited>,
    },
    /// What it does became known.
    RoleLearned {
        /// What.
        role: NodeRole,
    },
    /// A process began and knows this of it.
    Found(Standing),
    /// The node itself has a new incarnation.
    IncarnationRaised {
        /// Which.
        incarnation: u64,
    },
    /// The node itself began.
    Began {
        /// What it does.
        role: NodeRole,
        /// Where it stands.
        datacenter: DatacenterId,
        /// Where others reach it.
        address: String,
        /// Names of the keys that open; the first one seals.
        keys: Vec<String>,
    },
    /// The node itself has other keys.
    KeysChanged {
        /// Names of those that open from now on; the first one seals.
        keys: Vec<String>,
        /// Those that are new.
        added: Vec<String>,
        /// Those that open no more: who has no other one is out.
        dropped: Vec<String>,
    },
    /// The node itself said that it leaves.
    Left,
    /// Two nodes use this name.
    NameClaimed {
        /// Where the node is that has it.
        held: String,
        /// Where the other one says that it is.
        claimed: String,
    },
}

impl Change {
    /// What of an event of membership goes on record, and whose record that is; none of the node itself. A return from the dead is
    /// a move; a warning is none.
    pub fn of(event: &MemberEvent) -> Option<(Option<NodeId>, Change)> {
        Some(match event {
            MemberEvent::NameClaimed { peer, held, claimed } => {
                let (held, claimed) = (held.to_string(), claimed.to_string());
                (Some(peer.clone()), Change::NameClaimed { held, claimed })
            }
            MemberEvent::Discovered { peer, role: _, by } => {
                (Some(peer.clone()), Change::Discovered { said_by: by.clone() })
            }
            MemberEvent::Confirmed { peer } => (Some(peer.clone()), Change::Confirmed),
            MemberEvent::Removed { peer, reason } => {
                (Some(peer.clone()), Change::Removed { reason: *reason })
            }
            MemberEvent::Transition { peer, from, to, incarnation, by, factors } => {
                let moved = Change::Moved {
                    from: *from,
                    to: *to,
                    incarnation: *incarnation,
                    said_by: by.clone(),
                    waited: factors.as_ref().map(Waited::from),
                };
                (Some(peer.clone()), moved)
            }
            MemberEvent::RoleLearned { peer, role } => {
                (Some(peer.clone()), Change::RoleLearned { role: *role })
            }
            MemberEvent::IncarnationRaised { incarnation } => {
                (None, Change::IncarnationRaised { incarnation: *incarnation })
            }
            MemberEvent::Recovered { .. } | MemberEvent::UnconfirmedLong { .. } => return None,
        })
    }

    /// Is it recorded whatever else was? It is what somebody did here, and not what others can make happen.
    pub fn is_own_act(&self) -> bool {
        match self {
            Change::Began { .. } | Change::KeysChanged { .. } | Change::Left => true,
            Change::Discovered { .. }
            | Change::Confirmed
            | Change::Removed { .. }
            | Change::Moved { .. }
            | Change::RoleLearned { .. }
            | Change::Found(_)
            | Change::NameClaimed { .. }
            | Change::IncarnationRaised { .. } => false,
        }
    }
}

/// A change, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// What.
    pub change: Change,
    /// When it happened.
    pub at: Timestamp,
}

/// Many changes as one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    /// How many they are.
    pub changes: u64,
    /// How often it was suspected.
    pub suspected: u64,
    /// How often it was taken for dead.
    pub died: u64,
    /// How often it came back.
    pub returned: u64,
    /// How often it was discovered.
    pub discovered: u64,
    /// How often it was removed.
    pub removed: u64,
    /// What was believed of it after the last one.
    pub standing: Standing,
    /// When the first one happened.
    pub since: Timestamp,
    /// When the last one happened.
    pub at: Timestamp,
}

impl Merged {
    /// No change yet.
    pub fn new(since: Timestamp) -> Self {
        Merged {
            changes: 0,
            suspected: 0,
            died: 0,
            returned: 0,
            discovered: 0,
            removed: 0,
            standing: Standing::default(),
            since,
            at: since,
        }
    }

    /// Counts one change.
    pub fn add(&mut self, noted: &Noted) {
        let count = match &noted.change {
            Change::Moved { to: MemberState::Suspect, .. } => Some(&mut self.suspected),
            Change::Moved { to: MemberState::Down, .. } => Some(&mut self.died),
            Change::Moved { to: MemberState::Alive, .. } => Some(&mut self.returned),
            Change::Discovered { .. } => Some(&mut self.discovered),
            Change::Removed { .. } => Some(&mut self.removed),
            Change::Moved { to: MemberState::Unconfirmed, .. }
            | Change::Confirmed
            | Change::RoleLearned { .. }
            | Change::Found(_)
            | Change::IncarnationRaised { .. }
            | Change::Began { .. }
            | Change::KeysChanged { .. }
            | Change::NameClaimed { .. }
            | Change::Left => None,
        };
        if let Some(count) = count {
            *count = count.saturating_add(1);
        }
        self.changes = self.changes.saturating_add(1);
        (self.since, self.at) = (self.since.min(noted.at), self.at.max(noted.at));
    }

    /// The changes of both, of which the other ones came later.
    pub fn and(mut self, later: &Merged) -> Self {
        for (count, more) in [
            (&mut self.changes, later.changes),
            (&mut self.suspected, later.suspected),
            (&mut self.died, later.died),
            (&mut self.returned, later.returned),
            (&mut self.discovered, later.discovered),
            (&mut self.removed, later.removed),
        ] {
            *count = count.saturating_add(more);
        }
        self.standing.clone_from(&later.standing);
        (self.since, self.at) = (self.since.min(later.since), self.at.max(later.at));
        self
    }
}

/// One record. `at` is when it happened, as far as the journal's clock goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The member was heard of.
    Discovered {
        /// Who said so; none for the configuration and for the member itself.
        said_by: Option<NodeId>,
        /// When.
        at: Timestamp,
    },
    /// It was heard from for the first time.
    Confirmed {
        /// When.
        at: Timestamp,
    },
    /// It is no longer known.
    Removed {
        /// Why.
        reason: RemovalReason,
        /// When.
        at: Timestamp,
    },
    /// It changed its state.
    Moved {
        /// From.
        from: MemberState,
        /// To.
        to: MemberState,
        /// The incarnation that is known of it now.
        incarnation: u64,
        /// Who said so; this node itself where it found out.
        said_by: NodeId,
        /// How long the probe waited that went unanswered, and why.
        waited: Option<Waited>,
        /// When.
        at: Timestamp,
    },
    /// What it does became known.
    RoleLearned {
        /// What.
        role: NodeRole,
        /// When.
        at: Timestamp,
    },
    /// A process began and knows this of it, other than what was on record.
    Found {
        /// What is believed of it.
        standing: Standing,
        /// When.
        at: Timestamp,
    },
    /// The node itself has a new incarnation.
    IncarnationRaised {
        /// Which.
        incarnation: u64,
        /// When.
        at: Timestamp,
    },
    /// The node itself began.
    Began {
        /// What it does.
        role: NodeRole,
        /// Where it stands.
        datacenter: DatacenterId,
        /// Where others reach it.
        address: String,
        /// Names of the keys that open; the first one seals.
        keys: Vec<String>,
        /// When.
        at: Timestamp,
    },
    /// The node itself has other keys.
    KeysChanged {
        /// Names of those that open from now on; the first one seals.
        keys: Vec<String>,
        /// Those that are new.
        added: Vec<String>,
        /// Those that open no more: who has no other one is out.
        dropped: Vec<String>,
        /// When.
        at: Timestamp,
    },
    /// The node itself said that it leaves.
    Left {
        /// When.
        at: Timestamp,
    },
    /// More happened than is recorded one by one.
    Merged(Merged),
    /// Of more members at once than can be told apart, so much happened that stands in no record of theirs.
    Unnamed {
        /// How many changes.
        changes: u64,
        /// When the last one happened.
        at: Timestamp,
    },
    /// Two nodes use this name.
    NameClaimed {
        /// Where the node is that has it, as far as this one goes by.
        held: String,
        /// Where the other one says that it is.
        claimed: String,
        /// When.
        at: Timestamp,
    },
}

impl Event {
    /// A change as it is recorded, at an instant that is not later than the journal's.
    pub(super) fn of(noted: Noted, now: Timestamp) -> Self {
        let at = noted.at.min(now);
        match noted.change {
            Change::Discovered { said_by } => Event::Discovered { said_by, at },
            Change::Confirmed => Event::Confirmed { at },
            Change::Removed { reason } => Event::Removed { reason, at },
            Change::Moved { from, to, incarnation, said_by, waited } => {
                Event::Moved { from, to, incarnation, said_by, waited, at }
            }
            Change::RoleLearned { role } => Event::RoleLearned { role, at },
            Change::Found(standing) => Event::Found { standing, at },
            Change::IncarnationRaised { incarnation } => Event::IncarnationRaised { incarnation, at },
            Change::Began { role, datacenter, address, keys } => {
                Event::Began { role, datacenter, address, keys, at }
            }
            Change::KeysChanged { keys, added, dropped } => Event::KeysChanged { keys, added, dropped, at },
            Change::Left => Event::Left { at },
            Change::NameClaimed { held, claimed } => Event::NameClaimed { held, claimed, at },
        }
    }

    /// When it happened.
    pub fn at(&self) -> Timestamp {
        match self {
            Event::Discovered { at, .. }
            | Event::Confirmed { at }
            | Event::Removed { at, .. }
            | Event::Moved { at, .. }
            | Event::RoleLearned { at, .. }
            | Event::Found { at, .. }
            | Event::IncarnationRaised { at, .. }
            | Event::Began { at, .. }
            | Event::KeysChanged { at, .. }
            | Event::Left { at }
            | Event::NameClaimed { at, .. }
            | Event::Unnamed { at, .. } => *at,
            Event::Merged(merged) => merged.at,
        }
    }

    /// Does it count among those of which only so many are recorded?
    pub(super) fn is_bounded(&self) -> bool {
        match self {
            Event::Began { .. } | Event::KeysChanged { .. } | Event::Left { .. } => false,
            Event::Discovered { .. }
            | Event::Confirmed { .. }
            | Event::Removed { .. }
            | Event::Moved { .. }
            | Event::RoleLearned { .. }
            | Event::Found { .. }
            | Event::IncarnationRaised { .. }
            | Event::Merged(_)
            | Event::NameClaimed { .. }
            | Event::Unnamed { .. } => true,
        }
    }

    /// Is the member known after it? None where it says nothing of that.
    pub fn is_known(&self) -> Option<bool> {
        match self {
            Event::Discovered { .. }
            | Event::Confirmed { .. }
            | Event::Moved { .. }
            | Event::Began { .. } => Some(true),
            Event::Removed { .. } | Event::Left { .. } => Some(false),
            Event::Found { standing, .. } | Event::Merged(Merged { standing, .. }) => {
                Some(standing.state.is_some())
            }
            Event::RoleLearned { .. }
            | Event::IncarnationRaised { .. }
            | Event::KeysChanged { .. }
            | Event::NameClaimed { .. }
            | Event::Unnamed { .. } => None,
        }
    }

    /// The name of the variant, as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Discovered { .. } => "discovered",
            Event::Confirmed { .. } => "confirmed",
            Event::Removed { .. } => "removed",
            Event::Moved { .. } => "moved",
            Event::RoleLearned { .. } => "role_learned",
            Event::Found { .. } => "found",
            Event::IncarnationRaised { .. } => "incarnation_raised",
            Event::Began { .. } => "began",
            Event::KeysChanged { .. } => "keys_changed",
            Event::Left { .. } => "left",
            Event::Merged(_) => "merged",
            Event::Unnamed { .. } => "unnamed",
            Event::NameClaimed { .. } => "name_claimed",
        }
    }
}
