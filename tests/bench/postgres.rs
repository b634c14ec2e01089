//! How many durable 200-byte records per second in PostgreSQL, by callers that each wait for their answer: the store, beside
//! SQL written by hand for the same records on the same server in the same run (one statement for each batch: the records,
//! and the end of each stream). The ratio of the two is printed.
//!
//! ```text
//! cargo bench --bench postgres
//! ```

#[path = "../support/postgres.rs"]
mod postgres;

use std::future::poll_fn;
use std::hint::black_box;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use quorate_core::kernel::ids::{EntityId, StreamId, StreamKind};
use quorate_core::kernel::time::Timestamp;
use quorate_journal::codec::AppendBuilder;
use quorate_journal::stores::postgres::PostgresStore;
use quorate_journal::stores::{DatabaseUrl, StoreOptions};
use quorate_journal::{Append, ChainHash, Due, Fault, Pending, Store};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EVENT_BYTES: usize = 200;
/// Callers of the closed loop, and requests of each.
const CALLERS: [(usize, usize); 4] = [(1, 1_000), (8, 600), (64, 300), (512, 100)];
const ROUNDS: usize = 3;

fn now<T>(mut pending: Pending<'_, T>) -> Result<T, Fault> {
    match pending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("a store answers when polled once"),
    }
}

/// Callers that each send a request when the one before was answered. Requests per second.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn closed_loop(callers: usize, rounds: usize, mut commit: impl FnMut(&[Append]) + Send + 'static) -> f64 {
    let (queue, work) = std::sync::mpsc::channel::<(Append, tokio::sync::oneshot::Sender<()>)>();
    let writer = std::thread::spawn(move || {
        while let Ok(first) = work.recv() {
            let (appends, answers): (Vec<_>, Vec<_>) = std::iter::once(first).chain(work.try_iter()).unzip();
            commit(&appends);
            answers.into_iter().for_each(|answer| answer.send(()).unwrap());
        }
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let start = Instant::now();
    runtime.block_on(async {
        let tasks = (0..callers).map(|caller| {
            let queue = queue.clone();
            tokio::spawn(async move {
                let id = EntityId::new(format!("caller-{caller}")).unwrap();
                let stream = StreamId::new(StreamKind::Quorum, id);
                let (mut revision, mut hash) = (0, ChainHash::default());
                let event = "e".repeat(EVENT_BYTES - 1);
                for _ in 0..rounds {
                    let mut builder = AppendBuilder::new(stream.clone(), revision, hash);
                    builder.push(Timestamp::EPOCH, &event).unwrap();
                    let append = builder.finish(Due::Unchanged, None);
                    (revision, hash) = (revision + 1, append.hash);
                    let (answer, answered) = tokio::sync::oneshot::channel();
                    queue.send((append, answer)).unwrap();
                    answered.await.unwrap();
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
    });
    let rate = (callers * rounds) as f64 / start.elapsed().as_secs_f64();
    drop(queue);
    writer.join().unwrap();
    rate
}

const TABLES: &str = "CREATE TABLE records (stream text, seq bigint, bytes bytea, PRIMARY KEY (stream, seq)); \
     CREATE TABLE ends (stream text PRIMARY KEY, seq bigint NOT NULL, hash bytea NOT NULL)";
const BATCH: &str = "WITH r AS (INSERT INTO records SELECT * FROM unnest($1::text[], $2::bigint[], $3::bytea[])) \
     INSERT INTO ends SELECT * FROM unnest($4::text[], $5::bigint[], $6::bytea[]) \
     ON CONFLICT (stream) DO UPDATE SET seq = excluded.seq, hash = excluded.hash";

/// SQL written by hand: nobody else writes, so nothing is asked and nothing is checked.
fn by_hand(url: &str) -> impl FnMut(&[Append]) + Send + 'static {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (client, batch) = runtime.block_on(async {
        let (client, mut connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(
            async move { while let Some(Ok(_)) = poll_fn(|cx| connection.poll_message(cx)).await {} },
        );
        client.batch_execute(TABLES).await.unwrap();
        let batch = client.prepare(BATCH).await.unwrap();
        (client, batch)
    });
    move |group| {
        let streams: Vec<&str> = group.iter().map(|append| append.stream.id.as_str()).collect();
        let seqs: Vec<i64> = group.iter().map(|append| append.expected as i64 + 1).collect();
        let bytes: Vec<&[u8]> = group.iter().map(|append| &append.bytes[..]).collect();
        let hashes: Vec<&[u8]> = group.iter().map(|append| &append.hash.0[..]).collect();
        runtime
            .block_on(client.execute(&batch, &[&streams, &seqs, &bytes, &streams, &seqs, &hashes]))
            .unwrap();
    }
}

fn ours(url: &str) -> impl FnMut(&[Append]) + Send + 'static {
    let options = StoreOptions::in_database(DatabaseUrl::of(url).unwrap());
    let store = PostgresStore::open(&options).unwrap();
    let epoch = now(store.acquire("bench")).unwrap();
    move |group| {
        black_box(now(store.commit(epoch, Timestamp::EPOCH, group)).unwrap());
    }
}

fn main() {
    let Some(server) = postgres::server() else { return };
    for (callers, rounds) in CALLERS {
        let mut best = [0f64; 2];
        for _ in 0..ROUNDS {
            best[0] = best[0].max(closed_loop(callers, rounds, by_hand(&server.fresh())));
            best[1] = best[1].max(closed_loop(callers, rounds, ours(&server.fresh())));
        }
        let [hand, store] = best;
        println!("{callers} callers: by hand {hand:.0}/s, store {store:.0}/s, ratio {:.2}", store / hand);
    }
}
