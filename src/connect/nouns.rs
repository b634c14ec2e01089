//! The typed methods, one for each row of the table of operations.
//!
//! A line says the method, the row, what is given, and what comes back. A row without a line, or with other types than the
//! row has, is found by the test.

use std::future::Future;
use std::marker::PhantomData;

use super::{At, Connected};
use crate::api::agent::Agents;
use crate::api::algorithm::Algorithms;
use crate::api::candidate::Candidates;
use crate::api::capacity::Capacity;
use crate::api::cell::Cells;
use crate::api::consensus::Consensus;
use crate::api::dto::*;
use crate::api::emergence::Emergence;
use crate::api::flow::Flows;
use crate::api::history::History;
use crate::api::hooks::Hooks;
use crate::api::identity::Identities;
use crate::api::job::Jobs;
use crate::api::journal::Journal;
use crate::api::lease::Leases;
use crate::api::member::Members;
use crate::api::network::Coordinates;
use crate::api::network::Datacenters;
use crate::api::network::Routes;
use crate::api::overview::Overviews;
use crate::api::pressure::Pressure;
use crate::api::quorum::Quorums;
use crate::api::retention::Retained;
use crate::api::session::Sessions;
use crate::api::shedding::Shedding;
use crate::api::stats::Stats;
use crate::api::stop::StopCalls;
use crate::api::voter::Voters;
use crate::api::worker::Workers;
use crate::core::jobs::gate::status::GateStatus;
use crate::core::jobs::worker::WorkerStatus;
use crate::core::kernel::ids::{EntityId, VoterId};
use crate::core::network::route::RoutingDecision;
use crate::core::voting::session::certificate::Certificate;
use crate::error::Error;

/// What a typed method gives: the reply of its row, some time later.
macro_rules! replies {
    ($reply:ty) => {
        impl Future<Output = Result<$reply, Error>> + Send + use<>
    };
}

macro_rules! method {
    ($method:ident $op:literal () => $reply:ty) => {
        #[doc = concat!("`", $op, "`: as the method of this name on a runtime of one's own, and with its errors.")]
        ///
        /// # Errors
        /// Those of the operation, and those of [`Connected::call`].
        pub fn $method(&self) -> replies!($reply) {
            self.to.typed($op, &Nothing {})
        }
    };
    ($method:ident $op:literal ($request:ident { $field:ident: $id:ty }) => $reply:ty) => {
        #[doc = concat!("`", $op, "`: as the method of this name on a runtime of one's own, and with its errors.")]
        ///
        /// # Errors
        /// Those of the operation, and those of [`Connected::call`].
        pub fn $method(&self, $field: &$id) -> replies!($reply) {
            self.to.typed($op, &$request { $field: $field.clone() })
        }
    };
    ($method:ident $op:literal ($request:ty) => $reply:ty) => {
        #[doc = concat!("`", $op, "`: as the method of this name on a runtime of one's own, and with its errors.")]
        ///
        /// # Errors
        /// Those of the operation, and those of [`Connected::call`].
        pub fn $method(&self, request: $request) -> replies!($reply) {
            self.to.typed($op, &request)
        }
    };
}

#[cfg(test)]
macro_rules! row {
    ($op:literal () => $reply:ty) => {
        ($op, || schemars::schema_for!(Nothing), || schemars::schema_for!($reply))
    };
    ($op:literal ($request:ident $({ $($field:tt)* })?) => $reply:ty) => {
        ($op, || schemars::schema_for!($request), || schemars::schema_for!($reply))
    };
}

macro_rules! connected {
    ($($noun:ident: $of:ident { $($method:ident $op:literal $request:tt => $reply:ty;)* })*) => {
        impl Connected {
            $(
                #[doc = concat!("The operations of [`", stringify!($of), "`], as they are reached from here.")]
                pub fn $noun(&self) -> At<'_, $of<'static>> {
                    At { to: self, of: PhantomData }
                }
            )*
        }

        $(impl At<'_, $of<'static>> {
            $(method!($method $op $request => $reply);)*
        })*

        #[cfg(test)]
        type Row = (&'static str, fn() -> schemars::Schema, fn() -> schemars::Schema);

        /// The lines, to be compared with the rows.
        #[cfg(test)]
        const LINES: &[Row] = &[$($(row!($op $request => $reply),)*)*];
    };
}

connected! {
    cells: Cells {
        register "cell.register" (RegisterCell) => CellRegistered;
        mesh "cell.mesh" (RegisterMesh) => MeshRegistered;
        list "cell.list" (ListCells) => CellPage;
        register_authority "cmp.register" (RegisterAuthority) => AuthorityRegistered;
    }
    quorums: Quorums {
        start "quorum.start" (StartQuorum) => Started;
        vote "quorum.vote" (Vote) => Voted;
        status "quorum.status" (QuorumRef { quorum_id: EntityId }) => QuorumStatus;
        wait "quorum.wait" (WaitQuorum) => QuorumStatus;
        list "quorum.list" (ListQuorums) => QuorumPage;
        extend "quorum.extend" (ExtendQuorum) => QuorumStatus;
        cancel "quorum.cancel" (CancelQuorum) => Cancelled;
        history "quorum.history" (QuorumHistory) => QuorumHistoryPage;
        stats "quorum.stats" () => QuorumStatsReply;
    }
    capacity: Capacity {
        request "capacity.request" (RequestCapacity) => CapacityRequested;
        need "capacity.need" (NeedRef) => CapacityRequested;
        cancel "capacity.cancel" (NeedRef) => CapacityRequested;
        offer "capacity.offer" (OfferCapacity) => CapacityOffered;
        ack "capacity.ack" (HeldToken) => CapacityToken;
        reserve "capacity.reserve" (ReserveCapacity) => CapacityReserved;
        settle "capacity.settle" (SettleCapacity) => CapacitySettled;
        release "capacity.release" (ReleaseCapacity) => CapacityReleased;
        renew "capacity.renew" (HeldToken) => CapacityToken;
        transfer "capacity.transfer" (TransferCapacity) => CapacityToken;
        revoke "capacity.revoke" (TokenRef) => CapacityToken;
        configure "capacity.configure" (ConfigureCapacity) => CapacityConfigured;
        status "capacity.status" (CapacityRef) => CapacityStatus;
        holders "capacity.holders" (ListHolders) => HolderPage;
        stats "capacity.stats" () => CapacityStats;
        set_budget "budget.set" (SetBudget) => CapacityConfigured;
        budget "budget.status" (BudgetRef) => BudgetStatus;
    }
    agents: Agents {
        register "agent.register" (RegisterAgent) => AgentRegistered;
        leave "agent.leave" (AgentRef { agent_id: VoterId }) => AgentLeft;
        beat "agent.beat" (Beat) => Beaten;
        health "agent.health" (AgentRef { agent_id: VoterId }) => AgentHealth;
        monitor "agent.monitor" (MonitorAgent) => AgentMonitored;
        unmonitor "agent.unmonitor" (AgentRef { agent_id: VoterId }) => AgentUnmonitored;
        history "agent.history" (AgentHistory) => AgentHistoryPage;
        list "agent.list" (ListAgents) => AgentPage;
        stats "agent.stats" () => AgentStats;
    }
    consensus: Consensus {
        request "consensus.request" (RequestConsensus) => ConsensusResult;
        vote "consensus.vote" (ConsensusVote) => ConsensusVoted;
        result "consensus.result" (ConsensusRef) => ConsensusResult;
        list_open "consensus.open" (OpenProposals) => OpenProposalsPage;
        spend "consensus.spend" (SpendConsensus) => DecisionSpent;
        extend "consensus.extend" (ExtendConsensus) => ConsensusResult;
        delegate "consensus.delegate" (DelegateConsensus) => ConsensusResult;
        remind "consensus.remind" (RemindConsensus) => ConsensusReminded;
        cancel "consensus.cancel" (CancelConsensus) => ConsensusResult;
        history "consensus.history" (ConsensusHistory) => ConsensusHistoryPage;
        stats "consensus.stats" () => ConsensusStats;
    }
    algorithms: Algorithms {
        register "algorithm.register" (RegisterAlgorithm) => AlgorithmRegistered;
        unregister "algorithm.unregister" (AlgorithmRef) => AlgorithmUnregistered;
        set_default "algorithm.set_default" (AlgorithmRef) => AlgorithmDefault;
        list "algorithm.list" () => AlgorithmList;
    }
    sessions: Sessions {
        open "session.open" (OpenSession) => SessionResult;
        vote "session.vote" (SessionVote) => SessionVoted;
        end_round "session.end_round" (EndRound) => SessionResult;
        result "session.result" (SessionRef) => SessionResult;
        spend "session.spend" (SpendSession) => DecisionSpent;
        list "session.list" (ListSessions) => SessionPage;
        extend "session.extend" (ExtendSession) => SessionResult;
        delegate "session.delegate" (DelegateSession) => SessionResult;
        remind "session.remind" (RemindSession) => SessionReminded;
        cancel "session.cancel" (CancelSession) => SessionResult;
        certificate "session.certificate" (CertifySession) => Certificate;
    }
    emergence: Emergence {
        scan "emergence.scan" (ScanEmergence) => EmergenceReport;
    }
    candidates: Candidates {
        register "candidate.register" (RegisterCandidate) => CandidateRegistered;
        select "candidate.select" (SelectCandidates) => CandidatesSelected;
    }
    voters: Voters {
        register "voter.register" (RegisterVoter) => VoterRegistered;
        state "voter.state" (VoterRef) => VoterView;
        list "voter.list" (ListVoters) => VoterPage;
        quarantine "voter.quarantine" (QuarantineVoter) => VoterView;
        release "voter.release" (ReleaseVoter) => VoterView;
        feedback "voter.feedback" (TellTruth) => TruthTaken;
        rotate "voter.rotate" (RotateKey) => KeyTaken;
    }
    jobs: Jobs {
        submit "job.submit" (SubmitJob) => JobSubmitted;
        progress "job.progress" (JobProgress) => JobChanged;
        extend "job.extend" (ExtendJob) => JobExtended;
        workflow "job.workflow" (MoveWorkflow) => JobChanged;
        transfer "job.transfer" (TransferJob) => JobLed;
        acquire "job.acquire" (LeaseJob) => JobLed;
        renew "job.renew" (LeaseJob) => JobLed;
        release "job.release" (LeaseJob) => JobChanged;
        complete "job.complete" (CompleteJob) => JobChanged;
        cancel "job.cancel" (CancelJob) => JobCancelled;
        status "job.status" (JobRef) => JobStatusReply;
        wait "job.wait" (WaitJob) => JobStatusReply;
        why "job.why" (JobRef) => JobWhy;
        stuck_workflows "job.stuck_workflows" (StuckWorkflows) => StuckList;
        list "job.list" (ListJobs) => JobPage;
        stats "job.stats" () => JobStats;
        estimate "job.estimate" (ClassRef) => ClassEstimate;
        gate_status "gate.status" (JobRef) => GateStatus;
        gate_transfer "gate.transfer" (TransferGate) => GateStatus;
    }
    leases: Leases {
        list "lease.list" (ListLeases) => LeasePage;
    }
    workers: Workers {
        register "worker.register" (RegisterWorker) => WorkerChanged;
        report "worker.report" (WorkerReport) => WorkerChanged;
        take "worker.take" (TakeWork) => WorkTaken;
        beat "worker.beat" (BeatWorker) => WorkerBeaten;
        list "worker.list" (ListWorkers) => WorkerPage;
        leader_lost "worker.leader_lost" (LeaderLost) => WorkerChanged;
        lost "worker.lost" (WorkerRef) => WorkerChanged;
        healthy "worker.healthy" (WorkerRef) => WorkerChanged;
        leave "worker.leave" (WorkerRef) => WorkerChanged;
        status "worker.status" (WorkerRef) => WorkerStatus;
    }
    coordinates: Coordinates {
        update "coordinate.update" (UpdateCoordinate) => CoordinateView;
        estimate "coordinate.estimate" (EstimateCoordinate) => CoordinateEstimate;
    }
    datacenters: Datacenters {
        update "datacenter.update" (UpdateDatacenter) => DatacenterView;
        remove "datacenter.remove" (DatacenterRef) => DatacenterRemoved;
        list "datacenter.list" (ListDatacenters) => DatacenterList;
    }
    routes: Routes {
        job "route.job" (RouteJob) => RoutingDecision;
        failure "route.failure" (RouteFailure) => RouteFailed;
        accept "route.accept" (AcceptRoute) => RouteChanged;
        forget "route.forget" (RouteRef) => RouteChanged;
        state "route.state" (RouteRef) => RouteState;
    }
    flows: Flows {
        open "flow.open" (OpenFlow) => FlowOpened;
        offer "flow.offer" (OfferMessage) => MessageOffered;
        drain "flow.drain" (DrainFlow) => FlowDrained;
        status "flow.status" (FlowRef { flow_id: EntityId }) => FlowStatus;
        recommendation "flow.recommendation" (FlowRef { flow_id: EntityId }) => FlowAdviceView;
        configure "flow.configure" (ConfigureFlow) => FlowOpened;
        close "flow.close" (FlowRef { flow_id: EntityId }) => FlowOpened;
    }
    shedding: Shedding {
        check "shed.check" (CheckShed) => ShedChecked;
        release "shed.release" (ReleasePermit) => PermitReleased;
        record "shed.record" (RecordLoad) => LoadRecorded;
        status "shed.status" () => ShedStatus;
    }
    members: Members {
        list "member.list" () => MemberList;
        metrics "member.metrics" () => MemberMetrics;
        validate "member.validate" () => MemberValidation;
    }
    pressure: Pressure {
        status "pressure.status" (AskPressure) => PressureStatus;
    }
    stats: Stats {
        record "stats.record" (RecordStats) => StatsRecorded;
        level "stats.level" () => StatsLevel;
        summary "stats.summary" (AskSummary) => StatsSummary;
    }
    stops: StopCalls {
        engage "stop.engage" (EngageStop) => StopView;
        release "stop.release" (ReleaseStop) => StopView;
        list "stop.list" (ListStops) => StopList;
        status "stop.status" (StopRef { stop_id: EntityId }) => StopView;
    }
    retention: Retained {
        hold "retention.hold" (HoldRecords) => RecordsHold;
        release "retention.release" (ReleaseRecords) => RecordsHold;
        list "retention.list" () => RetentionView;
    }
    hooks: Hooks {
        register "hook.register" (RegisterHook) => HookChanged;
        list "hook.list" () => HookList;
        resume "hook.resume" (HookRef) => HookChanged;
        remove "hook.remove" (HookRef) => HookChanged;
    }
    identities: Identities {
        create "identity.create" (CreateIdentity) => IdentityChanged;
        rotate "identity.rotate" (RotateIdentity) => IdentityChanged;
        grant "identity.grant" (GrantIdentity) => IdentityChanged;
        revoke "identity.revoke" (RevokeIdentity) => IdentityChanged;
        list "identity.list" (ListIdentities) => IdentityPage;
    }
    overview: Overviews {
        show "overview.show" (ShowOverview) => Overview;
        inbox "overview.inbox" (AskInbox) => Inbox;
    }
    journal: Journal {
        groups "journal.groups" (ReadGroups) => GroupPage;
    }
    history: History {
        query "history.query" (HistoryQuery) => EventPage;
        entity "history.entity" (EntityHistory) => EntityLog;
        state_at "history.state_at" (StateAt) => PastState;
        verify_against "history.verify" (VerifyHistory) => Verified;
        checkpoint "history.checkpoint" () => LogCheckpoint;
        count "history.count" (CountHistory) => HistoryCounts;
        why "history.why" (AskWhy) => EntityWhy;
        prove "history.prove" (ProveRecord) => RecordProof;
        prove_records "history.prove_records" (ProveRecords) => ProvenRecords;
        prove_consistency "history.consistency" (ProveConsistency) => ConsistencyProof;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::LINES;
    use crate::api::ops::{OPERATIONS, find};

    #[test]
    fn every_row_of_the_table_has_its_typed_method_with_its_types() {
        let rows: BTreeSet<&str> = OPERATIONS.iter().map(|op| op.name).collect();
        let lines: BTreeSet<&str> = LINES.iter().map(|(name, ..)| *name).collect();
        assert_eq!(lines, rows, "a row needs a line in the table of this file");
        assert_eq!(LINES.len(), lines.len(), "a row has one line");
        for (name, request, reply) in LINES {
            let op = find(name).unwrap();
            assert_eq!((request(), reply()), ((op.request)(), (op.reply)()), "{name}");
        }
    }
}
