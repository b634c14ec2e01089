//! Opening, voting and ending, event by event. What follows from health, broadcasts and custom rules is in
//! `proposal_close_test.rs`.

use std::time::Duration;

use super::command::Decider;
use super::event::{Cause, Delivered, Refusal, VoteCast, VoteRefused};
use super::*;
use crate::kernel::driver::Driver;
use crate::kernel::ids::VoterId;
use crate::voting::rules::{Choice, Param, RuleSpec, WeightTable};

#[path = "proposal_close_test.rs"]
mod close;
#[path = "proposal_people_test.rs"]
mod people;

type P = Driver<ProposalMachine>;

fn ms(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn agent(name: &str) -> VoterId {
    VoterId::new(name).unwrap()
}

fn agents(names: &[&str]) -> Vec<VoterId> {
    names.iter().map(|name| agent(name)).collect()
}

/// A question to these agents, decided by this rule, with one second to answer.
fn ask(rule: RuleSpec, participants: &[&str]) -> Open {
    Open {
        keyed: None,
        mandate: None,
        proposal: r#"{"deploy":7}"#.to_owned(),
        digest: "d1ce".to_owned(),
        algorithm: "named".to_owned(),
        decider: Decider::Rule(rule),
        participants: agents(participants),
        excluded: Vec::new(),
        timeout: Duration::from_secs(1),
        vote_change: VoteChange::Reject,
        fail_fast: false,
        absent: Vec::new(),
        answer: None,
        remind_every: None,
    }
}

fn by(rule: &str, participants: &[&str]) -> Open {
    ask(RuleSpec::from_text(rule), participants)
}

fn weighted(weights: &[(&str, &str)], participants: &[&str]) -> Open {
    let table = weights.iter().map(|(name, weight)| ((*name).to_owned(), Param::from(*weight)));
    let rule = RuleSpec::new("weighted").with("agent_weights", Param::Map(table.collect()));
    ask(rule, participants)
}

/// The proposal after `open`, and what followed.
fn put(open: Open) -> (P, crate::kernel::driver::Step<ProposalMachine>) {
    let mut proposal = P::default();
    let step = proposal.step(Command::Open(Box::new(open)), ms(0));
    (proposal, step)
}

/// A proposal opened at 0 that is still open.
#[track_caller]
fn open(open: Open) -> P {
    let (proposal, step) = put(open);
    assert_eq!(step.reply, Ok(Reply::Opened));
    assert!(matches!(step.events.as_slice(), [Event::Opened(_)]), "{:?}", step.events);
    proposal
}

/// The end of a proposal that ends as soon as it is opened.
#[track_caller]
fn ended_at_once(open: Open) -> Closed {
    let (_, step) = put(open);
    assert_eq!((step.reply, step.effects), (Ok(Reply::Opened), vec![]));
    match <[Event; 2]>::try_from(step.events) {
        Ok([Event::Opened(_), Event::Closed(closed)]) => closed,
        other => panic!("{other:?}"),
    }
}

fn vote(name: &str, vote: Choice) -> Command {
    Command::Vote(Ballot {
        voter_id: agent(name),
        vote,
        weight: None,
        metadata: None,
        reason: None,
        value: None,
    })
}

fn yes(name: &str) -> Command {
    vote(name, Choice::For)
}

fn no(name: &str) -> Command {
    vote(name, Choice::Against)
}

fn abstain(name: &str) -> Command {
    vote(name, Choice::Abstain)
}

fn cast(name: &str, vote: Choice, cast_at: Timestamp) -> Event {
    let voter_id = agent(name);
    Event::VoteCast(VoteCast { voter_id, vote, weight: None, metadata: None, cast_at, supersedes: false })
}

fn refused(name: &str, vote: Choice, cast_at: Timestamp, refusal: Refusal) -> Event {
    Event::VoteRefused(VoteRefused { voter_id: agent(name), vote, weight: None, cast_at, refusal })
}

/// An end at `at`, noticed at once, of a proposal opened at 0.
fn end(decision: Verdict, cause: Option<Cause>, at: Timestamp, votes: [u32; 3]) -> Closed {
    Closed {
        decision,
        cause,
        algorithm: "named".to_owned(),
        opened_at: ms(0),
        closed_at: at,
        noticed_at: at,
        votes,
        decided_by: None,
    }
}

fn decided(decision: Verdict, by: &str, at: Timestamp, votes: [u32; 3]) -> Event {
    Event::Closed(Closed { decided_by: Some(agent(by)), ..end(decision, None, at, votes) })
}

fn voted(outcome: VoteOutcome) -> Result<Reply, Rejection> {
    Ok(Reply::Voted { outcome, changed: false })
}

fn over(decision: Verdict) -> Result<Reply, Rejection> {
    Err(Rejection::Closed { decision })
}

const NOT_ASKED: Result<Reply, Rejection> = Err(Rejection::NotParticipant);

const RECORDED: Result<Reply, Rejection> =
    Ok(Reply::Voted { outcome: VoteOutcome::Recorded, changed: false });

/// Steps and compares the events and the answer exactly; only an opening leads to effects.
#[track_caller]
fn check(p: &mut P, command: Command, now: Timestamp, events: &[Event], reply: Result<Reply, Rejection>) {
    let step = p.step(command, now);
    assert_eq!(step.events, events);
    assert_eq!(step.reply, reply);
    assert_eq!(step.effects, []);
}

#[test]
fn an_opened_proposal_keeps_what_it_was_opened_with_and_tells_the_agents() {
    let (mut p, step) = put(weighted(&[("b", "2.5")], &["b", "a", "b"]));
    let [Event::Opened(opened)] = step.events.as_slice() else { panic!("{:?}", step.events) };
    assert_eq!(opened.participants, agents(&["a", "b"]), "each once, by id");
    assert_eq!((opened.weights.as_slice(), opened.threshold), ([1_000_000, 2_500_000].as_slice(), Some(0.6)));
    assert_eq!((opened.opened_at, opened.deadline), (ms(0), ms(1_000)));
    assert_eq!((opened.proposal.as_str(), opened.digest.as_str()), (r#"{"deploy":7}"#, "d1ce"));
    let call = command::Call {
        proposal: r#"{"deploy":7}"#.to_owned(),
        algorithm: "named".to_owned(),
        timeout_ms: 1_000,
        participants: agents(&["a", "b"]),
        answer: None,
        reminded: Default::default(),
    };
    let effects = vec![Effect::Broadcast(Box::new(call))];
    assert_eq!((step.effects, step.reply), (effects.clone(), Ok(Reply::Opened)));
    // Owed until it is recorded.
    assert_eq!(ProposalMachine::owed(p.state()), effects);
    assert_eq!(p.wake(), Some(Timestamp::MIN));
    let told = Delivered { reached: 1, unreached: agents(&["b"]) };
    let done = Ok(Reply::Done);
    check(&mut p, Command::RecordBroadcast(Ok(told.clone())), ms(1), &[Event::Broadcast(told)], done.clone());
    assert_eq!((ProposalMachine::owed(p.state()), p.wake()), (vec![], Some(ms(1_000).next())));
    // Telling twice is harmless, and a failure after it was told is none.
    check(&mut p, Command::RecordBroadcast(Ok(Delivered::default())), ms(2), &[], done.clone());
    check(&mut p, Command::RecordBroadcast(Err("late".into())), ms(2), &[], done);
}

#[test]
fn an_id_is_used_once_whatever_became_of_the_proposal() {
    let again = || Command::Open(Box::new(by("threshold", &["z"])));
    let mut p = open(by("threshold", &["a"]));
    check(&mut p, again(), ms(1), &[], Err(Rejection::AlreadyExists));
    p.step(yes("a"), ms(2));
    check(&mut p, again(), ms(3), &[], Err(Rejection::AlreadyExists));
    assert_eq!(p.state().opened.as_ref().unwrap().participants, agents(&["a"]));
}

#[test]
fn nothing_can_be_done_to_a_proposal_that_does_not_exist() {
    let mut p = P::default();
    let absence = Command::RecordAbsence { agent_id: agent("a"), absent: true };
    for command in
        [yes("a"), Command::RecordBroadcast(Ok(Delivered::default())), absence, Command::Reconsider]
    {
        check(&mut p, command, ms(0), &[], Err(Rejection::NotFound));
    }
    check(&mut p, Command::Tick, ms(0), &[], Ok(Reply::Done));
    assert_eq!((p.revision(), p.due(), p.wake()), (0, None, None));
}

#[test]
fn votes_are_taken_for_100_ms_or_as_long_as_people_need() {
    for (timeout_us, fits) in
        [(99_999, false), (100_000, true), (300_000_001, true), (259_200_000_000, true), (0, false)]
    {
        let timeout = Duration::from_micros(timeout_us);
        let (p, step) = put(Open { timeout, ..by("threshold", &["a"]) });
        assert_eq!(step.reply.is_ok(), fits, "{timeout:?}");
        match step.reply {
            Ok(_) => assert_eq!(p.state().opened.as_ref().unwrap().deadline, ms(0).plus(timeout)),
            Err(Rejection::Invalid { field, expected, .. }) => {
                assert_eq!((field, expected.as_str()), ("timeout_ms", "100 or more"));
                assert_eq!((step.events, p.revision()), (vec![], 0));
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_rule_that_cannot_be_built_opens_nothing() {
    for rule in ["threshold:1.5", "threshold:-0.1", "threshold:NaN", "nonsense", "required:0"] {
        let (p, step) = put(by(rule, &["a"]));
        assert!(matches!(step.reply, Err(Rejection::Invalid { field: "algorithm", .. })), "{rule}");
        assert_eq!((step.events, p.revision()), (vec![], 0));
    }
}

#[test]
fn more_than_half_approves_with_the_vote_that_makes_it_so() {
    let mut p = open(by("threshold", &["a", "b", "c", "d"]));
    for (at, name) in ["a", "b"].iter().enumerate() {
        check(&mut p, yes(name), ms(at as i64), &[cast(name, Choice::For, ms(at as i64))], RECORDED);
    }
    let events = [cast("c", Choice::For, ms(9)), decided(Verdict::Approved, "c", ms(9), [3, 0, 0])];
    check(&mut p, yes("c"), ms(9), &events, RECORDED);
    assert_eq!((p.state().decision(), p.due(), p.wake()), (Some(Verdict::Approved), None, None));
    assert_eq!(p.state().voters_in_order(), agents(&["a", "b", "c"]).iter().collect::<Vec<_>>());
}

#[test]
fn half_against_rejects_at_once_for_a_tie_is_no_majority() {
    let mut p = open(by("threshold", &["a", "b", "c", "d"]));
    check(&mut p, no("d"), ms(1), &[cast("d", Choice::Against, ms(1))], RECORDED);
    // Abstaining counts against as well.
    let events = [cast("a", Choice::Abstain, ms(2)), decided(Verdict::Rejected, "a", ms(2), [0, 1, 1])];
    check(&mut p, abstain("a"), ms(2), &events, RECORDED);
}

#[test]
fn a_threshold_of_one_asks_for_all_and_of_less_than_half_for_half_to_take_part() {
    let mut all = open(by("threshold:1", &["a", "b"]));
    check(&mut all, yes("a"), ms(1), &[cast("a", Choice::For, ms(1))], RECORDED);
    let events = [cast("b", Choice::For, ms(2)), decided(Verdict::Approved, "b", ms(2), [2, 0, 0])];
    check(&mut all, yes("b"), ms(2), &events, RECORDED);

    let mut low = open(by("threshold:0.2", &["a", "b", "c", "d"]));
    check(&mut low, yes("a"), ms(1), &[cast("a", Choice::For, ms(1))], RECORDED);
    // Exactly half is enough, abstentions among them.
    let events = [cast("b", Choice::Abstain, ms(2)), decided(Verdict::Approved, "b", ms(2), [1, 0, 1])];
    check(&mut low, abstain("b"), ms(2), &events, RECORDED);
    let mut silent = open(by("threshold:0.2", &["a", "b", "c", "d"]));
    silent.step(yes("a"), ms(1));
    let closed =
        Event::Closed(Closed { noticed_at: ms(5_000), ..end(Verdict::Timeout, None, ms(1_000), [1, 0, 0]) });
    check(&mut silent, Command::Tick, ms(5_000), &[closed], Ok(Reply::Done));
}

#[test]
fn a_vote_at_exactly_the_deadline_is_on_time_and_a_microsecond_later_is_late() {
    let mut p = open(by("threshold", &["a", "b", "c"]));
    check(&mut p, yes("a"), ms(1_000), &[cast("a", Choice::For, ms(1_000))], RECORDED);
    let late = ms(1_000).next();
    let closed =
        Event::Closed(Closed { noticed_at: late, ..end(Verdict::Timeout, None, ms(1_000), [1, 0, 0]) });
    let events = [closed, refused("b", Choice::For, late, Refusal::Late)];
    check(&mut p, yes("b"), late, &events, over(Verdict::Timeout));
    assert_eq!((p.state().heads(), p.state().votes.len()), ([1, 0, 0], 1));

    let mut decided_on_it = open(by("unanimous", &["a"]));
    let events = [cast("a", Choice::For, ms(1_000)), decided(Verdict::Approved, "a", ms(1_000), [1, 0, 0])];
    check(&mut decided_on_it, yes("a"), ms(1_000), &events, RECORDED);
}

#[test]
fn the_deadline_passes_once_and_as_of_itself_however_late_it_is_noticed() {
    let mut p = open(by("threshold", &["a"]));
    assert_eq!(p.due(), Some(ms(1_000).next()));
    check(&mut p, Command::Tick, ms(1_000), &[], Ok(Reply::Done));
    let closed = end(Verdict::Timeout, None, ms(1_000), [0, 0, 0]);
    let closed = Event::Closed(Closed { noticed_at: ms(99_000), ..closed });
    check(&mut p, Command::Tick, ms(99_000), &[closed], Ok(Reply::Done));
    for command in [Command::Tick, Command::Reconsider, Command::RecordBroadcast(Err("x".into()))] {
        check(&mut p, command, ms(99_001), &[], Ok(Reply::Done));
    }
}

#[test]
fn the_first_vote_of_an_agent_is_final_and_a_refused_change_names_it_and_is_on_record_once() {
    let mut p = open(by("threshold", &["a", "b", "c"]));
    p.step(yes("a"), ms(1));
    for at in [ms(2), ms(3)] {
        check(&mut p, yes("a"), at, &[], voted(VoteOutcome::Duplicate));
    }
    let final_vote = || {
        let (held, given) = (Choice::For, Choice::Against);
        Err(Rejection::AlreadyVoted { held, given, held_value: None, given_value: None })
    };
    let other = refused("a", Choice::Against, ms(4), Refusal::AlreadyVoted);
    check(&mut p, no("a"), ms(4), &[other], final_vote());
    check(&mut p, no("a"), ms(5), &[], final_vote());
    assert_eq!((p.state().heads(), p.state().votes[&agent("a")].cast_at), ([1, 0, 0], ms(1)));
}

/// The same vote, and why.
fn because(command: Command, reason: &str, metadata: Option<&str>) -> Command {
    let Command::Vote(ballot) = command else { panic!("no vote") };
    let (reason, metadata) = (Some(reason.to_owned()), metadata.map(str::to_owned));
    Command::Vote(Ballot { reason, metadata, ..ballot })
}

#[test]
fn a_reason_is_kept_with_the_vote_and_with_a_refused_one_each_reason_once() {
    let mut p = open(by("threshold", &["a", "b", "c"]));
    let step = p.step(because(yes("a"), "it is due", None), ms(1));
    let [Event::VoteCastWithReason(with)] = step.events.as_slice() else { panic!("{:?}", step.events) };
    assert_eq!((with.cast.voter_id.as_str(), with.reason.as_str()), ("a", "it is due"));
    p.step(yes("b"), ms(2));
    // The dissent that comes after an early decision.
    let late = |reason| because(no("c"), reason, Some(r#"{"risk":9}"#));
    let step = p.step(late("it will break"), ms(3));
    assert_eq!(step.reply, over(Verdict::Approved));
    let [Event::VoteRefusedWithReason(with)] = step.events.as_slice() else { panic!("{:?}", step.events) };
    assert_eq!((with.refused.refusal, with.reason.as_deref()), (Refusal::Late, Some("it will break")));
    assert_eq!(with.metadata.as_deref(), Some(r#"{"risk":9}"#));
    check(&mut p, late("it will break"), ms(4), &[], over(Verdict::Approved));
    assert_eq!(p.step(late("and nobody asked us"), ms(5)).events.len(), 1, "another reason is kept too");
    assert_eq!(p.step(no("c"), ms(6)).events.len(), 1, "none at all is another attempt");
    assert_eq!(p.state().votes[&agent("a")].reason.as_deref(), Some("it is due"));
}

#[test]
fn an_agent_that_takes_the_question_is_reached_once_however_often_it_takes_it() {
    let mut p = open(by("threshold", &["a", "b", "c"]));
    let handed = |names: &[&str], at| Event::Handed { voter_ids: agents(names), at };
    let told = Delivered { reached: 1, unreached: agents(&["b"]) };
    let take = |names: &[&str], broadcast| Command::RecordHanded { taken: agents(names), broadcast };
    let first = [handed(&["a"], ms(1)), Event::Broadcast(told.clone())];
    check(&mut p, take(&["a"], Some(told.clone())), ms(1), &first, Ok(Reply::Done));
    assert_eq!((p.state().reached(), p.state().unreached()), (1, agents(&["b"])));
    // Again, after its program died, and a stranger.
    check(&mut p, take(&["a", "z"], None), ms(2), &[], Ok(Reply::Done));
    check(&mut p, take(&["b", "a"], Some(told)), ms(3), &[handed(&["b"], ms(3))], Ok(Reply::Done));
    assert_eq!((p.state().reached(), p.state().unreached()), (2, vec![]));
}

#[test]
fn where_votes_may_change_the_count_moves_and_the_place_stays() {
    let mut p = open(Open { vote_change: VoteChange::Replace, ..by("threshold", &["a", "b", "c"]) });
    p.step(yes("a"), ms(1));
    p.step(no("b"), ms(2));
    check(&mut p, yes("a"), ms(3), &[], voted(VoteOutcome::Duplicate));
    let changed = |outcome| Ok(Reply::Voted { outcome, changed: true });
    let superseding = |vote, at| match cast("a", vote, at) {
        Event::VoteCast(first) => Event::VoteCast(VoteCast { supersedes: true, ..first }),
        other => other,
    };
    let events = [superseding(Choice::Against, ms(4)), decided(Verdict::Rejected, "a", ms(4), [0, 2, 0])];
    check(&mut p, no("a"), ms(4), &events, changed(VoteOutcome::Recorded));
    assert_eq!(p.state().voters_in_order(), agents(&["a", "b"]).iter().collect::<Vec<_>>());
    // What stands is answered from the record, and a change of mind is late.
    check(&mut p, no("a"), ms(5), &[], voted(VoteOutcome::Duplicate));
    let late = refused("a", Choice::For, ms(5), Refusal::Late);
    let rejection = Rejection::Late {
        decision: Verdict::Rejected,
        held: Choice::Against,
        given: Choice::For,
        held_value: None,
        given_value: None,
    };
    check(&mut p, yes("a"), ms(5), &[late], Err(rejection));
}

#[test]
fn a_closed_proposal_answers_repeats_from_the_record_and_refuses_the_rest_once() {
    let mut p = open(by("threshold", &["a", "b", "c"]));
    p.step(yes("a"), ms(1));
    p.step(yes("b"), ms(2));
    check(&mut p, yes("b"), ms(3), &[], voted(VoteOutcome::Duplicate));
    let late = refused("c", Choice::For, ms(3), Refusal::Late);
    check(&mut p, yes("c"), ms(3), &[late], over(Verdict::Approved));
    check(&mut p, yes("c"), ms(4), &[], over(Verdict::Approved));
    let other = refused("c", Choice::Against, ms(5), Refusal::Late);
    check(&mut p, no("c"), ms(5), &[other], over(Verdict::Approved));
    let stranger = refused("z", Choice::For, ms(6), Refusal::NotParticipant);
    check(&mut p, yes("z"), ms(6), &[stranger], NOT_ASKED);
    assert_eq!((p.state().heads(), p.state().decision()), ([2, 0, 0], Some(Verdict::Approved)));
}

#[test]
fn who_is_not_asked_does_not_count() {
    let mut p = open(Open { excluded: agents(&["x"]), ..by("threshold", &["a", "b"]) });
    for name in ["x", "stranger"] {
        let event = refused(name, Choice::For, ms(1), Refusal::NotParticipant);
        check(&mut p, yes(name), ms(1), &[event], NOT_ASKED);
        check(&mut p, yes(name), ms(2), &[], NOT_ASKED);
    }
    assert_eq!((p.state().heads(), p.state().closed.is_none()), ([0, 0, 0], true));
}

#[test]
fn a_claimed_weight_is_a_number_from_0_to_10_to_the_9_and_decides_nothing() {
    let claim = |weight| {
        let metadata = Some(r#"{"why":"x"}"#.to_owned());
        Command::Vote(Ballot {
            voter_id: agent("a"),
            vote: Choice::For,
            weight: Some(weight),
            metadata,
            reason: None,
            value: None,
        })
    };
    for weight in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -f64::MIN_POSITIVE, 1e9 + 1.0, f64::MAX]
    {
        let before_it_exists = P::default().step(claim(weight), ms(0));
        for step in [before_it_exists, open(by("threshold", &["a", "b"])).step(claim(weight), ms(0))] {
            assert!(matches!(step.reply, Err(Rejection::Invalid { field: "weight", .. })), "{weight}");
            assert_eq!(step.events, []);
        }
    }
    for weight in [0.0, 1.0, 1e9] {
        let mut p = open(weighted(&[("a", "1"), ("b", "1")], &["a", "b"]));
        let step = p.step(claim(weight), ms(1));
        let [Event::VoteCast(cast)] = step.events.as_slice() else { panic!("{:?}", step.events) };
        assert_eq!((cast.weight, cast.metadata.as_deref()), (Some(weight), Some(r#"{"why":"x"}"#)));
        assert_eq!(p.state().weight(Choice::For), 1_000_000);
    }
}

#[test]
fn weight_decides_by_the_table_alone() {
    // 3 of 5 is not more than 0.6 of it.
    let mut tie = open(weighted(&[("boss", "3")], &["boss", "x", "y"]));
    check(&mut tie, yes("boss"), ms(1), &[cast("boss", Choice::For, ms(1))], RECORDED);
    check(&mut tie, no("x"), ms(2), &[cast("x", Choice::Against, ms(2))], RECORDED);
    let events = [cast("y", Choice::Abstain, ms(3)), decided(Verdict::Rejected, "y", ms(3), [1, 1, 1])];
    check(&mut tie, abstain("y"), ms(3), &events, RECORDED);
    assert_eq!(Choice::ALL.map(|choice| tie.state().weight(choice)), [3_000_000, 1_000_000, 1_000_000]);

    let mut heavy = open(weighted(&[("boss", "3.1")], &["boss", "x", "y"]));
    let events = [cast("boss", Choice::For, ms(1)), decided(Verdict::Approved, "boss", ms(1), [1, 0, 0])];
    check(&mut heavy, yes("boss"), ms(1), &events, RECORDED);

    // An observer is heard and weighs nothing.
    let mut observed = open(weighted(&[("o", "0")], &["o", "x"]));
    check(&mut observed, no("o"), ms(1), &[cast("o", Choice::Against, ms(1))], RECORDED);
    let events = [cast("x", Choice::For, ms(2)), decided(Verdict::Approved, "x", ms(2), [1, 1, 0])];
    check(&mut observed, yes("x"), ms(2), &events, RECORDED);
}
