//! The one synchronous driver: it turns a command into a step and keeps state and revision.
//!
//! ```text
//! step(command, now):  settle what fell due before now ─► decide ─► evolve ─► Step
//!                      (ticks, at most SETTLE_LIMIT)
//! ```
//!
//! The entity actor, `quorate play` and the tests all run this driver; what is simulated is what ships. It
//! evolves at once and leaves it to its owner to make the events of the [`Step`] durable before anyone is told.

use std::cell::OnceCell;

use super::Machine;
use super::time::{ClockStep, Downtime, Timestamp};

/// A tick must move `due`; this bounds the damage of a machine that breaks the law.
const SETTLE_LIMIT: usize = 64;

/// What one command led to. The state is already evolved; the events are not yet durable.
#[derive(Debug)]
pub struct Step<M: Machine> {
    /// The events to append, in order, starting at revision `from + 1`.
    pub events: Vec<M::Event>,
    /// To be carried out once the events are durable.
    pub effects: Vec<M::Effect>,
    /// The answer, to be given once the events are durable.
    pub reply: Result<M::Reply, M::Rejection>,
    /// The revision the events stand on: how many events came before.
    pub from: u64,
    /// How many of the events came about by themselves, before the command was decided.
    pub settled: usize,
}

/// What settling led to: the same as a step, without an answer.
#[derive(Debug)]
pub struct Settled<M: Machine> {
    /// The events to append.
    pub events: Vec<M::Event>,
    /// To be carried out once the events are durable.
    pub effects: Vec<M::Effect>,
    /// The revision the events stand on.
    pub from: u64,
}

/// One entity in memory: its state and how many events made it.
#[derive(Debug)]
pub struct Driver<M: Machine> {
    state: M::State,
    revision: u64,
    context: M::Context,
    /// What the state is due at, once it was asked for. It is asked for several times a step, and a rule whose parts
    /// pull apart searches for it.
    due: OnceCell<Option<Timestamp>>,
}

impl<M: Machine> Default for Driver<M> {
    fn default() -> Self {
        Driver::new(M::Context::default())
    }
}

impl<M: Machine> Driver<M> {
    /// An entity before its first event, which consults `context` when it decides.
    pub fn new(context: M::Context) -> Self {
        Driver { state: M::State::default(), revision: 0, context, due: OnceCell::new() }
    }

    /// The same entity from a snapshot: the state after `revision` events.
    pub fn restore(mut self, state: M::State, revision: u64) -> Self {
        (self.state, self.revision) = (state, revision);
        self.due.take();
        self
    }

    /// The current state.
    pub fn state(&self) -> &M::State {
        &self.state
    }

    /// How many events made the state.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// When the entity next needs a tick.
    pub fn due(&self) -> Option<Timestamp> {
        *self.due.get_or_init(|| M::due(&self.state))
    }

    /// When the entity must be looked at even if nobody asks: at once while something is owed to the outside,
    /// else at its next tick. This is what the journal's deadline index holds.
    pub fn wake(&self) -> Option<Timestamp> {
        if M::owes(&self.state) { Some(Timestamp::MIN) } else { self.due() }
    }

    /// Applies one recorded event.
    pub fn replay(&mut self, event: &M::Event) {
        M::evolve(&mut self.state, event);
        self.due.take();
        self.revision += 1;
    }

    /// Puts on record that the entity woke in a process after others were away, if it cares.
    pub fn resume(&mut self, away: Downtime) -> Settled<M> {
        let from = self.revision;
        let events = M::resume(&self.state, away, &self.context);
        events.iter().for_each(|event| self.replay(event));
        Settled { events, effects: Vec::new(), from }
    }

    /// Puts on record that the wall clock was set, if the entity cares.
    pub fn clock_stepped(&mut self, step: ClockStep) -> Settled<M> {
        let from = self.revision;
        let events = M::clock_stepped(&self.state, step);
        events.iter().for_each(|event| self.replay(event));
        Settled { events, effects: Vec::new(), from }
    }

    /// Applies every expiry due at `now`, so that nobody sees an expired entity as live.
    pub fn settle(&mut self, now: Timestamp) -> Settled<M> {
        let mut settled = Settled { events: Vec::new(), effects: Vec::new(), from: self.revision };
        for _ in 0..SETTLE_LIMIT {
            match self.due() {
                Some(due) if due <= now => {}
                _ => break,
            }
            let Ok(decision) = M::decide(&self.state, M::tick(), now, &self.context) else { break };
            if decision.events.is_empty() {
                break;
            }
            decision.events.iter().for_each(|event| self.replay(event));
            settled.events.extend(decision.events);
            settled.effects.extend(decision.effects);
        }
        settled
    }

    /// Settles, then decides one command. A tick is only a settling.
    pub fn step(&mut self, command: M::Command, now: Timestamp) -> Step<M> {
        let Settled { mut events, mut effects, from } = self.settle(now);
        let settled = events.len();
        let reply = match M::decide(&self.state, command, now, &self.context) {
            Ok(decision) => {
                decision.events.iter().for_each(|event| self.replay(event));
                events.extend(decision.events);
                effects.extend(decision.effects);
                decision.reply
            }
            Err(rejection) => Err(rejection),
        };
        Step { events, effects, reply, from, settled }
    }
}
