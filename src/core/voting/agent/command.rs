//! What may be asked of an agent's entity, and how it answers.

use super::grade::Settings;
use crate::kernel::ids::VoterId;

/// A request about one agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Register the agent and watch it.
    Register {
        /// Who it is: the id of its entity, under which it votes.
        agent_id: VoterId,
        /// How to watch it.
        asked: Asked,
    },
    /// Strike the agent off. What it did stays on record.
    Leave,
    /// Watch a registered agent again.
    StartMonitoring(Asked),
    /// Watch it no longer; it stays registered.
    StopMonitoring,
    /// The agent is alive.
    Beat {
        /// What it says about itself, as the text of a JSON object.
        metadata: Option<String>,
    },
    /// Time has passed.
    Tick,
}

/// How to watch an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The settings, with defaults filled in.
    pub settings: Settings,
    /// Its silence is judged from now on, not only from its first beat: monitoring was asked for, or one of the
    /// settings was. Says that somebody means to use heartbeats.
    pub explicit: bool,
    /// What of this somebody said, and what becomes of it when the agent is watched already.
    pub again: Again,
}

/// A request about an agent that may be watched already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Again {
    /// Which settings were given, in the order of [`Settings::named`]; the others are as they are.
    pub given: [bool; 4],
    /// Whether its silence is to be judged from now on, where that was said.
    pub judged: Option<bool>,
    /// Nobody said so by name: it follows from a setting that was given.
    pub implied: bool,
    /// What was given takes the place of what is so now; otherwise it is refused where it differs.
    pub replace: bool,
}

/// The answer to an accepted command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Something changed: the agent is newly registered, gone, watched, no longer watched, or its beat is recorded.
    pub changed: bool,
    /// The agent was watched already, and is watched otherwise from here on.
    pub replaced: bool,
}
