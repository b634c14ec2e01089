//! The transition table of the [module](super), one arm per row.

use super::FlowMachine;
use super::command::{Command, Rejection, Reply};
use super::event::{Cause, Dropped, Event, Opened, StateChanged};
use super::state::Flow;
use crate::kernel::Decision;
use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;
use crate::load::flow::{DropRun, FlowConfig, FlowConfigError, FlowState, Notice, Transition};

type Decided = Result<Decision<FlowMachine>, Rejection>;

pub(super) fn decide(state: &Flow, command: Command, now: Timestamp) -> Decided {
    match command {
        Command::Open { flow_id, config } => open(state, flow_id, *config, now),
        Command::Tick => Ok(recorded(Vec::new())),
        Command::Configure(_) | Command::Note { .. } | Command::Revive | Command::Close
            if state.opened.is_none() =>
        {
            Err(Rejection::NotFound)
        }
        Command::Configure(config) => configure(state, config, now),
        Command::Note { notices, totals, max_buffer_size, max_buffer_bytes } => {
            let most = (max_buffer_size, max_buffer_bytes);
            let told = |notice| match notice {
                Notice::Transition(transition) => Event::StateChanged(changed(transition, most)),
                Notice::Dropped(run) => Event::Dropped(dropped(run)),
            };
            let mut events: Vec<Event> = notices.into_iter().map(told).collect();
            if *totals != state.totals {
                events.push(Event::Counted { totals, at: now });
            }
            Ok(recorded(events))
        }
        Command::Revive => {
            let (life, lost) = (state.life.saturating_add(1), state.totals.unread());
            Ok(recorded(vec![Event::Restarted { life, lost, at: now }]))
        }
        Command::Close if state.closed_at.is_some() => Ok(recorded(Vec::new())),
        Command::Close => Ok(recorded(vec![Event::Closed { at: now }])),
    }
}

fn recorded(events: Vec<Event>) -> Decision<FlowMachine> {
    let changed = !events.is_empty();
    Decision::accept(events, Reply { changed })
}

fn open(state: &Flow, flow_id: EntityId, config: FlowConfig, now: Timestamp) -> Decided {
    config.check().map_err(Rejection::Invalid)?;
    if state.opened.is_none() {
        let opened = Opened { flow_id, config, at: now };
        return Ok(recorded(vec![Event::Opened(Box::new(opened))]));
    }
    let closed = state.closed_at.is_some();
    if closed || config != state.config {
        return Err(Rejection::AlreadyExists { closed });
    }
    Ok(recorded(Vec::new()))
}

fn configure(state: &Flow, config: Box<FlowConfig>, now: Timestamp) -> Decided {
    if state.closed_at.is_some() {
        return Err(Rejection::Closed);
    }
    config.check().map_err(Rejection::Invalid)?;
    if config.carries != state.config.carries {
        // Else a stream of votes could be made one of anything, and then lose them.
        return Err(Rejection::Invalid(FlowConfigError {
            field: "carries",
            given: format!("{:?}", config.carries).to_lowercase(),
            expected: "what the stream was opened with".to_owned(),
        }));
    }
    if *config == state.config {
        return Ok(recorded(Vec::new()));
    }
    Ok(recorded(vec![Event::Configured { config, at: now }]))
}

fn changed(transition: Transition, (max_buffer_size, max_buffer_bytes): (u64, Option<u64>)) -> StateChanged {
    let Transition { from, to, load, at, skipped } = transition;
    let cause = match to {
        FlowState::Dropping => Cause::Overflowed,
        FlowState::Normal | FlowState::Throttled | FlowState::Paused if to > from => Cause::Filled,
        FlowState::Normal | FlowState::Throttled | FlowState::Paused => Cause::Drained,
    };
    StateChanged {
        from,
        to,
        cause,
        buffer_size: load.messages as u64,
        max_buffer_size,
        buffer_bytes: load.bytes as u64,
        fill_millionths: millionths(load.messages, max_buffer_size)
            .max(max_buffer_bytes.map_or(0, |most| millionths(load.bytes, most))),
        skipped,
        at,
    }
}

/// So many of at most so many, rounded down.
fn millionths(held: usize, most: u64) -> u64 {
    let exact = held as u128 * 1_000_000 / u128::from(most.max(1));
    u64::try_from(exact).unwrap_or(u64::MAX)
}

fn dropped(run: DropRun) -> Dropped {
    Dropped {
        policy: run.policy,
        reason: run.reason,
        count: run.count,
        first_seq: run.seqs.map(|(first, _)| first),
        last_seq: run.seqs.map(|(_, last)| last),
        since: run.from,
        at: run.upto,
    }
}
