//! Proves a decision to somebody who has neither the store nor any trust in whoever runs it: a checkpoint kept elsewhere, and
//! a proof in a file.
//!
//! `cargo run --example prove_a_decision`

use quorate::{
    CheckedProof, Config, ProveConsistency, ProveRecord, Quorate, StartQuorum, VerifyHistory, Vote,
    check_proof,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let q = Quorate::open(Config::at(folder.path().join("data"))).await?;
    let start = StartQuorum { quorum_id: Some("pay-7".parse()?), ..StartQuorum::global() };
    let id = q.quorums().start(start.with_voters(["ann", "bob"])?).await?.quorum_id;
    q.quorums().vote(Vote::new(&id, "ann", true)?).await?;
    q.quorums().vote(Vote::new(&id, "bob", true)?).await?;

    // The auditor keeps these two texts where the operator cannot reach them.
    let kept = q.history().checkpoint().await?;
    println!("the auditor keeps a checkpoint over {} records:\n\n{}", kept.size, kept.checkpoint);

    // The operator goes on, and proves later that Bob voted: to anybody who has the file and the key.
    q.quorums().start(StartQuorum::global().with_voters(["ann"])?).await?;
    let ask = ProveRecord { entity_id: Some("pay-7".parse()?), seq: Some(3), ..ProveRecord::default() };
    let file = serde_json::to_string(&q.history().prove(ask).await?)?;
    match check_proof(&file, &kept.public_key)? {
        CheckedProof::Record { event: Some(event), position, size, .. } => {
            println!("proven: record {position} of {size} is {} by {}", event.event, event.data["voter_id"]);
        }
        other => return Err(format!("the proof shows something else: {other:?}").into()),
    }

    // A proof in which one letter was changed holds for nobody.
    let forged = file.replace("\"voter_id\":\"bob\"", "\"voter_id\":\"eve\"");
    println!(
        "forged: {}",
        check_proof(&forged, &kept.public_key).err().map_or("holds".into(), |e| e.to_string())
    );

    // And the log only grew since the auditor looked.
    let old_checkpoint = kept.checkpoint.clone();
    let grew = q.history().prove_consistency(ProveConsistency { old_checkpoint }).await?;
    if let CheckedProof::Consistency { old_size, size, .. } =
        check_proof(&serde_json::to_string(&grew)?, &kept.public_key)?
    {
        println!("consistent: the log of {size} records begins with the {old_size} that the auditor saw");
    }
    let request = VerifyHistory {
        checkpoint: Some(kept.checkpoint),
        public_key: Some(kept.public_key),
        ..VerifyHistory::default()
    };
    let verified = q.history().verify_against(request, |_| ()).await?;
    println!(
        "the whole journal: ok={}, contained={:?}",
        verified.ok,
        verified.checkpoint.map(|c| c.contained)
    );
    q.close().await?;
    Ok(())
}
