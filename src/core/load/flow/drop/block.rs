//! The sender waits for room, first come, first served, up to the block timeout. Nothing is lost: after the timeout the
//! message goes back to its sender.
//!
//! Source: tokio documentation, `tokio::sync::mpsc`: a bounded channel whose `send` waits for capacity in the order of
//! the calls.
//!
//! Worked example: capacity 3 holding 1 2 3, offered 4: the sender waits. The reader takes 1, and 2 3 4 are buffered.

use super::{DropPolicy, DropPolicyEntry, FlowAction, Relief};

/// The line in the table.
pub const ENTRY: DropPolicyEntry = DropPolicyEntry {
    name: "block",
    policy: DropPolicy::Block,
    summary: "the sender waits for room; nothing is lost",
    source: "tokio documentation, tokio::sync::mpsc: bounded channels and fairness of send",
    lossy: false,
    reason: None,
    relief: |_| Relief::Wait,
    action: FlowAction::Block,
};
