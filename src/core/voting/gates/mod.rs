//! Quality gates: what must be looked at before a decision is acted upon. A gate never changes the decision; both are
//! kept.
//!
//! | rule | asks | verdict |
//! |---|---|---|
//! | `quorum` | was there a quorum in time? | fail |
//! | `participation` | did two thirds of the electorate vote? | remediation |
//! | `faults` | proven faults: up to f, more than f | remediation, block |
//! | `suspects` | do suspects and voters on probation hold a third of the power? | to a human |
//! | `margin` | is the winner a tenth ahead? | to a human |
//! | `confidence` | is the winner's share of all scores at least a half? | remediation |
//! | `attack` | a coordinated attack, or an anomaly that concerns a third of the power? | to a human |
//! | `record` | was the decision recorded, and do chain and certificate hold? | block |
//! | `tainted` | did an equivocation come to light afterwards? | to a human |
//! | `compute_time` | did computing take more than 800 µs? | pass, with a warning |
//! | `voices` | are there 3f + 1 independent voices? | to a human |
//!
//! `pass < remediation < fail < to a human < block`; the worst one is the result. What cannot be evaluated blocks: a gate
//! that is closed by a fault is safer than one that is open.

mod remedy;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use remedy::{MOST_RETRIES, Remedies, Remedy};

/// What a gate says, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing is wrong.
    Pass,
    /// Something is to be mended first.
    RequireRemediation,
    /// It is not good enough.
    Fail,
    /// A human decides.
    EscalateToHuman,
    /// Nothing may follow from it.
    Block,
}

impl Verdict {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::RequireRemediation => "require_remediation",
            Verdict::Fail => "fail",
            Verdict::EscalateToHuman => "escalate_to_human",
            Verdict::Block => "block",
        }
    }
}

/// How grave a finding of somebody else is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// To be known.
    Info,
    /// To be watched.
    Warning,
    /// Wrong.
    Error,
    /// Badly wrong.
    Critical,
    /// Nothing works.
    Fatal,
}

impl Severity {
    /// The verdict on a finding of this severity that can, or cannot, be mended without a human.
    pub fn verdict(self, can_be_mended: bool) -> Verdict {
        match (self, can_be_mended) {
            (Severity::Fatal, _) => Verdict::Block,
            (_, true) => Verdict::RequireRemediation,
            (Severity::Info | Severity::Warning, false) => Verdict::Pass,
            (Severity::Error, false) => Verdict::Fail,
            (Severity::Critical, false) => Verdict::EscalateToHuman,
        }
    }
}

/// What is known of a decision. What is `None` could not be found out, unless it says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// A quorum was there before the deadline.
    pub quorum: Option<bool>,
    /// Voters of the electorate, and those of them who voted.
    pub voters: Option<(u32, u32)>,
    /// Proven faults, and how many are tolerated.
    pub faults: Option<(u32, u32)>,
    /// Power of suspects and voters on probation, and all power.
    pub suspects: Option<(u64, u64)>,
    /// The ballots name candidates; without it margin and confidence are not asked for.
    pub candidates: bool,
    /// By how much the winner is ahead, in millionths.
    pub margin: Option<u64>,
    /// The winner's share of all scores, in millionths.
    pub confidence: Option<u64>,
    /// A coordinated attack was seen, and the greatest share of power that an anomaly concerns, in millionths.
    pub anomalies: Option<(bool, u64)>,
    /// It was recorded, and chain and certificate hold.
    pub record: Option<bool>,
    /// An equivocation that came to light afterwards takes the quorum away.
    pub tainted: Option<bool>,
    /// How long computing took.
    pub compute_time: Option<Duration>,
    /// Independent voices, in millionths.
    pub voices: Option<u64>,
}

/// The bars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bars {
    /// Least margin, in millionths.
    pub margin: u64,
    /// Least confidence, in millionths.
    pub confidence: u64,
    /// Longest time of computing.
    pub compute_time: Duration,
}

impl Default for Bars {
    fn default() -> Self {
        Bars { margin: 100_000, confidence: 500_000, compute_time: Duration::from_micros(800) }
    }
}

/// What one rule found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: &'static str,
    /// What it looked at, as text; `unknown` where that could not be found out.
    pub input: String,
    /// What it compared that with, as text.
    pub threshold: String,
    /// What it says.
    pub verdict: Verdict,
    /// It passes, and should be looked at.
    pub is_warning: bool,
}

/// What all rules found, and the worst of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// The worst verdict.
    pub verdict: Verdict,
    /// Every rule that was asked, in the order of the table.
    pub findings: Vec<Finding>,
}

/// A rule: input and threshold as text, and the verdict; `None` where it could not be evaluated.
type Checked = Option<(String, String, Verdict)>;

/// Evaluates every rule.
pub fn evaluate(facts: &Facts, bars: &Bars) -> Evaluation {
    let unless = |holds: bool, verdict: Verdict| if holds { Verdict::Pass } else { verdict };
    let shown = |millionths: u64| format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
    let yes = |fact: Option<bool>, wanted: bool, verdict: Verdict| -> Checked {
        fact.map(|is| (is.to_string(), wanted.to_string(), unless(is == wanted, verdict)))
    };
    let third = |part: u64, all: u64| u128::from(part) * 3 >= u128::from(all);
    let mut rules: Vec<(&'static str, Checked)> = vec![
        ("quorum", yes(facts.quorum, true, Verdict::Fail)),
        (
            "participation",
            facts.voters.map(|(all, voted)| {
                let enough = u64::from(voted) * 3 >= u64::from(all) * 2;
                let verdict = unless(enough, Verdict::RequireRemediation);
                (format!("{voted} of {all}"), "2/3".into(), verdict)
            }),
        ),
        (
            "faults",
            facts.faults.map(|(proven, tolerated)| {
                let within = if proven == 0 { Verdict::Pass } else { Verdict::RequireRemediation };
                let verdict = if proven > tolerated { Verdict::Block } else { within };
                (proven.to_string(), format!("0, at most {tolerated}"), verdict)
            }),
        ),
        (
            "suspects",
            facts.suspects.map(|(held, all)| {
                let verdict = unless(held == 0 || !third(held, all), Verdict::EscalateToHuman);
                (format!("{held} of {all}"), "1/3".into(), verdict)
            }),
        ),
    ];
    if facts.candidates {
        let bar = |fact: Option<u64>, bar: u64, verdict: Verdict| -> Checked {
            fact.map(|is| (shown(is), shown(bar), unless(is >= bar, verdict)))
        };
        rules.push(("margin", bar(facts.margin, bars.margin, Verdict::EscalateToHuman)));
        rules.push(("confidence", bar(facts.confidence, bars.confidence, Verdict::RequireRemediation)));
    }
    let attack = facts.anomalies.map(|(attacked, power)| {
        let holds = !attacked && !third(power, 1_000_000);
        let input = format!("attack={attacked}, power={}", shown(power));
        (input, "1/3".into(), unless(holds, Verdict::EscalateToHuman))
    });
    // Millionths, rounded down, of a whole number of voices.
    let voices = facts.voices.zip(facts.faults).map(|(voices, (_, tolerated))| {
        let least = u64::from(tolerated) * 3 + 1;
        let verdict = unless(voices >= least * 1_000_000, Verdict::EscalateToHuman);
        (shown(voices), least.to_string(), verdict)
    });
    let time = facts.compute_time.map(|took| {
        (format!("{} us", took.as_micros()), format!("{} us", bars.compute_time.as_micros()), Verdict::Pass)
    });
    rules.extend([
        ("attack", attack),
        ("record", yes(facts.record, true, Verdict::Block)),
        ("tainted", yes(facts.tainted, false, Verdict::EscalateToHuman)),
        ("compute_time", time),
        ("voices", voices),
    ]);
    let slow = facts.compute_time.is_some_and(|took| took > bars.compute_time);
    let finding = |(rule, checked): (&'static str, Checked)| {
        let unknown = || ("unknown".to_owned(), "to be known".to_owned(), Verdict::Block);
        let (input, threshold, verdict) = checked.unwrap_or_else(unknown);
        Finding { rule, input, threshold, verdict, is_warning: rule == "compute_time" && slow }
    };
    let findings: Vec<Finding> = rules.into_iter().map(finding).collect();
    let verdict = findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Block);
    Evaluation { verdict, findings }
}

#[cfg(test)]
#[path = "gates_test.rs"]
mod tests;
