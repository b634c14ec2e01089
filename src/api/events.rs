//! Live events: what is recorded, as it is recorded, with the filters of `history.query`.
//!
//! ```text
//!  journal ──page──► Events ──next()──► one event after the other, in global order
//!     ▲                │ at the end: waits for the bell
//!     └── commit ──────┘ rung after each group that is durable
//! ```
//!
//! The journal is the queue: a follower that is slow, or comes back later, reads on at its position, without a gap and
//! without a repeat, across restarts. So it is told of nothing that could be lost, and costs the memory of one page.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::Quorate;
use super::dto::{EventView, HistoryQuery, PrunedSpan};
use super::history::{Filter, pruned_between};
use super::sealing::reveal_events;
use crate::error::Error;
use crate::journal::Position;
use crate::shell::host::{Host, wait};

/// The operation of which the filters are.
pub const FILTERS: &str = "history.query";
/// Its fields that a follower does not have, for it has no end.
pub const NOT_FOLLOWED: [&str; 4] = ["limit", "until", "upto_seq", "upto_position"];

/// Events read at a time.
const PAGE: usize = 64;
/// A follower that has reached the end reads again after this long at the earliest, so that commits that follow each
/// other closely are read together.
const PACE: Duration = Duration::from_millis(5);
/// The same for each further follower: together they leave the processors to the others.
const PACE_EACH: Duration = Duration::from_millis(1);

impl Quorate {
    /// Follows what is recorded: after the cursor when one is given, else from `since` on, else from now on. Each event
    /// is durable when it is told, and told once.
    ///
    /// ```
    /// use quorate::HistoryQuery;
    /// use quorate::{Config, Quorate, StartQuorum};
    ///
    /// # #[tokio::main] async fn main() -> Result<(), quorate::Error> {
    /// let q = Quorate::open(Config::memory()).await?;
    /// let mut events = q.events(HistoryQuery { kind: Some("quorum".into()), ..Default::default() }).await?;
    /// q.quorums().start(StartQuorum::global().with_voters(["ann", "bob"])?).await?;
    /// let opened = events.next().await?.unwrap();
    /// assert_eq!((opened.event.as_str(), opened.seq), ("opened", 1));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of `history.query`, and `invalid_argument` for `limit`, `until`, `upto_seq` and `upto_position`: a follower has no
    /// end. An entity that does not exist yet is waited for.
    pub async fn events(&self, filter: HistoryQuery) -> Result<Events, Error> {
        endless(&filter)?;
        self.allow(FILTERS, &filter).await?;
        let begins = filter.cursor.is_some() || filter.since.is_some() || filter.from_position.is_some();
        let (mut filter, mark) = Filter::of(filter)?;
        filter.settle(self.host()).await?;
        let host = Arc::clone(self.host());
        let bell = host.bell.subscribe();
        let places = filter.clone();
        let at = host.blocking(move |store| {
            let checked = mark.check(store)?;
            let at = if begins { mark.at } else { wait(store.tip())?.position };
            let pruned = match places.all_places(store)? {
                Some((after, upto)) => pruned_between(store, after.max(at), upto)?,
                None => Vec::new(),
            };
            Ok(checked.map(|()| (at, pruned)))
        });
        let (at, pruned) = at.await??;
        let under = self.watch_caller().map(|changed| Under { q: self.clone(), changed });
        Ok(Events {
            host,
            under,
            filter: Arc::new(filter),
            bell,
            at,
            pruned,
            seq: 0,
            ready: VecDeque::new(),
            more: true,
        })
    }
}

/// Refuses the fields of which who follows has no use: there is no end.
///
/// # Errors
/// `invalid_argument` naming the field.
pub(super) fn endless(filter: &HistoryQuery) -> Result<(), Error> {
    if let Some(limit) = filter.limit {
        return Err(Error::invalid("limit", limit, "none: events are told one after the other"));
    }
    if let Some(until) = filter.until {
        return Err(Error::invalid("until", until.to_string(), "none: who follows events has no end"));
    }
    for (field, given) in [("upto_seq", filter.upto_seq), ("upto_position", filter.upto_position)] {
        if let Some(given) = given {
            return Err(Error::invalid(field, given, "none: who follows events has no end"));
        }
    }
    Ok(())
}

/// The identity under which events are followed, and when it is to be looked at again.
struct Under {
    q: Quorate,
    changed: watch::Receiver<u64>,
}

/// Events as they are recorded. Made by [`Quorate::events`].
pub struct Events {
    host: Arc<Host>,
    under: Option<Under>,
    filter: Arc<Filter>,
    bell: watch::Receiver<Position>,
    /// Everything up to here was read.
    at: Position,
    /// What was pruned behind the place where it began.
    pruned: Vec<PrunedSpan>,
    /// Where in the log of the one entity that is followed.
    seq: u64,
    /// What was read and not told yet.
    ready: VecDeque<EventView>,
    /// More may be there already.
    more: bool,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").field("position", &self.position()).finish_non_exhaustive()
    }
}

impl Events {
    /// Where to go on: a cursor that leaves out what was told, and nothing else.
    pub fn position(&self) -> u64 {
        self.ready.front().map_or(self.at, |next| next.position - 1)
    }

    /// What was pruned of the places that were there when it began, by pruning: of it nothing is told. Where one entity is
    /// followed it is empty.
    pub fn pruned(&self) -> &[PrunedSpan] {
        &self.pruned
    }

    /// An event that was read already; none when the journal must be asked.
    pub fn at_hand(&mut self) -> Option<EventView> {
        self.check().ok()?;
        self.ready.pop_front()
    }

    /// The next event, when there is one; none when the runtime is closed. May be asked again after it was cut short.
    ///
    /// # Errors
    /// The faults of the store. What follows can be asked for again.
    pub async fn next(&mut self) -> Result<Option<EventView>, Error> {
        loop {
            self.check()?;
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            if self.host.is_closing() {
                return Ok(None);
            }
            if !self.more {
                self.rung().await;
                self.check()?;
                self.pause().await;
            }
            // From here on a later ring is seen.
            self.bell.mark_unchanged();
            let (filter, at, mut seq) = (self.filter.clone(), self.at, self.seq);
            let page = self.host.blocking(move |store| {
                let page = filter.page(store, at, PAGE, &mut seq)?;
                Ok((page, seq))
            });
            match page.await {
                Ok((Some(page), seq)) => {
                    (self.at, self.seq, self.more) = (page.at, seq, page.more);
                    let sight = self.under.as_ref().and_then(|under| under.q.sight());
                    let mut events = page.events;
                    if let Some(sight) = &sight {
                        sight.events(&mut events);
                    }
                    if !self.filter.is_sealed() {
                        reveal_events(&self.host, &mut events)?;
                    }
                    self.ready.extend(events);
                }
                // The entity does not exist yet.
                Ok((None, _)) => self.more = false,
                Err(_) if self.host.is_closing() => return Ok(None),
                Err(fault) => {
                    self.more = true;
                    return Err(fault.into());
                }
            }
        }
    }

    /// May who follows go on?
    fn check(&mut self) -> Result<(), Error> {
        let Some(under) = &mut self.under else { return Ok(()) };
        if under.changed.has_changed().unwrap_or(true) {
            under.changed.mark_unchanged();
            let may = under.q.allow_reading(FILTERS);
            if may.is_err() {
                // Asked again, it is refused again.
                under.changed.mark_changed();
            }
            return may;
        }
        Ok(())
    }

    /// Waits for the next group, or for a change of identities.
    async fn rung(&mut self) {
        // The senders are in the host; they cannot be gone.
        match &mut self.under {
            None => {
                let _ = self.bell.changed().await;
            }
            Some(under) => tokio::select! {
                _ = self.bell.changed() => {}
                _ = under.changed.changed() => under.changed.mark_changed(),
            },
        }
    }

    /// Leaves others their turn.
    async fn pause(&self) {
        let others = u32::try_from(self.host.bell.receiver_count()).unwrap_or(u32::MAX);
        let pace = PACE.saturating_add(PACE_EACH.saturating_mul(others.saturating_sub(1)));
        // On the runtime's own timers: who polls this may have none. A pause that is cut off is over.
        let _ = self.host.tokio.spawn(async move { tokio::time::sleep(pace).await }).await;
    }
}
