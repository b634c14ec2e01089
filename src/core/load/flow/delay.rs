//! How long a throttled sender waits: a straight line between the two thresholds, in integers.
//!
//! ```text
//!  max ┤            ╱·  never reached
//!      │          ╱
//!      │        ╱
//!  min ┼──────•           • at the threshold exactly min
//!      └──────┴─────┴───► fill
//!            0.7   0.9
//! ```
//!
//! With `bp`, `pause` the thresholds, `n/d` their parts, and `c` the capacity:
//!
//! ```text
//!   (size/c − bp) / (pause − bp) · span  =  (size·A − B) / D
//!   A = bp.d · pause.d · span      B = bp.n · c · pause.d · span      D = c · (pause.n · bp.d − bp.n · pause.d)
//! ```
//!
//! A, B and D are worked out once and reduced, so that a delay is one multiplication and one division. The result is in
//! whole milliseconds, truncated.

use super::config::FlowConfig;
use super::ratio::gcd;

#[derive(Debug)]
pub(super) struct Ramp {
    min_ms: u32,
    last_ms: u32,
    line: Line,
}

#[derive(Debug)]
enum Line {
    /// The whole zone in 64 bits, as with every capacity one would use.
    Narrow { a: u64, b: u64, d: u64 },
    /// Boxed, since it is rare and large.
    Wide(Box<(u128, u128, u128)>),
}

impl Ramp {
    pub fn new(config: &FlowConfig, capacity: usize) -> Self {
        let min_ms = config.min_batch_delay.as_millis() as u64;
        // Bounds of the configuration: a day of milliseconds is below 2^27, a capacity at most 2^40, a denominator
        // below 2^30. The largest product, two denominators with both, is below 2^127.
        let span = (config.max_batch_delay.as_millis() as u64).saturating_sub(min_ms);
        let (bn, bd) = config.backpressure_threshold.rounded();
        let (pn, pd) = config.pause_threshold.rounded();
        let c = capacity as u128;
        let a = bd * pd / gcd(bd, pd) * u128::from(span);
        let scale = pd / gcd(bd, pd) * u128::from(span);
        let b = bn * c * scale;
        let d = (c * (pn * bd).saturating_sub(bn * pd) / gcd(bd, pd)).max(1);
        let common = gcd(gcd(a, b), d);
        let (a, b, d) = (a / common, b / common, d / common);
        let line = match (u64::try_from(a), u64::try_from(b), u64::try_from(d)) {
            (Ok(a), Ok(b), Ok(d)) if a.checked_mul(capacity as u64).is_some() => Line::Narrow { a, b, d },
            _ => Line::Wide(Box::new((a, b, d))),
        };
        // A day of milliseconds fits.
        Ramp { min_ms: min_ms as u32, last_ms: span.saturating_sub(1) as u32, line }
    }

    /// For sizes from the first threshold up to the second.
    #[inline]
    pub fn at(&self, size: usize) -> u64 {
        let above = match &self.line {
            Line::Narrow { a, b, d } => (size as u64 * a).saturating_sub(*b) / d,
            Line::Wide(line) => {
                let (a, b, d) = **line;
                (size as u128 * a).saturating_sub(b).checked_div(d).unwrap_or(0) as u64
            }
        };
        u64::from(self.min_ms) + above.min(u64::from(self.last_ms))
    }
}
