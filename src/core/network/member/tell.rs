//! Who is told what: every datagram carries who this node is, where it stands, and as much news as fits.

use super::address::Address;
use super::event::Effect;
use super::lifecycle::{Claim, MemberState};
use super::node::Membership;
use super::table::Member;
use super::wire::{Body, Sender, Update, encode};
use crate::kernel::ids::NodeId;
use crate::kernel::rng::Rng;

impl Membership {
    /// Some peers that fit, in random order.
    pub(super) fn some_peers(
        &self,
        most: usize,
        rng: &mut Rng,
        fits: impl Fn(&NodeId, &Member) -> bool,
    ) -> Vec<NodeId> {
        let mut chosen: Vec<NodeId> = Vec::new();
        let n = self.rotation.len() as u64;
        // A few looks at random places; where few fit, all are looked at.
        for _ in 0..most * 4 {
            if chosen.len() >= most || n == 0 {
                break;
            }
            let id = &self.rotation[(rng.next_u64() % n) as usize];
            if !chosen.contains(id) && self.table.get(id).is_some_and(|member| fits(id, member)) {
                chosen.push(id.clone());
            }
        }
        if chosen.len() < most && n <= 64 {
            let rest = self.table.iter().filter(|(id, member)| fits(id, member) && !chosen.contains(id));
            let mut rest: Vec<NodeId> = rest.map(|(id, _)| id.clone()).collect();
            while chosen.len() < most && !rest.is_empty() {
                chosen.push(rest.swap_remove((rng.next_u64() % rest.len() as u64) as usize));
            }
        }
        chosen
    }

    pub(super) fn send_to(&mut self, id: &NodeId, body: &Body) {
        if let Some(address) = self.table.get(id).map(|member| member.address.clone()) {
            self.send(&address, Some(id), body);
        }
    }

    /// Sends what is said, with the own coordinate and as much news as fits. Whoever is suspected or taken for dead is told
    /// so first.
    pub(super) fn send(&mut self, to: &Address, id: Option<&NodeId>, body: &Body) {
        let accused = id.filter(|id| {
            self.table.get(id).is_some_and(|m| matches!(m.state, MemberState::Suspect | MemberState::Down))
        });
        let mut told = Vec::new();
        let mut news = accused.into_iter().map(|id| (id, None)).chain(self.gossip.iter());
        let sent = encode(&self.sender(), self.coordinates.get_coordinate(), body, |_| {
            loop {
                let (about, accuser) = news.next()?;
                if let Some(update) = self.update(about, accuser) {
                    told.push((about.clone(), accuser.cloned()));
                    return Some(update);
                }
            }
        });
        drop(news);
        self.push(to, sent, told);
    }

    /// Says there what is believed of one node, and nothing else.
    pub(super) fn tell_of(&mut self, to: &Address, about: &NodeId) {
        let mut held = self.update(about, None);
        let coordinate = self.coordinates.get_coordinate();
        let sent = encode(&self.sender(), coordinate, &Body::Gossip, |_| held.take());
        self.push(to, sent, Vec::new());
    }

    /// Sends a part of the list of those who are there: the receiver asks again behind the last one of it.
    pub(super) fn send_page(&mut self, to: &Address, nonce: u64, after: Option<&NodeId>) {
        let mut there = self.table.after(after).filter(|(_, member)| member.is_there());
        let body = Body::Page { nonce };
        let sent = encode(&self.sender(), self.coordinates.get_coordinate(), &body, |_| {
            there.next().and_then(|(id, _)| self.update(id, None))
        });
        drop(there);
        self.push(to, sent, Vec::new());
    }

    fn push(
        &mut self,
        to: &Address,
        (bytes, taken): (Vec<u8>, usize),
        mut told: Vec<(NodeId, Option<NodeId>)>,
    ) {
        if self.incarnation == 0 {
            self.counters.unsent += 1;
            return;
        }
        told.truncate(taken);
        let nodes = (self.table.count_there() + 2) as f64;
        let most = f64::from(self.config.retransmit_factor) * nodes.log10().max(1.0);
        self.gossip.told(&told, most.ceil() as u32);
        self.counters.sent += 1;
        self.counters.sent_bytes += bytes.len() as u64;
        self.effects.push(Effect::Send { to: to.clone(), bytes });
    }

    fn sender(&self) -> Sender {
        Sender {
            id: self.id.clone(),
            address: self.address.clone(),
            incarnation: self.incarnation,
            role: Some(self.role),
            health: self.health.told(),
            datacenter: self.datacenter.clone(),
        }
    }

    /// What is to be said of a node now.
    fn update(&self, id: &NodeId, accuser: Option<&NodeId>) -> Option<Update> {
        if *id == self.id {
            let (address, incarnation, role) = (self.address.clone(), self.incarnation, Some(self.role));
            let id = id.clone();
            let datacenter = Some(self.datacenter.clone());
            return Some(Update {
                claim: Claim::Alive,
                id,
                address,
                incarnation,
                role,
                accuser: None,
                datacenter,
            });
        }
        let member = self.table.get(id)?;
        let claim = match member.state {
            MemberState::Unconfirmed | MemberState::Alive => Claim::Alive,
            MemberState::Suspect => Claim::Suspect,
            MemberState::Down => Claim::Dead,
        };
        let accuser = match claim {
            Claim::Suspect => accuser.or(member.suspicion.as_ref().and_then(|s| s.accuser())).cloned(),
            Claim::Alive | Claim::Dead => None,
        };
        let (address, incarnation, role) = (member.address.clone(), member.incarnation, member.role);
        let datacenter = member.datacenter.clone();
        Some(Update { claim, id: id.clone(), address, incarnation, role, accuser, datacenter })
    }
}
