//! What is known of an agent: the fold of its events.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::grade::{Grade, Settings};
use crate::kernel::ids::VoterId;
use crate::kernel::time::{Timestamp, micros};

/// One kept beat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptBeat {
    /// When.
    pub at: Timestamp,
    /// What the agent said about itself, as the text of a JSON object.
    pub metadata: Option<String>,
}

/// How an agent is being watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// Since when.
    pub since: Timestamp,
    /// The instant silence counts from.
    pub reference: Timestamp,
    /// The grade on record; that of an instant is [`Agent::grade`].
    pub recorded: Grade,
    /// Its silence is judged: somebody asked for that, or it has beaten. Until then it is healthy however long it is
    /// silent, for nobody said that it would beat.
    pub judged: bool,
}

impl Watch {
    /// The watch of an agent from this instant on.
    pub fn from(at: Timestamp, judged: bool) -> Self {
        Watch { since: at, reference: at, recorded: Grade::Healthy, judged }
    }

    /// The grade after so many microseconds of silence.
    pub fn grade(&self, settings: &Settings, silence_us: u64) -> Grade {
        if self.judged { settings.grade(silence_us) } else { Grade::Healthy }
    }
}

/// State of one agent. Empty before it is first registered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Who it is; none before it is first registered.
    pub agent_id: Option<VoterId>,
    /// Is it registered now?
    pub registered: bool,
    /// When it was last registered.
    pub registered_at: Option<Timestamp>,
    /// How it is watched, or was when it last was.
    pub settings: Settings,
    /// The watch, while it is monitored.
    pub watch: Option<Watch>,
    /// The newest beats, oldest first.
    pub history: VecDeque<KeptBeat>,
    /// Beats recorded, for ever.
    pub total_beats: u64,
    /// The last beat, or a later vote that a check took notice of.
    pub last_heard: Option<Timestamp>,
}

impl Agent {
    /// How long the agent has been silent at `now`, given a vote that may not be on its record; `None` when it is not
    /// monitored.
    pub fn silence(&self, now: Timestamp, voted: Option<Timestamp>) -> Option<Duration> {
        let reference = self.watch.as_ref()?.reference;
        Some(now.since(voted.map_or(reference, |at| at.max(reference))))
    }

    /// The grade at `now`, given a vote that may not be on its record; `None` when it is not monitored.
    pub fn grade(&self, now: Timestamp, voted: Option<Timestamp>) -> Option<Grade> {
        let watch = self.watch.as_ref()?;
        self.silence(now, voted).map(|silence| watch.grade(&self.settings, micros(silence)))
    }

    /// The first check at or after the instant from which the agent is worse than recorded.
    pub(super) fn due(&self) -> Option<Timestamp> {
        let watch = self.watch.as_ref().filter(|watch| watch.judged)?;
        let worse = self.settings.worse_after_us(watch.recorded)?;
        let silent = micros(watch.reference.since(watch.since)).saturating_add(worse);
        let period = self.settings.check_period_us();
        let check = watch.since.plus(Duration::from_micros(silent.div_ceil(period).saturating_mul(period)));
        // Time ends there; a check that falls on its end might be before the boundary.
        (check < Timestamp::MAX).then_some(check)
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Registered { agent_id, at } => {
                self.agent_id = Some(agent_id.clone());
                self.registered = true;
                self.registered_at = Some(*at);
            }
            Event::Left { .. } => {
                self.registered = false;
                self.watch = None;
            }
            Event::MonitoringStarted { settings, explicit, at } => {
                self.settings = *settings;
                self.watch = Some(Watch::from(*at, *explicit));
                self.keep_newest();
            }
            Event::MonitoringStopped { .. } => self.watch = None,
            Event::Beat { at, metadata } => {
                self.total_beats += 1;
                self.history.push_back(KeptBeat { at: *at, metadata: metadata.clone() });
                self.keep_newest();
                self.heard(*at);
                if let Some(watch) = &mut self.watch {
                    watch.judged = true;
                }
            }
            Event::Heard { at } => self.heard(*at),
            Event::GradeChanged(change) => self.record(change.to),
            Event::Resumed { at } => {
                self.move_reference(*at);
                self.record(Grade::Healthy);
            }
        }
    }

    fn keep_newest(&mut self) {
        let surplus = self.history.len().saturating_sub(self.settings.history_size as usize);
        self.history.drain(..surplus);
    }

    fn heard(&mut self, at: Timestamp) {
        self.last_heard = self.last_heard.max(Some(at));
        self.move_reference(at);
    }

    fn move_reference(&mut self, at: Timestamp) {
        if let Some(watch) = &mut self.watch {
            watch.reference = watch.reference.max(at);
        }
    }

    fn record(&mut self, grade: Grade) {
        if let Some(watch) = &mut self.watch {
            watch.recorded = grade;
        }
    }
}
