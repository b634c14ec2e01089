//! How did it stand then, why, and how often? The past of a job, a cell and a quorum, asked after the fact.
//!
//! `cargo run --example time_travel`

use std::time::Duration;

use quorate::{AskWhy, CountHistory, PastState, StateAt};
use quorate::{
    ClockConfig, Config, EntityId, Error, ErrorKind, Quorate, StartQuorum, Timestamp, Vote, VoterId,
};

/// How many had approved by then.
async fn approvals(q: &Quorate, id: &EntityId, at: Timestamp) -> Result<String, Error> {
    let asked = StateAt { entity_id: id.clone(), kind: None, seq: None, position: None, at: Some(at) };
    match q.history().state_at(asked).await {
        Ok(PastState::Quorum(then)) => Ok(format!("{} with {} for", then.state.name(), then.approve_votes)),
        Ok(other) => Ok(format!("{other:?}")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(error.message().to_owned()),
        Err(error) => Err(error),
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let noon = Timestamp::parse("2026-03-01T12:00:00Z").map_err(|e| Error::invalid("at", e, "an instant"))?;
    let config = Config { clock: ClockConfig::Manual(noon), seed: Some(1), ..Config::memory() };
    let q = Quorate::open(config).await?;

    // Three questions, an hour apart. The second one nobody answers in time.
    let mut ids = Vec::new();
    for n in 0..3 {
        q.advance(Duration::from_secs(3_600)).await?;
        let question = StartQuorum { required_votes: Some(2), ..StartQuorum::global() };
        let id = q.quorums().start(question.with_voters(["ann", "bob", "cid"])?).await?.quorum_id;
        for (voter, yes) in [("ann", true), ("bob", n == 0), ("cid", true)] {
            q.advance(Duration::from_secs(10)).await?;
            if n != 1 {
                q.quorums().vote(Vote::new(&id, voter, yes)?).await.ok();
            }
        }
        ids.push(id);
    }
    q.advance(Duration::from_secs(3_600)).await?;

    println!("how the first one stood");
    for seconds in [0, 3_600, 3_610, 3_620] {
        let at = noon.plus(Duration::from_secs(seconds));
        println!("  {at}: {}", approvals(&q, &ids[0], at).await?);
    }

    println!("why the last one ended as it did");
    let asked = AskWhy { entity_id: ids[2].clone(), kind: None, about: None };
    for link in q.history().why(asked).await?.chain {
        println!("  #{} {}", link.seq, link.sentence);
    }

    println!("how they ended, by the hour");
    let voter = |name: &str| VoterId::new(name).map_err(|e| Error::invalid("compare", name, &e.to_string()));
    let asked = CountHistory {
        kind: Some("quorum".into()),
        per: Some("hour".into()),
        compare: Some(vec![voter("ann")?, voter("bob")?]),
        ..CountHistory::default()
    };
    let counts = q.history().count(asked).await?;
    for line in &counts.outcomes {
        let hour = line.began_at.map(|at| at.to_string()).unwrap_or_default();
        println!("  {hour}: {} {}", line.count, line.outcome);
    }
    if let Some(two) = &counts.agreement {
        println!("  ann and bob agreed on {} of {}", two.agreed, two.both);
    }
    for took in &counts.durations {
        println!("  half of them took up to {} ms, all up to {} ms", took.p50_ms, took.max_ms);
    }
    q.close().await
}
