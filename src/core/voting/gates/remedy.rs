//! What is done about a finding. Each remedy has a key by which it is done once, whatever is started anew in between.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Evaluation, Verdict};

/// Sessions that may follow one that did not pass.
pub const MOST_RETRIES: u32 = 2;

/// Something that is done about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// More time, once, at most twice as long.
    ExtendDeadline,
    /// Others are asked.
    ReassignVoters,
    /// Those with proven faults are kept out.
    QuarantineNode,
    /// A new session that names this one, at most twice.
    ReopenSession,
    /// What was derived from the record is derived anew.
    RebuildIndex,
    /// Weights are learned anew.
    RecomputeWeights,
    /// Somebody is told.
    NotifyOperator,
}

impl Remedy {
    /// The name in JSON and in keys.
    pub fn name(self) -> &'static str {
        match self {
            Remedy::ExtendDeadline => "extend_deadline",
            Remedy::ReassignVoters => "reassign_voters",
            Remedy::QuarantineNode => "quarantine_node",
            Remedy::ReopenSession => "reopen_session",
            Remedy::RebuildIndex => "rebuild_index",
            Remedy::RecomputeWeights => "recompute_weights",
            Remedy::NotifyOperator => "notify_operator",
        }
    }
}

/// Remedies that were started, by their keys. Kept with the session, it makes each of them start once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remedies(BTreeSet<String>);

impl Remedies {
    /// Notes that a remedy was started; true the first time.
    pub fn start(&mut self, key: &str) -> bool {
        self.0.insert(key.to_owned())
    }

    /// The remedies that an evaluation asks for and that were not started yet, with their keys. `retries` counts the
    /// sessions before this one that it follows.
    pub fn due(&self, session: &str, evaluation: &Evaluation, retries: u32) -> Vec<(Remedy, String)> {
        let mut due = BTreeSet::new();
        for finding in evaluation.findings.iter().filter(|finding| finding.verdict > Verdict::Pass) {
            due.insert(Remedy::NotifyOperator);
            let asked: &[Remedy] = match finding.rule {
                "quorum" if retries < MOST_RETRIES => &[Remedy::ReopenSession],
                "participation" => &[Remedy::ExtendDeadline, Remedy::ReassignVoters],
                "faults" => &[Remedy::QuarantineNode],
                "confidence" | "suspects" => &[Remedy::RecomputeWeights],
                "record" => &[Remedy::RebuildIndex],
                _ => &[],
            };
            due.extend(asked);
        }
        let due = due.into_iter().map(|remedy| (remedy, format!("{session}/{}", remedy.name())));
        due.filter(|(_, key)| !self.0.contains(key)).collect()
    }
}
