//! What travels with every message: its class, whether it is critical, and until when its answer is of use.
//!
//! A caller that has given up still costs work, unless the deadline is looked at where the work would begin. A call
//! made on behalf of another inherits its deadline and criticality, so that a tree of calls is given up as one.
//!
//! # Sources
//! B. Beyer et al., *Site Reliability Engineering*, O'Reilly 2016, chapter 21 (criticality) and 22 (deadlines and
//! their propagation).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::class::{Class, MessageKind};
use crate::kernel::time::Timestamp;

/// What travels with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// How it is treated under load.
    pub class: Class,
    /// It may be delayed and handed back, but never dropped: a change of status, an error, a final result, the first
    /// report of a workflow.
    pub critical: bool,
    /// The last instant at which it is of use.
    pub deadline: Option<Timestamp>,
}

/// Work came too late to be of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expired {
    /// When it was needed.
    pub deadline: Timestamp,
    /// By how much it is too late; zero when it would only become so before it is done.
    pub late_by: Duration,
}

impl Label {
    /// The label of a kind of message, without a deadline.
    pub fn of(kind: MessageKind) -> Self {
        Label { class: kind.class(), critical: kind.always_critical(), deadline: None }
    }

    /// The same, critical.
    #[must_use]
    pub fn critical(self) -> Self {
        Label { critical: true, ..self }
    }

    /// The same with a deadline; the earlier one stands.
    #[must_use]
    pub fn until(self, deadline: Timestamp) -> Self {
        let earlier = self.deadline.map_or(deadline, |own| own.min(deadline));
        Label { deadline: Some(earlier), ..self }
    }

    /// The label of a message sent on behalf of this one: its own class, and the deadline and criticality of this one.
    pub fn child(self, kind: MessageKind) -> Self {
        Label {
            critical: self.critical || kind.always_critical(),
            deadline: self.deadline,
            ..Label::of(kind)
        }
    }

    /// May it be given up at all? Control and what is critical is judged by whoever it is for: a vote that comes too
    /// late, say, belongs on the record.
    pub fn droppable(self) -> bool {
        self.class != Class::Control && !self.critical
    }

    /// Is there still time for work that takes `needed`? The deadline is inclusive. Gives what is left, `None` where
    /// there is no deadline.
    ///
    /// # Errors
    /// [`Expired`], when it may be given up and is too late.
    pub fn check(self, needed: Duration, now: Timestamp) -> Result<Option<Duration>, Expired> {
        let Some(deadline) = self.deadline else { return Ok(None) };
        if self.droppable() && now.plus(needed) > deadline {
            return Err(Expired { deadline, late_by: now.since(deadline) });
        }
        Ok(Some(deadline.since(now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(us: i64) -> Timestamp {
        Timestamp::from_micros(us)
    }

    #[test]
    fn a_deadline_is_inclusive_and_one_microsecond_later_is_too_late() {
        let label = Label::of(MessageKind::Progress).until(at(5_000));
        assert_eq!(label.check(Duration::ZERO, at(5_000)), Ok(Some(Duration::ZERO)));
        let late = Expired { deadline: at(5_000), late_by: Duration::from_micros(1) };
        assert_eq!(label.check(Duration::ZERO, at(5_001)), Err(late));
        assert_eq!(label.check(MS, at(4_000)), Ok(Some(MS)));
        let hopeless = Expired { deadline: at(5_000), late_by: Duration::ZERO };
        assert_eq!(label.check(MS, at(4_001)), Err(hopeless));
    }

    #[test]
    fn control_and_critical_messages_are_never_given_up() {
        let vote = Label::of(MessageKind::Vote).until(at(0));
        let result = Label::of(MessageKind::FinalResult).until(at(0));
        let failure = Label::of(MessageKind::Progress).critical().until(at(0));
        for label in [vote, result, failure] {
            assert_eq!(label.check(MS, at(9_000_000)), Ok(Some(Duration::ZERO)));
        }
    }

    #[test]
    fn a_call_inherits_deadline_and_criticality_but_not_class() {
        let asked = Label::of(MessageKind::FinalResult).until(at(7));
        let child = asked.child(MessageKind::StatsUpdate);
        assert_eq!(child, Label { class: Class::Data, critical: true, deadline: Some(at(7)) });
        assert_eq!(child.until(at(9)).deadline, Some(at(7)));
        assert_eq!(child.until(at(3)).deadline, Some(at(3)));
    }
}
