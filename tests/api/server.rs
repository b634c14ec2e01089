//! Starting, stopping and embedding.

use std::net::TcpStream;
use std::time::Duration;

use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, web};
use quorate::{Config, ErrorKind, Quorate};
use quorate_http::{Door, Options, serve};
use quorate_runtime::shell::clock::Stopwatch;

use crate::client::{Client, Running};

#[test]
fn an_address_that_is_taken_is_a_typed_error() {
    let running = Running::start();
    let refused = serve(running.q.clone(), running.client.0, Options::default()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
    assert_eq!(refused.detail("field").unwrap(), "listen");
    assert!(refused.detail("cause").is_some());
}

#[test]
fn options_out_of_bounds_are_refused() {
    let running = Running::start();
    let listen = "127.0.0.1:0".parse().unwrap();
    for (options, field) in [
        (Options { workers: 0, ..Options::default() }, "workers"),
        (Options { max_body_bytes: 10, ..Options::default() }, "max_body_bytes"),
        (Options { body_timeout: Duration::ZERO, ..Options::default() }, "body_timeout_ms"),
    ] {
        let refused = serve(running.q.clone(), listen, options).unwrap_err();
        assert_eq!(refused.detail("field").unwrap(), field);
    }
}

#[tokio::test]
async fn a_stopped_server_frees_its_address_and_leaves_the_runtime_open() {
    let q = Quorate::open(Config::memory()).await.unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    let server = serve(q.clone(), listen, Options::default()).unwrap();
    let addr = server.addr().unwrap();
    assert_ne!(addr.port(), 0);
    server.stop().await.unwrap();
    assert!(TcpStream::connect(addr).is_err());
    let again = serve(q.clone(), addr, Options::default()).unwrap();
    assert_eq!(again.addr(), Some(addr));
    drop(again);
    let begun = Stopwatch::start();
    while TcpStream::connect(addr).is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(10), "a dropped server stops");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(q.quorums().stats().await.unwrap().active_quorums, 0);
    q.close().await.unwrap();
}

#[test]
fn who_waits_is_answered_at_once_when_the_server_stops() {
    let mut running = Running::start();
    let id = running.quorum(&["ann"], 1);
    running.until_in_flight(0);
    let client = running.client;
    let path = format!("/api/v1/quorum/{id}/wait?timeout_ms=300000");
    let waiting = std::thread::spawn(move || client.get(&path));
    running.until_in_flight(1);
    let server = running.server.take().unwrap();
    running.runtime.block_on(server.stop()).unwrap();
    let told = waiting.join().unwrap();
    assert_eq!((told.status, &told.json["error"]["kind"]), (503, &"outcome_unknown".into()));
}

#[actix_web::test]
async fn the_door_stands_in_a_scope_of_another_app() {
    let q = Quorate::open(Config::memory()).await.unwrap();
    let door = Door::new(q, &Options::default());
    let app = App::new()
        .route("/own", web::get().to(|| async { "own" }))
        .service(web::scope("/agents/quorate").configure(|scope| door.configure(scope)));
    let app = init_service(app).await;
    let status =
        async |uri: &str| call_service(&app, TestRequest::with_uri(uri).to_request()).await.status().as_u16();
    assert_eq!(status("/own").await, 200);
    assert_eq!(status("/agents/quorate/api/v1/quorum/stats").await, 200);
    assert_eq!(status("/agents/quorate/api/v1/quorum/a%2Fb/status").await, 404);
    assert_eq!(status("/agents/quorate/api/v1/quorum/%ff/status").await, 422);
    assert_eq!(status("/agents%2Fquorate/api/v1/quorum/stats").await, 404);
    assert_eq!(status("/api/v1/quorum/stats").await, 404);
    assert_eq!(status("/agents/quorate/healthz").await, 200);
}

#[test]
fn two_servers_may_share_one_runtime() {
    let running = Running::start();
    let second = serve(running.q.clone(), "127.0.0.1:0".parse().unwrap(), Options::default()).unwrap();
    let id = running.quorum(&["ann"], 1);
    assert_eq!(Client(second.addr().unwrap()).get(&format!("/api/v1/quorum/{id}/status")).status, 200);
    running.runtime.block_on(second.stop()).unwrap();
    assert_eq!(running.client.get("/healthz").status, 200);
}
