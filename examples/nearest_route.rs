//! Three datacenters: a gate measures how far away they are, sends jobs to the nearest, and does not flap.
//!
//! `cargo run --example nearest_route`

use std::time::Duration;

use quorate::{ClockConfig, Config, Error, Quorate, Timestamp, id};
use quorate::{EstimateCoordinate, RouteJob, SubmitJob, UpdateCoordinate, UpdateDatacenter};

/// Datacenters, their leaders, and the round trip to them in ms.
const PLACES: [(&str, &str, f64); 3] =
    [("east", "east-1", 12.0), ("west", "west-1", 71.0), ("north", "north-1", 35.0)];

async fn measure(q: &Quorate, leader: &str, rtt_ms: f64) -> Result<(), Error> {
    let (gate, leader) = (id::<quorate::EntityId>("from", "gate")?, id::<quorate::EntityId>("to", leader)?);
    let measured = UpdateCoordinate::measured((&gate).into(), (&leader).into(), rtt_ms);
    q.coordinates().update(measured).await.map(|_| ())
}

async fn heartbeat(q: &Quorate, (name, leader, _): (&str, &str, f64), health: &str) -> Result<(), Error> {
    let leader: quorate::EntityId = id("leader_id", leader)?;
    let heard = UpdateDatacenter {
        health_bucket: Some(health.into()),
        available_cores: Some(64),
        total_managers: Some(3),
        leader_id: Some((&leader).into()),
        ..UpdateDatacenter::of(id("datacenter_id", name)?)
    };
    q.datacenters().update(heard).await.map(|_| ())
}

async fn route(q: &Quorate, why: &str) -> Result<(), Error> {
    let decision = q.routes().job(RouteJob::of(id("job_id", "train")?)).await?;
    let primary = decision.primary_datacenters.first().map_or("none", |name| name.as_str());
    println!("{why:32} {primary:6} {}", decision.reason.name());
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let q =
        Quorate::open(Config { clock: ClockConfig::Manual(Timestamp::EPOCH), ..Config::memory() }).await?;
    for place in PLACES {
        heartbeat(&q, place, "HEALTHY").await?;
    }
    route(&q, "nothing measured yet:").await?;

    for _ in 0..10 {
        for (_, leader, rtt_ms) in PLACES {
            measure(&q, leader, rtt_ms).await?;
        }
        q.advance(Duration::from_secs(1)).await?;
    }
    for (name, leader, rtt_ms) in PLACES {
        let (from, to): (quorate::EntityId, quorate::EntityId) = (id("from", "gate")?, id("to", leader)?);
        let ask = EstimateCoordinate { from: (&from).into(), to: (&to).into() };
        let estimate = q.coordinates().estimate(ask).await?;
        println!("{name:6} is {rtt_ms} ms away, at most {:.1} as far as is known", estimate.rtt_ucb_ms);
    }

    // A choice is kept for 30 seconds; then one that is much nearer may take it.
    q.advance(Duration::from_secs(30)).await?;
    for place in PLACES {
        heartbeat(&q, place, "HEALTHY").await?;
    }
    route(&q, "measured, half a minute later:").await?;
    heartbeat(&q, PLACES[0], "UNHEALTHY").await?;
    route(&q, "the nearest is gone:").await?;
    heartbeat(&q, PLACES[0], "HEALTHY").await?;
    route(&q, "it is back, and must wait:").await?;

    // A job without datacenters goes where the router sends it.
    let submitted =
        q.jobs().submit(SubmitJob { job_id: Some(id("job_id", "index")?), ..SubmitJob::default() }).await?;
    if let Some(routed) = submitted.routed {
        println!("job index runs in {:?}: {}", submitted.target_datacenters, routed.reason);
    }
    q.close().await
}
