//! Who decided what, when and why: the record of one quorum, read back after the fact.
//!
//! `cargo run --example audit_history`

use std::time::Duration;

use quorate::ClockConfig;
use quorate::EntityId;
use quorate::Timestamp;
use quorate::{AskWhy, EntityHistory, HistoryQuery, PastState, StateAt, VoterId};
use quorate::{Config, Error, Quorate, StartQuorum, Vote};

/// One vote a second, on a clock that moves only when told to.
async fn vote(q: &Quorate, id: &EntityId, voter: &str, yes: bool) -> Result<(), Error> {
    q.advance(Duration::from_secs(1)).await?;
    match q.quorums().vote(Vote::new(id, voter, yes)?).await {
        Ok(voted) => println!("  {voter}: counted {}, changed {}", voted.counted, voted.changed),
        Err(refused) => println!("  {voter}: {refused}"),
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let noon = Timestamp::parse("2026-03-01T12:00:00Z").map_err(|e| Error::invalid("at", e, "an instant"))?;
    let config = Config { clock: ClockConfig::Manual(noon), seed: Some(1), ..Config::memory() };
    let q = Quorate::open(config).await?;
    let question = StartQuorum { required_votes: Some(2), ..StartQuorum::global() };
    let id = q.quorums().start(question.with_voters(["ann", "bob", "cid"])?).await?.quorum_id;

    println!("votes");
    vote(&q, &id, "ann", false).await?;
    vote(&q, &id, "eve", true).await?; // an outsider: recorded, never counted
    vote(&q, &id, "ann", true).await?; // a change: both votes stay on record
    vote(&q, &id, "bob", true).await?; // decides
    vote(&q, &id, "cid", false).await?; // late: refused, the attempt recorded

    println!("the record of the quorum");
    let asked = EntityHistory { kind: None, entity_id: id.clone(), limit: None, cursor: None };
    let log = q.history().entity(asked).await?;
    for v in &log.votes {
        let fate = match (v.counted, v.superseded, &v.reason) {
            (true, false, _) => "counted",
            (true, true, _) => "counted until replaced",
            (false, _, reason) => reason.as_deref().unwrap_or("not counted"),
        };
        println!("  seq {} {} {:>3} {:<5} {fate}", v.seq, v.cast_at, v.voter_id, v.vote);
    }

    println!("who decided, and when");
    let closes = HistoryQuery { outcome: Some("approved".into()), ..HistoryQuery::default() };
    for event in q.history().query(closes).await?.events {
        let close = &event.data;
        println!("  {} {} by {}", close["closed_at"], close["state"], close["decided_by"]);
    }

    println!("what ann did, and what was refused");
    let ann = HistoryQuery { voter_id: VoterId::new("ann").ok(), ..HistoryQuery::default() };
    let refused = HistoryQuery { refused: Some(true), ..HistoryQuery::default() };
    for asked in [ann, refused] {
        for event in q.history().query(asked).await?.events {
            println!("  at {} {} of {}", event.position, event.event, event.data["voter_id"]);
        }
    }

    println!("why it ended as it did");
    let asked = AskWhy { entity_id: id.clone(), kind: None, about: None };
    for link in q.history().why(asked).await?.chain {
        println!("  #{} {}", link.seq, link.sentence);
    }

    println!("how it stood two seconds in");
    let at = Some(noon.plus(Duration::from_secs(2)));
    let asked = StateAt { entity_id: id, kind: None, seq: None, position: None, at };
    if let PastState::Quorum(then) = q.history().state_at(asked).await? {
        println!("  {}: {} for, {} against", then.state.name(), then.approve_votes, then.reject_votes);
    }

    println!("was anything changed since?");
    let verified = q.history().verify(|_| ()).await?;
    println!("  ok {}: {} records, tip {}…", verified.ok, verified.records, &verified.tip_hash[..16]);
    q.close().await
}
