//! How power is spread, which voters carry the same fingerprint, and how many independent voices there are.

use std::collections::{BTreeMap, BTreeSet};

use crate::kernel::ids::VoterId;
use crate::voting::independence::{Effective, Independence};
use crate::voting::statistics::robust::gini;
use crate::voting::statistics::{Unfit, share};

/// How the power of an electorate is spread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concentration {
    /// 0 when all have as much, up to 1 − 1/n when one has all; in millionths.
    pub gini: u64,
    /// The fewest voters who hold a third of all power together, the most powerful first.
    pub third: Vec<VoterId>,
    /// The heads and what they carry.
    pub voices: Effective,
    /// Voters with the same fingerprint, each group by its smallest id.
    pub twins: Vec<BTreeSet<VoterId>>,
}

/// Looks at an electorate: powers, fingerprints of voters that have one, and what is known of their errors.
///
/// # Errors
/// None are known.
pub fn look(
    powers: &BTreeMap<VoterId, u64>,
    fingerprints: &BTreeMap<VoterId, String>,
    independence: &Independence,
) -> Result<Concentration, Unfit> {
    let all: u128 = powers.values().map(|power| u128::from(*power)).sum();
    let mut order: Vec<(std::cmp::Reverse<u64>, &VoterId)> =
        powers.iter().map(|(voter, power)| (std::cmp::Reverse(*power), voter)).collect();
    order.sort();
    let mut third = Vec::new();
    let mut held = 0u128;
    for (std::cmp::Reverse(power), voter) in order {
        if held * 3 >= all {
            break;
        }
        held += u128::from(power);
        third.push(voter.clone());
    }
    let mut twins: BTreeMap<&String, BTreeSet<VoterId>> = BTreeMap::new();
    for (voter, fingerprint) in fingerprints {
        twins.entry(fingerprint).or_default().insert(voter.clone());
    }
    let mut twins: Vec<BTreeSet<VoterId>> = twins.into_values().filter(|voters| voters.len() > 1).collect();
    twins.sort();
    let voters: Vec<VoterId> = powers.keys().cloned().collect();
    let amounts: Vec<u64> = powers.values().copied().collect();
    let gini = share(gini(&amounts));
    Ok(Concentration { gini, third, voices: independence.effective(&voters)?, twins })
}
