//! What a request with an idempotency key asked for, kept with the first use of the key, so that the key never answers
//! for another request.
//!
//! Every field that is part of the question stands here in a canonical text (members of objects by name), or as a
//! digest where that is long. A field that was left out stands with the default it got. Two requests are the same when
//! each field is the same; a field that both left out is the same even if its default has changed in between.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A request that bears an idempotency key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyedRequest {
    /// Its fields by name.
    pub fields: BTreeMap<String, KeyedField>,
}

/// One field of such a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyedField {
    /// What it says: canonical JSON, or `digest:` and its digest where it is long.
    pub value: String,
    /// The caller said so; otherwise it is the default.
    pub given: bool,
}

impl KeyedField {
    fn is_as(&self, other: &KeyedField) -> bool {
        self.value == other.value || !(self.given || other.given)
    }
}

impl KeyedRequest {
    /// The same with one more field, that somebody said.
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        let field = KeyedField { value: value.to_string(), given: true };
        self.fields.insert(name.to_owned(), field);
        self
    }
}

/// A field in which two requests differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its name.
    pub field: String,
    /// What the first one says; nothing when it does not have the field.
    pub first: Option<String>,
    /// What the other one says.
    pub asked: Option<String>,
}

impl KeyedRequest {
    /// The first field in which another request differs from this one.
    pub fn difference(&self, asked: &KeyedRequest) -> Option<Difference> {
        let mut names: Vec<&String> = self.fields.keys().chain(asked.fields.keys()).collect();
        names.sort();
        names.dedup();
        let differs = |name: &&String| match (self.fields.get(*name), asked.fields.get(*name)) {
            (Some(first), Some(asked)) => !first.is_as(asked),
            // A field the other version does not have says something only where somebody gave it.
            (Some(only), None) | (None, Some(only)) => only.given,
            (None, None) => false,
        };
        let value = |field: &KeyedField| field.value.clone();
        names.into_iter().find(differs).map(|name| Difference {
            field: name.clone(),
            first: self.fields.get(name).map(value),
            asked: asked.fields.get(name).map(value),
        })
    }

    /// This request as far as another one is known: for a first use from before requests were kept.
    pub fn known_to(mut self, other: &KeyedRequest) -> Self {
        self.fields.retain(|name, _| other.fields.contains_key(name));
        self
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = |text: &Option<String>| text.clone().unwrap_or_else(|| "left out".to_owned());
        write!(f, "differs={}, first={}, given={}", self.field, said(&self.first), said(&self.asked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(fields: &[(&str, &str, bool)]) -> KeyedRequest {
        let field = |(name, value, given): &(&str, &str, bool)| {
            ((*name).to_owned(), KeyedField { value: (*value).to_owned(), given: *given })
        };
        KeyedRequest { fields: fields.iter().map(field).collect() }
    }

    #[test]
    fn a_default_is_what_it_stands_for_and_may_change() {
        let left_out = request(&[("timeout", "30", false)]);
        assert_eq!(left_out.difference(&request(&[("timeout", "60", false)])), None);
        assert_eq!(left_out.difference(&request(&[("timeout", "30", true)])), None);
        let other = left_out.difference(&request(&[("timeout", "60", true)])).unwrap();
        let (first, asked) = (Some("30".to_owned()), Some("60".to_owned()));
        assert_eq!(other, Difference { field: "timeout".into(), first, asked });
    }

    #[test]
    fn a_field_only_one_version_knows_counts_where_it_is_given() {
        let old = request(&[("a", "1", true)]);
        assert_eq!(old.difference(&request(&[("a", "1", true), ("b", "0", false)])), None);
        let differs = old.difference(&request(&[("a", "1", true), ("b", "2", true)])).unwrap();
        assert_eq!((differs.field.as_str(), differs.first), ("b", None));
        assert_eq!(old.difference(&request(&[("b", "2", true)]).known_to(&old)).unwrap().field, "a");
    }
}
