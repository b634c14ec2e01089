//! Counting: how much stands behind each option, and how much still may. It decides nothing.

use std::collections::BTreeMap;

use super::ballot::{Ballot, BallotType, Pick};
use super::event::{Opened, Revision, Selection, SwitchPolicy};
use super::state::Session;
use super::threshold::Quorum;
use crate::kernel::ids::VoterId;

/// What would be so after a command.
#[derive(Clone, Copy, Debug)]
pub(super) enum After<'a> {
    /// Nothing else.
    Now,
    /// This voter votes so, in the round that is open.
    Vote(&'a VoterId, &'a Ballot, u32),
}

/// What stands behind an option.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Support {
    pub(super) heads: u32,
    pub(super) power: u64,
    /// Σ power · score.
    pub(super) scored: u128,
    /// Heads and power that may still come to stand behind it.
    pub(super) may_heads: u32,
    pub(super) may_power: u64,
}

/// The votes of the last round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) options: BTreeMap<Pick, Support>,
    /// Voters that are not excluded and have not voted.
    pub(super) outstanding: u32,
}

/// The options of a session.
pub(super) fn options(opened: &Opened) -> Vec<Pick> {
    match opened.terms.ballot_type {
        BallotType::Approve => vec![Pick::For, Pick::Against],
        BallotType::Choice | BallotType::Approval { .. } | BallotType::Scores => {
            opened.terms.candidates.iter().map(|c| Pick::Candidate(c.candidate_id.clone())).collect()
        }
    }
}

impl Tally {
    /// Counts the last round; nothing counts before it, and then everybody may still vote.
    pub(super) fn count(state: &Session, opened: &Opened, after: After<'_>) -> Tally {
        let last = state.round == opened.terms.rounds;
        let votes = state.votes.get(&state.round).filter(|_| last);
        let mut tally = Tally {
            options: options(opened).into_iter().map(|pick| (pick, Support::default())).collect(),
            outstanding: 0,
        };
        for (_, elector) in state.places(opened) {
            let voter = &elector.voter_id;
            if state.is_excluded(voter) {
                continue;
            }
            let ballot = match after {
                After::Vote(other, ballot, score) if other == voter && last => Some((ballot, score)),
                _ => {
                    votes.and_then(|votes| votes.get(voter)).map(|vote| (&vote.vote.ballot, vote.vote.score))
                }
            };
            if ballot.is_none() && !state.may_reveal(opened, voter) {
                continue;
            }
            tally.outstanding += u32::from(ballot.is_none());
            if let Some((ballot, score)) = ballot {
                for (pick, score) in ballot.supports(score) {
                    if let Some(support) = tally.options.get_mut(&pick) {
                        support.heads += 1;
                        support.power += elector.power;
                        support.scored += u128::from(elector.power) * u128::from(score);
                    }
                }
            }
            let may_change = ballot.is_none() || opened.terms.revision == Revision::Revisable;
            if may_change {
                for (pick, support) in &mut tally.options {
                    let stands = ballot.is_some_and(|(ballot, _)| ballot.picks(pick));
                    if !stands && may_support(state, opened, voter, pick) {
                        support.may_heads += 1;
                        support.may_power += elector.power;
                    }
                }
            }
        }
        tally
    }

    /// The option that reached the quorum. Several can where a ballot supports several: then the best of them.
    pub(super) fn reached(&self, quorum: &Quorum) -> Option<&Pick> {
        let reached =
            self.options.iter().filter(|(_, support)| quorum.is_reached(support.heads, support.power));
        // The first by name among equals, since of equal maxima the last one is taken.
        reached.rev().max_by_key(|(_, support)| (support.scored, support.heads)).map(|(pick, _)| pick)
    }

    /// Can any option still reach it?
    pub(super) fn is_possible(&self, quorum: &Quorum) -> bool {
        self.options.values().any(|support| {
            let heads = support.heads + support.may_heads;
            quorum.is_reached(heads, support.power.saturating_add(support.may_power))
        })
    }

    /// The options, best first: by score, then by heads, then by name.
    pub(super) fn ranked(&self, quorum: &Quorum) -> Vec<Selection> {
        let mut ranked: Vec<(&Pick, &Support)> = self.options.iter().collect();
        ranked.sort_by(|(left, a), (right, b)| {
            (b.scored, b.heads).cmp(&(a.scored, a.heads)).then_with(|| left.cmp(right))
        });
        let selection = |(pick, support): (&Pick, &Support)| Selection {
            pick: pick.clone(),
            selection_score: share(support.scored, u128::from(quorum.power)),
            voting_power: support.power,
            votes_received: support.heads,
        };
        ranked.into_iter().map(selection).collect()
    }
}

/// One part of a whole, rounded down; 0 of nothing.
pub(super) fn share(part: u128, whole: u128) -> u32 {
    part.checked_div(whole).map_or(0, |share| u32::try_from(share).unwrap_or(u32::MAX))
}

/// Could this voter still support this option? Not when it said otherwise in an earlier round and may not switch.
fn may_support(state: &Session, opened: &Opened, voter: &VoterId, pick: &Pick) -> bool {
    if opened.terms.switch_policy != SwitchPolicy::Exclude {
        return true;
    }
    let earlier = state.votes.range(..state.round).filter_map(|(_, votes)| votes.get(voter));
    earlier.into_iter().all(|vote| vote.vote.ballot.picks(pick))
}
