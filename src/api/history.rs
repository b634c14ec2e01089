//! Queries over what happened: who decided what, when and why, and whether anything was changed.

use std::collections::HashMap;

use serde::de::DeserializeOwned;

use super::Quorate;
use super::capacity_view::capacity_view;
use super::consensus::result_view;
use super::cursor::unknown;
use super::dto::{
    AuditBallotView, AuditVoteView, EntityHistory, EntityLog, EventPage, EventView, HistoryQuery, PastState,
    StateAt,
};
use super::event_names;
use super::event_view::{event_view, names};
use super::job_view::job_view;
use super::quorum::{page_limit, status_view};
use super::session_view;
use super::voter::voter_view;
use crate::core::capacity::cell::CellMachine;
use crate::core::jobs::manager::JobMachine;
use crate::core::kernel::Machine;
use crate::core::kernel::driver::Driver;
use crate::core::kernel::ids::{CellId, EntityId, Resource, StreamId, StreamKind};
use crate::core::kernel::time::Timestamp;
use crate::core::voting::proposal;
use crate::core::voting::proposal::audit::{AuditBallot, ballots_on_record};
use crate::core::voting::proposal::{ProposalMachine, Verdict};
use crate::core::voting::quorum;
use crate::core::voting::quorum::audit::votes_on_record;
use crate::core::voting::quorum::{Event, QuorumMachine, QuorumState};
use crate::core::voting::session::{Outcome, SessionMachine};
use crate::core::voting::topology;
use crate::core::voting::voter::VoterMachine;
use crate::error::{Error, ErrorKind};
use crate::journal::codec::decode;
use crate::journal::{Fault, Position, Record, Store};
use crate::shell::host::wait;

/// Records read from the store at a time.
const PAGE: usize = 2048;

/// Queries over what happened.
#[derive(Clone, Copy, Debug)]
pub struct History<'a> {
    pub(super) q: &'a Quorate,
}

impl History<'_> {
    /// Recorded events in global order, filtered, a page at a time.
    ///
    /// # Errors
    /// `invalid_argument` for the kind, limit or cursor, for an outcome that nothing of the kind has, for an end before
    /// the beginning, and the faults of the store.
    pub async fn query(&self, request: HistoryQuery) -> Result<EventPage, Error> {
        self.q.allow("history.query", &request).await?;
        let limit = page_limit(request.limit)?;
        let (filter, after) = Filter::of(request)?;
        let page = self.q.host().blocking(move |store| filter.page(store, after, limit, &mut 0)).await?;
        // An id that is misspelt must not read as if nothing had happened.
        let mut page = page
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "nothing is recorded under this kind and id"))?;
        if let Some(sight) = self.q.sight() {
            sight.events(&mut page.events);
        }
        Ok(page)
    }

    /// The log of one entity, a page at a time, with the votes and refused attempts in it.
    ///
    /// # Errors
    /// `invalid_argument` for the kind, limit or cursor, `not_found`, and the faults of the store.
    pub async fn entity(&self, request: EntityHistory) -> Result<EntityLog, Error> {
        self.q.allow("history.entity", &request).await?;
        let limit = page_limit(request.limit)?;
        let kind = request.kind.as_deref().map(kind_of).transpose()?;
        let after = cursor(request.cursor.as_deref())?;
        let id = request.entity_id;
        let log = self.q.host().blocking(move |store| {
            let stream = stream_of(store, kind, &id)?;
            entity_log(store, &stream, after, limit)
        });
        let mut log = log
            .await?
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "nothing is recorded under this kind and id"))?;
        if let Some(sight) = self.q.sight() {
            sight.events(&mut log.events);
        }
        Ok(log)
    }

    /// How a quorum, proposal, job, cell, session or voter stood at an earlier point of its log, or at an earlier instant.
    ///
    /// # Errors
    /// `invalid_argument` unless one of `seq` and `at` is given, or for another kind, `not_found` when it did not exist
    /// then, and the faults of the store.
    pub async fn state_at(&self, request: StateAt) -> Result<PastState, Error> {
        self.q.allow("history.state_at", &request).await?;
        if request.seq.is_some() == request.at.is_some() {
            return Err(Error::invalid("seq", request.seq, "one of seq and at"));
        }
        let kind = request.kind.as_deref().map(kind_of).transpose()?;
        let host = self.q.host();
        let id = request.entity_id.clone();
        let stream = host.blocking(move |store| stream_of(store, kind, &id)).await?;
        let kind = stream.kind;
        let missing = || Error::new(ErrorKind::NotFound, "nothing was recorded under this kind and id then");
        match kind {
            StreamKind::Quorum => {
                let past = host.blocking(move |store| fold_until::<QuorumMachine>(store, &stream, &request));
                let (id, driver, now) = past.await?.ok_or_else(missing)?;
                Ok(PastState::Quorum(Box::new(status_view(&id, driver.state(), now)?)))
            }
            StreamKind::Proposal => {
                let past =
                    host.blocking(move |store| fold_until::<ProposalMachine>(store, &stream, &request));
                let (id, driver, now) = past.await?.ok_or_else(missing)?;
                Ok(PastState::Proposal(Box::new(result_view(&id, driver.state(), now)?)))
            }
            StreamKind::Job => {
                let past = host.blocking(move |store| fold_until::<JobMachine>(store, &stream, &request));
                let (_, driver, now) = past.await?.ok_or_else(missing)?;
                let mut view = job_view(driver.state(), now, None).ok_or_else(missing)?;
                if let Some(sight) = self.q.sight() {
                    sight.job(&mut view);
                }
                Ok(PastState::Job(Box::new(view)))
            }
            StreamKind::Cell => {
                let past = host.blocking(move |store| fold_until::<CellMachine>(store, &stream, &request));
                let (id, driver, _) = past.await?.ok_or_else(missing)?;
                let cell = CellId::stored(id.as_str())
                    .map_err(|e| Error::invalid("entity_id", id.as_str(), &e.to_string()))?;
                let defaults = host.config.capacity.settings();
                let status = driver.state().status(cell, &Resource::capacity(), &defaults);
                Ok(PastState::Cell(Box::new(capacity_view(status))))
            }
            StreamKind::Session => {
                let past = host.blocking(move |store| fold_until::<SessionMachine>(store, &stream, &request));
                let (_, driver, _) = past.await?.ok_or_else(missing)?;
                Ok(PastState::Session(Box::new(session_view::result_view(driver.state())?)))
            }
            StreamKind::Voter => {
                let past = host.blocking(move |store| fold_until::<VoterMachine>(store, &stream, &request));
                let (_, driver, now) = past.await?.ok_or_else(missing)?;
                Ok(PastState::Voter(Box::new(voter_view(driver.state(), now)?)))
            }
            StreamKind::Topology
            | StreamKind::Agent
            | StreamKind::Algorithms
            | StreamKind::Budget
            | StreamKind::Gate
            | StreamKind::Worker
            | StreamKind::Flow
            | StreamKind::Load
            | StreamKind::Durations
            | StreamKind::Identity => {
                Err(Error::invalid("kind", kind.name(), "quorum, proposal, job, cell, session or voter"))
            }
        }
    }
}

/// The kinds an entity is sought among when none is named, the likeliest first.
const SOUGHT: [StreamKind; 16] = [
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
        if wait(store.head(&stream(kind)))?.is_some() {
            return Ok(stream(kind));
        }
    }
    Ok(stream(StreamKind::Quorum))
}

/// Refuses a time that ends before it begins: nothing can have happened in it.
pub(super) fn check_span(since: Option<Timestamp>, until: Option<Timestamp>) -> Result<(), Error> {
    match (since, until) {
        (Some(since), Some(until)) if since > until => {
            let expected = format!("an instant up to until, which is {until}");
            Err(Error::invalid("since", since.to_string(), &expected))
        }
        _ => Ok(()),
    }
}

/// Refuses an outcome that nothing of this kind, or of any, can have, and one beside an event that has none.
fn check_outcome(name: &str, kind: Option<StreamKind>, event: Option<&str>) -> Result<(), Error> {
    let quorums = QuorumState::ALL.into_iter().filter(|state| *state != QuorumState::Open);
    let quorums = quorums.map(QuorumState::name);
    let proposals = Verdict::ALL.map(Verdict::name);
    let sessions = Outcome::ALL.map(Outcome::name);
    let mut known: Vec<&str> = match kind {
        None => quorums.chain(proposals).chain(sessions).collect(),
        Some(StreamKind::Quorum) => quorums.collect(),
        Some(StreamKind::Proposal) => proposals.into(),
        Some(StreamKind::Session) => sessions.into(),
        Some(other) => {
            let expected =
                format!("none for the kind {}: quorums, proposals and sessions have outcomes", other.name());
            return Err(Error::invalid("outcome", name, &expected));
        }
    };
    if !known.contains(&name) {
        known.sort_unstable();
        known.dedup();
        return Err(Error::invalid("outcome", name, &format!("one of {}", known.join(", "))));
    }
    match event {
        None | Some("closed") => Ok(()),
        Some(event) => {
            let expected = format!("none beside the event {event}: only closed has an outcome");
            Err(Error::invalid("outcome", name, &expected))
        }
    }
}

pub(super) fn kind_of(name: &str) -> Result<StreamKind, Error> {
    let names = StreamKind::ALL.map(StreamKind::name).join(", ");
    StreamKind::from_name(name).ok_or_else(|| Error::invalid("kind", name, &format!("one of {names}")))
}

fn cursor(text: Option<&str>) -> Result<u64, Error> {
    let parse = |text: &str| text.parse().map_err(|_| unknown(text));
    text.map_or(Ok(0), parse)
}

/// Which records are asked for.
pub(super) struct Filter {
    kind: Option<StreamKind>,
    request: HistoryQuery,
}

impl Filter {
    /// What a request asks for, and after which position.
    ///
    /// # Errors
    /// `invalid_argument` for what nothing on record could have.
    pub(super) fn of(request: HistoryQuery) -> Result<(Self, Position), Error> {
        let kind = request.kind.as_deref().map(kind_of).transpose()?;
        let after = cursor(request.cursor.as_deref())?;
        if let Some(event) = &request.event {
            event_names::check(event, kind)?;
        }
        if let Some(outcome) = &request.outcome {
            check_outcome(outcome, kind, request.event.as_deref())?;
        }
        check_span(request.since, request.until)?;
        Ok((Filter { kind, request }, after))
    }

    /// None when an entity is named that never was. Of such an entity the records up to `seq` are known to stand
    /// before; it is moved on to where the page ends.
    pub(super) fn page(
        &self,
        store: &dyn Store,
        after: Position,
        limit: usize,
        seq: &mut u64,
    ) -> Result<Option<EventPage>, Fault> {
        if let Some(id) = &self.request.entity_id
            && wait(store.head(&stream_of(store, self.kind, id)?))?.is_none()
        {
            return Ok(None);
        }
        let mut events = Vec::new();
        let mut cells = HashMap::new();
        let mut at = after;
        loop {
            let records = self.next_records(store, at, seq)?;
            if records.is_empty() {
                let next_cursor = (at > 0).then(|| at.to_string());
                return Ok(Some(EventPage { events, next_cursor, more: false }));
            }
            for record in records {
                at = record.position;
                let read = record.seq;
                if self.request.until.is_some_and(|until| record.at > until)
                    || self.request.since.is_some_and(|since| record.at < since)
                    || self.kind.is_some_and(|kind| record.stream.kind != kind)
                    || !self.about_cell(store, &mut cells, &record)?
                {
                    continue;
                }
                let view = event_view(record)?;
                if self.admits(&view) {
                    events.push(view);
                }
                if events.len() == limit {
                    *seq = read.min(*seq);
                    let more = wait(store.tip())?.position > at;
                    return Ok(Some(EventPage { events, next_cursor: Some(at.to_string()), more }));
                }
            }
        }
    }

    /// The next records to look at: of one entity when one is named, else of all.
    fn next_records(&self, store: &dyn Store, at: Position, seq: &mut u64) -> Result<Vec<Record>, Fault> {
        let Some(id) = &self.request.entity_id else { return wait(store.scan(at, PAGE)) };
        let stream = stream_of(store, self.kind, id)?;
        loop {
            let mut records = wait(store.read(&stream, *seq, PAGE))?;
            let Some(last) = records.last() else { return Ok(records) };
            *seq = last.seq;
            records.retain(|record| record.position > at);
            if !records.is_empty() {
                return Ok(records);
            }
        }
    }

    fn admits(&self, view: &EventView) -> bool {
        let request = &self.request;
        request.event.as_ref().is_none_or(|event| *event == view.event)
            && request
                .identity
                .as_ref()
                .is_none_or(|identity| view.identity.as_deref() == Some(identity.as_str()))
            && request
                .party_id
                .as_ref()
                .is_none_or(|party| view.entity_id == *party || names(&view.data, party.as_str()))
            && request
                .voter_id
                .as_ref()
                .is_none_or(|voter| view.data.get("voter_id").is_some_and(|v| v == voter.as_str()))
            && request.outcome.as_ref().is_none_or(|outcome| {
                let end = ["state", "decision", "outcome"].iter().find_map(|field| view.data.get(field));
                view.event == "closed" && end.is_some_and(|end| end == outcome.as_str())
            })
    }

    /// Is the record about the cell asked for? What a quorum is about stands in its first record.
    fn about_cell(
        &self,
        store: &dyn Store,
        cells: &mut HashMap<StreamId, Option<CellId>>,
        record: &Record,
    ) -> Result<bool, Fault> {
        let Some(wanted) = &self.request.cell_id else { return Ok(true) };
        match record.stream.kind {
            StreamKind::Topology => Ok(match decode(&record.payload)? {
                topology::Event::CellRegistered { cell_id, .. } => cell_id == *wanted,
                topology::Event::AuthorityRegistered { .. } => false,
            }),
            StreamKind::Cell => Ok(record.stream.id.as_str() == wanted.as_str()),
            StreamKind::Agent
            | StreamKind::Proposal
            | StreamKind::Algorithms
            | StreamKind::Budget
            | StreamKind::Job
            | StreamKind::Gate
            | StreamKind::Worker
            | StreamKind::Flow
            | StreamKind::Load
            | StreamKind::Voter
            | StreamKind::Session
            | StreamKind::Durations
            | StreamKind::Identity => Ok(false),
            StreamKind::Quorum => {
                if let Some(cell) = cells.get(&record.stream) {
                    return Ok(cell.as_ref() == Some(wanted));
                }
                let first = wait(store.read(&record.stream, 0, 1))?;
                let cell = match first.first().map(|r| decode::<Event>(&r.payload)).transpose()? {
                    Some(Event::Opened(opened)) => opened.cell_id,
                    Some(Event::OpenedByRule(by_rule)) => by_rule.opened.cell_id,
                    _ => None,
                };
                let about = cell.as_ref() == Some(wanted);
                cells.insert(record.stream.clone(), cell);
                Ok(about)
            }
        }
    }
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
        | StreamKind::Identity => {}
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

type Folded<M> = Option<(EntityId, Driver<M>, Timestamp)>;

/// An entity as it was after the events asked for, and at which instant.
fn fold_until<M: Machine>(store: &dyn Store, stream: &StreamId, past: &StateAt) -> Result<Folded<M>, Fault> {
    let mut driver = Driver::new(M::Context::default());
    let mut last = None;
    let upto = past.seq.unwrap_or(u64::MAX);
    loop {
        let page = wait(store.read(stream, driver.revision(), PAGE))?;
        let is_end = page.is_empty();
        for record in page {
            if record.seq > upto || past.at.is_some_and(|until| record.at > until) {
                return Ok(last.map(|last| (stream.id.clone(), driver, past.at.unwrap_or(last))));
            }
            driver.replay(&decode(&record.payload)?);
            last = Some(record.at);
        }
        if is_end {
            return Ok(last.map(|last| (stream.id.clone(), driver, past.at.unwrap_or(last))));
        }
    }
}
