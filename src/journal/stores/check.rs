//! What was looked at before something is trusted with a journal, and what came of it.

use serde::Serialize;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// As it should be.
    Ok,
    /// It works, and somebody should know of it.
    Warn,
    /// What was acknowledged may be lost, or nothing works.
    Fail,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub check: &'static str,
    /// How it ended.
    pub status: CheckStatus,
    /// What was found, and what it means.
    pub found: String,
    /// What to do about it; empty where nothing is to be done.
    pub remedy: String,
}

impl Check {
    /// As it should be.
    pub fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Check { check, status: CheckStatus::Ok, found: found.into(), remedy: String::new() }
    }

    /// It works, and somebody should know of it.
    pub fn warn(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Check { check, status: CheckStatus::Warn, found: found.into(), remedy: remedy.into() }
    }

    /// Not to be relied on.
    pub fn fail(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Check { check, status: CheckStatus::Fail, found: found.into(), remedy: remedy.into() }
    }
}
