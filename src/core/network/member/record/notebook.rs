//! What happened and is not on record yet.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{Change, Merged, Noted, Standing};
use crate::kernel::ids::NodeId;
use crate::kernel::time::Timestamp;

/// Most members of which something waits; what happens to others is only counted.
pub const MAX_NAMES: usize = 20_000;
/// Changes of one member that wait one by one; what comes behind them is merged.
const KEPT: usize = 8;

/// What happened to one member, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The first changes.
    pub changes: Vec<Noted>,
    /// What came behind them, merged.
    pub rest: Option<Merged>,
    /// What is believed of the member now.
    pub standing: Standing,
}

impl Note {
    /// A single change.
    pub fn of(noted: Noted, standing: Standing) -> Self {
        Note { changes: vec![noted], rest: None, standing }
    }

    /// How many changes it holds.
    pub fn len(&self) -> u64 {
        self.changes.len() as u64 + self.rest.as_ref().map_or(0, |rest| rest.changes)
    }

    /// Does nothing stand in it?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn add(&mut self, noted: Noted, standing: &Standing) {
        self.standing = standing.clone();
        if noted.change.is_own_act() || (self.rest.is_none() && self.changes.len() < KEPT) {
            self.changes.push(noted);
            return;
        }
        let rest = self.rest.get_or_insert_with(|| Merged::new(noted.at));
        rest.add(&noted);
        rest.standing = standing.clone();
    }

    /// Adds what came behind it.
    fn append(&mut self, later: Note) {
        let standing = later.standing;
        for noted in later.changes {
            self.add(noted, &standing);
        }
        self.rest = match (self.rest.take(), later.rest) {
            (None, rest) | (rest, None) => rest,
            (Some(before), Some(after)) => Some(before.and(&after)),
        };
        if let Some(rest) = &mut self.rest {
            rest.standing = standing.clone();
        }
        self.standing = standing;
    }
}

/// What waits to be recorded: of each member the first changes and how many came behind them. It is bounded however long nobody
/// takes anything out, and forgets nothing without a number.
#[derive(Clone, Debug)]
pub struct Notebook {
    me: NodeId,
    waiting: BTreeMap<NodeId, (Turn, Note)>,
    order: BTreeSet<(Turn, NodeId)>,
    /// Notes that were begun so far.
    begun: u64,
    unnamed: u64,
    unnamed_at: Timestamp,
}

/// The instant from which a note may be taken, and its number among those.
type Turn = (Timestamp, u64);

impl Notebook {
    /// The empty notebook of a node.
    pub fn new(me: NodeId) -> Self {
        Notebook {
            me,
            waiting: BTreeMap::new(),
            order: BTreeSet::new(),
            begun: 0,
            unnamed: 0,
            unnamed_at: Timestamp::EPOCH,
        }
    }

    /// The node whose notebook it is.
    pub fn me(&self) -> &NodeId {
        &self.me
    }

    /// A process begins, and members that are on record as known are not among those it knows. Who was heard of since it began
    /// has a note already.
    pub fn miss(&mut self, recorded: impl IntoIterator<Item = NodeId>, at: Timestamp) {
        for id in recorded {
            if id != self.me && !self.waiting.contains_key(&id) {
                let noted = Noted { change: Change::Found(Standing::default()), at };
                self.note(&id, noted, &Standing::default());
            }
        }
    }

    /// Something happened to a member, of which this is believed now.
    pub fn note(&mut self, id: &NodeId, noted: Noted, standing: &Standing) {
        if let Some((_, note)) = self.waiting.get_mut(id) {
            note.add(noted, standing);
        } else if self.waiting.len() >= MAX_NAMES {
            self.unnamed = self.unnamed.saturating_add(1);
            self.unnamed_at = self.unnamed_at.max(noted.at);
        } else {
            self.insert(Timestamp::MIN, id.clone(), Note::of(noted, standing.clone()));
        }
    }

    fn insert(&mut self, from: Timestamp, id: NodeId, note: Note) {
        self.begun += 1;
        let turn = (from, self.begun);
        self.order.insert((turn, id.clone()));
        self.waiting.insert(id, (turn, note));
    }

    /// Takes the note that has waited longest of those that may be taken now.
    pub fn take(&mut self, now: Timestamp) -> Option<(NodeId, Note)> {
        let ((from, _), _) = self.order.first()?;
        if *from > now {
            return None;
        }
        let (_, id) = self.order.pop_first()?;
        let (_, note) = self.waiting.remove(&id)?;
        Some((id, note))
    }

    /// Puts a note back that could not be recorded, before whatever happened since. It may be taken again from then on.
    pub fn put_back(&mut self, id: NodeId, mut note: Note, from: Timestamp) {
        if let Some((turn, later)) = self.waiting.remove(&id) {
            self.order.remove(&(turn, id.clone()));
            note.append(later);
        }
        self.insert(from, id, note);
    }

    /// Takes how much happened to members that had no place here, and when the last of it did.
    pub fn take_unnamed(&mut self) -> Option<(u64, Timestamp)> {
        let unnamed = std::mem::take(&mut self.unnamed);
        (unnamed > 0).then_some((unnamed, self.unnamed_at))
    }

    /// Puts that back.
    pub fn put_back_unnamed(&mut self, changes: u64, at: Timestamp) {
        self.unnamed = self.unnamed.saturating_add(changes);
        self.unnamed_at = self.unnamed_at.max(at);
    }

    /// How many changes wait.
    pub fn len(&self) -> u64 {
        self.waiting.values().map(|(_, note)| note.len()).fold(self.unnamed, u64::saturating_add)
    }

    /// Does nothing wait?
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.unnamed == 0
    }
}
