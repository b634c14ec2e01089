//! How many independent voices there are behind a number of heads.
//!
//! Voters who are made alike err alike: the same model, the same prompt, the same operator. Ten heads whose errors are
//! correlated with ρ carry what `n/(1 + (n − 1)ρ)` independent ones would. What is declared of voters gives a first ρ for
//! each pair; what is recorded of their errors takes its place as it grows:
//!
//! ```text
//!  ρ of a pair = (shared · φ + strength · declared) / (shared + strength)      φ: correlation of their errors
//!  effective   = n / (1 + (n − 1) · mean ρ)                                    stated beside the heads
//!  share       = 1 / (1 + Σ ρ to the others)                                   what the rule `effective_voters` adds up
//!  weight      = the same with what ρ is beyond that of all pairs              what a weighted rule takes
//! ```
//!
//! The shares of one group of full copies sum to one voice, and so they do beside any others; the stated figure averages
//! over all pairs, and is never more than the sum of the shares.
//!
//! Source: L. Kish, *Survey Sampling*, Wiley 1965, section 5.4 (the design effect); the shrinkage is that of a normal mean
//! with a prior of so many observations.

use std::collections::BTreeMap;

use super::reliability::History;
use super::statistics::robust::phi;
use super::statistics::{Unfit, frozen, within};
use crate::kernel::ids::VoterId;
use crate::kernel::number::WHOLE_WEIGHT;

/// What a voter is made of, as declared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineage {
    /// The family of its model.
    pub family: Option<String>,
    /// Its prompt, or a digest of it.
    pub prompt: Option<String>,
    /// Who runs it.
    pub operator: Option<String>,
}

/// What is assumed of a pair before its errors are known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// ρ of two voters of one family.
    pub family: f64,
    /// ρ of two voters with one prompt.
    pub prompt: f64,
    /// ρ of two voters of one operator.
    pub operator: f64,
    /// ρ of two voters of whom nothing in common is declared.
    pub strangers: f64,
    /// As many shared questions as what is assumed counts.
    pub strength: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { family: 0.5, prompt: 0.5, operator: 0.25, strangers: 0.0, strength: 20.0 }
    }
}

/// Heads and what they carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effective {
    /// How many voters.
    pub heads: u32,
    /// Mean correlation of their errors, from 0 to 1, in millionths.
    pub correlation: u64,
    /// As many independent voters carry as much, in millionths.
    pub effective: u64,
}

/// What is known of the errors of voters in common.
#[derive(Clone, Debug, Default)]
pub struct Independence {
    settings: Settings,
    lineages: BTreeMap<VoterId, Lineage>,
    /// By pair, the smaller id first: shared questions and the correlation of errors on them.
    pairs: BTreeMap<(VoterId, VoterId), (u64, f64)>,
}

impl Independence {
    /// Knows only what is declared.
    ///
    /// # Errors
    /// [`Unfit`] for a setting outside its range.
    pub fn declared(lineages: BTreeMap<VoterId, Lineage>, settings: Settings) -> Result<Self, Unfit> {
        within("independence.family", settings.family, 0.0, 1.0)?;
        within("independence.prompt", settings.prompt, 0.0, 1.0)?;
        within("independence.operator", settings.operator, 0.0, 1.0)?;
        within("independence.strangers", settings.strangers, 0.0, 1.0)?;
        within("independence.strength", settings.strength, 0.0, 1e9)?;
        Ok(Independence { settings, lineages, pairs: BTreeMap::new() })
    }

    /// Learns from the votes on questions whose outcome is known.
    pub fn learn(mut self, history: &History) -> Self {
        let mut tables: BTreeMap<(u32, u32), [u64; 4]> = BTreeMap::new();
        for (question, casts) in (0..).zip(history.by_question()) {
            let Some(outcome) = history.outcome_of(question) else { continue };
            for (at, one) in casts.iter().enumerate() {
                for other in &casts[at + 1..] {
                    let (low, high) = if one.voter < other.voter { (one, other) } else { (other, one) };
                    let table = tables.entry((low.voter, high.voter)).or_default();
                    let cell = match (low.option == outcome, high.option == outcome) {
                        (false, false) => 0,
                        (false, true) => 1,
                        (true, false) => 2,
                        (true, true) => 3,
                    };
                    table[cell] += 1;
                }
            }
        }
        for ((low, high), [both, first, second, neither]) in tables {
            // Where one of them never errs, or always, there is nothing to correlate.
            if let Some(phi) = phi(both, first, second, neither) {
                let [low, high] = [low, high].map(|number| history.voters()[number as usize].clone());
                let pair = if low < high { (low, high) } else { (high, low) };
                self.pairs.insert(pair, (both + first + second + neither, phi));
            }
        }
        self
    }

    /// The correlation of the errors of two voters, from −1 to 1.
    pub fn correlation(&self, one: &VoterId, other: &VoterId) -> f64 {
        let assumed = self.assumed(one, other);
        let pair = if one < other { (one.clone(), other.clone()) } else { (other.clone(), one.clone()) };
        match self.pairs.get(&pair) {
            Some((shared, phi)) => {
                let shared = *shared as f64;
                (shared * phi + self.settings.strength * assumed) / (shared + self.settings.strength)
            }
            None => assumed,
        }
    }

    /// What is declared in common, each part as a chance of its own to err together.
    fn assumed(&self, one: &VoterId, other: &VoterId) -> f64 {
        let (Some(one), Some(other)) = (self.lineages.get(one), self.lineages.get(other)) else {
            return self.settings.strangers;
        };
        let same = |part: fn(&Lineage) -> &Option<String>| part(one).is_some() && part(one) == part(other);
        let apart = [
            (same(|l| &l.family), self.settings.family),
            (same(|l| &l.prompt), self.settings.prompt),
            (same(|l| &l.operator), self.settings.operator),
            (true, self.settings.strangers),
        ];
        1.0 - apart.iter().filter(|(same, _)| *same).map(|(_, rho)| 1.0 - rho).product::<f64>()
    }

    /// How many independent voters these carry. Correlations below nothing in the mean count as none.
    ///
    /// # Errors
    /// None are known: correlations lie between −1 and 1.
    pub fn effective(&self, voters: &[VoterId]) -> Result<Effective, Unfit> {
        let n = voters.len();
        let mut sum = 0.0;
        for (at, one) in voters.iter().enumerate() {
            sum += voters[at + 1..].iter().map(|other| self.correlation(one, other)).sum::<f64>();
        }
        let pairs = (n * n.saturating_sub(1) / 2) as f64;
        let mean = if pairs > 0.0 { (sum / pairs).clamp(0.0, 1.0) } else { 0.0 };
        let effective = effective(n as f64, mean);
        Ok(Effective {
            heads: n as u32,
            correlation: frozen("correlation", mean)?,
            effective: frozen("effective", effective)?,
        })
    }

    /// What every pair has in common: the mean correlation of all recorded pairs, as of questions that are hard for
    /// everybody. 0 where nothing is recorded.
    pub fn common(&self) -> f64 {
        let (sum, all) = self.pairs.values().fold((0.0, 0.0), |(sum, all), (shared, phi)| {
            let shared = *shared as f64;
            (sum + shared * phi, all + shared)
        });
        if all > 0.0 { (sum / all).clamp(0.0, 0.99) } else { 0.0 }
    }

    /// How much each of these weighs beside the others, in millionths, when copies are to weigh as much as one: like
    /// [`shares`](Self::shares), but only what a pair has in common beyond what all pairs have counts. A question that is
    /// hard for everybody makes no two voters alike.
    pub fn weights(&self, voters: &[VoterId]) -> BTreeMap<VoterId, u64> {
        let common = self.common();
        self.parts(voters, |rho| (rho - common) / (1.0 - common))
    }

    /// The share of each voter among these as an independent voice, in millionths, rounded up so that a whole group of
    /// copies is one voice.
    pub fn shares(&self, voters: &[VoterId]) -> BTreeMap<VoterId, u64> {
        self.parts(voters, |rho| rho)
    }

    fn parts(&self, voters: &[VoterId], alike: impl Fn(f64) -> f64) -> BTreeMap<VoterId, u64> {
        let part = |one: &VoterId| {
            let others = voters.iter().filter(|other| *other != one);
            let sum: f64 = others.map(|other| alike(self.correlation(one, other)).max(0.0)).sum();
            // A last bit above a whole number of millionths is no reason to round up.
            ((WHOLE_WEIGHT as f64 / (1.0 + sum) - 1e-6).ceil() as u64).clamp(1, WHOLE_WEIGHT)
        };
        voters.iter().map(|voter| (voter.clone(), part(voter))).collect()
    }
}

/// As many independent voters carry as much as `n` whose errors are correlated so in the mean.
pub fn effective(n: f64, correlation: f64) -> f64 {
    if n <= 0.0 { 0.0 } else { n / (1.0 + (n - 1.0) * correlation.clamp(0.0, 1.0)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voters<const N: usize>(names: [&str; N]) -> Vec<VoterId> {
        names.map(|name| VoterId::new(name).unwrap()).into()
    }

    #[test]
    fn nine_judges_whose_errors_go_together_carry_two_votes() {
        // n/(1 + (n − 1)ρ) = 2 for n = 9 means ρ = 0.4375.
        assert!((effective(9.0, 0.4375) - 2.0).abs() < 1e-12);
        assert_eq!((effective(9.0, 0.0), effective(9.0, 1.0), effective(0.0, 0.5)), (9.0, 1.0, 0.0));
    }

    #[test]
    fn what_is_declared_counts_until_errors_are_recorded() {
        let [a, b, c] = &voters(["a", "b", "c"])[..] else { unreachable!() };
        let family = |name: &str| Lineage { family: Some(name.into()), ..Lineage::default() };
        let lineages = [(a, "x"), (b, "x"), (c, "y")].map(|(v, f)| (v.clone(), family(f)));
        let known = Independence::declared(lineages.into(), Settings::default()).unwrap();
        assert_eq!((known.correlation(a, b), known.correlation(a, c)), (0.5, 0.0));
        let all = voters(["a", "b", "c"]);
        let effective = known.effective(&all).unwrap();
        // Mean ρ 1/6: 3/(1 + 2/6).
        assert_eq!((effective.correlation, effective.effective), (166_667, 2_250_000));
        assert_eq!(known.shares(&all).into_values().collect::<Vec<_>>(), [666_667, 666_667, 1_000_000]);
        // Twenty shared questions, on which a and b err apart: halfway from 0.5 to φ = −1.
        let mut history = History::default();
        for question in 0..20 {
            let says = |right: bool| if right { "yes" } else { "no" };
            history.vote(&question.to_string(), a, says(question % 2 == 0));
            history.vote(&question.to_string(), b, says(question % 2 == 1));
            history.vote(&question.to_string(), c, "yes");
            history.outcome(&question.to_string(), "yes").unwrap();
        }
        let learned = known.learn(&history);
        assert_eq!(learned.correlation(b, a), -0.25);
        // c never erred.
        assert_eq!(learned.correlation(a, c), 0.0);
        assert_eq!(learned.effective(&all).unwrap().effective, 3_000_000);
    }

    #[test]
    fn a_group_of_copies_is_one_voice_beside_others() {
        let everyone = voters(["a", "b", "c", "d"]);
        let same = Lineage { prompt: Some("p".into()), ..Lineage::default() };
        let lineages = everyone[..3].iter().map(|v| (v.clone(), same.clone())).collect();
        let settings = Settings { prompt: 1.0, ..Settings::default() };
        let known = Independence::declared(lineages, settings).unwrap();
        let shares = known.shares(&everyone);
        assert_eq!(shares.into_values().collect::<Vec<_>>(), [333_334, 333_334, 333_334, 1_000_000]);
        assert_eq!(known.effective(&everyone[..3]).unwrap().effective, 1_000_000);
        let wild = Settings { family: f64::NAN, ..Settings::default() };
        assert_eq!(Independence::declared(BTreeMap::new(), wild).unwrap_err().field, "independence.family");
    }
}
