//! The events of jobs, their gates, workers, and the durations of classes of jobs.

use quorate_core::jobs::durations::{self, Ended, Limit, Record};
use quorate_core::jobs::gate::{self, Rebuilt, Target, TimeoutPolicy, Totals, Tracked, verdict};
use quorate_core::jobs::manager::event::{self as job, Manner, TokenDomain};
use quorate_core::jobs::manager::extension::{Baseline, Denial};
use quorate_core::jobs::manager::outbox::{Entry, Notice, Recipient};
use quorate_core::jobs::manager::settings::{DowntimePolicy, ExtensionMode};
use quorate_core::jobs::manager::timeout::{Estimate, Limits, Strategy};
use quorate_core::jobs::manager::workflow::Moved;
use quorate_core::jobs::manager::{Settings, WorkflowStatus};
use quorate_core::jobs::protocol::message::{
    AckOutcome, FinalStatus, HealthcheckExtensionRequest, JobDispatch, Leader, NotNow, TimeoutKind,
    WorkflowOutcome, WorkflowPlan,
};
use quorate_core::jobs::protocol::payload::Payloads;
use quorate_core::jobs::protocol::recall::Charter;
use quorate_core::jobs::protocol::token::{DispatchToken, FenceToken, GateEpoch};
use quorate_core::jobs::worker;
use quorate_core::kernel::ids::EntityId;
use quorate_core::kernel::keyed::KeyedRequest;
use quorate_core::kernel::time::Gap;

use crate::events::{at, variants};

const KINDS: [TimeoutKind; 5] = [
    TimeoutKind::Overall,
    TimeoutKind::Stuck,
    TimeoutKind::GlobalDecision,
    TimeoutKind::GateUnresponsiveFallback,
    TimeoutKind::GateUndecidedFallback,
];
const ENDS: [FinalStatus; 4] =
    [FinalStatus::Completed, FinalStatus::Failed, FinalStatus::Cancelled, FinalStatus::Timeout];
const OUTCOMES: [AckOutcome; 5] = [
    AckOutcome::Accepted,
    AckOutcome::Stale,
    AckOutcome::UnknownJob,
    AckOutcome::AlreadyFinal(FinalStatus::Timeout),
    AckOutcome::Refused { retry_after_ms: 70_000 },
];

fn id(name: &str) -> EntityId {
    EntityId::new(name).unwrap()
}

fn ids() -> Vec<EntityId> {
    vec![id("one"), id("二")]
}

fn leader() -> Leader {
    Leader { node: id("node"), incarnation: 300 }
}

fn token() -> FenceToken {
    FenceToken::shown(251)
}

fn epoch() -> GateEpoch {
    GateEpoch::shown(70_000)
}

fn dispatch() -> DispatchToken {
    DispatchToken::shown(250)
}

fn plan() -> Vec<WorkflowPlan> {
    let one = WorkflowPlan { workflow_id: id("one"), depends_on: Vec::new(), worker_id: Some(id("w")) };
    let two = WorkflowPlan { workflow_id: id("二"), depends_on: vec![id("one")], worker_id: None };
    vec![one, two]
}

fn seat(incarnation: Option<u64>) -> job::GateSeat {
    job::GateSeat { gate_id: id("gate"), incarnation, addr: "g:1".into(), epoch: epoch() }
}

fn submitted() -> [job::Event; 2] {
    let mut settings = Settings::default();
    settings.extension.mode = ExtensionMode::MaxPerWorker;
    settings.extension.max_total_ms = Some(90_000);
    settings.downtime = DowntimePolicy::Exclude;
    settings.strict_transitions = true;
    let full = job::Submitted {
        job_id: id("job"),
        datacenter: id("窓"),
        leader: leader(),
        leader_addr: "m:1".into(),
        gate: Some(seat(Some(7))),
        dispatch_number: 9,
        token: token(),
        terms: job::Terms {
            timeout_ms: Some(60_000),
            stuck_threshold_ms: 120_000,
            settings,
            class: Some(id("class")),
            timeout_rule: "learned".into(),
            workflows: plan(),
        },
        limits: Limits {
            rule: "learned".into(),
            strategy: Strategy::GateCoordinated,
            overall_ms: Some(61_000),
            stuck_ms: 1,
            learned_from: Some(Estimate {
                overall_ms: Some(61_000),
                stuck_ms: None,
                samples: 20,
                evidence: "20 jobs".into(),
            }),
        },
        at: at(-5),
    };
    let terms = job::Terms {
        timeout_ms: None,
        stuck_threshold_ms: u64::MAX,
        settings: Settings::default(),
        class: None,
        timeout_rule: String::new(),
        workflows: Vec::new(),
    };
    let strategy = Strategy::LocalAuthority;
    let limits = Limits { rule: String::new(), strategy, overall_ms: None, stuck_ms: 1, learned_from: None };
    let bare = job::Submitted { gate: None, dispatch_number: 0, terms, limits, ..full.clone() };
    [full, bare].map(|event| job::Event::Submitted(Box::new(event)))
}

/// Every status once as origin and once as goal.
fn moved() -> Vec<job::Event> {
    let next = |n: usize| WorkflowStatus::ALL[(n + 1) % WorkflowStatus::ALL.len()];
    let steps = WorkflowStatus::ALL.iter().enumerate().map(|(n, from)| Moved {
        workflow_id: id("one"),
        attempt: 3,
        from: *from,
        to: next(n),
        reason: "so".into(),
        at: at(3),
        seq: 4,
        token: token(),
        worker_id: n.is_multiple_of(2).then(|| id("w")),
        dispatch_token: n.is_multiple_of(2).then(dispatch),
        result: (n == 0).then(|| "r".into()),
        settles: n == 1,
    });
    steps.map(job::Event::WorkflowMoved).collect()
}

fn extensions() -> Vec<job::Event> {
    let granted = job::Granted {
        worker_id: id("w"),
        request_id: Some("r".into()),
        reason: "slow".into(),
        grant_us: 30_000_000,
        total_us: 45_000_000,
        max_us: 30_000_000,
        sum_us: 45_000_000,
        remaining: 3,
        warning: true,
        exceeds_base: false,
        deadline: at(60_000_000),
        baseline: Baseline { progress: 0.5, completed_items: Some(300) },
        at: at(6),
    };
    let bare = job::Granted {
        request_id: None,
        baseline: Baseline { progress: 0.0, completed_items: None },
        ..granted.clone()
    };
    let denials = [
        Denial::MaxExtensionsExceeded,
        Denial::NoProgress,
        Denial::WorkerNotRegistered,
        Denial::WorkerSuspect,
        Denial::JobTerminal,
        Denial::AlreadyTimedOut,
    ];
    let denied = denials.map(|denial| {
        let (request_id, counts) = (Some("r".into()), denial == Denial::NoProgress);
        let worker_id = id("w");
        job::Event::ExtensionDenied(job::Denied {
            worker_id,
            request_id,
            denial,
            counts,
            exhausts: !counts,
            at: at(7),
        })
    });
    [granted, bare]
        .map(|grant| job::Event::ExtensionGranted(Box::new(grant)))
        .into_iter()
        .chain(denied)
        .collect()
}

fn timeouts() -> Vec<job::Event> {
    let found = KINDS.map(|kind| {
        let known = kind == TimeoutKind::Overall;
        job::Event::TimeoutDetected(Box::new(job::TimedOut {
            kind,
            reason: kind.name().into(),
            deadline: at(10),
            elapsed_ms: 60_001,
            effective_ms: known.then_some(60_000),
            base_ms: known.then_some(30_000),
            extensions_ms: 30_000,
            idle_ms: 5,
            since_extension_ms: known.then_some(17),
            at: at(11),
        }))
    });
    found.into()
}

fn ended() -> Vec<job::Event> {
    let ends = ENDS.into_iter().zip(KINDS).map(|(status, kind)| {
        job::Event::Ended(Box::new(job::Ended {
            status,
            reason: "so".into(),
            kind: (status == FinalStatus::Timeout).then_some(kind),
            token: token(),
            elapsed_ms: 300,
            closed_at: at(12),
            at: at(13),
        }))
    });
    ends.collect()
}

fn queued() -> Vec<job::Event> {
    let (reason, kind) = (String::from("so"), TimeoutKind::Stuck);
    let notices = [
        Notice::Timeout { reason: reason.clone(), kind, elapsed_ms: 5, effective_ms: Some(6) },
        Notice::LeaderTransfer { elapsed_ms: 7, idle_ms: 8 },
        Notice::Final { status: FinalStatus::Timeout, reason: reason.clone(), kind: Some(kind) },
        Notice::Dispatch { workflow_id: id("one"), attempt: 2, dispatch_token: dispatch() },
        Notice::Cancel { workflow_ids: ids(), reason },
        Notice::WorkerTransfer { workflow_ids: ids(), old_manager: Some(leader()) },
        Notice::Revoke { workflows: vec![(id("one"), dispatch())], reason: String::from("gone") },
    ];
    let entries = notices.into_iter().enumerate().map(|(n, notice)| {
        let to = if n < 3 { Recipient::Gate } else { Recipient::Worker(id("w")) };
        let (number, token) = (n as u64, token());
        let entry = Entry { number, run: 2, to, notice, token, since: at(14), deferred: n == 1 };
        job::Event::Queued(Box::new(entry))
    });
    entries.collect()
}

fn led() -> Vec<job::Event> {
    let changed = [Manner::Graceful, Manner::Takeover, Manner::Forced].map(|manner| {
        job::Event::LeaderChanged(Box::new(job::LeaderChanged {
            to: leader(),
            addr: "n:2".into(),
            from: Leader { node: id("m"), incarnation: 1 },
            token: token(),
            manner,
            vacant_us: 17,
            at: at(19),
        }))
    });
    let suspended = [job::Event::Suspended { token: token(), reason: "so".into(), at: at(20) }];
    let resumed = [Gap::Restart, Gap::Command, Gap::Suspend, Gap::ClockJump].map(|gap| {
        job::Event::Resumed(job::Resumed {
            began: at(21),
            token: token(),
            gap,
            away_us: 5,
            unbudgeted_us: 6,
            elapsed_ms: 7,
            idle_ms: 8,
        })
    });
    let rest = [
        job::Event::TokenAdopted { token: token(), at: at(22) },
        job::Event::LeaseTaken { holder: leader(), token: token(), expires_at: at(30_000_023), at: at(23) },
        job::Event::LeaseRenewed { expires_at: at(30_000_024), at: at(24) },
        job::Event::LeaseReleased { at: at(25) },
    ];
    let fenced = [TokenDomain::Manager, TokenDomain::Gate, TokenDomain::Dispatch].map(|domain| {
        let what = "progress".into();
        job::Event::FenceRejected(job::FenceRejected { what, domain, held: 7, given: 5, at: at(26) })
    });
    changed.into_iter().chain(suspended).chain(resumed).chain(rest).chain(fenced).collect()
}

pub(crate) fn all_jobs() -> Vec<job::Event> {
    let count = Some((id("one"), 300));
    let mut all: Vec<job::Event> = submitted().into();
    all.extend([count, None].map(|count| job::Event::ProgressNoted(job::ProgressNoted { at: at(2), count })));
    all.extend(moved());
    all.extend([
        job::Event::AttemptMade { workflow_id: id("one"), attempt: 2, at: at(4) },
        job::Event::StepRefused {
            workflow_id: id("one"),
            from: WorkflowStatus::Aggregated,
            to: WorkflowStatus::Pending,
            at: at(5),
        },
        job::Event::LateResult { workflow_id: id("one"), result: Some("r".into()), at: at(5) },
    ]);
    all.extend(extensions());
    all.extend([
        job::Event::ExtensionsReset { worker_id: id("w"), at: at(8) },
        job::Event::WorkerLost { worker_id: id("w"), reason: "so".into(), at: at(9) },
        job::Event::WorkerHealthy { worker_id: id("w"), at: at(10) },
    ]);
    all.extend(timeouts());
    all.extend([
        job::Event::GateHeard { at: at(11) },
        job::Event::GlobalTimeoutAccepted { decision_id: 2, reason: "so".into(), at: at(11) },
        job::Event::GateChanged { gate: seat(None), at: at(11) },
    ]);
    all.extend(ended());
    all.extend(queued());
    all.extend(OUTCOMES.map(|outcome| job::Event::Acked { number: 3, outcome, at: at(15) }));
    all.extend([
        job::Event::Deferred { number: 3, at: at(16) },
        job::Event::CancelNarrowed { number: 3, workflow_ids: ids(), at: at(17) },
        job::Event::CancelUnconfirmed { number: 3, worker_id: id("w"), workflow_ids: Vec::new(), at: at(18) },
    ]);
    all.extend(led());
    all.push(job::Event::StoppingResumed { began: at(27), away_us: u64::MAX });
    let targets = vec![Target { datacenter: id("窓"), manager: leader(), manager_addr: "m:1".into() }];
    let settings = gate::Settings::default();
    let charter = Charter { epoch: epoch(), gate_addr: "g:1".into(), targets, settings };
    all.extend([
        job::Event::CharterNoted { charter: Box::new(charter), at: at(28) },
        job::Event::RecallAsked { gate_epoch: epoch(), at: at(29) },
        job::Event::GateCancelAccepted { requester_id: "u".into(), reason: "so".into(), at: at(30) },
    ]);
    all.extend([true, false].map(|in_process| job::Event::LeaseGranted {
        holder: leader(),
        token: token(),
        expires_at: at(70_000_031),
        lease_ms: 70_000,
        in_process,
        at: at(31),
    }));
    all.push(job::Event::LeaseResized { lease_ms: 5_000, expires_at: at(5_000_032), at: at(32) });
    let steps = [3_600_000_000, -7_200_000_000].map(|by_us| job::Event::ClockStepped { by_us, at: at(34) });
    let (workflow_id, worker_id) = (id("one"), id("w"));
    let dropped = job::Event::ReportsDropped { workflow_id, worker_id, dropped: 300, at: at(35) };
    all.extend([NotNow::Full, NotNow::NotRegistered, NotNow::Draining, NotNow::NotTaken, NotNow::Lost].map(
        |why| {
            let (workflow_id, worker_id) = (id("one"), id("w"));
            job::Event::DispatchDelayed { number: 300, workflow_id, worker_id, why, at: at(33) }
        },
    ));
    all.extend(steps);
    let asked = KeyedRequest::default().with("reason", "busy").with("current_progress", 0.5);
    all.push(job::Event::ExtensionKeyed { worker_id: id("w"), asked, at: at(35) });
    all.push(dropped);
    all.push(job::Event::PayloadNoted { payloads: Box::new(payloads()), at: at(37) });
    all.push(job::Event::LeaseAskedBy { by: id("ci"), at: at(38) });
    all.extend(ENDS.map(|status| job::Event::RunRefused { epoch: epoch(), status, at: at(39) }));
    all
}

fn payloads() -> Payloads {
    let workflows = [(id("one"), r#"{"n":18446744073709551615}"#.into()), (id("窓"), "null".into())];
    Payloads { job: Some(r#""窓""#.into()), workflows: workflows.into() }
}

fn tracked(dc_timeout_policy: TimeoutPolicy) -> gate::Event {
    let target = Target { datacenter: id("窓"), manager: leader(), manager_addr: "m:1".into() };
    gate::Event::Tracked(Box::new(Tracked {
        job_id: id("job"),
        gate: leader(),
        gate_addr: "g:1".into(),
        gate_epoch: epoch(),
        targets: vec![target],
        plan: JobDispatch {
            timeout_ms: Some(60_000),
            stuck_threshold_ms: 120_000,
            workflows: plan(),
            class: Some(id("class")),
            timeout_rule: "gate_coordinated".into(),
            settings: Settings::default(),
            gate_epoch: epoch(),
            gate_addr: "g:1".into(),
        },
        settings: gate::Settings { dc_timeout_policy, ..gate::Settings::default() },
        at: at(-5),
    }))
}

fn declared(rule: verdict::GlobalRule) -> gate::Event {
    gate::Event::Declared {
        decision_id: 1,
        rule,
        reason: rule.name().into(),
        evidence: verdict::Evidence {
            elapsed_ms: 300,
            effective_timeout_ms: Some(299),
            idle_ms: vec![(id("a"), 5)],
            timed_out: ids(),
        },
        at: at(6),
    }
}

pub(crate) fn gates() -> Vec<gate::Event> {
    let totals = Totals {
        workflows_total: 1,
        workflows_completed: 2,
        workflows_failed: 3,
        extensions_ms: 70_000,
        max_extension_ms: 300,
        workers_with_extensions: 4,
    };
    let over = |kind| gate::Event::DatacenterTimedOut {
        datacenter: id("窓"),
        kind,
        reason: "so".into(),
        elapsed_ms: 5,
        effective_timeout_ms: (kind == TimeoutKind::Overall).then_some(4),
        fence_token: token(),
        at: at(4),
    };
    let ended = |status| gate::Event::DatacenterEnded {
        datacenter: id("窓"),
        status,
        reason: "so".into(),
        kind: (status == FinalStatus::Timeout).then_some(TimeoutKind::GlobalDecision),
        provisional: status == FinalStatus::Failed,
        corrects: status == FinalStatus::Completed,
        fence_token: token(),
        at: at(5),
    };
    let rules = [
        verdict::GlobalRule::Overall,
        verdict::GlobalRule::AllStuck,
        verdict::GlobalRule::MajorityTimedOut,
        verdict::GlobalRule::NoneRunning,
        verdict::GlobalRule::AnyTimedOut,
        verdict::GlobalRule::Recalled,
    ];
    let (leader, fence_token) = (leader(), token());
    let mut all: Vec<gate::Event> = TimeoutPolicy::ALL.map(tracked).into();
    all.push(gate::Event::LeaderChanged {
        datacenter: id("窓"),
        leader: leader.clone(),
        addr: "n:2".into(),
        fence_token,
        at: at(2),
    });
    let datacenter = id("窓");
    all.push(gate::Event::Progressed { datacenter, totals, moved: true, report_seq: 9, at: at(3) });
    all.extend(KINDS.map(over));
    all.extend(ENDS.map(ended));
    all.extend(rules.map(declared));
    all.extend(OUTCOMES.map(|outcome| gate::Event::Delivered {
        number: 4,
        datacenter: id("窓"),
        outcome,
        at: at(7),
    }));
    let finished = |status| {
        let late_completion = status == FinalStatus::Completed;
        gate::Event::Finished { status, late_completion, at: at(11) }
    };
    all.extend([
        gate::Event::CancelRequested { requester_id: "u".into(), reason: String::new(), at: at(8) },
        gate::Event::CancelDelivered {
            number: 5,
            datacenter: id("窓"),
            cancelled_workflow_count: 300,
            at: at(9),
        },
        gate::Event::Abandoned { datacenters: ids(), at: at(10) },
    ]);
    all.extend(ENDS.map(finished));
    all.extend([
        gate::Event::GateTransferred {
            gate: leader.clone(),
            gate_addr: "h:1".into(),
            gate_epoch: epoch(),
            at: at(12),
        },
        gate::Event::Resumed { gate_epoch: epoch(), away_us: 300, gap: Gap::Restart, at: at(13) },
        gate::Event::FenceRejected(gate::event::FenceRejected {
            datacenter: id("窓"),
            message: "job_progress_report".into(),
            leader,
            held: token(),
            given: FenceToken::NONE,
            at: at(14),
        }),
        gate::Event::LateFinal {
            datacenter: id("窓"),
            status: FinalStatus::Completed,
            fence_token,
            at: at(i64::MAX),
        },
    ]);
    let gate::Event::Tracked(tracked) = tracked(TimeoutPolicy::All) else { unreachable!() };
    all.push(gate::Event::Rebuilt(Box::new(Rebuilt {
        tracked: *tracked,
        told_by: id("窓"),
        submitted_at: at(-70_000),
    })));
    all.extend([true, false].map(|knows_gate| gate::Event::Recalled {
        datacenter: id("窓"),
        totals,
        report_seq: 300,
        submitted_at: at(-70_000),
        knows_gate,
        at: at(15),
    }));
    all.push(gate::Event::EpochAdopted { gate_epoch: epoch(), at: at(16) });
    all.push(gate::Event::PayloadNoted { payloads: Box::new(payloads()), at: at(17) });
    all.push(gate::Event::Redirected {
        from: id("east"),
        to: Target {
            datacenter: id("窓"),
            manager: Leader { node: id("m"), incarnation: 3 },
            manager_addr: "m:1".into(),
        },
        reason: "no answer".into(),
        at: at(18),
    });
    let gate::Event::Tracked(again) = self::tracked(TimeoutPolicy::Any) else { unreachable!() };
    let plans = [None, Some(Box::new(again.plan))];
    all.extend(plans.clone().map(|plan| gate::Event::TakenOver {
        datacenter: id("窓"),
        from: Leader { node: id("m"), incarnation: 3 },
        to: Leader { node: id("n"), incarnation: 70_000 },
        addr: "n:1".into(),
        above_token: FenceToken::shown(1 << 20),
        plan,
        reason: "it is dead".into(),
        at: at(19),
    }));
    all.push(gate::Event::GateReplaced {
        gate: id("g2"),
        gate_epoch: epoch(),
        told_by: id("窓"),
        at: at(20),
    });
    all.push(gate::Event::LeadershipAsked { at: at(21) });
    all.extend(plans.map(|plan| gate::Event::Moved {
        from: id("east"),
        to: Target {
            datacenter: id("窓"),
            manager: Leader { node: id("m"), incarnation: 3 },
            manager_addr: "m:1".into(),
        },
        above_token: FenceToken::shown(1 << 20),
        plan,
        reason: "it is dead".into(),
        at: at(22),
    }));
    let reason = "it is dead".to_owned();
    all.push(gate::Event::DatacenterLost { datacenter: id("窓"), reason, at: at(23) });
    all.push(gate::Event::DatacenterBack { datacenter: id("窓"), at: at(24) });
    all
}

pub(crate) fn workers() -> Vec<worker::Event> {
    let job_id = || id("job");
    let outcomes = [
        WorkflowOutcome::Running,
        WorkflowOutcome::Completed,
        WorkflowOutcome::Failed,
        WorkflowOutcome::Cancelled,
        WorkflowOutcome::Lost,
    ];
    let reported = outcomes.map(|outcome| worker::Event::Reported {
        job_id: job_id(),
        workflow_id: id("one"),
        outcome,
        completed_count: 300,
        result: (outcome == WorkflowOutcome::Completed).then(|| "r".into()),
        at: at(3),
    });
    let mut all = vec![
        worker::Event::Registered {
            worker_id: id("w"),
            datacenter: id("窓"),
            capacity: 300,
            settings: worker::Settings::default(),
            at: at(-5),
        },
        worker::Event::Dispatched {
            job_id: job_id(),
            workflow_id: id("one"),
            attempt: 2,
            dispatch_token: dispatch(),
            leader: leader(),
            fence_token: token(),
            at: at(2),
        },
    ];
    all.extend(reported);
    let workflow_id = id("one");
    all.push(worker::Event::ReportDelivered { number: 9, job_id: job_id(), workflow_id, at: at(4) });
    all.extend([Some("n:2".into()), None].map(|addr| worker::Event::LeaderChanged {
        job_id: job_id(),
        leader: leader(),
        addr,
        fence_token: token(),
        rescued: ids(),
        at: at(5),
    }));
    let request = HealthcheckExtensionRequest {
        worker_id: id("w"),
        reason: "slow".into(),
        current_progress: -0.5,
        estimated_completion_ms: 70_000,
        active_workflow_count: 1,
        completed_items: Some(300),
        total_items: None,
        request_id: Some("r".into()),
    };
    all.extend([
        worker::Event::TransferParked {
            job_id: job_id(),
            workflow_ids: ids(),
            leader: leader(),
            addr: "n:2".into(),
            fence_token: token(),
            until: at(60_000_006),
            at: at(6),
        },
        worker::Event::ParkedExpired { at: at(7) },
        worker::Event::StopAsked {
            job_id: job_id(),
            workflow_ids: ids(),
            reason: "so".into(),
            abort_at: at(10_000_008),
            at: at(8),
        },
        worker::Event::Aborted { job_id: job_id(), workflow_ids: ids(), at: at(9) },
        worker::Event::LeaderLost { job_id: job_id(), until: at(5_000_010), at: at(10) },
        worker::Event::ExtensionRequested { job_id: job_id(), request, at: at(11) },
    ]);
    all.extend([None, Some("no_progress".into())].map(|denial_reason: Option<String>| {
        let granted = denial_reason.is_none();
        worker::Event::ExtensionAnswered {
            number: 3,
            job_id: job_id(),
            granted,
            extension_ms: 30_000,
            denial_reason,
            at: at(12),
        }
    }));
    all.extend([
        worker::Event::FenceRejected {
            job_id: job_id(),
            message: "workflow_cancel".into(),
            held: token(),
            given: FenceToken::shown(5),
            at: at(13),
        },
        worker::Event::Draining { at: at(14) },
        worker::Event::Left { at: at(15) },
        worker::Event::Resumed { away_us: u64::MAX, at: at(i64::MAX) },
        worker::Event::ReportsDropped { job_id: job_id(), workflow_id: id("one"), count: 300, at: at(16) },
    ]);
    let handed = || worker::Handed { job_id: job_id(), workflow_id: id("one"), dispatch_token: dispatch() };
    all.extend([Some(u64::MAX), None].map(|incarnation| {
        let beat_ms = 5_000;
        worker::Event::Enrolled { beat_ms, incarnation, at: at(18) }
    }));
    all.extend([
        worker::Event::Took {
            handed: vec![handed()],
            confirmed: vec![handed(), handed()],
            silent_until: at(60_000_000),
            at: at(19),
        },
        worker::Event::Beat { confirmed: vec![handed()], at: at(20) },
        worker::Event::Lost { silent_since: at(20), limit_us: 15_015_000, at: at(15_015_020) },
        worker::Event::GivenBack { job_id: job_id(), workflow_ids: ids(), at: at(21) },
        worker::Event::Revoked { job_id: job_id(), workflow_ids: ids(), reason: "gone".into(), at: at(22) },
    ]);
    all
}

pub(crate) fn all_durations() -> Vec<durations::Event> {
    let ends = [
        Ended::Finished,
        Ended::TimedOut { after: Limit::Overall, silent_us: 7 },
        Ended::TimedOut { after: Limit::Stuck, silent_us: 300 },
        Ended::Cancelled { silent_us: 70_000 },
    ];
    let recorded = ends.map(|ended| durations::Event::Recorded {
        record: Record { duration_us: 60_000_000, longest_gap_us: 251, ended },
        at: at(-1),
    });
    recorded.into_iter().chain([durations::Event::Aged { at: at(2) }]).collect()
}

variants!(job_variants of job::Event: Submitted, ProgressNoted, WorkflowMoved, AttemptMade, StepRefused, LateResult,
    ExtensionGranted, ExtensionDenied, ExtensionsReset, WorkerLost, WorkerHealthy, TimeoutDetected, GateHeard,
    GlobalTimeoutAccepted, GateChanged, Ended, Queued, Acked, Deferred, CancelNarrowed, CancelUnconfirmed, LeaderChanged,
    Suspended, Resumed, TokenAdopted, LeaseTaken, LeaseRenewed, LeaseReleased, FenceRejected, StoppingResumed,
    CharterNoted, RecallAsked, GateCancelAccepted, LeaseGranted, LeaseResized, DispatchDelayed,
    ClockStepped, ExtensionKeyed, ReportsDropped, PayloadNoted, LeaseAskedBy, RunRefused);
variants!(gate_variants of gate::Event: Tracked, LeaderChanged, Progressed, DatacenterTimedOut, DatacenterEnded, Declared,
    Delivered, CancelRequested, CancelDelivered, Abandoned, Finished, GateTransferred, Resumed, FenceRejected,
    LateFinal, Rebuilt, Recalled, EpochAdopted, PayloadNoted, Redirected, TakenOver, GateReplaced, LeadershipAsked,
    Moved, DatacenterLost, DatacenterBack);
variants!(worker_variants of worker::Event: Registered, Dispatched, Reported, ReportDelivered, LeaderChanged,
    TransferParked, ParkedExpired, StopAsked, Aborted, LeaderLost, ExtensionRequested, ExtensionAnswered,
    FenceRejected, Draining, Left, Resumed, ReportsDropped, Enrolled, Took, Beat, Lost, GivenBack, Revoked);
variants!(durations_variants of durations::Event: Recorded, Aged);
