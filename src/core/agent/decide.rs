//! The transition table of the [module](super), one arm per row.

use super::command::{Asked, Command, Reply};
use super::event::{Event, GradeChanged};
use super::grade::Grade;
use super::rejection::Rejection;
use super::state::{Agent, Watch, micros};
use super::{AgentMachine, LastVote, MAX_METADATA_BYTES};
use crate::Decision;
use crate::ids::VoterId;
use crate::time::Timestamp;

type Decided = Result<Decision<AgentMachine>, Rejection>;

const UNCHANGED: Reply = Reply { changed: false };
const CHANGED: Reply = Reply { changed: true };

pub(super) fn decide(state: &Agent, command: Command, now: Timestamp, votes: &LastVote) -> Decided {
    match command {
        Command::Register { agent_id, asked } => register(state, agent_id, asked, now),
        Command::Leave => leave(state, now),
        Command::StartMonitoring(asked) => start_monitoring(state, asked, now),
        Command::StopMonitoring => {
            registered(state)?;
            Ok(when(state.watch.is_some(), || Event::MonitoringStopped { at: now }))
        }
        Command::Beat { metadata } => beat(state, metadata, now),
        Command::Tick => Ok(Decision::accept(tick(state, now, votes), UNCHANGED)),
    }
}

/// One event, when there is something to change.
fn when(changes: bool, event: impl FnOnce() -> Event) -> Decision<AgentMachine> {
    if changes { Decision::accept(vec![event()], CHANGED) } else { Decision::answer(UNCHANGED) }
}

fn register(state: &Agent, agent_id: VoterId, asked: Asked, now: Timestamp) -> Decided {
    asked.settings.check()?;
    if state.registered {
        return Ok(Decision::answer(UNCHANGED));
    }
    let events = vec![Event::Registered { agent_id, at: now }, started(asked, now)];
    Ok(Decision::accept(events, CHANGED))
}

fn registered(state: &Agent) -> Result<(), Rejection> {
    if state.registered { Ok(()) } else { Err(Rejection::NotRegistered) }
}

/// Leaving again changes nothing; who was never there cannot leave.
fn leave(state: &Agent, now: Timestamp) -> Decided {
    if state.agent_id.is_none() {
        return Err(Rejection::NotRegistered);
    }
    Ok(when(state.registered, || Event::Left { at: now }))
}

fn start_monitoring(state: &Agent, asked: Asked, now: Timestamp) -> Decided {
    asked.settings.check()?;
    registered(state)?;
    let judged = state.watch.as_ref().is_some_and(|watch| watch.judged);
    Ok(when(!judged, || started(asked, now)))
}

fn started(Asked { settings, explicit }: Asked, now: Timestamp) -> Event {
    Event::MonitoringStarted { settings, explicit, at: now }
}

fn beat(state: &Agent, metadata: Option<String>, now: Timestamp) -> Decided {
    if let Some(given) = metadata.as_ref().map(String::len).filter(|bytes| *bytes > MAX_METADATA_BYTES) {
        return Err(Rejection::MetadataTooLarge { given });
    }
    registered(state)?;
    let Some(watch) = &state.watch else { return Err(Rejection::NotMonitored) };
    let mut events = vec![Event::Beat { at: now, metadata }];
    events.extend(change(watch, Grade::Healthy, state.last_heard, now));
    Ok(Decision::accept(events, CHANGED))
}

/// What passing time led to. Between checks the grade can only become better, by a vote.
fn tick(state: &Agent, now: Timestamp, votes: &LastVote) -> Vec<Event> {
    let (Some(watch), Some(agent_id)) = (&state.watch, &state.agent_id) else { return Vec::new() };
    let voted = votes.at(agent_id).filter(|at| *at > watch.reference);
    let heard = Watch { reference: voted.unwrap_or(watch.reference), ..watch.clone() };
    let grade = heard.grade(&state.settings, micros(now.since(heard.reference)));
    let checks = state.due().is_some_and(|due| due <= now);
    let mut events: Vec<Event> = voted.map(|at| Event::Heard { at }).into_iter().collect();
    if checks || grade < watch.recorded {
        events.extend(change(&heard, grade, state.last_heard.max(voted), now));
    }
    events
}

/// The change to this grade, if another one is recorded.
fn change(watch: &Watch, to: Grade, last_beat: Option<Timestamp>, now: Timestamp) -> Option<Event> {
    let change = GradeChanged {
        from: watch.recorded,
        to,
        last_beat,
        elapsed_us: micros(now.since(watch.reference)),
        at: now,
    };
    (watch.recorded != to).then_some(Event::GradeChanged(change))
}
