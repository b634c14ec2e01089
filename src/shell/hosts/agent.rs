//! Agents: their health as it is heard and counted.

use std::sync::Arc;
use std::time::Duration;

use super::Hosted;
use crate::config::Config;
use crate::core::kernel::ids::{EntityId, StreamId, StreamKind, VoterId};
use crate::core::voting::agent::{self, Agent, AgentMachine, Grade, LastVote};
use crate::shell::bus::{Notice, What};
use crate::shell::counters::Counters;
use crate::shell::host::Host;
use crate::shell::lock;
use crate::shell::proposals::tell_absence;
use crate::shell::stops::Bearing;

impl Hosted for AgentMachine {
    fn bearing(_: &EntityId, _: &Self::State, command: &Self::Command) -> Bearing {
        match command {
            // Who is there, and alive: nothing is done by that.
            agent::Command::Register { .. }
            | agent::Command::Leave
            | agent::Command::StartMonitoring(_)
            | agent::Command::StopMonitoring
            | agent::Command::Beat { .. }
            | agent::Command::Tick => Bearing::Passes,
        }
    }

    fn context(host: &Host) -> LastVote {
        // The counters, not the host: the host holds the actors that hold this.
        let counters = host.counters.clone();
        LastVote::of(move |agent| lock(&counters.agents).last_vote(agent))
    }

    fn notices(config: &Config, id: &EntityId, _: &Agent, events: &[agent::Event]) -> Vec<Notice> {
        let heard = |event: &agent::Event| match event {
            agent::Event::GradeChanged(change) if config.heartbeat.alerts.on(change.to) => Some(Notice {
                topic: format!("agent/{id}"),
                entity: StreamId::new(StreamKind::Agent, id.clone()),
                at: change.at,
                what: What::GradeChanged {
                    from: change.from,
                    to: change.to,
                    last_beat: change.last_beat,
                    elapsed: Duration::from_micros(change.elapsed_us),
                },
            }),
            agent::Event::GradeChanged(_)
            | agent::Event::Registered { .. }
            | agent::Event::Left { .. }
            | agent::Event::MonitoringStarted { .. }
            | agent::Event::MonitoringStopped { .. }
            | agent::Event::Beat { .. }
            | agent::Event::Heard { .. }
            | agent::Event::Resumed { .. } => None,
        };
        events.iter().filter_map(heard).collect()
    }

    fn observe(counters: &Counters, id: &EntityId, events: &[agent::Event]) {
        {
            let agent = VoterId::from(id);
            let mut directory = lock(&counters.agents);
            events.iter().for_each(|event| directory.apply(&agent, event));
        }
        for event in events {
            if let agent::Event::GradeChanged(change) = event {
                let (from, to) = (change.from.name(), change.to.name());
                tracing::info!(kind = "agent", entity_id = %id, event = event.name(), from, to);
            } else {
                tracing::debug!(kind = "agent", entity_id = %id, event = event.name());
            }
        }
    }

    fn follow(host: &Arc<Host>, id: &EntityId, events: &[agent::Event]) {
        for event in events {
            if let agent::Event::GradeChanged(change) = event
                && (change.from == Grade::Failed || change.to == Grade::Failed)
            {
                tell_absence(host, id, change.to == Grade::Failed);
            }
        }
    }
}
