//! What came to light of a voter when somebody told what had been right: in a session it could vote in, or about a
//! question whose answer is known to whoever asked it (a *gold* question).
//!
//! ```text
//!  truth of an ended session ──► one judgement for each of its voters ──► the voter's record ──► weights of later sessions
//!  answer to a gold question ──► one judgement for each who answered  ──►        │
//! ```
//!
//! All of it is yes or no: of a question for or against, the truth is whether *for* was right; of candidates, each voter
//! answered whether it picked the right one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::reliability::factors::{Context, Marked, Scored, Took};
use crate::kernel::time::Timestamp;

/// What came to light of one voter. Stored: fields are only ever appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// What was right.
    pub truth: bool,
    /// What the voter said; none when it said neither.
    pub said: Option<bool>,
    /// How useful its part was in the eyes of who told, in millionths; where that was said.
    pub rating: Option<u32>,
    /// Its part in the session; none for a gold question.
    pub part: Option<Part>,
}

/// The part of a voter in a session. Stored: fields are only ever appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// It voted, validly and in time.
    pub voted: bool,
    /// It neither switched nor broke a rule.
    pub steady: bool,
    /// The crowd was nearer to the truth with it (true) or without it (false); none where that is the same.
    pub effect: Option<bool>,
    /// How well the session turned out, in millionths.
    pub outcome: u32,
    /// From being asked to the vote, in microseconds.
    pub latency_us: Option<u64>,
    /// How long it had, in microseconds.
    pub time_us: u64,
    /// What surrounded the session, in millionths, in the order of [`Context::parts`].
    pub context: Option<[u32; 5]>,
}

impl Judgement {
    /// Was it right? None when it said neither.
    pub fn is_right(&self) -> Option<bool> {
        self.said.map(|said| said == self.truth)
    }

    /// Its answer, as a measure of accuracy.
    pub fn answer(&self, at: Timestamp) -> Option<Marked> {
        self.is_right().map(|good| Marked { at, good })
    }
}

/// A context in millionths as that of the measures.
pub fn context_of(millionths: [u32; 5]) -> Context {
    let [volatility, volume, spread, trend_strength, noise_level] =
        millionths.map(|part| f64::from(part) / 1e6);
    Context { volatility, volume, spread, trend_strength, noise_level }
}

impl Part {
    /// How well the session turned out.
    pub fn scored(&self, at: Timestamp) -> Scored {
        Scored { at, score: f64::from(self.outcome) / 1e6, context: self.context.map(context_of) }
    }

    /// How long it took.
    pub fn took(&self, at: Timestamp) -> Option<Took> {
        let latency = Duration::from_micros(self.latency_us?);
        Some(Took { at, latency, deadline: Duration::from_micros(self.time_us) })
    }
}
