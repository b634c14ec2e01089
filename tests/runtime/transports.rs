//! Jobs over a transport with a queue for each destination, whose wire is in memory.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use quorate::{Config, Quorate};
use quorate_core::jobs::protocol::message::{FinalStatus, Message, Party};
use quorate_core::kernel::ids::EntityId;
use quorate_core::load::flow::OutgoingConfig;
use quorate_runtime::api::Mailbox;
use quorate_runtime::api::dto::{CompleteJob, JobRef, SubmitJob};
use quorate_runtime::shell::outgoing::{DestinationStatus, PerDestination, Wire, WireConfig};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

fn id(name: &str) -> EntityId {
    EntityId::new(name).unwrap()
}

/// Hands everything to the mailbox of the same process; what is for the west waits until it may pass.
struct Memory {
    mailbox: OnceLock<Mailbox>,
    west: Semaphore,
}

impl Wire for Memory {
    type Error = &'static str;

    async fn carry(&self, message: Message) -> Result<(), &'static str> {
        if is_west(&message.to) {
            self.west.acquire().await.map_err(|_| "closed")?.forget();
        }
        let mailbox = self.mailbox.get().ok_or("nobody is there yet")?;
        mailbox.arrive(message, Duration::ZERO);
        Ok(())
    }
}

fn is_west(party: &Party) -> bool {
    matches!(party, Party::Manager { datacenter, .. } if datacenter.as_str() == "west")
}

async fn over(wire: &Arc<Memory>, queues: OutgoingConfig) -> (Quorate, Arc<PerDestination<Arc<Memory>>>) {
    let config = WireConfig { queues, ..WireConfig::default() };
    let transport = Arc::new(PerDestination::new(config, wire.clone(), Handle::current()).unwrap());
    let q = Quorate::open(Config { transport: Some(transport.clone()), ..Config::memory() }).await.unwrap();
    assert!(wire.mailbox.set(q.mailbox()).is_ok());
    (q, transport)
}

fn memory() -> Arc<Memory> {
    Arc::new(Memory { mailbox: OnceLock::new(), west: Semaphore::new(0) })
}

/// The status of a job in a datacenter; `unknown` while there is none.
async fn status(q: &Quorate, job: &str, datacenter: &str) -> String {
    let known = q.jobs().status(JobRef { job_id: id(job), datacenter: Some(id(datacenter)) }).await;
    known.map_or("unknown".into(), |known| known.status)
}

/// How a job ended everywhere.
async fn ended(q: &Quorate, job: &str) -> Option<FinalStatus> {
    let gate = q.jobs().gate_status(JobRef { job_id: id(job), datacenter: None }).await.unwrap();
    gate.final_status
}

async fn until(what: impl AsyncFn() -> bool) {
    for _ in 0..4_000 {
        if what().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it never was");
}

async fn complete(q: &Quorate, job: &str, datacenter: &str) {
    let (status, reason, fence_token) = (None, String::new(), None);
    let datacenter = Some(id(datacenter));
    let complete = CompleteJob { job_id: id(job), datacenter, status, reason, fence_token };
    q.jobs().complete(complete).await.unwrap();
}

async fn submit(q: &Quorate, job: &str) {
    let target_datacenters = vec![id("east"), id("west")];
    let submit = SubmitJob { job_id: Some(id(job)), target_datacenters, ..SubmitJob::default() };
    q.jobs().submit(submit).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_datacenter_that_is_slow_to_reach_holds_up_no_other_and_the_job_ends_properly() {
    let wire = memory();
    let (q, transport) = over(&wire, OutgoingConfig::default()).await;
    submit(&q, "j").await;
    // The dispatch to the west hangs on the wire. The east has its own, completes, and its report reaches the gate.
    until(async || status(&q, "j", "east").await == "submitted").await;
    complete(&q, "j", "east").await;
    until(async || status(&q, "j", "east").await == "completed").await;
    let hangs = |destination: &DestinationStatus| {
        is_west(&destination.to) && (destination.carrying, destination.carried) == (true, 0)
    };
    until(async || transport.status().iter().any(hangs)).await;
    assert_eq!(status(&q, "j", "west").await, "unknown");
    wire.west.add_permits(1_000);
    until(async || status(&q, "j", "west").await == "submitted").await;
    complete(&q, "j", "west").await;
    until(async || ended(&q, "j").await == Some(FinalStatus::Completed)).await;
    let counts = transport.stats().counts;
    assert!(counts.is_balanced() && (counts.dropped, counts.refused) == (0, 0), "{counts:?}");
    q.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_finds_no_room_only_costs_time_since_it_is_sent_again() {
    let wire = memory();
    let queues = OutgoingConfig { max_primary: 1, max_overflow: 1, ..OutgoingConfig::default() };
    let (q, transport) = over(&wire, queues).await;
    let jobs = ["a", "b", "c", "d"];
    for job in jobs {
        submit(&q, job).await;
    }
    // One dispatch hangs on the wire, two are queued behind it, and the fourth finds no room.
    until(async || transport.stats().counts.refused > 0).await;
    wire.west.add_permits(1_000);
    for job in jobs {
        for datacenter in ["east", "west"] {
            until(async || status(&q, job, datacenter).await == "submitted").await;
            complete(&q, job, datacenter).await;
        }
        until(async || ended(&q, job).await == Some(FinalStatus::Completed)).await;
    }
    assert!(transport.stats().counts.is_balanced());
    q.close().await.unwrap();
}
