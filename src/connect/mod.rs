//! The way to a runtime of another process: the typed operations over the socket of a data folder, or over HTTP.
//!
//! ```text
//!  Quorate::connect("folder")         ──► quorate.sock ─┐
//!  Quorate::connect("https://…")      ──► TLS, token ───┼──► Connected ── quorums() · agents() · … ──► the typed reply
//!  Connected::from(quorate)           ──► this process ─┘      one row of the table for each method
//! ```
//!
//! Every typed method makes the request of its row and reads the reply of its row; where that is carried out is the
//! concern of one function. So the methods are written once, and a program that is written for [`Connected`] runs beside a
//! server and with the runtime inside.
//!
//! A server that is killed or started again is waited for ([`again`]): what it never heard is sent again, and so is what
//! may be repeated. What may not, and may have been carried out, is told as `outcome_unknown`.
//!
//! | file | holds |
//! |---|---|
//! | `client` | requests and answers on connections that are kept |
//! | `tls` | whom to trust, and by what to be known |
//! | `again` | what is sent again, and for how long |
//! | `nouns` | the typed methods |
//! | `events` | what is recorded, followed from afar |

pub mod again;
pub mod client;
mod events;
mod nouns;
#[cfg(feature = "connect-tls")]
pub(crate) mod tls;

use std::future::Future;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::runtime::{Builder, Handle, Runtime};

use self::again::{UNHEARD, Way, carried_out};
use self::client::Client;
pub use self::events::FarEvents;
use crate::api::Quorate;
use crate::api::caller::fields_of;
use crate::api::ops::{self, Method, Operation};
use crate::api::wait::AbortOnDrop;
use crate::error::{Error, ErrorKind};
use crate::shell::clock::Stopwatch;

/// How long a server may take to answer what does not wait for anything.
const TIMEOUT: Duration = Duration::from_secs(330);
/// How long a server that was reached is waited for while it is started again.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long one that was never reached is waited for: it may be about to begin.
const FIRST_PATIENCE: Duration = Duration::from_secs(5);
/// How often is tried.
const TRY_EVERY: Duration = Duration::from_millis(25);

/// Where a runtime is, and how it is reached.
///
/// ```
/// use std::time::Duration;
///
/// use quorate::ConnectOptions;
///
/// let folder = ConnectOptions::to("/var/lib/quorate");
/// let server = ConnectOptions::to("http://127.0.0.1:7171").with_token("quorate_…");
/// let hasty = ConnectOptions { patience: Duration::ZERO, ..server };
/// # let _ = (folder, hasty);
/// ```
#[derive(Clone)]
pub struct ConnectOptions {
    /// The data folder of a running server, or `http://HOST:PORT` or `https://HOST:PORT`.
    pub to: PathBuf,
    /// The token of the identity that calls.
    pub token: Option<String>,
    /// The certificates to trust, in PEM, in place of those that the system trusts.
    pub tls_ca: Option<PathBuf>,
    /// The certificate by whose key the caller is known, in PEM.
    pub tls_cert: Option<PathBuf>,
    /// The private key of that certificate, in PEM.
    pub tls_key: Option<PathBuf>,
    /// How long a server that went away is waited for, default 60 s. Too short, and a restart is told as an error; zero
    /// tells everything at once.
    pub patience: Duration,
    /// How long an answer may take that waits for nothing, default 330 s.
    pub timeout: Duration,
}

impl std::fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("to", &self.to)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

impl ConnectOptions {
    /// A folder or a URL, with everything at its default.
    pub fn to(to: impl AsRef<Path>) -> Self {
        ConnectOptions {
            to: to.as_ref().to_owned(),
            token: None,
            tls_ca: None,
            tls_cert: None,
            tls_key: None,
            patience: PATIENCE,
            timeout: TIMEOUT,
        }
    }

    /// The same, for the identity that has this token.
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    fn url(&self) -> Option<&str> {
        self.to.to_str().filter(|to| to.starts_with("http://") || to.starts_with("https://"))
    }
}

impl From<&str> for ConnectOptions {
    fn from(to: &str) -> Self {
        ConnectOptions::to(to)
    }
}

impl From<&Path> for ConnectOptions {
    fn from(to: &Path) -> Self {
        ConnectOptions::to(to)
    }
}

impl Quorate {
    /// Reaches the runtime of another process: the server that has a data folder open, over the socket in it, or a server
    /// at a URL. The handle has the typed methods of [`Quorate`] that are operations.
    ///
    /// A server that was reached may be killed and started again: calls wait for it, send again what it never heard, and
    /// repeat what is safe to repeat. A request that begins something gets an `idempotency_key` (or a need its `need_id`)
    /// if it has none, so that it is safe as well. A wait goes on where it was.
    ///
    /// ```no_run
    /// use quorate::{Quorate, StartQuorum, Vote};
    ///
    /// # #[tokio::main] async fn main() -> Result<(), quorate::Error> {
    /// let q = Quorate::connect("/var/lib/quorate").await?; // where `quorate serve --data /var/lib/quorate` runs
    /// let started = q.quorums().start(StartQuorum::global().with_voters(["ann", "bob"])?).await?;
    /// q.quorums().vote(Vote::new(&started.quorum_id, "ann", true)?).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `invalid_argument` for what is no URL, token or certificate; `store_missing` when there is no such folder;
    /// `no_answer` when nobody answers there within five seconds.
    pub async fn connect(to: impl Into<ConnectOptions>) -> Result<Connected, Error> {
        Connected::open(to.into()).await
    }
}

/// A runtime as it is reached from here, made by [`Quorate::connect`], or from a [`Quorate`] of this process. Clones share
/// it.
///
/// Works inside any program that polls futures. Dropping a future ends its wait; what was sent may still be carried out.
#[derive(Clone)]
pub struct Connected {
    line: Arc<Line>,
}

enum Line {
    /// In this process.
    Near(Quorate),
    /// At a server.
    Far { client: Arc<Client>, threads: Threads, patience: Duration },
}

/// The thread on which connections are served.
struct Threads(Option<Runtime>);

impl Threads {
    fn start() -> Result<Self, Error> {
        let mut builder = Builder::new_multi_thread();
        let built =
            builder.worker_threads(1).thread_name("quorate-connect").enable_io().enable_time().build();
        built
            .map(|runtime| Threads(Some(runtime)))
            .map_err(|e| Error::new(ErrorKind::StoreError, format!("no thread for connections. cause={e}")))
    }

    fn handle(&self) -> Option<&Handle> {
        self.0.as_ref().map(Runtime::handle)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // Whoever drops the last handle may be on a thread that must not block.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl std::fmt::Debug for Connected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &*self.line {
            Line::Near(q) => f.debug_tuple("Connected").field(q).finish(),
            Line::Far { client, .. } => f.debug_tuple("Connected").field(&client.to_string()).finish(),
        }
    }
}

/// The runtime of this process, behind the same methods. Requests and replies pass through JSON.
impl From<Quorate> for Connected {
    fn from(q: Quorate) -> Self {
        Connected { line: Arc::new(Line::Near(q)) }
    }
}

impl Connected {
    async fn open(options: ConnectOptions) -> Result<Self, Error> {
        let client = Arc::new(client_of(&options)?);
        let threads = Threads::start()?;
        let line = Arc::new(Line::Far { client, threads, patience: options.patience });
        let to = Connected { line };
        let first = FIRST_PATIENCE.min(options.patience);
        to.far(move |client, _| async move {
            let since = Stopwatch::start();
            loop {
                match client.reach().await {
                    Err(e) if e.detail(UNHEARD).is_some() && since.elapsed() < first => {
                        tokio::time::sleep(TRY_EVERY).await;
                    }
                    reached => return reached,
                }
            }
        })
        .await?;
        Ok(to)
    }

    /// Runs an operation of the table by name, as a door does. Repeated as the typed methods are.
    ///
    /// # Errors
    /// Those of the operation; `no_answer` when there is no server any more; `outcome_unknown` when the request may have
    /// been carried out, no answer came, and a repeat might do it twice.
    pub fn call(
        &self,
        op: &'static Operation,
        fields: Map<String, Value>,
    ) -> impl Future<Output = Result<Value, Error>> + Send + use<> {
        let to = self.clone();
        async move {
            if let Line::Near(q) = &*to.line {
                return op.call(q.clone(), fields).await;
            }
            to.far(move |client, patience| async move {
                carried_out(&*client, op, fields, patience, true).await
            })
            .await
        }
    }

    /// Does something with the client, on its thread, as long as somebody waits for it.
    async fn far<T, W>(&self, work: impl FnOnce(Arc<Client>, Duration) -> W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let Line::Far { client, threads, patience } = &*self.line else { return Err(here()) };
        let Some(handle) = threads.handle() else { return Err(here()) };
        let mut task = AbortOnDrop(handle.spawn(work(client.clone(), *patience)));
        (&mut task.0).await.unwrap_or_else(|e| {
            let message = format!("the request was cut off in this program. cause={e}");
            Err(Error::new(ErrorKind::OutcomeUnknown, message))
        })
    }

    /// Carries out the operation of a typed method.
    fn typed<Q: Serialize, R: DeserializeOwned>(
        &self,
        name: &'static str,
        request: &Q,
    ) -> impl Future<Output = Result<R, Error>> + Send + use<Q, R> {
        let (to, fields) = (self.clone(), fields_of(request));
        async move {
            let (op, mut fields) = (ops::find(name)?, fields?);
            if op.method == Method::Get {
                // An address has no word for nothing.
                fields.retain(|_, value| !value.is_null());
            }
            let reply = to.call(op, fields).await?;
            serde_json::from_value(reply).map_err(|e| {
                let message =
                    format!("the reply is not one that this version knows. operation={name}, cause={e}");
                Error::new(ErrorKind::StoreError, message)
            })
        }
    }
}

fn client_of(options: &ConnectOptions) -> Result<Client, Error> {
    let token = options.token.as_deref();
    match options.url() {
        #[cfg(feature = "connect-tls")]
        Some(url) if url.starts_with("https://") => Client::at_tls(url, options),
        Some(url) => Client::at(url, token, options.timeout),
        None if !options.to.is_dir() => {
            let message = format!("there is no such folder. path={}", options.to.display());
            Err(Error::new(ErrorKind::StoreMissing, message))
        }
        #[cfg(unix)]
        None => Client::of_folder(options.to.clone(), options.timeout).known_by(token),
        #[cfg(not(unix))]
        None => {
            Err(Error::invalid("to", options.to.display().to_string(), "a URL: no folder has a socket here"))
        }
    }
}

fn here() -> Error {
    Error::new(ErrorKind::StoreError, "the runtime is in this process; it is not reached over a connection")
}

impl Way for Client {
    fn once(
        &self,
        op: &'static Operation,
        fields: Map<String, Value>,
    ) -> impl Future<Output = Result<Value, Error>> + Send {
        self.call(op, fields)
    }
}

/// The operations of a noun, as they are reached from here: the methods of `N`.
#[derive(Clone, Copy, Debug)]
pub struct At<'a, N> {
    to: &'a Connected,
    of: PhantomData<N>,
}
