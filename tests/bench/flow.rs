//! What flow control costs: a state check, a delay, a message through the buffer, alone and beside tokio's and flume's
//! bounded channels in the same run; a queue for each destination; memory of an idle stream; and the slowest of a hundred under eight producers.
//!
//! ```text
//! cargo bench --no-default-features --features flow --bench flow
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use quorate_core::kernel::time::Timestamp;
use quorate_core::load::flow::{
    DropPolicy, FlowBuffer, FlowConfig, FlowController, Outgoing, OutgoingConfig,
};
use quorate_runtime::flow::{FlowControlledSender, FlowReceiver, channel};
use tokio::runtime::{Builder, Runtime};

/// Counts what is allocated at the moment.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn clock() -> Instant {
    Instant::now()
}

/// Nanoseconds of one, the median of 15 rounds.
fn ns(count: u64, mut round: impl FnMut(u64)) -> f64 {
    round(count / 10);
    let mut rounds: Vec<f64> = (0..15)
        .map(|_| {
            let start = clock();
            round(count);
            start.elapsed().as_nanos() as f64 / count as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[7]
}

fn line(what: &str, figure: f64, aim: &str) {
    println!("{what:<58} {figure:>9.1} ns   {aim}");
}

/// Never throttles or pauses before it is full and waits without limit, as the channels it is compared with.
fn plain(size: usize) -> FlowConfig {
    let config = FlowConfig {
        max_buffer_size: size,
        drop_policy: DropPolicy::Block,
        block_timeout: None,
        ..FlowConfig::default()
    };
    config.with_thresholds(1.0, 1.0).unwrap()
}

fn decisions() {
    let flow = FlowController::new(FlowConfig::default()).unwrap();
    let now = Timestamp::EPOCH;
    for _ in 0..100_000 {
        flow.record_sent(now);
    }
    let sizes = |n: u64| black_box((n & 1023) as usize);
    line(
        "state check",
        ns(4_000_000, |count| (0..count).for_each(|n| _ = black_box(flow.state(sizes(n))))),
        "aim 10",
    );
    line(
        "delay, peeked",
        ns(4_000_000, |count| (0..count).for_each(|n| _ = black_box(flow.peek(sizes(n))))),
        "aim 10",
    );
    line(
        "delay, decided and counted",
        ns(4_000_000, |count| (0..count).for_each(|n| _ = black_box(flow.calculate_delay(sizes(n))))),
        "",
    );
    line(
        "health check",
        ns(1_000_000, |count| (0..count).for_each(|_| _ = black_box(flow.is_healthy(now)))),
        "",
    );
    line("all statistics", ns(400_000, |count| (0..count).for_each(|_| _ = black_box(flow.stats(now)))), "");
}

fn uncontended(tokio: &Runtime) {
    for size in [1_000usize, 1_000_000] {
        let mut buffer = FlowBuffer::new(plain(size)).unwrap();
        for n in 0..size as u64 / 2 {
            buffer.offer(Timestamp::EPOCH, n);
        }
        let figure = ns(2_000_000, |count| {
            for n in 0..count {
                black_box(buffer.offer(Timestamp::EPOCH, n));
                black_box(buffer.read(Timestamp::EPOCH));
            }
        });
        line(&format!("bare buffer, in and out, half full of {size}"), figure, "no growth");
    }
    for size in [1_000usize, 1_000_000] {
        let (sender, mut receiver) = channel(plain(size)).unwrap();
        (0..size as u64 / 2).for_each(|n| drop(sender.try_send(n)));
        let figure = ns(1_000_000, |count| {
            for n in 0..count {
                black_box(sender.try_send(n).is_ok());
                black_box(receiver.try_recv().is_ok());
            }
        });
        line(&format!("try_send + try_recv, half full of {size}"), figure, "no growth");
    }
    let (sender, mut receiver) = channel(plain(1_000)).unwrap();
    line(
        "try_send + drain, by 64",
        ns(2_000_000, |count| {
            for n in 0..count {
                black_box(sender.try_send(n).is_ok());
                if n % 64 == 63 {
                    black_box(receiver.drain(64));
                }
            }
            receiver.drain(64);
        }),
        "aim 50",
    );
    line(
        "send().await + drain, by 64",
        tokio.block_on(async {
            let mut rounds = vec![];
            for _ in 0..15 {
                let start = clock();
                for n in 0..1_000_000u64 {
                    black_box(sender.send(n).await.is_ok());
                    if n % 64 == 63 {
                        black_box(receiver.drain(64));
                    }
                }
                rounds.push(start.elapsed().as_nanos() as f64 / 1e6);
            }
            rounds.sort_by(f64::total_cmp);
            rounds[7]
        }),
        "aim 50",
    );
    let dropping = FlowControlledSender::new(FlowConfig::default()).unwrap();
    line(
        "try_send that drops the oldest",
        ns(1_000_000, |count| (0..count).for_each(|n| drop(black_box(dropping.try_send(n))))),
        "",
    );
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1_000);
    line(
        "tokio mpsc: try_send + recv_many, by 64",
        ns(2_000_000, |count| {
            let mut out = Vec::with_capacity(64);
            for n in 0..count {
                black_box(sender.try_send(n).is_ok());
                if n % 64 == 63 {
                    out.clear();
                    while let Ok(n) = receiver.try_recv() {
                        out.push(n);
                    }
                    black_box(&out);
                }
            }
            while receiver.try_recv().is_ok() {}
        }),
        "",
    );
    let (sender, receiver) = flume::bounded(1_000);
    line(
        "flume: try_send + drain, by 64",
        ns(2_000_000, |count| {
            for n in 0..count {
                black_box(sender.try_send(n).is_ok());
                if n % 64 == 63 {
                    receiver.drain().for_each(|n| _ = black_box(n));
                }
            }
            receiver.drain().for_each(|_| ());
        }),
        "",
    );
}

/// Queues by destination, half full, all destinations in turn; and one to which every message drops another.
fn outgoing() {
    for destinations in [1u64, 1_000] {
        let mut queues = Outgoing::new(OutgoingConfig::default(), |n: &u64| n.is_multiple_of(10)).unwrap();
        for n in 0..250 * destinations {
            queues.put(&(n % destinations), n).unwrap();
        }
        let figure = ns(2_000_000, |count| {
            for n in 0..count {
                let destination = n % destinations;
                black_box(queues.put(&destination, n).is_ok());
                black_box(queues.take(&destination));
            }
        });
        line(&format!("outgoing, put and take, {destinations} destinations"), figure, "");
    }
    let mut full = Outgoing::new(OutgoingConfig::default(), |_: &u64| false).unwrap();
    let figure = ns(2_000_000, |count| (0..count).for_each(|n| drop(black_box(full.put(&0u64, n)))));
    line("outgoing, a put that drops the oldest of the ring", figure, "");
}

const MESSAGES: u64 = 240_000;

async fn ours(
    producers: u64,
    (sender, mut receiver): (FlowControlledSender<u64>, FlowReceiver<u64>),
    many: bool,
) {
    for _ in 0..producers {
        let sender = sender.clone();
        tokio::spawn(async move {
            for n in 0..MESSAGES / producers {
                sender.send(n).await.unwrap();
            }
        });
    }
    drop(sender);
    let mut got = 0;
    if many {
        loop {
            let drained = receiver.recv_many(256).await.messages.len();
            if drained == 0 {
                break;
            }
            got += drained as u64;
        }
    } else {
        while receiver.recv().await.is_ok() {
            got += 1;
        }
    }
    assert_eq!(got, MESSAGES);
}

async fn theirs_tokio(producers: u64, many: bool) {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1_000);
    for _ in 0..producers {
        let sender = sender.clone();
        tokio::spawn(async move {
            for n in 0..MESSAGES / producers {
                sender.send(n).await.unwrap();
            }
        });
    }
    drop(sender);
    let mut got = 0;
    let mut out = Vec::with_capacity(256);
    if many {
        while receiver.recv_many(&mut out, 256).await > 0 {
            got += out.len() as u64;
            out.clear();
        }
    } else {
        while receiver.recv().await.is_some() {
            got += 1;
        }
    }
    assert_eq!(got, MESSAGES);
}

async fn theirs_flume(producers: u64) {
    let (sender, receiver) = flume::bounded(1_000);
    for _ in 0..producers {
        let sender = sender.clone();
        tokio::spawn(async move {
            for n in 0..MESSAGES / producers {
                sender.send_async(n).await.unwrap();
            }
        });
    }
    drop(sender);
    let mut got = 0;
    while receiver.recv_async().await.is_ok() {
        got += 1;
    }
    assert_eq!(got, MESSAGES);
}

fn contended(tokio: &Runtime) {
    println!(
        "\nmillion messages a second through a buffer of 1000, medians of 9 turns taken one after the other"
    );
    println!(
        "{:>9}  {:>10} {:>10} {:>10}   {:>12} {:>12}",
        "producers", "quorate", "tokio", "flume", "quorate ×256", "tokio ×256"
    );
    for producers in [1, 4, 16] {
        let mut turns: [Vec<f64>; 5] = Default::default();
        for _ in 0..9 {
            for (n, rates) in turns.iter_mut().enumerate() {
                let start = clock();
                tokio.block_on(async {
                    let task = match n {
                        0 => tokio.spawn(ours(producers, channel(plain(1_000)).unwrap(), false)),
                        1 => tokio.spawn(theirs_tokio(producers, false)),
                        2 => tokio.spawn(theirs_flume(producers)),
                        3 => tokio.spawn(ours(producers, channel(plain(1_000)).unwrap(), true)),
                        _ => tokio.spawn(theirs_tokio(producers, true)),
                    };
                    task.await.unwrap();
                });
                rates.push(MESSAGES as f64 / start.elapsed().as_secs_f64() / 1e6);
            }
        }
        let medians = turns.map(|mut rates| {
            rates.sort_by(f64::total_cmp);
            rates[4]
        });
        let [a, b, c, d, e] = medians;
        println!("{producers:>9}  {a:>10.2} {b:>10.2} {c:>10.2}   {d:>12.2} {e:>12.2}");
    }
}

/// The 99th of a hundred, in nanoseconds, with eight producers at once.
fn slowest(what: &str, ceiling: &str, work: impl Fn(u64) + Sync) {
    let mut all: Vec<u64> = std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(move || {
                    let once = |n| {
                        let start = clock();
                        work(n);
                        start.elapsed().as_nanos() as u64
                    };
                    (0..40_000u64).map(once).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    all.sort_unstable();
    line(what, all[all.len() * 99 / 100] as f64, ceiling);
}

fn under_eight() {
    println!("\nslower than 99 of 100, eight threads at once, reading the clock included");
    let sender = Arc::new(FlowControlledSender::new(FlowConfig::default()).unwrap());
    let flow = sender.flow();
    slowest("state check", "ceiling 10 µs", |n| _ = black_box(flow.state(n as usize % 1_000)));
    slowest("delay, decided", "ceiling 50 µs", |n| _ = black_box(flow.calculate_delay(n as usize % 1_000)));
    slowest("try_send, one in ten drains", "ceiling 100 µs", |n| {
        drop(black_box(sender.try_send(n)));
        if n % 10 == 0 {
            drop(black_box(sender.drain(10)));
        }
    });
    let full = FlowControlledSender::new(FlowConfig { max_buffer_size: 1, ..FlowConfig::default() }).unwrap();
    slowest("a drop, noticed and counted", "ceiling 1 ms", |n| drop(black_box(full.try_send(n))));
    slowest("health check", "ceiling 500 µs", |_| {
        black_box(sender.is_healthy());
    });
}

fn memory() {
    const STREAMS: usize = 10_000;
    let mut streams = Vec::with_capacity(STREAMS);
    let before = HELD.load(Relaxed);
    streams.extend((0..STREAMS).map(|_| channel::<[u64; 4]>(FlowConfig::default()).unwrap()));
    let each = (HELD.load(Relaxed) - before) as f64 / STREAMS as f64;
    println!("\n{:<58} {each:>9.0} bytes   aim 1024", "memory of an idle stream, both ends");
    drop(streams);
}

fn main() {
    let tokio = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    decisions();
    uncontended(&tokio);
    outgoing();
    contended(&tokio);
    under_eight();
    memory();
    tokio.shutdown_timeout(Duration::from_secs(1));
}
