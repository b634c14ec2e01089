//! How long a probe waits: a base, times five factors that are each at least 1, times local health.
//!
//! | factor | value | bounds |
//! |---|---|---|
//! | local health | 1 + score | 1 to 9 |
//! | degradation | normal 1, light 1.2, moderate 1.5, heavy 2, critical 3 | 1 to 3 |
//! | latency | upper bound of the round trip / 10 ms | 1 to 10 |
//! | confidence | 1 + (1 − quality of the peer's coordinate) / 2 | 1 to 1.5 |
//! | peer health | healthy or unknown 1, busy 1.25, stressed 1.75, overloaded 2.5 | 1 to 2.5 |

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::kernel::time::Timestamp;

/// A level is kept at least so long.
const LEAST_STAY: Duration = Duration::from_secs(5);
/// A peer's word about its health counts for so long.
pub(super) const HEALTH_TTL: Duration = Duration::from_secs(30);

/// How far this node's own process is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Degradation {
    /// In time.
    #[default]
    Normal,
    /// Score 2, or lag half a period.
    Light,
    /// Score 4, or lag a period.
    Moderate,
    /// Score 6, or lag one and a half.
    Heavy,
    /// Score 7, or lag two.
    Critical,
}

impl Degradation {
    const LEVELS: [(Degradation, f64, f64); 4] = [
        (Degradation::Critical, 7.0, 2.0),
        (Degradation::Heavy, 6.0, 1.5),
        (Degradation::Moderate, 4.0, 1.0),
        (Degradation::Light, 2.0, 0.5),
    ];

    /// What it multiplies timeouts by.
    pub fn factor(self) -> f64 {
        match self {
            Degradation::Normal => 1.0,
            Degradation::Light => 1.2,
            Degradation::Moderate => 1.5,
            Degradation::Heavy => 2.0,
            Degradation::Critical => 3.0,
        }
    }

    /// The worst level whose threshold, times `part`, is reached by the score or the lag.
    fn reached(score: f64, lag: f64, part: f64) -> Degradation {
        let level = Self::LEVELS.iter().find(|(_, s, l)| score >= s * part || lag >= l * part);
        level.map_or(Degradation::Normal, |(level, _, _)| *level)
    }
}

/// What a node says about its own load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeerHealth {
    /// In time, or not known.
    #[default]
    Healthy,
    /// A little behind.
    Busy,
    /// Behind.
    Stressed,
    /// Far behind.
    Overloaded,
}

impl PeerHealth {
    const ALL: [PeerHealth; 4] =
        [PeerHealth::Healthy, PeerHealth::Busy, PeerHealth::Stressed, PeerHealth::Overloaded];

    /// What it multiplies timeouts by.
    pub fn factor(self) -> f64 {
        match self {
            PeerHealth::Healthy => 1.0,
            PeerHealth::Busy => 1.25,
            PeerHealth::Stressed => 1.75,
            PeerHealth::Overloaded => 2.5,
        }
    }

    pub(super) fn code(self) -> u8 {
        self as u8
    }

    pub(super) fn from_code(code: u8) -> PeerHealth {
        Self::ALL.into_iter().find(|health| health.code() == code).unwrap_or_default()
    }
}

/// The factors of one timeout, kept for whoever asks why a peer was suspected.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TimeoutFactors {
    /// 1 + the score of local health.
    pub local_health: f64,
    /// The process's own delay.
    pub degradation: f64,
    /// The distance of the peer.
    pub latency: f64,
    /// The doubt about that.
    pub confidence: f64,
    /// The peer's own word.
    pub peer_health: f64,
}

impl TimeoutFactors {
    /// The factors from what is known. `rtt_ucb_ms` is `None` where the peer has no coordinate.
    pub fn new(
        score: u32,
        degradation: Degradation,
        rtt_ucb_ms: Option<f64>,
        quality: f64,
        peer: PeerHealth,
    ) -> Self {
        TimeoutFactors {
            local_health: 1.0 + f64::from(score.min(8)),
            degradation: degradation.factor(),
            latency: rtt_ucb_ms.map_or(1.0, |rtt| (rtt / 10.0).clamp(1.0, 10.0)),
            confidence: rtt_ucb_ms.map_or(1.0, |_| 1.0 + 0.5 * (1.0 - quality.clamp(0.0, 1.0))),
            peer_health: peer.factor(),
        }
    }

    /// The timeout: at least `base`, at most `most`.
    pub fn timeout(&self, base: Duration, most: Duration) -> Duration {
        let product =
            self.local_health * self.degradation * self.latency * self.confidence * self.peer_health;
        base.mul_f64(product).min(most).max(base)
    }
}

/// The health of this node itself, as far as it can tell.
#[derive(Clone, Debug, Default)]
pub(super) struct LocalHealth {
    score: u32,
    lag: f64,
    level: Degradation,
    since: Timestamp,
}

impl LocalHealth {
    pub(super) fn score(&self) -> u32 {
        self.score
    }

    /// 1 + score.
    pub(super) fn multiplier(&self) -> u32 {
        1 + self.score
    }

    pub(super) fn level(&self) -> Degradation {
        self.level
    }

    /// What is told to others.
    pub(super) fn told(&self) -> PeerHealth {
        match self.level {
            Degradation::Normal => PeerHealth::Healthy,
            Degradation::Light => PeerHealth::Busy,
            Degradation::Moderate => PeerHealth::Stressed,
            Degradation::Heavy | Degradation::Critical => PeerHealth::Overloaded,
        }
    }

    /// One change for one probe round, or for a refutation.
    pub(super) fn change(&mut self, by: i64, most: u32, now: Timestamp) {
        let score = (i64::from(self.score) + by).clamp(0, i64::from(most));
        self.score = u32::try_from(score).unwrap_or(0);
        self.settle(now);
    }

    /// The lag of the process, in probe periods.
    pub(super) fn lagged(&mut self, lag: f64, now: Timestamp) {
        self.lag = lag.max(0.0);
        self.settle(now);
    }

    /// Upwards at once; downwards when the level is old enough and 80 % of its threshold is no longer reached.
    fn settle(&mut self, now: Timestamp) {
        let score = f64::from(self.score);
        let up = Degradation::reached(score, self.lag, 1.0);
        let down = Degradation::reached(score, self.lag, 0.8);
        let next = if up > self.level { up } else { down.min(self.level) };
        if next != self.level && (up > self.level || now.since(self.since) >= LEAST_STAY) {
            self.level = next;
            self.since = now;
        }
    }
}
