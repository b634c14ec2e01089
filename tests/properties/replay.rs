//! The log is the quorum: nothing is lost or invented between memory and record.

use proptest::prelude::*;
use quorate_core::kernel::time::Timestamp;
use quorate_core::voting::quorum::{Event, Quorum as State, QuorumState};
use quorate_journal::codec::{decode, encode};

use crate::script::{Quorum, play, recorded, wild_script};

fn replayed<'a>(events: impl IntoIterator<Item = &'a Event>) -> Quorum {
    let mut quorum = Quorum::default();
    events.into_iter().for_each(|event| quorum.replay(event));
    quorum
}

fn bytes(events: &[Event]) -> Vec<Vec<u8>> {
    events.iter().map(|event| encode(event).unwrap()).collect()
}

proptest! {
    #[test]
    fn replay_gives_the_live_quorum(script in wild_script()) {
        let (events, live) = recorded(&script);
        let again = replayed(&events);
        prop_assert_eq!(again.state(), live.state());
        prop_assert_eq!((again.revision(), live.revision()), (live.revision(), events.len() as u64));
        prop_assert_eq!((again.due(), again.wake()), (live.due(), live.wake()));
    }

    #[test]
    fn replay_of_stored_bytes_gives_the_live_quorum(script in wild_script()) {
        let (events, live) = recorded(&script);
        let decoded: Vec<Event> = bytes(&events).iter().map(|b| decode(b).unwrap()).collect();
        prop_assert_eq!(&decoded, &events);
        let again = replayed(&decoded);
        prop_assert_eq!(again.state(), live.state());
        let snapshot: State = decode(&encode(live.state()).unwrap()).unwrap();
        prop_assert_eq!(&snapshot, live.state());
    }

    #[test]
    fn the_same_script_gives_the_same_bytes(script in wild_script()) {
        let (first, second) = (recorded(&script), recorded(&script.clone()));
        prop_assert_eq!(bytes(&first.0), bytes(&second.0));
        prop_assert_eq!(encode(first.1.state()).unwrap(), encode(second.1.state()).unwrap());
    }

    #[test]
    fn each_step_stands_on_the_revision_before_it(script in wild_script()) {
        let mut revision = 0;
        play(&script, |quorum, step, _| {
            assert_eq!(step.from, revision);
            revision += step.events.len() as u64;
            assert_eq!(quorum.revision(), revision);
        });
    }

    #[test]
    fn rebuilding_from_the_log_before_every_step_changes_nothing(script in wild_script()) {
        let (straight, live) = recorded(&script);
        let mut log: Vec<Event> = Vec::new();
        let mut reborn = Quorum::default();
        let start = quorate_core::voting::quorum::Command::Start(Box::new(script.start.clone()));
        for (now, command) in std::iter::once(&(script.opened_at, start)).chain(&script.commands) {
            reborn = replayed(&log);
            log.extend(reborn.step(command.clone(), *now).events);
        }
        prop_assert_eq!(bytes(&log), bytes(&straight));
        prop_assert_eq!(reborn.state(), live.state());
    }

    #[test]
    fn a_log_cut_before_its_close_settles_to_the_same_end(script in wild_script()) {
        let (events, _) = recorded(&script);
        let cut = events.iter().position(|e| matches!(e, Event::Closed(c) if c.state != QuorumState::Cancelled));
        if let Some(cut) = cut {
            let mut survivor = replayed(&events[..cut]);
            let later = Timestamp::from_micros(1_000_000_000);
            let settled = survivor.settle(later).events;
            prop_assert_eq!(settled.len(), 1);
            prop_assert!(survivor.settle(later).events.is_empty());
            let (Event::Closed(before), Event::Closed(after)) = (&events[cut], &settled[0]) else {
                return Err(TestCaseError::fail("settling closes"));
            };
            let mut expected = before.clone();
            expected.noticed_at = later;
            prop_assert_eq!(after, &expected);
        }
    }
}
