//! A job at its gate: how it goes in all its datacenters, and when its time is over everywhere.
//!
//! ```text
//!              dispatch                 reports                 decision, request to stop
//!  Track ──► tracked ───────► datacenters ───────► verdict ───────────────────► datacenters
//!                                                                                 │
//!            finished ◄── every datacenter ended, or was given up ◄───────────────┘
//! ```
//!
//! One stream per job. Its state holds the gate's whole memory of the job, also what datacenters still have to hear of
//! (the [outbox]); a crash loses nothing of it. Rules and deadlines are in [`verdict`].
//!
//! | state | command | condition | events | answer |
//! |---|---|---|---|---|
//! | never tracked, ended | Track | known datacenters, each once | Tracked; then they are sent the job | tracked, new |
//! | tracked | Track | the same plan for the same datacenters | – | tracked |
//! | tracked | Track | another plan | – | `AlreadyTracked` |
//! | never tracked | a report | | – | `NotTracked`; told *unknown job*, and so asked for a recall |
//! | never tracked | recall | everything a manager knows | Rebuilt, Recalled; the others are asked for theirs | told *accepted* |
//! | rebuilt | a report | its datacenter did not recall yet | – | `Unheard`; told *unknown job* |
//! | rebuilt | recall | the same run, not heard of yet | Recalled; Declared or CancelRequested if that was decided before | told *accepted* |
//! | rebuilt | answer | a datacenter does not have the job | Delivered; it is sent the job | |
//! | tracked | recall | a higher epoch is known there | EpochAdopted; everybody hears of it | |
//! | any | a report | lower token, or one of an earlier run | FenceRejected, once | `Stale`; told *stale* |
//! | any | a report, an answer | higher token | LeaderChanged; what is unanswered is sent again | |
//! | tracked | progress | anything but the number of the report is new | Progressed | told *accepted* |
//! | tracked | progress | overtaken, repeated, or nothing new | – | told *accepted* |
//! | tracked | time is over | nothing final there | DatacenterTimedOut | told *accepted* |
//! | tracked | leader transfer | same token, another leader | FenceRejected, once | `OtherLeader`; told *stale* |
//! | tracked | final status | nothing final, or provisional | DatacenterEnded | told *accepted* |
//! | tracked | a report | the job ended there, and this says otherwise | – | told *already final* |
//! | tracked | answer | decision, transfer or dispatch taken | Delivered | |
//! | tracked | answer | decision refused: lower token | LeaderChanged; sent again | |
//! | tracked | answer | the job never came there, and is to end | Delivered, DatacenterEnded | |
//! | tracked | answer | already final there, or not begun there any more | Delivered, DatacenterEnded | |
//! | tracked | Cancel, cancel request | nothing decided | CancelRequested; datacenters are sent it | success |
//! | tracked | Cancel, cancel request | requested before | – | already cancelled |
//! | tracked | Cancel, cancel request | time was declared over | – | no success |
//! | tracked | Redirect | not heard of there, nothing decided, and another is left | Redirected; that one is sent the job | |
//! | tracked | TakeOver | that manager leads there, and the job has not ended there | TakenOver; the other one is sent the job, or how it is to end | |
//! | any | a report | the job was taken from there | –; its sender is asked to stop | `UnknownDatacenter`; told *already final* |
//! | tracked | DatacenterGone | it has the job, nothing decided, and another is left | Moved; that one is sent the job | |
//! | tracked | DatacenterGone | it has the job, and no other may get it, or its end was decided | DatacenterLost | |
//! | tracked | DatacenterBack | the job waits for it | DatacenterBack | |
//! | any | a report | the datacenter was gone, and another one got the job | FenceRejected, once; its sender is asked to stop | `Stale`; told *already final* |
//! | tracked | any | decided, and every datacenter that has not ended is gone | Abandoned, Finished | |
//! | tracked | Transfer | another gate | GateTransferred; datacenters are told | transferred |
//! | tracked | recall | another gate leads under a higher epoch, and is not gone | GateReplaced | |
//! | any | recall | the gate that led is another one, and gone | as for a gate without memory, under an epoch of its own block | told *accepted* |
//! | tracked | AskLeads | | LeadershipAsked; datacenters are told who leads, and say if that is not so | |
//! | replaced | anything but such a recall | | – | `LedElsewhere` |
//! | tracked | any | a rule holds, nothing decided | Declared; datacenters are told | |
//! | tracked | Tick | decided for the time to abandon | Abandoned, Finished | |
//! | tracked | any | ended everywhere | Finished | |
//! | ended | Track | the same again; otherwise | – | tracked before; `IdOfEnded` |
//! | ended | a report | | LateFinal, once, if the datacenter was given up | told *already final* |
//!
//! Choices:
//!
//! - *A report that says nothing new is not written.* Progress is on record when the silence of a datacenter ends or a
//!   count changes. If only the number of the report moved, nothing is: such a report could change no verdict. The order
//!   of what is on record stays that of token and number. One report that was overtaken by such an unwritten one may
//!   still be taken; the next report, one period later, puts that right.
//! - *A status a correction may follow is not final.* Counters that say "all completed", and a final status marked
//!   provisional, show in the status but neither end the job nor take the datacenter out of the rules. They cannot
//!   hold the job open for ever: when the datacenter falls silent, it is stuck.
//! - *A request to stop is a decision.* It has the same limit of time, and no timeout is declared after it.
//! - *What is to be over is a run, and not a job.* A decision and a request to stop name the run by the epoch that its
//!   dispatches carry. They may overtake those: a manager that says that it never got the run begins it no more, and how an
//!   earlier run ended there is no answer.
//! - *Nobody's silence counts while nobody served.* A new process moves the clocks of silence on by the time that passed
//!   unwatched. The age of the job goes on counting. So tracking ends at the latest after timeout, extensions and the
//!   time to abandon, the last one without such gaps.
//! - *A gate may lose its memory.* One that does not know a job, because its store is gone or it took over from one that
//!   is, tracks it again by what managers tell it, see `rebuild.rs`.
//! - *A gate that is gone has a successor*, see `succession.rs`. The successor leads under epochs that the one before, were it
//!   to come back, mints nowhere near; so the one before is told that it was replaced, and stops.
//! - *The stream is the tombstone.* A job that has ended answers late reports for ever, and its id is not taken
//!   for another. Where older records use one again, it starts with higher epochs and tokens than it ever had.
//!
//! # Source
//! Fencing: M. Burrows, *The Chubby lock service for loosely-coupled distributed systems*, OSDI 2006, section 2.4.
//! Memory regained from the participants: C. Mohan, B. Lindsay, R. Obermarck, *Transaction Management in the R\**
//! *Distributed Database Management System*, ACM TODS 11(4), 1986, section 3.
//! At-least-once with recognised repeats: P. Helland, *Life beyond Distributed Transactions*, CIDR 2007. Age and silence
//! as two clocks: the schedule-to-close and heartbeat timeouts of Temporal (docs.temporal.io, *Detecting activity
//! failures*).

pub mod command;
mod decide;
pub mod event;
pub mod index;
mod moves;
pub mod outbox;
mod rebuild;
mod receive;
pub mod rejection;
pub mod settings;
pub mod state;
pub mod status;
mod succession;
pub mod verdict;

use std::fmt;
use std::sync::Arc;

pub use command::{Command, Reply, Track};
pub use event::{Event, Rebuilt, Target, Totals, Tracked};
pub use moves::Left;
pub use rejection::Rejection;
pub use settings::{Settings, TimeoutPolicy};
pub use state::{Datacenter, DcStatus, Finished, Gate, Regained, Run};
pub use status::{DatacenterStatus, GateStatus};
pub use succession::{Others, Replaced, Seat};
pub use verdict::GlobalRule;

use crate::jobs::protocol::message::Message;
use crate::jobs::protocol::token::TokenBase;
use crate::kernel::ids::{EntityId, StreamKind};
use crate::kernel::time::{Downtime, Gap, Timestamp, micros};
use crate::kernel::{Decision, Machine};

/// Most datacenters of one job.
pub const MAX_TARGETS: usize = 1_024;

/// Answers whether there is a datacenter of this name.
type Ask = dyn Fn(&EntityId) -> bool + Send + Sync;

/// Whom to ask which datacenters there are, and where epochs begin; the default takes every name.
#[derive(Clone, Default)]
pub struct Datacenters {
    ask: Option<Arc<Ask>>,
    floor: TokenBase,
    seat: Option<Seat>,
}

impl Datacenters {
    /// Asks this function.
    pub fn of(ask: impl Fn(&EntityId) -> bool + Send + Sync + 'static) -> Self {
        Datacenters { ask: Some(Arc::new(ask)), ..Datacenters::default() }
    }

    /// The same, with epochs that begin above a floor.
    pub fn above(self, floor: TokenBase) -> Self {
        Datacenters { floor, ..self }
    }

    /// The same, at a gate that is one of several.
    pub fn at(self, seat: Option<Seat>) -> Self {
        Datacenters { seat, ..self }
    }

    fn floor(&self) -> TokenBase {
        self.floor
    }

    /// Is there a datacenter of this name?
    pub fn knows(&self, datacenter: &EntityId) -> bool {
        self.ask.as_ref().is_none_or(|ask| ask(datacenter))
    }
}

impl fmt::Debug for Datacenters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.ask.is_some() { "Datacenters(asks)" } else { "Datacenters(any)" })
    }
}

/// Something a gate owes to the outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send this message.
    Send(Box<Message>),
}

impl From<Message> for Effect {
    fn from(message: Message) -> Self {
        Effect::Send(Box::new(message))
    }
}

/// The machine of a job at its gate.
#[derive(Debug)]
pub struct GateMachine;

impl Machine for GateMachine {
    const KIND: StreamKind = StreamKind::Gate;
    const STATE_VERSION: u16 = 7;
    type State = Gate;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Rejection = Rejection;
    type Effect = Effect;
    type Context = Datacenters;

    fn decide(
        state: &Gate,
        command: Command,
        now: Timestamp,
        datacenters: &Datacenters,
    ) -> Result<Decision<Self>, Rejection> {
        decide::decide(state, command, now, datacenters)
    }

    fn evolve(state: &mut Gate, event: &Event) {
        state.evolve(event);
    }

    fn due(state: &Gate) -> Option<Timestamp> {
        state.due()
    }

    /// What is unanswered, as of the last instant on record: how long ago a decision fell is then too small at most.
    fn owed(state: &Gate) -> Vec<Effect> {
        state.messages(state.noted_at, |_| true).into_iter().map(Effect::from).collect()
    }

    fn owes(state: &Gate) -> bool {
        state.outbox().next().is_some()
    }

    fn errand(state: &Gate, after: Timestamp) -> Option<Timestamp> {
        errand(state, after)
    }

    fn run_errands(due: Timestamp) -> Option<Command> {
        Some(Command::RunErrands { due })
    }

    fn tick() -> Command {
        Command::Tick
    }

    /// Another process leads the job: its epoch is higher, and what nobody watched is nobody's silence. A gap in this
    /// process that was left out before stays so.
    fn resume(state: &Gate, away: Downtime, datacenters: &Datacenters) -> Vec<Event> {
        let served = away.gap.is_within_a_process()
            && (state.served_since >= Some(away.began) || state.noted_at > away.began);
        let epoch = match away.gap {
            Gap::Restart => state.gate_epoch.next(datacenters.floor()),
            Gap::Command | Gap::Suspend | Gap::ClockJump | Gap::Pause => Some(state.gate_epoch),
        };
        let epoch = epoch.filter(|_| state.run.is_some() && !served);
        let resumed = |gate_epoch| {
            let away_us = micros(away.length_after(state.noted_at));
            Event::Resumed { gate_epoch, gap: away.gap, away_us, at: away.began }
        };
        epoch.map(resumed).into_iter().collect()
    }
}

/// When a rule can next hold, or silent datacenters are given up.
pub fn due(state: &Gate) -> Option<Timestamp> {
    state.due()
}

/// The next instant strictly after `after` at which something that is not answered is sent again, see
/// [`resend`](crate::kernel::resend). [`Command::RunErrands`] with exactly that instant makes the messages; it writes nothing.
pub fn errand(state: &Gate, after: Timestamp) -> Option<Timestamp> {
    state.outbox().filter_map(|errand| state.sending(errand)?.next_after(after)).min()
}

#[cfg(test)]
#[path = "gate_test.rs"]
mod tests;
