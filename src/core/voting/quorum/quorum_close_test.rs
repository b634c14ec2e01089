//! How a quorum ends, what is refused afterwards, and what the log says about it.

use super::super::audit::{AuditVote, votes_on_record};
use super::super::state::Fallback;
use super::super::stats::QuorumStats;
use super::*;

fn us(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn timed_out(noticed_at: Timestamp, approvals: u32, rejections: u32) -> Event {
    let closed = closed(QuorumState::TimedOut, s(30), approvals, rejections);
    Event::Closed(Closed { noticed_at, ..closed })
}

fn cancel() -> Command {
    Command::Cancel(Cancel { by: Some("ops".to_owned()), reason: Some("moot".to_owned()) })
}

fn plan() -> FallbackPlan {
    FallbackPlan { child_id: EntityId::new("child").unwrap(), timeout_us: 5_000_000 }
}

/// Two voters, both needed, with a fallback.
fn with_fallback() -> Start {
    Start { fallback: Some(plan()), ..ask(QuorumType::Local, &["a", "b"]) }
}

/// Runs the commands and gives every recorded event with its place in the log.
fn log(start: Start, commands: Vec<(i64, Command)>) -> Vec<(u64, Event)> {
    let mut q = Q::default();
    let mut events = q.step(Command::Start(Box::new(start)), s(0)).events;
    for (at, command) in commands {
        events.extend(q.step(command, s(at)).events);
    }
    (1..).zip(events).collect()
}

// Decisions

#[test]
fn the_last_needed_approval_approves_at_once() {
    let mut q = open(ask(QuorumType::Local, &SIX));
    for name in ["a", "b", "c"] {
        check(&mut q, yes(name), s(1), &[Event::VoteCast(cast(name, true, s(1)))], COUNTED);
    }
    let events = [Event::VoteCast(cast("d", true, s(2))), decided(QuorumState::Approved, "d", s(2), 4, 0)];
    check(&mut q, yes("d"), s(2), &events, COUNTED);
    assert_eq!(q.state().state(), Some(QuorumState::Approved));
    assert_eq!((q.due(), q.wake()), (None, None));
}

#[test]
fn rejections_equal_to_the_slack_leave_it_open_and_one_more_rejects() {
    // Six voters and a bar of four leave a slack of two.
    let mut q = open(ask(QuorumType::Local, &SIX));
    q.step(no("a"), s(1));
    check(&mut q, no("b"), s(1), &[Event::VoteCast(cast("b", false, s(1)))], COUNTED);
    let events = [Event::VoteCast(cast("c", false, s(2))), decided(QuorumState::Rejected, "c", s(2), 0, 3)];
    check(&mut q, no("c"), s(2), &events, COUNTED);
}

#[test]
fn where_everyone_is_needed_the_first_rejection_rejects() {
    let mut q = open(Start { required_votes: Some(6), ..ask(QuorumType::Local, &SIX) });
    let events = [Event::VoteCast(cast("f", false, s(1))), decided(QuorumState::Rejected, "f", s(1), 0, 1)];
    check(&mut q, no("f"), s(1), &events, COUNTED);
}

#[test]
fn where_one_is_enough_only_the_last_rejection_rejects() {
    let mut q = open(ask(QuorumType::Global, &["a", "b"]));
    check(&mut q, no("a"), s(1), &[Event::VoteCast(cast("a", false, s(1)))], COUNTED);
    let events = [Event::VoteCast(cast("b", false, s(2))), decided(QuorumState::Rejected, "b", s(2), 0, 2)];
    check(&mut q, no("b"), s(2), &events, COUNTED);
}

#[test]
fn an_open_electorate_is_never_rejected_early() {
    let mut q = open(ask(QuorumType::Local, &[]));
    for n in 0..50 {
        check_open(&mut q, no(&format!("v{n}")));
    }
    check(&mut q, Command::Tick, s(31), &[timed_out(s(31), 0, 50)], Ok(Reply::Done));
}

#[track_caller]
fn check_open(q: &mut Q, command: Command) {
    assert_eq!((q.step(command, s(1)).reply, q.state().state()), (COUNTED, Some(QuorumState::Open)));
}

#[test]
fn votes_too_unsure_to_count_use_up_the_slack() {
    let policy = Policy { min_confidence: 0.5, ..Policy::default() };
    let mut q = open(Start { policy, ..ask(QuorumType::Local, &["a", "b", "c"]) });
    q.step(no("a"), s(1));
    let unsure = VoteCast { confidence: 0.4, counting: Counting::LowConfidence, ..cast("b", true, s(2)) };
    let end = Closed {
        tally: tally(0, 1, 1),
        decided_by: Some(voter("b")),
        ..closed(QuorumState::Rejected, s(2), 0, 0)
    };
    let events = [Event::VoteCast(unsure), Event::Closed(end)];
    check(&mut q, ballot("b", true, 0.4), s(2), &events, voted(false, false, false));
}

// The deadline

#[test]
fn a_vote_at_exactly_the_deadline_counts_and_may_decide() {
    let mut q = open(Start { required_votes: Some(1), ..ask(QuorumType::Local, &SIX) });
    let events = [Event::VoteCast(cast("a", true, s(30))), decided(QuorumState::Approved, "a", s(30), 1, 0)];
    check(&mut q, yes("a"), s(30), &events, COUNTED);
}

#[test]
fn a_vote_one_microsecond_after_the_deadline_is_late() {
    let mut q = open(Start { required_votes: Some(1), ..ask(QuorumType::Local, &SIX) });
    let late = us(30_000_001);
    let events = [timed_out(late, 0, 0), refused("a", true, late, Refusal::Late)];
    check(&mut q, yes("a"), late, &events, Err(Rejection::TimedOut { elapsed_seconds: 30.0 }));
    assert_eq!((q.state().state(), q.state().late_votes), (Some(QuorumState::TimedOut), 1));
}

#[test]
fn a_tick_at_the_deadline_does_nothing_and_one_microsecond_later_closes() {
    let mut q = open(ask(QuorumType::Local, &SIX));
    q.step(yes("a"), s(30));
    check(&mut q, Command::Tick, s(30), &[], Ok(Reply::Done));
    assert_eq!(q.due(), Some(us(30_000_001)));
    check(&mut q, Command::Tick, us(30_000_001), &[timed_out(us(30_000_001), 1, 0)], Ok(Reply::Done));
    assert_eq!(q.due(), None);
}

#[test]
fn a_timeout_noticed_after_downtime_falls_at_the_deadline() {
    let mut q = open(ask(QuorumType::Local, &SIX));
    let settled = q.settle(s(3600));
    assert_eq!(settled.events, [timed_out(s(3600), 0, 0)]);
    assert!(settled.effects.is_empty());
    assert_eq!((settled.from, q.revision()), (1, 2));
    let end = q.state().closed.as_ref().unwrap();
    assert_eq!((end.closed_at, end.noticed_at), (s(30), s(3600)));
}

#[test]
fn even_a_read_of_an_expired_quorum_settles_it_exactly_once() {
    let mut q = open(ask(QuorumType::Local, &SIX));
    assert_eq!(q.settle(s(40)).events.len(), 1);
    assert_eq!(q.settle(s(50)).events, []);
    check(&mut q, Command::Tick, s(60), &[], Ok(Reply::Done));
}

#[test]
fn a_deadline_at_the_end_of_time_never_passes_and_leaves_nothing_due() {
    let mut q = open(Start { timeout: Duration::MAX, ..ask(QuorumType::Local, &SIX) });
    assert_eq!((opened(&q).deadline, q.due()), (Timestamp::MAX, None));
    assert_eq!(q.settle(Timestamp::MAX).events, []);
    let last = Event::VoteCast(cast("a", true, Timestamp::MAX));
    check(&mut q, yes("a"), Timestamp::MAX, &[last], COUNTED);
}

// After the end

#[test]
fn the_same_vote_is_a_duplicate_also_after_every_kind_of_end() {
    let mut approved = open(ask(QuorumType::Global, &["a", "b"]));
    approved.step(yes("a"), s(1));
    check(&mut approved, yes("a"), s(99), &[], voted(true, true, false));

    let mut rejected = open(ask(QuorumType::Local, &["a", "b"]));
    rejected.step(yes("z"), s(1));
    rejected.step(no("a"), s(1));
    check(&mut rejected, no("a"), s(99), &[], voted(true, true, false));
    check(&mut rejected, yes("z"), s(99), &[], voted(false, true, false));

    let mut expired = open(ask(QuorumType::Local, &["a", "b"]));
    expired.step(yes("a"), s(1));
    check(&mut expired, yes("a"), s(99), &[timed_out(s(99), 1, 0)], voted(true, true, false));

    let mut cancelled = open(ask(QuorumType::Local, &["a", "b"]));
    cancelled.step(yes("a"), s(1));
    cancelled.step(cancel(), s(2));
    check(&mut cancelled, yes("a"), s(99), &[], voted(true, true, false));
}

#[test]
fn a_new_or_changed_vote_after_the_decision_is_refused_recorded_once_and_changes_nothing() {
    let mut q = open(ask(QuorumType::Global, &["a", "b"]));
    q.step(yes("a"), s(1));
    let (tally, votes) = (q.state().tally(), q.state().votes.clone());
    let over = Err(Rejection::Closed { state: QuorumState::Approved });
    check(&mut q, no("b"), s(2), &[refused("b", false, s(2), Refusal::Late)], over.clone());
    check(&mut q, no("b"), s(3), &[], over.clone());
    check(&mut q, no("a"), s(4), &[refused("a", false, s(4), Refusal::Late)], over.clone());
    check(&mut q, yes("b"), s(5), &[refused("b", true, s(5), Refusal::Late)], over.clone());
    check(&mut q, yes("z"), s(6), &[refused("z", true, s(6), Refusal::Late)], over);
    let state = q.state();
    assert_eq!((state.tally(), &state.votes, state.late_votes), (tally, &votes, 4));
}

#[test]
fn an_invalid_confidence_is_refused_without_a_trace_also_after_the_end() {
    let mut q = open(ask(QuorumType::Global, &["a", "b"]));
    q.step(yes("a"), s(1));
    let step = q.step(ballot("b", true, f64::NAN), s(2));
    assert_eq!(step.events, []);
    assert_eq!(invalid_field(step.reply.unwrap_err()).0, "confidence");
}

#[test]
fn a_late_attempt_is_told_from_an_earlier_refusal_of_the_same_vote() {
    let policy = Policy { outsiders: Outsiders::Refuse, ..Policy::default() };
    let mut q = open(Start { policy, ..ask(QuorumType::Global, &["a"]) });
    check(
        &mut q,
        yes("z"),
        s(1),
        &[refused("z", true, s(1), Refusal::NotEligible)],
        Err(Rejection::NotEligible),
    );
    q.step(yes("a"), s(2));
    let over = Err(Rejection::Closed { state: QuorumState::Approved });
    check(&mut q, yes("z"), s(3), &[refused("z", true, s(3), Refusal::Late)], over);
}

#[test]
fn a_rejected_quorum_stays_rejected_past_its_deadline() {
    let mut q = open(with_fallback());
    q.step(no("a"), s(1));
    let before = q.state().clone();
    check(&mut q, Command::Tick, s(3600), &[], Ok(Reply::Done));
    let over = Err(Rejection::Closed { state: QuorumState::Rejected });
    check(&mut q, cancel(), s(3600), &[], over);
    assert_eq!((q.state(), q.wake()), (&before, None));
}

// Cancel

#[test]
fn a_cancelled_quorum_keeps_its_tally_and_who_ended_it() {
    let mut q = open(with_fallback());
    q.step(yes("a"), s(1));
    let end = Closed {
        cancelled_by: Some("ops".to_owned()),
        reason: Some("moot".to_owned()),
        ..closed(QuorumState::Cancelled, s(2), 1, 0)
    };
    check(&mut q, cancel(), s(2), &[Event::Closed(end)], Ok(Reply::Cancelled { duplicate: false }));
    let other = Command::Cancel(Cancel { by: Some("dev".to_owned()), reason: None });
    check(&mut q, other, s(3), &[], Ok(Reply::Cancelled { duplicate: true }));
    let over = Err(Rejection::Closed { state: QuorumState::Cancelled });
    check(&mut q, yes("b"), s(4), &[refused("b", true, s(4), Refusal::Late)], over);
    assert_eq!((q.due(), q.wake()), (None, None), "a cancelled quorum owes no fallback");
    assert_eq!(q.state().closed.as_ref().unwrap().cancelled_by.as_deref(), Some("ops"));
}

#[test]
fn a_decided_quorum_cannot_be_cancelled_and_a_cancel_after_the_deadline_finds_it_timed_out() {
    let mut approved = open(ask(QuorumType::Global, &["a"]));
    approved.step(yes("a"), s(1));
    let over = Err(Rejection::Closed { state: QuorumState::Approved });
    check(&mut approved, cancel(), s(2), &[], over);

    let mut at_deadline = open(ask(QuorumType::Global, &["a"]));
    assert_eq!(at_deadline.step(cancel(), s(30)).reply, Ok(Reply::Cancelled { duplicate: false }));

    let mut expired = open(ask(QuorumType::Global, &["a"]));
    let late = us(30_000_001);
    let out = Err(Rejection::TimedOut { elapsed_seconds: 30.0 });
    check(&mut expired, cancel(), late, &[timed_out(late, 0, 0)], out.clone());
    check(&mut expired, cancel(), s(40), &[], out);
}

// Fallback

#[test]
fn a_timeout_owes_the_fallback_until_it_is_recorded() {
    let mut q = open(with_fallback());
    assert_eq!(q.wake(), q.due());
    let settled = q.settle(s(31));
    assert_eq!(settled.events, [timed_out(s(31), 0, 0)]);
    assert_eq!(settled.effects, [Effect::OpenFallback(plan())]);
    assert_eq!((q.state().fallback.clone(), q.wake()), (Fallback::Owed, Some(Timestamp::MIN)));
    assert_eq!(q.settle(s(32)).effects, [], "the effect is given once; afterwards it is owed");
    assert_eq!(QuorumMachine::owed(q.state()), [Effect::OpenFallback(plan())]);

    let recorded = Event::FallbackOpened { child_id: plan().child_id };
    check(&mut q, Command::RecordFallback(Ok(())), s(33), &[recorded], Ok(Reply::Done));
    assert_eq!((q.state().fallback.clone(), q.wake()), (Fallback::Opened, None));
    assert_eq!(q.state().state(), Some(QuorumState::TimedOut), "the parent stays timed out");
    check(&mut q, Command::RecordFallback(Ok(())), s(34), &[], Ok(Reply::Done));
    check(&mut q, Command::RecordFallback(Err("late".to_owned())), s(34), &[], Ok(Reply::Done));
}

#[test]
fn a_fallback_that_cannot_be_opened_is_recorded_with_its_reason_and_no_longer_owed() {
    let mut q = open(with_fallback());
    q.settle(s(31));
    let failed = Event::FallbackFailed { child_id: plan().child_id, reason: "no authorities".to_owned() };
    let record = Command::RecordFallback(Err("no authorities".to_owned()));
    check(&mut q, record, s(32), &[failed], Ok(Reply::Done));
    assert_eq!(q.state().fallback, Fallback::Failed("no authorities".to_owned()));
    assert_eq!(QuorumMachine::owed(q.state()), []);
    check(&mut q, Command::RecordFallback(Ok(())), s(33), &[], Ok(Reply::Done));
}

#[test]
fn only_a_timeout_with_a_plan_owes_a_fallback() {
    let mut rejected = open(with_fallback());
    rejected.step(no("a"), s(1));
    let mut approved = open(Start { required_votes: Some(1), ..with_fallback() });
    approved.step(yes("a"), s(1));
    let mut without_plan = open(ask(QuorumType::Local, &SIX));
    without_plan.settle(s(31));
    let mut still_open = open(with_fallback());
    for q in [&mut rejected, &mut approved, &mut without_plan, &mut still_open] {
        check(q, Command::RecordFallback(Ok(())), s(30), &[], Ok(Reply::Done));
        assert_eq!(QuorumMachine::owed(q.state()), []);
    }
}

#[test]
fn what_is_owed_is_still_owed_after_a_replay() {
    let mut events = log(with_fallback(), vec![(31, Command::Tick)]);
    let mut replayed = Q::default();
    events.iter().for_each(|(_, event)| replayed.replay(event));
    assert_eq!(QuorumMachine::owed(replayed.state()), [Effect::OpenFallback(plan())]);
    assert_eq!(replayed.wake(), Some(Timestamp::MIN));

    events.push((3, Event::FallbackOpened { child_id: plan().child_id }));
    let mut settled = Q::default();
    events.iter().for_each(|(_, event)| settled.replay(event));
    assert_eq!((QuorumMachine::owed(settled.state()), settled.wake()), (Vec::new(), None));
}

// Recovery

/// A quorum whose log ends with the deciding vote: the close was never written.
fn cut_before_the_close(start: Start, deciding: VoteCast) -> Q {
    let mut q = open(start);
    q.replay(&Event::VoteCast(deciding));
    q
}

#[test]
fn a_log_that_ends_with_the_deciding_approval_is_closed_as_of_that_vote() {
    let start = Start { required_votes: Some(1), ..with_fallback() };
    let mut q = cut_before_the_close(start, cast("a", true, s(7)));
    assert_eq!((q.state().state(), q.due()), (Some(QuorumState::Open), Some(s(7))));
    // Long past the deadline: the vote decided in time, so nothing has timed out and no fallback is owed.
    let settled = q.settle(s(3600));
    let end = Closed {
        noticed_at: s(3600),
        decided_by: Some(voter("a")),
        ..closed(QuorumState::Approved, s(7), 1, 0)
    };
    assert_eq!(settled.events, [Event::Closed(end)]);
    assert!(settled.effects.is_empty());
    assert_eq!((q.due(), q.wake()), (None, None));
    assert_eq!(q.settle(s(3601)).events, []);
}

#[test]
fn a_log_that_ends_with_the_deciding_rejection_is_closed_before_anything_else_is_answered() {
    let start = ask(QuorumType::Local, &["a", "b"]);
    let mut q = cut_before_the_close(start.clone(), cast("b", false, s(30)));
    let end = Closed {
        noticed_at: s(30),
        decided_by: Some(voter("b")),
        ..closed(QuorumState::Rejected, s(30), 0, 1)
    };
    let events = [Event::Closed(end.clone()), refused("a", true, s(30), Refusal::Late)];
    let over = || Err(Rejection::Closed { state: QuorumState::Rejected });
    check(&mut q, yes("a"), s(30), &events, over());

    let mut q = cut_before_the_close(start.clone(), cast("b", false, s(30)));
    check(&mut q, cancel(), s(31), &[Event::Closed(Closed { noticed_at: s(31), ..end.clone() })], over());

    let mut q = cut_before_the_close(start, cast("b", false, s(30)));
    let retried = [Event::Closed(Closed { noticed_at: s(31), ..end })];
    check(&mut q, no("b"), s(31), &retried, voted(true, true, false));
}

#[test]
fn an_outsider_after_the_deciding_vote_does_not_move_the_moment_of_the_decision() {
    let start = Start { required_votes: Some(1), ..ask(QuorumType::Local, &["a", "b"]) };
    let mut q = cut_before_the_close(start, cast("a", true, s(7)));
    q.replay(&Event::VoteCast(VoteCast { counting: Counting::Outsider, ..cast("z", false, s(8)) }));
    q.settle(s(9));
    let end = q.state().closed.as_ref().unwrap();
    assert_eq!((end.closed_at, end.decided_by.clone()), (s(7), Some(voter("a"))));
}

// The record

#[test]
fn the_log_holds_exactly_one_close_whatever_comes_after() {
    let mut commands = vec![(1, yes("a")), (2, yes("b"))];
    for at in 3..60 {
        commands.extend([(at, no("a")), (at, yes("b")), (at, Command::Tick), (at, cancel())]);
    }
    let events = log(ask(QuorumType::Local, &["a", "b"]), commands);
    let names: Vec<&str> = events.iter().map(|(_, e)| e.name()).collect();
    assert_eq!(names, ["opened", "vote_cast", "vote_cast", "closed", "vote_refused"]);
}

#[test]
fn the_audit_lists_every_vote_with_why_it_does_not_count() {
    let start = Start {
        policy: Policy { min_confidence: 0.5, ..Policy::default() },
        required_votes: Some(2),
        ..ask(QuorumType::Local, &["a", "b", "c", "d"])
    };
    let commands = vec![
        (1, no("a")),
        (2, yes("z")),
        (3, ballot("b", true, 0.25)),
        (4, yes("a")),
        (5, no("z")),
        (6, yes("b")),
        (7, yes("c")),
    ];
    let events = log(start, commands);
    let row = |seq, name: &str, vote, at: i64| AuditVote {
        seq,
        voter_id: voter(name),
        vote,
        confidence: 1.0,
        cast_at: s(at),
        counted: true,
        superseded: false,
        reason: None,
        voter_reason: None,
        refused: false,
    };
    let outsider = |row| AuditVote { counted: false, reason: Some("outsider"), ..row };
    let expected = [
        AuditVote { superseded: true, ..row(2, "a", false, 1) },
        AuditVote { superseded: true, ..outsider(row(3, "z", true, 2)) },
        AuditVote {
            confidence: 0.25,
            counted: false,
            superseded: true,
            reason: Some("low_confidence"),
            ..row(4, "b", true, 3)
        },
        row(5, "a", true, 4),
        outsider(row(6, "z", false, 5)),
        row(7, "b", true, 6),
        AuditVote { counted: false, reason: Some("late"), refused: true, ..row(9, "c", true, 7) },
    ];
    assert_eq!(votes_on_record(events.iter().map(|(seq, e)| (*seq, e))), expected);
}

#[test]
fn a_refused_change_and_a_refused_outsider_supersede_nothing_in_the_audit() {
    let policy =
        Policy { vote_change: VoteChange::Reject, outsiders: Outsiders::Refuse, ..Policy::default() };
    let commands = vec![(1, yes("a")), (2, no("a")), (3, yes("z"))];
    let events = log(Start { policy, ..ask(QuorumType::Local, &SIX) }, commands);
    let votes = votes_on_record(events.iter().map(|(seq, e)| (*seq, e)));
    let seen: Vec<_> = votes.iter().map(|v| (v.seq, v.reason, v.refused, v.superseded)).collect();
    let expected = [
        (2, None, false, false),
        (3, Some("change_not_allowed"), true, false),
        (4, Some("not_eligible"), true, false),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn the_statistics_are_the_fold_of_all_events() {
    let mut stats = QuorumStats::default();
    assert_eq!((stats.success_rate(), stats.avg_time_to_decision_ms()), (0.0, 0.0));
    let pair = || ask(QuorumType::Local, &["a", "b"]);
    let logs = [
        // Approved after 2 s, with a change, an outsider and a late vote.
        log(pair(), vec![(1, yes("z")), (1, yes("a")), (2, yes("b")), (3, no("a"))]),
        // Rejected after 4 s.
        log(pair(), vec![(4, no("a"))]),
        // Timed out and noticed at once, and one noticed an hour later.
        log(Start { voters: None, ..pair() }, vec![(1, no("a")), (2, yes("a")), (30, Command::Tick)]),
        log(pair(), vec![(3600, Command::Tick)]),
        log(pair(), vec![(1, cancel())]),
    ];
    logs.iter().flatten().for_each(|(_, event)| stats.apply(event));
    assert_eq!((stats.closed(), stats.active()), (4, 1));
    stats.apply(&timed_out(us(30_000_001), 1, 0));
    let expected = QuorumStats {
        opened: 5,
        approved: 1,
        rejected: 1,
        timed_out: 2,
        cancelled: 1,
        votes: 6,
        changed_votes: 1,
        outsider_votes: 1,
        late_votes: 1,
        refused_votes: 1,
        recovery_closures: 1,
        decision_time_us: 6_000_000,
    };
    assert_eq!(stats, expected);
    assert_eq!((stats.closed(), stats.active()), (5, 0));
    assert_eq!((stats.success_rate(), stats.avg_time_to_decision_ms()), (0.2, 3000.0));
}
