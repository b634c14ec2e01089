//! What differs between the kinds of entity outside their machines: which registry, which notices and counters,
//! and how their effects are carried out.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;

use super::bus::{Notice, What};
use super::counters::Counters;
use super::host::Host;
use super::joint;
use super::lanes::Lane;
use super::lock;
use super::registry::Registry;
use super::runtime::ask;
use super::writer::Failure;
use crate::config::Config;
use crate::core::capacity::cell::{self, Budget, BudgetMachine, Cell, CellMachine, Op};
use crate::core::kernel::Machine;
use crate::core::kernel::ids::{CellId, EntityId, StreamId, StreamKind, VoterId};
use crate::core::voting::agent::{self, Agent, AgentMachine, Grade, LastVote};
use crate::core::voting::quorum::event::{Counting, Electorate, VoteCast};
use crate::core::voting::quorum::{
    Command, Effect, Event, FallbackPlan, Quorum, QuorumMachine, QuorumType, Rejection, Start,
};
use crate::core::voting::topology::{self, Asked, Topology, TopologyMachine};
use crate::journal::Fault;

use super::entity::{Action, Errand, Poke, Wake};
use super::load::load_id;
use super::pressure::is_timer;
use super::proposals::tell_absence;

/// First and longest pause before an effect is tried again.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// A machine the shell can run.
pub(crate) trait Hosted: Machine {
    /// Entities of this kind come to an end; the journal lists those that did.
    const ENDS: bool = false;

    /// Where its actors are.
    fn registry(host: &Host) -> &Registry<Self>
    where
        Self: Sized;

    /// Where a command waits for its turn. Progress may be passed; everything else keeps its order.
    fn lane(_: &Self::Command) -> Lane {
        Lane::First
    }

    /// What its deciders may consult.
    fn context(host: &Host) -> Self::Context;

    /// What subscribers hear of these events.
    fn notices(config: &Config, id: &EntityId, state: &Self::State, events: &[Self::Event]) -> Vec<Notice>;

    /// Adds durable events to the counters and traces them.
    fn observe(counters: &Counters, id: &EntityId, events: &[Self::Event]);

    /// Starts what follows elsewhere from durable events and is no great loss when a crash cuts it off.
    fn follow(_: &Arc<Host>, _: &EntityId, _: &[Self::Event]) {}

    /// Is it a message that is sent until it is answered?
    fn expects_answer(_: &Self::Effect) -> bool {
        false
    }

    /// Does an effect wait for somebody outside this runtime? Such a one may take for ever, or wait for this runtime
    /// in turn, so nobody waits for it.
    fn leaves_home(_: &Host, _: &Self::Effect) -> bool {
        false
    }

    /// Carries out an effect that takes no time and cannot fail; false when it is not of that sort.
    fn at_once(_: &Host, _: &Self::Effect) -> bool {
        false
    }

    /// Tries to carry out an effect once. A fault means: try again.
    fn carry_out(
        host: Arc<Host>,
        id: EntityId,
        effect: Self::Effect,
    ) -> Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;
}

/// Counts as an effect under way while it lives.
struct UnderWay(Arc<Host>);

impl UnderWay {
    fn begin(host: &Arc<Host>) -> Self {
        host.effects.fetch_add(1, Ordering::AcqRel);
        UnderWay(host.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if self.0.effects.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.effects_rest.notify_waiters();
        }
    }
}

/// Runs something in the background, once, as an effect under way.
pub(crate) fn track(host: &Arc<Host>, work: impl Future<Output = ()> + Send + 'static) {
    let under_way = UnderWay::begin(host);
    host.tokio.spawn(async move {
        work.await;
        drop(under_way);
    });
}

/// Carries out an effect in the background, trying again until it is done. Effects are safe to repeat; one that
/// is cut off by a crash is owed again when its entity is loaded.
pub(crate) fn perform<M: Hosted>(host: &Arc<Host>, id: &EntityId, effect: M::Effect) {
    if M::at_once(host, &effect) {
        return;
    }
    let at_home = !M::leaves_home(host, &effect);
    let begin = move |host: &Arc<Host>| at_home.then(|| UnderWay::begin(host));
    let (mut under_way, host, id) = (begin(host), host.clone(), id.clone());
    host.tokio.clone().spawn(async move {
        let mut pause = RETRY.0;
        while let Err(failure) = M::carry_out(host.clone(), id.clone(), effect.clone()).await {
            tracing::warn!(%id, ?effect, ?failure, "effect will be tried again");
            drop(under_way);
            if host.is_closing() || host.writer.failure().is_some() {
                return;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY.1);
            under_way = begin(&host);
        }
        drop(under_way);
    });
}

/// Makes an entity of any kind look at what is due or owed.
pub(crate) fn poke(host: &Arc<Host>, stream: &StreamId, poke: Poke) {
    match stream.kind {
        StreamKind::Topology => host.topology.poke(host, &stream.id, poke),
        StreamKind::Quorum => host.quorums.poke(host, &stream.id, poke),
        StreamKind::Agent => host.agents.poke(host, &stream.id, poke),
        StreamKind::Proposal => host.proposals.poke(host, &stream.id, poke),
        StreamKind::Algorithms => host.algorithms.poke(host, &stream.id, poke),
        StreamKind::Cell => host.cells.poke(host, &stream.id, poke),
        StreamKind::Budget => host.budgets.poke(host, &stream.id, poke),
        StreamKind::Job => host.jobs.poke(host, &stream.id, poke),
        StreamKind::Gate => host.gates.poke(host, &stream.id, poke),
        StreamKind::Worker => host.workers.poke(host, &stream.id, poke),
        StreamKind::Durations => host.durations.poke(host, &stream.id, poke),
        StreamKind::Flow => {
            // What is due is to tell what happened in the live buffer; the record itself has no deadlines.
            host.flows.flush(host, &stream.id);
            host.flow_records.poke(host, &stream.id, poke);
        }
        StreamKind::Load if stream.id == load_id() => host.load_records.poke(host, &stream.id, poke),
        StreamKind::Load if is_timer(stream) => {
            let _ = poke.done.send(host.pressure.tick(host));
        }
        StreamKind::Load => {
            // Nobody hears of it when the one who poked is gone.
            let _ = poke.done.send(host.desk.tick(host));
        }
    }
}

/// Makes an entity of any kind send what falls due.
pub(crate) fn errand(host: &Arc<Host>, stream: &StreamId, errand: Errand) {
    match stream.kind {
        StreamKind::Job => host.jobs.errand(host, &stream.id, errand),
        StreamKind::Gate => host.gates.errand(host, &stream.id, errand),
        StreamKind::Worker => host.workers.errand(host, &stream.id, errand),
        StreamKind::Topology
        | StreamKind::Quorum
        | StreamKind::Proposal
        | StreamKind::Agent
        | StreamKind::Algorithms
        | StreamKind::Cell
        | StreamKind::Budget
        | StreamKind::Flow
        | StreamKind::Load
        | StreamKind::Durations => drop(errand),
    }
}

/// Lets an entity of any kind go to sleep, if it is idle.
pub(crate) fn send_to_sleep(host: &Host, stream: &StreamId) {
    rest(host, stream, None);
}

/// The same; `done` is dropped when it sleeps, or will not.
pub(crate) fn rest(host: &Host, stream: &StreamId, done: Option<oneshot::Sender<()>>) {
    match stream.kind {
        StreamKind::Topology => host.topology.send_to_sleep(&stream.id, done),
        StreamKind::Quorum => host.quorums.send_to_sleep(&stream.id, done),
        StreamKind::Agent => host.agents.send_to_sleep(&stream.id, done),
        StreamKind::Proposal => host.proposals.send_to_sleep(&stream.id, done),
        StreamKind::Algorithms => host.algorithms.send_to_sleep(&stream.id, done),
        StreamKind::Cell => host.cells.send_to_sleep(&stream.id, done),
        StreamKind::Budget => host.budgets.send_to_sleep(&stream.id, done),
        StreamKind::Job => host.jobs.send_to_sleep(&stream.id, done),
        StreamKind::Gate => host.gates.send_to_sleep(&stream.id, done),
        StreamKind::Worker => host.workers.send_to_sleep(&stream.id, done),
        StreamKind::Durations => host.durations.send_to_sleep(&stream.id, done),
        StreamKind::Flow => host.flow_records.send_to_sleep(&stream.id, done),
        // One of its kind, large to rebuild, and soon asked again: it sleeps when it is idle for long.
        StreamKind::Load => drop(done),
    }
}

/// Sees to it that an entity of any kind is loaded. True when it was asleep.
pub(crate) fn wake(host: &Arc<Host>, stream: &StreamId, wake: Wake) -> bool {
    match stream.kind {
        StreamKind::Topology => host.topology.wake(host, &stream.id, wake),
        StreamKind::Quorum => host.quorums.wake(host, &stream.id, wake),
        StreamKind::Agent => host.agents.wake(host, &stream.id, wake),
        StreamKind::Proposal => host.proposals.wake(host, &stream.id, wake),
        StreamKind::Algorithms => host.algorithms.wake(host, &stream.id, wake),
        StreamKind::Cell => host.cells.wake(host, &stream.id, wake),
        StreamKind::Budget => host.budgets.wake(host, &stream.id, wake),
        StreamKind::Job => host.jobs.wake(host, &stream.id, wake),
        StreamKind::Gate => host.gates.wake(host, &stream.id, wake),
        StreamKind::Worker => host.workers.wake(host, &stream.id, wake),
        StreamKind::Durations => host.durations.wake(host, &stream.id, wake),
        StreamKind::Flow => host.flow_records.wake(host, &stream.id, wake),
        // One of its kind, or none at all behind a timer.
        StreamKind::Load => false,
    }
}

impl Hosted for TopologyMachine {
    fn registry(host: &Host) -> &Registry<Self> {
        &host.topology
    }

    fn context(_: &Host) {}

    fn notices(_: &Config, _: &EntityId, _: &Topology, _: &[topology::Event]) -> Vec<Notice> {
        Vec::new()
    }

    fn observe(_: &Counters, _: &EntityId, events: &[topology::Event]) {
        for event in events {
            tracing::debug!(kind = "topology", event = event.name(), ?event);
        }
    }

    fn carry_out(
        _: Arc<Host>,
        _: EntityId,
        (): (),
    ) -> Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

impl Hosted for QuorumMachine {
    const ENDS: bool = true;

    fn registry(host: &Host) -> &Registry<Self> {
        &host.quorums
    }

    fn context(_: &Host) {}

    fn notices(_: &Config, id: &EntityId, state: &Quorum, events: &[Event]) -> Vec<Notice> {
        let Some(opened) = &state.opened else { return Vec::new() };
        let entity = StreamId::new(StreamKind::Quorum, id.clone());
        let notice = |at, what| Notice { topic: opened.topic.clone(), entity: entity.clone(), at, what };
        let voted = |cast: &VoteCast| {
            let what = What::Voted { voter_id: cast.voter_id.clone(), vote: cast.vote };
            (cast.counting == Counting::Counted).then(|| notice(cast.cast_at, what))
        };
        let heard = |event: &Event| match event {
            Event::Opened(opened) => Some(notice(opened.opened_at, What::Opened)),
            Event::OpenedByRule(by_rule) => Some(notice(by_rule.opened.opened_at, What::Opened)),
            Event::VoteCast(cast) => voted(cast),
            Event::VoteCastWithReason(with) => voted(&with.cast),
            Event::Closed(closed) => Some(notice(closed.closed_at, What::Closed { state: closed.state })),
            Event::VoteRefused(_)
            | Event::VoteRefusedWithReason(_)
            | Event::FallbackOpened { .. }
            | Event::FallbackFailed { .. }
            | Event::Keyed(_) => None,
        };
        events.iter().filter_map(heard).collect()
    }

    fn observe(counters: &Counters, id: &EntityId, events: &[Event]) {
        {
            let mut stats = lock(&counters.quorums);
            events.iter().for_each(|event| stats.apply(event));
        }
        for event in events {
            let outcome = match event {
                Event::Closed(closed) => closed.state.name(),
                _ => "open",
            };
            tracing::debug!(kind = "quorum", entity_id = %id, event = event.name(), outcome);
        }
    }

    fn carry_out(
        host: Arc<Host>,
        id: EntityId,
        effect: Effect,
    ) -> Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>> {
        match effect {
            Effect::OpenFallback(plan) => Box::pin(open_fallback(host, id, plan)),
        }
    }
}

impl Hosted for AgentMachine {
    fn registry(host: &Host) -> &Registry<Self> {
        &host.agents
    }

    fn context(host: &Host) -> LastVote {
        // The counters, not the host: the host holds the actors that hold this.
        let counters = host.counters.clone();
        LastVote::of(move |agent| lock(&counters.agents).last_vote(agent))
    }

    fn notices(config: &Config, id: &EntityId, _: &Agent, events: &[agent::Event]) -> Vec<Notice> {
        let heard = |event: &agent::Event| match event {
            agent::Event::GradeChanged(change) if config.heartbeat.alerts.on(change.to) => Some(Notice {
                topic: format!("agent/{id}"),
                entity: StreamId::new(StreamKind::Agent, id.clone()),
                at: change.at,
                what: What::GradeChanged {
                    from: change.from,
                    to: change.to,
                    last_beat: change.last_beat,
                    elapsed: Duration::from_micros(change.elapsed_us),
                },
            }),
            agent::Event::GradeChanged(_)
            | agent::Event::Registered { .. }
            | agent::Event::Left { .. }
            | agent::Event::MonitoringStarted { .. }
            | agent::Event::MonitoringStopped { .. }
            | agent::Event::Beat { .. }
            | agent::Event::Heard { .. }
            | agent::Event::Resumed { .. } => None,
        };
        events.iter().filter_map(heard).collect()
    }

    fn observe(counters: &Counters, id: &EntityId, events: &[agent::Event]) {
        {
            let agent = VoterId::from(id);
            let mut directory = lock(&counters.agents);
            events.iter().for_each(|event| directory.apply(&agent, event));
        }
        for event in events {
            if let agent::Event::GradeChanged(change) = event {
                let (from, to) = (change.from.name(), change.to.name());
                tracing::info!(kind = "agent", entity_id = %id, event = event.name(), from, to);
            } else {
                tracing::debug!(kind = "agent", entity_id = %id, event = event.name());
            }
        }
    }

    fn follow(host: &Arc<Host>, id: &EntityId, events: &[agent::Event]) {
        for event in events {
            if let agent::Event::GradeChanged(change) = event
                && (change.from == Grade::Failed || change.to == Grade::Failed)
            {
                tell_absence(host, id, change.to == Grade::Failed);
            }
        }
    }

    fn carry_out(
        _: Arc<Host>,
        _: EntityId,
        (): (),
    ) -> Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// The cell of a stream; cells and streams have the same sort of name.
pub(super) fn cell_of(id: &EntityId) -> Result<CellId, Fault> {
    CellId::stored(id.as_str()).map_err(|e| Fault::Corrupt { what: format!("cell has no name: {e}") })
}

/// Runs an operation that a cell or a budget owes.
async fn run_owed(host: Arc<Host>, effect: cell::Effect) -> Result<(), Failure> {
    // What is no longer possible is no longer owed.
    joint::run(&host, Op::from(effect)).await.map(|_| ())
}

impl Hosted for CellMachine {
    fn registry(host: &Host) -> &Registry<Self> {
        &host.cells
    }

    fn context(_: &Host) {}

    fn notices(_: &Config, id: &EntityId, _: &Cell, events: &[cell::Event]) -> Vec<Notice> {
        let heard = |event: &cell::Event| {
            let cell::Event::Granted(granted) = event else { return None };
            Some(Notice {
                topic: format!("cell/{id}"),
                entity: StreamId::new(StreamKind::Cell, id.clone()),
                at: granted.at,
                what: What::Granted {
                    need_id: granted.need.id.clone(),
                    token_ids: granted.tokens.iter().map(|token| token.id.clone()).collect(),
                },
            })
        };
        events.iter().filter_map(heard).collect()
    }

    fn observe(counters: &Counters, id: &EntityId, events: &[cell::Event]) {
        if let Ok(cell) = cell_of(id) {
            let mut stats = lock(&counters.cells);
            events.iter().for_each(|event| stats.apply(&cell, event));
        }
        for event in events {
            tracing::debug!(kind = "cell", entity_id = %id, event = event.name());
        }
    }

    fn follow(host: &Arc<Host>, id: &EntityId, events: &[cell::Event]) {
        host.needs.tell(id, events);
    }

    fn carry_out(
        host: Arc<Host>,
        _: EntityId,
        effect: cell::Effect,
    ) -> Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>> {
        Box::pin(run_owed(host, effect))
    }
}

impl Hosted for BudgetMachine {
    fn registry(host: &Host) -> &Registry<Self> {
        &host.budgets
    }

    fn context(_: &Host) {}

    fn notices(_: &Config, _: &EntityId, _: &Budget, _: &[cell::budget::Event]) -> Vec<Notice> {
        Vec::new()
    }

    fn observe(_: &Counters, id: &EntityId, events: &[cell::budget::Event]) {
        for event in events {
            tracing::debug!(kind = "budget", entity_id = %id, event = event.name());
        }
    }

    fn carry_out(
        host: Arc<Host>,
        _: EntityId,
        effect: cell::Effect,
    ) -> Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>> {
        Box::pin(run_owed(host, effect))
    }
}

/// Opens the global quorum owed by `parent` and records on the parent that it is open, or why it cannot be.
async fn open_fallback(host: Arc<Host>, parent: EntityId, plan: FallbackPlan) -> Result<(), Failure> {
    let asked = Asked { quorum_type: QuorumType::Global, cell_id: None, ring: None, arm: None };
    let mesh = mesh_id();
    let members =
        ask(&host, &host.topology, &mesh, Action::Read, move |view| view.state.membership(&asked)).await?;
    let first = ask(&host, &host.quorums, &parent, Action::Read, |view| view.state.opened.clone()).await?;
    // Where the hub has no authority, nobody decides who was not asked in the first place.
    let (voters, named) = match (members.voters, first.as_deref().map(|opened| &opened.electorate)) {
        (Some(authorities), _) => (Some(authorities), false),
        (None, Some(Electorate::Closed(voters))) => (Some(voters.clone()), true),
        (None, Some(Electorate::Open) | None) => (None, false),
    };
    let policy = first.map_or_else(|| host.config.quorum.policy(), |opened| opened.policy);
    let outcome = if voters.is_none() && host.config.quorum.strict_membership {
        Err(format!("unknown membership. sought={}", members.sought))
    } else {
        let start = Start {
            keyed: None,
            quorum_type: QuorumType::Global,
            required_votes: None,
            rule: None,
            timeout: Duration::from_micros(plan.timeout_us),
            cell_id: None,
            voters,
            named,
            neighbor_count: 0,
            topic: members.topic,
            membership_epoch: members.epoch,
            subject: None,
            policy,
            fallback: None,
            parent: Some(parent.clone()),
        };
        let ours = parent.clone();
        let action = Action::Command(Command::Start(Box::new(start)), None);
        ask(&host, &host.quorums, &plan.child_id, action, move |view| match view.reply {
            Some(Err(Rejection::AlreadyExists))
                if view.state.opened.as_ref().is_some_and(|o| o.parent.as_ref() == Some(&ours)) =>
            {
                Ok(())
            }
            Some(Err(rejection)) => Err(format!("{rejection:?}")),
            Some(Ok(_)) | None => Ok(()),
        })
        .await?
    };
    let record = Action::Command(Command::RecordFallback(outcome), None);
    ask(&host, &host.quorums, &parent, record, |_| ()).await
}

/// Id of the one mesh registry.
pub(crate) fn mesh_id() -> EntityId {
    match EntityId::new(topology::STREAM) {
        Ok(id) => id,
        Err(e) => unreachable!("the mesh has a valid id: {e}"),
    }
}
