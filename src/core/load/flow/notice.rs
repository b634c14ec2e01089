//! What is worth telling a journal: changes of state, and runs of drops. Never one record per message.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::drop::DropPolicy;
use super::state::{FlowState, Load};
use crate::kernel::time::Timestamp;

/// The longest run of drops told in one piece.
pub(super) const LONGEST_RUN: u64 = 65_536;
/// Changes of state, and ended runs, told one by one within a second; the rest is told as one.
const TOLD_PER_SECOND: u32 = 20;

/// Why a message was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// It was the oldest and gave way.
    Oldest,
    /// It was the newest and was refused.
    Newest,
    /// Everything was dropped to start afresh.
    Cleared,
    /// Its owner dropped it.
    Shed,
    /// It was too old.
    Expired,
    /// A newer message with the same key took its place.
    Conflated,
}

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// The state before.
    pub from: FlowState,
    /// The state after.
    pub to: FlowState,
    /// What is buffered after.
    pub load: Load,
    /// When, by the clock of the sender.
    pub at: Timestamp,
    /// Changes in between that were not told one by one, because there were too many within a second.
    pub skipped: u64,
}

/// A run of drops for one reason: one record however many there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropRun {
    /// The policy in force.
    pub policy: DropPolicy,
    /// Why they were dropped.
    pub reason: DropReason,
    /// How many.
    pub count: u64,
    /// First and last sequence number among them; messages that were refused have none.
    pub seqs: Option<(u64, u64)>,
    /// When the run began, by the clock of the sender.
    pub from: Timestamp,
    /// When it ended.
    pub upto: Timestamp,
}

/// Something worth telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// The state changed.
    Transition(Transition),
    /// A run of drops ended, or is long enough to be told in parts.
    Dropped(DropRun),
}

/// Changes and runs on their way to an observer.
#[derive(Debug)]
pub(super) struct Notices {
    pub out: Vec<Notice>,
    state: FlowState,
    /// Open runs: one, or one for each reason while there are too many to tell.
    runs: Vec<DropRun>,
    /// Changes not told yet, since there were too many.
    held: Option<Transition>,
    changes: Quota,
    ended: Quota,
}

/// So many within a second are told one by one.
#[derive(Debug)]
struct Quota {
    second: Timestamp,
    told: u32,
}

impl Quota {
    fn new() -> Self {
        Quota { second: Timestamp::MIN, told: 0 }
    }

    fn takes(&mut self, at: Timestamp) -> bool {
        if at.since(self.second) >= Duration::from_secs(1) {
            (self.second, self.told) = (at, 0);
        }
        let takes = self.told < TOLD_PER_SECOND;
        self.told += u32::from(takes);
        takes
    }
}

impl Notices {
    pub fn new(state: FlowState) -> Self {
        let (changes, ended) = (Quota::new(), Quota::new());
        Notices { out: Vec::new(), state, runs: Vec::new(), held: None, changes, ended }
    }

    pub fn state(&mut self, state: FlowState, load: Load, now: &impl Fn() -> Timestamp) {
        // A run goes on while the buffer is about full: a reader that takes one message now and then does not cut
        // it into pieces. Where runs follow each other too fast, they are told as one.
        if !self.runs.is_empty() && state.can_send() && self.ended.takes(now()) {
            self.end_run();
        }
        if state == self.state {
            return;
        }
        let at = now();
        let from = self.state;
        self.state = state;
        self.held = Some(match self.held {
            None => Transition { from, to: state, load, at, skipped: 0 },
            Some(held) => Transition { from: held.from, to: state, load, at, skipped: held.skipped + 1 },
        });
        if self.changes.takes(at) {
            self.tell_held();
        }
    }

    pub fn tell_held(&mut self) {
        self.out.extend(self.held.take().map(Notice::Transition));
    }

    pub fn drops(&mut self, more: DropRun) {
        let goes_on = self.runs.last().is_none_or(|run| run.reason == more.reason);
        if !goes_on && self.ended.takes(more.from) {
            self.end_run();
        }
        match self.runs.iter_mut().find(|run| run.reason == more.reason) {
            Some(run) if run.count < LONGEST_RUN => {
                run.count += more.count;
                run.upto = more.upto;
                run.seqs = match (run.seqs, more.seqs) {
                    (Some((first, _)), Some((_, last))) => Some((first, last)),
                    (seqs, None) | (None, seqs) => seqs,
                };
            }
            Some(run) => self.out.push(Notice::Dropped(std::mem::replace(run, more))),
            None => self.runs.push(more),
        }
    }

    pub fn end_run(&mut self) {
        self.out.extend(self.runs.drain(..).map(Notice::Dropped));
    }
}
