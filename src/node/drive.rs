//! The socket, the clock and the thread of a node.

use std::collections::{BTreeSet, VecDeque};
use std::net::{SocketAddr, TcpListener, UdpSocket as StdSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::{UdpSocket, lookup_host};
use tokio::sync::{oneshot, watch};
use tokio::time::MissedTickBehavior;

use super::carry::{FrameCounters, serve, way};
use super::config::NodeConfig;
use super::disk::Disk;
use super::engine::{Engine, Sent, ring};
use super::view;
use quorate_core::kernel::ids::EntityId;
use quorate_core::kernel::time::Timestamp;
use quorate_core::network::member::LocalNode;
use quorate_core::network::member::record::Notebook;
use quorate_runtime::api::Quorate;
use quorate_runtime::api::dto::{MemberList, MemberMetrics, MemberValidation};
use quorate_runtime::api::member::{MemberSource, Own, Seen};
use quorate_runtime::error::{Error, ErrorKind};
use quorate_runtime::shell::clock::{Clock, Stopwatch};

/// Datagrams that are taken before timers are looked at again.
const BATCH: usize = 256;
/// Datagrams that wait because they came from where no member was heard …
const STRANGERS: usize = 512;
/// … and of which so many are opened before those of members are looked at again.
const STRANGERS_AT_ONCE: usize = 32;
/// Addresses at which members were heard.
const MAX_KNOWN: usize = 16_384;
/// One byte more than a datagram may have, so that a longer one is seen to be.
const BUFFER_BYTES: usize = super::seal::MAX_SEALED_BYTES + 1;
/// What waits in the system for this node, if the system allows it: a burst is no loss.
#[cfg(unix)]
const SOCKET_BYTES: usize = 4 << 20;
/// Ports that are tried where any will do.
const PORTS_TRIED: usize = 32;
const LOOK: Duration = Duration::from_secs(1);
/// Between two looks of who waits for an answer.
const JOIN_LOOK: Duration = Duration::from_millis(20);
/// Looks between two saves, and between two looks at names of those to join.
const SAVE_LOOKS: u64 = 10;
/// A node that nobody answered says so after so many looks, and then ten times as many.
const ALONE_LOOKS: u64 = 5;
/// A node that falls is started again so many times …
const RESTARTS: u64 = 5;
/// … unless it ran so long in between.
const RAN_WELL: Duration = Duration::from_secs(600);

/// Who comes first when more comes than can be opened: a flood from elsewhere must not crowd out the members. The address
/// decides about nothing else, for whoever can write another one's on a datagram comes first, too.
#[derive(Default)]
struct Queue {
    known: BTreeSet<SocketAddr>,
    strangers: VecDeque<(SocketAddr, Vec<u8>)>,
}

/// What the thread and those who ask share.
pub(crate) struct Shared {
    engine: Mutex<Engine>,
    clock: Clock,
    notebook: Arc<Mutex<Notebook>>,
    frames: Mutex<FrameCounters>,
}

impl Shared {
    /// What is counted of connections.
    pub(crate) fn frames(&self) -> MutexGuard<'_, FrameCounters> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn engine(&self) -> MutexGuard<'_, Engine> {
        // What a fall left behind is replaced before anybody acts on it.
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemberSource for Shared {
    fn list(&self) -> MemberList {
        view::list(self.engine().membership(), self.clock.now())
    }

    fn metrics(&self) -> MemberMetrics {
        view::metrics(&self.engine(), &self.frames())
    }

    fn validate(&self) -> MemberValidation {
        view::validate(self.engine().membership())
    }

    fn notebook(&self) -> Arc<Mutex<Notebook>> {
        self.notebook.clone()
    }

    fn own(&self) -> Own {
        let engine = self.engine();
        let me = engine.membership();
        Own { node: me.id().into(), role: me.role(), datacenter: me.datacenter().into() }
    }

    fn seen(&self) -> Vec<Seen> {
        let (engine, now) = (self.engine(), self.clock.now());
        let coordinates = engine.membership().coordinates();
        let far = |id| coordinates.get_peer_coordinate(id).map(|_| coordinates.estimate_rtt_ucb_ms(id, now));
        let seen = engine.membership().members().map(|(id, member)| Seen {
            node: id.into(),
            role: member.role(),
            datacenter: member.datacenter().map(EntityId::from),
            state: member.state(),
            incarnation: member.incarnation(),
            addr: member.address().to_string(),
            rtt_ucb_ms: far(id),
            quality: coordinates.coordinate_quality(id, now),
        });
        seen.collect()
    }
}

/// A running node. Dropping it lets it leave without waiting for that; [`Node::leave`] waits.
///
/// ```no_run
/// use quorate_core::network::member::NodeRole;
/// use quorate_node::{KeyRing, Node, NodeConfig};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// KeyRing::create("keys".as_ref())?;
/// let listen = ([127, 0, 0, 1], 0).into();
/// let first = Node::start(NodeConfig::new(NodeRole::Manager, "paris", "one", listen, "keys"))?;
/// let join = vec![first.address().to_string()];
/// let second = Node::start(NodeConfig { join, ..NodeConfig::new(NodeRole::Worker, "paris", "two", listen, "keys") })?;
/// for member in second.list().members {
///     println!("{} {}", member.node_id, member.state);
/// }
/// # Ok(()) }
/// ```
pub struct Node {
    shared: Arc<Shared>,
    bound: SocketAddr,
    name: String,
    stop: watch::Sender<bool>,
    ended: Option<oneshot::Receiver<Result<(), Error>>>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("name", &self.name).field("address", &self.bound).finish_non_exhaustive()
    }
}

/// Binds a UDP address. One of any port gets a number whose TCP port is free, too: the messages of jobs come there.
fn bind(listen: SocketAddr) -> std::io::Result<StdSocket> {
    let mut refused = None;
    for _ in 0..PORTS_TRIED {
        let socket = StdSocket::bind(listen)?;
        if listen.port() != 0 {
            return Ok(socket);
        }
        match TcpListener::bind(socket.local_addr()?) {
            Ok(_) => return Ok(socket),
            Err(error) => refused = Some(error),
        }
    }
    Err(refused.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into()))
}

impl Node {
    /// Starts a node on a thread of its own, and returns once it listens; whom it joins answers later. It needs no async
    /// runtime.
    ///
    /// # Errors
    /// `invalid_argument` for a setting out of bounds, a key file that is none, an address that cannot be listened on;
    /// `store_locked` while another node runs in the folder; `store_corrupt` and `store_error` of its files.
    pub fn start(config: NodeConfig) -> Result<Self, Error> {
        config.check()?;
        ring(&config)?;
        let disk = Arc::new(Disk::open(&config.data)?);
        let taken = |e: &std::io::Error| {
            let expected = "a UDP address that is free here";
            Error::invalid("listen", config.listen.to_string(), expected).with("cause", e.to_string())
        };
        let socket = bind(config.listen).map_err(|e| taken(&e))?;
        socket.set_nonblocking(true).map_err(|e| taken(&e))?;
        #[cfg(unix)]
        if let Err(error) = rustix::net::sockopt::set_socket_recv_buffer_size(&socket, SOCKET_BYTES) {
            tracing::debug!(%error, "the socket keeps its buffer");
        }
        let bound = socket.local_addr().map_err(|e| taken(&e))?;
        let me = config.local(&disk, bound)?;
        let name = me.id.to_string();
        let clock = Clock::system(Timestamp::EPOCH, None);
        let config = Arc::new(config);
        let notebook = Arc::new(Mutex::new(Notebook::new(me.id.clone())));
        let (engine, first) =
            Engine::open(&me, config.clone(), disk.clone(), notebook.clone(), 0, clock.now())?;
        let shared =
            Arc::new(Shared { engine: Mutex::new(engine), clock, notebook, frames: Mutex::default() });
        let (stop, stopped) = watch::channel(false);
        let (end, ended) = oneshot::channel();
        let thread = Supervised { shared: shared.clone(), me, config, disk, stopped };
        let no_thread = |e| Error::new(ErrorKind::StoreError, format!("no thread for the node. cause={e}"));
        let thread = std::thread::Builder::new()
            .name("quorate-node".into())
            .spawn(move || {
                // Nobody may wait for it.
                let _ = end.send(thread.run(&socket, first));
            })
            .map_err(no_thread)?;
        tracing::info!(%name, address = %bound, "this node listens");
        Ok(Node { shared, bound, name, stop, ended: Some(ended), thread: Some(thread) })
    }

    /// The UDP address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.bound
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who is there, as this node sees it.
    pub fn list(&self) -> MemberList {
        self.shared.list()
    }

    /// How it is doing.
    pub fn metrics(&self) -> MemberMetrics {
        self.shared.metrics()
    }

    /// Whether what it keeps hangs together.
    pub fn validate(&self) -> MemberValidation {
        self.shared.validate()
    }

    /// What the operations of a runtime ask; see [`Members::attach`](quorate_runtime::api::member::Members::attach).
    pub fn source(&self) -> Arc<dyn MemberSource> {
        self.shared.clone()
    }

    /// Lets the operations of a runtime ask this node, puts on record there what happens to its members, and carries the
    /// messages of its jobs from now on: those for other nodes go over the network, and what comes from there is delivered. It
    /// listens at the TCP port of the number of its UDP port. A runtime that has a node already stays as it is.
    ///
    /// # Errors
    /// `invalid_argument` for an address that cannot be listened on, `store_error` where there is no thread.
    pub fn attach(&self, q: &Quorate) -> Result<(), Error> {
        let taken = |e: &std::io::Error| {
            let expected = "an address whose TCP port is free here, too";
            Error::invalid("listen", self.bound.to_string(), expected).with("cause", e.to_string())
        };
        let listener = TcpListener::bind(self.bound).map_err(|e| taken(&e))?;
        listener.set_nonblocking(true).map_err(|e| taken(&e))?;
        let no_thread = |cause: &dyn std::fmt::Display| {
            Error::new(ErrorKind::StoreError, format!("no thread for messages. cause={cause}"))
        };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| no_thread(&e))?;
        let handle = runtime.handle().clone();
        let way = way(self.shared.clone(), self.name.clone(), handle).map_err(|e| no_thread(&e))?;
        if !q.members().attach(self.source()) {
            return Ok(());
        }
        q.members().carry_by(Arc::new(way));
        let (shared, mailbox, stopped) = (self.shared.clone(), q.mailbox(), self.stop.subscribe());
        std::thread::Builder::new()
            .name("quorate-node-messages".into())
            .spawn(move || {
                if let Err(error) = runtime.block_on(serve(listener, shared, mailbox, stopped)) {
                    tracing::error!(%error, "this node takes no messages of jobs any more");
                }
            })
            .map_err(|e| no_thread(&e))?;
        Ok(())
    }

    /// Waits until somebody answered and nobody else was found to have its name, at most so long. It is for a node that joins
    /// others, before it does anything under its name; to wait in vain is no error.
    ///
    /// # Errors
    /// `node_name_taken` with the address of the other one; and as [`Node::ended`].
    pub async fn joined(&mut self, longest: Duration) -> Result<(), Error> {
        let since = Stopwatch::start();
        while since.elapsed() < longest {
            let (is_taken, is_settled) = {
                let engine = self.shared.engine();
                let me = engine.membership();
                (me.taken_by().is_some(), !engine.is_alone() && !me.asks_for_its_name())
            };
            if is_taken {
                return self.ended().await;
            }
            if is_settled {
                break;
            }
            tokio::time::sleep(JOIN_LOOK).await;
        }
        Ok(())
    }

    /// Waits until the node has ended, which it does by itself only when it fell too often.
    ///
    /// # Errors
    /// `store_error` with what made it fall; `node_name_taken` where a node of its name was there first.
    pub async fn ended(&mut self) -> Result<(), Error> {
        match &mut self.ended {
            Some(ended) => {
                let how = ended.await.unwrap_or_else(|_| Err(fallen("its thread is gone")));
                self.ended = None;
                how
            }
            None => Ok(()),
        }
    }

    /// Lets its thread fall at its next timer.
    #[cfg(test)]
    pub(crate) fn fall(&self) {
        self.shared.engine().falls = true;
    }

    /// Tells the others that it leaves, keeps whom it knew, and ends.
    ///
    /// # Errors
    /// As [`Node::ended`].
    pub async fn leave(mut self) -> Result<(), Error> {
        self.stop.send_replace(true);
        let how = self.ended().await;
        if let Some(thread) = self.thread.take() {
            // It has said how it ended; now its socket and its lock are let go of.
            let _ = thread.join();
        }
        how
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

fn fallen(why: &str) -> Error {
    Error::new(ErrorKind::StoreError, format!("the node fell. cause={why}"))
}

/// The thread: it runs the node, and starts it again when it falls.
struct Supervised {
    shared: Arc<Shared>,
    me: LocalNode,
    config: Arc<NodeConfig>,
    disk: Arc<Disk>,
    stopped: watch::Receiver<bool>,
}

impl Supervised {
    fn run(mut self, socket: &StdSocket, mut first: Sent) -> Result<(), Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| fallen(&e.to_string()))?;
        let (mut falls, mut restarts) = (0, 0);
        loop {
            let since = Stopwatch::start();
            let sent = std::mem::take(&mut first);
            let run = || runtime.block_on(self.drive(socket, sent));
            let fall = match catch_unwind(AssertUnwindSafe(run)) {
                Ok(ended) => return ended,
                Err(fall) => fall,
            };
            let why = fall.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let why = why.or_else(|| fall.downcast_ref::<String>().cloned()).unwrap_or_default();
            falls = if since.elapsed() > RAN_WELL { 1 } else { falls + 1 };
            restarts += 1;
            if falls > RESTARTS {
                tracing::error!(why, falls, "this node fell too often and ends");
                return Err(fallen(&why));
            }
            tracing::error!(why, falls, "this node fell; it begins again with what it keeps on disk");
            std::thread::sleep(LOOK * u32::try_from(falls).unwrap_or(1));
            let now = self.shared.clock.now();
            let notebook = self.shared.notebook.clone();
            let (engine, sent) =
                Engine::open(&self.me, self.config.clone(), self.disk.clone(), notebook, restarts, now)?;
            *self.shared.engine() = engine;
            first = sent;
        }
    }

    async fn drive(&mut self, socket: &StdSocket, first: Sent) -> Result<(), Error> {
        let socket = socket.try_clone().and_then(UdpSocket::from_std).map_err(|e| fallen(&e.to_string()))?;
        self.send(&socket, first);
        let mut seeds = self.join(&socket, Vec::new()).await;
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looks = 0;
        let mut buffer = [0; BUFFER_BYTES];
        let mut queue = Queue::default();
        while !*self.stopped.borrow() {
            let due = self.shared.engine().due();
            let wait = due.map_or(LOOK, |due| due.since(self.shared.clock.now()));
            let wait = if queue.strangers.is_empty() { wait } else { Duration::ZERO };
            tokio::select! {
                ready = socket.readable() => if ready.is_ok() {
                    self.receive(&socket, &mut buffer, &mut queue);
                },
                () = tokio::time::sleep(wait) => self.open_some(&socket, &mut queue),
                _ = look.tick() => {
                    looks += 1;
                    seeds = self.look(&socket, looks, seeds).await;
                }
                // Without a sender nobody can say stop any more, and the node leaves.
                changed = self.stopped.changed() => if changed.is_err() { break },
            }
            // It says no goodbye: that would be taken for one of the node whose name it is.
            self.name_is_free()?;
        }
        let sent = self.shared.engine().leave(self.shared.clock.now());
        self.send(&socket, sent);
        tracing::info!("this node has left");
        Ok(())
    }

    /// # Errors
    /// `node_name_taken`.
    fn name_is_free(&self) -> Result<(), Error> {
        let engine = self.shared.engine();
        let Some(address) = engine.membership().taken_by() else { return Ok(()) };
        let name = engine.membership().id();
        let message = format!("a node of this name is there already. name={name}, address={address}");
        Err(Error::new(ErrorKind::NodeNameTaken, message)
            .with("field", "name")
            .with("given", name.as_str())
            .with("address", address.to_string()))
    }

    fn receive(&self, socket: &UdpSocket, buffer: &mut [u8], queue: &mut Queue) {
        for _ in 0..BATCH {
            // An error is the echo of what was sent to nobody; the next datagram is another matter.
            let Ok((length, from)) = socket.try_recv_from(buffer) else { break };
            let bytes = &buffer[..length];
            if queue.known.contains(&from) {
                self.open(socket, bytes);
            } else if queue.strangers.len() < STRANGERS {
                queue.strangers.push_back((from, bytes.to_vec()));
            } else {
                self.shared.engine().crowd_out();
            }
        }
        self.open_some(socket, queue);
    }

    /// Opens some of what strangers sent, and does what is due.
    fn open_some(&self, socket: &UdpSocket, queue: &mut Queue) {
        for _ in 0..STRANGERS_AT_ONCE {
            let Some((from, bytes)) = queue.strangers.pop_front() else { break };
            if self.open(socket, &bytes) {
                if queue.known.len() >= MAX_KNOWN {
                    queue.known.clear();
                }
                queue.known.insert(from);
            }
        }
        let now = self.shared.clock.now();
        if self.shared.engine().due().is_some_and(|due| due <= now) {
            let sent = self.shared.engine().timer(now);
            self.send(socket, sent);
        }
    }

    /// Did a member send it?
    fn open(&self, socket: &UdpSocket, bytes: &[u8]) -> bool {
        let (sent, is_member) = self.shared.engine().datagram(bytes, self.shared.clock.now());
        self.send(socket, sent);
        is_member
    }

    fn send(&self, socket: &UdpSocket, sent: Sent) {
        for (to, bytes) in sent {
            // As on any network: what is lost is sent again by those who miss it.
            if socket.try_send_to(&bytes, to).is_err() {
                self.shared.engine().not_sent();
            }
        }
    }

    async fn look(&self, socket: &UdpSocket, looks: u64, seeds: Vec<SocketAddr>) -> Vec<SocketAddr> {
        let sent = self.shared.engine().look(self.shared.clock.now());
        self.send(socket, sent);
        if looks.is_multiple_of(SAVE_LOOKS) {
            self.shared.engine().save();
        }
        if self.config.join.is_empty() || !self.shared.engine().is_alone() {
            return seeds;
        }
        if looks == ALONE_LOOKS || looks.is_multiple_of(ALONE_LOOKS * 10) {
            let asked = self.config.join.join(", ");
            let file = self.config.key_file.display();
            tracing::warn!(
                "nobody answers at {asked}; this node goes on asking. Does a node run there, does UDP reach it, and does its \
                 key file share a key with {file}?"
            );
        }
        if looks.is_multiple_of(SAVE_LOOKS) { self.join(socket, seeds).await } else { seeds }
    }

    /// Asks those whom the configuration names, if their names mean other addresses than before.
    async fn join(&self, socket: &UdpSocket, before: Vec<SocketAddr>) -> Vec<SocketAddr> {
        let mut seeds = Vec::new();
        for name in &self.config.join {
            match lookup_host(name).await {
                Ok(found) => seeds.extend(found),
                Err(error) => {
                    tracing::warn!(%error, "the name {name} means no address; this node asks for it again");
                }
            }
        }
        seeds.sort_unstable();
        seeds.dedup();
        if !seeds.is_empty() && seeds != before {
            let sent = self.shared.engine().join(&seeds, self.shared.clock.now());
            self.send(socket, sent);
        }
        if seeds.is_empty() { before } else { seeds }
    }
}
