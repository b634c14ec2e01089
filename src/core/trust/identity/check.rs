//! What an identity may do: the one pure check that stands before every call.

use super::scope::{Party, PartyKind, Scope};
use super::state::Identity;

/// What an operation needs of whoever asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It only shows what is on record.
    Read,
    /// It does something.
    Write,
    /// It is about identities.
    Admin,
}

impl Need {
    /// Its name: `read`, `write` or `admin`.
    pub fn name(self) -> &'static str {
        match self {
            Need::Read => "read",
            Need::Write => "write",
            Need::Admin => "admin",
        }
    }
}

/// A party a request acts as: of a kind, or of whichever it is.
pub type Acting<'a> = (Option<PartyKind>, &'a str);

/// What is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// A scope that covers the operation: this is the least of them.
    Scope(Scope),
    /// This party among those the identity may act as.
    Party(Party),
}

/// May this identity ask for this operation, written `noun.verb`, in the name of these parties? The scope is looked at
/// first.
///
/// # Errors
/// What is missing.
pub fn permits(
    identity: &Identity,
    name: &str,
    operation: &str,
    need: Need,
    acting: &[Acting<'_>],
) -> Result<(), Missing> {
    let has = |scope: &Scope| match scope {
        Scope::Admin => true,
        Scope::Read => need == Need::Read,
        Scope::Noun(noun) => {
            need != Need::Admin && operation.split_once('.').is_some_and(|(own, _)| own == noun)
        }
        Scope::Operation(one) => need != Need::Admin && one == operation,
    };
    if !identity.scopes().any(has) {
        return Err(Missing::Scope(match need {
            Need::Admin => Scope::Admin,
            Need::Read | Need::Write => Scope::Operation(operation.to_owned()),
        }));
    }
    let may = |(kind, id): &Acting<'_>| {
        // Whoever signs with its own name, where any name will do, pretends nothing.
        (kind.is_none() && *id == name) || identity.parties().any(|party| party.covers(*kind, id))
    };
    match acting.iter().find(|acting| !may(acting)) {
        Some((kind, id)) => Err(Missing::Party(Party::one(*kind, id))),
        None => Ok(()),
    }
}
