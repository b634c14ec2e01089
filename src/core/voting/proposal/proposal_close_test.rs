//! How a proposal ends other than by the votes of a rule of the table.

use std::sync::Mutex;

use super::*;
use crate::kernel::driver::Step;
use crate::voting::rules::{Outcome, Poll, Ruling, Unmeetable};

fn failed(name: &str, absent: bool) -> Command {
    Command::RecordAbsence { agent_id: agent(name), absent }
}

fn absence(name: &str, absent: bool, at: Timestamp) -> Event {
    Event::AbsenceChanged { voter_id: agent(name), absent, at }
}

const DONE: Result<Reply, Rejection> = Ok(Reply::Done);

#[test]
fn with_nobody_to_ask_a_question_is_aborted_at_once_and_does_not_count() {
    let closed = ended_at_once(by("threshold", &[]));
    assert_eq!(closed, end(Verdict::Aborted, Some(Cause::NoAgents), ms(0), [0, 0, 0]));
    assert!(!closed.is_counted());
}

#[test]
fn more_than_half_of_the_registered_must_be_left() {
    let excluded = |n: usize| agents(&["u", "v", "w", "x"][..n]);
    let insufficient = Some(Cause::InsufficientHealthyAgents);
    for (left, away) in [(&["a"][..], 1), (&["a", "b"], 2), (&["a", "b"], 3), (&[], 1)] {
        let closed = ended_at_once(Open { excluded: excluded(away), ..by("threshold:0.1", left) });
        assert_eq!(closed, end(Verdict::Aborted, insufficient.clone(), ms(0), [0, 0, 0]));
        assert!(!closed.is_counted());
    }
    for (left, away) in [(&["a", "b"][..], 1), (&["a", "b", "c"], 2), (&["a"], 0)] {
        let p = open(Open { excluded: excluded(away), ..by("threshold", left) });
        assert_eq!(p.state().opened.as_ref().unwrap().excluded.len(), away);
    }
}

#[test]
fn more_than_half_of_the_registered_weight_must_be_left() {
    let heavy_away =
        |weight| Open { excluded: agents(&["x"]), ..weighted(&[("x", weight)], &["a", "b", "c"]) };
    for weight in ["3", "3.5", "1000"] {
        let closed = ended_at_once(heavy_away(weight));
        assert_eq!(closed.cause, Some(Cause::InsufficientHealthyAgents), "{weight}");
    }
    open(heavy_away("2.999999"));
    open(heavy_away("0"));
}

fn refused(open: Open) -> Unmeetable {
    match P::default().step(Command::Open(Box::new(open)), ms(0)) {
        Step { reply: Err(Rejection::Unmeetable(unmet)), events, .. } if events.is_empty() => unmet,
        step => panic!("{step:?}"),
    }
}

#[test]
fn where_nobody_weighs_anything_the_question_is_rejected_and_counts() {
    let closed = ended_at_once(weighted(&[("a", "0"), ("b", "0")], &["a", "b"]));
    assert_eq!(closed, end(Verdict::Rejected, Some(Cause::ZeroTotalWeight), ms(0), [0, 0, 0]));
    assert!(closed.is_counted());
    // With another way to win it is put all the same.
    let zero = weighted(&[("a", "0"), ("b", "0")], &["a", "b"]).decider;
    let Decider::Rule(zero) = zero else { panic!("{zero:?}") };
    let either = RuleSpec::new("any").with("rules", vec![zero, RuleSpec::new("threshold")]);
    open(ask(either, &["a", "b"]));
}

#[test]
fn what_nobody_can_meet_is_refused_and_no_rejection() {
    let unmet = refused(by("required:3", &["a", "b"]));
    assert_eq!((unmet.required, unmet.available, unmet.weightless), (Some(3), 2, false));
    let both = RuleSpec::new("all")
        .with("rules", vec![RuleSpec::from_text("required:2"), RuleSpec::from_text("required:3")]);
    assert_eq!(refused(ask(both, &["a", "b"])).required, None);
    // Those who are left out for their health could meet it: it is for want of them that it ends.
    let away = Open { excluded: agents(&["x"]), ..by("required:3", &["a", "b"]) };
    let closed = ended_at_once(away);
    assert_eq!(closed, end(Verdict::Aborted, Some(Cause::InsufficientHealthyAgents), ms(0), [0, 0, 0]));
    assert_eq!(refused(Open { excluded: agents(&["x"]), ..by("required:4", &["a", "b"]) }).available, 3);
    // Votes that leave no way to a yes are a no.
    let mut p = open(by("required:2", &["a", "b"]));
    p.step(no("a"), ms(1));
    assert_eq!(p.state().decision(), Some(Verdict::Rejected));
}

#[test]
fn what_is_decided_before_anybody_votes_ends_at_once() {
    let certain = RuleSpec::new("not").with("rule", RuleSpec::new("required").with("count", 3));
    let closed = ended_at_once(ask(certain, &["a", "b"]));
    assert_eq!(closed, end(Verdict::Approved, None, ms(0), [0, 0, 0]));
}

#[test]
fn a_question_that_cannot_be_told_is_rejected_and_does_not_count() {
    let mut p = open(by("threshold", &["a", "b", "c"]));
    p.step(yes("a"), ms(1));
    let cause = Some(Cause::BroadcastFailed("no route".into()));
    let closed = end(Verdict::Aborted, cause, ms(2), [1, 0, 0]);
    assert!(!closed.is_counted());
    check(&mut p, Command::RecordBroadcast(Err("no route".into())), ms(2), &[Event::Closed(closed)], DONE);
    assert_eq!((ProposalMachine::owed(p.state()), p.wake()), (vec![], None));
}

#[test]
fn a_broadcast_that_ends_after_the_votes_decided_changes_nothing() {
    let decided = || {
        let mut p = open(by("unanimous", &["a"]));
        p.step(yes("a"), ms(1));
        assert_eq!(ProposalMachine::owed(p.state()), [], "nobody is told of what is decided");
        p
    };
    check(&mut decided(), Command::RecordBroadcast(Err("gone".into())), ms(2), &[], DONE);
    let told = Delivered { reached: 1, unreached: vec![] };
    let mut p = decided();
    check(&mut p, Command::RecordBroadcast(Ok(told.clone())), ms(2), &[Event::Broadcast(told)], DONE);
    assert_eq!(p.state().decision(), Some(Verdict::Approved));
}

fn impatient(participants: &[&str]) -> Open {
    Open { fail_fast: true, ..by("threshold", participants) }
}

#[test]
fn who_does_not_wait_for_failed_agents_ends_when_approval_needs_one_of_them() {
    let mut p = open(impatient(&["a", "b", "c", "d"]));
    check(&mut p, failed("a", true), ms(1), &[absence("a", true, ms(1))], DONE);
    check(&mut p, failed("a", true), ms(2), &[], DONE);
    check(&mut p, failed("stranger", true), ms(2), &[], DONE);
    let closed = end(Verdict::Timeout, Some(Cause::Unreachable), ms(3), [0, 0, 0]);
    assert!(closed.is_counted());
    check(&mut p, failed("b", true), ms(3), &[absence("b", true, ms(3)), Event::Closed(closed)], DONE);
    check(&mut p, failed("b", false), ms(4), &[], DONE);
}

#[test]
fn a_vote_against_may_end_what_failed_agents_had_left_possible() {
    let mut p = open(impatient(&["a", "b", "c", "d"]));
    p.step(failed("a", true), ms(1));
    let closed = Closed {
        decided_by: Some(agent("b")),
        ..end(Verdict::Timeout, Some(Cause::Unreachable), ms(2), [0, 1, 0])
    };
    check(&mut p, no("b"), ms(2), &[cast("b", Choice::Against, ms(2)), Event::Closed(closed)], RECORDED);
}

#[test]
fn agents_that_come_back_or_had_voted_are_not_missed() {
    let mut p = open(impatient(&["a", "b", "c", "d"]));
    p.step(failed("a", true), ms(1));
    check(&mut p, failed("a", false), ms(2), &[absence("a", false, ms(2))], DONE);
    check(&mut p, failed("b", true), ms(3), &[absence("b", true, ms(3))], DONE);
    // A failed agent that votes all the same has voted.
    check(&mut p, yes("b"), ms(4), &[cast("b", Choice::For, ms(4))], RECORDED);
    assert!(p.state().absent.is_empty());
    check(&mut p, failed("b", true), ms(5), &[], DONE);
    check(&mut p, failed("c", true), ms(6), &[absence("c", true, ms(6))], DONE);
    check(&mut p, yes("a"), ms(7), &[cast("a", Choice::For, ms(7))], RECORDED);
    let events = [cast("d", Choice::For, ms(8)), decided(Verdict::Approved, "d", ms(8), [3, 0, 0])];
    check(&mut p, yes("d"), ms(8), &events, RECORDED);
}

#[test]
fn who_waits_for_failed_agents_does_not_hear_of_them() {
    let mut p = open(by("threshold", &["a", "b"]));
    check(&mut p, failed("a", true), ms(1), &[], DONE);
}

#[test]
fn agents_that_failed_before_the_opening_are_missed_from_the_start() {
    let closed = ended_at_once(Open { absent: agents(&["a", "b"]), ..impatient(&["a", "b", "c", "d"]) });
    assert_eq!(closed, end(Verdict::Timeout, Some(Cause::Unreachable), ms(0), [0, 0, 0]));
    let p = open(Open { absent: agents(&["a"]), ..impatient(&["a", "b", "c", "d"]) });
    assert_eq!(p.state().absent, agents(&["a"]).into_iter().collect());
}

/// Votes as a custom rule is shown them, whether the deadline had passed, and the weights.
type Shown = (Vec<(VoterId, Choice)>, bool, Vec<u64>);

/// A custom rule that answers by a script and notes what it was shown.
struct Oracle {
    answer: Box<dyn Fn(&Poll<'_>) -> Ruling + Send + Sync>,
    shown: Mutex<Vec<Shown>>,
}

impl std::fmt::Debug for Oracle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Oracle")
    }
}

impl CustomRules for Oracle {
    fn ask(&self, name: &str, poll: &Poll<'_>) -> Ruling {
        assert_eq!((name, poll.participants), ("named", agents(&["a", "b"]).as_slice()));
        self.shown.lock().unwrap().push((poll.votes.to_vec(), poll.deadline_reached, poll.weights.to_vec()));
        (self.answer)(poll)
    }
}

fn custom() -> Open {
    let table = WeightTable::new([(&agent("b"), 2.0)], 1.0).unwrap();
    Open { decider: Decider::Custom(table), ..by("threshold", &["b", "a"]) }
}

fn with(answer: impl Fn(&Poll<'_>) -> Ruling + Send + Sync + 'static) -> (P, Arc<Oracle>) {
    let oracle = Arc::new(Oracle { answer: Box::new(answer), shown: Mutex::default() });
    (P::new(Lookup(oracle.clone())), oracle)
}

fn put_to(p: &mut P) -> Vec<Event> {
    p.step(Command::Open(Box::new(custom())), ms(0)).events
}

const PENDING: Ruling = Ruling::Outcome(Outcome::Pending);

/// Everybody must vote for.
fn unanimous(poll: &Poll<'_>) -> Ruling {
    Ruling::Outcome(match poll.votes {
        votes if votes.iter().any(|(_, vote)| *vote != Choice::For) => Outcome::Lost,
        votes if votes.len() == poll.participants.len() => Outcome::Won,
        _ => Outcome::Pending,
    })
}

#[test]
fn a_custom_rule_is_shown_the_new_vote_and_the_weights_of_the_opening() {
    let (mut p, oracle) = with(unanimous);
    assert_eq!(put_to(&mut p).len(), 1);
    check(&mut p, yes("b"), ms(1), &[cast("b", Choice::For, ms(1))], RECORDED);
    let events = [cast("a", Choice::For, ms(2)), decided(Verdict::Approved, "a", ms(2), [2, 0, 0])];
    check(&mut p, yes("a"), ms(2), &events, RECORDED);
    let weights = vec![1_000_000, 2_000_000];
    let vote = |name: &str| (agent(name), Choice::For);
    let expected = [vec![], vec![vote("b")], vec![vote("b"), vote("a")]];
    assert_eq!(*oracle.shown.lock().unwrap(), expected.map(|votes| (votes, false, weights.clone())));
    assert_eq!(p.state().opened.as_ref().unwrap().threshold, None);
}

#[test]
fn a_custom_rule_rejects_as_soon_as_it_says_so() {
    let (mut p, _) = with(unanimous);
    put_to(&mut p);
    let events = [cast("a", Choice::Abstain, ms(1)), decided(Verdict::Rejected, "a", ms(1), [0, 0, 1])];
    check(&mut p, abstain("a"), ms(1), &events, RECORDED);
}

#[test]
fn a_custom_rule_that_cannot_say_when_all_have_voted_is_asked_once_more_and_then_it_is_lost() {
    let (mut p, oracle) = with(|_| PENDING);
    put_to(&mut p);
    p.step(yes("a"), ms(1));
    let events = [cast("b", Choice::For, ms(2)), decided(Verdict::Rejected, "b", ms(2), [2, 0, 0])];
    check(&mut p, yes("b"), ms(2), &events, RECORDED);
    let asked: Vec<bool> = oracle.shown.lock().unwrap().iter().map(|(_, at_end, _)| *at_end).collect();
    assert_eq!(asked, [false, false, false, true]);
}

#[test]
fn a_custom_rule_has_the_last_word_at_the_deadline() {
    for (last, decision) in [
        (Outcome::Won, Verdict::Approved),
        (Outcome::Lost, Verdict::Rejected),
        (Outcome::Pending, Verdict::Timeout),
    ] {
        let (mut p, _) =
            with(move |poll| if poll.deadline_reached { Ruling::Outcome(last) } else { PENDING });
        put_to(&mut p);
        p.step(yes("a"), ms(1));
        let closed = Closed { noticed_at: ms(3_000), ..end(decision, None, ms(1_000), [1, 0, 0]) };
        check(&mut p, Command::Tick, ms(3_000), &[Event::Closed(closed)], DONE);
    }
}

#[test]
fn a_custom_rule_that_fails_rejects_its_proposal_wherever_it_does() {
    let failure = || Ruling::Failed("no idea".into());
    let cause = || Some(Cause::AlgorithmError("no idea".into()));
    // At the opening.
    let (mut p, _) = with(move |_| failure());
    let events = put_to(&mut p);
    assert_eq!(events[1..], [Event::Closed(end(Verdict::Rejected, cause(), ms(0), [0, 0, 0]))]);
    // With a vote, which is kept.
    let (mut p, _) = with(move |poll| if poll.votes.is_empty() { PENDING } else { failure() });
    put_to(&mut p);
    let closed = Closed { decided_by: Some(agent("a")), ..end(Verdict::Rejected, cause(), ms(1), [1, 0, 0]) };
    assert!(closed.is_counted());
    check(&mut p, yes("a"), ms(1), &[cast("a", Choice::For, ms(1)), Event::Closed(closed)], RECORDED);
    // At the deadline.
    let (mut p, _) = with(move |poll| if poll.deadline_reached { failure() } else { PENDING });
    put_to(&mut p);
    let closed = Closed { noticed_at: ms(1_001), ..end(Verdict::Rejected, cause(), ms(1_000), [0, 0, 0]) };
    check(&mut p, Command::Tick, ms(1_001), &[Event::Closed(closed)], DONE);
}

#[test]
fn without_its_custom_rule_a_proposal_collects_votes_and_is_decided_when_the_rule_is_there() {
    let mut p = P::default();
    assert_eq!(put_to(&mut p).len(), 1);
    check(&mut p, yes("a"), ms(1), &[cast("a", Choice::For, ms(1))], RECORDED);
    check(&mut p, yes("b"), ms(2), &[cast("b", Choice::For, ms(2))], RECORDED);
    check(&mut p, Command::Reconsider, ms(3), &[], DONE);
    let (known, _) = with(unanimous);
    let mut p = known.restore(p.state().clone(), p.revision());
    check(&mut p, Command::Reconsider, ms(4), &[decided(Verdict::Approved, "b", ms(4), [2, 0, 0])], DONE);
    check(&mut p, Command::Reconsider, ms(5), &[], DONE);
}

#[test]
fn without_its_custom_rule_at_the_deadline_a_proposal_times_out_and_says_why() {
    let mut p = P::default();
    put_to(&mut p);
    p.step(yes("a"), ms(1));
    p.step(yes("b"), ms(2));
    let closed = end(Verdict::Timeout, Some(Cause::AlgorithmUnavailable), ms(1_000), [2, 0, 0]);
    assert!(closed.is_counted());
    let closed = Event::Closed(Closed { noticed_at: ms(1_001), ..closed });
    // Asking the rule again comes too late, by a microsecond or more.
    check(&mut p, Command::Reconsider, ms(1_001), &[closed], DONE);
}

#[test]
fn a_log_that_ends_with_the_deciding_vote_is_closed_as_of_that_vote() {
    for (command, decision, heads) in
        [(yes("b"), Verdict::Approved, [2, 0, 0]), (no("b"), Verdict::Rejected, [1, 1, 0])]
    {
        let mut live = open(by("unanimous", &["a", "b"]));
        let mut log = vec![Event::Opened(live.state().opened.clone().unwrap())];
        log.extend(live.step(yes("a"), ms(1)).events);
        log.extend(live.step(command, ms(2)).events);
        assert!(matches!(log.pop(), Some(Event::Closed(_))));
        let mut p = P::default();
        log.iter().for_each(|event| p.replay(event));
        assert_eq!(p.due(), Some(ms(2)), "at once, whatever time it is");
        // Even after the deadline, and before a vote that would be on time.
        for now in [ms(3), ms(9_000)] {
            let mut p = P::default().restore(p.state().clone(), p.revision());
            let closed = Closed { decided_by: Some(agent("b")), ..end(decision, None, ms(2), heads) };
            let closed = Event::Closed(Closed { noticed_at: now, ..closed });
            check(&mut p, Command::Tick, now, &[closed], DONE);
        }
    }
}

#[test]
fn a_question_that_reached_nobody_is_aborted_unless_somebody_has_heard_of_it() {
    let nobody = || Delivered { reached: 0, unreached: agents(&["a", "b"]) };
    let mut p = open(by("threshold", &["a", "b"]));
    let step = p.step(Command::RecordBroadcast(Ok(nobody())), ms(1));
    let [Event::Broadcast(told), Event::Closed(closed)] = step.events.as_slice() else {
        panic!("{:?}", step.events)
    };
    assert_eq!((told, closed.decision, closed.is_counted()), (&nobody(), Verdict::Aborted, false));
    let mut heard = open(by("threshold", &["a", "b"]));
    heard.step(yes("a"), ms(1));
    check(&mut heard, Command::RecordBroadcast(Ok(nobody())), ms(2), &[Event::Broadcast(nobody())], DONE);
    let mut one = open(by("threshold", &["a", "b"]));
    let told = Delivered { reached: 1, unreached: agents(&["b"]) };
    check(&mut one, Command::RecordBroadcast(Ok(told.clone())), ms(2), &[Event::Broadcast(told)], DONE);
}

#[test]
fn an_end_that_an_earlier_version_recorded_as_a_no_nobody_said_is_read_as_aborted() {
    let old = end(Verdict::Rejected, Some(Cause::NoAgents), ms(0), [0, 0, 0]);
    let mut p = open(by("threshold", &["a"]));
    p.replay(&Event::Closed(old.clone()));
    assert_eq!(p.state().decision(), Some(Verdict::Aborted));
    for cause in [None, Some(Cause::ZeroTotalWeight), Some(Cause::AlgorithmError("x".into()))] {
        assert_eq!(Closed { cause, ..old.clone() }.upcast().decision, Verdict::Rejected);
    }
}

#[test]
fn a_refused_attempt_is_remembered_up_to_a_bound_and_answered_the_same_beyond_it() {
    let mut p = open(by("threshold", &["a"]));
    for n in 0..1_100 {
        let step = p.step(yes(&format!("stranger-{n}")), ms(1));
        assert_eq!(step.reply, NOT_ASKED);
    }
    assert_eq!(p.state().refused.len(), 1_024);
    check(&mut p, yes("stranger-7"), ms(2), &[], NOT_ASKED);
}

fn extended(until: Until, longest: u64) -> Command {
    let longest = std::time::Duration::from_millis(longest);
    Command::Extend(Extend { until, longest, by: Some("ops".into()), reason: None })
}

#[test]
fn a_question_is_extended_and_ends_as_of_its_latest_deadline() {
    let mut p = open(by("unanimous", &["a", "b"]));
    let first = p.state().deadline().unwrap();
    let later = first.plus(std::time::Duration::from_millis(500));
    let on_record = Event::Extended(Box::new(event::Extended {
        deadline: later,
        before: first,
        by: Some("ops".into()),
        reason: None,
        at: ms(3),
    }));
    let done = |duplicate| Ok(Reply::Extended { duplicate });
    check(&mut p, extended(Until::At(later), 1_000_000), ms(3), &[on_record], done(false));
    check(&mut p, extended(Until::At(later), 1_000_000), ms(4), &[], done(true));
    for (until, longest) in [(Until::At(first), 1_000_000), (Until::At(later.next()), 1)] {
        let step = p.step(extended(until, longest), ms(5));
        assert!(matches!(step.reply, Err(Rejection::Invalid { field: "deadline", .. })), "{step:?}");
        assert_eq!(step.events, []);
    }
    // At the first deadline nothing happens; a vote at the latest is on time, and a tick after it ends the question as of it.
    assert_eq!(p.step(Command::Tick, first.next()).events, []);
    assert_eq!(p.step(yes("a"), later).reply, RECORDED);
    let closed = p.step(Command::Tick, later.plus(std::time::Duration::from_secs(9))).events;
    assert!(
        matches!(&closed[..], [Event::Closed(end)] if end.decision == Verdict::Timeout && end.closed_at == later),
        "{closed:?}"
    );
    check(
        &mut p,
        extended(Until::At(Timestamp::MAX), u64::MAX),
        Timestamp::MAX,
        &[],
        over_too(Verdict::Timeout),
    );
}

fn over_too(decision: Verdict) -> Result<Reply, Rejection> {
    Err(Rejection::Closed { decision })
}

#[test]
fn a_question_that_is_withdrawn_ends_once_and_does_not_count() {
    let mut p = open(by("threshold", &["a", "b", "c"]));
    p.step(yes("a"), ms(1));
    let cancel = |by: &str| Command::Cancel { by: Some(by.into()), reason: None };
    let cause = Some(Cause::Cancelled { by: Some("ops".into()), reason: None });
    let closed = end(Verdict::Cancelled, cause, ms(2), [1, 0, 0]);
    let done = |duplicate| Ok(Reply::Cancelled { duplicate });
    check(&mut p, cancel("ops"), ms(2), &[Event::Closed(closed.clone())], done(false));
    check(&mut p, cancel("else"), ms(3), &[], done(true));
    assert_eq!((p.wake(), p.state().outstanding()), (None, vec![]));
    let mut counted = stats::ProposalStats { opened: 1, ..Default::default() };
    counted.apply(&Event::Closed(closed));
    assert_eq!((counted.ended.total(), counted.aborted, counted.cancelled, counted.active()), (0, 0, 1, 0));
    let mut decided = open(by("unanimous", &["a"]));
    decided.step(yes("a"), ms(1));
    check(&mut decided, cancel("ops"), ms(2), &[], over_too(Verdict::Approved));
}
