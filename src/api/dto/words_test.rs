//! The words that a schema lists are those that its type has: a reply with another one would be none of those declared.

use schemars::{JsonSchema, SchemaGenerator};
use serde::de::DeserializeOwned;

use crate::config::HealthPolicy;
use crate::core::load::flow::{FlowAdvice, FlowReason, FlowState, Health};
use crate::core::load::shed::{Cause, Class, Load, Observed, Priority};
use crate::core::load::stats::Level;
use crate::core::voting::agent::Grade;
use crate::core::voting::proposal::{Verdict, VoteOutcome};
use crate::core::voting::quorum::event::{Outsiders, VoteChange};
use crate::core::voting::quorum::{QuorumState, QuorumType};
use crate::core::voting::rules::Choice;
use crate::core::voting::session::{
    Authentication, Basis, ClosePolicy, Outcome, Revision, SwitchPolicy, Threshold,
};

/// The words of the schema, sorted.
fn declared<T: JsonSchema>() -> Vec<String> {
    let schema = T::json_schema(&mut SchemaGenerator::default()).to_value();
    let words = schema["enum"].as_array().unwrap().iter();
    let mut words: Vec<String> = words.map(|word| word.as_str().unwrap().to_owned()).collect();
    words.sort();
    words
}

/// The words of the type, sorted: it names them all to whoever gives another one.
fn known<T: DeserializeOwned + std::fmt::Debug>() -> Vec<String> {
    let refusal = serde_json::from_str::<T>("\"no such word\"").unwrap_err().to_string();
    let mut words: Vec<String> = refusal.split('`').skip(3).step_by(2).map(str::to_owned).collect();
    words.sort();
    words
}

#[test]
fn the_words_of_a_schema_are_those_of_its_type() {
    macro_rules! same {
        ($($name:ty),*) => { $( assert_eq!(declared::<$name>(), known::<$name>(), stringify!($name)); )* };
    }
    same!(QuorumState, Choice, Verdict, VoteOutcome, Grade, VoteChange, Outsiders, QuorumType);
    same!(Outcome, Basis, Threshold, SwitchPolicy, ClosePolicy, Revision, Authentication);
    same!(FlowState, Health, FlowAdvice, FlowReason, Class, Priority, Load, Cause, Observed, Level);
    same!(HealthPolicy);
}
