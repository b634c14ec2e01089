//! The table of operations: every thing a user can do, by name, over JSON. HTTP, the command line and play are
//! doors onto this table and add no behaviour of their own.

use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, schema_for};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};

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
use crate::core::trust::identity::check::Need;
use crate::core::voting::session::certificate::Certificate;
use crate::error::{Error, ErrorKind};

/// How an operation is called over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads; fields stand in path and query.
    Get,
    /// Writes; fields stand in path and JSON body.
    Post,
}

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

/// What a row says of a column, or what the column is where a row says nothing.
macro_rules! column {
    ($given:expr; $otherwise:expr) => {
        $given
    };
    (; $otherwise:expr) => {
        $otherwise
    };
}

macro_rules! operation {
    ($name:literal, $summary:literal, $class:ident $method:ident $path:literal,
     $scope:ident by [$($acts:ident $acting:literal),*], key: $key:expr,
     $request:ty => $reply:ty, $(bad_request: $bad:expr,)? $(statuses: $statuses:expr,)? $(founds: $founds:expr,)?
     $(asks: $asks:expr,)? $(waits: $waits:expr,)? $(critical: $critical:expr,)?
     $(records_refusals: $records:expr,)? |$q:ident, $r:ident| $call:expr) => {
        Operation {
            name: $name,
            summary: $summary,
            class: Class::$class,
            critical: column!($($critical)?; class::never),
            method: Method::$method,
            path: $path,
            scope: Need::$scope,
            acts: &[$(Acts::$acts($acting)),*],
            records_refusals: column!($($records)?; false),
            key: $key,
            bad_request: column!($($bad)?; &[]),
            statuses: column!($($statuses)?; &[]),
            founds: column!($($founds)?; false),
            asks: column!($($asks)?; matches!(Method::$method, Method::Get)),
            waits: column!($($waits)?; class::never),
            request: || schema_for!($request),
            reply: || schema_for!($reply),
            run: |$q, fields| {
                Box::pin(async move {
                    let critical: fn(&Map<String, Value>) -> bool = column!($($critical)?; class::never);
                    let label = Label { class: Class::$class, critical: critical(&fields), deadline: None };
                    let host = $q.host();
                    let _inside = host.desk.enter(host, label).map_err(turned)?;
                    json::check_doubles(|| schema_for!($request).to_value(), &fields)?;
                    let $r: $request = parse(fields)?;
                    let reply: $reply = $call;
                    to_json(reply)
                })
            },
        }
    };
}

/// Every operation.
pub static OPERATIONS: &[Operation] = &[
    operation!("cell.register", "set a cell's entry in the mesh registry", Dispatch Post "/cells/register",
        Write by [Cell "cell_id"], key: Some("cell"), RegisterCell => CellRegistered, founds: true,
        |q, r| q.cells().register(r).await?),
    operation!("cell.mesh", "register a whole hexagonal mesh around a hub", Dispatch Post "/cells/mesh",
        Write by [], key: Some("mesh"), RegisterMesh => MeshRegistered, founds: true,
        |q, r| q.cells().mesh(r).await?),
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
    operation!("capacity.cancel", "give up the place of a need that waits", Control Post "/backpressure/{cell_id}/cancel",
        Write by [Cell "cell_id"], key: Some("result"), CancelNeed => CapacityRequested, |q, r| q.capacity().cancel(r).await?),
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
    operation!("capacity.status", "show how a cell stands", Data Get "/backpressure/{cell_id}/status",
        Read by [], key: Some("status"), CapacityRef => CapacityStatus, |q, r| q.capacity().status(r).await?),
    operation!("capacity.stats", "count needs, offers and tokens over all time", Telemetry Get "/backpressure/stats",
        Read by [], key: Some("stats"), Nothing => CapacityStats, |q, r| { let Nothing {} = r; q.capacity().stats().await? }),
    operation!("budget.set", "limit what many cells are granted at once", Dispatch Post "/budgets/{budget_id}/limits",
        Write by [], key: Some("result"), SetBudget => CapacityConfigured, founds: true,
        |q, r| q.capacity().set_budget(r).await?),
    operation!("budget.status", "show how a budget stands", Data Get "/budgets/{budget_id}/status",
        Read by [], key: Some("status"), BudgetRef => BudgetStatus, |q, r| q.capacity().budget(r).await?),
    operation!("agent.register", "register an agent and watch its heartbeats", Dispatch Post "/agent/register",
        Write by [Agent "agent_id"], key: Some("agent"), RegisterAgent => AgentRegistered, founds: true,
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
    operation!("consensus.open", "list open proposals, or those that await an agent's vote", Data Get
        "/consensus/open", Read by [], key: None, OpenProposals => OpenProposalsPage,
        |q, r| q.consensus().list_open(r).await?),
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
    operation!("session.list", "list open sessions, or ended ones", Data Get "/sessions",
        Read by [], key: None, ListSessions => SessionPage, |q, r| q.sessions().list(r).await?),
    operation!("session.cancel", "end a session without a decision", Control Post "/sessions/{session_id}/cancel",
        Write by [Any "cancelled_by"], key: Some("session"), CancelSession => SessionResult, |q, r| q.sessions().cancel(r).await?),
    operation!("session.certificate", "give what proves a decision to anybody", Data Get
        "/sessions/{session_id}/certificate", Read by [], key: Some("certificate"), CertifySession => Certificate,
        |q, r| q.sessions().certificate(r).await?),
    operation!("voter.register", "register a voter of sessions", Dispatch Post "/voters/register",
        Write by [], key: Some("voter"), RegisterVoter => VoterRegistered, founds: true,
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
    operation!("job.list", "list live jobs, or ended ones", Data Get "/jobs",
        Read by [], key: None, ListJobs => JobPage, |q, r| q.jobs().list(r).await?),
    operation!("job.stats", "count jobs over all time", Telemetry Get "/jobs/stats",
        Read by [], key: Some("stats"), Nothing => JobStats, |q, r| { let Nothing {} = r; q.jobs().stats().await? }),
    operation!("job.estimate", "show the deadlines learned for a class of jobs", Data Get "/jobs/estimate/{class}",
        Read by [], key: Some("estimate"), ClassRef => ClassEstimate, |q, r| q.jobs().estimate(r).await?),
    operation!("gate.status", "show how a job stands at its gate", Data Get "/gates/{job_id}/status",
        Read by [], key: Some("status"), JobRef => GateStatus, |q, r| q.jobs().gate_status(r).await?),
    operation!("gate.transfer", "give leadership of a job at the gate to another gate", Control Post
        "/gates/{job_id}/transfer", Write by [], key: Some("status"), TransferGate => GateStatus,
        |q, r| q.jobs().gate_transfer(r).await?),
    operation!("worker.register", "register a worker that takes workflows", Dispatch Post "/workers/register",
        Write by [Worker "worker_id"], key: Some("worker"), RegisterWorker => WorkerChanged, founds: true,
        |q, r| q.workers().register(r).await?),
    operation!("worker.report", "say what became of a workflow", Data Post "/workers/{worker_id}/report",
        Write by [Worker "worker_id"], key: Some("worker"), WorkerReport => WorkerChanged, critical: class::is_last_report,
        |q, r| q.workers().report(r).await?),
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
    operation!("flow.open", "open a stream of messages with flow control", Dispatch Post "/flow/open",
        Write by [], key: Some("flow"), OpenFlow => FlowOpened, founds: true,
        |q, r| q.flows().open(r).await?),
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
    operation!("pressure.status", "show who asks whom to slow down", Control Get "/pressure/status",
        Read by [], key: Some("status"), AskPressure => PressureStatus, |q, r| q.pressure().status(r).await?),
    operation!("stats.record", "record statistics of running work", Data Post "/stats/record",
        Write by [], key: Some("recorded"), RecordStats => StatsRecorded, founds: true, critical: class::is_marked,
        |q, r| q.stats().record(r).await?),
    operation!("stats.level", "show what the statistics' fill asks of senders", Control Get "/stats/level",
        Read by [], key: Some("level"), Nothing => StatsLevel, |q, r| { let Nothing {} = r; q.stats().level().await? }),
    operation!("stats.summary", "sum up all statistics and the tiers they stand in", Telemetry Get "/stats/summary",
        Read by [], key: Some("summary"), AskSummary => StatsSummary, |q, r| q.stats().summary(r).await?),
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
    operation!("history.query", "ask what happened, over all entities", Data Get "/history",
        Read by [], key: None, HistoryQuery => EventPage, |q, r| q.history().query(r).await?),
    operation!("history.entity", "show the log of one entity, with its votes", Data Get "/history/entity/{entity_id}",
        Read by [], key: None, EntityHistory => EntityLog, |q, r| q.history().entity(r).await?),
    operation!("history.state_at", "show how a quorum or proposal stood earlier", Data Get "/history/state/{entity_id}",
        Read by [], key: Some("status"), StateAt => PastState, |q, r| q.history().state_at(r).await?),
    operation!("history.verify", "check every hash, link and sequence of the journal", Data Get "/history/verify",
        Read by [], key: Some("verified"), VerifyHistory => Verified,
        |q, r| q.history().verify_against(r, |_| ()).await?),
    operation!("history.checkpoint", "sign a checkpoint over everything recorded so far", Data Get "/history/checkpoint",
        Read by [], key: Some("checkpoint"), Nothing => LogCheckpoint,
        |q, r| { let Nothing {} = r; q.history().checkpoint().await? }),
    operation!("history.prove", "prove that a record is in the log", Data Get "/history/prove",
        Read by [], key: None, ProveRecord => RecordProof, |q, r| q.history().prove(r).await?),
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
    /// `invalid_argument` for a number that cannot be kept exactly, or a member that is given twice.
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

/// An error about a part of a field, which it names by its place in that field.
fn inside(field: &str, error: &Error) -> Error {
    let detail = |name: &str| error.detail(name).and_then(Value::as_str).unwrap_or_default();
    let part = detail("field");
    let place = match part {
        "number" => field.to_owned(),
        part if part.starts_with('[') => format!("{field}{part}"),
        part => format!("{field}.{part}"),
    };
    Error::invalid(&place, detail("value"), detail("expected"))
}

/// A field of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// The JSON types it takes; empty for any.
    pub types: Vec<String>,
    /// The words it takes, where it takes only some.
    pub choices: Vec<String>,
    /// What it means.
    pub description: String,
    /// It must be given.
    pub required: bool,
}

fn field_types(schema: &Value, field: &str) -> Vec<String> {
    types_of(&schema["properties"][field])
}

fn types_of(property: &Value) -> Vec<String> {
    let named = |value: &Value| value.as_str().map(str::to_owned);
    let mut types: Vec<String> = match &property["type"] {
        Value::Array(types) => types.iter().filter_map(named).collect(),
        single => named(single).into_iter().collect(),
    };
    for variant in property["anyOf"].as_array().into_iter().flatten() {
        types.extend(types_of(variant));
    }
    types.retain(|t| t != "null");
    types
}

fn choices_of(property: &Value) -> Vec<String> {
    let own = property["enum"].as_array().into_iter().flatten();
    let mut choices: Vec<String> = own.filter_map(Value::as_str).map(str::to_owned).collect();
    for variant in property["anyOf"].as_array().into_iter().flatten() {
        choices.extend(choices_of(variant));
    }
    choices
}

/// Reads a typed request; an error names the field, the value given and what was expected.
pub fn parse<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, Error> {
    let input = Value::Object(fields);
    serde_path_to_error::deserialize(&input).map_err(|error| {
        let path_is_whole = error.path().iter().next().is_none();
        let message = error.inner().to_string();
        // A missing or unknown field is named in the message, its path is the whole object.
        let named = message.split('`').nth(1).unwrap_or_default().to_owned();
        let field = if path_is_whole { named.clone() } else { error.path().to_string() };
        if message.starts_with("missing field") {
            let missing = if path_is_whole { field } else { format!("{field}.{named}") };
            return Error::missing(&missing);
        }
        let value = if path_is_whole { input.get(&field) } else { value_at(&input, error.path()) };
        let expected = message.rsplit_once("expected ").map_or(message.as_str(), |(_, expected)| expected);
        // Deserialisers name Rust's types; the reader is told in words.
        let expected = match expected {
            "f64" => "a number",
            "i64" if value.is_some_and(Value::is_u64) => "a whole number up to 9223372036854775807",
            "i64" => "a whole number",
            "u64" | "usize" => "a whole number, at least 0",
            "a map" => "a JSON object",
            "u32" => "a whole number from 0 to 4294967295",
            other if other.starts_with("struct ") => "a JSON object",
            other => other,
        };
        Error::invalid(&field, value.cloned().unwrap_or_default(), expected)
    })
}

fn value_at<'a>(input: &'a Value, path: &Path) -> Option<&'a Value> {
    path.iter().try_fold(input, |at, segment| match segment {
        Segment::Map { key } => at.get(key),
        Segment::Seq { index } => at.get(index),
        Segment::Enum { .. } | Segment::Unknown => Some(at),
    })
}

fn to_json<T: Serialize + JsonSchema>(reply: T) -> Result<Value, Error> {
    serde_json::to_value(reply)
        .map_err(|e| Error::new(ErrorKind::StoreError, format!("reply cannot be written as JSON: {e}")))
}
