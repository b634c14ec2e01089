//! A job outlives the process that runs it: its time goes on, its leader is another, its record says why it ended.
//!
//! `cargo run --example durable_job`

use std::sync::Arc;
use std::time::Duration;

use quorate::ClockConfig;
use quorate::Timestamp;
use quorate::store::MemoryStore;
use quorate::{Config, Error, Quorate};
use quorate::{ExtendJob, JobRef, MoveWorkflow, PlanWorkflow, SubmitJob, id};

fn at(seconds: u64) -> Config {
    let now = Timestamp::EPOCH.plus(Duration::from_secs(seconds));
    Config { clock: ClockConfig::Manual(now), ..Config::memory() }
}

async fn step(q: &Quorate, workflow: &str, to: &str) -> Result<(), Error> {
    let moved = MoveWorkflow {
        job_id: id("job_id", "nightly")?,
        datacenter: None,
        workflow_id: id("workflow_id", workflow)?,
        to: to.into(),
        worker_id: None,
        reason: String::new(),
        result: None,
        fence_token: None,
    };
    q.jobs().workflow(moved).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let job = JobRef { job_id: id("job_id", "nightly")?, datacenter: None };
    let plan = |name: &str, after: &[&str]| -> Result<PlanWorkflow, Error> {
        let depends_on = after.iter().map(|name| id("depends_on", name)).collect::<Result<_, _>>()?;
        Ok(PlanWorkflow { depends_on, ..PlanWorkflow::new(name)? })
    };

    // A store that outlives the runtime; `Config::sled(folder)` keeps it on disk.
    let store = Arc::new(MemoryStore::new());
    let q = Quorate::open_with(at(0), store.clone()).await?;
    let submit = SubmitJob {
        job_id: Some(job.job_id.clone()),
        timeout_seconds: Some(60.0),
        workflows: vec![plan("load", &[])?, plan("report", &["load"])?],
        ..SubmitJob::default()
    };
    q.jobs().submit(submit).await?;
    step(&q, "load", "dispatched").await?;
    step(&q, "load", "running").await?;
    let ask: ExtendJob = serde_json::from_str(
        r#"{"job_id":"nightly","worker_id":"w1","reason":"a large table","current_progress":0.4}"#,
    )
    .map_err(|e| Error::invalid("request", "", &e.to_string()))?;
    println!("more time granted: {} s", q.jobs().extend(ask).await?.extension_seconds);
    step(&q, "load", "completed").await?;
    q.crash().await;

    // Half a minute later another process goes on. Its token is higher: the old one can do nothing any more.
    let q = Quorate::open_with(at(30), store).await?;
    let view = q.jobs().status(job.clone()).await?.datacenters.remove(0);
    println!(
        "after the crash: token {}, {} s of {} s left, workflows {:?}",
        view.fence_token,
        view.remaining_seconds.unwrap_or_default(),
        view.effective_timeout_seconds.unwrap_or_default(),
        view.workflows
    );
    q.advance(Duration::from_secs(60)).await?;
    for link in q.jobs().why(job).await?.chain {
        println!("{:>3}  {}", link.seq, link.sentence);
    }
    q.close().await
}
