//! Rules of real bodies, ready to use. Each is only a [`RuleSpec`]: to be printed, stored, and put inside other rules.
//!
//! ```
//! use quorate_core::voting::rules::{build, presets};
//! let permanent = ["China", "France", "Russian Federation", "United Kingdom", "United States"];
//! let rule = presets::security_council(permanent);
//! assert!(rule.to_string().starts_with("veto(rule=required:9"));
//! build(&rule)?;
//! # Ok::<(), quorate_core::voting::rules::RuleError>(())
//! ```

use std::collections::BTreeMap;

use super::spec::{Param, RuleSpec};

/// More than half of the votes cast for or against.
///
/// # Source
/// *Robert's Rules of Order Newly Revised*, 12th ed., 44:1: more than half of the votes cast, blanks and abstentions
/// left out.
pub fn simple_majority() -> RuleSpec {
    of_cast("1/2", "more_than")
}

/// At least two thirds of the votes cast for or against: exactly two thirds, which 0.66 is not.
///
/// # Source
/// *Robert's Rules of Order Newly Revised*, 12th ed., 44:3. The fourth edition (1915), section 48, counts: of 14 votes
/// 10, of 20 votes 14, of 70 votes 47.
pub fn two_thirds() -> RuleSpec {
    of_cast("2/3", "at_least")
}

/// At least three quarters of the votes cast for or against.
///
/// # Source
/// Companies Act 2006 (United Kingdom), section 283: a special resolution is passed by not less than 75 %.
pub fn three_quarters() -> RuleSpec {
    of_cast("3/4", "at_least")
}

/// Somebody is for and nobody against. Whoever has not voted may still object, so it is certain only when everyone has
/// been heard. Where silence is no consent, the rule `unanimous` is meant.
///
/// # Source
/// *Robert's Rules of Order Newly Revised*, 12th ed., 4:58.
pub fn unanimous_consent() -> RuleSpec {
    of_cast("1/1", "at_least")
}

fn of_cast(fraction: &str, comparison: &str) -> RuleSpec {
    let rule = RuleSpec::new("threshold").with("threshold", fraction).with("comparison", comparison);
    rule.with("denominator", "cast").with("require_majority", false)
}

/// The qualified majority of the Council of the European Union: 55 % of the members with 65 % of the population, which
/// fewer than four members cannot block. The weights are the members' population, in any unit.
///
/// # Source
/// Treaty on European Union, Article 16 (4).
pub fn eu_qualified_majority(
    population: impl IntoIterator<Item = (impl Into<String>, impl Into<Param>)>,
) -> RuleSpec {
    let rule = RuleSpec::new("dual").with("heads", "0.55").with("power", "0.65").with("blocking_minority", 4);
    rule.with("agent_weights", weights(population)).with("default_weight", 0)
}

/// The Security Council of the United Nations: nine for, and no permanent member against.
///
/// # Source
/// Charter of the United Nations, Article 27 (3). That an abstention is no veto: International Court of Justice,
/// *Namibia*, Advisory Opinion of 21 June 1971, paragraph 22.
pub fn security_council(permanent: impl IntoIterator<Item = impl Into<String>>) -> RuleSpec {
    let permanent = permanent.into_iter().map(|voter| Param::Text(voter.into()));
    let nine = RuleSpec::new("required").with("count", 9);
    RuleSpec::new("veto").with("voters", Param::List(permanent.collect())).with("rule", nine)
}

/// A treaty that enters into force with so many parties that hold at least a share of the whole. Whoever is not named
/// in the weights has none.
///
/// # Source
/// Paris Agreement, Article 21 (1): 55 parties with 55 % of the emissions.
pub fn entry_into_force(
    parties: u32,
    share: &str,
    held: impl IntoIterator<Item = (impl Into<String>, impl Into<Param>)>,
) -> RuleSpec {
    let rule = RuleSpec::new("dual").with("heads_count", parties).with("power", share);
    rule.with("agent_weights", weights(held)).with("default_weight", 0)
}

/// By weight, with experts of weight 2, managers of 1.5 and everybody else of 1. Who is both is an expert.
///
/// # Source
/// The weighted algorithm of moai-flow (`superdisco-agents/moai-flow` on GitHub).
pub fn weighted_experts(
    experts: impl IntoIterator<Item = impl Into<String>>,
    managers: impl IntoIterator<Item = impl Into<String>>,
) -> RuleSpec {
    two_ranks((experts, "2.0"), (managers, "1.5"))
}

/// By weight, with experts of the question's domain of weight 3, other experts of 1.5 and everybody else of 1. Who is
/// both is an expert of the domain.
///
/// # Source
/// The weighted algorithm of moai-flow (`superdisco-agents/moai-flow` on GitHub).
pub fn weighted_domain(
    domain_experts: impl IntoIterator<Item = impl Into<String>>,
    other_experts: impl IntoIterator<Item = impl Into<String>>,
) -> RuleSpec {
    two_ranks((domain_experts, "3.0"), (other_experts, "1.5"))
}

fn two_ranks(
    (first, heavy): (impl IntoIterator<Item = impl Into<String>>, &str),
    (second, light): (impl IntoIterator<Item = impl Into<String>>, &str),
) -> RuleSpec {
    let mut named = BTreeMap::new();
    named.extend(second.into_iter().map(|voter| (voter.into(), Param::Number(light.to_owned()))));
    // Later, so that the heavier weight stands.
    named.extend(first.into_iter().map(|voter| (voter.into(), Param::Number(heavy.to_owned()))));
    RuleSpec::new("weighted").with("agent_weights", Param::Map(named)).with("default_weight", 1)
}

fn weights(named: impl IntoIterator<Item = (impl Into<String>, impl Into<Param>)>) -> Param {
    Param::Map(named.into_iter().map(|(voter, weight)| (voter.into(), weight.into())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::ids::VoterId;
    use crate::voting::rules::{Choice, Count, Outcome, build, prepare};

    /// The outcome when these are for, against and abstaining, and nobody else is left.
    fn outcome(rule: &RuleSpec, cast: [usize; 3]) -> Outcome {
        let voters: Vec<VoterId> =
            (0..cast.iter().sum()).map(|i| VoterId::new(format!("v{i:02}")).unwrap()).collect();
        let formula = prepare(build(rule).unwrap().as_ref(), &voters).formula;
        let mut count = Count::new(&formula, Some(voters.len() as u32));
        let choices =
            Choice::ALL.into_iter().zip(cast).flat_map(|(choice, n)| std::iter::repeat_n(choice, n));
        choices.enumerate().for_each(|(i, choice)| count.add(&formula, i, choice));
        formula.outcome(&count, Vec::new)
    }

    #[test]
    fn two_thirds_of_14_20_and_70_votes_are_10_14_and_47() {
        for (votes, enough) in [(14, 10), (20, 14), (70, 47)] {
            assert_eq!(outcome(&two_thirds(), [enough, votes - enough, 3]), Outcome::Won);
            assert_eq!(outcome(&two_thirds(), [enough - 1, votes - enough + 1, 3]), Outcome::Lost);
        }
    }

    #[test]
    fn the_fractions_are_of_the_votes_cast() {
        assert_eq!(outcome(&simple_majority(), [2, 1, 9]), Outcome::Won);
        assert_eq!(outcome(&simple_majority(), [2, 2, 0]), Outcome::Lost);
        assert_eq!(outcome(&three_quarters(), [3, 1, 5]), Outcome::Won);
        assert_eq!(outcome(&three_quarters(), [74, 25, 0]), Outcome::Lost);
        assert_eq!(outcome(&unanimous_consent(), [1, 0, 5]), Outcome::Won);
        assert_eq!(outcome(&unanimous_consent(), [9, 1, 0]), Outcome::Lost);
        for rule in [simple_majority(), two_thirds(), three_quarters(), unanimous_consent()] {
            assert_eq!(outcome(&rule, [0, 0, 4]), Outcome::Lost, "{rule}: nobody was for");
        }
    }

    #[test]
    fn experts_outweigh_others() {
        // 2 + 1.5 of 2 + 1.5 + 3 are 7/13, which is less than 0.6; with one of three others 9/13 is more.
        let rule = weighted_experts(["v00"], ["v00", "v01"]);
        assert_eq!(outcome(&rule, [2, 3, 0]), Outcome::Lost);
        assert_eq!(outcome(&rule, [3, 2, 0]), Outcome::Won);
        // 3 + 1.5 of 3 + 1.5 + 3 are exactly 0.6, which is not more than 0.6.
        let rule = weighted_domain(["v00"], ["v01"]);
        assert_eq!(outcome(&rule, [2, 3, 0]), Outcome::Lost);
        assert_eq!(outcome(&rule, [2, 2, 0]), Outcome::Won);
    }
}
