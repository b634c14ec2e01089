//! The transition table of the [module](super), one arm per row.

use super::command::{Command, Rejection, Reply};
use super::event::{Event, Held, Released};
use super::state::Retention;
use super::{MAX_HOLDS, RetentionMachine};
use crate::kernel::Decision;
use crate::kernel::time::Timestamp;

pub(super) fn decide(
    state: &Retention,
    command: Command,
    now: Timestamp,
) -> Result<Decision<RetentionMachine>, Rejection> {
    match command {
        Command::Keep { scope, reason, .. } if state.holds.contains_key(&scope) => {
            match state.holds.get(&scope).filter(|held| held.reason != reason) {
                Some(held) => Err(Rejection::HeldFor { reason: held.reason.clone() }),
                None => Ok(Decision::answer(Reply::Held { duplicate: true })),
            }
        }
        Command::Keep { .. } if state.holds.len() >= MAX_HOLDS => {
            Err(Rejection::TooMany { limit: MAX_HOLDS })
        }
        Command::Keep { scope, reason, by } => {
            let held = Event::Held(Box::new(Held { scope, reason, by, at: now }));
            Ok(Decision::accept(vec![held], Reply::Held { duplicate: false }))
        }
        Command::LetGo { scope, by } if state.holds.contains_key(&scope) => {
            let released = Event::Released(Box::new(Released { scope, by, at: now }));
            Ok(Decision::accept(vec![released], Reply::Released))
        }
        Command::LetGo { .. } => Err(Rejection::NotFound),
        Command::Tick => Ok(Decision::answer(Reply::Done)),
    }
}
