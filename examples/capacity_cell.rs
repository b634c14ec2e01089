//! Three cells lend and borrow capacity; what a dead holder never gives back comes back by itself.
//!
//! `cargo run --example capacity_cell`

use std::time::Duration;

use quorate::ClockConfig;
use quorate::Timestamp;
use quorate::{CapacityRef, HeldToken, OfferCapacity, ReleaseCapacity, RequestCapacity, id};
use quorate::{Config, Error, Quorate};

async fn show(q: &Quorate, when: &str) -> Result<(), Error> {
    println!("{when}");
    for name in ["left", "right", "spare"] {
        let cell = CapacityRef { cell_id: id("cell_id", name)?, resource: None };
        let s = q.capacity().status(cell).await?;
        println!(
            "  {name:6} {:5}  available {:.1}  reserved {:.1}  lent {:.1}  may use {:.1}",
            s.state, s.capacity, s.reserved, s.lent, s.held
        );
    }
    Ok(())
}

fn request(cell: &str, amount: f64, name: &str) -> Result<RequestCapacity, Error> {
    // A name makes a repeat after a lost answer safe.
    Ok(RequestCapacity { need_id: Some(id("need_id", name)?), ..RequestCapacity::new(cell)?.of(amount) })
}

fn offer(from: &str, to: &str, amount: f64) -> Result<OfferCapacity, Error> {
    Ok(OfferCapacity {
        source_cell_id: id("source_cell_id", from)?,
        destination_cell_id: id("destination_cell_id", to)?,
        capacity: Some(amount),
        resource: None,
        offer_id: None,
        ttl_seconds: None,
    })
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    // Virtual time: a minute of lease passes at once.
    let q =
        Quorate::open(Config { clock: ClockConfig::Manual(Timestamp::EPOCH), ..Config::memory() }).await?;
    let capacity = q.capacity();

    // A cell has 1.0 of its own. What fits is granted at once, the rest waits in line.
    let own = capacity.request(request("left", 0.8, "batch")?).await?;
    let more = capacity.request(request("left", 0.7, "burst")?).await?;
    println!("batch: {} from {}; burst: {}", own.status, own.source.unwrap_or_default(), more.status);

    // Two neighbours offer; together they cover the need, and the surplus goes back at once.
    capacity.offer(offer("right", "left", 0.4)?).await?;
    show(&q, "after the first offer").await?;
    capacity.offer(offer("spare", "left", 0.5)?).await?;
    let burst = capacity.request(request("left", 0.7, "burst")?).await?;
    for token in &burst.tokens {
        println!("burst: {:.1} from {}", token.capacity, token.source);
        let held = HeldToken { token_id: token.token_id.clone(), cell_id: burst.cell_id.clone() };
        capacity.ack(held).await?;
    }
    show(&q, "after the second").await?;

    // The holder gives some of it back, oldest grant first, and is never heard of again.
    let some = ReleaseCapacity {
        cell_id: burst.cell_id,
        capacity: Some(1.0),
        token_id: None,
        resource: None,
        idempotency_key: None,
    };
    println!("released {:.1}", capacity.release(some).await?.capacity);
    show(&q, "after the release").await?;
    q.advance(Duration::from_secs(61)).await?;
    show(&q, "a minute later").await?;
    q.close().await
}
