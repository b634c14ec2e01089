//! Every vote and every refused attempt of one proposal, read back from its log.

use std::collections::BTreeMap;

use super::event::{Event, Refusal, VoteCast, VoteRefused};
use crate::kernel::ids::VoterId;
use crate::kernel::time::Timestamp;
use crate::voting::rules::Choice;

/// One vote or refused attempt as the audit tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditBallot {
    /// Its place in the proposal's log.
    pub seq: u64,
    /// Who voted.
    pub voter_id: VoterId,
    /// How.
    pub vote: Choice,
    /// The weight the agent claimed.
    pub weight: Option<f64>,
    /// What the agent added, as JSON text.
    pub metadata: Option<String>,
    /// Why it voted so, in its own words.
    pub reason: Option<String>,
    /// The answer it brought, as JSON text.
    pub value: Option<String>,
    /// When it was received.
    pub cast_at: Timestamp,
    /// A later vote of the same agent took its place.
    pub superseded: bool,
    /// Why it was refused, if so.
    pub refusal: Option<Refusal>,
}

/// Lists the votes among `events`, given with their seq, in order.
pub fn ballots_on_record<'a>(events: impl IntoIterator<Item = (u64, &'a Event)>) -> Vec<AuditBallot> {
    let mut ballots: Vec<AuditBallot> = Vec::new();
    let mut standing: BTreeMap<VoterId, usize> = BTreeMap::new();
    for (seq, event) in events {
        let ballot = match event {
            Event::VoteCast(cast) => cast_on_record(seq, cast, None, None),
            Event::VoteCastWithReason(with) => cast_on_record(seq, &with.cast, Some(&with.reason), None),
            Event::VoteCastWithValue(with) => {
                cast_on_record(seq, &with.cast, with.reason.as_ref(), Some(&with.value))
            }
            Event::VoteRefused(refused) => refused_on_record(seq, refused, None, None),
            Event::VoteRefusedWithReason(with) => {
                refused_on_record(seq, &with.refused, with.metadata.as_ref(), with.reason.as_ref())
            }
            Event::VoteRefusedWithValue(with) => AuditBallot {
                value: Some(with.value.clone()),
                ..refused_on_record(seq, &with.refused, with.metadata.as_ref(), with.reason.as_ref())
            },
            Event::Opened(_)
            | Event::Broadcast(_)
            | Event::Handed { .. }
            | Event::AbsenceChanged { .. }
            | Event::Closed(_)
            | Event::Keyed(_)
            | Event::Mandated(_)
            | Event::Spent(_)
            | Event::Redeemed(_)
            | Event::Extended(_)
            | Event::AnswerAsked(_)
            | Event::Delegated(_)
            | Event::RemindersAsked { .. }
            | Event::Reminded(_)
            | Event::Told(_) => continue,
        };
        if ballot.refusal.is_none()
            && let Some(earlier) = standing.insert(ballot.voter_id.clone(), ballots.len())
        {
            ballots[earlier].superseded = true;
        }
        ballots.push(ballot);
    }
    ballots
}

fn cast_on_record(seq: u64, cast: &VoteCast, reason: Option<&String>, value: Option<&String>) -> AuditBallot {
    AuditBallot {
        seq,
        voter_id: cast.voter_id.clone(),
        vote: cast.vote,
        weight: cast.weight,
        metadata: cast.metadata.clone(),
        reason: reason.cloned(),
        value: value.cloned(),
        cast_at: cast.cast_at,
        superseded: false,
        refusal: None,
    }
}

fn refused_on_record(
    seq: u64,
    refused: &VoteRefused,
    metadata: Option<&String>,
    reason: Option<&String>,
) -> AuditBallot {
    AuditBallot {
        seq,
        voter_id: refused.voter_id.clone(),
        vote: refused.vote,
        weight: refused.weight,
        metadata: metadata.cloned(),
        reason: reason.cloned(),
        value: None,
        cast_at: refused.cast_at,
        superseded: false,
        refusal: Some(refused.refusal),
    }
}
