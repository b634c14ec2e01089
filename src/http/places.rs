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
//! Who finds no place is told at once (`overloaded`) and may come again. When most connections are taken, answers close
//! theirs, and those that say nothing give way ([`sockets`](super::sockets)), so that idle ones do not keep the door
//! shut.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Options;
use super::sockets::Sockets;
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

/// What requests of one door hold.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Connections.
    pub(super) sockets: Arc<Sockets>,
    /// Requests that wait until something has come about.
    pub(super) waits: Counter,
    /// Requests that follow events.
    pub(super) followers: Counter,
    /// Bodies of which more is to come.
    pub(super) bodies: Counter,
    /// Bytes of them.
    pub(super) body_bytes: Counter,
}

impl Places {
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
