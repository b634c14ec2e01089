//! Why a job is where it is: the events that decided it, as sentences with their numbers in the record.
//!
//! ```text
//!  #1   submitted under token 1 with a budget of 60000 ms and an idle limit of 120000 ms
//!  #4   last recorded progress
//!  #5   worker w1 got 15000 ms more; the extensions are now 15000 ms
//!  #9   time was over: overall: the budget is used up. elapsed_ms=75001, …
//!  #10  ended as timeout …
//! ```
//!
//! Progress is recorded often; only the last of several signs in a row is told, with how many there were.

use super::event::{Event, TokenDomain};
use super::outbox::{Notice, Recipient};
use crate::jobs::protocol::message::{AckOutcome, NotNow};
use crate::kernel::time::{Gap, Timestamp};

/// One link of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Number of the event in the job's record.
    pub seq: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// What it says.
    pub sentence: String,
}

const HEARD: &str = "the gate was heard of while its decision was waited for";

/// The chain of what decided about the latest run of a job, oldest first, from its record: number, instant, event.
pub fn why<'a>(record: impl IntoIterator<Item = (u64, Timestamp, &'a Event)>) -> Vec<Link> {
    let mut chain: Vec<Link> = Vec::new();
    let mut signs: Option<(u64, u64, Timestamp, Timestamp)> = None;
    for (seq, at, event) in record {
        if let Event::ProgressNoted(noted) = event {
            let count = signs.map_or(1, |(count, ..)| count + 1);
            signs = Some((count, seq, at, noted.at));
            continue;
        }
        chain.extend(signs.take().map(told));
        if let Event::Submitted(_) = event {
            chain.clear();
        }
        // A gate that answers and does not decide is heard of often; the last time is enough.
        if let (Event::GateHeard { .. }, Some(last)) = (event, chain.last_mut())
            && last.sentence == HEARD
        {
            (last.seq, last.at) = (seq, at);
            continue;
        }
        chain.extend(sentence(event).map(|sentence| Link { seq, at, sentence }));
    }
    chain.extend(signs.take().map(told));
    chain
}

/// A reason, if one was given.
fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

fn told((count, seq, at, progress): (u64, u64, Timestamp, Timestamp)) -> Link {
    Link { seq, at, sentence: format!("got on at {progress}; recorded signs of progress in a row: {count}") }
}

/// What an event says, if it decides anything.
fn sentence(event: &Event) -> Option<String> {
    let text = match event {
        Event::Submitted(event) => {
            let limits = &event.limits;
            let budget =
                limits.overall_ms.map_or("no budget".to_owned(), |ms| format!("a budget of {ms} ms"));
            let learned = limits.learned_from.as_ref().map_or(String::new(), |estimate| {
                format!(", learned from {} jobs: {}", estimate.samples, estimate.evidence)
            });
            format!(
                "submitted under token {} by rule {} with {budget} and an idle limit of {} ms{learned}; {} decides",
                event.token,
                limits.rule,
                limits.stuck_ms,
                limits.strategy.name()
            )
        }
        Event::WorkflowMoved(step) => format!(
            "workflow {} went from {} to {} in attempt {} under token {}{}",
            step.workflow_id,
            step.from.name(),
            step.to.name(),
            step.attempt,
            step.token,
            because(&step.reason)
        ),
        Event::AttemptMade { workflow_id, attempt, .. } => {
            format!("workflow {workflow_id} waits again, as attempt {attempt}")
        }
        Event::StepRefused { workflow_id, from, to, .. } => {
            format!("workflow {workflow_id} was not taken from {} to {}", from.name(), to.name())
        }
        Event::LateResult { workflow_id, .. } => {
            format!("a result of workflow {workflow_id} came too late to count, and is kept")
        }
        Event::ReportsDropped { workflow_id, worker_id, dropped, .. } => {
            format!(
                "worker {worker_id} was asked for less and dropped reports of workflow {workflow_id}: {dropped} so far"
            )
        }
        Event::ExtensionGranted(event) => {
            let warning = if event.warning { "; few are left" } else { "" };
            let exceeds = if event.exceeds_base { "; more than the budget itself" } else { "" };
            format!(
                "worker {} got {} ms more; the extensions are now {} ms{warning}{exceeds}",
                event.worker_id,
                event.grant_us / 1_000,
                event.total_us / 1_000
            )
        }
        Event::ExtensionDenied(event) => {
            format!("worker {} got no more time: {}", event.worker_id, event.denial.name())
        }
        Event::ExtensionKeyed { worker_id, .. } => format!("worker {worker_id} gave its request a name"),
        Event::ExtensionsReset { worker_id, .. } => format!("extensions of worker {worker_id} begin anew"),
        Event::WorkerLost { worker_id, reason, .. } => format!("worker {worker_id} is lost: {reason}"),
        Event::WorkerHealthy { worker_id, .. } => format!("worker {worker_id} is well again"),
        Event::TimeoutDetected(event) => format!("time was over: {}", event.reason),
        Event::GateHeard { .. } => HEARD.to_owned(),
        Event::GlobalTimeoutAccepted { decision_id, reason, .. } => {
            format!("the gate decided that time is over, decision {decision_id}: {reason}")
        }
        Event::GateChanged { gate, .. } => format!("gate {} leads under epoch {}", gate.gate_id, gate.epoch),
        Event::Ended(event) => {
            format!(
                "ended as {} under token {} as of {}{}",
                event.status.name(),
                event.token,
                event.closed_at,
                because(&event.reason)
            )
        }
        Event::LeaderChanged(event) => format!(
            "leadership went from {} to {} under token {} ({})",
            event.from.node,
            event.to.node,
            event.token,
            event.manner.name()
        ),
        Event::Suspended { token, reason, .. } => {
            format!("leadership under token {token} was given up: {reason}")
        }
        Event::Resumed(event) => {
            let (token, away_ms) = (event.token, event.away_us / 1_000);
            let (elapsed, idle) = (event.elapsed_ms, event.idle_ms);
            let what = match event.gap {
                Gap::Restart => format!(
                    "a new process took the job up under token {token}; nobody served for {away_ms} ms"
                ),
                Gap::Command => format!(
                    "a command came while nobody served, for {away_ms} ms; token {token} stays in force"
                ),
                Gap::Suspend => format!("the machine was suspended for {away_ms} ms"),
                Gap::Pause => format!("the process did not run for {away_ms} ms"),
                Gap::ClockJump => format!("the clock was set ahead by {away_ms} ms, which moves no deadline"),
            };
            format!("{what}, elapsed_ms={elapsed}, idle_ms={idle}")
        }
        Event::TokenAdopted { token, .. } => format!("token {token} was adopted"),
        Event::LeaseTaken { holder, token, expires_at, .. } => {
            format!("{} took the lease under token {token} until {expires_at}", holder.node)
        }
        Event::LeaseGranted { holder, token, expires_at, lease_ms, in_process, .. } => {
            let life = if *in_process { ", as long as its process lives" } else { "" };
            format!(
                "{} took the lease under token {token} until {expires_at}, for {lease_ms} ms each time{life}",
                holder.node
            )
        }
        Event::LeaseResized { lease_ms, expires_at, .. } => {
            format!("the lease was kept until {expires_at}, for {lease_ms} ms each time from then on")
        }
        Event::LeaseAskedBy { by, .. } => format!("identity {by} asked for that lease"),
        Event::ClockStepped { by_us, .. } => {
            let (where_to, ms) = (if *by_us < 0 { "back" } else { "ahead" }, by_us.unsigned_abs() / 1_000);
            format!("the wall clock was set {where_to} by {ms} ms, which moves no deadline")
        }
        Event::LeaseReleased { .. } => "the lease was given back".to_owned(),
        Event::DispatchDelayed { workflow_id, worker_id, why, .. } => {
            let why = match why {
                NotNow::Full => "runs as much as it can",
                NotNow::NotRegistered => "is not registered",
                NotNow::Draining => "takes nothing new",
                NotNow::NotTaken => "has it before it and did not take it yet",
                NotNow::Lost => "is lost, or left without having taken it",
            };
            format!("workflow {workflow_id} waits for worker {worker_id}, which {why}; it is offered again")
        }
        Event::FenceRejected(event) => {
            let of = match event.domain {
                TokenDomain::Manager => "leader",
                TokenDomain::Gate => "gate",
                TokenDomain::Dispatch => "handing over",
            };
            format!(
                "{} under another {of} was refused: held={}, given={}",
                event.what, event.held, event.given
            )
        }
        Event::Queued(entry) => return queued(&entry.notice, &entry.to, entry.number),
        Event::Acked { number, outcome, .. } => {
            let outcome = match outcome {
                AckOutcome::Accepted => return None,
                AckOutcome::Stale => "stale".to_owned(),
                AckOutcome::UnknownJob => "unknown job".to_owned(),
                AckOutcome::Refused { retry_after_ms } => format!("come again in {retry_after_ms} ms"),
                AckOutcome::AlreadyFinal(status) => format!("already {}", status.name()),
            };
            format!("message {number} was answered: {outcome}")
        }
        Event::Deferred { number, .. } => format!("message {number} met a gate that does not know the job"),
        Event::CancelUnconfirmed { worker_id, workflow_ids, .. } => {
            format!(
                "worker {worker_id} never confirmed that work stopped; workflows that may run: {}",
                workflow_ids.len()
            )
        }
        Event::RecallAsked { gate_epoch, .. } => {
            format!(
                "the gate had lost its memory of the job and was told everything; it leads under epoch {gate_epoch}"
            )
        }
        Event::GateCancelAccepted { requester_id, reason, .. } => {
            let by = if requester_id.is_empty() { String::new() } else { format!(" for {requester_id}") };
            format!("the gate asked{by} to stop the job{}", because(reason))
        }
        Event::RunRefused { epoch, status, .. } => {
            format!(
                "the gate wanted runs up to epoch {epoch} to be over; none of them begins here any more, and it was told {}",
                status.name()
            )
        }
        Event::PayloadNoted { payloads, .. } => {
            let bytes =
                payloads.job.iter().chain(payloads.workflows.values()).map(String::len).sum::<usize>();
            format!("what is to be done was kept: {bytes} bytes")
        }
        Event::CharterNoted { charter, .. } => {
            let names: Vec<&str> = charter.targets.iter().map(|target| target.datacenter.as_str()).collect();
            format!(
                "the job runs in {} datacenters, since gate epoch {}: {}",
                names.len(),
                charter.epoch,
                names.join(", ")
            )
        }
        Event::ProgressNoted(_)
        | Event::LeaseRenewed { .. }
        | Event::CancelNarrowed { .. }
        | Event::StoppingResumed { .. } => return None,
    };
    Some(text)
}

/// What was told the outside, where it decides anything.
fn queued(notice: &Notice, to: &Recipient, number: u64) -> Option<String> {
    match (notice, to) {
        (Notice::Timeout { .. }, _) => {
            Some(format!("the gate was told that time is over here, message {number}"))
        }
        (Notice::Final { status, .. }, _) => {
            Some(format!("the gate was told that the job ended as {}, message {number}", status.name()))
        }
        (Notice::Cancel { workflow_ids, .. }, Recipient::Worker(worker)) => Some(format!(
            "worker {worker} was told to stop {} workflows, message {number}",
            workflow_ids.len()
        )),
        (Notice::Revoke { workflows, reason }, Recipient::Worker(worker)) => Some(format!(
            "{} workflows were taken from worker {worker}, message {number}: {reason}",
            workflows.len()
        )),
        (
            Notice::Cancel { .. }
            | Notice::Revoke { .. }
            | Notice::LeaderTransfer { .. }
            | Notice::Dispatch { .. }
            | Notice::WorkerTransfer { .. },
            Recipient::Gate | Recipient::Worker(_),
        ) => None,
    }
}
