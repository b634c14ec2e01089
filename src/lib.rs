//! Quorate keeps quorums and proposals for long-running agents: questions that several voters decide, with a bar, a
//! deadline and a record that survives crashes.
//!
//! ```
//! # #[cfg(feature = "runtime")]
//! # mod runs { pub
//! async fn example() -> Result<(), quorate::Error> {
//!     use quorate::{Config, Quorate, StartQuorum, Vote};
//!
//!     let q = Quorate::open(Config::memory()).await?; // Config::at("folder") keeps it on disk
//!     let question = StartQuorum { required_votes: Some(2), ..StartQuorum::global() };
//!     let started = q.quorums().start(question.with_voters(["ann", "bob", "cid"])?).await?;
//!     q.quorums().vote(Vote::new(&started.quorum_id, "ann", true)?).await?;
//!     let last = q.quorums().vote(Vote::new(&started.quorum_id, "bob", true)?).await?;
//!     assert_eq!(last.state.name(), "approved"); // durable when the answer is here
//!     q.close().await
//! }
//! # }
//! # #[cfg(feature = "runtime")]
//! # fn main() {
//! #     let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! #     tokio.block_on(runs::example()).unwrap();
//! # }
//! # #[cfg(not(feature = "runtime"))]
//! # fn main() {}
//! ```
//!
//! # The picture
//!
//! ```text
//!    Rust API       HTTP       command line · play · replay        doors, they add no behaviour
//!        └───────────┴──────┬──────────────┘
//!                   table of operations                            api
//!  ┌────────────────────────▼──────────────────────────────┐
//!  │ registry ──► entity actor ──► driver.step(cmd, now)   │       shell: actors, threads, the clock
//!  │              one per quorum   settle · decide · evolve│       core: pure, no clock, no I/O
//!  │                    │ events                           │
//!  │              writer thread: all that waits, one group │
//!  │                    │              acks thread ─► reply · effects · notices
//!  └────────────────────┼──────────────────▲───────────────┘
//!                       ▼ commit           │ durable               journal: the port, the format, the chains
//!               ┌──────────────────────────┴─┐
//!               │  sled  ·  memory  ·  faulty│                     store: one flush for the whole group
//!               └────────────────────────────┘
//! ```
//!
//! A *quorum* is asked of cells of a mesh or of named voters, who approve or reject. A *proposal* is put to the agents that
//! are registered, and decided by a named algorithm: see `Quorate::consensus` and `Quorate::agents`.
//!
//! # Where to find what
//!
//! Requests, replies, settings, ids and ports are at the root. Five small modules hold what stands by itself: [`flow`],
//! [`guard`], [`durations`], [`shed`] and [`store`]. The book of the project is [`docs`].
//!
//! The code is in crates below this one: `quorate-core` (the pure machines), `quorate-journal` (the format and the stores),
//! `quorate-runtime` (actors and typed operations), `quorate-node` (a node of a cluster; feature `node`). The HTTP door, and the guard of HTTP services, are the crate
//! `quorate-http`; the command line with `serve`, `play` and `replay` is the crate `quorate-cli`.
//!
//! With default features off only what needs no runtime remains. It builds without actix, tokio and sled, and cannot read
//! a clock.

#![forbid(unsafe_code)]

pub mod docs;

// The handle, what it was opened with, and how it is doing.
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::{Lag, Quorate, RecoveryReport};

// The runtime of another process.
#[cfg(feature = "connect")]
#[doc(inline)]
pub use quorate_runtime::connect::{At, ConnectOptions, Connected, FarEvents};

// How it is doing, and how a text becomes an id.
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::dto::{Health, id};

// Every knob.
#[doc(inline)]
pub use quorate_runtime::config::{
    Alerts, CapacityConfig, ClockConfig, Config, ConsensusConfig, FlowLimits, HealthPolicy, HeartbeatConfig,
    HooksConfig, JobsConfig, NetworkConfig, QuorumConfig, RestartConfig, SessionConfig, SheddingConfig,
};
#[cfg(unix)]
#[doc(inline)]
pub use quorate_runtime::owner::OwnerSocket;

// The one error of all operations.
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::error::{Error, ErrorKind};

// Ids, tokens and instants.
#[doc(inline)]
pub use quorate_core::kernel::ids::{
    BudgetId, CandidateId, CellId, DatacenterId, EntityId, IdError, IdempotencyKey, NeedId, NodeId, OfferId,
    Resource, StreamId, StreamKind, TokenId, VoterId,
};
#[doc(inline)]
pub use quorate_core::kernel::time::Timestamp;

// Quorums: questions to named voters or to the cells of a mesh.
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::cell::Cells;
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::dto::{
    AskedType, AuthorityRegistered, CancelQuorum, Cancelled, CellPage, CellRegistered, CellView,
    ExtendQuorum, FinalTally, FinalVote, ListCells, ListQuorums, ListedQuorums, MeshRegistered,
    QuorumHistory, QuorumHistoryEntry, QuorumHistoryPage, QuorumLine, QuorumPage, QuorumRef,
    QuorumStatsReply, QuorumStatus, RegisterAuthority, RegisterCell, RegisterMesh, StartQuorum, Started,
    Vote, Voted, WaitQuorum,
};
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::quorum::Quorums;

// Consensus: proposals to the registered agents, and the algorithms that decide them.
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::algorithm::Algorithms;
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::consensus::Consensus;
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::dto::{
    AlgorithmDefault, AlgorithmList, AlgorithmRef, AlgorithmRegistered, AlgorithmStats,
    AlgorithmUnregistered, AlgorithmView, BallotView, CancelConsensus, ConsensusHistory,
    ConsensusHistoryPage, ConsensusMetadata, ConsensusRef, ConsensusReminded, ConsensusResult,
    ConsensusStats, ConsensusVote, ConsensusVoted, DelegateConsensus, DelegationView, ExtendConsensus,
    OpenProposals, OpenProposalsPage, ParameterView, RegisterAlgorithm, RemindConsensus, RequestConsensus,
    RuleView,
};

// Agents and their heartbeats.
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::agent::Agents;
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::dto::{
    AgentHealth, AgentHistory, AgentHistoryPage, AgentLeft, AgentMonitored, AgentPage, AgentRef,
    AgentRegistered, AgentStats, AgentUnmonitored, AgentView, Beat, BeatView, Beaten, HealthDistribution,
    ListAgents, MonitorAgent, RegisterAgent, WatchView,
};

// Sessions: questions that hold against voters that lie, and those voters.
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::candidate::Candidates;
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::dto::{
    AllowedOperation, AskedBallot, AskedGate, Asker, CancelSession, CandidateRegistered, CandidatesSelected,
    CertifySession, ChoiceContext, ChosenView, DecisionSpent, DelegateSession, Diagnosis, ElectorView,
    EmergenceReport, EmergenceSignal, EndRound, EndedKeyView, EvidenceView, ExclusionView, ExtendSession,
    GateView, GatesView, KeyTaken, LearnedView, ListSessions, ListVoters, ListedSessions, OpenSession,
    OperationView, QuarantineVoter, RegisterCandidate, RegisterVoter, ReleaseVoter, RemindSession, RotateKey,
    ScanEmergence, SelectCandidates, SelectionView, SessionAlgorithm, SessionBallot, SessionDelegation,
    SessionLine, SessionPage, SessionRef, SessionReminded, SessionResult, SessionVote, SessionVoted,
    SpendConsensus, SpendSession, SpentFor, TellTruth, TruthTaken, TruthView, VoterPage, VoterRef,
    VoterRegistered, VoterView, VotersStatus, WantedTrait, WeightsView,
};
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::emergence::Emergence;
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::session::Sessions;
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::voter::Voters;

// What is kept of the journal, and what was pruned.
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::dto::{HoldRecords, PruningView, RecordsHold, ReleaseRecords, RetentionView};
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::retention::Retained;

// Data subjects: whose personal data is sealed, and shredding it.
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::dto::{
    ListSubjects, ShredSubject, SubjectEntity, SubjectPage, SubjectRef, SubjectView,
};
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::subject::SubjectCalls;

// Stops: what may not be done until those who were named let it go on.
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::dto::{
    EngageStop, ListStops, ReleaseStop, StopList, StopRef, StopScope, StopView,
};
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::stop::{StopCalls, StopSignal};

// Capacity: cells that lend and borrow, and the budgets above them.
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::capacity::Capacity;
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::dto::{
    BudgetRef, BudgetStatus, BudgetUse, CapacityConfigured, CapacityOffered, CapacityRef, CapacityReleased,
    CapacityRequested, CapacityReserved, CapacitySettled, CapacityStats, CapacityStatus, CapacityToken,
    ConfigureCapacity, HeldToken, HolderLine, HolderPage, ListHolders, NeedRef, OfferCapacity, RateChange,
    RateShort, RateStatus, ReleaseCapacity, RequestCapacity, ReserveCapacity, SetBudget, SetRate,
    SettleCapacity, TokenRef, TokenView, TransferCapacity,
};
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::hold::Held;

// Jobs: their time, their leader, their end; and the workers that run them.
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::dto::{
    BeatWorker, CancelJob, ClassEstimate, ClassRef, CompleteJob, ExtendJob, HandedWork, JobCancelled,
    JobChanged, JobExtended, JobLed, JobLine, JobPage, JobProgress, JobRef, JobStats, JobStatusReply,
    JobStatusView, JobSubmitted, JobWhy, LeaderLost, LeaseJob, LeaseLine, LeasePage, ListJobs, ListLeases,
    ListWorkers, MoveWorkflow, PlanWorkflow, RegisterWorker, StopWork, StuckList, StuckWorkflow,
    StuckWorkflows, SubmitJob, TakeWork, TakenWork, TransferGate, TransferJob, WaitJob, WhyLink, WorkTaken,
    WorkerBeaten, WorkerChanged, WorkerPage, WorkerRef, WorkerReport,
};
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::job::{Jobs, Led};
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::lease::Leases;
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::worker::Workers;

// Many datacenters: how far nodes are apart, how datacenters are, and where a job goes.
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::dto::{
    AcceptRoute, CoordinateEstimate, CoordinateView, DatacenterList, DatacenterRef, DatacenterRemoved,
    DatacenterView, EstimateCoordinate, ListDatacenters, MeasuredLink, RouteChanged, RouteFailed,
    RouteFailure, RouteFailureView, RouteJob, RouteRef, RouteState, RoutedView, UpdateCoordinate,
    UpdateDatacenter, VivaldiCoordinate,
};
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::network::{Coordinates, Datacenters, Routes};

// Load: streams with flow control, shedding, statistics, back-pressure.
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::dto::{
    AskPressure, AskSummary, BatchOfStats, ByClass, ByPriority, CapView, CheckShed, ClassView, ConfigureFlow,
    DatacenterPressure, DrainFlow, ExplainView, FlowAdviceView, FlowDrained, FlowFigures, FlowOpened,
    FlowRef, FlowStatus, FlowsOverview, GapView, LevelView, LoadRecorded, ManagerPressure, MessageOffered,
    MessageView, OfferMessage, OpenFlow, PermitReleased, PressureStatus, RecordLoad, RecordStats,
    RefusedTotals, ReleasePermit, ShedChecked, ShedStatus, SignalView, StatsLevel, StatsRecorded,
    StatsSummary, TiersView, WorkerPressure,
};
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::flow::Flows;
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::pressure::Pressure;
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::shedding::Shedding;
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::stats::Stats;

// Hooks: what is recorded, posted to a URL.
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::dto::{HookChanged, HookList, HookRef, HookSecret, HookView, RegisterHook};
#[cfg(feature = "hooks")]
#[doc(inline)]
pub use quorate_runtime::api::hooks::Deliveries;
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::hooks::Hooks;

// Identities: who calls, what that allows, and in whose name.
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::caller::Credential;
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::dto::{
    CreateIdentity, GrantIdentity, IdentityChanged, IdentityPage, IdentityToken, IdentityView,
    ListIdentities, RevokeIdentity, RotateIdentity,
};
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::identified::Identified;
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::identity::Identities;

// The overview: what an operator looks at first.
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::dto::{
    AskInbox, AwaitedVoter, Inbox, OpenCounts, OpenQuestion, OverdueLine, Overview, ProblemLine, ShowOverview,
};
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::overview::Overviews;

// The journal as it is stored: backups of it, and folders made of them.
#[cfg(all(feature = "runtime", feature = "store-sled"))]
#[doc(inline)]
pub use quorate_runtime::api::backup::{BackedUp, Backup, Restored, restore};
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::dto::{GroupPage, ReadGroups};
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::journal::Journal;

// History: what happened, and what stood when.
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::dto::{
    Agreement, AskWhy, AuditBallotView, AuditVoteView, BrokenView, CheckpointCheck, ConsistencyProof,
    CountHistory, DurationCounts, EntityHistory, EntityLog, EntityWhy, EventCount, EventPage, EventView,
    ExportLine, ExportManifest, HistoryCounts, HistoryQuery, LogCheckpoint, OutcomeCount, PastState,
    ProveConsistency, ProveRecord, ProveRecords, ProvenRecord, ProvenRecords, RecordProof, RecordedState,
    StateAt, Verified, VerifyHistory, VoterCount, WhyStep,
};
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::events::Events;
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::export::{CheckedExport, ExportCheck};
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::history::History;
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::proofs::{
    CheckedCheckpoint, CheckedProof, WitnessSeen, check_checkpoint, check_proof,
};

// What a reply says in a word, and the settings of jobs: the types of the machines.
#[doc(inline)]
pub use quorate_core::jobs::gate::{DatacenterStatus, DcStatus, GateStatus, TimeoutPolicy};
#[doc(inline)]
pub use quorate_core::jobs::manager::{JobStatus, WorkflowStatus};
#[doc(inline)]
pub use quorate_core::jobs::protocol::message::{FinalStatus, Message, Party};
#[doc(inline)]
pub use quorate_core::jobs::protocol::token::FenceToken;
#[doc(inline)]
pub use quorate_core::jobs::worker::WorkerStatus;
#[doc(inline)]
pub use quorate_core::load::stats::Level;
#[doc(inline)]
pub use quorate_core::network::coordinate::VivaldiConfig;
#[doc(inline)]
pub use quorate_core::network::route::{
    Excluded, Exclusion, HealthBucket, Reason, RoutingConfig, RoutingDecision, Scored,
};
#[doc(inline)]
pub use quorate_core::voting::agent::Grade;
#[doc(inline)]
pub use quorate_core::voting::proposal::{Verdict, VoteChange, VoteOutcome};
#[doc(inline)]
pub use quorate_core::voting::quorum::{QuorumState, QuorumType};

// Vote rules, and functions of the program as rules.
#[doc(inline)]
pub use quorate_core::voting::rules::{
    Choice, CustomRule, Fraction, Outcome, Param, Poll, RULES, RuleEntry, RuleError, RuleSpec, Weight,
    WeightTable,
};
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::shell::custom::CustomRuleSet;

// Ports that a program may fill: the way to the agents, the wire between managers, what is heard of what happened.
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::shell::bus::{Notice, What};
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::shell::coordinator::{ConsensusRequest, Coordinator, Delivered, Told};
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::shell::outgoing::{DestinationStatus, PerDestination, Wire, WireConfig};
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::shell::post::{Direct, Lossy, Mailbox, NetworkFaults, Transport};
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::shell::sampler::{Sampler, ThisMachine};

/// Senders and a reader with flow control, for any tokio program. The settings need no feature; what waits needs `flow`.
pub mod flow {
    #[doc(inline)]
    pub use quorate_core::load::flow::{
        Carries, DROP_POLICIES, DropPolicy, FlowAdvice, FlowConfig, FlowConfigError, FlowReason, FlowState,
        FlowStats, SuggestedAction,
    };
    #[cfg(feature = "flow")]
    #[doc(inline)]
    pub use quorate_runtime::flow::{
        FlowBuilder, FlowClock, FlowControlledSender, FlowObserver, FlowReceiver, Permit, RecvError,
        SendError, TokioClock, TryRecvError, channel, wait_if_needed,
    };
}

/// Votes of sessions as they are signed, and certificates as they are checked: for voters and for those who trust nobody.
pub mod session {
    #[doc(inline)]
    pub use quorate_core::voting::session::ballot::{Ballot, BallotType, Pick, Promise};
    #[doc(inline)]
    pub use quorate_core::voting::session::certificate::{Certificate, Checked, Flaw};
    #[doc(inline)]
    pub use quorate_core::voting::session::delegation::Delegation;
    #[doc(inline)]
    pub use quorate_core::voting::session::event::{
        Authentication, ClosePolicy, Outcome, Revision, SwitchPolicy,
    };
    #[doc(inline)]
    pub use quorate_core::voting::session::threshold::{Basis, Threshold};
    #[doc(inline)]
    pub use quorate_core::voting::session::vote::{Binding, Vote};
    #[doc(inline)]
    pub use quorate_core::voting::signature::{Digest, PublicKey, Signature};
    #[doc(inline)]
    pub use quorate_core::voting::voter::rotation_message;
    #[cfg(feature = "runtime")]
    #[doc(inline)]
    pub use quorate_runtime::api::certificate::check_certificate;
}

/// Guards by which files and rows refuse a leader that was replaced.
pub mod guard {
    #[doc(inline)]
    pub use quorate_runtime::guard::{
        BadName, Contents, FileFloor, GuardedFile, MemoryFloor, Refusal, RowGuard, StopSource, Stopped,
        TOKEN_HEADER, TokenFloor, TokenTooLarge, UnderStops,
    };
}

// Membership: the nodes of a cluster.
#[cfg(feature = "node")]
#[doc(inline)]
pub use quorate_core::network::member::{MemberConfig, NodeRole};
#[cfg(feature = "node")]
#[doc(inline)]
pub use quorate_node::{KeyId, KeyRing, Node, NodeConfig, RingError};
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::dto::{MemberList, MemberMetrics, MemberValidation, MemberView, NameConflict};
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use quorate_runtime::api::member::{MemberSource, Members};

/// Limits of time that are learned from how long jobs took.
pub mod durations {
    #[doc(inline)]
    pub use quorate_core::jobs::durations::{
        Estimate, Evidence, Learned, Limit, LimitSettings, Record, Settings, estimate,
    };
}

/// Load shedding as values, for a program that keeps its own queue.
pub mod shed {
    #[doc(inline)]
    pub use quorate_core::load::shed::{
        Admission, AdmissionConfig, Cause, Class, Detector, DetectorConfig, Invalid, Label, LatencyConfig,
        Load, MessageKind, Observed, Permit, Priority, Readings,
    };
}

/// The stores, and the port that a store of one's own implements.
pub mod store {
    #[doc(inline)]
    pub use quorate_journal::stores::faulty::{FaultKind, FaultyStore, PlannedFault};
    #[cfg(feature = "store-fjall")]
    #[doc(inline)]
    pub use quorate_journal::stores::fjall::FjallStore;
    #[doc(inline)]
    pub use quorate_journal::stores::memory::MemoryStore;
    #[cfg(feature = "store-sled")]
    #[doc(inline)]
    pub use quorate_journal::stores::sled::SledStore;
    #[cfg(feature = "store-sled")]
    #[doc(inline)]
    pub use quorate_journal::stores::store_in;
    #[doc(inline)]
    pub use quorate_journal::stores::{Durability, STORES, StoreEntry, StoreOptions};
    #[doc(inline)]
    pub use quorate_journal::{
        Append, Appended, Broken, ChainHash, Due, Epoch, Fault, Head, Mark, OpenReport, Pending, Position,
        Pruned, Record, Seq, Snapshot, Store, Tip, VerifyCursor, VerifyStep,
    };
}

/// The programs of the README are compiled and run with the documentation's.
#[cfg(all(doctest, feature = "runtime"))]
#[doc = include_str!("../README.md")]
struct Readme;
