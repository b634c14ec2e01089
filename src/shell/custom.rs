//! Custom rules registered in this process, and the net under them: a rule that panics fails alone.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};

use crate::core::voting::rules::{CustomRule, CustomRules, Poll, Ruling, WeightTable};

#[derive(Clone)]
struct Registered {
    rule: Arc<dyn CustomRule>,
    weights: WeightTable,
}

/// Custom rules by name. They live as long as the process: register them at every start, best in the
/// [`Config`](crate::Config), so that they are there before open proposals are looked at.
#[derive(Clone, Default)]
pub struct CustomRuleSet(BTreeMap<String, Registered>);

impl CustomRuleSet {
    /// The same set with one more rule; a name given before keeps its rule.
    pub fn with(mut self, name: &str, weights: WeightTable, rule: impl CustomRule + 'static) -> Self {
        self.0.entry(name.to_owned()).or_insert(Registered { rule: Arc::new(rule), weights });
        self
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl fmt::Debug for CustomRuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The rules of one runtime.
#[derive(Debug, Default)]
pub(crate) struct Custom(RwLock<CustomRuleSet>);

impl Custom {
    pub(crate) fn new(rules: CustomRuleSet) -> Self {
        Custom(RwLock::new(rules))
    }

    /// Registers a rule unless the name is taken; says whether it did.
    pub(crate) fn register(&self, name: &str, weights: WeightTable, rule: Arc<dyn CustomRule>) -> bool {
        let mut rules = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if rules.0.contains_key(name) {
            return false;
        }
        rules.0.insert(name.to_owned(), Registered { rule, weights });
        true
    }

    /// Takes a rule away; says whether there was one.
    pub(crate) fn unregister(&self, name: &str) -> bool {
        self.0.write().unwrap_or_else(PoisonError::into_inner).0.remove(name).is_some()
    }

    /// The weights a rule was registered with, if there is one.
    pub(crate) fn weights(&self, name: &str) -> Option<WeightTable> {
        self.find(name).map(|registered| registered.weights)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).0.keys().cloned().collect()
    }

    fn find(&self, name: &str) -> Option<Registered> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).0.get(name).cloned()
    }
}

impl CustomRules for Custom {
    fn ask(&self, name: &str, poll: &Poll<'_>) -> Ruling {
        let Some(Registered { rule, .. }) = self.find(name) else { return Ruling::Unavailable };
        // What a rule left half done in its own state is its own business; ours is untouched.
        match catch_unwind(AssertUnwindSafe(|| rule.outcome(poll))) {
            Ok(outcome) => Ruling::Outcome(outcome),
            Err(panic) => {
                let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
                let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
                let text = text.unwrap_or_else(|| "the rule panicked without a message".to_owned());
                tracing::error!(algorithm = name, panic = text, "custom rule panicked");
                Ruling::Failed(text.chars().take(1_000).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::voting::rules::Outcome;

    #[test]
    fn a_panic_is_an_answer() {
        let custom = Custom::default();
        let poll = Poll { participants: &[], weights: &[], votes: &[], deadline_reached: false };
        assert_eq!(custom.ask("bad", &poll), Ruling::Unavailable);
        let bad = Arc::new(|_: &Poll<'_>| -> Outcome { panic!("no idea") });
        assert!(custom.register("bad", WeightTable::default(), bad.clone()));
        assert!(!custom.register("bad", WeightTable::default(), bad));
        assert_eq!(custom.ask("bad", &poll), Ruling::Failed("no idea".into()));
    }
}
