//! What is still to be told about whom: each piece of news a bounded number of times, the least told first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::kernel::ids::NodeId;

/// What a piece is about: a node, and whose accusation of it, if it is one.
type Topic = (NodeId, Option<NodeId>);

/// News about nodes. What is told is read from the table when it is sent, so it is never old.
#[derive(Clone, Debug, Default)]
pub(super) struct Gossip {
    /// How often each piece was told, and its number.
    about: BTreeMap<Topic, (u32, u64)>,
    /// By how often it was told, then the newest first.
    order: BTreeSet<(u32, Reverse<u64>, Topic)>,
    number: u64,
}

impl Gossip {
    /// Something about this node changed, or somebody else accuses it. Accusations stand side by side; all else
    /// replaces what was to be told of the node.
    pub(super) fn add(&mut self, about: &NodeId, accuser: Option<NodeId>) {
        match &accuser {
            None => self.forget(about),
            Some(_) => self.drop_topic(&(about.clone(), accuser.clone())),
        }
        self.number += 1;
        let topic = (about.clone(), accuser);
        self.order.insert((0, Reverse(self.number), topic.clone()));
        self.about.insert(topic, (0, self.number));
    }

    pub(super) fn forget(&mut self, about: &NodeId) {
        let all = self.about.range((about.clone(), None)..).map(|(topic, _)| topic);
        let all: Vec<Topic> = all.take_while(|(id, _)| id == about).cloned().collect();
        all.iter().for_each(|topic| self.drop_topic(topic));
    }

    fn drop_topic(&mut self, topic: &Topic) {
        if let Some((times, number)) = self.about.remove(topic) {
            self.order.remove(&(times, Reverse(number), topic.clone()));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.about.is_empty()
    }

    /// What is to be told, the least told first: about whom, and who accuses.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&NodeId, Option<&NodeId>)> {
        self.order.iter().map(|(_, _, (id, accuser))| (id, accuser.as_ref()))
    }

    /// These were told once more; what was told `most` times is forgotten.
    pub(super) fn told(&mut self, topics: &[Topic], most: u32) {
        for topic in topics {
            let Some((times, number)) = self.about.get_mut(topic) else { continue };
            self.order.remove(&(*times, Reverse(*number), topic.clone()));
            *times += 1;
            if *times >= most {
                self.about.remove(topic);
            } else {
                self.order.insert((*times, Reverse(*number), topic.clone()));
            }
        }
    }
}
