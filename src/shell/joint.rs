//! Decisions over several cells and budgets at once: all of what they lead to becomes durable, or nothing.
//!
//! ```text
//!  op ──► its cell alone? ── yes ──► decided and queued like every other command
//!            │ no
//!            ▼
//!  borrow the memories, in the order of the streams ──► decide ──► Missing: borrow those too, decide again
//!                                                         │
//!                                                         ▼
//!             joined appends ──► writer (one commit) ──► memories are given back ──► durable: answer, effects
//! ```
//!
//! Memories are borrowed in one order everywhere, so two decisions never wait for each other in a circle. They are
//! given back as soon as the appends are queued; the flush is not waited for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::oneshot;

use super::access::Asks;
use super::entity::{Action, Lend, Loan, Release};
use super::host::Host;
use super::hosts::{Hosted, perform};
use super::lock;
use super::memory::Said;
use super::registry::Registry;
use super::runtime::ask;
use super::stops::Bearing;
use super::writer::{Failure, Write};
use crate::core::capacity::cell::budget::{Budget, BudgetMachine};
use crate::core::capacity::cell::exchange::{self, Event, Lookup, Outcome};
use crate::core::capacity::cell::{self, Cell, CellMachine, Effect, Op, Rejection, Reply, Settings};
use crate::core::kernel::Decision;
use crate::core::kernel::ids::{BudgetId, CellId, EntityId, StreamId, StreamKind, TokenId};
use crate::core::kernel::time::Timestamp;
use crate::journal::Fault;

/// What was answered, or why not.
pub(crate) type Answered = Result<Result<Reply, Rejection>, Failure>;

/// Carries out one operation; the answer comes when it is durable. Dropping the future cancels nothing.
pub(crate) async fn run(caller: &impl Asks, op: Op) -> Answered {
    run_and_tell(caller, op).await.map(|(answer, _)| answer)
}

/// What is told beside an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// A cell takes part since this operation.
    pub(crate) created: bool,
    /// The same was asked before.
    pub(crate) duplicate: bool,
}

/// The same, and what is told beside the answer.
pub(crate) async fn run_and_tell(
    caller: &impl Asks,
    op: Op,
) -> Result<(Result<Reply, Rejection>, Told), Failure> {
    let opened = Arc::new(AtomicBool::new(false));
    let answer = carry_through(caller, op, &opened).await?;
    let created = opened.load(Ordering::Acquire);
    Ok(match answer.map(Reply::plain) {
        Ok((reply, duplicate)) => (Ok(reply), Told { created, duplicate }),
        Err(rejection) => (Err(rejection), Told { created, duplicate: false }),
    })
}

/// Is a cell among those that take part since these events?
fn note_opened(events: &BTreeMap<StreamId, Vec<Event>>, opened: &AtomicBool) {
    let mut all = events.values().flatten();
    if all.any(|event| matches!(event, Event::Cell(cell::Event::Opened { .. }))) {
        opened.store(true, Ordering::Release);
    }
}

async fn carry_through(caller: &impl Asks, op: Op, opened: &Arc<AtomicBool>) -> Answered {
    let (host, by) = (caller.host(), caller.by().cloned());
    if let Some(home) = home(&op) {
        let (stream, alone, surroundings) = (cell_stream(home), op.clone(), host.clone());
        let note = opened.clone();
        let decide = move |cell: &Cell, now: Timestamp| {
            let view = Alone { host: &surroundings, stream: &stream, cell };
            match exchange::decide(&view, &alone, now) {
                Outcome::Missing(_) => None,
                Outcome::Done { events, effects, reply } => {
                    note_opened(&events, &note);
                    Some(Decision { events: of_cell(events), effects, reply: Ok(reply) })
                }
                Outcome::Refused { events, rejection } => {
                    Some(Decision::refuse_on_record(of_cell(events), rejection))
                }
            }
        };
        let action = Action::Alone(Box::new(decide), bearing(&op));
        let answer = ask(caller, &host.kinds.cells, &EntityId::from(home), action, |view| view.reply).await?;
        if let Some(answer) = answer {
            return Ok(answer);
        }
    }
    let permit = host.admit(false).map_err(Failure::Refused)?;
    let (answer, answered) = oneshot::channel();
    let (surroundings, note) = (host.clone(), opened.clone());
    host.tokio.spawn(async move {
        jointly(&surroundings, &op, by, answer, &note).await;
        drop(permit);
    });
    answered.await.unwrap_or_else(|_| {
        let reason = "an entity stopped before it answered; ask again".to_owned();
        Err(Failure::Unknown(Fault::Unavailable { reason }))
    })
}

/// What an operation does, as the stops see it.
fn bearing(op: &Op) -> Bearing {
    match op {
        Op::Request(request) => Bearing::of([request.cell.as_str()]),
        Op::Offer(offer) => Bearing::of([offer.source.as_str()]),
        Op::Transfer { token: _, from, to } => Bearing::of([from.as_str(), to.as_str()]),
        Op::Configure { cell, settings: _ } | Op::Serve { cell } => Bearing::of([cell.as_str()]),
        Op::Reserve(reserve) => {
            let by = reserve.by.iter().map(EntityId::as_str);
            Bearing::of(by.chain([reserve.cell.as_str()]))
        }
        Op::SetLimits { .. } | Op::SetRates { .. } => Bearing::unnamed(),
        Op::Cancel { .. }
        | Op::Ack { .. }
        | Op::Renew { .. }
        | Op::Release { .. }
        | Op::Revoke { .. }
        | Op::Settle { .. }
        | Op::ReturnOffers { .. } => Bearing::Passes,
    }
}

/// The cell that most likely can decide alone.
fn home(op: &Op) -> Option<&CellId> {
    match op {
        Op::Request(request) => Some(&request.cell),
        Op::Cancel { cell, .. }
        | Op::Ack { cell, .. }
        | Op::Renew { cell, .. }
        | Op::Release { cell, .. }
        | Op::Configure { cell, .. }
        | Op::Serve { cell } => Some(cell),
        Op::Offer(_)
        | Op::Transfer { .. }
        | Op::Revoke { .. }
        | Op::SetLimits { .. }
        | Op::SetRates { .. }
        | Op::Reserve(_)
        | Op::Settle { .. }
        | Op::ReturnOffers { .. } => None,
    }
}

fn cell_stream(cell: &CellId) -> StreamId {
    StreamId::new(StreamKind::Cell, EntityId::from(cell))
}

fn of_cell(events: BTreeMap<StreamId, Vec<Event>>) -> Vec<cell::Event> {
    let own = |event| match event {
        Event::Cell(event) => Some(event),
        Event::Budget(_) => None,
    };
    events.into_values().flatten().filter_map(own).collect()
}

fn source_of(host: &Host, token: &TokenId) -> Option<CellId> {
    lock(&host.counters.cells).source_of(token).cloned()
}

/// One cell that is looked at alone.
struct Alone<'a> {
    host: &'a Host,
    stream: &'a StreamId,
    cell: &'a Cell,
}

impl Lookup for Alone<'_> {
    fn cell(&self, stream: &StreamId) -> Option<&Cell> {
        (stream == self.stream).then_some(self.cell)
    }

    fn budget(&self, _: &StreamId) -> Option<&Budget> {
        None
    }

    fn source_of(&self, token: &TokenId) -> Option<CellId> {
        source_of(self.host, token)
    }

    fn settings_of(&self, _: &CellId) -> Settings {
        self.host.config.capacity.settings()
    }
}

/// The memories at hand.
struct Borrowed<'a> {
    host: &'a Arc<Host>,
    /// In whose name it is decided.
    by: Option<EntityId>,
    cells: BTreeMap<StreamId, Loan<CellMachine>>,
    budgets: BTreeMap<StreamId, Loan<BudgetMachine>>,
}

impl Lookup for Borrowed<'_> {
    fn cell(&self, stream: &StreamId) -> Option<&Cell> {
        self.cells.get(stream).map(|loan| loan.memory.driver.state())
    }

    fn budget(&self, stream: &StreamId) -> Option<&Budget> {
        self.budgets.get(stream).map(|loan| loan.memory.driver.state())
    }

    fn source_of(&self, token: &TokenId) -> Option<CellId> {
        source_of(self.host, token)
    }

    fn budgets_of(&self, token: &TokenId) -> Option<BTreeSet<BudgetId>> {
        lock(&self.host.counters.cells).budgets_of(token).cloned()
    }

    fn settings_of(&self, _: &CellId) -> Settings {
        self.host.config.capacity.settings()
    }
}

async fn jointly(
    host: &Arc<Host>,
    op: &Op,
    by: Option<EntityId>,
    answer: oneshot::Sender<Answered>,
    opened: &AtomicBool,
) {
    let mut borrowed = Borrowed { host, by, cells: BTreeMap::new(), budgets: BTreeMap::new() };
    let mut wanted = BTreeSet::new();
    loop {
        let now = host.clock.now();
        let (events, effects, reply) = match exchange::decide(&borrowed, op, now) {
            Outcome::Missing(more) => {
                wanted.extend(more);
                if let Err(fault) = borrowed.borrow(&wanted).await {
                    let _ = answer.send(Err(Failure::Refused(fault)));
                    return borrowed.give_back();
                }
                continue;
            }
            Outcome::Done { events, effects, reply } => {
                note_opened(&events, opened);
                (events, effects, Ok(reply))
            }
            Outcome::Refused { events, rejection } => (events, Vec::new(), Err(rejection)),
        };
        let surroundings = host.clone();
        let release: Release = Box::new(move |durable| {
            if durable.is_ok() {
                carry_out(&surroundings, effects);
            }
            // Nobody may wait any more.
            let _ = answer.send(durable.map(|()| reply));
        });
        return borrowed.commit(bearing(op), events, now, release);
    }
}

/// Carries out what is owed after a decision.
fn carry_out(host: &Arc<Host>, effects: Vec<Effect>) {
    for effect in effects {
        let (Effect::Serve(cell) | Effect::ReturnOffers(cell)) = &effect;
        let cell = EntityId::from(cell);
        perform::<CellMachine>(host, &cell, effect);
    }
}

impl Borrowed<'_> {
    /// Borrows what is wanted and not at hand. What comes before something at hand in the order is not waited for
    /// with that in hand: everything is given back first.
    async fn borrow(&mut self, wanted: &BTreeSet<StreamId>) -> Result<(), Fault> {
        let at_hand: BTreeSet<StreamId> = self.cells.keys().chain(self.budgets.keys()).cloned().collect();
        let first = wanted.difference(&at_hand).next();
        if first.is_some_and(|first| at_hand.last().is_some_and(|last| first < last)) {
            self.give_back();
        }
        for stream in wanted {
            if stream.kind == StreamKind::Budget && !self.budgets.contains_key(stream) {
                let loan = borrow(self.host, &self.host.kinds.budgets, stream).await?;
                self.budgets.insert(stream.clone(), loan);
            } else if stream.kind == StreamKind::Cell && !self.cells.contains_key(stream) {
                let loan = borrow(self.host, &self.host.kinds.cells, stream).await?;
                self.cells.insert(stream.clone(), loan);
            }
        }
        Ok(())
    }

    fn give_back(&mut self) {
        std::mem::take(&mut self.cells).into_values().for_each(Loan::give_back);
        std::mem::take(&mut self.budgets).into_values().for_each(Loan::give_back);
    }

    /// Queues everything as one and gives the memories back. `release` hears when it is durable.
    fn commit(
        &mut self,
        mut bearing: Bearing,
        events: BTreeMap<StreamId, Vec<Event>>,
        now: Timestamp,
        release: Release,
    ) {
        let host = self.host.clone();
        if let Some(acting) = bearing.acting_mut() {
            acting.parties.extend(self.by.iter().map(|by| by.as_str().to_owned()));
        }
        let cleared = match host.stops.enter(StreamKind::Cell).look(&bearing) {
            Ok(cleared) => cleared,
            Err(fault) => {
                // Told when the stop is durable. Nothing was put into the memories so far.
                host.writer.barrier(Box::new(move |_| release(Err(Failure::Refused(fault)))));
                return self.give_back();
            }
        };
        let (last, streams) = (events.keys().next_back().cloned(), events.len());
        let mut release = Some(release);
        let mut writes: Vec<Write> = Vec::with_capacity(streams);
        let said = || Said { by: self.by.clone(), ..Said::default() };
        for (stream, events) in events {
            // Joined appends become durable together, so the last one can speak for all.
            let release = if last.as_ref() == Some(&stream) { release.take() } else { None };
            let (mut of_cell, mut of_budget) = (Vec::new(), Vec::new());
            for event in events {
                match event {
                    Event::Cell(event) => of_cell.push(event),
                    Event::Budget(event) => of_budget.push(event),
                }
            }
            writes.extend(match (self.cells.get_mut(&stream), self.budgets.get_mut(&stream)) {
                (Some(loan), _) => prepare(loan, of_cell, now, said(), release),
                (None, Some(loan)) => prepare(loan, of_budget, now, said(), release),
                (None, None) => None,
            });
        }
        if writes.len() < streams {
            // Something could not be encoded. What was evolved in memory is of no use: the entities are rebuilt.
            self.cells.clear();
            self.budgets.clear();
            return;
        }
        if writes.is_empty() {
            self.release_when_durable(now, release);
        } else {
            self.host.writer.commit_jointly(writes);
            self.cells.values_mut().for_each(|loan| loan.memory.keep_snapshot());
            self.budgets.values_mut().for_each(|loan| loan.memory.keep_snapshot());
        }
        drop(cleared);
        self.give_back();
    }

    /// Nothing happened, but what was seen must be durable before it is told.
    fn release_when_durable(&mut self, now: Timestamp, release: Option<Release>) {
        let Some(release) = release else { return };
        if let Some(loan) = self.cells.values_mut().find(|loan| !loan.memory.is_durable()) {
            loan.memory.submit(&loan.addr, Vec::new(), Vec::new(), now, Said::default(), vec![release]);
        } else if let Some(loan) = self.budgets.values_mut().find(|loan| !loan.memory.is_durable()) {
            loan.memory.submit(&loan.addr, Vec::new(), Vec::new(), now, Said::default(), vec![release]);
        } else {
            release(Ok(()));
        }
    }
}

fn prepare<M: Hosted>(
    loan: &mut Loan<M>,
    events: Vec<M::Event>,
    now: Timestamp,
    said: Said,
    release: Option<Release>,
) -> Option<Write> {
    events.iter().for_each(|event| loan.memory.driver.replay(event));
    loan.memory.prepare(&loan.addr, events, Vec::new(), now, said, release.into_iter().collect())
}

async fn borrow<M: Hosted>(
    host: &Arc<Host>,
    registry: &Registry<M>,
    stream: &StreamId,
) -> Result<Loan<M>, Fault> {
    let (to, lent) = oneshot::channel();
    registry.lend(host, &stream.id, Lend { to })?;
    let rebuilt = || Fault::Unavailable { reason: format!("{stream} is being rebuilt; ask again") };
    lent.await.map_err(|_| host.writer.failure().unwrap_or_else(rebuilt))
}
