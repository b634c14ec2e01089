//! Hooks: what is on record is posted to a URL, in order, at least once.
//!
//! ```text
//!  journal ──► records behind the cursor that fit the filter ──► one signed request ──► receiver
//!                 ▲                                                     │
//!                 │  2xx: Delivered(position) moves the cursor on ◄─────┤
//!                 │  410: Disabled; the cursor stays                ◄───┤
//!                 └─ else: Failed(retry_at); the cursor stays       ◄───┘
//! ```
//!
//! | state | command | condition | events | answer |
//! |---|---|---|---|---|
//! | – | Register | | Registered, Keyed | Done |
//! | active, failing, disabled | Register | the same URL, filter and owner, and no other secret | – | Done |
//! | any | Register | else | – | `AlreadyExists`: an id is never used twice |
//! | active | Deliver | from where the cursor stands | Delivered | Done |
//! | active | Fail | from where the cursor stands, fewer than [`MAX_FAILURES`] before | Failed with the next attempt | Done |
//! | active | Fail | from where the cursor stands, else | Failed without one: it is failing | Done |
//! | active | Disable | from where the cursor stands | Disabled | Done |
//! | any | Deliver, Fail, Disable | else | – | Done: it came too late |
//! | failing, disabled; active after a failure | Resume | | Resumed | Done |
//! | active | Resume | else | – | Done |
//! | all but removed | Remove | | Removed | Done |
//! | removed | Remove | | – | Done |
//! | removed | Resume | | – | `Over` |
//! | – | everything but Register and Tick | | – | `NotFound` |
//!
//! The journal is the outbox: the cursor says what of it was delivered, and no record is passed over. Between two attempts
//! the wait doubles, from a second to an hour; it is moved by up to a fifth either way by a hash of hook, cursor and attempt,
//! and stands in the event, so a process that was killed goes on at the same instant.
//!
//! # Source
//! Standard Webhooks 1.0.0, for the identifier, the instant and the signature of a request. Exponential back-off with jitter:
//! M. Brooker, *Exponential Backoff and Jitter*, AWS Architecture Blog, 2015.

pub mod command;
mod decide;
pub mod event;
pub mod state;

use std::time::Duration;

pub use command::{Command, Register, Rejection, Reply};
pub use event::{Event, Failed, Reason, Registered, Secret};
pub use state::{Hook, Standing};

use crate::kernel::ids::{EntityId, StreamKind};
use crate::kernel::resend::fnv1a;
use crate::kernel::time::Timestamp;
use crate::kernel::{Decision, Machine};

/// Attempts in a row that may fail before a hook is failing: about four days.
pub const MAX_FAILURES: u32 = 100;
/// The wait after the first failure.
const FIRST_WAIT_US: u64 = 1_000_000;
/// The longest wait between two attempts.
const LONGEST_WAIT_US: u64 = 3_600 * 1_000_000;
/// Fewest and most bytes of a secret.
pub const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// How long is waited after so many failures in a row, of what stands behind this position.
pub fn wait_after(hook_id: &EntityId, position: u64, failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(32);
    let wait = (FIRST_WAIT_US << doublings).min(LONGEST_WAIT_US);
    let numbers = position.to_le_bytes().into_iter().chain(failures.to_le_bytes());
    let hash = fnv1a(hook_id.as_str().bytes().chain(numbers));
    // The last bytes stir the low bits most; the high ones are folded in.
    let hash = hash ^ (hash >> 32);
    let span = wait / 5;
    Duration::from_micros(wait - span + hash % (2 * span + 1))
}

/// The machine of a hook.
#[derive(Debug)]
pub struct HookMachine;

impl Machine for HookMachine {
    const KIND: StreamKind = StreamKind::Hook;
    const STATE_VERSION: u16 = 1;
    type State = Hook;
    type Command = Command;
    type Event = Event;
    type Reply = Reply;
    type Rejection = Rejection;
    type Effect = ();
    type Context = ();

    fn decide(state: &Hook, command: Command, now: Timestamp, (): &()) -> Result<Decision<Self>, Rejection> {
        decide::decide(state, command, now)
    }

    fn evolve(state: &mut Hook, event: &Event) {
        state.evolve(event);
    }

    /// Whoever delivers looks after the next attempt; nothing is decided by time alone.
    fn due(_state: &Hook) -> Option<Timestamp> {
        None
    }

    fn owed(_state: &Hook) -> Vec<()> {
        Vec::new()
    }

    fn tick() -> Command {
        Command::Tick
    }
}

#[cfg(test)]
#[path = "hook_test.rs"]
mod tests;
