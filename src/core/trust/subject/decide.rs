//! The transition table of the [module](super), one arm per row.

use super::command::{Command, Rejection, Reply};
use super::event::{Event, Registered, ShredAsked, Shredded};
use super::state::{Status, Subjects};
use super::{MAX_SUBJECTS, SubjectsMachine};
use crate::kernel::Decision;
use crate::kernel::time::Timestamp;

pub(super) fn decide(
    state: &Subjects,
    command: Command,
    now: Timestamp,
) -> Result<Decision<SubjectsMachine>, Rejection> {
    match command {
        Command::Register { data_subject, key_id } => match state.all.get(&data_subject) {
            None if state.all.len() >= MAX_SUBJECTS => Err(Rejection::TooMany { limit: MAX_SUBJECTS }),
            None => {
                let registered = Event::Registered(Box::new(Registered { data_subject, key_id, at: now }));
                Ok(Decision::accept(vec![registered], Reply::Active { key_id }))
            }
            Some(standing) => match standing.status() {
                Status::Active => Ok(Decision::answer(Reply::Active { key_id: standing.key_id })),
                Status::Asked | Status::Shredded => Err(Rejection::Shredded),
            },
        },
        Command::Shred { data_subject, reason, by } => {
            let standing = state.all.get(&data_subject).ok_or(Rejection::NotFound)?;
            match standing.status() {
                Status::Active => {
                    let asked = Event::ShredAsked(Box::new(ShredAsked { data_subject, reason, by, at: now }));
                    Ok(Decision::accept(vec![asked], Reply::Asked { duplicate: false }))
                }
                Status::Asked | Status::Shredded => Ok(Decision::answer(Reply::Asked { duplicate: true })),
            }
        }
        Command::Destroyed { data_subject } => {
            let standing = state.all.get(&data_subject).ok_or(Rejection::NotFound)?;
            match standing.status() {
                Status::Active => Err(Rejection::NotAsked),
                Status::Asked => {
                    let shredded = Event::Shredded(Box::new(Shredded { data_subject, at: now }));
                    Ok(Decision::accept(vec![shredded], Reply::Done))
                }
                Status::Shredded => Ok(Decision::answer(Reply::Done)),
            }
        }
        Command::Tick => Ok(Decision::answer(Reply::Done)),
    }
}
