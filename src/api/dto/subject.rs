//! Requests and replies about data subjects.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::kernel::ids::{EntityId, known};
use crate::core::kernel::time::Timestamp;

/// Destroys the key of a data subject.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShredSubject {
    /// Whose.
    #[serde(deserialize_with = "known")]
    pub data_subject: EntityId,
    /// Why, up to 1024 bytes; on record for good, so it names nobody.
    pub reason: String,
}

/// Names a data subject.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubjectRef {
    /// Which.
    #[serde(deserialize_with = "known")]
    pub data_subject: EntityId,
}

/// Lists data subjects by name.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListSubjects {
    /// How many at most, 1 to 1000; 100 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// Where an earlier page ended; the beginning when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// An entity with data of a data subject.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct SubjectEntity {
    /// Its kind.
    pub kind: String,
    /// Its id.
    pub entity_id: EntityId,
}

/// A data subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubjectView {
    /// Its name.
    pub data_subject: EntityId,
    /// `active`, `shredding` while its key is being destroyed, or `shredded`.
    pub state: String,
    /// Its key, where this journal keeps it: `present`, `missing` or `wrong` when nobody asked for that, `none` once it was shredded.
    pub key: String,
    /// What its key is known by, in hex; it says nothing of the key.
    pub key_id: String,
    /// When data of it was first sealed.
    pub since: Timestamp,
    /// When shredding was asked for.
    pub asked_at: Option<Timestamp>,
    /// When its key was gone.
    pub shredded_at: Option<Timestamp>,
    /// Why it was shredded.
    pub reason: Option<String>,
    /// The identity that asked for it; none where nobody is asked who calls.
    pub asked_by: Option<String>,
    /// The first 1000 entities with data of it. Told by `subject.show` and `subject.shred`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entities: Option<Vec<SubjectEntity>>,
    /// How many those are in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity_count: Option<u64>,
    /// It was asked for before; the first reason stands. Told by `subject.shred` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate: Option<bool>,
}

/// Data subjects by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubjectPage {
    /// They.
    pub subjects: Vec<SubjectView>,
    /// Ask with this for what follows; none when this page is empty.
    pub next_cursor: Option<String>,
    /// The end was not reached.
    pub more: bool,
}
