//! What a refusal says beside its sentence: names like the one given, the vote that stands.

use serde_json::Value;

use super::Error;

impl Error {
    /// The refusal of a vote beside the one of the same voter that stands, if there is one: it says which.
    pub(crate) fn beside_vote(self, held: Option<Value>, given: impl Into<Value>) -> Self {
        let Some(held) = held.filter(|_| self.detail("held").is_none()) else { return self };
        let given = given.into();
        let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let message = self.with_values(&format!("held={}, given={}", word(&held), word(&given)));
        self.saying(message).with("held", held).with("given", given)
    }

    /// The same refusal of a name with those that are like it, if there are any.
    pub(crate) fn beside(self, nearest: Vec<String>) -> Self {
        if nearest.is_empty() {
            return self;
        }
        let message = self.with_values(&format!("nearest={}", nearest.join(" ")));
        self.saying(message).with("nearest", nearest)
    }

    /// The sentence with more values at its end.
    pub(crate) fn with_values(&self, values: &str) -> String {
        let joint = if self.message.contains(". ") { ", " } else { ". " };
        format!("{}{joint}{values}", self.message)
    }

    /// The same error in other words.
    pub(crate) fn saying(mut self, message: String) -> Self {
        self.message = message;
        self
    }

    /// The same error with what to do about it, where its kind alone does not say.
    pub fn advising(self, next: impl Into<String>) -> Self {
        self.with("next", next.into())
    }
}
