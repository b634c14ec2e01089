//! Which records are asked for, and where a page of them ended.

use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::Value;

use super::super::cursor::unknown;
use super::super::dto::{EventView, HistoryQuery};
use super::super::event_names::{self, misspelt};
use super::super::event_view::{event_view, names};
use super::super::sought::kind_meant;
use super::about::{Abouts, about, is_about_cell, is_in_datacenter, says};
use super::guide::Guide;
use super::{PAGE, indexing, kind_of, lore, stream_of};
use crate::core::kernel::ids::StreamKind;
use crate::core::kernel::time::Timestamp;
use crate::error::Error;
use crate::journal::{ChainHash, Fault, Position, Record, Store};
use crate::shell::host::{Host, wait};
use crate::shell::index::Index;
use crate::shell::subjects::seal::{find, mark_of};

/// Letters of a record's hash in a cursor.
const HASH_LETTERS: usize = 8;

/// Where a page ended: a position, and the beginning of the hash of the record there, by which the cursor of another journal
/// is known. Whoever follows events has the position alone.
#[derive(Clone, Debug, Default)]
pub(in crate::api) struct Mark {
    /// Everything up to here was read.
    pub(in crate::api) at: Position,
    hash: Option<String>,
    given: Option<String>,
}

impl Mark {
    /// The one that a cursor names; without one the beginning.
    ///
    /// # Errors
    /// `invalid_argument` for what is no cursor.
    pub(in crate::api) fn of(text: Option<&str>) -> Result<Self, Error> {
        let Some(given) = text else { return Ok(Mark::default()) };
        let (at, hash) = given.split_once('-').map_or((given, None), |(at, hash)| (at, Some(hash)));
        let is_hash = |hash: &str| hash.len() == HASH_LETTERS && hash.bytes().all(|b| b.is_ascii_hexdigit());
        match at.parse() {
            Ok(at) if hash.is_none_or(is_hash) => {
                Ok(Mark { at, hash: hash.map(str::to_owned), given: Some(given.to_owned()) })
            }
            Ok(_) | Err(_) => Err(unknown(given)),
        }
    }

    /// As a cursor.
    fn text(at: Position, hash: ChainHash) -> String {
        let hash: String = hash.to_string().chars().take(HASH_LETTERS).collect();
        format!("{at}-{hash}")
    }

    /// The cursor of a page that ended at this record.
    pub(in crate::api) fn cursor(store: &dyn Store, at: Position) -> Result<String, Fault> {
        let there =
            wait(store.scan(at.saturating_sub(1), 1))?.into_iter().find(|record| record.position == at);
        Ok(there.map_or_else(|| at.to_string(), |record| Mark::text(at, record.hash)))
    }

    /// What to go on with behind a page for which nothing was read.
    pub(in crate::api) fn given(self) -> Option<String> {
        self.given
    }

    /// Refuses what no page of this journal ended at. The record there may be gone since; then nothing is known against it.
    pub(in crate::api) fn check(&self, store: &dyn Store) -> Result<Result<(), Error>, Fault> {
        let Some(before) = self.at.checked_sub(1) else { return Ok(Ok(())) };
        let there = wait(store.scan(before, 1))?.into_iter().next();
        let fits = match (&there, &self.hash) {
            (None, _) => wait(store.tip())?.position >= self.at,
            (Some(record), Some(hash)) if record.position == self.at => {
                record.hash.to_string().starts_with(hash.as_str())
            }
            (Some(_), _) => true,
        };
        let refuse = || {
            let given = self.given.as_deref().unwrap_or_default();
            let expected = "a next_cursor of an earlier page of this journal";
            Error::invalid("cursor", given, expected)
        };
        Ok(if fits { Ok(()) } else { Err(refuse()) })
    }
}

/// What was found, and how far was read.
#[derive(Debug)]
pub(in crate::api) struct Found {
    /// The events.
    pub(in crate::api) events: Vec<EventView>,
    /// Everything up to here was read.
    pub(in crate::api) at: Position,
    /// The cursor of that; none when nothing was read.
    pub(in crate::api) cursor: Option<String>,
    /// The end was not reached.
    pub(in crate::api) more: bool,
}

/// Which records are asked for.
#[derive(Clone, Debug)]
pub(in crate::api) struct Filter {
    kind: Option<StreamKind>,
    request: HistoryQuery,
    /// What says where to look; without it every record is looked at.
    index: Option<Arc<Index>>,
}

/// Where an event says whose vote, attempt or proven fault it is.
const VOTES: [&str; 3] = ["/voter_id", "/vote/voter_id", "/first/vote/voter_id"];
/// Members that name a worker.
const WORKERS: [&str; 2] = ["worker_id", "worker"];
/// Members that name a node.
const NODES: [&str; 8] =
    ["node", "node_id", "peer", "leader", "leader_id", "gate_id", "forgotten", "said_by"];
/// Kinds whose entities are nodes.
const NODE_KINDS: [StreamKind; 2] = [StreamKind::Coordinate, StreamKind::Member];
impl Filter {
    /// What a request asks for, and behind which mark.
    ///
    /// # Errors
    /// `invalid_argument` for what nothing on record could have.
    pub(in crate::api) fn of(request: HistoryQuery) -> Result<(Self, Mark), Error> {
        let kind = request.kind.as_deref().map(kind_of).transpose()?;
        let mark = Mark::of(request.cursor.as_deref())?;
        if let Some(event) = &request.event {
            event_names::check(event, kind)?;
        }
        if let Some(outcome) = &request.outcome {
            check_outcome(outcome, kind, request.event.as_deref())?;
        }
        check_span(request.since, request.until)?;
        check_range(("from_seq", request.from_seq), ("upto_seq", request.upto_seq))?;
        check_range(("from_position", request.from_position), ("upto_position", request.upto_position))?;
        Ok((Filter { kind, request, index: None }, mark))
    }

    /// Finds the kind of the entity where one is named without it, and the index of the journal.
    ///
    /// # Errors
    /// `invalid_argument` for an id that more than one kind has, and the faults of the store.
    pub(in crate::api) async fn settle(&mut self, host: &Host) -> Result<(), Error> {
        if let Some(id) = &self.request.entity_id {
            self.kind = kind_meant(host, self.kind, id).await?;
        }
        self.index = indexing::at_hand(host).await?;
        Ok(())
    }

    /// Of which kind, where that is known.
    pub(in crate::api) fn kind(&self) -> Option<StreamKind> {
        self.kind
    }

    /// Are sealed texts to be told as they are stored?
    pub(in crate::api) fn is_sealed(&self) -> bool {
        self.request.sealed == Some(true)
    }

    /// Does a request that names an entity name one that ever was?
    pub(in crate::api) fn names_what_is(&self, store: &dyn Store) -> Result<bool, Fault> {
        match &self.request.entity_id {
            // One that was pruned is told as such.
            Some(id) => Ok(wait(store.head(&stream_of(store, self.kind, id)?))?.is_some()),
            None => Ok(true),
        }
    }

    /// None when an entity is named that never was. Of such an entity the records up to `seq` are known to stand
    /// before; it is moved on to where the page ends.
    pub(in crate::api) fn page(
        &self,
        store: &dyn Store,
        after: Position,
        limit: usize,
        seq: &mut u64,
    ) -> Result<Option<Found>, Fault> {
        if !self.names_what_is(store)? {
            return Ok(None);
        }
        let mut events = Vec::new();
        let (last, is_cut) = self.walk(store, after, seq, |view| {
            events.push(view);
            if events.len() == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        let (at, cursor) = match last {
            Some((at, hash)) => (at, Some(Mark::text(at, hash))),
            None => (after, None),
        };
        let more = is_cut && self.goes_on(wait(store.tip())?.position, at);
        Ok(Some(Found { events, at, cursor, more }))
    }

    /// The places that a page is about: those after the first position and up to the second; none where one entity is named.
    pub(in crate::api) fn places(
        &self,
        store: &dyn Store,
        after: Position,
        found: &Found,
    ) -> Result<Option<(Position, Position)>, Fault> {
        let all = self.all_places(store)?;
        Ok(all.map(|(first, end)| (after.max(first), if found.more { found.at.min(end) } else { end })))
    }

    /// The places that are asked about in all; none where one entity is named.
    pub(in crate::api) fn all_places(
        &self,
        store: &dyn Store,
    ) -> Result<Option<(Position, Position)>, Fault> {
        if self.request.entity_id.is_some() {
            return Ok(None);
        }
        let after = self.request.from_position.map_or(0, |from| from - 1);
        let tip = wait(store.tip())?.position;
        Ok(Some((after, tip.min(self.request.upto_position.unwrap_or(Position::MAX)))))
    }

    fn goes_on(&self, tip: Position, at: Position) -> bool {
        tip.min(self.request.upto_position.unwrap_or(Position::MAX)) > at
    }

    /// Hands over what fits behind a position, in order, until there is no more or it is enough. Gives the last record that
    /// was looked at, and whether it was enough.
    pub(super) fn walk(
        &self,
        store: &dyn Store,
        after: Position,
        seq: &mut u64,
        mut take: impl FnMut(EventView) -> ControlFlow<()>,
    ) -> Result<(Option<(Position, ChainHash)>, bool), Fault> {
        let request = &self.request;
        let mut at = after.max(request.from_position.map_or(0, |from| from - 1));
        *seq =
            (*seq).max(request.from_seq.filter(|_| request.entity_id.is_some()).map_or(0, |from| from - 1));
        let (mut last, mut abouts) = (None, Abouts::new());
        let mut guide = self.guide(store)?;
        loop {
            let (records, passed) = match &mut guide {
                Some(guide) => guide.next(store, at, request.upto_position.unwrap_or(Position::MAX))?,
                None => (self.next_records(store, at, seq)?, None),
            };
            if records.is_empty() && passed.is_none() {
                return Ok((last, false));
            }
            let before = at;
            for record in records {
                if request.upto_position.is_some_and(|upto| record.position > upto) {
                    return Ok((last, false));
                }
                at = record.position;
                last = Some((at, record.hash));
                let read = record.seq;
                let Some(view) = self.fitting(store, &mut abouts, record)? else { continue };
                if take(view).is_break() {
                    *seq = read.min(*seq);
                    return Ok((last, true));
                }
            }
            if let Some(passed) = passed {
                last = passed.last.filter(|(position, _)| *position > before).or(last);
                at = at.max(passed.upto);
            }
        }
    }

    /// What says where to look, unless the log of one entity is read, or nothing is asked for that the index knows.
    fn guide(&self, store: &dyn Store) -> Result<Option<Guide<'_>>, Fault> {
        let request = &self.request;
        let Some(index) = self.index.as_deref().filter(|_| request.entity_id.is_none()) else {
            return Ok(None);
        };
        let all_of = self.terms();
        if all_of.is_empty() && request.since.is_none() && request.until.is_none() {
            return Ok(None);
        }
        Guide::new(index, store, all_of, (request.since, request.until)).map(Some)
    }

    /// The terms that a record has which fits: one of each list.
    fn terms(&self) -> Vec<Vec<u64>> {
        let request = &self.request;
        let said = [
            request.party_id.as_ref().map(|id| id.as_str()),
            request.cell_id.as_ref().map(|id| id.as_str()),
            request.voter_id.as_ref().map(|id| id.as_str()),
            request.agent_id.as_ref().map(|id| id.as_str()),
            request.worker_id.as_ref().map(|id| id.as_str()),
            request.node_id.as_ref().map(|id| id.as_str()),
            request.datacenter.as_ref().map(|id| id.as_str()),
        ];
        let mut all_of: Vec<Vec<u64>> =
            said.into_iter().flatten().filter_map(indexing::text).map(|term| vec![term]).collect();
        all_of.extend(request.identity.as_ref().map(|by| vec![indexing::identity(by.as_str())]));
        all_of.extend(request.data_subject.as_ref().map(|name| vec![indexing::sealed(&mark_of(name))]));
        all_of.extend(self.kind.map(|kind| vec![indexing::kind(kind)]));
        all_of.extend(request.event.as_ref().map(|event| vec![indexing::event(event)]));
        let lores = || {
            let kinds = self.kind.map_or_else(|| StreamKind::ALL.to_vec(), |kind| vec![kind]);
            kinds.into_iter().map(lore::of)
        };
        if request.refused == Some(true) {
            let names = lores().flat_map(|lore| lore.refusals.iter().copied());
            all_of.push(names.map(indexing::event).collect());
        }
        if let Some(outcome) = &request.outcome {
            let by_name = lores().flat_map(|lore| {
                lore.ends
                    .iter()
                    .filter(|(_, how)| how.is_word(outcome))
                    .map(|(event, _)| indexing::event(event))
            });
            all_of.push(indexing::text(outcome).into_iter().chain(by_name).collect());
        }
        all_of
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

    /// The record as it is shown, if it fits. What can be told without reading what it holds is told first.
    fn fitting(
        &self,
        store: &dyn Store,
        abouts: &mut Abouts,
        record: Record,
    ) -> Result<Option<EventView>, Fault> {
        let request = &self.request;
        let is_outside = request.until.is_some_and(|until| record.at > until)
            || request.since.is_some_and(|since| record.at < since)
            || request.from_seq.is_some_and(|from| record.seq < from)
            || request.upto_seq.is_some_and(|upto| record.seq > upto)
            || self.kind.is_some_and(|kind| record.stream.kind != kind)
            || request.identity.as_ref().is_some_and(|by| record.by.as_ref() != Some(by));
        let holds = |name| find(&record.payload, mark_of(name).as_bytes()).is_some();
        if is_outside
            || !request.data_subject.as_ref().is_none_or(holds)
            || self.names_nobody_asked_for(&record)
        {
            return Ok(None);
        }
        let stream = record.stream.clone();
        let view = event_view(record)?;
        let mut about = || about(store, abouts, &stream);
        let fits = self.admits(stream.kind, &view)
            && match &request.cell_id {
                Some(cell) => is_about_cell(&stream, &view, cell.as_str(), &mut about)?,
                None => true,
            }
            && match &request.datacenter {
                Some(datacenter) => is_in_datacenter(&stream, &view, datacenter.as_str(), &mut about)?,
                None => true,
            };
        Ok(fits.then_some(view))
    }

    /// Can none of the parties that are asked for stand in the record? Ids are stored letter by letter, so what does not hold
    /// their letters need not be read to know that it does not name them.
    fn names_nobody_asked_for(&self, record: &Record) -> bool {
        let request = &self.request;
        let asked: [(Option<&str>, &[StreamKind]); 4] = [
            (request.voter_id.as_ref().map(|id| id.as_str()), &[StreamKind::Voter]),
            (request.agent_id.as_ref().map(|id| id.as_str()), &[StreamKind::Agent]),
            (request.worker_id.as_ref().map(|id| id.as_str()), &[StreamKind::Worker]),
            (request.node_id.as_ref().map(|id| id.as_str()), &NODE_KINDS),
        ];
        asked.into_iter().filter_map(|(id, kinds)| Some((id?, kinds))).any(|(id, kinds)| {
            let is_own = kinds.contains(&record.stream.kind) && record.stream.id.as_str() == id;
            !is_own && !record.payload.windows(id.len()).any(|letters| letters == id.as_bytes())
        })
    }

    fn admits(&self, kind: StreamKind, view: &EventView) -> bool {
        let request = &self.request;
        let own = |of: StreamKind, id: &str| kind == of && view.entity_id.as_str() == id;
        let voted = |voter: &str| {
            let of = VOTES.iter().find_map(|place| view.data.pointer(place));
            of.and_then(Value::as_str) == Some(voter)
        };
        request.event.as_ref().is_none_or(|event| *event == view.event)
            && request.refused.is_none_or(|refused| refused == view.refused)
            && request
                .party_id
                .as_ref()
                .is_none_or(|party| view.entity_id == *party || names(&view.data, party.as_str()))
            && request
                .voter_id
                .as_ref()
                .is_none_or(|voter| voted(voter.as_str()) || own(StreamKind::Voter, voter.as_str()))
            && request.agent_id.as_ref().is_none_or(|agent| {
                let agent = agent.as_str();
                voted(agent) || own(StreamKind::Agent, agent)
            })
            && request.worker_id.as_ref().is_none_or(|worker| {
                own(StreamKind::Worker, worker.as_str()) || says(&view.data, &WORKERS, worker.as_str())
            })
            && request.node_id.as_ref().is_none_or(|node| {
                let own = NODE_KINDS.into_iter().any(|kind| own(kind, node.as_str()));
                own || says(&view.data, &NODES, node.as_str())
            })
            && request
                .outcome
                .as_ref()
                .is_none_or(|outcome| lore::outcome(kind, &view.event, &view.data) == Some(outcome.as_str()))
    }
}

/// Refuses a time that ends before it begins: nothing can have happened in it.
pub(in crate::api) fn check_span(since: Option<Timestamp>, until: Option<Timestamp>) -> Result<(), Error> {
    match (since, until) {
        (Some(since), Some(until)) if since > until => {
            let expected = format!("an instant up to until, which is {until}");
            Err(Error::invalid("since", since.to_string(), &expected))
        }
        _ => Ok(()),
    }
}

/// The same for numbers, which begin at 1.
fn check_range(from: (&str, Option<u64>), upto: (&str, Option<u64>)) -> Result<(), Error> {
    for (field, number) in [from, upto] {
        if number == Some(0) {
            return Err(Error::invalid(field, 0, "a whole number, at least 1"));
        }
    }
    match (from.1, upto.1) {
        (Some(low), Some(high)) if low > high => {
            Err(Error::invalid(from.0, low, &format!("a number up to {}, which is {high}", upto.0)))
        }
        _ => Ok(()),
    }
}

/// Refuses an outcome that nothing of this kind, or of any, can have, and one beside an event that has none.
fn check_outcome(name: &str, kind: Option<StreamKind>, event: Option<&str>) -> Result<(), Error> {
    let kinds = kind.map_or_else(|| StreamKind::ALL.to_vec(), |kind| vec![kind]);
    let lores: Vec<lore::Lore> = kinds.into_iter().map(lore::of).collect();
    let mut known: Vec<&str> = lores.iter().flat_map(|lore| (lore.outcomes)()).collect();
    known.sort_unstable();
    known.dedup();
    if let (true, Some(kind)) = (known.is_empty(), kind) {
        let with: Vec<&str> = StreamKind::ALL
            .into_iter()
            .filter(|kind| !lore::of(*kind).ends.is_empty())
            .map(StreamKind::name)
            .collect();
        let expected =
            format!("none for the kind {}: of the kinds, {} have outcomes", kind.name(), with.join(", "));
        return Err(Error::invalid("outcome", name, &expected));
    }
    if !known.contains(&name) {
        return Err(misspelt("outcome", name, &known, &format!("one of {}", known.join(", "))));
    }
    let mut ends: Vec<&str> = lores.iter().flat_map(|lore| lore.ends.iter().map(|(end, _)| *end)).collect();
    ends.sort_unstable();
    ends.dedup();
    match event {
        Some(event) if !ends.contains(&event) => {
            let have = if ends.len() == 1 { "has" } else { "have" };
            let expected =
                format!("none beside the event {event}: only {} {have} an outcome", ends.join(", "));
            Err(Error::invalid("outcome", name, &expected))
        }
        Some(_) | None => Ok(()),
    }
}
