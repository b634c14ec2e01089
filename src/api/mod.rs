//! The Rust door: one cheap, cloneable handle to a runtime, with typed methods grouped by noun.
//!
//! ```text
//!  Quorate ─┬─ quorums()  start · vote · status · list · history · stats · cancel · wait
//!           ├─ consensus()   request · vote · result · spend · extend · cancel · inbox · list_open · history · stats
//!           ├─ algorithms()  register · register_custom · unregister · set_default · list
//!           ├─ capacity()  request · cancel · acquire · offer · ack · release · renew · transfer · revoke · configure · status · holders · stats
//!           ├─ sessions()  open · vote · end_round · result · spend · list · extend · delegate · remind · cancel · certificate
//!           ├─ voters()    register · state · list · quarantine · release · feedback · rotate,  candidates()  register · select
//!           ├─ jobs()      submit · lead · progress · extend · workflow · transfer · complete · cancel · status · list · why
//!           ├─ workers()   register · take · beat · report · list · lost · healthy · leave · status
//!           ├─ cells()       register · list · mesh · register_authority
//!           ├─ agents()      register · leave · beat · health · monitor · unmonitor · history · list · stats
//!           ├─ flows()       open · offer · drain · status · recommendation · configure · close
//!           ├─ shedding()    check · release · record · status
//!           ├─ stats()       record · level · summary,  pressure()  status
//!           ├─ members()     attach · list · metrics · validate
//!           ├─ coordinates() update · estimate
//!           ├─ datacenters() update · remove · list
//!           ├─ routes()      job · failure · accept · forget · state
//!           ├─ leases()      list,  stops()  engage · release · list · status · signal,  retention()  hold · release · list
//!           ├─ identities()  create · rotate · revoke · grant · list,  hooks()  register · list · resume · remove
//!           ├─ overview()  show · inbox,  journal()  groups,  subjects()  shred · list · show
//!           └─ history()     query · entity · state_at · verify · checkpoint · prove · prove_records · prove_consistency
//!  as_identity(..)  the same methods, each checked for one identity
//!  ops::OPERATIONS        the same, by name, over JSON: what HTTP, the command line and play stand on
//! ```

mod acts;
pub mod agent;
pub mod algorithm;
#[cfg(feature = "store-sled")]
pub mod backup;
pub mod caller;
pub mod candidate;
mod canonical;
pub mod capacity;
mod capacity_holders;
mod capacity_view;
pub mod cell;
pub mod certificate;
pub mod class;
mod closed;
pub mod consensus;
mod consensus_time;
mod cursor;
pub mod dto;
mod effects;
pub mod emergence;
mod event_names;
mod event_view;
pub mod events;
pub mod export;
pub mod flow;
mod health;
mod hidden;
pub mod history;
pub mod hold;
pub mod hooks;
pub mod identified;
pub mod identity;
mod inbox;
pub mod job;
mod job_aim;
mod job_lead;
mod job_list;
mod job_places;
mod job_time;
mod job_view;
pub mod journal;
pub mod json;
mod keyed;
mod known;
pub mod lease;
pub mod member;
#[cfg(all(any(feature = "store-fjall", feature = "store-postgres"), feature = "store-sled"))]
pub mod moving;
pub mod nearest;
pub mod network;
mod network_view;
pub mod nouns;
mod opened;
pub mod ops;
pub mod outcome;
pub mod overview;
pub mod pressure;
pub mod proofs;
pub mod quorum;
mod quorum_list;
mod quorum_view;
#[cfg(feature = "store-sled")]
pub mod recover;
mod reserve;
pub mod retention;
mod sealing;
pub mod session;
mod session_plan;
mod session_view;
pub mod shards;
pub mod shedding;
mod sought;
mod spend;
pub mod stats;
pub mod stop;
pub mod subject;
mod texts;
pub mod voter;
pub(crate) mod wait;
pub mod wire;
pub mod worker;
mod worker_take;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, oneshot};

use self::caller::Caller;
use crate::config::Config;
use crate::core::kernel::time::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::journal::{Fault, Store};
use crate::shell::access::Access;
use crate::shell::bus::Notice;
use crate::shell::post::Lossy;
pub use crate::shell::post::{Mailbox, NetworkFaults};
use crate::shell::runtime::{Ending, Runtime};
pub use crate::shell::supervisor::recovery::RecoveryReport;
pub use crate::shell::supervisor::timeouts::{LAGS_MS, Lag};
use crate::store;

/// A running Quorate. Clones share it; dropping the last one shuts down cleanly. It works inside any program that polls
/// futures: the actors run on threads of their own.
///
/// ```
/// use quorate::{Config, Quorate, StartQuorum, Vote};
///
/// # #[tokio::main] async fn main() -> Result<(), quorate::Error> {
/// let q = Quorate::open(Config::memory()).await?;
/// let started = q.quorums().start(StartQuorum::global().with_voters(["ann", "bob"])?).await?;
/// q.quorums().vote(Vote::new(&started.quorum_id, "ann", true)?).await?;
/// let vote = q.quorums().vote(Vote::new(&started.quorum_id, "bob", true)?).await?;
/// assert_eq!(vote.state.name(), "approved");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Quorate {
    runtime: Arc<Runtime>,
    /// The way to the entities, under the name of who calls.
    access: Access,
    /// Who calls; nobody is asked who opened the runtime itself.
    caller: Option<Caller>,
    /// The node of this process, if it is one.
    members: member::Slot,
    /// The shards that answer in place of this runtime, where the journal is one of several.
    shards: Option<Arc<shards::Shards>>,
}

impl std::fmt::Debug for Quorate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Quorate").field("report", self.runtime.report()).finish()
    }
}

/// Runs a blocking piece of work on a thread of its own; any executor can wait for it.
async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Error> {
    let (done, result) = oneshot::channel();
    std::thread::Builder::new()
        .name("quorate-open".into())
        .spawn(move || {
            let _ = done.send(work());
        })
        .map_err(|e| Error::new(ErrorKind::StoreError, format!("no thread: {e}")))?;
    Ok(result.await.map_err(|_| Error::new(ErrorKind::StoreError, "opening was cut off"))??)
}

impl Quorate {
    /// Opens the store the configuration names, recovers, and returns a handle that can be used at once.
    ///
    /// # Errors
    /// `invalid_argument` for a setting out of bounds; `store_missing`, `store_foreign`, `store_version`,
    /// `store_locked`, `store_corrupt`, `store_error` from the store.
    pub async fn open(config: Config) -> Result<Self, Error> {
        config.check()?;
        let entry = store::STORES.iter().find(|entry| entry.name == config.store).ok_or_else(|| {
            let names: Vec<&str> = store::STORES.iter().map(|entry| entry.name).collect();
            Error::invalid("store", config.store.as_str(), &format!("one of {}", names.join(", ")))
        })?;
        on_thread(move || {
            let store = (entry.open)(&config.store_options)?;
            Runtime::open(config, store)
        })
        .await
        .map(Quorate::over)
    }

    /// Opens a runtime on a store you bring: your own backend, or one wrapped for fault injection.
    ///
    /// # Errors
    /// As [`Quorate::open`].
    pub async fn open_with(config: Config, store: Arc<dyn Store>) -> Result<Self, Error> {
        on_thread(move || Runtime::open(config, store)).await.map(Quorate::over)
    }

    /// Opens a data folder to read it, at the instant of its last record: every reading operation answers what is on
    /// record, and every other one is refused. Nothing in the folder changes, its lock is not taken, and what is sound
    /// in a damaged folder can be read; [`Quorate::recovery_report`] says in `store.dropped` what is missing. A database is
    /// read beside its owner, as of this moment.
    ///
    /// # Errors
    /// As [`Quorate::open`], but not `store_corrupt`.
    #[cfg(feature = "store-sled")]
    pub async fn open_to_read(config: Config) -> Result<Self, Error> {
        let entry = store::STORES.iter().find(|entry| entry.database && entry.name == config.store);
        on_thread(move || {
            if let Some(entry) = entry {
                let store =
                    (entry.open)(&store::StoreOptions { create: false, ..config.store_options.clone() })?;
                return Runtime::open_to_read(config, store);
            }
            let no_path =
                || Fault::Unavailable { reason: "no data folder was named; give the store a path".into() };
            let path = config.store_options.path.clone().ok_or_else(no_path)?;
            let store = Arc::new(store::salvage::ReadStore::open(&path)?);
            Runtime::open_to_read(config, store)
        })
        .await
        .map(Quorate::over)
    }

    fn over(runtime: Runtime) -> Self {
        history::keep_indexed(runtime.host());
        let access = Access::open(runtime.host().clone());
        Quorate {
            runtime: Arc::new(runtime),
            access,
            caller: None,
            members: member::Slot::default(),
            shards: None,
        }
    }

    /// Operations on quorums.
    pub fn quorums(&self) -> quorum::Quorums<'_> {
        quorum::Quorums { q: self }
    }

    /// Operations on proposals: questions put to the registered agents.
    ///
    /// ```
    /// use quorate::{Choice, Config, ConsensusVote, Quorate, RegisterAgent, RequestConsensus};
    ///
    /// # #[tokio::main] async fn main() -> Result<(), quorate::Error> {
    /// let q = Quorate::open(Config::memory()).await?;
    /// for name in ["ann", "bob", "cid"] {
    ///     let agent = RegisterAgent::new(name)?;
    ///     let mut inbox = q.consensus().inbox(&agent.agent_id);
    ///     q.agents().register(agent).await?;
    ///     let q = q.clone();
    ///     tokio::spawn(async move {
    ///         while let Some(asked) = inbox.recv().await {
    ///             let vote = if asked.proposal["risk"] == "low" { Choice::For } else { Choice::Against };
    ///             q.consensus().vote(ConsensusVote::new(&asked.proposal_id, name, vote)?).await?;
    ///         }
    ///         Ok::<(), quorate::Error>(())
    ///     });
    /// }
    ///
    /// let question = serde_json::json!({ "action": "deploy", "risk": "low" });
    /// let result = q.consensus().request(RequestConsensus::new(question)).await?;
    /// assert_eq!(result.state, "approved"); // two of three are more than half; the third is not waited for
    /// assert_eq!(result.metadata.total_participants, 3);
    /// # Ok(()) }
    /// ```
    pub fn consensus(&self) -> consensus::Consensus<'_> {
        consensus::Consensus { q: self }
    }

    /// Operations on the algorithms proposals are decided by: rules, and functions of this process.
    ///
    /// ```
    /// use quorate::{Choice, Config, Outcome, Poll, Quorate, WeightTable};
    ///
    /// # #[tokio::main] async fn main() -> Result<(), quorate::Error> {
    /// let q = Quorate::open(Config::memory()).await?;
    /// // One vote for is enough, and nobody can prevent it.
    /// let anyone = |poll: &Poll<'_>| match poll.count(Choice::For) {
    ///     0 => Outcome::Pending,
    ///     _ => Outcome::Won,
    /// };
    /// assert!(q.algorithms().register_custom("anyone", WeightTable::default(), anyone)?);
    /// assert_eq!(q.algorithms().list()?.algorithms[1].name, "anyone");
    /// # Ok(()) }
    /// ```
    pub fn algorithms(&self) -> algorithm::Algorithms<'_> {
        algorithm::Algorithms { q: self }
    }

    /// Operations on sessions: questions that hold against voters that lie.
    ///
    /// ```
    /// use quorate::{Choice, Config, OpenSession, Quorate, RegisterVoter, SessionVote};
    ///
    /// # #[tokio::main] async fn main() -> Result<(), quorate::Error> {
    /// let q = Quorate::open(Config::memory()).await?;
    /// let mut handles = Vec::new();
    /// for name in ["ann", "bob", "cid", "dan"] {
    ///     let voter = q.voters().register(RegisterVoter::new(name)?).await?;
    ///     handles.push((name, voter.handle.unwrap_or_default()));
    /// }
    /// let session = q.sessions().open(OpenSession::new("deploy".into())).await?;
    /// let vote = |name: &str, vote, handle: &str| SessionVote::new(&session.session_id, name, vote, handle);
    /// for (name, handle) in &handles[..3] {
    ///     q.sessions().vote(vote(name, Choice::For, handle)?).await?;
    /// }
    /// let ended = q.sessions().result(session.session_id.clone().into()).await?;
    /// assert_eq!((ended.status.as_str(), ended.byzantine_safe), ("completed", true));
    /// // Two votes that contradict each other are evidence, and cost a voter its trust.
    /// let (name, handle) = &handles[0];
    /// let lie = q.sessions().vote(vote(name, Choice::Against, handle)?).await.unwrap_err();
    /// assert_eq!(lie.kind().name(), "byzantine_fault");
    /// # Ok(()) }
    /// ```
    pub fn sessions(&self) -> session::Sessions<'_> {
        session::Sessions { q: self }
    }

    /// What a crowd did beyond its votes.
    pub fn emergence(&self) -> emergence::Emergence<'_> {
        emergence::Emergence { q: self }
    }

    /// Operations on the voters of sessions: how they prove who they are, and how far they are trusted.
    pub fn voters(&self) -> voter::Voters<'_> {
        voter::Voters { q: self }
    }

    /// Choosing among candidates by eight criteria, such that the chosen ones are not all alike.
    pub fn candidates(&self) -> candidate::Candidates<'_> {
        candidate::Candidates { q: self }
    }

    /// Operations on capacity: cells that lend and borrow it, and the budgets above them.
    ///
    /// ```
    /// use quorate::{Config, Quorate, RequestCapacity};
    ///
    /// # #[tokio::main] async fn main() -> Result<(), quorate::Error> {
    /// let q = Quorate::open(Config::memory()).await?;
    /// let all = q.capacity().request(RequestCapacity::new("A1")?.of(1.0)).await?;
    /// assert_eq!(all.status, "granted");
    /// let more = q.capacity().request(RequestCapacity::new("A1")?.of(0.1)).await?;
    /// assert_eq!(more.status, "pending"); // waits for a release or for the offer of a neighbour
    /// # Ok(()) }
    /// ```
    pub fn capacity(&self) -> capacity::Capacity<'_> {
        capacity::Capacity { q: self }
    }

    /// Operations on jobs: how much time they have, who leads them, how they end; and on their gates.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use quorate::ClockConfig;
    /// use quorate::Timestamp;
    /// use quorate::{Config, JobRef, Quorate, SubmitJob};
    ///
    /// # #[tokio::main] async fn main() -> Result<(), quorate::Error> {
    /// let q = Quorate::open(Config { clock: ClockConfig::Manual(Timestamp::EPOCH), ..Config::memory() }).await?;
    /// let submit = SubmitJob { timeout_seconds: Some(60.0), ..SubmitJob::default() };
    /// let job_id = q.jobs().submit(submit).await?.job_id;
    /// q.advance(Duration::from_secs(61)).await?;
    /// let status = q.jobs().status(JobRef { job_id, datacenter: None }).await?;
    /// assert_eq!(status.status, "timeout");
    /// # Ok(()) }
    /// ```
    pub fn jobs(&self) -> job::Jobs<'_> {
        job::Jobs { q: self }
    }

    /// The overview: what is open, what waits for whom, what is overdue, what is wrong.
    pub fn overview(&self) -> overview::Overviews<'_> {
        overview::Overviews { q: self }
    }

    /// Operations on stops: what may not be done until those who were named let it go on.
    pub fn stops(&self) -> stop::StopCalls<'_> {
        stop::StopCalls { q: self }
    }

    /// Operations on leases: who holds which job, and how long still.
    pub fn leases(&self) -> lease::Leases<'_> {
        lease::Leases { q: self }
    }

    /// Operations on workers: who runs the workflows of jobs.
    pub fn workers(&self) -> worker::Workers<'_> {
        worker::Workers { q: self }
    }

    /// Operations on membership: who is there, as the node of this process sees it.
    pub fn members(&self) -> member::Members<'_> {
        member::Members { q: self }
    }

    /// Tries out a network with faults between gates, managers and workers of this process, from now on.
    pub fn network_faults(&self, faults: NetworkFaults) {
        *crate::shell::lock(&self.host().transport) = Arc::new(Lossy::new(faults));
    }

    /// Where the other end of a wire hands in what came over it; see [`Transport`](crate::shell::post::Transport).
    pub fn mailbox(&self) -> Mailbox {
        self.host().mailbox.clone()
    }

    /// Operations on the mesh registry.
    pub fn cells(&self) -> cell::Cells<'_> {
        cell::Cells { q: self }
    }

    /// Operations on agents and their heartbeats.
    pub fn agents(&self) -> agent::Agents<'_> {
        agent::Agents { q: self }
    }

    /// Operations on flow-controlled streams.
    ///
    /// ```
    /// use quorate::{DrainFlow, OfferMessage, OpenFlow};
    /// use quorate::flow::FlowConfig;
    /// use quorate::{Config, Quorate};
    ///
    /// # #[tokio::main] async fn main() -> Result<(), quorate::Error> {
    /// let q = Quorate::open(Config::memory()).await?;
    /// let config = FlowConfig { max_buffer_size: 2, ..FlowConfig::default() };
    /// q.flows().open(OpenFlow::new("readings", config)?).await?;
    /// for reading in [1, 2, 3] {
    ///     assert!(q.flows().offer(OfferMessage::new("readings", reading)?).await?.accepted);
    /// }
    /// let page = q.flows().drain(DrainFlow { flow_id: "readings".parse().unwrap(), count: None }).await?;
    /// assert_eq!((page.messages[0].message.as_u64(), page.lagged[0].count), (Some(2), 1));
    /// # Ok(()) }
    /// ```
    pub fn flows(&self) -> flow::Flows<'_> {
        flow::Flows { q: self }
    }

    /// Operations on the coordinates of nodes: how far they are apart.
    pub fn coordinates(&self) -> network::Coordinates<'_> {
        network::Coordinates { q: self }
    }

    /// Operations on datacenters: how they are, and how far away.
    pub fn datacenters(&self) -> network::Datacenters<'_> {
        network::Datacenters { q: self }
    }

    /// Operations on the routes of jobs: which datacenter a job goes to.
    ///
    /// ```
    /// use quorate::{Config, Quorate, RouteJob, UpdateDatacenter, id};
    ///
    /// # #[tokio::main] async fn main() -> Result<(), quorate::Error> {
    /// let q = Quorate::open(Config::memory()).await?;
    /// for (name, rtt_ms) in [("east", 12.0), ("west", 80.0)] {
    ///     let heard = UpdateDatacenter::of(id("datacenter_id", name)?);
    ///     let heard = UpdateDatacenter { available_cores: Some(64), rtt_ucb_ms: Some(rtt_ms), ..heard };
    ///     q.datacenters().update(heard).await?;
    /// }
    /// let decision = q.routes().job(RouteJob::of(id("job_id", "train")?)).await?;
    /// assert_eq!(decision.primary_datacenters[0].as_str(), "east");
    /// assert_eq!(decision.reason.name(), "INITIAL_SELECTION");
    /// # Ok(()) }
    /// ```
    pub fn routes(&self) -> network::Routes<'_> {
        network::Routes { q: self }
    }

    /// Operations on back-pressure between managers, workers and gates.
    pub fn pressure(&self) -> pressure::Pressure<'_> {
        pressure::Pressure { q: self }
    }

    /// Operations on load shedding.
    pub fn shedding(&self) -> shedding::Shedding<'_> {
        shedding::Shedding { q: self }
    }

    /// Operations on the statistics of running work.
    pub fn stats(&self) -> stats::Stats<'_> {
        stats::Stats { q: self }
    }

    /// Operations on identities: who may do what, and in whose name.
    pub fn identities(&self) -> identity::Identities<'_> {
        identity::Identities { q: self }
    }

    /// The journal as it is stored.
    pub fn journal(&self) -> journal::Journal<'_> {
        journal::Journal { q: self }
    }

    /// Queries over what happened.
    pub fn history(&self) -> history::History<'_> {
        history::History { q: self }
    }

    /// Hears every notice from now on, after it is durable.
    pub fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.host().bus.subscribe()
    }

    /// The runtime's present instant.
    pub fn now(&self) -> Timestamp {
        self.host().clock.now()
    }

    /// Moves a manual clock ahead by `by`; every deadline on the way fires at its own instant, in order.
    ///
    /// # Errors
    /// `invalid_argument` when the runtime runs on the OS clock.
    pub async fn advance(&self, by: Duration) -> Result<(), Error> {
        self.advance_to(self.now().plus(by)).await
    }

    /// Moves a manual clock ahead to `to`; an instant that has passed changes nothing.
    ///
    /// # Errors
    /// `invalid_argument` when the runtime runs on the OS clock.
    pub async fn advance_to(&self, to: Timestamp) -> Result<(), Error> {
        if !self.host().clock.is_manual() {
            return Err(Error::invalid("clock", "system", "a manual clock"));
        }
        self.runtime.advance(to).await;
        Ok(())
    }

    /// What opening found and did.
    pub fn recovery_report(&self) -> &RecoveryReport {
        self.runtime.report()
    }

    /// How late deadlines were noticed since the process began.
    pub fn deadline_lag(&self) -> Lag {
        self.host().wheel.lags.read()
    }

    /// Shuts down: what was accepted is committed, indexes are written, the store is closed. Other clones of the
    /// handle are refused from then on.
    ///
    /// # Errors
    /// The store's fault, when it could not be closed cleanly; nothing acknowledged is lost even then.
    pub async fn close(self) -> Result<(), Error> {
        let runtime = self.runtime.clone();
        on_thread(move || runtime.end(Ending::Clean)).await
    }

    /// Ends the runtime as a killed process would: queued work is dropped, nothing is flushed. For tests of
    /// recovery, and `quorate play`.
    pub async fn crash(self) {
        let runtime = self.runtime.clone();
        // The fault of a store nobody closes says nothing new.
        let _ = on_thread(move || runtime.end(Ending::Crash)).await;
    }

    pub(crate) fn host(&self) -> &Access {
        &self.access
    }

    /// Applies everything that fell due, so that a read over all entities sees no expired one as live.
    pub(crate) async fn settle(&self) {
        self.runtime.settle().await;
    }

    /// Waits until effects under way are carried out.
    pub async fn effects_done(&self) {
        self.runtime.effects_done().await;
    }
}
