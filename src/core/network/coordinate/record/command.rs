//! What may be asked of a node's coordinate, and how it answers.

use crate::kernel::ids::NodeId;
use crate::network::coordinate::NetworkCoordinate;

/// A request about one node.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// The node measured a round trip.
    Measure(Box<Measure>),
    /// The node says where it stands.
    Place(Box<NetworkCoordinate>),
    /// Time has passed; means nothing here.
    Tick,
}

/// A round trip that a node measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// Who measured.
    pub node: NodeId,
    /// To whom.
    pub peer: NodeId,
    /// Where the peer stands; none where nobody knows.
    pub remote: Option<NetworkCoordinate>,
    /// The round trip, in microseconds.
    pub rtt_us: u64,
}

/// The answer to an accepted command.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// Where the node stands now; none where that is not known.
    pub coordinate: Option<NetworkCoordinate>,
}
