//! Two rules of one's own: a function, brought along by every process, and one put together from data, kept in the
//! journal. A proposal outlives the process that opened it.
//!
//! `cargo run --example custom_vote_rule`

use std::path::Path;

use quorate::{AlgorithmRef, ConsensusRef};
use quorate::{
    Choice, Config, ConsensusResult, ConsensusVote, EntityId, Error, Outcome, Poll, Quorate, RegisterAgent,
    RegisterAlgorithm, RequestConsensus, WeightTable,
};
use serde_json::json;

/// Whoever is two votes ahead wins; abstentions count for nobody. Must be pure: it is asked again after a restart.
fn two_ahead(poll: &Poll<'_>) -> Outcome {
    match poll.count(Choice::For) as i64 - poll.count(Choice::Against) as i64 {
        2.. => Outcome::Won,
        ..=-2 => Outcome::Lost,
        _ => Outcome::Pending,
    }
}

async fn vote(q: &Quorate, id: &EntityId, agent: &str, vote: Choice) -> Result<(), Error> {
    let answer = q.consensus().vote(ConsensusVote::new(id, agent, vote)?).await?;
    println!("  {agent} {}: {}", vote.name(), answer.state);
    Ok(())
}

async fn put(q: &Quorate, algorithm: &str) -> Result<EntityId, Error> {
    let question = RequestConsensus::new(json!({ "deploy": 7 })).by(algorithm).within_ms(60_000);
    // Nobody listens here; the votes below are cast by hand.
    let opened = q.consensus().request(RequestConsensus { wait: Some(false), ..question }).await?;
    println!("  {algorithm} asks {} agents", opened.metadata.total_participants);
    Ok(opened.proposal_id)
}

async fn result(q: &Quorate, proposal_id: EntityId) -> Result<ConsensusResult, Error> {
    q.consensus().result(ConsensusRef { proposal_id, wait_ms: Some(2_000) }).await
}

/// Opens proposals under both rules; the one under the function is still open when the process ends.
async fn first_life(folder: &Path) -> Result<EntityId, Error> {
    let q = Quorate::open(Config::at(folder)).await?;
    for name in ["ann", "bob", "cyd", "dan", "eve"] {
        q.agents().register(RegisterAgent::new(name)?).await?;
    }

    // At least three of the five, unless ann objects, and at least one of the two who are on call.
    let veto = json!({ "rule": "veto", "params": { "voters": ["ann"], "rule": "required:3" } });
    let on_call = json!({ "weighted": { "agent_weights": { "dan": 1, "eve": 1 }, "default_weight": 0,
        "threshold": 0.4 } });
    let both = json!({ "name": "careful", "rule": "all", "params": { "rules": [veto, on_call] } });
    let both: RegisterAlgorithm = serde_json::from_value(both)
        .map_err(|e| Error::invalid("algorithm", e.to_string(), "a name, a rule, its parameters"))?;
    let registered = q.algorithms().register(both).await?;
    println!("  careful registered: {}", registered.registered);
    let id = put(&q, "careful").await?;
    for agent in ["bob", "cyd", "dan"] {
        vote(&q, &id, agent, Choice::For).await?; // three for and one on call, but ann may still object
    }
    vote(&q, &id, "ann", Choice::Abstain).await?;

    q.algorithms().register_custom("two_ahead", WeightTable::default(), two_ahead)?;
    let id = put(&q, "two_ahead").await?;
    vote(&q, &id, "ann", Choice::For).await?;
    q.close().await?;
    Ok(id)
}

/// Votes are taken before the function is there; with it they decide.
async fn second_life(folder: &Path, id: EntityId) -> Result<(), Error> {
    let q = Quorate::open(Config::at(folder)).await?;
    vote(&q, &id, "bob", Choice::For).await?; // two ahead, but nobody here knows what that means
    q.algorithms().register_custom("two_ahead", WeightTable::default(), two_ahead)?;
    let result = result(&q, id).await?;
    println!("  two_ahead is registered again: {}", result.state);

    let default = q.algorithms().set_default(AlgorithmRef { name: "careful".into() }).await?;
    println!("  careful is still there, and the default now: {}", default.set);
    q.close().await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    println!("first life");
    let id = first_life(folder.path()).await?;
    println!("second life");
    Ok(second_life(folder.path(), id).await?)
}
