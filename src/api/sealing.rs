//! Free texts of requests are sealed for the data subject they name before a command is made of them, and opened in replies.
//!
//! | operation | sealed where the request names a `data_subject` | never sealed |
//! |---|---|---|
//! | `consensus.request` | `proposal` | ids, `operation`, `answer_schema` |
//! | `consensus.vote` | `reason`, `metadata`, `value` | `vote`, `weight` |
//! | `quorum.start` | `subject` | ids, `rule` |
//! | `quorum.vote` | `reason` | `vote`, `confidence` |
//! | `session.open` | `proposal` | `candidates`, `kinds`, `context`, `operation`: they are compared |
//! | `job.submit` | `payload`, also of workflows | ids, `class` |
//! | `worker.report` | `result` | `outcome`, `completed_count` |
//!
//! Every other free text is never sealed: reasons of what is extended, handed on, cancelled or held, the `reasoning` of a vote in
//! a session, which is signed byte for byte, messages of flows, and what an agent says of itself. What is decided inside sees
//! sealed bytes alone, and so does everything that is kept.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::Quorate;
use super::dto::{EventView, SubmitJob};
use super::keyed::canonical;
use crate::core::jobs::protocol::limits::MAX_PAYLOAD_BYTES;
use crate::core::kernel::ids::{EntityId, StreamKind};
use crate::error::{Error, ErrorKind};
use crate::journal::Fault;
use crate::shell::host::Host;
use crate::shell::subjects::seal::{Form, MARK, SealedPlace, SubjectKey};
use crate::shell::subjects::{NoKey, Revealing, Subjects};

/// The key of the data subject that a request names.
pub(super) struct DataKey {
    subject: EntityId,
    key: SubjectKey,
}

impl Quorate {
    /// The key for what a request says of a data subject, kept and on record before this returns; none when it names none.
    ///
    /// # Errors
    /// `subject_shredded`, `subject_key_missing`, `subject_key_wrong`, `limit_exceeded`, `invalid_argument` where no keys are kept, and
    /// the faults of the store.
    pub(super) async fn data_key(&self, subject: Option<&EntityId>) -> Result<Option<DataKey>, Error> {
        let Some(subject) = subject else { return Ok(None) };
        match Subjects::key_for_new(self.host(), subject).await? {
            Ok(key) => Ok(Some(DataKey { subject: subject.clone(), key })),
            Err(no_key) => Err(refusal(subject, &no_key)),
        }
    }

    /// A reply with every sealed text in it opened. Where nobody's data is sealed it costs nothing.
    ///
    /// # Errors
    /// The fault of a disk that does not answer.
    pub(super) fn revealed<T: Serialize + DeserializeOwned>(&self, reply: T) -> Result<T, Error> {
        if !self.host().subjects.any() {
            return Ok(reply);
        }
        let strange = |e: serde_json::Error| {
            Error::new(ErrorKind::StoreError, format!("reply cannot be written as JSON: {e}"))
        };
        let mut value = serde_json::to_value(&reply).map_err(strange)?;
        match self.host().subjects.reveal(&mut value, &mut Revealing::default())? {
            true => serde_json::from_value(value).map_err(strange),
            false => Ok(reply),
        }
    }

    /// The payloads of a job, sealed.
    ///
    /// # Errors
    /// As [`Quorate::data_key`], and `invalid_argument` for one that is too long once it is sealed.
    pub(super) async fn sealed_job(
        &self,
        job_id: &EntityId,
        mut request: SubmitJob,
    ) -> Result<SubmitJob, Error> {
        let Some(key) = self.data_key(request.data_subject.as_ref()).await? else { return Ok(request) };
        let own = request.workflows.iter_mut().filter_map(|workflow| {
            Some((format!("payload/{}", workflow.workflow_id), workflow.payload.as_mut()?))
        });
        for (field, payload) in
            own.chain(request.payload.as_mut().map(|payload| ("payload".to_owned(), payload)))
        {
            let sealed = key.value(StreamKind::Job, job_id, &field, &payload.to_string())?;
            if sealed.len() + 2 > MAX_PAYLOAD_BYTES {
                let expected =
                    format!("up to {MAX_PAYLOAD_BYTES} bytes once it is sealed, which takes a third more");
                return Err(Error::invalid("payload", format!("{} bytes", sealed.len() + 2), &expected));
            }
            *payload = sealed.into();
        }
        Ok(request)
    }
}

impl DataKey {
    /// A JSON value, given as text, sealed as the text that stands in its place.
    pub(super) fn value(
        &self,
        kind: StreamKind,
        id: &EntityId,
        field: &str,
        text: &str,
    ) -> Result<String, Error> {
        self.seal(kind, id, field, Form::Json, text)
    }

    /// The same as JSON text.
    pub(super) fn json(
        &self,
        kind: StreamKind,
        id: &EntityId,
        field: &str,
        text: &str,
    ) -> Result<String, Error> {
        // None of its letters is escaped in JSON.
        Ok(format!("\"{}\"", self.value(kind, id, field, text)?))
    }

    /// A text, sealed.
    pub(super) fn text(
        &self,
        kind: StreamKind,
        id: &EntityId,
        field: &str,
        text: &str,
    ) -> Result<String, Error> {
        self.seal(kind, id, field, Form::Text, text)
    }

    fn seal(
        &self,
        kind: StreamKind,
        id: &EntityId,
        field: &str,
        form: Form,
        text: &str,
    ) -> Result<String, Error> {
        let place = SealedPlace { kind: kind.name(), entity: id.as_str(), field };
        let too_long =
            || Error::invalid(field, format!("{} bytes", text.len()), "fewer bytes than a cipher takes");
        self.key.seal(&self.subject, place, form, text).ok_or_else(too_long)
    }

    /// By what a request with an idempotency key remembers a value: equal for equal ones, and of no use to anybody else. The id of what
    /// is opened may differ from one attempt to the next, so the sealed text does not do.
    pub(super) fn fingerprint(&self, field: &str, value: &Value) -> Value {
        let print = self.key.fingerprint(field, &canonical(value).to_string());
        json!({ "data_subject": self.subject, "fingerprint": print })
    }
}

/// Opens the sealed texts in events.
///
/// # Errors
/// The fault of a disk that does not answer.
pub(super) fn reveal_events<'e>(
    host: &Host,
    events: impl IntoIterator<Item = &'e mut EventView>,
) -> Result<(), Fault> {
    if host.subjects.any() {
        for event in events {
            let Some(kind) = StreamKind::from_name(&event.kind) else { continue };
            let mut within = Revealing::within(kind, event.entity_id.as_str());
            host.subjects.reveal(&mut event.data, &mut within)?;
        }
    }
    Ok(())
}

/// Refuses a request with a text that begins as a sealed one does: nobody puts what was sealed elsewhere into a place of its own.
///
/// # Errors
/// `invalid_argument` naming the field.
pub(super) fn check_plain(fields: &Map<String, Value>) -> Result<(), Error> {
    fn is_plain(value: &Value) -> bool {
        match value {
            Value::String(text) => !text.trim_start_matches(['"', ' ']).starts_with(MARK),
            Value::Array(items) => items.iter().all(is_plain),
            Value::Object(fields) => fields.values().all(is_plain),
            Value::Null | Value::Bool(_) | Value::Number(_) => true,
        }
    }
    match fields.iter().find(|(_, value)| !is_plain(value)) {
        Some((field, _)) => {
            Err(Error::invalid(field, MARK, "a text that does not begin as a sealed one does"))
        }
        None => Ok(()),
    }
}

/// Why nothing is sealed for a data subject.
pub(super) fn refusal(subject: &EntityId, no_key: &NoKey) -> Error {
    let error = match no_key {
        NoKey::Shredded => Error::new(
            ErrorKind::SubjectShredded,
            format!(
                "the data of this data subject was shredded, and its name takes no more. data_subject={subject}"
            ),
        ),
        NoKey::Missing => Error::new(
            ErrorKind::SubjectKeyMissing,
            format!(
                "the key of this data subject is gone, and nobody asked for that. data_subject={subject}"
            ),
        ),
        NoKey::Wrong => Error::new(
            ErrorKind::SubjectKeyWrong,
            format!(
                "the key in the place of that of this data subject is another one. data_subject={subject}"
            ),
        ),
        NoKey::NotKept => {
            return Error::invalid(
                "data_subject",
                subject.as_str(),
                "none: there is no data folder to keep its key in; name one for keys, `subject_keys`",
            );
        }
        NoKey::TooMany(limit) => Error::new(
            ErrorKind::LimitExceeded,
            format!("as many data subjects are known as may be. limit={limit}"),
        )
        .with("field", "data_subject")
        .with("limit", *limit),
    };
    error.with("data_subject", subject.as_str())
}
