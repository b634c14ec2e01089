//! A listening server on a thread of its own.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use actix_server::ServerHandle;
use actix_web::rt::System;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::Door;
use super::browsers::{Names, is_loopback_address};
use super::listen;
use super::places::that_fit;
use super::sockets::EVERY;
use super::tls::{self, Proven};
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
    /// Connections of one address of another machine, 1 to 1,000,000, default 2,048, and never more than a quarter of all.
    /// Further ones are told `share_exceeded` and closed; over TLS they are closed. Where many clients come through one proxy
    /// this is the bound of all of them together.
    pub max_connections_each: usize,
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
    /// Requests under way, besides those that wait, of one client: an identity, or an address of another machine; 1 to
    /// 1,000,000, default 512. Further ones are refused with `share_exceeded`. Programs of this machine that say no name
    /// are not bounded so.
    pub max_requests_each: usize,
    /// Requests of one client that are worked on at the same time, 1 to 1,000,000, default 8; the others that it has under way
    /// stand in line. Too large: others wait for all of them. Too small: where the disk is slow, few of its requests are put
    /// on record together.
    pub max_turns_each: usize,
    /// Requests of one client that wait, 1 to 1,000,000, default 1,024.
    pub max_waits_each: usize,
    /// Requests of one client that follow events, 1 to 1,000,000, default 512.
    pub max_followers_each: usize,
    /// Bodies of one client of which more is to come, 1 to 1,000,000, default 256.
    pub max_slow_bodies_each: usize,
    /// Bytes of all bodies of which more is to come, `max_body_bytes` to 1 TiB, default 64 MiB.
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
    /// Serve also where other machines can reach it, although there is no identity and so nobody is asked who they are:
    /// whoever reaches the address may do everything. Default false: without identities only an address of the loopback is
    /// served.
    pub insecure: bool,
    /// The certificate by which the door proves its name, and those that vouch for it, in PEM. With it, and its key, the
    /// door speaks TLS alone.
    pub tls_cert: Option<PathBuf>,
    /// The private key of that certificate, in PEM.
    pub tls_key: Option<PathBuf>,
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
            max_connections_each: 2_048,
            max_waits: 4_096,
            max_followers: 2_048,
            max_slow_bodies: 1_024,
            max_slow_bytes: 64 << 20,
            max_requests_each: 512,
            max_turns_each: 8,
            max_waits_each: 1_024,
            max_followers_each: 512,
            max_slow_bodies_each: 256,
            max_body_bytes: 1 << 20,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            keep_alive: Duration::from_secs(75),
            insecure: false,
            tls_cert: None,
            tls_key: None,
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
        let bounds: [(&str, u64, u64, u64); 17] = [
            ("workers", self.workers as u64, 1, 256),
            ("max_connections", self.max_connections as u64, 1, 1_000_000),
            ("max_connections_each", self.max_connections_each as u64, 1, 1_000_000),
            ("max_waits", self.max_waits as u64, 1, 1_000_000),
            ("max_followers", self.max_followers as u64, 1, 1_000_000),
            ("max_slow_bodies", self.max_slow_bodies as u64, 1, 1_000_000),
            ("max_requests_each", self.max_requests_each as u64, 1, 1_000_000),
            ("max_turns_each", self.max_turns_each as u64, 1, 1_000_000),
            ("max_waits_each", self.max_waits_each as u64, 1, 1_000_000),
            ("max_followers_each", self.max_followers_each as u64, 1, 1_000_000),
            ("max_slow_bodies_each", self.max_slow_bodies_each as u64, 1, 1_000_000),
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

    /// May this address be served?
    ///
    /// # Errors
    /// `invalid_argument` for an address that others reach while nobody is asked who they are, unless the options say that
    /// this is meant.
    pub fn check_listen(&self, listen: SocketAddr, knows_identities: bool) -> Result<(), Error> {
        if is_loopback_address(listen.ip()) || self.insecure || knows_identities {
            return Ok(());
        }
        let expected = "an address of the loopback, such as 127.0.0.1:7171: there is no identity yet, so nobody is asked who \
                        they are, and whoever reached another address could do everything. Make one first (`quorate \
                        identity create --name root --scopes admin --data DIR`), or say --insecure to serve everybody";
        Err(Error::invalid("listen", listen.to_string(), expected))
    }

    /// The names to which a server on this address answers.
    ///
    /// # Errors
    /// As [`Options::check_listen`].
    fn names(&self, listen: SocketAddr, knows_identities: bool) -> Result<Names, Error> {
        self.check_listen(listen, knows_identities)?;
        if is_loopback_address(listen.ip()) {
            return Ok(Names::Loopback(self.allowed_hosts.clone()));
        }
        match self.allowed_hosts.as_slice() {
            [] => Ok(Names::Any),
            names => Ok(Names::Loopback(names.to_vec())),
        }
    }
}

/// The files of the certificate are looked at after so many looks at the connections.
const FILES_AFTER: u64 = 10;

fn read_again(proven: &Proven) {
    match proven.look() {
        Ok(false) => {}
        Ok(true) => tracing::info!("the certificate was read again"),
        Err(error) => tracing::error!(%error, "the certificate stays what it was"),
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
    scheme: &'static str,
    door: Door,
    handle: ServerHandle,
    proven: Option<Arc<Proven>>,
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
/// taken, and for one that other machines reach while there are no identities, unless the options say that this is meant;
/// `store_error` when there is no thread to be had.
pub fn serve(q: Quorate, listen: SocketAddr, options: Options) -> Result<Server, Error> {
    options.check_listen(listen, q.knows_identities())?;
    serve_on(q, bind(listen, &options)?, options)
}

/// Takes an address to listen on. Clients may connect from then on, and wait for [`serve_on`].
///
/// # Errors
/// `invalid_argument` for an option out of bounds, for a certificate or key that is none, and for an address that cannot
/// be listened on, such as one that is taken.
pub fn bind(listen: SocketAddr, options: &Options) -> Result<TcpListener, Error> {
    options.check()?;
    tls::settings(options)?;
    TcpListener::bind(listen).map_err(|e| refused(listen, &e))
}

fn refused(listen: SocketAddr, error: &std::io::Error) -> Error {
    Error::invalid("listen", listen.to_string(), "an address that is free here")
        .with("cause", error.to_string())
}

/// The same as [`serve`] on an address that was taken before, in a data folder, or both.
///
/// # Errors
/// `invalid_argument` for an option out of bounds, for a certificate or key that is none, and for an address that other
/// machines reach while there are no identities, unless the options say that this is meant; `store_error` when there is no thread to be had.
pub fn serve_on(q: Quorate, listeners: impl Into<Listeners>, options: Options) -> Result<Server, Error> {
    options.check()?;
    let listeners = listeners.into();
    let unusable = |e: std::io::Error| {
        Error::new(ErrorKind::StoreError, format!("the address cannot be listened on. cause={e}"))
    };
    let addr = listeners.address.as_ref().map(TcpListener::local_addr).transpose().map_err(unusable)?;
    let options = that_fit(options);
    let knows = q.knows_identities();
    let names = addr.map_or(Ok(Names::Loopback(Vec::new())), |addr| options.names(addr, knows))?;
    let encrypted = tls::settings(&options)?;
    let scheme = if encrypted.is_some() { "https" } else { "http" };
    let proven = encrypted.as_ref().map(|(_, proven)| proven.clone());
    let door = Door::under(q, &options, names);
    let served = door.clone();
    let (up, started) = mpsc::channel();
    let (down, ended) = oneshot::channel();
    std::thread::Builder::new()
        .name("quorate-http".into())
        .spawn(move || {
            // The waiting side may be gone; then nobody wants to know.
            let _ = down.send(run(served, listeners, encrypted, &options, &up));
        })
        .map_err(|e| Error::new(ErrorKind::StoreError, format!("no thread for the server. cause={e}")))?;
    match started.recv() {
        Ok(Ok(handle)) => Ok(Server { addr, scheme, door, handle, proven, ended, outcome: None }),
        Ok(Err(e)) => Err(unusable(e)),
        Err(mpsc::RecvError) => Err(Error::new(ErrorKind::StoreError, "the server ended while it started")),
    }
}

fn run(
    door: Door,
    listeners: Listeners,
    encrypted: Option<(rustls::ServerConfig, Arc<Proven>)>,
    options: &Options,
    up: &mpsc::Sender<std::io::Result<ServerHandle>>,
) -> Result<(), Error> {
    let (looked_at, bounds) = (door.places(), options.clone());
    let proven = encrypted.as_ref().map(|(_, proven)| proven.clone());
    let encrypted = encrypted.map(|(settings, _)| settings);
    System::new().block_on(async move {
        // Ends with the system.
        actix_web::rt::spawn(async move {
            let mut looks = tokio::time::interval(EVERY);
            for count in 1_u64.. {
                looks.tick().await;
                looked_at.make_room(&bounds);
                if let Some(proven) = proven.as_ref().filter(|_| count.is_multiple_of(FILES_AFTER)) {
                    read_again(proven);
                }
            }
        });
        // The socket of the folder is removed when this ends.
        let mut listeners = listeners;
        let server = match listen::start(&door, &mut listeners, encrypted, options) {
            Ok(server) => server,
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

    /// Where clients find it, such as `http://127.0.0.1:7171`, if it listens on an address.
    pub fn url(&self) -> Option<String> {
        self.addr.map(|addr| format!("{}://{addr}", self.scheme))
    }

    /// Reads the certificate and its key again if their files have changed, as happens once a second anyway. While they do
    /// not fit together the former ones go on, and the log says why.
    pub fn read_certificate(&self) {
        if let Some(proven) = &self.proven {
            read_again(proven);
        }
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
