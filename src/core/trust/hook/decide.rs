//! The transition table of the [module](super) in code.

use super::command::{Command, Register, Rejection, Reply};
use super::event::{Event, Failed, Registered};
use super::state::{Hook, Standing};
use super::{HookMachine, MAX_FAILURES, wait_after};
use crate::kernel::Decision;
use crate::kernel::time::Timestamp;

type Decided = Result<Decision<HookMachine>, Rejection>;

pub(super) fn decide(state: &Hook, command: Command, now: Timestamp) -> Decided {
    let Some(registered) = &state.registered else {
        return match command {
            Command::Register(register) => register_(*register, now),
            Command::Tick => unchanged(),
            Command::Deliver { .. }
            | Command::Fail { .. }
            | Command::Disable { .. }
            | Command::Resume
            | Command::Remove => Err(Rejection::NotFound),
        };
    };
    let goes_on = |from: u64| state.standing == Standing::Active && from == state.position;
    match command {
        Command::Register(again) if is_same(state, registered, &again) => unchanged(),
        Command::Register(_) => Err(Rejection::AlreadyExists),
        Command::Deliver { from, upto, count } if goes_on(from) && upto > from => {
            changed(vec![Event::Delivered { position: upto, count, at: now }])
        }
        Command::Fail { from, reason } if goes_on(from) => {
            let failures = state.failures.saturating_add(1);
            let wait = || wait_after(&registered.hook_id, state.position, failures);
            let retry_at = (failures < MAX_FAILURES).then(|| now.plus(wait()));
            let failed = Failed { position: state.position, failures, reason, retry_at, at: now };
            changed(vec![Event::Failed(Box::new(failed))])
        }
        Command::Disable { from, reason } if goes_on(from) => {
            changed(vec![Event::Disabled { reason, at: now }])
        }
        Command::Deliver { .. } | Command::Fail { .. } | Command::Disable { .. } => unchanged(),
        Command::Resume if state.is_removed() => Err(Rejection::Over),
        Command::Resume if state.standing == Standing::Active && state.failures == 0 => unchanged(),
        Command::Resume => changed(vec![Event::Resumed { at: now }]),
        Command::Remove if state.is_removed() => unchanged(),
        Command::Remove => changed(vec![Event::Removed { position: state.position, at: now }]),
        Command::Tick => unchanged(),
    }
}

fn changed(events: Vec<Event>) -> Decided {
    Ok(Decision::accept(events, Reply::Done { changed: true }))
}

fn unchanged() -> Decided {
    Ok(Decision::answer(Reply::Done { changed: false }))
}

fn register_(register: Register, now: Timestamp) -> Decided {
    let Register { hook_id, url, filter, secret, is_given: _, owner, position } = register;
    let registered = Registered { hook_id, url, filter, owner, position, at: now };
    changed(vec![Event::Registered(Box::new(registered)), Event::Keyed { secret, at: now }])
}

fn is_same(state: &Hook, registered: &Registered, again: &Register) -> bool {
    !state.is_removed()
        && registered.url == again.url
        && registered.filter == again.filter
        && registered.owner == again.owner
        && (!again.is_given || state.secret.as_ref() == Some(&again.secret))
}
