//! The actor of one entity: it runs the driver, pipelines appends and lets answers go when they are durable.
//!
//! ```text
//!  started ── load from the journal (mailbox waits) ──► serving ──► asleep (idle) or dead (a bug)
//!  serving:  step at once ─► append queued ─► next in the lanes …  … durable ─► answer, notices, effects
//! ```
//!
//! The mailbox holds turns; what is done in each is chosen from the [lanes](super::lanes).
//!
//! Memory may run ahead of the disk, never an answer. If an append does not become durable the actor is *doomed*:
//! its memory is worth nothing, it answers with the failure and a new actor is built from the journal. Nothing is
//! written in `stopped`; a panic may have left the state half changed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use actix::{Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, WrapFuture};
use tokio::sync::oneshot;

use super::clock::Noted;
use super::host::Host;
use super::hosts::Hosted;
use super::lanes::{Queued, Serving};
use super::memory::{Loaded, Memory, Said, Waiting, load, lost};
use super::stops::{Bearing, Entered};
use super::writer::Failure;
use crate::core::kernel::Decision;
use crate::core::kernel::Machine;
use crate::core::kernel::driver::Settled;
use crate::core::kernel::ids::{EntityId, IdempotencyKey, StreamId, StreamKind};
use crate::core::kernel::time::Timestamp;
use crate::core::trust::stop::Acting;
use crate::journal::Fault;

/// What the one who asked may look at: the state after the step, and the answer to a command.
pub(crate) struct View<'a, M: Hosted> {
    pub(crate) state: &'a M::State,
    pub(crate) now: Timestamp,
    pub(crate) reply: Option<Result<M::Reply, M::Rejection>>,
}

/// What is asked of an entity.
pub(crate) enum Action<M: Hosted> {
    /// Decide a command.
    Command(M::Command, Option<IdempotencyKey>),
    /// Decide something that perhaps concerns others too.
    Alone(Alone<M>, Bearing),
    /// Look at the state.
    Read,
    /// Look at the state as soon as this holds, while the one who asked keeps the token.
    Until(Holds<M>, Weak<()>),
}

/// What is waited for to hold of the state of one entity.
pub(crate) type Holds<M> = Arc<dyn Fn(&<M as Machine>::State) -> bool + Send + Sync>;

/// Decides over the state of one entity what could also concern others; `None` when it does.
pub(crate) type Alone<M> = Box<dyn FnOnce(&<M as Machine>::State, Timestamp) -> Option<Decision<M>> + Send>;

/// Lets a prepared answer go, or tells the one who asked why not.
pub(crate) type Release = Box<dyn FnOnce(Result<(), Failure>) + Send>;

/// Prepares the answer from the view, on the actor's thread, to be let go when it is durable.
pub(crate) type Respond<M> = Box<dyn FnOnce(Result<View<'_, M>, Failure>) -> Option<Release> + Send>;

/// A request to an entity.
pub(crate) struct Ask<M: Hosted> {
    pub(crate) action: Action<M>,
    /// The identity in whose name it is asked.
    pub(crate) by: Option<EntityId>,
    /// What is known of who acts beside what the command says.
    pub(crate) also: Acting,
    pub(crate) respond: Respond<M>,
}

impl<M: Hosted> Ask<M> {
    pub(crate) fn refuse(self, fault: Fault) {
        (self.respond)(Err(Failure::Refused(fault)));
    }
}

/// Be there. The sender hears when the entity is loaded, or could not be.
#[derive(Debug)]
pub(crate) struct Wake {
    pub(crate) done: oneshot::Sender<()>,
}

/// Look at what is due or owed. The sender hears when the entity next needs a tick, once all of it is durable;
/// it hears nothing when the entity died or could not be loaded.
#[derive(Debug)]
pub(crate) struct Poke {
    /// Told, or dropped, when what follows is in the writer's queue: what is poked after that is recorded after it.
    pub(crate) begun: Option<oneshot::Sender<()>>,
    pub(crate) done: oneshot::Sender<Option<Timestamp>>,
}

impl Poke {
    /// One that nobody follows.
    pub(crate) fn new(done: oneshot::Sender<Option<Timestamp>>) -> Self {
        Poke { begun: None, done }
    }
}

/// Send what falls due at this instant. The sender hears when it is on its way.
#[derive(Debug)]
pub(crate) struct Errand {
    pub(crate) due: Timestamp,
    pub(crate) done: oneshot::Sender<()>,
}

/// Lend the memory of the entity to somebody who decides over several entities at once. Until it is given back the
/// mailbox waits.
pub(crate) struct Lend<M: Hosted> {
    pub(crate) to: oneshot::Sender<Loan<M>>,
}

/// The memory of an entity in other hands. Dropped instead of given back, the entity is rebuilt from the journal.
pub(crate) struct Loan<M: Hosted> {
    pub(crate) memory: Memory<M>,
    pub(crate) addr: Addr<Entity<M>>,
    back: oneshot::Sender<Memory<M>>,
}

impl<M: Hosted> Loan<M> {
    /// Lets the entity go on.
    pub(crate) fn give_back(self) {
        // The actor waits for this, unless the whole runtime ends.
        let _ = self.back.send(self.memory);
    }
}

/// Something waits in the lanes: one of them has its turn, not always the one this was sent for.
pub(crate) struct Turn;

impl Message for Turn {
    type Result = ();
}

/// Go to sleep if there is nothing to do.
#[derive(Debug)]
pub(crate) struct Sleep {
    /// And only if nothing was recorded yet: it may have been born since this was sent.
    pub(crate) unborn: bool,
    /// Dropped when it sleeps, or will not.
    pub(crate) done: Option<oneshot::Sender<()>>,
}

impl Message for Sleep {
    type Result = ();
}

/// An append did not become durable.
pub(crate) struct Doom;

impl Message for Doom {
    type Result = ();
}

/// Where an actor sits.
pub(crate) struct Seat {
    pub(crate) stream: StreamId,
    pub(crate) generation: u64,
    pub(crate) queued: Arc<AtomicUsize>,
    /// An earlier actor of this entity died; what it had queued must be settled before loading.
    pub(crate) after_death: bool,
    pub(crate) host: Arc<Host>,
}

/// Notices the death of an actor that was not let go.
struct DeathWatch<M: Hosted> {
    host: Arc<Host>,
    stream: StreamId,
    generation: u64,
    armed: bool,
    kind: std::marker::PhantomData<fn() -> M>,
}

impl<M: Hosted> Drop for DeathWatch<M> {
    fn drop(&mut self) {
        if self.armed && !self.host.is_closing() {
            // On record before it leaves: a successor that starts in between must know of the death.
            self.host.restarts.died(&self.stream, self.host.clock.now());
            M::registry(&self.host).retire(&self.stream.id, self.generation, false);
            self.host.restarts.wake_later(&self.stream);
        }
    }
}

/// The actor.
pub(crate) struct Entity<M: Hosted> {
    seat: Seat,
    lanes: Serving<M>,
    watch: DeathWatch<M>,
    memory: Memory<M>,
    /// How much of what the clock noted the entity was told.
    told: usize,
}

// Nothing in it is ever pinned.
impl<M: Hosted> Unpin for Entity<M> {}

impl<M: Hosted> Entity<M> {
    pub(crate) fn new(seat: Seat, lanes: Serving<M>) -> Self {
        let watch = DeathWatch {
            host: seat.host.clone(),
            stream: seat.stream.clone(),
            generation: seat.generation,
            armed: true,
            kind: std::marker::PhantomData,
        };
        let memory = Memory::empty(seat.host.clone(), seat.stream.clone());
        Entity { seat, lanes, watch, memory, told: 0 }
    }

    fn on_loaded(&mut self, loaded: Result<Loaded<M>, Fault>, ctx: &mut Context<Self>) {
        match loaded {
            Ok(loaded) => {
                // What this process recorded of it says that it was taken up, or made, by it. Instants do not: two
                // processes may begin at the same one.
                let served = loaded.position > self.seat.host.opened_at;
                self.memory.fill(loaded);
                if let Some(stops) = M::stops(self.memory.driver.state()) {
                    self.seat.host.stops.set(stops);
                }
                if self.seat.host.reads_only {
                    return;
                }
                if !served {
                    let resumed = self.memory.driver.resume(self.seat.host.away);
                    self.go_on(resumed, &ctx.address());
                }
                let now = self.catch_up(&ctx.address());
                // What is over ends before anything that is owed goes out: nothing is begun for it. Where others wait for
                // the entity, such as a decision over several cells, it is left to them or to its poke.
                // Who owes nothing is left to its poke as well, which keeps the order of the deadlines.
                let leads = matches!(M::KIND, StreamKind::Job | StreamKind::Gate | StreamKind::Worker);
                let (mut events, mut effects) = (Vec::new(), Vec::new());
                if leads && M::owes(self.memory.driver.state()) {
                    let settled = self.memory.driver.settle(now);
                    (events, effects) = (settled.events, settled.effects);
                }
                for effect in M::owed(self.memory.driver.state()) {
                    if !effects.contains(&effect) {
                        effects.push(effect);
                    }
                }
                // They go out once the leadership they are sent under is durable.
                self.memory.submit(&ctx.address(), events, effects, now, Said::default(), Vec::new());
                self.memory.arm();
            }
            Err(fault) => {
                match &fault {
                    Fault::Pruned { .. } => {
                        tracing::debug!(stream = %self.seat.stream, %fault, "entity is gone")
                    }
                    _ => tracing::error!(stream = %self.seat.stream, %fault, "entity cannot be loaded"),
                }
                let _ = self.memory.doomed.set(Failure::Refused(fault));
                ctx.address().do_send(Doom);
            }
        }
    }

    /// Puts on record what the entity makes of a time in which nobody could see anything, or of a wall clock that was
    /// set.
    fn go_on(&mut self, settled: Settled<M>, addr: &Addr<Self>) {
        let now = self.seat.host.clock.now();
        self.memory.submit(addr, settled.events, settled.effects, now, Said::default(), Vec::new());
    }

    /// The present instant, after leaving out what this process slept through.
    fn catch_up(&mut self, addr: &Addr<Self>) -> Timestamp {
        let now = self.seat.host.clock.now();
        let (noted, told) = self.seat.host.clock.noted_after(self.told);
        self.told = told;
        for what in noted {
            let settled = match what {
                Noted::Gap(gap) => self.memory.driver.resume(gap),
                Noted::Step(step) => self.memory.driver.clock_stepped(step),
            };
            self.go_on(settled, addr);
        }
        now
    }

    /// Applies what fell due, unless what is on record is only read.
    fn settle(&mut self, now: Timestamp) -> Settled<M> {
        if self.seat.host.reads_only {
            let from = self.memory.driver.revision();
            return Settled { events: Vec::new(), effects: Vec::new(), from };
        }
        self.memory.driver.settle(now)
    }

    /// Somebody asked for what does not exist; it need not stay in memory.
    fn sleep_if_unborn(&self, addr: &Addr<Self>) {
        if self.memory.driver.revision() == 0 {
            self.seat.queued.fetch_add(1, Ordering::AcqRel);
            addr.do_send(Sleep { unborn: true, done: None });
        }
    }

    fn leave(&mut self, ctx: &mut Context<Self>) {
        self.watch.armed = false;
        ctx.stop();
    }
}

impl<M: Hosted> Actor for Entity<M> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let (host, stream, after_death) =
            (self.seat.host.clone(), self.seat.stream.clone(), self.seat.after_death);
        let loading = async move {
            if after_death {
                let (done, settled) = oneshot::channel();
                host.writer.barrier(Box::new(move |_| {
                    let _ = done.send(());
                }));
                let _ = settled.await;
            }
            let context = M::context(&host);
            host.blocking(move |store| load::<M>(store, &stream, context)).await
        };
        ctx.wait(loading.into_actor(self).map(|loaded, actor, ctx| actor.on_loaded(loaded, ctx)));
    }
}

impl<M: Hosted> Handler<Turn> for Entity<M> {
    type Result = ();

    fn handle(&mut self, _: Turn, ctx: &mut Context<Self>) {
        self.seat.queued.fetch_sub(1, Ordering::AcqRel);
        // There are as many turns as there is to do.
        match self.lanes.pop() {
            Some(Queued::Ask(ask)) => self.answer(ask, ctx),
            Some(Queued::Lend(lend)) => self.lend(lend, ctx),
            Some(Queued::Wake(wake)) => {
                // Nobody may wait any more.
                let _ = wake.done.send(());
            }
            Some(Queued::Poke(poke)) => self.poked(poke, ctx),
            Some(Queued::Errand(errand)) => self.run_errand(errand, ctx),
            None => {}
        }
    }
}

impl<M: Hosted> Entity<M> {
    fn answer(&mut self, ask: Ask<M>, ctx: &mut Context<Self>) {
        if let Some(failure) = self.memory.doomed.get() {
            // This request was not begun, whatever became of the append that failed.
            ask.refuse(failure.fault().clone());
            return;
        }
        let addr = ctx.address();
        let now = self.catch_up(&addr);
        let host = self.seat.host.clone();
        let entered = host.stops.enter(M::KIND);
        let bearing = self.bearing(&entered, &ask);
        let mut cleared = match entered.look(&bearing) {
            Ok(cleared) => cleared,
            Err(fault) => {
                // Told when the stop is durable.
                host.writer.barrier(Box::new(move |_| ask.refuse(fault)));
                return self.sleep_if_unborn(&addr);
            }
        };
        match ask.action {
            Action::Command(command, key) => {
                let step = self.memory.driver.step(command, now);
                if let Some(stops) = M::stops(self.memory.driver.state()) {
                    cleared.engage(stops);
                }
                let view = View { state: self.memory.driver.state(), now, reply: Some(step.reply) };
                let release = (ask.respond)(Ok(view));
                let said = Said { key, by: ask.by, settled: step.settled };
                self.memory.submit(
                    &addr,
                    step.events,
                    step.effects,
                    now,
                    said,
                    release.into_iter().collect(),
                );
            }
            Action::Alone(decide, _) => match decide(self.memory.driver.state(), now) {
                Some(Decision { events, effects, reply }) => {
                    events.iter().for_each(|event| self.memory.driver.replay(event));
                    let view = View { state: self.memory.driver.state(), now, reply: Some(reply) };
                    let releases = (ask.respond)(Ok(view)).into_iter().collect();
                    let said = Said { by: ask.by, ..Said::default() };
                    self.memory.submit(&addr, events, effects, now, said, releases);
                }
                None => {
                    let view = View { state: self.memory.driver.state(), now, reply: None };
                    // Nothing is told that would have to be durable.
                    if let Some(release) = (ask.respond)(Ok(view)) {
                        release(Ok(()));
                    }
                }
            },
            Action::Read => {
                let settled = self.settle(now);
                let release = (ask.respond)(Ok(View { state: self.memory.driver.state(), now, reply: None }));
                let releases = release.into_iter().collect();
                self.memory.submit(&addr, settled.events, settled.effects, now, Said::default(), releases);
            }
            Action::Until(until, token) => {
                let settled = self.settle(now);
                self.memory.waiting.push(Waiting { until, token, respond: ask.respond });
                self.memory.submit(&addr, settled.events, settled.effects, now, Said::default(), Vec::new());
            }
        }
        drop(cleared);
        self.sleep_if_unborn(&addr);
    }

    /// What is asked for, as the stops see it.
    fn bearing(&self, entered: &Entered<'_>, ask: &Ask<M>) -> Bearing {
        if !entered.any() {
            return Bearing::Passes;
        }
        let mut bearing = match &ask.action {
            Action::Command(command, _) => {
                M::bearing(&self.seat.stream.id, self.memory.driver.state(), command)
            }
            Action::Alone(_, bearing) => bearing.clone(),
            Action::Read | Action::Until(..) => Bearing::Passes,
        };
        if let Some(acting) = bearing.acting_mut() {
            acting.parties.extend(ask.by.iter().map(|by| by.as_str().to_owned()));
            acting.parties.extend(ask.also.parties.iter().cloned());
            acting.class = acting.class.take().or_else(|| ask.also.class.clone());
        }
        bearing
    }
}

impl<M: Hosted> Entity<M> {
    fn lend(&mut self, lend: Lend<M>, ctx: &mut Context<Self>) {
        if self.memory.doomed.get().is_some() {
            return;
        }
        let (back, given_back) = oneshot::channel();
        let empty = Memory::empty(self.seat.host.clone(), self.seat.stream.clone());
        let memory = std::mem::replace(&mut self.memory, empty);
        if let Err(unwanted) = lend.to.send(Loan { memory, addr: ctx.address(), back }) {
            self.memory = unwanted.memory;
            return;
        }
        ctx.wait(given_back.into_actor(self).map(|memory, actor, ctx| match memory {
            Ok(memory) => {
                actor.memory = memory;
                actor.sleep_if_unborn(&ctx.address());
            }
            // Whoever had it died over it; the death watch sees to it that the entity is rebuilt.
            Err(_) => ctx.stop(),
        }));
    }
}

impl<M: Hosted> Entity<M> {
    fn poked(&mut self, poke: Poke, ctx: &mut Context<Self>) {
        if self.memory.doomed.get().is_some() {
            return;
        }
        let now = self.catch_up(&ctx.address());
        let settled = self.settle(now);
        // The wheel let go of its entry when it sent the poke.
        self.memory.disarmed();
        let due = self.memory.driver.due();
        let done: Release = Box::new(move |result| {
            if result.is_ok() {
                let _ = poke.done.send(due);
            }
        });
        self.memory.submit(&ctx.address(), settled.events, settled.effects, now, Said::default(), vec![done]);
        drop(poke.begun);
    }
}

impl<M: Hosted> Entity<M> {
    fn run_errand(&mut self, errand: Errand, ctx: &mut Context<Self>) {
        let Some(command) = M::run_errands(errand.due).filter(|_| self.memory.doomed.get().is_none()) else {
            return;
        };
        let now = self.catch_up(&ctx.address());
        self.memory.errand_begun();
        let step = self.memory.driver.step(command, now);
        let repeats = step.effects.iter().filter(|effect| M::expects_answer(effect)).count();
        self.seat.host.repeated.fetch_add(repeats as u64, Ordering::Relaxed);
        let done: Release = Box::new(move |_| {
            let _ = errand.done.send(());
        });
        self.memory.submit(&ctx.address(), step.events, step.effects, now, Said::default(), vec![done]);
    }
}

impl<M: Hosted> Handler<Sleep> for Entity<M> {
    type Result = ();

    fn handle(&mut self, sleep: Sleep, ctx: &mut Context<Self>) {
        self.seat.queued.fetch_sub(1, Ordering::AcqRel);
        if sleep.unborn && self.memory.driver.revision() > 0 {
            return;
        }
        self.memory.waiting.retain(|waiting| waiting.token.strong_count() > 0);
        let busy = !self.memory.waiting.is_empty() || !self.memory.is_durable();
        if !busy && M::registry(&self.seat.host).retire(&self.seat.stream.id, self.seat.generation, true) {
            self.leave(ctx);
        }
        drop(sleep.done);
    }
}

impl<M: Hosted> Handler<Doom> for Entity<M> {
    type Result = ();

    fn handle(&mut self, _: Doom, ctx: &mut Context<Self>) {
        M::registry(&self.seat.host).retire(&self.seat.stream.id, self.seat.generation, false);
        let failure = self.memory.doomed.get().cloned().unwrap_or_else(lost);
        for waiting in self.memory.waiting.drain(..) {
            (waiting.respond)(Err(failure.clone()));
        }
        // Messages that came before the actor left the registry are still answered, with the failure.
        if self.seat.queued.load(Ordering::Acquire) > 0 {
            ctx.address().do_send(Doom);
        } else {
            self.leave(ctx);
        }
    }
}
