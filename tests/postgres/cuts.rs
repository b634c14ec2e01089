//! The connection is cut at every statement, before it arrives and after, and at random.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use quorate_core::kernel::rng::Rng;
use quorate_journal::Snapshot;

use super::postgres::{Server, server};
use super::support::{Load, now, open};

/// What is cut, counted over all connections.
struct Plan {
    /// The request at which the connection is cut; 0 for none.
    cut: usize,
    /// It arrives, and its answer does not.
    arrives: bool,
    seen: AtomicUsize,
}

/// A way to the server that is cut by plan. Answers its address and how many requests went through.
fn proxy(server: &Server, url: &str, folder: &Path, plan: Plan) -> (String, Arc<Plan>) {
    let listener = UnixListener::bind(folder.join(".s.PGSQL.5432")).unwrap();
    let plan = Arc::new(plan);
    let (told, behind) = (plan.clone(), server.socket());
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (plan, server) = (told.clone(), UnixStream::connect(&behind).unwrap());
            let client = client.unwrap();
            std::thread::spawn(move || carry(client, server, &plan));
        }
    });
    let (from, to) = (server.host(), folder.to_str().unwrap().replace('/', "%2F"));
    (url.replace(&from, &to), plan)
}

fn carry(mut client: UnixStream, mut server: UnixStream, plan: &Plan) {
    let (mut answers, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let deaf = Arc::new(AtomicBool::new(false));
    let silent = deaf.clone();
    std::thread::spawn(move || {
        let mut bytes = [0; 65_536];
        while let Ok(n @ 1..) = answers.read(&mut bytes) {
            // Whole answers are kept back, so that the request has been carried out when the connection goes.
            if silent.load(Ordering::SeqCst) || back.write_all(&bytes[..n]).is_err() {
                break;
            }
        }
        let _ = (back.shutdown(std::net::Shutdown::Both), answers.shutdown(std::net::Shutdown::Both));
    });
    let mut bytes = vec![0; 1 << 20];
    while let Ok(n @ 1..) = client.read(&mut bytes) {
        let number = plan.seen.fetch_add(1, Ordering::SeqCst) + 1;
        if number == plan.cut {
            if !plan.arrives {
                break;
            }
            deaf.store(true, Ordering::SeqCst);
        }
        if server.write_all(&bytes[..n]).is_err() {
            break;
        }
    }
    if !deaf.load(Ordering::SeqCst) {
        let _ = (client.shutdown(std::net::Shutdown::Both), server.shutdown(std::net::Shutdown::Both));
    }
}

/// Opens, writes, reads and closes through a way that is cut. Answers how many requests that took.
fn life(server: &Server, cut: usize, arrives: bool) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let direct = server.fresh();
    // The tables are made beforehand: what opens and is cut says so, and whoever started it starts it again.
    drop(open(&direct).unwrap());
    let (url, plan) = proxy(server, &direct, folder.path(), Plan { cut, arrives, seen: AtomicUsize::new(0) });
    let store = open(&url).unwrap();
    let mut load = Load::new("q");
    let epoch = now(store.acquire("cut")).unwrap();
    for size in [1, 3, 1, 9] {
        load.commit(&*store, epoch, size).unwrap();
    }
    let head = now(store.head(&load.stream(1))).unwrap().unwrap();
    let snapshot = Snapshot { revision: head.revision, hash: head.hash, version: 1, state: vec![1, 2, 3] };
    now(store.save_snapshot(&load.stream(1), snapshot.clone())).unwrap();
    now(store.save_projection("totals", 1, vec![4])).unwrap();
    assert_eq!(now(store.load_snapshot(&load.stream(1))).unwrap(), Some(snapshot));
    load.commit(&*store, epoch, 2).unwrap();
    load.check(&*store);
    now(store.close()).unwrap();
    drop(store);
    let store = open(&direct).unwrap();
    assert!(now(store.acquire("the next one")).unwrap() > epoch);
    load.check(&*store);
    plan.seen.load(Ordering::SeqCst)
}

#[test]
fn a_connection_cut_at_any_request_loses_nothing_and_doubles_nothing() {
    let Some(server) = server() else { return };
    let requests = life(server, 0, false);
    assert!(requests > 20, "{requests}");
    for cut in 1..=requests {
        for arrives in [false, true] {
            println!("cut at request {cut} of {requests}, arrives: {arrives}");
            life(server, cut, arrives);
        }
    }
}

#[test]
fn connections_cut_at_random_lose_nothing_and_double_nothing() {
    let Some(server) = Server::start() else { return };
    let store = open(&server.fresh()).unwrap();
    let epoch = now(store.acquire("cut")).unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let mut load = Load::new("q");
    let mut rng = Rng::new(std::process::id().into());
    std::thread::scope(|scope| {
        let cutter = scope.spawn(|| {
            for _ in 0..40 {
                std::thread::sleep(Duration::from_millis(rng.next_u64() % 40));
                server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'quorate'");
            }
            over.store(true, Ordering::SeqCst);
        });
        let mut size = 0;
        while !over.load(Ordering::SeqCst) {
            size = size % 40 + 1;
            load.commit(&*store, epoch, size).unwrap();
            now(store.head(&load.stream(0))).unwrap();
        }
        cutter.join().unwrap();
    });
    assert!(load.position > 100, "{}", load.position);
    load.check(&*store);
}

#[test]
fn a_server_killed_under_load_loses_nothing_and_doubles_nothing() {
    let Some(server) = Server::start() else { return };
    let store = open(&server.fresh()).unwrap();
    let epoch = now(store.acquire("kill")).unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let mut load = Load::new("q");
    std::thread::scope(|scope| {
        let killer = scope.spawn(|| {
            for _ in 0..6 {
                std::thread::sleep(Duration::from_millis(150));
                server.kill();
                server.go();
            }
            over.store(true, Ordering::SeqCst);
        });
        while !over.load(Ordering::SeqCst) {
            load.commit(&*store, epoch, 5).unwrap();
        }
        killer.join().unwrap();
    });
    assert!(load.position > 0, "{}", load.position);
    load.check(&*store);
}
