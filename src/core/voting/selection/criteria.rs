//! The eight criteria, each brought to 0 to 1 by its bounds.

use std::collections::{BTreeMap, BTreeSet};

use super::{Excluded, Rated};
use crate::kernel::ids::EntityId;
use crate::voting::statistics::{Unfit, within};

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// More.
    More,
    /// Less.
    Less,
}

/// One criterion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Criterion {
    /// The name of its metric.
    pub name: &'static str,
    /// Which way is better.
    pub direction: Direction,
    /// What counts as 0 and as 1 (the other way round where less is better); what lies beyond is put on the bound.
    pub bounds: (f64, f64),
    /// How much it counts; all together 1.
    pub weight: f64,
    /// What a candidate has that was not measured; `None` excludes it.
    pub default: Option<f64>,
}

const fn criterion(name: &'static str, direction: Direction, bounds: (f64, f64), weight: f64) -> Criterion {
    Criterion { name, direction, bounds, weight, default: None }
}

/// The criteria when nothing else is declared.
pub const CRITERIA: [Criterion; 8] = [
    criterion("benefit_ratio", Direction::More, (0.0, 1.0), 0.20),
    criterion("success_rate", Direction::More, (0.0, 1.0), 0.20),
    criterion("latency", Direction::Less, (0.0, 1.0), 0.10),
    criterion("resource_efficiency", Direction::More, (0.0, 1.0), 0.10),
    criterion("adaptability", Direction::More, (0.0, 1.0), 0.10),
    criterion("risk_adjusted_return", Direction::More, (0.0, 1.0), 0.15),
    criterion("context_correlation", Direction::More, (-1.0, 1.0), 0.05),
    criterion("stability", Direction::More, (0.0, 1.0), 0.10),
];

/// # Errors
/// [`Unfit`] for bounds that are none, and weights that do not sum to 1.
pub(super) fn check(criteria: &[Criterion]) -> Result<(), Unfit> {
    let mut names = BTreeSet::new();
    for criterion in criteria {
        let (low, high) = criterion.bounds;
        let field = |part: &str| format!("criteria.{}.{part}", criterion.name);
        within(&field("weight"), criterion.weight, 0.0, 1.0)?;
        within(&field("low"), low, -1e12, 1e12)?;
        within(&field("high"), high, -1e12, 1e12)?;
        if low >= high || !names.insert(criterion.name) {
            return Err(Unfit::new(
                &field("bounds"),
                format!("{low}..{high}"),
                "a range, and each name once",
            ));
        }
        if let Some(default) = criterion.default {
            within(&field("default"), default, -1e12, 1e12)?;
        }
    }
    let sum: f64 = criteria.iter().map(|criterion| criterion.weight).sum();
    within("criteria.weight", sum, 1.0 - 1e-9, 1.0 + 1e-9).map(drop)
}

/// What each criterion adds to the whole.
pub(super) fn rate(
    criteria: &[Criterion],
    metrics: &BTreeMap<String, f64>,
) -> Result<BTreeMap<String, f64>, Excluded> {
    let mut parts = BTreeMap::new();
    for criterion in criteria {
        let measured = metrics.get(criterion.name).copied().or(criterion.default);
        let measured = measured.ok_or_else(|| Excluded::Missing(criterion.name.to_owned()))?;
        let value = within(&format!("metrics.{}", criterion.name), measured, -1e12, 1e12)?;
        let (low, high) = criterion.bounds;
        let place = ((value - low) / (high - low)).clamp(0.0, 1.0);
        let place = match criterion.direction {
            Direction::More => place,
            Direction::Less => 1.0 - place,
        };
        parts.insert(criterion.name.to_owned(), criterion.weight * place);
    }
    Ok(parts)
}

/// Those that no other beats: as good in all criteria and better in one.
pub(super) fn front(rated: &[Rated]) -> BTreeSet<EntityId> {
    let beats = |a: &Rated, b: &Rated| {
        let mut pairs = a.contributions.values().zip(b.contributions.values());
        pairs.clone().all(|(a, b)| a >= b) && pairs.any(|(a, b)| a > b)
    };
    let unbeaten = rated.iter().filter(|one| !rated.iter().any(|other| beats(other, one)));
    unbeaten.map(|one| one.id.clone()).collect()
}
