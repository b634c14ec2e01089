//! The load of this node as the shell keeps it: the detector, the door, and what of them comes on record.
//!
//! ```text
//!  what callers report ──────────► Detector ─┐ worse of both
//!                                     ▲      ├───► Admission ──► `shed.check`: admitted, or refused with the reason
//!              every 250 ms while not calm   │         │ change of state: told at once
//!                                     ▼      │
//!  what this process measures ───► Detector ─┴──► state in an atomic ──► the doors: one comparison a request
//!   (machine, own answers)
//!  what was shed ──► the minute ──► told when the minute is over
//! ```
//!
//! *Nobody closes the doors for the others*: operations are refused by what the runtime measures itself: the machine
//! (where a [`Sampler`](super::sampler::Sampler) is set), the requests under way, and how long commands take from being
//! let in to their answer. Reads and waits are no measure: how long they take is up to those who ask. What callers report may be wrong,
//! or meant for themselves only; it is the answer of `shed.check` to those who ask.
//!
//! Nothing here is stored: after a restart nothing is in flight and nothing has been measured. Permits that callers hold
//! end by themselves, so that one who is gone gives back its place.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::answers::{Answered, Answers};
use super::entity::Action;
use super::host::Host;
use super::lock;
use super::runtime::ask;
use super::tell::tell;
use crate::config::SheddingConfig;
use crate::core::kernel::ids::{EntityId, StreamId, StreamKind};
use crate::core::kernel::time::Timestamp;
use crate::core::load::record::{self as load, Change, ClassCounts, Command, LoadMachine, NodeLoad, Shed};
use crate::core::load::shed::detector::Diagnostics;
use crate::core::load::shed::{
    Admission, Class, Counts, Detector, DetectorConfig, Explanation, Invalid, Label, Load, Names, Observed,
    Pending, Permit, Priority, Readings, Reason, Refused, ShedMetrics, ShedTable,
};

/// A minute, the grain in which shedding is recorded.
const MINUTE_US: i64 = 60_000_000;
/// Most requests that may be told to be pending.
pub(crate) const MOST_PENDING: usize = 10_000_000;

/// Who measured what is fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A caller.
    Reported,
    /// This process.
    Measured,
}

/// What is fed to a detector.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fed {
    pub(crate) latency: Option<(Observed, f64)>,
    pub(crate) queue_delay: Option<(Priority, Duration)>,
    pub(crate) readings: Readings,
    pub(crate) pending: Option<usize>,
}

/// The answer of the door.
#[derive(Debug)]
pub(crate) struct Judged {
    /// The number of the permit that is held, if one is.
    pub(crate) verdict: Result<Option<u64>, Refused>,
    pub(crate) explanation: Explanation,
}

/// Everything worth telling of the load at one instant.
#[derive(Debug)]
pub(crate) struct Sight {
    pub(crate) explanation: Explanation,
    pub(crate) diagnostics: Diagnostics,
    pub(crate) metrics: ShedMetrics,
    pub(crate) transitions: u64,
    pub(crate) counts: [Counts; 4],
    pub(crate) caps: [u32; 4],
    pub(crate) in_flight: u64,
    pub(crate) cap: u32,
    pub(crate) expired: [u64; 4],
    pub(crate) unknown_names: u64,
    /// What the minute holds that is not over.
    pub(crate) unrecorded: Shed,
    /// What operations are refused by.
    pub(crate) at_the_doors: Load,
}

/// What operations do at the doors of this process, by class.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DoorCounts {
    pub(crate) in_flight: u64,
    pub(crate) admitted: u64,
    pub(crate) shed: u64,
}

#[derive(Debug, Default)]
struct Door {
    in_flight: AtomicU64,
    admitted: AtomicU64,
    shed: AtomicU64,
}

/// Measures and judges the load.
pub(crate) struct AdmissionController {
    inner: Mutex<Inner>,
    /// The state, for the doors.
    state: AtomicU8,
    doors: [Door; 4],
    table: ShedTable,
    retry_after: [Duration; 4],
    every: Duration,
    fresh_for: Duration,
    pub(crate) answers: Answers,
}

struct Inner {
    /// Fed by callers.
    reported: Detector,
    /// Fed by this process.
    measured: Detector,
    admission: Admission,
    names: Names,
    pending: Vec<Pending>,
    held: BTreeMap<u64, (Permit, Timestamp)>,
    next_permit: u64,
    minute: Shed,
    /// When the detector was last fed.
    fed_at: Option<Timestamp>,
    armed: Option<Timestamp>,
}

/// One operation at a door; counted as in flight while it lives.
pub(crate) struct Inside(Arc<AdmissionController>, Class);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.door(self.1).in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

/// An operation that is not carried out for the load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turned {
    pub(crate) class: Class,
    pub(crate) state: Load,
    pub(crate) retry_after: Duration,
}

fn minute_of(now: Timestamp) -> Timestamp {
    Timestamp::from_micros(now.as_micros().div_euclid(MINUTE_US).saturating_mul(MINUTE_US))
}

/// The wheel's entry of the admission controller; the record has one of its own.
fn timer() -> StreamId {
    match EntityId::new("detector") {
        Ok(id) => StreamId::new(StreamKind::Load, id),
        Err(e) => unreachable!("the detector has a valid id: {e}"),
    }
}

/// Puts on record that the store was opened in spite of damage.
pub(crate) fn note_loss(host: &Arc<Host>, what: Vec<String>) {
    tell::<LoadMachine>(host, &load_id(), Command::NoteLoss(what));
}

/// Id of the one record of load.
pub(crate) fn load_id() -> EntityId {
    match EntityId::new(load::STREAM) {
        Ok(id) => id,
        Err(e) => unreachable!("the record of load has a valid id: {e}"),
    }
}

impl AdmissionController {
    /// Healthy, nothing in flight.
    ///
    /// # Errors
    /// [`Invalid`] for the first knob that does not fit.
    pub(crate) fn new(config: &SheddingConfig, now: Timestamp) -> Result<Self, Invalid> {
        let detector = config.detector;
        let answers = config.answers;
        let ttls = [detector.latency.sample_ttl, answers.sample_ttl];
        let longest = ttls.into_iter().chain([detector.reading_ttl, detector.queue.ttl]);
        Ok(AdmissionController {
            inner: Mutex::new(Inner {
                reported: Detector::new(detector)?,
                measured: Detector::new(DetectorConfig { latency: answers, ..detector })?,
                admission: Admission::new(config.admission, now)?,
                names: Names::default(),
                pending: Vec::new(),
                held: BTreeMap::new(),
                next_permit: 1,
                minute: Shed::default(),
                fed_at: None,
                armed: None,
            }),
            state: AtomicU8::new(Load::Healthy as u8),
            doors: Default::default(),
            table: config.admission.table,
            retry_after: config.admission.retry_after,
            every: detector.every,
            fresh_for: longest.max().unwrap_or_default(),
            answers: Answers::new(answers.window),
        })
    }

    fn door(&self, class: Class) -> &Door {
        &self.doors[class.priority().index()]
    }

    /// What operations are refused by: what this process measures or, where that is worse, what the requests under way
    /// make of it.
    fn at_the_door(&self, host: &Host) -> Load {
        let measured = Load::ALL[usize::from(self.state.load(Ordering::Relaxed)).min(3)];
        measured.max(crowded(host.worked_on(), host.config.max_in_flight))
    }

    /// An operation comes to a door. Control and what is critical always passes; the rest by the state.
    pub(crate) fn enter(self: &Arc<Self>, host: &Arc<Host>, label: Label) -> Result<Inside, Turned> {
        let class = label.class;
        let door = self.door(class);
        if class != Class::Control && !label.critical {
            let state = self.at_the_door(host);
            if self.table.sheds(state, class.priority()) {
                door.shed.fetch_add(1, Ordering::Relaxed);
                let now = host.clock.now();
                let mut inner = lock(&self.inner);
                inner.turn_minute(host, now);
                inner.minute.shed.add(class, 1);
                self.arm(host, &mut inner, now);
                return Err(Turned { class, state, retry_after: self.retry_after[state as usize] });
            }
        }
        door.admitted.fetch_add(1, Ordering::Relaxed);
        door.in_flight.fetch_add(1, Ordering::AcqRel);
        Ok(Inside(self.clone(), class))
    }

    /// What operations did at the doors so far.
    pub(crate) fn at_the_doors(&self, class: Class) -> DoorCounts {
        let door = self.door(class);
        DoorCounts {
            in_flight: door.in_flight.load(Ordering::Acquire),
            admitted: door.admitted.load(Ordering::Relaxed),
            shed: door.shed.load(Ordering::Relaxed),
        }
    }

    /// The class of a name from outside.
    pub(crate) fn classify(&self, name: &str) -> Class {
        let named = lock(&self.inner).names.classify(name);
        if named.report {
            tracing::warn!(name, "nobody knows this kind of message; it is taken for data");
        }
        named.class
    }

    /// Judges a message; lets it hold its place for so long if that is asked.
    pub(crate) fn judge(&self, host: &Arc<Host>, label: Label, hold: Option<Duration>) -> Judged {
        let now = host.clock.now();
        let mut inner = lock(&self.inner);
        inner.turn_minute(host, now);
        inner.expire_permits(now);
        let verdict = match inner.admission.admit(label, now) {
            Ok(permit) => {
                inner.minute.admitted.add(label.class, 1);
                Ok(inner.keep(permit, hold, now))
            }
            Err(refused) => {
                let counts = match refused.reason {
                    Reason::Shed | Reason::Limited { .. } => &mut inner.minute.shed,
                    Reason::Full(_) => &mut inner.minute.full,
                    Reason::Expired(_) => &mut inner.minute.expired,
                };
                counts.add(label.class, 1);
                Err(refused)
            }
        };
        self.arm(host, &mut inner, now);
        Judged { verdict, explanation: inner.admission.shedder().explain() }
    }

    /// Gives a permit back. Says whether it was held.
    pub(crate) fn release(&self, host: &Arc<Host>, permit: u64) -> bool {
        let now = host.clock.now();
        let mut inner = lock(&self.inner);
        inner.expire_permits(now);
        inner.held.remove(&permit).is_some()
    }

    /// Feeds a detector and evaluates at once; a state gets worse at once and better with the timer.
    pub(crate) fn feed(&self, host: &Arc<Host>, source: Source, fed: Fed) -> Result<(), Invalid> {
        let now = host.clock.now();
        let mut inner = lock(&self.inner);
        let inner = &mut *inner;
        let checked = [("cpu_percent", fed.readings.cpu), ("memory_percent", fed.readings.memory)];
        for (field, value) in checked {
            if let Some(value) = value
                && !(value.is_finite() && value >= 0.0)
            {
                return Err(Invalid::new(field, value, "a finite number, at least 0"));
            }
        }
        let detector = match source {
            Source::Reported => &mut inner.reported,
            Source::Measured => &mut inner.measured,
        };
        if let Some((observed, ms)) = fed.latency {
            detector.latency_ms(observed, ms, now)?;
        }
        if let Some((priority, waited)) = fed.queue_delay {
            detector.waited(priority, waited, now);
        }
        if let Some(pending) = fed.pending {
            inner.pending.truncate(pending);
            while inner.pending.len() < pending {
                inner.pending.push(detector.begin());
            }
        }
        inner.fed_at = Some(now);
        detector.evaluate(fed.readings, now)?;
        self.observe(host, inner, now);
        self.arm(host, inner, now);
        Ok(())
    }

    /// Looks at the answers since the last look. Those during which this process did not run tell nothing of its load.
    pub(crate) fn weigh_answers(&self, host: &Arc<Host>) {
        let answers = self.answers.take();
        if answers.is_empty() {
            return;
        }
        let now = host.clock.now();
        let gap = host.clock.last_gap();
        let mut inner = lock(&self.inner);
        let inner = &mut *inner;
        for Answered { since, took } in answers {
            if gap.is_none_or(|gap| now.since(gap) > since.elapsed()) {
                inner.measured.latency(Observed::Served, took, now);
            }
        }
        if let Err(invalid) = inner.measured.evaluate(Readings::default(), now) {
            tracing::error!(%invalid, "the load could not be evaluated");
        }
        // While all is well the next answers bring the next look.
        if inner.measured.state() > Load::Healthy {
            inner.fed_at = Some(now);
        }
        self.observe(host, inner, now);
        self.arm(host, inner, now);
    }

    /// Samples of statistics were refused.
    pub(crate) fn refused_samples(&self, host: &Arc<Host>, count: u64) {
        let now = host.clock.now();
        let mut inner = lock(&self.inner);
        inner.turn_minute(host, now);
        inner.minute.samples_refused = inner.minute.samples_refused.saturating_add(count);
        self.arm(host, &mut inner, now);
    }

    /// What there is to see. Changes nothing but what time has changed already.
    pub(crate) fn sight(&self, host: &Host) -> Sight {
        let now = host.clock.now();
        let mut inner = lock(&self.inner);
        inner.expire_permits(now);
        let admission = &inner.admission;
        let (reported, measured) = (inner.reported.diagnostics(now), inner.measured.diagnostics(now));
        let worse = if measured.verdict.state > reported.verdict.state { measured } else { reported };
        let (in_flight, caps) = (admission.in_flight(), *admission.in_flight().caps());
        Sight {
            explanation: admission.shedder().explain(),
            diagnostics: Diagnostics {
                verdict: worse.verdict,
                raw: reported.raw.max(measured.raw),
                quieter: worse.quieter,
                ..reported
            },
            metrics: admission.shedder().metrics(),
            transitions: admission.shedder().transitions(),
            counts: Priority::ALL.map(|priority| in_flight.counts(priority)),
            caps: [0, caps.high, caps.normal, caps.low],
            in_flight: in_flight.total(),
            cap: caps.global,
            expired: admission.expired(),
            unknown_names: inner.names.unknown_seen(),
            unrecorded: inner.minute,
            at_the_doors: self.at_the_door(host),
        }
    }

    /// Time has passed: one evaluation, and the minute if it is over. Gives when to come again.
    pub(crate) fn tick(&self, host: &Arc<Host>) -> Option<Timestamp> {
        let now = host.clock.now();
        let mut inner = lock(&self.inner);
        inner.armed = None;
        inner.turn_minute(host, now);
        inner.expire_permits(now);
        let Inner { reported, measured, .. } = &mut *inner;
        for detector in [reported, measured] {
            if let Err(invalid) = detector.evaluate(Readings::default(), now) {
                tracing::error!(%invalid, "the load could not be evaluated");
            }
        }
        self.observe(host, &mut inner, now);
        self.arm(host, &mut inner, now);
        inner.armed
    }

    /// What the minute holds so far, as a request that the end of the process waits for.
    pub(crate) fn flush(&self, host: &Arc<Host>) {
        let minute = lock(&self.inner).take_minute(host.clock.now());
        if let Some(shed) = minute {
            let command = Command::Note { changes: Vec::new(), shed: Some(Box::new(shed)) };
            drop(ask(host, &host.kinds.load_records, &load_id(), Action::Command(command, None), |_| ()));
        }
    }

    /// What the detectors say holds from now on, for those who ask and for the doors.
    fn observe(&self, host: &Arc<Host>, inner: &mut Inner, now: Timestamp) {
        let (reported, measured) = (inner.reported.verdict(), inner.measured.verdict());
        self.state.store(measured.state as u8, Ordering::Relaxed);
        let verdict = reported.max(measured);
        if let Some((from, _)) = inner.admission.observe(verdict, now) {
            let changes = vec![Change { from, to: verdict, at: now }];
            tell::<LoadMachine>(host, &load_id(), Command::Note { changes, shed: None });
        }
    }

    /// Sets the timer: the next evaluation while the state may still change by itself, the end of the minute while
    /// there is something to record.
    fn arm(&self, host: &Arc<Host>, inner: &mut Inner, now: Timestamp) {
        let fresh = inner.fed_at.is_some_and(|at| now.since(at) < self.fresh_for);
        // When nothing fed is young enough to expire, and the state is what the readings say, it stays what it is.
        let settles = |detector: &Detector| detector.state() != detector.raw(now).state;
        let restless = fresh || settles(&inner.reported) || settles(&inner.measured);
        let evaluation = restless.then(|| match inner.armed {
            Some(armed) if armed > now && armed <= now.plus(self.every) => armed,
            Some(_) | None => now.plus(self.every),
        });
        let minute = (!inner.minute.is_empty())
            .then(|| inner.minute.minute.plus(Duration::from_micros(MINUTE_US.unsigned_abs())));
        let next = match (evaluation, minute) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        if next != inner.armed {
            inner.armed = next;
            host.wheel.arm(&timer(), next);
        }
    }
}

/// What requests under way make of the state, by the bounds of pending requests.
fn crowded(in_flight: usize, most: usize) -> Load {
    let tenths = in_flight.saturating_mul(10);
    Load::ALL[[5, 7, 9].iter().filter(|bound| tenths >= most.saturating_mul(**bound)).count()]
}

impl Inner {
    fn keep(&mut self, permit: Permit, hold: Option<Duration>, now: Timestamp) -> Option<u64> {
        let hold = hold?;
        let number = self.next_permit;
        self.next_permit += 1;
        self.held.insert(number, (permit, now.plus(hold)));
        Some(number)
    }

    /// Permits held for as long as was asked give back their places; the last instant is still held.
    fn expire_permits(&mut self, now: Timestamp) {
        self.held.retain(|_, (_, until)| *until >= now);
    }

    /// Records the minute before, when another has begun.
    fn turn_minute(&mut self, host: &Arc<Host>, now: Timestamp) {
        if self.minute.minute == minute_of(now) {
            return;
        }
        if let Some(shed) = self.take_minute(now) {
            let command = Command::Note { changes: Vec::new(), shed: Some(Box::new(shed)) };
            tell::<LoadMachine>(host, &load_id(), command);
        }
    }

    fn take_minute(&mut self, now: Timestamp) -> Option<Shed> {
        let begun = Shed { minute: minute_of(now), ..Shed::default() };
        let over = std::mem::replace(&mut self.minute, begun);
        (!over.is_empty()).then_some(Shed { at: now, ..over })
    }
}

/// All that the load's record says.
pub(crate) struct Recorded {
    pub(crate) shed: ClassCounts,
    pub(crate) full: ClassCounts,
    pub(crate) expired: ClassCounts,
    pub(crate) transitions: u64,
}

impl From<&NodeLoad> for Recorded {
    fn from(state: &NodeLoad) -> Self {
        Recorded {
            shed: state.shed,
            full: state.full,
            expired: state.expired,
            transitions: state.transitions,
        }
    }
}
