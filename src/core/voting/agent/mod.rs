//! An agent: registered or not, monitored or not, and how long ago it was last heard of.
//!
//! ```text
//!  elapsed    0 ──────────── I ──────────── 2I ─────────── f·I ─────────►
//!  grade        healthy      │   degraded   │   critical   │   failed
//! ```
//!
//! *Elapsed* counts from the latest of: the last beat, the last vote, the start of monitoring, and the start of the
//! process that serves (see [`Machine::resume`]). `I` is the interval and `f` the failure threshold; failure is tested
//! first, so that with f = 2 there is no critical band and with f = 1 an agent fails at I.
//!
//! The grade of an instant is a function of state and time ([`Agent::grade`]). The *recorded* grade changes at
//! checks, which fall on whole multiples of the check period from the start of monitoring. A check that finds another
//! grade than the recorded one records one change, however many grades lie between: a coarse check may skip some.
//!
//! Silence is *judged* when monitoring was asked for, or from the first beat after the agent was registered. An agent
//! that never beat and was not asked to is healthy, however long it is silent; votes do not change that.
//!
//! | state | command | condition | events | answer |
//! |---|---|---|---|---|
//! | not registered | Register | | Registered, MonitoringStarted | changed |
//! | registered | Register | what it gives is so | – | not changed |
//! | registered | Register | it gives something else | – | `OtherSettings` |
//! | registered | Register | … and replaces | MonitoringStarted | replaced |
//! | registered | Leave | | Left | changed |
//! | left before | Leave | | – | not changed |
//! | never registered | Leave | | – | `NotRegistered` |
//! | registered, not monitored or not judged | StartMonitoring | | MonitoringStarted | changed |
//! | monitored and judged | StartMonitoring | as with Register | | |
//! | not registered | StartMonitoring | | – | `NotRegistered` |
//! | monitored | StopMonitoring | | MonitoringStopped | changed |
//! | monitored | Beat | recorded grade is healthy | Beat | changed |
//! | monitored | Beat | recorded grade is another | Beat, GradeChanged to healthy | changed |
//! | registered, not monitored | StopMonitoring | | – | not changed |
//! | registered, not monitored | Beat | | – | `NotMonitored` |
//! | not registered | StopMonitoring, Beat | | – | `NotRegistered` |
//! | monitored | Tick | a later vote is known | Heard, and what follows from it | – |
//! | monitored | Tick | a check is due and finds another grade | GradeChanged | – |
//!
//! Settings, intervals above all, are checked before anything else. Beats are kept newest first out, with their
//! metadata; neither a stop of monitoring nor leaving forgets them.
//!
//! A vote is on the record of what it was cast in, and is not written a second time here. `decide` asks the
//! [`LastVote`] it is given, and puts on record what it heard only when a grade depends on it.

pub mod command;
mod decide;
pub mod directory;
pub mod event;
pub mod grade;
pub mod rejection;
pub mod state;

use std::fmt;
use std::sync::Arc;

pub use command::{Command, Reply};
pub use directory::Directory;
pub use event::Event;
pub use grade::{Grade, Settings};
pub use rejection::Rejection;
pub use state::Agent;

use crate::kernel::ids::{StreamKind, VoterId};
use crate::kernel::time::{Downtime, Timestamp};
use crate::kernel::{Decision, Machine};

/// Most bytes of the metadata of one beat.
pub const MAX_METADATA_BYTES: usize = 16 << 10;

/// Answers when an agent last voted.
type Ask = dyn Fn(&VoterId) -> Option<Timestamp> + Send + Sync;

/// Whom to ask when an agent last voted; the default knows of no votes.
#[derive(Clone, Default)]
pub struct LastVote(Option<Arc<Ask>>);

impl LastVote {
    /// Asks this function.
    pub fn of(ask: impl Fn(&VoterId) -> Option<Timestamp> + Send + Sync + 'static) -> Self {
        LastVote(Some(Arc::new(ask)))
    }

    /// When the agent last voted, if it did.
    pub fn at(&self, agent: &VoterId) -> Option<Timestamp> {
        self.0.as_ref().and_then(|ask| ask(agent))
    }
}

impl fmt::Debug for LastVote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "LastVote(asks)" } else { "LastVote(none)" })
    }
}

/// The machine of an agent.
#[derive(Debug)]
pub struct AgentMachine;

impl Machine for AgentMachine {
    const KIND: StreamKind = StreamKind::Agent;
    const STATE_VERSION: u16 = 2;
    type State = Agent;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Rejection = Rejection;
    type Effect = ();
    type Context = LastVote;

    fn decide(
        state: &Agent,
        command: Command,
        now: Timestamp,
        votes: &LastVote,
    ) -> Result<Decision<Self>, Rejection> {
        decide::decide(state, command, now, votes)
    }

    fn evolve(state: &mut Agent, event: &Event) {
        state.evolve(event);
    }

    fn due(state: &Agent) -> Option<Timestamp> {
        state.due()
    }

    fn owed(_state: &Agent) -> Vec<()> {
        Vec::new()
    }

    fn tick() -> Command {
        Command::Tick
    }

    /// The time a process was away must not fail anybody: what is not heard of counts from `began` at the earliest.
    fn resume(state: &Agent, Downtime { began, .. }: Downtime, _: &LastVote) -> Vec<Event> {
        let late = state.watch.as_ref().is_some_and(|watch| watch.judged && watch.reference < began);
        if late { vec![Event::Resumed { at: began }] } else { Vec::new() }
    }
}

#[cfg(test)]
#[path = "agent_test.rs"]
mod tests;
