//! Datagrams as bytes. Reading never panics and never allocates more than the datagram is long.
//!
//! ```text
//!  0        1         3       4
//!  ┌────────┬─────────┬───────┬──────────┬──────────────┬────────┬───────────────────────────┐
//!  │version │ length  │ kind  │ sender   │ coordinate   │ body   │ updates …                 │
//!  │ u8 = 1 │ u16 all │ u8    │ u16 + …  │ u16 + …      │ u16+ … │ u16 + (u8 n, n updates)   │
//!  └────────┴─────────┴───────┴──────────┴──────────────┴────────┴───────────────────────────┘
//!  sender      id, address, incarnation u64, role u8, health u8, datacenter
//!  coordinate  dimensions u8, as many f32, height f32, adjustment f32, error f32, error_ms f32, samples u32; or nothing
//!  update      claim u8, role u8, id, address, incarnation u64, accuser (empty for none), datacenter (empty for unknown)
//! ```
//!
//! Numbers are big-endian; a text is a u8 of its bytes and the bytes. The four parts have their lengths in front, and what a
//! later version appends to one of them is left out here. The coordinate stands before the updates, so that gossip
//! never pushes it out.

use super::address::{Address, MAX_NAME_BYTES};
use super::config::DATAGRAM_BYTES;
use super::lifecycle::Claim;
use super::role::NodeRole;
use super::timeout::PeerHealth;
use crate::kernel::ids::{DatacenterId, NodeId};
use crate::kernel::time::Timestamp;
use crate::network::OutOfRange;
use crate::network::coordinate::{CoordinateParts, NetworkCoordinate};

/// The version that is written, and the only one that is read.
pub const WIRE_VERSION: u8 = 1;
/// Most updates of one datagram.
const MAX_UPDATES: usize = 255;

/// What a node says of itself on every datagram.
#[derive(Clone, Debug, PartialEq)]
pub struct Sender {
    /// Who it is.
    pub id: NodeId,
    /// Where it is reached.
    pub address: Address,
    /// Its incarnation.
    pub incarnation: u64,
    /// What it does; `None` for a number this version does not know.
    pub role: Option<NodeRole>,
    /// How far it is behind.
    pub health: PeerHealth,
    /// Where it stands.
    pub datacenter: DatacenterId,
}

/// What is said.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Are you there? `to` is who is meant.
    Ping {
        /// Of this ping alone.
        nonce: u64,
        /// Who is meant.
        to: NodeId,
    },
    /// I am.
    Ack {
        /// Of the ping.
        nonce: u64,
        /// How long the answer took inside the node, in microseconds.
        held_us: u32,
        /// What the answering node last measured towards the asking one, in microseconds; 0 for nothing. Never a sample.
        rtt_us: u32,
    },
    /// Ask that one for me.
    PingRequest {
        /// Of the request.
        nonce: u64,
        /// How long the asking node waits, in ms.
        wait_ms: u32,
        /// Who is to be asked.
        to: NodeId,
        /// Where.
        address: Address,
    },
    /// It answered me.
    RelayedAck {
        /// Of the request.
        nonce: u64,
    },
    /// I asked, and it did not answer.
    Nack {
        /// Of the request.
        nonce: u64,
    },
    /// Who is there, after this id? Empty from the start.
    Sync {
        /// Of the question.
        nonce: u64,
        /// The last id that is known.
        after: Option<NodeId>,
    },
    /// The updates are a part of the list of those who are there. Behind the last of them is more, unless there are none.
    Page {
        /// Of the question.
        nonce: u64,
    },
    /// The updates are all there is to say.
    Gossip,
    /// I leave.
    Leave,
    /// I am there; no answer is asked for.
    Heartbeat,
}

/// What is said of a third node.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// What.
    pub claim: Claim,
    /// Of whom.
    pub id: NodeId,
    /// Where it is reached.
    pub address: Address,
    /// Its incarnation.
    pub incarnation: u64,
    /// What it does, where that is known.
    pub role: Option<NodeRole>,
    /// Who accuses it, if it is suspected.
    pub accuser: Option<NodeId>,
    /// Where it stands, where that is known.
    pub datacenter: Option<DatacenterId>,
}

/// A datagram that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Datagram {
    /// Who sent it.
    pub sender: Sender,
    /// Where the sender stands. A coordinate that is not one spoils no more than itself.
    pub coordinate: Option<Result<NetworkCoordinate, OutOfRange>>,
    /// What is said.
    pub body: Body,
    /// What is said of others.
    pub updates: Vec<Update>,
    /// Numbers of roles and claims that this version does not know.
    pub unknown: u32,
}

/// Why bytes are no datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum WireError {
    /// Longer than a datagram may be.
    #[error("datagram is too long, expected upto 1300 bytes. given={0}")]
    TooLong(usize),
    /// Another version.
    #[error("datagram has an unknown version, expected 1. given={0}")]
    Version(u8),
    /// It ends too early, or says another length than it has.
    #[error("datagram does not have the length that it says. field={0}")]
    Length(&'static str),
    /// An unknown kind.
    #[error("datagram has an unknown kind. given={0}")]
    Kind(u8),
    /// A text that is no id or no address.
    #[error("datagram holds a text that is none. field={0}")]
    Text(&'static str),
}

impl WireError {
    /// The class it is counted under.
    pub fn name(self) -> &'static str {
        match self {
            WireError::TooLong(_) => "too_long",
            WireError::Version(_) => "version",
            WireError::Length(_) => "length",
            WireError::Kind(_) => "kind",
            WireError::Text(_) => "text",
        }
    }
}

/// Writes a datagram. Updates are taken from `next` as long as they fit; gives the bytes and how many were taken.
pub fn encode(
    sender: &Sender,
    coordinate: &NetworkCoordinate,
    body: &Body,
    mut next: impl FnMut(usize) -> Option<Update>,
) -> (Vec<u8>, usize) {
    let mut out = Writer(Vec::with_capacity(DATAGRAM_BYTES));
    out.u8(WIRE_VERSION);
    out.u16(0);
    out.u8(kind(body));
    out.part(|out| {
        out.text(sender.id.as_str());
        out.text(sender.address.as_str());
        out.u64(sender.incarnation);
        out.u8(NodeRole::code(sender.role));
        out.u8(sender.health.code());
        out.text(sender.datacenter.as_str());
    });
    out.part(|out| out.coordinate(coordinate));
    out.part(|out| out.body(body));
    let start = out.0.len();
    out.u16(0);
    out.u8(0);
    let mut taken = 0;
    while taken < MAX_UPDATES {
        let room = DATAGRAM_BYTES.saturating_sub(out.0.len());
        let Some(update) = next(room) else { break };
        let before = out.0.len();
        out.update(&update);
        if out.0.len() > DATAGRAM_BYTES {
            out.0.truncate(before);
            break;
        }
        taken += 1;
    }
    out.0[start + 2] = u8::try_from(taken).unwrap_or(u8::MAX);
    out.close(start);
    let all = u16::try_from(out.0.len()).unwrap_or(u16::MAX);
    out.0[1..3].copy_from_slice(&all.to_be_bytes());
    (out.0, taken)
}

/// Reads a datagram.
///
/// # Errors
/// [`WireError`] for whatever is not one.
pub fn decode(bytes: &[u8], now: Timestamp) -> Result<Datagram, WireError> {
    if bytes.len() > DATAGRAM_BYTES {
        return Err(WireError::TooLong(bytes.len()));
    }
    let mut all = Reader(bytes);
    let version = all.u8("version")?;
    if version != WIRE_VERSION {
        return Err(WireError::Version(version));
    }
    if usize::from(all.u16("length")?) != bytes.len() {
        return Err(WireError::Length("length"));
    }
    let kind = all.u8("kind")?;
    let mut unknown = 0;
    let mut part = all.part("sender")?;
    let sender = Sender {
        id: part.id("sender.id")?,
        address: part.address("sender.address")?,
        incarnation: part.u64("sender.incarnation")?,
        role: role(part.u8("sender.role")?, &mut unknown),
        health: PeerHealth::from_code(part.u8("sender.health")?),
        datacenter: part.datacenter("sender.datacenter")?.ok_or(WireError::Text("sender.datacenter"))?,
    };
    let coordinate = all.part("coordinate")?.coordinate(now)?;
    let body = all.part("body")?.body(kind)?;
    let mut part = all.part("updates")?;
    let count = part.u8("updates.count")?;
    let mut updates = Vec::new();
    for _ in 0..count {
        updates.extend(part.update(&mut unknown)?);
    }
    if !all.0.is_empty() {
        return Err(WireError::Length("datagram"));
    }
    Ok(Datagram { sender, coordinate, body, updates, unknown })
}

fn kind(body: &Body) -> u8 {
    match body {
        Body::Ping { .. } => 1,
        Body::Ack { .. } => 2,
        Body::PingRequest { .. } => 3,
        Body::RelayedAck { .. } => 4,
        Body::Nack { .. } => 5,
        Body::Sync { .. } => 6,
        Body::Page { .. } => 7,
        Body::Gossip => 8,
        Body::Leave => 9,
        Body::Heartbeat => 10,
    }
}

/// The role of a number. A number that is not known leaves the role unknown, and is counted.
fn role(code: u8, unknown: &mut u32) -> Option<NodeRole> {
    let role = NodeRole::from_code(code);
    *unknown += u32::from(role.is_none() && code != 0);
    role
}

struct Writer(Vec<u8>);

impl Writer {
    fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    fn u16(&mut self, value: u16) {
        self.0.extend(value.to_be_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.0.extend(value.to_be_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.0.extend(value.to_be_bytes());
    }

    fn f32(&mut self, value: f64) {
        self.0.extend((value as f32).to_be_bytes());
    }

    /// Names are bounded when they are made, so nothing is ever cut off here.
    fn text(&mut self, text: &str) {
        self.u8(u8::try_from(text.len()).unwrap_or(u8::MAX));
        self.0.extend(text.as_bytes().iter().take(usize::from(u8::MAX)));
    }

    fn maybe(&mut self, id: Option<&NodeId>) {
        self.text(id.map_or("", NodeId::as_str));
    }

    fn part(&mut self, write: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.u16(0);
        write(self);
        self.close(start);
    }

    fn close(&mut self, start: usize) {
        let length = u16::try_from(self.0.len() - start - 2).unwrap_or(u16::MAX);
        self.0[start..start + 2].copy_from_slice(&length.to_be_bytes());
    }

    fn coordinate(&mut self, coordinate: &NetworkCoordinate) {
        self.u8(u8::try_from(coordinate.dimensions()).unwrap_or(u8::MAX));
        coordinate.position().iter().for_each(|component| self.f32(*component));
        self.f32(coordinate.height());
        self.f32(coordinate.adjustment());
        self.f32(coordinate.error());
        self.f32(coordinate.error_ms());
        self.u32(u32::try_from(coordinate.sample_count()).unwrap_or(u32::MAX));
    }

    fn body(&mut self, body: &Body) {
        match body {
            Body::Ping { nonce, to } => {
                self.u64(*nonce);
                self.text(to.as_str());
            }
            Body::Ack { nonce, held_us, rtt_us } => {
                self.u64(*nonce);
                self.u32(*held_us);
                self.u32(*rtt_us);
            }
            Body::PingRequest { nonce, wait_ms, to, address } => {
                self.u64(*nonce);
                self.u32(*wait_ms);
                self.text(to.as_str());
                self.text(address.as_str());
            }
            Body::RelayedAck { nonce } | Body::Nack { nonce } | Body::Page { nonce } => self.u64(*nonce),
            Body::Sync { nonce, after } => {
                self.u64(*nonce);
                self.maybe(after.as_ref());
            }
            Body::Gossip | Body::Leave | Body::Heartbeat => {}
        }
    }

    fn update(&mut self, update: &Update) {
        self.u8(update.claim as u8);
        self.u8(NodeRole::code(update.role));
        self.text(update.id.as_str());
        self.text(update.address.as_str());
        self.u64(update.incarnation);
        self.maybe(update.accuser.as_ref());
        self.text(update.datacenter.as_ref().map_or("", DatacenterId::as_str));
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize, field: &'static str) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.0.split_at_checked(n).ok_or(WireError::Length(field))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], WireError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(WireError::Length(field))?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u8(&mut self, field: &'static str) -> Result<u8, WireError> {
        Ok(u8::from_be_bytes(self.array(field)?))
    }

    fn u16(&mut self, field: &'static str) -> Result<u16, WireError> {
        Ok(u16::from_be_bytes(self.array(field)?))
    }

    fn u32(&mut self, field: &'static str) -> Result<u32, WireError> {
        Ok(u32::from_be_bytes(self.array(field)?))
    }

    fn u64(&mut self, field: &'static str) -> Result<u64, WireError> {
        Ok(u64::from_be_bytes(self.array(field)?))
    }

    fn f32(&mut self, field: &'static str) -> Result<f64, WireError> {
        Ok(f64::from(f32::from_be_bytes(self.array(field)?)))
    }

    fn part(&mut self, field: &'static str) -> Result<Reader<'a>, WireError> {
        let length = self.u16(field)?;
        Ok(Reader(self.take(usize::from(length), field)?))
    }

    fn text(&mut self, field: &'static str) -> Result<&'a str, WireError> {
        let length = self.u8(field)?;
        let bytes = self.take(usize::from(length), field)?;
        if bytes.len() > MAX_NAME_BYTES {
            return Err(WireError::Text(field));
        }
        std::str::from_utf8(bytes).map_err(|_| WireError::Text(field))
    }

    fn id(&mut self, field: &'static str) -> Result<NodeId, WireError> {
        NodeId::new(self.text(field)?).map_err(|_| WireError::Text(field))
    }

    fn maybe(&mut self, field: &'static str) -> Result<Option<NodeId>, WireError> {
        let text = self.text(field)?;
        if text.is_empty() {
            return Ok(None);
        }
        NodeId::new(text).map(Some).map_err(|_| WireError::Text(field))
    }

    fn datacenter(&mut self, field: &'static str) -> Result<Option<DatacenterId>, WireError> {
        let text = self.text(field)?;
        if text.is_empty() {
            return Ok(None);
        }
        DatacenterId::new(text).map(Some).map_err(|_| WireError::Text(field))
    }

    fn address(&mut self, field: &'static str) -> Result<Address, WireError> {
        Address::new(self.text(field)?).map_err(|_| WireError::Text(field))
    }

    fn coordinate(
        &mut self,
        now: Timestamp,
    ) -> Result<Option<Result<NetworkCoordinate, OutOfRange>>, WireError> {
        const FIELD: &str = "coordinate";
        if self.0.is_empty() {
            return Ok(None);
        }
        let dimensions = self.u8(FIELD)?;
        let position = (0..dimensions).map(|_| self.f32(FIELD)).collect::<Result<_, _>>()?;
        let parts = CoordinateParts {
            position,
            height: self.f32(FIELD)?,
            adjustment: self.f32(FIELD)?,
            error: self.f32(FIELD)?,
            error_ms: self.f32(FIELD)?,
            sample_count: self.u32(FIELD)?.into(),
        };
        Ok(Some(NetworkCoordinate::new(parts, now)))
    }

    fn body(&mut self, kind: u8) -> Result<Body, WireError> {
        const FIELD: &str = "body";
        Ok(match kind {
            1 => Body::Ping { nonce: self.u64(FIELD)?, to: self.id("to")? },
            2 => Body::Ack { nonce: self.u64(FIELD)?, held_us: self.u32(FIELD)?, rtt_us: self.u32(FIELD)? },
            3 => Body::PingRequest {
                nonce: self.u64(FIELD)?,
                wait_ms: self.u32(FIELD)?,
                to: self.id("to")?,
                address: self.address("address")?,
            },
            4 => Body::RelayedAck { nonce: self.u64(FIELD)? },
            5 => Body::Nack { nonce: self.u64(FIELD)? },
            6 => Body::Sync { nonce: self.u64(FIELD)?, after: self.maybe("after")? },
            7 => Body::Page { nonce: self.u64(FIELD)? },
            8 => Body::Gossip,
            9 => Body::Leave,
            10 => Body::Heartbeat,
            unknown => return Err(WireError::Kind(unknown)),
        })
    }

    /// One update; `None` for a claim this version does not know.
    fn update(&mut self, unknown: &mut u32) -> Result<Option<Update>, WireError> {
        const FIELD: &str = "update";
        let claim = match self.u8(FIELD)? {
            0 => Some(Claim::Alive),
            1 => Some(Claim::Suspect),
            2 => Some(Claim::Dead),
            _ => None,
        };
        let role = role(self.u8(FIELD)?, unknown);
        let (id, address) = (self.id("update.id")?, self.address("update.address")?);
        let (incarnation, accuser) = (self.u64(FIELD)?, self.maybe("update.accuser")?);
        let datacenter = self.datacenter("update.datacenter")?;
        *unknown += u32::from(claim.is_none());
        Ok(claim.map(|claim| Update { claim, id, address, incarnation, role, accuser, datacenter }))
    }
}
