//! Everything buffered gives way, and the new message starts afresh: for streams whose reader resyncs anyway.
//!
//! Source: Akka Streams reference, *Buffers and working with rate*, `OverflowStrategy.dropBuffer`.
//!
//! Worked example: capacity 3 holding 1 2 3, offered 4: 4 remains, and the reader is told that 1 to 3 are missing.

use super::{DropPolicy, DropPolicyEntry, DropReason, FlowAction, Relief};

/// The line in the table.
pub const ENTRY: DropPolicyEntry = DropPolicyEntry {
    name: "drop_all",
    policy: DropPolicy::DropAll,
    summary: "everything buffered gives way",
    source: "Akka Streams reference, Buffers and working with rate: OverflowStrategy.dropBuffer",
    lossy: true,
    reason: Some(DropReason::Cleared),
    relief: |load| Relief::Evict(load.messages.max(1)),
    action: |_| FlowAction::DropAll,
};
