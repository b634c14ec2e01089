//! Requests and answers: HTTP over an address or over the socket of a data folder. A request that nobody waits for any
//! more closes its connection, so that the server does not wait either.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::task::AbortHandle;

#[cfg(feature = "connect-tls")]
use super::ConnectOptions;
use super::again::{CUT_OFF, UNHEARD};
#[cfg(feature = "connect-tls")]
use super::tls::{self, Encrypted};
use crate::api::ops::Operation;
use crate::api::wire::{self, WireRequest};
use crate::error::{Error, ErrorKind};
use crate::shell::clock::Stopwatch;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// An idle connection is used again for so long; servers keep theirs longer.
const IDLE: Duration = Duration::from_secs(20);
/// Most idle connections kept.
const MOST_IDLE: usize = 32;
/// Largest answer read, in bytes.
const MAX_ANSWER: usize = 256 << 20;

type Body = Full<Bytes>;

/// The longest wait that a server grants, and some.
const LONGEST_WAIT: Duration = Duration::from_secs(330);

/// Where a server listens.
#[derive(Debug)]
enum Address {
    /// Host and port.
    Tcp(String),
    /// Host and port of one that speaks TLS, and whom to trust there.
    #[cfg(feature = "connect-tls")]
    Tls(String, Encrypted),
    /// The socket in this data folder.
    #[cfg(unix)]
    Folder(PathBuf),
}

/// A connection; it is closed when this is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<Body>,
    driver: AbortHandle,
    idle_since: Stopwatch,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A client of one server, with the connections that are free.
#[derive(Debug)]
pub struct Client {
    address: Address,
    token: Option<HeaderValue>,
    /// How long a request that does not wait for anything may take.
    timeout: Duration,
    idle: Mutex<VecDeque<Connection>>,
}

impl Client {
    /// The client of a server at a URL.
    ///
    /// # Errors
    /// `invalid_argument` for what is no URL of a server, and for what is no token.
    pub fn at(url: &str, token: Option<&str>, timeout: Duration) -> Result<Self, Error> {
        Client::to(Address::Tcp(authority(url, "http")?), timeout).known_by(token)
    }

    /// The client of a server at a URL that speaks TLS; the options say whom to trust, and by what to be known.
    ///
    /// # Errors
    /// As [`Client::at`], and `invalid_argument` for files that hold no certificate or key.
    #[cfg(feature = "connect-tls")]
    pub(super) fn at_tls(url: &str, options: &ConnectOptions) -> Result<Self, Error> {
        let address = Address::Tls(authority(url, "https")?, tls::of(url, options)?);
        Client::to(address, options.timeout).known_by(options.token.as_deref())
    }

    /// The client of whoever has opened this folder.
    #[cfg(unix)]
    pub fn of_folder(folder: PathBuf, timeout: Duration) -> Self {
        Client::to(Address::Folder(folder), timeout)
    }

    /// The same, which says by a token who calls.
    ///
    /// # Errors
    /// `invalid_argument` for what is no token.
    pub(super) fn known_by(self, token: Option<&str>) -> Result<Self, Error> {
        let token = token.map(|token| {
            let shown = || Error::invalid("token", "hidden", "the token of an identity, as it was told");
            let plain =
                Some(token.trim()).filter(|t| !t.is_empty() && t.bytes().all(|b| b.is_ascii_graphic()));
            let mut value = HeaderValue::from_str(&format!("Bearer {}", plain.ok_or_else(shown)?));
            if let Ok(value) = &mut value {
                value.set_sensitive(true);
            }
            value.map_err(|_| shown())
        });
        Ok(Client { token: token.transpose()?, ..self })
    }

    fn to(address: Address, timeout: Duration) -> Self {
        Client { address, token: None, timeout, idle: Mutex::default() }
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects, and keeps the connection for the first request.
    ///
    /// # Errors
    /// `no_answer` when there is no server.
    pub(super) async fn reach(&self) -> Result<(), Error> {
        let connection = self.connect().await.map_err(|lost| lost.told(true, &self.address))?;
        self.idle().push_back(connection);
        Ok(())
    }

    /// Calls an operation, once.
    ///
    /// # Errors
    /// What the server answers; `no_answer` when there is no server or it does not speak this protocol;
    /// `outcome_unknown` when the request may have been carried out and no answer came.
    pub async fn call(&self, op: &Operation, fields: Map<String, Value>) -> Result<Value, Error> {
        let waits = (op.waits)(&fields);
        let request = WireRequest::of(op, fields);
        let asks = request.body.is_none();
        let longest = if waits { LONGEST_WAIT.max(self.timeout) } else { self.timeout };
        let answered = tokio::time::timeout(longest, self.exchange(&request)).await;
        let answered = answered.unwrap_or_else(|_| Err(Lost::late()));
        let body = answered.map_err(|lost| lost.told(asks, &self.address))?;
        let read = serde_json::from_slice(&body).map_err(|e| self.foreign(&e.to_string()))?;
        wire::answer(op, read).unwrap_or_else(|| Err(self.foreign("neither reply nor error")))
    }

    /// Asks, and gives the head of the answer, with the connection on which its body comes. Who follows events says the
    /// `last` that it heard.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn ask(
        &self,
        target: &str,
        body: Option<&Value>,
        last: Option<u64>,
    ) -> Result<(Response<Incoming>, Connection), Lost> {
        // What a connection that was closed meanwhile did not take goes out on a new one.
        loop {
            let (mut connection, is_new) = match self.take_idle() {
                Some(connection) => (connection, false),
                None => (self.connect().await?, true),
            };
            match connection.sender.try_send_request(self.message(target, body, last)?).await {
                Ok(answer) => return Ok((answer, connection)),
                Err(mut e) => {
                    let heard = e.take_message().is_none();
                    if heard || is_new {
                        return Err(Lost { heard, cause: e.error().to_string() });
                    }
                }
            }
        }
    }

    async fn exchange(&self, request: &WireRequest) -> Result<Bytes, Lost> {
        let (answer, mut connection) = self.ask(&request.target, request.body.as_ref(), None).await?;
        let read = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        let body = read.map_err(|e| Lost { heard: true, cause: e.to_string() })?.to_bytes();
        connection.idle_since = Stopwatch::start();
        let mut idle = self.idle();
        if idle.len() < MOST_IDLE && !connection.sender.is_closed() {
            idle.push_back(connection);
        }
        Ok(body)
    }

    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle();
        idle.retain(|one| one.idle_since.elapsed() < IDLE && !one.sender.is_closed());
        // The one that was used last is the likeliest to be there still.
        let at = idle.iter().rposition(|one| one.sender.is_ready())?;
        idle.remove(at)
    }

    async fn connect(&self) -> Result<Connection, Lost> {
        let dialled = tokio::time::timeout(CONNECT, async {
            match &self.address {
                Address::Tcp(address) => Ok(shake(dial(address).await?).await),
                #[cfg(feature = "connect-tls")]
                Address::Tls(address, encrypted) => {
                    Ok(shake(encrypted.over(dial(address).await?).await?).await)
                }
                #[cfg(unix)]
                Address::Folder(folder) => {
                    let stream = crate::owner::connect(folder)?;
                    stream.set_nonblocking(true)?;
                    Ok(shake(UnixStream::from_std(stream)?).await)
                }
            }
        });
        let unheard = |cause: String| Lost { heard: false, cause };
        match dialled.await {
            Ok(Ok(connection)) => connection.map_err(|e| unheard(e.to_string())),
            Ok(Err(e)) => Err(unheard(std::io::Error::to_string(&e))),
            Err(_) => Err(unheard("it takes too long to connect".into())),
        }
    }

    fn message(&self, target: &str, body: Option<&Value>, last: Option<u64>) -> Result<Request<Body>, Lost> {
        let host = match &self.address {
            Address::Tcp(address) => address.as_str(),
            #[cfg(feature = "connect-tls")]
            Address::Tls(address, _) => address.as_str(),
            #[cfg(unix)]
            Address::Folder(_) => "localhost",
        };
        let (method, text) = match body {
            Some(body) => (Method::POST, body.to_string()),
            None => (Method::GET, String::new()),
        };
        let mut message = Request::builder().method(method).uri(target).header(HOST, host);
        if body.is_some() {
            message = message.header(CONTENT_TYPE, "application/json");
        }
        if let Some(last) = last {
            message = message.header("Last-Event-ID", last);
        }
        if let Some(token) = &self.token {
            message = message.header(AUTHORIZATION, token);
        }
        message.body(Full::from(text)).map_err(|e| Lost { heard: false, cause: e.to_string() })
    }

    /// The error for an answer that ended before its end.
    pub(super) fn cut_off(&self, cause: &str) -> Error {
        self.unanswered(Lost { heard: true, cause: cause.to_owned() })
    }

    /// Why nobody answers a question.
    pub(super) fn unanswered(&self, lost: Lost) -> Error {
        lost.told(true, &self.address)
    }

    /// The error for an answer that no Quorate gives.
    pub(super) fn foreign(&self, what: &str) -> Error {
        let message = format!("the answer is not that of a Quorate server. {}, answer={what}", self.address);
        Error::new(ErrorKind::NoAnswer, message)
    }
}

impl std::fmt::Display for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.address.fmt(f)
    }
}

/// Host and port of a URL of this scheme.
fn authority(url: &str, scheme: &str) -> Result<String, Error> {
    let expected = || Error::invalid("url", url, &format!("{scheme}://HOST:PORT"));
    let uri: Uri = url.trim_end_matches('/').parse().map_err(|_| expected())?;
    let authority = uri.authority().filter(|_| uri.scheme_str() == Some(scheme) && uri.path() == "/");
    let authority = authority.filter(|a| !a.as_str().contains('@')).ok_or_else(expected)?;
    Ok(match authority.port_u16() {
        Some(_) => authority.as_str().to_owned(),
        None if scheme == "https" => format!("{authority}:443"),
        None => format!("{authority}:80"),
    })
}

async fn dial(address: &str) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn shake<S>(stream: S) -> hyper::Result<Connection>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // How it ended is told to the request that it carried.
    let driver = tokio::spawn(async move { drop(connection.await) }).abort_handle();
    Ok(Connection { sender, driver, idle_since: Stopwatch::start() })
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Address::Tcp(address) => write!(f, "url=http://{address}"),
            #[cfg(feature = "connect-tls")]
            Address::Tls(address, _) => write!(f, "url=https://{address}"),
            #[cfg(unix)]
            Address::Folder(folder) => write!(f, "data={}", folder.display()),
        }
    }
}

/// Why no answer came.
pub(super) struct Lost {
    /// May the server have heard the request?
    heard: bool,
    cause: String,
}

impl Lost {
    fn late() -> Self {
        Lost { heard: true, cause: "no answer in time".into() }
    }

    /// As an error; what only `asks` has done nothing.
    fn told(self, asks: bool, address: &Address) -> Error {
        let unheard = asks || !self.heard;
        let kind = if unheard { ErrorKind::NoAnswer } else { ErrorKind::OutcomeUnknown };
        let error = Error::new(kind, format!("no answer from the server. {address}, cause={}", self.cause));
        let error = if unheard { error.with(UNHEARD, true) } else { error };
        if self.heard { error.with(CUT_OFF, true) } else { error }
    }
}
