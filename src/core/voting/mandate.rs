//! A mandate: the one operation that a decision allows, and what was used of it.
//!
//! ```text
//!  question opened with a mandate ──► decided for ──► Spend(hash, key, fence) ──► spent, with a token
//!                                                                                   │ Redeem(token, job)
//!                                                                                   ▼
//!                                                                               one job begins under it
//! ```
//!
//! | question | Spend | condition | events | answer |
//! |---|---|---|---|---|
//! | any | again under a key | the same operation and fencing token | – | as the first time |
//! | any | again under a key | another operation, or another token | – | `KeyReused` |
//! | without a mandate | | | – | `NoMandate` |
//! | open | | | – | `Pending` |
//! | ended otherwise | | | – | `NotApproved` |
//! | approved, fault proven since | | the decision does not stand without the liar | – | `Tainted` |
//! | approved | | another operation | – | `OtherOperation` |
//! | approved | | after the expiry | – | `Expired` |
//! | approved | | a fence is kept, and none or a lower one is shown | – | `Fence` |
//! | approved | | used as often as may be | – | `Exhausted` |
//! | approved | | else | Spent | the token |
//!
//! The answer is no sooner told than the event is durable, and the check and the event are one step of the machine that
//! decided: so there is no instant between them at which another could spend. A token starts one job and no second one:
//! Redeem binds it to the job first, and a repeat goes on with that job.
//!
//! # Source
//! D. F. Ferraiolo et al., on separation of duty; M. S. Miller, *Robust Composition*, 2006, chapter 9 (rights that are used up).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::signature::{Canon, Digest, Domain};
use crate::kernel::ids::{EntityId, IdempotencyKey};
use crate::kernel::time::Timestamp;

/// Most times one decision may be used.
pub const MOST_USES: u32 = 1_000;

/// The operation that a decision allows. Stored: fields are only ever appended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mandate {
    /// The name of the operation.
    pub tool: String,
    /// See [`operation_hash`].
    pub operation_hash: Digest,
    /// The last instant at which it may be used.
    pub expires_at: Option<Timestamp>,
    /// How often it may be used.
    pub uses: u32,
    /// The lowest fencing token under which it may be used.
    pub fence: Option<u64>,
}

/// The hash of an operation: its name and its arguments as canonical JSON.
pub fn operation_hash(tool: &str, arguments: &str) -> Digest {
    Domain::Operation.hash(&Canon::new(1).text(tool).text(arguments).done())
}

impl Mandate {
    /// Is it within its bounds, and can it be used at all? Else the field, what was given and what is allowed.
    ///
    /// # Errors
    /// The first field that is not.
    pub fn check(&self, now: Timestamp) -> Result<(), (&'static str, String, String)> {
        if self.uses == 0 || self.uses > MOST_USES {
            return Err(("operation.uses", self.uses.to_string(), format!("1 to {MOST_USES}")));
        }
        if self.fence == Some(0) {
            return Err(("operation.fence", "0".into(), "1 or more: no fencing token is 0".into()));
        }
        if let Some(at) = self.expires_at.filter(|at| *at < now) {
            let expected = format!("an instant from now on, {now}: the decision could never be used");
            return Err(("operation.expires_at", at.to_string(), expected));
        }
        Ok(())
    }

    /// As it stands in what voters sign.
    pub fn write(&self, canon: Canon) -> Canon {
        let canon = canon.text(&self.tool).fixed(self.operation_hash.as_bytes());
        let canon = canon.maybe(self.expires_at.map(Timestamp::as_micros), Canon::i64);
        canon.u32(self.uses).maybe(self.fence, Canon::u64)
    }
}

/// A request to use a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spend {
    /// The caller's own name for this use.
    pub key: IdempotencyKey,
    /// What is to be done, see [`operation_hash`].
    pub operation_hash: Digest,
    /// Its name, where that was said.
    pub tool: Option<String>,
    /// The fencing token under which it is done.
    pub fence: Option<u64>,
    /// What the use will be known by.
    pub token: EntityId,
    /// Who asks for it.
    pub by: Option<String>,
}

/// One use of a decision. Stored: fields are only ever appended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// The caller's own name for it.
    pub key: IdempotencyKey,
    /// Which use it is, from 1.
    pub number: u32,
    /// What it is known by.
    pub token: EntityId,
    /// The fencing token under which it was made.
    pub fence: Option<u64>,
    /// Who asked for it.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A job begins under a use. Stored: fields are only ever appended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redeemed {
    /// Which use.
    pub number: u32,
    /// Which job.
    pub job_id: EntityId,
    /// When.
    pub at: Timestamp,
}

/// A request to begin a job under a use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redeem {
    /// What the use is known by.
    pub token: EntityId,
    /// The job as it was asked for, see [`operation_hash`].
    pub operation_hash: Digest,
    /// The job.
    pub job_id: EntityId,
}

/// How far a question is decided, as its mandate sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// It is open.
    No,
    /// For the operation.
    For,
    /// For it, by votes that do not stand any more.
    Tainted,
    /// It ended otherwise, in this word.
    Otherwise(&'static str),
}

/// Why a decision was not used, or a job not begun under a use. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The question names no operation.
    #[error("the question names no operation, so there is nothing to spend")]
    NoMandate,
    /// It is not decided yet.
    #[error("the question is not decided yet")]
    Pending,
    /// It was not approved.
    #[error("the question was not approved, and a refusal cannot be spent. outcome={outcome}")]
    NotApproved {
        /// How it ended.
        outcome: &'static str,
    },
    /// The decision does not stand without a voter whose fault was proven since.
    #[error("the decision does not stand without a voter whose fault was proven since")]
    Tainted,
    /// Another operation was decided about.
    #[error("another operation was decided about. tool={tool}, expected={expected}, given={given}")]
    OtherOperation {
        /// The name of the one that was.
        tool: String,
        /// Its hash.
        expected: Digest,
        /// The hash of the one that is meant.
        given: Digest,
    },
    /// The time for it is over.
    #[error("the time to use the decision is over. expires_at={at}, now={now}")]
    Expired {
        /// The last instant.
        at: Timestamp,
        /// The present one.
        now: Timestamp,
    },
    /// A later fencing token was shown before, or one is needed.
    #[error("the fencing token is lower than the one in force. held={held}, given={given}")]
    Fence {
        /// The lowest one that will do.
        held: u64,
        /// The one that was shown; 0 for none.
        given: u64,
    },
    /// It was used as often as may be.
    #[error("the decision was used as often as it may be. uses={uses}")]
    Exhausted {
        /// How often that is.
        uses: u32,
    },
    /// The key names another use.
    #[error("the key is that of another use of the decision. number={number}")]
    KeyReused {
        /// Which.
        number: u32,
    },
    /// No use is known by this token.
    #[error("no use of the decision is known by this token")]
    NoSuchToken,
    /// Another job began under this token.
    #[error("a job began under this token before. job_id={job_id}")]
    TokenUsed {
        /// Which.
        job_id: EntityId,
    },
}

/// What was used of a mandate: the fold of its events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uses {
    /// The uses, by the caller's name for each.
    pub spent: BTreeMap<IdempotencyKey, Spent>,
    /// The jobs that began, by the number of the use.
    pub redeemed: BTreeMap<u32, EntityId>,
    /// The highest fencing token shown.
    pub fence: Option<u64>,
}

impl Uses {
    /// Applies a use.
    pub fn spend(&mut self, spent: &Spent) {
        self.fence = self.fence.max(spent.fence);
        self.spent.insert(spent.key.clone(), spent.clone());
    }

    /// Applies the beginning of a job.
    pub fn redeem(&mut self, redeemed: &Redeemed) {
        self.redeemed.insert(redeemed.number, redeemed.job_id.clone());
    }

    /// The job that is bound to the use of this token.
    pub fn bound_to(&self, token: &EntityId) -> Option<&EntityId> {
        self.redeemed.get(&self.of_token(token)?.number)
    }

    /// Would this be told again what was told before, and change nothing?
    pub fn is_known(&self, key: &IdempotencyKey) -> bool {
        self.spent.contains_key(key)
    }

    /// How often it was used.
    pub fn count(&self) -> u32 {
        u32::try_from(self.spent.len()).unwrap_or(u32::MAX)
    }

    /// The use of this token.
    pub fn of_token(&self, token: &EntityId) -> Option<&Spent> {
        self.spent.values().find(|spent| spent.token == *token)
    }
}

/// Can something still be done under a decision? What was used as often as may be cannot, nor what has expired.
pub fn is_usable(decided: Decided, mandate: Option<&Mandate>, uses: &Uses, now: Timestamp) -> bool {
    match (decided, mandate) {
        (Decided::For, Some(mandate)) => {
            mandate.expires_at.is_none_or(|last| now <= last) && uses.count() < mandate.uses
        }
        (Decided::For | Decided::No | Decided::Tainted | Decided::Otherwise(_), _) => false,
    }
}

/// A use that is in now, or was before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// It.
    pub spent: Spent,
    /// It was before; nothing changed.
    pub duplicate: bool,
}

/// Decides about a use, see the [table](self).
///
/// # Errors
/// The first [`Refusal`] that applies.
pub fn spend(
    mandate: Option<&Mandate>,
    uses: &Uses,
    decided: Decided,
    spend: Spend,
    now: Timestamp,
) -> Result<Use, Refusal> {
    let mandate = mandate.ok_or(Refusal::NoMandate)?;
    let same_tool = spend.tool.as_ref().is_none_or(|tool| *tool == mandate.tool);
    let same = same_tool && spend.operation_hash == mandate.operation_hash;
    if let Some(spent) = uses.spent.get(&spend.key) {
        let spent = spent.clone();
        // Who shows another fencing token is another leader, and no use of one is that of the other.
        return match same && spend.fence == spent.fence {
            true => Ok(Use { spent, duplicate: true }),
            false => Err(Refusal::KeyReused { number: spent.number }),
        };
    }
    match decided {
        Decided::No => return Err(Refusal::Pending),
        Decided::Otherwise(outcome) => return Err(Refusal::NotApproved { outcome }),
        Decided::Tainted => return Err(Refusal::Tainted),
        Decided::For => {}
    }
    if !same {
        let (tool, expected, given) = (mandate.tool.clone(), mandate.operation_hash, spend.operation_hash);
        return Err(Refusal::OtherOperation { tool, expected, given });
    }
    if let Some(at) = mandate.expires_at.filter(|at| *at < now) {
        return Err(Refusal::Expired { at, now });
    }
    let held = mandate.fence.max(uses.fence);
    if let Some(held) = held.filter(|_| spend.fence < held) {
        return Err(Refusal::Fence { held, given: spend.fence.unwrap_or(0) });
    }
    if uses.count() >= mandate.uses {
        return Err(Refusal::Exhausted { uses: mandate.uses });
    }
    let Spend { key, operation_hash: _, tool: _, fence, token, by } = spend;
    let spent = Spent { key, number: uses.count() + 1, token, fence, by, at: now };
    Ok(Use { spent, duplicate: false })
}

/// A job that begins under a use now, or did before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begin {
    /// It.
    pub redeemed: Redeemed,
    /// It did before; nothing changed.
    pub duplicate: bool,
}

/// Decides about the beginning of a job under a use. One that was begun before is gone on with, whichever id is asked for.
///
/// # Errors
/// [`Refusal::NoMandate`], [`Refusal::NoSuchToken`], [`Refusal::OtherOperation`], [`Refusal::Expired`] and
/// [`Refusal::TokenUsed`].
pub fn redeem(
    mandate: Option<&Mandate>,
    uses: &Uses,
    redeem: Redeem,
    named: bool,
    now: Timestamp,
) -> Result<Begin, Refusal> {
    let mandate = mandate.ok_or(Refusal::NoMandate)?;
    let spent = uses.of_token(&redeem.token).ok_or(Refusal::NoSuchToken)?;
    if redeem.operation_hash != mandate.operation_hash {
        let (tool, expected, given) = (mandate.tool.clone(), mandate.operation_hash, redeem.operation_hash);
        return Err(Refusal::OtherOperation { tool, expected, given });
    }
    let number = spent.number;
    if let Some(job_id) = uses.redeemed.get(&number) {
        if named && *job_id != redeem.job_id {
            return Err(Refusal::TokenUsed { job_id: job_id.clone() });
        }
        let redeemed = Redeemed { number, job_id: job_id.clone(), at: now };
        return Ok(Begin { redeemed, duplicate: true });
    }
    if let Some(at) = mandate.expires_at.filter(|at| *at < now) {
        return Err(Refusal::Expired { at, now });
    }
    Ok(Begin { redeemed: Redeemed { number, job_id: redeem.job_id, at: now }, duplicate: false })
}

#[cfg(test)]
#[path = "mandate_test.rs"]
mod tests;
