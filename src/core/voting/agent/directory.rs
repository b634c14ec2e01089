//! Who is registered and how they are doing: a fold over the events of all agents, and the votes they cast
//! elsewhere. Survives restarts and knows every agent without waking one.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::grade::{Grade, Settings};
use super::state::Watch;
use crate::kernel::ids::VoterId;
use crate::kernel::time::{Timestamp, micros};

/// A registered agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// When it was registered.
    pub registered_at: Timestamp,
    /// How it is watched, or was when it last was.
    pub settings: Settings,
    /// The watch, while it is monitored.
    pub watch: Option<Watch>,
    /// The last beat since it was registered.
    pub last_beat: Option<Timestamp>,
    /// The last vote that counted as a beat since it was registered.
    pub last_vote: Option<Timestamp>,
}

impl Presence {
    /// The grade at `now` in a process that serves since `began`; `None` when it is not monitored.
    pub fn grade(&self, now: Timestamp, began: Timestamp) -> Option<Grade> {
        let watch = self.watch.as_ref()?;
        let reference = Some(watch.reference).max(self.last_vote)?.max(began);
        Some(watch.grade(&self.settings, micros(now.since(reference))))
    }
}

/// How many agents are of which grade.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// Healthy agents.
    pub healthy: u64,
    /// Degraded agents.
    pub degraded: u64,
    /// Critical agents.
    pub critical: u64,
    /// Failed agents.
    pub failed: u64,
}

impl Distribution {
    fn add(&mut self, grade: Grade) {
        let count = match grade {
            Grade::Healthy => &mut self.healthy,
            Grade::Degraded => &mut self.degraded,
            Grade::Critical => &mut self.critical,
            Grade::Failed => &mut self.failed,
        };
        *count += 1;
    }
}

/// Every registered agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    agents: BTreeMap<VoterId, Presence>,
    uses_heartbeats: bool,
    total_heartbeats: u64,
}

impl Directory {
    /// Adds one event of one agent.
    pub fn apply(&mut self, agent: &VoterId, event: &Event) {
        match event {
            Event::Registered { agent_id: _, at } => {
                let presence = Presence {
                    registered_at: *at,
                    settings: Settings::default(),
                    watch: None,
                    last_beat: None,
                    last_vote: None,
                };
                self.agents.insert(agent.clone(), presence);
            }
            Event::Left { .. } => {
                self.agents.remove(agent);
            }
            Event::MonitoringStarted { settings, explicit, at } => {
                self.uses_heartbeats |= explicit;
                if let Some(presence) = self.agents.get_mut(agent) {
                    presence.settings = *settings;
                    presence.watch = Some(Watch::from(*at, *explicit));
                }
            }
            Event::MonitoringStopped { .. } => {
                if let Some(presence) = self.agents.get_mut(agent) {
                    presence.watch = None;
                }
            }
            Event::Beat { at, metadata: _ } => {
                self.uses_heartbeats = true;
                self.total_heartbeats += 1;
                if let Some(presence) = self.agents.get_mut(agent) {
                    presence.last_beat = Some(*at);
                }
                self.watch(agent, |watch| {
                    watch.reference = watch.reference.max(*at);
                    watch.judged = true;
                });
            }
            Event::Heard { at } => self.watch(agent, |watch| watch.reference = watch.reference.max(*at)),
            Event::GradeChanged(change) => self.watch(agent, |watch| watch.recorded = change.to),
            Event::Resumed { at } => self.watch(agent, |watch| {
                watch.reference = watch.reference.max(*at);
                watch.recorded = Grade::Healthy;
            }),
        }
    }

    /// A vote of this agent is durable. It counts as a beat when the agent is monitored.
    pub fn voted(&mut self, agent: &VoterId, at: Timestamp) {
        if let Some(presence) = self.agents.get_mut(agent)
            && presence.watch.is_some()
        {
            self.total_heartbeats += 1;
            presence.last_vote = presence.last_vote.max(Some(at));
        }
    }

    /// Is the recorded grade of this agent other than healthy? A tick of its entity puts a recovery on record.
    pub fn is_given_up(&self, agent: &VoterId) -> bool {
        let watch = self.agents.get(agent).and_then(|presence| presence.watch.as_ref());
        watch.is_some_and(|watch| watch.recorded != Grade::Healthy)
    }

    /// When this agent last cast a vote that counted as a beat.
    pub fn last_vote(&self, agent: &VoterId) -> Option<Timestamp> {
        self.agents.get(agent).and_then(|presence| presence.last_vote)
    }

    /// The registered agents, by id.
    pub fn registered(&self) -> impl ExactSizeIterator<Item = (&VoterId, &Presence)> {
        self.agents.iter()
    }

    /// The registered agents with an id after this one, by id.
    pub fn registered_after<'a>(
        &'a self,
        cursor: Option<&VoterId>,
    ) -> impl Iterator<Item = (&'a VoterId, &'a Presence)> + use<'a> {
        let from = cursor.map_or(Bound::Unbounded, |id| Bound::Excluded(id.clone()));
        self.agents.range((from, Bound::Unbounded))
    }

    /// One registered agent.
    pub fn get(&self, agent: &VoterId) -> Option<&Presence> {
        self.agents.get(agent)
    }

    /// The grade of an agent at `now` in a process that serves since `began`; `None` when it is not registered or not
    /// monitored.
    pub fn grade(&self, agent: &VoterId, now: Timestamp, began: Timestamp) -> Option<Grade> {
        self.agents.get(agent)?.grade(now, began)
    }

    /// How many monitored agents are of which grade.
    pub fn distribution(&self, now: Timestamp, began: Timestamp) -> Distribution {
        let mut distribution = Distribution::default();
        self.agents
            .values()
            .filter_map(|presence| presence.grade(now, began))
            .for_each(|g| distribution.add(g));
        distribution
    }

    /// Somebody means to use heartbeats: an agent ever beat, or monitoring was ever asked for.
    pub fn uses_heartbeats(&self) -> bool {
        self.uses_heartbeats
    }

    /// Beats of all agents and votes that counted as one, for ever.
    pub fn total_heartbeats(&self) -> u64 {
        self.total_heartbeats
    }

    fn watch(&mut self, agent: &VoterId, change: impl FnOnce(&mut Watch)) {
        if let Some(watch) = self.agents.get_mut(agent).and_then(|presence| presence.watch.as_mut()) {
            change(watch);
        }
    }
}
