//! What a job is to do, in the words of whoever submitted it: opaque texts, handed to the worker with the work.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::limits::{MAX_PAYLOAD_BYTES, MAX_PAYLOADS_BYTES};
use crate::kernel::ids::EntityId;
use crate::kernel::resend::fnv1a;

/// The payload of a job, and those of its workflows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payloads {
    /// Of the job as a whole.
    pub job: Option<String>,
    /// Of each workflow that has one of its own.
    pub workflows: BTreeMap<EntityId, String>,
}

impl Payloads {
    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.job.is_none() && self.workflows.is_empty()
    }

    /// Tells them apart after they were dropped.
    pub(in crate::jobs) fn fingerprint(&self) -> u64 {
        let mut bytes = Vec::new();
        let mut add = |text: &str| {
            bytes.extend((text.len() as u64).to_le_bytes());
            bytes.extend(text.bytes());
        };
        self.workflows.iter().for_each(|(id, payload)| [id.as_str(), payload].into_iter().for_each(&mut add));
        self.job.iter().for_each(|payload| add(payload));
        fnv1a(bytes)
    }

    /// What is wrong with their sizes: the field, what was given, and what is allowed.
    pub(in crate::jobs) fn too_long(&self) -> Option<(&'static str, String, String)> {
        let all = || self.job.iter().chain(self.workflows.values());
        let longest = all().map(String::len).max().unwrap_or(0);
        let sum = all().map(String::len).fold(0, usize::saturating_add);
        if longest > MAX_PAYLOAD_BYTES {
            return Some((
                "payload",
                format!("{longest} bytes"),
                format!("at most {MAX_PAYLOAD_BYTES} bytes"),
            ));
        }
        let most = format!("at most {MAX_PAYLOADS_BYTES} bytes in all");
        (sum > MAX_PAYLOADS_BYTES).then(|| ("payload", format!("{sum} bytes in all"), most))
    }
}
