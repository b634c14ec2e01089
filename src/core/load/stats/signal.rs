//! What a coordinator tells its senders with every answer: the level, and what follows from it.
//!
//! | level | number | delay | batches only | drop what is not critical |
//! |---|---|---|---|---|
//! | none | 0 | 0 | no | no |
//! | throttle | 1 | 100 ms | no | no |
//! | batch | 2 | 500 ms | yes | no |
//! | reject | 3 | 1000 ms | yes | yes |
//!
//! Signals are ordered by their sender: the number of its life, then a number within it. They hold for a time; a signal
//! nobody repeats wears off. With them goes a *grant*: the number up to which the receiver may send data. It is a total
//! and not a count to add, so a grant that is lost, repeated or overtaken does no harm.
//!
//! # Sources
//! RSocket protocol, *Lease* frames (a permission of so many, for so long); I. Cho et al., *Overload Control for
//! µs-scale RPCs with Breakwater*, OSDI 2020 (credits given out by the server); RFC 9000, section 4.1 (limits as
//! absolute numbers).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::level::Level;
use crate::kernel::time::millis;
use crate::load::shed::number::Invalid;

/// Place of a signal among those of its sender; later ones are newer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SignalSeq {
    /// Grows with every start of the sender.
    pub epoch: u64,
    /// Grows with every signal.
    pub seq: u64,
}

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// The level.
    pub level: Level,
    /// How long to wait between messages.
    pub delay: Duration,
    /// One message per job.
    pub batch_only: bool,
    /// Only what is critical.
    pub drop_non_critical: bool,
    /// Its place.
    pub seq: SignalSeq,
    /// How long it holds; `None` leaves it to the receiver.
    pub ttl: Option<Duration>,
    /// The receiver may send data messages up to this number; `None` leaves it to the level.
    pub upto: Option<u64>,
}

/// A signal as it travels: whatever is missing has a meaning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireSignal {
    /// The number of the level; missing is 0.
    #[serde(default)]
    pub backpressure_level: Option<u64>,
    /// Missing is the delay of the level.
    #[serde(default)]
    pub backpressure_delay_ms: Option<u64>,
    /// Missing follows from the level.
    #[serde(default)]
    pub backpressure_batch_only: Option<bool>,
    /// Missing follows from the level.
    #[serde(default)]
    pub backpressure_drop_non_critical: Option<bool>,
    /// Number of the sender's life.
    #[serde(default)]
    pub signal_epoch: u64,
    /// Number within it.
    #[serde(default)]
    pub signal_seq: u64,
    /// How long it holds.
    #[serde(default)]
    pub ttl_ms: Option<u64>,
    /// Data may be sent up to this number.
    #[serde(default)]
    pub credits_upto: Option<u64>,
    /// The sender does not know its level (it answers an error); the receiver keeps what it knew.
    #[serde(default)]
    pub unknown: bool,
}

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// A signal.
    Known(Signal),
    /// The number of the level is none we know; it is taken for reject. Worth a line in the log.
    Newer(Signal),
    /// The sender does not know.
    Unknown,
}

/// The delays by level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalConfig {
    /// None, throttle, batch, reject.
    pub delays: [Duration; 4],
    /// How long a signal holds.
    pub ttl: Option<Duration>,
}

impl Default for SignalConfig {
    fn default() -> Self {
        SignalConfig { delays: [0, 100, 500, 1_000].map(Duration::from_millis), ttl: None }
    }
}

impl SignalConfig {
    /// Checks the numbers.
    ///
    /// # Errors
    /// [`Invalid`] for delays that fall as the level rises, or a time to live of 0.
    pub fn check(&self) -> Result<(), Invalid> {
        if !self.delays.is_sorted() {
            return Err(Invalid::new("delays", format!("{:?}", self.delays), "not falling"));
        }
        if self.ttl == Some(Duration::ZERO) {
            return Err(Invalid::new("ttl", "0", "above 0"));
        }
        Ok(())
    }

    /// The delay of a level.
    pub fn delay(&self, level: Level) -> Duration {
        self.delays[usize::from(level.number())]
    }

    /// The signal of a level.
    pub fn signal(&self, level: Level, seq: SignalSeq) -> Signal {
        Signal {
            level,
            delay: self.delay(level),
            batch_only: level >= Level::Batch,
            drop_non_critical: level >= Level::Reject,
            seq,
            ttl: self.ttl,
            upto: None,
        }
    }

    /// Reads what came over the wire.
    pub fn decode(&self, wire: &WireSignal) -> Decoded {
        if wire.unknown {
            return Decoded::Unknown;
        }
        let known = Level::from_number(wire.backpressure_level.unwrap_or(0));
        let seq = SignalSeq { epoch: wire.signal_epoch, seq: wire.signal_seq };
        let plain = self.signal(known.unwrap_or(Level::Reject), seq);
        let signal = Signal {
            delay: wire.backpressure_delay_ms.map_or(plain.delay, Duration::from_millis),
            batch_only: wire.backpressure_batch_only.unwrap_or(plain.batch_only),
            drop_non_critical: wire.backpressure_drop_non_critical.unwrap_or(plain.drop_non_critical),
            ttl: wire.ttl_ms.map(Duration::from_millis),
            upto: wire.credits_upto,
            ..plain
        };
        if known.is_some() { Decoded::Known(signal) } else { Decoded::Newer(signal) }
    }
}

impl From<&Signal> for WireSignal {
    fn from(signal: &Signal) -> Self {
        let ms = |d: Duration| millis(d);
        WireSignal {
            backpressure_level: Some(signal.level.number().into()),
            backpressure_delay_ms: Some(ms(signal.delay)),
            backpressure_batch_only: Some(signal.batch_only),
            backpressure_drop_non_critical: Some(signal.drop_non_critical),
            signal_epoch: signal.seq.epoch,
            signal_seq: signal.seq.seq,
            ttl_ms: signal.ttl.map(ms),
            credits_upto: signal.upto,
            unknown: false,
        }
    }
}

/// Numbers signals, one after the other, within one life of a sender.
#[derive(Clone, Debug)]
pub struct Signaller {
    config: SignalConfig,
    next: SignalSeq,
}

impl Signaller {
    /// The first signal of a life; `epoch` grows with every start.
    ///
    /// # Errors
    /// As [`SignalConfig::check`].
    pub fn new(config: SignalConfig, epoch: u64) -> Result<Self, Invalid> {
        config.check()?;
        Ok(Signaller { config, next: SignalSeq { epoch, seq: 1 } })
    }

    /// The next signal. It is made of the level *after* what it answers was recorded, and on every answer, also of an
    /// error and also at level none.
    pub fn signal(&mut self, level: Level, upto: Option<u64>) -> Signal {
        let seq = self.next;
        self.next.seq += 1;
        Signal { upto, ..self.config.signal(level, seq) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn the_table_is_the_documented_one() {
        let told = Level::ALL.map(|level| {
            let signal = SignalConfig::default().signal(level, SignalSeq::default());
            (signal.delay, signal.batch_only, signal.drop_non_critical)
        });
        let (no, yes) = (false, true);
        assert_eq!(told, [(MS(0), no, no), (MS(100), no, no), (MS(500), yes, no), (MS(1_000), yes, yes)]);
    }

    #[test]
    fn what_is_missing_or_unknown_has_a_meaning() {
        let config = SignalConfig::default();
        let level = |number| WireSignal { backpressure_level: number, ..WireSignal::default() };
        let plain = |level| config.signal(level, SignalSeq::default());
        assert_eq!(config.decode(&level(None)), Decoded::Known(plain(Level::None)));
        assert_eq!(config.decode(&level(Some(3))), Decoded::Known(plain(Level::Reject)));
        for newer in [4, 255, 256, 259, u64::MAX] {
            assert_eq!(config.decode(&level(Some(newer))), Decoded::Newer(plain(Level::Reject)));
        }
        let error = WireSignal { unknown: true, ..level(Some(0)) };
        assert_eq!(config.decode(&error), Decoded::Unknown);
    }

    #[test]
    fn what_is_sent_is_what_is_read() {
        let config = SignalConfig { ttl: Some(MS(7_000)), ..SignalConfig::default() };
        let mut signaller = Signaller::new(config, 3).unwrap();
        for level in Level::ALL {
            let signal = signaller.signal(level, Some(9));
            assert_eq!(config.decode(&WireSignal::from(&signal)), Decoded::Known(signal));
        }
        assert_eq!(signaller.signal(Level::None, None).seq, SignalSeq { epoch: 3, seq: 5 });
    }

    #[test]
    fn delays_that_fall_are_refused() {
        let delays = [0, 100, 50, 1_000].map(Duration::from_millis);
        assert_eq!(SignalConfig { delays, ttl: None }.check().unwrap_err().field, "delays");
        let ttl = Some(Duration::ZERO);
        assert_eq!(SignalConfig { ttl, ..SignalConfig::default() }.check().unwrap_err().field, "ttl");
    }
}
