//! Where datagrams for a node go.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::kernel::ids::{DatacenterId, NodeId};
use crate::network::{OutOfRange, ensure};

/// Longest id and address on the wire, in bytes.
pub const MAX_NAME_BYTES: usize = 128;

/// A place datagrams are sent to, such as `10.0.0.1:7946` or `[::1]:7946`. What it means is up to the host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(Arc<str>);

impl Address {
    /// An address of 1 to 128 bytes of printable ASCII.
    ///
    /// # Errors
    /// [`OutOfRange`] for another text.
    pub fn new(text: impl Into<Arc<str>>) -> Result<Self, OutOfRange> {
        let text = text.into();
        let fits = (1..=MAX_NAME_BYTES).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        ensure(fits, "address", text.escape_default(), "1 to 128 bytes of printable ASCII")?;
        Ok(Address(text))
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Refuses an id that does not fit into a datagram.
pub(super) fn check_id(id: &NodeId) -> Result<(), OutOfRange> {
    ensure(id.as_str().len() <= MAX_NAME_BYTES, "node_id", id, "1 to 128 bytes")
}

/// Refuses a name that does not fit into a datagram.
pub(super) fn check_datacenter(name: &DatacenterId) -> Result<(), OutOfRange> {
    ensure(name.as_str().len() <= MAX_NAME_BYTES, "datacenter", name, "1 to 128 bytes")
}
