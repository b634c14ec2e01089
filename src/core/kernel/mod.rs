//! What every room may use: the shape of a machine, time and ids as values, exact numbers, seeded randomness.
//!
//! Every entity is a [`Machine`]. What is asked is a command, what happened is an event, and the state is
//! nothing but the fold of the events:
//!
//! ```text
//!            decide(&state, command, now)            evolve(&mut state, &event)
//!  command ───────────────────────────► events ───────────────────────────────► state
//!                                        effects, reply
//!  state ── due()  ──► when it next needs a tick        (so timers need no recovery)
//!  state ── owed() ──► what is still owed to the outside after a crash
//! ```
//!
//! The laws every machine keeps, and which the property tests check:
//!
//! 1. *Same inputs, same bytes.* `decide` and `evolve` read only their arguments.
//! 2. *Replay is live.* Folding the recorded events gives the state the live machine had.
//! 3. *`evolve` is total.* It accepts every event that was ever recorded and computes nothing anew: a number
//!    that was decided (a deadline, a threshold) stands in the event.
//! 4. *A rejection of bad input writes nothing.* A refusal that belongs on the record (a late vote) is an event.
//! 5. *Settling terminates.* A tick at or after `due` either moves `due` on or leaves nothing due.

pub mod draft;
pub mod driver;
pub mod ids;
pub mod keyed;
pub mod layered;
pub mod names;
pub mod number;
pub mod openings;
pub mod rendezvous;
pub mod resend;
pub mod rng;
pub mod shards;
pub mod time;
pub mod timeline;

use serde::{Serialize, de::DeserializeOwned};

use self::ids::StreamKind;
use self::time::{ClockStep, Downtime, Timestamp};

/// What a machine decided about one command.
#[derive(Debug)]
pub struct Decision<M: Machine + ?Sized> {
    /// What happened, in order; may be empty (a duplicate changes nothing).
    pub events: Vec<M::Event>,
    /// What is to be done outside once the events are durable; safe to repeat.
    pub effects: Vec<M::Effect>,
    /// The answer. A refusal that is put on record (events not empty) is an `Err` here.
    pub reply: Result<M::Reply, M::Rejection>,
}

impl<M: Machine + ?Sized> Decision<M> {
    /// Nothing happened; only an answer.
    pub fn answer(reply: M::Reply) -> Self {
        Decision { events: Vec::new(), effects: Vec::new(), reply: Ok(reply) }
    }

    /// Something happened and the answer is yes.
    pub fn accept(events: Vec<M::Event>, reply: M::Reply) -> Self {
        Decision { events, effects: Vec::new(), reply: Ok(reply) }
    }

    /// The answer is no, and the attempt is kept on record.
    pub fn refuse_on_record(events: Vec<M::Event>, rejection: M::Rejection) -> Self {
        Decision { events, effects: Vec::new(), reply: Err(rejection) }
    }

    /// The same decision with effects to carry out once it is durable.
    pub fn with_effects(mut self, effects: Vec<M::Effect>) -> Self {
        self.effects = effects;
        self
    }
}

/// A pure decider: one kind of entity. See the [module](self) for the laws.
pub trait Machine: 'static {
    /// The kind of stream this machine owns.
    const KIND: StreamKind;
    /// Number of the layout of [`Machine::State`]; a snapshot with another number is ignored.
    const STATE_VERSION: u16;

    /// Everything the machine knows; the default is the entity before its first event.
    type State: Default + Clone + std::fmt::Debug + PartialEq + Serialize + DeserializeOwned + Send;
    /// What may be asked.
    type Command: Clone + std::fmt::Debug + Send;
    /// What happened; stored, so variants are only ever appended.
    type Event: Clone + std::fmt::Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync;
    /// The answer to an accepted command.
    type Reply: std::fmt::Debug + Send;
    /// The answer to a refused one.
    type Rejection: Clone + std::fmt::Debug + PartialEq + Send;
    /// Something owed to the outside.
    type Effect: Clone + std::fmt::Debug + PartialEq + Send;
    /// What `decide` may consult besides its arguments: pure functions its user brought along, or nothing.
    type Context: Clone + Default + Send;

    /// Decides one command at the instant `now`, changing nothing.
    ///
    /// # Errors
    /// The rejection, when nothing is to be written.
    fn decide(
        state: &Self::State,
        command: Self::Command,
        now: Timestamp,
        context: &Self::Context,
    ) -> Result<Decision<Self>, Self::Rejection>;

    /// Applies one event. Total: no checks, no clock, no new numbers.
    fn evolve(state: &mut Self::State, event: &Self::Event);

    /// The first instant at which the machine needs a tick, if any.
    fn due(state: &Self::State) -> Option<Timestamp>;

    /// What is still owed to the outside, given only the state.
    fn owed(state: &Self::State) -> Vec<Self::Effect>;

    /// Is anything owed? Asked after every step, so machines whose effects are large answer without making them.
    fn owes(state: &Self::State) -> bool {
        !Self::owed(state).is_empty()
    }

    /// The command that means "time has passed".
    fn tick() -> Self::Command;

    /// The next instant strictly after `after` at which something is to be sent that is not worth a record, such as
    /// a repeat of what was not answered yet. An instant that was missed is left out, never made up for.
    fn errand(_state: &Self::State, _after: Timestamp) -> Option<Timestamp> {
        None
    }

    /// The command that sends what is to be sent at exactly this instant. Machines without errands have none.
    fn run_errands(_due: Timestamp) -> Option<Self::Command> {
        None
    }

    /// What is put on record before anything else when the entity wakes for the first time in a process, of which the
    /// one who asks makes sure. Most entities do not care whether the process was away.
    fn resume(_state: &Self::State, _away: Downtime, _context: &Self::Context) -> Vec<Self::Event> {
        Vec::new()
    }

    /// What is put on record of a wall clock that was set. It moves no deadline, so most entities do not care.
    fn clock_stepped(_state: &Self::State, _step: ClockStep) -> Vec<Self::Event> {
        Vec::new()
    }
}
