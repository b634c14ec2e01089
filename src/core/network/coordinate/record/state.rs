//! What is known of a node's place: the fold of its events.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::event::{Event, Moved};
use crate::kernel::ids::NodeId;
use crate::kernel::time::Timestamp;
use crate::network::coordinate::config::VivaldiConfig;
use crate::network::coordinate::estimate::{is_converged, upper_rtt_ms};
use crate::network::coordinate::link::Measured;
use crate::network::coordinate::point::{CoordinateParts, NetworkCoordinate};

/// One node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Where it stands; none before it measured or said anything.
    pub place: Option<Place>,
    /// Where routing takes it to stand.
    pub published: Option<Place>,
    /// What it measured, by peer.
    pub links: BTreeMap<NodeId, LinkRecord>,
    /// How wrong its newest estimates were, in seconds.
    pub residuals: VecDeque<f64>,
    /// Its newest estimates, in seconds.
    pub estimates: VecDeque<f64>,
}

/// A place and since when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The numbers.
    pub coordinate: CoordinateParts,
    /// Since when.
    pub at: Timestamp,
}

/// What was measured to one peer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LinkRecord {
    /// The newest round trips, in microseconds.
    pub recent_us: VecDeque<u64>,
    /// Smoothed round trip, in ms.
    pub srtt_ms: f64,
    /// Smoothed deviation, in ms.
    pub rttvar_ms: f64,
    /// Samples so far.
    pub samples: u64,
    /// When the last one was taken.
    pub at: Timestamp,
}

impl Place {
    fn checked(&self) -> Option<NetworkCoordinate> {
        NetworkCoordinate::new(self.coordinate.clone(), self.at).ok()
    }
}

impl LinkRecord {
    /// The smoothed measurement.
    pub fn measured(&self) -> Measured {
        let LinkRecord { srtt_ms, rttvar_ms, samples, at, .. } = *self;
        Measured { srtt_ms, rttvar_ms, samples, at }
    }
}

impl Node {
    /// Where it stands.
    pub fn coordinate(&self) -> Option<NetworkCoordinate> {
        self.place.as_ref()?.checked()
    }

    /// Where routing takes it to stand.
    pub fn routing_coordinate(&self) -> Option<NetworkCoordinate> {
        self.published.as_ref()?.checked()
    }

    /// Has it settled?
    pub fn is_converged(&self, config: &VivaldiConfig) -> bool {
        self.coordinate().is_some_and(|coordinate| is_converged(&coordinate, config))
    }

    /// What was measured to a peer, where it rests on enough samples and the last one is fresh.
    pub fn trusted(&self, peer: &NodeId, config: &VivaldiConfig, now: Timestamp) -> Option<Measured> {
        let measured = self.links.get(peer)?.measured();
        measured.is_trusted(config, now).then_some(measured)
    }

    /// An upper bound of the round trip to a peer that stands there, in ms.
    pub fn rtt_ucb_ms(
        &self,
        peer: &NodeId,
        remote: Option<&NetworkCoordinate>,
        config: &VivaldiConfig,
        now: Timestamp,
    ) -> f64 {
        upper_rtt_ms(self.coordinate().as_ref(), remote, self.trusted(peer, config, now), config)
    }

    /// The same from the coordinate that moves seldom.
    pub fn routing_rtt_ucb_ms(
        &self,
        peer: &NodeId,
        remote: Option<&NetworkCoordinate>,
        config: &VivaldiConfig,
        now: Timestamp,
    ) -> f64 {
        upper_rtt_ms(self.routing_coordinate().as_ref(), remote, self.trusted(peer, config, now), config)
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Moved(moved) => self.moved(moved),
            Event::Placed { coordinate, at } => {
                let place = Place { coordinate: coordinate.clone(), at: *at };
                (self.place, self.published) = (Some(place.clone()), Some(place));
            }
            Event::Resumed { coordinate, at } => {
                let place = Place { coordinate: coordinate.clone(), at: *at };
                (self.place, self.published) = (Some(place.clone()), Some(place));
                self.residuals.clear();
                self.estimates.clear();
            }
        }
    }

    fn moved(&mut self, moved: &Moved) {
        let [links, residuals, estimates] = moved.windows;
        let place = Place { coordinate: moved.coordinate.clone(), at: moved.at };
        if moved.is_published {
            self.published = Some(place.clone());
        }
        self.place = Some(place);
        if let Some(forgotten) = &moved.forgotten {
            self.links.remove(forgotten);
        }
        let link = self.links.entry(moved.peer.clone()).or_default();
        push(&mut link.recent_us, moved.rtt_us, links);
        link.srtt_ms = moved.srtt_ms;
        link.rttvar_ms = moved.rttvar_ms;
        link.samples = link.samples.saturating_add(1);
        link.at = moved.at;
        push(&mut self.residuals, moved.residual, residuals);
        push(&mut self.estimates, moved.estimate, estimates);
    }
}

/// Adds the newest, and forgets those that are too many.
fn push<T>(window: &mut VecDeque<T>, newest: T, most: u16) {
    window.push_back(newest);
    while window.len() > usize::from(most) {
        window.pop_front();
    }
}
