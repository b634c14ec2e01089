//! One job in three datacenters: a gate decides when its time is over, and they decide alone when the gate is gone.
//!
//! `cargo run --example multi_datacenter`

use std::collections::BTreeSet;
use std::time::Duration;

use quorate::ClockConfig;
use quorate::EntityId;
use quorate::NetworkFaults;
use quorate::Timestamp;
use quorate::{CompleteJob, JobRef, SubmitJob, id};
use quorate::{Config, Error, Quorate};

async fn submit(q: &Quorate, name: &str) -> Result<JobRef, Error> {
    let targets = ["east", "west", "north"].map(|name| id("target_datacenters", name));
    let job_id: EntityId = id("job_id", name)?;
    let job = SubmitJob {
        job_id: Some(job_id.clone()),
        timeout_seconds: Some(60.0),
        target_datacenters: targets.into_iter().collect::<Result<_, _>>()?,
        ..SubmitJob::default()
    };
    q.jobs().submit(job).await?;
    Ok(JobRef { job_id, datacenter: None })
}

async fn show(q: &Quorate, job: &JobRef) -> Result<(), Error> {
    let status = q.jobs().status(job.clone()).await?;
    println!("{} is {} at {}", job.job_id, status.status, q.now());
    for part in status.datacenters {
        println!("  {:5}  {:9}  {}", part.datacenter, part.status, part.timeout_reason);
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let q =
        Quorate::open(Config { clock: ClockConfig::Manual(Timestamp::EPOCH), ..Config::memory() }).await?;
    let minute = Duration::from_micros(60_000_001);

    // One completes; what the others do is over for all after a minute. What was completed is kept.
    let job = submit(&q, "train").await?;
    q.advance(Duration::from_secs(5)).await?;
    let complete = CompleteJob {
        job_id: job.job_id.clone(),
        datacenter: Some(id("datacenter", "north")?),
        status: None,
        reason: String::new(),
        fence_token: None,
    };
    q.jobs().complete(complete).await?;
    q.advance(minute).await?;
    show(&q, &job).await?;

    // Nothing gets to the gate or from it. Each datacenter waits five minutes for its decision, and then ends alone.
    let job = submit(&q, "index").await?;
    q.advance(Duration::from_secs(5)).await?;
    q.network_faults(NetworkFaults { cut: BTreeSet::from(["gate".to_owned()]), ..NetworkFaults::default() });
    q.advance(minute).await?;
    show(&q, &job).await?;
    q.advance(Duration::from_secs(301)).await?;
    show(&q, &job).await?;

    // The network heals: the gate hears what became of the job.
    q.network_faults(NetworkFaults::default());
    q.advance(minute).await?;
    let gate = q.jobs().gate_status(job).await?;
    println!("the gate knows: {:?}", gate.final_status);
    q.close().await
}
