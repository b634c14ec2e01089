//! A place that goes to another voter: what is signed for it, and what is put on record.
//!
//! ```text
//!  electorate, frozen:  ann (key A, power p) · bob · cyd · dan
//!       ann signs "eve, under key E, votes in my place"  ──►  eve (key E, power p) · bob · cyd · dan
//! ```
//!
//! Who gives its place away names the key under which the other one votes, so nobody can put a third one there. The other
//! one signs its votes under its own name and key: two that contradict each other convict it, and not the one whose place it
//! was. The hashes of electorate and terms stay those of the opening: no vote that is signed already loses its binding.

use serde::{Deserialize, Serialize};

use super::command::Proof;
use super::event::Elector;
use super::vote::{Authenticity, Binding};
use crate::kernel::ids::VoterId;
use crate::kernel::time::Timestamp;
use crate::voting::signature::{Canon, Domain, PublicKey, Signature};
use crate::voting::voter::Standing;

/// The layout of what is signed.
const DELEGATION_VERSION: u8 = 1;

/// What a voter signs that gives its place away, besides the session it has the place in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// Who has the place.
    pub from: VoterId,
    /// Who is to vote in it.
    pub to: VoterId,
    /// Under which key; none where that one votes by its handle.
    pub public_key: Option<PublicKey>,
    /// When, by the clock of who has the place.
    pub issued_at: Timestamp,
}

impl Delegation {
    /// What is signed.
    pub fn message(&self, binding: &Binding) -> Vec<u8> {
        let canon = Canon::new(DELEGATION_VERSION)
            .text(binding.session_id.as_str())
            .fixed(binding.electorate_hash.as_bytes())
            .fixed(binding.terms_hash.as_bytes())
            .text(self.from.as_str())
            .text(self.to.as_str())
            .maybe(self.public_key.as_ref(), |canon, key| canon.fixed(key.as_bytes()))
            .i64(self.issued_at.as_micros());
        Domain::Delegation.message(&canon.done())
    }
}

/// A request to give a place to another voter, who was found to be registered and trusted.
#[derive(Clone, Debug, PartialEq)]
pub struct Delegate {
    /// Who has the place.
    pub from: VoterId,
    /// Who is to have it, and how it shows that a vote is its own. Its power is that of the place.
    pub to: Elector,
    /// When, by the clock of who has the place.
    pub issued_at: Timestamp,
    /// What shows that who has the place asks for it.
    pub proof: Proof,
    /// How far who has the place is trusted now; none when it is not registered.
    pub standing: Option<Standing>,
    /// Why.
    pub reason: Option<String>,
}

/// A place went from one voter to another. Stored: fields are only ever appended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegated {
    /// Who had it.
    pub from: VoterId,
    /// Who votes in it now, under which key or handle, and how much it counts.
    pub to: Elector,
    /// Whose place it is: the voter's of the electorate as it was frozen.
    pub place: VoterId,
    /// When, by the clock of who had it.
    pub issued_at: Timestamp,
    /// How it was shown that who had it asked for it.
    pub authenticity: Authenticity,
    /// The signature, if that was how.
    pub signature: Option<Signature>,
    /// Why.
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
}
