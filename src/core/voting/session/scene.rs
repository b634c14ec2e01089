//! A session as the detectors of [emergence](crate::voting::emergence) look at it.
//!
//! Scores are those of the votes, so to be in the minority is no outlier. Options are numbered: for, against and abstain of a
//! proposal are 0, 1 and 2; a candidate has its place among the candidates. A ballot for several candidates stands for the
//! one it scores highest, the first of them by id; one for none is an option of its own.

use super::ballot::{Ballot, Pick, WHOLE};
use super::event::Opened;
use super::state::{Session, Standing};
use crate::voting::emergence::{Alarms, Round, Scene, Vote};
use crate::voting::rules::Choice as Stance;

/// The option of those who abstain from a proposal.
const ABSTAIN: u32 = 2;

/// The number of an option in the eyes of the detectors.
fn option_of(opened: &Opened, pick: &Pick) -> u32 {
    let candidates = &opened.terms.candidates;
    match pick {
        Pick::For => 0,
        Pick::Against => 1,
        Pick::Candidate(id) => {
            let at = candidates.iter().position(|candidate| candidate.candidate_id == *id);
            u32::try_from(at.unwrap_or(candidates.len())).unwrap_or(u32::MAX)
        }
    }
}

fn vote_of(opened: &Opened, standing: &Standing) -> Vote {
    let vote = &standing.vote;
    let (option, score) = match &vote.ballot {
        Ballot::Approve(Stance::For) => (0, vote.score),
        Ballot::Approve(Stance::Against) => (1, vote.score),
        Ballot::Approve(Stance::Abstain) => (ABSTAIN, vote.score),
        ballot => {
            let supports = ballot.supports(vote.score);
            let best = supports.iter().max_by(|(a, x), (b, y)| x.cmp(y).then_with(|| b.name().cmp(a.name())));
            let none = u32::try_from(opened.terms.candidates.len()).unwrap_or(u32::MAX);
            best.map_or((none, 0), |(pick, score)| (option_of(opened, pick), *score))
        }
    };
    let score = f64::from(score) / f64::from(WHOLE);
    Vote { voter: vote.voter_id.clone(), option, score, at: standing.received_at }
}

impl Session {
    /// What there is to look at: the counted votes of each round, without those of excluded voters; `None` before it is
    /// opened. The outcome is the right score, from 0 to 1, where it became known.
    pub fn scene(&self, outcome: Option<f64>) -> Option<Scene> {
        let opened = self.opened.as_deref()?;
        let round = |number: u32| Round {
            opened: if number == self.round { self.round_since } else { opened.opened_at },
            votes: self
                .votes
                .get(&number)
                .into_iter()
                .flatten()
                .filter(|(voter, _)| !self.is_excluded(voter))
                .map(|(_, standing)| vote_of(opened, standing))
                .collect(),
        };
        let pick = self.closed.as_ref().and_then(|closed| closed.pick.as_ref());
        Some(Scene {
            rounds: (1..=self.round).map(round).collect(),
            winner: pick.map(|pick| option_of(opened, pick)),
            sealed: opened.terms.commit_reveal,
            outcome,
            powers: self.places(opened).map(|(_, one)| (one.voter_id.clone(), one.power)).collect(),
            alarms: Alarms::default(),
        })
    }
}
