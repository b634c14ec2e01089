//! How long a worker waits for what.

use serde::{Deserialize, Serialize};

use super::rejection::Rejection;

/// Longest setting: one day.
const LONGEST_MS: u64 = 24 * 3_600_000;

/// How long a worker waits for what, in ms, each 1 to one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// How long workflows of a lost leader wait for another one. Too small stops work that a handover would have
    /// saved; too large lets two workers do the same.
    pub orphan_grace_ms: u64,
    /// How long a workflow that was asked to stop may take, before it is stopped by force.
    pub stop_grace_ms: u64,
    /// How long a transfer waits for a workflow it overtook.
    pub parked_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { orphan_grace_ms: 5_000, stop_grace_ms: 10_000, parked_ms: 60_000 }
    }
}

impl Settings {
    /// Checks every number.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] for the first one out of bounds.
    pub fn check(&self) -> Result<(), Rejection> {
        let all = [
            ("orphan_grace_ms", self.orphan_grace_ms),
            ("stop_grace_ms", self.stop_grace_ms),
            ("parked_ms", self.parked_ms),
        ];
        all.into_iter().try_for_each(|(field, given)| {
            let expected = || format!("1 to {LONGEST_MS} ms");
            let inside = (1..=LONGEST_MS).contains(&given);
            let invalid = || Rejection::Invalid { field, given: given.to_string(), expected: expected() };
            if inside { Ok(()) } else { Err(invalid()) }
        })
    }
}
