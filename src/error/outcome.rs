//! How what was asked for came out, as an exit code: the table beside that of the error kinds.
//!
//! A command that asks for an outcome and gets one exits with its code, so that `quorate quorum wait q && deploy`
//! deploys after a yes, and after nothing else. A command that shows something exits with 0 once it is shown.

/// One line of the table of outcomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutcomeEntry {
    /// The outcome, as replies name it.
    pub name: &'static str,
    /// Exit code of the command line.
    pub exit: u8,
    /// What it means.
    pub meaning: &'static str,
}

const fn line(name: &'static str, exit: u8, meaning: &'static str) -> OutcomeEntry {
    OutcomeEntry { name, exit, meaning }
}

/// Every outcome, with its exit code. Those that are not 0 are not those of an error kind, except for `aborted`,
/// `cancelled`, `expired`, `nothing_done` and `overloaded`, which are both.
pub const OUTCOMES: &[OutcomeEntry] = &[
    line("approved", 0, "the voters said yes"),
    line("decided", 0, "the session decided, by a quorum that stands"),
    line("granted", 0, "the capacity is there"),
    line("completed", 0, "the job is done"),
    line("never", 6, "a rate never has so much ready"),
    line(
        "overloaded",
        7,
        "too much waits, too much load, or a rate is exhausted; nothing was queued, let in or reserved",
    ),
    line("open", 20, "not decided yet, still waiting, or not ended"),
    line("rejected", 21, "the voters said no"),
    line("timeout", 22, "the deadline passed first: without a decision, or before the job was done"),
    line("expired", 23, "the wait for capacity, or the time of an offer or of a reservation, was over"),
    line("cancelled", 24, "somebody ended it"),
    line("aborted", 25, "the question could not be put or answered: nobody, or too few, could be asked"),
    line("failed", 26, "the job came to its end and did not do what it was to do"),
    line("nothing_done", 27, "there was nothing to do, or nothing could be done"),
    line("no_quorum", 28, "no option of the session can reach the quorum"),
    line("fault_budget_exceeded", 29, "more voters of the session are proven to lie than it bears"),
    line(
        "tainted",
        30,
        "the session decided, and does not stand without voters that were proven to lie since",
    ),
];

/// The outcome of a name.
pub fn outcome(name: &str) -> Option<&'static OutcomeEntry> {
    OUTCOMES.iter().find(|entry| entry.name == name)
}
