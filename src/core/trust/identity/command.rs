//! What may be asked of an identity, and how it answers.

use std::collections::BTreeSet;

use super::event::PublicKey;
use super::scope::{Party, PartyKind, Scope};
use crate::kernel::time::Timestamp;

/// A request about one identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Make it.
    Create(Box<Create>),
    /// Give it a new token; those it has end after an overlap.
    Rotate {
        /// Hash of the new token.
        hash: [u8; 32],
        /// When the tokens it has end, if not before.
        others_end: Timestamp,
        /// When the new one ends, if it does.
        expires_at: Option<Timestamp>,
    },
    /// Say anew what it may do.
    Grant(Box<Grant>),
    /// End it for good.
    Revoke {
        /// Why, as far as somebody said.
        reason: Option<String>,
    },
    /// End one token.
    RevokeToken {
        /// Its number.
        number: u32,
    },
    /// It was used.
    Use,
    /// Something was asked for in its name that it may not do, and that belongs on record.
    Refuse(Box<Refuse>),
    /// Time has passed.
    Tick,
}

/// What a new identity is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Create {
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// In whose name.
    pub acts_as: BTreeSet<Party>,
    /// An ed25519 key it signs with.
    pub public_key: Option<PublicKey>,
    /// Users of the operating system that are it, on a unix socket.
    pub uids: BTreeSet<u32>,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
    /// Hash of its token, if it has one, and when that ends, if it does.
    pub token: Option<([u8; 32], Option<Timestamp>)>,
}

/// What takes the place of what an identity has; what is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// What it may do.
    pub scopes: Option<BTreeSet<Scope>>,
    /// In whose name.
    pub acts_as: Option<BTreeSet<Party>>,
    /// An ed25519 key it signs with.
    pub public_key: Option<PublicKey>,
    /// Users of the operating system that are it, on a unix socket.
    pub uids: Option<BTreeSet<u32>>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

/// What was asked for and refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refuse {
    /// The operation.
    pub operation: String,
    /// What it was about, if the request names that.
    pub subject: Option<String>,
    /// What the party is that it was to act as, where that is known.
    pub kind: Option<PartyKind>,
    /// The party.
    pub party_id: String,
}

/// The answer to an accepted command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is so.
    Done {
        /// It was not so before.
        changed: bool,
    },
}

/// The domain says no; nothing is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// No identity of this name was ever made.
    NotFound,
    /// The name was used before, for a live identity or one that is over.
    AlreadyExists,
    /// The identity was revoked or has expired.
    Over,
    /// No token of this number was ever issued.
    UnknownToken {
        /// The number.
        number: u32,
    },
    /// It has as many live tokens as it may.
    TooManyTokens,
}
