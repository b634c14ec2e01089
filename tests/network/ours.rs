//! The project's own membership on the simulated network.

use quorate_core::kernel::ids::{DatacenterId, NodeId};
use quorate_core::kernel::rng::Rng;
use quorate_core::kernel::time::Timestamp;
use quorate_core::network::coordinate::VivaldiConfig;
use quorate_core::network::member::record::{Change, Notebook, Noted, Standing};
use quorate_core::network::member::{
    Address, Command, DATAGRAM_BYTES, Effect, Input, LocalNode, MemberConfig, MemberEvent, MemberState,
    Membership, NodeRole,
};

use crate::cluster::{Out, Protocol};

pub struct Ours {
    number: usize,
    pub node: Membership,
    rng: Rng,
    /// What the host's disk holds.
    pub stored: u64,
    pub first: Vec<Effect>,
    pub events: Vec<MemberEvent>,
    /// Keep what happened, for tests that look at it.
    pub is_recording: bool,
    /// What is to go on record, for tests that look at that.
    pub notebook: Option<Notebook>,
    /// How much was noted there.
    pub noted: u64,
    /// The highest incarnation that left this process.
    pub sent_incarnation: u64,
    addresses: Vec<Address>,
}

pub fn id(number: usize) -> NodeId {
    NodeId::new(format!("n{number:04}")).unwrap()
}

pub fn address(number: usize) -> Address {
    Address::new(format!("{number}")).unwrap()
}

/// A few dimensions and a few peers are enough here; a large cluster then fits into memory.
pub fn config() -> MemberConfig {
    let vivaldi = VivaldiConfig { dimensions: 3, max_tracked_peers: 256, ..VivaldiConfig::default() };
    MemberConfig { vivaldi, ..MemberConfig::default() }
}

/// SWIM as in its paper: a suspicion of one length, and no doubt of oneself.
pub fn plain() -> MemberConfig {
    MemberConfig { health_score_max: 0, suspicion_max_factor: 1.0, suspicion_confirmers: 0, ..config() }
}

impl Ours {
    pub fn new(number: usize, role: NodeRole, config: &MemberConfig, seed: u64) -> Self {
        Self::again(number, role, config, seed, 0, Timestamp::EPOCH)
    }

    pub fn again(
        number: usize,
        role: NodeRole,
        config: &MemberConfig,
        seed: u64,
        stored: u64,
        now: Timestamp,
    ) -> Self {
        let datacenter = DatacenterId::new("dc1").unwrap();
        let me = LocalNode { id: id(number), address: address(number), role, datacenter };
        let (node, first) = Membership::new(me, stored, config.clone(), now).unwrap();
        let rng = Rng::new(seed.wrapping_mul(1_000_003).wrapping_add(number as u64));
        let (events, addresses) = (Vec::new(), Vec::new());
        Ours {
            number,
            node,
            rng,
            stored,
            first,
            events,
            is_recording: false,
            notebook: None,
            noted: 0,
            sent_incarnation: 0,
            addresses,
        }
    }

    /// What is believed of a node.
    pub fn standing(&self, of: &NodeId) -> Standing {
        if of == self.node.id() {
            let (incarnation, role) = (self.node.incarnation(), Some(self.node.role()));
            return Standing { state: Some(MemberState::Alive), incarnation, role };
        }
        self.node.member(of).map_or_else(Standing::default, |member| Standing {
            state: Some(member.state()),
            incarnation: member.incarnation(),
            role: member.role(),
        })
    }

    pub fn note(&mut self, of: &NodeId, change: Change, at: Timestamp) {
        let standing = self.standing(of);
        if let Some(notebook) = &mut self.notebook {
            notebook.note(of, Noted { change, at }, &standing);
            self.noted += 1;
        }
    }

    fn give(&mut self, input: Input<'_>, now: Timestamp) -> Out {
        let effects = self.node.handle(input, now, &mut self.rng);
        self.carry_out(effects, now)
    }

    fn carry_out(&mut self, effects: Vec<Effect>, now: Timestamp) -> Out {
        let mut out = Out::default();
        for effect in effects {
            match effect {
                Effect::Send { to, bytes } => {
                    assert!(bytes.len() <= DATAGRAM_BYTES);
                    // Durable, then visible.
                    assert!(self.node.incarnation() <= self.stored);
                    self.sent_incarnation = self.sent_incarnation.max(self.node.incarnation());
                    out.sent.push((to.as_str().parse().unwrap(), bytes));
                }
                Effect::StoreIncarnations { upto } => {
                    assert!(upto > self.stored, "{} stores {upto} twice", self.number);
                    self.stored = upto;
                    let more = self.node.handle(
                        Input::Command(Command::IncarnationsStored { upto }),
                        now,
                        &mut self.rng,
                    );
                    let more = self.carry_out(more, now);
                    out.sent.extend(more.sent);
                    out.deaths.extend(more.deaths);
                }
                Effect::Happened(event) => {
                    if let MemberEvent::Transition { peer, to: MemberState::Down, .. } = &event {
                        out.deaths.push(peer.as_str()[1..].parse().unwrap());
                    }
                    if let Some((peer, change)) = Change::of(&event) {
                        let peer = peer.unwrap_or_else(|| self.node.id().clone());
                        self.note(&peer, change, now);
                    }
                    if self.is_recording {
                        self.events.push(event);
                    }
                }
            }
        }
        out
    }
}

impl Protocol for Ours {
    fn start(&mut self, seeds: &[usize], now: Timestamp) -> Out {
        let effects = std::mem::take(&mut self.first);
        let mut out = self.carry_out(effects, now);
        let seeds = seeds.iter().map(|seed| address(*seed)).collect();
        out.sent.extend(self.give(Input::Command(Command::Join(seeds)), now).sent);
        out
    }

    fn datagram(&mut self, from: usize, bytes: &[u8], now: Timestamp) -> Out {
        while self.addresses.len() <= from {
            self.addresses.push(address(self.addresses.len()));
        }
        let from = self.addresses[from].clone();
        self.give(Input::Datagram { from: &from, bytes }, now)
    }

    fn timer(&mut self, now: Timestamp) -> Out {
        self.give(Input::Timer, now)
    }

    fn due(&self) -> Option<Timestamp> {
        self.node.due()
    }

    fn sees(&self, other: usize) -> bool {
        let member = self.node.member(&id(other));
        member.is_some_and(|m| matches!(m.state(), MemberState::Alive | MemberState::Suspect))
    }
}
