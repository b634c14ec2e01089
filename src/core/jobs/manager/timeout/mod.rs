//! Timeout rules, one file each: how much time a job gets, and who decides when it is over.
//!
//! | rule | budget and idle limit | who decides |
//! |---|---|---|
//! | `local_authority` | as asked | the manager |
//! | `gate_coordinated` | as asked | the gate; the manager reports, and decides only when the gate does not |
//! | `learned` | from how long such jobs took; as asked without enough evidence | the gate if there is one |
//!
//! What a rule says is decided once, when the job is submitted, and stands in its first event: neither a transfer nor
//! a restart looks at the surroundings again. Without a name, a job that has a gate is coordinated by it.

mod gate_coordinated;
mod learned;
mod local_authority;

use serde::{Deserialize, Serialize};

use super::rejection::{Rejection, invalid};
use super::settings::check_span;

/// Who decides that time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The manager.
    LocalAuthority,
    /// The gate.
    GateCoordinated,
}

impl Strategy {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Strategy::LocalAuthority => "local_authority",
            Strategy::GateCoordinated => "gate_coordinated",
        }
    }
}

/// What jobs of the same class took, as far as enough of them are known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// Budget in ms, if there is enough evidence.
    pub overall_ms: Option<u64>,
    /// Idle limit in ms, if there is enough evidence.
    pub stuck_ms: Option<u64>,
    /// How many jobs it rests on.
    pub samples: u64,
    /// What it rests on, for people.
    pub evidence: String,
}

/// What a rule is asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Budget in ms that was asked for.
    pub timeout_ms: Option<u64>,
    /// Idle limit in ms that was asked for.
    pub stuck_ms: u64,
    /// Is there a gate?
    pub has_gate: bool,
    /// What is known of such jobs.
    pub estimate: Option<&'a Estimate>,
}

/// What a rule says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Name of the rule.
    pub rule: String,
    /// Who decides.
    pub strategy: Strategy,
    /// Budget in ms without extensions; `None` = no overall limit.
    pub overall_ms: Option<u64>,
    /// Idle limit in ms.
    pub stuck_ms: u64,
    /// What the numbers rest on, if they were learned.
    pub learned_from: Option<Estimate>,
}

/// One line of the table of timeout rules.
#[derive(Debug)]
pub struct TimeoutRuleEntry {
    /// The name in commands and JSON.
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// What it says about a job.
    pub limits: fn(&Asked<'_>) -> Result<Limits, Rejection>,
}

/// Every timeout rule.
pub const TIMEOUT_RULES: &[TimeoutRuleEntry] =
    &[local_authority::ENTRY, gate_coordinated::ENTRY, learned::ENTRY];

/// What the rule of this name says; an empty name is the rule that fits the surroundings.
///
/// # Errors
/// [`Rejection::Invalid`] for a name that is not in the table, a rule that does not fit the surroundings, or a span
/// out of range.
pub fn limits(name: &str, asked: &Asked<'_>) -> Result<Limits, Rejection> {
    if let Some(ms) = asked.timeout_ms {
        check_span("timeout_ms", ms)?;
    }
    check_span("stuck_threshold_ms", asked.stuck_ms)?;
    let fitting = authority(asked).name();
    let name = if name.is_empty() { fitting } else { name };
    let Some(entry) = TIMEOUT_RULES.iter().find(|entry| entry.name == name) else {
        let names: Vec<_> = TIMEOUT_RULES.iter().map(|entry| entry.name).collect();
        return Err(invalid("timeout_rule", name, names.join(", ")));
    };
    (entry.limits)(asked)
}

/// Who decides in these surroundings.
fn authority(asked: &Asked<'_>) -> Strategy {
    if asked.has_gate { Strategy::GateCoordinated } else { Strategy::LocalAuthority }
}

/// The numbers as they were asked for.
fn as_asked(rule: &str, strategy: Strategy, asked: &Asked<'_>) -> Limits {
    Limits {
        rule: rule.to_owned(),
        strategy,
        overall_ms: asked.timeout_ms,
        stuck_ms: asked.stuck_ms,
        learned_from: None,
    }
}
