//! The states of a peer and every legal way from one to another. What is not in the table changes nothing.
//!
//! | from → to | cause |
//! |---|---|
//! | absent → UNCONFIRMED | configuration; hearsay that it is alive or suspect |
//! | absent → OK | a message from the peer itself |
//! | UNCONFIRMED → OK | the first message from the peer itself |
//! | UNCONFIRMED → removed | nobody confirmed it in time; hearsay that it is dead or left |
//! | OK → SUSPECT | an own probe failed; hearsay of suspicion, incarnation at least the known one |
//! | SUSPECT → OK | a strictly higher incarnation, from itself or by hearsay |
//! | SUSPECT → DEAD | the suspicion's deadline passed; hearsay of death, incarnation at least the known one |
//! | OK → DEAD | its own leave; hearsay of death, incarnation at least the known one |
//! | DEAD → OK | a strictly higher incarnation, from itself or by hearsay |
//! | DEAD → removed | retention passed |

use serde::{Deserialize, Serialize};

/// What a node believes of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MemberState {
    /// Heard of, never heard from. It cannot be suspected.
    #[serde(rename = "UNCONFIRMED")]
    Unconfirmed,
    /// Heard from.
    #[serde(rename = "OK")]
    Alive,
    /// It did not answer somebody. It may refute that.
    #[serde(rename = "SUSPECT")]
    Suspect,
    /// It did not refute, or said that it leaves.
    #[serde(rename = "DEAD")]
    Down,
}

impl MemberState {
    /// Every state.
    pub const ALL: [MemberState; 4] =
        [MemberState::Unconfirmed, MemberState::Alive, MemberState::Suspect, MemberState::Down];

    /// The name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            MemberState::Unconfirmed => "UNCONFIRMED",
            MemberState::Alive => "OK",
            MemberState::Suspect => "SUSPECT",
            MemberState::Down => "DEAD",
        }
    }
}

/// What somebody says about a third node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// It is there.
    Alive,
    /// It did not answer.
    Suspect,
    /// It is dead, or has left.
    Dead,
}

/// Why a state may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It stands in the configuration.
    Configured,
    /// Somebody else said so.
    Hearsay(Claim, u64),
    /// It sent a message itself, with this incarnation.
    Direct(u64),
    /// It said itself that it leaves.
    Left(u64),
    /// A probe of this node went unanswered, directly and by way of others.
    ProbeFailed,
    /// Nobody refuted a suspicion in time.
    SuspicionPassed,
    /// Nobody confirmed it in time.
    ConfirmationPassed,
    /// It has been dead for long.
    RetentionPassed,
}

/// What a cause does to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Ignored,
    /// Only the known incarnation rises.
    Raised(u64),
    /// It is in this state now, known by this incarnation.
    Now(MemberState, u64),
    /// It is no longer known.
    Removed,
}

/// The table. `known` is the state and the known incarnation of the peer, `None` where it is absent.
pub fn verdict(known: Option<(MemberState, u64)>, cause: Cause) -> Verdict {
    use MemberState::{Alive, Down, Suspect, Unconfirmed};
    let Some((state, incarnation)) = known else {
        return match cause {
            Cause::Configured => Verdict::Now(Unconfirmed, 0),
            Cause::Hearsay(Claim::Alive | Claim::Suspect, heard) => Verdict::Now(Unconfirmed, heard),
            Cause::Direct(own) => Verdict::Now(Alive, own),
            Cause::Hearsay(Claim::Dead, _)
            | Cause::Left(_)
            | Cause::ProbeFailed
            | Cause::SuspicionPassed
            | Cause::ConfirmationPassed
            | Cause::RetentionPassed => Verdict::Ignored,
        };
    };
    let raised = |heard| if heard > incarnation { Verdict::Raised(heard) } else { Verdict::Ignored };
    match (state, cause) {
        (Unconfirmed, Cause::Direct(own)) => Verdict::Now(Alive, own.max(incarnation)),
        (Unconfirmed, Cause::Hearsay(Claim::Dead, _) | Cause::Left(_) | Cause::ConfirmationPassed) => {
            Verdict::Removed
        }
        (Unconfirmed, Cause::Hearsay(Claim::Alive | Claim::Suspect, heard)) => raised(heard),
        (Alive, Cause::ProbeFailed) => Verdict::Now(Suspect, incarnation),
        (Alive, Cause::Hearsay(Claim::Suspect, heard)) if heard >= incarnation => {
            Verdict::Now(Suspect, heard)
        }
        (Alive | Suspect, Cause::Hearsay(Claim::Dead, heard) | Cause::Left(heard))
            if heard >= incarnation =>
        {
            Verdict::Now(Down, heard)
        }
        (Alive, Cause::Direct(heard) | Cause::Hearsay(Claim::Alive, heard)) => raised(heard),
        (Suspect, Cause::SuspicionPassed) => Verdict::Now(Down, incarnation),
        (Suspect | Down, Cause::Direct(heard) | Cause::Hearsay(Claim::Alive, heard))
            if heard > incarnation =>
        {
            Verdict::Now(Alive, heard)
        }
        (Suspect, Cause::Hearsay(Claim::Suspect, heard)) => raised(heard),
        (Down, Cause::Hearsay(Claim::Dead, heard)) => raised(heard),
        (Down, Cause::RetentionPassed) => Verdict::Removed,
        (Unconfirmed | Alive | Suspect | Down, _) => Verdict::Ignored,
    }
}
