//! Silent agents are not asked, and a few who are left do not decide for all.
//!
//! `cargo run --example health_aware_consensus`

use std::time::Duration;

use quorate::ClockConfig;
use quorate::Timestamp;
use quorate::{
    Beat, Choice, Config, ConsensusVote, Error, Quorate, RegisterAgent, RequestConsensus, VoterId,
};
use serde_json::json;

const ALL: [&str; 5] = ["ann", "bob", "cyd", "dan", "eve"];

/// Five seconds pass, then these agents say that they are alive.
async fn beats(q: &Quorate, agents: &[&str]) -> Result<(), Error> {
    q.advance(Duration::from_secs(5)).await?;
    for name in agents {
        let agent_id = VoterId::new(*name).map_err(|e| Error::invalid("agent_id", e.to_string(), "an id"))?;
        q.agents().beat(Beat { agent_id, metadata: None }).await?;
    }
    let health = q.agents().stats().await?.health_distribution;
    let at = q.now().since(Timestamp::EPOCH).as_secs();
    let silent =
        format!("{} degraded, {} critical, {} failed", health.degraded, health.critical, health.failed);
    println!("  {at:>2} s: {} healthy, {silent}", health.healthy);
    Ok(())
}

/// Asks all who are fit to be asked; a majority of those decides.
async fn ask(q: &Quorate, what: &str, answers: &[(&str, Choice)]) -> Result<(), Error> {
    let asked = q.consensus().request(RequestConsensus::new(json!({ "action": what }))).await?;
    let (all, fit) = (asked.metadata.registered_count, asked.metadata.total_participants);
    let left_out: Vec<&str> = asked.metadata.excluded_agents.iter().map(|agent| agent.as_str()).collect();
    println!("{what}: {fit} of {all} are asked, left out: {left_out:?}");
    if let Some(error) = &asked.metadata.error {
        println!("  {}: {error}", asked.state);
        return Ok(());
    }
    for (agent, vote) in answers {
        match q.consensus().vote(ConsensusVote::new(&asked.proposal_id, agent, *vote)?).await {
            Ok(voted) => println!("  {agent} {}: {:?}, {}", vote.name(), voted.outcome, voted.state),
            // A majority had decided before, or the agent was not asked.
            Err(refused) => println!("  {agent} {}: {refused}", vote.name()),
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    // A clock that moves only when told to; with the OS clock nothing else changes.
    let config = Config { clock: ClockConfig::Manual(Timestamp::EPOCH), ..Config::memory() };
    let q = Quorate::open(config).await?;
    for name in ALL {
        q.agents().register(RegisterAgent::new(name)?).await?;
    }

    println!("everybody beats every five seconds");
    beats(&q, &ALL).await?;
    let yes = [("ann", Choice::For), ("bob", Choice::For), ("cyd", Choice::For)];
    ask(&q, "scale up", &yes).await?;

    println!("eve falls silent");
    for _ in 0..3 {
        beats(&q, &ALL[..4]).await?;
    }
    // Three of four; eve is not among those who are asked, and her vote would not count.
    let answers =
        [("eve", Choice::Against), ("ann", Choice::For), ("bob", Choice::For), ("cyd", Choice::For)];
    ask(&q, "fail over", &answers).await?;

    println!("only ann and bob are heard of: a network split, seen from one side");
    for _ in 0..3 {
        beats(&q, &ALL[..2]).await?;
    }
    // Two of five agree with each other, and that must decide nothing.
    ask(&q, "drop the others", &yes).await?;

    println!("the others come back");
    beats(&q, &ALL).await?;
    ask(&q, "go on", &[("eve", Choice::For), ("dan", Choice::For), ("cyd", Choice::For)]).await?;
    q.close().await
}
