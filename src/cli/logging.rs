//! What is logged to stderr, and how often: a failure that concerns many is told a few times, and then counted.

use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tracing::callsite::Identifier;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt};

use quorate_runtime::shell::clock::Stopwatch;

/// Names the environment variable that chooses what is logged.
const LOG: &str = "QUORATE_LOG";

/// What is logged without it: errors, what is said of the clocks, and what a node sees change.
const DEFAULT: &str = "error,quorate_runtime::shell::clock=warn,quorate_node=info";

/// Lines of one place in the program that are told within [`WINDOW`]; the others are counted.
const MOST: u32 = 5;
const WINDOW: Duration = Duration::from_secs(10);

/// Begins to log. What is left out is told at the latest when the answer is dropped.
pub(super) fn begin() -> Throttle {
    let filter = EnvFilter::try_from_env(LOG).unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let throttle = Throttle::default();
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // Told to a closed stderr, they would panic in whatever thread logs, and sled waits for its threads for ever.
        .log_internal_errors(false);
    // A second call in one process keeps the first one's subscriber.
    let _ = Registry::default().with(filter).with(throttle.clone()).with(lines).try_init();
    throttle
}

/// Lets through a few lines of each place in the program, and counts the others.
#[derive(Clone, Debug, Default)]
pub(super) struct Throttle {
    told: Arc<Mutex<HashMap<Identifier, Told>>>,
}

#[derive(Debug)]
struct Told {
    since: Stopwatch,
    lines: u32,
    left_out: u64,
    place: String,
}

impl Told {
    fn new(place: String) -> Self {
        Told { since: Stopwatch::start(), lines: 0, left_out: 0, place }
    }

    /// One more line, this long after the first: is it told, and how many were left out before it?
    fn next(&mut self, after: Duration) -> (bool, u64) {
        let left_out = if after < WINDOW {
            0
        } else {
            (self.lines, self.since) = (0, Stopwatch::start());
            std::mem::take(&mut self.left_out)
        };
        let is_told = self.lines < MOST;
        self.lines += u32::from(is_told);
        self.left_out += u64::from(!is_told);
        (is_told, left_out)
    }
}

impl<S: Subscriber> Layer<S> for Throttle {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        // What went well is told whole: whoever reads it looks for one of many.
        if *metadata.level() > Level::WARN {
            return true;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = told.entry(metadata.callsite()).or_insert_with(|| {
            Told::new(format!("{}:{}", metadata.target(), metadata.line().unwrap_or_default()))
        });
        let (is_told, left_out) = entry.next(entry.since.elapsed());
        if left_out > 0 {
            say(left_out, &entry.place);
        }
        is_told
    }
}

impl Throttle {
    /// Tells what was left out.
    pub(super) fn end(&self) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in told.values_mut().filter(|entry| entry.left_out > 0) {
            say(std::mem::take(&mut entry.left_out), &entry.place);
        }
    }
}

fn say(left_out: u64, place: &str) {
    // Nobody may read stderr any more.
    let _ = writeln!(std::io::stderr(), "{left_out} more lines like these were left out. place={place}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_lines_of_a_place_are_told_and_the_others_are_counted() {
        let mut told = Told::new("here".into());
        let soon = Duration::from_millis(9_999);
        let lines: Vec<_> = (0..516).map(|_| told.next(soon)).collect();
        assert_eq!(lines.iter().filter(|(is_told, _)| *is_told).count(), MOST as usize);
        assert!(lines.iter().all(|(_, left_out)| *left_out == 0));
        assert_eq!(told.next(WINDOW), (true, 511));
        assert_eq!(told.next(soon), (true, 0));
    }
}
