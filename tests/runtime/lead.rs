//! The lease of a job as a guard: kept while it is held, told when it is lost, given back when it is not wanted any more.

use std::time::Duration;

use quorate::{
    Config, EntityId, Error, ErrorKind, JobRef, LeaseJob, ListLeases, PlanWorkflow, Quorate, SubmitJob,
    TransferJob,
};
use quorate_runtime::api::dto::id;
use tempfile::TempDir;

async fn memory() -> Quorate {
    Quorate::open(Config::memory()).await.unwrap()
}

fn job(name: &str) -> EntityId {
    id("job_id", name).unwrap()
}

async fn submit(q: &Quorate, name: &str) {
    let workflows = vec![PlanWorkflow::new("one").unwrap()];
    q.jobs().submit(SubmitJob { job_id: Some(job(name)), workflows, ..SubmitJob::default() }).await.unwrap();
}

fn short(holder: &str) -> LeaseJob {
    LeaseJob { lease_ms: Some(300), ..LeaseJob::new("j", holder).unwrap() }
}

async fn holders(q: &Quorate) -> Vec<String> {
    let page = q.leases().list(ListLeases::default()).await.unwrap();
    page.leases.into_iter().map(|line| line.holder_id.to_string()).collect()
}

async fn status(q: &Quorate) -> String {
    let request = JobRef { job_id: job("j"), datacenter: None };
    q.jobs().status(request).await.unwrap().datacenters.remove(0).status
}

/// Waits, within a time that is far longer than it takes.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), what).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_led_outlives_its_length_and_ends_with_the_job() {
    let q = memory().await;
    submit(&q, "j").await;
    // Long enough to be renewed in time on a machine that is busy.
    let asked = LeaseJob { lease_ms: Some(1_500), ..short("ann") };
    let mut lease = q.jobs().lead(asked).await.unwrap();
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    assert_eq!(lease.check(), Ok(()), "two of its lengths later");
    assert_eq!(holders(&q).await, ["ann"]);
    let refused = q.jobs().lead(short("bob")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::LeaseHeld);
    assert!(lease.progress().await.unwrap().changed);
    lease.progress_of(&job("one"), 7).await.unwrap();
    assert_eq!(lease.complete().await.unwrap().status, "completed");
    assert_eq!(status(&q).await, "completed");
    drop(lease);
    q.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_dropped_or_released_is_free_for_the_next_who_waits() {
    let q = memory().await;
    submit(&q, "j").await;
    let first = q.jobs().lead(LeaseJob::new("j", "ann").unwrap()).await.unwrap();
    let token = first.token();
    let next = tokio::spawn({
        let q = q.clone();
        async move { q.jobs().lead_within(short("bob"), Duration::from_secs(60)).await }
    });
    drop(first);
    let second = soon(next).await.unwrap().unwrap();
    assert!(second.token() > token);
    assert_eq!((second.holder_id().as_str(), second.job_id()), ("bob", &job("j")));
    second.release().await.unwrap();
    assert!(holders(&q).await.is_empty());
    // What is asked for and not waited for is given back.
    let jobs = q.jobs();
    let _ = tokio::time::timeout(Duration::ZERO, jobs.lead(LeaseJob::new("j", "cid").unwrap())).await;
    soon(async {
        while !holders(&q).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    drop(soon(q.jobs().lead_within(short("dan"), Duration::from_secs(60))).await.unwrap());
    q.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_replaced_is_told_and_does_nothing_more() {
    let q = memory().await;
    submit(&q, "j").await;
    let mut lease = q.jobs().lead(short("ann")).await.unwrap();
    let taken = TransferJob {
        job_id: job("j"),
        datacenter: None,
        new_leader_id: id("new_leader_id", "bob").unwrap(),
        new_leader_addr: String::new(),
        force: true,
        fence_token: None,
    };
    q.jobs().transfer(taken).await.unwrap();
    let why = soon(lease.lost()).await;
    assert!(matches!(why.kind(), ErrorKind::StaleToken | ErrorKind::LeaseLost), "{why}");
    assert_eq!(lease.check(), Err(why));
    let refused: Error = lease.progress().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::StaleToken);
    assert_eq!(lease.complete().await.unwrap_err().kind(), ErrorKind::StaleToken);
    assert_ne!(status(&q).await, "completed");
    // There is nothing to give back, and the one who has it now keeps it.
    drop(lease);
    q.close().await.unwrap();
}

/// The holder lives in the process: when that is gone, so is its lease, whatever was left of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_of_a_process_that_is_gone_is_free_in_the_next_one() {
    let folder = TempDir::new().unwrap();
    let q = Quorate::open(Config::at(folder.path())).await.unwrap();
    submit(&q, "j").await;
    let lease = q.jobs().lead(LeaseJob::new("j", "ann").unwrap()).await.unwrap();
    let token = lease.token();
    // Nobody is left who could give it back.
    q.close().await.unwrap();
    drop(lease);
    let q = Quorate::open(Config::at(folder.path())).await.unwrap();
    let mut next = q.jobs().lead(LeaseJob::new("j", "bob").unwrap()).await.unwrap();
    assert!(next.token() > token);
    next.fail("the disk is full").await.unwrap();
    assert_eq!(status(&q).await, "failed");
    q.close().await.unwrap();
}
