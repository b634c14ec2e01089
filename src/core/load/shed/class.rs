//! What a message is worth: one list of kinds, each with its class; classes are ranked by priority.
//!
//! The class follows from the kind of message and from nothing else (not from the connection it came by), and it is
//! known before the message is admitted. Criticality is a mark of the single message, beside its class.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// How a message is treated under load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Liveness, votes, cancellation, leadership: never shed, never held back.
    Control,
    /// Work that is handed out, and its result: bounded, shed only when overloaded.
    Dispatch,
    /// Progress and reports: slowed, batched, shed when stressed.
    Data,
    /// What nobody misses for a while: shed first.
    Telemetry,
}

impl Class {
    /// Every class, the most important first.
    pub const ALL: [Class; 4] = [Class::Control, Class::Dispatch, Class::Data, Class::Telemetry];

    /// How important the class is.
    pub fn priority(self) -> Priority {
        match self {
            Class::Control => Priority::Critical,
            Class::Dispatch => Priority::High,
            Class::Data => Priority::Normal,
            Class::Telemetry => Priority::Low,
        }
    }

    /// The name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Class::Control => "control",
            Class::Dispatch => "dispatch",
            Class::Data => "data",
            Class::Telemetry => "telemetry",
        }
    }
}

/// How important a message is; later ones matter less and are shed earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Never shed.
    Critical = 0,
    /// Shed when overloaded.
    High = 1,
    /// Shed when stressed.
    Normal = 2,
    /// Shed when busy.
    Low = 3,
}

impl Priority {
    /// Every priority, the most important first.
    pub const ALL: [Priority; 4] = [Priority::Critical, Priority::High, Priority::Normal, Priority::Low];

    /// Its place in [`Priority::ALL`], from 0.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The class of this priority.
    pub fn class(self) -> Class {
        match self {
            Priority::Critical => Class::Control,
            Priority::High => Class::Dispatch,
            Priority::Normal => Class::Data,
            Priority::Low => Class::Telemetry,
        }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident, $name:literal, $class:ident, $critical:literal;)*) => {
        /// Every kind of message there is. A new one is a line here and has a class at once.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum MessageKind {
            $($(#[$doc])* $variant,)*
        }

        impl MessageKind {
            /// Every kind.
            pub const ALL: &[MessageKind] = &[$(MessageKind::$variant,)*];

            /// The class.
            pub fn class(self) -> Class {
                match self { $(MessageKind::$variant => Class::$class,)* }
            }

            /// The name, as in JSON and on the wire.
            pub fn name(self) -> &'static str {
                match self { $(MessageKind::$variant => $name,)* }
            }

            /// Is every message of this kind critical, whatever it holds?
            pub fn always_critical(self) -> bool {
                match self { $(MessageKind::$variant => $critical,)* }
            }

            /// The kind of a name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(MessageKind::$variant),)* _ => None }
            }
        }
    };
}

kinds! {
    /// Are you alive?
    Probe, "probe", Control, false;
    /// I am.
    ProbeAck, "probe_ack", Control, false;
    /// I could not reach it either.
    ProbeNack, "probe_nack", Control, false;
    /// Ask it for me.
    IndirectProbe, "indirect_probe", Control, false;
    /// It may be down.
    Suspect, "suspect", Control, false;
    /// It is not.
    Alive, "alive", Control, false;
    /// It is down.
    Dead, "dead", Control, false;
    /// I go.
    Leave, "leave", Control, false;
    /// Stop this.
    CancelRequest, "cancel_request", Control, false;
    /// It has stopped.
    CancelDone, "cancel_done", Control, false;
    /// Leadership of a job or a quorum moves.
    LeadershipTransfer, "leadership_transfer", Control, false;
    /// A fencing token is granted.
    FencingGrant, "fencing_grant", Control, false;
    /// A vote.
    Vote, "vote", Control, false;
    /// A job is handed in.
    JobSubmission, "job_submission", Dispatch, false;
    /// A workflow is handed out.
    WorkflowDispatch, "workflow_dispatch", Dispatch, false;
    /// It was taken.
    DispatchAck, "dispatch_ack", Dispatch, false;
    /// Send me your state.
    StateSyncRequest, "state_sync_request", Dispatch, false;
    /// Here it is.
    StateSyncResponse, "state_sync_response", Dispatch, false;
    /// I join.
    Registration, "registration", Dispatch, true;
    /// What a workflow came to.
    FinalResult, "final_result", Dispatch, true;
    /// How far a workflow is.
    Progress, "progress", Data, false;
    /// It was heard; carries the pressure.
    ProgressAck, "progress_ack", Data, false;
    /// Numbers of a running workflow.
    StatsUpdate, "stats_update", Data, false;
    /// What timed out where.
    TimeoutReport, "timeout_report", Data, false;
    /// A heartbeat that carries load, not one that proves life.
    LoadHeartbeat, "load_heartbeat", Data, false;
    /// How far a job is, seen from its gate.
    JobProgress, "job_progress", Data, false;
    /// What a job came to.
    JobEnd, "job_end", Data, true;
    /// Metrics.
    MetricsReport, "metrics_report", Telemetry, false;
    /// Numbers for a developer.
    DebugStats, "debug_stats", Telemetry, false;
    /// One event of a trace.
    TraceEvent, "trace_event", Telemetry, false;
    /// Would you take work?
    ReadinessCheck, "readiness_check", Telemetry, false;
    /// How far is the other datacenter? As well as it goes.
    RemoteProbe, "remote_probe", Telemetry, false;
}

impl MessageKind {
    /// The kind of a name from outside, however it is spelt: `JobSubmission`, `job-submission` and `job_submission` are
    /// one. A submission that is not recognised would be treated as data and refused too early.
    pub fn from_any_name(name: &str) -> Option<Self> {
        if name.len() > LONGEST_NAME {
            return None;
        }
        let mut snake = String::with_capacity(name.len() + 4);
        let mut after_small = false;
        for c in name.chars() {
            match c {
                '-' | ' ' => snake.push('_'),
                c if c.is_ascii_uppercase() => {
                    if after_small {
                        snake.push('_');
                    }
                    snake.push(c.to_ascii_lowercase());
                }
                c => snake.push(c),
            }
            after_small = c.is_ascii_lowercase() || c.is_ascii_digit();
        }
        match snake.as_str() {
            "submit_job" => Some(MessageKind::JobSubmission),
            name => Self::from_name(name),
        }
    }
}

/// What was made of a name from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// The class to treat it by.
    pub class: Class,
    /// Nobody knows the name and this is the first time it is seen: worth a line in the log.
    pub report: bool,
}

/// Most unknown names remembered. Names come from outside, so their number is not ours to choose.
pub const MOST_UNKNOWN_NAMES: usize = 1_000;
/// Longest name remembered, in bytes; a longer one counts by its beginning.
const LONGEST_NAME: usize = 128;

/// Classifies messages by names from outside: an unknown one is [`Class::Data`], and is reported once.
///
/// ```
/// use quorate_core::load::shed::{Class, Names};
///
/// let mut names = Names::default();
/// assert_eq!(names.classify("vote").class, Class::Control);
/// let unknown = names.classify("frobnicate");
/// assert_eq!((unknown.class, unknown.report), (Class::Data, true));
/// assert!(!names.classify("frobnicate").report);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Names {
    unknown: BTreeSet<Box<str>>,
    seen: u64,
}

impl Names {
    /// The class of a name.
    pub fn classify(&mut self, name: &str) -> Named {
        if let Some(kind) = MessageKind::from_any_name(name) {
            return Named { class: kind.class(), report: false };
        }
        self.seen = self.seen.saturating_add(1);
        let mut end = name.len().min(LONGEST_NAME);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        let name = &name[..end];
        let report = self.unknown.len() < MOST_UNKNOWN_NAMES && !self.unknown.contains(name);
        if report {
            self.unknown.insert(name.into());
        }
        Named { class: Class::Data, report }
    }

    /// Messages of unknown names so far.
    pub fn unknown_seen(&self) -> u64 {
        self.seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_kinds_are_one_to_one_and_as_in_json() {
        let names: BTreeSet<_> = MessageKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), MessageKind::ALL.len());
        for kind in MessageKind::ALL {
            assert_eq!(MessageKind::from_name(kind.name()), Some(*kind));
        }
    }

    #[test]
    fn liveness_and_votes_are_control_and_results_are_critical() {
        use MessageKind::*;
        for kind in
            [Probe, ProbeAck, ProbeNack, IndirectProbe, Suspect, Alive, Dead, Leave, Vote, FencingGrant]
        {
            assert_eq!(kind.class().priority(), Priority::Critical, "{kind:?}");
        }
        assert_eq!(MessageKind::ALL.iter().filter(|kind| kind.class() == Class::Control).count(), 13);
        assert_eq!(ReadinessCheck.class(), Class::Telemetry);
        assert_eq!(JobSubmission.class(), Class::Dispatch);
        assert!(FinalResult.always_critical() && JobEnd.always_critical());
        assert!(!Progress.always_critical());
    }

    #[test]
    fn an_unknown_name_is_data_and_is_reported_once() {
        let mut names = Names::default();
        assert_eq!(names.classify("JobBlessing"), Named { class: Class::Data, report: true });
        assert_eq!(names.classify("JobBlessing"), Named { class: Class::Data, report: false });
        for name in ["JobSubmission", "submit_job", "SubmitJob", "JOB_SUBMISSION", "job-submission"] {
            assert_eq!(names.classify(name), Named { class: Class::Dispatch, report: false }, "{name}");
        }
        assert_eq!(names.classify("job_submission"), Named { class: Class::Dispatch, report: false });
        assert_eq!(names.unknown_seen(), 2);
    }

    #[test]
    fn unknown_names_are_remembered_up_to_a_bound() {
        let mut names = Names::default();
        let reported =
            (0..5_000).filter(|n| names.classify(&format!("é{n}{}", "é".repeat(100))).report).count();
        assert_eq!(reported, MOST_UNKNOWN_NAMES);
        assert!(names.unknown.iter().all(|name| name.len() <= LONGEST_NAME));
    }

    #[test]
    fn classes_and_priorities_are_one_order() {
        for (n, priority) in Priority::ALL.into_iter().enumerate() {
            assert_eq!(priority.index(), n);
            assert_eq!(priority.class(), Class::ALL[n]);
            assert_eq!(Class::ALL[n].priority(), priority);
        }
    }
}
