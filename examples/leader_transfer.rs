//! A leader pauses, another takes over, the first one wakes up: it can change nothing any more.
//!
//! `cargo run --example leader_transfer`

use std::time::Duration;

use quorate::ClockConfig;
use quorate::EntityId;
use quorate::Timestamp;
use quorate::{CompleteJob, JobRef, LeaseJob, SubmitJob, id};
use quorate::{Config, Error, Quorate};

fn lease(holder: &str, token: Option<u64>) -> Result<LeaseJob, Error> {
    Ok(LeaseJob {
        job_id: id("job_id", "billing")?,
        datacenter: None,
        holder_id: id("holder_id", holder)?,
        incarnation: 1,
        holder_addr: format!("{holder}:7000"),
        force: false,
        fence_token: token.map(|token| token as i64),
        lease_ms: None,
        in_process: None,
    })
}

fn complete(token: u64) -> Result<CompleteJob, Error> {
    let (datacenter, status, reason) = (None, None, String::new());
    Ok(CompleteJob {
        job_id: id("job_id", "billing")?,
        datacenter,
        status,
        reason,
        fence_token: Some(token as i64),
    })
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let q =
        Quorate::open(Config { clock: ClockConfig::Manual(Timestamp::EPOCH), ..Config::memory() }).await?;
    let jobs = q.jobs();
    let job_id: EntityId = id("job_id", "billing")?;
    jobs.submit(SubmitJob { job_id: Some(job_id.clone()), ..SubmitJob::default() }).await?;

    // The lease says who leads, for thirty seconds at a time; the token says whose work counts.
    let first = jobs.acquire(lease("m1", None)?).await?;
    println!("m1 leads under token {}", first.fence_token);
    q.advance(Duration::from_secs(10)).await?;
    jobs.renew(lease("m1", Some(first.fence_token))?).await?;
    if let Err(error) = jobs.acquire(lease("m2", None)?).await {
        println!("m2 must wait: {error}");
    }

    // m1 pauses: it renews nothing, and does not know it.
    q.advance(Duration::from_secs(30)).await?;
    let second = jobs.acquire(lease("m2", None)?).await?;
    println!("m2 leads under token {}", second.fence_token);

    // m1 wakes up.
    for refused in [
        jobs.complete(complete(first.fence_token)?).await.err(),
        jobs.renew(lease("m1", Some(first.fence_token))?).await.err(),
    ] {
        println!("m1 is told: {}", refused.map_or("done".to_owned(), |error| error.to_string()));
    }
    println!("m2 is told: {}", jobs.complete(complete(second.fence_token)?).await?.status);

    println!("\non record");
    for link in jobs.why(JobRef { job_id, datacenter: None }).await?.chain {
        println!("{:>3}  {}  {}", link.seq, link.at, link.sentence);
    }
    q.close().await
}
