//! One program for both: beside a server that owns the folder, or with the runtime inside.
//!
//! `cargo run --features connect --example connected` runs everything in this process. With a server
//! (`quorate serve --data some/folder`) any number of these may run at once:
//! `cargo run --features connect --example connected -- some/folder`, or `-- http://127.0.0.1:7171`.

use quorate::{Beat, Config, Connected, Error, ErrorKind, Quorate, RegisterAgent, RequestCapacity};
use quorate::{StartQuorum, Vote, WaitQuorum, id};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let q = match std::env::args().nth(1) {
        // A server that is started again meanwhile is waited for.
        Some(to) => Quorate::connect(to.as_str()).await?,
        None => Connected::from(Quorate::open(Config::memory()).await?),
    };

    // Whoever comes first opens the question; the others find it open.
    let question = StartQuorum {
        quorum_id: Some(id("quorum_id", "release-7")?),
        required_votes: Some(2),
        ..StartQuorum::global().with_voters(["ann", "bob", "cid"])?
    };
    let quorum_id = id("quorum_id", "release-7")?;
    match q.quorums().start(question).await {
        Ok(started) => println!("opened: {} of 3 must approve", started.required_votes),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => println!("somebody opened it before"),
        Err(error) => return Err(error),
    }

    for voter in ["ann", "bob"] {
        q.agents().register(RegisterAgent::new(voter)?).await?;
        // A beat has no name by which a repeat is known: what was cut off is not sent again by itself.
        match q.agents().beat(Beat::new(voter)?).await {
            Err(error) if error.kind() == ErrorKind::OutcomeUnknown => println!("{voter} beats again later"),
            beaten => drop(beaten?),
        }
        match q.quorums().vote(Vote::new(&quorum_id, voter, true)?).await {
            Ok(vote) => println!("{voter} votes yes: {} for", vote.approve_votes),
            Err(error) => println!("{voter} comes too late: {}", error.kind().name()),
        }
    }

    // A wait lasts over restarts of the server.
    let ended = q.quorums().wait(WaitQuorum { quorum_id, timeout_ms: Some(5_000) }).await?;
    println!("outcome: {}", ended.state.name());

    let granted = q.capacity().request(RequestCapacity::new("gpu")?.of(0.25)).await?;
    println!("capacity: {} of {:?}", granted.status, granted.capacity);
    Ok(())
}
