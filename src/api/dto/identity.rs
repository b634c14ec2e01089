//! Requests and replies about identities.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id;
use crate::core::kernel::ids::{EntityId, known};
use crate::core::kernel::time::Timestamp;
use crate::error::Error;

/// Makes an identity.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateIdentity {
    /// Its name, at most 64 bytes; never used twice. It stands with every record made under it.
    pub name: EntityId,
    /// What it may do: `admin` (everything; the very first identity must have it), `read` (everything that only shows
    /// what is on record), `NOUN.*`, `NOUN.VERB`.
    pub scopes: Vec<String>,
    /// In whose name it may act: `KIND:ID`, `KIND:PREFIX*` or `*` (all), where KIND is voter, agent, worker, holder (of the
    /// lease of a job) or cell; nobody when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acts_as: Option<Vec<String>>,
    /// An ed25519 public key, 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// Users of the operating system that are it when they call over the unix socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uids: Option<Vec<u32>>,
    /// How long it lives; for ever when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_seconds: Option<f64>,
    /// Issue a token; true when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issue_token: Option<bool>,
    /// How long the token lives; as long as the identity when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_expires_in_seconds: Option<f64>,
}

impl CreateIdentity {
    /// An identity with these scopes that acts as nobody, with a token.
    ///
    /// # Errors
    /// `invalid_argument` for a name that is none.
    pub fn new<'s>(name: &str, scopes: impl IntoIterator<Item = &'s str>) -> Result<Self, Error> {
        Ok(CreateIdentity {
            name: id("name", name)?,
            scopes: scopes.into_iter().map(str::to_owned).collect(),
            acts_as: None,
            public_key: None,
            uids: None,
            expires_in_seconds: None,
            issue_token: None,
            token_expires_in_seconds: None,
        })
    }

    /// The same, acting as these parties.
    pub fn acting_as<'s>(self, parties: impl IntoIterator<Item = &'s str>) -> Self {
        CreateIdentity { acts_as: Some(parties.into_iter().map(str::to_owned).collect()), ..self }
    }
}

/// Gives an identity a new token.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateIdentity {
    /// Which identity.
    #[serde(deserialize_with = "known")]
    pub name: EntityId,
    /// How long the tokens it has go on; they end at once when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap_seconds: Option<f64>,
    /// How long the new token lives; as long as the identity when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_expires_in_seconds: Option<f64>,
}

/// Says anew what an identity may do. What is given takes the place of what was; what is left out stays.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantIdentity {
    /// Which identity.
    #[serde(deserialize_with = "known")]
    pub name: EntityId,
    /// All that it may do, as when it is created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// All in whose name it may act, as when it is created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acts_as: Option<Vec<String>>,
    /// An ed25519 public key, 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// All users of the operating system that are it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uids: Option<Vec<u32>>,
    /// How long it lives from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_seconds: Option<f64>,
}

/// Ends an identity for good, or one of its tokens.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeIdentity {
    /// Which identity.
    #[serde(deserialize_with = "known")]
    pub name: EntityId,
    /// Only the token of this number; the identity stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_number: Option<u32>,
    /// Why, up to 1024 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Asks for the identities.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListIdentities {
    /// How many at most, 1 to 1000; 100 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The name an earlier page ended at; the beginning when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// An identity, as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IdentityView {
    /// Its name.
    pub name: EntityId,
    /// `active`, `expired` or `revoked`.
    pub state: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// In whose name it may act.
    pub acts_as: Vec<String>,
    /// The key it signs with.
    pub public_key: Option<String>,
    /// Users of the operating system that are it.
    pub uids: Vec<u32>,
    /// Its live tokens; what they are is not known here.
    pub tokens: Vec<IdentityToken>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it was ended, as far as somebody said.
    pub end_reason: Option<String>,
    /// When it was last used. Exact while the process lives that it was used in; on record once an hour at most, so up to
    /// an hour too early after a restart.
    pub last_used: Option<Timestamp>,
    /// Attempts in the name of others that were refused and are on record.
    pub refused: u64,
}

/// A live token of an identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IdentityToken {
    /// Its number, from 1.
    pub number: u32,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
}

/// What became of a request about an identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IdentityChanged {
    /// The identity from here on.
    pub identity: IdentityView,
    /// It is other than before.
    pub changed: bool,
    /// The new token, if one was issued. It is told here and never again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The number of the new token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_number: Option<u32>,
}

/// A page of identities, by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IdentityPage {
    /// The identities.
    pub identities: Vec<IdentityView>,
    /// Ask with this for what follows.
    pub next_cursor: Option<String>,
    /// There are more.
    pub more: bool,
}
