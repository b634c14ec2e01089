//! Sealed texts in what is shown: opened while their key is there, and marked as gone afterwards.
//!
//! | the key of the data subject | stands instead of a sealed text |
//! |---|---|
//! | is there | the text or the JSON value that was sealed |
//! | was destroyed, or is to be | `{"shredded": true, "data_subject": …}` |
//! | is not where it was kept | `{"unreadable": "subject_key_missing", "data_subject": …}` |
//! | is another one | `{"unreadable": "subject_key_wrong", "data_subject": …}` |
//! | is there, and does not open it in this place | `{"unreadable": "sealed_text_damaged", "data_subject": …}` |
//!
//! Where a text is expected the marker stands as the text of that JSON. For which entity a text must have been sealed is told
//! by the nearest member around it that names one.

use serde_json::{Map, Value, json};

use super::seal::{Form, MARK, Sealed};
use super::{NoKey, Subjects};
use crate::core::kernel::ids::StreamKind;
use crate::journal::Fault;

/// Members that name an entity of a kind.
const NAMING: [(&str, StreamKind); 4] = [
    ("proposal_id", StreamKind::Proposal),
    ("quorum_id", StreamKind::Quorum),
    ("session_id", StreamKind::Session),
    ("job_id", StreamKind::Job),
];

/// The entities around a place, the nearest last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Revealing {
    around: Vec<(&'static str, String)>,
}

impl Revealing {
    /// Within an entity.
    pub(crate) fn within(kind: StreamKind, id: &str) -> Self {
        let mut revealing = Revealing::default();
        revealing.enter(kind, id);
        revealing
    }

    fn enter(&mut self, kind: StreamKind, id: &str) {
        let (kind, id) = match kind {
            // A job is one to whoever seals for it, in whichever datacenter it runs.
            StreamKind::Job => (kind, id.split('@').next().unwrap_or(id)),
            StreamKind::Gate => (StreamKind::Job, id),
            other => (other, id),
        };
        self.around.push((kind.name(), id.to_owned()));
    }

    /// Enters what an object names; gives how many to leave again.
    fn enter_object(&mut self, fields: &Map<String, Value>) -> usize {
        let before = self.around.len();
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        let id = text("entity_id").or_else(|| text("id"));
        if let (Some(kind), Some(id)) = (text("kind").and_then(StreamKind::from_name), id) {
            self.enter(kind, id);
        }
        for (member, kind) in NAMING {
            if let Some(id) = text(member) {
                self.enter(kind, id);
            }
        }
        self.around.len() - before
    }

    fn nearest(&self, kind: &str) -> Option<&str> {
        self.around.iter().rev().find(|(of, _)| *of == kind).map(|(_, id)| id.as_str())
    }
}

impl Subjects {
    /// Opens every sealed text in a value. True when there was one.
    ///
    /// # Errors
    /// The fault of a disk that does not answer.
    pub(crate) fn reveal(&self, value: &mut Value, within: &mut Revealing) -> Result<bool, Fault> {
        match value {
            Value::String(text) => match self.opened(text, within)? {
                Some(opened) => {
                    *value = opened;
                    Ok(true)
                }
                None => Ok(false),
            },
            Value::Array(items) => {
                items.iter_mut().try_fold(false, |any, item| Ok(self.reveal(item, within)? | any))
            }
            Value::Object(fields) => {
                let entered = within.enter_object(fields);
                let mut any = false;
                for (_, member) in fields.iter_mut() {
                    any |= self.reveal(member, within)?;
                }
                within.around.truncate(within.around.len() - entered);
                Ok(any)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(false),
        }
    }

    /// What stands instead of a text; none when it is not sealed.
    fn opened(&self, text: &str, within: &Revealing) -> Result<Option<Value>, Fault> {
        // JSON that is stored as text is shown as text, and a sealed value in it is a text within the text.
        let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        let (plain, is_quoted) = (inner.unwrap_or(text), inner.is_some());
        if !plain.starts_with(MARK) {
            return Ok(None);
        }
        let Some(sealed) = Sealed::parse(plain) else { return Ok(None) };
        let subject = sealed.subject.as_str();
        let unreadable = |why: &str| json!({ "unreadable": why, "data_subject": subject });
        let found = match self.key(&sealed.subject)? {
            Err(NoKey::Shredded) => Err(json!({ "shredded": true, "data_subject": subject })),
            Err(NoKey::Missing | NoKey::NotKept | NoKey::TooMany(_)) => {
                Err(unreadable("subject_key_missing"))
            }
            Err(NoKey::Wrong) => Err(unreadable("subject_key_wrong")),
            Ok(key) => {
                let opened = within.nearest(sealed.kind).and_then(|entity| key.open(&sealed, entity));
                opened.ok_or_else(|| unreadable("sealed_text_damaged"))
            }
        };
        let as_text = is_quoted || sealed.form == Form::Text;
        Ok(Some(match found {
            Ok(opened) if as_text => Value::String(opened),
            Ok(opened) => serde_json::from_str(&opened).unwrap_or(Value::String(opened)),
            Err(marker) if as_text => Value::String(marker.to_string()),
            Err(marker) => marker,
        }))
    }
}
