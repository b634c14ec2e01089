//! One vote as it is hashed, signed and kept.
//!
//! ```text
//!  version 1 · hash 1 · session_id · electorate hash · terms hash · round · voter_id · seq · issued_at (µs) ·
//!  ballot · score · confidence · claimed weight? · hash of the reasoning?
//! ```
//!
//! Everything that a vote says stands in its hash, and so does the session with all it was opened with: no vote can be
//! replayed in another session, round or under other powers. The byte layout is drawn in `docs/certificate_format.md`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ballot::Ballot;
use crate::kernel::ids::{EntityId, VoterId};
use crate::kernel::time::Timestamp;
use crate::voting::signature::{Canon, Digest, Domain, PublicKey, Signature};

/// The layout of votes this version reads and writes.
pub const VOTE_VERSION: u8 = 1;

/// Longest reasoning, in bytes.
pub const MAX_REASONING: usize = 4 << 10;

/// What a voter signs, besides the session it votes in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// In which round.
    pub round: u32,
    /// Who votes.
    pub voter_id: VoterId,
    /// The voter's own number of this vote in this session.
    pub seq: u64,
    /// When, by the voter's clock.
    pub issued_at: Timestamp,
    /// What.
    pub ballot: Ballot,
    /// How good, in millionths.
    pub score: u32,
    /// How sure, in millionths.
    pub confidence: u32,
    /// The weight the voter claims, in millionths. Noted, never counted.
    pub claimed_weight: Option<u64>,
    /// The hash of what it says about its vote.
    pub reasoning_hash: Option<Digest>,
}

/// What a vote is bound to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The session.
    pub session_id: EntityId,
    /// Who may vote in it, with which powers and keys.
    pub electorate_hash: Digest,
    /// What it asks and by which rule.
    pub terms_hash: Digest,
}

impl Vote {
    /// The canonical bytes.
    pub fn bytes(&self, binding: &Binding) -> Vec<u8> {
        let canon = Canon::new(VOTE_VERSION)
            .text(binding.session_id.as_str())
            .fixed(binding.electorate_hash.as_bytes())
            .fixed(binding.terms_hash.as_bytes())
            .u32(self.round)
            .text(self.voter_id.as_str())
            .u64(self.seq)
            .i64(self.issued_at.as_micros());
        self.ballot
            .write(canon)
            .u32(self.score)
            .u32(self.confidence)
            .maybe(self.claimed_weight, Canon::u64)
            .maybe(self.reasoning_hash.as_ref(), |canon, hash| canon.fixed(hash.as_bytes()))
            .done()
    }

    /// The integrity hash.
    pub fn hash(&self, binding: &Binding) -> Digest {
        Domain::Vote.hash(&self.bytes(binding))
    }

    /// What a voter signs.
    pub fn message(&self, binding: &Binding) -> Vec<u8> {
        Domain::Vote.message(&self.bytes(binding))
    }

    /// Was it signed by the holder of this key?
    pub fn is_signed(&self, binding: &Binding, key: &PublicKey, signature: &Signature) -> bool {
        key.verifies(&self.message(binding), signature)
    }

    /// Does it say the same as another one, whenever and under whatever number that was sent?
    pub fn repeats(&self, other: &Vote) -> bool {
        self.round == other.round
            && self.ballot == other.ballot
            && self.score == other.score
            && self.confidence == other.confidence
    }
}

/// The hash of what a voter says about its vote.
pub fn reasoning_hash(text: &str) -> Digest {
    Domain::Reasoning.hash(&Canon::new(VOTE_VERSION).text(text).done())
}

/// How a voter showed that a vote is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Authenticity {
    /// Not at all: the session did not ask for it.
    None,
    /// It presented its handle.
    Handle,
    /// It signed the vote.
    Signature,
}

impl Authenticity {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Authenticity::None => "none",
            Authenticity::Handle => "handle",
            Authenticity::Signature => "signature",
        }
    }

    /// Was it shown at all?
    pub fn is_shown(self) -> bool {
        self != Authenticity::None
    }
}

impl fmt::Display for Authenticity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
