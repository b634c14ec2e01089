//! Death watch: an entity actor dies only of a bug (a panic). It is rebuilt from the journal, at once the first
//! time, later and later when it keeps dying, and parked when it uses up its budget.
//!
//! ```text
//!  death 1: at once · death n: first_pause × 2^(n-2) · more than `budget` in `window`: parked until it has passed
//! ```

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, WrapFuture};
use tokio::sync::{mpsc, oneshot};

use crate::config::RestartConfig;
use crate::core::kernel::ids::StreamId;
use crate::core::kernel::time::Timestamp;
use crate::journal::Fault;
use crate::shell::entity::Poke;
use crate::shell::host::Host;
use crate::shell::lock;

#[derive(Clone, Debug)]
struct Deaths {
    since: Timestamp,
    count: u32,
    not_before: Timestamp,
}

/// Deaths on record, and the way to the supervisor.
#[derive(Debug)]
pub(crate) struct Restarts {
    config: RestartConfig,
    deaths: Mutex<HashMap<StreamId, Deaths>>,
    heard: mpsc::UnboundedSender<StreamId>,
    inbox: Mutex<Option<mpsc::UnboundedReceiver<StreamId>>>,
}

impl Restarts {
    pub(crate) fn new(config: RestartConfig) -> Self {
        let (heard, inbox) = mpsc::unbounded_channel();
        Restarts { config, deaths: Mutex::default(), heard, inbox: Mutex::new(Some(inbox)) }
    }

    /// May an actor of this entity start now? `Ok(true)` when an earlier one died.
    pub(crate) fn may_start(&self, stream: &StreamId, now: Timestamp) -> Result<bool, Fault> {
        let mut deaths = lock(&self.deaths);
        match deaths.get(stream) {
            None => Ok(false),
            Some(d) if now < d.not_before => {
                let wait = d.not_before.since(now).as_millis();
                let reason = format!(
                    "{stream} died {} times since {} and rests; try again in {wait} ms",
                    d.count, d.since
                );
                Err(Fault::Unavailable { reason })
            }
            Some(d) if now > d.since.plus(self.config.window) => {
                deaths.remove(stream);
                Ok(true)
            }
            Some(_) => Ok(true),
        }
    }

    /// An actor died. From here on its successor waits for what it had queued, rests, or is parked.
    pub(crate) fn died(&self, stream: &StreamId, now: Timestamp) {
        let mut deaths = lock(&self.deaths);
        let d = deaths.entry(stream.clone()).or_insert(Deaths { since: now, count: 0, not_before: now });
        if now > d.since.plus(self.config.window) {
            *d = Deaths { since: now, count: 0, not_before: now };
        }
        d.count += 1;
        let parked = d.count > self.config.budget;
        d.not_before = match d.count {
            1 => now,
            _ if parked => d.since.plus(self.config.window),
            n => now.plus(self.config.first_pause * 2u32.saturating_pow((n - 2).min(16))),
        };
        tracing::error!(%stream, deaths = d.count, parked, "entity actor died; it is rebuilt from the journal");
    }

    /// The dead actor has left the registry: the supervisor may wake a successor.
    pub(crate) fn wake_later(&self, stream: &StreamId) {
        // Nobody hears it only while the runtime shuts down.
        let _ = self.heard.send(stream.clone());
    }

    /// Entities that used up their budget.
    pub(crate) fn parked(&self, now: Timestamp) -> usize {
        lock(&self.deaths).values().filter(|d| d.count > self.config.budget && now < d.not_before).count()
    }

    fn pause(&self, stream: &StreamId, now: Timestamp) -> Duration {
        lock(&self.deaths).get(stream).map_or(Duration::ZERO, |d| d.not_before.since(now))
    }
}

/// The actor that wakes what died, so that its deadlines are kept even if nobody asks for it.
pub(crate) struct RestartSupervisor {
    host: Arc<Host>,
}

impl RestartSupervisor {
    pub(crate) fn new(host: Arc<Host>) -> Self {
        RestartSupervisor { host }
    }
}

impl Actor for RestartSupervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let Some(mut inbox) = lock(&self.host.restarts.inbox).take() else { return };
        let host = self.host.clone();
        let watch = async move {
            while let Some(stream) = inbox.recv().await {
                let host = host.clone();
                tokio::task::spawn_local(async move {
                    tokio::time::sleep(host.restarts.pause(&stream, host.clock.now())).await;
                    let (done, _) = oneshot::channel();
                    host.kinds.of(stream.kind).poke(&host, &stream.id, Poke::new(done));
                });
            }
        };
        ctx.spawn(watch.into_actor(self));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::kernel::ids::{EntityId, StreamKind};

    #[test]
    fn the_first_death_costs_no_pause_later_ones_double_it_and_the_budget_parks() {
        let config = RestartConfig {
            budget: 3,
            window: Duration::from_secs(60),
            first_pause: Duration::from_millis(100),
        };
        let restarts = Restarts::new(config);
        let stream = StreamId::new(StreamKind::Quorum, EntityId::new("q").unwrap());
        let at = Timestamp::from_millis;
        assert_eq!(restarts.may_start(&stream, at(0)), Ok(false));
        restarts.died(&stream, at(0));
        assert_eq!(restarts.may_start(&stream, at(0)), Ok(true));
        restarts.died(&stream, at(10));
        assert!(restarts.may_start(&stream, at(109)).is_err());
        assert_eq!(restarts.may_start(&stream, at(110)), Ok(true));
        restarts.died(&stream, at(200));
        assert!(restarts.may_start(&stream, at(399)).is_err());
        assert_eq!(restarts.may_start(&stream, at(400)), Ok(true));
        restarts.died(&stream, at(500));
        assert_eq!(restarts.parked(at(500)), 1);
        assert!(restarts.may_start(&stream, at(59_999)).is_err());
        assert_eq!(restarts.may_start(&stream, at(60_001)), Ok(true));
    }
}
