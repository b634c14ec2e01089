//! Names of things: validated text ids and the address of an entity's log.
//!
//! An id is 1 to 256 bytes of UTF-8, not blank, in Unicode's composed form (NFC), and made of characters one can see,
//! with single plain spaces between them: two ids that look the same are the same. What comes from outside is checked
//! so, in Rust by `new` and in JSON when it is read. What stands in a journal was taken by the rules of its time, which
//! forbade only control characters; it stays readable, and `stored` makes such an id.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::names::{Unclear, Why, check_name};

/// Longest id, in bytes.
pub const MAX_ID_BYTES: usize = 256;

/// Why a text is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is empty or only white space.
    #[error("id is blank, expected 1 to 256 bytes with a visible character")]
    Blank,
    /// The text is longer than [`MAX_ID_BYTES`].
    #[error("id is too long, expected 1 to 256 bytes. given={0}")]
    TooLong(usize),
    /// The text holds what does not belong into a name.
    #[error("id holds a character that does not belong into a name. {0}")]
    Unclear(#[from] Unclear),
}

impl IdError {
    /// What an id must be, as far as this one is not.
    pub fn expected(&self) -> String {
        match self {
            IdError::Blank | IdError::TooLong(_) => {
                format!("1 to {MAX_ID_BYTES} bytes, not blank, without control characters")
            }
            IdError::Unclear(unclear) => unclear.expected(),
        }
    }
}

fn check(text: &str) -> Result<(), IdError> {
    check_stored(text)?;
    Ok(check_name(text)?)
}

/// The rules of the earliest journals.
fn check_stored(text: &str) -> Result<(), IdError> {
    if text.len() > MAX_ID_BYTES {
        return Err(IdError::TooLong(text.len()));
    }
    if text.trim().is_empty() {
        return Err(IdError::Blank);
    }
    match text.char_indices().find(|(_, c)| c.is_control()) {
        Some((at, given)) => Err(Unclear { at, given, why: Why::Control }.into()),
        None => Ok(()),
    }
}

/// Told so that what a door reads of it is what was expected.
fn asked(error: &IdError) -> String {
    format!("{error}, expected {}", error.expected())
}

/// An id that may have been taken by the rules of an earlier version.
pub trait Known: Sized {
    /// As `stored` makes it.
    ///
    /// # Errors
    /// [`IdError`] as `stored`.
    fn known(text: String) -> Result<Self, IdError>;
}

/// Reads an id that only says which of the things there are is meant: to look at it, or to end it.
///
/// # Errors
/// As `stored`.
pub fn known<'de, D: Deserializer<'de>, T: Known>(d: D) -> Result<T, D::Error> {
    T::known(String::deserialize(d)?).map_err(|e| D::Error::custom(asked(&e)))
}

/// The same where it may be left out.
///
/// # Errors
/// As `stored`.
pub fn known_maybe<'de, D: Deserializer<'de>, T: Known>(d: D) -> Result<Option<T>, D::Error> {
    let text = Option::<String>::deserialize(d)?;
    text.map(|text| T::known(text).map_err(|e| D::Error::custom(asked(&e)))).transpose()
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the text and makes it an id.
            ///
            /// # Errors
            /// [`IdError`] when the text is blank, longer than 256 bytes, not composed (NFC), or holds a character
            /// that cannot be seen.
            pub fn new(text: impl Into<Arc<str>>) -> Result<Self, IdError> {
                let text = text.into();
                check(&text)?;
                Ok(Self(text))
            }

            /// An id as it may stand in a journal: names that look alike are not told apart there.
            ///
            /// # Errors
            /// [`IdError`] when the text is blank, longer than 256 bytes or holds a control character.
            pub fn stored(text: impl Into<Arc<str>>) -> Result<Self, IdError> {
                let text = text.into();
                check_stored(&text)?;
                Ok(Self(text))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let is_from_outside = d.is_human_readable();
                let text = String::deserialize(d)?;
                match is_from_outside {
                    true => Self::new(text).map_err(|e| D::Error::custom(asked(&e))),
                    false => Self::stored(text).map_err(D::Error::custom),
                }
            }
        }

        impl Known for $name {
            fn known(text: String) -> Result<Self, IdError> {
                Self::stored(text)
            }
        }
    };
}

id_type! {
    /// Name of an entity inside its kind; the id of its stream.
    EntityId
}
id_type! {
    /// Who votes: an agent, a cell or an authority.
    VoterId
}
id_type! {
    /// A cell of the mesh.
    CellId
}
impl From<&CellId> for VoterId {
    /// A cell votes under its own id.
    fn from(cell: &CellId) -> Self {
        VoterId(cell.0.clone())
    }
}

impl From<&EntityId> for VoterId {
    /// An entity such as an agent votes under its own id; all ids obey the same rules.
    fn from(entity: &EntityId) -> Self {
        VoterId(entity.0.clone())
    }
}
impl From<&VoterId> for EntityId {
    /// The entity of a voter that is one, such as an agent.
    fn from(voter: &VoterId) -> Self {
        EntityId(voter.0.clone())
    }
}

impl From<&CellId> for EntityId {
    /// The entity of a cell that lends and borrows capacity.
    fn from(cell: &CellId) -> Self {
        EntityId(cell.0.clone())
    }
}

id_type! {
    /// A limit over many cells, such as that of a ring or of the whole fleet.
    BudgetId
}
impl From<&BudgetId> for EntityId {
    /// The entity of a budget.
    fn from(budget: &BudgetId) -> Self {
        EntityId(budget.0.clone())
    }
}
id_type! {
    /// What a cell has a certain amount of, such as `capacity`, `requests` or `money`.
    Resource
}
id_type! {
    /// One request for capacity, unique within its cell.
    NeedId
}
id_type! {
    /// One offer of capacity, unique within the cell that makes it.
    OfferId
}
id_type! {
    /// One grant of capacity, unique among all cells.
    TokenId
}

id_type! {
    /// What is chosen in a session.
    CandidateId
}
id_type! {
    /// One process of the system: a gate, a manager or a worker. Its addresses may change, its id does not.
    NodeId
}
impl From<&NodeId> for EntityId {
    /// The entity of a node: where it stands.
    fn from(node: &NodeId) -> Self {
        EntityId(node.0.clone())
    }
}
impl From<&EntityId> for NodeId {
    /// The node that an entity is, or is about.
    fn from(entity: &EntityId) -> Self {
        NodeId(entity.0.clone())
    }
}
id_type! {
    /// A place whose nodes are near each other and are led by one manager at a time.
    DatacenterId
}
impl From<&EntityId> for DatacenterId {
    /// The datacenter that a job names.
    fn from(named: &EntityId) -> Self {
        DatacenterId(named.0.clone())
    }
}
impl From<&DatacenterId> for EntityId {
    /// The datacenter as a job names it.
    fn from(datacenter: &DatacenterId) -> Self {
        EntityId(datacenter.0.clone())
    }
}
id_type! {
    /// A caller's own name for one request, so that a repeat is recognised.
    IdempotencyKey
}

/// The kinds of entity that own a stream. The number is stored; it is never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum StreamKind {
    /// The mesh registry: cells, rings, arms, authorities. One stream, `mesh`.
    Topology = 1,
    /// One quorum.
    Quorum = 2,
    /// One proposal.
    Proposal = 3,
    /// One agent: whether it is registered, and its heartbeats.
    Agent = 4,
    /// The algorithms proposals are decided by. One stream, `algorithms`.
    Algorithms = 5,
    /// One cell that lends and borrows capacity.
    Cell = 6,
    /// One limit over the grants of many cells.
    Budget = 7,
    /// One job in one datacenter, as its manager has it.
    Job = 8,
    /// One job over all its datacenters, as the gate has it.
    Gate = 9,
    /// One worker: what it runs, and under whose leadership.
    Worker = 10,
    /// One flow-controlled stream of messages.
    Flow = 11,
    /// The load of this node and what was shed for it. One stream, `load`.
    Load = 12,
    /// How long jobs of one class take.
    Durations = 13,
    /// One voter of sessions: how it proves who it is, and how far it is trusted.
    Voter = 20,
    /// One session: a question that holds against voters that lie.
    Session = 21,
    /// Who calls: credentials, and what they allow.
    Identity = 24,
    /// What the datacenters say of themselves. One stream, `datacenters`.
    Datacenter = 25,
    /// Where one job goes.
    Route = 26,
    /// Where one node stands in the space of round trips.
    Coordinate = 27,
    /// What is stopped, and who lets it go on. One stream, `stops`.
    Stops = 30,
    /// What is kept of the journal, and what was pruned. One stream, `retention`.
    Retention = 37,
    /// What is on record, posted to a URL: how far, and what fails.
    Hook = 36,
    /// One member of the cluster, as the node of this process sees it.
    Member = 40,
    /// Whose personal data is sealed, and whose key was destroyed. One stream, `subjects`.
    Subjects = 44,
}

impl StreamKind {
    /// Every kind, in the order of its number.
    pub const ALL: [StreamKind; 24] = [
        StreamKind::Topology,
        StreamKind::Quorum,
        StreamKind::Proposal,
        StreamKind::Agent,
        StreamKind::Algorithms,
        StreamKind::Cell,
        StreamKind::Budget,
        StreamKind::Job,
        StreamKind::Gate,
        StreamKind::Worker,
        StreamKind::Flow,
        StreamKind::Load,
        StreamKind::Durations,
        StreamKind::Voter,
        StreamKind::Session,
        StreamKind::Identity,
        StreamKind::Datacenter,
        StreamKind::Route,
        StreamKind::Coordinate,
        StreamKind::Stops,
        StreamKind::Retention,
        StreamKind::Hook,
        StreamKind::Member,
        StreamKind::Subjects,
    ];

    /// The stored number.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The kind of a stored number, or `None` for one this version does not know.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.code() == code)
    }

    /// The name used in JSON, queries and logs.
    pub fn name(self) -> &'static str {
        match self {
            StreamKind::Topology => "topology",
            StreamKind::Quorum => "quorum",
            StreamKind::Proposal => "proposal",
            StreamKind::Agent => "agent",
            StreamKind::Algorithms => "algorithms",
            StreamKind::Cell => "cell",
            StreamKind::Budget => "budget",
            StreamKind::Job => "job",
            StreamKind::Gate => "gate",
            StreamKind::Worker => "worker",
            StreamKind::Flow => "flow",
            StreamKind::Load => "load",
            StreamKind::Durations => "durations",
            StreamKind::Identity => "identity",
            StreamKind::Voter => "voter",
            StreamKind::Session => "session",
            StreamKind::Datacenter => "datacenter",
            StreamKind::Route => "route",
            StreamKind::Coordinate => "coordinate",
            StreamKind::Stops => "stop",
            StreamKind::Retention => "retention",
            StreamKind::Hook => "hook",
            StreamKind::Member => "member",
            StreamKind::Subjects => "subject",
        }
    }

    /// The kind of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.name() == name)
    }
}

/// The address of one entity's log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// What the entity is.
    pub kind: StreamKind,
    /// Its name within the kind.
    pub id: EntityId,
}

impl StreamId {
    /// The stream of one entity.
    pub fn new(kind: StreamKind, id: EntityId) -> Self {
        Self { kind, id }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.name(), self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_1_to_256_bytes_not_blank_without_control_characters() {
        assert!(VoterId::new("a").is_ok());
        assert!(VoterId::new("é".repeat(128)).is_ok());
        assert_eq!(VoterId::new("é".repeat(128) + "x"), Err(IdError::TooLong(257)));
        assert_eq!(VoterId::new(" \u{3000}"), Err(IdError::Blank));
        assert_eq!(VoterId::new(""), Err(IdError::Blank));
        let control = Unclear { at: 1, given: '\u{7f}', why: Why::Control };
        assert_eq!(VoterId::new("a\u{7f}"), Err(IdError::Unclear(control)));
        assert_eq!(VoterId::stored("a\u{7f}"), Err(IdError::Unclear(control)));
    }

    #[test]
    fn what_looks_alike_is_refused_from_outside_and_stands_in_a_journal() {
        let decomposed = "Zoe\u{308}";
        assert!(VoterId::new(decomposed).is_err());
        assert_eq!(VoterId::stored(decomposed).unwrap().as_str(), decomposed);
    }

    #[test]
    fn a_kind_is_found_by_its_number_and_name() {
        for kind in StreamKind::ALL {
            assert_eq!(StreamKind::from_code(kind.code()), Some(kind));
            assert_eq!(StreamKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(StreamKind::from_code(0), None);
    }
}
