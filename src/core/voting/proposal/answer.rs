//! What an answer to a question must be, beside for, against or abstaining; and what it was.
//!
//! | shape | of an answer | limits |
//! |---|---|---|
//! | `Boolean` | true or false | |
//! | `Integer` | a whole number of 64 bits | smallest, largest, or only these |
//! | `Text` | a text | characters, or only these |
//! | `Object` | named fields, each of a shape of its own | which of them must be there; no others may |
//!
//! It is a closed part of JSON Schema: whoever reads JSON refuses every word that is not in it, for a word that nobody
//! checks would promise what is not kept. There are no fractions: what an answer is used for is mostly money.
//!
//! # Source
//! JSON Schema, draft 2020-12, *A Vocabulary for Structural Validation*; except that an object takes no fields but those
//! that are named.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// How many shapes may stand within each other.
pub const DEEPEST: usize = 4;
/// Fields of one object, and choices of one shape, at most.
pub const MOST_PARTS: usize = 64;
/// Bytes of an answer as JSON, at most.
pub const LARGEST: usize = 16 << 10;
/// What a path begins with in what is asked for.
pub const SCHEMA: &str = "answer_schema";
/// What a path begins with in an answer.
pub const VALUE: &str = "value";

/// What an answer must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerSchema {
    /// A name for people.
    pub title: Option<String>,
    /// What is meant, for people.
    pub description: Option<String>,
    /// The shape.
    pub shape: AnswerShape,
}

/// The shape of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerShape {
    /// True or false.
    Boolean,
    /// A whole number.
    Integer {
        /// The smallest one.
        minimum: Option<i64>,
        /// The largest one.
        maximum: Option<i64>,
        /// Only these; any when empty.
        choices: Vec<i64>,
    },
    /// A text.
    Text {
        /// Characters at least.
        min_length: Option<u32>,
        /// Characters at most.
        max_length: Option<u32>,
        /// Only these; any when empty.
        choices: Vec<String>,
    },
    /// Named fields.
    Object {
        /// The fields, in the order in which people are asked for them.
        fields: Vec<AnswerField>,
    },
}

/// A field of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerField {
    /// Its name.
    pub name: String,
    /// It must be there.
    pub required: bool,
    /// What it must be.
    pub schema: AnswerSchema,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerValue {
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A text.
    Text(String),
    /// Named fields.
    Object(BTreeMap<String, AnswerValue>),
    /// Sealed by whoever looked before that it fits: of what kind it is cannot be told any more.
    Sealed(String),
    /// JSON that no answer can be, such as a fraction, a list or null; as it was given.
    Other(String),
}

/// What does not fit, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerMisfit {
    /// The place, such as `value.amount`.
    pub path: String,
    /// What stands there, as JSON; none when nothing does.
    pub given: Option<String>,
    /// What may.
    pub expected: String,
}

impl AnswerValue {
    /// The answer as JSON, the fields by name: equal answers are equal texts.
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            AnswerValue::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
            AnswerValue::Integer(value) => out.push_str(&value.to_string()),
            AnswerValue::Text(text) | AnswerValue::Sealed(text) => quote(out, text),
            AnswerValue::Object(fields) => {
                out.push('{');
                for (n, (name, value)) in fields.iter().enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    quote(out, name);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
            AnswerValue::Other(json) => out.push_str(json),
        }
    }
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 => {
                // Writing to a text cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn quoted(text: &str) -> String {
    let mut out = String::new();
    quote(&mut out, text);
    out
}

impl AnswerSchema {
    /// What is asked for without words for people.
    pub fn of(shape: AnswerShape) -> Self {
        AnswerSchema { title: None, description: None, shape }
    }

    /// Is there an answer that fits and may be given, and is nothing said twice?
    ///
    /// # Errors
    /// [`AnswerMisfit`] for the first place where it is not so.
    pub fn check(&self) -> Result<(), AnswerMisfit> {
        self.check_at(SCHEMA, DEEPEST)?;
        let least = self.fewest_bytes();
        if least > LARGEST {
            let given = Some(format!("\"at least {least} bytes\""));
            let expected = format!("what an answer of up to {LARGEST} bytes of JSON can bring");
            return Err(AnswerMisfit { path: SCHEMA.to_owned(), given, expected });
        }
        Ok(())
    }

    /// Bytes of the shortest answer that fits, as JSON.
    fn fewest_bytes(&self) -> usize {
        match &self.shape {
            AnswerShape::Boolean => "true".len(),
            AnswerShape::Integer { minimum, maximum, choices } => {
                let digits = |n: &i64| n.to_string().len();
                let nearest = 0_i64.max(minimum.unwrap_or(0)).min(maximum.unwrap_or(i64::MAX));
                choices.iter().map(digits).min().unwrap_or_else(|| digits(&nearest))
            }
            AnswerShape::Text { min_length, max_length: _, choices } => {
                let shortest = choices.iter().map(|text| quoted(text).len()).min();
                shortest.unwrap_or_else(|| min_length.map_or(0, |least| least as usize).saturating_add(2))
            }
            AnswerShape::Object { fields } => {
                let needed = fields.iter().filter(|field| field.required);
                // A comma more than there are is a brace less.
                let part = |field: &AnswerField| quoted(&field.name).len() + 2 + field.schema.fewest_bytes();
                needed.map(part).fold(1, usize::saturating_add).max(2)
            }
        }
    }

    fn check_at(&self, path: &str, depth: usize) -> Result<(), AnswerMisfit> {
        let misfit = |word: &str, given: String, expected: String| {
            Err(AnswerMisfit { path: format!("{path}.{word}"), given: Some(given), expected })
        };
        match &self.shape {
            AnswerShape::Boolean => Ok(()),
            AnswerShape::Integer { minimum, maximum, choices } => {
                if let (Some(least), Some(most)) = (minimum, maximum)
                    && least > most
                {
                    return misfit("maximum", most.to_string(), format!("at least the minimum, {least}"));
                }
                let fits = |n: &i64| {
                    minimum.is_none_or(|least| *n >= least) && maximum.is_none_or(|most| *n <= most)
                };
                check_choices(path, choices, fits, i64::to_string)
            }
            AnswerShape::Text { min_length, max_length, choices } => {
                if let (Some(least), Some(most)) = (min_length, max_length)
                    && least > most
                {
                    return misfit("maxLength", most.to_string(), format!("at least the minLength, {least}"));
                }
                if let Some(least) = min_length.filter(|least| *least as usize > LARGEST - 2) {
                    let most = LARGEST - 2;
                    return misfit(
                        "minLength",
                        least.to_string(),
                        format!("up to {most}, as long as an answer may be"),
                    );
                }
                let fits = |text: &String| {
                    let long = text.chars().count();
                    min_length.is_none_or(|least| long >= least as usize)
                        && max_length.is_none_or(|most| long <= most as usize)
                };
                check_choices(path, choices, fits, |text| quoted(text))
            }
            AnswerShape::Object { fields } => {
                if fields.is_empty() || fields.len() > MOST_PARTS {
                    return misfit(
                        "properties",
                        fields.len().to_string(),
                        format!("1 to {MOST_PARTS} fields"),
                    );
                }
                if depth <= 1 {
                    let expected = format!("at most {DEEPEST} shapes within each other");
                    return misfit("properties", "\"one more within\"".to_owned(), expected);
                }
                for (n, field) in fields.iter().enumerate() {
                    if fields.iter().take(n).any(|other| other.name == field.name) {
                        return misfit("properties", quoted(&field.name), "each field once".to_owned());
                    }
                    field.schema.check_at(&format!("{path}.properties.{}", field.name), depth - 1)?;
                }
                Ok(())
            }
        }
    }

    /// Does an answer fit?
    ///
    /// # Errors
    /// [`AnswerMisfit`] for the first place where it does not.
    pub fn fits(&self, value: &AnswerValue) -> Result<(), AnswerMisfit> {
        self.fits_at(VALUE, value)
    }

    fn fits_at(&self, path: &str, value: &AnswerValue) -> Result<(), AnswerMisfit> {
        let fits = match (&self.shape, value) {
            (_, AnswerValue::Sealed(_)) => true,
            (AnswerShape::Boolean, AnswerValue::Boolean(_)) => true,
            (AnswerShape::Integer { minimum, maximum, choices }, AnswerValue::Integer(n)) => {
                minimum.is_none_or(|least| *n >= least)
                    && maximum.is_none_or(|most| *n <= most)
                    && (choices.is_empty() || choices.contains(n))
            }
            (AnswerShape::Text { min_length, max_length, choices }, AnswerValue::Text(text)) => {
                let long = text.chars().count();
                min_length.is_none_or(|least| long >= least as usize)
                    && max_length.is_none_or(|most| long <= most as usize)
                    && (choices.is_empty() || choices.contains(text))
            }
            (AnswerShape::Object { fields }, AnswerValue::Object(given)) => {
                return fits_fields(path, fields, given);
            }
            (
                AnswerShape::Boolean
                | AnswerShape::Integer { .. }
                | AnswerShape::Text { .. }
                | AnswerShape::Object { .. },
                _,
            ) => false,
        };
        match fits {
            true => Ok(()),
            false => Err(AnswerMisfit {
                path: path.to_owned(),
                given: Some(value.to_json()),
                expected: self.in_words(),
            }),
        }
    }

    /// The value that must be there and is not.
    pub fn missing(&self) -> AnswerMisfit {
        AnswerMisfit { path: VALUE.to_owned(), given: None, expected: self.in_words() }
    }

    /// What fits, in words.
    pub fn in_words(&self) -> String {
        let range = |least: Option<String>, most: Option<String>| match (least, most) {
            (None, None) => String::new(),
            (Some(least), None) => format!(" of {least} or more"),
            (None, Some(most)) => format!(" of up to {most}"),
            (Some(least), Some(most)) => format!(" of {least} to {most}"),
        };
        match &self.shape {
            AnswerShape::Boolean => "true or false".to_owned(),
            AnswerShape::Integer { choices, .. } if !choices.is_empty() => one_of(choices, i64::to_string),
            AnswerShape::Integer { minimum, maximum, .. } => {
                format!(
                    "a whole number{}",
                    range(minimum.map(|n| n.to_string()), maximum.map(|n| n.to_string()))
                )
            }
            AnswerShape::Text { choices, .. } if !choices.is_empty() => one_of(choices, |text| quoted(text)),
            AnswerShape::Text { min_length: None, max_length: None, .. } => "a text".to_owned(),
            AnswerShape::Text { min_length, max_length, .. } => {
                let range = range(min_length.map(|n| n.to_string()), max_length.map(|n| n.to_string()));
                format!("a text{range} characters")
            }
            AnswerShape::Object { fields } => {
                let name = |field: &AnswerField| match field.required {
                    true => field.name.clone(),
                    false => format!("{} (if you like)", field.name),
                };
                format!("an object with {}", fields.iter().map(name).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

fn one_of<T>(choices: &[T], told: impl Fn(&T) -> String) -> String {
    format!("one of {}", choices.iter().map(told).collect::<Vec<_>>().join(", "))
}

fn check_choices<T: PartialEq>(
    path: &str,
    choices: &[T],
    fits: impl Fn(&T) -> bool,
    told: impl Fn(&T) -> String,
) -> Result<(), AnswerMisfit> {
    let path = format!("{path}.enum");
    if choices.len() > MOST_PARTS {
        let expected = format!("1 to {MOST_PARTS} choices");
        return Err(AnswerMisfit { path, given: Some(choices.len().to_string()), expected });
    }
    for (n, choice) in choices.iter().enumerate() {
        let expected = match choices.iter().take(n).any(|other| other == choice) {
            true => "each choice once",
            false if !fits(choice) => "choices within the limits beside them",
            false => continue,
        };
        return Err(AnswerMisfit { path, given: Some(told(choice)), expected: expected.to_owned() });
    }
    Ok(())
}

fn fits_fields(
    path: &str,
    fields: &[AnswerField],
    given: &BTreeMap<String, AnswerValue>,
) -> Result<(), AnswerMisfit> {
    for field in fields {
        let at = format!("{path}.{}", field.name);
        match given.get(&field.name) {
            Some(value) => field.schema.fits_at(&at, value)?,
            None if field.required => {
                return Err(AnswerMisfit { path: at, given: None, expected: field.schema.in_words() });
            }
            None => {}
        }
    }
    match given.iter().find(|(name, _)| !fields.iter().any(|field| field.name == **name)) {
        None => Ok(()),
        Some((name, value)) => {
            let known = fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ");
            let expected = format!("no other field than {known}");
            Err(AnswerMisfit { path: format!("{path}.{name}"), given: Some(value.to_json()), expected })
        }
    }
}

#[cfg(test)]
#[path = "answer_test.rs"]
mod tests;
