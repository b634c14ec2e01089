//! Senders and reader in tokio: waiting, timeouts, order, cancelling, closing, observers.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::*;
use crate::core::kernel::rng::Rng;
use crate::core::load::flow::{
    Carries, DropPolicy, DropReason, DropRun, FlowConfig, FlowController, FlowState, Lagged, Transition,
};

fn config(size: usize, policy: DropPolicy) -> FlowConfig {
    FlowConfig { max_buffer_size: size, drop_policy: policy, ..FlowConfig::default() }
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn filled(size: usize, policy: DropPolicy, count: u64) -> (FlowControlledSender<u64>, FlowReceiver<u64>) {
    let (sender, receiver) = channel(config(size, policy)).unwrap();
    for n in 0..count {
        sender.try_send(n).unwrap();
    }
    (sender, receiver)
}

#[tokio::test(start_paused = true)]
async fn a_send_waits_as_long_as_the_fill_demands() {
    for (fill, waits) in [(0, 0), (69, 0), (70, 0), (80, 250), (89, 475)] {
        let (sender, _receiver) = filled(100, DropPolicy::Block, fill);
        let started = Instant::now();
        sender.send(7).await.unwrap();
        assert_eq!(started.elapsed().as_millis() / 5, waits / 5, "{fill}");
        let stats = sender.stats();
        assert_eq!(stats.throttle_events, u64::from(fill >= 70), "{fill}");
        assert_eq!((stats.total_pause_time_ms, stats.pause_events), (0, 0));
        assert!(stats.total_throttle_time_ms.abs_diff(waits as u64) <= 2, "{stats:?}");
        assert_eq!(stats.buffer_size as u64, fill + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_paused_send_goes_on_after_one_pause() {
    let (sender, _receiver) = filled(100, DropPolicy::Block, 95);
    let started = Instant::now();
    sender.send(7).await.unwrap();
    assert!((50..=52).contains(&started.elapsed().as_millis()));
    let stats = sender.stats();
    assert_eq!((stats.pause_events, stats.throttle_events, stats.buffer_size), (1, 0, 96));
    assert!((50..=52).contains(&stats.total_pause_time_ms));
}

#[tokio::test(start_paused = true)]
async fn a_drain_below_the_resume_mark_ends_a_pause_early() {
    let (sender, mut receiver) = filled(100, DropPolicy::DropOldest, 95);
    let started = Instant::now();
    let waiting = tokio::spawn(async move { sender.send(7).await.map(|sent| sent.seq) });
    tokio::time::sleep(ms(10)).await;
    receiver.drain(25);
    tokio::time::sleep(ms(1)).await;
    assert!(!waiting.is_finished(), "70 of 100 is not below 0.7");
    receiver.drain(1);
    assert_eq!(waiting.await.unwrap().unwrap(), 95);
    assert!(started.elapsed() < ms(15), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn block_gives_the_message_back_after_its_timeout() {
    let (sender, _receiver) = filled(10, DropPolicy::Block, 10);
    let started = Instant::now();
    assert_eq!(sender.send(7).await.unwrap_err(), SendError::Timeout(7));
    assert!((5_000..=5_002).contains(&started.elapsed().as_millis()));
    let stats = sender.stats();
    assert_eq!((stats.timed_out, stats.messages_dropped, stats.pause_events), (1, 0, 1));
    assert!((5_000..=5_002).contains(&stats.total_pause_time_ms), "{stats:?}");
    assert_eq!(stats.flow_state, FlowState::Paused);
    assert!(stats.is_balanced() && sender.is_healthy());
}

#[tokio::test(start_paused = true)]
async fn without_a_block_timeout_a_send_waits_for_as_long_as_it_takes() {
    let unlimited = FlowConfig { block_timeout: None, ..config(10, DropPolicy::Block) };
    let (sender, mut receiver) = channel(unlimited).unwrap();
    for n in 0..10 {
        sender.try_send(n).unwrap();
    }
    let waiting = tokio::spawn(async move { sender.send(10).await.map(|_| ()) });
    tokio::time::sleep(Duration::from_secs(100_000)).await;
    assert!(!waiting.is_finished());
    assert_eq!(receiver.recv().await, Ok(0));
    waiting.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_senders_own_limit_ends_every_kind_of_wait() {
    for (fill, limit) in [(85, 100), (95, 20), (100, 30)] {
        let (sender, _receiver) = filled(100, DropPolicy::Block, fill);
        let started = Instant::now();
        assert_eq!(sender.send_timeout(7, ms(limit)).await.unwrap_err(), SendError::Timeout(7));
        assert!(started.elapsed().as_millis().abs_diff(u128::from(limit)) <= 2, "{fill}");
        assert!(sender.stats().is_balanced());
    }
    let (sender, _receiver) = filled(100, DropPolicy::Block, 95);
    sender.send_timeout(7, ms(60)).await.unwrap();
}

#[tokio::test]
async fn full_buffers_follow_their_policy() {
    let (sender, mut receiver) = filled(3, DropPolicy::DropOldest, 3);
    let sent = sender.send(3).await.unwrap();
    assert_eq!(sent.evicted.into_messages().collect::<Vec<_>>(), [(0, 0)]);
    assert_eq!(sender.stats().flow_state, FlowState::Dropping);
    assert_eq!(receiver.recv().await, Err(RecvError::Lagged(Lagged { count: 1, first_seq: 0, last_seq: 0 })));
    assert_eq!(receiver.recv().await, Ok(1));

    let (sender, mut receiver) = filled(3, DropPolicy::DropNewest, 3);
    assert_eq!(sender.send(3).await.unwrap_err(), SendError::Dropped(3));
    assert_eq!(receiver.drain(9).messages, [0, 1, 2]);

    let (sender, mut receiver) = filled(3, DropPolicy::DropAll, 3);
    assert_eq!(sender.send(3).await.unwrap().evicted.len(), 3);
    assert_eq!(receiver.drain(9).messages, [3]);

    let (sender, _receiver) = filled(3, DropPolicy::Block, 3);
    assert_eq!(sender.try_send(3).unwrap_err(), SendError::Full(3));
}

#[tokio::test(start_paused = true)]
async fn waiters_are_served_in_the_order_they_came_and_nobody_overtakes() {
    let (sender, mut receiver) = filled(1, DropPolicy::Block, 1);
    let waiting: Vec<_> = (1..=50)
        .map(|n| {
            let sender = sender.clone();
            tokio::spawn(async move { sender.send(n).await.unwrap().seq })
        })
        .collect();
    tokio::time::sleep(ms(1)).await;
    assert_eq!(sender.try_send(999).unwrap_err(), SendError::Full(999));
    let mut got = vec![];
    for _ in 0..51 {
        got.push(receiver.recv().await.unwrap());
    }
    assert_eq!(got, (0..=50).collect::<Vec<_>>());
    for task in waiting {
        task.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_send_that_is_dropped_leaves_nothing_and_passes_its_slot_on() {
    let (sender, mut receiver) = filled(1, DropPolicy::Block, 1);
    let spawn = |n: u64| {
        let sender = sender.clone();
        tokio::spawn(async move { sender.send(n).await.map(|_| ()) })
    };
    let (first, second) = (spawn(1), spawn(2));
    tokio::time::sleep(ms(1)).await;
    // The first is granted the slot and dropped before it runs again.
    assert_eq!(receiver.try_recv(), Ok(0));
    first.abort();
    second.await.unwrap().unwrap();
    assert_eq!(receiver.recv().await, Ok(2));
    let stats = sender.stats();
    assert_eq!((stats.cancelled, stats.buffer_size, stats.messages_sent), (1, 0, 2));
    assert!(stats.is_balanced());
    // A pause and a delay are left the same way.
    for fill in [85, 95] {
        let (sender, _receiver) = filled(100, DropPolicy::DropOldest, fill);
        assert!(timeout(ms(10), sender.send(7)).await.is_err());
        let stats = sender.stats();
        assert_eq!((stats.cancelled, stats.buffer_size as u64), (1, fill));
        let spent = stats.total_pause_time_ms + stats.total_throttle_time_ms;
        assert!((10..=12).contains(&spent), "{stats:?}");
        assert!(stats.is_balanced());
    }
}

#[tokio::test(start_paused = true)]
async fn closing_ends_every_wait_and_the_reader_gets_the_rest() {
    for fill in [85, 95, 100] {
        let (sender, mut receiver) = filled(100, DropPolicy::Block, fill);
        let other = sender.clone();
        let waiting = tokio::spawn(async move { other.send(7).await.map(|_| ()) });
        tokio::time::sleep(ms(5)).await;
        let started = Instant::now();
        sender.close();
        assert_eq!(waiting.await.unwrap().unwrap_err(), SendError::Closed(7));
        assert!(started.elapsed() < ms(1), "{fill}");
        assert_eq!(sender.try_send(8).unwrap_err(), SendError::Closed(8));
        assert_eq!(receiver.recv_many(1_000).await.messages.len() as u64, fill);
        assert_eq!(receiver.recv().await, Err(RecvError::Closed));
        assert!(receiver.recv_many(5).await.messages.is_empty());
        assert!(sender.stats().is_balanced());
    }
}

#[tokio::test]
async fn the_last_sender_and_the_reader_close_by_being_dropped() {
    let (sender, mut receiver) = filled(10, DropPolicy::Block, 1);
    let other = sender.clone();
    drop(sender);
    assert_eq!(receiver.recv().await, Ok(0));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    let waiting = tokio::spawn(async move { receiver.recv().await });
    tokio::task::yield_now().await;
    drop(other);
    assert_eq!(waiting.await.unwrap(), Err(RecvError::Closed));

    let (sender, receiver) = filled(10, DropPolicy::Block, 1);
    let permit = sender.reserve().await.unwrap();
    drop(receiver);
    assert_eq!(sender.send(1).await.unwrap_err(), SendError::Closed(1));
    assert_eq!(permit.send(2).unwrap_err(), SendError::Closed(2));
    // What was buffered is not lost: it can be taken back.
    assert_eq!(sender.drain(9).messages, [0]);
    assert!(sender.stats().is_balanced());
}

#[tokio::test(start_paused = true)]
async fn a_permit_holds_room_until_it_is_used_or_dropped() {
    let (sender, mut receiver) = filled(2, DropPolicy::DropOldest, 1);
    let permit = sender.reserve().await.unwrap();
    assert_eq!(sender.try_reserve().unwrap_err(), SendError::Full(()));
    // The room is taken: an offer makes the oldest give way, and never the room that is held.
    assert_eq!(sender.try_send(1).unwrap().evicted.len(), 1);
    assert_eq!(sender.buffer_size(), 1);
    permit.send(2).unwrap();
    assert_eq!(receiver.drain(9).messages, [1, 2]);

    let (sender, mut receiver) = filled(1, DropPolicy::DropAll, 1);
    let other = sender.clone();
    let waiting = tokio::spawn(async move { other.reserve().await.map(|permit| permit.send(5).is_ok()) });
    tokio::time::sleep(ms(1)).await;
    assert!(!waiting.is_finished(), "nothing is dropped for a permit");
    assert_eq!(receiver.recv().await, Ok(0));
    assert!(waiting.await.unwrap().unwrap());
    drop(receiver.drain(9));
    drop(sender.try_reserve().unwrap());
    drop(sender.try_reserve().unwrap());
    assert!(sender.stats().is_balanced());

    let (full, _receiver) = filled(1, DropPolicy::Block, 1);
    assert_eq!(full.reserve().await.unwrap_err(), SendError::Timeout(()));
}

#[tokio::test]
async fn bytes_are_reserved_ahead_and_measured_when_the_message_comes() {
    let limited = FlowConfig { max_buffer_bytes: Some(10), ..config(10, DropPolicy::Block) };
    let (sender, mut receiver) = FlowBuilder::new(limited).size_of(|m: &String| m.len()).channel().unwrap();
    let permit = sender.reserve_bytes(8).await.unwrap();
    assert_eq!(sender.try_send("abc".into()).unwrap_err(), SendError::Full("abc".into()));
    permit.send("abcdefgh".into()).unwrap();
    let permit = sender.reserve().await.unwrap();
    assert_eq!(permit.send("abc".into()).unwrap_err(), SendError::Full("abc".into()));
    assert_eq!(sender.reserve_bytes(11).await.unwrap_err(), SendError::TooLarge(()));
    let large = "x".repeat(11);
    assert_eq!(sender.send(large.clone()).await.unwrap_err(), SendError::TooLarge(large));
    assert_eq!(receiver.recv().await.unwrap(), "abcdefgh");
    assert!(sender.stats().is_balanced());
}

#[tokio::test(start_paused = true)]
async fn a_buffer_of_ones_own_waits_as_decided() {
    let flow = FlowController::new(config(100, DropPolicy::Block)).unwrap();
    let clock = TokioClock::default();
    assert_eq!(wait_if_needed(&flow, 10, &clock).await, Duration::ZERO);
    assert_eq!(wait_if_needed(&flow, 80, &clock).await, ms(250));
    assert_eq!(wait_if_needed(&flow, 90, &clock).await, ms(50));
    let stats = flow.stats(clock.now());
    assert_eq!((stats.throttle_events, stats.pause_events), (1, 1));
    assert!(stats.total_throttle_time_ms.abs_diff(250) <= 2 && stats.total_pause_time_ms.abs_diff(50) <= 2);
}

#[derive(Default)]
struct Heard {
    changes: Mutex<Vec<Transition>>,
    runs: Mutex<Vec<DropRun>>,
}

impl FlowObserver for Heard {
    fn transition(&self, change: &Transition) {
        self.changes.lock().unwrap().push(*change);
    }

    fn dropped(&self, run: &DropRun) {
        self.runs.lock().unwrap().push(*run);
    }
}

#[tokio::test]
async fn an_observer_hears_of_changes_and_runs_and_not_of_messages() {
    let heard = Arc::new(Heard::default());
    let sender =
        FlowBuilder::new(config(100, DropPolicy::DropOldest)).observer(heard.clone()).sender().unwrap();
    for n in 0..10_100u64 {
        sender.try_send(n).unwrap();
    }
    assert_eq!(heard.changes.lock().unwrap().len(), 3);
    assert!(heard.runs.lock().unwrap().is_empty(), "the run goes on");
    sender.close();
    let runs = heard.runs.lock().unwrap().clone();
    let [run] = runs.as_slice() else { panic!("{runs:?}") };
    assert_eq!((run.count, run.seqs, run.reason), (10_000, Some((0, 9_999)), DropReason::Oldest));
}

#[test]
fn an_observer_may_call_back_into_the_stream() {
    struct Curious(Mutex<Option<FlowControlledSender<u64>>>, AtomicUsize);
    impl FlowObserver for Curious {
        fn transition(&self, _: &Transition) {
            if let Some(sender) = &*self.0.lock().unwrap() {
                let _ = (sender.stats(), sender.drain(1));
            }
            self.1.fetch_add(1, Ordering::Relaxed);
        }
        fn dropped(&self, _: &DropRun) {}
    }
    let curious = Arc::new(Curious(Mutex::new(None), AtomicUsize::new(0)));
    let sender =
        FlowBuilder::new(config(10, DropPolicy::DropOldest)).observer(curious.clone()).sender().unwrap();
    *curious.0.lock().unwrap() = Some(sender.clone());
    for n in 0..100 {
        sender.try_send(n).unwrap();
    }
    assert!(curious.1.load(Ordering::Relaxed) > 3);
    *curious.0.lock().unwrap() = None;
}

#[test]
fn what_gives_way_is_destroyed_outside_of_the_lock() {
    struct Nosy(Option<FlowControlledSender<Nosy>>);
    impl Drop for Nosy {
        fn drop(&mut self) {
            if let Some(sender) = &self.0 {
                assert!(sender.stats().is_balanced());
            }
        }
    }
    let aging = FlowConfig { max_age: Some(ms(1)), ..config(2, DropPolicy::DropOldest) };
    let sender = FlowBuilder::new(aging).sender().unwrap();
    for _ in 0..10 {
        sender.try_send(Nosy(Some(sender.clone()))).unwrap();
    }
    std::thread::sleep(ms(3));
    drop(sender.drain(5));
    drop(sender.shed(5));
    assert_eq!(sender.buffer_size(), 0);
}

#[test]
fn votes_cannot_be_sent_over_a_stream_that_loses() {
    let votes = FlowConfig { carries: Carries::Votes, ..FlowConfig::default() };
    assert_eq!(FlowControlledSender::<u64>::new(votes.clone()).unwrap_err().field, "drop_policy");
    assert!(channel::<u64>(FlowConfig { drop_policy: DropPolicy::Block, ..votes }).is_ok());
}

#[test]
fn futures_are_send_and_messages_need_nothing() {
    struct Opaque(#[expect(dead_code, reason = "neither Clone nor Debug nor Sync")] std::cell::Cell<u8>);
    fn is_send<F: Send>(_: &F) {}
    let (sender, mut receiver) = channel::<Opaque>(config(10, DropPolicy::Block)).unwrap();
    is_send(&sender.send(Opaque(0.into())));
    is_send(&sender.reserve());
    is_send(&receiver.recv());
    is_send(&receiver.recv_many(1));
}

/// Many producers, random cancelling, a reader that drains in bursts: nothing is lost unseen, order holds per sender, and
/// the buffer never holds more than it may.
async fn storm(policy: DropPolicy, seed: u64, capacity: usize) {
    const PRODUCERS: u64 = 12;
    const EACH: u64 = 400;
    let quick = FlowConfig {
        pause_duration: ms(1),
        max_batch_delay: ms(2),
        block_timeout: Some(ms(20)),
        ..config(capacity, policy)
    };
    let (sender, mut receiver) = channel::<(u64, u64)>(quick).unwrap();
    let accepted = Arc::new(AtomicU64::new(0));
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|producer| {
            let (sender, accepted) = (sender.clone(), Arc::clone(&accepted));
            tokio::spawn(async move {
                let mut rng = Rng::new(seed * 1_000 + producer);
                for n in 0..EACH {
                    let message = (producer, n);
                    let done = match rng.next_u64() % 6 {
                        0 => sender.try_send(message).is_ok(),
                        1 => {
                            match timeout(Duration::from_micros(rng.next_u64() % 1_500), sender.send(message))
                                .await
                            {
                                Ok(sent) => sent.is_ok(),
                                Err(_) => false,
                            }
                        }
                        2 => sender.send_timeout(message, ms(rng.next_u64() % 4)).await.is_ok(),
                        3 => match timeout(Duration::from_micros(rng.next_u64() % 1_500), sender.reserve())
                            .await
                        {
                            Ok(Ok(permit)) => {
                                rng.next_u64().is_multiple_of(2) && permit.send(message).is_ok()
                            }
                            Ok(Err(_)) | Err(_) => false,
                        },
                        _ => sender.send(message).await.is_ok(),
                    };
                    accepted.fetch_add(u64::from(done), Ordering::Relaxed);
                    assert!(sender.buffer_size() <= capacity);
                    if n % 64 == 0 {
                        let stats = sender.stats();
                        assert!(stats.is_balanced() && stats.buffer_size <= capacity, "{stats:?}");
                    }
                }
            })
        })
        .collect();
    let reader = tokio::spawn(async move {
        let mut rng = Rng::new(seed);
        let mut last = [None::<u64>; PRODUCERS as usize];
        let (mut seen, mut missing) = (0u64, 0u64);
        loop {
            let drained = receiver.recv_many(1 + rng.next_u64() as usize % 40).await;
            if drained.messages.is_empty() && drained.lagged.is_empty() {
                return (seen, missing, receiver.stats());
            }
            missing += drained.lagged.iter().map(|gap| gap.count).sum::<u64>();
            for (producer, n) in drained.messages {
                let last = &mut last[producer as usize];
                assert!(last.is_none_or(|last| last < n), "out of order");
                *last = Some(n);
                seen += 1;
            }
            if rng.next_u64().is_multiple_of(4) {
                tokio::time::sleep(Duration::from_micros(rng.next_u64() % 2_000)).await;
            }
        }
    });
    for producer in producers {
        producer.await.unwrap();
    }
    let watch = sender.clone();
    drop(sender);
    watch.close();
    let (seen, missing, stats) =
        timeout(Duration::from_secs(30), reader).await.expect("reader hangs").unwrap();
    assert!(stats.is_balanced() && stats.buffer_size == 0, "{stats:?}");
    assert_eq!(stats.messages_sent, accepted.load(Ordering::Relaxed));
    assert_eq!((seen, missing), (stats.messages_delivered, stats.messages_evicted));
    // A slot that leaked would be missing now.
    assert_eq!(watch.shared.lock().buffer().held().messages, 0);
    assert_eq!(watch.shared.lock().waiting(), 0);
    if policy == DropPolicy::Block {
        assert_eq!((missing, stats.messages_dropped), (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_storm_of_producers_loses_a_message_unseen_or_leaks_a_slot() {
    for (round, policy) in
        [DropPolicy::Block, DropPolicy::DropOldest, DropPolicy::DropNewest, DropPolicy::DropAll]
            .into_iter()
            .enumerate()
    {
        for capacity in [1, 7, 50] {
            storm(policy, round as u64 * 10 + capacity as u64, capacity).await;
        }
    }
}
