//! What is recorded of a member, and how much at most.

use super::*;
use crate::kernel::driver::Driver;
use crate::kernel::ids::{DatacenterId, NodeId};
use crate::network::member::{MemberState, NodeRole, RemovalReason};

type Known = Driver<MemberMachine>;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn node(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

fn standing(state: MemberState, incarnation: u64) -> Standing {
    Standing { state: Some(state), incarnation, role: Some(NodeRole::Manager) }
}

fn moved(from: MemberState, to: MemberState, incarnation: u64) -> Change {
    Change::Moved { from, to, incarnation, said_by: node("me"), waited: None }
}

/// The n-th step of a member that is suspected and refutes, for ever.
fn flap(n: i64) -> (Noted, Standing) {
    let (from, to) = match n % 2 {
        0 => (MemberState::Alive, MemberState::Suspect),
        _ => (MemberState::Suspect, MemberState::Alive),
    };
    let incarnation = u64::try_from(n / 2).unwrap() + 1;
    (Noted { change: moved(from, to, incarnation), at: at(n) }, standing(to, incarnation))
}

/// Records what may be taken, as the shell does.
fn record(book: &mut Notebook, known: &mut Known, now: Timestamp) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some((id, note)) = book.take(now) {
        let step = known.step(Command::Note(Box::new(note.clone())), now);
        match step.reply {
            Ok(Reply::Noted) => events.extend(step.events),
            Ok(Reply::Full { until }) => {
                assert!(step.events.is_empty() && until > now);
                book.put_back(id, note, until);
            }
            Err(never) => match never {},
        }
    }
    events
}

#[test]
fn a_life_is_recorded_change_by_change() {
    let (mut book, mut known) = (Notebook::new(node("me")), Known::default());
    let id = node("m1");
    let life = [
        (Change::Discovered { said_by: Some(node("g1")) }, standing(MemberState::Unconfirmed, 3)),
        (Change::RoleLearned { role: NodeRole::Manager }, standing(MemberState::Unconfirmed, 3)),
        (Change::Confirmed, standing(MemberState::Alive, 3)),
        (moved(MemberState::Alive, MemberState::Suspect, 3), standing(MemberState::Suspect, 3)),
        (moved(MemberState::Suspect, MemberState::Down, 3), standing(MemberState::Down, 3)),
        (Change::Removed { reason: RemovalReason::RetentionExpired }, Standing::default()),
    ];
    for (n, (change, standing)) in life.into_iter().enumerate() {
        book.note(&id, Noted { change, at: at(n as i64) }, &standing);
    }
    let names: Vec<&str> = record(&mut book, &mut known, at(9)).iter().map(Event::name).collect();
    assert_eq!(names, ["discovered", "role_learned", "confirmed", "moved", "moved", "removed"]);
    let state = known.state();
    assert_eq!((state.standing.state, state.standing.incarnation), (None, 3));
    assert_eq!((state.changes, state.died, state.since), (6, 1, Some(at(5))));
    assert!(book.is_empty());
}

#[test]
fn a_member_that_comes_and_goes_without_end_is_counted_and_does_not_fill_the_journal() {
    let (mut book, mut known) = (Notebook::new(node("me")), Known::default());
    let (mut happened, mut events) = (0, Vec::new());
    let hours = 2;
    for n in 0..hours * 3_600 {
        let (noted, standing) = flap(n);
        book.note(&node("m1"), noted, &standing);
        happened += 1;
        let more = record(&mut book, &mut known, at(n));
        events.extend(more.into_iter().map(|event| (n, event)));
        assert!(book.len() < 1_000_000);
    }
    let end = hours * 3_600 + 600;
    events.extend(record(&mut book, &mut known, at(end)).into_iter().map(|event| (end, event)));
    let most = usize::try_from(hours * 6 + 1).unwrap() * BURST;
    assert!(events.len() <= most, "{} events of {happened} changes", events.len());
    assert!(events.iter().any(|(_, event)| matches!(event, Event::Merged(merged) if merged.changes > 100)));
    let state = known.state();
    assert_eq!(state.changes, happened as u64, "everything is counted");
    let last = flap(hours * 3_600 - 1).1;
    assert_eq!(state.standing, last, "and what is believed at the end is on record");
    for window in events.windows(BURST + 1) {
        let [(_, first), .., (recorded, last)] = window else { unreachable!() };
        assert!(at(*recorded).since(first.at()) >= WINDOW, "{first:?} {last:?}");
    }
    let suspected: u64 = events
        .iter()
        .map(|(_, event)| match event {
            Event::Merged(merged) => merged.suspected,
            Event::Moved { to: MemberState::Suspect, .. } => 1,
            _ => 0,
        })
        .sum();
    assert_eq!(suspected, happened as u64 / 2);
}

#[test]
fn what_the_node_does_itself_is_recorded_whatever_else_was() {
    let mut known = Known::default();
    let me = standing(MemberState::Alive, 1);
    let began = Change::Began {
        role: NodeRole::Gate,
        datacenter: DatacenterId::new("paris").unwrap(),
        address: "127.0.0.1:7946".to_owned(),
        keys: vec!["aa".to_owned()],
    };
    let mut say = |change: Change, seconds: i64| {
        let note = Note::of(Noted { change, at: at(seconds) }, me.clone());
        known.step(Command::Note(Box::new(note)), at(seconds)).reply.unwrap()
    };
    assert_eq!(say(began, 0), Reply::Noted);
    for n in 0..BURST as i64 {
        assert_eq!(say(Change::IncarnationRaised { incarnation: n as u64 }, n), Reply::Noted);
    }
    assert_eq!(say(Change::IncarnationRaised { incarnation: 99 }, 20), Reply::Full { until: at(600) });
    let keys = Change::KeysChanged {
        keys: vec!["bb".to_owned()],
        added: vec!["bb".to_owned()],
        dropped: vec!["aa".to_owned()],
    };
    assert_eq!(say(keys, 21), Reply::Noted);
    assert_eq!(say(Change::IncarnationRaised { incarnation: 99 }, 600), Reply::Noted);
    assert_eq!(say(Change::Left, 601), Reply::Noted);
    assert_eq!(known.state().keys, ["bb"]);
    assert_eq!(known.state().standing.state, None);
}

#[test]
fn how_a_process_finds_a_member_is_news_only_where_the_record_says_otherwise() {
    let mut known = Known::default();
    let mut say = |found: Standing, seconds: i64| {
        let noted = Noted { change: Change::Found(found.clone()), at: at(seconds) };
        known.step(Command::Note(Box::new(Note::of(noted, found))), at(seconds)).events.len()
    };
    assert_eq!(say(standing(MemberState::Unconfirmed, 4), 1), 1);
    assert_eq!(say(standing(MemberState::Unconfirmed, 4), 2), 0);
    assert_eq!(say(Standing { role: None, ..standing(MemberState::Unconfirmed, 3) }, 3), 0);
    assert_eq!(say(standing(MemberState::Down, 4), 4), 1);
    assert_eq!(say(Standing::default(), 5), 1);
}

#[test]
fn more_names_than_there_is_room_for_are_a_number() {
    let mut book = Notebook::new(node("me"));
    let heard = |n: i64| Noted { change: Change::Discovered { said_by: None }, at: at(n) };
    for n in 0..MAX_NAMES as i64 + 7 {
        book.note(&node(&format!("n{n}")), heard(n), &standing(MemberState::Unconfirmed, 0));
    }
    assert_eq!(book.len(), MAX_NAMES as u64 + 7);
    let (changes, last) = book.take_unnamed().unwrap();
    assert_eq!((changes, last), (7, at(MAX_NAMES as i64 + 6)));
    let mut known = Known::default();
    let step = known.step(Command::CountUnnamed { changes, at: last }, last);
    assert_eq!(step.events, [Event::Unnamed { changes: 7, at: last }]);
    assert_eq!(known.state().changes, 7);
    assert_eq!(book.take_unnamed(), None);
}
