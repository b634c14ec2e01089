//! Drop policies, one file each: what happens to an offer that finds no room.
//!
//! Adding one is a file, a line in [`DROP_POLICIES`] and a variant of [`DropPolicy`]. A policy only says what gives way;
//! the [buffer](super::FlowBuffer) carries it out together with the push, on the size it has at that instant.

mod block;
mod drop_all;
mod drop_newest;
mod drop_oldest;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::notice::DropReason;
use super::state::Load;

/// What to do when there is no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropPolicy {
    /// Make room by dropping the oldest message.
    #[default]
    DropOldest,
    /// Refuse the new message.
    DropNewest,
    /// Wait for room; nothing is lost.
    Block,
    /// Drop everything buffered and start again with the new message.
    DropAll,
}

impl DropPolicy {
    /// Its line in the table.
    pub fn entry(self) -> &'static DropPolicyEntry {
        let found = DROP_POLICIES.iter().find(|entry| entry.policy == self);
        found.expect("every drop policy has a line in the table")
    }

    /// Its name in commands and JSON.
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// Can it lose a message that was offered?
    pub fn is_lossy(self) -> bool {
        self.entry().lossy
    }
}

/// What gives way to a message that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relief {
    /// So many of the oldest, at least 1.
    Evict(usize),
    /// The message itself: it goes back to its sender.
    Refuse,
    /// Nothing: its sender waits.
    Wait,
}

/// What a caller with a full buffer of its own should do. The answer of
/// [`FlowController::handle_buffer_full`](super::FlowController::handle_buffer_full).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowAction {
    /// There is room: go on.
    Continue,
    /// Remove the oldest message, then append.
    DropOldest,
    /// Refuse the new message.
    DropNewest,
    /// Remove everything, then append.
    DropAll,
    /// Wait so long and look again.
    Block(Duration),
}

/// One line of the table of drop policies.
#[derive(Debug)]
pub struct DropPolicyEntry {
    /// The name in commands and JSON.
    pub name: &'static str,
    /// The policy.
    pub policy: DropPolicy,
    /// One line for lists.
    pub summary: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// Can it lose a message? Then streams of votes, tokens, job state and audit refuse it.
    pub lossy: bool,
    /// How its drops are counted, if it drops.
    pub reason: Option<DropReason>,
    /// What gives way when this much is buffered.
    pub relief: fn(Load) -> Relief,
    /// The same for a caller that keeps the buffer itself; it is given the pause to block for.
    pub action: fn(Duration) -> FlowAction,
}

/// Every drop policy.
pub const DROP_POLICIES: &[DropPolicyEntry] =
    &[drop_oldest::ENTRY, drop_newest::ENTRY, block::ENTRY, drop_all::ENTRY];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_called_the_same_in_the_table_and_in_json() {
        for entry in DROP_POLICIES {
            let text = format!("{:?}", entry.policy).chars().fold(String::new(), |mut out, c| {
                if c.is_uppercase() && !out.is_empty() {
                    out.push('_');
                }
                out.push(c.to_ascii_lowercase());
                out
            });
            assert_eq!(text, entry.name);
            assert_eq!(entry.policy.entry().name, entry.name);
        }
    }

    #[test]
    fn only_waiting_loses_nothing() {
        for entry in DROP_POLICIES {
            let relief = (entry.relief)(Load { messages: 10, bytes: 0 });
            assert_eq!(entry.lossy, relief != Relief::Wait, "{}", entry.name);
            assert_eq!(entry.lossy, entry.reason.is_some(), "{}", entry.name);
            assert_ne!(relief, Relief::Evict(0), "{}", entry.name);
        }
    }
}
