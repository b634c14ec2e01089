//! One question, three voters, a durable answer.
//!
//! `cargo run --example hello_quorum`

use quorate::{Config, Quorate, StartQuorum, Vote};

#[tokio::main]
async fn main() -> Result<(), quorate::Error> {
    // In memory; `Config::at("some/folder")` keeps the journal on disk.
    let q = Quorate::open(Config::memory()).await?;

    let question = StartQuorum {
        subject: Some("Shall we deploy build 7?".into()),
        required_votes: Some(2),
        timeout_seconds: Some(60.0),
        ..StartQuorum::global().with_voters(["ann", "bob", "cid"])?
    };
    let started = q.quorums().start(question).await?;
    let voters = started.voter_count.unwrap_or(0);
    println!("opened: {} of {voters} must approve", started.required_votes);

    for (voter, yes) in [("ann", true), ("cid", false), ("bob", true)] {
        // The answer comes when the vote is durable.
        let vote = q.quorums().vote(Vote::new(&started.quorum_id, voter, yes)?).await?;
        let tally = format!("{} for, {} against", vote.approve_votes, vote.reject_votes);
        println!("{voter} votes {}: {tally}, {}", if yes { "yes" } else { "no" }, vote.state.name());
    }

    // A closed quorum stays readable; a vote that comes too late is refused and kept on record.
    let late = q.quorums().vote(Vote::new(&started.quorum_id, "cid", true)?).await;
    println!("cid changes its mind: {}", late.unwrap_err());
    let status = q.quorums().status(&started.quorum_id).await?;
    let decided_by = status.decided_by.as_ref().map(|voter| voter.as_str());
    println!("outcome: {}, decided by {}", status.state.name(), decided_by.unwrap_or("nobody"));
    q.close().await
}
