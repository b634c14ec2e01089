//! How many of the latest offers were lost, without a lock.
//!
//! ```text
//!   oldest ──► │ slice │ slice │ … │ slice │ open │ ◄── now
//!                a slice is at least 1/7 of the window long and holds at least 1/7 of its offers
//! ```
//!
//! So seven closed slices always cover both the last 60 seconds and the last 1000 offers (the defaults), and reading stops
//! as soon as it has both. A fresh outage shows after a long good run, and an old one is forgiven.
//!
//! Whether a slice is full is looked up only at every 2^k-th offer, so that an offer need not read a clock. The edges of the
//! window are as coarse as a slice; the counts in it are exact while one caller at a time records, and never lost otherwise
//! except by one who stands still for the length of a whole window.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use super::config::FlowConfig;
use crate::kernel::time::Timestamp;

const SLICES: usize = 7;

#[derive(Debug, Default)]
struct Slice {
    from_us: AtomicI64,
    offers: AtomicU32,
    drops: AtomicU32,
}

#[derive(Debug)]
pub(super) struct Window {
    slices: [Slice; SLICES + 1],
    /// The open slice; counts up, the place is its remainder.
    open: AtomicUsize,
    /// Somebody closes the open slice just now.
    closing: AtomicBool,
    /// Looks at the clock when the offers of a slice are a multiple of this power of two, minus one.
    mask: u32,
    slice_us: i64,
}

impl Window {
    pub fn new(config: &FlowConfig) -> Self {
        let per_slice = config.health_offers.div_ceil(SLICES as u32).next_power_of_two();
        Window {
            slices: Default::default(),
            open: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            mask: per_slice - 1,
            slice_us: (config.health_window.as_micros() as i64).div_euclid(SLICES as i64) + 1,
        }
    }

    #[inline]
    fn slice(&self, number: usize) -> &Slice {
        &self.slices[number % (SLICES + 1)]
    }

    #[inline]
    pub fn offered(&self, now: impl FnOnce() -> Timestamp) {
        let open = self.open.load(Relaxed);
        let offers = self.slice(open).offers.fetch_add(1, Relaxed) + 1;
        if offers & self.mask == 0 {
            self.close(open, now());
        }
    }

    /// The same where only one caller at a time offers, as under a lock: without an atomic addition.
    #[inline]
    pub fn offered_alone(&self, now: impl FnOnce() -> Timestamp) {
        let open = self.open.load(Relaxed);
        let held = &self.slice(open).offers;
        let offers = held.load(Relaxed) + 1;
        held.store(offers, Relaxed);
        if offers & self.mask == 0 {
            self.close(open, now());
        }
    }

    pub fn dropped(&self, count: u64) {
        let drops = &self.slice(self.open.load(Relaxed)).drops;
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let _ = drops.fetch_update(Relaxed, Relaxed, |held| Some(held.saturating_add(count)));
    }

    /// Closes the open slice when it is long enough, or before its count overflows.
    #[cold]
    fn close(&self, open: usize, now: Timestamp) {
        let slice = self.slice(open);
        let from = slice.from_us.load(Relaxed);
        // The first slice begins when it is first looked at.
        if open == 0 && from == 0 {
            slice.from_us.store(now.as_micros(), Relaxed);
            return;
        }
        let is_long = now.as_micros().saturating_sub(from) >= self.slice_us;
        if !is_long && slice.offers.load(Relaxed) < u32::MAX / 2 {
            return;
        }
        if self.closing.swap(true, Relaxed) {
            return;
        }
        if self.open.load(Relaxed) == open {
            let next = self.slice(open + 1);
            next.offers.store(0, Relaxed);
            next.drops.store(0, Relaxed);
            next.from_us.store(now.as_micros(), Relaxed);
            self.open.store(open + 1, Relaxed);
        }
        self.closing.store(false, Relaxed);
    }

    /// Offers and drops within the window as of `now`. Changes nothing.
    pub fn read(&self, now: Timestamp, window: Duration, least: u32) -> (u64, u64) {
        let since = now.as_micros().saturating_sub(window.as_micros() as i64);
        let open = self.open.load(Relaxed);
        let (mut offers, mut drops) = (0u64, 0u64);
        for back in 0..=SLICES.min(open) {
            let number = open - back;
            // A slice ends where the next one begins.
            let is_old = back > 0 && self.slice(number + 1).from_us.load(Relaxed) < since;
            if is_old && offers >= u64::from(least) {
                break;
            }
            offers += u64::from(self.slice(number).offers.load(Relaxed));
            drops += u64::from(self.slice(number).drops.load(Relaxed));
        }
        (offers, drops)
    }

    /// Takes over what another window of the same settings has seen.
    pub fn go_on_from(&self, other: &Window) {
        for (to, from) in self.slices.iter().zip(&other.slices) {
            to.from_us.store(from.from_us.load(Relaxed), Relaxed);
            to.offers.store(from.offers.load(Relaxed), Relaxed);
            to.drops.store(from.drops.load(Relaxed), Relaxed);
        }
        self.open.store(other.open.load(Relaxed), Relaxed);
    }

    pub fn reset(&self) {
        for slice in &self.slices {
            slice.from_us.store(0, Relaxed);
            slice.offers.store(0, Relaxed);
            slice.drops.store(0, Relaxed);
        }
        self.open.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + seconds * 1_000)
    }

    fn read(window: &Window, seconds: i64) -> (u64, u64) {
        window.read(at(seconds), Duration::from_secs(60), 1_000)
    }

    fn offer(window: &Window, seconds: i64, count: u64, dropped: u64) {
        for n in 0..count {
            window.offered(|| at(seconds));
            if n < dropped {
                window.dropped(1);
            }
        }
    }

    #[test]
    fn a_fresh_outage_shows_after_a_long_good_run() {
        let window = Window::new(&FlowConfig::default());
        for second in 0..3_600 {
            offer(&window, second, 1_000, 0);
        }
        for second in 3_600..3_660 {
            offer(&window, second, 1_000, 500);
        }
        let (offers, drops) = read(&window, 3_660);
        assert!((60_000..=70_000).contains(&offers), "{offers}");
        assert_eq!(drops, 30_000);
    }

    #[test]
    fn an_old_outage_is_forgiven_and_a_slow_stream_keeps_its_last_thousand() {
        let window = Window::new(&FlowConfig::default());
        offer(&window, 0, 1_000, 1_000);
        assert_eq!(read(&window, 0), (1_000, 1_000));
        // One offer every ten seconds: the last thousand offers are more than the last minute.
        for n in 0..500 {
            offer(&window, 10 * n, 1, 0);
        }
        assert_eq!(read(&window, 5_000).1, 1_000);
        for n in 500..2_300 {
            offer(&window, 10 * n, 1, 0);
        }
        let (offers, drops) = read(&window, 23_000);
        assert!((1_000..=1_300).contains(&offers), "{offers}");
        assert_eq!(drops, 0);
    }

    #[test]
    fn reading_changes_nothing() {
        let window = Window::new(&FlowConfig::default());
        offer(&window, 5, 500, 50);
        assert_eq!(read(&window, 900_000), read(&window, 900_000));
        assert_eq!(read(&window, 5), (500, 50));
    }
}
