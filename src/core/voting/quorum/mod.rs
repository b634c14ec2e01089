//! A quorum: one yes-or-no question, an electorate, a bar and a deadline.
//!
//! ```text
//!               ┌── Start ──► open ──┬─ approvals ≥ required ─────────────────────► approved
//!   (nothing) ──┘                    ├─ rejections > N − required (closed only) ──► rejected
//!                                    ├─ later than the deadline ──────────────────► timed_out ─► fallback?
//!                                    └─ Cancel ───────────────────────────────────► cancelled
//! ```
//!
//! | state | command | condition | events | answer |
//! |---|---|---|---|---|
//! | nothing | Start | numbers in range, bar reachable | Opened (+ Keyed) | Started |
//! | nothing | anything else | | – | `NotFound` |
//! | any | Start | | – | `AlreadyExists` |
//! | open | Cast | voter in the electorate, first vote | VoteCast (+ Closed) | Voted |
//! | open | Cast | same voter, same value | – | Voted, duplicate |
//! | open | Cast | same voter, other value, changes allowed | VoteCast (+ Closed) | Voted, changed |
//! | open | Cast | same voter, other value, changes refused | VoteRefused | `AlreadyVoted` |
//! | open | Cast | outsider, outsiders recorded | VoteCast (not counted) | Voted, not counted |
//! | open | Cast | outsider, outsiders refused | VoteRefused | `NotEligible` |
//! | closed | Cast | the same vote again | – | Voted, duplicate |
//! | closed | Cast | a new or changed vote | VoteRefused | `Closed` or `TimedOut` |
//! | open | Extend | an end after the one so far, within the longest time | Extended | Extended |
//! | open | Extend | the end it has | – | Extended, duplicate |
//! | open | Extend | an earlier end, or a longer time than may be | – | `Invalid` |
//! | closed | Extend | | – | `Closed` or `TimedOut` |
//! | open | Cancel | | Closed | Cancelled |
//! | cancelled | Cancel | | – | Cancelled, duplicate |
//! | closed | Cancel | | – | `Closed` or `TimedOut` |
//! | open | Tick | bar reached or lost on record | Closed, as of the deciding vote | – |
//! | open | Tick | now after the deadline | Closed, as of the deadline | – |
//! | fallback owed | RecordFallback | | FallbackOpened or FallbackFailed | – |
//!
//! A vote at exactly the deadline is on time. Terminal states are final: the tally is frozen and exactly one
//! `Closed` exists. A refused attempt is recorded once, with its reason; the identical attempt again is answered from the record
//! (the first 1,024 different attempts of a quorum are remembered, later ones are recorded each time). A vote too
//! unsure to count stands all the same: it uses up the voter's say until it is replaced. Votes that came with a reason
//! have events of their own (`VoteCastWithReason`, `VoteRefusedWithReason`), which say the same and the reason.
//!
//! # How many approvals, when no number is given
//!
//! | asked for | known voters N | membership unknown |
//! |---|---|---|
//! | local | ⌈2N/3⌉, four of six | 4 |
//! | ring | ⌊N/2⌋ + 1 | 3 |
//! | radial | ⌊N/2⌋ + 1 | 2 |
//! | global, the authorities of the hub | 1: one of them speaks for the hub | 1 |
//! | global, voters named one by one | ⌊N/2⌋ + 1 | – |

pub mod audit;
pub mod command;
mod decide;
pub mod event;
pub mod rejection;
pub mod state;
pub mod stats;
pub mod tally;
pub mod watch;

pub use command::{Ballot, Cancel, Command, Effect, FallbackPlan, Reply, Start, Voted};
pub use event::{Closed, Electorate, Event, Opened, Policy, QuorumState, QuorumType};
pub use rejection::Rejection;
pub use state::Quorum;

use crate::kernel::ids::StreamKind;
use crate::kernel::time::Timestamp;
use crate::kernel::{Decision, Machine};

/// The machine of a quorum.
#[derive(Debug)]
pub struct QuorumMachine;

impl Machine for QuorumMachine {
    const KIND: StreamKind = StreamKind::Quorum;
    const STATE_VERSION: u16 = 3;
    type State = Quorum;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Rejection = Rejection;
    type Effect = Effect;
    type Context = ();

    fn decide(
        state: &Quorum,
        command: Command,
        now: Timestamp,
        (): &(),
    ) -> Result<Decision<Self>, Rejection> {
        decide::decide(state, command, now)
    }

    fn evolve(state: &mut Quorum, event: &Event) {
        state.evolve(event);
    }

    fn due(state: &Quorum) -> Option<Timestamp> {
        state.due()
    }

    fn owed(state: &Quorum) -> Vec<Effect> {
        state.owed()
    }

    fn tick() -> Command {
        Command::Tick
    }
}

#[cfg(test)]
#[path = "quorum_test.rs"]
mod tests;
