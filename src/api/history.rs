//! Queries over what happened: who decided what, when and why, and whether anything was changed.
//!
//! ```text
//!  filter   which records are asked for, and where a page of them ended ──► query, count, the stream of events
//!  guide    where the index says that something may fit ─────────────────► query, count, the stream of events
//!  indexing the terms by which a record is found ─────────────────────────► the index
//!  gone     what was pruned of the places that are asked about ───────────► query
//!  past     the events of one log up to some point, folded ───────────────► state_at
//!  tales    a line for each event ──► why: the chain of causes ───────────► why
//!  lore     a line for each kind: refusals, ends, votes
//! ```

mod about;
mod count;
mod filter;
mod gone;
mod guide;
mod indexing;
mod lore;
mod past;
mod tales;
mod why;

use serde::de::DeserializeOwned;

use self::count::Count;
pub(super) use self::filter::{Filter, Mark, check_span};
pub(super) use self::gone::{entities_pruned, pruned_between};
pub(super) use self::indexing::keep_indexed;
pub(super) use self::lore::is_refusal;
pub(super) use self::why::why;
use super::Quorate;
use super::cursor::unknown;
use super::dto::{
    AskWhy, AuditBallotView, AuditVoteView, CountHistory, EntityHistory, EntityLog, EntityWhy, EventPage,
    HistoryCounts, HistoryQuery, PastState, StateAt,
};
use super::event_names::misspelt;
use super::event_view::event_view;
use super::known::Sort;
use super::quorum::page_limit;
use super::sealing::reveal_events;
use super::sought::kind_meant;
use crate::core::kernel::ids::{CellId, EntityId, StreamId, StreamKind, VoterId};
use crate::core::voting::proposal;
use crate::core::voting::proposal::audit::{AuditBallot, ballots_on_record};
use crate::core::voting::quorum;
use crate::core::voting::quorum::Event;
use crate::core::voting::quorum::audit::votes_on_record;
use crate::error::{Error, ErrorKind};
use crate::journal::codec::decode;
use crate::journal::{Fault, Store};
use crate::shell::host::wait;

/// Records read from the store at a time.
const PAGE: usize = 2048;

/// Queries over what happened.
#[derive(Clone, Copy, Debug)]
pub struct History<'a> {
    pub(super) q: &'a Quorate,
}

fn missing() -> Error {
    Error::new(ErrorKind::NotFound, "nothing is recorded under this kind and id")
}

impl History<'_> {
    /// Recorded events in global order, filtered, a page at a time. Attempts that were refused are among them, and flagged.
    ///
    /// # Errors
    /// `not_found` for an identity that was never made;
    /// `invalid_argument` for the kind, limit or cursor, for an event or outcome that nothing of the kind has, for an end before
    /// the beginning, for an entity whose id more than one kind has where no kind is given, and the faults of the store.
    pub async fn query(&self, request: HistoryQuery) -> Result<EventPage, Error> {
        self.q.allow("history.query", &request).await?;
        self.q.check_identity(request.identity.as_ref())?;
        let asked = request.clone();
        let limit = page_limit(request.limit)?;
        let (mut filter, mark) = Filter::of(request)?;
        filter.settle(self.q.host()).await?;
        let found = self.q.host().blocking(move |store| {
            if let Err(error) = mark.check(store)? {
                return Ok(Err(error));
            }
            let Some(found) = filter.page(store, mark.at, limit, &mut 0)? else { return Ok(Ok(None)) };
            let pruned = match filter.places(store, mark.at, &found)? {
                Some((after, upto)) => gone::pruned_between(store, after, upto)?,
                None => Vec::new(),
            };
            Ok(Ok(Some(EventPage {
                events: found.events,
                // A page on which nothing is ends where it begins.
                next_cursor: found.cursor.or(mark.given()),
                more: found.more,
                pruned,
                unknown: Vec::new(),
            })))
        });
        // An id that is misspelt must not read as if nothing had happened.
        let mut page = found.await??.ok_or_else(missing)?;
        if page.events.is_empty() && !page.more && asked.cursor.is_none() {
            page.unknown = self.unknown(&asked).await?;
        }
        if let Some(sight) = self.q.sight() {
            sight.events(&mut page.events);
        }
        if asked.sealed != Some(true) {
            reveal_events(self.q.host(), &mut page.events)?;
        }
        Ok(page)
    }

    /// The parties in a filter that nobody here is.
    async fn unknown(&self, asked: &HistoryQuery) -> Result<Vec<String>, Error> {
        let filters = [
            ("party_id", asked.party_id.as_ref().map(EntityId::as_str), Sort::Party),
            ("cell_id", asked.cell_id.as_ref().map(CellId::as_str), Sort::Cell),
            ("voter_id", asked.voter_id.as_ref().map(VoterId::as_str), Sort::Voter),
            ("agent_id", asked.agent_id.as_ref().map(EntityId::as_str), Sort::Voter),
            ("worker_id", asked.worker_id.as_ref().map(EntityId::as_str), Sort::Worker),
            ("node_id", asked.node_id.as_ref().map(EntityId::as_str), Sort::Node),
        ];
        let mut unknown = self.q.unknown_names(&filters).await?;
        match self.q.check_datacenter(asked.datacenter.as_ref()).await {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => unknown.push("datacenter".to_owned()),
            Err(error) => return Err(error),
        }
        Ok(unknown)
    }

    /// The log of one entity, a page at a time, with the votes and refused attempts in it.
    ///
    /// # Errors
    /// `invalid_argument` for the kind, limit or cursor, and where no kind is given for an id that more than one has,
    /// `not_found`, and the faults of the store.
    pub async fn entity(&self, request: EntityHistory) -> Result<EntityLog, Error> {
        self.q.allow("history.entity", &request).await?;
        let limit = page_limit(request.limit)?;
        let kind = request.kind.as_deref().map(kind_of).transpose()?;
        let parse = |text: &str| text.parse().map_err(|_| unknown(text));
        let after: u64 = request.cursor.as_deref().map_or(Ok(0), parse)?;
        let id = request.entity_id;
        let kind = kind_meant(self.q.host(), kind, &id).await?;
        let log = self.q.host().blocking(move |store| {
            let stream = stream_of(store, kind, &id)?;
            entity_log(store, &stream, after, limit)
        });
        let mut log = log.await?.ok_or_else(missing)?;
        if after > log.revision {
            return Err(unknown(&after.to_string()));
        }
        if let Some(sight) = self.q.sight() {
            sight.events(&mut log.events);
        }
        self.q.revealed(log)
    }

    /// How an entity of any kind stood at an earlier point of its log or of all of them, or at an earlier instant.
    ///
    /// # Errors
    /// `invalid_argument` unless one of `seq`, `position` and `at` is given, for a number beyond the last, and where no kind is
    /// given for an id that more than one has; `not_found` when it did not exist then, with `began_at` when it did later; and
    /// the faults of the store.
    pub async fn state_at(&self, request: StateAt) -> Result<PastState, Error> {
        self.q.allow("history.state_at", &request).await?;
        self.q.revealed(past::state_at(self.q, request).await?)
    }

    /// What led to how an entity of any kind stands, as sentences.
    ///
    /// # Errors
    /// `invalid_argument` for the kind, and where none is given for an id that more than one has, `not_found`, also for what
    /// nothing in the log is about, and the faults of the store.
    pub async fn why(&self, request: AskWhy) -> Result<EntityWhy, Error> {
        self.q.allow("history.why", &request).await?;
        why(self.q, request).await
    }

    /// How much of what happened: events, outcomes, durations and votes, over all that fits the filters.
    ///
    /// # Errors
    /// As [`History::query`], and `invalid_argument` for what is to be compared.
    pub async fn count(&self, request: CountHistory) -> Result<HistoryCounts, Error> {
        self.q.allow("history.count", &request).await?;
        self.q.check_identity(request.identity.as_ref())?;
        let mut count = Count::of(&request)?;
        count.settle(self.q.host()).await?;
        let counted = self.q.host().blocking(move |store| count.run(store)).await?;
        let mut counts = counted.ok_or_else(missing)?;
        if counts.events == 0 {
            counts.unknown = self.unknown(&request.filters()).await?;
        }
        Ok(counts)
    }
}

/// The kinds an entity is sought among when none is named, the likeliest first.
pub(super) const SOUGHT: [StreamKind; 24] = [
    StreamKind::Quorum,
    StreamKind::Proposal,
    StreamKind::Session,
    StreamKind::Job,
    StreamKind::Gate,
    StreamKind::Agent,
    StreamKind::Voter,
    StreamKind::Cell,
    StreamKind::Budget,
    StreamKind::Worker,
    StreamKind::Durations,
    StreamKind::Topology,
    StreamKind::Algorithms,
    StreamKind::Flow,
    StreamKind::Load,
    StreamKind::Identity,
    StreamKind::Datacenter,
    StreamKind::Route,
    StreamKind::Coordinate,
    StreamKind::Stops,
    StreamKind::Retention,
    StreamKind::Member,
    StreamKind::Hook,
    StreamKind::Subjects,
];

/// The entity of this kind, or the first of any kind that has this id.
pub(super) fn stream_of(
    store: &dyn Store,
    kind: Option<StreamKind>,
    id: &EntityId,
) -> Result<StreamId, Fault> {
    let stream = |kind| StreamId::new(kind, id.clone());
    if let Some(kind) = kind {
        return Ok(stream(kind));
    }
    for kind in SOUGHT {
        if was_ever(store, &stream(kind))? {
            return Ok(stream(kind));
        }
    }
    Ok(stream(StreamKind::Quorum))
}

/// Has anything ever been recorded of this, whether or not it was pruned since?
pub(super) fn was_ever(store: &dyn Store, stream: &StreamId) -> Result<bool, Fault> {
    match wait(store.head(stream)) {
        Ok(head) => Ok(head.is_some()),
        Err(Fault::Pruned { .. }) => Ok(true),
        Err(fault) => Err(fault),
    }
}

pub(super) fn kind_of(name: &str) -> Result<StreamKind, Error> {
    let names = StreamKind::ALL.map(StreamKind::name);
    let expected = || format!("one of {}", names.join(", "));
    StreamKind::from_name(name).ok_or_else(|| misspelt("kind", name, &names, &expected()))
}

fn entity_log(
    store: &dyn Store,
    stream: &StreamId,
    after: u64,
    limit: usize,
) -> Result<Option<EntityLog>, Fault> {
    let Some(head) = wait(store.head(stream))? else { return Ok(None) };
    let records = wait(store.read(stream, after, limit))?;
    let last = records.last().map_or(after, |record| record.seq);
    let (mut votes, mut ballots) = (Vec::new(), Vec::new());
    match stream.kind {
        StreamKind::Quorum => votes = votes_between(store, stream, after, last)?,
        StreamKind::Proposal => ballots = ballots_between(store, stream, after, last)?,
        StreamKind::Topology
        | StreamKind::Agent
        | StreamKind::Algorithms
        | StreamKind::Cell
        | StreamKind::Budget
        | StreamKind::Job
        | StreamKind::Gate
        | StreamKind::Worker
        | StreamKind::Flow
        | StreamKind::Load
        | StreamKind::Voter
        | StreamKind::Session
        | StreamKind::Durations
        | StreamKind::Identity
        | StreamKind::Datacenter
        | StreamKind::Route
        | StreamKind::Coordinate
        | StreamKind::Stops
        | StreamKind::Retention
        | StreamKind::Hook
        | StreamKind::Subjects
        | StreamKind::Member => {}
    }
    Ok(Some(EntityLog {
        kind: stream.kind.name().into(),
        entity_id: stream.id.clone(),
        revision: head.revision,
        events: records.into_iter().map(event_view).collect::<Result<_, _>>()?,
        votes,
        ballots,
        next_cursor: (last > 0).then(|| last.to_string()),
        more: last < head.revision,
    }))
}

/// The votes with a seq after `after` and up to `last`. Whether one was superseded is known only at the log's end.
fn votes_between(
    store: &dyn Store,
    stream: &StreamId,
    after: u64,
    last: u64,
) -> Result<Vec<AuditVoteView>, Fault> {
    let events: Vec<(u64, Event)> = events_after(store, stream, after)?;
    let votes = votes_on_record(events.iter().map(|(seq, event)| (*seq, event)));
    let view = |v: quorum::audit::AuditVote| AuditVoteView {
        seq: v.seq,
        voter_id: v.voter_id,
        vote: v.vote,
        confidence: v.confidence,
        cast_at: v.cast_at,
        counted: v.counted,
        superseded: v.superseded,
        refused: v.refused,
        reason: v.reason.map(str::to_owned),
        voter_reason: v.voter_reason,
    };
    Ok(votes.into_iter().take_while(|v| v.seq <= last).map(view).collect())
}

/// The votes on a proposal, as above.
fn ballots_between(
    store: &dyn Store,
    stream: &StreamId,
    after: u64,
    last: u64,
) -> Result<Vec<AuditBallotView>, Fault> {
    let events: Vec<(u64, proposal::Event)> = events_after(store, stream, after)?;
    let ballots = ballots_on_record(events.iter().map(|(seq, event)| (*seq, event)));
    let view = |b: AuditBallot| AuditBallotView {
        seq: b.seq,
        voter_id: b.voter_id,
        vote: b.vote,
        weight: b.weight,
        metadata: b.metadata.and_then(|text| serde_json::from_str(&text).ok()),
        value: b.value.and_then(|text| serde_json::from_str(&text).ok()),
        voter_reason: b.reason,
        cast_at: b.cast_at,
        counted: b.refusal.is_none(),
        superseded: b.superseded,
        refused: b.refusal.is_some(),
        reason: b.refusal.map(|refusal| refusal.name().to_owned()),
    };
    Ok(ballots.into_iter().take_while(|b| b.seq <= last).map(view).collect())
}

/// All events of a stream with a seq after this one.
fn events_after<E: DeserializeOwned>(
    store: &dyn Store,
    stream: &StreamId,
    after: u64,
) -> Result<Vec<(u64, E)>, Fault> {
    let mut events = Vec::new();
    let mut seq = after;
    loop {
        let page = wait(store.read(stream, seq, PAGE))?;
        let Some(end) = page.last() else { return Ok(events) };
        seq = end.seq;
        for record in page {
            events.push((record.seq, decode(&record.payload)?));
        }
    }
}
