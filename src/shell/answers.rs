//! How long this process takes to answer: the newest commands from being let in to their durable answer.
//!
//! Every answer passes here, so it costs next to nothing: a push under a lock that is only tried. What it tells of the
//! load is judged by the [admission controller](super::load), a few times a second.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use super::clock::Stopwatch;
use super::lock;

/// One answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answered {
    /// Started when the request was let in.
    pub(crate) since: Stopwatch,
    pub(crate) took: Duration,
}

/// The newest answers that nobody has looked at.
#[derive(Debug)]
pub(crate) struct Answers {
    kept: Mutex<VecDeque<Answered>>,
    most: usize,
}

impl Answers {
    /// Keeps so many between two looks.
    pub(crate) fn new(most: usize) -> Self {
        Answers { kept: Mutex::default(), most }
    }

    /// A command that was let in then is answered now. Where others are doing the same it is left out.
    pub(crate) fn note(&self, since: Stopwatch) {
        if let Ok(mut kept) = self.kept.try_lock() {
            if kept.len() == self.most {
                kept.pop_front();
            }
            kept.push_back(Answered { since, took: since.elapsed() });
        }
    }

    /// Those since the last look.
    pub(crate) fn take(&self) -> VecDeque<Answered> {
        std::mem::take(&mut *lock(&self.kept))
    }
}
