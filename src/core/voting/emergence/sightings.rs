//! What was seen before: how often and when, and answers that are kept so that the same votes are looked at once.

use std::collections::{BTreeMap, VecDeque};

use super::{AnomalyKind, Pattern, Signal, SwarmKind};
use crate::kernel::time::Timestamp;

/// Answers that are kept.
const KEPT: usize = 64;

/// When a pattern was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// For the first time.
    pub first: Timestamp,
    /// For the last time.
    pub last: Timestamp,
    /// How often.
    pub occurrences: u64,
}

/// Sightings by the name of the pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sightings(BTreeMap<&'static str, Sighting>);

impl Sightings {
    /// Notes what a scan has found.
    pub fn note(&mut self, signals: &[Signal], at: Timestamp) {
        for signal in signals {
            let fresh = Sighting { first: at, last: at, occurrences: 0 };
            let sighting = self.0.entry(signal.pattern.name()).or_insert(fresh);
            sighting.last = sighting.last.max(at);
            sighting.first = sighting.first.min(at);
            sighting.occurrences += 1;
        }
    }

    /// When a pattern of this name was seen.
    pub fn of(&self, name: &str) -> Option<&Sighting> {
        self.0.get(name)
    }
}

impl Pattern {
    /// Its name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Pattern::Synchronization { .. } => "synchronization",
            Pattern::Cascade { .. } => "cascade",
            Pattern::CollectiveIntelligence { .. } => "collective_intelligence",
            Pattern::Convergence { .. } => "convergence",
            Pattern::Anomaly { kind, .. } => match kind {
                AnomalyKind::OutlierVoting => "outlier_voting",
                AnomalyKind::ScoreDeviation => "score_deviation",
                AnomalyKind::TemporalCluster => "temporal_cluster",
                AnomalyKind::WeightManipulation => "weight_manipulation",
                AnomalyKind::CoordinatedAttack => "coordinated_attack",
            },
            Pattern::Swarm { kind, .. } => match kind {
                SwarmKind::Dispersal => "dispersal",
                SwarmKind::Clustering => "clustering",
                SwarmKind::Herding => "herding",
                SwarmKind::Schooling => "schooling",
                SwarmKind::Flocking => "flocking",
            },
        }
    }
}

/// Answers by the digest of what was looked at. The digest is made by whoever holds the votes, and must cover all of the
/// scene and the sensitivity. The oldest answer makes room.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    answers: BTreeMap<[u8; 32], Vec<Signal>>,
    order: VecDeque<[u8; 32]>,
}

impl Cache {
    /// The answer that is kept.
    pub fn get(&self, digest: &[u8; 32]) -> Option<&[Signal]> {
        self.answers.get(digest).map(Vec::as_slice)
    }

    /// Keeps an answer.
    pub fn keep(&mut self, digest: [u8; 32], signals: Vec<Signal>) {
        if self.answers.insert(digest, signals).is_none() {
            self.order.push_back(digest);
        }
        if self.order.len() > KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.answers.remove(&oldest);
        }
    }
}
