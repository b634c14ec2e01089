//! What happened to a hook. Stored: variants and fields are only ever appended, at the end.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// It was made.
    Registered(Box<Registered>),
    /// This signs its requests. Apart from what else it is, so that the record can be kept back by itself.
    Keyed {
        /// The secret.
        secret: Secret,
        /// Since when.
        at: Timestamp,
    },
    /// What fits up to a position was delivered.
    Delivered {
        /// Where the cursor stands now.
        position: u64,
        /// Events in the request; none when nothing up to there fits.
        count: u64,
        /// When.
        at: Timestamp,
    },
    /// An attempt failed.
    Failed(Box<Failed>),
    /// Nothing more is attempted.
    Disabled {
        /// Why.
        reason: Disabling,
        /// When.
        at: Timestamp,
    },
    /// It is attempted again.
    Resumed {
        /// When.
        at: Timestamp,
    },
    /// It ended, with what it had not delivered.
    Removed {
        /// What it had delivered.
        position: u64,
        /// When.
        at: Timestamp,
    },
}

/// What a hook is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// Its name.
    pub hook_id: EntityId,
    /// Where the requests go.
    pub url: String,
    /// Which events, as JSON.
    pub filter: String,
    /// The identity whose eyes it has.
    pub owner: Option<EntityId>,
    /// What stands behind this position is delivered.
    pub position: u64,
    /// When.
    pub at: Timestamp,
}

/// An attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// What stands behind this position was to be delivered.
    pub position: u64,
    /// Failures in a row, this one among them.
    pub failures: u32,
    /// Why.
    pub reason: Reason,
    /// When it is attempted again; not before somebody resumes it when there is no such instant.
    pub retry_at: Option<Timestamp>,
    /// When.
    pub at: Timestamp,
}

/// Why an attempt failed. What the receiver sends beside its status is never kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The name has no address.
    NotResolved,
    /// Every address of the name is one to which nothing is sent.
    AddressRefused,
    /// Nobody took the connection.
    NotConnected,
    /// The receiver did not prove its name.
    NotTrusted,
    /// The answer did not come in time.
    TimedOut,
    /// The connection broke, or the answer was not HTTP.
    Broken,
    /// The receiver answered with this status.
    Status(u16),
    /// What was to be delivered could not be read.
    Unread,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::NotResolved => f.write_str("the name has no address"),
            Reason::AddressRefused => {
                f.write_str("the name leads to an address within, to which nothing is sent")
            }
            Reason::NotConnected => f.write_str("nobody took the connection"),
            Reason::NotTrusted => f.write_str("the receiver did not prove its name"),
            Reason::TimedOut => f.write_str("no answer in time"),
            Reason::Broken => f.write_str("the connection broke, or the answer was not HTTP"),
            Reason::Status(status) if (300..400).contains(status) => {
                write!(f, "the receiver answered {status}, and no redirect is followed")
            }
            Reason::Status(status) => write!(f, "the receiver answered {status}"),
            Reason::Unread => f.write_str("what was to be delivered could not be read"),
        }
    }
}

/// Why nothing more is attempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disabling {
    /// The receiver answered 410: it wants nothing more.
    Gone,
    /// The identity that registered it may not read history any more.
    OwnerMayNot,
}

impl fmt::Display for Disabling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Disabling::Gone => "the receiver answered 410: it wants nothing more",
            Disabling::OwnerMayNot => "the identity that registered it may not read history any more",
        })
    }
}

/// What signs the requests of a hook. It is shown nowhere.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Secret(pub Vec<u8>);

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.serialize_str("hidden");
        }
        serializer.serialize_newtype_struct("Secret", &self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Event {
    /// The name of the variant, as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Registered(_) => "registered",
            Event::Keyed { .. } => "keyed",
            Event::Delivered { .. } => "delivered",
            Event::Failed(_) => "failed",
            Event::Disabled { .. } => "disabled",
            Event::Resumed { .. } => "resumed",
            Event::Removed { .. } => "removed",
        }
    }
}
