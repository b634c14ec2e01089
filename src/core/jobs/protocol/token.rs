//! Fencing tokens: numbers that grow with every change of leadership, so that what a replaced leader does late can be
//! told from what its successor does.
//!
//! Three kinds of leadership have tokens of their own, which are never compared with each other:
//!
//! | token | who leads what | minted by |
//! |---|---|---|
//! | [`FenceToken`] | a manager leads a job in one datacenter | the stream of the job |
//! | [`GateEpoch`] | a gate leads a job over all datacenters | the stream of the job at the gate |
//! | [`DispatchToken`] | a manager handed a workflow to a worker | the stream of the job |
//!
//! A token is minted by an event: the next number after every one the stream has ever seen, durable before anybody is
//! told. Streams are never removed, so a job id that is used again goes on where it stopped. A journal that goes on from a
//! copy of another mints above a [base](TokenBase) that the other did not reach.
//!
//! # Source
//! Sequencers: M. Burrows, *The Chubby lock service for loosely-coupled distributed systems*, OSDI 2006, section 2.4.
//! Why the resource must check: M. Kleppmann, *How to do distributed locking*, 2016.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! token_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// Below every token that was ever minted.
            pub const NONE: $name = $name(0);

            /// A token somebody showed.
            pub fn shown(number: u64) -> Self {
                Self(number)
            }

            /// The number.
            pub fn get(self) -> u64 {
                self.0
            }

            /// The token after this one and above the base, or `None` when numbers ran out: a token never starts
            /// again.
            pub(crate) fn next(self, base: TokenBase) -> Option<Self> {
                self.0.max(base.0).checked_add(1).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

/// No token of this process is minted at or below it. A journal that was restored from a copy has another one than the
/// journal it was copied from, which may have gone on: what both mint is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TokenBase(u64);

impl TokenBase {
    /// Tokens begin above this number.
    pub fn of(number: u64) -> Self {
        TokenBase(number)
    }
}

token_type! {
    /// Leadership of a job in one datacenter.
    FenceToken
}
token_type! {
    /// Leadership of a job at the gate.
    GateEpoch
}
token_type! {
    /// One handing over of a workflow to a worker.
    DispatchToken
}

/// How a shown token stands to the one on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Lower: whoever shows it was replaced and must step down.
    Stale,
    /// The same.
    Current,
    /// Higher: who looks is behind, and adopts it where the message allows.
    Newer,
}

/// Compares a shown token with the one on record.
pub fn standing<T: Ord>(shown: T, recorded: T) -> Standing {
    match shown.cmp(&recorded) {
        std::cmp::Ordering::Less => Standing::Stale,
        std::cmp::Ordering::Equal => Standing::Current,
        std::cmp::Ordering::Greater => Standing::Newer,
    }
}

/// The kinds of token; tokens of two kinds are never compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenDomain {
    /// [`FenceToken`].
    Manager,
    /// [`GateEpoch`].
    Gate,
    /// [`DispatchToken`].
    Dispatch,
}

impl TokenDomain {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            TokenDomain::Manager => "manager",
            TokenDomain::Gate => "gate",
            TokenDomain::Dispatch => "dispatch",
        }
    }
}

/// One handing over, as a key.
pub(in crate::jobs) type Shown = (TokenDomain, u64);

impl From<FenceToken> for Shown {
    fn from(token: FenceToken) -> Shown {
        (TokenDomain::Manager, token.get())
    }
}

impl From<GateEpoch> for Shown {
    fn from(epoch: GateEpoch) -> Shown {
        (TokenDomain::Gate, epoch.get())
    }
}

impl From<DispatchToken> for Shown {
    fn from(token: DispatchToken) -> Shown {
        (TokenDomain::Dispatch, token.get())
    }
}
