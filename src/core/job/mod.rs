//! placeholder
pub mod command;
mod decide;
pub mod event;
pub mod extension;
pub mod heard;
pub mod lease;
pub mod message;
pub mod outbox;
pub mod rejection;
pub mod settings;
pub mod state;
pub mod timeout;
pub mod token;
pub mod workflow;

pub use command::{Command, Effect, Reply, Submit};
pub use event::Event;
pub use heard::Heard;
pub use rejection::Rejection;
pub use settings::Settings;
pub use state::{Job, Phase, Run};
pub use workflow::WorkflowStatus;

use super::ids::StreamKind;
use super::time::{Downtime, Timestamp};
use super::{Decision, Machine};

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
    const STATE_VERSION: u16 = 1;
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

    fn tick() -> Command {
        Command::Tick
    }

    fn resume(state: &Job, away: Downtime) -> Vec<Event> {
        decide::resume(state, away)
    }
}
