//! A decision in the making: every event is applied at once, so that what is decided next stands on it.

use super::time::Timestamp;
use super::{Decision, Machine};

/// See the [module](self). The state is copied with the first event: most commands make none.
pub struct Draft<'a, M: Machine> {
    before: &'a M::State,
    after: Option<M::State>,
    events: Vec<M::Event>,
    effects: Vec<M::Effect>,
    /// The instant of the decision.
    pub now: Timestamp,
    context: M::Context,
}

impl<M: Machine> std::fmt::Debug for Draft<'_, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Draft").field("now", &self.now).field("events", &self.events).finish_non_exhaustive()
    }
}

impl<'a, M: Machine> Draft<'a, M> {
    /// Nothing is decided yet.
    pub fn new(before: &'a M::State, now: Timestamp) -> Self {
        Draft::within(before, now, M::Context::default())
    }

    /// The same, with what the decision may consult.
    pub fn within(before: &'a M::State, now: Timestamp, context: M::Context) -> Self {
        Draft { before, after: None, events: Vec::new(), effects: Vec::new(), now, context }
    }

    /// What the decision may consult.
    pub fn context(&self) -> &M::Context {
        &self.context
    }

    /// The state before the decision.
    pub fn before(&self) -> &'a M::State {
        self.before
    }

    /// The state after the events so far.
    pub fn state(&self) -> &M::State {
        self.after.as_ref().unwrap_or(self.before)
    }

    /// Something happened.
    pub fn push(&mut self, event: M::Event) {
        M::evolve(self.after.get_or_insert_with(|| self.before.clone()), &event);
        self.events.push(event);
    }

    /// Something is to be done once the events are durable.
    pub fn owe(&mut self, effect: impl Into<M::Effect>) {
        self.effects.push(effect.into());
    }

    /// Did anything happen?
    pub fn is_changed(&self) -> bool {
        !self.events.is_empty()
    }

    /// The decision, also where nothing came of it but a refusal.
    pub fn decision(self, reply: Result<M::Reply, M::Rejection>) -> Decision<M> {
        Decision { events: self.events, effects: self.effects, reply }
    }

    /// The decision. A refusal on which neither events nor effects follow writes nothing.
    ///
    /// # Errors
    /// That refusal.
    pub fn finish(self, reply: Result<M::Reply, M::Rejection>) -> Result<Decision<M>, M::Rejection> {
        match reply {
            Err(rejection) if self.events.is_empty() && self.effects.is_empty() => Err(rejection),
            reply => Ok(self.decision(reply)),
        }
    }

    /// What happened, in order.
    pub fn into_events(self) -> Vec<M::Event> {
        self.events
    }
}
