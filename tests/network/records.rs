//! What goes on record of membership, in virtual time: the record says what was decided, and counts what it merges.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate_core::kernel::driver::Driver;
use quorate_core::kernel::ids::{DatacenterId, NodeId};
use quorate_core::kernel::time::Timestamp;
use quorate_core::network::member::record::{
    BURST, Change, Command, Event, MemberMachine, Notebook, Reply, WINDOW,
};
use quorate_core::network::member::{LocalNode, Membership, NodeRole};

use crate::cluster::Cluster;
use crate::ours::{Ours, address, config, id};

impl Ours {
    /// A process that keeps a notebook, and knows whom the one before it had saved.
    pub fn recording(number: usize, before: Option<&Ours>, seed: u64, now: Timestamp) -> Self {
        let role = if number.is_multiple_of(3) { NodeRole::Worker } else { NodeRole::Manager };
        let stored = before.map_or(0, |before| before.stored);
        let mut ours = Self::again(number, role, &config(), seed, stored, now);
        if let Some(before) = before {
            let datacenter = DatacenterId::new("dc1").unwrap();
            let me = LocalNode { id: id(number), address: address(number), role, datacenter };
            let restored = Membership::restored(me, stored, config(), &before.node.save(), now);
            (ours.node, ours.first) = restored.unwrap();
        }
        ours.notebook = Some(Notebook::new(id(number)));
        let known: Vec<NodeId> = ours.node.members().map(|(id, _)| id.clone()).collect();
        for id in known {
            let found = Change::Found(ours.standing(&id));
            ours.note(&id, found, now);
        }
        ours
    }
}

/// Events, each with the instant at which it was recorded.
type Recorded = Vec<(Timestamp, Event)>;

/// The journal of one node: it outlives its processes.
#[derive(Default)]
struct Journal {
    of: BTreeMap<NodeId, (Driver<MemberMachine>, Recorded)>,
    /// What was in a notebook when its process was killed.
    lost: u64,
}

impl Journal {
    /// Records what may be recorded, as the shell does.
    fn record(&mut self, node: &mut Ours, now: Timestamp) {
        let Some(notebook) = &mut node.notebook else { return };
        while let Some((id, note)) = notebook.take(now) {
            let (driver, events) = self.of.entry(id.clone()).or_default();
            let step = driver.step(Command::Note(Box::new(note.clone())), now);
            events.extend(step.events.into_iter().map(|event| (now, event)));
            match step.reply.unwrap() {
                Reply::Noted => {}
                Reply::Full { until } => notebook.put_back(id, note, until),
            }
        }
    }

    /// Those that are known, as far as this says.
    fn known(&self) -> Vec<NodeId> {
        let known = self.of.iter().filter(|(_, (driver, _))| driver.state().standing.state.is_some());
        known.map(|(id, _)| id.clone()).collect()
    }

    fn agrees_with(&self, node: &Ours) {
        for (peer, member) in node.node.members() {
            let (driver, _) = self.of.get(peer).unwrap_or_else(|| panic!("nothing on record of {peer}"));
            let standing = &driver.state().standing;
            assert_eq!(standing.state, Some(member.state()), "{peer} at {}", node.node.id());
            assert_eq!(standing.role, member.role(), "{peer} at {}", node.node.id());
            assert!(standing.incarnation <= member.incarnation(), "{peer} at {}", node.node.id());
        }
        for peer in self.known() {
            let is_there = peer == *node.node.id() || node.node.member(&peer).is_some();
            assert!(is_there, "{peer} is on record and not known at {}", node.node.id());
        }
        for (peer, (driver, events)) in &self.of {
            // The fold of what was recorded is what the machine knows, and no window holds more than it may.
            let mut again = Driver::<MemberMachine>::default();
            events.iter().for_each(|(_, event)| again.replay(event));
            assert_eq!(again.state(), driver.state());
            for window in events.windows(BURST + 1) {
                // What was recorded late counts from when it happened.
                let first = window[..BURST].iter().map(|(_, event)| event.at()).min().unwrap();
                let span = window[BURST].0.since(first);
                assert!(span >= WINDOW, "{span:?} for {} events of {peer}", BURST + 1);
            }
        }
    }
}

/// Processes that stall, crash, are killed and come back on a network that loses every fifth datagram: whatever is decided
/// meanwhile, each journal says at the end what its node believes, and how much happened on the way.
#[test]
fn the_record_says_what_membership_decided_also_after_a_process_was_killed() {
    for seed in [1, 2] {
        let n = 12;
        let nodes = (0..n).map(|number| Ours::recording(number, None, seed, Timestamp::EPOCH)).collect();
        let mut cluster = Cluster::new(nodes, 0.2, seed);
        let mut journals: Vec<Journal> = (0..n).map(|_| Journal::default()).collect();
        cluster.start();
        let mut noted_before = vec![0; n];
        for round in 0..40 {
            let flapping = (round * 5 + 2) % n;
            cluster.stall(flapping, Duration::from_secs(20));
            cluster.stall(7, Duration::from_secs(12));
            cluster.run_for(Duration::from_secs(25));
            // Not all journals are written at the same time: some are behind when a process is killed.
            for number in (0..n).filter(|number| (number + round) % 3 > 0) {
                journals[number].record(&mut cluster.nodes[number], cluster.now);
            }
            if round % 4 == 3 {
                let killed = (round * 7 + 1) % n;
                let before = &cluster.nodes[killed];
                journals[killed].lost += before.notebook.as_ref().map_or(0, |notebook| notebook.len());
                noted_before[killed] += before.noted;
                let mut again = Ours::recording(killed, Some(before), seed, cluster.now);
                if let Some(notebook) = &mut again.notebook {
                    let recorded = journals[killed].known();
                    let missing = recorded.into_iter().filter(|peer| again.node.member(peer).is_none());
                    notebook.miss(missing, cluster.now);
                }
                cluster.restart(killed, again);
            }
        }
        // One is gone for good, and forgotten after an hour.
        cluster.crash(7);
        cluster.run_for(Duration::from_secs(4_500));
        let (mut merged, mut moves) = (0, 0);
        for number in (0..n).filter(|number| *number != 7) {
            let (journal, node) = (&mut journals[number], &mut cluster.nodes[number]);
            for windows in 0..3 {
                journal.record(node, cluster.now.plus(WINDOW * windows));
            }
            journal.agrees_with(node);
            let counted: u64 = journal.of.values().map(|(driver, _)| driver.state().changes).sum();
            let noted = noted_before[number] + node.noted - journal.lost;
            // How a process finds somebody is not recorded where that is known.
            let known_finds: u64 = noted - counted;
            assert!(known_finds <= 12 * 4, "{counted} of {noted} changes are on record");
            assert!(
                noted_before[number] > 0 || known_finds == 0,
                "{counted} of {noted} changes are on record"
            );
            merged += journal.of.values().map(|(driver, _)| driver.state().merged).sum::<u64>();
            moves += journal.of.values().map(|(_, events)| events.len()).sum::<usize>();
            let dead = &journal.of[&id(7)].0;
            assert_eq!(dead.state().standing.state, None, "whom nobody has seen for an hour is forgotten");
            assert!(dead.state().died > 0);
        }
        assert!(merged > 0 && moves > 500, "{merged} merged, {moves} recorded, seed {seed}");
    }
}
