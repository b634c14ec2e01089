//! Operations on stops: stop something, look what is stopped, and let it go on by a decision of those who were named.

use std::collections::BTreeMap;

use super::Quorate;
use super::dto::{EngageStop, ListStops, ReleaseStop, StopList, StopRef, StopScope, StopView};
use super::known::Sort;
use super::quorum::{MAX_LABEL, MAX_REASON, check_label, check_sentence};
use crate::core::kernel::ids::{EntityId, StreamId, StreamKind, VoterId};
use crate::core::trust::stop::{
    Acting, Command, Decided, Engage, Engaged, Event, Hash, RELEASE, Rejection, Release, Reply, Scope, Shown,
    Stop,
};
use crate::core::voting::mandate::{self, Mandate};
use crate::core::voting::proposal::Proposal;
use crate::core::voting::rules::Choice;
use crate::core::voting::session::{Pick, Session};
use crate::error::Error;
use crate::guard::{StopSource, Stopped};
use crate::journal::codec::decode;
use crate::journal::{Fault, Position, Store};
use crate::shell::entity::Action;
use crate::shell::host::wait;
use crate::shell::hosts::stops_id;
use crate::shell::runtime::ask;
use crate::shell::stops::{StopOrder, release_hash};

/// Records looked at at a time.
const PAGE: usize = 1_000;

/// Operations on stops.
#[derive(Clone, Copy, Debug)]
pub struct StopCalls<'a> {
    pub(super) q: &'a Quorate,
}

/// What is stopped in this runtime, for guards of the same process: always as of now.
#[derive(Clone, Debug)]
pub struct StopSignal(StopOrder);

impl StopSource for StopSignal {
    fn stopped(&self, parties: &[&str], job_class: Option<&EntityId>) -> Option<Stopped> {
        let acting = Acting::as_parties(parties).for_class(job_class.cloned());
        self.0.covering(&acting).map(|engaged| Stopped {
            stop_id: engaged.stop_id,
            scope: engaged.scope.to_string(),
            sequence: engaged.number,
        })
    }
}

impl StopCalls<'_> {
    /// Stops something. Durable on return: from its position in the journal on nothing acts in its scope, until it is
    /// released. The same again under its id changes nothing.
    ///
    /// # Errors
    /// `invalid_argument`, `already_exists`, `limit_exceeded`, and the faults of the store.
    pub async fn engage(&self, request: EngageStop) -> Result<StopView, Error> {
        self.q.allow("stop.engage", &request).await?;
        check_label("by", request.by.as_deref(), MAX_LABEL)?;
        check_sentence("reason", request.reason.as_deref(), MAX_REASON)?;
        let mut voters = request.release_voters;
        voters.sort();
        voters.dedup();
        let most = u32::try_from(voters.len()).unwrap_or(u32::MAX);
        let need = request.release_need.unwrap_or(most / 2 + 1);
        let engage = Engage {
            stop_id: request.stop_id.unwrap_or_else(|| self.q.host().ids.mint()),
            scope: scope(request.scope)?,
            release: Release { voters, need },
            by: request.by,
            reason: request.reason,
        };
        let id = engage.stop_id.clone();
        self.command(id, Command::Engage(Box::new(engage))).await
    }

    /// Releases a stop by a decision of exactly those voters whom it names about `stop.release` of this stop.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `not_releasing` with its `why`, and the faults of the store.
    pub async fn release(&self, request: ReleaseStop) -> Result<StopView, Error> {
        self.q.allow("stop.release", &request).await?;
        let ReleaseStop { stop_id, session_id, proposal_id, by } = request;
        check_label("by", by.as_deref(), MAX_LABEL)?;
        self.find(&stop_id).await?;
        let needed_hash = *release_hash(&stop_id).as_bytes();
        let host = self.q.host();
        let shown = match (session_id, proposal_id) {
            (Some(id), None) => {
                let named = id.clone();
                let seen = ask(host, &host.kinds.sessions, &id, Action::Read, move |view| {
                    by_session(named, view.state)
                });
                let missing = || Error::from(crate::core::voting::session::Rejection::NotFound);
                seen.await?.ok_or_else(missing)?
            }
            (None, Some(id)) => {
                let named = id.clone();
                let seen = ask(host, &host.kinds.proposals, &id, Action::Read, move |view| {
                    by_proposal(named, view.state)
                });
                let missing = || Error::from(crate::core::voting::proposal::Rejection::NotFound);
                seen.await?.ok_or_else(missing)?
            }
            (None, None) => return Err(Error::missing("session_id")),
            (Some(_), Some(id)) => {
                return Err(Error::invalid("proposal_id", id.as_str(), "one of session_id and proposal_id"));
            }
        };
        let older = self.is_older(&shown, &stop_id).await?;
        let shown = Box::new(Shown { needed_hash, by, older, ..shown });
        self.command(stop_id.clone(), Command::Release { stop_id, shown }).await
    }

    /// The stops in force, by their numbers, or all there ever were.
    ///
    /// # Errors
    /// The faults of the store.
    pub async fn list(&self, request: ListStops) -> Result<StopList, Error> {
        self.q.allow("stop.list", &request).await?;
        let (released, party) = (request.released.unwrap_or(false), request.party);
        let named = party.clone();
        let host = self.q.host();
        let asked = ask(host, &host.kinds.stops, &stops_id(), Action::Read, move |view| {
            let acting = party.map(|party| Acting::as_parties([party.as_str()]));
            let covers = |scope: &Scope| acting.as_ref().is_none_or(|acting| scope.covers(acting));
            let meant = |stop: &&Stop| (released || stop.released.is_none()) && covers(&stop.engaged.scope);
            let mut stops: Vec<StopView> = view.state.all.values().filter(meant).map(stop_view).collect();
            stops.sort_by_key(|stop| stop.sequence);
            StopList { stops, in_force: view.state.in_force.len() as u64, unknown: Vec::new() }
        });
        let mut list = asked.await?;
        if list.stops.is_empty() {
            let party = named.as_ref().map(EntityId::as_str);
            list.unknown = self.q.unknown_names(&[("party", party, Sort::Party)]).await?;
        }
        let positions = self.positions().await?;
        list.stops.iter_mut().for_each(|stop| stop.position = positions.get(&stop.stop_id).copied());
        Ok(list)
    }

    /// How one stop stands.
    ///
    /// # Errors
    /// `not_found`, and the faults of the store.
    pub async fn status(&self, request: StopRef) -> Result<StopView, Error> {
        self.q.allow("stop.status", &request).await?;
        let mut view = self.find(&request.stop_id).await?;
        view.position = self.positions().await?.get(&request.stop_id).copied();
        Ok(view)
    }

    /// What is stopped, for guards of this process.
    pub fn signal(&self) -> StopSignal {
        StopSignal(self.q.host().stops.clone())
    }

    async fn find(&self, stop_id: &EntityId) -> Result<StopView, Error> {
        let (host, id) = (self.q.host(), stop_id.clone());
        let asked = ask(host, &host.kinds.stops, &stops_id(), Action::Read, move |view| {
            view.state.all.get(&id).map(stop_view).ok_or(Rejection::NotFound)
        });
        Ok(asked.await??)
    }

    async fn command(&self, id: EntityId, command: Command) -> Result<StopView, Error> {
        let (host, named) = (self.q.host(), id.clone());
        let action = Action::Command(command, None);
        let asked = ask(host, &host.kinds.stops, &stops_id(), action, move |view| {
            let duplicate = match view.reply {
                Some(Ok(Reply::Engaged { duplicate } | Reply::Released { duplicate })) => duplicate,
                Some(Err(rejection)) => return Err(rejection),
                Some(Ok(Reply::Done)) | None => return Err(Rejection::NotFound),
            };
            let view = view.state.all.get(&id).map(stop_view).ok_or(Rejection::NotFound)?;
            Ok(StopView { duplicate: Some(duplicate), ..view })
        });
        let mut view = asked.await??;
        view.position = self.positions().await?.get(&named).copied();
        Ok(view)
    }

    /// Was a decision begun before the stop was engaged? The journal says which came first, also within one instant.
    async fn is_older(&self, shown: &Shown, stop_id: &EntityId) -> Result<bool, Error> {
        let kind = match shown.kind == StreamKind::Session.name() {
            true => StreamKind::Session,
            false => StreamKind::Proposal,
        };
        let (stream, engaged) =
            (StreamId::new(kind, shown.id.clone()), self.positions().await?.get(stop_id).copied());
        let first = self.q.host().blocking(move |store| wait(store.read(&stream, 0, 1))).await?;
        Ok(first.first().map(|record| record.position) < engaged)
    }

    /// Where the records of the stops stand in the journal.
    async fn positions(&self) -> Result<BTreeMap<EntityId, Position>, Error> {
        let stream = StreamId::new(StreamKind::Stops, stops_id());
        Ok(self.q.host().blocking(move |store| positions(store, &stream)).await?)
    }
}

fn positions(store: &dyn Store, stream: &StreamId) -> Result<BTreeMap<EntityId, Position>, Fault> {
    let (mut after, mut found) = (0, BTreeMap::new());
    loop {
        let page = wait(store.read(stream, after, PAGE))?;
        let Some(last) = page.last() else { return Ok(found) };
        after = last.seq;
        for record in page {
            if let Event::Engaged(engaged) = decode::<Event>(&record.payload)? {
                found.insert(engaged.stop_id, record.position);
            }
        }
    }
}

fn scope(scope: StopScope) -> Result<Scope, Error> {
    let expected = "one of everything (true), party, prefix, job_class";
    let given = serde_json::to_string(&scope).unwrap_or_default();
    match scope {
        StopScope { everything: Some(true), party: None, prefix: None, job_class: None } => {
            Ok(Scope::Everything)
        }
        StopScope { everything: None, party: Some(party), prefix: None, job_class: None } => {
            Ok(Scope::Party(party))
        }
        StopScope { everything: None, party: None, prefix: Some(prefix), job_class: None } => {
            Ok(Scope::Prefix(prefix.as_str().to_owned()))
        }
        StopScope { everything: None, party: None, prefix: None, job_class: Some(class) } => {
            Ok(Scope::JobClass(class))
        }
        _ => Err(Error::invalid("scope", given, expected)),
    }
}

fn hash_of(mandate: Option<&Mandate>) -> Option<Hash> {
    mandate.filter(|mandate| mandate.tool == RELEASE).map(|mandate| *mandate.operation_hash.as_bytes())
}

fn decided(decided: mandate::Decided) -> Decided {
    match decided {
        mandate::Decided::No => Decided::No,
        mandate::Decided::For => Decided::For,
        mandate::Decided::Tainted => Decided::Tainted,
        mandate::Decided::Otherwise(word) => Decided::Otherwise(word),
    }
}

/// A session as it is shown to a stop; none before it is opened.
fn by_session(id: EntityId, state: &Session) -> Option<Shown> {
    let opened = state.opened.as_deref()?;
    let votes = state.votes.get(&state.round).into_iter().flatten();
    let malicious = state.malicious();
    let supports = |voter: &VoterId| !state.is_excluded(voter) && !malicious.contains(voter);
    let mandate = state.mandate.as_deref();
    let for_it = votes.filter(|&(voter, vote)| vote.vote.ballot.picks(&Pick::For) && supports(voter));
    Some(Shown {
        kind: StreamKind::Session.name().to_owned(),
        id,
        decided: decided(state.decided()),
        operation_hash: hash_of(mandate),
        needed_hash: Hash::default(),
        expires_at: mandate.and_then(|mandate| mandate.expires_at),
        used_up: mandate.is_some_and(|mandate| state.uses.count() >= mandate.uses),
        fenced: mandate.is_some_and(|mandate| mandate.fence.is_some()),
        older: false,
        // Who votes in a place now: one that went to a stranger is none of those who were named.
        electorate: state.places(opened).map(|(_, holder)| holder.voter_id.clone()).collect(),
        supporters: for_it.map(|(voter, _)| voter.clone()).collect(),
        by: None,
    })
}

/// A proposal as it is shown to a stop; none before it is opened.
fn by_proposal(id: EntityId, state: &Proposal) -> Option<Shown> {
    let opened = state.opened.as_deref()?;
    let mandate = state.mandate.as_deref();
    let for_it = state.votes.iter().filter(|(_, vote)| vote.vote == Choice::For);
    Some(Shown {
        kind: StreamKind::Proposal.name().to_owned(),
        id,
        decided: decided(state.decided()),
        operation_hash: hash_of(mandate),
        needed_hash: Hash::default(),
        expires_at: mandate.and_then(|mandate| mandate.expires_at),
        used_up: mandate.is_some_and(|mandate| state.uses.count() >= mandate.uses),
        fenced: mandate.is_some_and(|mandate| mandate.fence.is_some()),
        older: false,
        electorate: opened.participants.clone(),
        // A place can be handed on, what a stop asks of those it names cannot.
        supporters: for_it.map(|(place, vote)| vote.by.as_ref().unwrap_or(place).clone()).collect(),
        by: None,
    })
}

fn stop_view(stop: &Stop) -> StopView {
    let Engaged { stop_id, number, scope, release, by, reason, at } = stop.engaged.clone();
    let released = stop.released.as_ref();
    StopView {
        stop_id,
        state: if released.is_none() { "in_force" } else { "released" }.to_owned(),
        sequence: number,
        position: None,
        scope: scope.to_string(),
        release_voters: release.voters,
        release_need: release.need,
        engaged_at: at,
        engaged_by: by,
        reason,
        released_at: released.map(|released| released.at),
        released_by: released.and_then(|released| released.by.clone()),
        decision_id: released.map(|released| released.decision_id.clone()),
        supporters: released.map(|released| released.supporters.clone()).unwrap_or_default(),
        duplicate: None,
    }
}
