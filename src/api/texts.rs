//! The texts of requests that are no ids by their type: what each is, and which bounds it has.
//!
//! | text | what it is | checked as |
//! |---|---|---|
//! | `arm`, `department`, `by`, `name` of an algorithm that is registered | labels: compared with others, or shown | as [`name`], 1 to 256 bytes |
//! | `request_id`, `key` of a message, `handler` | names of something | [`name`], 1 to 256 bytes |
//! | `requester_id` | who asks | [`requester`], up to 4,096 bytes |
//! | `gate_addr`, `new_gate_addr`, `holder_addr`, `new_leader_addr` | where somebody listens | [`address`], 1 to 1,024 bytes |
//! | `reason` of votes and of what ends a quorum | a sentence for people | 1 to 1,024 bytes, no control characters |
//!
//! A name and an address are what an id is: in Unicode's composed form, of characters one can see, with single plain spaces
//! between them. An address, and who asks, may be left out, and is empty then. Everything else that is a text is one of a
//! list of words, or looked up and not found; or it is free, because nobody compares it: `reason` of jobs, `result`,
//! `message`, `subject`, `proposal`, `metadata`. The test of every operation's schema holds the list of them.

use crate::core::jobs::protocol::limits::{MAX_ADDR_BYTES, MAX_REASON_BYTES};
use crate::core::kernel::ids::MAX_ID_BYTES;
use crate::core::kernel::names::check_name;
use crate::error::Error;

/// A name must be what an id is.
///
/// # Errors
/// `invalid_argument` naming the field, and what is wrong with it.
pub(super) fn name(field: &str, text: &str) -> Result<(), Error> {
    clear(field, text, MAX_ID_BYTES, &format!("1 to {MAX_ID_BYTES} bytes"))
}

/// Who asks: as a name, and longer; empty when nobody is named.
///
/// # Errors
/// As [`name`].
pub(super) fn requester(field: &str, text: &str) -> Result<(), Error> {
    if text.is_empty() {
        return Ok(());
    }
    clear(field, text, MAX_REASON_BYTES, &format!("at most {MAX_REASON_BYTES} bytes"))
}

/// Where somebody listens: as a name, and longer.
///
/// # Errors
/// As [`name`].
pub(super) fn address(field: &str, text: &str) -> Result<(), Error> {
    clear(field, text, MAX_ADDR_BYTES, &format!("at most {MAX_ADDR_BYTES} bytes"))
}

/// The same for one that may be empty: it listens here.
///
/// # Errors
/// As [`name`].
pub(super) fn address_or_here(field: &str, text: &str) -> Result<(), Error> {
    if text.is_empty() { Ok(()) } else { address(field, text) }
}

fn clear(field: &str, text: &str, most: usize, bounds: &str) -> Result<(), Error> {
    if text.len() > most {
        return Err(Error::invalid(field, format!("{} bytes", text.len()), bounds));
    }
    if text.trim().is_empty() {
        return Err(Error::invalid(field, text, "a visible text"));
    }
    check_name(text).map_err(|unclear| Error::invalid(field, text, &unclear.expected()))
}

#[cfg(test)]
#[path = "texts_test.rs"]
mod tests;
