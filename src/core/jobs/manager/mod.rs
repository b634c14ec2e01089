//! A job in one datacenter, as its manager has it: how much time it has, who leads it, where its workflows are, and
//! what gates and workers must still be told.
//!
//! ```text
//!              ┌── workflows settle, Complete, Cancel ───────────────────────────► completed, failed, cancelled
//!  (nothing) ──┴─► tracking ── over budget, or idle ──┬─ no gate ────────────────► timeout
//!                   │   ▲                             └─► awaiting gate ──┬──────► timeout, as the gate decides
//!          Suspend  ▼   │ Transfer, AcquireLease                          └──────► timeout, 300 s without the gate,
//!                  suspended                                                       or 900 s without its decision
//! ```
//!
//! | state | command | condition | events | answer |
//! |---|---|---|---|---|
//! | nothing | Submit | valid | Submitted, what can be handed out | submitted |
//! | live | Submit | the same again; otherwise | – | submitted before; `AlreadyTracked` |
//! | ended | Submit | the same again; otherwise | – | submitted before; `IdOfEnded` |
//! | ended | Submit | a dispatch the gate repeats | – | `AlreadyTerminal` |
//! | nothing, ended | Submit | a dispatch of a run that was refused | – | `AlreadyTerminal`, as the gate was told |
//! | ended | Submit | a dispatch of a gate in a higher epoch | as of nothing | submitted, under a higher token than ever |
//! | any | with a lower token | | FenceRejected, once until something changes | `Stale` |
//! | live, under a lease | Progress, Transition, Assign, Complete | no token is shown | – | `TokenMissing` |
//! | any | with a higher token | never minted | FenceRejected, likewise | `UnknownToken` |
//! | live | Progress | nothing more done than before | – | none |
//! | live | Progress | 1 s or more after the last recorded | ProgressNoted | noted |
//! | live | Progress | otherwise | – (kept in memory, see [`Heard`]) | noted |
//! | live | Extend | worker with grants left that got on | ExtensionGranted | granted |
//! | any | Extend | a request of this name was answered | – | the same answer |
//! | any | Extend | … that asked for something else | – | `KeyReused` |
//! | live | Extend | otherwise | ExtensionDenied; at the third in a row WorkerLost | denied |
//! | ended, timed out | Extend | | ExtensionDenied, once | denied |
//! | live | Transition, Assign | legal, nothing waited for is open | WorkflowMoved, what follows | changed |
//! | live, ended | Transition | just this step was taken last, for this reason, with this result | – | unchanged |
//! | live | Transition | leads nowhere | StepRefused, once | `IllegalTransition` |
//! | live | Transfer | no other holds the lease, or forced, or by its leader | LeaderChanged, notices | leads |
//! | live | Suspend | current token | Suspended; nothing is sent or falls due | changed |
//! | live | AcquireLease | free, expired, left by an earlier life, or forced | LeaderChanged, LeaseTaken or LeaseGranted | lease |
//! | live | AcquireLease, RenewLease | holds it, and shows a token it had since | LeaseRenewed or LeaseResized | lease, the token in force |
//! | live | a worker's answer to a dispatch | not now | DispatchDelayed, once per reason; it is offered again | changed |
//! | live | Assign | it waits for a worker that does not take it, and another is named | WorkflowMoved | changed |
//! | live | WorkerReady | workflows wait for the worker | – | they are offered at once |
//! | live | Claim | something is ready and nobody has it | WorkflowMoved; the worker that asks is given it | changed |
//! | live | Complete, Cancel | | Ended, all work stopped, final status queued | ended |
//! | ended | Complete | as it ended; otherwise | – | as it ended; `AlreadyTerminal` |
//! | ended | Cancel | | – | as it ended |
//! | ended | Transition | brings a result of a workflow that was stopped | LateResult, once | `AlreadyTerminal` |
//! | tracking | Tick | now after the budget's deadline | TimeoutDetected, Ended or a queued report | – |
//! | tracking | Tick | now after the idle deadline, progress known in memory | ProgressNoted | – |
//! | tracking | Tick | now after the idle deadline | TimeoutDetected, Ended or a queued report | – |
//! | awaiting gate | Tick | now after the wait's deadline | Ended | – |
//! | any | Tick | a worker never confirmed | CancelUnconfirmed | – |
//! | live | a report that the workflow is lost | not taken; taken | DispatchDelayed; WorkflowMoved, what follows | changed |
//! | any | … | it was to stop | CancelUnconfirmed | changed |
//! | live | Tick | a worker's grace is over | WorkerLost, its workflows fail | – |
//! | any | an answer of the gate | it does not know the job | Deferred, of what it answers; it is told everything | changed |
//! | live, ended | gate transfer | asks to be told everything of this run | RecallAsked, GateChanged; it is told everything | changed |
//! | nothing, an earlier run | gate transfer | likewise | – | `UnknownJob` |
//! | nothing, the end of another run that its gate knows | cancel request, decision of a gate | | RunRefused, if a dispatch could begin the run | `UnknownJob` |
//! | live, ended | cancel request, decision of a gate | of a run that a dispatch could begin once more | as below, RunRefused | as below |
//! | suspended | anything else | | – | `Suspended` |
//!
//! The budget is tested before idleness. At the instant of a deadline a job is alive; a microsecond later it is not.
//! Extensions move the budget's deadline, and count as progress. Everything that ends a job goes one way, once.
//!
//! With a gate, a manager whose time is over reports and waits: completion, a cancellation or the gate's decision may
//! still come first. Without its decision the manager ends the job alone, and the final status stays in the
//! [outbox] until the gate has it.
//!
//! A new process mints a new token before anything is sent. The budget goes on over downtime (or leaves it out, if so
//! set); idleness and waits leave it out, since nobody could see what happened.
//!
//! A gate that lost its memory of the job, as one whose store is gone, is told everything: see [`recall`](crate::jobs::protocol::recall). So is one that
//! is refused because of its epoch, for it may have begun anew without knowing.
//!
//! A gate that wants a run to be over may be faster than its dispatch. What is answered then holds for that run: it is on
//! record that it is not begun any more, see `decide/over.rs`.
//!
//! Sending again and reporting progress writes nothing: see [`errand`]. A worker's report counts only under the
//! dispatch token of the handing over on record; a result that comes too late is kept and does not count.
//!
//! # Source
//! Fencing: M. Burrows, *The Chubby lock service*, OSDI 2006, section 2.4. Leases: C. Gray, D. Cheriton, SOSP 1989.
//! At-least-once with recognised repeats: P. Helland, *Life beyond Distributed Transactions*, CIDR 2007.

pub mod command;
mod decide;
pub mod event;
pub mod extension;
pub mod heard;
pub mod index;
pub mod lease;
pub mod openings;
pub mod outbox;
pub mod rejection;
mod run;
pub mod settings;
pub mod state;
pub mod status;
pub mod timeout;
pub mod why;
pub mod workflow;

pub use command::{Command, Effect, Reply, Submit};
pub use event::Event;
pub use heard::Heard;
pub use rejection::Rejection;
pub use settings::Settings;
pub use state::{Job, Phase, Run};
pub use status::{JobStatus, JobView};
pub use why::why;
pub use workflow::WorkflowStatus;

use crate::kernel::ids::StreamKind;
use crate::kernel::time::{ClockStep, Downtime, Timestamp};
use crate::kernel::{Decision, Machine};

/// The machine of a job in one datacenter.
#[derive(Debug)]
pub struct JobMachine;

/// The first instant after `after` at which a progress report or something in the outbox falls due, which
/// [`Command::RunErrands`] then sends. Instants that nobody saw are skipped.
pub fn errand(state: &Job, after: Timestamp) -> Option<Timestamp> {
    decide::errand(state, after)
}

impl Machine for JobMachine {
    const KIND: StreamKind = StreamKind::Job;
    const STATE_VERSION: u16 = 9;
    type State = Job;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Rejection = Rejection;
    type Effect = Effect;
    type Context = Heard;

    fn decide(
        state: &Job,
        command: Command,
        now: Timestamp,
        heard: &Heard,
    ) -> Result<Decision<Self>, Rejection> {
        decide::decide(state, command, now, heard)
    }

    fn evolve(state: &mut Job, event: &Event) {
        state.evolve(event);
    }

    fn due(state: &Job) -> Option<Timestamp> {
        state.due()
    }

    fn owed(state: &Job) -> Vec<Effect> {
        decide::owed(state)
    }

    fn owes(state: &Job) -> bool {
        decide::owes(state)
    }

    fn errand(state: &Job, after: Timestamp) -> Option<Timestamp> {
        errand(state, after)
    }

    fn run_errands(due: Timestamp) -> Option<Command> {
        Some(Command::RunErrands { due })
    }

    fn tick() -> Command {
        Command::Tick
    }

    fn resume(state: &Job, away: Downtime, heard: &Heard) -> Vec<Event> {
        decide::resume(state, away, heard)
    }

    fn clock_stepped(state: &Job, step: ClockStep) -> Vec<Event> {
        decide::clock_stepped(state, step)
    }
}

#[cfg(test)]
#[path = "job_test.rs"]
mod tests;
