//! Somebody stops a class of jobs. What is on its way to the disk is refused too, and only those who were named let it go on.
//!
//! `cargo run --example fenced_stop`

use std::sync::Arc;

use quorate::guard::GuardedFile;
use quorate::{
    AllowedOperation, Choice, Config, ConsensusVote, EngageStop, EntityId, FenceToken, Quorate,
    RegisterAgent, ReleaseStop, RequestConsensus, StopScope, SubmitJob, id,
};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let q = Quorate::open(Config::memory()).await?;
    for name in ["ann", "bob", "cid"] {
        q.agents().register(RegisterAgent::new(name)?).await?;
    }
    let class: EntityId = id("class", "deploy")?;
    let job = || SubmitJob { class: Some(class.clone()), ..SubmitJob::default() };
    let token = q.jobs().submit(job()).await?.fence_token.unwrap_or_default();

    // The file the job writes asks in the step in which it writes whether that is stopped.
    let folder = tempfile::tempdir()?;
    let signal = Arc::new(q.stops().signal());
    let plan = GuardedFile::new(folder.path().join("plan")).under(signal, ["deployer"], Some(class.clone()));
    plan.replace(FenceToken::shown(token), b"step 1")?;

    let stop = EngageStop {
        stop_id: Some(id("stop_id", "halt")?),
        scope: StopScope { job_class: Some(class.clone()), ..StopScope::default() },
        release_voters: vec![id("v", "ann")?, id("v", "bob")?, id("v", "cid")?],
        release_need: Some(2),
        by: Some("ops".into()),
        reason: Some("the last one broke the build".into()),
    };
    let stopped = q.stops().engage(stop).await?;
    println!("stop {} of {}", stopped.sequence, stopped.scope);
    println!("another job: {}", q.jobs().submit(job()).await.err().map_or("taken", |e| e.kind().name()));
    println!("the file: {}", plan.replace(FenceToken::shown(token), b"step 2").is_err());

    // Two of the three who were named must decide about exactly this.
    let question = RequestConsensus {
        wait: Some(false),
        operation: Some(AllowedOperation::once("stop.release", json!({ "stop_id": "halt" }))?),
        ..RequestConsensus::new(json!("is it mended?"))
    };
    let asked = q.consensus().request(question).await?.proposal_id;
    let release = ReleaseStop {
        stop_id: id("stop_id", "halt")?,
        session_id: None,
        proposal_id: Some(asked.clone()),
        by: None,
    };
    q.consensus().vote(ConsensusVote::new(&asked, "ann", Choice::For)?).await?;
    let early = q.stops().release(release.clone()).await;
    println!("after one vote: {}", early.err().map_or("released", |e| e.kind().name()));
    q.consensus().vote(ConsensusVote::new(&asked, "bob", Choice::For)?).await?;
    println!("after two: {}", q.stops().release(release).await?.state);

    plan.replace(FenceToken::shown(token), b"step 2")?;
    q.close().await?;
    Ok(())
}
