//! Open questions by the identity that asked them: a fold over the records of all questions, and of who made them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::core::kernel::ids::{EntityId, StreamKind};

/// What an event means for whoever asked a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// It is open from here on.
    Opened,
    /// It has ended.
    Closed,
}

/// Open questions by the identity that asked them. Those that nobody in particular asked are not among them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AskedBy {
    open: BTreeMap<(u8, EntityId), EntityId>,
    counts: BTreeMap<(EntityId, u8), u64>,
}

impl AskedBy {
    /// Adds an event of a question, made under this identity.
    pub(crate) fn apply(&mut self, kind: StreamKind, id: &EntityId, by: Option<&EntityId>, change: Question) {
        let question = (kind.code(), id.clone());
        match (change, by) {
            (Question::Opened, Some(by)) => {
                if self.open.insert(question, by.clone()).is_none() {
                    *self.counts.entry((by.clone(), kind.code())).or_default() += 1;
                }
            }
            (Question::Opened, None) => {}
            (Question::Closed, _) => {
                let Some(by) = self.open.remove(&question) else { return };
                let key = (by, kind.code());
                let left = self.counts.get(&key).map_or(0, |count| count.saturating_sub(1));
                if left == 0 {
                    self.counts.remove(&key);
                } else {
                    self.counts.insert(key, left);
                }
            }
        }
    }

    /// How many of a kind are open that this identity asked.
    pub(crate) fn open(&self, by: &EntityId, kind: StreamKind) -> u64 {
        self.counts.get(&(by.clone(), kind.code())).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_counts_for_whoever_asked_it_until_it_has_ended_and_for_nobody_else() {
        let id = |text: &str| EntityId::new(text).unwrap();
        let (mut asked, ann, bob) = (AskedBy::default(), id("ann"), id("bob"));
        let (quorum, proposal) = (StreamKind::Quorum, StreamKind::Proposal);
        asked.apply(quorum, &id("q"), Some(&ann), Question::Opened);
        asked.apply(quorum, &id("q"), Some(&ann), Question::Opened);
        asked.apply(proposal, &id("q"), Some(&bob), Question::Opened);
        asked.apply(quorum, &id("r"), None, Question::Opened);
        assert_eq!(
            (asked.open(&ann, quorum), asked.open(&ann, proposal), asked.open(&bob, proposal)),
            (1, 0, 1)
        );
        // Whoever ends it: it counts for whoever asked.
        asked.apply(quorum, &id("q"), Some(&bob), Question::Closed);
        asked.apply(quorum, &id("q"), Some(&bob), Question::Closed);
        asked.apply(quorum, &id("r"), None, Question::Closed);
        assert_eq!((asked.open(&ann, quorum), asked.open(&bob, proposal)), (0, 1));
        asked.apply(proposal, &id("q"), None, Question::Closed);
        assert_eq!(asked, AskedBy::default(), "nothing is kept of what has ended");
    }
}
