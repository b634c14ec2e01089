//! Some votes count more: agents with inboxes answer a question, and the algorithm says what each of them weighs.
//!
//! `cargo run --example weighted_vote`

use std::time::Duration;

use quorate::ConsensusVoted;
use quorate::{
    Choice, Config, ConsensusRequest, ConsensusVote, Error, Quorate, RegisterAgent, RegisterAlgorithm,
    RequestConsensus,
};
use serde_json::json;

/// What an agent makes of a question.
async fn answer(q: &Quorate, name: &str, asked: &ConsensusRequest) -> Result<ConsensusVoted, Error> {
    let risk = asked.proposal["risk"].as_u64().unwrap_or(0);
    let vote = match name {
        "trainee" => Choice::Abstain,
        "expert" => Choice::For,
        _ if risk > 3 => Choice::Against,
        _ => Choice::For,
    };
    let ballot = ConsensusVote::new(&asked.proposal_id, name, vote)?;
    // An agent may claim any weight. The claim is kept on record and moves nothing.
    let weight = (name == "ann").then_some(1_000.0);
    q.consensus().vote(ConsensusVote { weight, ..ballot }).await
}

async fn ask(q: &Quorate, risk: u64) -> Result<(), Error> {
    println!("shall we drop the index? risk {risk}");
    let question = RequestConsensus::new(json!({ "action": "drop index", "risk": risk })).by("expertise");
    // Comes back as soon as no vote that is still missing could change the outcome.
    let result = q.consensus().request(question.within_ms(5_000)).await?;
    for (agent, ballot) in &result.votes {
        let claim = ballot.weight.map_or(String::new(), |claimed| format!(", claims to weigh {claimed}"));
        println!("  {agent}: {}{claim}", ballot.vote.name());
    }
    let numbers = &result.metadata;
    let weight = |of: Option<f64>| of.unwrap_or(0.0);
    println!(
        "  heads: {} for, {} against, {} abstaining, {} asked",
        result.votes_for, result.votes_against, result.votes_abstain, numbers.total_participants
    );
    println!(
        "  weight: {} for, {} against, {} in all: {:.0} % for, more than {:.0} % needed",
        weight(numbers.weighted_for),
        weight(numbers.weighted_against),
        weight(numbers.total_weight),
        100.0 * weight(numbers.weighted_approval),
        100.0 * weight(result.threshold),
    );
    let by = result.decided_by.as_ref().map_or("nobody", |agent| agent.as_str());
    println!("  {}, decided by {by}", result.state);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let q = Quorate::open(Config::memory()).await?;

    // A rule of the table under a name of its own. The weights are part of it, not of the votes.
    let weights = json!({ "threshold": 0.5, "agent_weights": { "expert": 3, "trainee": 0 } });
    let algorithm = json!({ "name": "expertise", "rule": "weighted", "params": weights });
    let algorithm: RegisterAlgorithm = serde_json::from_value(algorithm)
        .map_err(|e| Error::invalid("algorithm", e.to_string(), "a name, a rule, its parameters"))?;
    q.algorithms().register(algorithm).await?;

    for (name, thinks_ms) in [("ann", 10), ("bob", 30), ("trainee", 50), ("expert", 70)] {
        let agent = RegisterAgent::new(name)?;
        let mut inbox = q.consensus().inbox(&agent.agent_id);
        q.agents().register(agent).await?;
        let q = q.clone();
        tokio::spawn(async move {
            while let Some(asked) = inbox.recv().await {
                tokio::time::sleep(Duration::from_millis(thinks_ms)).await;
                if let Err(e) = answer(&q, name, &asked).await {
                    println!("  {name} could not vote: {e}");
                }
            }
        });
    }

    ask(&q, 1).await?; // nobody objects
    ask(&q, 5).await?; // one expert outweighs two others, whatever one of them claims
    q.close().await
}
