//! Flow-controlled streams in a running runtime: waiting, restarts, what is accounted for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quorate::{Config, EntityId, ErrorKind, Quorate};
use quorate_core::load::flow::{Carries, DropPolicy, FlowConfig};
use quorate_runtime::api::dto::{ConfigureFlow, DrainFlow, FlowStatus, HistoryQuery, OfferMessage, OpenFlow};
use serde_json::json;

use crate::manual;

fn id(name: &str) -> EntityId {
    EntityId::new(name).unwrap()
}

fn block(max_buffer_size: usize) -> FlowConfig {
    FlowConfig { max_buffer_size, drop_policy: DropPolicy::Block, ..FlowConfig::default() }
}

async fn drain(q: &Quorate, name: &str, count: i64) -> Vec<u64> {
    let page = q.flows().drain(DrainFlow { flow_id: id(name), count: Some(count) }).await.unwrap();
    page.messages.iter().map(|message| message.seq).collect()
}

fn is_balanced(status: &FlowStatus) -> bool {
    let f = &status.figures;
    f.messages_offered == f.messages_delivered + f.buffer_size + f.messages_evicted + f.messages_returned
}

#[tokio::test]
async fn ten_thousand_offers_are_all_accounted_for() {
    let q = Quorate::open(manual()).await.unwrap();
    for policy in [DropPolicy::DropOldest, DropPolicy::DropNewest, DropPolicy::Block, DropPolicy::DropAll] {
        let name = policy.name();
        let config = FlowConfig { max_buffer_size: 100, drop_policy: policy, ..FlowConfig::default() };
        q.flows().open(OpenFlow::new(name, config).unwrap()).await.unwrap();
        let (mut accepted, mut returned, mut read) = (0, 0, 0);
        for n in 0..10_000 {
            let offered = q.flows().offer(OfferMessage::new(name, n).unwrap()).await.unwrap();
            match offered.message {
                None => accepted += 1,
                Some(message) => {
                    assert_eq!(message, json!(n), "what comes back is what was offered");
                    returned += 1;
                }
            }
            if n % 1_000 == 999 {
                read += drain(&q, name, 50).await.len() as u64;
            }
        }
        let status = q.flows().status(&id(name)).await.unwrap();
        let f = &status.figures;
        assert!(is_balanced(&status), "{name}: {f:?}");
        assert_eq!((f.messages_sent, f.messages_returned, f.messages_delivered), (accepted, returned, read));
        assert_eq!(accepted + returned, 10_000);
        assert_eq!(f.messages_dropped > 0, policy.is_lossy(), "{name}");
        let query = HistoryQuery { entity_id: Some(id(name)), limit: Some(1_000), ..HistoryQuery::default() };
        let records = q.history().query(query).await.unwrap().events.len();
        assert!(records < 150, "{name}: {records} records for 10,000 messages");
    }
    q.close().await.unwrap();
}

#[tokio::test]
async fn an_offer_that_waits_is_let_in_by_a_drain_and_comes_back_when_its_time_is_over() {
    let q = Quorate::open(Config::memory()).await.unwrap();
    q.flows().open(OpenFlow::new("f", block(1)).unwrap()).await.unwrap();
    q.flows().offer(OfferMessage::new("f", "first").unwrap()).await.unwrap();
    let waits =
        |message: &str, ms| OfferMessage { wait_ms: Some(ms), ..OfferMessage::new("f", message).unwrap() };

    let late = q.flows().offer(waits("late", 20)).await.unwrap();
    assert_eq!(
        (late.accepted, late.reason.as_deref(), late.message),
        (false, Some("timeout"), Some(json!("late")))
    );

    let sender = q.clone();
    let patient = waits("patient", 60_000);
    let waiting = tokio::spawn(async move { sender.flows().offer(patient).await.unwrap() });
    while q.flows().status(&id("f")).await.unwrap().waiting == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Whoever comes later and does not wait does not overtake.
    assert_eq!(drain(&q, "f", 1).await, [0]);
    assert!(waiting.await.unwrap().accepted);
    assert_eq!(drain(&q, "f", 9).await, [1]);

    let status = q.flows().status(&id("f")).await.unwrap();
    assert_eq!((status.figures.timed_out, status.figures.messages_dropped), (1, 0));
    assert!(is_balanced(&status) && status.figures.total_pause_time_ms >= 20);
    q.close().await.unwrap();
}

#[tokio::test]
async fn an_offer_that_is_given_up_leaves_its_place_and_closing_ends_the_wait() {
    let q = Quorate::open(Config::memory()).await.unwrap();
    q.flows().open(OpenFlow::new("f", block(1)).unwrap()).await.unwrap();
    q.flows().offer(OfferMessage::new("f", 0).unwrap()).await.unwrap();
    let waits = OfferMessage { wait_ms: Some(60_000), ..OfferMessage::new("f", 1).unwrap() };
    let start = |waits: OfferMessage| {
        let q = q.clone();
        tokio::spawn(async move { q.flows().offer(waits).await.unwrap() })
    };
    let until_waiting = async |n: u64| {
        while q.flows().status(&id("f")).await.unwrap().waiting != n {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let given_up = start(waits.clone());
    until_waiting(1).await;
    given_up.abort();
    until_waiting(0).await;
    let closed = start(waits);
    until_waiting(1).await;
    q.flows().close(&id("f")).await.unwrap();
    assert_eq!(closed.await.unwrap().reason.as_deref(), Some("closed"));
    let status = q.flows().status(&id("f")).await.unwrap();
    assert_eq!((status.figures.cancelled, status.figures.refused_closed, status.can_send), (1, 1, false));
    assert!(is_balanced(&status));
    assert_eq!(drain(&q, "f", 9).await, [0]);
    q.close().await.unwrap();
}

/// The timer of one that waits is the runtime's own. One of its caller's would panic in it when the caller's ends.
#[tokio::test]
async fn a_sender_that_waits_may_end_with_the_runtime_of_its_caller() {
    static PANICS: AtomicU64 = AtomicU64::new(0);
    let q = Quorate::open(Config::memory()).await.unwrap();
    q.flows().open(OpenFlow::new("f", block(1)).unwrap()).await.unwrap();
    q.flows().offer(OfferMessage::new("f", 0).unwrap()).await.unwrap();
    let callers = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let sender = q.clone();
    let waits = OfferMessage { wait_ms: Some(60_000), ..OfferMessage::new("f", 1).unwrap() };
    callers.spawn(async move { sender.flows().offer(waits).await });
    while q.flows().status(&id("f")).await.unwrap().waiting != 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.to_string().contains("being shutdown") {
            PANICS.fetch_add(1, Ordering::Relaxed);
        }
        before(panic);
    }));
    callers.shutdown_background();
    while q.flows().status(&id("f")).await.unwrap().waiting != 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    q.close().await.unwrap();
    assert_eq!(PANICS.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_throttled_offer_that_waits_is_delayed_and_let_in() {
    let q = Quorate::open(Config::memory()).await.unwrap();
    let config = FlowConfig {
        min_batch_delay: Duration::from_millis(30),
        max_batch_delay: Duration::from_millis(30),
        ..FlowConfig::default()
    };
    q.flows().open(OpenFlow::new("f", config).unwrap()).await.unwrap();
    let waits = |ms| OfferMessage { wait_ms: Some(ms), ..OfferMessage::new("f", 1).unwrap() };
    let short = q.flows().offer(waits(10)).await.unwrap();
    assert_eq!((short.accepted, short.reason.as_deref()), (false, Some("timeout")), "its delay is longer");
    assert!(q.flows().offer(waits(10_000)).await.unwrap().accepted);
    let figures = q.flows().status(&id("f")).await.unwrap().figures;
    assert_eq!((figures.messages_sent, figures.total_throttle_time_ms), (1, 30));
    q.close().await.unwrap();
}

#[cfg(feature = "store-sled")]
#[tokio::test]
async fn a_stream_comes_back_after_an_orderly_close_with_exact_totals() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("data");
    let votes = FlowConfig { carries: Carries::Votes, ..block(10) };
    let q = Quorate::open(Config::at(&path)).await.unwrap();
    q.flows().open(OpenFlow::new("f", votes.clone()).unwrap()).await.unwrap();
    for n in 0..5 {
        q.flows().offer(OfferMessage::new("f", n).unwrap()).await.unwrap();
    }
    assert_eq!(drain(&q, "f", 2).await, [0, 1]);
    q.close().await.unwrap();

    let q = Quorate::open(Config::at(&path)).await.unwrap();
    let status = q.flows().status(&id("f")).await.unwrap();
    assert_eq!((status.config == votes, status.life, status.closed), (true, 1, false));
    let f = &status.figures;
    assert_eq!((f.messages_sent, f.messages_delivered, f.lost_in_restart, f.buffer_size), (5, 2, 3, 0));
    assert!(is_balanced(&status));
    let again = q.flows().open(OpenFlow::new("f", votes).unwrap()).await.unwrap();
    assert_eq!((again.changed, again.life), (false, 1));
    q.close().await.unwrap();
}

#[tokio::test]
async fn streams_and_messages_are_bounded() {
    let mut config = Config::memory();
    config.flow.max_open = 1;
    config.flow.max_message_bytes = 10;
    config.flow.max_buffer_size = 50;
    let q = Quorate::open(config).await.unwrap();
    let open = async |name: &str, size| q.flows().open(OpenFlow::new(name, block(size)).unwrap()).await;
    assert_eq!(open("a", 51).await.unwrap_err().detail("field"), Some(&json!("config.max_buffer_size")));
    open("a", 50).await.unwrap();
    open("a", 50).await.unwrap();
    assert_eq!(open("b", 1).await.unwrap_err().kind(), ErrorKind::LimitExceeded);
    let refused = q.flows().offer(OfferMessage::new("a", "123456789").unwrap()).await.unwrap_err();
    assert_eq!(refused.detail("field"), Some(&json!("message")));
    assert!(q.flows().offer(OfferMessage::new("a", "12345678").unwrap()).await.unwrap().accepted);
    let larger = ConfigureFlow {
        flow_id: id("a"),
        config: json!({ "max_buffer_size": 51 }).as_object().unwrap().clone(),
    };
    assert_eq!(q.flows().configure(larger).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    q.close().await.unwrap();
}

#[tokio::test]
async fn a_stream_holds_no_more_bytes_than_the_process_allows_one() {
    let mut config = manual();
    config.flow.max_message_bytes = 1_000;
    config.flow.max_stream_bytes = 4_000;
    let q = Quorate::open(config).await.unwrap();
    let open = FlowConfig { max_buffer_size: 1_000_000, ..FlowConfig::default() };
    q.flows().open(OpenFlow::new("readings", open).unwrap()).await.unwrap();
    let text = "x".repeat(898);
    for n in 0..100u64 {
        let offered = q.flows().offer(OfferMessage::new("readings", text.as_str()).unwrap()).await.unwrap();
        // The policy of the stream acts: the oldest give way.
        assert_eq!((offered.accepted, offered.buffer_size), (true, (n + 1).min(4)));
    }
    let status = q.flows().status(&"readings".parse().unwrap()).await.unwrap();
    assert_eq!((status.figures.buffer_bytes, status.figures.max_buffer_bytes), (3_600, 4_000));
    assert_eq!((status.figures.evicted_oldest, status.config.max_buffer_bytes), (96, None));
    let large = FlowConfig { max_buffer_bytes: Some(4_001), ..FlowConfig::default() };
    let refused = q.flows().open(OpenFlow::new("large", large).unwrap()).await.unwrap_err();
    assert_eq!(refused.detail("field").unwrap(), "config.max_buffer_bytes");
    q.close().await.unwrap();
}

#[tokio::test]
async fn all_streams_together_take_no_more_memory_than_they_may() {
    let mut config = manual();
    config.flow.max_message_bytes = 10_000;
    config.flow.max_total_bytes = 50_000;
    let q = Quorate::open(config).await.unwrap();
    let (mut accepted, mut refused) = (0, 0);
    let text = "x".repeat(5_000);
    for n in 0..30 {
        let name = format!("s{}", n % 10);
        q.flows().open(OpenFlow::new(&name, FlowConfig::default()).unwrap()).await.unwrap();
        let offered = q.flows().offer(OfferMessage::new(&name, text.as_str()).unwrap()).await.unwrap();
        if offered.accepted {
            accepted += 1;
        } else {
            // It is told, has its message back, and may come again.
            assert_eq!(offered.reason.as_deref(), Some("memory_full"));
            assert!(offered.message.is_some() && offered.retry_after_ms.is_some_and(|ms| ms >= 500));
            refused += 1;
        }
        assert!(q.flows().overview().memory_bytes <= 50_000);
    }
    assert_eq!((accepted, refused), (9, 21));
    let page = q.flows().drain(DrainFlow { flow_id: "s0".parse().unwrap(), count: None }).await.unwrap();
    assert_eq!(page.messages.len(), 1);
    assert!(q.flows().offer(OfferMessage::new("s1", text.as_str()).unwrap()).await.unwrap().accepted);
    for n in 0..10 {
        let flow_id = format!("s{n}").parse().unwrap();
        q.flows().drain(DrainFlow { flow_id, count: None }).await.unwrap();
    }
    assert_eq!(q.flows().overview().memory_bytes, 0);
    q.close().await.unwrap();
}
