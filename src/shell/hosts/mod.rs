//! The kinds of entity as the shell runs them: one line in a table, and a file each for what differs outside of the
//! machines (what is heard and counted of them, and how their effects are carried out).
//!
//! ```text
//!  hosts! { Quorum => quorums: QuorumMachine, … }     kind of stream · registry · machine
//!     ├─► Kinds { quorums: Registry<QuorumMachine>, … }   asked by name where the machine is known
//!     └─► kinds.of(stream.kind) -> &dyn AnyRegistry       asked by stream where it is not
//! ```
//!
//! A new kind is its machine, its file here and its line: a kind of stream without a line does not compile.

mod agent;
mod algorithms;
mod budget;
mod cell;
mod coordinate;
mod datacenter;
mod durations;
mod flow;
mod gate;
mod hook;
mod identity;
mod job;
mod load;
mod member;
mod names;
mod proposal;
mod quorum;
mod retention;
mod route;
mod session;
mod stops;
mod subjects;
mod topology;
mod voter;
mod worker;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::ArbiterHandle;
use tokio::sync::oneshot;

pub(in crate::shell) use self::cell::cell_of;
pub(crate) use self::datacenter::datacenters_id;
pub(crate) use self::retention::retention_id;
pub(crate) use self::session::tell_voters;
pub(crate) use self::stops::stops_id;
pub(crate) use self::subjects::subjects_id;
pub(crate) use self::topology::mesh_id;
use super::asked::Question;
use super::bus::Notice;
use super::counters::Counters;
use super::entity::{Errand, Poke, Wake};
use super::host::Host;
use super::lanes::Lane;
use super::registry::Registry;
use super::stops::Bearing;
use super::writer::Failure;
use crate::config::Config;
use crate::core::capacity::cell::{BudgetMachine, CellMachine};
use crate::core::jobs::durations::DurationsMachine;
use crate::core::jobs::gate::GateMachine;
use crate::core::jobs::manager::JobMachine;
use crate::core::jobs::worker::WorkerMachine;
use crate::core::kernel::Machine;
use crate::core::kernel::ids::{EntityId, StreamKind};
use crate::core::kernel::time::Timestamp;
use crate::core::load::flow::record::FlowMachine;
use crate::core::load::record::LoadMachine;
use crate::core::network::coordinate::record::CoordinateMachine;
use crate::core::network::datacenter::DatacentersMachine;
use crate::core::network::member::record::MemberMachine;
use crate::core::network::route::record::RouteMachine;
use crate::core::trust::hook::HookMachine;
use crate::core::trust::identity::IdentityMachine;
use crate::core::trust::retention::RetentionMachine;
use crate::core::trust::stop::{Stops, StopsMachine};
use crate::core::trust::subject::SubjectsMachine;
use crate::core::voting::agent::AgentMachine;
use crate::core::voting::algorithms::AlgorithmsMachine;
use crate::core::voting::proposal::ProposalMachine;
use crate::core::voting::quorum::QuorumMachine;
use crate::core::voting::session::SessionMachine;
use crate::core::voting::topology::TopologyMachine;
use crate::core::voting::voter::VoterMachine;

/// What becomes of an effect.
pub(crate) type Carried = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// A machine that has a line in the table.
pub(crate) trait Listed: Machine {
    /// Where its actors are.
    fn registry(host: &Host) -> &Registry<Self>
    where
        Self: Hosted + Sized;
}

/// The actors of one kind, whichever it is.
pub(crate) trait AnyRegistry {
    /// Makes an entity look at what is due or owed.
    fn poke(&self, host: &Arc<Host>, id: &EntityId, poke: Poke);
    /// Makes an entity send what falls due.
    fn errand(&self, host: &Arc<Host>, id: &EntityId, errand: Errand);
    /// Lets an entity go to sleep, if it is idle; `done` is dropped when it sleeps, or will not.
    fn rest(&self, id: &EntityId, done: Option<oneshot::Sender<()>>);
    /// Sees to it that an entity is loaded. True when it was asleep.
    fn wake(&self, host: &Arc<Host>, id: &EntityId, wake: Wake) -> bool;
    /// Asks every actor that was idle for long to go to sleep.
    fn sweep(&self);
    /// How many actors are awake.
    fn awake(&self) -> usize;
    /// The most actors that were ever awake at the same time.
    fn most_awake(&self) -> usize;
}

impl<M: Hosted> AnyRegistry for Registry<M> {
    fn poke(&self, host: &Arc<Host>, id: &EntityId, poke: Poke) {
        if let Some(poke) = M::look(host, id, poke) {
            Registry::poke(self, host, id, poke);
        }
    }

    fn errand(&self, host: &Arc<Host>, id: &EntityId, errand: Errand) {
        Registry::errand(self, host, id, errand);
    }

    fn rest(&self, id: &EntityId, done: Option<oneshot::Sender<()>>) {
        if M::RESTS {
            self.send_to_sleep(id, done);
        }
    }

    fn wake(&self, host: &Arc<Host>, id: &EntityId, wake: Wake) -> bool {
        M::RESTS && Registry::wake(self, host, id, wake)
    }

    fn sweep(&self) {
        Registry::sweep(self);
    }

    fn awake(&self) -> usize {
        Registry::awake(self)
    }

    fn most_awake(&self) -> usize {
        Registry::most_awake(self)
    }
}

macro_rules! hosts {
    ($($kind:ident => $field:ident: $machine:ident,)+) => {
        /// The registries of all kinds.
        pub(crate) struct Kinds {
            $(pub(crate) $field: Registry<$machine>,)+
        }

        impl Kinds {
            pub(crate) fn new(arbiters: &[ArbiterHandle]) -> Self {
                Kinds { $($field: Registry::new(arbiters.to_vec()),)+ }
            }

            /// The registry of a kind.
            pub(crate) fn of(&self, kind: StreamKind) -> &dyn AnyRegistry {
                match kind {
                    $(StreamKind::$kind => &self.$field,)+
                }
            }
        }

        $(impl Listed for $machine {
            fn registry(host: &Host) -> &Registry<Self> {
                &host.kinds.$field
            }
        })+

        /// The names of the events of a kind, taken from the types that are stored.
        pub(crate) fn event_names(kind: StreamKind) -> &'static [&'static str] {
            match kind {
                $(StreamKind::$kind => names::variants::<<$machine as Machine>::Event>(),)+
            }
        }
    };
}

hosts! {
    Topology => topology: TopologyMachine,
    Quorum => quorums: QuorumMachine,
    Agent => agents: AgentMachine,
    Proposal => proposals: ProposalMachine,
    Algorithms => algorithms: AlgorithmsMachine,
    Cell => cells: CellMachine,
    Budget => budgets: BudgetMachine,
    Job => jobs: JobMachine,
    Gate => gates: GateMachine,
    Worker => workers: WorkerMachine,
    Durations => durations: DurationsMachine,
    Flow => flow_records: FlowMachine,
    Load => load_records: LoadMachine,
    Voter => voters: VoterMachine,
    Session => sessions: SessionMachine,
    Identity => identities: IdentityMachine,
    Datacenter => datacenters: DatacentersMachine,
    Route => routes: RouteMachine,
    Coordinate => coordinates: CoordinateMachine,
    Stops => stops: StopsMachine,
    Retention => retention: RetentionMachine,
    Member => members: MemberMachine,
    Hook => hooks: HookMachine,
    Subjects => subjects: SubjectsMachine,
}

impl Kinds {
    /// The registries of all kinds.
    pub(crate) fn all(&self) -> impl Iterator<Item = &dyn AnyRegistry> {
        StreamKind::ALL.iter().map(|kind| self.of(*kind))
    }
}

/// A machine the shell can run.
pub(crate) trait Hosted: Machine + Listed {
    /// Entities of this kind come to an end; the journal lists those that did.
    const ENDS: bool = false;

    /// Is it over for good, so that it may be pruned once nothing is due or owed any more? Of kinds that end alone.
    #[cfg_attr(not(feature = "store-sled"), allow(dead_code))]
    fn is_over(_: &Self::State, _: Timestamp) -> bool {
        false
    }

    /// Goes to sleep when it is told to, and not only when it was idle for long.
    const RESTS: bool = true;

    /// What a command does, as the stops see it: does somebody act, and who? What ends, withdraws, reports or registers
    /// something, and what says that somebody is alive, passes whatever is stopped.
    fn bearing(id: &EntityId, state: &Self::State, command: &Self::Command) -> Bearing;

    /// The stops, where they are what is kept.
    fn stops(_: &Self::State) -> Option<&Stops> {
        None
    }

    /// Where a command waits for its turn. Progress may be passed; everything else keeps its order.
    fn lane(_: &Self::Command) -> Lane {
        Lane::First
    }

    /// What its deciders may consult.
    fn context(_: &Host) -> Self::Context {
        Self::Context::default()
    }

    /// What subscribers hear of these events.
    fn notices(_: &Config, _: &EntityId, _: &Self::State, _: &[Self::Event]) -> Vec<Notice> {
        Vec::new()
    }

    /// Adds durable events to the counters and traces them.
    fn observe(counters: &Counters, id: &EntityId, events: &[Self::Event]);

    /// Does an event open a question, or end one?
    fn question(_: &Self::Event) -> Option<Question> {
        None
    }

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
    fn at_once(_: &Arc<Host>, _: &Self::Effect) -> bool {
        false
    }

    /// Tries to carry out an effect once. A fault means: try again.
    fn carry_out(_: Arc<Host>, _: EntityId, _: Self::Effect) -> Carried {
        Box::pin(std::future::ready(Ok(())))
    }

    /// What is due may be looked after elsewhere; then the actor is not asked.
    fn look(_: &Arc<Host>, _: &EntityId, poke: Poke) -> Option<Poke> {
        Some(poke)
    }
}

/// First and longest pause before an effect is tried again.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

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
