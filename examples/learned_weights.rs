//! Voters who were right count for more: what was right is told afterwards, and a later session is weighed by it.
//!
//! `cargo run --example learned_weights`

use std::collections::BTreeMap;

use quorate::{Choice, Config, OpenSession, Quorate, RegisterVoter, SessionVote, TellTruth, VoterRef};

const VOTERS: [&str; 5] = ["ann", "bob", "cid", "dan", "eve"];

#[tokio::main]
async fn main() -> Result<(), quorate::Error> {
    let q = Quorate::open(Config::memory()).await?;
    let mut handles = BTreeMap::new();
    for name in VOTERS {
        let voter = q.voters().register(RegisterVoter::new(name)?).await?;
        handles.insert(name, voter.handle.unwrap_or_default());
    }

    // Six questions that somebody knows the answers to. Ann is right in all of them, eve in none.
    for k in 0..6 {
        let answer = |name: &str| match name {
            "ann" => "for",
            "eve" => "against",
            _ if k % 2 == 0 => "for",
            _ => "against",
        };
        let mut answers = BTreeMap::new();
        for name in VOTERS {
            answers.insert(quorate::id("answers", name)?, quorate::id("answers", answer(name))?);
        }
        let truth = TellTruth {
            session_id: None,
            question_id: Some(quorate::id("question_id", &format!("gold-{k}"))?),
            truth: quorate::id("truth", "for")?,
            answers: Some(answers),
            score: None,
            ratings: None,
            by: Some("ops".into()),
        };
        q.voters().feedback(truth).await?;
    }

    // The powers of this session are learned from that, and frozen as it opens.
    let asked = OpenSession {
        weights: Some("dawid_skene_online".into()),
        basis: Some(quorate::session::Basis::Power),
        ..OpenSession::new("deploy".into())
    };
    let session = q.sessions().open(asked).await?;
    for elector in &session.electorate {
        println!("{} counts {:.2}", elector.voter_id, elector.power);
    }
    if let Some(weights) = &session.weights {
        println!("by {} from {} answers", weights.source, weights.answers);
    }
    for name in ["ann", "bob", "cid", "dan"] {
        let vote = SessionVote::new(&session.session_id, name, Choice::For, &handles[name])?;
        if q.sessions().vote(vote).await?.outcome.is_some() {
            println!("decided with the vote of {name}");
            break;
        }
    }

    // What was right in it is told too, and judges its voters once.
    let told = TellTruth {
        session_id: Some(session.session_id.clone()),
        question_id: None,
        truth: quorate::id("truth", "for")?,
        answers: None,
        score: None,
        ratings: None,
        by: Some("ops".into()),
    };
    let told = q.voters().feedback(told).await?;
    println!("{} voters were judged", told.voters.len());
    let ann = q.voters().state(VoterRef { voter_id: quorate::id("voter_id", "ann")? }).await?;
    println!(
        "ann was right in {} of {}",
        ann.learned.as_ref().map_or(0, |l| l.right),
        ann.learned.map_or(0, |l| l.judged)
    );
    q.close().await
}
