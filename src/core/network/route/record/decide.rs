//! The transition table of the [module](super), one arm per row.

use super::RouteMachine;
use super::command::{Ask, Command, Rejection, Reply};
use super::event::{Decided, Event, FailureReason, Forgetting};
use super::state::Route;
use crate::kernel::Decision;
use crate::kernel::ids::DatacenterId;
use crate::kernel::time::Timestamp;
use crate::network::route::config::RoutingConfig;
use crate::network::route::decide::{LocalView, decide as route};
use crate::network::route::router::StaleFence;
use crate::network::route::state::JobRoutingState;

type Decides = Result<Decision<RouteMachine>, Rejection>;

pub(super) fn decide(state: &Route, command: Command, now: Timestamp, config: &RoutingConfig) -> Decides {
    match command {
        Command::Decide(ask) => self::ask(state, &ask, now, config),
        Command::Fail { datacenter, reason, fence } => fail(state, datacenter, reason, fence, now, config),
        Command::Accept { datacenter } => accept(state, datacenter, now),
        Command::Forget => Ok(forget(state, Forgetting::Completed, now)),
        Command::Tick => match state.forget_at {
            Some(due) if due <= now => Ok(forget(state, Forgetting::Idle, now)),
            Some(_) | None => Ok(Decision::answer(Reply::Changed(false))),
        },
    }
}

/// The fencing token that holds for a write, if the one shown is not replaced.
fn fenced(state: &Route, shown: Option<u64>) -> Result<u64, StaleFence> {
    match shown {
        Some(given) if given < state.fence => Err(StaleFence { held: state.fence, given }),
        Some(given) => Ok(given),
        None => Ok(state.fence),
    }
}

fn ask(state: &Route, ask: &Ask, now: Timestamp, config: &RoutingConfig) -> Decides {
    let fence = fenced(state, ask.fence)?;
    let fresh = JobRoutingState::default();
    let before = state.routing.as_ref().unwrap_or(&fresh);
    let view = LocalView {
        is_converged: ask.is_converged,
        preferred: &ask.preferred,
        dispatched: &ask.dispatched,
        targets: ask.targets,
        now,
    };
    let (decision, mut next) = route(&ask.job, &ask.candidates, before, view, config);
    next.fence = fence;
    let mut events = Vec::with_capacity(2);
    if let (true, Some(from), Some(to)) = (decision.switched, &decision.previous_primary, &next.primary) {
        let (from, to) = (from.clone(), to.clone());
        events.push(Event::Switched { from, to, reason: decision.reason, at: now });
    }
    let was_bootstrap = state.chosen.as_ref().is_some_and(|chosen| chosen.in_bootstrap_mode);
    match (was_bootstrap, decision.in_bootstrap_mode) {
        (false, true) => events.push(Event::BootstrapEntered { at: now }),
        (true, false) => events.push(Event::BootstrapLeft { at: now }),
        (true, true) | (false, false) => {}
    }
    // The first instant that is longer ago than allowed.
    let forget_at = now.plus(config.idle()).plus(std::time::Duration::from_micros(1));
    let reply = Reply::Decided(Box::new(decision.clone()));
    events.insert(0, Event::Decided(Box::new(Decided { decision, state: next, forget_at, at: now })));
    Ok(Decision::accept(events, reply))
}

fn fail(
    state: &Route,
    datacenter: DatacenterId,
    reason: FailureReason,
    fence: Option<u64>,
    now: Timestamp,
    config: &RoutingConfig,
) -> Decides {
    if state.routing.is_none() {
        return Err(Rejection::Unknown);
    }
    fenced(state, fence)?;
    if !state.is_listed(&datacenter) {
        return Err(Rejection::NeverTried { datacenter });
    }
    let until = now.plus(config.cooldown());
    let started = Event::CooldownStarted { datacenter_id: datacenter, reason, until, at: now };
    Ok(Decision::accept(vec![started], Reply::Cools { until }))
}

fn accept(state: &Route, datacenter: DatacenterId, now: Timestamp) -> Decides {
    let Some(kept) = &state.routing else { return Err(Rejection::Unknown) };
    if kept.primary.as_ref() == Some(&datacenter) {
        return Ok(Decision::answer(Reply::Changed(false)));
    }
    if !state.is_listed(&datacenter) {
        return Err(Rejection::NeverTried { datacenter });
    }
    let accepted = Event::Accepted { datacenter_id: datacenter, from: kept.primary.clone(), at: now };
    Ok(Decision::accept(vec![accepted], Reply::Changed(true)))
}

fn forget(state: &Route, why: Forgetting, now: Timestamp) -> Decision<RouteMachine> {
    match state.routing.is_some() {
        true => Decision::accept(vec![Event::Forgotten { why, at: now }], Reply::Changed(true)),
        false => Decision::answer(Reply::Changed(false)),
    }
}
