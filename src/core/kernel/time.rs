//! Time as a value: the core never reads a clock, it is told.
//!
//! A [`Timestamp`] is an instant in UTC counted in whole microseconds since 1970-01-01T00:00:00Z. It may be
//! negative: recorded votes can be centuries old. In JSON it is an RFC 3339 string; in stored bytes an `i64`.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// An instant in UTC, microseconds since the Unix epoch (may be negative).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z, where virtual time starts.
    pub const EPOCH: Timestamp = Timestamp(0);
    /// Far enough in the future that nothing is due then; still printable (year 9999).
    pub const MAX: Timestamp = Timestamp(253_402_300_799_999_999);
    /// The earliest instant RFC 3339 can print (year 0000).
    pub const MIN: Timestamp = Timestamp(-62_167_219_200_000_000);

    /// An instant from microseconds since the epoch, held inside the printable range (years 0000 to 9999).
    pub fn from_micros(us: i64) -> Self {
        Timestamp(us.clamp(Self::MIN.0, Self::MAX.0))
    }

    /// An instant from milliseconds since the epoch, held inside the printable range.
    pub fn from_millis(ms: i64) -> Self {
        Self::from_micros(ms.saturating_mul(1_000))
    }

    /// Microseconds since the epoch.
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the epoch, rounded towards the past.
    pub fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// This instant moved later by `d`, never past [`Timestamp::MAX`].
    pub fn plus(self, d: Duration) -> Self {
        Self::from_micros(self.0.saturating_add(i64::try_from(d.as_micros()).unwrap_or(i64::MAX)))
    }

    /// This instant moved earlier by `d`, never before [`Timestamp::MIN`].
    pub fn minus(self, d: Duration) -> Self {
        Self::from_micros(self.0.saturating_sub(i64::try_from(d.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The first instant strictly later than this one. A deadline is inclusive, so a thing with deadline `d`
    /// falls due at `d.next()`.
    pub fn next(self) -> Self {
        Self::from_micros(self.0.saturating_add(1))
    }

    /// Time from `earlier` to here; zero when `earlier` is not earlier.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Reads RFC 3339 (`2026-11-21T10:00:00Z`) or a plain date (`1788-06-21`, midnight UTC).
    ///
    /// # Errors
    /// A sentence naming the text when it is neither.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Ok(t) = DateTime::parse_from_rfc3339(text) {
            if t.timestamp_subsec_nanos() % 1_000 != 0 {
                return Err(
                    "not an instant that is kept exactly, expected at most six places of a second".to_owned()
                );
            }
            return Ok(Self::from_micros(t.timestamp_micros()));
        }
        if let Ok(d) = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d")
            && let Some(midnight) = d.and_hms_opt(0, 0, 0)
        {
            return Ok(Self::from_micros(midnight.and_utc().timestamp_micros()));
        }
        Err("not an instant, expected RFC 3339 or YYYY-MM-DD".to_owned())
    }
}

/// Whole microseconds of a span; a span between two instants always fits.
pub fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// Whole milliseconds of a span.
pub fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// How many parts a number has when one whole has `parts_of_one` of them, a power of ten: 1.5 seconds are 1,500,000
/// microseconds. `None` when that is no whole number, below nothing, or more than a double counts exactly (2^53): it
/// would have to be rounded.
pub fn whole_parts(number: f64, parts_of_one: u32) -> Option<u64> {
    const COUNTED: f64 = 9_007_199_254_740_992.0;
    let scale = f64::from(parts_of_one);
    let parts = (number * scale).round();
    // Division is rounded correctly, so it gives back the very double that the shortest decimal of the parts means.
    ((0.0..=COUNTED).contains(&parts) && parts / scale == number).then_some(parts as u64)
}

/// A time in which no process served: after `last_alive`, before `began`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Downtime {
    /// The last instant at which the process before this one is known to have been alive. A process notes that it
    /// lives every few seconds, so what an entity has on record may be later.
    pub last_alive: Timestamp,
    /// When the process that serves now began to serve.
    pub began: Timestamp,
    /// What kind of gap it was.
    pub gap: Gap,
}

/// Why nobody could see anything for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// No process served; the one that does now goes on with what the one before it led.
    Restart,
    /// No process served, and the one that does now only carries out a command of somebody: whoever led goes on leading.
    Command,
    /// The machine was suspended, with the process on it.
    Suspend,
    /// The wall clock was set ahead while the process served, and the journal's time followed it, as it did in earlier
    /// versions: see [`ClockStep`]. No time passed.
    ClockJump,
    /// The process did not run although the machine did: it was stopped, or got neither processor nor memory.
    Pause,
}

/// The wall clock was set. The journal's time does not follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockStep {
    /// When it was noticed, in the journal's time.
    pub at: Timestamp,
    /// How far it was set ahead, or back when negative, in microseconds.
    pub by_us: i64,
}

impl Gap {
    /// Is it a gap in the life of a process, and not the time before it? An entity that is loaded again in the same
    /// process meets it again, and knows by its instant that it has left it out.
    pub fn is_within_a_process(self) -> bool {
        match self {
            Gap::Restart | Gap::Command => false,
            Gap::Suspend | Gap::ClockJump | Gap::Pause => true,
        }
    }
}

impl Downtime {
    /// A process that began with nobody before it.
    pub fn none(began: Timestamp) -> Self {
        Downtime { last_alive: began, began, gap: Gap::Restart }
    }

    /// How long nobody watched an entity whose latest record is of the instant `known_alive`.
    pub fn length_after(self, known_alive: Timestamp) -> Duration {
        self.began.since(self.last_alive.max(known_alive))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t: DateTime<Utc> = DateTime::from_timestamp_micros(self.0).unwrap_or_default();
        f.write_str(&t.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.collect_str(self) } else { s.serialize_i64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if d.is_human_readable() {
            let text = String::deserialize(d)?;
            Timestamp::parse(&text).map_err(D::Error::custom)
        } else {
            i64::deserialize(d).map(Self::from_micros)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_parses_dates_before_1970() {
        let t = Timestamp::parse("1788-06-21").unwrap();
        assert!(t < Timestamp::EPOCH);
        assert_eq!(t.to_string(), "1788-06-21T00:00:00Z");
        assert_eq!(Timestamp::parse("1788-06-21T00:00:00Z").unwrap(), t);
    }

    #[test]
    fn parts_are_counted_exactly_or_not_at_all() {
        for (number, parts) in
            [(0.1, 100_000), (1.5, 1_500_000), (0.000001, 1), (0.0, 0), (86_400.0, 86_400_000_000)]
        {
            assert_eq!(whole_parts(number, 1_000_000), Some(parts), "{number}");
        }
        for bad in [0.0000001, 0.1234567, 0.30000000000000004, -1.0, 1e300, f64::NAN, f64::INFINITY] {
            assert_eq!(whole_parts(bad, 1_000_000), None, "{bad}");
        }
    }

    #[test]
    fn an_instant_is_kept_to_the_microsecond_or_refused() {
        let parse = |text: &str| Timestamp::parse(text).map(Timestamp::as_micros);
        assert_eq!(parse("1970-01-01T00:00:00.000001000Z"), Ok(1));
        assert!(parse("1970-01-01T00:00:00.0000001Z").unwrap_err().contains("six places"));
    }

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        assert_eq!(Timestamp::MAX.plus(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::EPOCH.minus(Duration::MAX), Timestamp::from_micros(-i64::MAX));
        assert_eq!(Timestamp::MIN.since(Timestamp::MAX), Duration::ZERO);
        assert_eq!(Timestamp::from_micros(-1).as_millis(), -1);
    }
}
