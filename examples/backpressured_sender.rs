//! A fast sender, a slow reader, and what happens between them: first slower, then paused, then the oldest give way.
//!
//! `cargo run --no-default-features --features flow --example backpressured_sender`

use std::time::Duration;

use quorate::flow::{Carries, DROP_POLICIES, DropPolicy, FlowConfig};
use quorate::flow::{RecvError, SendError, channel};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    for policy in DROP_POLICIES {
        println!("{:12} {}", policy.name, policy.summary);
    }

    // The fill decides: from 70 % on a send waits longer and longer, from 90 % on it pauses.
    let config = FlowConfig { max_buffer_size: 10, ..FlowConfig::default() };
    let (sender, mut receiver) = channel(config)?;
    for reading in 0..10 {
        let verdict = sender.verdict();
        sender.send(reading).await?;
        println!("reading {reading}: {:?}, waited {:?}", verdict.state, verdict.delay);
    }

    // Full: the default policy lets the oldest give way and hands it back.
    let sent = sender.send(10).await?;
    for (seq, reading) in sent.evicted.into_messages() {
        println!("reading {reading} (number {seq}) gave way to reading 10");
    }
    let advice = sender.recommendation();
    println!(
        "advice: {:?} because of {:?}, {:.0} % lost",
        advice.action,
        advice.reason,
        advice.drop_rate * 100.0
    );

    // The reader is told what it missed, then reads on.
    match receiver.recv().await {
        Err(RecvError::Lagged(gap)) => println!("reader: {} missing, number {}", gap.count, gap.first_seq),
        other => println!("reader: {other:?}"),
    }
    println!("reader: {:?}", receiver.drain(100).messages);

    // A waiting sender goes on as soon as the reader made room.
    for reading in 11..20 {
        sender.try_send(reading)?;
    }
    let paused = tokio::spawn(async move { (sender.send(20).await.is_ok(), sender) });
    tokio::time::sleep(Duration::from_millis(5)).await;
    receiver.drain(5);
    let (was_sent, sender) = paused.await?;
    let stats = sender.stats();
    println!("sent after {} ms of pause: {was_sent}", stats.total_pause_time_ms);
    println!(
        "{} offered = {} delivered + {} buffered + {} evicted + {} returned",
        stats.messages_offered,
        stats.messages_delivered,
        stats.buffer_size,
        stats.messages_evicted,
        stats.messages_returned
    );

    // What may not be lost refuses policies that lose, and waits instead.
    let votes = FlowConfig { carries: Carries::Votes, max_buffer_size: 1, ..FlowConfig::default() };
    if let Err(error) = channel::<&str>(votes.clone()) {
        println!("refused: {error}");
    }
    let blocking = FlowConfig {
        drop_policy: DropPolicy::Block,
        block_timeout: Some(Duration::from_millis(20)),
        ..votes
    };
    let (sender, _receiver) = channel(blocking)?;
    sender.send("yes").await?;
    match sender.send("no").await {
        Err(SendError::Timeout(vote)) => println!("nobody reads: the vote {vote:?} came back"),
        other => println!("{:?}", other.map(|sent| sent.seq)),
    }
    Ok(())
}
