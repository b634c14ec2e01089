//! The bounds of what gates, managers and workers say to each other about jobs. Each stands here once.
//!
//! A text passes through several of them: an address that is given at a door stands in a job, travels to the gate and to
//! workers, and stands there. One that is taken by the first and dropped by the second is lost for ever, however often
//! it is sent. So every door and every machine asks here.
//!
//! | what | at most | beyond it |
//! |---|---|---|
//! | where somebody listens, given at a door | [`MAX_ADDR_BYTES`] | refused |
//! | … in a message | [`MAX_SENT_ADDR_BYTES`]: what a door took before the bound was lower | refused |
//! | a reason, or who asks | [`MAX_REASON_BYTES`] | refused at a door; cut where a machine puts words around it |
//! | what a workflow made | [`MAX_RESULT_BYTES`] | refused |
//! | a payload, and all of a job | [`MAX_PAYLOAD_BYTES`], [`MAX_PAYLOADS_BYTES`] | refused |
//! | the name of a request for more time | [`MAX_REQUEST_ID_BYTES`] | refused |
//! | a span of time | [`MAX_SPAN_MS`] | refused |

/// Most bytes of where somebody listens, where it is said for the first time.
pub const MAX_ADDR_BYTES: usize = 1 << 10;
/// Most bytes of where somebody listens, in a message. Jobs that were taken on earlier may have longer ones on record
/// than [`MAX_ADDR_BYTES`], and go on.
pub const MAX_SENT_ADDR_BYTES: usize = 4 << 10;
/// Most bytes of a reason, and of who asks for something.
pub const MAX_REASON_BYTES: usize = 4 << 10;
/// Most bytes of what a workflow made.
pub const MAX_RESULT_BYTES: usize = 64 << 10;
/// Most bytes of the payload of a job, or of one workflow.
pub const MAX_PAYLOAD_BYTES: usize = 64 << 10;
/// Most bytes of all payloads of a job.
pub const MAX_PAYLOADS_BYTES: usize = 1 << 20;
/// Most bytes of the name of a request for more time.
pub const MAX_REQUEST_ID_BYTES: usize = 256;
/// Longest span that can be set, in ms: a hundred years.
pub const MAX_SPAN_MS: u64 = 100 * 365 * 24 * 60 * 60 * 1_000;

/// What is wrong with a text that is too long: what was given, and what is allowed.
pub(crate) fn too_long(text: &str, most: usize) -> Option<(String, String)> {
    (text.len() > most).then(|| (format!("{} bytes", text.len()), format!("at most {most} bytes")))
}

/// A reason cut to what is kept of it.
pub(crate) fn clip(reason: &str) -> String {
    let end = (0..=reason.len().min(MAX_REASON_BYTES)).rev().find(|end| reason.is_char_boundary(*end));
    reason[..end.unwrap_or(0)].to_owned()
}
