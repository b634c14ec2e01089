//! Two nodes of one name, beside a third one.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::*;
use crate::kernel::ids::{DatacenterId, NodeId};
use crate::kernel::rng::Rng;
use crate::kernel::time::Timestamp;

const STEP: Duration = Duration::from_millis(50);

fn addr(text: &str) -> Address {
    Address::new(text).unwrap()
}

fn id(text: &str) -> NodeId {
    NodeId::new(text).unwrap()
}

/// Nodes by their addresses, on a network that loses nothing but what it is told to.
struct Net {
    nodes: Vec<(Address, Membership)>,
    now: Timestamp,
    rng: Rng,
    /// Addresses that reach nobody and are reached by nobody.
    cut: BTreeSet<Address>,
    /// Names that were found to be claimed, and by whom that was found.
    claims: Vec<(Address, String, String)>,
}

impl Net {
    fn new() -> Self {
        let (nodes, claims, cut) = (Vec::new(), Vec::new(), BTreeSet::new());
        Net { nodes, now: Timestamp::EPOCH, rng: Rng::new(7), cut, claims }
    }

    fn start(&mut self, name: &str, at: &str, stored: u64, seed: Option<&str>) {
        let me = LocalNode {
            id: id(name),
            address: addr(at),
            role: NodeRole::Manager,
            datacenter: DatacenterId::new("dc").unwrap(),
        };
        let (node, effects) = Membership::new(me, stored, MemberConfig::default(), self.now).unwrap();
        self.nodes.push((addr(at), node));
        self.carry(addr(at), effects);
        if let Some(seed) = seed {
            self.give(&addr(at), Input::Command(Command::Join(vec![addr(seed)])));
        }
    }

    fn give(&mut self, at: &Address, input: Input<'_>) {
        let Some((_, node)) = self.nodes.iter_mut().find(|(address, _)| address == at) else { return };
        let effects = node.handle(input, self.now, &mut self.rng);
        self.carry(at.clone(), effects);
    }

    fn carry(&mut self, from: Address, effects: Vec<Effect>) {
        let mut queue: VecDeque<(Address, Effect)> =
            effects.into_iter().map(|effect| (from.clone(), effect)).collect();
        while let Some((from, effect)) = queue.pop_front() {
            let (to, sent) = match effect {
                Effect::Send { to, bytes } => {
                    if self.cut.contains(&from) != self.cut.contains(&to) {
                        continue;
                    }
                    (to, Some(bytes))
                }
                Effect::StoreIncarnations { upto } => {
                    self.give(&from, Input::Command(Command::IncarnationsStored { upto }));
                    continue;
                }
                Effect::Happened(MemberEvent::NameClaimed { peer, claimed, .. }) => {
                    self.claims.push((from, peer.to_string(), claimed.to_string()));
                    continue;
                }
                Effect::Happened(_) => continue,
            };
            let Some((_, node)) = self.nodes.iter_mut().find(|(address, _)| *address == to) else { continue };
            let bytes = sent.unwrap_or_default();
            let more = node.handle(Input::Datagram { from: &from, bytes: &bytes }, self.now, &mut self.rng);
            queue.extend(more.into_iter().map(|effect| (to.clone(), effect)));
        }
    }

    /// Seconds pass; the addresses at which the third node believed this name to be meanwhile.
    fn run(&mut self, seconds: u64) -> Vec<String> {
        let mut seen: Vec<String> = Vec::new();
        for _ in 0..Duration::from_secs(seconds).as_millis() / STEP.as_millis() {
            self.now = self.now.plus(STEP);
            let all: Vec<Address> = self.nodes.iter().map(|(address, _)| address.clone()).collect();
            for at in all {
                self.give(&at, Input::Timer);
            }
            let known = self.at("c").member(&id("x"));
            let there = known.filter(|member| member.state() != MemberState::Down);
            let at = there.map_or("nowhere".to_owned(), |member| member.address().to_string());
            if seen.last() != Some(&at) {
                seen.push(at);
            }
        }
        seen
    }

    fn at(&self, address: &str) -> &Membership {
        &self.nodes.iter().find(|(at, _)| *at == addr(address)).unwrap().1
    }

    fn end(&mut self, address: &str) {
        self.nodes.retain(|(at, _)| *at != addr(address));
    }
}

fn settled() -> Net {
    let mut net = Net::new();
    net.start("c", "c", 0, None);
    net.start("x", "x1", 0, Some("c"));
    net.run(15);
    net
}

#[test]
fn the_later_of_two_nodes_of_one_name_has_to_end_and_the_first_one_keeps_it() {
    // It asks a third one, or the first one itself; and it may come with any incarnation.
    for (seed, stored) in [("c", 0), ("c", 500), ("x1", 0), ("x1", 500)] {
        let mut net = settled();
        let incarnation = net.at("x1").incarnation();
        net.start("x", "x2", stored, Some(seed));
        assert_eq!(net.run(2), ["x1"], "{seed} {stored}");
        assert_eq!(net.at("x2").taken_by(), Some(&addr("x1")), "{seed} {stored}");
        assert_eq!((net.at("x1").taken_by(), net.at("x1").incarnation()), (None, incarnation));
        assert_eq!(net.at("x1").twin().map(|claim| &claim.address), Some(&addr("x2")));
        let told = |at: &str, by: &str| (addr(at), "x".to_owned(), by.to_owned());
        assert!(net.claims.contains(&told("x1", "x2")) && net.claims.contains(&told("x2", "x1")));
        assert!(seed != "c" || net.claims.contains(&told("c", "x2")));
        let told_before = net.claims.len();
        // It does not end: nobody goes back and forth, and nothing is told again and again.
        assert_eq!(net.run(120), ["x1"], "{seed} {stored}");
        assert!(net.claims.len() <= told_before + 1, "{:?}", net.claims);
        net.end("x2");
        net.run(61);
        assert_eq!((net.at("x1").twin(), net.at("c").claimed_names().count()), (None, 0));
    }
}

#[test]
fn a_node_that_died_takes_its_name_again_at_another_address() {
    for leaves in [false, true] {
        let mut net = settled();
        if leaves {
            net.give(&addr("x1"), Input::Command(Command::Leave));
        }
        net.end("x1");
        net.start("x", "x2", 20, Some("c"));
        let seen = net.run(60);
        assert_eq!(seen.last().map(String::as_str), Some("x2"), "{seen:?}");
        assert!(seen.len() <= 3, "{seen:?}");
        assert_eq!((net.at("x2").taken_by(), net.at("x2").twin()), (None, None));
        assert_eq!(net.at("c").member(&id("x")).unwrap().state(), MemberState::Alive);
    }
}

#[test]
fn two_that_were_there_before_they_met_are_both_told_and_the_others_keep_the_one_they_know() {
    let mut net = settled();
    net.cut = [addr("x2"), addr("d")].into();
    net.start("d", "d", 0, None);
    net.start("x", "x2", 900, Some("d"));
    net.run(30);
    net.cut.clear();
    net.give(&addr("d"), Input::Command(Command::Join(vec![addr("c")])));
    assert_eq!(net.run(120), ["x1"]);
    for (at, other) in [("x1", "x2"), ("x2", "x1")] {
        assert_eq!(net.at(at).twin().map(|claim| claim.address.to_string()).as_deref(), Some(other));
        assert_eq!(net.at(at).taken_by(), None);
    }
    assert_eq!(net.at("d").member(&id("x")).unwrap().address(), &addr("x2"));
}
