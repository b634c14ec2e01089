//! What guards ask about stops.

use std::sync::Arc;

use super::{Refusal, TokenFloor};
use crate::core::jobs::protocol::token::FenceToken;
use crate::core::kernel::ids::EntityId;

/// A stop that covers what is about to be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "stopped: it may not be done until the stop is released. stop_id={stop_id}, scope={scope}, sequence={sequence}"
)]
pub struct Stopped {
    /// The stop.
    pub stop_id: EntityId,
    /// What it stops.
    pub scope: String,
    /// Its number among all stops.
    pub sequence: u64,
}

/// Says what is stopped at this moment. A runtime of this process is one: `StopCalls::signal`.
pub trait StopSource: Send + Sync + std::fmt::Debug + 'static {
    /// The stop that covers what these parties do, for a job of this class if it is for one.
    fn stopped(&self, parties: &[&str], job_class: Option<&EntityId>) -> Option<Stopped>;
}

/// A floor that also refuses what is stopped: the way for [`FencingGuard`](TokenFloor) of an HTTP service to ask in the step
/// in which it lets a request run. The resource counts as a party.
#[derive(Debug)]
pub struct UnderStops<F> {
    floor: F,
    source: Arc<dyn StopSource>,
    parties: Vec<String>,
    job_class: Option<EntityId>,
}

impl<F: TokenFloor> UnderStops<F> {
    /// This floor, for what is done in the name of these parties, for jobs of this class if it is for jobs.
    pub fn new<'n>(
        floor: F,
        source: Arc<dyn StopSource>,
        parties: impl IntoIterator<Item = &'n str>,
        job_class: Option<EntityId>,
    ) -> Self {
        let parties = parties.into_iter().map(str::to_owned).collect();
        UnderStops { floor, source, parties, job_class }
    }
}

impl<F: TokenFloor> TokenFloor for UnderStops<F> {
    fn admit(&self, resource: &EntityId, token: FenceToken) -> Result<bool, Refusal> {
        let raised = self.floor.admit(resource, token)?;
        // Last: what was stopped while the floor was made durable is refused.
        let mut parties: Vec<&str> = self.parties.iter().map(String::as_str).collect();
        parties.push(resource.as_str());
        match self.source.stopped(&parties, self.job_class.as_ref()) {
            Some(stopped) => Err(Refusal::Stopped(stopped)),
            None => Ok(raised),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::guard::MemoryFloor;

    #[derive(Debug, Default)]
    struct Switch(AtomicBool);

    impl StopSource for Switch {
        fn stopped(&self, parties: &[&str], _: Option<&EntityId>) -> Option<Stopped> {
            let stop_id = EntityId::new("s").ok()?;
            let stopped = Stopped { stop_id, scope: "party:job-7".into(), sequence: 3 };
            (self.0.load(Ordering::SeqCst) && parties.contains(&"job-7")).then_some(stopped)
        }
    }

    #[test]
    fn a_floor_refuses_the_stopped_resource_and_no_other_and_lets_it_go_on_after() {
        let switch = Arc::new(Switch::default());
        let floor = UnderStops::new(MemoryFloor::default(), switch.clone(), ["ann"], None);
        let (seven, eight) = (EntityId::new("job-7").unwrap(), EntityId::new("job-8").unwrap());
        assert!(floor.admit(&seven, FenceToken::shown(1)).unwrap());
        switch.0.store(true, Ordering::SeqCst);
        let refused = floor.admit(&seven, FenceToken::shown(1)).unwrap_err();
        assert!(matches!(refused, Refusal::Stopped(Stopped { sequence: 3, .. })), "{refused}");
        assert!(floor.admit(&eight, FenceToken::shown(1)).unwrap());
        switch.0.store(false, Ordering::SeqCst);
        assert!(!floor.admit(&seven, FenceToken::shown(1)).unwrap());
    }
}
