//! When a message that was not answered is sent again: a pure function of when it was first sent.
//!
//! ```text
//!  try        0    1    2    3    4     5     6     7  …
//!  after s    0    1    3    7    15    31    61    91 …   each wait twice the one before, at most 30 s
//! ```
//!
//! Every wait is moved by up to a fifth either way, so that what was sent together is not sent together for ever. The
//! shift comes from a hash of job, number and try instead of from chance: the same outbox sends at the same instants
//! again, also after it was read back from the journal. Nothing about a repeat is on record, so it costs no write; who
//! slept through some of them goes on with the next one.
//!
//! # Source
//! Exponential back-off with jitter: M. Brooker, *Exponential Backoff and Jitter*, AWS Architecture Blog, 2015. The
//! hash is FNV-1a: G. Fowler, L. C. Noll, K.-P. Vo, D. Eastlake, *The FNV Non-Cryptographic Hash Algorithm*.

use std::time::Duration;

use super::ids::EntityId;
use super::time::{Timestamp, micros};

const SECOND_US: u64 = 1_000_000;
/// The longest wait between two tries, reached after [`DOUBLINGS`] of them.
const LONGEST_US: u64 = 30 * SECOND_US;
/// Waits that double, from one second: 1, 2, 4, 8 and 16.
const DOUBLINGS: u64 = 5;
/// Both ends of a wait move by up to a tenth of the wait before them, so the wait itself by at most a fifth.
const JITTER: u64 = 10;

/// What identifies one entry of an outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sending<'a> {
    /// The job it is about.
    pub job_id: &'a EntityId,
    /// Its number in the outbox.
    pub number: u64,
    /// When it was first sent.
    pub since: Timestamp,
}

impl Sending<'_> {
    /// The first instant strictly after `after` at which it is to be sent; `None` at the end of time.
    pub fn next_after(self, after: Timestamp) -> Option<Timestamp> {
        // Jitter moves a try by less than the wait beside it, so the try looked for is among the next few.
        let first = nominal_try(micros(after.since(self.since))).saturating_sub(1);
        (first..first.saturating_add(5)).map(|attempt| self.at(attempt)).find(|at| *at > after)
    }

    /// Is it to be sent at exactly this instant?
    pub fn falls_on(self, at: Timestamp) -> bool {
        let before = Timestamp::from_micros(at.as_micros().saturating_sub(1));
        self.next_after(before) == Some(at)
    }

    /// The instant of one try, counted from 0.
    fn at(self, attempt: u64) -> Timestamp {
        let wait = wait_us(attempt);
        let span = wait / JITTER;
        let shift = self.hash(attempt) % (2 * span + 1);
        let after = offset_us(attempt).saturating_add(shift).saturating_sub(span);
        self.since.plus(Duration::from_micros(after))
    }

    fn hash(self, attempt: u64) -> u64 {
        let numbers = self.number.to_le_bytes().into_iter().chain(attempt.to_le_bytes());
        let hash = fnv1a(self.job_id.as_str().bytes().chain(numbers));
        // The last bytes stir the low bits most; the high ones are folded in.
        hash ^ (hash >> 32)
    }
}

/// The wait that ends with this try.
fn wait_us(attempt: u64) -> u64 {
    match attempt {
        0 => 0,
        1..=DOUBLINGS => SECOND_US << (attempt - 1),
        _ => LONGEST_US,
    }
}

/// When this try is made without jitter.
fn offset_us(attempt: u64) -> u64 {
    let doubling = ((1 << attempt.min(DOUBLINGS)) - 1) * SECOND_US;
    doubling.saturating_add(attempt.saturating_sub(DOUBLINGS).saturating_mul(LONGEST_US))
}

/// The last try that is made up to this long after the first, without jitter.
fn nominal_try(elapsed_us: u64) -> u64 {
    match elapsed_us.checked_sub(offset_us(DOUBLINGS)) {
        Some(later) => DOUBLINGS + later / LONGEST_US,
        None => (elapsed_us / SECOND_US + 1).ilog2().into(),
    }
}

/// The 64-bit FNV-1a hash.
pub fn fnv1a(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes
        .into_iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(number: u64, since: i64, count: usize) -> Vec<i64> {
        let job_id = EntityId::new("j").unwrap();
        let since = Timestamp::from_micros(since);
        let sending = Sending { job_id: &job_id, number, since };
        let mut at = Timestamp::from_micros(since.as_micros() - 1);
        let mut out = Vec::new();
        for _ in 0..count {
            at = sending.next_after(at).unwrap();
            assert!(sending.falls_on(at));
            out.push(at.as_micros());
        }
        out
    }

    #[test]
    fn waits_double_from_one_second_to_thirty_and_move_by_at_most_a_fifth() {
        let nominal = [1, 2, 4, 8, 16, 30, 30, 30, 30, 30].map(|s| s * 1_000_000);
        for number in 0..200 {
            let sent = all(number, 77, 11);
            assert_eq!(sent[0], 77);
            for (wait, nominal) in sent.windows(2).map(|two| two[1] - two[0]).zip(nominal) {
                assert!((wait - nominal).abs() <= nominal / 5, "{number}: {wait} for {nominal}");
            }
            let late = |n: usize, nominal: i64, wait: i64| (sent[n] - 77 - nominal).abs() <= wait / 10;
            assert!(late(1, 1_000_000, 1_000_000) && late(5, 31_000_000, 16_000_000));
            assert!(late(7, 91_000_000, 30_000_000));
        }
    }

    #[test]
    fn every_number_has_instants_of_its_own_and_they_stay_the_same() {
        assert_eq!(all(1, 0, 9), all(1, 0, 9));
        assert_ne!(all(1, 0, 9)[1..], all(2, 0, 9)[1..]);
        let spread: std::collections::BTreeSet<_> = (0..100).map(|number| all(number, 0, 2)[1]).collect();
        assert!(spread.len() > 90, "{}", spread.len());
    }

    #[test]
    fn from_any_instant_the_next_try_is_the_one_that_follows() {
        let job_id = EntityId::new("j").unwrap();
        let sending = Sending { job_id: &job_id, number: 3, since: Timestamp::EPOCH };
        let tries = all(3, 0, 40);
        for after in (-2_000_000..1_000_000_000).step_by(130_001).chain(tries.iter().copied()) {
            let wanted = tries.iter().copied().find(|at| *at > after);
            if let Some(wanted) = wanted {
                let next = sending.next_after(Timestamp::from_micros(after));
                assert_eq!(next, Some(Timestamp::from_micros(wanted)), "{after}");
            }
        }
    }

    #[test]
    fn nothing_is_sent_at_the_end_of_time() {
        let job_id = EntityId::new("j").unwrap();
        let sending = Sending { job_id: &job_id, number: 3, since: Timestamp::EPOCH };
        assert_eq!(sending.next_after(Timestamp::MAX), None);
        let after = Timestamp::from_micros(Timestamp::MAX.as_micros() - 60_000_000);
        assert!(sending.next_after(after).is_some_and(|at| at > after));
    }

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv1a([]), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(*b"foobar"), 0x8594_4171_f739_67e8);
    }
}
