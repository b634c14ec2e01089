//! What questions to people need beside votes, in proposals and sessions alike: bounds of handing on, and being told again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::extension::Unfit;
use crate::kernel::ids::VoterId;
use crate::kernel::time::{Timestamp, millis};

/// How often a place may go from one head to the next.
pub const MOST_HANDOVERS: usize = 8;
/// Nobody is reminded of a question more often than this.
pub const REMINDED_EVERY: Duration = Duration::from_secs(60);
/// A question that asks more reminds nobody by itself.
pub const MOST_REMINDED: usize = 1_000;

/// Outstanding voters are to be told again. Stored: fields are only ever appended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reminded {
    /// Who.
    pub voter_ids: Vec<VoterId>,
    /// Nobody asked for it: their time had come.
    pub by_itself: bool,
    /// Who asked for it.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// May a question that asks so many remind them this often? `who` is what they are called.
pub(super) fn check_reminders(every: Duration, asked: usize, who: &str) -> Result<(), Unfit> {
    let unfit = |expected| Err(("remind_every_ms", every.as_millis().to_string(), expected));
    if every < REMINDED_EVERY {
        return unfit(format!("{} or more", REMINDED_EVERY.as_millis()));
    }
    if asked > MOST_REMINDED {
        return unfit(format!("none for a question of more than {MOST_REMINDED} {who}"));
    }
    Ok(())
}

/// Those of `meant` who may be told again now; `told` says how often and when each was so far.
///
/// # Errors
/// In how many milliseconds the first of them may be, when none may now.
pub(super) fn remindable(
    meant: Vec<VoterId>,
    told: impl Fn(&VoterId) -> Option<(u32, Timestamp)>,
    now: Timestamp,
) -> Result<Vec<VoterId>, u64> {
    let again = |voter: &VoterId| {
        let (count, last) = told(voter).unwrap_or_default();
        let next = last.plus(REMINDED_EVERY);
        (count > 0 && next > now).then_some(next)
    };
    let first = meant.iter().filter_map(&again).min();
    let voter_ids: Vec<VoterId> = meant.into_iter().filter(|voter| again(voter).is_none()).collect();
    match first {
        Some(next) if voter_ids.is_empty() => Err(millis(next.since(now)).max(1)),
        Some(_) | None => Ok(voter_ids),
    }
}
