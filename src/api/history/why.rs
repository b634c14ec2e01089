//! What led to how an entity stands: the events of its log as sentences, and of what it follows from those that say why.
//!
//! | of | is told too |
//! |---|---|
//! | voter | the evidence, and the exclusions, in the sessions that its record names |
//! | job | what its gate decided, and where its router sent it |
//! | quorum | how the quorum ended in whose place it was opened |
//! | cell, about a token or a need | what the cells it dealt with have on record of it |

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::Quorate;
use super::super::dto::{AskWhy, EntityWhy, EventView, WhyStep};
use super::super::event_view::{event_view, names};
use super::super::hidden::Sight;
use super::super::sealing::reveal_events;
use super::super::sought::kind_meant;
use super::tales::{self, Tale};
use super::{PAGE, kind_of, stream_of};
use crate::core::jobs::manager::{self as job};
use crate::core::kernel::ids::{EntityId, StreamId, StreamKind};
use crate::core::kernel::time::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::journal::codec::decode;
use crate::journal::{Fault, Record, Store};
use crate::shell::host::{Host, wait};

/// Links of a chain that are told.
const MOST: usize = 1_000;
/// Other entities that are looked into.
const MOST_OTHERS: usize = 64;

/// What led to how an entity stands.
pub(in crate::api) async fn why(q: &Quorate, request: AskWhy) -> Result<EntityWhy, Error> {
    let kind = request.kind.as_deref().map(kind_of).transpose()?;
    let (id, about, sight) = (request.entity_id, request.about, q.sight());
    let asked = about.clone();
    let kind = kind_meant(q.host(), kind, &id).await?;
    let host = Arc::clone(q.host());
    let told = q.host().blocking(move |store| {
        let stream = stream_of(store, kind, &id)?;
        let chain = Teller { store, about, sight, host: &host }.chain(&stream)?;
        Ok((stream, chain))
    });
    let (stream, (mut chain, is_named)) = told.await?;
    if chain.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, "nothing is recorded under this kind and id"));
    }
    if let Some(about) = asked.filter(|_| !is_named) {
        // What is misspelt must not read as if nothing had come of it.
        let message = format!("nothing in the log is about this. about={about}");
        let error = Error::new(ErrorKind::NotFound, message);
        return Err(error.with("field", "about").with("given", about.as_str()));
    }
    let left_out = chain.len().saturating_sub(MOST);
    chain.drain(..left_out);
    Ok(EntityWhy { kind: stream.kind.name().into(), entity_id: stream.id, chain, left_out: left_out as u64 })
}

struct Teller<'a> {
    store: &'a dyn Store,
    about: Option<EntityId>,
    sight: Option<Sight>,
    host: &'a Host,
}

impl Teller<'_> {
    /// The whole chain, in global order, and whether anything in it is about what is asked for.
    fn chain(&self, stream: &StreamId) -> Result<(Vec<WhyStep>, bool), Fault> {
        let records = all(self.store, stream)?;
        let mut views = Vec::with_capacity(records.len());
        for record in &records {
            let view = event_view(record.clone())?;
            // The first one says what the entity is.
            let is_meant = |about: &EntityId| view.seq == 1 || names(&view.data, about.as_str());
            if self.about.as_ref().is_none_or(is_meant) {
                views.push(view);
            }
        }
        let of = |about: &EntityId| {
            *about == stream.id || views.iter().any(|view| names(&view.data, about.as_str()))
        };
        let mut is_named = self.about.as_ref().is_none_or(of);
        let mut chain = match tales::of(stream.kind) {
            Tale::Job => self.of_job(&records, &views)?,
            Tale::Lines(lines) => self.told(lines, &views)?,
        };
        let own = chain.len();
        for (other, events, name) in self.follows_from(stream, &views) {
            let found = self.found(&other, events, name.as_ref())?;
            is_named |= name == self.about && !found.is_empty();
            match tales::of(other.kind) {
                Tale::Lines(lines) => chain.extend(self.told(lines, &found)?),
                Tale::Job => {}
            }
        }
        if chain.len() > own {
            chain.sort_by_key(|step| step.position);
        }
        Ok((chain, is_named))
    }

    /// Each event as its line says it; several in a row that say little are told once.
    fn told(
        &self,
        lines: &'static [(&'static str, &'static str)],
        views: &[EventView],
    ) -> Result<Vec<WhyStep>, Fault> {
        let mut chain: Vec<WhyStep> = Vec::new();
        let mut run = ("", 0_u64);
        for view in views {
            let mut view = view.clone();
            if let Some(sight) = &self.sight {
                sight.event(&mut view);
            }
            reveal_events(self.host, [&mut view])?;
            let (line, is_quiet) = tales::line(lines, &view.event);
            let mut sentence = tales::sentence(line, &view.event, &view.data);
            if is_quiet && run.0 == line {
                run.1 += 1;
                sentence = format!("{sentence}; {} in a row", run.1);
                chain.pop();
            } else {
                run = if is_quiet { (line, 1) } else { ("", 0) };
            }
            chain.push(WhyStep {
                position: view.position,
                kind: view.kind,
                entity_id: view.entity_id,
                seq: view.seq,
                at: view.at,
                sentence,
            });
        }
        Ok(chain)
    }

    /// As the machine of jobs tells it. Its numbers of leadership are shown to those alone who see all of them; whoever
    /// leads it is told them by `job.why`.
    fn of_job(&self, records: &[Record], views: &[EventView]) -> Result<Vec<WhyStep>, Fault> {
        let meant: BTreeSet<u64> = views.iter().map(|view| view.seq).collect();
        let mut events: Vec<(u64, Timestamp, job::Event)> = Vec::new();
        for record in records.iter().filter(|record| meant.contains(&record.seq)) {
            events.push((record.seq, record.at, decode(&record.payload)?));
        }
        let links = job::why(events.iter().map(|(seq, at, event)| (*seq, *at, event)));
        let step = |link: job::why::Link| {
            let record = records.iter().find(|record| record.seq == link.seq)?;
            Some(WhyStep {
                position: record.position,
                kind: record.stream.kind.name().into(),
                entity_id: record.stream.id.clone(),
                seq: link.seq,
                at: link.at,
                sentence: match self.sight {
                    Some(_) => Sight::sentence(&link.sentence),
                    None => link.sentence,
                },
            })
        };
        Ok(links.into_iter().filter_map(step).collect())
    }

    /// The other entities that say why, which of their events do, and what these have to name.
    fn follows_from(
        &self,
        stream: &StreamId,
        views: &[EventView],
    ) -> Vec<(StreamId, &'static [&'static str], Option<EntityId>)> {
        let named = |places: &[&str]| -> BTreeSet<EntityId> {
            let said = views.iter().flat_map(|view| {
                places.iter().filter_map(|place| view.data.pointer(place)?.as_str()).map(str::to_owned)
            });
            said.filter_map(|id| EntityId::stored(id).ok())
                .filter(|id| *id != stream.id)
                .take(MOST_OTHERS)
                .collect()
        };
        let of = |kind: StreamKind, ids: BTreeSet<EntityId>, events, name: Option<&EntityId>| {
            let other = |id| (StreamId::new(kind, id), events, name.cloned());
            ids.into_iter().map(other).collect::<Vec<_>>()
        };
        match stream.kind {
            StreamKind::Voter => {
                const EVENTS: &[&str] = &["evidence_recorded", "voter_excluded", "old_evidence_recorded"];
                let sessions =
                    named(&["/session_id", "/cause/evidence/session_id", "/cause/violation/session_id"]);
                of(StreamKind::Session, sessions, EVENTS, Some(&stream.id))
            }
            StreamKind::Quorum => {
                let parents = named(&["/parent", "/opened/parent"]);
                of(StreamKind::Quorum, parents, &["closed"], None)
            }
            StreamKind::Job => {
                const GATE: &[&str] = &[
                    "tracked",
                    "declared",
                    "cancel_requested",
                    "gate_transferred",
                    "gate_replaced",
                    "finished",
                ];
                const ROUTE: &[&str] = &["decided", "switched", "cooldown_started", "accepted"];
                let job = stream.id.as_str().rsplit_once('@').map_or(stream.id.as_str(), |(job, _)| job);
                let ids: BTreeSet<EntityId> = EntityId::stored(job).ok().into_iter().collect();
                let about = self.about.as_ref();
                let mut others = of(StreamKind::Gate, ids.clone(), GATE, about);
                others.extend(of(StreamKind::Route, ids, ROUTE, about));
                others
            }
            StreamKind::Cell if self.about.is_some() => {
                let mut cells = named(&["/source", "/holder", "/destination", "/from", "/to", "/by"]);
                cells.extend(named(&[
                    "/token/source",
                    "/token/holder",
                    "/offer/source",
                    "/offer/destination",
                ]));
                cells.extend(named(&["/tokens/0/source", "/tokens/1/source", "/tokens/2/source"]));
                of(StreamKind::Cell, cells, &[], self.about.as_ref())
            }
            StreamKind::Cell
            | StreamKind::Topology
            | StreamKind::Proposal
            | StreamKind::Agent
            | StreamKind::Algorithms
            | StreamKind::Budget
            | StreamKind::Gate
            | StreamKind::Worker
            | StreamKind::Flow
            | StreamKind::Load
            | StreamKind::Durations
            | StreamKind::Session
            | StreamKind::Identity
            | StreamKind::Datacenter
            | StreamKind::Route
            | StreamKind::Coordinate
            | StreamKind::Stops
            | StreamKind::Retention
            | StreamKind::Hook
            | StreamKind::Subjects
            | StreamKind::Member => Vec::new(),
        }
    }

    /// Of another entity the events of these names, all when there is none, that name this.
    fn found(
        &self,
        other: &StreamId,
        events: &[&str],
        name: Option<&EntityId>,
    ) -> Result<Vec<EventView>, Fault> {
        let mut found = Vec::new();
        for record in all(self.store, other)? {
            let view = event_view(record)?;
            if (events.is_empty() || events.contains(&view.event.as_str()))
                && name.is_none_or(|name| names(&view.data, name.as_str()))
            {
                found.push(view);
            }
        }
        Ok(found)
    }
}

/// The whole log of an entity.
fn all(store: &dyn Store, stream: &StreamId) -> Result<Vec<Record>, Fault> {
    let mut records: Vec<Record> = Vec::new();
    loop {
        let page = wait(store.read(stream, records.last().map_or(0, |last| last.seq), PAGE))?;
        if page.is_empty() {
            return Ok(records);
        }
        records.extend(page);
    }
}
