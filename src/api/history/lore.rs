//! What history knows of each kind of entity: which of its events are refused attempts, which end something and how,
//! which are votes, and where its first event says what it is about. One line for each kind; a kind without one does not
//! compile.

use serde_json::Value;

use crate::core::jobs::protocol::message::FinalStatus;
use crate::core::kernel::ids::StreamKind;
use crate::core::voting::proposal::Verdict;
use crate::core::voting::quorum::QuorumState;
use crate::core::voting::session::Outcome;

/// How an event says what came out.
#[derive(Clone, Copy, Debug)]
pub(super) enum How {
    /// In this field.
    Field(&'static str),
    /// By its name: it means this.
    Word(&'static str),
}

impl How {
    /// Does the name of the event alone say this?
    pub(super) fn is_word(self, outcome: &str) -> bool {
        match self {
            How::Field(_) => false,
            How::Word(word) => word == outcome,
        }
    }
}

/// What is known of a kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lore {
    /// Events that are attempts which were refused.
    pub(super) refusals: &'static [&'static str],
    /// Events that end something, and how they say what came out.
    pub(super) ends: &'static [(&'static str, How)],
    /// Every word that says what came out.
    pub(super) outcomes: fn() -> Vec<&'static str>,
    /// Where a vote that was taken stands in the data of an event: its name, whose vote it is, what was voted.
    pub(super) votes: &'static [(&'static str, &'static str, &'static str)],
    /// Where the first event of an entity says what it is about: its cell or its datacenter.
    pub(super) about: &'static [&'static str],
}

const PLAIN: Lore = Lore { refusals: &[], ends: &[], outcomes: Vec::new, votes: &[], about: &[] };

const JOB_ENDS: fn() -> Vec<&'static str> = || {
    [FinalStatus::Completed, FinalStatus::Failed, FinalStatus::Cancelled, FinalStatus::Timeout]
        .map(FinalStatus::name)
        .to_vec()
};

/// The line of a kind.
pub(super) fn of(kind: StreamKind) -> Lore {
    match kind {
        StreamKind::Quorum => Lore {
            refusals: &["vote_refused"],
            ends: &[("closed", How::Field("state"))],
            outcomes: || {
                let ends = QuorumState::ALL.into_iter().filter(|state| *state != QuorumState::Open);
                ends.map(QuorumState::name).collect()
            },
            votes: &[("vote_cast", "/voter_id", "/vote")],
            about: &["/cell_id", "/opened/cell_id"],
        },
        StreamKind::Proposal => Lore {
            refusals: &["vote_refused"],
            ends: &[("closed", How::Field("decision"))],
            outcomes: || Verdict::ALL.map(Verdict::name).to_vec(),
            votes: &[("vote_cast", "/voter_id", "/vote")],
            ..PLAIN
        },
        StreamKind::Session => Lore {
            refusals: &["vote_rejected"],
            ends: &[("closed", How::Field("outcome"))],
            outcomes: || Outcome::ALL.map(Outcome::name).to_vec(),
            votes: &[("vote_received", "/vote/voter_id", "/vote/ballot")],
            ..PLAIN
        },
        StreamKind::Job => Lore {
            refusals: &["step_refused", "run_refused", "late_result", "extension_denied", "fence_rejected"],
            ends: &[("ended", How::Field("status"))],
            outcomes: JOB_ENDS,
            ..PLAIN
        },
        StreamKind::Gate => Lore {
            refusals: &["fence_rejected", "late_final"],
            ends: &[("finished", How::Field("status"))],
            outcomes: JOB_ENDS,
            ..PLAIN
        },
        StreamKind::Cell => Lore {
            refusals: &["use_refused"],
            ends: &[
                ("granted", How::Word("granted")),
                ("need_expired", How::Word("expired")),
                ("need_cancelled", How::Word("cancelled")),
            ],
            outcomes: || vec!["granted", "expired", "cancelled"],
            ..PLAIN
        },
        StreamKind::Worker => Lore { refusals: &["fence_rejected"], about: &["/datacenter"], ..PLAIN },
        StreamKind::Identity => Lore { refusals: &["refused"], ..PLAIN },
        StreamKind::Topology
        | StreamKind::Agent
        | StreamKind::Algorithms
        | StreamKind::Budget
        | StreamKind::Flow
        | StreamKind::Load
        | StreamKind::Durations
        | StreamKind::Voter
        | StreamKind::Datacenter
        | StreamKind::Route
        | StreamKind::Coordinate
        | StreamKind::Stops
        | StreamKind::Retention
        | StreamKind::Hook
        | StreamKind::Subjects
        | StreamKind::Member => PLAIN,
    }
}

/// What an event says came out, if it ends something.
pub(super) fn outcome<'d>(kind: StreamKind, event: &str, data: &'d Value) -> Option<&'d str> {
    let (_, how) = of(kind).ends.iter().find(|(end, _)| *end == event)?;
    match how {
        How::Field(field) => data.get(field)?.as_str(),
        How::Word(word) => Some(word),
    }
}

/// Whose vote an event is, and what was voted, if it is one that was taken.
pub(super) fn vote<'d>(kind: StreamKind, event: &str, data: &'d Value) -> Option<(&'d str, &'d Value)> {
    let (_, voter, vote) = of(kind).votes.iter().find(|(name, ..)| *name == event)?;
    Some((data.pointer(voter)?.as_str()?, data.pointer(vote)?))
}

/// Is an event of this name an attempt that was refused?
pub(in crate::api) fn is_refusal(kind: StreamKind, event: &str) -> bool {
    of(kind).refusals.contains(&event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::hosts::event_names;

    #[test]
    fn every_refusal_is_flagged_and_every_name_is_that_of_an_event() {
        for kind in StreamKind::ALL {
            let (lore, names) = (of(kind), event_names(kind));
            let ends = lore.ends.iter().map(|(name, _)| name);
            let votes = lore.votes.iter().map(|(name, ..)| name);
            for name in lore.refusals.iter().chain(ends).chain(votes) {
                assert!(names.contains(name), "{} has no event {name}", kind.name());
            }
            let says_so = |name: &&&str| {
                ["refused", "rejected", "denied", "late_"].iter().any(|word| name.contains(word))
            };
            // These are shown under the name of the event that they carry.
            let carries = |name: &&&str| name.ends_with("_with_reason") || name.ends_with("_with_value");
            for name in names.iter().filter(says_so).filter(|name| !carries(name)) {
                assert!(is_refusal(kind, name), "{} {name}", kind.name());
            }
        }
    }
}
