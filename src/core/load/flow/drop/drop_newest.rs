//! The new message is refused and goes back to its sender; what is buffered stays as it is.
//!
//! Source: Akka Streams reference, *Buffers and working with rate*, `OverflowStrategy.dropNew`. (Its `dropTail`
//! drops the youngest *buffered* message instead; that is another policy.)
//!
//! Worked example: capacity 3 holding 1 2 3, offered 4: 1 2 3 remain, and the sender has 4 back.

use super::{DropPolicy, DropPolicyEntry, DropReason, FlowAction, Relief};

/// The line in the table.
pub const ENTRY: DropPolicyEntry = DropPolicyEntry {
    name: "drop_newest",
    policy: DropPolicy::DropNewest,
    summary: "the new message is refused",
    source: "Akka Streams reference, Buffers and working with rate: OverflowStrategy.dropNew",
    lossy: true,
    reason: Some(DropReason::Newest),
    relief: |_| Relief::Refuse,
    action: |_| FlowAction::DropNewest,
};
