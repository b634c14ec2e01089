//! Patterns in how voters move from the first round to the last. Only voters of both are looked at.

use super::arrival::rate;
use super::{Pattern, Round, Sensitivity, Signal, SwarmKind, Target};
use crate::kernel::ids::VoterId;
use crate::kernel::time::Timestamp;
use crate::voting::attacks::p_value;
use crate::voting::statistics::exact::{sign_test, sign_test_two_sided};
use crate::voting::statistics::robust::mean;
use crate::voting::statistics::share;

/// A spread that grows so much is a dispersal.
const DISPERSED: f64 = 1.5;
/// Speeds that vary no more than this are equal.
const EQUAL_SPEED: f64 = 0.25;
/// Fewest voters of a cluster.
const FEWEST_IN_CLUSTER: usize = 2;

/// The scores of those who voted in the first round and in the last, by id.
pub(super) struct Moves {
    first: Vec<f64>,
    last: Vec<f64>,
    /// The mean of the last round, all its voters.
    target: f64,
    /// The means of all rounds and when each was complete.
    means: Vec<(Timestamp, f64)>,
    opened: Timestamp,
}

impl Moves {
    pub(super) fn of(rounds: &[Round]) -> Self {
        let scores = |round: &Round| -> std::collections::BTreeMap<VoterId, f64> {
            round.votes.iter().map(|vote| (vote.voter.clone(), vote.score)).collect()
        };
        let (before, after) = match rounds {
            [first, .., last] => (scores(first), scores(last)),
            _ => Default::default(),
        };
        let both = before.iter().filter_map(|(voter, score)| Some((*score, *after.get(voter)?)));
        let (first, last) = both.unzip();
        let complete = |round: &Round| round.votes.iter().map(|vote| vote.at).max().unwrap_or(round.opened);
        let means = rounds.iter().filter_map(|round| {
            let scores: Vec<f64> = round.votes.iter().map(|vote| vote.score).collect();
            Some((complete(round), mean(&scores)?))
        });
        let target = mean(&after.into_values().collect::<Vec<_>>()).unwrap_or(0.0);
        let opened = rounds.first().map_or(Timestamp::EPOCH, |round| round.opened);
        Moves { first, last, target, means: means.collect(), opened }
    }

    /// How many of these distances shrank, and how many grew.
    fn shrank_and_grew(before: &[f64], after: &[f64]) -> (u64, u64) {
        let count = |wanted: std::cmp::Ordering| {
            before.iter().zip(after).filter(|(b, a)| a.total_cmp(b) == wanted).count() as u64
        };
        (count(std::cmp::Ordering::Less), count(std::cmp::Ordering::Greater))
    }
}

fn distances(scores: &[f64], from: f64) -> Vec<f64> {
    scores.iter().map(|score| (score - from).abs()).collect()
}

pub(super) fn convergence(moves: &Moves, sees: &Sensitivity) -> Option<Signal> {
    let (before, after) = (distances(&moves.first, moves.target), distances(&moves.last, moves.target));
    let (far, near) = (mean(&before)?, mean(&after)?);
    if far <= 0.0 {
        return None;
    }
    let (shrank, grew) = Moves::shrank_and_grew(&before, &after);
    let (p, effect) = (sign_test(shrank, grew), 1.0 - near / far);
    if !sees.sees(p, effect) {
        return None;
    }
    let (end, _) = *moves.means.last()?;
    // The round from which on the mean of the round lies as near the target as half of the whole way.
    let half = (moves.means.first()?.1 - moves.target).abs() / 2.0;
    let away = moves.means.iter().rposition(|(_, mean)| (mean - moves.target).abs() > half);
    let settled = moves.means.get(away.map_or(0, |at| at + 1)).map_or(end, |(at, _)| *at);
    Some(Signal {
        pattern: Pattern::Convergence {
            target: Target::Score(share(moves.target)),
            rate: rate(effect, end.since(moves.opened).as_secs_f64()),
            settled_after: settled.since(moves.opened),
        },
        strength: share(effect),
        p_value: Some(p_value(p)),
        n: moves.first.len() as u32,
        null_model: "distances to the final mean grow as often as they shrink",
    })
}

/// What was seen of movers: kind, p-value, effect and null model.
type Seen = (SwarmKind, f64, f64, &'static str);

pub(super) fn swarm(moves: &Moves, sees: &Sensitivity) -> Option<Signal> {
    let steps: Vec<f64> = moves.last.iter().zip(&moves.first).map(|(last, first)| last - first).collect();
    let movers = steps.iter().filter(|step| **step != 0.0).count();
    if movers == 0 {
        return None;
    }
    let (kind, p, effect, null_model) = dispersal(moves, sees)
        .or_else(|| clustering(moves, sees))
        .or_else(|| common_direction(moves, &steps, sees))?;
    Some(Signal {
        pattern: Pattern::Swarm { kind, movers: movers as u32 },
        strength: share(effect),
        p_value: Some(p_value(p)),
        n: movers as u32,
        null_model,
    })
}

/// The spread grew by half, and more distances from the mean grew than by chance.
fn dispersal(moves: &Moves, sees: &Sensitivity) -> Option<Seen> {
    let before = distances(&moves.first, mean(&moves.first)?);
    let after = distances(&moves.last, mean(&moves.last)?);
    let (shrank, grew) = Moves::shrank_and_grew(&before, &after);
    let p = sign_test(grew, shrank);
    let is_wider = mean(&after)? >= DISPERSED * mean(&before)? && grew > 0;
    let effect = grew.saturating_sub(shrank) as f64 / (grew + shrank).max(1) as f64;
    let null = "distances from the mean shrink as often as they grow";
    (is_wider && p <= sees.alpha).then_some((SwarmKind::Dispersal, p, effect, null))
}

/// The largest gap of the last round parts two groups that are each tighter than before and than the gap.
fn clustering(moves: &Moves, sees: &Sensitivity) -> Option<Seen> {
    let mut order: Vec<usize> = (0..moves.last.len()).collect();
    order.sort_by(|a, b| moves.last[*a].total_cmp(&moves.last[*b]));
    let gap = |at: usize| moves.last[order[at]] - moves.last[order[at - 1]];
    let cut = (1..order.len()).max_by(|a, b| gap(*a).total_cmp(&gap(*b)))?;
    let (low, high) = order.split_at(cut);
    if low.len() < FEWEST_IN_CLUSTER || high.len() < FEWEST_IN_CLUSTER {
        return None;
    }
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for group in [low, high] {
        let of = |scores: &[f64]| group.iter().map(|at| scores[*at]).collect::<Vec<f64>>();
        let (first, last) = (of(&moves.first), of(&moves.last));
        let (wide, tight) = (distances(&first, mean(&first)?), distances(&last, mean(&last)?));
        let range = last.iter().copied().fold(0.0, f64::max) - last.iter().copied().fold(1.0, f64::min);
        if mean(&tight)? >= mean(&wide)? || range >= gap(cut) {
            return None;
        }
        before.extend(wide);
        after.extend(tight);
    }
    let (shrank, grew) = Moves::shrank_and_grew(&before, &after);
    let (p, effect) = (sign_test(shrank, grew), 1.0 - mean(&after)? / mean(&before)?);
    let null = "distances within the groups grow as often as they shrink";
    sees.sees(p, effect).then_some((SwarmKind::Clustering, p, effect, null))
}

/// More move one way than by chance: to one who stays, equally fast, or just so.
fn common_direction(moves: &Moves, steps: &[f64], sees: &Sensitivity) -> Option<Seen> {
    let up = steps.iter().filter(|step| **step > 0.0).count() as u64;
    let down = steps.iter().filter(|step| **step < 0.0).count() as u64;
    let (p, effect) = (sign_test_two_sided(up, down), up.abs_diff(down) as f64 / (up + down) as f64);
    if !sees.sees(p, effect) {
        return None;
    }
    let movers = || (0..steps.len()).filter(|at| steps[*at] != 0.0);
    let follow = |leader: usize| {
        let place = moves.last[leader];
        let nearer = |at: &usize| (moves.last[*at] - place).abs() < (moves.first[*at] - place).abs();
        movers().filter(nearer).count() as f64 >= sees.effect * (up + down) as f64
    };
    let speeds: Vec<f64> = movers().map(|at| steps[at].abs()).collect();
    let speed = mean(&speeds)?;
    let variance = mean(&speeds.iter().map(|s| (s - speed) * (s - speed)).collect::<Vec<_>>())?;
    let kind = if (0..steps.len()).filter(|at| steps[*at] == 0.0).any(follow) {
        SwarmKind::Herding
    } else if variance.sqrt() <= EQUAL_SPEED * speed {
        SwarmKind::Schooling
    } else {
        SwarmKind::Flocking
    };
    Some((kind, p, effect, "up is as likely as down"))
}
