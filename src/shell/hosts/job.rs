//! Jobs at their manager: what is heard of them, and what an ended one teaches.

use std::sync::Arc;

use super::{Hosted, track};
use crate::config::Config;
use crate::core::jobs::manager::{self as job, Heard, Job, JobMachine};
use crate::core::kernel::ids::{EntityId, StreamId, StreamKind};
use crate::shell::bus::{Notice, What};
use crate::shell::counters::Counters;
use crate::shell::host::Host;
use crate::shell::jobs::{InMemory, learn, send};
use crate::shell::lanes::Lane;
use crate::shell::lock;

impl Hosted for JobMachine {
    const ENDS: bool = true;

    fn lane(command: &job::Command) -> Lane {
        if matches!(command, job::Command::Progress { .. }) { Lane::Then } else { Lane::First }
    }

    fn expects_answer(effect: &job::Effect) -> bool {
        let job::Effect::Send(message) = effect;
        message.number > 0
    }

    fn context(host: &Host) -> Heard {
        // The counters, not the host: the host holds the actors that hold this.
        Heard::of(Arc::new(InMemory(host.counters.clone())))
    }

    fn notices(_: &Config, id: &EntityId, state: &Job, events: &[job::Event]) -> Vec<Notice> {
        let job_id = state.job_id.clone().unwrap_or_else(|| id.clone());
        let notice = |at, what| Notice {
            topic: format!("job/{job_id}"),
            entity: StreamId::new(StreamKind::Job, id.clone()),
            at,
            what,
        };
        let heard = |event: &job::Event| match event {
            job::Event::WorkflowMoved(moved) => {
                let what = What::WorkflowMoved {
                    workflow_id: moved.workflow_id.clone(),
                    from: moved.from,
                    to: moved.to,
                };
                Some(notice(moved.at, what))
            }
            job::Event::Ended(ended) => Some(notice(ended.at, What::JobEnded { status: ended.status })),
            _ => None,
        };
        events.iter().filter_map(heard).collect()
    }

    fn observe(counters: &Counters, id: &EntityId, events: &[job::Event]) {
        let mut index = lock(&counters.jobs);
        for event in events {
            if let (job::Event::Ended(_), Some(live)) = (event, index.live.get(id)) {
                lock(&counters.heard).forget(&live.job_id, &live.datacenter);
            }
            index.apply(id, event);
            tracing::debug!(kind = "job", entity_id = %id, event = event.name());
        }
    }

    fn follow(host: &Arc<Host>, id: &EntityId, events: &[job::Event]) {
        if events.iter().any(|event| matches!(event, job::Event::Ended(_))) {
            host.waiting.forget(id);
            let (surroundings, id) = (host.clone(), id.clone());
            track(host, async move {
                if let Err(failure) = learn(&surroundings, &id).await {
                    tracing::warn!(%id, ?failure, "duration of a job not learned");
                }
            });
        }
    }

    fn at_once(host: &Host, effect: &job::Effect) -> bool {
        let job::Effect::Send(message) = effect;
        send(host, message);
        true
    }
}
