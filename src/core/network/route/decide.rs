//! Order, hysteresis and chain. Same input, same output.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::candidate::{DatacenterCandidate, Eligible, Excluded, HealthBucket, filter};
use super::config::RoutingConfig;
use super::score::{Parts, Scored, capacity, score};
use super::state::JobRoutingState;
use crate::kernel::ids::{DatacenterId, EntityId};
use crate::kernel::rendezvous::weight;
use crate::kernel::time::Timestamp;

/// What the one who decides knows.
#[derive(Clone, Copy, Debug)]
pub struct LocalView<'a> {
    /// Has its own coordinate settled? Without that, distances say nothing.
    pub is_converged: bool,
    /// Datacenters that are preferred.
    pub preferred: &'a BTreeSet<DatacenterId>,
    /// Own dispatches since each datacenter's last word about its queue.
    pub dispatched: &'a BTreeMap<DatacenterId, u64>,
    /// How many datacenters get the job at once; the configured number where there is none.
    pub targets: Option<usize>,
    /// The instant.
    pub now: Timestamp,
}

/// Why the primary is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    /// There was none.
    InitialSelection,
    /// The last one is excluded or gone.
    ExclusionForced,
    /// The last one is not in the primary bucket.
    BucketDropForced,
    /// The last one failed lately, and another one did not.
    CooldownPenalty,
    /// The last one has been much worse than it was, for a while.
    DegradationForced,
    /// Another one is much better.
    ImprovementThresholdMet,
    /// The last one is kept.
    HoldDownRetained,
    /// There is none that may be chosen.
    NothingEligible,
}

impl Reason {
    /// The name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Reason::InitialSelection => "INITIAL_SELECTION",
            Reason::ExclusionForced => "EXCLUSION_FORCED",
            Reason::BucketDropForced => "BUCKET_DROP_FORCED",
            Reason::CooldownPenalty => "COOLDOWN_PENALTY",
            Reason::DegradationForced => "DEGRADATION_FORCED",
            Reason::ImprovementThresholdMet => "IMPROVEMENT_THRESHOLD_MET",
            Reason::HoldDownRetained => "HOLD_DOWN_RETAINED",
            Reason::NothingEligible => "NOTHING_ELIGIBLE",
        }
    }
}

/// Where a job goes, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoutingDecision {
    /// Which job.
    pub job_id: EntityId,
    /// Those that get it, the selected one first.
    pub primary_datacenters: Vec<DatacenterId>,
    /// Those to try afterwards, in order.
    pub fallback_datacenters: Vec<DatacenterId>,
    /// The bucket of the primaries; `None` where nothing is eligible.
    pub primary_bucket: Option<HealthBucket>,
    /// Why.
    pub reason: Reason,
    /// Was it decided without distances?
    pub in_bootstrap_mode: bool,
    /// The scores, in the order of the lists.
    pub scores: Vec<Scored>,
    /// Those that are in no list.
    pub excluded: Vec<Excluded>,
    /// Does the job go somewhere else than before?
    pub switched: bool,
    /// Where it went before.
    pub previous_primary: Option<DatacenterId>,
}

struct Ranked<'a> {
    eligible: Eligible<'a>,
    parts: Parts,
    is_preferred: bool,
}

impl Ranked<'_> {
    fn id(&self) -> &DatacenterId {
        &self.eligible.candidate.datacenter_id
    }

    fn is_cooling(&self) -> bool {
        self.parts.cooldown > 1.0
    }

    /// Those that are preferred, those with more room, the smaller id.
    fn ties(&self, other: &Self) -> Ordering {
        let cores = |ranked: &Self| ranked.eligible.candidate.available_cores;
        (other.is_preferred.cmp(&self.is_preferred))
            .then_with(|| cores(other).cmp(&cores(self)))
            .then_with(|| self.id().cmp(other.id()))
    }

    /// Without distances: those without a recent failure, the most room, the shortest queue, the least pressure.
    fn by_room(&self, other: &Self) -> Ordering {
        let (mine, others) = (self.eligible.candidate, other.eligible.candidate);
        let pressure = |c: &DatacenterCandidate| c.circuit_breaker_pressure;
        (self.eligible.bucket.cmp(&other.eligible.bucket))
            .then_with(|| self.is_cooling().cmp(&other.is_cooling()))
            .then_with(|| capacity(&other.eligible).total_cmp(&capacity(&self.eligible)))
            .then_with(|| mine.queue_depth.cmp(&others.queue_depth))
            .then_with(|| pressure(mine).total_cmp(&pressure(others)))
            .then_with(|| others.available_cores.cmp(&mine.available_cores))
            .then_with(|| self.ties(other))
    }
}

/// Decides where a job goes. Gives the decision and what is to be kept for the job.
pub fn decide(
    job: &EntityId,
    candidates: &[DatacenterCandidate],
    state: &JobRoutingState,
    view: LocalView<'_>,
    config: &RoutingConfig,
) -> (RoutingDecision, JobRoutingState) {
    let (eligible, excluded) = filter(candidates, view.now);
    let mut next = state.clone();
    next.last_used_at = view.now;
    next.forget_old(config, view.now);
    let Some(bucket) = eligible.iter().map(|eligible| eligible.bucket).min() else {
        next.degraded_since = None;
        return (nothing(job, excluded, state), next);
    };
    let is_bootstrap = !view.is_converged
        || !eligible.iter().any(|eligible| eligible.bucket == bucket && eligible.candidate.has_coordinate);
    let all: Vec<Ranked<'_>> = eligible
        .into_iter()
        .map(|eligible| {
            let id = &eligible.candidate.datacenter_id;
            let is_preferred = view.preferred.contains(id);
            let counts = is_preferred && eligible.bucket == bucket;
            let queued = view.dispatched.get(id).copied().unwrap_or(0);
            let is_cooling = state.is_cooling(id, config, view.now);
            let parts = score(&eligible, queued, counts, is_cooling, config);
            Ranked { eligible, parts, is_preferred }
        })
        .collect();
    let mut ranked = in_order(&all, is_bootstrap);
    let members = ranked.iter().take_while(|ranked| ranked.eligible.bucket == bucket).count();
    let (chosen, reason) = match &state.primary {
        None if is_bootstrap => (0, Reason::InitialSelection),
        None => (among_equals(job, &ranked[..members], config), Reason::InitialSelection),
        Some(primary) => {
            let current = ranked.iter().position(|ranked| ranked.id() == primary);
            next.degraded_since = match current {
                Some(at) if !is_bootstrap => degraded_since(ranked[at], state, view.now, config),
                Some(_) | None => None,
            };
            match current {
                None => (0, Reason::ExclusionForced),
                Some(at) => keep_or_switch(at, &ranked, members, is_bootstrap, &next, view.now, config),
            }
        }
    };

    let selected = ranked.remove(chosen);
    let previous = state.primary.clone();
    let is_same = previous.as_ref() == Some(selected.id());
    if !is_same {
        next.switch_count += u64::from(previous.is_some());
        next.primary = Some(selected.id().clone());
        next.selected_at = view.now;
        next.degraded_since = None;
    }
    // Scores of the two ways to rank cannot be compared: the first one afterwards is the base.
    next.selection_score = match (is_bootstrap, is_same, state.selection_score) {
        (true, _, _) => None,
        (false, true, Some(before)) => Some(before),
        (false, true | false, _) => Some(selected.parts.score),
    };
    let most = view.targets.unwrap_or(config.max_primary_dcs).max(1);
    ranked.insert(0, selected);
    let mut primary_datacenters: Vec<DatacenterId> =
        ranked.iter().map(|ranked| ranked.id().clone()).collect();
    let fallback_datacenters = primary_datacenters.split_off(most.min(members));
    let decision = RoutingDecision {
        job_id: job.clone(),
        primary_datacenters,
        fallback_datacenters,
        primary_bucket: Some(bucket),
        reason,
        in_bootstrap_mode: is_bootstrap,
        scores: ranked.into_iter().map(|ranked| ranked.parts.of(&ranked.eligible)).collect(),
        excluded,
        switched: previous.is_some() && !is_same,
        previous_primary: previous,
    };
    (decision, next)
}

/// Bucket by bucket, the best first. Ids differ, so no two are equal and the order is one.
fn in_order<'r, 'a>(all: &'r [Ranked<'a>], is_bootstrap: bool) -> Vec<&'r Ranked<'a>> {
    if is_bootstrap {
        let mut ranked: Vec<&Ranked<'_>> = all.iter().collect();
        ranked.sort_unstable_by(|a, b| a.by_room(b));
        return ranked;
    }
    // What is compared stands in the list that is sorted. The bits of numbers that are not negative are in their order.
    let key = |ranked: &'r Ranked<'a>| (ranked.eligible.bucket, (ranked.parts.score + 0.0).to_bits(), ranked);
    let mut keys: Vec<(HealthBucket, u64, &'r Ranked<'a>)> = all.iter().map(key).collect();
    keys.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| a.2.ties(b.2)));
    keys.into_iter().map(|(_, _, ranked)| ranked).collect()
}

fn nothing(job: &EntityId, excluded: Vec<Excluded>, state: &JobRoutingState) -> RoutingDecision {
    RoutingDecision {
        job_id: job.clone(),
        primary_datacenters: Vec::new(),
        fallback_datacenters: Vec::new(),
        primary_bucket: None,
        reason: Reason::NothingEligible,
        in_bootstrap_mode: false,
        scores: Vec::new(),
        excluded,
        switched: false,
        previous_primary: state.primary.clone(),
    }
}

/// Since when the score has been much worse than it was at the selection, if it is now.
fn degraded_since(
    held: &Ranked<'_>,
    state: &JobRoutingState,
    now: Timestamp,
    config: &RoutingConfig,
) -> Option<Timestamp> {
    let is_bad = state.selection_score.is_some_and(|before| held.parts.score >= config.degradation * before);
    if is_bad { state.degraded_since.or(Some(now)) } else { None }
}

/// Which of the ranked is selected after `current`, and why. The first `members` are of the primary bucket.
fn keep_or_switch(
    current: usize,
    ranked: &[&Ranked<'_>],
    members: usize,
    is_bootstrap: bool,
    state: &JobRoutingState,
    now: Timestamp,
    config: &RoutingConfig,
) -> (usize, Reason) {
    if current >= members {
        return (0, Reason::BucketDropForced);
    }
    let held = ranked[current];
    if held.is_cooling()
        && let Some(other) = ranked[..members].iter().position(|ranked| !ranked.is_cooling())
    {
        return (other, Reason::CooldownPenalty);
    }
    if is_bootstrap {
        return (current, Reason::HoldDownRetained);
    }
    let (best, held) = (ranked[0].parts.score, held.parts.score);
    let long = Duration::from_secs(config.degradation_seconds);
    if state.degraded_since.is_some_and(|since| now.since(since) >= long) && best < held {
        return (0, Reason::DegradationForced);
    }
    let is_held = now.since(state.selected_at) < config.hold_down();
    if current == 0 || is_held || best > config.improvement * held {
        return (current, Reason::HoldDownRetained);
    }
    (0, Reason::ImprovementThresholdMet)
}

/// Of those about as good as the best, each job takes its own: without that, all jobs between two heartbeats go to one
/// datacenter.
fn among_equals(job: &EntityId, members: &[&Ranked<'_>], config: &RoutingConfig) -> usize {
    let Some(best) = members.first() else { return 0 };
    let bound = best.parts.score * (1.0 + config.herd_margin);
    let equals = members.iter().take_while(|member| {
        member.parts.score <= bound
            && member.is_preferred == best.is_preferred
            && member.is_cooling() == best.is_cooling()
    });
    let chosen = equals.enumerate().max_by_key(|(_, member)| weight(job.as_str(), member.id().as_str()));
    chosen.map_or(0, |(at, _)| at)
}
