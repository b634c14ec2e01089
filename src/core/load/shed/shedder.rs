//! What is refused at which load: a table of states and priorities, and why.
//!
//! | state | refuses |
//! |---|---|
//! | healthy | nothing |
//! | busy | low |
//! | stressed | normal, low |
//! | overloaded | high, normal, low; control alone passes |
//!
//! A message marked critical is not refused by the table, whatever its class: it waits for a slot like the others of
//! its class, and is handed back when there is none.

use serde::{Deserialize, Serialize};

use super::class::Priority;
use super::deadline::Label;
use super::number::Invalid;
use crate::kernel::time::Timestamp;

/// How loaded an actor is; later ones are worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// As usual.
    #[default]
    Healthy,
    /// More than usual.
    Busy,
    /// Too much for long.
    Stressed,
    /// Too much.
    Overloaded,
}

impl Load {
    /// Every state, the best first.
    pub const ALL: [Load; 4] = [Load::Healthy, Load::Busy, Load::Stressed, Load::Overloaded];

    /// The next worse one; the worst stays.
    #[must_use]
    pub fn worse(self) -> Load {
        Load::ALL[(self as usize + 1).min(3)]
    }

    /// The name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Load::Healthy => "healthy",
            Load::Busy => "busy",
            Load::Stressed => "stressed",
            Load::Overloaded => "overloaded",
        }
    }

    /// Worst state whose threshold the value exceeds; each is strict.
    pub(crate) fn above<T: PartialOrd>(value: &T, thresholds: &[T; 3]) -> Load {
        Load::ALL[thresholds.iter().filter(|threshold| value > threshold).count()]
    }
}

/// What led to a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Nothing did.
    #[default]
    None,
    /// Requests taken and not finished, as part of the most that may be.
    Pending,
    /// Latency against its own past.
    Delta,
    /// Latency creeps up slowly.
    Drift,
    /// Latency in milliseconds.
    Absolute,
    /// Processor, in percent.
    Cpu,
    /// Memory, in percent.
    Memory,
    /// Milliseconds that messages wait before work on them begins.
    QueueDelay,
}

/// A state and what led to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The state.
    pub state: Load,
    /// What led to it.
    pub cause: Cause,
    /// What was measured, in the unit of the cause.
    pub measured: f64,
    /// What it was compared with: the threshold of this state, or of the next worse one when healthy.
    pub threshold: f64,
}

impl Verdict {
    /// The worse of two; the first of equals.
    #[must_use]
    pub fn max(self, other: Verdict) -> Verdict {
        if other.state > self.state { other } else { self }
    }
}

/// From which priority on a state refuses; `None` refuses nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShedTable {
    /// When healthy.
    pub healthy: Option<Priority>,
    /// When busy.
    pub busy: Option<Priority>,
    /// When stressed.
    pub stressed: Option<Priority>,
    /// When overloaded.
    pub overloaded: Option<Priority>,
}

impl Default for ShedTable {
    fn default() -> Self {
        ShedTable {
            healthy: None,
            busy: Some(Priority::Low),
            stressed: Some(Priority::Normal),
            overloaded: Some(Priority::High),
        }
    }
}

impl ShedTable {
    /// Checks the table.
    ///
    /// # Errors
    /// [`Invalid`] when a state would refuse critical work, or a worse state less than a better one.
    pub fn check(&self) -> Result<(), Invalid> {
        let mut before = None;
        for state in Load::ALL {
            let from = self.from(state);
            if from == Some(Priority::Critical) {
                return Err(Invalid::new(state.name(), "critical", "high, normal, low or nothing"));
            }
            if rank(from) > rank(before) {
                return Err(Invalid::new(
                    state.name(),
                    format!("{from:?}"),
                    "at least what a better state refuses",
                ));
            }
            before = from;
        }
        Ok(())
    }

    /// From which priority on a state refuses.
    pub fn from(&self, state: Load) -> Option<Priority> {
        match state {
            Load::Healthy => self.healthy,
            Load::Busy => self.busy,
            Load::Stressed => self.stressed,
            Load::Overloaded => self.overloaded,
        }
    }

    /// Does the state refuse the priority?
    pub fn sheds(&self, state: Load, priority: Priority) -> bool {
        priority != Priority::Critical && self.from(state).is_some_and(|from| priority >= from)
    }
}

/// How little a row refuses; nothing is the least.
fn rank(from: Option<Priority>) -> usize {
    from.map_or(Priority::ALL.len(), Priority::index)
}

/// What was asked and refused so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShedMetrics {
    /// Requests judged, each once.
    pub total_requests: u64,
    /// Of them refused.
    pub shed_requests: u64,
    /// Refused, by priority.
    pub shed_by_priority: [u64; 4],
}

impl ShedMetrics {
    /// Refused of all, 0 to 1; 0 before the first.
    pub fn shed_rate(&self) -> f64 {
        if self.total_requests == 0 { 0.0 } else { self.shed_requests as f64 / self.total_requests as f64 }
    }
}

/// Why something is refused, or is not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// State, cause, measured and threshold.
    pub verdict: Verdict,
    /// Since when the state is what it is.
    pub since: Timestamp,
    /// What the state before was.
    pub before: Load,
    /// Priorities that are refused now.
    pub refuses: Vec<Priority>,
}

impl std::fmt::Display for Explanation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Verdict { state, cause, measured, threshold } = self.verdict;
        let (state, before, since) = (state.name(), self.before.name(), self.since);
        write!(f, "{state} since {since}, {before} before. cause={cause:?}, measured={measured}, ")?;
        write!(f, "threshold={threshold}, refuses={:?}", self.refuses)
    }
}

/// Refuses by the table.
#[derive(Clone, Debug)]
pub struct Shedder {
    table: ShedTable,
    verdict: Verdict,
    before: Load,
    since: Timestamp,
    transitions: u64,
    metrics: ShedMetrics,
}

impl Shedder {
    /// Healthy since `now`.
    ///
    /// # Errors
    /// As [`ShedTable::check`].
    pub fn new(table: ShedTable, now: Timestamp) -> Result<Self, Invalid> {
        table.check()?;
        let (verdict, metrics) = (Verdict::default(), ShedMetrics::default());
        Ok(Shedder { table, verdict, before: Load::Healthy, since: now, transitions: 0, metrics })
    }

    /// Takes what the detectors say. Gives the change of state, if it is one: worth a line in the log.
    pub fn observe(&mut self, verdict: Verdict, now: Timestamp) -> Option<(Load, Load)> {
        let old = self.verdict.state;
        self.verdict = verdict;
        (old != verdict.state).then(|| {
            (self.before, self.since) = (old, now);
            self.transitions += 1;
            (old, verdict.state)
        })
    }

    /// Judges one message and counts it.
    pub fn sheds(&mut self, label: Label) -> bool {
        let sheds = self.would_shed(label);
        self.count(label, sheds);
        sheds
    }

    /// What [`Shedder::sheds`] would say. Changes nothing.
    pub fn would_shed(&self, label: Label) -> bool {
        !label.critical && self.table.sheds(self.verdict.state, label.class.priority())
    }

    fn count(&mut self, label: Label, shed: bool) {
        let metrics = &mut self.metrics;
        metrics.total_requests = metrics.total_requests.saturating_add(1);
        if shed {
            metrics.shed_requests = metrics.shed_requests.saturating_add(1);
            metrics.shed_by_priority[label.class.priority().index()] += 1;
        }
    }

    /// The state now.
    pub fn state(&self) -> Load {
        self.verdict.state
    }

    /// Changes of state so far.
    pub fn transitions(&self) -> u64 {
        self.transitions
    }

    /// The counters.
    pub fn metrics(&self) -> ShedMetrics {
        self.metrics
    }

    /// Why what is refused is refused.
    pub fn explain(&self) -> Explanation {
        let refuses = |priority: &Priority| self.table.sheds(self.verdict.state, *priority);
        let refuses = Priority::ALL.into_iter().filter(refuses).collect();
        Explanation { verdict: self.verdict, since: self.since, before: self.before, refuses }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::shed::class::MessageKind;

    fn shedder(state: Load) -> Shedder {
        let mut shedder = Shedder::new(ShedTable::default(), Timestamp::EPOCH).unwrap();
        shedder.observe(Verdict { state, ..Verdict::default() }, Timestamp::EPOCH);
        shedder
    }

    #[test]
    fn the_table_is_the_documented_one() {
        let refused = |state| shedder(state).explain().refuses;
        assert_eq!(refused(Load::Healthy), []);
        assert_eq!(refused(Load::Busy), [Priority::Low]);
        assert_eq!(refused(Load::Stressed), [Priority::Normal, Priority::Low]);
        assert_eq!(refused(Load::Overloaded), [Priority::High, Priority::Normal, Priority::Low]);
    }

    #[test]
    fn a_table_that_would_shed_control_is_refused() {
        let good = ShedTable::default();
        for table in [
            ShedTable { healthy: Some(Priority::Critical), ..good },
            ShedTable { busy: Some(Priority::Critical), ..good },
            ShedTable { stressed: Some(Priority::Critical), ..good },
            ShedTable { overloaded: Some(Priority::Critical), ..good },
        ] {
            assert_eq!(table.check().unwrap_err().given, "critical");
        }
        let milder = ShedTable { overloaded: Some(Priority::Low), ..good };
        assert_eq!(milder.check().unwrap_err().field, "overloaded");
        assert_eq!(ShedTable { overloaded: None, ..good }.check().unwrap_err().field, "overloaded");
    }

    #[test]
    fn control_and_critical_messages_pass_every_state() {
        for state in Load::ALL {
            let mut shedder = shedder(state);
            assert!(!shedder.sheds(Label::of(MessageKind::Vote)));
            assert!(!shedder.sheds(Label::of(MessageKind::Probe)));
            assert!(!shedder.sheds(Label::of(MessageKind::FinalResult)));
            assert!(!shedder.sheds(Label::of(MessageKind::Progress).critical()));
            assert_eq!(shedder.metrics().shed_requests, 0);
        }
    }

    #[test]
    fn each_request_is_counted_once_and_the_rate_of_none_is_zero() {
        let mut shedder = shedder(Load::Stressed);
        assert_eq!(shedder.metrics().shed_rate(), 0.0);
        for kind in
            [MessageKind::Vote, MessageKind::JobSubmission, MessageKind::Progress, MessageKind::DebugStats]
        {
            shedder.sheds(Label::of(kind));
            shedder.would_shed(Label::of(kind));
        }
        let expected = ShedMetrics { total_requests: 4, shed_requests: 2, shed_by_priority: [0, 0, 1, 1] };
        assert_eq!((shedder.metrics(), shedder.metrics().shed_rate()), (expected, 0.5));
    }

    #[test]
    fn it_explains_state_cause_threshold_and_since_when() {
        let mut shedder = shedder(Load::Healthy);
        let stressed = Verdict { state: Load::Stressed, cause: Cause::Cpu, measured: 91.0, threshold: 85.0 };
        let at = Timestamp::from_millis(1_500);
        assert_eq!(shedder.observe(stressed, at), Some((Load::Healthy, Load::Stressed)));
        assert_eq!(shedder.observe(Verdict { measured: 92.0, ..stressed }, at.next()), None);
        assert_eq!(
            shedder.explain().to_string(),
            "stressed since 1970-01-01T00:00:01.500Z, healthy before. cause=Cpu, measured=92, threshold=85, \
             refuses=[Normal, Low]"
        );
        assert_eq!(shedder.transitions(), 1);
    }
}
