//! What happened to an identity. Stored: variants are only ever appended.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize, Serializer};

use super::scope::{Party, Scope};
use crate::kernel::time::Timestamp;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// It was made.
    Created(Box<Granted>),
    /// A token was issued; only its hash is known from here on.
    TokenIssued {
        /// Its number, from 1.
        number: u32,
        /// Its hash.
        hash: TokenHash,
        /// When it ends, if it does.
        expires_at: Option<Timestamp>,
        /// When it was issued.
        at: Timestamp,
    },
    /// The live tokens end then, or before.
    TokensEnding {
        /// When.
        ends_at: Timestamp,
        /// Since when that is known.
        at: Timestamp,
    },
    /// A token was ended.
    TokenRevoked {
        /// Its number.
        number: u32,
        /// When.
        at: Timestamp,
    },
    /// Tokens reached their end.
    TokenExpired {
        /// Their numbers.
        numbers: Vec<u32>,
        /// When that was noticed.
        at: Timestamp,
    },
    /// It may do other things than before.
    Granted(Box<Granted>),
    /// It was used, for the first time or after a while.
    Used {
        /// When.
        at: Timestamp,
    },
    /// It asked for what it may not do.
    Refused(Box<Refused>),
    /// It was ended.
    Revoked {
        /// Why, as far as somebody said.
        reason: Option<String>,
        /// When.
        at: Timestamp,
    },
    /// It reached its end.
    Expired {
        /// When that was noticed.
        at: Timestamp,
    },
}

/// The hash of a token. It is shown nowhere.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct TokenHash(pub [u8; 32]);

impl Serialize for TokenHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.serialize_str("hidden");
        }
        serializer.serialize_newtype_struct("TokenHash", &self.0)
    }
}

/// An ed25519 key, of which signatures are checked; 64 hexadecimal digits for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// Reads 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut key = [0; 32];
        let digits: Vec<u8> =
            text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect::<Option<_>>()?;
        if digits.len() != 2 * key.len() {
            return None;
        }
        for (byte, pair) in key.iter_mut().zip(digits.chunks(2)) {
            *byte = pair.iter().fold(0, |byte, digit| byte << 4 | digit);
        }
        Some(PublicKey(key))
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(self);
        }
        serializer.serialize_newtype_struct("PublicKey", &self.0)
    }
}

impl std::fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenHash")
    }
}

/// What an identity may do, all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// The operations.
    pub scopes: BTreeSet<Scope>,
    /// The parties it may act as.
    pub acts_as: BTreeSet<Party>,
    /// The ed25519 key it signs with.
    pub public_key: Option<PublicKey>,
    /// The users of the operating system that are it.
    pub uids: BTreeSet<u32>,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
    /// Since when.
    pub at: Timestamp,
}

/// An attempt that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The operation that was asked for.
    pub operation: String,
    /// What it was about, if the request named that.
    pub entity_id: Option<String>,
    /// Why: the party is missing among those it may act as.
    pub reason: RefusedFor,
    /// The party it was to act as.
    pub missing: Party,
    /// The id of that party alone.
    pub party_id: String,
    /// When.
    pub at: Timestamp,
}

/// Why an attempt was refused, in the word of the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusedFor {
    /// It may not act as that party.
    NotAuthorized,
}

impl Event {
    /// The name of the variant, as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Created(_) => "created",
            Event::TokenIssued { .. } => "token_issued",
            Event::TokensEnding { .. } => "tokens_ending",
            Event::TokenRevoked { .. } => "token_revoked",
            Event::TokenExpired { .. } => "token_expired",
            Event::Granted(_) => "granted",
            Event::Used { .. } => "used",
            Event::Refused(_) => "refused",
            Event::Revoked { .. } => "revoked",
            Event::Expired { .. } => "expired",
        }
    }
}
