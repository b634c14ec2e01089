//! When a quorum asks to be woken, and what waking it does.

use proptest::prelude::*;
use quorate_core::kernel::Machine;
use quorate_core::kernel::time::Timestamp;
use quorate_core::voting::quorum::{Event, QuorumMachine, QuorumState};

use crate::script::{fork, play, recorded, script, wild_script};

fn instant(event: &Event) -> Option<Timestamp> {
    match event {
        Event::Opened(opened) => Some(opened.opened_at),
        Event::OpenedByRule(by_rule) => Some(by_rule.opened.opened_at),
        Event::VoteCast(cast) => Some(cast.cast_at),
        Event::VoteRefused(refused) => Some(refused.cast_at),
        Event::VoteCastWithReason(with) => Some(with.cast.cast_at),
        Event::VoteRefusedWithReason(with) => Some(with.refused.cast_at),
        Event::Closed(closed) => Some(closed.closed_at),
        Event::Extended(extended) => Some(extended.at),
        Event::FallbackOpened { .. } | Event::FallbackFailed { .. } | Event::Keyed(_) => None,
    }
}

proptest! {
    #[test]
    fn due_lies_after_everything_recorded_and_after_now(script in script()) {
        let mut latest = None;
        play(&script, |quorum, step, now| {
            latest = step.events.iter().filter_map(instant).chain(latest).max();
            if let Some(due) = quorum.due() {
                assert!(due > now && Some(due) > latest, "due={due}, now={now}, latest={latest:?}");
            }
            let open = quorum.state().state() == Some(QuorumState::Open);
            assert_eq!(quorum.due().is_some(), open, "exactly an open quorum waits for its deadline");
        });
    }

    #[test]
    fn nothing_happens_before_due_and_at_due_the_quorum_closes_once(script in script()) {
        let (_, mut quorum) = recorded(&script);
        if let Some(due) = quorum.due() {
            let before = Timestamp::from_micros(due.as_micros() - 1);
            prop_assert!(quorum.settle(before).events.is_empty());
            let settled = quorum.settle(due);
            prop_assert_eq!(settled.events.len(), 1);
            prop_assert_eq!(quorum.state().state(), Some(QuorumState::TimedOut));
            prop_assert_eq!(settled.effects, QuorumMachine::owed(quorum.state()));
            prop_assert_eq!(quorum.due(), None);
            prop_assert!(quorum.settle(Timestamp::MAX).events.is_empty());
        }
    }

    #[test]
    fn a_tick_is_only_a_settling(script in wild_script(), pause in 0..80i64) {
        let (_, quorum) = recorded(&script);
        let last = script.commands.last().map_or(script.opened_at, |(at, _)| *at);
        let now = Timestamp::from_micros(last.as_micros() + pause);
        let (mut ticked, mut settled) = (fork(&quorum), quorum);
        let step = ticked.step(QuorumMachine::tick(), now);
        let settling = settled.settle(now);
        prop_assert_eq!((step.events, step.effects), (settling.events, settling.effects));
        prop_assert_eq!(ticked.state(), settled.state());
    }

    #[test]
    fn a_quorum_is_woken_at_once_while_it_owes_something(script in wild_script()) {
        play(&script, |quorum, _, _| {
            let owes = !QuorumMachine::owed(quorum.state()).is_empty();
            assert_eq!(quorum.wake(), if owes { Some(Timestamp::MIN) } else { quorum.due() });
        });
    }
}
