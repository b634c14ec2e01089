//! What a voter's answers are worth: the last of them whose truth was told, and what follows.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::event::Judged;
use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;
use crate::voting::judgement::Judgement;
use crate::voting::reliability::factors::{Base, Conduct, Marked, Reckoned, Settings, feedback, reckon};

/// Judgements that are kept at hand; all of them stay in the log.
pub const KEPT: usize = 200;
/// Gold questions that are remembered, so that an answer that is told again is not counted again.
const MOST_QUESTIONS: usize = 1_000;
/// How far one rating moves a weight.
const RATE: f64 = 0.1;

/// The record of a voter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The last judgements, oldest first.
    pub judged: VecDeque<Judged>,
    /// How many there ever were.
    pub count: u64,
    /// What was told of gold questions, with the order in which it was.
    pub gold: BTreeMap<EntityId, (u64, Judgement)>,
}

impl Record {
    /// The sum of ratings so far, in millionths.
    pub fn bias(&self) -> i64 {
        self.judged.back().map_or(0, |judged| judged.bias)
    }

    /// What is on record of its conduct.
    pub fn conduct(&self) -> Conduct {
        let mut conduct = Conduct { bias: self.bias(), ..Conduct::default() };
        for Judged { judgement, at, base, .. } in &self.judged {
            let at = *at;
            conduct.answers.extend(judgement.answer(at));
            conduct.bases.push(Base { at, millionths: *base });
            let Some(part) = judgement.part else { continue };
            conduct.outcomes.push(part.scored(at));
            conduct.duties.push(Marked { at, good: part.voted });
            conduct.took.extend(part.took(at));
            if part.voted {
                conduct.votes.push(Marked { at, good: part.steady });
            }
            conduct.effects.extend(part.effect.map(|good| Marked { at, good }));
        }
        conduct
    }

    /// What follows from one more judgement: the measures as they are usually taken, with the bias.
    pub(super) fn judge(
        &self,
        question: EntityId,
        judgement: Judgement,
        by: Option<String>,
        at: Timestamp,
    ) -> Judged {
        let bias = judgement
            .rating
            .map_or(Ok(self.bias()), |rating| feedback(self.bias(), f64::from(rating) / 1e6, RATE));
        let bias = bias.unwrap_or(self.bias());
        let mut judged = Judged { question, judgement, base: 0, weight: 0, factors: [0; 8], bias, by, at };
        // The new one counts for the measures, and its own base does not yet count for itself.
        let mut with = self.clone();
        with.judged.push_back(judged.clone());
        let mut conduct = with.conduct();
        conduct.bases.pop();
        if let Ok(Reckoned { factors, base, weight }) = reckon(&conduct, at, &Settings::default()) {
            (judged.factors, judged.base, judged.weight) = (factors, base, weight);
        }
        judged
    }

    pub(super) fn apply(&mut self, judged: &Judged) {
        self.count += 1;
        if judged.judgement.part.is_none() {
            self.gold.insert(judged.question.clone(), (self.count, judged.judgement));
            if self.gold.len() > MOST_QUESTIONS {
                let oldest = self.gold.iter().min_by_key(|(_, (order, _))| *order);
                if let Some(oldest) = oldest.map(|(question, _)| question.clone()) {
                    self.gold.remove(&oldest);
                }
            }
        }
        self.judged.push_back(judged.clone());
        if self.judged.len() > KEPT {
            self.judged.pop_front();
        }
    }
}
