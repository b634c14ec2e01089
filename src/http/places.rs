//! What requests hold while they are not being worked on: sockets, places to wait, bodies that are not there yet. Each is
//! counted apart and bounded, so that who holds many of one leaves the others, `/healthz` and control to everybody else.
//!
//! ```text
//!  connection ──► head ──► body ──► operation ──► answer
//!   files of the    timeout   of them so many,       of those that wait
//!   process                   so many bytes,         so many
//!                             timeout
//! ```
//!
//! Of each thing one client holds so many at most, and is told `share_exceeded` beyond that: so what one takes leaves places
//! for the others. A client is an identity, a user of the machine, or an address that is not this machine's; programs of
//! this machine that say no name are one with its owner, and share the whole.
//!
//! Who finds no place is told at once (`overloaded`) and may come again. When most connections are taken, answers close
//! theirs, and those that say nothing give way ([`sockets`](super::sockets)), so that idle ones do not keep the door
//! shut.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Options;
use super::browsers::is_loopback_address;
use super::sockets::Sockets;
use super::turns::Turns;
use quorate_runtime::core::kernel::ids::EntityId;
use quorate_runtime::error::{Error, ErrorKind};

/// When to come again.
const AGAIN_MS: u64 = 1_000;
/// Files the process needs for itself: store, logs, listeners, timers.
const OWN_FILES: u64 = 256;
/// Files of one connection: the server's handle and the one by which it can be shut down.
const FILES_EACH: usize = 2;

/// One thing of which there may be so many at once.
#[derive(Clone, Debug, Default)]
pub(super) struct Counter(Arc<AtomicUsize>);

/// So many of them, given back when dropped.
#[derive(Debug)]
pub(super) struct Held {
    counter: Counter,
    count: usize,
}

impl Counter {
    /// Takes so many, unless that would be more than the most.
    pub(super) fn take(&self, count: usize, most: usize) -> Option<Held> {
        self.0.fetch_add(count, Ordering::AcqRel);
        let held = Held { counter: self.clone(), count };
        (self.held() <= most).then_some(held)
    }

    /// How many are held.
    pub(super) fn held(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.counter.0.fetch_sub(self.count, Ordering::AcqRel);
    }
}

/// A client, as far as it can be told from others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Visitor {
    /// An identity.
    Identity(EntityId),
    /// An address of another machine; of IPv6 the part that one site has (RFC 6177).
    Address(IpAddr),
    /// Whoever of this machine says no name where one is asked for.
    Unknown,
}

impl Visitor {
    /// The client at this address of another machine.
    pub(super) fn at(address: IpAddr) -> Self {
        Visitor::Address(match address {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(address) => address.into(),
                None => std::net::Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
            },
        })
    }
}

/// A thing of which there may be so many, and so many for one client.
#[derive(Debug)]
pub(super) struct Shared {
    what: &'static str,
    all: Counter,
    /// Those that hold any.
    each: Arc<Mutex<BTreeMap<Visitor, usize>>>,
    /// How often a client had its share.
    refused: AtomicU64,
}

/// A place, given back when dropped.
#[derive(Debug)]
pub(super) struct Spot {
    _held: Held,
    _share: Option<Share>,
}

#[derive(Debug)]
struct Share {
    each: Arc<Mutex<BTreeMap<Visitor, usize>>>,
    client: Visitor,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = each.get_mut(&self.client) {
            *held -= 1;
            if *held == 0 {
                each.remove(&self.client);
            }
        }
    }
}

impl Shared {
    fn of(what: &'static str) -> Self {
        Shared { what, all: Counter::default(), each: Arc::default(), refused: AtomicU64::new(0) }
    }

    /// Takes one for this client, of whom there may be so many in all and so many each; one that cannot be told from
    /// others has no share of its own.
    ///
    /// # Errors
    /// `share_exceeded` when the client has its share, `overloaded` when all are taken.
    pub(super) fn take(&self, client: Option<&Visitor>, most: usize, each: usize) -> Result<Spot, Error> {
        let share = match client {
            Some(client) => Some(self.share(client, each)?),
            None => None,
        };
        match self.all.take(1, most) {
            Some(held) => Ok(Spot { _held: held, _share: share }),
            None => Err(no_place(self.what, most)),
        }
    }

    fn share(&self, client: &Visitor, most: usize) -> Result<Share, Error> {
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        let held = each.get(client).copied().unwrap_or(0);
        if held >= most {
            self.refused.fetch_add(1, Ordering::Relaxed);
            let message = format!(
                "one client has too many {} at this door; others are served. limit={most}",
                self.what
            );
            return Err(Error::new(ErrorKind::ShareExceeded, message)
                .with("what", self.what)
                .with("limit", most)
                .with("retry_after_ms", AGAIN_MS));
        }
        each.insert(client.clone(), held + 1);
        Ok(Share { each: self.each.clone(), client: client.clone() })
    }

    /// What it is, how many are held, and how often a client was told that it has its share.
    pub(super) fn told(&self) -> (&'static str, usize, u64) {
        (self.what, self.all.held(), self.refused.load(Ordering::Relaxed))
    }
}

/// What requests of one door hold.
#[derive(Debug)]
pub(super) struct Places {
    /// Connections.
    pub(super) sockets: Arc<Sockets>,
    /// Requests under way that do not wait.
    pub(super) requests: Shared,
    /// Requests that wait until something has come about.
    pub(super) waits: Shared,
    /// Requests that follow events.
    pub(super) followers: Shared,
    /// Bodies of which more is to come.
    pub(super) bodies: Shared,
    /// Bytes of them.
    pub(super) body_bytes: Counter,
    /// Connections, by the address they come from.
    pub(super) connections: Shared,
    /// Whose request is worked on next.
    pub(super) turns: Turns,
}

impl Default for Places {
    fn default() -> Self {
        Places {
            sockets: Arc::default(),
            requests: Shared::of("requests under way"),
            waits: Shared::of("requests that wait"),
            followers: Shared::of("followers of events"),
            bodies: Shared::of("bodies that are not there"),
            body_bytes: Counter::default(),
            connections: Shared::of("connections"),
            turns: Turns::default(),
        }
    }
}

impl Places {
    /// Those of which a client has a share.
    pub(super) fn shared(&self) -> [&Shared; 5] {
        [&self.requests, &self.waits, &self.followers, &self.bodies, &self.connections]
    }

    /// A connection from there, of which one address has so many at most. Those of this machine are not bounded so: they share
    /// the whole with its owner.
    ///
    /// # Errors
    /// `share_exceeded` when the address has its share.
    pub(super) fn connect(&self, peer: Option<SocketAddr>, each: usize) -> Result<Spot, Error> {
        let far = peer.map(|peer| peer.ip()).filter(|address| !is_loopback_address(*address));
        self.connections.take(far.map(Visitor::at).as_ref(), usize::MAX, each)
    }

    /// Are most connections taken?
    pub(super) fn is_crowded(&self, options: &Options) -> bool {
        self.sockets.len() > Self::comfortable(options)
    }

    /// Lets go of idle connections while most are taken.
    pub(super) fn make_room(&self, options: &Options) {
        self.sockets.make_room(Self::comfortable(options));
    }

    /// So many connections leave enough room for others.
    fn comfortable(options: &Options) -> usize {
        (options.max_connections.saturating_mul(options.workers) / 4 * 3).max(1)
    }
}

/// The places of a door as one client finds them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room<'a> {
    pub(super) options: &'a Options,
    pub(super) places: &'a Places,
    pub(super) client: Option<&'a Visitor>,
}

/// The error for a request that found no place.
pub(super) fn no_place(what: &str, limit: usize) -> Error {
    let message = format!("too many {what} at this door. limit={limit}");
    Error::new(ErrorKind::Overloaded, message).with("limit", limit).with("retry_after_ms", AGAIN_MS)
}

/// The options as far as there are files and connections for them, so that neither those who wait nor slow bodies can
/// take all connections.
pub(super) fn that_fit(options: Options) -> Options {
    let max_connections = connections_that_fit(&options);
    let all = max_connections.saturating_mul(options.workers);
    Options {
        max_connections,
        max_waits: options.max_waits.min((all / 2).max(1)),
        max_followers: options.max_followers.min((all / 4).max(1)),
        max_connections_each: options.max_connections_each.min((all / 4).max(1)),
        max_slow_bodies: options.max_slow_bodies.min((all / 4).max(1)),
        ..options
    }
}

/// Raises the limit of open files of this process as far as it may, and gives the connections that fit: a connection
/// that is taken without a file for it would shut the door for everybody.
fn connections_that_fit(options: &Options) -> usize {
    let workers = options.workers.max(1);
    let Some(files) = raise_open_files() else { return options.max_connections };
    let files_left = usize::try_from(files.saturating_sub(OWN_FILES)).unwrap_or(usize::MAX);
    let fit = files_left / FILES_EACH / workers;
    if fit < options.max_connections {
        tracing::warn!(
            files,
            connections = fit.max(1) * workers,
            "the limit of open files bounds connections"
        );
    }
    options.max_connections.min(fit.max(1))
}

/// How many files may be open from now on; none where there is no limit.
#[cfg(target_os = "linux")]
fn raise_open_files() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        // What could not be raised stays what it was.
        Err(_) => current,
    }
}

/// Nothing is known of a limit here.
#[cfg(not(target_os = "linux"))]
fn raise_open_files() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_dropped_is_free_and_one_that_was_refused_takes_nothing() {
        let counter = Counter::default();
        let held = counter.take(2, 3);
        assert!(held.is_some() && counter.take(2, 3).is_none());
        assert_eq!(counter.held(), 2);
        assert!(counter.take(1, 3).is_some());
        drop(held);
        assert_eq!(counter.held(), 0);
    }

    #[test]
    fn one_client_has_its_share_and_leaves_the_rest_to_others() {
        let shared = Shared::of("things");
        let of = |name: &str| Visitor::Identity(name.parse().unwrap());
        let kind = |taken: Result<Spot, Error>| taken.map_err(|e| e.kind());
        let held: Vec<Spot> = (0..2).map(|_| shared.take(Some(&of("eve")), 4, 2).unwrap()).collect();
        assert_eq!(kind(shared.take(Some(&of("eve")), 4, 2)).unwrap_err(), ErrorKind::ShareExceeded);
        let other = shared.take(Some(&of("ann")), 4, 2).unwrap();
        let nameless = shared.take(None, 4, 2).unwrap();
        assert_eq!(kind(shared.take(Some(&of("ann")), 4, 2)).unwrap_err(), ErrorKind::Overloaded);
        // What was refused took nothing, and who holds nothing is not remembered.
        assert_eq!(shared.told(), ("things", 4, 1));
        drop((held, other, nameless));
        assert_eq!((shared.told().1, shared.each.lock().unwrap().len()), (0, 0));
        assert!(shared.take(Some(&of("eve")), 4, 2).is_ok());
    }

    #[test]
    fn an_address_of_the_sixth_version_is_its_site() {
        let at = |text: &str| Visitor::at(text.parse().unwrap());
        assert_eq!(at("2001:db8:1:2::1"), at("2001:db8:1:2:ffff::2"));
        assert_ne!(at("2001:db8:1:2::1"), at("2001:db8:1:3::1"));
        assert_eq!(at("::ffff:192.0.2.1"), at("192.0.2.1"));
    }

    #[test]
    fn an_address_has_its_share_of_connections_and_this_machine_the_whole() {
        let places = Places::default();
        let at = |text: &str| Some(text.parse().unwrap());
        let held: Vec<Spot> = (0..2).map(|_| places.connect(at("192.0.2.1:5"), 2).unwrap()).collect();
        let refused = places.connect(at("192.0.2.1:6"), 2).unwrap_err();
        assert_eq!(
            (refused.kind(), refused.detail("what").unwrap().as_str()),
            (ErrorKind::ShareExceeded, Some("connections"))
        );
        // The same site under another address of the sixth version.
        let site = [at("[2001:db8::1]:1"), at("[2001:db8::2]:1"), at("[2001:db8::3]:1")];
        let taken: Vec<_> = site.map(|peer| places.connect(peer, 2)).into_iter().collect();
        assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), 2);
        let near = [at("127.0.0.1:1"), at("[::1]:1"), at("[::ffff:127.0.0.1]:1"), None];
        let near: Vec<Spot> =
            near.into_iter().cycle().take(20).map(|peer| places.connect(peer, 2).unwrap()).collect();
        assert!(places.connect(at("192.0.2.2:1"), 2).is_ok());
        assert_eq!(places.connections.told(), ("connections", 24, 2));
        drop((held, taken, near));
        assert_eq!(places.connections.told().1, 0);
        assert!(places.connect(at("192.0.2.1:7"), 2).is_ok());
    }

    #[test]
    fn neither_waits_nor_slow_bodies_take_all_connections() {
        let few = that_fit(Options { workers: 2, max_connections: 20, ..Options::default() });
        assert_eq!((few.max_connections, few.max_waits, few.max_slow_bodies), (20, 20, 10));
        let one = that_fit(Options { workers: 1, max_connections: 1, max_waits: 9, ..Options::default() });
        assert_eq!((one.max_waits, one.max_slow_bodies), (1, 1));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_limit_of_files_is_raised_and_connections_fit_into_it() {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        let options = Options { workers: 2, max_connections: 1_000_000, ..Options::default() };
        let fit = connections_that_fit(&options);
        let raised = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        assert_eq!(raised.current, limit.maximum);
        if let Some(files) = raised.current {
            assert!((1..=files.max(4)).contains(&(4 * fit as u64)), "{files} {fit}");
        }
    }
}
