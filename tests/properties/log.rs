//! A referee that reads a log and knows nothing of the machine: it counts naively and says what may stand where.

use std::collections::BTreeSet;

use proptest::prelude::*;
use quorate_core::kernel::ids::VoterId;
use quorate_core::voting::quorum::audit::votes_on_record;
use quorate_core::voting::quorum::event::{Counting, Outsiders, Refusal, VoteCast, VoteChange};
use quorate_core::voting::quorum::stats::QuorumStats;
use quorate_core::voting::quorum::tally::Tally;
use quorate_core::voting::quorum::{Electorate, Event, Opened, QuorumState, Rejection, Reply};

use crate::script::{Script, play, recorded, wild_script};

/// The question, when the log holds one.
fn opened(events: &[Event]) -> Option<&Opened> {
    events.iter().find_map(|e| if let Event::Opened(opened) = e { Some(&**opened) } else { None })
}

fn casts(events: &[Event]) -> impl DoubleEndedIterator<Item = &VoteCast> {
    events.iter().filter_map(|e| if let Event::VoteCast(cast) = e { Some(cast) } else { None })
}

/// Whether a vote counts, from the rules alone.
fn counting(opened: &Opened, cast: &VoteCast) -> Counting {
    let eligible = match &opened.electorate {
        Electorate::Open => true,
        Electorate::Closed(voters) => voters.contains(&cast.voter_id),
    };
    match (eligible, cast.confidence >= opened.policy.min_confidence) {
        (false, _) => Counting::Outsider,
        (true, false) => Counting::LowConfidence,
        (true, true) => Counting::Counted,
    }
}

/// The last vote of each voter, latest first.
fn standing(events: &[Event]) -> Vec<&VoteCast> {
    let mut seen = BTreeSet::new();
    casts(events).rev().filter(|cast| seen.insert(&cast.voter_id)).collect()
}

fn recount(opened: &Opened, events: &[Event]) -> Tally {
    let count = |bears: &dyn Fn(&VoteCast, Counting) -> bool| {
        standing(events).into_iter().filter(|cast| bears(cast, counting(opened, cast))).count() as u32
    };
    Tally {
        approvals: count(&|cast, counting| counting == Counting::Counted && cast.vote),
        rejections: count(&|cast, counting| counting == Counting::Counted && !cast.vote),
        unconfident: count(&|_, counting| counting == Counting::LowConfidence),
    }
}

/// How the count stands: decided one way or the other, or not yet.
fn verdict(opened: &Opened, tally: Tally) -> Option<QuorumState> {
    if tally.approvals >= opened.required_votes {
        return Some(QuorumState::Approved);
    }
    let Electorate::Closed(voters) = &opened.electorate else { return None };
    let outstanding = voters.len() as u32 - tally.approvals - tally.rejections - tally.unconfident;
    (tally.approvals + outstanding < opened.required_votes).then_some(QuorumState::Rejected)
}

/// May this vote stand in a log after `before`?
fn check_cast(opened: &Opened, before: &[Event], cast: &VoteCast) {
    let earlier = standing(before).into_iter().find(|c| c.voter_id == cast.voter_id);
    assert!(cast.cast_at <= opened.deadline, "late votes do not stand: {cast:?}");
    assert_eq!(verdict(opened, recount(opened, before)), None, "nothing is left to decide: {cast:?}");
    assert!((0.0..=1.0).contains(&cast.confidence));
    assert_eq!(cast.counting, counting(opened, cast));
    assert_eq!(cast.supersedes, earlier.is_some());
    if let Some(earlier) = earlier {
        assert_eq!(opened.policy.vote_change, VoteChange::Replace);
        assert!((earlier.vote, earlier.counting) != (cast.vote, cast.counting), "a duplicate: {cast:?}");
    }
    if cast.counting == Counting::Outsider {
        assert_eq!(opened.policy.outsiders, Outsiders::Record);
    }
}

/// Checks every event against the events before it.
fn check_log(events: &[Event]) {
    for (at, event) in events.iter().enumerate() {
        let before = &events[..at];
        let closed = before.iter().any(|e| matches!(e, Event::Closed(_)));
        let Some(opened) = opened(before) else {
            assert!(
                matches!(event, Event::Opened(_)) && at == 0,
                "a log starts with the question: {event:?}"
            );
            continue;
        };
        let tally = recount(opened, before);
        match event {
            Event::Opened(_) | Event::OpenedByRule(_) => panic!("opened twice"),
            Event::VoteCastWithReason(_) | Event::VoteRefusedWithReason(_) => {
                panic!("nobody gave a reason")
            }
            Event::VoteCast(cast) => {
                assert!(!closed);
                check_cast(opened, before, cast);
            }
            Event::VoteRefused(refused) => {
                assert_eq!(refused.refusal == Refusal::Late, closed);
                let stands = |c: &&VoteCast| c.voter_id == refused.voter_id && c.vote == refused.vote;
                let repeated = standing(before).into_iter().find(stands);
                assert!(
                    repeated.is_none_or(|c| c.counting == Counting::LowConfidence),
                    "the same vote again is a duplicate, never refused: {refused:?}"
                );
                let same = |e: &Event| match e {
                    Event::VoteRefused(r) => {
                        (&r.voter_id, r.vote, r.refusal) == (&refused.voter_id, refused.vote, refused.refusal)
                    }
                    _ => false,
                };
                assert!(!before.iter().any(same), "the identical attempt is on record: {refused:?}");
            }
            Event::Closed(end) => {
                assert!(!closed, "closed twice");
                assert_eq!((end.tally, end.opened_at), (tally, opened.opened_at));
                match (verdict(opened, tally), end.state) {
                    (Some(decided), state) => {
                        assert_eq!(state, decided);
                        let last = casts(before).next_back().unwrap();
                        assert_eq!(
                            (end.closed_at, &end.decided_by),
                            (last.cast_at, &Some(last.voter_id.clone()))
                        );
                    }
                    (None, QuorumState::TimedOut) => {
                        assert_eq!(end.closed_at, opened.deadline);
                        assert!(end.noticed_at > opened.deadline, "the deadline itself is on time");
                    }
                    (None, state) => assert_eq!(state, QuorumState::Cancelled),
                }
            }
            Event::Keyed(_) => assert_eq!(before.len(), 1, "right behind the opening"),
            Event::Extended(_) => panic!("nobody asked for more time"),
            Event::FallbackOpened { .. } | Event::FallbackFailed { .. } => {
                let timed_out = |e: &Event| matches!(e, Event::Closed(c) if c.state == QuorumState::TimedOut);
                assert!(opened.fallback.is_some() && before.iter().any(timed_out));
                assert!(!before.iter().any(|e| e.name().starts_with("fallback")), "recorded twice");
            }
        }
    }
    let decided = opened(events).and_then(|opened| verdict(opened, recount(opened, events)));
    let closed = events.iter().any(|e| matches!(e, Event::Closed(_)));
    assert!(closed || decided.is_none(), "the deciding vote closes at once");
}

proptest! {
    #[test]
    fn the_tally_is_the_naive_recount_of_the_log_after_every_step(script in wild_script()) {
        let mut events: Vec<Event> = Vec::new();
        play(&script, |quorum, step, _| {
            events.extend(step.events.iter().cloned());
            if let Some(opened) = opened(&events) {
                let state = quorum.state();
                assert_eq!(state.tally(), recount(opened, &events));
                let outside = |cast: &&VoteCast| counting(opened, cast) == Counting::Outsider;
                assert_eq!(state.outsiders as usize, standing(&events).iter().filter(|c| outside(c)).count());
                assert!(state.outsiders <= opened.policy.max_outsiders);
                if opened.electorate == Electorate::Open {
                    assert!(state.votes.len() <= opened.policy.max_voters as usize);
                }
            }
        });
    }

    #[test]
    fn every_event_may_stand_where_it_stands(script in wild_script()) {
        check_log(&recorded(&script).0);
    }

    #[test]
    fn the_standing_votes_are_those_the_audit_does_not_call_superseded_or_refused(script in wild_script()) {
        let (events, quorum) = recorded(&script);
        let audit = votes_on_record((1..).zip(&events));
        let mut from_audit: Vec<_> = audit
            .iter()
            .filter(|v| !v.superseded && !v.refused)
            .map(|v| (v.voter_id.clone(), v.vote, v.cast_at, v.counted))
            .collect();
        from_audit.sort();
        let from_state: Vec<_> = quorum
            .state()
            .votes
            .iter()
            .map(|(id, v)| (id.clone(), v.vote, v.cast_at, v.counting == Counting::Counted))
            .collect();
        prop_assert_eq!(from_audit, from_state);
    }

    #[test]
    fn voters_are_listed_by_their_first_votes(script in wild_script()) {
        let (events, quorum) = recorded(&script);
        for outsiders in [false, true] {
            let mut first: Vec<&VoterId> = Vec::new();
            for cast in casts(&events).filter(|c| (c.counting == Counting::Outsider) == outsiders) {
                if !first.contains(&&cast.voter_id) {
                    first.push(&cast.voter_id);
                }
            }
            prop_assert_eq!(quorum.state().voters_in_order(outsiders), first);
        }
    }

    #[test]
    fn the_answer_to_a_vote_says_what_the_record_says(script in wild_script()) {
        play(&script, |quorum, step, _| {
            // Before the answer there may be the close of an expired quorum; after a deciding vote there is one.
            let cast = casts(&step.events).next();
            let refused = step.events.iter().any(|e| matches!(e, Event::VoteRefused(_)));
            match &step.reply {
                Ok(Reply::Voted(voted)) => {
                    assert_eq!((voted.duplicate, refused), (cast.is_none(), false));
                    if let Some(cast) = cast {
                        assert_eq!(voted.counted, cast.counting == Counting::Counted);
                        assert_eq!(voted.changed, cast.supersedes);
                    }
                }
                Ok(_) => assert!(cast.is_none() && !refused),
                Err(rejection) => {
                    assert!(cast.is_none());
                    let state = quorum.state().state();
                    match rejection {
                        Rejection::Closed { state: told } => assert_eq!(Some(*told), state),
                        Rejection::TimedOut { elapsed_seconds } => {
                            assert_eq!(state, Some(QuorumState::TimedOut));
                            assert_eq!(*elapsed_seconds, script.start.timeout.as_secs_f64());
                        }
                        Rejection::AlreadyVoted { .. } | Rejection::NotEligible | Rejection::Limit { .. } => {
                            assert_eq!(state, Some(QuorumState::Open));
                        }
                        Rejection::AlreadyExists | Rejection::Unreachable { .. } | Rejection::Unmeetable(_) => assert!(!refused),
                        Rejection::NotFound | Rejection::Invalid { .. } => assert_eq!((state, refused), (None, false)),
                    }
                }
            }
        });
    }

    #[test]
    fn the_end_is_final(script in wild_script()) {
        let mut end = None;
        play(&script, |quorum, _, _| {
            let state = quorum.state();
            if let Some(closed) = &state.closed {
                let now = (closed.clone(), state.tally(), state.votes.clone(), state.opened.clone());
                assert_eq!(end.get_or_insert_with(|| now.clone()), &now);
                assert_eq!(quorum.due(), None);
            }
            assert_eq!(state.closed.is_some(), end.is_some());
        });
    }

    #[test]
    fn the_statistics_of_one_log_agree_with_its_quorum(script in wild_script()) {
        let (events, quorum) = recorded(&script);
        let mut stats = QuorumStats::default();
        events.iter().for_each(|event| stats.apply(event));
        let state = quorum.state();
        prop_assert_eq!(stats.opened, u64::from(state.opened.is_some()));
        prop_assert_eq!(stats.closed(), u64::from(state.closed.is_some()));
        prop_assert_eq!(stats.late_votes, u64::from(state.late_votes));
        prop_assert_eq!(stats.votes, casts(&events).count() as u64);
        prop_assert_eq!(stats.votes - stats.changed_votes, state.votes.len() as u64);
    }
}

/// The scripts must reach every kind of end and refusal, or the laws above say little.
#[test]
fn the_scripts_reach_every_kind_of_event_and_end() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for _ in 0..2000 {
        let script: Script = wild_script().new_tree(&mut runner).unwrap().current();
        for event in recorded(&script).0 {
            seen.insert(match &event {
                Event::Closed(end) => end.state.name().to_owned(),
                Event::VoteRefused(refused) => format!("{:?}", refused.refusal),
                Event::VoteCast(cast) => format!("{:?} {}", cast.counting, cast.supersedes),
                other => other.name().to_owned(),
            });
        }
    }
    let expected = [
        "ChangeNotAllowed",
        "Counted false",
        "Counted true",
        "Late",
        "LowConfidence false",
        "LowConfidence true",
        "NotEligible",
        "Outsider false",
        "Outsider true",
        "approved",
        "cancelled",
        "fallback_failed",
        "fallback_opened",
        "opened",
        "rejected",
        "timed_out",
    ];
    assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}
