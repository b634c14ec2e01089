//! The HTTP door: every operation of the table under `/api/v1`, and three pages about the server itself.
//!
//! ```text
//!  path, query, JSON body ──► one object of fields ──► op.call(q, fields) ──► {"success": true, key: reply}
//!                                                                          └──► {"success": false, detail, code, error}
//!  POST /mcp           the same operations as tools of a Model Context Protocol server
//!  GET /openapi.json   the table as OpenAPI 3.1
//!  GET /metrics        counters and gauges as OpenMetrics text
//!  GET /healthz        200 while work is served, 503 when the store refuses it
//!  GET /               the page for people, with its files below /page
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `browsers` | which requests a web page of elsewhere sent |
//! | `callers` | which identity sent a request |
//! | `routes` | which operation a path and method name; percent-decoding |
//! | `fields` | path, query and body merged into one object; the bound on bodies |
//! | `places` | what requests hold while they wait, and how much of it there is |
//! | `turns` | whose request is worked on next |
//! | `sockets` | the connections, and which of them give way |
//! | `reply` | the two forms of an answer |
//! | `events` | what is recorded, as server-sent events |
//! | `mcp` | the operations as tools, at `/mcp` |
//! | `openapi`, `metrics` | the two generated pages |
//! | `page` | the page for people |
//! | `server` | a listening server on a thread of its own |
//! | `listen` | the server below the door, and its connections |
//! | `bare` | what that server refuses by itself, in the form of every other refusal |
//! | `heads` | where heads of requests begin and end, and what is too long in them |

#![forbid(unsafe_code)]

mod bare;
mod browsers;
mod callers;
mod events;
mod fields;
pub mod guard;
mod heads;
mod listen;
mod mcp;
mod metrics;
mod openapi;
mod page;
mod places;
mod reply;
mod routes;
mod server;
mod sockets;
mod tls;
mod turns;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::web::{self, Bytes, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value};
use tokio::sync::watch;

use self::browsers::Names;
use self::events::Holds;
use self::fields::{Asked, Input};
use self::metrics::{Counted, Metrics};
use self::places::{Places, Room, Spot, Visitor};
pub(crate) use self::reply::cut_off;
use self::routes::{Found, Page, Routes, Target};
pub use self::server::{Listeners, Options, Server, bind, serve, serve_on};
use self::sockets::Kept;
use self::turns::Turn;
use quorate_runtime::Quorate;
use quorate_runtime::api::ops::Operation;
use quorate_runtime::error::{Error, ErrorKind};
use quorate_runtime::shell::clock::Stopwatch;

/// What an identity needs a scope for that looks at the counters: reading covers it.
const METRICS: &str = "metrics.show";

/// Who has its share is told so after a moment: told at once, it could have the door say nothing else.
const LATE: Duration = Duration::from_millis(250);

/// Where operations stand.
pub const API_ROOT: &str = "/api/v1";

/// The door itself, without a listening socket: for programs that run actix-web already.
///
/// ```
/// use actix_web::{App, web};
/// use quorate_http::{Door, Options};
/// use quorate::{Config, Quorate};
///
/// # #[tokio::main] async fn main() -> Result<(), quorate::Error> {
/// let door = Door::new(Quorate::open(Config::memory()).await?, &Options::default());
/// let app = App::new().service(web::scope("/quorate").configure(|scope| door.configure(scope)));
/// # let _ = app; Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Door {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    q: Quorate,
    options: Options,
    names: Names,
    routes: Routes,
    metrics: Metrics,
    places: Arc<Places>,
    openapi: Bytes,
    /// True when nobody is to wait any more.
    stopping: watch::Sender<bool>,
}

impl Door {
    /// A door to this runtime. Of the options it uses those about bodies and waits. Requests that a browser sends for a
    /// page of another origin are refused; to which names the door answers is a matter of the program around it.
    pub fn new(q: Quorate, options: &Options) -> Self {
        Self::under(q, options, Names::Any)
    }

    /// A door that answers to these names only.
    fn under(q: Quorate, options: &Options, names: Names) -> Self {
        let inner = Inner {
            q,
            options: options.clone(),
            names,
            routes: Routes::new(),
            metrics: Metrics::default(),
            places: Arc::default(),
            openapi: openapi::document().to_string().into(),
            stopping: watch::Sender::new(false),
        };
        Door { inner: Arc::new(inner) }
    }

    /// From now on nobody waits here: who waits for a decision, a grant or room is answered with 503. What was asked for
    /// stands as it is recorded, and can be asked for again.
    pub fn end_waits(&self) {
        self.inner.stopping.send_replace(true);
    }

    /// What requests at this door hold.
    fn places(&self) -> Arc<Places> {
        self.inner.places.clone()
    }

    /// Answers everything in this app or scope that the program's own services do not.
    pub fn configure(&self, app: &mut ServiceConfig) {
        let door = self.clone();
        app.default_service(web::to(move |request: HttpRequest, payload: web::Payload| {
            let door = door.clone();
            async move { door.inner.serve(&request, payload).await }
        }));
    }
}

impl Inner {
    async fn serve(&self, request: &HttpRequest, payload: web::Payload) -> HttpResponse {
        let watch = Stopwatch::start();
        let _busy = request.conn_data::<Kept>().map(Kept::busy);
        let (label, mut response) = self.answer(request, payload).await;
        if response.extensions().get::<reply::Late>().is_some() {
            tokio::time::sleep(LATE).await;
        }
        if self.places.is_crowded(&self.options) {
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
        let status = response.status();
        self.metrics.served(label, status, watch.elapsed());
        tracing::debug!(operation = label, status = status.as_u16(), "http request");
        response
    }

    /// The answer, and the label it is counted under.
    async fn answer(&self, request: &HttpRequest, payload: web::Payload) -> (&'static str, HttpResponse) {
        let found = self.routes.find(request.method(), routes::raw_tail(request));
        let label = found.label();
        if let Err(error) = browsers::check(request, &self.names, found.is_document()) {
            return (label, reply::cut_off(&error, payload));
        }
        if fields::is_tunnel(request) {
            let message = "this server speaks HTTP alone; ask without CONNECT and without Upgrade";
            let error = Error::new(ErrorKind::MalformedRequest, message);
            return (label, reply::cut_off(&error, payload));
        }
        // Before the body: whoever is not known takes no room.
        let q = match found.is_guarded().then(|| callers::admit(&self.q, request)).transpose() {
            Ok(q) => q.unwrap_or_else(|| self.q.clone()),
            Err(error) => {
                let _turn = self.turn(Some(&callers::stranger(request)), false).await;
                return (label, reply::cut_off(&error, payload));
            }
        };
        let client = callers::client(&q, request);
        let client = client.as_ref();
        let (guarded, is_control) = (found.is_guarded(), found.is_control());
        // What is refused takes its turn as well; who stands in line is not under way yet.
        let mut turn = if guarded { self.turn(client, is_control).await } else { None };
        // Held until it is answered, or waits.
        let share =
            guarded.then(|| self.places.requests.take(client, usize::MAX, self.options.max_requests_each));
        let share = match share.transpose() {
            Ok(share) => share,
            Err(error) => return (label, reply::cut_off(&error, payload)),
        };
        let room = Room { options: &self.options, places: &self.places, client };
        let body = pin!(fields::read_body(request, payload, room, self.stopping.subscribe()));
        let (body, kept) = keeping(turn.take(), turns::KEPT, body).await;
        turn = match kept {
            None if guarded => self.turn(client, is_control).await,
            kept => kept,
        };
        let body = match body {
            Ok(body) => body,
            Err((error, unread)) => return (label, reply::cut_off(&error, unread)),
        };
        let response = match found {
            Found::Route(route, path) => match route.target {
                Target::Operation(op) => {
                    let input = Input { op, known: &route.known, path, request, body: &body };
                    self.operation(&q, input, client, (share, turn)).await
                }
                Target::Page(page) => self.page(&q, request, page).await,
                Target::Events => self.events(&q, request, &route.known, client).await,
                Target::File(file) => file.answer(request),
                Target::View => {
                    match fields::shard_named(request).and_then(|shard| q.of_shard(shard.as_ref())) {
                        Ok(q) => page::view::answer(&q, request).await,
                        Err(error) => reply::failure(&error, reply::status_of(error.kind())),
                    }
                }
            },
            Found::Mcp => {
                let called = pin!(self.mcp(&q, request, body, client));
                keeping(turn, turns::KEPT, called).await.0
            }
            Found::WrongMethod { allow } => {
                let message = format!("this path takes another method. given={}", request.method());
                let error = Error::new(ErrorKind::UnknownOperation, message).with("allow", allow);
                let mut response = reply::failure(&error, StatusCode::METHOD_NOT_ALLOWED);
                response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
                response
            }
            Found::Nothing => {
                let message = "no operation stands at this path; GET /openapi.json lists them";
                let error = Error::new(ErrorKind::UnknownOperation, message);
                reply::failure(&error, reply::status_of(error.kind()))
            }
        };
        (label, response)
    }

    async fn operation(
        &self,
        q: &Quorate,
        input: Input<'_>,
        client: Option<&Visitor>,
        (share, turn): (Option<Spot>, Option<Turn>),
    ) -> HttpResponse {
        let (op, request) = (input.op, input.request);
        if let Err(error) = callers::check_first(q, op, request.peer_addr()) {
            return reply::failure(&error, reply::status_of(error.kind()));
        }
        let Asked { fields, status_codes } = match input.merge() {
            Ok(asked) => asked,
            Err(error) => return reply::failure(&error, reply::status_of(error.kind())),
        };
        // A bad value of such a field answers 400; one that was not given at all answers 422 like any other.
        let bad_request: Vec<&str> =
            op.bad_request.iter().copied().filter(|name| fields.contains_key(*name)).collect();
        let waits = (op.waits)(&fields);
        let place = if waits {
            // Who waits is counted with those who wait.
            drop(share);
            self.place_to_wait(client)
        } else {
            Ok(share)
        };
        let _place = match place {
            Ok(place) => place,
            Err(error) => return reply::failure(&error, reply::status_of(error.kind())),
        };
        let listens = waits.then_some(request);
        let called = pin!(self.call(q, op, fields, listens));
        let kept = if waits { turns::KEPT } else { turns::KEPT_AT_WORK };
        match keeping(turn, kept, called).await.0 {
            Ok(value) => reply::success(op, value, status_codes),
            Err(error) => reply::failure(&error, reply::status_for(&error, &bad_request)),
        }
    }

    /// A turn of this client.
    async fn turn(&self, client: Option<&Visitor>, is_control: bool) -> Option<Turn> {
        self.places.turns.take(client, self.options.max_turns_each, is_control).await
    }

    /// A place for a request that waits until something has come about.
    fn place_to_wait(&self, client: Option<&Visitor>) -> Result<Option<Spot>, Error> {
        self.places.waits.take(client, self.options.max_waits, self.options.max_waits_each).map(Some)
    }

    /// Events as they are recorded.
    async fn events(
        &self,
        q: &Quorate,
        request: &HttpRequest,
        known: &[String],
        client: Option<&Visitor>,
    ) -> HttpResponse {
        let followed = async {
            let Options { max_followers, max_followers_each, .. } = self.options;
            let place = self.places.followers.take(client, max_followers, max_followers_each)?;
            let busy = request.conn_data::<Kept>().map(Kept::busy);
            let holds = Holds { _place: place, _busy: busy };
            events::follow(q, request, known, holds, self.stopping.subscribe()).await
        };
        followed.await.unwrap_or_else(|error| reply::failure(&error, reply::status_of(error.kind())))
    }

    /// Runs an operation. One that waits is cut off when nobody is to wait any more, and when whoever asked sends nothing
    /// more: it may have hung up, and its place is free for somebody else. If it still listens, it is told.
    async fn call(
        &self,
        q: &Quorate,
        op: &'static Operation,
        fields: Map<String, Value>,
        waits: Option<&HttpRequest>,
    ) -> Result<Value, Error> {
        let call = op.call(q.clone(), fields);
        let Some(request) = waits else { return call.await };
        let mut stopping = self.stopping.subscribe();
        tokio::select! {
            biased;
            answer = call => answer,
            _ = stopping.wait_for(|stopping| *stopping) => Err(stops()),
            () = over(request) => Err(hung_up()),
        }
    }

    async fn page(&self, q: &Quorate, request: &HttpRequest, page: Page) -> HttpResponse {
        match page {
            Page::OpenApi => reply::json(StatusCode::OK, self.openapi.clone()),
            Page::Health => {
                let health = self.q.health();
                let served =
                    if health.failure.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
                reply::value(served, &health)
            }
            Page::Metrics => {
                if let Err(error) = q.allow_reading(METRICS) {
                    return reply::failure(&error, reply::status_of(error.kind()));
                }
                // Of several shards each has counters of its own.
                let counted =
                    match fields::shard_named(request).and_then(|shard| self.q.of_shard(shard.as_ref())) {
                        Ok(counted) => counted,
                        Err(error) => return reply::failure(&error, reply::status_of(error.kind())),
                    };
                let q = &counted;
                let counted = Counted {
                    quorums: q.quorums().stats().await.ok(),
                    proposals: q.consensus().stats().await.ok(),
                    agents: q.agents().stats().await.ok(),
                    load: q.shedding().status().await.ok(),
                    capacity: q.capacity().stats().await.ok(),
                    jobs: q.jobs().stats().await.ok(),
                    flows: q.flows().overview(),
                    lag: q.deadline_lag(),
                };
                let text = self.metrics.page(&counted, &q.health(), &self.places);
                HttpResponse::Ok().insert_header((CONTENT_TYPE, metrics::CONTENT)).body(text)
            }
        }
    }
}

/// What comes of something that may take long. A turn is kept for so long at most.
async fn keeping<F: Future + Unpin>(
    turn: Option<Turn>,
    kept: Duration,
    mut waits: F,
) -> (F::Output, Option<Turn>) {
    if turn.is_none() {
        return (waits.await, None);
    }
    match tokio::time::timeout(kept, &mut waits).await {
        Ok(done) => (done, turn),
        Err(_) => {
            drop(turn);
            (waits.await, None)
        }
    }
}

/// Ready when whoever sent the request sends nothing more on its connection.
fn over(request: &HttpRequest) -> impl Future<Output = ()> + use<> {
    let over = request.conn_data::<Kept>().map(Kept::over);
    async move {
        match over {
            Some(over) => over.await,
            None => std::future::pending().await,
        }
    }
}

fn stops() -> Error {
    Error::new(ErrorKind::OutcomeUnknown, "the server stops, so nobody waits here any more; ask again")
}

fn hung_up() -> Error {
    let message = "who asked has closed its side of the connection, so nobody waits here any more; ask again, and keep it \
                   open until the answer is there";
    Error::new(ErrorKind::OutcomeUnknown, message)
}

/// The methods a GET path takes.
const ALLOW_GET: &str = "GET, HEAD";
/// The methods a POST path takes.
const ALLOW_POST: &str = "POST";

/// Does a path declared with this method serve a request with that one? A HEAD is a GET without the body.
fn serves(declared: quorate_runtime::api::ops::Method, asked: &Method) -> bool {
    match declared {
        quorate_runtime::api::ops::Method::Get => *asked == Method::GET || *asked == Method::HEAD,
        quorate_runtime::api::ops::Method::Post => *asked == Method::POST,
    }
}
