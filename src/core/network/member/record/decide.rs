//! The transition table of the [module](super).

use super::change::{Change, Event, Merged, Noted};
use super::notebook::Note;
use super::state::MemberRecord;
use super::{MemberMachine, Reply};
use crate::kernel::Decision;
use crate::kernel::time::Timestamp;

pub(super) fn note(state: &MemberRecord, note: Note, now: Timestamp) -> Decision<MemberMachine> {
    let Note { mut changes, rest, standing } = note;
    // How a process finds a member is news only where the record says otherwise.
    let is_news = |noted: &Noted| !matches!(&noted.change, Change::Found(found) if state.says(found));
    if let Some(first) = changes.first()
        && !is_news(first)
    {
        changes.remove(0);
    }
    let bounded = changes.iter().filter(|noted| !noted.change.is_own_act()).count();
    let (wanted, room) = (bounded + usize::from(rest.is_some()), state.room(now));
    if wanted > 0 && room == 0 {
        return Decision::answer(Reply::Full { until: state.room_at() });
    }
    // With less room than changes the last place is for those that are merged.
    let mut places = if wanted <= room { bounded } else { room - 1 };
    let mut merged: Option<Merged> = None;
    let mut events = Vec::with_capacity(changes.len() + 1);
    for noted in changes {
        if noted.change.is_own_act() {
            events.push(Event::of(noted, now));
        } else if places > 0 {
            places -= 1;
            events.push(Event::of(noted, now));
        } else {
            merged.get_or_insert_with(|| Merged::new(noted.at)).add(&noted);
        }
    }
    let merged = match (merged, rest) {
        (None, rest) | (rest, None) => rest,
        (Some(before), Some(rest)) => Some(before.and(&rest)),
    };
    // At no instant later than the journal's.
    events.extend(merged.map(|merged| {
        let (since, at) = (merged.since.min(now), merged.at.min(now));
        Event::Merged(Merged { since, at, standing, ..merged })
    }));
    Decision::accept(events, Reply::Noted)
}

pub(super) fn count_unnamed(
    state: &MemberRecord,
    changes: u64,
    at: Timestamp,
    now: Timestamp,
) -> Decision<MemberMachine> {
    if state.room(now) == 0 {
        return Decision::answer(Reply::Full { until: state.room_at() });
    }
    Decision::accept(vec![Event::Unnamed { changes, at: at.min(now) }], Reply::Noted)
}
