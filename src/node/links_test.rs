use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::links::{Links, Out};
use super::ring::KeyRing;
use quorate_core::kernel::rng::Rng;
use quorate_core::kernel::time::Timestamp;
use quorate_core::network::member::Address;

const START: Timestamp = Timestamp::EPOCH;

fn address(name: &str) -> Address {
    Address::new(name).unwrap()
}

fn ring(keys: &[u8]) -> KeyRing {
    KeyRing::of(&keys.iter().map(|key| [*key; 32]).collect::<Vec<_>>()).unwrap()
}

fn links(name: &str, keys: &[u8], seed: u64) -> Links {
    let mut rng = Rng::new(seed);
    Links::new(address(name), ring(keys), Box::new(move || Some(rng.next_u64()))).unwrap()
}

/// Nodes on a network that loses nothing and keeps all that was ever sent.
struct Net {
    nodes: BTreeMap<Address, Links>,
    now: Timestamp,
    recorded: Out,
    got: Vec<(String, String)>,
}

impl Net {
    fn new(nodes: Vec<(&str, Links)>) -> Self {
        let nodes = nodes.into_iter().map(|(name, links)| (address(name), links)).collect();
        Net { nodes, now: START, recorded: Vec::new(), got: Vec::new() }
    }

    fn say(&mut self, from: &str, to: &str, text: &str) {
        let sender = self.nodes.get_mut(&address(from)).unwrap();
        let out = sender.send(&address(to), text.as_bytes().to_vec(), self.now);
        self.deliver(out);
    }

    fn deliver(&mut self, mut out: Out) {
        while let Some((to, bytes)) = out.pop() {
            self.recorded.push((to.clone(), bytes.clone()));
            out.extend(self.bring(&to, &bytes));
        }
    }

    fn bring(&mut self, to: &Address, bytes: &[u8]) -> Out {
        let Some(node) = self.nodes.get_mut(to) else { return Vec::new() };
        let (taken, out) = node.receive(bytes, self.now);
        if let Some((_, message)) = taken {
            self.got.push((to.to_string(), String::from_utf8(message).unwrap()));
        }
        out
    }

    fn got(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.got)
    }

    fn wait(&mut self, ms: u64) {
        self.now = self.now.plus(Duration::from_millis(ms));
    }

    fn dropped(&self, name: &str) -> BTreeMap<&'static str, u64> {
        self.nodes[&address(name)].counters().dropped.clone()
    }
}

fn heard(to: &str, text: &str) -> Vec<(String, String)> {
    vec![(to.to_owned(), text.to_owned())]
}

#[test]
fn the_first_message_waits_for_a_greeting_and_then_comes_once() {
    let mut net = Net::new(vec![("a", links("a", &[1], 1)), ("b", links("b", &[1], 2))]);
    net.say("a", "b", "one");
    assert_eq!(net.got(), heard("b", "one"));
    net.say("b", "a", "two");
    assert_eq!(net.got(), heard("a", "two"));
    assert_eq!(net.recorded.len(), 4, "a greeting, its answer, and the messages");
}

#[test]
fn what_came_once_does_nothing_again_neither_here_nor_elsewhere_nor_after_a_restart() {
    let nodes = vec![("a", links("a", &[1], 1)), ("b", links("b", &[1], 2)), ("c", links("c", &[1], 3))];
    let mut net = Net::new(nodes);
    net.say("a", "b", "one");
    net.say("b", "a", "two");
    net.got();
    let recorded = net.recorded.clone();
    for name in ["a", "b", "c"] {
        for (_, bytes) in &recorded {
            net.bring(&address(name), bytes);
        }
    }
    net.nodes.insert(address("b"), links("b", &[1], 9));
    for (_, bytes) in &recorded {
        net.bring(&address("b"), bytes);
    }
    assert_eq!(net.got().len(), 0);
    assert!(net.dropped("a")["replayed"] > 0);
    assert!(net.dropped("c")["unbound"] > 0);
    assert!(net.dropped("b")["unbound"] > 0);
    // And everybody still talks, the restarted one too.
    net.wait(1_000);
    for (from, to) in [("b", "a"), ("a", "b"), ("c", "b")] {
        net.say(from, to, "still");
        assert_eq!(net.got(), heard(to, "still"), "{from} to {to}");
    }
}

#[test]
fn whoever_does_not_hear_that_a_peer_was_restarted_asks_after_three_messages() {
    let mut net = Net::new(vec![("a", links("a", &[1], 1)), ("b", links("b", &[1], 2))]);
    net.say("a", "b", "one");
    net.got();
    // The answers of b never reach a.
    net.nodes.insert(address("b"), links("b", &[1], 9));
    let mut lost = 0;
    while net.got.is_empty() {
        net.wait(500);
        let sender = net.nodes.get_mut(&address("a")).unwrap();
        let out = sender.send(&address("b"), b"again".to_vec(), net.now);
        if lost < 2 {
            let silent: Vec<_> = out.iter().map(|(to, bytes)| (to.clone(), bytes.clone())).collect();
            silent.iter().for_each(|(to, bytes)| drop(net.bring(to, bytes)));
        } else {
            net.deliver(out);
        }
        lost += 1;
        assert!(lost < 10);
    }
}

#[test]
fn a_word_of_a_life_that_is_over_is_not_taken_however_late_it_comes() {
    let mut net = Net::new(vec![("a", links("a", &[1], 1)), ("b", links("b", &[1], 2))]);
    net.say("a", "b", "one");
    let withheld = net.nodes.get_mut(&address("a")).unwrap().send(&address("b"), b"old".to_vec(), net.now);
    net.nodes.insert(address("a"), links("a", &[1], 9));
    net.say("a", "b", "new life");
    net.got();
    net.deliver(withheld);
    assert_eq!(net.got().len(), 0);
    assert_eq!(net.dropped("b")["ended"], 1);
    net.say("b", "a", "hello");
    assert_eq!(net.got(), heard("a", "hello"));
}

#[test]
fn keys_are_put_into_the_rings_in_any_order_and_nobody_misses_a_word() {
    let rings: [&[u8]; 3] = [&[1], &[2, 1], &[3, 2, 1]];
    for order in [["a", "b", "c"], ["c", "a", "b"], ["b", "c", "a"]] {
        let nodes = vec![("a", links("a", &[1], 1)), ("b", links("b", &[1], 2)), ("c", links("c", &[1], 3))];
        let mut net = Net::new(nodes);
        let everybody_talks = |net: &mut Net| {
            for from in ["a", "b", "c"] {
                for to in ["a", "b", "c"].into_iter().filter(|to| *to != from) {
                    net.say(from, to, "word");
                    assert_eq!(net.got(), heard(to, "word"), "{from} to {to}");
                }
            }
        };
        everybody_talks(&mut net);
        for keys in &rings[1..] {
            for name in order {
                net.nodes.get_mut(&address(name)).unwrap().set_ring(ring(keys));
                everybody_talks(&mut net);
            }
        }
        // A node that missed all rotations comes back, and one joins with the newest key alone.
        net.nodes.insert(address("a"), links("a", &[1], 11));
        net.wait(1_000);
        everybody_talks(&mut net);
        net.nodes.insert(address("a"), links("a", &[3], 12));
        net.wait(1_000);
        everybody_talks(&mut net);
        // The old keys go, one by one. Whoever has only these is out, and says so to itself alone.
        for name in ["b", "c"] {
            net.nodes.get_mut(&address(name)).unwrap().set_ring(ring(&[3]));
            everybody_talks(&mut net);
        }
        net.nodes.insert(address("a"), links("a", &[2, 1], 13));
        net.wait(1_000);
        net.say("a", "b", "revoked");
        net.say("b", "a", "secret");
        assert_eq!(net.got().len(), 0);
        assert!(net.dropped("b")["unknown_key"] > 0 && net.dropped("a")["unknown_key"] > 0);
    }
}

#[test]
fn greetings_that_are_repeated_are_answered_a_few_times_a_second() {
    let mut net = Net::new(vec![("b", links("b", &[1], 2))]);
    let greeting = links("a", &[1], 1).send(&address("b"), b"x".to_vec(), START);
    let mut answers = 0;
    for _ in 0..1_000 {
        net.wait(1);
        answers += net.bring(&address("b"), &greeting[0].1).len();
    }
    assert_eq!(answers, 5);
    net.wait(1_000);
    let answer = net.bring(&address("b"), &greeting[0].1);
    assert!(answer[0].1.len() <= greeting[0].1.len(), "nobody is flooded by way of this node");
}

#[test]
fn a_node_that_hears_itself_says_nothing() {
    let mut a = links("a", &[1], 1);
    let greeting = a.send(&address("a"), b"x".to_vec(), START);
    assert_eq!(a.receive(&greeting[0].1, START), (None, Vec::new()));
    assert_eq!(a.counters().dropped["reflected"], 1);
}

proptest! {
    /// Datagrams come in any order, some twice: each message is taken at most once, and each that is not much too late is.
    #[test]
    fn whatever_the_network_does_a_message_is_taken_once(
        order in prop::collection::vec(any::<prop::sample::Index>(), 1..200),
    ) {
        let mut net = Net::new(vec![("a", links("a", &[1], 1)), ("b", links("b", &[1], 2))]);
        net.say("b", "a", "hello");
        net.got();
        let a = net.nodes.get_mut(&address("a")).unwrap();
        let sent: Vec<_> =
            (0..64).flat_map(|n| a.send(&address("b"), format!("{n}").into_bytes(), START)).collect();
        let mut expected = std::collections::BTreeSet::new();
        for pick in order {
            let (to, bytes) = pick.get(&sent);
            expected.insert(bytes.clone());
            net.bring(to, bytes);
        }
        let got: Vec<String> = net.got().into_iter().map(|(_, text)| text).collect();
        let mut once = got.clone();
        once.sort();
        once.dedup();
        prop_assert_eq!(once.len(), got.len());
        prop_assert!(got.len() <= expected.len());
    }
}
