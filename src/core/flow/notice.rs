//! What is worth telling a journal: changes of state, and runs of drops. Never one record per message.

use serde::{Deserialize, Serialize};

use super::drop::DropPolicy;
use super::state::{FlowState, Load};
use crate::core::time::Timestamp;

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
