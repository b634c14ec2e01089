//! What is still to be told about whom: each piece of news a bounded number of times, the least told first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::kernel::ids::NodeId;

#[derive(Clone, Debug)]
struct News {
    times: u32,
    number: u64,
    accuser: Option<NodeId>,
}

/// News about nodes. What is told is read from the table when it is sent, so it is never old.
#[derive(Clone, Debug, Default)]
pub(super) struct Gossip {
    about: BTreeMap<NodeId, News>,
    /// By how often it was told, then the newest first.
    order: BTreeSet<(u32, Reverse<u64>, NodeId)>,
    number: u64,
}

impl Gossip {
    /// Something about this node changed, or somebody else accuses it.
    pub(super) fn add(&mut self, about: &NodeId, accuser: Option<NodeId>) {
        self.forget(about);
        self.number += 1;
        self.order.insert((0, Reverse(self.number), about.clone()));
        self.about.insert(about.clone(), News { times: 0, number: self.number, accuser });
    }

    pub(super) fn forget(&mut self, about: &NodeId) {
        if let Some(news) = self.about.remove(about) {
            self.order.remove(&(news.times, Reverse(news.number), about.clone()));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.about.is_empty()
    }

    /// The next piece after so many, with its accuser.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&NodeId, Option<&NodeId>)> {
        self.order.iter().map(|(_, _, id)| (id, self.about.get(id).and_then(|n| n.accuser.as_ref())))
    }

    /// These were told once more; what was told `most` times is forgotten.
    pub(super) fn told(&mut self, ids: &[NodeId], most: u32) {
        for id in ids {
            let Some(news) = self.about.get_mut(id) else { continue };
            self.order.remove(&(news.times, Reverse(news.number), id.clone()));
            news.times += 1;
            if news.times >= most {
                self.about.remove(id);
            } else {
                self.order.insert((news.times, Reverse(news.number), id.clone()));
            }
        }
    }
}
