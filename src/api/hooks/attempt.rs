//! One attempt: what is sent, under whose eyes, and what becomes of it.

use std::sync::Arc;
use std::time::Duration;

use super::super::dto::{EventView, HistoryQuery};
use super::super::hidden::eyes_of;
use super::super::history::Filter;
use super::super::sealing::reveal_events;
use super::post::{Message, Post, Sent};
use super::secret::signature;
use super::target::Target;
use crate::core::kernel::ids::{EntityId, StreamKind};
use crate::core::kernel::resend::fnv1a;
use crate::core::trust::hook::event::Disabling;
use crate::core::trust::hook::{Command, Hook, Reason, Registered, Secret};
use crate::journal::{Fault, Position, Store};
use crate::shell::entity::Action;
use crate::shell::host::{Host, wait};
use crate::shell::runtime::ask;

/// Most events of one request.
const MOST_EVENTS: usize = 100;
/// Most bytes of the body of a request: so much is what receivers take.
const MOST_BYTES: usize = 1 << 20;
/// Of them for what stands around the events: ids of 256 bytes, each of which may be escaped.
const AROUND: usize = 8 << 10;
/// Records looked at at a time.
const STEP: u64 = 20_000;
/// Records in which nothing fits, after which it is put on record how far was looked.
const NOTE_EVERY: u64 = 100_000;
/// The pause before something is tried again that failed in this process.
const PAUSE: Duration = Duration::from_millis(200);

/// What attempts need.
pub(super) struct Work {
    pub(super) host: Arc<Host>,
    pub(super) post: Post,
}

/// How far was looked for a hook.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    /// Nothing that fits stands between the cursor and here.
    pub(super) seen: Position,
    /// Where that is in the log of the one entity that is asked for.
    seq: u64,
    /// When it had its turn last.
    pub(super) turn: u64,
    /// Its last request was taken.
    pub(super) is_proven: bool,
}

/// What is to be sent.
struct Batch {
    events: Vec<EventView>,
    /// Everything that fits up to here is in it.
    reached: Position,
    seq: u64,
}

/// Attempts once what is behind the cursor of a hook, or finds that there is nothing.
pub(super) async fn attempt(work: &Work, id: &EntityId, place: Place) -> Place {
    let host = &work.host;
    // As it stands now: what the schedule is made from may be behind.
    let read = ask(host, &host.kinds.hooks, id, Action::Read, |view| (view.state.clone(), view.now)).await;
    let due = read
        .ok()
        .filter(|(hook, now)| hook.attempts_from().is_some_and(|from| from.is_none_or(|from| from <= *now)));
    let Some((Hook { registered: Some(registered), secret: Some(secret), position: from, .. }, _)) = due
    else {
        tokio::time::sleep(PAUSE).await;
        return place;
    };
    let place = if place.seen < from { Place { seen: from, seq: 0, ..place } } else { place };
    let fail = |reason| record(host, id, Command::Fail { from, reason });
    let sight = match registered.owner.as_ref().map(|owner| eyes_of(host, owner)) {
        None => None,
        Some(Some(sight)) => sight,
        Some(None) => {
            record(host, id, Command::Disable { from, reason: Disabling::OwnerMayNot }).await;
            return place;
        }
    };
    let Some(batch) = read_batch(host, &registered, place).await else {
        fail(Reason::Unread).await;
        return place;
    };
    let (reached, seq) = (batch.reached, batch.seq);
    let mut texts = Vec::new();
    let mut span = None;
    let mut bytes = 0;
    let mut cut = None;
    for mut event in batch.events {
        if let Some(sight) = &sight {
            sight.event(&mut event);
        }
        let position = event.position;
        let Some(text) = text(event) else {
            fail(Reason::Unread).await;
            return place;
        };
        // With the comma before it.
        if bytes + text.len() + 1 > MOST_BYTES - AROUND {
            cut = span.map(|(_, last)| last);
            break;
        }
        let first = span.map_or(position, |(first, _)| first);
        span = Some((first, position));
        bytes += text.len() + 1;
        texts.push(text);
    }
    let done = match cut {
        Some(last) => Place { seen: last, seq: 0, ..place },
        None => Place { seen: reached, seq, ..place },
    };
    let Some(span) = span else {
        if reached >= from + NOTE_EVERY {
            record(host, id, Command::Deliver { from, upto: reached, count: 0 }).await;
        }
        return done;
    };
    let message = message(&registered, &secret, span, &texts, host.clock.now().as_millis() / 1_000);
    let Ok(target) = Target::parse(&registered.url) else {
        fail(Reason::Unread).await;
        return place;
    };
    match work.post.send(&target, message).await {
        Sent::Delivered => {
            let delivered = Command::Deliver { from, upto: done.seen, count: texts.len() as u64 };
            record(host, id, delivered).await;
            Place { is_proven: true, ..done }
        }
        Sent::Gone => {
            record(host, id, Command::Disable { from, reason: Disabling::Gone }).await;
            Place { is_proven: false, ..place }
        }
        Sent::Failed(reason) => {
            fail(reason).await;
            Place { is_proven: false, ..place }
        }
    }
}

/// An event as it is sent. What alone is more than a request holds is left out, and told as its size: a receiver that does not
/// take it would be sent it again and again, and nothing behind it.
fn text(mut event: EventView) -> Option<String> {
    let whole = serde_json::to_string(&event).ok()?;
    if whole.len() < MOST_BYTES - AROUND {
        return Some(whole);
    }
    let left_out = serde_json::to_string(&event.data).ok()?.len();
    event.data = serde_json::json!({ "left_out_bytes": left_out });
    serde_json::to_string(&event).ok()
}

/// A request about these events, as it is sent.
fn message(
    registered: &Registered,
    secret: &Secret,
    (first, last): (Position, Position),
    events: &[String],
    timestamp: i64,
) -> Message {
    let hook_id = registered.hook_id.as_str();
    // The same whenever the same is sent, and in signs that a header may hold.
    let id = format!("dlv_{:016x}_{first}_{last}", fnv1a(hook_id.bytes()));
    let name = serde_json::Value::from(hook_id);
    let body = format!(r#"{{"delivery_id":"{id}","hook_id":{name},"events":[{}]}}"#, events.join(","));
    let signature = signature(secret, &id, timestamp, body.as_bytes());
    Message { id, timestamp, signature, body }
}

/// What stands behind a place and fits; none when it cannot be read.
async fn read_batch(host: &Host, registered: &Registered, place: Place) -> Option<Batch> {
    let query: HistoryQuery = serde_json::from_str(&registered.filter).ok()?;
    if host.writer.failure().is_some() {
        return None;
    }
    // On threads of those who deliver: others who read find theirs free.
    let (store, is_sealed) = (host.store.clone(), query.sealed == Some(true));
    let read = tokio::task::spawn_blocking(move || batch(store.as_ref(), query, place));
    match read.await {
        Ok(Ok(Some(mut batch))) => {
            let revealed = if is_sealed { Ok(()) } else { reveal_events(host, &mut batch.events) };
            revealed.is_ok().then_some(batch)
        }
        Ok(Ok(None)) => None,
        Ok(Err(fault)) => {
            tracing::warn!(hook_id = %registered.hook_id, %fault, "what a hook is to deliver cannot be read");
            None
        }
        Err(e) => {
            tracing::warn!(hook_id = %registered.hook_id, cause = %e, "what a hook is to deliver cannot be read");
            None
        }
    }
}

fn batch(store: &dyn Store, query: HistoryQuery, place: Place) -> Result<Option<Batch>, Fault> {
    let upto = wait(store.tip())?.position.min(place.seen.saturating_add(STEP));
    if upto <= place.seen {
        return Ok(Some(Batch { events: Vec::new(), reached: place.seen, seq: place.seq }));
    }
    let query = HistoryQuery { upto_position: Some(upto), ..query };
    let Ok((filter, _)) = Filter::of(query) else { return Ok(None) };
    let mut seq = place.seq;
    let Some(found) = filter.page(store, place.seen, MOST_EVENTS, &mut seq)? else {
        // The entity does not exist yet.
        return Ok(Some(Batch { events: Vec::new(), reached: upto, seq: 0 }));
    };
    let mut events = found.events;
    let reached = if events.len() == MOST_EVENTS { found.at } else { upto };
    // Sending what hooks do would be more of it.
    events.retain(|event| event.kind != StreamKind::Hook.name());
    Ok(Some(Batch { events, reached, seq }))
}

/// Puts on record what came of an attempt, as long as this process can.
async fn record(host: &Arc<Host>, id: &EntityId, command: Command) {
    while !host.is_closing() && host.writer.failure().is_none() {
        let told = ask(host, &host.kinds.hooks, id, Action::Command(command.clone(), None), |_| ());
        match told.await {
            Ok(()) => return,
            Err(failure) => tracing::warn!(%id, ?failure, "what came of a hook is told again"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::kernel::time::Timestamp;

    #[test]
    fn an_event_that_alone_is_too_large_is_sent_without_its_data_and_says_how_much_that_is() {
        let event = |length: usize| EventView {
            position: 7,
            kind: "quorum".into(),
            entity_id: EntityId::new("q").unwrap(),
            seq: 1,
            at: Timestamp::EPOCH,
            at_ms: 0,
            event: "opened".into(),
            data: "x".repeat(length).into(),
            refused: false,
            identity: None,
            hash: "h".repeat(64),
        };
        let small = text(event(1_000_000)).unwrap();
        assert!(small.len() > 1_000_000 && small.len() < MOST_BYTES - AROUND);
        for length in [MOST_BYTES - AROUND, MOST_BYTES, 10 * MOST_BYTES] {
            let sent: serde_json::Value = serde_json::from_str(&text(event(length)).unwrap()).unwrap();
            assert_eq!(sent["data"], serde_json::json!({ "left_out_bytes": length + 2 }));
            assert_eq!((&sent["position"], &sent["event"]), (&7.into(), &"opened".into()));
        }
    }
}
