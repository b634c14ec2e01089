//! Requests of leaders that were replaced, or that race, and how little of a refused one is read.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, call_service, init_service, read_body_json};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, rt};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::yield_now;

use super::*;
use quorate_runtime::guard::{FileFloor, MemoryFloor};

/// What handlers did, and how many of those that are told to wait may end.
#[derive(Clone)]
struct Handled {
    log: Arc<Mutex<Vec<String>>>,
    may_end: Arc<Semaphore>,
}

impl Handled {
    fn new() -> Self {
        Handled { log: Arc::default(), may_end: Arc::new(Semaphore::new(0)) }
    }

    fn note(&self, what: &str, request: &HttpRequest) {
        let token = request.headers().get(TOKEN_HEADER).unwrap().to_str().unwrap();
        self.log.lock().unwrap().push(format!("{what} {token}"));
    }

    fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    async fn until_logged(&self, lines: usize) {
        while self.log().len() < lines {
            yield_now().await;
        }
    }
}

/// `?wait` in the address waits for leave to end.
async fn handler(handled: web::Data<Handled>, request: HttpRequest, _body: web::Bytes) -> HttpResponse {
    handled.note("begin", &request);
    if request.query_string() == "wait" {
        handled.may_end.acquire().await.unwrap().forget();
    }
    handled.note("end", &request);
    HttpResponse::Ok().finish()
}

fn by_path(floor: impl TokenFloor) -> FencingGuard {
    FencingGuard::new(floor, |request| request.match_info().get("job").map(str::to_owned))
}

fn request(path: &str, token: u64) -> TestRequest {
    TestRequest::post().uri(path).insert_header((TOKEN_HEADER, token.to_string()))
}

/// An app with one guarded resource.
macro_rules! app {
    ($handled:expr, $guard:expr) => {
        Rc::new(
            init_service(
                App::new()
                    .app_data(web::Data::new($handled.clone()))
                    .service(web::resource("/{job}").wrap($guard.clone()).to(handler)),
            )
            .await,
        )
    };
}

/// Sends a request and goes on without waiting for its answer.
macro_rules! send {
    ($app:expr, $path:expr, $token:expr) => {{
        let app = $app.clone();
        rt::spawn(async move { call_service(&*app, request($path, $token).to_request()).await.status() })
    }};
}

/// Waits until requests hold this line so many times: once each that runs, once the first of a higher token that waits
/// for those, and twice whoever waits behind it.
async fn until_held(guard: &FencingGuard, resource: &str, times: usize) {
    let resource = EntityId::new(resource).unwrap();
    // The table holds it, too.
    let held =
        || guard.inner.lines.lock().unwrap().get(&resource).map_or(0, |line| Arc::strong_count(line) - 1);
    while held() != times {
        yield_now().await;
    }
}

/// Lets everything that can go on go on, threads that block included.
async fn settle() {
    for _ in 0..20 {
        web::block(|| ()).await.unwrap();
        yield_now().await;
    }
}

#[actix_web::test]
async fn a_paused_leader_that_wakes_up_after_its_successor_wrote_gets_412_and_its_handler_does_not_run() {
    let (handled, guard) = (Handled::new(), by_path(MemoryFloor::default()));
    let app = app!(handled, guard);
    for token in [7, 7, 8] {
        assert_eq!(call_service(&*app, request("/a", token).to_request()).await.status(), StatusCode::OK);
    }
    let response = call_service(&*app, request("/a", 7).to_request()).await;
    assert_eq!(response.status(), StatusCode::PRECONDITION_FAILED);
    let body: Value = read_body_json(response).await;
    let error = &body["error"];
    assert_eq!(
        (&error["kind"], &error["held"], &error["given"]),
        (&"stale_token".into(), &8.into(), &7.into())
    );
    assert_eq!((&body["success"], &body["code"]), (&false.into(), &"stale_token".into()));
    assert_eq!(error["message"], "stale fencing token. held=8, given=7");
    assert_eq!(call_service(&*app, request("/b", 1).to_request()).await.status(), StatusCode::OK);
    assert_eq!(handled.log().len(), 8);
    assert!(guard.inner.lines.lock().unwrap().is_empty(), "nothing is left of requests that are done");
}

#[actix_web::test]
async fn a_token_that_is_missing_or_not_one_number_is_refused_and_named() {
    let (handled, guard) = (Handled::new(), by_path(MemoryFloor::default()));
    let app = app!(handled, guard);
    let mut requests = vec![TestRequest::post().uri("/a")];
    for text in ["", "x", "-1", "+7", "7, 8", "7.0", "0", "000", "18446744073709551616", "７"] {
        requests.push(TestRequest::post().uri("/a").insert_header((TOKEN_HEADER, text)));
    }
    requests.push(request("/a", 7).append_header((TOKEN_HEADER, "8")));
    for request in requests {
        let response = call_service(&*app, request.to_request()).await;
        assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let body: Value = read_body_json(response).await;
        assert_eq!(
            (&body["error"]["kind"], &body["error"]["field"]),
            (&"invalid_argument".into(), &TOKEN_HEADER.into())
        );
    }
    assert!(handled.log().is_empty());
    let largest = call_service(&*app, request("/a", u64::MAX).to_request()).await;
    assert_eq!(largest.status(), StatusCode::OK);
}

#[actix_web::test]
async fn a_resource_that_callers_name_must_be_named_once() {
    let (handled, guard) = (Handled::new(), FencingGuard::new(MemoryFloor::default(), of_header));
    let app = app!(handled, guard);
    let named = |name: &str, token| request("/x", token).insert_header((RESOURCE_HEADER, name));
    let long = "x".repeat(257);
    for bad in [
        request("/x", 7),
        named(" ", 7),
        named(&long, 7),
        named("a", 7).append_header((RESOURCE_HEADER, "b")),
    ] {
        let status = call_service(&*app, bad.to_request()).await.status();
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    for (name, token, status) in [("a", 8, 200), ("b", 7, 200), ("a", 7, 412)] {
        assert_eq!(call_service(&*app, named(name, token).to_request()).await.status().as_u16(), status);
    }
}

#[actix_web::test]
async fn a_higher_token_is_durable_before_its_handler_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("floors");
    let guard = by_path(FileFloor::open(&path).unwrap());
    let look = path.clone();
    let found = move || {
        let look = look.clone();
        async move { std::fs::read_to_string(look).unwrap_or_default() }
    };
    let app = init_service(App::new().service(web::resource("/{job}").wrap(guard).to(found))).await;
    for token in [7, 8] {
        let response = call_service(&app, request("/a", token).to_request()).await;
        let body = actix_web::test::read_body(response).await;
        assert_eq!(body, format!("quorate token floors 1\n{token} a\nend\n"));
    }
    // A floor that cannot be kept lets nobody in.
    std::fs::create_dir(folder.path().join("floors.new")).unwrap();
    for _ in 0..2 {
        let response = call_service(&app, request("/a", 9).to_request()).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        let body: Value = read_body_json(response).await;
        assert_eq!(body["error"]["kind"], "store_error");
    }
}

#[actix_web::test]
async fn a_successor_waits_for_handlers_of_its_predecessor_and_nobody_of_a_lower_token_comes_in() {
    let (handled, guard) = (Handled::new(), by_path(MemoryFloor::default()));
    let app = app!(handled, guard);
    let old = [send!(app, "/a?wait", 7), send!(app, "/a?wait", 7)];
    handled.until_logged(2).await;
    assert_eq!(handled.log(), ["begin 7", "begin 7"], "the same leader's requests run side by side");
    let new = [send!(app, "/a", 8), send!(app, "/a", 8)];
    until_held(&guard, "a", 2 + 1 + 2).await;
    assert_eq!(handled.log().len(), 2, "the successor waits");
    assert_eq!(send!(app, "/a", 7).await.unwrap(), StatusCode::PRECONDITION_FAILED);
    assert_eq!(send!(app, "/b", 1).await.unwrap(), StatusCode::OK, "other resources do not wait");
    handled.may_end.add_permits(1);
    handled.until_logged(5).await;
    settle().await;
    assert_eq!(handled.log()[4..], ["end 7"], "one of two is not all");
    handled.may_end.add_permits(1);
    for answer in old.into_iter().chain(new) {
        assert_eq!(answer.await.unwrap(), StatusCode::OK);
    }
    assert_eq!(handled.log()[5], "end 7");
    assert_eq!(handled.log().len(), 10);
    assert!(guard.inner.lines.lock().unwrap().is_empty());
}

#[actix_web::test]
async fn whoever_waits_and_is_overtaken_by_a_still_higher_token_is_refused() {
    let (handled, guard) = (Handled::new(), by_path(MemoryFloor::default()));
    let app = app!(handled, guard);
    let first = send!(app, "/a?wait", 7);
    handled.until_logged(1).await;
    let second = send!(app, "/a", 8);
    until_held(&guard, "a", 1 + 1).await;
    let third = send!(app, "/a", 9);
    until_held(&guard, "a", 1 + 1 + 2).await;
    handled.may_end.add_permits(1);
    assert_eq!(first.await.unwrap(), StatusCode::OK, "it was the leader when it began");
    assert_eq!(second.await.unwrap(), StatusCode::PRECONDITION_FAILED);
    assert_eq!(third.await.unwrap(), StatusCode::OK);
    assert_eq!(handled.log(), ["begin 7", "end 7", "begin 9", "end 9"]);
}

#[actix_web::test]
async fn a_caller_that_gives_up_leaves_nothing_behind() {
    let (handled, guard) = (Handled::new(), by_path(MemoryFloor::default()));
    let app = app!(handled, guard);
    let running = send!(app, "/a?wait", 7);
    handled.until_logged(1).await;
    let waiting = send!(app, "/a", 8);
    until_held(&guard, "a", 1 + 1).await;
    waiting.abort();
    running.abort();
    until_held(&guard, "a", 0).await;
    assert!(guard.inner.lines.lock().unwrap().is_empty());
    assert_eq!(send!(app, "/a", 7).await.unwrap(), StatusCode::PRECONDITION_FAILED);
    assert_eq!(send!(app, "/a", 8).await.unwrap(), StatusCode::OK);
}

/// Two leaders send at once, again and again: what handlers do is in the order of the tokens.
#[actix_web::test]
async fn of_leaders_that_race_no_handler_runs_after_or_beside_one_of_a_later_leader() {
    let (handled, guard) = (Handled::new(), by_path(MemoryFloor::default()));
    let app = app!(handled, guard);
    let answers: Vec<_> = (0..200_u64).map(|n| send!(app, "/a", 1 + (n * 7) % 20 + n / 20)).collect();
    for answer in answers {
        let status = answer.await.unwrap();
        assert!(status == StatusCode::OK || status == StatusCode::PRECONDITION_FAILED, "{status}");
    }
    let mut running = 0;
    let mut highest = 0;
    for line in handled.log() {
        let (what, token) = line.split_once(' ').unwrap();
        let token: u64 = token.parse().unwrap();
        assert!(token >= highest && (token == highest || running == 0), "{line} after {highest}");
        highest = token;
        if what == "begin" { running += 1 } else { running -= 1 }
    }
    assert!(highest > 1);
}

#[actix_web::test]
async fn a_refused_request_is_answered_before_its_body_has_come() {
    let guard = by_path(MemoryFloor::default());
    let handled = Handled::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let shared = handled.clone();
    let server = HttpServer::new(move || {
        let data = web::Data::new(shared.clone());
        App::new().app_data(data).service(web::resource("/{job}").wrap(guard.clone()).to(handler))
    });
    let server = server.workers(1).disable_signals().listen(listener).unwrap().run();
    let handle = server.handle();
    rt::spawn(server);
    let answers = web::block(move || {
        let ask = |token: u64, body: &str| {
            let mut stream = TcpStream::connect(address).unwrap();
            let head = format!(
                "POST /a HTTP/1.1\r\nhost: x\r\nquorate-fencing-token: {token}\r\ncontent-length: 5\r\n\r\n"
            );
            stream.write_all((head + body).as_bytes()).unwrap();
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).unwrap();
            String::from_utf8_lossy(&answer).into_owned()
        };
        [ask(8, "hello"), ask(7, "")]
    });
    assert_eq!(answers.await.unwrap(), ["HTTP/1.1 200", "HTTP/1.1 412"]);
    assert_eq!(handled.log(), ["begin 8", "end 8"]);
    handle.stop(false).await;
}
