//! Quorate inside a service that has work of its own: same process, own threads, state that outlives a restart.
//!
//! `cargo run --example embed_in_service`

use std::path::Path;
use std::time::Duration;

use quorate::EntityId;
use quorate::What;
use quorate::{Config, Error, Quorate, StartQuorum, Vote};

/// First life: open a quorum, take one vote, hear about it, go down before it is decided.
async fn first_life(folder: &Path) -> Result<EntityId, Error> {
    let q = Quorate::open(Config::at(folder)).await?;
    let mut notices = q.subscribe();
    let bell = tokio::spawn(async move {
        // Ends when the runtime does.
        while let Ok(notice) = notices.recv().await {
            match notice.what {
                What::Opened => println!("  notice: opened on {}", notice.topic),
                What::Voted { voter_id, vote } => println!("  notice: {voter_id} voted {vote}"),
                What::Closed { state } => println!("  notice: {}", state.name()),
                // Of proposals, agents, cells and jobs; this service has none.
                _ => {}
            }
        }
    });

    // The service's own work goes on beside it; the handle is cheap to clone into any task.
    let work = tokio::spawn(async {
        let mut requests = 0;
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(5)).await;
            requests += 1;
        }
        requests
    });

    let question = StartQuorum { required_votes: Some(2), ..StartQuorum::global() };
    let started = q.quorums().start(question.with_voters(["ann", "bob"])?).await?;
    q.quorums().vote(Vote::new(&started.quorum_id, "ann", true)?).await?;
    println!("  the service answered {} requests meanwhile", work.await.unwrap_or(0));

    // The last handle is gone after this, and with it the bus.
    q.close().await?;
    let _ = bell.await;
    Ok(started.quorum_id)
}

/// Second life: the quorum is where it was, and waits for its second vote.
async fn second_life(folder: &Path, id: &EntityId) -> Result<(), Error> {
    let q = Quorate::open(Config::at(folder)).await?;
    println!("  recovered: {} open deadline(s)", q.recovery_report().tracked);
    let status = q.quorums().status(id).await?;
    println!("  found: {}, voted so far: {:?}", status.state.name(), status.valid_voters);

    // A client that lost the answer to its vote repeats it; nothing is counted twice.
    let again = q.quorums().vote(Vote::new(id, "ann", true)?).await?;
    println!("  ann repeats her vote: duplicate {}, {} for", again.duplicate, again.approve_votes);
    let last = q.quorums().vote(Vote::new(id, "bob", true)?).await?;
    println!("  bob votes: {}", last.state.name());
    q.close().await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    println!("first life");
    let id = first_life(folder.path()).await?;
    println!("second life");
    second_life(folder.path(), &id).await?;
    Ok(())
}
