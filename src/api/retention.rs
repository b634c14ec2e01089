//! Operations on what is kept: put a hold on what must not be pruned, release it, and look what was pruned.

#[cfg(feature = "store-sled")]
pub mod prune;

use super::Quorate;
use super::dto::{HoldRecords, PruningView, RecordsHold, ReleaseRecords, RetentionView};
use super::history::kind_of;
use super::quorum::{MAX_REASON, check_sentence};
use crate::core::kernel::ids::{EntityId, StreamId, StreamKind};
use crate::core::trust::retention::{Command, Held, Pruning, Rejection, Reply, Scope};
use crate::error::{Error, ErrorKind};
use crate::journal::{Fault, Position, Store};
use crate::shell::access::Asks;
use crate::shell::entity::Action;
use crate::shell::host::wait;
use crate::shell::hosts::retention_id;
use crate::shell::lock;
use crate::shell::runtime::ask;

/// Ends read at a time.
const PAGE: usize = 4_096;

/// Operations on what is kept.
#[derive(Clone, Copy, Debug)]
pub struct Retained<'a> {
    pub(super) q: &'a Quorate,
}

impl Quorate {
    /// Operations on what is kept of the journal, and what was pruned.
    pub fn retention(&self) -> Retained<'_> {
        Retained { q: self }
    }
}

impl Retained<'_> {
    /// Puts a hold on what ended, durably: `quorate prune` takes nothing of it. The same again changes nothing.
    ///
    /// # Errors
    /// `invalid_argument` unless one of `everything`, `kind` and `entity_id` is given, `already_exists` when it is held for
    /// another reason, `not_found` for an id that no entity has, `pruned` for an entity of which nothing is left to be held, `limit_exceeded`, and the faults of the store.
    pub async fn hold(&self, request: HoldRecords) -> Result<RecordsHold, Error> {
        self.q.allow("retention.hold", &request).await?;
        check_sentence("reason", Some(&request.reason), MAX_REASON)?;
        let scope = scope(request.everything, request.kind, request.entity_id)?;
        if let Scope::Entity(id) = &scope
            && !self.is_there(id).await?
        {
            let message = format!("nothing is recorded under this id, so nothing is held. entity_id={id}");
            return Err(Error::new(ErrorKind::NotFound, message)
                .with("field", "entity_id")
                .with("given", id.as_str()));
        }
        let by = self.q.host().by().map(|by| by.as_str().to_owned());
        let command = Command::Keep { scope: scope.clone(), reason: request.reason, by };
        let asked = ask(
            self.q.host(),
            &self.q.host().kinds.retention,
            &retention_id(),
            Action::Command(command, None),
            move |view| {
                let duplicate = match view.reply {
                    Some(Ok(Reply::Held { duplicate })) => duplicate,
                    Some(Err(rejection)) => return Err(rejection),
                    Some(Ok(Reply::Released | Reply::Done)) | None => return Err(Rejection::NotFound),
                };
                let held = view.state.holds.get(&scope).map(hold_view).ok_or(Rejection::NotFound)?;
                Ok(RecordsHold { duplicate: Some(duplicate), ..held })
            },
        );
        Ok(asked.await??)
    }

    /// Releases a hold, durably.
    ///
    /// # Errors
    /// `invalid_argument` unless one of `everything`, `kind` and `entity_id` is given, `not_found` when nothing is held so, and
    /// the faults of the store.
    pub async fn release(&self, request: ReleaseRecords) -> Result<RecordsHold, Error> {
        self.q.allow("retention.release", &request).await?;
        let scope = scope(request.everything, request.kind, request.entity_id)?;
        let by = self.q.host().by().map(|by| by.as_str().to_owned());
        let command = Command::LetGo { scope: scope.clone(), by };
        let asked = ask(
            self.q.host(),
            &self.q.host().kinds.retention,
            &retention_id(),
            Action::Command(command, None),
            move |view| match view.reply {
                Some(Err(rejection)) => Err(rejection),
                Some(Ok(_)) | None => Ok(()),
            },
        );
        asked.await??;
        Ok(RecordsHold {
            hold: scope.to_string(),
            state: "released".into(),
            reason: None,
            held_by: None,
            held_at: None,
            duplicate: None,
        })
    }

    /// Is there anything of this id to be held? An id that is misspelt must not read as if it were held.
    async fn is_there(&self, id: &EntityId) -> Result<bool, Error> {
        let host = self.q.host();
        let places = places_of(id);
        let first = EntityId::stored(places.as_str()).ok();
        let is_live = first.is_some_and(|first| {
            let jobs = lock(&host.counters.jobs);
            jobs.open.after(Some(&first)).next().is_some_and(|next| next.as_str().starts_with(&places))
        });
        let sought = id.clone();
        Ok(is_live || host.blocking(move |store| is_recorded(store, &sought)).await?)
    }

    /// What is held, and what was pruned by which rule.
    ///
    /// # Errors
    /// The faults of the store.
    pub async fn list(&self) -> Result<RetentionView, Error> {
        self.q.allow("retention.list", &()).await?;
        let host = self.q.host();
        let asked = ask(host, &host.kinds.retention, &retention_id(), Action::Read, |view| RetentionView {
            holds: view.state.holds.values().map(hold_view).collect(),
            prunings: view
                .state
                .prunings
                .iter()
                .map(|(number, pruning)| pruning_view(*number, pruning))
                .collect(),
        });
        Ok(asked.await?)
    }
}

/// How the names of the jobs begin that run under this id in datacenters: who holds the id holds them all.
fn places_of(id: &EntityId) -> String {
    format!("{id}@")
}

/// Has anything of this id been recorded, and is it there still?
///
/// # Errors
/// `Fault::Pruned` for one of which everything that ever was is gone, and the faults of the store.
fn is_recorded(store: &dyn Store, id: &EntityId) -> Result<bool, Fault> {
    let mut gone = None;
    for kind in StreamKind::ALL {
        match wait(store.head(&StreamId::new(kind, id.clone()))) {
            Ok(Some(_)) => return Ok(true),
            Ok(None) => {}
            Err(fault @ Fault::Pruned { .. }) => gone = Some(fault),
            Err(fault) => return Err(fault),
        }
    }
    gone.map_or_else(|| has_ended_elsewhere(store, id), Err)
}

/// Has a job of this id ended in a datacenter? Its stream is known by the datacenter too, so all ends are looked through.
fn has_ended_elsewhere(store: &dyn Store, id: &EntityId) -> Result<bool, Fault> {
    let (places, mut before) = (places_of(id), Position::MAX);
    loop {
        let ends = wait(store.settled_before(before, PAGE))?;
        let is_one =
            |stream: &StreamId| stream.kind == StreamKind::Job && stream.id.as_str().starts_with(&places);
        if ends.iter().any(|end| is_one(&end.stream)) {
            return Ok(true);
        }
        match ends.last() {
            Some(oldest) => before = oldest.position,
            None => return Ok(false),
        }
    }
}

fn scope(everything: Option<bool>, kind: Option<String>, id: Option<EntityId>) -> Result<Scope, Error> {
    let one = |field: &str| {
        Error::new(ErrorKind::InvalidArgument, "one of everything, kind and entity_id says what is held")
            .with("field", field)
    };
    match (everything.unwrap_or(false), kind, id) {
        (true, None, None) => Ok(Scope::All),
        (false, Some(kind), None) => Ok(Scope::Kind(kind_of(&kind)?.name().to_owned())),
        (false, None, Some(id)) => Ok(Scope::Entity(id)),
        (true, Some(_), _) | (false, Some(_), Some(_)) => Err(one("kind")),
        (_, None, _) => Err(one("entity_id")),
    }
}

fn hold_view(held: &Held) -> RecordsHold {
    RecordsHold {
        hold: held.scope.to_string(),
        state: "held".into(),
        reason: Some(held.reason.clone()),
        held_by: held.by.clone(),
        held_at: Some(held.at),
        duplicate: None,
    }
}

fn pruning_view(number: u64, pruning: &Pruning) -> PruningView {
    PruningView {
        pruning: number,
        pruned_at: pruning.at,
        pruned_by: pruning.by.clone(),
        rule: pruning.rule.to_string(),
        entities: pruning.entities.values().sum(),
        records: pruning.records,
        first_position: pruning.first_position,
        last_position: pruning.last_position,
    }
}
