//! The oldest message gives way to the newest: for readings of which only the present matters.
//!
//! Source: Akka Streams reference, *Buffers and working with rate*, `OverflowStrategy.dropHead`.
//!
//! Worked example: capacity 3 holding 1 2 3, offered 4: 2 3 4 remain, and the reader is told that 1 is missing.

use super::{DropPolicy, DropPolicyEntry, DropReason, FlowAction, Relief};

/// The line in the table.
pub const ENTRY: DropPolicyEntry = DropPolicyEntry {
    name: "drop_oldest",
    policy: DropPolicy::DropOldest,
    summary: "the oldest message gives way",
    source: "Akka Streams reference, Buffers and working with rate: OverflowStrategy.dropHead",
    lossy: true,
    reason: Some(DropReason::Oldest),
    relief: |_| Relief::Evict(1),
    action: |_| FlowAction::DropOldest,
};
