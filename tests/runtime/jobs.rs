//! Jobs on the runtime: time that passes, leaders that pause, workers that hear, and nothing left behind.

use std::sync::Arc;
use std::time::Duration;

use quorate::{Config, ErrorKind, Quorate};
use quorate_core::jobs::manager::WorkflowStatus;
use quorate_core::jobs::protocol::message::FinalStatus;
use quorate_core::kernel::ids::EntityId;
use quorate_core::kernel::time::Timestamp;
use quorate_journal::stores::memory::MemoryStore;
use quorate_runtime::api::dto::{
    CompleteJob, JobProgress, JobRef, JobStats, PlanWorkflow, RegisterWorker, SubmitJob, TransferJob,
    WorkerRef, WorkerReport,
};
use quorate_runtime::config::ClockConfig;
use quorate_runtime::shell::bus::What;

use crate::manual;

fn id(name: &str) -> EntityId {
    EntityId::new(name).unwrap()
}

fn job(name: &str) -> SubmitJob {
    SubmitJob { job_id: Some(id(name)), ..SubmitJob::default() }
}

fn progress(name: &str, token: i64) -> JobProgress {
    let (datacenter, workflow_id, completed_count) = (None, None, None);
    JobProgress { job_id: id(name), datacenter, workflow_id, completed_count, fence_token: Some(token) }
}

fn complete(name: &str, token: i64) -> CompleteJob {
    let (datacenter, status, reason) = (None, None, String::new());
    CompleteJob { job_id: id(name), datacenter, status, reason, fence_token: Some(token) }
}

async fn status(q: &Quorate, name: &str) -> String {
    q.jobs().status(JobRef { job_id: id(name), datacenter: None }).await.unwrap().status
}

async fn at_rest(q: &Quorate) -> JobStats {
    for _ in 0..2_000 {
        let stats = q.jobs().stats().await.unwrap();
        if (stats.tracked_jobs, stats.noted_in_memory, stats.in_transit) == (0, 0, 0) {
            return stats;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never at rest: {:?}", q.jobs().stats().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_ends_unasked_when_its_time_is_over_in_real_time() {
    let q = Quorate::open(Config::memory()).await.unwrap();
    let mut bell = q.subscribe();
    q.jobs().submit(SubmitJob { timeout_seconds: Some(0.05), ..job("j") }).await.unwrap();
    let notice = bell.recv().await.unwrap();
    assert_eq!(notice.topic, "job/j");
    assert!(matches!(notice.what, What::JobEnded { status: FinalStatus::Timeout }), "{notice:?}");
    assert_eq!(status(&q, "j").await, "timeout");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_is_noticed_at_its_own_microsecond_and_counts_as_of_the_deadline() {
    let q = Quorate::open(manual()).await.unwrap();
    q.jobs().submit(SubmitJob { timeout_seconds: Some(60.0), ..job("j") }).await.unwrap();
    q.advance(Duration::from_secs(60)).await.unwrap();
    assert_eq!(status(&q, "j").await, "submitted");
    q.advance(Duration::from_secs(3_600)).await.unwrap();
    let why = q.jobs().why(JobRef { job_id: id("j"), datacenter: None }).await.unwrap();
    assert_eq!(why.chain.last().unwrap().at.as_micros(), 60_000_001);
    let view = q.jobs().status(JobRef { job_id: id("j"), datacenter: None }).await.unwrap();
    assert_eq!(view.datacenters[0].ended_at.unwrap().as_micros(), 60_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_paused_is_refused_whatever_it_does_after_a_transfer() {
    let q = Quorate::open(manual()).await.unwrap();
    let old = q.jobs().submit(SubmitJob { leader_id: Some(id("m1")), ..job("j") }).await.unwrap();
    let old = i64::try_from(old.fence_token.unwrap()).unwrap();
    // m1 pauses here. Another leader takes over and goes on.
    let transfer = TransferJob {
        job_id: id("j"),
        datacenter: None,
        new_leader_id: id("m2"),
        new_leader_addr: String::new(),
        force: false,
        fence_token: None,
    };
    let new = q.jobs().transfer(transfer).await.unwrap();
    q.advance(Duration::from_secs(1)).await.unwrap();
    q.jobs().progress(progress("j", i64::try_from(new.fence_token).unwrap())).await.unwrap();
    // m1 wakes up and believes it leads.
    let kind = |error: quorate::Error| error.kind();
    assert_eq!(q.jobs().progress(progress("j", old)).await.unwrap_err().kind(), ErrorKind::StaleToken);
    assert_eq!(q.jobs().complete(complete("j", old)).await.map_err(kind), Err(ErrorKind::StaleToken));
    assert_eq!(status(&q, "j").await, "running");
    let stats = q.jobs().stats().await.unwrap();
    assert_eq!(stats.stale_rejections, 2);
    assert_eq!(stats.stale_rejections_by, [("complete".into(), 1), ("progress".into(), 1)].into());
    assert_eq!(stats.armed["job"], 1);
    assert!(q.jobs().complete(complete("j", 2)).await.unwrap().changed);
    let stats = q.jobs().stats().await.unwrap();
    assert_eq!((stats.tracked_jobs, stats.armed["job"], stats.unanswered["job"]), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_hear_what_a_worker_is_to_start_and_stop_and_how_the_job_ended() {
    let q = Quorate::open(manual()).await.unwrap();
    let mut bell = q.subscribe();
    let register = RegisterWorker {
        worker_id: id("w1"),
        datacenter: None,
        capacity: Some(2),
        beat_ms: None,
        incarnation: None,
    };
    q.workers().register(register).await.unwrap();
    let plan = |name: &str| PlanWorkflow {
        workflow_id: id(name),
        depends_on: Vec::new(),
        worker_id: Some(id("w1")),
        payload: None,
    };
    q.jobs().submit(SubmitJob { workflows: vec![plan("a"), plan("b")], ..job("j") }).await.unwrap();
    q.advance(Duration::ZERO).await.unwrap();
    let report = WorkerReport {
        data_subject: None,
        worker_id: id("w1"),
        job_id: id("j"),
        workflow_id: id("a"),
        outcome: "completed".into(),
        completed_count: None,
        result: None,
        dispatch_token: None,
    };
    q.workers().report(report).await.unwrap();
    q.advance(Duration::ZERO).await.unwrap();
    q.jobs().complete(complete("j", 1)).await.unwrap();
    q.advance(Duration::from_secs(60)).await.unwrap();
    let mut heard = Vec::new();
    while let Ok(notice) = bell.try_recv() {
        assert_eq!(notice.topic, "job/j");
        heard.push(match notice.what {
            What::WorkflowStart(attempt) => format!("start {}", attempt.workflow_id),
            What::WorkflowStop(attempt) => format!("stop {}", attempt.workflow_id),
            What::WorkflowAbort(attempt) => format!("abort {}", attempt.workflow_id),
            What::WorkflowMoved { workflow_id, to: WorkflowStatus::Completed, .. } => {
                format!("completed {workflow_id}")
            }
            What::JobEnded { status } => format!("ended {}", status.name()),
            _ => continue,
        });
    }
    assert_eq!(heard, ["start a", "start b", "completed a", "ended completed", "stop b", "abort b"]);
    let worker = q.workers().status(WorkerRef { worker_id: id("w1") }).await.unwrap();
    assert_eq!((worker.running, worker.unanswered), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_last_job_nothing_is_tracked_noted_or_on_its_way() {
    let q = Quorate::open(manual()).await.unwrap();
    for (n, name) in ["done", "late", "stuck", "gated"].into_iter().enumerate() {
        let submit = SubmitJob {
            timeout_seconds: (n == 1).then_some(30.0),
            target_datacenters: if n == 3 { vec![id("east"), id("west")] } else { Vec::new() },
            ..job(name)
        };
        q.jobs().submit(submit).await.unwrap();
    }
    q.advance(Duration::from_millis(100)).await.unwrap();
    for name in ["done", "late", "stuck"] {
        q.jobs().progress(progress(name, 1)).await.unwrap();
        q.jobs().progress(progress(name, 1)).await.unwrap();
    }
    let busy = q.jobs().stats().await.unwrap();
    assert_eq!(busy.tracked_jobs, 5);
    q.jobs().complete(complete("done", 1)).await.unwrap();
    q.advance(Duration::from_secs(3_600)).await.unwrap();
    let stats = at_rest(&q).await;
    assert_eq!((stats.submitted, stats.ended["completed"], stats.ended["timeout"]), (5, 1, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_job_is_listed_once_and_its_id_runs_nothing_again() {
    let q = Quorate::open(manual()).await.unwrap();
    let ended = async || {
        let ask = quorate_runtime::api::dto::ListJobs { state: Some("ended".into()), ..Default::default() };
        let page = q.jobs().list(ask).await.unwrap();
        page.jobs.into_iter().map(|line| (line.status, line.fence_token)).collect::<Vec<_>>()
    };
    q.jobs().submit(job("j")).await.unwrap();
    let first = q.jobs().complete(complete("j", 1)).await.unwrap();
    let second = q.jobs().complete(complete("j", 1)).await.unwrap();
    assert_eq!(
        (first.changed, first.duplicate, second.changed, second.duplicate),
        (true, false, false, true)
    );
    let again = q.jobs().submit(job("j")).await.unwrap();
    assert_eq!((again.duplicate, again.status.as_str()), (true, "completed"));
    let other = SubmitJob { timeout_seconds: Some(1.0), ..job("j") };
    let refused = q.jobs().submit(other).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
    assert_eq!(refused.detail("status").unwrap(), "completed");
    q.advance(Duration::from_secs(2)).await.unwrap();
    assert_eq!(ended().await, [("completed".to_owned(), 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_overdue_at_open_is_looked_at_once() {
    let disk = MemoryStore::new();
    let q = Quorate::open_with(manual(), Arc::new(disk.reopen())).await.unwrap();
    for (name, timeout) in [("a", 1.0), ("b", 1.0), ("c", 60.0)] {
        q.jobs().submit(SubmitJob { timeout_seconds: Some(timeout), ..job(name) }).await.unwrap();
    }
    q.crash().await;
    let later = ClockConfig::Manual(Timestamp::from_millis(2_000));
    let q = Quorate::open_with(Config { clock: later, ..manual() }, Arc::new(disk.reopen())).await.unwrap();
    assert_eq!((q.recovery_report().tracked, q.recovery_report().settled), (3, 2));
    assert_eq!((status(&q, "a").await, status(&q, "c").await), ("timeout".into(), "submitted".into()));
}
