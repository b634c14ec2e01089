//! The experiment on learned deadlines, in virtual time: four classes of work of which some jobs die silently, under
//! fixed deadlines chosen with full knowledge and under deadlines that are learned while the work goes on.
//!
//! | class | duration | beats |
//! |---|---|---|
//! | `lookup` | Pareto with α = 1, median 5 s, at most 1 h (Harchol-Balter and Downey 1997) | Weibull |
//! | `report` | log-normal with σ = 1.318, median 1 min (Barford and Crovella 1998) | Pareto |
//! | `build` | log-normal with σ = 1.318, median 10 min | Weibull |
//! | `training` | e to a gamma of shape 312 and scale 0.03, scaled to a median of 2 h (Lublin and Feitelson 2003) | Weibull |
//!
//! The silences between beats are the pauses of SURGE in seconds as published: Weibull with scale 1.46 and shape 0.382
//! (active off), Pareto with k = 1 and α = 1.5 (inactive off). Both have heavy tails.
//!
//! # Source
//! M. Harchol-Balter, A. Downey, *Exploiting process lifetime distributions for dynamic load balancing*, ACM TOCS 15,
//! 1997; P. Barford, M. Crovella, *Generating representative Web workloads for network and server performance
//! evaluation*, SIGMETRICS 1998; U. Lublin, D. Feitelson, *The workload on parallel supercomputers*, JPDC 63, 2003.

use std::collections::BTreeMap;

use quorate_core::jobs::durations::{
    Command, DurationsMachine, Ended, Estimate, Limit, Record, Settings, estimate,
};
use quorate_core::kernel::driver::Driver;
use quorate_core::kernel::rng::Rng;
use quorate_core::kernel::time::Timestamp;

pub const CLASSES: [&str; 4] = ["lookup", "report", "build", "training"];

/// Most jobs that may be stopped while they live, per million.
pub const FALSE_PPM: usize = 1_000;

const SECOND: f64 = 1e6;

/// One job of each class starts every minute.
const SPACING_US: u64 = 60_000_000;

/// Of a hundred jobs so many die, at a moment that is uniform over the time they would take.
const DYING_PERCENT: u64 = 2;

/// One job, as it would go if nobody stopped it.
#[derive(Debug)]
pub struct Job {
    class: usize,
    /// Until it finishes, or dies.
    alive_us: u64,
    dies: bool,
    last_beat_us: u64,
    /// Silences longer than any before them: when each began, and how long it was.
    records: Vec<(u64, u64)>,
}

/// How a job went under certain limits.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    end_us: u64,
    stopped: Option<Limit>,
}

/// The limits on one job, in microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub overall_us: u64,
    pub stuck_us: u64,
}

/// What one way of setting deadlines led to.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    pub jobs: usize,
    /// Stopped while they lived.
    pub wrongly: usize,
    /// From death to detection, in microseconds, the shortest first.
    pub late_us: Vec<u64>,
}

impl Figures {
    fn of(runs: impl IntoIterator<Item = (Run, u64, bool)>) -> Self {
        let mut out = Figures::default();
        for (run, alive_us, dies) in runs {
            out.jobs += 1;
            if run.end_us < alive_us {
                out.wrongly += 1;
            } else if dies {
                out.late_us.push(run.end_us - alive_us);
            }
        }
        out.late_us.sort_unstable();
        out
    }

    pub fn mean_s(&self) -> f64 {
        self.late_us.iter().sum::<u64>() as f64 / self.late_us.len() as f64 / SECOND
    }

    pub fn p99_s(&self) -> f64 {
        self.late_us[self.late_us.len() * 99 / 100] as f64 / SECOND
    }

    pub fn wrongly_percent(&self) -> f64 {
        self.wrongly as f64 / self.jobs as f64 * 100.0
    }
}

/// Uniform above 0, up to 1.
fn unit(rng: &mut Rng) -> f64 {
    ((rng.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64
}

fn log_normal(rng: &mut Rng, median_s: f64, sigma: f64) -> f64 {
    let normal = (-2.0 * unit(rng).ln()).sqrt() * (std::f64::consts::TAU * unit(rng)).cos();
    median_s * (sigma * normal).exp()
}

fn duration_s(class: usize, rng: &mut Rng) -> f64 {
    match class {
        0 => (2.5 / unit(rng)).min(3_600.0),
        1 => log_normal(rng, 60.0, 1.318),
        2 => log_normal(rng, 600.0, 1.318),
        _ => {
            // A gamma of whole shape is a sum of exponentials; its median is near shape − 1/3.
            let sum: f64 = (0..312).map(|_| -unit(rng).ln()).sum();
            7_200.0 * (0.03 * (sum - (312.0 - 1.0 / 3.0))).exp()
        }
    }
}

fn gap_s(class: usize, rng: &mut Rng) -> f64 {
    match class {
        1 => unit(rng).powf(-1.0 / 1.5),
        _ => 1.46 * (-unit(rng).ln()).powf(1.0 / 0.382),
    }
}

/// A number of jobs of each class, in the order in which they start.
pub fn jobs(seed: u64, per_class: usize) -> Vec<Job> {
    let mut rng = Rng::new(seed);
    (0..per_class * CLASSES.len()).map(|n| job(n % CLASSES.len(), &mut rng)).collect()
}

fn job(class: usize, rng: &mut Rng) -> Job {
    let span = duration_s(class, rng);
    let dies = rng.next_u64() % 100 < DYING_PERCENT;
    let alive = if dies { span * unit(rng) } else { span };
    let (mut at, mut longest, mut records) = (0.0, -1.0, Vec::new());
    let us = |seconds: f64| (seconds * SECOND) as u64;
    while at < alive {
        let gap = gap_s(class, rng).min(span - at);
        if gap > longest && at + gap <= alive {
            longest = gap;
            records.push((us(at), us(gap)));
        }
        if at + gap > alive {
            break;
        }
        at += gap;
    }
    Job { class, alive_us: us(alive), dies, last_beat_us: us(at), records }
}

impl Job {
    /// The longest silence in which it lived.
    fn longest_us(&self) -> u64 {
        let open = if self.dies { self.alive_us - self.last_beat_us } else { 0 };
        self.records.last().map_or(0, |(_, gap)| *gap).max(open)
    }

    fn under(&self, limits: Limits) -> Run {
        let silent = self.records.iter().find(|(_, gap)| *gap > limits.stuck_us).map(|(from, _)| *from);
        let silent = silent.or(self.dies.then_some(self.last_beat_us));
        let stuck = silent.map(|from| (from.saturating_add(limits.stuck_us), Limit::Stuck));
        let overall =
            (self.dies || self.alive_us > limits.overall_us).then_some((limits.overall_us, Limit::Overall));
        match stuck.into_iter().chain(overall).min_by_key(|(at, _)| *at) {
            Some((end_us, limit)) => Run { end_us, stopped: Some(limit) },
            None => Run { end_us: self.alive_us, stopped: None },
        }
    }

    /// What is recorded of such a run.
    fn record(&self, run: Run) -> Record {
        let closed = self.records.iter().rev().find(|(from, gap)| from + gap <= run.end_us);
        let longest_gap_us = closed.map_or(0, |(_, gap)| *gap);
        let ended = match run.stopped {
            None => Ended::Finished,
            Some(after) => {
                let open =
                    self.records.iter().find(|(from, gap)| *from <= run.end_us && from + gap > run.end_us);
                let silent_us = match open {
                    Some((from, _)) => run.end_us - from,
                    None if run.end_us > self.last_beat_us => run.end_us - self.last_beat_us,
                    // Between two beats not worth remembering.
                    None => 0,
                };
                Ended::TimedOut { after, silent_us }
            }
        };
        Record { duration_us: run.end_us, longest_gap_us, ended }
    }
}

/// Every job under limits that depend on its class alone.
pub fn fixed(jobs: &[Job], limits: impl Fn(usize) -> Limits) -> Figures {
    Figures::of(jobs.iter().map(|job| (job.under(limits(job.class)), job.alive_us, job.dies)))
}

/// The lowest limit that stops at most one in a thousand of these wrongly, found with full knowledge.
pub fn best(jobs: &[Job], limit: Limit, class: Option<usize>) -> u64 {
    let chosen = jobs.iter().filter(|job| class.is_none_or(|class| class == job.class));
    let mut values: Vec<u64> = chosen
        .map(|job| match limit {
            Limit::Overall => job.alive_us,
            Limit::Stuck => job.longest_us(),
        })
        .collect();
    values.sort_unstable();
    values[values.len() - 1 - values.len() * FALSE_PPM / 1_000_000]
}

/// Every job under the limits learned from those of its class that had ended before. Jobs that started before anything was
/// known get their limits when something is.
pub fn learned(
    jobs: &[Job],
    settings: &Settings,
    see: impl Fn(Record) -> Record,
) -> (Figures, Vec<Option<Estimate>>) {
    let unlearned = Limits { overall_us: settings.overall.ceiling_us, stuck_us: settings.stuck.ceiling_us };
    let mut classes: Vec<Driver<DurationsMachine>> = CLASSES.iter().map(|_| Driver::default()).collect();
    let mut known: Vec<Option<Estimate>> = vec![None; CLASSES.len()];
    let mut runs: Vec<Run> = Vec::with_capacity(jobs.len());
    // Jobs under way, by the instant they end.
    let mut ends: BTreeMap<(u64, usize), ()> = BTreeMap::new();
    let mut cold: Vec<Vec<usize>> = vec![Vec::new(); CLASSES.len()];
    let start_of = |n: usize| (n / CLASSES.len()) as u64 * SPACING_US;
    for n in 0..=jobs.len() {
        let now = if n < jobs.len() { start_of(n) } else { u64::MAX };
        while let Some(((at, ended), ())) =
            ends.first_key_value().map(|(k, v)| (*k, *v)).filter(|((at, _), ())| *at <= now)
        {
            ends.remove(&(at, ended));
            let class = jobs[ended].class;
            let record = see(jobs[ended].record(runs[ended]));
            let step = classes[class].step(Command::Record(record), Timestamp::from_micros(at as i64));
            assert!(step.reply.is_ok(), "{:?}", step.reply);
            known[class] = estimate(classes[class].state(), settings);
            let Some(limits) = known[class].map(limits) else { continue };
            for late in std::mem::take(&mut cold[class]) {
                let start = start_of(late);
                if ends.remove(&(start + runs[late].end_us, late)).is_some() {
                    let run = jobs[late].under(limits);
                    runs[late] = Run { end_us: run.end_us.max(at - start), ..run };
                    if run.stopped.is_none() || (jobs[late].alive_us < at - start && !jobs[late].dies) {
                        runs[late] = jobs[late].under(unlearned);
                    }
                    ends.insert((start + runs[late].end_us, late), ());
                }
            }
        }
        let Some(job) = jobs.get(n) else { break };
        if known[job.class].is_none() {
            cold[job.class].push(n);
        }
        runs.push(job.under(known[job.class].map_or(unlearned, limits)));
        ends.insert((now + runs[n].end_us, n), ());
    }
    (Figures::of(jobs.iter().zip(runs).map(|(job, run)| (run, job.alive_us, job.dies))), known)
}

fn limits(estimate: Estimate) -> Limits {
    Limits { overall_us: estimate.overall.limit_us, stuck_us: estimate.stuck.limit_us }
}
