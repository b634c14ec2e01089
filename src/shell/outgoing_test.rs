//! A slow or dead destination beside others, order, what is given up, and tasks that end.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use super::*;
use crate::core::jobs::protocol::message::{AckOutcome, Body, JobCancelRequest, ReportAck};
use crate::core::jobs::protocol::token::{FenceToken, GateEpoch};
use crate::core::kernel::ids::EntityId;
use crate::shell::clock::Clock;

fn id(name: &str) -> EntityId {
    EntityId::new(name).unwrap()
}

fn worker(name: &str) -> Party {
    Party::Worker(id(name))
}

fn mailbox() -> Mailbox {
    Mailbox::new(Arc::new(Clock::manual(crate::core::kernel::time::Timestamp::EPOCH)))
}

/// A message that may give way.
fn plain(to: &str, number: u64) -> Message {
    let outcome = AckOutcome::Accepted;
    let body = Body::ReportAck(ReportAck { outcome, fence_token: FenceToken::NONE, leader_addr: None });
    let (job_id, datacenter) = (id("j"), id("east"));
    Message { job_id, datacenter, from: worker("me"), to: worker(to), number, body, signal: None }
}

/// One that never does.
fn critical(to: &str, number: u64) -> Message {
    let fence_token = FenceToken::NONE;
    let cancel = JobCancelRequest {
        requester_id: "me".into(),
        reason: String::new(),
        fence_token,
        run: GateEpoch::NONE,
    };
    Message { body: Body::JobCancelRequest(cancel), ..plain(to, number) }
}

/// Notes what it carried, and takes its time for some destinations.
#[derive(Default)]
struct Noted {
    carried: Mutex<Vec<(String, u64)>>,
    /// Destinations that wait for a permit.
    slow: BTreeSet<Party>,
    /// Destinations that panic …
    panic: BTreeSet<Party>,
    /// … and that say no.
    fail: BTreeSet<Party>,
    permits: Option<Semaphore>,
    /// Carried at this moment.
    at_once: AtomicUsize,
}

impl Noted {
    fn slow(destination: &str) -> Arc<Self> {
        let slow = BTreeSet::from([worker(destination)]);
        Arc::new(Noted { slow, permits: Some(Semaphore::new(0)), ..Noted::default() })
    }

    fn release(&self, messages: usize) {
        self.permits.as_ref().unwrap().add_permits(messages);
    }

    fn to(&self, destination: &str) -> Vec<u64> {
        let carried = lock(&self.carried);
        carried.iter().filter(|(to, _)| to == destination).map(|(_, number)| *number).collect()
    }
}

struct AtOnce<'a>(&'a AtomicUsize);

impl Drop for AtOnce<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Wire for Noted {
    type Error = String;

    async fn carry(&self, message: Message) -> Result<(), String> {
        self.at_once.fetch_add(1, Ordering::SeqCst);
        let _at_once = AtOnce(&self.at_once);
        assert!(!self.panic.contains(&message.to), "a wire that panics");
        if self.fail.contains(&message.to) {
            return Err("no".into());
        }
        if self.slow.contains(&message.to)
            && let Some(permits) = &self.permits
        {
            permits.acquire().await.map_err(|e| e.to_string())?.forget();
        }
        let Party::Worker(to) = &message.to else { return Err("not to a worker".into()) };
        lock(&self.carried).push((to.to_string(), message.number));
        Ok(())
    }
}

fn over(wire: &Arc<Noted>, queues: OutgoingConfig) -> PerDestination<Arc<Noted>> {
    let config = WireConfig { queues, ..WireConfig::default() };
    PerDestination::new(config, wire.clone(), Handle::current()).unwrap()
}

fn small() -> OutgoingConfig {
    OutgoingConfig { max_primary: 2, max_overflow: 2, ..OutgoingConfig::default() }
}

/// Gives way to tasks until this is so. With tokio's time paused no time passes meanwhile.
async fn until(what: impl Fn() -> bool) {
    for _ in 0..1_000_000 {
        if what() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it never was");
}

fn of<W: Wire>(transport: &PerDestination<W>, name: &str) -> DestinationStatus {
    transport.status().into_iter().find(|status| status.to == worker(name)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_hangs_delays_no_other_and_is_carried_in_order_when_it_goes_on() {
    let wire = Noted::slow("slow");
    let transport = over(&wire, OutgoingConfig::default());
    for number in 0..100 {
        transport.send(plain("slow", number), &mailbox());
        transport.send(plain("fast", number), &mailbox());
    }
    until(|| wire.to("fast").len() == 100).await;
    assert!(wire.to("slow").is_empty());
    let slow = of(&transport, "slow");
    assert_eq!((slow.carrying, slow.carried, slow.queue.counts.queued), (true, 0, 99));
    assert!(!of(&transport, "fast").carrying);
    wire.release(100);
    until(|| of(&transport, "slow").carried == 100).await;
    assert!(wire.to("slow").into_iter().eq(0..100) && wire.to("fast").into_iter().eq(0..100));
    assert!(transport.stats().counts.is_balanced());
}

#[tokio::test(start_paused = true)]
async fn one_message_of_a_destination_is_carried_at_a_time() {
    let wire = Noted::slow("slow");
    let transport = over(&wire, OutgoingConfig::default());
    for number in 0..10 {
        transport.send(plain("slow", number), &mailbox());
        tokio::task::yield_now().await;
        assert!(wire.at_once.load(Ordering::SeqCst) <= 1);
    }
    for number in 0..10 {
        wire.release(1);
        until(|| wire.to("slow").len() == number + 1).await;
        assert!(wire.at_once.load(Ordering::SeqCst) <= 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_drops_what_is_not_critical_and_counts_it() {
    let wire = Noted::slow("slow");
    let transport = over(&wire, small());
    transport.send(plain("slow", 0), &mailbox());
    until(|| of(&transport, "slow").carrying).await;
    for number in 1..=6 {
        transport.send(plain("slow", number), &mailbox());
    }
    for number in 7..=12 {
        transport.send(critical("slow", number), &mailbox());
    }
    let slow = of(&transport, "slow");
    assert_eq!((slow.queue.state, slow.queue.suggested_delay_ms), (OutgoingState::Saturated, 500));
    let counts = slow.queue.counts;
    assert_eq!((counts.offered, counts.queued, counts.dropped, counts.refused), (13, 4, 6, 2));
    wire.release(99);
    until(|| of(&transport, "slow").queue.counts.queued == 0).await;
    until(|| !of(&transport, "slow").carrying).await;
    assert_eq!(wire.to("slow"), [0, 7, 8, 9, 10]);
    assert_eq!(of(&transport, "slow").queue.state, OutgoingState::Healthy);
}

#[tokio::test(start_paused = true)]
async fn a_worse_state_is_told_once_and_is_over_when_nothing_is_queued() {
    let wire = Noted::slow("slow");
    let transport = over(&wire, small());
    let put = |number| lock(&transport.shared.lines).put(&worker("slow"), plain("slow", number)).worse;
    let worse: Vec<_> = (0..6).map(|number| put(number).map(|(from, to)| (from, to.state))).collect();
    let (overflow, saturated) = (OutgoingState::Overflow, OutgoingState::Saturated);
    let told =
        [None, Some((OutgoingState::Healthy, overflow)), None, Some((overflow, saturated)), None, None];
    assert_eq!(worse, told);
    let still = || lock(&transport.shared.lines).notes[&worker("slow")].told;
    for queued in (0..4).rev() {
        assert!(transport.shared.next(&worker("slow")).is_some());
        assert_eq!(still(), if queued > 0 { saturated } else { OutgoingState::Healthy });
    }
    assert_eq!(put(9), None);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_hangs_is_given_up_when_its_time_is_over_and_the_next_is_carried() {
    let wire = Noted::slow("slow");
    let transport = over(&wire, OutgoingConfig::default());
    transport.send(plain("slow", 0), &mailbox());
    transport.send(plain("slow", 1), &mailbox());
    until(|| of(&transport, "slow").carrying).await;
    tokio::time::sleep(Duration::from_millis(29_999)).await;
    assert_eq!(of(&transport, "slow").failed, 0);
    tokio::time::sleep(Duration::from_millis(2)).await;
    assert_eq!((of(&transport, "slow").failed, of(&transport, "slow").carrying), (1, true));
    wire.release(1);
    until(|| wire.to("slow") == [1]).await;
}

#[tokio::test(start_paused = true)]
async fn a_wire_that_fails_or_panics_loses_the_message_and_goes_on() {
    let wire = Arc::new(Noted {
        panic: BTreeSet::from([worker("panics")]),
        fail: BTreeSet::from([worker("fails")]),
        ..Noted::default()
    });
    let transport = over(&wire, OutgoingConfig::default());
    for number in 0..3 {
        for to in ["panics", "fails", "works"] {
            transport.send(critical(to, number), &mailbox());
        }
    }
    until(|| transport.status().iter().all(|status| status.carried + status.failed == 3)).await;
    assert_eq!(wire.to("works"), [0, 1, 2]);
    assert_eq!((of(&transport, "panics").failed, of(&transport, "fails").failed), (3, 3));
    assert_eq!(wire.at_once.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn tasks_end_with_the_transport_and_nothing_is_left_of_it() {
    let wire = Noted::slow("slow");
    let transport = over(&wire, OutgoingConfig::default());
    for number in 0..5 {
        transport.send(plain("slow", number), &mailbox());
    }
    until(|| wire.at_once.load(Ordering::SeqCst) == 1).await;
    drop(transport);
    until(|| wire.at_once.load(Ordering::SeqCst) == 0 && Arc::strong_count(&wire) == 1).await;
    wire.release(5);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(wire.to("slow").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_destination_whose_message_is_on_its_way_is_not_forgotten_for_another() {
    let wire = Noted::slow("slow");
    let transport = over(&wire, OutgoingConfig { max_destinations: 2, ..OutgoingConfig::default() });
    transport.send(plain("slow", 0), &mailbox());
    until(|| of(&transport, "slow").carrying).await;
    for (number, to) in [(1, "a"), (2, "b"), (3, "c")] {
        transport.send(plain(to, number), &mailbox());
        until(|| wire.to(to) == [number] && !of(&transport, to).carrying).await;
        assert_eq!(transport.status().len(), 2);
    }
    assert_eq!(transport.stats().forgotten, 2);
    assert_eq!(lock(&transport.shared.lines).notes.len(), 2);
    assert!(lock(&transport.tasks).len() <= 3);
    wire.release(1);
    until(|| wire.to("slow") == [0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_senders_to_many_destinations_lose_nothing_and_keep_their_order() {
    let wire = Arc::new(Noted::default());
    let transport =
        Arc::new(over(&wire, OutgoingConfig { max_primary: 100_000, ..OutgoingConfig::default() }));
    let senders: Vec<_> = (0..8u64)
        .map(|sender| {
            let transport = transport.clone();
            tokio::spawn(async move {
                for number in 0..500 {
                    transport.send(plain(&format!("w{}", number % 5), sender * 1_000 + number), &mailbox());
                    if number % 7 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
    while transport.status().iter().map(|status| status.carried).sum::<u64>() < 4_000 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for destination in 0..5 {
        let got = wire.to(&format!("w{destination}"));
        for sender in 0..8 {
            let of_sender: Vec<u64> = got.iter().copied().filter(|number| number / 1_000 == sender).collect();
            assert_eq!(of_sender.len(), 100);
            assert!(of_sender.is_sorted());
        }
    }
    let counts = transport.stats().counts;
    assert_eq!((counts.offered, counts.taken, counts.dropped, counts.refused), (4_000, 4_000, 0, 0));
}

#[tokio::test]
async fn knobs_that_do_not_fit_are_refused_by_name() {
    let refused = |config| {
        PerDestination::new(config, Arc::new(Noted::default()), Handle::current()).unwrap_err().field
    };
    for bad in [Duration::ZERO, Duration::from_secs(86_401)] {
        assert_eq!(refused(WireConfig { carry_timeout: bad, ..WireConfig::default() }), "carry_timeout");
    }
    let queues = OutgoingConfig { max_overflow: 0, ..OutgoingConfig::default() };
    assert_eq!(refused(WireConfig { queues, ..WireConfig::default() }), "max_overflow");
}
