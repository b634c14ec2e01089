//! How hooks are delivered.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ms;
use crate::journal::Fault;

/// How hooks are delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HooksConfig {
    /// Send also to addresses that are not those of the public Internet: loopback, private networks, link-local and so on;
    /// default false. With it, whoever may register a hook makes this process reach whatever it can reach.
    pub allow_private: bool,
    /// Hooks at the same time, 1 to 10,000, default 256. The next one is refused with `limit_exceeded`.
    pub max_hooks: usize,
    /// Requests under way at the same time, 1 to 256, default 32. Hooks that are not known to answer have three quarters of
    /// them, so that those that hang leave room for the others. Too many take memory: about two megabytes each.
    pub max_requests: usize,
    /// How long it may take to find the receiver and connect to it, 10 ms to 1 minute, default 5 s.
    #[serde(rename = "connect_timeout_ms", with = "ms")]
    pub connect_timeout: Duration,
    /// How long a whole request may take, up to the status of its answer, 10 ms to 5 minutes, default 15 s.
    #[serde(rename = "timeout_ms", with = "ms")]
    pub timeout: Duration,
    /// The certificates to trust, in PEM, in place of those that the system trusts.
    pub tls_ca: Option<PathBuf>,
}

impl Default for HooksConfig {
    fn default() -> Self {
        HooksConfig {
            allow_private: false,
            max_hooks: 256,
            max_requests: 32,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(15),
            tls_ca: None,
        }
    }
}

impl HooksConfig {
    /// Checks every number.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let ms = |d: Duration| i128::try_from(d.as_millis()).unwrap_or(i128::MAX);
        let knobs: [(&str, i128, i128, i128); 4] = [
            ("hooks.max_hooks", self.max_hooks as i128, 1, 10_000),
            ("hooks.max_requests", self.max_requests as i128, 1, 256),
            ("hooks.connect_timeout_ms", ms(self.connect_timeout), 10, 60_000),
            ("hooks.timeout_ms", ms(self.timeout), 10, 300_000),
        ];
        for (knob, value, low, high) in knobs {
            if value < low || value > high {
                return Err(Fault::Config {
                    knob,
                    value: value.to_string(),
                    range: format!("{low} to {high}"),
                });
            }
        }
        Ok(())
    }
}
