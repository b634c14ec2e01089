//! What is out of place. Each kind has a threshold of its own; the strength is the share of power it concerns. To vote
//! with few others is no anomaly.

use std::collections::BTreeSet;
use std::time::Duration;

use super::arrival::fullest;
use super::{AnomalyKind, Pattern, Round, Scene, Sensitivity, Signal, Vote};
use crate::kernel::ids::VoterId;
use crate::voting::attacks::p_value;
use crate::voting::statistics::robust::modified_z;

/// Votes of one cluster.
const CLUSTER: Duration = Duration::from_secs(1);

pub(super) fn find(scene: &Scene, last: &Round, arrivals: &[&Vote], sees: &Sensitivity) -> Vec<Signal> {
    let scores: Vec<f64> = last.votes.iter().map(|vote| vote.score).collect();
    let far = |vote: &&Vote| modified_z(vote.score, &scores).is_some_and(|z| z.abs() > sees.cutoff);
    let outliers = last.votes.iter().filter(far).map(|vote| vote.voter.clone()).collect();
    let (from, count, p) = fullest(last.opened, arrivals, CLUSTER);
    let is_cluster = count >= 3 && sees.sees(p, count as f64 / arrivals.len() as f64);
    let cluster = arrivals[from..from + count].iter().filter(|_| is_cluster);
    let cluster = cluster.map(|vote| vote.voter.clone()).collect();
    let alarms = &scene.alarms;
    let found: [(AnomalyKind, BTreeSet<VoterId>, Option<f64>, &'static str); 5] = [
        (AnomalyKind::OutlierVoting, outliers, None, "scores lie around their median"),
        (AnomalyKind::ScoreDeviation, alarms.deviations.clone(), None, "a voter is as it was"),
        (AnomalyKind::TemporalCluster, cluster, Some(p), "arrivals are uniform from the opening to the last"),
        (AnomalyKind::WeightManipulation, alarms.manipulations.clone(), None, "no breach is recorded"),
        (AnomalyKind::CoordinatedAttack, alarms.coordinated.clone(), None, "errors are independent"),
    ];
    let n = last.votes.len() as u32;
    let found = found.into_iter().filter(|(_, voters, _, _)| !voters.is_empty());
    found
        .map(|(kind, voters, p, null_model)| Signal {
            strength: power(scene, &voters),
            pattern: Pattern::Anomaly { kind, voters },
            p_value: p.map(p_value),
            n,
            null_model,
        })
        .collect()
}

/// The share of all power that these hold, in millionths.
fn power(scene: &Scene, voters: &BTreeSet<VoterId>) -> u64 {
    let all: u128 = scene.powers.values().map(|power| u128::from(*power)).sum();
    let held: u128 = voters.iter().filter_map(|v| scene.powers.get(v)).map(|power| u128::from(*power)).sum();
    (held * 1_000_000).checked_div(all).unwrap_or(0) as u64
}
