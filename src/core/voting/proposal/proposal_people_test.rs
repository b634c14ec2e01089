//! Answers with a value, places that go to somebody else, and being told again, event by event.

use super::super::answer::{AnswerField, AnswerMisfit, AnswerSchema, AnswerShape, AnswerValue};
use super::super::event::{Delegated, RefusalValued, Reminded, Told, VoteValued};
use super::*;

const MINUTE: i64 = 60_000;

fn amount() -> Option<Box<AnswerSchema>> {
    let shape = AnswerShape::Integer { minimum: Some(1), maximum: Some(100), choices: Vec::new() };
    let field = AnswerField { name: "amount".to_owned(), required: true, schema: AnswerSchema::of(shape) };
    Some(Box::new(AnswerSchema::of(AnswerShape::Object { fields: vec![field] })))
}

fn value(amount: i64) -> Option<AnswerValue> {
    Some(AnswerValue::Object([("amount".to_owned(), AnswerValue::Integer(amount))].into()))
}

fn answer(name: &str, vote: Choice, value: Option<AnswerValue>) -> Command {
    Command::Vote(Ballot { voter_id: agent(name), vote, weight: None, metadata: None, reason: None, value })
}

/// A question that is still open, with more than its opening on record.
#[track_caller]
fn put_open(open: Open) -> P {
    let (proposal, step) = put(open);
    assert_eq!(step.reply, Ok(Reply::Opened));
    assert!(!step.events.iter().any(|event| matches!(event, Event::Closed(_))), "{:?}", step.events);
    proposal
}

fn asked(rule: &str, participants: &[&str]) -> P {
    put_open(Open { answer: amount(), ..by(rule, participants) })
}

fn misfit(p: &mut P, command: Command) -> AnswerMisfit {
    let step = p.step(command, ms(1));
    assert_eq!(step.events, [], "nothing is recorded of an answer that does not fit");
    match step.reply {
        Err(Rejection::Misfit(misfit)) => *misfit,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_must_be_answered_is_on_record_and_told_with_the_question() {
    let (p, step) = put(Open { answer: amount(), ..by("threshold", &["a", "b"]) });
    assert_eq!(step.events.get(1), amount().map(Event::AnswerAsked).as_ref());
    assert!(matches!(step.effects.as_slice(), [Effect::Broadcast(call)] if call.answer == amount()));
    assert_eq!(p.state().owed(), step.effects, "the same is owed after a crash");
    let nobody_can = Open {
        answer: Some(Box::new(AnswerSchema::of(AnswerShape::Object { fields: Vec::new() }))),
        ..by("threshold", &["a"])
    };
    let step = put(nobody_can).1;
    assert!(
        matches!(step.reply, Err(Rejection::Misfit(misfit)) if misfit.path == "answer_schema.properties")
    );
    assert_eq!(step.events, []);
}

#[test]
fn a_vote_for_must_bring_an_answer_that_fits_and_another_may() {
    let mut p = asked("threshold", &["a", "b", "c"]);
    let missing = misfit(&mut p, answer("a", Choice::For, None));
    assert_eq!((missing.path.as_str(), missing.given), ("value", None));
    let large = misfit(&mut p, answer("a", Choice::For, value(101)));
    assert_eq!((large.path.as_str(), large.given.as_deref()), ("value.amount", Some("101")));
    assert_eq!(large.expected, "a whole number of 1 to 100");
    let against = misfit(&mut p, answer("a", Choice::Against, value(0)));
    assert_eq!(against.path, "value.amount");
    let step = p.step(answer("a", Choice::For, value(5)), ms(1));
    let cast = VoteCast {
        voter_id: agent("a"),
        vote: Choice::For,
        weight: None,
        metadata: None,
        cast_at: ms(1),
        supersedes: false,
    };
    let valued = VoteValued { cast, reason: None, value: r#"{"amount":5}"#.to_owned() };
    assert_eq!(step.events, [Event::VoteCastWithValue(Box::new(valued))]);
    assert_eq!(p.step(answer("b", Choice::Against, None), ms(2)).reply, voted(VoteOutcome::Recorded));
    assert_eq!(p.step(answer("c", Choice::Abstain, value(1)), ms(2)).reply, voted(VoteOutcome::Recorded));
    let standing = |name: &str| p.state().votes[&agent(name)].value.clone();
    assert_eq!(standing("a").as_deref(), Some(r#"{"amount":5}"#));
    assert_eq!((standing("b"), standing("c").as_deref()), (None, Some(r#"{"amount":1}"#)));
}

#[test]
fn a_value_is_refused_where_none_is_asked_for() {
    let mut p = open(by("threshold", &["a", "b"]));
    let found = misfit(&mut p, answer("a", Choice::For, value(5)));
    assert_eq!((found.path.as_str(), found.given.as_deref()), ("value", Some(r#"{"amount":5}"#)));
    assert!(found.expected.starts_with("no value"), "{}", found.expected);
}

#[test]
fn the_same_vote_with_another_answer_is_another_vote() {
    let mut p = asked("threshold", &["a", "b"]);
    assert_eq!(p.step(answer("a", Choice::For, value(5)), ms(1)).reply, voted(VoteOutcome::Recorded));
    let again = p.step(answer("a", Choice::For, value(5)), ms(2));
    assert_eq!((again.reply, again.events), (voted(VoteOutcome::Duplicate), vec![]));
    for (given, told) in [(value(6), Some(r#"{"amount":6}"#)), (None, None)] {
        let step = p.step(answer("a", Choice::For, given), ms(3));
        let rejection = Rejection::AlreadyVoted {
            held: Choice::For,
            given: Choice::For,
            held_value: Some(r#"{"amount":5}"#.to_owned()),
            given_value: told.map(str::to_owned),
        };
        assert_eq!(step.reply, Err(rejection));
        match (step.events.as_slice(), told) {
            ([Event::VoteRefusedWithValue(kept)], Some(told)) => {
                let RefusalValued { refused, value, .. } = kept.as_ref();
                assert_eq!((refused.refusal, value.as_str()), (Refusal::AlreadyVoted, told));
            }
            ([Event::VoteRefused(refused)], None) => assert_eq!(refused.refusal, Refusal::AlreadyVoted),
            other => panic!("{other:?}"),
        }
    }
    let repeated = p.step(answer("a", Choice::For, value(6)), ms(4));
    assert!(repeated.reply.is_err() && repeated.events.is_empty(), "the identical attempt is on record once");
    assert_eq!(p.state().votes[&agent("a")].value.as_deref(), Some(r#"{"amount":5}"#));
}

#[test]
fn where_votes_may_change_answers_may() {
    let open = Open { answer: amount(), vote_change: VoteChange::Replace, ..by("threshold", &["a", "b"]) };
    let mut p = put_open(open);
    let _ = p.step(answer("a", Choice::For, value(5)), ms(1));
    let step = p.step(answer("a", Choice::For, value(6)), ms(2));
    assert_eq!(step.reply, Ok(Reply::Voted { outcome: VoteOutcome::Recorded, changed: true }));
    let _ = p.step(answer("a", Choice::Against, None), ms(3));
    assert_eq!((p.state().votes[&agent("a")].value.clone(), p.state().heads()), (None, [0, 1, 0]));
}

fn hand(from: &str, to: &str) -> Command {
    let (from, to) = (agent(from), agent(to));
    Command::Delegate(Box::new(Delegate { from, to, absent: false, reason: Some("away".to_owned()) }))
}

#[track_caller]
fn handed(p: &mut P, from: &str, to: &str) {
    let step = p.step(hand(from, to), ms(1));
    assert_eq!(step.reply, Ok(Reply::Delegated { duplicate: false, other_reason: false }), "{from} to {to}");
}

#[test]
fn a_place_goes_to_another_head_with_its_weight_and_the_first_may_not_vote_any_more() {
    let mut p = open(weighted(&[("a", "10"), ("b", "1"), ("c", "1")], &["a", "b", "c"]));
    let step = p.step(hand("a", "x"), ms(1));
    let delegated = Delegated {
        from: agent("a"),
        to: agent("x"),
        place: agent("a"),
        absent: false,
        reason: Some("away".to_owned()),
        at: ms(1),
    };
    assert_eq!(step.events, [Event::Delegated(Box::new(delegated))]);
    assert!(matches!(step.effects.as_slice(), [Effect::Tell(call)] if call.participants == agents(&["x"])));
    let state = p.state();
    assert_eq!(state.outstanding(), agents(&["b", "c", "x"]).iter().collect::<Vec<_>>());
    assert!(state.awaits(&agent("x")) && !state.awaits(&agent("a")));
    let step = p.step(yes("a"), ms(2));
    assert_eq!(step.reply, Err(Rejection::Delegated { to: agent("x") }));
    assert_eq!(step.events, [refused("a", Choice::For, ms(2), Refusal::Delegated)]);
    assert_eq!(p.step(yes("a"), ms(3)).events, [], "the identical attempt is on record once");
    let step = p.step(yes("x"), ms(4));
    assert_eq!(
        step.events,
        [cast("x", Choice::For, ms(4)), decided(Verdict::Approved, "x", ms(4), [1, 0, 0])]
    );
    assert_eq!((p.state().weight(Choice::For), p.state().voters_in_order()), (10_000_000, vec![&agent("x")]));
    assert_eq!(
        p.step(yes("a"), ms(5)).reply,
        Err(Rejection::Delegated { to: agent("x") }),
        "also after the end"
    );
    assert_eq!(p.step(yes("x"), ms(5)).reply, voted(VoteOutcome::Duplicate));
}

#[test]
fn nobody_has_two_places_and_no_place_comes_back_or_goes_on_for_ever() {
    let mut p = open(by("unanimous", &["a", "b", "c"]));
    handed(&mut p, "a", "x");
    let again = p.step(hand("a", "x"), ms(2));
    assert_eq!(
        (again.reply, again.events),
        (Ok(Reply::Delegated { duplicate: true, other_reason: false }), vec![])
    );
    assert_eq!(p.step(hand("a", "y"), ms(2)).reply, Err(Rejection::Delegated { to: agent("x") }));
    assert_eq!(p.step(hand("z", "y"), ms(2)).reply, Err(Rejection::NotParticipant));
    let field = |p: &mut P, from: &str, to: &str| match p.step(hand(from, to), ms(2)) {
        step if step.events.is_empty() => match step.reply {
            Err(Rejection::Invalid { field, .. }) => field,
            other => panic!("{from} to {to}: {other:?}"),
        },
        step => panic!("{from} to {to}: {:?}", step.events),
    };
    for (from, to) in [("b", "b"), ("b", "c"), ("b", "x"), ("b", "a"), ("x", "a"), ("x", "x")] {
        assert_eq!(field(&mut p, from, to), "to", "{from} to {to}");
    }
    let mut p = open(by("required:3", &["a", "b", "c", "d"]));
    let _ = p.step(yes("b"), ms(3));
    assert_eq!(field(&mut p, "b", "y"), "from", "who has voted has used its place");
    let heads: Vec<String> = (0..=MOST_HANDOVERS).map(|n| format!("h{n}")).collect();
    handed(&mut p, "a", &heads[0]);
    for pair in heads[..MOST_HANDOVERS].windows(2) {
        handed(&mut p, &pair[0], &pair[1]);
    }
    assert_eq!(field(&mut p, &heads[MOST_HANDOVERS - 1], &heads[MOST_HANDOVERS]), "from");
    assert_eq!(p.state().holder_of(&agent("a")).as_str(), heads[MOST_HANDOVERS - 1]);
    handed(&mut p, "c", &heads[MOST_HANDOVERS]);
}

#[test]
fn a_place_that_went_to_somebody_who_failed_ends_a_question_that_does_not_wait() {
    let impatient = || Open { fail_fast: true, ..by("unanimous", &["a", "b"]) };
    let failed = |from: &str, to: &str| match hand(from, to) {
        Command::Delegate(delegate) => Command::Delegate(Box::new(Delegate { absent: true, ..*delegate })),
        other => other,
    };
    let mut p = open(impatient());
    let step = p.step(failed("a", "x"), ms(1));
    assert!(matches!(step.events.as_slice(), [Event::Delegated(_), Event::Closed(end)]
        if end.decision == Verdict::Timeout && end.cause == Some(Cause::Unreachable)));
    let mut p = open(Open {
        absent: agents(&["a"]),
        ..Open { fail_fast: true, ..by("required:2", &["a", "b", "c"]) }
    });
    handed(&mut p, "a", "x");
    let away = |name: &str| Command::RecordAbsence { agent_id: agent(name), absent: true };
    assert_eq!(p.step(away("a"), ms(2)).events, [], "whoever has no place any more is not waited for");
    assert!(p.state().absent.is_empty(), "the one that failed has no place any more");
    let _ = p.step(away("x"), ms(2));
    let step = p.step(away("b"), ms(3));
    assert!(matches!(step.events.as_slice(), [Event::AbsenceChanged { .. }, Event::Closed(_)]));
    let mut patient = open(by("unanimous", &["a", "b"]));
    assert_eq!(patient.step(failed("a", "x"), ms(1)).events.len(), 1, "a question that waits, waits");
}

#[test]
fn a_custom_rule_sees_the_vote_in_the_place_of_the_one_that_was_asked() {
    let mut p = open(by("required:2", &["a", "b", "c"]));
    handed(&mut p, "a", "x");
    let _ = p.step(yes("x"), ms(2));
    assert_eq!(p.state().ballots(None), [(agent("a"), Choice::For)]);
}

fn remind(voter: Option<&str>) -> Command {
    Command::Remind { voter: voter.map(agent), by: Some("ops".to_owned()) }
}

fn reminded(voters: &[&str], by_itself: bool, at: Timestamp) -> Event {
    let by = (!by_itself).then(|| "ops".to_owned());
    Event::Reminded(Box::new(Reminded { voter_ids: agents(voters), by_itself, by, at }))
}

fn long(rule: &str, participants: &[&str]) -> Open {
    Open { timeout: Duration::from_secs(3_600), ..by(rule, participants) }
}

#[test]
fn outstanding_voters_are_told_again_once_a_minute_at_most() {
    let mut p = open(long("unanimous", &["a", "b", "c"]));
    let _ = p.step(yes("a"), ms(1));
    let step = p.step(remind(Some("b")), ms(1_000));
    assert_eq!(
        (step.reply, step.events),
        (Ok(Reply::Reminded(agents(&["b"]))), vec![reminded(&["b"], false, ms(1_000))])
    );
    assert!(matches!(step.effects.as_slice(), [Effect::Tell(call)]
        if call.participants == agents(&["b"]) && call.reminded == [(agent("b"), 1)].into()));
    assert!(p.state().owes() && p.state().owed().contains(&step.effects[0]), "owed until it is done");
    let told = Command::RecordTold { voters: agents(&["b"]), taken: agents(&["b"]) };
    let event =
        Event::Told(Box::new(Told { voter_ids: agents(&["b"]), taken: agents(&["b"]), at: ms(1_001) }));
    assert_eq!(p.step(told.clone(), ms(1_001)).events, [event]);
    assert_eq!(p.step(told, ms(1_002)).events, [], "told twice is told once");
    let step = p.step(remind(None), ms(2_000));
    assert_eq!(step.events, [reminded(&["c"], false, ms(2_000))], "who was told just now is left out");
    let step = p.step(remind(None), ms(3_000));
    assert_eq!(
        (step.reply, step.events),
        (Err(Rejection::RemindedBefore { retry_after_ms: 58_000 }), vec![])
    );
    let step = p.step(remind(Some("b")), ms(1_000 + MINUTE - 1));
    assert_eq!(step.reply, Err(Rejection::RemindedBefore { retry_after_ms: 1 }));
    let step = p.step(remind(Some("b")), ms(1_000 + MINUTE));
    assert_eq!(step.events, [reminded(&["b"], false, ms(1_000 + MINUTE))]);
    assert_eq!(p.state().told[&agent("b")].0, 2);
    for stranger in ["a", "z"] {
        let step = p.step(remind(Some(stranger)), ms(MINUTE * 5));
        assert!(matches!(step.reply, Err(Rejection::Invalid { field: "voter", .. })), "{stranger}");
    }
}

#[test]
fn a_question_reminds_by_itself_in_time_and_makes_up_for_nothing() {
    let every = Some(Duration::from_secs(600));
    let mut p = put_open(Open { remind_every: every, ..long("unanimous", &["a", "b"]) });
    assert_eq!(p.due(), Some(ms(600_000)));
    assert_eq!(p.step(Command::Tick, ms(599_999)).events, []);
    let step = p.step(Command::Tick, ms(600_000));
    assert_eq!(step.events, [reminded(&["a", "b"], true, ms(600_000))]);
    assert!(matches!(step.effects.as_slice(), [Effect::Tell(_)]));
    // Whoever was reminded by somebody is not reminded again right behind.
    let _ = p.step(remind(Some("b")), ms(700_000));
    assert_eq!(p.step(Command::Tick, ms(1_200_000)).events, [reminded(&["a"], true, ms(1_200_000))]);
    assert_eq!(p.due(), Some(ms(1_300_000)));
    // Several fell due while nobody was there: each is told once.
    let step = p.step(Command::Tick, ms(3_000_000));
    assert_eq!(step.events, [reminded(&["a", "b"], true, ms(3_000_000))]);
    let _ = p.step(yes("a"), ms(3_000_001));
    // The next one would be after the end, which comes first.
    assert_eq!(p.step(Command::Tick, ms(3_600_000)).events, [reminded(&["b"], true, ms(3_600_000))]);
    assert_eq!(p.due(), Some(ms(3_600_000).next()));
    let step = p.step(Command::Tick, ms(9_000_000));
    assert!(matches!(step.events.as_slice(), [Event::Closed(end)] if end.decision == Verdict::Timeout));
    assert_eq!((p.due(), p.state().owed()), (None, vec![]));
}

#[test]
fn who_takes_a_place_is_reminded_from_then_on_and_reminders_have_bounds() {
    let every = |seconds| Some(Duration::from_secs(seconds));
    let mut p = put_open(Open { remind_every: every(600), ..long("unanimous", &["a", "b"]) });
    let _ = p.step(hand("a", "x"), ms(500_000));
    assert_eq!(p.step(Command::Tick, ms(600_000)).events, [reminded(&["b"], true, ms(600_000))]);
    assert_eq!(p.step(Command::Tick, ms(1_100_000)).events, [reminded(&["x"], true, ms(1_100_000))]);
    let short = put(Open { remind_every: every(59), ..by("threshold", &["a"]) }).1;
    assert!(matches!(short.reply, Err(Rejection::Invalid { field: "remind_every_ms", .. })));
    let names: Vec<String> = (0..1_001).map(|n| n.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let many = |names: &[&str]| put(Open { remind_every: every(60), ..by("threshold", names) }).1;
    assert!(matches!(many(&names).reply, Err(Rejection::Invalid { field: "remind_every_ms", .. })));
    assert_eq!(many(&names[1..]).reply, Ok(Reply::Opened));
}
