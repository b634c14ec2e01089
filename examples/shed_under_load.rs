//! Ten times the load, in virtual time: what matters goes on, the rest comes back.
//!
//! `cargo run --example shed_under_load`

use std::collections::VecDeque;
use std::time::Duration;

use quorate::Timestamp;
use quorate::shed::{
    Admission, AdmissionConfig, Detector, DetectorConfig, Invalid, Label, MessageKind, Observed, Permit,
    Priority, Readings,
};

/// One kind of each class, and how many of it come in ten milliseconds.
const KINDS: [(MessageKind, u32); 4] = [
    (MessageKind::Vote, 1),
    (MessageKind::JobSubmission, 1),
    (MessageKind::Progress, 4),
    (MessageKind::TraceEvent, 4),
];
/// How many can be worked on in ten milliseconds.
const CAPACITY: usize = 25;

struct Manager {
    door: Admission,
    detector: Detector,
    queues: [VecDeque<(Permit, Label, Timestamp)>; 4],
}

impl Manager {
    /// Ten milliseconds; gives how many of each class came and were worked on.
    fn turn(&mut self, factor: u32, now: Timestamp) -> Result<[(u32, u32); 4], Invalid> {
        let mut out = [(0, 0); 4];
        for (class, (kind, rate)) in KINDS.into_iter().enumerate() {
            for _ in 0..rate * factor {
                out[class].0 += 1;
                // The class follows from the kind; the answer to a refusal says why and when to come again.
                let label = Label::of(kind).until(now.plus(Duration::from_secs(1)));
                match self.door.admit(label, now) {
                    Ok(permit) => self.queues[class].push_back((permit, label, now)),
                    Err(_refused) => self.detector.latency(Observed::Shed, Duration::ZERO, now),
                }
            }
        }
        let mut free = CAPACITY;
        for (priority, queue) in Priority::ALL.into_iter().zip(&mut self.queues) {
            while free > 0
                && let Some((permit, label, since)) = queue.pop_front()
            {
                self.door.release(permit);
                // Nobody waits for this any more.
                if self.door.check_deadline(label, Duration::ZERO, now).is_err() {
                    continue;
                }
                free -= 1;
                out[priority.index()].1 += 1;
                if priority != Priority::Critical {
                    self.detector.latency(Observed::Served, now.since(since), now);
                }
            }
            let oldest = queue.front().map_or(now, |(_, _, since)| *since);
            self.detector.waited(priority, now.since(oldest), now);
        }
        if now.as_millis() % 250 == 0 {
            let verdict = self.detector.evaluate(Readings::default(), now)?;
            self.door.observe(verdict, now);
        }
        Ok(out)
    }
}

fn main() -> Result<(), Invalid> {
    let mut manager = Manager {
        door: Admission::new(AdmissionConfig::default(), Timestamp::EPOCH)?,
        detector: Detector::new(DetectorConfig::default())?,
        queues: Default::default(),
    };
    println!("worked on, of what came   control  dispatch      data  telemetry");
    let mut now = Timestamp::EPOCH;
    for (name, factor, turns) in
        [("before", 1, 300), ("ten times the load", 10, 500), ("just after", 1, 200), ("later", 1, 300)]
    {
        let mut sums = [(0, 0); 4];
        for _ in 0..turns {
            for (sum, turn) in sums.iter_mut().zip(manager.turn(factor, now)?) {
                *sum = (sum.0 + turn.0, sum.1 + turn.1);
            }
            now = now.plus(Duration::from_millis(10));
        }
        let [a, b, c, d] = sums.map(|(came, done)| format!("{} %", done * 100 / came));
        println!("{name:<24} {a:>8}  {b:>8}  {c:>8}  {d:>9}");
        println!("    {}", manager.door.shedder().explain());
    }
    Ok(())
}
