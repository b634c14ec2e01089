//! What happened to a node's coordinate. Stored: variants and fields are only ever appended, at the end.

use serde::{Deserialize, Serialize};

use crate::kernel::ids::NodeId;
use crate::kernel::time::Timestamp;
use crate::network::coordinate::CoordinateParts;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A measured round trip moved it.
    Moved(Box<Moved>),
    /// It was told where the node stands.
    Placed {
        /// Where.
        coordinate: CoordinateParts,
        /// When.
        at: Timestamp,
    },
    /// A new process took over: the place is kept while it is recent, and trust is earned anew.
    Resumed {
        /// Where the node begins.
        coordinate: CoordinateParts,
        /// When the process began.
        at: Timestamp,
    },
}

/// A move.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moved {
    /// To whom the round trip was measured.
    pub peer: NodeId,
    /// The round trip, in microseconds.
    pub rtt_us: u64,
    /// Where the node stands now.
    pub coordinate: CoordinateParts,
    /// How wrong the estimate was, in seconds, before any clipping.
    pub residual: f64,
    /// What was estimated, in seconds.
    pub estimate: f64,
    /// Did it move far enough, or long enough ago, for routing to see it?
    pub is_published: bool,
    /// Smoothed round trip of the link, in ms.
    pub srtt_ms: f64,
    /// Its smoothed deviation, in ms.
    pub rttvar_ms: f64,
    /// Round trips of the link, residuals and estimates that are remembered.
    pub windows: [u16; 3],
    /// The peer whose link gave way.
    pub forgotten: Option<NodeId>,
    /// When.
    pub at: Timestamp,
}

impl Event {
    /// The name of the variant, as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Moved(_) => "moved",
            Event::Placed { .. } => "placed",
            Event::Resumed { .. } => "resumed",
        }
    }
}
