//! The table of operations: every thing a user can do, by name, over JSON. HTTP, the command line and play are
//! doors onto this table and add no behaviour of their own.

mod fields;
mod parse;
#[macro_use]
mod row;

use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::OnceLock;

use schemars::{JsonSchema, Schema, schema_for};
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

pub use self::fields::{Field, Method};
use self::fields::{choices_of, field_types, types_of};
use self::parse::inside;
pub use self::parse::parse;
use super::Quorate;
pub use super::acts::Acts;
use super::caller::{Permitted, Watch};
use super::class;
use super::dto::*;
use super::json;
use super::shedding::turned;
use crate::core::jobs::gate::status::GateStatus;
use crate::core::jobs::worker::WorkerStatus;
use crate::core::load::shed::{Class, Label};
use crate::core::network::route::RoutingDecision;
use crate::core::trust::identity::check::Need;
use crate::core::voting::session::certificate::Certificate;
use crate::error::{Error, ErrorKind};

/// The answer of an operation, some time later.
pub type Called = Pin<Box<dyn Future<Output = Result<Value, Error>> + Send>>;

/// One line of the table.
#[derive(Clone, Copy)]
pub struct Operation {
    /// `noun.verb`.
    pub name: &'static str,
    /// One line of help.
    pub summary: &'static str,
    /// How it is treated under load. Each row says it; the one table of messages is
    /// [`MessageKind`](crate::core::load::shed::MessageKind).
    pub class: Class,
    /// Does a request with these fields end or change something, so that no load refuses it? See [`class`].
    pub critical: fn(&Map<String, Value>) -> bool,
    /// How it is called over HTTP.
    pub method: Method,
    /// Its path below `/api/v1`; `{field}` stands for a field of the request.
    pub path: &'static str,
    /// What it needs of an identity: a scope that covers this.
    pub scope: Need,
    /// The fields of the request that name who acts. The identity must be allowed to act as each that is given.
    pub acts: &'static [Acts],
    /// Is an attempt in the name of somebody else put on record?
    pub records_refusals: bool,
    /// Under which key the reply stands in an HTTP success body; `None` when its fields stand there themselves.
    pub key: Option<&'static str>,
    /// Fields whose bad values HTTP answers with 400 instead of 422.
    pub bad_request: &'static [&'static str],
    /// The HTTP statuses of replies with these words as their `status`, for those who ask for them with
    /// `status_codes=true`; every other reply, and without that every reply, is a 200.
    pub statuses: &'static [(&'static str, u16)],
    /// Does it make the data folder when there is none? The others have nothing to say about an empty one.
    pub founds: bool,
    /// May a request with these fields be answered only when something has come about? See [`class`].
    pub waits: fn(&Map<String, Value>) -> bool,
    /// Is it a question, however it is called over HTTP? What it does ends with the process that answers it.
    pub asks: bool,
    /// The JSON schema of the request.
    pub request: fn() -> Schema,
    /// The JSON schema of the reply.
    pub reply: fn() -> Schema,
    /// Carries it out with the typed method, which looks by itself whether the caller may.
    pub(super) run: fn(Quorate, Map<String, Value>) -> Called,
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operation").field("name", &self.name).field("path", &self.path).finish()
    }
}

/// Every operation.
pub static OPERATIONS: &[Operation] = &[
    operation!("cell.register", "set a cell's entry in the mesh registry", Dispatch Post "/cells/register",
        Write by [Cell "cell_id"], key: Some("cell"), RegisterCell => CellRegistered, founds: true,
        |q, r| q.cells().register(r).await?),
    operation!("cell.mesh", "register a whole hexagonal mesh around a hub", Dispatch Post "/cells/mesh",
        Write by [], key: Some("mesh"), RegisterMesh => MeshRegistered, founds: true, |q, r| q.cells().mesh(r).await?),
    operation!("cell.list", "list the mesh registry", Data Get "/cells",
        Read by [], key: None, ListCells => CellPage, |q, r| q.cells().list(r).await?),
    operation!("cmp.register", "add an authority at the hub", Dispatch Post "/cmp/register",
        Write by [Voter "authority_id"], key: Some("authority"), RegisterAuthority => AuthorityRegistered, founds: true,
        |q, r| q.cells().register_authority(r).await?),
    operation!("quorum.start", "open a quorum", Dispatch Post "/quorum/start",
        Write by [], key: Some("quorum"), StartQuorum => Started, bad_request: &["quorum_type"], founds: true,
        |q, r| q.quorums().start(r).await?),
    operation!("quorum.vote", "cast or change a vote", Control Post "/quorum/{quorum_id}/vote",
        Write by [Voter "voter_id"], key: Some("vote"), Vote => Voted, records_refusals: true, |q, r| q.quorums().vote(r).await?),
    operation!("quorum.status", "show a quorum, also after it closed", Data Get "/quorum/{quorum_id}/status",
        Read by [], key: Some("status"), QuorumRef => QuorumStatus, |q, r| q.quorums().status(&r.quorum_id).await?),
    operation!("quorum.wait", "wait until a quorum closes", Data Get "/quorum/{quorum_id}/wait",
        Read by [], key: Some("status"), WaitQuorum => QuorumStatus, waits: class::always,
        |q, r| q.quorums().wait(r).await?),
    operation!("quorum.list", "list quorums, newest first: open ones, then closed ones", Data Get "/quorums",
        Read by [], key: None, ListQuorums => QuorumPage, |q, r| q.quorums().list(r).await?),
    operation!("quorum.extend", "take votes of a quorum longer", Control Post "/quorum/{quorum_id}/extend",
        Write by [Any "by"], key: Some("status"), ExtendQuorum => QuorumStatus, |q, r| q.quorums().extend(r).await?),
    operation!("quorum.cancel", "end a quorum without a decision", Control Post "/quorum/{quorum_id}/cancel",
        Write by [Any "by"], key: Some("quorum"), CancelQuorum => Cancelled, |q, r| q.quorums().cancel(r).await?),
    operation!("quorum.history", "list the latest closed quorums, oldest first", Telemetry Get "/quorum/history",
        Read by [], key: None, QuorumHistory => QuorumHistoryPage, |q, r| q.quorums().history(r).await?),
    operation!("quorum.stats", "count quorums and votes over all time", Telemetry Get "/quorum/stats",
        Read by [], key: Some("stats"), Nothing => QuorumStatsReply, |q, r| { let Nothing {} = r; q.quorums().stats().await? }),
    operation!("capacity.request", "ask for capacity", Dispatch Post "/backpressure/{cell_id}/request",
        Write by [Cell "cell_id"], key: Some("result"), RequestCapacity => CapacityRequested,
        statuses: &[("pending", 202), ("overloaded", 429)], waits: class::if_told_to,
        |q, r| q.capacity().request(r).await?),
    operation!("capacity.need", "what became of a request for capacity", Data Get "/backpressure/{cell_id}/need",
        Read by [], key: Some("result"), NeedRef => CapacityRequested, statuses: &[("pending", 202)], |q, r| q.capacity().need(r).await?),
    operation!("capacity.cancel", "give up the place of a need that waits", Control Post "/backpressure/{cell_id}/cancel",
        Write by [Cell "cell_id"], key: Some("result"), NeedRef => CapacityRequested, |q, r| q.capacity().cancel(r).await?),
    operation!("capacity.offer", "offer capacity to a cell that needs it", Dispatch Post "/backpressure/offer",
        Write by [Cell "source_cell_id"], key: Some("result"), OfferCapacity => CapacityOffered, |q, r| q.capacity().offer(r).await?),
    operation!("capacity.ack", "say that a token arrived", Control Post "/backpressure/{token_id}/ack",
        Write by [Cell "cell_id"], key: Some("result"), HeldToken => CapacityToken, |q, r| q.capacity().ack(r).await?),
    operation!("capacity.release", "give capacity back", Control Post "/backpressure/{cell_id}/release",
        Write by [Cell "cell_id"], key: Some("result"), ReleaseCapacity => CapacityReleased, |q, r| q.capacity().release(r).await?),
    operation!("capacity.renew", "start the lease of a token again", Control Post "/backpressure/{token_id}/renew",
        Write by [Cell "cell_id"], key: Some("result"), HeldToken => CapacityToken, |q, r| q.capacity().renew(r).await?),
    operation!("capacity.transfer", "hand a token to another cell", Control Post "/backpressure/{token_id}/transfer",
        Write by [Cell "cell_id"], key: Some("result"), TransferCapacity => CapacityToken, |q, r| q.capacity().transfer(r).await?),
    operation!("capacity.revoke", "take a token away from its holder", Control Post "/backpressure/{token_id}/revoke",
        Write by [], key: Some("result"), TokenRef => CapacityToken, |q, r| q.capacity().revoke(r).await?),
    operation!("capacity.configure", "set up what a cell has to lend", Dispatch Post "/backpressure/{cell_id}/configure",
        Write by [Cell "cell_id"], key: Some("result"), ConfigureCapacity => CapacityConfigured, founds: true,
        |q, r| q.capacity().configure(r).await?),
    operation!("capacity.reserve", "reserve an estimate of what will be used, of all budgets or of none", Dispatch Post
        "/backpressure/{cell_id}/reserve", Write by [Cell "cell_id"], key: Some("result"),
        ReserveCapacity => CapacityReserved, statuses: &[("exhausted", 429), ("never", 422)], waits: class::if_told_to,
        |q, r| q.capacity().reserve(r).await?),
    operation!("capacity.settle", "say what was used of a reservation; the difference goes back or is taken", Control Post
        "/backpressure/{token_id}/settle", Write by [Cell "cell_id"], key: Some("result"),
        SettleCapacity => CapacitySettled, |q, r| q.capacity().settle(r).await?),
    operation!("capacity.status", "show how a cell stands", Data Get "/backpressure/{cell_id}/status",
        Read by [], key: Some("status"), CapacityRef => CapacityStatus, |q, r| q.capacity().status(r).await?),
    operation!("capacity.holders", "list who holds the capacity of a cell, and how long still", Data Get
        "/backpressure/{cell_id}/holders", Read by [], key: None, ListHolders => HolderPage,
        |q, r| q.capacity().holders(r).await?),
    operation!("capacity.stats", "count needs, offers and tokens over all time", Telemetry Get "/backpressure/stats",
        Read by [], key: Some("stats"), Nothing => CapacityStats, |q, r| { let Nothing {} = r; q.capacity().stats().await? }),
    operation!("budget.set", "limit what many cells are granted at once, or use per period", Dispatch Post "/budgets/{budget_id}/limits",
        Write by [], key: Some("result"), SetBudget => CapacityConfigured, founds: true,
        |q, r| q.capacity().set_budget(r).await?),
    operation!("budget.status", "show how a budget stands", Data Get "/budgets/{budget_id}/status",
        Read by [], key: Some("status"), BudgetRef => BudgetStatus, |q, r| q.capacity().budget(r).await?),
    operation!("agent.register", "register an agent and watch its heartbeats", Dispatch Post "/agent/register",
        Write by [Agent "agent_id"], key: Some("agent"), RegisterAgent => AgentRegistered, founds: true, critical: class::always,
        |q, r| q.agents().register(r).await?),
    operation!("agent.leave", "strike an agent off", Control Post "/agent/{agent_id}/leave",
        Write by [Agent "agent_id"], key: Some("agent"), AgentRef => AgentLeft, |q, r| q.agents().leave(&r.agent_id).await?),
    operation!("agent.beat", "say that an agent is alive", Control Post "/agent/{agent_id}/beat",
        Write by [Agent "agent_id"], key: Some("beat"), Beat => Beaten, |q, r| q.agents().beat(r).await?),
    operation!("agent.health", "show how an agent is doing", Data Get "/agent/{agent_id}/health",
        Read by [], key: Some("agent"), AgentRef => AgentHealth, |q, r| q.agents().health(&r.agent_id).await?),
    operation!("agent.monitor", "watch a registered agent again", Control Post "/agent/{agent_id}/monitor",
        Write by [Agent "agent_id"], key: Some("agent"), MonitorAgent => AgentMonitored, |q, r| q.agents().monitor(r).await?),
    operation!("agent.unmonitor", "watch an agent no longer; it stays registered", Control Post "/agent/{agent_id}/unmonitor",
        Write by [Agent "agent_id"], key: Some("agent"), AgentRef => AgentUnmonitored, |q, r| q.agents().unmonitor(&r.agent_id).await?),
    operation!("agent.history", "list the newest beats of an agent, oldest first", Telemetry Get "/agent/{agent_id}/history",
        Read by [], key: None, AgentHistory => AgentHistoryPage, |q, r| q.agents().history(r).await?),
    operation!("agent.list", "list the registered agents", Data Get "/agents",
        Read by [], key: None, ListAgents => AgentPage, |q, r| q.agents().list(r).await?),
    operation!("agent.stats", "count agents by health, and heartbeats over all time", Telemetry Get "/agent/stats",
        Read by [], key: Some("stats"), Nothing => AgentStats, |q, r| { let Nothing {} = r; q.agents().stats().await? }),
    operation!("consensus.request", "put a question to the agents and wait for the decision", Dispatch Post
        "/consensus/request", Write by [], key: Some("result"), RequestConsensus => ConsensusResult, waits: class::unless_told_not_to,
        |q, r| q.consensus().request(r).await?),
    operation!("consensus.vote", "vote on a proposal", Control Post "/consensus/{proposal_id}/vote",
        Write by [Agent "agent_id"], key: Some("vote"), ConsensusVote => ConsensusVoted, records_refusals: true, |q, r| q.consensus().vote(r).await?),
    operation!("consensus.result", "show how a proposal stands or ended, or wait for it", Data Get
        "/consensus/{proposal_id}/result", Read by [], key: Some("result"), ConsensusRef => ConsensusResult, waits: class::for_so_long,
        |q, r| q.consensus().result(r).await?),
    operation!("consensus.spend", "use the decision of a proposal for the one operation it allows", Dispatch Post
        "/consensus/{proposal_id}/spend", Write by [Any "by"], key: Some("spent"), SpendConsensus => DecisionSpent,
        |q, r| q.consensus().spend(r).await?),
    operation!("consensus.open", "list open proposals, or those that await an agent's vote", Data Get
        "/consensus/open", Read by [], key: None, OpenProposals => OpenProposalsPage, waits: class::for_so_long,
        |q, r| q.consensus().list_open(r).await?),
    operation!("consensus.extend", "take votes on a proposal longer", Control Post "/consensus/{proposal_id}/extend",
        Write by [Any "by"], key: Some("result"), ExtendConsensus => ConsensusResult, |q, r| q.consensus().extend(r).await?),
    operation!("consensus.delegate", "hand a place to somebody else, who votes in it", Control Post
        "/consensus/{proposal_id}/delegate", Write by [Agent "from"], key: Some("result"),
        DelegateConsensus => ConsensusResult, |q, r| q.consensus().delegate(r).await?),
    operation!("consensus.remind", "tell those whose votes are outstanding again", Control Post
        "/consensus/{proposal_id}/remind", Write by [Any "by"], key: Some("reminded"), RemindConsensus => ConsensusReminded,
        |q, r| q.consensus().remind(r).await?),
    operation!("consensus.cancel", "withdraw a proposal", Control Post "/consensus/{proposal_id}/cancel",
        Write by [Any "by"], key: Some("result"), CancelConsensus => ConsensusResult, |q, r| q.consensus().cancel(r).await?),
    operation!("consensus.history", "list the latest ended proposals, oldest first", Telemetry Get "/consensus/history",
        Read by [], key: None, ConsensusHistory => ConsensusHistoryPage, |q, r| q.consensus().history(r).await?),
    operation!("consensus.stats", "count proposals and votes over all time", Telemetry Get "/consensus/stats",
        Read by [], key: Some("stats"), Nothing => ConsensusStats,
        |q, r| { let Nothing {} = r; q.consensus().stats().await? }),
    operation!("algorithm.register", "give a rule a name", Dispatch Post "/algorithms/register",
        Write by [Any "by"], key: Some("algorithm"), RegisterAlgorithm => AlgorithmRegistered, founds: true,
        |q, r| q.algorithms().register(r).await?),
    operation!("algorithm.unregister", "take a name away", Dispatch Post "/algorithms/{name}/unregister",
        Write by [], key: Some("algorithm"), AlgorithmRef => AlgorithmUnregistered,
        |q, r| q.algorithms().unregister(r).await?),
    operation!("algorithm.set_default", "choose the algorithm that decides when none is named", Dispatch Post
        "/algorithms/{name}/default", Write by [], key: Some("algorithm"), AlgorithmRef => AlgorithmDefault,
        |q, r| q.algorithms().set_default(r).await?),
    operation!("algorithm.list", "list registered algorithms, and the rules there are", Data Get "/algorithms",
        Read by [], key: None, Nothing => AlgorithmList, |q, r| { let Nothing {} = r; q.algorithms().list()? }),
    operation!("session.open", "open a session: a question that holds against voters that lie", Dispatch Post
        "/sessions/open", Write by [], key: Some("session"), OpenSession => SessionResult, founds: true,
        |q, r| q.sessions().open(r).await?),
    operation!("session.vote", "vote in a session, or promise a vote", Control Post "/sessions/{session_id}/vote",
        Write by [Voter "voter_id"], key: Some("vote"), SessionVote => SessionVoted, records_refusals: true, |q, r| q.sessions().vote(r).await?),
    operation!("session.end_round", "end the round that is open", Control Post "/sessions/{session_id}/end_round",
        Write by [], key: Some("session"), EndRound => SessionResult, |q, r| q.sessions().end_round(r).await?),
    operation!("session.result", "show how a session stands or ended, or wait for it", Data Get
        "/sessions/{session_id}/result", Read by [], key: Some("result"), SessionRef => SessionResult, waits: class::for_so_long,
        |q, r| q.sessions().result(r).await?),
    operation!("session.spend", "use the decision of a session for the one operation it allows", Dispatch Post
        "/sessions/{session_id}/spend", Write by [Any "by"], key: Some("spent"), SpendSession => DecisionSpent,
        |q, r| q.sessions().spend(r).await?),
    operation!("session.list", "list open sessions, or ended ones", Data Get "/sessions",
        Read by [], key: None, ListSessions => SessionPage, |q, r| q.sessions().list(r).await?),
    operation!("session.extend", "take votes in a session longer", Control Post "/sessions/{session_id}/extend",
        Write by [Any "by"], key: Some("session"), ExtendSession => SessionResult, |q, r| q.sessions().extend(r).await?),
    operation!("session.delegate", "hand a place in a session to another voter", Control Post
        "/sessions/{session_id}/delegate", Write by [Voter "from"], key: Some("session"),
        DelegateSession => SessionResult, |q, r| q.sessions().delegate(r).await?),
    operation!("session.remind", "tell those whose votes in a session are outstanding again", Control Post
        "/sessions/{session_id}/remind", Write by [Any "by"], key: Some("reminded"), RemindSession => SessionReminded,
        |q, r| q.sessions().remind(r).await?),
    operation!("session.cancel", "end a session without a decision", Control Post "/sessions/{session_id}/cancel",
        Write by [Any "cancelled_by"], key: Some("session"), CancelSession => SessionResult, |q, r| q.sessions().cancel(r).await?),
    operation!("session.certificate", "give what proves a decision to anybody", Data Get
        "/sessions/{session_id}/certificate", Read by [], key: Some("certificate"), CertifySession => Certificate,
        |q, r| q.sessions().certificate(r).await?),
    operation!("emergence.scan", "look for patterns in how a session was voted", Data Get
        "/sessions/{session_id}/emergence", Read by [], key: Some("emergence"), ScanEmergence => EmergenceReport,
        |q, r| q.emergence().scan(r).await?),
    operation!("candidate.register", "declare what there is to choose a voter by", Dispatch Post "/candidates/register",
        Write by [Any "by"], key: Some("candidate"), RegisterCandidate => CandidateRegistered, |q, r| q.candidates().register(r).await?),
    operation!("candidate.select", "choose among candidates by eight criteria, traits and context", Dispatch Post "/candidates/select",
        Write by [Any "by"], key: Some("selection"), SelectCandidates => CandidatesSelected, |q, r| q.candidates().select(r).await?),
    operation!("voter.register", "register a voter of sessions", Dispatch Post "/voters/register",
        Write by [], key: Some("voter"), RegisterVoter => VoterRegistered, founds: true, critical: class::always,
        |q, r| q.voters().register(r).await?),
    operation!("voter.state", "show how far a voter is trusted, and why", Data Get "/voters/{voter_id}/state",
        Read by [], key: Some("voter"), VoterRef => VoterView, |q, r| q.voters().state(r).await?),
    operation!("voter.list", "list voters, and count them by state", Data Get "/voters",
        Read by [], key: None, ListVoters => VoterPage, |q, r| q.voters().list(r).await?),
    operation!("voter.quarantine", "let a voter vote in no session for a while", Control Post
        "/voters/{voter_id}/quarantine", Write by [], key: Some("voter"), QuarantineVoter => VoterView,
        |q, r| q.voters().quarantine(r).await?),
    operation!("voter.release", "let a voter vote again, on probation", Control Post "/voters/{voter_id}/release",
        Write by [], key: Some("voter"), ReleaseVoter => VoterView, |q, r| q.voters().release(r).await?),
    operation!("voter.feedback", "tell what had been right, so that weights are learned from it", Control Post "/voters/feedback",
        Write by [Any "by"], key: Some("feedback"), TellTruth => TruthTaken, |q, r| q.voters().feedback(r).await?),
    operation!("voter.rotate", "let another key take the place of the one a voter signs with", Control Post
        "/voters/{voter_id}/rotate", Write by [Any "by"], key: Some("voter"), RotateKey => KeyTaken,
        |q, r| q.voters().rotate(r).await?),
    operation!("job.submit", "submit a job", Dispatch Post "/jobs/submit",
        Write by [Holder "leader_id"], key: Some("job"), SubmitJob => JobSubmitted, founds: true,
        |q, r| q.jobs().submit(r).await?),
    operation!("job.progress", "say that a job got on", Data Post "/jobs/{job_id}/progress",
        Write by [Leads "job_id"], key: Some("job"), JobProgress => JobChanged, |q, r| q.jobs().progress(r).await?),
    operation!("job.extend", "ask for more time for a worker", Control Post "/jobs/extend",
        Write by [Worker "worker_id", Leader "fence_token"], key: Some("extension"), ExtendJob => JobExtended, |q, r| q.jobs().extend(r).await?),
    operation!("job.workflow", "take a workflow of a job one step", Dispatch Post "/jobs/{job_id}/workflow",
        Write by [Leads "job_id"], key: Some("job"), MoveWorkflow => JobChanged, critical: class::always,
        |q, r| q.jobs().workflow(r).await?),
    operation!("job.transfer", "give leadership of a job to another leader", Control Post "/jobs/{job_id}/transfer",
        Write by [Leads "job_id"], key: Some("job"), TransferJob => JobLed, |q, r| q.jobs().transfer(r).await?),
    operation!("job.acquire", "take or keep the lease of a job", Control Post "/jobs/{job_id}/acquire",
        Write by [Holder "holder_id"], key: Some("job"), LeaseJob => JobLed, |q, r| q.jobs().acquire(r.held_elsewhere()).await?),
    operation!("job.renew", "keep the lease of a job", Control Post "/jobs/{job_id}/renew",
        Write by [Holder "holder_id"], key: Some("job"), LeaseJob => JobLed, |q, r| q.jobs().renew(r).await?),
    operation!("job.release", "give the lease of a job back", Control Post "/jobs/{job_id}/release",
        Write by [Holder "holder_id"], key: Some("job"), LeaseJob => JobChanged, |q, r| q.jobs().release(r).await?),
    operation!("job.complete", "end a job as completed or failed", Dispatch Post "/jobs/{job_id}/complete",
        Write by [Leads "job_id"], key: Some("job"), CompleteJob => JobChanged, critical: class::always,
        |q, r| q.jobs().complete(r).await?),
    operation!("job.cancel", "stop a job", Control Post "/jobs/{job_id}/cancel",
        Write by [Any "requester_id", Leader "fence_token"], key: Some("job"), CancelJob => JobCancelled, |q, r| q.jobs().cancel(r).await?),
    operation!("job.status", "show how a job stands", Data Get "/jobs/{job_id}/status",
        Read by [], key: Some("status"), JobRef => JobStatusReply, |q, r| q.jobs().status(r).await?),
    operation!("job.wait", "wait until a job ends", Data Get "/jobs/{job_id}/wait",
        Read by [], key: Some("status"), WaitJob => JobStatusReply, waits: class::always, |q, r| q.jobs().wait(r).await?),
    operation!("job.why", "show what led to how a job stands", Data Get "/jobs/{job_id}/why",
        Read by [], key: Some("why"), JobRef => JobWhy, |q, r| q.jobs().why(r).await?),
    operation!("job.stuck_workflows", "list workflows that did not get on for long", Data Get
        "/jobs/{job_id}/stuck_workflows", Read by [], key: Some("stuck"), StuckWorkflows => StuckList,
        |q, r| q.jobs().stuck_workflows(r).await?),
    operation!("job.list", "list live jobs, or ended ones", Data Get "/jobs",
        Read by [], key: None, ListJobs => JobPage, |q, r| q.jobs().list(r).await?),
    operation!("job.stats", "count jobs over all time", Telemetry Get "/jobs/stats",
        Read by [], key: Some("stats"), Nothing => JobStats, |q, r| { let Nothing {} = r; q.jobs().stats().await? }),
    operation!("job.estimate", "show the deadlines learned for a class of jobs", Data Get "/jobs/estimate/{class}",
        Read by [], key: Some("estimate"), ClassRef => ClassEstimate, |q, r| q.jobs().estimate(r).await?),
    operation!("lease.list", "list the leases of jobs that are held, and how long still", Data Get "/leases",
        Read by [], key: None, ListLeases => LeasePage, |q, r| q.leases().list(r).await?),
    operation!("gate.status", "show how a job stands at its gate", Data Get "/gates/{job_id}/status",
        Read by [], key: Some("status"), JobRef => GateStatus, |q, r| q.jobs().gate_status(r).await?),
    operation!("gate.transfer", "give leadership of a job at the gate to another gate", Control Post
        "/gates/{job_id}/transfer", Write by [], key: Some("status"), TransferGate => GateStatus,
        |q, r| q.jobs().gate_transfer(r).await?),
    operation!("worker.register", "register a worker that takes workflows", Dispatch Post "/workers/register",
        Write by [Worker "worker_id"], key: Some("worker"), RegisterWorker => WorkerChanged, founds: true, critical: class::always,
        |q, r| q.workers().register(r).await?),
    operation!("worker.report", "say what became of a workflow", Data Post "/workers/{worker_id}/report",
        Write by [Worker "worker_id"], key: Some("worker"), WorkerReport => WorkerChanged, critical: class::is_last_report,
        |q, r| q.workers().report(r).await?),
    operation!("worker.take", "ask for work, with what is to be done", Dispatch Post "/workers/{worker_id}/take",
        Write by [Worker "worker_id"], key: Some("taken"), TakeWork => WorkTaken, waits: class::for_so_long,
        |q, r| q.workers().take(r).await?),
    operation!("worker.beat", "say that a worker is alive, and what it has", Control Post "/workers/{worker_id}/beat",
        Write by [Worker "worker_id"], key: Some("beat"), BeatWorker => WorkerBeaten, |q, r| q.workers().beat(r).await?),
    operation!("worker.list", "list workers: state, load, last sign of life, what they run", Data Get "/workers",
        Read by [], key: None, ListWorkers => WorkerPage, |q, r| q.workers().list(r).await?),
    operation!("worker.leader_lost", "say that a worker cannot reach the leader of a job", Control Post
        "/workers/{worker_id}/leader_lost", Write by [Worker "worker_id"], key: Some("worker"), LeaderLost => WorkerChanged,
        |q, r| q.workers().leader_lost(r).await?),
    operation!("worker.lost", "say that a worker is dead", Control Post "/workers/{worker_id}/lost",
        Write by [Worker "worker_id"], key: Some("worker"), WorkerRef => WorkerChanged, |q, r| q.workers().lost(r).await?),
    operation!("worker.healthy", "say that a worker is well", Control Post "/workers/{worker_id}/healthy",
        Write by [Worker "worker_id"], key: Some("worker"), WorkerRef => WorkerChanged, |q, r| q.workers().healthy(r).await?),
    operation!("worker.leave", "take nothing new and end", Control Post "/workers/{worker_id}/leave",
        Write by [Worker "worker_id"], key: Some("worker"), WorkerRef => WorkerChanged, |q, r| q.workers().leave(r).await?),
    operation!("worker.status", "show how a worker stands", Data Get "/workers/{worker_id}/status",
        Read by [], key: Some("status"), WorkerRef => WorkerStatus, |q, r| q.workers().status(r).await?),
    operation!("coordinate.update", "move a node's coordinate by a round trip it measured", Telemetry Post
        "/coordinates/update", Write by [], key: Some("coordinate"), UpdateCoordinate => CoordinateView, founds: true,
        |q, r| q.coordinates().update(r).await?),
    operation!("coordinate.estimate", "estimate the round trip between two nodes", Data Get "/coordinates/estimate",
        Read by [], key: Some("estimate"), EstimateCoordinate => CoordinateEstimate, |q, r| q.coordinates().estimate(r).await?),
    operation!("datacenter.update", "say how a datacenter is", Control Post "/datacenters/{datacenter_id}/update",
        Write by [], key: Some("datacenter"), UpdateDatacenter => DatacenterView, founds: true,
        |q, r| q.datacenters().update(r).await?),
    operation!("datacenter.remove", "forget a datacenter", Control Post "/datacenters/{datacenter_id}/remove",
        Write by [], key: Some("datacenter"), DatacenterRef => DatacenterRemoved, |q, r| q.datacenters().remove(r).await?),
    operation!("datacenter.list", "list the datacenters, and how far away they are", Data Get "/datacenters",
        Read by [], key: None, ListDatacenters => DatacenterList, |q, r| q.datacenters().list(r).await?),
    operation!("route.job", "decide which datacenter a job goes to, and keep that", Dispatch Post "/routes/{job_id}/job",
        Write by [], key: Some("route"), RouteJob => RoutingDecision, founds: true, |q, r| q.routes().job(r).await?),
    operation!("route.failure", "say that a datacenter did not take a job", Control Post "/routes/{job_id}/failure",
        Write by [], key: Some("route"), RouteFailure => RouteFailed, |q, r| q.routes().failure(r).await?),
    operation!("route.accept", "say which datacenter took a job", Control Post "/routes/{job_id}/accept",
        Write by [], key: Some("route"), AcceptRoute => RouteChanged, |q, r| q.routes().accept(r).await?),
    operation!("route.forget", "forget where a job goes, as when it ended", Control Post "/routes/{job_id}/forget",
        Write by [], key: Some("route"), RouteRef => RouteChanged, |q, r| q.routes().forget(r).await?),
    operation!("route.state", "show where a job goes, why, and what failed", Data Get "/routes/{job_id}/state",
        Read by [], key: Some("state"), RouteRef => RouteState, |q, r| q.routes().state(r).await?),
    operation!("flow.open", "open a stream of messages with flow control", Dispatch Post "/flow/open",
        Write by [], key: Some("flow"), OpenFlow => FlowOpened, founds: true, |q, r| q.flows().open(r).await?),
    operation!("flow.offer", "offer a message to a stream", Data Post "/flow/{flow_id}/offer",
        Write by [Any "sender"], key: Some("offer"), OfferMessage => MessageOffered, waits: class::for_so_long, critical: class::is_marked,
        |q, r| q.flows().offer(r).await?),
    operation!("flow.drain", "take messages out of a stream, with the gaps between them", Control Post
        "/flow/{flow_id}/drain", Write by [], key: Some("page"), DrainFlow => FlowDrained, |q, r| q.flows().drain(r).await?),
    operation!("flow.status", "show how a stream stands", Data Get "/flow/{flow_id}/status",
        Read by [], key: Some("status"), FlowRef => FlowStatus, |q, r| q.flows().status(&r.flow_id).await?),
    operation!("flow.recommendation", "say what to do about a stream, and why", Telemetry Get
        "/flow/{flow_id}/recommendation", Read by [], key: Some("recommendation"), FlowRef => FlowAdviceView,
        |q, r| q.flows().recommendation(&r.flow_id).await?),
    operation!("flow.configure", "change the configuration of an open stream", Dispatch Post "/flow/{flow_id}/configure",
        Write by [], key: Some("flow"), ConfigureFlow => FlowOpened, |q, r| q.flows().configure(r).await?),
    operation!("flow.close", "end a stream; what is buffered may still be read", Control Post "/flow/{flow_id}/close",
        Write by [], key: Some("flow"), FlowRef => FlowOpened, |q, r| q.flows().close(&r.flow_id).await?),
    operation!("shed.check", "ask whether a message is let in at this load", Control Post "/shed/check",
        Write by [], key: Some("check"), CheckShed => ShedChecked, asks: true, |q, r| q.shedding().check(r).await?),
    operation!("shed.release", "give back the place of a message that was let in", Control Post "/shed/release",
        Write by [], key: Some("permit"), ReleasePermit => PermitReleased, asks: true, |q, r| q.shedding().release(r).await?),
    operation!("shed.record", "feed the detector of overload", Control Post "/shed/record",
        Write by [], key: Some("load"), RecordLoad => LoadRecorded, |q, r| q.shedding().record(r).await?),
    operation!("shed.status", "show load, shedding and why", Control Get "/shed/status",
        Read by [], key: Some("status"), Nothing => ShedStatus, |q, r| { let Nothing {} = r; q.shedding().status().await? }),
    operation!("member.list", "list the nodes of the cluster, as this one sees them", Control Get "/members",
        Read by [], key: None, Nothing => MemberList, |q, r| { let Nothing {} = r; q.members().list().await? }),
    operation!("member.metrics", "show how membership is doing on this node", Telemetry Get "/members/metrics",
        Read by [], key: Some("metrics"), Nothing => MemberMetrics,
        |q, r| { let Nothing {} = r; q.members().metrics().await? }),
    operation!("member.validate", "check that what this node keeps of the others hangs together", Telemetry Get
        "/members/validate", Read by [], key: Some("report"), Nothing => MemberValidation,
        |q, r| { let Nothing {} = r; q.members().validate().await? }),
    operation!("pressure.status", "show who asks whom to slow down", Control Get "/pressure/status",
        Read by [], key: Some("status"), AskPressure => PressureStatus, |q, r| q.pressure().status(r).await?),
    operation!("stats.record", "record statistics of running work", Data Post "/stats/record",
        Write by [], key: Some("recorded"), RecordStats => StatsRecorded, founds: true, critical: class::is_marked,
        |q, r| q.stats().record(r).await?),
    operation!("stats.level", "show what the statistics' fill asks of senders", Control Get "/stats/level",
        Read by [], key: Some("level"), Nothing => StatsLevel, |q, r| { let Nothing {} = r; q.stats().level().await? }),
    operation!("stats.summary", "sum up all statistics and the tiers they stand in", Telemetry Get "/stats/summary",
        Read by [], key: Some("summary"), AskSummary => StatsSummary, |q, r| q.stats().summary(r).await?),
    operation!("stop.engage", "stop something, until those who are named let it go on", Control Post "/stops/engage",
        Write by [Any "by"], key: Some("stop"), EngageStop => StopView, founds: true,
        |q, r| q.stops().engage(r).await?),
    operation!("stop.release", "let go on what was stopped, by a decision of those who were named", Control Post
        "/stops/{stop_id}/release", Write by [Any "by"], key: Some("stop"), ReleaseStop => StopView,
        |q, r| q.stops().release(r).await?),
    operation!("stop.list", "list what is stopped", Control Get "/stops",
        Read by [], key: None, ListStops => StopList, |q, r| q.stops().list(r).await?),
    operation!("stop.status", "show what a stop stops, and who may release it", Control Get "/stops/{stop_id}/status",
        Read by [], key: Some("stop"), StopRef => StopView, |q, r| q.stops().status(r).await?),
    operation!("retention.hold", "keep what ended from being pruned, until it is released", Control Post "/retention/hold",
        Admin by [], key: Some("hold"), HoldRecords => RecordsHold, founds: true, |q, r| q.retention().hold(r).await?),
    operation!("retention.release", "let go on what was kept from being pruned", Control Post "/retention/release",
        Admin by [], key: Some("hold"), ReleaseRecords => RecordsHold, |q, r| q.retention().release(r).await?),
    operation!("retention.list", "list what is kept from being pruned, and what was pruned", Control Get "/retention",
        Read by [], key: None, Nothing => RetentionView, |q, r| { let Nothing {} = r; q.retention().list().await? }),
    operation!("hook.register", "post what is recorded to a URL, signed; the secret is told once", Dispatch Post "/hooks/register",
        Write by [], key: Some("hook"), RegisterHook => HookChanged, founds: true, |q, r| q.hooks().register(r).await?),
    operation!("hook.list", "list the hooks: how far each is, what fails, when it is attempted again", Data Get "/hooks",
        Read by [], key: None, Nothing => HookList, |q, r| { let Nothing {} = r; q.hooks().list().await? }),
    operation!("hook.resume", "attempt a hook again that is failing or disabled, from where it stands", Control Post
        "/hooks/{hook_id}/resume", Write by [], key: Some("hook"), HookRef => HookChanged, |q, r| q.hooks().resume(r).await?),
    operation!("hook.remove", "end a hook for good, with what it had not delivered", Control Post "/hooks/{hook_id}/remove",
        Write by [], key: Some("hook"), HookRef => HookChanged, |q, r| q.hooks().remove(r).await?),
    operation!("identity.create", "make an identity; its token is told once", Dispatch Post "/identities/create",
        Admin by [], key: Some("identity"), CreateIdentity => IdentityChanged, founds: true,
        |q, r| q.identities().create(r).await?),
    operation!("identity.rotate", "give an identity a new token, told once", Dispatch Post "/identities/{name}/rotate",
        Admin by [], key: Some("identity"), RotateIdentity => IdentityChanged, |q, r| q.identities().rotate(r).await?),
    operation!("identity.grant", "say anew what an identity may do", Dispatch Post "/identities/{name}/grant",
        Admin by [], key: Some("identity"), GrantIdentity => IdentityChanged, |q, r| q.identities().grant(r).await?),
    operation!("identity.revoke", "end an identity for good, or one of its tokens", Control Post
        "/identities/{name}/revoke", Admin by [], key: Some("identity"), RevokeIdentity => IdentityChanged,
        |q, r| q.identities().revoke(r).await?),
    operation!("identity.list", "list the identities, and what they may do", Data Get "/identities",
        Read by [], key: None, ListIdentities => IdentityPage, |q, r| q.identities().list(r).await?),
    operation!("overview.show", "show what is open, what waits for whom, what is overdue and what is wrong", Data Get
        "/overview", Read by [], key: Some("overview"), ShowOverview => Overview, |q, r| q.overview().show(r).await?),
    operation!("overview.inbox", "show the questions that await somebody's vote, or wait for one", Data Get
        "/overview/inbox/{voter_id}", Read by [], key: Some("inbox"), AskInbox => Inbox, waits: class::for_so_long,
        |q, r| q.overview().inbox(r).await?),
    operation!("journal.groups", "read commit groups as they are stored, for a backup", Data Get "/journal/groups", Admin by [], key: None, ReadGroups => GroupPage, |q, r| q.journal().groups(r).await?),
    operation!("history.query", "ask what happened, over all entities", Data Get "/history",
        Read by [], key: None, HistoryQuery => EventPage, |q, r| q.history().query(r).await?),
    operation!("history.entity", "show the log of one entity, with its votes", Data Get "/history/entity/{entity_id}",
        Read by [], key: None, EntityHistory => EntityLog, |q, r| q.history().entity(r).await?),
    operation!("history.count", "count events, outcomes, durations and votes", Telemetry Get "/history/count",
        Read by [], key: Some("counts"), CountHistory => HistoryCounts, |q, r| q.history().count(r).await?),
    operation!("history.state_at", "show how an entity stood earlier", Data Get "/history/state/{entity_id}",
        Read by [], key: Some("status"), StateAt => PastState, |q, r| q.history().state_at(r).await?),
    operation!("history.why", "show what led to how an entity stands", Data Get "/history/why/{entity_id}",
        Read by [], key: None, AskWhy => EntityWhy, |q, r| q.history().why(r).await?),
    operation!("history.verify", "check every hash, link and sequence of the journal", Data Get "/history/verify",
        Read by [], key: Some("verified"), VerifyHistory => Verified,
        |q, r| q.history().verify_against(r, |_| ()).await?),
    operation!("history.checkpoint", "sign a checkpoint over everything recorded so far", Data Get "/history/checkpoint",
        Read by [], key: Some("checkpoint"), Nothing => LogCheckpoint,
        |q, r| { let Nothing {} = r; q.history().checkpoint().await? }),
    operation!("history.prove", "prove that a record is in the log", Data Get "/history/prove",
        Read by [], key: None, ProveRecord => RecordProof, |q, r| q.history().prove(r).await?),
    operation!("history.prove_records", "give records with what proves them, by position", Data Post "/history/prove_records",
        Read by [], key: None, ProveRecords => ProvenRecords, asks: true, |q, r| q.history().prove_records(r).await?),
    operation!("history.consistency", "prove that the log goes on from an older checkpoint", Data Post "/history/consistency",
        Read by [], key: None, ProveConsistency => ConsistencyProof, asks: true,
        |q, r| q.history().prove_consistency(r).await?),
];

/// The operation of a name.
///
/// # Errors
/// `unknown_operation`, with the names there are.
pub fn find(name: &str) -> Result<&'static Operation, Error> {
    OPERATIONS.iter().find(|op| op.name == name).ok_or_else(|| {
        let names: Vec<&str> = OPERATIONS.iter().map(|op| op.name).collect();
        let shown: String = name.chars().take(100).collect();
        let message = format!("no such operation. given={shown:?}, expected one of {}", names.join(", "));
        Error::new(ErrorKind::UnknownOperation, message)
    })
}

impl Operation {
    /// Runs it, if the caller may. Every door comes through here. The request is an object.
    pub fn call(&'static self, q: Quorate, fields: Map<String, Value>) -> Called {
        Box::pin(async move {
            let Permitted { q, watch } = q.permit(self, &fields).await?;
            Watch::until_over(watch, (self.run)(q, fields)).await
        })
    }

    /// Does a call with these fields only show what is on record? What waits for a decision needs somebody who decides.
    pub fn only_reads(&self, fields: &Map<String, Value>) -> bool {
        self.asks && !(self.waits)(fields)
    }

    /// Reads the text of one field, as it stands in a query string or on the command line, into the JSON type its
    /// schema names. A text that does not fit stays a text, for the typed request to refuse.
    ///
    /// # Errors
    /// `invalid_argument` for a number that cannot be kept exactly, a member that is given twice, or what begins like
    /// JSON and is none.
    pub fn field_from_text(&self, field: &str, text: &str) -> Result<Value, Error> {
        let schema = (self.request)().to_value();
        let types = field_types(&schema, field);
        if types.iter().any(|t| t == "boolean")
            && let Ok(value) = bool::from_str(text)
        {
            return Ok(value.into());
        }
        let is_json = serde_json::from_str::<IgnoredAny>(text).is_ok();
        if types.iter().any(|t| t == "integer" || t == "number")
            && is_json
            && text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        {
            let exact = json::is_exact(text).then(|| serde_json::Number::from_str(text).ok()).flatten();
            return exact.map(Value::Number).ok_or_else(|| json::refused(field, text));
        }
        if (types.is_empty() || types.iter().any(|t| t == "array" || t == "object")) && is_json {
            json::check(text).map_err(|error| inside(field, &error))?;
            if let Ok(value) = serde_json::from_str(text) {
                return Ok(value);
            }
        }
        let is_meant = || text.trim_start().starts_with(['{', '[', '"']);
        if (types.is_empty() || types.iter().any(|t| t == "array" || t == "object")) && is_meant() {
            return Err(Error::invalid(field, text, "JSON, as which it begins: a text of its own in quotes"));
        }
        if types.iter().any(|t| t == "array") {
            return Ok(text.split(',').map(|part| Value::from(part.trim())).collect());
        }
        Ok(text.into())
    }

    /// The field of the request that says what it is about: the one in the path, if there is just one.
    pub fn subject(&self) -> Option<&'static str> {
        let mut names = self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        names.next().filter(|_| names.next().is_none())
    }

    /// The request's fields in order: name, description and whether it must be given.
    pub fn fields(&self) -> Vec<Field> {
        let schema = (self.request)().to_value();
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let properties = schema["properties"].as_object().cloned().unwrap_or_default();
        properties
            .into_iter()
            .map(|(name, property)| Field {
                types: types_of(&property),
                choices: choices_of(&property),
                description: property["description"].as_str().unwrap_or_default().to_owned(),
                required: required.iter().any(|r| *r == name),
                name,
            })
            .collect()
    }
}

fn to_json<T: Serialize + JsonSchema>(reply: T) -> Result<Value, Error> {
    serde_json::to_value(reply)
        .map_err(|e| Error::new(ErrorKind::StoreError, format!("reply cannot be written as JSON: {e}")))
}
