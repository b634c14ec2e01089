//! Every vote and every refused attempt of one proposal, read back from its log.

use std::collections::BTreeMap;

use super::event::{Event, Refusal};
use crate::core::ids::VoterId;
use crate::core::rules::Choice;
use crate::core::time::Timestamp;

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
        match event {
            Event::VoteCast(cast) => {
                if let Some(earlier) = standing.insert(cast.voter_id.clone(), ballots.len()) {
                    ballots[earlier].superseded = true;
                }
                ballots.push(AuditBallot {
                    seq,
                    voter_id: cast.voter_id.clone(),
                    vote: cast.vote,
                    weight: cast.weight,
                    metadata: cast.metadata.clone(),
                    cast_at: cast.cast_at,
                    superseded: false,
                    refusal: None,
                });
            }
            Event::VoteRefused(refused) => ballots.push(AuditBallot {
                seq,
                voter_id: refused.voter_id.clone(),
                vote: refused.vote,
                weight: refused.weight,
                metadata: None,
                cast_at: refused.cast_at,
                superseded: false,
                refusal: Some(refused.refusal),
            }),
            Event::Opened(_)
            | Event::Broadcast(_)
            | Event::AbsenceChanged { .. }
            | Event::Closed(_)
            | Event::Keyed(_) => {}
        }
    }
    ballots
}
