//! Every vote and every refused attempt of one quorum, read back from its log.

use std::collections::BTreeMap;

use super::event::{Counting, Event, Refusal, VoteCast, VoteRefused};
use crate::kernel::ids::VoterId;
use crate::kernel::time::Timestamp;

/// One vote or refused attempt as the audit tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditVote {
    /// Its place in the quorum's log.
    pub seq: u64,
    /// Who voted.
    pub voter_id: VoterId,
    /// True approves.
    pub vote: bool,
    /// How sure the voter was.
    pub confidence: f64,
    /// When it was received.
    pub cast_at: Timestamp,
    /// Part of the tally when it was cast.
    pub counted: bool,
    /// A later vote of the same voter took its place.
    pub superseded: bool,
    /// Why it was not counted, if so.
    pub reason: Option<&'static str>,
    /// Why the voter voted so, in its own words.
    pub voter_reason: Option<String>,
    /// The attempt was refused.
    pub refused: bool,
}

/// Lists the votes among `events`, given with their seq, in order.
pub fn votes_on_record<'a>(events: impl IntoIterator<Item = (u64, &'a Event)>) -> Vec<AuditVote> {
    let mut votes: Vec<AuditVote> = Vec::new();
    let mut standing: BTreeMap<VoterId, usize> = BTreeMap::new();
    for (seq, event) in events {
        let vote = match event {
            Event::VoteCast(cast) => cast_on_record(seq, cast, None),
            Event::VoteCastWithReason(with) => cast_on_record(seq, &with.cast, Some(&with.reason)),
            Event::VoteRefused(refused) => refused_on_record(seq, refused, None),
            Event::VoteRefusedWithReason(with) => refused_on_record(seq, &with.refused, Some(&with.reason)),
            Event::Opened(_)
            | Event::OpenedByRule(_)
            | Event::Closed(_)
            | Event::FallbackOpened { .. }
            | Event::FallbackFailed { .. }
            | Event::Keyed(_)
            | Event::Extended(_) => continue,
        };
        if !vote.refused
            && let Some(earlier) = standing.insert(vote.voter_id.clone(), votes.len())
        {
            votes[earlier].superseded = true;
        }
        votes.push(vote);
    }
    votes
}

fn cast_on_record(seq: u64, cast: &VoteCast, reason: Option<&String>) -> AuditVote {
    AuditVote {
        seq,
        voter_id: cast.voter_id.clone(),
        vote: cast.vote,
        confidence: cast.confidence,
        cast_at: cast.cast_at,
        counted: cast.counting == Counting::Counted,
        superseded: false,
        reason: match cast.counting {
            Counting::Counted => None,
            Counting::Outsider => Some("outsider"),
            Counting::LowConfidence => Some("low_confidence"),
        },
        voter_reason: reason.cloned(),
        refused: false,
    }
}

fn refused_on_record(seq: u64, refused: &VoteRefused, reason: Option<&String>) -> AuditVote {
    AuditVote {
        seq,
        voter_id: refused.voter_id.clone(),
        vote: refused.vote,
        confidence: refused.confidence,
        cast_at: refused.cast_at,
        counted: false,
        superseded: false,
        reason: Some(match refused.refusal {
            Refusal::Late => "late",
            Refusal::ChangeNotAllowed => "change_not_allowed",
            Refusal::NotEligible => "not_eligible",
        }),
        voter_reason: reason.cloned(),
        refused: true,
    }
}
