//! What an identity may do, and in whose name: the closed list of scopes, and parties by id or prefix.
//!
//! ```text
//!  scope   admin         every operation, and the only one for identities themselves
//!          read          every operation that only shows what is on record
//!          noun.*        every operation of the noun
//!          noun.verb     the operation
//!  party   voter:ann     this one
//!          worker:eu-*   every one whose id begins so
//!          *             every one of every kind
//! ```

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

use crate::kernel::ids::MAX_ID_BYTES;

/// A part of what an identity may do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Every operation.
    Admin,
    /// Every operation that only shows what is on record.
    Read,
    /// Every operation of this noun.
    Noun(String),
    /// This operation, as `noun.verb`.
    Operation(String),
}

impl Scope {
    /// Reads a scope. Whether there is such an operation is for those to say who know the operations.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "admin" => Some(Scope::Admin),
            "read" => Some(Scope::Read),
            other => {
                let (noun, verb) = other.split_once('.')?;
                let is_word = |word: &str| {
                    !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
                };
                match verb {
                    "*" if is_word(noun) => Some(Scope::Noun(noun.to_owned())),
                    verb if is_word(noun) && is_word(verb) => Some(Scope::Operation(other.to_owned())),
                    _ => None,
                }
            }
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Admin => f.write_str("admin"),
            Scope::Read => f.write_str("read"),
            Scope::Noun(noun) => write!(f, "{noun}.*"),
            Scope::Operation(name) => f.write_str(name),
        }
    }
}

/// For people the text they wrote; in a journal its parts.
impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename = "Scope", rename_all = "snake_case")]
        enum Stored<'a> {
            Admin,
            Read,
            Noun(&'a str),
            Operation(&'a str),
        }
        if serializer.is_human_readable() {
            return serializer.collect_str(self);
        }
        match self {
            Scope::Admin => Stored::Admin,
            Scope::Read => Stored::Read,
            Scope::Noun(noun) => Stored::Noun(noun),
            Scope::Operation(name) => Stored::Operation(name),
        }
        .serialize(serializer)
    }
}

/// What a party is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartyKind {
    /// Who votes in quorums; an authority of the hub too.
    Voter,
    /// Who is registered, beats and votes on proposals.
    Agent,
    /// Who runs workflows.
    Worker,
    /// Who holds the lease of a job.
    Holder,
    /// Who lends and borrows capacity.
    Cell,
}

impl PartyKind {
    /// Every kind.
    pub const ALL: [PartyKind; 5] =
        [PartyKind::Voter, PartyKind::Agent, PartyKind::Worker, PartyKind::Holder, PartyKind::Cell];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            PartyKind::Voter => "voter",
            PartyKind::Agent => "agent",
            PartyKind::Worker => "worker",
            PartyKind::Holder => "holder",
            PartyKind::Cell => "cell",
        }
    }
}

/// Which ids of a kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// This one.
    Id(String),
    /// Those that begin so; all of them when it is empty.
    Prefix(String),
}

impl Reach {
    /// The id, or what ids begin with.
    pub fn text(&self) -> &str {
        match self {
            Reach::Id(text) | Reach::Prefix(text) => text,
        }
    }
}

/// Parties somebody may act as, or one party somebody acts as.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Party {
    /// What they are; of every kind where none is named.
    pub kind: Option<PartyKind>,
    /// Which of them.
    pub reach: Reach,
}

impl Party {
    /// One party.
    pub fn one(kind: Option<PartyKind>, id: &str) -> Self {
        Party { kind, reach: Reach::Id(id.to_owned()) }
    }

    /// Reads `kind:id`, `kind:prefix*`, `kind:*` or `*`.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Party { kind: None, reach: Reach::Prefix(String::new()) });
        }
        let (kind, id) = text.split_once(':')?;
        let kind = PartyKind::ALL.into_iter().find(|known| known.name() == kind)?;
        let is_clear = id.len() <= MAX_ID_BYTES && !id.trim().is_empty() && !id.chars().any(char::is_control);
        let reach = match id.strip_suffix('*') {
            Some(prefix) => Reach::Prefix(prefix.to_owned()),
            None => Reach::Id(id.to_owned()),
        };
        is_clear.then_some(Party { kind: Some(kind), reach })
    }

    /// Is this party, of this kind or of whichever it is, one of them?
    pub fn covers(&self, kind: Option<PartyKind>, id: &str) -> bool {
        let fits = match (self.kind, kind) {
            (None, _) | (Some(_), None) => true,
            (Some(own), Some(kind)) => own == kind,
        };
        fits && match &self.reach {
            Reach::Id(own) => own == id,
            Reach::Prefix(prefix) => id.starts_with(prefix.as_str()),
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(kind) = self.kind {
            write!(f, "{}:", kind.name())?;
        }
        match &self.reach {
            Reach::Id(id) => f.write_str(id),
            Reach::Prefix(prefix) => write!(f, "{prefix}*"),
        }
    }
}

/// For people the text they wrote; in a journal its parts.
impl Serialize for Party {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename = "Party")]
        struct Stored<'a> {
            kind: Option<PartyKind>,
            reach: &'a Reach,
        }
        if serializer.is_human_readable() {
            return serializer.collect_str(self);
        }
        Stored { kind: self.kind, reach: &self.reach }.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_a_closed_list() {
        for text in ["admin", "read", "quorum.*", "quorum.vote", "worker.leader_lost"] {
            assert_eq!(Scope::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "*", "quorum", "quorum.", ".vote", "*.*", "*.vote", "Quorum.vote", "a.b.c", "read "]
        {
            assert_eq!(Scope::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_party_is_one_id_or_those_that_begin_so() {
        let party = |text: &str| Party::parse(text).unwrap();
        for text in ["*", "voter:ann", "worker:eu-*", "cell:*", "holder:a:b"] {
            assert_eq!(party(text).to_string(), text);
        }
        for text in ["", "ann", "voter:", "boss:ann", "voter: ", "voter:a\u{7}", "**"] {
            assert_eq!(Party::parse(text), None, "{text}");
        }
        let (voter, worker) = (Some(PartyKind::Voter), Some(PartyKind::Worker));
        assert!(party("voter:ann").covers(voter, "ann") && party("voter:ann").covers(None, "ann"));
        assert!(!party("voter:ann").covers(worker, "ann") && !party("voter:ann").covers(voter, "anna"));
        assert!(party("worker:eu-*").covers(worker, "eu-1") && !party("worker:eu-*").covers(worker, "us-1"));
        assert!(party("*").covers(worker, "x") && party("cell:*").covers(Some(PartyKind::Cell), "x"));
    }
}
