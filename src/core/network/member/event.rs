//! What comes in, what is to be done outside, and what is worth a record.

use serde::{Deserialize, Serialize};

use super::address::Address;
use super::lifecycle::MemberState;
use super::role::NodeRole;
use super::timeout::TimeoutFactors;
use crate::kernel::ids::NodeId;

/// Something a node is told.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// Bytes came from there.
    Datagram {
        /// Where they came from; answers go there.
        from: &'a Address,
        /// What came.
        bytes: &'a [u8],
    },
    /// The instant of [`due`](super::Membership::due) has come.
    Timer,
    /// Somebody wants something.
    Command(Command),
}

/// What a host may ask of a node.
#[derive(Clone, Debug)]
pub enum Command {
    /// Ask there who is there, until somebody answers.
    Join(Vec<Address>),
    /// A peer that stands in the configuration.
    AddPeer {
        /// Who.
        id: NodeId,
        /// Where.
        address: Address,
        /// What it does, if that is configured.
        role: Option<NodeRole>,
    },
    /// Forget a peer. It may come back.
    RemovePeer(NodeId),
    /// Incarnations upto this one are stored and may be sent.
    IncarnationsStored {
        /// The last of them.
        upto: u64,
    },
    /// Say goodbye and fall silent.
    Leave,
}

/// Something to be done outside, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send these bytes there.
    Send {
        /// Where.
        to: Address,
        /// What, at most [`DATAGRAM_BYTES`](super::DATAGRAM_BYTES).
        bytes: Vec<u8>,
    },
    /// Store that incarnations upto this one may have been sent, then say so with [`Command::IncarnationsStored`].
    StoreIncarnations {
        /// The last of them.
        upto: u64,
    },
    /// Something worth a record.
    Happened(MemberEvent),
}

/// Why a peer is no longer known. Stored: variants are only ever appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemovalReason {
    /// No word from it, and every probe to confirm it went unanswered.
    ExhaustedProactiveAttempts,
    /// No word from it, and it is of those that are not probed.
    PassiveTimeoutExpired,
    /// It was heard to be dead before it was ever heard from.
    ReportedDead,
    /// It has been dead for long.
    RetentionExpired,
    /// Somebody asked for it.
    Requested,
    /// Another peer needed the room.
    Evicted,
}

/// What happened, for the audit history.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum MemberEvent {
    /// A peer was heard of.
    Discovered {
        /// Who.
        peer: NodeId,
        /// What it does, where that is known.
        role: Option<NodeRole>,
        /// Who said so; none for the configuration and for the peer itself.
        by: Option<NodeId>,
    },
    /// A peer was heard from for the first time.
    Confirmed {
        /// Who.
        peer: NodeId,
    },
    /// A peer is no longer known.
    Removed {
        /// Who.
        peer: NodeId,
        /// Why.
        reason: RemovalReason,
    },
    /// A peer changed its state.
    Transition {
        /// Who.
        peer: NodeId,
        /// From.
        from: MemberState,
        /// To.
        to: MemberState,
        /// The incarnation that is known of it now.
        incarnation: u64,
        /// Who said so; this node itself where it found out.
        by: NodeId,
        /// How long the probe waited that went unanswered, and why.
        factors: Option<TimeoutFactors>,
    },
    /// A peer came back from the dead.
    Recovered {
        /// Who.
        peer: NodeId,
    },
    /// What a peer does became known.
    RoleLearned {
        /// Who.
        peer: NodeId,
        /// What it does.
        role: NodeRole,
    },
    /// A peer has been unconfirmed for more than a minute. Said once.
    UnconfirmedLong {
        /// Who.
        peer: NodeId,
    },
    /// Two nodes use one name: that of a peer, or of this node.
    NameClaimed {
        /// Which name.
        peer: NodeId,
        /// Where the node is that has it, as far as this one goes by.
        held: Address,
        /// Where the other one says that it is.
        claimed: Address,
    },
    /// This node has a new incarnation.
    IncarnationRaised {
        /// The new one.
        incarnation: u64,
    },
}
