//! What is known of a hook: the fold of the events.

use serde::{Deserialize, Serialize};

use super::event::{Disabling, Event, Failed, Registered, Secret};
use crate::kernel::time::Timestamp;

/// A hook; the default was never registered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// What it is.
    pub registered: Option<Registered>,
    /// What signs its requests.
    pub secret: Option<Secret>,
    /// The cursor: what fits up to here was delivered.
    pub position: u64,
    /// Events delivered.
    pub delivered: u64,
    /// When some were delivered last.
    pub delivered_at: Option<Timestamp>,
    /// Attempts that failed since then.
    pub failures: u32,
    /// The last attempt that failed, also when later ones did not.
    pub last_failure: Option<Failed>,
    /// Whether anything is attempted.
    pub standing: Standing,
}

/// Whether anything is attempted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is, at once or at the next attempt.
    #[default]
    Active,
    /// Not before somebody resumes it: too many attempts failed in a row.
    Failing,
    /// Not before somebody resumes it, for this reason.
    Disabled(Disabling),
    /// Never again.
    Removed(Timestamp),
}

impl Hook {
    /// Was it ever registered?
    pub fn exists(&self) -> bool {
        self.registered.is_some()
    }

    /// Is it over?
    pub fn is_removed(&self) -> bool {
        matches!(self.standing, Standing::Removed(_))
    }

    /// Is something to be attempted, and not before when? At once when there was no failure.
    pub fn attempts_from(&self) -> Option<Option<Timestamp>> {
        if !self.exists() || self.standing != Standing::Active {
            return None;
        }
        let waits = self.last_failure.as_ref().filter(|_| self.failures > 0);
        Some(waits.and_then(|failed| failed.retry_at))
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Registered(registered) => {
                self.position = registered.position;
                self.registered = Some((**registered).clone());
            }
            Event::Keyed { secret, .. } => self.secret = Some(secret.clone()),
            Event::Delivered { position, count, at } => {
                self.position = *position;
                self.delivered = self.delivered.saturating_add(*count);
                self.failures = 0;
                if *count > 0 {
                    self.delivered_at = Some(*at);
                }
            }
            Event::Failed(failed) => {
                self.failures = failed.failures;
                if failed.retry_at.is_none() {
                    self.standing = Standing::Failing;
                }
                self.last_failure = Some((**failed).clone());
            }
            Event::Disabled { reason, .. } => self.standing = Standing::Disabled(*reason),
            Event::Resumed { .. } => {
                self.failures = 0;
                self.standing = Standing::Active;
            }
            Event::Removed { at, .. } => {
                self.standing = Standing::Removed(*at);
                self.secret = None;
            }
        }
    }

    /// The name of how it stands.
    pub fn state(&self) -> &'static str {
        match self.standing {
            Standing::Active if self.failures > 0 => "retrying",
            Standing::Active => "active",
            Standing::Failing => "failing",
            Standing::Disabled(_) => "disabled",
            Standing::Removed(_) => "removed",
        }
    }
}
