//! Seven voters decide, one of them says two things: its lie is kept, its vote is not, and the others decide.
//!
//! `cargo run --example byzantine_session`

use quorate::{
    CandidateId, Config, EntityId, OpenSession, Quorate, RegisterVoter, SessionRef, SessionVote, VoterRef,
};

const VOTERS: [&str; 7] = ["ann", "bob", "cid", "dan", "eve", "fay", "gil"];

#[tokio::main]
async fn main() -> Result<(), quorate::Error> {
    let q = Quorate::open(Config::memory()).await?;

    // Who registers is given a handle: with it a vote is shown to be the voter's own.
    let mut handles = Vec::new();
    for name in VOTERS {
        let voter = q.voters().register(RegisterVoter::new(name)?).await?;
        handles.push(voter.handle.unwrap_or_default());
    }

    // Seven voters bear two that lie: five heads and more than two thirds of the power decide.
    let candidates: Vec<CandidateId> = ["reroute", "wait"]
        .into_iter()
        .map(|name| quorate::id("candidates", name))
        .collect::<Result<_, _>>()?;
    let asked =
        OpenSession { candidates: Some(candidates), ..OpenSession::new("what about the storm?".into()) };
    let session = q.sessions().open(asked).await?;
    println!("{} of {} heads are needed", session.agreement_threshold, session.total_participants);

    let vote = |k: usize, candidate: &str, score: f64| -> Result<SessionVote, quorate::Error> {
        Ok(SessionVote {
            candidate_id: Some(quorate::id("candidate_id", candidate)?),
            vote: None,
            score: Some(score),
            ..SessionVote::new(&session.session_id, VOTERS[k], quorate::Choice::For, &handles[k])?
        })
    };

    // The liar votes for both, one after the other.
    q.sessions().vote(vote(0, "reroute", 1.0)?).await?;
    let refused = q.sessions().vote(vote(0, "wait", 1.0)?).await;
    println!("ann again: {}", refused.err().map_or("taken".into(), |error| error.kind().name().to_owned()));

    // Somebody else speaks in the name of bob: refused, and bob is no worse for it.
    let forged = SessionVote { handle: Some("not the handle of bob".into()), ..vote(1, "wait", 1.0)? };
    println!("a forgery: {}", q.sessions().vote(forged).await.is_err());

    for (k, score) in [(1, 0.9), (2, 0.8), (3, 1.0), (4, 0.7)] {
        q.sessions().vote(vote(k, "reroute", score)?).await?;
    }
    println!("without ann four are not enough: {:?}", status(&q, &session.session_id).await?.outcome);
    q.sessions().vote(vote(5, "reroute", 0.6)?).await?;

    let ended = status(&q, &session.session_id).await?;
    println!("{} {}", ended.status, ended.decision.unwrap_or_default());
    for one in &ended.selections {
        println!("  {:8} score {:.3}, {} heads", one.candidate, one.selection_score, one.votes_received);
    }
    println!("proven to lie: {:?}, evidence {}", ended.malicious_agents, ended.evidence.len());

    q.effects_done().await;
    for name in ["ann", "bob"] {
        let voter = q.voters().state(VoterRef { voter_id: quorate::id("voter_id", name)? }).await?;
        println!("{name} is {}", voter.state);
    }
    q.close().await
}

async fn status(q: &Quorate, id: &EntityId) -> Result<quorate::SessionResult, quorate::Error> {
    q.sessions().result(SessionRef { session_id: id.clone(), wait_ms: None }).await
}
