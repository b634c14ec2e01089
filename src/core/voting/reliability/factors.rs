//! A weight from eight measures of how a voter has done: performance, reliability, adaptation, accuracy,
//! responsiveness, efficiency, stability, and whether the crowd is better with it.
//!
//! ```text
//!  base   = Σ importance · factor                 each factor from 0 to 1; with fewer than 5 samples a half
//!  blend  = 0.7·base + 0.3·history                history: earlier bases, aged; with fewer than 5 a half
//!  weight = clamp(context · blend + bias, 0.1, 3) context: 1.1 when volatile, 1.05 when busy
//!  bias  += rate · (feedback − 0.5)               what was said of it afterwards
//! ```
//!
//! A sample of age a hours counts λ^a, and one older than the window not at all. History is made of bases, never of
//! weights, so that a weight does not feed on itself. With the shortest window of an hour and λ = 0.95 ageing is hardly
//! felt; a day suits most.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Given, History, Learned, Parameter, Past, Source, SourceEntry, WEIGHT_BOUNDS, by_weight};
use crate::kernel::ids::VoterId;
use crate::kernel::time::Timestamp;
use crate::voting::statistics::robust::{mean, median};
use crate::voting::statistics::{Unfit, frozen, within};

/// Fewest samples from which a factor is taken.
const FEWEST: usize = 5;
/// What a factor is without samples.
const UNKNOWN: f64 = 0.5;
/// Sessions after a change of context in which adaptation shows.
const AFTER_CHANGE: usize = 5;
/// Contexts that differ by more than this are a change.
const CHANGE: f64 = 0.1;

/// The names of the factors and how much each counts when nothing else is asked for.
pub const FACTORS: [(&str, f64); 8] = [
    ("performance", 0.25),
    ("reliability", 0.20),
    ("adaptation", 0.15),
    ("accuracy", 0.15),
    ("responsiveness", 0.10),
    ("efficiency", 0.05),
    ("stability", 0.05),
    ("emergence", 0.05),
];

/// The line in the table.
pub const ENTRY: SourceEntry = SourceEntry {
    name: "factors",
    summary: "eight measures of conduct with ageing and feedback, from 0.1 to 3",
    source: "CWTS Ultra, performance weights; the definitions are ours",
    version: 1,
    parameters: &[
        Parameter {
            name: "decay",
            summary: "what a sample counts after an hour",
            range: (0.1, 1.0),
            default: 0.95,
        },
        Parameter {
            name: "window_h",
            summary: "hours after which a sample is left out",
            range: (1.0, 24.0),
            default: 1.0,
        },
        Parameter {
            name: "rate",
            summary: "how far one feedback moves a weight",
            range: (0.01, 0.5),
            default: 0.1,
        },
    ],
    build: |given| Box::new(Settings::read(given)),
};

/// How to weigh.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// λ: what a sample counts after an hour, 0.1 to 1.
    pub decay: f64,
    /// Samples older than this are left out, an hour to a day.
    pub window: Duration,
    /// How far one feedback moves a weight, 0.01 to 0.5.
    pub rate: f64,
    /// How much each factor counts, in the order of [`FACTORS`]; the sum is 1.
    pub importance: [f64; 8],
    /// What is going on now; without it no adjustment.
    pub context: Option<Context>,
}

impl Default for Settings {
    fn default() -> Self {
        let (decay, rate) = (0.95, 0.1);
        let importance = FACTORS.map(|(_, share)| share);
        Settings { decay, window: Duration::from_secs(3_600), rate, importance, context: None }
    }
}

impl Settings {
    fn read(given: &Given<'_>) -> Self {
        Settings {
            decay: given.number("decay"),
            window: Duration::from_secs_f64(given.number("window_h") * 3_600.0),
            rate: given.number("rate"),
            ..Settings::default()
        }
    }

    /// # Errors
    /// [`Unfit`] naming the first setting outside its range.
    pub fn check(&self) -> Result<(), Unfit> {
        within("decay", self.decay, 0.1, 1.0)?;
        within("window_h", self.window.as_secs_f64() / 3_600.0, 1.0, 24.0)?;
        within("rate", self.rate, 0.01, 0.5)?;
        for ((name, _), share) in FACTORS.iter().zip(self.importance) {
            within(&format!("importance.{name}"), share, 0.0, 1.0)?;
        }
        let sum: f64 = self.importance.iter().sum();
        within("importance", sum, 1.0 - 1e-9, 1.0 + 1e-9)?;
        self.context.as_ref().map_or(Ok(()), Context::check)
    }
}

/// What surrounds a session, each from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Context {
    /// How fast things change.
    pub volatility: f64,
    /// How much there is to do.
    pub volume: f64,
    /// What it costs to act.
    pub spread: f64,
    /// How clear the direction is.
    pub trend_strength: f64,
    /// How much of what is seen is chance.
    pub noise_level: f64,
}

impl Context {
    /// Its five numbers with their names.
    pub fn parts(&self) -> [(&'static str, f64); 5] {
        [
            ("volatility", self.volatility),
            ("volume", self.volume),
            ("spread", self.spread),
            ("trend_strength", self.trend_strength),
            ("noise_level", self.noise_level),
        ]
    }

    /// # Errors
    /// [`Unfit`] naming the first number outside 0 to 1.
    pub fn check(&self) -> Result<(), Unfit> {
        self.parts()
            .into_iter()
            .try_for_each(|(name, value)| within(&format!("context.{name}"), value, 0.0, 1.0).map(drop))
    }

    fn distance(&self, other: &Context) -> f64 {
        self.parts().iter().zip(other.parts()).map(|((_, a), (_, b))| (a - b).abs()).sum()
    }

    fn factor(&self) -> f64 {
        (if self.volatility > 0.7 { 1.1 } else { 1.0 }) * (if self.volume > 0.8 { 1.05 } else { 1.0 })
    }
}

/// How well the outcome of a session turned out that the voter took part in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// When.
    pub at: Timestamp,
    /// From 0 to 1.
    pub score: f64,
    /// What surrounded it.
    pub context: Option<Context>,
}

/// Something that was so or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marked {
    /// When.
    pub at: Timestamp,
    /// So?
    pub good: bool,
}

/// How long a voter took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Took {
    /// When.
    pub at: Timestamp,
    /// From being asked to the vote.
    pub latency: Duration,
    /// How long it had.
    pub deadline: Duration,
}

/// What a voter used, as measured by its host, each normalised so that 1 is its whole share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Used {
    /// When.
    pub at: Timestamp,
    /// Of the processor.
    pub cpu: f64,
    /// Of the memory.
    pub memory: f64,
}

/// A number that was computed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// When.
    pub at: Timestamp,
    /// In millionths.
    pub millionths: u64,
}

/// What was recorded of a voter besides its votes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conduct {
    /// Outcomes of its sessions: performance and adaptation. In the order of their times.
    pub outcomes: Vec<Scored>,
    /// Sessions in which it could vote; good where it did, validly and in time: reliability.
    pub duties: Vec<Marked>,
    /// Its votes; good where they were right: accuracy.
    pub answers: Vec<Marked>,
    /// Responsiveness.
    pub took: Vec<Took>,
    /// Efficiency.
    pub used: Vec<Used>,
    /// Its votes; good where it neither switched nor broke a rule: stability.
    pub votes: Vec<Marked>,
    /// Sessions whose crowd was better (good) or worse with it than without: emergence. Others are left out.
    pub effects: Vec<Marked>,
    /// Earlier bases.
    pub bases: Vec<Base>,
    /// The sum of feedback so far, in millionths.
    pub bias: i64,
}

/// The factors of a voter, in the order of [`FACTORS`], with the base and the weight, all in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reckoned {
    /// Each from 0 to 1.
    pub factors: [u64; 8],
    /// Their mean by importance.
    pub base: u64,
    /// The weight.
    pub weight: u64,
}

/// Ages samples.
struct Ageing<'a> {
    now: Timestamp,
    settings: &'a Settings,
}

impl Ageing<'_> {
    /// How much a sample of this time counts; `None` outside the window, also for one of the future.
    fn of(&self, at: Timestamp) -> Option<f64> {
        let age = self.now.since(at);
        (at <= self.now && age <= self.settings.window)
            .then(|| self.settings.decay.powf(age.as_secs_f64() / 3_600.0))
    }

    /// Each sample that counts, with how much.
    fn each<'s, T>(&'s self, samples: &'s [T], at: impl Fn(&T) -> Timestamp + 's) -> Vec<(f64, &'s T)> {
        samples.iter().filter_map(|sample| self.of(at(sample)).map(|aged| (aged, sample))).collect()
    }

    /// (1 + good) / (2 + all), aged.
    fn smoothed(&self, marks: &[Marked], aged: bool) -> f64 {
        let marks = self.each(marks, |mark| mark.at);
        if marks.len() < FEWEST {
            return UNKNOWN;
        }
        let (mut good, mut all) = (0.0, 0.0);
        for (age, mark) in marks {
            let age = if aged { age } else { 1.0 };
            all += age;
            good += if mark.good { age } else { 0.0 };
        }
        (1.0 + good) / (2.0 + all)
    }
}

/// Which outcomes fall into the sessions after a change of context; the first is not after one.
fn after_change(outcomes: &[&Scored]) -> Vec<bool> {
    let mut left = 0;
    let mut before: Option<Context> = None;
    let mut out = Vec::with_capacity(outcomes.len());
    for scored in outcomes {
        if let Some(context) = scored.context {
            if before.is_some_and(|before| before.distance(&context) > CHANGE) {
                left = AFTER_CHANGE;
            }
            before = Some(context);
        }
        out.push(left > 0);
        left = left.saturating_sub(1);
    }
    out
}

/// Reckons the factors and the weight of one voter.
///
/// # Errors
/// [`Unfit`] for settings, scores, contexts or usage outside their ranges.
pub fn reckon(conduct: &Conduct, now: Timestamp, settings: &Settings) -> Result<Reckoned, Unfit> {
    settings.check()?;
    for scored in &conduct.outcomes {
        within("outcome.score", scored.score, 0.0, 1.0)?;
        scored.context.as_ref().map_or(Ok(()), Context::check)?;
    }
    for used in &conduct.used {
        within("used.cpu", used.cpu, 0.0, 1e9)?;
        within("used.memory", used.memory, 0.0, 1e9)?;
    }
    let ageing = Ageing { now, settings };
    let factors = [
        performance(conduct, &ageing),
        ageing.smoothed(&conduct.duties, true),
        adaptation(conduct, &ageing),
        ageing.smoothed(&conduct.answers, true),
        responsiveness(conduct, &ageing),
        efficiency(conduct, &ageing),
        ageing.smoothed(&conduct.votes, false),
        ageing.smoothed(&conduct.effects, false),
    ];
    weigh(factors, conduct, &ageing)
}

fn weigh(factors: [f64; 8], conduct: &Conduct, ageing: &Ageing<'_>) -> Result<Reckoned, Unfit> {
    let settings = ageing.settings;
    for ((name, _), factor) in FACTORS.iter().zip(factors) {
        within(&format!("factor.{name}"), factor, 0.0, 1.0)?;
    }
    let base: f64 = settings.importance.iter().zip(factors).map(|(share, factor)| share * factor).sum();
    let earlier = ageing.each(&conduct.bases, |base| base.at);
    let aged: f64 = earlier.iter().map(|(aged, _)| aged).sum();
    let history = if earlier.len() < FEWEST || aged <= 0.0 {
        UNKNOWN
    } else {
        earlier.iter().map(|(aged, base)| aged * base.millionths as f64 / 1e6).sum::<f64>() / aged
    };
    let blend = 0.7 * base + 0.3 * history;
    let context = settings.context.as_ref().map_or(1.0, Context::factor);
    let (least, most) = (WEIGHT_BOUNDS.0 as f64 / 1e6, WEIGHT_BOUNDS.1 as f64 / 1e6);
    let weight = (context * blend + conduct.bias as f64 / 1e6).clamp(least, most);
    let mut frozen_factors = [0; 8];
    for (slot, ((name, _), factor)) in frozen_factors.iter_mut().zip(FACTORS.iter().zip(factors)) {
        *slot = frozen(name, factor)?;
    }
    Ok(Reckoned { factors: frozen_factors, base: frozen("base", base)?, weight: frozen("weight", weight)? })
}

fn performance(conduct: &Conduct, ageing: &Ageing<'_>) -> f64 {
    let outcomes = ageing.each(&conduct.outcomes, |scored| scored.at);
    if outcomes.len() < FEWEST {
        return UNKNOWN;
    }
    let aged: f64 = outcomes.iter().map(|(aged, _)| aged).sum();
    outcomes.iter().map(|(aged, scored)| aged * scored.score).sum::<f64>() / aged
}

fn adaptation(conduct: &Conduct, ageing: &Ageing<'_>) -> f64 {
    let outcomes: Vec<&Scored> =
        ageing.each(&conduct.outcomes, |scored| scored.at).into_iter().map(|(_, scored)| scored).collect();
    let after = after_change(&outcomes);
    let scores = |wanted: bool| -> Vec<f64> {
        outcomes.iter().zip(&after).filter(|(_, after)| **after == wanted).map(|(s, _)| s.score).collect()
    };
    let (changed, steady) = (scores(true), scores(false));
    match (mean(&changed), mean(&steady)) {
        (Some(new), Some(old)) if changed.len() >= FEWEST && steady.len() >= FEWEST => {
            (UNKNOWN + 0.5 * (new - old)).clamp(0.0, 1.0)
        }
        _ => UNKNOWN,
    }
}

fn responsiveness(conduct: &Conduct, ageing: &Ageing<'_>) -> f64 {
    let took = ageing.each(&conduct.took, |took| took.at);
    let shares: Vec<f64> = took
        .iter()
        .filter(|(_, took)| !took.deadline.is_zero())
        .map(|(_, took)| took.latency.as_secs_f64() / took.deadline.as_secs_f64())
        .collect();
    match median(&shares) {
        Some(share) if shares.len() >= FEWEST => 1.0 - share.clamp(0.0, 1.0),
        Some(_) | None => UNKNOWN,
    }
}

fn efficiency(conduct: &Conduct, ageing: &Ageing<'_>) -> f64 {
    let used = ageing.each(&conduct.used, |used| used.at);
    if used.len() < FEWEST {
        return UNKNOWN;
    }
    let sum: f64 = used.iter().map(|(_, used)| used.cpu + used.memory).sum();
    1.0 / (1.0 + sum / used.len() as f64)
}

/// A bias after a feedback from 0 to 1, in millionths: it moves by `rate · (feedback − 0.5)` and stays so that no weight
/// can leave its bounds by it alone.
///
/// # Errors
/// [`Unfit`] for a feedback or rate outside its range.
pub fn feedback(bias: i64, feedback: f64, rate: f64) -> Result<i64, Unfit> {
    let feedback = within("feedback", feedback, 0.0, 1.0)?;
    let rate = within("rate", rate, 0.01, 0.5)?;
    let moved = (rate * (feedback - 0.5) * 1e6).round_ties_even() as i64;
    let reach = (WEIGHT_BOUNDS.1 - WEIGHT_BOUNDS.0) as i64;
    Ok(bias.saturating_add(moved).clamp(-reach, reach))
}

/// A weight after a loss from 0 to 1, by multiplicative weights: `w · exp(−rate · loss)`, held within the bounds. Over T
/// rounds among n voters the loss of the weighted crowd exceeds that of the best voter by at most
/// `ln n / rate + rate · T / 8`, as long as no bound holds.
///
/// Source: Y. Freund, R. E. Schapire, "A decision-theoretic generalization of on-line learning", JCSS 55, 1997.
///
/// # Errors
/// [`Unfit`] for a loss or rate outside its range.
pub fn multiplied(weight: u64, loss: f64, rate: f64) -> Result<u64, Unfit> {
    let loss = within("loss", loss, 0.0, 1.0)?;
    let rate = within("rate", rate, 0.01, 0.5)?;
    let moved = frozen("weight", weight as f64 / 1e6 * (-rate * loss).exp())?;
    Ok(moved.clamp(WEIGHT_BOUNDS.0, WEIGHT_BOUNDS.1))
}

/// Which of its votes each voter had right: against outcomes where any are known, else against the majority of the
/// others on the question, where they have one. A voter is never measured against a crowd that holds itself.
pub fn answers(history: &History, at: Timestamp) -> BTreeMap<VoterId, Vec<Marked>> {
    let mut out: BTreeMap<VoterId, Vec<Marked>> = BTreeMap::new();
    for (question, casts) in history.by_question().iter().enumerate() {
        let heads = history.heads(casts);
        for cast in casts {
            let right = if history.is_anchored() {
                history.outcome_of(question as u32)
            } else {
                let mut others = heads.clone();
                others[cast.option as usize] -= 1;
                let most = others.iter().max().copied().unwrap_or(0);
                let mut leaders = (0u32..).zip(&others).filter(|(_, n)| **n == most && most > 0);
                match (leaders.next(), leaders.next()) {
                    (Some((leader, _)), None) => Some(leader),
                    _ => None,
                }
            };
            if let Some(right) = right {
                let voter = history.voters()[cast.voter as usize].clone();
                out.entry(voter).or_default().push(Marked { at, good: cast.option == right });
            }
        }
    }
    out
}

impl Source for Settings {
    fn learn(&self, past: &Past) -> Result<Learned, Unfit> {
        let mut answers = answers(&past.history, past.now);
        let settings = Settings { context: self.context.or(past.context), ..self.clone() };
        let mut weights = BTreeMap::new();
        for voter in past.history.voters() {
            let mut conduct = past.conduct.get(voter).cloned().unwrap_or_default();
            if conduct.answers.is_empty() {
                conduct.answers = answers.remove(voter).unwrap_or_default();
            }
            weights.insert(voter.clone(), reckon(&conduct, past.now, &settings)?.weight);
        }
        let estimates = by_weight(&past.history, &weights);
        let unanchored = !past.history.is_anchored();
        Ok(Learned { weights, estimates, unanchored, passes: 1, settled: true })
    }
}
