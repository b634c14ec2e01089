//! How a runtime is doing.

use super::{Quorate, dto};
use crate::shell::host::wait;

impl Quorate {
    /// How the runtime is doing.
    pub fn health(&self) -> dto::Health {
        let host = self.host();
        let closing = || host.is_closing().then(|| "the runtime is closed".to_owned());
        // A store may also fail while nobody writes.
        let failed = || wait(host.store.tip()).err();
        let failure = host.writer.failure().or_else(failed).map(|fault| fault.to_string()).or_else(closing);
        let off = host.clock.off_by_us().filter(|_| failure.is_none());
        let (process_gaps, clock_steps) = host.clock.counts();
        dto::Health {
            status: match (&failure, off) {
                (Some(_), _) => "failed".into(),
                (None, Some(_)) => "clock_off".into(),
                (None, None) => "ok".into(),
            },
            failure,
            now: host.clock.now(),
            clock_offset_ms: host.clock.offset_us() / 1_000,
            clock_steps,
            process_gaps,
            tracked_deadlines: host.wheel.len() as u64,
            awake_entities: host.awake() as u64,
            most_awake_entities: host.most_awake() as u64,
            parked_entities: host.restarts.parked(host.clock.now()) as u64,
            in_flight: host.in_flight() as u64,
            dropped_at_open: self.runtime.report().store.dropped.clone(),
        }
    }
}
