//! Numbers nobody would send on purpose: no panic, and nothing out of range is ever recorded.

use std::time::Duration;

use proptest::num::f64 as any_f64;
use proptest::prelude::*;
use quorate_core::kernel::Machine;
use quorate_core::kernel::time::Timestamp;
use quorate_core::voting::quorum::event::{Outsiders, VoteChange};
use quorate_core::voting::quorum::{
    Cancel, Command, Electorate, Event, Policy, QuorumMachine, QuorumType, Rejection, Start,
};
use quorate_journal::codec::{decode, encode};

use crate::script::{Quorum, ballot, question, voter};

fn instant() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        Just(Timestamp::MIN),
        Just(Timestamp::MAX),
        any::<i64>().prop_map(Timestamp::from_micros),
        (-5..5i64).prop_map(Timestamp::from_micros),
    ]
}

fn number() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), 1..9u32, Just(u32::MAX), any::<u32>()]
}

fn unit() -> impl Strategy<Value = f64> {
    prop_oneof![2 => any_f64::ANY, 1 => any_f64::ANY.prop_map(|_| f64::NAN), 3 => Just(0.5), 3 => 0.0..=1.0]
}

fn start() -> impl Strategy<Value = Start> {
    let timeout = prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::MAX),
        Just(Duration::from_nanos(1)),
        any::<u64>().prop_map(Duration::from_micros),
        (1..9u64).prop_map(Duration::from_micros),
    ];
    let voters = prop::option::of(prop::collection::vec(0..9usize, 0..9));
    let kind = prop::sample::select(QuorumType::ALL.to_vec());
    let limits = (unit(), number(), number(), any::<bool>(), any::<bool>());
    (kind, prop::option::of(number()), timeout, voters, limits).prop_map(
        |(quorum_type, required, timeout, voters, (floor, max_outsiders, max_voters, replace, record))| {
            let policy = Policy {
                vote_change: if replace { VoteChange::Replace } else { VoteChange::Reject },
                outsiders: if record { Outsiders::Record } else { Outsiders::Refuse },
                min_confidence: floor,
                max_outsiders,
                max_voters,
            };
            Start {
                quorum_type,
                timeout,
                voters: voters.map(|named| named.into_iter().map(voter).collect()),
                ..question(None, required, 1, policy)
            }
        },
    )
}

fn command() -> impl Strategy<Value = Command> {
    let cast =
        (0..9usize, any::<bool>(), unit()).prop_map(|(n, vote, confidence)| ballot(n, vote, confidence));
    prop_oneof![
        8 => cast,
        1 => Just(Command::Tick),
        1 => Just(Command::Cancel(Cancel { by: None, reason: None })),
        1 => Just(Command::RecordFallback(Ok(()))),
        1 => start().prop_map(|start| Command::Start(Box::new(start))),
    ]
}

fn check_ranges(event: &Event) {
    match event {
        Event::Opened(opened) => {
            let most = match &opened.electorate {
                Electorate::Closed(voters) => voters.len() as u32,
                Electorate::Open => opened.policy.max_voters,
            };
            assert!((1..=most).contains(&opened.required_votes));
            assert!(opened.deadline >= opened.opened_at);
            assert!((0.0..=1.0).contains(&opened.policy.min_confidence));
        }
        Event::OpenedByRule(by_rule) => check_ranges(&Event::Opened(Box::new(by_rule.opened.clone()))),
        Event::VoteCast(cast) => assert!((0.0..=1.0).contains(&cast.confidence)),
        Event::VoteRefused(refused) => assert!((0.0..=1.0).contains(&refused.confidence)),
        Event::VoteCastWithReason(with) => check_ranges(&Event::VoteCast(with.cast.clone())),
        Event::VoteRefusedWithReason(with) => check_ranges(&Event::VoteRefused(with.refused.clone())),
        Event::Closed(_)
        | Event::FallbackOpened { .. }
        | Event::FallbackFailed { .. }
        | Event::Keyed(_)
        | Event::Extended(_) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_panics_and_nothing_out_of_range_is_recorded(
        commands in prop::collection::vec((instant(), command()), 1..20),
        opening in start(),
    ) {
        let mut quorum = Quorum::default();
        let opening = (Timestamp::EPOCH, Command::Start(Box::new(opening)));
        for (now, command) in std::iter::once(opening).chain(commands) {
            // The owner settles first; the decider must hold its own without that, too.
            let decided = QuorumMachine::decide(quorum.state(), command.clone(), now, &());
            if let Ok(decision) = decided {
                let bad_input = matches!(decision.reply, Err(Rejection::Invalid { .. }));
                prop_assert!(!bad_input, "bad input is refused without a record");
            }
            for event in quorum.step(command, now).events {
                check_ranges(&event);
                prop_assert_eq!(decode::<Event>(&encode(&event).unwrap()).unwrap(), event);
            }
            prop_assert!(quorum.due().is_none_or(|due| due > now), "nothing stays due");
        }
        quorum.settle(Timestamp::MAX);
        prop_assert_eq!(quorum.due(), None, "nothing stays due at the end of time");
    }
}
