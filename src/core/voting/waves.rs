//! Asking only as many as are needed: voters are asked in waves, the most reliable first, until more of them would
//! change nothing, or hardly could.
//!
//! ```text
//!  votes so far ─► can the others still turn it?  no ────────────────► Stop, Certain
//!                  how probably will they?        at most the bound ─► Stop, Unlikely   (says how probably)
//!                  nobody is left                 ───────────────────► Stop, Everyone
//!                  else                           ───────────────────► Ask the next wave
//! ```
//!
//! The chance that the others would overturn the leader follows from the error tables of those not yet asked: it sums
//! the probabilities of all ways in which they may answer and something else would lead. Where there are too many ways
//! to follow, what was not followed counts as overturned. So the chance that is stated may be too high and never too
//! low, as far as the tables are right.
//!
//! *Certain* and *unlikely* are different words in the result. With a bound of 0 only certainty stops.
//!
//! Source: A. Wald, *Sequential Analysis*, Wiley 1947, for deciding as votes come; J. M. Lachin, "A review of methods for
//! futility stopping based on conditional power", Statistics in Medicine 24, 2005, for the chance that the rest overturns
//! what stands.

use super::reliability::Estimate;
use super::reliability::dawid_skene::{Fit, most_probable, normalize};
use super::statistics::{Unfit, share, within};

/// Ways of answering that are followed before the rest counts as overturned.
const MOST_WAYS: u32 = 20_000;
/// Voters whose answers are followed one after the other; what comes later counts as overturned too.
const MOST_DEEP: usize = 200;

/// What decides when all have voted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The option with the most votes.
    Heads,
    /// The most probable option by the error tables.
    Tables,
}

/// How voters answer: for each the probability of each said option where each option is right.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    prior: Vec<f64>,
    /// `errors[(voter · options + said) · options + right]`
    errors: Vec<f64>,
}

impl Model {
    /// A model from numbers: `errors` holds for each voter a row of `prior.len()` numbers by right option for each said
    /// option.
    ///
    /// # Errors
    /// [`Unfit`] for numbers that are no probabilities above 0, or not as many as there must be.
    pub fn new(prior: Vec<f64>, errors: Vec<f64>) -> Result<Self, Unfit> {
        let options = prior.len();
        if !(2..=1000).contains(&options) || !errors.len().is_multiple_of(options * options) {
            return Err(Unfit::new(
                "errors",
                errors.len(),
                "options squared for each voter, of 2 to 1000 options",
            ));
        }
        prior.iter().try_for_each(|p| within("prior", *p, 1e-300, 1.0).map(drop))?;
        errors.iter().try_for_each(|p| within("errors", *p, 1e-300, 1.0).map(drop))?;
        Ok(Model { prior, errors })
    }

    /// What was learned from a history, by its numbers of voters. An option that a voter has never used is as probable
    /// as one vote in all of its votes and one more.
    pub fn of(fit: &Fit) -> Result<Self, Unfit> {
        let k = fit.options;
        let mut errors = vec![0.0; fit.counts.len()];
        for (voter, counts) in fit.counts.chunks(k * k).enumerate() {
            for right in 0..k {
                let total: f64 = (0..k).map(|said| counts[said * k + right] + 1.0 / k as f64).sum();
                for said in 0..k {
                    errors[voter * k * k + said * k + right] =
                        (counts[said * k + right] + 1.0 / k as f64) / total;
                }
            }
        }
        Model::new(fit.prior.clone(), errors)
    }

    /// How probably a voter is right.
    pub fn accuracy(&self, voter: u32) -> f64 {
        self.prior.iter().enumerate().map(|(c, p)| p * self.row(voter, c as u32)[c]).sum()
    }

    /// How probably a voter says one option where another, or the same, is right.
    pub fn error(&self, voter: u32, said: u32, right: u32) -> f64 {
        self.row(voter, said)[right as usize]
    }

    /// The probabilities that a voter says it, by what is right.
    fn row(&self, voter: u32, said: u32) -> &[f64] {
        let k = self.prior.len();
        let from = (voter as usize * k + said as usize) * k;
        &self.errors[from..from + k]
    }

    fn knows(&self, voter: u32) -> bool {
        (voter as usize + 1) * self.prior.len() * self.prior.len() <= self.errors.len()
    }

    /// How probable each option is, given votes.
    fn answer(&self, votes: &[(u32, u32)]) -> Vec<f64> {
        let mut logs: Vec<f64> = self.prior.iter().map(|p| p.ln()).collect();
        for (voter, said) in votes {
            for (log, p) in logs.iter_mut().zip(self.row(*voter, *said)) {
                *log += p.ln();
            }
        }
        normalize(&mut logs);
        logs
    }
}

/// How to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What decides.
    pub by: By,
    /// Voters asked at a time, at least 1.
    pub wave: u32,
    /// Stops when the leader is overturned with at most this chance, in millionths; 0 stops only when that is certain.
    pub bound: u64,
}

/// Why no more are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Whatever the others say, the leader stays.
    Certain,
    /// The others would overturn the leader with at most the bound.
    Unlikely,
    /// Everyone was asked.
    Everyone,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Ask these.
    Ask(Vec<u32>),
    /// Ask nobody else.
    Stop {
        /// What was decided.
        decision: Estimate,
        /// Why now.
        why: Why,
        /// The chance, in millionths, that the others would have overturned it: 0 unless [`Why::Unlikely`].
        overturn: u64,
    },
}

/// What to do after these votes, (voter, option) each, when these voters are not yet asked.
///
/// # Errors
/// [`Unfit`] for voters and options that the model does not know, and a wave of nobody.
pub fn plan(model: &Model, settings: &Settings, votes: &[(u32, u32)], left: &[u32]) -> Result<Plan, Unfit> {
    let k = model.prior.len() as u32;
    within("wave", f64::from(settings.wave), 1.0, f64::from(u32::MAX))?;
    within("bound", settings.bound as f64, 0.0, 1e6)?;
    for voter in votes.iter().map(|(voter, _)| voter).chain(left) {
        if !model.knows(*voter) {
            return Err(Unfit::new("voter", voter, "a voter of the model"));
        }
    }
    if let Some((_, option)) = votes.iter().find(|(_, option)| *option >= k) {
        return Err(Unfit::new("option", option, format!("a number below {k}")));
    }
    // The most reliable first; equal ones by number.
    let mut order = left.to_vec();
    order.sort_by(|a, b| model.accuracy(*b).total_cmp(&model.accuracy(*a)).then(a.cmp(b)));
    let mut heads = vec![0u32; k as usize];
    votes.iter().for_each(|(_, option)| heads[*option as usize] += 1);
    let answer = model.answer(votes);
    let decision = match settings.by {
        By::Heads => super::reliability::leading(&heads.iter().map(|n| u128::from(*n)).collect::<Vec<_>>()),
        By::Tables => most_probable(&answer),
    };
    let stop = |why, overturn| Ok(Plan::Stop { decision, why, overturn });
    if order.is_empty() {
        return stop(Why::Everyone, 0);
    }
    if let (Estimate::Option(leader, _), false) = (decision, votes.is_empty()) {
        let mut ways = Ways::new(model, settings, &order, leader as usize);
        if ways.cannot_be_turned(&answer, &heads, 0) {
            return stop(Why::Certain, 0);
        }
        if settings.bound > 0 {
            ways.follow(answer, heads, 0);
            let overturn = share(ways.overturned);
            if overturn <= settings.bound {
                return stop(Why::Unlikely, overturn);
            }
        }
    }
    order.truncate(settings.wave as usize);
    Ok(Plan::Ask(order))
}

/// Goes through what those who are left may answer.
struct Ways<'a> {
    model: &'a Model,
    settings: &'a Settings,
    order: &'a [u32],
    leader: usize,
    /// For each number of voters who have answered, and each option: the worst that the others can do to the leader
    /// against it, as a factor of their probabilities.
    worst: Vec<Vec<f64>>,
    overturned: f64,
    followed: u32,
}

impl<'a> Ways<'a> {
    fn new(model: &'a Model, settings: &'a Settings, order: &'a [u32], leader: usize) -> Self {
        let k = model.prior.len();
        let mut worst = vec![vec![1.0; k]; order.len() + 1];
        for (at, voter) in order.iter().enumerate().rev() {
            for option in 0..k {
                let factor = |said| {
                    let row = model.row(*voter, said);
                    row[leader] / row[option]
                };
                let least = (0..k as u32).map(factor).fold(f64::INFINITY, f64::min);
                worst[at][option] = worst[at + 1][option] * least;
            }
        }
        Ways { model, settings, order, leader, worst, overturned: 0.0, followed: 0 }
    }

    /// Does the leader stay, whatever those after the first `at` answer?
    fn cannot_be_turned(&self, answer: &[f64], heads: &[u32], at: usize) -> bool {
        let left = (self.order.len() - at) as u32;
        let mut others = (0..heads.len()).filter(|option| *option != self.leader);
        match self.settings.by {
            By::Heads => others.all(|option| heads[self.leader] > heads[option] + left),
            By::Tables => others
                .all(|option| answer[self.leader] * self.worst[at][option] > answer[option] * (1.0 + 1e-9)),
        }
    }

    /// Adds up the chance of being overturned. `answer` holds for each option the probability that it is right and
    /// the answers so far are given; its sum is the probability of these answers.
    fn follow(&mut self, answer: Vec<f64>, heads: Vec<u32>, at: usize) {
        if self.cannot_be_turned(&answer, &heads, at) {
            return;
        }
        let bound = self.settings.bound as f64 / 1e6;
        let chance: f64 = answer.iter().sum();
        self.followed += 1;
        // Nobody is left and the leader no longer leads; or it is too much to follow.
        if at == self.order.len() || at >= MOST_DEEP || self.followed > MOST_WAYS {
            self.overturned += chance;
            return;
        }
        for said in 0..answer.len() as u32 {
            if self.overturned > bound {
                return;
            }
            let row = self.model.row(self.order[at], said);
            let answer = answer.iter().zip(row).map(|(p, error)| p * error).collect();
            let mut heads = heads.clone();
            heads[said as usize] += 1;
            self.follow(answer, heads, at + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two options as common as each other; each voter is right with its probability.
    fn model(right: &[f64]) -> Model {
        let errors = right.iter().flat_map(|p| [*p, 1.0 - p, 1.0 - p, *p]).collect();
        Model::new(vec![0.5, 0.5], errors).unwrap()
    }

    #[test]
    fn two_of_three_are_enough_and_certain() {
        let model = model(&[0.9, 0.8, 0.7]);
        let settings = Settings { by: By::Heads, wave: 1, bound: 0 };
        let next = |votes: &[(u32, u32)], left: &[u32]| plan(&model, &settings, votes, left).unwrap();
        assert_eq!(next(&[], &[2, 1, 0]), Plan::Ask(vec![0]));
        assert_eq!(next(&[(0, 1)], &[1, 2]), Plan::Ask(vec![1]));
        let stop = Plan::Stop { decision: Estimate::Option(1, 1_000_000), why: Why::Certain, overturn: 0 };
        assert_eq!(next(&[(0, 1), (1, 1)], &[2]), stop);
        assert_eq!(next(&[(0, 1), (1, 0)], &[2]), Plan::Ask(vec![2]));
        let all = Plan::Stop { decision: Estimate::Option(1, 666_666), why: Why::Everyone, overturn: 0 };
        assert_eq!(next(&[(0, 1), (1, 0), (2, 1)], &[]), all);
    }

    /// By hand: after a vote of one who is right in 9 of 10, both others must contradict to overturn it by heads: they are
    /// right in 8 and 7 of 10, so that is 0.9·0.2·0.3 + 0.1·0.8·0.7 = 0.11.
    #[test]
    fn the_chance_of_being_overturned_is_what_one_computes_by_hand() {
        let model = model(&[0.9, 0.8, 0.7]);
        let next =
            |bound| plan(&model, &Settings { by: By::Heads, wave: 2, bound }, &[(0, 1)], &[1, 2]).unwrap();
        assert_eq!(next(109_999), Plan::Ask(vec![1, 2]));
        let stop =
            Plan::Stop { decision: Estimate::Option(1, 1_000_000), why: Why::Unlikely, overturn: 110_000 };
        assert_eq!(next(110_000), stop);
    }

    /// By tables one who is right in 9 of 10 outweighs two who are right in 6 of 10 each: 9 to 1 against 1.5 squared.
    #[test]
    fn voters_who_weigh_too_little_need_not_be_asked() {
        let model = model(&[0.9, 0.6, 0.6]);
        let settings = Settings { by: By::Tables, wave: 1, bound: 0 };
        let stop = Plan::Stop { decision: Estimate::Option(0, 900_000), why: Why::Certain, overturn: 0 };
        assert_eq!(plan(&model, &settings, &[(0, 0)], &[1, 2]), Ok(stop));
        assert_eq!(plan(&model, &settings, &[(1, 0)], &[0, 2]), Ok(Plan::Ask(vec![0])));
    }

    #[test]
    fn what_cannot_be_followed_counts_as_overturned() {
        // Forty voters as good as each other: more ways than are followed.
        let model = model(&[0.6; 41]);
        let left: Vec<u32> = (1..41).collect();
        let settings = Settings { by: By::Heads, wave: 5, bound: 999_999 };
        let next = plan(&model, &settings, &[(0, 0)], &left).unwrap();
        let Plan::Stop { why: Why::Unlikely, overturn, .. } = next else { panic!("{next:?}") };
        assert!(overturn > 300_000, "{overturn}");
    }

    #[test]
    fn voters_options_and_numbers_that_do_not_fit_are_refused() {
        let known = model(&[0.9, 0.8]);
        let settings = Settings { by: By::Heads, wave: 1, bound: 0 };
        assert_eq!(plan(&known, &settings, &[(2, 0)], &[]).unwrap_err().field, "voter");
        assert_eq!(plan(&known, &settings, &[(0, 2)], &[1]).unwrap_err().field, "option");
        assert_eq!(plan(&known, &Settings { wave: 0, ..settings }, &[], &[1]).unwrap_err().field, "wave");
        assert_eq!(
            plan(&known, &Settings { bound: 2_000_000, ..settings }, &[], &[1]).unwrap_err().field,
            "bound"
        );
        assert_eq!(Model::new(vec![0.5, 0.5], vec![0.5; 3]).unwrap_err().field, "errors");
        assert_eq!(Model::new(vec![0.5, f64::NAN], vec![0.5; 4]).unwrap_err().field, "prior");
    }
}
