//! A proposal: a question put to a frozen set of agents, decided by an algorithm as early as its outcome is certain.
//!
//! ```text
//!               ┌── Open ──► open ──┬─ won, whatever the others do ──────────► approved
//!   (nothing) ──┤                   ├─ lost, whatever the others do ─────────► rejected
//!               │                   ├─ deadline passes, or nobody left ──────► timeout
//!               │                   └─ Cancel ───────────────────────────────► cancelled, not counted
//!               └── nobody to ask, too few healthy, not reachable ───────────► aborted, not counted
//! ```
//!
//! | state | command | condition | events | reply or rejection |
//! |---|---|---|---|---|
//! | nothing | Open | valid | Opened (+ Keyed) | Opened; effect: tell the agents |
//! | nothing | Open | no votes of the registered agents can meet the rule | – | `Unmeetable` |
//! | nothing | Open | nobody who is asked weighs anything | Opened (+ Keyed), Closed (rejected) | Opened |
//! | nothing | Open | no agents, too few of them healthy, decided already | Opened (+ Keyed), Closed | Opened |
//! | any | Open | opened before | – | `AlreadyExists` |
//! | any | Vote | claims a weight out of range | – | `Invalid` |
//! | nothing | Vote | | – | `NotFound` |
//! | open | Vote | participant, first vote | VoteCast | recorded |
//! | open | Vote | … and it decides | VoteCast, Closed | recorded |
//! | open | Vote | further vote, votes may change, other choice | VoteCast (the older is superseded) | recorded |
//! | open, closed | Vote | as the vote that stands, its answer too | – | duplicate |
//! | open | Vote | an answer that does not fit, none with a vote for where one is asked for, one where none is | – | `Misfit` |
//! | open, closed | Vote | handed its place on | VoteRefused | `Delegated` |
//! | open | Vote | another choice or answer, the first vote is final | VoteRefused | `AlreadyVoted` |
//! | ended | Vote | another choice or answer than stands | VoteRefused | `Late` |
//! | open, closed | Vote | not a participant | VoteRefused | `NotParticipant` |
//! | closed | Vote | a new vote, or another choice | VoteRefused | `Closed` |
//! | open | RecordBroadcast | agents told | Broadcast | – |
//! | open | RecordBroadcast | none could be told, and none has voted | Closed (aborted, not counted) | – |
//! | open, closed | RecordHanded | participants that took it for the first time | Handed (+ Broadcast) | – |
//! | open | RecordAbsence | `fail_fast`, outstanding agent fails or comes back | AbsenceChanged | – |
//! | open | RecordAbsence | … and approval needs one that failed | AbsenceChanged, Closed (timeout) | – |
//! | open | Extend | an end after the one so far, within the longest time | Extended | Extended |
//! | open | Extend | the end it has | – | Extended, duplicate |
//! | open | Extend | an earlier end, or a longer time than may be | – | `Invalid` |
//! | open | Delegate | has a place and has not voted, to somebody who has none and gave none away | Delegated | Delegated; effect: tell it |
//! | open | Delegate | … and approval needs that one, which failed | Delegated, Closed (timeout) | Delegated |
//! | open, closed | Delegate | as before | – | Delegated, duplicate |
//! | open, closed | Delegate | handed its place on to another | – | `Delegated` |
//! | open, closed | Delegate | has no place | – | `NotParticipant` |
//! | open | Delegate | has voted; to somebody who has a place or gave one away; a place handed on too often | – | `Invalid` |
//! | open | Remind | outstanding voters, those not reminded within a minute | Reminded | Reminded; effect: tell them |
//! | open | Remind | all were reminded within a minute | – | `RemindedBefore` |
//! | open | Remind | a voter whose vote is not outstanding | – | `Invalid` |
//! | open | Remind | nobody is outstanding | – | Reminded, nobody |
//! | open | RecordTold | who was to be told | Told | – |
//! | open | Tick | the reminder of an outstanding voter is due | Reminded | effect: tell them |
//! | open | Cancel | | Closed (cancelled, not counted) | Cancelled |
//! | cancelled | Cancel | | – | Cancelled, duplicate |
//! | closed | Extend, Delegate, Remind, Cancel | | – | `Closed` |
//! | nothing | Open | asks for an answer, or reminds by itself | Opened, AnswerAsked, RemindersAsked (+ Keyed, Closed) | Opened |
//! | nothing | Open | names the operation it allows | Opened, Mandated (+ Keyed, Closed) | Opened |
//! | open, closed | Spend, Redeem | see [`mandate`](crate::voting::mandate) | Spent, Redeemed | the use, the job |
//! | open | Reconsider | the custom rule decides now | Closed | – |
//! | open | Tick | decided on record | Closed, as of the deciding vote | – |
//! | open | Tick | now after the deadline | Closed, as of the deadline | – |
//!
//! A vote at exactly the deadline is on time. The participants, their weights and the rule are those of the moment
//! the proposal was opened. A refused attempt is recorded once, with what came with it; the identical attempt again is
//! answered from the record. The events of votes have further forms (`…WithReason`, `…WithValue`) for those that came with a
//! reason or an answer. Votes are kept and counted by place: that of the participant who was asked, whoever has it now. A custom rule that this process does not know leaves the proposal collecting votes; at the deadline it
//! times out.

pub mod answer;
pub mod audit;
pub mod command;
mod decide;
pub mod event;
pub mod rejection;
pub mod state;
pub mod stats;
pub mod watch;

use std::sync::Arc;

pub use crate::voting::people::{MOST_HANDOVERS, REMINDED_EVERY};
pub use command::{Ballot, Command, Delegate, Effect, Extend, Open, Reply, Until, VoteOutcome};
pub use event::{Algorithm, Closed, Decision as Verdict, Event, Opened, VoteChange};
pub use rejection::Rejection;
pub use state::Proposal;

use crate::kernel::ids::StreamKind;
use crate::kernel::time::Timestamp;
use crate::kernel::{Decision, Machine};
use crate::voting::rules::{CustomRules, NoCustomRules};

/// The machine of a proposal.
#[derive(Debug)]
pub struct ProposalMachine;

/// Where a proposal looks up custom rules.
#[derive(Clone, Debug)]
pub struct Lookup(pub Arc<dyn CustomRules>);

impl Default for Lookup {
    fn default() -> Self {
        Lookup(Arc::new(NoCustomRules))
    }
}

impl Machine for ProposalMachine {
    const KIND: StreamKind = StreamKind::Proposal;
    const STATE_VERSION: u16 = 5;
    type State = Proposal;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Rejection = Rejection;
    type Effect = Effect;
    type Context = Lookup;

    fn decide(
        state: &Proposal,
        command: Command,
        now: Timestamp,
        lookup: &Lookup,
    ) -> Result<Decision<Self>, Rejection> {
        decide::decide(state, command, now, lookup.0.as_ref())
    }

    fn evolve(state: &mut Proposal, event: &Event) {
        state.evolve(event);
    }

    fn due(state: &Proposal) -> Option<Timestamp> {
        state.due()
    }

    fn owed(state: &Proposal) -> Vec<Effect> {
        state.owed()
    }

    fn owes(state: &Proposal) -> bool {
        state.owes()
    }

    fn tick() -> Command {
        Command::Tick
    }
}

#[cfg(test)]
#[path = "proposal_test.rs"]
mod tests;
