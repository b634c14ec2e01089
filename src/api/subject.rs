//! Operations on data subjects: whose data is sealed, where it stands, and destroying its key.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use super::Quorate;
use super::dto::{
    HistoryQuery, ListSubjects, ShredSubject, SubjectEntity, SubjectPage, SubjectRef, SubjectView,
};
use super::history::Filter;
use super::quorum::{MAX_REASON, check_sentence, page_limit};
use super::sealing;
use crate::core::kernel::ids::{EntityId, StreamKind};
use crate::core::trust::retention::{Held, Retention};
use crate::core::trust::subject::{Command, Reply, Standing, Status};
use crate::error::{Error, ErrorKind};
use crate::shell::access::Asks;
use crate::shell::entity::Action;
use crate::shell::hosts::{retention_id, subjects_id};
use crate::shell::lock;
use crate::shell::runtime::ask;
use crate::shell::subjects::{NoKey, Subjects};

/// Events read at a time.
const PAGE: usize = 1_000;
/// Most entities that are named.
const MOST_NAMED: usize = 1_000;

/// Operations on data subjects.
#[derive(Clone, Copy, Debug)]
pub struct SubjectCalls<'a> {
    pub(super) q: &'a Quorate,
}

impl Quorate {
    /// Operations on data subjects: whose personal data is sealed, and shredding it.
    ///
    /// ```
    /// use quorate::{Config, Quorate, ShredSubject, StartQuorum, SubjectRef};
    ///
    /// # #[tokio::main] async fn main() -> Result<(), quorate::Error> {
    /// let q = Quorate::open(Config::memory()).await?;
    /// let asked = StartQuorum {
    ///     subject: Some(serde_json::json!({ "refund": "Alice, IBAN DE02…" })),
    ///     data_subject: Some("customer-17".parse().unwrap()),
    ///     ..StartQuorum::global().with_voters(["ann", "bob"])?
    /// };
    /// let quorum = q.quorums().start(asked).await?.quorum_id;
    /// assert_eq!(q.quorums().status(&quorum).await?.subject.unwrap()["refund"], "Alice, IBAN DE02…");
    /// let shred = ShredSubject { data_subject: "customer-17".parse().unwrap(), reason: "asked to be forgotten".into() };
    /// assert_eq!(q.subjects().shred(shred).await?.state, "shredded");
    /// assert_eq!(q.quorums().status(&quorum).await?.subject.unwrap()["shredded"], true);
    /// # Ok(()) }
    /// ```
    pub fn subjects(&self) -> SubjectCalls<'_> {
        SubjectCalls { q: self }
    }
}

impl SubjectCalls<'_> {
    /// Destroys the key of a data subject: what is sealed with it can never be read again, wherever a copy of the journal is. First that
    /// it is asked for is on record, then the key is destroyed, then that is on record; all of it on return. The same again
    /// changes nothing, and goes on where an earlier attempt failed. The name takes no new data.
    ///
    /// # Errors
    /// `invalid_argument` for the reason, `not_found` when nothing was ever sealed for it, `legal_hold` while an entity with data of it is
    /// under a hold, `subject_key_wrong` while another key stands in the place of its own, and the faults of the store; then the key may still be there, and nothing is opened with it.
    pub async fn shred(&self, request: ShredSubject) -> Result<SubjectView, Error> {
        self.q.allow("subject.shred", &request).await?;
        check_sentence("reason", Some(&request.reason), MAX_REASON)?;
        let ShredSubject { data_subject, reason } = request;
        let host = self.q.host();
        let is_active = |standing: Standing| standing.status() == Status::Active;
        let entities = self.entities(&data_subject).await?;
        if is_active(self.standing(&data_subject)?) {
            self.check_holds(&data_subject, &entities).await?;
            // What stands there may be the key of somebody else.
            if let Err(no_key @ NoKey::Wrong) = host.subjects.key(&data_subject)? {
                return Err(sealing::refusal(&data_subject, &no_key));
            }
        }
        let by = host.by().map(|by| by.as_str().to_owned());
        let command = Command::Shred { data_subject: data_subject.clone(), reason, by };
        let action = Action::Command(command, None);
        let asked = ask(host, &host.kinds.subjects, &subjects_id(), action, |view| match view.reply {
            Some(Ok(Reply::Asked { duplicate })) => Ok(duplicate),
            Some(Err(rejection)) => Err(Error::from(rejection)),
            Some(Ok(_)) | None => Ok(false),
        });
        let duplicate = asked.await??;
        // To its end, also when nobody waits for it any more.
        let (at_work, name) = (Arc::clone(host), data_subject.clone());
        let shredded = host.tokio.spawn(async move { Subjects::shred(&at_work, &name).await });
        match shredded.await {
            Ok(done) => done?,
            Err(e) => {
                return Err(Error::new(ErrorKind::StoreError, format!("shredding was cut off. cause={e}")));
            }
        }
        let view = self.view(&data_subject, self.standing(&data_subject)?)?;
        Ok(SubjectView { duplicate: Some(duplicate), ..with_entities(view, entities) })
    }

    /// A data subject, whether its key is there, and which entities hold data of it.
    ///
    /// # Errors
    /// `not_found` when nothing was ever sealed for it, and the faults of the store.
    pub async fn show(&self, request: SubjectRef) -> Result<SubjectView, Error> {
        self.q.allow("subject.show", &request).await?;
        let view = self.view(&request.data_subject, self.standing(&request.data_subject)?)?;
        Ok(with_entities(view, self.entities(&request.data_subject).await?))
    }

    /// Data subjects by name.
    ///
    /// # Errors
    /// `invalid_argument` for the limit, and the faults of the store.
    pub async fn list(&self, request: ListSubjects) -> Result<SubjectPage, Error> {
        self.q.allow("subject.list", &request).await?;
        let limit = page_limit(request.limit)?;
        let after = request.cursor.as_deref().map(EntityId::stored).transpose();
        let after = after.map_err(|e| Error::invalid("cursor", request.cursor.clone(), &e.to_string()))?;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let (page, more) = {
            let known = lock(&self.q.host().counters.subjects);
            let mut behind = known.all.range((from, Bound::Unbounded));
            let some = behind.by_ref().take(limit);
            let page: Vec<(EntityId, Standing)> =
                some.map(|(name, one)| (name.clone(), one.clone())).collect();
            (page, behind.next().is_some())
        };
        let views = page.into_iter().map(|(name, standing)| self.view(&name, standing));
        let subjects = views.collect::<Result<Vec<_>, _>>()?;
        let last = subjects.last().map(|view| view.data_subject.to_string());
        Ok(SubjectPage { subjects, next_cursor: last.or(request.cursor), more })
    }

    fn standing(&self, subject: &EntityId) -> Result<Standing, Error> {
        let standing = lock(&self.q.host().counters.subjects).all.get(subject).cloned();
        standing.ok_or_else(|| crate::core::trust::subject::Rejection::NotFound.into())
    }

    fn view(&self, subject: &EntityId, standing: Standing) -> Result<SubjectView, Error> {
        let key = match self.q.host().subjects.key(subject)? {
            Ok(_) => "present",
            Err(NoKey::Shredded) if standing.shredded_at.is_some() => "none",
            Err(NoKey::Shredded) => "present",
            Err(NoKey::Wrong) => "wrong",
            Err(NoKey::Missing | NoKey::NotKept | NoKey::TooMany(_)) => "missing",
        };
        let (state, asked) = (standing.status().name().to_owned(), standing.asked);
        Ok(SubjectView {
            data_subject: subject.clone(),
            state,
            key: key.into(),
            key_id: standing.key_id.to_string(),
            since: standing.since,
            asked_at: asked.as_ref().map(|asked| asked.at),
            shredded_at: standing.shredded_at,
            reason: asked.as_ref().map(|asked| asked.reason.clone()),
            asked_by: asked.and_then(|asked| asked.by),
            entities: None,
            entity_count: None,
            duplicate: None,
        })
    }

    /// The entities that hold data of a subject, by the index.
    async fn entities(&self, subject: &EntityId) -> Result<BTreeSet<SubjectEntity>, Error> {
        self.standing(subject)?;
        let query = HistoryQuery { data_subject: Some(subject.clone()), ..HistoryQuery::default() };
        let (mut filter, _) = Filter::of(query)?;
        filter.settle(self.q.host()).await?;
        let found = self.q.host().blocking(move |store| {
            let (mut entities, mut at) = (BTreeSet::new(), 0);
            while let Some(found) = filter.page(store, at, PAGE, &mut 0)? {
                at = found.at;
                entities.extend(
                    found
                        .events
                        .into_iter()
                        .map(|event| SubjectEntity { kind: event.kind, entity_id: event.entity_id }),
                );
                if !found.more {
                    break;
                }
            }
            Ok(entities)
        });
        Ok(found.await?)
    }

    /// What is under a legal hold stays readable until that is released.
    async fn check_holds(&self, subject: &EntityId, entities: &BTreeSet<SubjectEntity>) -> Result<(), Error> {
        let host = self.q.host();
        let asked =
            ask(host, &host.kinds.retention, &retention_id(), Action::Read, |view| view.state.clone());
        let retention = asked.await?;
        let held = entities.iter().find_map(|entity| Some((entity, holding(&retention, entity)?)));
        let Some((entity, held)) = held else { return Ok(()) };
        let SubjectEntity { kind, entity_id } = entity;
        let (hold, reason) = (held.scope.to_string(), held.reason.as_str());
        let message = format!(
            "an entity with data of this data subject is under a legal hold; nothing was destroyed. \
             data_subject={subject}, entity={kind}/{entity_id}, hold={hold}, reason={reason:?}"
        );
        Err(Error::new(ErrorKind::LegalHold, message)
            .with("data_subject", subject.as_str())
            .with("entity_kind", kind.as_str())
            .with("entity_id", entity_id.as_str())
            .with("hold", hold)
            .with("held_reason", reason))
    }
}

/// The hold that keeps an entity, under its id or the one by which people know it.
fn holding<'r>(retention: &'r Retention, entity: &SubjectEntity) -> Option<&'r Held> {
    let known = entity.entity_id.as_str().rsplit_once('@').map(|(job, _)| job);
    let known =
        known.filter(|_| entity.kind == StreamKind::Job.name()).and_then(|job| EntityId::stored(job).ok());
    let own = retention.holding(&entity.kind, &entity.entity_id);
    own.or_else(|| retention.holding(&entity.kind, &known?))
}

fn with_entities(view: SubjectView, entities: BTreeSet<SubjectEntity>) -> SubjectView {
    let count = entities.len() as u64;
    let named = entities.into_iter().take(MOST_NAMED).collect();
    SubjectView { entities: Some(named), entity_count: Some(count), ..view }
}
