//! Which messages give way.

use super::*;

fn report(outcome: WorkflowOutcome) -> Body {
    let id = |name| EntityId::new(name).unwrap();
    Body::WorkflowReport(WorkflowReport {
        worker_id: id("w"),
        workflow_id: id("a"),
        dispatch_token: DispatchToken::NONE,
        outcome,
        completed_count: 0,
        result: None,
    })
}

#[test]
fn what_starts_ends_or_hands_over_is_critical_and_what_comes_again_is_not() {
    let fence_token = FenceToken::NONE;
    let new_leader = Leader { node: EntityId::new("m").unwrap(), incarnation: 1 };
    let ack = ReportAck { outcome: AckOutcome::Accepted, fence_token, leader_addr: None };
    let (requester_id, reason, run) = (String::new(), String::new(), GateEpoch::NONE);
    let cancel = JobCancelRequest { requester_id, reason, fence_token, run };
    let workflow_cancel = WorkflowCancel { workflow_ids: Vec::new(), reason: String::new(), fence_token };
    let transfer = JobLeaderTransfer {
        new_leader: new_leader.clone(),
        new_leader_addr: String::new(),
        fence_token,
        elapsed_ms: 0,
        idle_ms: 0,
    };
    let ended = JobFinalStatus {
        manager: new_leader,
        status: FinalStatus::Completed,
        reason: String::new(),
        kind: None,
        fence_token,
        provisional: false,
    };
    let critical = [
        Body::JobCancelRequest(cancel),
        Body::WorkflowCancel(workflow_cancel),
        Body::JobLeaderTransfer(transfer),
        Body::JobFinalStatus(ended),
        report(WorkflowOutcome::Completed),
        report(WorkflowOutcome::Failed),
        report(WorkflowOutcome::Cancelled),
    ];
    for body in critical {
        assert!(body.is_critical(), "{body:?}");
    }
    let stopped = Body::JobCancelResponse(JobCancelResponse::stopped(1));
    let acks = [Body::ReportAck(ack.clone()), Body::GlobalTimeoutAck(ack), stopped];
    for body in acks.into_iter().chain([report(WorkflowOutcome::Running)]) {
        assert!(!body.is_critical(), "{body:?}");
    }
}
