//! The coordinates that a node knows: its own, and those of its peers by their ids.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use super::application::Application;
use super::config::VivaldiConfig;
use super::estimate::{coordinate_quality, estimate_rtt_ms, is_converged, upper_rtt_ms};
use super::link::{Link, Measured};
use super::point::NetworkCoordinate;
use super::rule::{Refused, Residuals, check_dimensions, check_rtt, step};
use super::saved::SavedCoordinate;
use crate::kernel::ids::NodeId;
use crate::kernel::rng::Rng;
use crate::kernel::time::Timestamp;
use crate::network::OutOfRange;

/// A sweep forgets peers after so many times to live. At the time to live itself, no coordinate would ever get old
/// enough to lose quality.
const SWEEP_TTLS: u32 = 4;
/// Upper ends of the relative errors that are counted, in percent; the last class has none.
const ERROR_CLASSES: [u32; 6] = [5, 10, 20, 50, 100, 200];

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CoordinateCounters {
    /// Samples that moved the coordinate.
    pub samples: u64,
    /// Samples refused for their round trip.
    pub refused_rtt: u64,
    /// Coordinates refused for their dimensions.
    pub refused_dimensions: u64,
    /// Samples whose residual was clipped.
    pub clipped: u64,
    /// Times the coordinate began anew because its numbers overflowed.
    pub resets: u64,
    /// Peers that gave way to new ones.
    pub evicted: u64,
    /// How many predictions were wrong by upto 5, 10, 20, 50, 100, 200 percent, and by more.
    pub prediction_errors: [u64; 7],
}

/// A view of a tracker, for people and metrics.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VivaldiMetrics {
    /// The node's own coordinate.
    pub coordinate: NetworkCoordinate,
    /// Its relative error.
    pub error: f64,
    /// Its absolute error.
    pub error_ms: f64,
    /// Has it settled?
    pub is_converged: bool,
    /// Peers that are known.
    pub peer_count: usize,
    /// Samples so far.
    pub sample_count: u64,
    /// How far the coordinate moved with a sample lately, in ms.
    pub velocity_ms: f64,
    /// Times routing was given another coordinate.
    pub published: u64,
    /// What happened.
    pub counters: CoordinateCounters,
    /// The knobs.
    pub config: VivaldiConfig,
}

#[derive(Clone, Debug)]
struct Known {
    coordinate: NetworkCoordinate,
    link: Link,
    seen_at: Timestamp,
}

/// The coordinates of a node and of its peers, bounded.
///
/// ```
/// use quorate_core::kernel::{ids::NodeId, rng::Rng, time::Timestamp};
/// use quorate_core::network::coordinate::{CoordinateTracker, VivaldiConfig};
///
/// let (now, mut rng) = (Timestamp::EPOCH, Rng::new(1));
/// let mut here = CoordinateTracker::new(VivaldiConfig::default(), now)?;
/// let there = CoordinateTracker::new(VivaldiConfig::default(), now)?;
/// let peer = NodeId::new("manager-2")?;
/// for _ in 0..50 {
///     here.update_peer_coordinate(&peer, there.get_coordinate().clone(), 40.0, now, &mut rng)?;
/// }
/// let estimate = here.estimate_rtt_ms(&peer).unwrap();
/// assert!((estimate - 40.0).abs() < 2.0, "{estimate}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct CoordinateTracker {
    config: VivaldiConfig,
    local: NetworkCoordinate,
    application: Application,
    residuals: Residuals,
    peers: BTreeMap<NodeId, Known>,
    /// The same peers by when they were last heard.
    ages: BTreeSet<(Timestamp, NodeId)>,
    counters: CoordinateCounters,
    velocity_ms: f64,
}

impl CoordinateTracker {
    /// A node that knows nothing yet.
    ///
    /// # Errors
    /// [`OutOfRange`] for a knob that does not fit.
    pub fn new(config: VivaldiConfig, now: Timestamp) -> Result<Self, OutOfRange> {
        config.check()?;
        let origin = NetworkCoordinate::origin(&config, now);
        Ok(Self::at(config, origin, now))
    }

    /// A node that stood somewhere before it was restarted: see [`SavedCoordinate::restore`].
    ///
    /// # Errors
    /// [`OutOfRange`] for a knob that does not fit.
    pub fn restored(
        config: VivaldiConfig,
        saved: &SavedCoordinate,
        now: Timestamp,
    ) -> Result<Self, OutOfRange> {
        config.check()?;
        let local = saved.restore(&config, now);
        Ok(Self::at(config, local, now))
    }

    pub(super) fn at(config: VivaldiConfig, local: NetworkCoordinate, now: Timestamp) -> Self {
        CoordinateTracker {
            application: Application::new(local.clone(), now),
            config,
            local,
            residuals: Residuals::default(),
            peers: BTreeMap::new(),
            ages: BTreeSet::new(),
            counters: CoordinateCounters::default(),
            velocity_ms: 0.0,
        }
    }

    /// The knobs.
    pub fn config(&self) -> &VivaldiConfig {
        &self.config
    }

    /// The node's own coordinate, as it is sent.
    pub fn get_coordinate(&self) -> &NetworkCoordinate {
        &self.local
    }

    /// The node's own coordinate as routing reads it: it moves seldom.
    pub fn application_coordinate(&self) -> &NetworkCoordinate {
        self.application.published()
    }

    /// What is to be stored, so that a restart keeps the place.
    pub fn save(&self, now: Timestamp) -> SavedCoordinate {
        SavedCoordinate { coordinate: self.local.clone(), saved_at: now }
    }

    /// Takes a round trip in ms that this node measured itself, together with the coordinate that came with its answer:
    /// keeps the peer's coordinate and moves the own one, which it gives.
    ///
    /// # Errors
    /// [`Refused`], counted; nothing changed.
    pub fn update_peer_coordinate(
        &mut self,
        peer: &NodeId,
        coordinate: NetworkCoordinate,
        rtt_ms: f64,
        now: Timestamp,
        rng: &mut Rng,
    ) -> Result<&NetworkCoordinate, Refused> {
        let rtt = rtt_ms / 1_000.0;
        self.count(check_rtt(rtt, &self.config))?;
        self.observe_peer_coordinate(peer, coordinate, now)?;
        let Some(known) = self.peers.get_mut(peer) else { return Ok(&self.local) };
        let rtt = known.link.take(rtt, &self.config, now);
        let step = step(&self.local, &known.coordinate, rtt, &mut self.residuals, &self.config, now, rng);
        self.counters.samples += 1;
        self.counters.clipped += u64::from(step.is_clipped);
        self.counters.resets += u64::from(step.is_reset);
        let percent = step.relative_error * 100.0;
        let class = ERROR_CLASSES.iter().position(|most| percent <= f64::from(*most));
        self.counters.prediction_errors[class.unwrap_or(ERROR_CLASSES.len())] += 1;
        let moved = self.local.planar(&step.coordinate).unwrap_or(0.0) * 1_000.0;
        self.velocity_ms += (moved - self.velocity_ms) / 8.0;
        self.local = step.coordinate;
        self.application.follow(&self.local, step.predicted_ms, now);
        Ok(&self.local)
    }

    /// Keeps a coordinate that came with a message whose round trip nobody measured.
    ///
    /// # Errors
    /// [`Refused::Dimensions`], counted; nothing changed.
    pub fn observe_peer_coordinate(
        &mut self,
        peer: &NodeId,
        coordinate: NetworkCoordinate,
        now: Timestamp,
    ) -> Result<(), Refused> {
        self.count(check_dimensions(&coordinate, &self.config))?;
        let coordinate = coordinate.as_of(now);
        if let Some(known) = self.peers.get_mut(peer) {
            if known.seen_at != now {
                self.ages.remove(&(known.seen_at, peer.clone()));
                self.ages.insert((now, peer.clone()));
            }
            known.seen_at = now;
            known.coordinate = coordinate;
            return Ok(());
        }
        while self.peers.len() >= self.config.max_tracked_peers {
            let Some((_, oldest)) = self.ages.pop_first() else { break };
            self.peers.remove(&oldest);
            self.counters.evicted += 1;
        }
        self.ages.insert((now, peer.clone()));
        self.peers.insert(peer.clone(), Known { coordinate, link: Link::default(), seen_at: now });
        Ok(())
    }

    /// The estimated round trip to a peer, in ms; `None` for a peer without a coordinate.
    pub fn estimate_rtt_ms(&self, peer: &NodeId) -> Option<f64> {
        estimate_rtt_ms(&self.local, self.get_peer_coordinate(peer)?)
    }

    /// An upper bound of the round trip to a peer, in ms. What was measured often enough and lately bounds it too:
    /// coordinates serve the peers never measured.
    pub fn estimate_rtt_ucb_ms(&self, peer: &NodeId, now: Timestamp) -> f64 {
        self.bound(&self.local, peer, now)
    }

    /// The same from the coordinate that moves seldom: what routing reads.
    pub fn routing_rtt_ucb_ms(&self, peer: &NodeId, now: Timestamp) -> f64 {
        self.bound(self.application.published(), peer, now)
    }

    fn bound(&self, local: &NetworkCoordinate, peer: &NodeId, now: Timestamp) -> f64 {
        let known = self.peers.get(peer);
        let measured = known.and_then(|known| known.link.trusted(&self.config, now));
        upper_rtt_ms(Some(local), known.map(|known| &known.coordinate), measured, &self.config)
    }

    /// What was measured on the link to a peer.
    pub fn measured(&self, peer: &NodeId) -> Option<Measured> {
        self.peers.get(peer)?.link.measured()
    }

    /// How far the coordinate of a peer can be relied on, 0 to 1.
    pub fn coordinate_quality(&self, peer: &NodeId, now: Timestamp) -> f64 {
        coordinate_quality(self.get_peer_coordinate(peer), &self.config, now)
    }

    /// Has the own coordinate settled?
    pub fn is_converged(&self) -> bool {
        is_converged(&self.local, &self.config)
    }

    /// The coordinate of a peer.
    pub fn get_peer_coordinate(&self, peer: &NodeId) -> Option<&NetworkCoordinate> {
        self.peers.get(peer).map(|known| &known.coordinate)
    }

    /// How many peers are known.
    pub fn get_peer_count(&self) -> usize {
        self.peers.len()
    }

    /// Their ids, in order.
    pub fn get_all_peer_ids(&self) -> impl Iterator<Item = &NodeId> {
        self.peers.keys()
    }

    /// Forgets a peer with all that was measured; was it known?
    pub fn forget_peer(&mut self, peer: &NodeId) -> bool {
        let Some(known) = self.peers.remove(peer) else { return false };
        self.ages.remove(&(known.seen_at, peer.clone()));
        true
    }

    /// Forgets the peers that were last heard more than `max_age` ago, by default the time to live of coordinates; how
    /// many.
    pub fn cleanup_stale_peers(&mut self, max_age: Option<Duration>, now: Timestamp) -> usize {
        let max_age = max_age.unwrap_or(Duration::from_secs(self.config.coord_ttl_seconds));
        let mut removed = 0;
        while let Some((seen_at, _)) = self.ages.first()
            && now.since(*seen_at) > max_age
        {
            if let Some((_, peer)) = self.ages.pop_first() {
                self.peers.remove(&peer);
                removed += 1;
            }
        }
        removed
    }

    /// What a node does every now and then: forgets peers unheard for four times to live.
    pub fn sweep(&mut self, now: Timestamp) -> usize {
        let ttl = Duration::from_secs(self.config.coord_ttl_seconds);
        self.cleanup_stale_peers(Some(ttl * SWEEP_TTLS), now)
    }

    /// The counters.
    pub fn counters(&self) -> &CoordinateCounters {
        &self.counters
    }

    /// Everything about the own coordinate, for people and metrics.
    pub fn metrics(&self) -> VivaldiMetrics {
        VivaldiMetrics {
            coordinate: self.local.clone(),
            error: self.local.error(),
            error_ms: self.local.error_ms(),
            is_converged: self.is_converged(),
            peer_count: self.peers.len(),
            sample_count: self.local.sample_count(),
            velocity_ms: self.velocity_ms,
            published: self.application.times(),
            counters: self.counters,
            config: self.config.clone(),
        }
    }

    fn count<T>(&mut self, outcome: Result<T, Refused>) -> Result<T, Refused> {
        match &outcome {
            Err(Refused::RoundTrip(_)) => self.counters.refused_rtt += 1,
            Err(Refused::Dimensions { .. }) => self.counters.refused_dimensions += 1,
            Ok(_) => {}
        }
        outcome
    }
}
