//! A voter of sessions: how it proves who it is, how much it weighs, and how far it is trusted.
//!
//! ```text
//!                 S > 0.30              S > 0.70, and there is room
//!      honest ◄────────────► suspicious ──────────────────────────► quarantined ──until──► probation ──20 clean──► honest
//!                 S < 0.20                                              ▲                      │
//!        │                        an operator, with a reason ───────────┴──── any violation ───┘
//!        └── any state ── a proven fault ──► byzantine ── pardon, on record ──► probation
//!
//!      offline: beside all of these. No sign of life for 60 s while a vote is owed; the state from before stays.
//! ```
//!
//! | state | command | condition | events | reply or rejection |
//! |---|---|---|---|---|
//! | nothing | Register | the key is sound | Registered | registered |
//! | any | Register | the same key, handle and weight | – | registered before |
//! | any | Register | other ones | – | `Differs` |
//! | nothing | any other | | – | `NotRegistered` |
//! | any | Note | marks after the last of that session | (StandingChanged …), Noted (+ Escalated, WentOffline, Returned) | done |
//! | any | Note | all of them were noted before | – | done |
//! | any | Seen | is offline | Returned | done |
//! | not byzantine | Quarantine | | StandingChanged | state |
//! | quarantined | Release | | StandingChanged (probation) | state |
//! | byzantine | Release | with pardon | StandingChanged (probation) | state |
//! | byzantine | Release | without | – | `PardonNeeded` |
//! | other | Release | | – | `NothingToRelease` |
//! | quarantined | Tick | until has come | StandingChanged (probation) | – |
//! | suspicious | Tick | S has fallen below 0.20 | StandingChanged (honest) | – |
//! | any | RecordSpread | sessions were told of this state | Spread | – |
//! | any | Judge | a question of which nothing was told | Judged | state |
//! | any | Judge | the same again; something else | – | known; `JudgedOtherwise` |
//! | any | Note | with what was right in a session | Judged, Noted | done |
//! | any | Profile | another one than it has; the same | Profiled; – | state; known |
//! | any | Consider | a new choice; the same again; one that came out otherwise | Considered; –; – | state; known; `ChosenOtherwise` |
//! | any | Rotate | signed by the present key, or by an operator | KeyRotated | state |
//! | any | Rotate | to the present key; to one it had; not signed by its own; it has none | – | known; `OldKey`; `NotSigned`; `NoKey` |
//!
//! *Suspicion.* `S = (0.5 + Σ v·δ) / (5 + Σ m·δ)`, δ halving each hour; a vote of one's own adds m = 1 and v = 0, one with a
//! flag v = 0.25, a violation v = 1, at most one a second. Weak flags alone never rise above 0.25: they convict nobody.
//! The sums are fixed-point numbers; those that were decided stand in the event.
//!
//! *What convicts.* Only a fault that was proven (two signed votes that contradict each other, or two that this process saw
//! under the voter's own handle) makes a voter byzantine. Statistics end at quarantine, and hold at most floor((N-1)/3)
//! of N registered voters: beyond that a person is asked, since a detector that is fooled must not silence the honest.
//!
//! # Source
//! The thresholds are those of the reference for sessions; the anti-framing bound is the fault bound of Pease, Shostak and
//! Lamport, 1980, turned on the detector itself.

pub mod command;
mod decide;
pub mod directory;
pub mod event;
pub mod profile;
pub mod rate;
pub mod record;
pub mod rejection;
pub mod state;
pub mod suspicion;

pub use command::{Command, Effect, Reply, Report};
pub use directory::Directory;
pub use event::{Cause, Event, FaultKind, Judged, KeyRotated, Mark, ProofLevel, Registered, Standing};
pub use profile::{Considered, Profile, Profiled};
pub use record::Record;
pub use rejection::Rejection;
pub use state::Voter;
pub use suspicion::Suspicion;

use crate::kernel::ids::{StreamKind, VoterId};
use crate::kernel::time::Timestamp;
use crate::kernel::{Decision, Machine};
use crate::voting::signature::PublicKey;

/// What a voter signs with its present key to give its place to another.
pub fn rotation_message(voter: &VoterId, version: u32, from: &PublicKey, to: &PublicKey) -> Vec<u8> {
    decide::rotation_message(voter, version, from, to)
}

/// The machine of a voter.
#[derive(Debug)]
pub struct VoterMachine;

impl Machine for VoterMachine {
    const KIND: StreamKind = StreamKind::Voter;
    const STATE_VERSION: u16 = 2;
    type State = Voter;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Rejection = Rejection;
    type Effect = Effect;
    type Context = ();

    fn decide(state: &Voter, command: Command, now: Timestamp, (): &()) -> Result<Decision<Self>, Rejection> {
        decide::decide(state, command, now)
    }

    fn evolve(state: &mut Voter, event: &Event) {
        state.evolve(event);
    }

    fn due(state: &Voter) -> Option<Timestamp> {
        state.due()
    }

    fn owed(state: &Voter) -> Vec<Effect> {
        state.owed()
    }

    fn owes(state: &Voter) -> bool {
        state.owes()
    }

    fn tick() -> Command {
        Command::Tick
    }
}

#[cfg(test)]
#[path = "voter_test.rs"]
mod tests;
