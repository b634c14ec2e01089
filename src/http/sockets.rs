//! The sockets of a door, and which of them give way when most places are taken.
//!
//! ```text
//!  accepted ──► idle ──── head is there ────► busy ──► answered ──► idle
//!                │ for a while, and three quarters of the places are taken
//!                ▼
//!            shut down: its place is free for somebody who has something to say
//! ```
//!
//! A client may take seconds to send a head, and may keep a connection for more than a minute. While there is room that
//! costs nothing. When there is none, as many as come and say nothing would keep everybody else outside for that long,
//! `/healthz` and control with them; so the one that is idle for longest gives way. Sockets that wait for a decision or
//! send a body are busy; they are bounded apart, and never take all places.

use std::any::Any;
use std::collections::BTreeMap;
use std::net::{Shutdown, TcpStream};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quorate_runtime::shell::clock::Stopwatch;
use tokio::sync::Notify;

/// How often a door looks for idle sockets.
pub(super) const EVERY: Duration = Duration::from_millis(100);
/// Who is idle for less may have an answer on its way out, or a head on its way in.
const SPARED: Duration = Duration::from_millis(500);

/// The sockets that are open.
#[derive(Debug)]
pub(super) struct Sockets {
    open: Mutex<BTreeMap<u64, Arc<Socket>>>,
    last: AtomicU64,
    began: Stopwatch,
}

#[derive(Debug)]
struct Socket {
    /// A handle of our own, so that it is this socket that is shut down and no later one of the same number.
    handle: Option<TcpStream>,
    /// Requests under way.
    busy: AtomicUsize,
    /// Since when there are none, in microseconds since the door began.
    idle_since: AtomicU64,
}

impl Default for Sockets {
    fn default() -> Self {
        Sockets { open: Mutex::default(), last: AtomicU64::new(0), began: Stopwatch::start() }
    }
}

/// An open socket, kept with its connection.
#[derive(Debug)]
pub(super) struct Kept {
    sockets: Arc<Sockets>,
    number: u64,
    socket: Arc<Socket>,
    ended: Arc<Ended>,
}

/// Whether whoever is at the other end of a socket sends nothing more.
#[derive(Debug, Default)]
pub(super) struct Ended {
    has: AtomicBool,
    told: Notify,
}

impl Ended {
    /// It sends nothing more.
    pub(super) fn end(&self) {
        self.has.store(true, Ordering::Release);
        self.told.notify_waiters();
    }

    async fn wait(&self) {
        let mut told = pin!(self.told.notified());
        // Heard from before the look on, so that nothing is missed between the two.
        told.as_mut().enable();
        if !self.has.load(Ordering::Acquire) {
            told.await;
        }
    }
}

/// A request on a socket.
#[derive(Debug)]
pub(super) struct Busy {
    sockets: Arc<Sockets>,
    socket: Arc<Socket>,
}

impl Sockets {
    /// A connection has come.
    pub(super) fn accepted(self: &Arc<Self>, connection: &dyn Any, ended: Arc<Ended>) -> Kept {
        let socket = Arc::new(Socket {
            handle: handle_of(connection),
            busy: AtomicUsize::new(0),
            idle_since: AtomicU64::new(self.now()),
        });
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        self.open().insert(number, socket.clone());
        Kept { sockets: self.clone(), number, socket, ended }
    }

    /// How many are open.
    pub(super) fn len(&self) -> usize {
        self.open().len()
    }

    /// Shuts those down that are idle for longest, until no more than so many are left or all others are busy or spared.
    pub(super) fn make_room(&self, most: usize) {
        let now = self.now();
        let open = self.open();
        let too_many = open.len().saturating_sub(most);
        if too_many == 0 {
            return;
        }
        let mut idle: Vec<(u64, Arc<Socket>)> = open
            .values()
            .filter(|socket| socket.busy.load(Ordering::Acquire) == 0)
            .map(|socket| (socket.idle_since.load(Ordering::Acquire), socket.clone()))
            .filter(|(since, _)| Duration::from_micros(now.saturating_sub(*since)) >= SPARED)
            .collect();
        drop(open);
        idle.sort_by_key(|(since, _)| *since);
        for (_, socket) in idle.into_iter().take(too_many) {
            if let Some(handle) = &socket.handle {
                // It may be closed already.
                let _ = handle.shutdown(Shutdown::Both);
            }
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn open(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Arc<Socket>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Ready when whoever is at the other end sends nothing more: it hung up, or it has said all it wants to say and
    /// listens. There is no telling which.
    pub(super) fn over(&self) -> impl Future<Output = ()> + use<> {
        let ended = self.ended.clone();
        async move { ended.wait().await }
    }

    /// A request has come.
    pub(super) fn busy(&self) -> Busy {
        self.socket.busy.fetch_add(1, Ordering::AcqRel);
        Busy { sockets: self.sockets.clone(), socket: self.socket.clone() }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let Busy { sockets, socket } = self;
        // First, so that nobody takes it for idle since long ago.
        socket.idle_since.store(sockets.now(), Ordering::Release);
        socket.busy.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.sockets.open().remove(&self.number);
    }
}

/// A second handle of the socket; none where there are no more files.
#[cfg(unix)]
fn handle_of(connection: &dyn Any) -> Option<TcpStream> {
    use std::os::fd::AsFd;
    let tcp = super::tls::socket_of(connection).map(AsFd::as_fd);
    let local = || connection.downcast_ref::<actix_web::rt::net::UnixStream>().map(AsFd::as_fd);
    // What is done with it is the same for both.
    Some(TcpStream::from(tcp.or_else(local)?.try_clone_to_owned().ok()?))
}

/// Here idle sockets end with their own timeouts.
#[cfg(not(unix))]
fn handle_of(_: &dyn Any) -> Option<TcpStream> {
    None
}
