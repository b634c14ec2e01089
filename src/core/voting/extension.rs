//! Votes that are taken longer than was said: what may be asked, and what is put on record.
//!
//! They are never taken shorter: nobody who counts on a deadline is cut off.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::kernel::time::Timestamp;

/// Votes are taken longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extended {
    /// The last instant at which a vote is on time from now on.
    pub deadline: Timestamp,
    /// The one before.
    pub before: Timestamp,
    /// Who asked for it.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A request to take votes longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extend {
    /// Until when.
    pub until: Until,
    /// The longest time that votes may be taken all together.
    pub longest: Duration,
    /// Who asks for it.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// The end of a longer time for votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// This instant.
    At(Timestamp),
    /// So long from now on.
    FromNow(Duration),
}

/// Why votes are not taken longer: the field, what was given, and what is allowed.
pub(super) type Unfit = (&'static str, String, String);

impl Extend {
    /// What to put on record of a question that was opened then and ends so far at `before`; nothing when it ends so already. `span`
    /// is what the field with a span is called.
    pub(super) fn of(
        self,
        span: &'static str,
        opened_at: Timestamp,
        before: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Extended>, Unfit> {
        let (field, deadline, given) = match self.until {
            Until::At(deadline) => ("deadline", deadline, deadline.to_string()),
            Until::FromNow(time) if span.ends_with("_ms") => {
                (span, now.plus(time), time.as_millis().to_string())
            }
            Until::FromNow(time) => (span, now.plus(time), time.as_secs_f64().to_string()),
        };
        if deadline == before {
            return Ok(None);
        }
        if deadline < before {
            return Err((field, given, format!("an end after {before}, when votes end so far")));
        }
        if deadline.since(opened_at) > self.longest {
            return Err((field, given, format!("an end up to {}", opened_at.plus(self.longest))));
        }
        Ok(Some(Extended { deadline, before, by: self.by, reason: self.reason, at: now }))
    }
}
