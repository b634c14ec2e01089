//! A worker: what it runs, for which leaders, and what they still have to hear of.
//!
//! ```text
//!            dispatch                    report                  heard of
//!  leader ────────────► workflow runs ──────────► it has ended ───────────► only its tokens stay
//!                         │        ▲
//!          leader is lost │        │ a transfer names it within the grace
//!                         ▼        │
//!                       it waits ──┘──────────► asked to stop ─────────► stopped by force
//!                                 grace is over               stop grace
//! ```
//!
//! | command | condition | events | answer, and what the leader is told |
//! |---|---|---|---|
//! | Register | anything is new | Registered | changed |
//! | dispatch | lower leadership token | FenceRejected, once | `Stale` |
//! | dispatch | the same dispatch token and attempt as before | – | accepted, as the first time |
//! | dispatch | lower dispatch token, or another attempt | – | `StaleDispatch` |
//! | dispatch | draining, or full | – | `Draining`, `Full`; the token is not used up |
//! | dispatch | lost | – | `Lost`; the token is not used up |
//! | dispatch | otherwise | Dispatched, and LeaderChanged if a later transfer waited for it | not now: `not_taken` |
//! | Take | it asked for no work and gave no sign for a while, or there is work | Took; leaders are told that it runs | changed |
//! | Take | what was handed out is not known to have arrived | –; it is handed out again | not changed |
//! | Beat | it says nothing new, shortly after the last sign | – | not changed |
//! | Beat | otherwise | Beat | changed |
//! | Take, Beat | lost | Registered, and what follows from it | changed |
//! | Enroll | anything is new | Enrolled; in another life what ran is lost | changed |
//! | cancel | lower leadership token | FenceRejected, once | `Stale` |
//! | cancel | some of them run | StopAsked | accepted |
//! | revoke | lower leadership token | FenceRejected, once | `Stale` |
//! | revoke | some of them run, of this handing over | Revoked; what is reported of them is refused | accepted |
//! | transfer | lower token | FenceRejected, once | `Stale` |
//! | transfer | the same token and leader | – | accepted |
//! | transfer | the same token, another leader | FenceRejected, once | `OtherLeader` |
//! | transfer | higher token | LeaderChanged; workflows it names wait no longer | accepted |
//! | transfer | of workflows that are not here | TransferParked | accepted |
//! | Report | anything new | Reported; the leader is sent it until it answers | changed |
//! | answer to a report | taken | ReportDelivered | |
//! | answer to a report | the job has ended, or another attempt took over | ReportDelivered, StopAsked | |
//! | answer to a report | the job has another leader | LeaderChanged; it is sent there | |
//! | NoteDropped | of the last handing over | ReportsDropped; the next report of the workflow tells the leader | changed |
//! | RequestExtension | something of the job runs | ExtensionRequested | changed |
//! | LeaderLost | something of the job runs | LeaderLost | changed |
//! | Tick | it was silent for too long, see [`watch`] | Lost; leaders are told that what it ran is lost | |
//! | Tick | the grace for a new leader is over | StopAsked, reason `orphaned` | |
//! | Tick | the grace to stop is over | Aborted; the leader is told | |
//! | Tick | a parked transfer waited long enough | ParkedExpired | |
//! | Leave | never registered | – | `NotRegistered` |
//! | Leave | otherwise | Draining, GivenBack of what was not taken, then Left when all has ended and was heard of | changed |
//!
//! What a leader hands over stands before the worker until it takes it, or reports something of it; only then is it
//! accepted, and only then does its leader hear that it runs. A take can be answered and the answer lost: what was handed
//! out is handed out again, under the same token, until the worker names it in a report, a beat or the next take.
//!
//! What was stopped by force, was taken back, or was at a worker that is lost, may still run: its outcome is `lost` and not `cancelled`,
//! and nobody takes it for a confirmation. A worker that never asked for work and gave no sign of life lives in the
//! process, where to abort is to stop.
//!
//! Grace is over when it has lasted its whole length: at exactly that instant nothing can be rescued any more.
//!
//! Choices: leadership tokens of jobs of which nothing runs any more are kept for the last
//! [`MAX_IDLE_JOBS`](state::MAX_IDLE_JOBS) of them. A worker whose process died is asked to start again what ran; who
//! carries it out recognises by the dispatch token what it has already. A report that says nothing new writes nothing.
//!
//! # Source
//! Fencing at the resource: M. Burrows, *The Chubby lock service*, OSDI 2006, section 2.4. Stopping what an isolated
//! side runs: the `stop_on_client_after` of HashiCorp Nomad (developer.hashicorp.com, *group block*). Asking before
//! forcing: the termination grace period of Kubernetes pods (kubernetes.io, *Pod Lifecycle*).

pub mod command;
mod decide;
pub mod event;
pub mod outbox;
mod receive;
pub mod rejection;
pub mod settings;
pub mod state;
pub mod status;
mod take;
pub mod watch;

pub use command::{Command, Handed, Reply, Report};
pub use event::Event;
pub use rejection::Rejection;
pub use settings::Settings;
pub use state::{Hand, Job, Phase, Worker, Workflow};
pub use status::WorkerStatus;
pub use take::MAX_SILENT_MS;
pub use watch::Watch;

use crate::jobs::protocol::message::Message;
use crate::jobs::protocol::token::DispatchToken;
use crate::kernel::ids::{EntityId, StreamKind};
use crate::kernel::time::{Downtime, Timestamp, micros};
use crate::kernel::{Decision, Machine};

/// Most workflows a worker can be registered for.
pub const MAX_CAPACITY: u32 = 1_000_000;
/// Most transfers that wait for workflows they overtook, counted by workflow.
pub const MAX_PARKED: usize = 1_024;

/// One attempt of a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The job.
    pub job_id: EntityId,
    /// The workflow.
    pub workflow_id: EntityId,
    /// Which try, from 1.
    pub attempt: u32,
    /// This handing over. Whoever carries it out knows a repeat by it.
    pub dispatch_token: DispatchToken,
}

/// Something a worker owes to the outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send this message.
    Send(Box<Message>),
    /// Carry this out.
    Start(Attempt),
    /// Ask it to stop.
    Stop(Attempt),
    /// Stop it by force.
    Abort(Attempt),
}

impl From<Message> for Effect {
    fn from(message: Message) -> Self {
        Effect::Send(Box::new(message))
    }
}

/// The machine of a worker.
#[derive(Debug)]
pub struct WorkerMachine;

impl Machine for WorkerMachine {
    const KIND: StreamKind = StreamKind::Worker;
    const STATE_VERSION: u16 = 4;
    type State = Worker;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Rejection = Rejection;
    type Effect = Effect;
    type Context = ();

    fn decide(state: &Worker, command: Command, now: Timestamp, _: &()) -> Result<Decision<Self>, Rejection> {
        decide::decide(state, command, now)
    }

    fn evolve(state: &mut Worker, event: &Event) {
        state.evolve(event);
    }

    fn due(state: &Worker) -> Option<Timestamp> {
        state.due()
    }

    /// What is unanswered, what nobody is known to carry out yet, and what was asked to stop and still runs.
    fn owed(state: &Worker) -> Vec<Effect> {
        let running = state.jobs.iter().flat_map(|(job_id, job)| {
            job.running().filter_map(|(workflow_id, workflow)| {
                let attempt = workflow.attempt(job_id, workflow_id);
                let start = (!workflow.started).then(|| Effect::Start(attempt.clone()));
                if workflow.stop.is_some() { Some(Effect::Stop(attempt)) } else { start }
            })
        });
        running.chain(state.messages(|_| true).into_iter().map(Effect::from)).collect()
    }

    fn errand(state: &Worker, after: Timestamp) -> Option<Timestamp> {
        errand(state, after)
    }

    fn run_errands(due: Timestamp) -> Option<Command> {
        Some(Command::RunErrands { due })
    }

    fn tick() -> Command {
        Command::Tick
    }

    /// Waits go on where nobody watched them any more. A gap in this process that was left out before stays so.
    fn resume(state: &Worker, away: Downtime, (): &()) -> Vec<Event> {
        let served = away.gap.is_within_a_process()
            && (state.served_since >= Some(away.began) || state.noted_at > away.began);
        let idle = state.running() == 0 && state.outbox.is_empty() && state.parked.is_empty();
        let idle = idle && !state.is_judged();
        if served || idle {
            return Vec::new();
        }
        vec![Event::Resumed { away_us: micros(away.length_after(state.noted_at)), at: away.began }]
    }
}

impl Workflow {
    /// The attempt that is under way, or was.
    pub(super) fn attempt(&self, job_id: &EntityId, workflow_id: &EntityId) -> Attempt {
        Attempt {
            job_id: job_id.clone(),
            workflow_id: workflow_id.clone(),
            attempt: self.attempt,
            dispatch_token: self.dispatch_token,
        }
    }
}

/// The next instant strictly after `after` at which something that is not answered is sent again, see
/// [`resend`](crate::kernel::resend). [`Command::RunErrands`] with exactly that instant makes the messages; it writes nothing.
pub fn errand(state: &Worker, after: Timestamp) -> Option<Timestamp> {
    state.outbox.values().filter_map(|errand| errand.sending().next_after(after)).min()
}

#[cfg(test)]
#[path = "worker_test.rs"]
mod tests;
