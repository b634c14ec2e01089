//! The transition table of the [module](super), one arm per row.

use super::command::{Again, Asked, Command, Reply};
use super::event::{Event, GradeChanged};
use super::grade::Grade;
use super::rejection::{Differs, Rejection};
use super::state::{Agent, Watch};
use super::{AgentMachine, LastVote, MAX_METADATA_BYTES};
use crate::kernel::Decision;
use crate::kernel::ids::VoterId;
use crate::kernel::time::{Timestamp, micros};

type Decided = Result<Decision<AgentMachine>, Rejection>;

const UNCHANGED: Reply = Reply { changed: false, replaced: false };
const CHANGED: Reply = Reply { changed: true, replaced: false };
const REPLACED: Reply = Reply { changed: false, replaced: true };

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
        return again(state, asked, now);
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
    if judged { again(state, asked, now) } else { Ok(when(true, || started(asked, now))) }
}

/// A request to watch an agent that is registered, or watched, as it asks: the same is fine, anything else is refused or
/// takes the place of what is so.
fn again(state: &Agent, asked: Asked, now: Timestamp) -> Decided {
    let differs = differences(state, &asked);
    let Again { given, judged, replace, implied: _ } = asked.again;
    if differs.is_empty() {
        return Ok(Decision::answer(UNCHANGED));
    }
    if !replace {
        return Err(Rejection::OtherSettings { differs });
    }
    let settings = state.settings.with(asked.settings, given);
    let was_judged = state.watch.as_ref().is_some_and(|watch| watch.judged);
    let event = Event::MonitoringStarted { settings, explicit: judged.unwrap_or(was_judged), at: now };
    Ok(Decision::accept(vec![event], REPLACED))
}

/// What was said that is not so.
fn differences(state: &Agent, asked: &Asked) -> Vec<Differs> {
    let pairs = state.settings.named().into_iter().zip(asked.settings.named()).zip(asked.again.given);
    let mut differs: Vec<Differs> = pairs
        .filter(|(((_, held), (_, given)), said)| *said && held != given)
        .map(|(((field, held), (_, given)), _)| Differs {
            field,
            held: held.to_string(),
            given: given.to_string(),
        })
        .collect();
    let watch = state.watch.as_ref();
    let is_judged = watch.is_some_and(|watch| watch.judged);
    // One that has beaten is judged, whatever was asked for.
    let by_beat = watch.is_some_and(|watch| state.last_heard.is_some_and(|at| at >= watch.since));
    let is_so = match asked.again.judged {
        Some(true) => is_judged,
        Some(false) => !is_judged || by_beat,
        None => true,
    };
    if !is_so {
        let mut named = asked.settings.named().into_iter().zip(asked.again.given);
        match named.find(|(_, said)| *said && asked.again.implied) {
            None => {
                let (held, given) = (is_judged.to_string(), (!is_judged).to_string());
                differs.push(Differs { field: "monitor", held, given });
            }
            // What differs is named as it was given; a setting that differs by itself says it all.
            Some(((field, given), _)) if differs.is_empty() => {
                let held = "nothing, for its silence is not judged".to_owned();
                differs.push(Differs { field, held, given: given.to_string() });
            }
            Some(_) => {}
        }
    }
    differs
}

fn started(Asked { settings, explicit, again: _ }: Asked, now: Timestamp) -> Event {
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
