//! Three voters allow one payment. It is made once: not with another amount, not a second time, and not after a no.
//!
//! `cargo run --example approval_spent_once`

use quorate::{
    AllowedOperation, Choice, Config, EntityId, OpenSession, Quorate, RegisterVoter, SessionVote,
    SpendSession, id,
};
use serde_json::{Value, json};

const VOTERS: [&str; 3] = ["ann", "bob", "cid"];

#[tokio::main]
async fn main() -> Result<(), quorate::Error> {
    let q = Quorate::open(Config::memory()).await?;
    let mut handles = Vec::new();
    for name in VOTERS {
        handles.push(q.voters().register(RegisterVoter::new(name)?).await?.handle.unwrap_or_default());
    }

    let payment = json!({ "to": "dan", "eur": 700 });
    let yes = decide(&q, &handles, &payment, Choice::For).await?;
    let no = decide(&q, &handles, &payment, Choice::Against).await?;

    let used = q.sessions().spend(use_of(&yes, "payment-1", &payment)?).await?;
    println!("use {} of {}: pay", used.number, used.uses);
    // The answer was lost, so the agent asks again: it is told the same, and the decision is not used twice.
    let again = q.sessions().spend(use_of(&yes, "payment-1", &payment)?).await?;
    println!(
        "asked again: the same token {}, duplicate {}",
        again.spend_token == used.spend_token,
        again.duplicate
    );

    let more = json!({ "to": "dan", "eur": 7000 });
    for (what, request) in [
        ("ten times the amount", use_of(&yes, "payment-2", &more)?),
        ("a second payment", use_of(&yes, "payment-2", &payment)?),
        ("what was refused", use_of(&no, "payment-3", &payment)?),
    ] {
        let refused = q.sessions().spend(request).await;
        println!("{what}: {}", refused.err().map_or("done", |error| error.kind().name()));
    }
    q.close().await
}

/// Asks the voters whether the payment may be made; all vote so.
async fn decide(
    q: &Quorate,
    handles: &[String],
    payment: &Value,
    vote: Choice,
) -> Result<EntityId, quorate::Error> {
    let operation = Some(AllowedOperation::once("bank.pay", payment.clone())?);
    let asked = OpenSession { operation, ..OpenSession::new("may it be paid?".into()) };
    let session = q.sessions().open(asked).await?.session_id;
    for (name, handle) in VOTERS.iter().zip(handles) {
        q.sessions().vote(SessionVote::new(&session, name, vote, handle)?).await?;
    }
    Ok(session)
}

fn use_of(session: &EntityId, key: &str, payment: &Value) -> Result<SpendSession, quorate::Error> {
    Ok(SpendSession {
        session_id: session.clone(),
        key: id("key", key)?,
        operation_hash: None,
        tool: Some(id("tool", "bank.pay")?),
        arguments: Some(payment.clone()),
        fence: None,
        by: None,
    })
}
