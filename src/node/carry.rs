//! Messages of jobs between nodes: one connection to each node that is spoken to, at the address that membership knows.
//!
//! ```text
//!  machine ── send ──► queue of its destination ──► connection to the node ══ TCP ══► mailbox of that node
//!      └─ for somebody here ──────────────────────────────────────────────────────► own mailbox
//! ```
//!
//! A connection carries in one direction. What breaks with it is as good as lost: what matters is sent again until it is
//! answered. A node that is dead, or not known, is not called.

use std::collections::{BTreeMap, HashMap};
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::drive::Shared;
use super::frames::{Direction, FrameError, HELLO_BYTES, LENGTH, RANDOM, directions, hello, read_hello};
use super::ring::KeyId;
use quorate_core::jobs::protocol::message::{Message, Party};
use quorate_core::kernel::ids::{EntityId, NodeId};
use quorate_core::load::flow::FlowConfigError;
use quorate_core::network::member::MemberState;
use quorate_runtime::journal::codec::{decode, encode};
use quorate_runtime::shell::outgoing::{PerDestination, Wire, WireConfig};
use quorate_runtime::shell::post::Mailbox;

/// A node that does not take a message for so long is as good as gone; what matters is sent again.
const CARRY: Duration = Duration::from_secs(5);
/// Who calls must say who it is within so long.
const GREETING: Duration = Duration::from_secs(5);
/// Longest sealed name: before it nobody has shown a key, and gets no more memory than that.
const MOST_NAME_BYTES: usize = 512;
/// Connections that are served at the same time.
const MOST_CALLERS: usize = 1_024;

/// What is counted of connections.
#[derive(Debug, Default)]
pub(crate) struct FrameCounters {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) refused: BTreeMap<&'static str, u64>,
}

/// An open connection to a node.
struct Line {
    stream: TcpStream,
    direction: Direction,
    key: KeyId,
}

/// The connections of a node.
pub(crate) struct Lines {
    shared: Arc<Shared>,
    me: String,
    open: Mutex<HashMap<SocketAddr, Arc<tokio::sync::Mutex<Option<Line>>>>>,
}

/// Why a message was not carried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotCarried {
    /// The receiver is no node.
    #[error("the receiver is no node of the cluster")]
    NoNode,
    /// Membership does not know the node.
    #[error("no node of this name is known. node={0}")]
    Unknown(EntityId),
    /// The node is dead.
    #[error("the node is dead, as far as is known. node={0}")]
    Dead(EntityId),
    /// The network failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// What was to be said does not fit a frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

fn random() -> std::io::Result<[u8; RANDOM]> {
    let mut bytes = [0; RANDOM];
    getrandom::fill(&mut bytes).map_err(|e| std::io::Error::other(e.to_string()))?;
    Ok(bytes)
}

impl Lines {
    /// Where the node of a party is reached.
    fn address(&self, to: &Party) -> Result<SocketAddr, NotCarried> {
        let node = match to {
            Party::Gate(node) => node,
            Party::Manager { node, .. } => &node.node,
            Party::Worker(_) => return Err(NotCarried::NoNode),
        };
        let engine = self.shared.engine();
        let member = engine.membership().member(&NodeId::from(node));
        let member = member.ok_or_else(|| NotCarried::Unknown(node.clone()))?;
        if member.state() == MemberState::Down {
            return Err(NotCarried::Dead(node.clone()));
        }
        member.address().as_str().parse().map_err(|_| NotCarried::Unknown(node.clone()))
    }

    async fn call(&self, address: SocketAddr) -> Result<Line, NotCarried> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (ours, mut theirs) = (random()?, [0; RANDOM]);
        let key = self.shared.engine().links().ring().ids().next().ok_or(FrameError::UnknownKey)?;
        stream.write_all(&hello(key, &ours)).await?;
        stream.read_exact(&mut theirs).await?;
        let (mut direction, _) = directions(self.shared.engine().links().ring(), key, &ours, &theirs)?;
        let frame = direction.seal(self.me.as_bytes())?;
        stream.write_all(&frame).await?;
        Ok(Line { stream, direction, key })
    }

    /// Is the connection still one that may be used? Nothing is ever said on it but by its caller: what can be read is its end.
    fn is_usable(&self, line: &Line) -> bool {
        let ended = !matches!(
            line.stream.try_read(&mut [0; 1]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock
        );
        !ended && self.shared.engine().links().ring().ids().next() == Some(line.key)
    }
}

impl Wire for Lines {
    type Error = NotCarried;

    async fn carry(&self, message: Message) -> Result<(), NotCarried> {
        let address = self.address(&message.to)?;
        let place = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.entry(address).or_default().clone()
        };
        let mut place = place.lock().await;
        // Taken out, so that a connection that is cut off half-way is not used again.
        let before = place.take().filter(|line| self.is_usable(line));
        let mut line = match before {
            Some(line) => line,
            None => self.call(address).await?,
        };
        let text = encode(&message).map_err(|_| FrameError::Malformed)?;
        let frame = line.direction.seal(&text)?;
        line.stream.write_all(&frame).await?;
        *place = Some(line);
        drop(place);
        self.shared.frames().sent += 1;
        Ok(())
    }
}

/// The way to the other nodes.
///
/// # Errors
/// A knob that does not fit.
pub(crate) fn way(
    shared: Arc<Shared>,
    me: String,
    tokio: Handle,
) -> Result<PerDestination<Lines>, FlowConfigError> {
    let lines = Lines { shared, me, open: Mutex::default() };
    PerDestination::new(WireConfig { carry_timeout: CARRY, ..WireConfig::default() }, lines, tokio)
}

/// Serves those who call, until it is told to stop.
pub(crate) async fn serve(
    listener: StdListener,
    shared: Arc<Shared>,
    mailbox: Mailbox,
    mut stopped: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let places = Arc::new(Semaphore::new(MOST_CALLERS));
    while !*stopped.borrow() {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            changed = stopped.changed() => if changed.is_err() { break } else { continue },
        };
        let Ok(place) = places.clone().try_acquire_owned() else { continue };
        // Descriptors may have run out; they come back.
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (shared, mailbox) = (shared.clone(), mailbox.clone());
        tokio::spawn(async move {
            if let Err(fault) = hear(stream, &shared, &mailbox).await {
                *shared.frames().refused.entry(fault.name()).or_default() += 1;
                tracing::debug!(%fault, "a connection was given up");
            }
            drop(place);
        });
    }
    Ok(())
}

/// Takes messages from one caller. A network that fails ends it like a caller that hangs up.
async fn hear(mut stream: TcpStream, shared: &Shared, mailbox: &Mailbox) -> Result<(), FrameError> {
    let mut greeting = [0; HELLO_BYTES];
    if !matches!(timeout(GREETING, stream.read_exact(&mut greeting)).await, Ok(Ok(_))) {
        return Ok(());
    }
    let (key, theirs) = read_hello(&greeting)?;
    let Ok(ours) = random() else { return Ok(()) };
    let (mut direction, _) = directions(shared.engine().links().ring(), key, &theirs, &ours)?;
    if stream.write_all(&ours).await.is_err() {
        return Ok(());
    }
    let named = next(&mut stream, &mut direction, MOST_NAME_BYTES);
    let Ok(name) = timeout(GREETING, named).await else { return Ok(()) };
    let Some(name) = name? else { return Ok(()) };
    let name = String::from_utf8(name).map_err(|_| FrameError::Malformed)?;
    while let Some(text) = next(&mut stream, &mut direction, usize::MAX).await? {
        if !shared.engine().links().ring().ids().any(|id| id == key) {
            return Err(FrameError::UnknownKey);
        }
        let message: Message = decode(&text).map_err(|_| FrameError::Malformed)?;
        // Each node speaks for itself.
        let is_own = match &message.from {
            Party::Gate(node) => node.as_str() == name,
            Party::Manager { node, .. } => node.node.as_str() == name,
            Party::Worker(_) => false,
        };
        if !is_own {
            return Err(FrameError::Malformed);
        }
        shared.frames().received += 1;
        mailbox.arrive(message, Duration::ZERO);
    }
    Ok(())
}

/// The text of the next frame, of so many sealed bytes at most; none where the connection has ended.
async fn next(
    stream: &mut TcpStream,
    direction: &mut Direction,
    most: usize,
) -> Result<Option<Vec<u8>>, FrameError> {
    let mut head = [0; LENGTH];
    if stream.read_exact(&mut head).await.is_err() {
        return Ok(None);
    }
    let length = Direction::length(head)?;
    if length > most {
        return Err(FrameError::TooLong);
    }
    let mut sealed = vec![0; length];
    if stream.read_exact(&mut sealed).await.is_err() {
        return Ok(None);
    }
    direction.open(head, &sealed).map(Some)
}
