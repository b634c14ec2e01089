//! Clients, a gate and a manager in virtual time, one millisecond after the other, from a seed.
//!
//! ```text
//!  clients ──► gate: forward · hold · combine · drop ──► manager: admission ──► queues by class ──► 20 servers
//!     ▲ retry, at most three times, until the deadline      │ stats, detector
//!     └────────── refused, with when to come again ─────────┘ level to the gate every 100 ms, 1 of 20 is lost
//! ```
//!
//! Data and the like take a server for 10 ms, control for 2: 2000 messages a second are the most there can be.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use quorate_core::kernel::rng::Rng;
use quorate_core::kernel::time::Timestamp;
use quorate_core::load::pressure::{DecayConfig, Forwarding, GatePressure};
use quorate_core::load::shed::{
    Admission, AdmissionConfig, Caps, Class, Detector, DetectorConfig, Label, LimitConfig, Load, MessageKind,
    Observed, Permit, Priority, Readings,
};
use quorate_core::load::stats::{Decoded, Sample, Signal, SignalConfig, Signaller, StatsBuffer, StatsConfig};

const SERVERS: usize = 20;
const KINDS: [MessageKind; 4] =
    [MessageKind::Vote, MessageKind::JobSubmission, MessageKind::Progress, MessageKind::TraceEvent];
/// Messages per second at a factor of 1, by class: half of what can be served.
const RATES: [u64; 4] = [100, 150, 500, 250];
/// A client gives up after this.
const PATIENCE: i64 = 2_000;

#[derive(Debug)]
struct Message {
    class: usize,
    label: Label,
    /// Second it was made in, and how many it stands for.
    made: Vec<i64>,
    tries: u32,
}

struct Queued {
    message: Message,
    permit: Permit,
    since: i64,
}

struct Serving {
    queued: Queued,
    began: i64,
    until: i64,
}

/// Offered and served, by class, of one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Second {
    pub offered: [u64; 4],
    pub good: [u64; 4],
}

/// What is switched off to see that it is needed.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub seed: u64,
    pub limit: bool,
    pub signals: bool,
}

pub struct World {
    setup: Setup,
    rng: Rng,
    now: i64,
    door: Admission,
    detector: Detector,
    stats: StatsBuffer,
    signaller: Signaller,
    gate: GatePressure<u8, u8>,
    queues: [VecDeque<Queued>; 4],
    servers: Vec<Serving>,
    later: BTreeMap<i64, Vec<Message>>,
    combining: Vec<Message>,
    signals: BTreeMap<i64, Signal>,
    owed: [u64; 4],
    pub seconds: BTreeMap<i64, Second>,
    pub transitions: Vec<(i64, Load)>,
    pub longest_control_ms: i64,
    pub most_waiting: usize,
}

fn ms(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

impl World {
    pub fn new(setup: Setup) -> Self {
        let limit = setup.limit.then(|| LimitConfig { seed: setup.seed, ..LimitConfig::default() });
        let door = AdmissionConfig { caps: Caps::GATE, limit, ..AdmissionConfig::default() };
        let stats = StatsConfig { hot_max: 2_000, hot_age: Duration::from_secs(2), ..StatsConfig::default() };
        World {
            setup,
            rng: Rng::new(setup.seed),
            now: 0,
            door: Admission::new(door, ms(0)).unwrap(),
            detector: Detector::new(DetectorConfig::default()).unwrap(),
            stats: StatsBuffer::new(stats, 1).unwrap(),
            signaller: Signaller::new(SignalConfig::default(), 1).unwrap(),
            gate: GatePressure::new(DecayConfig::default()).unwrap(),
            queues: Default::default(),
            servers: Vec::new(),
            later: BTreeMap::new(),
            combining: Vec::new(),
            signals: BTreeMap::new(),
            owed: [0; 4],
            seconds: BTreeMap::new(),
            transitions: Vec::new(),
            longest_control_ms: 0,
            most_waiting: 0,
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound
    }

    /// Runs so long at a factor of the usual load.
    pub fn run(&mut self, millis: i64, factor: u64) {
        for _ in 0..millis {
            self.clients(factor);
            self.signals();
            self.serve();
            self.measure();
            self.now += 1;
        }
    }

    fn clients(&mut self, factor: u64) {
        for message in self.later.remove(&self.now).unwrap_or_default() {
            self.at_gate(message);
        }
        for class in 0..4 {
            // Twice the mean or nothing, by lot: uneven, and right on average.
            self.owed[class] += RATES[class] * factor * self.below(3);
            while self.owed[class] >= 1_000 {
                self.owed[class] -= 1_000;
                let label = Label::of(KINDS[class]).until(ms(self.now + PATIENCE));
                self.seconds.entry(self.now / 1_000).or_default().offered[class] += 1;
                self.at_gate(Message { class, label, made: vec![self.now / 1_000], tries: 0 });
            }
        }
    }

    fn at_gate(&mut self, message: Message) {
        if message.label.check(Duration::ZERO, ms(self.now)).is_err() {
            return;
        }
        match self.gate.forwarding(&1, message.label, message.made.len() > 1, ms(self.now)) {
            Forwarding::Forward => self.at_manager(message),
            Forwarding::Hold { delay } => {
                let at = self.now + delay.as_millis() as i64 + self.below(20) as i64;
                self.later.entry(at).or_default().push(message);
            }
            Forwarding::Combine => self.combining.push(message),
            Forwarding::Drop { retry_after } => self.again(message, retry_after),
        }
    }

    fn again(&mut self, mut message: Message, after: Duration) {
        message.tries += 1;
        if message.tries <= 3 || !message.label.droppable() {
            let after = after.as_millis() as i64;
            let at = self.now + 1 + after + self.below(after as u64 / 2 + 1) as i64;
            self.later.entry(at).or_default().push(message);
        }
    }

    fn at_manager(&mut self, message: Message) {
        match self.door.admit(message.label, ms(self.now)) {
            Ok(permit) => {
                let class = message.class;
                self.queues[class].push_back(Queued { message, permit, since: self.now });
                self.most_waiting = self.most_waiting.max(self.queues.iter().map(VecDeque::len).sum());
            }
            Err(refused) => {
                self.detector.latency(Observed::Shed, Duration::ZERO, ms(self.now));
                if let Some(after) = refused.retry_after {
                    self.again(message, after);
                }
            }
        }
    }

    fn signals(&mut self) {
        if self.now % 100 == 0 && self.setup.signals {
            let level = self.stats.level(ms(self.now));
            let signal = self.signaller.signal(level, None);
            if self.below(20) > 0 {
                let arrives = self.now + 5 + self.below(40) as i64;
                self.signals.insert(arrives, signal);
            }
        }
        if let Some(signal) = self.signals.remove(&self.now) {
            self.gate.apply(&1, &1, Decoded::Known(signal), ms(self.now));
        }
        if self.now % 100 == 0 && !self.combining.is_empty() {
            let all = std::mem::take(&mut self.combining);
            let made = all.iter().flat_map(|message| message.made.clone()).collect();
            let label = Label::of(MessageKind::Progress).until(ms(self.now + PATIENCE));
            self.at_manager(Message { class: 2, label, made, tries: 0 });
        }
    }

    fn serve(&mut self) {
        let now = self.now;
        let (done, servers) = std::mem::take(&mut self.servers).into_iter().partition(|s| s.until <= now);
        self.servers = servers;
        for Serving { queued, began, .. } in Vec::from_iter::<Vec<Serving>>(done) {
            self.finish(queued, began);
        }
        for class in 0..4 {
            while self.servers.len() < SERVERS {
                let Some(queued) = self.queues[class].pop_front() else { break };
                let took = if class == 0 { 2 } else { 10 };
                let needed = Duration::from_millis(took as u64);
                if self.door.check_deadline(queued.message.label, needed, ms(now)).is_err() {
                    self.door.release(queued.permit);
                    continue;
                }
                self.servers.push(Serving { queued, began: now, until: now + took });
            }
        }
        for (priority, queue) in Priority::ALL.into_iter().zip(&self.queues) {
            let waits = now - queue.front().map_or(now, |queued| queued.since);
            self.detector.waited(priority, Duration::from_millis(waits as u64), ms(now));
        }
    }

    fn finish(&mut self, queued: Queued, _began: i64) {
        let Queued { message, permit, since } = queued;
        let latency = Duration::from_millis((self.now - since) as u64);
        let observed = if message.class == 0 { Observed::Probe } else { Observed::Served };
        self.detector.latency(observed, latency, ms(self.now));
        if message.class == 0 {
            self.longest_control_ms = self.longest_control_ms.max(self.now - since);
        } else {
            self.door.served(latency, ms(since), ms(self.now));
        }
        self.door.release(permit);
        let taken = message.class != Class::Data.priority().index() || {
            self.stats.record(Sample::of(latency.as_secs_f64(), ms(self.now)), ms(self.now)).is_ok()
        };
        if taken {
            for second in message.made {
                self.seconds.entry(second).or_default().good[message.class] += 1;
            }
        } else {
            self.again(message, Duration::from_millis(1_000));
        }
    }

    fn measure(&mut self) {
        if self.now % 250 == 0 {
            let verdict = self.detector.evaluate(Readings::default(), ms(self.now)).unwrap();
            if let Some((_, to)) = self.door.observe(verdict, ms(self.now)) {
                self.transitions.push((self.now, to));
            }
        }
    }

    /// Served of offered from one second up to another, in percent, by class.
    pub fn goodput(&self, from: i64, before: i64) -> [u64; 4] {
        let sum = |of: fn(&Second) -> [u64; 4], class: usize| -> u64 {
            self.seconds.range(from..before).map(|(_, second)| of(second)[class]).sum()
        };
        [0, 1, 2, 3].map(|class| {
            let offered = sum(|second| second.offered, class);
            (sum(|second| second.good, class) * 100).checked_div(offered).unwrap_or(100)
        })
    }

    /// Messages served per second of the seconds they were made in, mean.
    pub fn served(&self, from: i64, before: i64) -> u64 {
        let good = self.seconds.range(from..before).map(|(_, second)| second.good.iter().sum::<u64>());
        good.sum::<u64>() / (before - from) as u64
    }
}
