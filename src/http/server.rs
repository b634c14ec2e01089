//! A listening server on a thread of its own.

use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::rt::System;
use actix_web::{App, HttpServer};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::Door;
use super::browsers::{Names, is_loopback_address};
use super::places::that_fit;
use super::sockets::EVERY;
use quorate_runtime::api::Quorate;
use quorate_runtime::config::ms;
use quorate_runtime::error::{Error, ErrorKind};
#[cfg(unix)]
use quorate_runtime::owner::OwnerSocket;

/// Settings of the door. Checked when the server starts. As a file they have the names of their fields, durations in
/// milliseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Options {
    /// Threads that read requests and write answers, 1 to 256. Default: half the processors, at least 1 (the
    /// runtime needs the others).
    pub workers: usize,
    /// Connections open at the same time per worker, 1 to 1,000,000, default 10,000, and no more than the limit of open
    /// files allows, which is raised as far as it may be. Further ones wait; above three quarters answers close theirs, and
    /// those that say nothing for half a second give way.
    pub max_connections: usize,
    /// Requests that wait until something has come about (`quorum.wait` and the like), 1 to 1,000,000, default 4,096.
    /// Further ones are refused with `overloaded`. As many as there are connections would shut the door for all others, so
    /// it is never more than half of those.
    pub max_waits: usize,
    /// Requests that follow events, 1 to 1,000,000, default 2,048. Further ones are refused with `overloaded`. Never more
    /// than a quarter of the connections.
    pub max_followers: usize,
    /// Bodies of which more is to come, 1 to 1,000,000, default 1,024. Further ones are refused with `overloaded` and
    /// cut off; a body that is there within 100 ms is none of them. Never more than a quarter of the connections.
    pub max_slow_bodies: usize,
    /// Bytes of all of those together, `max_body_bytes` to 1 TiB, default 64 MiB.
    pub max_slow_bytes: usize,
    /// Bytes of one body, 1 KiB to 256 MiB, default 1 MiB. Too small refuses long lists of voters; too large lets
    /// a few clients fill the memory.
    pub max_body_bytes: usize,
    /// How long a client may take to send the head of the first request of a connection, 1 s to 1 h, default 10 s;
    /// may end half a second early.
    #[serde(rename = "head_timeout_ms", with = "ms")]
    pub head_timeout: Duration,
    /// How long a client may take to send a body, 100 ms to 1 h, default 30 s.
    #[serde(rename = "body_timeout_ms", with = "ms")]
    pub body_timeout: Duration,
    /// How long an idle connection is kept, 1 s to 1 h, default 75 s.
    #[serde(rename = "keep_alive_ms", with = "ms")]
    pub keep_alive: Duration,
    /// Serve also where other machines can reach it, although nobody is asked who they are: whoever reaches the address
    /// may do everything. Default false: only an address of the loopback is served.
    pub insecure: bool,
    /// Names under which the server may be called besides those of the loopback (`localhost`, `127.0.0.1`, `[::1]`),
    /// without a port; up to 1,000. An insecure server on another address for which none is listed answers to all.
    pub allowed_hosts: Vec<String>,
    /// How long [`Server::stop`] waits for requests under way, rounded up to seconds; up to 1 h, default 5 s. Who waits
    /// for a decision or a grant is answered at once.
    #[serde(rename = "stop_timeout_ms", with = "ms")]
    pub stop_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Options {
            workers: (processors / 2).clamp(1, 256),
            max_connections: 10_000,
            max_waits: 4_096,
            max_followers: 2_048,
            max_slow_bodies: 1_024,
            max_slow_bytes: 64 << 20,
            max_body_bytes: 1 << 20,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            keep_alive: Duration::from_secs(75),
            insecure: false,
            allowed_hosts: Vec::new(),
            stop_timeout: Duration::from_secs(5),
        }
    }
}

impl Options {
    /// Checks every number.
    ///
    /// # Errors
    /// `invalid_argument` naming the first option out of bounds, its value and its range.
    pub fn check(&self) -> Result<(), Error> {
        let ms = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        let hour = 3_600_000;
        let bounds: [(&str, u64, u64, u64); 11] = [
            ("workers", self.workers as u64, 1, 256),
            ("max_connections", self.max_connections as u64, 1, 1_000_000),
            ("max_waits", self.max_waits as u64, 1, 1_000_000),
            ("max_followers", self.max_followers as u64, 1, 1_000_000),
            ("max_slow_bodies", self.max_slow_bodies as u64, 1, 1_000_000),
            ("max_body_bytes", self.max_body_bytes as u64, 1 << 10, 256 << 20),
            ("max_slow_bytes", self.max_slow_bytes as u64, self.max_body_bytes as u64, 1 << 40),
            ("head_timeout_ms", ms(self.head_timeout), 1_000, hour),
            ("body_timeout_ms", ms(self.body_timeout), 100, hour),
            ("keep_alive_ms", ms(self.keep_alive), 1_000, hour),
            ("stop_timeout_ms", ms(self.stop_timeout), 0, hour),
        ];
        for (option, value, low, high) in bounds {
            if value < low || value > high {
                return Err(Error::invalid(option, value, &format!("{low} to {high}")));
            }
        }
        match self.allowed_hosts.len() {
            0..=MAX_HOSTS => {}
            more => return Err(Error::invalid("allowed_hosts", more, &format!("up to {MAX_HOSTS} names"))),
        }
        let is_name = |name: &&String| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'/' | b'@' | b','))
        };
        match self.allowed_hosts.iter().find(|name| !is_name(name)) {
            Some(name) => {
                Err(Error::invalid("allowed_hosts", name.as_str(), "a name or an address, without a port"))
            }
            None => Ok(()),
        }
    }

    /// The names to which a server on this address answers.
    ///
    /// # Errors
    /// `invalid_argument` for an address that others reach, unless it is served insecurely.
    fn names(&self, listen: SocketAddr) -> Result<Names, Error> {
        if is_loopback_address(listen.ip()) {
            return Ok(Names::Loopback(self.allowed_hosts.clone()));
        }
        if !self.insecure {
            let expected = "an address of the loopback, such as 127.0.0.1:7171: this server does not ask who calls, so \
                            whoever reached another address could do everything. Put what knows its callers in front of \
                            it, or say --insecure to serve everybody";
            return Err(Error::invalid("listen", listen.to_string(), expected));
        }
        match self.allowed_hosts.as_slice() {
            [] => Ok(Names::Any),
            names => Ok(Names::Loopback(names.to_vec())),
        }
    }
}

/// Most names a server may be called by.
const MAX_HOSTS: usize = 1_000;

/// Where a server listens. A [`TcpListener`] is an address alone.
#[derive(Debug, Default)]
pub struct Listeners {
    /// An address, taken by [`bind`].
    pub address: Option<TcpListener>,
    /// The socket of the data folder that this process has opened, for processes of the same user that name the folder.
    #[cfg(unix)]
    pub folder: Option<OwnerSocket>,
}

impl From<TcpListener> for Listeners {
    fn from(address: TcpListener) -> Self {
        Listeners { address: Some(address), ..Listeners::default() }
    }
}

/// A running server. Dropping it stops it without waiting; [`Server::stop`] waits.
#[derive(Debug)]
pub struct Server {
    addr: Option<SocketAddr>,
    door: Door,
    handle: ServerHandle,
    ended: oneshot::Receiver<Result<(), Error>>,
    /// How it ended, once that is known.
    outcome: Option<Result<(), Error>>,
}

/// Starts a server for this runtime, and returns once the address is taken: from then on clients may connect.
///
/// Port 0 takes a free port; [`Server::addr`] tells which. The server runs on threads of its own and handles no
/// signals; stopping it leaves the runtime open.
///
/// # Errors
/// `invalid_argument` for an option out of bounds, for an address that cannot be listened on, such as one that is
/// taken, and for one that other machines reach, unless the options say that this is meant; `store_error` when there is no
/// thread to be had.
pub fn serve(q: Quorate, listen: SocketAddr, options: Options) -> Result<Server, Error> {
    serve_on(q, bind(listen, &options)?, options)
}

/// Takes an address to listen on. Clients may connect from then on, and wait for [`serve_on`].
///
/// # Errors
/// `invalid_argument` for an option out of bounds, for an address that cannot be listened on, such as one that is
/// taken, and for one that other machines reach, unless the options say that this is meant.
pub fn bind(listen: SocketAddr, options: &Options) -> Result<TcpListener, Error> {
    options.check()?;
    options.names(listen)?;
    TcpListener::bind(listen).map_err(|e| refused(listen, &e))
}

fn refused(listen: SocketAddr, error: &std::io::Error) -> Error {
    Error::invalid("listen", listen.to_string(), "an address that is free here")
        .with("cause", error.to_string())
}

/// The same as [`serve`] on an address that was taken before, in a data folder, or both.
///
/// # Errors
/// `invalid_argument` for an option out of bounds, and for an address that other machines reach, unless the options say
/// that this is meant; `store_error` when there is no thread to be had.
pub fn serve_on(q: Quorate, listeners: impl Into<Listeners>, options: Options) -> Result<Server, Error> {
    options.check()?;
    let listeners = listeners.into();
    let unusable = |e: std::io::Error| {
        Error::new(ErrorKind::StoreError, format!("the address cannot be listened on. cause={e}"))
    };
    let addr = listeners.address.as_ref().map(TcpListener::local_addr).transpose().map_err(unusable)?;
    let options = that_fit(options);
    let names = addr.map_or(Ok(Names::Loopback(Vec::new())), |addr| options.names(addr))?;
    let door = Door::under(q, &options, names);
    let served = door.clone();
    let (up, started) = mpsc::channel();
    let (down, ended) = oneshot::channel();
    std::thread::Builder::new()
        .name("quorate-http".into())
        .spawn(move || {
            // The waiting side may be gone; then nobody wants to know.
            let _ = down.send(run(served, listeners, &options, &up));
        })
        .map_err(|e| Error::new(ErrorKind::StoreError, format!("no thread for the server. cause={e}")))?;
    match started.recv() {
        Ok(Ok(handle)) => Ok(Server { addr, door, handle, ended, outcome: None }),
        Ok(Err(e)) => Err(unusable(e)),
        Err(mpsc::RecvError) => Err(Error::new(ErrorKind::StoreError, "the server ended while it started")),
    }
}

fn run(
    door: Door,
    listeners: Listeners,
    options: &Options,
    up: &mpsc::Sender<std::io::Result<ServerHandle>>,
) -> Result<(), Error> {
    let stop_seconds = options.stop_timeout.as_millis().div_ceil(1000);
    let places = door.places();
    let (looked_at, bounds) = (door.places(), options.clone());
    System::new().block_on(async move {
        // Ends with the system.
        actix_web::rt::spawn(async move {
            let mut looks = tokio::time::interval(EVERY);
            loop {
                looks.tick().await;
                looked_at.make_room(&bounds);
            }
        });
        let server = HttpServer::new(move || App::new().configure(|app| door.configure(app)))
            .workers(options.workers)
            .max_connections(options.max_connections)
            .on_connect(move |connection, kept| {
                kept.insert(places.sockets.accepted(connection));
            })
            .client_request_timeout(options.head_timeout)
            .keep_alive(options.keep_alive)
            // Who hangs up while waiting is noticed, and gives the place to somebody else.
            .h1_allow_half_closed(false)
            .shutdown_timeout(u64::try_from(stop_seconds).unwrap_or(u64::MAX))
            .disable_signals();
        let server = match listeners.address {
            Some(address) => server.listen(address),
            None => Ok(server),
        };
        // The socket is removed when this ends.
        #[cfg(unix)]
        let folder = listeners.folder;
        #[cfg(unix)]
        let server = server.and_then(|server| match &folder {
            Some(socket) => server.listen_uds(socket.listener()?),
            None => Ok(server),
        });
        let server = match server {
            Ok(server) => server.run(),
            Err(e) => {
                // Whoever started the server waits for this, unless it is gone.
                let _ = up.send(Err(e));
                return Ok(());
            }
        };
        let _ = up.send(Ok(server.handle()));
        let ended = server.await;
        ended.map_err(|e| Error::new(ErrorKind::StoreError, format!("the server ended. cause={e}")))
    })
}

impl Server {
    /// The address it listens on, if any.
    pub fn addr(&self) -> Option<SocketAddr> {
        self.addr
    }

    /// Stops: no new connections, who waits for a decision or a grant is answered with 503 at once, other requests under
    /// way are answered, for as long as the options say. Returns when the server's threads are done.
    ///
    /// # Errors
    /// `store_error` when the server had ended by itself, with the cause.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.door.end_waits();
        self.handle.stop(true).await;
        self.ended().await
    }

    /// Waits until the server ends by itself or is stopped. May be asked again, also after it was cut short.
    ///
    /// # Errors
    /// `store_error` with the cause when it ended by itself.
    pub async fn ended(&mut self) -> Result<(), Error> {
        if let Some(outcome) = &self.outcome {
            return outcome.clone();
        }
        let outcome = match (&mut self.ended).await {
            Ok(ended) => ended,
            Err(_) => Err(Error::new(ErrorKind::StoreError, "the server's thread died")),
        };
        self.outcome = Some(outcome.clone());
        outcome
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.door.end_waits();
        // The command is sent here; only its completion would be waited for.
        drop(self.handle.stop(true));
    }
}
