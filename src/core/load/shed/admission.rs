//! The one door a message passes: deadline, state, adaptive limit, in-flight caps, in this order.
//!
//! ```text
//!  label ──► still in time? ──► refused at this load? ──► within the limit? ──► permit ──► work
//!               Expired              Shed                    Busy, Full             └── dropped
//! ```
//!
//! Every refusal is an answer, with the reason and when to try again; nothing is dropped without one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::class::{Class, Priority};
use super::deadline::{Expired, Label};
use super::detector::{AdaptiveLimit, LimitConfig};
use super::in_flight::{Caps, Full, InFlight, Permit};
use super::number::{Invalid, Ratio};
use super::shedder::{Load, ShedTable, Shedder, Verdict};
use crate::kernel::time::Timestamp;

/// Why a message is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Its deadline has passed, or would before it is done.
    Expired(Expired),
    /// The state refuses its priority.
    Shed,
    /// As much is running as the adaptive limit says.
    Limited {
        /// The limit.
        limit: u32,
    },
    /// A cap was met.
    Full(Full),
}

/// The answer to a message that is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Its class.
    pub class: Class,
    /// Why.
    pub reason: Reason,
    /// The state of the one who refuses.
    pub state: Load,
    /// When to try again; `None` where it is of no use.
    pub retry_after: Option<Duration>,
    /// The sender has to keep it and try again: it is critical.
    pub keep: bool,
}

/// The knobs of the door.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdmissionConfig {
    /// In-flight caps.
    pub caps: Caps,
    /// What is refused at which state.
    pub table: ShedTable,
    /// The adaptive limit of what is not control; `None` leaves only the caps.
    pub limit: Option<LimitConfig>,
    /// The part of the adaptive limit that high, normal and low may fill: what is left above is for what matters more.
    pub shares: [Ratio; 3],
    /// When to try again, by state.
    pub retry_after: [Duration; 4],
}

impl Default for AdmissionConfig {
    fn default() -> Self {
        AdmissionConfig {
            caps: Caps::default(),
            table: ShedTable::default(),
            limit: None,
            shares: [100, 80, 50].map(Ratio::percent),
            retry_after: [50, 100, 500, 1_000].map(Duration::from_millis),
        }
    }
}

/// The door. Kept in memory only.
#[derive(Debug)]
pub struct Admission {
    in_flight: InFlight,
    shedder: Shedder,
    limit: Option<AdaptiveLimit>,
    shares: [Ratio; 3],
    retry_after: [Duration; 4],
    expired: [u64; 4],
}

impl Admission {
    /// Nothing in flight, healthy.
    ///
    /// # Errors
    /// [`Invalid`] for the first number that does not fit.
    pub fn new(config: AdmissionConfig, now: Timestamp) -> Result<Self, Invalid> {
        if !config.shares.iter().rev().is_sorted() {
            let given = format!("{:?}", config.shares);
            return Err(Invalid::new("shares", given, "not rising from high to low"));
        }
        Ok(Admission {
            in_flight: InFlight::new(config.caps)?,
            shedder: Shedder::new(config.table, now)?,
            limit: config.limit.map(|limit| AdaptiveLimit::new(limit, now)).transpose()?,
            shares: config.shares,
            retry_after: config.retry_after,
            expired: [0; 4],
        })
    }

    /// Lets a message in, or answers why not.
    ///
    /// # Errors
    /// [`Refused`]; never for control.
    pub fn admit(&mut self, label: Label, now: Timestamp) -> Result<Permit, Refused> {
        self.check_deadline(label, Duration::ZERO, now)?;
        if self.shedder.sheds(label) {
            return Err(self.refused(label, Reason::Shed));
        }
        let priority = label.class.priority();
        if priority != Priority::Critical
            && let Some(limit) = &mut self.limit
        {
            let control = self.in_flight.counts(Priority::Critical).in_flight;
            let running = u32::try_from(self.in_flight.total() - control).unwrap_or(u32::MAX);
            let share = self.shares[priority.index() - 1].first(limit.limit().into()).max(1);
            if !limit.admits(running) || u64::from(running) >= share {
                let limit = u32::try_from(share).unwrap_or(u32::MAX);
                return Err(self.refused(label, Reason::Limited { limit }));
            }
        }
        self.in_flight.try_acquire(priority).map_err(|full| self.refused(label, Reason::Full(full)))
    }

    /// Is there still time? Asked again when work that waited is about to begin and takes `needed`.
    ///
    /// # Errors
    /// [`Refused`] with [`Reason::Expired`], counted.
    pub fn check_deadline(
        &mut self,
        label: Label,
        needed: Duration,
        now: Timestamp,
    ) -> Result<Option<Duration>, Refused> {
        label.check(needed, now).map_err(|expired| {
            self.expired[label.class.priority().index()] += 1;
            Refused { retry_after: None, ..self.refused(label, Reason::Expired(expired)) }
        })
    }

    /// Gives a permit back, as dropping it does.
    pub fn release(&mut self, permit: Permit) {
        drop(permit);
    }

    /// Work that was served began at `began` and took `latency`: moves the adaptive limit.
    pub fn served(&mut self, latency: Duration, began: Timestamp, now: Timestamp) {
        if let Some(limit) = &mut self.limit {
            limit.record(latency, began, now);
        }
    }

    /// Takes what the detector says. Gives the change of state, if it is one.
    pub fn observe(&mut self, verdict: Verdict, now: Timestamp) -> Option<(Load, Load)> {
        self.shedder.observe(verdict, now)
    }

    fn refused(&self, label: Label, reason: Reason) -> Refused {
        let state = self.shedder.state();
        let retry_after = Some(self.retry_after[state as usize]);
        Refused { class: label.class, reason, state, retry_after, keep: label.critical }
    }

    /// What is in flight.
    pub fn in_flight(&self) -> &InFlight {
        &self.in_flight
    }

    /// What is in flight, to take its warnings or change its caps.
    pub fn in_flight_mut(&mut self) -> &mut InFlight {
        &mut self.in_flight
    }

    /// What is refused and why.
    pub fn shedder(&self) -> &Shedder {
        &self.shedder
    }

    /// The adaptive limit, where there is one.
    pub fn limit(&self) -> Option<&AdaptiveLimit> {
        self.limit.as_ref()
    }

    /// Messages that came or waited too long, by priority.
    pub fn expired(&self) -> [u64; 4] {
        self.expired
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::shed::class::MessageKind;

    const AT: Timestamp = Timestamp::EPOCH;

    fn door(limit: Option<LimitConfig>) -> Admission {
        let config = AdmissionConfig { caps: Caps::of(4, 3, 2, 1), limit, ..AdmissionConfig::default() };
        Admission::new(config, AT).unwrap()
    }

    #[test]
    fn every_refusal_names_class_reason_state_and_when_to_come_again() {
        let mut door = door(None);
        let label = Label::of(MessageKind::FinalResult);
        let permits: Vec<_> = (0..3).map(|_| door.admit(label, AT).unwrap()).collect();
        let refused = door.admit(label, AT).unwrap_err();
        assert!(matches!(refused.reason, Reason::Full(Full { cap: 3, .. })));
        assert!(refused.keep, "a result that finds no place is kept by its sender");
        door.observe(Verdict { state: Load::Stressed, ..Verdict::default() }, AT);
        let expected = Refused {
            class: Class::Data,
            reason: Reason::Shed,
            state: Load::Stressed,
            retry_after: Some(Duration::from_millis(500)),
            keep: false,
        };
        assert_eq!(door.admit(Label::of(MessageKind::Progress), AT).unwrap_err(), expected);
        drop(permits);
        assert_eq!(door.in_flight().total(), 0);
    }

    #[test]
    fn expired_work_takes_no_slot_and_is_counted_before_and_after_waiting() {
        let mut door = door(None);
        let label = Label::of(MessageKind::Progress).until(AT);
        let permit = door.admit(label, AT).unwrap();
        let refused = door.admit(label, AT.next()).unwrap_err();
        assert!(matches!(refused.reason, Reason::Expired(_)) && refused.retry_after.is_none());
        assert!(door.check_deadline(label, Duration::from_micros(1), AT).is_err());
        assert_eq!((door.expired(), door.in_flight().total()), ([0, 0, 2, 0], 1));
        drop(permit);
    }

    #[test]
    fn each_priority_fills_its_part_of_the_limit_and_no_more() {
        let mut door = door(None);
        let limit = LimitConfig { probe: 10, ..LimitConfig::default() };
        door.limit = Some(AdaptiveLimit::new(limit, AT).unwrap());
        door.in_flight_mut().set_caps(Caps::default()).unwrap();
        let mut held = Vec::new();
        let mut fill = |kind| {
            let mut permits = Vec::new();
            let refused = loop {
                match door.admit(Label::of(kind), AT) {
                    Ok(permit) => permits.push(permit),
                    Err(refused) => break refused,
                }
            };
            let filled = (permits.len(), refused.reason);
            held.push(permits);
            filled
        };
        assert_eq!(fill(MessageKind::TraceEvent), (5, Reason::Limited { limit: 5 }));
        assert_eq!(fill(MessageKind::Progress), (3, Reason::Limited { limit: 8 }));
        assert_eq!(fill(MessageKind::JobSubmission), (2, Reason::Limited { limit: 10 }));
        let shares = [50, 80, 100].map(Ratio::percent);
        assert!(Admission::new(AdmissionConfig { shares, ..AdmissionConfig::default() }, AT).is_err());
    }

    #[test]
    fn the_adaptive_limit_holds_all_but_control() {
        let mut door = door(Some(LimitConfig { probe: 1, ..LimitConfig::default() }));
        let _vote = door.admit(Label::of(MessageKind::Vote), AT).unwrap();
        let _work = door.admit(Label::of(MessageKind::JobSubmission), AT).unwrap();
        let refused = door.admit(Label::of(MessageKind::JobSubmission), AT).unwrap_err();
        assert_eq!(refused.reason, Reason::Limited { limit: 1 });
        let _votes: Vec<_> = (0..99).map(|_| door.admit(Label::of(MessageKind::Vote), AT).unwrap()).collect();
    }
}
