//! Every knob: what it means, its unit and bounds, and what too large and too small do.

mod flow;
mod hooks;
pub mod ms;
mod network;
mod session;

use std::collections::BTreeSet;
use std::path::PathBuf;
#[cfg(feature = "runtime")]
use std::sync::Arc;
use std::time::Duration;

pub use flow::FlowLimits;
pub use hooks::HooksConfig;
pub use network::NetworkConfig;
use serde::{Deserialize, Serialize};
pub use session::SessionConfig;

use crate::core::capacity::cell;
use crate::core::jobs::durations;
use crate::core::jobs::gate;
use crate::core::jobs::manager as job;
use crate::core::jobs::worker;
use crate::core::kernel::ids::EntityId;
use crate::core::kernel::shards::OneShard;
use crate::core::kernel::time::Timestamp;
use crate::core::load::shed::{AdmissionConfig, DetectorConfig, LatencyConfig};
use crate::core::voting::agent::grade::Bounds;
use crate::core::voting::agent::{Grade, Settings};
use crate::core::voting::quorum::Policy;
use crate::journal::Fault;
#[cfg(feature = "runtime")]
use crate::shell::coordinator::Coordinator;
#[cfg(feature = "runtime")]
use crate::shell::custom::CustomRuleSet;
#[cfg(feature = "runtime")]
use crate::shell::post::Transport;
#[cfg(feature = "runtime")]
use crate::shell::sampler::Sampler;
use crate::store::StoreOptions;

/// Settings of one runtime. Checked when it opens. As a file they have the names of their fields, durations in milliseconds;
/// what only a program can bring is left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Config {
    /// Name of the store, from [`crate::store::STORES`].
    pub store: String,
    /// Where and how the store keeps its bytes.
    pub store_options: StoreOptions,
    /// Where time comes from.
    #[serde(skip)]
    pub clock: ClockConfig,
    /// Seed of minted ids, and of the keys of data subjects where no folder keeps them. `None`, the default, mints random ones; a
    /// seed makes runs repeatable, and ids and those keys guessable: for tests only.
    pub seed: Option<u64>,
    /// The shard that this runtime serves, where the journal is one of several: ids are minted such that they fall on it.
    #[serde(skip)]
    pub shard: Option<OneShard>,
    /// Folder of the keys of data subjects; `subjects` in the data folder when left out. A database must name one to take personal data.
    pub subject_keys: Option<PathBuf>,
    /// Requests admitted and not yet answered, 1 to 10,000,000, default 65,536. Too small refuses bursts with
    /// `overloaded`; too large lets memory grow (about 1 KiB each) when the disk stalls. Those who wait for a quorum
    /// to close are counted apart, up to the same number.
    pub max_in_flight: usize,
    /// Bytes of records one flush may cover, 4 KiB to 64 MiB, default 4 MiB. Too small caps throughput; too large
    /// makes the first of a burst wait for the last.
    pub group_bytes: usize,
    /// Threads that run entity actors, 1 to 256. Default: half the processors, at least 1 (writer, completions and
    /// callers need the others).
    pub entity_threads: usize,
    /// An entity without messages for about this long is put to sleep; 100 ms to 1 day, default 60 s. Too short
    /// rebuilds entities over and over; too long keeps idle ones in memory.
    #[serde(rename = "idle_after_ms", with = "ms")]
    pub idle_after: Duration,
    /// Records of one entity between two snapshots, from 16, default 4,096. Too small writes large states often;
    /// too large makes waking a long-lived entity slow (about a second for a million records).
    pub snapshot_every: u64,
    /// Records of a block of the index of history, up to 4,096, the default; 0 keeps no index. Too small makes many files; without
    /// an index a question about all entities reads every record. No answer depends on it.
    pub index_block: u64,
    /// Open questions of one identity, of each kind by itself (quorums, proposals, sessions), from 1, default 10,000; and never
    /// more than half of what may be open of that kind, so that one leaves room for others. The next one is refused with
    /// `limit_exceeded`. What one identity begins at the same instant may pass it by as many.
    pub max_open_each: u64,
    /// Limits and defaults of quorums.
    pub quorum: QuorumConfig,
    /// Limits and defaults of proposals.
    pub consensus: ConsensusConfig,
    /// Limits of sessions.
    pub session: SessionConfig,
    /// The way to the agents; the built-in one when `None`.
    #[cfg(feature = "runtime")]
    #[serde(skip)]
    pub coordinator: Option<Arc<dyn Coordinator>>,
    /// The way between gates, managers and workers; within this process when `None`. To other processes over a wire of
    /// yours: [`PerDestination`](crate::shell::outgoing::PerDestination).
    #[cfg(feature = "runtime")]
    #[serde(skip)]
    pub transport: Option<Arc<dyn Transport>>,
    /// Who measures the load of the machine, every [`DetectorConfig::every`]; nobody when `None`, the default. With one,
    /// a busy machine makes this process refuse work, by class.
    #[cfg(feature = "runtime")]
    #[serde(skip)]
    pub sampler: Option<Arc<dyn Sampler>>,
    /// Custom rules known from the start, also to proposals that an earlier process left open.
    #[cfg(feature = "runtime")]
    #[serde(skip)]
    pub custom_rules: CustomRuleSet,
    /// How agents are watched when nothing else is asked for, and what is told of them.
    pub heartbeat: HeartbeatConfig,
    /// How cells are set up that take part in the exchange of capacity for the first time.
    pub capacity: CapacityConfig,
    /// How jobs are run, and where.
    pub jobs: JobsConfig,
    /// How far nodes are apart, and which datacenter a job goes to.
    pub network: NetworkConfig,
    /// How hooks are delivered.
    pub hooks: HooksConfig,
    /// Limits of flow-controlled streams.
    pub flow: FlowLimits,
    /// When load is shed, and how it is measured.
    pub shedding: SheddingConfig,
    /// Restarts of entity actors that died.
    pub restart: RestartConfig,
}

/// Where time comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClockConfig {
    /// The OS clock, never backwards.
    #[default]
    System,
    /// Stands at this instant and moves only when told to (`Quorate::advance`).
    Manual(Timestamp),
}

/// Limits and defaults of quorums.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QuorumConfig {
    /// Timeout when none is asked for; above 0, default 30 s.
    #[serde(rename = "default_timeout_ms", with = "ms")]
    pub default_timeout: Duration,
    /// Longest timeout, extensions among it, default 366 days: a question to people may stay open as long as they need. Longer ones
    /// are refused.
    #[serde(rename = "max_timeout_ms", with = "ms")]
    pub max_timeout: Duration,
    /// Refuse to start on unknown membership instead of letting anyone vote; default false.
    pub strict_membership: bool,
    /// Quorums open at the same time, default 1,000,000. The next start is refused with `limit_exceeded`.
    pub max_open: u64,
    /// Voters of one quorum, default 100,000: a list longer than this and further voters of an open electorate are
    /// refused.
    pub max_voters: u32,
    /// Outsiders whose votes are recorded per quorum, default 1,024.
    pub max_outsiders: u32,
    /// Bytes of a subject, default 16 KiB.
    pub max_subject_bytes: usize,
}

impl QuorumConfig {
    /// The vote policy of a quorum for which none was asked.
    pub fn policy(&self) -> Policy {
        Policy { max_outsiders: self.max_outsiders, max_voters: self.max_voters, ..Policy::default() }
    }
}

/// Limits and defaults of proposals.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConsensusConfig {
    /// Proposals open at the same time, default 1,000,000. The next one is refused with `limit_exceeded`.
    pub max_open: u64,
    /// Agents asked by one proposal, 1 to 1,000,000, default 100,000.
    pub max_participants: usize,
    /// Bytes of a proposal as JSON, up to 16 MiB, default 64 KiB.
    pub max_proposal_bytes: usize,
    /// Longest time for the votes of a proposal, extensions among it, default 366 days: a question to a person may stay open
    /// as long as the person needs. Too short cuts such questions off; too long keeps forgotten ones open.
    #[serde(rename = "max_timeout_ms", with = "ms")]
    pub max_timeout: Duration,
    /// How long the coordinator may take to say who is registered before the request is refused, 1 ms to 1 h, default
    /// 10 s.
    #[serde(rename = "list_timeout_ms", with = "ms")]
    pub list_timeout: Duration,
    /// Whether agents in bad health are asked, for requests that do not say. `None`, the default, leaves them out as
    /// soon as heartbeats are used at all: an agent ever beat, or is watched with settings of its own.
    pub health_policy: Option<HealthPolicy>,
    /// The best grade that is left out, default failed.
    pub exclude_grade: Grade,
}

/// Are agents in bad health asked?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthPolicy {
    /// Everybody is asked.
    Ignore,
    /// Agents at or beyond the configured grade are not; more than half must be left.
    ExcludeFailed,
}

impl HealthPolicy {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            HealthPolicy::Ignore => "ignore",
            HealthPolicy::ExcludeFailed => "exclude_failed",
        }
    }
}

/// How agents are watched when nothing else is asked for, and what is told of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeartbeatConfig {
    /// Time within which an agent is to be heard of; 100 ms to 1 day, default 5 s. Too short alerts on every hiccup; too
    /// long notices a dead agent late.
    #[serde(rename = "interval_ms", with = "ms")]
    pub interval: Duration,
    /// Intervals of silence after which an agent has failed; 1 to 1,000, default 3. With 1 it fails without a warning.
    pub failure_threshold: u32,
    /// Time between two checks; 100 ms to 1 day, default 1 s. A coarse check tells late and may skip grades; reads are
    /// exact in any case.
    #[serde(rename = "check_period_ms", with = "ms")]
    pub check_period: Duration,
    /// Newest beats kept per agent, 1 to 10,000, default 100. Each holds up to 16 KiB of metadata in memory.
    pub history_size: u32,
    /// Agents registered at the same time, default 100,000. The next one is refused with `limit_exceeded`.
    pub max_agents: u64,
    /// Which changes subscribers hear of. All of them are on record.
    pub alerts: Alerts,
}

/// Which changes of an agent's grade subscribers hear of, by the grade it changes to; default all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alerts {
    /// Recoveries.
    pub healthy: bool,
    /// To degraded.
    pub degraded: bool,
    /// To critical.
    pub critical: bool,
    /// To failed.
    pub failed: bool,
}

impl Default for Alerts {
    fn default() -> Self {
        Alerts { healthy: true, degraded: true, critical: true, failed: true }
    }
}

impl Alerts {
    /// Is a change to this grade told?
    pub fn on(&self, grade: Grade) -> bool {
        match grade {
            Grade::Healthy => self.healthy,
            Grade::Degraded => self.degraded,
            Grade::Critical => self.critical,
            Grade::Failed => self.failed,
        }
    }
}

/// How cells are set up that take part in the exchange of capacity for the first time, and how long things last when
/// nothing is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapacityConfig {
    /// Most needs that wait at one cell, 1 to 100,000, default 100. Too small refuses bursts; too large lets needs
    /// wait that nobody can serve.
    pub max_pending: u32,
    /// An overloaded cell takes requests again once no more than this many needs wait; below `max_pending`, default
    /// 50. Close to `max_pending` the cell flaps; close to 0 it stays shut until nearly everybody is served.
    pub low_water: u32,
    /// Refuse requests and offers of a cell that nobody has set up or registered, and of a budget without limits, instead
    /// of making it; default false. A misspelt name is then `not_found`, and not a cell with capacity of its own.
    pub strict_cells: bool,
    /// How long a token may be kept without another word, 1 ms to a year, default 60 s. Too short takes capacity
    /// from holders that are merely slow; too long leaves that of crashed ones unused.
    #[serde(rename = "lease_ms", with = "ms")]
    pub lease: Duration,
    /// How long an offer stays open, 1 ms to a day, default 5 s. Too short ends before the offers of others complete
    /// the need; too long holds back capacity nobody takes.
    #[serde(rename = "offer_ttl_ms", with = "ms")]
    pub offer_ttl: Duration,
}

/// How jobs are run, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobsConfig {
    /// The node of the gate and of the managers in this process, 1 to 256 bytes; `gate` unless set.
    pub node: EntityId,
    /// The datacenters there are; any name when empty. A closed list catches misspelt names.
    pub datacenters: BTreeSet<EntityId>,
    /// Everything a job takes with it when it is submitted.
    pub settings: job::Settings,
    /// How a gate watches a job.
    pub gate: gate::Settings,
    /// How deadlines are learned.
    pub learned: durations::Settings,
    /// How long a worker waits for what.
    pub worker: worker::Settings,
    /// How long every manager of a datacenter has to be dead, as far as membership knows, before its jobs go to another
    /// datacenter or wait; up to a day, 5 s unless set. Too short moves jobs when a datacenter is only cut off for a
    /// moment, which are then done twice; too long lets them wait.
    #[serde(rename = "datacenter_dead_ms", with = "ms")]
    pub datacenter_dead: Duration,
    /// Does this process take over the leadership that the process before it held, minting new tokens? A process that
    /// only carries out a command and ends, as those of the command line do, says no: tokens that were given out stay
    /// in force, and what nobody could see while nobody served is not held against the job.
    pub take_over: bool,
}

impl Default for JobsConfig {
    fn default() -> Self {
        JobsConfig {
            node: EntityId::new("gate").unwrap_or_else(|e| unreachable!("a word is an id: {e}")),
            datacenters: BTreeSet::new(),
            settings: job::Settings::default(),
            gate: gate::Settings::default(),
            learned: durations::Settings::default(),
            worker: worker::Settings::default(),
            datacenter_dead: Duration::from_secs(5),
            take_over: true,
        }
    }
}

impl Default for CapacityConfig {
    fn default() -> Self {
        let settings = cell::Settings::default();
        CapacityConfig {
            max_pending: settings.max_pending,
            low_water: settings.low_water,
            strict_cells: false,
            lease: Duration::from_secs(60),
            offer_ttl: cell::settings::DEFAULT_TTL,
        }
    }
}

impl CapacityConfig {
    /// The settings of a cell that was never set up: a whole of capacity, no budgets.
    pub fn settings(&self) -> cell::Settings {
        cell::Settings {
            max_pending: self.max_pending,
            low_water: self.low_water,
            ..cell::Settings::default()
        }
    }
}

impl Default for HeartbeatConfig {
    fn default() -> Self {
        let settings = Settings::default();
        HeartbeatConfig {
            interval: Duration::from_millis(settings.interval_ms.into()),
            failure_threshold: settings.failure_threshold,
            check_period: Duration::from_millis(settings.check_period_ms.into()),
            history_size: settings.history_size,
            max_agents: 100_000,
            alerts: Alerts::default(),
        }
    }
}

impl HeartbeatConfig {
    /// The settings of an agent for which none were asked, in whole milliseconds.
    pub fn settings(&self) -> Settings {
        let ms = |d: Duration| u32::try_from(d.as_millis()).unwrap_or(u32::MAX);
        Settings {
            interval_ms: ms(self.interval),
            failure_threshold: self.failure_threshold,
            check_period_ms: ms(self.check_period),
            history_size: self.history_size,
        }
    }
}

/// When load is shed, and how it is measured. Operations are shed by what the runtime measures itself: how many requests
/// are under way (from half of `max_in_flight` on), how long commands take from being let in to their durable answer, and
/// with a `sampler` processor and memory. What callers report (`shed.record`) is the answer of `shed.check` only.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct SheddingConfig {
    /// Caps, and what is refused at which state. The caps hold for callers who ask (`shed.check`); operations are bound
    /// by `max_in_flight`.
    pub admission: AdmissionConfig,
    /// The bounds of the states, and how long it takes to calm down.
    pub detector: DetectorConfig,
    /// What the latency of the runtime's own answers makes of the state; default busy, stressed and overloaded above 500,
    /// 1,000 and 3,000 ms, as the mean of the newest 128 of the last 10 s, of at least 32. Too few: somebody's one
    /// large request closes the doors for all; too many: a slow disk is found late. They are not compared with their own
    /// past: twice as long as a millisecond is no overload.
    pub answers: LatencyConfig,
}

impl Default for SheddingConfig {
    fn default() -> Self {
        // Far above what any answer can be against its own past.
        const NEVER: f64 = 1e9;
        SheddingConfig {
            admission: AdmissionConfig::default(),
            detector: DetectorConfig::default(),
            answers: LatencyConfig {
                window: 128,
                min_samples: 32,
                delta: [NEVER, 2.0 * NEVER, 3.0 * NEVER],
                drift_worse: NEVER,
                drift_busy: NEVER,
                absolute_ms: [500.0, 1_000.0, 3_000.0],
                ..LatencyConfig::default()
            },
        }
    }
}

/// Restarts of entity actors that died of a panic.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RestartConfig {
    /// Restarts within `window` before the entity is parked, default 5.
    pub budget: u32,
    /// The window, default 60 s; also how long a parked entity rests.
    #[serde(rename = "window_ms", with = "ms")]
    pub window: Duration,
    /// Pause before the second restart, doubled for each further one; default 100 ms.
    #[serde(rename = "first_pause_ms", with = "ms")]
    pub first_pause: Duration,
}

impl Default for Config {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Config {
            store: "memory".into(),
            store_options: StoreOptions::default(),
            clock: ClockConfig::System,
            seed: None,
            shard: None,
            subject_keys: None,
            max_in_flight: 65_536,
            group_bytes: 4 << 20,
            entity_threads: (processors / 2).clamp(1, 256),
            idle_after: Duration::from_secs(60),
            snapshot_every: 4_096,
            index_block: 4_096,
            max_open_each: 10_000,
            quorum: QuorumConfig {
                default_timeout: Duration::from_secs(30),
                max_timeout: Duration::from_secs(366 * 86_400),
                strict_membership: false,
                max_open: 1_000_000,
                max_voters: 100_000,
                max_outsiders: 1_024,
                max_subject_bytes: 16 << 10,
            },
            heartbeat: HeartbeatConfig::default(),
            capacity: CapacityConfig::default(),
            jobs: JobsConfig::default(),
            network: NetworkConfig::default(),
            hooks: HooksConfig::default(),
            flow: FlowLimits::default(),
            shedding: SheddingConfig::default(),
            session: SessionConfig {
                max_open: 1_000,
                max_voters: 1_024,
                max_proposal_bytes: 16 << 10,
                max_timeout: Duration::from_secs(366 * 86_400),
                evidence_max_age: Duration::from_secs(7 * 86_400),
            },
            consensus: ConsensusConfig {
                max_open: 1_000_000,
                max_participants: 100_000,
                max_proposal_bytes: 64 << 10,
                max_timeout: Duration::from_secs(366 * 86_400),
                list_timeout: Duration::from_secs(10),
                health_policy: None,
                exclude_grade: Grade::Failed,
            },
            #[cfg(feature = "runtime")]
            coordinator: None,
            #[cfg(feature = "runtime")]
            sampler: None,
            #[cfg(feature = "runtime")]
            transport: None,
            #[cfg(feature = "runtime")]
            custom_rules: CustomRuleSet::default(),
            restart: RestartConfig {
                budget: 5,
                window: Duration::from_secs(60),
                first_pause: Duration::from_millis(100),
            },
        }
    }
}

impl Config {
    /// A runtime without a disk: for tests and trials.
    pub fn memory() -> Self {
        Config::default()
    }

    /// A runtime on a local folder, made when it is not there.
    #[cfg(feature = "store-sled")]
    pub fn at(path: impl Into<std::path::PathBuf>) -> Self {
        let store_options = StoreOptions { path: Some(path.into()), create: true, ..StoreOptions::default() };
        Config { store: "sled".into(), store_options, ..Config::default() }
    }

    /// A runtime on a local folder kept by fjall, made when it is not there.
    #[cfg(feature = "store-fjall")]
    pub fn fjall(path: impl Into<std::path::PathBuf>) -> Self {
        Config { store: "fjall".into(), ..Config::at(path) }
    }

    /// A runtime on a PostgreSQL database, `postgres://USER:PASSWORD@HOST:PORT/DATABASE`; its tables are made when they are
    /// not there. A text of another form is refused when the runtime opens.
    #[cfg(feature = "store-postgres")]
    pub fn postgres(url: &str) -> Self {
        let url = crate::store::DatabaseUrl::of(url);
        let store_options = StoreOptions { url, ..StoreOptions::default() };
        Config { store: "postgres".into(), store_options, ..Config::default() }
    }

    /// Checks every number.
    ///
    /// # Errors
    /// A sentence naming the first knob out of bounds, its value and its range.
    pub fn check(&self) -> Result<(), Fault> {
        let ms = |d: Duration| i128::try_from(d.as_millis()).unwrap_or(i128::MAX);
        let within = |knob, value: i128, bounds: Bounds| (knob, value, bounds.low.into(), bounds.high.into());
        let beats = &self.heartbeat;
        let low_water = self.capacity.low_water;
        let message_bytes = self.flow.max_message_bytes as i128;
        let store = &self.store_options;
        let knobs: [(&str, i128, i128, i128); 39] = [
            ("max_in_flight", self.max_in_flight as i128, 1, 10_000_000),
            ("group_bytes", self.group_bytes as i128, 4 << 10, 64 << 20),
            ("store_options.cache_bytes", store.cache_bytes.into(), 8 << 20, 64 << 30),
            ("store_options.pack_bytes", store.pack_bytes as i128, 1_000, 120_000),
            ("store_options.slot_bytes", store.slot_bytes as i128, 1_000, 120_000),
            ("store_options.slots", store.slots as i128, 2, 65_536),
            ("store_options.lease_ms", ms(store.lease), 500, 600_000),
            ("entity_threads", self.entity_threads as i128, 1, 256),
            ("idle_after_ms", ms(self.idle_after), 100, 86_400_000),
            ("snapshot_every", i128::from(self.snapshot_every), 16, i128::from(u64::MAX)),
            ("index_block", self.index_block.into(), 0, 4_096),
            ("max_open_each", i128::from(self.max_open_each), 1, i128::from(u64::MAX)),
            ("quorum.default_timeout_ms", ms(self.quorum.default_timeout), 1, ms(self.quorum.max_timeout)),
            ("quorum.max_voters", self.quorum.max_voters.into(), 1, 1_000_000),
            ("quorum.max_subject_bytes", self.quorum.max_subject_bytes as i128, 0, 16 << 20),
            within("heartbeat.interval_ms", ms(beats.interval), Settings::INTERVAL_MS),
            within(
                "heartbeat.failure_threshold",
                beats.failure_threshold.into(),
                Settings::FAILURE_THRESHOLD,
            ),
            within("heartbeat.check_period_ms", ms(beats.check_period), Settings::CHECK_PERIOD_MS),
            within("heartbeat.history_size", beats.history_size.into(), Settings::HISTORY_SIZE),
            ("session.max_open", self.session.max_open as i128, 1, 1_000_000),
            ("session.max_voters", self.session.max_voters.into(), 3, 10_000),
            ("session.max_proposal_bytes", self.session.max_proposal_bytes as i128, 1, 1 << 20),
            ("session.max_timeout_ms", ms(self.session.max_timeout), 100, 1_000_000_000_000),
            ("session.evidence_max_age_ms", ms(self.session.evidence_max_age), 1_000, 1_000_000_000_000),
            ("consensus.max_participants", self.consensus.max_participants as i128, 1, 1_000_000),
            ("consensus.max_proposal_bytes", self.consensus.max_proposal_bytes as i128, 1, 16 << 20),
            ("consensus.max_timeout_ms", ms(self.consensus.max_timeout), 100, 1_000_000_000_000),
            ("consensus.list_timeout_ms", ms(self.consensus.list_timeout), 1, 3_600_000),
            ("capacity.max_pending", self.capacity.max_pending.into(), 1, cell::settings::MAX_PENDING.into()),
            ("capacity.low_water", low_water.into(), 0, i128::from(self.capacity.max_pending) - 1),
            ("capacity.lease_ms", ms(self.capacity.lease), 1, ms(cell::settings::MAX_LEASE)),
            ("capacity.offer_ttl_ms", ms(self.capacity.offer_ttl), 1, ms(cell::settings::MAX_WAIT)),
            ("jobs.datacenter_dead_ms", ms(self.jobs.datacenter_dead), 0, 86_400_000),
            ("flow.max_message_bytes", self.flow.max_message_bytes as i128, 1, 16 << 20),
            ("flow.max_buffer_size", self.flow.max_buffer_size as i128, 1, 10_000_000),
            ("flow.max_stream_bytes", self.flow.max_stream_bytes as i128, message_bytes, 1 << 40),
            ("flow.max_total_bytes", self.flow.max_total_bytes as i128, message_bytes, 1 << 40),
            ("restart.budget", self.restart.budget.into(), 1, 1_000_000),
            ("restart.window_ms", ms(self.restart.window), 1, 86_400_000),
        ];
        self.network.check()?;
        self.hooks.check()?;
        if self.consensus.exclude_grade == Grade::Healthy {
            return Err(Fault::Config {
                knob: "consensus.exclude_grade",
                value: Grade::Healthy.name().into(),
                range: "degraded, critical or failed".into(),
            });
        }
        for (knob, value, low, high) in knobs {
            if value < low || value > high {
                return Err(Fault::Config {
                    knob,
                    value: value.to_string(),
                    range: format!("{low} to {high}"),
                });
            }
        }
        Ok(())
    }
}
