//! What is known of datacenters: the fold of their events, and how they look from a gate.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::{Event, Report};
use crate::kernel::ids::DatacenterId;
use crate::kernel::time::Timestamp;
use crate::network::coordinate::record::Node;
use crate::network::coordinate::{NetworkCoordinate, VivaldiConfig, coordinate_quality};
use crate::network::route::DatacenterCandidate;

/// All datacenters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Datacenters {
    /// By their names.
    pub known: BTreeMap<DatacenterId, Latest>,
}

/// What was last heard of a datacenter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latest {
    /// How it is.
    pub report: Report,
    /// When it was last heard.
    pub at: Timestamp,
    /// When it was last heard where its leader stands.
    pub placed_at: Timestamp,
}

impl Datacenters {
    /// Every datacenter as it looks from a node: as a gate there may choose it.
    pub fn candidates(
        &self,
        from: &Node,
        config: &VivaldiConfig,
        now: Timestamp,
    ) -> Vec<DatacenterCandidate> {
        self.known.iter().map(|(id, heard)| heard.candidate(id, from, config, now)).collect()
    }

    /// Adds one event.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Updated { datacenter_id, report, says_queue: _, at } => {
                let before = self.known.get(datacenter_id);
                let is_placed = before.is_none_or(|heard| heard.report.coordinate != report.coordinate);
                let placed_at = before.filter(|_| !is_placed).map_or(*at, |heard| heard.placed_at);
                let heard = Latest { report: (**report).clone(), at: *at, placed_at };
                self.known.insert(datacenter_id.clone(), heard);
            }
            Event::Removed { datacenter_id, at: _ } => {
                self.known.remove(datacenter_id);
            }
        }
    }
}

impl Latest {
    /// The datacenter as a gate at `from` may choose it.
    pub fn candidate(
        &self,
        id: &DatacenterId,
        from: &Node,
        config: &VivaldiConfig,
        now: Timestamp,
    ) -> DatacenterCandidate {
        let report = &self.report;
        let distance = self.distance(from, config, now);
        let (rtt_ucb_ms, coordinate_quality) = distance.unwrap_or((0.0, 0.0));
        DatacenterCandidate {
            datacenter_id: id.clone(),
            health_bucket: Some(report.health_bucket),
            available_cores: report.available_cores,
            total_cores: report.total_cores,
            queue_depth: report.queue_depth,
            lhm_multiplier: f64::from(report.lhm_permille) / 1_000.0,
            circuit_breaker_pressure: report.pressure(),
            total_managers: report.total_managers,
            healthy_managers: report.healthy_managers,
            has_coordinate: distance.is_some(),
            rtt_ucb_ms,
            coordinate_quality,
            last_health_at: self.at,
        }
    }

    /// Upper bound of the round trip in ms and how far it can be relied on. What is said goes before what is measured, and
    /// that before what is estimated. A node that has not settled knows only what is said.
    fn distance(&self, from: &Node, config: &VivaldiConfig, now: Timestamp) -> Option<(f64, f64)> {
        if let Some(stated) = self.report.stated {
            let quality = f64::from(stated.quality_ppm) / 1e6;
            return Some((stated.rtt_ucb_us as f64 / 1_000.0, quality));
        }
        let leader = self.report.leader.as_ref()?;
        if !from.is_converged(config) {
            return None;
        }
        let parts = self.report.coordinate.clone();
        let remote = parts.and_then(|parts| NetworkCoordinate::new(parts, self.placed_at).ok());
        let measured = from.trusted(leader, config, now);
        let quality = match (&measured, &remote) {
            (Some(_), _) => 1.0,
            (None, Some(remote)) => coordinate_quality(Some(remote), config, now),
            (None, None) => return None,
        };
        Some((from.routing_rtt_ucb_ms(leader, remote.as_ref(), config, now), quality))
    }
}

impl Report {
    /// The part of its managers that do not answer calls, 0 to 1.
    pub fn pressure(&self) -> f64 {
        match self.pressure_ppm {
            Some(ppm) => f64::from(ppm) / 1e6,
            None if self.total_managers == 0 => 0.0,
            None => {
                let gone = self.total_managers.saturating_sub(self.healthy_managers);
                gone as f64 / self.total_managers as f64
            }
        }
    }
}
