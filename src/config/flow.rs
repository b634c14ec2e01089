//! Limits of the streams that operations open.

use serde::{Deserialize, Serialize};

/// Limits of the streams that operations open.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FlowLimits {
    /// Streams with a buffer in this process, default 10,000. The next one is refused with `limit_exceeded`.
    pub max_open: usize,
    /// Bytes of one message as JSON, 1 to 16 MiB, default 64 KiB. A stream holds up to `max_buffer_size` of them in
    /// memory.
    pub max_message_bytes: usize,
    /// Messages that the buffer of one stream may be opened for, 1 to 10,000,000, default 1,000,000.
    pub max_buffer_size: usize,
    /// Bytes of JSON that the buffer of one stream holds, `max_message_bytes` to 1 TiB, default 64 MiB, whatever the
    /// stream was opened with. Then its drop policy acts, as for messages. Too small: large messages push each other out;
    /// too large: one reader that is gone fills the memory.
    pub max_stream_bytes: usize,
    /// Bytes of memory that the messages of all streams take, those of waiting senders too, `max_message_bytes` to 1 TiB,
    /// default 256 MiB. A message above it comes back as `memory_full`.
    pub max_total_bytes: usize,
}

impl Default for FlowLimits {
    fn default() -> Self {
        FlowLimits {
            max_open: 10_000,
            max_message_bytes: 64 << 10,
            max_buffer_size: 1_000_000,
            max_stream_bytes: 64 << 20,
            max_total_bytes: 256 << 20,
        }
    }
}
