//! Where operations are carried out: in this process, at whoever has opened the folder, or at a server.
//!
//! ```text
//!  open(folder) ──► somebody answers at its socket ──► through that owner ──┐ the owner is gone
//!              └──► nobody: opened here, and answered for at its socket ◄───┘
//! ```

use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use quorate_http::Listeners;
use quorate_runtime::api::Quorate;
use quorate_runtime::api::ops::Operation;
use quorate_runtime::config::Config;
use quorate_runtime::connect::again::{UNHEARD, Way, carried_out};
use quorate_runtime::connect::client::Client;
use quorate_runtime::error::{Error, ErrorKind};
use quorate_runtime::journal::OpenReport;
use quorate_runtime::owner::{self, OwnerSocket};
use quorate_runtime::shell::clock::Stopwatch;
use serde_json::{Map, Value};
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// How long a folder that is in use is waited for: another program may be about to answer for it, or to let go of it.
const FOLDER_PATIENCE: Duration = Duration::from_secs(10);
/// How long a wait goes on while its server does not answer: as long as a restart may take.
const WAIT_PATIENCE: Duration = Duration::from_secs(60);
/// How long closing waits for what is being given back.
const GIVE_BACK_PATIENCE: Duration = Duration::from_secs(5);
/// How often is tried.
const TRY_EVERY: Duration = Duration::from_millis(25);
/// How long an owner may take to answer.
const OWNER_TIMEOUT: Duration = Duration::from_secs(330);

/// Where operations are carried out.
#[derive(Debug)]
pub(crate) struct Place {
    kind: Kind,
    closed: AtomicBool,
    /// What answers for it at addresses.
    servers: Mutex<Vec<quorate_http::Server>>,
    /// What is still being given back.
    later: std::sync::Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Debug)]
enum Kind {
    /// At a server.
    Server(Client),
    /// In this process, in memory.
    Memory(Mutex<Option<Quorate>>),
    /// In a folder, here or at whoever has it open.
    Folder { path: PathBuf, config: Box<Config>, owner: Mutex<Owner> },
}

/// A runtime closes on a thread of its own: whoever drops the last handle may be in the middle of something.
impl Drop for Place {
    fn drop(&mut self) {
        self.servers.get_mut().clear();
        let q = match &mut self.kind {
            Kind::Server(_) => None,
            Kind::Memory(q) => q.get_mut().take(),
            Kind::Folder { owner, .. } => match std::mem::replace(owner.get_mut(), Owner::Unknown) {
                Owner::Own { q, served } => {
                    drop(served);
                    Some(q)
                }
                Owner::Other(_) | Owner::Unknown => None,
            },
        };
        if let Some(q) = q {
            // Where there is no thread to be had it closes here.
            let _ = std::thread::Builder::new().name("quorate-close".into()).spawn(move || drop(q));
        }
    }
}

/// Who answers for a folder.
#[derive(Debug)]
enum Owner {
    /// It is not known.
    Unknown,
    /// Another process.
    Other(Arc<Client>),
    /// This process; `served` answers others that open the folder.
    Own { q: Quorate, served: Option<Box<quorate_http::Server>> },
}

/// The one that is asked now.
enum Asked {
    Other(Arc<Client>),
    Own(Quorate),
}

impl Place {
    fn of(kind: Kind) -> Self {
        Place {
            kind,
            closed: AtomicBool::new(false),
            servers: Mutex::default(),
            later: std::sync::Mutex::default(),
        }
    }

    /// A server.
    pub(crate) fn server(client: Client) -> Self {
        Place::of(Kind::Server(client))
    }

    /// A runtime in memory.
    ///
    /// # Errors
    /// Those of opening.
    pub(crate) async fn memory() -> Result<Self, Error> {
        let q = Quorate::open(Config::memory()).await?;
        Ok(Place::of(Kind::Memory(Mutex::new(Some(q)))))
    }

    /// A folder; what opening found to be gone or made good is told beside it.
    ///
    /// # Errors
    /// Those of opening.
    pub(crate) async fn folder(
        path: PathBuf,
        create: bool,
        accept_loss: bool,
    ) -> Result<(Self, Vec<String>), Error> {
        // Other programs name it, and this one may go elsewhere.
        let path = std::path::absolute(&path).map_err(|e| {
            Error::invalid("folder", path.display().to_string(), "a path").with("cause", e.to_string())
        })?;
        let mut config = Config::at(&path);
        config.store_options.create = create;
        config.store_options.accept_loss = accept_loss;
        let place =
            Place::of(Kind::Folder { path, config: Box::new(config), owner: Mutex::new(Owner::Unknown) });
        let told = match place.asked().await? {
            Asked::Own(q) => told(&q.recovery_report().store),
            Asked::Other(_) => Vec::new(),
        };
        Ok((place, told))
    }

    /// Where the next request goes.
    async fn asked(&self) -> Result<Asked, Error> {
        if self.closed.load(Ordering::Acquire) {
            return Err(closed());
        }
        let (path, config, owner) = match &self.kind {
            Kind::Server(_) => return Err(closed()),
            Kind::Memory(q) => return q.lock().await.clone().map(Asked::Own).ok_or_else(closed),
            Kind::Folder { path, config, owner } => (path, config, owner),
        };
        let mut owner = owner.lock().await;
        let since = Stopwatch::start();
        loop {
            match &*owner {
                Owner::Own { q, .. } => return Ok(Asked::Own(q.clone())),
                Owner::Other(client) => return Ok(Asked::Other(client.clone())),
                Owner::Unknown if owner::connect(path).is_ok() => {
                    *owner = Owner::Other(Arc::new(Client::of_folder(path.clone(), OWNER_TIMEOUT)));
                }
                Owner::Unknown => match Quorate::open((**config).clone()).await {
                    Ok(q) => {
                        // Where the folder takes no socket, others find it locked.
                        let socket = OwnerSocket::listen(path).ok();
                        let served = socket.map(|socket| {
                            let listeners = Listeners { folder: Some(socket), ..Listeners::default() };
                            quorate_http::serve_on(q.clone(), listeners, quorate_http::Options::default())
                                .map(Box::new)
                        });
                        *owner = Owner::Own { q, served: served.transpose()? };
                    }
                    Err(e) if e.kind() == ErrorKind::StoreLocked && since.elapsed() < FOLDER_PATIENCE => {
                        tokio::time::sleep(TRY_EVERY).await;
                    }
                    Err(e) => return Err(e),
                },
            }
        }
    }

    /// The owner that was asked does not answer any more.
    async fn forget(&self, gone: &Arc<Client>) {
        let Kind::Folder { owner, .. } = &self.kind else { return };
        let mut owner = owner.lock().await;
        if matches!(&*owner, Owner::Other(client) if Arc::ptr_eq(client, gone)) {
            *owner = Owner::Unknown;
        }
    }

    /// Carries out an operation, once.
    ///
    /// # Errors
    /// Those of the operation, and of the way to it.
    pub(crate) async fn call_once(
        &self,
        op: &'static Operation,
        fields: Map<String, Value>,
    ) -> Result<Value, Error> {
        if let Kind::Server(client) = &self.kind {
            return if self.closed.load(Ordering::Acquire) {
                Err(closed())
            } else {
                client.call(op, fields).await
            };
        }
        let since = Stopwatch::start();
        loop {
            match self.asked().await? {
                Asked::Own(q) => return op.call(q, fields).await,
                Asked::Other(client) => match client.call(op, fields.clone()).await {
                    Err(e) if e.detail(UNHEARD).is_some() && since.elapsed() < FOLDER_PATIENCE => {
                        self.forget(&client).await;
                        tokio::time::sleep(TRY_EVERY).await;
                    }
                    answer => return answer,
                },
            }
        }
    }

    /// Carries out an operation. A wait is split, so that it outlives the server that it began at.
    ///
    /// # Errors
    /// As [`Place::call_once`].
    pub(crate) async fn call(
        &self,
        op: &'static Operation,
        fields: Map<String, Value>,
    ) -> Result<Value, Error> {
        if (op.waits)(&fields) {
            carried_out(self, op, fields, WAIT_PATIENCE, false).await
        } else {
            self.call_once(op, fields).await
        }
    }

    /// Answers at an address of this machine, as `quorate serve` does; tells its URL.
    ///
    /// # Errors
    /// `invalid_argument` for an address that is none, is taken or is reached by others; `store_locked` when another
    /// process has the folder.
    pub(crate) async fn serve(&self, listen: &str) -> Result<String, Error> {
        if matches!(self.kind, Kind::Server(_)) {
            let expected = "a client that runs the runtime in its process";
            return Err(Error::invalid("listen", listen, expected));
        }
        let expected = "ADDRESS:PORT, such as 127.0.0.1:7171";
        let listen = listen.parse().map_err(|_| Error::invalid("listen", listen, expected))?;
        let q = match self.asked().await? {
            Asked::Own(q) => q,
            Asked::Other(_) => {
                let message =
                    "another process has the folder open; it is the one that can answer at an address";
                return Err(Error::new(ErrorKind::StoreLocked, message));
            }
        };
        let server = quorate_http::serve(q, listen, quorate_http::Options::default())?;
        let url = server.addr().map(|address| format!("http://{address}")).unwrap_or_default();
        self.servers.lock().await.push(server);
        Ok(url)
    }

    /// Gives something back in the background; closing waits a moment for it.
    pub(crate) fn later(&self, runtime: &Handle, work: impl Future<Output = ()> + Send + 'static) {
        let mut later = self.later.lock().unwrap_or_else(PoisonError::into_inner);
        later.retain(|task| !task.is_finished());
        later.push(runtime.spawn(work));
    }

    /// Lets go of the folder. Calls are refused from then on.
    ///
    /// # Errors
    /// The fault of the store, when it could not be closed cleanly.
    pub(crate) async fn close(&self) -> Result<(), Error> {
        let later = std::mem::take(&mut *self.later.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async {
            for task in later {
                // One that panicked has given back nothing, and its lease will.
                let _ = task.await;
            }
        };
        // What takes longer lapses by itself.
        let _ = tokio::time::timeout(GIVE_BACK_PATIENCE, all).await;
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let (q, served) = match &self.kind {
            Kind::Server(_) => return Ok(()),
            Kind::Memory(q) => (q.lock().await.take(), None),
            Kind::Folder { owner, .. } => match std::mem::replace(&mut *owner.lock().await, Owner::Unknown) {
                Owner::Own { q, served } => (Some(q), served),
                Owner::Other(_) | Owner::Unknown => (None, None),
            },
        };
        let mut stopped = Ok(());
        for server in std::mem::take(&mut *self.servers.lock().await).into_iter().chain(served.map(|s| *s)) {
            stopped = stopped.and(server.stop().await);
        }
        match q {
            Some(q) => q.close().await.and(stopped),
            None => stopped,
        }
    }
}

impl Way for Place {
    fn once(
        &self,
        op: &'static Operation,
        fields: Map<String, Value>,
    ) -> impl Future<Output = Result<Value, Error>> + Send {
        self.call_once(op, fields)
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::StoreError, "this handle is closed").with("closed", true)
}

fn told(report: &OpenReport) -> Vec<String> {
    let repaired = report.repaired.iter().map(|what| format!("{what}; nothing is lost"));
    let refusal = report.refusal.iter().map(|what| format!("a server will refuse this folder: {what}"));
    report.dropped.iter().map(ToString::to_string).chain(repaired).chain(refusal).collect()
}
