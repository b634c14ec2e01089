//! Every knob of membership, checked when a node is built.

use std::time::Duration;

use crate::network::coordinate::VivaldiConfig;
use crate::network::{OutOfRange, ensure};

/// Longest datagram, in bytes. Sealed, it has at most a hundred more, and still passes the usual networks in one piece.
pub const DATAGRAM_BYTES: usize = 1_300;
const DAY: Duration = Duration::from_secs(86_400);
const MILLISECOND: Duration = Duration::from_millis(1);

/// The knobs of membership.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberConfig {
    /// Between two probes of a healthy node; 1 ms to a day; default 1 s. Shorter finds a death sooner and sends more.
    pub probe_period: Duration,
    /// How long a probe of a near, healthy peer waits for its answer; 1 ms to a day; default 100 ms. Distance, doubt and
    /// load multiply it.
    pub probe_timeout_base: Duration,
    /// However long a probe is made to wait, it is not longer than this; default 60 s.
    pub probe_timeout_max: Duration,
    /// Peers that are asked to probe one that did not answer, 0 to 16; default 3.
    pub indirect_probes: usize,
    /// A suspicion lasts at least so many periods, times the logarithm of the number of nodes; above 0, at most 100;
    /// default 4. Too few kill the slow, too many keep the dead.
    pub suspicion_periods: f64,
    /// While nobody else accuses, it lasts so many times as long; 1 to 100; default 6.
    pub suspicion_max_factor: f64,
    /// Independent accusers that bring the deadline all the way down; 0 to 16; default 3.
    pub suspicion_confirmers: usize,
    /// Highest score of local health, 0 to 8; default 8. At 0 a slow node trusts itself as much as a quick one.
    pub health_score_max: u32,
    /// A message about a peer is passed on so many times, times the logarithm of the number of nodes; 1 to 100; default 4.
    pub retransmit_factor: u32,
    /// Between two rounds of gossip while there is something to tell; default 200 ms.
    pub gossip_period: Duration,
    /// Peers told in a round, 0 to 16; default 3.
    pub gossip_peers: usize,
    /// Between two looks at the member list of another node; default 30 s.
    pub sync_period: Duration,
    /// Between two tries to reach a peer that is taken for dead, so that a healed partition closes; default 10 s.
    pub reconnect_period: Duration,
    /// How long the dead are remembered; default 3600 s.
    pub retention: Duration,
    /// Most peers, 1 to 1,000,000; default 10,000.
    pub max_nodes: usize,
    /// Probes to confirm peers that are sent at one instant, at least 1; default 64. More wait 50 ms.
    pub confirmation_burst: u32,
    /// Only an answer to an own probe confirms a peer; default false. A spoofed sender then confirms nobody.
    pub strict_confirmation: bool,
    /// A node that is woken this much later than it asked for was not running, and concludes nothing from silence of that
    /// time; default 500 ms.
    pub stall: Duration,
    /// The coordinates.
    pub vivaldi: VivaldiConfig,
}

impl Default for MemberConfig {
    fn default() -> Self {
        MemberConfig {
            probe_period: Duration::from_secs(1),
            probe_timeout_base: Duration::from_millis(100),
            probe_timeout_max: Duration::from_secs(60),
            indirect_probes: 3,
            suspicion_periods: 4.0,
            suspicion_max_factor: 6.0,
            suspicion_confirmers: 3,
            health_score_max: 8,
            retransmit_factor: 4,
            gossip_period: Duration::from_millis(200),
            gossip_peers: 3,
            sync_period: Duration::from_secs(30),
            reconnect_period: Duration::from_secs(10),
            retention: Duration::from_secs(3_600),
            max_nodes: 10_000,
            confirmation_burst: 64,
            strict_confirmation: false,
            stall: Duration::from_millis(500),
            vivaldi: VivaldiConfig::default(),
        }
    }
}

impl MemberConfig {
    /// Checks every knob.
    ///
    /// # Errors
    /// [`OutOfRange`] naming the first knob that does not fit, its value and its range.
    pub fn check(&self) -> Result<(), OutOfRange> {
        for (field, span) in [
            ("probe_period", self.probe_period),
            ("probe_timeout_base", self.probe_timeout_base),
            ("probe_timeout_max", self.probe_timeout_max),
            ("gossip_period", self.gossip_period),
            ("sync_period", self.sync_period),
            ("reconnect_period", self.reconnect_period),
            ("retention", self.retention),
            ("stall", self.stall),
        ] {
            ensure((MILLISECOND..=DAY).contains(&span), field, format!("{span:?}"), "1 ms to 24 h")?;
        }
        let most = self.probe_timeout_max;
        let expected = "at least probe_timeout_base";
        ensure(most >= self.probe_timeout_base, "probe_timeout_max", format!("{most:?}"), expected)?;
        ensure(self.indirect_probes <= 16, "indirect_probes", self.indirect_probes, "0 to 16")?;
        let periods = self.suspicion_periods;
        ensure(periods > 0.0 && periods <= 100.0, "suspicion_periods", periods, "above 0, at most 100")?;
        let factor = self.suspicion_max_factor;
        ensure((1.0..=100.0).contains(&factor), "suspicion_max_factor", factor, "1 to 100")?;
        let confirmers = self.suspicion_confirmers;
        ensure(confirmers <= 16, "suspicion_confirmers", confirmers, "0 to 16")?;
        ensure(self.health_score_max <= 8, "health_score_max", self.health_score_max, "0 to 8")?;
        let factor = self.retransmit_factor;
        ensure((1..=100).contains(&factor), "retransmit_factor", factor, "1 to 100")?;
        ensure(self.gossip_peers <= 16, "gossip_peers", self.gossip_peers, "0 to 16")?;
        ensure((1..=1_000_000).contains(&self.max_nodes), "max_nodes", self.max_nodes, "1 to 1000000")?;
        ensure(self.confirmation_burst >= 1, "confirmation_burst", self.confirmation_burst, "at least 1")?;
        self.vivaldi.check()
    }
}
