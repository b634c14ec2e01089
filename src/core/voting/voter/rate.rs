//! How often a channel may speak: a sliding log of the attempts that were admitted.
//!
//! An attempt at `t` is refused when ten were admitted in `(t - 1 s, t]`. A refused one does not make the window longer, so
//! whoever waits a second may speak again. The key is the channel, which nobody but its owner has: never the name that a
//! message claims, or an attacker would spend the budget of its victim.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::kernel::time::Timestamp;
use crate::voting::signature::Digest;

/// Attempts admitted in one window.
pub const MOST: usize = 10;
/// The window.
pub const WINDOW: Duration = Duration::from_secs(1);

/// The attempts of every channel within the last window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rates {
    channels: BTreeMap<Digest, VecDeque<Timestamp>>,
}

impl Rates {
    /// May this channel speak now?
    ///
    /// # Errors
    /// How long it is to wait.
    pub fn check(&self, channel: &Digest, now: Timestamp) -> Result<(), Duration> {
        let Some(admitted) = self.channels.get(channel) else { return Ok(()) };
        let within = |at: &&Timestamp| at.plus(WINDOW) > now;
        if admitted.iter().filter(within).count() < MOST {
            return Ok(());
        }
        let oldest = admitted.iter().nth_back(MOST - 1).copied().unwrap_or(now);
        Err(oldest.plus(WINDOW).since(now))
    }

    /// One attempt was admitted.
    pub fn admitted(&mut self, channel: Digest, now: Timestamp) {
        let within = |at: &Timestamp| at.plus(WINDOW) > now;
        let admitted = self.channels.entry(channel).or_default();
        admitted.retain(within);
        admitted.push_back(now);
        if self.channels.len() > 4_096 {
            self.channels.retain(|_, admitted| admitted.iter().any(within));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_in_a_second_are_admitted_and_refused_ones_do_not_make_the_wait_longer() {
        let (mut rates, channel) = (Rates::default(), Digest::new([1; 32]));
        let at = |ms: i64| Timestamp::from_millis(ms);
        for k in 0..10 {
            assert_eq!(rates.check(&channel, at(k * 10)), Ok(()));
            rates.admitted(channel, at(k * 10));
        }
        for ms in [90, 500, 999] {
            assert_eq!(rates.check(&channel, at(ms)), Err(Duration::from_millis(1_000 - ms as u64)));
        }
        assert_eq!(rates.check(&Digest::new([2; 32]), at(90)), Ok(()));
        // The window is open at its beginning: the first attempt has left it.
        assert_eq!(rates.check(&channel, at(1_000)), Ok(()));
        rates.admitted(channel, at(1_000));
        assert_eq!(rates.check(&channel, at(1_000)), Err(Duration::from_millis(10)));
    }

    #[test]
    fn idle_channels_are_forgotten() {
        let mut rates = Rates::default();
        for k in 0..5_000u64 {
            let mut name = [0; 32];
            name[..8].copy_from_slice(&k.to_be_bytes());
            rates.admitted(Digest::new(name), Timestamp::from_millis(k as i64 * 100));
        }
        assert!(rates.channels.len() <= 4_097, "{}", rates.channels.len());
    }
}
