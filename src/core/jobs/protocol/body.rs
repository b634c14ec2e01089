//! What messages have in common: their names, how much they matter, and whom a reply goes to.

use super::message::{
    Body, FinalStatus, JobCancelResponse, Message, WorkflowOutcome, WorkflowReportAfterDrops,
};

impl Message {
    /// The reply to it, from whom it was sent to.
    pub(in crate::jobs) fn answer(&self, body: Body) -> Message {
        Message {
            job_id: self.job_id.clone(),
            datacenter: self.datacenter.clone(),
            from: self.to.clone(),
            to: self.from.clone(),
            number: self.number,
            body,
            signal: None,
        }
    }
}

impl Body {
    /// The name on record and in logs.
    pub fn name(&self) -> &'static str {
        match self {
            Body::JobDispatch(_) => "job_dispatch",
            Body::JobProgressReport(_) => "job_progress_report",
            Body::JobTimeoutReport(_) => "job_timeout_report",
            Body::JobLeaderTransfer(_) => "job_leader_transfer",
            Body::JobFinalStatus(_) => "job_final_status",
            Body::JobRecall(_) => "job_recall",
            Body::JobGlobalTimeout(_) => "job_global_timeout",
            Body::JobLeaderGateTransfer(_) => "job_leader_gate_transfer",
            Body::JobCancelRequest(_) => "job_cancel_request",
            Body::WorkflowDispatch(_) => "workflow_dispatch",
            Body::WorkflowCancel(_) => "workflow_cancel",
            Body::JobLeaderWorkerTransfer(_) => "job_leader_worker_transfer",
            Body::WorkflowReport(_) => "workflow_report",
            Body::HealthcheckExtensionRequest(_) => "healthcheck_extension_request",
            Body::ReportAck(_) => "report_ack",
            Body::GlobalTimeoutAck(_) => "global_timeout_ack",
            Body::JobCancelResponse(_) => "job_cancel_response",
            Body::WorkerAck(_) => "worker_ack",
            Body::HealthcheckExtensionResponse(_) => "healthcheck_extension_response",
            Body::WorkflowReportAfterDrops(_) => "workflow_report_after_drops",
            Body::WorkflowRevoke(_) => "workflow_revoke",
        }
    }

    /// Must it not give way to others where room is short? So it is with what starts, ends or hands over something. The
    /// rest is superseded by the next of its kind, or is a reply, which comes again when the question does.
    pub fn is_critical(&self) -> bool {
        match self {
            Body::JobDispatch(_)
            | Body::JobTimeoutReport(_)
            | Body::JobLeaderTransfer(_)
            | Body::JobFinalStatus(_)
            | Body::JobGlobalTimeout(_)
            | Body::JobLeaderGateTransfer(_)
            | Body::JobCancelRequest(_)
            | Body::WorkflowDispatch(_)
            | Body::WorkflowCancel(_)
            | Body::WorkflowRevoke(_)
            | Body::JobLeaderWorkerTransfer(_) => true,
            Body::WorkflowReport(report)
            | Body::WorkflowReportAfterDrops(WorkflowReportAfterDrops { report, dropped: _ }) => {
                report.outcome != WorkflowOutcome::Running
            }
            Body::JobProgressReport(_)
            | Body::JobRecall(_)
            | Body::HealthcheckExtensionRequest(_)
            | Body::ReportAck(_)
            | Body::GlobalTimeoutAck(_)
            | Body::JobCancelResponse(_)
            | Body::WorkerAck(_)
            | Body::HealthcheckExtensionResponse(_) => false,
        }
    }
}

impl JobCancelResponse {
    /// It is stopped by this request.
    pub fn stopped(cancelled_workflow_count: u64) -> Self {
        JobCancelResponse {
            success: true,
            cancelled_workflow_count,
            already_cancelled: false,
            already_completed: false,
            already_terminal: None,
            error: None,
        }
    }

    /// It was over before: a second cancellation succeeds, any other is told how it ended.
    pub fn over(status: FinalStatus, cancelled_workflow_count: u64) -> Self {
        let again = status == FinalStatus::Cancelled;
        JobCancelResponse {
            success: again,
            cancelled_workflow_count,
            already_cancelled: again,
            already_completed: status == FinalStatus::Completed,
            already_terminal: (!again).then_some(status),
            error: (!again).then(|| format!("the job has ended. status={}", status.name())),
        }
    }

    /// It goes on.
    pub fn refused(error: String) -> Self {
        JobCancelResponse { success: false, error: Some(error), ..Self::stopped(0) }
    }
}
