//! A session: a question to voters of whom some may lie, decided by a quorum that they cannot forge, split or block.
//!
//! ```text
//!                      ┌── promises (commit–reveal) ──┐
//!  (nothing) ── Open ──┤                              ├──► votes, round 1 … R ──┬─ an option reaches the quorum ─► decided
//!                      └──────────────────────────────┘                         ├─ against reaches it ───────────► rejected
//!                                                                               ├─ no option can reach it ───────► no_quorum
//!                                                                               ├─ more faults than are borne ───► fault_budget_exceeded
//!                                                                               ├─ the deadline passes ──────────► timeout
//!                                                                               └─ somebody ends it ─────────────► cancelled
//! ```
//!
//! | state | command | condition | events | reply or rejection |
//! |---|---|---|---|---|
//! | nothing | Open | valid | Opened (+ Keyed) | opened |
//! | nothing | Open | too few distinct voters | – | `InsufficientParticipants` |
//! | any | Open | opened before | – | `AlreadyExists` |
//! | nothing | any other | | – | `NotFound` |
//! | open | Vote | passes layers 1 to 6 | VoteReceived | receipt |
//! | open | Vote | … and contradicts an earlier round, which excludes | VoteReceived, VoterExcluded | receipt |
//! | open | Vote | … and decides, or completes a round | …, Closed or RoundClosed | receipt |
//! | any | Vote | as the vote of the voter that is in | – | the first receipt |
//! | open, closed | Vote | authentic, contradicts the one that is in | EvidenceRecorded (+ VoterExcluded, Closed or DecisionTainted) | `Vote(Equivocation)` |
//! | open, closed | Vote | does not pass a layer | VoteRejected, at most 3 alike a second | `Vote(reason)` |
//! | sealed | Commit | first of the voter | CommitReceived (+ CommitsClosed) | promised |
//! | open | EndRound | the round that is open | RoundClosed, CommitsClosed or Closed | done |
//! | open | Exclude | a voter of the electorate | VoterExcluded (+ Closed) | done |
//! | open | Extend | a later deadline than so far, within what may be | Extended | extended |
//! | open | Delegate | shown to be of who has the place and said nothing yet, to a voter who is not asked | Delegated | delegated |
//! | any | Delegate | as it is on record | – | delegated before |
//! | open | Remind | somebody outstanding was not reminded within a minute | Reminded | reminded |
//! | open | Cancel | | Closed (cancelled) | cancelled |
//! | cancelled | Cancel | | – | cancelled before |
//! | open | Tick | the votes decide (a log that ended early) | Closed, as of the last vote | – |
//! | open | Tick | a round, the time for promises, the deadline is over | RoundClosed, CommitsClosed, Closed, as of then | – |
//! | open | Tick | 60 s after opening | SilenceNoted | – |
//! | open | Tick | outstanding voters are due to be told again | Reminded | – |
//! | any | RecordTold | voters know | Told | – |
//! | nothing | Open | names the operation it allows; reminders | Opened, Mandated, RemindersAsked (+ Keyed) | opened |
//! | nothing | Open | with learned powers, changed keys, gates | Opened, Weighed, KeysNamed, GatesSet | opened |
//! | open | Vote | signed with a key that ended | VoteRejected | `Vote(KeyEnded)` |
//! | any | Vote | contradicts one that is older than evidence may be | OldEvidenceRecorded (+ VoterExcluded …) | `Vote(Equivocation)` |
//! | open | Tick, Extend | the deadline is over, few voted, and a gate asks for more time | RemedyTriggered, DeadlineExtended | – |
//! | any | what ends it | gates were named | …, GateEvaluated (+ RemedyTriggered) | |
//! | ended | Judge | the first time | TruthTold | judged |
//! | ended | Judge | the same; something else; a voter of it tells | – | judged; `ToldOtherwise`; `OwnCause` |
//! | open | Judge | | – | `StillOpen` |
//! | any | EndRemedy | one that was triggered | RemedyEnded | done |
//! | any | Spend, Redeem | see [`mandate`](crate::voting::mandate) | Spent, Redeemed | the use, the job |
//!
//! *Layers.* 0 is the door's (size, rate of the channel). 1 structure, 2 session, 3 eligibility, 4 authenticity, 5 freshness,
//! 6 uniqueness decide in this order; 7 only annotates. What anybody can send in somebody's name counts against nobody:
//! only what layer 4 let through is told of its voter.
//!
//! *Frozen.* The electorate with its powers and keys, the rule and its numbers are those of the opening. The denominator is
//! always that electorate: voters that are silent, excluded or quarantined stay in it. A place may go to another voter, who
//! votes in it under its own key ([`delegation`]); what the place counts stays as it was.
//!
//! *What this holds against, and what not,* stands in `docs/sessions.md`.
//!
//! # Source
//! M. Pease, R. Shostak, L. Lamport, *Reaching Agreement in the Presence of Faults*, JACM 27(2), 1980. D. Malkhi, M. Reiter,
//! *Byzantine quorum systems*, Distributed Computing 11, 1998. A. Haeberlen, P. Kouznetsov, P. Druschel, *PeerReview*, SOSP
//! 2007 (evidence that convicts only the guilty). The evidence of CometBFT and of Malachite.

pub mod ballot;
pub mod beside;
pub mod certificate;
pub mod command;
mod decide;
pub mod delegation;
pub mod event;
pub mod outcome;
mod scene;
pub mod state;
mod tally;
pub mod threshold;
pub mod truth;
pub mod vote;
pub mod watch;

pub use ballot::{Ballot, BallotType, Pick, Promise};
pub use beside::{Beside, GateEvaluated, Gated, Weighed};
pub use command::{Cast, Command, Commit, Effect, Open, Proof, Receipt, Rejection, Reply};
pub use delegation::{Delegate, Delegated, Delegation};
pub use event::{
    Authentication, Candidate, ClosePolicy, Closed, Credential, Elector, Event, Evidence, Exclusion, Opened,
    Outcome, Refusal, Revision, SwitchPolicy, Terms,
};
pub use state::Session;
pub use threshold::{Basis, Quorum, Threshold};
pub use truth::{Judge, TruthTold};
pub use vote::{Authenticity, Binding, Vote};

use crate::kernel::ids::{StreamKind, VoterId};
use crate::kernel::time::Timestamp;
use crate::kernel::{Decision, Machine};
use crate::voting::signature::Digest;

/// What a voter signs that promises a vote in this session.
pub fn commit_message(opened: &Opened, voter: &VoterId, commit: &Digest) -> Vec<u8> {
    decide::commit_message(opened, voter, commit)
}

/// The gates that a session can name, in the order of their table.
pub const GATES: [&str; 8] = decide::GATES;

/// The session that a gate asks to open anew; none where there is nothing to open.
pub fn reopened(state: &Session) -> Option<Open> {
    decide::reopened(state)
}

/// The machine of a session.
#[derive(Debug)]
pub struct SessionMachine;

impl Machine for SessionMachine {
    const KIND: StreamKind = StreamKind::Session;
    const STATE_VERSION: u16 = 4;
    type State = Session;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Rejection = Rejection;
    type Effect = Effect;
    type Context = ();

    fn decide(
        state: &Session,
        command: Command,
        now: Timestamp,
        (): &(),
    ) -> Result<Decision<Self>, Rejection> {
        decide::decide(state, command, now)
    }

    fn evolve(state: &mut Session, event: &Event) {
        state.evolve(event);
    }

    fn due(state: &Session) -> Option<Timestamp> {
        state.due()
    }

    fn owed(state: &Session) -> Vec<Effect> {
        state.owed()
    }

    fn owes(state: &Session) -> bool {
        state.owes()
    }

    fn tick() -> Command {
        Command::Tick
    }
}

#[cfg(test)]
#[path = "session_test.rs"]
mod tests;

#[cfg(test)]
#[path = "session_trust_test.rs"]
mod trust_tests;
