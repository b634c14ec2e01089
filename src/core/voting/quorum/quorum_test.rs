//! Opening and voting, event by event. How a quorum ends is in `quorum_close_test.rs`.

use std::time::Duration;

use super::event::{Counting, Outsiders, Refusal, VoteCast, VoteChange, VoteRefused};
use super::tally::Tally;
use super::*;
use crate::kernel::driver::Driver;
use crate::kernel::ids::{CellId, EntityId, VoterId};

#[path = "quorum_close_test.rs"]
mod close;

type Q = Driver<QuorumMachine>;

const SIX: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

fn s(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn voter(name: &str) -> VoterId {
    VoterId::new(name).unwrap()
}

/// A question to these voters, or to anyone when none are named, with 30 seconds to answer.
fn ask(quorum_type: QuorumType, voters: &[&str]) -> Start {
    Start {
        keyed: None,
        rule: None,
        quorum_type,
        required_votes: None,
        timeout: Duration::from_secs(30),
        cell_id: None,
        voters: (!voters.is_empty()).then(|| voters.iter().map(|v| voter(v)).collect()),
        named: false,
        neighbor_count: 0,
        topic: "cell/ops/hub".to_owned(),
        membership_epoch: 7,
        subject: None,
        policy: Policy::default(),
        fallback: None,
        parent: None,
    }
}

/// A quorum opened at second 0; its deadline is second 30 unless `start` says otherwise.
#[track_caller]
fn open(start: Start) -> Q {
    let mut quorum = Q::default();
    let step = quorum.step(Command::Start(Box::new(start)), s(0));
    assert_eq!((step.reply, step.events.len()), (Ok(Reply::Started), 1));
    quorum
}

fn opened(quorum: &Q) -> &Opened {
    quorum.state().opened.as_deref().unwrap()
}

fn ballot(name: &str, vote: bool, confidence: f64) -> Command {
    Command::Cast(Ballot { voter_id: voter(name), vote, confidence, reason: None })
}

fn yes(name: &str) -> Command {
    ballot(name, true, 1.0)
}

fn no(name: &str) -> Command {
    ballot(name, false, 1.0)
}

/// The record of a first vote that counts.
fn cast(name: &str, vote: bool, cast_at: Timestamp) -> VoteCast {
    VoteCast {
        voter_id: voter(name),
        vote,
        confidence: 1.0,
        cast_at,
        counting: Counting::Counted,
        supersedes: false,
    }
}

fn refused(name: &str, vote: bool, cast_at: Timestamp, refusal: Refusal) -> Event {
    Event::VoteRefused(VoteRefused { voter_id: voter(name), vote, confidence: 1.0, cast_at, refusal })
}

/// The record of an end at second 0 of a quorum opened at second 0, noticed at once.
fn closed(state: QuorumState, at: Timestamp, approvals: u32, rejections: u32) -> Closed {
    Closed {
        state,
        opened_at: s(0),
        closed_at: at,
        noticed_at: at,
        tally: tally(approvals, rejections, 0),
        decided_by: None,
        cancelled_by: None,
        reason: None,
    }
}

fn decided(state: QuorumState, by: &str, at: Timestamp, approvals: u32, rejections: u32) -> Event {
    Event::Closed(Closed { decided_by: Some(voter(by)), ..closed(state, at, approvals, rejections) })
}

fn tally(approvals: u32, rejections: u32, unconfident: u32) -> Tally {
    Tally { approvals, rejections, unconfident }
}

fn voted(counted: bool, duplicate: bool, changed: bool) -> Result<Reply, Rejection> {
    Ok(Reply::Voted(Voted { counted, duplicate, changed }))
}

const COUNTED: Result<Reply, Rejection> =
    Ok(Reply::Voted(Voted { counted: true, duplicate: false, changed: false }));

/// Steps and compares the events and the answer exactly.
#[track_caller]
fn check(q: &mut Q, command: Command, now: Timestamp, events: &[Event], reply: Result<Reply, Rejection>) {
    let step = q.step(command, now);
    assert_eq!(step.events, events);
    assert_eq!(step.reply, reply);
}

/// Starts `start` and gives the bar it got.
#[track_caller]
fn bar(start: Start) -> u32 {
    opened(&open(start)).required_votes
}

/// Starts `start` and gives the refusal; nothing may be written.
#[track_caller]
fn refusal(start: Start) -> Rejection {
    let mut quorum = Q::default();
    let step = quorum.step(Command::Start(Box::new(start)), s(0));
    assert_eq!(step.events, []);
    assert_eq!((quorum.state(), quorum.revision()), (&Quorum::default(), 0));
    step.reply.unwrap_err()
}

#[track_caller]
fn invalid_field(rejection: Rejection) -> (&'static str, String) {
    match rejection {
        Rejection::Invalid { field, given, .. } => (field, given),
        other => panic!("expected an invalid field, got {other:?}"),
    }
}

// Opening

#[test]
fn opening_records_everything_the_quorum_will_ever_decide_by() {
    let start = Start {
        cell_id: Some(CellId::new("hub").unwrap()),
        voters: Some(vec![voter("c"), voter("a"), voter("b")]),
        neighbor_count: 3,
        subject: Some(("ship it?".to_owned(), "d1gest".to_owned())),
        parent: Some(EntityId::new("earlier").unwrap()),
        ..ask(QuorumType::Local, &[])
    };
    let expected = Opened {
        quorum_type: QuorumType::Local,
        required_votes: 2,
        opened_at: s(5),
        deadline: s(35),
        cell_id: Some(CellId::new("hub").unwrap()),
        neighbor_count: 3,
        electorate: Electorate::Closed(vec![voter("a"), voter("b"), voter("c")]),
        topic: "cell/ops/hub".to_owned(),
        membership_epoch: 7,
        subject: Some("ship it?".to_owned()),
        subject_digest: Some("d1gest".to_owned()),
        policy: Policy::default(),
        fallback: None,
        parent: Some(EntityId::new("earlier").unwrap()),
    };
    let mut quorum = Q::default();
    let opened = Event::Opened(Box::new(expected));
    check(&mut quorum, Command::Start(Box::new(start)), s(5), &[opened], Ok(Reply::Started));
    assert_eq!(quorum.state().state(), Some(QuorumState::Open));
    assert_eq!(quorum.due(), Some(Timestamp::from_micros(35_000_001)));
}

#[test]
fn before_it_is_opened_a_quorum_is_not_found_and_a_tick_means_nothing() {
    let mut quorum = Q::default();
    let cancel = Command::Cancel(Cancel { by: None, reason: None });
    for command in [yes("a"), ballot("a", true, f64::NAN), cancel, Command::RecordFallback(Ok(()))] {
        check(&mut quorum, command, s(0), &[], Err(Rejection::NotFound));
    }
    check(&mut quorum, Command::Tick, s(0), &[], Ok(Reply::Done));
    assert_eq!((quorum.due(), quorum.state().state()), (None, None));
}

#[test]
fn an_id_in_use_is_refused_whether_the_quorum_is_open_or_closed() {
    let mut quorum = open(Start { required_votes: Some(1), ..ask(QuorumType::Local, &SIX) });
    let again = || Command::Start(Box::new(ask(QuorumType::Global, &["z"])));
    check(&mut quorum, again(), s(1), &[], Err(Rejection::AlreadyExists));
    quorum.step(yes("a"), s(2));
    let before = quorum.state().clone();
    check(&mut quorum, again(), s(3), &[], Err(Rejection::AlreadyExists));
    assert_eq!(quorum.state(), &before);
}

#[test]
fn a_local_quorum_needs_four_of_six_two_thirds_of_fewer_and_four_of_unknown() {
    assert_eq!(bar(ask(QuorumType::Local, &SIX)), 4);
    let smaller: Vec<u32> = (1..=5).map(|n| bar(ask(QuorumType::Local, &SIX[..n]))).collect();
    assert_eq!(smaller, [1, 2, 2, 3, 4]);
    assert_eq!(bar(ask(QuorumType::Local, &[])), 4);
}

#[test]
fn a_ring_and_an_arm_need_a_majority_three_or_two_of_unknown() {
    for kind in [QuorumType::Ring, QuorumType::Radial] {
        let bars: Vec<u32> = (1..=6).map(|n| bar(ask(kind, &SIX[..n]))).collect();
        assert_eq!(bars, [1, 2, 2, 3, 3, 4]);
    }
    assert_eq!(bar(ask(QuorumType::Ring, &[])), 3);
    assert_eq!(bar(ask(QuorumType::Radial, &[])), 2);
}

#[test]
fn one_authority_decides_a_global_quorum() {
    assert_eq!(bar(ask(QuorumType::Global, &SIX)), 1);
    assert_eq!(bar(ask(QuorumType::Global, &[])), 1);
}

#[test]
fn voters_named_one_by_one_need_a_majority_of_a_global_quorum_too() {
    let named = |kind, n: usize| {
        let voters: Vec<String> = (0..n).map(|v| format!("v{v}")).collect();
        let voters: Vec<&str> = voters.iter().map(String::as_str).collect();
        bar(Start { named: true, ..ask(kind, &voters) })
    };
    let bars: Vec<u32> = [1, 2, 3, 8, 9].map(|n| named(QuorumType::Global, n)).into();
    assert_eq!(bars, [1, 2, 2, 5, 5]);
    assert_eq!((named(QuorumType::Ring, 9), named(QuorumType::Radial, 9)), (5, 5));
    assert_eq!(named(QuorumType::Local, 9), 6);
    let asked = Start { named: true, required_votes: Some(1), ..ask(QuorumType::Global, &SIX) };
    assert_eq!(bar(asked), 1, "a number that is given stands");
}

#[test]
fn a_reason_is_kept_with_the_vote_and_with_a_refused_one_each_reason_once() {
    let because = |name: &str, vote, reason: &str| {
        Command::Cast(Ballot {
            voter_id: voter(name),
            vote,
            confidence: 1.0,
            reason: Some(reason.to_owned()),
        })
    };
    let mut q = open(Start { required_votes: Some(1), ..ask(QuorumType::Local, &["a", "b"]) });
    let step = q.step(because("a", true, "it is due"), s(1));
    let [Event::VoteCastWithReason(with), Event::Closed(_)] = step.events.as_slice() else {
        panic!("{:?}", step.events)
    };
    assert_eq!((&with.cast, with.reason.as_str()), (&cast("a", true, s(1)), "it is due"));
    // The dissent that comes after an early decision.
    let step = q.step(because("b", false, "it will break"), s(2));
    assert_eq!(step.reply, Err(Rejection::Closed { state: QuorumState::Approved }));
    let [Event::VoteRefusedWithReason(with)] = step.events.as_slice() else { panic!("{:?}", step.events) };
    assert_eq!((with.refused.refusal, with.reason.as_str()), (Refusal::Late, "it will break"));
    assert_eq!(q.step(because("b", false, "it will break"), s(3)).events, []);
    assert_eq!(q.step(because("b", false, "and soon"), s(4)).events.len(), 1);
    assert_eq!(q.state().votes[&voter("a")].reason.as_deref(), Some("it is due"));
    // A repeat changes nothing, with whatever reason it comes.
    assert_eq!(q.step(because("a", true, "other"), s(5)).events, []);
}

#[test]
fn a_required_number_is_one_to_the_number_of_voters() {
    let asked = |required| Start { required_votes: Some(required), ..ask(QuorumType::Ring, &SIX) };
    assert_eq!(bar(asked(1)), 1);
    assert_eq!(bar(asked(6)), 6);
    assert_eq!(refusal(asked(7)), Rejection::Unreachable { required: 7, voters: 6 });
    assert_eq!(refusal(asked(u32::MAX)), Rejection::Unreachable { required: u32::MAX, voters: 6 });
    assert_eq!(invalid_field(refusal(asked(0))), ("required_votes", "0".to_owned()));
}

#[test]
fn in_an_open_electorate_the_required_number_is_bounded_by_the_most_voters_there_can_be() {
    let policy = Policy { max_voters: 9, ..Policy::default() };
    let asked = |required| Start { required_votes: Some(required), policy, ..ask(QuorumType::Ring, &[]) };
    assert_eq!(bar(asked(9)), 9);
    assert_eq!(invalid_field(refusal(asked(10))), ("required_votes", "10".to_owned()));
    assert_eq!(invalid_field(refusal(asked(0))), ("required_votes", "0".to_owned()));
    let default_too_high = Start {
        policy: Policy { max_voters: 2, ..Policy::default() },
        required_votes: None,
        ..ask(QuorumType::Ring, &[])
    };
    assert_eq!(invalid_field(refusal(default_too_high)), ("required_votes", "3".to_owned()));
}

#[test]
fn a_question_without_time_or_voters_or_with_a_voter_named_twice_is_refused() {
    let no_time = Start { timeout: Duration::ZERO, ..ask(QuorumType::Local, &SIX) };
    assert_eq!(invalid_field(refusal(no_time)).0, "timeout_seconds");
    let nobody = Start { voters: Some(Vec::new()), ..ask(QuorumType::Local, &[]) };
    assert_eq!(invalid_field(refusal(nobody)), ("voters", "[]".to_owned()));
    let twice = ask(QuorumType::Local, &["a", "b", "a"]);
    assert_eq!(invalid_field(refusal(twice)), ("voters", "a".to_owned()));
}

#[test]
fn a_confidence_floor_outside_zero_to_one_is_refused() {
    let floor = |min_confidence| Start {
        policy: Policy { min_confidence, ..Policy::default() },
        ..ask(QuorumType::Local, &SIX)
    };
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.000_000_1, 1.000_000_1] {
        assert_eq!(invalid_field(refusal(floor(bad))).0, "min_confidence", "{bad}");
    }
    assert_eq!((bar(floor(0.0)), bar(floor(1.0))), (4, 4));
}

#[test]
fn a_global_quorum_has_no_fallback() {
    let plan = FallbackPlan { child_id: EntityId::new("child").unwrap(), timeout_us: 1 };
    let start = |kind| Start { fallback: Some(plan.clone()), ..ask(kind, &SIX) };
    assert_eq!(invalid_field(refusal(start(QuorumType::Global))).0, "cmp_fallback");
    for kind in [QuorumType::Local, QuorumType::Ring, QuorumType::Radial] {
        assert_eq!(opened(&open(start(kind))).fallback, Some(plan.clone()));
    }
}

// Votes

#[test]
fn a_first_vote_of_a_voter_is_recorded_and_counted() {
    let mut q = open(ask(QuorumType::Local, &SIX));
    check(&mut q, yes("a"), s(1), &[Event::VoteCast(cast("a", true, s(1)))], COUNTED);
    check(&mut q, no("b"), s(2), &[Event::VoteCast(cast("b", false, s(2)))], COUNTED);
    assert_eq!(q.state().tally(), tally(1, 1, 0));
}

#[test]
fn confidence_is_a_number_from_zero_to_one_and_never_decides() {
    let mut q = open(ask(QuorumType::Local, &["a", "b"]));
    let before = q.state().clone();
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.000_000_1, 1.000_000_1, 7.5] {
        let step = q.step(ballot("a", true, bad), s(1));
        assert_eq!(step.events, [], "{bad}");
        assert_eq!(invalid_field(step.reply.unwrap_err()), ("confidence", bad.to_string()));
    }
    assert_eq!(q.state(), &before);
    let unsure = VoteCast { confidence: 0.0, ..cast("a", true, s(2)) };
    check(&mut q, ballot("a", true, 0.0), s(2), &[Event::VoteCast(unsure)], COUNTED);
    assert_eq!(q.state().tally(), tally(1, 0, 0));
}

#[test]
fn an_outsider_is_recorded_but_touches_no_tally() {
    let mut q = open(Start { required_votes: Some(1), ..ask(QuorumType::Local, &["a", "b"]) });
    let outside = VoteCast { counting: Counting::Outsider, ..cast("z", true, s(1)) };
    check(&mut q, yes("z"), s(1), &[Event::VoteCast(outside)], voted(false, false, false));
    check(&mut q, yes("z"), s(2), &[], voted(false, true, false));
    let turned = VoteCast { counting: Counting::Outsider, supersedes: true, ..cast("z", false, s(3)) };
    check(&mut q, no("z"), s(3), &[Event::VoteCast(turned)], voted(false, false, true));
    let state = q.state();
    assert_eq!((state.tally(), state.outsiders, &state.last_counted), (Tally::default(), 1, &None));
    assert_eq!(state.voters_in_order(true), [&voter("z")]);
    assert_eq!(state.voters_in_order(false), [] as [&VoterId; 0]);
}

#[test]
fn enough_rejecting_outsiders_reject_nothing() {
    let mut q = open(ask(QuorumType::Local, &["a", "b"]));
    for name in ["x", "y", "z"] {
        q.step(no(name), s(1));
    }
    assert_eq!(q.state().state(), Some(QuorumState::Open));
}

#[test]
fn in_strict_mode_an_outsider_is_refused_and_the_attempt_recorded_once() {
    let policy = Policy { outsiders: Outsiders::Refuse, ..Policy::default() };
    let mut q = open(Start { policy, ..ask(QuorumType::Local, &SIX) });
    let not_eligible = |at| [refused("z", true, at, Refusal::NotEligible)];
    check(&mut q, yes("z"), s(1), &not_eligible(s(1)), Err(Rejection::NotEligible));
    check(&mut q, yes("z"), s(2), &[], Err(Rejection::NotEligible));
    let other = [refused("z", false, s(3), Refusal::NotEligible)];
    check(&mut q, no("z"), s(3), &other, Err(Rejection::NotEligible));
    assert_eq!((q.state().votes.len(), q.state().late_votes), (0, 0));
}

#[test]
fn the_same_vote_again_changes_nothing() {
    let mut q = open(ask(QuorumType::Local, &SIX));
    q.step(yes("a"), s(1));
    let before = q.state().clone();
    check(&mut q, yes("a"), s(2), &[], voted(true, true, false));
    check(&mut q, ballot("a", true, 0.5), s(3), &[], voted(true, true, false));
    assert_eq!(q.state(), &before);
}

#[test]
fn a_changed_vote_moves_the_count_and_can_change_back() {
    let mut q = open(ask(QuorumType::Local, &SIX));
    q.step(yes("a"), s(1));
    q.step(yes("b"), s(2));
    let turned = VoteCast { supersedes: true, ..cast("a", false, s(3)) };
    check(&mut q, no("a"), s(3), &[Event::VoteCast(turned)], voted(true, false, true));
    assert_eq!(q.state().tally(), tally(1, 1, 0));
    let back = VoteCast { supersedes: true, ..cast("a", true, s(4)) };
    check(&mut q, yes("a"), s(4), &[Event::VoteCast(back)], voted(true, false, true));
    assert_eq!(q.state().tally(), tally(2, 0, 0));
    assert_eq!(q.state().voters_in_order(false), [&voter("a"), &voter("b")]);
}

#[test]
fn a_changed_vote_can_be_the_deciding_one() {
    let mut q = open(Start { required_votes: Some(2), ..ask(QuorumType::Local, &["a", "b", "c"]) });
    q.step(no("a"), s(1));
    q.step(yes("b"), s(2));
    let turned = VoteCast { supersedes: true, ..cast("a", true, s(3)) };
    let events = [Event::VoteCast(turned), decided(QuorumState::Approved, "a", s(3), 2, 0)];
    check(&mut q, yes("a"), s(3), &events, voted(true, false, true));
}

#[test]
fn where_the_first_vote_is_final_a_change_is_refused_and_recorded_once() {
    let policy = Policy { vote_change: VoteChange::Reject, ..Policy::default() };
    let mut q = open(Start { policy, ..ask(QuorumType::Local, &SIX) });
    q.step(yes("a"), s(1));
    let held = Err(Rejection::AlreadyVoted { held: true, given: false });
    let events = [refused("a", false, s(2), Refusal::ChangeNotAllowed)];
    check(&mut q, no("a"), s(2), &events, held.clone());
    check(&mut q, no("a"), s(3), &[], held);
    check(&mut q, yes("a"), s(4), &[], voted(true, true, false));
    assert_eq!((q.state().tally(), q.state().late_votes), (tally(1, 0, 0), 0));
}

#[test]
fn a_vote_below_the_confidence_floor_stands_without_counting() {
    let policy = Policy { min_confidence: 0.5, ..Policy::default() };
    let mut q = open(Start { policy, ..ask(QuorumType::Local, &SIX) });
    let unsure = |vote, confidence, at| VoteCast {
        confidence,
        counting: Counting::LowConfidence,
        ..cast("a", vote, at)
    };
    let events = [Event::VoteCast(unsure(true, 0.49, s(1)))];
    check(&mut q, ballot("a", true, 0.49), s(1), &events, voted(false, false, false));
    check(&mut q, ballot("a", true, 0.1), s(2), &[], voted(false, true, false));
    let turned = VoteCast { supersedes: true, ..unsure(false, 0.2, s(3)) };
    let events = [Event::VoteCast(turned)];
    check(&mut q, ballot("a", false, 0.2), s(3), &events, voted(false, false, true));
    assert_eq!(q.state().tally(), tally(0, 0, 1));
    // Exactly the floor counts, and the surer vote takes the place of the unsure one.
    let sure = VoteCast { confidence: 0.5, supersedes: true, ..cast("a", false, s(4)) };
    let events = [Event::VoteCast(sure)];
    check(&mut q, ballot("a", false, 0.5), s(4), &events, voted(true, false, true));
    assert_eq!(q.state().tally(), tally(0, 1, 0));
    // A counted vote repeated with less confidence is still the same vote.
    check(&mut q, ballot("a", false, 0.1), s(5), &[], voted(true, true, false));
    let changed = VoteCast { supersedes: true, ..unsure(true, 0.3, s(6)) };
    check(&mut q, ballot("a", true, 0.3), s(6), &[Event::VoteCast(changed)], voted(false, false, true));
    assert_eq!(q.state().tally(), tally(0, 0, 1));
}

#[test]
fn the_outsiders_on_record_are_bounded_and_a_known_one_may_still_change() {
    let policy = Policy { max_outsiders: 2, ..Policy::default() };
    let mut q = open(Start { policy, ..ask(QuorumType::Local, &SIX) });
    q.step(yes("x"), s(1));
    q.step(yes("y"), s(1));
    let full = Err(Rejection::Limit { what: "outsiders", limit: 2 });
    check(&mut q, yes("z"), s(2), &[], full);
    let turned = VoteCast { counting: Counting::Outsider, supersedes: true, ..cast("x", false, s(3)) };
    check(&mut q, no("x"), s(3), &[Event::VoteCast(turned)], voted(false, false, true));
    check(&mut q, yes("a"), s(4), &[Event::VoteCast(cast("a", true, s(4)))], COUNTED);
    assert_eq!(q.state().outsiders, 2);
}

#[test]
fn the_voters_of_an_open_electorate_are_bounded_and_a_known_one_may_still_change() {
    let policy = Policy { max_voters: 2, ..Policy::default() };
    let start = Start { policy, required_votes: Some(2), ..ask(QuorumType::Local, &[]) };
    let mut q = open(start);
    q.step(no("x"), s(1));
    q.step(no("y"), s(1));
    let full = Err(Rejection::Limit { what: "voters", limit: 2 });
    check(&mut q, yes("z"), s(2), &[], full);
    let turned = VoteCast { supersedes: true, ..cast("x", true, s(3)) };
    check(&mut q, yes("x"), s(3), &[Event::VoteCast(turned)], voted(true, false, true));
    assert_eq!(q.state().tally(), tally(1, 1, 0));
}

#[test]
fn voters_are_listed_in_the_order_of_their_first_votes() {
    let mut q = open(ask(QuorumType::Local, &SIX));
    for name in ["f", "z", "b", "y", "a"] {
        q.step(no(name), s(1));
    }
    q.step(yes("f"), s(2));
    assert_eq!(q.state().state(), Some(QuorumState::Rejected), "the third rejection of six decided");
    assert_eq!(q.state().voters_in_order(false), [&voter("f"), &voter("b"), &voter("a")]);
    assert_eq!(q.state().voters_in_order(true), [&voter("z"), &voter("y")]);
}
