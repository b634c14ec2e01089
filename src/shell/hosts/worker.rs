//! Workers: what they are told to do, and who is told that they have room.

use std::sync::Arc;

use super::{Hosted, track};
use crate::core::jobs::manager::{self as job, Reply};
use crate::core::jobs::protocol::message::{Body, WorkflowOutcome};
use crate::core::jobs::worker::{self, WorkerMachine};
use crate::core::kernel::ids::{EntityId, StreamId, StreamKind};
use crate::shell::bus::{Notice, What};
use crate::shell::counters::Counters;
use crate::shell::host::Host;
use crate::shell::jobs::{command, send};
use crate::shell::lanes::Lane;
use crate::shell::stops::Bearing;

impl Hosted for WorkerMachine {
    fn bearing(id: &EntityId, _: &Self::State, command: &Self::Command) -> Bearing {
        match command {
            // The class of the job comes with it from whoever knows the job.
            worker::Command::Receive(message) if matches!(message.body, Body::WorkflowDispatch(_)) => {
                Bearing::of([id.as_str()])
            }
            worker::Command::Take { .. } => Bearing::of([id.as_str()]),
            worker::Command::Register { .. }
            | worker::Command::Enroll { .. }
            | worker::Command::Beat { .. }
            | worker::Command::Receive(_)
            | worker::Command::Report(_)
            | worker::Command::NoteDropped { .. }
            | worker::Command::RequestExtension { .. }
            | worker::Command::LeaderLost { .. }
            | worker::Command::Leave
            | worker::Command::RunErrands { .. }
            | worker::Command::Tick => Bearing::Passes,
        }
    }

    fn lane(command: &worker::Command) -> Lane {
        let runs = |report: &worker::Report| report.outcome == WorkflowOutcome::Running;
        if matches!(command, worker::Command::Report(report) if runs(report)) {
            Lane::Then
        } else {
            Lane::First
        }
    }

    fn expects_answer(effect: &worker::Effect) -> bool {
        match effect {
            worker::Effect::Send(message) => message.number > 0,
            worker::Effect::Start(_) | worker::Effect::Stop(_) | worker::Effect::Abort(_) => false,
        }
    }

    fn observe(counters: &Counters, id: &EntityId, events: &[worker::Event]) {
        for event in events {
            counters.count_worker(id, event);
            tracing::debug!(kind = "worker", entity_id = %id, event = event.name());
        }
    }

    fn follow(host: &Arc<Host>, id: &EntityId, events: &[worker::Event]) {
        let places = events.iter().map(worker::Event::places).fold(0, u32::saturating_add);
        let jobs = if places == 0 { Vec::new() } else { host.waiting.take(id, places) };
        if jobs.is_empty() {
            return;
        }
        let (surroundings, worker_id) = (host.clone(), id.clone());
        track(host, async move {
            for stream in jobs {
                let ready = job::Command::WorkerReady { worker_id: worker_id.clone(), places };
                let more = command(&surroundings, &stream, ready, |view| {
                    matches!(view.reply, Some(Ok(Reply::Changed(true))))
                });
                // One that is not told asks again by itself.
                if more.await.unwrap_or(false) {
                    surroundings.waiting.wait(&worker_id, stream);
                }
            }
        });
    }

    fn at_once(host: &Arc<Host>, effect: &worker::Effect) -> bool {
        let (attempt, what) = match effect {
            worker::Effect::Send(message) => {
                send(host, message);
                return true;
            }
            worker::Effect::Start(attempt) => (attempt, What::WorkflowStart as fn(_) -> _),
            worker::Effect::Stop(attempt) => (attempt, What::WorkflowStop as fn(_) -> _),
            worker::Effect::Abort(attempt) => (attempt, What::WorkflowAbort as fn(_) -> _),
        };
        host.bus.publish(Notice {
            topic: format!("job/{}", attempt.job_id),
            entity: StreamId::new(StreamKind::Job, attempt.job_id.clone()),
            at: host.clock.now(),
            what: what(attempt.clone()),
        });
        true
    }
}
